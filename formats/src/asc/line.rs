//! The lines of a text, and the two kinds of line that head something.

use std::borrow::Cow;

use crate::event::{BOR, EOR, Kind, MIDAS_MAGIC};
use crate::{BankName, Header, Tid};

/// Why a record cannot be read.
#[derive(Debug)]
pub(super) enum Halt {
    /// It goes on behind the bytes that are there.
    More,
    /// The input ends inside it.
    Cut,
    /// A line is longer than the limit.
    LongLine,
    /// It would be of so many bytes.
    TooLarge(usize),
    /// A line is not what its place asks for.
    Bad(Bad),
}

/// A line that is not what its place asks for.
#[derive(Debug)]
pub(super) struct Bad {
    /// Where it begins in the text.
    pub(super) at: usize,
    /// Its number.
    pub(super) line: u64,
    /// The bank it should belong to.
    pub(super) bank: Option<BankName>,
    pub(super) wanted: Cow<'static, str>,
    pub(super) found: String,
}

/// What stands at a place.
pub(super) enum Next<'a> {
    /// A line, without its LF.
    Line(&'a [u8]),
    /// The last bytes of the input, without an LF.
    Piece(&'a [u8]),
    /// Nothing: the input has ended.
    End,
}

/// Goes through a text line by line.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    pub(super) text: &'a [u8],
    /// Where the next line begins.
    pub(super) at: usize,
    /// Number of the next line.
    pub(super) line: u64,
    /// Whether the input ends where the text ends.
    pub(super) last: bool,
    /// Longest line to accept.
    pub(super) limit: usize,
}

impl<'a> Lines<'a> {
    /// Steps over the next line, which must be there.
    #[inline]
    pub(super) fn take(&mut self) -> Result<&'a [u8], Halt> {
        match self.look()? {
            Next::Line(line) => {
                self.step(line);
                Ok(line)
            }
            Next::Piece(_) | Next::End => Err(Halt::Cut),
        }
    }

    /// What comes next.
    #[inline]
    pub(super) fn look(&self) -> Result<Next<'a>, Halt> {
        let rest = &self.text[self.at..];
        match rest.iter().position(|&b| b == b'\n') {
            Some(n) if n <= self.limit => Ok(Next::Line(&rest[..n])),
            None if rest.len() <= self.limit => match rest {
                _ if !self.last => Err(Halt::More),
                [] => Ok(Next::End),
                _ => Ok(Next::Piece(rest)),
            },
            _ => Err(Halt::LongLine),
        }
    }

    /// Steps over `line`, which [`look`](Self::look) gave.
    #[inline]
    pub(super) fn step(&mut self, line: &[u8]) {
        self.at += line.len() + 1;
        self.line += 1;
    }

    /// The error that the next line is not what was wanted.
    #[cold]
    pub(super) fn bad(&self, bank: Option<BankName>, wanted: impl Into<Cow<'static, str>>) -> Halt {
        let rest = &self.text[self.at.min(self.text.len())..];
        let line = rest.split(|&b| b == b'\n').next().unwrap_or_default();
        Halt::Bad(Bad { at: self.at, line: self.line, bank, wanted: wanted.into(), found: shown(line) })
    }
}

/// A line as messages show it: in quotes, without control characters, its beginning if it is long.
pub(super) fn shown(line: &[u8]) -> String {
    const LONGEST: usize = 40;
    match line.get(..LONGEST) {
        Some(start) => format!("\"{}\"...", start.escape_ascii()),
        None => format!("\"{}\"", line.escape_ascii()),
    }
}

/// The header of the event that this line begins, time stamp and size 0; `None` if it is no such
/// line.
pub(super) fn header(line: &[u8]) -> Option<Header> {
    let rest = line.strip_prefix(b"%ID ")?;
    let run = |id, number| Some(Header { id, mask: MIDAS_MAGIC, serial: serial(number)?, time: 0, size: 0 });
    if let Some(number) = rest.strip_prefix(b"BOR NR ") {
        return run(BOR, number);
    }
    if let Some(number) = rest.strip_prefix(b"EOR NR ") {
        return run(EOR, number);
    }
    let mut words = rest.split(|&b| b == b' ');
    let id = short(words.next()?)?;
    words.next().filter(|&word| word == b"TR")?;
    let mask = short(words.next()?)?;
    words.next().filter(|&word| word == b"NR")?;
    let serial = serial(words.next()?)?;
    // Those whose payload is not made of banks have another form, or none.
    let made_of_banks = matches!(Kind::of(id), Kind::Data | Kind::System);
    (made_of_banks && words.next().is_none()).then_some(Header { id, mask, serial, time: 0, size: 0 })
}

