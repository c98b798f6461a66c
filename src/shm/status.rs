//! What can be seen of a stream from outside.

use serde::Serialize;

use super::layout::{NAME, SLOTS, group, slot, word};
use super::ring::{PRODUCER, Ring};
use super::words::{Words, text};
use super::{Result, StreamName, name, slots};

/// A stream.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: String,
    /// Bytes of events that it holds.
    pub size: u64,
    /// Who may take part, as the mode of a file.
    pub mode: u32,
    /// The number of the user whose it is.
    pub owner: u32,
    /// Who publishes.
    pub producer: Option<ProducerStatus>,
    /// The run that is going on.
    pub run: Option<u32>,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Events published since it was made.
    pub events: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Events for which it is too small.
    pub too_big: u64,
    /// How long consumers were waited for, in seconds.
    pub waited_seconds: f64,
    /// Bytes that hold transitions.
    pub journal_bytes: u64,
    /// Who reads.
    pub consumers: Vec<ConsumerStatus>,
}

/// Who publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProducerStatus {
    /// The number of the process.
    pub pid: u32,
    /// How it calls itself.
    pub program: String,
}

/// Who reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// How it calls itself.
    pub name: String,
    /// The number of the process.
    pub pid: u32,
    /// Whether it makes the producer wait.
    pub all: bool,
    /// Those with whom it splits the events.
    pub group: Option<String>,
    /// Bytes that it has not read.
    pub behind: u64,
    /// Events that it has read.
    pub events: u64,
    /// Events that it has missed since it came.
    pub overrun: u64,
}

/// The streams of this user.
pub fn streams() -> Vec<StreamName> {
    name::all()
}

/// What can be seen of a stream from outside.
///
/// # Errors
/// If it is not there, or the system does not let us.
pub fn look(name: &StreamName) -> Result<Status> {
    let ring = Ring::open(name)?;
    let map = &ring.map;
    let number = |at: usize| map.get(at);
    // What is being given back meanwhile is of no interest any more.
    let (run, is_paused) = ring.run().unwrap_or_default();
    let (mode, owner) = ring.file.mode_and_owner().map_err(|source| ring.error("look at", source))?;
    let producer = ring
        .is_locked(PRODUCER)
        .then(|| ProducerStatus { pid: number(word::PID) as u32, program: text(map, word::PROGRAM, NAME) });
    let waited_seconds = ring.waited(|| producer.is_some()).as_secs_f64();
    Ok(Status {
        name: name.to_string(),
        path: name.path().display().to_string(),
        size: ring.layout.size,
        mode,
        owner,
        producer,
        run,
        is_paused,
        events: number(word::EVENTS),
        bytes: number(word::BYTES),
        too_big: number(word::TOO_BIG),
        waited_seconds,
        journal_bytes: number(word::JOURNAL).saturating_sub(number(word::PUNCHED)),
        consumers: consumers(&ring),
    })
}

/// Who reads a stream.
pub(super) fn consumers(ring: &Ring) -> Vec<ConsumerStatus> {
    let map = &ring.map;
    let number = |at: usize| map.get(at);
    let published = number(word::PUBLISHED);
    let consumers = (0..SLOTS).filter(|slot| ring.is_locked(Ring::slot_lock(*slot)));
    let consumers = consumers.filter_map(|slot| {
        let found = slots::get(map, &ring.layout, slot)?;
        let at = ring.layout.slot(slot);
        let group = found.group.map(|number| ring.layout.group(number));
        let read = group.map_or(number(at + slot::READ), |group| number(group + group::CURSOR));
        Some(ConsumerStatus {
            name: text(map, at + slot::NAME, NAME),
            pid: number(at + slot::PID) as u32,
            all: found.all,
            group: group.map(|group| text(map, group + group::NAME, NAME)),
            behind: published.saturating_sub(read),
            events: number(at + slot::EVENTS),
            overrun: number(at + slot::OVERRUN),
        })
    });
    consumers.collect()
}

/// Removes a stream that has no producer. Consumers read on what it holds.
///
/// # Errors
/// If it has one, or the system does not let us.
pub fn remove(name: &StreamName) -> Result<()> {
    let ring = Ring::open(name)?;
    ring.lock_producer()?;
    ring.remove()
}
