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
        table.group_bytes = 2 << 20;
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
            table.group_bytes = 1 << 20;
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
