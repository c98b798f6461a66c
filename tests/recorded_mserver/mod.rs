//! A server that answers as a real one did: what it says comes from a transcript, and what it is asked must be
//! in there, byte for byte but for padding.

#![allow(unreachable_pub, reason = "a module of tests")]
#![allow(dead_code, reason = "each test uses what it needs")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Some bytes of a transcript.
#[derive(Clone, Debug)]
pub struct Step {
    pub socket: String,
    pub is_ours: bool,
    pub bytes: Vec<u8>,
    /// The comment above it.
    pub note: String,
}

/// The steps between two comments.
pub fn transcript(file: &str, from: &str, to: &str) -> Vec<Step> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/mserver");
    let path = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path());
    let path = path.into_iter().find(|p| p.file_name().unwrap().to_str().unwrap().starts_with(file)).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let begin = text.find(from).unwrap_or_else(|| panic!("{file}: no {from:?}"));
    let end = if to.is_empty() { text.len() } else { begin + text[begin..].find(to).unwrap() };
    let mut steps: Vec<Step> = Vec::new();
    let mut note = String::new();
    for line in text[begin..end].lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            comment.clone_into(&mut note);
        } else if let Some(hex) = line.strip_prefix("  ") {
            let Some(columns) = hex.get(6..53.min(hex.len())) else { continue };
            if hex.starts_with("...") {
                continue;
            }
            let bytes = columns.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap());
            steps.last_mut().unwrap().bytes.extend(bytes);
        } else if let [socket, way, ..] = line.split(' ').collect::<Vec<_>>()[..] {
            let (socket, is_ours) = (socket.to_owned(), way == ">>>");
            steps.push(Step { socket, is_ours, bytes: Vec::new(), note: note.clone() });
        }
    }
    steps
}

/// What goes into a call: I 32 bits, H 16, S text, A block. Written from the tables of MIDAS, not from the client.
const SHAPES: &[(u32, &str)] = &[
    (11000, "ISSISI"),
    (11001, "II"),
    (11008, ""),
    (11009, "ISISS"),
    (11100, "SI"),
    (11104, "I"),
    (11106, "III"),
    (11107, "IHHIII"),
    (11111, "III"),
    (11200, "SIS"),
    (11203, "IISI"),
    (11204, "IISS"),
    (11205, "IISAIII"),
    (11207, "IIS"),
    (11208, "IIS"),
    (11210, "III"),
    (11211, "III"),
    (11212, "II"),
    (11213, "IIII"),
    (11214, "IIAIII"),
    (11215, "IIAIII"),
    (11216, "IIHI"),
    (11222, "IIH"),
    (11223, "III"),
    (11239, "III"),
    (99999, ""),
];

