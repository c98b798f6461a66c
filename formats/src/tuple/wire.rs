//! Batches as bytes and back, see [`wire`](crate::wire).
//!
//! An array is a letter for its type, the number of values, and the values:
//!
//! | type | values |
//! |---|---|
//! | numbers | their bytes |
//! | booleans | a byte for each |
//! | text, bytes | the length of each (4 bytes), and all of them |
//! | list | the length of each (4 bytes), and the array of all elements |
//! | struct | the number of members, and each with name and array |
//!
//! Arrow's own stream format has room for no table whose columns differ in length, as they do here.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, ListArray, PrimitiveArray, StringArray, StructArray,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields};

use super::columns::{Batch, BatchColumn, Key, Sparse};
use super::refused::{Refusal, Refused};
use super::rows::{Present, Row};
use super::shape::element;
use crate::record;
use crate::wire::{Bytes, Malformed, Wire, choice, put_bytes};
use crate::{Element, Order};

choice!(Refusal {
    0 Type { wanted, found },
    1 Size { wanted, found },
    2 Full,
    3 Late,
    4 Form,
    5 Longer { wanted, found },
    6 Undeclared { found, limit },
    7 Elements { found, limit },
    8 Columns { limit },
});

choice!(Key {
    0 Member(number),
    1 Bank(name),
});

record!(Refused { row, run, serial, bank, reason });
record!(BatchColumn { key, variants });

