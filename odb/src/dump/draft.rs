//! A dump while it is read: what every reader does alike.

use std::sync::Arc;

use super::{Dump, Entry, Item, Kind, Limits, Remark};
use crate::path::check_name;
use crate::{Error, MAX_DEPTH, Path, Result, Value, spelling};

/// The bytes of a dump; readers point into it by offset.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    pub(super) kind: Kind,
    pub(super) bytes: &'t [u8],
}

impl Text<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.bytes[..offset.min(self.bytes.len())].iter().filter(|&&byte| byte == b'\n').count()
    }

    pub(super) fn error(&self, offset: usize, what: impl Into<String>) -> Error {
        Error::Syntax { kind: self.kind, line: self.line(offset), offset, what: what.into() }
    }
}

/// Remarks a dump may have; what follows is as broken as what came before.
const MAX_REMARKS: usize = 100;

/// The dump so far, and what it has cost.
pub(super) struct Draft<'t> {
    pub(super) text: Text<'t>,
    pub(super) limits: Limits,
    pub(super) dump: Dump,
    spent: usize,
}

impl<'t> Draft<'t> {
    pub(super) fn new(text: Text<'t>, limits: &Limits) -> Draft<'t> {
        let limits = Limits { depth: limits.depth.min(MAX_DEPTH), ..*limits };
        let dump = Dump { kind: text.kind, root: None, entries: Vec::new(), remarks: Vec::new() };
        Draft { text, limits, dump, spent: 0 }
    }

    pub(super) fn remark(&mut self, offset: usize, what: impl FnOnce() -> String) {
        // Counting lines for each of a million broken ones would take for ever.
        if self.dump.remarks.len() < MAX_REMARKS {
            self.dump.remarks.push(Remark { line: self.text.line(offset), offset, what: what() });
        }
    }

    /// Adds a key or a directory.
    pub(super) fn push(&mut self, offset: usize, entry: Entry) -> Result<()> {
        self.count(offset, self.dump.entries.len(), self.limits.keys, "keys")?;
        // A tree and its report will hold the path once more for each key.
        let path: usize = entry.directory.names().iter().map(|name| name.len() + 24).sum();
        self.spend(offset, size_of::<Entry>() + entry.name.len() + path)?;
        self.dump.entries.push(entry);
        Ok(())
    }

    /// Counts memory that is about to be used.
    pub(super) fn spend(&mut self, offset: usize, bytes: usize) -> Result<()> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > self.limits.memory {
            let limit = self.limits.memory;
            return Err(self
                .text
                .error(offset, format!("at most {limit} bytes of memory expected, more needed")));
        }
        Ok(())
    }

    /// Is there room for an element of this many bytes of text behind `len` others?
    pub(super) fn element(&mut self, offset: usize, len: usize, bytes: usize) -> Result<()> {
        self.count(offset, len, self.limits.elements, "elements of a key")?;
        self.string(offset, bytes)?;
        self.spend(offset, 24 + bytes)
    }

    /// May a string have so many bytes?
    pub(super) fn string(&self, offset: usize, bytes: usize) -> Result<()> {
        self.count(offset, bytes.saturating_sub(1), self.limits.string, "bytes of a string")
    }

    fn count(&self, offset: usize, have: usize, limit: usize, what: &str) -> Result<()> {
        if have < limit {
            return Ok(());
        }
        Err(self.text.error(offset, format!("at most {limit} {what} expected, more found")))
    }

    /// The name of a key, or a remark why no key can have it.
    pub(super) fn name(&mut self, offset: usize, bytes: &[u8]) -> Option<String> {
        let name = spelling::from_bytes(bytes);
        match check_name(&name) {
            Ok(()) => Some(name),
            Err(error) => {
                self.remark(offset, || error.to_string());
                None
            }
        }
    }

    /// The directory of this name in another.
    pub(super) fn below(&self, offset: usize, directory: &Path, name: &str) -> Result<Arc<Path>> {
        self.depth(offset, directory.names().len() + 1)?;
        self.placed(offset, directory.child(name)).map(Arc::new)
    }

    /// May there be so many directories within each other?
    pub(super) fn depth(&self, offset: usize, levels: usize) -> Result<()> {
        self.count(offset, levels.saturating_sub(1), self.limits.depth, "levels of directories")
    }

    /// Passes an error about a name or a path on with its place.
    pub(super) fn placed<T>(&self, offset: usize, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.text.error(offset, error.to_string()))
    }

    /// Notes a key whose type has no values: no key of MIDAS's has them, but banks do.
    pub(super) fn valueless(&mut self, offset: usize, name: &str, spelled: &str) {
        let known = pactolus_formats::Tid::from_name(spelled).is_some();
        self.remark(offset, || match known {
            true => format!("key '{name}': type {spelled} has no value in text"),
            false => format!("key '{name}' of unknown type '{}'", spelled.escape_debug()),
        });
    }
}

/// An array from elements that carry their index: whole if none is missing.
pub(super) fn array(indices: Vec<usize>, value: Value, claimed: usize) -> Item {
    if claimed == indices.len() && indices.iter().enumerate().all(|(at, index)| at == *index) {
        return Item::Value(value);
    }
    Item::Elements(indices, value)
}

/// A key as two of the three forms give it: without mode and time.
pub(super) fn entry(directory: Arc<Path>, absolute: bool, name: String, item: Item) -> Entry {
    Entry { directory, absolute, name, item, mode: None, last_written: None }
}
