//! A block whose end is missing or wrong, decoded as far as it goes.
//!
//! A block is a row of sequences (LZ4 block format):
//!
//! | bytes | field |
//! |---|---|
//! | 1 | token: literals in the upper four bits, match length less 4 in the lower |
//! | | if the upper bits are 15: further bytes to add, up to and with the first that is not 255 |
//! | | literals |
//! | 2 | how far back the match lies, little-endian, not 0 |
//! | | if the lower bits are 15: further bytes to add, as above |
//!
//! The last sequence ends behind its literals.
//!
//! Whole blocks are left to the library, which is many times faster but gives all or nothing.

const MIN_MATCH: usize = 4;

/// Decodes into `out` from `start` on, `out[..start]` being history, until something is missing,
/// wrong or does not fit; where the decoded bytes end.
pub(super) fn decode_prefix(input: &[u8], out: &mut [u8], start: usize) -> usize {
    let mut rest = Rest(input);
    let mut at = start;
    while let Some(token) = rest.byte() {
        let (literals, whole) = rest.length(token >> 4);
        if !whole {
            break;
        }
        let found = rest.take(literals);
        let n = found.len().min(out.len() - at);
        out[at..at + n].copy_from_slice(&found[..n]);
        at += n;
        if n < literals {
            break;
        }

        let (Some(low), Some(high)) = (rest.byte(), rest.byte()) else { break };
        let back = usize::from(u16::from_le_bytes([low, high]));
        if back == 0 || back > at {
            break;
        }
        // If the length is cut, so much of it is certain.
        let (more, whole) = rest.length(token & 15);
        let wanted = more.saturating_add(MIN_MATCH);
        let n = wanted.min(out.len() - at);
        // Source and target overlap on purpose: that is how runs are written.
        for to in at..at + n {
            out[to] = out[to - back];
        }
        at += n;
        if n < wanted || !whole {
            break;
        }
    }
    at
}

/// What is left of a block.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// At most `n` bytes.
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A length from its four bits in the token and the bytes that follow; whether it is whole.
    fn length(&mut self, nibble: u8) -> (usize, bool) {
        let mut length = usize::from(nibble);
        if nibble < 15 {
            return (length, true);
        }
        while let Some(byte) = self.byte() {
            length = length.saturating_add(usize::from(byte));
            if byte != u8::MAX {
                return (length, true);
            }
        }
        (length, false)
    }
}
