//! A key: a name with an access mode and either a value or a directory.

use std::collections::HashMap;
use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::sync::Arc;

use pactolus_formats::Tid;

use crate::{Error, Path, Result, Value};

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

    /// The value, or an error that says what stands at this path.
    pub(crate) fn value_at(&self, path: &Path) -> Result<&Value> {
        self.value().ok_or_else(|| Error::IsDirectory { path: path.to_string() })
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
        self.compare(other, false)
    }

    /// As [`Key::same`], and written at the same time if `times` count.
    pub(crate) fn compare(&self, other: &Key, times: bool) -> bool {
        self.mode == other.mode
            && self.name == other.name
            && (!times || self.last_written == other.last_written)
            && match (&self.content, &other.content) {
                (Content::Value(a), Content::Value(b)) => a.same(b),
                (Content::Directory(a), Content::Directory(b)) => a.compare(b, times),
                _ => false,
            }
    }
}

/// Keys in their order. Copies share what did not change.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    children: Vec<Arc<Key>>,
    names: Names,
}

/// Where each name of a directory is. Changes when a name does: values come and go without it.
#[derive(Clone, Debug)]
enum Names {
    /// A part of the hash of each name: looking through a few numbers that lie together is faster than
    /// through the keys themselves.
    Few(Arc<[u32]>),
    Many(Arc<Index>),
}

impl Default for Names {
    fn default() -> Names {
        Names::Few(Arc::default())
    }
}

/// Positions by the hashes of names.
#[derive(Clone, Debug, Default)]
struct Index {
    positions: HashMap<u64, usize>,
    /// Two names have the same hash, and only one is here.
    ambiguous: bool,
}

/// Up to so many names are looked through.
const FEW: usize = 128;

impl Names {
    fn of<'k>(keys: impl ExactSizeIterator<Item = &'k Arc<Key>>) -> Names {
        let few = keys.len() <= FEW;
        let hashes = keys.map(|key| hash(&key.name));
        if few {
            return Names::Few(hashes.map(|hash| hash as u32).collect());
        }
        let mut index = Index::default();
        hashes.zip(0..).for_each(|(hash, position)| index.insert(hash, position));
        Names::Many(Arc::new(index))
    }
}

impl Index {
    fn insert(&mut self, hash: u64, position: usize) {
        self.ambiguous |= self.positions.insert(hash, position).is_some();
    }
}

/// A hash of a name in lower case, eight bytes at a time.
fn hash(name: &str) -> u64 {
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ lower(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ product >> 29
    };
    let bytes = name.as_bytes();
    let (words, rest) = bytes.as_chunks();
    let hash = words.iter().fold(name.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    mix(
        hash,
        match bytes.last_chunk() {
            // Some bytes a second time: no loop whose end cannot be foretold.
            Some(last) => u64::from_le_bytes(*last),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        },
    )
}

/// Eight bytes, the letters A to Z among them in lower case.
fn lower(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * EACH);
    // The highest bit of each byte: at least A, beyond Z, no ASCII.
    let from_a = low + (0x80 - u64::from(b'A')) * EACH;
    let beyond_z = low + (0x7f - u64::from(b'Z')) * EACH;
    let upper = (from_a ^ beyond_z) & !word & (0x80 * EACH);
    word | upper >> 2
}

/// The first place at or behind `from` where `wanted` stands.
fn place(hashes: &[u32], wanted: u32, from: usize) -> Option<usize> {
    const WIDE: usize = 16;
    let mut at = from;
    // Many at a time, without asking after each.
    while let Some(some) = hashes.get(at..at + WIDE) {
        if some.iter().fold(false, |found, hash| found | (*hash == wanted)) {
            break;
        }
        at += WIDE;
    }
    hashes.get(at..)?.iter().position(|hash| *hash == wanted).map(|found| at + found)
}

