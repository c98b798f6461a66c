//! Files of histograms that are refused, or not added.

use std::collections::BTreeSet;
use std::fs;

use pactolus::formats::tuple::{Plain, PlainColumn, PlainType, PlainWriter, TableKind};
use pactolus::histo::{Axis, FileKind, Hist1, Histogram, Histograms};
use serde_json::Value;

use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

/// A file with a histogram of a run.
fn put<'p>(place: &'p Place, name: &str, run: u32, bins: usize) -> &'p Place {
    let booking = Hist1::new(Axis::regular(bins, 0.0, 9.0));
    let list = vec![Histogram::filled("hits", booking, [1, 2, 3]).unwrap()];
    let path = place.path(name);
    let histograms = Histograms { runs: BTreeSet::from([run]), list };
    histograms.write(&path, FileKind::of(&path).unwrap(), &Value::Null).unwrap();
    place
}

/// Another text in that file, in place of what it has.
fn edited(place: &Place, from: &str, to: &str) -> Ran {
    let text = fs::read_to_string(put(place, "a.json", 1, 10).path("a.json")).unwrap();
    assert!(text.contains(from), "{text}");
    place.put("a.json", text.replace(from, to)).run("hist @a.json")
}

/// A table with a row, marked as ours, and with this state.
fn table(place: &Place, state: &[u8]) -> Ran {
    let columns = [("name", PlainType::Text), ("crc32c", PlainType::U32), ("state", PlainType::Bytes)];
    let columns = columns.map(|(name, kind)| PlainColumn::new(name, kind));
    let mut table = PlainWriter::create(&place.path("a.parquet"), TableKind::Parquet, &columns).unwrap();
    table.push(&[Plain::Text("hits"), Plain::U32(crc32c::crc32c(state)), Plain::Bytes(state)]).unwrap();
    let metadata = [("pactolus.histograms", "1"), ("pactolus.runs", "[1]")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    table.settle(&metadata).unwrap().finish().unwrap();
    place.run("hist @a.parquet")
}

fn analyze(place: &Place, outputs: &str) -> Ran {
    place.put("run00042.mid", run_of(5).eor(42).bytes).run(&format!("analyze @run00042.mid -q -o {outputs}"))
}

/// Analyzes with a definition that marks a bank.
fn marked(place: &Place, outputs: &str) -> Ran {
    let lab =
        "[[request]]\nname = \"Trigger\"\nid = 1\nbanks = { ADC0 = { type = \"WORD\", histogram = true } }\n";
    place.put("lab.toml", lab);
    analyze(place, &format!("{outputs} -a @lab.toml"))
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "output ... exists and holds no histograms of pactolus: give another name, or remove it" => |p| {
            analyze(p.put("odb.json", "{\"Experiment\": {}}"), "@odb.json")
        };
        "cannot replace ...: it holds no histograms of pactolus. All other outputs are written: move it away, or give the output another name, and analyze again" => |p| {
            let ran = marked(p.put("a.histos.json", "{}"), "@a.mid");
            assert!(p.path("a.mid").exists());
            ran
        };
        "warning: no histogram was booked: ... is empty; mark banks with `histogram` in the definition, or book in a module" => |p| {
            p.put("run00042.mid", run_of(5).eor(42).bytes).run("analyze @run00042.mid -o @h.json")
        };
        "output ... is where the histograms of ... go: give it another name" => |p| {
            analyze(p, "@a.mid @a.histos.json")
        };
        "output ...: histograms do not go to standard output: name a file" => |p| analyze(p, "-.json");
        "histograms ...: not as pactolus writes it: ..." => |p| edited(p, "\"state\":\"", "\"state\":\"%");
        "histograms ...: format 1 wanted, ... found: a newer pactolus wrote this" => |p| {
            edited(p, "\"format\":1", "\"format\":2")
        };
        "histograms ...: histogram \"...\" is in it twice" => |p| {
            let text = fs::read_to_string(put(p, "a.json", 1, 10).path("a.json")).unwrap();
            let (front, leaf) = text.split_once("\"arr\":[\n").unwrap();
            let (leaf, back) = leaf.split_once("],\"opt\":[\"\"").unwrap();
            p.put("a.json", format!("{front}\"arr\":[{leaf},{leaf}],\"opt\":[\"\"{back}")).run("hist @a.json")
        };
        "histograms ...: a table, but not of histograms that pactolus wrote" => |p| {
            analyze(p, "@a.parquet");
            p.run("hist @a.id1.parquet")
        };
        "histograms ...: \"...\": ... wanted at byte ..." => |p| table(p, b"\x01\x99");
        "histograms ...: \"...\": its checksum does not agree, it was changed or is broken" => |p| {
            edited(p, "\"state\":\"A", "\"state\":\"B")
        };
        "cannot read table ...: ..." => |p| {
            let bytes = fs::read(put(p, "a.arrow", 1, 10).path("a.arrow")).unwrap();
            p.put("a.arrow", &bytes[..bytes.len() / 2]).run("merge @a.arrow -o @b.json")
        };
        "run ... is in ... and in ...: it would count twice; leave one of them out" => |p| {
            put(put(p, "a.json", 1, 10), "b.arrow", 1, 10).run("merge @a.json @b.arrow -o @c.json")
        };
        "output ...: histograms are written as .json, .parquet or .arrow" => |p| {
            put(p, "a.json", 1, 10).run("merge @a.json -o @c.root")
        };
        "no output: name one with -o, as -o all.json, all.parquet or all.arrow" => |p| {
            put(p, "a.json", 1, 10).run("merge @a.json")
        };
        "--json, --explain and --odb-save are for parts, not for histograms" => |p| {
            put(p, "a.json", 1, 10).run("merge @a.json --explain -o @c.json")
        };
        "...: histogram \"...\" has other bins than in ...: left out" => |p| {
            put(put(p, "a.json", 1, 10), "b.arrow", 2, 20).run("merge @a.json @b.arrow -o @c.json")
        };
    }
}
