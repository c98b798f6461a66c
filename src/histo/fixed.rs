//! Mean and width of what was filled, without rounding on the way.
//!
//! Values within an axis are bounded by its ends, so they can be added as integers: as multiples of
//! 2^-62 of the power of two at or above the larger end. Integers add up in any order. A value of a
//! float of 64 bits is exact if it is larger than 2^-9 of that end, one of 32 bits or an integer
//! if it is larger than 2^-38 of it; smaller ones lose digits that no mean can show. It takes two
//! multiplications and three additions per value, and no memory per bin.

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
    pub(crate) fn join(&mut self, other: &Wide) {
        let (low, carry) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high = self.high.wrapping_add(other.high).wrapping_add(i64::from(carry));
    }

    /// `self - factor * value`.
    fn minus_product(mut self, factor: i128, value: i64) -> Wide {
        // In halves of 64 bits, so that no product is too long: values have 63.
        let (upper, lower) = (factor >> 64, factor as u64);
        self.add((i128::from(lower).wrapping_mul(i128::from(value))).wrapping_neg());
        let upper = upper.wrapping_mul(i128::from(value));
        let shifted = Wide { low: (upper as u128) << 64, high: (upper >> 64) as i64 };
        let mut negative = Wide { low: !shifted.low, high: !shifted.high };
        negative.add(1);
        self.join(&negative);
        self
    }

    fn to_f64(self) -> f64 {
        let negative = self.high < 0;
        let mut size = self;
        if negative {
            size = Wide { low: !self.low, high: !self.high };
            size.add(1);
        }
        let size = size.high as u64 as f64 * 2f64.powi(128) + size.low as f64;
        if negative { -size } else { size }
    }
}

/// The factor between a coordinate and its integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale(f64);

impl Scale {
    /// For values that are no larger than `largest`.
    pub(crate) fn new(largest: f64) -> Scale {
        let exponent = (largest.to_bits() >> 52 & 0x7ff) as i32 - 1023;
        // At or above the largest, so that integers stay within 62 bits; powers of normal floats.
        Scale(2f64.powi((61 - exponent).clamp(-1000, 1000)))
    }

    #[inline]
    pub(crate) fn integer(self, x: f64) -> i64 {
        (x * self.0) as i64
    }
}

/// Sums of one coordinate and of its squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moments {
    pub(crate) sum: i128,
    pub(crate) squares: Wide,
}

impl Moments {
    #[inline]
    pub(crate) fn add(&mut self, integer: i64) {
        self.sum += i128::from(integer);
        self.squares.add(i128::from(integer) * i128::from(integer));
    }

    #[inline]
    pub(crate) fn join(&mut self, other: &Moments) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.squares.join(&other.squares);
    }

    /// Mean of `n` values.
    pub(crate) fn mean(&self, n: u64, scale: Scale) -> f64 {
        if n == 0 {
            return 0.0;
        }
        let (whole, rest) = self.middle(n);
        (whole as f64 + rest as f64 / n as f64) / scale.0
    }

    /// Standard deviation of `n` values: the root of their mean square distance from the mean.
    pub(crate) fn sigma(&self, n: u64, scale: Scale) -> f64 {
        if n == 0 {
            return 0.0;
        }
        // Around an integer next to the mean, so that nothing cancels.
        let (middle, rest) = self.middle(n);
        let middle = middle as i64;
        // What was filled does not overflow; what a broken file claims may.
        let factor = self.sum.wrapping_mul(2).wrapping_sub(i128::from(n).wrapping_mul(i128::from(middle)));
        let around = self.squares.minus_product(factor, middle);
        let offset = rest as f64 / n as f64;
        let square = around.to_f64() / n as f64 - offset * offset;
        square.max(0.0).sqrt() / scale.0
    }

    /// Sums as floats: of the values, of their squares.
    pub(crate) fn sums(&self, scale: Scale) -> (f64, f64) {
        (self.sum as f64 / scale.0, self.squares.to_f64() / scale.0 / scale.0)
    }

    /// The mean as an integer, and what is left of the sum.
    fn middle(&self, n: u64) -> (i128, i128) {
        let n = i128::from(n);
        (self.sum.div_euclid(n), self.sum.rem_euclid(n))
    }
}

/// Sum of products of two coordinates as a float.
pub(crate) fn product_sum(sum: Wide, x: Scale, y: Scale) -> f64 {
    sum.to_f64() / x.0 / y.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64], largest: f64) -> (f64, f64) {
        let scale = Scale::new(largest);
        let mut moments = Moments::default();
        values.iter().for_each(|x| moments.add(scale.integer(*x)));
        let n = values.len() as u64;
        (moments.mean(n, scale), moments.sigma(n, scale))
    }

    #[test]
    fn mean_and_width_of_known_values() {
        assert_eq!(moments(&[1.0, 2.0, 3.0, 4.0], 4.0), (2.5, 1.25f64.sqrt()));
        assert_eq!(moments(&[-4000.0, 4000.0], 4000.0), (0.0, 4000.0));
        assert_eq!(moments(&[-1.0, -2.0, -6.0], 10.0), (-3.0, (14.0f64 / 3.0).sqrt()));
        assert_eq!(moments(&[7.0], 1e300), (0.0, 0.0), "far below what the axis can show");
        assert_eq!(moments(&[], 1.0), (0.0, 0.0));
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
        let mut wide = Wide::default();
        let big = i128::from(i64::MAX) * i128::from(i64::MAX);
        for _ in 0..40 {
            wide.add(big);
        }
        assert!((wide.to_f64() / (40.0 * big as f64) - 1.0).abs() < 1e-15);
        for _ in 0..80 {
            wide.add(-big);
        }
        assert!((wide.to_f64() / (-40.0 * big as f64) - 1.0).abs() < 1e-15);
        let product = wide.minus_product(i128::MAX / 2, -3);
        let expected = -40.0 * big as f64 + 3.0 * (i128::MAX / 2) as f64;
        assert!((product.to_f64() / expected - 1.0).abs() < 1e-14);
    }
}
