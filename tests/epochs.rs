//! Parameters and switches that others change while events flow.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt32Type};
use arrow_array::{Array, RecordBatch};
use common::bench::{data, dwords};
use common::modules::{ADC0, Adds, Counter};
use common::stream::Stream;
use pactolus::Change;
use pactolus::odb::Odb;
use pactolus::prelude::*;

const OFFSET: &str = "/Analyzer/Parameters/Sums/Offset";
const SWITCH: &str = "/Analyzer/Module switches/Sums";

/// Adds an offset to each of two words.
fn sums() -> Analyzer {
    let trigger = Request::new("Trigger", 1).bank(ADC0.size(2)).tests();
    Analyzer::new("Analyzer").on(trigger).module("Sums", Adds { offset: vec![10, 20] })
}

fn change(path: &str, old: &str, new: &str) -> Change {
    Change { path: path.into(), old: Some(old.into()), new: Some(new.into()) }
}

/// A bank of signed words of each event of a file.
fn found(path: &Path, bank: &str) -> Vec<Option<Vec<i32>>> {
    let words = |event: &common::Plain| Some(dwords(event, bank)?.into_iter().map(|w| w as i32).collect());
    data(path).iter().map(words).collect()
}

/// Epoch and sums of each row of a table.
fn rows(batches: &[RecordBatch]) -> Vec<(u32, Option<Vec<i32>>)> {
    let mut rows = Vec::new();
    for batch in batches {
        let epochs = batch.column_by_name("epoch").unwrap().as_primitive::<UInt32Type>();
        let sums = batch.column_by_name("SUMS").unwrap().as_list::<i32>();
        for row in 0..batch.num_rows() {
            let values = sums.is_valid(row).then(|| sums.value(row));
            let values = values.map(|v| v.as_primitive::<Int32Type>().values().to_vec());
            rows.push((epochs.value(row), values));
        }
    }
    rows
}

