//! Whole frames, each decoded alone.

use super::super::decode::{Decode, Next, Step};
use super::super::decoder::{Cut, Cutting, ENOUGH, ENOUGH_PACKED, KEEP, MAX, MAX_PACKED, Piece, Unit};
use super::super::kind::{ZSTD, is_skippable, skippable_len};
use super::{BLOCK_HEADER, CHECKSUM, FRAME_HEADER, MAX_BLOCK, Zstd, block_len, frame_header_len, window};

pub(in super::super) struct Frames {
    limit: usize,
    /// How far the next unit is known.
    walk: Walk,
}

#[derive(Clone, Default)]
struct Walk {
    at: usize,
    /// What the frames up to there can give at most.
    most: usize,
    /// Where the last whole frame ends, and what they can give up to there.
    whole: (usize, usize),
    part: Part,
}

#[derive(Clone, Copy, Default)]
enum Part {
    #[default]
    Frame,
    /// Blocks of so many bytes at most, then perhaps a checksum.
    Blocks { size: usize, checksum: bool },
}

/// The library reserves the window of a frame before anything is decoded.
const MAX_WINDOW: u64 = 8 << 20;

impl Frames {
    pub(in super::super) fn new(limit: usize) -> Frames {
        Frames { limit, walk: Walk::default() }
    }

    /// Goes over one header, block or skippable frame; else says what is missing.
    fn step(&mut self, input: &[u8]) -> Result<(), Cutting> {
        let Walk { at, part, .. } = self.walk;
        let need = |len: usize| Err(Cutting::Need(at + len));
        let rest = &input[at..];
        match part {
            Part::Frame if is_skippable(rest) => {
                let Some(head) = rest.get(..8) else { return need(8) };
                let len = 8 + skippable_len(head);
                // The decoder looks for frames inside of longer ones.
                if len > KEEP {
                    return Err(Cutting::Stop);
                }
                if rest.len() < len {
                    return need(len);
                }
                self.walk.at += len;
            }
            Part::Frame => {
                let len = match frame_header_len(rest) {
                    Ok(len) if rest.len() >= len => len,
                    Ok(len) | Err(len) => return need(len),
                };
                if !rest.starts_with(&ZSTD) {
                    return Err(Cutting::Stop);
                }
                let window = window(&rest[..len]);
                if window > MAX_WINDOW.min(self.limit as u64) {
                    return Err(Cutting::Stop);
                }
                let checksum = rest[FRAME_HEADER - 1] & 4 != 0;
                let size = MAX_BLOCK.min(window as usize);
                self.walk.part = Part::Blocks { size, checksum };
                self.walk.at += len;
            }
            Part::Blocks { size, checksum } => {
                let Some(&[a, b, c]) = rest.first_chunk::<BLOCK_HEADER>() else { return need(BLOCK_HEADER) };
                let last = a & 1 != 0;
                let mut len = block_len(rest).unwrap_or(BLOCK_HEADER);
                len += if last && checksum { CHECKSUM } else { 0 };
                if rest.len() < len {
                    return need(len);
                }
                self.walk.most += match a >> 1 & 3 {
                    0 | 1 => (u32::from_le_bytes([a, b, c, 0]) >> 3) as usize,
                    2 => size,
                    _ => return Err(Cutting::Stop),
                };
                self.walk.at += len;
                if last {
                    self.walk.part = Part::Frame;
                }
            }
        }
        if self.walk.at > MAX_PACKED || self.walk.most > MAX {
            return Err(Cutting::Stop);
        }
        if matches!((part, self.walk.part), (Part::Blocks { .. }, Part::Frame)) {
            self.walk.whole = (self.walk.at, self.walk.most);
        }
        Ok(())
    }
}

impl Cut for Frames {
    fn cut(&mut self, input: &[u8], last: bool) -> Cutting {
        loop {
            let (len, most) = self.walk.whole;
            let enough = len >= ENOUGH_PACKED || most >= ENOUGH;
            let answer = if enough { Err(Cutting::Stop) } else { self.step(input) };
            match answer {
                Ok(()) => {}
                Err(Cutting::Need(wanted)) if !last => return Cutting::Need(wanted),
                Err(_) if len > 0 => {
                    self.walk = Walk::default();
                    let limit = self.limit;
                    let work = Box::new(move |packed: &[u8], bytes| frames(packed, bytes, most, limit));
                    return Cutting::Unit(Unit { len, beyond: 0, most, work });
                }
                Err(answer) => return answer,
            }
        }
    }

    fn join(&mut self, _content: &[u8]) -> bool {
        true
    }

    fn decoder(&mut self) -> Option<(Box<dyn Decode>, bool)> {
        None
    }
}

/// Decodes frames; `None` if one is not sound or they hold more than `most` bytes.
fn frames(packed: &[u8], mut bytes: Vec<u8>, most: usize, limit: usize) -> Option<Piece> {
    let mut zstd = Zstd::new(limit).ok()?;
    bytes.resize(most, 0);
    let mut piece = Piece { bytes, ..Piece::default() };
    let (mut at, mut written, mut between) = (0, 0, true);
    let mut none = [0];
    while at < packed.len() {
        let rest = &packed[at..];
        if between && is_skippable(rest) {
            at += 8 + skippable_len(rest);
            continue;
        }
        if between && !rest.starts_with(&ZSTD) {
            return None;
        }
        let room = if written < most { &mut piece.bytes[written..] } else { &mut none[..] };
        let Step { read, written: more, next } = zstd.decode(rest, false, room);
        if more > most - written || zstd.holds() {
            return None;
        }
        at += read;
        if more > 0 {
            piece.places.push((written, at as u64));
        }
        written += more;
        between = match next {
            Next::End => true,
            Next::More => false,
            Next::Need(_) | Next::Block | Next::Broken(_) => return None,
        };
    }
    piece.bytes.truncate(written);
    between.then_some(piece)
}
