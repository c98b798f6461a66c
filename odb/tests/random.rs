//! Random trees, written and read in every form, and random damage.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use pactolus_odb::dump::{Kind, Limits};
use pactolus_odb::{Dump, Error, Load, Mode, Save, Strings, Tree, Value};
use proptest::prelude::*;

/// A key of a random tree.
#[derive(Clone, Debug)]
enum Node {
    Directory(Vec<(String, Node)>),
    Value(Value, u16, u32),
}

/// Bytes of strings: text of all kinds, and what the forms have a meaning for.
fn string() -> impl Strategy<Value = Vec<u8>> {
    let special = [
        "\n",
        "\r",
        "\r\n",
        " ",
        "[",
        "]",
        "[3] ",
        "[32] x = INT : 5",
        "====#$@$#====",
        "[====#$@$#====]",
        ";",
        "<",
        "&amp;",
        "]]>",
        "<key name=\"x\" type=\"INT\">1</key>",
        "\"",
        "\\",
        "\\u0041",
        "é",
        "\u{fffd}",
        "\u{1}",
        "\t",
        "\u{7f}",
    ];
    let piece = prop_oneof![
        prop::sample::select(special.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(0x20u8..0x7f, 0..8),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop_oneof![
        8 => prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat()),
        1 => prop::collection::vec(0x20u8..0x7f, 250..3000),
    ]
}

fn array<T: Strategy>(element: T) -> impl Strategy<Value = Vec<T::Value>> {
    prop::collection::vec(element, 1..6)
}

fn value() -> impl Strategy<Value = Value> {
    let strings = (prop::collection::vec(string(), 1..4), 0usize..300).prop_map(|(values, size)| {
        // A string has at least its own room.
        let size = values.iter().map(|text| text.len() + 1).max().unwrap_or(0).max(size);
        Value::String(Strings { size, values })
    });
    prop_oneof![
        1 => array(any::<u8>()).prop_map(Value::Byte),
        1 => array(any::<i8>()).prop_map(Value::Sbyte),
        1 => array(any::<u8>()).prop_map(Value::Char),
        1 => array(any::<u16>()).prop_map(Value::Word),
        1 => array(any::<i16>()).prop_map(Value::Short),
        1 => array(any::<u32>()).prop_map(Value::Dword),
        1 => array(any::<i32>()).prop_map(Value::Int),
        1 => array(any::<bool>()).prop_map(Value::Bool),
        // Of all bits; but one NaN is as good as another.
        1 => array(any::<u32>()).prop_map(|a| {
            Value::Float(
                a.into_iter().map(f32::from_bits).map(|x| if x.is_nan() { f32::NAN } else { x }).collect(),
            )
        }),
        1 => array(any::<u64>()).prop_map(|a| {
            Value::Double(
                a.into_iter().map(f64::from_bits).map(|x| if x.is_nan() { f64::NAN } else { x }).collect(),
            )
        }),
        1 => array(-1e9f32..1e9).prop_map(Value::Float),
        1 => array(prop_oneof![Just(0u8), any::<u8>()]).prop_map(Value::Bitfield),
        1 => array(any::<i64>()).prop_map(Value::Int64),
        1 => array(any::<u64>()).prop_map(Value::Uint64),
        1 => string().prop_map(Value::Link),
        1 => Just(Value::Int(Vec::new())),
        1 => Just(Value::String(Strings { size: 32, values: Vec::new() })),
        3 => strings,
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z][a-zA-Z0-9 ]{0,10}[a-z]",
        1 => "[ -.0-~é\u{f7b5}]{1,20}",
        1 => prop::sample::select(vec!["40", "a = b", "x = INT : 5", "[x", "; c", "Rate [Hz]", "odd[3]", "a\"<&>'\\"])
            .prop_map(str::to_owned),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let leaf =
        (value(), 0u16..16, any::<u32>()).prop_map(|(value, mode, time)| Node::Value(value, mode, time));
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop::collection::vec((name(), inner), 0..8).prop_map(Node::Directory)
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    prop::collection::vec((name(), node()), 0..10).prop_map(|keys| {
        let mut dump = Dump::parse(b"{}").unwrap();
        add(&mut dump, &std::sync::Arc::default(), keys);
        dump.tree()
    })
}

/// Through entries, since names are to be taken as they are; of two equal names the first counts.
fn add(dump: &mut Dump, directory: &std::sync::Arc<pactolus_odb::Path>, keys: Vec<(String, Node)>) {
    use pactolus_odb::dump::{Entry, Item};
    let mut names = Vec::new();
    for (name, node) in keys {
        let Ok(below) = directory.child(&name) else { continue };
        if names.contains(&name.to_ascii_lowercase()) {
            continue;
        }
        names.push(name.to_ascii_lowercase());
        let (item, mode, time, keys) = match node {
            Node::Directory(keys) => (Item::Directory, None, None, keys),
            Node::Value(value, mode, time) => (Item::Value(value), Some(Mode(mode)), Some(time), Vec::new()),
        };
        let directory = std::sync::Arc::clone(directory);
        dump.entries.push(Entry { directory, absolute: false, name, item, mode, last_written: time });
        add(dump, &std::sync::Arc::new(below), keys);
    }
}

/// The tree as a form holds it; see `Save` for what it leaves out.
fn held(tree: &Tree, kind: Kind) -> Tree {
    let mut dump = Dump::parse(b"{}").unwrap();
    let plain = |key: &pactolus_odb::Key| kind != Kind::Json || key.directory().is_some();
    copy(tree.root(), &std::sync::Arc::default(), kind, &plain, &mut dump);
    dump.tree()
}

fn copy(
    key: &pactolus_odb::Key,
    path: &std::sync::Arc<pactolus_odb::Path>,
    kind: Kind,
    plain: &dyn Fn(&pactolus_odb::Key) -> bool,
    dump: &mut Dump,
) {
    use pactolus_odb::dump::{Entry, Item};
    for key in key.directory().unwrap().iter() {
        let item = match key.value() {
            None => Item::Directory,
            Some(Value::String(strings)) if kind == Kind::Odb => {
                let mut strings = strings.clone();
                // Their room is not in the text.
                match strings.values.first() {
                    None => strings.size = 32,
                    Some(text) if text.contains(&b'\n') => strings.size = text.len() + 1,
                    Some(_) => {}
                }
                Item::Value(Value::String(strings))
            }
            Some(value) => Item::Value(value.clone()),
        };
        let (mode, time) =
            if plain(key) { (None, None) } else { (Some(key.mode()), Some(key.last_written())) };
        let at = dump.entries.len();
        let (directory, name) = (std::sync::Arc::clone(path), key.name().to_owned());
        dump.entries.push(Entry { directory, absolute: false, name, item, mode, last_written: time });
        if key.directory().is_some() {
            let below = std::sync::Arc::new(path.child(key.name()).unwrap());
            copy(key, &below, kind, plain, dump);
            if kind == Kind::Odb && dump.entries.len() == at + 1 {
                dump.entries.pop();
            }
        }
    }
}

/// Writes a tree; what the form cannot hold is taken out as the errors name it.
fn write(save: &Save, tree: &mut Tree) -> Vec<u8> {
    loop {
        match save.write(tree, "/") {
            Ok(text) => return text,
            Err(Error::Unwritable { path, .. }) => {
                assert_ne!(save.kind, Kind::Json, "{path}");
                tree.set_mode("/", Mode::default(), true).unwrap();
                tree.delete(&path).unwrap();
            }
            Err(other) => panic!("{other}"),
        }
    }
}

fn check(save: &Save, tree: &Tree) {
    let mut tree = tree.clone();
    let text = write(save, &mut tree);
    let shown = || text.escape_ascii().to_string().replace("\\n", "\n");
    let dump = Dump::parse_as(save.kind, &text).unwrap_or_else(|error| panic!("{error}\n{}", shown()));
    assert_eq!(dump.remarks, [], "{}", shown());
    let mut read = Tree::new();
    let loaded = read.load(&dump, &Load { exact: true, ..Load::default() });
    assert_eq!(loaded.failed, [], "{}", shown());
    let wanted = held(&tree, save.kind);
    assert!(wanted.same(&read), "{:#?}\n{}", wanted.diff(&read), shown());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_comes_back_in_every_form(tree in tree()) {
        for save in [Save::odb(), Save { absolute: false, ..Save::odb() }, Save::xml(), Save::json()] {
            check(&save, &tree);
        }
    }

    #[test]
    fn random_damage_is_survived(tree in tree(), places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        for save in [Save::odb(), Save::xml(), Save::json()] {
            let mut text = write(&save, &mut tree.clone());
            for (place, byte) in &places {
                if !text.is_empty() {
                    let at = place.index(text.len());
                    text[at] = *byte;
                }
            }
            let (dump, _) = Dump::read(save.kind, &text, &Limits::default());
            let tree = dump.tree();
            // What was read is a tree like any other.
            let json = Save::json().write(&tree, "/").unwrap();
            prop_assert!(Dump::parse(&json).is_ok());
        }
    }

    #[test]
    fn random_text_is_survived(text in prop::collection::vec(any::<u8>(), 0..300)) {
        for kind in [Kind::Odb, Kind::Xml, Kind::Json] {
            let _ = Dump::read(kind, &text, &Limits::default()).0.tree();
        }
    }
}
