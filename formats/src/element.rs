//! Rust types that may be the contents of a bank.

use std::sync::Arc;

use byteorder::{BigEndian, ByteOrder, LittleEndian};

use crate::{Layout, Tid};

/// Byte order of a bank's contents. Headers of events are always little-endian; a payload that
/// came from a big-endian frontend keeps its order in old files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
// As wide as a register: views that have no holes are copied in whole words.
#[repr(u64)]
pub enum Order {
    /// x86 and ARM: all files written today.
    #[default]
    Little,
    /// PowerPC and 68k frontends.
    Big,
}

/// A type that a bank can hold: numbers, `bool`, and structs with `#[derive(Bank)]`.
#[diagnostic::on_unimplemented(
    message = "a bank cannot hold elements of type `{Self}`",
    label = "no element of a bank",
    note = "elements are u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, bool, or a struct with `#[derive(Bank, Clone, Copy)]`",
    note = "a bank of several numbers is a `BankDef` of one of them: `BankDef<f32>`, not `BankDef<Vec<f32>>`"
)]
pub trait Element: Copy + Send + Sync + 'static {
    /// The bank type this Rust type stands for.
    const TID: Tid;
    /// Bytes of one element.
    const SIZE: usize;

    /// Whether a bank of type `tid` can be read as this Rust type.
    fn accepts(tid: Tid) -> bool {
        tid == Self::TID
    }

    /// Reads one element from exactly [`SIZE`](Self::SIZE) bytes.
    fn read(bytes: &[u8], order: Order) -> Self;

    /// Writes one element, little-endian, into exactly [`SIZE`](Self::SIZE) bytes.
    fn write(self, bytes: &mut [u8]);

    /// The members, if this is a struct.
    fn layout() -> Option<Arc<Layout>> {
        None
    }
}

macro_rules! byte_elements {
    ($($t:ty, $tid:ident => $accepts:pat,)*) => {$(
        impl Element for $t {
            const TID: Tid = Tid::$tid;
            const SIZE: usize = 1;
            fn accepts(tid: Tid) -> bool {
                matches!(tid, $accepts)
            }
            #[inline]
            fn read(bytes: &[u8], _: Order) -> Self {
                bytes[0] as $t
            }
            #[inline]
            fn write(self, bytes: &mut [u8]) {
                bytes[0] = self as u8;
            }
        }
    )*};
}

// Types without a Rust twin (CHAR, BITFIELD, text and raw bytes) are read as bytes.
byte_elements! {
    u8, Byte => Tid::Byte | Tid::Char | Tid::Bitfield | Tid::String | Tid::Array,
    i8, Sbyte => Tid::Sbyte,
}

macro_rules! number_elements {
    ($($t:ty, $tid:ident, $size:literal, $read:ident, $write:ident;)*) => {$(
        impl Element for $t {
            const TID: Tid = Tid::$tid;
            const SIZE: usize = $size;
            #[inline]
            fn read(bytes: &[u8], order: Order) -> Self {
                match order {
                    Order::Little => LittleEndian::$read(bytes),
                    Order::Big => BigEndian::$read(bytes),
                }
            }
            #[inline]
            fn write(self, bytes: &mut [u8]) {
                LittleEndian::$write(bytes, self);
            }
        }
    )*};
}

number_elements! {
    u16, Word, 2, read_u16, write_u16;
    i16, Short, 2, read_i16, write_i16;
    u32, Dword, 4, read_u32, write_u32;
    i32, Int, 4, read_i32, write_i32;
    f32, Float, 4, read_f32, write_f32;
    f64, Double, 8, read_f64, write_f64;
    i64, Int64, 8, read_i64, write_i64;
    u64, Uint64, 8, read_u64, write_u64;
}

impl Element for bool {
    const TID: Tid = Tid::Bool;
    const SIZE: usize = 4;
    #[inline]
    fn read(bytes: &[u8], order: Order) -> Self {
        <u32 as Element>::read(bytes, order) != 0
    }
    #[inline]
    fn write(self, bytes: &mut [u8]) {
        Element::write(u32::from(self), bytes);
    }
}

/// A member of a `#[derive(Bank)]` struct: one element, or a fixed array of elements.
#[diagnostic::on_unimplemented(
    message = "a struct with `#[derive(Bank)]` cannot have a member of type `{Self}`",
    label = "no member of a bank's struct",
    note = "members are u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, bool, and arrays of them such as `[f32; 4]`"
)]
pub trait Member: Copy {
    /// Type of one element.
    const TID: Tid;
    /// Elements in this member.
    const COUNT: usize;
    /// Bytes of one element, which is also its alignment.
    const SIZE: usize;
    /// Reads the member from `COUNT * SIZE` bytes.
    fn read(bytes: &[u8], order: Order) -> Self;
    /// Writes the member, little-endian, into `COUNT * SIZE` bytes.
    fn write(self, bytes: &mut [u8]);
}

macro_rules! members {
    ($($t:ty)*) => {$(
        impl Member for $t {
            const TID: Tid = <$t as Element>::TID;
            const COUNT: usize = 1;
            const SIZE: usize = <$t as Element>::SIZE;
            #[inline]
            fn read(bytes: &[u8], order: Order) -> Self {
                Element::read(bytes, order)
            }
            #[inline]
            fn write(self, bytes: &mut [u8]) {
                Element::write(self, bytes);
            }
        }

        impl<const N: usize> Member for [$t; N] {
            const TID: Tid = <$t as Element>::TID;
            const COUNT: usize = N;
            const SIZE: usize = <$t as Element>::SIZE;
            #[inline]
            fn read(bytes: &[u8], order: Order) -> Self {
                std::array::from_fn(|i| Element::read(&bytes[i * <$t as Element>::SIZE..], order))
            }
            #[inline]
            fn write(self, bytes: &mut [u8]) {
                for (value, slot) in self.into_iter().zip(bytes.chunks_exact_mut(<$t as Element>::SIZE)) {
                    Element::write(value, slot);
                }
            }
        }
    )*};
}

members! { u8 i8 u16 i16 u32 i32 f32 f64 i64 u64 bool }
