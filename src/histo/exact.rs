//! Sums that do not depend on the order of what is added.
//!
//! Floating sums are rounded after every step, so another order gives other bits. Here the sum is
//! kept whole, as a fixed-point number wide enough for all that was added, and rounded once, when it
//! is read: a Kulisch accumulator, in the form of the "small superaccumulator" of R. M. Neal, *Fast
//! exact summation using small and large superaccumulators* (2015, arXiv:1505.05571): digits to base
//! 2^32 with room to spare in 64 bits, so that carries are passed on once in 2^28 additions. Unlike
//! there, only the digits in use are kept, which are few for the values of one histogram bin.

/// An exact sum of 64-bit floats and of products of up to three of them.
///
/// ```
/// use pactolus::histo::ExactSum;
/// let mut sum = ExactSum::default();
/// [1e100, 1.0, -1e100].iter().for_each(|x| sum.add(*x));
/// assert_eq!(sum.value(), 1.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    /// Digits, the lowest first; each may hold more than 32 bits and a sign.
    digits: Vec<i64>,
    /// Place of the first digit: it counts 2^(32 * first).
    first: i32,
    /// Additions since carries were passed on.
    pending: u32,
    special: Special,
}

/// Values without digits that were added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Special {
    nan: bool,
    positive: bool,
    negative: bool,
}

const DIGIT: u32 = 32;
const MASK: i64 = 0xffff_ffff;
/// Additions that a digit has room for, of 33 bits each.
const ROOM: u32 = 1 << 28;

/// A sum as its sign, the place of its lowest digit, and its digits without zeros at either end: two
/// sums are equal if these are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Canonical {
    pub(crate) negative: bool,
    pub(crate) first: i32,
    pub(crate) digits: Vec<u32>,
    /// Bits: not a number, positive infinity, negative infinity.
    pub(crate) special: u8,
}

/// Sign, integer and exponent of a finite float that is not zero.
#[inline]
fn parts(x: f64) -> (bool, u64, i32) {
    let bits = x.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let (integer, exponent) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    (bits >> 63 == 1, integer, exponent)
}

impl ExactSum {
    /// Adds a value.
    #[inline]
    pub fn add(&mut self, x: f64) {
        if !x.is_finite() {
            return self.add_special(x);
        }
        let (negative, integer, exponent) = parts(x);
        if integer == 0 {
            return;
        }
        let shifted = u128::from(integer) << exponent.rem_euclid(DIGIT as i32);
        let digits =
            [shifted as i64 & MASK, (shifted >> DIGIT) as i64 & MASK, (shifted >> (2 * DIGIT)) as i64];
        self.add_digits(negative, exponent.div_euclid(DIGIT as i32), digits);
    }

    /// Adds an integer.
    pub(crate) fn add_count(&mut self, count: u64) {
        self.put(false, u128::from(count), 0);
    }

    /// Adds `a * b`, not rounded.
    pub fn add_product(&mut self, a: f64, b: f64) {
        if !(a.is_finite() && b.is_finite()) {
            return self.add_special(a * b);
        }
        let ((sa, ia, ea), (sb, ib, eb)) = (parts(a), parts(b));
        self.put(sa != sb, u128::from(ia) * u128::from(ib), ea + eb);
    }

    /// Adds `a * b * c`, not rounded.
    pub fn add_product3(&mut self, a: f64, b: f64, c: f64) {
        if !(a.is_finite() && b.is_finite() && c.is_finite()) {
            return self.add_special(a * b * c);
        }
        let ((sa, ia, ea), (sb, ib, eb), (sc, ic, ec)) = (parts(a), parts(b), parts(c));
        let (negative, exponent) = (sa ^ sb ^ sc, ea + eb + ec);
        let both = u128::from(ia) * u128::from(ib);
        // 106 bits times 53 are too many for one number.
        self.put(negative, (both & u128::from(u64::MAX)) * u128::from(ic), exponent);
        self.put(negative, (both >> 64) * u128::from(ic), exponent + 64);
    }

