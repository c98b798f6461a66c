//! Which run there is, as the experiment's `/Runinfo` says.
//!
//! Events are asked for, one batch after the other, and `/Runinfo` is looked at between two batches. The order
//! in which MIDAS writes and sends makes it enough:
//!
//! - At START the number of the run is written before any frontend begins. So whoever sees an event and then
//!   looks, sees the number of its run.
//! - At STOP the state is written after all frontends have sent what they had. So whoever sees the state and
//!   then empties the buffer has all events of the run.
//! - An event that comes while no run is going on or being started belongs to none.

use super::runinfo::{Runinfo, START, STOPPED};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    None,
    /// The run begins.
    Begin(u32),
    /// The run has ended when the buffer is empty.
    Drain,
    /// The same, but another has begun meanwhile, whose serial numbers begin anew.
    Next,
}

/// The run in hand.
#[derive(Debug, Default)]
pub(super) struct Runs {
    current: Option<u32>,
    /// The last one, as long as the experiment has not said that it is stopped.
    ended: Option<u32>,
    /// It is being started.
    starting: Option<u32>,
    /// The last run that we know of, and when it was started.
    known: Option<(u32, u32)>,
}

impl Runs {
    pub(super) fn current(&self) -> Option<u32> {
        self.current
    }

    /// Whether a run has begun since the last look. Who sets the number at a console starts no run, and a start
    /// that is given up leaves the number as it was.
    fn is_another(&self, now: Runinfo) -> bool {
        self.known.is_some_and(|(number, started)| number != now.number && started != now.started)
    }

    /// What `/Runinfo` means.
    pub(super) fn look(&mut self, now: Runinfo) -> Step {
        let is_another = self.is_another(now);
        // While a run is started, what is written belongs together only at the end.
        if now.transition != START && self.current.is_none_or(|run| run == now.number) {
            self.known = Some((now.number, now.started));
        }
        match self.current {
            Some(run) if now.number != run => Step::Next,
            Some(_) if now.state == STOPPED && now.transition != START => Step::Drain,
            Some(_) => Step::None,
            None => {
                if now.state == STOPPED {
                    self.ended = None;
                    // The number is written a moment later than the transition.
                    self.starting = (now.transition == START).then_some(now.number);
                }
                // One may have begun and ended between two looks.
                let has_been = is_another && now.state == STOPPED && now.transition != START;
                match has_been || now.is_going_on() && self.ended != Some(now.number) {
                    true => Step::Begin(now.number),
                    false => Step::None,
                }
            }
        }
    }

    /// The run to which an event belongs that has come while there is none.
    pub(super) fn of_event(&self, now: Runinfo) -> Option<u32> {
        let going = self.is_another(now) || now.is_going_on() && self.ended != Some(now.number);
        (going || now.transition == START).then_some(now.number).or(self.starting)
    }

    /// Nothing is known of what was, but the run in hand.
    pub(super) fn forget(&mut self) {
        (self.known, self.ended) = (None, None);
        self.starting = None;
    }

    pub(super) fn begin(&mut self, run: u32) {
        self.current = Some(run);
        self.known = self.known.map(|(_, started)| (run, started));
        self.starting = None;
    }

    pub(super) fn end(&mut self) {
        self.ended = self.current.take();
    }
}

#[cfg(test)]
mod tests {
    use super::super::runinfo::{PAUSED, RUNNING};
    use super::*;

    fn info(state: i32, number: u32, transition: i32) -> Runinfo {
        Runinfo { state, number, transition, started: number }
    }

    #[test]
    fn a_run_goes_from_its_state_to_its_state() {
        let mut runs = Runs::default();
        assert_eq!(runs.look(info(STOPPED, 4, 0)), Step::None);
        assert_eq!(runs.of_event(info(STOPPED, 4, 0)), None);
        // Started, but no frontend has begun.
        assert_eq!(runs.look(info(STOPPED, 5, START)), Step::None);
        assert_eq!(runs.of_event(info(STOPPED, 5, START)), Some(5));
        assert_eq!(runs.look(info(RUNNING, 5, START)), Step::Begin(5));
        runs.begin(5);
        assert_eq!(runs.look(info(RUNNING, 5, 0)), Step::None);
        assert_eq!(runs.look(info(PAUSED, 5, 0)), Step::None);
        assert_eq!(runs.look(info(RUNNING, 5, 2)), Step::None);
        assert_eq!(runs.look(info(STOPPED, 5, 2)), Step::Drain);
        runs.end();
        assert_eq!(runs.look(info(STOPPED, 5, 0)), Step::None);
        assert_eq!(runs.of_event(info(STOPPED, 5, 0)), None);
        // The same number again is another run.
        assert_eq!(runs.look(info(RUNNING, 5, 0)), Step::Begin(5));
    }

    #[test]
    fn a_run_is_found_while_it_is_going_on_and_the_next_without_the_stop_between() {
        let mut runs = Runs::default();
        assert_eq!(runs.look(info(PAUSED, 7, 0)), Step::Begin(7));
        runs.begin(7);
        assert_eq!(runs.look(info(RUNNING, 8, 0)), Step::Next);
        runs.end();
        assert_eq!(runs.look(info(RUNNING, 8, 0)), Step::Begin(8));
    }

    #[test]
    fn a_run_that_was_too_short_to_be_seen_is_known_by_its_start() {
        let mut runs = Runs::default();
        assert_eq!(runs.look(info(STOPPED, 4, 0)), Step::None);
        assert_eq!(runs.of_event(info(STOPPED, 5, 0)), Some(5));
        assert_eq!(runs.look(info(STOPPED, 5, 0)), Step::Begin(5));
        runs.begin(5);
        assert_eq!(runs.look(info(STOPPED, 5, 0)), Step::Drain);
        runs.end();
        // A number that somebody has set is no run.
        let set = Runinfo { number: 100, ..info(STOPPED, 5, 0) };
        assert_eq!((runs.of_event(set), runs.look(set)), (None, Step::None));
    }
}
