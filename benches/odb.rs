//! What the ODB costs: reads by full path, asking whether anything has changed, commits, wake-ups.
//!
//! `cargo bench --bench odb [-- --rounds 5]` prints medians over rounds, each beside what can be had
//! without an ODB: a hash map of paths, one atomic load, a bare transaction of LMDB with a record of the
//! same size, a byte through a pipe.
//!
//! By arithmetic: a path of four names is hashed (20 ns) and found in four directories, at three lines
//! of memory each; in the nearest caches that is 100 ns, from main memory some 800. A commit
//! copies four to six pages of 4 KiB and hands them to the kernel in as many calls: 5 us.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::collections::HashMap;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions};
use pactolus::odb::store::{Options, Shared};
use pactolus::odb::{Odb, Tree};

/// Reads and checks of a round.
const READS: usize = 300_000;
const CHECKS: usize = 20_000_000;
const COMMITS: usize = 50_000;
const WAKES: usize = 400;

/// Starts this program again as the one that waits.
const WAITER: &str = "PACTOLUS_BENCH_WAITER";

/// The path of key `n` of `keys`: four levels, 50 keys in a directory.
fn path(n: usize) -> String {
    let (key, rest) = (n % 50, n / 50);
    let (module, rest) = (rest % 20, rest / 20);
    format!("/Experiment {rest}/Parameters/Module {module}/Threshold {key}")
}

fn tree(keys: usize) -> Tree {
    let mut tree = Tree::new();
    (0..keys).for_each(|n| tree.create(&path(n), n as i32).unwrap());
    tree
}

fn shared(place: &Path, keys: usize) -> Odb {
    let options = Options { create: true, ..Options::default() };
    let odb = Odb::new(Arc::new(Shared::open(place, options).unwrap()));
    let filled = tree(keys);
    odb.change(|tree| {
        *tree = filled.clone();
        Ok(())
    })
    .unwrap();
    odb
}

/// Nanoseconds for each of `n`.
fn each(n: usize, work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64() * 1e9 / n as f64
}

/// Paths in an order that no cache foretells.
fn asked(keys: usize) -> Vec<String> {
    let mut state = 1_u64;
    let mut next = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
    };
    (0..READS).map(|_| path(next() % keys)).collect()
}

/// Rows of the table: what, and its nanoseconds in each round.
#[derive(Default)]
struct Rows(Vec<(String, Vec<f64>)>);

impl Rows {
    fn add(&mut self, what: &str, ns: f64) {
        match self.0.iter_mut().find(|(known, _)| known == what) {
            Some((_, all)) => all.push(ns),
            None => self.0.push((what.to_owned(), vec![ns])),
        }
    }

    fn median(&self, what: &str) -> f64 {
        let mut all = self.0.iter().find(|(known, _)| known == what).map(|(_, all)| all.clone()).unwrap();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    }

    fn print(&self) {
        println!("{:<52}{:>12}{:>14}", "", "ns each", "per second");
        for (what, _) in &self.0 {
            let ns = self.median(what);
            println!("{what:<52}{ns:>12.1}{:>12.3} M", 1e3 / ns);
        }
    }
}

fn reads(rows: &mut Rows, odb: &Odb, local: &Odb, map: &HashMap<String, i32>, keys: usize) {
    let asked = asked(keys);
    let sum = |read: &dyn Fn(&str) -> i32| asked.iter().map(|path| i64::from(read(path))).sum::<i64>();
    let mut row = |what: &str, read: &dyn Fn(&str) -> i32| {
        let ns = each(READS, || {
            black_box(sum(read));
        });
        rows.add(&format!("{what}, {keys} keys"), ns);
    };
    row("read by full path, shared", &|path| odb.get(path).unwrap());
    row("read by full path, local", &|path| local.get(path).unwrap());
    let tree = odb.snapshot().unwrap();
    row("read by full path, of a snapshot", &|path| tree.get(path).unwrap());
    row("a hash map of paths", &|path| map[path]);
}

fn checks(rows: &mut Rows, odb: &Odb, keys: usize) {
    let mut hotlink = odb.hotlink(&path(3)).unwrap();
    let ns = each(CHECKS, || {
        for _ in 0..CHECKS {
            assert!(!black_box(&mut hotlink).changed().unwrap());
        }
    });
    rows.add(&format!("unchanged check of a hotlink, {keys} keys"), ns);
    let ns = each(CHECKS, || {
        for _ in 0..CHECKS {
            black_box(odb.revision());
        }
    });
    rows.add(&format!("revision, {keys} keys"), ns);
    let word = AtomicU64::new(1);
    let ns = each(CHECKS, || {
        for _ in 0..CHECKS {
            black_box(black_box(&word).load(Ordering::Acquire));
        }
    });
    rows.add("an atomic load", ns);
}

fn commits(rows: &mut Rows, what: &str, odb: &Odb, keys: usize) {
    let paths = asked(keys);
    let ns = each(COMMITS, || {
        for (n, path) in paths.iter().take(COMMITS).enumerate() {
            odb.set(path, -(n as i32)).unwrap();
        }
    });
    rows.add(&format!("commit of one key, {what}, {keys} keys"), ns);
}

