//! The account of every event.
//!
//! At the source: offered = delivered + left out + dropped (overrun, stale, too big) + damaged. At each
//! request: matched + created = kept + skipped + failed. Both hold for each event id. What was never offered
//! shows as a gap in the serial numbers, or a live source tells it. All counts are integers and add up over
//! blocks, in their order.

mod source;

use std::collections::BTreeMap;

use pactolus_formats::wire::{Bytes, Malformed, Wire};
use pactolus_formats::{DamageKind, record};
use serde::Serialize;
use source::Source;

/// The account of one event id at the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Offered {
    /// Events read.
    pub offered: u64,
    /// Events offered to the requests.
    pub delivered: u64,
    /// Events outside the range that the user asked for.
    pub left_out: u64,
    /// Events of a live source that were overwritten before they were read.
    pub overrun: u64,
    /// Events of a live source that were too old to be of use.
    pub stale: u64,
    /// Events of a live source for which there was no room.
    pub too_big: u64,
    /// Events whose banks are broken.
    pub damaged: u64,
    /// Events delivered that no request wants.
    pub unrequested: u64,
    /// Events that were not offered: serial numbers missing between those of events that were, and what a live
    /// source has told of the run before anybody was attached.
    pub unattended: u64,
}

impl Offered {
    /// Events that were offered and lost before a request could see them.
    pub fn dropped(&self) -> u64 {
        self.overrun + self.stale + self.too_big
    }

    /// All numbers with the names that they have in the ODB.
    pub(crate) fn named(&self) -> [(&'static str, u64); 9] {
        [
            ("Offered", self.offered),
            ("Delivered", self.delivered),
            ("Left out", self.left_out),
            ("Overrun", self.overrun),
            ("Stale", self.stale),
            ("Too big", self.too_big),
            ("Damaged", self.damaged),
            ("Unrequested", self.unrequested),
            ("Unattended", self.unattended),
        ]
    }

    /// Adds another account.
    pub(crate) fn add(&mut self, other: &Offered) {
        let Offered {
            offered,
            delivered,
            left_out,
            overrun,
            stale,
            too_big,
            damaged,
            unrequested,
            unattended,
        } = other;
        self.offered += offered;
        self.delivered += delivered;
        self.left_out += left_out;
        self.overrun += overrun;
        self.stale += stale;
        self.too_big += too_big;
        self.damaged += damaged;
        self.unrequested += unrequested;
        self.unattended += unattended;
    }
}

/// The account of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requested {
    /// Events from the source that the request wants.
    pub matched: u64,
    /// Events that modules of earlier requests made and that the request wants.
    pub created: u64,
    /// Events that went through all stages.
    pub kept: u64,
    /// Events that a module skipped.
    pub skipped: u64,
    /// Events that were lost to an error in a stage or in an output.
    pub failed: u64,
}

impl Requested {
    /// All numbers with the names that they have in the ODB.
    pub(crate) fn named(&self) -> [(&'static str, u64); 5] {
        [
            ("Matched", self.matched),
            ("Created", self.created),
            ("Kept", self.kept),
            ("Skipped", self.skipped),
            ("Failed", self.failed),
        ]
    }

    /// Adds another account.
    pub(crate) fn add(&mut self, other: &Requested) {
        let Requested { matched, created, kept, skipped, failed } = other;
        self.matched += matched;
        self.created += created;
        self.kept += kept;
        self.skipped += skipped;
        self.failed += failed;
    }
}

/// The account of one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entered {
    pub(crate) entered: u64,
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    /// Events that were timed, and their time: one in a few, so that timing costs nothing.
    pub(crate) timed: u64,
    pub(crate) nanos: u64,
}

/// An event that a stage lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The stage, or the request if its output failed.
    pub stage: String,
    /// Event id.
    pub id: u16,
    /// Serial number.
    pub serial: u32,
    /// Number of the event in its input, counted from 1.
    pub event: u64,
    /// Why.
    pub reason: String,
}

