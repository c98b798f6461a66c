//! What an earlier analysis has left under the names of tables.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_formats::Error as FormatError;
use pactolus_formats::tuple::{TableDef, TablePart, table_metadata};

use super::table_path;
use crate::Error;
use crate::partial::TableKey;
use crate::run_files::directory_of;

/// Digits of the number of a part, at least.
pub(super) const DIGITS: usize = 6;

/// What lies beside an output.
#[derive(Default)]
pub(super) struct Earlier {
    /// Parts of its tables.
    pub(super) parts: Vec<PathBuf>,
    /// Whole tables.
    pub(super) tables: Vec<PathBuf>,
    /// Files that have the name of a part and are none.
    pub(super) strange: Vec<PathBuf>,
}

impl Earlier {
    /// Looks for parts of an output `path`, and for whole tables that stand with such a name in that of
    /// their file.
    pub(super) fn look(path: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Earlier, Error> {
        let part = |name: Option<&OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
        let (stem, extension) = (part(path.file_stem()) + ".", format!(".{}", part(path.extension())));
        let directory = directory_of(path);
        let unread = |error| Error::Format(FormatError::io("read", directory)(error));
        let mut found = Earlier::default();
        for entry in std::fs::read_dir(directory).map_err(unread)? {
            let name = entry.map_err(unread)?.file_name();
            let Some(name) = name.to_str() else { continue };
            let Some(table) = name.strip_prefix(&stem).and_then(|rest| rest.strip_suffix(&extension)) else {
                continue;
            };
            let place = path.with_file_name(name);
            if let Some((table, _)) = table.rsplit_once('.').filter(|(_, number)| is_number(number)) {
                match TablePart::open(&place) {
                    // Of an output whose name begins as this one's.
                    Ok(Some(part)) if !is_called(table, part.table()) => {}
                    Ok(Some(_)) => found.parts.push(place),
                    Ok(None) | Err(_) => found.strange.push(place),
                }
            } else if is_wanted(table) && is_whole(&place) {
                found.tables.push(place);
            }
        }
        found.parts.sort();
        found.tables.sort();
        found.strange.sort();
        Ok(found)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.parts.iter().chain(&self.tables)
    }

    pub(super) fn add(&mut self, mut other: Earlier) {
        self.parts.append(&mut other.parts);
        self.tables.append(&mut other.tables);
        self.strange.append(&mut other.strange);
    }

    /// Removes what would be taken for that of the run which begins.
    pub(super) fn remove(&self) -> Result<(), Error> {
        for path in self.files() {
            match std::fs::remove_file(path) {
                // Somebody else has done so.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.map_err(FormatError::io("remove", path)).map_err(Error::Output)?,
            }
        }
        Ok(())
    }

    /// What there is to say where whole tables are written, and parts stay.
    pub(super) fn beside(&self, path: &Path, run: u32) -> Option<String> {
        let (count, path) = (self.parts.len(), path.display());
        Some(match count {
            0 => return None,
            1 => format!("run {run}: 1 part of an earlier analysis lies beside the tables of {path}"),
            n => format!("run {run}: {n} parts of an earlier analysis lie beside the tables of {path}"),
        })
    }

    /// What there is to say of it when it was removed.
    pub(super) fn warnings(&self, run: u32) -> Vec<String> {
        let mut said = Vec::new();
        for (count, one) in [(self.parts.len(), "part"), (self.tables.len(), "whole table")] {
            match count {
                0 => {}
                1 => said.push(format!("run {run}: 1 {one} of an earlier analysis is replaced")),
                n => said.push(format!("run {run}: {n} {one}s of an earlier analysis are replaced")),
            }
        }
        said.extend(self.strange.iter().map(|path| {
            let path = path.display();
            format!("run {run}: {path} has the name of a part, and is no part of pactolus: it is left alone")
        }));
        said
    }
}

/// Whether a file may get this name: it is free, or that of a part.
pub(super) fn is_free(path: &Path) -> bool {
    !path.exists() || matches!(TablePart::open(path), Ok(Some(_)))
}

/// Whether a job that knows these tables before the first event may write a table that stands as `name` in
/// the name of its file.
pub(super) fn may_be(name: &str, tables: &[(TableKey, Arc<TableDef>)]) -> bool {
    is_id(name) || tables.iter().any(|(_, def)| is_called(name, &def.name))
}

fn is_number(text: &str) -> bool {
    text.len() >= DIGITS && text.bytes().all(|b| b.is_ascii_digit())
}

/// A table of events that no request names.
fn is_id(name: &str) -> bool {
    let number = name.trim_end_matches('_').strip_prefix("id").and_then(|number| number.parse::<u16>().ok());
    number.is_some_and(|number| name.trim_end_matches('_') == format!("id{number}"))
}

/// Whether a table stands as `name` in the name of its file.
fn is_called(name: &str, table: &str) -> bool {
    let own = table_path(Path::new("x.x"), table);
    let own = own.file_stem().unwrap_or_default().to_string_lossy();
    let own = own.strip_prefix("x.").unwrap_or_default();
    name.strip_prefix(own).is_some_and(|rest| rest.bytes().all(|b| b == b'_'))
}

/// Whether this is a whole table of events that we have written.
fn is_whole(path: &Path) -> bool {
    let Ok(Some(metadata)) = table_metadata(path) else { return false };
    let has = |wanted: &str| metadata.iter().any(|(key, _)| key == wanted);
    has("pactolus.provenance") && !has("pactolus.part") && !has("pactolus.histograms")
}
