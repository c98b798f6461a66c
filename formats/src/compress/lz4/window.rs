//! One decoded block and the bytes before it that it may refer to.

use super::block;

/// How far back a match may reach, in bytes.
const REACH: usize = 64 << 10;
/// The most content that one compressed byte can stand for.
const MAX_RATIO: usize = 255;

/// Memory is reused from block to block and bounded by `REACH` and the largest block.
#[derive(Default)]
pub(super) struct Window {
    /// History up to `start`, the block up to `end`, then room.
    bytes: Vec<u8>,
    start: usize,
    /// How far the block has been handed out.
    taken: usize,
    end: usize,
}

impl Window {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        (self.start, self.taken, self.end) = (0, 0, 0);
    }

    /// Makes the block part of the history if the next one may refer to it.
    pub(super) fn next(&mut self, linked: bool) {
        let keep = if linked { self.end.min(REACH) } else { 0 };
        self.bytes.copy_within(self.end - keep..self.end, 0);
        (self.start, self.taken, self.end) = (keep, keep, keep);
    }

    /// The block.
    pub(super) fn block(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether some of it has not been handed out.
    pub(super) fn holds(&self) -> bool {
        self.taken < self.end
    }

    /// Hands out what has not been handed out of the block; how many bytes.
    pub(super) fn take(&mut self, out: &mut [u8]) -> usize {
        let n = out.len().min(self.end - self.taken);
        out[..n].copy_from_slice(&self.bytes[self.taken..self.taken + n]);
        self.taken += n;
        n
    }

    /// Decodes a whole block; whether it is sound.
    pub(super) fn decode(&mut self, data: &[u8], stored: bool, max_block: usize) -> bool {
        if stored {
            self.store(data, max_block);
            return true;
        }
        self.make_room(data, max_block);
        let (history, room) = self.bytes.split_at_mut(self.start);
        let limit = room.len().min(max_block);
        let decoded = lz4_flex::block::decompress_into_with_dict(data, &mut room[..limit], history);
        self.end = self.start + decoded.as_ref().unwrap_or(&0);
        decoded.is_ok()
    }

    /// Decodes a cut or corrupt block as far as it goes.
    pub(super) fn decode_prefix(&mut self, data: &[u8], stored: bool, max_block: usize) {
        if stored {
            return self.store(data, max_block);
        }
        self.make_room(data, max_block);
        let limit = self.bytes.len().min(self.start + max_block);
        self.end = block::decode_prefix(data, &mut self.bytes[..limit], self.start);
    }

    fn store(&mut self, data: &[u8], max_block: usize) {
        self.bytes.truncate(self.start);
        self.bytes.extend_from_slice(&data[..data.len().min(max_block)]);
        self.end = self.bytes.len();
    }

    /// Room for what `data` can decode to at most.
    fn make_room(&mut self, data: &[u8], max_block: usize) {
        let room = self.start + max_block.min(data.len().saturating_mul(MAX_RATIO));
        if self.bytes.len() < room {
            self.bytes.resize(room, 0);
        }
    }
}
