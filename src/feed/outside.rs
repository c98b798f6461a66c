//! Events that belong to no run.

use std::collections::BTreeMap;

use super::Spool;

/// Events that have come while no run was going on, by id.
#[derive(Debug, Default)]
pub(crate) struct Outside(BTreeMap<u16, u64>);

impl Outside {
    /// So many more of an id.
    pub(crate) fn add(&mut self, id: u16, events: u64) {
        *self.0.entry(id).or_default() += events;
    }

    /// Says how many there were since the last time.
    pub(crate) fn say(&mut self, spool: &Spool) {
        let outside = std::mem::take(&mut self.0);
        if outside.is_empty() {
            return;
        }
        let ids: Vec<String> = outside.iter().map(|(id, count)| format!("{count} of id {id}")).collect();
        spool.say(format!(
            "{} events came while no run was going on, and are not analyzed: {}",
            outside.values().sum::<u64>(),
            ids.join(", ")
        ));
    }
}
