//! Random events, written as text and read back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asc_common;

use asc_common::{Defined, Whole, layout, name, print, read};
use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::mid::write_event;
use pactolus_formats::{Bank, BankName, Header, Order, Tid};
use proptest::collection::vec;
use proptest::prelude::*;

/// Name, type and little-endian data.
type Plain = (BankName, Tid, Vec<u8>);

fn defined() -> Defined {
    let members = [
        ("u 8", Tid::Byte, 1, 0),
        ("d", Tid::Double, 2, 0),
        ("c", Tid::Char, 3, 0),
        ("s", Tid::String, 2, 5),
        ("b", Tid::Bool, 1, 0),
        ("q", Tid::Uint64, 1, 0),
    ];
    Defined { banks: vec![(name("STRC"), layout(&members))], fixed: vec![(4, layout(&members))] }
}

/// Text as a line can hold it, without NUL.
fn line(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>().prop_map(|b| if matches!(b, 0 | b'\n') { b'%' } else { b }), 0..longest)
}

/// The members of the structure above.
fn structure() -> impl Strategy<Value = Vec<u8>> {
    let texts = [line(6), line(6)];
    (any::<u8>(), any::<[u64; 2]>(), any::<[u8; 3]>(), texts, any::<bool>(), any::<u64>()).prop_map(
        |(u, d, c, s, b, q)| {
            let mut data = vec![u];
            data.resize(8, 0);
            d.iter().for_each(|d| data.extend(d.to_le_bytes()));
            data.extend(c);
            for text in &s {
                data.extend(text);
                data.resize(data.len() + 5 - text.len(), 0);
            }
            data.resize(40, 0);
            data.extend([u8::from(b), 0, 0, 0, 0, 0, 0, 0]);
            data[37..40].fill(0);
            data.extend(q.to_le_bytes());
            data
        },
    )
}

fn data(tid: Tid) -> BoxedStrategy<Vec<u8>> {
    match tid {
        Tid::String | Tid::Link => (line(20), 1..10usize)
            .prop_map(|(mut text, nuls)| {
                text.resize(text.len() + nuls, 0);
                text
            })
            .boxed(),
        Tid::Char => vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(0)], 0..8).boxed(),
        Tid::Bool => vec(any::<bool>(), 0..8)
            .prop_map(|values| values.iter().flat_map(|&b| u32::from(b).to_le_bytes()).collect())
            .boxed(),
        Tid::Struct => structure().boxed(),
        tid => vec(any::<u8>(), 0..64)
            .prop_map(move |mut bytes| {
                bytes.truncate(bytes.len() / tid.unit() * tid.unit());
                bytes
            })
            .boxed(),
    }
}

fn bank() -> impl Strategy<Value = Plain> {
    (proptest::sample::select(Tid::ALL), line(5)).prop_flat_map(|(tid, name)| {
        let mut padded = [0; 4];
        padded[..name.len()].copy_from_slice(&name);
        let name = if tid == Tid::Struct { *b"STRC" } else { padded };
        data(tid).prop_map(move |data| (BankName::new(name), tid, data))
    })
}

fn event() -> impl Strategy<Value = (Header, Vec<Plain>, Option<Vec<u8>>)> {
    let header = (0..0x8000u16, any::<u16>(), any::<u32>());
    (header, vec(bank(), 0..6), proptest::option::weighted(0.1, structure())).prop_map(
        |((id, mask, serial), banks, fixed)| {
            let id = if fixed.is_some() { 4 } else { id.max(5) };
            (Header { id, mask, serial, ..Header::default() }, banks, fixed)
        },
    )
}

/// The event in binary.
fn whole(header: &Header, banks: &[Plain], fixed: &Option<Vec<u8>>) -> Whole {
    if let Some(payload) = fixed {
        return Whole { header: *header, payload: payload.clone(), number: 0 };
    }
    let views = banks.iter().map(|(name, tid, data)| Bank {
        name: *name,
        code: tid.code(),
        data,
        order: Order::Little,
    });
    let mut bytes = Vec::new();
    write_event(&mut bytes, header, BankKind::Bank, views).unwrap();
    Whole { header: *header, payload: bytes.get(16..).unwrap_or_default().to_vec(), number: 0 }
}

