//! Lines to blocks of whole events.

use std::io;

use super::line::{self, Bad, Halt, Lines, Next};
use super::record::{Habits, Parser, Place, Record};
use super::{Definitions, Refusals};
use crate::compress::{is_damage, waits};
use crate::event::Kind;
use crate::mid::{Block, Stop};
use crate::{ByteSource, Damage, DamageKind, Limits};

/// Reads blocks of events from `.asc` text, and makes them binary.
///
/// An event gets BANK headers, BANK32 if a bank is beyond 64 kB, BANK32A if it has an INT64 or
/// UINT64 bank. Its time stamp is 0: the text has none. A BOR or EOR holds its dump and a NUL.
///
/// What the text does not hold is left out and counted: see [`refused`](Reader::refused). Broken
/// text costs its event: see [`read`](Reader::read).
///
/// ```
/// use pactolus_formats::asc::Reader;
/// use pactolus_formats::mid::{Block, Stop};
/// let text: &[u8] = b"%ID 1 TR 0 NR 7\nBK ADC0 TP WORD SZ 2\n1093\n2039\n\n";
/// let mut reader = Reader::new(text, ());
/// let mut block = Block::new();
/// assert_eq!(reader.read(&mut block, 1 << 20).unwrap(), Stop::End);
/// let event = block.events().next().unwrap();
/// let bank = event.banks().next().unwrap().unwrap();
/// assert_eq!(bank.values::<u16>().unwrap().iter().collect::<Vec<_>>(), [1093, 2039]);
/// ```
pub struct Reader<R, D = ()> {
    input: R,
    definitions: D,
    limits: Limits,
    refused: Refusals,
    habits: Habits,
    record: Record,
    /// Text; what lies before `at` has been read.
    text: Vec<u8>,
    len: usize,
    at: usize,
    /// Where the text begins in the input.
    base: u64,
    /// Number of the line at `at`.
    line: u64,
    /// Number of the next event.
    number: u64,
    /// A block ends before the event of this number.
    stop: Option<u64>,
    ended: bool,
    /// What the decoder says is wrong behind the text.
    broken: Option<String>,
    /// Damage whose end is still looked for.
    search: Option<Search>,
}

/// On the way to the next line that begins an event.
struct Search {
    damage: Damage,
    /// Not this line.
    inside: bool,
    /// The text is broken off here, and may go on behind.
    cut: bool,
}

/// Bytes asked from the input at a time.
const STEP: usize = 1 << 18;

/// What was found at the place where an event should begin.
enum Step {
    /// An event, which is in the block now.
    Event(Kind),
    /// An event that was refused.
    Refused,
    /// The block ends here.
    Stop(Stop),
    /// Text that is no event, up to `from` at least.
    Damaged { kind: DamageKind, from: Lost },
    /// It goes on behind the text that is there.
    More,
}

/// How much of the text is lost for sure.
enum Lost {
    /// The line where the event begins.
    Line,
    /// All before this place.
    UpTo(usize),
}

impl<R: ByteSource, D: Definitions> Reader<R, D> {
    /// A reader with the default limits.
    pub fn new(input: R, definitions: D) -> Reader<R, D> {
        Reader {
            input,
            definitions,
            limits: Limits::default(),
            refused: Refusals::default(),
            habits: Habits::default(),
            record: Record::default(),
            text: Vec::new(),
            len: 0,
            at: 0,
            base: 0,
            line: 1,
            number: 1,
            stop: None,
            ended: false,
            broken: None,
            search: None,
        }
    }

    /// Sets what to believe. The limit on events holds for their text as well as for their bytes.
    pub fn with_limits(self, limits: Limits) -> Reader<R, D> {
        Reader { limits, ..self }
    }

    /// Ends a block before the event of this number, counted from 1 as [`Block::first`] is; `None`: before
    /// no special one. The block may be empty. A number that is not behind the next event means nothing.
    pub fn stop_before(&mut self, event: Option<u64>) {
        self.stop = event;
    }

    /// The number of the next event, counted from 1.
    pub fn next_number(&self) -> u64 {
        self.number
    }

    /// The input, for its progress.
    pub fn input(&self) -> &R {
        &self.input
    }

    /// The definitions. A BOR is a block of its own, so that what its dump defines can be set
    /// before the next block is read.
    pub fn definitions_mut(&mut self) -> &mut D {
        &mut self.definitions
    }

    /// The banks and events that were left out so far because the text does not hold them.
    pub fn refused(&self) -> &Refusals {
        &self.refused
    }

