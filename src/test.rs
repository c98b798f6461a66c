//! Tests: named conditions that the analyzer counts, as MIDAS does.
//!
//! A module sets a test true or false for an event. When an event of a request with tests is kept,
//! every test that is true is counted, and all are reset. An event that is skipped leaves its tests
//! for the next one, and a request without tests leaves them to the next event that has it. So a
//! count depends on events across block boundaries: each stretch of events yields a [`Tally`] that
//! says what it would do to any tests left over from before, and the fold joins them in order.

use std::cell::{Cell, RefCell};

use pactolus_formats::record;
use pactolus_formats::wire::{Bytes, Malformed, Wire};

/// The name of the test that counts every kept event.
pub(crate) const ALWAYS: &str = "Always true";

/// Handle of a test, booked in [`prepare`](crate::Module::prepare).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test(u32);

impl Test {
    /// A handle that no test belongs to yet: the value before `prepare`.
    pub const UNBOOKED: Test = Test(u32::MAX);

    pub(crate) fn new(index: usize) -> Test {
        Test(index as u32)
    }

    pub(crate) fn index(self) -> u32 {
        self.0
    }
}

impl Default for Test {
    fn default() -> Test {
        Test::UNBOOKED
    }
}

/// A set of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Set(Vec<u64>);

impl Wire for Set {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Set, Malformed> {
        Vec::take(from).map(Set)
    }
}

impl Set {
    fn new(tests: usize) -> Set {
        Set(vec![0; tests.div_ceil(64)])
    }

    #[inline]
    fn assign(&mut self, i: usize, value: bool) {
        let bit = 1 << (i % 64);
        if value { self.0[i / 64] |= bit } else { self.0[i / 64] &= !bit }
    }

    #[inline]
    fn clear(&mut self) {
        self.0.fill(0);
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.0.iter().all(|&w| w == 0)
    }

    #[inline]
    fn add(&mut self, other: &Set) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    #[inline]
    fn remove(&mut self, other: &Set) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= !b);
    }

    #[inline]
    fn for_each(&self, mut f: impl FnMut(usize)) {
        for (i, &word) in self.0.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                f(i * 64 + rest.trailing_zeros() as usize);
                rest &= rest - 1;
            }
        }
    }
}

/// What a stretch of events does to the tests, whatever was left over before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests set before the first event that counts: what was left over no longer matters to them.
    settled: Set,
    /// An event that counts has been seen.
    counted: bool,
    /// True tests waiting for the next event that counts.
    pending: Set,
    /// Counts of this stretch, left-overs not included.
    counts: Vec<u64>,
    /// Tests ever set.
    evaluated: Set,
    /// Events that count.
    kept: u64,
    /// Those of them after a test was first set.
    kept_since: u64,
}

record!(Tally { settled, counted, pending, counts, evaluated, kept, kept_since });

impl Tally {
    /// Whether it counts so many tests.
    pub(crate) fn is_of(&self, tests: usize) -> bool {
        let sets = [&self.settled, &self.pending, &self.evaluated];
        let last =
            |set: &Set| set.0.last().is_none_or(|word| tests.is_multiple_of(64) || word >> (tests % 64) == 0);
        self.counts.len() == tests && sets.iter().all(|s| s.0.len() == tests.div_ceil(64) && last(s))
    }

    pub(crate) fn new(tests: usize) -> Tally {
        Tally {
            settled: Set::new(tests),
            counted: false,
            pending: Set::new(tests),
            counts: vec![0; tests],
            evaluated: Set::new(tests),
            kept: 0,
            kept_since: 0,
        }
    }

    /// Makes room for more tests.
    fn grow(&mut self, tests: usize) {
        for set in [&mut self.settled, &mut self.pending, &mut self.evaluated] {
            set.0.resize(tests.div_ceil(64), 0);
        }
        self.counts.resize(tests, 0);
    }

    /// Forgets everything, for the next stretch.
    fn reset(&mut self, tests: usize) {
        if self.counts.len() != tests {
            *self = Tally::new(tests);
            return;
        }
        self.settled.clear();
        self.pending.clear();
        self.evaluated.clear();
        self.counts.fill(0);
        (self.counted, self.kept, self.kept_since) = (false, 0, 0);
    }

    #[inline]
    fn set(&mut self, i: usize, value: bool) {
        if !self.counted {
            self.settled.assign(i, true);
        }
        self.pending.assign(i, value);
        self.evaluated.assign(i, true);
    }

    /// An event of a request with tests was kept.
    #[inline]
    pub(crate) fn keep(&mut self) {
        let counts = &mut self.counts;
        self.pending.for_each(|i| counts[i] += 1);
        self.pending.clear();
        self.counted = true;
        self.kept += 1;
        self.kept_since += u64::from(!self.evaluated.is_empty());
    }
}

/// The tests of a run so far: tallies joined in order.
#[derive(Clone, Debug)]
pub(crate) struct Tests {
    names: Vec<String>,
    total: Tally,
    always: u64,
}

impl Tests {
    pub(crate) fn new(names: Vec<String>) -> Tests {
        Tests { total: Tally::new(names.len()), names, always: 0 }
    }

