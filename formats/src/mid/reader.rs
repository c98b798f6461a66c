//! Bytes to blocks of whole events.

use std::io;

use super::fragments::{Fragments, Place};
use super::frame::{Answer, Known, Looks, fills};
use crate::event::{Header, Kind, MIDAS_MAGIC};
use crate::{ByteSource, Damage, DamageKind, EventView, Limits};

/// A stretch of whole events, in the order of the input. Its memory is reused.
#[derive(Clone, Debug, Default)]
pub struct Block {
    buffer: Vec<u8>,
    len: usize,
    /// Where the first byte stands in the uncompressed input.
    pub offset: u64,
    /// Number of the first event in its input, counted from 1.
    pub first: u64,
    /// How many events the block holds.
    pub count: u64,
    /// How many of them are data events.
    pub data: u64,
}

impl Block {
    /// An empty block.
    pub fn new() -> Block {
        Block::default()
    }

    /// The bytes of the events.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// The events in order.
    pub fn events(&self) -> impl Iterator<Item = EventView<'_>> {
        let mut rest = self.bytes();
        std::iter::from_fn(move || {
            let (event, behind) = EventView::parse(rest)?;
            rest = behind;
            Some(event)
        })
    }

    /// Adds the events of the block that follows this one in the input.
    pub fn append(&mut self, next: &Block) {
        self.buffer.truncate(self.len);
        self.buffer.extend_from_slice(next.bytes());
        self.len = self.buffer.len();
        self.count += next.count;
        self.data += next.data;
    }

    /// Takes the last event away.
    pub fn pop(&mut self) {
        let Some(last) = self.events().last() else { return };
        let (size, data) = (Header::SIZE + last.payload.len(), u64::from(last.header.id < 0x8000));
        self.len -= size;
        self.count -= 1;
        self.data -= data;
    }

    /// Empties the block for events that begin at `offset`, of which `first` is the number.
    pub(crate) fn begin(&mut self, offset: u64, first: u64) {
        (self.offset, self.first, self.count, self.data, self.len) = (offset, first, 0, 0, 0);
    }

    /// Adds the event that `write` appends; none if it fails.
    pub(crate) fn push<E>(
        &mut self,
        data: bool,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.buffer.truncate(self.len);
        write(&mut self.buffer)?;
        self.len = self.buffer.len();
        self.count += 1;
        self.data += u64::from(data);
        Ok(())
    }
}

/// Why a block ends where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is as large as asked for.
    Full,
    /// It consists of a begin-of-run event, or the next block does.
    Bor,
    /// Its last event is an end-of-run event.
    Eor,
    /// The input ended.
    End,
    /// Broken bytes behind it were left out. The next block begins where reading goes on.
    Damaged(Damage),
}

/// Reads blocks of events from `.mid` bytes, and goes on behind broken ones.
///
/// ```
/// use pactolus_formats::mid::{Block, Reader, Stop};
/// let file: &[u8] = &[1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// let mut reader = Reader::new(file);
/// let mut block = Block::new();
/// assert_eq!(reader.read(&mut block, 1 << 20).unwrap(), Stop::End);
/// assert_eq!(block.events().next().unwrap().header.serial, 7);
/// ```
pub struct Reader<R> {
    input: R,
    limits: Limits,
    known: Known,
    /// `None`: pieces of events are left as they are.
    fragments: Option<Fragments>,
    /// Bytes that were read behind the last block's end.
    carry: Vec<u8>,
    offset: u64,
    number: u64,
    /// Nothing follows what has been read.
    ended: bool,
    /// What broke off the compressed stream; it may go on behind.
    broken: Option<String>,
    /// Bytes that were searched for events inside of others.
    looked: u64,
    /// Bytes asked from the input at a time: fewer behind damage, where much of them is copied
    /// each time.
    pace: usize,
}

