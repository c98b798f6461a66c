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

mod draft;
pub(crate) mod json;
mod limits;
mod odb;
mod save;
mod xml;

pub use limits::Limits;
pub use save::Save;

use draft::{Draft, Text};

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
#[non_exhaustive]
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
    /// [`Error::UnknownDump`], or [`Error::Syntax`] with the place of the first damage.
    pub fn parse(bytes: &[u8]) -> Result<Dump> {
        Dump::parse_as(Kind::detect(bytes)?, bytes)
    }

    /// Reads a dump of a known form.
    ///
    /// # Errors
    /// [`Error::Syntax`] with the place of the first damage.
    pub fn parse_as(kind: Kind, bytes: &[u8]) -> Result<Dump> {
        match Dump::read(kind, bytes, &Limits::default()) {
            (dump, None) => Ok(dump),
            (_, Some(damage)) => Err(damage),
        }
    }

    /// Reads a dump as far as it can be read: the keys before the first damage, and the damage,
    /// an [`Error::Syntax`]. What is wrong with one key only is a remark, and reading goes on.
    pub fn read(kind: Kind, bytes: &[u8], limits: &Limits) -> (Dump, Option<Error>) {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        let mut draft = Draft::new(Text { kind, bytes: &bytes[..end] }, limits);
        let read = match kind {
            Kind::Odb => odb::parse(&mut draft),
            Kind::Xml => xml::parse(&mut draft),
            Kind::Json => json::parse(&mut draft),
        };
        let unread = bytes[end..].iter().filter(|&&byte| byte != 0).count();
        if unread > 0 {
            draft.remark(end, || format!("a NUL ends the dump, but {unread} bytes of text follow"));
        }
        (draft.dump, read.err())
    }

    /// The dump as a tree of its own, with everything where it was saved; for looking at the ODB of
    /// a run file. Keys that no tree can hold are left out.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        tree.load(self, &Load { exact: true, ..Load::default() });
        tree
    }
}

#[cfg(test)]
mod tests;
