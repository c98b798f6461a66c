//! Values as bytes and back: for files of our own, which one process writes and another reads.
//!
//! Everything is little-endian, one value behind the other, without names:
//!
//! | value | bytes |
//! |---|---|
//! | `u8` to `u64` | 1 to 8; `usize` is 8 |
//! | `bool` | 1: 0 or 1 |
//! | `String`, [`put_bytes`] | 8 for the length, and that many |
//! | `Vec` | 8 for the number, and the items |
//! | `Option` | 1: 0 or 1, and the item |
//! | struct | its fields in order, see [`record!`](crate::record) |
//! | enum | 1 for the choice, and its fields |
//!
//! Whoever reads has checked that the bytes are those that were written; a claim that does not fit
//! is an error all the same, and nothing is allocated for it.

use crate::asc::{Reason, Refusal, Refusals};
use crate::{BankName, Damage, DamageKind, Tid};

/// The bytes are not those of the value that was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} wanted at byte {offset}")]
pub struct Malformed {
    /// What should stand there.
    pub wanted: &'static str,
    /// Where, counted from the first byte that was given.
    pub offset: usize,
}

/// Bytes that are taken one value after the other.
#[derive(Clone, Debug)]
pub struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    /// All of these.
    pub fn new(all: &'a [u8]) -> Bytes<'a> {
        Bytes { all, at: 0 }
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.all.len() - self.at
    }

    /// Takes the next `n` bytes.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        if n > self.left() {
            return Err(self.wrong("more bytes"));
        }
        self.at += n;
        Ok(&self.all[self.at - n..self.at])
    }

    /// Takes what [`put_bytes`] has put.
    ///
    /// # Errors
    /// If there are fewer bytes than it says.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let n = usize::take(self)?;
        self.take(n)
    }

    /// Takes a value.
    ///
    /// # Errors
    /// If it is none.
    pub fn value<T: Wire>(&mut self) -> Result<T, Malformed> {
        T::take(self)
    }

    /// All bytes were taken.
    ///
    /// # Errors
    /// If some are left.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.left() == 0 { Ok(()) } else { Err(self.wrong("the end")) }
    }

    /// Something else is wanted here.
    pub fn wrong(&self, wanted: &'static str) -> Malformed {
        Malformed { wanted, offset: self.at }
    }
}

/// Adds bytes with their length.
pub fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    bytes.len().put(to);
    to.extend_from_slice(bytes);
}

/// A value that has bytes.
pub trait Wire: Sized {
    /// Adds its bytes.
    fn put(&self, to: &mut Vec<u8>);

