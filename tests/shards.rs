//! A job in shards gives what the whole job gives, to the last byte.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{MidFile, catalogue, corpus, definition};
use pactolus::prelude::*;
use pactolus::{Definition, Error, Parts, Report, Selection, Shard, is_part};
use serde_json::Value;
use tempfile::TempDir;

const SHARDS: [u32; 3] = [1, 4, 7];
const BLOCKS: [usize; 3] = [100, 4096, 1 << 20];
const THREADS: [usize; 2] = [1, 3];
const ALL: [&str; 4] = ["r%05d.mid", "r%05d.asc", "r%05d.parquet", "r%05d.arrow"];

/// The files in `dir` with their bytes.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

/// A report without times and directory.
fn counts(report: &Report, dir: &Path) -> String {
    let mut report = serde_json::to_value(report).unwrap();
    report["seconds"] = Value::Null;
    for run in report["runs"].as_array_mut().unwrap() {
        for stage in run["stages"].as_array_mut().unwrap() {
            stage["seconds"] = Value::Null;
        }
    }
    serde_json::to_string_pretty(&report).unwrap().replace(dir.to_str().unwrap(), "DIR")
}

/// The job with these outputs in `dir`.
fn with(job: &Job, dir: &Path, outputs: &[&str]) -> Job {
    let name = |output: &&str| dir.join(output).to_str().unwrap().to_owned();
    outputs.iter().map(name).fold(job.clone(), |job, output| job.output(output).unwrap())
}

/// Runs all shards of a job, with parts in `dir`.
fn shards(analyzer: &Analyzer, job: &Job, of: u32, dir: &Path) -> Vec<PathBuf> {
    let all = (1..=of).filter_map(|number| Shard::new(number, of));
    all.map(|shard| {
        let part = dir.join(format!("{}.part", shard.number()));
        let report = analyzer.shard(job, shard, &part, &mut |_| {}).unwrap();
        assert_eq!(report.part.unwrap().bytes, fs::metadata(&part).unwrap().len());
        part
    })
    .collect()
}

fn merge(analyzer: &Analyzer, job: &Job, parts: &[PathBuf]) -> Result<Report, Error> {
    analyzer.merge(Parts::open(parts)?, job, &mut |_| {}, &mut std::io::sink())
}

/// Does a job whole and in shards, for every size of blocks and number of threads.
fn check(analyzer: &Analyzer, outputs: &[&str], job: Job) -> (BTreeMap<String, Vec<u8>>, Report) {
    check_for(analyzer, outputs, job, &BLOCKS)
}

fn check_for(
    analyzer: &Analyzer,
    outputs: &[&str],
    job: Job,
    blocks: &[usize],
) -> (BTreeMap<String, Vec<u8>>, Report) {
    let mut last = None;
    for (block, threads) in blocks.iter().flat_map(|block| THREADS.map(|threads| (*block, threads))) {
        let job = Job { block, threads, ..job.clone() };
        let dir = TempDir::new().unwrap();
        let whole = analyzer.run(&with(&job, dir.path(), outputs)).unwrap();
        let (wanted, wanted_counts) = (files(dir.path()), counts(&whole, dir.path()));
        for of in SHARDS {
            let case = format!("{of} shards, blocks of {block} bytes, {threads} threads");
            let (dir, parts) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            let job = with(&job, dir.path(), outputs);
            let mut parts = shards(analyzer, &job, of, parts.path())
                .into_iter()
                .map(|part| (part.clone(), fs::read(part).unwrap()))
                .collect::<Vec<_>>();
            assert_eq!(files(dir.path()).len(), 0, "{case}: a shard makes no output");
            // The order in which they are named does not matter.
            parts.rotate_left(of as usize / 2);
            let place = TempDir::new().unwrap();
            let name = |(i, (_, bytes)): (usize, &(PathBuf, Vec<u8>))| {
                let path = place.path().join(format!("p{i}"));
                fs::write(&path, bytes).unwrap();
                path
            };
            let parts: Vec<PathBuf> = parts.iter().enumerate().map(name).collect();
            let report = merge(analyzer, &job, &parts).unwrap_or_else(|e| panic!("{case}: {e}"));
            let (found, counts) = (files(dir.path()), counts(&report, dir.path()));
            assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{case}");
            for (name, bytes) in &found {
                assert!(*bytes == wanted[name], "{case}: {name} differs");
            }
            let differ = counts.lines().zip(wanted_counts.lines()).find(|(a, b)| a != b);
            assert!(counts == wanted_counts, "{case}: {differ:?}");
        }
        last = Some((wanted, whole));
    }
    last.unwrap()
}

fn analyzer2() -> Analyzer {
    let definition = Definition::read(definition("analyzer2")).unwrap();
    Analyzer::from_definition(&definition, &catalogue()).unwrap()
}

fn run8() -> Job {
    let mut job = Job::new().input(corpus("mid/run00008.mid"));
    job.config.push(corpus("config/banks_all.odb"));
    job
}

#[test]
fn every_output_of_the_sample_is_that_of_the_whole_job() {
    let (files, report) = check(&analyzer2(), &ALL, run8());
    for name in ["r00008.mid", "r00008.asc", "r00008.Scaler.parquet", "r00008.Fixd.arrow"] {
        assert!(files[name].len() > 1000, "{name}: {:?}", files.keys());
    }
    assert!(files["r00008.mid.provenance.json"].len() > 1000);
    assert!(report.total().offered > 500, "{:?}", report.total());
}
