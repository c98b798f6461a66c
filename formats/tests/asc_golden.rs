//! The texts of real MIDAS programs, read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asc_common;

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::Path;

use asc_common::{Defined, assert_same_text, corpus, print_all, read, read_from, sample};
use pactolus_formats::asc::{Reason, is_text};
use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::{DamageKind, Input, Kind, Limits, Tid};

fn golden(name: &str) -> Vec<u8> {
    corpus(&format!("golden/{name}/{name}.asc"))
}

#[test]
fn texts_of_mana_to_binary_and_back_are_the_same() {
    for name in ["g01", "g02", "g06", "g07", "g08", "g16", "g23", "g42_104", "g50"] {
        let text = golden(name);
        for target in [0, 1 << 20] {
            let all = read(&text, sample(), target);
            assert_eq!((all.damage, all.refused.count()), (vec![], 0), "{name}");
            assert_same_text(name, &print_all(&all.events, &sample()), &text);
        }
    }
}

#[test]
fn the_string_bank_of_mana_is_all_that_the_way_back_lacks() {
    let text = golden("g18");
    let all = read(&text, sample(), 1 << 20);
    // STR0 is printed as a line for each of its 12 bytes, the first its text, the others memory
    // behind the bank, newlines included: up to the next bank all of it is left out.
    let (mut wanted, mut inside, mut banks) = (Vec::new(), false, 0);
    for line in text.split_inclusive(|&b| b == b'\n') {
        if line == b"BK STR0 TP STRING SZ 12\n" {
            (inside, banks) = (true, banks + 1);
        } else if line.starts_with(b"BK ") {
            inside = false;
        }
        if !inside {
            wanted.extend_from_slice(line);
        }
    }
    assert_same_text("g18", &print_all(&all.events, &sample()), &wanted);
    assert_eq!((all.damage, all.refused.banks, banks), (vec![], 2, 2));
    assert_eq!(all.refused.first[0].bank.unwrap().to_string(), "STR0");
}

#[test]
fn the_text_of_the_odd_run_comes_back_without_the_bank_that_it_does_not_hold() {
    let text = golden("g43_110");
    let all = read(&text, sample(), 1 << 20);
    // The text has `<unknown>` for each byte of ZZZZ, which is of type 0x7f.
    let unknown = format!("BK ZZZZ TP <unknown> SZ 8\n{}", "<unknown>\n".repeat(8));
    let wanted = String::from_utf8(text.clone()).unwrap().replace(&unknown, "");
    assert_eq!(wanted.len() + unknown.len(), text.len());
    assert_same_text("g43_110", &print_all(&all.events, &sample()), wanted.as_bytes());
    assert!(all.damage.is_empty());
    assert_eq!(all.refused.banks, 1);
    assert_eq!(
        all.refused.first[0].to_string(),
        "bank ZZZZ refused: the text holds no values of an unknown type, line 16 at byte 116, \
         event 3 (id 1 serial 5)"
    );
    // Events without banks have an empty bank area; equal names are two banks.
    assert_eq!(all.events[0].payload, [0, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(all.events[2].bank_names(), ["ADC0", "ADC0", "TDC0", "CADC", "ASUM"]);
}

/// Counts of refused banks by name and reason.
fn reasons(all: &asc_common::Read) -> BTreeMap<String, Reason> {
    let named = |r: &pactolus_formats::asc::Refusal| r.bank.map_or("-".into(), |b| b.to_string());
    all.refused.first.iter().map(|r| (named(r), r.reason.clone())).collect()
}

#[test]
fn every_bank_type_of_mana_is_read_or_refused_by_name() {
    for (name, events) in [("g40_100", 40), ("g40_101", 40), ("g40_107", 20)] {
        let all = read(&golden(name), sample(), 1 << 20);
        assert_eq!((all.events.len(), &all.damage), (events, &vec![]), "{name}");
        // BITFIELD, ARRAY, KEY and the lines that mana prints for a STRING and a LINK.
        assert_eq!(all.refused.banks, 5 * events as u64, "{name}");
        let reasons = reasons(&all);
        assert_eq!(reasons["BIT0"], Reason::NoText(Some(Tid::Bitfield)));
        assert_eq!(reasons["ARR0"], Reason::NoText(Some(Tid::Array)));
        assert_eq!(reasons["KEY0"], Reason::NoText(Some(Tid::Key)));
        assert_eq!(reasons["STR0"], Reason::Lines(12));
        assert_eq!(reasons["LNK0"], Reason::Lines(5));
        let wanted = [
            "BYT0", "SBY0", "CHR0", "WRD0", "SHT0", "DWD0", "INT0", "BOL0", "FLT0", "DBL0", "NUL0", "NULF",
            "STC0", "WAV0",
        ];
        for event in &all.events {
            assert_eq!(event.bank_names(), wanted, "{name}");
            assert_eq!(event.banks()[2].data, b"chars!\n", "{name}");
        }
        // All that is read is printed again as it was.
        let text = print_all(&all.events, &sample());
        let again = read(&text, sample(), 1 << 20);
        assert_eq!(again.refused.count() + again.damage.len() as u64, 0);
        assert_eq!(print_all(&again.events, &sample()), text);
    }
}

#[test]
fn every_text_of_the_corpus_has_its_events() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/golden");
    let mut seen = 0;
    for dir in std::fs::read_dir(root).unwrap() {
        for file in std::fs::read_dir(dir.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|e| e != "asc") {
                continue;
            }
            let text = std::fs::read(&path).unwrap();
            let headers = text.split(|&b| b == b'\n').filter(|line| line.starts_with(b"%ID ")).count();
            assert_eq!(is_text(&text), headers > 0);
            for defined in [sample(), Defined::default()] {
                let fixed = !defined.fixed.is_empty();
                let all = read(&text, defined, 1 << 16);
                assert_eq!(all.damage, [], "{}", path.display());
                assert_eq!(
                    all.events.len() as u64 + all.refused.events,
                    headers as u64,
                    "{}",
                    path.display()
                );
                assert!(!fixed || all.refused.events == 0, "{}", path.display());
                let last = all.events.last().map_or(0, |event| event.number);
                assert!(last <= headers as u64 && all.refused.first.len() <= 16);
            }
            seen += 1;
        }
    }
    assert!(seen >= 30, "{seen} texts");
}