pub fn int(bytes: &[u8], at: usize) -> i32 {
    i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// A call with its padding zeroed; `None` if it is not of the shape of its routine.
fn masked(frame: &[u8]) -> Option<Vec<u8>> {
    let id = int(frame, 0) as u32;
    let shape = SHAPES.iter().find(|(of, _)| *of == id)?.1;
    let mut out = frame[..8].to_vec();
    let mut at = 8;
    let mut take = |at: &mut usize, bytes: usize| {
        out.extend_from_slice(frame.get(*at..*at + bytes)?);
        *at += bytes.next_multiple_of(8);
        out.resize(*at, 0);
        (*at <= frame.len()).then_some(())
    };
    for kind in shape.bytes() {
        match kind {
            b'I' => take(&mut at, 4)?,
            b'H' => take(&mut at, 2)?,
            b'S' => {
                let length = frame.get(at..)?.iter().position(|b| *b == 0)? + 1;
                take(&mut at, length)?;
            }
            _ => {
                let length = usize::try_from(int(frame.get(at..at + 4)?, 0)).ok()?;
                take(&mut at, 4)?;
                take(&mut at, length)?;
            }
        }
    }
    (at == frame.len() && int(frame, 4) as usize == frame.len() - 8).then_some(out)
}

/// A call of a transcript.
#[derive(Debug)]
struct Recorded {
    note: String,
    call: Vec<u8>,
    reply: Vec<u8>,
    is_made: bool,
}

/// How the server differs from the transcript.
#[derive(Clone, Default)]
pub struct Terms {
    /// What the client does at log-in and log-out that was not recorded: the name that it finds.
    pub name: String,
    /// Bytes of calls, by a part of their comment, that may differ: our port, say.
    pub vary: Vec<(&'static str, Range<usize>)>,
    /// Routines that do their work and say so, if not recorded.
    pub done: Vec<u32>,
    /// Routines that get no answer.
    pub silent: Vec<u32>,
    /// At a routine of this number, the server is killed.
    pub killed_at: Option<u32>,
    /// Experiments in the list.
    pub experiments: Vec<&'static str>,
}

#[derive(Default)]
struct Shared {
    recorded: Mutex<Vec<Recorded>>,
    problems: Mutex<Vec<String>>,
    /// Calls, notes.
    sockets: Mutex<Option<(TcpStream, TcpStream, TcpStream)>>,
    /// Values set, by key.
    set: Mutex<BTreeMap<i32, Vec<u8>>>,
    closing: AtomicBool,
}

/// The server.
pub struct Play {
    pub port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Play {
    pub fn new(steps: &[Step], terms: Terms) -> Play {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let mut recorded: Vec<Recorded> = Vec::new();
        for step in steps.iter().filter(|step| step.socket == "RPC") {
            let (note, bytes) = (step.note.clone(), step.bytes.clone());
            match (step.is_ours, recorded.last_mut()) {
                (true, _) => recorded.push(Recorded { note, call: bytes, reply: Vec::new(), is_made: false }),
                (false, Some(last)) => last.reply.extend(bytes),
                (false, None) => panic!("a reply without a call"),
            }
        }
        *shared.recorded.lock().unwrap() = recorded;
        let control: Vec<Step> = steps.iter().filter(|step| step.socket == "CTRL").cloned().collect();
        let ours = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ours.closing.load(Ordering::Relaxed) {
                    return;
                }
                serve(stream, &control, &ours, &terms);
            }
        });
        Play { port, shared, thread: Some(thread) }
    }

    /// The connection for calls, as the server has it.
    pub fn calls(&self) -> TcpStream {
        self.shared.sockets.lock().unwrap().as_ref().unwrap().0.try_clone().unwrap()
    }

    /// The connection for notes, as the server has it.
    pub fn notes(&self) -> TcpStream {
        self.shared.sockets.lock().unwrap().as_ref().unwrap().1.try_clone().unwrap()
    }

    /// All calls had their place; those of the transcript that were not made are these.
    pub fn end(mut self, not_made: &[&str]) {
        self.close();
        let problems = self.shared.problems.lock().unwrap();
        assert!(problems.is_empty(), "{problems:#?}");
        let recorded = self.shared.recorded.lock().unwrap();
        let left: Vec<&str> = recorded.iter().filter(|r| !r.is_made).map(|r| r.note.as_str()).collect();
        let wanted = |note: &str| not_made.iter().any(|part| note.starts_with(part));
        let more: Vec<_> = left.iter().filter(|note| !wanted(note)).collect();
        assert!(more.is_empty(), "not made: {more:#?}");
        for part in not_made {
            assert!(
                left.iter().any(|note| note.starts_with(part)),
                "{part} was made, or is not in the transcript"
            );
        }
    }

    fn close(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        drop(self.shared.sockets.lock().unwrap().take());
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.close();
        }
    }
}

pub fn text_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut text = Vec::new();
    let mut byte = [0];
    while text.last() != Some(&0) && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        text.push(byte[0]);
    }
    text
}

pub fn frame_of(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut frame = vec![0; 8];
    stream.read_exact(&mut frame).ok()?;
    let more = int(&frame, 4) as usize;
    frame.resize(8 + more, 0);
    stream.read_exact(&mut frame[8..]).ok()?;
    Some(frame)
}

