//! One event: its lines to its bytes.
//!
//! What is counted is read by its count: values of numbers, characters, `<unknown>` lines. What is
//! not, a text or a structure that nobody defines, ends where a line heads the next bank, or where
//! an empty line stands before the next event.

mod dump;
mod end;
mod structure;
mod text;

use super::Definitions;
use super::line::{self, BankLine, Halt, Lines, Next};
use super::number;
use super::refused::{Reason, Refusal, Refusals};
use crate::event::Kind;
use crate::mid::layout::{Area, BankKind};
use crate::{Bank, BankName, Header, Order, Tid, mid};

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
