//! What the server and other programs say of their own accord.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Key;

/// Most changed keys that are kept apart; with more, all of the ODB may have changed.
const KEYS: usize = 1024;
/// Most transitions that are kept; the oldest go.
const TRANSITIONS: usize = 256;

type Ask = dyn Fn(&Transition) -> Result<(), String> + Send + Sync;

/// What the server and other programs say of their own accord, until somebody takes it. It is made by the
/// owner of clients and outlives them; what one client has left is gone when the next connects.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    bell: Condvar,
    ask: Mutex<Option<Arc<Ask>>>,
}

#[derive(Default)]
struct State {
    notes: VecDeque<Note>,
    woken: bool,
    /// Of the client that may post.
    generation: u64,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A watched key, or one below it, has changed: read it now.
    Changed {
        /// The key given to [`Client::watch`](super::Client::watch); [`Key::ROOT`] if so many have changed
        /// that they were not counted.
        watched: Key,
        /// The key that has changed; not told by servers of 2014, whose note is of anything below `watched`.
        key: Option<Key>,
        /// Which element; -1 for the whole value.
        index: i32,
    },
    /// A buffer has new events.
    Available,
    /// A transition; it is answered already.
    Transition(Transition),
    /// Somebody has asked this program to end.
    StopAsked,
    /// The server is gone, and why. Nothing comes behind it until the next client.
    Closed(String),
}

/// The call of a program that starts or stops a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which.
    pub kind: TransitionKind,
    /// The number of the run.
    pub run: u32,
    /// Our place among the programs.
    pub sequence: i32,
}

/// The transitions of MIDAS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionKind {
    /// A run begins.
    Start,
    /// A run ends.
    Stop,
    /// A run is paused.
    Pause,
    /// A run goes on.
    Resume,
    /// A run could not begin.
    StartAbort,
}

impl TransitionKind {
    /// By its number.
    pub fn new(number: i32) -> Option<TransitionKind> {
        Some(match number {
            1 => TransitionKind::Start,
            2 => TransitionKind::Stop,
            4 => TransitionKind::Pause,
            8 => TransitionKind::Resume,
            16 => TransitionKind::StartAbort,
            _ => return None,
        })
    }
}

impl Inbox {
    /// An empty one; all transitions are taken.
    pub fn new() -> Arc<Inbox> {
        Arc::new(Inbox::default())
    }

    /// Takes what is there, in its order.
    pub fn take(&self) -> Vec<Note> {
        self.state().notes.drain(..).collect()
    }

