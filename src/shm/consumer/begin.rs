//! How a consumer comes to a stream, be it in the midst of a run.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::{Acquire, SeqCst};
use std::time::{Duration, Instant};

use super::{Consumer, Want};
use crate::shm::group::{self, Joined};
use crate::shm::journal::Record;
use crate::shm::layout::{NAME, SLOTS, slot, word};
use crate::shm::losses::Losses;
use crate::shm::ring::{PRODUCER, Ring};
use crate::shm::slots::{self, Slot};
use crate::shm::words::{Words, put_text};
use crate::shm::{Error, Result, StreamName, Transition, TransitionKind, counts};

/// How long it is tried to attach to a stream that is just replaced, and to see totals that hold.
const PATIENCE: Duration = Duration::from_secs(1);

impl Consumer {
    /// Attaches to a stream. A run that is going on is told first, with its ODB.
    ///
    /// # Errors
    /// [`Error::Absent`] if nobody has made it; if the system does not let us.
    pub fn attach(name: &StreamName, want: &Want) -> Result<Consumer> {
        let until = Instant::now() + PATIENCE;
        loop {
            let ring = Ring::open(name)?;
            let mut free = 0..SLOTS;
            let slot = free.find_map(|slot| match ring.try_lock(Ring::slot_lock(slot)) {
                Ok(false) => None,
                taken => Some(taken.map(|_| slot)),
            });
            let slot = slot.transpose()?;
            if let Some(slot) = slot.filter(|_| ring.is_current()) {
                return Consumer::new(ring, slot, want);
            }
            if Instant::now() > until {
                return Err(match slot {
                    None => {
                        Error::TooMany { what: "this stream has no place for another consumer", most: SLOTS }
                    }
                    // It was removed, but its name was not.
                    Some(_) => Error::Absent { hint: String::new() },
                });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn new(ring: Ring, slot: usize, want: &Want) -> Result<Consumer> {
        let ids = ring.layout.ids;
        let mut consumer = Consumer {
            ring,
            slot,
            all: want.all,
            group: None,
            at: 0,
            journal: 0,
            ahead: None,
            coming: VecDeque::new(),
            from: 0,
            losses: Losses::new(ids),
            is_unsettled: false,
            events: 0,
            accounts: Vec::new(),
            totals: Vec::new(),
        };
        let (map, layout) = (&consumer.ring.map, &consumer.ring.layout);
        // What one who is dead has left there holds nobody up any more.
        slots::clear(map, layout, slot);
        let at = layout.slot(slot);
        put_text(map, at + slot::NAME, NAME, &want.name);
        map.set(at + slot::PID, u64::from(std::process::id()));
        consumer.begin(want.group.as_deref(), false)?;
        Ok(consumer)
    }

    /// Begins where the stream is now; anew, if transitions were given up.
    pub(super) fn begin(&mut self, group: Option<&str>, is_anew: bool) -> Result<()> {
        let (map, layout) = (self.ring.map.clone(), self.ring.layout);
        map.store(layout.slot(self.slot) + slot::EVICTED, 0, SeqCst);
        // From the begin of the last run on, nothing is given back of the journal once this is seen; and nothing
        // behind our place is overwritten, if we want all.
        let from = loop {
            let journal = map.load(word::BEGUN, Acquire).saturating_sub(1);
            let held = Some(map.load(word::COUNTED, Acquire));
            let taken = Slot { all: self.all, group: self.group, held, journal };
            slots::put(&map, &layout, self.slot, &taken);
            if map.load(word::BEGUN, SeqCst).saturating_sub(1) == journal {
                break journal;
            }
        };
        self.at = self.settle_totals()?;
        let mut is_first = self.group.is_none();
        if let Some(name) = group {
            let joined = group::join(&self.ring, (name, self.slot), (self.at, &self.totals))?;
            let Joined { group, is_new } = joined;
            (self.group, is_first) = (Some(group), is_new);
        }
        self.journal = from;
        self.ahead = None;
        let mut run = self.replay()?.into_iter();
        let begun = run.next();
        let begin = begun.as_ref().map_or(&self.totals, |record| &record.totals);
        match is_anew && self.group.is_none() {
            // What came before the run that goes on now was missed of those before.
            true => self.losses.settle(begin),
            false => self.losses.begin(begin),
        }
        // What was before us in a group, the others have attended to.
        self.losses.attend(&self.totals, is_first);
        // What is before the run that goes on, or before us, is for those who were there.
        self.from = begun.as_ref().map_or(self.at, |begun| begun.position);
        if let Some(begun) = begun {
            self.coming.push_back(Transition::of(begun, true));
        }
        for record in run {
            let is_pause = TransitionKind::from_code(record.kind) == Some(TransitionKind::Pause);
            let is_paused = self.coming.back().is_some_and(|last| last.kind == TransitionKind::Pause);
            match (is_pause, is_paused) {
                (true, false) => self.coming.push_back(Transition::of(record, true)),
                (false, true) => drop(self.coming.pop_back()),
                _ => {}
            }
        }
        if let Some(group) = self.group {
            self.at = group::cursor(&map, &layout, group);
        }
        self.note();
        slots::hold(&map, &layout, self.slot, self.holds());
        self.ring.make_room();
        Ok(())
    }

    /// Totals that hold, and for which position.
    fn settle_totals(&mut self) -> Result<u64> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = counts::consistent(&self.ring.map, &self.ring.layout, &mut self.totals) {
                return Ok(at);
            }
            if !self.put_right()? && Instant::now() > until {
                return Err(Error::Stalled { pid: self.ring.map.get(word::PID) as u32 });
            }
            std::thread::yield_now();
        }
    }

    /// A producer that was killed in between is put right, if not by the next one then by us; whether there is none.
    pub(super) fn put_right(&self) -> Result<bool> {
        if !self.ring.try_lock(PRODUCER)? {
            return Ok(false);
        }
        let published = self.ring.map.load(word::PUBLISHED, Acquire);
        let settled = counts::settle(&self.ring.map, &self.ring.layout, published);
        self.ring.unlock(PRODUCER);
        settled.map(|()| true).map_err(|why| self.ring.damaged(why))
    }

    /// The run that is going on, as the transitions before our begin say: its begin, and what came behind.
    fn replay(&mut self) -> Result<Vec<Record>> {
        let mut run = Vec::new();
        while self.look_ahead()? && self.ahead.as_ref().is_some_and(|(record, _)| record.position <= self.at)
        {
            let Some((record, next)) = self.ahead.take() else { break };
            self.journal = next;
            match TransitionKind::from_code(record.kind) {
                Some(TransitionKind::Begin) => run = vec![record],
                Some(TransitionKind::Pause | TransitionKind::Resume) if !run.is_empty() => run.push(record),
                _ => run.clear(),
            }
        }
        let at = self.ring.layout.slot(self.slot);
        self.ring.map.set(at + slot::JOURNAL, self.journal);
        Ok(run)
    }
}
