//! What a run writes into its ODB: statistics and tests, where mana keeps them.
//!
//! Into an ODB that others read, once a second; into one of its own, at end of run.

use std::time::{Duration, Instant};

use pactolus_odb::{Error as OdbError, Tree};

use super::{Fold, Live};
use crate::Error;
use crate::layers::statistics;

/// Time from one writing to the next.
const PERIOD: Duration = Duration::from_secs(1);

/// What stands in the ODB of a run.
pub(super) struct Written {
    last: Instant,
    counts: Counted,
    /// The rates are those of the last counts, too.
    is_still: bool,
    /// Somebody knows that it cannot be written.
    told: bool,
}

impl Default for Written {
    fn default() -> Written {
        Written { last: Instant::now(), counts: Counted::default(), is_still: false, told: false }
    }
}

/// What was counted up to some time.
#[derive(Clone, Default, PartialEq)]
struct Counted {
    /// Of each request: events received and kept.
    requests: Vec<(u64, u64)>,
    tests: Vec<(String, u64)>,
}

impl Counted {
    fn test(&self, name: &str) -> u64 {
        self.tests.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
    }
}

impl Fold<'_> {
    /// Counts begin at zero, where others see them.
    pub(super) fn begin_written(&mut self) {
        let Some(odb) = &self.job.odb else { return };
        let tests = format!("{}/Tests", self.analyzer.root());
        let begun = odb.change(|tree| {
            for chain in &self.analyzer.chains {
                statistics(self.analyzer, &chain.request.name, tree, [0.0; 3])?;
            }
            if tree.exists(&tests) { tree.delete(&tests) } else { Ok(()) }
        });
        self.told(begun);
    }

    /// Writes how far the run has come, if it is time to.
    pub(super) fn keep_written(&mut self) {
        let (Some(_), Some(live)) = (&self.job.odb, &mut self.live) else { return };
        let passed = live.written.last.elapsed();
        if passed < PERIOD {
            return;
        }
        live.written.last = Instant::now();
        let now = counted(live, live.tests.counts());
        let before = std::mem::replace(&mut live.written.counts, now.clone());
        // While nothing comes, the rates are set to zero once.
        let is_still = before == now;
        if is_still && std::mem::replace(&mut live.written.is_still, is_still) {
            return;
        }
        live.written.is_still = is_still;
        let done = self.write(&now, &before, passed);
        self.told(done);
    }

    /// Writes what the run has come to.
    pub(super) fn end_written(&mut self, live: &mut Live, tests: &[(String, u64)]) -> Result<(), Error> {
        let seconds = live.started.elapsed();
        let now = counted(live, tests.to_vec());
        let change = |tree: &mut Tree| self.put(live, tree, &now, &Counted::default(), seconds);
        match (live.odb.change(change), &self.job.odb) {
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(_)) if !live.written.told => self.warn(unwritten(live, &error)),
            _ => {}
        }
        Ok(())
    }

    fn write(&self, now: &Counted, before: &Counted, passed: Duration) -> Result<(), OdbError> {
        let Some(live) = &self.live else { return Ok(()) };
        live.odb.change(|tree| self.put(live, tree, now, before, passed))
    }

    fn put(
        &self,
        live: &Live,
        tree: &mut Tree,
        now: &Counted,
        before: &Counted,
        passed: Duration,
    ) -> Result<(), OdbError> {
        let seconds = passed.as_secs_f64().max(1e-3);
        let root = self.analyzer.root();
        for (i, chain) in live.epoch.chains.iter().enumerate() {
            if chain.fallback || self.analyzer.chains.is_empty() {
                continue;
            }
            let (received, kept) = now.requests[i];
            let new = received - before.requests.get(i).map_or(0, |(received, _)| *received);
            let rate = (new as f64 / seconds).round();
            statistics(self.analyzer, &chain.name, tree, [received as f64, rate, kept as f64])?;
        }
        for (name, count) in &now.tests {
            // A count beyond 32 bits stays at the largest that MIDAS's DWORD holds.
            let shown = u32::try_from(*count).unwrap_or(u32::MAX);
            tree.replace(&format!("{root}/Tests/{name}/Count"), shown)?;
            let rate = ((count - before.test(name)) as f64 / seconds) as f32;
            tree.replace(&format!("{root}/Tests/{name}/Rate [Hz]"), rate)?;
        }
        Ok(())
    }

    /// An ODB that cannot be written is no reason to end the job.
    fn told(&mut self, done: Result<(), OdbError>) {
        let (Err(error), Some(live)) = (done, &mut self.live) else { return };
        if !std::mem::replace(&mut live.written.told, true) {
            let text = unwritten(live, &error);
            self.warn(text);
        }
    }
}

fn unwritten(live: &Live, error: &OdbError) -> String {
    format!("run {}: the ODB is not written any more: {error}", live.epoch.run.number)
}

fn counted(live: &Live, tests: Vec<(String, u64)>) -> Counted {
    let requests = live.counts.requests.iter().map(|r| (r.matched + r.created, r.kept));
    Counted { requests: requests.collect(), tests }
}
