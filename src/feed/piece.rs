//! Whole events that go through the spool together.

use std::time::{Duration, Instant};

use pactolus_formats::Header;
use pactolus_formats::event::Kind;

/// Whole events.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) came: Instant,
    /// A BOR or an EOR, which nobody passes over.
    pub(super) is_boundary: bool,
}

/// Where one piece is small and the next comes soon, they go together.
pub(super) const SMALL: usize = 64 << 10;
const SOON: Duration = Duration::from_millis(5);

impl Piece {
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the first events off, as many as are in so many bytes, and one at least; `None` if that is all.
    pub(super) fn split(&mut self, most: usize) -> Option<Piece> {
        if self.is_boundary || self.bytes.len() <= most {
            return None;
        }
        let begins = places(&self.bytes).map(|(_, at)| at).skip(1);
        let mut first = None;
        for at in begins {
            if first.is_some() && at > most {
                break;
            }
            first = Some(at);
        }
        let rest = self.bytes.split_off(first?);
        let bytes = std::mem::replace(&mut self.bytes, rest);
        Some(Piece { bytes, came: self.came, is_boundary: false })
    }

    /// Whether events that have come then may go with those that are here.
    pub(super) fn takes(&self, bytes: &[u8], came: Instant) -> bool {
        let is_soon = came.saturating_duration_since(self.came) <= SOON;
        !self.is_boundary && is_soon && self.bytes.len() + bytes.len() <= SMALL
    }
}

/// The id under which an event of this id is accounted for, if it is one of data. Of one in pieces it is the
/// first of them that counts.
pub(crate) fn counted_as(id: u16) -> Option<u16> {
    match Kind::of(id) {
        Kind::Data => Some(id),
        Kind::FragmentFirst => Some(id & 0x0fff),
        _ => None,
    }
}

/// The headers of whole events that stand behind one another.
pub(crate) fn headers(bytes: &[u8]) -> impl Iterator<Item = Header> + '_ {
    places(bytes).map(|(header, _)| header)
}

/// ... with where each begins.
pub(crate) fn places(bytes: &[u8]) -> impl Iterator<Item = (Header, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (_, header) = Header::parse(bytes.get(at..)?).ok()?;
        let place = (header, at);
        at = at.saturating_add(Header::SIZE).saturating_add(header.size as usize);
        Some(place)
    })
}
