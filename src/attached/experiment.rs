//! The experiment to be attached to, as the user says it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pactolus_odb::Odb;

use super::pull::Puller;
use super::wanted::Wanted;
use crate::analyzer::Analyzer;
use crate::feed::{Attached, Feed, Item, Spool, Streams};
use crate::job::{Job, check_runs};
use crate::layers::watched;
use crate::live::Live;
use crate::midas::{Address, Inbox, Login, Mirror, Writes};
use crate::online::Gauge;
use crate::{Error, Sampling};

/// What stands before the address of an experiment.
const SCHEME: &str = "midas://";

/// How long the lag must grow before somebody is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// Older events are passed over, if only recent ones are wanted.
const RECENT: Duration = Duration::from_secs(1);

/// An experiment that runs MIDAS, analyzed over the network by its `mserver`.
///
/// Parameters and switches are those of its ODB, and what is changed there takes effect at the next events.
/// Unless the user allows for more, nothing that is done here can disturb the experiment: nobody waits for
/// us, no transition depends on us, nothing is written into its ODB but who we are.
///
/// ```no_run
/// use pactolus::Experiment;
/// use pactolus::prelude::*;
/// # fn main() -> std::result::Result<(), pactolus::Error> {
/// let job = Job::new().attach(Experiment::new("midas://daq/lxe")?).output("run%05d.parquet")?;
/// let report = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).run(&job)?;
/// println!("{} events", report.total().offered);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Experiment {
    /// Where it is, and how to log in. Without a name, that of the analyzer.
    pub login: Login,
    /// How events are taken, whatever the requests say.
    pub sampling: Option<Sampling>,
    /// First and last run number.
    pub runs: Option<(u32, u32)>,
    /// How long it may be silent, or away, before the analysis ends; by default for ever.
    pub timeout: Option<Duration>,
    /// How long the lag may grow before a warning is given.
    pub patience: Duration,
    /// Write parameters that are missing, switches, statistics and "Events to ODB" into its ODB.
    pub writes: bool,
    /// Refuse the start of a run while events of the last one wait to be analyzed. Needs
    /// [`transitions`](Login::transitions).
    pub veto: bool,
    /// To the thread that is attached.
    line: Option<(Spool, Option<Duration>)>,
}

impl Experiment {
    /// The experiment at `midas://host[:port][/experiment]`; without its name, the first of the server.
    ///
    /// # Errors
    /// If this is no such address.
    pub fn new(url: &str) -> Result<Experiment, Error> {
        let refuse = |why: String| {
            Error::Job(format!("{url}: {why}; midas://host[:port][/experiment] wanted, as midas://daq/lxe"))
        };
        let rest = url.strip_prefix(SCHEME).ok_or_else(|| refuse("no address of an experiment".into()))?;
        let (address, experiment) = rest.split_once('/').unwrap_or((rest, ""));
        let address: Address =
            address.parse().map_err(|error: crate::midas::Error| refuse(error.to_string()))?;
        let experiment = experiment.trim_end_matches('/');
        if experiment.contains(['/', ' ']) {
            return Err(refuse(format!("an experiment cannot be called \"{experiment}\"")));
        }
        let mut login = Login::new(address, "");
        login.experiment = Some(experiment.to_owned()).filter(|name| !name.is_empty());
        Ok(Experiment {
            login,
            sampling: None,
            runs: None,
            timeout: None,
            patience: PATIENCE,
            writes: false,
            veto: false,
            line: None,
        })
    }

    /// Refuses what cannot be done.
    pub(crate) fn check(&self, job: &Job) -> Result<(), Error> {
        let refuse = |why: &str| Err(Error::Job(format!("{self}: {why}")));
        self.runs.map_or(Ok(()), check_runs)?;
        if self.line.is_none() && job.odb.is_some() {
            return refuse("parameters and switches are those of its ODB: leave out --odb");
        }
        if !job.odb_load.is_empty() {
            return refuse("--odb-load would overwrite its ODB: leave it out, or set single values with -p");
        }
        if !job.epochs.is_empty() {
            return refuse("--epochs is for files: its values are those of its ODB");
        }
        if self.veto && self.login.transitions.is_none() {
            return refuse("--veto is for who takes part in transitions: add --transitions");
        }
        Ok(())
    }

