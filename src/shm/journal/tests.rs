use super::*;

use std::os::unix::fs::MetadataExt as _;

use crate::shm::StreamName;

/// What is mapped before the journal.
const BASE: u64 = 8192;

struct Place {
    _directory: tempfile::TempDir,
    ring: RingFile,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let name = StreamName::new(directory.path().join("a").to_str().unwrap()).unwrap();
    let ring = RingFile::create(&name, BASE, 0o600).unwrap();
    Place { _directory: directory, ring }
}

fn record(n: usize) -> Record {
    let totals = (0..n).map(|i| (i as u16 ^ 0x8000, u64::MAX - i as u64)).collect();
    let event = (0..7 * n).map(|i| i as u8).collect();
    Record { kind: n as u8, run: u32::MAX - n as u32, position: 1 << 63 | n as u64, event, totals }
}

fn why(ring: &RingFile, at: u64, end: u64) -> String {
    match read(ring, BASE, at, end).unwrap_err() {
        Error::Damaged { path, why } => {
            assert_eq!(path, ring.path);
            let place = format!(", at byte {} (journal at {at})", BASE.saturating_add(at));
            why.strip_suffix(&place).unwrap_or_else(|| panic!("{why}")).to_owned()
        }
        error => panic!("{error}"),
    }
}

#[test]
fn what_was_written_is_read_in_order() {
    let ring = &place().ring;
    let mut ends = vec![0];
    for n in 0..20 {
        let at = *ends.last().unwrap();
        let end = append(ring, BASE, at, &record(n)).unwrap();
        assert_eq!(end % 8, 0);
        assert_eq!(end - at, (48 + 17 * n as u64).next_multiple_of(8));
        ends.push(end);
    }
    let end = *ends.last().unwrap();
    for n in 0..20 {
        let (found, next) = read(ring, BASE, ends[n], end).unwrap();
        assert_eq!(found, record(n));
        assert_eq!(next, ends[n + 1]);
        assert_eq!(read(ring, BASE, ends[n], next).unwrap().1, next);
    }
    let mut mapped = vec![1; BASE as usize];
    ring.file.read_exact_at(&mut mapped, 0).unwrap();
    assert!(mapped.iter().all(|b| *b == 0), "what is mapped is left alone");
}

#[test]
fn every_changed_byte_is_noticed() {
    let ring = &place().ring;
    let begin = append(ring, BASE, 0, &record(1)).unwrap();
    let end = append(ring, BASE, begin, &record(3)).unwrap();
    for at in begin..end {
        let mut byte = [0];
        ring.file.read_exact_at(&mut byte, BASE + at).unwrap();
        for bit in 0..8 {
            ring.file.write_all_at(&[byte[0] ^ 1 << bit], BASE + at).unwrap();
            why(ring, begin, end);
        }
        ring.file.write_all_at(&byte, BASE + at).unwrap();
    }
    assert_eq!(read(ring, BASE, begin, end).unwrap().0, record(3));
}

#[test]
fn every_cut_and_every_wrong_place_is_noticed() {
    let ring = &place().ring;
    let begin = append(ring, BASE, 0, &record(2)).unwrap();
    let end = append(ring, BASE, begin, &record(3)).unwrap();
    for cut in 0..end {
        let is_whole = cut >= begin;
        assert_eq!(read(ring, BASE, 0, cut).is_ok(), is_whole, "{cut}");
        assert!(read(ring, BASE, begin, cut).is_err(), "{cut}");
    }
    for at in (0..end + 100).filter(|at| ![0, begin].contains(at)) {
        assert!(read(ring, BASE, at, end).is_err(), "{at}");
    }
    assert_eq!(why(ring, 0, 40), "the head of a record has 48 bytes, 40 are left");
    assert_eq!(why(ring, end, end), "the head of a record has 48 bytes, 0 are left");
    assert_eq!(why(ring, u64::MAX, end), "the head of a record has 48 bytes, 0 are left");
    let long = end + 1;
    assert_eq!(why(ring, 0, long), format!("the journal is to have {long} bytes, the file has {end} for it"));
    assert!(why(ring, 0, u64::MAX).starts_with("the journal is to have"));
    assert_eq!(why(ring, 8, end), "0x726a5450 begins a record, found 0x0");
    // A record of elsewhere.
    let mut bytes = vec![0; (end - begin) as usize];
    ring.file.read_exact_at(&mut bytes, BASE + begin).unwrap();
    ring.file.write_all_at(&bytes, BASE + end).unwrap();
    assert_eq!(why(ring, end, end + bytes.len() as u64), format!("the record says that it is at {begin}"));
    ring.file.set_len(BASE + end - 1).unwrap();
    assert!(why(ring, begin, end).starts_with("the journal is to have"));
}

