//! JSON dumps.
//!
//! ```text
//! "Name/key" : { "type" : 12, "num_values" : 2, "item_size" : 40, "access_mode" : 7, "last_written" : 1795225785 },
//! "Name" : [ "a", "b" ],
//! "Directory" : { ... }
//! ```
//! `num_values` is there for arrays only, `item_size` for strings only. A link has the member
//! `link`; a link to an element is saved as the element's type and value. Members with a slash are
//! no keys: `/ODB path` at the beginning, `Name/last_written` in other forms of MIDAS's JSON.
//! WORD, DWORD and UINT64 are hexadecimal strings; NaN and the infinities are strings too.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use pactolus_formats::Tid;

use super::draft::Draft;
use super::{Entry, Item, Save};
use crate::MAX_DEPTH;
use crate::key::{Content, Directory, Key, Mode};
use crate::{Path, Result, Tree, Value, spelling};

mod node;

use node::Node;

/// What `"Name/key"` says.
#[derive(Default)]
struct About {
    tid: Option<Tid>,
    size: usize,
    link: Option<Vec<u8>>,
    mode: Option<Mode>,
    last_written: Option<u32>,
}

pub(super) fn parse(draft: &mut Draft<'_>) -> Result<()> {
    let (members, read) = node::parse(draft);
    let saved = members.iter().find(|member| member.name == b"/ODB path");
    if let Some(node::Member { offset, node: Node::String(path), .. }) = saved {
        let path = Path::parse(&spelling::from_bytes(path));
        draft.dump.root = Some(draft.placed(*offset, path)?);
    }
    directory(&Arc::default(), members, draft)?;
    read
}

fn directory(path: &Arc<Path>, members: Vec<node::Member<'_>>, draft: &mut Draft<'_>) -> Result<()> {
    let mut about: HashMap<Vec<u8>, About> = HashMap::new();
    for member in &members {
        if let (Some(name), Node::Object(inside)) = (member.name.strip_suffix(b"/key"), &member.node) {
            // The first one is the one beside the key.
            about.entry(name.to_vec()).or_insert_with(|| self::about(inside));
        }
    }
    for node::Member { offset, name, node } in members {
        if name.contains(&b'/') {
            continue;
        }
        let about = about.remove(&name).unwrap_or_default();
        let Some(name) = draft.name(offset, &name) else { continue };
        let make = |item| Entry {
            directory: Arc::clone(path),
            absolute: false,
            name: name.clone(),
            item,
            mode: about.mode,
            last_written: about.last_written,
        };
        match (&about.link, node) {
            (Some(target), _) => draft.push(offset, make(Item::Value(Value::Link(target.clone()))))?,
            (None, Node::Object(members)) => {
                draft.push(offset, make(Item::Directory))?;
                let below = draft.below(offset, path, &name)?;
                directory(&below, members, draft)?;
            }
            (None, node) => match value(&node, about.tid, about.size) {
                Some(value) => draft.push(offset, make(Item::Value(value)))?,
                None => match about.tid.filter(|tid| Value::empty(*tid).is_none()) {
                    Some(tid) => draft.valueless(offset, &name, tid.name()),
                    None => draft.remark(offset, || format!("key '{name}' has no value")),
                },
            },
        }
    }
    Ok(())
}

