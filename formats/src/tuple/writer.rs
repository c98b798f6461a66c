//! The file of a table.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::ArrowError;

use super::adapt::adapt;
use super::flat::Leaf;
use super::part::{self, Sink, TempFile};
use super::pending::{Pending, join_arrays};
use super::schema::{HEAD, Piece, Plan, TableSchema};
use super::{Batch, Refused, TableDef, TableKind};
use crate::{Error, Result};

/// A chunk ends with this row, and is a record batch of an `.arrow` file ...
pub(super) const CHUNK_ROWS: usize = 1 << 14;
/// ... or with the row that reaches so many bytes of events.
pub(super) const CHUNK_BYTES: u64 = 4 << 20;
/// A Parquet row group ends with the chunk that reaches so many rows ...
const GROUP_ROWS: u64 = 1 << 17;
/// ... or so many bytes.
const GROUP_BYTES: u64 = 64 << 20;

/// Writes one table to one file.
///
/// The rows go to hidden files beside the final one, which appears when it is complete. Dropped
/// without [`finish`](TableWriter::finish), nothing remains.
///
/// Memory is bounded by some 64 MB of rows and one event, whatever the table.
pub struct TableWriter {
    path: PathBuf,
    kind: TableKind,
    def: Arc<TableDef>,
    schema: TableSchema,
    pending: Pending,
    chunk: Size,
    group: Size,
    rows: u64,
    /// The chunks so far, so that a rewritten file gets the same.
    chunks: Vec<Chunk>,
    /// Complete parts with the columns known at their time.
    parts: Vec<Done>,
    part: Option<Part>,
    /// Made by `create` to see early whether it can be; the first part goes there.
    first: Option<(TempFile, fs::File)>,
}

struct Part {
    temp: TempFile,
    sink: Sink,
    plan: Arc<Plan>,
    chunks: usize,
}

/// A complete part.
struct Done {
    temp: TempFile,
    plan: Arc<Plan>,
    chunks: usize,
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

/// Rows of a chunk, and whether it is the last of a row group.
#[derive(Clone, Copy)]
struct Chunk {
    rows: u32,
    ends_group: bool,
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
    temp: TempFile,
    summary: TableSummary,
}

impl SettledTable {
    pub(super) fn new(temp: TempFile, summary: TableSummary) -> SettledTable {
        SettledTable { temp, summary }
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be named.
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
        let first = TempFile::beside(path, ".part").map_err(Error::io("create", path))?;
        Ok(TableWriter {
            path: path.to_owned(),
            kind,
            def: Arc::clone(def),
            schema: TableSchema::new(def, kind, false),
            pending: Pending::default(),
            chunk: Size::default(),
            group: Size::default(),
            rows: 0,
            chunks: Vec::new(),
            parts: Vec::new(),
            part: None,
            first: Some(first),
        })
    }

    /// The same, as a flat table: each element of a bank has a plain column of its own. To be called
    /// before the first row.
    #[must_use]
    pub fn flat(self) -> TableWriter {
        TableWriter { schema: TableSchema::new(&self.def, self.kind, true), ..self }
    }