    /// Adds `factor` times another sum, not rounded.
    pub(crate) fn add_scaled(&mut self, other: &ExactSum, factor: f64) {
        let sum = other.canonical();
        if sum.special != 0 || !factor.is_finite() {
            return self.add_special(other.value() * factor);
        }
        let (negative, integer, exponent) = parts(factor);
        for (place, digit) in (sum.first..).zip(&sum.digits) {
            let product = u128::from(integer) * u128::from(*digit);
            self.put(negative != sum.negative, product, exponent + place * DIGIT as i32);
        }
    }

    /// Adds another sum.
    pub fn join(&mut self, other: &ExactSum) {
        self.special.nan |= other.special.nan;
        self.special.positive |= other.special.positive;
        self.special.negative |= other.special.negative;
        if other.digits.is_empty() {
            return;
        }
        if self.pending.saturating_add(other.pending) >= ROOM {
            self.carry();
        }
        if other.pending >= ROOM / 2 {
            let mut settled = other.clone();
            settled.carry();
            return self.join(&settled);
        }
        self.reach(other.first, other.first + other.digits.len() as i32 - 1);
        let from = (other.first - self.first) as usize;
        self.digits[from..].iter_mut().zip(&other.digits).for_each(|(a, b)| *a += b);
        self.pending += other.pending + 1;
    }

    /// The sum, rounded once to the nearest float, and to the even one of two.
    pub fn value(&self) -> f64 {
        let Special { nan, positive, negative } = self.special;
        match (nan, positive, negative) {
            (true, _, _) | (_, true, true) => f64::NAN,
            (_, true, _) => f64::INFINITY,
            (_, _, true) => f64::NEG_INFINITY,
            _ => self.canonical().value(),
        }
    }

    /// The sum as a float below 1 and a power of two, also where it is no float itself.
    pub(crate) fn split(&self) -> (f64, i32) {
        if self.special != Special::default() {
            return (self.value(), 0);
        }
        let mut sum = self.canonical();
        let top = sum.first + sum.digits.len() as i32;
        sum.first = -(sum.digits.len() as i32);
        (sum.value(), top * DIGIT as i32)
    }

    /// Whether nothing, or only zeros, was added.
    pub fn is_zero(&self) -> bool {
        self.special == Special::default() && self.canonical().digits.is_empty()
    }

    #[cold]
    fn add_special(&mut self, x: f64) {
        match x {
            _ if x.is_nan() => self.special.nan = true,
            _ if x > 0.0 => self.special.positive = true,
            _ if x < 0.0 => self.special.negative = true,
            // An infinity times zero is not a number; a zero adds nothing.
            _ => {}
        }
    }

    /// Adds `integer * 2^exponent`.
    #[inline]
    pub(super) fn put(&mut self, negative: bool, integer: u128, exponent: i32) {
        if integer == 0 {
            return;
        }
        let shift = exponent.rem_euclid(DIGIT as i32) as u32;
        let low = u128::from(integer as u64) << shift;
        let high = (integer >> 64) << shift;
        let digits = [
            low,
            low >> DIGIT,
            (low >> (2 * DIGIT)) + (high & MASK as u128),
            high >> DIGIT,
            high >> (2 * DIGIT),
        ];
        let digits = digits.map(|digit| digit as i64);
        let [first, second, third, fourth, fifth] = digits;
        let place = exponent.div_euclid(DIGIT as i32);
        self.add_digits(negative, place, [first & MASK, second & MASK, third, fourth & MASK, fifth]);
    }

    /// Adds digits, of at most 33 bits each.
    #[inline]
    fn add_digits<const N: usize>(&mut self, negative: bool, place: i32, digits: [i64; N]) {
        if self.pending >= ROOM {
            self.carry();
        }
        self.pending += 1;
        // The complement and one more, without a branch.
        let sign = -i64::from(negative);
        let at = place.wrapping_sub(self.first) as usize;
        let own = match self.digits.get_mut(at..at.wrapping_add(N)) {
            Some(own) if place >= self.first => own,
            _ => {
                self.reach(place, place + N as i32 - 1);
                let at = (place - self.first) as usize;
                &mut self.digits[at..at + N]
            }
        };
        own.iter_mut().zip(digits).for_each(|(own, digit)| *own += (digit ^ sign) - sign);
    }

