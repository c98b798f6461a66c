//! The hash that experiments with a password expect: 13 characters, home-made in MIDAS, no secret.

/// The hash of a password, of which the first eight bytes count.
pub(crate) fn hashed(password: &str) -> String {
    let mut bytes = [0u8; 13];
    bytes[..2].copy_from_slice(b"mi");
    for (byte, letter) in bytes[2..10].iter_mut().zip(password.bytes()) {
        *byte = letter;
    }
    let mut seed: i32 = 123;
    for byte in &mut bytes[2..] {
        // A C char is signed on the machines where MIDAS runs.
        seed = seed.wrapping_mul(5).wrapping_add(27).wrapping_add(i32::from(*byte as i8));
        let digit = (seed & 63) as u8;
        *byte = match digit {
            38.. => b'a' + (digit - 38),
            12.. => b'A' + (digit - 12),
            _ => b'.' + digit,
        };
    }
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::hashed;

    #[test]
    fn a_hash_has_its_salt_and_eleven_characters_that_differ_with_the_first_eight_bytes() {
        let hash = hashed("secret");
        assert_eq!(hash.len(), 13);
        assert!(hash.starts_with("mi"));
        assert!(hash[2..].bytes().all(|c| c.is_ascii_alphanumeric() || c == b'.' || c == b'/'));
        assert_ne!(hash, hashed("secreu"));
        assert_eq!(hashed("12345678"), hashed("123456789"));
        // By hand: 123 * 5 + 27 + 's' = 757, & 63 = 53, 'a' + 15; then 757 * 5 + 27 + 'e' = 3913, & 63 = 9, '.' + 9.
        assert_eq!(&hash[2..4], "p7");
    }
}
