//! gzip members.
//!
//! | bytes | field of a member (RFC 1952, little-endian) |
//! |---|---|
//! | 2 | `1f 8b` |
//! | 1 | method, 8 |
//! | 1 | flags: 2 header CRC, 4 extra field, 8 name, 16 comment |
//! | 6 | time, extra flags, operating system |
//! | | extra field (length in 2 bytes first), name and comment (zero behind), header CRC (2) |
//! | | deflate stream |
//! | 4 | CRC-32 of the content |
//! | 4 | length of the content modulo 2^32 |

mod members;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::Compression;
use super::decode::{Credit, Decode, Fault, Found, Next, Step};
pub(super) use members::Members;

pub(super) struct Gzip {
    inflate: Decompress,
    /// Longest header to wait for.
    max_header: usize,
    content: Crc,
    state: State,
    /// Length of the member's header.
    header: u64,
    /// How far into the member the content was decoded when the last [`STRIDE`] of it was complete.
    noted: u64,
    /// No content has come since.
    at_note: bool,
}

enum State {
    Header,
    Body,
    Trailer,
}

const HEADER: usize = 10;
const TRAILER: usize = 8;
/// A place in the stream is noted each time that so much content has come, counted from the
/// member's beginning. Places do not depend on how much is asked for at a time then.
const STRIDE: usize = 256 << 10;
/// A name or comment that does not end would otherwise be collected for ever.
const MAX_HEADER: usize = 1 << 20;
/// A member found by looking for its magic number is believed if so many bytes of its deflate
/// stream, or all, can be decoded. Random bytes get that far once in some 100,000 times.
const EVIDENCE: usize = 256;
/// The same if the file is cut there.
const EVIDENCE_CUT: usize = 32;
/// Content that is evidence enough, however few bytes it is made of.
const EVIDENCE_CONTENT: u64 = 32 << 10;

mod flag {
    pub(super) const HEADER_CRC: u8 = 2;
    pub(super) const EXTRA: u8 = 4;
    pub(super) const NAME: u8 = 8;
    pub(super) const COMMENT: u8 = 16;
}

impl Gzip {
    pub(super) fn new(window: usize) -> Gzip {
        Gzip {
            inflate: Decompress::new(false),
            max_header: window.clamp(HEADER, MAX_HEADER),
            content: Crc::new(),
            state: State::Header,
            header: 0,
            noted: 0,
            at_note: false,
        }
    }

    fn header(&mut self, input: &[u8]) -> Step {
        let Some(len) = header_len(&input[..input.len().min(self.max_header)]) else {
            return match input.len() < self.max_header {
                true => Step::silent(0, Next::Need(more_header(input))),
                false => Step::corrupt(format!("gzip header without an end in {} bytes", self.max_header)),
            };
        };
        if !header_is_sound(input, len) {
            return Step::corrupt("gzip header checksum does not match");
        }
        self.inflate.reset(false);
        self.content.reset();
        self.state = State::Body;
        (self.header, self.noted, self.at_note) = (len as u64, len as u64, false);
        Step::silent(len, Next::More)
    }

    fn body(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let stride = (before_out % STRIDE as u64) as usize;
        // Without room, decoding goes as far as the next content: a place that can be noted.
        let room = if stride == 0 && !self.at_note { 0 } else { output.len().min(STRIDE - stride) };
        let output = &mut output[..room];
        let status = self.inflate.decompress(input, output, FlushDecompress::None);
        let read = (self.inflate.total_in() - before_in) as usize;
        let written = (self.inflate.total_out() - before_out) as usize;
        self.content.update(&output[..written]);
        let next = match status {
            Ok(Status::StreamEnd) => {
                self.state = State::Trailer;
                Next::More
            }
            Ok(_) if room == 0 && read < input.len() => {
                (self.noted, self.at_note) = (self.header + self.inflate.total_in(), true);
                Next::More
            }
            Ok(_) if read == 0 && written == 0 => Next::Need(input.len() + 1),
            Ok(_) if read == input.len() && (written < room || room == 0) => Next::Need(1),
            Ok(_) => Next::More,
            Err(_) => Next::Broken(Fault::Corrupt("gzip stream is corrupt".into())),
        };
        self.at_note &= written == 0;
        Step { read, written, next }
    }

    fn trailer(&mut self, input: &[u8]) -> Step {
        let Some(trailer) = input.get(..TRAILER) else {
            return Step::silent(0, Next::Need(TRAILER));
        };
        let (crc, length) = self.trailer_expected();
        if trailer[..4] != crc {
            return Step::corrupt("gzip checksum does not match");
        }
        if trailer[4..] != length {
            return Step::corrupt("gzip length does not match");
        }
        self.state = State::Header;
        Step::silent(TRAILER, Next::End)
    }
}

