//! Requests and stages: what each sees, and in which order.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::MidFile;
use common::bench::{Bench, analyse, data, dwords, names, plain_run, request, same_in_every_way};
use common::modules::{Adds, Counter, Does, NEWS, SEEN, does, in_order, maker};
use pactolus::prelude::*;
use pactolus::{Definition, Requested};

/// What a stage makes of the number of events seen.
const DBLE: BankDef<u32> = BankDef::new(b"DBLE");

#[test]
fn a_switched_off_stage_sees_nothing() {
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1))
        .sequential("Count", Counter::defaults())
        .module("Fail", does(|_, _| Err("never".into())));
    let bench = Bench::new(&plain_run(5));
    let mut job = bench.writing();
    for stage in ["Count", "Fail"] {
        job.parameters.push((format!("/Analyzer/Module switches/{stage}"), "n".into()));
    }
    let report = analyse(&analyzer, &job);
    let stages = &report.runs[0].stages;
    assert!(stages.iter().all(|s| !s.on && s.entered == 0), "{stages:?}");
    assert!(bench.written().iter().all(|e| e.banks.len() == 1));
}

#[test]
fn a_module_is_mounted_twice_under_two_names_with_banks_of_its_own() {
    let definition = r#"
        [[request]]
        name = "Trigger"
        id = 1
        banks = { ADC0 = "WORD[4]", ADC1 = "WORD[2]" }
        [[request.module]]
        type = "Adds"
        name = "first"
        parameters = { Offset = [10, 20, 30, 40] }
        [[request.module]]
        type = "Adds"
        name = "second"
        parameters = { Offset = [1000, 2000] }
        banks = { ADC0 = "ADC1", SUMS = "SUM1" }
    "#;
    let definition = Definition::parse(definition, "test.toml").unwrap();
    let catalogue = Catalogue::new().module::<Adds>("Adds");
    let analyzer = Analyzer::from_definition(&definition, &catalogue).unwrap();
    let adc = |words: &[u16]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let (adc0, adc1) = (adc(&[1, 2, 3, 4]), adc(&[5, 6]));
    let file = MidFile::new().bor(42).event(1, 0, &[("ADC0", Tid::Word, &adc0), ("ADC1", Tid::Word, &adc1)]);
    let bench = Bench::new(&file);
    let mut job = bench.writing();
    job.parameters.push(("second/Offset[1]".into(), "3000".into()));
    assert!(analyse(&analyzer, &job).is_clean());
    let event = &bench.written()[0];
    assert_eq!(dwords(event, "SUMS").unwrap(), [11, 22, 33, 44]);
    assert_eq!(dwords(event, "SUM1").unwrap(), [1005, 3006]);
}

#[test]
fn a_sequential_stage_sees_the_events_in_order_and_a_wide_one_may_follow() {
    let mut file = MidFile::new().bor(42);
    for serial in 0..200 {
        file = file.words(1 + (serial % 2) as u16, serial, "ADC0", &[1]);
    }
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Wide", 2))
        .on(Request::new("Ordered", 1))
        .module("before", does(|e, _| Ok(if e.serial() % 10 == 4 { Skip } else { Keep })))
        .sequential("count", Counter::defaults())
        .module(
            "behind",
            does(|e, _| {
                let seen = e.get(SEEN)?.ok_or("not counted")?.at(0);
                e.append(DBLE, &[2 * seen])?;
                Ok(if e.serial() % 10 == 6 { Skip } else { Keep })
            }),
        );
    let (bytes, run) = same_in_every_way(&file.eor(42), &analyzer, |job| job);
    assert_eq!(
        request(&run, "Ordered"),
        Requested { matched: 100, kept: 60, skipped: 40, ..Requested::default() }
    );
    let (mut seen, mut wanted) = (0, Vec::new());
    for serial in 0..200 {
        match serial % 10 {
            odd if odd % 2 == 1 => wanted.push((2, serial, None)),
            4 => {}
            place => {
                seen += 1;
                if place != 6 {
                    wanted.push((1, serial, Some(vec![2 * seen])));
                }
            }
        }
    }
    let bench = Bench::new(&MidFile { bytes });
    let found: Vec<_> = data(&bench.path("run00042.mid"))
        .iter()
        .map(|e| (e.header.id, e.header.serial, dwords(e, "DBLE")))
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_sequential_module_starts_fresh_in_each_run() {
    let bench = Bench::new(&plain_run(3));
    plain_run(2).save(bench.path("run00043.mid"));
    let analyzer = Analyzer::new("Analyzer").sequential("count", Counter::defaults());
    let job = bench.writing().input(bench.path("run00043.mid"));
    analyse(&analyzer, &job);
    let seen: Vec<u32> = bench.written().iter().map(|e| dwords(e, "SEEN").unwrap()[0]).collect();
    assert_eq!(seen, [1, 2, 3, 1, 2]);
}

#[test]
fn two_requests_start_from_the_raw_event() {
    let append = does(|e, _| {
        assert!(e.get(NEWS)?.is_none(), "a bank of the other request");
        e.append(NEWS, &[e.serial()])?;
        Ok(Keep)
    });
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("One", 1))
        .module("first", append.clone())
        .on(Request::new("Same", 1))
        .module("skips", does(|e, _| Ok(if e.serial() == 1 { Skip } else { Keep })))
        .on(Request::new("All", -1))
        .module("second", append);
    let bench = Bench::new(&plain_run(3));
    let report = analyse(&analyzer, &bench.writing());
    assert!(report.is_clean(), "{:?}", report.runs[0].failures);
    let banks: Vec<_> = bench.written().iter().map(|e| (e.header.serial, e.banks.len())).collect();
    assert_eq!(banks, [(0, 2), (0, 1), (0, 2), (1, 2), (1, 2), (2, 2), (2, 1), (2, 2)]);
}