    /// Fills `block` with events of about `target` bytes in all.
    ///
    /// A begin-of-run event is a block of its own, an end-of-run event is the last of its block;
    /// a FIXED event that is refused ends the block before it, so that [`Block::first`] tells the
    /// numbers of all events. The sizes of blocks follow from the input and `target` alone, unless the
    /// input says with [`WouldBlock`](io::ErrorKind::WouldBlock) that nothing more has come: then the block
    /// ends behind the last whole event ([`Stop::Pause`]).
    ///
    /// After [`Stop::Damaged`] the block holds the events before the damage, and the next call
    /// goes on behind it: at the next line that begins an event. A stretch of damage counts as one
    /// event. An event is whole with its empty line, a dump with its last line; a file that was cut
    /// right behind an empty line of a bank that is refused looks whole.
    ///
    /// # Errors
    /// Those of the operating system. Broken and cut compressed streams are [`Stop::Damaged`].
    pub fn read(&mut self, block: &mut Block, target: usize) -> io::Result<Stop> {
        if let Some(Search { damage, .. }) = &self.search {
            block.begin(damage.offset, damage.event);
            return self.seek();
        }
        block.begin(self.base + self.at as u64, self.number);
        loop {
            match self.step(block) {
                Step::Event(Kind::Bor) => return Ok(Stop::Bor),
                Step::Event(Kind::Eor) => return Ok(Stop::Eor),
                Step::Event(_) if block.bytes().len() >= target || self.stop == Some(self.number) => {
                    return Ok(Stop::Full);
                }
                Step::Event(_) => {}
                Step::Refused => {
                    block.begin(self.base + self.at as u64, self.number);
                    if self.stop == Some(self.number) {
                        return Ok(Stop::Full);
                    }
                }
                Step::Stop(stop) => return Ok(stop),
                Step::More if self.fill()? => {}
                Step::More => return Ok(Stop::Pause),
                Step::Damaged { kind, from } => {
                    self.begin_search(kind, from);
                    return self.seek();
                }
            }
        }
    }

    fn step(&mut self, block: &mut Block) -> Step {
        let mut record = std::mem::take(&mut self.record);
        let step = self.event(block, &mut record);
        self.record = record;
        step
    }

    /// Reads one event, if the text holds all of it.
    fn event(&mut self, block: &mut Block, record: &mut Record) -> Step {
        while self.at < self.len && self.text[self.at] == b'\n' {
            self.at += 1;
            self.line += 1;
        }
        let offset = self.base + self.at as u64;
        if block.count == 0 {
            block.begin(offset, self.number);
        }
        if self.at == self.len && self.ended {
            return match &self.broken {
                Some(what) => {
                    let kind = DamageKind::Compression(what.clone());
                    Step::Damaged { kind, from: Lost::UpTo(self.at) }
                }
                None => Step::Stop(Stop::End),
            };
        }
        let mut lines = self.lines();
        let header = match lines.look() {
            Ok(Next::Line(line)) => match line::header(line) {
                Some(header) => {
                    lines.step(line);
                    header
                }
                None => {
                    let halt = lines.bad(None, "the beginning of an event");
                    return self.halted(halt);
                }
            },
            Ok(Next::Piece(_) | Next::End) => return self.halted(Halt::Cut),
            Err(halt) => return self.halted(halt),
        };
        if header.kind() == Kind::Bor && block.count > 0 {
            return Step::Stop(Stop::Bor);
        }
        let mut parser = Parser {
            lines,
            header,
            definitions: &self.definitions,
            limit: self.limits.event,
            place: Place { base: self.base, event: self.number },
            habits: self.habits,
            record,
        };
        let read = parser.event().and_then(|whole| {
            match parser.lines.at - self.at {
                size if size > self.limits.event => return Err(Halt::TooLarge(size)),
                _ if whole => block.push(header.id < 0x8000, |out| parser.write(out))?,
                _ => {}
            }
            Ok(whole)
        });
        let (at, line, habits) = (parser.lines.at, parser.lines.line, parser.habits);
        match read {
            Ok(false) if block.count > 0 => Step::Stop(Stop::Full),
            Ok(whole) => {
                (self.at, self.line, self.habits) = (at, line, habits);
                self.number += 1;
                self.refused.take(&mut record.refused);
                if whole { Step::Event(header.kind()) } else { Step::Refused }
            }
            Err(halt) => self.halted(halt),
        }
    }

