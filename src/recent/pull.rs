//! The thread that reads the stream.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::hand::{Gap, Hand};
use super::ring::{Attach, Ring};
use super::stream::{Shm, StopAt};
use crate::Error;
use crate::feed::{Ended, Hearing, Item, Spool, counted_as, headers};
use crate::job::Stop;
use crate::shm::{self, Lost, Next, Transition, TransitionKind};

/// How long nobody asks whether the job has ended, or whether there is a producer.
const NAP: Duration = Duration::from_millis(100);

/// How often a stream that is not there is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// How events are taken while the analysis is behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Taking {
    /// None is passed over.
    pub(super) all: bool,
    /// Others may take them.
    pub(super) split: bool,
    /// Events of these ids are taken nevertheless.
    pub(super) reserved: Vec<u16>,
}

/// Reads the stream.
pub(super) struct Puller {
    shm: Shm,
    taking: Taking,
    attach: Attach,
    ring: Option<Box<dyn Ring>>,
    spool: Spool,
    /// The job is asked to end.
    stop: Stop,
    run: Option<Hand>,
    hearing: Hearing,
    /// There is no producer.
    is_alone: bool,
    /// Why it could not be attached to, as it was said last.
    said: String,
    /// How long the producer has waited, as it was told last.
    pressure: Duration,
    /// When it was looked at how much waits.
    looked: Instant,
}

impl Drop for Puller {
    /// Nobody is to wait for it, also if it has failed.
    fn drop(&mut self) {
        self.hearing.over(Some(Ended::Lost(format!("{}: the thread that reads it has failed", self.shm))));
    }
}

impl Puller {
    pub(super) fn new(shm: Shm, (taking, attach): (Taking, Attach), spool: Spool, stop: &Stop) -> Puller {
        Puller {
            hearing: Hearing::new(&spool, &shm, shm.timeout),
            shm,
            taking,
            attach,
            ring: None,
            spool,
            stop: stop.clone(),
            run: None,
            is_alone: false,
            said: String::new(),
            pressure: Duration::ZERO,
            looked: Instant::now(),
        }
    }

