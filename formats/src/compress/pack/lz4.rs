//! A piece becomes a block; all blocks are one frame, because some readers stop behind the first.
//!
//! | bytes | |
//! |---|---|
//! | `04 22 4d 18` | magic number |
//! | `74` | version 1, independent blocks, block checksums, content checksum |
//! | `60` | blocks of up to 1 MiB |
//! | 1 | header checksum: second byte of the XXH32 of the two bytes before |
//! | blocks: 4, n, 4 | n, with the highest bit if stored as it is; content; XXH32 of the n bytes |
//! | `00 00 00 00` | end mark |
//! | 4 | XXH32 of the content |
//!
//! Numbers are little-endian. Source: LZ4 Frame Format Description 1.6.

use std::hash::Hasher;
use std::io;

use lz4_flex::block::{compress_into, get_maximum_output_size};
use twox_hash::XxHash32;

use crate::compress::kind::LZ4;

/// Blocks of 256 KiB are 0.4 % larger, of 4 MiB 0.1 % smaller.
pub(super) const PIECE: usize = 1 << 20;

/// Block checksums, because one wrong bit in a block's size could take in what follows as content.
const FLAGS: u8 = 0x74;
const BLOCKS_OF_1_MIB: u8 = 0x60;
const STORED: u32 = 1 << 31;

pub(super) fn pack(content: &[u8], packed: &mut Vec<u8>) -> io::Result<()> {
    if content.is_empty() {
        packed.clear(); // It would be the end mark.
        return Ok(());
    }
    packed.resize(4 + get_maximum_output_size(content.len()), 0);
    let len = compress_into(content, &mut packed[4..]).map_err(io::Error::other)?;
    packed.truncate(4 + len);
    let mut word = len as u32; // the maximum of 1 MiB is little more
    if len >= content.len() {
        packed.truncate(4);
        packed.extend_from_slice(content);
        word = content.len() as u32 | STORED; // at most 1 MiB
    }
    packed[..4].copy_from_slice(&word.to_le_bytes());
    let checksum = XxHash32::oneshot(0, &packed[4..]);
    packed.extend_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// What stands around the blocks.
pub(in crate::compress) struct Frame {
    content: XxHash32,
}

impl Frame {
    pub(super) fn new() -> Frame {
        Frame { content: XxHash32::with_seed(0) }
    }

    pub(super) fn head(&self) -> Vec<u8> {
        let descriptor = [FLAGS, BLOCKS_OF_1_MIB];
        let checksum = XxHash32::oneshot(0, &descriptor).to_le_bytes()[1];
        [&LZ4[..], &descriptor, &[checksum]].concat()
    }

    pub(super) fn note(&mut self, content: &[u8]) {
        self.content.write(content);
    }

    pub(super) fn tail(&self) -> Vec<u8> {
        let checksum = self.content.finish_32();
        [[0; 4], checksum.to_le_bytes()].concat()
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame").finish_non_exhaustive()
    }
}
