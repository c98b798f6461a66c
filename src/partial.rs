//! What one block contributes, in the order of its events.

use std::io::IoSlice;
use std::ops::Range;

use pactolus_formats::tuple::Batch;
use pactolus_formats::wire::{Bytes, Malformed, Wire, put_bytes};
use pactolus_formats::{Error as FormatError, EventView, mid};

use crate::copies::Copy;
use crate::epoch::Epoch;
use crate::event::Event;
use crate::ledger::Counts;
use crate::test::{Board, Tally};
use crate::verify::Seen;

/// Bytes for an output, with the places where events that the fold finishes belong.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) cuts: Vec<usize>,
}

impl Encoded {
    /// Something else may come here.
    pub(crate) fn cut(&mut self) {
        self.cuts.push(self.bytes.len());
    }

    /// The stretches between the cuts, and between them those of `other`, which has as many cuts.
    pub(crate) fn with<'a>(&'a self, other: &'a Encoded) -> Vec<IoSlice<'a>> {
        let mut slices = Vec::with_capacity(2 * self.cuts.len() + 1);
        let mut push = |slice: &'a [u8]| {
            if !slice.is_empty() {
                slices.push(IoSlice::new(slice));
            }
        };
        let (mut here, mut there) = (0, 0);
        for (&cut, &end) in self.cuts.iter().zip(&other.cuts) {
            push(&self.bytes[here..cut]);
            push(&other.bytes[there..end]);
            (here, there) = (cut, end);
        }
        push(&self.bytes[here..]);
        slices
    }
}

/// An event that the fold must finish: its chain has reached a sequential stage.
#[derive(Clone, Debug)]
pub(crate) struct Deferred {
    pub(crate) chain: usize,
    pub(crate) stage: usize,
    /// Number of the event in its input.
    pub(crate) number: u64,
    /// The event with its appended banks, in `.mid` form.
    bytes: Range<usize>,
    /// The event as it was read, where it differs.
    original: Range<usize>,
}

/// Table of a chain; of one event id if the chain takes every id.
pub(crate) type TableKey = (usize, Option<u16>);

/// Tallies whose memory is reused.
#[derive(Default)]
pub(crate) struct Tallies {
    all: Vec<Tally>,
    used: usize,
}

impl Tallies {
    pub(crate) fn push(&mut self, board: &Board) {
        if self.used == self.all.len() {
            self.all.push(Tally::new(0));
        }
        board.take_into(&mut self.all[self.used]);
        self.used += 1;
    }

    pub(crate) fn get(&self, i: usize) -> Option<&Tally> {
        self.all[..self.used].get(i)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tally> {
        self.all[..self.used].iter()
    }
}

/// What one block contributes.
#[derive(Default)]
pub(crate) struct Partial {
    pub(crate) mid: Encoded,
    pub(crate) asc: Encoded,
    pub(crate) deferred: Vec<Deferred>,
    deferred_bytes: Vec<u8>,
    /// One for each stretch between deferred events, and the last; none if there are no tests.
    pub(crate) tallies: Tallies,
    pub(crate) tables: Vec<(TableKey, Batch)>,
    pub(crate) counts: Counts,
    /// What stages did to events, where somebody compares.
    pub(crate) watched: Vec<Seen>,
    /// Events for a shared ODB. No part has any.
    pub(crate) copies: Vec<Copy>,
}

impl Partial {
    /// The events of `deferred`: as it is now, as it was read.
    pub(crate) fn deferred_event(&self, deferred: &Deferred) -> Option<(EventView<'_>, EventView<'_>)> {
        let (event, _) = EventView::parse(&self.deferred_bytes[deferred.bytes.clone()])?;
        let (original, _) = EventView::parse(&self.deferred_bytes[deferred.original.clone()])?;
        Some((event, original))
    }

    /// Bytes that it holds besides tables, what is small not counted.
    pub(crate) fn capacity(&self) -> usize {
        let bytes = [&self.mid.bytes, &self.asc.bytes, &self.deferred_bytes].map(Vec::capacity);
        let deferred = self.deferred.capacity() * (size_of::<Deferred>() + 2 * size_of::<usize>());
        let copies: usize = self.copies.iter().map(Copy::capacity).sum();
        bytes.into_iter().sum::<usize>() + deferred + copies
    }

    /// Bytes of its tables.
    pub(crate) fn tables_memory(&self) -> usize {
        self.tables.iter().map(|(_, batch)| batch.memory()).sum()
    }

    pub(crate) fn clear(&mut self, requests: usize, stages: usize) {
        for encoded in [&mut self.mid, &mut self.asc] {
            encoded.bytes.clear();
            encoded.cuts.clear();
        }
        self.deferred.clear();
        self.deferred_bytes.clear();
        self.tallies.used = 0;
        self.tables.clear();
        self.watched.clear();
        self.copies.clear();
        if self.counts.requests().len() == requests && self.counts.stages.len() == stages {
            self.counts.clear();
        } else {
            self.counts = Counts::new(requests, stages);
        }
    }

