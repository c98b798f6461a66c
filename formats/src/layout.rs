//! Members of STRUCT banks and FIXED events.
//!
//! Members follow C alignment relative to the start of the structure: a number is aligned to its
//! size, a string to 1, and the whole is padded to its largest alignment. (`mana` aligns strings
//! to up to 8 and counts from the absolute address, which misreads strings that follow numbers and
//! doubles in 32-bit banks.)

use crate::{Order, Tid};

/// One member of a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name as in the ODB or the definition: `Voltage V`.
    pub name: String,
    /// Type of one element.
    pub tid: Tid,
    /// Elements in this member; 1 for a scalar.
    pub count: usize,
    /// Bytes of one element; for STRING and LINK the length of the buffer.
    pub item_size: usize,
    /// First byte, counted from the start of the structure.
    pub offset: usize,
}

impl Field {
    /// Bytes of the whole member.
    pub fn size(&self) -> usize {
        self.count * self.item_size
    }
}

/// The members of a structure with their places.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Layout {
    fields: Vec<Field>,
    size: usize,
    align: usize,
}

impl Layout {
    /// An empty structure.
    pub fn new() -> Layout {
        Layout { fields: Vec::new(), size: 0, align: 1 }
    }

    /// Adds a member behind the others. `string_size` is the buffer length of a STRING or LINK
    /// and ignored for other types.
    pub fn push(&mut self, name: impl Into<String>, tid: Tid, count: usize, string_size: usize) {
        let (item_size, align) = match tid.size() {
            0 => (string_size, 1),
            n => (n, n),
        };
        let offset = self.size_of_members().next_multiple_of(align);
        self.align = self.align.max(align);
        self.fields.push(Field { name: name.into(), tid, count, item_size, offset });
        self.size = self.size_of_members().next_multiple_of(self.align);
    }

    fn size_of_members(&self) -> usize {
        self.fields.last().map_or(0, |f| f.offset + f.size())
    }

    /// The members in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Bytes of one structure, end padding included.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The bytes of member `field` of the structure that starts at `bytes[0]`, or what is there of
    /// them if `bytes` is cut short.
    pub fn slice<'a>(&self, field: &Field, bytes: &'a [u8]) -> &'a [u8] {
        let start = field.offset.min(bytes.len());
        let end = (field.offset + field.size()).min(bytes.len());
        &bytes[start..end]
    }
}

/// Turns the elements of a bank of type `tid` from `order` to little-endian, in place.
/// Bytes, text and structures are left as they are, as MIDAS does.
pub fn to_little(tid: Option<Tid>, order: Order, bytes: &mut [u8]) {
    let unit = tid.map_or(1, Tid::unit);
    if order == Order::Big && unit > 1 {
        bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_follow_c_alignment() {
        // The frontend's struct of bank STC0: 40 bytes (corpus README).
        let mut stc0 = Layout::new();
        stc0.push("b", Tid::Byte, 1, 0);
        stc0.push("x", Tid::Double, 1, 0);
        stc0.push("w word", Tid::Word, 1, 0);
        stc0.push("f", Tid::Float, 2, 0);
        stc0.push("i", Tid::Int, 1, 0);
        stc0.push("s", Tid::String, 1, 8);
        let offsets: Vec<usize> = stc0.fields().iter().map(|f| f.offset).collect();
        assert_eq!(offsets, [0, 8, 16, 20, 28, 32]);
        assert_eq!(stc0.size(), 40);
    }

    #[test]
    fn a_string_needs_no_alignment() {
        let mut fixd = Layout::new();
        fixd.push("On", Tid::Bool, 1, 0);
        fixd.push("Label", Tid::String, 1, 10);
        assert_eq!(fixd.fields()[1].offset, 4);
        assert_eq!(fixd.size(), 16);
    }
}
