//! Compressed streams: read to their end in any pieces with the same result, broken or not.

use std::io::{Cursor, ErrorKind, Read, Write};
use std::ops::Range;
use std::sync::LazyLock;

use pactolus::formats::compress::Output;
use pactolus::formats::{ByteSource, Compression, Input, Pool};

use super::pieces::Pieces;

pub fn gzip(input: &[u8]) -> bool {
    check(Compression::Gzip, input)
}

pub fn lz4(input: &[u8]) -> bool {
    check(Compression::Lz4, input)
}

pub fn bzip2(input: &[u8]) -> bool {
    check(Compression::Bzip2, input)
}

pub fn zstd(input: &[u8]) -> bool {
    check(Compression::Zstd, input)
}

/// First bytes from here on announce a recipe; no magic number begins so.
const RECIPE: u8 = 0xf0;

fn check(compression: Compression, input: &[u8]) -> bool {
    match input {
        [first, recipe @ ..] if *first >= RECIPE => made(compression, recipe),
        _ if Compression::detect(input) == compression => {
            decode_twice(input);
            true
        }
        _ => false,
    }
}

/// What came out of a stream.
#[derive(Debug, PartialEq)]
struct Decoded {
    bytes: Vec<u8>,
    /// Where it broke, counted in the bytes above, and why.
    breaks: Vec<(usize, ErrorKind, String)>,
    /// Each place that was told, behind so many bytes.
    places: Vec<(usize, Option<u64>)>,
    /// There was more than [`ENOUGH`].
    more: bool,
}

/// The threads outlive the cases: starting them costs more than most.
static POOL: LazyLock<Pool> = LazyLock::new(|| Pool::new(2).unwrap());

/// A few bytes can stand for gigabytes; nobody waits for them here.
const ENOUGH: usize = 4 << 20;

fn decode_twice(bytes: &[u8]) -> Decoded {
    let input = Input::new(Cursor::new(bytes.to_vec()), "run00042.mid").unwrap();
    let decoded = decode(input, 64 << 10, bytes.len());
    let input = Input::new(Cursor::new(bytes.to_vec()), "run00042.mid").unwrap().with_pool(POOL.clone());
    let wide = decode(input, 64 << 10, bytes.len());
    assert!(
        decoded == wide,
        "depends on the pool: {:?} {:?}, {:?} {:?}",
        decoded.breaks,
        decoded.places,
        wide.breaks,
        wide.places
    );
    let input = Input::new(Pieces::new(bytes), "run00042.mid").unwrap();
    let again = decode(input, 1000, bytes.len());
    if !decoded.more && !again.more {
        let same = (&decoded.bytes, &decoded.breaks) == (&again.bytes, &again.breaks);
        assert!(same, "depends on pieces: {:?}, {:?}", decoded.breaks, again.breaks);
    }
    let input = Input::new(Pieces::pausing(bytes), "run00042.mid").unwrap();
    let paused = decode(input, 1000, bytes.len());
    if !decoded.more && !paused.more {
        let same = (&decoded.bytes, &decoded.breaks) == (&paused.bytes, &paused.breaks);
        assert!(same, "depends on pauses: {:?}, {:?}", decoded.breaks, paused.breaks);
    }
    decoded
}

