//! Where programs of the experiment call us: at transitions, and to ask us to end.
//!
//! One thread takes the connections, and each has one of its own: a caller that is slow, or keeps its
//! connection for later, keeps nobody waiting.

use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::answer;
use super::inbox::Post;
use super::reverse;
use super::{Error, Result};

/// Most connections at once; the oldest goes for a new one. Callers open them anew.
const MOST: usize = 8;
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
    pub(crate) fn new(side: Ipv4Addr, port: u16, post: Post) -> Result<Listener> {
        let (listener, port) = reverse::bind(side, port)?;
        let failed = |source| Error::Bind { port, source };
        let taken = listener.try_clone().map_err(failed)?;
        let closing = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&closing);
        let thread = thread::Builder::new().name("midas-calls".to_owned());
        let thread = thread.spawn(move || take(&taken, &post, &flag)).map_err(failed)?;
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

/// A connection that is served.
struct Served {
    stream: TcpStream,
    thread: JoinHandle<()>,
}

/// Takes connections until the client closes.
fn take(listener: &TcpListener, post: &Post, closing: &AtomicBool) {
    let mut served: Vec<Served> = Vec::new();
    loop {
        let taken = listener.accept();
        if closing.load(Ordering::Relaxed) {
            break;
        }
        served.retain(|one| !one.thread.is_finished());
        let Ok((stream, _)) = taken else {
            // No more file handles: they may come back.
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        if served.len() >= MOST {
            let _ = served.remove(0).stream.shutdown(Shutdown::Both);
        }
        let _ = stream.set_nodelay(true);
        let Ok(mut line) = stream.try_clone() else { continue };
        let post = post.clone();
        let thread = thread::Builder::new().name("midas-call".to_owned());
        let spawned = thread.spawn(move || {
            answer::serve(&mut line, &post);
            let _ = line.shutdown(Shutdown::Both);
        });
        if let Ok(thread) = spawned {
            served.push(Served { stream, thread });
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
