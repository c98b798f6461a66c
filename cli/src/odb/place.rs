//! The ODB that a command works on: one in a directory, or that of a file.

use std::error::Error;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus::odb::Odb;
use pactolus::odb::shell::Shell;
use pactolus::odb::store::{Options, Shared};

use super::source::Source;
use crate::shared::{self, VARIABLE};
use crate::{DAMAGED, OK};

/// An ODB with a shell on it.
pub(super) struct Place {
    pub(super) shell: Shell,
    /// What the prompt calls it.
    pub(super) name: String,
    /// The code that the program ends with if all goes well.
    pub(super) code: u8,
}

/// How it is opened.
#[derive(Clone, Copy, Default)]
pub(super) struct How {
    /// Of a run file, the dump at its end.
    pub(super) eor: bool,
    /// Make a new one ...
    pub(super) create: bool,
    /// ... that brings every change to the disk.
    pub(super) durable: bool,
}

impl Place {
    /// Opens what stands at a path; what of a file was passed over is told.
    pub(super) fn open(path: &Path, how: How, err: &mut dyn Write) -> Result<Place, Box<dyn Error>> {
        let name = name(path);
        if how.create || path.is_dir() {
            if how.eor {
                return Err(format!(
                    "{}: --eor: this is a directory, only run files have a second ODB",
                    path.display()
                )
                .into());
            }
            if path.exists() && !path.is_dir() {
                return Err(format!("{} is a file: --create makes a directory", path.display()).into());
            }
            let odb = if how.create { created(path, how.durable)? } else { existing(path)? };
            return Ok(Place { shell: Shell::new(odb), name, code: OK });
        }
        // Files have an ending, directories have none.
        if path.as_os_str() != "-" && path.extension().is_none() && !path.exists() {
            return Err(
                format!("no directory or file {}; --create makes a new ODB there", path.display()).into()
            );
        }
        let source = Source::open(path, how.eor, err)?;
        let mut code = if source.is_partial { DAMAGED } else { OK };
        if let Some(damage) = &source.damage {
            writeln!(err, "pactolus: {damage}; what came before it is shown")?;
            code = DAMAGED;
        }
        let why = format!("{name} is a file and is not changed: save it as .json and load that into an ODB");
        let shell = Shell::new(Odb::from(source.tree)).read_only(why);
        Ok(Place { shell, name, code })
    }
}

fn created(dir: &Path, durable: bool) -> Result<Odb, Box<dyn Error>> {
    let shared = Shared::open(dir, Options { create: true, durable, ..Options::default() })?;
    if durable && !shared.is_durable() {
        return Err(format!(
            "{}: there is an ODB that was made without --durable: save it, and make another one",
            dir.display()
        )
        .into());
    }
    Ok(Odb::new(Arc::new(shared)))
}

fn existing(dir: &Path) -> Result<Odb, Box<dyn Error>> {
    Odb::open(dir).map_err(|error| match error {
        pactolus::odb::Error::NoStore { dir } => format!("no ODB in {dir}; --create makes one").into(),
        error => error.into(),
    })
}

/// The path of the argument, or else of the environment.
pub(super) fn named(path: Option<&Path>) -> Result<PathBuf, String> {
    shared::place(path)
        .ok_or_else(|| format!("no ODB is named: give a directory or a file, or set {VARIABLE}"))
}

/// The last name of a path, also of `.`.
fn name(path: &Path) -> String {
    let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    crate::dump::text::escaped(whole.file_name().unwrap_or(OsStr::new("/")).as_encoded_bytes())
}
