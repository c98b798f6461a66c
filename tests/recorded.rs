//! Recorded epochs, applied again without the ODB that they were set in.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::MidFile;
use common::modules::{ADC0, Adds, Counter};
use common::stream::Stream;
use pactolus::odb::{Odb, Tree, Value};
use pactolus::prelude::*;
use pactolus::{EpochReport, Recorded, Report};
use tempfile::TempDir;

/// What a module was told, bit by bit.
const TOLD: BankDef<u32> = BankDef::new(b"TOLD");
/// What a sequential module makes of the sum so far.
const PART: BankDef<i32> = BankDef::new(b"PART");

/// Tells its parameters.
#[derive(Record, Clone)]
struct Tells {
    /// A number
    #[key("Factor", default = 1.0)]
    factor: f32,
    /// A number
    #[key("Exact", default = 1.0)]
    exact: f64,
    /// A text
    #[key("Tag", default = "none")]
    tag: String,
    /// Numbers
    #[key("Table", default = 3, len = 2)]
    table: Vec<i16>,
    #[key(skip)]
    words: Hist1,
}

impl Module for Tells {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(TOLD)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.words = setup.book("Words", Hist1::new(Axis::regular(20, 0.0, 1000.0)))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        context.fill(self.words, f32::from(adc.at(0)) * self.factor);
        let tag = self.tag.bytes().fold(0, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let exact = self.exact.to_bits();
        let mut told = vec![self.factor.to_bits(), exact as u32, (exact >> 32) as u32, tag];
        told.extend(self.table.iter().map(|x| *x as u32));
        event.append(TOLD, &told)?;
        Ok(Keep)
    }
}

/// Sums up, and tells the sum multiplied.
#[derive(Record, Clone)]
struct Sum {
    /// What the sum is multiplied with
    #[key("Factor", default = 1)]
    factor: i32,
    /// Bins of its histogram
    #[key("Bins", default = 10, min = 1)]
    bins: u32,
    #[key(skip)]
    sum: i32,
    #[key(skip)]
    odd: Test,
    #[key(skip)]
    sums: Hist1,
}

impl Sequential for Sum {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(PART)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.odd = setup.test("odd");
        self.sums = setup.book("Sums", Hist1::new(Axis::regular(self.bins as usize, 0.0, 1e5)))?;
        Ok(())
    }

    fn event(&mut self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        self.sum = self.sum.wrapping_add(adc.at(0).into());
        context.set(self.odd, self.sum % 2 == 1);
        context.fill(self.sums, self.sum);
        event.append(PART, &[self.sum.wrapping_mul(self.factor)])?;
        Ok(Keep)
    }
}

/// Skips events, behind a sequential stage.
#[derive(Record, Clone)]
struct Cut {
    /// Largest word of events that are kept
    #[key("Largest", default = 60000)]
    largest: u16,
}

impl Module for Cut {
    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        let is_small = event.get(ADC0)?.is_none_or(|adc| adc.at(0) <= self.largest);
        Ok(if is_small { Keep } else { Skip })
    }
}

/// Wide stages before and behind sequential ones, and a request for events with a structure.
fn analyzer() -> Analyzer {
    let marked = ADC0.size(2);
    Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(marked).tests())
        .module("Sums", Adds { offset: vec![10, 20] })
        .module("Tells", Tells::defaults())
        .sequential("Sum", Sum::defaults())
        .module("Cut", Cut::defaults())
        .on(Request::new("Other", 2))
        .sequential("Count", Counter::defaults())
        .on(Request::new("Slow", 7))
}

const OUTPUTS: [&str; 4] = ["r%05d.mid", "r%05d.asc", "r%05d.parquet", "r%05d.arrow"];

fn writing(job: Job, path: &dyn Fn(&str) -> String) -> Job {
    OUTPUTS.iter().fold(job, |job, name| job.output(path(name)).unwrap())
}

/// An ODB with an event that has a structure.
fn odb() -> Odb {
    let odb = Odb::local();
    odb.create("/Equipment/Slow/Common/Event ID", 7_u16).unwrap();
    odb.create("/Equipment/Slow/Common/Format", "FIXED").unwrap();
    odb.create("/Equipment/Slow/Variables/Level", vec![0.0_f32, 0.0]).unwrap();
    odb.create("/Equipment/Slow/Variables/State", 0).unwrap();
    // It is no default.
    odb.create("/Analyzer/Output/Clear histos", true).unwrap();
    odb.create("/Analyzer/Parameters/Tells/Factor", 0.1_f32).unwrap();
    odb
}

