//! One event: its lines to its bytes.
//!
//! What is counted is read by its count: values of numbers, characters, `<unknown>` lines. What is
//! not, a text or a structure that nobody defines, ends where a line heads the next bank, or where
//! an empty line stands before the next event.

use std::borrow::Cow;

use super::Definitions;
use super::line::{self, BankLine, Halt, Lines, Next, shown};
use super::number;
use super::refused::{Reason, Refusal, Refusals};
use crate::event::Kind;
use crate::mid::layout::{Area, BankKind};
use crate::{Bank, BankName, Field, Header, Layout, Order, Tid, mid};

/// Bytes that a text bank may be larger than its text. MIDAS's strings have up to 255 characters;
/// beyond that the size is more likely a broken digit than a value.
const PADDING: usize = 1 << 16;

/// What is known of the writer of a text from what it wrote so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habits {
    /// How many STRING banks it printed as a line for each byte, and how many as one line. A
    /// broken bank may look like either, so that the more frequent counts.
    overruns: u64,
    one_line: u64,
    /// It prints a CHAR of 0 as an empty line.
    drops_nul: bool,
}

/// The contents of one event. Its memory is reused.
#[derive(Debug, Default)]
pub(super) struct Record {
    data: Vec<u8>,
    banks: Vec<Found>,
    pub(super) refused: Refusals,
}

#[derive(Debug)]
struct Found {
    name: BankName,
    tid: Tid,
    start: usize,
    end: usize,
}

/// Where a record stands in the input.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// First byte of the text, in the input.
    pub(super) base: u64,
    /// Number of the event.
    pub(super) event: u64,
}

/// Why the value of a bank or member cannot be had.
enum Trouble {
    Halt(Halt),
    Refused(Reason),
}

impl From<Halt> for Trouble {
    fn from(halt: Halt) -> Trouble {
        Trouble::Halt(halt)
    }
}

/// A line with the name of a member.
#[derive(Clone, Copy)]
struct Label<'a> {
    name: &'a str,
    colon: &'static str,
}

impl Label<'_> {
    fn is(self, line: &[u8]) -> bool {
        line.strip_suffix(self.colon.as_bytes()) == Some(self.name.as_bytes())
    }
}

/// What follows an empty line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    /// Another event: the line ends this one.
    Event,
    /// The end of the input.
    End,
    /// Something that belongs to this event.
    Nothing,
}

/// What was stepped over.
struct Skipped {
    lines: u64,
    /// Whether it ends with the input.
    at_end: bool,
    /// Whether a bank follows, rather than the end of the event.
    bank: bool,
}

pub(super) struct Parser<'a, 'r, D> {
    pub(super) lines: Lines<'a>,
    pub(super) header: Header,
    pub(super) definitions: &'a D,
    pub(super) limit: usize,
    pub(super) place: Place,
    pub(super) habits: Habits,
    pub(super) record: &'r mut Record,
}

