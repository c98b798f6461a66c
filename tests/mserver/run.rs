//! Runs begin and end: what `odbedit` does when it starts and stops them, in MIDAS's order.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pactolus::odb::Tree;

use super::child::Child;
use super::{Shared, Version, control, lock, now};

pub const START: u32 = 1;
pub const STOP: u32 = 2;
pub const PAUSE: u32 = 4;
pub const RESUME: u32 = 8;
pub const START_ABORT: u32 = 16;

fn set(shared: &Shared, path: &str, value: impl Into<pactolus::odb::Value>) {
    shared.odb().change(|tree| tree.put(path, value).expect("a key of /Runinfo"));
}

fn times(shared: &Shared, word: &str) {
    // A text of the right kind: nobody reads the clock from it.
    let text = format!("Sat Nov 21 {:02}:{:02}:{:02} 2026", now() / 3600 % 24, now() / 60 % 60, now() % 60);
    set(shared, &format!("/Runinfo/{word} Time"), text.as_str());
    set(shared, &format!("/Runinfo/{word} Time binary"), now());
}

pub fn start(shared: &Arc<Shared>, number: u32) -> Result<(), String> {
    let before = shared.odb().tree.get::<i32>("/Runinfo/Run number").unwrap_or(0);
    if shared.odb().tree.get::<i32>("/Runinfo/State").ok() == Some(3) {
        return Err("Run is already started".to_owned());
    }
    set(shared, "/Runinfo/Start abort", 0);
    set(shared, "/Runinfo/Transition in progress", START as i32);
    set(shared, "/Runinfo/Requested transition", 0);
    set(shared, "/Runinfo/Run number", number as i32);
    times(shared, "Start");
    set(shared, "/Runinfo/Stop Time binary", 0u32);
    let called = call_all(shared, START, number, true);
    if called.is_err() {
        let _ = call_all(shared, START_ABORT, number, false);
        set(shared, "/Runinfo/Run number", before);
        set(shared, "/Runinfo/Start abort", 0);
    } else {
        set(shared, "/Runinfo/State", 3);
    }
    set(shared, "/Runinfo/Transition in progress", 0);
    called
}

pub fn stop(shared: &Arc<Shared>) -> Result<(), String> {
    let number = shared.odb().tree.get::<i32>("/Runinfo/Run number").unwrap_or(0) as u32;
    if shared.odb().tree.get::<i32>("/Runinfo/State").ok() == Some(1) {
        return Err("Run is not in progress".to_owned());
    }
    set(shared, "/Runinfo/Transition in progress", STOP as i32);
    set(shared, "/Runinfo/Requested transition", 0);
    times(shared, "Stop");
    let called = call_all(shared, STOP, number, false);
    set(shared, "/Runinfo/State", 1);
    set(shared, "/Runinfo/Transition in progress", 0);
    called
}

/// PAUSE and RESUME, and the state behind them.
pub fn simple(shared: &Arc<Shared>, kind: u32, state: i32) -> Result<(), String> {
    let number = shared.odb().tree.get::<i32>("/Runinfo/Run number").unwrap_or(0) as u32;
    set(shared, "/Runinfo/Transition in progress", kind as i32);
    let called = call_all(shared, kind, number, true);
    if called.is_ok() {
        set(shared, "/Runinfo/State", state);
    }
    set(shared, "/Runinfo/Transition in progress", 0);
    called
}

fn name_of(kind: u32) -> &'static str {
    match kind {
        START => "START",
        STOP => "STOP",
        PAUSE => "PAUSE",
        RESUME => "RESUME",
        _ => "STARTABORT",
    }
}

/// The registered clients in the order of their sequence numbers, one call for each.
fn registered(shared: &Shared, kind: u32) -> Vec<(i32, Arc<Child>, u16)> {
    let tree: Tree = shared.odb().tree.clone();
    let mut found = Vec::new();
    for child in lock(&shared.children).iter() {
        let at = format!("/System/Clients/{}", child.pid);
        let port = tree.get::<i32>(&format!("{at}/Server Port")).unwrap_or(0);
        let sequences =
            tree.get::<Vec<i32>>(&format!("{at}/Transition {}", name_of(kind))).unwrap_or_default();
        found.extend(sequences.into_iter().map(|sequence| (sequence, Arc::clone(child), port as u16)));
    }
    found.sort_by_key(|(sequence, ..)| *sequence);
    found
}

