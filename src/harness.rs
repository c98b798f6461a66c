//! The harness for the tests of modules: events in one line, a stage with its parameters, and what came
//! out of it.
//!
//! ```
//! use pactolus::harness::{Harness, event};
//! use pactolus::prelude::*;
//!
//! const ADC0: BankDef<u16> = BankDef::new(b"ADC0");
//! const CADC: BankDef<f32> = BankDef::new(b"CADC");
//!
//! #[derive(Record, Clone)]
//! struct AdcCalib {
//!     /// Pedestal of each channel [counts]
//!     #[key("Pedestal", default = 0, per = ADC0)]
//!     pedestal: Vec<i32>,
//! }
//!
//! impl Module for AdcCalib {
//!     fn banks(&self) -> Banks {
//!         Banks::read(ADC0).write(CADC)
//!     }
//!     fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
//!         let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
//!         event.append_with(CADC, adc.len(), |i| (i32::from(adc.at(i)) - self.pedestal[i]) as f32)?;
//!         Ok(Keep)
//!     }
//! }
//!
//! let seen = Harness::of("ADC calibration", AdcCalib::defaults())
//!     .parameter("Pedestal", [100, 200])
//!     .check([event(1).bank(ADC0, &[110, 210]), event(1), event(1).bank(ADC0, &[1, 2, 3])]);
//! assert_eq!(seen.event(0).bank(CADC), [10.0, 10.0]);
//! assert!(seen.event(1).is_kept() && seen.event(1).get(CADC).is_none());
//! assert!(seen.event(2).error().unwrap().contains("\"Pedestal\" has 2 values"));
//! ```
//!
//! The events make a run, and go through the same engine as those of a file: parameters are settled,
//! `prepare`, `bor` and `eor` are called, a panic costs its event. [`check`](Harness::check) passes them
//! through once more on several threads, in blocks of all sizes, and looks whether that makes a difference.
//!
//! What is wrong with a test is a panic with a sentence, as of `assert!`.

mod allocations;
mod log;
mod seen;

use std::path::PathBuf;
use std::sync::Arc;

use pactolus_formats::{BankDef, Element};
use pactolus_odb::Value;

pub use allocations::Allocations;
pub(crate) use allocations::allocations;
pub(crate) use log::Log;
pub use seen::{Seen, SeenEvent};

use crate::Error;
use crate::analyzer::Analyzer;
use crate::catalogue::Catalogue;
use crate::chain::{Mounted, StartError};
use crate::definition::{Definition, unknown};
use crate::job::{InputFile, Job};
use crate::module::{Module, NewEvent, Sequential};
use crate::request::Request;
use crate::verify::{Cause, Verify, Witness};

/// Number of the run that the events make.
const RUN: u32 = 1;
/// When it begins [Unix seconds]: any time will do, but not another one in the next test.
const START: u32 = 1_700_000_000;
/// How often the events are passed through to see what is allocated for each of them, not now and then.
const ROUNDS: usize = 24;

/// An event of this id, without banks: mask 1; its serial number and time are those of its place in the run,
/// from 0 on, unless others than 0 are given.
///
/// ```
/// use pactolus::harness::event;
/// use pactolus::prelude::*;
/// const ADC0: BankDef<u16> = BankDef::new(b"ADC0");
/// let trigger = event(1).bank(ADC0, &[110, 210]);
/// let late = event(1).mask(2).serial(7).time(1_700_000_060);
/// # assert_eq!((trigger.header().mask, late.header().serial), (1, 7));
/// ```
pub fn event(id: u16) -> NewEvent {
    NewEvent::new(id, 1, 0, 0)
}

/// A stage, or a chain of them, to be tested: see the [page](self).
pub struct Harness {
    analyzer: Analyzer,
}

impl Harness {
    /// A stage of this name, which gets the events of every id.
    pub fn of(name: &str, module: impl Module + Clone + 'static) -> Harness {
        Harness::new().then(name, module)
    }

    /// A stage that sees the events one after the other.
    pub fn sequential(name: &str, module: impl Sequential + Clone + Sync + 'static) -> Harness {
        Harness::new().then_sequential(name, module)
    }

