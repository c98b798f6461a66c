//! Ticks: the round numbers beside an axis.

use super::number::{power, short};
use crate::dump::text::utc;

/// Places on an axis with their labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ticks {
    /// Values with their labels, rising.
    pub(crate) major: Vec<(f64, String)>,
    /// Values between them, without labels.
    pub(crate) minor: Vec<f64>,
    /// Labels are to be multiplied by this power of ten.
    pub(crate) factor: Option<i32>,
}

/// A distance of ticks: 1, 2 or 5 times a power of ten. Its multiples are exact, as are their
/// labels: both come from integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    digit: i64,
    exponent: i32,
}

impl Step {
    /// The least that is not below this.
    pub(crate) fn at_least(rough: f64) -> Step {
        let rough = if rough.is_finite() { rough.max(1e-300) } else { 1e300 };
        let exponent = rough.log10().floor() as i32 - 1;
        let mut step = Step { digit: 1, exponent };
        // A hair below counts: 0.1 + 0.2 is to have the step of 0.3.
        while step.times(1) < rough * (1.0 - 1e-12) {
            step = step.next();
        }
        step
    }

    /// The next larger.
    pub(crate) fn next(self) -> Step {
        match self.digit {
            1 => Step { digit: 2, ..self },
            2 => Step { digit: 5, ..self },
            _ => Step { digit: 1, exponent: self.exponent + 1 },
        }
    }

    /// A multiple.
    pub(crate) fn times(self, n: i64) -> f64 {
        let digits = n.saturating_mul(self.digit);
        format!("{digits}e{}", self.exponent).parse().unwrap_or(0.0)
    }

    /// Numbers of the first and last multiple between two values.
    pub(crate) fn multiples(self, low: f64, high: f64) -> (i64, i64) {
        let step = self.times(1);
        ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64)
    }

    /// A multiple as text, divided by a power of ten.
    fn label(self, n: i64, factor: i32) -> String {
        let digits = n.saturating_mul(self.digit);
        let shift = self.exponent - factor;
        if digits == 0 {
            return "0".into();
        }
        let mut text = digits.unsigned_abs().to_string();
        if shift >= 0 {
            text.extend(std::iter::repeat_n('0', shift as usize));
        } else {
            let decimals = shift.unsigned_abs() as usize;
            let text_of_one = format!("{text:0>width$}", width = decimals + 1);
            let (whole, rest) = text_of_one.split_at(text_of_one.len() - decimals);
            text = format!("{whole}.{rest}");
        }
        if digits < 0 { format!("-{text}") } else { text }
    }
}

/// Half the distance between two values, which may be larger than any number.
fn half(low: f64, high: f64) -> f64 {
    high / 2.0 - low / 2.0
}

/// Ticks of a linear axis, at most so many.
pub(crate) fn linear(low: f64, high: f64, most: usize) -> Ticks {
    of_step(Step::at_least(half(low, high) / (most.max(1) as f64 / 2.0)), low, high)
}

/// Ticks at the multiples of a step.
pub(crate) fn of_step(step: Step, low: f64, high: f64) -> Ticks {
    let (first, last) = step.multiples(low, high);
    let too_far = first.unsigned_abs().max(last.unsigned_abs()) > 1 << 52;
    if too_far || last - first > 1000 {
        // Too close together to be told apart in few digits.
        let ends = [low, high].map(|value| (value, short(value, 17)));
        return Ticks { major: ends.into(), ..Ticks::default() };
    }
    let factor = factor(low.abs().max(high.abs()), step);
    let label = |n| (step.times(n), step.label(n, factor.unwrap_or(0)));
    // Between them: quarters of 2, fifths of the others.
    let parts = if step.digit == 2 { 4 } else { 5 };
    let part = step.times(1) / parts as f64;
    let minor = (first - 1..=last)
        .flat_map(|n| (1..parts).map(move |i| step.times(n) + part * i as f64))
        .filter(|value| (low..=high).contains(value));
    Ticks { major: (first..=last).map(label).collect(), minor: minor.collect(), factor }
}

