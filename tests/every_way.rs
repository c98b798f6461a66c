//! The same run read in four ways: from its file, from the file while it grows, from an experiment, and through a
//! bridge from shared memory. What comes out is the same.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "mserver/mod.rs"]
mod mserver;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use common::MidFile;
use common::bench::{assert_accounts, data};
use common::modules::ADC0;
use mserver::Server;
use pactolus::formats::Tid;
use pactolus::prelude::*;
use pactolus::shm::{Options, Producer, StreamName, look};
use pactolus::{Experiment, Follow, Report, Sampling, Shm, StopAt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

const HANGS: Duration = Duration::from_secs(60);

/// What the words are multiplied with.
const PART: BankDef<u32> = BankDef::new(b"PART");

/// Multiplies the words of ADC0.
#[derive(Record, Clone)]
struct Times {
    /// What they are multiplied with
    #[key("Factor", default = 3)]
    factor: u32,
}

impl Module for Times {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(PART)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        let Some(words) = event.get(ADC0)? else { return Ok(Keep) };
        let parts: Vec<u32> = words.iter().map(|word| u32::from(word) * self.factor).collect();
        event.append(PART, &parts)?;
        Ok(if event.serial() % 11 == 3 { Skip } else { Keep })
    }
}

fn analyzer() -> Analyzer {
    let trigger = Request { sampling: Sampling::All, ..Request::new("Trigger", 1).bank(ADC0) };
    Analyzer::new("Analyzer").on(trigger).module("Times", Times::defaults())
}

/// A run, and where each of its events begins.
fn run() -> (MidFile, Vec<usize>) {
    let (mut file, mut begins) = (MidFile::new().bor(42), Vec::new());
    for serial in 0..5000_u32 {
        let banks: Vec<u8> = (0..serial % 40).flat_map(|i| ((i * serial) as u16).to_le_bytes()).collect();
        begins.push(file.bytes.len());
        file = file.event(1, serial, &[("ADC0", Tid::Word, &banks), ("XTRA", Tid::Byte, &banks)]);
    }
    begins.push(file.bytes.len());
    (file.eor(42), begins)
}

struct Scene {
    dir: TempDir,
}

impl Scene {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn job(&self, to: &str) -> Job {
        fs::create_dir(self.path(to)).unwrap();
        let outputs = ["run%05d.mid", "run%05d.asc", "run%05d.parquet"];
        let output = |name: &str| self.path(to).join(name).to_str().unwrap().to_owned();
        outputs.iter().fold(Job::new().threads(2), |job, name| job.output(output(name)).unwrap())
    }

    /// Does a job while somebody else does something that lets it end.
    fn analyse(&self, job: Job, others: impl FnOnce()) -> Report {
        let started = thread::spawn(move || analyzer().run(&job));
        others();
        let report = started.join().unwrap().unwrap();
        assert_accounts(&report);
        report
    }

    fn table(&self, to: &str) -> Vec<RecordBatch> {
        let file = fs::File::open(self.path(to).join("run00042.Trigger.parquet")).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        reader.with_batch_size(1 << 20).build().unwrap().collect::<std::result::Result<_, _>>().unwrap()
    }

    fn bytes(&self, to: &str, name: &str) -> Vec<u8> {
        fs::read(self.path(to).join(name)).unwrap()
    }
}

fn wait_until(ask: impl Fn() -> bool) {
    let begun = Instant::now();
    while !ask() {
        assert!(begun.elapsed() < HANGS, "it does not come");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_run_gives_the_same_in_every_way() {
    let scene = Scene { dir: TempDir::new().unwrap() };
    let (run, begins) = run();
    let raw = run.save(scene.path("run00042.raw.mid"));
    let offline = scene.analyse(scene.job("offline").input(&raw), || ());

    let growing = scene.path("run00042.mid");
    fs::write(&growing, b"").unwrap();
    let mut follow = Follow::new(&growing).unwrap();
    follow.timeout = Some(HANGS);
    let followed = scene.analyse(scene.job("followed").follow(follow), || {
        let mut file = fs::OpenOptions::new().append(true).open(&growing).unwrap();
        for piece in run.bytes.chunks(33_333) {
            file.write_all(piece).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
    });

    let server = Server::start(mserver::Options::default());
    let mut experiment = Experiment::new(&format!("midas://127.0.0.1:{}", server.port())).unwrap();
    experiment.login.timeout = Duration::from_secs(5);
    experiment.runs = Some((42, 42));
    let attached = scene.analyse(scene.job("attached").attach(experiment), || {
        let looks = || server.calls().get(&11_111).copied().unwrap_or(0);
        wait_until(|| looks() > 100);
        server.start_run(42).unwrap();
        begins.windows(2).for_each(|event| server.send(&run.bytes[event[0]..event[1]]));
        server.stop_run().unwrap();
    });

    let name = StreamName::new(scene.path("lxe").to_str().unwrap()).unwrap();
    let mut options = Options::default();
    options.size = 1 << 20;
    let mut producer = Producer::create(&name, options).unwrap();
    let mut shm = Shm::new(scene.path("lxe").to_str().unwrap()).unwrap();
    (shm.sampling, shm.stop, shm.timeout) = (Some(Sampling::All), StopAt::EndRun, Some(HANGS));
    let bridged = scene.analyse(scene.job("bridged").recent(shm), || {
        wait_until(|| look(&name).is_ok_and(|status| status.consumers.len() == 1));
        let places: Vec<usize> = [0].into_iter().chain(begins.iter().copied().step_by(7)).collect();
        let ends = places.iter().copied().skip(1).chain([run.bytes.len()]);
        for (begin, end) in places.iter().zip(ends) {
            producer.events(&run.bytes[*begin..end]).unwrap();
        }
    });

    for (to, report) in [("followed", &followed), ("attached", &attached), ("bridged", &bridged)] {
        let (live, whole) = (&report.runs[0], &offline.runs[0]);
        assert_eq!((live.run, &live.requests), (42, &whole.requests), "{to}");
        assert_eq!(live.events[&1], whole.events[&1], "{to}");
        assert_eq!(live.events[&1].delivered, 5000);
        assert_eq!(scene.table(to), scene.table("offline"), "{to}");
        let events = |to: &str| data(Path::new(&scene.path(to).join("run00042.mid")));
        assert!(events(to) == events("offline"), "{to}");
        // The ODB is that of the experiment there.
        if to != "attached" {
            for name in ["run00042.mid", "run00042.asc"] {
                assert!(scene.bytes(to, name) == scene.bytes("offline", name), "{to}: {name}");
            }
        }
    }
}
