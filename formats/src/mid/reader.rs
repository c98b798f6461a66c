//! Bytes to blocks of whole events.

use std::io;

use super::fragments::{Fragments, Place};
use super::frame::{Answer, Believe, Known, fills};
use super::window::Read;
use super::{Block, Window};
use crate::compress::waits;
use crate::event::{Header, Kind, MIDAS_MAGIC};
use crate::{ByteSource, Damage, DamageKind, Limits};

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
    /// Nothing more has come yet: the input said [`WouldBlock`](io::ErrorKind::WouldBlock). The block may
    /// be empty. The next read goes on, also with a search for events behind broken bytes.
    Pause,
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
    /// Bytes behind the last block's end.
    window: Window,
    offset: u64,
    number: u64,
    /// A block ends before the event of this number.
    stop: Option<u64>,
    /// Nothing follows what has been read.
    ended: bool,
    /// What broke off the compressed stream; it may go on behind.
    broken: Option<String>,
    /// Damage whose end is still looked for.
    search: Option<Damage>,
    /// The last block ended because nothing more had come.
    paused: bool,
    /// Bytes come as whole events.
    comes_whole: bool,
}

/// Bytes by which a block may exceed its target where it is not clear that an event follows.
const SLACK: usize = 16 << 20;

impl<R: ByteSource> Reader<R> {
    /// A reader with the default limits. It puts events together that came in fragments.
    pub fn new(input: R) -> Reader<R> {
        let limits = Limits::default();
        Reader {
            input,
            limits,
            known: Known::new(limits.event),
            fragments: Some(Fragments::default()),
            window: Window::default(),
            offset: 0,
            number: 1,
            stop: None,
            ended: false,
            broken: None,
            search: None,
            paused: false,
            comes_whole: false,
        }
    }

    /// Sets what to believe.
    pub fn with_limits(mut self, limits: Limits) -> Reader<R> {
        self.limits = limits;
        self.known.limit = limits.event;
        self
    }

    /// Leaves fragments of events as they are.
    pub fn keep_fragments(mut self) -> Reader<R> {
        self.fragments = None;
        self
    }

    /// Says that the input gives whole events: where nothing more has come, one that does not vouch for itself
    /// does not wait for the next.
    pub fn comes_whole(mut self) -> Reader<R> {
        self.comes_whole = true;
        self
    }

    /// Says which event ids are defined: after damage, reading goes on at events with ids that are
    /// defined or were seen.
    pub fn expect(&mut self, ids: impl IntoIterator<Item = u16>) {
        ids.into_iter().for_each(|id| self.known.expect(id));
    }

    /// After [`Stop::Pause`]: the event that waits for what follows it to be believed, with its payload,
    /// if all its bytes and no others have come behind the last block. Whoever knows that nothing will
    /// follow, as behind an end-of-run event, may let the input end: then the next read gives the event,
    /// or says what is wrong with it.
    ///
    /// `None` if nothing is left, or only a part of an event, or more than one. What vouches for itself
    /// does not wait, except behind damage, whose end it may be: then it is the event where reading would
    /// go on.
    pub fn waiting(&self) -> Option<(Header, &[u8])> {
        let rest = self.paused.then(|| self.window.rest())?;
        let resumes = |at: &usize| self.known.resumes(&rest[*at..], true) == Answer::Yes;
        let from = match &self.search {
            None => 0,
            Some(_) => (0..rest.len()).find(resumes)?,
        };
        let (payload, header) = Header::parse(&rest[from..]).ok()?;
        (payload.len() == header.size as usize).then_some((header, payload))
    }

    /// Ends a block before the event of this number, counted from 1 as [`Block::first`] is; `None`: before
    /// no special one. The block may be empty. A number that is not behind the next event means nothing.
    pub fn stop_before(&mut self, event: Option<u64>) {
        self.stop = event;
    }

    /// The number of the next event, counted from 1.
    pub fn next_number(&self) -> u64 {
        self.number
    }

    /// What is left behind the last block: how many bytes, and the header with which they begin, if it is there.
    pub fn left(&self) -> (usize, Option<Header>) {
        let rest = self.window.rest();
        (rest.len(), Header::parse(rest).ok().map(|(_, header)| header))
    }

    /// The input, for its progress.
    pub fn input(&self) -> &R {
        &self.input
    }

