//! What goes wrong, in a module or in the bytes, costs as little as can be and is accounted for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;

use common::MidFile;
use common::bench::{
    Bench, analyse, broken, data, dwords, mixed_run, names, plain_run, request, same_in_every_way,
};
use common::modules::{ADC0, Adds, Counter, SEEN, does, in_order, maker, makes};
use pactolus::prelude::*;
use pactolus::{Error, Offered, Requested};

#[test]
fn every_event_is_accounted_for() {
    let mut file = MidFile::new().bor(42);
    for serial in 0..100 {
        file = file.words(1 + (serial % 3) as u16, serial, "ADC0", &[serial as u16]);
    }
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("One", 1))
        .module("skips", does(|e, _| Ok(if e.serial() % 2 == 0 { Keep } else { Skip })))
        .module("fails", does(|e, _| if e.serial() % 6 == 0 { Err("six".into()) } else { Ok(Keep) }))
        .on(Request::new("Two", 2));
    let (_, run) = same_in_every_way(&file.eor(42), &analyzer, |job| job);
    // Serial numbers of id 1: 0, 3, ..., 99; of them 17 are odd, and the even ones multiples of six.
    assert_eq!(
        request(&run, "One"),
        Requested { matched: 34, skipped: 17, failed: 17, ..Requested::default() }
    );
    assert_eq!(request(&run, "Two"), Requested { matched: 33, kept: 33, ..Requested::default() });
    // Of three ids, each has every third serial number.
    let three = Offered { offered: 33, delivered: 33, unrequested: 33, unattended: 64, ..Offered::default() };
    assert_eq!(run.events[&3], three);
    assert_eq!(
        run.stages.iter().map(|s| (s.entered, s.skipped, s.failed)).collect::<Vec<_>>(),
        [(34, 17, 0), (17, 0, 17)]
    );
}

#[test]
fn an_error_and_a_panic_cost_one_event_each() {
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).module(
        "breaks",
        does(|e, _| match e.serial() {
            3 => Err("three is too much".into()),
            5 => panic!("five is far too much"),
            _ => Ok(Keep),
        }),
    );
    let bench = Bench::new(&plain_run(8));
    let report = analyse(&analyzer, &bench.writing());
    let failures = &report.runs[0].failures;
    let said: Vec<_> = failures.iter().map(|f| (f.event, f.id, f.serial, &*f.stage, &*f.reason)).collect();
    let place = "panicked at tests/failures.rs:50: five is far too much";
    let wanted = [(5, 1, 3, "breaks", "three is too much"), (7, 1, 5, "breaks", place)];
    assert_eq!(said, wanted);
    assert_eq!(names(&bench.written()), [(1, 0), (1, 1), (1, 2), (1, 4), (1, 6), (1, 7)]);
    assert!(!report.is_clean() && report.failed() == 2);
}

#[test]
fn an_error_and_a_panic_of_a_sequential_module_cost_one_event_each() {
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).sequential(
        "breaks",
        in_order(does(|e, _| match e.serial() {
            3 => Err("three is too much".into()),
            5 => panic!("five is far too much"),
            _ => Ok(Keep),
        })),
    );
    let bench = Bench::new(&plain_run(8));
    let report = analyse(&analyzer, &bench.writing());
    assert_eq!(report.runs[0].failures.len(), 2);
    assert_eq!(names(&bench.written()), [(1, 0), (1, 1), (1, 2), (1, 4), (1, 6), (1, 7)]);
}

/// Panics at a step of its life.
#[derive(Record, Clone)]
struct Panics {
    #[key(skip)]
    at: u8,
}

impl Module for Panics {
    fn prepare(&mut self, _: &mut Setup) -> Result<()> {
        assert!(self.at != 1, "in prepare");
        Ok(())
    }

    fn bor(&self, _: &Run) -> Result<()> {
        assert!(self.at != 2, "in bor");
        Ok(())
    }

    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        Ok(Keep)
    }

    fn eor(&self, _: &EndOfRun) -> Result<()> {
        assert!(self.at != 3, "in eor");
        Ok(())
    }
}

