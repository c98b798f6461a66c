//! A small file of each compression, cut at every byte and with every byte set to other values.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod compress_common;

use std::io::{Cursor, ErrorKind, Read, Write};
use std::ops::Range;

use compress_common::pack;
use lz4_flex::frame::{BlockMode, FrameEncoder, FrameInfo};
use pactolus_formats::{ByteSource, Compression, Input};

/// A few hundred bytes with literals, matches and a run; other ones for each unit.
fn content(unit: u8) -> Vec<u8> {
    let mut content: Vec<u8> = (0..100_u8).map(|n| n.wrapping_mul(37) ^ unit.wrapping_mul(91)).collect();
    content.extend([unit; 150]);
    content.extend_from_within(10..90);
    content
}

fn lz4(frame: FrameInfo, content: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
    // A flush ends a block.
    for piece in content.chunks(content.len() / 2) {
        encoder.write_all(piece).unwrap();
        encoder.flush().unwrap();
    }
    encoder.finish().unwrap()
}

fn lz4_legacy(content: &[u8]) -> Vec<u8> {
    let mut file = vec![0x02, 0x21, 0x4c, 0x18];
    for piece in content.chunks(content.len() / 2) {
        let block = lz4_flex::block::compress(piece);
        file.extend_from_slice(&(block.len() as u32).to_le_bytes());
        file.extend(block);
    }
    file
}

struct Small {
    name: &'static str,
    file: Vec<u8>,
    /// Where each unit lies in the file.
    units: Vec<Range<usize>>,
    /// Every wrong byte behind the header shows.
    checked: bool,
}

const UNITS: u8 = 4;

fn every_kind() -> Vec<Small> {
    let small = |name, checked, pack: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut file = Vec::new();
        let units = (0..UNITS).map(|unit| {
            let start = file.len();
            file.extend(pack(&content(unit)));
            start..file.len()
        });
        Small { name, units: units.collect(), file, checked }
    };
    let frame = |mode| FrameInfo::new().block_mode(mode).content_checksum(true);
    vec![
        small("a.gz", true, &|content| pack(Compression::Gzip, content)),
        small("a.bz2", true, &|content| pack(Compression::Bzip2, content)),
        small("a.zst", true, &|content| pack(Compression::Zstd, content)),
        small("a.lz4", true, &|content| lz4(frame(BlockMode::Independent), content)),
        small("linked.lz4", true, &|content| lz4(frame(BlockMode::Linked), content)),
        small("checked.lz4", true, &|content| {
            lz4(frame(BlockMode::Independent).block_checksums(true), content)
        }),
        small("legacy.lz4", false, &lz4_legacy),
    ]
}

struct Given {
    pieces: Vec<Vec<u8>>,
    errors: Vec<String>,
}

fn read(name: &str, file: &[u8]) -> (Input, Given) {
    let mut input = Input::new(Cursor::new(file.to_vec()), name).unwrap();
    let mut given = Given { pieces: vec![Vec::new()], errors: Vec::new() };
    let mut buf = [0; 1000];
    // No file of that size gives more.
    for _ in 0..10_000 {
        match input.read(&mut buf) {
            Ok(0) => return (input, given),
            Ok(n) => given.pieces.last_mut().unwrap().extend_from_slice(&buf[..n]),
            Err(e) => {
                assert!(matches!(e.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof), "{e}");
                given.errors.push(e.to_string());
                if !input.resume().unwrap() {
                    return (input, given);
                }
                given.pieces.push(Vec::new());
            }
        }
    }
    panic!("{name}: no end");
}

#[test]
fn every_cut_gives_a_prefix() {
    for Small { name, file, units, .. } in every_kind() {
        let all: Vec<u8> = (0..UNITS).flat_map(content).collect();
        let len = all.len() / usize::from(UNITS);
        for cut in 4..file.len() {
            let (_, given) = read(name, &file[..cut]);
            assert_eq!(given.pieces.len(), 1, "{name} cut at {cut}: {:?}", given.errors);
            assert!(all.starts_with(&given.pieces[0]), "{name} cut at {cut}");
            let whole = units.iter().filter(|unit| unit.end <= cut).count();
            assert!(given.pieces[0].len() >= whole * len, "{name} cut at {cut}");
            let between = units.iter().any(|unit| unit.start == cut)
                || (name == "legacy.lz4" && given.errors.is_empty());
            assert_eq!(given.errors.len(), usize::from(!between), "{name} cut at {cut}: {:?}", given.errors);
        }
    }
}

#[test]
fn every_wrong_byte_costs_its_member_alone() {
    for Small { name, file, units, checked } in every_kind() {
        for (number, unit) in units.iter().enumerate() {
            let before: Vec<u8> = (0..number as u8).flat_map(content).collect();
            let behind: Vec<u8> = (number as u8 + 1..UNITS).flat_map(content).collect();
            for at in unit.clone() {
                for value in [file[at] ^ 0xff, file[at] ^ 1, file[at].wrapping_add(0x50)] {
                    let mut broken = file.clone();
                    broken[at] = value;
                    let what = format!("{name}: byte {at} of unit {number}, {} set to {value}", file[at]);
                    let (input, given) = read(name, &broken);
                    assert_ne!(input.compression(), Compression::None, "{what}");
                    assert!(given.pieces[0].starts_with(&before), "{what}");
                    let all = given.pieces.concat();
                    let whole = all == [&before[..], &content(number as u8), &behind].concat();
                    assert!(!checked || whole || !given.errors.is_empty(), "{what}: not noticed");
                    assert!(all.ends_with(&behind), "{what}: {:?}", given.errors);
                }
            }
        }
    }
}
