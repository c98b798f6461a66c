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

impl Difference {
    /// Which elements differ, if both sides are arrays of one type and length; the room of strings does
    /// not count.
    pub fn elements(&self) -> Option<Vec<usize>> {
        let (Some(left), Some(right)) = (&self.left, &self.right) else { return None };
        let are_alike = left.tid() == right.tid() && left.len() == right.len() && left.len() > 1;
        let differs = |index: &usize| match (left.element(*index), right.element(*index)) {
            (Some(a), Some(b)) => !a.same(&b),
            _ => true,
        };
        are_alike.then(|| (0..left.len()).filter(differs).collect())
    }
}

impl Tree {
    /// Every key whose value differs from that of the same path in `other`, bit by bit; first those
    /// of this tree in its order, then those that only the other has. Directories without keys,
    /// order, modes and times do not count.
    pub fn diff(&self, other: &Tree) -> Vec<Difference> {
        self.diff_below(other, &Path::ROOT)
    }

    /// As [`Tree::diff`], of what is at `path` or below it. What the two trees share is not looked at.
    pub fn diff_below(&self, other: &Tree, path: &Path) -> Vec<Difference> {
        let mut found = Vec::new();
        let (left, right) = (self.shared(path), other.shared(path));
        let at = |tree: &Tree| tree.find(&path.to_string()).map_or_else(|_| path.clone(), |found| found.path);
        match (&left, &right) {
            (Some(left), Some(right)) => two(left, right, at(self), &mut found),
            (Some(left), None) => one_sided(left, at(self), true, &mut found),
            (None, Some(right)) => one_sided(right, at(other), false, &mut found),
            (None, None) => {}
        }
        found
    }

    /// What differs between a key of this tree and another key of `other`, and below them; links at the
    /// paths are followed. The paths told are those of this tree.
    ///
    /// # Errors
    /// Those of [`Tree::find`].
    pub(crate) fn diff_keys(&self, path: &str, other: &Tree, other_path: &str) -> Result<Vec<Difference>> {
        let (left, right) = (self.find(path)?, other.find(other_path)?);
        let mut found = Vec::new();
        two(left.key, right.key, left.path, &mut found);
        Ok(found)
    }
}

/// What differs between two keys of one path, and below them.
fn two(left: &Key, right: &Key, path: Path, found: &mut Vec<Difference>) {
    match (&left.content, &right.content) {
        _ if std::ptr::eq(left, right) => {}
        (Content::Value(a), Content::Value(b)) if a.same(b) => {}
        (Content::Value(a), Content::Value(b)) => {
            found.push(Difference { path, left: Some(a.clone()), right: Some(b.clone()) });
        }
        (Content::Directory(a), Content::Directory(b)) => compare(&path, a, b, found),
        _ => {
            one_sided(left, path.clone(), true, found);
            one_sided(right, path, false, found);
        }
    }
}

fn compare(path: &Path, left: &Directory, right: &Directory, found: &mut Vec<Difference>) {
    let at = |key: &Key| path.child(&key.name).unwrap_or_else(|_| path.clone());
    for key in left.iter() {
        match right.get(&key.name) {
            Some(twin) if std::ptr::eq(twin, key) => {}
            Some(twin) => two(key, twin, at(key), found),
            None => one_sided(key, at(key), true, found),
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
