//! A plain table, read back.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_schema::{ArrowError, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Plain, PlainColumn, PlainType, data_type};
use crate::tuple::TableKind;
use crate::tuple::writer::reason;
use crate::{Error, Result};

/// Rows of Parquet that are decoded together: few, as a row may be large.
const ROWS: usize = 4;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

/// Reads a plain table, row by row.
pub struct PlainReader {
    path: PathBuf,
    batches: Batches,
    batch: Option<(RecordBatch, usize)>,
    /// Where each column that is wanted stands in a batch.
    places: Vec<usize>,
    columns: Vec<PlainType>,
    metadata: BTreeMap<String, String>,
}

/// A row of a [`PlainReader`].
#[derive(Clone, Debug)]
pub struct PlainRow<'r> {
    reader: &'r PlainReader,
    batch: &'r RecordBatch,
    row: usize,
}

impl PlainReader {
    /// Opens a Parquet or Arrow file, whichever it is, for these columns; it may have more.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened, [`Error::NoTable`] if it is no table, or has other
    /// columns.
    pub fn open(path: &Path, columns: &[PlainColumn]) -> Result<PlainReader> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let mut first = Vec::new();
        file.by_ref().take(8).read_to_end(&mut first).map_err(Error::io("read", path))?;
        file.rewind().map_err(Error::io("read", path))?;
        let unread = |reason| Error::NoTable { path: path.to_owned(), reason };
        let kind =
            TableKind::of_bytes(&first).ok_or_else(|| unread("a Parquet or Arrow file wanted".to_owned()))?;
        let (schema, metadata, batches) =
            whole(|| open(kind, file, columns)).map_err(|error| unread(reason(&error)))?;
        let places = columns.iter().map(|column| {
            let found = schema.fields().iter().position(|field| {
                field.name() == column.name && *field.data_type() == data_type(column.kind)
            });
            found.ok_or_else(|| unread(format!("no column {} of {:?}", column.name, column.kind)))
        });
        Ok(PlainReader {
            path: path.to_owned(),
            places: places.collect::<Result<_>>()?,
            columns: columns.iter().map(|column| column.kind).collect(),
            batches,
            batch: None,
            metadata,
        })
    }

    /// The metadata of this key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// The next row; `None` behind the last.
    ///
    /// # Errors
    /// [`Error::NoTable`] if the file is broken.
    pub fn next_row(&mut self) -> Result<Option<PlainRow<'_>>> {
        let behind = |(batch, row): &(RecordBatch, usize)| row + 1 >= batch.num_rows();
        if self.batch.as_ref().is_none_or(behind) {
            self.batch = loop {
                match whole(|| self.batches.next().transpose()).transpose() {
                    None => return Ok(None),
                    Some(Ok(batch)) if batch.num_rows() == 0 => {}
                    Some(Ok(batch)) => break Some((batch, 0)),
                    Some(Err(error)) => {
                        return Err(Error::NoTable { path: self.path.clone(), reason: reason(&error) });
                    }
                }
            };
        } else if let Some((_, row)) = &mut self.batch {
            *row += 1;
        }
        Ok(self.batch.as_ref().map(|(batch, row)| PlainRow { reader: self, batch, row: *row }))
    }
}

impl PlainRow<'_> {
    /// The value of the column that was wanted at this place; null if there were not so many.
    pub fn get(&self, column: usize) -> Plain<'_> {
        let places = self.reader.places.get(column).zip(self.reader.columns.get(column));
        let Some((place, kind)) = places else { return Plain::Null };
        let (array, row) = (self.batch.column(*place), self.row);
        if array.is_null(row) {
            return Plain::Null;
        }
        match kind {
            PlainType::U64 => Plain::U64(array.as_primitive::<UInt64Type>().value(row)),
            PlainType::U32 => Plain::U32(array.as_primitive::<UInt32Type>().value(row)),
            PlainType::F64 => Plain::F64(array.as_primitive::<Float64Type>().value(row)),
            PlainType::Bool => Plain::Bool(array.as_boolean().value(row)),
            PlainType::Text => Plain::Text(array.as_string::<i32>().value(row)),
            PlainType::Bytes => Plain::Bytes(array.as_binary::<i32>().value(row)),
            PlainType::U64s => Plain::U64s(list::<UInt64Type>(array, row)),
            PlainType::U32s => Plain::U32s(list::<UInt32Type>(array, row)),
            PlainType::F64s => Plain::F64s(list::<Float64Type>(array, row)),
        }
    }
}

impl fmt::Debug for PlainReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainReader").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What a library says of a file, also where it gives up: those of Arrow and Parquet take some claims
/// of a broken file for faults of the program.
pub(in crate::tuple) fn whole<T>(read: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    caught.unwrap_or_else(|_| Err(ArrowError::ParseError("the file is broken".into())))
}

fn list<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> &[T::Native] {
    let list = array.as_list::<i32>();
    let (from, to) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
    list.values().as_primitive::<T>().values().get(from..to).unwrap_or_default()
}

fn open(
    kind: TableKind,
    mut file: File,
    columns: &[PlainColumn],
) -> Result<(Schema, BTreeMap<String, String>, Batches), ArrowError> {
    let wanted = |name: &String| columns.iter().any(|column| column.name == name);
    match kind {
        TableKind::Arrow => {
            super::claims::check(&mut file)?;
            let file = std::io::BufReader::new(file);
            let whole = FileReader::try_new(file, None)?;
            let fields = whole.schema();
            let places = fields.fields().iter().enumerate().filter(|(_, field)| wanted(field.name()));
            let places: Vec<usize> = places.map(|(i, _)| i).collect();
            let metadata = whole.custom_metadata().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            let schema = fields.project(&places)?;
            let batches = whole.map(move |batch| batch.and_then(|batch| batch.project(&places)));
            Ok((schema, metadata, Box::new(batches)))
        }
        TableKind::Parquet => {
            let len = file.metadata()?.len();
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            super::claims::check_columns(builder.metadata(), len)?;
            let pairs = builder.metadata().file_metadata().key_value_metadata().into_iter().flatten();
            let metadata = pairs.filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?))).collect();
            let names =
                builder.schema().fields().iter().map(|field| field.name()).filter(|name| wanted(name));
            let names: Vec<&str> = names.map(String::as_str).collect();
            let mask = ProjectionMask::columns(builder.parquet_schema(), names);
            let reader = builder.with_projection(mask).with_batch_size(ROWS).build()?;
            let schema = arrow_array::RecordBatchReader::schema(&reader);
            Ok((Schema::clone(&schema), metadata, Box::new(reader)))
        }
    }
}
