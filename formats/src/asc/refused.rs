//! What the text does not hold.

use std::fmt;

use crate::{BankName, Tid};

/// Why a bank or an event was left out: its text is whole, but does not hold its value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// MIDAS has no text for values of this type, or knows no such type.
    NoText(Option<Tid>),
    /// A STRUCT bank or a FIXED event that nobody defines.
    Undefined,
    /// The definition is not that of the text.
    Definition {
        /// What the definition asks for.
        wanted: String,
        /// What the text has.
        found: String,
    },
    /// A STRING or LINK bank of several lines: `mana` prints one for each byte, all but the first
    /// from memory behind the bank.
    Lines(u64),
    /// A STRING or LINK whose text is longer than the value.
    LongText {
        /// Bytes of the value.
        room: usize,
        /// Bytes of the text.
        found: usize,
    },
    /// A STRING or LINK bank of which the text is a small part.
    Padding {
        /// Bytes of the bank.
        claimed: usize,
        /// Bytes of the text.
        found: usize,
    },
    /// A CHAR with NULs and newlines among its values: some empty lines may be either.
    Newlines,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoText(Some(tid)) => write!(f, "the text holds no values of type {tid}"),
            Reason::NoText(None) => write!(f, "the text holds no values of an unknown type"),
            Reason::Undefined => write!(f, "no definition of its members"),
            Reason::Definition { wanted, found } => {
                write!(f, "the definition asks for {wanted}, the text has {found}")
            }
            Reason::Lines(lines) => {
                write!(f, "{lines} lines for one text: only the first is known to be its value")
            }
            Reason::LongText { room, found } => write!(f, "a text of {found} bytes in a value of {room}"),
            Reason::Padding { claimed, found } => {
                write!(f, "a value of {claimed} bytes with a text of only {found}")
            }
            Reason::Newlines => write!(f, "empty lines that may be newlines or NULs"),
        }
    }
}

/// A bank that was left out of its event, or a FIXED event that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The bank; `None` if it is all of a FIXED event.
    pub bank: Option<BankName>,
    /// Event id.
    pub id: u16,
    /// Serial number of the event.
    pub serial: u32,
    /// Number of the event in its input, counted from 1.
    pub event: u64,
    /// First byte of the bank or event, counted in the uncompressed stream.
    pub offset: u64,
    /// Its line, counted from 1.
    pub line: u64,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { bank, id, serial, event, offset, line, reason } = self;
        match bank {
            Some(bank) => write!(f, "bank {bank} refused: ")?,
            None => write!(f, "FIXED event refused: ")?,
        }
        write!(f, "{reason}, line {line} at byte {offset}, event {event} (id {id} serial {serial})")
    }
}

/// The account of what was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Banks left out of their events.
    pub banks: u64,
    /// FIXED events left out.
    pub events: u64,
    /// The first of each event id, bank and kind of reason; at most 16.
    pub first: Vec<Refusal>,
}

impl Refusals {
    /// How many are kept one by one.
    const KEPT: usize = 16;

    /// Banks and events together.
    pub fn count(&self) -> u64 {
        self.banks + self.events
    }

    pub(super) fn add(&mut self, refusal: Refusal) {
        match refusal.bank {
            Some(_) => self.banks += 1,
            None => self.events += 1,
        }
        self.keep(refusal);
    }

    /// Moves all of `other` here.
    pub(super) fn take(&mut self, other: &mut Refusals) {
        self.banks += std::mem::take(&mut other.banks);
        self.events += std::mem::take(&mut other.events);
        other.first.drain(..).for_each(|refusal| self.keep(refusal));
    }

    fn keep(&mut self, refusal: Refusal) {
        let like = |kept: &Refusal| {
            (kept.id, kept.bank) == (refusal.id, refusal.bank)
                && std::mem::discriminant(&kept.reason) == std::mem::discriminant(&refusal.reason)
        };
        if self.first.len() < Refusals::KEPT && !self.first.iter().any(like) {
            self.first.push(refusal);
        }
    }

    pub(super) fn clear(&mut self) {
        (self.banks, self.events) = (0, 0);
        self.first.clear();
    }
}
