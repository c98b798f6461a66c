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
    area: Option<Area>,
    rest: &'a [u8],
    form: Form,
}

/// How bank headers are read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Of eight bytes, little-endian: nearly all that was ever written.
    Short,
    /// Of so many bytes, with sizes of 32 bits, little-endian.
    Long(usize),
    /// With care.
    Other,
}

impl Form {
    #[inline]
    fn of(area: &Area) -> Form {
        match (area.order, area.kind()) {
            (Order::Little, BankKind::Bank) => Form::Short,
            (Order::Little, kind) => Form::Long(kind.header_size()),
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
                Banks { payload, form: Form::of(&area), area: Some(area), rest }
            }
            None => Banks { payload, area: None, rest: payload, form: Form::Other },
        }
    }

    /// The header of the area; `None` if the event has no room for one.
    #[inline]
    pub fn area(&self) -> Option<Area> {
        self.area
    }

    /// Where the next bank starts, in bytes from the start of the payload.
    #[inline]
    pub fn position(&self) -> usize {
        self.rest.as_ptr() as usize - self.payload.as_ptr() as usize
    }

    /// The bank of a header of eight bytes, little-endian; `None` where it takes a closer look.
    #[inline]
    fn short(&mut self) -> Option<Bank<'a>> {
        let (head, behind) = self.rest.split_first_chunk::<8>()?;
        let word = u64::from_le_bytes(*head);
        let size = (word >> 48) as usize;
        let (padded, rest) = behind.split_at_checked(size.next_multiple_of(8))?;
        self.rest = rest;
        let name = BankName::new([head[0], head[1], head[2], head[3]]);
        Some(Bank { name, code: (word >> 32) as u32 & 0xffff, data: &padded[..size], order: Order::Little })
    }

    /// The same of a longer header.
    #[inline]
    fn long(&mut self, header: usize) -> Option<Bank<'a>> {
        let (head, behind) = self.rest.split_at_checked(header)?;
        let (name, code) = (BankName::new([head[0], head[1], head[2], head[3]]), &head[4..]);
        let size = LittleEndian::read_u32(&code[4..]) as usize;
        let (padded, rest) = behind.split_at_checked(size.checked_next_multiple_of(8)?)?;
        self.rest = rest;
        let code = LittleEndian::read_u32(code);
        Some(Bank { name, code, data: &padded[..size], order: Order::Little })
    }

    /// Any bank, with care.
    #[inline(never)]
    fn careful(&mut self) -> Option<Result<Bank<'a>, DamageKind>> {
        let Some(area) = self.area else {
            let left = self.rest.len();
            return self.damaged(DamageKind::AreaCutShort { needed: Area::SIZE, left });
        };
        let kind = area.kind();
        let Ok((rest, (name, code, size))) = bank_header(kind, area.order, self.rest) else {
            let left = self.rest.len();
            // Fewer bytes than a header are padding where mana counted one bank header less.
            if left <= 4 {
                self.rest = &self.rest[..0];
                return None;
            }
            return self.damaged(DamageKind::BankHeaderCutShort { needed: kind.header_size(), left });
        };
        let Some(data) = rest.get(..size) else {
            return self.damaged(DamageKind::BankCutShort { bank: name, needed: size, left: rest.len() });
        };
        self.rest = &rest[size.next_multiple_of(8).min(rest.len())..];
        Some(Ok(Bank { name, code, data, order: area.order }))
    }

    #[cold]
    fn damaged(&mut self, kind: DamageKind) -> Option<Result<Bank<'a>, DamageKind>> {
        self.rest = &self.rest[..0];
        Some(Err(kind))
    }
}

impl<'a> Iterator for Banks<'a> {
    type Item = Result<Bank<'a>, DamageKind>;

    // Called from loops over all banks of all events: the fast ways are a few instructions.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let bank = match self.form {
            Form::Short => self.short(),
            Form::Long(header) => self.long(header),
            Form::Other => None,
        };
        match bank {
            Some(bank) => Some(Ok(bank)),
            None => self.careful(),
        }
    }
}
