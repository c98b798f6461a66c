//! A server that is nothing but bytes, for tests that send what no server would.

use std::io;
use std::time::Duration;

use super::line::Line;
use super::wire::{self, HEAD};
use super::{
    Address, Client, Inbox, Key, KeyInfo, Login, Result, Sampling, Sequences, answer, control, notify,
};

/// Bytes that come, whatever we write.
struct Script {
    bytes: Vec<u8>,
    at: usize,
    /// Up to where they may come yet.
    open: usize,
    /// Most bytes that come at once.
    step: usize,
    /// Each call that is written lets one reply come, as far as the bytes are replies.
    is_asked: bool,
}

impl Script {
    fn new(bytes: &[u8], step: usize) -> Script {
        Script { bytes: bytes.to_vec(), at: 0, open: bytes.len(), step: step.max(1), is_asked: false }
    }

    /// The end of the reply that begins at a place; the first is a greeting.
    fn end(&self, begin: usize) -> usize {
        let rest = self.bytes.get(begin..).unwrap_or_default();
        let length = match begin {
            0 => rest.iter().position(|byte| *byte == 0).map_or(rest.len(), |zero| zero + 1),
            _ => HEAD.saturating_add(wire::int(rest, 4) as u32 as usize),
        };
        begin.saturating_add(length).min(self.bytes.len())
    }
}

impl Line for Script {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..self.open];
        let bytes = rest.len().min(to.len()).min(self.step);
        to[..bytes].copy_from_slice(&rest[..bytes]);
        self.at += bytes;
        Ok(bytes)
    }

    fn write(&mut self, bytes: &[u8], _: Duration) -> io::Result<()> {
        if self.is_asked {
            let mut calls = bytes;
            while !calls.is_empty() {
                let length = match self.open {
                    0 => calls.len(),
                    _ => HEAD + wire::int(calls, 4) as usize,
                };
                self.open = self.end(self.open);
                calls = calls.get(length..).unwrap_or_default();
            }
        }
        Ok(())
    }

    fn patience(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn quick(&mut self) {}
}

/// Takes these bytes for what a server says on its listener, for calls, for notes, and for what a program of
/// the experiment says to us; at most `step` bytes come at once. Gives how many calls were answered.
pub fn run(listener: &[u8], calls: &[u8], notes: &[u8], caller: &[u8], step: usize) -> usize {
    let timeout = Duration::from_secs(1);
    let mut login = Login::new(Address::new("script", 1), "Script");
    login.timeout = timeout;
    login.password = Some("secret".to_owned());
    login.transitions = Some(Sequences::default());
    let _ = control::names(&mut Script::new(listener, step), &login.address, timeout);
    let _ = control::connect(&mut Script::new(listener, step), &login.address, [1, 2, 3], "one", timeout);
    let inbox = Inbox::new();
    let post = inbox.begin();
    notify::listen(&mut Script::new(notes, step), timeout, |note| post.post(note));
    answer::serve(&mut Script::new(caller, step), &post);
    inbox.take();
    let mut answered = 0;
    let calls = Script { open: 0, is_asked: true, ..Script::new(calls, step) };
    if let Ok(mut client) = Client::greeted(Box::new(calls), &login, "2.1".to_owned()) {
        let mut logged_in = client.log_in(&login);
        while logged_in.is_ok() && !client.is_lost() {
            logged_in = all(&mut client, &mut answered);
        }
        // A refusal is no end.
        while !client.is_lost() {
            let _ = all(&mut client, &mut answered);
        }
    }
    answered
}

/// Each kind of call.
fn all(client: &mut Client, answered: &mut usize) -> Result<()> {
    fn count<T>(answered: &mut usize, answer: Result<T>) -> Option<T> {
        *answered += usize::from(answer.is_ok());
        answer.ok()
    }
    let mut to = Vec::new();
    let buffer = client.open_buffer("SYSTEM")?;
    count(answered, client.request(buffer, Some(1), None, Sampling::All, 0));
    client.set_capacity(1 << 16);
    count(answered, client.receive(buffer, 100, 1 << 20, &mut to));
    count(answered, client.level(buffer));
    let key = count(answered, client.find(Key::ROOT, "/a")).flatten().unwrap_or(Key(1));
    let info = count(answered, client.info(key));
    let made = KeyInfo {
        name: "a".to_owned(),
        kind: 7,
        values: 2,
        item_size: 4,
        total_size: 8,
        mode: 7,
        watches: 0,
        written: 0,
    };
    count(answered, client.data(key, info.as_ref().unwrap_or(&made)));
    let children = count(answered, client.children(Key::ROOT)).unwrap_or_default();
    count(answered, client.infos(&children));
    let wanted: Vec<_> = children.iter().map(|key| (*key, &made)).collect();
    count(answered, client.datas(&wanted));
    count(answered, client.set(key, &[0; 8], 2, 7));
    count(answered, client.watch(key));
    client.time().map(|_| *answered += 1)
}
