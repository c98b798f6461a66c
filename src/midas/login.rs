//! How to log in.

use std::fmt;
use std::time::Duration;

use super::{Address, Callbacks};

/// How to log in to an experiment: where, as whom, and with what patience.
#[derive(Clone)]
pub struct Login {
    /// The server.
    pub address: Address,
    /// The experiment, in any case; `None` is the first that the server has.
    pub experiment: Option<String>,
    /// Our name in `/System/Clients` and `/Programs`. The server appends a number if it is taken.
    pub name: String,
    /// Our host, for the messages of the experiment. For its lists the server has an idea of its own.
    pub host: String,
    /// The password of the experiment, if it has one.
    pub password: Option<String>,
    /// Fixed ports for what the server connects to; any free ports if not said.
    pub callbacks: Option<Callbacks>,
    /// For how long we may be silent before the server asks whether we are there. What
    /// `/Programs/<name>/Watchdog Timeout` says goes first, as for any program of MIDAS.
    pub watchdog: Duration,
    /// How long to wait for an answer, at most a day.
    pub timeout: Duration,
    /// When to be called at transitions; `None`: not at all. With [`callbacks`](Login::callbacks) it takes the
    /// fourth of these.
    pub transitions: Option<Sequences>,
    /// Whether the log of the experiment is told when we come and go.
    pub messages: bool,
}

impl Login {
    /// The server's first experiment, under this name, with the usual times.
    pub fn new(address: Address, name: impl Into<String>) -> Login {
        Login {
            address,
            experiment: None,
            name: name.into(),
            host: "localhost".to_owned(),
            password: None,
            callbacks: None,
            watchdog: Duration::from_secs(10),
            timeout: Duration::from_secs(10),
            transitions: None,
            messages: false,
        }
    }

    /// The experiment.
    pub fn experiment(mut self, name: impl Into<String>) -> Login {
        self.experiment = Some(name.into());
        self
    }
}

/// Without the password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Login {
            address,
            experiment,
            name,
            host,
            password,
            callbacks,
            watchdog,
            timeout,
            transitions,
            messages,
        } = self;
        f.debug_struct("Login")
            .field("address", address)
            .field("experiment", experiment)
            .field("name", name)
            .field("host", host)
            .field("password", &password.as_ref().map(|_| "..."))
            .field("callbacks", callbacks)
            .field("watchdog", watchdog)
            .field("timeout", timeout)
            .field("transitions", transitions)
            .field("messages", messages)
            .finish()
    }
}

/// Where among the programs we are called at each transition, 1 to 1000, lowest first. Frontends have 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequences {
    /// Begin of run, and its failure.
    pub start: i32,
    /// End of run.
    pub stop: i32,
    /// A run is paused.
    pub pause: i32,
    /// A run goes on.
    pub resume: i32,
}

/// As other analyzers have it: before the frontends when something begins, behind them when it ends.
impl Default for Sequences {
    fn default() -> Sequences {
        Sequences { start: 300, stop: 700, pause: 700, resume: 300 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_shown() {
        let login = Login { password: Some("secret".to_owned()), ..Login::new(Address::new("daq", 1), "A") };
        let text = format!("{login:?}");
        assert!(text.contains("daq") && !text.contains("secret"), "{text}");
    }
}
