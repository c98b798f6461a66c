//! The limits of one thread: nothing but the steps that the format or the system demands.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Reads every byte in memory once.
pub(crate) fn read_memory(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

/// Steps from event to event and from bank to bank, and adds up what `of` says of the header and the
/// length of a bank.
fn banks(bytes: &[u8], of: impl Fn(usize, usize) -> u64) -> u64 {
    let (mut at, mut sum) = (0, 0);
    while at + 16 <= bytes.len() {
        let size = u32_at(bytes, at + 12) as usize;
        if u16_at(bytes, at) < 0x8000 {
            let end = at + 16 + 8 + u32_at(bytes, at + 16) as usize;
            let mut bank = at + 24;
            while bank < end {
                let len = u16_at(bytes, bank + 6) as usize;
                sum += of(bank, len);
                bank += 8 + len.next_multiple_of(8);
            }
        }
        at += 16 + size;
    }
    sum
}

/// Bytes of all banks; they are added up so that no step can be left out.
pub(crate) fn walk(bytes: &[u8]) -> u64 {
    banks(bytes, |_, len| len as u64)
}

/// The sum of all words of all banks.
pub(crate) fn words(bytes: &[u8]) -> u64 {
    banks(bytes, |bank, len| {
        let contents = &bytes[bank + 8..bank + 8 + len];
        match u16_at(bytes, bank + 4) {
            // WORD: at most 32767 of them, whose sum needs no more than 32 bits.
            4 => {
                let words = contents.as_chunks().0.iter().map(|w| u16::from_le_bytes(*w));
                u64::from(words.map(u32::from).sum::<u32>())
            }
            // DWORD
            6 => contents.as_chunks().0.iter().map(|w| u64::from(u32::from_le_bytes(*w))).sum(),
            other => panic!("a bank of type {other} in the sample experiment"),
        }
    })
}

/// Reads a file a megabyte at a time; its size.
pub(crate) fn read_file(path: &Path) -> u64 {
    copy(path, None)
}

/// Reads a file a megabyte at a time, and writes so many bytes for it; its size.
pub(crate) fn copy(path: &Path, mut out: Option<(&mut File, u64)>) -> u64 {
    let mut file = File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    let (mut buffer, mut read, mut written) = (vec![0; 2 << 20], 0, 0);
    loop {
        let n = file.read(&mut buffer[..1 << 20]).unwrap();
        if n == 0 {
            return read;
        }
        read += n as u64;
        if let Some((out, bytes)) = &mut out {
            // In proportion, so that reading and writing take turns as in a job.
            let wanted = (u128::from(*bytes) * u128::from(read) / u128::from(size)) as u64;
            while written < wanted {
                let piece = (wanted - written).min(buffer.len() as u64);
                out.write_all(&buffer[..piece as usize]).unwrap();
                written += piece;
            }
        }
    }
}

/// Writes so many bytes out of a megabyte that is in the cache.
pub(crate) fn write(path: &Path, bytes: u64) -> u64 {
    let (mut file, buffer, mut left) = (File::create(path).unwrap(), vec![0x5a; 1 << 20], bytes);
    while left > 0 {
        let piece = left.min(buffer.len() as u64);
        file.write_all(&buffer[..piece as usize]).unwrap();
        left -= piece;
    }
    bytes
}

/// Inflates a gzip file a megabyte at a time; its size when inflated.
pub(crate) fn inflate(path: &Path) -> u64 {
    let file = BufReader::with_capacity(1 << 20, File::open(path).unwrap());
    let (mut inflate, mut buffer, mut size) = (MultiGzDecoder::new(file), vec![0; 1 << 20], 0);
    loop {
        match inflate.read(&mut buffer).unwrap() {
            0 => return size,
            n => size += n as u64,
        }
    }
}

/// midasio's walk.
pub(crate) fn midasio_walk(bytes: &[u8]) -> u64 {
    let file = midasio::FileView::try_from_bytes(bytes).unwrap();
    file.iter().flat_map(|event| event.iter()).map(|bank| bank.data().len() as u64).sum()
}
