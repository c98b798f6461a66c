//! What we answer to programs of the experiment that call us.
//!
//! ```text
//! "44 2.1 ODBEdit host" -> "44 2.1"
//! 12000  a transition: kind, run, (text), size of the text, sequence -> status, text
//! 99997  are you there -> 1
//! 99998  please end; we tell the owner
//! 99999  the caller is done
//! others 508, and what comes out as the C program that called has it: it would look there
//! ```

use std::time::{Duration, Instant};

use super::inbox::Post;
use super::line::{Line, deadline, is_late};
use super::status::{SUCCESS, UNKNOWN_CALL};
use super::wire::{self, CELL, HEAD, NO_REPLY};
use super::{Note, Transition, TransitionKind};

const TRANSITION: u32 = 12000;
const TEST: u32 = 15000;
const CAMAC: [u32; 2] = [16000, 16001];
const COMMAND: u32 = 18000;
const WATCHDOG: u32 = 99997;
const SHUTDOWN: u32 = 99998;
const EXIT: u32 = 99999;

/// What a refusal has for a status; callers look only whether it is 1.
const REFUSED: i32 = 2;
/// How long a greeting or a call may take to come, once it has begun.
const CALL: Duration = Duration::from_secs(10);
/// How long a connection may be silent; callers open a new one.
const IDLE: Duration = Duration::from_secs(60);
/// More than a call to an analyzer has.
const MOST: usize = 1 << 20;
/// As much of a call as is looked at.
const LOOKED_AT: usize = 4 * CELL;

/// Serves a connection until it ends; says whether that was only because nothing came for long.
pub(crate) fn serve(line: &mut dyn Line, post: &Post) -> bool {
    let Some(is_big_endian) = greeting(line) else { return false };
    loop {
        let mut head = [0; HEAD];
        match exact(line, &mut head, IDLE, CALL) {
            Come::Whole => {}
            Come::Nothing => return true,
            Come::Broken => return false,
        }
        let numbers = Numbers { is_big_endian };
        let (routine, bytes) = (numbers.get(&head, 0) as u32, numbers.get(&head, 4) as u32 as usize);
        if bytes > MOST {
            return false;
        }
        let mut parameters = [0; LOOKED_AT];
        let looked_at = bytes.min(LOOKED_AT);
        let begin = exact(line, &mut parameters[..looked_at], CALL, CALL);
        if begin != Come::Whole || !skip(line, bytes - looked_at) {
            return false;
        }
        let (reply, note) = answer(routine & !NO_REPLY, &parameters[..looked_at], numbers, post);
        // The owner may find the note before the caller has its answer, never behind it.
        note.into_iter().for_each(|note| post.post(note));
        if routine & NO_REPLY == 0 && line.write(&reply, CALL).is_err() {
            return false;
        }
        if routine & !NO_REPLY == EXIT {
            return false;
        }
    }
}

/// The caller says who it is; gives whether its numbers are big endian.
fn greeting(line: &mut dyn Line) -> Option<bool> {
    let end = deadline(CALL);
    let mut text = Vec::new();
    let mut byte = [0];
    while text.last() != Some(&0) {
        line.patience(end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))).ok()?;
        if text.len() == 256 || Instant::now() >= end || !matches!(line.read(&mut byte), Ok(1)) {
            return None;
        }
        text.push(byte[0]);
    }
    let hardware: u32 = wire::text(&text).split(' ').next()?.parse().ok()?;
    line.write(b"44 2.1\0", CALL).ok()?;
    Some(hardware & 16 != 0)
}

/// Numbers in the byte order of the caller.
#[derive(Clone, Copy)]
struct Numbers {
    is_big_endian: bool,
}

impl Numbers {
    fn get(self, bytes: &[u8], at: usize) -> i32 {
        let value = wire::int(bytes, at);
        if self.is_big_endian { value.swap_bytes() } else { value }
    }

    fn put(self, value: i32) -> [u8; 4] {
        if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn reply(self, status: i32, parameters: &[u8]) -> Vec<u8> {
        let bytes = wire::padded(parameters.len());
        let mut reply = Vec::with_capacity(HEAD + bytes);
        reply.extend_from_slice(&self.put(status));
        reply.extend_from_slice(&self.put(bytes as i32));
        reply.extend_from_slice(parameters);
        reply.resize(HEAD + bytes, 0);
        reply
    }
}

/// The answer to a call, and what to tell the owner.
fn answer(routine: u32, parameters: &[u8], numbers: Numbers, post: &Post) -> (Vec<u8>, Option<Note>) {
    match routine {
        TRANSITION if parameters.len() == LOOKED_AT => transition(parameters, numbers, post),
        // One empty text.
        TRANSITION | COMMAND => (numbers.reply(UNKNOWN_CALL, &[0]), None),
        TEST => (numbers.reply(UNKNOWN_CALL, &[0; 5 * CELL]), None),
        // An empty block, its size, two numbers.
        id if CAMAC.contains(&id) => (numbers.reply(UNKNOWN_CALL, &[0; 4 * CELL]), None),
        WATCHDOG | EXIT => (numbers.reply(SUCCESS, &[]), None),
        SHUTDOWN => (numbers.reply(SUCCESS, &[]), Some(Note::StopAsked)),
        _ => (numbers.reply(UNKNOWN_CALL, &[]), None),
    }
}

fn transition(parameters: &[u8], numbers: Numbers, post: &Post) -> (Vec<u8>, Option<Note>) {
    let cell = |i: usize| numbers.get(parameters, i * CELL);
    let Some(kind) = TransitionKind::new(cell(0)) else { return (numbers.reply(SUCCESS, &[0]), None) };
    let transition = Transition { kind, run: cell(1) as u32, sequence: cell(3) };
    let asked = post.ask(&transition);
    match asked {
        // Nothing but a start can be refused.
        Err(text) if kind == TransitionKind::Start => {
            let size = usize::try_from(cell(2)).unwrap_or(0).clamp(1, 256);
            let mut text = wire::cut(&text, size - 1).into_owned().into_bytes();
            text.push(0);
            (numbers.reply(REFUSED, &text), None)
        }
        _ => (numbers.reply(SUCCESS, &[0]), Some(Note::Transition(transition))),
    }
}

/// How much has come of what was awaited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Come {
    Whole,
    /// Nothing, and the other side is still there.
    Nothing,
    Broken,
}

/// Reads all of it: the first byte within one time, the rest within another.
fn exact(line: &mut dyn Line, to: &mut [u8], first: Duration, rest: Duration) -> Come {
    let mut end = deadline(first);
    let mut got = 0;
    while got < to.len() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || line.patience(left).is_err() {
            return if left.is_zero() && got == 0 { Come::Nothing } else { Come::Broken };
        }
        match line.read(&mut to[got..]) {
            Ok(0) => return Come::Broken,
            Ok(bytes) => {
                if got == 0 {
                    end = deadline(rest);
                }
                got += bytes;
            }
            Err(error) if is_late(&error) || error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Come::Broken,
        }
    }
    Come::Whole
}

fn skip(line: &mut dyn Line, bytes: usize) -> bool {
    let mut left = bytes;
    let mut some = [0; 1024];
    while left > 0 {
        let step = left.min(some.len());
        if exact(line, &mut some[..step], CALL, CALL) != Come::Whole {
            return false;
        }
        left -= step;
    }
    true
}