fn about(members: &[node::Member<'_>]) -> About {
    let mut about = About::default();
    for member in members {
        let number = || match &member.node {
            Node::Number(digits) => std::str::from_utf8(digits).ok()?.parse::<u32>().ok(),
            _ => None,
        };
        match member.name.as_slice() {
            b"type" => about.tid = number().and_then(Tid::from_code),
            b"item_size" => about.size = (number().unwrap_or(0) as usize).min(Value::MAX_LEN),
            b"access_mode" => about.mode = number().and_then(|bits| u16::try_from(bits).ok()).map(Mode),
            b"last_written" => about.last_written = number(),
            b"link" => {
                if let Node::String(target) = &member.node {
                    about.link = Some(target.clone());
                }
            }
            _ => {}
        }
    }
    about
}

fn value(node: &Node<'_>, tid: Option<Tid>, size: usize) -> Option<Value> {
    let single = std::slice::from_ref(node);
    let elements = if let Node::Array(elements) = node { elements.as_slice() } else { single };
    let mut value = Value::empty(tid.or_else(|| guess(elements))?)?;
    for element in elements {
        match element {
            Node::Number(text) => value.push_text(text),
            Node::String(text) => value.push_text(text),
            Node::True => value.push_text(b"y"),
            Node::False => value.push_text(b"n"),
            Node::Null | Node::Array(_) | Node::Object(_) => return None,
        }
    }
    match &mut value {
        Value::String(strings) => {
            let longest = strings.values.iter().map(|text| text.len() + 1).max().unwrap_or(0);
            strings.size = if size == 0 { strings.size } else { size.max(longest) };
        }
        // A link is one string; an array cannot be one.
        Value::Link(_) if elements.len() != 1 => return None,
        _ => {}
    }
    Some(value)
}

/// The type of values that come without one: JSON written by hand, or the short form of MIDAS's.
fn guess(elements: &[Node<'_>]) -> Option<Tid> {
    let whole = |node: &Node<'_>| match node {
        Node::Number(text) => std::str::from_utf8(text).ok()?.parse::<i64>().ok(),
        _ => None,
    };
    let all = |test: &dyn Fn(&Node<'_>) -> bool| elements.iter().all(test);
    match () {
        () if elements.is_empty() => None,
        () if all(&|node| matches!(node, Node::True | Node::False)) => Some(Tid::Bool),
        () if all(&|node| whole(node).is_some_and(|n| i32::try_from(n).is_ok())) => Some(Tid::Int),
        () if all(&|node| whole(node).is_some()) => Some(Tid::Int64),
        () if all(&|node| matches!(node, Node::Number(_))) => Some(Tid::Double),
        () if all(&|node| matches!(node, Node::String(_))) => Some(Tid::String),
        () => None,
    }
}

pub(super) fn write(save: &Save, tree: &Tree, path: &Path, directory: &Directory) -> Result<Vec<u8>> {
    let mut out = b"{".to_vec();
    let mut header: Vec<(&str, &[u8])> = Vec::new();
    if let Some((version, revision)) = &save.version {
        header.push(("/MIDAS version", version.as_bytes()));
        header.push(("/MIDAS git revision", revision.as_bytes()));
    }
    if let Some(filename) = &save.filename {
        header.push(("/filename", filename.as_bytes()));
    }
    let at = spelling::to_bytes(&path.to_string());
    if save.absolute {
        header.push(("/ODB path", &at));
    }
    for (position, (name, value)) in header.iter().enumerate() {
        out.extend_from_slice(if position == 0 { b"\n  " } else { b",\n  " });
        write_string(name.as_bytes(), &mut out);
        out.extend_from_slice(b" : ");
        write_string(value, &mut out);
    }
    if !header.is_empty() && !directory.is_empty() {
        out.extend_from_slice(b",\n");
    }
    write_members(tree, directory, 1, &mut out)?;
    out.extend_from_slice(b"\n}\n");
    Ok(out)
}

fn write_members(tree: &Tree, directory: &Directory, level: usize, out: &mut Vec<u8>) -> Result<()> {
    debug_assert!(level <= MAX_DEPTH + 1, "a tree is no deeper than its paths");
    for (position, key) in directory.iter().enumerate() {
        let name = spelling::to_bytes(key.name());
        let open = |out: &mut Vec<u8>, suffix: &[u8]| {
            out.push(b'\n');
            out.resize(out.len() + 2 * level, b' ');
            write_string(&[&name, suffix].concat(), out);
            out.extend_from_slice(b" : ");
        };
        if position > 0 {
            out.push(b',');
        }
        match key.content() {
            Content::Directory(below) => {
                open(out, b"");
                out.push(b'{');
                write_members(tree, below, level + 1, out)?;
                out.push(b'\n');
                out.resize(out.len() + 2 * level, b' ');
                out.push(b'}');
            }
            Content::Value(value) => {
                let (shown, link) = resolved(tree, value);
                open(out, b"/key");
                write_about(key, Some(&shown), link, out);
                out.push(b',');
                open(out, b"");
                write_elements(&shown, out);
            }
        }
    }
    Ok(())
}

/// A link to an element is saved as that element, with the target beside it.
fn resolved<'v>(tree: &Tree, value: &'v Value) -> (Cow<'v, Value>, Option<&'v [u8]>) {
    let Value::Link(target) = value else { return (Cow::Borrowed(value), None) };
    let path = spelling::from_bytes(target);
    let is_element = tree.find_link(&path).is_ok_and(|found| found.index.is_some());
    let element = is_element.then(|| tree.value(&path).ok()).flatten();
    (element.map_or(Cow::Borrowed(value), Cow::Owned), Some(target))
}

/// What `"Name/key"` says of a key, or of the value that a link to an element leads to.
pub(crate) fn write_about(key: &Key, value: Option<&Value>, link: Option<&[u8]>, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let _ = write!(out, "{{ \"type\" : {}", value.map_or(key.tid(), Value::tid).code());
    if let Some(target) = link {
        out.extend_from_slice(b", \"link\": ");
        write_string(target, out);
    }
    if let Some(value) = value.filter(|value| value.len() != 1) {
        let _ = write!(out, ", \"num_values\" : {}", value.len());
    }
    if let Some(Value::String(strings)) = value {
        let _ = write!(out, ", \"item_size\" : {}", strings.size);
    }
    let (mode, last_written) = (key.mode().0, key.last_written());
    let _ = write!(out, ", \"access_mode\" : {mode}, \"last_written\" : {last_written} }}");
}

/// One element alone, several as an array.
pub(crate) fn write_elements(value: &Value, out: &mut Vec<u8>) {
    if value.len() == 1 {
        return write_element(value, 0, out);
    }
    out.push(b'[');
    for index in 0..value.len() {
        out.extend_from_slice(if index == 0 { b" " } else { b", " });
        write_element(value, index, out);
    }
    out.extend_from_slice(b" ]");
}

fn write_element(value: &Value, index: usize, out: &mut Vec<u8>) {
    match value {
        Value::Word(a) => drop(write!(out, "\"0x{:04x}\"", a[index])),
        Value::Dword(a) => drop(write!(out, "\"0x{:08x}\"", a[index])),
        Value::Uint64(a) => drop(write!(out, "\"0x{:016x}\"", a[index])),
        Value::Bool(a) => out.extend_from_slice(if a[index] { b"true" } else { b"false" }),
        Value::Bitfield(a) => drop(write!(out, "{}", a[index])),
        Value::Float(a) => write_float(a[index].into(), 7, |x| x as f32 == a[index], out),
        Value::Double(a) => write_float(a[index], 16, |x| x == a[index], out),
        Value::Char(_) | Value::String(_) | Value::Link(_) => {
            let mut text = Vec::new();
            value.write_text(index, &mut text);
            write_string(&text, out);
        }
        Value::Byte(_) | Value::Sbyte(_) | Value::Short(_) | Value::Int(_) | Value::Int64(_) => {
            value.write_text(index, out);
        }
    }
}

/// `%.7e` or `%.16e`, but whole numbers that a C `int` holds without either. Where that loses
/// something, as MIDAS does with the last digit of some FLOATs and the sign of zero, with more.
fn write_float(x: f64, digits: usize, is_same: impl Fn(f64) -> bool, out: &mut Vec<u8>) {
    if x.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if x.is_infinite() {
        out.extend_from_slice(if x > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    } else if x == f64::from(x as i32) && !(x == 0.0 && x.is_sign_negative()) {
        let _ = write!(out, "{}", x as i32);
    } else {
        let written = |digits: usize| format!("{x:.digits$e}");
        let reads_back = |text: &String| text.parse().is_ok_and(&is_same);
        let text = [digits, digits + 1].into_iter().map(written).find(reads_back);
        let text = text.unwrap_or_else(|| written(16));
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        let _ = write!(out, "{mantissa}e{sign}{exponent:0>2}");
    }
}

/// Control characters without a short escape go out raw, as MIDAS writes them; but for NUL, which
/// would end the dump.
pub(crate) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0 => out.extend_from_slice(b"\\u0000"),
            byte => out.push(byte),
        }
    }
    out.push(b'"');
}
