//! Events in shared memory: how many a producer gets through to consumers on the same computer, how long one event
//! takes, and what waiting costs.
//!
//! `cargo bench --bench shm [-- --rounds 5] [--mb 1000] [--size 2000] [--seconds 2] [what...]`, of `rates`, `latency`, `waiting`.
//! Producer and consumers are threads. A consumer walks over all headers and counts; one that wants all must have
//! all, one that does not must know what it has missed. Beside that, in the same round: a *limit*, the same
//! two threads that copy the same bytes through a buffer of the same size in pieces of 64 kB, with plain copies and
//! nothing else; and a *peer*, the same ring if each event is published by itself. Medians over rounds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on has failed")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pactolus::formats::{EventView, Header};
use pactolus::prelude::*;
use pactolus::shm::{Consumer, Next, Options, Producer, StreamName, Want};
use pactolus::{Sampling, Shm, StopAt};
use rustix::time::ClockId;
use tempfile::TempDir;

/// Bytes of the ring.
const SIZE: u64 = 32 << 20;
/// How long an event may wait for others.
const DELAY: Duration = Duration::from_millis(1);
/// Events pushed at once as bytes.
const STRETCH: usize = 256 << 10;

fn directory() -> TempDir {
    let shared = std::path::Path::new("/dev/shm");
    if shared.is_dir() { TempDir::new_in(shared).unwrap() } else { TempDir::new().unwrap() }
}

fn name(dir: &TempDir) -> StreamName {
    StreamName::new(dir.path().join("bench").to_str().unwrap()).unwrap()
}