#[test]
fn the_trigger_mask_selects_and_zero_matches_only_every_mask() {
    let mut file = MidFile::new().bor(42);
    let payload = &MidFile::new().words(1, 0, "ADC0", &[1]).bytes[16..].to_vec();
    for (serial, mask) in [0u16, 1, 2, 3, 0x8000].into_iter().enumerate() {
        file = file.raw(1, mask, serial as u32, payload);
    }
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Two", 1).mask(2)).on(Request::new("Every", 1));
    let report = analyse(&analyzer, &Bench::new(&file).job());
    assert_eq!(request(&report.runs[0], "Two").matched, 2);
    assert_eq!(request(&report.runs[0], "Every").matched, 5);
}

/// What the chains below make of `events` events, in the order of a serial program.
fn with_news(events: u32) -> Vec<(u16, u32)> {
    let mut wanted = Vec::new();
    for serial in 0..events {
        if serial % 2 == 1 {
            wanted.push((1, serial));
        }
        wanted.extend((0..serial % 3).map(|i| (50, serial * 10 + i)));
        wanted.push((1, serial));
    }
    wanted
}

/// A request of new events before their maker, the maker, and two requests behind it.
fn newsroom(mount: impl Fn(Analyzer) -> Analyzer) -> Analyzer {
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Early", 50)).on(Request::new("Maker", 1));
    mount(analyzer)
        .on(Request::new("Late", 50))
        .module(
            "reads",
            does(|e, _| {
                let from = e.get(NEWS)?.ok_or("no news")?.at(0);
                if from == e.serial() / 10 { Ok(Keep) } else { Err("wrong news".into()) }
            }),
        )
        .on(Request::new("Again", 1))
}

#[test]
fn new_events_stand_in_the_place_of_their_maker_and_go_to_later_requests_only() {
    let modes: [fn(Analyzer) -> Analyzer; 3] = [
        |a| a.module("makes", maker()),
        |a| a.sequential("makes", in_order(maker())),
        |a| a.module("makes", maker()).sequential("count", in_order(Does::default())),
    ];
    for (mode, mount) in modes.into_iter().enumerate() {
        let (bytes, run) = same_in_every_way(&plain_run(60), &newsroom(mount), |job| job);
        let bench = Bench::new(&MidFile { bytes });
        assert_eq!(names(&data(&bench.path("run00042.mid"))), with_news(60), "mode {mode}");
        assert_eq!(request(&run, "Early"), Requested::default());
        assert_eq!(request(&run, "Late"), Requested { created: 60, kept: 60, ..Requested::default() });
    }
}

#[test]
fn new_events_reach_a_sequential_stage_in_order() {
    for ordered_maker in [false, true] {
        let analyzer = Analyzer::new("Analyzer").on(Request::new("Maker", 1));
        let analyzer = match ordered_maker {
            true => analyzer.sequential("makes", in_order(maker())),
            false => analyzer.module("makes", maker()),
        };
        let analyzer = analyzer.on(Request::new("All", -1)).sequential("count", Counter::defaults());
        let (bytes, _) = same_in_every_way(&plain_run(60), &analyzer, |job| job);
        let bench = Bench::new(&MidFile { bytes });
        let events = data(&bench.path("run00042.mid"));
        assert_eq!(names(&events), with_news(60));
        let seen: Vec<u32> = events.iter().filter_map(|e| dwords(e, "SEEN")).map(|s| s[0]).collect();
        assert_eq!(seen, (1..=120).collect::<Vec<u32>>());
    }
}
