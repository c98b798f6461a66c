#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;

use super::*;
use crate::path::MAX_DEPTH;

/// A file that `odbedit` of MIDAS 2017 wrote.
fn corpus(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/odb").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of the large corpus, which is not part of the repository.
fn large_corpus(name: &str) -> Option<Vec<u8>> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus").join(name)).ok()
}

fn tree(bytes: &[u8]) -> Tree {
    let dump = Dump::parse(bytes).unwrap();
    let mut tree = Tree::new();
    let loaded = tree.load(&dump, &Load { exact: true, ..Load::default() });
    assert_eq!(loaded.failed, [], "{:?}", dump.kind);
    tree
}

/// How a file was saved, from its own first lines.
fn as_saved(kind: Kind, text: &[u8]) -> Save {
    let text = String::from_utf8_lossy(text);
    let between = |before: &str, after: &str| {
        let rest = text.split_once(before)?.1;
        Some(rest.split_once(after)?.0.to_owned())
    };
    match kind {
        Kind::Odb => Save::odb(),
        Kind::Xml => Save {
            comment: between("<!-- ", " -->"),
            filename: between(" filename=\"", "\""),
            schema: between("noNamespaceSchemaLocation=\"", "\"").unwrap(),
            ..Save::xml()
        },
        Kind::Json => Save {
            absolute: text.contains("\"/ODB path\""),
            filename: between("\"/filename\" : \"", "\""),
            version: between("\"/MIDAS version\" : \"", "\"")
                .zip(between("\"/MIDAS git revision\" : \"", "\"")),
            ..Save::json()
        },
    }
}

fn assert_same_text(found: &[u8], wanted: &[u8], what: &str) {
    let (found, wanted) = (found.escape_ascii().to_string(), wanted.escape_ascii().to_string());
    for (found, wanted) in found.split("\\n").zip(wanted.split("\\n")) {
        assert_eq!(found, wanted, "{what}");
    }
    assert_eq!(found.len(), wanted.len(), "{what}");
}

fn check_roundtrip(name: &str, bytes: &[u8], root: &str) {
    let dump = Dump::parse(bytes).unwrap();
    let found = as_saved(dump.kind, bytes).write(&tree(bytes), root).unwrap();
    assert_same_text(&found, bytes, name);
}

#[test]
fn what_odbedit_saved_is_written_byte_for_byte() {
    for (name, root) in [("Equipment", "/Equipment"), ("Logger", "/Logger")] {
        check_roundtrip(name, &corpus(&format!("{name}.odb")), root);
    }
    check_roundtrip("full.odb", &without(&corpus("full.odb"), MULTI), "/");
    for (name, root) in
        [("Types", "/Types"), ("Equipment", "/Equipment"), ("Logger", "/Logger"), ("full", "/")]
    {
        // How many programs watch a key is no property of a tree.
        let text = unwatched(&corpus(&format!("{name}.json")));
        check_roundtrip(name, &text, root);
        check_roundtrip(name, &corpus(&format!("{name}.xml")), root);
    }
}

/// What `odbedit` writes and cannot read back: an array of strings with a line end.
const MULTI: &[u8] = b"multiarr = STRING[2] :\n[40] multi\nline\n[40] b\n";

fn without(text: &[u8], part: &[u8]) -> Vec<u8> {
    let at = text.windows(part.len()).position(|window| window == part).unwrap();
    [&text[..at], &text[at + part.len()..]].concat()
}

/// Cuts `"notify_count" : 3, ` from a JSON dump.
fn unwatched(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = json;
    while let Some(at) = rest.windows(15).position(|window| window == b"\"notify_count\" ") {
        out.extend_from_slice(&rest[..at]);
        let end = rest[at..].windows(2).position(|window| window == b", ").unwrap();
        rest = &rest[at + end + 2..];
    }
    out.extend_from_slice(rest);
    out
}

#[test]
fn every_awkward_value_is_written_as_odbedit_does() {
    let mut tree = tree(&corpus("Types.xml"));
    let whole = tree.clone();
    assert!(matches!(
        Save::odb().write(&tree, "/Types"),
        Err(Error::Unwritable { path, .. }) if path == "/Types/str/multiarr"
    ));
    tree.delete("/Types/str/multiarr").unwrap();
    let mut wanted = corpus("Types.odb");
    for name in ["long600", "long1999", "long3000"] {
        // odbedit cuts these at 255 bytes; they are written whole.
        let at = wanted.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
        let cut = at + wanted[at..].iter().position(|&byte| byte == b'\n').unwrap();
        let text = tree.value(&format!("/Types/str/{name}")).unwrap();
        wanted.splice(cut..cut, text.bytes(0).unwrap()[255..].iter().copied());
    }
    let found = Save::odb().write(&tree, "/Types").unwrap();
    assert_same_text(&found, &without(&wanted, MULTI), "Types.odb");
    // ... and read back, it is the same, but for the empty directory that no .odb holds.
    tree.delete("/Types/emptydir").unwrap();
    assert_eq!(self::tree(&found).diff(&tree), []);
    assert!(!whole.same(&tree));
}

