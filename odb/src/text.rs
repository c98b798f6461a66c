//! Numbers and truth values read from text: as MIDAS does, and strictly.
//!
//! Dumps are read as MIDAS reads them (`0x` is hexadecimal, then C's `atoi` and `atof`: what
//! follows the number is ignored, no number is 0, too large a number wraps). What a user types
//! is read strictly.

/// An integer as C's `atoi`, or hexadecimal after `0x`.
pub(crate) fn lenient_integer(text: &[u8]) -> i128 {
    let text = text.trim_ascii_start();
    let (negative, digits) = sign(text);
    let (radix, digits) = match digits {
        [b'0', b'x' | b'X', hex @ ..] => (16, hex),
        _ => (10, digits),
    };
    let mut value: i128 = 0;
    for digit in digits.iter().map_while(|&c| char::from(c).to_digit(radix)) {
        // Beyond 64 bits nothing is meant; wrapping keeps the low bits as C would.
        value = value.wrapping_mul(radix.into()).wrapping_add(digit.into());
    }
    if negative { value.wrapping_neg() } else { value }
}

/// A number as C's `atof`; NaN if the text begins with n or N.
pub(crate) fn lenient_float(text: &[u8]) -> f64 {
    let text = text.trim_ascii_start();
    if matches!(text, [b'n' | b'N', ..]) {
        return f64::NAN;
    }
    let (negative, rest) = sign(text);
    if rest.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"inf")) {
        return if negative { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    if rest.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"nan")) {
        return f64::NAN;
    }
    let digits = |from: usize| text[from..].iter().take_while(|c| c.is_ascii_digit()).count();
    let mut end = text.len() - rest.len();
    let whole = digits(end);
    end += whole;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let signed = end + 1 + usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        if signed <= text.len() && digits(signed) > 0 {
            end = signed + digits(signed);
        }
    }
    std::str::from_utf8(&text[..end]).ok().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

/// Truth as MIDAS reads it: y, Y, t, T, or a number above 0.
pub(crate) fn lenient_bool(text: &[u8]) -> bool {
    matches!(text, [b'y' | b'Y' | b't' | b'T', ..]) || lenient_integer(text) > 0
}

/// An integer, decimal or hexadecimal, and nothing else.
pub(crate) fn strict_integer(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = sign(text.as_bytes());
    let digits = &text[text.len() - digits.len()..];
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with(['+', '-']) => i128::from_str_radix(hex, 16).ok()?,
        Some(_) => return None,
        None if digits.starts_with(|c: char| c.is_ascii_digit()) => digits.parse().ok()?,
        None => return None,
    };
    Some(if negative { -value } else { value })
}

/// A number as Rust reads it (`nan`, `inf` included), and nothing else.
pub(crate) fn strict_float(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// `y`, `n`, `yes`, `no`, `true`, `false`, `1` or `0`, ignoring case.
pub(crate) fn strict_bool(text: &str) -> Option<bool> {
    let text = text.trim();
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match () {
        () if is(&["y", "yes", "true", "1"]) => Some(true),
        () if is(&["n", "no", "false", "0"]) => Some(false),
        () => None,
    }
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_atoi_does() {
        let check = |text: &str, wanted| assert_eq!(lenient_integer(text.as_bytes()), wanted, "{text}");
        check("42", 42);
        check("  -7 apples", -7);
        check("0xffff", 0xffff);
        check("0xFFFFFFFF", 0xffff_ffff);
        check("rubbish", 0);
        check("", 0);
        check("0x", 0);
        check("1.9", 1);
        check("+5", 5);
    }

    #[test]
    fn numbers_are_read_as_atof_does() {
        let check = |text: &str, wanted: f64| {
            assert_eq!(lenient_float(text.as_bytes()).to_bits(), wanted.to_bits(), "{text}");
        };
        check("1.5e3x", 1500.0);
        check("-0", -0.0);
        check(".5", 0.5);
        check("5.", 5.0);
        check("1e", 1.0);
        check("1e+", 1.0);
        check("e5", 0.0);
        check(".", 0.0);
        check("inf", f64::INFINITY);
        check("-Infinity", f64::NEG_INFINITY);
        check("4.9e-324", 4.9e-324);
        check("", 0.0);
        assert!(lenient_float(b"NAN").is_nan() && lenient_float(b"no number").is_nan());
        assert!(lenient_float(b"-nan").is_nan());
    }

    #[test]
    fn what_a_user_types_is_read_to_its_end() {
        assert_eq!(strict_integer("0x10"), Some(16));
        assert_eq!(strict_integer(" -3 "), Some(-3));
        assert_eq!(strict_integer("17x"), None);
        assert_eq!(strict_integer("--3"), None);
        assert_eq!(strict_integer("0x-3"), None);
        assert_eq!(strict_integer(""), None);
        assert_eq!(strict_bool("Yes"), Some(true));
        assert_eq!(strict_bool("maybe"), None);
    }

    #[test]
    fn truth_is_yes_true_or_a_number() {
        for (text, wanted) in
            [("y", true), ("True", true), ("1", true), ("n", false), ("-1", false), ("", false)]
        {
            assert_eq!(lenient_bool(text.as_bytes()), wanted, "{text}");
        }
    }
}
