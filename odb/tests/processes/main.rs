//! Several processes on one shared ODB: writers that are killed, writers and readers at once, random
//! changes compared with a plain model.
//!
//! This program plays the other processes, too: it starts itself with only the test `other_process`,
//! and a part to play in the environment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crash;
mod model;
mod money;

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use pactolus_odb::Odb;
use pactolus_odb::store::{Options, Shared};

const PART: &str = "PACTOLUS_TEST_PART";
const PLACE: &str = "PACTOLUS_TEST_PLACE";

/// Begins each line that another process says; the test harness says others.
const SAYS: &str = "says: ";

/// Another process.
struct Other {
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Other {
    /// Starts one that plays this part on the database.
    fn start(part: &str, place: &Path) -> Other {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["other_process", "--exact", "--nocapture", "--test-threads=1"])
            .env(PART, part)
            .env(PLACE, place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Other { child, to, from: BufReader::new(from).lines() }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.to, "{line}").unwrap();
    }

    /// The next line that it says; `None` when it has ended.
    fn hear(&mut self) -> Option<String> {
        loop {
            // One that was killed may have said half a line.
            let line = self.from.next()?.ok()?;
            // The harness does not end its own line before.
            if let Some(at) = line.find(SAYS) {
                return Some(line[at + SAYS.len()..].to_owned());
            }
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets it come to its end, which must be a good one.
    fn end(mut self) {
        drop(self.to);
        assert!(self.child.wait().unwrap().success(), "another process has failed");
    }
}

/// Says a line to the process that has started this one.
fn say(line: &str) {
    println!("{SAYS}{line}");
}

/// What other processes do.
#[test]
fn other_process() {
    let Ok(part) = std::env::var(PART) else { return };
    let place = std::env::var_os(PLACE).unwrap();
    let odb = || open(Path::new(&place));
    match part.as_str() {
        "crash" => crash::write(&odb()),
        "model" => model::follow(&odb()),
        "writer" => money::write(&odb()),
        "greedy" => money::write_greedily(&odb()),
        "reader" => money::read(&odb()),
        other => panic!("no part '{other}'"),
    }
}

fn open(place: &Path) -> Odb {
    Odb::open(place).unwrap()
}

/// A new database, and a handle on the store of this process.
fn create(place: &Path) -> (Odb, Shared) {
    let shared = Shared::open(place, Options { create: true, ..Options::default() }).unwrap();
    (Odb::new(std::sync::Arc::new(shared.clone())), shared)
}

/// Random numbers enough for a test: xorshift.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % sides
    }
}
