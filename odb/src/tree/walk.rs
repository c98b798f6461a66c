//! Through a tree, key by key.

use crate::key::Key;
use crate::path::Path;

/// The keys below a directory, in order, each with its path; made by [`Tree::walk`](super::Tree::walk).
pub struct Walk<'t> {
    stack: Vec<(Path, Box<dyn Iterator<Item = &'t Key> + 't>)>,
}

impl<'t> Walk<'t> {
    pub(crate) fn new(key: &'t Key, path: Path) -> Walk<'t> {
        let mut walk = Walk { stack: Vec::new() };
        walk.enter(key, path);
        walk
    }

    fn enter(&mut self, key: &'t Key, path: Path) {
        if let Some(directory) = key.directory() {
            self.stack.push((path, Box::new(directory.iter())));
        }
    }
}

impl<'t> Iterator for Walk<'t> {
    type Item = (Path, &'t Key);

    fn next(&mut self) -> Option<(Path, &'t Key)> {
        loop {
            let (path, keys) = self.stack.last_mut()?;
            match keys.next() {
                Some(key) => {
                    // Names in a tree were checked when they came in, and so was its depth.
                    let path = path.child(key.name()).unwrap_or_else(|_| path.clone());
                    self.enter(key, path.clone());
                    return Some((path, key));
                }
                None => drop(self.stack.pop()),
            }
        }
    }
}
