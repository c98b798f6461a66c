//! Numbers as C's `printf` writes them, which is how MIDAS writes text.
//!
//! Everything is appended to a vector of bytes, without the machinery of [`std::fmt`]: a number costs
//! some ten nanoseconds that way, and text is nothing but numbers.

use std::io::Write;

mod digits;
mod whole;

pub(crate) use whole::push_signed;
pub use whole::{hex, push_hex, push_unsigned, put_signed, put_unsigned};

/// Where the digits begin while a number is put together: before them is room for `-0.000`.
const FRONT: usize = 8;

/// Appends `value` as `%.{precision}g` does: shortest of fixed and exponential form, trailing
/// zeros removed. NaN is `NAN` as in MIDAS; infinities are `inf` and `-inf` as in C.
#[inline]
pub fn format_g(out: &mut Vec<u8>, value: f64, precision: usize) {
    let precision = precision.max(1);
    // Whole numbers of few digits are the common case (ADC counts) and need no rounding.
    let (whole, least) = (value as i64, if precision >= 7 { 10_000_000 } else { 10 });
    if whole as f64 == value && whole.unsigned_abs() < least && (whole != 0 || value.is_sign_positive()) {
        return push_signed(out, whole);
    }
    format_fraction(out, value, precision);
}

fn format_fraction(out: &mut Vec<u8>, value: f64, precision: usize) {
    let Some((digits, exponent)) = digits::first_digits(value.abs(), precision) else {
        return format_any(out, value, precision);
    };
    let mut text = [b'0'; 40];
    put_unsigned(&mut text[..FRONT + precision], digits);
    let mut end = FRONT + precision;
    while end > FRONT + 1 && text[end - 1] == b'0' {
        end -= 1;
    }
    let start = match exponent {
        -4..0 => {
            let start = FRONT - 1 - exponent.unsigned_abs() as usize;
            text[start + 1] = b'.';
            start
        }
        0.. if (exponent as usize) < precision => {
            let point = FRONT + 1 + exponent as usize;
            if end <= point {
                end = point;
                FRONT
            } else {
                put_point(&mut text, point)
            }
        }
        _ => {
            let start = if end == FRONT + 1 { FRONT } else { put_point(&mut text, FRONT + 1) };
            end = put_exponent(&mut text, end, exponent);
            start
        }
    };
    push_with_sign(out, &mut text, start, end, value);
}

/// Appends `value` as `%.{precision}e` does, not a number as `nan` or `-nan`.
pub fn format_e(out: &mut Vec<u8>, value: f64, precision: usize) {
    let found = digits::first_digits(value.abs(), precision.saturating_add(1));
    // The digits of zero are not worked out, but are known.
    let Some((digits, exponent)) = found.or((value == 0.0 && precision < digits::MOST).then_some((0, 0)))
    else {
        return format_any_e(out, value, precision);
    };
    let mut text = [b'0'; 40];
    put_unsigned(&mut text[..FRONT + 1 + precision], digits);
    let start = if precision == 0 { FRONT } else { put_point(&mut text, FRONT + 1) };
    let end = put_exponent(&mut text, FRONT + 1 + precision, exponent);
    push_with_sign(out, &mut text, start, end, value);
}

/// Moves the digits before `point` to make room for it; where they begin.
fn put_point(text: &mut [u8; 40], point: usize) -> usize {
    for at in FRONT..point {
        text[at - 1] = text[at];
    }
    text[point - 1] = b'.';
    FRONT - 1
}

/// Writes an exponent below 100; where it ends.
fn put_exponent(text: &mut [u8; 40], at: usize, exponent: i32) -> usize {
    text[at] = b'e';
    text[at + 1] = if exponent < 0 { b'-' } else { b'+' };
    text[at + 2] = b'0';
    put_unsigned(&mut text[..at + 4], exponent.unsigned_abs().into());
    at + 4
}

fn push_with_sign(out: &mut Vec<u8>, text: &mut [u8; 40], mut start: usize, end: usize, value: f64) {
    if value.is_sign_negative() {
        start -= 1;
        text[start] = b'-';
    }
    out.extend_from_slice(&text[start..end]);
}

/// [`format_g`] of any number, by way of `std::fmt`.
#[cold]
fn format_any(out: &mut Vec<u8>, value: f64, precision: usize) {
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

/// [`format_e`] of any number, by way of `std::fmt`.
#[cold]
fn format_any_e(out: &mut Vec<u8>, value: f64, precision: usize) {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    // Writing into a vector cannot fail.
    let _ = if value.is_nan() {
        write!(out, "{sign}nan")
    } else if value.is_infinite() {
        write!(out, "{sign}inf")
    } else {
        let scientific = format!("{value:.precision$e}");
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{mantissa}e{sign}{:02}", exponent.abs())
    };
}

fn trim_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests;
