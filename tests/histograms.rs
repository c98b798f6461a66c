//! Files of histograms: what was written is read back, and adds up to the last bit.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pactolus::formats::tuple::{Plain, PlainColumn, PlainReader, PlainType, PlainWriter, TableKind};
use pactolus::histo::{
    Axis, FileKind, Hist1, Hist2, Histogram, Histograms, Profile, Strip, WeightedHist1, WeightedHist2,
    WeightedProfile,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const KINDS: [(&str, FileKind); 3] = [
    ("h.json", FileKind::Json),
    ("h.parquet", FileKind::Table(TableKind::Parquet)),
    ("h.arrow", FileKind::Table(TableKind::Arrow)),
];

/// One histogram of each kind, in folders that do not lie side by side.
fn all(runs: &[u32], from: u32, to: u32) -> Histograms {
    let x = || Axis::regular(40, -2.0, 2.0).title("x \"deep\" ⟂").unit("mm");
    let wave = |i: u32| (f64::from(i) * 0.37).sin() * 2.2;
    let points = || (from..to).map(wave);
    let pairs = || (from..to).map(|i| (wave(i), wave(i * 7) * 1e3));
    let triples = || (from..to).map(|i| (wave(i), wave(i * 3), wave(i * 5).exp()));
    let list = [
        Histogram::filled("ADC calibration/CADC00", Hist1::new(x()).title("CADC, channel 0"), points()),
        Histogram::filled("top", Hist1::new(Axis::integer(-2, 2)), points()),
        Histogram::filled(
            "ADC calibration/deep/CADC0 vs CADC1",
            Hist2::new(x(), Axis::variable([-2e3, -1.0, 0.5, 2e3]).title("y")),
            pairs(),
        ),
        Histogram::filled("other/p", Profile::new(x()).value("Energy", "MeV"), pairs()),
        Histogram::filled("other/rate", Strip::new(10).value("Rate", "Hz"), points()),
        Histogram::filled("ADC calibration/w", WeightedHist1::new(x()), pairs()),
        Histogram::filled("other/w2", WeightedHist2::new(x(), x()), triples()),
        Histogram::filled("other/wp", WeightedProfile::new(x()), triples()),
        Histogram::filled("other/empty", Hist1::new(x()), [0.0; 0]),
        Histogram::filled(
            "other/many",
            Hist2::new(Axis::regular(1000, -3.0, 3.0), x()),
            triples_as_pairs(from, to),
        ),
        Histogram::filled(
            "other/nan",
            WeightedHist1::new(x()),
            [(0.1, f64::NAN), (0.5, f64::INFINITY), (1.0, -0.0)],
        ),
    ];
    let list = list.into_iter().map(Result::unwrap).collect();
    Histograms { runs: runs.iter().copied().collect(), list }
}

fn triples_as_pairs(from: u32, to: u32) -> impl Iterator<Item = (f64, f64)> {
    (from..to).map(|i| (f64::from(i % 997) / 300.0 - 1.5, f64::from(i % 13) / 6.0 - 1.0))
}

fn states(histograms: &Histograms) -> Vec<Vec<u8>> {
    histograms.list.iter().map(Histogram::to_bytes).collect()
}

fn made() -> Value {
    json!({ "program": "pactolus", "runs": [{ "run": 42, "input": { "file": "ü \"quoted\".mid" } }] })
}

#[test]
fn what_is_written_is_read_back() {
    let dir = TempDir::new().unwrap();
    let wanted = all(&[41, 42], 0, 3000);
    for (name, kind) in KINDS {
        let path = dir.path().join(name);
        let written = wanted.write(&path, kind, &made()).unwrap();
        assert_eq!(written.bytes, fs::metadata(&path).unwrap().len());
        let (read, provenance) = Histograms::read_with_provenance(&path).unwrap();
        assert_eq!(states(&read), states(&wanted), "{name}");
        assert_eq!((read.runs, provenance), (BTreeSet::from([41, 42]), made()), "{name}");
        // The same again, byte for byte.
        let again = dir.path().join(format!("again.{name}"));
        wanted.write(&again, kind, &made()).unwrap();
        assert_eq!(fs::read(path).unwrap(), fs::read(again).unwrap(), "{name}");
    }
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(left.len(), 6, "{left:?}");
}

/// An array as JSROOT reads it.
fn array(value: &Value) -> Vec<f64> {
    let float = |v: &Value| if v.is_null() { f64::NAN } else { v.as_f64().unwrap() };
    let Some(object) = value.as_object() else {
        return value.as_array().unwrap().iter().map(float).collect();
    };
    assert_eq!(object["$arr"], "Float64");
    let mut array = vec![0.0; object["len"].as_u64().unwrap() as usize];
    let mut place = 0;
    for (key, value) in object.iter().skip(2) {
        if key.starts_with('p') {
            place = value.as_u64().unwrap() as usize;
        } else {
            assert!(key.starts_with('v'), "{key}");
            let values: Vec<f64> = value.as_array().unwrap().iter().map(float).collect();
            array[place..place + values.len()].copy_from_slice(&values);
        }
    }
    array
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-15 * b.abs()
}

/// Follows a path of names.
fn find<'a>(folder: &'a Value, path: &str) -> &'a Value {
    path.split('/').fold(folder, |folder, name| {
        let items = folder["fFolders"]["arr"].as_array().unwrap();
        assert_eq!(items.len(), folder["fFolders"]["opt"].as_array().unwrap().len());
        let mut found = items.iter().filter(|item| item["fName"] == name);
        let item = found.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(found.next().is_none(), "{name} twice");
        item
    })
}