fn call_all(shared: &Arc<Shared>, kind: u32, number: u32, may_refuse: bool) -> Result<(), String> {
    for (sequence, child, port) in registered(shared, kind) {
        let name = child.name();
        match call(shared, &child, port, kind, number, sequence) {
            Ok((1, _)) => {}
            Ok((status, text)) => {
                shared.message(format!("transition {} refused by {name}: {status} {text}", name_of(kind)));
                if may_refuse {
                    return Err(if text.is_empty() {
                        format!("{name} refused, status {status}")
                    } else {
                        text
                    });
                }
            }
            Err(why) => {
                shared.message(format!("{name} does not answer transition {}, killed: {why}", name_of(kind)));
                child.end(shared);
                if may_refuse {
                    return Err(format!("{name} does not answer: {why}"));
                }
            }
        }
    }
    Ok(())
}

fn dial(shared: &Shared, child: &Child, port: u16) -> io::Result<TcpStream> {
    let wait = |key: &str| {
        let millis =
            shared.odb().tree.get::<i32>(&format!("/Experiment/Transition {key}timeout")).unwrap_or(10_000);
        Duration::from_millis(millis.max(1) as u64)
    };
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(child.host, port), wait("connect "))?;
    stream.set_read_timeout(Some(wait("")))?;
    stream.set_nodelay(true)?;
    let version = if shared.options.version == Version::V2014 { "2.0.0" } else { "2.1" };
    stream.write_all(format!("44 {version} ODBEdit testhost\0").as_bytes())?;
    let answer = control::read_text(&mut stream)?;
    if !answer.starts_with(b"44 ") {
        let what = format!("'{}' in place of hardware type and version", answer.escape_ascii());
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(stream)
}

/// Calls the listener of a client: its status, and its text.
fn call(
    shared: &Shared,
    child: &Child,
    port: u16,
    kind: u32,
    number: u32,
    sequence: i32,
) -> io::Result<(i32, String)> {
    let mut stream = dial(shared, child, port)?;
    let mut frame = Vec::new();
    for int in [12_000, 32] {
        frame.extend(u32::to_le_bytes(int));
    }
    for int in [kind, number, 256, sequence as u32] {
        frame.extend(int.to_le_bytes());
        frame.extend([super::wire::JUNK; 4]);
    }
    stream.write_all(&frame)?;
    let mut header = [0; 8];
    stream.read_exact(&mut header)?;
    let status = i32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let size = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
    if size == 0 || size > 256 || !size.is_multiple_of(8) {
        let what = format!("{size} bytes in place of a string of at most 256");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    let mut text = vec![0; size];
    stream.read_exact(&mut text)?;
    let end = text.iter().position(|&byte| byte == 0);
    let end = end.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a string without NUL"))?;
    stream.write_all(&[0x9f, 0x86, 0x01, 0x80, 0, 0, 0, 0])?;
    Ok((status, String::from_utf8_lossy(&text[..end]).into_owned()))
}

pub fn stop_program(shared: &Arc<Shared>, client: &str) -> bool {
    let Some(child) = shared.child(client) else { return false };
    let path = format!("/System/Clients/{}", child.pid);
    let port = shared.odb().tree.get::<i32>(&format!("{path}/Server Port")).unwrap_or(0);
    let asked = dial(shared, &child, port as u16);
    let asked = asked.and_then(|mut stream| stream.write_all(&[0x9e, 0x86, 0x01, 0x80, 0, 0, 0, 0]));
    let begun = Instant::now();
    while asked.is_ok() && begun.elapsed() < Duration::from_secs(5) {
        if !shared.odb().tree.exists(&path) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    shared.message(format!("{client} did not end, killed"));
    child.end(shared);
    false
}
