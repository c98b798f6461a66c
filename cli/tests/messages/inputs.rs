//! Inputs, subruns, checksums and the flags of `dump`, `scan` and `analyze`.

use std::fs;
use std::io::Write;

use pactolus::formats::compress::{Compression, Output};

use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

/// A command where there is a run 42.
fn with_run(place: &Place, line: &str) -> Ran {
    place.put("run00042.mid", run_of(5).eor(42).bytes).run(line)
}

/// Analyzes subruns with these numbers.
fn subruns(place: &Place, numbers: &[u32]) -> Ran {
    let names: Vec<String> = numbers.iter().map(|n| format!("@run00042sub{n:04}.mid")).collect();
    for name in &names {
        place.put(&name[1..], run_of(5).eor(42).bytes);
    }
    place.run(&format!("analyze {}", names.join(" ")))
}

/// Checks a run against a side file of this text.
fn side(place: &Place, text: &str) -> Ran {
    place.put("run00042.mid.crc32c", text);
    with_run(place, "scan --check @run00042.mid")
}

fn sum(bytes: &[u8]) -> String {
    format!("{:08x} {} /data/run00042.mid\n", crc32c::crc32c(bytes), bytes.len())
}

/// Checks a compressed run against the sum of its events. `cut`: bytes missing at its end.
fn events(place: &Place, cut: usize) -> Ran {
    let run = run_of(5).eor(42).bytes;
    let mut output = Output::new(Compression::Gzip, None, Vec::new()).unwrap();
    output.write_all(&run).unwrap();
    let mut packed = output.finish().unwrap();
    packed.truncate(packed.len() - cut);
    place
        .put("run00042.mid.crc32c", sum(&run))
        .put("run00042.mid.gz", packed)
        .run("scan --check @run00042.mid.gz")
}

pub(crate) fn all() -> Provokers {
    [names(), checksums(), flags()].into_iter().flatten().collect()
}

fn names() -> Provokers {
    provoke! {
        "cannot open ...: No such file or directory (os error 2)" => |p| p.run("scan @run00042.mid");
        "cannot open ...: No such file or directory (os error 2); there is ..." => |p| {
            with_run(p, "scan @run00042.mid.lz4")
        };
        // The first page of a process is never there.
        "cannot start ... threads: ..." => |p| {
            p.run("simulate -o @run00001.mid --events 10");
            // The third thread fails, with much memory left for all that is small.
            p.process("ulimit -v 3000000; RUST_MIN_STACK=1000000000", "analyze @run00001.mid -j 1024", b"")
        };
        "cannot read ...: Input/output error (os error 5)" => |p| p.run("scan /proc/self/mem");
        "no run file in the directory ...: .mid or .asc wanted, perhaps with .gz .lz4 .bz2 .zst" => |p| {
            p.put("notes.txt", "").run("scan @")
        };
        "no file matches ..." => |p| p.run("scan @run*.mid");
        "pattern ...: ..." => |p| p.run("scan @[.mid");
        "standard input is named twice, and can be read once only" => |p| p.run("scan - -");
        "no input: name a run file, as in `pactolus analyze run00042.mid`" => |p| p.run("analyze -o @o.mid");
        "no input: name a run file; ... was taken as an output: inputs go before -o, or behind -i" => |p| {
            with_run(p, "analyze -o @o.parquet @run00042.mid")
        };
        "input ...: say which runs with -r FIRST LAST" => |p| p.run("analyze @run%05d.mid");
        "-r needs an input with %05d for the run number, ... has none" => |p| {
            with_run(p, "analyze @run00042.mid -r 1 2")
        };
        "-r ... ...: the first run comes after the last" => |p| p.run("analyze @run%05d.mid -r 2 1");
        "subrun ... comes after a later one: give them in order, each once" => |p| subruns(p, &[1, 0]);
        "subrun ... is missing before ...: add the files, or --allow-missing" => |p| subruns(p, &[0, 2]);
        "subruns ... to ... are missing before ...: add the files, or --allow-missing" => |p| subruns(p, &[0, 3]);
    }
}

fn checksums() -> Provokers {
    provoke! {
        "checksum of the file: ok, ..., ... bytes" => |p| side(p, &sum(&run_of(5).eor(42).bytes));
        "checksum of the events: ok, ..., ... bytes" => |p| events(p, 0);
        "checksum of the ...: differs from ...:" => |p| side(p, "00000000 7 /data/run00042.mid\n");
        "wanted ..., ... bytes" => |p| side(p, "00000000 7 /data/run00042.mid\n");
        "found  ..., ... bytes" => |p| side(p, "00000000 7 /data/run00042.mid\n");
        "no checksum: eight hexadecimal digits and a number of bytes wanted" => |p| side(p, "once upon a time\n");
        "cannot be compared: ... behind ... bytes" => |p| events(p, 5);
        "cannot be read: ..." => |p| {
            fs::create_dir(p.path("run00042.mid.crc32c")).unwrap();
            with_run(p, "scan --check @run00042.mid")
        };
        "checksum: no side file ..." => |p| with_run(p, "scan --check @run00042.mid");
        "checksum: standard input has no side file" => |p| {
            p.process("exec", "scan --check -", &run_of(5).eor(42).bytes)
        };
        "pactolus: nothing was checked: no side file (FILE.crc32c) was found" => |p| {
            with_run(p, "scan --check @run00042.mid")
        };
    }
}

fn flags() -> Provokers {
    provoke! {
        "invalid value '...' for '--id <ID>...': event id from 0 to 65535, BOR, EOR or message wanted; files come first" => |p| {
            with_run(p, "dump @run00042.mid --id Trigger")
        };
        "invalid value '...' for '--bank <NAME>...': name of one to four bytes wanted, ... found; files come first" => |p| {
            with_run(p, "dump @run00042.mid --bank ADC00")
        };
        "invalid value '...' for '--serial <N>...': serial number, or a range such as 10-20, wanted; files come first" => |p| {
            with_run(p, "dump @run00042.mid --serial some")
        };
        "invalid value '...' for '--serial <N>...': the first serial number comes after the last" => |p| {
            with_run(p, "dump @run00042.mid --serial 9-8")
        };
        "invalid value '...' for '--mask <MASK>': trigger mask from 0 to 0xffff wanted" => |p| {
            with_run(p, "dump @run00042.mid --mask all")
        };
        "invalid value '...' for '--max-event <SIZE>': a number of bytes wanted, as 500000, 4M or 2G" => |p| {
            with_run(p, "scan @run00042.mid --max-event big")
        };
        "invalid value '...' for '--max-event <SIZE>': a number of bytes up to 4G wanted, as 500000, 4M or 2G" => |p| {
            with_run(p, "scan @run00042.mid --max-event 9G")
        };
        "invalid value '...' for '--memory <SIZE>': an amount of memory wanted, as 400M or 1G" => |p| {
            with_run(p, "analyze @run00042.mid --memory 1.5G")
        };
        "invalid value '...' for '--memory <SIZE>': at least 1M wanted, as 400M or 1G" => |p| {
            with_run(p, "analyze @run00042.mid --memory 400")
        };
        "... is a letter of mdump: add --format mdump" => |p| with_run(p, "dump @run00042.mid -f d");
        "the argument '--json' cannot be used with '--format <FORMAT>'" => |p| {
            with_run(p, "dump @run00042.mid --json --format mdump")
        };
        "the following required arguments were not provided: ..." => |p| p.run("scan");
        "unexpected argument '...' found..." => |p| with_run(p, "scan @run00042.mid --chek");
    }
}