#[test]
fn json_holds_what_root_shows() {
    let histograms = all(&[42], 0, 3000);
    let mut text = Vec::new();
    histograms.to_json(&made(), &mut text).unwrap();
    let json: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&json["_typename"], &json["fName"]), (&json!("TFolder"), &json!("run00042")));
    let equal = |a: &[f64], b: &[f64]| {
        assert_eq!(a.len(), b.len());
        // What is no finite number is null; this reader of JSON may err in the last bit.
        let same = |(a, b): (&f64, &f64)| near(*a, *b) || a.is_nan() && !b.is_finite();
        assert!(a.iter().zip(b).all(same), "{a:?} {b:?}");
    };
    let mut sparse = 0;
    for histogram in &histograms.list {
        let leaf = find(&json, histogram.name());
        let view = histogram.view();
        let cells: Vec<_> = (0..view.cells()).map(|i| view.cell(i)).collect();
        let of = |value: fn(&pactolus::histo::Cell) -> f64| cells.iter().map(value).collect::<Vec<f64>>();
        assert_eq!(leaf["fNcells"], json!(view.cells()));
        assert_eq!(leaf["fXaxis"]["fNbins"], json!(view.x().bins()));
        let stats = histogram.stats();
        if histogram.name() != "other/nan" {
            let sums = ["fTsumw", "fTsumw2", "fTsumwx", "fTsumwx2"].map(|key| leaf[key].as_f64().unwrap());
            let wanted = [stats.sum, stats.squares, stats.x, stats.xx];
            assert!(sums.iter().zip(wanted).all(|(a, b)| near(*a, b)), "{}", histogram.name());
        }
        assert_eq!(leaf["fEntries"], json!(stats.entries));
        sparse += u32::from(leaf["fArray"].is_object());
        if leaf["_typename"] == "TProfile" {
            equal(&array(&leaf["fArray"]), &of(|c| c.values));
            equal(&array(&leaf["fSumw2"]), &of(|c| c.value_squares));
            equal(&array(&leaf["fBinEntries"]), &of(|c| c.sum));
            if histogram.is_weighted() {
                equal(&array(&leaf["fBinSumw2"]), &of(|c| c.squares));
            }
        } else {
            equal(&array(&leaf["fArray"]), &of(|c| c.content));
            if histogram.is_weighted() {
                equal(&array(&leaf["fSumw2"]), &of(|c| c.squares));
            }
        }
    }
    assert!(sparse > 0, "none was written as stretches");
    let deep = find(&json, "ADC calibration/deep/CADC0 vs CADC1");
    assert_eq!(deep["fXaxis"]["fTitle"], "x \"deep\" ⟂ [mm]");
    assert_eq!(deep["fYaxis"]["fXbins"], json!([-2000, -1, 0.5, 2000]));
    assert_eq!(find(&json, "other/p")["fYaxis"]["fTitle"], "Energy [MeV]");
    let rate = &find(&json, "other/rate")["fXaxis"];
    assert_eq!((&rate["fTimeDisplay"], &rate["fTitle"]), (&json!(true), &json!("Time [UTC]")));
    // `place` and names have the order in which they were booked, folders that of their first.
    assert_eq!(json["fFolders"]["arr"][0]["fName"], "ADC calibration");
    assert_eq!(json["fFolders"]["arr"][1]["pactolus"]["place"], 1);
}

