//! Columnar tables of events: `.parquet` and `.arrow`.
//!
//! One table holds the events of one request, one row each.
//!
//! | column | type | source |
//! |---|---|---|
//! | `run` | u32 | the run |
//! | `serial` | u32 | event header |
//! | `timestamp` | UTC, seconds (Parquet knows no seconds: milliseconds) | event header |
//! | `trigger_mask` | u16 | event header |
//! | `epoch` | u32 | which set of parameters was in force |
//! | one per member | see below | the payload of a FIXED event |
//! | one per bank | see below | banks, first those of the definition, then as they appear |
//!
//! The first five are never null. What a bank becomes:
//!
//! | bank type | column |
//! |---|---|
//! | BYTE, BITFIELD; SBYTE | list of u8; i8 |
//! | WORD, SHORT; DWORD, INT; INT64, UINT64 | list of 16-, 32-, 64-bit integers |
//! | FLOAT, DOUBLE | list of f32, f64, bit for bit |
//! | BOOL | list of truth values |
//! | STRING, LINK | text up to the first NUL |
//! | CHAR | text without the NULs at its end |
//! | STRUCT with a [`Layout`] | a struct with the names of the members; a list of them where a bank holds several |
//! | any other | bytes |
//!
//! - A column of text is a column of bytes if any of its values is no UTF-8.
//! - Members of structs are scalars, lists of as many elements as the member has, or text.
//! - An absent bank is null, an empty bank an empty list. A bank of structs that is empty is null
//!   unless its column is booked as one of [`many`](ColumnDef::many).
//! - Of two banks of one name in one event the first counts.
//! - The first type that a bank has in a table is the type of its column. Later values of another
//!   type are null and [reported](Refused).
//! - A name that is taken gets a `_` at its end.
//! - FIXED events without known members have one column `payload` of bytes.
//!
//! In a [flat](TableWriter::flat) table lists and structs are spread over plain columns, as many as
//! the longest list has: `ADC0_0`, `ADC0_1`; `ASUM_Sum`; `HITS_0_x`, `HITS_1_x`. More than 1024 for a
//! bank must be [declared](ColumnDef::elements).
//!
//! **Nothing depends on where batches end**: the same rows give the same bytes of the file.
//!
//! Blocks of events become [`Batch`]es in [`Columns`], on any thread; one [`TableWriter`] takes
//! the batches in order. A column that appears late, or that grows from text to bytes or from one
//! struct to several, or in a flat table a longer list, starts a new part; [`TableWriter::finish`]
//! rewrites the parts into one file. A [`TableStream`] goes to a pipe instead, and its columns are
//! settled by its first rows.
//!
//! A table may be several files, one behind the other, each of which can be read while the next is
//! [written](TableWriter::next). [`TableParts`] are joined to the file that would have been written at once.
//!
//! ```
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use pactolus_formats::mid::{Block, Reader};
//! use pactolus_formats::tuple::{ColumnDef, Columns, TableDef, TableKind, TableWriter};
//! use pactolus_formats::{BankName, Input, Tid};
//!
//! let adc0 = ColumnDef::new(BankName::new(*b"ADC0"), Tid::Word.code());
//! let def = Arc::new(TableDef { name: "Trigger".into(), banks: vec![adc0], fixed: None });
//! let mut columns = Columns::new(&def);
//! let mut table = TableWriter::create("run00042.Trigger.parquet".as_ref(), TableKind::Parquet, &def)?;
//!
//! let mut reader = Reader::new(Input::open("run00042.mid.gz")?);
//! let mut block = Block::new();
//! reader.read(&mut block, 1 << 20)?;
//! for event in block.events().filter(|e| e.header.id == 1) {
//!     columns.push(42, 0, &event.header, event.banks().map_while(Result::ok));
//! }
//! for refused in table.write(columns.finish())? {
//!     eprintln!("{refused}");
//! }
//! table.finish(&[("pactolus.run".into(), "42".into())])?;
//! # Ok(()) }
//! ```
//!
//! This page knows no analyzer definition: the caller turns its own into a [`TableDef`].
//!
//! Not supported: nested structs, and reading tables of events back (any Parquet or Arrow library
//! does).
//!
//! Tables that are not of events, as those of histograms, are [plain](PlainWriter).

