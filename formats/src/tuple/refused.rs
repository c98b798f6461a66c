//! Values that a table did not take.

use std::fmt;

use crate::BankName;

/// A bank whose value is null in the table although its event holds it: the event is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Row in the batch that was written.
    pub row: usize,
    /// Run of the event.
    pub run: u32,
    /// Serial number of the event.
    pub serial: u32,
    /// The bank; `None` for the payload of a FIXED event.
    pub bank: Option<BankName>,
    /// Why.
    pub reason: Refusal,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { run, serial, bank, reason, .. } = self;
        match bank {
            Some(bank) => write!(f, "bank {bank}: {reason}, event {serial} of run {run}"),
            None => write!(f, "FIXED event: {reason}, event {serial} of run {run}"),
        }
    }
}

/// Why a value was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The bank had another type before.
    Type {
        /// Type of the column, as in a bank header.
        wanted: u32,
        /// Type in this event.
        found: u32,
    },
    /// The bytes are no whole number of structs of the definition.
    Size {
        /// Bytes of one struct.
        wanted: usize,
        /// Bytes in the event.
        found: usize,
    },
    /// The column would hold more than 2 GB in one batch.
    Full,
    /// The bank is new, and the columns of the stream are settled.
    Late,
    /// Text that is no UTF-8 or several structs, and the column of the stream is settled for less.
    Form,
    /// A list is longer than the settled columns of a flat stream.
    Longer {
        /// Elements that have a column.
        wanted: usize,
        /// Elements in this event.
        found: usize,
    },
    /// A flat table would need many more columns for a bank than its declared size says.
    Undeclared {
        /// Elements in this event.
        found: usize,
        /// The most columns for a bank of undeclared size.
        limit: usize,
    },
    /// A flat table would need more columns than it can have.
    Elements {
        /// Elements in this event.
        found: usize,
        /// The most columns for elements, of all banks together.
        limit: usize,
    },
    /// The table has so many banks already that this must be broken data.
    Columns {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |code: &u32| crate::Tid::from_bank_code(*code).map_or("<unknown>", crate::Tid::name);
        match self {
            Refusal::Type { wanted, found } => {
                write!(f, "type {} ({wanted:#x}) wanted, {} ({found:#x}) found", name(wanted), name(found))
            }
            Refusal::Size { wanted, found } => {
                write!(f, "structs of {wanted} bytes wanted, {found} bytes found")
            }
            Refusal::Full => f.write_str("more than 2 GB of one bank in one batch"),
            Refusal::Late => f.write_str(
                "no such column among those of the stream, which its first rows have settled: declare the bank, or write a file",
            ),
            Refusal::Form => f.write_str(
                "text that is no UTF-8 or several structs, for which the stream has no column: write a file",
            ),
            Refusal::Longer { wanted, found } => write!(
                f,
                "at most {wanted} elements wanted, {found} found: declare the size of the bank, or write a file"
            ),
            Refusal::Undeclared { found, limit } => write!(
                f,
                "{found} elements: a flat table has at most {limit} columns for a bank unless its size is declared"
            ),
            Refusal::Elements { found, limit } => {
                write!(f, "{found} elements: a flat table has at most {limit} columns for elements")
            }
            Refusal::Columns { limit } => write!(f, "at most {limit} banks expected in one table"),
        }
    }
}
