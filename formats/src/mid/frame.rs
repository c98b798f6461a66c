//! Where events begin: what makes a header plausible.
//!
//! `.mid` has no marks between events. Whether an event is where it seems to be is told by what
//! it says of itself, by what was seen before, and by what follows it.
//!
//! An event is *timely* if its serial number follows that of the event before with the same id (by
//! less than a thousand; not for id 0), or if its time is within a day of the event before. An id is *known* if
//! it was seen or is [expected](super::Reader::expect).
//!
//! | an event | vouches for itself if |
//! |---|---|
//! | with banks | its size is that of its bank area |
//! | in FIXED format | its size is that of the last event with its id, and it is timely |
//! | BOR, EOR | its mask is `MI`, and its text ends with its only NUL |
//! | message | its text ends with its only NUL, and its time is near |
//! | first fragment | it has four bytes, and its time is near |
//! | empty | its id is known, and it is timely |
//!
//! Any other event is believed if it is *followed*: behind it the input ends, or an event begins
//! that has a bank area of its size, or is timely, or is BOR or EOR with the mask `MI`; or a chain
//! of up to four headers leads to such an event. It must not hold the begin of another event; one
//! that disagrees with its bank area by four bytes, as mana's do, is not searched for that, nor
//! is one of more than 16 MiB. A new kind of event that is timely, and that no other begins inside
//! of, is believed also where nothing follows. A BOR or EOR without the mask needs the text of an
//! ODB dump. Sixteen zero bytes are a hole, not an event.
//!
//! Behind damage, reading goes on at the next place where an event begins that vouches for itself
//! or that has a known id and is timely, and that is followed; or, if it is small, where another
//! event with its id and the next serial number follows. One with a known id that is timely and
//! that its banks fill to the byte needs no follower.
//!
//! An event that vouches for itself may still be cut. If what lies behind it is damage, it is
//! searched for the begin of another event that reaches beyond its end; then it is damage, too.

use std::collections::HashMap;

use super::layout::{Area, Banks};
use crate::event::MIDAS_MAGIC;
use crate::{DamageKind, Header, Kind, Order};

/// Seconds by which the times of neighbours may differ.
const NEAR: u32 = 86_400;
/// Serial numbers that may be missing between neighbours.
const GAP: u32 = 1000;
/// Bytes up to which an event is gathered and searched although much speaks against it.
const DOUBT: usize = 16 << 20;
/// Bytes up to which an event of an unknown kind ends a search for events.
const SMALL: usize = 64 << 10;
/// Bytes that show whether an event begins: a header and the header of a bank area.
const HEAD: usize = Header::SIZE + Area::SIZE;
/// Headers that are looked at behind an event.
const HOPS: usize = 4;
/// Bytes that may be searched for events inside of others, however short the input.
const LOOKS: u64 = 64 << 20;

/// Whether an event with banks has the size that its bank area says.
#[inline]
pub(super) fn fills(payload: &[u8]) -> bool {
    agrees(payload, payload.len())
}

/// Whether a bank area with these first bytes fills a payload of `size` bytes.
#[inline]
fn agrees(body: &[u8], size: usize) -> bool {
    let Some(head) = body.first_chunk::<{ Area::SIZE }>() else { return false };
    let area = Area::read(head);
    area.is_plausible() && area.total as usize + Area::SIZE == size
}

/// What the bytes at some place are.
enum Looks {
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

impl Answer {
    fn of(yes: bool) -> Answer {
        if yes { Answer::Yes } else { Answer::No }
    }

    /// The answer to the same question, asked `bytes` further on.
    pub(super) fn behind(self, bytes: usize) -> Answer {
        match self {
            Answer::More(more) => Answer::More(bytes + more),
            answer => answer,
        }
    }
}

/// Whether an event is one.
pub(super) enum Believe {
    Yes,
    No(DamageKind),
    /// So many bytes from its begin on are needed.
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
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Ids of events with banks.
    banks: Ids,
    /// Other ids that were seen or are expected.
    others: Ids,
    /// The serial number that comes next, by id; 0 if none was seen.
    next: Box<[u32]>,
    /// Sizes of events in FIXED format, by id.
    fixed: HashMap<u16, u32>,
    /// Time of the last event.
    time: Option<u32>,
    /// Bytes that were searched for events inside of others.
    looked: u64,
    /// Largest event.
    pub(super) limit: usize,
}

impl Known {
    pub(super) fn new(limit: usize) -> Known {
        Known {
            banks: Ids::default(),
            others: Ids::default(),
            next: vec![0; 1 << 16].into(),
            fixed: HashMap::new(),
            time: None,
            looked: 0,
            limit,
        }
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
        self.next[usize::from(header.id)] = header.serial.wrapping_add(1);
        self.time = Some(header.time);
    }

