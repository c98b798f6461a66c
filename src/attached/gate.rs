//! Transitions of which we are told, each taken in its turn.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::midas::{Inbox, Transition, TransitionKind};

/// So long a start of a run waits for us at the most.
const PATIENT: Duration = Duration::from_secs(1);

/// Transitions that wait to be taken. The program that makes them goes on at once, but a start waits until the
/// run before is drained, as long as that does not take too long.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    taken: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Transition>,
    /// How many were taken, or given up.
    count: u64,
    /// Somebody takes them.
    is_open: bool,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody takes them, or nobody does any more.
    pub(super) fn open(&self, is_open: bool) {
        let mut state = self.lock();
        state.is_open = is_open;
        if !is_open {
            state.count += state.waiting.len() as u64;
            state.waiting.clear();
        }
        self.taken.notify_all();
    }

    /// A transition, on the thread on which it is told.
    pub(super) fn tell(&self, transition: Transition, inbox: &Inbox) {
        let mut state = self.lock();
        // A pause is none of events: what comes belongs to the run.
        if !state.is_open || matches!(transition.kind, TransitionKind::Pause | TransitionKind::Resume) {
            return;
        }
        state.waiting.push_back(transition);
        inbox.wake();
        if transition.kind == TransitionKind::Start {
            let own = state.count + state.waiting.len() as u64;
            let waits = |state: &mut State| state.count < own;
            drop(self.taken.wait_timeout_while(state, PATIENT, waits));
        }
    }

    /// The one whose turn it is.
    pub(super) fn first(&self) -> Option<Transition> {
        self.lock().waiting.front().copied()
    }

    /// It is taken.
    pub(super) fn take(&self) {
        let mut state = self.lock();
        if state.waiting.pop_front().is_some() {
            state.count += 1;
        }
        self.taken.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    fn told(kind: TransitionKind, run: u32) -> Transition {
        Transition { kind, run, sequence: 500 }
    }

    #[test]
    fn a_start_waits_for_its_turn_and_a_stop_does_not() {
        let (gate, inbox) = (Arc::new(Gate::default()), Inbox::new());
        gate.open(true);
        gate.tell(told(TransitionKind::Stop, 1), &inbox);
        let (asking, bell) = (Arc::clone(&gate), Arc::clone(&inbox));
        let start = std::thread::spawn(move || {
            let begun = Instant::now();
            asking.tell(told(TransitionKind::Start, 2), &bell);
            begun.elapsed()
        });
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(gate.first(), Some(told(TransitionKind::Stop, 1)));
        gate.take();
        while gate.first().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(gate.first(), Some(told(TransitionKind::Start, 2)));
        gate.take();
        assert!(start.join().unwrap() < PATIENT);
        assert_eq!(gate.first(), None);
    }

    #[test]
    fn who_takes_nothing_holds_up_nobody() {
        let (gate, inbox) = (Gate::default(), Inbox::new());
        gate.tell(told(TransitionKind::Start, 1), &inbox);
        assert_eq!(gate.first(), None);
        gate.open(true);
        let begun = Instant::now();
        gate.tell(told(TransitionKind::Start, 1), &inbox);
        assert!(begun.elapsed() >= PATIENT);
        // It is not forgotten.
        assert_eq!(gate.first(), Some(told(TransitionKind::Start, 1)));
        gate.open(false);
        assert_eq!(gate.first(), None);
    }
}
