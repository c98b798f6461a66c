//! Who reads events.

mod begin;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::{Acquire, SeqCst};
use std::time::{Duration, Instant};

use pactolus_formats::EventView;

use super::frame::{Account, Head};
use super::group;
use super::journal::{self, Record};
use super::layout::{slot, word};
use super::losses::Losses;
use super::reader::{self, Found};
use super::ring::{PRODUCER, Ring};
use super::words::Words;
use super::{Lost, Result, Transition, TransitionKind, bell, counts, slots};

/// What a consumer wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// How it calls itself.
    pub name: String,
    /// Every event: the producer waits for it.
    pub all: bool,
    /// Each event once for all consumers of this group, in place of each for every consumer.
    pub group: Option<String>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Events.
    Events {
        /// How many.
        count: u64,
        /// When.
        published: Instant,
    },
    /// A transition.
    Transition(Transition),
    /// Nothing at the moment.
    Nothing,
    /// Nothing ever: the stream was removed, or another has its name.
    Over,
}

/// Reads events in shared memory of this computer.
///
/// ```no_run
/// use std::time::Duration;
///
/// use pactolus::shm::{Consumer, Next, StreamName, Want};
///
/// let want = Want { name: "display".into(), ..Want::default() };
/// let mut stream = Consumer::attach(&StreamName::new("lxe")?, &want)?;
/// let mut events = Vec::new();
/// loop {
///     match stream.next(&mut events, None)? {
///         Next::Events { count, .. } => println!("{count} events, {} bytes", events.len()),
///         Next::Transition(transition) => println!("run {}: {:?}", transition.run, transition.kind),
///         Next::Nothing => drop(stream.wait(Duration::from_secs(1))),
///         Next::Over => break,
///     }
///     events.clear();
/// }
/// # Ok::<(), pactolus::shm::Error>(())
/// ```
pub struct Consumer {
    ring: Ring,
    slot: usize,
    all: bool,
    group: Option<usize>,
    /// All before was read, or passed over; of a group, its cursor says so.
    at: u64,
    /// The journal was read up to here; the next transition, and where the one behind it stands.
    journal: u64,
    ahead: Option<(Record, u64)>,
    /// What had happened before we came.
    coming: VecDeque<Transition>,
    /// A group takes older events than we have been told of, which are for those who were there.
    from: u64,
    losses: Losses,
    /// Something was overwritten, and it is not known of all ids how much.
    is_unsettled: bool,
    events: u64,
    accounts: Vec<Account>,
    totals: Vec<(u16, u64)>,
}

impl Consumer {
    /// What we hold back from being overwritten between two reads.
    fn holds(&self) -> Option<u64> {
        (self.all && self.group.is_none()).then_some(self.at)
    }

    /// Whether there is a transition that was not told, which is read then.
    fn look_ahead(&mut self) -> Result<bool> {
        if self.ahead.is_none() {
            let end = self.ring.map.load(word::JOURNAL, Acquire);
            if self.journal < end {
                let base = self.ring.layout.bytes();
                self.ahead = Some(journal::read(&self.ring.file, base, self.journal, end)?);
            }
        }
        Ok(self.ahead.is_some())
    }

    /// What comes next, without waiting. Events are added to `to`, as in a `.mid` file. If only some ids are
    /// wanted, the others are passed over, and count as lost.
    ///
    /// # Errors
    /// If the stream is damaged.
    pub fn next(&mut self, to: &mut Vec<u8>, only: Option<&[u16]>) -> Result<Next> {
        if let Some(transition) = self.coming.pop_front() {
            return Ok(Next::Transition(transition));
        }
        if self.is_evicted() {
            return self.begin_anew();
        }
        match self.read_on(to, only) {
            // It could not be read because of that.
            Err(_) if self.is_evicted() => self.begin_anew(),
            next => next,
        }
    }

