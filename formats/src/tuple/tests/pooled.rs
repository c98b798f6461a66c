//! Tables that are encoded by a pool: slow files, full disks.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::*;
use crate::pool::InOrder;

/// Noise, so that files are large.
fn noise(seed: usize, values: usize) -> Vec<u16> {
    let mut state = seed as u32 * 2 + 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as u16
    };
    (0..values).map(next).collect()
}

fn waveforms(events: usize) -> Vec<Event> {
    (0..events).map(|n| Event::new().words("WAV0", &noise(n, 20_000))).collect()
}

#[test]
fn rows_wait_for_a_pool_that_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let events = waveforms(600);
    for kind in KINDS {
        let pool = Pool::new(1).unwrap();
        let (release, released) = channel::<()>();
        let mut busy = InOrder::new(Some(pool.clone()));
        busy.push(move || Ok(released.recv().is_ok()));

        let path = dir.path().join("pooled");
        let mut table = TableWriter::create(&path, kind, &def(vec![])).unwrap().with_pool(pool);
        table.ends.group_bytes = 2 << 20;
        let written = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                in_batches(&def(vec![]), &events, 1, |n, batch| {
                    table.write(batch).unwrap();
                    written.store(n + 1, Ordering::Relaxed);
                });
            });
            let mut before = 0;
            while before == 0 || before != written.load(Ordering::Relaxed) {
                before = written.load(Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(500));
            }
            // 24 MB of rows: two groups of 4 MB on their way, and one in hand.
            assert!((100..350).contains(&before), "{kind:?}: {before} events of 40 kB are taken");
            release.send(()).unwrap();
            writing.join().unwrap();
        });
        let metadata = [("zebra".into(), "1".into()), ("answer".into(), "42".into())];
        table.finish(&metadata).unwrap();
        let alone = dir.path().join("alone");
        write(&alone, kind, &def(vec![]), &events, 600);
        assert!(fs::read(&path).unwrap() == fs::read(&alone).unwrap());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_table_that_has_failed_gets_no_name() {
    let events = waveforms(400);
    for kind in KINDS {
        for pool in [None, Some(Pool::new(2).unwrap())] {
            let dir = tempfile::tempdir().unwrap();
            // Only the first hidden file is on a full disk.
            std::os::unix::fs::symlink("/dev/full", dir.path().join(".t.part")).unwrap();
            let path = dir.path().join("t");
            let mut table = TableWriter::create(&path, kind, &def(vec![])).unwrap();
            if let Some(pool) = &pool {
                table = table.with_pool(pool.clone());
            }
            table.ends.group_bytes = 1;
            let mut failed: Option<String> = None;
            in_batches(&def(vec![]), &events, 40, |n, batch| match (table.write(batch), &failed) {
                (Ok(_), None) => {}
                (Ok(_), Some(_)) => panic!("rows behind event {n} are taken"),
                (Err(error), None) => failed = Some(error.to_string()),
                (Err(error), Some(before)) => assert_eq!(error.to_string(), *before),
            });
            let error = table.settle(&[]).map(|_| "settled").unwrap_err().to_string();
            assert!(error.contains("No space left on device"), "{error}");
            // With a pool it may come out in the end only.
            assert!(failed.map_or(pool.is_some(), |failed| failed == error), "{kind:?}, {pool:?}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_plain_table_that_has_failed_gets_no_name() {
    let columns = [PlainColumn::new("bytes", PlainType::Bytes)];
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join(".t.part")).unwrap();
        let mut table = PlainWriter::create(&dir.path().join("t"), kind, &columns).unwrap();
        let value: Vec<u8> = noise(1, 4 << 20).into_iter().flat_map(u16::to_le_bytes).collect();
        let error = (0..20).find_map(|_| table.push(&[Plain::Bytes(&value)]).err()).unwrap().to_string();
        assert!(error.contains("No space left on device"), "{error}");
        assert_eq!(table.push(&[Plain::Bytes(b"more")]).unwrap_err().to_string(), error);
        assert_eq!(table.settle(&[]).map(|_| "settled").unwrap_err().to_string(), error);
    }
}

/// Where [`a_full_disk_leaves_nothing`] has this program write, with files limited.
const FULL: &str = "PACTOLUS_TEST_FULL";

#[test]
fn a_full_disk_leaves_nothing() {
    if let Some(path) = std::env::var_os(FULL) {
        let path = Path::new(&path);
        let kind = TableKind::of(path).unwrap();
        for threads in [0, 2] {
            let def = def(vec![]);
            let mut table = TableWriter::create(path, kind, &def).unwrap();
            if threads > 0 {
                table = table.with_pool(Pool::new(threads).unwrap());
            }
            table.ends.group_bytes = 1 << 20;
            let mut columns = Columns::new(&def);
            // In the end there is a new column, so that the file is written twice.
            let mut events = waveforms(400);
            events.push(Event::new().words("LATE", &[1]));
            let write = |(n, event)| {
                fill(&mut columns, n, event);
                table.write(columns.finish()).map(drop)
            };
            let written = events.iter().enumerate().try_for_each(write);
            let error = written.and_then(|()| table.settle(&[]).map(drop)).unwrap_err().to_string();
            assert!(error.contains("File too large"), "{error}");
            assert!(error.contains("full."), "{error}");
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
        }
        return;
    }
    let name = "tuple::tests::pooled::a_full_disk_leaves_nothing";
    // In units of 512 bytes, or of 1024 in some shells; the file has 16 MB.
    for (i, blocks) in [0, 1, 37, 4000, 7777, 12_345].into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(["full.parquet", "full.arrow"][i % 2]);
        let limited = format!("trap '' XFSZ; ulimit -f {blocks} && exec \"$0\" --exact {name}");
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(limited).arg(std::env::current_exe().unwrap()).env(FULL, &path);
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{blocks}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
