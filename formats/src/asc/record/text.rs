//! Characters and texts, which may hold what looks like the end of a line or of an event.

use super::end::{Close, Skipped};
use super::structure::Label;
use super::{Parser, Trouble};
use crate::BankName;
use crate::asc::Definitions;
use crate::asc::line::{self, Halt, Lines, Next};
use crate::asc::refused::Reason;

/// Bytes that a text bank may be larger than its text. MIDAS's strings have up to 255 characters;
/// beyond that the size is more likely a broken digit than a value.
const PADDING: usize = 1 << 16;

impl<D: Definitions> Parser<'_, '_, D> {
    /// Reads `count` characters, each with an LF behind it; then comes `next`, or the end of the
    /// bank or event.
    ///
    /// `mana` prints the character itself, so that a newline gives an empty line more, and NUL as
    /// nothing. How many of each there are follows from the number of empty lines; where both
    /// occur, which is which does not.
    pub(super) fn characters(
        &mut self,
        bank: Option<BankName>,
        count: usize,
        next: Option<Label<'_>>,
    ) -> Result<(), Trouble> {
        if self.pairs(count, next)? {
            return Ok(());
        }
        let begin = self.lines.clone();
        let wanted = || format!("{count} characters, a line each");
        let (mut full, mut empty, mut at_end) = (0, 0, false);
        loop {
            let Next::Line(line) = self.lines.look()? else { return Err(Halt::Cut.into()) };
            match next {
                Some(label) if label.is(line) => break,
                None if bank.is_some() && line::bank(line).is_some() => break,
                None if line.is_empty() => {
                    let (close, last) = self.close()?;
                    empty += (last.line - self.lines.line) as usize;
                    self.lines = last;
                    if close != Close::Nothing {
                        at_end = close == Close::End;
                        break;
                    }
                }
                _ => {}
            }
            match line.len() {
                0 => empty += 1,
                1 => full += 1,
                _ => return Err(self.lines.bad(bank, wanted()).into()),
            }
            self.lines.step(if line.is_empty() { b"" } else { line });
        }
        let rest = count.saturating_sub(full);
        if empty > rest && empty < 2 * rest {
            return Err(Trouble::Refused(Reason::Newlines));
        }
        if empty != rest || rest == 0 {
            if at_end {
                return Err(Halt::Cut.into());
            }
            self.lines = begin;
            return Err(self.lines.bad(bank, wanted()).into());
        }
        // A cut file looks the same, unless this writer is known to do so.
        if at_end && !self.habits.drops_nul {
            return Err(Halt::Cut.into());
        }
        self.habits.drops_nul = true;
        let region = &self.lines.text[begin.at..self.lines.at];
        let values =
            region.split_inclusive(|&b| b == b'\n').map(|line| if line.len() > 1 { line[0] } else { 0 });
        self.record.data.extend(values);
        Ok(())
    }

    /// Reads characters of which each, also a newline or NUL, stands before an LF. Whether they
    /// are such ones.
    fn pairs(&mut self, count: usize, next: Option<Label<'_>>) -> Result<bool, Halt> {
        let Lines { text, at: start, .. } = self.lines;
        let mut behind = self.lines.clone();
        for _ in 0..count {
            match text.get(behind.at..behind.at + 2) {
                Some(&[c, b'\n']) => {
                    behind.at += 2;
                    behind.line += 1 + u64::from(c == b'\n');
                }
                None if !behind.last => return Err(Halt::More),
                _ => return Ok(false),
            }
        }
        let ends = match behind.look()? {
            Next::Line(line) => match next {
                Some(label) => label.is(line),
                None => line.is_empty() || line::bank(line).is_some(),
            },
            Next::Piece(_) | Next::End => false,
        };
        if ends {
            self.record.data.extend(text[start..behind.at].iter().step_by(2));
            self.lines = behind;
        }
        Ok(ends)
    }

    /// Reads a STRING or LINK bank of one line, or steps over one of several.
    pub(super) fn text_bank(&mut self, name: BankName, size: usize) -> Result<Option<Reason>, Halt> {
        let text = self.lines.take()?;
        let begin = self.lines.clone();
        let Next::Line(line) = begin.look()? else { return Err(Halt::Cut) };
        let one_line = if line.is_empty() {
            let overruns = self.habits.overruns > self.habits.one_line;
            let ours = self.habits.one_line > self.habits.overruns;
            match self.close()?.0 {
                Close::Event => true,
                // Of a line for each byte this is the first, and the file is cut.
                Close::End if overruns && size > 1 => return Err(Halt::Cut),
                Close::End => true,
                // The end of the event, with damage behind it, or the second line of many.
                Close::Nothing => ours,
            }
        } else {
            line::bank(line).is_some()
        };
        if !one_line {
            match self.skip() {
                Ok(Skipped { lines, at_end, .. }) => {
                    let lines = 1 + lines;
                    let many = lines >= size as u64;
                    self.habits.overruns += u64::from(many);
                    if at_end && !many {
                        return Err(Halt::Cut);
                    }
                    if many || !line.is_empty() {
                        return Ok(Some(Reason::Lines(lines)));
                    }
                }
                Err(Halt::Bad(_) | Halt::LongLine) if line.is_empty() => {}
                Err(halt) => return Err(of_bank(halt, name)),
            }
            self.lines = begin;
        }
        self.habits.one_line += u64::from(size > 1);
        if text.len() > size {
            return Ok(Some(Reason::LongText { room: size, found: text.len() }));
        }
        if size - text.len() > PADDING {
            return Ok(Some(Reason::Padding { claimed: size, found: text.len() }));
        }
        let data = &mut self.record.data;
        if data.len() + size > self.limit {
            return Err(Halt::TooLarge(data.len() + size));
        }
        data.extend_from_slice(text);
        data.resize(data.len() + size - text.len(), 0);
        Ok(None)
    }
}

fn of_bank(halt: Halt, bank: BankName) -> Halt {
    match halt {
        Halt::Bad(bad) => Halt::Bad(line::Bad { bank: bad.bank.or(Some(bank)), ..bad }),
        halt => halt,
    }
}
