//! Members that are decoded each alone.
//!
//! A member does not say where it ends, so the next one is looked for by its first bytes. Members
//! count only if they end where this one begins: a place that is none costs the work on one unit.

use super::super::decode::{Decode, Next};
use super::super::decoder::{Cut, Cutting, ENOUGH, ENOUGH_PACKED, MAX, MAX_PACKED, Piece, Unit};
use super::{Gzip, HEADER, TRAILER};
use crate::compress::Compression;

pub(in super::super) struct Members {
    window: usize,
    /// A member may begin from here on that has not been seen.
    searched: usize,
    /// The last place where one may begin, and what those before it claim to hold.
    end: usize,
    claimed: usize,
}

/// The most that one byte of a deflate stream can stand for.
const MAX_RATIO: usize = 1032;

impl Members {
    pub(in super::super) fn new(window: usize) -> Members {
        Members { window, searched: HEADER, end: 0, claimed: 0 }
    }

    /// Takes in that a member seems to end here.
    fn note(&mut self, input: &[u8], end: usize) {
        let Some(&length) = input[self.end..end].last_chunk::<4>() else { return };
        let claimed = u32::from_le_bytes(length) as usize;
        let possible = claimed <= MAX.min((end - self.end) * MAX_RATIO) && self.claimed + claimed <= MAX;
        if possible && end <= MAX_PACKED {
            (self.end, self.claimed) = (end, self.claimed + claimed);
        }
    }

    fn is_enough(&self) -> bool {
        self.end >= ENOUGH_PACKED || self.claimed >= ENOUGH
    }
}

impl Cut for Members {
    fn cut(&mut self, input: &[u8], last: bool) -> Cutting {
        while !self.is_enough()
            && let Some(at) = find(input, self.searched)
        {
            self.searched = at + 1;
            self.note(input, at);
        }
        if !self.is_enough() {
            self.searched = self.searched.max(input.len().saturating_sub(HEADER - 1));
            if !last && input.len() <= MAX_PACKED {
                return Cutting::Need(input.len() + 1);
            }
            if last && input.len() >= HEADER + TRAILER {
                self.note(input, input.len());
            }
        }
        if self.end == 0 {
            return Cutting::Stop;
        }
        let (len, most, window) = (self.end, self.claimed, self.window);
        *self = Members::new(window);
        let work = Box::new(move |packed: &[u8], bytes| members(packed, bytes, most, window));
        Cutting::Unit(Unit { len, beyond: 0, most, work })
    }

    fn join(&mut self, _content: &[u8]) -> bool {
        true
    }

    fn decoder(&mut self) -> Option<(Box<dyn Decode>, bool)> {
        None
    }
}

/// The first place from `from` on where a member may begin.
fn find(input: &[u8], from: usize) -> Option<usize> {
    const LANES: usize = 32;
    let mut at = from;
    while at + HEADER <= input.len() {
        // Nearly all of the file has no two such bytes: that is seen in large steps.
        while let Some(ahead) = input.get(at..at + LANES + 1) {
            let (first, second) = (&ahead[..LANES], &ahead[1..]);
            let pairs = first.iter().zip(second);
            if pairs.fold(false, |found, (&a, &b)| found | ((a == 0x1f) & (b == 0x8b))) {
                break;
            }
            at += LANES;
        }
        let end = (at + LANES).min(input.len());
        while at < end {
            if begins(input.get(at..at + HEADER)?) {
                return Some(at);
            }
            at += 1;
        }
    }
    None
}

/// Whether these are the first bytes of a member as programs write them.
fn begins(header: &[u8]) -> bool {
    let how_hard = matches!(header[8], 0 | 2 | 4);
    let system = matches!(header[9], 0..=13 | 255);
    Compression::Gzip.begins(header) && how_hard && system
}

/// Decodes members that have `claimed` bytes of content in all.
fn members(packed: &[u8], mut bytes: Vec<u8>, claimed: usize, window: usize) -> Option<Piece> {
    let mut gzip = Gzip::new(window);
    bytes.resize(claimed, 0);
    let mut places = Vec::new();
    let (mut at, mut written, mut unit, mut told) = (0, 0, 0, 0);
    // Where there is no room left, nothing may come.
    let mut none = [0];
    let begins = |at: usize| packed.len() >= at + HEADER && Compression::Gzip.begins(&packed[at..]);
    if !begins(0) {
        return None;
    }
    loop {
        let room = if written < claimed { &mut bytes[written..] } else { &mut none[..] };
        let step = gzip.decode(&packed[at..], true, room);
        if step.written > claimed - written {
            return None;
        }
        let place = unit + gzip.noted;
        if step.written > 0 && place != told {
            places.push((written, place));
            told = place;
        }
        at += step.read;
        written += step.written;
        match step.next {
            Next::More => {}
            Next::End if at == packed.len() => break,
            Next::End if begins(at) => unit = at as u64,
            Next::End | Next::Need(_) | Next::Block | Next::Broken(_) => return None,
        }
    }
    (written == claimed).then_some(Piece { bytes, places, goes_on: false })
}
