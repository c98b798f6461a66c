//! Where a bank or event ends whose lines are not counted.

use super::Parser;
use crate::asc::Definitions;
use crate::asc::line::{self, Halt, Lines, Next};

/// What follows an empty line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// Another event: the line ends this one.
    Event,
    /// The end of the input.
    End,
    /// Something that belongs to this event.
    Nothing,
}

/// What was stepped over.
pub(super) struct Skipped {
    pub(super) lines: u64,
    /// Whether it ends with the input.
    pub(super) at_end: bool,
    /// Whether a bank follows, rather than the end of the event.
    pub(super) bank: bool,
}

impl<'a, D: Definitions> Parser<'a, '_, D> {
    /// Steps to the end of a bank or FIXED event whose lines are not counted.
    pub(super) fn skip(&mut self) -> Result<Skipped, Halt> {
        let mut lines = 0;
        loop {
            let Next::Line(line) = self.lines.look()? else { return Err(Halt::Cut) };
            if line.is_empty() {
                let (close, last) = self.close()?;
                lines += last.line - self.lines.line;
                self.lines = last;
                if close != Close::Nothing {
                    return Ok(Skipped { lines, at_end: close == Close::End, bank: false });
                }
            } else if line::bank(line).is_some() {
                return Ok(Skipped { lines, at_end: false, bank: true });
            } else if line::was_header(line) {
                return Err(self.lines.bad(None, "the empty line behind the event"));
            }
            lines += 1;
            self.lines.step(if line.is_empty() { b"" } else { line });
        }
    }

    /// What comes behind the empty lines that begin here, and the last of them.
    pub(super) fn close(&self) -> Result<(Close, Lines<'a>), Halt> {
        let mut ahead = self.lines.clone();
        let mut last = ahead.clone();
        let mut before = last.clone();
        loop {
            let close = match ahead.look()? {
                Next::Line(b"") => {
                    before = std::mem::replace(&mut last, ahead.clone());
                    ahead.step(b"");
                    continue;
                }
                Next::Line(line) if line::was_header(line) => {
                    // A newline in the place of its first byte.
                    if line.starts_with(b"ID ") {
                        last = before;
                    }
                    Close::Event
                }
                // Or of one of the next.
                Next::Line(line @ (b"%" | b"%I" | b"%ID")) => {
                    ahead.step(line);
                    match ahead.look()? {
                        Next::Line(line) if line::was_header(line) => Close::Event,
                        _ => Close::Nothing,
                    }
                }
                Next::Line(_) => Close::Nothing,
                Next::Piece(piece) if b"%ID ".starts_with(piece) || piece.starts_with(b"%ID ") => Close::End,
                Next::Piece(_) => Close::Nothing,
                Next::End => Close::End,
            };
            return Ok((close, last));
        }
    }
}