fn check_equal(left: &Tree, right: &Tree, but: &[&str], what: &str) {
    let differences = left.diff(right);
    let names: Vec<String> = differences.iter().map(|difference| difference.path.to_string()).collect();
    assert_eq!(names, but, "{what}: {differences:#?}");
}

#[test]
fn the_three_forms_hold_the_same() {
    for name in ["Equipment", "Logger"] {
        let [odb, xml, json] = ["odb", "xml", "json"].map(|kind| tree(&corpus(&format!("{name}.{kind}"))));
        check_equal(&odb, &xml, &[], name);
        let text = |tree: &Tree| Save::odb().write(tree, "/").unwrap();
        assert_same_text(&text(&json), &text(&xml), name);
    }
    let [odb, xml, json] = ["odb", "xml", "json"].map(|kind| tree(&corpus(&format!("Types.{kind}"))));
    // The .odb has these cut at 255 bytes.
    check_equal(
        &odb,
        &xml,
        &["/Types/str/long600", "/Types/str/long1999", "/Types/str/long3000"],
        ".odb, XML",
    );
    // XML has 7 and 16 digits, JSON 8 and 17, but no sign of zero.
    check_equal(&xml, &json, &["/Types/float", "/Types/small", "/Types/num/d", "/Types/num/f"], "XML, JSON");
}

