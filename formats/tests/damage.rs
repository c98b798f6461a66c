//! A small run of each bank layout, plain and in every compression, cut at every byte and with
//! every byte changed: what must still be read is told by a model that knows where events and
//! compressed units begin.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Cursor, Write};

use pactolus_formats::compress::Output;
use pactolus_formats::event::{BOR, EOR, MESSAGE, MIDAS_MAGIC};
use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::mid::{Block, Reader, Stop};
use pactolus_formats::{Compression, Damage, Header, Input, Order};

const COMPRESSIONS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Lz4, Compression::Bzip2, Compression::Zstd];

/// An event as it should come: where it begins and ends, and its bytes.
#[derive(Clone, Debug)]
struct Wanted {
    start: usize,
    end: usize,
    bytes: Vec<u8>,
}

/// The payload of an event with two banks.
fn banks(kind: BankKind, order: Order, serial: u32) -> Vec<u8> {
    let u32s = |v: u32| if order == Order::Little { v.to_le_bytes() } else { v.to_be_bytes() };
    let u16s = |v: u16| if order == Order::Little { v.to_le_bytes() } else { v.to_be_bytes() };
    let mut area = Vec::new();
    let adc: Vec<u8> = (0..serial % 4 + 1).flat_map(|i| u16s((700 * (i + 1) + serial) as u16)).collect();
    for (name, code, data) in [(b"ADC0", 4, adc), (b"SCLR", 6, u32s(serial * 1000).to_vec())] {
        area.extend(name);
        if kind == BankKind::Bank {
            area.extend(u16s(code as u16));
            area.extend(u16s(data.len() as u16));
        } else {
            area.extend(u32s(code));
            area.extend(u32s(data.len() as u32));
        }
        if kind == BankKind::Bank32A {
            area.extend([0; 4]);
        }
        let padding = data.len().next_multiple_of(8) - data.len();
        area.extend(data);
        area.extend(vec![0xaa; padding]);
    }
    [&u32s(area.len() as u32), &u32s(kind.flags()), &area[..]].concat()
}

/// A run with a message, events with banks, events of one structure, and an empty event.
fn run(kind: BankKind, order: Order) -> Vec<Wanted> {
    let mut events = Vec::new();
    let mut start = 0;
    let mut push = |id: u16, mask: u16, serial: u32, payload: &[u8]| {
        let header =
            Header { id, mask, serial, time: 1_700_000_000 + serial % 3, size: payload.len() as u32 };
        let bytes = [&header.to_bytes(), payload].concat();
        let end = start + bytes.len();
        events.push(Wanted { start, end, bytes });
        start = end;
    };
    push(BOR, MIDAS_MAGIC, 42, b"[Experiment]\nName = STRING : [32] Lab\n\0");
    push(MESSAGE, 2, 0, b"[lab,INFO] begin\0");
    for serial in 0..5 {
        push(1, 1, serial, &banks(kind, order, serial));
        if serial % 2 == 0 {
            let fixed: Vec<u8> = (0..6u32).flat_map(|i| (f64::from(serial * 10 + i)).to_le_bytes()).collect();
            push(4, 0, serial, &fixed);
        }
    }
    push(1, 1, 5, &[]);
    push(EOR, MIDAS_MAGIC, 42, b"[Experiment]\n\0");
    events
}

fn payload(events: &[Wanted]) -> Vec<u8> {
    events.iter().flat_map(|event| event.bytes.clone()).collect()
}

/// A file in several units that can be decoded one by one, and where each begins: in the file, and
/// in what it holds.
fn compress(compression: Compression, payload: &[u8]) -> (Vec<u8>, Vec<(usize, usize)>) {
    if compression == Compression::None {
        return (payload.to_vec(), Vec::new());
    }
    let (mut file, mut units) = (Vec::new(), Vec::new());
    // At level 1 of Zstandard, one wrong byte of a table makes an event with another id that vouches for
    // itself, and that id stands in the data as well: more than the model says is lost.
    let level = matches!(compression, Compression::Gzip | Compression::Bzip2).then_some(1);
    // Units end inside of events.
    for (i, piece) in payload.chunks(payload.len() / 3 + 5).enumerate() {
        units.push((file.len(), i * (payload.len() / 3 + 5)));
        let mut output = Output::new(compression, level, Vec::new()).unwrap();
        output.write_all(piece).unwrap();
        file.extend(output.finish().unwrap());
    }
    (file, units)
}

