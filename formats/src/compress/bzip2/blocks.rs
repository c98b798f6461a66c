//! Blocks, each decoded alone.

use std::collections::VecDeque;

use super::super::decode::Decode;
use super::super::decoder::{Cut, Cutting, MAX, Piece, Unit};
use super::bits::{BLOCK, Bits, END, Magic};
use super::{Bzip2, CRC_BITS, Ended, HEADER, MAGIC_BITS, MIN_BLOCK_BITS, max_packed};
use crate::compress::Compression;

pub(in super::super) struct Blocks {
    window: usize,
    limit: u8,
    /// Where the next unit begins.
    cutting: Place,
    /// The next number has been looked for up to this bit of the input.
    scanned: usize,
    /// What comes of the units that are not joined yet.
    says: VecDeque<Says>,
    joined: Place,
    /// CRCs of the blocks that were joined.
    combined: u32,
}

#[derive(Clone, Copy)]
enum Place {
    /// Before a stream.
    Header,
    /// In one, before this bit of the first byte.
    Block { level: u8, bit: usize },
}

struct Says {
    /// The stream begins with this unit.
    begins: bool,
    what: What,
    behind: Place,
}

enum What {
    Block(u32),
    End(u32),
}

impl Blocks {
    pub(in super::super) fn new(window: usize) -> Blocks {
        Blocks {
            window,
            limit: Bzip2::new(window).limit,
            cutting: Place::Header,
            scanned: 0,
            says: VecDeque::new(),
            joined: Place::Header,
            combined: 0,
        }
    }
}

impl Cut for Blocks {
    fn cut(&mut self, input: &[u8], last: bool) -> Cutting {
        let (header, level, bit) = match self.cutting {
            Place::Block { level, bit } => (0, level, bit),
            Place::Header => {
                let Some(&[.., digit]) = input.first_chunk::<HEADER>() else { return Cutting::Need(HEADER) };
                let level = digit.wrapping_sub(b'0');
                if !Compression::Bzip2.begins(input) || level > self.limit {
                    return Cutting::Stop;
                }
                (HEADER, level, 0)
            }
        };
        let rest = &input[header..];
        let (bits, begins) = (Bits(rest), header > 0);
        let numbers = bits.get(bit, MAGIC_BITS).zip(bits.get(bit + MAGIC_BITS, CRC_BITS));
        let Some((magic, crc)) = numbers else { return Cutting::Need(header + 11) };
        let crc = crc as u32;
        let (end, what) = match magic {
            END => ((bit + MAGIC_BITS + CRC_BITS).next_multiple_of(8), What::End(crc)),
            BLOCK => {
                let all = &rest[..rest.len().min(max_packed(level))];
                let from = (bit + MIN_BLOCK_BITS).max(self.scanned);
                let Some((_, end)) = Bits(all).find(from, Magic::Any) else {
                    if rest.len() > max_packed(level) || last {
                        return Cutting::Stop;
                    }
                    self.scanned = (all.len() * 8).saturating_sub(MAGIC_BITS - 1);
                    return Cutting::Need(input.len() + 1);
                };
                (end, What::Block(crc))
            }
            _ => return Cutting::Stop,
        };
        self.scanned = 0;
        let is_block = matches!(what, What::Block(_));
        self.cutting = if is_block { Place::Block { level, bit: end % 8 } } else { Place::Header };
        self.says.push_back(Says { begins, what, behind: self.cutting });
        let (most, window) = (if is_block { MAX / 2 } else { 0 }, self.window);
        let work = Box::new(move |packed: &[u8], _| match is_block {
            true => {
                let mut bzip2 = Bzip2::new(window);
                bzip2.begin(level, bit, None);
                let ended = bzip2.unpack(Bits(&packed[header..]), end, crc, true, most);
                let sound = matches!(ended, Ended::Well) && !bzip2.content.is_empty();
                let places = vec![(0, (header + end / 8) as u64)];
                sound.then_some(Piece { bytes: bzip2.content, places, goes_on: false })
            }
            false => Some(Piece::default()),
        });
        let beyond = usize::from(end % 8 > 0);
        Cutting::Unit(Unit { len: header + end / 8, beyond, most, work })
    }

    fn join(&mut self, _content: &[u8]) -> bool {
        let Some(Says { begins, what, behind }) = self.says.pop_front() else { return false };
        let before = if begins { 0 } else { self.combined };
        let combined = match what {
            What::Block(crc) => before.rotate_left(1) ^ crc,
            What::End(crc) if crc == before => 0,
            What::End(_) => return false,
        };
        (self.combined, self.joined) = (combined, behind);
        true
    }

    fn decoder(&mut self) -> Option<(Box<dyn Decode>, bool)> {
        let mut bzip2 = Bzip2::new(self.window);
        let inside = matches!(self.joined, Place::Block { .. });
        if let Place::Block { level, bit } = self.joined {
            bzip2.begin(level, bit, Some(self.combined));
        }
        Some((Box::new(bzip2), inside))
    }
}
