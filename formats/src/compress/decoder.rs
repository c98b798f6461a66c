//! Members one behind the other, to the last.

mod wide;

use std::borrow::Cow;
use std::io::{self, Read};

use super::bzip2::Bzip2;
use super::decode::{Credit, Decode, Fault, Found, Next, Step};
use super::gzip::Gzip;
use super::kind::{MAGIC, is_skippable, skippable_len};
use super::lz4::Lz4;
use super::{Compression, waits};

use super::zstd::Zstd;
use crate::Limits;

pub(super) use wide::{Cut, ENOUGH, ENOUGH_PACKED, MAX, MAX_PACKED, Next as Cutting, Piece, Unit, Wide};

/// Decompresses a whole file: every member, then the check that nothing foreign follows.
pub(super) struct Decoder<R> {
    raw: R,
    /// Compressed bytes: decoded but kept, then from `start` to `end` not yet decoded.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The raw stream has ended.
    ended: bool,
    /// It gave less than was asked for: more may be long in coming.
    slow: bool,
    /// What the system said where the buffer ends, if nobody has been told yet.
    late: Option<io::Error>,
    /// Where `start` stands in the compressed file.
    offset: u64,
    /// What the caller is told of it: the same however much he asks for at a time.
    told: u64,
    /// Where the member or block begins that is being decoded.
    unit: u64,
    /// What it has given so far, in bytes.
    written: u64,
    /// So many bytes must be there before it is worth while to go on: the stream paused before.
    wanted: usize,
    /// The fault is that no member begins where one should, and so many bytes are to be looked at to
    /// see whether it does but for its number.
    mending: Option<usize>,
    compression: Compression,
    decode: Box<dyn Decode>,
    state: State,
    credit: Credit,
}

#[derive(Clone)]
enum State {
    /// Before a member, the first or another. Whether a skippable frame comes before it.
    Between {
        skipped: bool,
    },
    /// In a skippable frame, so many bytes before its end.
    Skip(usize),
    Inside,
    /// Behind the last gzip member, in the zeros that a tape or a block device adds.
    Padding,
    Complete,
    Broken(Fault),
    /// Looking for the next sound place behind a fault.
    Searching(Fault),
}

/// Compressed bytes read at a time.
const PIECE: usize = 256 << 10;
/// Bytes of the current member that are kept when they are decoded. A broken member may be decoded
/// beyond its end, but not far: then the next one begins in these.
pub(super) const KEEP: usize = 1 << 20;
/// Bytes to see first of what may be a member.
const FIRST_LOOK: usize = 64;

impl<R: Read> Decoder<R> {
    /// A decoder of `sniffed` and what follows it in `raw`.
    pub(super) fn new(
        raw: R,
        sniffed: Vec<u8>,
        compression: Compression,
        limits: &Limits,
    ) -> io::Result<Decoder<R>> {
        let decode: Box<dyn Decode> = match compression {
            Compression::Gzip => Box::new(Gzip::new(limits.window)),
            Compression::Lz4 => Box::new(Lz4::new(limits.window)),
            Compression::Bzip2 => Box::new(Bzip2::new(limits.window)),
            Compression::Zstd => Box::new(Zstd::new(limits.window)?),
            Compression::None => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not compressed")),
        };
        Ok(Decoder {
            raw,
            end: sniffed.len(),
            buffer: sniffed,
            start: 0,
            ended: false,
            slow: false,
            late: None,
            offset: 0,
            told: 0,
            unit: 0,
            written: 0,
            wanted: 0,
            mending: None,
            compression,
            decode,
            state: State::Between { skipped: false },
            credit: Credit::new(),
        })
    }

    /// Bytes of the compressed file that have been decoded for what was given, or before the fault.
    pub(super) fn told(&self) -> u64 {
        self.told
    }

    /// Whether there is content that can be given without reading.
    pub(super) fn holds(&self) -> bool {
        self.decode.holds()
    }