    /// Makes room for the digits from `low` to `high`.
    #[cold]
    fn reach(&mut self, low: i32, high: i32) {
        if self.digits.is_empty() {
            self.first = low;
        }
        if low < self.first {
            let more = (self.first - low) as usize;
            self.digits.splice(0..0, std::iter::repeat_n(0, more));
            self.first = low;
        }
        let len = (high - self.first + 1) as usize;
        if len > self.digits.len() {
            self.digits.resize(len, 0);
        }
    }

    /// Passes carries on: every digit but the last is then within 32 bits and not negative.
    #[cold]
    fn carry(&mut self) {
        let Some((last, others)) = self.digits.split_last_mut() else { return };
        let mut carry = 0;
        for digit in others {
            let whole = *digit + carry;
            *digit = whole & MASK;
            carry = whole >> DIGIT;
        }
        *last += carry;
        // The last one keeps the sign of the whole.
        if !(-(1 << 31)..1 << 32).contains(&*last) {
            let whole = *last;
            *last = whole & MASK;
            self.digits.push(whole >> DIGIT);
        }
        self.pending = 1;
    }

    pub(crate) fn canonical(&self) -> Canonical {
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.digits.last().is_some_and(|top| *top < 0);
        if negative {
            sum.digits.iter_mut().for_each(|digit| *digit = -*digit);
            sum.carry();
        }
        let digits: Vec<u32> = sum.digits.iter().map(|digit| *digit as u32).collect();
        let start = digits.iter().position(|d| *d != 0).unwrap_or(digits.len());
        let end = digits.iter().rposition(|d| *d != 0).map_or(start, |last| last + 1);
        let empty = start == end;
        let Special { nan, positive, negative: below } = self.special;
        Canonical {
            negative: negative && !empty,
            first: if empty { 0 } else { sum.first + start as i32 },
            digits: digits[start..end].to_vec(),
            special: u8::from(nan) | u8::from(positive) << 1 | u8::from(below) << 2,
        }
    }

    pub(crate) fn from_canonical(canonical: &Canonical) -> ExactSum {
        let sign = if canonical.negative { -1 } else { 1 };
        ExactSum {
            digits: canonical.digits.iter().map(|d| i64::from(*d) * sign).collect(),
            first: canonical.first,
            pending: 1,
            special: Special {
                nan: canonical.special & 1 != 0,
                positive: canonical.special & 2 != 0,
                negative: canonical.special & 4 != 0,
            },
        }
    }
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &ExactSum) -> bool {
        self.canonical() == other.canonical()
    }
}

impl Canonical {
    /// Bit `at`, counted from that which counts 2^0.
    fn bit(&self, at: i32) -> bool {
        let digit = at.div_euclid(DIGIT as i32) - self.first;
        let digit = usize::try_from(digit).ok().and_then(|d| self.digits.get(d));
        digit.is_some_and(|d| d >> at.rem_euclid(DIGIT as i32) & 1 == 1)
    }

    fn value(&self) -> f64 {
        let Some(top) = self.digits.last() else { return 0.0 };
        let sign = if self.negative { -1.0 } else { 1.0 };
        let count = self.digits.len() as i32;
        let high = (self.first + count) * DIGIT as i32 - 1 - top.leading_zeros() as i32;
        if high > 1023 {
            return sign * f64::INFINITY;
        }
        // The lowest bit that a float of this size has.
        let low = (high - 52).max(-1074);
        let mut integer = (low..=high).rev().fold(0_u64, |n, at| n << 1 | u64::from(self.bit(at)));
        let half = self.bit(low - 1);
        let below = low - 1 - self.first * DIGIT as i32;
        let rest = || (0..below).any(|at| self.bit(self.first * DIGIT as i32 + at));
        if half && (integer & 1 == 1 || rest()) {
            integer += 1;
        }
        // Exact: at most 53 bits, times a power of two; beyond the largest float it is infinity.
        sign * (integer as f64 * power_of_two(low / 2)) * power_of_two(low - low / 2)
    }
}