    /// Fills `block` with whole events of about `target` bytes in all.
    ///
    /// A begin-of-run event is a block of its own, an end-of-run event is the last of its block.
    /// The sizes of blocks follow from the input and `target` alone, unless the input says with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) that nothing more has come: then the block ends behind the
    /// last event that vouches for itself or is vouched for ([`Stop::Pause`]). It is believed, whatever
    /// comes behind it; but if damage has come already, it waits until that tells whether it is cut.
    ///
    /// # Errors
    /// Those of the operating system. Broken and cut compressed streams are [`Stop::Damaged`].
    pub fn read(&mut self, block: &mut Block, target: usize) -> io::Result<Stop> {
        let stop = self.next(block, target)?;
        self.paused = stop == Stop::Pause;
        Ok(stop)
    }

    fn next(&mut self, block: &mut Block, target: usize) -> io::Result<Stop> {
        block.begin(self.offset, self.number);
        if let Some(lost) = self.fragments.as_mut().and_then(|f| f.lost.pop_front()) {
            return Ok(Stop::Damaged(lost));
        }
        if let Some(damage) = &self.search {
            block.begin(damage.offset, self.number);
            return self.seek();
        }
        // Nothing more has come: what vouches for itself is not to wait for what follows.
        let mut paused = false;
        let mut end = 0;
        // Where the last event begins, if it vouches for itself.
        let mut last = None;
        let stop = loop {
            let lost = match self.step(block, &mut end, &mut last, target, paused) {
                Scan::Stop(stop) => break Ok(stop),
                Scan::Piece(size) => {
                    self.piece(block, size);
                    if block.count > 0 || self.stop == Some(self.number) {
                        return Ok(Stop::Full);
                    }
                    if let Some(lost) = self.fragments.as_mut().and_then(|f| f.lost.pop_front()) {
                        return Ok(Stop::Damaged(lost));
                    }
                    continue;
                }
                Scan::Lost(kind) => kind,
                Scan::More(_) if self.ended => match self.at_end(end) {
                    None => break Ok(Stop::End),
                    Some(kind) => kind,
                },
                Scan::More(_) if paused => break Ok(Stop::Pause),
                Scan::More(needed) => {
                    paused = !self.fill((end + needed).max(target))?;
                    continue;
                }
            };
            // An event may vouch for itself and still be cut: then it holds the begin of another,
            // which reaches beyond its end.
            let Some(start) = last else { break Err(lost) };
            let rest = self.window.rest();
            let header = Header::read(&rest[start..]);
            let crossed = match self.known.begins(&rest[end..], &header, self.ended).behind(end - start) {
                Answer::Yes => Answer::No,
                Answer::No => self.known.is_crossed(&rest[start..], end - start, self.ended),
                more => more,
            };
            let crossed = match crossed {
                Answer::No => break Err(lost),
                // Not handed on, so that the question comes again.
                Answer::More(_) if paused => Ok(Stop::Pause),
                Answer::More(needed) => {
                    paused = !self.fill(start + needed)?;
                    continue;
                }
                Answer::Yes => Err(DamageKind::Crossed { id: header.id, size: header.size }),
            };
            end = start;
            block.count -= 1;
            block.data -= 1;
            break crossed;
        };
        block.take(&mut self.window, end);
        self.offset += end as u64;
        self.number += block.count;
        let stop = match stop {
            Ok(stop) => stop,
            Err(kind) => {
                self.begin_search(kind);
                return self.seek();
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

    /// Reads more, up to `wanted` bytes in all; whether anything has come. A broken stream ends like any
    /// other, for now.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        match self.window.fill(&mut self.input, wanted)? {
            Read::More => {}
            Read::Nothing => return Ok(false),
            Read::End => self.ended = true,
            Read::Broken(why) => {
                self.ended = true;
                self.broken = Some(why);
            }
        }
        Ok(true)
    }

    /// Steps over whole events from `end` on. `paused`: nothing more has come.
    fn step(
        &mut self,
        block: &mut Block,
        end: &mut usize,
        last: &mut Option<usize>,
        target: usize,
        paused: bool,
    ) -> Scan {
        loop {
            let rest = &self.window.rest()[*end..];
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
            let sound = kind == Kind::Data && fills(payload);
            if !sound {
                match self.known.believe(&header, rest, block.offset + *end as u64, self.ended) {
                    Believe::Yes => {}
                    Believe::More(_) if paused && self.comes_whole && rest.len() == size => {}
                    Believe::More(needed) => return Scan::More(needed),
                    Believe::No(kind) => return Scan::Lost(kind),
                }
            }
            // Before anything is learnt from it, which may speak against it the next time.
            if (piece || self.stop == Some(self.number + block.count)) && block.count > 0 {
                return Scan::Stop(Stop::Full);
            }
            let mut full = *end + size >= target;
            if sound {
                self.known.note_banks(&header);
                *last = Some(*end);
                // A block must not end behind an event that turns out to be cut.
                let slack = *end + size >= target.saturating_add(SLACK);
                if full && !slack {
                    match self.known.begins(&rest[size..], &header, self.ended) {
                        Answer::Yes => {}
                        Answer::No => full = false,
                        // Nobody knows when.
                        Answer::More(_) if paused => full = false,
                        Answer::More(needed) => return Scan::More(size + needed),
                    }
                }
            } else {
                self.known.note(&header, payload);
                *last = None;
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
                _ if full => return Scan::Stop(Stop::Full),
                _ => {}
            }
        }
    }

    /// Takes a piece of an event from the front. If the event is now whole, it is the block.
    fn piece(&mut self, block: &mut Block, size: usize) {
        let Some(fragments) = &mut self.fragments else { return };
        let piece = &self.window.rest()[..size];
        let compressed_offset = self.input.compressed_offset();
        let place = Place { offset: self.offset, event: self.number, compressed_offset };
        let whole = fragments.add(&Header::read(piece), &piece[Header::SIZE..], place, self.limits.event);
        block.begin(self.offset, self.number);
        if let Some(event) = whole {
            block.set(&event);
        }
        self.window.skip(size);
        self.offset += size as u64;
        self.number += 1;
        if block.count == 0 {
            block.begin(self.offset, self.number);
        }
    }

    /// Why no event is behind the last whole one, where the bytes end; `None` if all is well.
    fn at_end(&self, end: usize) -> Option<DamageKind> {
        if let Some(why) = &self.broken {
            return Some(DamageKind::Compression(why.clone()));
        }
        let rest = &self.window.rest()[end..];
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

    /// Damage begins here, with one byte at least: an event that was cut may well be followed by
    /// another, but it is none itself.
    fn begin_search(&mut self, kind: DamageKind) {
        let (compressed_offset, compressed_end) = (self.input.compressed_offset(), None);
        let (offset, event) = (self.offset, self.number);
        let damage = Damage { kind, offset, end: offset, compressed_offset, compressed_end, event };
        self.search = Some(damage);
        self.skip(self.window.rest().len().min(1));
    }

    /// Goes to the end of the damage: the next place where an event begins, or the end of the input.
    fn seek(&mut self) -> io::Result<Stop> {
        if !self.resume()? {
            return Ok(Stop::Pause);
        }
        let Some(damage) = self.search.take() else { return Ok(Stop::Pause) };
        let damage = Damage { end: self.offset, ..damage };
        // What is owed of earlier places comes first, wherever the block ends.
        Ok(Stop::Damaged(match &mut self.fragments {
            Some(fragments) => fragments.lost_before(damage),
            None => damage,
        }))
    }

    /// Steps over the bytes up to there; whether so many have come.
    fn resume(&mut self) -> io::Result<bool> {
        loop {
            let rest = self.window.rest();
            let (mut at, mut wanted) = (0, 0);
            while at < rest.len() {
                match self.known.resumes(&rest[at..], self.ended) {
                    Answer::No => at += 1,
                    Answer::More(more) => {
                        wanted = more;
                        break;
                    }
                    Answer::Yes => {
                        self.skip(at);
                        return Ok(true);
                    }
                }
            }
            self.skip(at);
            if !self.ended {
                if !self.fill(wanted.max(SEARCH))? {
                    return Ok(false);
                }
                continue;
            }
            self.skip(self.window.rest().len());
            if self.broken.is_none() {
                return Ok(true);
            }
            let resumed = match self.input.resume() {
                Err(e) if waits(&e) => return Ok(false),
                resumed => resumed?,
            };
            self.broken = None;
            if let Some(damage) = &mut self.search {
                damage.compressed_end = self.input.compressed_offset();
            }
            if !resumed {
                return Ok(true);
            }
            self.ended = false;
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.window.skip(bytes);
        self.offset += bytes as u64;
    }
}

/// Bytes looked through at a time.
const SEARCH: usize = 1 << 16;

enum Scan {
    Stop(Stop),
    /// The first event of the block is a piece of so many bytes.
    Piece(usize),
    /// Broken bytes follow the last whole event.
    Lost(DamageKind),
    /// So many bytes from the last whole event's end on are needed.
    More(usize),
}