/// Bytes asked from the input at a time.
const STEP: usize = 1 << 20;
/// The same after damage.
const SEARCH: usize = 1 << 16;
/// Bytes that may be searched for events inside of others, however short the input.
const LOOKS: u64 = 64 << 20;

impl<R: ByteSource> Reader<R> {
    /// A reader with the default limits. It puts events together that came in fragments.
    pub fn new(input: R) -> Reader<R> {
        let limits = Limits::default();
        Reader {
            input,
            limits,
            known: Known::new(limits.event),
            fragments: Some(Fragments::default()),
            carry: Vec::new(),
            offset: 0,
            number: 1,
            ended: false,
            broken: None,
            looked: 0,
            pace: STEP,
        }
    }

    /// Sets what to believe.
    pub fn with_limits(mut self, limits: Limits) -> Reader<R> {
        self.limits = limits;
        self.known.limit = limits.event;
        self
    }

    /// Leaves fragments of events as they are.
    pub fn with_fragments(mut self) -> Reader<R> {
        self.fragments = None;
        self
    }

    /// Says which event ids are defined: after damage, reading goes on at events with ids that are
    /// defined or were seen.
    pub fn expect(&mut self, ids: impl IntoIterator<Item = u16>) {
        ids.into_iter().for_each(|id| self.known.expect(id));
    }

    /// The input, for its progress.
    pub fn input(&self) -> &R {
        &self.input
    }

    /// Fills `block` with whole events of about `target` bytes in all.
    ///
    /// A begin-of-run event is a block of its own, an end-of-run event is the last of its block.
    /// The sizes of blocks follow from the input and `target` alone.
    ///
    /// # Errors
    /// Those of the operating system. Broken and cut compressed streams are [`Stop::Damaged`].
    pub fn read(&mut self, block: &mut Block, target: usize) -> io::Result<Stop> {
        block.begin(self.offset, self.number);
        if let Some(lost) = self.fragments.as_mut().and_then(|f| f.lost.pop_front()) {
            return Ok(Stop::Damaged(lost));
        }
        if block.buffer.len() < self.carry.len() {
            block.buffer.resize(self.carry.len(), 0);
        }
        block.buffer[..self.carry.len()].copy_from_slice(&self.carry);
        block.len = self.carry.len();
        self.carry.clear();

        let mut end = 0;
        let stop = loop {
            match self.step(block, &mut end, target) {
                Scan::Stop(stop) => break Ok(stop),
                Scan::Piece(size) => {
                    if self.piece(block, size) {
                        return Ok(Stop::Full);
                    }
                }
                Scan::Lost(kind) => break Err(kind),
                Scan::More(_) if self.ended => match self.at_end(&block.buffer[end..block.len]) {
                    None => break Ok(Stop::End),
                    Some(kind) => break Err(kind),
                },
                Scan::More(needed) => {
                    let missing = needed - (block.len - end);
                    let up_to = block.len + missing.max(target.saturating_sub(block.len)).min(self.pace);
                    self.fill(&mut block.buffer, &mut block.len, up_to)?;
                    self.pace = (2 * self.pace).min(STEP);
                }
            }
        };
        self.carry.extend_from_slice(&block.buffer[end..block.len]);
        block.len = end;
        self.offset += end as u64;
        self.number += block.count;
        let stop = match stop {
            Ok(stop) => stop,
            Err(kind) => {
                let damage = self.search(kind)?;
                // What is owed of earlier places comes first, wherever the block ends.
                Stop::Damaged(match &mut self.fragments {
                    Some(fragments) => fragments.lost_before(damage),
                    None => damage,
                })
            }
        };
        if let (Stop::End, Some(fragments)) = (&stop, &mut self.fragments) {
            fragments.end(self.input.compressed_offset());
            if let Some(lost) = fragments.lost.pop_front() {
                return Ok(Stop::Damaged(lost));
            }
        }
        Ok(stop)
    }