    fn lines(&self) -> Lines<'_> {
        Lines {
            text: &self.text[..self.len],
            at: self.at,
            line: self.line,
            last: self.ended,
            limit: self.limits.line,
        }
    }

    fn halted(&self, halt: Halt) -> Step {
        let here = self.len - self.at;
        let kind = match halt {
            Halt::More if here <= self.limits.event => return Step::More,
            Halt::More => DamageKind::EventTooLarge { claimed: here, limit: self.limits.event },
            Halt::TooLarge(claimed) => DamageKind::EventTooLarge { claimed, limit: self.limits.event },
            Halt::LongLine => DamageKind::LineTooLong { limit: self.limits.line },
            Halt::Cut => match &self.broken {
                Some(what) => {
                    let kind = DamageKind::Compression(what.clone());
                    return Step::Damaged { kind, from: Lost::UpTo(self.len) };
                }
                None => DamageKind::TextCutShort,
            },
            Halt::Bad(Bad { at, line, bank, wanted, found }) => {
                let offset = self.base + at as u64;
                let kind = DamageKind::Line { line, offset, bank, wanted: wanted.into_owned(), found };
                let from = if at > self.at { Lost::UpTo(at) } else { Lost::Line };
                return Step::Damaged { kind, from };
            }
        };
        Step::Damaged { kind, from: Lost::Line }
    }

    /// Damage begins here.
    fn begin_search(&mut self, kind: DamageKind, from: Lost) {
        let offset = self.base + self.at as u64;
        let event = self.number;
        self.number += 1;
        let (compressed_offset, compressed_end) = (self.input.compressed_offset(), None);
        let damage = Damage { kind, offset, end: offset, compressed_offset, compressed_end, event };
        let (inside, cut) = match from {
            Lost::UpTo(at) => {
                let lost = &self.text[self.at..at];
                self.line += lost.iter().filter(|&&b| b == b'\n').count() as u64;
                self.at = at;
                (false, at == self.len && self.broken.is_some())
            }
            Lost::Line => (true, false),
        };
        self.search = Some(Search { damage, inside, cut });
    }

    /// Steps over what is damaged, to the next line that begins an event, or to the end of the text.
    fn seek(&mut self) -> io::Result<Stop> {
        let Some(mut search) = self.search.take() else { return Ok(Stop::Pause) };
        let found = self.find(&mut search);
        if !matches!(found, Ok(true)) {
            self.search = Some(search);
            return found.map(|_| Stop::Pause);
        }
        let end = self.base + self.at as u64;
        Ok(Stop::Damaged(Damage { end, ..search.damage }))
    }

    /// Goes there; whether so much text has come.
    fn find(&mut self, search: &mut Search) -> io::Result<bool> {
        if search.cut {
            self.ended = match self.input.resume() {
                Err(e) if waits(&e) => return Ok(false),
                resumed => !resumed?,
            };
            (self.broken, search.cut) = (None, false);
            search.damage.compressed_end = self.input.compressed_offset();
        }
        loop {
            let rest = &self.text[self.at..self.len];
            match rest.iter().position(|&b| b == b'\n') {
                Some(n) => {
                    if !search.inside && line::header(&rest[..n]).is_some() {
                        return Ok(true);
                    }
                    search.inside = false;
                    self.at += n + 1;
                    self.line += 1;
                }
                None if self.ended => {
                    self.at = self.len;
                    return Ok(true);
                }
                None => {
                    // No line that begins an event is so long: its bytes need not be kept.
                    if search.inside || rest.len() > self.limits.line {
                        search.inside = true;
                        self.at = self.len;
                    }
                    if !self.fill()? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Reads more text behind that which is there, and forgets what lies before `at`. Whether anything has
    /// come, if only the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.text.copy_within(self.at..self.len, 0);
        self.base += self.at as u64;
        self.len -= self.at;
        self.at = 0;
        // As much again as there is, so that a long event is not gone through too often.
        let enough = self.len.saturating_mul(2).max(1);
        let before = self.len;
        while self.len < enough && !self.ended {
            let up_to = self.len + STEP;
            if self.text.len() < up_to {
                self.text.resize(up_to, 0);
            }
            match self.input.read(&mut self.text[self.len..]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.len += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if waits(&e) => break,
                Err(e) if is_damage(&e) => {
                    self.ended = true;
                    self.broken = Some(e.to_string());
                }
                Err(e) => return Err(e),
            }
        }
        Ok(self.len > before || self.ended)
    }
}
