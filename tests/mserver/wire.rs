//! Frames as MIDAS packs them: what is read of a call, and how a reply is made. Padding is filled with
//! rubbish, as that of the real server is.

use pactolus::odb::spelling;

/// What stands where nothing was meant to stand.
pub const JUNK: u8 = 0xa5;

pub fn pad8(size: usize) -> usize {
    size.div_ceil(8) * 8
}

/// A call that cannot be read; the real server would go on with whatever is in its memory.
#[derive(Debug)]
pub struct Malformed(pub String);

/// The parameters of a call, taken in their order.
pub struct Params<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Params<'a> {
    pub fn new(bytes: &'a [u8]) -> Params<'a> {
        Params { bytes, at: 0 }
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..size));
        let taken = taken.ok_or_else(|| {
            Malformed(format!("{size} bytes wanted at {} of {} of the parameters", self.at, self.bytes.len()))
        })?;
        self.at += size;
        Ok(taken)
    }

    pub fn int(&mut self) -> Result<i32, Malformed> {
        let cell = self.take(8)?;
        Ok(i32::from_le_bytes([cell[0], cell[1], cell[2], cell[3]]))
    }

    pub fn word(&mut self) -> Result<u16, Malformed> {
        Ok(self.int()? as u16)
    }

    pub fn double(&mut self) -> Result<f64, Malformed> {
        let cell = self.take(8)?;
        Ok(f64::from_le_bytes(cell.try_into().unwrap_or_default()))
    }

    pub fn text(&mut self) -> Result<String, Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == 0);
        let end = end.ok_or_else(|| Malformed(format!("a string at {} does not end", self.at)))?;
        // The last of all parameters may be cut behind its NUL.
        self.at += pad8(end + 1).min(rest.len());
        Ok(spelling::from_bytes(&rest[..end]))
    }

    /// Bytes with their length in front.
    pub fn block(&mut self) -> Result<&'a [u8], Malformed> {
        let size = self.int()?;
        let size = usize::try_from(size).map_err(|_| Malformed(format!("a block of {size} bytes")))?;
        let block = self.take(size)?;
        self.at = pad8(self.at).min(self.bytes.len());
        Ok(block)
    }

    /// Is there nothing behind the last parameter?
    pub fn end(&self) -> Result<(), Malformed> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(Malformed(format!("{} bytes of parameters wanted, {} found", self.at, self.bytes.len())))
    }
}

/// Replies, one behind the other.
#[derive(Default)]
pub struct Reply {
    pub bytes: Vec<u8>,
    start: usize,
}

impl Reply {
    pub fn begin(&mut self) {
        self.start = self.bytes.len();
        self.bytes.extend([0; 8]);
    }

    pub fn finish(&mut self, status: i32) {
        let size = (self.bytes.len() - self.start - 8) as u32;
        self.bytes[self.start..self.start + 4].copy_from_slice(&status.to_le_bytes());
        self.bytes[self.start + 4..self.start + 8].copy_from_slice(&size.to_le_bytes());
    }

    /// Takes back what was begun.
    pub fn forget(&mut self) {
        self.bytes.truncate(self.start);
    }

    fn cell(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.pad();
    }

    pub fn pad(&mut self) {
        let size = self.bytes.len() - self.start;
        self.bytes.resize(self.start + pad8(size), JUNK);
    }

    pub fn byte(&mut self, value: u8) {
        self.cell(&[value]);
    }

    pub fn word(&mut self, value: u16) {
        self.cell(&value.to_le_bytes());
    }

    pub fn int(&mut self, value: i32) {
        self.cell(&value.to_le_bytes());
    }

    pub fn float(&mut self, value: f32) {
        self.cell(&value.to_le_bytes());
    }

    pub fn double(&mut self, value: f64) {
        self.cell(&value.to_le_bytes());
    }

    /// A string, cut where there is no more room.
    pub fn text(&mut self, text: &str, room: usize) {
        let mut bytes = spelling::to_bytes(text);
        bytes.truncate(room.saturating_sub(1));
        bytes.push(0);
        self.cell(&bytes);
    }

    pub fn block(&mut self, bytes: &[u8]) {
        self.int(bytes.len() as i32);
        self.cell(bytes);
    }

    /// A structure: no length in front.
    pub fn structure(&mut self, bytes: &[u8]) {
        self.cell(bytes);
    }

    /// As much rubbish as there was room for: what comes with an error.
    pub fn stale(&mut self, room: usize) {
        self.int(room as i32);
        self.bytes.resize(self.bytes.len() + pad8(room), JUNK);
    }
}

/// Bytes behind a frame's header of eight, out of a stream.
#[derive(Default)]
pub struct Frames {
    bytes: Vec<u8>,
    at: usize,
    end: usize,
}

/// More than any call may have: an event of the largest kind and a little.
const LIMIT: usize = 256 << 20;

impl Frames {
    /// The next frame: its id, and where its parameters are in [`Frames::params`].
    pub fn next(&mut self) -> Result<Option<(u32, std::ops::Range<usize>)>, Malformed> {
        let Some(header) = self.bytes[self.at..self.end].first_chunk::<8>() else { return Ok(None) };
        let id = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let size = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if size > LIMIT {
            return Err(Malformed(format!("call {id} with {size} bytes of parameters")));
        }
        let from = self.at + 8;
        if self.end - from < size {
            return Ok(None);
        }
        self.at = from + size;
        Ok(Some((id, from..from + size)))
    }

    pub fn params(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// The bytes that have come and are not taken.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.at..self.end]
    }

    pub fn skip(&mut self, size: usize) {
        self.at += size;
    }

    /// Reads what is there; false at the end of the stream.
    pub fn read(&mut self, from: &mut impl std::io::Read) -> std::io::Result<bool> {
        self.bytes.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        if self.bytes.len() < self.end + (64 << 10) {
            self.bytes.resize((self.end + (64 << 10)).max(self.bytes.len() * 2), 0);
        }
        let read = from.read(&mut self.bytes[self.end..])?;
        self.end += read;
        Ok(read > 0)
    }
}
