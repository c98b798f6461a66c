//! A live run with everything that can come in its way: a module ten times too slow, parameters that another
//! process changes, an analyzer that is killed and attached anew. Every event is in one account, and each
//! epoch can be had again offline. And days of runs, which need no more memory than the first hour.
//!
//! `PACTOLUS_EVENTS` (20,000) and `PACTOLUS_RUNS` (60) make it longer.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt32Type};
use common::MidFile;
use pactolus::odb::Odb;
use pactolus::prelude::*;
use pactolus_cli::App;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;

/// Arguments of the analyzer that this program becomes, one a line.
const ARGUMENTS: &str = "PACTOLUS_TEST_ARGUMENTS";

/// Parameters are changed so often.
const FLIPS: usize = 100;
const KILLS: usize = 3;

const RAW: BankDef<u16> = BankDef::new(b"ADC0");
/// What the module has made of the first word, and its parameter then.
const DONE: BankDef<i32> = BankDef::new(b"DONE");

/// Takes its time.
#[derive(Record, Clone)]
struct Slow {
    #[key("Value", default = 0)]
    value: i32,
    /// Time that each event takes [us]
    #[key("Time", default = 0, min = 0)]
    time: i32,
}

impl Module for Slow {
    fn banks(&self) -> Banks {
        Banks::read(RAW).write(DONE)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        if self.time > 0 {
            std::thread::sleep(Duration::from_micros(self.time as u64));
        }
        let Some(raw) = event.get(RAW)? else { return Ok(Keep) };
        event.append(DONE, &[i32::from(raw.at(0)) + self.value, self.value])?;
        // Some are skipped, some fail.
        match event.serial() % 100 {
            7 => Ok(Skip),
            8 => Err("as it is made".into()),
            _ => Ok(Keep),
        }
    }
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// No test: what the others start as the analyzer.
#[test]
fn analyzer() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let arguments: Vec<std::ffi::OsString> = arguments.lines().map(Into::into).collect();
    let app = App::new(Catalogue::new().module::<Slow>("Slow"));
    let code = pactolus_cli::run(&app, &arguments, &mut std::io::stdout(), &mut std::io::stderr());
    std::process::exit(code.into());
}

struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let dir = TempDir::new().unwrap();
        for name in ["data", "out", "again"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let definition = "
            name = 'Analyzer'
            [[request]]
            name = 'Trigger'
            id = 1
            [request.banks]
            ADC0 = { type = 'WORD[4]' }
            [[request.module]]
            type = 'Slow'
            name = 'Slow'
        ";
        fs::write(dir.path().join("lab.toml"), definition).unwrap();
        Scene { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The analyzer, with these arguments.
    fn start(&self, arguments: &[&str]) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "analyzer", "--nocapture"])
            .env(ARGUMENTS, arguments.join("\n"))
            .current_dir(self.dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }
}

fn events(run: u32, serials: std::ops::Range<u32>) -> MidFile {
    let begin = if serials.start == 0 { MidFile::new().bor(run) } else { MidFile::new() };
    serials.fold(begin, |file, serial| file.words(1, serial, "ADC0", &[serial as u16, 2, 3, 4]))
}

/// The parts or the only table of request Trigger in a directory.
fn tables(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.to_str().is_some_and(|name| name.contains(".Trigger.") && name.ends_with(".parquet"))
        })
        .collect();
    found.sort();
    found
}

/// A member of a table's metadata, and epoch and value of each row.
fn read(path: &Path) -> (Value, Vec<(u32, Vec<i32>)>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let ledger = metadata.iter().find(|pair| pair.key == "pactolus.ledger").unwrap();
    let ledger = serde_json::from_str(ledger.value.as_ref().unwrap()).unwrap();
    let mut rows = Vec::new();
    for batch in reader.build().unwrap().map(std::result::Result::unwrap) {
        let epochs = batch.column_by_name("epoch").unwrap().as_primitive::<UInt32Type>().clone();
        let done = batch.column_by_name("DONE").unwrap().as_list::<i32>().clone();
        for row in 0..batch.num_rows() {
            let done = done.value(row);
            rows.push((epochs.value(row), done.as_primitive::<Int32Type>().values().to_vec()));
        }
    }
    (ledger, rows)
}

