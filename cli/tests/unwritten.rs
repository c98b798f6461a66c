//! What cannot be written: exit code 5, nothing torn under a final name, and what was closed before
//! stays.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_pactolus");

/// Every kind of output, and every compression.
const OUTPUTS: [&str; 11] = [
    "out.mid",
    "out.mid.gz",
    "out.mid.lz4",
    "out.mid.bz2",
    "out.mid.zst",
    "out.asc",
    "out.asc.gz",
    "out.asc.lz4",
    "out.asc.zst",
    "out.parquet",
    "out.arrow",
];

/// A directory with runs 1, which is small, and 2, which is large.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        for (run, events) in [("1", "500"), ("2", "30000")] {
            let made = place.run(&["simulate", "-o", "run%05d.mid", "--run", run, "--events", events]);
            assert!(made.status.success());
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs where no file may be larger than so many kilobytes: what goes beyond fails as with a
    /// quota.
    fn limited(&self, kilobytes: u32, args: &[&str]) -> Output {
        let mut command = Command::new("bash");
        let script = format!("ulimit -f {kilobytes}; exec \"$@\"");
        command.args(["-c", &script, "bash", PROGRAM]).args(args);
        command.current_dir(self.0.path()).stdin(Stdio::null()).output().unwrap()
    }

    /// All names in it, hidden ones too, but for the runs.
    fn holds(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with("run0")).collect();
        names.sort();
        names
    }

    /// Asserts that a run file can be read to its end.
    fn is_whole(&self, name: &str, events: u64) {
        let ran = self.run(&["scan", name, "--json"]);
        assert!(ran.status.success(), "{name}: {}", text(&ran.stdout));
        let file: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(file["data"], events, "{name}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What an output is called in messages: a table has the name of its request in its own.
fn written_as(output: &str) -> String {
    match output.rsplit_once('.') {
        Some((stem, extension @ ("parquet" | "arrow"))) => format!("table {stem}.Trigger.{extension}"),
        _ => output.to_owned(),
    }
}

/// Asserts exit code 5 and one line that begins like this.
fn unwritten(ran: &Output, said: &str, why: &str) {
    let err = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(5), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.starts_with(&format!("pactolus: {said}")) && err.contains(why), "{said}: {err}");
}

#[test]
fn a_quota_leaves_nothing_torn() {
    let place = Place::new();
    for output in OUTPUTS {
        let ran = place.limited(32, &["analyze", "run00002.mid", "-q", "-o", output]);
        unwritten(&ran, &format!("cannot write {}: File too large", written_as(output)), "");
        assert_eq!(place.holds(), [""; 0], "{output}");
    }
    // What had the name before is still there.
    let ran = place.run(&["analyze", "run00001.mid", "-q", "-o", "out.mid"]);
    assert!(ran.status.success());
    let before = fs::read(place.path("out.mid")).unwrap();
    let ran = place.limited(32, &["analyze", "run00002.mid", "-q", "-o", "out.mid"]);
    unwritten(&ran, "cannot write out.mid: ", "File too large");
    assert!(fs::read(place.path("out.mid")).unwrap() == before);
    assert_eq!(place.holds(), ["out.mid", "out.mid.provenance.json"]);

    let ran = place.limited(32, &["simulate", "-o", "new.mid.gz"]);
    unwritten(&ran, "cannot write new.mid.gz: ", "File too large");
    assert_eq!(place.holds(), ["out.mid", "out.mid.provenance.json"]);
}

#[test]
fn outputs_of_earlier_runs_stay() {
    let place = Place::new();
    let ran = place.limited(64, &["analyze", "run00001.mid", "run00002.mid", "-q", "-o", "out%05d.mid"]);
    unwritten(&ran, "cannot write out00002.mid: ", "File too large");
    assert_eq!(place.holds(), ["out00001.mid", "out00001.mid.provenance.json"]);
    place.is_whole("out00001.mid", 500);
}

#[test]
fn a_directory_that_is_missing_for_a_later_run_is_no_refusal() {
    for output in ["d%05d/out.mid", "d%05d/out.asc.gz", "d%05d/out.parquet"] {
        let place = Place::new();
        fs::create_dir(place.path("d00001")).unwrap();
        let ran = place.run(&["analyze", "run00001.mid", "run00002.mid", "-q", "-o", output]);
        unwritten(&ran, "cannot create d00002/out.", "No such file or directory");
        if output == "d%05d/out.mid" {
            place.is_whole("d00001/out.mid", 500);
        }
        // Nothing was done yet: that is a refusal.
        let ran = place.run(&["analyze", "run00002.mid", "-q", "-o", output]);
        assert_eq!(ran.status.code(), Some(2), "{}", text(&ran.stderr));
    }
}

#[test]
fn a_directory_that_vanishes_while_events_come_ends_the_job() {
    for output in ["gone/out.mid", "gone/out.asc.gz", "gone/out.parquet"] {
        let place = Place::new();
        fs::create_dir(place.path("gone")).unwrap();
        let mut command = place.command(&["analyze", "-", "-q", "-o", output]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&fs::read(place.path("run00001.mid")).unwrap()).unwrap();
        stdin.write_all(&fs::read(place.path("run00002.mid")).unwrap()).unwrap();
        let begun = Instant::now();
        while fs::read_dir(place.path("gone")).unwrap().next().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{output} is not begun");
            std::thread::sleep(Duration::from_millis(10));
        }
        // In one step, whatever is being made in it.
        fs::rename(place.path("gone"), place.path("moved")).unwrap();
        drop(stdin);
        let ran = child.wait_with_output().unwrap();
        unwritten(&ran, "cannot ", "No such file or directory");
        assert_eq!(place.holds(), ["moved"], "{output}");
        for entry in fs::read_dir(place.path("moved")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name.starts_with('.'), "{output}: {name}");
        }
    }
}

