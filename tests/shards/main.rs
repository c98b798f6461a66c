//! A job in shards gives what the whole job gives, to the last byte.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod chains;
#[path = "../common/mod.rs"]
mod common;
mod parts;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chains::{chains, events};
use common::{MidFile, catalogue, corpus, definition};
use pactolus::prelude::*;
use pactolus::{Definition, Error, Parts, Report, Selection, Shard};
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

#[test]
fn packed_inputs_of_several_runs_become_one_output_and_one_each() {
    let job = ["run00002.mid.gz", "run00004.mid.bz2", "run00003.mid.lz4", "run00008_first150.mid"]
        .iter()
        .fold(Job::new(), |job, name| job.input(corpus(&format!("mid/{name}"))));
    let outputs = ["all.mid.gz", "all.asc.zst", "all.parquet", "r%05d.mid.lz4", "r%05d.arrow"];
    let (files, report) = check_for(&analyzer2(), &outputs, job, &[20_000, 1 << 20]);
    assert_eq!(report.runs.len(), 4);
    for name in ["all.mid.gz", "all.Scaler.parquet", "r00003.Trigger.arrow", "r00004.mid.lz4.provenance.json"]
    {
        assert!(files[name].len() > 1000, "{name}: {:?}", files.keys());
    }
}

#[test]
fn flat_tables_filters_and_selections_are_those_of_the_whole_job() {
    check_for(&analyzer2(), &["r.parquet", "r.arrow"], run8().flat(), &[4096]);
    let mut job = Job { filter: true, ..run8() };
    job.parameters.push(("Skipper/Modulo".into(), "3".into()));
    check_for(&analyzer2(), &["r.mid", "r.asc"], job, &[4096]);
    let some = Selection { first: 20, last: Some(120), step: 3, events: None };
    check_for(&analyzer2(), &ALL, Job { selection: some, ..run8() }, &[300, 4096]);
    let few = Selection { events: Some(77), ..Selection::default() };
    check_for(&analyzer2(), &ALL, Job { selection: few, ..run8() }, &[300, 4096]);
}

#[test]
fn without_a_definition_requests_come_from_the_dump_again() {
    let (files, _) = check_for(&Analyzer::new("Analyzer"), &ALL, run8(), &[4096]);
    assert!(files["r00008.Trigger.parquet"].len() > 1000, "{:?}", files.keys());
}

#[test]
fn a_sequential_stage_in_the_middle_of_a_chain_sees_the_order_of_the_run() {
    let dir = TempDir::new().unwrap();
    let run = events(MidFile::new().message("before the run").bor(42), 0..200).eor(42);
    let mut both = events(run.bor(43), 200..300).eor(43);
    // Bytes that are no events: damage.
    both.bytes.extend_from_slice(&[0xff; 100]);
    let both = events(both, 300..330).save(dir.path().join("two.mid"));
    fs::write(dir.path().join("empty.mid"), "").unwrap();
    let job = Job::new().input(both).input(dir.path().join("empty.mid")).input(corpus("mid/run00108.mid"));
    for new in [0, 4] {
        let outputs = ["all.mid", "all.asc", "all.parquet", "r%05d.mid.gz", "r%05d.arrow"];
        let (files, report) = check_for(&chains(new), &outputs, job.clone(), &[1, 500, 1 << 20]);
        assert_eq!((report.runs.len(), report.damage.count > 0), (3, true));
        let run = &report.runs[0];
        assert!(run.failures.iter().any(|f| f.reason == "the eleventh"), "{:?}", run.failures);
        assert!(!run.messages.is_empty() && !run.errors.is_empty() && !run.damage.is_empty(), "{run:?}");
        assert!(run.tests.iter().all(|(_, count)| *count > 0) && run.tests.len() == 4, "{:?}", run.tests);
        assert_eq!(run.requests[1].account.created > 0, new > 0);
        assert!(run.refused > 0, "{:?}", run.refusals);
        assert_eq!(run.histograms.len(), 7);
        assert!(run.histograms.iter().all(|h| h.entries > 20), "{:?}", run.histograms);
        assert!(files["all.asc"].len() > 1000 && files["r00042.One.arrow"].len() > 1000);
    }
}