#[test]
fn every_event_is_in_one_account_whatever_comes() {
    let count = number("PACTOLUS_EVENTS", 20_000) as u32;
    let scene = Scene::new();
    let odb = Odb::create_in(scene.path("odb")).unwrap();
    // The writer is ten times as fast as the module.
    let (rate, time) = (100_000, 200);
    odb.create("/Analyzer/Parameters/Slow/Time", time).unwrap();
    odb.create("/Analyzer/Parameters/Slow/Value", 0).unwrap();
    let path = scene.path("data/run00042.mid");
    let writer = std::thread::spawn({
        let path = path.clone();
        move || {
            let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
            let begun = Instant::now();
            for first in (0..count).step_by(1000) {
                let next = count.min(first + 1000);
                let bytes = events(42, first..next).bytes;
                // Cut anywhere.
                let (piece, rest) = bytes.split_at(bytes.len() * 2 / 3 + 1);
                file.write_all(piece).unwrap();
                file.write_all(rest).unwrap();
                let due = begun + Duration::from_secs_f64(f64::from(next) / f64::from(rate));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            file.write_all(&MidFile::new().eor(42).bytes).unwrap();
        }
    });
    let arguments = [
        "analyze",
        "follow:data",
        "-r",
        "42",
        "42",
        "-a",
        "lab.toml",
        "--odb",
        "odb",
        "-j",
        "2",
        "-q",
        "-o",
        "out/run%05d.parquet",
        "--rotate",
        "0.3",
    ];
    let mut child = scene.start(&arguments);
    let (mut kills, mut replaced) = (0, 0);
    for flip in 1..=FLIPS {
        // Over the time that all of it takes without the kills.
        std::thread::sleep(Duration::from_secs_f64(
            f64::from(count) * f64::from(time) * 0.6e-6 / FLIPS as f64,
        ));
        let set = format!("set '/Analyzer/Parameters/Slow/Value' {flip}");
        let set = Command::new(env!("CARGO_BIN_EXE_pactolus"))
            .arg("odb")
            .arg(scene.path("odb"))
            .args(["-c", &set])
            .status()
            .unwrap();
        assert!(set.success());
        if kills < KILLS && flip % 12 == 0 {
            kills += 1;
            child.kill().unwrap();
            child.wait().unwrap();
            replaced += tables(&scene.path("out")).len();
            child = scene.start(&arguments);
        }
    }
    writer.join().unwrap();
    // A module error is no more than that.
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(kills == KILLS && replaced > 0, "{kills} kills, {replaced} parts of killed analyzers");

    let parts = tables(&scene.path("out"));
    assert!(parts.len() > 2, "{parts:?}");
    let names: Vec<&str> = parts.iter().map(|path| path.to_str().unwrap()).collect();
    let merged = scene.path("out/whole.parquet");
    let merge = Command::new(env!("CARGO_BIN_EXE_pactolus"))
        .arg("merge")
        .args(&names)
        .arg("-o")
        .arg(&merged)
        .output()
        .unwrap();
    assert!(merge.status.success(), "{}", String::from_utf8_lossy(&merge.stderr));
    let (ledger, rows) = read(&merged);
    let run = &ledger[0];
    let source = &run["events"]["1"];
    let of = |account: &Value, name: &str| account[name].as_u64().unwrap();
    let all = u64::from(count);
    assert_eq!((of(source, "offered"), of(source, "delivered")), (all, all), "{ledger}");
    for name in ["overrun", "stale", "too_big", "damaged", "unattended", "unrequested"] {
        assert_eq!(of(source, name), 0, "{name}");
    }
    let request = &run["requests"][0]["ids"]["1"];
    let hundreds = all / 100;
    let wanted =
        [("matched", all), ("kept", all - 2 * hundreds), ("skipped", hundreds), ("failed", hundreds)];
    for (name, wanted) in wanted {
        assert_eq!(of(request, name), wanted, "{name} in {ledger}");
    }
    // Each event has the value of its epoch, and every change since the last kill is an epoch.
    assert_eq!(rows.len() as u64, all - 2 * hundreds);
    let mut serial = 0_u32;
    let mut values: Vec<i32> = Vec::new();
    for (epoch, done) in &rows {
        while matches!(serial % 100, 7 | 8) {
            serial += 1;
        }
        if *epoch as usize == values.len() {
            values.push(done[1]);
        }
        assert_eq!((values[*epoch as usize], done[0]), (done[1], i32::from(serial as u16) + done[1]));
        assert_eq!(*epoch as usize, values.len() - 1);
        serial += 1;
    }
    assert!(values.len() > FLIPS / 3 && values.windows(2).all(|pair| pair[0] < pair[1]), "{values:?}");
    println!(
        "{} events, {} epochs, {} parts, {replaced} parts replaced",
        rows.len(),
        values.len(),
        parts.len()
    );

    // Offline, from any of the records: here, that of the last part.
    let last = names.last().unwrap().to_string();
    let path = path.strip_prefix(scene.dir.path()).unwrap().to_str().unwrap().to_owned();
    let again = [
        "analyze",
        &path,
        "-a",
        "lab.toml",
        "--epochs",
        &last,
        "-j",
        "2",
        "-q",
        "-o",
        "again/run%05d.parquet",
    ];
    assert_eq!(scene.start(&again).wait().unwrap().code(), Some(1));
    let again = tables(&scene.path("again"));
    assert!(fs::read(&again[0]).unwrap() == fs::read(&merged).unwrap(), "{again:?} differs");
}

/// Resident memory of a process [kB].
fn memory(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn days_of_runs_need_no_more_memory_than_hours() {
    let runs = number("PACTOLUS_RUNS", 60) as u32;
    let scene = Scene::new();
    let last = runs.to_string();
    let mut child = scene.start(&[
        "analyze",
        "follow:data",
        "-r",
        "1",
        &last,
        "-a",
        "lab.toml",
        "-j",
        "2",
        "-q",
        "-o",
        "out/run%05d.parquet",
        "out/run%05d.mid",
        "--rotate",
        "0.2",
    ]);
    let seam = |file: MidFile, run, transition: i32| {
        let dump = format!("{{\"Runinfo\": {{\"Transition in progress\": {transition}}}}}\n\0");
        file.raw(0x8001, 0x494d, run, dump.as_bytes()).bytes
    };
    let (mut early, mut late) = (0, 0);
    for run in 1..=runs {
        for subrun in 0..3_u32 {
            let first = 1000 * subrun;
            let begin = (first..first + 1000).fold(MidFile::new().bor(run), |file, serial| {
                file.words(1, serial, "ADC0", &[serial as u16, 2, 3, 4])
            });
            let bytes = seam(begin, run, if subrun == 2 { 2 } else { 0 });
            let path = scene.path(&format!("data/run{run:05}sub{subrun:04}.mid"));
            let unfinished = path.with_extension("mid.inprogress");
            let mut file = File::create(&unfinished).unwrap();
            file.write_all(&bytes).unwrap();
            // Time flies: it was written a minute ago.
            file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
            fs::rename(unfinished, path).unwrap();
        }
        let done = scene.path(&format!("out/run{run:05}.mid"));
        let begun = Instant::now();
        while !done.exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "run {run} does not come");
            std::thread::sleep(Duration::from_millis(5));
        }
        if run < runs {
            late = memory(&child);
        }
        if run == runs / 4 {
            early = late;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(1));
    println!("{early} kB after {} runs, {late} kB after {}", runs / 4, runs - 1);
    // Some of the allocator's own is no leak: 60 runs of reports alone would be more.
    assert!(late < early + 6000, "{early} kB, then {late} kB");
}
