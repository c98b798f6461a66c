//! `pactolus scan --check` against the checksums that MIDAS's logger wrote.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use pactolus::Catalogue;
use pactolus_cli::App;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/mid").join(name)
}

/// Exit code, the lines about checksums, and errors.
fn check(files: &[&Path]) -> (u8, Vec<String>, String) {
    let (code, out, err) = scan(files, &["--check"]);
    let lines = out.lines().skip_while(|line| !line.starts_with("  checksum"));
    (code, lines.map(str::to_owned).collect(), err)
}

fn scan(files: &[&Path], flags: &[&str]) -> (u8, String, String) {
    let mut args: Vec<OsString> = vec!["scan".into()];
    args.extend(files.iter().map(Into::into));
    args.extend(flags.iter().map(Into::into));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = pactolus_cli::run(&App::new(Catalogue::new()), &args, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn files_of_the_logger_have_the_checksums_that_it_wrote() {
    let (code, lines, err) = check(&[&corpus("run00003.mid.lz4")]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        lines,
        [
            "  checksum of the events: ok, 2b3b178e, 320420 bytes",
            "  checksum of the file: ok, a7256bd5, 133346 bytes"
        ]
    );
    let (code, lines, err) = check(&[&corpus("run00004.mid.bz2")]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(lines, ["  checksum of the events: ok, 72a79137, 320107 bytes"]);
}

#[test]
fn a_side_file_that_is_missing_is_said() {
    let (code, lines, err) = check(&[&corpus("run00005.mid.gz")]);
    assert_eq!(
        (code, err.as_str()),
        (1, "pactolus: nothing was checked: no side file (FILE.crc32c) was found\n")
    );
    assert_eq!(lines, ["  checksum: no side file run00005.mid.crc32c or run00005.mid.gz.crc32c"]);
    // One of several is enough.
    let (code, lines, err) = check(&[&corpus("run00004.mid.bz2"), &corpus("run00006.mid")]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(lines.last().unwrap(), "  checksum: no side file run00006.mid.crc32c");
}

#[test]
fn what_differs_is_shown_with_what_was_wanted() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("run00003.mid.lz4");
    for name in ["run00003.mid.lz4", "run00003.mid.crc32c", "run00003.mid.lz4.crc32c"] {
        fs::copy(corpus(name), place.path().join(name)).unwrap();
    }
    // The last byte belongs to the checksum of the frame.
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    let (code, lines, _) = check(&[&file]);
    assert_eq!(code, 1);
    assert_eq!(lines[0], "  checksum of the events: run00003.mid.crc32c:");
    assert!(lines[1].starts_with("    cannot be compared: "), "{}", lines[1]);
    assert_eq!(lines[2], "  checksum of the file: differs from run00003.mid.lz4.crc32c:");
    assert_eq!(lines[3], "    wanted a7256bd5, 133346 bytes");
    assert!(lines[4].starts_with("    found  ") && lines[4].ends_with(", 133346 bytes"), "{}", lines[4]);

    let plain = place.path().join("run00006.mid");
    fs::copy(corpus("run00006.mid"), &plain).unwrap();
    let side = place.path().join("run00006.mid.crc32c");
    for (text, said) in [
        ("", "no checksum: eight hexadecimal digits and a number of bytes wanted"),
        ("12345 7 /data", "no checksum: eight hexadecimal digits and a number of bytes wanted"),
        ("1234567g 7", "no checksum: eight hexadecimal digits and a number of bytes wanted"),
    ] {
        fs::write(&side, text).unwrap();
        let (code, lines, _) = check(&[&plain]);
        assert_eq!(code, 1);
        assert_eq!(lines, ["  checksum of the file: run00006.mid.crc32c:", &format!("    {said}")]);
    }
    fs::write(&side, "00000000 172379 /data/run00006.mid\n").unwrap();
    let (code, lines, _) = check(&[&plain]);
    assert_eq!(code, 1);
    assert_eq!(
        lines[..2],
        ["  checksum of the file: differs from run00006.mid.crc32c:", "    wanted 00000000, 172379 bytes"]
    );
}

#[test]
fn checksums_are_in_the_json() {
    let (code, out, _) = scan(&[&corpus("run00003.mid.lz4")], &["--check", "--json"]);
    assert_eq!(code, 0);
    let file: serde_json::Value = serde_json::from_str(&out).unwrap();
    let sum = |crc: &str, bytes: u64| serde_json::json!({"crc32c": crc, "bytes": bytes});
    let (events, whole) = (sum("2b3b178e", 320_420), sum("a7256bd5", 133_346));
    assert_eq!(
        file["checksums"],
        serde_json::json!([
            {"side_file": "run00003.mid.crc32c", "of": "events", "ok": true, "wanted": events, "found": events},
            {"side_file": "run00003.mid.lz4.crc32c", "of": "file", "ok": true, "wanted": whole, "found": whole},
        ])
    );
    let (_, out, _) = scan(&[&corpus("run00003.mid.lz4")], &["--json"]);
    assert!(!out.contains("checksums"));
}
