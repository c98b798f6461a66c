//! Streams in shared memory as a live source: every event of a run is analyzed, or accounted for.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use common::bench::{analyse, assert_accounts, data, names, run_of};
use common::{MidFile, catalogue, corpus, definition};
use pactolus::formats::mid::Block;
use pactolus::formats::{Header, Limits};
use pactolus::prelude::*;
use pactolus::shm::{Options, Producer, StreamName, look};
use pactolus::{Arrival, Definition, Ended, Error, Offered, Progress, Report, Sampling, Shm, Stop, StopAt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use tempfile::TempDir;

/// Far longer than anything here takes.
const HANGS: Duration = Duration::from_secs(60);

fn wait_until(ask: impl Fn() -> bool) {
    let begun = Instant::now();
    while !ask() {
        assert!(begun.elapsed() < HANGS, "it does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A directory with a stream in it, and outputs.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Scene {
        Scene { dir: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn name(&self) -> StreamName {
        StreamName::new(&self.path("lxe")).unwrap()
    }

    fn producer(&self) -> Producer {
        self.producer_of(1 << 20)
    }

    fn producer_of(&self, size: u64) -> Producer {
        let mut options = Options::default();
        options.size = size;
        Producer::create(&self.name(), options).unwrap()
    }

    /// The stream, of which every event is wanted.
    fn all(&self) -> Shm {
        let mut shm = Shm::new(&self.path("lxe")).unwrap();
        shm.sampling = Some(Sampling::All);
        shm.timeout = Some(HANGS);
        shm
    }

    /// ... of one run.
    fn run(&self) -> Shm {
        let mut shm = self.all();
        shm.stop = StopAt::EndRun;
        shm
    }

    fn consumers(&self) -> usize {
        look(&self.name()).map_or(0, |status| status.consumers.len())
    }

    /// Begins to analyze; there is a producer.
    fn start(&self, analyzer: Analyzer, job: Job) -> Started {
        let before = self.consumers();
        let started = Started::new(analyzer, job);
        wait_until(|| self.consumers() > before);
        started
    }
}

/// An analysis that goes on.
struct Started {
    told: Receiver<Progress>,
    job: JoinHandle<std::result::Result<Report, Error>>,
}

impl Started {
    fn new(analyzer: Analyzer, job: Job) -> Started {
        let (tell, told) = channel();
        let job = std::thread::spawn(move || {
            analyzer.run_with(&job, &mut |progress| drop(tell.send(progress.clone())))
        });
        Started { told, job }
    }

    /// Waits until this is so.
    fn wait(&self, ask: impl Fn(&Progress) -> bool) {
        let begun = Instant::now();
        while !ask(&self.told.recv_timeout(HANGS).expect("the job says nothing")) {
            assert!(begun.elapsed() < HANGS, "it does not come");
        }
    }

    fn end(self) -> Report {
        let report = self.job.join().unwrap().unwrap();
        assert_accounts(&report);
        report
    }
}

fn plain() -> Analyzer {
    Analyzer::new("Analyzer")
}

/// Takes half a millisecond for an event, and none before this is open.
#[derive(Record, Clone)]
struct Sleeps {
    #[key(skip)]
    open: Arc<AtomicBool>,
}

impl Module for Sleeps {
    fn event(&self, _: &Event<'_>, _: &Context<'_>) -> Result<Verdict> {
        while !self.open.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(500));
        Ok(Keep)
    }
}

/// An analyzer that is slow with events of id 1.
fn slow(open: &Arc<AtomicBool>) -> Analyzer {
    let sleeps = Sleeps { open: Arc::clone(open) };
    let trigger = plain().on(Request::new("Trigger", 1)).module("sleeps", sleeps);
    trigger.on(Request::new("Rare", 4).reserve(5))
}

/// Places where one event ends.
fn ends_of(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        at += Header::SIZE + Header::parse(&bytes[at..]).unwrap().1.size as usize;
        ends.push(at);
    }
    ends
}

/// Publishes whole events, one to 200 at a time.
fn publish(producer: &mut Producer, bytes: &[u8], seed: u64) {
    let mut random = Pcg32::seed_from_u64(seed);
    let ends = ends_of(bytes);
    let (mut at, mut event) = (0, 0);
    while at < bytes.len() {
        event = (event + 1 + (random.next_u32() % 200) as usize).min(ends.len());
        producer.events(&bytes[at..ends[event - 1]]).unwrap();
        at = ends[event - 1];
        if random.next_u32() % 8 == 0 {
            std::thread::sleep(Duration::from_micros(u64::from(random.next_u32() % 2000)));
        }
    }
    producer.flush();
}

/// Events of an id with these serial numbers and so many words each.
fn send(producer: &mut Producer, id: u16, serials: std::ops::Range<u32>, words: usize) {
    let words = vec![7; words];
    for serial in serials {
        producer.events(&MidFile::new().words(id, serial, "ADC0", &words).bytes).unwrap();
    }
}

/// An event in three pieces.
fn send_in_pieces(producer: &mut Producer, id: u16, serial: u32) {
    let event = MidFile::new().words(id, serial, "ADC0", &[7; 200]).bytes;
    let payload = &event[Header::SIZE..];
    let mut piece = |kind: u16, payload: &[u8]| {
        let header = Header { id: id | kind, mask: 1, serial, time: 7, size: payload.len() as u32 };
        producer.event(&header, payload).unwrap();
    };
    piece(0xc000, &(payload.len() as u32).to_le_bytes());
    piece(0xd000, &payload[..100]);
    piece(0xd000, &payload[100..]);
}

/// What of each id was published in a run that is wholly known.
fn published(report: &Report, run: usize) -> BTreeMap<u16, u64> {
    let ids = report.runs[run].events.iter();
    ids.map(|(id, account)| (*id, account.offered + account.unattended)).collect()
}

fn rows(path: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(path).unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    // Of a schema, only the columns: the rest says where they come from.
    batches
        .map(|batch| {
            let batch = batch.unwrap();
            let schema = batch.schema().as_ref().clone().with_metadata(std::collections::HashMap::new());
            batch.with_schema(schema.into()).unwrap()
        })
        .collect()
}

#[test]
fn what_is_published_gives_what_the_files_give() {
    let analyzer = || {
        let definition = Definition::read(definition("analyzer2")).unwrap();
        Analyzer::from_definition(&definition, &catalogue()).unwrap()
    };
    let first = fs::read(corpus("mid/run00006.mid")).unwrap();
    let second = run_of(42, 0..20_000).bytes;
    for threads in [1, 2] {
        let scene = Scene::new();
        let outputs = ["run%05d.mid", "run%05d.asc", "run%05d.parquet"];
        let job = |to: &str| {
            fs::create_dir(scene.path(to)).unwrap();
            let job = Job::new().threads(threads);
            outputs.iter().fold(job, |job, name| job.output(scene.path(&format!("{to}/{name}"))).unwrap())
        };
        for (name, bytes) in [("run00006.mid", &first), ("run00042.mid", &second)] {
            fs::write(scene.path(name), bytes).unwrap();
        }
        let files = job("offline").input(scene.path("run00006.mid")).input(scene.path("run00042.mid"));
        let offline = analyse(&analyzer(), &files);
        let mut producer = scene.producer();
        let mut shm = scene.all();
        shm.runs = Some((6, 42));
        let started = scene.start(analyzer(), job("live").recent(shm));
        publish(&mut producer, &first, 1);
        publish(&mut producer, &second, 2);
        let live = started.end();
        assert_eq!((&live.warnings, &live.ended), (&offline.warnings, &None));
        assert_eq!(live.runs.len(), 2);
        for (live, offline) in live.runs.iter().zip(&offline.runs) {
            assert_eq!((live.run, &live.events, live.system), (offline.run, &offline.events, offline.system));
            assert_eq!((&live.requests, &live.tests), (&offline.requests, &offline.tests));
            assert_eq!((&live.histograms, &live.parameters), (&offline.histograms, &offline.parameters));
            assert_eq!((&live.failures, &live.messages), (&offline.failures, &offline.messages));
        }
        let mut compared = 0;
        for entry in fs::read_dir(scene.path("offline")).unwrap() {
            let (name, offline) = entry.map(|entry| (entry.file_name(), entry.path())).unwrap();
            let live = Path::new(&scene.path("live")).join(&name);
            match name.to_str().unwrap() {
                name if name.ends_with(".provenance.json") => assert!(live.exists(), "{name}"),
                name if name.ends_with(".histos.parquet") || name.ends_with(".histos.json") => {}
                name if name.ends_with(".parquet") => assert_eq!(rows(&live), rows(&offline), "{name}"),
                name => assert!(fs::read(live).unwrap() == fs::read(offline).unwrap(), "{name} differs"),
            }
            compared += 1;
        }
        assert!(compared >= 10, "{compared}");
        drop(producer);
        assert!(!scene.name().path().exists(), "the last one out removes it");
    }
}

#[test]
fn who_comes_within_a_run_knows_what_was_before() {
    let scene = Scene::new();
    let mut producer = scene.producer();
    producer.begin(7, 1, b"").unwrap();
    send(&mut producer, 1, 0..1000, 100);
    send(&mut producer, 2, 0..50, 100);
    send_in_pieces(&mut producer, 3, 0);
    producer.pause().unwrap();
    producer.flush();
    let started = scene.start(plain(), Job::new().recent(scene.run()));
    started.wait(|progress| progress.live.as_ref().is_some_and(|live| live.is_paused));
    producer.resume().unwrap();
    send(&mut producer, 1, 1000..1500, 100);
    send(&mut producer, 4, 0..3, 100);
    send_in_pieces(&mut producer, 3, 1);
    producer.end(7, 2, b"").unwrap();
    let report = started.end();
    assert_eq!(published(&report, 0), BTreeMap::from([(1, 1500), (2, 50), (3, 2), (4, 3)]));
    let account = report.runs[0].events[&1];
    assert_eq!((account.delivered, account.unattended), (500, 1000));
    let name = scene.name();
    let wanted = [
        format!("{name}: attached within run 7, of which 1051 events were published before"),
        "run 7 is paused".into(),
        "run 7 goes on".into(),
    ];
    assert_eq!(report.warnings, wanted);
    assert!(report.is_clean() && report.ended.is_none());
}

#[test]
fn a_producer_that_leaves_within_a_run_leaves_a_gap() {
    let scene = Scene::new();
    let mut producer = scene.producer();
    let mut shm = scene.all();
    shm.runs = Some((1, 8));
    let started = scene.start(plain(), Job::new().recent(shm));
    producer.begin(7, 1, b"").unwrap();
    send(&mut producer, 1, 0..100, 100);
    drop(producer);
    started.wait(|progress| progress.warnings.iter().any(|text| text.contains("is gone within run 7")));
    // Another goes on with it, and with the next it does not.
    let mut producer = scene.producer();
    producer.begin(7, 1, b"").unwrap();
    send(&mut producer, 1, 100..200, 100);
    drop(producer);
    started.wait(|progress| progress.warnings.iter().any(|text| text.ends_with("its producer is back")));
    let mut producer = scene.producer();
    // Nobody knows whose these are.
    send(&mut producer, 1, 200..203, 100);
    producer.begin(8, 1, b"").unwrap();
    send(&mut producer, 1, 0..10, 100);
    producer.end(8, 1, b"").unwrap();
    let report = started.end();
    let counts: Vec<_> = (0..2).map(|run| published(&report, run)[&1]).collect();
    assert_eq!(counts, [200, 10]);
    let name = scene.name();
    let [again, gone] = &*report.runs[0].gaps else { panic!("{:?}", report.runs[0].gaps) };
    assert!(again.starts_with(&format!("the producer of {name} was gone: events of this time, ")), "{again}");
    // By chance, the next one is there before anybody has seen that there was none.
    let ends = ["was gone", "has begun anew"];
    assert!(
        ends.iter().any(|end| *gone == format!("run 7 is not complete: the producer of {name} {end}")),
        "{gone}"
    );
    assert!(report.runs[1].gaps.is_empty() && !report.is_clean());
    let outside = "3 events came while no run was going on, and are not analyzed: 3 of id 1";
    assert!(report.warnings.iter().any(|text| text == outside), "{:?}", report.warnings);
}

#[test]
fn who_ends_with_the_run_does_not_wait_for_another_producer() {
    let scene = Scene::new();
    let error = plain().run(&Job::new().recent(scene.run())).unwrap_err();
    assert!(error.is_away(), "{error}");
    let mut producer = scene.producer();
    let started = scene.start(plain(), Job::new().recent(scene.run()));
    producer.begin(7, 1, b"").unwrap();
    send(&mut producer, 1, 0..100, 100);
    drop(producer);
    let report = started.end();
    assert_eq!(published(&report, 0)[&1], 100);
    let Some(Ended::Lost(why)) = &report.ended else { panic!("{:?}", report.ended) };
    assert!(
        why.contains("its producer is gone within run 7; the last complete event is number 101"),
        "{why}"
    );
}

#[test]
fn a_run_that_its_producer_has_not_ended_is_cut() {
    let scene = Scene::new();
    let mut producer = scene.producer();
    let mut both = scene.all();
    both.runs = Some((7, 8));
    let one = scene.start(plain(), Job::new().recent(scene.run()));
    let both = scene.start(plain(), Job::new().recent(both));
    for run in [7, 8] {
        producer.begin(run, 1, b"").unwrap();
        send(&mut producer, 1, 0..100, 100);
    }
    producer.end(8, 1, b"").unwrap();
    let (name, report) = (scene.name(), one.end());
    let Some(Ended::Lost(why)) = &report.ended else { panic!("{:?}", report.ended) };
    assert!(
        why.starts_with(&format!("{name}: run 7 was cut: its producer has begun anew; the last")),
        "{why}"
    );
    let report = both.end();
    assert_eq!([0, 1].map(|run| published(&report, run)[&1]), [100, 100]);
    assert_eq!(
        report.runs[0].gaps,
        [format!("run 7 is not complete: the producer of {name} has begun anew")]
    );
    assert!(report.runs[1].gaps.is_empty());
}

#[test]
fn a_stream_that_nobody_has_made_is_waited_for() {
    let scene = Scene::new();
    let mut shm = scene.all();
    shm.runs = Some((7, 7));
    let started = Started::new(plain(), Job::new().recent(shm));
    started
        .wait(|progress| progress.warnings.iter().any(|text| text.contains("nobody has made this stream")));
    let mut producer = scene.producer();
    wait_until(|| scene.consumers() == 1);
    producer.begin(7, 1, b"").unwrap();
    send(&mut producer, 1, 0..100, 100);
    // What could be cut does not wait for what follows: here, all come whole.
    let fixed = Header { id: 9, mask: 1, serial: 0, time: 7, size: 3 };
    producer.event(&fixed, b"abc").unwrap();
    producer.flush();
    started.wait(|progress| progress.read == 102);
    producer.end(7, 1, b"").unwrap();
    let report = started.end();
    assert_eq!(published(&report, 0), BTreeMap::from([(1, 100), (9, 1)]));
    assert_eq!(report.warnings[1], format!("{}: attached", scene.name()));
}

#[test]
fn a_slow_analysis_has_recent_events_and_accounts_for_all_others() {
    for sampling in [Sampling::Recent, Sampling::NonBlocking] {
        let scene = Scene::new();
        let mut producer = scene.producer_of(4 << 20);
        let mut shm = scene.run();
        shm.sampling = Some(sampling);
        shm.max_age = (sampling == Sampling::Recent).then_some(Duration::from_millis(100));
        let mut job = Job::new().recent(shm).threads(1).output(scene.path("out.mid")).unwrap();
        job.memory = 8 << 20;
        let open = Arc::new(AtomicBool::new(false));
        let started = scene.start(slow(&open), job);
        producer.begin(7, 1, b"").unwrap();
        for bunch in 0..100 {
            send(&mut producer, 1, bunch * 100..bunch * 100 + 100, 1000);
            if bunch % 5 == 0 {
                send(&mut producer, 4, bunch / 5..bunch / 5 + 1, 10);
            }
            producer.flush();
            std::thread::sleep(Duration::from_millis(5));
        }
        producer.end(7, 1, b"").unwrap();
        open.store(true, Ordering::SeqCst);
        let report = started.end();
        assert_eq!(published(&report, 0), BTreeMap::from([(1, 10_000), (4, 20)]), "{sampling:?}");
        let Offered { delivered, stale, overrun, unattended, .. } = report.runs[0].events[&1];
        assert_eq!(unattended, 0);
        assert!(delivered > 0 && stale + overrun > 1000, "{:?}", report.runs[0].events);
        if sampling == Sampling::NonBlocking {
            assert_eq!(stale, 0);
        }
        // The newest ones of the rare events are there, in their order.
        let found = names(&data(Path::new(&scene.path("out.mid"))));
        let rare: Vec<u32> = found.iter().filter(|(id, _)| *id == 4).map(|(_, serial)| *serial).collect();
        assert!(rare.ends_with(&[15, 16, 17, 18, 19]), "{rare:?}");
        for id in [1, 4] {
            let serials: Vec<u32> = found.iter().filter(|(of, _)| *of == id).map(|(_, n)| *n).collect();
            assert!(serials.is_sorted() && serials.len() as u64 == report.runs[0].events[&id].delivered);
        }
    }
}

#[test]
fn who_wants_every_event_makes_the_producer_wait_and_says_so() {
    let scene = Scene::new();
    let mut producer = scene.producer();
    let mut shm = scene.run();
    // The definition says it.
    shm.sampling = None;
    let analyzer =
        slow(&Arc::new(AtomicBool::new(true))).on(Request::new("Every", 1).sampling(Sampling::All));
    let mut job = Job::new().recent(shm).threads(1);
    job.memory = 1 << 20;
    let started = scene.start(analyzer, job);
    producer.begin(7, 1, b"").unwrap();
    send(&mut producer, 1, 0..1500, 1500);
    producer.end(7, 1, b"").unwrap();
    let waited = producer.account().waited.as_secs_f64();
    let report = started.end();
    let account = report.runs[0].events[&1];
    assert_eq!((account.delivered, account.offered, account.unattended), (1500, 1500, 0));
    assert!(waited > 0.05 && (report.runs[0].back_pressure - waited).abs() < 0.05, "{waited}");
    assert!(
        report.warnings[0].contains("the definition takes all events of a request"),
        "{:?}",
        report.warnings
    );
}

#[test]
fn those_of_one_name_split_the_events() {
    let scene = Scene::new();
    let mut producer = scene.producer();
    let mut shm = scene.run();
    shm.split = true;
    let job = || Job::new().recent(shm.clone()).threads(1);
    let both = [scene.start(plain(), job()), scene.start(plain(), job())];
    producer.begin(7, 1, b"").unwrap();
    let (mut bunch, begun) = (0, Instant::now());
    // Until both have had some, however busy the computer is.
    let idle = || look(&scene.name()).unwrap().consumers.iter().any(|consumer| consumer.events == 0);
    while bunch < 100 || idle() {
        assert!(begun.elapsed() < HANGS, "one of them gets nothing");
        send(&mut producer, 1, bunch * 100..bunch * 100 + 100, 500);
        producer.flush();
        bunch += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    producer.end(7, 1, b"").unwrap();
    let [one, other] = both.map(|started| started.end());
    let delivered = |report: &Report| {
        assert!(report.is_clean() && report.runs.len() == 1);
        report.runs[0].events.get(&1).map_or(0, |account| account.delivered)
    };
    assert_eq!(delivered(&one) + delivered(&other), u64::from(bunch) * 100);
    assert!(delivered(&one) > 0 && delivered(&other) > 0);
}

#[test]
fn arrivals_are_the_same_bytes_with_pauses_between() {
    let scene = Scene::new();
    let mut producer = scene.producer();
    let stop = Stop::new();
    let mut arrivals = scene.run().events(Limits::default(), &stop).unwrap();
    let bytes = MidFile::new().bor(7).words(1, 0, "ADC0", &[1]).words(2, 0, "ADC0", &[2]).bytes;
    let reading = std::thread::spawn(move || {
        let (mut block, mut bytes, mut told) = (Block::new(), Vec::new(), Vec::new());
        loop {
            match arrivals.next(&mut block, 1 << 16).unwrap() {
                Arrival::Events => bytes.extend_from_slice(block.bytes()),
                Arrival::Paused(paused) => told.push((paused, bytes.len())),
                Arrival::Over(ended) => return (bytes, told, ended, arrivals.missed()),
                _ => {}
            }
        }
    });
    producer.events(&bytes).unwrap();
    producer.pause().unwrap();
    producer.flush();
    std::thread::sleep(Duration::from_millis(100));
    producer.resume().unwrap();
    let rest = MidFile::new().words(1, 1, "ADC0", &[3]).eor(7).bytes;
    producer.events(&rest).unwrap();
    let (found, told, ended, missed) = reading.join().unwrap();
    assert_eq!((ended, missed), (None, BTreeMap::new()));
    assert_eq!(told, [(true, bytes.len()), (false, bytes.len())]);
    assert!(found == [bytes, rest].concat());
}
