//! Who brings commits to the disk.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use heed::{Env, WithoutTls};

/// How long a commit may wait for the disk.
const WAIT: Duration = Duration::from_secs(1);

/// A thread that brings commits to the disk, a second after the first one that is not there.
#[derive(Default)]
pub(super) struct Keeper {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    todo: Mutex<Todo>,
    changed: Condvar,
}

#[derive(Default)]
struct Todo {
    /// Something was committed that may not be on the disk.
    dirty: bool,
    stop: bool,
    thread: Option<JoinHandle<()>>,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Todo> {
        self.todo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, env: &Env<WithoutTls>) {
        let mut todo = self.lock();
        while !todo.stop {
            if !todo.dirty {
                todo = self.changed.wait(todo).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = self.changed.wait_timeout_while(todo, WAIT, |todo| !todo.stop);
            todo = waited.unwrap_or_else(PoisonError::into_inner).0;
            if !todo.stop {
                todo.dirty = false;
                drop(todo);
                let done = env.force_sync();
                todo = self.lock();
                todo.dirty |= done.is_err();
            }
        }
    }
}

impl Keeper {
    /// Something was committed.
    pub(super) fn dirty(&self, env: &Env<WithoutTls>) {
        let mut todo = self.state.lock();
        if todo.dirty {
            return;
        }
        todo.dirty = true;
        self.state.changed.notify_all();
        if todo.thread.is_none() {
            let (state, env) = (Arc::clone(&self.state), env.clone());
            let thread = std::thread::Builder::new().name("odb keeper".into());
            // Where there is no thread to be had, the end of the process brings it to the disk.
            todo.thread = thread.spawn(move || state.keep(&env)).ok();
        }
    }

    /// Brings to the disk what is not there, and ends.
    pub(super) fn end(&self, env: &Env<WithoutTls>) {
        let mut todo = self.state.lock();
        todo.stop = true;
        let (thread, dirty) = (todo.thread.take(), todo.dirty);
        drop(todo);
        self.state.changed.notify_all();
        if let Some(thread) = thread {
            // It does nothing that could panic.
            let _ = thread.join();
        }
        if dirty {
            // Nobody is left to hear of a failure; the system itself writes what is mapped.
            let _ = env.force_sync();
        }
    }
}