/// A session: all that went through its stream.
struct Session {
    stream: Stream,
    sent: MidFile,
    serial: u32,
}

impl Session {
    fn start(odb: Odb) -> Session {
        let stream = Stream::start(analyzer, odb, |job, path| {
            writing(Job { parameters: vec![("Sum/Factor".into(), "3".into())], ..job }, path)
        });
        Session { stream, sent: MidFile::new(), serial: 0 }
    }

    fn send(&mut self, events: MidFile, count: u64) {
        self.stream.send(&events, count);
        self.sent.bytes.extend_from_slice(&events.bytes);
    }

    /// Events of all kinds, the last of them one that the stream hands on at once.
    fn some(&mut self) {
        let begin = MidFile::new().bor(42);
        let (mut events, mut count) = if self.serial == 0 { (begin, 1) } else { (MidFile::new(), 0) };
        for _ in 0..7 {
            self.serial += 1;
            let serial = self.serial;
            let words = [serial as u16 * 3, 7];
            events = events.words(1, serial, "ADC0", &words).words(2, serial, "ADC0", &words);
            count += 2;
        }
        self.send(events, count);
    }

    fn change(&mut self, change: impl Fn(&mut Tree) -> pactolus::odb::Result<()>) {
        self.stream.odb.change(change).unwrap();
        self.some();
    }

    /// A value of a key below the analyzer.
    fn set(&mut self, key: &str, value: impl Into<Value>) {
        let value: Value = value.into();
        self.change(|tree| tree.replace(&format!("/Analyzer/{key}"), value.clone()));
    }

    /// Ends the run; the stream's file is then what went through it.
    fn end(mut self) -> Recording {
        let level = |file: MidFile, serial: u32| {
            let level = [0x4148_f5c3 + serial, 0x41c8_f5c3, serial].map(u32::to_le_bytes).concat();
            file.raw(7, 1, serial, &level).message("all is well")
        };
        let last = (0..20).fold(MidFile::new(), level).eor(42);
        self.stream.push(&last);
        self.sent.bytes.extend_from_slice(&last.bytes);
        let (report, dir) = self.stream.finish();
        std::fs::remove_file(dir.path().join("run00042.mid")).unwrap();
        self.sent.save(dir.path().join("run00042.mid"));
        Recording { report, dir }
    }
}

/// What a session has left.
struct Recording {
    report: Report,
    dir: TempDir,
}

impl Recording {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Does it again, offline.
    fn again(&self, record: &str, change: impl Fn(Job) -> Job) -> (Report, BTreeMap<String, Vec<u8>>) {
        let again = TempDir::new().unwrap();
        let job = Job::new().input(self.path("run00042.mid")).threads(1);
        let job = writing(job, &|name| again.path().join(name).to_str().unwrap().to_owned());
        let job = change(job.epochs(Recorded::read(self.path(record)).unwrap()));
        let report = analyzer().run(&job).unwrap();
        (report, files(again.path()))
    }
}

/// The files of a directory, but for inputs.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let found = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let inputs = ["run", "stream"];
    let outputs = found.filter(|path| !inputs.iter().any(|input| name(path).starts_with(input)));
    outputs.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}

fn assert_same(found: &BTreeMap<String, Vec<u8>>, wanted: &BTreeMap<String, Vec<u8>>, how: &str) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(wanted), "{how}");
    // Text first: it says more.
    let (texts, others): (Vec<_>, Vec<_>) = found.iter().partition(|(name, _)| name.ends_with(".json"));
    for (name, bytes) in texts.into_iter().chain(others) {
        if name.ends_with(".json") {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            assert_eq!(text(bytes), text(&wanted[name]), "{how}: {name}");
        }
        assert!(*bytes == wanted[name], "{how}: {name}");
    }
}

