//! A command with its words, while it is done.

use super::{Command, Error, Result, Shell, Surroundings};
use crate::{Found, Path, Tree, Value, spelling};

/// A command with its words, while it is done.
pub(super) struct Call<'c> {
    pub(super) command: &'static Command,
    pub(super) words: Vec<String>,
    /// The tree at this moment.
    pub(super) tree: Tree,
    pub(super) shell: &'c mut Shell,
    pub(super) around: &'c mut dyn Surroundings,
}

impl Call<'_> {
    /// Takes the words with a hyphen out, wherever they stand: which of `letters` were there. Behind
    /// `--` there are none, and a hyphen alone is a word.
    pub(super) fn flags(&mut self, letters: &str) -> Result<String> {
        let mut found = String::new();
        let mut words = std::mem::take(&mut self.words).into_iter();
        while let Some(word) = words.next() {
            match word.strip_prefix('-') {
                Some("-") => self.words.extend(words.by_ref()),
                None | Some("") => self.words.push(word),
                Some(flags) => match flags.chars().find(|c| !letters.contains(*c)) {
                    Some(c) => return Err(self.usage(format!("'{}' knows no -{c}", self.command.name))),
                    None => found.push_str(flags),
                },
            }
        }
        Ok(found)
    }

    /// The one word, if there is one.
    pub(super) fn word(&self) -> Result<Option<&str>> {
        match self.words.as_slice() {
            [] => Ok(None),
            [word] => Ok(Some(word)),
            [_, second, ..] => Err(self.usage(format!(
                "one word expected, '{second}' is a second one (paths with blanks need quotes)"
            ))),
        }
    }

    /// There is no word.
    pub(super) fn nothing(&self) -> Result<()> {
        match self.word()? {
            None => Ok(()),
            Some(word) => {
                Err(self.usage(format!("nothing expected behind '{}', '{word}' found", self.command.name)))
            }
        }
    }

    /// The one word, which must be there.
    pub(super) fn wanted(&self, what: &str) -> Result<String> {
        let word = self.word()?.map(str::to_owned);
        word.ok_or_else(|| self.needs(what))
    }

    /// A word is missing.
    pub(super) fn needs(&self, what: &str) -> Error {
        self.usage(format!("'{}' needs {what}", self.command.name))
    }

    pub(super) fn usage(&self, what: String) -> Error {
        Error::Usage { what, usage: self.command.usage }
    }

    /// A path as it is seen from the current directory.
    pub(super) fn path(&self, word: &str) -> Result<Path> {
        Ok(self.shell.at.join(word)?)
    }

    /// The key of a path as it is seen from the current directory.
    pub(super) fn find(&self, word: &str) -> Result<Found<'_>> {
        Ok(self.tree.find(&self.path(word)?.to_string())?)
    }

    /// Two words, which must be there.
    pub(super) fn two(&self, what: &str) -> Result<(String, String)> {
        match self.words.as_slice() {
            [first, second] => Ok((first.clone(), second.clone())),
            [_, _, third, ..] => Err(self.usage(format!(
                "two words expected, '{third}' is a third one (paths with blanks need quotes)"
            ))),
            _ => Err(self.needs(what)),
        }
    }

    /// Words as paths, as they are seen from the current directory; one must be there.
    pub(super) fn paths(&self) -> Result<Vec<Path>> {
        if self.words.is_empty() {
            return Err(self.needs("a path"));
        }
        self.words.iter().map(|word| self.path(word)).collect()
    }

    /// A whole number, as an array can have elements.
    pub(super) fn len(&self, word: &str) -> Result<usize> {
        let limit = crate::Value::MAX_LEN;
        word.parse().ok().filter(|len| (1..=limit).contains(len)).ok_or_else(|| {
            self.usage(format!("a number of elements from 1 to {limit} expected, '{word}' found"))
        })
    }

    /// Changes the database: all of it happens, or nothing.
    pub(super) fn change<T>(&mut self, mut change: impl FnMut(&mut Tree) -> Result<T>) -> Result<T> {
        self.may_change()?;
        let mut refused = None;
        let changed = self.shell.odb.change(|tree| {
            // The store may call again.
            refused = None;
            change(tree).map_err(|error| match error {
                Error::Odb(error) => error,
                // The transaction must fail, whatever it says: the command's own error is what counts.
                own => crate::Error::Store(refused.insert(own).to_string()),
            })
        });
        let changed = refused.map_or(changed.map_err(Error::from), Err)?;
        self.stay()?;
        Ok(changed)
    }

    /// Refuses if nothing may be changed here.
    pub(super) fn may_change(&self) -> Result<()> {
        let why = self.shell.read_only.clone();
        why.map_or(Ok(()), |why| Err(Error::ReadOnly { command: self.command.name, why }))
    }

    /// The current directory may be gone now: then it is the one above.
    fn stay(&mut self) -> Result<()> {
        let tree = self.shell.odb.snapshot()?;
        while tree.directory(&self.shell.at.to_string()).is_err() {
            let Some(parent) = self.shell.at.parent() else { break };
            self.shell.at = parent;
        }
        Ok(())
    }

    /// Writes an answer.
    pub(super) fn say(&mut self, text: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.around.out().write_all(text.as_ref())?)
    }
}

/// Names the first link of a path that leads to no key, where that is why a key was not found.
pub(super) fn named(tree: &Tree, at: &Path, words: &[String], error: Error) -> Error {
    let Error::Odb(missing @ crate::Error::NotFound { .. }) = error else { return error };
    let link = words.iter().filter_map(|word| {
        let path = at.join(word).ok()?;
        let mut link = Path::ROOT;
        for name in path.names() {
            link.push(name).ok()?;
            let found = tree.find_link(&link.to_string()).ok()?;
            if let (Some(Value::Link(target)), Err(why)) = (found.key.value(), tree.find(&link.to_string())) {
                let is_why = matches!((&why, &missing), (crate::Error::NotFound { path: one, .. },
                    crate::Error::NotFound { path: other, .. }) if one == other);
                return is_why.then(|| (found.path, spelling::from_bytes(target)));
            }
        }
        None
    });
    match link.into_iter().next() {
        Some((link, target)) => Error::Leads { link: link.to_string(), target, missing },
        None => Error::Odb(missing),
    }
}

/// Where something comes to be that is put at a path: there, or under its name in the directory there.
pub(super) fn destination(tree: &Tree, to: &Path, name: &str) -> crate::Result<Path> {
    match tree.find(&to.to_string()) {
        Ok(found) if found.key.directory().is_some() => found.path.child(name),
        _ => Ok(to.clone()),
    }
}