fn header(serial: u32, size: usize) -> Header {
    Header { id: 1, mask: 1, serial, time: 0, size: (size - Header::SIZE) as u32 }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn create(name: &StreamName, size: u64, delay: Duration) -> Producer {
    let mut options = Options::default();
    (options.size, options.delay) = (size, delay);
    Producer::create(name, options).unwrap()
}

/// How events are handed to the producer.
#[derive(Clone, Copy, PartialEq)]
enum Hand {
    /// One call for each.
    Single,
    /// Stretches of whole events.
    Stretches,
    /// One call for each, and each is published.
    Peer,
}

/// Processor time of a clock so far [s].
fn used(clock: ClockId) -> f64 {
    let now = rustix::time::clock_gettime(clock);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// What a consumer has found.
#[derive(Default)]
struct Found {
    /// Seconds of processor time.
    used: f64,
    events: u64,
    missed: u64,
}

/// Reads until so many events have come or are known to be missed.
fn consume(name: &StreamName, all: bool, events: u64, begin: &Barrier) -> Found {
    let mut consumer = Consumer::attach(name, &Want { name: "bench".into(), all, group: None }).unwrap();
    let mut bytes = Vec::new();
    let mut found = Found::default();
    begin.wait();
    let before = used(ClockId::ThreadCPUTime);
    while found.events + found.missed < events {
        bytes.clear();
        match consumer.next(&mut bytes, None).unwrap() {
            Next::Events { count, .. } => {
                let (mut rest, mut walked) = (&bytes[..], 0);
                while let Some((_, behind)) = EventView::parse(rest) {
                    (rest, walked) = (behind, walked + 1);
                }
                assert!(rest.is_empty() && walked == count);
                found.events += count;
            }
            Next::Transition(_) => {}
            Next::Nothing => {
                consumer.wait(Duration::from_millis(50));
            }
            Next::Over => break,
        }
        found.missed += consumer.missed().values().map(|lost| lost.overrun + lost.too_big).sum::<u64>();
    }
    found.used = used(ClockId::ThreadCPUTime) - before;
    found
}

/// Seconds until all consumers are through, processor time of the producer, and what each has found.
fn pass(size: usize, events: u64, hand: Hand, consumers: &[bool]) -> (f64, f64, Vec<Found>) {
    let dir = directory();
    let name = &name(&dir);
    let delay = if hand == Hand::Peer { Duration::ZERO } else { DELAY };
    let mut producer = create(name, SIZE, delay);
    let begin = &Barrier::new(consumers.len() + 1);
    thread::scope(|scope| {
        let readers: Vec<_> =
            consumers.iter().map(|all| scope.spawn(move || consume(name, *all, events, begin))).collect();
        begin.wait();
        let (begun, before) = (Instant::now(), used(ClockId::ThreadCPUTime));
        let payload = vec![0x55; size - Header::SIZE];
        match hand {
            Hand::Single | Hand::Peer => {
                for serial in 0..events {
                    producer.event(&header(serial as u32, size), &payload).unwrap();
                    if hand == Hand::Peer {
                        producer.flush();
                    }
                }
            }
            Hand::Stretches => {
                let count = (STRETCH / size).max(1) as u64;
                let event = [&header(0, size).to_bytes()[..], &payload].concat();
                let stretch = event.repeat(count as usize);
                let mut left = events;
                while left > 0 {
                    let now = left.min(count);
                    producer.events(&stretch[..now as usize * size]).unwrap();
                    left -= now;
                }
            }
        }
        producer.flush();
        let used = used(ClockId::ThreadCPUTime) - before;
        let found: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        let seconds = begun.elapsed().as_secs_f64();
        for (found, all) in found.iter().zip(consumers) {
            assert_eq!(found.events + found.missed, events);
            assert!(!all || found.missed == 0, "who wants all has missed {}", found.missed);
        }
        (seconds, used, found)
    })
}

/// Seconds in which two threads copy so many bytes through a buffer of the size of the ring.
fn limit(bytes: u64) -> f64 {
    const PIECE: usize = 64 << 10;
    let pieces = (bytes as usize).div_ceil(PIECE);
    let count = SIZE as usize / PIECE;
    // A lock for each piece, which nobody waits for.
    let buffer: Vec<Mutex<Vec<u8>>> = (0..count).map(|_| Mutex::new(vec![1; PIECE])).collect();
    let (written, read) = (&AtomicU64::new(0), &AtomicU64::new(0));
    let (buffer, begun) = (&buffer, Instant::now());
    thread::scope(|scope| {
        scope.spawn(move || {
            let source = vec![0x55_u8; STRETCH];
            for piece in 0..pieces {
                while piece as u64 >= read.load(Ordering::Acquire) + count as u64 {
                    thread::yield_now();
                }
                let from = piece * PIECE % STRETCH;
                buffer[piece % count].lock().unwrap().copy_from_slice(&source[from..from + PIECE]);
                written.store(piece as u64 + 1, Ordering::Release);
            }
        });
        let mut to = vec![0_u8; PIECE];
        for piece in 0..pieces {
            while piece as u64 >= written.load(Ordering::Acquire) {
                thread::yield_now();
            }
            to.copy_from_slice(&buffer[piece % count].lock().unwrap());
            std::hint::black_box(&to);
            read.store(piece as u64 + 1, Ordering::Release);
        }
    });
    begun.elapsed().as_secs_f64()
}

fn rates(rounds: usize, bytes: u64, sizes: &[usize]) {
    println!(
        "M events/s (GB/s), {rounds} rounds of {} MB; processor time of the producer and the\n\
         first consumer for a single event; single ones to the limit and to the peer",
        bytes / 1_000_000
    );
    println!(
        "{:6} {:26} {:>15} {:>15} {:>15} {:>15} {:>15} {:>9} {:>7} {:>7}",
        "", "", "single", "stretches", "peer", "limit", "ns of each", "missed", "limit", "peer"
    );
    for &size in sizes {
        let events = (bytes / size as u64).clamp(1000, 10_000_000);
        let cases = [
            ("1 consumer, all", &[true][..]),
            ("1 consumer, nonblocking", &[false]),
            ("2 consumers, all", &[true, true]),
            ("2 consumers, nonblocking", &[false, false]),
        ];
        for (what, consumers) in cases {
            let mut times = [(); 4].map(|()| Vec::new());
            let mut costs = [(); 2].map(|()| Vec::new());
            let mut missed = 0;
            for _ in 0..rounds {
                let (seconds, used, found) = pass(size, events, Hand::Single, consumers);
                costs[0].push(used);
                costs[1].push(found[0].used);
                missed = missed.max(found.iter().map(|found| found.missed * 100 / events).max().unwrap_or(0));
                times[0].push(seconds);
                times[1].push(pass(size, events, Hand::Stretches, consumers).0);
                // A tenth is enough for what is slow.
                times[2].push(pass(size, events / 10, Hand::Peer, consumers).0 * 10.0);
                times[3].push(limit(events * size as u64));
            }
            let rate = |times: &Vec<f64>| events as f64 / median(times.clone());
            let [single, stretches, peer, limit] = [0, 1, 2, 3].map(|n| rate(&times[n]));
            print!("{size:6} {what:26}");
            for rate in [single, stretches, peer, limit] {
                print!(" {:>15}", format!("{:.2} ({:.2})", rate / 1e6, rate * size as f64 / 1e9));
            }
            let [producer, consumer] = costs.map(|used| median(used) * 1e9 / events as f64);
            print!(" {:>15}", format!("{producer:.0} {consumer:.0}"));
            println!(" {missed:>7} % {:>7.2} {:>7.2}", single / limit, single / peer);
        }
    }
}

/// Waits until it is the turn of the event of this number.
fn pace(begun: Instant, serial: u64, rate: u64) {
    let due = Duration::from_nanos(serial * 1_000_000_000 / rate);
    let wait = due.saturating_sub(begun.elapsed());
    if wait > Duration::from_micros(100) {
        thread::sleep(wait.saturating_sub(Duration::from_micros(60)));
    }
    while begun.elapsed() < due {
        // Another thread may need this core.
        thread::yield_now();
    }
}

/// Median, 99th percentile, most.
fn spread(mut times: Vec<f64>) -> [f64; 3] {
    times.sort_by(f64::total_cmp);
    [times[times.len() / 2], times[times.len() * 99 / 100], times[times.len() - 1]]
}

/// Microseconds from the call of the producer to the return of the consumer: median, 99th percentile, most.
fn latency(rate: u64, seconds: u64) -> [f64; 3] {
    let dir = directory();
    let name = &name(&dir);
    let mut producer = create(name, SIZE, DELAY);
    let (events, begin, zero) = (rate * seconds, &Barrier::new(2), Instant::now());
    let times = thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut consumer = Consumer::attach(name, &Want { all: true, ..Want::default() }).unwrap();
            let (mut bytes, mut times) = (Vec::new(), Vec::new());
            begin.wait();
            while (times.len() as u64) < events {
                bytes.clear();
                match consumer.next(&mut bytes, None).unwrap() {
                    Next::Events { .. } => {
                        let now = zero.elapsed().as_nanos() as u64;
                        let mut rest = &bytes[..];
                        while let Some((event, behind)) = EventView::parse(rest) {
                            let sent = u64::from_ne_bytes(event.payload[..8].try_into().unwrap());
                            times.push((now - sent) as f64 / 1e3);
                            rest = behind;
                        }
                    }
                    _ => drop(consumer.wait(Duration::from_millis(100))),
                }
            }
            times
        });
        begin.wait();
        let begun = Instant::now();
        let mut payload = [0_u8; 84];
        for serial in 0..events {
            pace(begun, serial, rate);
            payload[..8].copy_from_slice(&(zero.elapsed().as_nanos() as u64).to_ne_bytes());
            producer.event(&header(serial as u32, 100), &payload).unwrap();
        }
        reader.join().unwrap()
    });
    spread(times)
}

