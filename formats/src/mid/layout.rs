//! The bank area of a data event.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u32 | total: bytes of all banks with headers and padding, these eight not counted |
//! | 4 | u32 | flags: 0x01 BANK, 0x11 BANK32, 0x31 BANK32A |
//!
//! | kind | name | type | size | reserved | header |
//! |---|---|---|---|---|---|
//! | BANK | char\[4] | u16 | u16 | - | 8 bytes |
//! | BANK32 | char\[4] | u32 | u32 | - | 12 bytes |
//! | BANK32A | char\[4] | u32 | u32 | u32 | 16 bytes |
//!
//! `size` counts the data without the padding that fills it up to a multiple of 8. A bank may be
//! empty, a name may occur twice, and padding holds old memory. Files written by `mana` with
//! BANK32 banks may end 4 bytes before the padded end of their last bank, so the walk ends where
//! the event ends.
//!
//! Flags that read 0x10000 or more are those of a big-endian frontend: then all of the payload is
//! big-endian.

use byteorder::{BigEndian, ByteOrder, LittleEndian};
use nom::{IResult, Parser, bytes::complete::take, combinator::map};

use crate::{Bank, BankName, DamageKind, Order};

/// Which of the three bank headers an event uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BankKind {
    /// 16-bit type and size.
    Bank,
    /// 32-bit type and size.
    Bank32,
    /// 32-bit type and size, data aligned to 8 bytes.
    Bank32A,
}

impl BankKind {
    /// The kind that `flags` stand for: the bit of 64-bit alignment is tested first.
    #[inline]
    pub const fn of(flags: u32) -> BankKind {
        if flags & 0x20 != 0 {
            BankKind::Bank32A
        } else if flags & 0x10 != 0 {
            BankKind::Bank32
        } else {
            BankKind::Bank
        }
    }

    /// The flags that a writer sets.
    pub const fn flags(self) -> u32 {
        match self {
            BankKind::Bank => 0x01,
            BankKind::Bank32 => 0x11,
            BankKind::Bank32A => 0x31,
        }
    }

    /// Bytes of a bank header.
    #[inline]
    pub const fn header_size(self) -> usize {
        match self {
            BankKind::Bank => 8,
            BankKind::Bank32 => 12,
            BankKind::Bank32A => 16,
        }
    }

    /// The largest bank that fits.
    pub const fn max_bank(self) -> usize {
        match self {
            BankKind::Bank => u16::MAX as usize,
            BankKind::Bank32 | BankKind::Bank32A => i32::MAX as usize,
        }
    }
}

/// The eight bytes before the first bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Bytes of all banks with headers and padding, as the file claims.
    pub total: u32,
    /// Format flags.
    pub flags: u32,
    /// Byte order of the payload.
    pub order: Order,
}

impl Area {
    /// Bytes of the area's header.
    pub const SIZE: usize = 8;

    /// Parses the header of the area; the rest is its banks.
    ///
    /// # Errors
    /// If there are fewer than [`SIZE`](Area::SIZE) bytes.
    #[inline]
    pub fn parse(input: &[u8]) -> IResult<&[u8], Area> {
        map(take(Area::SIZE), Area::read).parse(input)
    }

    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Area {
        let word = LittleEndian::read_u64(bytes);
        let flags = (word >> 32) as u32;
        if flags < 0x10000 {
            Area { total: word as u32, flags, order: Order::Little }
        } else {
            let (total, flags) = (BigEndian::read_u32(&bytes[0..4]), BigEndian::read_u32(&bytes[4..8]));
            Area { total, flags, order: Order::Big }
        }
    }

    /// Which bank headers follow.
    #[inline]
    pub fn kind(&self) -> BankKind {
        BankKind::of(self.flags)
    }

    /// Whether the flags are ones that a MIDAS writer sets.
    #[inline]
    pub fn is_plausible(&self) -> bool {
        matches!(self.flags, 0x01 | 0x11 | 0x31)
    }
}

/// Name, type and size of one bank.
fn bank_header(kind: BankKind, order: Order, input: &[u8]) -> IResult<&[u8], (BankName, u32, usize)> {
    map(take(kind.header_size()), |b: &[u8]| {
        let name = BankName::new([b[0], b[1], b[2], b[3]]);
        match (kind, order) {
            (BankKind::Bank, Order::Little) => {
                (name, u32::from(LittleEndian::read_u16(&b[4..6])), LittleEndian::read_u16(&b[6..8]) as usize)
            }
            (BankKind::Bank, Order::Big) => {
                (name, u32::from(BigEndian::read_u16(&b[4..6])), BigEndian::read_u16(&b[6..8]) as usize)
            }
            (_, Order::Little) => {
                (name, LittleEndian::read_u32(&b[4..8]), LittleEndian::read_u32(&b[8..12]) as usize)
            }
            (_, Order::Big) => (name, BigEndian::read_u32(&b[4..8]), BigEndian::read_u32(&b[8..12]) as usize),
        }
    })
    .parse(input)
}

/// The banks of one event, in order. Ends after the first damage.
#[derive(Clone, Debug)]
pub struct Banks<'a> {
    payload: &'a [u8],
    rest: &'a [u8],
    form: Form,
}

