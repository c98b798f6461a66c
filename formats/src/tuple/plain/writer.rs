//! The file of a plain table.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Float64Builder, ListBuilder, PrimitiveBuilder,
    StringBuilder, UInt32Builder, UInt64Builder,
};
use arrow_array::types::{ArrowPrimitiveType, Float64Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch};

use super::{Plain, PlainColumn, PlainType, schema};
use crate::tuple::TableKind;
use crate::tuple::group::{Group, Rows};
use crate::tuple::schema::Plan;
use crate::tuple::shape::element;
use crate::tuple::sink::Sink;
use crate::tuple::writer::{SettledTable, TableSummary, sound, table, why};
use crate::whole::hidden::Hidden;
use crate::{Error, Result};

/// A batch ends with the row that reaches so many bytes ...
const BATCH_BYTES: usize = 4 << 20;
/// ... or so many rows.
const BATCH_ROWS: usize = 1 << 12;
/// A row group ends with the batch that reaches so many bytes.
const GROUP_BYTES: usize = 32 << 20;
/// Arrow counts the bytes of a column in 31 bits; so much may stand before a row in its batch.
const LARGEST: usize = (i32::MAX as usize) - 2 * BATCH_BYTES;

/// Writes a plain table. The file appears when it is complete.
///
/// Memory is bounded by some 32 MB, what they are encoded to, and two rows.
pub struct PlainWriter {
    path: PathBuf,
    temp: Hidden,
    sink: Sink,
    plan: Arc<Plan>,
    columns: Vec<Column>,
    waiting: (usize, usize),
    /// Batches of the row group in hand, and their bytes.
    held: Vec<RecordBatch>,
    group: usize,
    rows: u64,
    /// Why rows are lost: a file without them must not get the name.
    failed: Option<String>,
}

enum Column {
    U64(UInt64Builder),
    U32(UInt32Builder),
    F64(Float64Builder),
    Bool(BooleanBuilder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    U64s(ListBuilder<UInt64Builder>),
    U32s(ListBuilder<UInt32Builder>),
    F64s(ListBuilder<Float64Builder>),
}

impl PlainWriter {
    /// A table that will appear as `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be created in that directory.
    pub fn create(path: &Path, kind: TableKind, columns: &[PlainColumn]) -> Result<PlainWriter> {
        let temp = Hidden::beside(path, ".part").map_err(Error::io("create", path))?;
        let plan = Arc::new(Plan::list(schema(columns)));
        let sink = Sink::new(kind, temp.file(), &plan.schema, None).map_err(table(path))?;
        let columns = columns.iter().map(|column| Column::new(column.kind)).collect();
        let (path, held) = (path.to_owned(), Vec::new());
        let (waiting, group, rows, failed) = ((0, 0), 0, 0, None);
        Ok(PlainWriter { path, temp, sink, plan, columns, waiting, held, group, rows, failed })
    }

    /// Adds a row: a value for each column, of its type.
    ///
    /// # Errors
    /// [`Error::Table`] if the file cannot be written, if values do not fit their columns, or if one
    /// has 2 GB. If the file cannot be written, all that follows gives that error again.
    pub fn push(&mut self, row: &[Plain<'_>]) -> Result<()> {
        sound(&self.path, self.failed.as_deref())?;
        let wrong = |reason: String| Error::Table { path: self.path.clone(), reason };
        if row.len() != self.columns.len() {
            return Err(wrong(format!("{} columns wanted, {} found", self.columns.len(), row.len())));
        }
        // Before anything is added: half a row would shift all others.
        for ((value, column), field) in row.iter().zip(&self.columns).zip(self.plan.schema.fields()) {
            if !column.takes(value) {
                return Err(wrong(format!("column {} does not hold {value:?}", field.name())));
            }
            if value.bytes() > LARGEST {
                return Err(wrong(format!("column {}: a value of 2 GB or more", field.name())));
            }
        }
        let bytes: usize = row.iter().map(Plain::bytes).sum();
        if self.waiting.1.saturating_add(bytes) > LARGEST {
            self.end_batch()?;
        }
        self.columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        self.waiting = (self.waiting.0 + 1, self.waiting.1.saturating_add(bytes));
        self.rows += 1;
        if self.waiting.0 >= BATCH_ROWS || self.waiting.1 >= BATCH_BYTES {
            self.end_batch()?;
        }
        Ok(())
    }

    /// Completes the file with `metadata` (key, value) and brings it to the disk, without its name.
    ///
    /// # Errors
    /// [`Error::Table`] if the file cannot be written, or could not before. Nothing remains then.
    pub fn settle(mut self, metadata: &[(String, String)]) -> Result<SettledTable> {
        sound(&self.path, self.failed.as_deref())?;
        self.end_batch()?;
        self.end_group()?;
        let file = self.sink.finish(metadata).map_err(table(&self.path))?;
        file.sync_all().map_err(Error::io("write", &self.path))?;
        let bytes = file.metadata().map_err(Error::io("read", &self.path))?.len();
        Ok(SettledTable::new(self.temp, TableSummary { path: self.path, rows: self.rows, bytes }))
    }

    fn end_batch(&mut self) -> Result<()> {
        let ended = self.hold();
        if let Err(error) = &ended {
            self.failed = Some(why(error));
        }
        ended
    }

    fn hold(&mut self) -> Result<()> {
        let (rows, bytes) = std::mem::take(&mut self.waiting);
        if rows == 0 {
            return Ok(());
        }
        let arrays = self.columns.iter_mut().map(Column::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.plan.schema), arrays).map_err(table(&self.path))?;
        self.held.push(batch);
        self.group = self.group.saturating_add(bytes);
        if self.group >= GROUP_BYTES { self.end_group() } else { Ok(()) }
    }

