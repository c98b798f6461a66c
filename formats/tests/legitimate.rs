//! Files that are unusual but right: not one byte of them is damage.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use pactolus_formats::event::{BOR, EOR, MESSAGE, MIDAS_MAGIC};
use pactolus_formats::mid::{Block, Reader, Stop};
use pactolus_formats::{Damage, Header};

const T: u32 = 1_790_000_000;

fn event(id: u16, mask: u16, serial: u32, time: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header { id, mask, serial, time, size: payload.len() as u32 };
    [&header.to_bytes(), payload].concat()
}

/// Bytes that look like nothing, the same each time.
fn noise(seed: u32, len: usize) -> Vec<u8> {
    let mut state = u64::from(seed) | 1 << 40;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn fixed(id: u16, serial: u32, len: usize, time: u32) -> Vec<u8> {
    event(id, 0, serial, time, &noise(serial * 31 + u32::from(id), len))
}

/// An event with one BANK32 bank of 32-bit words; `off`: its size differs by so many bytes, as
/// mana's do.
fn words(id: u16, mask: u16, serial: u32, time: u32, n: u32, off: i32) -> Vec<u8> {
    let data: Vec<u8> = (0..n).flat_map(|i| (serial + i).to_le_bytes()).collect();
    let padded = data.len().next_multiple_of(8);
    let total = 12 + padded as u32;
    let mut payload = [total.to_le_bytes(), 0x11_u32.to_le_bytes(), *b"ADC0", 6_u32.to_le_bytes()].concat();
    payload.extend((data.len() as u32).to_le_bytes());
    payload.extend(&data);
    payload.resize(8 + 12 + padded, 0xaa);
    payload.resize((payload.len() as i32 + off) as usize, 0);
    event(id, mask, serial, time, &payload)
}

fn bank(serial: u32, time: u32) -> Vec<u8> {
    words(1, 0, serial, time, 4, 0)
}

fn bor(time: u32) -> Vec<u8> {
    event(BOR, MIDAS_MAGIC, 1, time, b"[Runinfo]\nRun number = INT : 1\n\0")
}

fn eor(time: u32) -> Vec<u8> {
    event(EOR, MIDAS_MAGIC, 1, time, b"[Runinfo]\n\0")
}

/// Events `0..n` with BOR and EOR around them.
fn run(n: u32, one: impl Fn(u32) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut events = vec![bor(T)];
    events.extend((0..n).map(one));
    events.push(eor(T));
    events
}

fn bare(n: u32, one: impl Fn(u32) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..n).map(one).collect()
}

fn read(file: &[u8], target: usize) -> (Vec<Vec<u8>>, Vec<Damage>) {
    let (mut reader, mut block) = (Reader::new(file), Block::new());
    let (mut events, mut damage) = (Vec::new(), Vec::new());
    loop {
        let stop = reader.read(&mut block, target).unwrap();
        events.extend(block.events().map(|e| [&e.header.to_bytes(), e.payload].concat()));
        match stop {
            Stop::End => return (events, damage),
            Stop::Damaged(found) => damage.push(found),
            _ => {}
        }
    }
}

