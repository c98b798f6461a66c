//! The lines of `ls`, in the columns of `odbedit`.
//!
//! ```text
//! Key name                        Type    #Val  Size  Last Opn Mode Value
//! 0                               32      40    46    52   57  61   66
//! ```
//! Source: listings of MIDAS 2017 (`Types_ls.txt`). Where they are faulty, these lines differ: a
//! name that does not fit stands on a line of its own, as `odbedit` writes long links, instead of
//! showing through between the columns; and text is not cut at 255 bytes.

use super::{Paint, pattern};
use crate::key::{Content, Key};
use crate::{Index, Mode, Path, Tree, Value, spelling};

/// Column of the type, or of the value in a short listing.
const TYPE: usize = 32;
const LEN: usize = 40;
const SIZE: usize = 46;
const LAST: usize = 52;
const OPEN: usize = 57;
const MODE: usize = 61;
const VALUE: usize = 66;
/// Columns of the elements of an array: index and value.
const INDEX: usize = 40;
const ELEMENT: usize = 56;

const HEAD: &str = "\
Key name                        Type    #Val  Size  Last Opn Mode Value
---------------------------------------------------------------------------
";

/// Bytes of a directory in `odbedit`'s listing of a link to one: MIDAS's `KEYLIST`.
const DIRECTORY_SIZE: usize = 12;

/// In place of a value.
const LOST: &str = "<cannot resolve link>";
const HIDDEN: &str = "<no read access>";

/// What is listed of each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Name and value.
    Short,
    /// Everything.
    Long,
    /// The value alone.
    Values,
}

/// A listing that is being written.
pub(super) struct Listing<'t> {
    tree: &'t Tree,
    /// The time \[Unix seconds].
    now: u32,
    look: Look,
    /// Only keys of such names.
    pattern: Option<String>,
    paint: &'t dyn Fn(Paint, &[u8]) -> Vec<u8>,
    out: Vec<u8>,
}

impl<'t> Listing<'t> {
    pub(super) fn new(
        tree: &'t Tree,
        now: u32,
        look: Look,
        pattern: Option<String>,
        paint: &'t dyn Fn(Paint, &[u8]) -> Vec<u8>,
    ) -> Listing<'t> {
        let out = if look == Look::Long { HEAD.into() } else { Vec::new() };
        Listing { tree, now, look, pattern, paint, out }
    }

    fn is_long(&self) -> bool {
        self.look == Look::Long
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// A key and everything below it.
    pub(super) fn branch(&mut self, level: usize, key: &Key, path: &Path) {
        self.key(level, key, path);
        for below in key.directory().into_iter().flat_map(|directory| directory.iter()) {
            if let Ok(path) = path.child(below.name()) {
                self.branch(level + 1, below, &path);
            }
        }
    }

    /// A key, or nothing if its name does not match.
    pub(super) fn key(&mut self, level: usize, key: &Key, path: &Path) {
        if self.pattern.as_ref().is_some_and(|wanted| !pattern::matches(wanted, key.name())) {
            return;
        }
        if self.look == Look::Values {
            return self.only_values(key, path);
        }
        let mut line = Line::default();
        let name = spelling::to_bytes(name(key));
        line.at(4 * level, &name);
        match key.content() {
            Content::Directory(_) => line.repaint(&name, &(self.paint)(Paint::Directory, &name)),
            Content::Value(Value::Link(_)) => line.repaint(&name, &(self.paint)(Paint::Link, &name)),
            Content::Value(_) => {}
        }
        let mut shown = Shown::of(key);
        if let Some(Value::Link(target)) = key.value() {
            line.add(b" -> ");
            line.add(target);
            if let Ok(found) = self.tree.find(&path.to_string()) {
                shown = Shown::target(found.key, found.index);
            } else {
                shown.note = Some(LOST);
            }
        } else if key.directory().is_some() && !self.is_long() {
            return self.end(line);
        }
        if line.width >= TYPE {
            self.end(std::mem::take(&mut line));
        }
        if key.directory().is_some() {
            line.at(TYPE, b"DIR");
            return self.end(line);
        }
        self.values(line, &shown);
    }

    /// The elements of a key alone, or of what a link leads to.
    fn only_values(&mut self, key: &Key, path: &Path) {
        let shown = match (key.value(), self.tree.find(&path.to_string())) {
            (Some(Value::Link(_)), Ok(found)) => Shown::target(found.key, found.index),
            (Some(Value::Link(_)), Err(_)) => Shown { note: Some(LOST), ..Shown::of(key) },
            (Some(_), _) => Shown::of(key),
            (None, _) => return,
        };
        for index in 0..if shown.note.is_some() { 1 } else { shown.len } {
            self.out.extend(shown.text(index));
            self.out.push(b'\n');
        }
    }

    fn values(&mut self, mut line: Line, shown: &Shown<'_>) {
        let first = shown.text(0);
        let lines = shown.is_string() && first.contains(&b'\n');
        if self.is_long() {
            line.at(TYPE, shown.tid.as_bytes());
            line.at(LEN, shown.len.to_string().as_bytes());
            line.at(SIZE, shown.size.to_string().as_bytes());
            line.at(LAST, age(self.now.saturating_sub(shown.last_written)).as_bytes());
            // How many programs watch a key is no property of a tree.
            line.at(OPEN, b"0");
            for (letter, (bit, c)) in BITS.iter().enumerate() {
                if shown.mode.has(*bit) {
                    line.at(MODE + letter, &[*c]);
                }
            }
        }
        let column = if self.is_long() { VALUE } else { TYPE };
        if lines {
            line.at(column, b"<multi-line>");
        } else if shown.len == 1 || shown.note.is_some() {
            line.at(column, &first);
        } else if self.is_long() {
            line.at(column, b"");
        }
        self.end(line);
        if lines {
            self.out.extend_from_slice(&first);
            self.out.push(b'\n');
        }
        if shown.len == 1 || shown.note.is_some() {
            return;
        }
        for index in 0..shown.len {
            let mut line = Line::default();
            if self.is_long() {
                line.at(INDEX, format!("[{index}]").as_bytes());
            }
            line.at(if self.is_long() { ELEMENT } else { TYPE }, &shown.text(index));
            self.end(line);
        }
    }

    fn end(&mut self, line: Line) {
        self.out.extend_from_slice(&line.bytes);
        self.out.push(b'\n');
    }
}