#[test]
fn a_claimed_size_is_checked_before_it_is_believed() {
    let ring = &place().ring;
    let end = append(ring, BASE, 0, &record(0)).unwrap();
    // Long, and most of it a hole: whatever is claimed is there.
    let far = 1 << 40;
    ring.file.set_len(BASE + far).unwrap();
    let claim = |at: u64, n: u32| ring.file.write_all_at(&n.to_le_bytes(), BASE + at).unwrap();
    claim(16, 300 << 20);
    claim(40, (300 << 20) - 48);
    assert!(why(ring, 0, far).starts_with("a record of 314572800 bytes with 0 totals and an event of"));
    claim(28, u32::MAX);
    claim(40, u32::MAX);
    claim(16, u32::MAX);
    assert!(why(ring, 0, far).starts_with("a record of 4294967295 bytes with 4294967295 totals"));
    claim(16, 48);
    assert!(why(ring, 0, far).starts_with("a record of 48 bytes with 4294967295 totals"));
    claim(28, 0);
    claim(40, 0);
    assert_eq!(read(ring, BASE, 0, far).unwrap(), (record(0), end));
}

#[test]
fn an_end_that_is_not_in_the_file_is_not_written_to() {
    let ring = &place().ring;
    let end = append(ring, BASE, 0, &record(1)).unwrap();
    for at in [end + 8, 1 << 40, u64::MAX - 7] {
        let error = append(ring, BASE, at, &record(1)).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
    }
    assert_eq!(ring.file.metadata().unwrap().len(), BASE + end);
}

#[test]
fn what_is_too_large_is_refused() {
    let ring = &place().ring;
    let event = vec![0; LONGEST];
    let error = append(ring, BASE, 0, &Record { event, ..record(0) }).unwrap_err();
    let wanted = "no event can be published of this: the ODB at a transition has 268435456 bytes, at most \
                  268435456 fit";
    assert_eq!(error.to_string(), wanted);
    assert_eq!(ring.file.metadata().unwrap().len(), BASE);
}

#[test]
fn what_is_read_is_given_back() {
    let ring = &place().ring;
    let large = Record { event: vec![1; 1 << 20], ..record(2) };
    let begin = append(ring, BASE, 0, &large).unwrap();
    let end = append(ring, BASE, begin, &large).unwrap();
    let before = ring.file.metadata().unwrap().blocks() * 512;
    punch(ring, BASE, 0, begin);
    let after = ring.file.metadata().unwrap().blocks() * 512;
    assert!(after + (1 << 20) <= before + 8192, "{before} bytes before, {after} after");
    assert_eq!(why(ring, 0, end), "0x726a5450 begins a record, found 0x0");
    assert_eq!(read(ring, BASE, begin, end).unwrap(), (large, end));
    punch(ring, BASE, u64::MAX, u64::MAX);
    punch(ring, BASE, end, begin);
    assert!(read(ring, BASE, begin, end).is_ok());
}

#[test]
fn many_small_pieces_are_given_back_as_one_large() {
    let ring = &place().ring;
    let before = ring.file.metadata().unwrap().blocks() * 512;
    let (mut punched, mut end) = (0, 0);
    for _ in 0..4000 {
        end = append(ring, BASE, end, &record(0)).unwrap();
        punch(ring, BASE, punched, end);
        punched = end;
    }
    ring.file.sync_all().unwrap();
    let after = ring.file.metadata().unwrap().blocks() * 512;
    assert!(after <= before + 8192, "{before} bytes before, {after} after {end} of the journal");
    let mut mapped = vec![1; BASE as usize];
    ring.file.read_exact_at(&mut mapped, 0).unwrap();
    assert!(mapped.iter().all(|b| *b == 0));
}

/// A small file system of its own, if we may make one.
struct Small(tempfile::TempDir);

impl Small {
    fn new() -> Option<Small> {
        let place = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(place.path());
        let is_there = mount.output().is_ok_and(|done| done.status.success());
        is_there.then_some(Small(place))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_is_an_error_that_says_so_and_leaves_nothing() {
    let Some(small) = Small::new() else { return };
    let name = StreamName::new(small.0.path().join("a").to_str().unwrap()).unwrap();
    let ring = RingFile::create(&name, BASE, 0o600).unwrap();
    let end = append(&ring, BASE, 0, &record(1)).unwrap();
    let large = Record { event: vec![1; 400_000], ..record(2) };
    let error = append(&ring, BASE, end, &large).unwrap_err();
    let Error::Full { path, wanted, free } = &error else { panic!("{error}") };
    assert_eq!((path.as_path(), *wanted), (name.path(), 400_072));
    assert!((200_000..=262_144).contains(free), "{free}");
    assert_eq!(ring.file.metadata().unwrap().len(), BASE + end);
    assert_eq!(read(&ring, BASE, 0, end).unwrap().0, record(1));
    let small = Record { event: vec![1; 100_000], ..record(2) };
    let next = append(&ring, BASE, end, &small).unwrap();
    assert_eq!(read(&ring, BASE, end, next).unwrap().0, small);
}
