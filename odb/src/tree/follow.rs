//! A tree without links: each in its place has what it leads to.

use super::resolve::Place;
use super::*;

/// Keys that links may bring in: links to directories full of links would make a tree without end.
const MOST: usize = 1 << 16;

impl Tree {
    /// A copy in which what is at these paths and below them has no links: in the place of each stands
    /// what it leads to, a value, an element of an array, or a directory with all that is in it. Links on
    /// the way to the paths are followed, too. A link that leads nowhere, or in a circle, stays. `None` if
    /// there is no link at all.
    ///
    /// ```
    /// # use pactolus_odb::{Path, Tree};
    /// let mut tree = Tree::new();
    /// tree.create("/Shared/Thresholds", vec![5, 7])?;
    /// tree.create_link("/Analyzer/Threshold", "/Shared/Thresholds[1]")?;
    /// let followed = tree.followed(&[Path::parse("/Analyzer")?]).unwrap_or_default();
    /// assert_eq!(followed.find_link("/Analyzer/Threshold")?.key.value(), Some(&7.into()));
    /// # Ok::<(), pactolus_odb::Error>(())
    /// ```
    pub fn followed(&self, paths: &[Path]) -> Option<Tree> {
        let mut following = Following { tree: self, inside: Vec::new(), left: MOST, met: false };
        let mut root = Arc::clone(&self.root);
        for path in paths {
            if let Some(new) = following.along(&root, path.names(), &[]) {
                root = new;
            }
        }
        following.met.then_some(Tree { root, now: self.now })
    }
}

/// The work on one tree.
struct Following<'t> {
    tree: &'t Tree,
    /// Where the links are that are being followed, and where they lead, the innermost last.
    inside: Vec<Vec<usize>>,
    /// Keys that may still be brought in.
    left: usize,
    /// There is a link.
    met: bool,
}

impl Following<'_> {
    /// A key with what is at a path below it followed; `None` if that changes nothing. `at`: where it is
    /// in the tree.
    fn along(&mut self, key: &Arc<Key>, names: &[String], at: &[usize]) -> Option<Arc<Key>> {
        let Some((name, rest)) = names.split_first() else { return self.below(key, at, at.len()) };
        if let Some((new, place)) = self.target(key, at) {
            return Some(self.along(&new, names, &place).unwrap_or(new));
        }
        let directory = key.directory()?;
        let position = directory.position(name)?;
        let new = self.along(directory.shared(position)?, rest, &[at, &[position]].concat())?;
        Some(changed(key, vec![(position, new)]))
    }

    /// A key with all below it followed.
    fn below(&mut self, key: &Arc<Key>, at: &[usize], depth: usize) -> Option<Arc<Key>> {
        if let Some((new, place)) = self.target(key, at) {
            self.inside.extend([at.to_vec(), place.clone()]);
            let below = self.below(&new, &place, depth);
            self.inside.truncate(self.inside.len() - 2);
            return Some(below.unwrap_or(new));
        }
        let directory = key.directory().filter(|_| depth < MAX_DEPTH)?;
        let mut new = Vec::new();
        for position in 0..directory.len() {
            if !self.inside.is_empty() {
                self.left = self.left.saturating_sub(1);
            }
            let child = directory.shared(position)?;
            let below = self.below(child, &[at, &[position]].concat(), depth + 1);
            new.extend(Some(position).zip(below));
        }
        (!new.is_empty()).then(|| changed(key, new))
    }

    /// What a link leads to, under the name of the link, and where that is.
    fn target(&mut self, key: &Arc<Key>, at: &[usize]) -> Option<(Arc<Key>, Vec<usize>)> {
        let Some(Value::Link(target)) = key.value() else { return None };
        self.met = true;
        self.left = self.left.checked_sub(1)?;
        let path = Path::parse(&crate::spelling::from_bytes(target)).ok()?;
        let Place { positions, index } = self.tree.probe(&path, true).ok()?;
        // A directory around the link, or around one that has led here.
        let is_around = |place: &[usize]| place.starts_with(&positions);
        if is_around(at) || self.inside.iter().any(|place| is_around(place)) {
            return None;
        }
        let (found, _) = self.tree.key_at(&positions);
        let mut new = found.clone();
        new.name.clone_from(&key.name);
        if let Some(index) = index {
            let value = found.value()?;
            new.content = Content::Value(match index {
                Index::All => value.clone(),
                Index::One(index) => value.element(index)?,
                Index::Range(first, last) => value.slice(first, last)?,
            });
        }
        Some((Arc::new(new), positions))
    }
}

