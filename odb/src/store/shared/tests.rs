#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;

use super::*;
use crate::{Odb, Value};

fn options() -> Options {
    Options { create: true, ..Options::default() }
}

fn create(dir: &Path) -> (Odb, Shared) {
    let shared = Shared::open(dir, options()).unwrap();
    (Odb::new(Arc::new(shared.clone())), shared)
}

fn error(opened: Result<Shared>) -> String {
    opened.unwrap_err().to_string()
}

#[test]
fn a_shared_store_conforms() {
    let place = tempfile::tempdir().unwrap();
    let made = AtomicU64::new(0);
    for durable in [false, true] {
        super::super::conformance(&|| {
            let dir = place.path().join(made.fetch_add(1, Ordering::Relaxed).to_string());
            Arc::new(Shared::open(dir, Options { durable, ..options() }).unwrap())
        });
    }
}

#[test]
fn what_was_written_is_there_when_it_is_opened_again() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("a/b");
    let (odb, shared) = create(&dir);
    odb.create("/A/x", vec![1.5, f64::NAN]).unwrap();
    let again = Shared::open(&dir, Options::default()).unwrap();
    assert_eq!(again.snapshot().unwrap().0, shared.revision(), "one that is open is the same");
    drop((odb, shared, again));
    let odb = Odb::open(&dir).unwrap();
    let written = odb.snapshot().unwrap().find("/A/x").unwrap().key.last_written();
    assert!(written > 1_700_000_000, "last written at {written}");
    assert!(odb.value("/A/x").unwrap().same(&Value::from(vec![1.5, f64::NAN])));
}

#[test]
fn what_is_no_database_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("odb");
    let none = format!("no ODB in {}", dir.display());
    assert_eq!(error(Shared::open(&dir, Options::default())), none);
    std::fs::create_dir(&dir).unwrap();
    assert_eq!(error(Shared::open(&dir, Options::default())), none, "an empty directory");
    assert!(std::fs::read_dir(&dir).unwrap().next().is_none(), "nothing is made by looking");
    let file = place.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert_eq!(error(Shared::open(&file, Options::default())), format!("no ODB in {}", file.display()));
    std::fs::write(dir.join("data.mdb"), vec![7; 20_000]).unwrap();
    let garbage = error(Shared::open(&dir, Options::default()));
    assert!(garbage.contains("data.mdb is no database that this program knows"), "{garbage}");
}

#[test]
fn a_newer_form_and_a_foreign_database_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let check = |name: &str, mark: &[u8], wanted: &str| {
        let dir = place.path().join(name);
        let (odb, shared) = create(&dir);
        odb.create("/x", 1).unwrap();
        let mut txn = shared.inner.env.write_txn().unwrap();
        shared.inner.db.put(&mut txn, MARK, mark).unwrap();
        txn.commit().unwrap();
        drop((odb, shared));
        for create in [false, true] {
            let found = error(Shared::open(&dir, Options { create, ..Options::default() }));
            assert!(found.contains(wanted), "{found}");
        }
    };
    check(
        "newer",
        b"pactolus ODB\x02\0\0\0\0",
        "is in form 2, this program knows form 1 only: use a newer one",
    );
    check("foreign", b"something else", "holds a database of another program");
    check("cut", b"pactolus ODB\x01", "holds a database of another program");
}

#[test]
fn a_key_that_is_broken_is_named() {
    let place = tempfile::tempdir().unwrap();
    let (odb, shared) = create(place.path());
    odb.create("/x", 1).unwrap();
    let mut txn = shared.inner.env.write_txn().unwrap();
    shared.inner.db.put(&mut txn, &key_of(2), &[7, 0]).unwrap();
    txn.commit().unwrap();
    drop((odb, shared));
    let found = error(Shared::open(place.path(), Options::default()));
    assert!(found.contains("key number 2 is broken: more bytes wanted at byte 1"), "{found}");
}

#[test]
fn a_full_database_says_so_and_stays_whole() {
    let place = tempfile::tempdir().unwrap();
    let shared = Shared::open(place.path(), Options { size: 1 << 20, ..options() }).unwrap();
    let odb = Odb::new(Arc::new(shared.clone()));
    odb.create("/small", 1).unwrap();
    let mut stored = 0;
    let full = loop {
        match odb.create(&format!("/large {stored}"), vec![stored; 10_000]) {
            Ok(()) => stored += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(stored > 5, "{stored}");
    assert!(full.contains("is full (1 MiB), nothing was changed"), "{full}");
    shared.check().unwrap();
    assert_eq!(odb.ls("/").unwrap().len(), 1 + stored as usize);
    assert!(odb.create("/larger", vec![0.0; 100_000]).is_err());
    odb.set("/small", 2).unwrap();
    odb.delete("/large 0").unwrap();
    odb.set("/small", 3).unwrap();
    odb.create("/new", vec![1; 5000]).unwrap();
    shared.check().unwrap();
    drop((odb, shared));
    // The next one may give it more room.
    let odb = Odb::open(place.path()).unwrap();
    odb.create("/larger", vec![0.0; 1_000_000]).unwrap();
    assert_eq!(odb.get::<i32>("/small").unwrap(), 3);
}

#[cfg(unix)]
#[test]
fn the_files_are_as_open_as_their_directory() {
    use std::os::unix::fs::PermissionsExt;
    for (directory, wanted) in [(0o700, 0o600), (0o770, 0o660), (0o777, 0o666), (0o755, 0o644)] {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(directory)).unwrap();
        let _open = create(place.path());
        for file in ["data.mdb", "lock.mdb", "bell"] {
            let mode = place.path().join(file).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, wanted, "{file} in a directory of mode {directory:o}");
        }
    }
}

const READER: &str = "PACTOLUS_TEST_READER";

/// Another process that looks at the database and does not come to an end.
#[test]
fn reader_that_hangs() {
    let Some(place) = std::env::var_os(READER) else { return };
    let shared = Shared::open(place, Options::default()).unwrap();
    let txn = shared.inner.read_txn().unwrap();
    println!("reads {}", txn.id());
    thread::sleep(Duration::from_secs(600));
}

#[test]
fn readers_that_were_killed_do_not_make_the_file_grow() {
    let place = tempfile::tempdir().unwrap();
    let (odb, shared) = create(place.path());
    odb.create("/x", vec![0; 2000]).unwrap();
    let name =
        thread::current().name().unwrap().replace("readers_that_were_killed_do_not_make_the_file_grow", "");
    for _ in 0..3 {
        let mut reader = Command::new(std::env::current_exe().unwrap())
            .args([&format!("{name}reader_that_hangs"), "--exact", "--nocapture"])
            .env(READER, place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(reader.stdout.take().unwrap()).lines();
        assert!(says.map_while(std::result::Result::ok).any(|line| line.contains("reads ")));
        reader.kill().unwrap();
        reader.wait().unwrap();
    }
    // The dead are looked for once a second.
    shared.inner.swept.store(u64::MAX, Ordering::Relaxed);
    odb.set("/x[0]", 1).unwrap();
    for n in 0..2000 {
        odb.set("/x[1]", n).unwrap();
    }
    let size = place.path().join("data.mdb").metadata().unwrap().len();
    // 2000 times 8 kB, had nobody swept.
    assert!(size < 2 << 20, "the file has {size} bytes");
}
