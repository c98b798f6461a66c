//! The ODB shell in a terminal, as a user sees it. util-linux's `script` lends one.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pactolus::odb::Odb;
use tempfile::TempDir;

/// A terminal in which the shell runs.
struct Terminal {
    program: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
    /// What of it was seen.
    seen: usize,
}

impl Terminal {
    /// The shell on an ODB in this directory, which also has its history.
    fn new(place: &Path) -> Terminal {
        let program = env!("CARGO_BIN_EXE_pactolus");
        // A shell that stays between the two remembers the Ctrl-C and ends by it; which one it is
        // depends on `$SHELL`.
        let command = format!("exec {program} odb --create {}", place.join("daq").display());
        let mut program = Command::new("script")
            .args(["-qefc", &command, "/dev/null"])
            .current_dir(place)
            .env("TERM", "xterm")
            .env("XDG_STATE_HOME", place)
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keys, mut screen) = (program.stdin.take().unwrap(), program.stdout.take().unwrap());
        let shown = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                all.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        let mut terminal = Terminal { program, keys, shown, seen: 0 };
        terminal.sees("]/> ");
        terminal
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Is this shown now, behind what was seen?
    fn shows(&mut self, wanted: &str) -> bool {
        let shown = self.shown.lock().unwrap();
        let text = &shown[self.seen..];
        let found = text.windows(wanted.len()).position(|window| window == wanted.as_bytes());
        self.seen += found.map_or(0, |at| at + wanted.len());
        found.is_some()
    }

    /// Waits until this is shown, behind what was seen.
    fn sees(&mut self, wanted: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.shows(wanted) {
            let shown = self.shown.lock().unwrap()[self.seen..].escape_ascii().to_string();
            assert!(Instant::now() < end, "{wanted:?} is not shown, but {shown}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types a line and waits for the answer and the next prompt.
    fn asks(&mut self, line: &str, answer: &str) {
        self.types(&format!("{line}\r"));
        self.sees(answer);
        self.sees("> ");
    }

    fn ends(mut self) {
        assert_eq!(self.program.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already where all is well.
        let _ = self.program.kill();
    }
}

fn filled(place: &TempDir) -> Odb {
    let odb = Odb::create_in(place.path().join("daq")).unwrap();
    odb.create("/Runinfo/Run number", 8).unwrap();
    odb.create("/Runinfo/State", 3).unwrap();
    odb.create("/Runinfo/Start time", "now").unwrap();
    odb
}

#[test]
fn what_is_typed_is_completed_and_kept() {
    let place = TempDir::new().unwrap();
    filled(&place);
    let mut terminal = Terminal::new(place.path());
    // Names with blanks are quoted.
    terminal.types("get runi\tru\t");
    terminal.sees("get \"Runinfo/Run number\" ");
    terminal.types("\r");
    terminal.sees("8\r\n");
    terminal.sees("[daq:R]/> ");
    // Several are listed, behind what they have in common.
    terminal.types("get /Runinfo/s\t\t");
    terminal.sees("Start time");
    terminal.sees("get \"/Runinfo/Sta");
    // Ctrl-C drops the line.
    terminal.types("\x03");
    terminal.sees("[daq:R]/> ");
    terminal.asks("cd Runinfo", "[daq:R]/Runinfo");
    // The line can be edited: Home, delete, and a letter.
    terminal.types("xet State\x1b[H\x1b[3~g");
    terminal.asks("", "3\r\n");
    terminal.asks("set State 1", "[daq:S]/Runinfo");
    // Errors are printed, in their colour, and the shell goes on.
    terminal.asks("get Stat", "\x1b[31mno key /Runinfo/Stat, did you mean 'State'?\x1b[0m");
    terminal.asks("ls ..", "\x1b[1;34mRuninfo\x1b[0m");
    // Ctrl-D ends it.
    terminal.types("\x04");
    terminal.ends();

    // The next one knows what was typed.
    let mut terminal = Terminal::new(place.path());
    terminal.types("\x1b[A\x1b[A\x1b[A");
    terminal.sees("set State 1");
    terminal.types("\x03");
    terminal.sees("> ");
    // Several lines are pasted and come one after the other.
    terminal.types("\x1b[200~cd Runinfo\nget State\nget 'Run number'\x1b[201~\r");
    terminal.sees("\n1\r\n8\r\n");
    terminal.sees("> ");
    terminal.types("exit\r");
    terminal.ends();
}

#[test]
fn what_is_typed_ahead_is_kept() {
    let place = TempDir::new().unwrap();
    let odb = filled(&place);
    let mut terminal = Terminal::new(place.path());
    // As a paste into a terminal that does not mark pastes.
    terminal.types("mkdir q1\rmkdir q2\rmkdir q3\rget Runinfo/State\rget 'Runinfo/Run num");
    terminal.sees("\n3\r\n");
    terminal.types("ber'\r");
    terminal.sees("\n8\r\n");
    for name in ["/q1", "/q2", "/q3"] {
        assert!(odb.exists(name), "{name}");
    }
    terminal.types("quit\r");
    terminal.ends();
}

#[test]
fn ctrl_c_ends_a_command_and_not_the_shell() {
    let place = TempDir::new().unwrap();
    let odb = filled(&place);
    let mut terminal = Terminal::new(place.path());
    terminal.types("watch /Runinfo\r");
    let end = Instant::now() + Duration::from_secs(30);
    for number in 9.. {
        odb.set("/Runinfo/Run number", number).unwrap();
        if terminal.shows("~ /Runinfo/Run number: ") {
            break;
        }
        assert!(Instant::now() < end, "no change is shown");
        std::thread::sleep(Duration::from_millis(50));
    }
    terminal.types("\x03");
    terminal.sees("[daq:R]/> ");
    terminal.asks("pwd", "/\r\n");
    // A long listing too.
    odb.create("/long", vec![1; 5_000_000]).unwrap();
    terminal.types("get long\r");
    terminal.sees("1\r\n1\r\n");
    terminal.types("\x03");
    terminal.sees("[daq:R]/> ");
    let lines = terminal.shown.lock().unwrap().iter().filter(|&&byte| byte == b'\n').count();
    assert!(lines < 4_000_000, "{lines}");
    // A directory is asked for.
    terminal.types("del Runinfo\r");
    terminal.sees("delete /Runinfo with 3 keys below? (y/[n]) ");
    terminal.asks("n", "nothing deleted");
    terminal.types("del Runinfo\r");
    terminal.sees("(y/[n]) ");
    terminal.asks("y", "[daq]/");
    assert!(!odb.exists("/Runinfo"));
    terminal.types("quit\r");
    terminal.ends();
}
