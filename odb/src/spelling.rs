//! Names as text, without losing a byte.
//!
//! MIDAS stores names as bytes without an encoding; almost all are ASCII or UTF-8. A byte that is
//! no UTF-8 (a Latin-1 `µ`) is spelled as a private character, U+F780 to U+F7FF, and written back
//! as the byte it was. These characters themselves, found in a file, are taken as loose bytes, so
//! every sequence of bytes comes back as it was.

const PRIVATE: u32 = 0xf700;

/// The text of these bytes; [`to_bytes`] gives the same bytes back.
pub fn from_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if private(c).is_some() {
                let mut buffer = [0; 4];
                c.encode_utf8(&mut buffer).bytes().for_each(|byte| push_loose(&mut text, byte));
            } else {
                text.push(c);
            }
        }
        chunk.invalid().iter().for_each(|&byte| push_loose(&mut text, byte));
    }
    text
}

/// The bytes of a text made by [`from_bytes`].
pub fn to_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match private(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

fn push_loose(text: &mut String, byte: u8) {
    // All such bytes are 0x80 and above: below that, every byte is UTF-8.
    text.extend(char::from_u32(PRIVATE + u32::from(byte)));
}

fn private(c: char) -> Option<u8> {
    u8::try_from((c as u32).checked_sub(PRIVATE)?).ok().filter(|byte| *byte >= 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) {
        assert_eq!(to_bytes(&from_bytes(bytes)), bytes, "{bytes:?}");
    }

    #[test]
    fn every_name_comes_back_as_it_was() {
        check(b"plain");
        check("grün \u{f7b5}".as_bytes());
        check(b"\xfc\xb5 latin");
        check(b"cut \xe2\x82");
        for byte in 0..=255 {
            check(&[byte, b'x', byte]);
        }
    }
}
