//! A stream that gives its bytes in small pieces, as pipes and sockets do.

use std::io::{self, Read};

use pactolus::formats::ByteSource;

pub struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    /// Bytes of the next piece.
    size: usize,
}

impl Pieces {
    pub fn new(bytes: &[u8]) -> Pieces {
        Pieces { bytes: bytes.to_vec(), at: 0, size: 1 }
    }
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let n = rest.len().min(buf.len()).min(self.size);
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        // 1, 2, 3, ... 61, and so on: no format has all its edges there.
        self.size = self.size % 61 + 1;
        Ok(n)
    }
}

impl ByteSource for Pieces {}
