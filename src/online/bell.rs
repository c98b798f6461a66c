//! Waiting for files to change.
//!
//! The system tells of changes on a local disk within some tens of microseconds. A network file system tells
//! nothing of what others write, and so may a local one whose limit of watches is reached: therefore those who
//! wait look for themselves, too, each time that [`wait`](Bell::wait) comes back.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// How often those who wait look for themselves.
pub(super) const GLANCE: Duration = Duration::from_millis(50);

/// Rings when something has changed in some directories.
pub(crate) struct Bell {
    rung: Arc<Rung>,
    /// While it is there, the system tells.
    _watcher: Option<RecommendedWatcher>,
}

/// How often it has rung.
#[derive(Default)]
struct Rung {
    times: Mutex<u64>,
    again: Condvar,
}

impl Bell {
    /// Watches what is there of these directories.
    pub(crate) fn new(directories: &[PathBuf]) -> Bell {
        let rung = Arc::new(Rung::default());
        let ring = Arc::clone(&rung);
        let told = move |event: notify::Result<notify::Event>| {
            // Who reads a file changes nothing, be it ourselves.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                *lock(&ring.times) += 1;
                ring.again.notify_all();
            }
        };
        let mut watcher = notify::recommended_watcher(told).ok();
        for directory in directories {
            // Where nobody can watch, looking now and then must do.
            if let Some(watcher) = &mut watcher {
                let _ = watcher.watch(directory, RecursiveMode::NonRecursive);
            }
        }
        Bell { rung, _watcher: watcher }
    }

    /// How often it has rung so far.
    pub(crate) fn times(&self) -> u64 {
        *lock(&self.rung.times)
    }

    /// Waits until it has rung more often than that, but not longer than this; how often it has rung.
    pub(crate) fn wait(&self, known: u64, longest: Duration) -> u64 {
        let times = lock(&self.rung.times);
        let (times, _) = self
            .rung
            .again
            .wait_timeout_while(times, longest, |times| *times == known)
            .unwrap_or_else(PoisonError::into_inner);
        *times
    }
}

/// Waits until `is_there`, asked again each time that the bell rings and every `glance`, but not longer than
/// `longest`; whether it is there.
pub(crate) fn wait_for(
    bell: &Bell,
    longest: Duration,
    glance: Duration,
    mut is_there: impl FnMut() -> bool,
) -> bool {
    let until = Instant::now() + longest;
    loop {
        // Before looking: what comes behind rings again.
        let known = bell.times();
        if is_there() {
            return true;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        bell.wait(known, left.min(glance));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A number is right whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_written_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let bell = Bell::new(&[place.path().to_owned()]);
        let path = place.path().join("run00001.mid");
        let mut file = std::fs::File::create(&path).unwrap();
        let written = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            file.write_all(b"event").unwrap();
        });
        let size = || std::fs::metadata(&path).unwrap().len();
        assert!(wait_for(&bell, Duration::from_secs(60), Duration::from_millis(20), || size() == 5));
        written.join().unwrap();
        assert!(!wait_for(&bell, Duration::from_millis(30), Duration::from_millis(10), || size() == 6));
        // Nobody is there to tell: looking now and then does.
        let alone = Bell::new(&[PathBuf::from("/nowhere")]);
        let mut looks = 0;
        let third = || {
            looks += 1;
            looks == 3
        };
        assert!(wait_for(&alone, Duration::from_secs(60), Duration::from_millis(1), third));
    }
}