    /// Transitions were given up that we have not read: that is told, and then what is now.
    fn begin_anew(&mut self) -> Result<Next> {
        self.begin(None, true)?;
        let kind = TransitionKind::Missed;
        Ok(Next::Transition(Transition { kind, run: 0, event: Vec::new(), is_replay: false }))
    }

    /// Whether transitions were given up that we have not read.
    fn is_evicted(&self) -> bool {
        self.ring.map.load(self.ring.layout.slot(self.slot) + slot::EVICTED, SeqCst) != 0
    }

    fn read_on(&mut self, to: &mut Vec<u8>, only: Option<&[u16]>) -> Result<Next> {
        loop {
            // A transition is written before what comes behind it is published.
            let published = self.ring.map.load(word::PUBLISHED, Acquire);
            let cursor = self.group.map(|group| group::cursor(&self.ring.map, &self.ring.layout, group));
            self.at = cursor.unwrap_or(self.at);
            let due = match self.look_ahead()? {
                true => self.ahead.as_ref().map(|(record, _)| record.position),
                false => None,
            };
            if due.is_some_and(|position| position <= self.at)
                && let Some((record, next)) = self.ahead.take()
            {
                return Ok(Next::Transition(self.tell(record, next)));
            }
            let end = due.unwrap_or(published).min(published);
            if self.at >= end {
                self.settle_idle()?;
                self.note();
                let is_over =
                    self.ring.is_retired() && self.at >= self.ring.map.load(word::PUBLISHED, Acquire);
                return Ok(if is_over { Next::Over } else { Next::Nothing });
            }
            let found = match self.group {
                None => self.read(end, to, only)?,
                Some(group) if self.at < self.from => {
                    if group::has_others(&self.ring, group, self.slot) {
                        return Ok(Next::Nothing);
                    }
                    // They are gone, and have left this to nobody.
                    self.is_unsettled = true;
                    group::advance(&self.ring.map, &self.ring.layout, group, (self.at, self.from));
                    None
                }
                Some(group) => self.take(group, end, to, only)?,
            };
            if let Some(next) = found {
                return Ok(next);
            }
        }
    }

    /// Reads the frame at our place; `None`: look again.
    fn read(&mut self, end: u64, to: &mut Vec<u8>, only: Option<&[u16]>) -> Result<Option<Next>> {
        let Some(head) = self.head(end)? else {
            self.at = self.overtaken();
            return Ok(None);
        };
        let begin = to.len();
        let wanted = self.is_wanted(only);
        if wanted && !self.copy((self.at, &head), to) {
            self.at = self.overtaken();
            return Ok(None);
        }
        self.at += head.length;
        slots::hold(&self.ring.map, &self.ring.layout, self.slot, self.holds());
        self.make_room();
        self.losses.read(&self.accounts);
        self.keep(&head, (to, begin), only.filter(|_| wanted), wanted)
    }

    /// Takes the next frame of a group, unless another takes it; `None`: look again.
    fn take(
        &mut self,
        group: usize,
        end: u64,
        to: &mut Vec<u8>,
        only: Option<&[u16]>,
    ) -> Result<Option<Next>> {
        let at = self.at;
        // While others go on, this is not overwritten, if the group wants all.
        if !group::hold(&self.ring.map, &self.ring.layout, (group, self.slot), at) {
            self.let_go();
            return Ok(None);
        }
        let Some(head) = self.head(end)? else {
            let next = self.overtaken();
            group::advance(&self.ring.map, &self.ring.layout, group, (at, next));
            self.let_go();
            return Ok(None);
        };
        if !group::advance(&self.ring.map, &self.ring.layout, group, (at, at + head.length)) {
            self.let_go();
            return Ok(None);
        }
        group::count(&self.ring.map, &self.ring.layout, group, &self.accounts);
        let begin = to.len();
        let mut wanted = self.is_wanted(only);
        if wanted {
            wanted = self.copy((at, &head), to);
        }
        self.let_go();
        self.keep(&head, (to, begin), only.filter(|_| wanted), wanted)
    }

