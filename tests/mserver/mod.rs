//! A server of MIDAS for tests: what `mserver` and the experiment behind it do, as far as a remote client can see,
//! from the description of the protocol and recorded exchanges. Real sockets, one child (some threads) for
//! each client, a real tree as ODB, event buffers that lose and wait as MIDAS's do.
//!
//! What it leaves out: `db_*_record`, history, `cm_execute`, byte orders other than little, fragmentation. All its
//! experiments are one.

#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod begin;
mod bm;
mod child;
mod cm;
mod control;
mod database;
mod db;
mod fault;
mod password;
mod ring;
mod run;
mod status;
mod values;
mod watch;
mod wire;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use child::Child;
pub use child::Socket;
use database::Database;
pub use fault::Fault;
use pactolus::odb::Tree;
use ring::Ring;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V2014,
    V2017,
    V2022,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub version: Version,
    pub experiments: Vec<String>,
    /// Bytes of SYSTEM.
    pub buffer: usize,
    pub max_event: u32,
    pub password: Option<String>,
    /// More of an ODB, as a dump in any form, on top of what every experiment has.
    pub odb: Option<String>,
    /// Replies to calls that have come together leave together. The real server writes each by itself, and
    /// without TCP_NODELAY.
    pub replies_together: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            version: Version::V2017,
            experiments: vec!["lab".to_owned()],
            buffer: 1 << 25,
            max_event: 1 << 22,
            password: None,
            odb: None,
            replies_together: false,
        }
    }
}

/// An event as a frontend sends it.
pub fn event(id: u16, mask: u16, serial: u32, data: &[u8]) -> Vec<u8> {
    let header = pactolus::formats::Header { id, mask, serial, time: now(), size: data.len() as u32 };
    [&header.to_bytes()[..], data].concat()
}

pub(crate) fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as u32)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops when it is dropped: all connections are closed.
pub struct Server {
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

pub(crate) struct Shared {
    options: Options,
    port: u16,
    odb: Mutex<Database>,
    rings: Mutex<HashMap<String, Arc<Ring>>>,
    children: Mutex<Vec<Arc<Child>>>,
    faults: Mutex<VecDeque<Fault>>,
    messages: Mutex<Vec<String>>,
    offences: Mutex<Vec<String>>,
    calls: Mutex<BTreeMap<u32, u64>>,
    next_pid: AtomicI32,
    has_ended: AtomicBool,
}

impl Shared {
    fn odb(&self) -> MutexGuard<'_, Database> {
        lock(&self.odb)
    }

    /// The buffer of this name, and whether it is new.
    fn ring(&self, name: &str, size: usize) -> (Arc<Ring>, bool) {
        let configured = self.odb().tree.get::<u32>(&format!("/Experiment/Buffer sizes/{name}")).ok();
        let mut rings = lock(&self.rings);
        let is_new = !rings.contains_key(name);
        let make = || Arc::new(Ring::new(name, configured.map_or(size, |size| size as usize)));
        (Arc::clone(rings.entry(name.to_owned()).or_insert_with(make)), is_new)
    }

    fn message(&self, text: String) {
        lock(&self.messages).push(text);
    }

    fn offence(&self, text: String) {
        lock(&self.offences).push(text);
    }

    fn child(&self, name: &str) -> Option<Arc<Child>> {
        lock(&self.children).iter().find(|child| child.name() == name).cloned()
    }

    fn goes_on(&self) -> bool {
        !self.has_ended.load(Ordering::Relaxed)
    }
}

