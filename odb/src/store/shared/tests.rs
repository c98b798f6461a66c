#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;

use std::sync::atomic::AtomicU64;

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
    shared.inner.sweeps.hurry();
    odb.set("/x[0]", 1).unwrap();
    for n in 0..2000 {
        odb.set("/x[1]", n).unwrap();
    }
    let size = place.path().join("data.mdb").metadata().unwrap().len();
    // 2000 times 8 kB, had nobody swept.
    assert!(size < 2 << 20, "the file has {size} bytes");
}

#[test]
fn a_deleted_database_is_missed() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("odb");
    let (odb, shared) = create(&dir);
    odb.create("/x", 1).unwrap();
    let mut watch = odb.watch("/x").unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let gone = watch.next(Duration::from_secs(60)).unwrap_err().to_string();
    assert!(gone.contains("was deleted while it was open"), "{gone}");
    assert!(odb.set("/x", 2).is_err() && odb.get::<i32>("/x").is_err());
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("data.mdb"), []).unwrap();
    let again = error(Shared::open(&dir, options()));
    assert!(again.contains("was deleted while it was open"), "{again}");
    drop((odb, shared, watch));
    create(&dir).0.create("/x", 1).unwrap();
}

#[test]
fn a_time_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let (odb, shared) = create(place.path());
    let written = |time| {
        odb.change(|tree| {
            tree.set_now(time);
            tree.put("/A/x", 1)
        })
        .unwrap();
        shared.check().unwrap();
        odb.snapshot().unwrap().find("/A/x").unwrap().key.last_written()
    };
    assert_eq!([1000, 2000, 2000].map(written), [1000, 2000, 2000]);
}

#[test]
fn a_database_in_the_making_is_waited_for() {
    let place = tempfile::tempdir().unwrap();
    // As it stands between the first look at its file and the first key.
    let how = {
        let mut how = heed::EnvOpenOptions::new().read_txn_without_tls();
        how.map_size(1 << 20);
        how
    };
    drop(env::map(&how, place.path()).unwrap());
    let found = error(Shared::open(place.path(), Options::default()));
    assert!(found.starts_with("no ODB in"), "{found}");
    create(place.path()).0.create("/x", 1).unwrap();
}

const WRITER: &str = "PACTOLUS_TEST_WRITER";

/// Another process that begins a change and does not come to an end.
#[test]
fn writer_that_hangs() {
    let Some(place) = std::env::var_os(WRITER) else { return };
    let odb = Odb::open(place).unwrap();
    let _ = odb.change(|tree| {
        println!("writes {}", tree.root().name());
        thread::sleep(Duration::from_secs(600));
        Ok(())
    });
}

#[test]
fn a_writer_that_hangs_holds_up_no_reader_and_is_named() {
    let place = tempfile::tempdir().unwrap();
    let (odb, _shared) = create(place.path());
    odb.create("/x", 1).unwrap();
    let path =
        thread::current().name().unwrap().replace("a_writer_that_hangs_holds_up_no_reader_and_is_named", "");
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args([&format!("{path}writer_that_hangs"), "--exact", "--nocapture"])
        .env(WRITER, place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let says = BufReader::new(writer.stdout.take().unwrap()).lines();
    assert!(says.map_while(std::result::Result::ok).any(|line| line.contains("writes ")));
    thread::scope(|scope| {
        let waits = scope.spawn(|| odb.set("/x", 2));
        thread::sleep(Duration::from_millis(50));
        assert_eq!(odb.get::<i32>("/x").unwrap(), 1, "readers do not wait");
        let error = waits.join().unwrap().unwrap_err().to_string();
        assert!(error.contains(&format!("process {} is in the midst of a change", writer.id())), "{error}");
    });
    writer.kill().unwrap();
    writer.wait().unwrap();
    odb.set("/x", 3).unwrap();
}