impl Directory {
    pub(crate) fn new(children: Vec<Arc<Key>>) -> Directory {
        Directory { names: Names::of(children.iter()), children }
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
        let hash = hash(name);
        let is_here = |at: usize| self.children[at].name.eq_ignore_ascii_case(name);
        match &self.names {
            Names::Few(hashes) => {
                let mut at = place(hashes, hash as u32, 0)?;
                while !is_here(at) {
                    at = place(hashes, hash as u32, at + 1)?;
                }
                Some(at)
            }
            Names::Many(index) if index.ambiguous => (0..self.len()).find(|&at| is_here(at)),
            Names::Many(index) => index.positions.get(&hash).copied().filter(|&at| is_here(at)),
        }
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
        let (hash, position) = (hash(&key.name), self.children.len());
        self.children.push(Arc::new(key));
        match &mut self.names {
            Names::Few(hashes) if position < FEW => {
                *hashes = hashes.iter().copied().chain([hash as u32]).collect();
            }
            Names::Few(_) => self.name_anew(),
            Names::Many(index) => Arc::make_mut(index).insert(hash, position),
        }
        position
    }

    pub(crate) fn remove(&mut self, position: usize) {
        self.children.remove(position);
        self.name_anew();
    }

    pub(crate) fn rename(&mut self, position: usize, name: &str) {
        if let Some(key) = self.at_mut(position) {
            name.clone_into(&mut key.name);
        }
        self.name_anew();
    }

    /// Puts another key in the place of one.
    pub(crate) fn replace(&mut self, position: usize, key: Arc<Key>) {
        if let Some(place) = self.children.get_mut(position) {
            let same_name = place.name == key.name;
            *place = key;
            if !same_name {
                self.name_anew();
            }
        }
    }

    pub(crate) fn shift(&mut self, from: usize, to: usize) {
        let key = self.children.remove(from);
        self.children.insert(to.min(self.children.len()), key);
        self.name_anew();
    }

    /// Notes where the names are.
    fn name_anew(&mut self) {
        self.names = Names::of(self.children.iter());
    }

    fn compare(&self, other: &Directory, times: bool) -> bool {
        let mut both = self.children.iter().zip(&other.children);
        self.len() == other.len() && both.all(|(a, b)| Arc::ptr_eq(a, b) || a.compare(b, times))
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
        let mut directory = Directory::default();
        for i in 0..40 {
            directory.push(Key::new(&format!("Key {i}"), Content::Directory(Directory::default())));
        }
        directory.names = Names::Few([hash("Key 17") as u32; 40].into());
        assert_eq!(directory.position("KEY 17"), Some(17));
        assert_eq!(directory.position("Key 40"), None);
        let mut index = Index::default();
        [(1, 0), (2, 1)].into_iter().for_each(|(hash, at)| index.insert(hash, at));
        assert!(!index.ambiguous);
        index.insert(1, 2);
        assert!(index.ambiguous);
        directory.names = Names::Many(Arc::new(index));
        assert_eq!(directory.position("key 17"), Some(17), "one by one");
    }

    #[test]
    fn names_are_hashed_in_lower_case() {
        for byte in 0..=255u8 {
            let word = u64::from_le_bytes([byte, b'a', byte, b'Z', 0, byte, 0xff, b'[']);
            let wanted = word.to_le_bytes().map(|byte| byte.to_ascii_lowercase());
            assert_eq!(lower(word).to_le_bytes(), wanted, "{byte:#x}");
        }
        assert_eq!(hash("Software Gain [MeV]"), hash("software gain [mev]"));
        assert_ne!(hash("Software Gain [MeV]"), hash("Software Gain [MeW]"));
        assert_ne!(hash("a"), hash("a\0"));
    }

    #[test]
    fn a_place_is_found_at_any_distance() {
        let hashes: Vec<u32> = (0..100).map(|i| i % 50).collect();
        for from in 0..100 {
            for wanted in 0..51 {
                let slowly = (from..100).find(|&at| hashes[at] == wanted);
                assert_eq!(place(&hashes, wanted, from), slowly, "{wanted} from {from}");
            }
        }
    }

    #[test]
    fn modes_are_listed_as_odbedit_does() {
        assert_eq!(Mode::default().to_string(), "RWD");
        assert_eq!(Mode::READ.to_string(), "R");
        assert_eq!(Mode(15).to_string(), "RWDE");
    }
}