    /// Remembers an event of any other kind.
    pub(super) fn note(&mut self, header: &Header, payload: &[u8]) {
        self.others.insert(header.id);
        self.next[usize::from(header.id)] = header.serial.wrapping_add(1);
        self.time = Some(header.time);
        let fixed = header.kind() == Kind::Data && !payload.is_empty() && !self.banks.has(header.id);
        if fixed && !is_area(payload) {
            self.fixed.insert(header.id, header.size);
        }
    }

    fn is_near(&self, time: u32) -> bool {
        self.time.is_none_or(|last| last.abs_diff(time) <= NEAR)
    }

    /// Whether the serial number goes on where the event before with this id stopped.
    fn is_next(&self, header: &Header) -> bool {
        let next = self.next[usize::from(header.id)];
        // Zeros and small numbers are everywhere: they are no evidence for id 0.
        next != 0 && header.id != 0 && header.serial.wrapping_sub(next) < GAP
    }

    fn is_timely(&self, header: &Header) -> bool {
        self.is_near(header.time) || self.is_next(header)
    }

    /// What the event with this header and payload is.
    fn look(&self, header: &Header, payload: &[u8]) -> Looks {
        let Header { id, mask, time, size, .. } = *header;
        let kind = DamageKind::NoHeader { id, mask, size };
        if *header == Header::default() {
            return Looks::Not(kind);
        }
        let near = self.is_near(time);
        match header.kind() {
            Kind::Data if fills(payload) => Looks::Sound,
            Kind::Data => self.look_data(header, payload),
            Kind::Bor | Kind::Eor if mask == MIDAS_MAGIC && is_text(payload) => Looks::Sound,
            Kind::Bor | Kind::Eor if mask == MIDAS_MAGIC || is_dump(payload) => Looks::Odd(kind),
            Kind::Bor | Kind::Eor => Looks::Not(kind),
            Kind::Message if is_text(payload) && near => Looks::Sound,
            Kind::FragmentFirst if size == 4 && near => Looks::Sound,
            _ if self.is_timely(header) => Looks::New,
            _ => Looks::Odd(kind),
        }
    }