fn decode(mut input: Input, step: usize, len: usize) -> Decoded {
    let mut decoded = Decoded { bytes: Vec::new(), breaks: Vec::new(), places: Vec::new(), more: false };
    let mut buffer = vec![0; step];
    let mut before = None;
    loop {
        let place = input.compressed_offset();
        assert!(place.is_none_or(|at| at <= len as u64), "{place:?} of {len} bytes");
        decoded.places.push((decoded.bytes.len(), place));
        match input.read(&mut buffer) {
            Ok(0) => {
                assert_eq!(input.read(&mut buffer).unwrap(), 0, "an end behind which it goes on");
                return decoded;
            }
            Ok(n) => {
                decoded.bytes.extend_from_slice(&buffer[..n]);
                if decoded.bytes.len() > ENOUGH {
                    decoded.more = true;
                    return decoded;
                }
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => {
                assert!(matches!(e.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof), "{e}");
                assert!(!e.to_string().is_empty() && !e.to_string().contains('\n'));
                let again = input.read(&mut buffer).expect_err("a broken stream that goes on by itself");
                assert_eq!((again.kind(), again.to_string()), (e.kind(), e.to_string()));
                decoded.breaks.push((decoded.bytes.len(), e.kind(), e.to_string()));
                let resumed = loop {
                    match input.resume() {
                        Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                        resumed => break resumed.unwrap(),
                    }
                };
                if !resumed {
                    return decoded;
                }
                let place = input.compressed_offset();
                assert!(place > before || before.is_none(), "resumed at {place:?} after {before:?}");
                before = place;
            }
        }
    }
}

/// A recipe: members and how they are compressed, bytes to change, and the content.
fn made(compression: Compression, recipe: &[u8]) -> bool {
    let [how, changes, rest @ ..] = recipe else { return false };
    let (members, level) = (usize::from(how % 4) + 1, how / 4);
    let changes = usize::from(changes % 4);
    let Some((changes, content)) = rest.split_at_checked(3 * changes) else { return false };
    let (mut bytes, places) = pack(compression, members, level, content);
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] ^= change[2];
    }
    if Compression::detect(&bytes) != compression {
        return true;
    }
    let decoded = decode_twice(&bytes);
    let (sound, _) = pack(compression, members, level, content);
    let first = bytes.iter().zip(&sound).position(|(a, b)| a != b);
    let Some(first) = first else {
        assert!(decoded.breaks.is_empty(), "{:?}", decoded.breaks);
        assert!(decoded.bytes == content, "not what was compressed");
        return true;
    };
    // What lies in members before the first change is all there.
    let before = places.iter().take_while(|(packed, _)| packed.end <= first).last();
    if let Some((_, plain)) = before {
        assert!(decoded.bytes.starts_with(&content[..plain.end]), "lost before the damage");
    }
    // What lies in members behind the last change is there too, and comes last.
    if compression == Compression::Lz4 && may_take_in_the_next(&bytes, &sound, &places) {
        return true;
    }
    let last = bytes.iter().zip(&sound).rposition(|(a, b)| a != b).unwrap_or(first);
    let behind = places.iter().find(|(packed, _)| packed.start > last);
    if let Some((_, plain)) = behind {
        assert!(decoded.bytes.ends_with(&content[plain.start..]), "lost behind: {:?}", decoded.breaks);
    }
    true
}

/// Whether a frame of LZ4 may end in the middle of the one behind it, and nothing tells: a wrong size
/// may lead to that one's end, and a frame that stands in the content of a broken one, stored as it
/// is, need not have checksums.
fn may_take_in_the_next(bytes: &[u8], sound: &[u8], places: &Places) -> bool {
    let sizes_differ = places.iter().any(|(frame, _)| {
        // Behind the magic number up to the block's data, and the zero behind the last block.
        let (start, end) = (frame.start + 4..frame.start + 11, frame.end - 8..frame.end - 4);
        bytes[start.clone()] != sound[start] || bytes[end.clone()] != sound[end]
    });
    sizes_differ
        || bytes.windows(4).enumerate().any(|(at, magic)| {
            let inside = places.iter().all(|(frame, _)| frame.start != at);
            inside && matches!(magic, [4, 0x22, 0x4d, 0x18] | [2, 0x21, 0x4c, 0x18])
        })
}

/// Content in so many members, each with its place in the stream and in the content.
type Places = Vec<(Range<usize>, Range<usize>)>;

fn pack(compression: Compression, members: usize, level: u8, content: &[u8]) -> (Vec<u8>, Places) {
    let level = match compression {
        Compression::Gzip => Some(u32::from(level % 10)),
        // Small blocks and small tables: the fuzzer makes many of these.
        Compression::Bzip2 => Some(1),
        Compression::Zstd => Some(u32::from(level % 4) + 1),
        Compression::Lz4 | Compression::None => None,
    };
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    let size = content.len().div_ceil(members).max(1);
    let mut at = 0;
    // An empty content is an empty member.
    let pieces = if content.is_empty() { vec![content] } else { content.chunks(size).collect() };
    for piece in pieces {
        let start = bytes.len();
        let mut output = Output::new(compression, level, bytes).unwrap();
        output.write_all(piece).unwrap();
        bytes = output.finish().unwrap();
        places.push((start..bytes.len(), at..at + piece.len()));
        at += piece.len();
    }
    (bytes, places)
}
