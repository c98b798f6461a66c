//! From a value to a place between the ends of an axis.

use super::groups::fraction;

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) log: bool,
}

impl Scale {
    /// Linear between two ends.
    pub(crate) fn linear(low: f64, high: f64) -> Scale {
        // Ends that are the same, or next to each other, are moved apart.
        let apart = low.abs().max(high.abs()) * 1e-12;
        if high > low && high / 2.0 - low / 2.0 > apart {
            return Scale { low, high, log: false };
        }
        let margin = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
        let (low, high) = ((low - margin).max(f64::MIN), (high + margin).min(f64::MAX));
        Scale { low, high, log: false }
    }

    /// Logarithmic between two ends above 0.
    pub(crate) fn logarithmic(low: f64, high: f64) -> Scale {
        let low = low.max(f64::MIN_POSITIVE);
        Scale { low, high: high.max(low * 1.1).min(f64::MAX), log: true }
    }

    /// 0 at the lower end, 1 at the upper, less or more outside; of what has no logarithm less
    /// than anything.
    pub(crate) fn at(&self, value: f64) -> f64 {
        if !self.log {
            return fraction(value, self.low, self.high);
        }
        if value <= 0.0 {
            return f64::NEG_INFINITY;
        }
        (value.log10() - self.low.log10()) / (self.high.log10() - self.low.log10())
    }

    /// As [`Scale::at`], but at the ends what is outside.
    pub(crate) fn within(&self, value: f64) -> f64 {
        self.at(value).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_0_and_1() {
        for scale in [
            Scale::linear(-3.0, 5.0),
            Scale::linear(f64::MIN, f64::MAX),
            Scale::linear(7.0, 7.0),
            Scale::linear(0.0, 0.0),
            Scale::linear(f64::MAX, f64::MAX),
            Scale::logarithmic(0.5, 1e9),
            Scale::logarithmic(2.0, 2.0),
            Scale::logarithmic(1e-320, f64::MAX),
        ] {
            assert_eq!((scale.at(scale.low), scale.at(scale.high)), (0.0, 1.0), "{scale:?}");
            assert!((0.0..=1.0).contains(&scale.within(0.0)), "{scale:?}");
        }
        assert_eq!(Scale::logarithmic(1.0, 100.0).at(10.0), 0.5);
        assert_eq!(Scale::linear(-1.0, 3.0).at(0.0), 0.25);
    }
}
