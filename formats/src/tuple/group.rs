//! Rows that are written together, and how they become columns of a file.
//!
//! What is here is done by any thread: columns of a row group do not depend on one another, nor row
//! groups on one another.

use std::fs::File;
use std::io;
use std::iter;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, DataType, FieldRef, Schema};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::arrow::{ArrowSchemaConverter, ProjectionMask};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;

use super::adapt::adapt;
use super::pending::{Pending, join_arrays};
use super::schema::{HEAD, Plan};
use super::writer::{CHUNK_ROWS, reason};
use crate::whole::hidden::Hidden;

/// Rows that are written together: in Parquet a row group, in Arrow a chunk of it.
pub(super) struct Group {
    pub(super) plan: Arc<Plan>,
    pub(super) rows: Rows,
}

/// Where the rows of a group are. They are encoded in chunks, wherever they are: a page ends where a
/// chunk does.
pub(super) enum Rows {
    /// In list form, as workers have made them.
    Pending(Vec<Pending>),
    /// In columns of the file.
    Batches(Vec<RecordBatch>),
    /// In row groups of Parquet files, one behind the other, with columns as they were known then: a
    /// group of these chunks.
    Parts { parts: Vec<(Arc<Part>, usize)>, chunks: Vec<usize> },
}

/// A complete Parquet file of fewer columns.
pub(super) struct Part {
    from: From,
    metadata: ArrowReaderMetadata,
    /// For each column of the new file its place here, if it is here.
    places: Vec<Option<usize>>,
}

/// A file to be read.
pub(super) enum From {
    Hidden(Hidden),
    /// One that has its name. It is opened when it is read: there may be many.
    Named(PathBuf),
}

impl From {
    pub(super) fn open(&self) -> io::Result<File> {
        match self {
            From::Hidden(temp) => temp.open(),
            From::Named(path) => File::open(path),
        }
    }

    /// The error, with the file that it is of, if that has a name.
    pub(super) fn error(&self, error: ArrowError) -> ArrowError {
        match self {
            From::Hidden(_) => error,
            From::Named(path) => {
                let name = path.display();
                ArrowError::ParquetError(format!("cannot read {name}: {}", reason(&error)))
            }
        }
    }
}

impl Part {
    pub(super) fn open(from: From, places: Vec<Option<usize>>) -> Result<Part, ArrowError> {
        let metadata = ArrowReaderMetadata::load(&from.open()?, ArrowReaderOptions::default())?;
        Ok(Part { from, metadata, places })
    }

    /// How many row groups it has.
    pub(super) fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// Rows of a row group, and bytes.
    pub(super) fn size(&self, group: usize) -> Result<(usize, u64), ArrowError> {
        let group = self.metadata.metadata().row_groups().get(group).ok_or_else(short)?;
        let rows = usize::try_from(group.num_rows()).map_err(|_| short())?;
        Ok((rows, u64::try_from(group.total_byte_size()).unwrap_or(0)))
    }
}

impl Group {
    /// Encodes some columns as those of a row group.
    pub(super) fn encode(
        &self,
        columns: Range<usize>,
        properties: &WriterPropertiesPtr,
    ) -> Result<Vec<ArrowColumnChunk>, ArrowError> {
        let mut encoded = Vec::new();
        let mut lists = None;
        // One after the other, not side by side: a writer holds some kB, and a page.
        for at in columns {
            let field = &self.plan.schema.fields()[at];
            let mut column = Column { writers: column_writers(field, properties)?, field };
            match &self.rows {
                Rows::Batches(batches) => {
                    batches.iter().try_for_each(|batch| column.write(batch.column(at)))?;
                }
                Rows::Parts { parts, chunks } => copy_column(parts, chunks, at, &mut column)?,
                Rows::Pending(chunks) => match self.plan.leaf(at) {
                    None => {
                        for chunk in chunks {
                            column.write(&chunk.array(at, &self.plan.list)?)?;
                        }
                    }
                    // Plain columns of one bank stand side by side.
                    Some(leaf) => {
                        let from = HEAD.len() + leaf.column();
                        if lists.as_ref().is_none_or(|(known, _)| *known != from) {
                            let arrays = chunks.iter().map(|chunk| chunk.array(from, &self.plan.list));
                            lists = Some((from, arrays.collect::<Result<Vec<_>, _>>()?));
                        }
                        for list in lists.iter().flat_map(|(_, lists)| lists) {
                            column.write(&leaf.values(list)?)?;
                        }
                    }
                },
            }
            for writer in column.writers {
                encoded.push(writer.close()?);
            }
        }
        Ok(encoded)
    }

