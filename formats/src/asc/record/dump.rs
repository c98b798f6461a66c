//! The ODB dump of a begin or end of run.

use super::Parser;
use crate::asc::Definitions;
use crate::asc::line::{self, Halt, Next};

impl<D: Definitions> Parser<'_, '_, D> {
    /// Reads the ODB dump of a BOR or EOR.
    ///
    /// It ends with its last line, where XML and JSON tell which, or before the next event. The
    /// 2014 logger puts no empty line behind XML.
    pub(super) fn dump(&mut self) -> Result<(), Halt> {
        let begin = self.lines.at;
        let mut form = None;
        let end = loop {
            let next = self.lines.look()?;
            let (Next::Line(line) | Next::Piece(line)) = next else { break None };
            let trimmed = line.trim_ascii();
            form = form.or(trimmed.first().copied());
            let closed = match form {
                Some(b'<') => trimmed.ends_with(b"</odb>"),
                Some(b'{') => line == b"}",
                _ => false,
            };
            if line::header(line).is_some() || (form != Some(b'<') && line::was_header(line)) {
                break Some(self.lines.at);
            }
            match next {
                Next::Line(line) => self.lines.step(line),
                // All that is missing is the LF.
                _ if closed => self.lines.at += line.len(),
                _ => return Err(Halt::Cut),
            }
            if closed {
                break Some(self.lines.at);
            }
        };
        let text = &self.lines.text[begin..end.unwrap_or(self.lines.at)];
        // At the end of the input: an .odb dump ends with an empty line, JSON may be one line.
        let whole = end.is_some()
            || match form {
                Some(b'<') => false,
                Some(b'{') => text.trim_ascii_end().ends_with(b"}") && !text.trim_ascii().contains(&b'\n'),
                _ => text == b"\n" || text.ends_with(b"\n\n"),
            };
        if !whole {
            return Err(Halt::Cut);
        }
        if text.len() > self.limit {
            return Err(Halt::TooLarge(text.len()));
        }
        // Nothing but the empty line behind the event.
        let text = if text == b"\n" { b"" } else { text };
        self.record.data.extend_from_slice(text);
        self.record.data.push(0);
        Ok(())
    }
}
