//! The child of a client: its three sockets and its threads. It answers calls, sends notifications, takes events
//! and asks whether the client is alive.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::fault::{Fault, Outlet};
use super::ring::Ring;
use super::wire::{Frames, Malformed, Params, Reply, pad8};
use super::{Shared, Version, bm, cm, control, db, lock};

/// The sockets of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    Rpc = 0,
    Notify = 1,
    Event = 2,
}

/// A buffer that a client has opened.
#[derive(Clone)]
pub struct Opened {
    pub ring: Arc<Ring>,
    pub reader: u32,
}

pub struct Child {
    pub pid: i32,
    pub host: IpAddr,
    name: Mutex<String>,
    sockets: [TcpStream; 3],
    pub notes: Sender<Vec<u8>>,
    has_ended: AtomicBool,
    pub is_frozen: AtomicBool,
    pub buffers: Mutex<Vec<Option<Opened>>>,
    begun: Instant,
    /// When the client was last heard of, and when it was asked [ms since the beginning]; 0 is never.
    heard: AtomicU64,
    asked: AtomicU64,
    is_busy: AtomicBool,
    /// Silence allowed [ms]; 0 is for ever.
    pub patience: AtomicU64,
}

/// What becomes of a call.
pub enum Outcome {
    Status(i32),
    /// Nothing is said.
    Silence,
    /// The last reply.
    Exit,
    /// As a child that crashes.
    Crash,
}

impl Child {
    pub fn name(&self) -> String {
        lock(&self.name).clone()
    }

    pub fn set_name(&self, name: &str) {
        name.clone_into(&mut lock(&self.name));
    }

    pub fn goes_on(&self) -> bool {
        !self.has_ended.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64 + 1
    }

    fn hear(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
        self.asked.store(0, Ordering::Relaxed);
    }

    pub fn idle(&self) -> u64 {
        self.now() - self.heard.load(Ordering::Relaxed)
    }

    pub fn close(&self, socket: Socket) {
        let _ = self.sockets[socket as usize].shutdown(Shutdown::Both);
    }

    pub fn opened(&self, handle: i32) -> Option<Opened> {
        let at = usize::try_from(handle).ok()?.checked_sub(1)?;
        lock(&self.buffers).get(at)?.clone()
    }

    /// All is closed, and nothing is left in the ODB.
    pub fn end(&self, shared: &Shared) {
        if self.has_ended.swap(true, Ordering::Relaxed) {
            return;
        }
        self.sockets.iter().for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
        lock(&self.buffers).drain(..).flatten().for_each(|opened| opened.ring.detach(opened.reader));
        lock(&shared.children).retain(|other| other.pid != self.pid);
        let mut odb = shared.odb();
        odb.forget(self.pid);
        let path = format!("/System/Clients/{}", self.pid);
        if odb.tree.exists(&path) {
            odb.change(|tree| {
                let all = pactolus::odb::Mode::default();
                drop(tree.set_mode(&path, all, true).and_then(|()| tree.delete(&path)));
            });
        }
    }
}

/// Serves a client on the sockets that were opened to it; returns when it has gone.
pub fn serve(
    shared: &Arc<Shared>,
    sockets: [TcpStream; 3],
    host: IpAddr,
    fault: Option<Fault>,
) -> io::Result<()> {
    let [rpc, notify, event] = sockets;
    let (notes, to_send) = channel();
    let child = Arc::new(Child {
        pid: shared.next_pid.fetch_add(1, Ordering::Relaxed),
        host,
        name: Mutex::default(),
        sockets: [rpc.try_clone()?, notify.try_clone()?, event.try_clone()?],
        notes,
        has_ended: AtomicBool::new(false),
        is_frozen: AtomicBool::new(false),
        buffers: Mutex::default(),
        begun: Instant::now(),
        heard: AtomicU64::new(1),
        asked: AtomicU64::new(0),
        is_busy: AtomicBool::new(false),
        patience: AtomicU64::new(10_000),
    });
    lock(&shared.children).push(Arc::clone(&child));
    if !shared.goes_on() {
        child.end(shared);
        return Ok(());
    }
    let mut writes = notify.try_clone()?;
    let answers = Arc::clone(&child);
    std::thread::spawn(move || tell(&to_send, &mut writes));
    std::thread::spawn(move || hear(&answers, notify));
    let (producer, also) = (Arc::clone(&child), Arc::clone(shared));
    std::thread::spawn(move || take_events(&also, &producer, event));
    let (watched, also) = (Arc::clone(&child), Arc::clone(shared));
    let watchdog = rpc.try_clone()?;
    std::thread::spawn(move || watch(&also, &watched, watchdog));
    let mut outlet = Outlet::new(rpc.try_clone()?, fault);
    // Closed by the client or by a fault: both are an end.
    let _ = answer(shared, &child, rpc, &mut outlet);
    if child.goes_on() && !child.name().is_empty() {
        shared.message(format!("client on host {} disconnected, program {}", child.host, child.name()));
    }
    child.end(shared);
    Ok(())
}

/// Sends notifications. What has gathered meanwhile is sent as the real child does: the first one last.
fn tell(to_send: &Receiver<Vec<u8>>, to: &mut TcpStream) {
    while let Ok(first) = to_send.recv() {
        let others: Vec<u8> = std::iter::from_fn(|| to_send.try_recv().ok()).flatten().collect();
        if to.write_all(&[others, first].concat()).is_err() {
            return;
        }
    }
}

/// Takes answers to the watchdog.
fn hear(child: &Child, mut from: TcpStream) {
    let mut bytes = [0; 256];
    while from.read(&mut bytes).is_ok_and(|read| read > 0) {
        child.hear();
    }
}

