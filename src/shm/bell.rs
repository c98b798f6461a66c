//! What wakes who sleeps in another process: two words of the ring.
//!
//! One says whether somebody may be asleep; on the other, which grows with every wake-up, he sleeps. Both
//! only hint: positions alone say whether there is something new. So a process that dies between any two
//! steps costs a sleeper a tenth of a second, or a writer a wake-up in vain. While nobody sleeps, a writer
//! only reads one word.

use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

/// How long anybody sleeps without looking.
const NAP: Duration = Duration::from_millis(100);

/// Sleeps until somebody rings, a tenth of a second at the most, unless `goes_on` says that there is
/// something new. Whoever rings after `goes_on` was asked is heard. It may wake for nothing.
pub(super) fn sleep(bell: &AtomicU32, asleep: &AtomicU32, longest: Duration, goes_on: impl Fn() -> bool) {
    let strokes = (bell, asleep).lie_down();
    if !goes_on() {
        system::sleep(bell, strokes, longest.min(NAP));
    }
}

/// Wakes who sleeps, behind something new.
pub(super) fn ring(bell: &AtomicU32, asleep: &AtomicU32) {
    if (bell, asleep).stroke() {
        system::wake(bell);
    }
}

/// The two words of a bell.
pub(super) trait Bell {
    /// How often it was rung.
    fn strokes(&self) -> u32;

    /// It is rung once more.
    fn add_stroke(&self);

    /// Whether somebody may be asleep.
    fn is_asleep(&self) -> bool;

    /// Says whether somebody may be asleep.
    fn say_asleep(&self, asleep: bool);

    /// Keeps all that stands before from all that stands behind.
    fn fence(&self);

    /// Says that somebody is about to sleep, while there are so many strokes and, asked behind this, nothing new.
    fn lie_down(&self) -> u32 {
        let strokes = self.strokes();
        self.say_asleep(true);
        // Either we see what was published, or who has published sees that we sleep.
        self.fence();
        strokes
    }

    /// Whether somebody is to be woken.
    fn stroke(&self) -> bool {
        self.fence();
        let asleep = self.is_asleep();
        if asleep {
            // Cleared first: who comes to sleep from here on has seen what is new, or is woken, too.
            self.say_asleep(false);
            self.add_stroke();
        }
        asleep
    }
}

impl Bell for (&AtomicU32, &AtomicU32) {
    fn strokes(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    fn add_stroke(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn is_asleep(&self) -> bool {
        self.1.load(Ordering::Relaxed) != 0
    }

    fn say_asleep(&self, asleep: bool) {
        self.1.store(asleep.into(), Ordering::SeqCst);
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}

/// The time since the computer was started [ns]: the same in all processes, and never set back.
pub(super) fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(target_os = "linux")]
mod system {
    use super::{AtomicU32, Duration};

    use rustix::thread::futex;

    pub(super) fn wake(word: &AtomicU32) {
        // Nobody there is no error.
        let _ = futex::wake(word, futex::Flags::empty(), i32::MAX as u32);
    }

    pub(super) fn sleep(word: &AtomicU32, value: u32, longest: Duration) {
        let longest = futex::Timespec { tv_sec: 0, tv_nsec: longest.subsec_nanos().into() };
        // Woken, too late, or interrupted: the caller looks in any case.
        let _ = futex::wait(word, futex::Flags::empty(), value, Some(&longest));
    }
}

/// Other systems have no such sleep between processes: they look every millisecond.
#[cfg(not(target_os = "linux"))]
mod system {
    use super::{AtomicU32, Duration};

    pub(super) fn wake(_: &AtomicU32) {}

    pub(super) fn sleep(_: &AtomicU32, _: u32, longest: Duration) {
        std::thread::sleep(longest.min(Duration::from_millis(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::atomic::AtomicU64;
    use std::thread;
    use std::time::Instant;

    #[derive(Default)]
    struct Words {
        bell: AtomicU32,
        asleep: AtomicU32,
        published: AtomicU64,
    }

    impl Words {
        fn publish(&self, n: u64) {
            self.published.store(n, Ordering::Release);
            ring(&self.bell, &self.asleep);
        }

        fn wait(&self, n: u64) {
            let is_there = || self.published.load(Ordering::Acquire) >= n;
            while !is_there() {
                sleep(&self.bell, &self.asleep, Duration::from_secs(10), is_there);
            }
        }
    }

    /// A wake-up that gets lost costs a nap: half of them would take a quarter of an hour.
    #[test]
    fn whoever_sleeps_is_woken() {
        const ROUNDS: u64 = 20_000;
        let (there, back) = (&Words::default(), &Words::default());
        let started = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..=ROUNDS {
                    there.wait(n);
                    back.publish(n);
                }
            });
            for n in 1..=ROUNDS {
                there.publish(n);
                back.wait(n);
            }
        });
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    }

    #[test]
    fn all_who_sleep_are_woken() {
        let words = &Words::default();
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (1..=200).for_each(|n| words.wait(n)));
            }
            for n in 1..=200 {
                thread::sleep(Duration::from_micros(200));
                words.publish(n);
            }
        });
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }

    #[test]
    fn nobody_sleeps_for_longer_than_a_nap() {
        let words = Words::default();
        let started = Instant::now();
        sleep(&words.bell, &words.asleep, Duration::from_secs(60), || false);
        assert!(started.elapsed() < Duration::from_secs(30));
        // What has died in its sleep costs one wake-up in vain.
        assert_eq!(words.asleep.load(Ordering::SeqCst), 1);
        words.publish(1);
        words.publish(2);
        assert_eq!(words.bell.load(Ordering::SeqCst), 1);
        assert_eq!(words.asleep.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn nobody_sleeps_if_there_is_something_new() {
        let words = Words::default();
        let started = Instant::now();
        (0..1000).for_each(|_| sleep(&words.bell, &words.asleep, NAP, || true));
        (0..10).for_each(|_| sleep(&words.bell, &words.asleep, Duration::ZERO, || false));
        assert!(started.elapsed() < Duration::from_secs(30), "a thousand naps take a hundred seconds");
    }

    #[test]
    fn time_goes_on() {
        let before = now();
        thread::sleep(Duration::from_millis(2));
        let passed = now() - before;
        assert!((2_000_000..60_000_000_000).contains(&passed), "{passed} ns");
    }
}
