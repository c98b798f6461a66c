//! What each stage did to each event, as hashes that add up in any order.
//!
//! Two hashes per event and stage: of what the stage could go by (the event's number and header, and
//! the banks that it declares to read), and of what it did (verdict or error, appended banks, tests,
//! messages, new events, and whatever else the pipeline notes). Where the first is the same in two
//! runs and the second is not, the stage itself makes the difference; where the first differs, it
//! only follows another.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use pactolus_formats::{BankName, Header, record};
use sha2::{Digest, Sha256};

use crate::Event;
use crate::epoch::Epoch;
use crate::harness::Log;
use crate::histo::{Histogram, Histograms};
use crate::module::{EndOfRun, Notes, Result, Verdict};
use crate::provenance::hex;
use crate::stage::Body;

/// Stretches of events that are told apart, for each stage of a run. With fewer events each is a
/// stretch of its own; with more, memory stays bounded.
const STRETCHES: u64 = 1 << 14;

/// Takes in what a module does by way of its context, while it has an event.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    on: Cell<bool>,
    hash: RefCell<DefaultHasher>,
}

impl Watch {
    pub(crate) fn switch(&self, on: bool) {
        self.on.set(on);
    }

    /// The module has done this. Costs a look at a flag where nobody watches.
    #[inline]
    pub(crate) fn note(&self, what: impl Hash) {
        if self.on.get() {
            what.hash(&mut *self.hash.borrow_mut());
        }
    }
}

/// An event that has entered a stage.
pub(crate) struct Entry {
    number: u64,
    input: u64,
    /// Banks and new events that were there before.
    banks: usize,
    queued: usize,
}

/// What a stage did to an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    stage: u32,
    /// Number of the event in its input.
    number: u64,
    did: Did,
}

/// Hashes of what a stage could go by, and of what it did; sums of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Did {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

record!(Seen { stage, number, did });
record!(Did { input, output });

impl Did {
    fn add(&mut self, other: Did) {
        self.input = self.input.wrapping_add(other.input);
        self.output = self.output.wrapping_add(other.output);
    }
}

impl Entry {
    /// Before the stage's module. `reads`: the banks that it declares.
    pub(crate) fn new(reads: &[BankName], number: u64, event: &Event<'_>, notes: &Notes) -> Entry {
        let mut hash = keyed(number, event);
        let mut banks = 0;
        for bank in event.banks() {
            banks += 1;
            if reads.contains(&bank.name) {
                (bank.name.bytes(), bank.code, bank.data).hash(&mut hash);
            }
        }
        *notes.watch.hash.borrow_mut() = keyed(number, event);
        Entry { number, input: hash.finish(), banks, queued: notes.queue.borrow().len() }
    }

    /// Behind it, before its messages are taken.
    pub(crate) fn seen(
        self,
        stage: u32,
        event: &Event<'_>,
        verdict: &Result<Verdict>,
        notes: &Notes,
    ) -> Seen {
        let hash = &mut *notes.watch.hash.borrow_mut();
        match verdict {
            Ok(verdict) => (*verdict == Verdict::Keep).hash(hash),
            Err(error) => {
                error.to_string().hash(hash);
                let mut cause = error.source();
                while let Some(inner) = cause {
                    inner.to_string().hash(hash);
                    cause = inner.source();
                }
            }
        }
        for bank in event.banks().skip(self.banks) {
            (bank.name.bytes(), bank.code, bank.data).hash(hash);
        }
        notes.messages.borrow().hash(hash);
        for new in notes.queue.borrow().iter().skip(self.queued) {
            header(&new.header).hash(hash);
            new.fixed.hash(hash);
            for (name, tid, bytes) in &new.banks {
                (name.bytes(), tid.code(), bytes).hash(hash);
            }
        }
        let did = Did { input: self.input, output: hash.finish() };
        Seen { stage, number: self.number, did }
    }
}

/// A hash that has taken in which event it is about: so that sums tell events apart.
fn keyed(number: u64, event: &Event<'_>) -> DefaultHasher {
    let mut hash = DefaultHasher::new();
    // As it was read: an event that has waited for the fold may have grown.
    (number, header(&event.raw().header)).hash(&mut hash);
    hash
}

fn header(header: &Header) -> impl Hash {
    (header.id, header.mask, header.serial, header.time)
}

/// What the stages of a job did, run by run.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    watched: Arc<Mutex<Vec<Watched>>>,
    /// Takes down what they did, too, word by word.
    log: Option<Log>,
}

