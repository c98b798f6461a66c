//! ASCII dumps, `.odb`.
//!
//! ```text
//! [/Equipment/Trigger/Variables]          a section: the directory of what follows
//! Count = INT : 5                         one value
//! ADC0 = WORD[2] :                        an array: each element with its index
//! [0] 446
//! [1] 1017
//! Name = STRING : [32] text               a string: the bytes reserved for it, then the text
//! Names = STRING[2] :                     an array of strings: each with its size, not its index
//! [40] first
//! [40] second
//! Long = STRING : [====#$@$#====]         a string of several lines
//! line 1
//! line 2
//! ====#$@$#====
//! ; comment                               lines without `=` are passed over too
//! ```
//! Source: what `odbedit` of MIDAS 2017 writes and reads.

use std::sync::Arc;

use pactolus_formats::Tid;

use super::draft::{Draft, Text, array, entry};
use super::{Item, Save};
use crate::key::{Content, Directory};
use crate::value::Strings;
use crate::{Error, Path, Result, Value, spelling};

/// Around strings of several lines.
const FENCE: &[u8] = b"====#$@$#====";

/// One line, without its end.
#[derive(Clone, Copy)]
struct Line<'a> {
    offset: usize,
    bytes: &'a [u8],
}

#[derive(Clone, Copy)]
struct Lines<'a> {
    text: Text<'a>,
    offset: usize,
    /// Do lines end in CR LF? A CR in a file of LF lines belongs to a string.
    crlf: bool,
}

impl<'a> Lines<'a> {
    fn new(text: Text<'a>) -> Lines<'a> {
        let first = text.bytes.split(|&byte| byte == b'\n').next();
        Lines { text, offset: 0, crlf: first.is_some_and(|line| line.ends_with(b"\r")) }
    }

    fn peek(&self) -> Option<Line<'a>> {
        let rest = &self.text.bytes[self.offset..];
        let bytes = rest.split(|&byte| byte == b'\n').next().filter(|_| !rest.is_empty())?;
        Some(Line { offset: self.offset, bytes })
    }

    fn skip(&mut self, line: Line<'a>) {
        self.offset = (line.offset + line.bytes.len() + 1).min(self.text.bytes.len());
    }

    fn cut(&self, line: Line<'a>) -> Line<'a> {
        let bytes = if self.crlf { line.bytes.strip_suffix(b"\r").unwrap_or(line.bytes) } else { line.bytes };
        Line { bytes, ..line }
    }

    fn next(&mut self) -> Option<Line<'a>> {
        let line = self.peek()?;
        self.skip(line);
        Some(self.cut(line))
    }

    /// The next line, if it is one that `wanted` accepts.
    fn next_if(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Option<Line<'a>> {
        let line = self.cut(self.peek()?);
        if wanted(line.bytes) { self.next() } else { None }
    }
}

/// `name = TYPE[len] : value`, taken apart.
struct Assignment<'a> {
    name: &'a [u8],
    tid: Tid,
    /// The number in brackets behind the type.
    len: Option<usize>,
    value: &'a [u8],
}

pub(super) fn parse(draft: &mut Draft<'_>) -> Result<()> {
    let mut lines = Lines::new(draft.text);
    // The section, and whether its title began with a slash; none while its title is broken.
    let mut here = Some((Arc::new(Path::ROOT), false));
    while let Some(line) = lines.next() {
        if line.bytes.trim_ascii().is_empty() || line.bytes.starts_with(b";") {
            continue;
        }
        if line.bytes.starts_with(b"[") {
            match section(line.bytes) {
                Some(title) => here = open(title, line, draft)?,
                // What is left of an array longer than it claims.
                None if number_in_brackets(line.bytes).is_some() => {
                    draft.remark(line.offset, || "an element without an array".to_owned());
                }
                None => {
                    let what = "a section title without ']': its keys are passed over";
                    draft.remark(line.offset, || what.to_owned());
                    here = None;
                }
            }
            continue;
        }
        let Some(found) = assignment(line.bytes) else {
            match valueless(line.bytes) {
                Some((name, spelled)) => draft.valueless(line.offset, &name, &spelled),
                None => {
                    let what = "neither a section nor 'name = TYPE : value'";
                    draft.remark(line.offset, || what.to_owned());
                }
            }
            continue;
        };
        let name = draft.name(line.offset, found.name);
        // Read in any case: its further lines are no keys.
        let item = item(&found, line, &mut lines, draft)?;
        if let (Some((directory, absolute)), Some(name)) = (&here, name) {
            draft.push(line.offset, entry(Arc::clone(directory), *absolute, name, item))?;
        }
    }
    Ok(())
}

