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

mod frames;

use std::io;
use std::ops::Range;

use ::zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::decode::{Credit, Decode, Fault, Found, Next, Step};
use super::kind::{ZSTD, is_skippable};
pub(super) use frames::Frames;

pub(super) struct Zstd {
    decoder: Decoder<'static>,
    /// Largest window.
    limit: u64,
    /// What comes next in the input.
    part: Part,
    /// What the last block gave.
    block: Vec<u8>,
    /// The part of it that has not been handed out.
    held: Range<usize>,
    /// The checksum behind the content is wrong.
    wrong_checksum: bool,
}

/// What goes into one call of the library.
///
/// When it meets an error, it forgets what it decoded in the same call, so each call gets one part,
/// whole, and room for all that this gives. Then what comes out before an error depends on the
/// bytes alone, not on how many had arrived or were asked for.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    FrameHeader,
    /// With its header. If it is cut, the part that is there.
    Block,
    Checksum,
}

/// The beginning of a frame header that tells its length, magic number included.
const FRAME_HEADER: usize = 5;
/// Size of a block header.
const BLOCK_HEADER: usize = 3;
/// Size of the largest block, decoded or not.
const MAX_BLOCK: usize = 128 << 10;
const CHECKSUM: usize = 4;
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
            part: Part::FrameHeader,
            block: vec![0; MAX_BLOCK],
            held: 0..0,
            wrong_checksum: false,
        })
    }

    /// Before a frame; whether the library agrees.
    fn begin(&mut self) -> bool {
        (self.part, self.held, self.wrong_checksum) = (Part::FrameHeader, 0..0, false);
        self.decoder.reinit().is_ok()
    }

    /// Decodes the next part; how many bytes it had.
    fn decode_part(&mut self, input: &[u8], last: bool) -> Result<usize, Next> {
        let size = match self.part {
            Part::FrameHeader => frame_header_len(input),
            Part::Block => block_len(input),
            Part::Checksum => Ok(CHECKSUM),
        };
        let size = size.map_err(Next::Need)?;
        let cut = last && self.part == Part::Block && !input.is_empty();
        if input.len() < size && !cut {
            return Err(Next::Need(size));
        }
        let part = &input[..size.min(input.len())];
        if self.part == Part::FrameHeader {
            let asked = window(part);
            if asked > self.limit {
                let why = format!("zstd window of {asked} bytes: at most {} expected", self.limit);
                return Err(Next::Broken(Fault::Corrupt(why.into())));
            }
        }
        let mut from = InBuffer::around(part);
        let mut to = OutBuffer::around(&mut self.block[..]);
        match self.decoder.run(&mut from, &mut to) {
            Ok(hint) => {
                self.held = 0..to.pos();
                self.part = match self.part {
                    _ if hint == 0 => Part::FrameHeader,
                    Part::Block if is_last_block(part) => Part::Checksum,
                    _ => Part::Block,
                };
                Ok(from.pos())
            }
            Err(why) => {
                self.wrong_checksum = self.part == Part::Checksum;
                let why = why.to_string().to_lowercase();
                Err(Next::Broken(Fault::Corrupt(format!("zstd stream unreadable: {why}").into())))
            }
        }
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
                Next::Need(wanted) if !last => break Found::Need(at + wanted),
                Next::Need(_) | Next::Broken(_) => break Found::Not(1),
                Next::More | Next::Block => {}
            }
        };
        credit.spend(at as u64 + TRIAL);
        if self.begin() { found } else { Found::Not(1) }
    }
}

impl Decode for Zstd {
    fn decode(&mut self, input: &[u8], last: bool, output: &mut [u8]) -> Step {
        let mut read = 0;
        if self.held.is_empty() {
            match self.decode_part(input, last) {
                Ok(size) => read = size,
                // So the offset points at what is wrong.
                Err(next) => return Step::silent(0, next),
            }
        }
        let written = self.held.len().min(output.len());
        let given = self.held.start..self.held.start + written;
        self.held.start = given.end;
        output[..written].copy_from_slice(&self.block[given]);
        let ended = self.held.is_empty() && self.part == Part::FrameHeader;
        Step { read, written, next: if ended { Next::End } else { Next::More } }
    }

    fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Behind a wrong checksum, another frame may follow.
    fn skip(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found {
        if !self.wrong_checksum {
            return Found::Not(0);
        }
        match input.get(CHECKSUM..) {
            // It may have taken in others on the way to the end.
            Some([]) if last => Found::Not(0),
            Some(behind) if behind.len() < FRAME_HEADER => Found::Need(CHECKSUM + FRAME_HEADER),
            Some(behind) if is_skippable(behind) && self.begin() => Found::Member(CHECKSUM),
            Some(behind) if behind.starts_with(&ZSTD) => match self.trial(behind, last, credit) {
                Found::Member(_) => Found::Member(CHECKSUM),
                Found::Need(wanted) => {
                    // The question will come again.
                    self.wrong_checksum = true;
                    Found::Need(CHECKSUM + wanted)
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

/// Size of the frame header, from its first bytes; else how many of them are needed.
fn frame_header_len(input: &[u8]) -> Result<usize, usize> {
    let Some(&flags) = input.get(FRAME_HEADER - 1) else { return Err(FRAME_HEADER) };
    let window = usize::from(!is_single_segment(flags));
    Ok(FRAME_HEADER + window + dictionary_len(flags) + content_size_len(flags))
}

fn is_single_segment(flags: u8) -> bool {
    flags & 0x20 != 0
}

fn dictionary_len(flags: u8) -> usize {
    [0, 1, 2, 4][usize::from(flags & 3)]
}

fn content_size_len(flags: u8) -> usize {
    match flags >> 6 {
        0 => usize::from(is_single_segment(flags)),
        log => 1 << log,
    }
}

/// The window that a frame asks for by its whole header.
fn window(header: &[u8]) -> u64 {
    let flags = header[FRAME_HEADER - 1];
    if !is_single_segment(flags) {
        let window = header[FRAME_HEADER];
        let base = 1_u64 << (10 + (window >> 3));
        return base + base / 8 * u64::from(window & 7);
    }
    // A single segment: the window is the content.
    let size = &header[FRAME_HEADER + dictionary_len(flags)..];
    let add = if size.len() == 2 { 256 } else { 0 };
    size.iter().rev().fold(0, |size, &byte| size << 8 | u64::from(byte)) + add
}

/// Size of a block with its header, from its first bytes; else how many of them are needed.
/// Where the header is wrong, it is the header's: the library says why.
fn block_len(input: &[u8]) -> Result<usize, usize> {
    let &[a, b, c, ..] = input else { return Err(BLOCK_HEADER) };
    let header = u32::from_le_bytes([a, b, c, 0]);
    let size = (header >> 3) as usize;
    Ok(match header >> 1 & 3 {
        // A byte to be repeated.
        1 => BLOCK_HEADER + 1,
        0 | 2 if size <= MAX_BLOCK => BLOCK_HEADER + size,
        _ => BLOCK_HEADER,
    })
}

fn is_last_block(block: &[u8]) -> bool {
    block[0] & 1 != 0
}
