//! Mean and width of what was filled, without rounding on the way.
//!
//! Values within an axis are bounded by its ends, so they can be added as integers: as multiples of
//! 2^-61 of the power of two below the larger end, and what is left of them as multiples of 2^-62 of
//! that. Integers add up in any order. Counts, floats of 32 bits, and values that are not far
//! below that end have nothing left; no value loses more than 2^-122 of the larger end. It takes two
//! multiplications and three additions per value, and no memory per bin.

use super::exact::ExactSum;

/// A sum of products of 63-bit integers: 192 bits, in two's complement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wide {
    pub(crate) low: u128,
    pub(crate) high: i64,
}

impl Wide {
    #[inline]
    pub(crate) fn add(&mut self, value: i128) {
        let (low, carry) = self.low.overflowing_add(value as u128);
        self.low = low;
        self.high = self.high.wrapping_add((value >> 127) as i64).wrapping_add(i64::from(carry));
    }

    #[inline]
    fn join(&mut self, other: &Wide) {
        let (low, carry) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high = self.high.wrapping_add(other.high).wrapping_add(i64::from(carry));
    }

    /// Adds it, times `2^exponent`, to an exact sum.
    fn add_to(self, sum: &mut ExactSum, exponent: i32) {
        let negative = self.high < 0;
        let mut size = self;
        if negative {
            size = Wide { low: !self.low, high: !self.high };
            size.add(1);
        }
        sum.put(negative, size.low, exponent);
        sum.put(negative, u128::from(size.high as u64), exponent + 128);
    }
}

/// The factor between a coordinate and its integers: a power of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    factor: f64,
    exponent: i32,
}

/// A coordinate as an integer, and what is left of it in units of 2^-62.
pub(crate) type Split = (i64, i64);

/// Bits of what is left.
const REST: i32 = 62;

/// Floats from here on are integers.
const INTEGERS: f64 = (1_u64 << 52) as f64;

impl Scale {
    /// For values that are no larger than `largest`.
    pub(crate) fn new(largest: f64) -> Scale {
        let exponent = (largest.to_bits() >> 52 & 0x7ff) as i32 - 1023;
        // So that integers stay within 62 bits, and the factor is a normal float.
        let exponent = (61 - exponent).clamp(-1000, 1000);
        Scale { factor: 2f64.powi(exponent), exponent }
    }

    #[inline]
    pub(crate) fn split(self, x: f64) -> Split {
        let scaled = x * self.factor;
        let whole = scaled as i64;
        if scaled.abs() >= INTEGERS {
            return (whole, 0);
        }
        let left = scaled - whole as f64;
        if left == 0.0 {
            return (whole, 0);
        }
        (whole, (left * (1_u64 << REST) as f64) as i64)
    }
}

/// Sum of products of two coordinates, by what takes part in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Products {
    pub(crate) whole: Wide,
    pub(crate) cross: Wide,
    pub(crate) rest: Wide,
}

impl Products {
    #[inline]
    pub(crate) fn add(&mut self, (x, x_rest): Split, (y, y_rest): Split) {
        self.whole.add(i128::from(x) * i128::from(y));
        if x_rest != 0 || y_rest != 0 {
            self.add_rest((x, x_rest), (y, y_rest));
        }
    }

    fn add_rest(&mut self, (x, x_rest): Split, (y, y_rest): Split) {
        let product = |a: i64, b: i64| i128::from(a) * i128::from(b);
        self.cross.add(product(x, y_rest));
        self.cross.add(product(x_rest, y));
        self.rest.add(product(x_rest, y_rest));
    }

    #[inline]
    pub(crate) fn join(&mut self, other: &Products) {
        self.whole.join(&other.whole);
        self.cross.join(&other.cross);
        self.rest.join(&other.rest);
    }

    /// The sum, with nothing rounded.
    pub(crate) fn exact(&self, x: Scale, y: Scale) -> ExactSum {
        let exponent = -x.exponent - y.exponent;
        let mut sum = ExactSum::default();
        self.whole.add_to(&mut sum, exponent);
        self.cross.add_to(&mut sum, exponent - REST);
        self.rest.add_to(&mut sum, exponent - 2 * REST);
        sum
    }
}

/// Sums of one coordinate and of its squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moments {
    pub(crate) sum: i128,
    pub(crate) rest: i128,
    pub(crate) squares: Products,
}

impl Moments {
    #[inline]
    pub(crate) fn add(&mut self, value: Split) {
        self.sum += i128::from(value.0);
        self.squares.whole.add(i128::from(value.0) * i128::from(value.0));
        if value.1 != 0 {
            self.rest += i128::from(value.1);
            self.squares.add_rest(value, value);
        }
    }

