//! Every ODB text that real MIDAS programs left in the corpus: read, written in all three forms,
//! and read again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use pactolus_formats::event::Kind as EventKind;
use pactolus_formats::mid::{Block, Reader, Stop};
use pactolus_formats::{Input, Tid};
use pactolus_odb::dump::Kind;
use pactolus_odb::shell::{Capture, Shell};
use pactolus_odb::{Dump, Error, Load, Mode, Odb, Save, Tree, Value};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus")
}

fn read(name: &str) -> Vec<u8> {
    let path = corpus().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below a directory of the corpus with this ending, by their names in the corpus.
fn files(place: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(corpus().join(place)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{place}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            found.extend(files(&name, ending));
        } else if name.contains(ending) {
            found.push(name);
        }
    }
    found.sort();
    found
}

/// Texts of the dumps in begin-of-run and end-of-run events, with the closing NUL.
fn dumps_of(run: &str) -> Vec<(String, Vec<u8>)> {
    let mut reader = Reader::new(Input::open(corpus().join(run)).unwrap());
    let mut block = Block::new();
    let mut found = Vec::new();
    loop {
        let stop = reader.read(&mut block, 1 << 20).unwrap();
        for event in block.events() {
            let word = match event.header.kind() {
                EventKind::Bor => "BOR",
                EventKind::Eor => "EOR",
                _ => continue,
            };
            if event.payload.len() > 1 {
                found.push((format!("{run} {word}"), event.payload.to_vec()));
            }
        }
        if stop == Stop::End {
            return found;
        }
    }
}

/// Every text of the corpus with its name: files and dumps inside run files.
fn texts() -> Vec<(String, Vec<u8>)> {
    let places = [("odb", ".odb"), ("odb", ".xml"), ("odb", ".json"), ("config", ""), ("online", ".odb")];
    let mut names: Vec<String> = places.iter().flat_map(|(place, ending)| files(place, ending)).collect();
    names.extend(files("golden", "analyzer-after.odb"));
    let mut texts: Vec<(String, Vec<u8>)> =
        names.into_iter().map(|name| (name.clone(), read(&name))).collect();
    for run in [files("mid", ".mid"), files("mlogger2014", ".mid")].concat() {
        texts.extend(dumps_of(&run));
    }
    assert!(texts.len() > 100, "{}", texts.len());
    texts
}

