//! Keys of another place in a tree, as they are there: with their access modes and times.

use super::*;

impl Key {
    /// A key as another place has it.
    ///
    /// # Errors
    /// [`Error::Name`] if no key can have the name.
    pub fn with(name: &str, content: Content, mode: Mode, last_written: u32) -> Result<Key> {
        check_name(name)?;
        Ok(Key { mode, last_written, ..Key::new(name, content) })
    }
}

impl Directory {
    /// Adds a key behind the others; says whether it could: not if there is one of its name.
    pub fn add(&mut self, key: Key) -> bool {
        let is_new = self.position(key.name()).is_none();
        if is_new {
            self.push(key);
        }
        is_new
    }
}

impl Tree {
    /// A tree of these keys.
    pub fn of(root: Directory) -> Tree {
        Tree::from_root(Arc::new(Key::new("", Content::Directory(root))))
    }

    /// The key at a path, taken as it is: no link on the way is followed, and brackets belong to names.
    pub fn literal(&self, path: &Path) -> Option<&Key> {
        self.literal_place(path).map(|place| self.key_at(&place).0)
    }

    /// Puts a key as it is in the place of the one at a path, or behind the others in its directory,
    /// which must be there. The path is taken as it is, as by [`Tree::literal`], and the key should have
    /// its last name. `None` takes the key away. Access modes forbid nothing here.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::NotDirectory`] of the directory; [`Error::Name`] for the root, which is made by [`Tree::of`].
    pub fn graft(&mut self, path: &Path, key: Option<Key>) -> Result<()> {
        let Some(parent) = path.parent() else {
            return Err(Error::Name { name: String::new(), why: "it is the root" });
        };
        let Some(place) = self.literal_place(&parent) else {
            return match &key {
                Some(_) => Err(Error::NotFound { path: parent.to_string(), nearest: None }),
                None => Ok(()),
            };
        };
        let Some(directory) = self.key_at(&place).0.directory() else {
            return Err(Error::NotDirectory { path: parent.to_string() });
        };
        let position = path.name().and_then(|name| directory.position(name));
        self.change_directory(&place, |directory| match (position, key) {
            (Some(position), Some(key)) => directory.replace(position, Arc::new(key)),
            (Some(position), None) => directory.remove(position),
            (None, Some(key)) => drop(directory.add(key)),
            (None, None) => {}
        });
        Ok(())
    }

    fn literal_place(&self, path: &Path) -> Option<Vec<usize>> {
        let mut key = self.root();
        let step = |name: &String| {
            let directory = key.directory()?;
            let position = directory.position(name)?;
            key = directory.at(position)?;
            Some(position)
        };
        path.names().iter().map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn a_key_stands_as_it_is_elsewhere() {
        let mut tree = Tree::new();
        tree.create("/A/b", 1).unwrap();
        tree.create("/A/c[0]", 2).unwrap();
        tree.create_link("/link", "/A").unwrap();
        let key = |name: &str, n: i32| Key::with(name, Content::Value(n.into()), Mode::READ, 77).unwrap();
        tree.graft(&path("/A/B"), Some(key("B", 5))).unwrap();
        tree.graft(&path("/a/c[0]"), Some(key("c[0]", 6))).unwrap();
        tree.graft(&path("/A/new"), Some(key("new", 7))).unwrap();
        let found = tree.find("/a/b").unwrap();
        assert_eq!(
            (found.path.to_string(), found.key.mode(), found.key.last_written()),
            ("/A/B".into(), Mode::READ, 77)
        );
        let names = |tree: &Tree| {
            tree.directory("/A").unwrap().iter().map(|key| key.name().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&tree), ["B", "c[0]", "new"]);
        tree.graft(&path("/A/c[0]"), None).unwrap();
        tree.graft(&path("/nowhere/at/all"), None).unwrap();
        assert_eq!(names(&tree), ["B", "new"]);
        // A link is no directory, wherever it leads to.
        assert!(tree.literal(&path("/link/new")).is_none());
        assert_eq!(tree.literal(&path("/link")).unwrap().tid(), pactolus_formats::Tid::Link);
        assert!(matches!(tree.graft(&path("/link/x"), Some(key("x", 1))), Err(Error::NotDirectory { .. })));
        assert!(matches!(tree.graft(&path("/none/x"), Some(key("x", 1))), Err(Error::NotFound { .. })));
        assert!(Key::with("a/b", Content::Value(1.into()), Mode::READ, 0).is_err());
    }

    #[test]
    fn a_name_stands_once_in_a_directory() {
        let mut directory = Directory::default();
        let key = |name: &str| Key::with(name, Content::Value(1.into()), Mode::default(), 0).unwrap();
        assert!(directory.add(key("a")) && directory.add(key("b")) && !directory.add(key("A")));
        assert_eq!(Tree::of(directory).directory("/").unwrap().len(), 2);
    }
}