impl Gzip {
    /// Whether a member begins with `input` and goes on like one.
    fn trial(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found {
        let Some(len) = header_len(&input[..input.len().min(self.max_header)]) else {
            return match last || input.len() >= self.max_header {
                true => Found::Not(1),
                false => Found::Need(more_header(input)),
            };
        };
        if !header_is_sound(input, len) {
            return Found::Not(1);
        }
        let wanted = len + EVIDENCE + TRAILER;
        if input.len() < wanted && !last {
            return Found::Need(wanted);
        }
        let sound = self.inflates(&input[len..], credit);
        self.state = State::Header;
        if sound { Found::Member(0) } else { Found::Not(1) }
    }

    /// Whether these bytes begin like a deflate stream, or are one with its trailer behind it.
    ///
    /// However many have arrived, the decision is about the same ones: a flaw further on does not
    /// count.
    fn inflates(&mut self, input: &[u8], credit: &mut Credit) -> bool {
        if !credit.is_left() {
            return false;
        }
        self.inflate.reset(false);
        self.content.reset();
        let mut scratch = [0; 4096];
        let deflated = &input[..input.len().min(EVIDENCE)];
        let sound = loop {
            let (read, written) = (self.inflate.total_in() as usize, self.inflate.total_out());
            if read >= EVIDENCE || written >= EVIDENCE_CONTENT {
                break true;
            }
            let status = self.inflate.decompress(&deflated[read..], &mut scratch, FlushDecompress::None);
            let (now, content) = (self.inflate.total_in() as usize, self.inflate.total_out());
            self.content.update(&scratch[..(content - written) as usize]);
            match status {
                Err(_) => break false,
                Ok(Status::StreamEnd) => {
                    let (crc, length) = self.trailer_expected();
                    let trailer = &input[now..];
                    break now >= EVIDENCE || trailer.starts_with(&crc) || trailer.get(4..8) == Some(&length);
                }
                Ok(_) if now == read && content == written => break read >= EVIDENCE_CUT && written > 0,
                Ok(_) => {}
            }
        };
        credit.spend(self.inflate.total_in() + self.inflate.total_out() + EVIDENCE as u64);
        sound
    }

    /// What the trailer must say.
    fn trailer_expected(&self) -> ([u8; 4], [u8; 4]) {
        (self.content.sum().to_le_bytes(), self.content.amount().to_le_bytes())
    }
}

impl Decode for Gzip {
    fn decode(&mut self, input: &[u8], _last: bool, output: &mut [u8]) -> Step {
        match self.state {
            State::Header => self.header(input),
            State::Body => self.body(input, output),
            State::Trailer => self.trailer(input),
        }
    }

    fn noted(&self) -> Option<u64> {
        Some(self.noted)
    }

    /// Behind a wrong trailer, another member may follow.
    fn skip(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found {
        if !matches!(self.state, State::Trailer) {
            return Found::Not(0);
        }
        match input.get(TRAILER..) {
            // It may have taken in others on the way to the end.
            Some([]) if last => Found::Not(0),
            Some(behind) if behind.len() > HEADER && Compression::Gzip.begins(behind) => {
                match self.trial(behind, last, credit) {
                    Found::Member(_) => Found::Member(TRAILER),
                    Found::Need(wanted) => Found::Need(TRAILER + wanted),
                    other => other,
                }
            }
            Some(behind) if behind.len() > HEADER => Found::Not(0),
            _ => Found::Need(TRAILER + HEADER + 1),
        }
    }

    fn find(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found {
        let at = (0..input.len()).find(|&at| input[at] == 0x1f && Compression::Gzip.begins(&input[at..]));
        match at {
            None => Found::Not(input.len()),
            Some(0) if input.len() > HEADER => self.trial(input, last, credit),
            Some(0) => Found::Need(HEADER + 1),
            Some(at) => Found::Not(at),
        }
    }
}

/// How many bytes to see next of a header that goes on behind these. Growing steps, since each
/// one reads it from the beginning.
fn more_header(input: &[u8]) -> usize {
    input.len() + 1 + if input.len() > 4096 { input.len() / 4 } else { 0 }
}

/// Whether the checksum of a header of `len` bytes agrees, if it has one.
fn header_is_sound(input: &[u8], len: usize) -> bool {
    if input[3] & flag::HEADER_CRC == 0 {
        return true;
    }
    let mut crc = Crc::new();
    crc.update(&input[..len - 2]);
    crc.sum().to_le_bytes()[..2] == input[len - 2..len]
}

/// Length of a member's header; `None` if it goes on behind these bytes.
fn header_len(input: &[u8]) -> Option<usize> {
    let mut rest = input.get(HEADER..)?;
    let flags = input[3];
    if flags & flag::EXTRA != 0 {
        let (len, behind) = rest.split_first_chunk()?;
        rest = behind.get(usize::from(u16::from_le_bytes(*len))..)?;
    }
    for text in [flag::NAME, flag::COMMENT] {
        if flags & text != 0 {
            let zero = rest.iter().position(|&byte| byte == 0)?;
            rest = &rest[zero + 1..];
        }
    }
    if flags & flag::HEADER_CRC != 0 {
        rest = rest.get(2..)?;
    }
    Some(input.len() - rest.len())
}
