//! What can be had behind broken bytes, in each compression.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use std::io::{Cursor, ErrorKind, Read, Write};
use std::ops::Range;

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use pactolus_formats::compress::Output;
use pactolus_formats::{ByteSource, Compression, Input, Limits};

/// Something like ADC words, other ones for each seed.
fn adc(bytes: usize, mut seed: u32) -> Vec<u8> {
    let mut word = |n: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (2000 + (n / 1000 % 50) as u16 + (seed >> 28) as u16).to_le_bytes()
    };
    (0..bytes / 2).flat_map(&mut word).collect()
}

/// A compressed file made of units that can be had each alone.
struct Packed {
    name: &'static str,
    file: Vec<u8>,
    /// Where each unit lies in the file, and its content.
    units: Vec<(Range<usize>, Vec<u8>)>,
}

/// Members one behind the other.
fn members(name: &'static str, bytes: usize, count: u32, pack: impl Fn(&[u8]) -> Vec<u8>) -> Packed {
    let mut file = Vec::new();
    let units = (0..count).map(|n| {
        let content = adc(bytes, n);
        let start = file.len();
        file.extend(pack(&content));
        (start..file.len(), content)
    });
    let units = units.collect();
    Packed { name, file, units }
}

fn pack(compression: Compression, content: &[u8]) -> Vec<u8> {
    let mut output = Output::new(compression, None, Vec::new()).unwrap();
    output.write_all(content).unwrap();
    output.finish().unwrap()
}

