//! Arrows between the floors point down, and each floor does only what it may.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use common::root;

/// What a package may depend on in this workspace, build dependencies included. Dev-dependencies
/// are free.
const MAY_USE: &[(&str, &[&str])] = &[
    ("pactolus-formats-derive", &[]),
    ("pactolus-odb-derive", &[]),
    ("pactolus-formats", &["pactolus-formats-derive"]),
    ("pactolus-odb", &["pactolus-formats", "pactolus-odb-derive"]),
    ("pactolus", &["pactolus-formats", "pactolus-formats-derive", "pactolus-odb", "pactolus-odb-derive"]),
    ("pactolus-modules", &["pactolus"]),
    ("pactolus-cli", &["pactolus", "pactolus-formats", "pactolus-odb", "pactolus-modules"]),
];

/// Sources of the floors below the programs.
const FLOORS: &[&str] = &["src", "formats/src", "odb/src", "modules/src"];

/// Files that may hold `unsafe`, each listed in ARCHITECTURE.md with its reason.
const UNSAFE_ROOMS: &[&str] = &[
    "odb/src/store/shared/bell.rs",
    "odb/src/store/shared/env.rs",
    "src/harness/allocations.rs",
    "src/shm/map.rs",
];

/// The manifests of the workspace by package name.
fn manifests() -> BTreeMap<String, (PathBuf, toml::Table)> {
    let read = |dir: &Path| -> toml::Table {
        let path = dir.join("Cargo.toml");
        fs::read_to_string(&path).unwrap().parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    let members = read(&root())["workspace"]["members"].as_array().unwrap().clone();
    let members = members.iter().map(|m| root().join(m.as_str().unwrap()));
    members
        .map(|dir| {
            let manifest = read(&dir);
            (manifest["package"]["name"].as_str().unwrap().to_owned(), (dir, manifest))
        })
        .collect()
}

/// The members of the workspace that a manifest's tables of dependencies name, also under another
/// name or for one platform only.
fn uses(manifest: &toml::Table, members: &BTreeSet<String>) -> BTreeSet<String> {
    let mut tables = vec![manifest.clone()];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(|t| t.as_table().cloned()));
    }
    let mut used = BTreeSet::new();
    for table in tables {
        for kind in ["dependencies", "build-dependencies"] {
            let Some(dependencies) = table.get(kind).and_then(toml::Value::as_table) else { continue };
            for (name, value) in dependencies {
                let package = value.get("package").and_then(toml::Value::as_str).unwrap_or(name);
                if members.contains(package) {
                    used.insert(package.to_owned());
                }
            }
        }
    }
    used
}

/// Edges that no floor allows.
fn upward(manifests: &BTreeMap<String, toml::Table>) -> Vec<String> {
    let members: BTreeSet<String> = manifests.keys().cloned().collect();
    let mut wrong = Vec::new();
    for (name, manifest) in manifests {
        let allowed = MAY_USE.iter().find(|(package, _)| package == name).map(|(_, allowed)| *allowed);
        for used in uses(manifest, &members) {
            // Whatever is not a floor is an example, a user of all.
            if allowed.is_some_and(|allowed| !allowed.contains(&used.as_str())) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    wrong
}

#[test]
fn no_floor_depends_on_one_above_it() {
    let manifests = manifests().into_iter().map(|(name, (_, manifest))| (name, manifest)).collect();
    assert_eq!(upward(&manifests), Vec::<String>::new());
}

#[test]
fn an_arrow_that_points_up_is_found_in_every_table() {
    let up = |text: &str| {
        let mut manifests: BTreeMap<String, toml::Table> =
            manifests().into_iter().map(|(name, (_, manifest))| (name, manifest)).collect();
        manifests.insert("pactolus-formats".into(), text.parse().unwrap());
        upward(&manifests)
    };
    let found = vec!["pactolus-formats uses pactolus-odb".to_owned()];
    assert_eq!(up("[dependencies]\npactolus-odb.workspace = true"), found);
    assert_eq!(up("[build-dependencies]\npactolus-odb = { path = \"../odb\" }"), found);
    assert_eq!(up("[dependencies]\ntree = { package = \"pactolus-odb\", path = \"../odb\" }"), found);
    assert_eq!(up("[target.'cfg(unix)'.dependencies]\npactolus-odb.workspace = true"), found);
    assert!(up("[dev-dependencies]\npactolus-odb.workspace = true").is_empty());
}

#[test]
fn every_package_is_on_a_floor_or_an_example() {
    for (name, (dir, _)) in manifests() {
        let floor = MAY_USE.iter().any(|(package, _)| *package == name);
        assert!(floor || dir.starts_with(root().join("examples")), "{name} is on no floor");
    }
}

/// The Rust files below `dir`.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Whether `word` stands in `line` and is not the end of a longer name: `println!` is no `eprintln!`.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let whole = !word.ends_with(is_name) || !after.is_some_and(is_name);
        !before.is_some_and(is_name) && whole
    })
}

/// The code of a file: without comments, and without what only tests see.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // Test modules stand at the end of a file.
    let end = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].lines().enumerate().map(|(i, line)| (i + 1, line.split("//").next().unwrap_or_default()))
}

/// Lines of the floors below the programs that hold one of `words`.
fn find(words: &[&str], except: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in FLOORS.iter().flat_map(|dir| sources(&root().join(dir))) {
        let name = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        // Test modules in files of their own.
        if except.contains(&name.as_str()) || name.ends_with("/tests.rs") || name.contains("/tests/") {
            continue;
        }
        for (number, line) in code(&fs::read_to_string(&file).unwrap()) {
            if words.iter().any(|word| holds(line, word)) {
                found.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    found
}

#[test]
fn only_programs_print() {
    let words = ["println!", "print!", "eprintln!", "eprint!", "dbg!", "stderr()"];
    assert_eq!(find(&words, &[]), Vec::<String>::new());
}

#[test]
fn only_programs_end_the_process() {
    // A client of an experiment has an `exit` of its own.
    let found = find(&["process::exit", "process::abort", "exit("], &[]).into_iter();
    let found = found
        .filter(|line| line.contains("process::") || !line.contains(".exit(") && !line.contains("fn exit("));
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn only_programs_read_the_environment() {
    assert_eq!(find(&["std::env", "env::var", "env::args"], &[]), Vec::<String>::new());
}

#[test]
fn unsafe_lives_in_named_rooms() {
    let found = find(&["unsafe"], UNSAFE_ROOMS);
    let found: Vec<_> = found.iter().filter(|line| !line.contains("#![deny(unsafe_code)]")).collect();
    assert!(found.is_empty(), "{found:#?}");
    for room in UNSAFE_ROOMS {
        assert!(fs::read_to_string(root().join(room)).unwrap().contains("unsafe"), "{room} needs no entry");
    }
}

#[test]
fn the_search_finds_words_and_no_parts_of_words() {
    assert!(holds("    println!(\"x\")", "println!") && !holds("eprintln!(\"x\")", "println!"));
    assert!(holds("unsafe { x }", "unsafe") && !holds("fn unsafely()", "unsafe"));
    assert!(holds("use std::env;", "std::env") && !holds("std::envy", "std::env"));
    let text = "fn a() {} // print!\n\n#[cfg(test)]\nmod tests { print!() }";
    assert_eq!(code(text).filter(|(_, line)| holds(line, "print!")).count(), 0);
    assert!(!find(&["Analyzer"], &[]).is_empty());
}