    /// All that an `analyzer.toml` says, with modules of `catalogue`.
    ///
    /// # Panics
    /// If the definition is refused.
    #[track_caller]
    pub fn definition(text: &str, catalogue: &Catalogue) -> Harness {
        let definition = match Definition::parse(text, "analyzer.toml") {
            Ok(definition) => definition,
            Err(error) => panic!("{error}"),
        };
        match Analyzer::from_definition(&definition, catalogue) {
            Ok(analyzer) => Harness { analyzer },
            Err(error) => panic!("{error}"),
        }
    }

    fn new() -> Harness {
        Harness { analyzer: Analyzer::new("Analyzer").on(Request::new("Events", -1).tests()) }
    }

    /// ... and behind it, another one.
    #[must_use]
    pub fn then(mut self, name: &str, module: impl Module + Clone + 'static) -> Harness {
        self.analyzer = self.analyzer.module(name, module);
        self
    }

    /// ... and behind it, another one that sees the events one after the other.
    #[must_use]
    pub fn then_sequential(
        mut self,
        name: &str,
        module: impl Sequential + Clone + Sync + 'static,
    ) -> Harness {
        self.analyzer = self.analyzer.sequential(name, module);
        self
    }

    /// Declares a bank of the events, as a definition does: so that its number of elements is known.
    #[must_use]
    pub fn declare<T: Element>(mut self, bank: BankDef<T>) -> Harness {
        if let Some(chain) = self.analyzer.chains.last_mut() {
            chain.request = chain.request.clone().bank(bank);
        }
        self
    }

    /// Sets a parameter: `Pedestal` of the stage that was mounted last, or `ADC calibration/Pedestal`. The
    /// value may be a number, a truth value, a text, or an array of them.
    ///
    /// # Panics
    /// If no stage has that name, the module has no such parameter, or the value is none of its type or beyond its
    /// limits.
    #[must_use]
    #[track_caller]
    pub fn parameter(mut self, key: &str, value: impl Into<Value>) -> Harness {
        let (stage, name) = key.rsplit_once('/').map_or((None, key), |(stage, name)| (Some(stage), name));
        let stages = self.analyzer.chains.iter_mut().flat_map(|chain| &mut chain.stages);
        let is_it =
            |mounted: &&mut Mounted| stage.is_none_or(|stage| mounted.name.eq_ignore_ascii_case(stage));
        match stages.filter(is_it).last() {
            Some(mounted) => match mounted.start(name, &value.into()) {
                Ok(_) => {}
                Err(StartError::Value(message)) => panic!("parameter {key:?}: {message}"),
                Err(StartError::Unknown(known)) => {
                    let place = format!("stage {:?}", mounted.name);
                    panic!("{}", unknown("parameter", name, &place, known.into_iter()));
                }
            },
            None => panic!("parameter {key:?}: there is no such stage; give STAGE/KEY"),
        }
        self
    }

    /// Passes the events through, as a run of their own.
    ///
    /// # Panics
    /// If the run cannot begin: the chain is refused, a parameter is wrong, or `prepare` or `bor` fails.
    #[track_caller]
    pub fn run(&self, events: impl IntoIterator<Item = NewEvent>) -> Seen {
        match self.try_run(events) {
            Ok(seen) => seen,
            Err(error) => panic!("{error}"),
        }
    }

    /// The same; a run that cannot begin is an error, to be looked at.
    ///
    /// # Errors
    /// As of [`Analyzer::run`].
    #[track_caller]
    pub fn try_run(&self, events: impl IntoIterator<Item = NewEvent>) -> Result<Seen, Error> {
        let events = in_places(events);
        let (log, job) = logged(&events);
        let report = self.analyzer.run(&job)?;
        Ok(Seen::new(&self.analyzer, events, log.take(), report))
    }

    /// Passes the events through, and looks besides whether
    ///
    /// - each stage does the same on one thread and on several, whatever the size of the blocks, and twice in
    ///   the same way;
    /// - no stage allocates anything for each event, if the test counts allocations (with [`Allocations`]).
    ///   Events that are lost, or that leave a message or new events, are left out, and what is allocated once
    ///   for many events does not count.
    ///
    /// # Panics
    /// If not, naming stage and event; and as of [`run`](Harness::run).
    #[track_caller]
    pub fn check(&self, events: impl IntoIterator<Item = NewEvent>) -> Seen {
        let events = in_places(events);
        if let Err(sentence) = self.same_bits(&events).and_then(|()| self.nothing_allocated(&events)) {
            panic!("{sentence}");
        }
        self.run(events)
    }

