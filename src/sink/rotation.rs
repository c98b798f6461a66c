//! Tables that are written as parts, so that others read what is there while a run goes on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_formats::Error as FormatError;
use pactolus_formats::tuple::{SettledTable, TableDef, TableKind, TablePart, TableWriter};

use super::{Body, Origin, Sinks, table_path};
use crate::Error;
use crate::histo::{Histograms, is_ours};
use crate::job::has_run;
use crate::report::Written;

/// The file of a table, or the part that is written.
pub(super) struct TableFile {
    pub(super) writer: TableWriter,
    /// What stands in the name of the file.
    pub(super) name: String,
    parts: Option<Closed>,
}

/// The parts of a table before the one in hand.
pub(super) struct Closed {
    /// The name that the table would have as one file.
    whole: PathBuf,
    count: u64,
    rows: u64,
    bytes: u64,
}

impl TableFile {
    pub(super) fn create(
        path: &Path,
        name: String,
        kind: TableKind,
        def: &Arc<TableDef>,
        in_parts: bool,
    ) -> Result<TableFile, FormatError> {
        let whole = table_path(path, &name);
        if !in_parts {
            return Ok(TableFile { writer: TableWriter::create(&whole, kind, def)?, name, parts: None });
        }
        let title = whole.file_name().unwrap_or_default().to_string_lossy();
        let writer = TableWriter::create(&part_path(&whole, 1), kind, def)?.in_parts(&title);
        Ok(TableFile { writer, name, parts: Some(Closed { whole, count: 0, rows: 0, bytes: 0 }) })
    }

    /// Closes the part in hand, if there is anything in it, and goes on with the next.
    fn rotate(&mut self, metadata: &[(String, String)]) -> Result<(), FormatError> {
        let Some(closed) = self.parts.as_mut().filter(|_| self.writer.rows() > 0) else { return Ok(()) };
        let next = part_path(&closed.whole, closed.count + 2);
        let part = self.writer.next(&next, metadata)?.finish()?;
        closed.count += 1;
        closed.rows += part.rows;
        closed.bytes += part.bytes;
        Ok(())
    }

    /// Brings the file to the disk, without its name.
    pub(super) fn settle(
        self,
        metadata: &[(String, String)],
    ) -> Result<(SettledTable, Option<Closed>), FormatError> {
        Ok((self.writer.settle(metadata)?, self.parts))
    }
}

impl Closed {
    /// What is told of a table with its last part: a pattern for all of them, and their sums.
    pub(super) fn written(self, last: Written) -> Written {
        let Closed { whole, rows, bytes, .. } = self;
        Written { path: numbered(&whole, "*"), rows: last.rows.map(|n| n + rows), bytes: last.bytes + bytes }
    }
}

/// `run00042.Trigger.parquet` and 3: `run00042.Trigger.000003.parquet`.
fn part_path(whole: &Path, number: u64) -> PathBuf {
    numbered(whole, &format!("{number:06}"))
}

fn numbered(whole: &Path, number: &str) -> PathBuf {
    let part = |name: Option<&OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    whole.with_file_name(format!("{}.{number}.{}", part(whole.file_stem()), part(whole.extension())))
}

/// The parts that an earlier analysis of the same run has left, for an output `path`.
///
/// # Errors
/// If a file has the name of a part and is none: it would be replaced.
pub(super) fn earlier(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let part = |name: Option<&OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, extension) = (part(path.file_stem()) + ".", format!(".{}", part(path.extension())));
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let unread = |error| Error::Format(FormatError::io("read", directory)(error));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unread)? {
        let name = entry.map_err(unread)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let table = name.strip_prefix(&stem).and_then(|rest| rest.strip_suffix(&extension));
        let Some((table, number)) = table.and_then(|rest| rest.rsplit_once('.')) else { continue };
        if number.len() < 6 || !number.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let place = path.with_file_name(name);
        match TablePart::open(&place) {
            // Of an output whose name begins as this one's.
            Ok(Some(part)) if !is_of(&part, table) => {}
            Ok(Some(_)) => found.push(place),
            Ok(None) | Err(_) => {
                return Err(Error::Job(format!(
                    "output {}: {} has the name of a part, and is no part of pactolus: move it away",
                    path.display(),
                    place.display()
                )));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a part belongs to a table that stands as `name` in the name of its file.
fn is_of(part: &TablePart, name: &str) -> bool {
    let own = table_path(Path::new("x.x"), part.table());
    let own = own.file_stem().unwrap_or_default().to_string_lossy();
    let own = own.strip_prefix("x.").unwrap_or_default();
    name.strip_prefix(own).is_some_and(|rest| rest.bytes().all(|b| b == b'_'))
}

impl Sinks<'_> {
    /// Whether a table that is written as parts has rows that nobody can read.
    pub(crate) fn has_rows(&self) -> bool {
        let tables = self.open.iter().filter_map(|sink| match &sink.body {
            Some(Body::Tables(_, tables)) => Some(tables.values()),
            _ => None,
        });
        tables.flatten().any(|table| table.parts.is_some() && table.writer.rows() > 0)
    }

    /// Closes the part in hand of each table that has rows, and goes on with the next. `of`: what the
    /// outputs of a run, and those of all runs, are made of so far.
    pub(crate) fn rotate(&mut self, of: &[Origin; 2]) -> Result<(), Error> {
        for sink in &mut self.open {
            let Some(Body::Tables(_, tables)) = &mut sink.body else { continue };
            let metadata = of[usize::from(!has_run(&sink.output.pattern))].metadata();
            for table in tables.values_mut() {
                table.rotate(&metadata).map_err(Error::Output)?;
            }
        }
        Ok(())
    }

    /// Whether an output of tables has histograms beside it; of a run, and of all runs.
    pub(crate) fn with_histograms(&self) -> [bool; 2] {
        let tables = self.open.iter().filter(|sink| matches!(sink.body, Some(Body::Tables(..))));
        let mut with = [false; 2];
        for sink in tables.filter(|sink| !sink.companions.is_empty()) {
            with[usize::from(!has_run(&sink.output.pattern))] = true;
        }
        with
    }

    /// Writes the histograms so far beside the tables, in place of those before.
    pub(crate) fn show(&self, of: &[Origin; 2], histograms: &[Histograms; 2]) -> Result<(), Error> {
        let mut done: Vec<&Path> = Vec::new();
        for sink in self.open.iter().filter(|sink| matches!(sink.body, Some(Body::Tables(..)))) {
            let which = usize::from(!has_run(&sink.output.pattern));
            for companion in &sink.companions {
                // A file that is not ours is told of when the run ends.
                let taken = companion.place.exists() && !is_ours(&companion.place);
                if histograms[which].is_empty() || taken || done.contains(&&*companion.place) {
                    continue;
                }
                done.push(&companion.place);
                let provenance = &of[which].provenance;
                let file = histograms[which].settle(&companion.path, companion.kind, provenance);
                file.and_then(|file| file.finish()).map_err(Error::Output)?;
            }
        }
        Ok(())
    }
}
