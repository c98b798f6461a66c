//! `kill -9` of producers and consumers of a stream in shared memory, at any moment: nothing leaks, nobody waits for
//! the dead, and the accounts of those who live are exact.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod rings;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pactolus::shm::{Consumer, StreamName, TransitionKind, Want, look};
use rings::{Account, Came, Dice, HANGS, Process, Tally};
use rings::{consumer, directory, name, producer, push, role, say, size};

/// What the processes do that are started here.
#[test]
fn child() {
    let Some(role) = role() else { return };
    let name = StreamName::new(&role[1]).unwrap();
    match &*role[0] {
        "produce" => produce(&name, role[2].parse().unwrap()),
        "watch" => watch(&name, role[2].parse().unwrap(), role.get(3).cloned()),
        other => panic!("{other}?"),
    }
}

/// Runs of events, one after the other from this number on, until it is killed.
fn produce(name: &StreamName, run: u32) {
    let mut producer = producer(name, 1 << 20);
    let mut dice = Dice::new(run.into());
    for run in run.. {
        producer.begin(run, 1, &vec![b'o'; dice.below(50_000) as usize]).unwrap();
        say(&format!("{run}"));
        for serial in 0..dice.below(200_000) as u32 {
            push(&mut producer, run, 1 + (serial % 5) as u16 / 2, serial, dice.below(400) as usize);
        }
        producer.end(run, 1, b"").unwrap();
    }
}

/// Reads until it is killed.
fn watch(name: &StreamName, all: u8, group: Option<String>) {
    let want = Want { name: "victim".into(), all: all == 1, group: group.clone() };
    let mut consumer = Consumer::attach(name, &want).unwrap();
    let (mut tally, mut bytes) = (Tally::default(), Vec::new());
    say("here");
    loop {
        // Of a group, each sees a part of the order only.
        let is_idle = match &group {
            None => tally.next(&mut consumer) == Came::Nothing,
            Some(_) => {
                bytes.clear();
                consumer.next(&mut bytes, None).unwrap() == pactolus::shm::Next::Nothing
            }
        };
        if is_idle {
            consumer.wait(Duration::from_millis(100));
        }
    }
}

fn path(name: &StreamName) -> String {
    name.path().with_extension("").display().to_string()
}

/// RT-03: one consumer that gets all says what was published; the other, which is too slow, must know the same.
#[test]
fn the_accounts_are_exact_across_kills_of_the_producer() {
    let dir = directory();
    let name = &name(&dir);
    let kills = size(8, 200);
    let first = Process::start(&format!("produce {} 1", path(name)));
    let mut dice = Dice::new(17);
    // Until the stream is there.
    let begun = Instant::now();
    while look(name).is_err() {
        assert!(begun.elapsed() < HANGS);
        thread::sleep(Duration::from_millis(1));
    }
    let mut all = consumer(name, true);
    let mut slow = consumer(name, false);
    let last = &AtomicU64::new(u64::MAX);
    thread::scope(|scope| {
        // Of each run and producer: what came, in order.
        let reader = |consumer: &mut Consumer, pace: u64| {
            let (mut tally, mut found, mut dice) = (Tally::default(), Vec::new(), Dice::new(pace));
            loop {
                match tally.next(consumer) {
                    Came::Transition(transition, accounts) => {
                        let kind = transition.kind;
                        // Who is slow reads nothing before it is too late for some; how fast that is, nobody knows.
                        let begun = Instant::now();
                        while pace > 0
                            && kind == TransitionKind::Begin
                            && consumer.backlog() <= consumer.size()
                            && begun.elapsed() < Duration::from_millis(100)
                        {
                            thread::sleep(Duration::from_millis(1));
                        }
                        if kind != TransitionKind::Begin {
                            found.push((transition.run, kind, accounts));
                        }
                        if u64::from(transition.run) >= last.load(Ordering::SeqCst)
                            && kind != TransitionKind::Begin
                        {
                            return found;
                        }
                    }
                    Came::Events(_) if pace > 0 => thread::sleep(Duration::from_micros(dice.below(pace))),
                    Came::Nothing => drop(consumer.wait(Duration::from_millis(20))),
                    Came::Over => panic!("it is over"),
                    Came::Events(_) => {}
                }
            }
        };
        let all = scope.spawn(move || reader(&mut all, 0));
        let slow = scope.spawn(move || reader(&mut slow, 5000));
        let mut current = first;
        let mut run: u32 = 0;
        for _ in 0..kills {
            run = current.line().expect("a run").parse().unwrap();
            thread::sleep(Duration::from_micros(dice.below(30_000)));
            current.kill();
            // It may have begun more.
            run += 1000;
            current = Process::start(&format!("produce {} {run}", path(name)));
        }
        let here = current.line();
        assert!(here.is_some());
        last.store(run.into(), Ordering::SeqCst);
        current.kill();
        // Somebody must say that the last run was cut.
        let mut closing = producer(name, 1 << 20);
        closing.begin(run + 100_000, 1, b"").unwrap();
        closing.end(run + 100_000, 1, b"").unwrap();
        let (all, slow) = (all.join().unwrap(), slow.join().unwrap());
        assert_eq!(all.len(), slow.len());
        let (mut published, mut overrun, mut cut) = (0, 0, 0);
        for (number, ((run, kind, wanted), (other, other_kind, found))) in all.iter().zip(&slow).enumerate() {
            assert_eq!((run, kind), (other, other_kind));
            // The first may have begun before us.
            if number > 0 {
                let sums = |of: &BTreeMap<u16, Account>| {
                    of.iter().map(|(id, account)| (*id, account.sum())).collect::<BTreeMap<_, _>>()
                };
                assert!(wanted.values().all(|account| account.received == account.sum()));
                assert_eq!(sums(wanted), sums(found), "run {run}");
                published += sums(wanted).values().sum::<u64>();
                overrun += found.values().map(|account| account.lost.overrun).sum::<u64>();
                cut += u64::from(*kind == TransitionKind::Cut);
            }
        }
        println!(
            "RT-03: {kills} producers killed, {cut} runs cut: {published} events, {overrun} overrun, all accounted for"
        );
        assert!(published > 0 && overrun > 0 && cut > 0);
    });
}

