//! The tree in the memory of this process: the default offline, and private.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::{Store, now};
use crate::{Result, Tree};

/// A tree for the threads of this process.
///
/// Readers hold the lock only to copy a pointer; writers work on a copy that shares what they do
/// not change, and take turns.
#[derive(Default)]
pub struct Local {
    tree: RwLock<Tree>,
    revision: AtomicU64,
    /// Writers take turns.
    turn: Mutex<()>,
    /// Somebody has changed something: held for no longer than to say so.
    news: Mutex<()>,
    changed: Condvar,
}

impl Local {
    /// A store that begins with this tree.
    pub fn new(tree: Tree) -> Local {
        Local { tree: RwLock::new(tree), ..Local::default() }
    }

    fn read(&self) -> (u64, Tree) {
        // A writer that panicked did so outside this lock, or after its tree was complete.
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        (self.revision.load(Ordering::Acquire), tree.clone())
    }
}

impl Store for Local {
    fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    fn snapshot(&self) -> Result<(u64, Tree)> {
        Ok(self.read())
    }

    fn transact(&self, change: &mut dyn FnMut(&mut Tree) -> Result<()>) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, before) = self.read();
        let mut tree = before.clone();
        tree.set_now(now());
        change(&mut tree)?;
        if !tree.identical(&before) {
            let mut place = self.tree.write().unwrap_or_else(PoisonError::into_inner);
            *place = tree;
            self.revision.fetch_add(1, Ordering::Release);
            drop(place);
            drop(self.news.lock().unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_all();
        }
        Ok(())
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(news, timeout, |()| self.revision() == seen));
        self.revision()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_store_conforms() {
        super::super::conformance(&|| std::sync::Arc::new(Local::default()));
    }
}
