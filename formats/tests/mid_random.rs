//! Random events, written and read in every layout and compression, and randomly damaged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Cursor, Write};

use pactolus_formats::compress::Output;
use pactolus_formats::event::{BOR, MIDAS_MAGIC};
use pactolus_formats::layout::to_little;
use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::mid::{Block, Reader, Stop, write_event};
use pactolus_formats::{Bank, BankName, Compression, Header, Input, Order, Tid};
use proptest::prelude::*;

/// A bank as (name, type, little-endian data).
type Plain = (BankName, u32, Vec<u8>);
/// Header fields and banks of an event.
type Event = (u16, u16, u32, Vec<Plain>);

fn bank() -> impl Strategy<Value = Plain> {
    let name = proptest::array::uniform4(prop_oneof![b'A'..=b'Z', b'0'..=b'9', any::<u8>()]);
    // Every type that MIDAS knows, and some that it does not; sizes that are no whole elements too.
    let code = prop_oneof![1u32..=18, Just(0x7f)];
    (name, code, proptest::collection::vec(any::<u8>(), 0..70))
        .prop_map(|(name, code, data)| (BankName::new(name), code, data))
}

fn event() -> impl Strategy<Value = Event> {
    let banks = proptest::collection::vec(bank(), 1..6);
    (0u16..0x8000, any::<u16>(), any::<u32>(), banks)
}

fn kind() -> impl Strategy<Value = BankKind> {
    prop_oneof![Just(BankKind::Bank), Just(BankKind::Bank32), Just(BankKind::Bank32A)]
}

fn compression() -> impl Strategy<Value = Compression> {
    prop_oneof![
        3 => Just(Compression::None),
        1 => Just(Compression::Gzip),
        1 => Just(Compression::Lz4),
        1 => Just(Compression::Bzip2),
        1 => Just(Compression::Zstd),
    ]
}

fn written(events: &[Event], kind: BankKind) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    let bor = Header { id: BOR, mask: MIDAS_MAGIC, serial: 1, time: 1_700_000_000, size: 1 };
    bytes.extend(bor.to_bytes());
    bytes.push(0);
    ends.push(bytes.len());
    for (id, mask, serial, banks) in events {
        let header = Header { id: *id, mask: *mask, serial: *serial, time: 1_700_000_001, size: 0 };
        let banks = banks.iter().map(|(name, code, data)| Bank {
            name: *name,
            code: *code,
            data,
            order: Order::Little,
        });
        assert!(write_event(&mut bytes, &header, kind, banks).unwrap());
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn compressed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut output = Output::new(compression, None, Vec::new()).unwrap();
    output.write_all(bytes).unwrap();
    output.finish().unwrap()
}

/// All events but BOR, and the number of damaged places.
fn read(file: Vec<u8>, compression: Compression, target: usize) -> (Vec<Event>, usize) {
    let name = format!("run.mid.{}", compression.extension().unwrap_or_default());
    let mut reader = Reader::new(Input::new(Cursor::new(file), name).unwrap());
    let (mut events, mut damage) = (Vec::new(), 0);
    let mut block = Block::new();
    loop {
        let stop = reader.read(&mut block, target).unwrap();
        for event in block.events().filter(|event| event.header.id < 0x8000) {
            let banks = event.banks().map_while(Result::ok).map(|bank| {
                let mut data = bank.data.to_vec();
                to_little(bank.tid(), bank.order, &mut data);
                (bank.name, bank.code, data)
            });
            let Header { id, mask, serial, .. } = event.header;
            events.push((id, mask, serial, banks.collect()));
        }
        match stop {
            Stop::End => return (events, damage),
            Stop::Damaged(_) => damage += 1,
            _ => {}
        }
    }
}

/// The same bytes as a big-endian frontend would have sent them.
fn big_endian(events: &[Event], kind: BankKind) -> Vec<u8> {
    let (little, _) = written(events, kind);
    let mut reader = Reader::new(&little[..]);
    let (mut block, mut bytes) = (Block::new(), Vec::new());
    loop {
        let stop = reader.read(&mut block, 1 << 20).unwrap();
        for event in block.events() {
            bytes.extend(event.header.to_bytes());
            let mut payload = event.payload.to_vec();
            if event.header.id < 0x8000 {
                let (head, sizes) = (kind.header_size(), if kind == BankKind::Bank { 2 } else { 4 });
                payload[..8].chunks_mut(4).for_each(<[u8]>::reverse);
                let mut at = 8;
                for bank in event.banks().map(Result::unwrap) {
                    payload[at + 4..at + 4 + 2 * sizes].chunks_mut(sizes).for_each(<[u8]>::reverse);
                    at += head;
                    let unit = bank.tid().map_or(1, Tid::unit).max(1);
                    payload[at..at + bank.data.len()].chunks_exact_mut(unit).for_each(<[u8]>::reverse);
                    at += bank.data.len().next_multiple_of(8);
                }
            }
            bytes.extend(payload);
        }
        if stop == Stop::End {
            return bytes;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_written_is_read(
        events in proptest::collection::vec(event(), 0..12),
        kind in kind(),
        compression in compression(),
        target in 1usize..2000,
    ) {
        let (bytes, _) = written(&events, kind);
        let (found, damage) = read(compressed(compression, &bytes), compression, target);
        prop_assert_eq!(&found, &events);
        prop_assert_eq!(damage, 0);
    }

    #[test]
    fn byte_order_does_not_matter(events in proptest::collection::vec(event(), 1..8), kind in kind()) {
        let (found, damage) = read(big_endian(&events, kind), Compression::None, 1 << 20);
        prop_assert_eq!(&found, &events);
        prop_assert_eq!(damage, 0);
    }

    #[test]
    fn random_damage_never_loses_an_earlier_event(
        events in proptest::collection::vec(event(), 1..12),
        kind in kind(),
        at in any::<proptest::sample::Index>(),
        junk in proptest::collection::vec(any::<u8>(), 0..40),
        removed in 0usize..60,
    ) {
        let (mut bytes, ends) = written(&events, kind);
        let at = at.index(bytes.len());
        bytes.splice(at..(at + removed).min(bytes.len()), junk);
        let (found, _) = read(bytes, Compression::None, 1 << 20);
        let before = ends.iter().filter(|&&end| end <= at).count().saturating_sub(1);
        prop_assert!(found.len() >= before);
        prop_assert_eq!(&found[..before], &events[..before]);
    }
}
