//! Bytes to blocks of whole events.

use std::io::{self, Read};

use crate::event::{Header, Kind};
use crate::{ByteSource, Damage, DamageKind, EventView, Limits};

/// A stretch of whole events, in the order of the input. Its memory is reused.
#[derive(Clone, Debug, Default)]
pub struct Block {
    buffer: Vec<u8>,
    len: usize,
    /// Where the first byte stands in the uncompressed input.
    pub offset: u64,
    /// Number of the first event in its input, counted from 1.
    pub first: u64,
    /// How many events the block holds.
    pub count: u64,
    /// How many of them are data events.
    pub data: u64,
}

impl Block {
    /// An empty block.
    pub fn new() -> Block {
        Block::default()
    }

    /// The bytes of the events.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// The events in order.
    pub fn events(&self) -> impl Iterator<Item = EventView<'_>> {
        let mut rest = self.bytes();
        std::iter::from_fn(move || {
            let (event, behind) = EventView::parse(rest)?;
            rest = behind;
            Some(event)
        })
    }

    /// Adds the events of the block that follows this one in the input.
    pub fn append(&mut self, next: &Block) {
        self.buffer.truncate(self.len);
        self.buffer.extend_from_slice(next.bytes());
        self.len = self.buffer.len();
        self.count += next.count;
        self.data += next.data;
    }

    /// Empties the block for events that begin at `offset`, of which `first` is the number.
    pub(crate) fn begin(&mut self, offset: u64, first: u64) {
        (self.offset, self.first, self.count, self.data, self.len) = (offset, first, 0, 0, 0);
    }

    /// Adds the event that `write` appends; none if it fails.
    pub(crate) fn push<E>(
        &mut self,
        data: bool,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.buffer.truncate(self.len);
        write(&mut self.buffer)?;
        self.len = self.buffer.len();
        self.count += 1;
        self.data += u64::from(data);
        Ok(())
    }

    /// Reads more bytes behind those that are there; how many came.
    fn fill(&mut self, input: &mut impl Read, up_to: usize) -> io::Result<usize> {
        if self.buffer.len() < up_to {
            self.buffer.resize(up_to, 0);
        }
        loop {
            match input.read(&mut self.buffer[self.len..up_to]) {
                Ok(n) => {
                    self.len += n;
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// Why a block ends where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is as large as asked for.
    Full,
    /// It consists of a begin-of-run event, or the next block does.
    Bor,
    /// Its last event is an end-of-run event.
    Eor,
    /// The input ended.
    End,
    /// The bytes behind it are broken; the input cannot be read further.
    Damaged(Damage),
}

/// Reads blocks of events from `.mid` bytes.
///
/// ```
/// use pactolus_formats::mid::{Block, Reader, Stop};
/// let file: &[u8] = &[1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// let mut reader = Reader::new(file);
/// let mut block = Block::new();
/// assert_eq!(reader.read(&mut block, 1 << 20).unwrap(), Stop::End);
/// assert_eq!(block.events().next().unwrap().header.serial, 7);
/// ```
pub struct Reader<R> {
    input: R,
    limits: Limits,
    /// Bytes that were read behind the last block's end.
    carry: Vec<u8>,
    offset: u64,
    number: u64,
    ended: bool,
}

/// Bytes asked from the input at a time.
const STEP: usize = 1 << 20;

impl<R: ByteSource> Reader<R> {
    /// A reader with the default limits.
    pub fn new(input: R) -> Reader<R> {
        Reader { input, limits: Limits::default(), carry: Vec::new(), offset: 0, number: 1, ended: false }
    }

    /// Sets what to believe.
    pub fn with_limits(self, limits: Limits) -> Reader<R> {
        Reader { limits, ..self }
    }

    /// The input, for its progress.
    pub fn input(&self) -> &R {
        &self.input
    }

    /// Fills `block` with whole events of about `target` bytes in all.
    ///
    /// A begin-of-run event is a block of its own, an end-of-run event is the last of its block.
    /// The sizes of blocks follow from the input and `target` alone.
    ///
    /// # Errors
    /// Those of the operating system. Broken and cut compressed streams are [`Stop::Damaged`].
    pub fn read(&mut self, block: &mut Block, target: usize) -> io::Result<Stop> {
        block.offset = self.offset;
        block.first = self.number;
        block.count = 0;
        block.data = 0;
        block.len = 0;
        if block.buffer.len() < self.carry.len() {
            block.buffer.resize(self.carry.len(), 0);
        }
        block.buffer[..self.carry.len()].copy_from_slice(&self.carry);
        block.len = self.carry.len();
        self.carry.clear();

        let mut end = 0;
        let stop = loop {
            match self.scan(block, &mut end, target) {
                Scan::Stop(stop) => break stop,
                Scan::More(_) if self.ended => break self.at_end(block, end),
                Scan::More(needed) => {
                    let missing = needed - (block.len - end);
                    let up_to = block.len + missing.max(target.saturating_sub(block.len)).min(STEP);
                    match block.fill(&mut self.input, up_to) {
                        Ok(0) => self.ended = true,
                        Ok(_) => {}
                        Err(e) if is_damage(&e) => {
                            self.ended = true;
                            break Stop::Damaged(self.damage(
                                DamageKind::Compression(e.to_string()),
                                block.offset + block.len as u64,
                                block,
                            ));
                        }
                        Err(e) => return Err(e),
                    }
                }
            }
        };
        if matches!(stop, Stop::Damaged(_)) {
            self.ended = true;
        } else {
            self.carry.extend_from_slice(&block.buffer[end..block.len]);
        }
        block.len = end;
        self.offset += end as u64;
        self.number += block.count;
        Ok(stop)
    }

    /// Steps over whole events from `end` on.
    fn scan(&self, block: &mut Block, end: &mut usize, target: usize) -> Scan {
        loop {
            let rest = &block.buffer[*end..block.len];
            if rest.len() < Header::SIZE {
                return Scan::More(Header::SIZE);
            }
            let header = Header::read(rest);
            let size = Header::SIZE + header.size as usize;
            if size > self.limits.event {
                let kind = DamageKind::EventTooLarge { claimed: size, limit: self.limits.event };
                return Scan::Stop(Stop::Damaged(self.damage(kind, block.offset + *end as u64, block)));
            }
            // A block may exceed its target by one event, never by more.
            if header.kind() == Kind::Bor && block.count > 0 {
                return Scan::Stop(Stop::Bor);
            }
            if size > rest.len() {
                return Scan::More(size);
            }
            *end += size;
            block.count += 1;
            block.data += u64::from(header.id < 0x8000);
            match header.kind() {
                Kind::Bor => return Scan::Stop(Stop::Bor),
                Kind::Eor => return Scan::Stop(Stop::Eor),
                _ if *end >= target => return Scan::Stop(Stop::Full),
                _ => {}
            }
        }
    }

    /// The input has ended: all well if no piece of an event is left.
    fn at_end(&self, block: &Block, end: usize) -> Stop {
        let rest = &block.buffer[end..block.len];
        let at = block.offset + end as u64;
        if rest.is_empty() {
            return Stop::End;
        }
        let kind = if rest.len() < Header::SIZE {
            DamageKind::HeaderCutShort { needed: Header::SIZE, left: rest.len() }
        } else {
            let needed = Header::read(rest).size as usize;
            DamageKind::BodyCutShort { needed, left: rest.len() - Header::SIZE }
        };
        Stop::Damaged(self.damage(kind, at, block))
    }

    fn damage(&self, kind: DamageKind, offset: u64, block: &Block) -> Damage {
        Damage {
            kind,
            offset,
            end: block.offset + block.len as u64,
            compressed_offset: self.input.compressed_offset(),
            event: block.first + block.count,
        }
    }
}

enum Scan {
    Stop(Stop),
    /// So many bytes from the last whole event's end on are needed.
    More(usize),
}

/// Whether an error comes from the compressed bytes rather than from the system.
fn is_damage(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}
