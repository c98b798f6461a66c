//! What a run writes into its ODB: statistics and tests, where mana keeps them.
//!
//! Into an ODB that others read, once a second; into one of its own, at end of run.

use std::time::{Duration, Instant};

use pactolus_odb::{Error as OdbError, Tree};

use super::{Fold, Live};
use crate::Error;
use crate::analyzer::Analyzer;
use crate::layers::{Skipped, no_tests, statistics};
use crate::ledger::ByRequest;
use crate::online::Lag;

/// Time from one writing to the next.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// What stands in the ODB of a run.
pub(super) struct Written {
    last: Instant,
    counts: Counted,
    /// The rates are those of the last counts, too.
    is_still: bool,
    /// Somebody knows that it cannot be written.
    told: bool,
    /// Somebody knows that a key is protected.
    skipped: bool,
}

impl Default for Written {
    fn default() -> Written {
        Written {
            last: Instant::now(),
            counts: Counted::default(),
            is_still: false,
            told: false,
            skipped: false,
        }
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
        let begun = odb.change(|tree| {
            let mut skipped = Skipped::new(true);
            for chain in &self.analyzer.chains {
                statistics(self.analyzer, &chain.request.name, tree, [0.0; 3], &mut skipped)?;
            }
            no_ledger(self.analyzer, tree, &mut skipped)?;
            no_tests(self.analyzer, tree, &mut skipped)?;
            Ok(skipped.first)
        });
        self.note(begun);
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
        self.note(done);
    }

    /// Writes what the run has come to.
    pub(super) fn end_written(&mut self, live: &mut Live, tests: &[(String, u64)]) -> Result<(), Error> {
        let seconds = live.started.elapsed();
        let now = counted(live, tests.to_vec());
        let change = |tree: &mut Tree| self.put(live, tree, &now, &Counted::default(), seconds);
        match (live.odb.change(change), &self.job.odb) {
            (Err(error), None) => Err(error.into()),
            (done, _) => {
                if let Some(text) = live.news(done) {
                    self.warn(text);
                }
                Ok(())
            }
        }
    }

    fn write(&self, now: &Counted, before: &Counted, passed: Duration) -> Result<Option<String>, OdbError> {
        let Some(live) = &self.live else { return Ok(None) };
        live.odb.change(|tree| self.put(live, tree, now, before, passed))
    }

    /// Writes it; the first key that is protected.
    fn put(
        &self,
        live: &Live,
        tree: &mut Tree,
        now: &Counted,
        before: &Counted,
        passed: Duration,
    ) -> Result<Option<String>, OdbError> {
        let mut skipped = Skipped::new(self.job.odb.is_some());
        let seconds = passed.as_secs_f64().max(1e-3);
        let root = self.analyzer.root();
        for (i, chain) in live.epoch.chains.iter().enumerate() {
            if chain.fallback || self.analyzer.chains.is_empty() {
                continue;
            }
            let (received, kept) = now.requests[i];
            let new = received - before.requests.get(i).map_or(0, |(received, _)| *received);
            let rate = (new as f64 / seconds).round();
            statistics(self.analyzer, &chain.name, tree, [received as f64, rate, kept as f64], &mut skipped)?;
        }
        for (name, count) in &now.tests {
            // A count beyond 32 bits stays at the largest that MIDAS's DWORD holds.
            let shown = u32::try_from(*count).unwrap_or(u32::MAX);
            skipped.unless(tree.replace(&format!("{root}/Tests/{name}/Count"), shown))?;
            let rate = ((count - before.test(name)) as f64 / seconds) as f32;
            skipped.unless(tree.replace(&format!("{root}/Tests/{name}/Rate [Hz]"), rate))?;
        }
        if self.job.odb.is_some() {
            self.put_ledger(live, tree, &mut skipped)?;
        }
        Ok(skipped.first)
    }

    /// Writes the account of every event, where others read it.
    fn put_ledger(&self, live: &Live, tree: &mut Tree, skipped: &mut Skipped) -> Result<(), OdbError> {
        let root = format!("{}/Ledger", self.analyzer.root());
        let mut put = |path: &str, values: &[(&str, u64)]| {
            for (name, value) in values {
                // As statistics are: MIDAS before 2019 has no integers of 64 bits.
                skipped.unless(tree.replace(&format!("{root}/{path}/{name}"), *value as f64))?;
            }
            Ok::<(), OdbError>(())
        };
        for (id, account) in live.counts.by_id() {
            put(&format!("Source/{id}"), &account.named())?;
        }
        for (chain, accounts) in live.epoch.chains.iter().zip(live.counts.requests()) {
            for (id, account) in accounts.by_id() {
                put(&format!("Requests/{}/{id}", chain.name), &account.named())?;
            }
        }
        if let Some(Lag { bytes, events, seconds }) = self.lag() {
            put("Behind", &[("Bytes", bytes), ("Events", events)])?;
            skipped.unless(tree.replace(&format!("{root}/Behind/Seconds"), seconds))?;
        }
        Ok(())
    }

    /// Takes note of what came of writing, or of a key that is protected.
    pub(super) fn note(&mut self, done: Result<Option<String>, OdbError>) {
        if let Some(text) = self.live.as_mut().and_then(|live| live.news(done)) {
            self.warn(text);
        }
    }
}

impl Live {
    /// What there is to say of it, once a run: an ODB that cannot be written, or a part of it, is no reason
    /// to end the job.
    fn news(&mut self, done: Result<Option<String>, OdbError>) -> Option<String> {
        let (run, written) = (self.epoch.run.number, &mut self.written);
        match done {
            Err(error) => (!std::mem::replace(&mut written.told, true))
                .then(|| format!("run {run}: the ODB was not written: {error}")),
            Ok(path) => {
                let path = path.filter(|_| !written.skipped)?;
                written.skipped = true;
                Some(format!("run {run}: {path} is protected and stays as it is"))
            }
        }
    }
}

/// Accounts of the run before go.
fn no_ledger(analyzer: &Analyzer, tree: &mut Tree, skipped: &mut Skipped) -> Result<(), OdbError> {
    let path = format!("{}/Ledger", analyzer.root());
    match tree.exists(&path) {
        true => skipped.unless(tree.delete(&path).map(drop)),
        false => Ok(()),
    }
}

fn counted(live: &Live, tests: Vec<(String, u64)>) -> Counted {
    let requests = live.counts.requests().iter().map(ByRequest::sum).map(|r| (r.matched + r.created, r.kept));
    Counted { requests: requests.collect(), tests }
}