/// Ticks at integers, for bins of one integer each: the upper edge is none of them.
pub(crate) fn integers(low: f64, high: f64, most: usize) -> Ticks {
    let high = high - 1.0;
    let mut step = Step::at_least((high - low) / most.max(1) as f64);
    while step.times(1) < 1.0 {
        step = step.next();
    }
    let mut ticks = of_step(step, low, high);
    ticks.minor.retain(|value| value.fract() == 0.0);
    ticks
}

/// The power of ten that labels are divided by where they would be long.
fn factor(largest: f64, step: Step) -> Option<i32> {
    if largest == 0.0 || !largest.is_finite() {
        return None;
    }
    let exponent = largest.log10().floor() as i32;
    let factor = exponent.div_euclid(3) * 3;
    let decimals = factor - step.exponent;
    (!(-3..6).contains(&exponent) && (decimals <= 6 || exponent.abs() > 15)).then_some(factor)
}

/// Ticks of a logarithmic axis, both ends above 0.
pub(crate) fn logarithmic(low: f64, high: f64, most: usize) -> Ticks {
    let (first, last) = ((low.log10() - 1e-9).ceil() as i32, (high.log10() + 1e-9).floor() as i32);
    let decades = usize::try_from(last - first + 1).unwrap_or(0);
    let value = |digit: u32, exponent: i32| format!("{digit}e{exponent}").parse::<f64>().unwrap_or(0.0);
    let within = |value: &f64| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(value);
    if decades > 2 {
        let every = decades.div_ceil(most.max(1)).max(1) as i32;
        let is_major = |exponent: &i32| exponent.rem_euclid(every) == 0;
        let major = (first..=last).filter(is_major).map(|e| (value(1, e), decade(1, e)));
        let minor: Vec<f64> = if every == 1 {
            (first - 1..=last)
                .flat_map(|e| (2..10).map(move |digit| value(digit, e)))
                .filter(within)
                .collect()
        } else {
            (first..=last).filter(|e| !is_major(e)).map(|e| value(1, e)).collect()
        };
        return Ticks { major: major.collect(), minor, factor: None };
    }
    let some = |digits: &[u32]| -> Vec<(f64, String)> {
        let all = (first - 1..=last).flat_map(|e| digits.iter().map(move |&d| (value(d, e), decade(d, e))));
        all.filter(|(value, _)| within(value)).collect()
    };
    let major = some(&[1, 2, 5]);
    if major.len() < 2 {
        return linear(low, high, most);
    }
    let minor = some(&[3, 4, 6, 7, 8, 9]).into_iter().map(|(value, _)| value).collect();
    Ticks { major, minor, factor: None }
}

