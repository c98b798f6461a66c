//! How fast, against what could be: reading, analysing, writing.
//!
//! `cargo bench --bench throughput [-- --mb 200 --rounds 5]` prints a table of medians and ratios.
//! Only ratios of one run mean anything: the rounds of all rows are interleaved. Files are made by
//! `pactolus simulate`, in the two shapes of the sample experiment: "small" events of 56 bytes
//! (four ADC and four TDC words), "big" ones of 2 kB (1000 TDC words).
//!
//! What to expect on one core, by arithmetic: a bare walk of small events touches three cache lines
//! of each 64 bytes it passes and does about 30 instructions: some 100 M events/s, or as fast as
//! memory is read (some 6 GB/s) where events are big. Calibrating and summing four channels and
//! copying an event with two new banks is about 100 instructions and 168 bytes written: some 30 M
//! events/s. mana does 0.4 to 0.5 M events/s on the same events.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use pactolus::formats::mid::{Block, Reader, Stop};
use pactolus::formats::{EventView, Input};
use pactolus::simulate::{Shape, Simulation};
use pactolus::{Analyzer, Definition, Job};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |flag: &str, default: u64| {
        let place = args.iter().position(|a| a == flag);
        place.and_then(|i| args.get(i + 1)?.parse().ok()).unwrap_or(default)
    };
    // `cargo test --benches` only asks whether it works.
    let trial = args.iter().any(|a| a == "--test");
    let mb = if trial { 1 } else { number("--mb", 200) };
    let rounds = if trial { 1 } else { number("--rounds", 5) };
    // Outputs go to memory where there is such a place: not the disk is to be measured.
    let tmpfs = Path::new("/dev/shm");
    let dir = if tmpfs.is_dir() { tempfile::tempdir_in(tmpfs) } else { tempfile::tempdir() }.unwrap();
    println!(
        "{mb} MB a file, median of {rounds} rounds, page cache warm, outputs to {}",
        dir.path().display()
    );
    for shape in [Shape::Small, Shape::Big] {
        measure(shape, mb << 20, rounds, dir.path());
    }
}

/// A row: what is measured, and the rows that its ratio is to.
struct Row<'a> {
    name: &'static str,
    against: Option<&'static str>,
    run: Box<dyn FnMut() -> u64 + 'a>,
    seconds: Vec<f64>,
    checksum: u64,
}