fn lz4(frame: FrameInfo, content: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn frame(mode: BlockMode) -> FrameInfo {
    FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(mode).content_checksum(true)
}

fn lz4_legacy(content: &[u8]) -> Vec<u8> {
    let block = lz4_flex::block::compress(content);
    [&[0x02, 0x21, 0x4c, 0x18], &(block.len() as u32).to_le_bytes()[..], &block].concat()
}

fn skippable(content: &[u8]) -> Vec<u8> {
    [&[0x5a, 0x2a, 0x4d, 0x18], &(content.len() as u32).to_le_bytes()[..], content].concat()
}

fn every_kind(bytes: usize, count: u32) -> Vec<Packed> {
    vec![
        members("a.gz", bytes, count, |content| pack(Compression::Gzip, content)),
        members("a.zst", bytes, count, |content| pack(Compression::Zstd, content)),
        members("skips.zst", bytes, count, |content| {
            [skippable(b"size"), pack(Compression::Zstd, content)].concat()
        }),
        members("a.bz2", bytes, count, |content| pack(Compression::Bzip2, content)),
        members("linked.lz4", bytes, count, |content| lz4(frame(BlockMode::Linked), content)),
        members("a.lz4", bytes, count, |content| lz4(frame(BlockMode::Independent), content)),
        members("checked.lz4", bytes, count, |content| {
            lz4(frame(BlockMode::Independent).block_checksums(true), content)
        }),
        members("legacy.lz4", bytes, count, lz4_legacy),
    ]
}

/// What an input gives: pieces with an error between each two, and whether the last ends in one.
struct Given {
    pieces: Vec<Vec<u8>>,
    errors: Vec<String>,
    broken_to_the_end: bool,
}

impl Given {
    fn holds(&self, content: &[u8]) -> bool {
        // Comparing at every place is slow: content stands where its first bytes do.
        let all = self.pieces.concat();
        let first = &content[..content.len().min(32)];
        let mut places = (0..all.len()).filter(|&at| all[at..].starts_with(first));
        places.any(|at| all[at..].starts_with(content))
    }
}

#[track_caller]
fn read(name: &str, file: &[u8]) -> Given {
    read_from(Input::new(Cursor::new(file.to_vec()), name).unwrap(), file.len())
}

#[track_caller]
fn read_from(mut input: Input, len: usize) -> Given {
    let mut given = Given { pieces: vec![Vec::new()], errors: Vec::new(), broken_to_the_end: false };
    let mut buf = vec![0; 1 << 16];
    loop {
        match input.read(&mut buf) {
            Ok(0) => return given,
            Ok(n) => given.pieces.last_mut().unwrap().extend_from_slice(&buf[..n]),
            Err(e) => {
                assert!(matches!(e.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof), "{e}");
                given.errors.push(e.to_string());
                if !input.resume().unwrap() {
                    assert_eq!(input.read(&mut buf).unwrap_err().to_string(), e.to_string());
                    assert!(!input.resume().unwrap(), "there was nothing a moment ago");
                    given.broken_to_the_end = true;
                    return given;
                }
                assert!(given.errors.len() <= len, "more faults than bytes");
                given.pieces.push(Vec::new());
            }
        }
    }
}

fn contents(units: &[(Range<usize>, Vec<u8>)]) -> Vec<u8> {
    units.iter().flat_map(|(_, content)| content).copied().collect()
}

/// Checks that units before number `broken` come first, and those behind it last.
#[track_caller]
fn check(packed: &Packed, file: &[u8], broken: usize, what: &str) -> Given {
    let name = packed.name;
    let given = read(name, file);
    let before = contents(&packed.units[..broken]);
    let behind = contents(&packed.units[broken + 1..]);
    assert!(!given.errors.is_empty(), "{name}, {what}: no error");
    assert!(given.pieces[0].starts_with(&before), "{name}, {what}: {} bytes", given.pieces[0].len());
    let all: Vec<u8> = given.pieces.iter().skip(1).flatten().copied().collect();
    assert!(
        all.ends_with(&behind),
        "{name}, {what}: {} bytes behind, {} wanted, errors {:?}",
        all.len(),
        behind.len(),
        given.errors
    );
    given
}

#[test]
fn a_member_broken_anywhere_costs_that_member() {
    for packed in every_kind(100_000, 4) {
        for broken in 0..4 {
            let unit = packed.units[broken].0.clone();
            for at in [4, 6, 11, 40, unit.len() / 3, unit.len() / 2, unit.len() - 6, unit.len() - 2] {
                // No checksum covers these.
                let legacy = packed.name == "legacy.lz4" && at >= 11;
                if legacy || (packed.name == "a.gz" && at < 10) || (packed.name == "skips.zst" && at == 11) {
                    continue;
                }
                let mut file = packed.file.clone();
                file[unit.start + at] ^= 0x55;
                check(&packed, &file, broken, &format!("byte {at} of unit {broken}"));
            }
        }
    }
}

#[test]
fn a_wrong_byte_in_a_magic_number_costs_nothing() {
    for packed in every_kind(100_000, 3) {
        // A legacy frame goes on to the next number; a skippable frame has nothing to lose.
        if matches!(packed.name, "legacy.lz4" | "skips.zst") {
            continue;
        }
        for (number, unit) in packed.units.iter().enumerate() {
            for at in 0..4 {
                let mut file = packed.file.clone();
                file[unit.0.start + at] ^= 0xa0;
                let given = read(packed.name, &file);
                assert!(given.pieces.concat() == contents(&packed.units), "{} {number} {at}", packed.name);
                assert_eq!(given.errors.len(), 1, "{} {number} {at}", packed.name);
            }
        }
    }
}

#[test]
fn a_torn_member_costs_that_member() {
    for packed in every_kind(100_000, 4) {
        for broken in 0..4 {
            let unit = packed.units[broken].0.clone();
            let middle = unit.start + unit.len() / 2;
            let filled = |byte: u8| {
                let mut file = packed.file.clone();
                file[middle..middle + 4096].fill(byte);
                file
            };
            check(&packed, &filled(0), broken, &format!("a sector of zeros in unit {broken}"));
            check(&packed, &filled(0xff), broken, &format!("a sector of ones in unit {broken}"));
            let mut file = packed.file.clone();
            file.drain(middle..middle + 4096);
            check(&packed, &file, broken, &format!("a sector left out of unit {broken}"));
            let mut file = packed.file.clone();
            file.splice(middle..middle, adc(4096, 99));
            check(&packed, &file, broken, &format!("a sector too many in unit {broken}"));
        }
    }
}

#[test]
fn a_member_broken_near_its_end_does_not_cost_the_next() {
    for packed in every_kind(1_000_000, 3) {
        // Each bzip2 block and legacy LZ4 block is one; nothing tells that the latter is broken.
        if matches!(packed.name, "legacy.lz4" | "a.bz2") {
            continue;
        }
        for (number, unit) in packed.units.iter().enumerate() {
            for back in [200, 3000, 40_000] {
                let mut file = packed.file.clone();
                let at = unit.0.end - back;
                file[at..at + 100].copy_from_slice(&adc(100, back as u32));
                check(&packed, &file, number, &format!("{back} bytes before the end of unit {number}"));
            }
        }
    }
}

#[test]
fn a_member_that_takes_in_the_next_does_not_hide_it() {
    // Stored blocks of 65535 bytes and raw ones of 128 kB: the next members count as their content.
    let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0, 0xff, 0xff, 0, 0][..], &adc(100, 9)].concat();
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x00, 0x00, 0x10][..], &adc(100, 9)].concat();
    for (name, bait, compression) in [("a.gz", gzip, Compression::Gzip), ("a.zst", zstd, Compression::Zstd)] {
        let packed = members(name, 200_000, 3, |content| pack(compression, content));
        let file = [&bait[..], &packed.file].concat();
        for slow in [false, true] {
            let len = file.len();
            let cursor = Cursor::new(file.clone());
            let input = match slow {
                true => Input::new(Slow(cursor), name),
                false => Input::new(cursor, name),
            };
            let given = read_from(input.unwrap(), len);
            assert!(given.pieces.concat().ends_with(&contents(&packed.units)), "{name}: {:?}", given.errors);
        }
    }
}

