//! Frames and parameters, as bytes. No connection here, and nothing is believed: every length is compared
//! with what is there.
//!
//! ```text
//! call   u32 routine | 0x80000000 if no reply is wanted    u32 bytes of parameters    parameters
//! reply  i32 status                                        u32 bytes of parameters    parameters
//! ```
//!
//! Each parameter begins at a multiple of 8 bytes. Numbers sit in the first bytes of a cell of 8, little
//! endian (we say so at log-in, and the server converts); a text is its bytes, a zero, and padding; a block
//! is a cell with its length, its bytes, and padding. Only what goes in travels in the call, only what comes
//! out in the reply. Padding is undefined: the server leaves there what it had in memory.

use std::borrow::Cow;

use pactolus_odb::spelling;

use super::{Error, Result};

/// Bytes of the head of a frame.
pub(crate) const HEAD: usize = 8;
/// Bytes of a cell.
pub(crate) const CELL: usize = 8;
/// The bit of a routine for "no reply wanted".
pub(crate) const NO_REPLY: u32 = 0x8000_0000;

/// Up to the next multiple of 8.
pub(crate) fn padded(bytes: usize) -> usize {
    bytes.saturating_add(7) & !7
}

/// A number at a place; what is not there is zero. Callers have compared lengths before.
pub(crate) fn int(bytes: &[u8], at: usize) -> i32 {
    let mut word = [0; 4];
    if let Some(found) = bytes.get(at..).and_then(|rest| rest.get(..4)) {
        word.copy_from_slice(found);
    }
    i32::from_le_bytes(word)
}

/// Text as MIDAS has it: bytes up to a zero, of an encoding that nobody says. What is no UTF-8 stands in it
/// as private characters, and goes back as it came; see [`spelling`].
pub(crate) fn text(bytes: &[u8]) -> String {
    spelling::from_bytes(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

/// The beginning of bytes that are not what was wanted, for an error.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let begin = &bytes[..bytes.len().min(24)];
    let more = if bytes.len() > begin.len() { "..." } else { "" };
    format!("\"{}{more}\"", begin.escape_ascii())
}

/// A routine of the server.
#[derive(Debug)]
pub(crate) struct Routine {
    /// Its number.
    pub(crate) id: u32,
    /// Its name, for errors.
    pub(crate) name: &'static str,
}

/// A call, as bytes.
pub(crate) struct Call {
    /// The name of the routine.
    pub(crate) name: &'static str,
    bytes: Vec<u8>,
}

impl Call {
    pub(crate) fn new(routine: &Routine) -> Call {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&routine.id.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        Call { name: routine.name, bytes }
    }

    fn pad(mut self) -> Call {
        self.bytes.resize(padded(self.bytes.len()), 0);
        // The caller of `block` keeps this below 2 GB.
        let parameters = (self.bytes.len() - HEAD) as u32;
        self.bytes[4..8].copy_from_slice(&parameters.to_le_bytes());
        self
    }

    pub(crate) fn int(mut self, value: i32) -> Call {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self.pad()
    }

    pub(crate) fn short(mut self, value: u16) -> Call {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self.pad()
    }

    /// A text, which ends at a zero for the server: so there must be none in it.
    pub(crate) fn text(mut self, text: &str) -> Result<Call> {
        if text.contains('\0') {
            let message = format!("{text:?} has a zero byte in it, which MIDAS takes for its end");
            return Err(Error::Argument { what: self.name, message });
        }
        self.bytes.extend(spelling::to_bytes(text));
        self.bytes.push(0);
        Ok(self.pad())
    }

    /// A block. Its length goes as the next multiple of 8, as libmidas writes it.
    pub(crate) fn block(self, block: &[u8]) -> Result<Call> {
        // Servers drop a connection with larger parameters than their largest event, by default 4 MiB.
        const MOST: usize = 1 << 30;
        if block.len() > MOST {
            let message = format!("{} bytes are more than can be sent at once, {MOST}", block.len());
            return Err(Error::Argument { what: self.name, message });
        }
        let mut call = self.int(padded(block.len()) as i32);
        call.bytes.extend_from_slice(block);
        Ok(call.pad())
    }

    /// Head and parameters.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The parameters of a reply, from the first to the last.
pub(crate) struct Reply<'a> {
    name: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reply<'a> {
    pub(crate) fn new(name: &'static str, bytes: &'a [u8]) -> Reply<'a> {
        Reply { name, bytes, at: 0 }
    }

    fn wrong(&self, at: usize, want: String, found: String) -> Error {
        Error::Wire { call: self.name, at: HEAD + at, want, found }
    }

    /// A stretch of a length that we have asked for, with its padding.
    pub(crate) fn fixed(&mut self, length: usize, what: &str) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.len() < padded(length) {
            return Err(self.wrong(
                self.at,
                format!("{length} bytes of {what}"),
                format!("{} bytes", rest.len()),
            ));
        }
        self.at += padded(length);
        Ok(&rest[..length])
    }

    pub(crate) fn int(&mut self, what: &str) -> Result<i32> {
        Ok(int(self.fixed(4, what)?, 0))
    }

    /// A block of at most what was asked for.
    pub(crate) fn block(&mut self, most: usize, what: &str) -> Result<&'a [u8]> {
        let at = self.at;
        let length = self.int(&format!("length of {what}"))?;
        match usize::try_from(length) {
            Ok(length) if length <= padded(most) => Ok(self.fixed(length, what)?),
            _ => Err(self.wrong(at, format!("at most {most} bytes of {what}"), format!("{length}"))),
        }
    }

    /// Nothing is left.
    pub(crate) fn end(&self) -> Result<()> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            rest => Err(self.wrong(self.at, "the end".to_owned(), format!("{rest} more bytes"))),
        }
    }
}

/// The head of a reply: its status, and the bytes of its parameters, at most what could have been asked for.
pub(crate) fn head(name: &'static str, head: &[u8], most: usize) -> Result<(i32, usize)> {
    let (status, length) = (int(head, 0), int(head, 4) as u32);
    match usize::try_from(length) {
        Ok(bytes) if bytes <= most => Ok((status, bytes)),
        _ => Err(Error::Wire {
            call: name,
            at: 4,
            want: format!("at most {most} bytes of parameters"),
            found: format!("{length} (status {status})"),
        }),
    }
}

/// A text for a place of a limited length on the wire, cut between characters.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    if text.contains('\0') { Cow::Owned(text.replace('\0', " ")) } else { Cow::Borrowed(text) }
}
