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

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::decode::{Decode, Fault, Next, Step};

pub(super) struct Gzip {
    inflate: Decompress,
    content: Crc,
    state: State,
}

enum State {
    Header,
    Body,
    Trailer,
}

const HEADER: usize = 10;
const TRAILER: usize = 8;
/// A name or comment that does not end would otherwise be collected for ever.
const MAX_HEADER: usize = 1 << 20;

mod flag {
    pub(super) const HEADER_CRC: u8 = 2;
    pub(super) const EXTRA: u8 = 4;
    pub(super) const NAME: u8 = 8;
    pub(super) const COMMENT: u8 = 16;
}

impl Gzip {
    pub(super) fn new() -> Gzip {
        Gzip { inflate: Decompress::new(false), content: Crc::new(), state: State::Header }
    }

    fn header(&mut self, input: &[u8]) -> Step {
        let Some(len) = header_len(input) else {
            return match input.len() {
                0..MAX_HEADER => Step::silent(0, Next::Need(input.len() + 1)),
                _ => Step::corrupt("gzip header has no end"),
            };
        };
        if input[3] & flag::HEADER_CRC != 0 {
            let mut crc = Crc::new();
            crc.update(&input[..len - 2]);
            if crc.sum().to_le_bytes()[..2] != input[len - 2..len] {
                return Step::corrupt("gzip header checksum does not match");
            }
        }
        self.inflate.reset(false);
        self.content.reset();
        self.state = State::Body;
        Step::silent(len, Next::More)
    }

    fn body(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, output, FlushDecompress::None);
        let read = (self.inflate.total_in() - before_in) as usize;
        let written = (self.inflate.total_out() - before_out) as usize;
        self.content.update(&output[..written]);
        let next = match status {
            Ok(Status::StreamEnd) => {
                self.state = State::Trailer;
                Next::More
            }
            Ok(_) if read == 0 && written == 0 => Next::Need(input.len() + 1),
            Ok(_) => Next::More,
            Err(_) => Next::Broken(Fault::Corrupt("gzip stream is corrupt".into())),
        };
        Step { read, written, next }
    }

    fn trailer(&mut self, input: &[u8]) -> Step {
        let Some(trailer) = input.get(..TRAILER) else {
            return Step::silent(0, Next::Need(TRAILER));
        };
        if trailer[..4] != self.content.sum().to_le_bytes() {
            return Step::corrupt("gzip checksum does not match");
        }
        if trailer[4..] != self.content.amount().to_le_bytes() {
            return Step::corrupt("gzip length does not match");
        }
        self.state = State::Header;
        Step::silent(TRAILER, Next::End)
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
