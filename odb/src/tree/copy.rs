//! Copies of keys and directories within a tree.

use super::*;

impl Tree {
    /// Copies a key, an element of an array, or a directory with all below it, to a path where nothing
    /// is; directories above it are made. A link is copied as a link. The access modes come along.
    ///
    /// # Errors
    /// Those of [`Tree::find`] and [`Tree::create`]; [`Error::Protected`] names the first key that may
    /// not be read, [`Error::Depth`] tells of a tree that would become too deep.
    pub fn copy(&mut self, from: &str, to: &str) -> Result<()> {
        let found = self.find_link(from)?;
        let mut deepest = 0;
        for (path, key) in
            std::iter::once((found.path.clone(), found.key)).chain(Walk::new(found.key, found.path.clone()))
        {
            if !key.mode.has(Mode::READ) {
                return Err(Error::Protected { path: path.to_string(), access: "read" });
            }
            deepest = deepest.max(path.names().len() - found.path.names().len());
        }
        let mut key = found.key.clone();
        if found.index.is_some() {
            key.content = Content::Value(self.value(from)?);
        }
        let to = Path::parse(to)?;
        if let Some(parent) = to.parent() {
            // Links may lead to a place that is deeper than the path is long.
            let place = self.make_directory(&parent)?;
            let (_, here) = self.key_at(&place);
            if here.names().len() + 1 + deepest > MAX_DEPTH {
                return Err(Error::Depth { path: to.to_string(), limit: MAX_DEPTH });
            }
        }
        let (mode, now) = (key.mode, self.now);
        written(&mut key, now);
        self.create_at(&to, key.content)?;
        let place = self.resolve_literal(&to)?;
        self.change(&place, |key| key.mode = mode);
        Ok(())
    }
}

/// Says of every value that it was written now.
fn written(key: &mut Key, now: u32) {
    match &mut key.content {
        Content::Value(_) => key.last_written = now,
        Content::Directory(directory) => {
            for position in 0..directory.len() {
                if let Some(child) = directory.at_mut(position) {
                    written(child, now);
                }
            }
        }
    }
}
