//! Compressed streams that pause: what comes out, and what is wrong with it, is as without pauses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod compress_common;
mod pauses_common;

use std::io::{Cursor, ErrorKind, Read};

use compress_common::{Packed, contents, every_kind, lz4, members, pack, skippable};
use lz4_flex::frame::{BlockMode, FrameInfo};
use pactolus_formats::{ByteSource, Compression, Input, Pool};
use pauses_common::{Pausing, corpus};

/// Behind so many bytes a stream broke, at this place of the file, and why; where it went on, if it did.
type Break = (usize, Option<u64>, String, Option<Option<u64>>);

/// What came out of a stream.
#[derive(Debug, PartialEq)]
struct Given {
    bytes: Vec<u8>,
    breaks: Vec<Break>,
    compression: Compression,
}

fn read(mut input: Input, step: usize, len: usize) -> Given {
    let mut given = Given { bytes: Vec::new(), breaks: Vec::new(), compression: Compression::None };
    let mut buffer = vec![0; step];
    // A stream that pauses behind each byte asks for two calls for each, and for some where it breaks.
    for _ in 0..100 + 20 * len {
        // What is not known to be compressed has no place yet.
        let place = input.compressed_offset();
        match input.read(&mut buffer) {
            Ok(0) => {
                assert_eq!(input.read(&mut buffer).unwrap(), 0, "an end behind which it goes on");
                assert!(input.is_between(), "an end that is none");
                given.compression = input.compression();
                return given;
            }
            Ok(n) => given.bytes.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                let now = input.compressed_offset();
                assert!(now == place || place.is_none() && now == Some(0), "{place:?}, then {now:?}");
            }
            Err(e) => {
                assert!(matches!(e.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof), "{e}");
                assert!(!input.is_between(), "broken, and whole");
                let at = input.compressed_offset();
                let resumed = resume(&mut input, len);
                let place = resumed.then(|| input.compressed_offset());
                given.breaks.push((given.bytes.len(), at, e.to_string(), place));
                if !resumed {
                    given.compression = input.compression();
                    return given;
                }
            }
        }
    }
    panic!("no end");
}

fn resume(input: &mut Input, len: usize) -> bool {
    for _ in 0..100 + 10 * len {
        match input.resume() {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            resumed => return resumed.unwrap(),
        }
    }
    panic!("looks for a place for ever");
}

/// Reads a file with pauses behind pieces of up to `most` bytes, and without.
#[track_caller]
fn check(name: &str, file: &[u8], most: usize, seed: u64) {
    let whole = read(Input::new(Cursor::new(file.to_vec()), name).unwrap(), 1 << 16, file.len());
    for step in [1000, 1 << 16] {
        let paused = read(Input::new(Pausing::new(file, most, seed), name).unwrap(), step, file.len());
        let (a, b) = (&paused, &whole);
        assert!(
            paused == whole,
            "{name}, pieces of {most}, seed {seed}: {} bytes, {} wanted; {:?}, {:?} wanted",
            a.bytes.len(),
            b.bytes.len(),
            a.breaks,
            b.breaks
        );
    }
}

/// Files with a wrong byte in each, cut, and with foreign bytes inside or behind.
fn broken(file: &[u8], seed: usize) -> Vec<Vec<u8>> {
    let place = |n: usize| (n * 7919 + seed * 104_729) % file.len();
    let mut broken: Vec<Vec<u8>> = Vec::new();
    for n in 0..4 {
        let mut flipped = file.to_vec();
        flipped[place(n)] ^= 1 << ((n + seed) % 8);
        broken.push(flipped);
        broken.push(file[..place(n + 4)].to_vec());
    }
    // The number of the first member.
    let mut first = file.to_vec();
    first[2] ^= 0x40;
    broken.push(first);
    let (begin, end) = file.split_at(place(9));
    broken.push([begin, &[7; 100], end].concat());
    broken.push([file, b"foreign"].concat());
    broken.push([file, &[0; 700]].concat());
    broken
}

#[test]
fn files_of_other_programs_come_as_without_pauses() {
    for (n, (name, file)) in corpus("comp").iter().enumerate() {
        for most in [30, 3000, 100_000] {
            check(name, file, most, n as u64);
        }
    }
}

#[test]
fn broken_files_of_other_programs_come_as_without_pauses() {
    for (n, (name, file)) in corpus("comp").iter().enumerate() {
        for (seed, broken) in broken(file, n).iter().enumerate() {
            check(name, broken, 5000, seed as u64);
        }
    }
}

/// Also where nothing but the first wrong bytes of a fuzzer follows.
#[test]
fn odd_files_come_as_without_pauses() {
    for directory in ["fuzz/gzip", "fuzz/lz4", "fuzz/bzip2", "fuzz/zstd"] {
        for (n, (name, file)) in corpus(directory).iter().enumerate() {
            check(name, file, 1, 0);
            check(name, file, 200, n as u64);
        }
    }
}

