//! A job with a thread that pulls its events.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Feed, Spool, Streams};
use crate::job::Job;
use crate::live::Live;

/// So long a farewell takes at the most.
const PATIENT: Duration = Duration::from_secs(3);

/// A job that is attached to a live source. Dropped, it says goodbye.
pub(crate) struct Attached {
    /// The job, as the source has it done.
    pub(crate) job: Job,
    spool: Spool,
    /// Wakes the thread, which may wait for something else than the spool.
    wake: Box<dyn Fn() + Send>,
    thread: JoinHandle<()>,
}

impl Attached {
    pub(crate) fn new(
        job: Job,
        (spool, wake): (Spool, Box<dyn Fn() + Send>),
        thread: JoinHandle<()>,
    ) -> Attached {
        Attached { job, spool, wake, thread }
    }

    /// Its runs as streams.
    pub(crate) fn streams(&self) -> Box<dyn Feed> {
        let name = self.job.live.as_ref().map_or_else(String::new, Live::name);
        Box::new(Streams::new(name, (self.spool.clone(), None), &self.job))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.spool.stop();
        (self.wake)();
        // What hangs is not waited for.
        let end = Instant::now() + PATIENT;
        while !self.thread.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
