//! Parts that are refused, jobs that cannot be shared, shards and merges that are stopped.

use std::fs;
use std::path::{Path, PathBuf};

use pactolus::histo::Histogram;
use pactolus::prelude::*;
use pactolus::{Parts, Shard, is_part};
use tempfile::TempDir;

use crate::chains::{First, chains, events};
use crate::common::MidFile;
use crate::{files, merge, shards, with};

/// A small job in three parts: the job, the parts with their bytes, and where the output goes.
struct Small {
    dir: TempDir,
    job: Job,
    parts: Vec<PathBuf>,
}

impl Small {
    fn new() -> Small {
        let dir = TempDir::new().unwrap();
        let input = events(MidFile::new().bor(42), 0..12).eor(42).save(dir.path().join("in.mid"));
        let job = Job { block: 200, threads: 1, ..Job::new() }.input(input);
        fs::create_dir(dir.path().join("out")).unwrap();
        let job = with(&job, &dir.path().join("out"), &["r.mid", "r.arrow"]);
        let parts = shards(&chains(0), &job, 3, dir.path());
        Small { dir, job, parts }
    }

    /// What a merge of these parts says. It makes nothing.
    fn refused(&self, parts: &[PathBuf]) -> String {
        let refused = merge(&chains(0), &self.job, parts).unwrap_err().to_string();
        assert!(files(&self.dir.path().join("out")).is_empty(), "{refused}");
        refused.replace(&format!("{}/", self.dir.path().display()), "@")
    }

    /// The parts, but for one.
    fn with(&self, part: &Path) -> Vec<PathBuf> {
        vec![self.parts[0].clone(), part.to_owned(), self.parts[2].clone()]
    }

    /// A part of another job, or of this one with another input.
    fn other(&self, name: &str, change: impl FnOnce(&mut Job)) -> PathBuf {
        let mut job = self.job.clone();
        change(&mut job);
        let path = self.dir.path().join(name);
        let _ = fs::remove_file(&path);
        chains(0).shard(&job, Shard::new(2, 3).unwrap(), &path, &mut |_| {}).unwrap();
        path
    }
}

#[test]
fn a_part_that_is_cut_or_flipped_anywhere_is_refused_with_its_name_and_place() {
    let small = Small::new();
    let bytes = fs::read(&small.parts[1]).unwrap();
    let broken = small.dir.path().join("broken.part");
    for cut in (0..bytes.len()).step_by(7).chain(bytes.len() - 60..bytes.len()) {
        fs::write(&broken, &bytes[..cut]).unwrap();
        let said = small.refused(&small.with(&broken));
        let short = format!("part @broken.part: cut short at byte {cut}: run ");
        let none = said.starts_with("part @broken.part: this is none") && cut < 12;
        assert!(said.starts_with(&short) || none, "cut at {cut}: {said}");
        // The head says whose it is.
        assert!(cut < 2000 || said.ends_with("run analyze --shard 2/3 again"), "cut at {cut}: {said}");
    }
    for place in (0..bytes.len()).step_by(5).chain(bytes.len() - 40..bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[place] ^= 0x10;
        fs::write(&broken, &flipped).unwrap();
        let said = small.refused(&small.with(&broken));
        assert!(said.starts_with("part @broken.part: "), "flipped at {place}: {said}");
        let byte = said.split_once("at byte ").map(|(_, rest)| rest.split(':').next().unwrap());
        let at: Option<usize> = byte.map(|byte| byte.parse().unwrap());
        let front = place < 12;
        assert!(at.is_some_and(|at| at <= place || said.contains("cut short")) || front, "{place}: {said}");
    }
    let mut longer = bytes.clone();
    longer.extend_from_slice(&bytes);
    fs::write(&broken, &longer).unwrap();
    let said = small.refused(&small.with(&broken));
    assert!(said.starts_with("part @broken.part: broken at byte "), "{said}");
    // The others are whole, and so is this one.
    fs::write(&broken, &bytes).unwrap();
    merge(&chains(0), &small.job, &small.with(&broken)).unwrap();
}