    /// Leaves an event to the fold as it was read: a copy, and a mark in every output.
    pub(crate) fn defer_raw(&mut self, board: &Board, to: To, original: EventView<'_>) {
        let start = self.deferred_bytes.len();
        mid::write_raw(&mut self.deferred_bytes, &original);
        let bytes = start..self.deferred_bytes.len();
        self.mark(board, to, bytes.clone(), bytes);
    }

    /// Leaves an event to the fold with the banks that it has so far.
    ///
    /// # Errors
    /// If it has become too large for an event.
    pub(crate) fn defer(
        &mut self,
        board: &Board,
        to: To,
        event: &Event<'_>,
        original: EventView<'_>,
    ) -> Result<(), FormatError> {
        if !event.has_appended() {
            self.defer_raw(board, to, original);
            return Ok(());
        }
        let start = self.deferred_bytes.len();
        mid::write_event(&mut self.deferred_bytes, event.header(), event.bank_kind(), event.banks())?;
        let middle = self.deferred_bytes.len();
        mid::write_raw(&mut self.deferred_bytes, &original);
        self.mark(board, to, start..middle, middle..self.deferred_bytes.len());
        Ok(())
    }

    fn mark(&mut self, board: &Board, to: To, bytes: Range<usize>, original: Range<usize>) {
        let To { chain, stage, number } = to;
        self.deferred.push(Deferred { chain, stage, number, bytes, original });
        self.mid.cut();
        self.asc.cut();
        if board.has_tests() {
            self.tallies.push(board);
        }
    }
}

/// Where the fold takes an event up again.
#[derive(Clone, Copy)]
pub(crate) struct To {
    pub(crate) chain: usize,
    pub(crate) stage: usize,
    /// Number of the event in its input.
    pub(crate) number: u64,
}

impl Wire for Encoded {
    fn put(&self, to: &mut Vec<u8>) {
        put_bytes(to, &self.bytes);
        self.cuts.put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Encoded, Malformed> {
        Ok(Encoded { bytes: from.bytes()?.to_vec(), cuts: from.value()? })
    }
}

impl Wire for Deferred {
    fn put(&self, to: &mut Vec<u8>) {
        let Deferred { chain, stage, number, bytes, original } = self;
        (*chain, *stage).put(to);
        number.put(to);
        (bytes.start, bytes.end).put(to);
        (original.start, original.end).put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Deferred, Malformed> {
        let ((chain, stage), number) = from.value()?;
        let ((a, b), (c, d)) = from.value()?;
        Ok(Deferred { chain, stage, number, bytes: a..b, original: c..d })
    }
}

impl Wire for Partial {
    fn put(&self, to: &mut Vec<u8>) {
        let Partial { mid, asc, deferred, deferred_bytes, tallies, tables, counts, watched, .. } = self;
        mid.put(to);
        asc.put(to);
        deferred.put(to);
        put_bytes(to, deferred_bytes);
        tallies.used.put(to);
        tallies.iter().for_each(|tally| tally.put(to));
        tables.put(to);
        counts.put(to);
        watched.put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Partial, Malformed> {
        let (mid, asc) = from.value()?;
        let deferred = from.value()?;
        let deferred_bytes = from.bytes()?.to_vec();
        let all: Vec<Tally> = from.value()?;
        let tallies = Tallies { used: all.len(), all };
        Ok(Partial {
            mid,
            asc,
            deferred,
            deferred_bytes,
            tallies,
            tables: from.value()?,
            counts: from.value()?,
            watched: from.value()?,
            copies: Vec::new(),
        })
    }
}

impl Partial {
    /// Whether it can be of a block of this epoch. One that comes from elsewhere need not be.
    pub(crate) fn fits(&self, epoch: &Epoch) -> bool {
        let chains = &epoch.chains;
        let cut = |encoded: &Encoded| {
            let Encoded { bytes, cuts } = encoded;
            let last = cuts.last().is_none_or(|&last| last <= bytes.len());
            cuts.len() == self.deferred.len() && cuts.is_sorted() && last
        };
        let inside =
            |range: &Range<usize>| range.start <= range.end && range.end <= self.deferred_bytes.len();
        let known = |deferred: &Deferred| {
            let stages = chains.get(deferred.chain).map_or(0, |chain| chain.stages.len());
            // A chain that runs in the fold may have no stage.
            deferred.stage <= stages
                && deferred.chain < chains.len()
                && inside(&deferred.bytes)
                && inside(&deferred.original)
        };
        let tallies = if epoch.tests.is_empty() { 0 } else { self.deferred.len() + 1 };
        cut(&self.mid)
            && cut(&self.asc)
            && self.deferred.iter().all(known)
            && self.tallies.used == tallies
            && self.tallies.iter().all(|tally| tally.is_of(epoch.tests.len()))
            && self.tables.iter().all(|((chain, _), _)| *chain < chains.len())
            && self.counts.requests().len() == chains.len()
            && self.counts.stages.len() == epoch.stages()
    }
}