#[test]
fn provenance_that_cannot_be_written_leaves_no_output_without_it() {
    let place = Place::new();
    symlink("/dev/full", place.path(".out.mid.provenance.json.part")).unwrap();
    let ran = place.run(&["analyze", "run00001.mid", "-q", "-o", "out.mid"]);
    unwritten(&ran, "cannot write out.mid.provenance.json: ", "No space left on device");
    assert_eq!(place.holds(), [""; 0]);
}

#[test]
fn an_odb_that_cannot_be_saved_costs_no_output() {
    let place = Place::new();
    symlink("/dev/full", place.path(".odb.json.part")).unwrap();
    let ran = place.run(&["analyze", "run00001.mid", "-q", "-o", "out.mid", "--odb-save", "odb.json"]);
    unwritten(&ran, "cannot write odb.json: ", "No space left on device");
    assert_eq!(place.holds(), ["out.mid", "out.mid.provenance.json"]);
    place.is_whole("out.mid", 500);
}

#[test]
fn a_full_standard_output_is_told() {
    let place = Place::new();
    for args in [
        &["dump", "run00001.mid"][..],
        &["dump", "run00001.mid", "--json"],
        &["dump", "run00001.mid", "--format", "mdump"],
        &["scan", "run00001.mid"],
        &["scan", "run00001.mid", "--json"],
        &["simulate", "-o", "-"],
        &["analyze", "run00002.mid", "-q", "-o", "-"],
        &["analyze", "run00002.mid", "-q", "-o", "-.asc"],
        &["analyze", "run00002.mid", "-q", "-o", "-.mid.gz"],
        &["analyze", "run00001.mid", "--json"],
        &["demo"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = place.command(args).stdout(full).output().unwrap();
        unwritten(&ran, "cannot write (standard output): ", "No space left on device");
    }
    // The summary is lost, the work is not.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ran = place.command(&["analyze", "run00001.mid", "-o", "out.mid"]).stdout(full).output().unwrap();
    assert_eq!(ran.status.code(), Some(5));
    assert!(text(&ran.stderr).contains("cannot write (standard output): No space left"));
    place.is_whole("out.mid", 500);
}

/// Runs with a standard output that is closed after its first bytes.
fn hung_up(place: &Place, args: &[&str], bytes: usize) -> Output {
    let mut child: Child = place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut vec![0; bytes]).unwrap();
    drop(stdout);
    child.wait_with_output().unwrap()
}

#[test]
fn a_reader_of_text_has_seen_enough_but_one_of_events_has_not() {
    let place = Place::new();
    for args in [
        &["dump", "run00002.mid"][..],
        &["dump", "run00002.mid", "--json"],
        &["dump", "run00002.mid", "--format", "mdump"],
    ] {
        let ran = hung_up(&place, args, 100);
        assert_eq!((ran.status.code(), text(&ran.stderr).as_str()), (Some(0), ""), "{args:?}");
    }
    let ran = hung_up(&place, &["scan", "run00001.mid", "run00002.mid"], 0);
    assert_eq!((ran.status.code(), text(&ran.stderr).as_str()), (Some(0), ""));
    // Simulated events are made for whoever wants them.
    let ran = hung_up(&place, &["simulate", "-o", "-", "--events", "100000"], 100);
    assert_eq!((ran.status.code(), text(&ran.stderr).as_str()), (Some(0), ""));

    for output in ["-", "-.asc", "-.mid.zst"] {
        let ran = hung_up(&place, &["analyze", "run00002.mid", "-q", "-o", output], 100);
        unwritten(&ran, "cannot write (standard output): ", "Broken pipe");
    }
    // The summary of an analysis is text.
    let ran = hung_up(&place, &["analyze", "run00001.mid", "-o", "out.mid"], 0);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    place.is_whole("out.mid", 500);
}

/// A file system of 64 kB, taken away in the end.
struct Small(PathBuf);

impl Small {
    /// `None` if this user may not mount.
    fn new(path: PathBuf) -> Option<Small> {
        fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k,nr_inodes=16", "tmpfs"]).arg(&path);
        mount.output().is_ok_and(|ran| ran.status.success()).then_some(Small(path))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_nothing_torn() {
    let place = Place::new();
    let Some(_disk) = Small::new(place.path("disk")) else {
        eprintln!("skipped: this user may not mount");
        return;
    };
    let names = || fs::read_dir(place.path("disk")).unwrap().count();
    for output in OUTPUTS {
        let ran = place.run(&["analyze", "run00002.mid", "-q", "-o", &format!("disk/{output}")]);
        let name = written_as(&format!("disk/{output}"));
        unwritten(&ran, &format!("cannot write {name}: No space left on device"), "");
        assert_eq!(names(), 0, "{output}");
    }
    // No room for another file at all.
    for i in 0..15 {
        fs::write(place.path("disk").join(i.to_string()), "").unwrap();
    }
    let ran = place.run(&["analyze", "run00002.mid", "-q", "-o", "disk/out.mid"]);
    unwritten(&ran, "cannot create disk/out.mid: ", "No space left on device");
    let ran = place.run(&["simulate", "-o", "disk/out.mid"]);
    unwritten(&ran, "cannot create disk/out.mid: ", "No space left on device");
}