#[test]
fn missing_doubled_and_foreign_parts_are_refused_with_their_names() {
    let small = Small::new();
    let [a, b, c] = &small.parts[..] else { panic!() };
    let said = |parts: &[&PathBuf]| small.refused(&parts.iter().map(|p| (*p).clone()).collect::<Vec<_>>());
    assert_eq!(said(&[a, c]), "part 2 of 3 is missing: run analyze --shard 2/3 again");
    assert_eq!(said(&[b]), "parts 1, 3 of 3 are missing: run analyze --shard 1/3, ... again");
    assert_eq!(said(&[]), "no parts: name the files that analyze --shard has written");
    assert_eq!(said(&[a, b, c, b]), "part 2 of 3 is there twice: @2.part and @2.part");
    let foreign = |change: fn(&mut Job)| {
        let other = small.other("other.part", change);
        said(&[a, &other, c]).replace("part @other.part: is of another job than @1.part: they differ in ", "")
    };
    assert_eq!(foreign(|job| job.parameters.push(("First/Offset".into(), "1".into()))), "parameters");
    assert_eq!(foreign(|job| job.selection.last = Some(5)), "selection");
    assert_eq!(foreign(|job| job.block = 300), "block");
    assert_eq!(foreign(|job| job.filter = true), "filter");
    assert_eq!(foreign(|job| drop(job.outputs.pop())), "outputs");
    assert_eq!(foreign(|job| job.limits.event = 1 << 20), "limits");
    let store = small.dir.path().join("store.odb");
    let loads = |offset: u32| {
        fs::write(&store, format!("[/Analyzer/Parameters/First]\nOffset = DWORD : {offset}\n")).unwrap();
        small.other(&format!("store{offset}.part"), |job| job.odb_load.push(store.clone()))
    };
    let wanted =
        "part @store2.part: is of another job than @store1.part: they differ in contents of @store.odb";
    assert_eq!(said(&[&loads(1), &loads(2)]), wanted);
    let four = small.dir.path().join("four.part");
    chains(0).shard(&small.job, Shard::new(2, 4).unwrap(), &four, &mut |_| {}).unwrap();
    assert_eq!(
        said(&[a, &four]),
        "part @four.part: is of another job than @1.part: they differ in number of shards"
    );
    let input = small.dir.path().join("in.mid");
    assert!(
        said(&[a, &input]).starts_with("part @in.mid: this is none: merge takes"),
        "{}",
        said(&[a, &input])
    );
    assert!(is_part(a) && !is_part(&input) && !is_part(&small.dir.path().join("none")));
    // Threads make no other job.
    let other = small.other("threads.part", |job| job.threads = 4);
    merge(&chains(0), &small.job, &small.with(&other)).unwrap();
}

#[test]
fn another_analyzer_or_job_is_refused() {
    let small = Small::new();
    let said = |analyzer: Analyzer, job: &Job| merge(&analyzer, job, &small.parts).unwrap_err().to_string();
    let other = chains(0).module("Further", First::defaults());
    let requests = said(other, &small.job);
    assert!(
        requests.ends_with("1.part: is of another analyzer or job than this: they differ in requests"),
        "{requests}"
    );
    let job = Job { filter: true, ..small.job.clone() };
    let filter = said(chains(0), &job);
    assert!(
        filter.ends_with("1.part: is of another analyzer or job than this: they differ in filter"),
        "{filter}"
    );
}

#[test]
fn inputs_that_change_between_shards_are_found_out() {
    let small = Small::new();
    let input = small.dir.path().join("in.mid");
    let whole = fs::read(&input).unwrap();
    let check = |bytes: &[u8], change: fn(&mut Job)| {
        fs::write(&input, bytes).unwrap();
        let other = small.other("other.part", change);
        fs::write(&input, &whole).unwrap();
        let parts = [Shard::new(1, 3), Shard::new(3, 3)].map(|shard| {
            let shard = shard.unwrap();
            let path = small.dir.path().join(format!("other{}.part", shard.number()));
            let mut job = small.job.clone();
            change(&mut job);
            let _ = fs::remove_file(&path);
            chains(0).shard(&job, shard, &path, &mut |_| {}).unwrap();
            path
        });
        let mut job = small.job.clone();
        change(&mut job);
        let said = merge(&chains(0), &job, &[&parts[0], &other, &parts[1]].map(Clone::clone)).unwrap_err();
        assert!(files(&small.dir.path().join("out")).is_empty());
        said.to_string().replace(&format!("{}/", small.dir.path().display()), "@")
    };
    let another = "@in.mid was another file when";
    let mut changed = whole.clone();
    let last = changed.len() - 40;
    changed[last] ^= 1;
    for bytes in [&changed, &whole[..whole.len() - 300].to_vec(), &whole.repeat(2)] {
        let said = check(bytes, |_| {});
        assert!(
            said.contains(another)
                && said.contains("@other.part")
                && said.ends_with("was made: run both shards again"),
            "{said}"
        );
    }
    // A file that is read in part has no digest.
    let mut changed = whole.clone();
    changed[200] ^= 1;
    let said = check(&changed, |job| job.selection.last = Some(8));
    assert!(said.contains(another), "{said}");
}

