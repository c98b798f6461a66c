//! Which blocks of one frame or stream can be had behind broken bytes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod compress_common;

use std::io::Write;

use bzip2::write::BzEncoder;
use compress_common::{Packed, adc, check, contents, frame, lz4, read};
use lz4_flex::frame::BlockMode;

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
    // One stream of five blocks, as `bzip2 -1` makes it; ours have a stream for each.
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::new(1));
    encoder.write_all(&content).unwrap();
    let file = encoder.finish().unwrap();
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