/// The directory that a section title names; none if its name is no name.
fn open(title: &[u8], line: Line<'_>, draft: &mut Draft<'_>) -> Result<Option<(Arc<Path>, bool)>> {
    let title = spelling::from_bytes(title);
    match Path::parse(&title) {
        Ok(path) => {
            draft.depth(line.offset, path.names().len())?;
            Ok(Some((Arc::new(path), title.starts_with('/'))))
        }
        Err(Error::Name { name, why }) => {
            let error = Error::Name { name, why };
            draft.remark(line.offset, || format!("{error}: the keys of this section are passed over"));
            Ok(None)
        }
        Err(other) => draft.placed(line.offset, Err(other)),
    }
}

fn section(line: &[u8]) -> Option<&[u8]> {
    line.trim_ascii_end().strip_prefix(b"[")?.strip_suffix(b"]")
}

/// Takes a line apart at the first `=` that a type and a colon follow: names may hold `=`, and so
/// may strings.
fn assignment(line: &[u8]) -> Option<Assignment<'_>> {
    let places = line.iter().enumerate().filter(|(_, byte)| **byte == b'=').map(|(at, _)| at);
    // A type stands within a few characters, so that a line of many `=` is looked at but once.
    places.take(64).find_map(|at| {
        let rest = line[at + 1..].trim_ascii_start();
        let letters = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let tid = Tid::from_name(std::str::from_utf8(&rest[..letters]).ok()?)?;
        let mut rest = &rest[letters..];
        let mut len = None;
        if let Some(brackets) = rest.strip_prefix(b"[") {
            let end = brackets.iter().position(|&byte| byte == b']')?;
            len = Some(std::str::from_utf8(&brackets[..end]).ok()?.trim().parse().ok()?);
            rest = &brackets[end + 1..];
        }
        let value = rest.trim_ascii_start().strip_prefix(b":")?;
        // One blank belongs to the format, further ones to the value.
        let value = value.strip_prefix(b" ").unwrap_or(value);
        Value::empty(tid)?;
        Some(Assignment { name: line[..at].trim_ascii(), tid, len, value })
    })
}

/// Name and type of a key whose type has no values, or is none.
fn valueless(line: &[u8]) -> Option<(String, String)> {
    let at = line.iter().position(|&byte| byte == b'=')?;
    let rest = line[at + 1..].trim_ascii_start();
    let letters = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (spelled, rest) = rest.split_at(letters);
    let rest = bracket(rest).map_or(rest, |(_, rest)| rest).trim_ascii_start();
    let tid = std::str::from_utf8(spelled).ok().and_then(Tid::from_name);
    let has_values = tid.and_then(Value::empty).is_some();
    let found = !spelled.is_empty() && rest.starts_with(b":") && !has_values;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(64).collect();
    found.then(|| (text(line[..at].trim_ascii()), text(spelled)))
}

fn item(
    found: &Assignment<'_>,
    line: Line<'_>,
    lines: &mut Lines<'_>,
    draft: &mut Draft<'_>,
) -> Result<Item> {
    let bracketed = bracket(found.value);
    Ok(match (found.tid, found.len) {
        (Tid::String, None) if bracketed.is_some_and(|(inside, _)| inside == FENCE) => {
            Item::Value(Value::String(fenced(line, lines, draft)?))
        }
        (Tid::String, None) => {
            let (size, text) = sized(found.value);
            draft.element(line.offset, 0, text.len())?;
            Item::Value(Value::String(Strings {
                size: size.max(text.len() + 1),
                values: vec![text.to_vec()],
            }))
        }
        (Tid::Link, None) => {
            let (_, target) = sized(found.value);
            draft.element(line.offset, 0, target.len())?;
            Item::Value(Value::Link(target.to_vec()))
        }
        // An empty array has no lines: one in brackets would be a section.
        (Tid::String, Some(0)) => Item::Value(Value::String(Strings { size: 32, values: Vec::new() })),
        (Tid::String, Some(len)) => strings(len, lines, draft)?,
        (Tid::Link, Some(_)) => Item::Value(Value::Link(Vec::new())),
        (tid, None) => {
            let mut value = Value::empty(tid).unwrap_or(Value::Int(Vec::new()));
            value.push_text(found.value);
            Item::Value(value)
        }
        (tid, Some(len)) => numbers(tid, len, lines, draft)?,
    })
}