#[test]
fn jobs_that_cannot_be_shared_are_refused() {
    let small = Small::new();
    let refused = |job: Job, part: &Path| {
        let refused = chains(0).shard(&job, Shard::new(1, 3).unwrap(), part, &mut |_| {}).unwrap_err();
        refused.to_string().replace(&format!("{}/", small.dir.path().display()), "@")
    };
    let part = small.dir.path().join("new.part");
    let stdin = refused(small.job.clone().input("-"), &part);
    assert_eq!(stdin, "--shard: every shard reads the whole input, and standard input can be read once only");
    let stdout = refused(small.job.clone().output("-.asc").unwrap(), &part);
    assert_eq!(stdout, "--shard: a part has no standard output; merge has: name an output file here");
    let strict = refused(Job { strict: true, ..small.job.clone() }, &part);
    assert!(strict.starts_with("--shard: --strict ends at the first trouble"), "{strict}");
    let input = refused(small.job.clone(), &small.dir.path().join("in.mid"));
    assert_eq!(input, "output @in.mid is also an input: give it another name");
    assert!(!part.exists());
}

#[test]
fn a_shard_that_is_stopped_leaves_no_part() {
    let small = Small::new();
    let before = fs::read(&small.parts[0]).unwrap();
    let job = Job { stop: pactolus::Stop::new(), ..small.job.clone() };
    let mut told = 0;
    let stop = job.stop.clone();
    let mut progress = |_: &pactolus::Progress| {
        told += 1;
        stop.ask();
    };
    let part = small.dir.path().join("stopped.part");
    let report = chains(0).shard(&job, Shard::new(1, 3).unwrap(), &part, &mut progress).unwrap();
    assert!(report.stopped && report.part.is_none() && told > 0);
    assert!(!part.exists() && !small.dir.path().join(".stopped.part.part").exists());
    // Run again, it is as it was, but for the time that stages took.
    chains(0).shard(&small.job, Shard::new(1, 3).unwrap(), &part, &mut |_| {}).unwrap();
    assert_eq!(fs::read(&part).unwrap().len(), before.len());
    let parts = [part, small.parts[1].clone(), small.parts[2].clone()];
    merge(&chains(0), &small.job, &parts).unwrap();
}

#[test]
fn a_merge_that_is_stopped_does_not_write_the_run_in_hand() {
    let small = Small::new();
    let job = Job { stop: pactolus::Stop::new(), ..small.job.clone() };
    let stop = job.stop.clone();
    let mut progress = |progress: &pactolus::Progress| {
        if progress.read > 4 {
            stop.ask();
        }
    };
    let parts = Parts::open(&small.parts).unwrap();
    let report = chains(0).merge(parts, &job, &mut progress, &mut std::io::sink()).unwrap();
    assert!(report.stopped && report.runs.is_empty());
    assert!(files(&small.dir.path().join("out")).is_empty());
}

/// Tag and body of each record of a part.
fn records(part: &Path) -> Vec<(u8, Vec<u8>)> {
    let bytes = fs::read(part).unwrap();
    let (mut rest, mut records) = (&bytes[12..], Vec::new());
    while let Some((title, behind)) = rest.split_at_checked(25) {
        let length = u64::from_le_bytes(title[9..17].try_into().unwrap()) as usize;
        let (body, behind) = behind.split_at(length);
        records.push((title[0], body.to_vec()));
        rest = behind;
    }
    records
}

#[test]
fn each_histogram_has_a_record_of_its_own() {
    const HISTOGRAM: u8 = 6;
    let small = Small::new();
    let mut filled = [0; 7];
    for part in &small.parts {
        let records: Vec<Vec<u8>> =
            records(part).into_iter().filter(|(tag, _)| *tag == HISTOGRAM).map(|r| r.1).collect();
        assert_eq!(records.len(), filled.len());
        for (i, body) in records.iter().enumerate() {
            assert_eq!(body[..8], (i as u64).to_le_bytes());
            // Index and length, and what was filled; nothing if nothing was.
            if body.len() > 16 {
                filled[i] += Histogram::from_bytes(&body[16..]).unwrap().entries();
            }
        }
    }
    let report = merge(&chains(0), &small.job, &small.parts).unwrap();
    let wanted: Vec<u64> = report.runs[0].histograms.iter().map(|h| h.entries).collect();
    assert_eq!(filled.iter().filter(|entries| **entries > 0).count(), 6, "{filled:?}");
    // The sequential stage fills in the merge.
    let differ: Vec<usize> = (0..7).filter(|i| filled[*i] != wanted[*i]).collect();
    assert_eq!((differ.len(), filled[differ[0]]), (1, 0), "{filled:?} {wanted:?}");
}

