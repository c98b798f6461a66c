//! Events of a buffer. The server never sends one: each is pulled by a call.
//!
//! While few events come they are pulled one by one. When the buffer has more, calls go in groups: on the
//! same host that is worth a factor of two, over a network with a round trip of 0.2 ms, of twenty. The depth of
//! a group grows as long as it comes back full, and is such that what is under way stays below 8 MB.

use pactolus_formats::Header;

use super::client::{Client, refused};
use super::line::GROUPS;
use super::routine::{ADD_REQUEST, BUFFER_LEVEL, OPEN_BUFFER, RECEIVE, SET_CACHE};
use super::rpc::{Awaited, DEPTH, Rpc, UNDER_WAY};
use super::status::{EVENT_TRUNCATED, NOTHING, SUCCESS};
use super::wire::{self, CELL, Call, padded};
use super::{Error, Result};
use crate::Sampling;

/// What MIDAS takes for the size of a buffer that is not there yet; the ODB says otherwise if it wants.
const BUFFER: i32 = 32 << 20;
/// Largest event of an experiment that says nothing, with its header.
const CAPACITY: usize = (4 << 20) + Header::SIZE;
/// No server of the years has larger ones.
const MOST_CAPACITY: usize = 1 << 30;
/// Do not wait for an event. Other values than this mean different things from version to version.
const NO_WAIT: i32 = 1;

/// A buffer of events that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buffer(pub(super) i32);

/// What a [`receive`](Client::receive) has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Events that were appended.
    pub events: u64,
    /// Whether the buffer had nothing more.
    pub is_empty: bool,
    /// Events larger than the [capacity](Client::set_capacity): gone from the buffer, and not appended.
    pub truncated: Vec<Header>,
}

impl Received {
    /// Whether events have left the buffer, be they appended or not.
    pub(crate) fn has_some(&self) -> bool {
        self.events > 0 || !self.truncated.is_empty()
    }
}

/// How many calls go at once.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes that are asked for with each event.
    capacity: usize,
    depth: usize,
    /// The largest event of late, with its header.
    largest: usize,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { capacity: CAPACITY, depth: 1, largest: 0 }
    }
}

impl Pace {
    /// How deep the next group is, with so many events wanted yet.
    fn next(&self, wanted: usize) -> usize {
        let fits = UNDER_WAY / self.largest.max(1);
        self.depth.min(fits).min(wanted).max(1)
    }

    /// What came of a group.
    fn went(&mut self, is_empty: bool, largest: usize) {
        let deepest = if GROUPS { DEPTH } else { 1 };
        self.depth = if is_empty { self.depth / 2 } else { self.depth * 2 }.clamp(1, deepest);
        self.largest = largest.max(self.largest - self.largest / 8);
    }
}

/// What one call has brought.
enum Got {
    Event(usize),
    Truncated(Header),
    Nothing,
}

impl Client {
    /// Opens a buffer of events; MIDAS calls the usual one "SYSTEM".
    pub fn open_buffer(&mut self, name: &str) -> Result<Buffer> {
        if name.is_empty() || name.len() > 31 {
            let message = format!("{name:?} is no name of a buffer: 1 to 31 bytes");
            return Err(Error::Argument { what: OPEN_BUFFER.name, message });
        }
        let call = Call::new(&OPEN_BUFFER).text(name)?.int(BUFFER);
        self.number(&call, name, "handle").map(Buffer)
    }

    /// Has the server keep so many bytes of unread events for us, so that it looks into the shared buffer less
    /// often: 100,000 is usual. Not with [`Sampling::Recent`].
    pub fn cache(&mut self, buffer: Buffer, bytes: u32) -> Result<()> {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        let call = Call::new(&SET_CACHE).int(buffer.0).int(bytes).int(0);
        self.done(&call, &format!("{bytes} bytes"))
    }

    /// Asks for events: of an id, with a bit of a mask; `None` is any. At most ten requests for a buffer; the
    /// number is for the caller's own use.
    pub fn request(
        &mut self,
        buffer: Buffer,
        id: Option<u16>,
        mask: Option<u16>,
        sampling: Sampling,
        number: i32,
    ) -> Result<()> {
        // No notes of new events: the server sends them twice a second at most, and looking costs as much.
        let call = Call::new(&ADD_REQUEST).int(buffer.0).short(id.unwrap_or(u16::MAX));
        let call = call.short(mask.unwrap_or(u16::MAX)).int(sampling.code()).int(0).int(number);
        self.done(&call, &format!("request {number}"))
    }

    /// The largest event to ask for, with its header: MAX_EVENT_SIZE of the experiment and 16. It costs
    /// nothing while events are smaller.
    pub fn set_capacity(&mut self, bytes: usize) {
        self.pace.capacity = bytes.clamp(Header::SIZE, MOST_CAPACITY);
    }

