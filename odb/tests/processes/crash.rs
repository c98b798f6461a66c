//! A writer that is killed at any moment.

use std::time::{Duration, Instant};

use pactolus_odb::{Odb, Tree};

use super::{Dice, Other, create, say};

/// How often; `PACTOLUS_KILLS` says otherwise.
const KILLS: u32 = 300;
const ACCOUNTS: usize = 20;

/// What every transaction leaves true, at the least.
fn check(tree: &Tree) -> i64 {
    let sum: i64 = (0..ACCOUNTS).map(|n| tree.get::<i64>(&format!("/Bank/account {n}")).unwrap()).sum();
    assert_eq!(sum, 0, "money was made or lost");
    let count = tree.get::<i64>("/Bank/Count").unwrap();
    let history: Vec<i64> = tree.get("/Bank/History").unwrap();
    let wanted: Vec<i64> = (count - history.len() as i64 + 1..=count).collect();
    assert_eq!(history, wanted, "half a transaction");
    // The directory that is made anew by each tells its number in each of its keys.
    let last = tree.directory("/Last").unwrap();
    assert_eq!(last.len(), 3 + count as usize % 5);
    for key in last.iter() {
        assert_eq!(key.value(), Some(&pactolus_odb::Value::from(count)), "{}", key.name());
        assert!(key.name().ends_with(&format!(" of {count}")));
    }
    count
}

/// One transaction: money is moved, keys are made, deleted, renamed, moved, resized.
fn step(tree: &mut Tree, dice: &mut Dice) -> pactolus_odb::Result<()> {
    let count = tree.get::<i64>("/Bank/Count")? + 1;
    tree.set("/Bank/Count", count)?;
    let (from, to, amount) = (dice.throw(ACCOUNTS), dice.throw(ACCOUNTS), dice.throw(100) as i64);
    for (account, change) in [(from, -amount), (to, amount)] {
        let path = format!("/Bank/account {account}");
        tree.set(&path, tree.get::<i64>(&path)? + change)?;
    }
    let length = 1 + dice.throw(2000).min(count as usize - 1);
    tree.set("/Bank/History", (count - length as i64 + 1..=count).collect::<Vec<i64>>())?;
    if tree.exists("/Last") {
        tree.delete("/Last")?;
    }
    for n in 0..3 + count % 5 {
        tree.create(&format!("/Last/{n}"), count)?;
        tree.rename(&format!("/Last/{n}"), &format!("Key {n} of {count}"))?;
    }
    tree.reorder("/Bank", dice.throw(2))
}

/// The part of the writer: says the number of each transaction that has come back.
pub(super) fn write(odb: &Odb) {
    let mut dice = Dice(u64::from(std::process::id()) * 2_654_435_761 + 1);
    loop {
        odb.change(|tree| step(tree, &mut dice)).unwrap();
        say(&odb.get::<i64>("/Bank/Count").unwrap().to_string());
    }
}

#[test]
fn a_writer_may_be_killed_at_any_moment() {
    let kills = std::env::var("PACTOLUS_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("odb");
    let (mut odb, mut shared) = create(&place);
    odb.change(|tree| {
        (0..ACCOUNTS).try_for_each(|n| tree.create(&format!("/Bank/account {n}"), 0i64))?;
        tree.create("/Bank/Count", 0i64)?;
        tree.create("/Bank/History", vec![0i64])?;
        step(tree, &mut Dice(1))
    })
    .unwrap();
    let mut dice = Dice(20_261_121);
    let mut last = check(&odb.snapshot().unwrap());
    let mut longest = Duration::ZERO;
    for kill in 0..kills {
        let mut other = Other::start("crash", &place);
        // Some die while they open the database, most at work.
        let waits = kill % 10 != 0;
        if waits && let Some(line) = other.hear() {
            last = line.parse().unwrap();
        }
        std::thread::sleep(Duration::from_micros(dice.throw(if waits { 8_000 } else { 30_000 }) as u64));
        other.kill();
        while let Some(line) = other.hear() {
            // The last line may be cut: so is its number.
            last = last.max(line.parse().unwrap_or(0));
        }
        if kill % 3 == 0 {
            // Opened anew, or seen by a process that has had it open all the time.
            drop((odb, shared));
            (odb, shared) = create(&place);
        }
        shared.check().unwrap();
        let count = check(&odb.snapshot().unwrap());
        assert!(count >= last, "transaction {last} was acknowledged, {count} is the last that is there");
        last = count;
        let started = Instant::now();
        odb.change(|tree| step(tree, &mut dice)).unwrap();
        longest = longest.max(started.elapsed());
        last += 1;
    }
    assert!(longest < Duration::from_secs(10), "a lock was left behind: {longest:?} for a transaction");
    println!("{kills} kills, {last} transactions, at most {longest:?} for the first one after a kill");
}