/// Asks a client that has been silent for too long, and gives it up if it does not answer.
fn watch(shared: &Shared, child: &Child, mut rpc: TcpStream) {
    while child.goes_on() {
        std::thread::sleep(Duration::from_millis(20));
        let patience = child.patience.load(Ordering::Relaxed);
        if patience == 0 || child.is_busy.load(Ordering::Relaxed) || child.is_frozen.load(Ordering::Relaxed) {
            continue;
        }
        match child.asked.load(Ordering::Relaxed) {
            0 if child.idle() > patience => {
                child.asked.store(child.now(), Ordering::Relaxed);
                let _ = child.notes.send(vec![6, 0, 0, 0, 0, 0, 0, 0]);
            }
            0 => {}
            asked if child.now() - asked > patience => {
                shared.message(format!("{} has not answered for {patience} ms", child.name()));
                let _ = rpc.write_all(b"EXIT\0");
                child.end(shared);
            }
            _ => {}
        }
    }
}

/// Events that a producer sends without being answered.
fn take_events(shared: &Shared, child: &Child, mut from: TcpStream) {
    let mut frames = Frames::default();
    while let Ok(true) = frames.read(&mut from) {
        while let Some(header) = frames.rest().first_chunk::<20>() {
            let int =
                |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let (handle, size) = (int(0), 16 + int(16) as usize);
            if size > 4 << 20 && shared.options.version != Version::V2022 {
                shared.message(format!("{} sent an event of {size} bytes", child.name()));
                child.end(shared);
                return;
            }
            let Some(event) =
                frames.rest().get(4..4 + size).filter(|_| frames.rest().len() >= 4 + pad8(size))
            else {
                break;
            };
            if let Some(opened) = child.opened(handle as i32) {
                opened.ring.send(event, true, &|| child.goes_on());
            }
            frames.skip(4 + pad8(size));
        }
    }
}

/// Calls and replies, until the end.
fn answer(
    shared: &Arc<Shared>,
    child: &Arc<Child>,
    mut rpc: TcpStream,
    outlet: &mut Outlet,
) -> io::Result<()> {
    let text = control::read_text(&mut rpc)?;
    if !text.starts_with(b"44 ") {
        shared.offence(format!("'{}' on RPC", text.escape_ascii()));
    }
    outlet.send(b"44\0")?;
    let (mut frames, mut reply) = (Frames::default(), Reply::default());
    loop {
        match frames.next() {
            Ok(Some((id, range))) => {
                while child.is_frozen.load(Ordering::Relaxed) && child.goes_on() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                child.hear();
                child.is_busy.store(true, Ordering::Relaxed);
                let params = frames.params(range);
                let goes_on = call(shared, child, id, params, outlet, &mut reply)?;
                child.is_busy.store(false, Ordering::Relaxed);
                child.hear();
                if !goes_on {
                    let sent = outlet.send(&reply.bytes);
                    child.end(shared);
                    return sent;
                }
            }
            Ok(None) => {
                if !reply.bytes.is_empty() {
                    outlet.send(&reply.bytes)?;
                    reply.bytes.clear();
                }
                if !frames.read(&mut rpc)? {
                    return Ok(());
                }
            }
            Err(Malformed(why)) => {
                shared.offence(why);
                return Ok(());
            }
        }
    }
}

/// One call; false after the last.
fn call(
    shared: &Arc<Shared>,
    child: &Arc<Child>,
    word: u32,
    params: &[u8],
    outlet: &mut Outlet,
    reply: &mut Reply,
) -> io::Result<bool> {
    let (id, is_answered) = (word & 0x7fff_ffff, word & 0x8000_0000 == 0);
    *lock(&shared.calls).entry(id).or_default() += 1;
    // An event of the largest size and a little; asked for where it may matter.
    let limit =
        || shared.odb().tree.get::<u32>("/Experiment/MAX_EVENT_SIZE").unwrap_or(1 << 22) as usize + 1024;
    if params.len() > 10_000 && params.len() > limit() {
        shared.offence(format!("call {id} with {} bytes of parameters, too large", params.len()));
        return Ok(false);
    }
    reply.begin();
    let mut params = Params::new(params);
    let done = match id {
        99_999 => Ok(Outcome::Exit),
        11_000..11_100 | 15_000 => cm::call(shared, child, id, &mut params, reply),
        11_100..11_200 => bm::call(shared, child, id, &mut params, reply),
        11_200..11_300 => db::call(shared, child, id, &mut params, reply),
        _ => Ok(Outcome::Silence),
    };
    let whole = |outcome: Outcome| match outcome {
        // What is not known has not been read.
        Outcome::Silence | Outcome::Crash => Ok(outcome),
        _ => params.end().map(|()| outcome),
    };
    let outcome = match done.and_then(whole) {
        Ok(outcome) => outcome,
        Err(Malformed(why)) => {
            shared.offence(format!("call {id} of {}: {why}", child.name()));
            reply.forget();
            return Ok(false);
        }
    };
    let (status, goes_on) = match outcome {
        Outcome::Status(status) => (Some(status), true),
        Outcome::Exit => (Some(1), false),
        Outcome::Silence => {
            shared.offence(format!("call of {} to routine {id}, which there is not", child.name()));
            (None, true)
        }
        Outcome::Crash => {
            reply.forget();
            return Ok(false);
        }
    };
    match status.filter(|_| is_answered && !outlet.is_silent_to(id)) {
        None => reply.forget(),
        Some(status) => reply.finish(status),
    }
    if !shared.options.replies_together || !outlet.is_sound() {
        let mut bytes = std::mem::take(&mut reply.bytes);
        if !bytes.is_empty() {
            outlet.reply(&mut bytes)?;
        }
        bytes.clear();
        reply.bytes = bytes;
    }
    Ok(goes_on)
}
