//! What differs between two trees, as lines: for people, and as JSON for machines.
//!
//! ```
//! use pactolus_odb::{Tree, diff};
//! let mut before = Tree::new();
//! before.create("/Runinfo/State", 1)?;
//! let mut after = before.clone();
//! after.set("/Runinfo/State", 3)?;
//! let lines = diff::lines(&before.diff(&after));
//! assert_eq!(diff::text(&lines), b"~ /Runinfo/State: 1 -> 3\n");
//! # Ok::<(), pactolus_odb::Error>(())
//! ```

use std::fmt::Write as _;

use crate::shell::plain;
use crate::{Difference, Index, Value};

/// Elements of one array that are shown; JSON has all.
const MOST: usize = 16;

/// Columns of a line.
const WIDTH: usize = 80;

/// One line of a comparison: a key, or an element of an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// `added`, `removed` or `changed`.
    change: &'static str,
    path: String,
    /// The element, where single elements of an array changed.
    index: Option<usize>,
    left: Option<Side>,
    right: Option<Side>,
}

/// What one of the two has.
#[derive(Clone, Debug, PartialEq)]
struct Side {
    tid: &'static str,
    /// Elements of the whole key.
    len: usize,
    /// Bytes reserved for each string.
    size: Option<usize>,
    /// As MIDAS prints them.
    values: Vec<String>,
}

/// Differences as lines; arrays that differ in single elements have one for each of them.
pub fn lines(differences: &[Difference]) -> Vec<Line> {
    differences.iter().flat_map(of).collect()
}

/// As [`lines`], where only these elements count.
pub(crate) fn lines_of(differences: &[Difference], elements: Index) -> Vec<Line> {
    let (first, last) = match elements {
        Index::One(index) => (index, index),
        Index::Range(first, last) => (first, last),
        Index::All => (0, usize::MAX),
    };
    let changed = |difference: &&Difference| {
        let (left, right) = (difference.left.as_ref(), difference.right.as_ref());
        let longest = left.map_or(0, Value::len).max(right.map_or(0, Value::len));
        (first..longest.min(last.saturating_add(1))).any(|index| {
            match (left.and_then(|value| value.element(index)), right.and_then(|value| value.element(index)))
            {
                (Some(a), Some(b)) => !a.same(&b),
                _ => true,
            }
        })
    };
    let mut lines: Vec<Line> = differences.iter().filter(changed).flat_map(of).collect();
    lines.retain(|line| line.index.is_none_or(|index| (first..=last).contains(&index)));
    lines
}

/// Lines as [`text`], or as [`json`].
pub fn page(lines: &[Line], as_json: bool) -> Vec<u8> {
    if as_json { json(lines) } else { text(lines) }
}

/// Lines for people: `-` for what only the left has, `+` for what only the right has, `~` for
/// another value, type or length. Of one array, 16 elements are shown.
pub fn text(lines: &[Line]) -> Vec<u8> {
    let mut out = String::new();
    for of_key in lines.chunk_by(|a, b| a.index.is_some() && a.path == b.path) {
        of_key.iter().take(MOST).for_each(|line| line.print(&mut out));
        if let Some(more @ 1..) = of_key.len().checked_sub(MOST) {
            let s = if more == 1 { "" } else { "s" };
            out += &format!("~ {}: and {more} more element{s}\n", of_key[0].path);
        }
    }
    out.into_bytes()
}

/// One JSON object per line: `change` (`added`, `removed`, `changed`), `path`, `index` of an element,
/// `left` and `right` with `type`, `len`, `size` of strings, and `values` as text.
pub fn json(lines: &[Line]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        line.json(&mut out);
        out.push(b'\n');
    }
    out
}

impl Side {
    fn of(value: &Value, index: Option<usize>) -> Side {
        let range = index.map_or(0..value.len(), |index| index..index + 1);
        let size = matches!(value, Value::String(_)).then(|| value.item_size());
        let values = range.map(|index| exact(value, index)).collect();
        Side { tid: value.tid().name(), len: value.len(), size, values }
    }

    /// A value, with its type and sizes where they matter: `INT 5`, `WORD[3] 1 2 3`, `STRING(32) "x"`.
    fn show(&self, with_type: bool) -> String {
        let is_text = matches!(self.tid, "STRING" | "LINK" | "CHAR");
        let element =
            |value: &String| if is_text { format!("\"{}\"", escaped(value)) } else { value.clone() };
        let values: Vec<String> = self.values.iter().take(64).map(element).collect();
        let values = values.join(" ");
        if !with_type {
            return values;
        }
        let len = if self.len == 1 { String::new() } else { format!("[{}]", self.len) };
        let size = self.size.map_or_else(String::new, |size| format!("({size})"));
        format!("{}{size}{len} {values}", self.tid).trim_end().to_owned()
    }

    fn json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{{\"type\":\"{}\",\"len\":{}", self.tid, self.len).as_bytes());
        if let Some(size) = self.size {
            out.extend_from_slice(format!(",\"size\":{size}").as_bytes());
        }
        out.extend_from_slice(b",\"values\":");
        plain::list(&self.values, out, |value, out| plain::text(value.as_bytes(), out));
        out.push(b'}');
    }
}

