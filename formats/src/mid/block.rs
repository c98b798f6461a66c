//! Stretches of whole events.

use super::Window;
use crate::EventView;
use crate::event::Header;

/// A stretch of whole events, in the order of the input. Its memory is reused.
#[derive(Clone, Debug, Default)]
pub struct Block {
    buffer: Vec<u8>,
    start: usize,
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
        &self.buffer[self.start..self.start + self.len]
    }

    /// Bytes of memory that it holds, used or not.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
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
        self.buffer.truncate(self.start + self.len);
        self.buffer.extend_from_slice(next.bytes());
        self.len = self.buffer.len() - self.start;
        self.count += next.count;
        self.data += next.data;
    }

    /// Takes the last event away: a block of its own.
    pub fn pop(&mut self) -> Option<Block> {
        let last = self.events().last()?;
        let (size, data) = (Header::SIZE + last.payload.len(), u64::from(last.header.id < 0x8000));
        self.len -= size;
        self.count -= 1;
        self.data -= data;
        let buffer = self.buffer[self.start + self.len..][..size].to_vec();
        let (offset, first) = (self.offset + self.len as u64, self.first + self.count);
        Some(Block { buffer, start: 0, len: size, offset, first, count: 1, data })
    }

    /// Empties the block for events that begin at `offset`, of which `first` is the number.
    pub(crate) fn begin(&mut self, offset: u64, first: u64) {
        (self.offset, self.first, self.count, self.data) = (offset, first, 0, 0);
        (self.start, self.len) = (0, 0);
    }

    /// Adds the event that `write` appends; none if it fails.
    pub(crate) fn push<E>(
        &mut self,
        data: bool,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.buffer.truncate(self.start + self.len);
        write(&mut self.buffer)?;
        self.len = self.buffer.len() - self.start;
        self.count += 1;
        self.data += u64::from(data);
        Ok(())
    }

    /// Takes the first `len` bytes out of a window. Of these and of those that remain, the fewer
    /// are copied.
    pub(super) fn take(&mut self, window: &mut Window, len: usize) {
        let remain = window.rest().len() - len;
        if remain <= len {
            if self.buffer.len() < remain {
                self.buffer.resize(remain, 0);
            }
            self.buffer[..remain].copy_from_slice(&window.rest()[len..]);
            (self.start, self.len) = (window.start, len);
            std::mem::swap(&mut self.buffer, &mut window.bytes);
            (window.start, window.end) = (0, remain);
        } else {
            self.buffer.clear();
            self.buffer.extend_from_slice(&window.rest()[..len]);
            (self.start, self.len) = (0, len);
            window.start += len;
        }
    }

    /// Makes one event of these bytes the block.
    pub(super) fn set(&mut self, event: &[u8]) {
        self.buffer.clear();
        self.buffer.extend_from_slice(event);
        (self.start, self.len, self.count, self.data) = (0, event.len(), 1, 1);
    }
}
