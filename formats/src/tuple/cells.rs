//! Growing vectors of elements.

use std::sync::Arc;

use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, ListArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, OffsetBuffer, ScalarBuffer};

use super::shape::{element, is_array};
use crate::{Element, Field, Order, Tid};

/// The elements of one type, or a number of texts.
pub(super) enum Cells {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bool(BooleanBufferBuilder),
    Text(Pieces),
    Bytes(Pieces),
}

/// Byte strings, one behind the other.
pub(super) struct Pieces {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

impl Pieces {
    fn new() -> Pieces {
        Pieces { offsets: vec![0], bytes: Vec::new() }
    }

    fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        // Callers keep each column of a batch below 2 GB.
        self.offsets.push(self.bytes.len() as i32);
    }
}

impl Cells {
    pub(super) fn new(tid: Tid) -> Cells {
        match tid {
            Tid::Byte | Tid::Bitfield => Cells::U8(Vec::new()),
            Tid::Sbyte => Cells::I8(Vec::new()),
            Tid::Word => Cells::U16(Vec::new()),
            Tid::Short => Cells::I16(Vec::new()),
            Tid::Dword => Cells::U32(Vec::new()),
            Tid::Int => Cells::I32(Vec::new()),
            Tid::Bool => Cells::Bool(BooleanBufferBuilder::new(0)),
            Tid::Float => Cells::F32(Vec::new()),
            Tid::Double => Cells::F64(Vec::new()),
            Tid::Int64 => Cells::I64(Vec::new()),
            Tid::Uint64 => Cells::U64(Vec::new()),
            Tid::Char | Tid::String | Tid::Link => Cells::Text(Pieces::new()),
            Tid::Array | Tid::Struct | Tid::Key => Cells::Bytes(Pieces::new()),
        }
    }

    /// Number of elements or texts.
    pub(super) fn len(&self) -> usize {
        match self {
            Cells::U8(v) => v.len(),
            Cells::I8(v) => v.len(),
            Cells::U16(v) => v.len(),
            Cells::I16(v) => v.len(),
            Cells::U32(v) => v.len(),
            Cells::I32(v) => v.len(),
            Cells::U64(v) => v.len(),
            Cells::I64(v) => v.len(),
            Cells::F32(v) => v.len(),
            Cells::F64(v) => v.len(),
            Cells::Bool(v) => v.len(),
            Cells::Text(p) | Cells::Bytes(p) => p.offsets.len() - 1,
        }
    }

    /// Adds the whole elements in `data`, or `data` as one piece.
    pub(super) fn extend(&mut self, data: &[u8], order: Order) {
        match self {
            Cells::U8(v) => v.extend_from_slice(data),
            Cells::I8(v) => v.extend(data.iter().map(|&b| b as i8)),
            Cells::U16(v) => numbers(v, data, order),
            Cells::I16(v) => numbers(v, data, order),
            Cells::U32(v) => numbers(v, data, order),
            Cells::I32(v) => numbers(v, data, order),
            Cells::U64(v) => numbers(v, data, order),
            Cells::I64(v) => numbers(v, data, order),
            Cells::F32(v) => numbers(v, data, order),
            Cells::F64(v) => numbers(v, data, order),
            Cells::Bool(v) => data.chunks_exact(4).for_each(|b| v.append(bool::read(b, order))),
            Cells::Text(p) | Cells::Bytes(p) => p.push(data),
        }
    }

    /// The array of all elements; none is null. Text that is not UTF-8 comes as bytes.
    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Cells::U8(v) => Arc::new(PrimitiveArray::<UInt8Type>::from(v)),
            Cells::I8(v) => Arc::new(PrimitiveArray::<Int8Type>::from(v)),
            Cells::U16(v) => Arc::new(PrimitiveArray::<UInt16Type>::from(v)),
            Cells::I16(v) => Arc::new(PrimitiveArray::<Int16Type>::from(v)),
            Cells::U32(v) => Arc::new(PrimitiveArray::<UInt32Type>::from(v)),
            Cells::I32(v) => Arc::new(PrimitiveArray::<Int32Type>::from(v)),
            Cells::U64(v) => Arc::new(PrimitiveArray::<UInt64Type>::from(v)),
            Cells::I64(v) => Arc::new(PrimitiveArray::<Int64Type>::from(v)),
            Cells::F32(v) => Arc::new(PrimitiveArray::<Float32Type>::from(v)),
            Cells::F64(v) => Arc::new(PrimitiveArray::<Float64Type>::from(v)),
            Cells::Bool(mut v) => Arc::new(BooleanArray::new(v.finish(), None)),
            Cells::Bytes(p) => {
                let (offsets, bytes) = p.buffers();
                Arc::new(BinaryArray::new(offsets, bytes, None))
            }
            Cells::Text(p) => {
                let (offsets, bytes) = p.buffers();
                match StringArray::try_new(offsets.clone(), bytes.clone(), None) {
                    Ok(text) => Arc::new(text),
                    Err(_) => Arc::new(BinaryArray::new(offsets, bytes, None)),
                }
            }
        }
    }
}

impl Pieces {
    fn buffers(self) -> (OffsetBuffer<i32>, Buffer) {
        (OffsetBuffer::new(ScalarBuffer::from(self.offsets)), Buffer::from_vec(self.bytes))
    }
}

/// One member of many structs.
pub(super) struct MemberCells {
    field: Field,
    cells: Cells,
}

impl MemberCells {
    pub(super) fn new(field: &Field) -> MemberCells {
        MemberCells { field: field.clone(), cells: Cells::new(field.tid) }
    }

    pub(super) fn field(&self) -> &Field {
        &self.field
    }

    /// Adds the member of one struct from exactly its bytes.
    pub(super) fn push(&mut self, data: &[u8], order: Order) {
        match self.field.tid {
            Tid::String | Tid::Link => {
                let size = self.field.item_size;
                for i in 0..self.field.count {
                    self.cells.extend(to_nul(&data[i * size..][..size]), order);
                }
            }
            Tid::Char => self.cells.extend(without_nuls(data), order),
            _ => self.cells.extend(data, order),
        }
    }

    /// The array of this member: one value per struct.
    pub(super) fn finish(self) -> ArrayRef {
        let values = self.cells.finish();
        if is_array(&self.field) {
            let count = self.field.count;
            let offsets = OffsetBuffer::from_repeated_length(count, values.len() / count);
            Arc::new(ListArray::new(element(values.data_type().clone()), offsets, values, None))
        } else {
            values
        }
    }
}

/// What stands before the first NUL.
pub(super) fn to_nul(data: &[u8]) -> &[u8] {
    &data[..data.iter().position(|&b| b == 0).unwrap_or(data.len())]
}

/// `data` without the NULs at its end. CHAR has no terminator: a NUL between others is data.
pub(super) fn without_nuls(data: &[u8]) -> &[u8] {
    &data[..data.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1)]
}

#[inline]
fn numbers<T: Element>(to: &mut Vec<T>, data: &[u8], order: Order) {
    // The order is taken out of the loop so that it becomes a plain copy on this machine.
    match order {
        Order::Little => to.extend(data.chunks_exact(T::SIZE).map(|b| T::read(b, Order::Little))),
        Order::Big => to.extend(data.chunks_exact(T::SIZE).map(|b| T::read(b, Order::Big))),
    }
}
