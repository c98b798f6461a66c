//! Protected keys that are only written for others.

use pactolus_odb::Error;

/// What is only written for others, and is protected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skipped {
    /// It is left alone: the ODB is shared. In one of its own the analyzer is told of it.
    lenient: bool,
    /// The first such key.
    pub(crate) first: Option<String>,
}

impl Skipped {
    pub(crate) fn new(lenient: bool) -> Skipped {
        Skipped { lenient, first: None }
    }

    /// Takes note of a key that is protected; all else that goes wrong is an error.
    pub(crate) fn unless(&mut self, done: Result<(), Error>) -> Result<(), Error> {
        match done {
            Err(Error::Protected { path, .. }) if self.lenient => {
                self.first.get_or_insert(path);
                Ok(())
            }
            other => other,
        }
    }
}
