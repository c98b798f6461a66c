//! What the tests of broken compressed files share.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Cursor, ErrorKind, Read, Write};
use std::ops::Range;

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use pactolus_formats::compress::Output;
use pactolus_formats::{ByteSource, Compression, Input};

/// Something like ADC words, other ones for each seed.
pub(crate) fn adc(bytes: usize, mut seed: u32) -> Vec<u8> {
    let mut word = |n: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (2000 + (n / 1000 % 50) as u16 + (seed >> 28) as u16).to_le_bytes()
    };
    (0..bytes / 2).flat_map(&mut word).collect()
}

/// A compressed file made of units that can be had each alone.
pub(crate) struct Packed {
    pub(crate) name: &'static str,
    pub(crate) file: Vec<u8>,
    /// Where each unit lies in the file, and its content.
    pub(crate) units: Vec<(Range<usize>, Vec<u8>)>,
}

/// Members one behind the other.
pub(crate) fn members(
    name: &'static str,
    bytes: usize,
    count: u32,
    pack: impl Fn(&[u8]) -> Vec<u8>,
) -> Packed {
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

pub(crate) fn pack(compression: Compression, content: &[u8]) -> Vec<u8> {
    let mut output = Output::new(compression, None, Vec::new()).unwrap();
    output.write_all(content).unwrap();
    output.finish().unwrap()
}

pub(crate) fn lz4(frame: FrameInfo, content: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn frame(mode: BlockMode) -> FrameInfo {
    FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(mode).content_checksum(true)
}

pub(crate) fn lz4_legacy(content: &[u8]) -> Vec<u8> {
    let block = lz4_flex::block::compress(content);
    [&[0x02, 0x21, 0x4c, 0x18], &(block.len() as u32).to_le_bytes()[..], &block].concat()
}

pub(crate) fn skippable(content: &[u8]) -> Vec<u8> {
    [&[0x5a, 0x2a, 0x4d, 0x18], &(content.len() as u32).to_le_bytes()[..], content].concat()
}

pub(crate) fn every_kind(bytes: usize, count: u32) -> Vec<Packed> {
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
pub(crate) struct Given {
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) errors: Vec<String>,
    pub(crate) broken_to_the_end: bool,
}

impl Given {
    pub(crate) fn holds(&self, content: &[u8]) -> bool {
        // Comparing at every place is slow: content stands where its first bytes do.
        let all = self.pieces.concat();
        let first = &content[..content.len().min(32)];
        let mut places = (0..all.len()).filter(|&at| all[at..].starts_with(first));
        places.any(|at| all[at..].starts_with(content))
    }
}

#[track_caller]
pub(crate) fn read(name: &str, file: &[u8]) -> Given {
    read_from(Input::new(Cursor::new(file.to_vec()), name).unwrap(), file.len())
}

#[track_caller]
pub(crate) fn read_from(mut input: Input, len: usize) -> Given {
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

pub(crate) fn contents(units: &[(Range<usize>, Vec<u8>)]) -> Vec<u8> {
    units.iter().flat_map(|(_, content)| content).copied().collect()
}

/// Checks that units before number `broken` come first, and those behind it last.
#[track_caller]
pub(crate) fn check(packed: &Packed, file: &[u8], broken: usize, what: &str) -> Given {
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
