//! Damage in compressed files.

use std::io::Write;

use pactolus::formats::compress::{Compression, Output};

use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

/// The run compressed, and changed.
fn broken(place: &Place, kind: Compression, change: impl Fn(&mut Vec<u8>)) -> Ran {
    let mut bytes = pack(kind);
    change(&mut bytes);
    let name = format!("run00042.mid.{}", kind.extension().unwrap());
    place.put(&name, bytes).run(&format!("scan @{name}"))
}

fn pack(kind: Compression) -> Vec<u8> {
    let mut output = Output::new(kind, None, Vec::new()).unwrap();
    output.write_all(&run_of(500).eor(42).bytes).unwrap();
    output.finish().unwrap()
}

/// The run as an LZ4 frame with this descriptor and one block.
fn lz4(place: &Place, descriptor: &[u8], size: u32, block: &[u8], behind: &[u8]) -> Ran {
    let check = (xxh32(descriptor) >> 8) as u8;
    let head = [&[4, 0x22, 0x4d, 0x18], descriptor, &[check], &size.to_le_bytes()].concat();
    place.put("run00042.mid.lz4", [&head, block, behind].concat()).run("scan @run00042.mid.lz4")
}

/// The run as it is in a block of an LZ4 frame, with what stands behind the block.
fn stored(place: &Place, descriptor: &[u8], behind: &[u8]) -> Ran {
    let run = run_of(5).eor(42).bytes;
    lz4(place, descriptor, run.len() as u32 | 1 << 31, &run, behind)
}

/// The checksum of LZ4 (xxHash, 32 bits, seed 0) of fewer than 16 bytes.
fn xxh32(bytes: &[u8]) -> u32 {
    assert!(bytes.len() < 16, "longer texts have another form");
    let mut sum = 374_761_393_u32.wrapping_add(bytes.len() as u32);
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        sum = sum.wrapping_add(u32::from_le_bytes(*word).wrapping_mul(3_266_489_917));
        sum = sum.rotate_left(17).wrapping_mul(668_265_263);
    }
    for byte in rest {
        sum = sum.wrapping_add(u32::from(*byte).wrapping_mul(374_761_393));
        sum = sum.rotate_left(11).wrapping_mul(2_654_435_761);
    }
    sum = (sum ^ sum >> 15).wrapping_mul(2_246_822_519);
    sum = (sum ^ sum >> 13).wrapping_mul(3_266_489_917);
    sum ^ sum >> 16
}

pub(crate) fn all() -> Provokers {
    use Compression::{Bzip2, Gzip, Lz4, Zstd};
    provoke! {
        "gzip stream cut short" => |p| broken(p, Gzip, |b| b.truncate(b.len() - 5));
        "lz4 stream cut short" => |p| broken(p, Lz4, |b| b.truncate(b.len() - 5));
        "bzip2 stream cut short" => |p| broken(p, Bzip2, |b| b.truncate(b.len() - 5));
        "zstd stream cut short" => |p| broken(p, Zstd, |b| b.truncate(b.len() - 5));
        "... stream begins with a wrong number" => |p| broken(p, Gzip, |b| b[0] ^= 0xa0);
        "foreign bytes behind the end of the ... stream" => |p| broken(p, Gzip, |b| b.extend(b"abag"));
        "gzip header without an end in ... bytes" => |p| broken(p, Gzip, |b| {
            b.extend([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]);
            b.resize(b.len() + (2 << 20), b'a');
        });
        "gzip header checksum does not match" => |p| broken(p, Gzip, |b| {
            b.extend([0x1f, 0x8b, 8, 2, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0]);
        });
        "gzip stream is corrupt" => |p| broken(p, Gzip, |b| b[10] = 7);
        "gzip checksum does not match" => |p| broken(p, Gzip, |b| {
            let at = b.len() - 8;
            b[at] ^= 1;
        });
        "gzip length does not match" => |p| broken(p, Gzip, |b| {
            let at = b.len() - 4;
            b[at] ^= 1;
        });
        "frame inside a skippable frame of ... bytes" => |p| broken(p, Lz4, |b| {
            let frame = b.clone();
            b.extend([0x5a, 0x2a, 0x4d, 0x18, 0, 0, 0x20, 0]);
            b.extend(frame);
        });
        "lz4 frame header checksum does not match" => |p| broken(p, Lz4, |b| b[6] ^= 1);
        "lz4 frame of an unknown version" => |p| stored(p, &[0x20, 0x40], &[]);
        "lz4 frame needs a dictionary: not supported" => |p| stored(p, &[0x61, 0x40, 1, 2, 3, 4], &[]);
        "lz4 frame of an unknown block size" => |p| stored(p, &[0x60, 0x30], &[]);
        "lz4 block of ... bytes: at most ... expected" => |p| lz4(p, &[0x60, 0x40], 1 << 20, &[0; 100], &[]);
        "lz4 block checksum does not match" => |p| stored(p, &[0x70, 0x40], &[0; 8]);
        "lz4 block is corrupt" => |p| lz4(p, &[0x60, 0x40], 4, &[0; 4], &[0; 4]);
        "lz4 content of ... bytes expected, ... found" => |p| {
            stored(p, &[0x68, 0x40, 9, 0, 0, 0, 0, 0, 0, 0], &[0; 4])
        };
        "lz4 content checksum does not match" => |p| stored(p, &[0x64, 0x40], &[0; 8]);
        "bzip2 block is corrupt" => |p| broken(p, Bzip2, |b| {
            let at = b.len() / 2;
            b[at] ^= 0x55;
        });
        "bzip2 block wanted, other bytes found" => |p| broken(p, Bzip2, |b| b[5] ^= 0xff);
        "bzip2 checksum does not match" => |p| broken(p, Bzip2, |b| {
            let at = b.len() - 3;
            b[at] ^= 0x55;
        });
        "zstd window of ... bytes: at most ... expected" => |p| broken(p, Zstd, |b| {
            b.extend([0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 1, 0, 0]);
        });
        "zstd stream unreadable: ..." => |p| broken(p, Zstd, |b| {
            let at = b.len() / 2;
            b[at..at + 20].fill(0xff);
        });
    }
}
