//! A stream that pauses, as a file does that somebody else still writes.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use pactolus_formats::ByteSource;

/// Gives its bytes in pieces, and says between them that there is nothing more at the moment.
pub(crate) struct Pausing {
    bytes: Vec<u8>,
    at: usize,
    /// Bytes before the next pause.
    left: usize,
    /// Largest piece.
    most: usize,
    random: u64,
}

impl Pausing {
    /// Pieces of one byte up to `most`, small ones as often as large ones; others for each seed.
    pub(crate) fn new(bytes: &[u8], most: usize, seed: u64) -> Pausing {
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Pausing { bytes: bytes.to_vec(), at: 0, left: 0, most, random }
    }

    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % below
    }
}

impl Read for Pausing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let bits = self.most.ilog2() as usize + 1;
            let up_to = 1 << self.random(bits);
            self.left = 1 + self.random(up_to);
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = buf.len().min(self.left).min(self.bytes.len() - self.at);
        buf[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        self.left -= n;
        Ok(n)
    }
}

impl ByteSource for Pausing {}

/// The files of a directory of the corpus, with their names in it, and those in directories below.
pub(crate) fn corpus(directory: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(directory);
    let mut files = Vec::new();
    let mut directories = vec![root];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => directories.push(path),
                false => files.push((path.to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())),
            }
        }
    }
    files.sort();
    assert!(!files.is_empty());
    files
}