impl Witness {
    /// One that writes it into a log.
    pub(crate) fn with(log: Log) -> Witness {
        Witness { log: Some(log), ..Witness::default() }
    }

    /// Its log.
    pub(crate) fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    /// A run has ended, with these histograms.
    pub(crate) fn push(&self, mut watched: Watched, histograms: &Histograms) {
        if let Some(log) = &self.log {
            log.ended(histograms);
        }
        let digest =
            |histogram: &Histogram| (histogram.name().to_owned(), hex(&Sha256::digest(histogram.to_bytes())));
        watched.histograms = histograms.list.iter().map(digest).collect();
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
    }

    /// All runs so far.
    pub(crate) fn take(&self) -> Vec<Watched> {
        std::mem::take(&mut *self.watched.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the stages of a run did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    pub(crate) stages: Vec<Track>,
    /// SHA-256 of each histogram, as it is before anything is rounded, by name.
    pub(crate) histograms: Vec<(String, String)>,
}

/// What one stage did in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    /// Events of a stretch, as a power of two.
    pub(crate) shift: u32,
    /// Sums over the events of each stretch, by their numbers.
    pub(crate) stretches: Vec<Did>,
    /// The end of the run.
    pub(crate) end: Did,
    /// Of a stage that remembers: all that it could go by so far.
    memory: Option<u64>,
}

impl Watched {
    /// For a run under these settings; empty if nobody watches.
    pub(crate) fn new(epoch: &Epoch) -> Watched {
        if epoch.watch.is_none() {
            return Watched::default();
        }
        let stages = epoch.chains.iter().flat_map(|chain| &chain.stages);
        let memory = stages.map(|stage| matches!(stage.body, Body::Sequential(_)).then_some(0));
        let stages = memory.map(|memory| Track { memory, ..Track::default() }).collect();
        Watched { stages, histograms: Vec::new() }
    }

    /// Adds what was seen in a block; that of sequential stages in the order of the run.
    pub(crate) fn add(&mut self, seen: &[Seen]) {
        for seen in seen {
            if let Some(track) = self.stages.get_mut(seen.stage as usize) {
                let input = track.remember(seen.did.input);
                track.add(seen.number, Did { input, ..seen.did });
            }
        }
    }

    /// A stage has seen the end of the run.
    pub(crate) fn end(&mut self, stage: u32, end: &EndOfRun<'_>, answer: &Result<()>) {
        if let Some(track) = self.stages.get_mut(stage as usize) {
            let mut input = DefaultHasher::new();
            (end.entered, end.tests).hash(&mut input);
            let mut output = DefaultHasher::new();
            answer.as_ref().err().map(ToString::to_string).hash(&mut output);
            end.messages.borrow().hash(&mut output);
            track.end = Did { input: track.remember(input.finish()), output: output.finish() };
        }
    }
}

impl Track {
    /// What a stage could go by: of one that remembers, also all that came before.
    fn remember(&mut self, input: u64) -> u64 {
        let Some(memory) = &mut self.memory else { return input };
        let mut hash = DefaultHasher::new();
        (*memory, input).hash(&mut hash);
        *memory = hash.finish();
        *memory
    }

    fn add(&mut self, number: u64, did: Did) {
        while number >> self.shift >= STRETCHES {
            self.widen();
        }
        let at = (number >> self.shift) as usize;
        if at >= self.stretches.len() {
            self.stretches.resize(at + 1, Did::default());
        }
        self.stretches[at].add(did);
    }

    /// Makes stretches twice as long.
    pub(crate) fn widen(&mut self) {
        let pairs = self.stretches.chunks(2).map(|pair| {
            let mut sum = pair[0];
            pair[1..].iter().for_each(|did| sum.add(*did));
            sum
        });
        self.stretches = pairs.collect();
        self.shift += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_depend_on_the_events_alone_and_are_bounded() {
        let track = |order: &mut dyn Iterator<Item = u64>| {
            let mut track = Track::default();
            order.for_each(|n| track.add(n, Did { input: n * n, output: n + 1 }));
            track
        };
        let forward = track(&mut (1..100_000));
        let back = track(&mut (1..100_000).rev());
        assert_eq!(forward.stretches, back.stretches);
        assert_eq!((forward.shift, back.shift), (3, 3));
        assert!(forward.stretches.len() as u64 <= STRETCHES);
        // Events 8 to 15.
        assert_eq!(forward.stretches[1], Did { input: (8..16).map(|n| n * n).sum(), output: 100 });
    }
}
