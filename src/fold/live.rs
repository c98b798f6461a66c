//! How far a live job is: what is told several times a second, whatever the size of blocks.

use std::time::{Duration, Instant};

use pactolus_formats::Damage;
use serde::Serialize;

use super::{Fold, SHOWN};
use crate::job::{InputFile, Job};
use crate::ledger::Offered;
use crate::online::{Falling, Growth, Lag, News, Online, Queue};

/// How often somebody is told at the most.
const PERIOD: Duration = Duration::from_millis(100);

/// Runs that a live job reports whole, files and warnings that it lists; of those before, sums are kept.
const RUNS: usize = 10;
const LISTED: usize = 1000;

/// How far a live job is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LiveProgress {
    /// How far it is behind.
    pub lag: Lag,
    /// The lag grows all the time.
    pub falling_behind: bool,
    /// Blocks on their way.
    pub queue: Queue,
    /// The epoch in force.
    pub epoch: u32,
    /// The account at the source, of all event ids of the run.
    pub source: Offered,
    /// Events that a stage or output has lost in the run.
    pub failed: u64,
    /// Places with broken bytes in the run, each of which may have cost an event or more.
    pub broken: u64,
    /// No run has begun, or the last has ended.
    pub is_waiting: bool,
    /// The run is paused.
    pub is_paused: bool,
}

/// What a live job knows of its source.
pub(super) struct Watch {
    pub(super) online: Online,
    growth: Growth,
    falling: Falling,
    lag: Lag,
    told: Instant,
}

impl Watch {
    pub(super) fn new(job: &Job, online: Online) -> Watch {
        let now = Instant::now();
        let patience = job.live.as_ref().map_or(Duration::MAX, |live| live.patience());
        Watch {
            online,
            growth: Growth::new(now),
            falling: Falling::new(patience),
            lag: Lag::default(),
            // The first is told at once.
            told: now.checked_sub(PERIOD).unwrap_or(now),
        }
    }

    /// Looks how far the writer is; of the `done` bytes that were analyzed, so many are `events`.
    fn look(&mut self, done: u64, events: u64) -> Option<News> {
        let now = Instant::now();
        let written = self.online.gauge.written()?;
        let (bytes, age) = self.growth.lag(now, written, done);
        let each = done as f64 / events.max(1) as f64;
        let waiting = if done > 0 && each > 0.0 { (bytes as f64 / each) as u64 } else { 0 };
        self.lag = Lag { bytes, events: waiting, seconds: age.as_secs_f64() };
        self.falling.look(now, self.lag.seconds)
    }
}

impl Fold<'_> {
    /// Whether it is time to tell somebody; always if the job is not live.
    pub(super) fn is_due(&mut self) -> bool {
        let Some(watch) = &mut self.watch else { return true };
        let due = watch.told.elapsed() >= PERIOD;
        if due {
            watch.told = Instant::now();
        }
        due
    }

    /// Looks how far behind the job is.
    pub(super) fn look(&mut self) {
        let run = self.live.as_ref().map_or(0, |live| live.counts.offered() + live.counts.system);
        let (done, events) = (self.read.0, self.events_before + run);
        let Some(watch) = &mut self.watch else { return };
        let news = watch.look(done, events);
        let Lag { bytes, events, seconds } = watch.lag;
        match news {
            Some(News::Falls) => self.warn(format!(
                "falling behind: {seconds:.1} s, {bytes} bytes, about {events} events, and it grows"
            )),
            // Each time anew, so that it is not taken for the one before.
            Some(News::CaughtUp) => self.warn(format!(
                "not falling behind any more: {seconds:.1} s, {bytes} bytes, about {events} events"
            )),
            None => {}
        }
    }

    /// Tells of broken bytes when they come: the report of a live job may come days later.
    pub(super) fn broken(&mut self, input: &InputFile, damage: &Damage) {
        let known = self.live.as_mut().map_or(0, |live| {
            live.broken += 1;
            live.broken
        });
        if self.watch.is_some() && known <= SHOWN {
            self.warn(format!("damage in {}: {damage}", input.path.display()));
        }
    }

    /// What is to be told of a live job.
    pub(super) fn live_progress(&self) -> Option<LiveProgress> {
        let watch = self.watch.as_ref()?;
        let mut progress = LiveProgress {
            lag: watch.lag,
            falling_behind: watch.falling.is_told(),
            queue: watch.online.gauge.queue(),
            is_waiting: self.live.is_none(),
            is_paused: self.live.is_some() && watch.online.gauge.is_paused(),
            ..LiveProgress::default()
        };
        if let Some(live) = &self.live {
            progress.epoch = live.epoch.number;
            progress.broken = live.broken as u64;
            live.counts.by_id().values().for_each(|account| progress.source.add(account));
            progress.failed = live.counts.requests().iter().map(|request| request.sum().failed).sum();
        }
        Some(progress)
    }

    /// How far behind a live job is.
    pub(super) fn lag(&self) -> Option<Lag> {
        self.watch.as_ref().map(|watch| watch.lag)
    }

    /// A live job goes on for days: of what lies back, sums are kept.
    pub(super) fn forget(&mut self) {
        if self.watch.is_none() {
            return;
        }
        let report = &mut self.report;
        let old = report.runs.len().saturating_sub(RUNS);
        for run in report.runs.drain(..old) {
            report.earlier.add(&run);
        }
        let written = &mut self.sinks.written;
        let old = written.len().saturating_sub(LISTED);
        report.earlier.outputs += old as u64;
        written.drain(..old);
        let old = report.warnings.len().saturating_sub(LISTED).min(self.told);
        report.warnings.drain(..old);
        self.told -= old;
    }
}
