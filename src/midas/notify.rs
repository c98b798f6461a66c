//! What the server says of its own accord, on the second of the three connections.
//!
//! ```text
//! 1  events        no parameters
//! 2  ODB changed   database, watched key, changed key, index; of servers of 2014: database, watched key
//! 6  are you there no parameters; answered at once with {1, 0}, or the server hangs up
//! ```

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::inbox::Post;
use super::line::Line;
use super::wire::{self, HEAD};
use super::{Key, Note};

const EVENTS: i32 = 1;
const ODB: i32 = 2;
const WATCHDOG: i32 = 6;
/// "I am."
const ALIVE: [u8; HEAD] = [1, 0, 0, 0, 0, 0, 0, 0];
/// More than any message has that a server may learn to send.
const MOST: usize = 64 << 10;

/// The thread that listens to the server.
#[derive(Debug)]
pub(crate) struct Notify {
    stream: TcpStream,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Notify {
    pub(crate) fn new(stream: TcpStream, post: Post, timeout: Duration) -> std::io::Result<Notify> {
        let mut line = stream.try_clone()?;
        stream.set_read_timeout(None)?;
        let closing = Arc::new(AtomicBool::new(false));
        let quiet = Arc::clone(&closing);
        let thread = thread::Builder::new().name("midas-notify".to_owned()).spawn(move || {
            let why = listen(&mut line, timeout, |note| post.post(note));
            if !quiet.load(Ordering::Relaxed) {
                post.post(Note::Closed(why));
            }
        })?;
        Ok(Notify { stream, closing, thread: Some(thread) })
    }

    /// That the connection ends is no news from now on.
    pub(crate) fn hush(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

impl Drop for Notify {
    fn drop(&mut self) {
        self.hush();
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Listens until the connection ends; says why it did.
pub(crate) fn listen(line: &mut dyn Line, timeout: Duration, mut post: impl FnMut(Note)) -> String {
    let mut body = Vec::new();
    loop {
        let mut head = [0; HEAD];
        if let Err(why) = exact(line, &mut head) {
            return why;
        }
        let (id, bytes) = (wire::int(&head, 0), wire::int(&head, 4) as u32 as usize);
        if bytes > MOST {
            return format!("a note {id} of the server claims {bytes} bytes, wanted at most {MOST}");
        }
        body.resize(bytes, 0);
        if let Err(why) = exact(line, &mut body) {
            return why;
        }
        match (id, bytes) {
            (EVENTS, _) => post(Note::Available),
            (ODB, 16..) => post(Note::Changed {
                watched: Key(wire::int(&body, 4)),
                key: Some(Key(wire::int(&body, 8))),
                index: wire::int(&body, 12),
            }),
            (ODB, 8..) => post(Note::Changed { watched: Key(wire::int(&body, 4)), key: None, index: -1 }),
            (WATCHDOG, _) => {
                if let Err(error) = line.write(&ALIVE, timeout) {
                    return format!(
                        "the server has asked for a sign of life and could not be answered: {error}"
                    );
                }
            }
            // Of a later MIDAS.
            _ => {}
        }
    }
}

fn exact(line: &mut dyn Line, to: &mut [u8]) -> Result<(), String> {
    let mut got = 0;
    while got < to.len() {
        match line.read(&mut to[got..]) {
            Ok(0) if got == 0 => return Err("the server has closed the connection".to_owned()),
            Ok(0) => return Err(format!("the server has closed the connection {got} bytes into a note")),
            Ok(bytes) => got += bytes,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("connection for notes of the server: {error}")),
        }
    }
    Ok(())
}
