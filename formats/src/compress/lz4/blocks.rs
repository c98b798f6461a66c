//! Blocks of unlinked frames, decoded each alone.

use std::collections::VecDeque;
use std::ops::Range;

use super::super::decode::Decode;
use super::super::decoder::{Cut, Cutting, ENOUGH, ENOUGH_PACKED, Piece, Unit};
use super::frame::{self, Frame, Header};
use super::{LZ4, Lz4, State};

pub(in super::super) struct Blocks {
    limit: usize,
    /// The frame in which the next unit begins.
    cutting: Option<Frame>,
    /// What the units say that are not joined yet.
    says: VecDeque<Says>,
    /// The last frame that was joined, with its content so far.
    joined: Frame,
    inside: bool,
    /// Bytes of the last block of that frame.
    last: usize,
}

/// What a unit says of its frame.
struct Says {
    /// The frame that begins with it.
    begins: Option<Frame>,
    /// The checksum of the frame that ends with it.
    ends: Option<Vec<u8>>,
    /// Bytes of its last block; `None` if it has none.
    last: Option<usize>,
}

/// Smallest blocks are joined up to this number.
const MAX_BLOCKS: usize = 256;

impl Blocks {
    pub(in super::super) fn new(limit: usize) -> Blocks {
        let (cutting, says, joined) = (None, VecDeque::new(), Frame::default());
        Blocks { limit, cutting, says, joined, inside: false, last: 0 }
    }

    /// The frame and where its blocks go on; else the answer.
    fn frame(&self, input: &[u8]) -> Result<(Frame, usize), Cutting> {
        if let Some(frame) = &self.cutting {
            return Ok((frame.clone(), 0));
        }
        let Some((magic, rest)) = input.split_first_chunk() else { return Err(Cutting::Need(LZ4.len())) };
        match Frame::read(rest, self.limit) {
            _ if *magic != LZ4 => Err(Cutting::Stop),
            Ok(Header::Whole(frame, len)) if !frame.linked => Ok((frame, LZ4.len() + len)),
            Ok(Header::Needs(len)) => Err(Cutting::Need(LZ4.len() + len)),
            Ok(Header::Whole(..)) | Err(_) => Err(Cutting::Stop),
        }
    }
}

impl Cut for Blocks {
    fn cut(&mut self, input: &[u8], _last: bool) -> Cutting {
        let (frame, mut at) = match self.frame(input) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let begins = self.cutting.is_none().then(|| frame.clone());
        let (mut blocks, mut most, mut ends) = (Vec::new(), 0, None);
        while ends.is_none() && at < ENOUGH_PACKED && most < ENOUGH && blocks.len() < MAX_BLOCKS {
            let rest = &input[at..];
            let Some((&word, rest)) = rest.split_first_chunk() else { return Cutting::Need(at + 4) };
            let word = u32::from_le_bytes(word);
            at += 4;
            if word == 0 {
                let len = frame.content_checksum_len();
                let Some(checksum) = rest.get(..len) else { return Cutting::Need(at + len) };
                ends = Some(checksum.to_vec());
                at += len;
                continue;
            }
            let (size, stored) = frame.block_size(word);
            if size > frame.max_stored() {
                return Cutting::Stop;
            }
            let whole = size + frame.block_checksum_len();
            if rest.len() < whole {
                return Cutting::Need(at + whole);
            }
            blocks.push((at..at + size, stored));
            most += if stored { size } else { frame.max_block };
            at += whole;
        }
        self.cutting = ends.is_none().then(|| frame.clone());
        let last = blocks.last().map(|(range, _)| 4 + range.len() + frame.block_checksum_len());
        self.says.push_back(Says { begins, ends, last });
        let work = Box::new(move |packed: &[u8], bytes| decode(packed, bytes, most, &blocks, &frame));
        Cutting::Unit(Unit { len: at, beyond: 0, most, work })
    }

    fn join(&mut self, content: &[u8]) -> bool {
        let Some(says) = self.says.pop_front() else { return false };
        let before = if says.begins.is_some() { 0 } else { self.last };
        let mut frame = says.begins.unwrap_or_else(|| self.joined.clone());
        frame.add(content);
        let inside = says.ends.is_none();
        if says.ends.is_some_and(|checksum| frame.check(&checksum).is_err()) {
            return false;
        }
        (self.joined, self.inside, self.last) = (frame, inside, says.last.unwrap_or(before));
        true
    }

    fn decoder(&mut self) -> Option<(Box<dyn Decode>, bool)> {
        let mut lz4 = Lz4::new(self.limit);
        lz4.frame = self.joined.clone();
        lz4.examined = self.last;
        lz4.state = if self.inside { State::Blocks } else { State::Magic };
        Some((Box::new(lz4), self.inside))
    }
}

/// Decodes blocks; `None` if one of them is not sound. They give `most` bytes at most.
fn decode(
    packed: &[u8],
    mut bytes: Vec<u8>,
    most: usize,
    blocks: &[(Range<usize>, bool)],
    frame: &Frame,
) -> Option<Piece> {
    bytes.resize(most, 0);
    let (mut written, mut places) = (0, Vec::new());
    for (range, stored) in blocks {
        let data = &packed[range.clone()];
        let end = range.end + frame.block_checksum_len();
        if frame.block_checksum && packed[range.end..end] != frame::xxh32(data) {
            return None;
        }
        let room = &mut bytes[written..];
        let len = match stored {
            true => {
                room.get_mut(..data.len())?.copy_from_slice(data);
                data.len()
            }
            false => {
                let limit = room.len().min(frame.max_block);
                lz4_flex::block::decompress_into(data, &mut room[..limit]).ok()?
            }
        };
        if len > 0 {
            places.push((written, end as u64));
        }
        written += len;
    }
    bytes.truncate(written);
    Some(Piece { bytes, places, goes_on: false })
}
