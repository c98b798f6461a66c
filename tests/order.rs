//! The same bits, whatever the number of threads and wherever blocks end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{catalogue, corpus, definition};
use pactolus::prelude::*;
use pactolus::{Definition, Report, Selection};
use serde_json::Value;
use tempfile::TempDir;

const BLOCKS: [usize; 4] = [1, 100, 4096, 1 << 20];
const THREADS: [usize; 3] = [1, 2, 4];

/// The files below `dir` with their bytes.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

/// A report without what may vary: times, how far the reader was ahead, and the directory.
fn counts(report: &Report, dir: &Path) -> String {
    let mut report = serde_json::to_value(report).unwrap();
    report["seconds"] = Value::Null;
    report["bytes"] = Value::Null;
    for run in report["runs"].as_array_mut().unwrap() {
        for stage in run["stages"].as_array_mut().unwrap() {
            stage["seconds"] = Value::Null;
        }
    }
    serde_json::to_string_pretty(&report).unwrap().replace(dir.to_str().unwrap(), "DIR")
}

/// Does a job with every number of threads and size of blocks, and compares files and reports.
fn check(outputs: &[&str], change: impl Fn(Job) -> Job) -> BTreeMap<String, Vec<u8>> {
    let definition = Definition::read(definition("analyzer2")).unwrap();
    let analyzer = Analyzer::from_definition(&definition, &catalogue()).unwrap();
    let mut first: Option<(BTreeMap<String, Vec<u8>>, String)> = None;
    for block in BLOCKS {
        for threads in THREADS {
            let dir = TempDir::new().unwrap();
            let mut job = Job::new().input(corpus("mid/run00008.mid")).threads(threads);
            for output in outputs {
                job = job.output(dir.path().join(output).to_str().unwrap()).unwrap();
            }
            job.block = block;
            job.config.push(corpus("config/banks_all.odb"));
            let report = analyzer.run(&change(job)).unwrap();
            let (files, counts) = (files(dir.path()), counts(&report, dir.path()));
            let Some((same_files, same_counts)) = &first else {
                first = Some((files, counts));
                continue;
            };
            let case = format!("blocks of {block} bytes, {threads} threads");
            assert_eq!(files.keys().collect::<Vec<_>>(), same_files.keys().collect::<Vec<_>>(), "{case}");
            for (name, bytes) in &files {
                assert!(*bytes == same_files[name], "{case}: {name} differs");
            }
            let differ = counts.lines().zip(same_counts.lines()).find(|(a, b)| a != b);
            assert!(counts == *same_counts, "{case}: {differ:?}");
        }
    }
    first.unwrap().0
}

#[test]
fn files_and_counts_do_not_depend_on_threads_and_blocks() {
    let outputs = ["r%05d.mid", "r%05d.asc", "r%05d.parquet", "r%05d.arrow"];
    let files = check(&outputs, |job| job);
    for name in ["r00008.mid", "r00008.asc", "r00008.Trigger.parquet", "r00008.Scaler.arrow"] {
        assert!(files[name].len() > 1000, "{name}: {:?}", files.keys());
    }
}

#[test]
fn flat_tables_do_not_depend_on_threads_and_blocks() {
    let files = check(&["r%05d.parquet", "r%05d.arrow"], |job| job.flat());
    assert!(files["r00008.Wave.parquet"].len() > 1000);
}

#[test]
fn compressed_files_do_not_depend_on_threads_and_blocks() {
    check(&["r.mid.gz", "r.mid.lz4", "r.asc.bz2", "r.asc.zst"], |job| job);
}

#[test]
fn a_part_of_the_events_does_not_depend_on_threads_and_blocks() {
    check(&["r.mid", "r.asc", "r.parquet"], |job| Job {
        selection: Selection { first: 20, last: Some(120), step: 3, events: None },
        ..job
    });
    check(&["r.mid", "r.asc", "r.parquet"], |job| Job {
        selection: Selection { events: Some(77), ..Selection::default() },
        ..job
    });
}

#[test]
fn the_filter_does_not_depend_on_threads_and_blocks() {
    check(&["r.mid", "r.asc"], |mut job| {
        job.parameters.push(("Skipper/Modulo".into(), "3".into()));
        job.filter = true;
        job
    });
}
