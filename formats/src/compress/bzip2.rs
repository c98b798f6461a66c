//! bzip2 streams.
//!
//! | bits | field of a stream (big-endian, nothing aligned behind the header) |
//! |---|---|
//! | 32 | `BZh` and `1` to `9`: largest block in 100 kB |
//! | 48 | block: `31 41 59 26 53 59` |
//! | 32 | block: CRC-32 of its content |
//! | | block: data, without a length |
//! | 48 | end: `17 72 45 38 50 90` |
//! | 32 | end: CRC-32s of all blocks, combined |
//! | 0 to 7 | zeros to the next byte |
//!
//! Each block is cut out, up to the next of the two numbers, and decoded as a stream of its own,
//! as `bzip2recover` does. So the next block can always be had, whatever is wrong with one, and a
//! block with a wrong checksum is held back whole: what the transform makes of it is real content
//! in a wrong order.

mod bits;
mod blocks;

use ::bzip2::{Decompress, Status};

use super::Compression;
use super::decode::{Credit, Decode, Fault, Found, Next, Step};
use bits::{BLOCK, Bits, END, Magic};
pub(super) use blocks::Blocks;

pub(super) struct Bzip2 {
    /// Largest block that may be asked for, in 100 kB.
    limit: u8,
    /// The window that is allowed, for messages.
    window: usize,
    state: State,
    /// Largest block of this stream, in 100 kB.
    level: u8,
    /// First bit of the block in the first byte of the input.
    bit: usize,
    /// CRCs of the blocks so far; `None` if some were not seen.
    combined: Option<u32>,
    /// The next number has been looked for up to this bit of the input.
    scanned: usize,
    /// The block is none up to this bit, where the next number stands.
    failed: Option<usize>,
    /// One block as a stream, compressed and not.
    packed: Vec<u8>,
    content: Vec<u8>,
    taken: usize,
}

enum State {
    Header,
    Blocks,
    /// The content of a block is to be handed out first.
    Broken(Fault),
    /// The stream asks for more memory than allowed.
    TooLarge,
}

const HEADER: usize = 4;
const MAGIC_BITS: usize = 48;
const CRC_BITS: usize = 32;
/// The shortest block, of one byte, has 184 bits.
const MIN_BLOCK_BITS: usize = 160;
const UNIT: usize = 100_000;

impl Bzip2 {
    pub(super) fn new(window: usize) -> Bzip2 {
        Bzip2 {
            limit: (window / UNIT).min(9) as u8,
            window,
            state: State::Header,
            level: 9,
            bit: 0,
            combined: None,
            scanned: 0,
            failed: None,
            packed: Vec::new(),
            content: Vec::new(),
            taken: 0,
        }
    }

    fn header(&mut self, input: &[u8]) -> Step {
        let Some(&[.., digit]) = input.get(..HEADER) else {
            return Step::silent(0, Next::Need(HEADER));
        };
        let level = digit.wrapping_sub(b'0');
        if level > self.limit {
            self.state = State::TooLarge;
            let asked = usize::from(level) * UNIT;
            return Step::corrupt(format!("bzip2 blocks of {asked} bytes: at most {} expected", self.window));
        }
        self.begin(level, 0, Some(0));
        Step::silent(HEADER, Next::Block)
    }

    /// Before a block whose number begins at this bit.
    fn begin(&mut self, level: u8, bit: usize, combined: Option<u32>) {
        (self.level, self.bit, self.combined) = (level, bit, combined);
        (self.state, self.scanned, self.failed) = (State::Blocks, 0, None);
    }

    fn block(&mut self, input: &[u8], last: bool) -> Step {
        let bits = Bits(input);
        let Some(magic) = bits.get(self.bit, MAGIC_BITS) else {
            return Step::silent(0, Next::Need(7));
        };
        if magic == END {
            return self.end(bits);
        }
        let Some(crc) = bits.get(self.bit + MAGIC_BITS, CRC_BITS) else {
            return Step::silent(0, Next::Need(11));
        };
        if magic != BLOCK {
            return Step::corrupt("bzip2 block wanted, other bytes found");
        }
        // What comes later does not count, whether it has arrived or not.
        let max = max_packed(self.level);
        let more = input.len() <= max && !last;
        let all = &input[..input.len().min(max)];
        let scanned = (all.len() * 8).saturating_sub(MAGIC_BITS - 1);

        let from = self.failed.map_or(self.bit + MIN_BLOCK_BITS, |end| end + 1).max(self.scanned);
        let found = Bits(all).find(from, Magic::Any).map(|(_, end)| end);
        if found.is_none() && more {
            self.scanned = scanned;
            return Step::silent(0, Next::Need(input.len() + 1));
        }
        let Some(first) = self.failed.or(found) else {
            let ended = self.unpack(Bits(all), all.len() * 8, crc as u32, false, usize::MAX);
            let fault = match ended {
                Ended::Short if input.len() <= max => Fault::Cut,
                _ => Fault::Corrupt("bzip2 block is corrupt".into()),
            };
            return self.broken(fault, input.len());
        };
        let (end, ended) = match (self.failed, found) {
            (None, _) => {
                let ended = self.unpack(bits, first, crc as u32, true, usize::MAX);
                if self.content.is_empty() {
                    self.failed = Some(first);
                    return Step::silent(0, Next::More);
                }
                (first, ended)
            }
            // Once in 30 terabytes, the number stands in a block by chance.
            (Some(_), Some(next)) => (next, self.unpack(bits, next, crc as u32, true, usize::MAX)),
            (Some(_), None) => (first, Ended::Badly),
        };
        match ended {
            Ended::Well => {
                let combined = self.combined.map(|sum| sum.rotate_left(1) ^ crc as u32);
                self.begin(self.level, end % 8, combined);
                Step::silent(end / 8, Next::Block)
            }
            Ended::Short | Ended::Badly => self.broken(Fault::Corrupt("bzip2 block is corrupt".into()), 0),
        }
    }

