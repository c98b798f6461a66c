//! Files that are followed while they are written: how long an event takes from the writer to a module, and
//! whether following keeps up with reading the finished file.
//!
//! `cargo bench --bench live [-- --rounds 5] [--mb 1000]`. Latencies are of single events written with one
//! call each, beside those of a thread that does nothing but look at the size of the file: no reader that
//! asks the system can be faster. Rates are medians over rounds, interleaved with those of the offline
//! analysis of the same file; each row is the sample experiment with its modules.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use pactolus::formats::event::{BOR, EOR, MIDAS_MAGIC};
use pactolus::formats::mid::layout::BankKind;
use pactolus::formats::mid::write_event;
use pactolus::formats::{Bank, BankName, Compression, Header, Order, Tid};
use pactolus::prelude::*;
use pactolus::simulate::{Shape, Simulation};
use pactolus::{Definition, Follow, OutputFile};
use tempfile::TempDir;

/// Events of a row of latencies, and the longest that it may take.
const EVENTS: usize = 3000;
const LONGEST: Duration = Duration::from_secs(10);

fn events(pause: Duration) -> usize {
    EVENTS.min((LONGEST.as_secs_f64() / pause.as_secs_f64()) as usize)
}

/// The clock of all threads.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn now() -> u64 {
    START.elapsed().as_nanos() as u64
}

/// Time from writing to the module [ns].
static TOOK: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// When it was written [ns].
const SENT: BankDef<u64> = BankDef::new(b"SENT");

#[derive(Record, Clone)]
struct Arrives {}

impl Module for Arrives {
    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        if let Some(sent) = event.get(SENT)? {
            TOOK.lock().unwrap().push(now().saturating_sub(sent.at(0)));
        }
        Ok(Keep)
    }
}

fn event(id: u16, mask: u16, serial: u32, banks: &[Bank<'_>], text: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = Header { id, mask, serial, time: 1_700_000_000, size: 0 };
    match text {
        Some(text) => {
            let header = Header { size: text.len() as u32, ..header };
            bytes.extend(header.to_bytes());
            bytes.extend(text);
        }
        None => drop(write_event(&mut bytes, &header, BankKind::Bank32, banks.iter().copied()).unwrap()),
    }
    bytes
}

fn bank<'a>(name: &str, tid: Tid, data: &'a [u8]) -> Bank<'a> {
    Bank { name: BankName::parse(name).unwrap(), code: tid.code(), order: Order::Little, data }
}

/// Writes events of about `size` bytes, one each `pause`, with the time in them.
fn write_slowly(path: &Path, size: usize, pause: Duration) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    let rest = vec![0x55; size.saturating_sub(64)];
    for serial in 0..events(pause) as u32 {
        let next = Instant::now() + pause;
        let time = now().to_le_bytes();
        let banks = [bank("SENT", Tid::Uint64, &time), bank("REST", Tid::Byte, &rest)];
        file.write_all(&event(1, 0, serial, &banks, None)).unwrap();
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    file.write_all(&event(EOR, MIDAS_MAGIC, 1, &[], Some(b"\0"))).unwrap();
}

fn begun(path: &Path) {
    fs::write(path, event(BOR, MIDAS_MAGIC, 1, &[], Some(b"\0"))).unwrap();
}

/// Latencies of the module.
fn followed(dir: &Path, size: usize, pause: Duration) -> Vec<u64> {
    let path = dir.join("run00001.mid");
    begun(&path);
    let writer = std::thread::spawn({
        let path = path.clone();
        move || {
            std::thread::sleep(Duration::from_millis(100));
            write_slowly(&path, size, pause);
        }
    });
    let job = Job::new().follow(Follow::new(&path).unwrap());
    Analyzer::new("Analyzer").module("Arrives", Arrives {}).run(&job).unwrap();
    writer.join().unwrap();
    std::mem::take(&mut *TOOK.lock().unwrap())
}

