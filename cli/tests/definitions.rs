//! `pactolus check`: what it shows of definitions, and the schema for editors.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pactolus::Catalogue;
use pactolus::prelude::*;
use pactolus_cli::App;
use serde_json::Value as Json;
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Exit code, what was shown, errors.
fn check(app: &App, args: &[&str]) -> (u8, String, String) {
    let args: Vec<OsString> = std::iter::once("check").chain(args.iter().copied()).map(Into::into).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = pactolus_cli::run(app, &args, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// What is shown of a definition, which is called `built-in definition`.
fn shown(catalogue: Catalogue, text: &'static str) -> String {
    let (code, out, err) = check(&App::new(catalogue).definition(text), &[]);
    assert_eq!((code, &*err), (0, ""));
    for line in out.lines() {
        assert!(line.chars().count() <= 80 && line == line.trim_end(), "{line:?}");
    }
    out
}

fn stock(text: &'static str) -> String {
    shown(pactolus_modules::catalogue(), text)
}

#[test]
fn the_sample_experiment_is_explained() {
    let out = stock(include_str!("../../examples/experiment/analyzer.toml"));
    // As it stands in the guide, where the file has a name.
    let guide = fs::read_to_string(root().join("docs/definition.md")).unwrap();
    let page = guide.split_once("$ pactolus check examples/experiment/analyzer.toml\n").unwrap().1;
    let page = page.split_once("```").unwrap().0;
    let behind = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(behind(&out), behind(page));
    assert!(out.starts_with("built-in definition: analyzer \"Analyzer\", in the ODB /Analyzer\n"), "{out}");
}

/// Reads a bank of four letters and appends another, wide or not.
macro_rules! module {
    ($name:ident, $kind:ident, $own:ty, $reads:literal, $writes:literal) => {
        #[derive(Record, Clone)]
        struct $name {
            /// Gain of each channel [keV]
            #[key("Gain", default = 1.5, min = 0.0, max = 10.0, per = BankDef::<u16>::new($reads))]
            _gain: Vec<f32>,
            /// How it is called
            #[key("Label", default = "one")]
            _label: String,
        }

        impl $kind for $name {
            fn banks(&self) -> Banks {
                Banks::read(BankDef::<u16>::new($reads)).write(BankDef::<u16>::new($writes))
            }
            fn event(self: $own, _: &Event, _: &Context) -> Result<Verdict> {
                Ok(Keep)
            }
        }
    };
}

module!(First, Module, &Self, b"RAW0", b"MID0");
module!(Second, Sequential, &mut Self, b"MID0", b"SUM0");
module!(Third, Module, &Self, b"SUM0", b"END0");

fn three() -> Catalogue {
    Catalogue::new().module::<First>("First").sequential::<Second>("Second").module::<Third>("Third")
}

const CHAIN: &str = r#"
name = "Online"
[parameters.Global]
Threshold = 5
[parameters.First]
gain = [1.0]

[[request]]
name = "Trigger"
id = 1
mask = 3
sampling = "all"
[request.banks]
ADCA = { type = "WORD[2]", unit = "counts", histogram = { bins = 100, low = 0, high = 4000 } }
SPAR = "DWORD"
END0 = { type = "WORD", switch = false }
[[request.module]]
type = "First"
banks = { RAW0 = "ADCA" }
[[request.module]]
type = "Second"
parameters = { gain = [1.0, 2.0] }
[[request.module]]
type = "Third"
parameters = { Gain = [1, 2], Label = "behind" }
"#;

#[test]
fn a_chain_is_drawn_with_its_sequential_stages_and_renamed_banks() {
    let out = shown(three().module::<Prescaled>("Prescaled"), CHAIN);
    let picture = out.split_once("\n\n").unwrap().1.split_once("\n\n").unwrap().1;
    assert_eq!(picture.split_once("\n\n").unwrap().0, DRAWN);
    let whole = out.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "Request \"Trigger\": id 1, mask 0x0003, sampling all",
        "histograms Trigger/ADCA/00 to 01: 100 bins from 0 to 4000 counts",
        "Gain = 1.5, 1.5 FLOAT[2] in keV, from 0 to 10, one per element of ADCA, default of the module",
        "Label = \"behind\" STRING, from the definition How it is called",
        "- parameters \"First\", \"gain\" is not used: it belongs to stage \"First\"",
        "- SPAR of \"Trigger\": no stage reads it: raw data",
        "- END0 of \"Trigger\": appended, but no stage reads it",
        "- modules that are not mounted: Prescaled",
        "- parameters that belong to no stage: Global",
    ] {
        assert!(whole.contains(said), "{said}: {out}");
    }
}

const DRAWN: &str = "  event ── ADCA, SPAR
    │
    ├─ First (First)
    │     reads    ADCA (its RAW0)
    │     appends  MID0
    ╠═ Second (Second), sequential
    ║     reads    MID0 of First
    ║     appends  SUM0
    ╟─ Third (Third), in the fold
    ║     reads    SUM0 of Second
    ║     appends  END0
    ║
  output ─ on:  ADCA, SPAR, MID0, SUM0
           off: END0
  ║ in the order of the events, on one thread; │ on all threads";

/// Nothing but a switch.
#[derive(Record, Clone)]
struct Prescaled {}

impl Module for Prescaled {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        Ok(Keep)
    }
}

