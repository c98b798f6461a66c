//! Growing vectors of elements.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, ListArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, MutableBuffer, OffsetBuffer, ScalarBuffer};

use super::shape::{element, is_array};
use crate::{Element, Field, Order, Tid};

/// The elements of one type, or a number of texts.
pub(super) enum Cells {
    /// As they lie in the memory of this machine.
    Numbers {
        tid: Tid,
        /// The logarithm of the size of one, for there are no divisions for each bank then.
        shift: u32,
        bytes: MutableBuffer,
    },
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
    fn new(pieces: usize, bytes: usize) -> Pieces {
        let mut offsets = Vec::with_capacity(pieces + 1);
        offsets.push(0);
        Pieces { offsets, bytes: Vec::with_capacity(bytes) }
    }

    fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        // Callers keep each column of a batch below 2 GB.
        self.offsets.push(self.bytes.len() as i32);
    }

    fn anew(&self) -> Pieces {
        Pieces::new(self.offsets.len(), self.bytes.len())
    }
}

impl Cells {
    pub(super) fn new(tid: Tid) -> Cells {
        match tid {
            Tid::Bool => Cells::Bool(BooleanBufferBuilder::new(0)),
            Tid::Char | Tid::String | Tid::Link => Cells::Text(Pieces::new(0, 0)),
            Tid::Array | Tid::Struct | Tid::Key => Cells::Bytes(Pieces::new(0, 0)),
            tid => Cells::Numbers { tid, shift: tid.size().trailing_zeros(), bytes: MutableBuffer::new(0) },
        }
    }

    /// The same, empty, with room for as many.
    pub(super) fn anew(&self) -> Cells {
        match self {
            Cells::Numbers { tid, shift, bytes } => {
                Cells::Numbers { tid: *tid, shift: *shift, bytes: MutableBuffer::new(bytes.len()) }
            }
            Cells::Bool(v) => Cells::Bool(BooleanBufferBuilder::new(v.len())),
            Cells::Text(p) => Cells::Text(p.anew()),
            Cells::Bytes(p) => Cells::Bytes(p.anew()),
        }
    }

    /// Number of elements or texts.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Cells::Numbers { shift, bytes, .. } => bytes.len() >> shift,
            Cells::Bool(v) => v.len(),
            Cells::Text(p) | Cells::Bytes(p) => p.offsets.len() - 1,
        }
    }

    /// Adds the whole elements in `data`, or `data` as one piece.
    #[inline]
    pub(super) fn extend(&mut self, data: &[u8], order: Order) {
        match self {
            Cells::Numbers { shift, bytes, .. } => {
                let size = 1 << *shift;
                let whole = &data[..data.len() & !(size - 1)];
                if size == 1 || (order == Order::Little) == cfg!(target_endian = "little") {
                    bytes.extend_from_slice(whole);
                } else {
                    swap(bytes, whole, size);
                }
            }
            Cells::Bool(v) => data.chunks_exact(4).for_each(|b| v.append(bool::read(b, order))),
            Cells::Text(p) | Cells::Bytes(p) => p.push(data),
        }
    }

    /// The array of all elements; none is null. Text that is not UTF-8 comes as bytes.
    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Cells::Numbers { tid, bytes, .. } => match tid {
                Tid::Sbyte => numbers::<Int8Type>(bytes),
                Tid::Word => numbers::<UInt16Type>(bytes),
                Tid::Short => numbers::<Int16Type>(bytes),
                Tid::Dword => numbers::<UInt32Type>(bytes),
                Tid::Int => numbers::<Int32Type>(bytes),
                Tid::Float => numbers::<Float32Type>(bytes),
                Tid::Double => numbers::<Float64Type>(bytes),
                Tid::Int64 => numbers::<Int64Type>(bytes),
                Tid::Uint64 => numbers::<UInt64Type>(bytes),
                _ => numbers::<UInt8Type>(bytes),
            },
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

/// Adds elements of `size` bytes whose order is not this machine's.
fn swap(to: &mut MutableBuffer, data: &[u8], size: usize) {
    let start = to.len();
    to.extend_from_slice(data);
    to[start..].chunks_exact_mut(size).for_each(<[u8]>::reverse);
}

fn numbers<T: ArrowPrimitiveType>(bytes: MutableBuffer) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(Buffer::from(bytes)), None))
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

    /// The same, empty, with room for as many.
    pub(super) fn anew(&self) -> MemberCells {
        MemberCells { field: self.field.clone(), cells: self.cells.anew() }
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