fn tree(bytes: &[u8], what: &str) -> Tree {
    let dump = Dump::parse(bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(dump.remarks, [], "{what}");
    let mut tree = Tree::new();
    let loaded = tree.load(&dump, &Load { exact: true, ..Load::default() });
    assert_eq!(loaded.failed, [], "{what}");
    tree
}

/// The tree as a form holds it: without access modes, in `.odb` also without directories that have
/// no keys, and with no more room for a string of several lines than it needs.
fn held(tree: &Tree, kind: Kind) -> Tree {
    let mut tree = tree.clone();
    if kind != Kind::Json {
        tree.set_mode("/", Mode::default(), true).unwrap();
    }
    if kind == Kind::Odb {
        let paths: Vec<_> = tree.walk("/").unwrap().map(|(path, _)| path.to_string()).collect();
        for path in paths.iter().rev() {
            let key = tree.find_link(path).unwrap().key;
            if key.directory().is_some_and(|directory| directory.is_empty()) {
                tree.delete(path).unwrap();
            } else if let Some(Value::String(mut strings)) = key.value().cloned()
                && strings.values.iter().any(|text| text.contains(&b'\n'))
            {
                strings.size = strings.values[0].len() + 1;
                tree.replace(path, Value::String(strings)).unwrap();
            }
        }
    }
    tree
}

/// Keys that `.odb` cannot hold, removed; it must say which.
fn without_unwritable(tree: &mut Tree, what: &str) {
    while let Err(error) = Save::odb().write(tree, "/") {
        let Error::Unwritable { path, why, .. } = &error else { panic!("{what}: {error}") };
        // A string of several lines in an array: odbedit writes it and cannot read it.
        assert_eq!((path.as_str(), *why), (MULTIARR, "an array of strings holds a line end"), "{what}");
        assert!(error.to_string().ends_with("; save as .json"));
        tree.delete(MULTIARR).unwrap();
    }
}

const MULTIARR: &str = "/Types/str/multiarr";

#[test]
fn every_text_comes_back_the_same_in_all_three_forms() {
    for (name, bytes) in texts() {
        let whole = tree(&bytes, &name);
        for save in [Save::odb(), Save::xml(), Save::json()] {
            let mut first = whole.clone();
            if save.kind == Kind::Odb {
                without_unwritable(&mut first, &name);
            }
            let text = save.write(&first, "/").unwrap();
            let second = tree(&text, &name);
            let (wanted, found) = (held(&first, save.kind), held(&second, save.kind));
            assert_eq!(wanted.diff(&found), [], "{name} as {}", save.kind);
            assert!(wanted.same(&found), "{name} as {}: order, names, modes", save.kind);
            if save.kind == Kind::Json {
                let times = |tree: &Tree| -> Vec<u32> {
                    tree.walk("/").unwrap().map(|(_, key)| key.last_written()).collect()
                };
                assert_eq!(times(&first), times(&second), "{name}: times");
            }
        }
    }
}

/// A shell in which lines must do what they say.
#[test]
fn every_odb_is_kept_whole_in_a_directory() {
    for (what, bytes) in texts() {
        let place = tempfile::tempdir().unwrap();
        let dump = Dump::parse(&bytes).unwrap();
        let odb = Odb::create_in(place.path()).unwrap();
        odb.load(&dump, &Load { exact: true, ..Load::default() }).unwrap();
        let written = odb.snapshot().unwrap();
        let json = odb.save("/", &Save::json()).unwrap();
        drop(odb);
        let odb = Odb::open(place.path()).unwrap();
        let read = odb.snapshot().unwrap();
        assert!(read.same(&written), "{what}");
        // With times and access modes.
        assert_eq!(odb.save("/", &Save::json()).unwrap(), json, "{what}");
    }
}

fn done(shell: &mut Shell, capture: &mut Capture, lines: &[&str]) {
    for line in lines {
        shell.run(line, capture).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(capture.warned, [""; 0], "{line}");
    }
}

#[test]
fn the_shell_loads_and_saves_a_whole_odb_in_all_three_forms() {
    for name in ["full.odb", "full.xml", "full.json"] {
        let bytes = read(&format!("odb/{name}"));
        let mut capture = Capture { saved: vec![(name.to_owned(), bytes.clone())], ..Capture::default() };
        let mut shell = Shell::new(Odb::local());
        done(&mut shell, &mut capture, &[&format!("load {name}")]);
        let loaded = shell.odb().snapshot().unwrap();
        // Nothing is missing but programs that are gone, which MIDAS does not load either.
        let whole = tree(&bytes, name);
        let missing = whole.diff(&loaded);
        assert!(
            missing.iter().all(|d| d.path.to_string().starts_with("/System/Clients/")),
            "{name}: {missing:?}"
        );
        assert!(loaded.walk("/").unwrap().count() > 300, "{name}");
        // `.odb` cannot hold a line end in an array of strings, says which key, and saves nothing.
        let refused = shell.run("save x.odb", &mut capture).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("{MULTIARR} cannot be saved as .odb")), "{refused}");
        done(&mut shell, &mut capture, &[&format!("del {MULTIARR}")]);
        for save in ["x.odb", "x.xml", "x.json"] {
            done(&mut shell, &mut capture, &[&format!("save {save}"), &format!("diff {save}")]);
            assert_eq!(capture.text(), "", "{name}, {save}");
            let mut copy = Shell::new(Odb::local());
            done(&mut copy, &mut capture, &[&format!("load {save}")]);
            let kind = Save::by_name(save).kind;
            let trees = [&shell, &copy].map(|shell| held(&shell.odb().snapshot().unwrap(), kind));
            assert!(trees[0].same(&trees[1]), "{name}, {save}");
        }
    }
}

