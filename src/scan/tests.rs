use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::mid::write_event;
use pactolus_formats::{Bank, Order, Tid};
use pactolus_odb::dump;

use super::*;

/// An event with banks.
fn banks(id: u16, serial: u32, banks: &[(&str, Tid, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let banks = banks.iter().map(|&(name, tid, data)| {
        let name = BankName::parse(name).unwrap();
        Bank { name, code: tid.code(), data, order: Order::Little }
    });
    write_event(&mut out, &Header { id, serial, ..Header::default() }, BankKind::Bank, banks).unwrap();
    out
}

/// An event with any payload.
fn raw(id: u16, mask: u16, serial: u32, time: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header { id, mask, serial, time, size: payload.len() as u32 };
    let mut out = header.to_bytes().to_vec();
    out.extend_from_slice(payload);
    out
}

fn scan(events: &[Vec<u8>]) -> Scan {
    let mut scan = Scan::new();
    for bytes in events {
        let (event, rest) = EventView::parse(bytes).unwrap();
        assert!(rest.is_empty());
        scan.add(&event);
    }
    scan
}

#[test]
fn banks_are_counted_with_their_sizes() {
    let scan = scan(&[
        banks(1, 0, &[("ADC0", Tid::Word, &[0; 8]), ("TDC0", Tid::Word, &[0; 2])]),
        banks(1, 1, &[("TDC0", Tid::Word, &[0; 6])]),
        banks(1, 2, &[("ADC0", Tid::Word, &[0; 8]), ("ADC0", Tid::Word, &[0; 8])]),
        banks(1, 3, &[("ADC0", Tid::Float, &[0; 8])]),
    ]);
    let seen: Vec<_> = scan.ids[&1]
        .banks
        .iter()
        .map(|b| (b.name.to_string(), b.type_name, b.events, b.count, b.bytes.min, b.bytes.max))
        .collect();
    assert_eq!(
        seen,
        [
            ("ADC0".to_owned(), "WORD", 2, 3, 8, 8),
            ("TDC0".to_owned(), "WORD", 2, 2, 2, 6),
            ("ADC0".to_owned(), "FLOAT", 1, 1, 8, 8),
        ]
    );
    assert!(!scan.is_damaged());
}

#[test]
fn gaps_are_counted_per_id_and_run() {
    let one = |id, serial| raw(id, 0, serial, 0, &[]);
    let scan = scan(&[
        raw(0x8000, 0x494d, 1, 0, b""),
        one(1, 0),
        one(2, 5),
        one(1, 1),
        one(1, 4),
        one(2, 6),
        one(1, 3),
        raw(0x8000, 0x494d, 2, 0, b""),
        one(1, 0),
        one(1, 1),
    ]);
    let ids = |id| (scan.ids[&id].gaps, scan.ids[&id].missing);
    assert_eq!(ids(1), (2, 2), "1 to 4, and back to 3");
    assert_eq!(ids(2), (0, 0));
    assert_eq!(scan.ids[&1].empty, 6);
}

#[test]
fn runs_have_times_and_dumps() {
    let scan = scan(&[
        raw(2, 0, 9, 99, &[]),
        raw(0x8000, 0x494d, 7, 100, b"<?xml?>\0"),
        raw(0x8002, 1, 0, 100, b"[a,ERROR] b\0"),
        raw(1, 0, 0, 100, &[]),
        raw(1, 0, 1, 101, &[]),
        raw(0x8001, 0x494d, 7, 104, b"\0"),
    ]);
    let run = &scan.runs[0];
    assert_eq!((run.number, run.begin, run.end, run.events), (7, Some(100), Some(104), 2));
    assert_eq!((run.seconds(), run.rate()), (Some(4), Some(0.5)));
    assert_eq!(run.odb_begin, Some(OdbDump { bytes: 7, form: Some(dump::Kind::Xml) }));
    assert_eq!(run.odb_end, Some(OdbDump { bytes: 0, form: None }));
    assert_eq!((scan.messages, scan.errors, scan.outside, scan.data), (1, 1, 1, 3));
}

#[test]
fn the_last_piece_of_a_run_has_no_begin() {
    let scan = scan(&[raw(1, 0, 8, 100, &[]), raw(0x8001, 0x494d, 7, 104, b"")]);
    let run = &scan.runs[0];
    assert_eq!((run.number, run.begin, run.end, run.events), (7, None, Some(104), 1));
    assert_eq!((run.seconds(), scan.outside), (None, 0));
}

#[test]
fn more_than_eight_masks_are_not_listed() {
    let scan = scan(&(0..10).map(|mask| raw(1, mask, mask.into(), 0, &[])).collect::<Vec<_>>());
    let id = &scan.ids[&1];
    assert_eq!(id.masks, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert!(id.more_masks);
}

#[test]
fn a_fixed_event_is_no_damage() {
    let mut counter = vec![0; 48];
    counter[4] = 1; // reads as the flags of a bank area
    let scan = scan(&[raw(4, 0, 0, 0, &[7; 48]), raw(4, 0, 1, 0, &[1, 2, 3]), raw(4, 0, 2, 0, &counter)]);
    assert_eq!((scan.ids[&4].fixed, scan.is_damaged()), (3, false));
}

#[test]
fn broken_banks_have_a_place() {
    let first = banks(1, 0, &[("ADC0", Tid::Word, &[0; 8])]);
    let mut broken = banks(1, 1, &[("ADC0", Tid::Word, &[0; 8]), ("TDC0", Tid::Word, &[0; 8])]);
    broken[16 + 8 + 16 + 6] = 9;
    let before = first.len() as u64;
    let scan = scan(&[first, broken]);
    assert_eq!((scan.damaged, scan.ids[&1].damaged), (1, 1));
    assert_eq!(
        scan.damage[0].to_string(),
        format!("bank TDC0 cut short: 9 bytes needed, 8 left at byte {}, event 2", before + 16 + 8 + 16)
    );
}

#[test]
fn memory_has_a_limit_whatever_the_names() {
    let mut scan = Scan::new();
    for i in 0..20_000_u32 {
        let name = std::str::from_utf8(&[
            b'A' + (i % 26) as u8,
            b'A' + (i / 26 % 26) as u8,
            b'A' + (i / 676 % 26) as u8,
            b'A' + (i / 17_576) as u8,
        ])
        .unwrap()
        .to_owned();
        let bytes = banks(1, i, &[(&name, Tid::Word, &[0; 2])]);
        scan.add(&EventView::parse(&bytes).unwrap().0);
    }
    assert_eq!((scan.ids[&1].banks.len(), scan.more_banks), (10_000, 10_000));
    for run in 0..3000 {
        let bytes = raw(0x8000, 0x494d, run, 0, b"");
        scan.add(&EventView::parse(&bytes).unwrap().0);
    }
    assert_eq!((scan.runs.len(), scan.more_runs), (1000, 2000));
}
