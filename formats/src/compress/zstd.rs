//! Zstandard frames.
//!
//! | bytes | field of a frame header (RFC 8878, little-endian) |
//! |---|---|
//! | 4 | `28 b5 2f fd` |
//! | 1 | flags: content size 0 to 3, single segment, unused, 0, checksum, dictionary 0 to 3 |
//! | 0, 1 | window, unless single segment: exponent less 10 in the upper five bits, eighths to add |
//! | 0, 1, 2, 4 | dictionary |
//! | 0, 1, 2, 4, 8 | content size |
//!
//! The library allocates the window at once, whatever follows; its pages are touched only as content
//! arrives. The windows of `zstd --long=27`, 128 MiB, must be read, so a frame of a few bytes can
//! have that much.

use std::io;

use ::zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::decode::{Credit, Decode, Fault, Found, Next, Step};
use super::kind::{ZSTD, is_skippable};

pub(super) struct Zstd {
    decoder: Decoder<'static>,
    /// Largest window.
    limit: u64,
    /// The frame's header has been looked at.
    begun: bool,
    /// The checksum behind the content is wrong, and ends so many bytes on.
    wrong_checksum: Option<usize>,
    /// Bytes the library would like to see next.
    hint: usize,
    /// The last call filled the output: the library may hold more.
    full: bool,
}

/// Size of a block header.
const BLOCK_HEADER: usize = 3;
/// The shortest frame header, magic number included.
const FRAME_HEADER: usize = 5;
/// What a look at a place that may be a frame costs besides its bytes.
const TRIAL: u64 = 256;

impl Zstd {
    pub(super) fn new(limit: usize) -> io::Result<Zstd> {
        let mut decoder = Decoder::new()?;
        // The limit is checked here, exactly; the library knows powers of two only.
        decoder.set_parameter(DParameter::WindowLogMax(if usize::BITS < 64 { 30 } else { 31 }))?;
        Ok(Zstd {
            decoder,
            limit: limit as u64,
            begun: false,
            wrong_checksum: None,
            hint: FRAME_HEADER,
            full: false,
        })
    }

    /// Before a frame; whether the library agrees.
    fn begin(&mut self) -> bool {
        (self.begun, self.wrong_checksum, self.hint, self.full) = (false, None, FRAME_HEADER, false);
        self.decoder.reinit().is_ok()
    }

    /// How many bytes to offer.
    ///
    /// When the library meets an error, it forgets what it decoded in the same call. So each call
    /// gets one block, and the header of the next block, which the hint includes, goes into a call
    /// of its own. Nor does a call get anything while output is left of the one before.
    fn offer(&self, available: usize) -> usize {
        if self.full {
            return 0;
        }
        let piece = if self.hint > BLOCK_HEADER { self.hint - BLOCK_HEADER } else { self.hint };
        piece.clamp(1, available.max(1)).min(available)
    }

    /// Whether a frame begins with `input` whose first block can be decoded.
    fn trial(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found {
        if !credit.is_left() || !self.begin() {
            return Found::Not(1);
        }
        let mut scratch = [0; 4096];
        let mut at = 0;
        let found = loop {
            let Step { read, written, next } = self.decode(&input[at..], last, &mut scratch);
            at += read;
            match next {
                _ if written > 0 => break Found::Member(0),
                Next::End => break Found::Member(0),
                Next::Need(wanted) if !last => break Found::Need(at + wanted.max(self.hint)),
                Next::Need(_) | Next::Broken(_) => break Found::Not(1),
                Next::More | Next::Block => {}
            }
        };
        credit.spend(at as u64 + TRIAL);
        if self.begin() { found } else { Found::Not(1) }
    }
}

impl Decode for Zstd {
    fn decode(&mut self, input: &[u8], _last: bool, output: &mut [u8]) -> Step {
        if !self.begun {
            match window(input) {
                Ok(asked) if asked > self.limit => {
                    let why = format!("zstd window of {asked} bytes: at most {} expected", self.limit);
                    return Step::corrupt(why);
                }
                Ok(_) => self.begun = true,
                Err(wanted) => return Step::silent(0, Next::Need(wanted)),
            }
        }
        let offered = self.offer(input.len());
        let mut from = InBuffer::around(&input[..offered]);
        let mut to = OutBuffer::around(output);
        let status = self.decoder.run(&mut from, &mut to);
        let (read, written) = (from.pos(), to.pos());
        let was_full = std::mem::replace(&mut self.full, written == output.len());
        let next = match status {
            Ok(0) => {
                (self.begun, self.hint, self.full) = (false, FRAME_HEADER, false);
                Next::End
            }
            Ok(hint) => {
                self.hint = hint;
                match read == 0 && written == 0 && !was_full {
                    true => Next::Need(input.len() + 1),
                    false => Next::More,
                }
            }
            Err(why) => {
                let why = why.to_string().to_lowercase();
                self.wrong_checksum = why.contains("checksum").then_some(offered);
                Next::Broken(Fault::Corrupt(format!("zstd stream unreadable: {why}").into()))
            }
        };
        // So the offset points at what is wrong.
        let read = if matches!(next, Next::Broken(_)) { 0 } else { read };
        Step { read, written, next }
    }

    /// Behind a wrong checksum, another frame may follow.
    fn skip(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found {
        let Some(end) = self.wrong_checksum else { return Found::Not(0) };
        match input.get(end..) {
            Some([]) if last => Found::End,
            Some(behind) if behind.len() < FRAME_HEADER => Found::Need(end + FRAME_HEADER),
            Some(behind) if is_skippable(behind) && self.begin() => Found::Member(end),
            Some(behind) if behind.starts_with(&ZSTD) => match self.trial(behind, last, credit) {
                Found::Member(_) => Found::Member(end),
                Found::Need(wanted) => {
                    // The question will come again.
                    self.wrong_checksum = Some(end);
                    Found::Need(end + wanted)
                }
                other => other,
            },
            _ => Found::Not(0),
        }
    }

    /// Skippable frames are passed over: they have nothing to give.
    fn find(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found {
        let at = (0..input.len()).find(|&at| {
            input[at] == ZSTD[0] && ZSTD.starts_with(&input[at..input.len().min(at + ZSTD.len())])
        });
        match at {
            None => Found::Not(input.len()),
            Some(0) if input.len() >= FRAME_HEADER => self.trial(input, last, credit),
            Some(0) => Found::Need(FRAME_HEADER),
            Some(at) => Found::Not(at),
        }
    }
}

/// The window that a frame asks for, from its first bytes; else how many of them are needed.
fn window(header: &[u8]) -> Result<u64, usize> {
    let Some(&flags) = header.get(FRAME_HEADER - 1) else { return Err(FRAME_HEADER) };
    if flags & 0x20 == 0 {
        let Some(&window) = header.get(FRAME_HEADER) else { return Err(FRAME_HEADER + 1) };
        let base = 1_u64 << (10 + (window >> 3));
        return Ok(base + base / 8 * u64::from(window & 7));
    }
    // A single segment: the window is the content.
    let at = FRAME_HEADER + [0, 1, 2, 4][usize::from(flags & 3)];
    let len = 1 << (flags >> 6);
    let Some(size) = header.get(at..at + len) else { return Err(at + len) };
    let size = size.iter().rev().fold(0, |size, &byte| size << 8 | u64::from(byte));
    Ok(if len == 2 { size + 256 } else { size })
}