fn measure(shape: Shape, bytes: u64, rounds: u64, dir: &Path) {
    let path = dir.join("run00001.mid");
    let per_event = if shape == Shape::Small { 56 } else { 2048 };
    let events = bytes / per_event;
    let simulation = Simulation { run: 1, events, shape, ..Simulation::default() };
    let mut file = fs::File::create(&path).unwrap();
    simulation.write(&mut file).unwrap();
    drop(file);
    let memory = fs::read(&path).unwrap();
    let total = count(&memory);

    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut row = |name, against, run: Box<dyn FnMut() -> u64>| {
        rows.push(Row { name, against, run, seconds: Vec::new(), checksum: 0 });
    };
    // The closures own what they need, so that all rows can be interleaved.
    let memory: &'static [u8] = Vec::leak(memory);
    row("walk: bare loop", None, Box::new(|| bare_walk(memory)));
    row("walk: midasio 0.7", Some("walk: bare loop"), Box::new(|| midasio_walk(memory)));
    row("walk: views in memory", Some("walk: midasio 0.7"), Box::new(|| view_walk(memory)));
    let file = path.clone();
    row("walk: midasio 0.7, from the file", None, Box::new(move || midasio_walk(&fs::read(&file).unwrap())));
    let file = path.clone();
    let against = Some("walk: midasio 0.7, from the file");
    row("walk: Reader, from the file", against, Box::new(move || reader_walk(&file)));

    let file = path.clone();
    row("chain: hand-written, no output", None, Box::new(move || bare_chain(&file, None)));
    for (name, threads) in [("chain: ours -j1, no output", 1), ("chain: ours -j2, no output", 2)] {
        let run = job(&path, None, threads, dir);
        row(name, Some("chain: hand-written, no output"), Box::new(run));
    }
    let (file, copy) = (path.clone(), dir.join("hand.mid"));
    row("chain: hand-written, .mid", None, Box::new(move || bare_chain(&file, Some(&copy))));
    let outputs = [
        ("chain: ours -j1, .mid", "mid", 1),
        ("chain: ours -j2, .mid", "mid", 2),
        ("chain: ours -j2, .asc", "asc", 2),
        ("chain: ours -j2, .parquet", "parquet", 2),
        ("chain: ours -j2, .arrow", "arrow", 2),
        ("chain: ours -j2, .mid.lz4", "mid.lz4", 2),
        ("chain: ours -j2, .mid.zst", "mid.zst", 2),
        ("chain: ours -j2, .mid.gz", "mid.gz", 2),
    ];
    for (name, extension, threads) in outputs {
        let run = job(&path, Some(extension), threads, dir);
        row(name, Some("chain: hand-written, .mid"), Box::new(run));
    }

    for _ in 0..rounds {
        for row in &mut rows {
            let start = Instant::now();
            row.checksum = black_box((row.run)());
            row.seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let median = |row: &Row<'_>| {
        let mut seconds = row.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    };
    println!("\n{shape:?}: {} events, {:.0} MB", total, memory.len() as f64 / 1e6);
    println!("{:34} {:>10} {:>10}  ratio", "", "M events/s", "MB/s");
    for row in &rows {
        let seconds = median(row);
        let rate = total as f64 / seconds / 1e6;
        let ratio = row.against.and_then(|name| rows.iter().find(|r| r.name == name));
        let ratio = ratio.map(|other| format!("{:.2} of {}", median(other) / seconds, other.name));
        let megabytes = memory.len() as f64 / seconds / 1e6;
        println!("{:34} {rate:>10.2} {megabytes:>10.0}  {}", row.name, ratio.unwrap_or_default());
    }
    // Walks must have seen the same events.
    let walks: Vec<u64> = rows.iter().filter(|r| r.name.starts_with("walk")).map(|r| r.checksum).collect();
    assert!(walks.windows(2).all(|w| w[0] == w[1]), "the walks differ: {walks:?}");
}

/// Number of data events.
fn count(mut rest: &[u8]) -> u64 {
    let mut n = 0;
    while let Some((event, behind)) = EventView::parse(rest) {
        n += u64::from(event.header.id < 0x8000);
        rest = behind;
    }
    n
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The limit of one thread: nothing but the steps that the format demands. It adds up the bytes of
/// all banks, so that no step can be left out.
fn bare_walk(bytes: &[u8]) -> u64 {
    let (mut at, mut sum) = (0, 0);
    while at + 16 <= bytes.len() {
        let size = u32_at(bytes, at + 12) as usize;
        if u16_at(bytes, at) < 0x8000 {
            let end = at + 16 + 8 + u32_at(bytes, at + 16) as usize;
            let mut bank = at + 24;
            while bank < end {
                let len = u16_at(bytes, bank + 6) as usize;
                sum += len as u64;
                bank += 8 + len.next_multiple_of(8);
            }
        }
        at += 16 + size;
    }
    sum
}

fn midasio_walk(bytes: &[u8]) -> u64 {
    let file = midasio::FileView::try_from_bytes(bytes).unwrap();
    file.iter().flat_map(|event| event.iter()).map(|bank| bank.data().len() as u64).sum()
}

fn banks_of(event: &EventView<'_>) -> u64 {
    if event.header.id >= 0x8000 {
        return 0;
    }
    event.banks().map(|bank| bank.unwrap().data.len() as u64).sum()
}

fn view_walk(mut rest: &[u8]) -> u64 {
    let mut sum = 0;
    while let Some((event, behind)) = EventView::parse(rest) {
        sum += banks_of(&event);
        rest = behind;
    }
    sum
}

fn reader_walk(path: &Path) -> u64 {
    let mut reader = Reader::new(Input::open(path).unwrap());
    let (mut block, mut sum) = (Block::new(), 0);
    loop {
        let stop = reader.read(&mut block, 1 << 20).unwrap();
        sum += block.events().map(|event| banks_of(&event)).sum::<u64>();
        if stop == Stop::End {
            return sum;
        }
    }
}

/// The sample experiment without a framework: find ADC0, calibrate, sum, append two banks to a copy
/// of the event; scaler events likewise. Without output the two banks are made and dropped. The file
/// is read and written a megabyte at a time.
fn bare_chain(input: &Path, output: Option<&PathBuf>) -> u64 {
    let mut file = fs::File::open(input).unwrap();
    let mut hand = Hand {
        file: output.map(|path| fs::File::create(path).unwrap()),
        out: Vec::with_capacity(2 << 20),
        kept: 0,
        low: 0,
        sums: [0.0; 4],
    };
    let mut buffer = vec![0; 2 << 20];
    let mut len = 0;
    loop {
        let n = file.read(&mut buffer[len..]).unwrap();
        if n == 0 {
            break;
        }
        len += n;
        let rest = hand.events(&buffer[..len]);
        buffer.copy_within(len - rest..len, 0);
        len = rest;
    }
    if let Some(file) = &mut hand.file {
        file.write_all(&hand.out).unwrap();
    }
    black_box(hand.low);
    hand.kept
}

struct Hand {
    file: Option<fs::File>,
    out: Vec<u8>,
    kept: u64,
    low: u64,
    sums: [f64; 4],
}

impl Hand {
    /// Does the whole events; bytes left over.
    fn events(&mut self, bytes: &[u8]) -> usize {
        const PEDESTAL: [i32; 4] = [174, 194, 176, 182];
        let Hand { file, out, kept, low, sums } = self;
        let gain = black_box([1.0_f32; 4]);
        let mut at = 0;
        while at + 16 <= bytes.len() {
            let size = u32_at(bytes, at + 12) as usize;
            let Some(event) = bytes.get(at..at + 16 + size) else { break };
            at += 16 + size;
            match u16_at(event, 0) {
                1 => {
                    let mut bank = 24;
                    while bank < event.len() && &event[bank..bank + 4] != b"ADC0" {
                        bank += 8 + (u16_at(event, bank + 6) as usize).next_multiple_of(8);
                    }
                    let mut cadc = [0.0_f32; 4];
                    let (mut sum, mut n) = (0.0_f32, 0);
                    for i in 0..4 {
                        let adc = u16_at(event, bank + 8 + 2 * i);
                        cadc[i] = (f64::from(adc) - f64::from(PEDESTAL[i]) + 0.5) as f32 * gain[i];
                        if cadc[i] > 5.0 {
                            sum += cadc[i];
                            n += 1;
                        }
                    }
                    *low += u64::from(sum < 1000.0);
                    let average = if n > 0 { sum / n as f32 } else { 0.0 };
                    if file.is_some() {
                        let start = out.len();
                        out.extend_from_slice(event);
                        out.extend_from_slice(b"CADC\x09\0\x10\0");
                        cadc.iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
                        out.extend_from_slice(b"ASUM\x0e\0\x08\0");
                        out.extend_from_slice(&sum.to_le_bytes());
                        out.extend_from_slice(&average.to_le_bytes());
                        enlarge(&mut out[start..], 40);
                    } else {
                        black_box((cadc, sum, average));
                    }
                    *kept += 1;
                }
                2 => {
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum += f64::from(u32_at(event, 32 + 4 * i));
                    }
                    if file.is_some() {
                        let start = out.len();
                        out.extend_from_slice(event);
                        out.extend_from_slice(b"ACUM\x0a\0\x20\0");
                        sums.iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
                        enlarge(&mut out[start..], 40);
                    }
                    *kept += 1;
                }
                _ if file.is_some() => out.extend_from_slice(event),
                _ => {}
            }
            if let (Some(file), true) = (&mut *file, out.len() > 1 << 20) {
                file.write_all(out).unwrap();
                out.clear();
            }
        }
        bytes.len() - at
    }
}

/// Adds `more` to the sizes in the headers of event and bank area.
fn enlarge(event: &mut [u8], more: u32) {
    for at in [12, 16] {
        let size = u32_at(event, at) + more;
        event[at..at + 4].copy_from_slice(&size.to_le_bytes());
    }
}

/// The sample experiment as a user runs it; the number of events kept.
fn job(path: &Path, extension: Option<&str>, threads: usize, dir: &Path) -> impl FnMut() -> u64 + 'static {
    let definition = Definition::parse(include_str!("../examples/experiment/analyzer.toml"), "analyzer.toml");
    let analyzer = Analyzer::from_definition(&definition.unwrap(), &pactolus_modules::catalogue()).unwrap();
    let mut job = Job::new().input(path).threads(threads);
    for bank in ["ADC0", "TDC0", "CADC", "ASUM", "SCLR", "ACUM"] {
        job.parameters.push((format!("/Analyzer/Bank switches/{bank}"), "1".into()));
    }
    if let Some(extension) = extension {
        job = job.output(format!("{}/out.{extension}", dir.display())).unwrap();
    }
    move || {
        let report = analyzer.run(&job).unwrap();
        assert!(report.is_clean());
        report.runs[0].requests.iter().map(|r| r.account.kept).sum()
    }
}
