//! Pactolus: a multi-stage event analyzer for experiments that run the MIDAS data acquisition
//! system.
//!
//! # Write a module
//!
//! A module reads banks of an event and appends new ones; its fields are its parameters. An [`Analyzer`] passes
//! the events of each [`Request`] through a chain of them, on all processors, and writes what is kept:
//!
//! ```
//! use pactolus::prelude::*;
//!
//! /// Raw ADC counts, one per channel.
//! pub const ADC0: BankDef<u16> = BankDef::new(b"ADC0").size(4);
//! /// Calibrated amplitude [MeV], one per channel.
//! pub const CADC: BankDef<f32> = BankDef::new(b"CADC").unit("MeV");
//!
//! #[derive(Record, Clone)]
//! pub struct AdcCalib {
//!     /// Pedestal of each channel [counts]
//!     #[key("Pedestal", default = 0, per = ADC0)]
//!     pedestal: Vec<i32>,
//!     /// Gain of each channel [MeV/count]
//!     #[key("Software Gain", default = 1.0, min = 0.0, per = ADC0)]
//!     gain: Vec<f32>,
//!     #[key(skip)]
//!     amplitude: Hist1,
//! }
//!
//! impl Module for AdcCalib {
//!     fn banks(&self) -> Banks {
//!         Banks::read(ADC0).write(CADC)
//!     }
//!
//!     fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
//!         self.amplitude = setup.book("Amplitude", Hist1::new(Axis::regular(500, 0.0, 4000.0).unit("MeV")))?;
//!         Ok(())
//!     }
//!
//!     fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
//!         let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
//!         let calibrated = |i| (adc.at(i) as f32 - self.pedestal[i] as f32) * self.gain[i];
//!         event.append_with(CADC, adc.len(), calibrated)?;
//!         (0..adc.len()).for_each(|i| context.fill(self.amplitude, calibrated(i)));
//!         Ok(Keep)
//!     }
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let at = |name: &str| dir.path().join(name);
//! # let mut file = std::fs::File::create(at("run00042.mid"))?;
//! # pactolus::simulate::Simulation { run: 42, events: 100, ..Default::default() }.write(&mut file)?;
//! let analyzer = Analyzer::new("Analyzer")
//!     .on(Request::new("Trigger", 1).bank(ADC0))
//!     .module("ADC calibration", AdcCalib::defaults());
//! let job = Job::new().input(at("run00042.mid")).output(at("run%05d.parquet").to_string_lossy())?;
//! let report = analyzer.run(&job)?;
//! assert_eq!(report.total().offered, 100);
//!
//! let histograms = pactolus::histo::Histograms::read(&at("run00042.histos.json"))?;
//! let amplitude = histograms.get("Amplitude").ok_or("not booked")?;
//! assert_eq!(amplitude.entries(), 4 * report.runs[0].requests[0].account.kept);
//! # Ok(())
//! # }
//! ```
//!
//! [`Module`] has the methods in the order in which they are called; a [`Sequential`] module may remember what
//! it has seen. [`Record`](trait@odb::Record) has all that `#[key(..)]` can say, [`Event`] and [`Context`] what a
//! module meets, [`Setup::book`] and [`Context::fill`] the histograms. The [`prelude`] has these names.
//!
//! # Run it
//!
//! [`Job`] says what is read and written. A definition, `analyzer.toml`, mounts modules without a compiler
//! ([`Definition`], and the [`Catalogue`] of what it may name); the crate `pactolus-cli` makes a program of them in
//! ten lines. [`Error`] is why a job could not be done; all that was lost on the way stands in its [`Report`].
//!
//! # Look
//!
//! [`histo`] has the histograms: to read, add and draw. Tables are for pandas, polars and DuckDB. [`scan`] says what is in
//! a file, [`Events`] reads it event by event, and [`Verify`] whether an analysis gives the same bits however the work is
//! divided.
//!
//! # Test it
//!
//! [`harness`](harness/index.html) makes events in one line, passes them through a stage, and shows what came out;
//! [`simulate`] makes whole runs.
//!
//! # Online
//!
//! The same job takes events while they come: [`Follow`] from files that are being written, [`Experiment`] from a MIDAS
//! experiment over the network, [`Shm`] from shared memory of this computer. [`midas`] and [`shm`] are what they stand on.
//!
//! # The ground floors
//!
//! [`formats`] turns bytes into events and back, [`odb`] is the tree of parameters. Both are crates of their own, for
//! programs that need no more.
//!
//! # The life of an event
//!
//! Each thread of a job reads bytes, a block of whole events at a time, passes
//! the events of its block through the stages of each chain that wants them, and encodes what is kept;
//! the fold joins the blocks in the order of the input, runs the stages that need that order, and
//! writes. What comes out does not depend on the number of threads.
//!
//! This floor never prints, never ends the process, and never reads the environment. It has one hook for panics, which
//! notes their place for the report and calls the one that was there.

