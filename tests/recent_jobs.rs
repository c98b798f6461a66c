//! Analyses of recent events: how old they are, rare ones beside many, and producers that go and come.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod rings;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pactolus::formats::Header;
use pactolus::prelude::*;
use pactolus::shm::{Producer, StreamName, look};
use pactolus::{Error, Offered, Report, RunReport, Sampling, Shm, StopAt};
use rings::{HANGS, directory, is_long, median, name, producer, size};
use tempfile::TempDir;

/// When an event was published: two halves of nanoseconds.
const TIME: BankDef<u32> = BankDef::new(b"TIME");

/// The clock of all processes [ns].
fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Publishes an event that says when.
fn send(producer: &mut Producer, id: u16, serial: u32) {
    let mut payload = [&28_u32, &1].map(|word: &u32| word.to_le_bytes()).concat();
    payload[..4].copy_from_slice(&16_u32.to_le_bytes());
    payload.extend(b"TIME");
    payload.extend([6, 0, 8, 0]);
    payload.extend(now().to_le_bytes());
    let header = Header { id, mask: 1, serial, time: 7, size: payload.len() as u32 };
    producer.event(&header, &payload).unwrap();
}

/// Ages of events when their analysis began [ns].
static AGES: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// Looks how old an event is, and takes its time.
#[derive(Record, Clone)]
struct Looks {
    /// How long an event takes [us]
    #[key("Time", default = 0)]
    time: u32,
    /// Whether ages are kept
    #[key("Ages", default = false)]
    ages: bool,
}

impl Module for Looks {
    fn banks(&self) -> Banks {
        Banks::read(TIME)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        if self.ages
            && let Some(words) = event.get(TIME)?
        {
            let halves: Vec<u64> = words.iter().map(u64::from).collect();
            AGES.lock().unwrap().push(now() - (halves[0] | halves[1] << 32));
        }
        // More exact than a sleep.
        let begun = Instant::now();
        if self.time > 500 {
            thread::sleep(Duration::from_micros(u64::from(self.time) - 200));
        }
        while begun.elapsed() < Duration::from_micros(self.time.into()) {
            thread::yield_now();
        }
        Ok(Keep)
    }
}

fn shm(name: &StreamName, sampling: Sampling, stop: StopAt) -> Shm {
    let mut shm = Shm::new(&name.path().with_extension("").display().to_string()).unwrap();
    (shm.sampling, shm.stop, shm.timeout) = (Some(sampling), stop, Some(HANGS));
    shm
}

type Started = JoinHandle<std::result::Result<Report, Error>>;

/// Begins to analyze, and waits until it is attached.
fn start(name: &StreamName, analyzer: Analyzer, job: Job) -> Started {
    let before = consumers(name);
    let started = thread::spawn(move || analyzer.run_with(&job, &mut |_| ()));
    let begun = Instant::now();
    while consumers(name) == before {
        assert!(begun.elapsed() < HANGS && !started.is_finished(), "it does not attach");
        thread::sleep(Duration::from_millis(1));
    }
    started
}

fn consumers(name: &StreamName) -> usize {
    look(name).map_or(0, |status| status.consumers.len())
}

fn end(started: Started) -> Report {
    started.join().unwrap().unwrap()
}

fn published(account: &Offered) -> u64 {
    account.offered + account.unattended
}

/// Sends events at a rate until the time is over; each so many-th is of id 2. How many of each.
fn send_at(producer: &mut Producer, rate: u64, rare: u64, length: Duration) -> [u32; 2] {
    let (begun, mut sent) = (Instant::now(), [0, 0]);
    loop {
        let due = (begun.elapsed().as_nanos() as u64).saturating_mul(rate) / 1_000_000_000;
        while u64::from(sent[0]) < due {
            send(producer, 1, sent[0]);
            sent[0] += 1;
            if u64::from(sent[0]).is_multiple_of(rare) {
                send(producer, 2, sent[1]);
                sent[1] += 1;
            }
        }
        if begun.elapsed() > length {
            return sent;
        }
        thread::sleep(Duration::from_micros(200));
    }
}

