//! How far an input has been read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Watches an [`Input`](super::Input) that another thread reads. Cheap to clone and to ask.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    consumed: Arc<AtomicU64>,
    total: Option<u64>,
}

impl Progress {
    pub(super) fn new(total: Option<u64>) -> Progress {
        Progress { consumed: Arc::default(), total }
    }

    /// Bytes of the file read so far, as they stand in it, compressed or not.
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// Size of the file in bytes when it was opened; `None` for pipes and the like.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    pub(super) fn add(&self, bytes: usize) {
        self.consumed.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