impl<'a, D: Definitions> Parser<'a, '_, D> {
    /// Reads what follows the header of an event, up to the empty line at its end. Whether there
    /// is an event: a FIXED one may be refused.
    pub(super) fn event(&mut self) -> Result<bool, Halt> {
        self.record.data.clear();
        self.record.banks.clear();
        self.record.refused.clear();
        match self.header.kind() {
            Kind::Bor | Kind::Eor => return self.dump().map(|()| true),
            _ => {}
        }
        let definitions = self.definitions;
        match (definitions.fixed(self.header.id), self.lines.look()?) {
            (Some(layout), Next::Line(_)) => self.fixed(Some(layout)),
            (None, Next::Line(line)) if !line.is_empty() && !heads_bank(line) => self.fixed(None),
            _ => self.banks().map(|()| true),
        }
    }

    /// Appends the event that was read, in the binary format.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), Halt> {
        let Record { data, banks, .. } = &*self.record;
        let mut header = self.header;
        if banks.is_empty() && !data.is_empty() {
            header.size = u32::try_from(data.len()).map_err(|_| Halt::TooLarge(data.len()))?;
            out.extend_from_slice(&header.to_bytes());
            out.extend_from_slice(data);
            return Ok(());
        }
        let views = banks.iter().map(|found| Bank {
            name: found.name,
            code: found.tid.code(),
            data: &data[found.start..found.end],
            order: Order::Little,
        });
        if !mid::write_event(out, &header, kind(banks), views).map_err(|_| Halt::TooLarge(data.len()))? {
            header.size = Area::SIZE as u32;
            out.extend_from_slice(&header.to_bytes());
            out.extend_from_slice(&0u32.to_le_bytes());
            out.extend_from_slice(&BankKind::Bank.flags().to_le_bytes());
        }
        Ok(())
    }

    fn banks(&mut self) -> Result<(), Halt> {
        loop {
            let Next::Line(line) = self.lines.look()? else { return Err(Halt::Cut) };
            if line.is_empty() {
                self.lines.step(line);
                return Ok(());
            }
            let Some(head) = line::bank(line) else {
                return Err(self.lines.bad(None, "a bank or the empty line behind the event"));
            };
            let at = self.lines.clone();
            self.lines.step(line);
            let start = self.record.data.len();
            match (self.values(&head)?, head.tid) {
                (None, Some(tid)) => {
                    let end = self.record.data.len();
                    self.record.banks.push(Found { name: head.name, tid, start, end });
                }
                (reason, _) => {
                    self.record.data.truncate(start);
                    self.refuse(Some(head.name), &at, reason.unwrap_or(Reason::NoText(None)));
                }
            }
        }
    }

    fn refuse(&mut self, bank: Option<BankName>, at: &Lines<'_>, reason: Reason) {
        let Header { id, serial, .. } = self.header;
        let Place { base, event } = self.place;
        let (offset, line) = (base + at.at as u64, at.line);
        self.record.refused.add(Refusal { bank, id, serial, event, offset, line, reason });
    }

    /// Reads the values of a bank, or steps over them and says why.
    fn values(&mut self, head: &BankLine) -> Result<Option<Reason>, Halt> {
        let &BankLine { name, tid, count } = head;
        let bytes = count.saturating_mul(tid.map_or(1, Tid::unit));
        match tid {
            // Without a value there is nothing that the text could not hold.
            Some(_) if count == 0 => return Ok(None),
            Some(Tid::Bitfield) => {
                self.same_lines(name, count, b"", "an empty line")?;
                return Ok(Some(Reason::NoText(tid)));
            }
            Some(Tid::Array | Tid::Key) | None => {
                self.same_lines(name, count, UNKNOWN, "<unknown>")?;
                return Ok(Some(Reason::NoText(tid)));
            }
            Some(Tid::String | Tid::Link) => return self.text_bank(name, count),
            _ => {}
        }
        if bytes.saturating_add(self.record.data.len()) > self.limit {
            return Err(Halt::TooLarge(bytes));
        }
        match tid {
            Some(Tid::Struct) => self.structure(name, count),
            Some(tid) => {
                let begin = self.lines.clone();
                let read = match tid {
                    Tid::Char => self.characters(Some(name), count, None),
                    tid => self.numbers(Some(name), tid, count).map_err(Trouble::from),
                };
                self.or_skip(read, &begin)
            }
            None => Ok(None),
        }
    }

    /// Steps over the rest of a bank that was refused.
    fn or_skip(&mut self, read: Result<(), Trouble>, begin: &Lines<'a>) -> Result<Option<Reason>, Halt> {
        match read {
            Ok(()) => Ok(None),
            Err(Trouble::Halt(halt)) => Err(halt),
            Err(Trouble::Refused(reason)) => {
                self.lines = begin.clone();
                self.skip()?;
                Ok(Some(reason))
            }
        }
    }

    fn same_lines(
        &mut self,
        bank: BankName,
        count: usize,
        wanted: &[u8],
        name: &'static str,
    ) -> Result<(), Halt> {
        for _ in 0..count {
            match self.lines.look()? {
                Next::Line(line) if line == wanted => self.lines.step(line),
                Next::Line(_) => return Err(self.lines.bad(Some(bank), name)),
                Next::Piece(_) | Next::End => return Err(Halt::Cut),
            }
        }
        Ok(())
    }

    fn numbers(&mut self, bank: Option<BankName>, tid: Tid, count: usize) -> Result<(), Halt> {
        use number::{bool, double, float, integer};
        match tid {
            Tid::Byte => self.each(bank, tid, count, |text| integer::<1>(text, false)),
            Tid::Sbyte => self.each(bank, tid, count, |text| integer::<1>(text, true)),
            Tid::Word => self.each(bank, tid, count, |text| integer::<2>(text, false)),
            Tid::Short => self.each(bank, tid, count, |text| integer::<2>(text, true)),
            Tid::Dword => self.each(bank, tid, count, |text| integer::<4>(text, false)),
            Tid::Int => self.each(bank, tid, count, |text| integer::<4>(text, true)),
            Tid::Uint64 => self.each(bank, tid, count, |text| integer::<8>(text, false)),
            Tid::Int64 => self.each(bank, tid, count, |text| integer::<8>(text, true)),
            Tid::Bool => self.each(bank, tid, count, |text| bool(text).map(u32::to_le_bytes)),
            Tid::Float => self.each(bank, tid, count, |text| float(text).map(f32::to_le_bytes)),
            Tid::Double => self.each(bank, tid, count, |text| double(text).map(f64::to_le_bytes)),
            // No numbers: the callers do not ask.
            _ => Ok(()),
        }
    }

    #[inline]
    fn each<const SIZE: usize>(
        &mut self,
        bank: Option<BankName>,
        tid: Tid,
        count: usize,
        parse: impl Fn(&[u8]) -> Option<[u8; SIZE]>,
    ) -> Result<(), Halt> {
        for _ in 0..count {
            let Next::Line(line) = self.lines.look()? else { return Err(Halt::Cut) };
            let Some(value) = parse(line) else {
                return Err(self.lines.bad(bank, format!("a value of type {tid}")));
            };
            self.record.data.extend_from_slice(&value);
            self.lines.step(line);
        }
        Ok(())
    }

    /// Reads `count` characters, each with an LF behind it; then comes `next`, or the end of the
    /// bank or event.
    ///
    /// `mana` prints the character itself, so that a newline gives an empty line more, and NUL as
    /// nothing. How many of each there are follows from the number of empty lines; where both
    /// occur, which is which does not.
    fn characters(
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
    fn text_bank(&mut self, name: BankName, size: usize) -> Result<Option<Reason>, Halt> {
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

    /// Reads a STRUCT bank.
    fn structure(&mut self, name: BankName, size: usize) -> Result<Option<Reason>, Halt> {
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
    fn fixed(&mut self, layout: Option<&Layout>) -> Result<bool, Halt> {
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

    /// Reads the ODB dump of a BOR or EOR.
    ///
    /// It ends with its last line, where XML and JSON tell which, or before the next event. The
    /// 2014 logger puts no empty line behind XML.
    fn dump(&mut self) -> Result<(), Halt> {
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

    /// Steps to the end of a bank or FIXED event whose lines are not counted.
    fn skip(&mut self) -> Result<Skipped, Halt> {
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
    fn close(&self) -> Result<(Close, Lines<'a>), Halt> {
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

/// What stands for a byte of a type without text.
const UNKNOWN: &[u8] = b"<unknown>";

/// Whether a line heads a bank, or did before it was damaged.
fn heads_bank(line: &[u8]) -> bool {
    let has = |word: &[u8]| line.windows(word.len()).any(|w| w == word);
    line.starts_with(b"BK ") || (has(b" TP ") && has(b" SZ "))
}

/// The smallest bank header that holds the banks. INT64 and UINT64 came to MIDAS with BANK32A, and
/// lie at multiples of 8 only there: who knows the types knows the header.
fn kind(banks: &[Found]) -> BankKind {
    if banks.iter().any(|bank| matches!(bank.tid, Tid::Int64 | Tid::Uint64)) {
        BankKind::Bank32A
    } else if banks.iter().any(|bank| bank.end - bank.start > BankKind::Bank.max_bank()) {
        BankKind::Bank32
    } else {
        BankKind::Bank
    }
}

fn mismatch(wanted: impl Into<Cow<'static, str>>, line: &[u8]) -> Trouble {
    Trouble::Refused(Reason::Definition { wanted: wanted.into().into_owned(), found: shown(line) })
}

fn of_bank(halt: Halt, bank: BankName) -> Halt {
    match halt {
        Halt::Bad(bad) => Halt::Bad(line::Bad { bank: bad.bank.or(Some(bank)), ..bad }),
        halt => halt,
    }
}
