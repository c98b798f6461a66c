//! `pactolus scan` over the files of real MIDAS programs.
//!
//! The counts are those of the corpus, which an independent reader made.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pactolus::Catalogue;
use pactolus::formats::mid::layout::BankKind;
use pactolus::formats::{Compression, Input};
use pactolus::scan::{IdSeen, Scan, Scanned};
use pactolus_cli::App;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(name)
}

fn scan(name: &str) -> Scanned {
    Scan::read(Input::open(corpus(name)).unwrap()).unwrap()
}

/// Exit code, output and errors of `pactolus scan` with these arguments.
fn run(args: &[&str]) -> (u8, String, String) {
    let args: Vec<OsString> = std::iter::once("scan").chain(args.iter().copied()).map(Into::into).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = pactolus_cli::run(&App::new(Catalogue::new()), &args, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// `events first..last data-bytes`, as the corpus lists an id.
fn line(id: &IdSeen) -> String {
    let IdSeen { events, first_serial, last_serial, size, .. } = id;
    format!("{events} {first_serial}..{last_serial} {}..{}", size.min, size.max)
}

/// Compares the ids of a file, all of them, and its bytes and events.
fn check(name: &str, bytes: u64, events: u64, wanted: &[(u16, &str)]) {
    let file = scan(name);
    assert_eq!((file.scan.bytes, file.scan.events), (bytes, events), "{name}");
    let found: Vec<(u16, String)> = file.scan.ids.iter().map(|(id, seen)| (*id, line(seen))).collect();
    let found: Vec<(u16, &str)> = found.iter().map(|(id, line)| (*id, line.as_str())).collect();
    assert_eq!(found, wanted, "{name}");
    assert!(!file.scan.is_damaged() && !file.cut, "{name}: {:?}", file.scan.damage);
}

const BOR: u16 = 0x8000;
const EOR: u16 = 0x8001;
const MESSAGE: u16 = 0x8002;

/// A run of the logger: events, size of BOR and EOR, last serial numbers of ids 1 to 4.
fn check_logger(name: &str, run: u32, bytes: u64, events: u64, odb: [u64; 2], counts: [u64; 4]) {
    let [trigger, scaler, wave, fixed] = counts;
    let serial = |count: u64| count - 1;
    check(
        name,
        bytes,
        events,
        &[
            (1, &format!("{trigger} 0..{} 40..40", serial(trigger))),
            (2, &format!("{scaler} 0..{} 32..32", serial(scaler))),
            (3, &format!("{wave} 0..{} 564..580", serial(wave))),
            (4, &format!("{fixed} 0..{} 48..48", serial(fixed))),
            (BOR, &format!("1 {run}..{run} {0}..{0}", odb[0])),
            (EOR, &format!("1 {run}..{run} {0}..{0}", odb[1])),
            (MESSAGE, "2 0..0 30..94"),
        ],
    );
    let file = scan(name);
    let scan = file.scan;
    assert!(scan.ids.values().all(|id| id.gaps == 0), "{name}");
    assert_eq!(scan.ids[&3].masks, [5]);
    assert_eq!((scan.ids[&4].fixed, scan.ids[&1].fixed), (fixed, 0));
    assert_eq!(scan.ids[&3].areas[0].kind(), BankKind::Bank32);
    assert_eq!((scan.runs.len(), scan.runs[0].number), (1, run));
    assert_eq!(scan.runs[0].events, trigger + scaler + wave + fixed);
    assert_eq!((scan.messages, scan.errors), (2, 1));
    let banks: Vec<_> =
        scan.ids[&1].banks.iter().map(|b| (b.name.to_string(), b.events, b.bytes.max)).collect();
    assert_eq!(banks, [("ADC0".to_owned(), trigger, 8), ("TDC0".to_owned(), trigger, 8)]);
    let wav0 = scan.ids[&3].banks.iter().find(|b| b.name.to_string() == "WAV0").unwrap();
    assert_eq!((wav0.count, wav0.bytes.min, wav0.bytes.max), (wave, 200, 212));
}

#[test]
fn runs_of_the_logger_are_counted() {
    let ends = |run: u32, odb: u32| format!("1 {run}..{run} {odb}..{odb}");
    // The first run has one message more than the others.
    check(
        "mid/run00001.mid",
        439_800,
        6466,
        &[
            (1, "6356 0..6355 40..40"),
            (2, "14 0..13 32..32"),
            (3, "65 0..64 564..580"),
            (4, "26 0..25 48..48"),
            (BOR, &ends(1, 20_951)),
            (EOR, &ends(1, 22_017)),
            (MESSAGE, "3 0..0 30..94"),
        ],
    );
    // The beginning of run 8, without its end.
    check(
        "mid/run00008_first150.mid",
        31_012,
        150,
        &[
            (1, "144 0..143 40..40"),
            (2, "1 0..0 32..32"),
            (3, "1 0..0 580..580"),
            (4, "1 0..0 48..48"),
            (BOR, &ends(8, 22_068)),
            (MESSAGE, "2 0..0 30..94"),
        ],
    );
    check_logger("mid/run00002.mid.gz", 2, 409_863, 5958, [22_064, 22_099], [5857, 13, 60, 24]);
    check_logger("mid/run00003.mid.lz4", 3, 320_420, 4505, [22_058, 22_082], [4427, 11, 45, 18]);
    check_logger("mid/run00004.mid.bz2", 4, 320_107, 4499, [22_058, 22_089], [4421, 11, 45, 18]);
    check_logger("mid/run00005.mid.gz", 5, 229_749, 3029, [22_061, 22_076], [2975, 8, 30, 12]);
    check_logger("mid/run00006.mid", 6, 172_379, 2090, [22_056, 22_099], [2050, 6, 21, 9]);
    check_logger("mid/run00007.mid", 7, 918_611, 14_241, [22_063, 22_096], [14_005, 30, 144, 58]);
    check_logger("mid/run00008.mid", 8, 142_061, 1596, [22_068, 22_093], [1564, 5, 16, 7]);
    check_logger("mid/nodigits.mid", 8, 142_061, 1596, [22_068, 22_093], [1564, 5, 16, 7]);
}

#[test]
fn every_compression_gives_the_same() {
    for (name, compression) in [
        ("run00006.mid", Compression::None),
        ("run00006.1.mid.gz", Compression::Gzip),
        ("run00006.9.mid.gz", Compression::Gzip),
        ("run00006.twomember.mid.gz", Compression::Gzip),
        ("run00006.mid.bz2", Compression::Bzip2),
        ("run00006.twostream.mid.bz2", Compression::Bzip2),
        ("run00006.default.mid.lz4", Compression::Lz4),
        ("run00006.blockcrc_nofcrc.mid.lz4", Compression::Lz4),
        ("run00006.legacy.mid.lz4", Compression::Lz4),
        ("run00006.linked.mid.lz4", Compression::Lz4),
        ("run00006.twoframe.mid.lz4", Compression::Lz4),
    ] {
        let name = format!("comp/{name}");
        check_logger(&name, 6, 172_379, 2090, [22_056, 22_099], [2050, 6, 21, 9]);
        let file = scan(&name);
        assert_eq!(file.compression, compression, "{name}");
        assert_eq!(file.size, std::fs::metadata(corpus(&name)).unwrap().len());
    }
}

#[test]
fn files_of_the_bank_library_are_counted() {
    let ends = |run| format!("1 {run}..{run} 1..1");
    let check_one = |run: u32, bytes, events, id3: &str| {
        let name = format!("mid/run{run:05}.mid");
        check(&name, bytes, events, &[(3, id3), (BOR, &ends(run)), (EOR, &ends(run))]);
    };
    check_one(100, 18_242, 42, "40 1..40 424..456");
    check_one(101, 21_282, 42, "40 1..40 500..532");
    check_one(102, 240_226, 5, "3 1..3 80048..80048");
    check_one(103, 15_114, 7, "5 1..5 3000..3000");
    check_one(108, 16_994, 42, "40 1..40 408..408");
    check_one(109, 1174, 12, "10 1..10 88..108");
    check("mid/run00107.mid", 9120, 20, &[(3, "20 1..20 424..456")]);
    for (run, bytes, odb) in [(104, 31_632, 7256), (105, 50_482, 16_681), (106, 74_982, 28_931)] {
        let ends = format!("1 {run}..{run} {odb}..{odb}");
        let ids = [(1, "300 1..300 40..40"), (2, "6 1..6 32..32"), (BOR, &ends), (EOR, &ends)];
        check(&format!("mid/run00{run}.mid"), bytes, 308, &ids);
    }
}

#[test]
fn banks_of_every_type_are_listed() {
    let check = |name: &str, banks: usize, kind: BankKind, big_endian: bool| {
        let file = scan(name);
        let id = &file.scan.ids[&3];
        assert_eq!(id.banks.len(), banks, "{name}");
        assert!(id.areas.iter().any(|area| area.kind() == kind && area.big_endian == big_endian), "{name}");
        assert_eq!((id.fixed, id.damaged), (0, 0), "{name}");
    };
    check("mid/run00100.mid", 19, BankKind::Bank, false);
    check("mid/run00101.mid", 19, BankKind::Bank32, false);
    check("mid/run00103.mid", 150, BankKind::Bank32, false);
    check("mid/run00108.mid", 15, BankKind::Bank32A, false);
    check("mid/run00109.mid", 5, BankKind::Bank, true);
    check("mid/run00109.mid", 5, BankKind::Bank32, true);
    assert_eq!(scan("mid/run00100.mid").scan.ids[&3].masks.len(), 4);
}

#[test]
fn dumps_are_recognised_by_their_first_bytes() {
    for (run, form) in [(104, ".odb"), (105, "XML"), (106, "JSON")] {
        let file = scan(&format!("mid/run00{run}.mid"));
        let run = &file.scan.runs[0];
        for odb in [&run.odb_begin, &run.odb_end] {
            assert_eq!(odb.as_ref().unwrap().form.unwrap().to_string(), form);
        }
    }
}

#[test]
fn oddities_are_counted_and_damage_is_named() {
    let path = corpus("mid/run00110.mid");
    let (code, out, _) = run(&[path.to_str().unwrap()]);
    assert_eq!(code, 1);
    let (_, listing) = out.split_once('\n').unwrap();
    assert_eq!(
        listing,
        "  MIDAS events, 309 bytes, not compressed
  8 events: 4 data, 1 BOR, 1 fragment 0xc001, 1 fragment 0xd001, 1 message
  run 110: 2017-07-14T02:40:00Z, no EOR, 4 data events
    ODB at begin: empty; at end: none

  id          events  rate/s  serial         gaps  data bytes area     mask
  1                3       -  1..5              1  0..80      BANK     0x0
          2 events missing in the gaps
  77               1       -  3                 0  24         BANK     0x0
  BOR              1       -  110               -  1          -        0x494d
  message          1       -  0                 -  21         -        0x2
  0xc001           1       -  4                 -  4          -        0x0
  0xd001           1       -  4                 -  8          -        0x0

  id      bank   type          events  bytes
  1       ADC0   WORD               1  8, 1 more in the same events
          ZZZZ   0x7f               1  8
          TDC0   WORD               1  10
  77      XXXX   WORD               1  4
  damage: event body cut short: 24 bytes needed, 19 left at byte 274, event 9; 35 bytes lost
"
    );
}

#[test]
fn cut_files_keep_every_whole_event() {
    let check = |name: &str, events: u64, bytes: u64, compressed: Option<u64>| {
        let path = corpus(name);
        let (code, out, _) = run(&[path.to_str().unwrap()]);
        assert_eq!(code, 1, "{name}");
        let file = scan(name);
        assert!(file.cut);
        assert_eq!((file.scan.events, file.scan.bytes), (events, bytes), "{name}");
        let damage = file.scan.damage.last().unwrap();
        assert_eq!(damage.compressed_offset, compressed, "{name}: {damage}");
        assert_eq!(damage.event, events + 1, "{name}: {damage}");
        assert!(damage.offset >= bytes, "{name}: {damage}");
        assert!(out.contains(&format!("damage: {damage}\n")), "{out}");
    };
    check("comp/run00006.cut100001.mid", 1267, 99_968, None);
    check("comp/run00006.cut30000.mid.gz", 1280, 100_696, Some(30_000));
    check("comp/run00006.cut30000.mid.lz4", 904, 77_496, Some(30_000));
    // One block of bzip2 holds all of it: nothing comes out before its end.
    check("comp/run00006.cut30000.mid.bz2", 0, 0, Some(30_000));
    check("comp/run00006.truncated.mid.gz", 2090, 172_379, Some(49_848));
    check("comp/run00006.truncated.mid.lz4", 2090, 172_379, Some(67_444));
}

#[test]
fn cut_anywhere_no_whole_event_is_lost() {
    let whole = std::fs::read(corpus("mid/run00109.mid")).unwrap();
    for len in 0..whole.len() {
        let part = std::io::Cursor::new(whole[..len].to_vec());
        let file = Scan::read(Input::new(part, "part.mid").unwrap()).unwrap();
        assert!(file.scan.bytes <= len as u64);
        assert_eq!(file.cut, file.scan.bytes < len as u64, "{len} bytes");
    }
}

#[test]
fn a_flipped_byte_never_ends_in_a_panic() {
    let whole = std::fs::read(corpus("mid/run00110.mid")).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        Scan::read(Input::new(std::io::Cursor::new(bytes), "flipped.mid").unwrap()).unwrap();
    }
}

#[test]
fn lines_fit_80_columns() {
    for name in ["mid/run00005.mid.gz", "mid/run00100.mid", "mid/run00109.mid", "mid/run00107.mid"] {
        let path = corpus(name);
        let (code, out, err) = run(&[path.to_str().unwrap()]);
        assert_eq!((code, err.as_str()), (0, ""));
        for line in out.lines().skip(1) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn json_is_one_object_per_file() {
    let (one, two) = (corpus("mid/run00006.mid"), corpus("comp/run00006.cut30000.mid.gz"));
    let (code, out, _) = run(&[one.to_str().unwrap(), two.to_str().unwrap(), "--json"]);
    assert_eq!(code, 1);
    let files: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(files.len(), 2);
    assert_eq!(files[0]["events"], 2090);
    assert_eq!(files[0]["runs"][0]["odb_begin"]["form"], "XML");
    assert_eq!(files[0]["ids"][0]["banks"][0]["name"], "ADC0");
    assert_eq!(files[1]["compression"], "gzip");
    assert_eq!(files[1]["damage"][0]["compressed_byte"], 30_000);
}

#[test]
fn a_missing_file_is_an_error() {
    let (code, out, err) = run(&["no-such-file.mid"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.starts_with("pactolus: cannot open no-such-file.mid: "), "{err}");
}
