//! A job that ends early: behind its range, at the first trouble, when asked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::time::Duration;

use common::MidFile;
use common::bench::{Bench, analyse, assert_accounts, broken, ends, mixed_run, plain_run, same_in_every_way};
use common::modules::{Counter, does, in_order};
use pactolus::Selection;
use pactolus::prelude::*;

#[test]
fn a_range_of_events_counts_every_event_read() {
    // BOR is event 1, so that serial number n is event n + 2.
    let select = |first, last, step, events| Selection { first, last, step, events };
    let cases = [
        (select(1, Some(5), 1, None), vec![0, 1, 2, 3]),
        (select(4, Some(6), 1, None), vec![2, 3, 4]),
        (select(1, Some(20), 5, None), vec![3, 8, 13, 18]),
        (select(1, None, 1, Some(3)), vec![0, 1, 2]),
        (select(5, None, 1, Some(5)), vec![3, 4]),
        (select(90, None, 1, None), (88..100).collect()),
    ];
    for (selection, serials) in cases {
        let bench = Bench::new(&plain_run(100));
        let report = analyse(&Analyzer::new("Analyzer"), &Job { selection, ..bench.writing().threads(2) });
        let written: Vec<u32> = bench.written().iter().map(|e| e.header.serial).collect();
        assert_eq!(written, serials, "{selection:?}");
        assert_eq!(report.total().delivered, serials.len() as u64);
    }
}

#[test]
fn the_account_of_a_range_of_events_does_not_depend_on_blocks() {
    for selection in [
        Selection { last: Some(10), ..Selection::default() },
        Selection { events: Some(7), ..Selection::default() },
    ] {
        same_in_every_way(&plain_run(100), &Analyzer::new("Analyzer"), |job| Job { selection, ..job });
    }
}

#[test]
fn what_lies_beyond_the_range_is_not_asked_for_wherever_blocks_end() {
    let mut cut = plain_run(50);
    cut.bytes.truncate(cut.bytes.len() - 3);
    for block in [1, 100, 1 << 20] {
        let bench = Bench::new(&cut);
        let mut job = Job { block, ..bench.writing() };
        job.selection.last = Some(5);
        let report = analyse(&Analyzer::new("Analyzer"), &job);
        assert!(report.is_clean() && report.damage.is_empty(), "blocks of {block} bytes");
        let provenance = fs::read_to_string(bench.path("out.mid.provenance.json")).unwrap();
        assert!(!provenance.contains("sha256"), "blocks of {block} bytes");
    }
}

/// Skips, fails and panics at certain events, wide and in order.
fn troubled() -> Analyzer {
    Analyzer::new("Analyzer")
        .on(Request::new("Fold", 2))
        .sequential(
            "fold",
            in_order(does(|e, _| if e.serial() == 21 { Err("fold".into()) } else { Ok(Keep) })),
        )
        .on(Request::new("Wide", 1))
        .module("wide", does(|e, _| if e.serial() == 30 { Err("wide".into()) } else { Ok(Keep) }))
}

#[test]
fn strict_stops_at_the_first_trouble_whatever_the_threads() {
    for block in [150, 1 << 20] {
        let mut first: Option<Vec<u8>> = None;
        for threads in [1, 2, 4] {
            let bench = Bench::new(&mixed_run(500));
            let report =
                troubled().run(&Job { strict: true, block, ..bench.writing().threads(threads) }).unwrap();
            assert!(!report.stopped && !report.is_clean());
            assert_eq!(report.runs[0].failures[0].serial, 21);
            let serials: Vec<u32> = bench.written().iter().map(|e| e.header.serial).collect();
            assert_eq!(serials, (0..21).collect::<Vec<u32>>());
            let bytes = fs::read(bench.path("out.mid")).unwrap();
            assert!(bytes == *first.get_or_insert_with(|| bytes.clone()));
        }
    }
}

#[test]
fn strict_reports_the_same_wherever_blocks_end() {
    let (_, run) = same_in_every_way(&mixed_run(500), &troubled(), |job| Job { strict: true, ..job });
    assert_eq!(run.failures.len(), 1, "{:?}", run.failures);
}

