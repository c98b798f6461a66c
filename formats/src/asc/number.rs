//! Numbers as C prints them.
//!
//! C reads anything: text that is no number is 0. In a file of data such text is damage.

use crate::text::format_g;

/// The low bytes of the whole number in `text`, if a number of `SIZE` bytes can hold it.
///
/// Decimal, or with `0x` the bits in hexadecimal.
#[inline]
pub(super) fn integer<const SIZE: usize>(text: &[u8], signed: bool) -> Option<[u8; SIZE]> {
    let bits = 8 * SIZE as u32;
    let all = u64::MAX >> (64 - bits);
    let value = match text {
        [b'0', b'x' | b'X', digits @ ..] => magnitude(digits, 16).filter(|&n| n <= all)?,
        [b'-', digits @ ..] => {
            let least = if signed { 1 << (bits - 1) } else { 0 };
            magnitude(digits, 10).filter(|&n| n <= least)?.wrapping_neg()
        }
        digits => magnitude(digits, 10).filter(|&n| n <= if signed { all >> 1 } else { all })?,
    };
    value.to_le_bytes().first_chunk().copied()
}

#[inline]
fn magnitude(digits: &[u8], base: u8) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for &digit in digits {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' if base == 16 => digit - b'a' + 10,
            b'A'..=b'F' if base == 16 => digit - b'A' + 10,
            _ => return None,
        };
        value = value.checked_mul(base.into())?.checked_add(digit.into())?;
    }
    Some(value)
}

/// A FLOAT. `nan` and `inf` in any case; what no FLOAT can hold is none.
pub(super) fn float(text: &[u8]) -> Option<f32> {
    let value: f32 = std::str::from_utf8(text).ok()?.parse().ok()?;
    if value.is_finite() || !text.iter().any(u8::is_ascii_digit) {
        return Some(value);
    }
    largest(text, f32::MAX.copysign(value).into(), 7).map(|v| v as f32)
}

/// A DOUBLE.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    if value.is_finite() || !text.iter().any(u8::is_ascii_digit) {
        return Some(value);
    }
    largest(text, f64::MAX.copysign(value), 16)
}

/// The largest number of a type is printed rounded up, beyond what the type holds.
fn largest(text: &[u8], max: f64, digits: usize) -> Option<f64> {
    let mut printed = Vec::new();
    format_g(&mut printed, max, digits);
    (printed == text).then_some(max)
}

/// A BOOL, stored in 32 bits.
pub(super) fn bool(text: &[u8]) -> Option<u32> {
    match text {
        b"y" | b"Y" | b"1" => Some(1),
        b"n" | b"N" | b"0" => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_in_the_range_of_their_type() {
        let word = |text: &str| integer::<2>(text.as_bytes(), false).map(u16::from_le_bytes);
        let short = |text: &str| integer::<2>(text.as_bytes(), true).map(i16::from_le_bytes);
        let int64 = |text: &str| integer::<8>(text.as_bytes(), true).map(i64::from_le_bytes);
        let uint64 = |text: &str| integer::<8>(text.as_bytes(), false).map(u64::from_le_bytes);
        assert_eq!(
            [word("0"), word("65535"), word("0xffff"), word("0X1f")].map(Option::unwrap),
            [0, 65535, 65535, 31]
        );
        assert_eq!(
            [short("-32768"), short("32767"), short("0xffff")].map(Option::unwrap),
            [i16::MIN, i16::MAX, -1]
        );
        assert_eq!(int64("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(int64("9223372036854775807"), Some(i64::MAX));
        assert_eq!(uint64("18446744073709551615"), Some(u64::MAX));
        for wrong in ["", "-", "0x", "65536", "-1", "0x10000", "1 ", " 1", "+1", "1.0", "1e3", "y", "-0x1"] {
            assert_eq!(word(wrong), None, "{wrong:?}");
        }
        assert_eq!([short("32768"), short("-32769")], [None, None]);
        assert_eq!([int64("9223372036854775808"), int64("-9223372036854775809")], [None, None]);
        assert_eq!(uint64("18446744073709551616"), None);
    }

    #[test]
    fn floating_numbers_are_in_the_range_of_their_type() {
        assert_eq!(float(b"1.677722e+07"), Some(16_777_220.0));
        assert_eq!(float(b"-inf"), Some(f32::NEG_INFINITY));
        assert!(float(b"NAN").is_some_and(f32::is_nan) && double(b"nan").is_some_and(f64::is_nan));
        assert_eq!(double(b"-0").map(f64::to_bits), Some((-0.0f64).to_bits()));
        assert_eq!(double(b"4.940656458412465e-324"), Some(f64::from_bits(1)));
        // As C prints the largest numbers.
        assert_eq!(double(b"1.797693134862316e+308"), Some(f64::MAX));
        assert_eq!(double(b"-1.797693134862316e+308"), Some(f64::MIN));
        assert!(float(b"3.402823e+38").is_some_and(f32::is_finite));
        for wrong in ["", "1e39", "x", "1 ", "1,5", "0x10", "<unknown>", "\u{e9}"] {
            assert_eq!(float(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert_eq!([double(b"1e309"), double(b"1.8e308")], [None, None]);
    }
}
