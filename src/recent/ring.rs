//! What is needed of a consumer: another may stand for it in a test.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::shm::{self, Consumer, Lost, Next, StreamName, Want};

/// Reads a stream.
pub(super) trait Ring: Send {
    /// Bytes of events that it holds.
    fn size(&self) -> u64;
    /// What tells it from others.
    fn stamp(&self) -> u64;
    /// See [`Consumer::next`].
    fn next(&mut self, to: &mut Vec<u8>, only: Option<&[u16]>) -> shm::Result<Next>;
    /// See [`Consumer::wait`].
    fn wait(&self, longest: Duration) -> bool;
    /// See [`Consumer::has_producer`].
    fn has_producer(&self) -> bool;
    /// See [`Consumer::backlog`].
    fn backlog(&self) -> u64;
    /// See [`Consumer::missed`].
    fn missed(&mut self) -> BTreeMap<u16, Lost>;
    /// See [`Consumer::back_pressure`].
    fn back_pressure(&self) -> Duration;
}

/// Attaches to a stream.
pub(super) type Attach = Box<dyn FnMut() -> shm::Result<Box<dyn Ring>> + Send>;

/// Attaches to the stream of this name.
pub(super) fn by_name(name: StreamName, want: Want) -> Attach {
    Box::new(move || Ok(Box::new(Consumer::attach(&name, &want)?)))
}

impl Ring for Consumer {
    fn stamp(&self) -> u64 {
        self.stamp()
    }

    fn size(&self) -> u64 {
        self.size()
    }

    fn next(&mut self, to: &mut Vec<u8>, only: Option<&[u16]>) -> shm::Result<Next> {
        self.next(to, only)
    }

    fn wait(&self, longest: Duration) -> bool {
        self.wait(longest)
    }

    fn has_producer(&self) -> bool {
        self.has_producer()
    }

    fn backlog(&self) -> u64 {
        self.backlog()
    }

    fn missed(&mut self) -> BTreeMap<u16, Lost> {
        self.missed()
    }

    fn back_pressure(&self) -> Duration {
        self.back_pressure()
    }
}