#[test]
fn subruns_and_text_are_those_of_the_whole_job() {
    let dir = TempDir::new().unwrap();
    let name = |n: u32| dir.path().join(format!("run00042sub{n:04}.mid"));
    let subruns: Vec<PathBuf> =
        (0..3).map(|n| events(MidFile::new().bor(42), n * 50..n * 50 + 50).eor(42).save(name(n))).collect();
    let job = subruns.iter().fold(Job::new(), Job::input);
    let (files, report) = check_for(&chains(0), &ALL, job, &[1, 500]);
    assert_eq!((report.runs.len(), report.runs[0].files), (1, 3));
    assert!(String::from_utf8_lossy(&files["r00042.mid.provenance.json"]).contains("sub0002"));

    let text = with(&Job::new().input(corpus("mid/run00008.mid")), dir.path(), &["run8.asc"]);
    Analyzer::new("Analyzer").run(&text).unwrap();
    let job = Job::new().input(dir.path().join("run8.asc"));
    let (_, report) = check_for(&analyzer2(), &ALL, job, &[1000]);
    assert!(!report.without_text.is_empty(), "{report:?}");
}

#[test]
fn damage_in_packed_files_is_found_by_every_shard_and_told_once() {
    for name in ["run00006.truncated.mid.gz", "run00006.cut30000.mid.lz4", "run00006.cut30000.mid.bz2"] {
        let job = Job::new().input(corpus(&format!("comp/{name}")));
        let (_, report) = check_for(&analyzer2(), &["r.mid", "r.parquet"], job, &[4096]);
        assert!(report.damage.count > 0, "{name}");
    }
}

#[test]
fn configuration_stands_in_the_parts() {
    let (dir, parts) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let offset = |name: &str, n: u32| {
        let text = format!("[/Analyzer/Parameters/First]\nOffset = DWORD : {n}\n");
        fs::write(parts.path().join(name), text).unwrap();
    };
    offset("store.odb", 7);
    offset("c00042.odb", 3);
    let input = events(MidFile::new().bor(42), 0..100).bor(43);
    let input = events(input, 100..200).save(parts.path().join("in.mid"));
    let mut job = Job::new().input(input);
    job.odb_load.push(parts.path().join("store.odb"));
    job.config.push(parts.path().join("c%05d.odb"));
    offset("c00043.odb", 5);
    job.block = 500;
    let outputs = ["r%05d.mid", "r.asc"];
    let whole = TempDir::new().unwrap();
    chains(0).run(&with(&job, whole.path(), &outputs)).unwrap();
    let job = with(&job, dir.path(), &outputs);
    let paths = shards(&chains(0), &job, 3, parts.path());
    // All that the shards have read is gone or another.
    fs::remove_file(parts.path().join("in.mid")).unwrap();
    fs::remove_file(parts.path().join("c00042.odb")).unwrap();
    offset("c00043.odb", 1);
    offset("store.odb", 1);
    let opened = Parts::open(&paths).unwrap();
    let (found, of) = (opened.job().unwrap(), opened.of());
    assert_eq!((of, opened.definition(), opened.analyzer()), (3, None, "Analyzer"));
    chains(0).merge(opened, &found, &mut |_| {}, &mut std::io::sink()).unwrap();
    assert_eq!(files(dir.path()), files(whole.path()));
    let says = String::from_utf8(files(dir.path())["r.asc.provenance.json"].clone()).unwrap();
    assert!(says.contains("\"/Analyzer/Parameters/First/Offset\": \"5\""), "{says}");
}

#[test]
fn outputs_may_get_other_names_and_be_left_out() {
    let (dir, parts) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let job = with(&Job { block: 4096, ..run8() }, dir.path(), &["r%05d.mid", "r%05d.parquet"]);
    let paths = shards(&analyzer2(), &job, 2, parts.path());
    let whole = TempDir::new().unwrap();
    let other = |dir: &Path| with(&Job { block: 4096, ..run8() }, dir, &["x.arrow"]);
    analyzer2().run(&other(whole.path())).unwrap();
    merge(&analyzer2(), &other(dir.path()), &paths).unwrap();
    assert_eq!(files(dir.path()), files(whole.path()));

    let refused = |job: &Job| {
        let refused = merge(&analyzer2(), job, &paths).unwrap_err();
        refused.to_string().replace(&format!("{}/", parts.path().display()), "@")
    };
    let text = with(&Job { block: 4096, ..run8() }, dir.path(), &["x.asc"]);
    let wanted =
        "part @1.part: has no text events for the outputs of the merge: run the shards with such an output";
    assert_eq!(refused(&text), wanted);
    let onto = other(dir.path()).output(paths[1].to_str().unwrap().replace(".part", ".part.asc")).unwrap();
    fs::rename(&paths[1], parts.path().join("2.part.asc")).unwrap();
    let refused = merge(&analyzer2(), &onto, &[paths[0].clone(), parts.path().join("2.part.asc")]);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.ends_with("is also an input: give it another name"), "{refused}");
}