const BITS: [(Mode, u8); 4] =
    [(Mode::READ, b'R'), (Mode::WRITE, b'W'), (Mode::DELETE, b'D'), (Mode::EXCLUSIVE, b'E')];

/// The name of a key; that of the root is MIDAS's.
fn name(key: &Key) -> &str {
    if key.name().is_empty() { "root" } else { key.name() }
}

/// What a line says of a key: its own, or of what a link leads to.
struct Shown<'k> {
    value: Option<&'k Value>,
    /// The only element that a link leads to.
    element: Option<usize>,
    note: Option<&'static str>,
    tid: &'static str,
    len: usize,
    size: usize,
    mode: Mode,
    last_written: u32,
}

impl<'k> Shown<'k> {
    fn of(key: &'k Key) -> Shown<'k> {
        let (mode, last_written, tid) = (key.mode(), key.last_written(), key.tid().name());
        let (value, note, len, size) = match key.content() {
            Content::Value(value) => {
                let note = (!mode.has(Mode::READ)).then_some(HIDDEN);
                (Some(value), note, value.len(), value.item_size())
            }
            Content::Directory(_) => (None, Some("<subdirectory>"), 1, DIRECTORY_SIZE),
        };
        Shown { value, element: None, note, tid, len, size, mode, last_written }
    }

    /// What a link leads to.
    fn target(key: &'k Key, index: Option<Index>) -> Shown<'k> {
        match index {
            Some(Index::One(element)) => Shown { element: Some(element), len: 1, ..Shown::of(key) },
            _ => Shown::of(key),
        }
    }

    fn is_string(&self) -> bool {
        matches!(self.value, Some(Value::String(_)))
    }

    fn text(&self, index: usize) -> Vec<u8> {
        let mut out = Vec::new();
        match (self.note, self.value) {
            (Some(note), _) => out.extend_from_slice(note.as_bytes()),
            (None, Some(value)) => value.write_text(self.element.unwrap_or(index), &mut out),
            (None, None) => {}
        }
        out
    }
}

/// How long ago, in four characters.
fn age(seconds: u32) -> String {
    let whole = |unit: f64| format!("{:.0}", f64::from(seconds) / unit);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", whole(60.0)),
        3600..86_400 => format!("{}h", whole(3600.0)),
        86_400..8_553_600 => format!("{}d", whole(86_400.0)),
        _ => ">99d".to_owned(),
    }
}

/// A line filled from left to right.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    /// Characters so far.
    width: usize,
}

impl Line {
    fn add(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.width += String::from_utf8_lossy(text).chars().count();
    }

    /// Gives the text at the end another look, which has no width of its own.
    fn repaint(&mut self, text: &[u8], painted: &[u8]) {
        self.bytes.truncate(self.bytes.len() - text.len());
        self.bytes.extend_from_slice(painted);
    }

    /// Adds text at a column; a blank parts it from what reaches into its column.
    fn at(&mut self, column: usize, text: &[u8]) {
        let blanks = column.saturating_sub(self.width);
        let touches = column < self.width || column == self.width && column > 0 && column < MODE;
        self.bytes.resize(self.bytes.len() + blanks + usize::from(touches), b' ');
        self.width += blanks + usize::from(touches);
        self.add(text);
    }
}

#[cfg(test)]
mod tests;
