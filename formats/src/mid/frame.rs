//! Where events begin: what makes a header plausible.
//!
//! `.mid` has no marks between events. Whether an event is where it seems to be is told by what
//! it says of itself, by what was seen before, and by what follows it:
//!
//! | an event | vouches for itself if |
//! |---|---|
//! | with banks | its size is that of its bank area |
//! | in FIXED format | its size is that of the events with its id before, its time is near |
//! | BOR, EOR | its mask is `MI` and its text ends with its only NUL |
//! | message | its text ends with its only NUL and its time is near |
//! | empty | its id is known and its time is near |
//!
//! Any other event is believed if behind it the input ends or an event begins: one that vouches
//! for itself, one whose time is near, a BOR or an EOR. A new kind of event with a time that is
//! near is believed too unless another event begins inside of it. *Near* is within a day of the
//! event before, *known* an id that was seen or that is [expected](super::Reader::expect).
//! Sixteen zero bytes are a hole, not an event.
//!
//! After damage, reading goes on at the next place where an event begins that vouches for itself,
//! or has a known id, a size within bounds and a time that is near; and behind it the input ends
//! or another event begins, as above.

use std::collections::HashMap;

use super::layout::Area;
use crate::event::MIDAS_MAGIC;
use crate::{DamageKind, Header, Kind, Order};

/// Seconds by which the times of neighbours may differ.
const NEAR: u32 = 86_400;
/// Bytes up to which an event that contradicts itself is read, in case it is right after all.
const DOUBT: usize = 1 << 20;
/// Bytes that show whether an event begins: a header and the header of a bank area.
const HEAD: usize = Header::SIZE + Area::SIZE;

/// Whether an event with banks has the size that its bank area says.
#[inline]
pub(super) fn fills(payload: &[u8]) -> bool {
    agrees(payload, payload.len())
}

/// Whether a bank area with these first bytes fills a payload of `size` bytes.
#[inline]
fn agrees(body: &[u8], size: usize) -> bool {
    let Ok((_, area)) = Area::parse(body) else { return false };
    area.is_plausible() && area.total as usize + Area::SIZE == size
}

/// What the bytes at some place are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// An event that vouches for itself.
    Sound,
    /// An event of a kind that was not seen before.
    New,
    /// An event that disagrees with what it should be.
    Odd(DamageKind),
    /// No event.
    Not(DamageKind),
}

/// The answer to a question that may need more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// So many bytes from the place in question on.
    More(usize),
}

/// A set of event ids.
#[derive(Clone, Debug)]
struct Ids(Box<[u64; 1024]>);

impl Ids {
    #[inline]
    fn insert(&mut self, id: u16) {
        self.0[usize::from(id >> 6)] |= 1 << (id & 63);
    }

    #[inline]
    fn has(&self, id: u16) -> bool {
        self.0[usize::from(id >> 6)] >> (id & 63) & 1 == 1
    }
}

impl Default for Ids {
    fn default() -> Ids {
        Ids(Box::new([0; 1024]))
    }
}

/// What the events before have taught.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Ids of events with banks.
    banks: Ids,
    /// Other ids that were seen or are expected.
    others: Ids,
    /// Sizes of events in FIXED format, by id.
    fixed: HashMap<u16, u32>,
    /// Time of the last event.
    time: Option<u32>,
    /// Largest event.
    pub(super) limit: usize,
}

impl Known {
    pub(super) fn new(limit: usize) -> Known {
        Known { limit, ..Known::default() }
    }

    pub(super) fn expect(&mut self, id: u16) {
        self.others.insert(id);
    }

    fn has(&self, id: u16) -> bool {
        self.banks.has(id) || self.others.has(id)
    }

    /// Remembers an event whose banks fill it.
    #[inline]
    pub(super) fn note_banks(&mut self, header: &Header) {
        self.banks.insert(header.id);
        self.time = Some(header.time);
    }

