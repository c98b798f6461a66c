//! The tree of directories and keys, without locks and without a clock.
//!
//! A copy costs nothing: copies share every directory that neither has changed since. What the
//! tree does not know: other processes ([`Store`](crate::Store)), files ([`dump`](crate::dump)).

use std::sync::Arc;

use crate::key::{Content, Directory, Key, Mode};
use crate::path::{MAX_DEPTH, check_name};
use crate::typed::Typed;
use crate::{Error, Index, Path, Result, Value, nearest};

mod copy;
mod diff;
mod follow;
mod graft;
mod load;
mod rebase;
mod resolve;
mod walk;

pub use diff::Difference;
pub use load::{Load, Loaded};
pub use walk::Walk;

/// How many links one path may lead through before it is called a circle.
pub(crate) const MAX_LINKS: usize = 16;

/// Directories and keys, with MIDAS's rules.
///
/// Names are found ignoring case and keep their spelling and order. Links are followed, also in
/// the middle of a path and to array elements (`/Types/iarr[3]`). Setting a key never changes its
/// type, except by [`Tree::replace`].
///
/// ```
/// use pactolus_odb::Tree;
/// let mut tree = Tree::new();
/// tree.create("/Runinfo/Run number", 8)?;
/// tree.set("/runinfo/run NUMBER", 9u16)?;
/// assert_eq!(tree.get::<i64>("/Runinfo/Run number")?, 9);
/// # Ok::<(), pactolus_odb::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tree {
    root: Arc<Key>,
    now: u32,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { root: Arc::new(Key::new("", Content::Directory(Directory::default()))), now: 0 }
    }
}

