//! What the serial numbers of one event id tell.

use pactolus_formats::record;

use super::Offered;

record!(Source { account, serials, gaps, missed });

/// One event id at the source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub(crate) account: Offered,
    /// The first and the last serial number.
    serials: Option<(u32, u32)>,
    /// Serial numbers that are missing between those of events.
    gaps: u64,
    /// Events in the account whose serial numbers nobody has seen: they are among those, unless they were the
    /// first or the last.
    missed: u64,
}

impl Source {
    /// Takes note of the serial number of the next event.
    #[inline]
    pub(crate) fn serial(&mut self, serial: u32) {
        match &mut self.serials {
            Some((_, last)) => {
                // Nearly always the next.
                if serial != last.wrapping_add(1) {
                    self.gaps += missing(*last, serial);
                }
                *last = serial;
            }
            none => *none = Some((serial, serial)),
        }
    }

    /// Adds what a live source tells of events that it could not hand on.
    pub(super) fn miss(&mut self, missed: &Offered) {
        self.account.add(missed);
        self.missed += missed.offered;
    }

    /// The account with what serial numbers tell, unless others have those.
    pub(super) fn told(&self, is_shared: bool) -> Offered {
        let account = self.account;
        let gaps = if is_shared { 0 } else { self.gaps.saturating_sub(self.missed) };
        Offered { unattended: account.unattended + gaps, ..account }
    }

    /// Adds the stretch of events behind.
    pub(super) fn add(&mut self, next: &Source) {
        self.account.add(&next.account);
        self.gaps += next.gaps;
        self.missed += next.missed;
        match (&mut self.serials, next.serials) {
            (Some((_, last)), Some((first, end))) => {
                self.gaps += missing(*last, first);
                *last = end;
            }
            (none, serials) => *none = serials.or(*none),
        }
    }
}

/// Serial numbers that are missing between two events. Where numbers go back, they begin anew.
fn missing(before: u32, serial: u32) -> u64 {
    match serial.wrapping_sub(before) {
        step @ 2..=0x7fff_ffff => u64::from(step - 1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pactolus_formats::wire::{Bytes, Wire};

    use super::*;
    use crate::ledger::Counts;

    type Missed = BTreeMap<u16, Offered>;

    /// An account of events with these serial numbers, each stretch counted apart.
    fn counts(stretches: &[&[u32]]) -> Counts {
        let mut sum = Counts::new(0, 0);
        for stretch in stretches {
            let mut counts = Counts::new(0, 0);
            for serial in *stretch {
                let source = counts.source(1);
                source.serial(*serial);
                source.account.offered += 1;
            }
            sum.add(&counts, 0);
        }
        sum
    }

    fn overrun(count: u64) -> Missed {
        Missed::from([(1, Offered { offered: count, overrun: count, ..Offered::default() })])
    }

    fn found(counts: &Counts) -> (u64, u64) {
        let account = counts.by_id()[&1];
        (account.offered, account.unattended)
    }

    #[test]
    fn gaps_count_within_stretches_and_between_them() {
        assert_eq!(found(&counts(&[&[1, 2, 5], &[6, 10]])), (5, 5));
        // Where numbers begin anew, nothing is known.
        assert_eq!(found(&counts(&[&[8, 9, 1, 2], &[1, 3]])), (6, 1));
        assert_eq!(found(&counts(&[&[u32::MAX - 1], &[1]])), (2, 2));
    }

    #[test]
    fn what_was_missed_is_no_gap() {
        let mut sum = counts(&[&[1, 2, 5], &[6, 10]]);
        sum.miss(&overrun(2));
        assert_eq!(found(&sum), (7, 3));
        sum.miss(&overrun(3));
        assert_eq!(found(&sum), (10, 0));
        // Those behind the last one leave no gap.
        sum.miss(&overrun(4));
        assert_eq!(found(&sum), (14, 0));
        assert_eq!(sum.by_id()[&1].dropped(), 9);
        // It is the same when the gap shows only later.
        let mut sum = counts(&[&[1, 2]]);
        sum.miss(&overrun(7));
        sum.add(&counts(&[&[10]]), 0);
        assert_eq!(found(&sum), (10, 0));
    }

    #[test]
    fn numbers_that_begin_anew_hide_nothing_that_was_told() {
        let mut sum = counts(&[&[7, 8], &[1, 2]]);
        sum.miss(&overrun(5));
        assert_eq!(found(&sum), (9, 0));
    }

    #[test]
    fn what_came_before_us_is_unattended_whatever_the_gaps_are() {
        let mut sum = Counts::new(0, 0);
        sum.miss(&Missed::from([(1, Offered { unattended: 100, ..Offered::default() })]));
        sum.add(&counts(&[&[101, 102, 105]]), 0);
        assert_eq!(found(&sum), (3, 102));
        sum.miss(&overrun(2));
        assert_eq!(found(&sum), (5, 100));
    }

    #[test]
    fn an_account_goes_to_another_process_and_back() {
        let mut sum = counts(&[&[1, 5]]);
        sum.miss(&overrun(2));
        let mut bytes = Vec::new();
        sum.put(&mut bytes);
        let mut back = Counts::take(&mut Bytes::new(&bytes)).unwrap();
        assert_eq!(found(&back), (4, 1));
        back.add(&counts(&[&[7]]), 0);
        assert_eq!(found(&back), (5, 2));
    }
}