/// A directory with other keys at these positions.
fn changed(key: &Key, new: Vec<(usize, Arc<Key>)>) -> Arc<Key> {
    let mut key = key.clone();
    if let Content::Directory(directory) = &mut key.content {
        new.into_iter().for_each(|(position, child)| directory.replace(position, child));
    }
    Arc::new(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    fn followed(tree: &Tree, path: &str) -> Option<Tree> {
        tree.followed(&[Path::parse(path).unwrap()])
    }

    fn all(tree: &Tree, path: &str) -> Vec<String> {
        tree.walk(path).unwrap().map(|(path, key)| format!("{path} {}", key.tid())).collect()
    }

    #[test]
    fn links_are_replaced_by_what_they_lead_to() {
        let mut tree = Tree::new();
        tree.create("/Shared/Deep/n", vec![1, 2, 3]).unwrap();
        tree.create_link("/Shared/Deep/again", "/Shared/Deep/n[1]").unwrap();
        tree.create("/A/plain", 1).unwrap();
        assert!(followed(&tree, "/A").is_none());
        assert!(followed(&tree, "/Missing").is_none());
        tree.create_link("/A/all", "/Shared/Deep").unwrap();
        tree.create_link("/A/one", "/Shared/Deep/n[2]").unwrap();
        tree.create_link("/A/nowhere", "/Shared/Missing").unwrap();
        let new = followed(&tree, "/A").unwrap();
        let wanted = [
            "/A/plain INT",
            "/A/all KEY",
            "/A/all/n INT",
            "/A/all/again INT",
            "/A/one INT",
            "/A/nowhere LINK",
        ];
        assert_eq!(all(&new, "/A"), wanted);
        assert_eq!(new.get::<i32>("/A/one").unwrap(), 3);
        assert_eq!(new.get::<i32>("/A/all/again").unwrap(), 2);
        // The other places are as they were, and so is the tree.
        assert_eq!(new.find_link("/Shared/Deep/again").unwrap().key.tid(), pactolus_formats::Tid::Link);
        assert_eq!(tree.find_link("/A/one").unwrap().key.tid(), pactolus_formats::Tid::Link);
        // Links on the way.
        tree.create_link("/B", "/A").unwrap();
        let new = followed(&tree, "/B/all/n").unwrap();
        assert_eq!(new.find_link("/B/all/n").unwrap().path.to_string(), "/B/all/n");
    }

    #[test]
    fn circles_and_multitudes_end() {
        let mut tree = Tree::new();
        tree.create_link("/A/self", "/A").unwrap();
        tree.create_link("/A/other", "/B").unwrap();
        tree.create_link("/B/back", "/A").unwrap();
        tree.create_link("/B/ring", "/B/ring").unwrap();
        let new = followed(&tree, "/A").unwrap();
        let wanted = ["/A/self LINK", "/A/other KEY", "/A/other/back LINK", "/A/other/ring LINK"];
        assert_eq!(all(&new, "/A"), wanted);
        for level in 0..9 {
            for n in 0..10 {
                tree.create_link(&format!("/L{level}/{n}"), &format!("/L{}", level + 1)).unwrap();
            }
        }
        tree.create("/L9/end", 1).unwrap();
        assert!(all(&followed(&tree, "/L0").unwrap(), "/L0").len() < 2 * MOST);
    }
}
