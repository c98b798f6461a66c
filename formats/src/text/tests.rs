use proptest::prelude::*;

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

#[test]
fn exponents_look_as_in_c() {
    let check = |value: f64, precision, wanted: &str| {
        let mut out = Vec::new();
        format_e(&mut out, value, precision);
        assert_eq!(String::from_utf8_lossy(&out), wanted, "{value:e} with {precision} decimals");
    };
    check(std::f64::consts::E, 5, "2.71828e+00");
    check(-1e300, 5, "-1.00000e+300");
    check(1e-9, 3, "1.000e-09");
    check(9.9996, 3, "1.000e+01");
    check(0.0, 3, "0.000e+00");
    check(-0.0, 0, "-0e+00");
    check(2.5, 0, "2e+00");
    check(f64::NAN, 3, "nan");
    check(-f64::NAN, 3, "-nan");
    check(f64::NEG_INFINITY, 3, "-inf");
}

/// The same as by way of `std::fmt`, whose digits are exact.
#[track_caller]
fn check_both(value: f64, precision: usize) {
    let (mut ours, mut theirs) = (b"x".to_vec(), b"x".to_vec());
    format_g(&mut ours, value, precision);
    format_any(&mut theirs, value, precision.max(1));
    let text = String::from_utf8_lossy;
    assert_eq!(text(&ours), text(&theirs), "{value:e} ({:#x}) %.{precision}g", value.to_bits());
    let (mut ours, mut theirs) = (b"x".to_vec(), b"x".to_vec());
    format_e(&mut ours, value, precision);
    format_any_e(&mut theirs, value, precision);
    assert_eq!(text(&ours), text(&theirs), "{value:e} ({:#x}) %.{precision}e", value.to_bits());
}

fn check_all(value: f64) {
    for precision in [0, 1, 2, 3, 6, 7, 8, 15, 16, 17, 18] {
        check_both(value, precision);
        check_both(-value, precision);
    }
}

#[test]
fn the_seams_of_the_fast_way_are_as_the_slow() {
    // Powers of ten and two, what is next to them, and what lies between two digits.
    for exponent in -330..310 {
        let ten: f64 = format!("1e{exponent}").parse().unwrap();
        let two = 2f64.powi(exponent);
        for value in [ten, ten * 5.0, ten * 9.9999995, ten * 99.5, two, two * 3.0, f64::from(ten as f32)] {
            for neighbour in [value.next_down(), value, value.next_up(), f64::from((value as f32).next_up())]
            {
                check_all(neighbour);
            }
        }
    }
    for value in [0.0, f64::INFINITY, f64::NAN, f64::MAX, f64::MIN_POSITIVE, f32::MAX.into(), 4.9e-324] {
        check_all(value);
    }
}

#[test]
fn ties_go_to_the_even_digit() {
    for n in 0..20_000 {
        for half in [0.5, 0.25, 0.125, 0.75, 2f64.powi(-10), 5.0, 50.0, 5e6] {
            for precision in 1..8 {
                check_both(f64::from(n) + half, precision);
                check_both((f64::from(n) + half) * 1024.0, precision);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_bits_are_as_the_slow_way_prints_them(double: u64, float: u32, precision in 0..20_usize) {
        for value in [f64::from_bits(double), f32::from_bits(float).into()] {
            check_both(value, precision);
            check_both(value, 7);
            check_both(value, 16);
        }
    }

    #[test]
    fn numbers_of_measurements_are_as_the_slow_way_prints_them(
        digits in 0..1_000_000_000_u64,
        decimals in 0..25_i32,
        bits in 0..1_u64 << 53,
        power in -90..70_i32,
        precision in 0..18_usize,
    ) {
        let decimal = digits as f64 / 10f64.powi(decimals);
        let binary = (bits >> (bits % 53)) as f64 * 2f64.powi(power);
        for value in [decimal, f64::from(decimal as f32), binary, f64::from(binary as f32)] {
            check_both(value, precision);
            check_both(-value, 7);
            check_both(value, 16);
        }
    }
}