#[test]
fn what_is_unusual_is_not_broken() {
    let random = |s: u32| u32::from_le_bytes(noise(s, 4).try_into().unwrap());
    let nested = |s: u32| (0..20).flat_map(|i| bank(s + i, T)).collect::<Vec<u8>>();
    let text = |s: u32| format!("[fe,INFO] message {s}").into_bytes();
    let odd_flags = |s: u32| {
        let flags = [3_u32, 0x13, 0x33, 0x12][s as usize % 4];
        let payload =
            [&16_u32.to_le_bytes()[..], &flags.to_le_bytes(), b"ADC0\x04\0\x08\0", &[0; 8]].concat();
        event(1, 0, s, T, &payload)
    };
    let files: Vec<(&str, Vec<Vec<u8>>)> = vec![
        (
            "FIXED events of several ids and sizes",
            run(900, |s| fixed(4 + (s % 3) as u16, s, 8 + s as usize % 90, T)),
        ),
        ("FIXED events alone", bare(900, |s| fixed(4, s, 48, T + s))),
        ("FIXED events of all sizes alone", bare(900, |s| fixed(4, s, 1 + s as usize % 300, T + s))),
        ("a clock that is set late", bare(900, |s| fixed(4, s, 48, if s == 0 { 0 } else { T }))),
        ("no clock", bare(900, |s| fixed(4, s, 48, 0))),
        ("no clock behind a BOR, sizes vary", run(900, |s| fixed(4, s, 40 + s as usize % 7, 0))),
        ("ticks for times", run(900, |s| fixed(4, s, 48, s * 100_000))),
        ("random times", run(900, |s| fixed(4, s, 48, random(s)))),
        (
            "three clocks",
            run(900, |s| fixed(4 + (s % 3) as u16, s, 48, [T + s, s, 946_684_800 + s][s as usize % 3])),
        ),
        (
            "two clocks and no BOR",
            bare(900, |s| fixed(4 + (s % 2) as u16, s, 48, [T + s, s][s as usize % 2])),
        ),
        ("banks at random times", run(900, |s| bank(s, random(s)))),
        ("an event a day", run(10, |s| fixed(4, s, 48, T + s * 100_000))),
        ("an event a day, sizes vary", run(10, |s| fixed(4, s, 40 + s as usize % 3, T + s * 100_000))),
        ("a pause of days", run(600, |s| fixed(4, s, 48, if s < 300 { T } else { T + 200_000 }))),
        ("no banks", run(100, |s| event(1, 0, s, T, &[0, 0, 0, 0, 1, 0, 0, 0]))),
        ("no bytes", run(100, |s| event(5, 0, s, T, &[]))),
        (
            "late ids",
            run(2000, |s| {
                if s < 1000 {
                    words(1 + (s / 100) as u16, 0, s, T, 4, 0)
                } else {
                    fixed(100 + (s / 10) as u16, s, 24, T)
                }
            }),
        ),
        ("mana, four bytes short", run(500, |s| words(1, 0, s, T, 5, -4))),
        ("mana, four bytes long", run(500, |s| words(1, 0, s, T, 5, 4))),
        ("mana, alone", bare(500, |s| words(1, 0, s, T, 5, -4))),
        ("mana at random times", run(500, |s| words(1, 0, s, random(s), 5, -4))),
        ("mana, ticks for times", run(500, |s| words(1, 0, s, s * 100_000, 5, -4))),
        (
            "mana with masks like that of BOR",
            run(500, |s| words(1, [MIDAS_MAGIC, 1, 2][s as usize % 3], s, T, 5, -4)),
        ),
        ("mana, large", run(4, |s| words(1, 0, s, T, 400_001, -4))),
        ("mana, large and small", run(40, |s| words(1, 0, s, T, if s % 10 == 9 { 400_001 } else { 5 }, 4))),
        ("large banks", run(3, |s| words(1, 0, s, T, 5_000_000, 0))),
        ("large FIXED events", run(3, |s| fixed(4, s, 20_000_000, T))),
        ("large FIXED events of all sizes", run(8, |s| fixed(4, s, 2_000_000 + 1000 * s as usize, T))),
        ("one large FIXED event", bare(1, |s| fixed(4, s, 20_000_000, T))),
        ("masks of any bits", run(900, |s| event(4, noise(s, 1)[0].into(), s, T, &noise(s, 48)))),
        (
            "masks like that of BOR",
            run(900, |s| event(4, if s % 7 == 3 { MIDAS_MAGIC } else { 3 }, s, T, &noise(s, 48))),
        ),
        (
            "unknown system events",
            run(500, |s| {
                if s % 2 == 0 {
                    bank(s, T)
                } else {
                    event(0x8003 + (s % 50) as u16, 0, s, T, &noise(s, s as usize % 40))
                }
            }),
        ),
        (
            "BOR and EOR of other writers",
            vec![event(BOR, 0, 1, T, b"{}"), bank(0, T), bank(1, T), event(EOR, 0, 1, T, b"{}\0")],
        ),
        (
            "BOR and EOR without text",
            vec![event(BOR, MIDAS_MAGIC, 1, T, b""), bank(0, T), event(EOR, MIDAS_MAGIC, 1, T, b"")],
        ),
        (
            "texts with zeros behind",
            vec![
                event(BOR, MIDAS_MAGIC, 1, T, b"[a]\n\0\0\0\0"),
                fixed(4, 0, 48, T),
                event(EOR, MIDAS_MAGIC, 1, T, b"[a]\n\0\0"),
            ],
        ),
        (
            "messages without an end",
            run(900, |s| if s % 3 == 0 { event(MESSAGE, 2, 0, T, &text(s)) } else { fixed(4, s, 48, T) }),
        ),
        (
            "messages of another clock",
            run(
                900,
                |s| if s % 3 == 0 { event(MESSAGE, 2, 0, s, b"[fe] old\0") } else { fixed(4, s, 48, T) },
            ),
        ),
        (
            "events inside of FIXED events",
            run(40, |s| event(4, 0, s, T, &[b"HEAD", &nested(s)[..], b"x"].concat())),
        ),
        (
            "events inside of FIXED events, no clock",
            run(40, |s| event(4, 0, s, 0, &[b"HEAD", &nested(s)[..], b"x"].concat())),
        ),
        ("zeros", run(40, |s| event(4, 0, s, T, &[0; 48]))),
        (
            "an id with banks and FIXED",
            run(70, |s| if s < 20 { words(4, 0, s, T, 4, 0) } else { fixed(4, s, 48, T) }),
        ),
        ("odd flags", run(100, odd_flags)),
        ("one BOR", vec![bor(T)]),
        ("one EOR", vec![eor(T)]),
        ("one message", vec![event(MESSAGE, 2, 0, T, b"abc")]),
        ("nothing", vec![]),
    ];
    for (name, events) in &files {
        let file = events.concat();
        for target in [1 << 20, 1000] {
            let (found, damage) = read(&file, target);
            assert_eq!(damage, [], "{name}");
            assert!(found == *events, "{name}");
        }
    }
}

#[test]
fn a_cut_event_does_not_take_in_what_follows() {
    // Runs of another file behind one that was cut inside a large event.
    let cut = |events: &[Vec<u8>], keep: usize| {
        let file = events.concat();
        file[..file.len() - events.last().unwrap().len() + keep].to_vec()
    };
    for keep in [30, 400, 5000] {
        let first = [vec![bor(T)], bare(5, |s| words(1, 0, s, T, 5000, 0))].concat();
        let second = run(300, |s| words(2, 0, s, T, 4, 0));
        let file = [cut(&first, keep), second.concat()].concat();
        for target in [1 << 20, 1000] {
            let (found, damage) = read(&file, target);
            let wanted = [&first[..5], &second].concat();
            assert!(found == wanted, "{keep} bytes kept: {} events, {damage:?}", found.len());
            let start = first[..5].concat().len() as u64;
            assert_eq!((damage.len(), damage[0].offset, damage[0].end), (1, start, start + keep as u64));
        }
    }
}
