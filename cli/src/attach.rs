//! `midas://host[:port][/experiment]` as an input.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use pactolus::midas::Sequences;
use pactolus::{Experiment, Sampling};

use crate::login::LoginArgs;

/// What stands before the address of an experiment.
pub(crate) const SCHEME: &str = "midas://";

/// The name of this program among the clients of an experiment, where no analyzer has one.
pub(crate) const NAME: &str = "pactolus";

/// Why an experiment does not go with other inputs.
pub(crate) const ALONE: &str = "an experiment is the only input: leave the others out";

/// The address of an experiment; `None` for a file.
pub(crate) fn url(input: &Path) -> Option<&str> {
    input.to_str().filter(|input| input.starts_with(SCHEME))
}

/// How to be attached to an experiment.
#[derive(Args)]
#[command(next_help_heading = "Attached to an experiment, midas://HOST[:PORT][/EXPERIMENT]")]
pub(crate) struct AttachArgs {
    /// How events are taken, whatever the definition says: nonblocking, those that come fast enough, without
    /// making the readout wait; all, which makes the readout wait if this is slow; recent, none older than a
    /// second
    #[arg(long, value_name = "WORD", value_parser = sampling)]
    pub(crate) sampling: Option<Sampling>,

    /// Take part in the transitions of runs, as mana does, START at 300 and STOP at 700: begin and end of run
    /// are exact however short the pause between two runs. A start waits for this program then, a second at the most
    /// while it is well; if it hangs, MIDAS gives the start up. Without it, /Runinfo is watched
    #[arg(long)]
    pub(crate) transitions: bool,

    /// Refuse the start of a run while the last one is not analyzed to its end
    #[arg(long, requires = "transitions")]
    pub(crate) veto: bool,

    /// Write parameters and switches that are missing, statistics and "Events to ODB" into the ODB of the
    /// experiment, below /<Analyzer> and /Equipment; without it nothing is written there
    #[arg(long)]
    pub(crate) write_odb: bool,

    /// Tell the log of the experiment when this program comes and goes
    #[arg(long)]
    pub(crate) messages: bool,

    #[command(flatten)]
    pub(crate) login: LoginArgs,
}

fn sampling(word: &str) -> Result<Sampling, String> {
    Sampling::from_name(word).ok_or_else(|| "all, nonblocking or recent wanted".to_owned())
}

impl AttachArgs {
    /// The experiment that an input names; `None` for one that is a file.
    pub(crate) fn experiment(&self, input: &Path) -> Result<Option<Experiment>, Box<dyn std::error::Error>> {
        let Some(url) = url(input) else {
            return match self.first_flag() {
                Some(flag) => Err(format!("{flag} is for an experiment, as midas://daq/lxe").into()),
                None => Ok(None),
            };
        };
        let mut experiment = Experiment::new(url)?;
        experiment.sampling = self.sampling;
        experiment.veto = self.veto;
        experiment.login.messages = self.messages;
        experiment.writes = self.write_odb;
        experiment.login.transitions = self.transitions.then(Sequences::default);
        self.login.apply(&mut experiment.login)?;
        Ok(Some(experiment))
    }

    /// A flag that has no meaning for a file.
    fn first_flag(&self) -> Option<&'static str> {
        let AttachArgs { sampling, transitions, veto: _, write_odb, messages, login } = self;
        let given = [
            ("--sampling", sampling.is_some()),
            ("--transitions", *transitions),
            ("--write-odb", *write_odb),
            ("--messages", *messages),
        ];
        let given = given.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag);
        given.or_else(|| login.first_flag())
    }
}

/// Of the names of inputs, the experiment that one is, which must be the only one.
pub(crate) fn only<'n>(
    mut names: impl Iterator<Item = &'n PathBuf> + Clone,
    args: &AttachArgs,
    timeout: Option<Duration>,
) -> Result<Option<Experiment>, Box<dyn std::error::Error>> {
    let place = names.clone().find(|name| url(name).is_some()).map_or(Path::new(""), PathBuf::as_path);
    let Some(mut experiment) = args.experiment(place)? else { return Ok(None) };
    if names.nth(1).is_some() {
        return Err(ALONE.into());
    }
    experiment.timeout = timeout;
    Ok(Some(experiment))
}