/// 2^exponent for exponents of normal floats.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        values.iter().for_each(|x| sum.add(*x));
        sum.value()
    }

    #[test]
    fn one_value_comes_back() {
        for x in [1.0, -1.5, 0.1, 1e300, f64::MAX, f64::MIN_POSITIVE, 5e-324, -3e-310, 1.0 + f64::EPSILON] {
            assert_eq!(sum(&[x]).to_bits(), x.to_bits(), "{x:e}");
        }
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[-0.0]), 0.0);
        let mut zeros = ExactSum::default();
        zeros.add(0.0);
        assert!(zeros.is_zero() && zeros.digits.is_empty());
    }

    #[test]
    fn roundings_happen_once() {
        assert_eq!(sum(&[1.0, 2f64.powi(-53)]), 1.0, "half an ulp goes to the even one");
        assert_eq!(sum(&[1.0, 2f64.powi(-53), 5e-324]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[-1.0, -2f64.powi(-53), -5e-324]), -1.0 - f64::EPSILON);
        assert_eq!(sum(&[1e308, 1e308, -1e308]), 1e308, "no infinity on the way");
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum(&[0.1; 10]), 1.0, "ten tenths: the exact sum is nearest to 1");
    }

    #[test]
    fn infinities_are_as_in_any_sum() {
        assert_eq!(sum(&[f64::INFINITY, -1.0]), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert!(sum(&[f64::NAN, 1.0]).is_nan());
    }

    /// Wild values, always the same.
    fn wild(n: usize) -> Vec<f64> {
        let mut state = 7_u64;
        let mut next = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> 11
        };
        let value = |a: u64, b: u64| f64::from_bits((a << 11) ^ b).clamp(-1e200, 1e200);
        (0..n).map(|_| value(next(), next())).filter(|x| x.is_finite()).collect()
    }

    #[test]
    fn order_and_pieces_do_not_matter() {
        let values = wild(5000);
        let mut whole = ExactSum::default();
        values.iter().for_each(|x| whole.add(*x));
        let mut back = ExactSum::default();
        values.iter().rev().for_each(|x| back.add(*x));
        assert_eq!(whole, back);
        let mut pieces = ExactSum::default();
        for piece in values.chunks(37).rev() {
            let mut part = ExactSum::default();
            piece.iter().for_each(|x| part.add(*x));
            pieces.join(&ExactSum::from_canonical(&part.canonical()));
        }
        assert_eq!(whole, pieces);
        assert_eq!(whole.value().to_bits(), pieces.value().to_bits());
    }

    #[test]
    fn products_are_not_rounded() {
        let (a, b, c) = (1.0 + f64::EPSILON, 1.0 - f64::EPSILON, 3.0 + 4.0 * f64::EPSILON);
        let mut sum = ExactSum::default();
        sum.add_product(a, b);
        sum.add(-1.0);
        assert_eq!(sum.value(), -f64::EPSILON * f64::EPSILON);
        let mut sum = ExactSum::default();
        sum.add_product3(a, b, c);
        sum.add(-c);
        assert_eq!(sum.value(), -f64::EPSILON * f64::EPSILON * c);
        let mut tiny = ExactSum::default();
        tiny.add_product3(5e-324, 5e-324, 5e-324);
        assert_eq!(tiny.value(), 0.0);
        assert!(!tiny.is_zero());
    }

    #[test]
    fn carries_are_passed_on_in_time() {
        let mut sum = ExactSum { pending: ROOM - 3, ..ExactSum::default() };
        sum.reach(0, 0);
        for _ in 0..10 {
            sum.add(-4294967295.0);
        }
        assert_eq!(sum.value(), -42949672950.0);
        assert!(sum.pending < 20);
    }
}