    /// Attaches, if it is there or need not be.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        match (self.attach)() {
            Ok(ring) => self.attached(ring),
            Err(error) if error.is_away() && self.shm.stop == StopAt::Never => self.waits(&error),
            Err(error) => {
                // It is told now.
                self.hearing.fails();
                return Err(Error::Shm { name: self.shm.to_string(), source: Box::new(error) });
            }
        }
        Ok(())
    }

    /// Reads until nobody wants more.
    pub(super) fn run(mut self) {
        while !self.ends() {
            let Some(mut ring) = self.ring.take() else {
                self.look();
                continue;
            };
            match self.pull(&mut *ring) {
                Ok(true) => self.ring = Some(ring),
                Ok(false) => {}
                Err(error) => {
                    self.spool.say(format!("{}: {error}; attaching anew", self.shm));
                    self.part(format!("{} could not be read", self.shm));
                    // What is damaged is so at the next moment, too.
                    self.spool.rests(LOOK);
                }
            }
        }
        // Nobody has asked for more, or it is over already.
        self.hearing.over(None);
    }

    fn ends(&self) -> bool {
        self.hearing.is_over() || self.spool.stops() || self.stop.is_asked()
    }

    fn attached(&mut self, ring: Box<dyn Ring>) {
        if !self.said.is_empty() {
            self.spool.say(format!("{}: attached", self.shm));
            self.said.clear();
        }
        self.pressure = ring.back_pressure();
        self.is_alone = false;
        self.ring = Some(ring);
    }

    /// It cannot be attached to now.
    fn waits(&mut self, error: &shm::Error) {
        let why = error.to_string();
        if why != self.said {
            let waits = if error.is_away() { "waiting for it" } else { "still trying" };
            self.spool.say(format!("{}: {why}; {waits}", self.shm));
            self.said = why;
        }
    }

    /// Looks whether it is there again.
    fn look(&mut self) {
        match (self.attach)() {
            Ok(ring) => return self.attached(ring),
            Err(error) => self.waits(&error),
        }
        self.spool.set_level(0);
        if !self.hearing.is_silent_too_long() {
            self.spool.rests(LOOK);
        }
    }

    /// Takes what comes next, or waits for it; whether it is still attached.
    fn pull(&mut self, ring: &mut dyn Ring) -> shm::Result<bool> {
        if self.looked.elapsed() >= NAP {
            self.level(ring);
        }
        let is_full = self.spool.is_full(Duration::ZERO);
        if is_full && self.leaves(ring) {
            // It may be long until there is room, and nobody misses anything meanwhile.
            self.hearing.hears();
            self.spool.is_full(NAP);
            return Ok(true);
        }
        let mut piece = self.spool.piece();
        let only = is_full.then_some(&*self.taking.reserved);
        let next = ring.next(&mut piece, only)?;
        if let Next::Transition(transition) = next {
            self.spool.give_back(piece);
            self.hearing.hears();
            self.transition(ring, transition);
            return Ok(true);
        }
        self.settle(ring);
        match next {
            Next::Events { published, .. } => {
                self.hearing.hears();
                self.events(piece, published, is_full);
            }
            Next::Nothing => {
                self.spool.give_back(piece);
                self.wait(ring);
            }
            Next::Over => {
                self.spool.say(format!("{} was removed; waiting for another", self.shm));
                self.part(format!("{} was removed", self.shm));
                return Ok(false);
            }
            Next::Transition(_) => {}
        }
        Ok(true)
    }

    /// Whether events stay where they are while there is no room for them: the producer waits, or others take
    /// them.
    fn leaves(&self, ring: &dyn Ring) -> bool {
        self.taking.all || self.taking.split && ring.backlog() <= ring.size() / 2
    }

    /// Says how much waits.
    fn level(&mut self, ring: &dyn Ring) {
        self.spool.set_level(ring.backlog());
        self.looked = Instant::now();
    }

    /// Gives events to the run in hand.
    fn events(&mut self, piece: Vec<u8>, published: Instant, is_full: bool) {
        self.back();
        self.close_short();
        match &self.run {
            Some(run) if run.takes() && is_full => self.spool.reserve(&piece),
            Some(run) if run.takes() && !piece.is_empty() => {
                return self.spool.events_of(piece, published);
            }
            Some(run) if run.is_unwanted => {}
            _ => {
                for id in headers(&piece).filter_map(|header| counted_as(header.id)) {
                    self.hearing.outside(id, 1);
                }
            }
        }
        self.spool.give_back(piece);
    }

    /// Takes note of what was missed, up to what came last.
    fn settle(&mut self, ring: &mut dyn Ring) {
        let missed = ring.missed();
        self.miss(missed, false);
        self.press(ring);
    }

    /// How long the producer has waited since the last time.
    fn press(&mut self, ring: &dyn Ring) {
        let pressure = ring.back_pressure();
        let waited = pressure.saturating_sub(std::mem::replace(&mut self.pressure, pressure));
        if !waited.is_zero() && self.run.as_ref().is_some_and(Hand::takes) {
            self.spool.waited(waited);
        }
    }

    /// Accounts for events that were missed in the run in hand. In one that goes on after a gap, what came before
    /// us is what came within the gap.
    fn miss(&mut self, missed: BTreeMap<u16, Lost>, is_again: bool) {
        for (id, Lost { overrun, too_big, unattended }) in missed {
            let Some(id) = counted_as(id) else { continue };
            let (overrun, unattended) =
                if is_again { (overrun + unattended, 0) } else { (overrun, unattended) };
            match &self.run {
                Some(run) if !run.is_unwanted => self.spool.miss(id, |account| {
                    account.offered += overrun + too_big;
                    account.overrun += overrun;
                    account.too_big += too_big;
                    account.unattended += unattended;
                }),
                Some(_) => {}
                None if overrun > 0 => self.hearing.outside(id, overrun),
                None => {}
            }
        }
    }

    /// Nothing is there: waits for something.
    fn wait(&mut self, ring: &dyn Ring) {
        self.close_short();
        self.level(ring);
        if !ring.wait(NAP) {
            return;
        }
        if ring.has_producer() {
            self.back();
        } else if !self.is_alone && ring.wait(Duration::ZERO) {
            // It has published nothing before it went.
            self.alone();
        }
        self.hearing.is_silent_too_long();
    }

    /// The producer is gone.
    fn alone(&mut self) {
        if std::mem::replace(&mut self.is_alone, true) {
            return;
        }
        let run = self.run.as_ref().filter(|run| run.takes()).map(|run| run.number);
        let within = run.map_or_else(String::new, |run| format!(" within run {run}"));
        if self.shm.stop == StopAt::EndRun {
            let none = if run.is_none() { ", and no run has begun" } else { "" };
            return self
                .hearing
                .over(Some(Ended::Lost(format!("{}: its producer is gone{within}{none}", self.shm))));
        }
        self.spool.say(format!("{}: its producer is gone{within}; waiting for another", self.shm));
        self.open_gap(format!("the producer of {} was gone", self.shm), false);
    }

    /// The run was not ended: its producer is gone, or has begun anew.
    fn cut(&mut self, ring: &dyn Ring, run: u32) {
        // One that leaves says so before it is gone; one that begins anew goes on at once.
        let is_gone = || !ring.has_producer();
        if is_gone() || ring.wait(NAP) && is_gone() {
            return self.alone();
        }
        if self.run.as_ref().is_some_and(Hand::takes) {
            let why = format!("{}: run {run} was cut: its producer has begun anew", self.shm);
            if self.shm.stop == StopAt::EndRun {
                return self.hearing.over(Some(Ended::Lost(why)));
            }
            self.spool.say(why);
        }
        self.open_gap(format!("the producer of {} has begun anew", self.shm), false);
    }

    /// There is a producer.
    fn back(&mut self) {
        if std::mem::replace(&mut self.is_alone, false) {
            self.spool.say(format!("{}: its producer is back", self.shm));
        }
    }

    /// It is not the stream any more that it was.
    fn part(&mut self, why: String) {
        if self.shm.stop == StopAt::EndRun {
            return self.hearing.over(Some(Ended::Lost(why)));
        }
        self.open_gap(why, false);
    }

    /// Something is missing in the run in hand.
    fn open_gap(&mut self, why: String, is_short: bool) {
        if let Some(run) = self.run.as_mut().filter(|run| run.gap.is_none()) {
            if !run.is_unwanted {
                self.spool.push(Item::Broken);
            }
            run.gap = Some(Gap::new(why, is_short));
        }
    }

    /// The run in hand would have been told at once, if it went on.
    fn close_short(&mut self) {
        if self.run.as_ref().is_some_and(|run| run.gap.as_ref().is_some_and(|gap| gap.is_short)) {
            self.give_up();
        }
    }

    /// The run in hand has ended otherwise than with its EOR.
    fn give_up(&mut self) {
        let Some(run) = self.run.take() else { return };
        if !run.is_unwanted {
            if run.gap.is_none() {
                self.spool.push(Item::Broken);
            }
            self.spool.push(Item::Gone(run.gone()));
        }
        self.left(&run);
    }

    /// The run is over, for us.
    fn left(&mut self, run: &Hand) {
        let is_last = self.shm.runs.is_some_and(|(_, last)| run.number >= last);
        if is_last || self.shm.stop == StopAt::EndRun && !run.is_unwanted {
            self.hearing.over(None);
        }
    }

    /// A transition comes in its turn.
    fn transition(&mut self, ring: &mut dyn Ring, told: Transition) {
        // Texts of the ODB are large, and none may be left out.
        while self.spool.is_choked(NAP) && !self.ends() {}
        self.hearing.hears();
        let Transition { kind, run, event, is_replay } = told;
        // Where transitions were given up, what is missing is told with the begin that follows, and is not all of
        // the run in hand.
        if !matches!(kind, TransitionKind::Begin | TransitionKind::Missed) {
            self.settle(ring);
        }
        match kind {
            TransitionKind::Begin => self.begin_run(ring, run, event, is_replay),
            TransitionKind::End => {
                let is_told = |hand: &mut Hand| hand.number == run && hand.gap.is_none();
                let Some(hand) = self.run.take_if(is_told) else { return self.give_up() };
                if !hand.is_unwanted {
                    self.boundary(event);
                    self.spool.push(Item::End);
                }
                self.left(&hand);
            }
            TransitionKind::Pause | TransitionKind::Resume => {
                if self.run.as_ref().is_some_and(Hand::takes) {
                    self.spool.push(Item::Paused(kind == TransitionKind::Pause));
                }
            }
            TransitionKind::Cut => self.cut(ring, run),
            TransitionKind::Missed => {
                let why =
                    format!("nothing was read of {} for so long that transitions were given up", self.shm);
                self.spool.say(why.clone());
                self.open_gap(why, true);
            }
        }
    }

    fn begin_run(&mut self, ring: &mut dyn Ring, run: u32, event: Vec<u8>, is_replay: bool) {
        let missed = ring.missed();
        if is_replay {
            self.press(ring);
        }
        self.back();
        if let Some(hand) = self.run.as_mut().filter(|hand| hand.number == run)
            && let Some(gap) = hand.gap.take()
        {
            if !hand.is_unwanted {
                self.spool.push(Item::Again(gap.closed()));
            }
            // In the same stream, that is what we have had: serial numbers tell what is missing.
            let is_known = is_replay && std::mem::replace(&mut hand.stamp, ring.stamp()) == ring.stamp();
            if !is_known || gap.is_short {
                self.miss(missed, true);
            }
            return;
        }
        // What was overrun is of what was before.
        let unattended = |lost: Lost| Lost { unattended: lost.unattended, ..Lost::default() };
        let overrun = missed.iter().map(|(id, lost)| (*id, Lost { unattended: 0, ..*lost }));
        self.miss(overrun.collect(), false);
        self.give_up();
        if self.hearing.is_over() {
            return;
        }
        let range = self.shm.runs;
        let is_behind = range.is_some_and(|(_, last)| run > last);
        if let Some((first, last)) = range.filter(|_| is_behind) {
            self.spool.say(format!(
                "{} is at run {run}, behind those that are wanted (-r {first} {last})",
                self.shm
            ));
            return self.hearing.over(None);
        }
        let is_unwanted = range.is_some_and(|(first, _)| run < first);
        self.run = Some(Hand { number: run, stamp: ring.stamp(), is_unwanted, gap: None });
        if is_unwanted {
            return;
        }
        self.hearing.begins(run);
        // It is accounted for before anything of the run.
        let before = missed.iter().filter_map(|(id, lost)| counted_as(*id).map(|_| lost.unattended));
        let before: u64 = before.sum();
        self.miss(missed.into_iter().map(|(id, lost)| (id, unattended(lost))).collect(), false);
        self.boundary(event);
        // Whoever publishes may be ahead, and has waited since in this run.
        self.press(ring);
        if is_replay {
            let rest = match before {
                0 => String::new(),
                1 => ", of which 1 event was published before".into(),
                n => format!(", of which {n} events were published before"),
            };
            self.spool.say(format!("{}: attached within run {run}{rest}", self.shm));
        }
    }

    /// A BOR or an EOR.
    fn boundary(&self, event: Vec<u8>) {
        if !event.is_empty() {
            self.spool.boundary(event);
        }
    }
}
