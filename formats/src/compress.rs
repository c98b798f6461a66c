//! Compressed files, read and written on the fly.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::{Error, Result};

/// A stream of uncompressed bytes that may come from a compressed file.
pub trait ByteSource: Read {
    /// How far the compressed file has been read; `None` if the bytes come as they are.
    fn compressed_offset(&self) -> Option<u64> {
        None
    }
}

impl ByteSource for &[u8] {}

/// The ways a file can be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// LZ4 frames.
    Lz4,
    /// bzip2.
    Bzip2,
    /// Zstandard.
    Zstd,
}

/// A file opened for reading, decompressed on the fly.
pub struct Input {
    file: File,
}

impl Input {
    /// Opens a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Input> {
        let path = path.as_ref();
        Ok(Input { file: File::open(path).map_err(Error::io("open", path))? })
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read(buf)
    }
}

impl ByteSource for Input {}