#[test]
fn a_panic_at_begin_of_run_is_an_error_that_names_the_stage() {
    for at in [1, 2] {
        let bench = Bench::new(&plain_run(8));
        let analyzer = Analyzer::new("Analyzer").module("careless", Panics { at });
        let result =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| analyzer.run(&bench.writing())));
        let error = result.expect("the program goes on").unwrap_err();
        assert!(matches!(error, Error::Stage { .. }), "{error}");
        assert!(!bench.path("out.mid").exists());
    }
}

#[test]
fn a_panic_at_end_of_run_is_an_error_of_the_run() {
    let bench = Bench::new(&plain_run(8));
    let analyzer = Analyzer::new("Analyzer").module("careless", Panics { at: 3 });
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| analyzer.run(&bench.writing())));
    let report = result.expect("the program goes on").unwrap();
    assert_eq!(report.runs[0].errors.len(), 1);
    assert_eq!(bench.written().len(), 8);
}

#[test]
fn a_bank_of_another_type_costs_the_event() {
    let file =
        MidFile::new().bor(42).event(1, 0, &[("ADC0", Tid::Dword, &[1, 0, 0, 0])]).words(1, 1, "ADC0", &[7]);
    let bench = Bench::new(&file);
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0))
        .module("reads", does(|e, _| e.get(ADC0)?.map(|_| Keep).ok_or("no bank".into())));
    let report = analyse(&analyzer, &bench.writing());
    assert_eq!(
        report.runs[0].failures[0].reason,
        "bank ADC0: WORD wanted, DWORD found: declare it as BankDef<u32>"
    );
    assert_eq!(names(&bench.written()), [(1, 1)]);
}

#[test]
fn an_array_shorter_than_its_bank_costs_the_event() {
    let file = MidFile::new().bor(42).words(1, 0, "ADC0", &[1, 2]).words(1, 1, "ADC0", &[1, 2, 3]);
    let bench = Bench::new(&file.words(1, 2, "ADC0", &[]).words(1, 3, "ADC0", &[1]));
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0))
        .module("adds", Adds { offset: vec![1, 2] });
    let mut job = bench.writing();
    let config = bench.path("two.odb");
    fs::write(&config, "[Analyzer/Parameters/adds]\nOffset = INT[2] :\n[0] 10\n[1] 20\n").unwrap();
    job.config.push(config);
    let report = analyse(&analyzer, &job);
    let failures = &report.runs[0].failures;
    assert_eq!(failures.len(), 1);
    let failure = (failures[0].serial, &*failures[0].reason);
    assert_eq!(
        failure,
        (
            1,
            "parameter \"Offset\" has 2 values, but bank ADC0 has 3 elements: give it 3, in the definition, a -c file or the ODB"
        )
    );
    let sums: Vec<_> = bench.written().iter().map(|e| dwords(e, "SUMS").unwrap()).collect();
    assert_eq!(sums, [vec![11, 22], vec![], vec![11]]);
}

#[test]
fn a_broken_bank_area_costs_one_event_and_is_counted_as_damaged() {
    let mut file = MidFile::new().bor(42);
    for serial in 0..6 {
        file = match serial {
            2 => file.raw(1, 1, serial, &broken()),
            4 => file.raw(1, 1, serial, b"few"),
            _ => file.words(1, serial, "ADC0", &[1]),
        };
    }
    // Two requests want it: it is damaged once.
    let analyzer = Analyzer::new("Analyzer").on(Request::new("One", 1)).on(Request::new("Same", 1));
    let (bytes, run) = same_in_every_way(&file.eor(42), &analyzer, |job| job);
    assert_eq!(run.events[&1], Offered { offered: 6, delivered: 4, damaged: 2, ..Offered::default() });
    assert_eq!(request(&run, "One").kept, 4);
    let wanted = [
        "bank ADC0 cut short: 200 bytes needed, 8 left at byte 105, event 4 (id 1 serial 2)",
        "bank area header cut short: 8 bytes needed, 3 left at byte 193, event 6 (id 1 serial 4)",
    ];
    assert_eq!(run.damage, wanted);
    let bench = Bench::new(&MidFile { bytes });
    assert_eq!(data(&bench.path("run00042.mid")).len(), 8);
}

