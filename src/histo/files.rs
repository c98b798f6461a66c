//! Files of histograms: written with the outputs, read to be drawn or added.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use pactolus_formats::tuple::{SettledTable, TableKind};
use pactolus_formats::{Error as FormatError, WholeFile};
use serde_json::Value;

use super::root::BEGINNING;
use super::{Histogram, Histograms, table};
use crate::Error;
use crate::report::Written;

/// How a file holds histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// JSON in ROOT's schema.
    Json,
    /// A table with a row for each.
    Table(TableKind),
}

impl FileKind {
    /// What the extension of `path` stands for; `None` if it is none of `.json`, `.parquet`, `.arrow`.
    pub fn of(path: &Path) -> Option<FileKind> {
        match path.extension()?.to_str()? {
            "json" => Some(FileKind::Json),
            _ => TableKind::of(path).map(FileKind::Table),
        }
    }

    /// What the first bytes of a file stand for; `None` if they are neither those of a table nor of
    /// JSON, or cannot be read. It need not hold histograms.
    pub fn of_contents(path: &Path) -> Option<FileKind> {
        File::open(path).ok().and_then(|mut file| sniff(&mut file).ok().flatten())
    }
}

/// What the first bytes of a file stand for. Leaves it at its beginning.
fn sniff(file: &mut File) -> std::io::Result<Option<FileKind>> {
    let mut first = Vec::new();
    file.take(64).read_to_end(&mut first)?;
    file.rewind()?;
    let json = first.trim_ascii_start().first() == Some(&b'{');
    Ok(TableKind::of_bytes(&first).map(FileKind::Table).or(json.then_some(FileKind::Json)))
}

impl Histograms {
    /// Writes a file, which appears when it is complete.
    ///
    /// # Errors
    /// If it cannot be written; nothing remains then.
    pub fn write(&self, path: &Path, kind: FileKind, provenance: &Value) -> Result<Written, Error> {
        self.settle(path, kind, &provenance.to_string()).and_then(Settled::finish).map_err(Error::Output)
    }

    /// Writes a file and brings it to the disk, without its name: so that several appear together or
    /// not at all. `provenance`: JSON of one line.
    pub(crate) fn settle(
        &self,
        path: &Path,
        kind: FileKind,
        provenance: &str,
    ) -> Result<Settled, FormatError> {
        match kind {
            FileKind::Json => self.settle_into(WholeFile::create(path)?, path, provenance),
            FileKind::Table(kind) => table::write(self, path, kind, provenance).map(Settled::Table),
        }
    }

    /// The same for a JSON file that was begun before.
    pub(crate) fn settle_into(
        &self,
        mut file: WholeFile,
        path: &Path,
        provenance: &str,
    ) -> Result<Settled, FormatError> {
        self.json(provenance, &mut file).map_err(FormatError::io("write", path))?;
        file.settle()?;
        Ok(Settled::Json(path.to_owned(), file))
    }

    /// Reads a file that [`write`](Histograms::write) wrote, of whichever kind: its first bytes say.
    ///
    /// # Errors
    /// If it cannot be read, is broken, or is another file.
    pub fn read(path: &Path) -> Result<Histograms, Error> {
        Histograms::read_with_provenance(path).map(|(histograms, _)| histograms)
    }

    /// The same, with what the histograms were made of.
    ///
    /// # Errors
    /// As [`read`](Histograms::read).
    pub fn read_with_provenance(path: &Path) -> Result<(Histograms, Value), Error> {
        let mut file = File::open(path).map_err(FormatError::io("open", path))?;
        let kind = sniff(&mut file).map_err(FormatError::io("read", path))?;
        let refused = |message: String| Error::Histograms { path: path.to_owned(), message };
        match kind {
            Some(FileKind::Table(_)) => table::read(path),
            Some(FileKind::Json) => {
                Histograms::from_json(BufReader::with_capacity(1 << 18, file)).map_err(refused)
            }
            None => {
                Err(refused("no file of histograms: .json, .parquet or .arrow of pactolus wanted".into()))
            }
        }
    }
}

/// Whether a file begins as the JSON that we write, or is a table of histograms of ours.
pub(crate) fn is_ours(path: &Path) -> bool {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINNING.len() as u64).read_to_end(&mut first));
    read.is_ok() && (first == BEGINNING || TableKind::of_bytes(&first).is_some() && table::is_ours(path))
}

/// A histogram that was read, if the checksum of its bytes agrees; else a sentence with its name.
pub(super) fn checked(
    name: &str,
    agrees: bool,
    histogram: impl FnOnce() -> Result<Histogram, String>,
) -> Result<Histogram, String> {
    if !agrees {
        return Err(format!("\"{name}\": its checksum does not agree, it was changed or is broken"));
    }
    histogram().map_err(|error| format!("\"{name}\": {error}"))
}

/// A file of histograms on the disk, without its name; dropped, nothing remains.
pub(crate) enum Settled {
    Json(PathBuf, WholeFile),
    Table(SettledTable),
}

impl Settled {
    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<Written, FormatError> {
        match self {
            Settled::Json(path, file) => Ok(Written { path, rows: None, bytes: file.finish()? }),
            Settled::Table(table) => Ok(table.finish()?.into()),
        }
    }
}
