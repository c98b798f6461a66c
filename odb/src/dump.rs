//! The text forms of a tree: ASCII `.odb`, XML and JSON.
//!
//! They are what `odbedit save` writes, what loggers put into run files, and what people edit. All
//! are read tolerantly, since real files are not well-formed: Latin-1 and control characters stand
//! raw in XML and JSON, strings are cut, arrays end early. What was passed over is noted in
//! [`Dump::remarks`].

use std::fmt;
use std::sync::Arc;

use crate::key::Mode;
use crate::{Error, Load, Path, Result, Tree, Value};

mod json;
mod odb;
mod save;
mod xml;

pub use save::Save;

/// A text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ASCII, `.odb`.
    Odb,
    /// `.xml`.
    Xml,
    /// `.json`.
    Json,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Odb => ".odb",
            Kind::Xml => "XML",
            Kind::Json => "JSON",
        })
    }
}

impl Kind {
    /// The form of these bytes: after white space, `<` is XML, `{` is JSON, `[` and `;` are ASCII.
    ///
    /// # Errors
    /// [`Error::UnknownDump`] for anything else.
    pub fn detect(bytes: &[u8]) -> Result<Kind> {
        let offset = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let found = match bytes.get(offset) {
            Some(b'<') => return Ok(Kind::Xml),
            Some(b'{') => return Ok(Kind::Json),
            Some(b'[' | b';') => return Ok(Kind::Odb),
            Some(byte) => format!("'{}'", byte.escape_ascii()),
            None => "the end".to_owned(),
        };
        Err(Error::UnknownDump { found, offset })
    }
}

/// A dump read from its text: keys in their order, each with its place.
#[derive(Clone, Debug)]
pub struct Dump {
    /// The form it was in.
    pub kind: Kind,
    /// The directory that was saved, if the dump says: XML in its root element, JSON in
    /// `/ODB path`. The entries are relative to it.
    pub root: Option<Path>,
    /// Keys and directories in the order of the dump, a directory before what is in it.
    pub entries: Vec<Entry>,
    /// What was passed over.
    pub remarks: Vec<Remark>,
}

/// One key or directory of a dump.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The directory it is in.
    pub directory: Arc<Path>,
    /// Is that directory given from the root of the tree, or from where the dump is loaded?
    pub absolute: bool,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub item: Item,
    /// Its access mode, where the dump says (JSON).
    pub mode: Option<Mode>,
    /// When it was last written [Unix seconds], where the dump says (JSON).
    pub last_written: Option<u32>,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A directory.
    Directory,
    /// A whole value.
    Value(Value),
    /// Some elements of an array: which, and their values in the same order.
    Elements(Vec<usize>, Value),
}

/// Something in a dump that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Line, from 1.
    pub line: usize,
    /// Byte offset, from 0.
    pub offset: usize,
    /// What it was.
    pub what: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} (byte {}): {}", self.line, self.offset, self.what)
    }
}

impl Dump {
    /// Reads a dump of any form; the first bytes say which. It ends at the first NUL, as in run
    /// files.
    ///
    /// # Errors
    /// [`Error::UnknownDump`], or [`Error::Syntax`] with the place.
    pub fn parse(bytes: &[u8]) -> Result<Dump> {
        Dump::parse_as(Kind::detect(bytes)?, bytes)
    }

    /// Reads a dump of a known form.
    ///
    /// # Errors
    /// [`Error::Syntax`] with the place.
    pub fn parse_as(kind: Kind, bytes: &[u8]) -> Result<Dump> {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        let text = Text { kind, bytes: &bytes[..end] };
        let mut dump = Dump { kind, root: None, entries: Vec::new(), remarks: Vec::new() };
        match kind {
            Kind::Odb => odb::parse(text, &mut dump)?,
            Kind::Xml => xml::parse(text, &mut dump)?,
            Kind::Json => json::parse(text, &mut dump)?,
        }
        Ok(dump)
    }

    /// The dump as a tree of its own, with everything where it was saved; for looking at the ODB of
    /// a run file. Keys that no tree can hold are left out.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        tree.load(self, &Load { exact: true, ..Load::default() });
        tree
    }
}

/// The bytes of a dump, for parsers: they point into it by offset.
#[derive(Clone, Copy)]
struct Text<'a> {
    kind: Kind,
    bytes: &'a [u8],
}

impl Text<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.bytes[..offset.min(self.bytes.len())].iter().filter(|&&byte| byte == b'\n').count()
    }

    fn error(&self, offset: usize, what: impl Into<String>) -> Error {
        Error::Syntax { kind: self.kind, line: self.line(offset), offset, what: what.into() }
    }

    /// Passes an error about a name or a path on with its place.
    fn placed<T>(&self, offset: usize, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.error(offset, error.to_string()))
    }
}

/// Remarks a dump may have; what follows is as broken as what came before.
const MAX_REMARKS: usize = 100;

impl Dump {
    fn remark(&mut self, text: Text<'_>, offset: usize, what: impl FnOnce() -> String) {
        // Counting lines for each of a million broken ones would take for ever.
        if self.remarks.len() < MAX_REMARKS {
            self.remarks.push(Remark { line: text.line(offset), offset, what: what() });
        }
    }

    /// Adds an array from elements that carry their index: whole if none is missing.
    fn array(indices: Vec<usize>, value: Value, claimed: usize) -> Item {
        if claimed == indices.len() && indices.iter().enumerate().all(|(at, index)| at == *index) {
            return Item::Value(value);
        }
        Item::Elements(indices, value)
    }
}

#[cfg(test)]
mod tests;
