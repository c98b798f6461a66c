//! Tables of plain columns: numbers, text, bytes, and lists of numbers, written row by row and read
//! back.
//!
//! They have nothing to do with events: what a row means is the caller's.
//!
//! ```
//! use pactolus_formats::tuple::{Plain, PlainColumn, PlainReader, PlainType, PlainWriter, TableKind};
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("t.parquet");
//! let columns = [PlainColumn::new("name", PlainType::Text), PlainColumn::new("x", PlainType::F64s)];
//! let mut table = PlainWriter::create(&path, TableKind::Parquet, &columns)?;
//! table.push(&[Plain::Text("edges"), Plain::F64s(&[0.0, 0.5])])?;
//! table.push(&[Plain::Text("none"), Plain::Null])?;
//! table.settle(&[("made.by".into(), "hand".into())])?.finish()?;
//!
//! let mut table = PlainReader::open(&path, &columns)?;
//! assert_eq!(table.metadata("made.by"), Some("hand"));
//! let row = table.next_row()?.unwrap();
//! assert_eq!((row.get(0), row.get(1)), (Plain::Text("edges"), Plain::F64s(&[0.0, 0.5])));
//! assert_eq!(table.next_row()?.unwrap().get(1), Plain::Null);
//! # Ok::<(), pactolus_formats::Error>(())
//! ```

pub(super) mod claims;
pub(super) mod reader;
mod writer;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

pub use reader::{PlainReader, PlainRow};
pub use writer::PlainWriter;

use super::shape::element;

/// What a plain column holds. Any value may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlainType {
    /// Unsigned integers of 64 bits.
    U64,
    /// Unsigned integers of 32 bits.
    U32,
    /// Floats of 64 bits.
    F64,
    /// Truth values.
    Bool,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// Lists of unsigned integers of 64 bits.
    U64s,
    /// Lists of unsigned integers of 32 bits.
    U32s,
    /// Lists of floats of 64 bits.
    F64s,
}

/// A column of a plain table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainColumn {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: PlainType,
}

impl PlainColumn {
    /// A column of this name and type.
    pub const fn new(name: &'static str, kind: PlainType) -> PlainColumn {
        PlainColumn { name, kind }
    }
}

/// A value in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plain<'a> {
    /// Nothing.
    Null,
    /// For a column of [`PlainType::U64`].
    U64(u64),
    /// For a column of [`PlainType::U32`].
    U32(u32),
    /// For a column of [`PlainType::F64`].
    F64(f64),
    /// For a column of [`PlainType::Bool`].
    Bool(bool),
    /// For a column of [`PlainType::Text`].
    Text(&'a str),
    /// For a column of [`PlainType::Bytes`].
    Bytes(&'a [u8]),
    /// For a column of [`PlainType::U64s`].
    U64s(&'a [u64]),
    /// For a column of [`PlainType::U32s`].
    U32s(&'a [u32]),
    /// For a column of [`PlainType::F64s`].
    F64s(&'a [f64]),
}

impl Plain<'_> {
    /// Bytes that it takes in a table.
    fn bytes(&self) -> usize {
        match self {
            Plain::Text(text) => text.len(),
            Plain::Bytes(bytes) => bytes.len(),
            Plain::U64s(list) => 8 * list.len(),
            Plain::U32s(list) => 4 * list.len(),
            Plain::F64s(list) => 8 * list.len(),
            Plain::Null | Plain::U64(_) | Plain::U32(_) | Plain::F64(_) | Plain::Bool(_) => 8,
        }
    }
}

fn data_type(kind: PlainType) -> DataType {
    match kind {
        PlainType::U64 => DataType::UInt64,
        PlainType::U32 => DataType::UInt32,
        PlainType::F64 => DataType::Float64,
        PlainType::Bool => DataType::Boolean,
        PlainType::Text => DataType::Utf8,
        PlainType::Bytes => DataType::Binary,
        PlainType::U64s => DataType::List(element(DataType::UInt64)),
        PlainType::U32s => DataType::List(element(DataType::UInt32)),
        PlainType::F64s => DataType::List(element(DataType::Float64)),
    }
}

fn schema(columns: &[PlainColumn]) -> SchemaRef {
    let field = |column: &PlainColumn| Field::new(column.name, data_type(column.kind), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}
