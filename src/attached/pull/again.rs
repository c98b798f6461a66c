//! Connecting, and connecting again.

use std::time::{Duration, Instant};

use super::{LONGEST, Puller};
use crate::attached::runinfo::Places;
use crate::feed::Item;
use crate::midas::{Client, Error, Result};

/// How long it is waited for before it is tried again to connect, the longer the more often it has failed.
pub(super) const FIRST: Duration = Duration::from_millis(100);
pub(super) const LAST: Duration = Duration::from_secs(10);

impl Puller {
    /// Connects, mirrors the ODB and asks for events.
    pub(crate) fn log_in(&mut self) -> Result<Client> {
        let mut client = Client::connect(&self.experiment.login, &self.inbox)?;
        self.mirror.attach(&mut client, &self.watched)?;
        self.believe(&mut client);
        self.buffers.clear();
        for wanted in &self.wanted {
            self.buffers.push(wanted.ask(&mut client)?);
        }
        if client.name() != self.experiment.login.name && self.renamed.as_deref() != Some(client.name()) {
            self.renamed = Some(client.name().to_owned());
            self.spool.say(format!(
                "{}: another program is called {}, so this one is called {} there",
                self.experiment,
                self.experiment.login.name,
                client.name()
            ));
        }
        Ok(client)
    }

    /// The connection is lost.
    pub(super) fn lose(&mut self, error: &Error) {
        self.mirror.lost("the connection to the experiment is lost");
        self.gate.open(false);
        self.spool.set_level(0);
        if self.runs.current().is_some() && !self.is_unwanted {
            self.spool.push(Item::Broken);
        }
        self.spool.say(format!("{}: {error}; connecting again", self.experiment));
    }

    /// Connects again; nothing if nobody wants it any more.
    pub(super) fn again(&mut self) -> Option<Client> {
        let lost = Instant::now();
        let mut said = String::new();
        loop {
            let next = Instant::now() + self.pause;
            while Instant::now() < next {
                if self.spool.stops() || self.asked.is_some() || self.hearing.is_silent_too_long() {
                    return None;
                }
                std::thread::sleep(LONGEST);
            }
            self.pause = (self.pause * 2).min(LAST);
            let client = self.log_in().and_then(|mut client| {
                self.go_on(&mut client, lost)?;
                Ok(client)
            });
            match client {
                Ok(client) => return Some(client),
                // While an experiment is restarted, any error may come, and all of them may pass.
                Err(error) => {
                    self.mirror.lost("the connection to the experiment is lost");
                    let why = error.to_string();
                    if why != said {
                        self.spool.say(format!("{}: {why}; still trying", self.experiment));
                        said = why;
                    }
                }
            }
        }
    }

    /// What has become of the run while the connection was lost.
    fn go_on(&mut self, client: &mut Client, lost: Instant) -> Result<()> {
        let seconds = lost.elapsed().as_secs_f64();
        let now = Places::find(client)?.read(client)?;
        let experiment = &self.experiment;
        self.spool.say(format!("{experiment}: connected again after {seconds:.1} s"));
        let current = self.runs.current();
        if now.is_going_on() && current == Some(now.number) {
            if !self.is_unwanted {
                self.spool.push(Item::Again(format!(
                    "the connection to {experiment} was lost for {seconds:.1} s: events of this time are not analyzed"
                )));
            }
            return Ok(());
        }
        if let Some(run) = current {
            if !self.is_unwanted {
                self.spool.push(Item::Gone(format!(
                    "run {run} is not complete: it ended while the connection to {experiment} was lost, {seconds:.1} s"
                )));
            }
            self.leave(run);
        }
        // What has begun meanwhile is met while it is going on.
        self.runs.forget();
        self.is_attached = false;
        Ok(())
    }
}