#[test]
fn tables_hold_the_cells_that_were_filled() {
    let dir = TempDir::new().unwrap();
    let histograms = all(&[42], 0, 3000);
    let columns = [
        PlainColumn::new("kind", PlainType::Text),
        PlainColumn::new("cell", PlainType::U32s),
        PlainColumn::new("count", PlainType::U64s),
        PlainColumn::new("content", PlainType::F64s),
        PlainColumn::new("squares", PlainType::F64s),
        PlainColumn::new("x_edges", PlainType::F64s),
        PlainColumn::new("mean_y", PlainType::F64),
    ];
    for (name, kind) in &KINDS[1..] {
        let path = dir.path().join(name);
        histograms.write(&path, *kind, &made()).unwrap();
        let mut table = PlainReader::open(&path, &columns).unwrap();
        assert_eq!(table.metadata("pactolus.runs"), Some("[42]"));
        for histogram in &histograms.list {
            let row = table.next_row().unwrap().unwrap();
            let filled: Vec<_> = histogram.view().filled().collect();
            let Plain::U32s(cells) = row.get(1) else { panic!() };
            assert!(filled.iter().map(|(cell, _)| *cell as u32).eq(cells.iter().copied()));
            let Plain::U64s(counts) = row.get(2) else { panic!() };
            assert!(filled.iter().map(|(_, cell)| cell.entries).eq(counts.iter().copied()));
            let Plain::F64s(contents) = row.get(3) else { panic!() };
            let bits = contents.iter().map(|x| x.to_bits());
            assert!(filled.iter().map(|(_, cell)| cell.content.to_bits()).eq(bits));
            assert_eq!(row.get(4) == Plain::Null, !histogram.is_weighted());
            let Plain::F64s(edges) = row.get(5) else { panic!() };
            assert_eq!(edges.len(), histogram.view().x().bins() + 1);
            let has_y = !matches!(row.get(0), Plain::Text("hist1"));
            assert_eq!(row.get(6) != Plain::Null, has_y);
        }
        assert!(table.next_row().unwrap().is_none());
    }
}