    /// Nothing is in our hand: what is held for nothing, the producer would wait for.
    fn let_go(&self) {
        slots::hold(&self.ring.map, &self.ring.layout, self.slot, None);
        self.make_room();
    }

    /// Wakes the producer where it waits for us, once it can write more than a frame.
    fn make_room(&self) {
        if self.all && self.backlog() <= self.size() / 4 * 3 {
            self.ring.make_room();
        }
    }

    /// The frame at our place and its accounts; `None` if it was overwritten.
    fn head(&mut self, end: u64) -> Result<Option<Head>> {
        let (map, layout) = (&self.ring.map, &self.ring.layout);
        match reader::head(map, layout, (self.at, end), &mut self.accounts) {
            Found::Frame(head) => Ok(Some(head)),
            Found::Overwritten => Ok(None),
            Found::Nonsense => {
                let at = layout.at(self.at) * 8;
                Err(self.ring.damaged(format!("a frame wanted at byte {at}, something else found")))
            }
        }
    }

    fn is_wanted(&self, only: Option<&[u16]>) -> bool {
        only.is_none_or(|only| self.accounts.iter().any(|account| only.contains(&account.id)))
    }

    /// Adds the events of the frame at a position; whether it was not overwritten meanwhile.
    fn copy(&self, (at, head): (u64, &Head), to: &mut Vec<u8>) -> bool {
        let begin = to.len();
        reader::copy(&self.ring.map, &self.ring.layout, (at, head), to);
        let is_valid = reader::is_valid(&self.ring.map, &self.ring.layout, at);
        if !is_valid {
            to.truncate(begin);
        }
        is_valid
    }

    /// Where to go on behind what was overwritten; but no transition is passed over.
    fn overtaken(&mut self) -> u64 {
        self.is_unsettled = true;
        let next = reader::next_mark(&self.ring.map, &self.ring.layout, self.at);
        self.ahead.as_ref().map_or(next, |(record, _)| record.position.min(next))
    }

    /// Keeps what is wanted of a frame that was read, and counts the rest.
    fn keep(
        &mut self,
        head: &Head,
        (to, begin): (&mut Vec<u8>, usize),
        only: Option<&[u16]>,
        wanted: bool,
    ) -> Result<Option<Next>> {
        if self.accounts.is_empty() {
            return Ok(None);
        }
        let mut count = head.events;
        for account in &self.accounts {
            let events = u64::from(account.events);
            let is_kept = wanted && only.is_none_or(|only| only.contains(&account.id));
            if account.is_too_big {
                self.losses.too_big(account.id, events);
            } else if !is_kept {
                self.losses.miss(account.id, events);
                count = count.saturating_sub(events);
            }
        }
        if let Some(only) = only {
            retain(to, begin, only).map_err(|at| {
                let place = self.ring.layout.at(self.at.wrapping_sub(head.length)) * 8;
                self.ring.damaged(format!(
                    "an event wanted at byte {at} of the frame at {place}, a part of one found"
                ))
            })?;
        }
        self.events = self.events.saturating_add(count);
        self.note();
        let age = Duration::from_nanos(bell::now().saturating_sub(head.time));
        let now = Instant::now();
        Ok(Some(Next::Events { count, published: now.checked_sub(age).unwrap_or(now) }))
    }

    /// Says in our slot how far we are.
    fn note(&self) {
        let at = self.ring.layout.slot(self.slot);
        let known =
            [(slot::EVENTS, self.events), (slot::OVERRUN, self.losses.overrun), (slot::READ, self.at)];
        known.into_iter().for_each(|(word, value)| self.ring.map.set(at + word, value));
    }

    /// Counts what was missed before a transition, and tells it.
    fn tell(&mut self, record: Record, next: u64) -> Transition {
        match self.group {
            None => self.losses.settle(&record.totals),
            Some(group) => self.settle_group(group, record.position, &record.totals),
        }
        self.journal = next;
        let at = self.ring.layout.slot(self.slot);
        self.ring.map.set(at + slot::JOURNAL, next);
        Transition::of(record, false)
    }