/// What odbedit and mlogger wrote is what we write of it, byte for byte, except:
/// - `multiarr` of Types.odb and full.odb, which `.odb` cannot hold (it is taken out on both sides);
/// - how many programs watch a key (`notify_count` of JSON), which is no property of a tree;
/// - configuration files written by hand, which are no complete saves.
#[test]
fn what_midas_wrote_is_written_byte_for_byte() {
    let mut equal = 0;
    for (name, bytes) in texts() {
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes).to_vec();
        let dump = Dump::parse(&bytes).unwrap();
        let mut tree = tree(&bytes, &name);
        let mut wanted = bytes;
        if name.ends_with("/Types.odb") || name.ends_with("/full.odb") {
            without_unwritable(&mut tree, &name);
            wanted = replace(&wanted, b"multiarr = STRING[2] :\n[40] multi\nline\n[40] b\n", b"");
        }
        if name.ends_with("/rt_xml.odb") || name.ends_with("/rt_json.odb") {
            without_unwritable(&mut tree, &name);
            wanted = replace(&wanted, b"multiarr = STRING[2] :\n[40] multi\nline\n[40] b\n", b"");
        }
        let wanted = unwatched(&wanted);
        let root = dump.root.clone().unwrap_or_default().to_string();
        let found = as_saved(dump.kind, &wanted).write(&tree, &root).unwrap();
        if found != wanted && name.starts_with("config/") {
            continue;
        }
        // What loggers make in memory has no line end behind its last brace.
        let in_memory = dump.kind == Kind::Json && !wanted.ends_with(b"\n");
        let found = found.strip_suffix(b"\n").filter(|_| in_memory).unwrap_or(&found);
        let lines = |text: &[u8]| -> Vec<String> {
            text.split(|&byte| byte == b'\n').map(|line| line.escape_ascii().to_string()).collect()
        };
        for (found, wanted) in lines(found).iter().zip(lines(&wanted)) {
            assert_eq!(*found, wanted, "{name}");
        }
        assert_eq!(found.len(), wanted.len(), "{name}");
        equal += 1;
    }
    assert!(equal > 100, "{equal}");
}

/// How a text was saved, from its own first lines.
fn as_saved(kind: Kind, text: &[u8]) -> Save {
    let text = String::from_utf8_lossy(text);
    let between = |before: &str, after: &str| {
        let rest = text.split_once(before)?.1;
        Some(rest.split_once(after)?.0.to_owned())
    };
    let version = between("\"/MIDAS version\" : \"", "\"");
    match kind {
        Kind::Odb => Save { absolute: text.starts_with("[/"), ..Save::odb() },
        Kind::Xml => Save {
            comment: between("<!-- ", " -->"),
            filename: between(" filename=\"", "\""),
            schema: between("noNamespaceSchemaLocation=\"", "\"").unwrap(),
            ..Save::xml()
        },
        Kind::Json => Save {
            absolute: text.contains("\"/ODB path\""),
            filename: between("\"/filename\" : \"", "\""),
            version: version.zip(between("\"/MIDAS git revision\" : \"", "\"")),
            ..Save::json()
        },
    }
}

fn replace(text: &[u8], part: &[u8], with: &[u8]) -> Vec<u8> {
    let at = text.windows(part.len()).position(|window| window == part).unwrap();
    [&text[..at], with, &text[at + part.len()..]].concat()
}

/// Cuts `"notify_count" : 3, ` from a JSON dump.
fn unwatched(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    while let Some(at) = text.windows(14).position(|window| window == b"\"notify_count\"") {
        let end = at + text[at..].windows(2).position(|window| window == b", ").unwrap() + 2;
        text.drain(at..end);
    }
    text
}

