//! Broken bytes, fragments and subruns on their way through the engine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::PathBuf;

use common::bench::{names, run_of};
use common::{MidFile, Plain, corpus};
use pactolus::prelude::*;
use pactolus::{Broken, InputFile, Offered, Report};
use tempfile::TempDir;

/// A directory for inputs and outputs.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// The report of a job over these inputs, and all events that it writes.
    fn analyse(&self, inputs: &[PathBuf], change: impl Fn(Job) -> Job) -> (Report, Vec<Plain>) {
        let inputs = inputs.iter().map(InputFile::new).collect();
        let job = Job { inputs, ..Job::new() }.output(self.path("out.mid").to_str().unwrap()).unwrap();
        let report = Analyzer::new("Analyzer").run(&change(job)).unwrap();
        (report, common::events(&self.path("out.mid"), u16::MAX))
    }
}

#[test]
fn what_lies_behind_broken_bytes_is_analysed_whatever_the_blocks() {
    let mut bytes = run_of(42, 0..200).bytes;
    let at = |event: usize| 17 + 44 * event;
    // A size that claims too much, a hole, and a size that swallows three events exactly.
    bytes[at(10) + 15] = 0xff;
    bytes[at(50) + 20..at(53) + 20].fill(0);
    bytes[at(100) + 12] += 132;
    let mut first: Option<(Broken, Vec<Plain>)> = None;
    for (block, threads) in [(1, 1), (150, 2), (4096, 1), (4096, 4), (1 << 20, 2)] {
        let place = Place::new();
        let input = place.put("run00042.mid", &bytes);
        let (report, written) = place.analyse(&[input], |job| Job { block, threads, ..job });
        let run = &report.runs[0];
        // What was broken shows in the serial numbers.
        let wanted = Offered { offered: 194, delivered: 194, unattended: 6, ..Offered::default() };
        assert_eq!(run.events[&1], wanted);
        let places = &report.damage.places;
        let ranges: Vec<(u64, u64)> = places.iter().map(|p| (p.damage.offset, p.damage.end)).collect();
        let range = |from: usize, to: usize| (at(from) as u64, at(to) as u64);
        assert_eq!(ranges, [range(10, 11), range(50, 54), range(100, 101)]);
        assert_eq!((report.damage.count, report.damage.bytes), (3, 6 * 44));
        let reasons: Vec<_> = report.damage.reasons.iter().map(|(reason, count)| (*reason, *count)).collect();
        let wanted = ["bank area flags", "event and banks disagree on size", "event too large"];
        assert_eq!(reasons, wanted.map(|reason| (reason, 1)));
        let mut damage = report.damage.clone();
        damage.places.iter_mut().for_each(|place| place.input = "run00042.mid".into());
        let found = (damage, written);
        assert_eq!(*first.get_or_insert(found.clone()), found, "blocks of {block}, {threads} threads");
    }
}

#[test]
fn strict_stops_at_the_first_broken_bytes() {
    let mut bytes = run_of(42, 0..20).bytes;
    bytes[17 + 44 * 5 + 14] = 0xff;
    bytes[17 + 44 * 9 + 14] = 0xff;
    let place = Place::new();
    let input = place.put("run00042.mid", &bytes);
    let (report, written) = place.analyse(&[input], |job| Job { strict: true, ..job });
    assert_eq!((report.damage.count, written.len()), (1, 6));
}

#[test]
fn a_broken_bor_costs_the_dump_but_not_the_run() {
    let mut bytes = run_of(42, 0..5).bytes;
    bytes[1] = 0;
    let place = Place::new();
    let input = place.put("run00042.mid", &bytes);
    let (report, written) = place.analyse(&[input], |job| job);
    assert_eq!((report.runs.len(), report.runs[0].run, report.damage.count), (1, 42, 1));
    assert_eq!(names(&written).len(), 6);
}

/// The pieces of an event of these bytes.
fn pieces(mut file: MidFile, id: u16, serial: u32, payload: &[u8], size: usize) -> MidFile {
    file = file.raw(0xc000 + id, 1, serial, &(payload.len() as u32).to_le_bytes());
    payload.chunks(size).fold(file, |file, piece| file.raw(0xd000 + id, 1, serial, piece))
}

