//! A small dump of each form with every type in it, cut at every byte and with every byte changed:
//! never a panic, never more memory than the text warrants, and every key before the damage is read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unsafe_code, reason = "only a global allocator can count allocations, and its trait is unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use pactolus_odb::dump::{Entry, Item, Kind, Limits};
use pactolus_odb::{Dump, Error, Tree, Value};

/// The system's allocator, counting for each thread.
struct Counting;

thread_local! {
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn took(bytes: usize) {
    let now = IN_USE.get().wrapping_add(bytes);
    IN_USE.set(now);
    PEAK.set(PEAK.get().max(now));
}

fn gave(bytes: usize) {
    // A thread may give back what another took.
    IN_USE.set(IN_USE.get().saturating_sub(bytes));
}

// SAFETY: every call goes to the system's allocator with the arguments as they came; counting
// touches cells without a destructor only and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        gave(layout.size());
        // SAFETY: `place` came from the system's allocator with this layout.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most bytes in use at a time while `run` ran, beyond those before it.
fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = IN_USE.get();
    PEAK.set(before);
    let result = run();
    (result, PEAK.get() - before)
}

/// A dump in pieces: what a key is, and the text up to where that is certain.
struct Pieces {
    kind: Kind,
    pieces: Vec<(Option<(&'static str, Item)>, String)>,
}

impl Pieces {
    fn text(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(_, text)| text.bytes()).collect()
    }

    /// The keys whose text ends at this byte or before it: the model of what must be read.
    fn certain(&self, damage: usize) -> Vec<&(&'static str, Item)> {
        let mut end = 0;
        let ended = self.pieces.iter().take_while(|(_, text)| {
            end += text.len();
            end <= damage
        });
        ended.filter_map(|(key, _)| key.as_ref()).collect()
    }
}

fn values() -> Vec<(&'static str, Value)> {
    let strings = |texts: &[&str], size| {
        let values = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        Value::String(pactolus_odb::Strings { size, values })
    };
    vec![
        ("byte", Value::Byte(vec![255])),
        ("sb", Value::Sbyte(vec![-5, 7])),
        ("ch", Value::Char(vec![b'A'])),
        ("word", Value::Word(vec![65535, 1])),
        ("short", Value::Short(vec![-3])),
        ("dword", Value::Dword(vec![4_000_000_000])),
        ("int", Value::Int(vec![1, -2, 3])),
        ("flag", Value::Bool(vec![true, false])),
        ("float", Value::Float(vec![2.5, f32::INFINITY])),
        ("double", Value::Double(vec![1e22])),
        ("text", strings(&["some <text> & \"more\""], 32)),
        ("words", strings(&["first", "", "a \\ b"], 40)),
        ("link", Value::Link(b"/top/int".to_vec())),
        ("i64", Value::Int64(vec![-5_000_000_000])),
        ("u64", Value::Uint64(vec![5_000_000_000])),
    ]
}

/// The text of one key, cut out of a save with only that key in it.
fn written(save: &pactolus_odb::Save, name: &str, value: &Value) -> String {
    let mut tree = Tree::new();
    tree.create(&format!("/{name}"), value.clone()).unwrap();
    String::from_utf8(save.write(&tree, "/").unwrap()).unwrap()
}

fn odb() -> Pieces {
    let mut pieces = vec![(None, "; comment\n[/top]\n".to_owned())];
    for (name, value) in values() {
        let text = written(&pactolus_odb::Save::odb(), name, &value);
        let text = text.strip_prefix("[/]\n").unwrap().strip_suffix('\n').unwrap().to_owned();
        pieces.push((Some((name, Item::Value(value))), text));
        if name == "double" {
            pieces.push((None, "\n[/top/below]\n".to_owned()));
        }
    }
    let lines = Value::from("one\n\ntwo = x : y");
    let mut strings = lines.clone();
    if let Value::String(strings) = &mut strings {
        strings.size = strings.values[0].len() + 1;
    }
    let text = written(&pactolus_odb::Save::odb(), "lines", &lines);
    pieces.push((Some(("lines", Item::Value(strings))), text.strip_prefix("[/]\n").unwrap().to_owned()));
    Pieces { kind: Kind::Odb, pieces }
}

fn xml() -> Pieces {
    let mut pieces = vec![
        (None, "<?xml version=\"1.0\"?>\n<!-- made -->\n<odb root=\"/\">\n".to_owned()),
        (Some(("top", Item::Directory)), "<dir name=\"top\">".to_owned()),
    ];
    for (name, value) in values() {
        let text = written(&pactolus_odb::Save::xml(), name, &value);
        let text = text.split_once("odb.xsd\">\n").unwrap().1.strip_suffix("</odb>\n").unwrap().to_owned();
        // The line end behind the tag is not part of it.
        pieces.push((Some((name, Item::Value(value))), text.trim_end().to_owned()));
        pieces.push((None, "\n".to_owned()));
        if name == "double" {
            pieces.push((Some(("below", Item::Directory)), "<dir name=\"below\">".to_owned()));
        }
    }
    pieces.push((None, "</dir></dir>\n</odb>\n".to_owned()));
    Pieces { kind: Kind::Xml, pieces }
}

fn json() -> Pieces {
    let mut pieces = vec![
        (None, "{\n\"/MIDAS version\" : \"2.1\", \"/ODB path\" : \"/\",\n".to_owned()),
        (Some(("top", Item::Directory)), "\"top\" : {\n".to_owned()),
    ];
    for (name, value) in values() {
        let text = written(&pactolus_odb::Save::json(), name, &value);
        let text =
            text.split_once("\"/ODB path\" : \"/\",\n").unwrap().1.strip_suffix("\n}\n").unwrap().to_owned();
        // The comma shows that the value is whole.
        pieces.push((Some((name, Item::Value(value))), format!("{text},")));
        if name == "double" {
            pieces.push((Some(("below", Item::Directory)), "\"below\" : {\n".to_owned()));
        }
    }
    pieces.push((Some(("last", Item::Value(Value::Int(vec![1])))), "\n\"last\" : 1 }".to_owned()));
    pieces.push((None, "}\n}\n".to_owned()));
    Pieces { kind: Kind::Json, pieces }
}

fn same(entry: &Entry, (name, item): &(&str, Item)) -> bool {
    let equal = match (&entry.item, item) {
        (Item::Value(a), Item::Value(b)) => a.same(b),
        (a, b) => a == b,
    };
    entry.name == *name && equal
}

/// Reads a damaged text: what stood before the damage is there, and memory is bounded.
fn check(pieces: &Pieces, bytes: &[u8], damage: usize, what: &str) {
    let ((dump, error), memory) = peak(|| Dump::read(pieces.kind, bytes, &Limits::default()));
    let wanted = pieces.certain(damage);
    let shown = || bytes.escape_ascii().to_string();
    assert!(
        dump.entries.len() >= wanted.len(),
        "{what}: {} of {}\n{}",
        dump.entries.len(),
        wanted.len(),
        shown()
    );
    for (entry, wanted) in dump.entries.iter().zip(&wanted) {
        assert!(same(entry, wanted), "{what}: {entry:?}, {wanted:?}\n{}", shown());
    }
    if let Some(error) = error {
        let Error::Syntax { offset, line, .. } = error else { panic!("{what}: {error}") };
        assert!(offset <= bytes.len() && line >= 1, "{what}");
    }
    // JSON costs the most: a node for each digit of an array.
    assert!(memory < 20_000 + 100 * bytes.len(), "{what}: {memory} bytes for {}", bytes.len());
    let (tree, memory) = peak(|| dump.tree());
    assert!(memory < 100_000 + 100 * bytes.len(), "{what}: {memory} bytes for a tree");
    drop(tree);
}

fn check_all(pieces: &Pieces) {
    let whole = pieces.text();
    let (dump, error) = Dump::read(pieces.kind, &whole, &Limits::default());
    assert_eq!((error, dump.remarks), (None, Vec::new()));
    let wanted = pieces.certain(whole.len());
    assert_eq!(dump.entries.len(), wanted.len());
    check(pieces, &whole, whole.len(), "whole");
    for end in 0..whole.len() {
        check(pieces, &whole[..end], end, &format!("{} cut at {end}", pieces.kind));
    }
    let mut changed = whole.clone();
    for at in 0..whole.len() {
        // Another letter or digit; a byte of no ASCII text; the end of all text.
        for value in [whole[at] ^ 1, whole[at] ^ 0x9c, 0] {
            changed[at] = value;
            check(pieces, &changed, at, &format!("{} with {value:#x} at {at}", pieces.kind));
        }
        changed[at] = whole[at];
    }
}

#[test]
fn a_damaged_odb_text_keeps_what_came_before() {
    check_all(&odb());
}

#[test]
fn a_damaged_xml_text_keeps_what_came_before() {
    check_all(&xml());
}

#[test]
fn a_damaged_json_text_keeps_what_came_before() {
    check_all(&json());
}

/// Reads text that claims or nests more than it has: the damage, if it is more than a remark.
fn check_hostile(text: &str, limits: &Limits, wanted: &str) {
    let kind = Kind::detect(text.as_bytes()).unwrap();
    let ((dump, error), memory) = peak(|| Dump::read(kind, text.as_bytes(), limits));
    let shown: String = text.chars().take(60).collect();
    assert!(memory < 20_000 + 100 * text.len().min(limits.memory), "{shown}: {memory}");
    let error = error.map(|error| error.to_string());
    let remark = dump.remarks.first().map(ToString::to_string);
    assert_eq!(error.or(remark).unwrap_or_default(), wanted, "{shown}");
    let (_, memory) = peak(|| dump.tree());
    assert!(memory < 50_000 + 100 * text.len().min(limits.memory), "{shown}: {memory} for the tree");
}

#[test]
fn claims_cost_nothing() {
    let check = |text: &str, wanted: &str| check_hostile(text, &Limits::default(), wanted);
    check("[/]\nx = INT[2000000000] :\n[0] 5\n", "line 4 (byte 32): an array of 2000000000 ends after 1");
    check("[/]\nx = INT[2] :\n[99999999] 5\n[1] 6\n", "");
    check(
        "[/]\nx = STRING[2000000000] :\n[2000000000] a\n",
        "line 4 (byte 44): an array of 2000000000 ends after 1",
    );
    check("[/]\nx = STRING : [2000000000] a\n", "");
    check(
        "[/]\nx = INT[99999999999999999999999] :\n",
        "line 2 (byte 4): neither a section nor 'name = TYPE : value'",
    );
    check(
        "<odb><keyarray name=\"x\" type=\"INT\" num_values=\"1e9\"><value index=\"99999999\">5</value></keyarray></odb>",
        "",
    );
    check(
        "<odb><keyarray name=\"x\" type=\"INT\" num_values=\"1000000000\"></keyarray></odb>",
        "line 1 (byte 59): an array of 1000000000 ends after 0",
    );
    check(
        "{\"x/key\" : {\"type\" : 12, \"num_values\" : 1e9, \"item_size\" : 4000000000}, \"x\" : \"a\"}",
        "",
    );
}

#[test]
fn nesting_has_an_end() {
    let check = |text: &str, wanted: &str| check_hostile(text, &Limits::default(), wanted);
    check(
        &format!("<odb>{}", "<dir name=\"d\">".repeat(100_000)),
        "XML dump, line 1 (byte 901): at most 64 levels of directories expected, more found",
    );
    check(
        &format!("<odb>{}", "<x>".repeat(100_000)),
        "XML dump, line 1 (byte 206): at most 68 elements within each other expected, more found",
    );
    check(
        &"{\"a\":".repeat(100_000),
        "JSON dump, line 1 (byte 321): at most 64 levels of directories expected, more found",
    );
    check(
        &format!("{{\"a\":{}", "[".repeat(100_000)),
        "JSON dump, line 1 (byte 73): at most 68 values within each other expected, more found",
    );
    let wanted =
        format!(".odb dump, line 1 (byte 0): /{}: more than 64 levels of directories", ["d"; 64].join("/"));
    check(&format!("[{}]\nx = INT : 1\n", "/d".repeat(100_000)), &wanted);
}

#[test]
fn each_limit_holds_in_each_form() {
    let forms = |odb: &str, xml: &str, json: &str, limits: Limits, wanted: [&str; 3]| {
        for (text, wanted) in [odb, xml, json].iter().zip(wanted) {
            check_hostile(text, &limits, wanted);
        }
    };
    let usual = Limits::default();
    forms(
        "[/a/b]\nx = INT : 1\n[/a/b/c]\n",
        "<odb><dir name=\"a\"><dir name=\"b\"><dir name=\"c\">",
        "{\"a\":{\"b\":{\"c\":{}}}}",
        Limits { depth: 2, ..usual },
        [
            ".odb dump, line 3 (byte 19): at most 2 levels of directories expected, more found",
            "XML dump, line 1 (byte 33): at most 2 levels of directories expected, more found",
            "JSON dump, line 1 (byte 11): at most 2 levels of directories expected, more found",
        ],
    );
    forms(
        "[/]\nx = INT : 1\ny = INT : 1\n",
        "<odb><key name=\"x\" type=\"INT\">1</key><key name=\"y\" type=\"INT\">1</key></odb>",
        "{\"x\":1,\"y\":1}",
        Limits { keys: 1, ..usual },
        [
            ".odb dump, line 3 (byte 16): at most 1 keys expected, more found",
            "XML dump, line 1 (byte 37): at most 1 keys expected, more found",
            "JSON dump, line 1 (byte 7): at most 1 keys expected, more found",
        ],
    );
    forms(
        "[/]\nx = INT[3] :\n[0] 1\n[1] 1\n[2] 1\n",
        "<odb><keyarray name=\"x\" type=\"INT\"><value>1</value><value>2</value><value>3</value></keyarray></odb>",
        "{\"x\":[1,2,3]}",
        Limits { elements: 2, ..usual },
        [
            ".odb dump, line 5 (byte 29): at most 2 elements of a key expected, more found",
            "XML dump, line 1 (byte 75): at most 2 elements of a key expected, more found",
            "JSON dump, line 1 (byte 5): at most 2 elements of a key expected, more found",
        ],
    );
    forms(
        "[/]\nx = STRING : [32] abcdef\n",
        "<odb><key name=\"x\" type=\"STRING\">abcdef</key></odb>",
        "{\"x\":\"abcdef\"}",
        Limits { string: 5, ..usual },
        [
            ".odb dump, line 2 (byte 4): at most 5 bytes of a string expected, more found",
            "XML dump, line 1 (byte 33): at most 5 bytes of a string expected, more found",
            "JSON dump, line 1 (byte 5): at most 5 bytes of a string expected, more found",
        ],
    );
    let numbers = |open: &str, each: &str, close: &str| format!("{open}{}{close}", each.repeat(100_000));
    forms(
        &numbers("[/]\nx = INT[100000] :\n", "1\n", ""),
        &numbers("<odb><keyarray name=\"x\" type=\"INT\">", "<value>1</value>", "</keyarray></odb>"),
        &numbers("{\"x\":[", "1,", "1]}"),
        Limits { memory: 100_000, ..usual },
        [
            ".odb dump, line 4169 (byte 8354): at most 100000 bytes of memory expected, more needed",
            "XML dump, line 1 (byte 61579): at most 100000 bytes of memory expected, more needed",
            "JSON dump, line 1 (byte 5): at most 100000 bytes of memory expected, more needed",
        ],
    );
}

/// Names of directories stand once in the text, but in every path.
#[test]
fn long_paths_of_many_keys_are_counted() {
    let title = format!("/{}", "d".repeat(250)).repeat(60);
    let keys: String = (0..20_000).map(|i| format!("{i} = INT : 1\n")).collect();
    let text = format!("[{title}]\n{keys}");
    let limits = Limits { memory: 1 << 20, ..Limits::default() };
    let (dump, error) = Dump::read(Kind::Odb, text.as_bytes(), &limits);
    assert!(error.unwrap().to_string().ends_with("at most 1048576 bytes of memory expected, more needed"));
    assert!((20..100).contains(&dump.entries.len()), "{}", dump.entries.len());
}