/// How bank headers are read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Of eight bytes, little-endian: nearly all that was ever written.
    Short,
    /// Of twelve bytes with sizes of 32 bits, little-endian.
    Long,
    /// The same of sixteen bytes.
    Wide,
    /// With care.
    Other,
}

impl Form {
    #[inline]
    fn of(area: &Area) -> Form {
        match (area.order, area.kind()) {
            (Order::Little, BankKind::Bank) => Form::Short,
            (Order::Little, BankKind::Bank32) => Form::Long,
            (Order::Little, BankKind::Bank32A) => Form::Wide,
            (Order::Big, _) => Form::Other,
        }
    }
}

impl<'a> Banks<'a> {
    /// The banks of `payload`; none if it is empty.
    #[inline]
    pub fn new(payload: &'a [u8]) -> Banks<'a> {
        match payload.split_first_chunk::<{ Area::SIZE }>() {
            Some((head, rest)) => {
                let area = Area::read(head);
                // What the area claims and what the event holds differ in files written by mana.
                let rest = &rest[..rest.len().min(area.total as usize)];
                Banks { payload, form: Form::of(&area), rest }
            }
            None => Banks { payload, rest: payload, form: Form::Other },
        }
    }

    /// The header of the area; `None` if the event has no room for one.
    #[inline]
    pub fn area(&self) -> Option<Area> {
        self.payload.first_chunk::<{ Area::SIZE }>().map(|head| Area::read(head))
    }

    /// Where the next bank starts, in bytes from the start of the payload.
    #[inline]
    pub fn position(&self) -> usize {
        self.rest.as_ptr() as usize - self.payload.as_ptr() as usize
    }
}

/// A bank and what follows it.
type Split<'a> = (Bank<'a>, &'a [u8]);

/// The bank of a header of eight bytes, little-endian; `None` where it takes a closer look.
#[inline]
fn short(rest: &[u8]) -> Option<Split<'_>> {
    let (head, behind) = rest.split_first_chunk::<8>()?;
    let word = u64::from_le_bytes(*head);
    let size = (word >> 48) as usize;
    let (padded, rest) = behind.split_at_checked(size.next_multiple_of(8))?;
    let name = BankName::new([head[0], head[1], head[2], head[3]]);
    let code = (word >> 32) as u32 & 0xffff;
    Some((Bank { name, code, data: &padded[..size], order: Order::Little }, rest))
}

/// The same of a longer header.
#[inline]
fn long(rest: &[u8], header: usize) -> Option<Split<'_>> {
    let (head, behind) = rest.split_at_checked(header)?;
    let name = BankName::new([head[0], head[1], head[2], head[3]]);
    let code = LittleEndian::read_u32(&head[4..]);
    let size = LittleEndian::read_u32(&head[8..]) as usize;
    let (padded, rest) = behind.split_at_checked(size.checked_next_multiple_of(8)?)?;
    Some((Bank { name, code, data: &padded[..size], order: Order::Little }, rest))
}

/// Any bank, with care; `None` behind the last. Damage is boxed so that it takes no room in the loops
/// over sound banks.
#[cold]
#[inline(never)]
fn careful<'a>(payload: &[u8], rest: &'a [u8]) -> Result<Option<Split<'a>>, Box<DamageKind>> {
    let left = rest.len();
    let Some(head) = payload.first_chunk::<{ Area::SIZE }>() else {
        return Err(Box::new(DamageKind::AreaCutShort { needed: Area::SIZE, left }));
    };
    let area = Area::read(head);
    let kind = area.kind();
    let Ok((behind, (name, code, size))) = bank_header(kind, area.order, rest) else {
        // Fewer bytes than a header are padding where mana counted one bank header less.
        if left <= 4 {
            return Ok(None);
        }
        return Err(Box::new(DamageKind::BankHeaderCutShort { needed: kind.header_size(), left }));
    };
    let Some(data) = behind.get(..size) else {
        return Err(Box::new(DamageKind::BankCutShort { bank: name, needed: size, left: behind.len() }));
    };
    let rest = &behind[size.next_multiple_of(8).min(behind.len())..];
    Ok(Some((Bank { name, code, data, order: area.order }, rest)))
}

impl<'a> Iterator for Banks<'a> {
    type Item = Result<Bank<'a>, DamageKind>;

    // Called from loops over all banks of all events: the fast ways are a few instructions.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let quick = match self.form {
            Form::Short => short(self.rest),
            Form::Long => long(self.rest, 12),
            Form::Wide => long(self.rest, 16),
            Form::Other => None,
        };
        if let Some((bank, rest)) = quick {
            self.rest = rest;
            return Some(Ok(bank));
        }
        // By value: what is lent to a function that is not inlined stays in memory.
        match careful(self.payload, self.rest) {
            Ok(Some((bank, rest))) => {
                self.rest = rest;
                Some(Ok(bank))
            }
            Ok(None) => {
                self.rest = &self.rest[..0];
                None
            }
            Err(kind) => {
                self.rest = &self.rest[..0];
                Some(Err(*kind))
            }
        }
    }
}
