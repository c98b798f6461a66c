//! The file of a table.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::ArrowError;

use super::copy;
use super::group::{Group, Rows};
use super::part::{self, Turn};
use super::pending::Pending;
use super::schema::{Piece, Plan, TableSchema};
use super::sink::Sink;
use super::{Batch, Refused, TableDef, TableKind};
use crate::whole::hidden::Hidden;
use crate::{Error, Pool, Result};

/// A chunk ends with this row, and is a record batch of an `.arrow` file ...
pub(super) const CHUNK_ROWS: usize = 1 << 14;
/// ... or with the row that reaches so many bytes of events.
pub(super) const CHUNK_BYTES: u64 = 4 << 20;
/// A Parquet row group ends with the chunk that reaches so many rows ...
const GROUP_ROWS: u64 = 1 << 17;
/// ... or so many bytes; ...
const GROUP_BYTES: u64 = 16 << 20;
/// ... but if more columns are declared, so many for each: a file of many small pieces has a
/// directory that is larger than they are.
const COLUMN_BYTES: u64 = 256 << 10;
/// All the same, rows wait in memory.
const MOST_GROUP_BYTES: u64 = 64 << 20;

/// Writes one table to one file.
///
/// The rows go to hidden files beside the final one, which appears when it is complete. Dropped
/// without [`finish`](TableWriter::finish), nothing remains.
///
/// Memory is bounded by a row group of 16 MB (64 MB where hundreds of banks are declared), and another
/// for each thread of a [pool](TableWriter::with_pool), up to four, and one event, whatever the table.
pub struct TableWriter {
    path: PathBuf,
    kind: TableKind,
    def: Arc<TableDef>,
    schema: TableSchema,
    pool: Option<Pool>,
    /// Rows of the chunk in hand ...
    pending: Pending,
    chunk: Size,
    /// ... behind whole chunks of the row group in hand.
    chunks: Vec<Pending>,
    group: Size,
    pub(super) ends: Ends,
    rows: u64,
    /// Which of the files of the table this is, if there are several.
    turn: Option<Turn>,
    /// Complete parts with the columns known at their time.
    parts: Vec<Done>,
    part: Option<Part>,
    /// Made by `create` to see early whether it can be; the first part goes there.
    first: Option<Hidden>,
    /// Why rows are lost: a file without them must not get the name.
    failed: Option<String>,
}

struct Part {
    temp: Hidden,
    sink: Sink,
    plan: Arc<Plan>,
    groups: Vec<Chunks>,
}

/// A complete part.
pub(super) struct Done {
    pub(super) temp: Hidden,
    pub(super) plan: Arc<Plan>,
    pub(super) groups: Vec<Chunks>,
}

/// What was written together, so that a rewritten file gets the same: rows of each chunk, and bytes.
pub(super) struct Chunks {
    pub(super) rows: Vec<usize>,
    pub(super) bytes: u64,
}

/// Where chunks and row groups end.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) chunk_rows: usize,
    pub(super) chunk_bytes: u64,
    pub(super) group_rows: u64,
    pub(super) group_bytes: u64,
}

