//! The stream in shared memory to be analyzed, as the user says it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use pactolus_formats::Limits;

use super::pull::{Puller, Taking};
use super::ring::{Attach, by_name};
use crate::analyzer::Analyzer;
use crate::feed::{Attached, Bounds, Feed, Item, Spool, Streams};
use crate::job::{Job, Stop, check_runs};
use crate::live::Live;
use crate::online::{Arrivals, Gauge};
use crate::shm::{StreamName, Want};
use crate::{Error, Sampling};

/// How long the lag must grow before somebody is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// Older events are passed over, if only recent ones are wanted.
const RECENT: Duration = Duration::from_secs(1);

/// Who shares events with others takes no more than this at a time [bytes].
const SHARE: usize = 1 << 20;

/// When the analysis of a live source ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopAt {
    /// Never: the next run, and the next producer, are waited for.
    #[default]
    Never,
    /// With the run that is going on, or the first that comes; also if its producer is gone.
    EndRun,
}

impl StopAt {
    /// What this word says: `never`, `endrun`.
    pub fn from_name(name: &str) -> Option<StopAt> {
        match name {
            "never" => Some(StopAt::Never),
            "endrun" => Some(StopAt::EndRun),
            _ => None,
        }
    }
}

/// A stream of events in shared memory of this computer, analyzed while they are made.
///
/// Every transition comes, in its place between the events. Of the events, as many as the analysis can take:
///
/// - [`Sampling::Recent`], the default: none older than [`max_age`](Shm::max_age) when its turn comes.
/// - [`Sampling::NonBlocking`]: what there is room for.
/// - [`Sampling::All`]: every event; the producer waits for a slow analysis.
///
/// Nothing is lost in silence: for each event id the ledger holds what was published in the run.
///
/// ```no_run
/// use pactolus::Shm;
/// use pactolus::prelude::*;
/// # fn main() -> std::result::Result<(), pactolus::Error> {
/// let job = Job::new().recent(Shm::new("shm:lxe")?).output("run%05d.parquet")?;
/// let report = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).run(&job)?;
/// println!("{} events", report.total().offered);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Shm {
    /// Its name.
    pub name: StreamName,
    /// How events are taken. If nothing is said: all, if a request wants all, and else recent ones.
    pub sampling: Option<Sampling>,
    /// How old recent events may be when their turn comes; by default a second.
    pub max_age: Option<Duration>,
    /// Each event goes to one analyzer only of those of the same name that split events.
    pub split: bool,
    /// When the analysis ends by itself.
    pub stop: StopAt,
    /// First and last run number.
    pub runs: Option<(u32, u32)>,
    /// How long it may be silent, or not there, before the analysis ends; by default for ever.
    pub timeout: Option<Duration>,
    /// How long the lag may grow before a warning is given.
    pub patience: Duration,
    /// To the thread that is attached.
    pub(super) line: Option<Spool>,
}

impl Shm {
    /// The stream of this name, with or without `shm:` before it: `shm:lxe` is one of this user, `shm:/daq/lxe`
    /// the file `/daq/lxe.ring`.
    ///
    /// # Errors
    /// If no stream can be called so.
    pub fn new(name: &str) -> Result<Shm, Error> {
        let failed = |source| Error::Shm { name: name.to_owned(), source: Box::new(source) };
        Ok(Shm {
            name: StreamName::new(name).map_err(failed)?,
            sampling: None,
            max_age: None,
            split: false,
            stop: StopAt::default(),
            runs: None,
            timeout: None,
            patience: PATIENCE,
            line: None,
        })
    }

    /// The events as they come, of all ids, until `stop` is asked.
    ///
    /// # Errors
    /// If it cannot be attached to.
    pub fn events(&self, limits: Limits, stop: &Stop) -> Result<Arrivals, Error> {
        let job = Job { limits, stop: stop.clone(), allow_missing: true, ..Job::new() };
        self.check()?;
        Ok(Arrivals::attached(self.attach(&Analyzer::new("Pactolus"), &job)?, stop))
    }