/// Gives its bytes in small pieces.
struct Slow(Cursor<Vec<u8>>);

impl Read for Slow {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let len = buf.len().min(90);
        self.0.read(&mut buf[..len])
    }
}

#[test]
fn foreign_bytes_between_members_cost_nothing_else() {
    for packed in every_kind(20_000, 3) {
        for foreign in [&b"abag"[..], &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], &[0xff; 3000], b"BZh91AY&SY"] {
            let at = packed.units[1].0.start;
            let mut file = packed.file.clone();
            file.splice(at..at, foreign.iter().copied());
            let given = read(packed.name, &file);
            let all = given.pieces.concat();
            assert!(all == contents(&packed.units), "{} {foreign:x?}: {} bytes", packed.name, all.len());
            assert!(!given.errors.is_empty());
        }
        let given = read(packed.name, &[&packed.file[..], b"abag, and no member behind"].concat());
        assert_eq!(given.pieces, [contents(&packed.units)], "{}", packed.name);
        assert!(given.broken_to_the_end);
    }
}

#[test]
fn a_cut_file_ends_where_it_is_cut() {
    for packed in every_kind(20_000, 3) {
        for cut in [packed.units[1].0.start + 9, packed.units[2].0.start + 2000, packed.file.len() - 1] {
            let given = read(packed.name, &packed.file[..cut]);
            assert_eq!(given.pieces.len(), 1, "{} cut at {cut}", packed.name);
            assert!(given.broken_to_the_end);
            assert!(contents(&packed.units).starts_with(&given.pieces[0]));
        }
    }
}

#[test]
fn several_breaks_cost_what_they_hit() {
    for packed in every_kind(60_000, 9) {
        let mut file = packed.file.clone();
        for broken in [1, 2, 5, 7] {
            let unit = &packed.units[broken].0;
            file[unit.start + unit.len() / 2..][..400].fill(0xff);
        }
        let given = read(packed.name, &file);
        for whole in [0, 3, 4, 6, 8] {
            let found = given.holds(&packed.units[whole].1);
            assert!(found, "{}: unit {whole}, errors {:?}", packed.name, given.errors);
        }
        // A frame of Zstandard whose first block is broken is not noticed behind another.
        let expected = if packed.name.ends_with(".zst") { 3 } else { 4 };
        assert_eq!(given.errors.len(), expected, "{}: {:?}", packed.name, given.errors);
    }
}