extern crate self as pactolus;

/// The module that the README shows is compiled like every other example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So are those of the guide to shared memory.
#[cfg(doctest)]
#[doc = include_str!("../docs/shm.md")]
struct GuideToSharedMemory;

mod analyzer;
mod attached;
mod awaited;
mod banks;
mod begun;
mod block;
mod catalogue;
mod chain;
mod columns;
mod copies;
mod definition;
mod emit;
mod epoch;
mod error;
mod event;
mod events;
mod feed;
mod fold;
pub mod harness;
pub mod histo;
mod hot;
mod job;
mod last;
mod layers;
mod ledger;
mod line;
mod live;
pub mod midas;
mod module;
mod online;
mod partial;
mod pipe;
pub mod prelude;
mod provenance;
mod random;
mod recent;
mod recorded;
mod report;
mod request;
mod run;
mod run_files;
pub mod scan;
mod shard;
pub mod shm;
pub mod simulate;
mod sink;
mod source;
mod stage;
mod test;
mod verify;
pub mod wiring;

pub use analyzer::Analyzer;
pub use attached::Experiment;
pub use banks::{BankSet, BankUse, Banks};
pub use catalogue::Catalogue;
pub use chain::WiringError;
pub use definition::{Definition, DefinitionError, Mount};
pub use epoch::Selection;
pub use error::Error;
pub use event::{AppendError, Event};
pub use events::Events;
pub use feed::{Ended, is_stopping};
pub use fold::{LiveProgress, Progress};
pub use job::{InputFile, Job, OutputFile, OutputKind, Reads, Stop};
pub use ledger::{Failure, Offered, Requested};
pub use live::Live;
pub use module::{BoxError, Context, EndOfRun, Module, NewEvent, Result, Sequential, Setup, Verdict};
pub use online::{Arrival, Arrivals, Follow, Lag, Queue};
pub use pactolus_formats as formats;
pub use pactolus_odb as odb;
pub use random::Random;
pub use recent::{Shm, StopAt};
pub use recorded::Recorded;
pub use report::{
    Broken, Change, Earlier, EpochReport, Explained, HistogramReport, InputDamage, Report, RequestReport,
    RunReport, StageReport, WithoutText, Written,
};
pub use request::{Request, RequestedBank, Sampling};
pub use run::Run;
pub use shard::{Parts, Shard, ShardReport, is_part};
pub use stage::TooShort;
pub use test::Test;
pub use verify::{Case, Cause, Compared, Culprit, Follower, Verified, Verify, Witness};

// What `pactolus-cli` needs as well, so that names of files mean the same everywhere; no part of the public API.
#[doc(hidden)]
pub use {
    job::{check_runs, expand, has_run},
    provenance::sha256_of,
    run_files::{directory_of, in_run_order, is_run_file},
};

// The chapters of the guide about events, parameters and histograms. Their blocks say which file they are
// (`file=`), which rustdoc does not know.
#[cfg(doctest)]
#[allow(
    rustdoc::invalid_codeblock_attributes,
    reason = "blocks with a file= are for the runner of the guide"
)]
#[doc = include_str!("../docs/guide/events.md")]
struct GuideToEvents;

#[cfg(doctest)]
#[allow(
    rustdoc::invalid_codeblock_attributes,
    reason = "blocks with a file= are for the runner of the guide"
)]
#[doc = include_str!("../docs/guide/parameters.md")]
struct GuideToParameters;

#[cfg(doctest)]
#[allow(
    rustdoc::invalid_codeblock_attributes,
    reason = "blocks with a file= are for the runner of the guide"
)]
#[doc = include_str!("../docs/guide/histograms.md")]
struct GuideToHistograms;