    /// One of a group, once all have what they have taken, tells what none has.
    fn settle_group(&mut self, group: usize, position: u64, totals: &[(u16, u64)]) {
        for (id, missing) in group::settle(&self.ring, (group, self.slot), position, totals) {
            self.losses.miss(id, missing);
        }
    }

    /// Counts what was missed, where nothing is left to be read.
    fn settle_idle(&mut self) -> Result<()> {
        if !self.is_unsettled {
            return Ok(());
        }
        let mut totals = std::mem::take(&mut self.totals);
        let mut at = counts::consistent(&self.ring.map, &self.ring.layout, &mut totals);
        if at != Some(self.at) && self.put_right()? {
            at = counts::consistent(&self.ring.map, &self.ring.layout, &mut totals);
        }
        if at == Some(self.at) {
            self.is_unsettled = false;
            match self.group {
                None => self.losses.settle(&totals),
                Some(group) => self.settle_group(group, self.at, &totals),
            }
        }
        self.totals = totals;
        Ok(())
    }

    /// Waits for something, but not longer than this; whether there still is nothing.
    pub fn wait(&self, longest: Duration) -> bool {
        let is_something = || {
            let at = self.place();
            let published = self.ring.map.load(word::PUBLISHED, Acquire);
            // What is before our begin others take, and nothing comes to us before they have.
            let is_ahead = || self.ring.map.load(word::JOURNAL, Acquire) > self.journal;
            (at >= self.from && (published > at || is_ahead()))
                || !self.coming.is_empty()
                || self.ring.is_retired()
        };
        if !is_something() {
            let (bell, asleep) = self.ring.map.bell(word::BELL);
            bell::sleep(bell, asleep, longest, is_something);
        }
        !is_something()
    }

    /// All before was read by us, or taken by our group.
    fn place(&self) -> u64 {
        let cursor = |group| group::cursor(&self.ring.map, &self.ring.layout, group);
        self.group.map_or(self.at, cursor)
    }

    /// Whether somebody publishes. Where nobody does, it is also seen that the stream was removed by hand.
    pub fn has_producer(&self) -> bool {
        let is_there = self.ring.is_locked(PRODUCER);
        if !is_there && !self.ring.file.is_current() {
            self.ring.retire();
        }
        is_there
    }

    /// Bytes that are published and were not read.
    pub fn backlog(&self) -> u64 {
        self.ring.map.get(word::PUBLISHED).saturating_sub(self.place())
    }

    /// Bytes of events that the stream holds.
    pub fn size(&self) -> u64 {
        self.ring.layout.size
    }

    /// When it was made: what tells it from another of its name.
    pub fn stamp(&self) -> u64 {
        self.ring.map.get(word::STAMP)
    }

    /// Events that were not read since the last call, by id.
    pub fn missed(&mut self) -> BTreeMap<u16, Lost> {
        self.losses.take()
    }

    /// How long consumers were waited for since the stream was made.
    pub fn back_pressure(&self) -> Duration {
        // One who was killed waits no more.
        self.ring.waited(|| self.ring.is_locked(PRODUCER))
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        slots::clear(&self.ring.map, &self.ring.layout, self.slot);
        self.ring.unlock(Ring::slot_lock(self.slot));
        self.ring.make_room();
        self.ring.leave();
    }
}

/// Leaves only events of these ids behind a place; where one is not whole, if so.
fn retain(bytes: &mut Vec<u8>, begin: usize, only: &[u16]) -> std::result::Result<(), usize> {
    let (mut from, mut to) = (begin, begin);
    while from < bytes.len() {
        let Some((event, rest)) = EventView::parse(&bytes[from..]) else {
            bytes.truncate(begin);
            return Err(from - begin);
        };
        let next = bytes.len() - rest.len();
        if only.contains(&event.header.id) {
            bytes.copy_within(from..next, to);
            to += next - from;
        }
        from = next;
    }
    bytes.truncate(to);
    Ok(())
}
