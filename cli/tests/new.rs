//! `pactolus new`: which files it makes, what it refuses, what it leaves alone.
//!
//! That a crate builds, passes its test and runs is seen in `docs/guide/first-module.md`, which is run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pactolus::Definition;
use pactolus::formats::Input;
use pactolus::scan::Scan;
use tempfile::TempDir;

/// Exit code, and all that was said.
fn run(place: &Path, line: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pactolus"));
    let ran = command.args(line.split(' ')).current_dir(place).output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// Runs what must go well.
fn well(place: &Path, line: &str) -> String {
    let (code, said) = run(place, line);
    assert_eq!(code, 0, "{line}: {said}");
    said
}

/// The files below a directory, in order.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(root.join(&dir)).unwrap() {
            let path = dir.join(entry.unwrap().file_name());
            match root.join(&path).is_dir() {
                true => open.push(path),
                false => found.push(path.to_str().unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

fn text(root: &Path, file: &str) -> String {
    fs::read_to_string(root.join(file)).unwrap()
}

#[test]
fn a_crate_has_all_that_it_needs() {
    let place = TempDir::new().unwrap();
    let said = well(place.path(), "new my-lab --module drift_time");
    assert!(said.contains("\n  cd my-lab\n  cargo test\n"), "{said}");
    assert!(said.contains("on this computer: before others"), "{said}");
    let root = place.path().join("my-lab");
    let wanted = [
        ".github/workflows/ci.yml",
        ".gitignore",
        "Cargo.lock",
        "Cargo.toml",
        "README.md",
        "analyzer.toml",
        "runs/run00001.mid",
        "src/drift_time.rs",
        "src/lib.rs",
        "src/main.rs",
        "tests/drift_time.rs",
    ];
    assert_eq!(files(&root), wanted);

    let manifest: toml::Table = text(&root, "Cargo.toml").parse().unwrap();
    assert_eq!(manifest["package"]["name"].as_str(), Some("my-lab"));
    for (package, room) in [("pactolus", ""), ("pactolus-cli", "cli"), ("pactolus-modules", "modules")] {
        let path = manifest["dependencies"][package]["path"].as_str().unwrap();
        assert!(Path::new(path).is_absolute() && path.ends_with(room), "{path}");
        assert!(text(Path::new(path), "Cargo.toml").contains(&format!("name = \"{package}\"")), "{path}");
    }
    let lock = text(Path::new(env!("CARGO_MANIFEST_DIR")), "../Cargo.lock");
    assert_eq!(text(&root, "Cargo.lock"), lock, "the versions are those that Pactolus is tested with");

    assert!(text(&root, "src/main.rs").contains("my_lab::catalogue()"));
    assert!(text(&root, "src/lib.rs").contains(".module::<drift_time::DriftTime>(\"DriftTime\")"));
    assert!(text(&root, "src/drift_time.rs").contains("BankDef::new(b\"DRIF\")"));
    let definition = text(&root, "analyzer.toml");
    assert!(definition.starts_with("#:schema ./analyzer.schema.json\n"));
    let definition = Definition::parse(&definition, "analyzer.toml").unwrap();
    assert_eq!(definition.requests[0].1[0].module, "DriftTime");

    let scanned = Scan::read(Input::open(root.join("runs/run00001.mid")).unwrap()).unwrap();
    assert_eq!(scanned.scan.events, 502, "500 data events, BOR and EOR");
    assert!(scanned.scan.bytes < 100_000, "it is to be committed: {} bytes", scanned.scan.bytes);
    let again = TempDir::new().unwrap();
    well(again.path(), "new other");
    let runs =
        [root, again.path().join("other")].map(|root| fs::read(root.join("runs/run00001.mid")).unwrap());
    assert_eq!(runs[0], runs[1], "it is the same run every time");
}

#[test]
fn what_is_made_is_formatted_whatever_its_names() {
    let place = TempDir::new().unwrap();
    let long = ["a".repeat(31), "a".repeat(24)];
    for (name, module) in
        [("a", "z"), ("x", "amplitude"), ("my-analyzer", "amplitude"), (&*long[0], &*long[1]), ("lab", "abs")]
    {
        well(place.path(), &format!("new {name} --module {module}"));
        let root = place.path().join(name);
        well(&root, "new --module b_0");
        let mut rustfmt = Command::new("rustfmt");
        rustfmt.args(["--check", "--edition", "2024", "src/lib.rs", "src/main.rs"]);
        rustfmt.args([format!("tests/{module}.rs"), "tests/b_0.rs".to_owned()]).current_dir(&root);
        match rustfmt.output() {
            Ok(ran) => assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stdout)),
            Err(e) => eprintln!("left out: there is no rustfmt: {e}"),
        }
    }
}

#[test]
fn pactolus_comes_from_where_the_user_says() {
    let place = TempDir::new().unwrap();
    let url = "https://example.org/pactolus.git";
    let said = well(place.path(), &format!("new a --pactolus {url}"));
    assert!(!said.contains("on this computer"), "{said}");
    let manifest = text(&place.path().join("a"), "Cargo.toml");
    assert!(manifest.contains(&format!("\npactolus-cli = {{ git = \"{url}\" }}\n")), "{manifest}");
    assert!(!manifest.contains("of this computer"), "{manifest}");
    well(place.path(), "new b --pactolus 0.1.0");
    let manifest = text(&place.path().join("b"), "Cargo.toml");
    assert!(manifest.contains("\npactolus-modules = \"0.1.0\"\n"), "{manifest}");
    assert!(!place.path().join("b/Cargo.lock").exists(), "cargo makes it");
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    let place = TempDir::new().unwrap();
    let check = |line: &str, code: i32, wanted: &str| {
        let before = files(place.path());
        let (found, said) = run(place.path(), line);
        assert_eq!(found, code, "{line}: {said}");
        assert!(said.contains(wanted) && said.lines().count() == 1, "{line}: {said}");
        assert_eq!(files(place.path()), before, "{line}");
        assert!(!place.path().join("a").exists(), "{line}");
    };
    check("new 2nd", 2, "the name of a crate begins with a small letter");
    check("new a --module Peaks", 2, "the name of a module begins with a small letter");
    check("new a --pactolus nowhere", 2, "a directory, a git URL or a version wanted");
    check("new b/a", 5, "cannot create b/a");
    check("new --module peaks", 2, "there is no crate around this directory");
    check("new --module peaks --pactolus 0.1.0", 2, "NAME");
    check("new", 2, "NAME");
    fs::write(place.path().join("there"), "mine").unwrap();
    check("new there", 2, "there exists: give another name");
    assert_eq!(text(place.path(), "there"), "mine");
    fs::create_dir(place.path().join("empty")).unwrap();
    check("new empty", 2, "empty exists: give another name");
}

#[test]
fn a_module_is_added_from_anywhere_in_the_crate_and_only_once() {
    let place = TempDir::new().unwrap();
    well(place.path(), "new lab");
    let root = place.path().join("lab");
    let said = well(&root.join("src"), "new --module peaks");
    assert_eq!(
        said,
        "Made src/peaks.rs and tests/peaks.rs.\n\
         Changed src/lib.rs: Peaks is in the catalogue.\n\
         Changed analyzer.toml: it is mounted on the events with ADC0.\n"
    );
    assert!(text(&root, "tests/peaks.rs").contains("use lab::peaks::*;"));
    // Its bank is another than that of a module whose name begins alike.
    well(&root, "new --module peak_times");
    assert!(
        text(&root, "src/peaks.rs").contains("b\"PEAK\"")
            && text(&root, "src/peak_times.rs").contains("b\"PEA0\"")
    );
    let definition = Definition::parse(&text(&root, "analyzer.toml"), "analyzer.toml").unwrap();
    let stages: Vec<&str> = definition.requests[0].1.iter().map(|mount| &*mount.name).collect();
    assert_eq!(stages, ["Amplitude", "Peaks", "PeakTimes"]);

    let before = files(&root);
    fs::write(root.join("src/peaks.rs"), "// changed").unwrap();
    let lib = text(&root, "src/lib.rs");
    let (code, said) = run(&root, "new --module peaks");
    assert_eq!(
        (code, &*said),
        (2, "pactolus: src/peaks.rs exists, and nothing was changed: give the module another name\n")
    );
    assert_eq!((text(&root, "src/peaks.rs"), text(&root, "src/lib.rs")), ("// changed".into(), lib));
    assert_eq!(files(&root), before);
}

#[test]
fn files_that_were_changed_by_hand_are_left_alone() {
    let place = TempDir::new().unwrap();
    well(place.path(), "new lab");
    let root = place.path().join("lab");
    let lib = text(&root, "src/lib.rs")
        .replace("pub fn catalogue() -> Catalogue {", "pub fn ours() -> Catalogue {");
    fs::write(root.join("src/lib.rs"), &lib).unwrap();
    let (code, said) = run(&root, "new --module peaks");
    assert_eq!(code, 1, "{said}");
    assert_eq!(text(&root, "src/lib.rs"), lib);
    let lines = "Add to it by hand\n  pub mod peaks;\nand in catalogue(), behind the other modules,\n  \
                 .module::<peaks::Peaks>(\"Peaks\")\n";
    assert!(said.contains(lines) && said.contains("Changed analyzer.toml"), "{said}");

    let definition = text(&root, "analyzer.toml").replace("ADC0", "ADC1");
    fs::write(root.join("analyzer.toml"), &definition).unwrap();
    let (code, said) = run(&root, "new --module times");
    assert_eq!(code, 1, "{said}");
    assert_eq!(text(&root, "analyzer.toml"), definition);
    assert!(said.contains("\n  [[request.module]]\n  type = \"Times\"\n  name = \"Times\"\n"), "{said}");
}
