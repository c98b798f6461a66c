//! The module Amplitude, event by event.

use pactolus::harness::{Allocations, Harness, event};
use pactolus::prelude::*;

use my_analyzer::amplitude::*;

/// Counts what is allocated, so that `check` finds a module that allocates for each event.
#[global_allocator]
static ALLOCATOR: Allocations = Allocations;

/// The module as a stage, with parameters that are easy to reckon with.
fn stage() -> Harness {
    let module = Amplitude::defaults();
    Harness::of("Amplitude", module)
        .parameter("Pedestal", [100, 200])
        .parameter("Gain", [1.0, 0.5])
}

#[test]
fn the_pedestal_is_subtracted_and_the_rest_multiplied_by_the_gain() {
    let seen = stage().check([event(1).bank(ADC0, &[110, 260])]);
    assert_eq!(seen.event(0).bank(AMPL), [10.0, 30.0]);
}

#[test]
fn the_largest_signal_goes_into_the_histogram() {
    let events = [[110, 260], [600, 200], [170, 200]];
    let seen = stage().check(events.map(|counts| event(1).bank(ADC0, &counts)));
    let largest = seen.histogram("Largest").stats();
    assert_eq!(largest.entries, 3);
    assert_eq!(largest.mean_x, (30.0 + 500.0 + 70.0) / 3.0);
}

#[test]
fn an_event_without_adc_is_kept_as_it_is() {
    let seen = stage().check([event(1)]);
    assert!(seen.event(0).is_kept());
    assert_eq!(seen.event(0).get(AMPL), None);
}

#[test]
fn the_definition_mounts_it() {
    let definition = include_str!("../analyzer.toml");
    let analyzer = Harness::definition(definition, &my_analyzer::catalogue());
    let seen = analyzer.run([event(1).bank(ADC0, &[174, 194, 176, 182])]);
    assert_eq!(seen.event(0).bank(AMPL).len(), 4);
}
