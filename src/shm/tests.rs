//! Producers and consumers in one process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pactolus_formats::{EventView, Header};
use tempfile::TempDir;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn name(dir: &TempDir) -> StreamName {
    StreamName::new(dir.path().join("lxe").to_str().unwrap()).unwrap()
}

fn small() -> Options {
    Options { size: 1 << 20, ..Options::default() }
}

fn header(id: u16, serial: u32, size: usize) -> Header {
    Header { id, mask: 1, serial, time: 7, size: size as u32 }
}

/// Every byte of the payload follows from the serial number.
fn payload(serial: u32, size: usize) -> Vec<u8> {
    vec![(serial % 251) as u8; size]
}

fn send(producer: &mut Producer, id: u16, serial: u32, size: usize) {
    producer.event(&header(id, serial, size), &payload(serial, size)).unwrap();
}

/// What a consumer has seen.
#[derive(Default)]
struct Seen {
    events: Vec<(u16, u32)>,
    transitions: Vec<(TransitionKind, u32, bool)>,
    lost: BTreeMap<u16, Lost>,
}

impl Seen {
    fn check(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (event, rest) = EventView::parse(bytes).expect("a whole event");
            let wanted = (event.header.serial % 251) as u8;
            assert!(event.payload.iter().all(|byte| *byte == wanted), "torn: {:?}", event.header);
            self.events.push((event.header.id, event.header.serial));
            bytes = rest;
        }
    }

    fn read(&mut self, consumer: &mut Consumer, only: Option<&[u16]>) -> bool {
        let mut bytes = Vec::new();
        let next = consumer.next(&mut bytes, only).unwrap();
        match &next {
            Next::Events { count, .. } => {
                let before = self.events.len();
                self.check(&bytes);
                assert_eq!(*count, (self.events.len() - before) as u64);
            }
            Next::Transition(told) => {
                self.lose(consumer);
                self.transitions.push((told.kind, told.run, told.is_replay));
            }
            Next::Nothing | Next::Over => self.lose(consumer),
        }
        !matches!(next, Next::Nothing | Next::Over)
    }

    fn lose(&mut self, consumer: &mut Consumer) {
        for (id, lost) in consumer.missed() {
            let sum = self.lost.entry(id).or_default();
            sum.overrun += lost.overrun;
            sum.too_big += lost.too_big;
            sum.unattended += lost.unattended;
        }
    }

    fn drain(&mut self, consumer: &mut Consumer) {
        while self.read(consumer, None) {}
    }

    fn of(&self, id: u16) -> u64 {
        self.events.iter().filter(|(found, _)| *found == id).count() as u64
    }
}

#[test]
fn events_and_transitions_come_in_order() {
    use TransitionKind::{Begin, End, Pause, Resume};
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    let mut seen = Seen::default();
    producer.begin(42, 1, b"odb").unwrap();
    send(&mut producer, 1, 0, 12);
    send(&mut producer, 2, 0, 13);
    producer.pause().unwrap();
    producer.resume().unwrap();
    send(&mut producer, 1, 1, 0);
    producer.end(42, 2, b"").unwrap();
    assert!(seen.read(&mut consumer, None));
    assert_eq!((seen.events.len(), seen.transitions.len()), (0, 1));
    seen.drain(&mut consumer);
    assert_eq!(seen.events, [(1, 0), (2, 0), (1, 1)]);
    let transitions = [Begin, Pause, Resume, End].map(|kind| (kind, 42, false));
    assert_eq!(seen.transitions, transitions);
    assert!(seen.lost.is_empty());
    assert!(consumer.wait(Duration::ZERO) && consumer.has_producer());
    assert_eq!(producer.account().events, 3);
    drop(producer);
    assert!(!consumer.has_producer());
    drop(consumer);
    assert!(matches!(Consumer::attach(&name(&dir), &Want::default()), Err(Error::Absent { .. })));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn whole_stretches_of_events_are_the_same_as_single_ones() {
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want { all: true, ..Want::default() }).unwrap();
    let mut bytes = Vec::new();
    let mut add = |id: u16, serial: u32, payload: &[u8]| {
        bytes.extend(header(id, serial, payload.len()).to_bytes());
        bytes.extend(payload);
    };
    add(0x8000, 5, b"the odb, of odd size");
    for serial in 0..1000 {
        add(1 + (serial % 3) as u16, serial, &payload(serial, serial as usize % 77));
    }
    add(0x8001, 5, b"");
    producer.events(&bytes).unwrap();
    let mut found = Vec::new();
    loop {
        match consumer.next(&mut found, None).unwrap() {
            Next::Transition(transition) => found.extend(transition.event),
            Next::Nothing => break,
            _ => {}
        }
    }
    assert!(found == bytes);
    let error = producer.events(&bytes[..bytes.len() - 1]).unwrap_err().to_string();
    assert!(error.contains("no whole event"), "{error}");
}

