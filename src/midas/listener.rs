//! Where programs of the experiment call us: at transitions, and to ask us to end.
//!
//! One thread takes the connections, and each has one of its own: a caller that is slow, or keeps its
//! connection for later, keeps nobody waiting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::answer;
use super::inbox::Post;
use super::line::Line;
use super::reverse;
use super::{Error, Result};

/// Most connections at once; the one that was silent for longest goes for a new one. Callers open them anew.
const MOST: usize = 8;
/// Names of hosts that are looked up at the most.
const HOSTS: usize = 64;
/// How long a caller may take to hear that we end its connection.
const FAREWELL: Duration = Duration::from_millis(100);
/// How long the end of a thread is awaited that is asking the owner about a transition.
const PATIENCE: Duration = Duration::from_secs(2);

/// The port, and its threads.
#[derive(Debug)]
pub(crate) struct Listener {
    port: u16,
    side: Ipv4Addr,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "shut down on Linux only"))]
    listener: TcpListener,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    pub(crate) fn new(side: Ipv4Addr, port: u16, callers: Callers, post: Post) -> Result<Listener> {
        let (listener, port) = reverse::bind(side, port)?;
        let failed = |source| Error::Bind { port, source };
        let taken = listener.try_clone().map_err(failed)?;
        let closing = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&closing);
        let thread = thread::Builder::new().name("midas-calls".to_owned());
        let thread = thread.spawn(move || take(&taken, &callers, &post, &flag)).map_err(failed)?;
        Ok(Listener { port, side, listener, closing, thread: Some(thread) })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        // Wakes the thread from its `accept`.
        #[cfg(target_os = "linux")]
        let woken = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both).is_ok();
        #[cfg(not(target_os = "linux"))]
        let woken = false;
        let near = if self.side.is_unspecified() { Ipv4Addr::LOCALHOST } else { self.side };
        if (woken || TcpStream::connect((near, self.port)).is_ok())
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Who may call us besides our own host.
#[derive(Clone, Debug, Default)]
pub(crate) enum Callers {
    /// Nobody.
    #[default]
    Nobody,
    /// These.
    Hosts(Vec<IpAddr>),
    /// The experiment does not look.
    Anybody,
}

impl Callers {
    /// The server, and the hosts of these names as far as they are known.
    pub(crate) fn new<'n>(server: IpAddr, names: impl Iterator<Item = &'n str>) -> Callers {
        let mut hosts = vec![server];
        for name in names.map(str::trim).filter(|name| !name.is_empty()).take(HOSTS) {
            hosts.extend((name, 0).to_socket_addrs().into_iter().flatten().map(|address| address.ip()));
        }
        Callers::Hosts(hosts)
    }

    fn has(&self, host: IpAddr) -> bool {
        host.is_loopback()
            || match self {
                Callers::Nobody => false,
                Callers::Hosts(hosts) => hosts.contains(&host),
                Callers::Anybody => true,
            }
    }
}

/// A connection that is served.
struct Served {
    stream: TcpStream,
    heard: Arc<Mutex<Instant>>,
    thread: JoinHandle<()>,
}

impl Served {
    fn heard(&self) -> Instant {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a connection, and says that we are gone, as programs of MIDAS expect it.
fn leave(stream: &mut TcpStream) {
    let _ = Line::write(stream, b"EXIT\0", FAREWELL);
    let _ = stream.shutdown(Shutdown::Both);
}

/// A connection, and when it was heard of for the last time.
struct Caller {
    stream: TcpStream,
    heard: Arc<Mutex<Instant>>,
}

impl Line for Caller {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let bytes = Line::read(&mut self.stream, to)?;
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(bytes)
    }
    fn write(&mut self, bytes: &[u8], within: Duration) -> io::Result<()> {
        Line::write(&mut self.stream, bytes, within)
    }
    fn patience(&mut self, time: Duration) -> io::Result<()> {
        Line::patience(&mut self.stream, time)
    }
    fn quick(&mut self) {}
}

/// Takes connections until the client closes.
fn take(listener: &TcpListener, callers: &Callers, post: &Post, closing: &AtomicBool) {
    let mut served: Vec<Served> = Vec::new();
    loop {
        let taken = listener.accept();
        if closing.load(Ordering::Relaxed) {
            break;
        }
        served.retain(|one| !one.thread.is_finished());
        let Ok((stream, from)) = taken else {
            // No more file handles: they may come back.
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        if !callers.has(from.ip()) {
            continue;
        }
        if served.len() >= MOST
            && let Some(idlest) = (0..served.len()).min_by_key(|&at| served[at].heard())
        {
            leave(&mut served.remove(idlest).stream);
        }
        let _ = stream.set_nodelay(true);
        let Ok(line) = stream.try_clone() else { continue };
        let heard = Arc::new(Mutex::new(Instant::now()));
        let mut caller = Caller { stream: line, heard: Arc::clone(&heard) };
        let post = post.clone();
        let thread = thread::Builder::new().name("midas-call".to_owned());
        let spawned = thread.spawn(move || match answer::serve(&mut caller, &post) {
            true => leave(&mut caller.stream),
            false => drop(caller.stream.shutdown(Shutdown::Both)),
        });
        if let Ok(thread) = spawned {
            served.push(Served { stream, heard, thread });
        }
    }
    for one in &served {
        let _ = one.stream.shutdown(Shutdown::Both);
    }
    let end = Instant::now() + PATIENCE;
    for one in served {
        while !one.thread.is_finished() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        if one.thread.is_finished() {
            let _ = one.thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_call_is_the_own_host_the_server_and_who_is_named() {
        let at = |text: &str| IpAddr::from(text.parse::<Ipv4Addr>().unwrap_or(Ipv4Addr::BROADCAST));
        let callers = Callers::new(at("10.0.0.1"), ["10.0.0.2", "", "no.such.host.invalid"].into_iter());
        let may = ["127.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|host| callers.has(at(host)));
        assert_eq!(may, [true, true, true, false]);
        assert!(Callers::Anybody.has(at("10.0.0.3")) && !Callers::Nobody.has(at("10.0.0.1")));
    }
}