impl Ends {
    pub(super) fn new(group_bytes: u64) -> Ends {
        Ends { chunk_rows: CHUNK_ROWS, chunk_bytes: CHUNK_BYTES, group_rows: GROUP_ROWS, group_bytes }
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Size {
    /// Adds a row; whether it is the last of a stretch of so many rows or bytes.
    pub(super) fn add(&mut self, weight: u32, rows: usize, bytes: u64) -> bool {
        self.rows += 1;
        self.bytes += u64::from(weight);
        self.rows >= rows as u64 || self.bytes >= bytes
    }
}

/// What became of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSummary {
    /// The file.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A table that is whole, but has no name yet; dropped, nothing remains.
pub struct SettledTable {
    temp: Hidden,
    summary: TableSummary,
}

impl SettledTable {
    pub(super) fn new(temp: Hidden, summary: TableSummary) -> SettledTable {
        SettledTable { temp, summary }
    }

    /// Asks whether the file can still get its name, before others that belong to it get theirs.
    ///
    /// # Errors
    /// [`Error::Io`] if another job has begun the same file since.
    pub fn check_own(&self) -> Result<()> {
        self.temp.check_own().map_err(Error::io("rename", &self.summary.path))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be named, or if another job has begun the same file since.
    pub fn finish(self) -> Result<TableSummary> {
        self.temp.rename(&self.summary.path).map_err(Error::io("rename", &self.summary.path))?;
        Ok(self.summary)
    }
}

impl fmt::Debug for SettledTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettledTable").field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl TableWriter {
    /// A table that will appear as `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be created in that directory.
    pub fn create(path: &Path, kind: TableKind, def: &Arc<TableDef>) -> Result<TableWriter> {
        let first = Hidden::beside(path, ".part").map_err(Error::io("create", path))?;
        Ok(TableWriter {
            path: path.to_owned(),
            kind,
            def: Arc::clone(def),
            schema: TableSchema::new(def, kind, false),
            pool: None,
            pending: Pending::default(),
            chunk: Size::default(),
            chunks: Vec::new(),
            group: Size::default(),
            ends: Ends::new(group_bytes(def)),
            rows: 0,
            turn: None,
            parts: Vec::new(),
            part: None,
            first: Some(first),
            failed: None,
        })
    }

    /// The same, as a flat table: each element of a bank has a plain column of its own. To be called
    /// before the first row.
    #[must_use]
    pub fn flat(self) -> TableWriter {
        let schema = TableSchema::new(&self.def, self.kind, true);
        TableWriter { schema, ends: Ends::new(MOST_GROUP_BYTES), ..self }
    }

    /// The same, with its rows encoded by `pool`. To be called before the first row.
    #[must_use]
    pub fn with_pool(self, pool: Pool) -> TableWriter {
        TableWriter { pool: Some(pool), ..self }
    }

    /// The same, as the first of several files, which [`TableParts`](super::TableParts) can join to one
    /// of the name `whole`. To be called before the first row.
    #[must_use]
    pub fn in_parts(self, whole: &str) -> TableWriter {
        TableWriter { turn: Some(Turn::first(whole)), ..self }
    }

    /// Number of rows in the file in hand.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds the rows of a batch behind those before. Gives the values that became null although
    /// the events hold them, by row; their events are damaged.
    ///
    /// # Errors
    /// [`Error::Table`] if the file cannot be written. All that follows gives that error again.
    pub fn write(&mut self, batch: Batch) -> Result<Vec<Refused>> {
        sound(&self.path, self.failed.as_deref())?;
        let written = self.take(batch);
        if let Err(error) = &written {
            self.failed = Some(why(error));
        }
        written
    }

    fn take(&mut self, batch: Batch) -> Result<Vec<Refused>> {
        let (piece, refused) = self.schema.accept(batch).map_err(table(&self.path))?;
        let piece = Arc::new(piece);
        let mut start = 0;
        for (i, row) in piece.head.iter().enumerate() {
            if self.chunk.add(row.weight, self.ends.chunk_rows, self.ends.chunk_bytes) {
                self.wait(&piece, start, i + 1)?;
                self.end_chunk()?;
                start = i + 1;
            }
        }
        self.wait(&piece, start, piece.head.len())?;
        self.rows += piece.head.len() as u64;
        Ok(refused)
    }

    /// Completes the file with `metadata` (key, value) and gives it its name.
    ///
    /// # Errors
    /// [`Error::Table`] if the file cannot be written, [`Error::Io`] if it cannot be named. Nothing
    /// remains then.
    pub fn finish(self, metadata: &[(String, String)]) -> Result<TableSummary> {
        self.settle(metadata)?.finish()
    }

    /// Completes the file with `metadata` (key, value) and brings it to the disk, without its name:
    /// so that several appear together or not at all.
    ///
    /// # Errors
    /// [`Error::Table`] if the file cannot be written, or could not before. Nothing remains then.
    pub fn settle(mut self, metadata: &[(String, String)]) -> Result<SettledTable> {
        self.close(metadata, true)
    }

    /// Settles the file in hand, which may be opened as soon as it has its name, and goes on in another,
    /// `path`. All that was known of the table is known there: columns, types, and where chunks end.
    ///
    /// # Errors
    /// Those of [`create`](TableWriter::create) and [`settle`](TableWriter::settle). All that follows
    /// gives that error again.
    pub fn next(&mut self, path: &Path, metadata: &[(String, String)]) -> Result<SettledTable> {
        let whole = path.file_name().unwrap_or_default().to_string_lossy();
        // Whoever asks for a second file has one of several.
        self.turn.get_or_insert_with(|| Turn::first(&whole));
        let next = Hidden::beside(path, ".part").map_err(Error::io("create", path));
        let closed = next.and_then(|next| Ok((next, self.close(metadata, false)?)));
        match closed {
            Ok((next, settled)) => {
                self.turn.iter_mut().for_each(|turn| turn.next(self.rows));
                self.first = Some(next);
                self.path = path.to_owned();
                self.rows = 0;
                Ok(settled)
            }
            Err(error) => {
                self.failed.get_or_insert_with(|| why(&error));
                Err(error)
            }
        }
    }

    /// Completes the file in hand. The chunk and the group in hand may go on in the next.
    fn close(&mut self, metadata: &[(String, String)], last: bool) -> Result<SettledTable> {
        sound(&self.path, self.failed.as_deref())?;
        if self.pending.rows() > 0 {
            self.chunks.push(std::mem::take(&mut self.pending));
        }
        self.write_group()?;
        if self.is_outgrown() {
            self.end_part()?;
        }
        let mut metadata = metadata.to_vec();
        if let Some(turn) = &self.turn {
            let open =
                part::Open { chunk: self.chunk.rows > 0, group: self.group.rows + self.chunk.rows > 0 };
            let text = turn.to_json(&self.def.name, self.rows, self.schema.plan(), open, last);
            metadata.push((part::KEY.to_owned(), text));
        }
        let (temp, file) = if self.parts.is_empty() {
            let Part { temp, sink, .. } = self.open_part()?;
            (temp, sink.finish(&metadata).map_err(table(&self.path))?)
        } else {
            self.end_part()?;
            self.rewrite(&metadata)?
        };
        file.sync_all().map_err(Error::io("write", &self.path))?;
        let bytes = file.metadata().map_err(Error::io("read", &self.path))?.len();
        Ok(SettledTable { temp, summary: TableSummary { path: self.path.clone(), rows: self.rows, bytes } })
    }

    fn wait(&mut self, piece: &Arc<Piece>, start: usize, end: usize) -> Result<()> {
        self.pending.push(piece, start, end, &self.schema.plan().list).map_err(table(&self.path))
    }

    /// The rows that wait are a chunk.
    fn end_chunk(&mut self) -> Result<()> {
        self.chunks.push(std::mem::take(&mut self.pending));
        let chunk = std::mem::take(&mut self.chunk);
        self.group.rows += chunk.rows;
        self.group.bytes += chunk.bytes;
        let ends_group = match self.kind {
            TableKind::Parquet => {
                self.group.rows >= self.ends.group_rows || self.group.bytes >= self.ends.group_bytes
            }
            // Its chunks are as large as groups of rows should be.
            TableKind::Arrow => true,
        };
        if ends_group { self.end_group() } else { Ok(()) }
    }

    fn end_group(&mut self) -> Result<()> {
        self.write_group()?;
        self.group = Size::default();
        Ok(())
    }

    /// Writes the chunks that wait.
    fn write_group(&mut self) -> Result<()> {
        if self.chunks.is_empty() {
            return Ok(());
        }
        if self.is_outgrown() {
            self.end_part()?;
        }
        let chunks = std::mem::take(&mut self.chunks);
        let bytes = self.group.bytes + self.chunk.bytes;
        let mut part = self.open_part()?;
        let rows: Vec<usize> = chunks.iter().map(Pending::rows).collect();
        self.turn.iter_mut().for_each(|turn| turn.wrote(&rows));
        part.groups.push(Chunks { rows, bytes });
        let group = Group { plan: Arc::clone(&part.plan), rows: Rows::Pending(chunks) };
        part.sink.write(group, bytes).map_err(table(&self.path))?;
        self.part = Some(part);
        Ok(())
    }

    /// Whether columns have come or changed since the part in hand was begun.
    fn is_outgrown(&self) -> bool {
        let plan = self.schema.plan();
        self.part.as_ref().is_some_and(|part| !Arc::ptr_eq(&part.plan, plan) && part.plan != *plan)
    }

    /// Takes the part that is written to, or begins one.
    fn open_part(&mut self) -> Result<Part> {
        if let Some(part) = self.part.take() {
            return Ok(part);
        }
        let temp = match self.first.take() {
            Some(first) => first,
            None => {
                self.check_own()?;
                let suffix = format!(".part{}", self.parts.len());
                Hidden::beside(&self.path, &suffix).map_err(Error::io("create", &self.path))?
            }
        };
        let plan = Arc::clone(self.schema.plan());
        let sink =
            Sink::new(self.kind, temp.file(), &plan.schema, self.pool.clone()).map_err(table(&self.path))?;
        Ok(Part { temp, sink, plan, groups: Vec::new() })
    }

    fn end_part(&mut self) -> Result<()> {
        if let Some(Part { temp, sink, plan, groups }) = self.part.take() {
            sink.finish(&[]).map_err(table(&self.path))?;
            self.parts.push(Done { temp, plan, groups });
        }
        Ok(())
    }

    /// An error if another job has begun the same file since: it would take, and lose, each further
    /// hidden file.
    fn check_own(&self) -> Result<()> {
        let check = |part: &Done| part.temp.check_own();
        self.parts.iter().try_for_each(check).map_err(Error::io("rename", &self.path))
    }

    /// Copies all parts into one file of the final columns.
    fn rewrite(&mut self, metadata: &[(String, String)]) -> Result<(Hidden, Arc<fs::File>)> {
        self.check_own()?;
        let temp = Hidden::beside(&self.path, ".whole.part").map_err(Error::io("create", &self.path))?;
        let parts = std::mem::take(&mut self.parts);
        let copy = || {
            let plan = self.schema.plan();
            let mut sink = Sink::new(self.kind, temp.file(), &plan.schema, self.pool.clone())?;
            for part in parts {
                match self.kind {
                    TableKind::Parquet => copy::groups(part, plan, &mut sink)?,
                    TableKind::Arrow => copy::batches_of(&part, plan, &mut sink)?,
                }
            }
            sink.finish(metadata)
        };
        let file = copy().map_err(table(&self.path))?;
        Ok((temp, file))
    }
}

impl fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableWriter")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

pub(super) fn table(path: &Path) -> impl Fn(ArrowError) -> Error {
    let path = path.to_owned();
    move |error| Error::Table { path: path.clone(), reason: reason(&error) }
}

/// The error of a table that has failed before.
pub(super) fn sound(path: &Path, failed: Option<&str>) -> Result<()> {
    failed.map_or(Ok(()), |reason| Err(Error::Table { path: path.to_owned(), reason: reason.to_owned() }))
}

/// What is kept of an error, to be said again.
pub(super) fn why(error: &Error) -> String {
    match error {
        Error::Table { reason, .. } => reason.clone(),
        Error::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// What the system says if it is at fault ("No space left on device"), without the layers around it.
pub(super) fn reason(error: &ArrowError) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(system) = error.downcast_ref::<std::io::Error>() {
            return system.to_string();
        }
        cause = error.source();
    }
    // Parquet hands the system's error on as text only.
    let text = error.to_string();
    text.strip_prefix("Parquet argument error: External: ").unwrap_or(&text).to_owned()
}

/// Bytes of a row group. They follow from what is known before the first event.
fn group_bytes(def: &TableDef) -> u64 {
    let members = def.fixed.as_ref().map_or(0, |layout| layout.fields().len());
    let columns = (def.banks.len() + members) as u64;
    (columns * COLUMN_BYTES).clamp(GROUP_BYTES, MOST_GROUP_BYTES)
}