/// The blocks of one file that begin at `starts`.
fn blocks(name: &'static str, block: usize, content: &[u8], file: Vec<u8>, starts: &[usize]) -> Packed {
    let ends = starts.iter().skip(1).copied().chain([file.len()]);
    let units = starts.iter().zip(ends).zip(content.chunks(block));
    let units = units.map(|((&start, end), content)| (start..end, content.to_vec())).collect();
    Packed { name, file, units }
}

fn lz4_blocks(content: &[u8], checked: bool) -> Packed {
    let file = lz4(frame(BlockMode::Independent).block_checksums(checked), content);
    let mut starts = vec![7];
    while starts.len() < content.len().div_ceil(65536) {
        let at = starts[starts.len() - 1];
        let word = u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        starts.push(at + 4 + (word & 0x7fff_ffff) as usize + if checked { 4 } else { 0 });
    }
    blocks("a.lz4", 65536, content, file, &starts)
}

#[test]
fn an_lz4_block_broken_in_a_frame_of_independent_blocks_costs_that_block() {
    for checked in [false, true] {
        let packed = lz4_blocks(&adc(5 * 65536 + 30_000, 1), checked);
        for broken in 0..6 {
            let unit = &packed.units[broken].0;
            let mut file = packed.file.clone();
            file[unit.start + 500..unit.start + 9000].fill(0);
            let given = check(&packed, &file, broken, &format!("block {broken}"));
            assert_eq!(given.errors.len(), 1, "the content checksum is not asked for: {:?}", given.errors);
            if checked {
                let before = contents(&packed.units[..broken]);
                assert_eq!(given.errors, ["lz4 block checksum does not match"]);
                assert!(given.pieces[0] == before, "a block with a wrong checksum is held back");
            }
        }
        // Two in a row.
        let mut file = packed.file.clone();
        for broken in [2, 3] {
            let at = packed.units[broken].0.start;
            file[at + 500..at + 9000].fill(0);
        }
        let given = read(packed.name, &file);
        assert_eq!(given.errors.len(), 2);
        assert!(given.pieces[0].starts_with(&contents(&packed.units[..2])));
        assert!(given.pieces[2] == contents(&packed.units[4..]));
    }
}

#[test]
fn an_lz4_frame_of_independent_blocks_goes_on_where_a_block_is_found() {
    for checked in [false, true] {
        let packed = lz4_blocks(&adc(6 * 65536 + 30_000, 1), checked);
        for broken in 0..6 {
            let start = packed.units[broken].0.start;
            let mut torn = packed.file.clone();
            torn.drain(start + 1000..start + 5096);
            let mut implausible = packed.file.clone();
            implausible[start + 2] = 0x7f;
            let mut wrong = packed.file.clone();
            wrong[start + 1] ^= 0x3c;
            let mut ended = packed.file.clone();
            ended[start..start + 4].fill(0);
            for (what, file) in
                [("torn", torn), ("implausible", implausible), ("wrong size", wrong), ("ended", ended)]
            {
                // A wrong size may take in the beginning of the next block.
                let given = read(packed.name, &file);
                let behind = contents(&packed.units[(broken + 2).min(7)..]);
                let all = given.pieces.concat();
                assert!(given.pieces[0].starts_with(&contents(&packed.units[..broken])));
                assert!(all.ends_with(&behind), "{what} {checked} {broken}: {:?}", given.errors);
                assert!(given.errors.len() <= 3, "{what} {checked} {broken}: {:?}", given.errors);
            }
        }
    }
}

#[test]
fn an_lz4_legacy_block_that_is_broken_costs_that_block() {
    let content = [adc(8 << 20, 1), adc(8 << 20, 2), adc(1 << 20, 3)].concat();
    let mut file = vec![0x02, 0x21, 0x4c, 0x18];
    let mut starts = Vec::new();
    for block in content.chunks(8 << 20) {
        starts.push(file.len());
        let block = lz4_flex::block::compress(block);
        file.extend_from_slice(&(block.len() as u32).to_le_bytes());
        file.extend(block);
    }
    let packed = blocks("a.lz4", 8 << 20, &content, file, &starts);
    for broken in 0..3 {
        let mut file = packed.file.clone();
        let at = packed.units[broken].0.start;
        file[at + 500..at + 700].fill(0xff);
        let given = check(&packed, &file, broken, &format!("block {broken}"));
        assert_eq!(given.errors, ["lz4 block is corrupt"]);
    }
}

