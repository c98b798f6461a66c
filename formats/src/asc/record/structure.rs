//! Members of a structure: of a STRUCT bank, or of a FIXED event.

use std::borrow::Cow;

use super::{Parser, Trouble, UNKNOWN};
use crate::asc::Definitions;
use crate::asc::line::{self, Halt, Next, shown};
use crate::asc::refused::Reason;
use crate::{BankName, Field, Layout, Tid};

/// A line with the name of a member.
#[derive(Clone, Copy)]
pub(super) struct Label<'a> {
    pub(super) name: &'a str,
    pub(super) colon: &'static str,
}

impl Label<'_> {
    pub(super) fn is(self, line: &[u8]) -> bool {
        line.strip_suffix(self.colon.as_bytes()) == Some(self.name.as_bytes())
    }
}

impl<'a, D: Definitions> Parser<'a, '_, D> {
    /// Reads a STRUCT bank.
    pub(super) fn structure(&mut self, name: BankName, size: usize) -> Result<Option<Reason>, Halt> {
        if matches!(self.lines.look()?, Next::Line(UNKNOWN)) {
            self.same_lines(name, size, UNKNOWN, "<unknown>")?;
            return Ok(Some(Reason::NoText(Some(Tid::Struct))));
        }
        let begin = self.lines.clone();
        let definitions = self.definitions;
        let Some(layout) = definitions.bank(self.header.id, name) else {
            let skipped = self.skip()?;
            // Behind the name of a member an empty line is its value: the event is cut there.
            let text = &self.lines.text[begin.at..self.lines.at];
            if skipped.at_end && text.ends_with(b":\n") {
                return Err(Halt::Cut);
            }
            return Ok(Some(Reason::Undefined));
        };
        let start = self.record.data.len();
        let members = layout.fields().last().map_or(0, |field| field.offset + field.size());
        let read = if (members..=layout.size()).contains(&size) {
            self.members(Some(name), layout, ":")
        } else {
            // Members that were left out, or more structures than the one that was printed.
            let wanted = format!("{} bytes", layout.size());
            Err(Trouble::Refused(Reason::Definition { wanted, found: format!("{size} bytes") }))
        };
        let read = read.and_then(|()| match self.lines.look()? {
            Next::Line(line) if line.is_empty() || line::bank(line).is_some() => Ok(()),
            Next::Line(line) => Err(mismatch("no more members", line)),
            Next::Piece(_) | Next::End => Err(Halt::Cut.into()),
        });
        if read.is_ok() {
            self.record.data.resize(start + size, 0);
        }
        self.or_skip(read, &begin)
    }

    /// Reads the members of a STRUCT bank or a FIXED event.
    fn members(
        &mut self,
        bank: Option<BankName>,
        layout: &Layout,
        colon: &'static str,
    ) -> Result<(), Trouble> {
        let start = self.record.data.len();
        let label = |field: &'_ Field| format!("member \"{}{colon}\"", field.name);
        let mut fields = layout.fields().iter().peekable();
        while let Some(field) = fields.next() {
            let next = fields.peek().map(|field| Label { name: &field.name, colon });
            let Next::Line(line) = self.lines.look()? else { return Err(Halt::Cut.into()) };
            if !(Label { name: &field.name, colon }).is(line) {
                return Err(mismatch(label(field), line));
            }
            self.lines.step(line);
            self.record.data.resize(start + field.offset, 0);
            match field.tid {
                Tid::String | Tid::Link => self.texts(field)?,
                Tid::Bitfield | Tid::Array | Tid::Struct | Tid::Key => {
                    return Err(Trouble::Refused(Reason::NoText(Some(field.tid))));
                }
                Tid::Char => self.characters(bank, field.count, next)?,
                tid => match self.numbers(bank, tid, field.count) {
                    Ok(()) => {}
                    Err(Halt::Bad(bad)) => {
                        // Fewer values than defined, and then the next member: nothing is broken.
                        return Err(match (self.lines.look()?, next) {
                            (Next::Line(line), Some(next)) if next.is(line) => {
                                mismatch(format!("{} values of {}", field.count, label(field)), line)
                            }
                            _ => Halt::Bad(bad).into(),
                        });
                    }
                    Err(halt) => return Err(halt.into()),
                },
            }
        }
        self.record.data.resize(start + layout.size(), 0);
        Ok(())
    }

    /// The items of a STRING or LINK member, a line each.
    fn texts(&mut self, field: &Field) -> Result<(), Trouble> {
        if field.item_size == 0 {
            return Ok(());
        }
        for _ in 0..field.count {
            let text = self.lines.take()?;
            let Some(padding) = field.item_size.checked_sub(text.len()) else {
                return Err(Trouble::Refused(Reason::LongText { room: field.item_size, found: text.len() }));
            };
            let data = &mut self.record.data;
            data.extend_from_slice(text);
            data.resize(data.len() + padding, 0);
        }
        Ok(())
    }

    /// Reads a FIXED event and the empty line behind it. Whether it is one.
    pub(super) fn fixed(&mut self, layout: Option<&Layout>) -> Result<bool, Halt> {
        let begin = self.lines.clone();
        let read = match layout {
            Some(layout) if layout.size() > self.limit => return Err(Halt::TooLarge(layout.size())),
            Some(layout) => self.members(None, layout, ""),
            None => Err(Trouble::Refused(Reason::Undefined)),
        };
        let read = read.and_then(|()| match self.lines.look()? {
            Next::Line(b"") => Ok(()),
            Next::Line(line) => Err(mismatch("no more members", line)),
            Next::Piece(_) | Next::End => Err(Halt::Cut.into()),
        });
        let reason = match read {
            Ok(()) => {
                self.lines.take()?;
                return Ok(true);
            }
            Err(Trouble::Halt(halt)) => return Err(halt),
            Err(Trouble::Refused(reason)) => reason,
        };
        self.lines = begin.clone();
        while self.skip()?.bank {
            // Nobody says that it is FIXED: it was a bank event, and its first line is broken.
            if layout.is_none() {
                return Err(self.lines.bad(None, "a member of a FIXED event"));
            }
            self.lines.take()?;
        }
        self.lines.take()?;
        self.record.data.clear();
        self.refuse(None, &begin, reason);
        Ok(false)
    }
}

fn mismatch(wanted: impl Into<Cow<'static, str>>, line: &[u8]) -> Trouble {
    Trouble::Refused(Reason::Definition { wanted: wanted.into().into_owned(), found: shown(line) })
}