    /// Remembers an event of any other kind.
    pub(super) fn note(&mut self, header: &Header, payload: &[u8]) {
        self.others.insert(header.id);
        self.time = Some(header.time);
        let fixed = header.kind() == Kind::Data && !payload.is_empty() && !self.banks.has(header.id);
        if fixed && !is_area(payload) {
            self.fixed.insert(header.id, header.size);
        }
    }

    fn is_near(&self, time: u32) -> bool {
        self.time.is_none_or(|last| last.abs_diff(time) <= NEAR)
    }

    /// What the event with this header and payload is.
    pub(super) fn look(&self, header: &Header, payload: &[u8]) -> Looks {
        let Header { id, mask, time, size, .. } = *header;
        let not = || Looks::Not(DamageKind::NoHeader { id, mask, size });
        let near = self.is_near(time);
        if *header == Header::default() {
            return not();
        }
        let magic = mask == MIDAS_MAGIC;
        // A text ends with its only NUL.
        let ends = || payload.iter().position(|&byte| byte == 0) == payload.len().checked_sub(1);
        let ends = header.kind() != Kind::Data && !payload.is_empty() && ends();
        match header.kind() {
            Kind::Data if fills(payload) => Looks::Sound,
            // An id that was BOR or EOR once.
            Kind::Data if magic => not(),
            Kind::Data => self.look_data(header, payload),
            Kind::Bor | Kind::Eor if magic && ends => Looks::Sound,
            Kind::Bor | Kind::Eor if magic => Looks::Odd(DamageKind::NoHeader { id, mask, size }),
            Kind::Bor | Kind::Eor => not(),
            Kind::Message if ends && near => Looks::Sound,
            Kind::FragmentFirst if size == 4 && near => Looks::Sound,
            _ if near => Looks::New,
            _ => Looks::Odd(DamageKind::NoHeader { id, mask, size }),
        }
    }

    fn look_data(&self, header: &Header, payload: &[u8]) -> Looks {
        let Header { id, mask, time, size, .. } = *header;
        let near = self.is_near(time);
        if let Some(kind) = self.contradiction(header, payload) {
            return Looks::Odd(kind);
        }
        if near && (self.fixed.contains_key(&id) || payload.is_empty() && self.has(id)) {
            return Looks::Sound;
        }
        if near { Looks::New } else { Looks::Odd(DamageKind::NoHeader { id, mask, size }) }
    }

    /// What is wrong with a data event that does not fill its bank area, by its first bytes.
    fn contradiction(&self, header: &Header, payload: &[u8]) -> Option<DamageKind> {
        let (id, claimed) = (header.id, header.size as usize);
        if let Some(&seen) = self.fixed.get(&id) {
            return (seen != header.size).then_some(DamageKind::FixedSize {
                id,
                claimed,
                seen: seen as usize,
            });
        }
        let (_, area) = Area::parse(payload).ok()?;
        if area.is_plausible() {
            let banks = (area.total as usize).saturating_add(Area::SIZE);
            return Some(DamageKind::BankTotal { id, claimed, banks });
        }
        self.banks.has(id).then_some(DamageKind::AreaFlags { flags: area.flags })
    }

    /// Whether it is not worth to gather the body of a large event: its first bytes contradict it.
    pub(super) fn is_hopeless(&self, header: &Header, rest: &[u8]) -> Option<DamageKind> {
        let size = Header::SIZE + header.size as usize;
        let body = rest.get(Header::SIZE..HEAD).filter(|_| size > DOUBT && header.kind() == Kind::Data)?;
        if agrees(body, header.size as usize) { None } else { self.contradiction(header, body) }
    }

    /// Whether an event begins at the first of these bytes, behind one that was taken at `time`.
    /// `last`: no bytes follow.
    pub(super) fn begins(&self, bytes: &[u8], time: u32, last: bool) -> Answer {
        if bytes.len() < HEAD && !last {
            return Answer::More(HEAD);
        }
        let Ok((body, header)) = Header::parse(bytes) else {
            // The end of the input, or a cut header: who knows.
            return Answer::Yes;
        };
        let size = Header::SIZE + header.size as usize;
        if header == Header::default() || size > self.limit {
            return Answer::No;
        }
        let near = |other: u32| other.abs_diff(header.time) <= NEAR;
        let yes = match header.kind() {
            Kind::Bor | Kind::Eor => header.mask == MIDAS_MAGIC,
            kind => {
                let alien = kind == Kind::Data && header.mask == MIDAS_MAGIC;
                let sound = kind == Kind::Data && agrees(body, header.size as usize);
                sound || !alien && (near(time) || self.time.is_some_and(near))
            }
        };
        if yes { Answer::Yes } else { Answer::No }
    }