#[test]
fn strict_stops_at_broken_banks_and_at_a_cut_file() {
    let bench = Bench::new(&plain_run(5).raw(1, 1, 5, &broken()).words(1, 6, "ADC0", &[1]));
    let report = Analyzer::new("Analyzer").run(&Job { strict: true, ..bench.writing() }).unwrap();
    assert_eq!((bench.written().len(), report.total().damaged), (5, 1));

    let mut cut = plain_run(5);
    cut.bytes.truncate(cut.bytes.len() - 30);
    let bench = Bench::new(&cut);
    plain_run(5).save(bench.path("run00043.mid"));
    let job = bench.writing().input(bench.path("run00043.mid"));
    let report = Analyzer::new("Analyzer").run(&Job { strict: true, ..job }).unwrap();
    assert_eq!((report.runs.len(), report.damage.count, bench.written().len()), (1, 1, 4));
}

#[test]
fn strict_ends_also_if_the_source_is_far_ahead() {
    let report = ends(|| {
        let mut cut = plain_run(1);
        cut.bytes.truncate(cut.bytes.len() - 3);
        let bench = Bench::new(&cut);
        plain_run(100).save(bench.path("run00043.mid"));
        let job = bench.job().input(bench.path("run00043.mid"));
        // A slow reader of the progress: the source takes every free block meanwhile.
        let mut slow = |_: &pactolus::Progress| std::thread::sleep(Duration::from_millis(300));
        Analyzer::new("Analyzer").run_with(&Job { strict: true, block: 1, ..job }, &mut slow).unwrap()
    });
    assert_eq!(report.damage.count, 1);
}

#[test]
fn a_stop_in_the_middle_leaves_whole_events_and_full_accounts() {
    for threads in [1, 2, 4] {
        let bench = Bench::new(&plain_run(20_000));
        let job = Job { block: 1000, ..bench.writing().threads(threads) };
        let mut calls = 0;
        let report =
            Analyzer::new("Analyzer").sequential("count", Counter::defaults()).run_with(&job, &mut |_| {
                calls += 1;
                if calls == 5 {
                    job.stop.ask();
                }
            });
        let report = report.unwrap();
        assert_accounts(&report);
        assert!(report.stopped);
        let total = report.total();
        assert!(total.offered >= 4 && total.offered < 20_000, "{total:?}");
        let serials: Vec<u32> = bench.written().iter().map(|e| e.header.serial).collect();
        assert_eq!(serials, (0..total.delivered as u32).collect::<Vec<u32>>());
    }
}

/// `ends` gives up on what hangs.
#[test]
fn a_message_before_the_second_run_does_not_take_the_only_block() {
    for threads in [1, 2, 3] {
        // Each block weighs more than half of what blocks may, and its output as much again.
        let large = |serial| -> Vec<u16> { (0..30_000).map(|i| (serial as u16).wrapping_add(i)).collect() };
        let run = |number| {
            let mut file = MidFile::new().message("the logger begins a file").bor(number);
            for serial in 0..12 {
                file = file.words(1, serial, "ADC0", &large(serial));
            }
            file.eor(number)
        };
        let (first, second) = (run(1), run(2));
        for memory in [1, 200 << 10, 400 << 10, 1 << 20] {
            let bench = Bench::new(&first);
            let other = second.save(bench.path("run00002.mid"));
            let job = Job { memory, ..bench.writing().input(other).threads(threads) };
            let report = ends(move || analyse(&Analyzer::new("Analyzer"), &job));
            assert_eq!((report.runs.len(), report.total().delivered), (2, 24), "{memory} bytes");
            assert_eq!(bench.written().len(), 24);
        }
    }
}

#[test]
fn a_caller_who_panics_does_not_wait_for_ever() {
    for threads in [1, 2, 4] {
        let bench = Bench::new(&plain_run(20_000));
        let job = Job { block: 1000, ..bench.writing().threads(threads) };
        let panic = ends(move || {
            let mut told = 0;
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let progress = &mut |_: &pactolus::Progress| {
                    told += 1;
                    assert!(told < 5, "the caller's own fault");
                };
                Analyzer::new("Analyzer").run_with(&job, progress)
            }))
            .unwrap_err()
        });
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the caller's own fault"));
        assert!(!bench.path("out.mid").exists());
    }
}
