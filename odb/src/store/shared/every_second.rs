//! What is done at most once a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Says when it is time again, at most once a second; for the first time after a second.
pub(super) struct EverySecond {
    since: Instant,
    /// The second in which it was time.
    last: AtomicU64,
}

impl EverySecond {
    pub(super) fn new() -> EverySecond {
        EverySecond { since: Instant::now(), last: AtomicU64::new(0) }
    }

    /// Whether it is time; then it is not any more.
    pub(super) fn is_due(&self) -> bool {
        let second = self.since.elapsed().as_secs();
        self.last.swap(second, Ordering::Relaxed) != second
    }

    /// Makes it time.
    pub(super) fn hurry(&self) {
        self.last.store(u64::MAX, Ordering::Relaxed);
    }
}
