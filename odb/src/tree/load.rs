//! A dump into a tree.

use super::resolve::Place;
use super::*;
use crate::dump::{Dump, Entry, Item};

/// How a dump is loaded.
#[derive(Default)]
pub struct Load<'f> {
    /// Where relative entries go; by default where the dump says it was saved, else to the root.
    pub at: Option<Path>,
    /// Which paths may be loaded; by default all. Refused keys are reported.
    pub allow: Option<&'f dyn Fn(&Path) -> bool>,
    /// Make the tree what the dump says: also access modes, times of writing and
    /// `/System/Clients`, which MIDAS never loads since it belongs to programs that are gone.
    pub exact: bool,
}

/// What became of each key of a dump.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Loaded {
    /// Keys set or made.
    pub set: Vec<Path>,
    /// Keys that [`Load::allow`] refused.
    pub refused: Vec<Path>,
    /// Keys that could not be loaded, and why.
    pub failed: Vec<(Path, Error)>,
}

impl Tree {
    /// Loads a dump: makes the keys that are missing and sets the others, which keep their type
    /// (a DOUBLE that becomes a FLOAT is rounded, since both were decimal text). A key that cannot
    /// be loaded costs only itself, and is reported.
    pub fn load(&mut self, dump: &Dump, options: &Load<'_>) -> Loaded {
        let mut loaded = Loaded::default();
        let root = Path::ROOT;
        let at = options.at.as_ref().or(dump.root.as_ref()).unwrap_or(&root);
        for entry in &dump.entries {
            let base = if entry.absolute { &root } else { at };
            let path = match base.append(&entry.directory).and_then(|path| path.child(&entry.name)) {
                Ok(path) => path,
                Err(error) => {
                    loaded.failed.push((base.clone(), error));
                    continue;
                }
            };
            if !options.exact && is_client(&path) {
                continue;
            }
            if options.allow.is_some_and(|allow| !allow(&path)) {
                if entry.item != Item::Directory {
                    loaded.refused.push(path);
                }
                continue;
            }
            match (self.load_entry(&path, entry, options.exact), &entry.item) {
                (Ok(()), Item::Directory) => {}
                (Ok(()), _) => loaded.set.push(path),
                (Err(error), _) => loaded.failed.push((path, error)),
            }
        }
        loaded
    }

    fn load_entry(&mut self, path: &Path, entry: &Entry, exact: bool) -> Result<()> {
        let place = match self.probe(path, false) {
            // `name[3]` of a dump is always a name, never an element.
            Ok(place) if place.index.is_none() => Some(place),
            Ok(_) | Err(Error::NotFound { .. }) => None,
            Err(other) => return Err(other),
        };
        match (place, &entry.item) {
            (_, Item::Directory) => return self.make_directory(path).map(drop),
            (None, Item::Value(value)) => self.create_at(path, Content::Value(value.clone()))?,
            (None, Item::Elements(indices, value)) => {
                let mut made = value.clone();
                made.resize(0);
                fits(indices, &made, path)?;
                for (from, &index) in indices.iter().enumerate() {
                    made.put(index, value, from);
                }
                self.create_at(path, Content::Value(made))?;
            }
            (Some(place), item) => self.load_into(path, place, item)?,
        }
        if exact {
            let place = self.resolve_literal(path)?;
            self.change(&place, |key| {
                key.mode = entry.mode.unwrap_or(key.mode);
                key.last_written = entry.last_written.unwrap_or(key.last_written);
            });
        }
        Ok(())
    }

    fn load_into(&mut self, path: &Path, place: Place, item: &Item) -> Result<()> {
        let (key, _) = self.key_at(&place.positions);
        let (is_link, value) = match (key.value(), item) {
            (old, Item::Value(value) | Item::Elements(_, value)) => {
                (matches!(old, Some(Value::Link(_))), value)
            }
            (_, Item::Directory) => return Ok(()),
        };
        // A link is set by a link; any other value goes to where it leads.
        let place = match (is_link, value) {
            (true, Value::Link(_)) | (false, _) => place,
            (true, _) => self.resolve(path, true)?,
        };
        let (key, at) = self.key_at(&place.positions);
        let old = key.value_at(&at)?;
        let new = value
            .convert_text(old.tid())
            .map_err(|index| crate::Mismatch::Element(index).at(&at.to_string(), old.tid(), value))?;
        match item {
            Item::Elements(indices, _) => {
                writable(key, &at)?;
                fits(indices, old, &at)?;
                // In place: a dump may name one element of a long array again and again.
                let (now, new) = (self.now, new.into_owned());
                self.change(&place.positions, |key| {
                    let Content::Value(array) = &mut key.content else { return };
                    key.last_written = now;
                    for (from, &index) in indices.iter().enumerate() {
                        array.put(index, &new, from);
                    }
                    array.grow_strings(new.item_size());
                });
                Ok(())
            }
            _ => {
                let new = new.into_owned();
                self.store(&place, &new)?;
                // The room of a string comes from the dump, as MIDAS takes it.
                let size = new.item_size();
                self.change(&place.positions, |key| {
                    if let Content::Value(value) = &mut key.content {
                        value.grow_strings(size);
                    }
                });
                Ok(())
            }
        }
    }
}

/// May these elements be put into the array? They may follow the last one, but leave no gap: an
/// index in a file makes no room by itself.
fn fits(indices: &[usize], array: &Value, path: &Path) -> Result<()> {
    let mut len = array.len();
    let limit = if matches!(array, Value::Link(_)) { 1 } else { Value::MAX_LEN };
    for &index in indices {
        if index > len || index >= limit {
            return Err(Error::Index { path: path.to_string(), index, len });
        }
        len = len.max(index + 1);
    }
    Ok(())
}

fn is_client(path: &Path) -> bool {
    let names = path.names();
    names.len() > 2 && names[0].eq_ignore_ascii_case("System") && names[1].eq_ignore_ascii_case("Clients")
}