/// A session in which everything changes that may.
fn all_changes() -> Recording {
    let mut session = Session::start(odb());
    session.some();
    for factor in [f32::from_bits(1), 1.0 / 3.0, 16_777_216.0, -0.0, f32::MAX, f32::NAN] {
        session.set("Parameters/Tells/Factor", factor);
    }
    session.set("Parameters/Tells/Factor", 2.5_f32);
    for exact in [0.1 + 0.2, f64::from_bits(1), f64::from_bits(0x7ff8_0000_0000_0007), f64::NEG_INFINITY] {
        session.set("Parameters/Tells/Exact", exact);
    }
    session.set("Parameters/Tells/Tag", "5 \u{b5}m, \"quoted\"\n\t\u{f7b5}");
    session.set("Parameters/Tells/Tag", "long ".repeat(40));
    session.set("Parameters/Tells/Tag", "");
    session.set(
        "Parameters/Tells/Tag",
        Value::String(pactolus::odb::Strings { size: 300, values: vec![b"".to_vec()] }),
    );
    session.change(|tree| tree.set("/Analyzer/Parameters/Sums/Offset[1]", 99));
    session.change(|tree| tree.set("/Analyzer/Parameters/Tells/Table", vec![1_i16, -2, 3, 4, 5]));
    session.change(|tree| tree.set("/Analyzer/Parameters/Tells/Table", Vec::<i16>::new()));
    // Another type that fits.
    session.set("Parameters/Tells/Factor", 3);
    session.set("Parameters/Tells/Exact", vec![0.5_f32]);
    for on in [false, true] {
        session.set("Module switches/Sums", on);
        session.set("Module switches/Sum", on);
        session.set("Module switches/Cut", on);
        session.set("Bank switches/ADC0", u32::from(on));
        session.set("Trigger/Common/Enabled", on);
    }
    session.set("Trigger/Common/Trigger mask", 2);
    session.set("Trigger/Common/Trigger mask", -1);
    session.set("Trigger/Common/Event ID", 2);
    session.set("Trigger/Common/Event ID", 1);
    session.set("Parameters/Sum/Factor", -7);
    session.set("Parameters/Sum/Bins", 20_u32);
    session.set("Parameters/Cut/Largest", 800_u16);
    // What nobody reads is in force, too.
    session.set("Parameters/Extra/Rate [Hz]", vec![1, 2]);
    session.set("Parameters/Extra/Rate [Hz][1]", 5);
    session.change(|tree| tree.delete("/Analyzer/Parameters/Extra"));
    session.set("Parameters/Extra", b"\xb5".map(char::from)[0] == '\u{b5}');
    session.change(|tree| tree.create_link("/Analyzer/Parameters/Nowhere", "/None/\u{f7b5}[3]"));
    session.change(|tree| {
        tree.create("/Shared/Factors", vec![1, 2, 0x7fff])?;
        tree.delete("/Analyzer/Parameters/Sum/Factor")?;
        tree.create_link("/Analyzer/Parameters/Sum/Factor", "/Shared/Factors[2]")
    });
    session.change(|tree| tree.set("/Shared/Factors[2]", 17));
    // Not taken.
    session.change(|tree| tree.set("/Analyzer/Parameters/Sums/Offset", vec![1]));
    session.change(|tree| {
        tree.set("/Analyzer/Parameters/Sums/Offset", vec![1, 2, 3])?;
        tree.set("/Analyzer/Parameters/Sum/Factor", 11)?;
        tree.set("/Analyzer/Module switches/Count", false)
    });
    session.change(|tree| tree.delete("/Analyzer/Parameters/Tells"));
    session.change(|tree| tree.delete("/Analyzer"));
    session.end()
}

/// Number and first event of each epoch, and its changes by their paths: the ODB lists keys that were made
/// anew behind the others.
fn epochs_of(report: &Report) -> Vec<(u32, u64, Vec<String>)> {
    let changes = |epoch: &EpochReport| {
        let mut changes: Vec<String> = epoch.changes.iter().map(ToString::to_string).collect();
        changes.sort();
        changes
    };
    report.runs[0].epochs.iter().map(|epoch| (epoch.epoch, epoch.first_event, changes(epoch))).collect()
}

#[test]
fn a_session_is_repeated_bit_by_bit_from_any_of_its_outputs() {
    let session = all_changes();
    let epochs = &session.report.runs[0].epochs;
    let [refused, bins] = &session.report.warnings[..] else { panic!("{:?}", session.report.warnings) };
    assert!(refused.contains("Offset: 10 99 -> 1 does not take effect"), "{refused}");
    assert!(bins.contains("has other bins in a later epoch"), "{bins}");
    assert_eq!(epochs.len(), 47, "{epochs:?}");
    let wanted = files(session.dir.path());
    assert_eq!(wanted.len(), 2 * 3 + 2 + 2 + 3, "{:?}", wanted.keys());
    for record in [
        "r00042.Trigger.parquet",
        "r00042.Slow.arrow",
        "r00042.mid.provenance.json",
        "r00042.asc.provenance.json",
        "r00042.asc",
        "r00042.histos.json",
        "r00042.histos.parquet",
        "r00042.histos.arrow",
    ] {
        let (report, found) = session.again(record, |job| job);
        assert_same(&found, &wanted, record);
        assert_eq!(report.warnings, std::slice::from_ref(bins));
        assert_eq!(epochs_of(&report), epochs_of(&session.report));
    }
}

