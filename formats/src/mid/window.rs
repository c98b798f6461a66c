//! What was read and is not handed on yet.

use std::io;

use crate::ByteSource;
use crate::compress::{is_damage, waits};

/// Bytes of an input: a buffer whose begin moves.
#[derive(Debug, Default)]
pub(super) struct Window {
    pub(super) bytes: Vec<u8>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What came of reading.
pub(super) enum Read {
    /// More bytes.
    More,
    /// Nothing: the input has no more at the moment.
    Nothing,
    /// The input has ended.
    End,
    /// The compressed stream is broken.
    Broken(String),
}

/// Bytes asked from the input at a time.
const STEP: usize = 1 << 20;

impl Window {
    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(super) fn skip(&mut self, len: usize) {
        self.start += len;
    }

    /// Reads more bytes, as long as there are fewer than `wanted`.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(super) fn fill(&mut self, input: &mut impl ByteSource, wanted: usize) -> io::Result<Read> {
        // The dead half is at least as long as what is moved: each byte is moved once on average.
        if self.start >= self.bytes.len() / 2 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let have = self.end - self.start;
        let up_to = self.end + wanted.saturating_sub(have).clamp(1, STEP);
        if self.bytes.len() < up_to {
            self.bytes.resize(up_to, 0);
        }
        loop {
            return match input.read(&mut self.bytes[self.end..up_to]) {
                Ok(0) => Ok(Read::End),
                Ok(n) => {
                    self.end += n;
                    Ok(Read::More)
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if waits(&e) => Ok(Read::Nothing),
                Err(e) if is_damage(&e) => Ok(Read::Broken(e.to_string())),
                Err(e) => Err(e),
            };
        }
    }
}
