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
use pactolus::{Recorded, Report};
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
    let outputs = found.filter(|path| !name(path).starts_with("run"));
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

#[test]
fn a_session_is_repeated_bit_by_bit_from_any_of_its_outputs() {
    let session = all_changes();
    let epochs = &session.report.runs[0].epochs;
    let [refused, bins] = &session.report.warnings[..] else { panic!("{:?}", session.report.warnings) };
    assert!(refused.contains("Offset: 10 99 -> 1 does not take effect"), "{refused}");
    assert!(bins.contains("has other bins in a later epoch"), "{bins}");
    assert_eq!(epochs.len(), 44, "{epochs:?}");
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
        assert_eq!(report.runs[0].epochs, session.report.runs[0].epochs);
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