    /// Whether the compressed bytes are broken here.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.state, State::Broken(_) | State::Searching(_))
    }

    /// After a fault: goes to the next place where decoding can begin anew; whether there is one.
    ///
    /// Members and blocks are tried in the order of their first bytes, each once. A fault may be
    /// noticed only behind the beginning of the next member: so looking for it begins right behind
    /// the first byte of the broken one, as far as that is still there.
    ///
    /// If the raw stream pauses, the next call goes on where this one stopped.
    pub(super) fn resume(&mut self) -> io::Result<bool> {
        let resumed = self.search()?;
        self.told = self.offset;
        Ok(resumed)
    }

    /// Whether the file is whole if it ends here: behind a member, with nothing begun.
    pub(super) fn is_between(&self) -> bool {
        let complete = match self.state {
            State::Between { .. } | State::Padding | State::Complete => true,
            State::Inside => self.decode.may_end(),
            State::Skip(left) => left == 0,
            State::Broken(_) | State::Searching(_) => false,
        };
        complete && self.start == self.end
    }

    fn search(&mut self) -> io::Result<bool> {
        self.need(self.wanted)?;
        if let State::Broken(fault) = &self.state {
            let fault = fault.clone();
            if let Some(len) = self.mending {
                if self.mend(len)? {
                    return Ok(self.go_on(&Found::Member(0)));
                }
                self.mending = None;
            }
            loop {
                let input = &self.buffer[self.start..self.end];
                match self.decode.skip(input, self.ended, &mut self.credit) {
                    Found::Need(wanted) if !self.ended => self.need(wanted)?,
                    Found::Not(_) | Found::Need(_) => break,
                    found => return Ok(self.go_on(&found)),
                }
            }
            self.back_up();
            self.state = State::Searching(fault);
        }
        if !matches!(self.state, State::Searching(_)) {
            return Ok(false);
        }
        loop {
            self.fill(1)?;
            let input = &self.buffer[self.start..self.end];
            if input.is_empty() {
                return Ok(false);
            }
            match self.decode.find(input, self.ended, &mut self.credit) {
                Found::Need(wanted) if !self.ended => self.need(wanted)?,
                Found::Not(bytes) => self.advance(bytes.clamp(1, input.len())),
                Found::Need(_) => self.advance(1),
                found => return Ok(self.go_on(&found)),
            }
        }
    }

    fn go_on(&mut self, found: &Found) -> bool {
        let (bytes, state) = match *found {
            Found::Member(bytes) => (bytes, State::Between { skipped: false }),
            Found::Block(bytes) => (bytes, State::Inside),
            Found::Not(_) | Found::Need(_) => return false,
        };
        self.advance(bytes);
        self.begin_unit();
        self.state = state;
        true
    }

    /// To where the search begins.
    fn back_up(&mut self) {
        let looked_at = (self.offset - self.unit).max(self.decode.examined() as u64);
        let from = match self.credit.spend(looked_at + self.written) {
            true => self.unit + 1,
            false => self.unit + looked_at.max(1),
        };
        let kept = self.offset - self.start as u64;
        let start = (from.max(kept) - kept).min(self.end as u64) as usize;
        (self.start, self.offset) = (start, kept + start as u64);
    }

    fn begin_unit(&mut self) {
        self.unit = self.offset;
        self.written = 0;
        self.mending = None;
    }

    /// Goes to the next member if there is one.
    fn next_member(&mut self, skipped: bool) -> io::Result<State> {
        self.fill(MAGIC)?;
        let rest = &self.buffer[self.start..self.end];
        if rest.is_empty() {
            return Ok(State::Complete);
        }
        if matches!(self.compression, Compression::Lz4 | Compression::Zstd) && is_skippable(rest) {
            return self.skippable();
        }
        let begins = self.compression.begins(rest);
        // If the length of a skippable frame is wrong, the search must begin inside it.
        if begins || !skipped {
            self.begin_unit();
        }
        Ok(if begins {
            State::Inside
        } else if self.compression == Compression::Gzip && self.buffer[self.start] == 0 {
            State::Padding
        } else {
            self.mending = Some(FIRST_LOOK);
            self.garbage()
        })
    }

    /// Puts a magic number right that has one wrong byte, if what follows is a member: `len` bytes are
    /// looked at first.
    fn mend(&mut self, mut len: usize) -> io::Result<bool> {
        let Some(right) = self.compression.mend(&self.buffer[self.start..self.end]) else {
            return Ok(false);
        };
        let magic = self.start..self.start + MAGIC;
        let wrong = self.buffer[magic.clone()].to_vec();
        self.buffer[magic].copy_from_slice(&right);
        let sound = loop {
            if let Err(e) = self.fill(len) {
                self.buffer[self.start..self.start + MAGIC].copy_from_slice(&wrong);
                self.mending = Some(len);
                return Err(e);
            }
            let rest = &self.buffer[self.start..self.end];
            let last = self.ended && rest.len() <= len;
            match self.decode.find(&rest[..len.min(rest.len())], last, &mut self.credit) {
                Found::Need(wanted) if wanted > len && !last => len = wanted,
                found => break matches!(found, Found::Member(0)),
            }
        };
        if !sound {
            self.buffer[self.start..self.start + MAGIC].copy_from_slice(&wrong);
        }
        Ok(sound)
    }

    fn skippable(&mut self) -> io::Result<State> {
        const HEAD: usize = 8;
        self.begin_unit();
        self.fill(HEAD)?;
        let rest = &self.buffer[self.start..self.end];
        if rest.len() < HEAD {
            self.advance(rest.len());
            return Ok(State::Broken(Fault::Cut));
        }
        let len = skippable_len(rest);
        // What is kept would not reach back to its beginning if the length turned out to be wrong.
        if len > KEEP {
            self.fill(HEAD + KEEP)?;
            let first = &self.buffer[self.start..self.end.min(self.start + HEAD + KEEP)];
            let mut at = HEAD;
            while at < first.len() {
                match self.decode.find(&first[at..], self.ended, &mut self.credit) {
                    Found::Member(_) | Found::Block(_) => {
                        let why = format!("frame inside a skippable frame of {len} bytes");
                        return Ok(State::Broken(Fault::Corrupt(Cow::Owned(why))));
                    }
                    Found::Not(bytes) => at += bytes.max(1),
                    Found::Need(_) => at += 1,
                }
            }
        }
        self.advance(HEAD);
        Ok(State::Skip(len))
    }

    fn skip(&mut self, left: usize) -> io::Result<State> {
        if left == 0 {
            return Ok(State::Between { skipped: true });
        }
        self.fill(1)?;
        let bytes = left.min(self.end - self.start);
        self.advance(bytes);
        Ok(if bytes == 0 { State::Broken(Fault::Cut) } else { State::Skip(left - bytes) })
    }

    fn padding(&mut self) -> io::Result<State> {
        self.fill(1)?;
        let rest = &self.buffer[self.start..self.end];
        Ok(match rest.iter().position(|&byte| byte != 0) {
            Some(zeros) => {
                self.advance(zeros);
                // A member may follow all the same: the search begins behind the last zero.
                self.unit = self.offset.saturating_sub(1);
                self.garbage()
            }
            None if rest.is_empty() => State::Complete,
            None => {
                self.advance(rest.len());
                State::Padding
            }
        })
    }

    fn garbage(&self) -> State {
        let why = match self.offset {
            0 => format!("{} stream begins with a wrong number", self.compression),
            _ => format!("foreign bytes behind the end of the {} stream", self.compression),
        };
        State::Broken(Fault::Corrupt(Cow::Owned(why)))
    }

    /// As [`fill`](Decoder::fill). If that fails, the next call of the same kind begins with it: to look
    /// at fewer bytes again is work in vain.
    fn need(&mut self, wanted: usize) -> io::Result<()> {
        self.wanted = wanted;
        self.fill(wanted)?;
        self.wanted = 0;
        Ok(())
    }

    /// Makes at least `wanted` bytes available, fewer only at the end of the raw stream.
    /// The buffer grows by what has arrived.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        while self.end - self.start < wanted && !self.ended {
            if let Some(e) = self.late.take() {
                return Err(e);
            }
            let of_unit = (self.offset - self.unit).min(KEEP as u64) as usize;
            let kept = self.start.min(of_unit);
            let dropped = self.start - kept;
            if self.buffer.len() < self.end + PIECE {
                if dropped >= PIECE || (kept == 0 && dropped > 0) {
                    self.buffer.copy_within(dropped..self.end, 0);
                    self.start -= dropped;
                    self.end -= dropped;
                }
                if self.buffer.len() < self.end + PIECE {
                    self.buffer.resize(self.end + PIECE, 0);
                }
            }
            match self.raw.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    self.end += n;
                    self.slow = self.end < self.buffer.len();
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
        self.credit.earn(self.offset);
    }

    fn error(&self, fault: &Fault) -> io::Error {
        match fault {
            Fault::Cut => {
                let why = format!("{} stream cut short", self.compression);
                io::Error::new(io::ErrorKind::UnexpectedEof, why)
            }
            Fault::Corrupt(why) => io::Error::new(io::ErrorKind::InvalidData, why.clone()),
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let result = self.decode(out);
        self.told = match &result {
            Ok(1..) => self.decode.noted().map_or(self.offset, |noted| self.unit + noted),
            // Nothing has happened.
            Err(e) if waits(e) => self.told,
            _ => self.offset,
        };
        result
    }
}