#[test]
fn events_that_came_in_fragments_are_put_together() {
    let whole = MidFile::new().words(1, 7, "WAVE", &(0..300).collect::<Vec<u16>>()).bytes;
    let file = MidFile::new().bor(42).words(2, 0, "ADC0", &[1]);
    let file = pieces(file, 1, 7, &whole[16..], 100).words(2, 1, "ADC0", &[1]);
    // Another that lacks its last piece, and a piece of nothing.
    let broken = pieces(file, 1, 8, &whole[16..], 100).bytes;
    let broken = MidFile { bytes: broken[..broken.len() - 16 - (whole.len() - 16) % 100].to_vec() };
    let file = broken.raw(0xd003, 1, 9, b"stray").words(2, 2, "ADC0", &[1]).eor(42);
    for (block, threads) in [(1, 1), (150, 2), (1 << 20, 2)] {
        let place = Place::new();
        let input = place.put("run00042.mid", &file.bytes);
        let (report, written) = place.analyse(&[input], |job| Job { block, threads, ..job });
        assert_eq!(names(&written), [(0x8000, 42), (2, 0), (1, 7), (2, 1), (2, 2), (0x8001, 42)]);
        assert_eq!(written[2].banks[0].2, whole[16 + 8 + 12..][..600]);
        let kinds: Vec<String> = report.damage.places.iter().map(|p| p.damage.kind.to_string()).collect();
        let lost =
            format!("fragments of an event of id 1 incomplete: {} bytes needed, 600 found", whole.len() - 16);
        assert_eq!(kinds, ["fragment of an event of id 3: its first fragment is missing", &*lost]);
    }
}

#[test]
fn pieces_of_two_events_make_none() {
    // Of a stream that passes events over: the end of the first is missing, and the begin of the second.
    let whole = MidFile::new().words(1, 7, "WAVE", &(0..300).collect::<Vec<u16>>()).bytes;
    let first = pieces(MidFile::new().bor(42), 1, 7, &whole[16..], 100).bytes;
    let second = pieces(MidFile::new(), 1, 8, &whole[16..], 100).bytes;
    let piece = 16 + (whole.len() - 16) % 100;
    let bytes = [&first[..first.len() - piece], &second[second.len() - piece..]].concat();
    let file = MidFile { bytes }.words(2, 0, "ADC0", &[1]).eor(42);
    let place = Place::new();
    let input = place.put("run00042.mid", &file.bytes);
    let (report, written) = place.analyse(&[input], |job| job);
    assert_eq!(names(&written), [(0x8000, 42), (2, 0), (0x8001, 42)]);
    assert_eq!(report.damage.count, 2);
}

#[test]
fn subruns_are_one_run_with_one_begin_and_one_end() {
    let place = Place::new();
    let parts: Vec<PathBuf> = (0..3u32)
        .map(|part| {
            let bytes = run_of(42, 10 * part..10 * part + 10).bytes;
            place.put(&format!("run00042sub{part:04}.mid"), &bytes)
        })
        .collect();
    let other = place.put("run00043.mid", &run_of(43, 0..2).bytes);
    let all = [&parts[..], &[other]].concat();
    for (block, threads) in [(1, 1), (150, 2), (1 << 20, 2)] {
        let (report, written) = place.analyse(&all, |job| Job { block, threads, ..job });
        assert_eq!(report.runs.iter().map(|r| (r.run, r.files)).collect::<Vec<_>>(), [(42, 3), (43, 1)]);
        let mut wanted = vec![(0x8000, 42)];
        wanted.extend((0..30).map(|serial| (1, serial)));
        wanted.extend([(0x8001, 42), (0x8000, 43), (1, 0), (1, 1), (0x8001, 43)]);
        assert_eq!(names(&written), wanted);
        assert_eq!(report.runs[0].events[&1].offered, 30);
    }
    // `-n` counts through the run, BOR and EOR of the seams too.
    let selection = pactolus::Selection { last: Some(17), ..Default::default() };
    let (report, _) = place.analyse(&parts, |job| Job { selection, ..job });
    assert_eq!(report.runs[0].events[&1].offered, 14);
    let selection = pactolus::Selection { events: Some(25), ..Default::default() };
    let (report, _) = place.analyse(&parts, |job| Job { selection, ..job });
    assert_eq!((report.runs.len(), report.runs[0].events[&1].offered), (1, 25));
    // Provenance names every file with its digest.
    place.analyse(&parts, |job| job);
    let text = fs::read_to_string(place.path("out.mid.provenance.json")).unwrap();
    let provenance: serde_json::Value = serde_json::from_str(&text).unwrap();
    let files = provenance["runs"][0]["input"].as_array().unwrap();
    assert_eq!(files.len(), 3);
    assert!(files.iter().all(|file| file["sha256"].as_str().is_some_and(|digest| digest.len() == 64)));
}