/// An event with broken banks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadBanks {
    pub(crate) id: u16,
    pub(crate) serial: u32,
    pub(crate) event: u64,
    /// First byte of the event in the uncompressed input.
    pub(crate) offset: u64,
    pub(crate) kind: DamageKind,
}

/// What a module has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Number of the event in its input.
    pub(crate) event: u64,
    /// Number of the stage.
    pub(crate) stage: u32,
    pub(crate) text: String,
}

record!(Offered { offered, delivered, left_out, overrun, stale, too_big, damaged, unrequested, unattended });
record!(Requested { matched, created, kept, skipped, failed });
record!(Entered { entered, skipped, failed, timed, nanos });
record!(Failure { stage, id, serial, event, reason });
record!(BadBanks { id, serial, event, offset, kind });
record!(Message { event, stage, text });

/// What is known of each event id. Ids are few and come in stretches.
#[derive(Clone, Debug, Default)]
pub(crate) struct ById<T> {
    ids: Vec<(u16, T)>,
    last: usize,
}

impl<T: Default> ById<T> {
    #[inline]
    fn id(&mut self, id: u16) -> &mut T {
        if self.ids.get(self.last).is_none_or(|(known, _)| *known != id) {
            self.last = match self.ids.iter().position(|(known, _)| *known == id) {
                Some(place) => place,
                None => {
                    self.ids.push((id, T::default()));
                    self.ids.len() - 1
                }
            };
        }
        &mut self.ids[self.last].1
    }

    fn clear(&mut self) {
        self.ids.clear();
        self.last = 0;
    }

    /// Adds those of another stretch of events, each by `add`.
    fn add(&mut self, other: &ById<T>, add: impl Fn(&mut T, &T)) {
        other.ids.iter().for_each(|(id, known)| add(self.id(*id), known));
    }
}

impl<T: Wire> Wire for ById<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.ids.put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<ById<T>, Malformed> {
        Ok(ById { ids: from.value()?, last: 0 })
    }
}

/// The accounts of one request.
pub(crate) type ByRequest = ById<Requested>;

impl ByRequest {
    /// Of all ids together.
    pub(crate) fn sum(&self) -> Requested {
        let mut sum = Requested::default();
        self.ids.iter().for_each(|(_, account)| sum.add(account));
        sum
    }

    /// Of each id.
    pub(crate) fn by_id(&self) -> BTreeMap<u16, Requested> {
        self.ids.iter().copied().collect()
    }
}

/// All that is counted in a stretch of events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    ids: ById<Source>,
    /// Others take the events that are missing between those of ours.
    is_shared: bool,
    requests: Vec<ByRequest>,
    pub(crate) stages: Vec<Entered>,
    pub(crate) system: u64,
    pub(crate) failures: Vec<Failure>,
    pub(crate) damage: Vec<BadBanks>,
    /// Events with broken banks, by what is wrong with them; of blocks that were added.
    pub(crate) reasons: BTreeMap<&'static str, u64>,
    /// Messages of modules.
    pub(crate) messages: Vec<Message>,
    /// Events with a value that their table could not take.
    pub(crate) retyped: u64,
}

/// The counts of one block, in which no other was added.
impl Wire for Counts {
    fn put(&self, to: &mut Vec<u8>) {
        let Counts { ids, requests, stages, system, failures, damage, messages, retyped, .. } = self;
        ids.put(to);
        requests.put(to);
        stages.put(to);
        system.put(to);
        failures.put(to);
        damage.put(to);
        messages.put(to);
        retyped.put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Counts, Malformed> {
        Ok(Counts {
            ids: from.value()?,
            is_shared: false,
            requests: from.value()?,
            stages: from.value()?,
            system: from.value()?,
            failures: from.value()?,
            damage: from.value()?,
            reasons: BTreeMap::new(),
            messages: from.value()?,
            retyped: from.value()?,
        })
    }
}

impl Counts {
    pub(crate) fn new(requests: usize, stages: usize) -> Counts {
        Counts {
            requests: vec![ByRequest::default(); requests],
            stages: vec![Entered::default(); stages],
            ..Counts::default()
        }
    }

