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
//! Each command is one small unit: its name, its help, what it does, its tests. One that changes
//! something is one transaction. What a program must lend them is [`Surroundings`]. The shell knows
//! no terminal, no prompt, no history and no file.

#[cfg(test)]
use crate::Tree;
use crate::{Odb, Path, nearest};

mod call;
mod cd;
mod chmod;
mod complete;
mod cp;
mod create;
mod del;
mod diff;
mod error;
mod exit;
mod find;
mod get;
mod help;
mod json;
mod listing;
mod ln;
mod load;
mod ls;
mod mkdir;
mod move_key;
mod pattern;
pub(crate) mod plain;
mod pwd;
mod ren;
mod resize;
mod save;
mod set;
mod surroundings;
mod watch;
mod words;

use call::Call;
pub use complete::Candidate;
pub use error::{Error, Result};
pub use surroundings::{Capture, Paint, Surroundings};

/// A database and a place in it.
pub struct Shell {
    odb: Odb,
    at: Path,
    json: bool,
    read_only: Option<String>,
    ended: bool,
}

impl Shell {
    /// A shell at the root of a database.
    pub fn new(odb: Odb) -> Shell {
        Shell { odb, at: Path::ROOT, json: false, read_only: None, ended: false }
    }

    /// Lets `ls` and `get` answer with one JSON value each, `diff` and `watch` with one for each line.
    #[must_use]
    pub fn json(self, on: bool) -> Shell {
        Shell { json: on, ..self }
    }

    /// Refuses commands that change something; `why` is what they say.
    #[must_use]
    pub fn read_only(self, why: impl Into<String>) -> Shell {
        Shell { read_only: Some(why.into()), ..self }
    }

    /// The database.
    pub fn odb(&self) -> &Odb {
        &self.odb
    }

    /// Has the user said `exit`?
    pub fn ended(&self) -> bool {
        self.ended
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
        self.run_words(words::split(line)?, around)
    }