/// When an event was published, in a bank of two words.
const TIME: BankDef<u32> = BankDef::new(b"TIME");

/// Ages of events when a module got them [us].
static AGES: Mutex<Vec<f64>> = Mutex::new(Vec::new());

/// The clock of all threads [ns].
fn now() -> u64 {
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Looks how old events are.
#[derive(Record, Clone)]
struct Looks {
    /// Whether it looks
    #[key("Looks", default = true)]
    looks: bool,
}

impl Module for Looks {
    fn banks(&self) -> Banks {
        Banks::read(TIME)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        if self.looks
            && let Some(words) = event.get(TIME)?
        {
            let halves: Vec<u64> = words.iter().map(u64::from).collect();
            AGES.lock().unwrap().push((now() - (halves[0] | halves[1] << 32)) as f64 / 1e3);
        }
        Ok(Keep)
    }
}

/// The same to a module of a job.
fn latency_of_job(rate: u64, seconds: u64) -> [f64; 3] {
    let dir = directory();
    let name = &name(&dir);
    let mut producer = create(name, SIZE, DELAY);
    let mut shm = Shm::new(dir.path().join("bench").to_str().unwrap()).unwrap();
    (shm.sampling, shm.stop) = (Some(Sampling::All), StopAt::EndRun);
    let analyzer = Analyzer::new("Bench").on(Request::new("Trigger", 1).bank(TIME));
    let analyzer = analyzer.module("looks", Looks::defaults());
    let job = Job::new().recent(shm).threads(1);
    let job = thread::spawn(move || analyzer.run(&job).unwrap());
    while pactolus::shm::look(name).unwrap().consumers.is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
    producer.begin(1, 0, b"").unwrap();
    let begun = Instant::now();
    // A bank of two words, and what makes it 100 bytes.
    let mut payload = vec![0; 84];
    payload[..8].copy_from_slice(&[[76, 0, 0, 0], [1, 0, 0, 0]].concat());
    payload[8..16].copy_from_slice(b"TIME\x06\0\x08\0");
    payload[24..32].copy_from_slice(b"FILL\x06\0\x34\0");
    for serial in 0..rate * seconds {
        pace(begun, serial, rate);
        payload[16..24].copy_from_slice(&now().to_le_bytes());
        producer.event(&header(serial as u32, 100), &payload).unwrap();
    }
    producer.end(1, 0, b"").unwrap();
    job.join().unwrap();
    let times = std::mem::take(&mut *AGES.lock().unwrap());
    assert_eq!(times.len() as u64, rate * seconds);
    spread(times)
}

/// Milliseconds of processor time in some seconds in which a consumer waits for events, and a producer for room.
fn waiting(seconds: u64) -> [f64; 2] {
    let dir = directory();
    let name = &name(&dir);
    let mut producer = create(name, 1 << 20, DELAY);
    let mut consumer = Consumer::attach(name, &Want { all: true, ..Want::default() }).unwrap();
    let length = Duration::from_secs(seconds);
    let (begun, before) = (Instant::now(), used(ClockId::ProcessCPUTime));
    while begun.elapsed() < length {
        consumer.wait(length);
    }
    let idle = used(ClockId::ProcessCPUTime) - before;
    let (room, full) = (Barrier::new(2), &Barrier::new(2));
    let room = &room;
    let blocked = thread::scope(|scope| {
        scope.spawn(move || {
            full.wait();
            for serial in 0..20_000 {
                producer.event(&header(serial, 100), &[0; 84]).unwrap();
            }
            room.wait();
        });
        full.wait();
        // Until it waits.
        while consumer.back_pressure().is_zero() {
            thread::sleep(Duration::from_millis(10));
        }
        let before = used(ClockId::ProcessCPUTime);
        thread::sleep(length);
        let blocked = used(ClockId::ProcessCPUTime) - before;
        let (mut bytes, mut events) = (Vec::new(), 0);
        while events < 20_000 {
            match consumer.next(&mut bytes, None).unwrap() {
                Next::Events { count, .. } => events += count,
                _ => drop(consumer.wait(Duration::from_millis(10))),
            }
        }
        room.wait();
        blocked
    });
    [idle, blocked].map(|time| time * 1e3)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |flag: &str, default: u64| {
        let at = args.iter().position(|arg| arg == flag);
        at.and_then(|at| args.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (rounds, mb, seconds) =
        (number("--rounds", 5) as usize, number("--mb", 1000), number("--seconds", 2));
    let parts = ["rates", "latency", "waiting"];
    let chosen: Vec<&str> = parts.into_iter().filter(|part| args.iter().any(|arg| arg == part)).collect();
    let does = |part: &str| chosen.is_empty() || chosen.contains(&part);
    if does("rates") {
        let one = number("--size", 0) as usize;
        let sizes = if one == 0 { vec![100, 2000, 100_000] } else { vec![one] };
        rates(rounds, mb * 1_000_000, &sizes);
    }
    if does("latency") {
        println!("latency [us], {rounds} rounds of {seconds} s: median, 99 %, most");
        for (what, measure) in
            [("consumer", latency as fn(u64, u64) -> [f64; 3]), ("module of a job", latency_of_job)]
        {
            for rate in [1000, 100_000] {
                let found: Vec<_> = (0..rounds).map(|_| measure(rate, seconds)).collect();
                let [half, most, worst] =
                    [0, 1, 2].map(|n| median(found.iter().map(|times| times[n]).collect()));
                let rate = format!("{} kHz", rate / 1000);
                println!("{what:>20} {rate:>10} {half:>8.1} {most:>8.1} {worst:>8.1}");
            }
        }
    }
    if does("waiting") {
        let [idle, blocked] = waiting(5);
        println!(
            "processor time in 5 s [ms]: a consumer that waits {idle:.1}, a producer that waits {blocked:.1}"
        );
    }
}