#[test]
fn neither_blocks_nor_threads_move_an_epoch() {
    let session = all_changes();
    let wanted = files(session.dir.path());
    for block in [1, 100, 333, 2000, 1 << 20] {
        for threads in [1, 2, 4] {
            let delay = (threads == 4).then_some(block as u64);
            let change = |job: Job| Job { block, threads, delay, ..job };
            let (_, found) = session.again("r00042.Other.parquet", change);
            assert_same(&found, &wanted, &format!("blocks of {block}, {threads} threads"));
        }
    }
}

/// A job on files and an ODB that somebody changes when so many events were read.
fn on_files(job: &Job, changes: &[(u64, &str, Value)]) -> Report {
    let odb = job.odb.clone().unwrap();
    let mut changes = changes.iter().peekable();
    analyzer()
        .run_with(job, &mut |progress| {
            while let Some((_, key, value)) = changes.next_if(|(at, ..)| *at <= progress.events) {
                odb.change(|tree| tree.replace(&format!("/Analyzer/{key}"), value.clone())).unwrap();
            }
        })
        .unwrap()
}

/// Files of a directory, read one behind the other; `change` says more of both jobs.
struct Files {
    dir: TempDir,
    inputs: Vec<PathBuf>,
    outputs: &'static [&'static str],
}

impl Files {
    fn job(&self, to: &Path) -> Job {
        let job = Job { block: 300, ..Job::new().threads(1) };
        let job = self.inputs.iter().fold(job, |job, input| job.input(input));
        let name = |name: &str| to.join(name).to_str().unwrap().to_owned();
        self.outputs.iter().fold(job, |job, output| job.output(name(output)).unwrap())
    }

    /// The session, and what came of it.
    fn session(&self, odb: Odb, changes: &[(u64, &str, Value)]) -> (Report, BTreeMap<String, Vec<u8>>) {
        let report = on_files(&Job { odb: Some(odb), ..self.job(self.dir.path()) }, changes);
        (report, files(self.dir.path()))
    }

    /// The same again with blocks of other sizes.
    fn check(&self, records: &[&str], wanted: &BTreeMap<String, Vec<u8>>) {
        for (block, threads) in [(1, 1), (300, 1), (777, 3), (1 << 20, 1), (1 << 20, 2)] {
            let again = TempDir::new().unwrap();
            let job = Job { block, ..self.job(again.path()).threads(threads) };
            let read = |record: &&str| Recorded::read(self.dir.path().join(record)).unwrap();
            let report = analyzer().run(&Job { epochs: records.iter().map(read).collect(), ..job }).unwrap();
            assert_same(&files(again.path()), wanted, &format!("{records:?}, {block}, {threads}"));
            assert_eq!(report.warnings, Vec::<String>::new());
        }
    }
}

/// Events with messages among them, which may be the first of a block.
fn words(file: MidFile, serials: std::ops::Range<u32>) -> MidFile {
    serials.fold(file, |file, serial| {
        let file = if serial % 3 == 0 { file.message("all is well") } else { file };
        file.words(1, serial, "ADC0", &[serial as u16, 7])
    })
}

const FACTOR: &str = "Parameters/Sum/Factor";
const CLEAR: &str = "Output/Clear histos";