    /// Runs a command whose words are taken as they are.
    ///
    /// # Errors
    /// As [`Shell::run`].
    pub fn run_words(&mut self, words: Vec<String>, around: &mut dyn Surroundings) -> Result<()> {
        let mut words = words.into_iter();
        let Some(name) = words.next() else { return Ok(()) };
        let command = COMMANDS.iter().find(|command| command.name == name).ok_or_else(|| {
            let nearest = nearest(&name, COMMANDS.iter().map(|command| command.name)).map(str::to_owned);
            Error::Unknown { name, nearest }
        })?;
        let words: Vec<String> = words.collect();
        let (tree, at) = (self.odb.snapshot()?, self.at.clone());
        let mut call = Call { command, words: words.clone(), tree: tree.clone(), shell: self, around };
        (command.run)(&mut call).map_err(|error| call::named(&tree, &at, &words, error))
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
    /// What its words are; the last is also what follows.
    takes: &'static [Takes],
    run: fn(&mut Call<'_>) -> Result<()>,
}

/// What a word of a command is, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Path,
    Directory,
    File,
    /// A path or a file.
    Either,
    Type,
    /// A value for the path before it.
    Value,
    Command,
    Other,
}

const COMMANDS: &[Command] = &[
    ls::COMMAND,
    cd::COMMAND,
    pwd::COMMAND,
    get::COMMAND,
    set::COMMAND,
    create::COMMAND,
    mkdir::COMMAND,
    del::DEL,
    del::RM,
    cp::COMMAND,
    ren::COMMAND,
    move_key::COMMAND,
    ln::COMMAND,
    chmod::COMMAND,
    resize::TRUNC,
    resize::RESIZE,
    find::COMMAND,
    watch::COMMAND,
    diff::COMMAND,
    load::COMMAND,
    save::COMMAND,
    json::JSON,
    json::JSLS,
    json::JSVALUES,
    help::COMMAND,
    exit::EXIT,
    exit::QUIT,
];

/// For tests of commands: the answers to some lines, errors among them.
#[cfg(test)]
fn answer(tree: &Tree, json: bool, lines: &[&str]) -> String {
    let mut shell = Shell::new(Odb::from(tree.clone())).json(json);
    let mut capture = Capture { now: 1_795_225_785, ..Capture::default() };
    answers(&mut shell, &mut capture, lines)
}

/// The answers to some lines on the sample must be these.
#[cfg(test)]
#[track_caller]
fn check(lines: &[&str], wanted: &str) {
    assert_eq!(answer(&sample(), false, lines), wanted, "{lines:?}");
}

/// The answers of this shell in these surroundings.
#[cfg(test)]
fn answers(shell: &mut Shell, capture: &mut Capture, lines: &[&str]) -> String {
    use std::io::Write as _;

    let before = capture.saved.len();
    for line in lines {
        let ran = shell.run(line, capture);
        for warned in capture.warned.drain(..) {
            let _ = writeln!(capture.out, "? {warned}");
        }
        if let Err(error) = ran {
            let _ = writeln!(capture.out, "! {error}");
        }
    }
    for (name, contents) in &capture.saved[before..] {
        let _ = writeln!(capture.out, "saved {name}: {}", String::from_utf8_lossy(contents));
    }
    String::from_utf8_lossy(&std::mem::take(&mut capture.out)).into_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_read_is_not_changed() {
        let why = "x.mid is a file";
        let mut shell = Shell::new(Odb::from(sample())).read_only(why);
        let mut capture =
            Capture { saved: vec![("a".into(), b"[/]\nx = INT : 1\n".to_vec())], ..Capture::default() };
        for (line, command) in [
            ("set Runinfo/State 1", "set"),
            ("create int x", "create"),
            ("mkdir x", "mkdir"),
            ("del Runinfo", "del"),
            ("rm Runinfo", "rm"),
            ("cp Runinfo x", "cp"),
            ("ren Runinfo x", "ren"),
            ("move Runinfo bottom", "move"),
            ("ln Runinfo x", "ln"),
            ("chmod R Runinfo", "chmod"),
            ("trunc Runinfo/State 1", "trunc"),
            ("resize Runinfo/State 2", "resize"),
            ("load a", "load"),
        ] {
            let wanted = format!("! '{command}' changes the ODB: {why}\n");
            assert_eq!(answers(&mut shell, &mut capture, &[line]), wanted);
        }
        assert!(shell.odb.snapshot().is_ok_and(|tree| tree.same(&sample())));
        assert_eq!(answers(&mut shell, &mut capture, &["get Runinfo/State"]), "3\n");
    }

    #[test]
    fn a_command_is_one_change() {
        let mut shell = Shell::new(Odb::from(sample()));
        let lines =
            ["mkdir a b c", "set Equipment/Trigger/Variables/ADC0 1 2 3", "del a b", "cp Equipment x"];
        for (line, revision) in lines.iter().zip(1..) {
            assert_eq!(answers(&mut shell, &mut Capture::default(), &[line]), "");
            assert_eq!(shell.odb.revision(), revision, "{line}");
        }
    }

    /// A store that calls a change once more, with the newest tree, as one does that finds its tree old.
    struct Again {
        old: Tree,
        newest: crate::Local,
    }

    impl crate::Store for Again {
        fn revision(&self) -> u64 {
            self.newest.revision()
        }

        fn snapshot(&self) -> crate::Result<(u64, Tree)> {
            self.newest.snapshot()
        }

        fn transact(&self, change: &mut dyn FnMut(&mut Tree) -> crate::Result<()>) -> crate::Result<()> {
            let _ = change(&mut self.old.clone());
            self.newest.transact(change)
        }

        fn wait(&self, seen: u64, timeout: std::time::Duration) -> u64 {
            self.newest.wait(seen, timeout)
        }
    }

    #[test]
    fn what_was_refused_of_an_old_tree_does_not_count() -> crate::Result<()> {
        let (mut old, mut newest) = (Tree::new(), Tree::new());
        old.create("/x", vec![1, 2])?;
        newest.create("/x", 1)?;
        let store = Again { old, newest: crate::Local::new(newest) };
        let mut shell = Shell::new(Odb::new(std::sync::Arc::new(store)));
        assert_eq!(answers(&mut shell, &mut Capture::default(), &["set x 5", "get x"]), "5\n");
        Ok(())
    }
}