impl Server {
    pub fn start(options: Options) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            port,
            odb: Mutex::new(Database::new(begin::tree(&options), options.version)),
            rings: Mutex::default(),
            children: Mutex::default(),
            faults: Mutex::default(),
            messages: Mutex::default(),
            offences: Mutex::default(),
            calls: Mutex::default(),
            next_pid: AtomicI32::new(28_000),
            has_ended: AtomicBool::new(false),
            options,
        });
        // Buffers that a frontend and a logger have opened long ago.
        shared.ring("SYSTEM", shared.options.buffer);
        shared.ring("SYSMSG", 100_000);
        let listening = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || control::listen(&shared, &listener)
        });
        Server { shared, listening: Some(listening) }
    }

    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// As another program does it, `odbedit` say: whoever watches what has changed is told.
    pub fn change(&self, change: impl FnOnce(&mut Tree)) {
        self.shared.odb().change(change);
    }

    pub fn tree(&self) -> Tree {
        self.shared.odb().tree.clone()
    }

    fn push(&self, event: &[u8], waits: bool) -> bool {
        let (ring, _) = self.shared.ring("SYSTEM", self.shared.options.buffer);
        ring.send(event, waits, &|| self.shared.goes_on())
    }

    /// Puts an event into SYSTEM as a frontend, waiting for room if somebody has asked for all events.
    pub fn send(&self, event: &[u8]) {
        assert!(self.push(event, true), "an event of {} bytes fits into the buffer", event.len());
    }

    /// As `send`, but does not wait; false if there is no room.
    pub fn try_send(&self, event: &[u8]) -> bool {
        self.push(event, false)
    }

    /// Puts an event into any buffer.
    pub fn send_to(&self, buffer: &str, event: &[u8]) {
        let (ring, _) = self.shared.ring(buffer, 100_000);
        assert!(ring.send(event, true, &|| self.shared.goes_on()), "an event of {} bytes fits", event.len());
    }

    /// As `odbedit -c start` does; the text of the client that has refused.
    pub fn start_run(&self, number: u32) -> Result<(), String> {
        run::start(&self.shared, number)
    }

    pub fn stop_run(&self) -> Result<(), String> {
        run::stop(&self.shared)
    }

    pub fn pause_run(&self) -> Result<(), String> {
        run::simple(&self.shared, run::PAUSE, 2)
    }

    pub fn resume_run(&self) -> Result<(), String> {
        run::simple(&self.shared, run::RESUME, 3)
    }

    /// The names of the clients that have logged in here, in the order of their log-ins.
    pub fn clients(&self) -> Vec<String> {
        lock(&self.shared.children).iter().map(|child| child.name()).filter(|name| !name.is_empty()).collect()
    }

    /// Waits until `ask` is true of the names of clients; false after ten seconds.
    pub fn wait_for_clients(&self, ask: impl Fn(&[String]) -> bool) -> bool {
        let begun = Instant::now();
        while !ask(&self.clients()) {
            if begun.elapsed() > Duration::from_secs(10) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// As `kill -9` of its child: all sockets are closed without a word.
    pub fn kill(&self, client: &str) {
        if let Some(child) = self.shared.child(client) {
            child.end(&self.shared);
        }
    }

    /// As `kill -STOP` of its child: nothing is answered, nothing closed. `false` lets it go on.
    pub fn freeze(&self, client: &str, is_frozen: bool) {
        if let Some(child) = self.shared.child(client) {
            child.is_frozen.store(is_frozen, Ordering::Relaxed);
        }
    }

    /// Closes one of the three sockets of a client.
    pub fn close(&self, client: &str, socket: Socket) {
        if let Some(child) = self.shared.child(client) {
            child.close(socket);
        }
    }

    /// Sends these bytes to a client on NOTIFY.
    pub fn notify_raw(&self, client: &str, bytes: &[u8]) {
        if let Some(child) = self.shared.child(client) {
            let _ = child.notes.send(bytes.to_vec());
        }
    }

    /// Asks a client to end, as `odbedit -c sh` does: true if it was gone within five seconds, else its child
    /// has been killed.
    pub fn stop_program(&self, client: &str) -> bool {
        run::stop_program(&self.shared, client)
    }

    /// What clients have said with `cm_msg`, and what the server had to say.
    pub fn messages(&self) -> Vec<String> {
        lock(&self.shared.messages).clone()
    }

    /// What clients have done that they should not: calls that are dangerous, unknown or malformed.
    pub fn offences(&self) -> Vec<String> {
        [lock(&self.shared.offences).clone(), self.shared.odb().damages.clone()].concat()
    }

    /// How often each routine was called.
    pub fn calls(&self) -> BTreeMap<u32, u64> {
        lock(&self.shared.calls).clone()
    }

    /// The paths that a client watches.
    pub fn watched(&self, client: &str) -> Vec<String> {
        self.shared.child(client).map_or_else(Vec::new, |child| self.shared.odb().watched(child.pid))
    }

    /// What the next connection is to suffer; several wait in a line.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.faults).push_back(fault);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::Relaxed);
        let children = lock(&self.shared.children).clone();
        children.iter().for_each(|child| child.end(&self.shared));
        // The listener wakes up for a connection.
        drop(std::net::TcpStream::connect(("127.0.0.1", self.shared.port)));
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}