fn is_refused((_, tid, data): &Plain) -> bool {
    matches!(tid, Tid::Bitfield | Tid::Array | Tid::Key) && !data.is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn events_come_back_where_the_text_holds_them(events in vec(event(), 0..8), target in 0..2000usize) {
        let (mut text, mut wanted) = (Vec::new(), Vec::new());
        for (header, banks, fixed) in &events {
            print(&mut text, &whole(header, banks, fixed), &defined());
            let held: Vec<Plain> = banks.iter().filter(|bank| !is_refused(bank)).cloned().collect();
            print(&mut wanted, &whole(header, &held, fixed), &defined());
        }
        let all = read(&text, defined(), target);
        prop_assert_eq!(&all.damage, &[]);
        prop_assert_eq!(all.events.len(), events.len());
        let refused = events.iter().filter(|e| e.2.is_none()).flat_map(|e| &e.1).filter(|bank| is_refused(bank));
        prop_assert_eq!(all.refused.banks, refused.count() as u64);
        // Floating numbers lose bits in the text: they are equal as text.
        let mut again = Vec::new();
        all.events.iter().for_each(|event| print(&mut again, event, &defined()));
        prop_assert_eq!(again.escape_ascii().to_string(), wanted.escape_ascii().to_string());
        for ((header, banks, fixed), event) in events.iter().zip(&all.events) {
            let Header { id, mask, serial, time, .. } = event.header;
            prop_assert_eq!((id, mask, serial, time), (header.id, header.mask, header.serial, 0));
            if let Some(payload) = fixed {
                prop_assert_eq!(event.payload.len(), payload.len());
                prop_assert_eq!(&event.payload[24..], &payload[24..]);
                continue;
            }
            let held = banks.iter().filter(|bank| !is_refused(bank));
            prop_assert_eq!(event.banks().len(), held.clone().count());
            for ((name, tid, data), bank) in held.zip(event.banks()) {
                prop_assert_eq!((bank.name, bank.tid(), bank.data.len()), (*name, Some(*tid), data.len()));
                match tid {
                    Tid::Float | Tid::Double => {}
                    Tid::Struct => prop_assert_eq!(&bank.data[24..], &data[24..]),
                    _ => prop_assert_eq!(bank.data, &data[..]),
                }
            }
        }
    }

    #[test]
    fn damage_loses_no_earlier_event(
        events in vec(event(), 1..8),
        cut in any::<proptest::sample::Index>(),
        lost in 0..60usize,
        noise in prop_oneof![vec(any::<u8>(), 0..20), vec(proptest::sample::select(b"\n%ID BKTRN1".as_slice()), 0..20)],
    ) {
        // The first event shows that text banks are one line here: a bank follows.
        let banks = vec![(name("HABT"), Tid::String, vec![0; 8]), (name("NULL"), Tid::Word, vec![])];
        let habit = (Header { id: 9, ..Header::default() }, banks, None);
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for (header, banks, fixed) in std::iter::once(&habit).chain(&events) {
            print(&mut text, &whole(header, banks, fixed), &defined());
            ends.push(text.len());
        }
        let truth = read(&text, defined(), 1 << 20).events;
        prop_assert_eq!(truth.len(), ends.len());
        let at = ends[0] + cut.index(text.len() - ends[0]);
        let behind = (at + lost).min(text.len());
        let broken = [&text[..at], &noise[..], &text[behind..]].concat();
        let all = read(&broken, defined(), 1 << 20);
        let before = ends.iter().filter(|&&end| end <= at).count();
        prop_assert_eq!(&all.events[..before], &truth[..before]);
        // Places are in order, within the text, and do not overlap.
        let mut end = 0;
        for damage in &all.damage {
            prop_assert!(damage.offset >= end && damage.end > damage.offset, "{}", damage);
            end = damage.end;
        }
        prop_assert!(end <= broken.len() as u64);
    }
}
