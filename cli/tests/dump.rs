//! `pactolus dump` and `pactolus simulate`, as a user sees them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pactolus::Catalogue;
use pactolus_cli::App;

fn corpus(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(name);
    path.to_str().unwrap().to_owned()
}

fn run_into(args: &[&str], out: &mut dyn Write) -> (u8, String) {
    let args: Vec<OsString> = args.iter().map(Into::into).collect();
    let mut err = Vec::new();
    let code = pactolus_cli::run(&App::new(Catalogue::new()), &args, out, &mut err);
    (code, String::from_utf8(err).unwrap())
}

/// Exit code, output and errors of `pactolus` with these arguments.
fn run(args: &[&str]) -> (u8, String, String) {
    let mut out = Vec::new();
    let (code, err) = run_into(args, &mut out);
    (code, String::from_utf8(out).unwrap(), err)
}

fn check(args: &[&str], wanted: &str) {
    let (code, out, err) = run(args);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, wanted);
}

#[test]
fn events_are_shown_with_their_banks() {
    check(
        &["dump", &corpus("mid/run00008.mid"), "-n", "5"],
        r#"event 1  BOR  run 8  mask 0x494d  2026-11-21T01:42:36Z  22068 bytes
  ODB as XML: <?xml version="1.0" encoding="ISO-8859-1"?>
event 2  id 2  serial 0  mask 0x0  2026-11-21T01:42:36Z  32 bytes
  SCLR  DWORD     4 elements, 16 bytes
      0  1059 2039 3059 4024
event 3  message  serial 0  mask 0x2  2026-11-21T01:42:36Z  30 bytes
  [ODBEdit,INFO] Run #8 started
event 4  message  serial 0  mask 0x1  2026-11-21T01:42:36Z  94 bytes
  [Sample Frontend,ERROR] [midas.c:14142:rpc_server_receive,ERROR] rpc check ok,
  abort canceled
event 5  id 1  serial 0  mask 0x0  2026-11-21T01:42:36Z  40 bytes
  ADC0  WORD      4 elements, 8 bytes
      0  304 805 359 160
  TDC0  WORD      4 elements, 8 bytes
      0  384 739 909 759
"#,
    );
}