    /// Whether all stages give the same, however the work is divided.
    fn same_bits(&self, events: &[NewEvent]) -> Result<(), String> {
        if events.is_empty() {
            return Ok(());
        }
        let verify = Verify {
            threads: vec![1, 2, 3],
            // With a block for each event.
            blocks: vec![1 << 20, 1],
            shards: Vec::new(),
            outputs: Vec::new(),
            scratch: PathBuf::new(),
        };
        let verified =
            verify.run(&self.analyzer, &job(events), &mut |_, _, _| {}).map_err(|error| error.to_string())?;
        if let Some(culprit) = verified.culprits.first() {
            let why = match culprit.cause {
                Cause::Chance => {
                    "between two equal runs: it goes by the time, by chance, or by an earlier run"
                }
                Cause::Order => {
                    "with the order of the events: what it keeps between events belongs into a Sequential module"
                }
            };
            let place = match culprit.differ {
                0 => "at the end of the run".to_owned(),
                // The BOR is event 1.
                _ => format!("first at event {}", culprit.first.saturating_sub(2)),
            };
            return Err(format!("stage \"{}\" differs {why} ({place})", culprit.stage));
        }
        match verified.is_same() {
            true => Ok(()),
            false => Err("the result differs with the number of threads, and no stage is to blame".into()),
        }
    }

    /// Whether no stage allocates for each event.
    fn nothing_allocated(&self, events: &[NewEvent]) -> Result<(), String> {
        if !is_counting() {
            return Ok(());
        }
        let rounds: Vec<NewEvent> = (0..ROUNDS).flat_map(|_| events.iter().cloned()).collect();
        let (log, job) = logged(&rounds);
        let report = self.analyzer.run(&job).map_err(|error| error.to_string())?;
        let seen = Seen::new(&self.analyzer, rounds, log.take(), report);
        for place in 0..events.len() {
            for (number, stage) in self.analyzer.chains.iter().flat_map(|chain| &chain.stages).enumerate() {
                let each = (0..ROUNDS).map(|round| seen.allocations(round * events.len() + place, number));
                // What is made now and then, as a larger arena, is made for many events.
                let least = each.flatten().min().unwrap_or(0);
                if least > 0 {
                    let s = if least == 1 { "" } else { "s" };
                    return Err(format!(
                        "stage \"{}\" makes {least} allocation{s} for event {place}: make what it needs in \
                         prepare, and append banks with append_with",
                        stage.name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Whether the program counts allocations.
fn is_counting() -> bool {
    let before = allocations();
    drop(std::hint::black_box(Box::new(0_u8)));
    allocations() > before
}

/// The events with serial numbers and times of their places where they have none.
#[track_caller]
fn in_places(events: impl IntoIterator<Item = NewEvent>) -> Vec<NewEvent> {
    let events: Vec<NewEvent> = events.into_iter().collect();
    for (place, event) in events.iter().enumerate() {
        assert!(
            event.header.id < 0x8000,
            "event {place}: ids from 0x8000 on are MIDAS's own, as of begin of run"
        );
    }
    let placed = (0_u32..).zip(events).map(|(place, mut event)| {
        if event.header.serial == 0 {
            event.header.serial = place;
        }
        if event.header.time == 0 {
            event.header.time = START + place;
        }
        event
    });
    placed.collect()
}

/// A job with these events as its only run.
fn job(events: &[NewEvent]) -> Job {
    // With an empty dump of an ODB.
    let system = |id| NewEvent::new(id, 0x494d, RUN, START).fixed(0_u8).encode();
    let mut bytes = system(0x8000);
    events.iter().for_each(|event| bytes.extend(event.encode()));
    bytes.extend(system(0x8001));
    let mut job = Job::new().threads(1);
    job.inputs.push(InputFile::of_bytes("events", Arc::<[u8]>::from(bytes)));
    job
}

/// The same, and where it is taken down.
fn logged(events: &[NewEvent]) -> (Log, Job) {
    let log = Log::default();
    (log.clone(), Job { watch: Some(Witness::with(log)), ..job(events) })
}

#[cfg(test)]
mod tests;
