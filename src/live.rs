//! Where the events of a live job come from.

use std::path::Path;
use std::time::Duration;

use pactolus_formats::Limits;

use crate::Error;
use crate::attached::Experiment;
use crate::feed::Feed;
use crate::job::{Job, OutputFile, OutputKind, Stop};
use crate::online::{Arrivals, Follow, Following, Gauge};
use crate::recent::{Shm, StopAt};

/// A source of events that are made while they are analyzed. Whatever it is, a run begins with a BOR and a
/// snapshot of the ODB, and ends with its EOR behind all of its events.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Live {
    /// The files of an experiment while they are written.
    Follow(Follow),
    /// An experiment that runs MIDAS.
    Experiment(Experiment),
    /// A stream in shared memory.
    Shm(Shm),
}

impl Live {
    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Live::Follow(follow) => follow.name(),
            Live::Experiment(experiment) => experiment.to_string(),
            Live::Shm(shm) => shm.to_string(),
        }
    }

    /// How long the lag may grow before a warning is given.
    pub fn patience(&self) -> Duration {
        match self {
            Live::Follow(follow) => follow.patience,
            Live::Experiment(experiment) => experiment.patience,
            Live::Shm(shm) => shm.patience,
        }
    }

    /// Whether more than one run, or subrun, may come.
    pub fn is_several(&self) -> bool {
        match self {
            Live::Follow(follow) => follow.is_several(),
            Live::Experiment(_) => true,
            Live::Shm(shm) => shm.stop == StopAt::Never,
        }
    }

    /// Whether others take a part of its events.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Live::Shm(shm) if shm.split)
    }

    /// The events as they come, until `stop` is asked.
    ///
    /// # Errors
    /// If it is not there, or makes no sense.
    pub fn events(&self, limits: Limits, stop: &Stop) -> Result<Arrivals, Error> {
        match self {
            Live::Follow(follow) => follow.events(limits, stop),
            Live::Experiment(experiment) => experiment.events(limits, stop),
            Live::Shm(shm) => shm.events(limits, stop),
        }
    }

    /// Refuses what cannot be done.
    pub(crate) fn check(&self, job: &Job) -> Result<(), Error> {
        match self {
            Live::Follow(follow) => {
                follow.check()?;
                let is_events = |output: &&OutputFile| {
                    matches!(output.kind, OutputKind::Mid | OutputKind::Asc) && !output.is_stdout()
                };
                let mut outputs = job.outputs.iter().filter(is_events);
                outputs.try_for_each(|output| follow.check_output(Path::new(&output.pattern)))
            }
            Live::Experiment(experiment) => experiment.check(job),
            Live::Shm(shm) => shm.check(),
        }
    }

    /// Its streams.
    pub(crate) fn feed(&self, job: &Job, gauge: &Gauge) -> Box<dyn Feed> {
        match self {
            Live::Follow(follow) => Box::new(Following::new(follow, job, gauge)),
            Live::Experiment(experiment) => experiment.feed(job, gauge),
            Live::Shm(shm) => shm.feed(job, gauge),
        }
    }
}