    /// Refuses what cannot be done.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.runs.map_or(Ok(()), check_runs)?;
        if self.max_age.is_some_and(|age| age.is_zero()) {
            return Err(Error::Job(format!("{self}: no event is as young as 0 s (--max-age)")));
        }
        Ok(())
    }

    /// Attaches to it, or waits for it; the job on what comes.
    pub(crate) fn attach(&self, analyzer: &Analyzer, job: &Job) -> Result<Attached, Error> {
        self.attach_by(analyzer, job, |want| by_name(self.name.clone(), want))
    }

    pub(super) fn attach_by(
        &self,
        analyzer: &Analyzer,
        job: &Job,
        attach: impl FnOnce(Want) -> Attach,
    ) -> Result<Attached, Error> {
        let requests = || analyzer.chains.iter().map(|chain| &chain.request);
        let is_all = self.sampling.is_none() && requests().any(|request| request.sampling == Sampling::All);
        let sampling = self.sampling.unwrap_or(if is_all { Sampling::All } else { Sampling::Recent });
        let mut reserve = BTreeMap::new();
        if sampling != Sampling::All {
            for request in requests().filter(|request| request.reserve > 0) {
                if let Ok(id) = u16::try_from(request.id) {
                    let most: &mut u32 = reserve.entry(id).or_default();
                    *most = request.reserve.max(*most);
                }
            }
        }
        let taking = Taking {
            all: sampling == Sampling::All,
            split: self.split,
            reserved: reserve.keys().copied().collect(),
        };
        let most = (job.half_of_memory() / 4).clamp(1 << 20, 32 << 20);
        let most = if self.split { most.min(SHARE) } else { most };
        // A part of it is for the way from the spool to the modules.
        let on_the_way = |age: Duration| age - age / 8;
        let max_age = (sampling == Sampling::Recent).then(|| on_the_way(self.max_age.unwrap_or(RECENT)));
        let spool = Spool::with(Bounds { most, max_age, reserve });
        if is_all {
            spool.say(format!(
                "{self}: the definition takes all events of a request (sampling = \"all\"): the producer waits if this analyzer is slow; --sampling recent lets it go on"
            ));
        }
        let group = self.split.then(|| analyzer.name.clone());
        let want = Want { name: analyzer.name.clone(), all: taking.all, group };
        let mut puller = Puller::new(self.clone(), (taking, attach(want)), spool.clone(), &job.stop);
        puller.begin()?;
        let thread = std::thread::Builder::new()
            .name("shm".into())
            .spawn(move || puller.run())
            .map_err(|error| job.cannot_start(&error))?;
        let shm = Shm { line: Some(spool.clone()), ..self.clone() };
        let job = Job { live: Some(Live::Shm(shm)), ..job.clone() };
        Ok(Attached::new(job, (spool, Box::new(|| ())), thread))
    }

    /// Its runs as streams.
    pub(crate) fn feed(&self, job: &Job, gauge: &Gauge) -> Box<dyn Feed> {
        let spool = self.line.clone().unwrap_or_else(|| {
            // Nobody is attached, and nothing comes.
            let spool = Spool::new(0);
            spool.push(Item::Over(None));
            spool
        });
        let written = spool.clone();
        gauge.written_by(move || written.written());
        Box::new(Streams::new(self.to_string(), (spool, None), job))
    }
}

impl fmt::Display for Shm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl fmt::Debug for Shm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shm { name, sampling, max_age, split, stop, runs, timeout, patience, line: _ } = self;
        f.debug_struct("Shm")
            .field("name", &name.to_string())
            .field("sampling", sampling)
            .field("max_age", max_age)
            .field("split", split)
            .field("stop", stop)
            .field("runs", runs)
            .field("timeout", timeout)
            .field("patience", patience)
            .finish()
    }
}
