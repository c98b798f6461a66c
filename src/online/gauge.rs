//! How far the analysis is behind the writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How far the analysis is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Lag {
    /// Bytes that are written, as they stand in the files, and not analyzed.
    pub bytes: u64,
    /// Events in these, as far as the events before tell.
    pub events: u64,
    /// Time since the first of these was written, in seconds. What was there when the analysis began counts as
    /// written then.
    pub seconds: f64,
}

/// Blocks on their way from the source to the outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// How many there are.
    pub used: usize,
    /// How many there may be: the source waits then.
    pub most: usize,
}

/// What source and fold know together of how far they are; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Gauge(Arc<Shared>);

#[derive(Default)]
struct Shared {
    written: Mutex<Option<Box<dyn Fn() -> u64 + Send>>>,
    used: AtomicUsize,
    most: AtomicUsize,
    paused: AtomicBool,
}

impl Gauge {
    /// Tells how to learn how many bytes there are, since the analysis began.
    pub(crate) fn written_by(&self, written: impl Fn() -> u64 + Send + 'static) {
        *lock(&self.0.written) = Some(Box::new(written));
    }

    /// The bytes there are, if somebody knows.
    pub(crate) fn written(&self) -> Option<u64> {
        lock(&self.0.written).as_ref().map(|written| written())
    }

    /// Takes note of how many blocks are on their way.
    pub(crate) fn blocks(&self, used: usize, most: usize) {
        self.0.used.store(used, Ordering::Relaxed);
        self.0.most.store(most, Ordering::Relaxed);
    }

    /// Takes note of whether the run is paused.
    pub(crate) fn pause(&self, paused: bool) {
        self.0.paused.store(paused, Ordering::Relaxed);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.0.paused.load(Ordering::Relaxed)
    }

