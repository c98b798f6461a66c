//! What is live of the inputs of a command line: the only one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use pactolus::{Experiment, Live, Sampling, Shm, StopAt};

use crate::attach::{self, AttachArgs, JoinArgs};
use crate::follow;
use crate::publish::SCHEME;

/// `-r` for files that are finished.
pub(crate) const RUNS: &str = "-r is for what is live: name the files of these runs";

/// How events are taken of what gives them without waiting.
#[derive(Args)]
#[command(next_help_heading = "Taken from an experiment, midas://..., or a stream, shm:NAME")]
pub(crate) struct TakeArgs {
    /// How events are taken, whatever the definition says: nonblocking, those that come fast enough, without
    /// making anybody wait; all, which makes the readout or the bridge wait if this is slow; recent, none older
    /// than a second. By default nonblocking from an experiment, recent from a stream
    #[arg(long, value_name = "WORD", value_parser = sampling)]
    pub(crate) sampling: Option<Sampling>,

    /// With shm:NAME: how old events may be that --sampling recent takes; by default 1
    #[arg(long, value_name = "SECONDS", value_parser = follow::seconds)]
    max_age: Option<Duration>,

    /// With shm:NAME: all, each event for every program that reads; split, each for one only of those of the same
    /// name, so that several share the work. By default all
    #[arg(long, value_name = "WORD", value_parser = share)]
    share: Option<bool>,

    /// With shm:NAME: never, the next run is waited for, and the next program that publishes; endrun, end with the
    /// run that goes on, or the first that comes. By default never
    #[arg(long, value_name = "WORD", value_parser = stop)]
    stop: Option<StopAt>,
}

impl TakeArgs {
    /// The stream of this name.
    fn stream(&self, name: &str) -> Result<Shm, Box<dyn std::error::Error>> {
        let mut shm = Shm::new(name)?;
        let is_other = self.sampling.is_some_and(|sampling| sampling != Sampling::Recent);
        if self.max_age.is_some() && is_other {
            return Err("--max-age is for --sampling recent".into());
        }
        shm.sampling = self.sampling.or(self.max_age.map(|_| Sampling::Recent));
        shm.max_age = self.max_age;
        shm.split = self.share.unwrap_or(false);
        shm.stop = self.stop.unwrap_or_default();
        Ok(shm)
    }

    /// A flag that has no meaning without a stream.
    fn first_flag(&self) -> Option<&'static str> {
        let TakeArgs { sampling: _, max_age, share, stop } = self;
        let given =
            [("--max-age", max_age.is_some()), ("--share", share.is_some()), ("--stop", stop.is_some())];
        given.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

fn sampling(word: &str) -> Result<Sampling, String> {
    Sampling::from_name(word).ok_or_else(|| "all, nonblocking or recent wanted".to_owned())
}

/// Whether events are split.
fn share(word: &str) -> Result<bool, String> {
    match word {
        "all" => Ok(false),
        "split" => Ok(true),
        _ => Err("all or split wanted".into()),
    }
}

fn stop(word: &str) -> Result<StopAt, String> {
    StopAt::from_name(word).ok_or_else(|| "never or endrun wanted".to_owned())
}

/// Flags for an experiment.
pub(crate) enum Flags<'a> {
    Analyze(&'a AttachArgs),
    Join(&'a JoinArgs),
    None,
}

impl Flags<'_> {
    fn experiment(&self, url: &str) -> Result<Experiment, Box<dyn std::error::Error>> {
        match self {
            Flags::Analyze(attach) => attach.experiment(url),
            Flags::Join(join) => join.experiment(url),
            Flags::None => Ok(Experiment::new(url)?),
        }
    }

    /// A flag that has no meaning without an experiment.
    fn first(&self) -> Option<&'static str> {
        match self {
            Flags::Analyze(attach) => attach.first_flag(),
            Flags::Join(join) => join.first_flag(),
            Flags::None => None,
        }
    }
}

/// Of the names of inputs, what is live: the only one.
pub(crate) fn only(
    names: &[&PathBuf],
    take: &TakeArgs,
    flags: &Flags<'_>,
    timeout: Option<Duration>,
    runs: &[u32],
) -> Result<Option<Live>, Box<dyn std::error::Error>> {
    let runs = match runs {
        [first, last] => Some((*first, *last)),
        _ => None,
    };
    let alone = |what: &str| match names.len() {
        0 | 1 => Ok(()),
        _ => Err(format!("{what} is the only input: leave the others out")),
    };
    let is_experiment = |flag: &str| format!("{flag} is for an experiment, as midas://daq/lxe");
    let is_stream = |flag: &str| format!("{flag} is for a stream in shared memory, as shm:lxe");
    if let Some(url) = names.iter().find_map(|name| attach::url(name)) {
        alone("an experiment")?;
        take.first_flag().map_or(Ok(()), |flag| Err(is_stream(flag)))?;
        let mut experiment = flags.experiment(url)?;
        experiment.sampling = take.sampling;
        experiment.timeout = timeout;
        experiment.runs = runs;
        return Ok(Some(Live::Experiment(experiment)));
    }
    flags.first().map_or(Ok(()), |flag| Err(is_experiment(flag)))?;
    if let Some(name) = names.iter().find_map(|name| stream(name)) {
        alone("a stream")?;
        let mut shm = take.stream(name)?;
        shm.timeout = timeout;
        shm.runs = runs;
        return Ok(Some(Live::Shm(shm)));
    }
    take.first_flag().map_or(Ok(()), |flag| Err(is_stream(flag)))?;
    if take.sampling.is_some() {
        let text = "--sampling is for an experiment or a stream, as midas://daq/lxe or shm:lxe";
        return Err(text.into());
    }
    let mut follow = follow::only(names.iter().copied(), timeout)?;
    if let Some(follow) = &mut follow {
        follow.runs = runs;
    }
    Ok(follow.map(Live::Follow))
}

/// The name of a stream; `None` for a file.
pub(crate) fn stream(input: &Path) -> Option<&str> {
    input.to_str().filter(|input| input.starts_with(SCHEME))
}
