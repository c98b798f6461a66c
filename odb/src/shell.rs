//! The ODB shell without a terminal: a current directory, and commands with `odbedit`'s words.
//!
//! ```
//! use pactolus_odb::shell::{Capture, Shell};
//! use pactolus_odb::{Dump, Odb};
//!
//! let dump = Dump::parse(b"[/Runinfo]\nState = INT : 3\nRun number = INT : 8\n")?;
//! let mut shell = Shell::new(Odb::from(dump.tree()));
//! let mut capture = Capture::default();
//! shell.run("cd /Runinfo", &mut capture)?;
//! shell.run("ls", &mut capture)?;
//! assert_eq!(
//!     capture.text(),
//!     "State                           3\nRun number                      8\n"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each command is one small unit: its name, its help, what it does, its tests. The commands here
//! only read; what a program must lend them is [`Surroundings`]. The shell knows no terminal, no
//! prompt, no history and no file.

use std::io::Write;

#[cfg(test)]
use crate::Tree;
use crate::{Odb, Path, nearest};

mod call;
mod cd;
mod error;
mod find;
mod get;
mod help;
mod json;
mod listing;
mod ls;
mod pattern;
mod plain;
mod pwd;
mod save;
mod words;

use call::Call;
pub use error::{Error, Result};

/// What a program lends its shell.
pub trait Surroundings {
    /// Where answers go.
    fn out(&mut self) -> &mut dyn Write;

    /// Keeps what `save` made under this name.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn save(&mut self, name: &str, contents: &[u8]) -> Result<(), Box<dyn std::error::Error>>;

    /// The time, for "last written" \[Unix seconds].
    fn now(&self) -> u32;
}

/// Surroundings in memory: for tests, and for programs that want the answer as a text.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// The answers.
    pub out: Vec<u8>,
    /// What was saved: names and contents.
    pub saved: Vec<(String, Vec<u8>)>,
    /// The time \[Unix seconds].
    pub now: u32,
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

    fn save(&mut self, name: &str, contents: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
        self.saved.push((name.to_owned(), contents.to_vec()));
        Ok(())
    }

    fn now(&self) -> u32 {
        self.now
    }
}

/// A database and a place in it.
pub struct Shell {
    odb: Odb,
    at: Path,
    json: bool,
}

impl Shell {
    /// A shell at the root of a database.
    pub fn new(odb: Odb) -> Shell {
        Shell { odb, at: Path::ROOT, json: false }
    }

    /// Lets `ls` and `get` answer with one JSON value each.
    #[must_use]
    pub fn json(self, on: bool) -> Shell {
        Shell { json: on, ..self }
    }

    /// The current directory.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Runs a line: one command with its words. An empty line, and one that begins with `#`, does
    /// nothing.
    ///
    /// # Errors
    /// Whatever keeps the command from being done; the shell goes on.
    pub fn run(&mut self, line: &str, around: &mut dyn Surroundings) -> Result<()> {
        if line.trim_start().starts_with('#') {
            return Ok(());
        }
        let mut words = words::split(line)?.into_iter();
        let Some(name) = words.next() else { return Ok(()) };
        let command = COMMANDS.iter().find(|command| command.name == name).ok_or_else(|| {
            let nearest = nearest(&name, COMMANDS.iter().map(|command| command.name)).map(str::to_owned);
            Error::Unknown { name, nearest }
        })?;
        let words = words.collect();
        (command.run)(&mut Call { command, words, tree: self.odb.snapshot()?, shell: self, around })
    }

    /// The commands, in the order of the help.
    pub fn commands() -> &'static [Command] {
        COMMANDS
    }
}

/// A command.
pub struct Command {
    /// The word that calls it.
    pub name: &'static str,
    /// Its words: `ls [-lr] [PATH]`.
    pub usage: &'static str,
    /// What it does; the first line is a summary.
    pub help: &'static str,
    run: fn(&mut Call<'_>) -> Result<()>,
}

const COMMANDS: &[Command] = &[
    ls::COMMAND,
    cd::COMMAND,
    pwd::COMMAND,
    get::COMMAND,
    find::COMMAND,
    json::JSON,
    json::JSLS,
    json::JSVALUES,
    save::COMMAND,
    help::COMMAND,
];

/// For tests of commands: the answers to some lines, errors among them.
#[cfg(test)]
fn answer(tree: &Tree, json: bool, lines: &[&str]) -> String {
    let mut shell = Shell::new(Odb::from(tree.clone())).json(json);
    let mut capture = Capture { now: 1_795_225_785, ..Capture::default() };
    for line in lines {
        if let Err(error) = shell.run(line, &mut capture) {
            let _ = writeln!(capture.out, "! {error}");
        }
    }
    for (name, contents) in &capture.saved {
        let _ = writeln!(capture.out, "saved {name}: {}", String::from_utf8_lossy(contents));
    }
    capture.text().into_owned()
}

/// A small tree for tests of commands.
#[cfg(test)]
fn sample() -> Tree {
    let text = b"[/Runinfo]\nState = INT : 3\nRun number = INT : 8\n\n[/Equipment/Trigger/Common]\n\
        Event ID = WORD : 1\nBuffer = STRING : [32] SYSTEM\n\n[/Equipment/Trigger/Variables]\n\
        ADC0 = WORD[3] :\n[0] 17\n[1] 18\n[2] 19\n\n[/]\nHere = LINK : [19] /Equipment/Trigger\n\
        Lost = LINK : [9] /Nothing\n";
    crate::Dump::parse(text).map(|dump| dump.tree()).unwrap_or_default()
}