mod adapt;
mod cells;
mod columns;
mod copy;
mod encoding;
mod flat;
mod group;
mod join;
mod part;
mod pending;
mod plain;
mod refused;
mod rows;
mod schema;
mod shape;
mod sink;
mod stream;
#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test may panic
mod tests;
mod wire;
mod writer;

use std::path::Path;
use std::sync::Arc;

pub use columns::{Batch, Columns};
pub use join::TableParts;
pub use part::{TablePart, table_metadata};
pub use plain::{Plain, PlainColumn, PlainReader, PlainRow, PlainType, PlainWriter};
pub use refused::{Refusal, Refused};
pub use stream::TableStream;
pub use writer::{SettledTable, TableSummary, TableWriter};

use crate::{BankName, Layout};

/// What is known of a bank's column before the first event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDef {
    /// The bank.
    pub name: BankName,
    /// The type of the column as long as no event holds the bank; see [`Bank::code`](crate::Bank::code).
    pub code: u32,
    /// The members, if this is a STRUCT bank; without them its column holds bytes.
    pub layout: Option<Arc<Layout>>,
    /// Whether the bank may hold several structs, so that its column is a list from the start.
    pub many: bool,
    /// Elements of the bank, or the largest number of them, if known: so many columns a flat table
    /// has from the start.
    pub elements: Option<usize>,
    /// A sentence for people; may be empty.
    pub description: String,
    /// The unit; may be empty.
    pub unit: String,
}

impl ColumnDef {
    /// A column of bank `name` and type `code`, with nothing else known.
    pub fn new(name: BankName, code: u32) -> ColumnDef {
        let (description, unit) = (String::new(), String::new());
        ColumnDef { name, code, layout: None, many: false, elements: None, description, unit }
    }

    /// States the members of a STRUCT bank.
    #[must_use]
    pub fn layout(self, layout: Arc<Layout>) -> ColumnDef {
        ColumnDef { layout: Some(layout), ..self }
    }

    /// States that the bank may hold several structs.
    #[must_use]
    pub fn many(self) -> ColumnDef {
        ColumnDef { many: true, ..self }
    }

    /// States the number of elements, or the largest number.
    #[must_use]
    pub fn elements(self, elements: usize) -> ColumnDef {
        ColumnDef { elements: Some(elements), ..self }
    }

    /// States what the bank holds.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> ColumnDef {
        ColumnDef { description: description.into(), ..self }
    }

    /// States the unit.
    #[must_use]
    pub fn unit(self, unit: impl Into<String>) -> ColumnDef {
        ColumnDef { unit: unit.into(), ..self }
    }
}

/// What is known of a table before the first event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableDef {
    /// The kind of event: `Trigger`.
    pub name: String,
    /// Banks that get a column even if no event holds them, in this order. Of two with one name
    /// the first counts.
    pub banks: Vec<ColumnDef>,
    /// The members of the payload, if these are FIXED events. If there are none, the table has one
    /// column `payload` of bytes.
    pub fixed: Option<Arc<Layout>>,
}

impl TableDef {
    fn bank(&self, name: BankName) -> Option<&ColumnDef> {
        self.banks.iter().find(|bank| bank.name == name)
    }
}

/// The format of a table file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// Apache Parquet: compressed, for keeping.
    Parquet,
    /// Apache Arrow IPC file (Feather 2), uncompressed: for mapping into memory.
    Arrow,
}

impl TableKind {
    /// The format that the extension of `path` stands for; `None` if it is neither `.parquet`
    /// nor `.arrow`.
    pub fn of(path: &Path) -> Option<TableKind> {
        match path.extension()?.to_str()? {
            "parquet" => Some(TableKind::Parquet),
            "arrow" => Some(TableKind::Arrow),
            _ => None,
        }
    }

    /// The extension of its files, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            TableKind::Parquet => "parquet",
            TableKind::Arrow => "arrow",
        }
    }

    /// The format of a file that begins with these bytes; `None` if it is neither.
    pub fn of_bytes(first: &[u8]) -> Option<TableKind> {
        match first {
            [b'P', b'A', b'R', b'1', ..] => Some(TableKind::Parquet),
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Some(TableKind::Arrow),
            _ => None,
        }
    }
}