/// LMDB alone, with as many records.
#[allow(unsafe_code, reason = "LMDB maps its files")]
fn bare(place: &Path, keys: usize) -> (Env, Database<Bytes, Bytes>) {
    std::fs::create_dir_all(place).unwrap();
    let mut how = EnvOpenOptions::new();
    how.map_size(1 << 30);
    // SAFETY: a file of this measurement alone, which need not survive a power cut.
    let env = unsafe { how.flags(EnvFlags::NO_SYNC).open(place).unwrap() };
    let mut txn = env.write_txn().unwrap();
    let db: Database<Bytes, Bytes> = env.create_database(&mut txn, None).unwrap();
    (0..keys as u64).for_each(|n| db.put(&mut txn, &n.to_be_bytes(), &[0; 36]).unwrap());
    txn.commit().unwrap();
    (env, db)
}

fn bare_commits(rows: &mut Rows, (env, db): &(Env, Database<Bytes, Bytes>), keys: usize) {
    let ns = each(COMMITS, || {
        for n in 0..COMMITS as u64 {
            let mut txn = env.write_txn().unwrap();
            let key = n.wrapping_mul(6364136223846793005) % keys as u64;
            db.put(&mut txn, &key.to_be_bytes(), &[n as u8; 36]).unwrap();
            txn.commit().unwrap();
        }
    });
    rows.add(&format!("a transaction of LMDB alone, {keys} keys"), ns);
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// The other process: says when it has woken, and to what.
fn wait(place: &Path) {
    let odb = Odb::open(place).unwrap();
    let store = odb.store();
    println!("ready");
    let mut seen = store.revision();
    loop {
        let revision = store.wait(seen, Duration::from_secs(60));
        let woken = now();
        if revision == seen {
            return;
        }
        seen = revision;
        let value: i32 = odb.get(&path(1)).unwrap();
        println!("{value} {woken}");
        if value == WAKES as i32 {
            return;
        }
    }
}

/// Nanoseconds from the end of a commit to the waiter's being awake, in another process.
fn wakes(place: &Path, odb: &Odb, pause: Duration) -> Vec<f64> {
    odb.set(&path(1), -1).unwrap();
    let mut waiter = Command::new(std::env::current_exe().unwrap())
        .env(WAITER, place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut says = BufReader::new(waiter.stdout.take().unwrap()).lines().map(std::result::Result::unwrap);
    assert_eq!(says.next().unwrap(), "ready");
    let mut all = Vec::new();
    for n in 1..=WAKES as i32 {
        std::thread::sleep(pause);
        odb.set(&path(1), n).unwrap();
        let done = now();
        let line = says.next().unwrap();
        let (value, woken) = line.split_once(' ').unwrap();
        assert_eq!(value, n.to_string(), "every change is seen");
        all.push(woken.parse::<u64>().unwrap() as f64 - done as f64);
    }
    waiter.wait().unwrap();
    all.sort_by(f64::total_cmp);
    all
}

/// Nanoseconds of a byte from one process to another: half of there and back through pipes.
fn pipe() -> f64 {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut to, mut from) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
    let mut all = Vec::new();
    for _ in 0..WAKES {
        std::thread::sleep(Duration::from_millis(1));
        let started = Instant::now();
        to.write_all(&[1]).unwrap();
        from.read_exact(&mut [0]).unwrap();
        all.push(started.elapsed().as_nanos() as f64 / 2.0);
    }
    drop(to);
    cat.wait().unwrap();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() {
    if let Some(place) = std::env::var_os(WAITER) {
        return wait(Path::new(&place));
    }
    let args: Vec<String> = std::env::args().collect();
    let rounds = args.iter().position(|arg| arg == "--rounds").and_then(|at| args.get(at + 1)?.parse().ok());
    let place = tempfile::tempdir().unwrap();
    let mut rows = Rows::default();
    let sizes: Vec<_> = [5_000, 100_000]
        .map(|keys| {
            let dir = place.path().join(format!("odb {keys}"));
            let odb = shared(&dir, keys);
            let map: HashMap<String, i32> = (0..keys).map(|n| (path(n), n as i32)).collect();
            (keys, dir, odb, Odb::from(tree(keys)), map, bare(&place.path().join(keys.to_string()), keys))
        })
        .into_iter()
        .collect();
    for _ in 0..rounds.unwrap_or(5) {
        for (keys, _, odb, local, map, bare) in &sizes {
            reads(&mut rows, odb, local, map, *keys);
            checks(&mut rows, odb, *keys);
            commits(&mut rows, "shared", odb, *keys);
            commits(&mut rows, "local", local, *keys);
            bare_commits(&mut rows, bare, *keys);
        }
    }
    rows.print();
    println!();
    println!(
        "{:<52}{:>12}{:>14}",
        "from the end of a commit to being awake elsewhere", "median us", "99 % us"
    );
    let (_, dir, odb, ..) = &sizes[0];
    for pause in [1, 20] {
        let all = wakes(dir, odb, Duration::from_millis(pause));
        let what = format!("a change each {pause} ms");
        println!("{what:<52}{:>12.1}{:>14.1}", all[WAKES / 2] / 1e3, all[WAKES * 99 / 100] / 1e3);
    }
    println!("{:<52}{:>12.1}", "a byte through a pipe", pipe() / 1e3);
    println!();
    println!("{:<52}{:>12}{:>14}", "wanted", "M/s", "found");
    for keys in [5_000, 100_000] {
        for (what, wanted) in [
            ("read by full path, shared", 2.0),
            ("unchanged check of a hotlink", 100.0),
            ("commit of one key, shared", 0.1),
        ] {
            let row = format!("{what}, {keys} keys");
            println!("{row:<52}{wanted:>12}{:>14.3}", 1e3 / rows.median(&row));
        }
    }
}
