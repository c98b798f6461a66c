//! The format of PNG files (ISO/IEC 15948).
//!
//! | bytes | what |
//! |---|---|
//! | 8 | signature |
//! | chunks | each: length, name, contents, CRC-32 of name and contents; numbers big-endian |
//! | IHDR | width, height, bits (8), kind (2: RGB, 3: palette), three zeros |
//! | PLTE | of kind 3: three bytes a colour |
//! | tRNS | of kind 3: how opaque each colour is |
//! | IDAT | rows from above, each behind the number of its filter, as a zlib stream |
//! | IEND | - |

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::hist::colours::Colour;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A file of pixels of four bytes, of which the last, how opaque they are, is left out.
pub(super) fn rgb(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut out = begin(width, height, 2);
    let rows = pixels.chunks(width as usize * 4).map(|row| {
        // Most rows are like the one above, and most pixels like the one before: filter 1, Sub.
        let mut line = vec![1];
        let mut before = [0_u8; 3];
        for pixel in row.chunks(4) {
            line.extend(pixel.iter().zip(before).map(|(now, before)| now.wrapping_sub(before)));
            before.copy_from_slice(&pixel[..3]);
        }
        line
    });
    end(&mut out, rows);
    out
}

/// A file of numbers of colours, of which one is transparent.
pub(super) fn indexed(width: u32, height: u32, cells: &[u8], palette: &[Colour], transparent: u8) -> Vec<u8> {
    let mut out = begin(width, height, 3);
    let colours: Vec<u8> = palette.iter().flat_map(|Colour(r, g, b)| [*r, *g, *b]).collect();
    chunk(&mut out, b"PLTE", &colours);
    let opaque: Vec<u8> = (0..=transparent).map(|index| if index == transparent { 0 } else { 255 }).collect();
    chunk(&mut out, b"tRNS", &opaque);
    let rows = cells.chunks((width as usize).max(1)).map(|row| [&[0], row].concat());
    end(&mut out, rows);
    out
}

fn begin(width: u32, height: u32, kind: u8) -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, kind, 0, 0, 0]);
    chunk(&mut out, b"IHDR", &header);
    out
}

fn end(out: &mut Vec<u8>, rows: impl Iterator<Item = Vec<u8>>) {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::new(6));
    for row in rows {
        // Memory takes everything.
        let _ = packed.write_all(&row);
    }
    chunk(out, b"IDAT", &packed.finish().unwrap_or_default());
    chunk(out, b"IEND", &[]);
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], contents: &[u8]) {
    out.extend((contents.len() as u32).to_be_bytes());
    out.extend(name);
    out.extend(contents);
    let mut crc = Crc::new();
    crc.update(name);
    crc.update(contents);
    out.extend(crc.sum().to_be_bytes());
}
