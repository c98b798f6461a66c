//! A server of MIDAS, and programs that call us: whatever they say, the client says no in time and takes no memory
//! for what was only promised.
//!
//! An input is a byte of flags, three lengths of 16 bits, and so many bytes each of what the server says on its listener,
//! of its notes, and of what a program says to us; the rest are its answers to calls. With a flag these are
//! given as status, number of cells, and the cells, so that their sizes are always right.

use pactolus::midas::script;

/// Statuses that a client may look for, by their numbers in an input.
const STATUSES: [i32; 12] = [1, 312, 316, 209, 210, 305, 108, 314, 315, 202, 302, 318];

struct Input<'a> {
    listener: &'a [u8],
    notes: &'a [u8],
    caller: &'a [u8],
    calls: Vec<u8>,
    step: usize,
}

/// The client with all that is said to it.
///
/// One by one the bytes come as slowly as the client reads them. More at once, answers are there before their
/// calls are made, which no server does: the client must see it.
pub fn mserver(input: &[u8]) -> bool {
    let Some(input) = Input::read(input) else { return false };
    let answered = input.run(1);
    input.run(input.step);
    assert_eq!(answered, input.run(1), "answers, the second time");
    true
}

impl<'a> Input<'a> {
    fn read(input: &'a [u8]) -> Option<Input<'a>> {
        let (head, rest) = input.split_first_chunk::<7>()?;
        let length = |at: usize| usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
        let cut = |rest: &'a [u8], at: usize| rest.split_at(length(at).min(rest.len()));
        let (listener, rest) = cut(rest, 1);
        let (notes, rest) = cut(rest, 3);
        let (caller, rest) = cut(rest, 5);
        let calls = if head[0] & 0x80 == 0 { rest.to_vec() } else { replies(rest) };
        Some(Input { listener, notes, caller, calls, step: usize::from(head[0] & 0x7f).max(1) })
    }

    fn run(&self, step: usize) -> usize {
        script::run(self.listener, &self.calls, self.notes, self.caller, step)
    }
}

/// Replies of the right sizes, behind the greeting.
fn replies(mut rest: &[u8]) -> Vec<u8> {
    let mut calls = b"44\0".to_vec();
    while let Some((&[status, cells], others)) = rest.split_first_chunk::<2>() {
        let bytes = (usize::from(cells) * 8).min(others.len() / 8 * 8);
        let (cells, others) = others.split_at(bytes);
        let status = STATUSES.get(usize::from(status)).copied().unwrap_or(i32::from(status));
        calls.extend(status.to_le_bytes());
        calls.extend((bytes as u32).to_le_bytes());
        calls.extend(cells);
        rest = others;
    }
    calls
}
