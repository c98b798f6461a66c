//! A key: a name with an access mode and either a value or a directory.

use std::collections::HashMap;
use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::sync::Arc;

use pactolus_formats::Tid;

use crate::Value;

/// What may be done with a key: MIDAS's access mode bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mode(pub u16);

impl Mode {
    /// The value may be read.
    pub const READ: Mode = Mode(1);
    /// The value may be changed.
    pub const WRITE: Mode = Mode(2);
    /// The key may be deleted.
    pub const DELETE: Mode = Mode(4);
    /// One client has it for itself.
    pub const EXCLUSIVE: Mode = Mode(8);

    /// Are all bits of `other` set?
    pub fn has(self, other: Mode) -> bool {
        self & other == other
    }
}

impl Default for Mode {
    fn default() -> Mode {
        Mode::READ | Mode::WRITE | Mode::DELETE
    }
}

impl BitOr for Mode {
    type Output = Mode;

    fn bitor(self, other: Mode) -> Mode {
        Mode(self.0 | other.0)
    }
}

impl BitAnd for Mode {
    type Output = Mode;

    fn bitand(self, other: Mode) -> Mode {
        Mode(self.0 & other.0)
    }
}

/// As `odbedit` lists it: `RWD`, `RWDE`, `R`.
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = [(Mode::READ, 'R'), (Mode::WRITE, 'W'), (Mode::DELETE, 'D'), (Mode::EXCLUSIVE, 'E')];
        let text: String = bits.iter().filter(|(bit, _)| self.has(*bit)).map(|(_, letter)| letter).collect();
        f.pad(&text)
    }
}

/// A key of the tree, as found by [`Tree::find`](crate::Tree::find).
#[derive(Clone, Debug)]
pub struct Key {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) last_written: u32,
    pub(crate) content: Content,
}

/// What a key holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// Other keys.
    Directory(Directory),
    /// Values.
    Value(Value),
}

impl Key {
    pub(crate) fn new(name: &str, content: Content) -> Key {
        Key { name: name.to_owned(), mode: Mode::default(), last_written: 0, content }
    }

    /// The name in its spelling; empty for the root. Bytes that are no UTF-8 stand in it as
    /// private characters, see [`spelling`](crate::spelling).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The access mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// When the value was last set [Unix seconds]; 0 if never.
    pub fn last_written(&self) -> u32 {
        self.last_written
    }

    /// What the key holds.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The type; `KEY` for a directory.
    pub fn tid(&self) -> Tid {
        self.value().map_or(Tid::Key, Value::tid)
    }

    /// The value, unless the key is a directory.
    pub fn value(&self) -> Option<&Value> {
        match &self.content {
            Content::Value(value) => Some(value),
            Content::Directory(_) => None,
        }
    }

    /// The directory, unless the key is a value.
    pub fn directory(&self) -> Option<&Directory> {
        match &self.content {
            Content::Directory(directory) => Some(directory),
            Content::Value(_) => None,
        }
    }

    /// Same names, values and access modes below here, bit by bit; times of writing do not count.
    pub fn same(&self, other: &Key) -> bool {
        self.mode == other.mode
            && self.name == other.name
            && match (&self.content, &other.content) {
                (Content::Value(a), Content::Value(b)) => a.same(b),
                (Content::Directory(a), Content::Directory(b)) => a.same(b),
                _ => false,
            }
    }
}

/// Keys in their order. Copies share what did not change.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    children: Vec<Arc<Key>>,
    /// Changes when a name does; the values of keys come and go without it.
    names: Arc<Names>,
}

/// Where each name of a directory is.
#[derive(Clone, Debug, Default)]
struct Names {
    /// What each name in lower case comes to, in the order of the keys: looking through a few numbers is
    /// faster than through the keys themselves, which lie about in memory.
    hashes: Vec<u64>,
    /// Positions by hash, of directories long enough to need it.
    index: Option<HashMap<u64, usize>>,
    /// Two names have come to the same: the index does not have both.
    ambiguous: bool,
}

/// Up to so many names are looked through.
const INDEXED: usize = 128;

impl Names {
    fn of<'k>(keys: impl Iterator<Item = &'k Arc<Key>>) -> Names {
        let mut names = Names::default();
        keys.for_each(|key| names.push(hash(&key.name)));
        names
    }

    fn push(&mut self, hash: u64) {
        let position = self.hashes.len();
        self.hashes.push(hash);
        match &mut self.index {
            Some(index) => {
                self.ambiguous |= index.insert(hash, position).is_some();
            }
            None if position == INDEXED => {
                let index: HashMap<u64, usize> = self.hashes.iter().copied().zip(0..).collect();
                self.ambiguous = index.len() <= position;
                self.index = Some(index);
            }
            None => {}
        }
    }

    /// The first position with this hash for which `is` holds.
    fn find(&self, hash: u64, is: impl Fn(usize) -> bool) -> Option<usize> {
        match &self.index {
            Some(index) if !self.ambiguous => index.get(&hash).copied().filter(|&at| is(at)),
            _ => (0..self.hashes.len()).find(|&at| self.hashes[at] == hash && is(at)),
        }
    }
}