    /// Logs in, and does so again whenever the connection is lost; the job on the ODB of the experiment.
    pub(crate) fn attach(&self, analyzer: &Analyzer, job: &Job) -> Result<Attached, Error> {
        let mut experiment = self.clone();
        if experiment.login.name.is_empty() {
            experiment.login.name = analyzer.name.clone();
        }
        let root = analyzer.root();
        let writes = match self.writes {
            true => Writes::Below(vec![root, "/Equipment".into()]),
            false => Writes::Nothing,
        };
        let wanted = Wanted::of(analyzer, self.sampling);
        let is_recent = wanted.iter().all(Wanted::is_recent);
        let most = (job.half_of_memory() / 4).clamp(1 << 20, 32 << 20);
        let spool = Spool::new(most);
        let inbox = Inbox::new();
        let mirror = Mirror::new(Arc::clone(&inbox), writes);
        experiment.line = Some((spool.clone(), is_recent.then_some(RECENT)));
        let ours = watched(analyzer).iter().map(ToString::to_string).collect::<Vec<_>>();
        let watched = [vec!["/Runinfo".to_owned()], ours].concat();
        let mut puller = Puller::new(
            &experiment,
            (wanted, watched),
            (Arc::clone(&inbox), Arc::clone(&mirror), spool.clone()),
            job,
        );
        let failed = |source| Error::Experiment { name: self.to_string(), source: Box::new(source) };
        let client = puller.log_in().map_err(failed)?;
        let thread = std::thread::Builder::new()
            .name("experiment".into())
            .spawn(move || puller.run(client))
            .map_err(|error| job.cannot_start(&error))?;
        let job =
            Job { odb: Some(Odb::new(mirror)), live: Some(Live::Experiment(experiment)), ..job.clone() };
        Ok(Attached::new(job, (spool, Box::new(move || inbox.wake())), thread))
    }

    /// ... into whose ODB nothing is written.
    pub(crate) fn without_writes(self) -> Experiment {
        Experiment { writes: false, ..self }
    }

    /// Its runs as streams.
    pub(crate) fn feed(&self, job: &Job, gauge: &Gauge) -> Box<dyn Feed> {
        let (spool, max_age) = self.line.clone().unwrap_or_else(|| {
            // Nobody is attached, and nothing comes.
            let spool = Spool::new(0);
            spool.push(Item::Over(None));
            (spool, None)
        });
        let written = spool.clone();
        gauge.written_by(move || written.written());
        Box::new(Streams::new(self.to_string(), (spool, max_age), job))
    }
}

impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.login.address)?;
        match &self.login.experiment {
            Some(name) => write!(f, "/{name}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A password is in the login.
        write!(f, "Experiment({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_perhaps_a_port_and_an_experiment() {
        let parsed = |url: &str| {
            let login = Experiment::new(url).unwrap().login;
            (login.address.host, login.address.port, login.experiment)
        };
        assert_eq!(parsed("midas://daq"), ("daq".into(), 1175, None));
        assert_eq!(parsed("midas://daq/"), ("daq".into(), 1175, None));
        assert_eq!(parsed("midas://daq:7/lxe"), ("daq".into(), 7, Some("lxe".into())));
        for wrong in ["midas://", "midas://daq:x/lxe", "midas:///lxe", "midas://daq/a/b", "http://daq"] {
            let error = Experiment::new(wrong).unwrap_err().to_string();
            assert!(error.contains("midas://host[:port][/experiment] wanted"), "{error}");
        }
        assert_eq!(Experiment::new("midas://daq/lxe").unwrap().to_string(), "midas://daq/lxe");
    }
}