    /// All rows as record batches.
    pub(super) fn batches(self) -> Result<Vec<RecordBatch>, ArrowError> {
        match self.rows {
            Rows::Batches(batches) => Ok(batches),
            Rows::Pending(chunks) => {
                let mut batches = Vec::new();
                for chunk in chunks {
                    let arrays = chunk.arrays(&self.plan.list)?;
                    drop(chunk);
                    for batch in self.plan.batches(arrays) {
                        batches.push(batch?);
                    }
                }
                Ok(batches)
            }
            Rows::Parts { .. } => Err(ArrowError::InvalidArgumentError("a part is of Parquet".into())),
        }
    }
}

/// A column on its way into a row group.
struct Column<'a> {
    field: &'a FieldRef,
    /// One for each leaf.
    writers: Vec<ArrowColumnWriter>,
}

impl Column<'_> {
    fn write(&mut self, array: &ArrayRef) -> Result<(), ArrowError> {
        let leaves = compute_leaves(self.field, array)?;
        for (writer, leaf) in self.writers.iter_mut().zip(&leaves) {
            writer.write(leaf)?;
        }
        Ok(())
    }
}

/// Writers for the leaves of one column. The library makes those of all columns at once; so this is a
/// file of one column that goes nowhere.
fn column_writers(
    field: &FieldRef,
    properties: &WriterPropertiesPtr,
) -> Result<Vec<ArrowColumnWriter>, ArrowError> {
    let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
    let converter = ArrowSchemaConverter::new().with_coerce_types(properties.coerce_types());
    let root = converter.convert(&schema)?.root_schema_ptr();
    let file = SerializedFileWriter::new(io::sink(), root, Arc::clone(properties))?;
    Ok(ArrowRowGroupWriterFactory::new(&file, schema).create_column_writers(0)?)
}

/// Copies column `at` of the new file.
fn copy_column(
    parts: &[(Arc<Part>, usize)],
    chunks: &[usize],
    at: usize,
    column: &mut Column<'_>,
) -> Result<(), ArrowError> {
    let wanted = column.field.data_type();
    if parts.iter().all(|(part, _)| part.places[at].is_none()) {
        return chunks.iter().try_for_each(|&rows| column.write(&new_null_array(wanted, rows)));
    }
    let mut arrays = parts.iter().flat_map(|(part, group)| part.arrays(*group, at, wanted));
    let mut held: Option<ArrayRef> = None;
    for &rows in chunks {
        let mut parts = Vec::new();
        let mut left = rows;
        while left > 0 {
            let array = match held.take() {
                Some(array) => array,
                None => arrays.next().ok_or_else(short)??,
            };
            let n = left.min(array.len());
            held = (n < array.len()).then(|| array.slice(n, array.len() - n));
            parts.push(adapt(&array.slice(0, n), wanted)?);
            left -= n;
        }
        column.write(&join_arrays(&parts, wanted)?)?;
    }
    Ok(())
}

type Arrays<'a> = Box<dyn Iterator<Item = Result<ArrayRef, ArrowError>> + 'a>;

impl Part {
    /// Column `at` of the new file, some rows at a time.
    fn arrays<'a>(&'a self, group: usize, at: usize, wanted: &'a DataType) -> Arrays<'a> {
        let arrays = || -> Result<Arrays<'a>, ArrowError> {
            Ok(match self.places[at] {
                Some(place) => {
                    let batches = self.reader(group, place)?;
                    Box::new(batches.map(|batch| Ok(Arc::clone(batch?.column(0)))))
                }
                None => {
                    let (rows, _) = self.size(group)?;
                    let pieces = (0..rows).step_by(CHUNK_ROWS).map(move |start| CHUNK_ROWS.min(rows - start));
                    Box::new(pieces.map(move |rows| Ok(new_null_array(wanted, rows))))
                }
            })
        };
        let arrays = arrays().unwrap_or_else(|error| Box::new(iter::once(Err(error))));
        Box::new(arrays.map(|array| array.map_err(|error| self.from.error(error))))
    }

    fn reader(&self, group: usize, column: usize) -> Result<ParquetRecordBatchReader, ArrowError> {
        // Its own file: two that share one share the place where they read.
        let file = self.from.open()?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let only = ProjectionMask::roots(builder.parquet_schema(), [column]);
        let builder = builder.with_projection(only).with_row_groups(vec![group]);
        Ok(builder.with_batch_size(CHUNK_ROWS).build()?)
    }
}

/// A part that has fewer rows than were written to it.
pub(super) fn short() -> ArrowError {
    ArrowError::IoError("a part is too short".into(), io::ErrorKind::UnexpectedEof.into())
}
