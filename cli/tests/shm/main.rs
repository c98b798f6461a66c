//! Events in shared memory, as a user sees them: `bridge`, `simulate --to`, `shm`, and who reads.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

#[path = "../../../tests/common/mod.rs"]
mod common;
#[path = "../../../tests/mserver/mod.rs"]
mod mserver;

mod bridge;
mod readers;
mod streams;

use common::MidFile;
use common::told::lines;

/// Far longer than anything here takes.
const HANGS: Duration = Duration::from_secs(60);

/// A place with files; in a line, `@` is the directory of its streams.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(TempDir::new().unwrap())
    }

    fn program(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pactolus"));
        let stream = format!("shm:{}/", self.0.path().display());
        command.args(line.split_whitespace().map(|word| word.replace("shm:@", &stream).replace("%s", " s")));
        command.current_dir(&self.0).env_remove("PACTOLUS_ODB");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, line: &str) -> Child {
        self.program(line).spawn().unwrap()
    }

    fn ran(&self, line: &str) -> Output {
        self.program(line).output().unwrap()
    }

    /// Runs what must end well; standard output.
    fn well(&self, line: &str) -> String {
        let ran = self.ran(line);
        assert_eq!(ran.status.code(), Some(0), "{line}: {}", text(&ran.stderr));
        text(&ran.stdout).to_owned()
    }

    fn put(&self, name: &str, file: &MidFile) {
        file.save(self.0.path().join(name));
    }

    /// What can be seen of a stream, if it is there.
    fn look(&self, name: &str) -> Option<Value> {
        let ran = self.ran(&format!("shm shm:@{name} --json"));
        let streams: Value = serde_json::from_slice(&ran.stdout).ok()?;
        Some(streams[0].clone())
    }

    /// Waits until a stream is so.
    fn wait(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let stream = self.look(name);
            if let Some(stream) = stream.clone().filter(|stream| is_so(stream)) {
                return stream;
            }
            assert!(begun.elapsed() < HANGS, "{stream:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until so many consumers are there.
    fn wait_for(&self, name: &str, consumers: usize) {
        self.wait(name, |stream| stream["consumers"].as_array().is_some_and(|all| all.len() == consumers));
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Data events of a run, with these serial numbers.
fn data(file: MidFile, serials: std::ops::Range<u32>) -> MidFile {
    serials.fold(file, |file, i| file.words(1, i, "ADC0", &[i as u16, 2, 3, 4]))
}

fn run(number: u32, events: u32) -> MidFile {
    data(MidFile::new().bor(number), 0..events).eor(number)
}

/// The next line of this type that is so.
fn next(lines: &Receiver<Value>, kind: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let line = lines.recv_timeout(HANGS.saturating_sub(begun.elapsed()));
        let line = line.unwrap_or_else(|error| panic!("no line of type {kind}: {error}"));
        if line["type"] == kind && is_so(&line) {
            return line;
        }
    }
}

/// The events that `dump --json` shows, without where they stand.
fn shown(dump: &str) -> Vec<Value> {
    let event = |line: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let members = event.as_object_mut().unwrap();
        members.remove("file");
        members.remove("event");
        event
    };
    dump.lines().map(event).collect()
}