    fn look_data(&self, header: &Header, payload: &[u8]) -> Looks {
        let Header { id, mask, size, .. } = *header;
        if let Some(kind) = self.contradiction(header, payload) {
            return Looks::Odd(kind);
        }
        let timely = self.is_timely(header);
        if timely && (self.fixed.contains_key(&id) || payload.is_empty() && self.has(id)) {
            return Looks::Sound;
        }
        if timely && mask != MIDAS_MAGIC {
            return Looks::New;
        }
        Looks::Odd(DamageKind::NoHeader { id, mask, size })
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

    /// Whether the body of a very large event need not be gathered: its first bytes contradict it.
    pub(super) fn is_hopeless(&self, header: &Header, rest: &[u8]) -> Option<DamageKind> {
        let size = header.size as usize;
        let body = rest.get(Header::SIZE..HEAD).filter(|_| size > DOUBT && header.kind() == Kind::Data)?;
        match self.contradiction(header, body)? {
            DamageKind::BankTotal { banks, .. } if banks == size || is_manas(banks, size) => None,
            DamageKind::FixedSize { seen, .. } if size / 16 <= seen => None,
            kind => Some(kind),
        }
    }

    /// Whether the whole event at the first of these bytes, at `offset` in the input, is one.
    /// `last`: no bytes follow.
    #[cold]
    pub(super) fn believe(&mut self, header: &Header, bytes: &[u8], offset: u64, last: bool) -> Believe {
        let size = Header::SIZE + header.size as usize;
        let payload = &bytes[Header::SIZE..size];
        let (doubt, is_new) = match self.look(header, payload) {
            Looks::Sound => return Believe::Yes,
            Looks::Not(kind) => return Believe::No(kind),
            Looks::Odd(kind) => (kind, false),
            Looks::New => {
                (DamageKind::NoHeader { id: header.id, mask: header.mask, size: header.size }, true)
            }
        };
        // An id with the mask of BOR and EOR was one of theirs once, unless others have it too.
        let foreign = header.kind() == Kind::Data && header.mask == MIDAS_MAGIC && !self.is_next(header);
        let follower = match foreign {
            true => precedes(header, bytes, last),
            false => self.leads(&bytes[size..], header, last).behind(size),
        };
        let followed = match follower {
            Answer::More(needed) => return Believe::More(needed),
            answer => answer == Answer::Yes,
        };
        let alone = match header.kind() {
            _ if !(followed || is_new && self.time.is_some()) => false,
            _ if followed && is_manas(self.own(header, payload), payload.len()) => true,
            // Pieces of events may well hold events.
            Kind::FragmentNext if followed => true,
            _ if payload.len() > DOUBT => followed,
            // Who forges doubts gets no more looks than the input is long.
            _ if self.looked > LOOKS + 8 * offset => followed,
            _ => match self.is_alone(header, bytes, last) {
                Answer::More(needed) => return Believe::More(needed),
                answer => {
                    self.looked += size as u64;
                    answer == Answer::Yes
                }
            },
        };
        if alone { Believe::Yes } else { Believe::No(doubt) }
    }

    /// Whether no other event begins inside of the one at the first of these bytes.
    fn is_alone(&self, header: &Header, bytes: &[u8], last: bool) -> Answer {
        let size = Header::SIZE + header.size as usize;
        let own = self.own(header, &bytes[Header::SIZE..size]);
        for at in (Header::SIZE + own).min(size)..size {
            match self.resumes(&bytes[at..], last).behind(at) {
                Answer::No => {}
                Answer::Yes => return Answer::No,
                more => return more,
            }
        }
        Answer::Yes
    }

    /// Bytes of the payload that its own banks claim, if it has any.
    fn own(&self, header: &Header, payload: &[u8]) -> usize {
        let area = Area::parse(payload).ok().map(|(_, area)| area);
        let area = area.filter(|a| a.is_plausible() && header.kind() == Kind::Data);
        let area = area.filter(|_| !self.fixed.contains_key(&header.id));
        area.map_or(0, |area| (area.total as usize).saturating_add(Area::SIZE))
    }

    /// Whether an event begins at the first of these bytes, by its header and the begin of its body.
    /// `before` are events that come before it, the last of them first.
    fn is_likely(&self, header: &Header, body: &[u8], before: &[Header]) -> bool {
        let near = |time: u32| time.abs_diff(header.time) <= NEAR;
        // The last of them is next to it; of those further on only the serial numbers count.
        let timely = self.time.is_some_and(near) || before.first().is_some_and(|b| near(b.time));
        let next = self.is_next(header)
            || before.iter().any(|b| b.id == header.id && header.serial.wrapping_sub(b.serial) == 1);
        match header.kind() {
            Kind::Bor | Kind::Eor => header.mask == MIDAS_MAGIC || timely,
            Kind::Data if agrees(body, header.size as usize) => true,
            Kind::Data if header.mask == MIDAS_MAGIC => next,
            _ => timely || next,
        }
    }

    /// Whether an event begins at the first of these bytes, behind `before`.
    pub(super) fn begins(&self, bytes: &[u8], before: &Header, last: bool) -> Answer {
        if bytes.len() < HEAD && !last {
            return Answer::More(HEAD);
        }
        // The end of the input, or a cut header: who knows.
        let Ok((body, header)) = Header::parse(bytes) else { return Answer::Yes };
        let possible = header != Header::default() && Header::SIZE + header.size as usize <= self.limit;
        Answer::of(possible && self.is_likely(&header, body, &[*before]))
    }

    /// Whether an event begins at the first of these bytes, or a chain of headers that leads to one.
    fn leads(&self, bytes: &[u8], before: &Header, last: bool) -> Answer {
        let mut seen = [*before; HOPS + 1];
        let mut at = 0;
        for hop in 1..=HOPS {
            let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= HEAD || last) else {
                return if last { Answer::No } else { Answer::More(at + HEAD) };
            };
            let Ok((body, header)) = Header::parse(rest) else {
                // The end of the input, or a cut header: who knows.
                return Answer::of(hop == 1);
            };
            let size = Header::SIZE + header.size as usize;
            if header == Header::default() || size > self.limit {
                return Answer::No;
            }
            if self.is_likely(&header, body, &seen[..hop]) {
                return Answer::Yes;
            }
            if size > DOUBT {
                return Answer::No;
            }
            seen[hop] = header;
            at += size;
        }
        Answer::No
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
        // By the first bytes alone: nearly all places end here.
        let kind = header.kind();
        let known = self.has(header.id) && self.is_timely(&header);
        let filled = kind == Kind::Data && agrees(rest, header.size as usize);
        let sound = match kind {
            Kind::Bor | Kind::Eor => header.mask == MIDAS_MAGIC,
            Kind::Message => self.is_near(header.time),
            Kind::Data if rest.len() < Area::SIZE && !last => return Answer::More(HEAD),
            Kind::Data => filled,
            _ => false,
        };
        if !(sound || known && size <= DOUBT) {
            return self.is_row(&header, bytes, last);
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
        if filled && known && Banks::new(payload).all(|bank| bank.is_ok()) && !payload.is_empty() {
            return Answer::Yes;
        }
        self.begins(&bytes[size..], &header, last).behind(size)
    }

    /// Whether a small event of an unknown kind is followed by the next of its kind.
    fn is_row(&self, header: &Header, bytes: &[u8], last: bool) -> Answer {
        let size = Header::SIZE + header.size as usize;
        if header.kind() != Kind::Data || header.size == 0 || size > SMALL || self.has(header.id) {
            return Answer::No;
        }
        precedes(header, bytes, last)
    }

    /// Whether an event begins inside the first `size` of these bytes that reaches beyond them.
    pub(super) fn is_crossed(&self, bytes: &[u8], size: usize, last: bool) -> Answer {
        let mut at = HEAD;
        // Others lead here.
        let mut led = false;
        // Padding may stand for the first bytes of a header that has lost its own.
        while at + HEAD <= size || led && at < size {
            match self.resumes(&bytes[at..], last).behind(at) {
                Answer::No => (at, led) = (at + 1, false),
                Answer::Yes => {
                    let header = Header::read(&bytes[at..]);
                    let end = at + Header::SIZE + header.size as usize;
                    // Weaker evidence than this must not speak against an event that is sound.
                    let strong = match header.kind() {
                        Kind::Data => agrees(&bytes[at + Header::SIZE..], header.size as usize),
                        kind => matches!(kind, Kind::Bor | Kind::Eor),
                    };
                    match strong {
                        true if end > size => return Answer::Yes,
                        true => (at, led) = (end, true),
                        false => (at, led) = (at + 1, false),
                    }
                }
                more => return more,
            }
        }
        Answer::No
    }
}

/// Whether a payload begins like a bank area, if not a whole one.
fn is_area(payload: &[u8]) -> bool {
    let area = Area::parse(payload).ok().map(|(_, area)| area).filter(Area::is_plausible);
    area.is_some_and(|area| area.order == Order::Little || fills(payload))
}

/// Whether the event at the first of these bytes is followed by the next with its id.
fn precedes(header: &Header, bytes: &[u8], last: bool) -> Answer {
    let size = Header::SIZE + header.size as usize;
    let Some(behind) = bytes.get(size..size + Header::SIZE) else {
        return if last { Answer::No } else { Answer::More(size + Header::SIZE) };
    };
    let next = Header::read(behind);
    let alike = next.id == header.id && (next.mask == header.mask || next.size == header.size);
    Answer::of(alike && next.serial.wrapping_sub(header.serial) == 1)
}

/// Whether an event is four bytes longer or shorter than its banks, as mana's are.
fn is_manas(banks: usize, claimed: usize) -> bool {
    banks.abs_diff(claimed) == 4
}

/// Whether a text ends with its only NUL.
fn is_text(payload: &[u8]) -> bool {
    !payload.is_empty() && payload.iter().position(|&byte| byte == 0) == payload.len().checked_sub(1)
}

/// Whether a text may be an ODB dump, or none.
fn is_dump(payload: &[u8]) -> bool {
    let end = payload.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let text = payload[..end].trim_ascii_start();
    matches!(text.first(), None | Some(b'<' | b'{' | b'['))
        && !text.iter().take(1 << 16).any(|&byte| byte == 0)
}
