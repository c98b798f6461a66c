//! Which members can be had behind broken bytes, in each compression.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod compress_common;

use std::io::{Cursor, ErrorKind, Read};

use compress_common::{adc, check, contents, every_kind, members, pack, read, read_from, skippable};
use pactolus_formats::{ByteSource, Compression, Input};

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
    let file = pack(Compression::Lz4, &content);
    let cut = file.len() / 2;
    let given = read("a.lz4", &[&file[..cut], &file].concat());
    let pieces: Vec<u8> = given.pieces.concat();
    let before = pieces.len() - content.len();
    assert!(content.starts_with(&pieces[..before]), "{before} bytes before");
    assert!(pieces[before..] == content);
    assert!(before <= cut * 2, "{before} bytes of {cut}");
}
