//! How far a live job is, in one line.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pactolus::{LiveProgress, Progress};
use serde::Serialize;

/// Rates are those of so long.
const WINDOW: Duration = Duration::from_secs(2);

/// What a live job has told of late.
pub(crate) struct Status {
    /// When how many events and bytes were read, for a window.
    seen: VecDeque<(Instant, u64, u64)>,
    /// When there was something new for the last time.
    news: Instant,
}

/// What was read a second, of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Rates {
    pub(crate) events_per_second: f64,
    pub(crate) bytes_per_second: f64,
}

/// A piece of the line.
pub(crate) struct Part {
    /// Where there is no room for all, the largest go first.
    pub(crate) rank: u8,
    pub(crate) text: String,
    /// How a terminal shows it.
    pub(crate) colour: Option<&'static str>,
}

pub(crate) const RED: &str = "31";
pub(crate) const YELLOW: &str = "33";

/// A line of at most so many characters: what matters least is left out.
pub(crate) fn fit(mut parts: Vec<Part>, width: usize, colour: bool) -> String {
    while parts.iter().map(|part| part.text.chars().count()).sum::<usize>() > width {
        let Some(least) = (0..parts.len()).max_by_key(|&i| parts[i].rank) else { break };
        parts.remove(least);
    }
    let shown = |Part { text, colour: own, .. }: Part| match own.filter(|_| colour) {
        Some(own) => format!("\x1b[{own}m{text}\x1b[0m"),
        None => text,
    };
    parts.into_iter().map(shown).collect()
}

impl Status {
    pub(crate) fn new(now: Instant) -> Status {
        Status { seen: VecDeque::from([(now, 0, 0)]), news: now }
    }

    /// Takes note of how far the job is now.
    pub(crate) fn take(&mut self, now: Instant, progress: &Progress) {
        self.mark(now, progress.events, progress.done);
    }

    /// Takes note that so many events and bytes were read by now.
    pub(crate) fn mark(&mut self, now: Instant, events: u64, bytes: u64) {
        let last = self.seen.back().map(|&(_, events, bytes)| (events, bytes));
        if last != Some((events, bytes)) {
            self.news = now;
        }
        self.seen.push_back((now, events, bytes));
        while let Some((next, ..)) = self.seen.get(1)
            && now.saturating_duration_since(*next) >= WINDOW
        {
            self.seen.pop_front();
        }
    }

    /// How long there has been nothing new, if that is worth a word.
    pub(crate) fn silent(&self, now: Instant) -> Option<f64> {
        let silent = now.saturating_duration_since(self.news);
        (silent >= WINDOW).then_some(silent.as_secs_f64())
    }

    pub(crate) fn rates(&self) -> Rates {
        let (Some(first), Some(last)) = (self.seen.front(), self.seen.back()) else {
            return Rates::default();
        };
        let seconds = last.0.saturating_duration_since(first.0).as_secs_f64();
        // The first moments tell nothing yet.
        if seconds < 0.05 {
            return Rates::default();
        }
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        Rates { events_per_second: rate(first.1, last.1), bytes_per_second: rate(first.2, last.2) }
    }

    /// The line, of at most so many characters: what matters least is left out.
    pub(crate) fn line(&self, now: Instant, progress: &Progress, width: usize, colour: bool) -> String {
        fit(self.parts(now, progress), width, colour)
    }

    fn parts(&self, now: Instant, progress: &Progress) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut add = |rank, colour, text| parts.push(Part { rank, text, colour });
        let LiveProgress { lag, falling_behind, queue, epoch, source, failed, broken, is_waiting, is_paused } =
            progress.live.clone().unwrap_or_default();
        match is_waiting {
            true => add(0, None, "waiting for a run".into()),
            false if is_paused => add(0, None, format!("run {}, paused", progress.run)),
            false => add(0, None, format!("run {}", progress.run)),
        }
        let rates = self.rates();
        // Less than a byte in the whole window.
        if let Some(silent) = self.silent(now).filter(|_| lag.bytes == 0) {
            if !is_waiting {
                add(2, None, ", at the end".into());
            }
            add(3, None, format!(", nothing new for {}", time(silent)));
        } else if !is_waiting || rates.bytes_per_second > 0.0 {
            add(2, None, format!("  {:>6} ev/s", count(rates.events_per_second)));
            add(8, None, format!(" {:>7}/s", bytes(rates.bytes_per_second)));
        }
        match is_waiting {
            true => add(6, None, format!("  {} ev so far", count(progress.events as f64))),
            false => {
                add(6, None, format!("  {} ev", count(progress.read as f64)));
                add(7, None, format!(", {} kept", count(progress.kept as f64)));
            }
        }
        if epoch > 0 {
            add(10, None, format!("  epoch {epoch}"));
        }
        let passed_over = source.overrun + source.stale;
        let lost = source.damaged + failed + broken + source.too_big;
        if lost > 0 {
            add(1, Some(RED), format!("  {} lost", count(lost as f64)));
        }
        if passed_over > 0 {
            add(5, Some(YELLOW), format!("  {} passed over", count(passed_over as f64)));
        }
        if source.unattended > 0 {
            add(5, Some(YELLOW), format!("  {} unattended", count(source.unattended as f64)));
        }
        if lag.bytes > 0 || falling_behind {
            match falling_behind {
                true => add(3, Some(RED), format!("  falling behind: {}", time(lag.seconds))),
                false => add(4, None, format!("  behind {}", time(lag.seconds))),
            }
            add(11, None, format!(", {} ev", count(lag.events as f64)));
            add(12, None, format!(", {}", bytes(lag.bytes as f64)));
        }
        if queue.most > 0 && queue.used >= queue.most {
            add(9, Some(YELLOW), "  queue full".into());
        }
        parts
    }
}

