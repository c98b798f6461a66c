//! Parameters and switches that other processes change while the program works on a slow stream.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{Array, RecordBatch};
use pactolus::odb::Odb;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;

#[path = "../../tests/common/mod.rs"]
mod common;

use common::MidFile;

/// Far longer than anything here takes.
const HANGS: Duration = Duration::from_secs(30);

/// The program on the sample experiment, a pipe for its run, and an ODB.
struct Experiment {
    dir: TempDir,
    odb: Odb,
    pipe: File,
    child: Child,
}

impl Experiment {
    /// Starts the program with these arguments, and with the banks switched on.
    fn start(args: &[&str]) -> Experiment {
        let dir = TempDir::new().unwrap();
        let odb = Odb::create_in(dir.path().join("odb")).unwrap();
        let fifo = dir.path().join("run00042.mid");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let child = program(dir.path(), &["analyze", "run00042.mid", "-a"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/experiment/analyzer.toml"))
            .args([
                "-p",
                "/Analyzer/Bank switches/CADC=1",
                "/Analyzer/Bank switches/ASUM=1",
                "/Analyzer/Bank switches/ACUM=1",
            ])
            .args(args)
            .spawn()
            .unwrap();
        let pipe = OpenOptions::new().read(true).write(true).open(fifo).unwrap();
        Experiment { dir, odb, pipe, child }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Sends triggers with these serial numbers, and waits until the program has counted all so far.
    fn send(&mut self, serials: std::ops::Range<u32>) {
        let sent = f64::from(serials.end);
        self.send_more(serials, sent);
    }

    /// ... until it has counted so many.
    fn send_more(&mut self, serials: std::ops::Range<u32>, sent: f64) {
        let begin = if serials.start == 0 { MidFile::new().bor(42) } else { MidFile::new() };
        let words = |file: MidFile, serial| file.words(1, serial, "ADC0", &[200, 210, 220, 230]);
        self.pipe.write_all(&serials.fold(begin, words).bytes).unwrap();
        let begun = Instant::now();
        let received = || self.odb.get::<f64>("/Analyzer/Trigger/Statistics/Events received").unwrap_or(0.0);
        while received() < sent {
            if let Some(status) = self.child.try_wait().unwrap() {
                let mut said = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("{status}: {said}");
            }
            assert!(begun.elapsed() < HANGS, "{} of {sent} events counted", received());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(mut self) -> (Output, TempDir) {
        self.pipe.write_all(&MidFile::new().eor(42).bytes).unwrap();
        drop(self.pipe);
        (self.child.wait_with_output().unwrap(), self.dir)
    }
}

fn program(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pactolus"));
    command.args(args).current_dir(dir).env_remove("PACTOLUS_ODB");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn table(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// Of each row: serial number, epoch, amplitude of the first channel, sum over all channels.
fn rows(batches: &[RecordBatch]) -> Vec<(u32, u32, f32, Option<f32>)> {
    let mut rows = Vec::new();
    for batch in batches {
        let column = |name| batch.column_by_name(name).unwrap();
        let number = |name, row| column(name).as_primitive::<UInt32Type>().value(row);
        let sums = column("ASUM").as_struct();
        for row in 0..batch.num_rows() {
            let amplitude = column("CADC").as_list::<i32>().value(row);
            let sum = sums.column_by_name("Sum").unwrap().as_primitive::<Float32Type>();
            rows.push((
                number("serial", row),
                number("epoch", row),
                amplitude.as_primitive::<Float32Type>().value(0),
                sums.is_valid(row).then(|| sum.value(row)),
            ));
        }
    }
    rows
}

#[test]
fn a_pedestal_and_a_switch_take_effect_at_one_event_each() {
    let mut experiment = Experiment::start(&["--odb", "odb", "-o", "r%05d.parquet", "--json"]);
    experiment.send(0..5);
    let set = "set \"/Analyzer/Parameters/ADC calibration/Pedestal[0]\" 150";
    assert!(program(experiment.dir.path(), &["odb", "odb", "-c", set]).status().unwrap().success());
    experiment.send(5..11);
    experiment.odb.set("/Analyzer/Module switches/ADC summing", false).unwrap();
    experiment.send(11..14);
    let (ran, dir) = experiment.end();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!((ran.status.code(), &*said), (Some(0), ""));

    // Channel by channel, count - pedestal + 1/2: 26.5 + 16.5 + 44.5 + 48.5, then 50.5 in the first.
    let mut wanted: Vec<_> = (0..5).map(|serial| (serial, 0, 26.5, Some(136.0))).collect();
    wanted.extend((5..11).map(|serial| (serial, 1, 50.5, Some(160.0))));
    wanted.extend((11..14).map(|serial| (serial, 2, 50.5, None)));
    assert_eq!(rows(&table(&dir.path().join("r00042.Trigger.parquet"))), wanted);

    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    // The BOR is event 1.
    let epochs = serde_json::json!([
        { "epoch": 1, "first_event": 7, "more": 0, "changes": [
            { "path": "/Analyzer/Parameters/ADC calibration/Pedestal[0]", "old": "174", "new": "150" }] },
        { "epoch": 2, "first_event": 13, "more": 0, "changes": [
            { "path": "/Analyzer/Module switches/ADC summing", "old": "y", "new": "n" }] },
    ]);
    assert_eq!(report["runs"][0]["epochs"], epochs);
    assert_eq!(report["odb_dir"], "odb");
}

/// The session of a stream, again from what its outputs say; no ODB is looked at.
#[test]
fn recorded_epochs_give_the_same_files_offline() {
    let mut experiment = Experiment::start(&["--odb", "odb", "-o", "r%05d.parquet", "r%05d.mid"]);
    let words = |file: MidFile, serial| file.words(1, serial, "ADC0", &[200, 210, 220, 230]);
    let mut sent = (0..5).fold(MidFile::new().bor(42), words);
    experiment.send(0..5);
    for (i, (key, value)) in [
        ("Parameters/ADC calibration/Pedestal[0]", "150"),
        ("Parameters/ADC calibration/Software Gain[1]", "0.1"),
        ("Parameters/ADC calibration/Software Gain[2]", "1e-45"),
        ("Module switches/ADC summing", "n"),
        ("Bank switches/CADC", "0"),
        ("Trigger/Common/Enabled", "n"),
        ("Trigger/Common/Enabled", "y"),
        ("Module switches/ADC summing", "y"),
    ]
    .into_iter()
    .enumerate()
    {
        let set = format!("set \"/Analyzer/{key}\" {value}");
        assert!(program(experiment.dir.path(), &["odb", "odb", "-c", &set]).status().unwrap().success());
        // Those of a request that is switched off do not count as received.
        if key.ends_with("Enabled") && value == "n" {
            experiment.pipe.write_all(&words(MidFile::new(), 100).bytes).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            sent = words(std::mem::take(&mut sent), 100);
            continue;
        }
        let first = 5 + 3 * i as u32;
        sent = (first..first + 3).fold(std::mem::take(&mut sent), words);
        let before = experiment.odb.get::<f64>("/Analyzer/Trigger/Statistics/Events received").unwrap();
        experiment.send_more(first..first + 3, before + 3.0);
    }
    let (ran, dir) = experiment.end();
    assert_eq!((ran.status.code(), &*String::from_utf8_lossy(&ran.stderr)), (Some(0), ""));
    let again = TempDir::new().unwrap();
    sent.eor(42).save(again.path().join("run00042.mid"));
    let analyzer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/experiment/analyzer.toml");
    let names = ["r00042.Trigger.parquet", "r00042.mid", "r00042.mid.provenance.json", "r00042.histos.json"];
    for record in names {
        let record = dir.path().join(record);
        let args = ["analyze", "run00042.mid", "-o", "r%05d.parquet", "r%05d.mid", "--explain", "--epochs"];
        let mut command = program(again.path(), &args);
        // Nothing is there.
        command.arg(&record).arg("-a").arg(&analyzer).env("PACTOLUS_ODB", "none");
        let ran = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert_eq!((ran.status.code(), &*err), (Some(0), ""), "{out}");
        assert!(out.contains(&format!("epochs of {}", record.display())), "{out}");
        assert!(out.contains("epoch 8 from event"), "{out}");
        for name in names {
            let read = |dir: &TempDir| std::fs::read(dir.path().join(name)).unwrap();
            assert!(read(&dir) == read(&again), "{name}, from {}", record.display());
        }
    }
}

#[test]
fn the_environment_names_the_odb_and_the_flag_wins() {
    let dir = TempDir::new().unwrap();
    let odb = |name: &str| Odb::create_in(dir.path().join(name)).unwrap();
    let (one, two) = (odb("one"), odb("two"));
    MidFile::new().bor(42).words(1, 0, "ADC0", &[1]).eor(42).save(dir.path().join("run00042.mid"));
    let run = |args: &[&str], variable: &str| {
        let args = [&["analyze", "run00042.mid"], args].concat();
        let ran = program(dir.path(), &args).env("PACTOLUS_ODB", variable).output().unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    let (code, said) = run(&[], "one");
    assert_eq!((code, said.lines().next()), (0, Some("ODB in one")), "{said}");
    assert!(one.exists("/Runinfo/Run number") && !two.exists("/Runinfo"));
    let (code, said) = run(&["--odb", "two"], "one");
    assert_eq!((code, said.lines().next()), (0, Some("ODB in two")), "{said}");
    assert!(two.exists("/Runinfo/Run number"));
    let (code, said) = run(&[], "");
    assert!(code == 0 && !said.contains("ODB in"), "{said}");
    let (code, said) = run(&[], "three");
    assert_eq!((code, &*said), (2, "pactolus: no ODB in three: `pactolus odb --create three` makes one\n"));
    // A part has no ODB that may change from one to the next.
    let (code, said) = run(&["-o", "o.mid", "--shard", "1/2"], "three");
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&["-o", "o.mid", "--shard", "1/2", "--odb", "one"], "");
    assert!(code == 2 && said.contains("--shard: a shared ODB"), "{said}");
}

#[test]
fn the_summary_tells_epochs_and_what_was_refused() {
    let mut experiment = Experiment::start(&["--odb", "odb", "-o", "r.asc"]);
    experiment.send(0..2);
    experiment.odb.set("/Analyzer/Parameters/ADC calibration/Pedestal", vec![1, 2]).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let stderr = BufReader::new(experiment.child.stderr.take().unwrap());
    std::thread::spawn(move || stderr.lines().try_for_each(|line| tell.send(line.unwrap())));
    experiment.send(2..3);
    // At once, not when the job ends.
    let err = told.recv_timeout(HANGS).unwrap();
    experiment.odb.set("/Analyzer/Parameters/ADC calibration/Pedestal", vec![1, 2, 3, 4]).unwrap();
    experiment.send(3..4);
    assert!(!experiment.path("r.asc").exists());
    let (ran, _dir) = experiment.end();
    assert_eq!(ran.status.code(), Some(0));
    // And not a second time.
    assert_eq!(told.iter().collect::<Vec<_>>(), Vec::<String>::new());
    let out = String::from_utf8(ran.stdout).unwrap();
    let pedestal = "/Analyzer/Parameters/ADC calibration/Pedestal: 174 194 176 182 185 215 202 202 ->";
    assert!(out.contains(&format!("  epoch 1 from event 5 on:\n    {pedestal} 1 2 3 4\n")), "{out}");
    assert_eq!(
        err,
        format!(
            "warning: run 42, before event 4: the change of {pedestal} 1 2 does not take effect, epoch 0 goes on: stage \"ADC calibration\": parameter \"Pedestal\" has 2 values, but bank ADC0 has 4 elements: give it 4, in the definition, a -c file or the ODB"
        )
    );
}
