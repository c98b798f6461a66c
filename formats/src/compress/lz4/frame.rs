//! What the header of a frame says, and what its end must agree with.

use std::hash::Hasher;

use twox_hash::XxHash32;

/// A frame being read.
#[derive(Clone)]
pub(super) struct Frame {
    pub(super) legacy: bool,
    /// A block may refer to the blocks before it.
    pub(super) linked: bool,
    pub(super) block_checksum: bool,
    /// Largest block, decoded, in bytes.
    pub(super) max_block: usize,
    content_size: Option<u64>,
    content_checksum: Option<XxHash32>,
    /// Content seen so far, in bytes.
    content: u64,
    /// Some of it has been left out.
    missing: bool,
}

/// What [`Frame::read`] finds.
pub(super) enum Header {
    /// A header of so many bytes.
    Whole(Frame, usize),
    /// The beginning of a header of so many bytes.
    Needs(usize),
}

mod flg {
    pub(super) const VERSION: u8 = 0b1100_0000;
    pub(super) const VERSION_1: u8 = 0b0100_0000;
    pub(super) const INDEPENDENT: u8 = 0b0010_0000;
    pub(super) const BLOCK_CHECKSUM: u8 = 0b0001_0000;
    pub(super) const CONTENT_SIZE: u8 = 0b0000_1000;
    pub(super) const CONTENT_CHECKSUM: u8 = 0b0000_0100;
    pub(super) const RESERVED: u8 = 0b0000_0010;
    pub(super) const DICTIONARY: u8 = 0b0000_0001;
}

const CHECKSUM: usize = 4;
const LEGACY_BLOCK: usize = 8 << 20;

impl Frame {
    /// A legacy frame: everything is fixed.
    pub(super) fn legacy(limit: usize) -> Result<Frame, String> {
        within(LEGACY_BLOCK, limit)?;
        Ok(Frame::default())
    }

    /// Reads a header, the magic number left out. Blocks of up to `limit` bytes are allowed.
    pub(super) fn read(bytes: &[u8], limit: usize) -> Result<Header, String> {
        let &[flg, bd, ..] = bytes else {
            return Ok(Header::Needs(3));
        };
        let size_len = if flg & flg::CONTENT_SIZE != 0 { 8 } else { 0 };
        let dictionary_len = if flg & flg::DICTIONARY != 0 { 4 } else { 0 };
        let len = 2 + size_len + dictionary_len + 1;
        let Some((&check, descriptor)) = bytes.get(..len).and_then(<[u8]>::split_last) else {
            return Ok(Header::Needs(len));
        };
        if check != xxh32(descriptor)[1] {
            return Err("lz4 frame header checksum does not match".to_owned());
        }
        if flg & flg::VERSION != flg::VERSION_1 || flg & flg::RESERVED != 0 || bd & 0b1000_1111 != 0 {
            return Err("lz4 frame of an unknown version".to_owned());
        }
        if flg & flg::DICTIONARY != 0 {
            return Err("lz4 frame needs a dictionary: not supported".to_owned());
        }
        let max_block = match bd >> 4 {
            code @ 4..=7 => 1 << (8 + 2 * code),
            _ => return Err("lz4 frame of an unknown block size".to_owned()),
        };
        within(max_block, limit)?;
        let frame = Frame {
            legacy: false,
            linked: flg & flg::INDEPENDENT == 0,
            block_checksum: flg & flg::BLOCK_CHECKSUM != 0,
            max_block,
            content_size: descriptor[2..].first_chunk().copied().map(u64::from_le_bytes),
            content_checksum: (flg & flg::CONTENT_CHECKSUM != 0).then(|| XxHash32::with_seed(0)),
            content: 0,
            missing: false,
        };
        Ok(Header::Whole(frame, len))
    }

    /// Size of a block's data in the file, and whether it is stored as it is.
    pub(super) fn block_size(&self, word: u32) -> (usize, bool) {
        if self.legacy {
            return (word as usize, false);
        }
        ((word & (u32::MAX >> 1)) as usize, word >> 31 == 1)
    }

    /// What may be a block of at least `min` bytes that can be told from other bytes: its size, and
    /// whether it is stored as it is.
    pub(super) fn block_at(&self, bytes: &[u8], min: usize) -> Option<(usize, bool)> {
        let (size, stored) = self.block_size(u32::from_le_bytes(*bytes.first_chunk()?));
        let known = (min..=self.max_stored()).contains(&size) && (self.block_checksum || !stored);
        known.then_some((size, stored))
    }

    /// Largest block in the file, in bytes. A standard block that does not shrink is stored as it
    /// is; a legacy block grows, at worst by a length byte in 255.
    pub(super) fn max_stored(&self) -> usize {
        match self.legacy {
            true => self.max_block + self.max_block / 255 + 16,
            false => self.max_block,
        }
    }

    pub(super) fn block_checksum_len(&self) -> usize {
        if self.block_checksum { CHECKSUM } else { 0 }
    }

    pub(super) fn content_checksum_len(&self) -> usize {
        if self.content_checksum.is_some() { CHECKSUM } else { 0 }
    }

    /// A block is left out: what was announced for the whole content cannot be compared.
    pub(super) fn miss(&mut self) {
        self.content_size = None;
        self.missing = true;
    }

    /// Notes the content of a block.
    pub(super) fn add(&mut self, content: &[u8]) {
        self.content += content.len() as u64;
        if let Some(checksum) = &mut self.content_checksum {
            checksum.write(content);
        }
    }

    /// Compares what the frame announced with its content.
    pub(super) fn check(&self, checksum: &[u8]) -> Result<(), String> {
        if let Some(size) = self.content_size
            && size != self.content
        {
            return Err(format!("lz4 content of {size} bytes expected, {} found", self.content));
        }
        match &self.content_checksum {
            Some(content) if !self.missing && checksum != content.finish_32().to_le_bytes() => {
                Err("lz4 content checksum does not match".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Default for Frame {
    /// A legacy frame.
    fn default() -> Frame {
        Frame {
            legacy: true,
            linked: false,
            block_checksum: false,
            max_block: LEGACY_BLOCK,
            content_size: None,
            content_checksum: None,
            content: 0,
            missing: false,
        }
    }
}

/// Whether blocks are no larger than allowed.
fn within(max_block: usize, limit: usize) -> Result<(), String> {
    match max_block <= limit {
        true => Ok(()),
        false => Err(format!("lz4 blocks of {max_block} bytes: at most {limit} expected")),
    }
}

/// The checksum of LZ4 frames, as it stands in them.
pub(super) fn xxh32(bytes: &[u8]) -> [u8; 4] {
    XxHash32::oneshot(0, bytes).to_le_bytes()
}
