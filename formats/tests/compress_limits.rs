//! Hostile files cost little memory and time, and what is asked for beyond the limits is refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod compress_common;

use std::io::{Cursor, Read, Write};

use compress_common::{adc, frame, lz4, lz4_legacy, pack, read_from};
use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};
use pactolus_formats::compress::Output;
use pactolus_formats::{ByteSource, Compression, Input, Limits};

#[test]
fn what_asks_for_more_than_the_limit_is_damage_and_passed_over() {
    let small = adc(30_000, 1);
    let wanted = |window: usize| Limits { window, ..Limits::default() };
    let mut long = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    long.window_log(24).unwrap();
    long.write_all(&adc(100_000, 2)).unwrap();
    let long = long.finish().unwrap();
    let large = FrameInfo::new().block_size(BlockSize::Max4MB);
    let modest = FrameInfo::new().block_size(BlockSize::Max64KB);
    let mut level1 = Output::new(Compression::Bzip2, Some(1), Vec::new()).unwrap();
    level1.write_all(&small).unwrap();
    for (name, limit, refused, taken, text) in [
        (
            "a.zst",
            2 << 20,
            long,
            pack(Compression::Zstd, &small),
            "zstd window of 16777216 bytes: at most 2097152 expected",
        ),
        (
            "a.lz4",
            100_000,
            lz4(large, &adc(100_000, 2)),
            lz4(modest.clone(), &small),
            "lz4 blocks of 4194304 bytes: at most 100000 expected",
        ),
        (
            "legacy.lz4",
            1 << 20,
            lz4_legacy(&adc(100_000, 2)),
            lz4(modest, &small),
            "lz4 blocks of 8388608 bytes: at most 1048576 expected",
        ),
        (
            "a.bz2",
            500_000,
            pack(Compression::Bzip2, &adc(2_000_000, 2)),
            level1.finish().unwrap(),
            "bzip2 blocks of 900000 bytes: at most 500000 expected",
        ),
    ] {
        let file = [&refused[..], &taken, &refused, &refused, &taken].concat();
        let len = file.len();
        let input = Input::new_with(Cursor::new(file), name, &wanted(limit)).unwrap();
        let given = read_from(input, len);
        assert!(given.pieces.concat() == small.repeat(2), "{name}: {:?}", given.errors);
        assert!(given.errors.iter().all(|error| error == text), "{name}: {:?}", given.errors);
    }
    // A long name.
    let mut header = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0];
    header.resize(70_000, b'x');
    let plain = pack(Compression::Gzip, &small);
    let file = [&header[..], &[0], &plain[10..], &plain].concat();
    let len = file.len();
    let open = |limit| Input::new_with(Cursor::new(file.clone()), "a.gz", &wanted(limit)).unwrap();
    assert!(read_from(open(1 << 20), len).pieces == [small.repeat(2)]);
    let given = read_from(open(1 << 16), len);
    assert_eq!(given.errors, ["gzip header without an end in 65536 bytes"]);
    assert!(given.pieces.concat() == small);
}

#[test]
fn a_file_can_be_opened_with_limits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.mid.lz4");
    std::fs::write(&path, lz4(FrameInfo::new().block_size(BlockSize::Max4MB), b"events")).unwrap();
    let mut text = String::new();
    Input::open_with(&path, &Limits::default()).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "events");
    let limits = Limits { window: 1 << 20, ..Limits::default() };
    let error = Input::open_with(&path, &limits).unwrap().read(&mut [0]).unwrap_err();
    assert_eq!(error.to_string(), "lz4 blocks of 4194304 bytes: at most 1048576 expected");
}

#[test]
fn hostile_files_cost_little_time() {
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    // A stored block of 65535 bytes, in which the next member begins at once.
    let stored = [&header[..], &[0, 0xff, 0xff, 0, 0]].concat();
    let lz4_empty = lz4(frame(BlockMode::Independent), b"");
    // Blocks of nearly 64 kB that hold many such frames: as they are, and compressed.
    let lz4_stored = [&lz4_empty[..7], &[0xff, 0xff, 0, 0x80]].concat();
    let lz4_packed = [&lz4_empty[..7], &[0xff, 0xff, 0, 0]].concat();
    let lz4_legacy = [0x02, 0x21, 0x4c, 0x18, 0x00, 0x00, 0x70, 0x00, 0x10];
    // A frame, then sizes of blocks of it everywhere; and blocks that decode for long.
    let lz4_words = [&lz4_empty[..7], &[0xff, 0xff, 0xff, 0x7f], &[0, 0x20, 0].repeat(100_000)].concat();
    let mut lz4_runs = lz4(FrameInfo::new().block_size(BlockSize::Max4MB), b"")[..7].to_vec();
    lz4_runs.extend([0xff, 0xff, 0xff, 0x7f]);
    let run = [0x00, 0x10, 0x00, 0x00, 0x1f, 0, 1, 0];
    for _ in 0..5000 {
        lz4_runs.extend(run);
        lz4_runs.extend([0xff; 40]);
    }
    // A raw block of 128 kB.
    let zstd_raw = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x00, 0x00, 0x10];
    let skip = [0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0x0f];
    for (name, unit) in [
        ("a.gz", &stored[..]),
        ("a.gz", &header),
        ("a.lz4", &lz4_stored),
        ("a.lz4", &lz4_packed),
        ("a.lz4", &lz4_legacy),
        ("a.lz4", &lz4_words),
        ("a.lz4", &lz4_runs),
        ("a.zst", &zstd_raw),
        ("a.zst", &[0x28, 0xb5, 0x2f, 0xfd, 0x00]),
        ("a.zst", &skip),
        ("a.bz2", b"BZh91AY&SYabcd"),
        ("a.bz2", b"BZh9\x17\x72\x45\x38\x50\x90abcd"),
        ("a.bz2", b"BZh91AY&SY"),
    ] {
        let file = unit.repeat(2_000_000 / unit.len());
        let began = std::time::Instant::now();
        let mut input = Input::new(Cursor::new(file.clone()), name).unwrap();
        let mut buf = vec![0; 1 << 16];
        let (mut faults, mut bytes) = (0, 0_u64);
        loop {
            match input.read(&mut buf) {
                Ok(0) => break,
                Ok(n) => bytes += n as u64,
                Err(_) => {
                    faults += 1;
                    if !input.resume().unwrap() {
                        break;
                    }
                }
            }
        }
        assert!(faults <= file.len() / unit.len() + 1);
        // Members in members would give the square of the file's size.
        assert!(bytes <= (64 << 20) + 33 * file.len() as u64, "{name} {unit:x?}: {bytes} bytes");
        assert!(began.elapsed().as_secs() < 30, "{name}: {:?}", began.elapsed());
    }
}
