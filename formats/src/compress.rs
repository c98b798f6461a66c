//! Compressed files, read and written on the fly.
//!
//! | format | first bytes | read to the end of | checked |
//! |---|---|---|---|
//! | gzip | `1f 8b 08` | every member, zero padding behind the last | CRC-32 and length of each member |
//! | LZ4 | `04 22 4d 18`, legacy `02 21 4c 18` | every frame, skippable ones too | header, block and content checksums where present |
//! | bzip2 | `BZh1` to `BZh9` | every stream | CRC-32 of each block and stream |
//! | Zstandard | `28 b5 2f fd` | every frame, skippable ones too | content checksum where present |
//!
//! The first bytes decide, never the name. A cut or corrupt stream first gives everything that can
//! be decoded, then an error: [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if bytes are
//! missing, [`InvalidData`](std::io::ErrorKind::InvalidData) if they are wrong or if foreign bytes
//! follow the last member.
//!
//! ```
//! use std::io::{Read, Write};
//! use pactolus_formats::compress::{Compression, Input, Output};
//!
//! let mut output = Output::new(Compression::Zstd, None, Vec::new())?;
//! output.write_all(b"drift times")?;
//! let file = output.finish()?;
//!
//! let mut input = Input::new(std::io::Cursor::new(file), "run00042.mid.zst")?;
//! assert_eq!(input.compression(), Compression::Zstd);
//! let mut text = String::new();
//! input.read_to_string(&mut text)?;
//! assert_eq!(text, "drift times");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Not supported: LZ4 frames and Zstandard frames that need a dictionary, Zstandard windows above
//! 128 MiB. This room knows nothing of events.

mod bzip2;
mod decode;
mod decoder;
mod gzip;
mod input;
mod kind;
mod lz4;
mod output;
mod progress;
#[cfg(test)]
mod tests;
mod zstd;

use std::io::{self, Read};

pub use input::Input;
pub use kind::Compression;
pub use output::Output;
pub use progress::Progress;

/// A stream of uncompressed bytes that may come from a compressed file.
pub trait ByteSource: Read {
    /// How far the compressed file has been decoded, in bytes; `None` if the bytes come as they are.
    fn compressed_offset(&self) -> Option<u64> {
        None
    }

    /// After an error of kind `InvalidData` or `UnexpectedEof`: goes to the next place behind the
    /// broken bytes where decoding can begin anew. Whether there is one; if so, the bytes that
    /// follow come from there, and how many are missing between is not known.
    ///
    /// # Errors
    /// Those of the operating system.
    fn resume(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}

impl ByteSource for &[u8] {}

impl<T: AsRef<[u8]>> ByteSource for io::Cursor<T> {}

impl<S: ByteSource + ?Sized> ByteSource for &mut S {
    fn compressed_offset(&self) -> Option<u64> {
        (**self).compressed_offset()
    }

    fn resume(&mut self) -> io::Result<bool> {
        (**self).resume()
    }
}

impl<S: ByteSource + ?Sized> ByteSource for Box<S> {
    fn compressed_offset(&self) -> Option<u64> {
        (**self).compressed_offset()
    }

    fn resume(&mut self) -> io::Result<bool> {
        (**self).resume()
    }
}