/// 1234567 as `1.23 M`, 12345 as `12.3 k`, 1234 as it is.
pub(crate) fn count(value: f64) -> String {
    let (digits, unit) = scaled(value);
    if unit.is_empty() { digits } else { format!("{digits} {unit}") }
}

pub(crate) fn bytes(value: f64) -> String {
    let (digits, unit) = scaled(value);
    format!("{digits} {unit}B")
}

/// Three digits and the unit behind them.
fn scaled(value: f64) -> (String, &'static str) {
    let (value, unit) = match value {
        v if v >= 999.5e6 => (v / 1e9, "G"),
        v if v >= 999.5e3 => (v / 1e6, "M"),
        v if v >= 9999.5 => (v / 1e3, "k"),
        v if v > 0.0 && v < 9.95 && v.fract() != 0.0 => return (format!("{v:.1}"), ""),
        v => return (format!("{v:.0}"), ""),
    };
    let places = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    (format!("{value:.places$}"), unit)
}

/// A time as one would say it.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 119.5 => format!("{s:.0} s"),
        s if s < 7_170.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_000.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86400.0),
    }
}

#[cfg(test)]
mod tests {
    use pactolus::{Lag, Offered, Queue};

    use super::*;

    fn reading() -> Progress {
        let live = LiveProgress { queue: Queue { used: 1, most: 6 }, ..LiveProgress::default() };
        Progress { run: 42, live: Some(live), ..Progress::default() }
    }

    /// As it is after four seconds with so many events and bytes in each tenth.
    fn status(now: Instant, progress: &mut Progress, events: u64, bytes: u64) -> (Status, Instant) {
        let mut status = Status::new(now);
        let mut then = now;
        for _ in 0..40 {
            then += Duration::from_millis(100);
            progress.events += events;
            progress.read += events;
            progress.kept += events / 2;
            progress.done += bytes;
            status.take(then, progress);
        }
        (status, then)
    }

    #[test]
    fn numbers_keep_three_digits() {
        let all: Vec<String> =
            [0.0, 3.25, 42.4, 9999.0, 12_345.0, 99_960.0, 999_499.0, 999_501.0, 1.234e7, 2e9]
                .map(count)
                .into();
        assert_eq!(all, ["0", "3.2", "42", "9999", "12.3 k", "100 k", "999 k", "1.00 M", "12.3 M", "2.00 G"]);
        let all = [0.04, 9.97, 119.0, 120.0, 7200.0, 200_000.0].map(time);
        assert_eq!(all, ["0.0 s", "10 s", "119 s", "2 min", "2 h", "2 d"]);
    }

    #[test]
    fn the_rate_is_that_of_the_last_two_seconds() {
        let mut progress = reading();
        let (mut status, mut then) = status(Instant::now(), &mut progress, 1234, 123_400);
        let Rates { events_per_second, bytes_per_second } = status.rates();
        assert!((events_per_second - 12_340.0).abs() < 1.0, "{events_per_second}");
        assert!((bytes_per_second - 1.234e6).abs() < 100.0, "{bytes_per_second}");
        assert_eq!(
            status.line(then, &progress, 79, false),
            "run 42  12.3 k ev/s 1.23 MB/s  49.4 k ev, 24.7 k kept"
        );
        for _ in 0..30 {
            then += Duration::from_millis(100);
            status.take(then, &progress);
        }
        assert_eq!(status.rates(), Rates::default());
        let line = status.line(then, &progress, 79, false);
        assert!(line.starts_with("run 42, at the end, nothing new for 3.0 s  49.4 k"), "{line}");
        let waits = LiveProgress { is_waiting: true, ..LiveProgress::default() };
        progress = Progress { run: 0, live: Some(waits), ..progress };
        let line = status.line(then, &progress, 79, false);
        assert!(line.starts_with("waiting for a run, nothing new for 3.0 s"), "{line}");
    }

    #[test]
    fn a_line_is_no_longer_than_the_terminal_and_says_what_matters() {
        let mut progress = reading();
        let (status, then) = status(Instant::now(), &mut progress, 1_234_567, 123_456_789);
        progress.live = Some(LiveProgress {
            lag: Lag { bytes: 123_456_789, events: 1_234_567, seconds: 12.5 },
            falling_behind: true,
            queue: Queue { used: 6, most: 6 },
            epoch: 3,
            source: Offered {
                damaged: 2,
                unattended: 123,
                too_big: 1,
                stale: 3,
                overrun: 1,
                ..Offered::default()
            },
            failed: 3,
            broken: 1,
            ..LiveProgress::default()
        });
        let all = status.line(then, &progress, 1000, false);
        for part in [
            "run 42",
            "ev/s",
            "B/s",
            "kept",
            "epoch 3",
            "7 lost",
            "4 passed over",
            "123 unattended",
            "queue full",
        ] {
            assert!(all.contains(part), "{part}: {all}");
        }
        assert!(all.contains("falling behind: 12 s") || all.contains("falling behind: 13 s"), "{all}");
        for width in 0..200 {
            let line = status.line(then, &progress, width, false);
            assert!(line.chars().count() <= width, "{width}: {line}");
            assert!(!line.contains('\x1b'));
            assert_eq!(line.contains("7 lost"), width >= 14, "{width}: {line}");
        }
        let line = status.line(then, &progress, 79, false);
        assert!(line.contains("lost") && line.contains("falling behind") && line.contains("ev/s"), "{line}");
        let coloured = status.line(then, &progress, 79, true);
        assert!(coloured.contains("\x1b[31m  7 lost\x1b[0m"), "{coloured:?}");
    }
}
