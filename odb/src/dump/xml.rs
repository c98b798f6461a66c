//! XML dumps.
//!
//! ```text
//! <odb root="/" ...>
//!   <dir name="N"> ... </dir>
//!   <key name="N" type="INT">v</key>
//!   <key name="N" type="STRING" size="32">text</key>
//!   <keyarray name="N" type="INT" num_values="5"> <value index="0">v</value> ... </keyarray>
//! </odb>
//! ```
//! MIDAS declares Latin-1, writes whatever bytes the strings hold, and does not escape control
//! characters. A conforming parser refuses that, so this one reads bytes: tags, the five entities
//! and numbered ones, and nothing else of XML.

use std::sync::Arc;

use pactolus_formats::Tid;

use super::{Dump, Entry, Item, Kind, Save, Text};
use crate::key::{Content, Directory};
use crate::path::MAX_DEPTH;
use crate::{Error, Path, Result, Value, spelling};

mod tag;

use tag::{Piece, Pieces, Tag};

/// An element that is open.
enum Open {
    Odb,
    Directory(Arc<Path>),
    Key(Partial),
    Array(Partial),
    /// The index and the text so far.
    Element(usize, Vec<u8>),
    Unknown,
}

/// A key whose end has not come yet.
struct Partial {
    name: String,
    size: usize,
    /// The length the tag claims.
    claimed: Option<usize>,
    text: Vec<u8>,
    indices: Vec<usize>,
    value: Value,
}

pub(super) fn parse(text: Text<'_>, dump: &mut Dump) -> Result<()> {
    let mut pieces = Pieces::new(text);
    // The names of open tags, to see that they close in order.
    let mut stack: Vec<(Vec<u8>, Open)> = Vec::new();
    let mut seen = false;
    while let Some((offset, piece)) = pieces.next()? {
        match piece {
            Piece::Text(bytes) => match stack.last_mut() {
                Some((_, Open::Key(key))) => key.text.extend_from_slice(&bytes),
                Some((_, Open::Element(_, text))) => text.extend_from_slice(&bytes),
                _ => {}
            },
            Piece::Open(tag) => {
                if stack.len() > MAX_DEPTH + 4 {
                    return Err(text.error(offset, format!("elements nested deeper than {MAX_DEPTH}")));
                }
                if stack.is_empty() && !std::mem::replace(&mut seen, true) && tag.name != b"odb" {
                    let found = tag.name.escape_ascii();
                    return Err(text.error(offset, format!("element 'odb' expected, '{found}' found")));
                }
                let open = open(text, offset, &tag, &stack, dump)?;
                let (name, closed) = (tag.name.to_vec(), tag.closed);
                stack.push((name, open));
                if closed {
                    close(&mut stack, dump);
                }
            }
            Piece::Close(name) => match stack.last() {
                Some((open, _)) if open == name => close(&mut stack, dump),
                open => {
                    let wanted =
                        open.map_or("nothing".into(), |(open, _)| format!("'</{}>'", open.escape_ascii()));
                    let found = name.escape_ascii();
                    return Err(text.error(offset, format!("{wanted} expected, '</{found}>' found")));
                }
            },
        }
    }
    match stack.last() {
        Some((open, _)) => {
            let what = format!("cut short: '</{}>' expected, the end found", open.escape_ascii());
            Err(text.error(text.bytes.len(), what))
        }
        None if seen => Ok(()),
        None => Err(text.error(text.bytes.len(), "element 'odb' expected, the end found")),
    }
}

/// The directory that an element now opening is in, from the root of the dump.
fn here(stack: &[(Vec<u8>, Open)]) -> Option<Arc<Path>> {
    match stack.last()? {
        (_, Open::Directory(path)) => Some(Arc::clone(path)),
        (_, Open::Odb) => Some(Arc::default()),
        _ => None,
    }
}