    /// Whether reading may go on at the first of these bytes, after damage.
    pub(super) fn resumes(&self, bytes: &[u8], last: bool) -> Answer {
        let Ok((rest, header)) = Header::parse(bytes) else {
            return if last { Answer::No } else { Answer::More(Header::SIZE) };
        };
        let size = Header::SIZE + header.size as usize;
        if size > self.limit || header == Header::default() {
            return Answer::No;
        }
        let kind = header.kind();
        // By the first bytes alone: nearly all places end here.
        let known = self.has(header.id) && self.is_near(header.time);
        let sound = match kind {
            Kind::Bor | Kind::Eor => header.mask == MIDAS_MAGIC,
            Kind::Message => self.is_near(header.time),
            Kind::Data if rest.len() < Area::SIZE && !last => return Answer::More(HEAD),
            Kind::Data => {
                agrees(rest, header.size as usize)
                    || known && self.fixed.get(&header.id) == Some(&header.size)
            }
            _ => false,
        };
        if !(sound || known && size <= DOUBT) {
            return Answer::No;
        }
        let Some(payload) = bytes.get(Header::SIZE..size) else {
            return if last { Answer::No } else { Answer::More(size) };
        };
        let good = match self.look(&header, payload) {
            Looks::Sound => true,
            Looks::Not(_) => false,
            _ => known,
        };
        if !good {
            return Answer::No;
        }
        match self.begins(&bytes[size..], header.time, last) {
            Answer::More(more) => Answer::More(size + more),
            answer => answer,
        }
    }

    /// Whether an event that does not vouch for itself is to be believed, where that can be told
    /// without a look for others inside of it. `followed`: another begins behind it.
    pub(super) fn at_a_glance(&self, header: &Header, payload: &[u8], followed: bool) -> Option<bool> {
        match header.kind() {
            // mana's events are up to four bytes longer or shorter than their banks.
            _ if followed && self.own(header, payload).abs_diff(payload.len()) < 8 => Some(true),
            // Pieces of events may well hold events.
            Kind::FragmentNext if followed => Some(true),
            _ if payload.len() > DOUBT => Some(followed),
            // The first of all: nothing speaks for it.
            _ if !followed && self.time.is_none() => Some(false),
            _ => None,
        }
    }

    /// Whether no other event begins inside of the one at the first of these bytes.
    pub(super) fn is_alone(&self, header: &Header, bytes: &[u8], last: bool) -> Answer {
        let size = Header::SIZE + header.size as usize;
        let own = self.own(header, &bytes[Header::SIZE..size]);
        for at in (Header::SIZE + own).min(size)..size {
            match self.resumes(&bytes[at..], last) {
                Answer::No => {}
                Answer::Yes => return Answer::No,
                Answer::More(more) => return Answer::More(at + more),
            }
        }
        Answer::Yes
    }

    /// Bytes of the payload that its own banks claim, if it has any.
    fn own(&self, header: &Header, payload: &[u8]) -> usize {
        let area = Area::parse(payload).ok().map(|(_, area)| area);
        let area = area.filter(|a| a.is_plausible() && header.kind() == Kind::Data);
        let area = area.filter(|_| !self.fixed.contains_key(&header.id));
        area.map_or(0, |area| area.total as usize + Area::SIZE)
    }
}

/// Whether a payload begins like a bank area, if not a whole one.
fn is_area(payload: &[u8]) -> bool {
    Area::parse(payload)
        .is_ok_and(|(_, area)| area.is_plausible() && (area.order == Order::Little || fills(payload)))
}
