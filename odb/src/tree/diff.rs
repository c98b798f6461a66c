//! What differs between two trees.

use super::*;

/// One path at which two trees differ; `None` where the tree has no value there (no key, or a
/// directory).
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The path, in the spelling of the tree that has it, the left one first.
    pub path: Path,
    /// The value of the left tree.
    pub left: Option<Value>,
    /// The value of the right tree.
    pub right: Option<Value>,
}

impl Tree {
    /// Every key whose value differs from that of the same path in `other`, bit by bit; first those
    /// of this tree in its order, then those that only the other has. Directories without keys,
    /// order, modes and times do not count.
    pub fn diff(&self, other: &Tree) -> Vec<Difference> {
        let mut found = Vec::new();
        let (left, right) = (self.root.directory(), other.root.directory());
        if let (Some(left), Some(right)) = (left, right) {
            compare(&Path::ROOT, left, right, &mut found);
        }
        found
    }
}

fn compare(path: &Path, left: &Directory, right: &Directory, found: &mut Vec<Difference>) {
    let at = |key: &Key| path.child(&key.name).unwrap_or_else(|_| path.clone());
    for key in left.iter() {
        let twin = right.get(&key.name);
        match (&key.content, twin.map(|twin| &twin.content)) {
            (Content::Value(a), Some(Content::Value(b))) if a.same(b) => {}
            (Content::Directory(_), Some(Content::Directory(_)))
                if twin.is_some_and(|twin| std::ptr::eq(twin, key)) => {}
            (Content::Directory(a), Some(Content::Directory(b))) => compare(&at(key), a, b, found),
            (Content::Value(a), Some(Content::Value(b))) => {
                found.push(Difference { path: at(key), left: Some(a.clone()), right: Some(b.clone()) });
            }
            _ => {
                one_sided(key, at(key), true, found);
                if let Some(twin) = twin {
                    one_sided(twin, at(twin), false, found);
                }
            }
        }
    }
    for key in right.iter().filter(|key| left.get(&key.name).is_none()) {
        one_sided(key, at(key), false, found);
    }
}

fn one_sided(key: &Key, path: Path, is_left: bool, found: &mut Vec<Difference>) {
    for (path, key) in std::iter::once((path.clone(), key)).chain(Walk::new(key, path)) {
        if let Some(value) = key.value() {
            let (left, right) = if is_left { (Some(value), None) } else { (None, Some(value)) };
            found.push(Difference { path, left: left.cloned(), right: right.cloned() });
        }
    }
}