    /// Bytes of a buffer that we have not read.
    pub fn level(&mut self, buffer: Buffer) -> Result<u64> {
        let level = self.number(&Call::new(&BUFFER_LEVEL).int(buffer.0), "", "level")?;
        Ok(u64::try_from(level).unwrap_or(0))
    }

    /// Pulls events, each as its header of 16 bytes and exactly its data, behind one another into `to`: until
    /// so many bytes or events have come, or there is nothing more. What is beyond `bytes` is the last group of
    /// calls. Never waits in the server.
    ///
    /// # Errors
    ///
    /// Also then `to` has whole events only, those that came before.
    pub fn receive(
        &mut self,
        buffer: Buffer,
        most: usize,
        bytes: usize,
        to: &mut Vec<u8>,
    ) -> Result<Received> {
        let begin = to.len();
        let mut received = Received::default();
        let capacity = self.pace.capacity;
        let call = Call::new(&RECEIVE).int(buffer.0).int(capacity as i32).int(NO_WAIT);
        let mut calls = Vec::new();
        let mut consumed = 0;
        while consumed < most && to.len() - begin < bytes && !received.is_empty {
            let fit = (bytes - (to.len() - begin)) / self.pace.largest.max(1);
            let deep = self.pace.next(most - consumed).min(fit.saturating_add(1));
            let mut largest = 0;
            self.rpc.guarded(RECEIVE.name, |rpc| {
                while calls.len() < deep * call.bytes().len() {
                    calls.extend_from_slice(call.bytes());
                }
                rpc.send(RECEIVE.name, &calls[..deep * call.bytes().len()])?;
                rpc.in_group(deep > 1);
                let mut refused = None;
                for _ in 0..deep {
                    match event(rpc, capacity, to) {
                        Ok(Got::Event(size)) => {
                            received.events += 1;
                            largest = largest.max(size);
                        }
                        Ok(Got::Truncated(header)) => received.truncated.push(header),
                        Ok(Got::Nothing) => received.is_empty = true,
                        Err(error) if error.is_lost() => return Err(error),
                        Err(error) => refused = refused.or(Some(error)),
                    }
                }
                refused.map_or(Ok(()), Err)
            })?;
            consumed += deep;
            self.pace.went(received.is_empty, largest);
        }
        Ok(received)
    }
}

/// The reply to one call.
fn event(rpc: &mut Rpc, capacity: usize, to: &mut Vec<u8>) -> Result<Got> {
    let mut awaited = rpc.await_reply(RECEIVE.name);
    let (status, bytes) = rpc.head(&mut awaited, 2 * CELL + padded(capacity))?;
    let begin = to.len();
    let got = parameters(rpc, status, bytes, capacity, to, &mut awaited);
    if got.is_err() {
        to.truncate(begin);
    }
    got
}

/// A cell with the length, the event, a cell with the length again. Where the event is larger than its cache,
/// the server of 2017 says a multiple of 8.
fn parameters(
    rpc: &mut Rpc,
    status: i32,
    bytes: usize,
    capacity: usize,
    to: &mut Vec<u8>,
    awaited: &mut Awaited,
) -> Result<Got> {
    if status != SUCCESS && status != EVENT_TRUNCATED {
        // Old bytes in the server's memory may come with it.
        rpc.skip(bytes, awaited)?;
        return match status {
            NOTHING => Ok(Got::Nothing),
            status => Err(refused(&RECEIVE, "events", status)),
        };
    }
    let wrong = |at: usize, want: String, found: String| Error::Wire { call: RECEIVE.name, at, want, found };
    let least = 2 * CELL + Header::SIZE;
    if bytes < least {
        return Err(wrong(4, format!("at least {least} bytes"), format!("{bytes} (status {status})")));
    }
    let length = wire::int(&rpc.take::<CELL>(awaited)?, 0);
    let inside = bytes - 2 * CELL;
    let length = match usize::try_from(length) {
        Ok(length) if length >= Header::SIZE && padded(length) == inside => length,
        _ => return Err(wrong(8, format!("the length of an event in {inside} bytes"), length.to_string())),
    };
    let head = rpc.take::<{ Header::SIZE }>(awaited)?;
    let Ok((_, header)) = Header::parse(&head) else {
        return Err(wrong(16, "the header of an event".to_owned(), wire::shown(&head)));
    };
    if status == EVENT_TRUNCATED {
        rpc.skip(bytes - CELL - Header::SIZE, awaited)?;
        return Ok(Got::Truncated(header));
    }
    let size = header.size as usize;
    if size > length - Header::SIZE {
        let want = format!("at most {} bytes of data in an event of {length}", length - Header::SIZE);
        return Err(wrong(28, want, header.size.to_string()));
    }
    to.extend_from_slice(&head);
    rpc.append(size, to, awaited)?;
    rpc.skip(bytes - CELL - Header::SIZE - size, awaited)?;
    debug_assert!(size + Header::SIZE <= padded(capacity), "compared by the head of the reply");
    Ok(Got::Event(Header::SIZE + size))
}
