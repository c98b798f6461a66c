//! A compressed file being written.

use std::fmt;
use std::io::{self, Write};
use std::ops::RangeInclusive;

use ::bzip2::write::BzEncoder;
use ::zstd::stream::write::Encoder as ZstdEncoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use super::Compression;

/// Compresses what is written to it into another writer.
///
/// Call [`finish`](Output::finish): without the end that it writes, the file counts as cut.
/// The same bytes written in the same pieces give the same file; it contains no time and no name.
/// The standard tools read it: `gzip`, `lz4`, `bzip2`, `zstd`.
pub struct Output<W: Write> {
    compression: Compression,
    encoder: Encoder<W>,
}

enum Encoder<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Lz4(Box<FrameEncoder<W>>),
    Bzip2(BzEncoder<W>),
    Zstd(ZstdEncoder<'static, W>),
}

/// At level 1, zlib-rs compresses ADC data to only 1/1.39, where zlib reaches 1/1.96.
const GZIP_LEVEL: u32 = 3;
/// The default of `bzip2`: blocks of 900 kB.
const BZIP2_LEVEL: u32 = 9;
/// The default of `zstd`.
const ZSTD_LEVEL: u32 = 3;

impl<W: Write> Output<W> {
    /// Begins a file.
    ///
    /// | compression | levels | default | made of |
    /// |---|---|---|---|
    /// | gzip | 0 to 9 | 3 | one member |
    /// | bzip2 | 1 to 9 | 9 | one stream |
    /// | zstd | 1 to 22 | 3 | one frame with checksum |
    /// | lz4 | - | - | one frame of independent 1 MB blocks with block and content checksums |
    /// | none | - | - | the bytes as they are |
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no such level.
    pub fn new(compression: Compression, level: Option<u32>, inner: W) -> io::Result<Output<W>> {
        check_level(compression, level)?;
        let encoder = match compression {
            Compression::None => Encoder::Plain(inner),
            Compression::Gzip => {
                let level = flate2::Compression::new(level.unwrap_or(GZIP_LEVEL));
                Encoder::Gzip(GzEncoder::new(inner, level))
            }
            Compression::Lz4 => {
                let frame = FrameInfo::new()
                    .block_size(BlockSize::Max1MB)
                    .block_mode(BlockMode::Independent)
                    // One wrong bit in a block's size could take in what follows as content.
                    .block_checksums(true)
                    .content_checksum(true);
                Encoder::Lz4(Box::new(FrameEncoder::with_frame_info(frame, inner)))
            }
            Compression::Bzip2 => {
                let level = ::bzip2::Compression::new(level.unwrap_or(BZIP2_LEVEL));
                Encoder::Bzip2(BzEncoder::new(inner, level))
            }
            Compression::Zstd => {
                let level = level.unwrap_or(ZSTD_LEVEL) as i32; // at most 22
                let mut encoder = ZstdEncoder::new(inner, level)?;
                encoder.include_checksum(true)?;
                Encoder::Zstd(encoder)
            }
        };
        Ok(Output { compression, encoder })
    }

    /// How it compresses.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Writes what is still held back and the end of the stream, flushes, and gives the inner
    /// writer back.
    ///
    /// # Errors
    /// Those of the inner writer. The file is incomplete then.
    pub fn finish(self) -> io::Result<W> {
        let mut inner = match self.encoder {
            Encoder::Plain(inner) => inner,
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Lz4(encoder) => encoder.finish()?,
            Encoder::Bzip2(encoder) => encoder.finish()?,
            Encoder::Zstd(encoder) => encoder.finish()?,
        };
        inner.flush()?;
        Ok(inner)
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.encoder {
            Encoder::Plain(inner) => inner,
            Encoder::Gzip(encoder) => encoder,
            Encoder::Lz4(encoder) => encoder,
            Encoder::Bzip2(encoder) => encoder,
            Encoder::Zstd(encoder) => encoder,
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.writer().write(buf)
    }

    /// Passes on what is held back. Often called, it makes the file larger.
    fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }
}

impl<W: Write> fmt::Debug for Output<W> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Output").field("compression", &self.compression).finish_non_exhaustive()
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
