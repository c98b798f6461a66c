//! `scan` and `dump` need little memory, whatever a file claims.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pactolus::formats::compress::{Compression, Output};

/// Address space that a command may use, in kilobytes: the program itself and its threads, and two
/// copies of the largest event below.
const LIMIT: u32 = 200 << 10;

fn header(id: u16, serial: u32, size: u32) -> Vec<u8> {
    let mask = if id < 0x8000 { 0_u16 } else { 0x494d };
    let mut bytes = [id.to_le_bytes(), mask.to_le_bytes()].concat();
    [serial, 0x5968_2f00, size].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes
}

/// Writes a compressed file of what `fill` writes.
fn pack(path: &Path, fill: impl FnOnce(&mut Output<std::fs::File>)) {
    let mut output = Output::new(Compression::Zstd, None, std::fs::File::create(path).unwrap()).unwrap();
    fill(&mut output);
    output.finish().unwrap();
}

/// Runs a command with little memory; its exit code and what it says of errors.
fn limited(args: &[&str]) -> (Option<i32>, String) {
    let script = format!("ulimit -v {LIMIT}; exec \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_pactolus")]).args(args);
    let ran = command.stdout(Stdio::null()).output().unwrap();
    (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[test]
fn hostile_files_are_shown_in_little_memory() {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    // A million empty banks in one event.
    pack(&file("banks.mid"), |out| {
        let banks = 1 << 20;
        out.write_all(&header(1, 0, 8 * banks + 8)).unwrap();
        out.write_all(&[8 * banks, 1].map(u32::to_le_bytes).concat()).unwrap();
        let some = b"ADC0\x04\0\0\0".repeat(1 << 10);
        (0..banks >> 10).for_each(|_| out.write_all(&some).unwrap());
    });
    // A dump and a message of one line each, all of it escapes.
    pack(&file("text.mid"), |out| {
        for id in [0x8000, 0x8002] {
            out.write_all(&header(id, 1, 16 << 20)).unwrap();
            let mut some = vec![0x1b; 1 << 20];
            (0..15).for_each(|_| out.write_all(&some).unwrap());
            some[(1 << 20) - 1] = 0;
            out.write_all(&some).unwrap();
        }
    });
    // A bank of 16 MB.
    pack(&file("bank.mid"), |out| {
        let size = 16_u32 << 20;
        out.write_all(&header(1, 0, size + 20)).unwrap();
        out.write_all(&[size + 12, 0x11].map(u32::to_le_bytes).concat()).unwrap();
        out.write_all(b"DBL0").unwrap();
        out.write_all(&[10, size].map(u32::to_le_bytes).concat()).unwrap();
        let some = vec![0x40; 1 << 20];
        (0..16).for_each(|_| out.write_all(&some).unwrap());
    });
    // Every event id, and a bank of another name in each.
    pack(&file("names.mid"), |out| {
        for serial in 0..200_000_u32 {
            out.write_all(&header((serial % 0x8000) as u16, serial, 16)).unwrap();
            out.write_all(&[8, 1].map(u32::to_le_bytes).concat()).unwrap();
            out.write_all(&serial.to_le_bytes().map(|byte| b'A' + byte % 26)).unwrap();
            out.write_all(b"\x01\0\0\0").unwrap();
        }
    });
    // A body of 200 MB is claimed and never comes.
    pack(&file("claim.mid"), |out| out.write_all(&header(1, 0, 200 << 20)).unwrap());

    for (name, code) in [("banks", 0), ("text", 0), ("bank", 0), ("names", 0), ("claim", 1)] {
        let file = file(&format!("{name}.mid"));
        let file = file.to_str().unwrap();
        for flags in [
            &["scan"][..],
            &["scan", "--json"],
            &["scan", "--check"],
            &["dump"],
            &["dump", "--json"],
            &["dump", "--odb"],
            &["dump", "--format", "mdump"],
            &["dump", "--format", "mdump", "-j"],
        ] {
            let args = [flags, &[file]].concat();
            // Nothing has a side file.
            let wanted = if flags.contains(&"--check") { 1 } else { code };
            let (code, err) = limited(&args);
            assert_eq!(code, Some(wanted), "{flags:?} {name}: {err}");
        }
    }
}
