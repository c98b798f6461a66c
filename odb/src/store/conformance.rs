//! The tests that every store must pass.

#![allow(clippy::unwrap_used, reason = "this is a test body: to panic is how it reports")]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::Store;
use crate::{Error, MAX_DEPTH, MAX_NAME, Result, Tree};

/// A rule that every store keeps, by its name, and its test on a new, empty store.
pub type Rule = (&'static str, fn(Arc<dyn Store>));

/// The rules, for a store that cannot keep all of them and says so.
pub const RULES: &[Rule] = &[
    ("what was written is read", |store| what_was_written_is_read(&*store)),
    ("a snapshot never changes", |store| a_snapshot_never_changes(&*store)),
    ("a failed transaction changes nothing", |store| a_failed_transaction_changes_nothing(&*store)),
    ("the revision grows with every change only", |store| the_revision_grows_with_every_change_only(&*store)),
    ("every kind of change is kept", |store| every_kind_of_change_is_kept(&*store)),
    ("what is large, long or deep is kept", |store| what_is_large_long_or_deep_is_kept(&*store)),
    ("writers do not lose each other's work", writers_do_not_lose_each_others_work),
    ("readers never see half a transaction", readers_never_see_half_a_transaction),
    ("a waiter hears of a change", a_waiter_hears_of_a_change),
];

/// Runs every test on new, empty stores from `make`.
///
/// # Panics
/// With the rule that was broken, if the store does not conform.
pub fn conformance(make: &dyn Fn() -> Arc<dyn Store>) {
    RULES.iter().for_each(|(_, rule)| rule(make()));
}

fn change(store: &dyn Store, mut change: impl FnMut(&mut Tree) -> Result<()>) {
    store.transact(&mut change).unwrap();
}

fn tree(store: &dyn Store) -> Tree {
    store.snapshot().unwrap().1
}

fn what_was_written_is_read(store: &dyn Store) {
    change(store, |tree| {
        tree.create("/A/number", 42)?;
        tree.create("/A/floats", vec![0.5f32, f32::NAN])?;
        tree.create("/A/text", "µ")
    });
    let tree = tree(store);
    assert_eq!(tree.get::<i32>("/a/NUMBER").unwrap(), 42);
    assert!(tree.get::<Vec<f32>>("/A/floats").unwrap()[1].is_nan());
    assert_eq!(tree.get::<String>("/A/text").unwrap(), "µ");
}

fn a_snapshot_never_changes(store: &dyn Store) {
    change(store, |tree| tree.create("/x", 1));
    let before = tree(store);
    change(store, |tree| tree.set("/x", 2));
    assert_eq!(before.get::<i32>("/x").unwrap(), 1);
    assert_eq!(tree(store).get::<i32>("/x").unwrap(), 2);
}

fn a_failed_transaction_changes_nothing(store: &dyn Store) {
    change(store, |tree| tree.create("/x", 1));
    let revision = store.revision();
    let failed = store.transact(&mut |tree| {
        tree.set("/x", 2)?;
        tree.create("/y", 3)?;
        tree.set("/no such key", 4)
    });
    assert!(matches!(failed, Err(Error::NotFound { .. })), "the error of the change comes back");
    assert_eq!(tree(store).get::<i32>("/x").unwrap(), 1);
    assert!(!tree(store).exists("/y"));
    assert_eq!(store.revision(), revision);
}

fn the_revision_grows_with_every_change_only(store: &dyn Store) {
    let mut last = store.revision();
    change(store, |tree| tree.create("/x", 1));
    for value in 2..5 {
        assert!(store.revision() > last, "a change raises the revision");
        last = store.revision();
        assert_eq!(store.snapshot().unwrap().0, last, "a snapshot knows its revision");
        assert_eq!(store.revision(), last, "reading leaves the revision");
        change(store, |tree| tree.set("/x", value));
    }
    let set_at = |time| {
        change(store, |tree| {
            tree.set_now(time);
            tree.set("/x", 4)
        });
        tree(store).find("/x").unwrap().key.last_written()
    };
    assert_eq!(set_at(1000), 1000);
    last = store.revision();
    assert_eq!(set_at(2000), 2000, "a value that is set anew is written anew");
    assert!(store.revision() > last);
    last = store.revision();
    change(store, |_| Ok(()));
    set_at(2000);
    assert_eq!(store.revision(), last, "what changes nothing leaves the revision");
}

fn every_kind_of_change_is_kept(store: &dyn Store) {
    change(store, |tree| {
        tree.create("/D/b", 1)?;
        tree.create("/D/a", 2)?;
        tree.create("/D/c", vec![1u16, 2])?;
        tree.create_directory("/D/empty")?;
        tree.create_link("/link", "/D/c[1]")
    });
    change(store, |tree| {
        tree.rename("/D/b", "B2")?;
        tree.reorder("/D/a", 0)?;
        tree.resize("/D/c", 3)?;
        tree.set_mode("/D/a", crate::Mode::READ, false)
    });
    let names = |tree: &Tree| {
        tree.directory("/D").unwrap().iter().map(|key| key.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&tree(store)), ["a", "B2", "c", "empty"]);
    assert_eq!(tree(store).get::<u16>("/link").unwrap(), 2);
    assert_eq!(tree(store).get::<Vec<u16>>("/D/c").unwrap(), [1, 2, 0]);
    assert_eq!(tree(store).find("/D/a").unwrap().key.mode(), crate::Mode::READ);
    change(store, |tree| {
        tree.delete("/D/c")?;
        tree.replace("/D/B2", "now a text")
    });
    assert_eq!(names(&tree(store)), ["a", "B2", "empty"]);
    assert_eq!(tree(store).get::<String>("/D/b2").unwrap(), "now a text");
}

fn what_is_large_long_or_deep_is_kept(store: &dyn Store) {
    let deep = "/d".repeat(MAX_DEPTH - 1);
    let name = "n".repeat(MAX_NAME);
    let text = "µ".repeat(100_000);
    change(store, |tree| {
        tree.create(&format!("{deep}/x"), 1)?;
        tree.create(&format!("/{name}"), text.as_str())?;
        tree.create("/array", (0..300_000).collect::<Vec<i32>>())?;
        (0..2000).try_for_each(|n| tree.create(&format!("/many/{n}"), n))
    });
    change(store, |tree| tree.set("/array[299999]", -1));
    let tree = tree(store);
    assert_eq!(tree.get::<i32>(&format!("{deep}/x")).unwrap(), 1);
    assert_eq!(tree.get::<String>(&format!("/{name}")).unwrap(), text);
    assert_eq!(tree.get::<Vec<i32>>("/array").unwrap()[299_998..], [299_998, -1]);
    assert_eq!(tree.get::<i32>("/many/1999").unwrap(), 1999);
}

fn writers_do_not_lose_each_others_work(store: Arc<dyn Store>) {
    change(&*store, |tree| tree.create("/count", 0));
    let add = |store: Arc<dyn Store>| {
        move || {
            for _ in 0..50 {
                change(&*store, |tree| tree.set("/count", tree.get::<i32>("/count")? + 1));
            }
        }
    };
    let writers: Vec<_> = (0..4).map(|_| thread::spawn(add(Arc::clone(&store)))).collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(tree(&*store).get::<i32>("/count").unwrap(), 200);
}

fn readers_never_see_half_a_transaction(store: Arc<dyn Store>) {
    change(&*store, |tree| {
        tree.create("/plus", 0)?;
        tree.create("/minus", 0)
    });
    let writer = {
        let store = Arc::clone(&store);
        thread::spawn(move || {
            for n in 1..=100 {
                change(&*store, |tree| {
                    tree.set("/plus", n)?;
                    tree.set("/minus", -n)
                });
            }
        })
    };
    let mut last = 0;
    while !writer.is_finished() {
        let (revision, tree) = store.snapshot().unwrap();
        let sum = tree.get::<i32>("/plus").unwrap() + tree.get::<i32>("/minus").unwrap();
        assert_eq!(sum, 0, "both values are of one transaction");
        assert!(revision >= last, "time does not go back");
        last = revision;
    }
    writer.join().unwrap();
}

fn a_waiter_hears_of_a_change(store: Arc<dyn Store>) {
    change(&*store, |tree| tree.create("/x", 0));
    let seen = store.revision();
    assert_eq!(store.wait(seen, Duration::from_millis(1)), seen, "nothing has changed");
    change(&*store, |tree| tree.set("/x", 1));
    let now = store.wait(seen, Duration::MAX);
    assert!(now > seen, "what has changed before the wait is not missed");
    // Each side waits for the other, so a wake-up that is missed would be a minute.
    let answer = |store: Arc<dyn Store>, mut seen: u64, even: i32| {
        move || {
            for round in 0..50 {
                let wanted = 2 * round + even;
                let started = Instant::now();
                while tree(&*store).get::<i32>("/x").unwrap() != wanted {
                    assert!(started.elapsed() < Duration::from_secs(60), "a wake-up was missed");
                    seen = store.wait(seen, Duration::from_secs(60));
                }
                change(&*store, |tree| tree.set("/x", wanted + 1));
            }
        }
    };
    change(&*store, |tree| tree.set("/x", 0));
    let sides = [0, 1].map(|even| thread::spawn(answer(Arc::clone(&store), now, even)));
    sides.into_iter().for_each(|side| side.join().unwrap());
    assert_eq!(tree(&*store).get::<i32>("/x").unwrap(), 100);
}
