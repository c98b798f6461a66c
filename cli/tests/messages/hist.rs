//! Histograms: files, names, pictures.

use std::fs;
use std::os::unix::fs::symlink;

use pactolus::histo::{Axis, FileKind, Hist1, Histogram, Histograms};

use crate::{Place, Provokers, Ran, provoke};

/// A command where there is a file of histograms of these names.
fn with(place: &Place, names: &[&str], line: &str) -> Ran {
    let book =
        |name: &&str| Histogram::filled(name, Hist1::new(Axis::regular(10, 0.0, 4.0)), [1.0, 2.0]).unwrap();
    let all = Histograms { list: names.iter().map(book).collect(), ..Histograms::default() };
    all.write(&place.path("h.json"), FileKind::Json, &serde_json::json!({})).unwrap();
    place.run(line)
}

const NAMES: &[&str] = &["ADC/CADC00", "ADC/CADC01", "ADC/Time", "TDC/Time"];

fn drawn(place: &Place, line: &str) -> Ran {
    with(place, NAMES, line)
}

pub(crate) fn all() -> Provokers {
    [files(), names(), pictures()].into_iter().flatten().collect()
}

fn files() -> Provokers {
    provoke! {
        "histograms ...: no file of histograms: .json, .parquet or .arrow of pactolus wanted" => |p| {
            p.put("h.json", "events").run("hist @h.json")
        };
        "histograms ...: broken JSON: ..." => |p| {
            drawn(p, "hist @h.json");
            let text = fs::read(p.path("h.json")).unwrap();
            p.put("h.json", &text[..text.len() / 2]).run("hist @h.json")
        };
        "histograms ...: ... without \"pactolus\": only histograms that pactolus wrote have the exact sums that can be read back" => |p| {
            p.put("h.json", "{\"_typename\":\"TH1D\"}").run("hist @h.json")
        };
    }
}

fn names() -> Provokers {
    provoke! {
        "...: no histogram \"...\", did you mean '...'?" => |p| drawn(p, "hist @h.json CADX00");
        "...: no histogram \"...\", but as a part of ..." => |p| drawn(p, "hist @h.json adc/");
        "...: no histogram \"...\"; there are ..." => |p| drawn(p, "hist @h.json Multiplicity");
        "...: \"...\" is the end of ... names: ..." => |p| drawn(p, "hist @h.json Time");
        "...: there is no histogram in it" => |p| with(p, &[], "hist @h.json CADC00");
        "...: there are ... histograms in it: name those to draw, or '*' for all" => |p| {
            drawn(p, "hist @h.json -o @h.svg")
        };
        "pattern \"...\": ...; brackets of a name are written [[] and []]" => |p| drawn(p, "hist @h.json ADC[0");
        "--range ... ...: the axis of \"...\" goes from ... to ..." => |p| {
            drawn(p, "hist @h.json CADC00 --range 5 6")
        };
        "--range ... ...: the second number must be the larger one" => |p| {
            drawn(p, "hist @h.json CADC00 --range 3 2")
        };
    }
}

fn pictures() -> Provokers {
    provoke! {
        "\"...\": pictures are .svg or .png" => |p| drawn(p, "hist @h.json CADC00 -o @h.pdf");
        "...: ... histograms need ... pictures: put %s, their name, into the name of the output" => |p| {
            drawn(p, "hist @h.json * -o @h.svg")
        };
        "\"...\" and \"...\" would both be written to ...: draw one at a time" => |p| {
            with(p, &["a/b", "a-b"], "hist @h.json * -o @%s.svg")
        };
        "picture ... is a directory: name a file" => |p| {
            fs::create_dir(p.path("h.svg")).unwrap();
            drawn(p, "hist @h.json CADC00 -o @h.svg")
        };
        "invalid value '...' for '--size <WIDTHxHEIGHT>': two numbers wanted, such as 800x600" => |p| {
            drawn(p, "hist @h.json CADC00 --size 800")
        };
        "invalid value '...' for '--size <WIDTHxHEIGHT>': from 200 to 8000 pixels wanted, as in 800x600" => |p| {
            drawn(p, "hist @h.json CADC00 --size 800x9000")
        };
        "cannot write ....png: No space left on device (os error 28)" => |p| {
            symlink("/dev/full", p.path(".h.png.part")).unwrap();
            drawn(p, "hist @h.json CADC00 -o @h.png")
        };
    }
}