fn parquet(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

fn arrow(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap();
    arrow_ipc::reader::FileReader::try_new(file, None).unwrap().map(Result::unwrap).collect()
}

#[test]
fn each_change_is_one_epoch_at_a_stated_event() {
    for threads in [1, 2, 4] {
        let mut stream = Stream::start(sums, Odb::local(), |mut job, path| {
            for name in ["r%05d.mid", "r%05d.asc", "r%05d.parquet", "r%05d.arrow"] {
                job = job.output(path(name)).unwrap();
            }
            job.threads(threads)
        });
        stream.words(0..3, &[1, 2]);
        stream.set(&format!("{OFFSET}[0]"), "100");
        stream.words(3..5, &[1, 2]);
        stream.set(SWITCH, "n");
        stream.words(5..7, &[1, 2]);
        // What is elsewhere, or no change, is no epoch.
        stream.set(SWITCH, "n");
        stream.odb.create("/Elsewhere/x", 1).unwrap();
        stream.words(7..8, &[1, 2]);
        let (report, dir) = stream.end();

        let (a, b) = (Some(vec![11, 22]), Some(vec![101, 22]));
        let sums = [&a, &a, &a, &b, &b, &None, &None, &None].map(Clone::clone);
        assert_eq!(found(&dir.path().join("r00042.mid"), "SUMS"), sums);
        let wanted: Vec<_> = [0, 0, 0, 1, 1, 2, 2, 2].into_iter().zip(sums).collect();
        assert_eq!(rows(&parquet(&dir.path().join("r00042.Trigger.parquet"))), wanted);
        assert_eq!(rows(&arrow(&dir.path().join("r00042.Trigger.arrow"))), wanted);
        let text = std::fs::read_to_string(dir.path().join("r00042.asc")).unwrap();
        let firsts = text.lines().skip_while(|line| !line.starts_with("%ID 1")).collect::<Vec<_>>();
        let firsts =
            firsts.windows(2).filter(|pair| pair[0].starts_with("BK SUMS")).map(|pair| pair[1].trim());
        assert_eq!(firsts.collect::<Vec<_>>(), ["11", "11", "11", "101", "101"], "{text}");

        let run = &report.runs[0];
        let epochs: Vec<_> = run.epochs.iter().map(|e| (e.epoch, e.first_event, &*e.changes)).collect();
        let offset = change("/Analyzer/Parameters/Sums/Offset[0]", "10", "100");
        let switch = change("/Analyzer/Module switches/Sums", "y", "n");
        // The BOR is event 1.
        assert_eq!(epochs, [(1, 5, &[offset][..]), (2, 7, &[switch][..])]);
        assert_eq!((run.stages[0].entered, run.stages[0].on), (5, false));
        let explained = run.parameters.iter().find(|p| p.path == OFFSET).unwrap();
        assert_eq!((&*explained.value, &*explained.origin), ("100 20", "changed before event 5"));
        assert_eq!(report.warnings, Vec::<String>::new());

        let text = std::fs::read(dir.path().join("r00042.mid.provenance.json")).unwrap();
        let provenance: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let epochs = provenance["runs"][0]["epochs"].as_array().unwrap();
        let told = |i: usize| {
            let values = &epochs[i][if i == 0 { "values" } else { "changed" }];
            let value = |path: &str| values[path].to_string();
            (epochs[i]["epoch"].as_u64(), epochs[i]["first_event"].as_u64(), value(OFFSET), value(SWITCH))
        };
        assert_eq!(told(0), (Some(0), None, r#"["10","20"]"#.into(), r#""y""#.into()));
        assert_eq!(told(1), (Some(1), Some(5), r#"["100","20"]"#.into(), "null".into()));
        assert_eq!(told(2), (Some(2), Some(7), "null".into(), r#""n""#.into()));
        assert_eq!(epochs.len(), 3);
    }
}

#[test]
fn several_changes_between_two_blocks_are_one_epoch() {
    let mut stream = Stream::start(sums, Odb::local(), |job, path| job.output(path("r.mid")).unwrap());
    stream.words(0..1, &[1, 2]);
    stream.set(&format!("{OFFSET}[0]"), "11");
    stream.set(&format!("{OFFSET}[0]"), "12");
    stream.set(&format!("{OFFSET}[1]"), "30");
    stream.words(1..2, &[1, 2]);
    // There and back again is none.
    stream.set(&format!("{OFFSET}[0]"), "99");
    stream.set(&format!("{OFFSET}[0]"), "12");
    stream.words(2..3, &[1, 2]);
    let (report, dir) = stream.end();
    let sums = [vec![11, 22], vec![13, 32], vec![13, 32]].map(Some);
    assert_eq!(found(&dir.path().join("r.mid"), "SUMS"), sums);
    let [epoch] = &report.runs[0].epochs[..] else { panic!("{:?}", report.runs[0].epochs) };
    let at = |i: usize| format!("/Analyzer/Parameters/Sums/Offset[{i}]");
    assert_eq!(epoch.changes, [change(&at(0), "10", "12"), change(&at(1), "20", "30")]);
    assert_eq!(epoch.more, 0);
}

#[test]
fn an_array_that_grows_and_many_changes_are_told() {
    let mut stream = Stream::start(sums, Odb::local(), |job, _| job);
    stream.words(0..1, &[1, 2]);
    let (grown, more): (Vec<i32>, Vec<i32>) = ((0..30).collect(), (0..30).map(|i| i + 1).collect());
    stream.odb.set(OFFSET, grown).unwrap();
    stream.words(1..2, &[1, 2]);
    stream.odb.set(OFFSET, more).unwrap();
    stream.words(2..3, &[1, 2]);
    let (report, _) = stream.end();
    let epochs = &report.runs[0].epochs;
    assert_eq!((epochs.len(), epochs[0].changes.len(), epochs[1].changes.len()), (2, 1, 20));
    assert!(epochs[0].changes[0].to_string().starts_with(&format!("{OFFSET}: 10 20 -> 0 1 2 ")));
    assert_eq!((epochs[0].more, epochs[1].more), (0, 10));
}

/// A bank that is switched off in the middle of a run is null from there on; one that is switched on
/// late is null before.
#[test]
fn banks_are_switched_off_and_on() {
    let switches = "/Analyzer/Bank switches/ADC0";
    let mut stream = Stream::start(sums, Odb::local(), |mut job, path| {
        job.parameters.push((switches.into(), "0".into()));
        job.output(path("r.mid")).unwrap().output(path("r.parquet")).unwrap().output(path("r.asc")).unwrap()
    });
    for (serial, on) in [(0, "1"), (1, "0"), (2, "1")] {
        stream.words(serial..serial + 1, &[serial as u16, 2]);
        stream.set(switches, on);
    }
    stream.words(3..4, &[3, 2]);
    let (report, dir) = stream.end();
    assert_eq!(report.runs[0].epochs.len(), 3);
    let banks = |e: &common::Plain| e.banks.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>();
    let (both, one) = (vec!["ADC0", "SUMS"], vec!["SUMS"]);
    let written: Vec<_> = data(&dir.path().join("r.mid")).iter().map(banks).collect();
    assert_eq!(written, [&one, &both, &one, &both].map(Clone::clone));
    let mut values = Vec::new();
    for batch in parquet(&dir.path().join("r.Trigger.parquet")) {
        let column = batch.column_by_name("ADC0").unwrap().as_list::<i32>();
        let value = |row| column.value(row).as_primitive::<arrow_array::types::UInt16Type>().value(0);
        values.extend((0..batch.num_rows()).map(|row| column.is_valid(row).then(|| value(row))));
    }
    assert_eq!(values, [None, Some(1), None, Some(3)]);
    let text = std::fs::read_to_string(dir.path().join("r.asc")).unwrap();
    assert_eq!(text.matches("BK ADC0").count(), 2);
    assert_eq!(report.runs[0].refused, 0);
}

#[test]
fn what_cannot_be_taken_leaves_the_epoch_in_force_and_is_said_once() {
    let mut stream = Stream::start(sums, Odb::local(), |job, path| job.output(path("r.mid")).unwrap());
    stream.words(0..1, &[1, 2]);
    // Shorter than its bank.
    stream.odb.set(OFFSET, vec![5]).unwrap();
    stream.words(1..2, &[1, 2]);
    stream.odb.create("/Elsewhere/x", 1).unwrap();
    stream.words(2..3, &[1, 2]);
    // A switch that is no switch.
    stream.odb.change(|tree| tree.replace(SWITCH, 5)).unwrap();
    stream.words(3..4, &[1, 2]);
    // All is well again, with another value.
    stream.odb.change(|tree| tree.replace(SWITCH, true).and_then(|()| tree.set(OFFSET, vec![7, 8]))).unwrap();
    stream.words(4..5, &[1, 2]);
    let (report, dir) = stream.end();
    let (before, behind) = (Some(vec![11, 22]), Some(vec![8, 10]));
    let sums = [&before, &before, &before, &before, &behind].map(Clone::clone);
    assert_eq!(found(&dir.path().join("r.mid"), "SUMS"), sums);
    assert_eq!(report.runs[0].epochs.len(), 1, "{:?}", report.runs[0].epochs);
    assert_eq!((report.runs[0].epochs[0].epoch, report.runs[0].epochs[0].first_event), (1, 6));
    assert!(report.is_clean());
    let [short, switch] = &report.warnings[..] else { panic!("{:?}", report.warnings) };
    assert_eq!(
        short,
        "run 42, before event 3: the change of /Analyzer/Parameters/Sums/Offset: 10 20 -> 5 does not take effect, epoch 0 goes on: stage \"Sums\": parameter \"Offset\" has 1 values, but bank ADC0 has 2 elements: give it 2, in the definition, a -c file or the ODB"
    );
    assert!(switch.starts_with("run 42, before event 5: the change of "), "{switch}");
    assert!(switch.contains(SWITCH), "{switch}");
}

/// What a sequential module makes of the sum so far.
const PART: BankDef<i32> = BankDef::new(b"PART");

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
    /// How often the run has begun for it.
    #[key(skip)]
    begun: i32,
    #[key(skip)]
    large: Test,
    #[key(skip)]
    sums: Hist1,
}

impl Sequential for Sum {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(PART)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.large = setup.test("large");
        self.sums = setup.book("Sums", Hist1::new(Axis::regular(self.bins as usize, 0.0, 100.0)))?;
        Ok(())
    }

    fn bor(&mut self, _: &Run) -> Result<()> {
        self.begun += 1;
        Ok(())
    }

    fn event(&mut self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        self.sum += i32::from(adc.at(0));
        context.set(self.large, self.sum > 15);
        context.fill(self.sums, self.sum);
        event.append(PART, &[self.sum * self.factor, self.begun])?;
        Ok(Keep)
    }
}

/// A wide module that books a test and a histogram before those of [`Sum`].
#[derive(Record, Clone)]
struct Books {
    /// Bins of its histogram
    #[key("Bins", default = 10, min = 1)]
    bins: u32,
    #[key(skip)]
    odd: Test,
    #[key(skip)]
    serials: Hist1,
}

impl Module for Books {
    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.odd = setup.test("odd");
        self.serials = setup.book("Serials", Hist1::new(Axis::regular(self.bins as usize, 0.0, 100.0)))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        context.set(self.odd, event.serial() % 2 == 1);
        context.fill(self.serials, event.serial());
        Ok(Keep)
    }
}

fn sum() -> Analyzer {
    let trigger = Request::new("Trigger", 1).bank(ADC0.size(1)).tests();
    Analyzer::new("Analyzer")
        .on(trigger)
        .module("Books", Books::defaults())
        .sequential("Sum", Sum::defaults())
        .sequential("Count", Counter::defaults())
}

const FACTOR: &str = "/Analyzer/Parameters/Sum/Factor";

#[test]
fn a_sequential_module_keeps_what_it_remembers() {
    for threads in [1, 3] {
        let mut stream =
            Stream::start(sum, Odb::local(), |job, path| job.output(path("r.mid")).unwrap().threads(threads));
        stream.words(0..2, &[3]);
        stream.set(FACTOR, "10");
        stream.words(2..4, &[3]);
        stream.set("/Analyzer/Module switches/Sum", "n");
        stream.words(4..5, &[3]);
        stream.set(FACTOR, "100");
        stream.words(5..6, &[3]);
        stream.set("/Analyzer/Module switches/Sum", "y");
        stream.words(6..8, &[3]);
        let (report, dir) = stream.end();
        let told = |n: i32| Some(vec![n, 1]);
        let wanted = [told(3), told(6), told(90), told(120), None, None, told(1500), told(1800)];
        assert_eq!(found(&dir.path().join("r.mid"), "PART"), wanted);
        // The other goes on counting.
        let seen = found(&dir.path().join("r.mid"), "SEEN").into_iter().map(|seen| seen.unwrap()[0]);
        assert_eq!(seen.collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
        let run = &report.runs[0];
        assert_eq!(run.epochs.len(), 4);
        assert_eq!(run.errors, Vec::<String>::new());
        let tests: Vec<_> = run.tests.iter().map(|(name, count)| (&**name, *count)).collect();
        assert_eq!(tests, [("Always true", 8), ("odd", 4), ("large", 1)]);
        let entries: Vec<_> = run.histograms.iter().map(|h| (&*h.name, h.entries)).collect();
        assert_eq!(entries, [("Books/Serials", 8), ("Sum/Sums", 6)]);
    }
}

#[test]
fn a_stage_that_is_switched_on_late_begins_there() {
    let switches = "/Analyzer/Module switches";
    let mut stream = Stream::start(sum, Odb::local(), |mut job, path| {
        for stage in ["Books", "Sum"] {
            job.parameters.push((format!("{switches}/{stage}"), "n".into()));
        }
        job.output(path("r.mid")).unwrap()
    });
    stream.words(0..2, &[8]);
    stream.set(&format!("{switches}/Sum"), "y");
    stream.words(2..4, &[8]);
    // This one books before the other: the handles of the other change.
    stream.set(&format!("{switches}/Books"), "y");
    stream.words(4..6, &[8]);
    let (report, dir) = stream.end();
    let told = |n: i32| Some(vec![n, 1]);
    let wanted = [None, None, told(8), told(16), told(24), told(32)];
    assert_eq!(found(&dir.path().join("r.mid"), "PART"), wanted);
    let run = &report.runs[0];
    let tests: Vec<_> = run.tests.iter().map(|(name, count)| (&**name, *count)).collect();
    assert_eq!(tests, [("Always true", 4), ("large", 3), ("odd", 1)]);
    let entries: Vec<_> = run.histograms.iter().map(|h| (&*h.name, h.entries)).collect();
    assert_eq!(entries, [("Books/Serials", 2), ("Sum/Sums", 4)]);
    assert_eq!(run.errors, Vec::<String>::new());
}

#[test]
fn histograms_of_all_epochs_are_added_and_of_other_bins_the_later_are_kept() {
    let mut stream = Stream::start(sum, Odb::local(), |job, path| job.output(path("r.json")).unwrap());
    stream.words(0..3, &[3]);
    stream.set("/Analyzer/Parameters/Books/Bins", "20");
    stream.words(3..5, &[3]);
    stream.set(FACTOR, "7");
    stream.words(5..6, &[3]);
    let (report, dir) = stream.end();
    let run = &report.runs[0];
    assert_eq!(run.epochs.len(), 2);
    let entries: Vec<_> = run.histograms.iter().map(|h| (&*h.name, h.entries)).collect();
    assert_eq!(entries, [("Books/Serials", 3), ("Sum/Sums", 6)]);
    let kept = pactolus::histo::Histograms::read(&dir.path().join("r.json")).unwrap();
    assert_eq!(kept.get("Books/Serials").unwrap().view().cells(), 22);
    assert_eq!(kept.get("Sum/Sums").unwrap().stats().mean_x, (3 + 6 + 9 + 12 + 15 + 18) as f64 / 6.0);
    let wanted = "histogram \"Books/Serials\" has other bins in a later epoch of run 42: what was filled before is left out";
    assert_eq!(report.warnings, [wanted]);
}

/// Refuses to be prepared again.
#[derive(Record, Clone)]
struct Stubborn {
    /// Anything
    #[key("Value", default = 0)]
    value: i32,
    #[key(skip)]
    seen: i32,
}

impl Sequential for Stubborn {
    fn banks(&self) -> Banks {
        Banks::default().write(PART)
    }

    fn prepare(&mut self, _: &mut Setup) -> Result<()> {
        if self.seen > 0 { Err("not again".into()) } else { Ok(()) }
    }

    fn event(&mut self, event: &Event, _: &Context) -> Result<Verdict> {
        self.seen += 1;
        event.append(PART, &[self.seen, self.value])?;
        Ok(Keep)
    }
}

#[test]
fn a_sequential_module_that_cannot_go_on_begins_anew_and_says_so() {
    let analyzer = || {
        Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).sequential("Stubborn", Stubborn::defaults())
    };
    let mut stream = Stream::start(analyzer, Odb::local(), |job, path| job.output(path("r.mid")).unwrap());
    stream.words(0..2, &[1]);
    stream.set("/Analyzer/Parameters/Stubborn/Value", "7");
    stream.words(2..4, &[1]);
    let (report, dir) = stream.end();
    let wanted = [[1, 0], [2, 0], [1, 7], [2, 7]].map(|values| Some(values.to_vec()));
    assert_eq!(found(&dir.path().join("r.mid"), "PART"), wanted);
    let errors = &report.runs[0].errors;
    assert_eq!(errors[..], ["stage \"Stubborn\", epoch 1: not again; it has lost what it remembered"]);
    assert!(!report.is_clean());
}

/// What has come of a compressed stream may hold more than was given: blocks are as large as ever.
#[test]
fn a_compressed_stream_is_read_as_without_a_shared_odb() {
    let analyzer = || Analyzer::new("Analyzer").on(Request::new("Trigger", 1));
    let mut stream = Stream::start(analyzer, Odb::local(), |job, path| job.output(path("r.mid")).unwrap());
    let run = common::bench::plain_run(1000);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &run.bytes).unwrap();
    stream.send(&common::MidFile { bytes: packed.finish().unwrap() }, 1);
    let (report, dir) = stream.finish();
    assert_eq!((report.runs[0].events[&1].offered, report.runs[0].system), (1000, 2));
    assert_eq!(data(&dir.path().join("r.mid")).len(), 1000);
}

fn told(stream: Stream) -> (pactolus::Report, Vec<Option<Vec<i32>>>, serde_json::Value) {
    let (report, dir) = stream.end();
    let sums = found(&dir.path().join("r.mid"), "SUMS");
    let text = std::fs::read(dir.path().join("r.mid.provenance.json")).unwrap();
    (report, sums, serde_json::from_slice(&text).unwrap())
}

#[test]
fn what_lies_behind_links_is_followed() {
    let odb = Odb::local();
    odb.change(|tree| {
        tree.create("/Shared/Offsets", vec![10, 20])?;
        tree.create("/Shared/Switches/Sums", true)?;
        tree.create_link(OFFSET, "/Shared/Offsets")?;
        tree.create_link("/Analyzer/Module switches", "/Shared/Switches")
    })
    .unwrap();
    let mut stream = Stream::start(sums, odb, |job, path| job.output(path("r.mid")).unwrap());
    stream.words(0..1, &[1, 2]);
    stream.set("/Shared/Offsets[0]", "100");
    stream.words(1..2, &[1, 2]);
    stream.set("/Shared/Switches/Sums", "n");
    stream.words(2..3, &[1, 2]);
    stream.odb.create("/Shared/Other", 1).unwrap();
    stream.words(3..4, &[1, 2]);
    let (report, sums, provenance) = told(stream);
    assert_eq!(sums, [Some(vec![11, 22]), Some(vec![101, 22]), None, None]);
    let changes: Vec<_> = report.runs[0].epochs.iter().flat_map(|epoch| epoch.changes.clone()).collect();
    assert_eq!(changes, [change(&format!("{OFFSET}[0]"), "10", "100"), change(SWITCH, "y", "n")]);
    let explained = report.runs[0].parameters.iter().find(|p| p.path == OFFSET).unwrap();
    assert_eq!((&*explained.value, &*explained.origin), ("100 20", "changed before event 3"));
    let values = &provenance["runs"][0]["epochs"][0]["values"];
    assert_eq!(
        (values[OFFSET].to_string(), values[SWITCH].to_string()),
        (r#"["10","20"]"#.into(), r#""y""#.into())
    );
    // The ODB keeps its links.
    assert_eq!(report.odb.unwrap().find_link(OFFSET).unwrap().key.tid(), Tid::Link);
}

/// What somebody deletes has the value that it would have at begin of run, and stays listed.
#[test]
fn deleted_keys_have_their_defaults() {
    let mut stream = Stream::start(sums, Odb::local(), |job, path| job.output(path("r.mid")).unwrap());
    stream.words(0..1, &[1, 2]);
    // No value changes.
    stream.odb.delete("/Analyzer/Parameters").unwrap();
    stream.odb.delete("/Analyzer/Bank switches/ADC0").unwrap();
    stream.words(1..2, &[1, 2]);
    stream.odb.create(OFFSET, vec![100, 20]).unwrap();
    stream.words(2..3, &[1, 2]);
    stream.odb.delete("/Analyzer").unwrap();
    stream.words(3..4, &[1, 2]);
    assert!(!stream.odb.exists(OFFSET));
    let (report, sums, _) = told(stream);
    assert_eq!(sums, [[11, 22], [11, 22], [101, 22], [11, 22]].map(|sums| Some(sums.to_vec())));
    let changes: Vec<_> = report.runs[0].epochs.iter().flat_map(|epoch| epoch.changes.clone()).collect();
    let at = format!("{OFFSET}[0]");
    assert_eq!(changes, [change(&at, "10", "100"), change(&at, "100", "10")]);
    assert_eq!(report.runs[0].parameters.iter().find(|p| p.path == OFFSET).unwrap().value, "10 20");
}

#[derive(Record, Clone)]
struct Gains {
    /// A name as of an element
    #[key("Gain [x]", default = 1)]
    gain: i32,
}

impl Module for Gains {
    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        event.append(PART, &[self.gain])?;
        Ok(Keep)
    }
}

#[test]
fn a_name_in_brackets_has_an_origin() {
    let analyzer = || {
        Analyzer::new("Analyzer").on(Request::new("Trigger", 1).bank(PART)).module("Gains", Gains::defaults())
    };
    let mut stream = Stream::start(analyzer, Odb::local(), |job, _| job);
    stream.words(0..1, &[1, 2]);
    stream.set("/Analyzer/Parameters/Gains/Gain [x]", "5");
    stream.words(1..2, &[1, 2]);
    let (report, _) = stream.end();
    let explained = &report.runs[0].parameters[0];
    assert_eq!((&*explained.value, &*explained.origin), ("5", "changed before event 3"));
}

/// Of the settings of a request only those count that the analyzer reads.
#[test]
fn what_nobody_reads_is_no_epoch() {
    let mut stream = Stream::start(sums, Odb::local(), |job, _| job);
    stream.words(0..1, &[1, 2]);
    stream.odb.set("/Analyzer/Trigger/Common/Host", "elsewhere").unwrap();
    stream.words(1..2, &[1, 2]);
    stream.set("/Analyzer/Trigger/Common/Enabled", "n");
    stream.words(2..3, &[1, 2]);
    let (report, _) = stream.end();
    let [epoch] = &report.runs[0].epochs[..] else { panic!("{:?}", report.runs[0].epochs) };
    assert_eq!(epoch.changes, [change("/Analyzer/Trigger/Common/Enabled", "y", "n")]);
}

/// Columns and text of FIXED events are settled at begin of run.
#[test]
fn a_request_does_not_go_from_banks_to_fixed_events_within_a_run() {
    let odb = Odb::local();
    odb.create("/Equipment/Slow/Common/Event ID", 7_u16).unwrap();
    odb.create("/Equipment/Slow/Common/Format", "FIXED").unwrap();
    odb.create("/Equipment/Slow/Variables/Value", 0).unwrap();
    let mut stream = Stream::start(sums, odb, |job, path| job.output(path("r.mid")).unwrap());
    stream.words(0..1, &[1, 2]);
    stream.set("/Analyzer/Trigger/Common/Event ID", "7");
    stream.words(1..2, &[1, 2]);
    let (report, sums, _) = told(stream);
    assert_eq!(sums, [Some(vec![11, 22]), Some(vec![11, 22])]);
    let [warning] = &report.warnings[..] else { panic!("{:?}", report.warnings) };
    assert!(warning.ends_with("takes effect at the next run"), "{warning}");
}

#[test]
fn slips_without_end_are_told_twenty_times() {
    let mut stream = Stream::start(sums, Odb::local(), |job, _| job);
    for serial in 0..25 {
        stream.words(serial..serial + 1, &[1, 2]);
        stream.odb.set(OFFSET, vec![serial as i32]).unwrap();
    }
    let (report, _) = stream.end();
    assert_eq!((report.warnings.len(), report.runs[0].epochs.len()), (21, 0));
    assert_eq!(report.warnings[20], "run 42: more changes do not take effect, they are not listed");
}
