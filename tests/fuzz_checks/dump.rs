//! Text forms of the ODB: what was analyzed is written and read again equal, in each form that can
//! hold it.

use pactolus::odb::dump::{Dump, Item, Kind, Limits};
use pactolus::odb::{Content, Directory, Error, Key, Load, Save, Tree, Value};

pub fn odb(input: &[u8]) -> bool {
    check(Kind::Odb, input)
}

pub fn xml(input: &[u8]) -> bool {
    check(Kind::Xml, input)
}

pub fn json(input: &[u8]) -> bool {
    check(Kind::Json, input)
}

fn check(kind: Kind, input: &[u8]) -> bool {
    if let Ok(detected) = Kind::detect(input) {
        assert_eq!(Dump::parse(input).is_ok(), Dump::parse_as(detected, input).is_ok());
    }
    let (dump, damage) = Dump::read(kind, input, &Limits::default());
    assert_eq!(Dump::parse_as(kind, input).err(), damage);
    if let Some(damage) = &damage {
        refused(kind, damage, input);
    }
    sound(&dump, kind, input);
    let tree = dump.tree();
    for save in [Save::odb(), Save::xml(), Save::json()] {
        round(&tree, &save);
    }
    onto_another(&dump);
    // Half a document teaches a fuzzer how to write the other half.
    !dump.entries.is_empty() || damage.is_some() && input.len() > 8
}

/// An error says where.
fn refused(kind: Kind, error: &Error, input: &[u8]) {
    let Error::Syntax { kind: found, line, offset, what } = error else { panic!("{error}") };
    assert_eq!(*found, kind);
    assert!(*offset <= input.len() && !what.is_empty());
    let lines = input[..*offset].iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(*line, lines + 1);
}

fn sound(dump: &Dump, kind: Kind, input: &[u8]) {
    assert_eq!(dump.kind, kind);
    assert!(dump.remarks.len() <= 100);
    for remark in &dump.remarks {
        assert!(remark.offset <= input.len() && !remark.what.is_empty());
    }
    let mut bytes = 0;
    for entry in &dump.entries {
        assert!(!entry.name.is_empty());
        bytes += match &entry.item {
            Item::Directory => 0,
            Item::Value(value) => weight(value),
            Item::Elements(indices, value) => {
                assert_eq!(indices.len(), value.len());
                weight(value)
            }
        };
    }
    // Values come from bytes that are there, not from counts that are claimed.
    assert!(bytes <= 8 * input.len(), "{bytes} bytes of values in a dump of {}", input.len());
}

fn weight(value: &Value) -> usize {
    (0..value.len()).map(|index| value.bytes(index).map_or(value.item_size(), <[u8]>::len)).sum()
}

/// A tree written and read is the same tree, but for what the form does not hold.
fn round(tree: &Tree, save: &Save) {
    let text = match save.write(tree, "/") {
        Ok(text) => text,
        Err(Error::Unwritable { kind, path, .. }) => {
            assert!(kind == save.kind && kind != Kind::Json && path.starts_with('/'), "{kind} {path}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let shown = || String::from_utf8_lossy(&text).into_owned();
    let dump = match Dump::parse_as(save.kind, &text) {
        Ok(dump) => dump,
        Err(error) => panic!("{error}, in\n{}", shown()),
    };
    assert!(dump.remarks.is_empty(), "{:?}, in\n{}", dump.remarks, shown());
    let again = dump.tree();
    let (Some(a), Some(b)) = (tree.root().directory(), again.root().directory()) else { panic!() };
    if let Some(where_) = differs(save.kind, a, b, "") {
        panic!("{where_} differs, {tree:?} became {again:?}, in\n{}", shown());
    }
    // From there on nothing changes any more. Directories that `.odb` leaves out divide sections.
    if save.kind != Kind::Odb || !a.iter().any(has_hollow) {
        assert!(save.write(&again, "/").unwrap() == text, "changes when written again:\n{}", shown());
    }
}

/// The first key that is not the same.
fn differs(kind: Kind, a: &Directory, b: &Directory, at: &str) -> Option<String> {
    // `.odb` holds no directory without keys.
    let holds = |key: &&Key| kind != Kind::Odb || !is_hollow(key);
    let (mut a, mut b) = (a.iter().filter(holds), b.iter());
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (None, None) => return None,
            (Some(x), Some(y)) => (x, y),
            (x, y) => return Some(format!("{at}/{}", x.or(y).map_or("", Key::name))),
        };
        let here = format!("{at}/{}", x.name());
        let meta = kind != Kind::Json || x.directory().is_some() || {
            x.mode() == y.mode() && x.last_written() == y.last_written()
        };
        let same = x.name() == y.name()
            && meta
            && match (x.content(), y.content()) {
                (Content::Value(x), Content::Value(y)) => same(kind, x, y),
                (Content::Directory(x), Content::Directory(y)) => {
                    if let Some(found) = differs(kind, x, y, &here) {
                        return Some(found);
                    }
                    true
                }
                _ => false,
            };
        if !same {
            return Some(here);
        }
    }
}

fn is_hollow(key: &Key) -> bool {
    key.directory().is_some_and(|directory| directory.iter().all(is_hollow))
}

fn has_hollow(key: &Key) -> bool {
    key.directory().is_some_and(|directory| directory.is_empty() || directory.iter().any(has_hollow))
}

/// Equal as far as the form goes.
fn same(kind: Kind, written: &Value, read: &Value) -> bool {
    match (written, read) {
        (Value::Float(a), Value::Float(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| same_number(a.into(), b.into()))
        }
        (Value::Double(a), Value::Double(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| same_number(a, b))
        }
        (Value::String(a), Value::String(b)) => {
            // `.odb` does not hold the room of strings of several lines, nor of none.
            let fenced = a.values.len() == 1 && a.values[0].contains(&b'\n');
            let roomless = kind == Kind::Odb && (fenced || a.values.is_empty());
            a.values == b.values && (roomless || a.size == b.size)
        }
        _ => written.same(read),
    }
}

/// One NaN is as good as another.
fn same_number(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

/// Loaded onto a tree with other types in its way, each key is set, refused or reported.
fn onto_another(dump: &Dump) {
    let mut tree = Tree::new();
    tree.create("/A", 1).unwrap();
    tree.create("/Name", vec![1.5_f32, 2.5]).unwrap();
    tree.create("/Runinfo/Run number", 5_u16).unwrap();
    tree.create_link("/Link", "/Runinfo/Run number").unwrap();
    tree.create_link("/Circle", "/Circle").unwrap();
    tree.create_link("/Equipment", "/Runinfo").unwrap();
    let loaded = tree.load(dump, &Load::default());
    assert!(loaded.refused.is_empty());
    assert!(loaded.set.len() + loaded.failed.len() <= dump.entries.len());
    for path in &loaded.set {
        assert!(
            tree.find_link(&path.to_string()).is_ok() || has_dots(path),
            "{path} was set and is not there"
        );
    }
    let allow = |path: &pactolus::odb::Path| path.names().len() > 1;
    let some = Load { at: None, allow: Some(&allow), exact: true };
    let loaded = tree.load(dump, &some);
    assert!(loaded.set.iter().all(allow) && !loaded.refused.iter().any(allow));
}

/// `.` and `..` can be names in XML and JSON, and mean something else in paths.
fn has_dots(path: &pactolus::odb::Path) -> bool {
    path.names().iter().any(|name| name == "." || name == "..")
}
