//! The three connections that the server makes back to us.

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::line::deadline;
use super::{Callbacks, Error, Result};

/// What the connections are for, in the order in which the server makes them.
const WHAT: [&str; 3] = ["calls", "notes of the server", "events"];

/// Three ports on which the server is awaited.
pub(crate) struct Reverse {
    listeners: [TcpListener; 3],
    ports: Callbacks,
}

/// Where to listen for a server: on the own host only if it is there.
pub(crate) fn side(server: IpAddr) -> Ipv4Addr {
    if server.is_loopback() { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED }
}

/// A port of ours; 0 is any.
pub(crate) fn bind(side: Ipv4Addr, port: u16) -> Result<(TcpListener, u16)> {
    let bound = TcpListener::bind((side, port)).and_then(|listener| {
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    });
    bound.map_err(|source| Error::Bind { port, source })
}

impl Reverse {
    /// `listens` if programs are to call us, too: then a free port is found for these, to be named in errors.
    pub(crate) fn bind(server: IpAddr, fixed: Option<Callbacks>, listens: bool) -> Result<Reverse> {
        let side = side(server);
        let port = |choice: fn(&Callbacks) -> u16| bind(side, fixed.as_ref().map_or(0, choice));
        let (rpc, a) = port(|c| c.rpc)?;
        let (notify, b) = port(|c| c.notify)?;
        let (event, c) = port(|c| c.event)?;
        let listen = match fixed {
            Some(fixed) => fixed.listen,
            None if listens => Some(bind(side, 0)?.1),
            None => None,
        };
        let ports = Callbacks { rpc: a, notify: b, event: c, listen };
        Ok(Reverse { listeners: [rpc, notify, event], ports })
    }

    pub(crate) fn ports(&self) -> [u16; 3] {
        [self.ports.rpc, self.ports.notify, self.ports.event]
    }

    /// Waits for the three connections, from this server only, or from the end of a tunnel.
    pub(crate) fn accept(self, server: IpAddr, timeout: Duration, tunnel: u16) -> Result<[TcpStream; 3]> {
        let end = deadline(timeout);
        let ports = self.ports();
        let [rpc, notify, event] = self.listeners;
        let take = |listener: TcpListener, which: usize| {
            let mut strangers = Vec::new();
            let stream = accept(&listener, server, end, &mut strangers);
            stream.map_err(|source| Error::Io { call: "call back", source })?.ok_or_else(|| {
                Error::NoCallback {
                    what: WHAT[which],
                    port: ports[which],
                    ports: self.ports,
                    within: timeout,
                    strangers: named(&strangers, server),
                    tunnel,
                }
            })
        };
        Ok([take(rpc, 0)?, take(notify, 1)?, take(event, 2)?])
    }
}

fn named(strangers: &[IpAddr], server: IpAddr) -> String {
    match strangers {
        [] => String::new(),
        [first, ..] => format!(", but {first} has, which is not the server ({server})"),
    }
}

/// The next connection of the server, until the end of time.
fn accept(
    listener: &TcpListener,
    server: IpAddr,
    end: Instant,
    strangers: &mut Vec<IpAddr>,
) -> std::io::Result<Option<TcpStream>> {
    // The standard library cannot accept with a time limit.
    listener.set_nonblocking(true)?;
    let mut pause = Duration::from_micros(100);
    loop {
        match listener.accept() {
            Ok((stream, from)) => {
                let is_server = from.ip() == server || from.ip().is_loopback();
                if is_server {
                    stream.set_nonblocking(false)?;
                    stream.set_nodelay(true)?;
                    return Ok(Some(stream));
                }
                strangers.truncate(8);
                strangers.push(from.ip());
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(5));
            }
            // The peer was gone before we could take it.
            Err(error) if super::line::is_gone(&error) => {}
            Err(error) => return Err(error),
        }
        if Instant::now() >= end {
            return Ok(None);
        }
    }
}
