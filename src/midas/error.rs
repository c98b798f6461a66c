//! What can go wrong between us and an mserver, and what to do.

use std::io;
use std::time::Duration;

use super::status;
use super::{Address, Callbacks};

/// What has failed, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no address of a server, or its host is unknown.
    #[error("server \"{text}\": {message}")]
    Address {
        /// What was given.
        text: String,
        /// What is wrong with it.
        message: String,
    },
    /// The text is no list of callback ports.
    #[error("callback ports \"{text}\": {message}")]
    Callbacks {
        /// What was given.
        text: String,
        /// What is wrong with it.
        message: String,
    },
    /// Something that we were to send cannot be sent.
    #[error("{what}: {message}")]
    Argument {
        /// Which thing.
        what: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Nothing answers at the address.
    #[error("no mserver at {}:{}: {source}; is it running, is this its port, and may it be reached from other hosts? \
             (without ODB \"/Experiment/Security/Enable non-localhost RPC\" it listens to its own host only)",
            address.host, address.port)]
    Unreachable {
        /// The server.
        address: Address,
        /// What the system says.
        source: io::Error,
    },
    /// The server hangs up on us.
    #[error("the server at {}:{} does not let this host in: name it in ODB \"/Experiment/Security/RPC hosts/Allowed hosts\", \
             or set \"Disable RPC hosts check\" there",
            address.host, address.port)]
    HostNotAllowed {
        /// The server.
        address: Address,
    },
    /// The server does not have this experiment.
    #[error("the server at {}:{} has no experiment \"{experiment}\"; {}", address.host, address.port, has(known))]
    UnknownExperiment {
        /// The server.
        address: Address,
        /// What was asked for.
        experiment: String,
        /// What it has.
        known: Vec<String>,
    },
    /// The server cannot start the process that would serve us.
    #[error("the server at {}:{} cannot start a process for us: mserver must be started with its full path, \
             or be in /usr/local/bin",
            address.host, address.port)]
    NoChild {
        /// The server.
        address: Address,
    },
    /// What answers is no mserver.
    #[error("what listens at {}:{} is no mserver: {message}", address.host, address.port)]
    NotMidas {
        /// The server.
        address: Address,
        /// What it has said.
        message: String,
    },
    /// A port on which the server is to call us cannot be had.
    #[error("port {port} for what the server connects to: {source}")]
    Bind {
        /// The port; 0: any.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// The server has not called back.
    #[error("the server has not called back on port {port} ({what}) within {} s{strangers}: a firewall or a network between? \
             Choose fixed ports with --callback-ports {} and open these, or take a tunnel: ssh -L {tunnel}:localhost:{tunnel}{}",
            within.as_secs_f64(), example(ports), reverse(ports))]
    NoCallback {
        /// What the connection is for.
        what: &'static str,
        /// Our port.
        port: u16,
        /// All of our ports.
        ports: Callbacks,
        /// How long we have waited.
        within: Duration,
        /// Who has called instead.
        strangers: String,
        /// The port of the server.
        tunnel: u16,
    },
    /// The experiment wants a password.
    #[error("{}", match given { true => "the experiment does not take this password", false => "the experiment wants a password" })]
    Password {
        /// Whether one was given.
        given: bool,
    },
    /// The server has understood, and says no.
    #[error("{call}{}: {}", of(what), status::sentence(*status))]
    Refused {
        /// The call.
        call: &'static str,
        /// Of what: a path, a handle.
        what: String,
        /// The server's number.
        status: i32,
    },
    /// A reply that did not come, or not to its end.
    #[error("{call}: no answer within {:.1} s, {got} bytes came{}", within.as_secs_f64(), wanted(*want))]
    Late {
        /// The call.
        call: &'static str,
        /// How long we have waited.
        within: Duration,
        /// Bytes of the reply that were there.
        got: usize,
        /// Bytes that were wanted, as far as known.
        want: usize,
    },
    /// The server has ended the connection.
    #[error("{call}: the server has closed the connection, {got} bytes of the answer had come{}", wanted(*want))]
    Closed {
        /// The call.
        call: &'static str,
        /// Bytes of the reply that were there.
        got: usize,
        /// Bytes that were wanted, as far as known.
        want: usize,
    },
    /// The server has given us up.
    #[error(
        "{call}: the server has given us up (EXIT): it had no sign of life for twice the watchdog timeout"
    )]
    Exit {
        /// The call.
        call: &'static str,
    },
    /// Bytes that the protocol does not allow.
    #[error("{call}: answer of the server, byte {at}: wanted {want}, found {found}")]
    Wire {
        /// The call.
        call: &'static str,
        /// Byte of the reply, from its header on.
        at: usize,
        /// What should be there.
        want: String,
        /// What is there.
        found: String,
    },
    /// The connection has failed.
    #[error("{call}: connection to the server: {source}")]
    Io {
        /// The call.
        call: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A call behind an error that has ended the connection.
    #[error("{call}: the connection to the server was lost before: {why}")]
    Lost {
        /// The call.
        call: &'static str,
        /// The error of that time.
        why: String,
    },
}

impl Error {
    /// Whether the connection is of no more use: connect anew.
    pub fn is_lost(&self) -> bool {
        use Error::{Address, Argument, Callbacks, Refused};
        !matches!(self, Refused { .. } | Argument { .. } | Address { .. } | Callbacks { .. })
    }

    /// Whether trying again will not help, unless somebody changes a setting.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Error::Address { .. }
                | Error::Callbacks { .. }
                | Error::Argument { .. }
                | Error::HostNotAllowed { .. }
                | Error::UnknownExperiment { .. }
                | Error::NoChild { .. }
                | Error::NotMidas { .. }
                | Error::Password { .. }
                | Error::Refused { .. }
        )
    }
}

fn has(known: &[String]) -> String {
    match known {
        [] => "it names none".to_owned(),
        known => format!("it has {}", known.join(", ")),
    }
}

fn of(what: &str) -> String {
    if what.is_empty() { String::new() } else { format!(" of {what}") }
}

fn wanted(want: usize) -> String {
    if want == 0 { String::new() } else { format!(" of {want}") }
}

fn example(ports: &Callbacks) -> String {
    ports.to_string()
}

fn reverse(ports: &Callbacks) -> String {
    let all = [Some(ports.rpc), Some(ports.notify), Some(ports.event), ports.listen];
    all.into_iter().flatten().map(|p| format!(" -R {p}:localhost:{p}")).collect()
}