    fn end_group(&mut self) -> Result<()> {
        let (held, bytes) = (std::mem::take(&mut self.held), std::mem::take(&mut self.group));
        if held.is_empty() {
            return Ok(());
        }
        let group = Group { plan: Arc::clone(&self.plan), rows: Rows::Batches(held) };
        self.sink.write(group, bytes as u64).map_err(table(&self.path))
    }
}

impl fmt::Debug for PlainWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PlainWriter");
        shown.field("path", &self.path).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Column {
    fn new(kind: PlainType) -> Column {
        fn list<T: ArrowPrimitiveType>() -> ListBuilder<PrimitiveBuilder<T>> {
            ListBuilder::new(PrimitiveBuilder::new()).with_field(element(T::DATA_TYPE))
        }
        match kind {
            PlainType::U64 => Column::U64(UInt64Builder::new()),
            PlainType::U32 => Column::U32(UInt32Builder::new()),
            PlainType::F64 => Column::F64(Float64Builder::new()),
            PlainType::Bool => Column::Bool(BooleanBuilder::new()),
            PlainType::Text => Column::Text(StringBuilder::new()),
            PlainType::Bytes => Column::Bytes(BinaryBuilder::new()),
            PlainType::U64s => Column::U64s(list::<UInt64Type>()),
            PlainType::U32s => Column::U32s(list::<UInt32Type>()),
            PlainType::F64s => Column::F64s(list::<Float64Type>()),
        }
    }

    fn takes(&self, value: &Plain<'_>) -> bool {
        matches!(
            (self, value),
            (_, Plain::Null)
                | (Column::U64(_), Plain::U64(_))
                | (Column::U32(_), Plain::U32(_))
                | (Column::F64(_), Plain::F64(_))
                | (Column::Bool(_), Plain::Bool(_))
                | (Column::Text(_), Plain::Text(_))
                | (Column::Bytes(_), Plain::Bytes(_))
                | (Column::U64s(_), Plain::U64s(_))
                | (Column::U32s(_), Plain::U32s(_))
                | (Column::F64s(_), Plain::F64s(_))
        )
    }

    /// Adds a value that it takes; another is null.
    fn push(&mut self, value: &Plain<'_>) {
        fn list<T: ArrowPrimitiveType>(builder: &mut ListBuilder<PrimitiveBuilder<T>>, items: &[T::Native]) {
            builder.values().append_slice(items);
            builder.append(true);
        }
        match (self, value) {
            (Column::U64(column), Plain::U64(value)) => column.append_value(*value),
            (Column::U32(column), Plain::U32(value)) => column.append_value(*value),
            (Column::F64(column), Plain::F64(value)) => column.append_value(*value),
            (Column::Bool(column), Plain::Bool(value)) => column.append_value(*value),
            (Column::Text(column), Plain::Text(value)) => column.append_value(value),
            (Column::Bytes(column), Plain::Bytes(value)) => column.append_value(value),
            (Column::U64s(column), Plain::U64s(items)) => list(column, items),
            (Column::U32s(column), Plain::U32s(items)) => list(column, items),
            (Column::F64s(column), Plain::F64s(items)) => list(column, items),
            (Column::U64(column), _) => column.append_null(),
            (Column::U32(column), _) => column.append_null(),
            (Column::F64(column), _) => column.append_null(),
            (Column::Bool(column), _) => column.append_null(),
            (Column::Text(column), _) => column.append_null(),
            (Column::Bytes(column), _) => column.append_null(),
            (Column::U64s(column), _) => column.append(false),
            (Column::U32s(column), _) => column.append(false),
            (Column::F64s(column), _) => column.append(false),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Column::U64(column) => ArrayBuilder::finish(column),
            Column::U32(column) => ArrayBuilder::finish(column),
            Column::F64(column) => ArrayBuilder::finish(column),
            Column::Bool(column) => ArrayBuilder::finish(column),
            Column::Text(column) => ArrayBuilder::finish(column),
            Column::Bytes(column) => ArrayBuilder::finish(column),
            Column::U64s(column) => ArrayBuilder::finish(column),
            Column::U32s(column) => ArrayBuilder::finish(column),
            Column::F64s(column) => ArrayBuilder::finish(column),
        }
    }
}