    /// Of the bytes that are wrong, none counts as read, unless the file ends in them.
    fn broken(&mut self, fault: Fault, read: usize) -> Step {
        let read = if matches!(fault, Fault::Cut) { read } else { 0 };
        self.state = State::Broken(fault);
        Step::silent(read, Next::More)
    }

    fn end(&mut self, bits: Bits) -> Step {
        let Some(crc) = bits.get(self.bit + MAGIC_BITS, CRC_BITS) else {
            return Step::silent(0, Next::Need(11));
        };
        if self.combined.is_some_and(|combined| u64::from(combined) != crc) {
            return Step::corrupt("bzip2 checksum does not match");
        }
        let end = (self.bit + MAGIC_BITS + CRC_BITS).div_ceil(8);
        self.state = State::Header;
        Step::silent(end, Next::End)
    }

    /// Decodes the block up to bit `end`. Its content is kept if its checksum agrees, even if
    /// something else follows it. With more than `most` bytes it is not decoded to its end.
    fn unpack(&mut self, bits: Bits, end: usize, crc: u32, close: bool, most: usize) -> Ended {
        self.packed.clear();
        self.packed.extend_from_slice(&[b'B', b'Z', b'h', b'0' + self.level]);
        let (mut rest, mut filled) = bits.copy(self.bit, end, &mut self.packed);
        if close {
            for (value, len) in [(END, MAGIC_BITS), (u64::from(crc), CRC_BITS)] {
                for shift in (0..len).rev() {
                    rest = rest << 1 | (value >> shift & 1) as u8;
                    filled += 1;
                    if filled == 8 {
                        self.packed.push(rest);
                        (rest, filled) = (0, 0);
                    }
                }
            }
            if filled > 0 {
                self.packed.push(rest << (8 - filled));
            }
        }

        self.content.clear();
        self.taken = 0;
        let mut stream = Decompress::new(false);
        let ended = loop {
            let read = stream.total_in() as usize;
            self.content.reserve(64 << 10);
            let before = self.content.len();
            match stream.decompress_vec(&self.packed[read..], &mut self.content) {
                Ok(Status::StreamEnd) => break Ended::Well,
                Ok(Status::MemNeeded) | Err(_) => break Ended::Badly,
                Ok(_) if self.content.len() > most => break Ended::Badly,
                Ok(_) if self.content.len() == before && stream.total_in() as usize == read => {
                    break Ended::Short;
                }
                Ok(_) => {}
            }
        };
        if bits::crc(&self.content) != crc {
            self.content.clear();
        }
        ended
    }
}

impl Decode for Bzip2 {
    fn decode(&mut self, input: &[u8], last: bool, output: &mut [u8]) -> Step {
        let rest = &self.content[self.taken..];
        if !rest.is_empty() {
            let written = rest.len().min(output.len());
            output[..written].copy_from_slice(&rest[..written]);
            self.taken += written;
            return Step { read: 0, written, next: Next::More };
        }
        match &self.state {
            State::Header => self.header(input),
            State::Blocks => self.block(input, last),
            State::Broken(fault) => Step::silent(0, Next::Broken(fault.clone())),
            State::TooLarge => Step::corrupt("bzip2 stream is corrupt"),
        }
    }

    fn holds(&self) -> bool {
        self.taken < self.content.len()
    }

    /// A block found in the middle of a stream need not be tried first: it is held back if its
    /// checksum is wrong.
    fn find(&mut self, input: &[u8], last: bool, _credit: &mut Credit) -> Found {
        let bits = Bits(input);
        let mut from = 0;
        while let Some((_, bit)) = bits.find(from, Magic::Block) {
            from = bit + 1;
            let at = bit / 8;
            // No block is that short.
            let shortest = at + MIN_BLOCK_BITS / 8;
            if input.len() < shortest && !last {
                return Found::Need(shortest);
            }
            if Bits(&input[..input.len().min(shortest)]).find(from, Magic::Any).is_some() {
                continue;
            }
            let level = (bit.is_multiple_of(8) && at >= HEADER)
                .then(|| &input[at - HEADER..at])
                .filter(|header| Compression::Bzip2.begins(header))
                .map(|header| header[HEADER - 1] - b'0');
            match level {
                Some(level) if level <= self.limit => {
                    self.state = State::Header;
                    return Found::Member(at - HEADER);
                }
                Some(_) => self.state = State::TooLarge,
                // What the lost header said does not matter: a decoder for the largest blocks
                // reads all.
                None if self.limit > 0 && !matches!(self.state, State::TooLarge) => {
                    self.begin(self.limit, bit % 8, None);
                    return Found::Block(at);
                }
                None => {}
            }
        }
        // A header and a number may reach beyond the end.
        match input.len().checked_sub(HEADER + MAGIC_BITS / 8) {
            None | Some(0) => Found::Need(input.len() + 1),
            Some(bytes) => Found::Not(bytes),
        }
    }
}

/// The largest block: 20 bits for each byte, and tables.
fn max_packed(level: u8) -> usize {
    usize::from(level) * UNIT / 8 * 20 + (64 << 10)
}

enum Ended {
    Well,
    /// More bits are needed.
    Short,
    Badly,
}
