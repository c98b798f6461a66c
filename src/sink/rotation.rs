//! Tables that are written as parts, so that others read what is there while a run goes on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_formats::tuple::{SettledTable, TableDef, TableKind, TableWriter};
use pactolus_formats::{Error as FormatError, WholeFile};

use super::earlier::{DIGITS, is_free};
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
    /// Of the last in hand, in its name.
    number: u64,
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
        let (path, number) = free_path(&whole, 1);
        let writer = TableWriter::create(&path, kind, def)?.in_parts(&title);
        Ok(TableFile { writer, name, parts: Some(Closed { whole, number, rows: 0, bytes: 0 }) })
    }

    /// Closes the part in hand, if there is anything in it, and goes on with the next.
    fn rotate(&mut self, metadata: &[(String, String)], claim: &Claim) -> Result<(), FormatError> {
        let Some(closed) = self.parts.as_mut().filter(|_| self.writer.rows() > 0) else { return Ok(()) };
        let (next, number) = free_path(&closed.whole, closed.number + 1);
        let part = self.writer.next(&next, metadata)?;
        claim.check_own()?;
        let part = part.finish()?;
        closed.number = number;
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
    numbered(whole, &format!("{number:0DIGITS$}"))
}

fn numbered(whole: &Path, number: &str) -> PathBuf {
    let part = |name: Option<&OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    whole.with_file_name(format!("{}.{number}.{}", part(whole.file_stem()), part(whole.extension())))
}

/// The name of the next part, as a rule that of its number: what is not ours stays.
fn free_path(whole: &Path, number: u64) -> (PathBuf, u64) {
    let mut number = number;
    loop {
        let path = part_path(whole, number);
        if is_free(&path) {
            return (path, number);
        }
        number += 1;
    }
}

/// The right to write the parts of an output: whoever begins it later has it.
pub(super) struct Claim {
    /// A name for all parts.
    shown: PathBuf,
    /// Hidden; it never gets a name.
    file: WholeFile,
}

impl Claim {
    pub(super) fn new(path: &Path) -> Result<Claim, FormatError> {
        // No table has this name, so that `merge` may write any meanwhile.
        Ok(Claim { shown: numbered(path, "*"), file: WholeFile::create(numbered(path, "parts"))? })
    }

    /// An error if another job has begun the same output since: it has removed parts of this one.
    pub(super) fn check_own(&self) -> Result<(), FormatError> {
        self.file.check_own().map_err(|error| match error {
            FormatError::Io { action, source, .. } => FormatError::io(action, &self.shown)(source),
            other => other,
        })
    }
}

impl Sinks<'_> {
    /// Whether a table that is written as parts, or into a pipe, has rows that nobody can read.
    pub(crate) fn has_rows(&self) -> bool {
        let waits = |table: &TableFile| table.parts.is_some() && table.writer.rows() > 0;
        self.open.iter().any(|sink| match &sink.body {
            Some(Body::Tables { tables, .. }) => tables.values().any(waits),
            Some(Body::Pipe(pipe)) => pipe.has_rows(),
            _ => false,
        })
    }

    /// Closes the part in hand of each table that has rows, and goes on with the next; what waits for a pipe
    /// goes there. `of`: what the
    /// outputs of a run, and those of all runs, are made of so far.
    pub(crate) fn rotate(&mut self, of: &[Origin; 2]) -> Result<(), Error> {
        for sink in &mut self.open {
            if let Some(Body::Pipe(pipe)) = &mut sink.body {
                pipe.flush()?;
            }
            let Some(Body::Tables { tables, claim: Some(claim), .. }) = &mut sink.body else { continue };
            claim.check_own().map_err(Error::Output)?;
            let metadata = of[usize::from(!has_run(&sink.output.pattern))].metadata();
            for table in tables.values_mut() {
                table.rotate(&metadata, claim).map_err(Error::Output)?;
            }
        }
        Ok(())
    }

    /// Whether an output of tables has histograms beside it; of a run, and of all runs.
    pub(crate) fn with_histograms(&self) -> [bool; 2] {
        let tables = self.open.iter().filter(|sink| matches!(sink.body, Some(Body::Tables { .. })));
        let mut with = [false; 2];
        for sink in tables.filter(|sink| !sink.companions.is_empty()) {
            with[usize::from(!has_run(&sink.output.pattern))] = true;
        }
        with
    }

    /// Writes the histograms so far beside the tables, in place of those before.
    pub(crate) fn show(&self, of: &[Origin; 2], histograms: &[Histograms; 2]) -> Result<(), Error> {
        let mut done: Vec<&Path> = Vec::new();
        for sink in self.open.iter().filter(|sink| matches!(sink.body, Some(Body::Tables { .. }))) {
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
