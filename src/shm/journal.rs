//! The journal of a stream: what happens between events, which no overrun may drop.
//!
//! It lies behind all that is mapped, from byte `base` of the file on, is only written at its end and only
//! read by position; what all have read is given back. A record begins at a multiple of 8 and is one, all
//! numbers little-endian:
//!
//! | byte | what |
//! |---|---|
//! | 0 | u32 magic |
//! | 4 | u32 checksum (CRC-32C) of all that follows |
//! | 8 | u64 where the record begins in the journal |
//! | 16 | u32 bytes of the record |
//! | 20 | u32 kind |
//! | 24 | u32 run |
//! | 28 | u32 number of totals |
//! | 32 | u64 position in the ring at which it happened |
//! | 40 | u32 bytes of the event |
//! | 44 | u32 0 |
//! | 48 | totals: each u16 event id, u64 events published of it until then |
//! | | the event; zeros up to a multiple of 8 |

use std::os::unix::fs::FileExt as _;

use super::file::RingFile;
use super::room::{self, PAGE};
use super::{Error, Result};

/// How a record begins.
const MAGIC: u32 = u32::from_le_bytes(*b"PTjr");

/// Bytes before the totals.
const HEAD: usize = 48;

/// Bytes of a total.
const TOTAL: usize = 10;

/// Bytes of a record at most. The dump of an ODB has some megabytes.
const LONGEST: usize = 256 << 20;

/// What happened between events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Beginning, end, pause: the journal does not know which is which.
    pub(super) kind: u8,
    /// The run.
    pub(super) run: u32,
    /// Position in the ring.
    pub(super) position: u64,
    /// The event that says it, or nothing.
    pub(super) event: Vec<u8>,
    /// Events published of each id until then.
    pub(super) totals: Vec<(u16, u64)>,
}

/// Writes a record at the end `at` of the journal that begins at byte `base`; gives the new end.
///
/// # Errors
/// If there is no room: then nothing of it is left in the file. If the event is too large.
pub(super) fn append(ring: &RingFile, base: u64, at: u64, record: &Record) -> Result<u64> {
    let bytes = encode(at, record)?;
    let length = bytes.len() as u64;
    let io = |source| Error::Io { what: "write the journal of", path: ring.path.clone(), source };
    let in_file = ring.file.metadata().map_err(io)?.len().saturating_sub(base);
    if at > in_file {
        return Err(damage(
            ring,
            base,
            at,
            format!("this is to be the end, the file has {in_file} bytes for it"),
        ));
    }
    match ring.file.write_all_at(&bytes, base + at) {
        Ok(()) => Ok(at + length),
        Err(source) => {
            // Nobody reads behind the end. What was written there would only fill the disk.
            let _ = ring.file.set_len(base + at);
            if !room::is_full(&source) {
                return Err(io(source));
            }
            let free = room::free(&ring.file).unwrap_or(0);
            Err(Error::Full { path: ring.path.clone(), wanted: length, free })
        }
    }
}

