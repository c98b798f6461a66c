//! Writers that move money between keys, readers that count it.

use std::time::{Duration, Instant};

use pactolus_odb::Odb;

use super::{Dice, Other, create, say};

const ACCOUNTS: usize = 50;

/// How long; `PACTOLUS_SECONDS` says otherwise.
fn seconds() -> Duration {
    Duration::from_secs(std::env::var("PACTOLUS_SECONDS").map_or(2, |text| text.parse().unwrap()))
}

fn account(n: usize) -> String {
    format!("/Bank {}/account {n}", n % 7)
}

pub(super) fn write(odb: &Odb) {
    let mut dice = Dice(u64::from(std::process::id()) * 2_654_435_761 + 1);
    let (started, mut moved) = (Instant::now(), 0u64);
    while started.elapsed() < seconds() {
        let (from, to, amount) = (dice.throw(ACCOUNTS), dice.throw(ACCOUNTS), dice.throw(100) as i64);
        odb.change(|tree| {
            for (n, change) in [(from, -amount), (to, amount)] {
                let path = account(n);
                tree.set(&path, tree.get::<i64>(&path)? + change)?;
            }
            Ok(())
        })
        .unwrap();
        moved += 1;
    }
    say(&moved.to_string());
}

/// Writes without a pause until it is killed.
pub(super) fn write_greedily(odb: &Odb) {
    say("begins");
    for n in 0.. {
        odb.set("/greedy", n).unwrap();
    }
}

pub(super) fn read(odb: &Odb) {
    let (started, mut checks, mut last) = (Instant::now(), 0u64, 0);
    while started.elapsed() < seconds() {
        let (revision, tree) = odb.store().snapshot().unwrap();
        let sum: i64 = (0..ACCOUNTS).map(|n| tree.get::<i64>(&account(n)).unwrap()).sum();
        assert_eq!(sum, 0, "money was made or lost");
        assert!(revision >= last, "time has gone back");
        last = revision;
        checks += 1;
    }
    say(&checks.to_string());
}

#[test]
fn readers_see_every_amount_once() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("odb");
    let (odb, shared) = create(&place);
    odb.change(|tree| (0..ACCOUNTS).try_for_each(|n| tree.create(&account(n), 0i64))).unwrap();
    let mut others = ["writer", "reader", "writer", "reader"].map(|part| Other::start(part, &place));
    let counts = others.each_mut().map(|other| other.hear().unwrap().parse::<u64>().unwrap());
    others.into_iter().for_each(Other::end);
    shared.check().unwrap();
    let tree = odb.snapshot().unwrap();
    assert_eq!((0..ACCOUNTS).map(|n| tree.get::<i64>(&account(n)).unwrap()).sum::<i64>(), 0);
    // Neither of two greedy writers starves the other.
    let [a, _, b, _] = counts;
    assert!(a.min(b) * 20 > a.max(b), "one writer has made {a} changes, the other {b}");
    println!("changes and checks of the four processes: {counts:?}");
}

#[test]
fn a_greedy_writer_starves_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("odb");
    let (odb, _shared) = create(&place);
    odb.change(|tree| tree.create("/greedy", 0).and_then(|()| tree.create("/polite", 0))).unwrap();
    let mut other = Other::start("greedy", &place);
    other.hear().unwrap();
    // How many changes of the greedy one come between the wish for one and the change.
    let mut between: Vec<i32> = (0..200)
        .map(|n| {
            std::thread::sleep(Duration::from_millis(1));
            let before: i32 = odb.get("/greedy").unwrap();
            odb.change(|tree| {
                tree.set("/polite", n)?;
                Ok(tree.get::<i32>("/greedy")? - before)
            })
            .unwrap()
        })
        .collect();
    other.kill();
    between.sort_unstable();
    let median = between[between.len() / 2];
    println!("a polite writer lets {median} changes of a greedy one go before, at most {}", between[199]);
    assert!(median < 100, "{between:?}");
}