impl<R: Read> Decoder<R> {
    fn decode(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        loop {
            match &self.state {
                State::Between { skipped } => self.state = self.next_member(*skipped)?,
                State::Skip(left) => self.state = self.skip(*left)?,
                State::Padding => self.state = self.padding()?,
                State::Complete => return Ok(0),
                State::Broken(fault) | State::Searching(fault) => return Err(self.error(fault)),
                State::Inside => {
                    if self.wanted > 0 {
                        self.need(self.wanted)?;
                    }
                    let last = self.ended;
                    let input = &self.buffer[self.start..self.end];
                    let Step { read, written, next } = self.decode.decode(input, last, &mut out[done..]);
                    self.advance(read);
                    self.written += written as u64;
                    done += written;
                    match next {
                        Next::More => {}
                        Next::Block => self.begin_unit(),
                        // What was written must not wait for what may never come.
                        Next::Need(_) if done > 0 && (last || self.slow) => {}
                        Next::Need(_) if last => {
                            self.advance(self.end - self.start);
                            self.state = State::Broken(Fault::Cut);
                        }
                        Next::Need(wanted) => match self.need(wanted) {
                            Ok(()) if done < out.len() => continue,
                            Ok(()) => {}
                            // Asked again, the stream may have more.
                            Err(e) if done > 0 && waits(&e) => {}
                            Err(e) if done > 0 => self.late = Some(e),
                            Err(e) => return Err(e),
                        },
                        Next::End => self.state = State::Between { skipped: false },
                        Next::Broken(fault) => self.state = State::Broken(fault),
                    }
                    if done > 0 {
                        return Ok(done);
                    }
                }
            }
        }
    }
}
