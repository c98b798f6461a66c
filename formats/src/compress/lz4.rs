//! LZ4 frames.
//!
//! | bytes | field of a frame (LZ4 frame format 1.6, little-endian) |
//! |---|---|
//! | 4 | `04 22 4d 18` |
//! | 1 | FLG: version 01, independent blocks, block checksums, content size, content checksum, 0, dictionary |
//! | 1 | BD: 0, block size 4 to 7 (64 kB, 256 kB, 1 MB, 4 MB), 0000 |
//! | 0, 8 | content size |
//! | 1 | second byte of the XXH32 of these from FLG on |
//! | 4 | block: size, top bit set if stored as it is; 0 behind the last |
//! | | block: data |
//! | 0, 4 | block: XXH32 of its data as stored |
//! | 0, 4 | XXH32 of the content |
//!
//! A legacy frame has no header behind its `02 21 4c 18`, blocks of 8 MB without checksums, and
//! ends where the file ends or another frame begins: if it is cut between two blocks, nobody can
//! tell.
//!
//! Where a block is cut, the part that is there is decoded; a block with a wrong block checksum is
//! held back whole.

mod block;
mod blocks;
mod frame;
mod search;
mod window;

use super::Compression;
use super::decode::{Credit, Decode, Fault, Found, Next, Step};
use super::kind::{LZ4, LZ4_LEGACY, is_skippable};
pub(super) use blocks::Blocks;
use frame::{Frame, Header};
use window::Window;

pub(super) struct Lz4 {
    state: State,
    frame: Frame,
    window: Window,
    /// Largest block, decoded.
    limit: usize,
    /// Bytes of the broken block.
    examined: usize,
    /// The frame that broke, if its blocks can be found one by one.
    broken: Option<Frame>,
    /// The broken block lies between two others, so many bytes before the next.
    next: Option<usize>,
}

/// The smallest block that is looked for inside a frame.
const MIN_BLOCK: usize = 64;

enum State {
    Magic,
    Blocks,
    Trailer,
    /// A piece of a broken block has been decoded; nothing more will be.
    Broken(Fault),
}

impl Lz4 {
    pub(super) fn new(limit: usize) -> Lz4 {
        Lz4 {
            state: State::Magic,
            frame: Frame::default(),
            window: Window::default(),
            limit,
            examined: 0,
            broken: None,
            next: None,
        }
    }

    fn magic(&mut self, input: &[u8]) -> Step {
        let Some((&magic, rest)) = input.split_first_chunk::<4>() else {
            return Step::silent(0, Next::Need(4));
        };
        (self.examined, self.next) = (0, None);
        self.window.clear();
        let header = match magic {
            LZ4_LEGACY => Frame::legacy(self.limit).map(|frame| Header::Whole(frame, 0)),
            _ => Frame::read(rest, self.limit),
        };
        match header {
            Ok(Header::Whole(frame, len)) => {
                self.frame = frame;
                self.state = State::Blocks;
                Step::silent(4 + len, Next::Block)
            }
            Ok(Header::Needs(len)) => Step::silent(0, Next::Need(4 + len)),
            Err(why) => Step::corrupt(why),
        }
    }

    fn block(&mut self, input: &[u8], last: bool) -> Step {
        if self.frame.legacy && input.is_empty() && last {
            self.state = State::Magic;
            return Step::silent(0, Next::End);
        }
        let Some((&word, rest)) = input.split_first_chunk::<4>() else {
            return Step::silent(0, Next::Need(4));
        };
        if self.frame.legacy && is_magic(&word) {
            self.state = State::Magic;
            return Step::silent(0, Next::End);
        }
        let word = u32::from_le_bytes(word);
        if word == 0 && !self.frame.legacy {
            self.state = State::Trailer;
            return Step::silent(4, Next::Block);
        }
        let (size, stored) = self.frame.block_size(word);
        (self.examined, self.next) = (4, None);
        if size > self.frame.max_stored() {
            let max = self.frame.max_stored();
            return Step::corrupt(format!("lz4 block of {size} bytes: at most {max} expected"));
        }
        let needed = size + self.frame.block_checksum_len();
        if rest.len() < needed && !last {
            return Step::silent(0, Next::Need(4 + needed));
        }

        self.examined = 4 + needed.min(rest.len());
        self.next = (!self.frame.linked && needed <= rest.len()).then_some(4 + needed);
        self.window.next(self.frame.linked);
        let data = &rest[..size.min(rest.len())];
        let fault = if rest.len() < needed {
            self.window.decode_prefix(before_frame(data), stored, self.frame.max_block);
            Some(Fault::Cut)
        } else if self.frame.block_checksum && rest[size..needed] != frame::xxh32(data) {
            Some(Fault::Corrupt("lz4 block checksum does not match".into()))
        } else if self.window.decode(data, stored, self.frame.max_block) {
            None
        } else {
            self.window.decode_prefix(before_frame(data), stored, self.frame.max_block);
            Some(Fault::Corrupt("lz4 block is corrupt".into()))
        };
        self.frame.add(self.window.block());
        match fault {
            None => Step::silent(4 + needed, Next::Block),
            // Of the bytes that are wrong, none counts as read: the offset points at the block.
            Some(fault) => {
                let read = if matches!(fault, Fault::Cut) { input.len() } else { 0 };
                self.state = State::Broken(fault);
                Step::silent(read, Next::More)
            }
        }
    }

