//! When simulated events are due.

use std::time::{Duration, Instant};

use pactolus::Stop;

/// Events of so short a time are made together.
const STEP: Duration = Duration::from_millis(1);

/// How often it is asked whether to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// What was held up for longer is not made up for.
const LATE: Duration = Duration::from_secs(1);

/// Keeps a rate, by when each event is due since the first: no error adds up.
pub(super) struct Pace {
    rate: Option<f64>,
    begun: Instant,
    given: u64,
    /// When events were due last.
    last: Instant,
}

/// A rate of events.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let wanted = "events a second wanted, as 1000 or 0.5";
    let rate: f64 = text.parse().map_err(|_| wanted.to_owned())?;
    // Slower than one a week is a slip.
    if rate.is_finite() && rate > 1e-6 { Ok(rate) } else { Err(wanted.to_owned()) }
}

impl Pace {
    pub(super) fn new(rate: Option<f64>) -> Pace {
        let now = Instant::now();
        Pace { rate, begun: now, given: 0, last: now }
    }

    /// Whether there is a rate to be kept.
    pub(super) fn is_kept(&self) -> bool {
        self.rate.is_some()
    }

    /// So many were given.
    pub(super) fn given(&mut self, count: u64) {
        self.given += count;
    }

    /// When the next is due, since the first.
    fn next(&self, rate: f64) -> Duration {
        Duration::try_from_secs_f64(self.given as f64 / rate).unwrap_or(Duration::MAX)
    }

    /// Waits until some are due; how many. None if somebody asks to stop.
    pub(super) fn due(&mut self, stop: &Stop) -> u64 {
        let Some(rate) = self.rate else { return u64::MAX };
        loop {
            let now = Instant::now();
            if let Some(due) = self.due_at(now, rate) {
                return due;
            }
            if stop.is_asked() {
                return 0;
            }
            let step = STEP.saturating_sub(now.saturating_duration_since(self.last));
            let next = self.next(rate).saturating_sub(now.saturating_duration_since(self.begun));
            std::thread::sleep(next.max(step).clamp(Duration::from_micros(20), GLANCE));
        }
    }

    /// How many are due at this time, if some are.
    fn due_at(&mut self, now: Instant, rate: f64) -> Option<u64> {
        if now.saturating_duration_since(self.last) < STEP && self.given > 0 {
            return None;
        }
        let since = now.saturating_duration_since(self.begun);
        let late = since.checked_sub(self.next(rate))?;
        if late > LATE {
            self.begun += late;
        }
        self.last = now;
        let all = (now.saturating_duration_since(self.begun).as_secs_f64() * rate) as u64 + 1;
        Some(all.saturating_sub(self.given).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events that are due when it is asked every so often, for so long.
    fn asked(rate: f64, every: Duration, times: u32) -> (u64, Pace) {
        let mut pace = Pace::new(Some(rate));
        for i in 0..times {
            let now = pace.begun + every * i;
            let due = pace.due_at(now, rate).unwrap_or(0);
            pace.given(due);
        }
        (pace.given, pace)
    }

    #[test]
    fn a_rate_is_kept_however_often_it_is_asked() {
        for (rate, wanted) in [(1000.0, 10_000), (100_000.0, 1_000_000), (7.0, 70), (0.5, 5)] {
            for micros in [100, 1_000, 1_234] {
                let every = Duration::from_micros(micros);
                let (given, _) = asked(rate, every, (10_000_000 / micros) as u32);
                let least = wanted - (rate * 0.003) as u64 - 1;
                assert!((least..=wanted + 1).contains(&given), "{rate} {micros}: {given}");
            }
        }
    }

    #[test]
    fn what_was_held_up_for_long_is_not_made_up_for() {
        let (given, mut pace) = asked(1000.0, Duration::from_millis(1), 1000);
        assert!((990..=1001).contains(&given), "{given}");
        // Held up for half a second: made up for.
        let now = pace.last + Duration::from_millis(500);
        assert!((495..=505).contains(&pace.due_at(now, 1000.0).unwrap()));
        pace.given(500);
        let now = now + Duration::from_secs(3600);
        assert_eq!(pace.due_at(now, 1000.0), Some(1));
        pace.given(1);
        assert_eq!(pace.due_at(now + Duration::from_millis(10), 1000.0), Some(10));
    }

    #[test]
    fn a_stop_ends_the_waiting() {
        let stop = Stop::new();
        let mut pace = Pace::new(Some(0.001));
        assert_eq!(pace.due(&stop), 1);
        pace.given(1);
        stop.ask();
        assert_eq!(pace.due(&stop), 0);
        assert_eq!(Pace::new(None).due(&stop), u64::MAX);
    }

    #[test]
    fn a_rate_is_a_number_above_0() {
        assert_eq!(rate("1e5"), Ok(1e5));
        for text in ["0", "-1", "nan", "inf", "", "1k"] {
            assert!(rate(text).unwrap_err().contains("events a second wanted"), "{text}");
        }
    }
}