#[test]
fn a_bzip2_block_that_is_broken_costs_that_block() {
    let content = adc(450_000, 1);
    let mut output = Output::new(Compression::Bzip2, Some(1), Vec::new()).unwrap();
    output.write_all(&content).unwrap();
    let file = output.finish().unwrap();
    let number = |bit: usize| {
        let bytes: [u8; 8] = file[bit / 8..bit / 8 + 8].try_into().unwrap();
        u64::from_be_bytes(bytes) << (bit % 8) >> 16
    };
    let starts: Vec<usize> =
        (0..(file.len() - 8) * 8).filter(|&bit| number(bit) == 0x3141_5926_5359).map(|bit| bit / 8).collect();
    assert_eq!(starts.len(), 5);

    for (broken, &start) in starts.iter().enumerate() {
        for at in [1, 8, 2000] {
            let mut damaged = file.clone();
            damaged[start + at] ^= 0x10;
            let given = read("a.bz2", &damaged);
            // The number of the first block is where it is wanted; that of another ends the one before.
            let first = broken == 0 && at == 1;
            let what = if first { "block wanted, other bytes found" } else { "block is corrupt" };
            assert_eq!(given.errors, [format!("bzip2 {what}")], "block {broken}, byte {at}");
            assert!(content.starts_with(&given.pieces[0]), "block {broken} is held back");
            let behind = given.pieces.get(1).map_or(&[][..], |piece| piece);
            assert!(content.ends_with(behind));
            let lost = content.len() - given.pieces[0].len() - behind.len();
            assert!(lost <= 101_000, "block {broken}: {lost} bytes lost");
        }
    }
    // The stream behind is checked as a whole again.
    let mut damaged = [&file[..], &file].concat();
    damaged[starts[2] + 50] ^= 1;
    let end = damaged.len() - 3;
    damaged[end] ^= 4;
    let given = read("a.bz2", &damaged);
    assert_eq!(given.errors.len(), 2, "the broken block and the checksum of the second stream");
    assert!(given.pieces[1].ends_with(&content));
}

#[test]
fn a_chance_magic_number_in_lost_bytes_gives_no_junk() {
    let mut bait = adc(3000, 5);
    for (at, magic) in [
        (100, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..]),
        (300, &[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]),
        (500, &[0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0x00]),
        (700, &[0x02, 0x21, 0x4c, 0x18, 200, 0, 0, 0, 0xf0]),
        (900, &[0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58]),
        (1100, b"BZh91AY&SY"),
        (1300, b"1AY&SY"),
    ] {
        bait[at..at + magic.len()].copy_from_slice(magic);
    }
    for packed in every_kind(20_000, 3) {
        let at = packed.units[1].0.start;
        let mut file = packed.file.clone();
        file.splice(at..at, bait.iter().copied());
        let given = read(packed.name, &file);
        let all = given.pieces.concat();
        assert!(all == contents(&packed.units), "{}: {} bytes", packed.name, all.len());
    }
}

#[test]
fn a_wrong_length_of_a_skippable_frame_does_not_hide_what_follows() {
    let content = adc(30_000, 1);
    for len in [5_u32, 3000, 20_000_000, u32::MAX] {
        for (name, compression) in [("a.zst", Compression::Zstd), ("a.lz4", Compression::Lz4)] {
            let packed = pack(compression, &content);
            let mut skip = skippable(b"size");
            skip[4..8].copy_from_slice(&len.to_le_bytes());
            let given = read(name, &[&packed[..], &skip, &packed, &packed].concat());
            assert_eq!(given.pieces.len(), 2, "{name}, {len}: {:?}", given.errors);
            assert!(given.pieces.concat() == content.repeat(3), "{name}, {len}");
        }
    }
}

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

