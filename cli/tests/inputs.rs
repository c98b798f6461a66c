//! The same names mean the same files to `analyze`, `dump` and `scan`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

fn corpus(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/mid").join(name);
    path.to_str().unwrap().to_owned()
}

/// Exit code, output and errors of `pactolus` in `directory`.
fn run(directory: &Path, args: &[&str], stdin: Stdio) -> (i32, Vec<u8>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pactolus"));
    let ran = command.args(args).current_dir(directory).stdin(stdin).output().unwrap();
    (ran.status.code().unwrap(), ran.stdout, String::from_utf8(ran.stderr).unwrap())
}

/// A directory with three runs under names that do not sort as numbers.
fn runs() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("data")).unwrap();
    for (from, to) in [
        ("run00006.mid", "run6.mid"),
        ("run00005.mid.gz", "run5.mid.gz"),
        ("run00104.mid", "run104.mid"),
        ("run00003.mid.crc32c", "run5.mid.crc32c"),
    ] {
        fs::copy(corpus(from), place.path().join("data").join(to)).unwrap();
    }
    place
}

#[test]
fn directories_and_patterns_are_read_in_the_order_of_runs() {
    let place = runs();
    for name in ["data", "data/", "data/*.mid*", "data/run[156]*"] {
        // A pattern takes what it matches, and the side file is no run.
        if name == "data/run[156]*" {
            fs::remove_file(place.path().join("data/run5.mid.crc32c")).unwrap();
        }
        if name == "data/*.mid*" {
            let (_, out, _) = run(place.path(), &["scan", name, "--json"], Stdio::null());
            assert!(String::from_utf8(out).unwrap().contains("crc32c"));
            continue;
        }
        let (code, out, err) = run(place.path(), &["scan", name, "--json"], Stdio::null());
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        let numbers = |out: Vec<u8>| -> Vec<u64> {
            let out = String::from_utf8(out).unwrap();
            let lines = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            lines.map(|file| file["runs"][0]["number"].as_u64().unwrap()).collect()
        };
        assert_eq!(numbers(out), [5, 6, 104], "{name}");

        let (code, out, _) = run(place.path(), &["dump", name, "--id", "BOR"], Stdio::null());
        assert_eq!(code, 0);
        let out = String::from_utf8(out).unwrap();
        let runs: Vec<&str> = out.lines().filter(|line| line.starts_with("event ")).collect();
        let runs: Vec<&str> = runs.iter().map(|line| line.split("  ").nth(2).unwrap()).collect();
        assert_eq!(runs, ["run 5", "run 6", "run 104"], "{name}");

        let args = ["analyze", name, "-o", "out%05d.mid", "-q"];
        let (code, _, err) = run(place.path(), &args, Stdio::null());
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        for run in ["out00005.mid", "out00006.mid", "out00104.mid"] {
            fs::remove_file(place.path().join(run)).unwrap();
            fs::remove_file(place.path().join(format!("{run}.provenance.json"))).unwrap();
        }
    }
}

#[test]
fn an_earlier_output_in_the_directory_is_an_input_and_is_not_written_over() {
    let place = runs();
    let args = ["analyze", "data", "-o", "data/cal%05d.mid", "-q"];
    assert_eq!(run(place.path(), &args, Stdio::null()).0, 0);
    let (code, _, err) = run(place.path(), &args, Stdio::null());
    assert_eq!(code, 2);
    assert_eq!(err, "pactolus: output data/cal00005.mid is also an input: give it another name\n");
}

#[test]
fn what_cannot_be_found_is_said_by_every_command() {
    let place = runs();
    fs::create_dir(place.path().join("empty")).unwrap();
    let check = |name: &str, said: &str| {
        for command in ["analyze", "dump", "scan"] {
            let (code, out, err) = run(place.path(), &[command, name], Stdio::null());
            assert_eq!((code, out.len(), err), (2, 0, format!("pactolus: {said}\n")), "{command} {name}");
        }
    };
    let none = "No such file or directory (os error 2)";
    check("data/run5.mid", &format!("cannot open data/run5.mid: {none}; there is data/run5.mid.gz"));
    check("data/run7.mid", &format!("cannot open data/run7.mid: {none}"));
    check("data/*.lz4", "no file matches data/*.lz4");
    check(
        "empty",
        "no run file in the directory empty: .mid or .asc wanted, perhaps with .gz .lz4 .bz2 .zst",
    );
    for command in ["analyze", "dump", "scan"] {
        let (code, _, err) = run(place.path(), &[command, "-", "-"], Stdio::null());
        let said = "pactolus: standard input is named twice, and can be read once only\n";
        assert_eq!((code, err.as_str()), (2, said), "{command}");
    }
}

#[test]
fn standard_input_and_output_are_named_by_a_dash() {
    let place = runs();
    let input = || Stdio::from(File::open(corpus("run00005.mid.gz")).unwrap());
    let (code, out, err) = run(place.path(), &["scan", "-", "--json"], input());
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(String::from_utf8(out).unwrap().contains("\"number\":5,"));
    let (code, out, _) = run(place.path(), &["dump", "-", "-n", "1"], input());
    assert_eq!(code, 0);
    assert!(String::from_utf8(out).unwrap().starts_with("event 1  BOR  run 5  "));

    // Without a definition events are written as they are, but for padding.
    let (code, out, err) = run(place.path(), &["analyze", "-", "-o", "-", "-f", "-q"], input());
    assert_eq!((code, err.as_str()), (0, ""));
    fs::write(place.path().join("same.mid"), &out).unwrap();
    let (code, out, _) = run(place.path(), &["scan", "same.mid", "--json"], Stdio::null());
    assert_eq!(code, 0);
    assert!(String::from_utf8(out).unwrap().contains("\"events\":3029,"));

    let (code, out, _) = run(place.path(), &["simulate", "-o", "-", "--events", "10"], Stdio::null());
    assert_eq!((code, &out[..2]), (0, &[0x00, 0x80][..]));
}