    /// Takes it from its bytes.
    ///
    /// # Errors
    /// If the bytes are not of such a value.
    fn take(from: &mut Bytes<'_>) -> Result<Self, Malformed>;
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl Wire for $t {
            #[inline]
            fn put(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn take(from: &mut Bytes<'_>) -> Result<$t, Malformed> {
                let (bytes, mut own) = (from.take(size_of::<$t>())?, [0; size_of::<$t>()]);
                own.copy_from_slice(bytes);
                Ok(<$t>::from_le_bytes(own))
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, i32);

impl Wire for usize {
    fn put(&self, to: &mut Vec<u8>) {
        (*self as u64).put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<usize, Malformed> {
        usize::try_from(u64::take(from)?).map_err(|_| from.wrong("a smaller number"))
    }
}

impl Wire for bool {
    fn put(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }

    fn take(from: &mut Bytes<'_>) -> Result<bool, Malformed> {
        match u8::take(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(from.wrong("0 or 1")),
        }
    }
}

impl Wire for String {
    fn put(&self, to: &mut Vec<u8>) {
        put_bytes(to, self.as_bytes());
    }

    fn take(from: &mut Bytes<'_>) -> Result<String, Malformed> {
        let text = std::str::from_utf8(from.bytes()?).map(str::to_owned);
        text.map_err(|_| from.wrong("text before this"))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.is_some().put(to);
        self.iter().for_each(|value| value.put(to));
    }

    fn take(from: &mut Bytes<'_>) -> Result<Option<T>, Malformed> {
        Ok(if bool::take(from)? { Some(T::take(from)?) } else { None })
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.len().put(to);
        self.iter().for_each(|value| value.put(to));
    }

    fn take(from: &mut Bytes<'_>) -> Result<Vec<T>, Malformed> {
        let count = usize::take(from)?;
        // An item has one byte at least.
        if count > from.left() {
            return Err(from.wrong("fewer items"));
        }
        // The room follows the bytes that are there, not the claim.
        let mut all = Vec::with_capacity(count.min(from.left() / size_of::<T>().max(1)));
        for _ in 0..count {
            all.push(T::take(from)?);
        }
        Ok(all)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
        self.1.put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<(A, B), Malformed> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

impl Wire for BankName {
    fn put(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.bytes());
    }

    fn take(from: &mut Bytes<'_>) -> Result<BankName, Malformed> {
        let mut name = [0; 4];
        name.copy_from_slice(from.take(4)?);
        Ok(BankName::new(name))
    }
}

impl Wire for Tid {
    fn put(&self, to: &mut Vec<u8>) {
        self.code().put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Tid, Malformed> {
        Tid::from_bank_code(u32::take(from)?).ok_or_else(|| from.wrong("a type before this"))
    }
}

/// Makes a struct [`Wire`](crate::wire::Wire), by its fields in this order. All of them are named:
/// one that is added later is an error of the compiler here.
///
/// ```
/// use pactolus_formats::wire::{Bytes, Wire};
/// #[derive(Debug, PartialEq)]
/// struct Place { line: u64, text: String }
/// pactolus_formats::record!(Place { line, text });
///
/// let place = Place { line: 7, text: "here".into() };
/// let mut bytes = Vec::new();
/// place.put(&mut bytes);
/// assert_eq!(Bytes::new(&bytes).value(), Ok(place));
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! record {
    ($name:ty { $($field:ident),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, to: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($crate::wire::Wire::put($field, to);)*
            }
            fn take(from: &mut $crate::wire::Bytes<'_>) -> Result<Self, $crate::wire::Malformed> {
                Ok(Self { $($field: $crate::wire::Wire::take(from)?),* })
            }
        }
    };
}

/// The same for an enum, with a number for each choice.
macro_rules! choice {
    ($name:ident { $($tag:literal $variant:ident $({ $($field:ident),* })? $(( $only:ident ))?,)* }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, to: &mut Vec<u8>) {
                match self {$(
                    $name::$variant $({ $($field),* })? $(( $only ))? => {
                        to.push($tag);
                        $($($crate::wire::Wire::put($field, to);)*)?
                        $($crate::wire::Wire::put($only, to);)?
                    }
                )*}
            }
            fn take(from: &mut $crate::wire::Bytes<'_>) -> Result<$name, $crate::wire::Malformed> {
                match u8::take(from)? {
                    $($tag => {
                        $($(let $field = $crate::wire::Wire::take(from)?;)*)?
                        $(let $only = $crate::wire::Wire::take(from)?;)?
                        Ok($name::$variant $({ $($field),* })? $(( $only ))?)
                    })*
                    _ => Err(from.wrong(concat!("a choice of ", stringify!($name), " before this"))),
                }
            }
        }
    };
}
#[cfg(feature = "tuple")]
pub(crate) use choice;

choice!(DamageKind {
    0 HeaderCutShort { needed, left },
    1 BodyCutShort { needed, left },
    2 EventTooLarge { claimed, limit },
    3 NoHeader { id, mask, size },
    4 BankTotal { id, claimed, banks },
    5 FixedSize { id, claimed, seen },
    6 Crossed { id, size },
    7 StrayFragment { id },
    8 FragmentsMissing { id, needed, left },
    9 AreaCutShort { needed, left },
    10 AreaFlags { flags },
    11 BankHeaderCutShort { needed, left },
    12 BankCutShort { bank, needed, left },
    13 Line { line, offset, bank, wanted, found },
    14 LineTooLong { limit },
    15 TextCutShort,
    16 Compression(text),
});

record!(Damage { kind, offset, end, compressed_offset, compressed_end, event });

choice!(Reason {
    0 NoText(tid),
    1 Undefined,
    2 Definition { wanted, found },
    3 Lines(lines),
    4 LongText { room, found },
    5 Padding { claimed, found },
    6 Newlines,
});

record!(Refusal { bank, id, serial, event, offset, line, reason });
record!(Refusals { banks, events, first });

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test may panic
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// A value comes back; no beginning of its bytes is one, and no length in them is believed.
    fn check<T: Wire + Debug + PartialEq>(value: T) {
        let mut bytes = Vec::new();
        value.put(&mut bytes);
        let mut from = Bytes::new(&bytes);
        assert_eq!(from.value::<T>().unwrap(), value);
        from.end().unwrap();
        for cut in 0..bytes.len() {
            assert!(Bytes::new(&bytes[..cut]).value::<T>().is_err(), "{value:?} cut at {cut}");
        }
        for place in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[place] ^= 0xff;
            let _ = Bytes::new(&broken).value::<T>();
        }
    }

    #[test]
    fn values_come_back_and_cut_ones_do_not() {
        let kind = |kind| Damage {
            kind,
            offset: 1 << 40,
            end: 9,
            compressed_offset: Some(3),
            compressed_end: None,
            event: 7,
        };
        check(kind(DamageKind::TextCutShort));
        check(kind(DamageKind::Compression("broken".into())));
        check(kind(DamageKind::BankCutShort { bank: BankName::new(*b"ADC0"), needed: 9, left: 8 }));
        check(kind(DamageKind::Line {
            line: 7,
            offset: 8,
            bank: None,
            wanted: "a number".into(),
            found: "é".into(),
        }));
        let refusal = |reason| Refusal {
            bank: Some(BankName::new(*b"TEXT")),
            id: 1,
            serial: 2,
            event: 3,
            offset: 4,
            line: 5,
            reason,
        };
        let first = vec![refusal(Reason::NoText(Some(Tid::Struct))), refusal(Reason::Lines(8))];
        check(Refusals { banks: 5, events: 6, first });
        check(vec![(String::new(), true), ("a".into(), false)]);
    }

    #[test]
    fn a_count_that_cannot_be_is_refused_before_there_is_room_for_it() {
        let bytes = u64::MAX.to_le_bytes();
        assert_eq!(Bytes::new(&bytes).value::<Vec<u64>>().unwrap_err().wanted, "fewer items");
        assert_eq!(Bytes::new(&bytes).bytes().unwrap_err().wanted, "more bytes");
        assert_eq!(Bytes::new(&[2]).value::<bool>().unwrap_err().offset, 1);
    }
}
