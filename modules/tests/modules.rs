//! What the stock modules do, by the harness that every author of a module has.

use pactolus::harness::{Allocations, Harness, Seen, event};
use pactolus::prelude::*;
use pactolus_modules::{
    ACUM, ADC0, ASUM, AdcCalib, AdcSum, Asum, CADC, Prescale, SCLR, ScalerSum, catalogue,
};

#[global_allocator]
static ALLOCATIONS: Allocations = Allocations;

fn calibration() -> Harness {
    Harness::of("ADC calibration", AdcCalib::defaults()).declare(ADC0.size(4))
}

#[test]
fn pedestals_are_subtracted_and_half_a_count_is_added() {
    let seen = calibration()
        .parameter("Pedestal", [100, 200, 300, 400])
        .parameter("Software Gain", [1.0_f32, 2.0, 0.5, -1.0])
        .check([event(1).bank(ADC0, &[110, 210, 310, 410]), event(1).bank(ADC0, &[100]), event(1)]);
    assert_eq!(seen.event(0).bank(CADC), [10.5, 21.0, 5.25, -10.5]);
    assert_eq!(seen.event(1).bank(CADC), [0.5]);
    assert!(seen.event(2).is_kept() && seen.event(2).get(CADC).is_none());
}

#[test]
fn only_amplitudes_above_the_threshold_are_in_histograms() {
    let seen = calibration()
        .parameter("Histo threshold", 20.5)
        .check([event(1).bank(ADC0, &[19, 20, 21, 5000]), event(1).bank(ADC0, &[30])]);
    let entries = |name: &str| seen.histogram(name).stats().entries;
    assert_eq!(["CADC00", "CADC01", "CADC02", "CADC03"].map(entries), [1, 0, 1, 1]);
    let mean = seen.histogram("ADC calibration/CADC02").stats().mean_x;
    assert!((mean - 21.5).abs() < 1e-9, "{mean}");
}

#[test]
fn a_bank_that_is_longer_than_the_pedestals_costs_its_event() {
    let harness = Harness::of("ADC calibration", AdcCalib::defaults()).parameter("Pedestal", [1, 2, 3]);
    let seen = harness
        .parameter("Software Gain", [1.0; 8])
        .run([event(1).bank(ADC0, &[1, 2, 3, 4]), event(1).bank(ADC0, &[1, 2, 3])]);
    let error = seen.event(0).error().expect("an error");
    assert!(error.contains("\"Pedestal\" has 3 values, but bank ADC0 has 4 elements"), "{error}");
    assert_eq!(seen.event(1).bank(CADC), [0.5; 3]);
    assert_eq!(seen.stage("ADC calibration").failed, 1);
}

#[test]
fn an_old_frontend_may_give_another_type() {
    let seen = calibration().run([event(1).bank(BankDef::<u32>::new(b"ADC0"), &[1])]);
    let error = seen.event(0).error().expect("an error");
    assert!(error.contains("ADC0") && error.contains("DWORD") && error.contains("WORD"), "{error}");
}

/// Of calibrated amplitudes.
fn sums(amplitudes: &[&[f32]], threshold: f32) -> Seen {
    let harness = Harness::of("ADC summing", AdcSum::defaults()).parameter("ADC threshold", threshold);
    harness.check(amplitudes.iter().map(|amplitudes| event(1).bank(CADC, amplitudes)))
}

#[test]
fn what_is_above_the_threshold_is_added_up() {
    let seen = sums(&[&[5.0, 6.0, 1.0, 9.0], &[], &[4.0], &[600.0, 600.0], &[1000.0]], 5.0);
    let asum = |place: usize| seen.event(place).bank(ASUM)[0];
    assert_eq!(asum(0), Asum { sum: 15.0, average: 7.5 });
    assert_eq!([asum(1), asum(2)], [Asum { sum: 0.0, average: 0.0 }; 2]);
    assert_eq!(asum(3), Asum { sum: 1200.0, average: 600.0 });
    // 1000 is neither.
    assert_eq!((seen.test("low_sum"), seen.test("high_sum"), seen.test("Always true")), (3, 1, 5));
    assert_eq!(seen.histogram("ADCSUM").stats().entries, 5);
    assert_eq!(seen.histogram("ADC summing/Average/ADCAVG").stats().entries, 5);
}

#[test]
fn without_amplitudes_there_is_no_sum() {
    let seen = Harness::of("ADC summing", AdcSum::defaults()).check([event(1)]);
    assert!(seen.event(0).is_kept() && seen.event(0).get(ASUM).is_none());
    assert_eq!(seen.test("low_sum"), 0);
}

#[test]
fn scaler_counts_are_added_up_over_the_run() {
    let seen = Harness::sequential("Scaler accumulation", ScalerSum::defaults()).check([
        event(2).bank(SCLR, &[1, 2]),
        event(2),
        event(2).bank(SCLR, &[u32::MAX, 1, 7]),
        event(2).bank(SCLR, &[1]),
    ]);
    assert_eq!(seen.event(0).bank(ACUM), [1.0, 2.0]);
    assert!(seen.event(1).is_kept() && seen.event(1).get(ACUM).is_none());
    assert_eq!(seen.event(2).bank(ACUM), [4_294_967_296.0, 3.0, 7.0]);
    assert_eq!(seen.event(3).bank(ACUM), [4_294_967_297.0]);
}

#[test]
fn one_event_in_so_many_passes() {
    let kept = |modulo: u32, invert: bool| -> Vec<u32> {
        let harness = Harness::of("Prescale", Prescale::defaults());
        let seen = harness.parameter("Modulo", modulo).parameter("Invert", invert).check(vec![event(1); 7]);
        seen.events().filter(|event| event.is_kept()).map(|event| event.header().serial).collect()
    };
    assert_eq!(kept(3, false), [0, 3, 6]);
    assert_eq!(kept(3, true), [1, 2, 4, 5]);
    for all in [0, 1] {
        assert_eq!(kept(all, false).len() + kept(all, true).len(), 14);
    }
}

#[test]
fn the_sample_experiment_goes_from_counts_to_a_sum() {
    let text = include_str!("../../examples/experiment/analyzer.toml");
    let seen = Harness::definition(text, &catalogue())
        .parameter("ADC calibration/Pedestal", [174, 194, 176, 182])
        .check([event(1).bank(ADC0, &[1174, 194, 176, 182]), event(2).bank(SCLR, &[5, 6, 7, 8])]);
    assert_eq!(seen.event(0).bank(ASUM), [Asum { sum: 1000.5, average: 1000.5 }]);
    assert_eq!(seen.event(1).bank(ACUM), [5.0, 6.0, 7.0, 8.0]);
    assert_eq!(seen.test("high_sum"), 1);
}
