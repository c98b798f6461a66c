//! Runs and files: what belongs to which run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::MidFile;
use common::bench::{Bench, analyse, data, dwords, ends, names, plain_run, same_in_every_way, ways};
use common::modules::{Counter, does};
use pactolus::prelude::*;

#[test]
fn runs_of_one_file_have_reports_and_files_of_their_own() {
    let mut file = MidFile::new();
    for (run, events) in [(7, 3), (8, 2)] {
        file = file.bor(run);
        for serial in 0..events {
            file = file.words(1, serial, "ADC0", &[run as u16]);
        }
        file = file.eor(run);
    }
    let analyzer = Analyzer::new("Analyzer").sequential("count", Counter::defaults());
    for (block, threads) in ways() {
        let bench = Bench::new(&file);
        let job = bench.writing().output(bench.path("r%05d.mid").to_str().unwrap()).unwrap();
        let report = analyse(&analyzer, &Job { block, ..job.threads(threads) });
        let runs: Vec<_> = report.runs.iter().map(|r| (r.run, r.system, r.events[&1].offered)).collect();
        assert_eq!(runs, [(7, 2, 3), (8, 2, 2)]);
        assert_eq!(names(&data(&bench.path("r00007.mid"))), [(1, 0), (1, 1), (1, 2)]);
        assert_eq!(names(&data(&bench.path("r00008.mid"))), [(1, 0), (1, 1)]);
        let all = common::events(&bench.path("out.mid"), u16::MAX);
        let ids: Vec<u16> = all.iter().map(|e| e.header.id).collect();
        assert_eq!(ids, [0x8000, 1, 1, 1, 0x8001, 0x8000, 1, 1, 0x8001]);
        let seen: Vec<u32> = bench.written().iter().map(|e| dwords(e, "SEEN").unwrap()[0]).collect();
        assert_eq!(seen, [1, 2, 3, 1, 2]);
    }
}

#[test]
fn data_behind_the_end_of_run_belong_to_the_run() {
    let file = plain_run(2).words(1, 2, "ADC0", &[1]).message("late");
    let (bytes, run) = same_in_every_way(&file, &Analyzer::new("Analyzer"), |job| job);
    assert_eq!((run.run, run.system, run.events[&1].offered), (42, 3, 3));
    assert!(bytes.len() >= file.bytes.len());
}

#[test]
fn without_a_begin_of_run_the_file_name_says_the_run() {
    for (name, run) in [("run00077.mid", 77), ("x12y34.mid", 12), ("nodigits.mid", 0)] {
        let bench = Bench::new(&MidFile::new());
        MidFile::new().words(1, 0, "ADC0", &[1]).save(bench.path(name));
        let report = analyse(&Analyzer::new("Analyzer"), &Job::new().input(bench.path(name)));
        assert_eq!((report.runs.len(), report.runs[0].run), (1, run), "{name}");
    }
    // The begin of run knows better.
    let bench = Bench::new(&MidFile::new());
    MidFile::new().bor(5).words(1, 0, "ADC0", &[1]).save(bench.path("run00077.mid"));
    let report = analyse(&Analyzer::new("Analyzer"), &Job::new().input(bench.path("run00077.mid")));
    assert_eq!(report.runs[0].run, 5);
}

#[test]
fn a_message_before_the_begin_of_run_belongs_to_the_run() {
    let file = MidFile { bytes: [MidFile::new().message("hello").bytes, plain_run(2).bytes].concat() };
    let (bytes, run) = same_in_every_way(&file, &Analyzer::new("Analyzer"), |job| job);
    assert_eq!((run.run, run.system), (42, 3));
    assert!(bytes == file.bytes);
}

#[test]
fn several_messages_before_the_begin_of_run_belong_to_it_wherever_blocks_end() {
    let messages = MidFile::new().message("one").message("two").message("three").bytes;
    let file = MidFile { bytes: [messages, plain_run(2).bytes].concat() };
    let (_, run) = same_in_every_way(&file, &Analyzer::new("Analyzer"), |job| job);
    assert_eq!((run.run, run.system), (42, 5));
}

#[test]
fn a_file_of_messages_only_is_a_run() {
    let file = MidFile::new().message("one").message("two");
    let (bytes, run) = same_in_every_way(&file, &Analyzer::new("Analyzer"), |job| job);
    assert_eq!((run.run, run.system), (42, 2));
    assert!(bytes == file.bytes);
}

#[test]
fn a_job_can_be_done_again() {
    let bench = Bench::new(&plain_run(5));
    let analyzer = Analyzer::new("Analyzer")
        .module("fails", does(|e, _| if e.serial() == 2 { Err("two".into()) } else { Ok(Keep) }));
    let job = Job { strict: true, ..bench.job() };
    let first = analyzer.run(&job).unwrap();
    let second = analyzer.run(&job).unwrap();
    assert_eq!((second.stopped, second.runs.len()), (first.stopped, first.runs.len()));
}

#[test]
fn many_inputs_flow_through_few_blocks() {
    let analyzer = Analyzer::new("Analyzer");
    let report = ends(move || {
        let bench = Bench::new(&plain_run(3));
        let mut job = bench.job().threads(1);
        for number in 100..150 {
            let path = bench.path(&format!("run{number:05}.mid"));
            // Empty files and messages before a BOR are among them.
            let file = match number % 3 {
                0 => MidFile::new(),
                1 => plain_run(3),
                _ => MidFile::new().raw(0x8002, 2, 0, b"early\0").raw(0x8002, 2, 0, b"bird\0"),
            };
            file.save(&path);
            job = job.input(path);
        }
        analyse(&analyzer, &Job { block: 1, ..job })
    });
    assert_eq!(report.warnings.len(), 16);
    assert_eq!(report.runs.len(), 35);
}

#[test]
fn appended_runs_with_other_requests_keep_their_rows_apart() {
    let equipment = |name: &str, id: u16| {
        format!("[Equipment/{name}/Common]\nEvent ID = WORD : {id}\nFormat = STRING : [8] MIDAS\n")
    };
    let run = |number: u32, names: [(&str, u16); 2]| {
        let dump = format!("{}{}\0", equipment(names[0].0, names[0].1), equipment(names[1].0, names[1].1));
        let file = MidFile::new().raw(0x8000, 0x494d, number, dump.as_bytes()).words(1, 5, "ADC0", &[1]);
        (0..3).fold(file, |file, serial| file.words(2, serial, "ADC0", &[2]))
    };
    let bench = Bench::new(&run(1, [("First", 1), ("Second", 2)]));
    run(2, [("Second", 2), ("First", 1)]).save(bench.path("run00043.mid"));
    let output = bench.path("all.parquet").to_str().unwrap().to_owned();
    let job = bench.job().input(bench.path("run00043.mid")).output(output).unwrap();
    let report = analyse(&Analyzer::new("Analyzer"), &job);
    assert!(report.is_clean());
    let rows: Vec<_> = report
        .outputs
        .iter()
        .map(|o| (o.path.file_name().unwrap().to_string_lossy().into_owned(), o.rows))
        .collect();
    let wanted = [("all.First.parquet", Some(2)), ("all.Second.parquet", Some(6))];
    assert_eq!(rows, wanted.map(|(name, rows)| (name.to_owned(), rows)));
}