/// Members of a few blocks; LZ4 frames of which a skippable one tells that they are none of Zstandard.
fn kinds(bytes: usize, count: u32) -> Vec<Packed> {
    let mut kinds = every_kind(bytes, count);
    kinds.push(members("skips.lz4", bytes, count, |content| {
        [skippable(b"of another program"), lz4(FrameInfo::new().block_mode(BlockMode::Linked), content)]
            .concat()
    }));
    kinds
}

#[test]
fn byte_by_byte_all_comes_as_without_pauses() {
    for Packed { name, file, .. } in kinds(3000, 3) {
        check(name, &file, 1, 0);
        for (seed, broken) in broken(&file, 1).iter().enumerate() {
            check(name, broken, 1, seed as u64);
            check(name, broken, 60, seed as u64);
        }
    }
}

/// A skippable frame so large that what it holds is looked through first.
#[test]
fn a_large_skippable_frame_comes_as_without_pauses() {
    let inside = pack(Compression::Zstd, b"inside");
    for content in [vec![1; 3 << 20], [vec![2; 1 << 19], inside, vec![2; 2 << 20]].concat()] {
        let file =
            [pack(Compression::Zstd, b"before"), skippable(&content), pack(Compression::Zstd, b"behind")];
        check("a.zst", &file.concat(), 200_000, 1);
    }
}

/// A stream of which so many bytes have come, and no more.
struct Halted(Cursor<Vec<u8>>);

impl Read for Halted {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buf)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

/// What is given of a stream that halts.
fn until_halt(mut input: Input) -> (Vec<u8>, bool) {
    let mut given = Vec::new();
    let error = input.read_to_end(&mut given).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    assert_eq!(input.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::WouldBlock);
    (given, input.is_between())
}

#[test]
fn what_has_come_is_given() {
    for Packed { name, file, units } in kinds(600, 3) {
        let content = contents(&units);
        for come in 0..=file.len() {
            let (given, whole) =
                until_halt(Input::new(Halted(Cursor::new(file[..come].to_vec())), name).unwrap());
            let what = format!("{name}, {come} bytes");
            assert!(content.starts_with(&given), "{what}");
            let members = units.iter().take_while(|(range, _)| range.end <= come);
            let wanted: usize = members.map(|(_, content)| content.len()).sum();
            assert!(given.len() >= wanted, "{what}: {} bytes given, {wanted} wanted", given.len());
            let mut cut = Vec::new();
            let mut input = Input::new(Cursor::new(file[..come].to_vec()), name).unwrap();
            let sound = input.read_to_end(&mut cut).is_ok();
            assert_eq!(whole, sound, "{what}: {} bytes of {} given", given.len(), content.len());
            assert!(given == cut || name != "a.gz" || come < 4, "{what}: {} bytes given", given.len());
        }
    }
}

/// Nothing of the first bytes is lost, whoever asks for them first.
#[test]
fn first_bytes_can_be_shown_when_they_have_come() {
    let file = pack(Compression::Gzip, b"%ID BOR NR 7\n");
    for (name, file, compression) in
        [("run.asc.gz", &file[..], Compression::Gzip), ("run.asc", b"%ID BOR NR 7\n", Compression::None)]
    {
        let mut input = Input::new(Pausing::new(file, 1, 1), name).unwrap();
        assert_eq!(input.compression(), Compression::None);
        let mut pauses = 0;
        while let Err(e) = input.peek(7) {
            assert_eq!(e.kind(), ErrorKind::WouldBlock);
            pauses += 1;
        }
        assert!(pauses >= 6);
        assert_eq!(input.peek(7).unwrap(), b"%ID BOR");
        assert_eq!(input.compression(), compression);
        let given = read(input, 100, file.len());
        assert_eq!(given.bytes, b"%ID BOR NR 7\n");
    }
}

/// It is not made for that, but loses nothing and does not hang.
#[test]
fn a_pool_passes_pauses_on() {
    let pool = Pool::new(2).unwrap();
    for Packed { name, file, .. } in kinds(50_000, 4) {
        // The first bytes come at once, so that there is something for the pool.
        let (first, behind) = file.split_at(64);
        let with_pool = |seed| {
            let stream = Cursor::new(first.to_vec()).chain(Pausing::new(behind, 20_000, seed));
            Input::new(stream, name).unwrap().with_pool(pool.clone())
        };
        let whole = read(Input::new(Cursor::new(file.clone()), name).unwrap(), 1 << 16, file.len());
        for seed in 0..3 {
            let paused = read(with_pool(seed), 1 << 16, file.len());
            assert!(paused == whole, "{name}: {:?}, {:?}", paused.breaks, whole.breaks);
        }
    }
}