#[test]
fn runs_that_are_added_are_one_job() {
    let dir = TempDir::new().unwrap();
    let put = |name: &str, histograms: &Histograms| {
        let path = dir.path().join(name);
        histograms.write(&path, FileKind::of(&path).unwrap(), &made()).unwrap();
        path
    };
    let files = [
        put("a.json", &all(&[41], 0, 700)),
        put("b.parquet", &all(&[42], 700, 2000)),
        put("c.arrow", &all(&[43, 44], 2000, 2500)),
    ];
    let added = Histograms::add_files(&files).unwrap();
    // What is not a number has no sum to compare; three fills for one.
    let mut whole = all(&[41, 42, 43, 44], 0, 2500);
    let nan = whole.list.iter().position(|h| h.name() == "other/nan").unwrap();
    let parts = whole.list[nan].clone();
    whole.list[nan].join(&parts).unwrap();
    whole.list[nan].join(&parts).unwrap();
    assert_eq!(states(&added.histograms), states(&whole));
    assert_eq!(added.histograms.runs, whole.runs);
    assert_eq!(added.left_out, []);
    let outputs = ["sum.json", "sum.parquet"].map(|name| dir.path().join(name));
    let written = added.write(&outputs, &files).unwrap();
    assert_eq!(written.len(), 2);
    for path in &outputs {
        assert_eq!(states(&Histograms::read(path).unwrap()), states(&whole));
    }
    // Again over what is there, which is ours; not over an input, nor over what is not ours.
    added.write(&outputs, &files).unwrap();
    let refused = |outputs: &[PathBuf]| added.write(outputs, &files).unwrap_err().to_string();
    assert!(refused(&[files[0].clone()]).contains("is also an input"));
    fs::write(dir.path().join("odb.json"), "{\"Experiment\": {}}").unwrap();
    assert!(refused(&[dir.path().join("odb.json")]).contains("holds no histograms of pactolus"));
    PlainWriter::create(&dir.path().join("own.arrow"), TableKind::Arrow, &[])
        .and_then(|table| table.settle(&[])?.finish())
        .unwrap();
    assert!(refused(&[dir.path().join("own.arrow")]).contains("holds no histograms of pactolus"));
    assert!(refused(&[outputs[0].clone(), outputs[0].clone()]).contains("named twice"));
    assert!(refused(&[dir.path().join("x.root")]).contains(".json, .parquet or .arrow"));
}

#[test]
fn a_run_is_not_added_twice_nor_a_histogram_with_other_bins() {
    let dir = TempDir::new().unwrap();
    let put = |name: &str, runs: &[u32], bins: usize| {
        let list = vec![
            Histogram::filled("same", Hist1::new(Axis::integer(0, 9)), [1, 2]).unwrap(),
            Histogram::filled("x", Hist1::new(Axis::regular(bins, 0.0, 9.0)), [1, 2]).unwrap(),
        ];
        let path = dir.path().join(name);
        let histograms = Histograms { runs: runs.iter().copied().collect(), list };
        histograms.write(&path, FileKind::Json, &Value::Null).unwrap();
        path
    };
    let files = [put("a.json", &[1, 3], 10), put("b.json", &[2], 20), put("c.json", &[3], 10)];
    let twice = Histograms::add_files(&files).unwrap_err().to_string();
    let (a, c) = (files[0].display(), files[2].display());
    assert_eq!(twice, format!("run 3 is in {a} and in {c}: it would count twice; leave one of them out"));
    let added = Histograms::add_files(&files[..2]).unwrap();
    assert_eq!(added.left_out, [("x".to_owned(), files[1].clone())]);
    let entries: Vec<u64> = added.histograms.list.iter().map(Histogram::entries).collect();
    assert_eq!(entries, [4, 2]);
}