#[test]
fn each_run_of_a_job_has_its_own_epochs() {
    let dir = TempDir::new().unwrap();
    // Two runs in one file, and one in another.
    let file = words(MidFile::new().bor(42), 0..50).eor(42);
    let both = words(file.bor(43), 0..50).eor(43).save(dir.path().join("run00042.mid"));
    let third = words(MidFile::new().bor(44), 0..50).eor(44).save(dir.path().join("run00044.mid"));
    let outputs = &["r%05d.mid", "r%05d.parquet", "all.mid", "all.arrow"];
    let session = Files { dir, inputs: vec![both, third], outputs };
    let (report, wanted) = session.session(
        odb(),
        &[
            (20, FACTOR, 5.into()),
            (40, FACTOR, 6.into()),
            // Counts at the next begin of run.
            (45, CLEAR, false.into()),
            (80, FACTOR, 7.into()),
            (85, CLEAR, true.into()),
            (120, FACTOR, 8.into()),
        ],
    );
    let epochs: Vec<usize> = report.runs.iter().map(|run| run.epochs.len()).collect();
    assert_eq!(epochs, [2, 1, 1]);
    let entries: Vec<_> = report.runs.iter().map(|run| run.histograms[0].entries).collect();
    assert_eq!(entries, [50, 100, 50]);
    session.check(&["all.Trigger.arrow"], &wanted);
    session.check(&["r00044.mid", "r00042.Trigger.parquet", "r00043.histos.json"], &wanted);
    // Several outputs of one job say the same.
    session.check(&["all.histos.json", "r00043.Trigger.parquet", "all.mid"], &wanted);
}

#[test]
fn numbers_go_on_over_subruns() {
    let dir = TempDir::new().unwrap();
    let name = |n: u32| dir.path().join(format!("run00042sub{n:04}.mid"));
    let sub = |n: u32| words(MidFile::new().bor(42), n * 40..n * 40 + 40).eor(42).save(name(n));
    let inputs = (0..3).map(sub).collect();
    let session = Files { dir, inputs, outputs: &["r%05d.mid", "r%05d.parquet"] };
    let changes =
        [(30, FACTOR, 5.into()), (42, FACTOR, 6.into()), (70, FACTOR, 7.into()), (100, FACTOR, 8.into())];
    let (report, wanted) = session.session(odb(), &changes);
    assert_eq!(report.runs[0].epochs.len(), 4);
    session.check(&["r00042.Trigger.parquet"], &wanted);
}

#[test]
fn text_with_damage_and_without_a_begin_of_run_is_repeated() {
    let dir = TempDir::new().unwrap();
    let mut text = String::new();
    for serial in 0..100 {
        text += &format!("%ID 7 TR 0 NR {serial}\nLevel\n1.5\n2\nState\n1\n\n");
        text += &format!("%ID 1 TR 0 NR {serial}\nBK ADC0 TP WORD SZ 2\n{serial}\n7\n\n");
        if serial % 7 == 3 {
            text += "%ID 1 TR 0 NR 7\nBK ADC0 TP WORD SZ 2\nrubbish\n\n";
        }
    }
    let input = dir.path().join("stream.asc");
    std::fs::write(&input, text).unwrap();
    let session = Files { dir, inputs: vec![input], outputs: &["r%05d.mid", "r%05d.parquet"] };
    let odb = odb();
    odb.create("/Runinfo/Run number", 99).unwrap();
    let changes: Vec<_> = (1..40).map(|i| (i * 5, FACTOR, Value::from(i as i32))).collect();
    let (report, wanted) = session.session(odb, &changes);
    assert_eq!((report.runs[0].run, report.damage.count), (99, 14));
    assert_eq!(report.runs[0].events[&7].delivered, 100);
    assert!(report.runs[0].epochs.len() > 10, "{}", report.runs[0].epochs.len());
    session.check(&["r00099.Trigger.parquet"], &wanted);
}

#[test]
fn no_begin_of_run_is_no_reason_to_miss_an_epoch() {
    let dir = TempDir::new().unwrap();
    let messages = (0..20).fold(MidFile::new(), |file, _| file.message("still nothing"));
    let input = words(messages, 0..200).save(dir.path().join("run00042.mid"));
    let session = Files { dir, inputs: vec![input], outputs: &["r%05d.mid", "r%05d.parquet"] };
    let changes: Vec<_> = (1..30).map(|i| (20 + i, FACTOR, Value::from(i as i32))).collect();
    let (report, wanted) = session.session(odb(), &changes);
    assert!(report.runs[0].epochs.len() > 2, "{:?}", report.runs[0].epochs);
    session.check(&["r00042.Trigger.parquet"], &wanted);
}