#[test]
fn thirty_banks_and_ten_stages_fit_the_page() {
    let mut text = String::from("[[request]]\nname = \"A request with a longer name\"\n[request.banks]\n");
    for i in 0..30 {
        let description = "what a detector with many channels measures in this crate ".repeat(i % 3);
        text.push_str(&format!(
            "B{i:03} = {{ type = \"WORD[{}]\", unit = \"counts\", description = \"{description}\" }}\n",
            i + 1
        ));
    }
    for i in 0..10 {
        let (from, to) = (format!("B{i:03}"), format!("B{:03}", i + 10));
        text.push_str(&format!(
            "[[request.module]]\ntype = \"First\"\nname = \"Calibration of the crate number {i}\"\nbanks = {{ RAW0 = \"{from}\", MID0 = \"{to}\" }}\n"
        ));
    }
    let out = shown(three(), text.leak());
    assert!(out.contains("reads    B009 (its RAW0)"), "{out}");
    assert!(out.contains("B029"), "{out}");
}

#[test]
fn the_same_is_told_as_json() {
    let (code, out, err) = check(&App::new(three()).definition(CHAIN), &["--json"]);
    assert_eq!((code, &*err), (0, ""));
    let all: Json = serde_json::from_str(&out).unwrap();
    assert_eq!((&all["file"], &all["name"]), (&"built-in definition".into(), &"Online".into()));
    let stages = all["requests"][0]["stages"].as_array().unwrap();
    let how: Vec<(&Json, &Json)> = stages.iter().map(|s| (&s["sequential"], &s["in_fold"])).collect();
    let (yes, no) = (Json::Bool(true), Json::Bool(false));
    assert_eq!(how, [(&no, &no), (&yes, &yes), (&no, &yes)]);
    assert_eq!(stages[0]["reads"][0], serde_json::json!({ "bank": "ADCA", "own": "RAW0", "from": null }));
    assert_eq!(stages[2]["parameters"][0]["value"], serde_json::json!([1.0, 2.0]));
    assert_eq!(stages[2]["parameters"][0]["from"], "definition");
    assert_eq!(all["unused"]["raw"], serde_json::json!([{ "request": "Trigger", "bank": "SPAR" }]));
}

#[test]
fn what_is_refused_is_said_with_its_line() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("analyzer.toml");
    let refused = |from: &str, to: &str| {
        assert!(CHAIN.contains(from), "{from}");
        fs::write(&file, CHAIN.replace(from, to)).unwrap();
        let (code, out, err) = check(&App::new(three()), &[file.to_str().unwrap()]);
        assert_eq!((code, &*out), (2, ""), "{err}");
        err.trim_end().replace(&format!("{}/", dir.path().display()), "")
    };
    assert_eq!(
        refused("sampling =", "smapling ="),
        "pactolus: analyzer.toml: line 12: unknown key \"smapling\" in request \"Trigger\": the nearest is \"sampling\""
    );
    assert_eq!(
        refused("{ gain =", "{ gian ="),
        "pactolus: analyzer.toml: line 22: unknown parameter \"gian\" in request \"Trigger\", module \"Second\": the nearest is \"Gain\""
    );
    assert_eq!(
        refused("Label =", "Colour ="),
        "pactolus: analyzer.toml: line 25: unknown parameter \"Colour\" in request \"Trigger\", module \"Third\": known are Gain, Label"
    );
    assert_eq!(
        refused("RAW0 =", "RWA0 ="),
        "pactolus: analyzer.toml: line 19: unknown bank \"RWA0\" in request \"Trigger\", module \"First\": the nearest is \"RAW0\""
    );
    assert_eq!(
        refused("type = \"First\"", "type = \"Frist\""),
        "pactolus: analyzer.toml: line 18: unknown module type \"Frist\": the nearest is \"First\""
    );
    assert_eq!(
        refused("Gain = [1, 2]", "Gain = [1, 20]"),
        "pactolus: analyzer.toml: line 25: request \"Trigger\", module \"Third\", parameter \"Gain\": Gain[1] is 20, but must be at most 10"
    );
    assert_eq!(
        refused("{ gain =", "{ GAIN = [1], gain ="),
        "pactolus: analyzer.toml: line 22: request \"Trigger\", module \"Second\", parameter \"gain\": it is given twice: keys of the ODB ignore case"
    );
}

#[test]
fn without_a_definition_one_is_asked_for() {
    let (code, out, err) = check(&App::new(three()), &[]);
    assert_eq!(
        (code, &*out, &*err),
        (2, "", "pactolus: no definition: name a file, as in `pactolus check analyzer.toml`\n")
    );
}

fn schema(catalogue: Catalogue) -> Json {
    let (code, out, err) = check(&App::new(catalogue), &["--schema"]);
    assert_eq!((code, &*err), (0, ""));
    serde_json::from_str(&out).unwrap()
}