impl Wire for Batch {
    fn put(&self, to: &mut Vec<u8>) {
        let Batch { head, columns, refused } = self;
        each(head, to, |row| row.run);
        each(head, to, |row| row.serial);
        each(head, to, |row| row.time);
        each(head, to, |row| row.mask);
        each(head, to, |row| row.epoch);
        each(head, to, |row| row.weight);
        columns.put(to);
        refused.put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Batch, Malformed> {
        let ((run, serial), time): ((Vec<u32>, Vec<u32>), Vec<u32>) = from.value()?;
        let ((mask, epoch), weights): ((Vec<u16>, Vec<u32>), Vec<u32>) = from.value()?;
        let columns: Vec<BatchColumn> = from.value()?;
        let refused: Vec<Refused> = from.value()?;
        let rows = weights.len();
        let lengths = [run.len(), serial.len(), time.len(), mask.len(), epoch.len()];
        let in_rows = |sparse: &Sparse| sparse.rows.before(rows) == sparse.rows.len();
        let columns_fit = columns.iter().flat_map(|c| &c.variants).all(|(_, sparse)| in_rows(sparse));
        if lengths.iter().any(|&n| n != rows) || !columns_fit || refused.iter().any(|r| r.row >= rows) {
            return Err(from.wrong("columns of as many rows before this"));
        }
        let row = |(i, weight): (usize, u32)| {
            let (run, serial, time, epoch, mask) = (run[i], serial[i], time[i], epoch[i], mask[i]);
            Row { run, serial, time, epoch, mask, weight }
        };
        let head = weights.into_iter().enumerate().map(row).collect();
        Ok(Batch { head: Arc::new(head), columns, refused })
    }
}

/// One member of all rows, as a list.
fn each<T: Wire>(head: &[Row], to: &mut Vec<u8>, of: impl Fn(&Row) -> T) {
    head.len().put(to);
    head.iter().for_each(|row| of(row).put(to));
}

impl Wire for Sparse {
    fn put(&self, to: &mut Vec<u8>) {
        self.rows.put(to);
        put_array(&self.values, to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Sparse, Malformed> {
        let rows: Present = from.value()?;
        let values = take_array(from, DEEPEST)?;
        if values.len() != rows.len() {
            return Err(from.wrong("a row for each value before this"));
        }
        Ok(Sparse { rows, values })
    }
}

/// Lists of structs of lists of numbers, and one to spare.
const DEEPEST: usize = 5;

/// The arrays here have no nulls.
fn put_array(array: &ArrayRef, to: &mut Vec<u8>) {
    let (letter, n) = (letter(array.data_type()), array.len());
    to.push(letter);
    n.put(to);
    match array.data_type() {
        DataType::UInt8 => numbers::<UInt8Type>(array, to),
        DataType::Int8 => numbers::<Int8Type>(array, to),
        DataType::UInt16 => numbers::<UInt16Type>(array, to),
        DataType::Int16 => numbers::<Int16Type>(array, to),
        DataType::UInt32 => numbers::<UInt32Type>(array, to),
        DataType::Int32 => numbers::<Int32Type>(array, to),
        DataType::UInt64 => numbers::<UInt64Type>(array, to),
        DataType::Int64 => numbers::<Int64Type>(array, to),
        DataType::Float32 => numbers::<Float32Type>(array, to),
        DataType::Float64 => numbers::<Float64Type>(array, to),
        DataType::Boolean => to.extend(array.as_boolean().values().iter().map(u8::from)),
        DataType::Utf8 => {
            let text = array.as_string::<i32>();
            pieces(text.offsets(), text.values(), to);
        }
        DataType::Binary => {
            let bytes = array.as_binary::<i32>();
            pieces(bytes.offsets(), bytes.values(), to);
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (first, last) = ends(list.offsets());
            lengths(list.offsets(), to);
            put_array(&list.values().slice(first, last - first), to);
        }
        DataType::Struct(fields) => {
            fields.len().put(to);
            for (field, array) in fields.iter().zip(array.as_struct().columns()) {
                field.name().put(to);
                put_array(array, to);
            }
        }
        // No column is of another type.
        _ => {}
    }
}

fn letter(data_type: &DataType) -> u8 {
    match data_type {
        DataType::UInt8 => b'B',
        DataType::Int8 => b'b',
        DataType::UInt16 => b'H',
        DataType::Int16 => b'h',
        DataType::UInt32 => b'I',
        DataType::Int32 => b'i',
        DataType::UInt64 => b'Q',
        DataType::Int64 => b'q',
        DataType::Float32 => b'f',
        DataType::Float64 => b'd',
        DataType::Boolean => b'?',
        DataType::Utf8 => b't',
        DataType::Binary => b'y',
        DataType::List(_) => b'l',
        DataType::Struct(_) => b's',
        _ => 0,
    }
}

fn numbers<T: ArrowPrimitiveType<Native: Element>>(array: &ArrayRef, to: &mut Vec<u8>) {
    let values = array.as_primitive::<T>().values();
    let start = to.len();
    to.resize(start + values.len() * T::Native::SIZE, 0);
    let slots = to[start..].chunks_exact_mut(T::Native::SIZE);
    values.iter().zip(slots).for_each(|(value, slot)| value.write(slot));
}

fn ends(offsets: &OffsetBuffer<i32>) -> (usize, usize) {
    (offsets[0] as usize, offsets[offsets.len() - 1] as usize)
}

fn lengths(offsets: &OffsetBuffer<i32>, to: &mut Vec<u8>) {
    offsets.windows(2).for_each(|pair| (pair[1] - pair[0]).put(to));
}

fn pieces(offsets: &OffsetBuffer<i32>, values: &Buffer, to: &mut Vec<u8>) {
    let (first, last) = ends(offsets);
    lengths(offsets, to);
    put_bytes(to, &values.as_slice()[first..last]);
}

fn take_array(from: &mut Bytes<'_>, deep: usize) -> Result<ArrayRef, Malformed> {
    let deep = deep.checked_sub(1).ok_or_else(|| from.wrong("no list so deep"))?;
    let letter = u8::take(from)?;
    let n = usize::take(from)?;
    Ok(match letter {
        b'B' => take_numbers::<UInt8Type>(from, n)?,
        b'b' => take_numbers::<Int8Type>(from, n)?,
        b'H' => take_numbers::<UInt16Type>(from, n)?,
        b'h' => take_numbers::<Int16Type>(from, n)?,
        b'I' => take_numbers::<UInt32Type>(from, n)?,
        b'i' => take_numbers::<Int32Type>(from, n)?,
        b'Q' => take_numbers::<UInt64Type>(from, n)?,
        b'q' => take_numbers::<Int64Type>(from, n)?,
        b'f' => take_numbers::<Float32Type>(from, n)?,
        b'd' => take_numbers::<Float64Type>(from, n)?,
        b'?' => Arc::new(BooleanArray::from(from.take(n)?.iter().map(|&b| b != 0).collect::<Vec<_>>())),
        b't' => {
            let (offsets, values) = take_pieces(from, n)?;
            let text = StringArray::try_new(offsets, values, None);
            Arc::new(text.map_err(|_| from.wrong("text before this"))?)
        }
        b'y' => {
            let (offsets, values) = take_pieces(from, n)?;
            let bytes = BinaryArray::try_new(offsets, values, None);
            Arc::new(bytes.map_err(|_| from.wrong("bytes before this"))?)
        }
        b'l' => {
            let offsets = take_lengths(from, n)?;
            let values = take_array(from, deep)?;
            if ends(&offsets).1 != values.len() {
                return Err(from.wrong("as many elements as the lists have before this"));
            }
            let list = ListArray::try_new(element(values.data_type().clone()), offsets, values, None);
            Arc::new(list.map_err(|_| from.wrong("a list before this"))?)
        }
        b's' => {
            let members = usize::take(from)?;
            let (mut fields, mut arrays) = (Vec::new(), Vec::new());
            for _ in 0..members {
                let name: String = from.value()?;
                let array = take_array(from, deep)?;
                fields.push(Field::new(name, array.data_type().clone(), false));
                arrays.push(array);
            }
            if arrays.is_empty() || arrays.iter().any(|array| array.len() != n) {
                return Err(from.wrong("members of as many structs before this"));
            }
            let structs = StructArray::try_new(Fields::from(fields), arrays, None);
            Arc::new(structs.map_err(|_| from.wrong("structs before this"))?)
        }
        _ => return Err(from.wrong("the letter of a type before this")),
    })
}

fn take_numbers<T: ArrowPrimitiveType<Native: Element>>(
    from: &mut Bytes<'_>,
    n: usize,
) -> Result<ArrayRef, Malformed> {
    let size = T::Native::SIZE;
    let bytes = from.take(n.checked_mul(size).ok_or_else(|| from.wrong("a smaller number"))?)?;
    let values = bytes.chunks_exact(size).map(|b| T::Native::read(b, Order::Little));
    Ok(Arc::new(PrimitiveArray::<T>::from_iter_values(values)))
}

fn take_lengths(from: &mut Bytes<'_>, n: usize) -> Result<OffsetBuffer<i32>, Malformed> {
    if n > from.left() / 4 {
        return Err(from.wrong("fewer lengths"));
    }
    let mut offsets = Vec::with_capacity(n + 1);
    let mut end = 0_i32;
    offsets.push(end);
    for _ in 0..n {
        let length = i32::take(from)?;
        let next = end.checked_add(length).filter(|_| length >= 0);
        end = next.ok_or_else(|| from.wrong("a smaller length before this"))?;
        offsets.push(end);
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}

fn take_pieces(from: &mut Bytes<'_>, n: usize) -> Result<(OffsetBuffer<i32>, Buffer), Malformed> {
    let offsets = take_lengths(from, n)?;
    let bytes = from.bytes()?;
    if ends(&offsets).1 != bytes.len() {
        return Err(from.wrong("as many bytes as the pieces have before this"));
    }
    Ok((offsets, Buffer::from(bytes)))
}
