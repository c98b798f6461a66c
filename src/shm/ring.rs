//! A stream as a file that is mapped.

use std::sync::atomic::Ordering::{Acquire, SeqCst};
use std::time::{Duration, Instant};

use super::bell;
use super::file::RingFile;
use super::layout::{Layout, MAGIC, NAME, SLOTS, VERSION, word};
use super::lock::{self, LOCKS};
use super::map::Map;
use super::words::{Words, text};
use super::{Error, Result, StreamName, TransitionKind, journal};

/// Locks: who publishes, who makes a group, who has the first slot.
pub(super) const PRODUCER: u64 = LOCKS;
pub(super) const GROUPS: u64 = LOCKS + 1;
const SLOT: u64 = LOCKS + 16;

/// How long one who only looks may have the lock of the producer.
pub(super) const GLANCE: Duration = Duration::from_millis(300);

/// A stream.
pub(super) struct Ring {
    pub(super) file: RingFile,
    pub(super) map: Map,
    pub(super) layout: Layout,
}

impl Ring {
    /// The stream of a name.
    pub(super) fn open(name: &StreamName) -> Result<Ring> {
        let file = RingFile::open(name)?;
        let odd = |why: String| Error::NotAStream { path: file.path.clone(), why };
        let map = |bytes: u64| Map::new(&file.file, bytes).map_err(|error| odd(error.to_string()));
        let head = map(8 * word::COUNT as u64)?;
        let (magic, version, size) = (head.get(word::MAGIC), head.get(word::VERSION), head.get(word::SIZE));
        if (magic, version) != (MAGIC, VERSION) {
            let found = if magic == MAGIC { format!("version {version}") } else { format!("{magic:#x}") };
            return Err(odd(format!("a stream of version {VERSION} wanted, {found} found at byte 0")));
        }
        if !size.is_power_of_two() || !Layout::SIZES.contains(&size) {
            return Err(odd(format!("a size that is a power of two wanted, {size} found at byte 16")));
        }
        let layout = Layout::new(size);
        let map = map(layout.bytes())?;
        Ok(Ring { file, map, layout })
    }

    /// A new stream, which nobody sees yet.
    pub(super) fn create(name: &StreamName, size: u64, mode: u32) -> Result<Ring> {
        let layout = Layout::new(size);
        let file = RingFile::create(name, layout.bytes(), mode)?;
        let failed = |source| Error::Io { what: "map", path: file.path.clone(), source };
        let map = Map::new(&file.file, layout.bytes()).map_err(failed)?;
        map.set(word::SIZE, size);
        map.set(word::STAMP, bell::now());
        map.set(word::VERSION, VERSION);
        map.set(word::MAGIC, MAGIC);
        Ok(Ring { file, map, layout })
    }

    /// Takes the lock of the producer.
    ///
    /// # Errors
    /// [`Error::HasProducer`] if another has it, and not only to look.
    pub(super) fn lock_producer(&self) -> Result<()> {
        let until = Instant::now() + GLANCE;
        while !self.try_lock(PRODUCER)? {
            if Instant::now() > until {
                return Err(self.has_producer());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Another process publishes here.
    pub(super) fn has_producer(&self) -> Error {
        let program = text(&self.map, word::PROGRAM, NAME);
        Error::HasProducer { pid: self.map.get(word::PID) as u32, program }
    }

    /// Takes a lock, or says that another has it.
    pub(super) fn try_lock(&self, at: u64) -> Result<bool> {
        lock::try_lock(&self.file.file, at).map_err(|source| self.error("lock", source))
    }

    pub(super) fn unlock(&self, at: u64) {
        // What cannot be unlocked ends with the file.
        let _ = lock::unlock(&self.file.file, at);
    }

    /// Whether another has this lock.
    pub(super) fn is_locked(&self, at: u64) -> bool {
        lock::is_locked(&self.file.file, at).unwrap_or(false)
    }

    /// The lock of a slot.
    pub(super) fn slot_lock(number: usize) -> u64 {
        SLOT + number as u64
    }

    pub(super) fn error(&self, what: &'static str, source: std::io::Error) -> Error {
        Error::Io { what, path: self.file.path.clone(), source }
    }

    pub(super) fn damaged(&self, why: impl Into<String>) -> Error {
        Error::Damaged { path: self.file.path.clone(), why: why.into() }
    }

    /// Whether it was removed, or another has its name.
    pub(super) fn is_retired(&self) -> bool {
        self.map.load(word::RETIRED, Acquire) != 0
    }

    /// Whether it is the stream of its name.
    pub(super) fn is_current(&self) -> bool {
        !self.is_retired() && self.file.is_current()
    }

    /// Says that another has its name, or none.
    pub(super) fn retire(&self) {
        self.map.store(word::RETIRED, 1, SeqCst);
        self.wake();
    }

    /// Removes it. The lock of the producer is held.
    pub(super) fn remove(&self) -> Result<()> {
        // In this order: what is retired and still there would be in the way of the next one.
        self.file.remove()?;
        self.retire();
        Ok(())
    }

    /// The last one out removes it. One who leaves at the same time may see us, and we him: so it is asked twice.
    pub(super) fn leave(&self) {
        for last in [false, true] {
            if self.try_lock(PRODUCER).unwrap_or(false) {
                self.remove_unused();
                self.unlock(PRODUCER);
            }
            if last || self.is_retired() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Removes it if there is no consumer. The lock of the producer is held.
    fn remove_unused(&self) {
        // Who comes meanwhile finds no slot, or that it is retired.
        let taken =
            (0..SLOTS).take_while(|slot| self.try_lock(Ring::slot_lock(*slot)).unwrap_or(false)).count();
        if taken == SLOTS && self.file.is_current() {
            // What we may not remove stays for who may.
            let _ = self.remove();
        }
        (0..taken).for_each(|slot| self.unlock(Ring::slot_lock(slot)));
    }

    /// The run that is going on, and whether it is paused.
    pub(super) fn run(&self) -> Result<(Option<u32>, bool)> {
        let (mut at, end) = (self.map.load(word::BEGUN, Acquire), self.map.load(word::JOURNAL, Acquire));
        let (mut run, mut is_paused) = (None, false);
        while at > 0 && at - 1 < end {
            let (record, next) = journal::read(&self.file, self.layout.bytes(), at - 1, end)?;
            (run, is_paused) = match TransitionKind::from_code(record.kind) {
                Some(TransitionKind::Begin) => (Some(record.run), false),
                Some(TransitionKind::Pause) => (run, true),
                Some(TransitionKind::Resume) => (run, false),
                _ => (None, false),
            };
            at = next.saturating_add(1);
        }
        Ok((run, is_paused))
    }

    /// Wakes consumers that sleep.
    pub(super) fn wake(&self) {
        let (bell, asleep) = self.map.bell(word::BELL);
        bell::ring(bell, asleep);
    }

    /// Wakes the producer, if it waits for room.
    pub(super) fn make_room(&self) {
        let (bell, asleep) = self.map.bell(word::SPACE);
        bell::ring(bell, asleep);
    }

    /// How long its producers have waited for consumers; until now, if one lives that waits.
    pub(super) fn waited(&self, lives: impl FnOnce() -> bool) -> Duration {
        let (before, since) = (self.map.load(word::WAITED, Acquire), self.map.load(word::WAITING, Acquire));
        let now = if since == 0 || !lives() { 0 } else { bell::now().saturating_sub(since) };
        // If it has ended meanwhile, all of it is in the sum.
        let after = self.map.load(word::WAITED, Acquire);
        Duration::from_nanos(if after == before { before.saturating_add(now) } else { after })
    }
}
