//! What is known of rows beside their banks, and which rows hold a value.

use std::sync::Arc;

use crate::wire::{Bytes, Malformed, Wire};

/// The header of an event in a table, and what it costs there.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) run: u32,
    pub(super) serial: u32,
    pub(super) time: u32,
    pub(super) epoch: u32,
    pub(super) mask: u16,
    /// Bytes, from which pages and row groups follow.
    pub(super) weight: u32,
}

/// Which rows hold a value, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Present {
    /// So many, from the first on. Most banks are in every event of their kind.
    First(usize),
    /// These.
    Listed(Arc<Vec<u32>>),
}

impl Default for Present {
    fn default() -> Present {
        Present::First(0)
    }
}

impl Present {
    #[inline]
    pub(super) fn push(&mut self, row: u32) {
        match self {
            Present::First(n) if *n == row as usize => *n += 1,
            Present::First(n) => {
                let rows = (0..*n as u32).chain([row]).collect();
                *self = Present::Listed(Arc::new(rows));
            }
            Present::Listed(rows) => Arc::make_mut(rows).push(row),
        }
    }

    /// Adds those of `range`, a range of numbers of values of `other`, each moved by so many rows.
    pub(super) fn extend(&mut self, other: &Present, range: std::ops::Range<usize>, by: i64) {
        match (&mut *self, other) {
            (Present::First(n), Present::First(_)) if range.start as i64 + by == *n as i64 => {
                *n += range.len();
            }
            (Present::Listed(rows), other) => {
                Arc::make_mut(rows).extend(range.map(|i| (i64::from(other.row(i)) + by) as u32));
            }
            (_, other) => range.for_each(|i| self.push((i64::from(other.row(i)) + by) as u32)),
        }
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        match self {
            Present::First(n) => *n,
            Present::Listed(rows) => rows.len(),
        }
    }

    /// Bytes of memory that it holds.
    pub(super) fn memory(&self) -> usize {
        match self {
            Present::First(_) => 0,
            Present::Listed(rows) => rows.capacity() * size_of::<u32>(),
        }
    }

    /// The row of value `i`, of which there must be one.
    pub(super) fn row(&self, i: usize) -> u32 {
        match self {
            Present::First(_) => i as u32,
            Present::Listed(rows) => rows[i],
        }
    }

    /// The rows, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.len()).map(|i| self.row(i))
    }

    /// Number of values before this row.
    pub(super) fn before(&self, row: usize) -> usize {
        match self {
            Present::First(n) => row.min(*n),
            Present::Listed(rows) => rows.partition_point(|&known| (known as usize) < row),
        }
    }

    /// From rows in order.
    pub(super) fn listed(rows: Vec<u32>) -> Present {
        let dense = rows.last().is_none_or(|&last| last as usize + 1 == rows.len());
        if dense { Present::First(rows.len()) } else { Present::Listed(Arc::new(rows)) }
    }
}

/// As a list of rows.
impl Wire for Present {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Present::First(n) => (0..*n as u32).collect::<Vec<_>>().put(to),
            Present::Listed(rows) => rows.as_ref().put(to),
        }
    }

    fn take(from: &mut Bytes<'_>) -> Result<Present, Malformed> {
        let rows: Vec<u32> = from.value()?;
        if !rows.is_sorted_by(|a, b| a < b) {
            return Err(from.wrong("rows in order before this"));
        }
        Ok(Present::listed(rows))
    }
}
