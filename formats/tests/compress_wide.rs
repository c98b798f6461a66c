//! A pool of threads makes no difference: the same bytes in the same pieces, errors, resumptions and
//! places, whatever the file is made of and wherever it is broken.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod compress_common;

use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::sync::LazyLock;

use compress_common::{adc, frame, lz4, lz4_legacy, pack, skippable};
use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};
use pactolus_formats::compress::Output;
use pactolus_formats::{ByteSource, Compression, Input, Pool};
use proptest::prelude::*;

static POOLS: LazyLock<Vec<Pool>> = LazyLock::new(|| (1..=3).map(|n| Pool::new(n).unwrap()).collect());

/// One answer of an input, with the place that it tells behind it.
#[derive(Debug, PartialEq)]
enum Answer {
    Read(Vec<u8>, Option<u64>),
    Error(std::io::ErrorKind, String, Option<u64>),
    Resumed(bool, Option<u64>),
}

/// All answers of an input that is read in pieces of changing size, up to `most` bytes.
fn answers(mut input: Input, sizes: &[usize], most: usize) -> Vec<Answer> {
    let (mut answers, mut total) = (Vec::new(), 0);
    let mut buf = vec![0; *sizes.iter().max().unwrap()];
    for size in sizes.iter().cycle() {
        match input.read(&mut buf[..*size]) {
            Ok(n) => {
                answers.push(Answer::Read(buf[..n].to_vec(), input.compressed_offset()));
                total += n;
                if n == 0 || total > most {
                    return answers;
                }
            }
            Err(e) => {
                answers.push(Answer::Error(e.kind(), e.to_string(), input.compressed_offset()));
                let again = input.read(&mut buf).unwrap_err();
                assert_eq!((again.kind(), again.to_string()), (e.kind(), e.to_string()));
                let resumed = input.resume().unwrap();
                answers.push(Answer::Resumed(resumed, input.compressed_offset()));
                if !resumed {
                    return answers;
                }
            }
        }
    }
    answers
}

fn open(name: &str, file: &[u8]) -> Input {
    Input::new(Cursor::new(file.to_vec()), name).unwrap()
}

#[track_caller]
fn check(name: &str, file: &[u8], sizes: &[usize]) {
    const MOST: usize = 24 << 20;
    let alone = answers(open(name, file), sizes, MOST);
    for pool in POOLS.iter() {
        let wide = answers(open(name, file).with_pool(pool.clone()), sizes, MOST);
        if wide != alone {
            let at = wide.iter().zip(&alone).position(|(a, b)| a != b).unwrap_or(alone.len().min(wide.len()));
            let show = |answers: &[Answer]| match answers.get(at) {
                Some(Answer::Read(bytes, place)) => format!("{} bytes, {place:?}", bytes.len()),
                other => format!("{other:?}"),
            };
            let before = alone[..at].iter().map(|a| if let Answer::Read(b, _) = a { b.len() } else { 0 });
            panic!(
                "{name}, {pool:?}, answer {at} behind {} bytes: {} with, {} without",
                before.sum::<usize>(),
                show(&wide),
                show(&alone)
            );
        }
    }
}

fn with_level(compression: Compression, level: u32, content: &[u8]) -> Vec<u8> {
    let mut output = Output::new(compression, Some(level), Vec::new()).unwrap();
    output.write_all(content).unwrap();
    output.finish().unwrap()
}

/// One member, frame or stream, in one of the ways that we know.
fn member(compression: Compression, how: u8, content: &[u8]) -> Vec<u8> {
    match (compression, how % 8) {
        (Compression::Gzip, 0..=2) => with_level(Compression::Gzip, u32::from(how % 10), content),
        (Compression::Bzip2, _) => with_level(Compression::Bzip2, u32::from(how % 3) + 1, content),
        (Compression::Zstd, 0) => zstd::bulk::compress(content, 1).unwrap(),
        (Compression::Zstd, 1) => [skippable(b"size"), pack(Compression::Zstd, content)].concat(),
        (Compression::Zstd, 2) => zstd::bulk::compress(content, 19).unwrap(),
        (Compression::Zstd, 3) => zstd::bulk::compress(content, -5).unwrap(),
        (Compression::Lz4, 0) => lz4(frame(BlockMode::Linked), content),
        (Compression::Lz4, 1) => lz4_legacy(content),
        (Compression::Lz4, 2) => lz4(frame(BlockMode::Independent), content),
        (Compression::Lz4, 3) => {
            let size = Some(content.len() as u64);
            lz4(frame(BlockMode::Independent).content_size(size).block_checksums(true), content)
        }
        (Compression::Lz4, 4) => lz4(FrameInfo::new().block_size(BlockSize::Max4MB), content),
        (Compression::Lz4, 5) => [skippable(b"size"), pack(Compression::Lz4, content)].concat(),
        (_, _) => pack(compression, content),
    }
}