    /// Tests that a later epoch has booked besides: `names` begins with those that are known.
    pub(crate) fn grow(&mut self, names: &[String]) {
        self.names.extend(names.iter().skip(self.names.len()).cloned());
        self.total.grow(self.names.len());
    }

    /// Adds the next stretch.
    pub(crate) fn join(&mut self, next: &Tally) {
        self.always += if self.total.evaluated.is_empty() { next.kept_since } else { next.kept };
        self.total.evaluated.add(&next.evaluated);
        // Left-overs that this stretch does not set anew.
        self.total.pending.remove(&next.settled);
        if next.counted {
            let counts = &mut self.total.counts;
            self.total.pending.for_each(|i| counts[i] += 1);
            self.total.pending.clear();
        }
        self.total.pending.add(&next.pending);
        self.total.counts.iter_mut().zip(&next.counts).for_each(|(a, b)| *a += b);
    }

    /// Names and counts of the tests that were ever set, "Always true" first; none if no test was.
    pub(crate) fn counts(&self) -> Vec<(String, u64)> {
        let mut counts = Vec::new();
        if !self.total.evaluated.is_empty() {
            counts.push((ALWAYS.to_owned(), self.always));
        }
        self.total.evaluated.for_each(|i| counts.push((self.names[i].clone(), self.total.counts[i])));
        counts
    }
}

/// The tests as one worker sets them.
#[derive(Debug)]
pub(crate) struct Board {
    tally: RefCell<Tally>,
    tests: Cell<usize>,
}

impl Board {
    pub(crate) fn new(tests: usize) -> Board {
        Board { tally: RefCell::new(Tally::new(tests)), tests: Cell::new(tests) }
    }

    /// Whether any test was booked.
    #[inline]
    pub(crate) fn has_tests(&self) -> bool {
        self.tests.get() > 0
    }

    /// # Panics
    /// If the test was not booked: the stage reports it.
    #[inline]
    #[track_caller]
    pub(crate) fn set(&self, test: Test, value: bool) {
        assert!(
            (test.0 as usize) < self.tests.get(),
            "a test is set that was not booked: book it in prepare, as self.good = setup.test(\"Good\")"
        );
        self.tally.borrow_mut().set(test.0 as usize, value);
    }

    #[inline]
    pub(crate) fn keep(&self) {
        self.tally.borrow_mut().keep();
    }

    /// The stretch so far goes to `out`, whose memory serves the next one.
    pub(crate) fn take_into(&self, out: &mut Tally) {
        out.reset(self.tests.get());
        std::mem::swap(&mut *self.tally.borrow_mut(), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events as (tests set, kept with tests), cut into stretches at `cuts`.
    fn run(events: &[(&[(usize, bool)], bool)], cuts: &[usize]) -> Vec<(String, u64)> {
        let (board, mut tally) = (Board::new(2), Tally::new(2));
        let mut tests = Tests::new(vec!["a".into(), "b".into()]);
        for (i, (sets, kept)) in events.iter().enumerate() {
            if cuts.contains(&i) {
                board.take_into(&mut tally);
                tests.join(&tally);
            }
            sets.iter().for_each(|&(t, v)| board.set(Test::new(t), v));
            if *kept {
                board.keep();
            }
        }
        board.take_into(&mut tally);
        tests.join(&tally);
        tests.counts()
    }

    #[test]
    fn counts_do_not_depend_on_where_stretches_end() {
        let events: &[(&[(usize, bool)], bool)] = &[
            (&[], true),
            (&[(0, true)], false), // skipped: left to the next
            (&[], false),
            (&[(1, true)], true), // counts both
            (&[(0, true), (1, false)], false),
            (&[(0, false)], true), // set anew: not counted
            (&[(1, true)], false),
        ];
        let whole = run(events, &[]);
        let expected = [("Always true".to_owned(), 2), ("a".to_owned(), 1), ("b".to_owned(), 1)];
        assert_eq!(whole, expected);
        for mask in 0..1 << events.len() {
            let cuts: Vec<usize> = (0..events.len()).filter(|i| mask >> i & 1 == 1).collect();
            assert_eq!(run(events, &cuts), whole, "cut at {cuts:?}");
        }
    }

    #[test]
    fn without_a_test_nothing_is_counted() {
        assert!(run(&[(&[], true)], &[]).is_empty());
    }

    #[test]
    fn tests_that_are_booked_later_do_not_change_the_others() {
        let (board, mut tally) = (Board::new(1), Tally::new(1));
        let mut tests = Tests::new(vec!["a".into()]);
        board.set(Test::new(0), true);
        board.take_into(&mut tally);
        tests.join(&tally);
        let names: Vec<String> = (0..70).map(|i| if i == 0 { "a".into() } else { format!("t{i}") }).collect();
        tests.grow(&names);
        let board = Board::new(70);
        board.set(Test::new(69), true);
        board.keep();
        board.take_into(&mut tally);
        tests.join(&tally);
        let wanted = [("Always true".to_owned(), 1), ("a".to_owned(), 1), ("t69".to_owned(), 1)];
        assert_eq!(tests.counts(), wanted);
    }
}
