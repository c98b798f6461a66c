//! Numbers at any bit of a byte string, most significant bit first.

/// Before a block: the digits of pi.
pub(super) const BLOCK: u64 = 0x3141_5926_5359;
/// Before the end of a stream: the digits of its square root.
pub(super) const END: u64 = 0x1772_4538_5090;

/// Which of the two to look for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Magic {
    Block,
    Any,
}

#[derive(Clone, Copy)]
pub(super) struct Bits<'a>(pub(super) &'a [u8]);

impl Bits<'_> {
    /// The number of `len` bits, at most 48, at bit `at`; `None` if it goes beyond the end.
    pub(super) fn get(self, at: usize, len: usize) -> Option<u64> {
        let bytes = self.0.get(at / 8..(at + len).div_ceil(8))?;
        let number = bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        Some(number >> (bytes.len() * 8 - at % 8 - len) & ((1 << len) - 1))
    }

    /// The first number from bit `from` on: which, and at what bit.
    pub(super) fn find(self, from: usize, magic: Magic) -> Option<(u64, usize)> {
        // Whatever the bit, the number's second byte in the input holds eight bits of it.
        let mut at = from / 8;
        loop {
            let rest = self.0.get(at + 1..)?;
            at += rest.iter().position(|&byte| FILTER[usize::from(byte)])?;
            for bit in at * 8..at * 8 + 8 {
                let Some(number) = self.get(bit, 48) else { break };
                if bit >= from && (number == BLOCK || (number == END && magic == Magic::Any)) {
                    return Some((number, bit));
                }
            }
            at += 1;
        }
    }

    /// Appends the bits from `from` to `end` to whole bytes. What does not fill a byte is
    /// returned: the bits, and how many they are.
    pub(super) fn copy(self, from: usize, end: usize, to: &mut Vec<u8>) -> (u8, usize) {
        let (shift, bytes) = (from % 8, (end - from) / 8);
        let source = &self.0[from / 8..];
        match shift {
            0 => to.extend_from_slice(&source[..bytes]),
            _ => {
                to.extend(source.windows(2).take(bytes).map(|pair| pair[0] << shift | pair[1] >> (8 - shift)))
            }
        }
        let left = (end - from) % 8;
        (self.get(end - left, left).unwrap_or(0) as u8, left)
    }
}

/// Which bytes can be the second of a number.
const FILTER: [bool; 256] = {
    let mut filter = [false; 256];
    let mut shift = 0;
    while shift < 8 {
        filter[(BLOCK >> (32 + shift) & 0xff) as usize] = true;
        filter[(END >> (32 + shift) & 0xff) as usize] = true;
        shift += 1;
    }
    filter
};

/// The checksum of bzip2: CRC-32, most significant bit first.
pub(super) fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| crc << 8 ^ TABLE[usize::from((crc >> 24) as u8 ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = (n as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
};
