//! Numbers as a reader wants them.

/// So many digits that matter, without zeros behind them: `123.46`, `1.2e-7`.
pub(crate) fn short(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if !value.is_finite() {
        return if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .into();
    }
    let scientific = format!("{value:.*e}", digits.max(1) - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..7).contains(&exponent) {
        let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
        return without_zeros(&format!("{value:.decimals$}")).to_owned();
    }
    format!("{}e{exponent}", without_zeros(mantissa))
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// An exponent raised: `10⁻³`.
pub(crate) fn power(exponent: i32) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raise = |c: char| c.to_digit(10).map_or('⁻', |digit| RAISED[digit as usize]);
    format!("10{}", exponent.to_string().chars().map(raise).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_matter() {
        let short = |value| short(value, 5);
        assert_eq!(short(123.456_78), "123.46");
        assert_eq!(short(-0.001_234_567), "-0.0012346");
        assert_eq!(short(1_234_567.0), "1234567");
        assert_eq!(short(1.234_567e9), "1.2346e9");
        assert_eq!(short(2.0e-300), "2e-300");
        assert_eq!(short(99_999.96), "100000");
        assert_eq!(short(f64::NAN), "nan");
        assert_eq!(short(f64::NEG_INFINITY), "-inf");
        assert_eq!(short(-0.0), "0");
    }

    #[test]
    fn powers_are_raised() {
        assert_eq!((power(12), power(-3)), ("10¹²".into(), "10⁻³".into()));
    }
}
