//! Large events that came in pieces.
//!
//! The first piece has the id of the event with 0xC000 added and a payload of four bytes: the size
//! of the whole payload. Those that follow have 0xD000 added and carry the payload. Header fields
//! are those of the event. Source: `midas.c`, `bm_defragment_event`.

use std::collections::VecDeque;

use crate::event::Kind;
use crate::{Damage, DamageKind, Header};

/// The pieces of one event so far.
#[derive(Clone, Debug)]
struct Open {
    /// Header of the whole event.
    header: Header,
    /// Payload so far.
    payload: Vec<u8>,
    /// First byte of the first piece in the input, and the one behind the last.
    range: (u64, u64),
    /// Number of the first piece in the input.
    event: u64,
}

/// Events that are being put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Fragments {
    open: Vec<Open>,
    /// Events that will never be whole.
    pub(super) lost: VecDeque<Damage>,
}

/// Where a piece stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) event: u64,
    pub(super) compressed_offset: Option<u64>,
}

impl Fragments {
    /// Adds a piece; the event if it is now whole. All pieces together have at most `limit` bytes.
    pub(super) fn add(
        &mut self,
        header: &Header,
        payload: &[u8],
        place: Place,
        limit: usize,
    ) -> Option<Vec<u8>> {
        let id = header.id & 0x0fff;
        let end = place.offset + (Header::SIZE + payload.len()) as u64;
        if header.kind() == Kind::FragmentFirst {
            self.forget(id, place);
            let Ok(bytes) = <[u8; 4]>::try_from(payload) else {
                self.lose(
                    DamageKind::NoHeader { id: header.id, mask: header.mask, size: header.size },
                    place,
                    end,
                );
                return None;
            };
            let size = u32::from_le_bytes(bytes);
            if Header::SIZE + size as usize > limit {
                let claimed = Header::SIZE + size as usize;
                self.lose(DamageKind::EventTooLarge { claimed, limit }, place, end);
                return None;
            }
            let header = Header { id, size, ..*header };
            let range = (place.offset, end);
            self.open.push(Open { header, payload: Vec::new(), range, event: place.event });
            return self.whole(id);
        }
        let waiting: usize = self.open.iter().map(|open| open.payload.len()).sum();
        // Of a stream that leaves events out, the next piece may be that of another event.
        if self.open.iter().any(|open| open.header.id == id && open.header.serial != header.serial) {
            self.forget(id, place);
        }
        let Some(open) = self.open.iter_mut().find(|open| open.header.id == id) else {
            self.lose(DamageKind::StrayFragment { id }, place, end);
            return None;
        };
        open.range.1 = end;
        if open.payload.len() + payload.len() > open.header.size as usize || waiting + payload.len() > limit {
            self.forget(id, place);
            return None;
        }
        open.payload.extend_from_slice(payload);
        self.whole(id)
    }

    fn whole(&mut self, id: u16) -> Option<Vec<u8>> {
        let at = self.open.iter().position(|open| open.header.id == id)?;
        let open = &self.open[at];
        if open.payload.len() < open.header.size as usize {
            return None;
        }
        let open = self.open.remove(at);
        Some([&open.header.to_bytes()[..], &open.payload].concat())
    }

    /// The damage to tell first: this one, unless others were found before.
    pub(super) fn lost_before(&mut self, damage: Damage) -> Damage {
        match self.lost.pop_front() {
            None => damage,
            Some(earlier) => {
                self.lost.push_back(damage);
                earlier
            }
        }
    }

    fn lose(&mut self, kind: DamageKind, place: Place, end: u64) {
        let Place { offset, event, compressed_offset } = place;
        // Neighbours that lack the same are one damage.
        if let Some(before) =
            self.lost.back_mut().filter(|before| before.kind == kind && before.end == offset)
        {
            before.end = end;
            return;
        }
        self.lost.push_back(Damage { kind, offset, end, compressed_offset, compressed_end: None, event });
    }

    /// The event with this id will not be whole.
    fn forget(&mut self, id: u16, place: Place) {
        let Some(at) = self.open.iter().position(|open| open.header.id == id) else { return };
        let Open { header, payload, range, event } = self.open.remove(at);
        let kind = DamageKind::FragmentsMissing { id, needed: header.size as usize, left: payload.len() };
        self.lose(kind, Place { offset: range.0, event, ..place }, range.1);
    }

    /// No more pieces will come: the run or the input ends.
    pub(super) fn end(&mut self, compressed_offset: Option<u64>) {
        while let Some(open) = self.open.first() {
            let place = Place { offset: open.range.0, event: open.event, compressed_offset };
            self.forget(open.header.id, place);
        }
    }
}