/// RT-03 and RT-10: consumers of all kinds are killed, and nothing is left of them.
#[test]
fn consumers_that_are_killed_leave_nothing_and_nobody_waits_for_them() {
    let dir = directory();
    let name = &name(&dir);
    let kills = size(30, 1000);
    let mut producer = producer(name, 1 << 20);
    let (mut witness, stop) = (consumer(name, false), &AtomicU64::new(0));
    thread::scope(|scope| {
        let published = scope.spawn(move || {
            let (mut longest, mut run, mut runs) = (Duration::ZERO, 0, BTreeMap::new());
            while stop.load(Ordering::SeqCst) == 0 {
                run += 1;
                producer.begin(run, 1, &[b'o'; 20_000]).unwrap();
                for serial in 0..5000_u32 {
                    let begun = Instant::now();
                    push(&mut producer, run, 1, serial, 300);
                    longest = longest.max(begun.elapsed());
                    // So that the machine has time for the others.
                    if serial % 500 == 0 {
                        thread::sleep(Duration::from_micros(300));
                    }
                }
                producer.end(run, 1, b"").unwrap();
                runs.insert(run, 5000);
            }
            (longest, runs, producer)
        });
        let checks = scope.spawn(move || {
            let (mut tally, mut found) = (Tally::default(), BTreeMap::new());
            loop {
                match tally.next(&mut witness) {
                    Came::Transition(transition, accounts) if transition.kind == TransitionKind::End => {
                        found.insert(transition.run, accounts.values().map(Account::sum).sum::<u64>());
                    }
                    Came::Nothing if stop.load(Ordering::SeqCst) == 2 => return found,
                    Came::Nothing => drop(witness.wait(Duration::from_millis(20))),
                    _ => {}
                }
            }
        });
        let mut dice = Dice::new(3);
        let mut guests = 0;
        for kill in 0..kills {
            let kind = ["0", "1", "0 group", "1 group"][dice.below(4) as usize];
            let mut victim = Process::start(&format!("watch {} {kind}", path(name)));
            // Some before they have attached, or while they do.
            if kill % 3 > 0 {
                assert_eq!(victim.line().unwrap(), "here");
            }
            if kill % 5 == 0 {
                victim.stall();
            }
            thread::sleep(Duration::from_micros(dice.below(4000)));
            victim.kill();
            // One that comes within a run knows what came before.
            if kill % 10 == 0 {
                let (mut consumer, mut tally) = (consumer(name, false), Tally::default());
                let (first, _) = tally.until_transition(&mut consumer);
                assert_eq!(first.kind, TransitionKind::Begin);
                let (_, accounts) = tally.until_transition(&mut consumer);
                assert_eq!(accounts[&1].sum(), 5000, "{accounts:?}");
                guests += 1;
            }
        }
        stop.store(1, Ordering::SeqCst);
        let (longest, runs, producer) = published.join().unwrap();
        let status = look(name).unwrap();
        assert_eq!(status.consumers.len(), 1, "{:?}", status.consumers);
        assert!(status.journal_bytes < 4 << 20, "{}", status.journal_bytes);
        stop.store(2, Ordering::SeqCst);
        assert_eq!(checks.join().unwrap(), runs);
        // Every slot can be had again.
        let mut consumers: Vec<_> = (0..64)
            .map_while(|_| Consumer::attach(name, &Want { name: "next".into(), ..Want::default() }).ok())
            .collect();
        assert_eq!(consumers.len(), 64);
        let files: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["lxe.ring"]);
        println!(
            "RT-10: {kills} consumers killed in {} runs, {guests} came within one; longest push {longest:.1?}, journal {} bytes",
            runs.len(),
            status.journal_bytes
        );
        consumers.clear();
        drop(producer);
    });
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
