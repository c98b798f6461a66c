//! bzip2 streams: blocks of up to 900 kB, each with its CRC-32.

use ::bzip2::{Decompress, Status};

use super::decode::{Decode, Fault, Next, Step};

pub(super) struct Bzip2 {
    /// One for each stream.
    stream: Option<Decompress>,
}

impl Bzip2 {
    pub(super) fn new() -> Bzip2 {
        Bzip2 { stream: None }
    }
}

impl Decode for Bzip2 {
    fn decode(&mut self, input: &[u8], _last: bool, output: &mut [u8]) -> Step {
        let stream = self.stream.get_or_insert_with(|| Decompress::new(false));
        let (before_in, before_out) = (stream.total_in(), stream.total_out());
        let status = stream.decompress(input, output);
        let read = (stream.total_in() - before_in) as usize;
        let written = (stream.total_out() - before_out) as usize;
        let next = match status {
            Ok(Status::StreamEnd) => {
                self.stream = None;
                Next::End
            }
            Ok(Status::MemNeeded) => {
                Next::Broken(Fault::Corrupt("bzip2 block does not fit into memory".into()))
            }
            Ok(_) if read == 0 && written == 0 => Next::Need(input.len() + 1),
            Ok(_) => Next::More,
            // The library does not tell a wrong checksum from other damage.
            Err(_) => Next::Broken(Fault::Corrupt("bzip2 stream is corrupt".into())),
        };
        Step { read, written, next }
    }
}
