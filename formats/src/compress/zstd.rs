//! Zstandard frames.

use std::io;

use ::zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::decode::{Decode, Fault, Next, Step};

pub(super) struct Zstd {
    /// Refuses windows above 128 MiB, as `zstd` does.
    decoder: Decoder<'static>,
    /// Bytes the library would like to see next.
    hint: usize,
}

/// Size of a block header.
const BLOCK_HEADER: usize = 3;
/// The shortest frame header, magic number included.
const FRAME_HEADER: usize = 5;

impl Zstd {
    pub(super) fn new() -> io::Result<Zstd> {
        Ok(Zstd { decoder: Decoder::new()?, hint: FRAME_HEADER })
    }

    /// How many bytes to offer.
    ///
    /// When the library meets an error, it forgets what it decoded in the same call. So each call
    /// gets one block, and the header of the next block, which the hint includes, goes into a call
    /// of its own.
    fn offer(&self, available: usize) -> usize {
        let piece = if self.hint > BLOCK_HEADER { self.hint - BLOCK_HEADER } else { self.hint };
        piece.clamp(1, available.max(1)).min(available)
    }
}

impl Decode for Zstd {
    fn decode(&mut self, input: &[u8], _last: bool, output: &mut [u8]) -> Step {
        let mut from = InBuffer::around(&input[..self.offer(input.len())]);
        let mut to = OutBuffer::around(output);
        let status = self.decoder.run(&mut from, &mut to);
        let (read, written) = (from.pos(), to.pos());
        let next = match status {
            Ok(0) => {
                self.hint = FRAME_HEADER;
                Next::End
            }
            Ok(hint) => {
                self.hint = hint;
                if read == 0 && written == 0 { Next::Need(input.len() + 1) } else { Next::More }
            }
            Err(why) => {
                let why = why.to_string().to_lowercase();
                Next::Broken(Fault::Corrupt(format!("zstd stream unreadable: {why}").into()))
            }
        };
        Step { read, written, next }
    }
}
