//! What was seen of one thing: a run, an event id, a bank.

use std::collections::HashMap;

use pactolus_formats::event::Kind;
use pactolus_formats::mid::layout::{Area, BankKind};
use pactolus_formats::{BankName, EventView, Header, Order};
use pactolus_odb::dump;
use serde::{Serialize, Serializer};

/// Trigger masks listed per event id.
const MAX_MASKS: usize = 8;

/// Smallest and largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
}

impl Range {
    pub(super) fn of(value: u64) -> Range {
        Range { min: value, max: value }
    }

    pub(super) fn add(&mut self, value: u64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }
}

/// An ODB dump in a BOR or EOR event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OdbDump {
    /// Bytes of text.
    pub bytes: u64,
    /// Its form; `None` if it is none that MIDAS writes, or empty.
    #[serde(serialize_with = "form_name")]
    pub form: Option<dump::Kind>,
}

impl OdbDump {
    /// The dump in a BOR or EOR event.
    pub fn of(event: &EventView<'_>) -> OdbDump {
        let text = event.text();
        OdbDump { bytes: text.len() as u64, form: dump::Kind::detect(text).ok() }
    }
}

fn form_name<S: Serializer>(form: &Option<dump::Kind>, serializer: S) -> Result<S::Ok, S::Error> {
    form.map(|form| form.to_string()).serialize(serializer)
}

/// A run: what lies between BOR and EOR.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunSeen {
    /// Run number.
    pub number: u32,
    /// Time of its BOR [Unix seconds]; `None` if there is none.
    pub begin: Option<u32>,
    /// Time of its EOR [Unix seconds]; `None` if there is none.
    pub end: Option<u32>,
    /// Data events.
    pub events: u64,
    /// The ODB at begin of run.
    pub odb_begin: Option<OdbDump>,
    /// The ODB at end of run.
    pub odb_end: Option<OdbDump>,
}

impl RunSeen {
    /// From begin to end \[s\], if both are known and in this order.
    pub fn seconds(&self) -> Option<u32> {
        self.end?.checked_sub(self.begin?)
    }

    /// Data events per second, if the run took at least a second.
    pub fn rate(&self) -> Option<f64> {
        let seconds = self.seconds().filter(|s| *s > 0)?;
        Some(self.events as f64 / f64::from(seconds))
    }
}

/// A kind of bank header in a byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AreaSeen {
    /// Flags of the area.
    pub flags: u32,
    /// Whether the payload is big-endian.
    pub big_endian: bool,
    /// Events.
    pub events: u64,
}

impl AreaSeen {
    /// Which bank headers.
    pub fn kind(&self) -> BankKind {
        BankKind::of(self.flags)
    }
}

/// A bank of one event id: a name with a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BankSeen {
    /// Its name.
    #[serde(serialize_with = "bank_name")]
    pub name: BankName,
    /// Name of its type; `<unknown>` if MIDAS knows none of this number.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// Number of its type.
    pub code: u32,
    /// How often it was seen.
    pub count: u64,
    /// Events that have it; fewer than `count` if an event has it twice.
    pub events: u64,
    /// Its sizes \[bytes\].
    pub bytes: Range,
    /// The last event that had it.
    #[serde(skip)]
    pub(super) last: u64,
}

fn bank_name<S: Serializer>(name: &BankName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(name)
}

/// Events of one id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdSeen {
    /// Event id.
    pub id: u16,
    /// Events.
    pub events: u64,
    /// Trigger masks in the order they were seen, up to eight.
    pub masks: Vec<u16>,
    /// Whether there are more masks.
    pub more_masks: bool,
    /// Serial number of the first event.
    pub first_serial: u32,
    /// Serial number of the last event.
    pub last_serial: u32,
    /// Places where serial numbers do not go on by one within a run; data events only.
    pub gaps: u64,
    /// Events missing there, where the numbers grow.
    pub missing: u64,
    /// Data sizes, headers not included \[bytes\].
    pub size: Range,
    /// Time stamps [Unix seconds].
    pub time: Range,
    /// Kinds of bank areas.
    pub areas: Vec<AreaSeen>,
    /// Data events without any payload.
    pub empty: u64,
    /// Data events whose payload is no bank area: FIXED format, or broken.
    pub fixed: u64,
    /// Data events with broken banks.
    pub damaged: u64,
    /// Banks in the order they were seen.
    pub banks: Vec<BankSeen>,
    /// Where in `banks` a name with a type is.
    #[serde(skip)]
    pub(super) index: HashMap<(BankName, u32), usize>,
    /// Serial number of the event before in this run.
    #[serde(skip)]
    pub(super) previous: Option<u32>,
}

impl IdSeen {
    pub(super) fn new(header: &Header) -> IdSeen {
        IdSeen {
            id: header.id,
            events: 0,
            masks: Vec::new(),
            more_masks: false,
            first_serial: header.serial,
            last_serial: header.serial,
            gaps: 0,
            missing: 0,
            size: Range::of(header.size.into()),
            time: Range::of(header.time.into()),
            areas: Vec::new(),
            empty: 0,
            fixed: 0,
            damaged: 0,
            banks: Vec::new(),
            index: HashMap::new(),
            previous: None,
        }
    }

    /// What these events are.
    pub fn kind(&self) -> Kind {
        Kind::of(self.id)
    }

    pub(super) fn add(&mut self, header: &Header) {
        self.events += 1;
        self.size.add(header.size.into());
        self.time.add(header.time.into());
        if !self.masks.contains(&header.mask) {
            if self.masks.len() < MAX_MASKS {
                self.masks.push(header.mask);
            } else {
                self.more_masks = true;
            }
        }
        self.last_serial = header.serial;
        if header.kind() == Kind::Data {
            if let Some(previous) = self.previous.filter(|p| p.wrapping_add(1) != header.serial) {
                self.gaps += 1;
                self.missing += u64::from(header.serial.saturating_sub(previous).saturating_sub(1));
            }
            self.previous = Some(header.serial);
        }
    }

    pub(super) fn add_area(&mut self, area: Area) {
        let big_endian = area.order == Order::Big;
        match self.areas.iter_mut().find(|a| a.flags == area.flags && a.big_endian == big_endian) {
            Some(seen) => seen.events += 1,
            // At most three kinds in two byte orders: nothing else counts as a bank area.
            None => self.areas.push(AreaSeen { flags: area.flags, big_endian, events: 1 }),
        }
    }

    /// Where the bank of this name and type is in `banks`. `guess` is its place in the event, which
    /// mostly is also that in the list.
    pub(super) fn find(&self, name: BankName, code: u32, guess: usize) -> Option<usize> {
        match self.banks.get(guess) {
            Some(bank) if bank.name == name && bank.code == code => Some(guess),
            _ => self.index.get(&(name, code)).copied(),
        }
    }
}
