//! "Events to ODB": what mana copies to the variables of an equipment.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Fold;
use super::written::PERIOD;
use crate::Error;
use crate::copies::{Copy, put};
use crate::layers::setting;

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
        let switch = format!("{}/Output/Events to ODB", self.analyzer.root());
        let Some(live) = &mut self.live else { return };
        let Some(wanted) = &live.epoch.copies else { return };
        live.copied.last.resize(live.epoch.chains.len(), None);
        copies.sort_by_key(|copy| copy.number);
        let mut due = Vec::new();
        for copy in copies {
            if wanted.are_wanted(copy.chain) {
                wanted.want(copy.chain, false);
                live.copied.last[copy.chain] = Some(Instant::now());
                due.push(copy);
            }
        }
        for (chain, last) in live.copied.last.iter_mut().enumerate() {
            if last.take_if(|last| last.elapsed() >= PERIOD).is_some() {
                wanted.want(chain, true);
            }
        }
        if due.is_empty() {
            return;
        }
        // Whoever switches this wants to see it at once, not with the next run.
        let is_on = live.odb.snapshot().map_err(Error::from).and_then(|tree| setting(&tree, &switch, true));
        let done = match is_on {
            Ok(false) => return,
            Err(error) => Err(error.to_string()),
            Ok(true) => {
                let values: Vec<_> =
                    due.iter().flat_map(|copy| copy.values(&live.epoch.chains[copy.chain])).collect();
                if values.is_empty() {
                    return;
                }
                live.odb.change(|tree| put(tree, &values)).map_err(|error| error.to_string())
            }
        };
        let (run, known) = (live.epoch.run.number, &mut live.copied.refused);
        let refused = done.unwrap_or_else(|error| vec![("the ODB".into(), error)]);
        let new: Vec<_> = refused.into_iter().filter(|(path, _)| known.insert(path.clone())).collect();
        for (path, why) in new {
            self.warn(format!("run {run}: events are not copied to {path}: {why}"));
        }
    }
}