fn compression() -> impl Strategy<Value = Compression> {
    proptest::sample::select(Compression::ALL.to_vec())
}

/// Content of one member: how many bytes, of what kind, compressed how.
fn part() -> impl Strategy<Value = (usize, u8, u8)> {
    let len = prop_oneof![
        2 => Just(0_usize),
        4 => 1..2000_usize,
        4 => 1000..200_000_usize,
        3 => 200_000..1_500_000_usize,
        1 => Just(1 << 20),
    ];
    (len, 0..4_u8, any::<u8>())
}

fn content(len: usize, kind: u8, seed: u8) -> Vec<u8> {
    match kind {
        0 => vec![seed; len],
        1 => {
            let mut state = u32::from(seed) + 1;
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state as u8
            };
            (0..len).map(|_| next()).collect()
        }
        _ => adc(len, u32::from(seed)),
    }
}

/// What happens to a file: nothing, a cut, wrong bytes, foreign bytes, at so many millionths of it.
#[derive(Debug, Clone)]
enum Harm {
    Cut(u32),
    Flip(u32, u8),
    Insert(u32, Vec<u8>),
    Remove(u32, u16),
    Append(Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = || 0..1_000_000_u32;
    let foreign = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..40),
        (1..3000_usize).prop_map(|n| vec![0; n]),
        Just(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
        Just(b"BZh91AY&SY".to_vec()),
        Just(vec![0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58]),
        Just(vec![0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0x00]),
        Just(skippable(b"foreign")),
    ];
    prop_oneof![
        at().prop_map(Harm::Cut),
        (at(), 1..=255_u8).prop_map(|(at, x)| Harm::Flip(at, x)),
        (at(), foreign.clone()).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        (at(), 1..5000_u16).prop_map(|(at, n)| Harm::Remove(at, n)),
        foreign.prop_map(Harm::Append),
    ]
}