#[test]
fn who_wants_all_holds_the_producer_back_and_gets_all() {
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want { all: true, ..Want::default() }).unwrap();
    let reader = std::thread::spawn(move || {
        let mut seen = Seen::default();
        // More is sent than there is room for.
        while consumer.back_pressure().is_zero() {
            std::thread::sleep(Duration::from_millis(1));
        }
        while seen.transitions.len() < 2 {
            if !seen.read(&mut consumer, None) {
                consumer.wait(Duration::from_secs(1));
            } else if seen.events.len() % 50 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        (seen.events, seen.lost, consumer.back_pressure())
    });
    producer.begin(1, 1, b"").unwrap();
    for serial in 0..5000 {
        send(&mut producer, 1, serial, 1000 + serial as usize % 100);
    }
    producer.end(1, 2, b"").unwrap();
    let (events, lost, waited) = reader.join().unwrap();
    assert_eq!(events, (0..5000).map(|serial| (1, serial)).collect::<Vec<_>>());
    assert!(lost.is_empty() && waited > Duration::ZERO, "{lost:?} {waited:?}");
    assert_eq!(producer.account().waited, waited);
}

#[test]
fn what_is_overwritten_is_counted_by_id_and_transitions_are_not_lost() {
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    let mut seen = Seen::default();
    let mut sent = BTreeMap::<u16, u64>::new();
    for run in 1..=20 {
        producer.begin(run, 1, &vec![b'x'; 10_000]).unwrap();
        for serial in 0..3000 {
            let id = if serial % 1000 == 999 { 7 } else { 1 };
            send(&mut producer, id, serial, 1000);
            *sent.entry(id).or_default() += 1;
            if run % 3 == 0 && serial % 200 == 0 {
                seen.read(&mut consumer, None);
            }
        }
        // An event of an id that never comes again.
        send(&mut producer, 100 + run as u16, 0, 10);
        *sent.entry(100 + run as u16).or_default() += 1;
        producer.end(run, 2, b"").unwrap();
    }
    seen.drain(&mut consumer);
    let told: Vec<_> = seen.transitions.iter().map(|(_, run, _)| *run).collect();
    assert_eq!(told, (1..=20).flat_map(|run| [run, run]).collect::<Vec<_>>());
    for (id, sent) in sent {
        let lost = seen.lost.get(&id).copied().unwrap_or_default();
        assert_eq!(seen.of(id) + lost.overrun, sent, "id {id}");
    }
    assert!(seen.lost[&1].overrun > 10_000 && seen.of(1) > 1000);
}

#[test]
fn who_comes_late_is_told_the_run_and_what_was_before() {
    use TransitionKind::{Begin, Pause};
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    producer.begin(1, 1, b"").unwrap();
    producer.end(1, 1, b"").unwrap();
    producer.begin(2, 1, b"the odb").unwrap();
    (0..100).for_each(|serial| send(&mut producer, 1, serial, 10));
    producer.pause().unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    let mut bytes = Vec::new();
    let Next::Transition(begin) = consumer.next(&mut bytes, None).unwrap() else { panic!("the begin") };
    assert!(begin.event.ends_with(b"the odb"));
    let mut seen = Seen::default();
    seen.transitions.push((begin.kind, begin.run, begin.is_replay));
    seen.drain(&mut consumer);
    assert_eq!(seen.transitions, [(Begin, 2, true), (Pause, 2, true)]);
    assert_eq!(seen.lost[&1], Lost { unattended: 100, ..Lost::default() });
    send(&mut producer, 1, 100, 10);
    std::thread::sleep(Duration::from_millis(30));
    seen.drain(&mut consumer);
    assert_eq!(seen.events, [(1, 100)]);
}

#[test]
fn an_event_waits_a_moment_at_the_most() {
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    producer.begin(1, 1, b"").unwrap();
    let mut seen = Seen::default();
    seen.drain(&mut consumer);
    for serial in 0..20 {
        // Nobody sleeps, so it is published by the clock.
        send(&mut producer, 1, serial, 8);
        let until = Instant::now() + PATIENCE;
        while seen.events.len() < 1 + serial as usize {
            seen.read(&mut consumer, None);
            assert!(Instant::now() < until);
        }
    }
}

