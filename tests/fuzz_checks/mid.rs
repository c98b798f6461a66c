//! `.mid`: every byte is in an event or in a range of damage, and what is read is written again.

use std::collections::VecDeque;
use std::io::Cursor;

use pactolus::formats::event::Kind;
use pactolus::formats::layout::to_little;
use pactolus::formats::mid::layout::BankKind;
use pactolus::formats::mid::{Block, Reader, Stop, write_event};
use pactolus::formats::{
    Bank, ByteSource, Compression, Damage, DamageKind, Element, EventView, Header, Input, Layout, Tid, asc,
};
use pactolus::scan::Scan;

use super::pieces::Pieces;

pub fn mid(input: &[u8]) -> bool {
    if Compression::detect(input) != Compression::None || asc::is_text(input) {
        return false;
    }
    let single = read(Reader::new(input).keep_fragments(), 1 << 20, input.len());
    tiles(&single, input);
    let pieces = read(Reader::new(Pieces::new(input)).keep_fragments(), 64, input.len());
    assert!(single == pieces, "depends on pieces and blocks:\n{single:?}\n{pieces:?}");
    let joined = read(Reader::new(input), 1 << 20, input.len());
    let same = read(Reader::new(Pieces::new(input)), 1 << 20, input.len());
    assert!(joined == same, "depends on pieces:\n{joined:?}\n{same:?}");
    let pieces = read(Reader::new(Pieces::new(input)), 64, input.len());
    assert!(joined == pieces, "depends on pieces and blocks:\n{joined:?}\n{pieces:?}");
    paused(&single, input);
    fragments(&single, &joined);
    for (_, bytes) in &joined.events {
        let (event, rest) = EventView::parse(bytes).unwrap();
        assert!(rest.is_empty());
        one(&event);
    }
    scan(input, &joined);
    !single.events.is_empty()
}

/// What a reader gave.
#[derive(Debug, PartialEq)]
struct Was {
    /// Events with their places.
    events: Vec<(u64, Vec<u8>)>,
    damage: Vec<Damage>,
}

fn read(mut reader: Reader<impl ByteSource>, target: usize, len: usize) -> Was {
    let mut was = Was { events: Vec::new(), damage: Vec::new() };
    let mut block = Block::new();
    // Each block holds an event or stands before damage, and neither is empty; or before a pause, of which
    // there are no more than bytes.
    for _ in 0..3 * len + 8 {
        let stop = reader.read(&mut block, target).expect("memory has no errors of the system");
        let mut at = block.offset;
        let events: Vec<EventView> = block.events().collect();
        // Pieces of events count too.
        assert!(block.first > was.events.len() as u64);
        assert_eq!(block.count, events.len() as u64);
        assert_eq!(block.data, events.iter().filter(|e| e.kind() == Kind::Data).count() as u64);
        for event in &events {
            let bytes = [&event.header.to_bytes()[..], event.payload].concat();
            let size = bytes.len() as u64;
            was.events.push((at, bytes));
            at += size;
        }
        assert_eq!(at - block.offset, block.bytes().len() as u64);
        match stop {
            Stop::End => return was,
            Stop::Damaged(damage) => was.damage.push(damage),
            Stop::Eor => assert_eq!(events.last().map(EventView::kind), Some(Kind::Eor)),
            Stop::Pause => {}
            Stop::Bor | Stop::Full => assert!(!events.is_empty()),
        }
    }
    panic!("no end after {len} bytes");
}

/// Events and damage fill the input without gap or overlap.
fn tiles(was: &Was, input: &[u8]) {
    let events = was.events.iter().map(|(at, bytes)| (*at, at + bytes.len() as u64));
    let mut ranges: Vec<(u64, u64)> =
        events.chain(was.damage.iter().map(|damage| (damage.offset, damage.end))).collect();
    ranges.sort_unstable();
    let mut at = 0;
    for (from, to) in ranges {
        assert_eq!(from, at, "gap or overlap");
        assert!(from < to, "nothing at {from}");
        at = to;
    }
    assert_eq!(at, input.len() as u64, "the end is missing");
    for (at, bytes) in &was.events {
        assert!(input[*at as usize..].starts_with(bytes), "not what stands at {at}");
    }
    for damage in &was.damage {
        assert!(damage.compressed_offset.is_none());
        let before = was.events.iter().filter(|(at, _)| *at < damage.offset).count();
        assert_eq!(damage.event, before as u64 + 1, "the number of the event");
        let text = damage.to_string();
        assert!(!text.contains('\n'), "{text}");
    }
}

/// With pauses, an event is believed before it is seen that another crosses it; all else stays.
fn paused(single: &Was, input: &[u8]) {
    let paused = read(Reader::new(Pieces::pausing(input)).keep_fragments(), 64, input.len());
    tiles(&paused, input);
    let crossed = |damage: &&Damage| matches!(damage.kind, DamageKind::Crossed { .. });
    let from = single.damage.iter().find(crossed).map_or(u64::MAX, |damage| damage.offset);
    let before = |was: &Was| {
        let events = was.events.iter().filter(|(at, _)| *at < from).count();
        let damage = was.damage.iter().filter(|damage| damage.offset < from).count();
        (was.events[..events].to_vec(), was.damage[..damage].to_vec())
    };
    assert_eq!(before(&paused), before(single), "depends on pauses");
}