#[test]
fn without_definitions_structs_and_fixed_events_are_refused() {
    let all = read(&golden("g11"), (), 1 << 20);
    assert_eq!(all.damage, []);
    assert!(all.refused.events > 0);
    assert_eq!(reasons(&all)["STC0"], Reason::Undefined);
    assert_eq!(reasons(&all)["-"], Reason::Undefined);
    assert!(all.events.iter().all(|e| e.header.id != 4));
    // The numbers of the events behind them are those of the text.
    let whole = read(&golden("g11"), sample(), 1 << 20);
    let numbers: BTreeMap<_, _> =
        whole.events.iter().map(|e| ((e.header.id, e.header.serial), e.number)).collect();
    for event in &all.events {
        assert_eq!(numbers[&(event.header.id, event.header.serial)], event.number);
    }
}

#[test]
fn the_dump_of_the_2014_logger_is_read_with_its_begin_and_end_of_run() {
    let text = corpus("mlogger2014/run00002.dump");
    let all = read(&text, sample(), 1 << 16);
    assert_eq!(all.damage, []);
    assert_eq!(all.stops.first(), Some(&"bor"));
    assert_eq!(all.stops[all.stops.len() - 2..], ["eor", "end"]);
    let mut counts = BTreeMap::new();
    all.events.iter().for_each(|e| *counts.entry(e.header.id).or_insert(0) += 1);
    assert_eq!(counts, BTreeMap::from([(1, 1053), (2, 4), (3, 11), (4, 5), (0x8000, 1), (0x8001, 1)]));

    // The dumps are those of the file, byte for byte.
    for (kind, event) in [("BOR", &all.events[0]), ("EOR", all.events.last().unwrap())] {
        let head = format!("%ID {kind} NR 2\n");
        let start = text.windows(head.len()).position(|w| w == head.as_bytes()).unwrap() + head.len();
        let size =
            text[start..].windows(8).position(|w| w == b"</odb>\n%").map_or(text.len() - start, |n| n + 7);
        assert_eq!(event.view().text(), &text[start..start + size]);
        assert_eq!(event.payload.len(), size + 1);
        assert_eq!((event.header.serial, event.header.mask, event.header.time), (2, 0x494d, 0));
    }

    // The 2014 logger prints STRUCT as `<unknown>`, STRING as mana does.
    assert_eq!(all.refused.banks, 3 * 11);
    let reasons = reasons(&all);
    assert_eq!(reasons["STC0"], Reason::NoText(Some(Tid::Struct)));
    assert!(matches!(reasons["STR0"], Reason::Lines(12..)));

    // The numbers, against a reading of the lines that knows nothing of the types.
    let events: Vec<_> = all.events.iter().filter(|e| e.view().kind() == Kind::Data).collect();
    let mut at = 0;
    for event in events {
        let head = format!("%ID {} TR {} NR {}\n", event.header.id, event.header.mask, event.header.serial);
        at += text[at..].windows(head.len()).position(|w| w == head.as_bytes()).unwrap() + head.len();
        if event.header.id == 4 {
            continue;
        }
        assert_eq!(event.view().area().unwrap().kind(), BankKind::Bank);
        let mut behind = at;
        for bank in event.banks() {
            let head = format!("BK {} TP {} SZ {}\n", bank.name, bank.type_name(), bank.len());
            behind +=
                text[behind..].windows(head.len()).position(|w| w == head.as_bytes()).unwrap() + head.len();
            let mut lines = text[behind..].split(|&b| b == b'\n');
            for i in 0..bank.len() {
                let line = String::from_utf8_lossy(lines.next().unwrap()).into_owned();
                let value: f64 = match bank.tid().unwrap() {
                    Tid::Char => break,
                    Tid::Bool => f64::from(u8::from(line == "y")),
                    _ => line.parse().unwrap(),
                };
                let chunk = &bank.data[i * bank.data.len() / bank.len()..];
                let ours = match bank.tid().unwrap() {
                    Tid::Byte => chunk[0].into(),
                    Tid::Sbyte => (chunk[0] as i8).into(),
                    Tid::Word => u16::from_le_bytes([chunk[0], chunk[1]]).into(),
                    Tid::Short => i16::from_le_bytes([chunk[0], chunk[1]]).into(),
                    Tid::Dword | Tid::Bool => u32::from_le_bytes(chunk[..4].try_into().unwrap()).into(),
                    Tid::Int => i32::from_le_bytes(chunk[..4].try_into().unwrap()).into(),
                    Tid::Float => {
                        let ours = f32::from_le_bytes(chunk[..4].try_into().unwrap());
                        if ours == value as f32 { value } else { f64::NAN }
                    }
                    Tid::Double => f64::from_le_bytes(chunk[..8].try_into().unwrap()),
                    other => panic!("{other}"),
                };
                assert_eq!(ours, value, "{} {} {i}", event.header.serial, bank.name);
            }
        }
    }

    // Without what was refused it is printed as it was.
    let fixed = all.events.iter().find(|e| e.header.id == 4).unwrap();
    assert_eq!(f64::from_le_bytes(fixed.payload[..8].try_into().unwrap()), 21.5);
    assert_eq!(fixed.payload.len(), 48);
    let printed = print_all(&all.events, &sample());
    let again = read(&printed, sample(), 1 << 20);
    assert_eq!(print_all(&again.events, &sample()), printed);
    assert_eq!(again.events.len(), all.events.len());
}

