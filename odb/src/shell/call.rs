//! A command with its words, while it is done.

use super::{Command, Error, Result, Shell, Surroundings};
use crate::{Found, Path, Tree};

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
    /// Takes the words with a hyphen off the front: which of `letters` were there. `--` ends them.
    pub(super) fn flags(&mut self, letters: &str) -> Result<String> {
        let mut found = String::new();
        while let Some(flags) = self.words.first().and_then(|word| word.strip_prefix('-')) {
            if let Some(unknown) = flags.chars().find(|c| !letters.contains(*c) && flags != "-") {
                return Err(self.usage(format!("'{}' knows no -{unknown}", self.command.name)));
            }
            found.push_str(flags);
            if self.words.remove(0) == "--" {
                break;
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

    /// The one word, which must be there.
    pub(super) fn wanted(&self, what: &str) -> Result<String> {
        let word = self.word()?.map(str::to_owned);
        word.ok_or_else(|| self.usage(format!("'{}' needs {what}", self.command.name)))
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

    /// Writes an answer.
    pub(super) fn say(&mut self, text: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.around.out().write_all(text.as_ref())?)
    }
}