    /// Adds the rows of a batch behind those before. Gives the values that became null although
    /// the events hold them, by row; their events are damaged.
    ///
    /// # Errors
    /// [`Error::Table`] if the file cannot be written.
    pub fn write(&mut self, batch: Batch) -> Result<Vec<Refused>> {
        let weights = batch.weights.clone();
        let (piece, refused) = self.schema.accept(batch).map_err(table(&self.path))?;
        let piece = Arc::new(piece);
        let mut start = 0;
        for (row, weight) in weights.iter().enumerate() {
            if self.chunk.add(*weight, CHUNK_ROWS, CHUNK_BYTES) {
                self.wait(&piece, start, row + 1)?;
                self.end_chunk()?;
                start = row + 1;
            }
        }
        self.wait(&piece, start, weights.len())?;
        self.rows += weights.len() as u64;
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
    /// [`Error::Table`] if the file cannot be written. Nothing remains then.
    pub fn settle(mut self, metadata: &[(String, String)]) -> Result<SettledTable> {
        if self.chunk.rows > 0 {
            self.end_chunk()?;
        }
        let grown = self.part.as_ref().is_some_and(|part| part.plan != *self.schema.plan());
        if grown {
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
        self.pending.push(piece, start, end, self.schema.arrow()).map_err(table(&self.path))
    }

    /// Writes what waits.
    fn end_chunk(&mut self) -> Result<()> {
        if self.part.as_ref().is_some_and(|part| part.plan != *self.schema.plan()) {
            self.end_part()?;
        }
        self.group.rows += self.chunk.rows;
        self.group.bytes += self.chunk.bytes;
        let ends_group = self.group.rows >= GROUP_ROWS || self.group.bytes >= GROUP_BYTES;
        self.chunks.push(Chunk { rows: self.chunk.rows as u32, ends_group });

        let mut part = self.open_part()?;
        let arrays = self.pending.take(self.schema.arrow()).map_err(table(&self.path))?;
        write_chunk(&mut part.sink, &part.plan, arrays, ends_group).map_err(table(&self.path))?;
        part.chunks += 1;
        self.part = Some(part);
        self.chunk = Size::default();
        if ends_group {
            self.group = Size::default();
        }
        Ok(())
    }

    /// Takes the part that is written to, or begins one.
    fn open_part(&mut self) -> Result<Part> {
        if let Some(part) = self.part.take() {
            return Ok(part);
        }
        let (temp, file) = match self.first.take() {
            Some(first) => first,
            None => TempFile::beside(&self.path, &format!(".part{}", self.parts.len()))
                .map_err(Error::io("create", &self.path))?,
        };
        let plan = Arc::clone(self.schema.plan());
        let sink = Sink::new(self.kind, file, &plan.schema).map_err(table(&self.path))?;
        Ok(Part { temp, sink, plan, chunks: 0 })
    }

    fn end_part(&mut self) -> Result<()> {
        if let Some(Part { temp, sink, plan, chunks }) = self.part.take() {
            sink.finish(&[]).map_err(table(&self.path))?;
            self.parts.push(Done { temp, plan, chunks });
        }
        Ok(())
    }

    /// Copies all parts into one file of the final columns.
    fn rewrite(&mut self, metadata: &[(String, String)]) -> Result<(TempFile, fs::File)> {
        let (temp, file) =
            TempFile::beside(&self.path, ".whole.part").map_err(Error::io("create", &self.path))?;
        let parts = std::mem::take(&mut self.parts);
        let copy = || {
            let plan = self.schema.plan();
            let mut sink = Sink::new(self.kind, file, &plan.schema)?;
            let mut chunks = self.chunks.iter();
            for part in parts {
                let mut batches = part::read(self.kind, part.temp.path(), part.plan.rows())?;
                let places = places(&part.plan, plan);
                let mut held: Vec<RecordBatch> = Vec::new();
                for chunk in chunks.by_ref().take(part.chunks) {
                    let mut left = chunk.rows as usize;
                    while left > 0 {
                        let rows = left.min(plan.rows());
                        while held.iter().map(RecordBatch::num_rows).sum::<usize>() < rows {
                            let short = || {
                                ArrowError::IoError(
                                    "a part is too short".into(),
                                    ErrorKind::UnexpectedEof.into(),
                                )
                            };
                            held.push(batches.next().ok_or_else(short)??);
                        }
                        let arrays = split(&mut held, rows, &places, plan)?;
                        sink.write(&RecordBatch::try_new(Arc::clone(&plan.schema), arrays)?)?;
                        left -= rows;
                    }
                    if chunk.ends_group {
                        sink.end_group()?;
                    }
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

/// Writes a chunk, in list form, as `plan` says.
fn write_chunk(
    sink: &mut Sink,
    plan: &Plan,
    arrays: Vec<ArrayRef>,
    ends_group: bool,
) -> Result<(), ArrowError> {
    for batch in plan.batches(arrays) {
        sink.write(&batch?)?;
    }
    if ends_group { sink.end_group() } else { Ok(()) }
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
