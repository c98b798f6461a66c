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

use super::draft::{Draft, array, entry};
use super::{Item, Kind, Save};
use crate::key::{Content, Directory};
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
    /// Where its tag begins.
    offset: usize,
    name: String,
    size: usize,
    /// The length the tag claims.
    claimed: Option<usize>,
    text: Vec<u8>,
    indices: Vec<usize>,
    value: Value,
}

/// Elements within each other besides directories: `odb`, a key, and room for what is none.
const FURTHER: usize = 4;

pub(super) fn parse(draft: &mut Draft<'_>) -> Result<()> {
    let text = draft.text;
    let mut pieces = Pieces::new(text);
    // The names of open tags, to see that they close in order.
    let mut stack: Vec<(&[u8], Open)> = Vec::new();
    let mut seen = false;
    while let Some((offset, piece)) = pieces.next()? {
        match piece {
            Piece::Text(bytes) => {
                if let Some((_, Open::Key(Partial { text, .. }) | Open::Element(_, text))) = stack.last_mut()
                {
                    draft.string(offset, text.len() + bytes.len())?;
                    draft.spend(offset, bytes.len())?;
                    text.extend_from_slice(&bytes);
                }
            }
            Piece::Open(tag) => {
                let limit = draft.limits.depth + FURTHER;
                if stack.len() >= limit {
                    let what = format!("at most {limit} elements within each other expected, more found");
                    return Err(text.error(offset, what));
                }
                let again = stack.is_empty() && std::mem::replace(&mut seen, true);
                let open = if again {
                    let found = tag.name.escape_ascii();
                    draft.remark(offset, || format!("the end expected, element '{found}' found"));
                    Open::Unknown
                } else if stack.is_empty() && tag.name != b"odb" {
                    let found = tag.name.escape_ascii();
                    return Err(text.error(offset, format!("element 'odb' expected, '{found}' found")));
                } else {
                    open(offset, &tag, &stack, draft)?
                };
                stack.push((tag.name, open));
                if tag.closed {
                    close(offset, &mut stack, draft)?;
                }
            }
            Piece::Close(name) => match stack.last() {
                Some((open, _)) if *open == name => close(offset, &mut stack, draft)?,
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
fn here(stack: &[(&[u8], Open)]) -> Option<Arc<Path>> {
    match stack.last()? {
        (_, Open::Directory(path)) => Some(Arc::clone(path)),
        (_, Open::Odb) => Some(Arc::default()),
        _ => None,
    }
}

fn open(offset: usize, tag: &Tag<'_>, stack: &[(&[u8], Open)], draft: &mut Draft<'_>) -> Result<Open> {
    match (tag.name, here(stack)) {
        (b"odb", _) if stack.is_empty() => {
            if let Some(root) = tag.attribute(b"root") {
                let root = Path::parse(&spelling::from_bytes(&root));
                draft.dump.root = Some(draft.placed(offset, root)?);
            }
            Ok(Open::Odb)
        }
        (b"dir" | b"key" | b"keyarray", Some(directory)) => {
            let Some(name) = tag.attribute(b"name") else {
                draft.remark(offset, || format!("element '{}' without a name", tag.name.escape_ascii()));
                return Ok(Open::Unknown);
            };
            let Some(name) = draft.name(offset, &name) else { return Ok(Open::Unknown) };
            if tag.name == b"dir" {
                let path = draft.below(offset, &directory, &name)?;
                draft.push(offset, entry(directory, false, name, Item::Directory))?;
                return Ok(Open::Directory(path));
            }
            let spelled = tag.attribute(b"type").unwrap_or_default();
            let tid = std::str::from_utf8(&spelled).ok().and_then(Tid::from_name);
            let Some(value) = tid.and_then(Value::empty) else {
                draft.valueless(offset, &name, &String::from_utf8_lossy(&spelled));
                return Ok(Open::Unknown);
            };
            if tid == Some(Tid::Link) && tag.name == b"keyarray" {
                draft
                    .remark(offset, || format!("key '{name}' left out: an array of links, which no ODB has"));
                return Ok(Open::Unknown);
            }
            let partial = Partial {
                offset,
                name,
                size: tag.number(b"size").unwrap_or(0).min(Value::MAX_LEN),
                claimed: tag.number(b"num_values"),
                text: Vec::new(),
                indices: Vec::new(),
                value,
            };
            Ok(if tag.name == b"key" { Open::Key(partial) } else { Open::Array(partial) })
        }
        (b"value", _) if matches!(stack.last(), Some((_, Open::Array(_)))) => {
            let Some((_, Open::Array(array))) = stack.last() else { return Ok(Open::Unknown) };
            let next = array.indices.last().map_or(0, |last| last.saturating_add(1));
            Ok(Open::Element(tag.number(b"index").unwrap_or(next), Vec::new()))
        }
        // What is inside was passed over with the element around it.
        _ if matches!(stack.last(), Some((_, Open::Unknown))) => Ok(Open::Unknown),
        (name, _) => {
            draft.remark(offset, || format!("unexpected element '{}'", name.escape_ascii()));
            Ok(Open::Unknown)
        }
    }
}

fn close(offset: usize, stack: &mut Vec<(&[u8], Open)>, draft: &mut Draft<'_>) -> Result<()> {
    match stack.pop() {
        Some((_, Open::Element(index, text))) => {
            if let Some((_, Open::Array(array))) = stack.last_mut() {
                draft.element(offset, array.indices.len(), text.len())?;
                array.indices.push(index);
                array.value.push_text(&text);
            }
        }
        Some((_, Open::Key(mut key))) => {
            draft.element(offset, 0, key.text.len())?;
            key.value.push_text(&key.text);
            finish(key, stack, draft, Item::Value)?;
        }
        Some((_, Open::Array(mut partial))) => {
            let indices = std::mem::take(&mut partial.indices);
            let (found, claimed) = (indices.len(), partial.claimed.unwrap_or(indices.len()));
            if found < claimed {
                draft.remark(offset, || format!("an array of {claimed} ends after {found}"));
            }
            finish(partial, stack, draft, |value| array(indices, value, claimed))?;
        }
        _ => {}
    }
    Ok(())
}

fn finish(
    key: Partial,
    stack: &[(&[u8], Open)],
    draft: &mut Draft<'_>,
    item: impl FnOnce(Value) -> Item,
) -> Result<()> {
    let mut value = key.value;
    if let Value::String(strings) = &mut value {
        let longest = strings.values.iter().map(|text| text.len() + 1).max().unwrap_or(0);
        // Without the attribute, MIDAS's usual room.
        strings.size = if key.size == 0 { strings.size } else { key.size.max(longest) };
    }
    match here(stack) {
        Some(directory) => draft.push(key.offset, entry(directory, false, key.name, item(value))),
        None => Ok(()),
    }
}

pub(super) fn write(save: &Save, path: &Path, directory: &Directory) -> Result<Vec<u8>> {
    let mut out = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n".to_vec();
    if let Some(comment) = &save.comment {
        // Two hyphens would end the comment; of three, two remain after the first turn.
        let comment = comment.replace("--", "- -").replace("--", "- -");
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
    value.write_exact(index, &mut text);
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
