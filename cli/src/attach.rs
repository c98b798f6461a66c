//! `midas://host[:port][/experiment]` as an input.

use std::path::Path;

use clap::Args;
use pactolus::Experiment;
use pactolus::midas::Sequences;

use crate::login::LoginArgs;

/// What stands before the address of an experiment.
pub(crate) const SCHEME: &str = "midas://";

/// The name of this program among the clients of an experiment, where no analyzer has one.
pub(crate) const NAME: &str = "pactolus";

/// The address of an experiment; `None` for a file.
pub(crate) fn url(input: &Path) -> Option<&str> {
    input.to_str().filter(|input| input.starts_with(SCHEME))
}

/// How to be attached to an experiment.
#[derive(Args)]
#[command(next_help_heading = "Attached to an experiment, midas://HOST[:PORT][/EXPERIMENT]")]
pub(crate) struct JoinArgs {
    /// Take part in the transitions of runs, as mana does, START at 300 and STOP at 700: begin and end of run
    /// are exact however short the pause between two runs. A start waits for this program then, a second at the most
    /// while it is well; if it hangs, MIDAS gives the start up. Without it, /Runinfo is watched
    #[arg(long)]
    pub(crate) transitions: bool,

    /// Tell the log of the experiment when this program comes and goes
    #[arg(long)]
    pub(crate) messages: bool,

    #[command(flatten)]
    pub(crate) login: LoginArgs,
}

/// How an analysis is attached to an experiment.
#[derive(Args)]
#[command(next_help_heading = "Attached to an experiment, midas://HOST[:PORT][/EXPERIMENT]")]
pub(crate) struct AttachArgs {
    #[command(flatten)]
    pub(crate) join: JoinArgs,

    /// Refuse the start of a run while the last one is not analyzed to its end
    #[arg(long, requires = "transitions")]
    pub(crate) veto: bool,

    /// Write parameters and switches that are missing, statistics and "Events to ODB" into the ODB of the
    /// experiment, below /<Analyzer> and /Equipment; without it nothing is written there
    #[arg(long)]
    pub(crate) write_odb: bool,
}

impl JoinArgs {
    /// The experiment at this address.
    pub(crate) fn experiment(&self, url: &str) -> Result<Experiment, Box<dyn std::error::Error>> {
        let mut experiment = Experiment::new(url)?;
        experiment.login.messages = self.messages;
        experiment.login.transitions = self.transitions.then(Sequences::default);
        self.login.apply(&mut experiment.login)?;
        Ok(experiment)
    }

    /// A flag that has no meaning without an experiment.
    pub(crate) fn first_flag(&self) -> Option<&'static str> {
        let JoinArgs { transitions, messages, login } = self;
        match () {
            () if *transitions => Some("--transitions"),
            () if *messages => Some("--messages"),
            () => login.first_flag(),
        }
    }
}

impl AttachArgs {
    /// The experiment at this address.
    pub(crate) fn experiment(&self, url: &str) -> Result<Experiment, Box<dyn std::error::Error>> {
        let mut experiment = self.join.experiment(url)?;
        experiment.veto = self.veto;
        experiment.writes = self.write_odb;
        Ok(experiment)
    }

    /// A flag that has no meaning without an experiment.
    pub(crate) fn first_flag(&self) -> Option<&'static str> {
        // --veto goes with --transitions only.
        self.write_odb.then_some("--write-odb").or_else(|| self.join.first_flag())
    }
}