fn open(
    text: Text<'_>,
    offset: usize,
    tag: &Tag<'_>,
    stack: &[(Vec<u8>, Open)],
    dump: &mut Dump,
) -> Result<Open> {
    let name = || {
        let name = tag.attribute(b"name").ok_or_else(|| {
            text.error(offset, format!("element '{}' without a name", tag.name.escape_ascii()))
        })?;
        let name = spelling::from_bytes(&name);
        text.placed(offset, crate::path::check_name(&name))?;
        Ok::<_, Error>(name)
    };
    match (tag.name, here(stack)) {
        (b"odb", _) if stack.is_empty() => {
            if let Some(root) = tag.attribute(b"root") {
                dump.root = Some(text.placed(offset, Path::parse(&spelling::from_bytes(&root)))?);
            }
            Ok(Open::Odb)
        }
        (b"dir", Some(directory)) => {
            let name = name()?;
            let path = Arc::new(text.placed(offset, directory.child(&name))?);
            dump.entries.push(entry(directory, name, Item::Directory));
            Ok(Open::Directory(path))
        }
        (kind @ (b"key" | b"keyarray"), Some(_)) => {
            let name = name()?;
            let spelled = tag.attribute(b"type").unwrap_or_default();
            let tid = std::str::from_utf8(&spelled).ok().and_then(Tid::from_name);
            let Some(value) = tid.and_then(Value::empty) else {
                let type_name = String::from_utf8_lossy(&spelled).into_owned();
                dump.remark(text, offset, || format!("key '{name}' of unknown type '{type_name}'"));
                return Ok(Open::Unknown);
            };
            let partial = Partial {
                name,
                size: tag.number(b"size").unwrap_or(0).min(Value::MAX_LEN),
                claimed: tag.number(b"num_values"),
                text: Vec::new(),
                indices: Vec::new(),
                value,
            };
            Ok(if kind == b"key" { Open::Key(partial) } else { Open::Array(partial) })
        }
        (b"value", _) => match stack.last() {
            Some((_, Open::Array(array))) => {
                let next = array.indices.last().map_or(0, |last| last.saturating_add(1));
                Ok(Open::Element(tag.number(b"index").unwrap_or(next), Vec::new()))
            }
            _ => Ok(Open::Unknown),
        },
        _ => {
            let name = tag.name;
            dump.remark(text, offset, || format!("unexpected element '{}'", name.escape_ascii()));
            Ok(Open::Unknown)
        }
    }
}

fn close(stack: &mut Vec<(Vec<u8>, Open)>, dump: &mut Dump) {
    match stack.pop() {
        Some((_, Open::Element(index, text))) => {
            if let Some((_, Open::Array(array))) = stack.last_mut() {
                array.indices.push(index);
                array.value.push_text(&text);
            }
        }
        Some((_, Open::Key(mut key))) => {
            key.value.push_text(&key.text);
            finish(key, stack, dump, Item::Value);
        }
        Some((_, Open::Array(mut array))) => {
            let indices = std::mem::take(&mut array.indices);
            let claimed = array.claimed.unwrap_or(indices.len());
            finish(array, stack, dump, |value| Dump::array(indices, value, claimed));
        }
        _ => {}
    }
}

fn finish(key: Partial, stack: &[(Vec<u8>, Open)], dump: &mut Dump, item: impl FnOnce(Value) -> Item) {
    let mut value = key.value;
    if let Value::String(strings) = &mut value {
        let longest = strings.values.iter().map(|text| text.len() + 1).max().unwrap_or(0);
        // Without the attribute, MIDAS's usual room.
        strings.size = if key.size == 0 { strings.size } else { key.size.max(longest) };
    }
    if let Some(directory) = here(stack) {
        dump.entries.push(entry(directory, key.name, item(value)));
    }
}

fn entry(directory: Arc<Path>, name: String, item: Item) -> Entry {
    Entry { directory, absolute: false, name, item, mode: None, last_written: None }
}