/// Whether a line was, by its looks, the beginning of an event before it was damaged.
pub(super) fn was_header(line: &[u8]) -> bool {
    /// More than `%ID -32768 TR -32768 NR 4294967295`, and less than a line of prose.
    const LONGEST: usize = 48;
    let has = |word: &[u8]| line.windows(word.len()).any(|w| w == word);
    line.starts_with(b"%ID ") || (line.len() <= LONGEST && has(b" TR ") && has(b" NR "))
}

/// Ids and masks are printed as signed 16 bit numbers.
fn short(word: &[u8]) -> Option<u16> {
    text(word)?.parse::<i16>().ok().map(|n| n as u16)
}

/// Serial numbers are printed as `%d` by some writers, as `%u` by others.
fn serial(word: &[u8]) -> Option<u32> {
    let number = text(word)?.parse::<i64>().ok()?;
    u32::try_from(number).ok().or_else(|| i32::try_from(number).ok().map(|n| n as u32))
}

fn text(word: &[u8]) -> Option<&str> {
    std::str::from_utf8(word).ok()
}

/// What the line at the head of a bank says.
pub(super) struct BankLine {
    pub(super) name: BankName,
    /// `None` for `<unknown>`.
    pub(super) tid: Option<Tid>,
    /// Elements; bytes for types without a fixed size.
    pub(super) count: usize,
}

/// The head of the bank that this line begins; `None` if it is no such line.
pub(super) fn bank(line: &[u8]) -> Option<BankLine> {
    // From behind: a name may hold anything.
    let rest = line.strip_prefix(b"BK ")?;
    let (rest, count) = split_last_word(rest)?;
    let (rest, tid) = split_last_word(rest.strip_suffix(b" SZ")?)?;
    let name = rest.strip_suffix(b" TP").or_else(|| (rest == b"TP").then_some(b"".as_slice()))?;
    if name.len() > 4 || name.contains(&0) || !count.first()?.is_ascii_digit() {
        return None;
    }
    let mut padded = [0; 4];
    padded[..name.len()].copy_from_slice(name);
    let tid = match tid {
        b"<unknown>" => None,
        name => Some(Tid::from_name(text(name)?)?),
    };
    Some(BankLine { name: BankName::new(padded), tid, count: text(count)?.parse().ok()? })
}

fn split_last_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = text.iter().rposition(|&b| b == b' ')?;
    Some((&text[..blank], &text[blank + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_begins_with_its_id_mask_and_serial() {
        let header = |line: &str| header(line.as_bytes()).map(|h| (h.id, h.mask, h.serial));
        assert_eq!(header("%ID 1 TR 0 NR 7"), Some((1, 0, 7)));
        assert_eq!(header("%ID 3 TR -1 NR 4294967295"), Some((3, 0xffff, u32::MAX)));
        assert_eq!(header("%ID 3 TR 5 NR -1"), Some((3, 5, u32::MAX)));
        assert_eq!(header("%ID BOR NR 2"), Some((BOR, MIDAS_MAGIC, 2)));
        assert_eq!(header("%ID EOR NR 2"), Some((EOR, MIDAS_MAGIC, 2)));
        for wrong in [
            "%ID 1 TR 0 NR",
            "%ID 1 TR 0 NR 7 ",
            "%ID 40000 TR 0 NR 7",
            "%ID 1 TR 0 NR 4294967296",
            "%ID -32768 TR 0 NR 7",
            "%ID BOR 2",
            " %ID 1 TR 0 NR 7",
            "%ID  1 TR 0 NR 7",
        ] {
            assert_eq!(header(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_bank_begins_with_its_name_type_and_size() {
        let bank = |line: &str| bank(line.as_bytes()).map(|b| (b.name.to_string(), b.tid, b.count));
        let wanted = |name: &str, tid, count| Some((name.to_owned(), tid, count));
        assert_eq!(bank("BK ADC0 TP WORD SZ 4"), wanted("ADC0", Some(Tid::Word), 4));
        assert_eq!(bank("BK ADC0 TP UINT16 SZ 4"), wanted("ADC0", Some(Tid::Word), 4));
        assert_eq!(bank("BK A B TP FLOAT SZ 0"), wanted("A B", Some(Tid::Float), 0));
        assert_eq!(bank("BK  TP WORD SZ 4"), wanted("", Some(Tid::Word), 4));
        assert_eq!(bank("BK ZZZZ TP <unknown> SZ 8"), wanted("ZZZZ", None, 8));
        for wrong in [
            "BK ADC0 TP WORD SZ",
            "BK ADC0 TP WORD SZ -4",
            "BK ADC0 TP WORD SZ +4",
            "BK ADC0 TP WORX SZ 4",
            "BK ADC01 TP WORD SZ 4",
            "BK ADC0 WORD SZ 4",
            "BK",
        ] {
            assert_eq!(bank(wrong), None, "{wrong:?}");
        }
    }
}
