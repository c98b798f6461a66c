//! "Events to ODB": what mana copies to the variables of an equipment.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::Fold;
use crate::copies::{Copy, put};

/// Time from one copy of a request to the next.
const PERIOD: Duration = Duration::from_secs(1);

/// What was copied in a run.
#[derive(Default)]
pub(super) struct Copied {
    /// When an event of each request was.
    last: Vec<Option<Instant>>,
    /// What cannot be copied, which is said once.
    refused: BTreeSet<String>,
}

impl Fold<'_> {
    /// Writes the first of these copies of each request that wants one, and asks for more in time.
    pub(super) fn copy(&mut self, mut copies: Vec<Copy>) {
        let Some(live) = &mut self.live else { return };
        let Some(wanted) = &live.epoch.copies else { return };
        live.copied.last.resize(live.epoch.chains.len(), None);
        copies.sort_by_key(|copy| copy.number);
        let mut values = Vec::new();
        for copy in copies {
            if wanted.are_wanted(copy.chain) {
                wanted.want(copy.chain, false);
                live.copied.last[copy.chain] = Some(Instant::now());
                values.extend(copy.values(&live.epoch.chains[copy.chain]));
            }
        }
        for (chain, last) in live.copied.last.iter_mut().enumerate() {
            if last.take_if(|last| last.elapsed() >= PERIOD).is_some() {
                wanted.want(chain, true);
            }
        }
        if values.is_empty() {
            return;
        }
        let run = live.epoch.run.number;
        match live.odb.change(|tree| put(tree, &values)) {
            Ok(refused) => {
                for (path, why) in refused {
                    if live.copied.refused.insert(path.clone()) {
                        self.report
                            .warnings
                            .push(format!("run {run}: events are not copied to {path}: {why}"));
                    }
                }
            }
            Err(error) => {
                if live.copied.refused.insert(String::new()) {
                    self.report
                        .warnings
                        .push(format!("run {run}: events are not copied to the ODB: {error}"));
                }
            }
        }
    }
}
