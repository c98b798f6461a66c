//! Tables: values that they do not take, and what cannot be asked of them.

use pactolus::formats::Tid;

use crate::common::MidFile;
use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

/// A definition with these banks, or members of a FIXED event.
fn definition(what: &str) -> String {
    format!("[[request]]\nname = \"Trigger\"\nid = 1\n[request.{what}\n")
}

/// Writes a table, with more words on the command line.
fn table(place: &Place, run: MidFile, definition: &str, words: &str) -> Ran {
    place.put("run00042.mid", run.eor(42).bytes).put("a.toml", definition);
    let defined = if definition.is_empty() { "" } else { " -a @a.toml" };
    place.run(&format!("analyze @run00042.mid{defined} {words}"))
}

/// More events than settle the columns of a stream.
fn long(bank: &str, tid: Tid, data: &[u8]) -> MidFile {
    (0..5000).fold(MidFile::new().bor(42), |file, serial| file.event(1, serial, &[(bank, tid, data)]))
}

/// A run of two kinds of events.
fn two() -> MidFile {
    MidFile::new().bor(42).words(1, 0, "ADC0", &[1]).words(2, 0, "SCLR", &[1])
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "bank ...: type ... (...) wanted, ... (...) found" => |p| {
            let run = run_of(2).event(1, 2, &[("ADC0", Tid::Float, &[0; 4])]);
            table(p, run, "", "-o @t.parquet")
        };
        "bank ...: structs of ... bytes wanted, ... bytes found" => |p| {
            let run = MidFile::new().bor(42).event(1, 0, &[("HITS", Tid::Struct, &[0; 5])]);
            let banks = definition("banks]\nHITS = { type = \"STRUCT\", fields = { x = \"FLOAT\", y = \"FLOAT\" } }");
            table(p, run, &banks, "-o @t.parquet")
        };
        "FIXED event: structs of ... bytes wanted, ... bytes found" => |p| {
            let run = MidFile::new().bor(42).raw(1, 1, 0, &[0; 8]).raw(1, 1, 1, b"abc");
            table(p, run, &definition("fixed]\nT = \"DOUBLE\""), "-o @t.parquet")
        };
        "bank ...: no such column among those of the stream, which its first rows have settled: declare the bank, or write a file" => |p| {
            table(p, long("ADC0", Tid::Word, &[1, 0]).words(1, 5000, "LATE", &[1]), "", "-o -.arrow")
        };
        "bank ...: text that is no UTF-8 or several structs, for which the stream has no column: write a file" => |p| {
            let run = long("TEXT", Tid::String, b"text\0").event(1, 5000, &[("TEXT", Tid::String, &[0xff, 0xfe, 0])]);
            table(p, run, "", "-o -.arrow")
        };
        "bank ...: at most ... elements wanted, ... found: declare the size of the bank, or write a file" => |p| {
            table(p, long("ADC0", Tid::Word, &[1, 0]).words(1, 5000, "ADC0", &[1; 9]), "", "--flat -o -.arrow")
        };
        "bank ...: ... elements: a flat table has at most ... columns for a bank unless its size is declared" => |p| {
            table(p, MidFile::new().bor(42).words(1, 0, "WAVE", &[7; 2000]), "", "--flat -o @t.parquet")
        };
        "bank ...: ... elements: a flat table has at most ... columns for elements" => |p| {
            table(p, MidFile::new().bor(42).words(1, 0, "WAVE", &[7; 70_000]), "", "--flat -o @t.parquet")
        };
        "bank ...: at most ... banks expected in one table" => |p| {
            let names: Vec<String> = (0..4100).map(|n| format!("{n:04}")).collect();
            let banks: Vec<(&str, Tid, &[u8])> = names.iter().map(|n| (n.as_str(), Tid::Byte, &[1_u8][..])).collect();
            table(p, MidFile::new().bor(42).event(1, 0, &banks), "", "-o @t.arrow")
        };
        "... events have a value that their table does not take: null there" => |p| {
            let run = run_of(2).event(1, 2, &[("ADC0", Tid::Float, &[0; 4])]).event(1, 3, &[("ADC0", Tid::Float, &[0; 4])]);
            table(p, run, "", "-o @t.parquet")
        };
        "-...: standard output takes one table, and there are ...: name one, as in -o ..." => |p| {
            let two_requests = "[[request]]\nname = \"Trigger\"\nid = 1\n[[request]]\nname = \"Scaler\"\nid = 2\n";
            table(p, two(), two_requests, "-o -.arrow")
        };
        "-...: standard output takes one table, and behind ... comes ...: name one, as in -o ..." => |p| {
            table(p, two(), "", "-o -.arrow")
        };
        "-...: no request has the name ...; there are ... (and id1, id2, ... for events that no request names)" => |p| {
            table(p, two(), &definition("banks]\nADC0 = \"WORD\""), "-o -.Triger.arrow")
        };
        "output -...: Parquet cannot go to a pipe, its directory is at its end: use -.arrow, or name a file" => |p| {
            table(p, two(), "", "-o -.parquet")
        };
        "--flat is about tables: name an output .parquet or .arrow" => |p| table(p, two(), "", "--flat -o @o.mid");
    }
}