    /// Reads more bytes behind the first `len`. A broken stream ends like any other, for now.
    fn fill(&mut self, buffer: &mut Vec<u8>, len: &mut usize, up_to: usize) -> io::Result<()> {
        if buffer.len() < up_to {
            buffer.resize(up_to, 0);
        }
        loop {
            match self.input.read(&mut buffer[*len..up_to]) {
                Ok(0) => self.ended = true,
                Ok(n) => *len += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if is_damage(&e) => {
                    self.ended = true;
                    self.broken = Some(e.to_string());
                }
                Err(e) => return Err(e),
            }
            return Ok(());
        }
    }

    /// Steps over whole events from `end` on.
    fn step(&mut self, block: &mut Block, end: &mut usize, target: usize) -> Scan {
        loop {
            let rest = &block.buffer[*end..block.len];
            if rest.len() < Header::SIZE {
                return Scan::More(Header::SIZE);
            }
            let header = Header::read(rest);
            let size = Header::SIZE + header.size as usize;
            if size > self.limits.event {
                return Scan::Lost(DamageKind::EventTooLarge { claimed: size, limit: self.limits.event });
            }
            // A block may exceed its target by one event, never by more.
            if header.kind() == Kind::Bor && block.count > 0 && header.mask == MIDAS_MAGIC {
                return Scan::Stop(Stop::Bor);
            }
            let Some(payload) = rest.get(Header::SIZE..size) else {
                return match self.known.is_hopeless(&header, rest) {
                    Some(kind) => Scan::Lost(kind),
                    None => Scan::More(size),
                };
            };
            let kind = header.kind();
            let piece = self.fragments.is_some() && matches!(kind, Kind::FragmentFirst | Kind::FragmentNext);
            // Before it is believed: what is learnt from it must not speak against it the next time.
            if piece && block.count > 0 {
                return Scan::Stop(Stop::Full);
            }
            if kind == Kind::Data && fills(payload) {
                self.known.note_banks(&header);
            } else {
                match self.believe(&header, rest, block.offset + *end as u64) {
                    Believe::Yes => self.known.note(&header, payload),
                    Believe::More(needed) => return Scan::More(needed),
                    Believe::No(kind) => return Scan::Lost(kind),
                }
            }
            if piece {
                return Scan::Piece(size);
            }
            if let (Kind::Bor | Kind::Eor, Some(fragments)) = (kind, &mut self.fragments) {
                fragments.end(self.input.compressed_offset());
            }
            *end += size;
            block.count += 1;
            block.data += u64::from(header.id < 0x8000);
            match kind {
                Kind::Bor => return Scan::Stop(Stop::Bor),
                Kind::Eor => return Scan::Stop(Stop::Eor),
                _ if *end >= target => return Scan::Stop(Stop::Full),
                _ => {}
            }
        }
    }

    /// Whether the whole event at the first of these bytes, at `offset` in the input, is one.
    #[cold]
    fn believe(&mut self, header: &Header, rest: &[u8], offset: u64) -> Believe {
        let size = Header::SIZE + header.size as usize;
        let (looks, last) = (self.known.look(header, &rest[Header::SIZE..size]), self.ended);
        let doubt = match &looks {
            Looks::Sound => return Believe::Yes,
            Looks::Not(kind) => return Believe::No(kind.clone()),
            Looks::Odd(kind) => kind.clone(),
            Looks::New => DamageKind::NoHeader { id: header.id, mask: header.mask, size: header.size },
        };
        let followed = match self.known.begins(&rest[size..], header.time, last) {
            Answer::Yes => true,
            Answer::No if looks != Looks::New => return Believe::No(doubt),
            Answer::No => false,
            Answer::More(more) => return Believe::More(size + more),
        };
        let alone = match self.known.at_a_glance(header, &rest[Header::SIZE..size], followed) {
            Some(alone) => alone,
            // Who forges doubts gets no more looks than the input is long.
            None if self.looked > LOOKS + 8 * offset => followed,
            None => match self.known.is_alone(header, rest, last) {
                Answer::More(needed) => return Believe::More(needed),
                answer => {
                    self.looked += size as u64;
                    answer == Answer::Yes
                }
            },
        };
        if alone { Believe::Yes } else { Believe::No(doubt) }
    }

