//! `midas://host[:port][/experiment]` as an input.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use pactolus::midas::{Callbacks, Sequences};
use pactolus::{Experiment, Sampling};

use crate::analyze::host;

/// What stands before the address of an experiment.
pub(crate) const SCHEME: &str = "midas://";

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
    /// are exact however short the pause between two runs. Without it, /Runinfo is watched
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

/// How to log in.
#[derive(Args)]
pub(crate) struct LoginArgs {
    /// The name of this program among the clients of the experiment; by default that of the analyzer
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// A file with the password of the experiment
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// Three ports to which the server connects, and a fourth for transitions and stop requests, for
    /// firewalls and tunnels; by default any that are free
    #[arg(long, value_name = "A,B,C[,D]")]
    pub(crate) callback_ports: Option<Callbacks>,
}

fn sampling(word: &str) -> Result<Sampling, String> {
    Sampling::from_name(word).ok_or_else(|| "all, nonblocking or recent wanted".to_owned())
}

impl AttachArgs {
    /// The experiment that an input names; `None` for one that is a file.
    pub(crate) fn experiment(&self, input: &Path) -> Result<Option<Experiment>, Box<dyn std::error::Error>> {
        let Some(url) = input.to_str().filter(|input| input.starts_with(SCHEME)) else {
            return match self.first_flag() {
                Some(flag) => Err(format!("{flag} is for an experiment, as midas://daq/lxe").into()),
                None => Ok(None),
            };
        };
        let mut experiment = Experiment::new(url)?;
        experiment.sampling = self.sampling;
        experiment.veto = self.veto;
        experiment.writes = self.write_odb;
        experiment.messages = self.messages;
        experiment.login.transitions = self.transitions.then(Sequences::default);
        self.login.apply(&mut experiment)?;
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
            ("--name", login.name.is_some()),
            ("--password-file", login.password_file.is_some()),
            ("--callback-ports", login.callback_ports.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

impl LoginArgs {
    fn apply(&self, experiment: &mut Experiment) -> Result<(), Box<dyn std::error::Error>> {
        let login = &mut experiment.login;
        login.host = host();
        login.callbacks = self.callback_ports;
        if let Some(name) = &self.name {
            login.name.clone_from(name);
        }
        if let Some(file) = &self.password_file {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("--password-file {}: {error}", file.display()))?;
            login.password = Some(text.trim_end_matches(['\r', '\n']).to_owned());
        }
        Ok(())
    }
}

/// Of the names of inputs, the experiment that one is, which must be the only one.
pub(crate) fn only<'n>(
    mut names: impl Iterator<Item = &'n PathBuf> + Clone,
    args: &AttachArgs,
    timeout: Option<Duration>,
) -> Result<Option<Experiment>, Box<dyn std::error::Error>> {
    let is_experiment = |name: &&PathBuf| name.to_str().is_some_and(|name| name.starts_with(SCHEME));
    let place = names.clone().find(is_experiment).map_or(Path::new(""), PathBuf::as_path);
    let Some(mut experiment) = args.experiment(place)? else { return Ok(None) };
    if names.nth(1).is_some() {
        return Err("an experiment is the only input: leave the others out".into());
    }
    experiment.timeout = timeout;
    Ok(Some(experiment))
}
