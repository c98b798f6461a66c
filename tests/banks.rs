//! Banks come through whole, in whichever way an event is carried.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::MidFile;
use common::bench::{Bench, analyse, data, dwords, names, plain_run, request, same_in_every_way};
use common::modules::{ADC0, Adds, Counter, NEWS, does, in_order};
use pactolus::prelude::*;

#[test]
fn what_exists_is_never_changed() {
    let bench = Bench::new(&plain_run(1));
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).module(
        "appends",
        does(|e, _| {
            e.append(NEWS, &[1])?;
            assert!(e.append(NEWS, &[2]).is_err());
            e.append(ADC0, &[1])?;
            Ok(Keep)
        }),
    );
    let report = analyse(&analyzer, &bench.writing());
    let reason = &report.runs[0].failures[0].reason;
    assert_eq!(
        reason,
        "bank ADC0 cannot be appended: the event has one of that name, which is never changed: give the new one another name"
    );
}

/// An event of a big-endian frontend with two banks.
fn big_endian(words: &[u16], floats: &[f32]) -> Vec<u8> {
    let mut banks = Vec::new();
    let data: [(&[u8; 4], u32, Vec<u8>); 2] = [
        (b"ADC0", 4, words.iter().flat_map(|w| w.to_be_bytes()).collect()),
        (b"FLT0", 9, floats.iter().flat_map(|w| w.to_be_bytes()).collect()),
    ];
    for (name, tid, data) in data {
        banks.extend_from_slice(name);
        banks.extend_from_slice(&tid.to_be_bytes());
        banks.extend_from_slice(&(data.len() as u32).to_be_bytes());
        banks.extend_from_slice(&data);
        banks.resize(banks.len().next_multiple_of(4), 0);
        let padding = data.len().next_multiple_of(8) - data.len().next_multiple_of(4);
        banks.resize(banks.len() + padding, 0);
    }
    [(banks.len() as u32).to_be_bytes().to_vec(), 0x11u32.to_be_bytes().to_vec(), banks].concat()
}

#[test]
fn big_endian_payloads_are_read_and_written_little_endian() {
    const FLT0: BankDef<f32> = BankDef::new(b"FLT0");
    let check = does(|e, _| {
        let adc: Vec<u16> = e.get(ADC0)?.ok_or("no ADC0")?.iter().collect();
        let flt: Vec<f32> = e.get(FLT0)?.ok_or("no FLT0")?.iter().collect();
        if adc != [1, 0x1234, 3] || flt != [1.5, -2.0] {
            return Err(format!("{adc:?} {flt:?}").into());
        }
        e.append(NEWS, &[0x0102_0304])?;
        Ok(Keep)
    });
    let file = MidFile::new().bor(42).raw(1, 1, 0, &big_endian(&[1, 0x1234, 3], &[1.5, -2.0]));
    // Wide, in the fold, and in the fold after an append: each has its own way of carrying bytes.
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Wide", 1))
        .module("wide", check.clone())
        .on(Request::new("Fold", 1))
        .sequential("fold", in_order(check.clone()))
        .on(Request::new("Both", 1))
        .module("both", check)
        .sequential("count", Counter::defaults());
    let (bytes, run) = same_in_every_way(&file, &analyzer, |job| job);
    assert_eq!(run.failures, []);
    let bench = Bench::new(&MidFile { bytes });
    let events = data(&bench.path("run00042.mid"));
    assert_eq!(events.len(), 3);
    for event in events {
        assert_eq!(event.banks[0].2, [1, 0, 0x34, 0x12, 3, 0]);
        assert_eq!(event.banks[1].2, [1.5f32.to_le_bytes(), (-2.0f32).to_le_bytes()].concat());
        assert_eq!(dwords(&event, "NEWS").unwrap(), [0x0102_0304]);
    }
}

#[test]
fn empty_and_duplicate_banks_are_kept_and_the_first_counts() {
    let banks: [(&str, Tid, &[u8]); 4] = [
        ("NUL0", Tid::Word, &[]),
        ("ADC0", Tid::Word, &[7, 0]),
        ("ADC0", Tid::Word, &[8, 0, 9, 0]),
        ("NUL0", Tid::Word, &[1, 0]),
    ];
    let check = does(|e, _| {
        let null = e.bank(BankName::new(*b"NUL0")).ok_or("no NUL0")?;
        let adc: Vec<u16> = e.get(ADC0)?.ok_or("no ADC0")?.iter().collect();
        if !null.is_empty() || adc != [7] || e.banks().count() != 4 {
            return Err(format!("{adc:?}").into());
        }
        Ok(Keep)
    });
    let file = MidFile::new().bor(42).event(1, 0, &banks).raw(1, 1, 1, &[0, 0, 0, 0, 0x11, 0, 0, 0]).raw(
        1,
        1,
        2,
        &[],
    );
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Wide", 1))
        .module(
            "wide",
            does(|e, _| {
                let wanted = if e.serial() == 0 { 4 } else { 0 };
                if e.banks().count() == wanted { Ok(Keep) } else { Err("banks lost".into()) }
            }),
        )
        .on(Request::new("Fold", 1))
        .module("skips", does(|e, _| Ok(if e.serial() == 0 { Keep } else { Skip })))
        .sequential("fold", in_order(check));
    let (bytes, run) = same_in_every_way(&file, &analyzer, |job| job);
    assert_eq!(run.failures, []);
    assert_eq!(request(&run, "Wide").kept, 3, "events without banks are kept, though .mid has none");
    let bench = Bench::new(&MidFile { bytes });
    let events = data(&bench.path("run00042.mid"));
    assert_eq!(names(&events), [(1, 0), (1, 0)]);
    assert!(events.iter().all(|e| e.banks.len() == 4));
}

#[test]
fn the_filter_writes_originals_of_what_is_kept() {
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Wide", 1))
        .module("adds", Adds { offset: vec![0; 4] })
        .module("skips", does(|e, _| Ok(if e.serial() % 3 == 0 { Keep } else { Skip })))
        .on(Request::new("Fold", 2))
        .module("appends", does(|e, _| e.append(NEWS, &[1]).map(|()| Keep).map_err(Into::into)))
        .sequential("count", Counter::defaults());
    let mut file = MidFile::new().bor(42);
    let mut wanted = file.clone();
    for serial in 0..30 {
        let event = MidFile::new().words(1 + (serial % 2) as u16, serial, "ADC0", &[1, 2, 3, 4]);
        file.bytes.extend_from_slice(&event.bytes);
        if serial % 2 == 1 || serial % 3 == 0 {
            wanted.bytes.extend_from_slice(&event.bytes);
        }
    }
    let (bytes, _) = same_in_every_way(&file, &analyzer, |job| Job { filter: true, ..job });
    assert!(bytes == wanted.bytes, "the originals, byte for byte");
}
