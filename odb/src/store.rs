//! Where a tree lives: in this process, in shared memory, in another program.
//!
//! One small trait, and one body of tests for everything that implements it, [`conformance`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Result, Tree};

mod conformance;
mod local;
pub mod shared;

pub use conformance::{RULES, Rule, conformance};
pub use local::Local;
pub use shared::{Options, Shared};

/// A place that holds one tree for many readers and writers, in this process or in several.
///
/// Readers take snapshots, which never change; writers send transactions, which happen as a whole
/// or not at all, one after the other.
pub trait Store: Send + Sync {
    /// A number that grows whenever the tree changes, by whomever. Costs no more than an atomic
    /// load, so it may be asked for every block of events.
    fn revision(&self) -> u64;

    /// The tree as it is now, and the revision it belongs to.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store) if the place cannot be read.
    fn snapshot(&self) -> Result<(u64, Tree)>;

    /// Applies `change` to the newest tree. If it returns an error, nothing is changed and the error
    /// comes back; if it leaves the tree as it was, times of writing included, the revision stays.
    ///
    /// `change` sees a tree that nobody else changes until it returns. It may be called again if the
    /// place was changed meanwhile, so it must do nothing but change the tree; and it must not use
    /// the same store, which would wait for itself.
    ///
    /// # Errors
    /// What `change` returns, and [`Error::Store`](crate::Error::Store).
    fn transact(&self, change: &mut dyn FnMut(&mut Tree) -> Result<()>) -> Result<()>;

    /// Waits until the revision is another than `seen`, at most for `timeout`; the revision then. A
    /// change between the call that gave `seen` and this one is not missed. A place that is gone is not
    /// waited for: the next snapshot says so.
    fn wait(&self, seen: u64, timeout: Duration) -> u64;
}

/// The time that a change writes down [Unix seconds]. MIDAS keeps 32 bits; they last until 2106.
fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()) as u32
}
