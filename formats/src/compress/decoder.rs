//! Members one behind the other, to the last.

use std::borrow::Cow;
use std::io::{self, Read};

use super::Compression;
use super::bzip2::Bzip2;
use super::decode::{Decode, Fault, Next, Step};
use super::gzip::Gzip;
use super::kind::MAGIC;
use super::lz4::Lz4;
use super::zstd::Zstd;

/// Decompresses a whole file: every member, then the check that nothing foreign follows.
pub(super) struct Decoder<R> {
    raw: R,
    /// Compressed bytes not yet decoded: `start..end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The raw stream has ended.
    ended: bool,
    /// Where `start` stands in the compressed file.
    offset: u64,
    compression: Compression,
    decode: Box<dyn Decode>,
    state: State,
}

#[derive(Clone)]
enum State {
    /// Before a member, the first or another.
    Between,
    Inside,
    /// Behind the last gzip member, in the zeros that a tape or a block device adds.
    Padding,
    Complete,
    Broken(Fault),
}

/// Compressed bytes read at a time.
const PIECE: usize = 256 << 10;

impl<R: Read> Decoder<R> {
    /// A decoder of `sniffed` and what follows it in `raw`.
    pub(super) fn new(raw: R, sniffed: Vec<u8>, compression: Compression) -> io::Result<Decoder<R>> {
        let decode: Box<dyn Decode> = match compression {
            Compression::Gzip => Box::new(Gzip::new()),
            Compression::Lz4 => Box::new(Lz4::new()),
            Compression::Bzip2 => Box::new(Bzip2::new()),
            Compression::Zstd => Box::new(Zstd::new()?),
            Compression::None => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not compressed")),
        };
        Ok(Decoder {
            raw,
            end: sniffed.len(),
            buffer: sniffed,
            start: 0,
            ended: false,
            offset: 0,
            compression,
            decode,
            state: State::Between,
        })
    }

    /// Bytes of the compressed file that have been decoded.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes to the next member if there is one.
    fn next_member(&mut self) -> io::Result<State> {
        self.fill(MAGIC)?;
        let rest = &self.buffer[self.start..self.end];
        Ok(if rest.is_empty() {
            State::Complete
        } else if self.compression.begins(rest) {
            State::Inside
        } else if self.compression == Compression::Gzip && rest[0] == 0 {
            State::Padding
        } else {
            self.garbage()
        })
    }

    fn padding(&mut self) -> io::Result<State> {
        self.fill(1)?;
        let rest = &self.buffer[self.start..self.end];
        Ok(match rest.iter().position(|&byte| byte != 0) {
            Some(zeros) => {
                self.advance(zeros);
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
        let why = format!("foreign bytes behind the end of the {} stream", self.compression);
        State::Broken(Fault::Corrupt(Cow::Owned(why)))
    }

    /// Makes at least `wanted` bytes available, fewer only at the end of the raw stream.
    /// The buffer grows by what has arrived.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        while self.end - self.start < wanted && !self.ended {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.buffer.len() < self.end + PIECE {
                self.buffer.resize(self.end + PIECE, 0);
            }
            match self.raw.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
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
        loop {
            match &self.state {
                State::Between => self.state = self.next_member()?,
                State::Padding => self.state = self.padding()?,
                State::Complete => return Ok(0),
                State::Broken(fault) => return Err(self.error(fault)),
                State::Inside => {
                    let last = self.ended;
                    let input = &self.buffer[self.start..self.end];
                    let Step { read, written, next } = self.decode.decode(input, last, out);
                    self.advance(read);
                    match next {
                        Next::More => {}
                        // What was written must not wait for what may never come.
                        Next::Need(_) if written > 0 => {}
                        Next::Need(_) if last => {
                            self.advance(self.end - self.start);
                            self.state = State::Broken(Fault::Cut);
                        }
                        Next::Need(wanted) => self.fill(wanted)?,
                        Next::End => self.state = State::Between,
                        Next::Broken(fault) => self.state = State::Broken(fault),
                    }
                    if written > 0 {
                        return Ok(written);
                    }
                }
            }
        }
    }
}