    /// Waits until there is a note, or somebody [wakes](Inbox::wake) us; `false` if the time is over.
    pub fn wait(&self, timeout: Duration) -> bool {
        let end = Instant::now().checked_add(timeout);
        let mut state = self.state();
        loop {
            if std::mem::take(&mut state.woken) || !state.notes.is_empty() {
                return true;
            }
            // A time without end.
            let left = end.map_or(timeout, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            state = self.bell.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends a [wait](Inbox::wait), the present one or the next.
    pub fn wake(&self) {
        self.state().woken = true;
        self.bell.notify_all();
    }

    /// What to ask at each transition, before it is answered: an `Err` refuses a start, with its text. It is
    /// called on the thread that answers, and the experiment waits for it.
    pub fn on_transition(&self, ask: impl Fn(&Transition) -> Result<(), String> + Send + Sync + 'static) {
        *self.ask.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(ask));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a new client post, and no earlier one any more.
    pub(crate) fn begin(self: &Arc<Inbox>) -> Post {
        let mut state = self.state();
        state.generation += 1;
        state.notes.clear();
        Post { inbox: Arc::clone(self), generation: state.generation }
    }

    fn ask(&self, transition: &Transition) -> Result<(), String> {
        let ask = self.ask.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ask.map_or(Ok(()), |ask| ask(transition))
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Inbox").field("notes", &self.state().notes).finish_non_exhaustive()
    }
}

/// The right of one client to post.
#[derive(Clone)]
pub(crate) struct Post {
    inbox: Arc<Inbox>,
    generation: u64,
}

impl Post {
    /// Posts a note, unless another client has come.
    pub(crate) fn post(&self, note: Note) {
        let mut state = self.inbox.state();
        if state.generation != self.generation {
            return;
        }
        state.add(note);
        drop(state);
        self.inbox.bell.notify_all();
    }

    /// What the owner says to a transition.
    pub(crate) fn ask(&self, transition: &Transition) -> Result<(), String> {
        self.inbox.ask(transition)
    }
}

impl State {
    fn add(&mut self, note: Note) {
        match note {
            Note::Changed { watched, key, index } => self.changed(watched, key, index),
            Note::Transition(_) => {
                let is_transition = |note: &Note| matches!(note, Note::Transition(_));
                if self.notes.iter().filter(|note| is_transition(note)).count() >= TRANSITIONS
                    && let Some(oldest) = self.notes.iter().position(is_transition)
                {
                    self.notes.remove(oldest);
                }
                self.notes.push_back(note);
            }
            Note::Closed(_) if self.notes.iter().any(|note| matches!(note, Note::Closed(_))) => {}
            Note::Available | Note::StopAsked if self.notes.contains(&note) => {}
            note => self.notes.push_back(note),
        }
    }

    /// A flood of changes of one key is one.
    fn changed(&mut self, watched: Key, key: Option<Key>, index: i32) {
        let mut keys = 0;
        for note in &mut self.notes {
            let Note::Changed { watched: w, key: k, index: i } = note else { continue };
            if (*w, *k) == (Key::ROOT, None) {
                return;
            }
            if (*w, *k) == (watched, key) {
                if *i != index {
                    *i = -1;
                }
                return;
            }
            keys += 1;
        }
        if keys < KEYS {
            self.notes.push_back(Note::Changed { watched, key, index });
        } else {
            self.notes.retain(|note| !matches!(note, Note::Changed { .. }));
            self.notes.push_back(Note::Changed { watched: Key::ROOT, key: None, index: -1 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(watched: i32, key: i32, index: i32) -> Note {
        Note::Changed { watched: Key(watched), key: Some(Key(key)), index }
    }

    #[test]
    fn a_flood_of_one_key_is_one_note_and_of_too_many_keys_is_the_root() {
        let inbox = Inbox::new();
        let post = inbox.begin();
        for index in [2, 2, 3] {
            post.post(changed(1, 5, index));
            post.post(changed(1, 6, 2));
            post.post(Note::Available);
        }
        assert_eq!(inbox.take(), [changed(1, 5, -1), changed(1, 6, 2), Note::Available]);
        for key in 0..2000 {
            post.post(changed(1, key, -1));
        }
        assert_eq!(inbox.take(), [Note::Changed { watched: Key::ROOT, key: None, index: -1 }]);
    }

    #[test]
    fn transitions_are_all_kept_in_order_but_not_without_end() {
        let post = Inbox::new().begin();
        let transition = |run| Note::Transition(Transition { kind: TransitionKind::Start, run, sequence: 1 });
        (0..300).for_each(|run| post.post(transition(run)));
        let left: Vec<Note> = (300 - TRANSITIONS as u32..300).map(transition).collect();
        assert_eq!(post.inbox.take(), left);
    }

    #[test]
    fn an_earlier_client_is_never_heard_again() {
        let inbox = Inbox::new();
        let earlier = inbox.begin();
        earlier.post(Note::StopAsked);
        let later = inbox.begin();
        earlier.post(Note::Closed("late".to_owned()));
        assert_eq!(inbox.take(), []);
        later.post(Note::Closed("now".to_owned()));
        assert_eq!(inbox.take(), [Note::Closed("now".to_owned())]);
    }

    #[test]
    fn who_waits_is_woken_by_a_note_and_by_hand() {
        let inbox = Inbox::new();
        assert!(!inbox.wait(Duration::from_millis(1)));
        inbox.wake();
        assert!(inbox.wait(Duration::from_secs(10)));
        assert!(!inbox.wait(Duration::from_millis(1)), "once");
        let post = inbox.begin();
        let poster = std::thread::spawn(move || post.post(Note::Available));
        assert!(inbox.wait(Duration::from_secs(10)));
        assert!(poster.join().is_ok());
    }
}
