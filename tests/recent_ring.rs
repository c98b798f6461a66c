//! Consumers of a stream in shared memory that are stalled, late, too slow, many: what each gets, and that nobody
//! else is hurt.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod rings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pactolus::shm::{Consumer, Next, TransitionKind, Want};
use rings::{Account, Came, Dice, Process, Tally};
use rings::{consumer, directory, each, is_long, median, name, named, producer, push, role, say, size};

/// What the processes do that are started here: they attach, say so, and are stalled.
#[test]
fn child() {
    let Some(role) = role() else { return };
    let name = pactolus::shm::StreamName::new(&role[0]).unwrap();
    let mut consumer = consumer(&name, false);
    let mut tally = Tally::default();
    say("here");
    loop {
        match tally.next(&mut consumer) {
            Came::Nothing => drop(consumer.wait(Duration::from_millis(100))),
            Came::Over => return,
            _ => {}
        }
    }
}

fn path(name: &pactolus::shm::StreamName) -> String {
    name.path().with_extension("").display().to_string()
}

/// RT-01
#[test]
fn a_stalled_consumer_costs_the_producer_nothing() {
    let dir = directory();
    let names = ["with", "without"].map(|what| named(&dir, what));
    let mut producers = names.each_ref().map(|name| producer(name, 4 << 20));
    let mut stalled = Process::start(&path(&names[0]));
    assert_eq!(stalled.line().unwrap(), "here");
    stalled.stall();
    let (pairs, events) = size((4, 20_000_u32), (60, 400_000));
    for payload in [100_usize, 2000] {
        let mut pass = |number: usize, run: u32| {
            let producer = &mut producers[number];
            producer.begin(run, 1, b"").unwrap();
            let begun = Instant::now();
            (0..events).for_each(|serial| push(producer, run, 1, serial, payload));
            let seconds = begun.elapsed().as_secs_f64();
            producer.end(run, 1, b"").unwrap();
            f64::from(events) / seconds
        };
        for number in 0..2 {
            pass(number, 1);
        }
        let mut ratios: Vec<f64> = (0..pairs)
            .map(|pair: u32| {
                // Who begins changes, as the clock of the processor does.
                let first = pair as usize % 2;
                let rates = [first, 1 - first].map(|number| (number, pass(number, 2 + pair)));
                let of = |wanted: usize| rates.iter().find(|(number, _)| *number == wanted).unwrap().1;
                of(0) / of(1)
            })
            .collect();
        let half = median(&mut ratios);
        println!(
            "RT-01: {payload} B, events/s with a stalled consumer / without: median {half:.4} of {pairs} pairs, {:.3} to {:.3}",
            ratios[0],
            ratios[ratios.len() - 1]
        );
        assert!(!is_long() || half >= 0.99, "{half}");
    }
    for producer in &producers {
        let account = producer.account();
        assert_eq!((account.waited, account.too_big), (Duration::ZERO, 0));
        assert!(account.events > 0, "{account:?}");
    }
    stalled.kill();
}

/// RT-03
#[test]
fn every_event_is_accounted_for_by_id() {
    let dir = directory();
    let name = &name(&dir);
    let (events, runs) = size((50_000_u32, 4_u32), (250_000, 20));
    let mut producer = producer(name, 1 << 20);
    let begin = &Barrier::new(4);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3_u64)
            .map(|number| {
                scope.spawn(move || {
                    let (mut consumer, mut tally) = (consumer(name, false), Tally::default());
                    let (mut dice, mut found) = (Dice::new(number), Vec::new());
                    begin.wait();
                    while found.len() < runs as usize {
                        match tally.next(&mut consumer) {
                            Came::Transition(transition, accounts)
                                if transition.kind == TransitionKind::End =>
                            {
                                found.push(accounts);
                            }
                            Came::Nothing => drop(consumer.wait(Duration::from_millis(10))),
                            _ if dice.below(20) < number => {
                                thread::sleep(Duration::from_micros(dice.below(3000)))
                            }
                            _ => {}
                        }
                    }
                    found
                })
            })
            .collect();
        begin.wait();
        let mut dice = Dice::new(99);
        let mut sent = Vec::new();
        for run in 1..=runs {
            producer.begin(run, 1, &[b'x'; 3000]).unwrap();
            let mut of = BTreeMap::<u16, u64>::new();
            for serial in 0..events {
                let id = [1, 1, 1, 2, 3, 0x7fff, 1, 40_000][dice.below(8) as usize];
                let length = if dice.below(2000) == 0 { 400_000 } else { dice.below(600) as usize };
                push(&mut producer, run, id, serial, length);
                *of.entry(id).or_default() += 1;
            }
            producer.end(run, 2, b"").unwrap();
            sent.push(of);
        }
        let mut lost = 0;
        for (number, reader) in readers.into_iter().enumerate() {
            for (sent, found) in sent.iter().zip(reader.join().unwrap()) {
                let sums: BTreeMap<u16, u64> =
                    found.iter().map(|(id, account)| (*id, account.sum())).collect();
                assert_eq!(&sums, sent, "consumer {number}: {found:?}");
                assert!(found.values().all(|account| account.lost.unattended == 0));
                lost += found.values().map(|account| account.lost.overrun).sum::<u64>();
            }
        }
        let sent: u64 = sent.iter().flat_map(BTreeMap::values).sum();
        println!("RT-03: {sent} events, 3 consumers, all accounted for, {lost} overrun");
        assert!(lost > 0 && producer.account().too_big > 0);
    });
}