/// The keys in which odbedit's own round trip differs from the tree it began with: what was there
/// and what is. Strings with their room, length and beginning.
fn check_lost(name: &str, wanted: &[&str]) {
    let before = tree(&read("odb/Types.xml"), "Types.xml");
    let after = tree(&read(&format!("odb/roundtrip/{name}")), name);
    let show = |value: &Option<Value>| {
        let Some(value) = value else { return "nothing".to_owned() };
        let element = |index: usize| -> String {
            let text = value.text(index);
            let dots = if text.len() > 14 { format!("... {}", text.len()) } else { String::new() };
            format!("{:?}{dots}", text.chars().take(14).collect::<String>())
        };
        let room = if value.tid() == Tid::String { format!(" {}", value.item_size()) } else { String::new() };
        let elements: Vec<String> = (0..value.len()).map(element).collect();
        format!("{}{room} {}", value.tid(), elements.join(" "))
    };
    let differences = before.diff(&after);
    let found: Vec<String> = differences
        .iter()
        .map(|d| format!("{}: {} -> {}", d.path.name().unwrap(), show(&d.left), show(&d.right)))
        .collect();
    assert_eq!(found, wanted, "{name}");
}

/// `corpus/odb/roundtrip`: Types loaded by odbedit from each form into an empty ODB, saved as
/// `.odb`. What is different afterwards, and why; our own trip, above, changes none of it.
#[test]
fn what_odbedits_round_trip_loses() {
    // A string is cut at 255 bytes whenever it is saved as .odb.
    // Through .odb besides:
    // - a CR at the end of a line is taken for part of the line end;
    // - blanks before a string, and a CHAR that is a blank, are taken for part of the format;
    // - the room of a string is cut at 256 when it is loaded: the messages, below, say so;
    // - a line end in an array of strings is written raw: its second line is taken for the next
    //   element, and the key that follows for what is left of the array. It is gone.
    check_lost(
        "rt_odb.odb",
        &[
            r#"tab: STRING 5 "a\tb\r" -> STRING 5 "a\tb""#,
            r#"leading space: STRING 14 "  two leading" -> STRING 14 "two leading""#,
            r#"long600: STRING 601 "abcdefghijklmn"... 600 -> STRING 256 "abcdefghijklmn"... 255"#,
            r#"long1999: STRING 2000 "01234567890123"... 1999 -> STRING 256 "01234567890123"... 255"#,
            r#"long3000: STRING 3001 "ABCDEFGHIJKLMN"... 3000 -> STRING 256 "ABCDEFGHIJKLMN"... 255"#,
            r#"multiarr: STRING 40 "multi\nline" "b" -> STRING 40 "multi" """#,
            r#"Event Data (x1).y: STRING 6 "punct" -> nothing"#,
            r#"ch: CHAR "a" " " "\"" "z" -> CHAR "a" "" "\"" "z""#,
        ],
    );
    check_lost(
        "rt_xml.odb",
        &[
            r#"long600: STRING 601 "abcdefghijklmn"... 600 -> STRING 601 "abcdefghijklmn"... 255"#,
            r#"long1999: STRING 2000 "01234567890123"... 1999 -> STRING 2000 "01234567890123"... 255"#,
            r#"long3000: STRING 3001 "ABCDEFGHIJKLMN"... 3000 -> STRING 3001 "ABCDEFGHIJKLMN"... 255"#,
        ],
    );
    // Through JSON besides: the link to an element has become a copy of it, since JSON holds the
    // element's value; the sign of zero is gone. (The file keeps 7 digits of the FLOATs of JSON.)
    check_lost(
        "rt_json.odb",
        &[
            r#"link to elem: LINK "/Types/iarr[3]" -> INT "16""#,
            r#"long600: STRING 601 "abcdefghijklmn"... 600 -> STRING 601 "abcdefghijklmn"... 255"#,
            r#"long1999: STRING 2000 "01234567890123"... 1999 -> STRING 2000 "01234567890123"... 255"#,
            r#"long3000: STRING 3001 "ABCDEFGHIJKLMN"... 3000 -> STRING 3001 "ABCDEFGHIJKLMN"... 255"#,
            r#"d: DOUBLE "0.1" "1e+22" "-0" -> DOUBLE "0.1" "1e+22" "0""#,
        ],
    );
    let messages = String::from_utf8(read("odb/roundtrip/load_odb_messages.txt")).unwrap();
    let paths: Vec<&str> = messages.lines().filter_map(|line| line.split('"').nth(1)).collect();
    assert_eq!(paths, ["/Types/str/long600", "/Types/str/long1999", "/Types/str/long3000"]);
}