fn apply(harm: &Harm, file: &mut Vec<u8>) {
    let place = |at: u32| (file.len() as u64 * u64::from(at) / 1_000_000) as usize;
    match harm {
        Harm::Cut(at) => file.truncate(place(*at).max(4)),
        Harm::Flip(at, x) => {
            let at = place(*at);
            if let Some(byte) = file.get_mut(at) {
                *byte ^= x;
            }
        }
        Harm::Insert(at, bytes) => {
            let at = place(*at).max(4);
            file.splice(at..at, bytes.iter().copied());
        }
        Harm::Remove(at, n) => {
            let at = place(*at).max(4);
            file.drain(at..file.len().min(at + usize::from(*n)).max(at));
        }
        Harm::Append(bytes) => file.extend_from_slice(bytes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_read_the_same(
        compression in compression(),
        parts in proptest::collection::vec(part(), 1..7),
        repeat in prop_oneof![5 => Just(1_usize), 1 => 2..20_usize],
        harms in proptest::collection::vec(harm(), 0..3),
        sizes in proptest::collection::vec(1000..3_000_000_usize, 1..6),
    ) {
        let mut file = Vec::new();
        for (len, kind, how) in &parts {
            let packed = member(compression, *how, &content(*len, *kind, *how));
            let times = if packed.len() > 200_000 { 1 } else { repeat };
            (0..times).for_each(|_| file.extend_from_slice(&packed));
        }
        if file.len() >= 4 {
            for harm in &harms {
                apply(harm, &mut file);
            }
            let name = format!("run.mid.{}", compression.extension().unwrap());
            check(&name, &file, &sizes);
        }
    }
}

/// Small members of every kind, cut at every byte and with every byte changed.
#[test]
fn small_files_cut_and_changed_at_every_byte_are_read_the_same() {
    for compression in Compression::ALL {
        let mut file = Vec::new();
        for how in [6, 2, 3, 1] {
            file.extend(member(compression, how, &adc(60, u32::from(how))));
            file.extend(member(compression, how, &[]));
        }
        let name = format!("run.mid.{}", compression.extension().unwrap());
        for at in 4..file.len() {
            check(&name, &file[..at], &[1000]);
            let mut changed = file.clone();
            changed[at] ^= [0xff, 1, 0x80, 0x10][at % 4];
            check(&name, &changed, &[7, 100]);
        }
    }
}

/// Large files, so that several units are in flight when the broken one comes.
#[test]
fn large_files_broken_anywhere_are_read_the_same() {
    for compression in Compression::ALL {
        let mut file = Vec::new();
        for n in 0..10 {
            let level = if compression == Compression::Bzip2 { 3 } else { 0 };
            file.extend(member(compression, level + 6, &adc(700_000, n)));
        }
        let name = format!("run.mid.{}", compression.extension().unwrap());
        check(&name, &file, &[1 << 20]);
        for part in 1..8 {
            let at = file.len() * part / 8;
            check(&name, &file[..at], &[100_000]);
            let mut changed = file.clone();
            changed[at] ^= 0x55;
            check(&name, &changed, &[1 << 20]);
        }
    }
}

#[test]
fn one_long_member_is_read_the_same() {
    // Random bytes: longer, as they stand in the file, than any unit may be.
    let content: Vec<u8> = content(10_000_000, 1, 7);
    for (name, file) in [
        ("a.gz", with_level(Compression::Gzip, 1, &content)),
        ("a.zst", pack(Compression::Zstd, &content)),
        ("a.lz4", lz4(frame(BlockMode::Linked), &content)),
        ("legacy.lz4", lz4_legacy(&content)),
        ("4.lz4", lz4(FrameInfo::new().block_size(BlockSize::Max4MB), &content)),
        ("a.bz2", with_level(Compression::Bzip2, 9, &content[..3_000_000])),
        ("zeros.bz2", with_level(Compression::Bzip2, 9, &vec![0; 20_000_000])),
        ("zeros.gz", with_level(Compression::Gzip, 9, &vec![0; 20_000_000])),
        ("zeros.zst", pack(Compression::Zstd, &vec![0; 20_000_000])),
    ] {
        check(name, &file, &[1 << 20]);
        check(name, &file[..file.len() * 9 / 10], &[70_000]);
        let mut changed = file.clone();
        let at = file.len() * 19 / 20;
        changed[at] ^= 0x22;
        check(name, &changed, &[1 << 20, 5]);
        check(name, &[&changed[..], &file].concat(), &[1 << 20, 5]);
    }
}

#[test]
fn files_of_other_programs_are_read_the_same() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/comp");
    let mut seen = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let file = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        for sizes in [&[1 << 20][..], &[1, 1000, 64 << 10], &[4096]] {
            check(name, &file, sizes);
        }
        seen += 1;
    }
    assert!(seen > 10);
}

/// Gives its bytes in small pieces, with an error of the system now and then.
struct Trickle(Cursor<Vec<u8>>, usize);

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.1 += 1;
        if self.1 > 10 && self.1.is_multiple_of(7) {
            let kind = if self.1.is_multiple_of(2) {
                std::io::ErrorKind::TimedOut
            } else {
                std::io::ErrorKind::Interrupted
            };
            return Err(kind.into());
        }
        let len = buf.len().min(1 + self.1 * 31 % 9000);
        self.0.read(&mut buf[..len])
    }
}

