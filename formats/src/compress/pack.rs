//! Pieces of content become members, blocks, streams or frames, each on its own.
//!
//! What a piece becomes depends on its bytes and the level alone, so pieces can be packed in any
//! order, on any thread. Nothing here is kept from one piece to the next but two buffers: encoders
//! that are used again promise no equal bytes.

mod bzip2;
mod gzip;
mod lz4;
mod zstd;

use std::io;
use std::ops::RangeInclusive;

use super::Compression;

/// How pieces of a file are packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packer {
    compression: Compression,
    level: u32,
}

/// Content, and what it became.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) content: Vec<u8>,
    pub(super) packed: Vec<u8>,
}

impl Packer {
    /// The default of the compression without a level.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no such level.
    pub(super) fn new(compression: Compression, level: Option<u32>) -> io::Result<Packer> {
        check_level(compression, level)?;
        let default = match compression {
            Compression::None | Compression::Lz4 => 0,
            Compression::Gzip => gzip::LEVEL,
            Compression::Bzip2 => bzip2::LEVEL,
            Compression::Zstd => zstd::LEVEL,
        };
        Ok(Packer { compression, level: level.unwrap_or(default) })
    }

    pub(super) fn compression(self) -> Compression {
        self.compression
    }

    /// Bytes of content in every piece but the last.
    pub(super) fn piece(self) -> usize {
        match self.compression {
            Compression::None => 0,
            Compression::Gzip => gzip::PIECE,
            Compression::Lz4 => lz4::PIECE,
            Compression::Bzip2 => bzip2::PIECE * self.level as usize, // at most 9
            Compression::Zstd => zstd::PIECE,
        }
    }

    /// Packs the content of a piece, over what `packed` held. Nothing becomes an empty member, stream or frame, but no block.
    pub(super) fn pack(self, piece: &mut Piece) -> io::Result<()> {
        let Piece { content, packed } = piece;
        match self.compression {
            Compression::None => content.clone_into(packed),
            Compression::Gzip => gzip::pack(content, self.level, packed)?,
            Compression::Lz4 => lz4::pack(content, packed)?,
            Compression::Bzip2 => bzip2::pack(content, self.level, packed)?,
            Compression::Zstd => zstd::pack(content, self.level, packed)?,
        }
        Ok(())
    }
}

/// What stands around all pieces of a file.
#[derive(Debug)]
pub(super) enum Around {
    Nothing,
    Frame(lz4::Frame),
}

impl Around {
    pub(super) fn new(compression: Compression) -> Around {
        match compression {
            Compression::Lz4 => Around::Frame(lz4::Frame::new()),
            _ => Around::Nothing,
        }
    }

    pub(super) fn head(&self) -> Vec<u8> {
        match self {
            Around::Nothing => Vec::new(),
            Around::Frame(frame) => frame.head(),
        }
    }

    /// Takes note of content, in its order.
    pub(super) fn note(&mut self, content: &[u8]) {
        if let Around::Frame(frame) = self {
            frame.note(content);
        }
    }

    pub(super) fn tail(&self) -> Vec<u8> {
        match self {
            Around::Nothing => Vec::new(),
            Around::Frame(frame) => frame.tail(),
        }
    }
}

fn levels(compression: Compression) -> Option<RangeInclusive<u32>> {
    match compression {
        Compression::None | Compression::Lz4 => None,
        Compression::Gzip => Some(0..=9),
        Compression::Bzip2 => Some(1..=9),
        Compression::Zstd => Some(1..=22),
    }
}

fn check_level(compression: Compression, level: Option<u32>) -> io::Result<()> {
    let Some(level) = level else { return Ok(()) };
    let why = match levels(compression) {
        Some(known) if known.contains(&level) => return Ok(()),
        Some(known) => {
            format!("{compression} level {} to {} wanted, {level} found", known.start(), known.end())
        }
        None => format!("compression {compression} has no levels, {level} found"),
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}
