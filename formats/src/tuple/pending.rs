//! Rows on their way into a file.
//!
//! Batches end where blocks of events end, which must not show in the file. So rows wait here
//! until they fill a chunk, whose size follows from the rows alone.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType, TimestampSecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, ListArray, PrimitiveArray, StringArray, UInt16Array, UInt32Array,
    new_empty_array, new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef, TimeUnit};
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;

use super::adapt::adapt;
use super::columns::Sparse;
use super::rows::{Present, Row};
use super::schema::{HEAD, Piece};

/// So many pieces are joined to one: each has its own arrays, and a slow experiment may send
/// blocks of one event.
const MAX_PIECES: usize = 64;

/// Pieces of batches, in order.
#[derive(Default)]
pub(super) struct Pending {
    /// A piece, and which of its rows wait: from, up to.
    pieces: Vec<(Arc<Piece>, usize, usize)>,
    rows: usize,
}

impl Pending {
    /// Number of rows that wait.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds the rows `start..end` of `piece`.
    pub(super) fn push(
        &mut self,
        piece: &Arc<Piece>,
        start: usize,
        end: usize,
        schema: &SchemaRef,
    ) -> Result<(), ArrowError> {
        if start < end {
            self.pieces.push((Arc::clone(piece), start, end));
            self.rows += end - start;
        }
        if self.pieces.len() > MAX_PIECES {
            let columns = schema.fields()[HEAD.len()..].iter().enumerate();
            let columns = columns.map(|(i, field)| self.column(i, field.data_type()).map(Some));
            let piece = Arc::new(Piece {
                columns: columns.collect::<Result<_, _>>()?,
                head: Arc::new(self.of_head(|row| *row)),
            });
            self.pieces = vec![(piece, 0, self.rows)];
        }
        Ok(())
    }

    /// All columns, in list form, of `schema`.
    pub(super) fn arrays(&self, schema: &Schema) -> Result<Vec<ArrayRef>, ArrowError> {
        (0..schema.fields().len()).map(|at| self.array(at, schema)).collect()
    }

    /// Column `at` of `schema`, in list form.
    pub(super) fn array(&self, at: usize, schema: &Schema) -> Result<ArrayRef, ArrowError> {
        let wanted = schema.field(at).data_type();
        Ok(match at {
            0 => Arc::new(UInt32Array::from(self.of_head(|row| row.run))),
            1 => Arc::new(UInt32Array::from(self.of_head(|row| row.serial))),
            2 => timestamps(&self.of_head(|row| row.time), wanted),
            3 => Arc::new(UInt16Array::from(self.of_head(|row| row.mask))),
            4 => Arc::new(UInt32Array::from(self.of_head(|row| row.epoch))),
            _ => expand(self.column(at - HEAD.len(), wanted)?, self.rows, wanted)?,
        })
    }

    fn of_head<T>(&self, of: impl Fn(&Row) -> T) -> Vec<T> {
        let mut all = Vec::with_capacity(self.rows);
        for (piece, start, end) in &self.pieces {
            all.extend(piece.head[*start..*end].iter().map(&of));
        }
        all
    }

    /// Column `i` behind the head, of all rows.
    fn column(&self, i: usize, wanted: &DataType) -> Result<Sparse, ArrowError> {
        let mut rows = Present::default();
        let mut values = Vec::new();
        let mut before = 0;
        for (piece, start, end) in &self.pieces {
            if let Some(Some(sparse)) = piece.columns.get(i) {
                let range = sparse.rows.before(*start)..sparse.rows.before(*end);
                if !range.is_empty() {
                    values.push(adapt(&sparse.values.slice(range.start, range.len()), wanted)?);
                    rows.extend(&sparse.rows, range, before as i64 - *start as i64);
                }
            }
            before += end - start;
        }
        Ok(Sparse { rows, values: join_arrays(&values, wanted)? })
    }
}

/// The arrays one behind the other, in memory of their own.
pub(super) fn join_arrays(arrays: &[ArrayRef], data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    // `concat` hands a lone array through with whatever lies around its slice; an empty one beside
    // it makes a copy, so that equal rows are equal bytes.
    let empty = new_empty_array(data_type);
    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).chain([empty.as_ref()]).collect();
    concat(&arrays)
}

fn timestamps(seconds: &[u32], wanted: &DataType) -> ArrayRef {
    let seconds = seconds.iter().map(|&t| i64::from(t));
    match wanted {
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let time = PrimitiveArray::<Int64Type>::from_iter_values(seconds.map(|t| t * 1000));
            Arc::new(time.reinterpret_cast::<TimestampMillisecondType>().with_timezone("UTC"))
        }
        _ => {
            let time = PrimitiveArray::<Int64Type>::from_iter_values(seconds);
            Arc::new(time.reinterpret_cast::<TimestampSecondType>().with_timezone("UTC"))
        }
    }
}

/// `sparse` with a null in each of the `rows` that it does not name.
fn expand(sparse: Sparse, rows: usize, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    let Sparse { rows: present, values } = sparse;
    if present.len() == rows {
        return Ok(values);
    }
    if present.len() == 0 {
        return Ok(new_null_array(data_type, rows));
    }
    let mut valid = vec![false; rows];
    present.iter().for_each(|row| valid[row as usize] = true);
    Ok(match data_type {
        DataType::List(item) => {
            let list = values.as_list::<i32>();
            let offsets = expand_offsets(list.offsets(), &valid);
            Arc::new(ListArray::try_new(
                Arc::clone(item),
                offsets,
                Arc::clone(list.values()),
                Some(NullBuffer::from(valid)),
            )?)
        }
        DataType::Utf8 => {
            let text = values.as_string::<i32>();
            let offsets = expand_offsets(text.offsets(), &valid);
            Arc::new(StringArray::try_new(offsets, text.values().clone(), Some(NullBuffer::from(valid)))?)
        }
        DataType::Binary => {
            let bytes = values.as_binary::<i32>();
            let offsets = expand_offsets(bytes.offsets(), &valid);
            Arc::new(BinaryArray::try_new(offsets, bytes.values().clone(), Some(NullBuffer::from(valid)))?)
        }
        _ => {
            let null = new_null_array(data_type, 1);
            let mut next = 0;
            let picks: Vec<(usize, usize)> = valid
                .iter()
                .map(|&valid| {
                    next += usize::from(valid);
                    if valid { (1, next - 1) } else { (0, 0) }
                })
                .collect();
            interleave(&[null.as_ref(), values.as_ref()], &picks)?
        }
    })
}

/// Offsets with an empty slot for each row that is not valid.
fn expand_offsets(offsets: &OffsetBuffer<i32>, valid: &[bool]) -> OffsetBuffer<i32> {
    let mut next = 0;
    let mut expanded = Vec::with_capacity(valid.len() + 1);
    expanded.push(offsets[0]);
    for &valid in valid {
        next += usize::from(valid);
        expanded.push(offsets[next]);
    }
    OffsetBuffer::new(ScalarBuffer::from(expanded))
}