#[test]
fn a_compressed_text_is_read_as_far_as_it_goes() {
    let packed = corpus("golden/g04/g04.asc.gz");
    let input = |bytes: &[u8]| Input::new(Cursor::new(bytes.to_vec()), "g04.asc.gz").unwrap();
    let whole = read_from(input(&packed), sample(), 1 << 16, Limits::default());
    let mut text = Vec::new();
    input(&packed).read_to_end(&mut text).unwrap();
    assert_same_text("g04", &print_all(&whole.events, &sample()), &text);
    for cut in (packed.len() / 20..packed.len()).step_by(packed.len() / 20) {
        let all = read_from(input(&packed[..cut]), sample(), 1 << 16, Limits::default());
        assert_eq!(all.events, whole.events[..all.events.len()], "cut at {cut}");
        assert_eq!(all.damage.len(), 1, "cut at {cut}");
        assert!(matches!(all.damage[0].kind, DamageKind::Compression(_)), "cut at {cut}: {}", all.damage[0]);
        assert!(all.damage[0].compressed_offset.is_some_and(|at| at <= cut as u64));
        // What could be decoded before the end was delivered.
        assert!(cut < packed.len() / 2 || !all.events.is_empty(), "cut at {cut}");
    }
}

#[test]
fn the_first_bytes_tell_a_text() {
    assert!(is_text(b"%ID 1 TR 0 NR 1\n") && is_text(b"\n\n%ID BOR NR 2\n"));
    assert!(
        !is_text(b"") && !is_text(b"\n") && !is_text(b"%I") && !is_text(b"\x01\0\0\0") && !is_text(b"BK ")
    );
}
