//! Numbers as C's `printf` writes them, which is how MIDAS writes text.

use std::io::Write;

/// Appends `value` as `%.{precision}g` does: shortest of fixed and exponential form, trailing
/// zeros removed. NaN is `NAN` as in MIDAS; infinities are `inf` and `-inf` as in C.
pub fn format_g(out: &mut Vec<u8>, value: f64, precision: usize) {
    if value.is_nan() {
        out.extend_from_slice(b"NAN");
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
        return;
    }
    if value == 0.0 {
        out.extend_from_slice(if value.is_sign_negative() { b"-0" } else { b"0" });
        return;
    }
    // Whole numbers of few digits are the common case (ADC counts) and need no rounding.
    let precision = precision.max(1);
    if value.fract() == 0.0 && value.abs() < 10f64.powi(precision.min(15) as i32) {
        let _ = write!(out, "{}", value as i64);
        return;
    }
    // The exponent after rounding decides between the two forms (C11 7.21.6.1).
    let scientific = format!("{:.*e}", precision - 1, value);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= precision as i32 {
        out.extend_from_slice(trim_zeros(mantissa).as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "e{sign}{:02}", exponent.abs());
    } else {
        let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
        let fixed = format!("{value:.decimals$}");
        out.extend_from_slice(trim_zeros(&fixed).as_bytes());
    }
}

fn trim_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: f64, precision: usize, wanted: &str) {
        let mut out = Vec::new();
        format_g(&mut out, value, precision);
        assert_eq!(String::from_utf8_lossy(&out), wanted, "{value:e} with {precision} digits");
    }

    #[test]
    fn numbers_look_as_in_c() {
        check(0.0, 7, "0");
        check(-0.0, 7, "-0");
        check(16777216f32.into(), 7, "1.677722e+07");
        check(130.5, 7, "130.5");
        check(-21.5, 7, "-21.5");
        check(1e-9f32.into(), 7, "1e-09");
        check(0.0001, 7, "0.0001");
        check(0.00001, 7, "1e-05");
        check(9999999.6, 7, "1e+07");
        check(1234567.0, 7, "1234567");
        check(12345678.0, 7, "1.234568e+07");
        check(5.43656365691809, 16, "5.43656365691809");
        check(std::f64::consts::E, 16, "2.718281828459045");
        check(1e300, 16, "1e+300");
        check(0.1, 16, "0.1");
        check(1e22, 16, "1e+22");
        check(1e15, 16, "1000000000000000");
        check(1e16, 16, "1e+16");
        check(4.9e-324, 16, "4.940656458412465e-324");
        check(f64::NAN, 7, "NAN");
        check(f64::NEG_INFINITY, 7, "-inf");
        check(100.0, 1, "1e+02");
        check(0.5, 1, "0.5");
    }
}
