//! Threads that are lent, and work on them whose results come back in order.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// Threads for compression, decompression and the encoding of tables. Clones share them.
///
/// What comes out never depends on how many there are.
#[derive(Clone)]
pub struct Pool {
    threads: Arc<rayon::ThreadPool>,
    memory: usize,
}

impl Pool {
    /// Starts so many threads, at least one.
    ///
    /// # Errors
    /// If the system has no room for them.
    pub fn new(threads: usize) -> io::Result<Pool> {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1));
        let pool = builder.thread_name(|i| format!("packer {i}")).build().map_err(io::Error::other)?;
        Ok(Pool { threads: Arc::new(pool), memory: usize::MAX })
    }

    /// Lets everyone who is given this pool have no more than so many bytes on the way in it: but
    /// always one piece of work, and no more than keep the threads busy.
    #[must_use]
    pub fn with_memory(self, bytes: usize) -> Pool {
        Pool { memory: bytes, ..self }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    /// Bytes that may be on the way.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads()).field("memory", &self.memory).finish()
    }
}

/// Work in flight, oldest first. Without a pool it is done by the one who hands it in.
#[derive(Debug)]
pub(crate) struct InOrder<T> {
    pool: Option<Pool>,
    waiting: VecDeque<Receiver<io::Result<T>>>,
}

impl<T: Send + 'static> InOrder<T> {
    pub(crate) fn new(pool: Option<Pool>) -> InOrder<T> {
        InOrder { pool, waiting: VecDeque::new() }
    }

    /// Hands in work that must not wait for other work of the same pool.
    pub(crate) fn push(&mut self, work: impl FnOnce() -> io::Result<T> + Send + 'static) {
        let (give, take) = sync_channel(1);
        let work = move || {
            // A panic would end the program: the threads belong to nobody who could catch it.
            let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(lost(&*panic)));
            // Whoever gave up no longer wants it.
            let _ = give.send(result);
        };
        match &self.pool {
            Some(pool) => pool.threads.spawn_fifo(work),
            None => work(),
        }
        self.waiting.push_back(take);
    }

    /// How many pieces of work have been handed in and not fetched.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is enough in flight to keep all threads busy, or no memory for another piece of
    /// work of so many bytes.
    pub(crate) fn is_full(&self, bytes: usize) -> bool {
        let most = |pool: &Pool| (pool.memory() / bytes.max(1)).clamp(1, 2 * pool.threads());
        self.len() >= self.pool.as_ref().map_or(1, most)
    }

    /// Waits for the oldest result; `None` if nothing is in flight.
    pub(crate) fn next(&mut self) -> Option<io::Result<T>> {
        let oldest = self.waiting.pop_front()?;
        Some(oldest.recv().unwrap_or_else(|_| Err(io::Error::other("a thread of the pool is gone"))))
    }

    /// The oldest result, if it is there.
    pub(crate) fn try_next(&mut self) -> Option<io::Result<T>> {
        match self.waiting.front()?.try_recv() {
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.next(),
            Ok(result) => {
                self.waiting.pop_front();
                Some(result)
            }
        }
    }
}

fn lost(panic: &(dyn std::any::Any + Send)) -> io::Error {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(|s| &**s));
    io::Error::other(format!("panicked: {}", text.unwrap_or("without a message")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn squares(pool: Option<Pool>) -> Vec<u64> {
        let (mut queue, mut results) = (InOrder::new(pool), Vec::new());
        for i in 0..100_u64 {
            if queue.is_full(8) {
                results.extend(queue.next().map(Result::unwrap));
            }
            queue.push(move || {
                std::thread::sleep(Duration::from_micros(i * 7919 % 300));
                Ok(i * i)
            });
        }
        while let Some(result) = queue.next() {
            results.push(result.unwrap());
        }
        results
    }

    #[test]
    fn results_come_in_order_whoever_does_the_work() {
        let expected: Vec<u64> = (0..100).map(|i| i * i).collect();
        assert_eq!(squares(None), expected);
        for threads in 1..4 {
            assert_eq!(squares(Some(Pool::new(threads).unwrap())), expected);
        }
    }

    #[test]
    fn memory_bounds_what_is_in_flight() {
        let pool = Pool::new(2).unwrap().with_memory(300);
        for (bytes, most) in [(0, 4), (10, 4), (100, 3), (200, 1), (1000, 1)] {
            let mut queue = InOrder::new(Some(pool.clone()));
            while !queue.is_full(bytes) {
                queue.push(|| Ok(()));
            }
            assert_eq!(queue.len(), most, "{bytes}");
        }
    }

    #[test]
    fn a_panic_is_an_error_of_its_place() {
        for pool in [None, Some(Pool::new(2).unwrap())] {
            let mut queue = InOrder::new(pool);
            queue.push(|| Ok(1));
            queue.push(|| panic!("of the second"));
            queue.push(|| Ok(3));
            assert_eq!(queue.next().unwrap().unwrap(), 1);
            assert_eq!(queue.next().unwrap().unwrap_err().to_string(), "panicked: of the second");
            assert_eq!(queue.next().unwrap().unwrap(), 3);
            assert!(queue.try_next().is_none() && queue.next().is_none());
        }
    }
}
