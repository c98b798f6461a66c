//! How large the blocks of a live source are.
//!
//! What others change in the ODB takes effect with the next block that is read, so a block must not take long
//! on its way, whatever the modules do to its events. Nothing that comes out depends on where blocks end, so
//! their size may follow from the time that the last ones took.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The time that a block should take from being read to being folded.
const WANTED: Duration = Duration::from_millis(20);

/// Bytes of the next block; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    target: Arc<AtomicUsize>,
    most: usize,
}

impl Pace {
    /// Begins with blocks of `first` bytes; they may grow up to `most`.
    pub(crate) fn new(first: usize, most: usize) -> Pace {
        Pace { target: Arc::new(AtomicUsize::new(first.min(most))), most }
    }

    /// About so many bytes should be in the next block, and one event at least.
    pub(crate) fn target(&self) -> usize {
        self.target.load(Ordering::Relaxed)
    }

    /// A block of so many bytes took so long.
    pub(crate) fn took(&self, bytes: usize, time: Duration) {
        let target = self.target();
        let share = WANTED.as_secs_f64() / time.as_secs_f64().max(1e-6);
        // What small blocks take says little of larger ones.
        let next = if share < 1.0 {
            target.min((bytes as f64 * share) as usize).max(1)
        } else if share > 2.0 && bytes >= target / 2 {
            target.saturating_mul(2).min(self.most)
        } else {
            return;
        };
        self.target.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size that blocks come to when each byte takes so many nanoseconds.
    fn settled(pace: &Pace, nanos: u64) -> usize {
        for _ in 0..100 {
            let bytes = pace.target();
            pace.took(bytes, Duration::from_nanos(nanos * bytes as u64));
        }
        pace.target()
    }

    #[test]
    fn blocks_are_as_large_as_their_time_allows() {
        let pace = Pace::new(16 << 10, 512 << 10);
        // Two nanoseconds per byte: the largest take a millisecond.
        assert_eq!(settled(&pace, 2), 512 << 10);
        // A module that takes 1 ms for an event of 100 bytes.
        let slow = settled(&pace, 10_000);
        assert!((1000..=2000).contains(&slow), "{slow}");
        // An event that takes longer than all of it is a block.
        assert_eq!(settled(&pace, 100_000_000), 1);
        assert_eq!(settled(&pace, 2), 512 << 10);
    }
}
