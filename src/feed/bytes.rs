//! What goes through the spool, as bytes.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::piece::{Piece, SMALL};
use super::spool::Spool;
use crate::online::Pace;

/// When what was handed on had come: of each piece, its end in the stream.
#[derive(Clone, Default)]
pub(crate) struct Ages(Arc<Mutex<VecDeque<(u64, Instant)>>>);

impl Ages {
    /// How old the event is that ends here; those before are forgotten.
    pub(crate) fn of(&self, end: u64) -> Option<Duration> {
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while pieces.front().is_some_and(|(last, _)| *last < end) {
            pieces.pop_front();
        }
        pieces.front().map(|(_, came)| came.elapsed())
    }

    fn add(&self, end: u64, came: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((end, came));
    }
}

/// The events of one run, as bytes; where they end for now, `WouldBlock`.
pub(crate) struct Bytes {
    spool: Spool,
    piece: Vec<u8>,
    at: usize,
    /// Bytes of the pieces so far.
    end: u64,
    /// Kept if somebody asks.
    ages: Option<Ages>,
    /// If recent events are wanted: how many of them to take at a time, as they grow old once they are taken;
    /// and how many were taken when.
    pace: Option<Pace>,
    taken: Option<(usize, Instant)>,
}

/// Bytes that are taken first.
const FIRST: usize = 1 << 10;

impl Bytes {
    pub(crate) fn new(spool: Spool, ages: Option<Ages>) -> Bytes {
        let pace = spool.is_recent().then(|| Pace::new(FIRST, SMALL));
        Bytes { spool, piece: Vec::new(), at: 0, end: 0, ages, pace, taken: None }
    }

    /// The next piece.
    fn pop(&mut self) -> io::Result<Option<Piece>> {
        let Some(pace) = &self.pace else { return self.spool.pop(usize::MAX) };
        // Asked again when the last ones were used.
        if let Some((bytes, when)) = self.taken.take() {
            pace.took(bytes, when.elapsed());
        }
        let piece = self.spool.pop(pace.target())?;
        self.taken = piece.as_ref().map(|piece| (piece.bytes.len(), Instant::now()));
        Ok(piece)
    }
}

impl Read for Bytes {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            let Some(Piece { bytes, came, .. }) = self.pop()? else { return Ok(0) };
            self.end += bytes.len() as u64;
            if let Some(ages) = &self.ages {
                ages.add(self.end, came);
            }
            self.spool.give_back(std::mem::replace(&mut self.piece, bytes));
            self.at = 0;
        }
        let count = buf.len().min(self.piece.len() - self.at);
        buf[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
