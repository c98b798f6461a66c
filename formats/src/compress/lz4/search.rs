//! Where to go on behind a broken block or frame.

use super::super::Compression;
use super::super::decode::{Credit, Found};
use super::super::kind::LZ4_LEGACY;
use super::frame::{self, Frame, Header};
use super::{Lz4, MIN_BLOCK, State, is_magic};

/// Blocks behind a broken one that are looked at, for one that is sound.
const LOOK_AHEAD: usize = 2;

impl Lz4 {
    /// Goes on behind a broken block if its size seems to be right: at the place it gives, a block
    /// begins that can be decoded, or one with such a block behind it, or the frame ends.
    pub(super) fn next_block(&mut self, input: &[u8], last: bool, next: usize) -> Found {
        let mut at = next;
        for _ in 0..LOOK_AHEAD {
            let rest = input.get(at..).unwrap_or_default();
            let sound = match self.look_at(rest, last) {
                Look::Need(wanted) if last || wanted <= rest.len() => false,
                Look::Need(wanted) => return Found::Need(at + wanted),
                Look::Implausible => false,
                Look::Sound => true,
                Look::Broken(len) => {
                    at += len;
                    continue;
                }
            };
            if sound {
                self.frame.miss();
                self.window.clear();
                (self.state, self.next) = (State::Blocks, None);
                return Found::Block(next);
            }
            break;
        }
        Found::Not(0)
    }

    /// What stands where a block of an unlinked frame is expected.
    fn look_at(&mut self, input: &[u8], last: bool) -> Look {
        if self.frame.legacy && input.is_empty() && last {
            return Look::Sound;
        }
        let Some((&word, rest)) = input.split_first_chunk::<4>() else { return Look::Need(4) };
        if self.frame.legacy && is_magic(&word) {
            return Look::Sound;
        }
        let word = u32::from_le_bytes(word);
        if word == 0 && !self.frame.legacy {
            let end = self.frame.content_checksum_len();
            return match rest.get(end..) {
                Some([]) if last => Look::Sound,
                Some(behind) if behind.len() < 4 => Look::Need(4 + end + 4),
                Some(behind) if Compression::Lz4.begins(behind) => Look::Sound,
                Some(_) => Look::Implausible,
                None => Look::Need(4 + end + 4),
            };
        }
        let (size, stored) = self.frame.block_size(word);
        if size > self.frame.max_stored() {
            return Look::Implausible;
        }
        let needed = size + self.frame.block_checksum_len();
        self.window.next(false);
        if rest.len() < needed {
            if !last {
                return Look::Need(4 + needed);
            }
            self.window.decode_prefix(&rest[..size.min(rest.len())], stored, self.frame.max_block);
            // Random bytes soon end in a match that reaches too far back.
            let sound = self.window.block().len() > rest.len() / 2;
            return if sound { Look::Sound } else { Look::Implausible };
        }
        let (data, checksum) = rest[..needed].split_at(size);
        let sound = match self.frame.block_checksum {
            true => checksum == frame::xxh32(data),
            false => self.window.decode(data, stored, self.frame.max_block),
        };
        if sound { Look::Sound } else { Look::Broken(4 + needed) }
    }

    /// Whether a block of the broken frame begins with `input`. Its place is known from nothing but
    /// itself: it must fill a block to the last byte, or be the last, and be followed by what can
    /// follow a block.
    pub(super) fn block_trial(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found {
        let Some(frame) = &self.broken else { return Found::Not(1) };
        let Some((size, stored)) = frame.block_at(input, MIN_BLOCK) else { return Found::Not(1) };
        let end = 4 + size + frame.block_checksum_len();
        if !credit.is_left() {
            return Found::Not(1);
        }
        let Some((block, behind)) = input.split_at_checked(end) else {
            return if last { Found::Not(1) } else { Found::Need(end + 4) };
        };
        let (data, checksum) = block[4..].split_at(size);
        let sound = match frame.block_checksum {
            true => {
                credit.spend(size as u64);
                checksum == frame::xxh32(data)
            }
            false => {
                // Random bytes do not come far, and this stops where the library would go on.
                self.window.next(false);
                self.window.decode_prefix(data, stored, frame.max_block);
                let len = self.window.block().len();
                credit.spend((len + MIN_BLOCK) as u64);
                len >= MIN_BLOCK && self.window.decode(data, stored, frame.max_block)
            }
        };
        let full = frame.block_checksum || self.window.block().len() == frame.max_block;
        if !sound {
            return Found::Not(1);
        }
        self.frame = frame.clone();
        let look = self.look_at(behind, last);
        credit.spend(self.frame.max_block as u64);
        match look {
            Look::Need(wanted) if !last => return Found::Need(end + wanted),
            Look::Sound => {}
            Look::Broken(_) if full => {}
            Look::Need(_) | Look::Broken(_) | Look::Implausible => return Found::Not(1),
        }
        self.frame.miss();
        self.window.clear();
        (self.state, self.next) = (State::Blocks, None);
        Found::Block(0)
    }

    /// Whether `input`, which begins with a magic number, goes on like a frame. The header's
    /// checksum and the first block's size are evidence enough; a legacy frame has no header, so
    /// its first block must be sound.
    pub(super) fn trial(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found {
        let (frame, len) = match input.starts_with(&LZ4_LEGACY) {
            true => match Frame::legacy(self.limit) {
                Ok(frame) => (frame, 0),
                Err(_) => return Found::Not(1),
            },
            false => match Frame::read(&input[4..], self.limit) {
                Ok(Header::Whole(frame, len)) => (frame, len),
                Ok(Header::Needs(len)) if !last => return Found::Need(4 + len),
                Ok(Header::Needs(_)) | Err(_) => return Found::Not(1),
            },
        };
        if !credit.is_left() {
            return Found::Not(1);
        }
        self.frame = frame;
        self.window.clear();
        let rest = &input[4 + len..];
        if !self.frame.legacy {
            let Some(&word) = rest.first_chunk() else {
                return if last { Found::Not(1) } else { Found::Need(4 + len + 4) };
            };
            if self.frame.block_size(u32::from_le_bytes(word)).0 > self.frame.max_stored() {
                return Found::Not(1);
            }
        } else {
            let look = self.look_at(rest, last);
            credit.spend((rest.len() + self.window.block().len()) as u64);
            match look {
                Look::Sound => {}
                Look::Need(wanted) if !last => return Found::Need(4 + wanted),
                Look::Need(_) | Look::Broken(_) | Look::Implausible => return Found::Not(1),
            }
        }
        self.window.clear();
        self.state = State::Magic;
        Found::Member(0)
    }
}

/// See [`Lz4::look_at`].
enum Look {
    /// A sound block, or the end of the frame.
    Sound,
    /// A block of so many bytes that cannot be decoded.
    Broken(usize),
    /// Nothing that belongs there.
    Implausible,
    /// So many bytes must be seen.
    Need(usize),
}