#[test]
fn other_files_are_refused_in_a_sentence() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("f");
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let said = Histograms::read(&path).unwrap_err().to_string();
        assert!(said.contains(&path.display().to_string()) && !said.contains('\n'), "{said}");
        said.split_once("/f: ").unwrap().1.to_owned()
    };
    let kinds = "no file of histograms: .json, .parquet or .arrow of pactolus wanted";
    assert_eq!(refused(b"MIDAS"), kinds);
    assert_eq!(refused(b""), kinds);
    assert_eq!(refused(b"[1, 2]"), kinds);
    let exact = "only histograms that pactolus wrote have the exact sums that can be read back";
    assert_eq!(
        refused(br#"{"_typename": "TH1D", "fName": "h", "fArray": [0, 1]}"#),
        format!("a TH1D without \"pactolus\": {exact}")
    );
    assert_eq!(refused(br#"{"Experiment": {"Name": "x"}}"#), format!("JSON without \"pactolus\": {exact}"));
    assert!(refused(br#"{"_typename": "TFol"#).starts_with("broken JSON: "));
    assert!(refused(br#"{"pactolus": 5}"#).starts_with("not as pactolus writes it: "));
    let newer = br#"{"pactolus": {"format": 2, "runs": []}}"#;
    assert_eq!(refused(newer), "format 1 wanted, 2 found: a newer pactolus wrote this");
    let missing = Histograms::read(Path::new("/nowhere/f.json")).unwrap_err().to_string();
    assert_eq!(missing, "cannot open /nowhere/f.json: No such file or directory (os error 2)");
}

/// A state with other bytes that still is one would be read as other numbers.
#[test]
fn a_state_that_was_changed_is_refused_with_its_name() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("h.json");
    let list = vec![Histogram::filled("ADC/hits", Hist1::new(Axis::integer(0, 9)), [1, 2, 3]).unwrap()];
    let wanted = Histograms { runs: BTreeSet::from([7]), list };
    wanted.write(&path, FileKind::Json, &Value::Null).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let start = text.find("\"state\":\"").unwrap() + 9;
    let end = start + text[start..].find('"').unwrap();
    let (mut refused, mut named) = (0, 0);
    for at in start..end {
        let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        fs::write(&path, [&text[..at], other, &text[at + 1..]].concat()).unwrap();
        let said = Histograms::read(&path).unwrap_err().to_string();
        refused += 1;
        named += usize::from(said.contains("\"ADC/hits\": its checksum does not agree"));
    }
    // The others are no base64 any more.
    assert!(named > 40 && refused - named <= 4, "{named} of {refused}");
    // The checksum itself, and one that is missing.
    let sum = text.find("\"crc32c\":").unwrap();
    fs::write(&path, text.replacen("\"crc32c\":", "\"crc32c\":1", 1)).unwrap();
    assert!(Histograms::read(&path).is_err(), "{}", &text[sum..sum + 20]);
    fs::write(&path, text.replacen("\"crc32c\":", "\"crc\":", 1)).unwrap();
    assert!(Histograms::read(&path).unwrap_err().to_string().contains("missing field `crc32c`"));

    let table = dir.path().join("h.arrow");
    wanted.write(&table, FileKind::Table(TableKind::Arrow), &Value::Null).unwrap();
    let (mut bytes, state) = (fs::read(&table).unwrap(), wanted.list[0].to_bytes());
    let at = bytes.windows(state.len()).position(|window| window == state).unwrap();
    bytes[at + state.len() - 1] ^= 1;
    fs::write(&table, bytes).unwrap();
    let said = Histograms::read(&table).unwrap_err().to_string();
    assert!(said.contains("\"ADC/hits\": its checksum does not agree"), "{said}");
}

#[test]
fn broken_files_are_refused_or_read_never_worse() {
    let dir = TempDir::new().unwrap();
    let points = (0..50).map(|i| (f64::from(i) / 25.0, f64::from(i)));
    let list = vec![
        Histogram::filled("p", Profile::new(Axis::regular(4, 0.0, 2.0)), points).unwrap(),
        Histogram::filled("s", Strip::new(10), [1.0, 2.0]).unwrap(),
    ];
    let histograms = Histograms { runs: BTreeSet::from([7]), list };
    for (name, kind) in KINDS {
        let path = dir.path().join(name);
        histograms.write(&path, kind, &Value::Null).unwrap();
        let whole = fs::read(&path).unwrap();
        let mut read = 0;
        for at in (0..whole.len()).step_by(5) {
            // Without its last newline a text is whole.
            if at % 3 == 0 && at + 1 < whole.len() {
                fs::write(&path, &whole[..at]).unwrap();
                assert!(Histograms::read(&path).is_err(), "{name} cut at {at}");
            }
            let mut other = whole.clone();
            other[at] ^= 1 << (at % 8);
            fs::write(&path, other).unwrap();
            read += u32::from(Histograms::read(&path).is_ok());
        }
        println!("{name}: {read} of {} still read", whole.len() / 5);
    }
}
