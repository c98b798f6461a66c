//! Pactolus: a multi-stage event analyzer for experiments that run the MIDAS data acquisition
//! system.
//!
//! A user writes modules; each reads banks of an event and appends new ones. An [`Analyzer`] passes
//! the events of its requests through chains of them, on all processors, and writes what is kept:
//!
//! ```no_run
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
//! }
//!
//! impl Module for AdcCalib {
//!     fn banks(&self) -> Banks {
//!         Banks::read(ADC0).write(CADC)
//!     }
//!
//!     fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
//!         let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
//!         event.append_with(CADC, adc.len(), |i| (adc.at(i) as f32 - self.pedestal[i] as f32) * self.gain[i])?;
//!         Ok(Keep)
//!     }
//! }
//!
//! fn main() -> std::result::Result<(), pactolus::Error> {
//!     let analyzer = Analyzer::new("Analyzer")
//!         .on(Request::new("Trigger", 1).bank(ADC0))
//!         .module("ADC calibration", AdcCalib::defaults());
//!     let report = analyzer.run(&Job::new().input("run00042.mid.gz").output("run%05d.parquet")?)?;
//!     println!("{} events", report.total().offered);
//!     Ok(())
//! }
//! ```
//!
//! The life of an event: each thread of a job reads bytes, a block of whole events at a time, passes
//! the events of its block through the stages of each chain that wants them, and encodes what is kept;
//! the fold joins the blocks in the order of the input, runs the stages that need that order, and
//! writes. What comes out does not depend on the number of threads.
//!
//! This floor never prints, never ends the process, and never reads the environment.

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

pub use analyzer::Analyzer;
pub use attached::Experiment;
pub use banks::{BankSet, BankUse, Banks};
pub use catalogue::Catalogue;
pub use chain::WiringError;
pub use definition::{Definition, DefinitionError, Mount, Parameter};
pub use epoch::Selection;
pub use error::Error;
pub use event::{AppendError, Event};
pub use events::Events;
pub use feed::{Ended, is_stopping};
pub use fold::{LiveProgress, Progress};
pub use job::{InputFile, Job, OutputFile, OutputKind, Reads, Stop, check_runs, expand, has_run};
pub use ledger::{Failure, Offered, Requested};
pub use live::Live;
pub use module::{BoxError, Context, EndOfRun, Module, NewEvent, Result, Sequential, Setup, Verdict};
pub use online::{Arrival, Arrivals, Follow, Lag, Queue};
pub use pactolus_formats as formats;
pub use pactolus_odb as odb;
pub use provenance::sha256_of;
pub use recent::{Shm, StopAt};
pub use recorded::Recorded;
pub use report::{
    Broken, Change, Earlier, EpochReport, Explained, HistogramReport, InputDamage, Report, RequestReport,
    RunReport, StageReport, WithoutText, Written,
};
pub use request::{Request, RequestedBank, Sampling};
pub use run::Run;
pub use run_files::{directory_of, in_run_order, is_run_file};
pub use shard::{Parts, Shard, ShardReport, is_part};
pub use stage::TooShort;
pub use test::Test;
pub use verify::{Case, Cause, Compared, Culprit, Follower, Verified, Verify, Witness};

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
