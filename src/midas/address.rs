//! Where an mserver is, and where it may call back.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// A server: `host` or `host:port`, as `MIDAS_SERVER_HOST` has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or dotted address.
    pub host: String,
    /// Port of its listener.
    pub port: u16,
}

impl Address {
    /// The port of mserver where nothing else is said.
    pub const PORT: u16 = 1175;

    /// A server on the usual port.
    pub fn new(host: impl Into<String>, port: u16) -> Address {
        Address { host: host.into(), port }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Address, Error> {
        let refuse = |message: &str| Error::Address { text: text.to_owned(), message: message.to_owned() };
        let (host, port) = match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(refuse("MIDAS speaks IPv4 only")),
            Some((host, port)) => (
                host,
                port.parse()
                    .ok()
                    .filter(|port| *port > 0)
                    .ok_or_else(|| refuse("the port is not a number from 1 to 65535"))?,
            ),
            None => (text, Address::PORT),
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
            return Err(refuse("wanted host or host:port"));
        }
        Ok(Address { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.port {
            Address::PORT => f.write_str(&self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

/// Fixed ports for the connections that the server makes to us, for firewalls and tunnels: `a,b,c` or
/// `a,b,c,d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callbacks {
    /// Calls and replies.
    pub rpc: u16,
    /// What the server says of its own accord.
    pub notify: u16,
    /// Events to the server; unused by an analyzer, but the server connects to it.
    pub event: u16,
    /// Where other programs of the experiment call us; any free port if not said.
    pub listen: Option<u16>,
}

impl FromStr for Callbacks {
    type Err = Error;

    fn from_str(text: &str) -> Result<Callbacks, Error> {
        let refuse = |message: &str| Error::Callbacks { text: text.to_owned(), message: message.to_owned() };
        let ports: Vec<u16> = text
            .split(',')
            .map(|port| port.trim().parse().ok().filter(|port| *port > 0))
            .collect::<Option<_>>()
            .ok_or_else(|| refuse("a port is a number from 1 to 65535"))?;
        for (i, port) in ports.iter().enumerate() {
            if ports[..i].contains(port) {
                return Err(refuse(&format!("port {port} is there twice")));
            }
        }
        match ports[..] {
            [rpc, notify, event] => Ok(Callbacks { rpc, notify, event, listen: None }),
            [rpc, notify, event, listen] => Ok(Callbacks { rpc, notify, event, listen: Some(listen) }),
            _ => Err(refuse("wanted three ports, or four: calls, notes, events, and where programs call us")),
        }
    }
}

impl fmt::Display for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{},{},{}", self.rpc, self.notify, self.event)?;
        self.listen.map_or(Ok(()), |port| write!(f, ",{port}"))
    }
}