/// A digit times a power of ten.
fn decade(digit: u32, exponent: i32) -> String {
    match exponent {
        0..=3 => format!("{digit}{}", "0".repeat(exponent as usize)),
        -3..0 => format!("0.{}{digit}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        _ if digit == 1 => power(exponent),
        _ => format!("{digit}×{}", power(exponent)),
    }
}

/// Distances of ticks in seconds, up to a day.
const SECONDS: [u32; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200];
const DAY: u32 = 86_400;

/// Ticks of an axis of Unix time, in UTC: hours and minutes, at midnight the day.
pub(crate) fn time(low: f64, high: f64, most: usize) -> Ticks {
    let rough = (high - low) / most.max(1) as f64;
    let days = || {
        let days = Step::at_least((rough / f64::from(DAY)).max(1.0)).times(1);
        (days * f64::from(DAY)) as u32
    };
    let step = SECONDS.into_iter().find(|step| f64::from(*step) >= rough).unwrap_or_else(days).max(1);
    let (first, last) = ((low / f64::from(step)).ceil() as u64, (high / f64::from(step)).floor() as u64);
    let label = |n: u64| {
        let second = u32::try_from(n * u64::from(step)).ok()?;
        let text = utc(second);
        let label = match second % DAY {
            0 if step >= DAY => &text[..10],
            0 if first != last => &text[5..10],
            _ if step < 60 => &text[11..19],
            _ => &text[11..16],
        };
        Some((f64::from(second), label.to_owned()))
    };
    Ticks { major: (first..=last).take(1000).filter_map(label).collect(), ..Ticks::default() }
}

/// The days that a time axis shows: `UTC, 2026-11-21`.
pub(crate) fn days(low: f64, high: f64) -> String {
    let (low, high) = (utc(low as u32), utc(high as u32));
    let (first, last) = (&low[..10], &high[..10]);
    if first == last { format!("UTC, {first}") } else { format!("UTC, {first} to {last}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &Ticks) -> Vec<&str> {
        ticks.major.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(labels(&linear(0.0, 4000.0, 5)), ["0", "1000", "2000", "3000", "4000"]);
        assert_eq!(labels(&linear(-0.3, 0.31, 7)), ["-0.3", "-0.2", "-0.1", "0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(&linear(1e9, 1e9 + 1.0, 3)), ["1000000000.0", "1000000000.5", "1000000001.0"]);
        let large = linear(0.0, 3.2e7, 4);
        assert_eq!((labels(&large), large.factor), (vec!["0", "10", "20", "30"], Some(6)));
        let small = linear(-1e-5, 2e-5, 4);
        assert_eq!((labels(&small), small.factor), (vec!["-10", "0", "10", "20"], Some(-6)));
        assert_eq!(linear(0.0, 3.2e7, 4).major[1].0, 1e7);
    }

    #[test]
    fn no_axis_is_too_strange() {
        let tiny = f64::MIN_POSITIVE;
        for (low, high) in [
            (-f64::MAX, f64::MAX),
            (0.0, f64::MAX),
            (0.0, tiny),
            (-tiny, tiny / 8.0),
            (1e15, 1e15 + 1.0),
            (1e300, 1.000_000_1e300),
            (5.0, 5.0 + 1e-9),
            (1.0, 1.0),
        ] {
            for most in [0, 1, 3, 10] {
                for ticks in [linear(low, high, most), time(low.max(0.0), high.clamp(0.0, 4e9), most)] {
                    assert!(ticks.major.len() <= 1001, "{low:e} {high:e} {most}");
                    assert!(ticks.major.is_sorted_by(|a, b| a.0 <= b.0), "{ticks:?}");
                }
                if low > 0.0 {
                    assert!(logarithmic(low, high, most).major.len() <= 1000);
                }
            }
        }
        assert!(logarithmic(tiny, f64::MAX, 8).major.len() <= 9);
    }

    #[test]
    fn logarithmic_ticks_are_decades() {
        assert_eq!(labels(&logarithmic(0.5, 20_000.0, 8)), ["1", "10", "100", "1000", "10⁴"]);
        assert_eq!(labels(&logarithmic(1.0, 30.0, 8)), ["1", "2", "5", "10", "20"]);
        assert_eq!(labels(&logarithmic(1e-5, 1e-3, 8)), ["10⁻⁵", "10⁻⁴", "0.001"]);
        assert_eq!(labels(&logarithmic(1.0, 1e12, 7)), ["1", "100", "10⁴", "10⁶", "10⁸", "10¹⁰", "10¹²"]);
    }

    #[test]
    fn times_have_round_minutes_and_days() {
        // 2026-11-21T01:42:36Z
        let start = 1_795_225_356.0;
        assert_eq!(labels(&time(start, start + 1200.0, 5)), ["01:45", "01:50", "01:55", "02:00"]);
        assert_eq!(labels(&time(start, start + 7.0, 4)), ["01:42:36", "01:42:38", "01:42:40", "01:42:42"]);
        let days = time(start, start + 2.0 * 86_400.0, 5);
        assert_eq!(labels(&days), ["12:00", "11-22", "12:00", "11-23"]);
        let weeks = time(start, start + 30.0 * 86_400.0, 4);
        assert_eq!(labels(&weeks), ["2026-11-23", "2026-12-03", "2026-12-13"]);
        assert_eq!(super::days(start, start + 1.0), "UTC, 2026-11-21");
    }
}