pub(super) fn write(save: &Save, path: &Path, directory: &Directory) -> Result<Vec<u8>> {
    let mut out = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n".to_vec();
    if let Some(comment) = &save.comment {
        // Two hyphens would end the comment.
        let comment = comment.replace("--", "- -");
        out.extend_from_slice(format!("<!-- {comment} -->\n").as_bytes());
    }
    out.extend_from_slice(b"<odb");
    write_attribute("root", &spelling::to_bytes(&path.to_string()), &mut out);
    if let Some(filename) = &save.filename {
        write_attribute("filename", filename.as_bytes(), &mut out);
    }
    write_attribute("xmlns:xsi", b"http://www.w3.org/2001/XMLSchema-instance", &mut out);
    write_attribute("xsi:noNamespaceSchemaLocation", save.schema.as_bytes(), &mut out);
    if directory.is_empty() {
        out.extend_from_slice(b"/>\n");
        return Ok(out);
    }
    out.extend_from_slice(b">\n");
    write_directory(path, directory, 1, &mut out)?;
    out.extend_from_slice(b"</odb>\n");
    Ok(out)
}

fn write_directory(path: &Path, directory: &Directory, level: usize, out: &mut Vec<u8>) -> Result<()> {
    let indent = |out: &mut Vec<u8>, level: usize| out.resize(out.len() + 2 * level, b' ');
    for key in directory.iter() {
        let at = path.child(key.name())?;
        let name = spelling::to_bytes(key.name());
        indent(out, level);
        match key.content() {
            Content::Directory(below) => {
                out.extend_from_slice(b"<dir");
                write_attribute("name", &name, out);
                if below.is_empty() {
                    out.extend_from_slice(b"/>\n");
                    continue;
                }
                out.extend_from_slice(b">\n");
                write_directory(&at, below, level + 1, out)?;
                indent(out, level);
                out.extend_from_slice(b"</dir>\n");
            }
            Content::Value(value) => {
                check(&at, value)?;
                let single = value.len() == 1;
                out.extend_from_slice(if single { b"<key" } else { b"<keyarray" });
                write_attribute("name", &name, out);
                write_attribute("type", value.tid().name().as_bytes(), out);
                if let Value::String(_) | Value::Link(_) = value {
                    write_attribute("size", value.item_size().to_string().as_bytes(), out);
                }
                if single {
                    out.push(b'>');
                    write_element(value, 0, out);
                    out.extend_from_slice(b"</key>\n");
                    continue;
                }
                write_attribute("num_values", value.len().to_string().as_bytes(), out);
                out.extend_from_slice(b">\n");
                for index in 0..value.len() {
                    indent(out, level + 1);
                    out.extend_from_slice(format!("<value index=\"{index}\">").as_bytes());
                    write_element(value, index, out);
                    out.extend_from_slice(b"</value>\n");
                }
                indent(out, level);
                out.extend_from_slice(b"</keyarray>\n");
            }
        }
    }
    Ok(())
}

fn check(path: &Path, value: &Value) -> Result<()> {
    let why = match value {
        Value::Bitfield(bits) if bits.iter().any(|&bits| bits != 0) => "bitfields have no text",
        Value::String(_) | Value::Link(_) => {
            let has_nul = |index| value.bytes(index).is_some_and(|text| text.contains(&0));
            if !(0..value.len()).any(has_nul) {
                return Ok(());
            }
            "a string holds a NUL"
        }
        _ => return Ok(()),
    };
    Err(Error::Unwritable { kind: Kind::Xml, path: path.to_string(), why })
}

fn write_element(value: &Value, index: usize, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    value.write_text(index, &mut text);
    escape(&text, out);
}

fn write_attribute(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!(" {name}=\"").as_bytes());
    escape(value, out);
    out.push(b'"');
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&apos;"),
            byte => out.push(byte),
        }
    }
}
