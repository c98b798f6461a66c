//! A stream that gives its bytes in small pieces, as pipes and sockets do, or pauses between them, as
//! files do that grow.

use std::io::{self, Read};

use pactolus::formats::ByteSource;

pub struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    /// Bytes of the next piece.
    size: usize,
    /// Whether there is nothing more for a while behind each of them, and now.
    pauses: bool,
    paused: bool,
}

impl Pieces {
    pub fn new(bytes: &[u8]) -> Pieces {
        Pieces { bytes: bytes.to_vec(), at: 0, size: 1, pauses: false, paused: false }
    }

    pub fn pausing(bytes: &[u8]) -> Pieces {
        Pieces { pauses: true, ..Pieces::new(bytes) }
    }
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.paused = self.pauses && !self.paused;
        if self.paused {
            return Err(io::ErrorKind::WouldBlock.into());
        }
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