#[test]
fn a_group_splits_the_events_and_misses_none() {
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let stops = Arc::new(AtomicBool::new(false));
    let want = Want { all: true, group: Some("g".into()), name: "member".into() };
    let members: Vec<_> = (0..3)
        .map(|number| {
            let mut consumer = Consumer::attach(&name(&dir), &want).unwrap();
            let stops = Arc::clone(&stops);
            std::thread::spawn(move || {
                let mut seen = Seen::default();
                loop {
                    if !seen.read(&mut consumer, None) {
                        if stops.load(Ordering::SeqCst) && consumer.backlog() == 0 {
                            break seen;
                        }
                        consumer.wait(Duration::from_millis(5));
                    } else if number == 0 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            })
        })
        .collect();
    producer.begin(3, 1, b"").unwrap();
    for serial in 0..20_000 {
        send(&mut producer, 1, serial, 200);
    }
    producer.end(3, 1, b"").unwrap();
    stops.store(true, Ordering::SeqCst);
    let seen: Vec<_> = members.into_iter().map(|member| member.join().unwrap()).collect();
    let mut serials: Vec<_> =
        seen.iter().flat_map(|seen| seen.events.iter().map(|(_, serial)| *serial)).collect();
    serials.sort_unstable();
    assert_eq!(serials, (0..20_000).collect::<Vec<_>>());
    for seen in seen {
        assert_eq!(seen.transitions.len(), 2);
        assert!(seen.lost.is_empty() && seen.events.is_sorted(), "{:?}", seen.lost);
    }
}

#[test]
fn who_joins_a_group_leaves_to_the_others_what_was_before_him() {
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let want = Want { all: false, group: Some("g".into()), name: "member".into() };
    let mut first = (Consumer::attach(&name(&dir), &want).unwrap(), Seen::default());
    producer.begin(5, 1, b"").unwrap();
    (0..10).for_each(|serial| send(&mut producer, 1, serial, 200));
    producer.end(5, 1, b"").unwrap();
    // Between the runs: the events of the last one are not his.
    let mut late = (Consumer::attach(&name(&dir), &want).unwrap(), Seen::default());
    late.1.drain(&mut late.0);
    assert!(late.1.events.is_empty() && late.1.transitions.is_empty());
    // What comes behind them does not make him run round and round.
    producer.begin(6, 1, b"").unwrap();
    assert!(late.0.wait(Duration::from_millis(20)), "there is nothing for him yet");
    first.1.drain(&mut first.0);
    assert_eq!(first.1.events.len(), 10);
    assert!(!late.0.wait(Duration::from_secs(5)));
    late.1.drain(&mut late.0);
    assert_eq!(late.1.transitions, [(TransitionKind::Begin, 6, false)]);
    assert!(first.1.lost.is_empty() && late.1.lost.is_empty(), "{:?} {:?}", first.1.lost, late.1.lost);
}

#[test]
fn a_group_that_is_overtaken_counts_each_event_once() {
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let want = Want { all: false, group: Some("g".into()), name: "member".into() };
    let mut members = [0, 1].map(|_| (Consumer::attach(&name(&dir), &want).unwrap(), Seen::default()));
    producer.begin(3, 1, b"").unwrap();
    for serial in 0..20_000_u32 {
        send(&mut producer, 1, serial, 1000);
        if serial % 2000 > 1700 {
            let (consumer, seen) = &mut members[(serial % 2) as usize];
            seen.read(consumer, None);
        }
    }
    producer.end(3, 1, b"").unwrap();
    for (consumer, seen) in &mut members {
        seen.drain(consumer);
    }
    let [(_, one), (_, other)] = &members;
    let mut serials: Vec<_> = one.events.iter().chain(&other.events).collect();
    let count = serials.len();
    serials.sort_unstable();
    serials.dedup();
    assert_eq!(serials.len(), count);
    let lost = [one, other].iter().filter_map(|seen| seen.lost.get(&1)).map(|lost| lost.overrun).sum::<u64>();
    assert_eq!(count as u64 + lost, 20_000);
    assert!(lost > 0 && count > 1000);
}

#[test]
fn only_some_ids_are_kept_and_the_others_counted() {
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    producer.begin(3, 1, b"").unwrap();
    for serial in 0..3000 {
        send(&mut producer, if serial % 100 == 0 { 2 } else { 1 }, serial, 100);
    }
    producer.end(3, 1, b"").unwrap();
    let mut seen = Seen::default();
    while seen.read(&mut consumer, Some(&[2])) {}
    assert_eq!(seen.events, (0..30).map(|n| (2, 100 * n)).collect::<Vec<_>>());
    assert_eq!(seen.lost, BTreeMap::from([(1, Lost { overrun: 2970, ..Lost::default() })]));
}

#[test]
fn what_is_too_big_is_told() {
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    producer.begin(3, 1, b"").unwrap();
    send(&mut producer, 1, 0, 300_000);
    send(&mut producer, 1, 1, 200_000);
    send(&mut producer, 2, 0, 300_000);
    producer.end(3, 1, b"").unwrap();
    let mut seen = Seen::default();
    seen.drain(&mut consumer);
    assert_eq!(seen.events, [(1, 1)]);
    let too_big = Lost { too_big: 1, ..Lost::default() };
    assert_eq!(seen.lost, BTreeMap::from([(1, too_big), (2, too_big)]));
    assert_eq!(producer.account().too_big, 2);
}

#[test]
fn one_publishes_and_the_next_goes_on() {
    use TransitionKind::{Begin, Cut};
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    let error = Producer::create(&name(&dir), small()).err().unwrap().to_string();
    assert!(error.contains("publishes here") && error.contains("pactolus"), "{error}");
    producer.begin(1, 1, b"").unwrap();
    send(&mut producer, 1, 0, 10);
    drop(producer);
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    assert_eq!(producer.account().events, 0);
    producer.begin(1, 1, b"").unwrap();
    send(&mut producer, 1, 1, 10);
    producer.flush();
    let mut seen = Seen::default();
    seen.drain(&mut consumer);
    assert_eq!(seen.events, [(1, 0), (1, 1)]);
    assert_eq!(seen.transitions, [(Begin, 1, false), (Cut, 1, false), (Begin, 1, false)]);
    // Another size is another stream.
    drop(producer);
    let _producer = Producer::create(&name(&dir), Options { size: 2 << 20, ..small() }).unwrap();
    seen.drain(&mut consumer);
    let mut bytes = Vec::new();
    assert_eq!(consumer.next(&mut bytes, None).unwrap(), Next::Over);
}

#[test]
fn a_stream_is_seen_from_outside() {
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), Options { mode: 0o640, ..small() }).unwrap();
    let want = Want { all: true, group: Some("pair".into()), name: "display".into() };
    let consumer = Consumer::attach(&name(&dir), &want).unwrap();
    producer.begin(7, 1, b"").unwrap();
    producer.pause().unwrap();
    send(&mut producer, 1, 0, 10);
    producer.flush();
    let status = look(&name(&dir)).unwrap();
    assert_eq!((status.run, status.is_paused, status.events, status.bytes), (Some(7), true, 1, 26));
    assert_eq!((status.mode, status.size), (0o640, 1 << 20));
    let [found] = &status.consumers[..] else { panic!("{status:?}") };
    assert_eq!((&*found.name, found.group.as_deref(), found.all), ("display", Some("pair"), true));
    assert!(found.behind > 0 && found.pid == std::process::id());
    assert!(matches!(remove(&name(&dir)), Err(Error::HasProducer { .. })));
    drop((producer, consumer));
}