/// A key found by its path.
#[derive(Clone, Debug)]
pub struct Found<'t> {
    /// The key, links followed.
    pub key: &'t Key,
    /// Where it really is, in the spelling of its names.
    pub path: Path,
    /// The index behind the path, or behind the target of a link.
    pub index: Option<Index>,
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Tree {
        Tree::default()
    }

    /// The tree below this directory.
    pub(crate) fn from_root(root: Arc<Key>) -> Tree {
        Tree { root, now: 0 }
    }

    /// The root directory, to keep.
    pub(crate) fn shared_root(&self) -> &Arc<Key> {
        &self.root
    }

    /// Sets the time that later changes write down as "last written" [Unix seconds]. The tree has
    /// no clock of its own; a store sets this at every transaction.
    pub fn set_now(&mut self, unix_seconds: u32) {
        self.now = unix_seconds;
    }

    /// The root directory.
    pub fn root(&self) -> &Key {
        &self.root
    }

    /// Finds a key or directory, links followed.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the nearest name, [`Error::LinkDepth`], and those of [`Path::parse`].
    pub fn find(&self, path: &str) -> Result<Found<'_>> {
        self.found(path, true)
    }

    /// As [`Tree::find`], but a link at the end of the path is itself what is found.
    ///
    /// # Errors
    /// As [`Tree::find`].
    pub fn find_link(&self, path: &str) -> Result<Found<'_>> {
        self.found(path, false)
    }

    fn found(&self, path: &str, follow: bool) -> Result<Found<'_>> {
        let place = self.resolve(&Path::parse(path)?, follow)?;
        let (key, path) = self.key_at(&place.positions);
        Ok(Found { key, path, index: place.index })
    }

    /// Is there a key of this path, at the end of its links?
    pub fn exists(&self, path: &str) -> bool {
        Path::parse(path).and_then(|path| self.probe(&path, true)).is_ok()
    }

    /// The directory of this path.
    ///
    /// # Errors
    /// Those of [`Tree::find`], and [`Error::NotDirectory`].
    pub fn directory(&self, path: &str) -> Result<&Directory> {
        let found = self.find(path)?;
        found.key.directory().ok_or_else(|| Error::NotDirectory { path: found.path.to_string() })
    }

    /// The value of a key, or of the elements that an index names.
    ///
    /// # Errors
    /// Those of [`Tree::find`]; [`Error::IsDirectory`], [`Error::Index`], [`Error::Protected`].
    pub fn value(&self, path: &str) -> Result<Value> {
        if let Some(value) = self.plain(path) {
            return Ok(value.clone());
        }
        let found = self.find(path)?;
        let at = || found.path.to_string();
        let value = found.key.value_at(&found.path)?;
        if !found.key.mode.has(Mode::READ) {
            return Err(Error::Protected { path: at(), access: "read" });
        }
        let len = value.len();
        match found.index {
            None | Some(Index::All) => Ok(value.clone()),
            Some(Index::One(index)) => {
                value.element(index).ok_or_else(|| Error::Index { path: at(), index, len })
            }
            Some(Index::Range(first, last)) => {
                value.slice(first, last).ok_or_else(|| Error::Index { path: at(), index: last, len })
            }
        }
    }

    /// The value of a key as a Rust type, without loss.
    ///
    /// # Errors
    /// Those of [`Tree::value`]; [`Error::Type`], [`Error::Length`], [`Error::NotUtf8`].
    pub fn get<T: Typed>(&self, path: &str) -> Result<T> {
        let read = |value: &Value| {
            T::from_value(value)
                .map_err(|mismatch| mismatch.at(path, <T::Element as crate::typed::Element>::TID, value))
        };
        match self.plain(path) {
            Some(value) => read(value),
            None => read(&self.value(path)?),
        }
    }

    /// The value of a path that is nothing but names of keys, without looking at it twice: nearly all
    /// are. `None` where it takes more than that (links, indices, dots), or is an error.
    fn plain(&self, path: &str) -> Option<&Value> {
        let names = path.split('/').filter(|name| !name.is_empty());
        let key = names.into_iter().try_fold(self.root(), |key, name| key.directory()?.get(name))?;
        key.value().filter(|value| key.mode.has(Mode::READ) && !matches!(value, Value::Link(_)))
    }

    /// Sets an existing key, which keeps its type. An array takes the length of the new value;
    /// with an index, one value is set, or all of a range.
    ///
    /// # Errors
    /// Those of [`Tree::find`]; [`Error::IsDirectory`], [`Error::Protected`], [`Error::Index`],
    /// and [`Error::Type`] if the value does not fit the type of the key without loss.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) -> Result<()> {
        let place = self.resolve(&Path::parse(path)?, true)?;
        self.store(&place, &value.into())
    }

    /// Sets an existing key from what a user typed, all of which must be a value of its type.
    /// Without an index, every element of an array is set.
    ///
    /// # Errors
    /// Those of [`Tree::set`], and [`Error::Text`].
    pub fn set_text(&mut self, path: &str, text: &str) -> Result<()> {
        let mut place = self.resolve(&Path::parse(path)?, true)?;
        let (key, at) = self.key_at(&place.positions);
        let old = key.value_at(&at)?;
        let new = Value::parse(old.tid(), text).ok_or_else(|| Error::Text {
            path: path.to_owned(),
            tid: old.tid(),
            text: text.to_owned(),
        })?;
        if old.len() > 1 {
            place.index.get_or_insert(Index::All);
        }
        self.store(&place, &new)
    }

    /// Makes a key, and the directories above it.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::NotDirectory`] if a value is in the way, and those of [`Path::parse`].
    pub fn create(&mut self, path: &str, value: impl Into<Value>) -> Result<()> {
        self.create_at(&Path::parse(path)?, Content::Value(value.into()))
    }

    /// Makes a directory, and those above it; nothing if it exists.
    ///
    /// # Errors
    /// As [`Tree::create`], but for [`Error::Exists`].
    pub fn create_directory(&mut self, path: &str) -> Result<()> {
        self.make_directory(&Path::parse(path)?).map(drop)
    }

    /// Makes a link to `target`, a path perhaps with an index; it need not exist.
    ///
    /// # Errors
    /// As [`Tree::create`].
    pub fn create_link(&mut self, path: &str, target: &str) -> Result<()> {
        self.create(path, Value::Link(target.into()))
    }

    /// Sets a key, or makes it with the type of the value.
    ///
    /// # Errors
    /// Those of [`Tree::set`] and [`Tree::create`].
    pub fn put(&mut self, path: &str, value: impl Into<Value>) -> Result<()> {
        match self.probe(&Path::parse(path)?, true) {
            Ok(place) => self.store(&place, &value.into()),
            Err(Error::NotFound { .. }) => self.create(path, value),
            Err(other) => Err(other),
        }
    }

    /// Gives a key another value, of whatever type; a link is replaced, not followed. Makes the key
    /// if it is missing.
    ///
    /// # Errors
    /// [`Error::IsDirectory`], [`Error::Protected`], and those of [`Tree::create`].
    pub fn replace(&mut self, path: &str, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        let parsed = Path::parse(path)?;
        match self.resolve_literal(&parsed) {
            Ok(place) => {
                let now = self.now;
                let (key, at) = self.key_at(&place);
                writable(key, &at)?;
                if key.directory().is_some() {
                    return Err(Error::IsDirectory { path: at.to_string() });
                }
                within(value.len(), &at)?;
                self.change(&place, |key| {
                    key.content = Content::Value(value);
                    key.last_written = now;
                });
                Ok(())
            }
            Err(Error::NotFound { .. }) => self.create_at(&parsed, Content::Value(value)),
            Err(other) => Err(other),
        }
    }

    /// Deletes a key, or a directory with all below it. A link is deleted, not its target.
    ///
    /// # Errors
    /// Those of [`Tree::find`]; [`Error::Protected`] names the first key that may not be deleted,
    /// and then nothing is.
    pub fn delete(&mut self, path: &str) -> Result<()> {
        let place = self.resolve_literal(&Path::parse(path)?)?;
        let (key, at) = self.key_at(&place);
        for (path, key) in std::iter::once((at.clone(), key)).chain(Walk::new(key, at)) {
            if !key.mode.has(Mode::DELETE) {
                return Err(Error::Protected { path: path.to_string(), access: "delete" });
            }
        }
        match place.split_last() {
            Some((&last, parent)) => self.change_directory(parent, |directory| directory.remove(last)),
            None => self.root = Tree::new().root,
        }
        Ok(())
    }

    /// Gives a key another name in the same directory.
    ///
    /// # Errors
    /// Those of [`Tree::find`]; [`Error::Exists`], [`Error::Name`].
    pub fn rename(&mut self, path: &str, name: &str) -> Result<()> {
        check_name(name)?;
        let place = self.resolve_literal(&Path::parse(path)?)?;
        let Some((&last, parent)) = place.split_last() else {
            return Err(Error::Name { name: name.to_owned(), why: "the root has no name" });
        };
        let (above, at) = self.key_at(parent);
        let taken = above.directory().and_then(|directory| directory.position(name));
        if taken.is_some_and(|position| position != last) {
            return Err(Error::Exists { path: at.child(name)?.to_string() });
        }
        self.change_directory(parent, |directory| directory.rename(last, name));
        Ok(())
    }

    /// Moves a key to another place among its neighbours, 0 being the first.
    ///
    /// # Errors
    /// Those of [`Tree::find`].
    pub fn reorder(&mut self, path: &str, to: usize) -> Result<()> {
        let place = self.resolve_literal(&Path::parse(path)?)?;
        if let Some((&last, parent)) = place.split_last() {
            self.change_directory(parent, |directory| directory.shift(last, to));
        }
        Ok(())
    }

    /// Sets the access mode of a key; of a directory, also that of everything below it if
    /// `recursive`.
    ///
    /// # Errors
    /// Those of [`Tree::find`].
    pub fn set_mode(&mut self, path: &str, mode: Mode, recursive: bool) -> Result<()> {
        fn set(key: &mut Key, mode: Mode, recursive: bool) {
            key.mode = mode;
            if let (Content::Directory(directory), true) = (&mut key.content, recursive) {
                for position in 0..directory.len() {
                    if let Some(child) = directory.at_mut(position) {
                        set(child, mode, true);
                    }
                }
            }
        }
        let place = self.resolve_literal(&Path::parse(path)?)?;
        self.change(&place, |key| set(key, mode, recursive));
        Ok(())
    }

    /// Cuts an array, or adds zeros (`n`, empty strings) at its end.
    ///
    /// # Errors
    /// Those of [`Tree::find`]; [`Error::IsDirectory`], [`Error::Protected`], [`Error::TooLong`].
    pub fn resize(&mut self, path: &str, len: usize) -> Result<()> {
        let place = self.resolve(&Path::parse(path)?, true)?;
        let (key, at) = self.key_at(&place.positions);
        writable(key, &at)?;
        if key.value().is_none() {
            return Err(Error::IsDirectory { path: at.to_string() });
        }
        within(len, &at)?;
        let now = self.now;
        self.change(&place.positions, |key| {
            if let Content::Value(value) = &mut key.content {
                value.resize(len);
                key.last_written = now;
            }
        });
        Ok(())
    }

    /// Everything below a directory, in order: each key with its path, a directory before what is
    /// in it. Links are shown, not followed.
    ///
    /// # Errors
    /// Those of [`Tree::find`].
    pub fn walk(&self, path: &str) -> Result<Walk<'_>> {
        let found = self.find(path)?;
        Ok(Walk::new(found.key, found.path))
    }

    /// Same names, values and access modes, bit by bit.
    pub fn same(&self, other: &Tree) -> bool {
        Arc::ptr_eq(&self.root, &other.root) || self.root.same(&other.root)
    }

    /// As [`Tree::same`], and written at the same times.
    pub fn identical(&self, other: &Tree) -> bool {
        Arc::ptr_eq(&self.root, &other.root) || self.root.compare(&other.root, true)
    }

    /// Is all that is below `path` the same in the other tree: names, order, values, access modes? What
    /// the two share is not looked at, so with a copy of this tree it takes no longer than the changes.
    /// A path that neither has is the same in both.
    pub fn same_below(&self, other: &Tree, path: &Path) -> bool {
        match (self.shared(path), other.shared(path)) {
            (Some(here), Some(there)) => Arc::ptr_eq(&here, &there) || here.same(&there),
            (here, there) => here.is_none() && there.is_none(),
        }
    }

    /// The key of a path to hold on to, shared with the tree: comparing it later by address says at
    /// once that nothing below it has changed.
    pub(crate) fn shared(&self, path: &Path) -> Option<Arc<Key>> {
        let place = self.probe(path, true).ok()?;
        let mut key = &self.root;
        for &position in &place.positions {
            key = key.directory()?.shared(position)?;
        }
        Some(Arc::clone(key))
    }
}

/// No array is longer than a key can hold.
fn within(len: usize, path: &Path) -> Result<()> {
    if len <= Value::MAX_LEN {
        return Ok(());
    }
    Err(Error::TooLong { path: path.to_string(), wanted: len, limit: Value::MAX_LEN })
}

fn writable(key: &Key, path: &Path) -> Result<()> {
    if key.mode.has(Mode::WRITE) {
        return Ok(());
    }
    Err(Error::Protected { path: path.to_string(), access: "write" })
}

#[cfg(test)]
mod tests;