/// The elements of an array up to the length it claims; it ends early where a line is something else.
fn numbers(tid: Tid, len: usize, lines: &mut Lines<'_>, draft: &mut Draft<'_>) -> Result<Item> {
    let (mut value, mut indices) = (Value::empty(tid).unwrap_or(Value::Int(Vec::new())), Vec::new());
    while indices.len() < len {
        let is_element = |line: &[u8]| {
            let plain =
                !line.trim_ascii().is_empty() && !line.starts_with(b"[") && assignment(line).is_none();
            plain || number_in_brackets(line).is_some()
        };
        let Some(line) = lines.next_if(is_element) else { break };
        // Numbers take no more than this each, whatever their text.
        draft.element(line.offset, indices.len(), 0)?;
        match number_in_brackets(line.bytes) {
            Some((index, text)) => {
                indices.push(index);
                value.push_text(text);
            }
            None => {
                indices.push(indices.last().map_or(0, |last: &usize| last.saturating_add(1)));
                value.push_text(line.bytes);
            }
        }
    }
    if indices.len() < len {
        draft.remark(lines.offset, || format!("an array of {len} ends after {}", indices.len()));
    }
    Ok(array(indices, value, len))
}

/// Strings of an array. Lines without a size in brackets continue the string before them: `odbedit`
/// writes strings of several lines so.
fn strings(len: usize, lines: &mut Lines<'_>, draft: &mut Draft<'_>) -> Result<Item> {
    let mut strings = Strings { size: 32, values: Vec::new() };
    loop {
        if let Some(line) = lines.next_if(|line| number_in_brackets(line).is_some()) {
            let (size, text) = sized(line.bytes);
            draft.element(line.offset, strings.values.len(), text.len())?;
            if strings.values.is_empty() {
                strings.size = size;
            }
            strings.size = strings.size.max(text.len() + 1);
            strings.values.push(text.to_vec());
            if strings.values.len() == len {
                break;
            }
            continue;
        }
        // After the last string nothing tells a further line of it from a key that follows. Blank
        // lines belong to what comes behind them.
        let Some(last) = strings.values.last_mut() else { break };
        let mut ahead = *lines;
        let mut blank = 0;
        while ahead.next_if(<[u8]>::is_empty).is_some() {
            blank += 1;
        }
        let is_text = |line: &[u8]| section(line).is_none() && assignment(line).is_none();
        let goes_on = |line: &[u8]| number_in_brackets(line).is_some() || is_text(line);
        if !ahead.peek().is_some_and(|line| goes_on(ahead.cut(line).bytes)) {
            break;
        }
        draft.string(lines.offset, last.len() + blank)?;
        draft.spend(lines.offset, blank)?;
        last.resize(last.len() + blank, b'\n');
        if let Some(line) = ahead.next_if(|line| number_in_brackets(line).is_none()) {
            draft.string(line.offset, last.len() + line.bytes.len() + 1)?;
            draft.spend(line.offset, line.bytes.len() + 1)?;
            last.push(b'\n');
            last.extend_from_slice(line.bytes);
        }
        strings.size = strings.size.max(last.len() + 1);
        *lines = ahead;
    }
    if strings.values.len() < len {
        let found = strings.values.len();
        draft.remark(lines.offset, || format!("an array of {len} ends after {found}"));
    }
    let indices = (0..strings.values.len()).collect();
    Ok(array(indices, Value::String(strings), len))
}

fn fenced(start: Line<'_>, lines: &mut Lines<'_>, draft: &mut Draft<'_>) -> Result<Strings> {
    let mut text: Vec<u8> = Vec::new();
    let mut first = true;
    loop {
        let Some(line) = lines.next() else {
            return Err(lines.text.error(start.offset, "a string of several lines that does not end"));
        };
        if line.bytes.trim_ascii_end() == FENCE {
            break;
        }
        draft.string(line.offset, text.len() + line.bytes.len() + 1)?;
        draft.spend(line.offset, line.bytes.len() + 1)?;
        if !std::mem::take(&mut first) {
            text.push(b'\n');
        }
        text.extend_from_slice(line.bytes);
    }
    Ok(Strings { size: text.len() + 1, values: vec![text] })
}