#[test]
fn a_missing_subrun_is_refused_unless_allowed() {
    let place = Place::new();
    let parts: Vec<PathBuf> = [0, 2]
        .map(|part| place.put(&format!("run00042sub{part:04}.mid"), &run_of(42, part..part + 1).bytes))
        .to_vec();
    let name = |i: usize| parts[i].to_str().unwrap().to_owned();
    let ran = common::run(&["analyze", &name(0), &name(1)]);
    let wanted =
        format!("pactolus: subrun 1 is missing before {}: add the files, or --allow-missing\n", name(1));
    assert_eq!((ran.code, ran.err), (2, wanted));
    let ran = common::run(&["analyze", &name(0), &name(1), "--allow-missing"]);
    assert!(
        ran.code == 0 && ran.out.contains(&format!("run 42 from {} and 1 more\n", name(0))),
        "{}",
        ran.out
    );
}

#[test]
fn json_tells_ranges_reasons_and_counts() {
    let mut bytes = run_of(42, 0..20).bytes;
    bytes[17 + 44 * 5 + 14] = 0xff;
    let place = Place::new();
    let input = place.put("run00042.mid", &bytes);
    let name = input.to_str().unwrap();
    let place = serde_json::json!({
        "what": "event of 16711724 bytes: at most 1048576 expected", "reason": "event too large",
        "byte": 237, "end": 281, "compressed_byte": null, "compressed_end": null, "event": 7
    });
    let ran = common::run(&["analyze", name, "--json", "--max-event", "1M"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let mut wanted = place.clone();
    wanted["input"] = name.into();
    assert_eq!(ran.code, 1);
    assert_eq!(report["damage"]["places"], serde_json::json!([wanted]));
    assert_eq!(report["damage"]["reasons"], serde_json::json!({ "event too large": 1 }));
    assert_eq!((&report["damage"]["count"], &report["damage"]["bytes"]), (&1.into(), &44.into()));
    let ran = common::run(&["scan", name, "--json"]);
    let scan: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&scan["broken"], &scan["lost"], &scan["cut"]), (&1.into(), &44.into(), &false.into()));
    assert_eq!(scan["damage"][0]["end"], 281);
    assert_eq!(scan["reasons"], serde_json::json!({ "event body cut short": 1 }));
}

#[test]
fn no_file_of_the_corpus_has_damage_where_there_is_none() {
    for directory in ["mid", "golden"] {
        let mut stack = vec![corpus(directory)];
        while let Some(path) = stack.pop() {
            if path.is_dir() {
                stack.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
                continue;
            }
            let name = path.to_string_lossy().into_owned();
            if !name.contains(".mid") || name.contains(".crc32c") {
                continue;
            }
            let found = pactolus::scan::Scan::read(pactolus::formats::Input::open(&path).unwrap()).unwrap();
            let wanted = match () {
                // Its last event is cut, and an event of which a fragment is missing.
                () if name.ends_with("run00110.mid") => 2,
                () if name.ends_with("g44_110.mid") => 1,
                () => 0,
            };
            assert_eq!(found.scan.broken, wanted, "{name}: {:?}", found.scan.damage);
        }
    }
}
