//! Whole numbers in decimal and in hexadecimal, three and two digits at a time.

/// `000` to `999`. The fourth byte is never shown: four are copied as one word.
static THREES: [[u8; 4]; 1000] = threes();
/// `00` to `ff`.
static HEX: [[u8; 2]; 256] = hex_digits();

const fn threes() -> [[u8; 4]; 1000] {
    let (mut all, mut i) = ([[0; 4]; 1000], 0);
    while i < 1000 {
        let n = i as u16;
        all[i] = [b'0' + (n / 100) as u8, b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8, 0];
        i += 1;
    }
    all
}

const fn hex_digits() -> [[u8; 2]; 256] {
    let (digits, mut all, mut i) = (b"0123456789abcdef", [[0; 2]; 256], 0);
    while i < 256 {
        all[i] = [digits[i >> 4], digits[i & 15]];
        i += 1;
    }
    all
}

/// Appends `value` as `%u` does.
#[inline]
pub fn push_unsigned(out: &mut Vec<u8>, value: u64) {
    let rest = (value % 1000) as usize;
    match value / 1000 {
        0 => push_head(out, rest),
        head @ 1..1000 => {
            push_head(out, head as usize);
            push_some(out, THREES[rest], 3);
        }
        _ => {
            let mut text = [0; 20];
            let start = put_unsigned(&mut text, value);
            out.extend_from_slice(&text[start..]);
        }
    }
}

/// Appends `value` as `%d` does.
#[inline]
pub(crate) fn push_signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_unsigned(out, value.unsigned_abs());
}

/// Appends the bits of `value`, with zeros in front up to so many digits.
pub fn push_hex(out: &mut Vec<u8>, value: u64, digits: usize) {
    let needed = (64 - value.leading_zeros()).div_ceil(4) as usize;
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(value.to_be_bytes()) {
        pair.copy_from_slice(&hex(byte));
    }
    out.extend_from_slice(&text[16 - needed.max(digits).clamp(1, 16)..]);
}

/// The two digits of a byte.
#[inline]
pub fn hex(byte: u8) -> [u8; 2] {
    HEX[usize::from(byte)]
}

/// Writes the digits of `value` at the end of `text`, which must have room for them (20 bytes are
/// always enough); where they begin. What stands before them is left as it is.
#[inline]
pub fn put_unsigned(text: &mut [u8], mut value: u64) -> usize {
    let mut at = text.len();
    while value >= 1000 {
        at -= 3;
        text[at..at + 3].copy_from_slice(&THREES[(value % 1000) as usize][..3]);
        value /= 1000;
    }
    let digits = THREES[value as usize];
    at -= 1;
    text[at] = digits[2];
    if value >= 10 {
        at -= 1;
        text[at] = digits[1];
    }
    if value >= 100 {
        at -= 1;
        text[at] = digits[0];
    }
    at
}

/// As [`put_unsigned`]; a sign needs a byte more.
#[inline]
pub fn put_signed(text: &mut [u8], value: i64) -> usize {
    let mut at = put_unsigned(text, value.unsigned_abs());
    if value < 0 {
        at -= 1;
        text[at] = b'-';
    }
    at
}

/// Appends a number below 1000 without zeros in front.
#[inline]
fn push_head(out: &mut Vec<u8>, value: usize) {
    let zeros = usize::from(value < 100) + usize::from(value < 10);
    let digits = u32::from_le_bytes(THREES[value]) >> (8 * zeros);
    push_some(out, digits.to_le_bytes(), 3 - zeros);
}

/// Appends the first bytes of a word. To copy all of it and take the rest back is faster than to
/// copy a number of bytes that is not known before.
#[inline]
fn push_some(out: &mut Vec<u8>, word: [u8; 4], bytes: usize) {
    let end = out.len() + bytes;
    out.extend_from_slice(&word);
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(value: u64, signed: i64) {
        let mut out = Vec::new();
        push_unsigned(&mut out, value);
        out.push(b' ');
        push_signed(&mut out, signed);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{value} {signed}"));

        let mut text = [b'_'; 24];
        let start = put_unsigned(&mut text, value);
        assert_eq!(std::str::from_utf8(&text[start..]).unwrap(), value.to_string());
        assert!(text[..start].iter().all(|&b| b == b'_'));
        let mut text = [b'_'; 24];
        let start = put_signed(&mut text, signed);
        assert_eq!(std::str::from_utf8(&text[start..]).unwrap(), signed.to_string());
        assert!(text[..start].iter().all(|&b| b == b'_'));

        for digits in [0, 1, 2, 4, 8, 16] {
            let mut out = Vec::new();
            push_hex(&mut out, value, digits);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{value:0digits$x}"));
        }
    }

    #[test]
    fn numbers_at_the_seams_are_right() {
        for value in (0..70_000).chain((0..20).flat_map(|n| 10_u64.pow(n) - 1..=10_u64.pow(n) + 1)) {
            check(value, value as i64);
            check(u64::MAX - value, (value as i64).wrapping_neg());
            check(value, i64::MIN.wrapping_add(value as i64));
        }
    }

    proptest! {
        #[test]
        fn numbers_are_as_the_library_prints_them(value: u64, signed: i64, shift in 0..64_u32) {
            check(value >> shift, signed >> shift);
        }
    }
}