/// The record at `at`, and where the next one begins. The journal begins at byte `base` of the file, and
/// ends at `end`.
///
/// # Errors
/// If there is no whole record. All numbers are another process's word, and are checked.
pub(super) fn read(ring: &RingFile, base: u64, at: u64, end: u64) -> Result<(Record, u64)> {
    let wrong = |why: String| damage(ring, base, at, why);
    let io = |source| Error::Io { what: "read the journal of", path: ring.path.clone(), source };
    let size = ring.file.metadata().map_err(io)?.len();
    let in_file = size.saturating_sub(base);
    if end > in_file {
        return Err(wrong(format!("the journal is to have {end} bytes, the file has {in_file} for it")));
    }
    let left = end.saturating_sub(at);
    if left < HEAD as u64 {
        return Err(wrong(format!("the head of a record has {HEAD} bytes, {left} are left")));
    }
    let mut head = [0; HEAD];
    // Whoever makes the file shorter now makes this an error.
    ring.file.read_exact_at(&mut head, base + at).map_err(io)?;
    let head = Head::decode(&head);
    if head.magic != MAGIC {
        return Err(wrong(format!("{MAGIC:#x} begins a record, found {:#x}", head.magic)));
    }
    if head.at != at {
        return Err(wrong(format!("the record says that it is at {}", head.at)));
    }
    let length = u64::from(head.length);
    let content = HEAD as u64 + u64::from(head.totals) * TOTAL as u64 + u64::from(head.event);
    if length > LONGEST as u64 || length > left || length != content.next_multiple_of(8) {
        return Err(wrong(format!(
            "a record of {length} bytes with {} totals and an event of {} bytes, where {left} bytes are left",
            head.totals, head.event,
        )));
    }
    let mut bytes = vec![0; length as usize];
    ring.file.read_exact_at(&mut bytes, base + at).map_err(io)?;
    let found = crc32c::crc32c(&bytes[8..]);
    if found != head.sum {
        return Err(wrong(format!("checksum {:#x} is noted, the record has {found:#x}", head.sum)));
    }
    // The head was read twice: what was checked is what the checksum is of.
    if Head::decode(&bytes) != head {
        return Err(wrong("the record was changed while it was read".into()));
    }
    let Ok(kind) = u8::try_from(head.kind) else {
        return Err(wrong(format!("a transition of kind {}", head.kind)));
    };
    let (totals, event) = bytes[HEAD..content as usize].split_at(head.totals as usize * TOTAL);
    let totals = totals.chunks_exact(TOTAL).map(|total| (u16_at(total, 0), u64_at(total, 2))).collect();
    let (run, position, event) = (head.run, head.position, event.to_vec());
    Ok((Record { kind, run, position, event, totals }, at + length))
}

/// Gives back what the journal holds up to a position; up to `from` it was given back before. Not possible
/// there: nothing.
pub(super) fn punch(ring: &RingFile, base: u64, from: u64, to: u64) {
    // The page in which we had stopped is whole now.
    if let (Some(from), Some(to)) = (base.checked_add(from - from % PAGE), base.checked_add(to)) {
        room::give_back(&ring.file, from, to);
    }
}

/// What a record begins with.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    magic: u32,
    sum: u32,
    at: u64,
    length: u32,
    kind: u32,
    run: u32,
    totals: u32,
    position: u64,
    event: u32,
}

impl Head {
    /// Of at least as many bytes as a head has.
    fn decode(bytes: &[u8]) -> Head {
        Head {
            magic: u32_at(bytes, 0),
            sum: u32_at(bytes, 4),
            at: u64_at(bytes, 8),
            length: u32_at(bytes, 16),
            kind: u32_at(bytes, 20),
            run: u32_at(bytes, 24),
            totals: u32_at(bytes, 28),
            position: u64_at(bytes, 32),
            event: u32_at(bytes, 40),
        }
    }
}

fn encode(at: u64, record: &Record) -> Result<Vec<u8>> {
    let length = record.totals.len().saturating_mul(TOTAL).saturating_add(record.event.len());
    if length > LONGEST - HEAD - 8 {
        let why = format!("the ODB at a transition has {} bytes, at most {LONGEST} fit", record.event.len());
        return Err(Error::BadEvent { why });
    }
    // All numbers fit: they are smaller than the longest record.
    let length = (HEAD + length).next_multiple_of(8);
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(MAGIC.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(at.to_le_bytes());
    bytes.extend((length as u32).to_le_bytes());
    bytes.extend(u32::from(record.kind).to_le_bytes());
    bytes.extend(record.run.to_le_bytes());
    bytes.extend((record.totals.len() as u32).to_le_bytes());
    bytes.extend(record.position.to_le_bytes());
    bytes.extend((record.event.len() as u32).to_le_bytes());
    bytes.extend([0; 4]);
    for (id, total) in &record.totals {
        bytes.extend(id.to_le_bytes());
        bytes.extend(total.to_le_bytes());
    }
    bytes.extend(&record.event);
    bytes.resize(length, 0);
    let sum = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

fn damage(ring: &RingFile, base: u64, at: u64, why: String) -> Error {
    let byte = base.saturating_add(at);
    Error::Damaged { path: ring.path.clone(), why: format!("{why}, at byte {byte} (journal at {at})") }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&bytes[at..at + N]);
    found
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
