//! What is in a run file: runs, event ids, banks, gaps, damage.
//!
//! A [`Scan`] is fed with events one by one, or reads a whole [`Input`]. It keeps counts, never
//! events, and its memory has a limit whatever the input holds.
//!
//! ```no_run
//! use pactolus::formats::Input;
//! use pactolus::scan::Scan;
//!
//! let file = Scan::read(Input::open("run00042.mid.gz")?)?;
//! for id in file.scan.ids.values() {
//!     println!("id {}: {} events, {} gaps", id.id, id.events, id.gaps);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod seen;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;

use pactolus_formats::event::Kind;
use pactolus_formats::mid::layout::Area;
use pactolus_formats::mid::{Block, Stop};
use pactolus_formats::{BankName, Compression, Damage, EventView, Header, Input, Limits};
use serde::{Serialize, Serializer};

use crate::Events;
use crate::report::{WithoutText, as_place};

pub use seen::{AreaSeen, BankSeen, IdSeen, OdbDump, Range, RunSeen};

/// Runs listed; those beyond are only counted.
const MAX_RUNS: usize = 1000;
/// Broken events of which the place is kept.
const MAX_DAMAGE: usize = 20;
/// Different banks listed in all: broken bytes can spell any name.
const MAX_BANKS: usize = 10_000;
/// Bytes of events read at a time.
const BLOCK: usize = 1 << 20;

/// How the payload of a data event is built, as far as its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// No bytes at all.
    Empty,
    /// A bank area, perhaps with broken banks.
    Banks(Area),
    /// No bank area: an event in FIXED format, or broken bytes.
    Fixed,
}

impl Payload {
    /// How the payload of `event` is built.
    ///
    /// It is a bank area if the flags are ones that MIDAS writes and if, besides, the area fills
    /// the event or begins with a whole bank of a printable name. (In files written by `mana` the
    /// area may miss the event's size by 4 bytes.)
    pub fn of(event: &EventView<'_>) -> Payload {
        if event.payload.is_empty() {
            return Payload::Empty;
        }
        let Some(area) = event.area().filter(Area::is_plausible) else { return Payload::Fixed };
        let left = (event.payload.len() - Area::SIZE) as u64;
        let fills = left.abs_diff(area.total.into()) <= 8;
        let printable = |name: BankName| name.text().iter().all(|b| (b' '..=b'~').contains(b));
        if fills || event.banks().next().is_some_and(|bank| bank.is_ok_and(|bank| printable(bank.name))) {
            Payload::Banks(area)
        } else {
            Payload::Fixed
        }
    }
}

/// What is in a stream of events.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Scan {
    /// Bytes of whole events, uncompressed.
    pub bytes: u64,
    /// Events.
    pub events: u64,
    /// Data events.
    pub data: u64,
    /// Messages.
    pub messages: u64,
    /// Messages that report an error.
    pub errors: u64,
    /// Data events outside of any run: no BOR before them, or no EOR after them.
    pub outside: u64,
    /// Runs in order, the first thousand.
    pub runs: Vec<RunSeen>,
    /// Runs that are not listed.
    pub more_runs: u64,
    /// Event ids.
    #[serde(serialize_with = "only_values")]
    pub ids: BTreeMap<u16, IdSeen>,
    /// Banks that are not listed, because there are too many different ones.
    pub more_banks: u64,
    /// Data events with broken banks.
    pub damaged: u64,
    /// Stretches of broken bytes between events.
    pub broken: u64,
    /// Bytes in these that were left out, uncompressed.
    pub lost: u64,
    /// Broken events and stretches, by what is wrong with them.
    pub reasons: BTreeMap<&'static str, u64>,
    /// The places of the first of both.
    #[serde(serialize_with = "places")]
    pub damage: Vec<Damage>,
    /// Where the next event begins in the uncompressed input.
    #[serde(skip)]
    position: u64,
    /// Number of the next event, less one.
    #[serde(skip)]
    number: u64,
    /// A BOR without EOR came last.
    #[serde(skip)]
    open: bool,
    #[serde(skip)]
    different_banks: usize,
}

fn only_values<S: Serializer>(ids: &BTreeMap<u16, IdSeen>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.values())
}

fn places<S: Serializer>(damage: &[Damage], serializer: S) -> Result<S::Ok, S::Error> {
    struct Place<'d>(&'d Damage);
    impl Serialize for Place<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            as_place(self.0, serializer)
        }
    }
    serializer.collect_seq(damage.iter().map(Place))
}

impl Scan {
    /// Nothing seen yet.
    pub fn new() -> Scan {
        Scan::default()
    }

    /// Reads all events of `input`, compressed or not.
    ///
    /// # Errors
    /// Those of the operating system. A cut or broken input is no error, but
    /// [`damage`](Scan::damage).
    pub fn read(input: Input) -> io::Result<Scanned> {
        Scan::read_with(input, Limits::default())
    }