#[test]
fn the_schema_has_the_modules_of_the_program() {
    let schema = schema(three());
    let module = &schema["$defs"]["Module"];
    assert_eq!(module["properties"]["type"]["enum"], serde_json::json!(["First", "Second", "Third"]));
    let first = &module["allOf"][0]["then"]["properties"];
    let gain = &first["parameters"]["properties"]["Gain"];
    assert_eq!(gain["title"], "Gain [keV]");
    assert_eq!(
        gain["description"],
        "Gain of each channel; in keV; FLOAT; one value per element of bank RAW0; each 1.5 if nothing is said"
    );
    assert_eq!(
        gain["anyOf"][0]["items"],
        serde_json::json!({ "type": "number", "minimum": 0, "maximum": 10 })
    );
    assert_eq!(first["parameters"]["properties"]["Label"]["default"], "one");
    let banks: Vec<&String> = first["banks"]["properties"].as_object().unwrap().keys().collect();
    assert_eq!(banks, ["RAW0", "MID0"]);
    // Without modules, none is wrong.
    assert!(self::schema(Catalogue::new())["$defs"]["Module"]["properties"]["type"]["enum"].is_null());
}

/// Definitions as a validator of schemas sees them: each with the places that it refuses.
fn validated(catalogue: Catalogue, definitions: &[(&str, String)]) -> Option<String> {
    let Ok(python) = std::env::var("PACTOLUS_PYTHON") else {
        eprintln!("left out: PACTOLUS_PYTHON names no Python with the packages");
        return None;
    };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("schema.json"), schema(catalogue).to_string()).unwrap();
    let mut command = Command::new(python);
    command.arg(root().join("tests/python/check_definition.py")).arg(path("schema.json"));
    for (name, text) in definitions {
        fs::write(path(name), text).unwrap();
        command.arg(path(name));
    }
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some(String::from_utf8(ran.stdout).unwrap())
}

#[test]
fn a_validator_takes_the_definitions_of_the_repository() {
    let names = ["examples/experiment/analyzer.toml", "tests/common/analyzer2.toml"];
    let mut definitions = vec![("empty.toml", String::new())];
    let own = names.iter().map(|name| fs::read_to_string(root().join(name)).unwrap());
    definitions.extend(["experiment.toml", "analyzer2.toml"].into_iter().zip(own));
    definitions.push((
        "type.toml",
        "[[request]]\nname = \"A\"\nbanks = { A = \"uint16[ 4 ]\", B = \"QWORD\" }\n".into(),
    ));
    definitions.push((
        "loose.toml",
        "[[request]]\nname = \"A\"\n[[request.module]]\ntype = \"AdcCalib\"\nparameters = { software_gain = 1.0 }\n".into(),
    ));
    if let Some(said) = validated(pactolus_modules::catalogue(), &definitions) {
        // Its Skipper is no module of this program.
        let other = "analyzer2.toml /request/2/module/0/type";
        let wanted = format!("empty.toml ok\nexperiment.toml ok\n{other}\ntype.toml ok\nloose.toml ok\n");
        assert_eq!(said, wanted);
    }
    if let Some(said) = validated(three(), &[("chain.toml", CHAIN.into())]) {
        assert_eq!(said, "chain.toml ok\n");
    }
}

#[test]
fn a_validator_refuses_what_the_program_refuses() {
    let broken = [
        ("key.toml", "sampling =", "smapling =", "/request/0"),
        ("word.toml", "\"all\"", "\"every\"", "/request/0/sampling"),
        ("mask.toml", "mask = 3", "mask = 65536", "/request/0/mask"),
        ("id.toml", "id = 1", "id = \"one\"", "/request/0/id"),
        ("type.toml", "\"DWORD\"", "\"DWROD\"", "/request/0/banks/SPAR"),
        ("name.toml", "SPAR", "SPARE", "/request/0/banks"),
        ("axis.toml", "low = 0, ", "", "/request/0/banks/ADCA"),
        ("forms.toml", "low = 0, ", "low = 0, first = 1, ", "/request/0/banks/ADCA"),
        ("none.toml", "\"DWORD\"", "\"DWORD[0]\"", "/request/0/banks/SPAR"),
        ("module.toml", "type = \"Third\"", "type = \"Fourth\"", "/request/0/module/2/type"),
        ("parameter.toml", "{ gain", "{ gian", "/request/0/module/1/parameters"),
        ("limit.toml", "[1, 2]", "[1, 20]", "/request/0/module/2/parameters/Gain"),
        ("text.toml", "\"behind\"", "5", "/request/0/module/2/parameters/Label"),
        ("bank.toml", "RAW0", "RWA0", "/request/0/module/0/banks"),
    ];
    let text = |from: &str, to: &str| {
        assert!(CHAIN.contains(from), "{from}");
        CHAIN.replace(from, to)
    };
    let definitions: Vec<(&str, String)> =
        broken.iter().map(|(name, from, to, _)| (*name, text(from, to))).collect();
    if let Some(said) = validated(three(), &definitions) {
        let wanted: String = broken.iter().map(|(name, _, _, place)| format!("{name} {place}\n")).collect();
        assert_eq!(said, wanted);
    }
}
