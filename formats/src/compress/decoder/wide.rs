//! Units that can be decoded each alone, in front of the [`Decoder`] that knows everything else.
//!
//! A unit counts only if it is sound to the last bit and ends where the next one begins. At the
//! first that is not, or is unusual, the decoder takes over as if it had decoded all before: so
//! what is wrong, and where, is said in one place only.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use super::{Decoder, State};
use crate::compress::Compression;
use crate::compress::bzip2::Blocks as BzipBlocks;
use crate::compress::decode::Decode;
use crate::compress::gzip::Members;
use crate::compress::lz4::Blocks;
use crate::compress::zstd::Frames;
use crate::pool::{InOrder, Pool};

/// Finds units, without decoding them, and sees to it that they fit together.
pub(in crate::compress) trait Cut: Send {
    /// What comes next in `input`, which begins behind the last unit that was cut; `last` says that
    /// nothing follows it.
    fn cut(&mut self, input: &[u8], last: bool) -> Next;

    /// Takes in the oldest unit that was cut and not joined. Whether all that the units say of each
    /// other agrees; if not, nothing has changed.
    fn join(&mut self, content: &[u8]) -> bool;

    /// A decoder that has decoded all units that were joined, and whether it is inside a member;
    /// `None` if that is as good as a new one.
    fn decoder(&mut self) -> Option<(Box<dyn Decode>, bool)>;
}

/// Answer of [`Cut::cut`].
pub(in crate::compress) enum Next {
    Unit(Unit),
    /// So many bytes must be seen. Bounded by the format and by [`MAX_PACKED`].
    Need(usize),
    /// Nothing that can be decoded here.
    Stop,
}

pub(in crate::compress) struct Unit {
    /// Bytes up to the next unit.
    pub(in crate::compress) len: usize,
    /// Bytes behind these that it has some bits in.
    pub(in crate::compress) beyond: usize,
    /// The most that it can give, in bytes. It is not sound if it gives more.
    pub(in crate::compress) most: usize,
    pub(in crate::compress) work: Work,
}

/// Decodes a unit, into memory that has been used before; `None` if it is not sound.
pub(in crate::compress) type Work = Box<dyn FnOnce(&[u8], Vec<u8>) -> Option<Piece> + Send>;

/// Content, and how far the compressed file was decoded for it.
#[derive(Debug, Default)]
pub(in crate::compress) struct Piece {
    pub(in crate::compress) bytes: Vec<u8>,
    /// First byte, and the place that is told from there on. A unit counts places from its begin.
    pub(in crate::compress) places: Vec<(usize, u64)>,
    /// The next piece belongs to what was decoded as a whole with this one.
    pub(in crate::compress) goes_on: bool,
}

/// Units are not cut smaller than this if they can be joined, in bytes as they stand in the file ...
pub(in crate::compress) const ENOUGH_PACKED: usize = 256 << 10;
/// ... nor smaller than this when decoded, as far as that can be known before.
pub(in crate::compress) const ENOUGH: usize = 1 << 20;
/// Larger units are left to the decoder.
pub(in crate::compress) const MAX_PACKED: usize = 8 << 20;
/// The same for their content.
pub(in crate::compress) const MAX: usize = 8 << 20;
/// Memory for units in flight, for each thread of the pool [bytes]. One unit may have more.
const MEMORY: usize = 8 << 20;

/// Units in flight, then the decoder.
pub(in crate::compress) struct Wide<R> {
    decoder: Decoder<R>,
    cut: Option<Box<dyn Cut>>,
    flight: InOrder<Option<Piece>>,
    units: VecDeque<InFlight>,
    /// What these hold at most, and may hold.
    memory: usize,
    budget: usize,
}

struct InFlight {
    offset: u64,
    len: usize,
    memory: usize,
    packed: Arc<Vec<u8>>,
}

impl<R: Read> Wide<R> {
    /// If the decoder has not begun.
    pub(in crate::compress) fn new(decoder: Decoder<R>, pool: Pool, window: usize) -> Wide<R> {
        let fresh = decoder.offset == 0 && matches!(decoder.state, State::Between { skipped: false });
        let cut: Option<Box<dyn Cut>> = match decoder.compression {
            _ if !fresh => None,
            Compression::None => None,
            Compression::Gzip => Some(Box::new(Members::new(window))),
            Compression::Lz4 => Some(Box::new(Blocks::new(window))),
            Compression::Bzip2 => Some(Box::new(BzipBlocks::new(window))),
            Compression::Zstd => Some(Box::new(Frames::new(window))),
        };
        let budget = (MEMORY * pool.threads()).min(pool.memory());
        let (flight, units) = (InOrder::new(Some(pool)), VecDeque::new());
        Wide { decoder, cut, flight, units, memory: 0, budget }
    }

    /// The next piece from the pool; `None` if the decoder goes on from here.
    pub(in crate::compress) fn next(&mut self, spare: &dyn Fn() -> Vec<u8>) -> Option<Piece> {
        loop {
            while self.cut.is_some() && !self.is_full() {
                if let Some(result) = self.flight.try_next() {
                    match self.take(result) {
                        Some(piece) if piece.bytes.is_empty() => continue,
                        piece => return piece,
                    }
                }
                if !self.cut(spare) {
                    break;
                }
            }
            let result = match self.flight.next() {
                Some(result) => result,
                None => {
                    self.hand_over();
                    return None;
                }
            };
            match self.take(result) {
                Some(piece) if piece.bytes.is_empty() => {}
                piece => return piece,
            }
        }
    }

    pub(in crate::compress) fn into_decoder(self) -> Decoder<R> {
        self.decoder
    }

