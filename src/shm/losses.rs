//! What a consumer has not read, by event id.

use std::collections::BTreeMap;

use super::frame::Account;

/// Events of an id that were not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Overwritten before they were read, or passed over.
    pub overrun: u64,
    /// There was no room for them in the stream.
    pub too_big: u64,
    /// Published in the run before we came.
    pub unattended: u64,
}

/// The account of a consumer.
pub(super) struct Losses {
    /// Of each id, events of which it knows.
    seen: Vec<u64>,
    lost: BTreeMap<u16, Lost>,
    /// Events that were overwritten or passed over since it came.
    pub(super) overrun: u64,
}

impl Losses {
    pub(super) fn new(ids: usize) -> Losses {
        Losses { seen: vec![0; ids], lost: BTreeMap::new(), overrun: 0 }
    }

    /// What was lost since the last time.
    pub(super) fn take(&mut self) -> BTreeMap<u16, Lost> {
        std::mem::take(&mut self.lost)
    }

    /// Events were overwritten, or passed over.
    pub(super) fn miss(&mut self, id: u16, events: u64) {
        if events > 0 {
            self.overrun = self.overrun.saturating_add(events);
            let lost = self.lost.entry(id).or_default();
            lost.overrun = lost.overrun.saturating_add(events);
        }
    }

    /// There was no room for events.
    pub(super) fn too_big(&mut self, id: u16, events: u64) {
        let lost = self.lost.entry(id).or_default();
        lost.too_big = lost.too_big.saturating_add(events);
    }

    /// It begins where these are the totals.
    pub(super) fn begin(&mut self, totals: &[(u16, u64)]) {
        totals.iter().for_each(|(id, total)| self.seen[usize::from(*id)] = *total);
    }

    /// It reads on where these are the totals: what it has not seen of them was there before it came, and is nobody
    /// else's if it is the first.
    pub(super) fn attend(&mut self, totals: &[(u16, u64)], is_first: bool) {
        for (id, total) in totals {
            let seen = &mut self.seen[usize::from(*id)];
            let unattended = total.saturating_sub(std::mem::replace(seen, *total));
            if unattended > 0 && is_first {
                let lost = self.lost.entry(*id).or_default();
                lost.unattended = lost.unattended.saturating_add(unattended);
            }
        }
    }

    /// It has read a frame, up to which it misses what its accounts say was before.
    pub(super) fn read(&mut self, accounts: &[Account]) {
        for account in accounts {
            let seen = &mut self.seen[usize::from(account.id)];
            let missing = account.before.saturating_sub(*seen);
            *seen = account.before.saturating_add(account.events.into());
            self.miss(account.id, missing);
        }
    }

    /// Of these totals, it misses all that it has not seen.
    pub(super) fn settle(&mut self, totals: &[(u16, u64)]) {
        for (id, total) in totals {
            let seen = &mut self.seen[usize::from(*id)];
            let missing = total.saturating_sub(*seen);
            *seen = (*seen).max(*total);
            self.miss(*id, missing);
        }
    }
}