/// Latencies of a thread that only looks at the size of the file.
fn spinning(dir: &Path, size: usize, pause: Duration) -> Vec<u64> {
    let path = dir.join("run00002.mid");
    begun(&path);
    let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let file = File::open(&path).unwrap();
    let spin = std::thread::spawn({
        let (stop, seen) = (Arc::clone(&stop), Arc::clone(&seen));
        move || {
            while !stop.load(Ordering::Relaxed) {
                seen.store(file.metadata().unwrap().len(), Ordering::Release);
            }
        }
    });
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    let bytes = vec![0x55; size];
    let (mut at, mut took) = (fs::metadata(&path).unwrap().len(), Vec::new());
    for _ in 0..events(pause) {
        let next = Instant::now() + pause;
        let sent = now();
        file.write_all(&bytes).unwrap();
        at += size as u64;
        while seen.load(Ordering::Acquire) < at {
            std::hint::spin_loop();
        }
        took.push(now() - sent);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    stop.store(true, Ordering::Relaxed);
    spin.join().unwrap();
    took
}

fn quantiles(mut took: Vec<u64>) -> (f64, f64) {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    (at(0.5), at(0.99))
}

fn latencies() {
    println!("latency from write to module [us]          median      99 %");
    for (size, pause) in [(100, 20_000), (100, 1000), (100, 100), (2000, 1000), (100_000, 1000)] {
        let dir = TempDir::new().unwrap();
        let pause = Duration::from_micros(pause);
        let what = format!("{size} B each {:?}", pause);
        for (name, took) in
            [("", followed(dir.path(), size, pause)), ("   spinning, ", spinning(dir.path(), size, pause))]
        {
            let (median, most) = quantiles(took);
            println!("{:40} {median:8.1} {most:9.1}", format!("{name}{what}"));
        }
    }
}

/// A run of about so many bytes.
fn made(path: &Path, shape: Shape, bytes: u64, compression: Compression) {
    let each = if shape == Shape::Small { 56 } else { 2048 };
    let simulation = Simulation { shape, events: bytes / each, ..Simulation::default() };
    let mut output =
        pactolus::formats::compress::Output::new(compression, None, File::create(path).unwrap()).unwrap();
    simulation.write(&mut output).unwrap();
    output.finish().unwrap();
}

fn analyzer() -> Analyzer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/experiment/analyzer.toml");
    Analyzer::from_definition(&Definition::read(&path).unwrap(), &pactolus_modules::catalogue()).unwrap()
}

/// Events per second. The end of a file that is still written is known only when it has been still for a
/// while, which does not count.
fn rate(job: &Job, is_written: bool) -> f64 {
    let report = analyzer().run(job).unwrap();
    let still = if is_written { 0.3 } else { 0.0 };
    report.total().offered as f64 / (report.seconds - still)
}

/// While another thread copies the file.
fn while_copied(from: &Path, to: &Path, job: impl Fn(&Path) -> Job) -> f64 {
    let _ = fs::remove_file(to);
    File::create(to).unwrap();
    std::thread::scope(|scope| {
        let (mut from, mut into) =
            (File::open(from).unwrap(), OpenOptions::new().append(true).open(to).unwrap());
        scope.spawn(move || {
            let mut piece = vec![0; 1 << 16];
            loop {
                match io::Read::read(&mut from, &mut piece).unwrap() {
                    0 => return,
                    n => into.write_all(&piece[..n]).unwrap(),
                }
            }
        });
        rate(&job(to), true)
    })
}

fn rates(rounds: usize, bytes: u64) {
    println!("\nM events/s, {rounds} rounds              offline  followed  while written   ratios");
    for (name, shape) in [("small", Shape::Small), ("big", Shape::Big)] {
        for (file, compression) in [
            ("run00001.mid", Compression::None),
            ("run00001.mid.lz4", Compression::Lz4),
            ("run00001.mid.gz", Compression::Gzip),
        ] {
            for output in [None, Some("out%05d.mid"), Some("out%05d.parquet")] {
                let dir = TempDir::new_in("/dev/shm").unwrap();
                let (path, results) = (dir.path().join(file), dir.path().join("results"));
                fs::create_dir(&results).unwrap();
                made(&path, shape, bytes, compression);
                let job = |follow: Option<&Path>| {
                    let job = match follow {
                        Some(path) => Job::new().follow(Follow::new(path).unwrap()),
                        None => Job::new().input(&path),
                    };
                    let output = output.map(|name| results.join(name).to_str().unwrap().to_owned());
                    Job {
                        outputs: output.map(|name| OutputFile::new(name).unwrap()).into_iter().collect(),
                        ..job
                    }
                };
                let copy: PathBuf = dir.path().join(file.replace("00001", "00002"));
                let mut found = [Vec::new(), Vec::new(), Vec::new()];
                for _ in 0..rounds {
                    found[0].push(rate(&job(None), false));
                    found[1].push(rate(&job(Some(&path)), false));
                    found[2].push(while_copied(&path, &copy, |copy| job(Some(copy))));
                    fs::remove_file(&copy).unwrap();
                }
                let [offline, followed, written] = found.map(|mut rates| {
                    rates.sort_by(f64::total_cmp);
                    rates[rates.len() / 2] / 1e6
                });
                let what = format!("{name} {file} {}", output.map_or("no output", |o| &o[8..]));
                println!(
                    "{what:32} {offline:8.3} {followed:9.3} {written:14.3}   {:.2} {:.2}",
                    followed / offline,
                    written / offline
                );
            }
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |flag: &str, default: u64| {
        let at = args.iter().position(|arg| arg == flag);
        at.and_then(|at| args.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    latencies();
    rates(number("--rounds", 5) as usize, number("--mb", 1000) * 1_000_000);
}