#[test]
fn strings_are_kept_byte_for_byte() {
    for kind in ["xml", "json", "odb"] {
        let tree = tree(&corpus(&format!("Types.{kind}")));
        let check = |name: &str, wanted: &[u8]| {
            let value = tree.value(&format!("/Types/str/{name}")).unwrap();
            assert_eq!(value.bytes(0).unwrap().escape_ascii().to_string(), wanted.escape_ascii().to_string());
        };
        check("quotes", br#"say "hi" & <b>'x'</b> \ back"#);
        check("newline", b"line1\nline2\n\nline4 = x : y");
        check("tab", b"a\tb\r");
        check("latin1", b"\xfc\xb5");
        check("ctrl", b"\x01\x1f");
        check("leading space", b"  two leading");
        check("looks like", b"[32] x = INT : 5");
        check("multiarr", b"multi\nline");
        assert_eq!(tree.get::<i32>("/Types/key with = and spaces").unwrap(), 3);
        assert_eq!(tree.get::<String>("/Types/str/Event Data (x1).y").unwrap(), "punct");
        assert_eq!(tree.get::<i32>("/Types/link to elem").unwrap(), 16, "{kind}");
        assert_eq!(tree.get::<i32>("/Types/link to dir/after").unwrap(), 0, "{kind}");
    }
}

#[test]
fn json_keeps_modes_and_times() {
    let tree = tree(&corpus("Types.json"));
    let word = tree.find("/Types/word").unwrap().key;
    assert_eq!((word.mode(), word.last_written()), (Mode::READ, 1_795_225_750));
}

#[test]
fn the_dumps_in_run_files_are_read() {
    let mut trees = Vec::new();
    for run in ["run00008", "run00104", "run00105", "run00106"] {
        let Some(file) = large_corpus(&format!("mid/{run}.mid")) else { return };
        let size = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
        let bytes = &file[16..16 + size];
        let dump = Dump::parse(bytes).unwrap();
        assert_eq!(dump.remarks, [], "{run}");
        let tree = tree(bytes);
        assert!(tree.exists("/Equipment/Trigger/Common/Event ID"), "{run}");
        if run != "run00106" {
            // A JSON dump lacks the version and path that `absolute` would add.
            let save = Save { absolute: false, ..as_saved(dump.kind, bytes) };
            let text = save.write(&tree, "/").unwrap();
            assert_same_text(&text, bytes.strip_suffix(b"\0").unwrap(), run);
        }
        trees.push(tree);
    }
    // Written within minutes of each other by one program; clients and times differ.
    for (tree, run) in trees[2..].iter().zip(["XML", "JSON"]) {
        let common = |tree: &Tree| {
            let text = Save::odb().write(tree, "/Equipment/Trigger/Common").unwrap();
            String::from_utf8(text).unwrap()
        };
        assert_eq!(common(tree), common(&trees[1]), "{run}");
        assert_eq!(tree.get::<String>("/Experiment/Run Parameters/Comment").unwrap(), "dump test");
    }
}

fn check_error(bytes: &[u8], wanted: &str) {
    let found = Dump::parse(bytes).map(|_| ()).unwrap_err().to_string();
    assert_eq!(found, wanted, "{}", bytes.escape_ascii());
}

#[test]
fn a_broken_dump_says_where() {
    check_error(b"  what", "not an ODB dump: 'w' where '<', '{', '[' or ';' was expected (byte 2)");
    check_error(b"", "not an ODB dump: the end where '<', '{', '[' or ';' was expected (byte 0)");
    check_error(
        b"<odb>\n<dir name=\"a\">\n</odb>",
        "XML dump, line 3 (byte 21): '</dir>' expected, '</odb>' found",
    );
    check_error(b"<odb>\n<key na>", "XML dump, line 2 (byte 13): an attribute 'name=\"value\"' expected");
    check_error(b"<odb>\n<dir name=\"a", "XML dump, line 2 (byte 6): a tag that does not end");
    check_error(b"<html/>", "XML dump, line 1 (byte 0): element 'odb' expected, 'html' found");
    check_error(b"<odb>", "XML dump, line 1 (byte 5): cut short: '</odb>' expected, the end found");
    check_error(b"{\n\"a\" : }", "JSON dump, line 2 (byte 8): a value expected, '}' found");
    check_error(b"{\"a\" : \"x", "JSON dump, line 1 (byte 7): a string that does not end");
    check_error(b"{} x", "JSON dump, line 1 (byte 3): the end expected, 'x' found");
    check_error(
        b"[/a]\ns = STRING : [====#$@$#====]\ntext\n",
        ".odb dump, line 2 (byte 5): a string of several lines that does not end",
    );
}

#[test]
fn nesting_has_an_end() {
    let deep = "<dir name=\"d\">".repeat(100_000);
    assert!(Dump::parse(format!("<odb>{deep}").as_bytes()).is_err());
    assert!(Dump::parse(format!("<odb>{}", "<x>".repeat(100_000)).as_bytes()).is_err());
    assert!(Dump::parse("{\"a\":".repeat(100_000).as_bytes()).is_err());
    assert!(Dump::parse(format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes()).is_err());
    assert!(Dump::parse(format!("[{}]\nx = INT : 1\n", "/d".repeat(1000)).as_bytes()).is_err());
    let at_limit = "/d".repeat(MAX_DEPTH);
    let text = format!("[{at_limit}]\nx = INT : 1\n");
    let loaded = Tree::new().load(&Dump::parse(text.as_bytes()).unwrap(), &Load::default());
    assert!(matches!(loaded.failed[..], [(_, Error::Depth { .. })]));
}

#[test]
fn a_claimed_length_allocates_nothing() {
    let check = |text: &str, wanted: usize| {
        let dump = Dump::parse(text.as_bytes()).unwrap();
        let tree = dump.tree();
        assert_eq!(tree.value("/x").map_or(0, |value| value.len()), wanted, "{text}");
    };
    check("[/]\nx = INT[4000000000] :\n[0] 5\n", 1);
    check("[/]\nx = INT[4000000000] :\n[3999999999] 5\n", 0);
    check("[/]\nx = STRING[4000000000] :\n[4000000000] a\n", 1);
    check("[/]\nx = STRING : [18446744073709551615] a\n", 1);
    check(
        "<odb><keyarray name=\"x\" type=\"INT\" num_values=\"4000000000\"><value index=\"0\">5</value></keyarray></odb>",
        1,
    );
    check("{\"x/key\" : {\"type\":7,\"num_values\":4000000000,\"item_size\":4000000000}, \"x\" : [1,2]}", 2);
}

#[test]
fn an_array_may_end_early() {
    let mut tree = Tree::new();
    tree.create("/P/Pedestal", vec![1, 2, 3, 4]).unwrap();
    let mut check = |text: &str, wanted: &[i32]| {
        let dump = Dump::parse(format!("[/P]\n{text}").as_bytes()).unwrap();
        assert_eq!(tree.load(&dump, &Load::default()).failed, []);
        assert_eq!(tree.get::<Vec<i32>>("/P/Pedestal").unwrap(), wanted, "{text}");
    };
    check("Pedestal = INT[4] :\n[2] 30\n\n", &[1, 2, 30, 4]);
    check("Pedestal = INT[4] :\n[0] 10\nOther = INT : 7\n", &[10, 2, 30, 4]);
    check("Pedestal = INT[4] :\n[1] 20\n[/Q]\nx = INT : 7\n", &[10, 20, 30, 4]);
    check("Pedestal = INT[2] :\n[0] 5\n[1] 6\n", &[5, 6]);
    assert_eq!(tree.get::<i32>("/P/Other").unwrap(), 7);
    assert_eq!(tree.get::<i32>("/Q/x").unwrap(), 7);
}

#[test]
fn lines_may_end_as_on_windows() {
    let tree = tree(b"[/A]\r\ns = STRING : [32] text\r\nx = INT : 5\r\n");
    assert_eq!(tree.get::<String>("/A/s").unwrap(), "text");
    assert_eq!(tree.get::<i32>("/A/x").unwrap(), 5);
}

#[test]
fn what_is_passed_over_is_noted() {
    let dump = Dump::parse(b"; comment\n[/A]\nno sense\nx = NOTYPE : 5\n").unwrap();
    let places: Vec<(usize, usize)> =
        dump.remarks.iter().map(|remark| (remark.line, remark.offset)).collect();
    assert_eq!(places, [(3, 15), (4, 24)]);
    assert!(dump.entries.is_empty());
}

#[test]
fn json_without_types_is_read_by_its_values() {
    let tree = tree(br#"{"a/last_written" : 5, "a" : 1, "b" : 1.5, "c" : [true, false], "d" : "\u00e9\ud83d\ude00", "e" : {"f" : 5000000000}}"#);
    assert_eq!(tree.value("/a").unwrap(), Value::Int(vec![1]));
    assert_eq!(tree.value("/b").unwrap(), Value::Double(vec![1.5]));
    assert_eq!(tree.get::<Vec<bool>>("/c").unwrap(), [true, false]);
    assert_eq!(tree.get::<String>("/d").unwrap(), "é😀");
    assert_eq!(tree.value("/e/f").unwrap(), Value::Int64(vec![5_000_000_000]));
}

#[test]
fn what_odb_text_cannot_hold_points_to_json() {
    let check = |name: &str, value: Value| {
        let mut tree = Tree::new();
        tree.create_directory("/A").unwrap();
        tree.create(&format!("/A/{name}"), value).unwrap();
        let error = Save::odb().write(&tree, "/").unwrap_err().to_string();
        assert!(error.ends_with("; save as .json"), "{error}");
        let json = Save::json().write(&tree, "/").unwrap();
        assert!(self::tree(&json).same(&tree), "{}", String::from_utf8_lossy(&json));
    };
    check("s", Value::from(vec!["a\nb".to_owned(), "c".to_owned()]));
    check("s", Value::from("x\n====#$@$#====\ny"));
    check("c", Value::Char(vec![b'\n']));
    check("b", Value::Bitfield(vec![5]));
    check("[name", Value::from(1));
    check("; name", Value::from(1));
    check("x = INT : 5", Value::from(1));
    check(" blank", Value::from(1));
}

#[test]
fn what_no_text_of_its_kind_can_hold_is_an_error() {
    let check = |save: &Save, value: Value, wanted: &str| {
        let mut tree = Tree::new();
        tree.create("/k", value).unwrap();
        assert_eq!(save.write(&tree, "/").unwrap_err().to_string(), wanted);
        let json = Save::json().write(&tree, "/").unwrap();
        assert!(self::tree(&json).same(&tree));
    };
    let nul = || Value::string(b"a\0b".to_vec());
    check(&Save::xml(), nul(), "/k cannot be saved as XML: a string holds a NUL; save as .json");
    check(&Save::odb(), nul(), "/k cannot be saved as .odb: a string holds a NUL; save as .json");
    check(
        &Save::xml(),
        Value::Bitfield(vec![0, 5]),
        "/k cannot be saved as XML: bitfields have no text; save as .json",
    );
    check(
        &Save::odb(),
        Value::Link(b"/a\nb".to_vec()),
        "/k cannot be saved as .odb: the target of a link holds a line end; save as .json",
    );
}

#[test]
fn numbers_have_the_digits_they_need() {
    let check = |value: Value, odb: &str, json: &str| {
        let mut tree = Tree::new();
        tree.create("/x", value).unwrap();
        let text = |save: Save| String::from_utf8(save.write(&tree, "/").unwrap()).unwrap();
        let tail =
            |text: &str| text.trim_end().lines().find_map(|line| Some(line.split_once("x = ")?.1.to_owned()));
        assert_eq!(tail(&text(Save::odb())).unwrap(), odb);
        assert!(text(Save::json()).contains(&format!("\"x\" : {json}\n")), "{}", text(Save::json()));
    };
    // As odbedit where 7 and 16 digits, of JSON 8 and 17, are enough.
    check(Value::Float(vec![0.1]), "FLOAT : 0.1", "1.0000000e-01");
    check(Value::Double(vec![0.1]), "DOUBLE : 0.1", "1.0000000000000001e-01");
    check(Value::Float(vec![std::f32::consts::PI]), "FLOAT : 3.1415927", "3.1415927e+00");
    check(Value::Float(vec![16_777_216.0]), "FLOAT : 16777216", "16777216");
    // This one needs nine.
    check(Value::Float(vec![1007.89954]), "FLOAT : 1007.89954", "1.00789954e+03");
    check(Value::Double(vec![0.1 + 0.2]), "DOUBLE : 0.30000000000000004", "3.0000000000000004e-01");
    check(Value::Double(vec![-0.0]), "DOUBLE : -0", "-0.0000000000000000e+00");
}

fn check_remarks(text: &str, wanted: &[&str]) {
    let dump = Dump::parse(text.as_bytes()).unwrap();
    let remarks: Vec<String> = dump.remarks.iter().map(ToString::to_string).collect();
    assert_eq!(remarks, wanted, "{text}");
    let names: Vec<&str> = dump.entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["x", "y"], "{text}");
}

/// Banks can have these types, keys cannot; programs that write such keys exist all the same.
#[test]
fn a_key_whose_type_has_no_values_costs_itself_only() {
    check_remarks(
        "[/]\nx = INT : 1\na = ARRAY : 5\ns = STRUCT[2] :\n[0] 1\nn = NONE : 1\ny = INT : 1\n",
        &[
            "line 3 (byte 16): key 'a': type ARRAY has no value in text",
            "line 4 (byte 30): key 's': type STRUCT has no value in text",
            "line 5 (byte 46): an element without an array",
            "line 6 (byte 52): key 'n' of unknown type 'NONE'",
        ],
    );
    check_remarks(
        "<odb><key name=\"x\" type=\"INT\">1</key>\n<key name=\"a\" type=\"ARRAY\">5</key>\n\
         <keyarray name=\"s\" type=\"STRUCT\" num_values=\"1\"><value index=\"0\">1</value></keyarray>\n\
         <key name=\"n\" type=\"NONE\">1</key>\n<key name=\"y\" type=\"INT\">1</key></odb>",
        &[
            "line 2 (byte 38): key 'a': type ARRAY has no value in text",
            "line 3 (byte 73): key 's': type STRUCT has no value in text",
            "line 4 (byte 159): key 'n' of unknown type 'NONE'",
        ],
    );
    check_remarks(
        "{\"x\":1,\n\"a/key\":{\"type\":13},\"a\":5,\n\"s/key\":{\"type\":14},\"s\":[1,2],\n\"n\":null,\"y\":1}",
        &[
            "line 2 (byte 28): key 'a': type ARRAY has no value in text",
            "line 3 (byte 55): key 's': type STRUCT has no value in text",
            "line 4 (byte 66): key 'n' has no value",
        ],
    );
}

#[test]
fn a_name_that_none_can_be_costs_its_key_only() {
    check_remarks(
        "[/]\nx = INT : 1\n.. = INT : 5\n[/a\tb]\nz = INT : 1\n[/c\nz = INT : 1\n[/]\ny = INT : 1\n",
        &[
            "line 3 (byte 16): '..' cannot be the name of a key: it means a directory itself, or the one above",
            "line 4 (byte 29): 'a\\tb' cannot be the name of a key: it holds a control character: \
             the keys of this section are passed over",
            "line 6 (byte 48): a section title without ']': its keys are passed over",
        ],
    );
    check_remarks(
        "<odb><key name=\"x\" type=\"INT\">1</key><dir name=\"a/b\"><key name=\"z\" type=\"INT\">1</key></dir>\
         <key type=\"INT\">1</key><key name=\"y\" type=\"INT\">1</key></odb>",
        &[
            "line 1 (byte 37): 'a/b' cannot be the name of a key: a slash separates directories",
            "line 1 (byte 91): element 'key' without a name",
        ],
    );
    check_remarks(
        "{\"x\":1,\"\":{\"z\":1},\"y\":1}",
        &["line 1 (byte 7): '' cannot be the name of a key: it is empty"],
    );
}

#[test]
fn text_behind_the_end_is_noted() {
    let text = "[/]\nx = INT : 1\ny = INT : 1\n\0\0[/z]\n";
    check_remarks(text, &["line 4 (byte 28): a NUL ends the dump, but 5 bytes of text follow"]);
    check_remarks("[/]\nx = INT : 1\ny = INT : 1\n\0\0", &[]);
}