#[test]
fn one_that_never_reads_is_given_up_and_the_journal_does_not_grow() {
    use TransitionKind::{Begin, End, Missed};
    let dir = TempDir::new().unwrap();
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let mut stalled = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    let mut reader = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    let (mut seen, mut most) = (Seen::default(), 0);
    let mut runs = |producer: &mut Producer, runs: std::ops::Range<u32>| {
        for run in runs {
            producer.begin(run, 1, &vec![b'x'; 100_000]).unwrap();
            send(producer, 1, run, 10);
            producer.end(run, 1, b"").unwrap();
            seen.drain(&mut reader);
            most = most.max(look(&name(&dir)).unwrap().journal_bytes);
        }
        (seen.transitions.len(), most)
    };
    let (told, most) = runs(&mut producer, 0..200);
    assert_eq!(told, 400);
    assert!((7 << 20..11 << 20).contains(&most), "{most}");
    producer.begin(200, 1, b"").unwrap();
    let mut late = Seen::default();
    late.drain(&mut stalled);
    assert_eq!(late.transitions, [(Missed, 0, false), (Begin, 200, true)]);
    producer.end(200, 1, b"").unwrap();
    late.drain(&mut stalled);
    assert_eq!(late.transitions[2..], [(End, 200, false)]);
    // What nobody needs is given back: of the blocks of the file, not of its length.
    drop(stalled);
    runs(&mut producer, 201..300);
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(name(&dir).path()).unwrap();
    assert!(
        found.len() > 20 << 20 && found.blocks() * 512 < 12 << 20,
        "{} {}",
        found.len(),
        found.blocks() * 512
    );
}

