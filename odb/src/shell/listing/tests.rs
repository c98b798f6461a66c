#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::super::{Capture, Shell};
use super::*;
use crate::Odb;

/// The answer of the shell to a line, and what `odbedit` answered to it.
fn both(line: &str, name: &str) -> (Vec<u8>, Vec<u8>) {
    let read = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/odb").join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    // 35 seconds after most of Types was written, 0 after the rest: when the listings were made.
    let saved = vec![("Types.json".to_owned(), read("Types.json"))];
    let mut capture = Capture { now: 1_795_225_785, saved, ..Capture::default() };
    let mut shell = Shell::new(Odb::local());
    shell.run("load -x Types.json", &mut capture).unwrap();
    // JSON as odbedit writes it has lost the sign of this zero.
    let mut tree = shell.odb().snapshot().unwrap();
    tree.set_now(capture.now);
    tree.set("/Types/num/d[2]", -0.0).unwrap();
    Shell::new(Odb::from(tree)).run(line, &mut capture).unwrap();
    (capture.out, read(name))
}

fn assert_same(found: &[u8], wanted: &[u8]) {
    let lines = |text: &[u8]| -> Vec<String> {
        text.split(|&byte| byte == b'\n').map(|line| line.escape_ascii().to_string()).collect()
    };
    for (found, wanted) in lines(found).iter().zip(&lines(wanted)) {
        assert_eq!(found, wanted);
    }
    assert_eq!(found.len(), wanted.len());
}

/// Equal but for one thing, in which `odbedit` is faulty: it cuts text at 255 bytes.
#[test]
fn a_listing_is_odbedits_column_for_column() {
    let (mut found, wanted) = both("ls -lr /Types", "Types_ls.txt");
    for name in ["long600", "long1999", "long3000"] {
        let at = found.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
        let end = at + found[at..].iter().position(|&byte| byte == b'\n').unwrap();
        let start = at + found[at..end].iter().rposition(|&byte| byte == b' ').unwrap() + 1;
        assert_eq!(format!("long{}", end - start), name);
        found.drain(start + 255..end);
    }
    assert_same(&found, &wanted);
}

#[test]
fn what_does_not_fit_has_a_line_of_its_own() {
    let mut tree = Tree::new();
    let long = "a name that is longer than its column";
    tree.create(&format!("/d/{long}"), 5).unwrap();
    tree.create("/d/bits", Value::Bitfield(vec![1])).unwrap();
    tree.create("/d/\u{e9}t\u{e9}", 1u16).unwrap();
    tree.create("/d/many", Value::Byte(vec![0; 100_000])).unwrap();
    tree.create("/d/none", Value::Int(Vec::new())).unwrap();
    let mut listing = Listing::new(&tree, 0, Look::Long, None, &|_, text| text.to_vec());
    let found = tree.find("/d").unwrap();
    for key in found.key.directory().unwrap().iter() {
        listing.key(0, key, &found.path.child(key.name()).unwrap());
    }
    let text = String::from_utf8(listing.finish()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('[')).skip(2).collect();
    assert_eq!(
        lines,
        [
            "a name that is longer than its column",
            "                                INT     1     4     0s   0   RWD  5",
            "bits                            BITFIELD 1    1     0s   0   RWD  ",
            "\u{e9}t\u{e9}                             WORD    1     2     0s   0   RWD  1",
            "many                            BYTE    100000 1    0s   0   RWD  ",
            "none                            INT     0     4     0s   0   RWD  ",
        ]
    );
}

#[test]
fn a_colour_has_no_width() {
    let mut tree = Tree::new();
    tree.create("/d/x", 5).unwrap();
    tree.create_link("/link", "/d/x").unwrap();
    let paint = |what, text: &[u8]| [b"<", format!("{what:?} ").as_bytes(), text, b">"].concat();
    let mut listing = Listing::new(&tree, 0, Look::Long, None, &paint);
    listing.branch(0, tree.root(), &Path::ROOT);
    assert_eq!(
        String::from_utf8(listing.finish()).unwrap().lines().skip(2).collect::<Vec<_>>(),
        [
            "<Directory root>                            DIR",
            "    <Directory d>                           DIR",
            "        x                       INT     1     4     0s   0   RWD  5",
            "    <Link link> -> /d/x                INT     1     4     0s   0   RWD  5",
        ]
    );
}

#[test]
fn ages_have_four_characters() {
    for (seconds, wanted) in [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3599, "60m"),
        (3600, "1h"),
        (86_399, "24h"),
        (86_400, "1d"),
        (8_553_599, "99d"),
        (8_553_600, ">99d"),
    ] {
        assert_eq!(age(seconds), wanted);
    }
}