fn serve(mut control: TcpStream, recorded: &[Step], shared: &Shared, terms: &Terms) {
    let problem = |text: String| shared.problems.lock().unwrap().push(text);
    let text = text_of(&mut control);
    if text == b"I\0" {
        let names: String = terms.experiments.iter().map(|name| format!("{name}\0")).collect();
        let _ = control.write_all(format!("{names}\0").as_bytes());
        return;
    }
    let words = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(bytes).split(' ').map(str::to_owned).collect()
    };
    let ours = words(&text);
    let like = |step: &&Step| {
        let theirs = words(&step.bytes);
        step.is_ours && theirs.len() == ours.len() && (theirs[0] == ours[0] && theirs[4..] == ours[4..])
    };
    let Some(at) = recorded.iter().position(|step| like(&step)) else {
        return problem(format!("connect: {:?} is not recorded", String::from_utf8_lossy(&text)));
    };
    control.write_all(&recorded[at + 1].bytes).unwrap();
    drop(control);
    if !recorded[at + 1].bytes.starts_with(b"1") {
        return;
    }
    let ports: Vec<u16> = ours[1..4].iter().map(|port| port.parse().unwrap()).collect();
    let [mut calls, notes, event] = [0, 1, 2].map(|i| TcpStream::connect(("127.0.0.1", ports[i])).unwrap());
    let clones = (calls.try_clone().unwrap(), notes, event);
    *shared.sockets.lock().unwrap() = Some(clones);
    // A greeting is a call without a head, and so is its answer.
    let greeting = text_of(&mut calls);
    {
        let mut recorded = shared.recorded.lock().unwrap();
        let Some(found) = recorded.iter_mut().find(|r| !r.is_made && r.call == greeting) else {
            drop(recorded);
            return problem(format!("greeting: {:?} is not recorded", String::from_utf8_lossy(&greeting)));
        };
        found.is_made = true;
        calls.write_all(&found.reply).unwrap();
    }
    while let Some(frame) = frame_of(&mut calls) {
        let id = int(&frame, 0) as u32;
        if terms.killed_at == Some(id) {
            shared.sockets.lock().unwrap().take();
            return;
        }
        if terms.silent.contains(&id) {
            continue;
        }
        let Some(reply) = answer(&frame, shared, terms) else {
            return problem(format!("not recorded: call {id} {:02x?}", &frame[8..]));
        };
        calls.write_all(&reply).unwrap();
        if id == 99999 {
            return;
        }
    }
}

fn answer(frame: &[u8], shared: &Shared, terms: &Terms) -> Option<Vec<u8>> {
    let mut frame = frame.to_vec();
    // The client asks for a link where the recorded one asked for what it leads to: of the same shape.
    let id = match int(&frame, 0) {
        11242 => 11212,
        11228 => 11211,
        id => id,
    };
    frame[..4].copy_from_slice(&id.to_le_bytes());
    let Some(whole) = masked(&frame) else {
        shared.problems.lock().unwrap().push(format!("not of its shape: call {id} {:02x?}", &frame[4..]));
        return None;
    };
    if id == 11214 {
        shared.set.lock().unwrap().insert(int(&frame, 16), frame[32..].to_vec());
    }
    let is_same = |recorded: &Recorded| {
        let Some(mut theirs) = masked(&recorded.call) else { return false };
        let mut ours = whole.clone();
        for (part, range) in &terms.vary {
            if recorded.note.contains(part) && ours.len() == theirs.len() {
                theirs[range.clone()].fill(0);
                ours[range.clone()].fill(0);
            }
        }
        theirs == ours
    };
    let mut recorded = shared.recorded.lock().unwrap();
    let is_call = |r: &Recorded| r.call.len() >= 8 && int(&r.call, 0) == id;
    if let Some(found) = recorded.iter_mut().find(|r| !r.is_made && is_call(r) && is_same(r)) {
        found.is_made = true;
        return Some(found.reply.clone());
    }
    drop(recorded);
    unrecorded(id, &frame, terms)
}

/// The key that says our name, where the recorded client did not ask so.
const NAME: i32 = 900_001;

fn unrecorded(id: i32, frame: &[u8], terms: &Terms) -> Option<Vec<u8>> {
    let reply = |status: i32, parameters: &[u8]| {
        let mut reply = [status.to_le_bytes(), (parameters.len() as i32).to_le_bytes()].concat();
        reply.extend_from_slice(parameters);
        Some(reply)
    };
    let cell = |value: i32| i64::from(value).to_le_bytes();
    let ends = |text: &str| frame[8..].windows(text.len()).any(|window| window == text.as_bytes());
    match id {
        11207 if ends("Name\0") => reply(1, &cell(NAME)),
        11207 if ends("Server Port\0") || ends("/Programs/") => reply(312, &cell(0)),
        11212 if int(frame, 16) == NAME => {
            let mut key = [0; 72];
            (key[0], key[4], key[44], key[48]) = (12, 1, 32, 32);
            key[8..12].copy_from_slice(b"Name");
            reply(1, &key)
        }
        11213 if int(frame, 16) == NAME => {
            let mut name = terms.name.clone().into_bytes();
            name.resize(32, 0);
            reply(1, &[cell(32).to_vec(), name, cell(32).to_vec()].concat())
        }
        11001 | 11009 | 99999 => reply(1, &[]),
        id if terms.done.contains(&(id as u32)) => reply(1, &[]),
        _ => None,
    }
}