/// Somebody who reads while the session goes on, or a part that was complete before, knows less.
#[test]
fn a_record_that_was_cut_is_made_whole_by_another() {
    let dir = TempDir::new().unwrap();
    let input = words(MidFile::new().bor(42), 0..100).save(dir.path().join("run00042.mid"));
    let session = Files { dir, inputs: vec![input], outputs: &["r%05d.mid"] };
    let (_, wanted) = session.session(odb(), &[(20, FACTOR, 5.into()), (60, FACTOR, 6.into())]);
    let record = session.dir.path().join("r00042.mid.provenance.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    let cut = session.dir.path().join("run_cut.json");
    json["runs"][0]["epochs"].as_array_mut().unwrap().truncate(2);
    std::fs::write(&cut, json.to_string()).unwrap();
    session.check(&["run_cut.json", "r00042.mid"], &wanted);
    session.check(&["r00042.mid", "run_cut.json"], &wanted);
    let again = TempDir::new().unwrap();
    let job = session.job(again.path()).epochs(Recorded::read(&cut).unwrap());
    assert_eq!(analyzer().run(&job).unwrap().runs[0].epochs.len(), 1);
}

#[test]
fn what_cannot_be_applied_is_refused_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    let run = |number: u32| {
        let file = words(MidFile::new().message("before").bor(number), 0..50).eor(number);
        file.save(dir.path().join(format!("run{number:05}.mid")))
    };
    let (first, second) = (run(42), run(43));
    let session = Files { dir, inputs: vec![first], outputs: &["r%05d.mid"] };
    session.session(odb(), &[(20, "Parameters/Sums/Offset", vec![1, 2].into())]);
    let record = session.dir.path().join("r00042.mid.provenance.json");
    let again = TempDir::new().unwrap();
    let job = || session.job(again.path()).epochs(Recorded::read(&record).unwrap());
    let refused = |analyzer: &Analyzer, job: &Job| {
        let error = analyzer.run(job).unwrap_err().to_string();
        assert_eq!(files(again.path()).keys().collect::<Vec<_>>(), Vec::<&String>::new(), "{error}");
        error.replace(&record.display().to_string(), "R")
    };
    assert_eq!(
        refused(&analyzer(), &job().input(&second)),
        "epochs of R: no epochs of run 43, only of 42",
        "the first run is not written either"
    );
    for (flag, job) in [
        ("--odb", Job { odb: Some(Odb::local()), ..job() }),
        ("--odb-load", Job { odb_load: vec!["x.odb".into()], ..job() }),
        ("-c", Job { config: vec!["x.odb".into()], ..job() }),
        ("-p", Job { parameters: vec![("a".into(), "1".into())], ..job() }),
    ] {
        let wanted = format!(
            "--epochs: the recorded values alone are in force, and {flag} would set others: leave {flag} out"
        );
        assert_eq!(refused(&analyzer(), &job), wanted);
    }
    // A module that does not take a value, at begin of run and later.
    let strict = |limit: usize| {
        let trigger = Request::new("Trigger", 1).bank(ADC0.size(limit));
        Analyzer::new("Analyzer").on(trigger).module("Sums", Adds { offset: vec![0; limit] })
    };
    let told = refused(&strict(3), &job());
    assert!(told.contains("parameter \"Offset\" has 2 values, but bank ADC0 has 3 elements: give it 3, in the definition, a -c file or the ODB"), "{told}");
    // Values that are none, and such that a module refuses.
    let wrong = |values: serde_json::Value| {
        let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        json["runs"][0]["epochs"][1]["changed"]["/Analyzer/Parameters/Sums/Offset"] = values;
        let wrong = session.dir.path().join("run_wrong.json");
        std::fs::write(&wrong, json.to_string()).unwrap();
        Recorded::read(&wrong).map_err(|error| error.to_string())
    };
    let told = wrong(serde_json::json!(["1000000000000", "2"])).unwrap_err();
    let wanted = "epoch 1: /Analyzer/Parameters/Sums/Offset: [\"1000000000000\",\"2\"] is no INT";
    assert!(told.ends_with(wanted), "{told}");
    let short = session.job(again.path()).epochs(wrong(serde_json::json!(["5"])).unwrap());
    let told = refused(&analyzer(), &short);
    let wanted = "run_wrong.json: run 42: epoch 1: stage \"Sums\": parameter \"Offset\" has 1 values, but bank ADC0 has 2 elements: give it 2, in the definition, a -c file or the ODB";
    assert!(told.ends_with(wanted), "{told}");
    // An output may not take the place of the record.
    let over = Job::new().input(&session.inputs[0]).epochs(Recorded::read(&record).unwrap());
    let over = over.output(record.to_str().unwrap()).unwrap();
    assert!(refused(&analyzer(), &over).contains("is also an input"));
    // With a part of its modules.
    assert_eq!(strict(2).run(&job()).unwrap().runs[0].epochs.len(), 1);
}