/// RT-02: a module that takes ten times as long as events are apart.
#[test]
fn recent_events_are_recent() {
    let (dir, length) = (directory(), size(Duration::from_secs(4), Duration::from_secs(60)));
    let name = &name(&dir);
    let mut producer = producer(name, 4 << 20);
    let looks = Looks { time: 2000, ages: true };
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1).bank(TIME)).module("looks", looks);
    let shm = shm(name, Sampling::Recent, StopAt::EndRun);
    let started = start(name, analyzer, Job::new().recent(shm).threads(1));
    producer.begin(1, 1, b"").unwrap();
    let [sent, _] = send_at(&mut producer, 5000, u64::MAX, length);
    producer.end(1, 1, b"").unwrap();
    let report = end(started);
    let account = report.runs[0].events[&1];
    assert_eq!(published(&account), u64::from(sent));
    let mut ages: Vec<f64> = AGES.lock().unwrap().iter().map(|age| *age as f64 / 1e9).collect();
    let half = median(&mut ages);
    let most = ages[ages.len() * 99 / 100];
    println!(
        "RT-02: {sent} events in {length:?}, {} analyzed: age at its begin {half:.3} s, {most:.3} s at 99 %, {:.3} s at most; {account:?}",
        ages.len(),
        ages[ages.len() - 1],
    );
    assert!(ages.len() > 100 && account.stale + account.overrun > 0);
    assert!(most < 1.0, "{most} s");
}

/// RT-06: an analysis that keeps up with a hundredth of what comes.
#[test]
fn rare_events_are_seen_beside_many() {
    let dir = directory();
    let name = &name(&dir);
    // Their rate, one in how many is rare, how long an event takes, and how old one may be.
    let (rate, rare, length, time, age) =
        size((20_000, 4000, 6, 5000, 200), (100_000, 100_000, 60, 1000, 1000));
    let mut producer = producer(name, 32 << 20);
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Many", 1).bank(TIME))
        .module("looks", Looks { time, ages: false });
    let analyzer = analyzer.on(Request::new("Rare", 2).reserve(2));
    let mut shm = shm(name, Sampling::Recent, StopAt::EndRun);
    shm.max_age = Some(Duration::from_millis(age));
    let started = start(name, analyzer, Job::new().recent(shm).threads(1));
    producer.begin(1, 1, b"").unwrap();
    let [many, few] = send_at(&mut producer, rate, rare, Duration::from_secs(length));
    producer.end(1, 1, b"").unwrap();
    let report = end(started);
    let events = &report.runs[0].events;
    assert_eq!([1, 2].map(|id| published(&events[&id])), [many, few].map(u64::from));
    let seen = |id: u16| events[&id].delivered as f64 / published(&events[&id]) as f64;
    println!(
        "RT-06: {many} events of id 1 in {length} s, {:.2} % analyzed; {few} of id 2, {:.1} %",
        100.0 * seen(1),
        100.0 * seen(2)
    );
    assert!(seen(1) < 0.5 && seen(2) >= 0.9, "{events:?}");
}