    /// The same, with limits of its own to what is believed.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn read_with(input: Input, limits: Limits) -> io::Result<Scanned> {
        let compression = input.compression();
        let mut scan = Scan::new();
        let mut reader = Events::new(input, limits)?;
        let mut block = Block::new();
        let mut cut = false;
        loop {
            let stop = reader.read(&mut block, BLOCK)?;
            cut &= block.count == 0;
            (scan.position, scan.number) = (block.offset, block.first - 1);
            block.events().for_each(|event| scan.add(&event));
            match stop {
                Stop::End => break,
                Stop::Damaged(damage) => {
                    scan.skip(damage);
                    cut = true;
                }
                Stop::Full | Stop::Bor | Stop::Eor | Stop::Pause => {}
            }
        }
        let input = reader.input();
        let size = input.total().unwrap_or(input.consumed());
        let without_text = reader.refused().filter(|refused| refused.count() > 0);
        let without_text = without_text.map(|refused| WithoutText::new(input.name().to_owned(), refused));
        Ok(Scanned { compression, size, cut, without_text, scan })
    }

    /// Whether anything is broken.
    pub fn is_damaged(&self) -> bool {
        self.damaged > 0 || self.broken > 0
    }

    /// Adds broken bytes behind the last event.
    pub fn skip(&mut self, damage: Damage) {
        self.position = self.position.max(damage.end);
        self.broken += 1;
        self.lost += damage.end.saturating_sub(damage.offset);
        self.place(damage);
    }

    fn place(&mut self, damage: Damage) {
        *self.reasons.entry(damage.kind.reason()).or_default() += 1;
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(damage);
        }
    }

    /// Adds the next event.
    pub fn add(&mut self, event: &EventView<'_>) {
        let offset = self.position;
        let size = (Header::SIZE + event.payload.len()) as u64;
        self.position += size;
        self.bytes += size;
        self.events += 1;
        self.number += 1;
        let kind = event.kind();
        match kind {
            Kind::Bor => self.begin(event),
            Kind::Eor => self.end(event),
            Kind::Message => {
                self.messages += 1;
                self.errors += u64::from(event.header.mask & 1);
            }
            Kind::Data => {
                self.data += 1;
                match self.runs.last_mut().filter(|_| self.open) {
                    Some(run) => run.events += 1,
                    None => self.outside += 1,
                }
            }
            Kind::FragmentFirst | Kind::FragmentNext | Kind::System => {}
        }
        let seen = self.ids.entry(event.header.id).or_insert_with(|| IdSeen::new(&event.header));
        seen.add(&event.header);
        if kind == Kind::Data {
            self.payload(event, offset);
        }
    }

    fn begin(&mut self, event: &EventView<'_>) {
        // Serial numbers start anew with each run.
        self.ids.values_mut().for_each(|id| id.previous = None);
        let begin = Some(event.header.time);
        let odb_begin = Some(OdbDump::of(event));
        self.push_run(RunSeen { number: event.header.serial, begin, odb_begin, ..RunSeen::default() });
        self.open = true;
    }

    fn end(&mut self, event: &EventView<'_>) {
        let number = event.header.serial;
        if !self.open || self.runs.last().is_none_or(|run| run.number != number) {
            // Its BOR is missing: the last piece of a run. What lies before belongs to it.
            let events = if self.open { 0 } else { std::mem::take(&mut self.outside) };
            self.push_run(RunSeen { number, events, ..RunSeen::default() });
        }
        if let Some(run) = self.runs.last_mut() {
            run.end = Some(event.header.time);
            run.odb_end = Some(OdbDump::of(event));
        }
        self.open = false;
    }

    /// Adds a run, in place of the last one if there are too many.
    fn push_run(&mut self, run: RunSeen) {
        if self.runs.len() >= MAX_RUNS {
            self.runs.pop();
            self.more_runs += 1;
        }
        self.runs.push(run);
    }

    fn payload(&mut self, event: &EventView<'_>, offset: u64) {
        let Some(seen) = self.ids.get_mut(&event.header.id) else { return };
        match Payload::of(event) {
            Payload::Banks(area) => seen.add_area(area),
            Payload::Empty => return seen.empty += 1,
            Payload::Fixed => return seen.fixed += 1,
        }
        let mut banks = event.banks();
        for place in 0.. {
            let position = banks.position();
            let bank = match banks.next() {
                None => break,
                Some(Ok(bank)) => bank,
                Some(Err(kind)) => {
                    seen.damaged += 1;
                    self.damaged += 1;
                    let offset = offset + (Header::SIZE + position) as u64;
                    let event = self.number;
                    let (compressed_offset, compressed_end) = (None, None);
                    self.place(Damage {
                        kind,
                        offset,
                        end: offset,
                        compressed_offset,
                        compressed_end,
                        event,
                    });
                    break;
                }
            };
            let bytes = bank.data.len() as u64;
            let at = seen.find(bank.name, bank.code, place).unwrap_or(seen.banks.len());
            if let Some(counts) = seen.banks.get_mut(at) {
                counts.count += 1;
                counts.events += u64::from(counts.last != self.events);
                counts.last = self.events;
                counts.bytes.add(bytes);
            } else if self.different_banks < MAX_BANKS {
                self.different_banks += 1;
                seen.index.insert((bank.name, bank.code), at);
                seen.banks.push(BankSeen {
                    name: bank.name,
                    type_name: bank.type_name(),
                    code: bank.code,
                    count: 1,
                    events: 1,
                    bytes: Range::of(bytes),
                    last: self.events,
                });
            } else {
                self.more_banks += 1;
            }
        }
    }
}

/// What is in a file.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Scanned {
    /// How it is compressed.
    #[serde(serialize_with = "compression_name")]
    pub compression: Compression,
    /// Its size as it stands \[bytes\].
    pub size: u64,
    /// Whether it ends with broken bytes.
    pub cut: bool,
    /// What it does not hold, if it is a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_text: Option<WithoutText>,
    /// Its events.
    #[serde(flatten)]
    pub scan: Scan,
}

fn compression_name<S: Serializer>(compression: &Compression, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(compression)
}
