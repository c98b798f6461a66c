//! What a program lends its shell.

use std::error::Error;
use std::io::{self, Write};

use super::Result;

/// What a program lends its shell. Only the first four must be there: a program without a terminal
/// can do without the others.
pub trait Surroundings {
    /// Where answers go.
    fn out(&mut self) -> &mut dyn Write;

    /// Keeps what `save` made under this name.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn save(&mut self, name: &str, contents: &[u8]) -> Result<(), Box<dyn Error>>;

    /// What is kept under this name.
    ///
    /// # Errors
    /// Why it cannot be had.
    fn load(&mut self, name: &str) -> Result<Vec<u8>, Box<dyn Error>>;

    /// The time, for "last written" \[Unix seconds].
    fn now(&self) -> u32;

    /// Tells of something that does not keep a command from being done.
    fn warn(&mut self, _text: &str) {}

    /// Asks the user, yes or no; `None` if there is nobody to ask, which means yes.
    fn ask(&mut self, _question: &str) -> Option<bool> {
        None
    }

    /// Shall a command that goes on for ever end now? Asked several times a second.
    fn stopped(&self) -> bool {
        false
    }

    /// Text in the colour of what it is.
    fn paint(&self, _what: Paint, text: &[u8]) -> Vec<u8> {
        text.to_vec()
    }
}

/// What a text in a listing is, for programs that have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Paint {
    /// The name of a directory.
    Directory,
    /// The name of a link.
    Link,
}

/// Surroundings in memory: for tests, and for programs that want the answer as a text.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// The answers.
    pub out: Vec<u8>,
    /// What was saved, names and contents; it can be loaded.
    pub saved: Vec<(String, Vec<u8>)>,
    /// What was told of besides.
    pub warned: Vec<String>,
    /// The time \[Unix seconds].
    pub now: u32,
    /// The answer to every question.
    pub yes: Option<bool>,
}

impl Capture {
    /// The answers as text; other bytes than UTF-8 are replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.out)
    }
}

impl Surroundings for Capture {
    fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    fn save(&mut self, name: &str, contents: &[u8]) -> Result<(), Box<dyn Error>> {
        self.saved.push((name.to_owned(), contents.to_vec()));
        Ok(())
    }

    fn load(&mut self, name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
        let kept = self.saved.iter().rfind(|(kept, _)| kept == name);
        kept.map(|(_, contents)| contents.clone())
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound).into())
    }

    fn now(&self) -> u32 {
        self.now
    }

    fn warn(&mut self, text: &str) {
        self.warned.push(text.to_owned());
    }

    fn ask(&mut self, _question: &str) -> Option<bool> {
        self.yes
    }

    /// Nobody can end what goes on for ever, so it ends at once.
    fn stopped(&self) -> bool {
        true
    }
}
