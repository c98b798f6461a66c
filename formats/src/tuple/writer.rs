//! The file of a table.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, SchemaRef};

use super::adapt::adapt;
use super::part::{self, Sink, TempFile};
use super::pending::{Pending, join_arrays};
use super::schema::{Piece, TableSchema};
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
    schema: TableSchema,
    pending: Pending,
    chunk: Size,
    group: Size,
    rows: u64,
    /// The chunks so far, so that a rewritten file gets the same.
    chunks: Vec<Chunk>,
    /// Complete parts with the columns known at their time.
    parts: Vec<TempFile>,
    part: Option<Part>,
    /// Made by `create` to see early whether it can be; the first part goes there.
    first: Option<(TempFile, fs::File)>,
}

struct Part {
    temp: TempFile,
    sink: Sink,
    schema: SchemaRef,
}

#[derive(Clone, Copy, Default)]
struct Size {
    rows: u64,
    bytes: u64,
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
            schema: TableSchema::new(def, kind),
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

    /// Adds the rows of a batch behind those before. Gives the values that became null although
    /// the events hold them, by row; their events are damaged.
    ///
    /// # Errors
    /// [`Error::Table`] if the file cannot be written.
    pub fn write(&mut self, batch: Batch) -> Result<Vec<Refused>> {
        let weights = batch.weights.clone();
        let (piece, refused) = self.schema.accept(batch);
        let piece = Arc::new(piece);
        let mut start = 0;
        for (row, weight) in weights.iter().enumerate() {
            self.chunk.rows += 1;
            self.chunk.bytes += u64::from(*weight);
            if self.chunk.rows >= CHUNK_ROWS as u64 || self.chunk.bytes >= CHUNK_BYTES {
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
        let grown = self.part.as_ref().is_some_and(|part| part.schema != *self.schema.arrow());
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
        let schema = Arc::clone(self.schema.arrow());
        if self.part.as_ref().is_some_and(|part| part.schema != schema) {
            self.end_part()?;
        }
        self.group.rows += self.chunk.rows;
        self.group.bytes += self.chunk.bytes;
        let ends_group = self.group.rows >= GROUP_ROWS || self.group.bytes >= GROUP_BYTES;
        self.chunks.push(Chunk { rows: self.chunk.rows as u32, ends_group });

        let mut part = self.open_part()?;
        let arrays = self.pending.take(&schema).map_err(table(&self.path))?;
        write_chunk(&mut part.sink, &schema, arrays, ends_group).map_err(table(&self.path))?;
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
        let schema = Arc::clone(self.schema.arrow());
        let sink = Sink::new(self.kind, file, &schema).map_err(table(&self.path))?;
        Ok(Part { temp, sink, schema })
    }

    fn end_part(&mut self) -> Result<()> {
        if let Some(Part { temp, sink, .. }) = self.part.take() {
            sink.finish(&[]).map_err(table(&self.path))?;
            self.parts.push(temp);
        }
        Ok(())
    }

    /// Copies all parts into one file of the final columns.
    fn rewrite(&mut self, metadata: &[(String, String)]) -> Result<(TempFile, fs::File)> {
        let (temp, file) =
            TempFile::beside(&self.path, ".whole.part").map_err(Error::io("create", &self.path))?;
        let parts = std::mem::take(&mut self.parts);
        let copy = || {
            let schema = self.schema.arrow();
            let mut sink = Sink::new(self.kind, file, schema)?;
            let mut chunks = self.chunks.iter();
            // A part holds whole chunks, so no chunk waits at its end.
            for part in parts {
                let mut batches = part::read(self.kind, part.path())?;
                let mut held: Vec<RecordBatch> = Vec::new();
                loop {
                    let have: usize = held.iter().map(RecordBatch::num_rows).sum();
                    match chunks.as_slice().first() {
                        Some(chunk) if have >= chunk.rows as usize => {
                            chunks.next();
                            let arrays = split(&mut held, chunk.rows as usize, schema)?;
                            write_chunk(&mut sink, schema, arrays, chunk.ends_group)?;
                        }
                        _ => match batches.next() {
                            Some(batch) => held.push(batch?),
                            None => break,
                        },
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

fn table(path: &Path) -> impl Fn(ArrowError) -> Error {
    let path = path.to_owned();
    move |error| Error::Table { path: path.clone(), reason: reason(&error) }
}

/// What the system says if it is at fault ("No space left on device"), without the layers around it.
fn reason(error: &ArrowError) -> String {
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

fn write_chunk(
    sink: &mut Sink,
    schema: &SchemaRef,
    arrays: Vec<ArrayRef>,
    ends_group: bool,
) -> Result<(), ArrowError> {
    sink.write(&RecordBatch::try_new(Arc::clone(schema), arrays)?)?;
    if ends_group { sink.end_group() } else { Ok(()) }
}

/// Takes the first `rows` rows from `held`, as arrays of `schema`, whose first columns they have.
fn split(held: &mut Vec<RecordBatch>, rows: usize, schema: &SchemaRef) -> Result<Vec<ArrayRef>, ArrowError> {
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
    let column = |(i, wanted)| {
        let known: Option<Vec<&ArrayRef>> = taken.iter().map(|batch| batch.columns().get(i)).collect();
        match known {
            Some(arrays) => {
                let arrays: Vec<ArrayRef> =
                    arrays.into_iter().map(|a| adapt(a, wanted)).collect::<Result<_, _>>()?;
                join_arrays(&arrays, wanted)
            }
            None => Ok(new_null_array(wanted, rows)),
        }
    };
    schema.fields().iter().map(|field| field.data_type()).enumerate().map(column).collect()
}