    /// Others take a part of the events, or do not.
    pub(crate) fn shared(self, is_shared: bool) -> Counts {
        Counts { is_shared, ..self }
    }

    /// What is known of an event id at the source.
    #[inline]
    pub(crate) fn source(&mut self, id: u16) -> &mut Source {
        self.ids.id(id)
    }

    /// The account of an event id.
    #[inline]
    pub(crate) fn id(&mut self, id: u16) -> &mut Offered {
        &mut self.source(id).account
    }

    /// Adds what a live source tells of events that it could not hand on.
    pub(crate) fn miss(&mut self, missed: &BTreeMap<u16, Offered>) {
        missed.iter().for_each(|(id, missed)| self.source(*id).miss(missed));
    }

    /// The account of request `number` for an event id.
    #[inline]
    pub(crate) fn request(&mut self, number: usize, id: u16) -> &mut Requested {
        self.requests[number].id(id)
    }

    /// The accounts of the requests.
    pub(crate) fn requests(&self) -> &[ByRequest] {
        &self.requests
    }

    /// An event that request `number` wanted is lost.
    pub(crate) fn lose(&mut self, number: usize, failure: Failure) {
        self.request(number, failure.id).failed += 1;
        self.failures.push(failure);
    }

    /// Whether an event was lost.
    pub(crate) fn has_trouble(&self) -> bool {
        !self.failures.is_empty() || !self.damage.is_empty() || self.retyped > 0
    }

    pub(crate) fn by_id(&self) -> BTreeMap<u16, Offered> {
        self.ids.ids.iter().map(|(id, known)| (*id, known.told(self.is_shared))).collect()
    }

    /// Data events.
    pub(crate) fn offered(&self) -> u64 {
        self.ids.ids.iter().map(|(_, known)| known.account.offered).sum()
    }

    pub(crate) fn clear(&mut self) {
        self.ids.clear();
        self.requests.iter_mut().for_each(ById::clear);
        self.stages.fill(Entered::default());
        self.system = 0;
        self.retyped = 0;
        self.failures.clear();
        self.damage.clear();
        self.reasons.clear();
        self.messages.clear();
    }

    /// Puts what stages say at the end of the run in front: it is worth more than the twentieth remark on an
    /// event.
    pub(crate) fn say(&mut self, said: impl Iterator<Item = (u32, String)>) {
        let said = said.map(|(stage, text)| Message { event: u64::MAX, stage, text });
        self.messages.splice(0..0, said);
    }

    /// Adds what the fold found in the same block: failures and messages in the order of the events.
    pub(crate) fn join(&mut self, fold: &mut Counts) {
        self.add(fold, usize::MAX);
        self.failures.sort_by_key(|f| f.event);
        self.messages.sort_by_key(|m| m.event);
    }

    /// Adds the numbers of `other`, and its failures, damage and messages as long as there are
    /// fewer than `most` of each.
    pub(crate) fn add(&mut self, other: &Counts, most: usize) {
        self.ids.add(&other.ids, Source::add);
        for (sum, o) in self.requests.iter_mut().zip(&other.requests) {
            sum.add(o, Requested::add);
        }
        for (sum, o) in self.stages.iter_mut().zip(&other.stages) {
            sum.entered += o.entered;
            sum.skipped += o.skipped;
            sum.failed += o.failed;
            sum.timed += o.timed;
            sum.nanos += o.nanos;
        }
        self.system += other.system;
        self.retyped += other.retyped;
        let room = |len: usize| most.saturating_sub(len);
        self.failures.extend(other.failures.iter().take(room(self.failures.len())).cloned());
        for bad in &other.damage {
            *self.reasons.entry(bad.kind.reason()).or_default() += 1;
        }
        self.damage.extend(other.damage.iter().take(room(self.damage.len())).cloned());
        self.messages.extend(other.messages.iter().take(room(self.messages.len())).cloned());
    }
}