    pub(crate) fn queue(&self) -> Queue {
        Queue { used: self.0.used.load(Ordering::Relaxed), most: self.0.most.load(Ordering::Relaxed) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When how much was written.
pub(crate) struct Growth {
    /// The bytes there were at some times, both ascending. Those analyzed are forgotten but for the last.
    seen: VecDeque<(Instant, u64)>,
}

/// So many are remembered; of more, every other one is forgotten.
const SEEN: usize = 4096;

impl Growth {
    /// Begins now.
    pub(crate) fn new(now: Instant) -> Growth {
        Growth { seen: VecDeque::from([(now, 0)]) }
    }

    /// So many bytes are written now, and so many analyzed: the bytes and seconds between.
    pub(crate) fn lag(&mut self, now: Instant, written: u64, analyzed: u64) -> (u64, Duration) {
        // A file that has shrunk has no more than was analyzed.
        let last = self.seen.back().map_or(0, |&(_, bytes)| bytes);
        if written > last {
            if self.seen.len() >= SEEN {
                let mut even = false;
                self.seen.retain(|_| {
                    even = !even;
                    even
                });
            }
            self.seen.push_back((now, written));
        } else if analyzed >= last
            && let Some(back) = self.seen.back_mut()
        {
            // All is analyzed: the next byte is not older than this.
            back.0 = now;
        }
        while let [_, next, ..] = *self.seen.make_contiguous()
            && next.1 <= analyzed
        {
            self.seen.pop_front();
        }
        let bytes = written.saturating_sub(analyzed);
        let mut seen = self.seen.iter();
        let (Some(&(before, low)), Some(&(after, high))) = (seen.next(), seen.next()) else {
            return (bytes, Duration::ZERO);
        };
        if bytes == 0 {
            return (0, Duration::ZERO);
        }
        // Between two looks, the writer is thought to be even.
        let share = (analyzed.saturating_sub(low)) as f64 / (high - low).max(1) as f64;
        let written_at = before + (after - before).mul_f64(share.clamp(0.0, 1.0));
        (bytes, now.saturating_duration_since(written_at))
    }
}

/// Whether the analysis falls behind: the lag grows all the time.
pub(crate) struct Falling {
    /// How long it may grow before somebody is told.
    patience: Duration,
    /// Lags at the ends of the last stretches of a tenth of that time.
    lags: VecDeque<f64>,
    last: Option<Instant>,
    /// Somebody is told; the lag then.
    told: Option<f64>,
}

/// Stretches that make up the patience.
const STRETCHES: usize = 10;

/// What is there to be said of the lag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum News {
    /// It has grown for so long.
    Falls,
    /// It has not.
    CaughtUp,
}

impl Falling {
    pub(crate) fn new(patience: Duration) -> Falling {
        Falling { patience, lags: VecDeque::new(), last: None, told: None }
    }

    /// Whether it falls behind now.
    pub(crate) fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// The lag is so many seconds now.
    pub(crate) fn look(&mut self, now: Instant, lag: f64) -> Option<News> {
        let stretch = self.patience / STRETCHES as u32;
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < stretch) {
            return None;
        }
        self.last = Some(now);
        self.lags.push_back(lag);
        if self.lags.len() > STRETCHES + 1 {
            self.lags.pop_front();
        }
        let whole = self.lags.len() > STRETCHES;
        match self.told {
            None => {
                // A lag of one stretch is no trend, and a pause of the writer makes none.
                let grows = self.lags.iter().zip(self.lags.iter().skip(1)).all(|(one, next)| next > one);
                let much = lag > stretch.as_secs_f64() / 2.0;
                (whole && grows && much).then(|| {
                    self.told = Some(lag);
                    News::Falls
                })
            }
            Some(told) => {
                let first = self.lags.front().copied().unwrap_or(lag);
                (lag < stretch.as_secs_f64() / 2.0 || lag < told / 2.0 || whole && lag < first * 0.9).then(
                    || {
                        self.told = None;
                        self.lags.clear();
                        News::CaughtUp
                    },
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn lag_is_the_age_of_the_first_byte_that_waits() {
        let start = Instant::now();
        let mut growth = Growth::new(start);
        // 1000 bytes a second, analyzed two seconds later.
        for tick in 0..1000 {
            let time = f64::from(tick) * 0.1;
            let (written, analyzed) = ((time * 1000.0) as u64, ((time - 2.0).max(0.0) * 1000.0) as u64);
            let (bytes, age) = growth.lag(after(start, time), written, analyzed);
            assert_eq!(bytes, written - analyzed);
            let wanted = time.min(2.0);
            assert!((age.as_secs_f64() - wanted).abs() < 0.11, "{age:?} at {time}");
        }
        // The writer stops, all is analyzed, and after an hour a byte comes.
        assert_eq!(growth.lag(after(start, 200.0), 99_900, 99_900), (0, Duration::ZERO));
        let hour = after(start, 3800.0);
        assert_eq!(growth.lag(hour, 99_900, 99_900), (0, Duration::ZERO));
        let (bytes, age) = growth.lag(after(hour, 0.1), 99_910, 99_900);
        assert!(bytes == 10 && age <= Duration::from_millis(101), "{age:?}");
    }

    #[test]
    fn memory_is_bounded_however_long_it_is_behind() {
        let start = Instant::now();
        let mut growth = Growth::new(start);
        for tick in 1..200_000_u64 {
            growth.lag(after(start, tick as f64 * 0.05), tick * 100, 0);
        }
        assert!(growth.seen.len() <= SEEN);
        // 20 MB in 10,000 s: the first tenth of it came by 1000 s.
        let (_, age) = growth.lag(after(start, 10_000.0), 20_000_000, 2_000_000);
        assert!((age.as_secs_f64() - 9000.0).abs() < 20.0, "{age:?}");
    }

    #[test]
    fn falling_behind_is_said_once_and_taken_back() {
        let start = Instant::now();
        let mut falling = Falling::new(Duration::from_secs(30));
        let mut news = Vec::new();
        let mut look = |second: u32, lag: f64| {
            news.extend(falling.look(after(start, f64::from(second)), lag).map(|news| (second, news)));
        };
        // As slow as the writer: a lag, but not one that grows.
        (0..100).for_each(|second| look(second, 5.0 + f64::from(second % 7) * 0.1));
        // Half as fast as the writer.
        (100..160).for_each(|second| look(second, 5.0 + f64::from(second - 100) * 0.5));
        // The writer pauses.
        (160..200).for_each(|second| look(second, (35.0 - f64::from(second - 160)).max(0.0)));
        let [(falls, News::Falls), (caught, News::CaughtUp)] = *news else { panic!("{news:?}") };
        assert!((126..=136).contains(&falls) && (160..180).contains(&caught), "{news:?}");
    }
}
