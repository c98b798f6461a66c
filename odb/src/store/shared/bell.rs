//! What wakes other processes: four words in a mapped file.
//!
//! | word | what |
//! |---|---|
//! | 0 | strokes: grows behind every commit; waiters sleep on it |
//! | 1 | 1 if somebody may be asleep |
//! | 2 | who would like to write next |
//! | 3 | the process that writes, if one does |
//!
//! They only hint: the revision alone says whether something has changed, LMDB's lock who may write. So a
//! process that dies between any two steps costs a sleeper a tenth of a second, or a writer a wake-up in
//! vain.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use memmap2::MmapRaw;

/// Bytes of the file.
const SIZE: usize = 64;

/// How long anybody sleeps without looking.
const NAP: Duration = Duration::from_millis(100);

/// How long a writer may take before others give up.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 20 });

/// How long a writer stands back for another.
const COURTESY: Duration = Duration::from_millis(1);

pub(super) struct Bell {
    map: MmapRaw,
}

impl Bell {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path) -> io::Result<Bell> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.len() < SIZE as u64 {
            // Written, not only made longer: there must be room on the disk for what is mapped. Words
            // that another process has set meanwhile are hints.
            file.write_all(&[0; SIZE])?;
        }
        Ok(Bell { map: MmapRaw::map_raw(&file)? })
    }

    #[allow(unsafe_code, reason = "words in a mapped file")]
    fn word(&self, n: usize) -> &AtomicU32 {
        debug_assert!(4 * n + 4 <= SIZE);
        // SAFETY: the map begins at a page and is at least SIZE long, so word `n` is inside and
        // aligned. It lives as long as `self`. All who map the file use these words as atomics only.
        // The file is never made shorter; whoever does so by hand kills the processes that use it.
        unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().cast::<u32>().add(n)) }
    }

    /// Waits while another process writes. One that is dead does not count.
    ///
    /// # Errors
    /// Its number, if it takes too long: it may have been stopped in the midst.
    pub(super) fn await_writer(&self) -> Result<(), u32> {
        let writer = self.word(3).load(Ordering::SeqCst);
        if writer == 0 || writer == std::process::id() {
            return Ok(());
        }
        let is_at_it = || self.word(3).load(Ordering::SeqCst) == writer;
        let started = Instant::now();
        while is_at_it() && is_alive(writer) {
            if started.elapsed() > PATIENCE {
                return Err(writer);
            }
            self.sleep(COURTESY, || !is_at_it());
        }
        Ok(())
    }

    /// Says that this process writes.
    pub(super) fn begin(&self) {
        self.word(3).store(std::process::id(), Ordering::SeqCst);
    }

    /// Says that it has written, or not, and wakes who waits for either.
    pub(super) fn end(&self) {
        self.word(3).store(0, Ordering::SeqCst);
        self.word(0).fetch_add(1, Ordering::SeqCst);
        if self.word(1).swap(0, Ordering::SeqCst) != 0 {
            wake(self.word(0));
        }
    }

    /// Sleeps until a stroke, a tenth of a second at the most, unless `goes_on` says that there is
    /// something new. Whoever rings after `goes_on` was asked is heard.
    pub(super) fn sleep(&self, longest: Duration, goes_on: impl Fn() -> bool) {
        let strokes = self.word(0).load(Ordering::SeqCst);
        self.word(1).store(1, Ordering::SeqCst);
        if !goes_on() {
            sleep(self.word(0), strokes, longest.min(NAP));
        }
    }

    /// Says that this thread would like to write.
    pub(super) fn ask(&self) {
        self.word(2).store(this_thread(), Ordering::SeqCst);
    }

    /// Stands back if another thread would like to write, until it has, but not for long.
    pub(super) fn stand_back(&self) {
        let next = self.word(2).swap(0, Ordering::SeqCst);
        if next != 0 && next != this_thread() {
            self.sleep(COURTESY, || false);
        }
    }
}

/// A number that no other thread of this computer has; not 0.
fn this_thread() -> u32 {
    thread_local! {
        static NUMBER: u32 = number();
    }
    #[cfg(target_os = "linux")]
    fn number() -> u32 {
        rustix::thread::gettid().as_raw_nonzero().get() as u32
    }
    #[cfg(not(target_os = "linux"))]
    fn number() -> u32 {
        std::process::id()
    }
    NUMBER.with(|number| *number)
}

/// Is there a process of this number? One of somebody else's counts.
#[cfg(unix)]
fn is_alive(process: u32) -> bool {
    let number = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
    number.is_some_and(|number| rustix::process::test_kill_process(number) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_alive(_: u32) -> bool {
    true
}

#[cfg(target_os = "linux")]
fn wake(word: &AtomicU32) {
    use rustix::thread::futex;
    // Nobody there is no error.
    let _ = futex::wake(word, futex::Flags::empty(), i32::MAX as u32);
}

#[cfg(target_os = "linux")]
fn sleep(word: &AtomicU32, value: u32, longest: Duration) {
    use rustix::thread::futex;
    let longest = futex::Timespec { tv_sec: 0, tv_nsec: longest.subsec_nanos().into() };
    // Woken, too late, or interrupted: the caller looks in any case.
    let _ = futex::wait(word, futex::Flags::empty(), value, Some(&longest));
}

/// Other systems have no such sleep between processes: they look every millisecond.
#[cfg(not(target_os = "linux"))]
fn wake(_: &AtomicU32) {}

#[cfg(not(target_os = "linux"))]
fn sleep(_: &AtomicU32, _: u32, longest: Duration) {
    std::thread::sleep(longest.min(Duration::from_millis(1)));
}