#[test]
fn one_that_was_removed_but_not_its_name_is_made_anew() {
    let dir = TempDir::new().unwrap();
    let producer = Producer::create(&name(&dir), small()).unwrap();
    // While somebody reads, who leaves does not remove it.
    let keeper = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    // As a kill between the two leaves it.
    super::ring::Ring::open(&name(&dir)).unwrap().retire();
    std::mem::drop(producer);
    assert!(name(&dir).path().exists());
    let mut producer = Producer::create(&name(&dir), small()).unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    producer.begin(1, 1, b"").unwrap();
    let mut seen = Seen::default();
    seen.drain(&mut consumer);
    assert_eq!(seen.transitions, [(TransitionKind::Begin, 1, false)]);
    drop(keeper);
}

#[test]
fn a_file_that_is_removed_by_hand_is_not_waited_for() {
    let dir = TempDir::new().unwrap();
    let producer = Producer::create(&name(&dir), small()).unwrap();
    let mut consumer = Consumer::attach(&name(&dir), &Want::default()).unwrap();
    std::fs::remove_file(name(&dir).path()).unwrap();
    let mut bytes = Vec::new();
    assert_eq!(consumer.next(&mut bytes, None).unwrap(), Next::Nothing);
    drop(producer);
    assert!(!consumer.has_producer());
    assert_eq!(consumer.next(&mut bytes, None).unwrap(), Next::Over);
}

#[test]
fn nonsense_in_the_file_is_an_error_or_nothing() {
    use super::layout::{Layout, group, slot, word};
    use super::words::Words;
    let nonsense =
        [1, 7, 56, (1 << 20) - 8, 1 << 20, (1 << 20) + 64, 1 << 40, (1 << 62) + 64, u64::MAX - 63, u64::MAX];
    let layout = Layout::new(1 << 20);
    let words = [
        word::RESERVED,
        word::PUBLISHED,
        word::COUNTING,
        word::COUNTED,
        word::EVENTS,
        word::BYTES,
        word::TOO_BIG,
        word::JOURNAL,
        word::PUNCHED,
        word::BEGUN,
        word::WAITED,
        word::WAITING,
        word::WAITS_FOR,
        word::MARKS,
        word::CHANGES,
        layout.slot(0) + slot::KIND,
        layout.slot(0) + slot::HELD,
        layout.slot(0) + slot::JOURNAL,
        layout.group(0) + group::CURSOR,
        layout.summary(),
        layout.known(),
        layout.total(1),
        layout.taken(0, 1),
        layout.frames(),
        layout.frames() + 1,
        layout.frames() + 2,
        layout.frames() + 4,
        layout.frames() + 10,
    ];
    for (at, value) in words.into_iter().flat_map(|at| nonsense.map(|value| (at, value))) {
        let dir = TempDir::new().unwrap();
        let stop = crate::job::Stop::new();
        let options = Options { stop: stop.clone(), ..small() };
        let mut producer = Producer::create(&name(&dir), options.clone()).unwrap();
        let group = Want { group: Some("g".into()), ..Want::default() };
        let mut consumers = [Want::default(), group, Want { all: true, ..Want::default() }]
            .map(|want| Consumer::attach(&name(&dir), &want).unwrap());
        // What is waited for now is waited for in vain.
        stop.ask();
        producer.begin(1, 1, b"odb").unwrap();
        (0..10).for_each(|serial| send(&mut producer, 1, serial, 100));
        producer.flush();
        super::ring::Ring::open(&name(&dir)).unwrap().map.set(at, value);
        let mut bytes = Vec::new();
        for consumer in &mut consumers {
            for _ in 0..20 {
                if consumer.next(&mut bytes, None).is_err() {
                    break;
                }
                bytes.clear();
            }
            consumer.wait(Duration::ZERO);
            let _ = (consumer.backlog(), consumer.back_pressure());
            consumer.missed();
        }
        let _ = look(&name(&dir));
        for serial in 0..20_000 {
            if producer.event(&header(1, serial, 100), &payload(serial, 100)).is_err() {
                break;
            }
        }
        let _ = producer.end(1, 1, b"");
        drop(producer);
        if let Ok(consumer) = Consumer::attach(&name(&dir), &Want::default()) {
            drop(consumer);
        }
        drop(Producer::create(&name(&dir), options));
    }
}
