//! The tree in the memory of this process: the default offline, and private.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Store;
use crate::{Result, Tree};

/// A tree for the threads of this process.
///
/// Readers hold the lock only to copy a pointer; writers work on a copy that shares what they do
/// not change, and take turns.
#[derive(Default)]
pub struct Local {
    tree: RwLock<Tree>,
    revision: AtomicU64,
    turn: Mutex<()>,
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
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        // MIDAS keeps 32 bits; they last until 2106.
        tree.set_now(now as u32);
        change(&mut tree)?;
        if !tree.same(&before) {
            let mut place = self.tree.write().unwrap_or_else(PoisonError::into_inner);
            *place = tree;
            self.revision.fetch_add(1, Ordering::Release);
        }
        Ok(())
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