#[test]
fn fixed_events_are_bytes() {
    let file = corpus("mid/run00008.mid");
    let (_, out, _) = run(&["dump", &file, "--id", "4", "-n", "1"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    assert_eq!(lines[1], "  no bank area: event in FIXED format, or broken");
    assert!(lines[2].starts_with("      0  "), "{out}");
}

#[test]
fn numbers_in_hexadecimal_are_those_of_mdump() {
    check(
        &["dump", &corpus("mid/run00008.mid"), "--id", "1", "--bank", "TDC0", "--serial", "2", "--hex"],
        "event 7  id 1  serial 2  mask 0x0  2026-11-21T01:42:36Z  40 bytes
  TDC0  WORD      4 elements, 8 bytes
      0  002b 035a 000c 039e
",
    );
}

#[test]
fn every_type_has_its_form() {
    let (code, out, _) = run(&["dump", &corpus("mid/run00100.mid"), "--id", "3", "-n", "1"]);
    assert_eq!(code, 0);
    for wanted in [
        "  SBY0  SBYTE     3 elements, 3 bytes\n      0    -1  -51 -101\n",
        "  CHR0  CHAR      7 elements, 7 bytes\n      0  \"chars!\\n\"\n",
        "  BOL0  BOOL      3 elements, 12 bytes\n      0  y n y\n",
        "      0      3.141593     6.283185     9.424778        1e-09 1.677722e+07\n      5           NAN\n",
        "      0  2.718281828459045  5.43656365691809\n      2             1e+300               NAN\n",
        "  BIT0  BITFIELD  2 elements, 2 bytes\n      0  a5 a6\n",
        "  STR0  STRING    12 bytes\n      0  \"hello world\"\n",
        "  NUL0  WORD      0 elements, 0 bytes\n  NULF  FLOAT ",
        "  ARR0  ARRAY     9 bytes\n      0  00 01 02 03 04 05 06 07  08 ",
        "  LNK0  LINK      5 bytes\n      0  \"link\"\n",
        "     20  741\n",
    ] {
        assert!(out.contains(wanted), "{wanted}\n---\n{out}");
    }
}

#[test]
fn lines_fit_80_columns() {
    for name in ["run00003.mid.lz4", "run00100.mid", "run00101.mid", "run00103.mid", "run00108.mid"] {
        let (code, out, _) = run(&["dump", &corpus(&format!("mid/{name}")), "-n", "300"]);
        assert_eq!(code, 0);
        for line in out.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn the_whole_odb_is_shown_when_asked_for() {
    let file = corpus("mid/run00104.mid");
    let (_, out, _) = run(&["dump", &file, "--id", "BOR", "--odb"]);
    assert!(out.lines().count() > 100, "{out}");
    assert!(out.contains("Comment = STRING : [80] dump test"), "{out}");
    let (_, out, _) = run(&["dump", &file, "--id", "EOR"]);
    assert_eq!(out.lines().count(), 2, "{out}");
}

#[test]
fn json_has_one_line_per_event() {
    let (code, out, _) = run(&["dump", &corpus("mid/run00100.mid"), "--json"]);
    assert_eq!(code, 0);
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 42);
    assert_eq!((&lines[0]["kind"], &lines[41]["kind"]), (&"BOR".into(), &"EOR".into()));
    let event = &lines[1];
    assert_eq!((event["event"].as_u64(), event["serial"].as_u64()), (Some(2), Some(1)));
    assert_eq!(event["banks"][4]["values"], serde_json::json!([1, -999, -1999]));
    assert_eq!(event["banks"][8]["values"][5], "NaN");
    assert_eq!(event["banks"][11]["text"], "hello world");
}

#[test]
fn big_numbers_and_big_endian_are_read_right() {
    let file = corpus("mid/run00108.mid");
    let (_, out, _) = run(&["dump", &file, "--bank", "I640", "-n", "1", "--json"]);
    let event: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(event["banks"][0]["values"][0], i64::MIN);
    let (_, out, _) = run(&["dump", &corpus("mid/run00109.mid"), "--bank", "INT0", "-n", "2"]);
    assert!(out.contains("  big-endian\n  INT0  INT       2 elements, 8 bytes\n      0  -1  2\n"), "{out}");
}

#[test]
fn damage_is_told_with_both_places() {
    let (code, out, err) = run(&["dump", &corpus("mid/run00110.mid")]);
    assert_eq!(code, 1);
    assert!(out.contains("  ZZZZ  type 0x7f  8 bytes\n"), "{out}");
    assert!(
        err.ends_with("event body cut short: 24 bytes needed, 19 left at byte 274, event 9; 35 bytes lost\n"),
        "{err}"
    );

    let (code, out, err) = run(&["dump", &corpus("comp/run00006.cut30000.mid.gz"), "--id", "1"]);
    assert_eq!(code, 1);
    assert!(out.lines().filter(|line| line.starts_with("event ")).count() > 1000);
    assert!(err.contains("at byte 100748 (byte 30000 of the compressed file), event 1281"), "{err}");
}

#[test]
fn broken_banks_are_told_in_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken.mid");
    let mut bytes = std::fs::read(corpus("mid/run00008.mid")).unwrap();
    // The first Trigger event is the fifth: its TDC0 claims 255 bytes more.
    let at = bytes.windows(4).position(|name| name == b"TDC0").unwrap();
    // The ODB has a TDC0 too, in text: a bank's name stands before its type.
    let at = (at..bytes.len()).find(|&i| bytes[i..].starts_with(b"TDC0\x04\0\x08\0")).unwrap();
    bytes[at + 7] = 1;
    std::fs::write(&path, &bytes).unwrap();
    let path = path.to_str().unwrap();

    let (code, out, err) = run(&["dump", path, "--id", "1", "-n", "2"]);
    assert_eq!(code, 1);
    assert!(
        out.contains(
            "      0  304 805 359 160\n  broken: bank TDC0 cut short: 264 bytes needed, 8 left at byte 40 of the event\nevent 6  "
        ),
        "{out}"
    );
    assert!(err.ends_with("broken.mid: 1 event with broken banks\n"), "{err}");

    let (code, out, _) = run(&["dump", path, "--id", "1", "-n", "1", "--json"]);
    let event: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 1);
    assert_eq!(event["banks"].as_array().unwrap().len(), 1);
    assert!(event["damage"].as_str().unwrap().starts_with("bank TDC0 cut short"));

    let (code, out, _) = run(&["scan", path]);
    assert_eq!(code, 1);
    assert!(out.contains("1 event with broken banks") && out.contains(", event 5\n"), "{out}");
}

/// Takes so many bytes, then hangs up.
struct Closing(usize);

impl Write for Closing {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(buf.len()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for args in [&["dump"][..], &["dump", "--json"], &["scan"]] {
        let mut args = args.to_vec();
        let file = corpus("mid/run00007.mid");
        args.insert(1, &file);
        assert_eq!(run_into(&args, &mut Closing(100)), (0, String::new()), "{args:?}");
    }
}

#[test]
fn simulated_runs_are_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let pattern = directory.path().join("run%05d.mid.gz");
    let args = ["simulate", "-o", pattern.to_str().unwrap(), "--run", "42", "--events", "100"];
    let (code, out, err) = run(&args);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert!(err.contains("run00042.mid.gz: run 42, 100 events, "), "{err}");

    let file = directory.path().join("run00042.mid.gz");
    let (code, out, _) = run(&["scan", file.to_str().unwrap()]);
    assert_eq!(code, 0);
    assert!(out.contains("102 events: 100 data, 1 BOR, 1 EOR\n"), "{out}");
    assert!(out.contains("2 s, 50.0 events/s\n"), "{out}");
    // Nothing but the file is left, and it is not written over.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    let (code, _, err) = run(&args);
    assert_eq!(code, 2);
    assert!(err.contains("exists: give another name, or --force"), "{err}");
}

#[test]
fn a_simulated_run_can_go_to_standard_output() {
    let mut out = Vec::new();
    let (code, _) = run_into(&["simulate", "-o", "-", "--events", "50", "--shape", "big"], &mut out);
    assert_eq!(code, 0);
    assert!(out.starts_with(&[0x00, 0x80, 0x4d, 0x49]));
    let (code, err) = run_into(&["simulate", "-o", "x.asc"], &mut out);
    assert_eq!((code, err.as_str()), (2, "pactolus: x.asc: simulated events go into .mid files only\n"));
}