    /// Takes a piece of an event from the front of a block that is empty otherwise. Whether the
    /// event is now whole: then it is the block, and what follows is left for the next.
    fn piece(&mut self, block: &mut Block, size: usize) -> bool {
        let Some(fragments) = &mut self.fragments else { return false };
        let header = Header::read(&block.buffer);
        let compressed_offset = self.input.compressed_offset();
        let place = Place { offset: self.offset, event: self.number, compressed_offset };
        let payload = &block.buffer[Header::SIZE..size];
        let whole = fragments.add(&header, payload, place, self.limits.event);
        self.offset += size as u64;
        self.number += 1;
        if let Some(event) = whole {
            self.carry.extend_from_slice(&block.buffer[size..block.len]);
            block.buffer.clear();
            block.buffer.extend_from_slice(&event);
            (block.len, block.count, block.data) = (event.len(), 1, 1);
            return true;
        }
        block.buffer.copy_within(size..block.len, 0);
        block.len -= size;
        (block.offset, block.first) = (self.offset, self.number);
        false
    }

    /// Why no event is behind the last whole one, where the bytes end; `None` if all is well.
    fn at_end(&self, rest: &[u8]) -> Option<DamageKind> {
        if let Some(why) = &self.broken {
            return Some(DamageKind::Compression(why.clone()));
        }
        if rest.is_empty() {
            return None;
        }
        Some(if rest.len() < Header::SIZE {
            DamageKind::HeaderCutShort { needed: Header::SIZE, left: rest.len() }
        } else {
            let needed = Header::read(rest).size as usize;
            DamageKind::BodyCutShort { needed, left: rest.len() - Header::SIZE }
        })
    }

    /// Goes to the next place where an event begins, or to the end.
    fn search(&mut self, kind: DamageKind) -> io::Result<Damage> {
        self.pace = SEARCH;
        let compressed_offset = self.input.compressed_offset();
        let (offset, event) = (self.offset, self.number);
        let mut window = std::mem::take(&mut self.carry);
        let mut len = window.len();
        // An event that was cut may well be followed by another, but it is none itself.
        let mut at = len.min(1);
        loop {
            let mut answer = Answer::More(0);
            while at < len {
                answer = self.known.resumes(&window[at..len], self.ended);
                if answer != Answer::No {
                    break;
                }
                at += 1;
            }
            if answer == Answer::Yes {
                break;
            }
            window.copy_within(at..len, 0);
            len -= at;
            self.offset += at as u64;
            at = 0;
            if !self.ended {
                let up_to = len + SEARCH;
                self.fill(&mut window, &mut len, up_to)?;
            } else if self.broken.take().is_some() && self.input.resume()? {
                self.offset += len as u64;
                len = 0;
                self.ended = false;
            } else {
                self.offset += len as u64;
                len = 0;
                break;
            }
        }
        self.offset += at as u64;
        self.carry.extend_from_slice(&window[at..len]);
        Ok(Damage { kind, offset, end: self.offset, compressed_offset, event })
    }
}

enum Scan {
    Stop(Stop),
    /// The first event of the block is a piece of so many bytes.
    Piece(usize),
    /// Broken bytes follow the last whole event.
    Lost(DamageKind),
    /// So many bytes from the last whole event's end on are needed.
    More(usize),
}

enum Believe {
    Yes,
    No(DamageKind),
    /// So many bytes from the event's begin on are needed.
    More(usize),
}

/// Whether an error comes from the compressed bytes rather than from the system.
fn is_damage(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}