/// FNV-1a of a name in lower case: names are short.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3)
    })
}

impl Directory {
    pub(crate) fn new(children: Vec<Arc<Key>>) -> Directory {
        let names = Arc::new(Names::of(children.iter()));
        Directory { children, names }
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// Has it no keys?
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// The keys in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.children.iter().map(Arc::as_ref)
    }

    /// The key of this name, ignoring case.
    pub fn get(&self, name: &str) -> Option<&Key> {
        self.position(name).and_then(|at| self.at(at))
    }

    /// The key of this name, ignoring case and with `_` as good as a blank; an exact match first.
    pub fn get_loose(&self, name: &str) -> Option<&Key> {
        self.get(name).or_else(|| self.iter().find(|key| loosely_equal(&key.name, name)))
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.names.find(hash(name), |at| self.children[at].name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn at(&self, position: usize) -> Option<&Key> {
        self.children.get(position).map(Arc::as_ref)
    }

    pub(crate) fn shared(&self, position: usize) -> Option<&Arc<Key>> {
        self.children.get(position)
    }

    /// The key to change, but for its name; copied first if another tree has it too.
    pub(crate) fn at_mut(&mut self, position: usize) -> Option<&mut Key> {
        self.children.get_mut(position).map(Arc::make_mut)
    }

    /// Adds a key at the end and says where; the name must be new.
    pub(crate) fn push(&mut self, key: Key) -> usize {
        Arc::make_mut(&mut self.names).push(hash(&key.name));
        self.children.push(Arc::new(key));
        self.children.len() - 1
    }

    pub(crate) fn remove(&mut self, position: usize) {
        self.children.remove(position);
        self.rename_all();
    }

    pub(crate) fn rename(&mut self, position: usize, name: &str) {
        if let Some(key) = self.at_mut(position) {
            name.clone_into(&mut key.name);
        }
        self.rename_all();
    }

    /// Puts another key in the place of one.
    pub(crate) fn replace(&mut self, position: usize, key: Arc<Key>) {
        if let Some(place) = self.children.get_mut(position) {
            let same_name = place.name == key.name;
            *place = key;
            if !same_name {
                self.rename_all();
            }
        }
    }

    pub(crate) fn shift(&mut self, from: usize, to: usize) {
        let key = self.children.remove(from);
        self.children.insert(to.min(self.children.len()), key);
        self.rename_all();
    }

    fn rename_all(&mut self) {
        self.names = Arc::new(Names::of(self.children.iter()));
    }

    fn same(&self, other: &Directory) -> bool {
        self.len() == other.len()
            && self.children.iter().zip(&other.children).all(|(a, b)| Arc::ptr_eq(a, b) || a.same(b))
    }
}

fn loosely_equal(a: &str, b: &str) -> bool {
    let fold = |byte: u8| if byte == b'_' { b' ' } else { byte.to_ascii_lowercase() };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    #[test]
    fn a_long_directory_is_as_a_short_one() {
        let mut directory = Directory::default();
        for i in 0..200 {
            directory.push(Key::new(&format!("Key {i}"), Content::Value(Value::Int(vec![i]))));
        }
        directory.remove(100);
        directory.rename(100, "Other");
        assert_eq!(directory.position("KEY 99"), Some(99));
        assert_eq!(directory.position("key 101"), None);
        assert_eq!(directory.position("other"), Some(100));
        assert_eq!(directory.get_loose("key_199").unwrap().value(), Some(&Value::Int(vec![199])));
        directory.shift(198, 0);
        assert_eq!(directory.at(0).unwrap().name(), "Key 199");
        for position in 0..directory.len() {
            let name = directory.at(position).unwrap().name();
            assert_eq!(directory.position(name), Some(position), "{name}");
        }
    }

    #[test]
    fn names_that_come_to_the_same_are_told_apart() {
        let mut names = Names::default();
        (0..INDEXED as u64).for_each(|hash| names.push(hash));
        names.push(7);
        names.push(1000);
        names.push(7);
        assert_eq!(names.find(7, |at| at != 7), Some(INDEXED));
        assert_eq!(names.find(7, |at| at > INDEXED), Some(INDEXED + 2));
        assert_eq!(names.find(1000, |_| true), Some(INDEXED + 1));
        assert_eq!(names.find(1001, |_| true), None);
    }

    #[test]
    fn modes_are_listed_as_odbedit_does() {
        assert_eq!(Mode::default().to_string(), "RWD");
        assert_eq!(Mode::READ.to_string(), "R");
        assert_eq!(Mode(15).to_string(), "RWDE");
    }
}
