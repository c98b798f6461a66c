//! What a live source could not hand on.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::Offered;

/// What a live source could not hand on, and what it cost to hand on the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Missed {
    /// The accounts of these events, by id.
    pub(crate) events: BTreeMap<u16, Offered>,
    /// How long its producer has waited for those who read.
    pub(crate) waited: Duration,
}

impl Missed {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.waited.is_zero()
    }

    /// Events of this id that were not handed on.
    pub(crate) fn account(&mut self, id: u16) -> &mut Offered {
        self.events.entry(id).or_default()
    }

    /// Adds what was missed behind.
    pub(crate) fn add(&mut self, next: Missed) {
        next.events.iter().for_each(|(id, account)| self.account(*id).add(account));
        self.waited += next.waited;
    }
}
