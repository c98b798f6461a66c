//! A job in shards gives what the whole job gives, to the last byte.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{MidFile, catalogue, corpus, definition};
use pactolus::histo::Histogram;
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

const WRDS: BankDef<u16> = BankDef::new(b"WRDS");
const SEEN: BankDef<u32> = BankDef::new(b"SEEN");
const TEXT: BankDef<u8> = BankDef::new(b"TEXT");

/// Wide: sets tests, skips, fails, makes events.
#[derive(Record, Clone)]
struct First {
    /// Makes an event of one in so many
    #[key("New events", default = 0)]
    new: u32,
    /// Bytes of a file decide; see the test of configuration files
    #[key("Offset", default = 0)]
    offset: u32,
    #[key(skip)]
    tests: [Test; 2],
    #[key(skip)]
    words: Hist1,
    #[key(skip)]
    weighted: WeightedProfile,
    #[key(skip)]
    strip: Strip,
}

impl Module for First {
    fn banks(&self) -> Banks {
        let banks = Banks::read(WRDS);
        if self.new > 0 { banks.queues_events() } else { banks }
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.tests = [setup.test("odd"), setup.test("third")];
        self.words = setup.book("Words", Hist1::new(Axis::regular(50, 0.0, 500.0)))?;
        self.weighted = setup.book("Weighted", WeightedProfile::new(Axis::integer(0, 8)))?;
        self.strip = setup.book("Strip", Strip::new(5))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let serial = event.serial() + self.offset;
        if self.new > 0 && serial.is_multiple_of(self.new) {
            let new = NewEvent::new(2, 1, serial * 10, event.time()).bank(WRDS, &[serial as u16]);
            context.queue(new);
        }
        for (i, word) in
            event.get(WRDS)?.into_iter().flat_map(|words| words.iter().enumerate().collect::<Vec<_>>())
        {
            context.fill(self.words, word);
            context.fill(self.weighted, (i as f64, f64::from(word) * 0.1, 1.0 / f64::from(serial + 3)));
        }
        context.fill(self.strip, 0.1 * f64::from(serial));
        if serial % 2 == 1 {
            context.set(self.tests[0], true);
        }
        context.set(self.tests[1], serial.is_multiple_of(3));
        match serial % 7 {
            5 => Ok(Skip),
            6 if serial > 50 => Err(format!("no event {serial}").into()),
            _ => Ok(Keep),
        }
    }
}

/// Sequential: what it appends depends on all events before.
#[derive(Record, Clone)]
struct Middle {
    #[key(skip)]
    seen: u32,
    #[key(skip)]
    test: Test,
    #[key(skip)]
    filled: Hist1,
}

impl Sequential for Middle {
    fn banks(&self) -> Banks {
        Banks::read(WRDS).write(SEEN)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.test = setup.test("in the middle");
        self.filled = setup.book("Seen", Hist1::new(Axis::integer(0, 10)))?;
        Ok(())
    }

    fn event(&mut self, event: &Event, context: &Context) -> Result<Verdict> {
        self.seen = self.seen.wrapping_mul(31).wrapping_add(event.serial());
        context.set(self.test, self.seen.is_multiple_of(2));
        context.fill(self.filled, self.seen % 11);
        event.append(SEEN, &[self.seen])?;
        match self.seen % 11 {
            0 => Ok(Skip),
            1 => Err("the eleventh".into()),
            2 => {
                context.message(format!("{} of serial {}", self.seen, event.serial()));
                Ok(Keep)
            }
            _ => Ok(Keep),
        }
    }

    fn eor(&mut self, run: &EndOfRun) -> Result<()> {
        // An error of the run is in its report, which must not differ.
        let bytes: Vec<Vec<u8>> = run.histograms.list.iter().map(Histogram::to_bytes).collect();
        Err(format!("{} entered, {:?}, {bytes:?}", run.entered, run.tests).into())
    }
}

/// Wide, behind the sequential one.
#[derive(Record, Clone)]
struct Last {}

impl Module for Last {
    fn banks(&self) -> Banks {
        Banks::read(SEEN).write(TEXT)
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let seen = event.get(SEEN)?.and_then(|seen| seen.iter().next()).unwrap_or_default();
        context.message("last");
        event.append(TEXT, format!("{seen:x}").as_bytes())?;
        Ok(Keep)
    }
}

/// A sequential stage in the middle of a chain, histograms, another chain behind it. `new`: every so many events
/// make one for the second chain.
fn chains(new: u32) -> Analyzer {
    let mut first = First::defaults();
    first.new = new;
    Analyzer::new("Analyzer")
        .on(Request::new("One", 1).tests().bank(WRDS))
        .module("First", first)
        .sequential("Middle", Middle::defaults())
        .module("Last", Last::defaults())
        .on(Request::new("Two", 2).tests().bank(WRDS))
        .module("Second", First::defaults())
        .on(Request::new("Every", -1))
}

/// A run with events of three ids; of one in ten the banks are broken.
fn events(file: MidFile, serials: std::ops::Range<u32>) -> MidFile {
    serials.fold(file, |file, serial| {
        let words: Vec<u16> = (0..serial % 9).map(|i| (serial * i) as u16).collect();
        match serial % 10 {
            3 => file.event(1, serial, &[("WRDS", Tid::Dword, &[1, 2, 3, 4])]).message("a word"),
            4 => file.event(1, serial, &[("BIG", Tid::String, &b"caf\xe9\0"[..])]),
            5 => file.raw(5, 1, serial, &[8, 0, 0, 0, 1, 0, 0, 0, b'W', b'R', b'D', b'S', 4, 0, 99, 0]),
            _ => file.words(1 + (serial % 3) as u16, serial, "WRDS", &words),
        }
    })
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