/// An element with as many digits as tell it from its neighbours; a BITFIELD as a number.
fn exact(value: &Value, index: usize) -> String {
    match value {
        Value::Float(a) => a.get(index).map(|x| short(&format!("{x:?}"))).unwrap_or_default(),
        Value::Double(a) => a.get(index).map(|x| short(&format!("{x:?}"))).unwrap_or_default(),
        Value::Bitfield(a) => a.get(index).map(|x| format!("{x:#04x}")).unwrap_or_default(),
        value => value.text(index),
    }
}

/// A number without the `.0` that Rust adds to whole ones.
fn short(number: &str) -> String {
    number.strip_suffix(".0").unwrap_or(number).to_owned()
}

fn of(difference: &Difference) -> Vec<Line> {
    let path = difference.path.to_string();
    let make = |change, index: Option<usize>| {
        let side = |value: &Option<Value>| value.as_ref().map(|value| Side::of(value, index));
        Line {
            change,
            path: path.clone(),
            index,
            left: side(&difference.left),
            right: side(&difference.right),
        }
    };
    match (&difference.left, &difference.right) {
        (Some(_), None) => vec![make("removed", None)],
        (None, Some(_)) => vec![make("added", None)],
        // Another room of strings is a difference of the whole key.
        (Some(left), Some(right)) if left.item_size() == right.item_size() => match difference.elements() {
            Some(elements) => elements.into_iter().map(|index| make("changed", Some(index))).collect(),
            None => vec![make("changed", None)],
        },
        (Some(_), Some(_)) => vec![make("changed", None)],
        (None, None) => Vec::new(),
    }
}

impl Line {
    fn print(&self, out: &mut String) {
        let sign = match self.change {
            "removed" => '-',
            "added" => '+',
            _ => '~',
        };
        let index = self.index.map_or_else(String::new, |index| format!("[{index}]"));
        let head = format!("{sign} {}{index}", escaped(&self.path));
        let (left, right) = (self.left.as_ref(), self.right.as_ref());
        let with_type = match (left, right) {
            (Some(a), Some(b)) => a.tid != b.tid || a.len != b.len || a.size != b.size,
            _ => true,
        };
        let shown = |side: Option<&Side>| side.map(|side| side.show(with_type));
        let width = |texts: &[&str]| texts.iter().map(|text| text.chars().count()).sum::<usize>();
        // Writing into a string cannot fail.
        let _ = match (shown(left), shown(right)) {
            (Some(a), Some(b)) if width(&[&head, &a, &b]) + 6 <= WIDTH => writeln!(out, "{head}: {a} -> {b}"),
            (Some(a), Some(b)) => {
                writeln!(out, "{head}:\n    {}\n -> {}", cut(&a, WIDTH - 4), cut(&b, WIDTH - 4))
            }
            (one, other) => {
                let value = one.or(other).unwrap_or_default();
                if width(&[&head, &value]) + 2 <= WIDTH {
                    writeln!(out, "{head}: {value}")
                } else {
                    writeln!(out, "{head}:\n    {}", cut(&value, WIDTH - 4))
                }
            }
        };
    }

    fn json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{{\"change\":\"{}\",\"path\":", self.change).as_bytes());
        plain::text(self.path.as_bytes(), out);
        if let Some(index) = self.index {
            out.extend_from_slice(format!(",\"index\":{index}").as_bytes());
        }
        for (name, side) in [("left", &self.left), ("right", &self.right)] {
            if let Some(side) = side {
                out.extend_from_slice(format!(",\"{name}\":").as_bytes());
                side.json(out);
            }
        }
        out.push(b'}');
    }
}

/// Text that cannot move the cursor of a terminal.
fn escaped(text: &str) -> String {
    let one = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    text.chars().map(one).collect()
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let some: String = text.chars().take(width - 4).collect();
    format!("{} ...", some.trim_end())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;
    use crate::Tree;

    #[test]
    fn every_kind_of_change_has_its_line() {
        let mut left = Tree::new();
        left.create("/a/same", 1).unwrap();
        left.create("/a/number", 5).unwrap();
        left.create("/a/array", vec![1u16, 2, 3]).unwrap();
        left.create("/a/gone", true).unwrap();
        left.create("/a/text", "\u{1b}[2J").unwrap();
        let mut right = left.clone();
        right.set("/a/number", 6).unwrap();
        right.set("/a/array[1]", 7).unwrap();
        right.delete("/a/gone").unwrap();
        right.replace("/a/text", 2.5).unwrap();
        let lines = lines(&left.diff(&right));
        let wanted = "~ /a/number: 5 -> 6\n~ /a/array[1]: 2 -> 7\n- /a/gone: BOOL y\n\
            ~ /a/text: STRING(32) \"\\u{1b}[2J\" -> DOUBLE 2.5\n";
        assert_eq!(String::from_utf8(text(&lines)).unwrap(), wanted);
        let json = String::from_utf8(json(&lines)).unwrap();
        let json: Vec<&str> = json.lines().collect();
        assert_eq!(
            json[1],
            r#"{"change":"changed","path":"/a/array","index":1,"left":{"type":"WORD","len":3,"values":["2"]},"right":{"type":"WORD","len":3,"values":["7"]}}"#
        );
        assert_eq!(
            json[3],
            r#"{"change":"changed","path":"/a/text","left":{"type":"STRING","len":1,"size":32,"values":["\u001b[2J"]},"right":{"type":"DOUBLE","len":1,"values":["2.5"]}}"#
        );
    }
}
