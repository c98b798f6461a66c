//! The hash that MIDAS keeps of a password.

pub fn hash(password: &str) -> String {
    let mut bytes = [0u8; 13];
    bytes[..2].copy_from_slice(b"mi");
    for (to, from) in bytes[2..10].iter_mut().zip(password.bytes()) {
        *to = from;
    }
    let mut seed: i32 = 123;
    for byte in &mut bytes[2..] {
        seed = seed.wrapping_mul(5).wrapping_add(27).wrapping_add(i32::from(*byte as i8));
        *byte = match (seed & 63) as u8 {
            v @ 38.. => b'a' + v - 38,
            v @ 12.. => b'A' + v - 12,
            v => b'.' + v,
        };
    }
    bytes.iter().map(|&byte| byte as char).collect()
}