/// Gives its bytes in small pieces, with an error of the system now and then.
struct Trickle(Cursor<Vec<u8>>, usize);

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.1 += 1;
        if self.1 > 10 && self.1.is_multiple_of(7) {
            return Err(
                if self.1.is_multiple_of(2) { ErrorKind::TimedOut } else { ErrorKind::Interrupted }.into()
            );
        }
        let len = buf.len().min(1 + self.1 * 31 % 90);
        self.0.read(&mut buf[..len])
    }
}

#[test]
fn pieces_and_system_errors_make_no_difference() {
    for packed in every_kind(20_000, 4) {
        for at in [1, 5, 9, 100, 3000] {
            let mut file = packed.file.clone();
            for unit in [1, 2] {
                let place = packed.units[unit].0.start + at;
                file[place..place + unit * 3].fill(0xff);
            }
            let whole = read(packed.name, &file);
            let mut input = Input::new(Trickle(Cursor::new(file), 0), packed.name).unwrap();
            let (mut pieces, mut errors) = (vec![Vec::new()], Vec::new());
            let mut buf = [0; 100];
            let timed_out = |e: &std::io::Error| e.kind() == ErrorKind::TimedOut;
            loop {
                match input.read(&mut buf) {
                    Ok(0) => break,
                    Ok(n) => pieces.last_mut().unwrap().extend_from_slice(&buf[..n]),
                    Err(e) if timed_out(&e) => {}
                    Err(e) => {
                        errors.push(e.to_string());
                        let more = loop {
                            match input.resume() {
                                Err(e) if timed_out(&e) => {}
                                more => break more.unwrap(),
                            }
                        };
                        if !more {
                            break;
                        }
                        pieces.push(Vec::new());
                    }
                }
            }
            assert_eq!(errors, whole.errors, "{}, {at}", packed.name);
            assert!(pieces == whole.pieces, "{}, {at}: {errors:?}", packed.name);
        }
    }
}

#[test]
fn the_first_bytes_can_be_seen_before_they_are_read() {
    let content = adc(30_000, 1);
    let mut files = vec![("a.mid", content.clone())];
    files.extend(Compression::ALL.map(|compression| ("packed", pack(compression, &content))));
    for (name, file) in files {
        let mut input = Input::new(Cursor::new(file), name).unwrap();
        assert_eq!(input.peek(0).unwrap(), b"");
        assert_eq!(input.peek(5).unwrap(), &content[..5]);
        assert_eq!(input.peek(1000).unwrap(), &content[..Input::PEEK]);
        assert_eq!(input.peek(3).unwrap(), &content[..3]);
        let mut first = [0; 2];
        input.read_exact(&mut first).unwrap();
        assert_eq!(first, content[..2]);
        assert_eq!(input.peek(64).unwrap(), &content[2..66]);
        let mut rest = Vec::new();
        input.read_to_end(&mut rest).unwrap();
        assert!(rest == content[2..]);
        assert_eq!(input.peek(8).unwrap(), b"");
    }
    let whole = pack(Compression::Gzip, b"abc");
    let mut cut = Input::new(Cursor::new(whole[..whole.len() - 4].to_vec()), "a.gz").unwrap();
    assert_eq!(cut.peek(10).unwrap(), b"abc");
    let mut buf = [0; 10];
    assert_eq!(cut.read(&mut buf).unwrap(), 3);
    assert_eq!(cut.read(&mut buf).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn a_file_behind_one_that_was_cut_is_given_once() {
    let content = adc(150_000, 9);
    let mut output = Output::new(Compression::Lz4, None, Vec::new()).unwrap();
    output.write_all(&content).unwrap();
    let file = output.finish().unwrap();
    let cut = file.len() / 2;
    let given = read("a.lz4", &[&file[..cut], &file].concat());
    let pieces: Vec<u8> = given.pieces.concat();
    let before = pieces.len() - content.len();
    assert!(content.starts_with(&pieces[..before]), "{before} bytes before");
    assert!(pieces[before..] == content);
    assert!(before <= cut * 2, "{before} bytes of {cut}");
}
