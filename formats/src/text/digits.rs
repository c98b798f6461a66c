//! The first digits of a floating-point number, exactly rounded, in integer arithmetic.
//!
//! A number is m·2^e with a whole m below 2^53. Its first P digits before the decimal exponent x are
//! the whole number next to m·2^e·10^k with k = P - 1 - x, where 10^k is 5^k·2^k. As long as m·5^k
//! fits in 128 bits nothing is lost, and what is left over says which way to round. A tie goes to the
//! even digit, as in C.

/// The most digits that are worked out here: all that a DOUBLE has.
pub(super) const MOST: usize = 17;

/// 5^0 to 5^27, all that fit in 64 bits.
static FIVES: [u64; 28] = powers(5);
/// 10^0 to 10^19.
static TENS: [u64; 20] = powers(10);

const fn powers<const N: usize>(base: u64) -> [u64; N] {
    let (mut all, mut i) = ([1; N], 1);
    while i < N {
        all[i] = all[i - 1] * base;
        i += 1;
    }
    all
}

/// The first `precision` digits of a positive number as a whole number, and the decimal exponent of
/// the first of them.
///
/// `None` if that is not easy: for zero, for what is not finite, and far from one. Sure to be
/// easy are up to [`MOST`] digits of numbers from 1e-10 to 1e38.
#[inline]
pub(super) fn first_digits(value: f64, precision: usize) -> Option<(u64, i32)> {
    let bits = value.to_bits();
    let biased = (bits >> 52) as i32;
    if !(1..0x7ff).contains(&biased) || !(1..=MOST).contains(&precision) {
        return None;
    }
    let (mantissa, exponent) = (bits & ((1 << 52) - 1) | 1 << 52, biased - 1075);
    let limit = TENS[precision];
    // log10(2) is 0.30103: this is x, or one less.
    let guess = ((biased - 1023) * 78_913) >> 18;
    for x in [guess, guess + 1] {
        let k = precision as i32 - 1 - x;
        let (digits, up) = match k {
            0.. => multiplied(mantissa, exponent, *FIVES.get(k as usize)?, k)?,
            _ => divided(mantissa, exponent, -k)?,
        };
        if digits < limit {
            // All nines become one digit more.
            let digits = digits + u64::from(up);
            return Some(if digits == limit { (digits / 10, x + 1) } else { (digits, x) });
        }
    }
    None
}

/// m·2^e·10^k without its fraction, and whether that rounds up.
#[inline]
fn multiplied(mantissa: u64, exponent: i32, five: u64, k: i32) -> Option<(u64, bool)> {
    let product = u128::from(mantissa) * u128::from(five);
    let shift = -(exponent + k);
    if shift <= 0 {
        // Whole, and hardly longer than the digits that are asked for.
        return Some(((product << -shift) as u64, false));
    }
    let shift = u32::try_from(shift).ok().filter(|&shift| shift < 128)?;
    let digits = (product >> shift) as u64;
    let (rest, half) = (product & ((1 << shift) - 1), 1_u128 << (shift - 1));
    Some((digits, rest + u128::from(digits & 1) > half))
}

/// m·2^e/10^j without its fraction, and whether that rounds up.
#[cold]
fn divided(mantissa: u64, exponent: i32, j: i32) -> Option<(u64, bool)> {
    let ten = 10_u128.checked_pow(j as u32)?;
    let (number, ten) = match exponent {
        0..=75 => (u128::from(mantissa) << exponent, ten),
        // The number is above 10^j all the same, so both fit.
        -52..0 if ten < 1 << 64 => (u128::from(mantissa), ten << -exponent),
        _ => return None,
    };
    let (digits, rest) = ((number / ten) as u64, number % ten);
    Some((digits, 2 * rest + u128::from(digits & 1) > ten))
}