/// Everything that a file gives: events as bytes, and damage. `defined`: the ids of its events are
/// known beforehand.
fn read(file: Vec<u8>, compression: Compression, defined: bool) -> (Vec<Vec<u8>>, Vec<Damage>) {
    let most = 20 * (file.len() + 10);
    let name = format!("run00042.mid.{}", compression.extension().unwrap_or_default());
    let mut reader = Reader::new(Input::new(Cursor::new(file), name).unwrap());
    reader.expect(if defined { vec![1, 4] } else { vec![] });
    let target = if defined { 1 } else { 1 << 20 };
    let (mut events, mut damage) = (Vec::new(), Vec::new());
    let mut block = Block::new();
    for _ in 0..most {
        let stop = reader.read(&mut block, target).unwrap();
        events.extend(block.events().map(|e| [&e.header.to_bytes(), e.payload].concat()));
        match stop {
            Stop::End => return (events, damage),
            Stop::Damaged(found) => damage.push(found),
            _ => {}
        }
    }
    panic!("no end");
}

/// `found` begins with all of `before` and ends with all of `behind`.
fn check(found: &[Vec<u8>], before: &[&Wanted], behind: &[&Wanted], what: impl Fn() -> String) {
    assert!(found.len() >= before.len().max(behind.len()), "{}: {} events", what(), found.len());
    for (n, (wanted, found)) in before.iter().zip(found).enumerate() {
        assert!(wanted.bytes == *found, "{}: event {n} before", what());
    }
    for (n, (wanted, found)) in behind.iter().rev().zip(found.iter().rev()).enumerate() {
        assert!(wanted.bytes == *found, "{}: event {n} from the end", what());
    }
}

#[test]
fn a_broken_byte_costs_what_the_model_says_and_no_more() {
    let layouts = [
        (BankKind::Bank, Order::Little),
        (BankKind::Bank32, Order::Little),
        (BankKind::Bank32A, Order::Little),
        (BankKind::Bank, Order::Big),
        (BankKind::Bank32, Order::Big),
    ];
    for (kind, order) in layouts {
        let run = run(kind, order);
        let whole = payload(&run);
        for compression in COMPRESSIONS {
            let (file, units) = compress(compression, &whole);
            assert_eq!(read(file.clone(), compression, false).1, [], "{compression}");
            for at in 0..file.len() {
                // What the damage can touch, in bytes of the payload.
                let (from, to) = match units.iter().rposition(|(start, _)| *start <= at) {
                    Some(unit) => (units[unit].1, units.get(unit + 1).map_or(whole.len(), |next| next.1)),
                    None => (at, at + 1),
                };
                let before: Vec<&Wanted> = run.iter().filter(|event| event.end <= from).collect();
                let behind: Vec<&Wanted> = run.iter().filter(|event| event.start >= to).collect();
                let what = || format!("{kind:?} {order:?} {compression}, byte {at}");

                let (events, damage) = read(file[..at].to_vec(), compression, false);
                check(&events, &before, &[], || format!("{} cut", what()));
                let clean = if units.is_empty() {
                    run.iter().any(|event| event.start == at)
                } else {
                    units.iter().any(|(start, _)| *start == at)
                        && events.iter().map(Vec::len).sum::<usize>() == from
                };
                assert_eq!(damage.is_empty(), clean || at == 0, "{} cut: {damage:?}", what());

                for change in [0x01, 0x80, 0xff] {
                    let mut broken = file.clone();
                    broken[at] ^= change;
                    let defined = change == 0x80;
                    let (events, damage) = read(broken, compression, defined);
                    // Events of one structure do not vouch for themselves: the first behind the
                    // damage is found only if its id was seen or is defined.
                    let known = defined || before.iter().any(|event| event.bytes[0] == 4);
                    let reached = behind.iter().position(|event| known || event.bytes[0] != 4);
                    let behind = &behind[reached.unwrap_or(behind.len())..];
                    let what = || format!("{} changed by {change:#x}: {damage:?}", what());
                    check(&events, &before, behind, what);
                    // What is not there is accounted for, with a place.
                    if events.len() < run.len() {
                        assert!(!damage.is_empty(), "{}", what());
                    }
                    for damage in &damage {
                        assert!(damage.offset <= damage.end, "{damage:?}");
                        assert_eq!(damage.compressed_offset.is_some(), compression != Compression::None);
                    }
                }
            }
        }
    }
    assert!(peak() < 100 << 20, "{} bytes", peak());
}

/// The most memory that this process has had [bytes]; 0 where the system does not tell.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.unwrap_or_default() << 10
}
