//! Compressed files, read and written on the fly.
//!
//! | format | first bytes | read to the end of | checked |
//! |---|---|---|---|
//! | gzip | `1f 8b 08` | every member, zero padding behind the last | CRC-32 and length of each member |
//! | LZ4 | `04 22 4d 18`, legacy `02 21 4c 18` | every frame, skippable ones too | header, block and content checksums where present |
//! | bzip2 | `BZh1` to `BZh9` | every stream | CRC-32 of each block and stream |
//! | Zstandard | `28 b5 2f fd` | every frame, skippable ones too | content checksum where present |
//!
//! The first bytes decide, never the name.
//!
//! # Damage
//!
//! A cut or corrupt stream first gives everything that can be decoded, then an error:
//! [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if bytes are missing,
//! [`InvalidData`](std::io::ErrorKind::InvalidData) if they are wrong or if foreign bytes follow the
//! last member. Behind such an error, [`resume`](ByteSource::resume) goes on where it can:
//!
//! | format | damage costs | held back | goes on with |
//! |---|---|---|---|
//! | gzip | the rest of the member | - | a member whose first 256 bytes, or all, can be decoded |
//! | LZ4, independent blocks | the block | a block with a wrong block checksum | the next block if the size of the broken one leads to it, else the next that is full and sound, or as below |
//! | LZ4, linked blocks | the rest of the frame | a block with a wrong block checksum | a frame with a sound header, a legacy frame whose first block is sound |
//! | bzip2 | the block, at most 900 kB before its runs are written out | a block with a wrong checksum | the next block, at any bit, also where the stream's header is lost |
//! | Zstandard | the rest of the frame | - | a frame whose first block can be decoded |
//!
//! So files of many members or frames bear damage better: those written [here](Output), `gzip` files
//! joined with `cat`, `pzstd` rather than `zstd`. What follows a wrong checksum at the end of a member is not lost; where only
//! that is wrong, all content has been given before the error. Where a member is broken, up to 1 MiB
//! of it are searched again, for the next one may begin there. What a stream asks for beyond
//! [`Limits::window`](crate::Limits) is damage too, and passed over.
//!
//! # Files that grow
//!
//! A stream may have nothing more at the moment: it says so with
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock), between any two of its bytes. Then all is given that
//! can be decoded from those that have come, for LZ4, bzip2 and Zstandard by block; the same error comes
//! behind it, from [`resume`](ByteSource::resume) too, and whoever asks again later gets what follows,
//! as if the stream had not paused. [`Input::is_between`] tells whether the file would be whole if it
//! ended there.
//!
//! # Example
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
//! # Several threads
//!
//! With [`Input::with_pool`], decoding runs ahead of the one who reads, and gzip members, Zstandard
//! frames, bzip2 blocks and independent LZ4 blocks are decoded side by side. Nothing else changes.
//!
//! Not supported: LZ4 frames and Zstandard frames that need a dictionary; windows above 128 MiB need
//! other [`Limits`](crate::Limits). A Zstandard frame may claim a window of that size (`zstd
//! --long=27`) in its first bytes; it is allocated at once, as address space that fills up only with
//! content. This room knows nothing of events.

mod ahead;
mod bzip2;
mod decode;
mod decoder;
mod gzip;
mod input;
mod kind;
mod lz4;
mod output;
mod pack;
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
///
/// An error of kind [`WouldBlock`](io::ErrorKind::WouldBlock) says that nothing more has come at the
/// moment. Nothing is lost by it: asked again, the stream goes on. The readers of events hand on what is
/// whole then ([`Stop::Pause`](crate::mid::Stop::Pause)).
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
    /// Those of the operating system. After `WouldBlock` the next call goes on where this one stopped.
    fn resume(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}

/// Whether an error says that nothing more has come at the moment.
pub(crate) fn waits(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::WouldBlock
}

/// Whether an error comes from the compressed bytes rather than from the system.
pub(crate) fn is_damage(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
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