    /// The decoder, when there is no next piece.
    pub(in crate::compress) fn decoder(&mut self) -> &mut Decoder<R> {
        &mut self.decoder
    }

    fn is_full(&self) -> bool {
        self.flight.is_full(0) || (self.memory >= self.budget && !self.units.is_empty())
    }

    /// Hands the next unit to the pool; whether there is one.
    fn cut(&mut self, spare: &dyn Fn() -> Vec<u8>) -> bool {
        let Some(cut) = &mut self.cut else { return false };
        let decoder = &mut self.decoder;
        loop {
            let input = &decoder.buffer[decoder.start..decoder.end];
            let unit = match cut.cut(input, decoder.ended) {
                Next::Unit(unit) => unit,
                Next::Need(wanted) if !decoder.ended && decoder.late.is_none() => {
                    if let Err(e) = decoder.fill(wanted) {
                        // The decoder will come across it where it belongs.
                        decoder.late = Some(e);
                    }
                    continue;
                }
                Next::Need(_) | Next::Stop => return false,
            };
            let Unit { len, beyond, most, work } = unit;
            let packed = Arc::new(input[..len + beyond].to_vec());
            let memory = packed.len() + most;
            let (input, spare) = (Arc::clone(&packed), spare());
            self.flight.push(move || Ok(work(&input, spare)));
            self.units.push_back(InFlight { offset: decoder.offset, len, memory, packed });
            self.memory += memory;
            decoder.start += len;
            decoder.offset += len as u64;
            decoder.unit = decoder.offset;
            return true;
        }
    }

    /// Takes the oldest unit from the pool; `None` if it is not sound and the decoder goes on there.
    fn take(&mut self, result: io::Result<Option<Piece>>) -> Option<Piece> {
        let unit = self.units.front()?;
        let joined = match (result, &mut self.cut) {
            (Ok(Some(piece)), Some(cut)) => cut.join(&piece.bytes).then_some(piece),
            _ => None,
        };
        let Some(mut piece) = joined else {
            self.hand_over();
            return None;
        };
        piece.places.iter_mut().for_each(|(_, place)| *place += unit.offset);
        self.memory -= unit.memory;
        self.units.pop_front();
        Some(piece)
    }

    /// Lets the decoder go on from where the first unit begins that was not joined.
    fn hand_over(&mut self) {
        let Some(mut cut) = self.cut.take() else { return };
        let decoder = &mut self.decoder;
        if let Some(first) = self.units.front() {
            decoder.offset = first.offset;
            let mut buffer = Vec::new();
            for unit in &self.units {
                buffer.extend_from_slice(&unit.packed[..unit.len]);
            }
            buffer.extend_from_slice(&decoder.buffer[decoder.start..decoder.end]);
            (decoder.start, decoder.end) = (0, buffer.len());
            decoder.buffer = buffer;
        }
        self.units.clear();
        self.flight = InOrder::new(None);
        decoder.begin_unit();
        decoder.credit.earn(decoder.offset);
        if let Some((decode, inside)) = cut.decoder() {
            decoder.decode = decode;
            if inside {
                decoder.state = State::Inside;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use super::*;
    use crate::Limits;
    use crate::compress::{Input, Output};

    /// Units in each file.
    const UNITS: usize = 3;

    /// A file of so many units of the size that we write, and its content.
    fn file(compression: Compression) -> (Vec<u8>, Vec<u8>) {
        let unit = match compression {
            Compression::Gzip | Compression::Lz4 => 1 << 20,
            Compression::Zstd => 4 << 20,
            Compression::Bzip2 => 9 * 99_000,
            Compression::None => 0,
        };
        let mut state = 1_u32;
        let mut next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 28) as u8
        };
        let content: Vec<u8> = (0..UNITS * unit).map(&mut next).collect();
        let mut output = Output::new(compression, None, Vec::new()).unwrap();
        output.write_all(&content).unwrap();
        (output.finish().unwrap(), content)
    }

    #[test]
    fn every_unit_is_decoded_by_the_pool() {
        let limits = Limits::default();
        let pool = Pool::new(2).unwrap();
        for compression in Compression::ALL {
            let (file, content) = file(compression);
            let decoder = Decoder::new(Cursor::new(file), Vec::new(), compression, &limits).unwrap();
            let mut wide = Wide::new(decoder, pool.clone(), limits.window);
            let mut pieces = Vec::new();
            while let Some(piece) = wide.next(&Vec::new) {
                pieces.push(piece.bytes);
            }
            assert_eq!(pieces.len(), UNITS, "{compression}");
            assert!(pieces.concat() == content, "{compression}");
            // Nothing is left to the decoder but to see that this is the end.
            assert_eq!(wide.decoder().read(&mut [0; 100]).unwrap(), 0, "{compression}");
        }
    }

    /// The same from outside: nothing comes while the pool is busy with something else.
    #[test]
    fn an_input_waits_for_its_pool() {
        for compression in Compression::ALL {
            let (file, content) = file(compression);
            let pool = Pool::new(1).unwrap();
            let (release, released) = channel::<()>();
            let mut busy = InOrder::new(Some(pool.clone()));
            busy.push(move || Ok(released.recv().is_ok()));
            let (give, take) = channel();
            std::thread::spawn(move || {
                let mut input = Input::new(Cursor::new(file), "packed").unwrap().with_pool(pool);
                let mut first = vec![0; 1000];
                give.send(input.read_exact(&mut first).map(|()| first)).unwrap();
            });
            let early = take.recv_timeout(Duration::from_millis(500)).map(drop);
            assert_eq!(early, Err(RecvTimeoutError::Timeout), "{compression}");
            release.send(()).unwrap();
            let first = take.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
            assert!(first == content[..1000], "{compression}");
        }
    }
}