/// What stands in the brackets a text begins with, and what follows them.
fn bracket(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_prefix(b"[")?;
    let end = inside.iter().position(|&byte| byte == b']')?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// `[3] text` as 3 and the text; one blank belongs to the format.
fn number_in_brackets(text: &[u8]) -> Option<(usize, &[u8])> {
    let (inside, rest) = bracket(text)?;
    let digits = !inside.is_empty() && inside.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(inside).ok().filter(|_| digits)?.parse().ok()?;
    Some((number, rest.strip_prefix(b" ").unwrap_or(rest)))
}

/// `[32] text` as the size and the text; a text alone has MIDAS's usual 32.
fn sized(text: &[u8]) -> (usize, &[u8]) {
    // A size only reserves room on paper: nothing is allocated by it. It stays within what a
    // MIDAS ODB can hold.
    number_in_brackets(text).map_or((32, text), |(size, text)| (size.min(Value::MAX_LEN), text))
}

pub(super) fn write(save: &Save, path: &Path, directory: &Directory) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let title = if save.absolute { path.clone() } else { Path::ROOT };
    write_directory(save, &title, directory, &mut out)?;
    Ok(out)
}

fn write_directory(save: &Save, path: &Path, directory: &Directory, out: &mut Vec<u8>) -> Result<()> {
    // A section opens with its first key, and again after each directory in between.
    let mut open = false;
    for key in directory.iter() {
        let at = path.child(key.name())?;
        match key.content() {
            Content::Directory(below) => {
                if std::mem::take(&mut open) {
                    out.push(b'\n');
                }
                write_directory(save, &at, below, out)?;
            }
            Content::Value(value) => {
                if !std::mem::replace(&mut open, true) {
                    write_title(save, path, out);
                }
                let start = out.len();
                out.extend_from_slice(&spelling::to_bytes(key.name()));
                // The name must be found again in the line.
                let probe = [&out[start..], b" = INT : 0"].concat();
                let sound = !probe.starts_with(b"[") && !probe.starts_with(b";");
                if !sound || assignment(&probe).is_none_or(|found| found.name != &out[start..]) {
                    return unwritable(&at, "its name would not be found again");
                }
                write_value(&at, value, out)?;
            }
        }
    }
    if open {
        out.push(b'\n');
    }
    Ok(())
}

fn write_title(save: &Save, path: &Path, out: &mut Vec<u8>) {
    let title = match (save.absolute, path.is_root()) {
        (true, _) => path.to_string(),
        (false, true) => ".".to_owned(),
        (false, false) => path.relative(),
    };
    out.push(b'[');
    out.extend_from_slice(&spelling::to_bytes(&title));
    out.extend_from_slice(b"]\n");
}

fn write_value(path: &Path, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    let len = value.len();
    let count = if len == 1 { String::new() } else { format!("[{len}]") };
    out.extend_from_slice(format!(" = {}{count} :", value.tid()).as_bytes());
    out.push(if len == 1 { b' ' } else { b'\n' });
    for index in 0..len {
        match value {
            Value::String(_) | Value::Link(_) => {
                let text = value.bytes(index).unwrap_or(b"");
                if text.contains(&0) {
                    return unwritable(path, "a string holds a NUL");
                }
                if text.contains(&b'\n') {
                    if matches!(value, Value::Link(_)) {
                        return unwritable(path, "the target of a link holds a line end");
                    }
                    if len > 1 {
                        return unwritable(path, "an array of strings holds a line end");
                    }
                    write_fenced(path, text, out)?;
                    continue;
                }
                out.extend_from_slice(format!("[{}] ", value.item_size()).as_bytes());
            }
            Value::Char(text) if text.get(index) == Some(&b'\n') => {
                return unwritable(path, "a character is a line end");
            }
            Value::Bitfield(bits) if bits.iter().any(|&bits| bits != 0) => {
                return unwritable(path, "bitfields have no text");
            }
            _ if len == 1 => {}
            _ => out.extend_from_slice(format!("[{index}] ").as_bytes()),
        }
        value.write_exact(index, out);
        out.push(b'\n');
    }
    Ok(())
}

fn write_fenced(path: &Path, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    if text.split(|&byte| byte == b'\n').any(|line| line.trim_ascii_end() == FENCE) {
        return unwritable(path, "a line of the string looks like its end");
    }
    out.push(b'[');
    out.extend_from_slice(FENCE);
    out.extend_from_slice(b"]\n");
    out.extend_from_slice(text);
    out.push(b'\n');
    out.extend_from_slice(FENCE);
    out.push(b'\n');
    Ok(())
}

fn unwritable<T>(path: &Path, why: &'static str) -> Result<T> {
    Err(Error::Unwritable { kind: super::Kind::Odb, path: path.to_string(), why })
}