/// RT-08
#[test]
fn an_analysis_outlives_its_producer_or_not_as_the_user_wants() {
    let dir = directory();
    let name = &name(&dir);
    let analyzer = || Analyzer::new("Analyzer").on(Request::new("Trigger", 1));
    let mut first = producer(name, 1 << 20);
    let mut never = shm(name, Sampling::All, StopAt::Never);
    never.runs = Some((1, 3));
    let never = start(name, analyzer(), Job::new().recent(never));
    let runs = start(name, analyzer(), Job::new().recent(shm(name, Sampling::All, StopAt::EndRun)));
    let lost = {
        let run = |producer: &mut Producer, run: u32| {
            producer.begin(run, 1, b"").unwrap();
            (0..1000).for_each(|serial| send(producer, 1, serial));
            producer.end(run, 1, b"").unwrap();
        };
        run(&mut first, 1);
        // Ended with the run, while the producer lives.
        let report = end(runs);
        assert_eq!((report.runs.len(), published(&report.runs[0].events[&1])), (1, 1000));
        let lost = start(name, analyzer(), Job::new().recent(shm(name, Sampling::All, StopAt::EndRun)));
        first.begin(2, 1, b"").unwrap();
        (0..500).for_each(|serial| send(&mut first, 1, serial));
        drop(first);
        let report = end(lost);
        assert!(report.ended.is_some(), "the producer is gone within the run");
        // Another one, and one for which the file was removed.
        let mut second = producer(name, 1 << 20);
        let back = Instant::now();
        run(&mut second, 2);
        let mut waited = Duration::ZERO;
        while !look(name).unwrap().consumers.iter().all(|consumer| consumer.behind == 0) {
            waited = back.elapsed();
            assert!(waited < HANGS);
            thread::sleep(Duration::from_millis(1));
        }
        drop(second);
        std::fs::remove_file(name.path()).unwrap();
        let mut third = producer(name, 2 << 20);
        let back = Instant::now();
        while consumers(name) == 0 {
            assert!(back.elapsed() < HANGS);
            thread::sleep(Duration::from_millis(5));
        }
        let again = back.elapsed();
        run(&mut third, 3);
        println!(
            "RT-08: another producer is read after {waited:.1?}, another stream of that name after {again:.1?}"
        );
        assert!(waited < Duration::from_secs(5) && again < Duration::from_secs(5));
        third
    };
    let report = end(never);
    let of: BTreeMap<u32, u64> =
        report.runs.iter().map(|run| (run.run, published(&run.events[&1]))).collect();
    assert_eq!(of, BTreeMap::from([(1, 1000), (2, 1500), (3, 1000)]), "{:?}", report.warnings);
    drop(lost);
}

/// RT-03, RT-05 and RT-09 with jobs: several of them on one stream, each slow in its own way, over many runs.
#[test]
fn every_job_knows_every_event_of_every_run() {
    let dir: TempDir = directory();
    let name = &name(&dir);
    let (runs, events) = size((20_u32, 3000_u32), (1000, 3000));
    let mut producer = producer(name, 2 << 20);
    let jobs =
        [(Sampling::Recent, 0), (Sampling::Recent, 300), (Sampling::NonBlocking, 300), (Sampling::All, 0)];
    let jobs = jobs.map(|(sampling, time)| {
        let mut shm = shm(name, sampling, StopAt::Never);
        shm.runs = Some((1, runs));
        if sampling == Sampling::Recent {
            shm.max_age = Some(Duration::from_millis(50));
        }
        let trigger = Request::new("Trigger", 1).bank(TIME);
        let analyzer = Analyzer::new("Analyzer").on(trigger).module("looks", Looks { time, ages: false });
        let job = Job::new().recent(shm).threads(1);
        let before = consumers(name);
        let started = thread::spawn(move || {
            let mut ended: Vec<RunReport> = Vec::new();
            let done = analyzer.run_with(&job, &mut |progress| {
                if let Some(run) =
                    progress.ended.as_ref().filter(|run| ended.last().is_none_or(|last| last.run < run.run))
                {
                    ended.push((**run).clone());
                }
            });
            done.map(|_| ended)
        });
        while consumers(name) == before {
            assert!(!started.is_finished());
            thread::sleep(Duration::from_millis(1));
        }
        (sampling, started)
    });
    for run in 1..=runs {
        producer.begin(run, 1, b"").unwrap();
        for serial in 0..events {
            send(&mut producer, 1, serial);
            if serial % 7 == 0 {
                send(&mut producer, 3, serial / 7);
            }
        }
        producer.end(run, 1, b"").unwrap();
    }
    for (sampling, job) in jobs {
        let reports = job.join().unwrap().unwrap();
        let of: Vec<u32> = reports.iter().map(|run| run.run).collect();
        assert!(of.iter().copied().eq(1..=runs), "{sampling:?}: {of:?}");
        for run in &reports {
            let found = [1, 3].map(|id| published(&run.events[&id]));
            let wanted = [events, events.div_ceil(7)].map(u64::from);
            assert_eq!(found, wanted, "{sampling:?}, run {}: {:?}", run.run, run.events);
        }
        let dropped: u64 = reports.iter().flat_map(|run| run.events.values()).map(Offered::dropped).sum();
        assert!(sampling != Sampling::All || dropped == 0);
        println!(
            "RT-03, jobs: {sampling:?}: {runs} runs of {events} events of id 1, all accounted for, {dropped} dropped"
        );
    }
    assert!(!is_long() || producer.account().events > 1_000_000);
}
