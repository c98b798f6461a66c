//! Events: the 16-byte header, and the view of a whole event.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u16 | event id; 0x8000 and above are system events |
//! | 2 | u16 | trigger mask |
//! | 4 | u32 | serial number |
//! | 8 | u32 | time stamp, Unix seconds |
//! | 12 | u32 | data size: bytes of payload behind the header |
//!
//! Little-endian, also where the payload is not. Source: `midas.h`, `EVENT_HEADER`.

use byteorder::{ByteOrder, LittleEndian};
use nom::{IResult, Parser, bytes::complete::take, combinator::map};

use crate::mid::layout::{Area, Banks};

/// Event id of a begin-of-run event; its serial number is the run number.
pub const BOR: u16 = 0x8000;
/// Event id of an end-of-run event.
pub const EOR: u16 = 0x8001;
/// Event id of a message.
pub const MESSAGE: u16 = 0x8002;
/// Trigger mask of BOR and EOR events: "MI" on disk.
pub const MIDAS_MAGIC: u16 = 0x494d;

/// What an event id says about the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Data of the experiment.
    Data,
    /// Begin of run, with the ODB as text.
    Bor,
    /// End of run, with the ODB as text.
    Eor,
    /// A message of the experiment's log.
    Message,
    /// First piece of an event that was too large for the buffer.
    FragmentFirst,
    /// A following piece of such an event.
    FragmentNext,
    /// A system event that this version does not know.
    System,
}

impl Kind {
    /// The kind that `id` stands for.
    #[inline]
    pub fn of(id: u16) -> Kind {
        match id {
            0..0x8000 => Kind::Data,
            BOR => Kind::Bor,
            EOR => Kind::Eor,
            MESSAGE => Kind::Message,
            0xc000..0xd000 => Kind::FragmentFirst,
            0xd000..0xe000 => Kind::FragmentNext,
            _ => Kind::System,
        }
    }
}

/// The header of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Header {
    /// Event id.
    pub id: u16,
    /// Trigger mask.
    pub mask: u16,
    /// Serial number; the run number in BOR and EOR.
    pub serial: u32,
    /// Time stamp [Unix seconds].
    pub time: u32,
    /// Bytes of payload.
    pub size: u32,
}

impl Header {
    /// Bytes of a header.
    pub const SIZE: usize = 16;

    /// Parses a header; the rest of `input` is what follows it.
    ///
    /// # Errors
    /// If there are fewer than [`SIZE`](Header::SIZE) bytes.
    #[inline]
    pub fn parse(input: &[u8]) -> IResult<&[u8], Header> {
        map(take(Header::SIZE), Header::read).parse(input)
    }

    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Header {
        let bytes = &bytes[..Header::SIZE];
        // Two loads, whatever the compiler thinks of it.
        let (first, second) = (LittleEndian::read_u64(&bytes[0..8]), LittleEndian::read_u64(&bytes[8..16]));
        Header {
            id: first as u16,
            mask: (first >> 16) as u16,
            serial: (first >> 32) as u32,
            time: second as u32,
            size: (second >> 32) as u32,
        }
    }

    /// The sixteen bytes of this header.
    #[inline]
    pub fn to_bytes(&self) -> [u8; Header::SIZE] {
        let mut bytes = [0; Header::SIZE];
        LittleEndian::write_u16(&mut bytes[0..2], self.id);
        LittleEndian::write_u16(&mut bytes[2..4], self.mask);
        LittleEndian::write_u32(&mut bytes[4..8], self.serial);
        LittleEndian::write_u32(&mut bytes[8..12], self.time);
        LittleEndian::write_u32(&mut bytes[12..16], self.size);
        bytes
    }

    /// What kind of event this is.
    #[inline]
    pub fn kind(&self) -> Kind {
        Kind::of(self.id)
    }
}

/// A view of one event in a block of bytes. Nothing is copied.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// The header.
    pub header: Header,
    /// The payload: `header.size` bytes.
    pub payload: &'a [u8],
}

impl<'a> EventView<'a> {
    /// Parses the event at the start of `input`; `None` if `input` does not hold all of it.
    #[inline]
    pub fn parse(input: &'a [u8]) -> Option<(EventView<'a>, &'a [u8])> {
        let (head, behind) = input.split_first_chunk::<{ Header::SIZE }>()?;
        let header = Header::read(head);
        let (payload, rest) = behind.split_at_checked(header.size as usize)?;
        Some((EventView { header, payload }, rest))
    }

    /// What kind of event this is.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.header.kind()
    }

    /// The bank area header; `None` for an event without banks (size 0).
    pub fn area(&self) -> Option<Area> {
        Area::parse(self.payload).ok().map(|(_, area)| area)
    }

    /// The banks in order. Only of meaning for data events in the MIDAS format.
    #[inline]
    pub fn banks(&self) -> Banks<'a> {
        Banks::new(self.payload)
    }

    /// The text of a system event (an ODB dump or a message) without the NUL at its end.
    pub fn text(&self) -> &'a [u8] {
        let end = self.payload.iter().position(|&b| b == 0).unwrap_or(self.payload.len());
        &self.payload[..end]
    }
}