/// With fragments put together, the other events are as they were, and so is the damage.
fn fragments(single: &Was, joined: &Was) {
    let is_piece = |bytes: &[u8]| {
        let (event, _) = EventView::parse(bytes).unwrap();
        matches!(event.kind(), Kind::FragmentFirst | Kind::FragmentNext)
    };
    let (pieces, mut others): (Vec<_>, VecDeque<_>) = {
        let (pieces, others): (Vec<_>, Vec<_>) = single.events.iter().partition(|(_, bytes)| is_piece(bytes));
        (pieces, others.into())
    };
    for event in &joined.events {
        if others.front() == Some(&event) {
            others.pop_front();
            continue;
        }
        let (made, _) = EventView::parse(&event.1).unwrap();
        let first = pieces.iter().map(|(_, bytes)| EventView::parse(bytes).unwrap().0).find(|first| {
            first.header.id == made.header.id | 0xc000 && first.payload == made.header.size.to_le_bytes()
        });
        assert!(first.is_some(), "an event that no fragment announces: {:?}", made.header);
    }
    assert!(others.is_empty(), "lost {others:?}");
    let mut found = joined.damage.iter();
    for damage in &single.damage {
        assert!(found.any(|found| found == damage), "lost {damage}:\n{single:?}\n{joined:?}");
    }
}

fn one(event: &EventView) {
    let layout = layout();
    let mut out = Vec::new();
    asc::write_fixed(&mut out, &event.header, &layout, event.payload);
    // The names are there whatever the payload; no value is longer than 24 characters.
    assert!(out.len() <= 300 + 24 * event.payload.len());
    if event.kind() != Kind::Data {
        assert!(event.text().len() <= event.payload.len() && !event.text().contains(&0));
        return;
    }
    let banks = banks(event);
    out.clear();
    asc::write_event(&mut out, &event.header, banks.iter().copied(), |_| Some(&layout));
    assert!(out.starts_with(b"%ID ") && out.ends_with(b"\n\n"));
    assert!(out.len() <= 60 + 400 * banks.len() + 24 * event.payload.len());
    again(event, &banks);
}

/// Every kind of member.
fn layout() -> Layout {
    let mut layout = Layout::new();
    for &tid in Tid::ALL {
        layout.push(tid.name(), tid, 3, 5);
    }
    layout
}

/// The banks before the first damage.
fn banks<'a>(event: &EventView<'a>) -> Vec<Bank<'a>> {
    let mut banks = event.banks();
    let mut found = Vec::new();
    let mut at = banks.position();
    while let Some(bank) = banks.next() {
        let Ok(bank) = bank else {
            assert!(banks.next().is_none(), "banks behind the damage");
            break;
        };
        assert!(banks.position() >= at + 8 + bank.data.len(), "banks overlap");
        at = banks.position();
        let begin = bank.data.as_ptr() as usize - event.payload.as_ptr() as usize;
        assert!(begin + bank.data.len() <= event.payload.len());
        values::<u8>(&bank);
        values::<i8>(&bank);
        values::<u16>(&bank);
        values::<i16>(&bank);
        values::<u32>(&bank);
        values::<i32>(&bank);
        values::<u64>(&bank);
        values::<i64>(&bank);
        values::<f32>(&bank);
        values::<f64>(&bank);
        values::<bool>(&bank);
        assert!(!bank.text().contains(&0));
        found.push(bank);
    }
    assert!(at <= event.payload.len());
    found
}

fn values<T: Element>(bank: &Bank) {
    match bank.values::<T>() {
        Ok(values) => {
            assert_eq!(values.len(), bank.len());
            assert_eq!(values.iter().count(), values.len());
            assert!(values.get(values.len()).is_none());
        }
        Err(wrong) => assert_eq!(wrong.bank, bank.name),
    }
}

/// The banks, written as an event of their own, are read again as they were.
fn again(event: &EventView, banks: &[Bank]) {
    let kind = event.area().map_or(BankKind::Bank32, |area| area.kind());
    let mut out = Vec::new();
    let written = write_event(&mut out, &event.header, kind, banks.iter().copied()).unwrap();
    assert_eq!(written, !banks.is_empty());
    let Some((again, rest)) = EventView::parse(&out) else { return assert!(!written) };
    assert!(rest.is_empty());
    assert_eq!(again.header, Header { size: again.header.size, ..event.header });
    let found: Vec<Bank> = again.banks().map(Result::unwrap).collect();
    assert_eq!(found.len(), banks.len());
    for (found, bank) in found.iter().zip(banks) {
        let mut data = bank.data.to_vec();
        to_little(bank.tid(), bank.order, &mut data);
        assert!(found.name == bank.name && found.code == bank.code && found.data == data);
    }
}

/// `scan` counts what the reader gives.
fn scan(input: &[u8], was: &Was) {
    let file = Input::new(Cursor::new(input.to_vec()), "run00042.mid").unwrap();
    let scanned = Scan::read(file).unwrap();
    let scan = &scanned.scan;
    assert_eq!(scan.events, was.events.len() as u64);
    assert_eq!(scan.bytes, was.events.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
    assert_eq!(scan.ids.values().map(|id| id.events).sum::<u64>(), scan.events);
    assert_eq!(scan.broken, was.damage.len() as u64);
    assert!(was.damage.is_empty() || scan.is_damaged());
    serde_json::to_string(&scanned).unwrap();
}