    #[inline]
    pub(crate) fn join(&mut self, other: &Moments) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.rest = self.rest.wrapping_add(other.rest);
        self.squares.join(&other.squares);
    }

    /// Sums of the values and of their squares, with nothing rounded.
    pub(crate) fn exact(&self, scale: Scale) -> (ExactSum, ExactSum) {
        let mut sum = ExactSum::default();
        sum.put(self.sum < 0, self.sum.unsigned_abs(), -scale.exponent);
        sum.put(self.rest < 0, self.rest.unsigned_abs(), -scale.exponent - REST);
        (sum, self.squares.exact(scale, scale))
    }
}

/// Sums over all fills of a histogram without weights.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unweighted {
    pub(crate) x: Moments,
    pub(crate) y: Moments,
    pub(crate) xy: Products,
}

impl Unweighted {
    pub(crate) fn join(&mut self, other: &Unweighted) {
        self.x.join(&other.x);
        self.y.join(&other.y);
        self.xy.join(&other.xy);
    }
}

#[cfg(test)]
mod tests {
    use super::super::histogram::mean_and_sigma;
    use super::*;

    fn moments(values: &[f64], largest: f64) -> (f64, f64) {
        let scale = Scale::new(largest);
        let mut moments = Moments::default();
        values.iter().for_each(|x| moments.add(scale.split(*x)));
        let (sum, squares) = moments.exact(scale);
        let mut weights = ExactSum::default();
        weights.add_count(values.len() as u64);
        mean_and_sigma(&weights, &sum, &squares)
    }

    #[test]
    fn mean_and_width_of_known_values() {
        assert_eq!(moments(&[1.0, 2.0, 3.0, 4.0], 4.0), (2.5, 1.25f64.sqrt()));
        assert_eq!(moments(&[-4000.0, 4000.0], 4000.0), (0.0, 4000.0));
        assert_eq!(moments(&[-1.0, -2.0, -6.0], 10.0), (-3.0, (14.0f64 / 3.0).sqrt()));
        assert_eq!(moments(&[7.0], 1e300), (0.0, 0.0), "far below what the axis can show");
        assert_eq!(moments(&[-1e300, 1e300], 1e300), (0.0, 1e300), "squares are no floats");
        assert_eq!(moments(&[-1e-200, 1e-200], 1e-200), (0.0, 1e-200));
        assert_eq!(moments(&[], 1.0), (0.0, 0.0));
    }

    #[test]
    fn values_far_below_the_end_of_the_axis_keep_their_digits() {
        for (largest, value) in [(1e8, 0.0253), (1e6, 1e-3), (1e9, 2.5e-9), (4000.0, 0.1)] {
            assert!((moments(&[value; 3], largest).0 / value - 1.0).abs() < 1e-15, "{largest:e}");
            let (mean, sigma) = moments(&[value, 3.0 * value, -value], largest);
            assert!((mean / value - 1.0).abs() < 1e-14, "{largest:e}: {mean:e}");
            assert!((sigma / value / (8.0f64 / 3.0).sqrt() - 1.0).abs() < 1e-14, "{largest:e}: {sigma:e}");
        }
    }

    #[test]
    fn a_narrow_peak_far_from_zero_keeps_its_width() {
        let values: Vec<f64> = (0..100_000).map(|i| 3999.0 + f64::from(i % 11) / 1024.0).collect();
        let (mean, sigma) = moments(&values, 4000.0);
        let offset: Vec<f64> = values.iter().map(|x| x - 3999.0).collect();
        let n = values.len() as f64;
        let exact = offset.iter().sum::<f64>() / n;
        let square = offset.iter().map(|x| (x - exact) * (x - exact)).sum::<f64>() / n;
        assert!((mean / (3999.0 + exact) - 1.0).abs() < 1e-15);
        assert!((sigma / square.sqrt() - 1.0).abs() < 1e-12, "{sigma:e} {:e}", square.sqrt());
    }

    #[test]
    fn wide_sums_carry() {
        let value = |wide: &Wide| {
            let mut sum = ExactSum::default();
            wide.add_to(&mut sum, 0);
            sum.value()
        };
        let mut wide = Wide::default();
        let big = i128::from(i64::MAX) * i128::from(i64::MAX);
        (0..40).for_each(|_| wide.add(big));
        assert_eq!(value(&wide), 40.0 * big as f64);
        (0..80).for_each(|_| wide.add(-big));
        assert_eq!(value(&wide), -40.0 * big as f64);
        let mut twice = wide;
        twice.join(&wide);
        assert_eq!(value(&twice), -80.0 * big as f64);
    }
}