    fn trailer(&mut self, input: &[u8]) -> Step {
        let len = self.frame.content_checksum_len();
        let Some(checksum) = input.get(..len) else {
            return Step::silent(0, Next::Need(len));
        };
        match self.frame.check(checksum) {
            Ok(()) => {
                self.state = State::Magic;
                Step::silent(len, Next::End)
            }
            Err(why) => Step::corrupt(why),
        }
    }
}

impl Decode for Lz4 {
    fn decode(&mut self, input: &[u8], last: bool, output: &mut [u8]) -> Step {
        let written = self.window.take(output);
        if written > 0 {
            return Step { read: 0, written, next: Next::More };
        }
        match &self.state {
            State::Magic => self.magic(input),
            State::Blocks => self.block(input, last),
            State::Trailer => self.trailer(input),
            State::Broken(fault) => Step::silent(0, Next::Broken(fault.clone())),
        }
    }

    fn skip(&mut self, input: &[u8], last: bool, _credit: &mut Credit) -> Found {
        let alone = !self.frame.legacy && !self.frame.linked;
        self.broken = alone.then(|| self.frame.clone());
        match self.state {
            State::Broken(_) => match self.next {
                Some(next) => self.next_block(input, last, next),
                None => Found::Not(0),
            },
            State::Trailer => {
                let end = self.frame.content_checksum_len();
                match input.get(end..) {
                    // It may have taken in others on the way to the end.
                    Some([]) if last => Found::Not(0),
                    Some(behind) if behind.len() >= 4 && Compression::Lz4.begins(behind) => {
                        self.state = State::Magic;
                        Found::Member(end)
                    }
                    Some(behind) if behind.len() >= 4 => Found::Not(0),
                    _ => Found::Need(end + 4),
                }
            }
            State::Magic | State::Blocks => Found::Not(0),
        }
    }

    /// Skippable frames are passed over: they have nothing to give.
    fn find(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found {
        let begins = |bytes: &[u8]| [LZ4, LZ4_LEGACY].iter().any(|magic| bytes.starts_with(magic));
        let broken = self.broken.as_ref();
        let may_be_block =
            |bytes: &[u8]| broken.is_some_and(|frame| frame.block_at(bytes, MIN_BLOCK).is_some());
        let at = (0..input.len()).find(|&at| {
            let bytes = &input[at..];
            (matches!(bytes[0], 2 | 4) && begins(bytes)) || may_be_block(bytes)
        });
        match at {
            // The last bytes may be the beginning of a magic number.
            None if input.len() <= 3 => Found::Need(4),
            None => Found::Not(input.len() - 3),
            Some(0) if begins(input) => self.trial(input, last, credit),
            Some(0) => self.block_trial(input, last, credit),
            Some(at) => Found::Not(at),
        }
    }

    fn holds(&self) -> bool {
        self.window.holds()
    }

    fn may_end(&self) -> bool {
        self.frame.legacy && matches!(self.state, State::Blocks) && !self.holds()
    }

    fn examined(&self) -> usize {
        self.examined
    }
}

/// What stands before a frame that begins inside of a broken block: a file was cut there, and
/// another one follows, which is not to be given twice.
fn before_frame(data: &[u8]) -> &[u8] {
    let begins = |at: &usize| {
        let rest = &data[*at..];
        rest.starts_with(&LZ4) && matches!(Frame::read(&rest[LZ4.len()..], usize::MAX), Ok(Header::Whole(..)))
    };
    &data[..(0..data.len()).find(begins).unwrap_or(data.len())]
}

/// Whether a legacy frame ends because another frame begins. No block is as long as these numbers.
fn is_magic(word: &[u8; 4]) -> bool {
    *word == LZ4 || *word == LZ4_LEGACY || is_skippable(word)
}
