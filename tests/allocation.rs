//! After warm-up nothing is allocated per event, and memory does not grow with the file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use common::modules::does;
use common::{MidFile, catalogue, definition};
use pactolus::Definition;
use pactolus::harness::{Allocations, Harness, event};
use pactolus::prelude::*;
use tempfile::TempDir;

#[global_allocator]
static COUNTING: Allocations = Allocations;

/// One measurement at a time: the counters are those of the process.
static ALONE: Mutex<()> = Mutex::new(());

/// Events of a file: in the shorter one, every block in flight has been used once.
const FEW: u32 = 80_000;
const MANY: u32 = 10 * FEW;

/// A block of a mebibyte, some 16,000 events, may cost this many: its task, its items on the way to
/// the fold, its account. Measured: 22.
const PER_BLOCK: i64 = 40;

/// A run of Trigger events, with one Scaler event before each `scaler`th.
fn write(path: &Path, events: u32, scaler: Option<u32>) {
    let mut file = MidFile::new().bor(1);
    for serial in 0..events {
        if scaler.is_some_and(|n| serial.is_multiple_of(n)) {
            let counts: Vec<u8> = [serial, 1, 2, 3].iter().flat_map(|n| n.to_le_bytes()).collect();
            file = file.event(2, serial, &[("SCLR", Tid::Dword, &counts)]);
        }
        let adc: Vec<u8> = (0..4).flat_map(|i| ((serial + i) as u16 % 4096).to_le_bytes()).collect();
        file = file.event(1, serial, &[("ADC0", Tid::Word, &adc), ("TDC0", Tid::Word, &adc)]);
    }
    file.eor(1).save(path);
}

/// Allocations and peak of memory in use of the sample chain over a file.
fn measure(path: &Path, threads: usize, output: Option<&str>) -> (u64, usize) {
    let definition = fs::read_to_string(definition("analyzer")).unwrap();
    let definition = definition.replacen("modules = [", "modules = [\n  { type = \"Prescale\" },", 1);
    let definition = Definition::parse(&definition, "analyzer.toml").unwrap();
    let analyzer = Analyzer::from_definition(&definition, &catalogue()).unwrap();
    let mut job = Job { block: 1 << 20, ..Job::new().input(path).threads(threads) };
    for bank in ["ADC0", "TDC0", "CADC", "ASUM", "SCLR", "ACUM"] {
        job.parameters.push((format!("/Analyzer/Bank switches/{bank}"), "1".into()));
    }
    if let Some(extension) = output {
        let name = path.with_file_name(format!("out.{extension}"));
        job = job.output(name.to_str().unwrap()).unwrap();
    }
    let before = Allocations::made();
    Allocations::forget_peak();
    let start = Allocations::in_use();
    let report = analyzer.run(&job).unwrap();
    let counts = (Allocations::made() - before, Allocations::peak() - start);
    assert!(report.is_clean() && report.total().delivered >= u64::from(FEW), "{report:?}");
    let kept: u64 = report.runs[0].requests.iter().map(|r| r.account.kept).sum();
    assert_eq!(kept, report.total().offered);
    counts
}

/// Few events, and ten times as many.
struct Runs {
    dir: TempDir,
    /// Bytes that the second run has more.
    more: u64,
}

impl Runs {
    fn new(scaler: Option<u32>) -> Runs {
        let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
        let mut runs = Runs { dir: TempDir::new().unwrap(), more: 0 };
        let [few, many] = runs.paths();
        write(&few, FEW, scaler);
        write(&many, MANY, scaler);
        runs.more = many.metadata().unwrap().len() - few.metadata().unwrap().len();
        runs
    }

    fn paths(&self) -> [PathBuf; 2] {
        ["run00001.mid", "run00002.mid"].map(|name| self.dir.path().join(name))
    }

    /// Growth from the first to the second: allocations by block, peak of memory in use.
    fn growth(&self, threads: usize, output: Option<&str>) -> (i64, i64) {
        let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
        let [few, many] = self.paths();
        // What is made once in a process is not of interest.
        measure(&few, threads, output);
        let blocks = self.more >> 20;
        let (few, many) = (measure(&few, threads, output), measure(&many, threads, output));
        ((many.0 as i64 - few.0 as i64) / blocks as i64, many.1 as i64 - few.1 as i64)
    }
}

#[test]
fn wide_stages_allocate_nothing_per_event() {
    let (allocations, _) = Runs::new(None).growth(1, None);
    assert!(allocations < PER_BLOCK, "{allocations} allocations per block");
}

#[test]
fn sequential_stages_allocate_nothing_per_event() {
    let (allocations, _) = Runs::new(Some(10)).growth(1, None);
    assert!(allocations < PER_BLOCK, "{allocations} allocations per block");
}

/// What compressors and the libraries of tables allocate goes by their pieces, pages and row groups.
#[test]
fn writers_allocate_nothing_per_event() {
    let runs = Runs::new(Some(10));
    for (output, more) in [
        ("mid", 0),
        ("asc", 0),
        ("mid.gz", 60),
        ("mid.lz4", 60),
        ("mid.zst", 60),
        ("mid.bz2", 60),
        ("asc.gz", 120),
        ("arrow", 600),
        ("parquet", 1600),
    ] {
        for threads in [1, 2] {
            let (allocations, _) = runs.growth(threads, Some(output));
            println!("{output}, {threads} threads: {allocations} allocations per block");
            // More threads make more tickets, which grow with the tests of the stretches between scaler
            // events: some 1600 in a block.
            let most = PER_BLOCK + more + if threads > 1 { 1000 } else { 0 };
            assert!(allocations < most, "{output}: {allocations} allocations per block of 16000 events");
        }
    }
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let runs = Runs::new(None);
    for threads in [1, 2] {
        let (_, peak) = runs.growth(threads, None);
        // The short file does not need the block of every ticket, which is of half a MiB and may have as
        // much room behind it, and one is being read. How many are in use depends on what else runs.
        let blocks = 2 * (2 * threads as i64 + 2) + 1;
        assert!(peak < blocks << 20, "{peak} bytes more with {threads} threads");
    }
}

#[test]
fn the_counter_counts() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let before = Allocations::made();
    let boxes: Vec<Box<u32>> = (0..1000).map(Box::new).collect();
    let counted = Allocations::made() - before;
    assert!(counted >= 1000, "{counted} for {} boxes", boxes.len());
}

#[test]
fn the_harness_names_a_stage_that_allocates() {
    let allocates = does(|event, _| {
        if event.serial() == 2 {
            drop(std::hint::black_box(vec![event.serial(); 9]));
        }
        Ok(Keep)
    });
    let harness = Harness::of("Summing", does(|_, _| Ok(Keep))).then("Copying", allocates);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| harness.check(vec![event(1); 4])));
    let panic = panic.unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("stage \"Copying\" makes 1 allocation for event 2: "), "{text}");
    assert!(harness.check(vec![event(1); 2]).event(1).is_kept());
}
