//! A reader who does all that a chapter says, in a directory of his own.

use std::cell::RefCell;
use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tempfile::TempDir;
use toml::Table;

use crate::chapter::{Chapter, Says, Step, What};
use crate::patch::patched;
use crate::said::difference;

/// No command of the guide needs so many seconds; one that hangs must not hold up all others.
const PATIENCE_S: &str = "1500";

/// Chapters share a directory of builds, where programs of one name would overwrite one another.
static ONE_READER: Mutex<()> = Mutex::new(());

/// Around each command: it begins where the one before has ended, with what that has exported.
const AROUND: &str = "\
set -euo pipefail
if [ -e \"$1/exports\" ]; then . \"$1/exports\"; cd \"$(cat \"$1/place\")\"; fi
trap '{ export -p > \"$1/exports\"; pwd > \"$1/place\"; }' EXIT
";

/// Does all that a chapter says.
///
/// # Errors
/// The first step that goes otherwise than the page says: chapter, line, wanted, found.
pub(crate) fn walk(chapter: &Chapter) -> Result<(), String> {
    let _only = ONE_READER.lock().unwrap_or_else(PoisonError::into_inner);
    let started = Instant::now();
    let room = Room::new().map_err(|e| format!("no room for the chapter: {e}"))?;
    let path = chapter.path.display();
    for step in &chapter.steps {
        let took = Instant::now();
        room.take(step).map_err(|fault| format!("{path}:{}: {fault}", step.line))?;
        if env::var_os("PACTOLUS_GUIDE").is_some() {
            eprintln!("{path}:{}: {:.1} s", step.line, took.elapsed().as_secs_f64());
        }
    }
    eprintln!("{path}: {} steps, {:.1} s", chapter.steps.len(), started.elapsed().as_secs_f64());
    Ok(())
}

/// Where a reader works.
struct Room {
    dir: TempDir,
    python: Option<PathBuf>,
    /// Groups of processes of which some may run on.
    background: RefCell<Vec<u32>>,
}

impl Room {
    fn new() -> io::Result<Room> {
        let python = env::var_os("PACTOLUS_PYTHON").map(PathBuf::from);
        let room = Room { dir: TempDir::new()?, python, background: RefCell::default() };
        for name in ["work", "bin", "state", ".cargo"] {
            fs::create_dir(room.path(name))?;
        }
        fs::write(room.path(".cargo/config.toml"), quick_build()?)?;
        symlink(env!("CARGO_BIN_EXE_pactolus"), room.path("bin/pactolus"))?;
        if let Some(python) = &room.python {
            // No link: Python finds its packages by the place of its program.
            let script = format!("#!/bin/sh\nexec \"{}\" \"$@\"\n", python.display());
            fs::write(room.path("bin/python3"), script)?;
            fs::set_permissions(room.path("bin/python3"), fs::Permissions::from_mode(0o755))?;
        }
        Ok(room)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the reader is now, after each `cd`.
    fn place(&self) -> PathBuf {
        let place = fs::read_to_string(self.path("state/place")).ok();
        place.map_or_else(|| self.path("work"), |place| PathBuf::from(place.trim_end_matches('\n')))
    }

    fn take(&self, step: &Step) -> Result<(), String> {
        match &step.what {
            What::Run { script, says, code } => self.run(script, says, *code),
            What::Write { path, text } => {
                let file = self.place().join(path);
                let parent = file.parent().unwrap_or(Path::new("."));
                let written = fs::create_dir_all(parent).and_then(|()| fs::write(&file, text));
                written.map_err(|e| format!("{path} cannot be written: {e}"))
            }
            What::Patch { path, diff } => {
                let file = self.place().join(path);
                let text = fs::read_to_string(&file).map_err(|e| format!("{path} cannot be read: {e}"))?;
                let text = patched(&text, diff).map_err(|e| format!("{path}: {e}"))?;
                fs::write(&file, text).map_err(|e| format!("{path} cannot be written: {e}"))
            }
            What::Toml(text) => text.parse::<Table>().map(drop).map_err(|e| format!("no TOML: {e}")),
        }
    }

    /// Runs commands, and compares what they say and how they end.
    fn run(&self, script: &str, says: &Says, code: i32) -> Result<(), String> {
        if self.python.is_none() && script.contains("python3") {
            eprintln!("left out: PACTOLUS_PYTHON names no Python with the packages: {script}");
            return Ok(());
        }
        let (said, ended) = self.bash(script).map_err(|e| format!("bash does not run: {e}"))?;
        let shown = || format!("\n$ {}\n{}", script.trim_end(), said.trim_end());
        if ended != Some(code) {
            let ended = ended.map_or("a signal".to_owned(), |ended| ended.to_string());
            return Err(format!("exit code {code} wanted, {ended} found{}", shown()));
        }
        match says {
            Says::Unseen => Ok(()),
            Says::Lines(wanted) => match difference(wanted, &said) {
                Some(difference) => Err(format!("it says something else\n{difference}\nin{}", shown())),
                None => Ok(()),
            },
        }
    }

    /// What commands say, and their exit code.
    fn bash(&self, script: &str) -> io::Result<(String, Option<i32>)> {
        let file = self.path("state/said");
        let said = File::create(&file)?;
        let mut bash = Command::new("timeout");
        bash.args(["--kill-after=10", PATIENCE_S, "bash", "-c", &format!("{AROUND}{script}"), "bash"]);
        bash.arg(self.path("state")).current_dir(self.path("work"));
        // A group of its own, so that what it leaves behind can be ended.
        bash.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said).process_group(0);
        surroundings(&mut bash, &self.path("bin"));
        let mut child = bash.spawn()?;
        let status = child.wait()?;
        let goes_on = |line: &str| line.ends_with('&') && !line.ends_with("&&");
        if script.lines().any(|line| goes_on(line.trim_end())) {
            self.background.borrow_mut().push(child.id());
        }
        let said = String::from_utf8_lossy(&fs::read(&file)?).into_owned();
        Ok((said, status.code()))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for group in self.background.take() {
            // It may have ended long ago.
            let mut kill = Command::new("bash");
            kill.args(["-c", "kill -- \"-$0\" 2>/dev/null", &group.to_string()]);
            let _ = kill.status();
        }
    }
}

/// The environment of a reader: that of a terminal, with the program, Python and the checkout.
fn surroundings(bash: &mut Command, bin: &Path) {
    // What cargo tells a test is not for what the test runs.
    const OF_CARGO: [&str; 5] =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text == "CARGO"
            || text.starts_with("PACTOLUS_")
            || OF_CARGO.iter().any(|own| text.starts_with(own))
        {
            bash.env_remove(&name);
        }
    }
    let mut path = vec![bin.to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    if let Ok(path) = env::join_paths(path) {
        bash.env("PATH", path);
    }
    bash.env("PACTOLUS_SOURCE", crate::source());
    bash.env("CARGO_TARGET_DIR", builds());
    bash.env("CARGO_NET_OFFLINE", "true").env("CARGO_TERM_COLOR", "never");
    bash.env("LC_ALL", "C.UTF-8").env("TERM", "dumb").env_remove("COLUMNS");
}

/// What cargo does in a chapter: our own packages, which are built once more for the crates of readers,
/// are not optimised. All others are as the workspace has them, whatever the crate says: they are there from the
/// build of this test, if all of the workspace was built.
fn quick_build() -> io::Result<String> {
    let manifest: Table =
        fs::read_to_string(crate::source().join("Cargo.toml"))?.parse().map_err(io::Error::other)?;
    let found = manifest.get("profile").and_then(|profiles| profiles.get("dev")?.get("package")?.as_table());
    let mut packages =
        found.cloned().ok_or_else(|| io::Error::other("Cargo.toml has no [profile.dev.package]"))?;
    for name in ["", "-cli", "-formats", "-formats-derive", "-modules", "-odb", "-odb-derive"] {
        let plain = Table::from_iter([("opt-level".to_owned(), 0.into())]);
        packages.insert(format!("pactolus{name}"), plain.into());
    }
    let within = |name: &str, table: Table| Table::from_iter([(name.to_owned(), table.into())]);
    Ok(within("profile", within("dev", within("package", packages))).to_string())
}

/// Where chapters build: where this test was built.
fn builds() -> PathBuf {
    let test = env::current_exe().unwrap_or_default();
    // target/debug/deps/guide-0123456789abcdef
    test.ancestors().nth(3).unwrap_or(Path::new("target")).to_owned()
}
