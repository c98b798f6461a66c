//! The file of a table.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_ipc::reader::FileReader;
use arrow_schema::ArrowError;

use super::adapt::adapt;
use super::flat::Leaf;
use super::group::{self, Group, Rows};
use super::pending::{Pending, join_arrays};
use super::schema::{HEAD, Piece, Plan, TableSchema};
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
    pub(super) group_bytes: u64,
    rows: u64,
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
struct Done {
    temp: Hidden,
    plan: Arc<Plan>,
    groups: Vec<Chunks>,
}

/// What was written together, so that a rewritten file gets the same: rows of each chunk, and bytes.
struct Chunks {
    rows: Vec<usize>,
    bytes: u64,
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
            group_bytes: group_bytes(def),
            rows: 0,
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
        TableWriter { schema, group_bytes: MOST_GROUP_BYTES, ..self }
    }

    /// The same, with its rows encoded by `pool`. To be called before the first row.
    #[must_use]
    pub fn with_pool(self, pool: Pool) -> TableWriter {
        TableWriter { pool: Some(pool), ..self }
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
            if self.chunk.add(row.weight, CHUNK_ROWS, CHUNK_BYTES) {
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
        sound(&self.path, self.failed.as_deref())?;
        if self.chunk.rows > 0 {
            self.end_chunk()?;
        }
        self.end_group()?;
        if self.is_outgrown() {
            self.end_part()?;
        }
        let (temp, file) = if self.parts.is_empty() {
            let Part { temp, sink, .. } = self.open_part()?;
            (temp, sink.finish(metadata).map_err(table(&self.path))?)
        } else {
            self.end_part()?;
            self.rewrite(metadata)?
        };
        file.sync_all().map_err(Error::io("write", &self.path))?;
        let bytes = file.metadata().map_err(Error::io("read", &self.path))?.len();
        Ok(SettledTable { temp, summary: TableSummary { path: self.path, rows: self.rows, bytes } })
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
            TableKind::Parquet => self.group.rows >= GROUP_ROWS || self.group.bytes >= self.group_bytes,
            // Its chunks are as large as groups of rows should be.
            TableKind::Arrow => true,
        };
        if ends_group { self.end_group() } else { Ok(()) }
    }

    /// Writes the chunks that wait.
    fn end_group(&mut self) -> Result<()> {
        if self.chunks.is_empty() {
            return Ok(());
        }
        if self.is_outgrown() {
            self.end_part()?;
        }
        let chunks = std::mem::take(&mut self.chunks);
        let Size { bytes, .. } = std::mem::take(&mut self.group);
        let mut part = self.open_part()?;
        part.groups.push(Chunks { rows: chunks.iter().map(Pending::rows).collect(), bytes });
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
                    TableKind::Parquet => copy_groups(part, plan, &mut sink)?,
                    TableKind::Arrow => copy_batches(&part, plan, &mut sink)?,
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

/// Copies the row groups of a part as columns of `plan`.
fn copy_groups(part: Done, plan: &Arc<Plan>, sink: &mut Sink) -> std::result::Result<(), ArrowError> {
    let Done { temp, plan: known, groups } = part;
    let part = Arc::new(group::Part::open(temp, places(&known, plan))?);
    for (group, Chunks { rows, bytes }) in groups.into_iter().enumerate() {
        let rows = Rows::Part { part: Arc::clone(&part), group, chunks: rows };
        sink.write(Group { plan: Arc::clone(plan), rows }, bytes)?;
    }
    Ok(())
}

/// Copies the record batches of a part, as many rows at a time as `plan` says.
fn copy_batches(part: &Done, plan: &Arc<Plan>, sink: &mut Sink) -> std::result::Result<(), ArrowError> {
    let mut batches = FileReader::try_new_buffered(part.temp.open()?, None)?;
    let places = places(&part.plan, plan);
    let mut held: Vec<RecordBatch> = Vec::new();
    for &chunk in part.groups.iter().flat_map(|group| &group.rows) {
        let mut left = chunk;
        while left > 0 {
            let rows = left.min(plan.rows());
            while held.iter().map(RecordBatch::num_rows).sum::<usize>() < rows {
                held.push(batches.next().ok_or_else(group::short)??);
            }
            let batch =
                RecordBatch::try_new(Arc::clone(&plan.schema), split(&mut held, rows, &places, plan)?)?;
            let bytes = batch.get_array_memory_size() as u64;
            sink.write(Group { plan: Arc::clone(plan), rows: Rows::Batches(vec![batch]) }, bytes)?;
            left -= rows;
        }
    }
    Ok(())
}

/// For each column of `whole`, its place in `part`, if it is there.
fn places(part: &Plan, whole: &Plan) -> Vec<Option<usize>> {
    let columns = part.schema.fields().len();
    match (&part.leaves, &whole.leaves) {
        (Some(known), Some(leaves)) => {
            let known: HashMap<&Leaf, usize> = known.iter().zip(HEAD.len()..).collect();
            let head = (0..HEAD.len()).map(Some);
            head.chain(leaves.iter().map(|leaf| known.get(leaf).copied())).collect()
        }
        // In list form, columns come behind those that are known.
        _ => (0..whole.schema.fields().len()).map(|i| (i < columns).then_some(i)).collect(),
    }
}

/// Takes the first `rows` rows from `held` as the columns of `plan`, which are at `places` there.
fn split(
    held: &mut Vec<RecordBatch>,
    rows: usize,
    places: &[Option<usize>],
    plan: &Plan,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let mut taken = Vec::new();
    let mut left = rows;
    while left > 0 && !held.is_empty() {
        let batch = &mut held[0];
        let n = left.min(batch.num_rows());
        taken.push(batch.slice(0, n));
        *batch = batch.slice(n, batch.num_rows() - n);
        if batch.num_rows() == 0 {
            held.remove(0);
        }
        left -= n;
    }
    let column = |(place, wanted): (&Option<usize>, _)| match *place {
        Some(i) => {
            let arrays: Vec<ArrayRef> =
                taken.iter().map(|batch| adapt(batch.column(i), wanted)).collect::<Result<_, _>>()?;
            join_arrays(&arrays, wanted)
        }
        None => Ok(new_null_array(wanted, rows)),
    };
    places.iter().zip(plan.schema.fields().iter().map(|field| field.data_type())).map(column).collect()
}