#[test]
fn a_part_replaces_nothing_but_that_of_its_own_shard() {
    let small = Small::new();
    let shard = |number, of| Shard::new(number, of).unwrap();
    let run = |job: &Job, shard, part: &Path| {
        let before = fs::read(part).ok();
        let ran = chains(0).shard(job, shard, part, &mut |_| {});
        let refused =
            ran.err().map(|e| e.to_string().replace(&format!("{}/", small.dir.path().display()), "@"));
        assert!(refused.is_none() || fs::read(part).ok() == before, "{refused:?}");
        refused.unwrap_or_default()
    };
    let [part, ..] = &small.parts[..] else { panic!() };
    let behind = ": remove it, or give another name with --part";
    assert_eq!(run(&small.job, shard(1, 3), part), "");
    assert_eq!(run(&small.job, shard(2, 3), part), format!("part @1.part: is there, of shard 1/3{behind}"));
    let said = |change: fn(&mut Job), of| {
        let mut job = small.job.clone();
        change(&mut job);
        let said = run(&job, shard(1, of), part);
        let said = said.strip_prefix("part @1.part: is there, of another job: they differ in ").unwrap();
        said.strip_suffix(behind).unwrap().to_owned()
    };
    assert_eq!(said(|_| {}, 4), "number of shards");
    assert_eq!(said(|job| *job = job.clone().input(job.inputs[0].path.clone()), 3), "inputs");
    assert_eq!(said(|job| job.parameters.push(("First/Offset".into(), "1".into())), 3), "parameters");
    // Whoever has other threads does the same job.
    assert_eq!(run(&Job { threads: 4, ..small.job.clone() }, shard(1, 3), part), "");

    // Nobody can merge what is broken; of another form it may be of use to another program.
    let whole = fs::read(part).unwrap();
    let put = |name: &str, change: fn(&mut Vec<u8>)| {
        let (path, mut bytes) = (small.dir.path().join(name), whole.clone());
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        path
    };
    for broken in [put("a.part", |b| b.truncate(b.len() / 2)), put("b.part", |b| b[100] ^= 1)] {
        assert_eq!(run(&small.job, shard(1, 3), &broken), "");
        assert!(fs::read(broken).unwrap().len() > whole.len() / 2);
    }
    let form = run(&small.job, shard(1, 3), &put("c.part", |b| b[8] = 99));
    assert_eq!(form, format!("part @c.part: is there, of another form{behind}"));

    // Raw data, an empty file, the outputs and what goes with them, be they there or not.
    let none = "exists and is no part: give it another name with --part, or remove it";
    for (name, bytes) in [("raw.mid", &b"raw data"[..]), ("empty", b"")] {
        let path = small.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert_eq!(run(&small.job, shard(1, 3), &path), format!("part @{name}: {none}"));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    for name in ["r.mid", "r.mid.provenance.json", "r.One.arrow", "r.histos.json", "r.histos.arrow"] {
        let said = run(&small.job, shard(1, 3), &small.dir.path().join("out").join(name));
        let wanted = "an output of the job may get that name: give it another with --part";
        assert_eq!(said, format!("part @out/{name}: {wanted}"));
    }
    assert!(files(&small.dir.path().join("out")).is_empty());
}

#[test]
fn a_part_that_appears_while_its_shard_runs_is_not_replaced() {
    let small = Small::new();
    let part = small.dir.path().join("new.part");
    let other = small.other("other.part", |job| job.filter = true);
    let mut appear = |_: &pactolus::Progress| {
        fs::copy(&other, &part).unwrap();
    };
    let said = chains(0).shard(&small.job, Shard::new(2, 3).unwrap(), &part, &mut appear).unwrap_err();
    assert!(said.to_string().contains("is there, of another job: they differ in filter"), "{said}");
    assert_eq!(fs::read(&part).unwrap(), fs::read(&other).unwrap());
}

#[test]
fn parts_of_different_programs_are_refused_and_a_merge_by_another_warns() {
    let small = Small::new();
    let by = |program: Option<&str>| Job { program: program.map(str::to_owned), ..small.job.clone() };
    let run = |number, program| {
        let part = &small.parts[number as usize - 1];
        chains(0).shard(&by(program), Shard::new(number, 3).unwrap(), part, &mut |_| {}).unwrap();
    };
    let refused = "part @2.part: made by another program than @1.part: run all shards with one program";
    // Again by a newer program: the part of the same job is replaced.
    run(2, Some("new"));
    assert_eq!(small.refused(&small.parts), refused);
    run(1, Some("old"));
    assert_eq!(small.refused(&small.parts), refused);
    run(1, Some("new"));
    run(3, Some("new"));
    let warned = |program| merge(&chains(0), &by(program), &small.parts).unwrap().warnings;
    let another = "the parts were made by another program than this: merge with the same one";
    assert!(!warned(Some("new")).iter().chain(&warned(None)).any(|said| said == another));
    assert!(warned(Some("other")).iter().any(|said| said == another));
}
