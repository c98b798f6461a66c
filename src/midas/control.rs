//! The first connection, to the listener of the server: text, ended by a zero.
//!
//! ```text
//! I                         names of experiments, each with a zero; one more zero
//! C 39627 35539 48675 2.1 proto    1 2.1   a process for us is on its way to our three ports
//!                                  2       no such experiment
//!                                  3       no process can be started
//!                                  (closed) this host may not
//! ```

use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::line::{Line, deadline, is_gone, is_late};
use super::wire::shown;
use super::{Address, Error, Result};

/// What the version of a client looks like. Servers compare what is before the second dot, and go on anyway.
const VERSION: &str = "2.1";
/// More than a server may answer to `I`.
const MOST_NAMES: usize = 64 << 10;
/// More than a server may answer to `C`.
const MOST_ANSWER: usize = 256;

/// The experiments that a server has, in its order.
pub fn experiments(address: &Address, timeout: Duration) -> Result<Vec<String>> {
    let mut control = Control::new(address, timeout)?;
    names(&mut control, address, timeout)
}

/// A connection to the listener of a server.
pub(crate) struct Control {
    stream: TcpStream,
    server: IpAddr,
}

impl Control {
    pub(crate) fn new(address: &Address, timeout: Duration) -> Result<Control> {
        let end = deadline(timeout);
        let unreachable = |source| Error::Unreachable { address: address.clone(), source };
        let unknown = |message: String| Error::Address { text: address.to_string(), message };
        let all = (address.host.as_str(), address.port).to_socket_addrs();
        let all = all.map_err(|error| unknown(format!("the host is not known: {error}")))?;
        let mut failed = None;
        // MIDAS listens and calls back on IPv4 only.
        for place in all.filter(SocketAddr::is_ipv4) {
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            match TcpStream::connect_timeout(&place, left) {
                Ok(stream) => {
                    return Ok(Control { stream, server: place.ip() });
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.map_or_else(|| unknown("the host has no IPv4 address".to_owned()), unreachable))
    }

    /// The address of the server.
    pub(crate) fn server(&self) -> IpAddr {
        self.server
    }

    /// Has a process started that calls us back; gives the version of the server.
    pub(crate) fn connect(
        mut self,
        address: &Address,
        ports: [u16; 3],
        experiment: &str,
        timeout: Duration,
    ) -> Result<String> {
        connect(&mut self, address, ports, experiment, timeout)
    }
}

impl Line for Control {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        Line::read(&mut self.stream, to)
    }
    fn write(&mut self, bytes: &[u8], within: Duration) -> std::io::Result<()> {
        Line::write(&mut self.stream, bytes, within)
    }
    fn patience(&mut self, time: Duration) -> std::io::Result<()> {
        Line::patience(&mut self.stream, time)
    }
    fn quick(&mut self) {}
}

/// Asks for the experiments.
pub(crate) fn names(line: &mut dyn Line, address: &Address, timeout: Duration) -> Result<Vec<String>> {
    const LIST: &str = "list of experiments";
    let is_end = |answer: &[u8]| answer == b"\0" || answer.ends_with(b"\0\0");
    let answer = ask(line, address, LIST, b"I\0", timeout, MOST_NAMES, is_end)?;
    if answer.is_empty() {
        return Err(Error::HostNotAllowed { address: address.clone() });
    }
    let names = String::from_utf8_lossy(&answer);
    let names: Vec<String> = names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let is_list = answer.ends_with(b"\0") && !names.iter().any(|name| name.contains(char::is_control));
    if is_list { Ok(names) } else { Err(not_midas(address, LIST, &answer)) }
}

/// Asks for a process of an experiment.
pub(crate) fn connect(
    line: &mut dyn Line,
    address: &Address,
    [rpc, notify, event]: [u16; 3],
    experiment: &str,
    timeout: Duration,
) -> Result<String> {
    const CONNECT: &str = "connect";
    if experiment.len() > 100 || experiment.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let message = format!("{experiment:?} cannot be said to a server: more than 100 bytes, or blanks");
        return Err(Error::Argument { what: "experiment", message });
    }
    let text = format!("C {rpc} {notify} {event} {VERSION} {experiment}\0");
    let is_end = |answer: &[u8]| answer.ends_with(b"\0");
    let answer = ask(line, address, CONNECT, text.as_bytes(), timeout, MOST_ANSWER, is_end)?;
    let text = answer.strip_suffix(b"\0").and_then(|answer| std::str::from_utf8(answer).ok());
    let address = || address.clone();
    match text.map(str::trim) {
        Some("2") => Err(Error::UnknownExperiment {
            address: address(),
            experiment: experiment.to_owned(),
            known: Vec::new(),
        }),
        Some("3") => Err(Error::NoChild { address: address() }),
        Some(text) if text == "1" || text.starts_with("1 ") && !text.contains(char::is_control) => {
            Ok(text[1..].trim().to_owned())
        }
        _ if answer.is_empty() => Err(Error::HostNotAllowed { address: address() }),
        _ => Err(not_midas(&address(), CONNECT, &answer)),
    }
}

fn not_midas(address: &Address, to: &str, answer: &[u8]) -> Error {
    Error::NotMidas {
        address: address.clone(),
        message: format!("its answer to \"{to}\" is {}", shown(answer)),
    }
}

/// Sends a text and reads the answer until it ends, or the server has closed.
fn ask(
    line: &mut dyn Line,
    address: &Address,
    call: &'static str,
    text: &[u8],
    timeout: Duration,
    most: usize,
    is_end: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>> {
    let end = deadline(timeout);
    let late = |got| Error::Late { call, within: timeout, got, want: 0 };
    let mut answer = Vec::new();
    match line.write(text, timeout) {
        Err(error) if is_gone(&error) => return Ok(answer),
        Err(error) if is_late(&error) => return Err(late(0)),
        Err(source) => return Err(Error::Io { call, source }),
        Ok(()) => {}
    }
    let mut some = [0; 256];
    while !is_end(&answer) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late(answer.len()));
        }
        line.patience(left).map_err(|source| Error::Io { call, source })?;
        match line.read(&mut some) {
            Ok(0) => break,
            Ok(bytes) => answer.extend_from_slice(&some[..bytes]),
            Err(error) if is_gone(&error) => break,
            Err(error) if is_late(&error) || error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::Io { call, source }),
        }
        if answer.len() > most {
            return Err(not_midas(address, call, &answer));
        }
    }
    Ok(answer)
}