#[test]
fn broken_banks_are_counted_also_behind_a_sequential_maker_of_events() {
    let file = plain_run(5).raw(7, 1, 0, &broken()).raw(1, 1, 5, &broken()).words(1, 6, "ADC0", &[1]);
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Maker", 1))
        .sequential("makes", in_order(maker()))
        .on(Request::new("Seven", 7))
        .on(Request::new("Again", 1));
    let (_, run) = same_in_every_way(&file, &analyzer, |job| job);
    assert_eq!(run.events[&7], Offered { offered: 1, damaged: 1, ..Offered::default() });
    assert_eq!(run.events[&1], Offered { offered: 7, delivered: 6, damaged: 1, ..Offered::default() });
    assert_eq!(run.damage.len(), 2);
}

#[test]
fn a_cut_file_keeps_what_came_before_and_says_where_it_was_cut() {
    let whole = plain_run(4).bytes;
    // BOR of 17 bytes, events of 44 bytes.
    let events: Vec<usize> = (0..4).map(|i| 17 + 44 * i).collect();
    for cut in 1..whole.len() {
        let bench = Bench::new(&MidFile { bytes: whole[..cut].to_vec() });
        let report = analyse(&Analyzer::new("Analyzer"), &bench.writing());
        let before = events.iter().filter(|start| **start + 44 <= cut).count();
        let end = match before {
            4 if cut >= whole.len() => whole.len(),
            0 if cut < 17 => 0,
            n => 17 + 44 * n,
        };
        if cut == end {
            assert!(report.damage.is_empty(), "cut at {cut}");
            continue;
        }
        let damage = &report.damage.places[0].damage;
        assert_eq!(
            (report.damage.count, damage.offset, report.runs.len()),
            (1, end as u64, 1),
            "cut at {cut}"
        );
        assert!(!report.is_clean());
        if cut >= 17 {
            assert_eq!(bench.written().len(), before, "cut at {cut}");
        }
        assert_eq!(report.runs[0].run, 42);
    }
    let bench = Bench::new(&MidFile { bytes: whole[..100].to_vec() });
    let report = analyse(&Analyzer::new("Analyzer"), &bench.job());
    let said = report.damage.places[0].damage.to_string();
    assert_eq!(said, "event body cut short: 28 bytes needed, 23 left at byte 61, event 3; 39 bytes lost");
}

#[test]
fn every_flipped_byte_is_survived_with_the_accounts_in_order() {
    let whole = plain_run(3).bytes;
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0))
        .module("adds", Adds { offset: vec![0; 100] })
        .sequential("count", Counter::defaults())
        .on(Request::new("All", -1));
    for at in 0..whole.len() {
        for bit in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            let bench = Bench::new(&MidFile { bytes });
            analyse(&analyzer, &bench.writing());
        }
    }
}

#[test]
fn failures_are_reported_in_the_order_of_the_run() {
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Wide", 1))
        .module("wide", does(|e, _| if e.serial() % 4 == 0 { Err("wide".into()) } else { Ok(Keep) }))
        .on(Request::new("Fold", 2))
        .sequential(
            "fold",
            in_order(does(|e, _| if e.serial() % 4 == 1 { Err("fold".into()) } else { Ok(Keep) })),
        );
    let (_, run) = same_in_every_way(&mixed_run(100), &analyzer, |job| job);
    assert!(run.failures.is_sorted_by_key(|f| f.event), "{:?}", run.failures);
}

#[test]
fn new_events_of_an_event_that_is_lost_later_are_lost_with_it() {
    let maker = makes(|event, context| {
        event.append(SEEN, &[1])?;
        context.queue(NewEvent::new(9, 0, event.serial(), 0).bank(SEEN, &[7]));
        Ok(Keep)
    });
    let fails = in_order(does(|event, _| {
        // An event stays what it was, whatever was appended before it was deferred.
        let raw: Vec<String> = event.raw().banks().map(|b| b.unwrap().name.to_string()).collect();
        assert_eq!(raw, ["ADC0"]);
        if event.serial() % 2 == 0 { Err("even".into()) } else { Ok(Keep) }
    }));
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("First", 1))
        .module("makes", maker)
        .sequential("fails", fails)
        .on(Request::new("New", 9));
    let (_, run) = same_in_every_way(&plain_run(10), &analyzer, |job| job);
    let (first, new) = (request(&run, "First"), request(&run, "New"));
    assert_eq!((first.kept, first.failed, new.created, new.kept), (5, 5, 5, 5));
}