#[test]
fn errors_of_the_system_come_in_their_place_and_can_be_got_over() {
    for compression in Compression::ALL {
        let content = adc(1_500_000, 3);
        let mut file = member(compression, 6, &content);
        file.extend(member(compression, 6, &content[..1000]));
        let broken = file.len() / 2;
        file[broken] ^= 0x11;
        let alone = answers(open("packed", &file), &[1 << 16], usize::MAX);
        let mut input =
            Input::new(Trickle(Cursor::new(file), 0), "packed").unwrap().with_pool(POOLS[1].clone());
        let (mut all, mut timeouts, mut errors) = (Vec::new(), 0, Vec::new());
        let mut buf = vec![0; 1 << 16];
        loop {
            match input.read(&mut buf) {
                Ok(0) => break,
                Ok(n) => all.extend_from_slice(&buf[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::TimedOut => timeouts += 1,
                Err(e) => {
                    errors.push((e.kind(), e.to_string(), input.compressed_offset()));
                    let resumed = loop {
                        match input.resume() {
                            Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::TimedOut),
                            Ok(resumed) => break resumed,
                        }
                    };
                    if !resumed {
                        break;
                    }
                }
            }
        }
        let (mut expected, mut faults) = (Vec::new(), Vec::new());
        for answer in alone {
            match answer {
                Answer::Read(bytes, _) => expected.extend(bytes),
                Answer::Error(kind, text, place) => faults.push((kind, text, place)),
                Answer::Resumed(..) => {}
            }
        }
        assert!(all == expected, "{compression}: {} bytes, {} expected", all.len(), expected.len());
        assert_eq!(errors, faults, "{compression}");
        assert!(timeouts > 5, "{compression}: {timeouts}");
    }
}

/// Tells when it is dropped, and waits for leave to give more than its first bytes.
struct Held {
    bytes: Cursor<Vec<u8>>,
    free: usize,
    leave: std::sync::mpsc::Receiver<()>,
    _dropped: std::sync::mpsc::Sender<()>,
}

impl Read for Held {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.bytes.position() as usize >= self.free {
            let _ = self.leave.recv();
        }
        let len = buf.len().min(10_000);
        self.bytes.read(&mut buf[..len])
    }
}

#[test]
fn an_input_that_is_dropped_leaves_no_thread_behind() {
    let wait = std::time::Duration::from_secs(20);
    for compression in Compression::ALL {
        let file = pack(compression, &content(2_000_000, 1, 7)).repeat(16);
        for (free, read) in [(usize::MAX, 0), (usize::MAX, 1000), (usize::MAX, 3_000_000), (100_000, 0)] {
            let (let_go, leave) = std::sync::mpsc::channel();
            let (dropped, gone) = std::sync::mpsc::channel();
            let held = Held { bytes: Cursor::new(file.clone()), free, leave, _dropped: dropped };
            let mut input = Input::new(held, "packed").unwrap().with_pool(POOLS[1].clone());
            let mut buf = vec![0; read];
            input.read_exact(&mut buf).unwrap();
            // Time to run against the bounds.
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(gone.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) || free < usize::MAX);
            drop(input);
            if free < usize::MAX {
                assert_eq!(gone.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
            }
            drop(let_go);
            let end = gone.recv_timeout(wait);
            assert_eq!(end, Err(std::sync::mpsc::RecvTimeoutError::Disconnected), "{compression}, {read}");
        }
        // The same where it waits behind an error.
        let (dropped, gone) = std::sync::mpsc::channel();
        let mut broken = file[..3_000_000].to_vec();
        broken[1_000_000] ^= 1;
        let held = Held {
            bytes: Cursor::new(broken),
            free: usize::MAX,
            leave: std::sync::mpsc::channel().1,
            _dropped: dropped,
        };
        let mut input = Input::new(held, "packed").unwrap().with_pool(POOLS[0].clone());
        std::io::copy(&mut input, &mut std::io::sink()).unwrap_err();
        drop(input);
        let end = gone.recv_timeout(wait);
        assert_eq!(end, Err(std::sync::mpsc::RecvTimeoutError::Disconnected), "{compression}");
    }
}

/// Panics where the file should go on.
struct Panics(Cursor<Vec<u8>>);

impl Read for Panics {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buf)? {
            0 => panic!("in the reader"),
            n => Ok(n),
        }
    }
}

#[test]
fn a_panic_of_the_reader_comes_to_the_one_who_reads() {
    let file = pack(Compression::Gzip, &adc(100_000, 1));
    let reader = Panics(Cursor::new(file[..file.len() - 100].to_vec()));
    let mut input = Input::new(reader, "packed").unwrap().with_pool(POOLS[0].clone());
    let read = std::panic::AssertUnwindSafe(|| input.read_to_end(&mut Vec::new()));
    let panic = std::panic::catch_unwind(read).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"in the reader"));
}
