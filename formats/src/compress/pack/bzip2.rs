//! A piece becomes a stream, mostly of one block.

use std::io::{self, Write};

use ::bzip2::write::BzEncoder;

/// The default of `bzip2`.
pub(super) const LEVEL: u32 = 9;

/// Bytes for each step of the level. A block takes 100,000, but runs of four bytes grow by one before
/// they are counted, and what does not fit would be a second block, which compresses badly.
pub(super) const PIECE: usize = 99_000;

pub(super) fn pack(content: &[u8], level: u32, packed: &mut Vec<u8>) -> io::Result<()> {
    packed.clear();
    let mut encoder = BzEncoder::new(packed, ::bzip2::Compression::new(level));
    encoder.write_all(content)?;
    encoder.finish().map(drop)
}
