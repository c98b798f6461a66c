#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::super::{Capture, Shell, answer, sample};
use crate::Odb;

/// What `odbedit` answered, without the words in front of its JSON.
fn odbedits(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/odb").join(name);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let before = b"json: ";
    let at = text.windows(before.len()).position(|window| window == before).unwrap();
    text[at + before.len()..].to_vec()
}

fn ours(line: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/odb/Types.json");
    let saved = vec![("Types.json".to_owned(), std::fs::read(path).unwrap())];
    let mut capture = Capture { saved, ..Capture::default() };
    let mut shell = Shell::new(Odb::local());
    shell.run("load -x Types.json", &mut capture).unwrap();
    shell.run(line, &mut capture).unwrap();
    capture.out
}

/// Different in nothing but the words in front.
fn check(line: &str, name: &str) {
    let (found, wanted) = (ours(line), odbedits(name));
    let lines = |text: &[u8]| -> Vec<String> {
        text.split(|&byte| byte == b'\n').map(|line| line.escape_ascii().to_string()).collect()
    };
    for (found, wanted) in lines(&found).iter().zip(&lines(&wanted)) {
        assert_eq!(found, wanted, "{name}");
    }
    assert_eq!(found.len(), wanted.len(), "{name}");
}

#[test]
fn the_json_of_a_directory_is_odbedits() {
    check("json /Types", "Types_json_cmd.txt");
}

#[test]
fn one_directory_is_odbedits() {
    check("jsls /Types", "Types_jsls.txt");
}

#[test]
fn the_values_are_odbedits() {
    check("jsvalues /Types", "Types_jsvalues.txt");
}

#[test]
fn a_value_is_json_too() {
    let check = |line: &str, wanted: &str| assert_eq!(answer(&sample(), false, &[line]), wanted, "{line}");
    check("json Equipment/Trigger/Variables/ADC0", "[ \"0x0011\", \"0x0012\", \"0x0013\" ]\n");
    check("json Equipment/Trigger/Variables/ADC0[1]", "\"0x0012\"\n");
    check("jsls Runinfo/State", "! /Runinfo/State is a value, not a directory\n");
    check("jsls Equipment/Trigger", "{\n  \"Common\" : { },\n  \"Variables\" : { }\n}\n");
}

#[test]
fn links_in_a_circle_are_an_error() {
    let mut tree = sample();
    tree.create_link("/Equipment/Trigger/Up", "/Equipment").unwrap();
    let wanted = "! /Equipment/Trigger: more than 64 levels of directories\n";
    assert_eq!(answer(&tree, false, &["jsvalues"]), wanted);
    // Links are shown, not followed, elsewhere.
    assert!(answer(&tree, false, &["ls -r", "json", "jsls", "find x"]).len() < 3000);
}