/// RT-04
#[test]
fn all_see_every_event_and_those_who_split_see_each_once() {
    let dir = directory();
    let name = &name(&dir);
    let events = size(100_000_u32, 2_000_000);
    let mut producer = producer(name, 1 << 20);
    let done = &AtomicBool::new(false);
    let member = |group: Option<&str>, pace: u64| {
        let want = Want { name: "test".into(), all: true, group: group.map(str::to_owned) };
        let mut consumer = Consumer::attach(name, &want).unwrap();
        move || {
            let (mut serials, mut bytes, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
            loop {
                bytes.clear();
                match consumer.next(&mut bytes, None).unwrap() {
                    Next::Events { .. } => {
                        each(&bytes, |_, _, serial| serials.push(serial));
                        if pace > 0 && serials.len().is_multiple_of(7) {
                            thread::sleep(Duration::from_micros(pace));
                        }
                    }
                    Next::Transition(transition) => kinds.push(transition.kind),
                    Next::Nothing if done.load(Ordering::SeqCst) && consumer.backlog() == 0 => break,
                    Next::Nothing => drop(consumer.wait(Duration::from_millis(2))),
                    Next::Over => break,
                }
            }
            assert!(consumer.missed().is_empty() && serials.is_sorted());
            assert_eq!(kinds, [TransitionKind::Begin, TransitionKind::End]);
            serials
        }
    };
    let all = [member(None, 0), member(None, 300)];
    let split = [member(Some("g"), 0), member(Some("g"), 500), member(Some("g"), 100)];
    thread::scope(|scope| {
        let all = all.map(|member| scope.spawn(member));
        let split = split.map(|member| scope.spawn(member));
        producer.begin(1, 1, b"").unwrap();
        (0..events).for_each(|serial| push(&mut producer, 1, 1, serial, 100));
        producer.end(1, 1, b"").unwrap();
        done.store(true, Ordering::SeqCst);
        for member in all {
            assert!(member.join().unwrap().into_iter().eq(0..events));
        }
        let parts = split.map(|member| member.join().unwrap());
        let shares = parts.each_ref().map(Vec::len);
        let mut union = parts.concat();
        union.sort_unstable();
        assert!(union.into_iter().eq(0..events), "each once");
        println!("RT-04: {events} events: each of two that share all has all, three that split {shares:?}");
    });
}

/// RT-05
#[test]
fn no_begin_or_end_is_lost_under_overload() {
    let dir = directory();
    let name = &name(&dir);
    let runs = size(100_u32, 1000);
    let mut producer = producer(name, 1 << 20);
    let mut stalled = consumer(name, false);
    let begin = &Barrier::new(4);
    thread::scope(|scope| {
        let readers: Vec<_> = [0_u64, 50, 2000]
            .map(|pace| {
                scope.spawn(move || {
                    let mut consumer = consumer(name, false);
                    begin.wait();
                    watch(&mut consumer, runs, pace)
                })
            })
            .into_iter()
            .collect();
        begin.wait();
        for run in 1..=runs {
            producer.begin(run, run, &vec![b'o'; 500 + run as usize % 3000]).unwrap();
            // More than the ring holds.
            (0..1500).for_each(|serial| push(&mut producer, run, 1 + (serial % 3) as u16, serial, 1000));
            producer.end(run, run, &vec![b'e'; 500]).unwrap();
        }
        let lost = readers.into_iter().map(|reader| reader.join().unwrap()).collect::<Vec<_>>();
        // One that begins to read when all is over.
        let late = watch(&mut stalled, runs, 0);
        println!(
            "RT-05: {runs} runs of 1500 events, each begin and end seen by 4; overrun {lost:?} and {late}"
        );
        assert!(late > u64::from(runs) * 1000);
    });
}

/// Sees all runs from 1 on; events lost.
fn watch(consumer: &mut Consumer, runs: u32, pace: u64) -> u64 {
    let (mut tally, mut lost, mut told) = (Tally::default(), 0, 0);
    while told < 2 * runs {
        match tally.next(consumer) {
            Came::Transition(transition, accounts) => {
                let wanted =
                    (1 + told / 2, if told % 2 == 0 { TransitionKind::Begin } else { TransitionKind::End });
                assert_eq!((transition.run, transition.kind), wanted);
                let begins = transition.kind == TransitionKind::Begin;
                let length = 16 + if begins { 500 + transition.run as usize % 3000 } else { 500 };
                assert_eq!(transition.event.len(), length);
                if !begins {
                    assert!(accounts.values().all(|account| account.sum() == 500), "{accounts:?}");
                    lost += accounts.values().map(|account| account.lost.overrun).sum::<u64>();
                }
                told += 1;
            }
            Came::Events(_) if pace > 0 => thread::sleep(Duration::from_micros(pace)),
            Came::Nothing => drop(consumer.wait(Duration::from_millis(20))),
            Came::Over => panic!("it is over"),
            Came::Events(_) => {}
        }
    }
    lost
}

/// RT-07
#[test]
fn who_comes_within_a_run_is_told_it_first_and_what_came_before() {
    let dir = directory();
    let name = &name(&dir);
    let (runs, late) = size((5_u32, 20_u64), (30, 100));
    let mut producer = producer(name, 1 << 20);
    let (events, done) = (20_000_u32, &AtomicBool::new(false));
    thread::scope(|scope| {
        let guests = scope.spawn(move || {
            let (mut dice, mut seen, mut before) = (Dice::new(5), BTreeSet::new(), 0);
            for guest in 0..late {
                thread::sleep(Duration::from_micros(dice.below(20_000)));
                if done.load(Ordering::SeqCst) {
                    break;
                }
                let (mut consumer, mut tally) = (consumer(name, guest % 2 == 0), Tally::default());
                let (first, _) = tally.until_transition(&mut consumer);
                assert_eq!(first.kind, TransitionKind::Begin);
                assert_eq!(first.event[16..], *format!("odb of run {}", first.run).as_bytes());
                let (last, accounts) = tally.until_transition(&mut consumer);
                assert_eq!((last.kind, last.run), (TransitionKind::End, first.run));
                let sum = accounts.values().map(Account::sum).sum::<u64>();
                assert_eq!(sum, u64::from(events), "{accounts:?}");
                if first.is_replay {
                    seen.insert(first.run);
                    before += accounts.values().map(|account| account.lost.unattended).sum::<u64>();
                }
            }
            (seen, before)
        });
        for run in 1.. {
            producer.begin(run, 1, format!("odb of run {run}").as_bytes()).unwrap();
            (0..events).for_each(|serial| push(&mut producer, run, 1 + (serial % 2) as u16, serial, 100));
            producer.end(run, 1, b"").unwrap();
            if run > runs && guests.is_finished() {
                break;
            }
            assert!(run < 100_000);
        }
        done.store(true, Ordering::SeqCst);
        let (seen, before) = guests.join().unwrap();
        println!("RT-07: {late} guests, {} came within a run, {before} events before them", seen.len());
        assert!(!seen.is_empty());
    });
}

/// RT-09
#[test]
fn who_wants_all_gets_all_and_the_wait_is_told() {
    let dir = directory();
    let name = &name(&dir);
    let events = size(20_000_u32, 300_000);
    let mut producer = producer(name, 1 << 20);
    let mut consumer = consumer(name, true);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut tally = Tally::default();
            // More is sent than there is room for.
            while consumer.back_pressure().is_zero() {
                thread::sleep(Duration::from_millis(1));
            }
            loop {
                match tally.next(&mut consumer) {
                    Came::Transition(transition, accounts) if transition.kind == TransitionKind::End => {
                        return (accounts, consumer.back_pressure());
                    }
                    Came::Events(count) => thread::sleep(Duration::from_micros(count * 10)),
                    Came::Nothing => drop(consumer.wait(Duration::from_millis(10))),
                    _ => {}
                }
            }
        });
        let begun = Instant::now();
        producer.begin(1, 1, b"").unwrap();
        (0..events).for_each(|serial| push(&mut producer, 1, 1, serial, 500));
        producer.end(1, 1, b"").unwrap();
        let length = begun.elapsed();
        let (accounts, waited) = reader.join().unwrap();
        let wanted = Account { received: events.into(), ..Account::default() };
        assert_eq!(accounts, BTreeMap::from([(1, wanted)]));
        println!("RT-09: {events} events, none lost, the producer waited {waited:.2?} of {length:.2?}");
        assert!(waited > Duration::ZERO && waited < length);
        assert_eq!(waited, producer.account().waited);
    });
}
