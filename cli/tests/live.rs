//! Files that are followed, as a user sees it: in a terminal, in a pipe, as JSON lines, with `dump`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use pactolus::formats::Compression;
use pactolus::formats::compress::Output as Compressed;
use serde_json::Value;
use tempfile::TempDir;

#[path = "../../tests/common/mod.rs"]
mod common;

use common::MidFile;

/// Whoever has not ended by then never does.
const LONG: &str = "60";

/// A run of so many events. Their serial numbers have a gap of three.
fn run(events: u32) -> Vec<u8> {
    let event = |file: MidFile, i: u32| {
        let serial = if i < events / 2 { i } else { i + 3 };
        file.words(1, serial, "ADC0", &[i as u16, 2, 3, 4])
    };
    (0..events).fold(MidFile::new().bor(42), event).eor(42).bytes
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut output = Compressed::new(Compression::Lz4, None, Vec::new()).unwrap();
    output.write_all(bytes).unwrap();
    output.finish().unwrap()
}

/// Appends in so many pieces, in a time of their own.
fn write(path: &Path, bytes: &[u8], pieces: usize, pause: Duration) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    for piece in bytes.chunks(bytes.len().div_ceil(pieces)) {
        file.write_all(piece).unwrap();
        std::thread::sleep(pause);
    }
}

fn program(place: &TempDir, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pactolus"));
    command.args(line.split(' ')).current_dir(place).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(Stdio::null()).env_remove("PACTOLUS_ODB");
    command
}

fn start(place: &TempDir, line: &str) -> Child {
    program(place, line).spawn().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Interrupts a program when it has written something.
fn interrupt(mut child: Child) -> Output {
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 7];
    out.read_exact(&mut first).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    let mut ran = child.wait_with_output().unwrap();
    ran.stdout = [&first[..], &rest].concat();
    ran
}

#[test]
fn a_dump_of_a_file_that_is_written_is_that_of_the_finished_one() {
    let bytes = run(3000);
    for (name, bytes) in [("run00042.mid", bytes.clone()), ("run00042.mid.lz4", packed(&bytes))] {
        for options in ["", " --json", " --format mdump", " --hex --id 1 -b ADC0"] {
            let place = TempDir::new().unwrap();
            let file = place.path().join(name);
            let child = start(&place, &format!("dump --follow {name} --live-timeout {LONG}{options}"));
            write(&file, &bytes, 97, Duration::from_millis(5));
            let live = child.wait_with_output().unwrap();
            assert_eq!((live.status.code(), text(&live.stderr)), (Some(0), ""), "{name}{options}");
            let offline = program(&place, &format!("dump {name}{options}")).output().unwrap();
            assert_eq!(offline.status.code(), Some(0));
            assert!(offline.stdout.len() > 100_000, "{}", offline.stdout.len());
            assert!(live.stdout == offline.stdout, "{name}{options} differs");
        }
    }
}

#[test]
fn a_table_goes_into_a_pipe_while_the_writer_is_silent() {
    let place = TempDir::new().unwrap();
    let (file, bytes) = (place.path().join("run00042.mid"), run(10));
    let half = 17 + 7 * 44 + 20;
    fs::write(&file, &bytes[..half]).unwrap();
    let line = "analyze -q follow:run00042.mid --rotate 0.1 -o -.arrow --live-timeout ";
    let mut child = start(&place, &(line.to_owned() + LONG));
    let mut first = [0; 1000];
    // It would be there at the end of the run only, which does not come before.
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    write(&file, &bytes[half..], 1, Duration::ZERO);
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert!(ran.stdout.ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
}

#[test]
fn a_dump_shows_what_has_come_at_once_and_ends_when_it_has_enough() {
    let place = TempDir::new().unwrap();
    let (file, bytes) = (place.path().join("run00042.mid"), run(10));
    // Up to the middle of the eighth event of data.
    fs::write(&file, &bytes[..17 + 7 * 44 + 20]).unwrap();
    let mut child = start(&place, "dump follow:. --json");
    let mut out = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut next = || serde_json::from_str::<Value>(&out.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["kind"], "BOR");
    (0..7).for_each(|_| assert_eq!(next()["id"], 1));
    write(&file, &bytes[17 + 7 * 44 + 20..17 + 8 * 44], 1, Duration::ZERO);
    assert_eq!(next()["event"], 9);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    // The file goes on for ever.
    let ran = program(&place, "dump -F run00042.mid -n 4").output().unwrap();
    assert_eq!(ran.status.code(), Some(0));
    assert_eq!(text(&ran.stdout).lines().filter(|line| line.starts_with("event ")).count(), 4);
}

#[test]
fn subruns_and_runs_come_one_after_the_other() {
    let place = TempDir::new().unwrap();
    let part = |serial| MidFile::new().bor(42).words(1, serial, "ADC0", &[1]).eor(42).bytes;
    let child = start(&place, &format!("dump -F . --live-timeout {LONG} -n 9"));
    for (serial, name) in ["run00042sub0000.mid", "run00042sub0001.mid", "run00043.mid"].iter().enumerate() {
        write(&place.path().join(name), &part(serial as u32), 3, Duration::from_millis(20));
    }
    let ran = child.wait_with_output().unwrap();
    assert_eq!((ran.status.code(), text(&ran.stderr)), (Some(0), ""));
    let lines = text(&ran.stdout).lines();
    let heads: Vec<String> = lines
        .filter(|l| !l.starts_with(' '))
        .map(|l| l.split("  ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let of = |name: &str| {
        [format!("file ./{name}"), "event 1 BOR".into(), "event 2 id 1".into(), "event 3 EOR".into()]
    };
    assert_eq!(heads, [of("run00042sub0000.mid"), of("run00042sub0001.mid"), of("run00043.mid")].concat());
}

#[test]
fn exit_codes_say_how_it_ended() {
    for command in ["analyze -q follow:run00042.mid -o out/o.mid", "dump --follow run00042.mid"] {
        let place = TempDir::new().unwrap();
        fs::create_dir(place.path().join("out")).unwrap();
        let (file, bytes) = (place.path().join("run00042.mid"), run(20));
        fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
        let line = format!("{command} --live-timeout 0.5");
        let ran = program(&place, &line).output().unwrap();
        assert_eq!(ran.status.code(), Some(4), "{command}");
        let said = text(&ran.stderr).lines().last().unwrap();
        let last = "has not grown for 0.5 s (--live-timeout); the last complete event is number 21 (id 1, serial 22)";
        assert_eq!(said, format!("pactolus: run00042.mid {last}"), "{command}");
        fs::write(&file, &bytes).unwrap();
        let ran = program(&place, &line).output().unwrap();
        assert_eq!((ran.status.code(), text(&ran.stderr)), (Some(0), ""), "{command}");
        assert_eq!(place.path().join("out/o.mid").exists(), command.starts_with("analyze"));
        fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
        let json = if command.starts_with("analyze") { " --json" } else { "" };
        let ran = interrupt(start(&place, &format!("{command}{json}")));
        assert_eq!(ran.status.code(), Some(3), "{command}: {}", text(&ran.stderr));
        assert!(text(&ran.stderr).contains("stopping: "), "{command}");
        fs::remove_file(place.path().join("out/o.mid")).unwrap_or_default();
    }
}

#[test]
fn json_lines_tell_status_warnings_runs_and_the_end() {
    let place = TempDir::new().unwrap();
    let child = start(&place, "analyze follow:. --json -r 42 42 --odb-load none.odb --live-timeout 20");
    let ran = child.wait_with_output().unwrap();
    // What cannot begin is an error, and no line.
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(2), ""));

    let child = start(&place, &format!("analyze follow:. --json -r 41 42 --live-timeout {LONG}"));
    std::thread::sleep(Duration::from_millis(300));
    let first = MidFile::new().bor(41).words(1, 0, "ADC0", &[1]).eor(41).bytes;
    fs::write(place.path().join("run00041.mid"), first).unwrap();
    write(&place.path().join("run00042.mid"), &run(3000), 50, Duration::from_millis(50));
    let ran = child.wait_with_output().unwrap();
    assert_eq!((ran.status.code(), text(&ran.stderr)), (Some(0), ""));
    let lines: Vec<Value> =
        text(&ran.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    assert_eq!(lines.iter().position(|line| line["type"] == "end"), Some(lines.len() - 1));
    let status = of("status");
    assert!(status.len() >= 2, "{} lines", status.len());
    for line in &status {
        assert_eq!(line["input"].is_null(), line["run"].is_null(), "{line}");
        assert_ne!(line["input"], "");
    }
    assert!(status[0]["input"].is_null(), "{}", status[0]);
    let last = status.last().unwrap();
    for member in ["events_per_second", "bytes_per_second", "seconds"] {
        assert!(last[member].as_f64().unwrap() > 0.0, "{member}: {last}");
    }
    assert!(last["events"].as_u64().unwrap() >= last["kept"].as_u64().unwrap());
    assert!(last["lag"]["bytes"].is_u64() && last["queue"]["most"].as_u64().unwrap() > 0, "{last}");
    assert!(last["source"]["offered"].is_u64() && last["falling_behind"] == false, "{last}");
    let runs = of("run");
    assert_eq!(runs.iter().map(|run| run["run"].as_u64()).collect::<Vec<_>>(), [Some(41), Some(42)]);
    assert_eq!(runs[1]["events"]["1"]["offered"], 3000);
    assert_eq!(runs[1]["events"]["1"]["unattended"], 3);
    let end = lines.last().unwrap();
    assert_eq!((end["runs"].as_array().unwrap().len(), &end["ended"]), (2, &Value::Null));
    let mut run = runs[1].clone();
    run.as_object_mut().unwrap().remove("type");
    assert_eq!(run, end["runs"][1]);
}

#[test]
fn a_job_that_fails_says_so_in_its_last_line() {
    let place = TempDir::new().unwrap();
    fs::create_dir(place.path().join("out")).unwrap();
    let child = start(&place, "analyze follow:. --json -r 42 43 --live-timeout 20 -o out/o%05d.mid");
    let run = |number| MidFile::new().bor(number).words(1, 0, "ADC0", &[1]).eor(number).bytes;
    fs::write(place.path().join("run00042.mid"), run(42)).unwrap();
    let (first, begun) = (place.path().join("out/o00042.mid"), Instant::now());
    while !first.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "run 42 does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
    // The directory of the outputs goes.
    std::thread::sleep(Duration::from_millis(200));
    fs::remove_dir_all(place.path().join("out")).unwrap();
    fs::write(place.path().join("run00043.mid"), run(43)).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(5), "{}", text(&ran.stderr));
    let said = text(&ran.stderr).lines().last().unwrap().strip_prefix("pactolus: ").unwrap();
    assert!(said.contains("o00043.mid"), "{said}");
    let lines: Vec<Value> =
        text(&ran.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(*lines.last().unwrap(), serde_json::json!({ "type": "end", "error": said }), "{lines:?}");
}

#[test]
fn a_dump_of_text_that_is_stopped_says_what_it_does_not_hold() {
    let place = TempDir::new().unwrap();
    let event = "%ID 1 TR 0 NR 1\nBK BIT0 TP BITFIELD SZ 1\n\nBK ADC0 TP WORD SZ 1\n5\n\n";
    fs::write(place.path().join("run00042.asc"), event.repeat(3)).unwrap();
    let ran = interrupt(start(&place, "dump --follow run00042.asc"));
    assert_eq!(ran.status.code(), Some(3));
    let said = text(&ran.stderr);
    assert!(said.contains("the text of run00042.asc does not hold 3 banks, 0 events:"), "{said}");
}

#[test]
fn a_warning_and_a_timeout_are_lines_too() {
    let place = TempDir::new().unwrap();
    fs::write(place.path().join("run00042.mid"), &run(10)[..100]).unwrap();
    let line = "analyze follow:run00042.mid --json --live-timeout 0.5 -o hist.json";
    let ran = program(&place, line).output().unwrap();
    assert_eq!(ran.status.code(), Some(4));
    let lines: Vec<Value> =
        text(&ran.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for begin in ["damage in run00042.mid: ", "no histogram was booked"] {
        let is_it = |line: &&Value| line["text"].as_str().is_some_and(|text| text.starts_with(begin));
        assert_eq!(lines.iter().find(is_it).unwrap()["type"], "warning", "{begin}");
    }
    let end = lines.last().unwrap();
    assert_eq!((&end["type"], &end["ended"]["how"]), (&Value::from("end"), &Value::from("timed_out")));
    let said = text(&ran.stderr).lines().last().unwrap().strip_prefix("pactolus: ");
    assert_eq!(said, end["ended"]["text"].as_str());
}

#[test]
fn who_hangs_up_does_not_end_the_analysis() {
    let place = TempDir::new().unwrap();
    fs::create_dir(place.path().join("out")).unwrap();
    let (file, bytes) = (place.path().join("run00042.mid"), run(2000));
    let mut child =
        start(&place, &format!("analyze follow:run00042.mid --json -o out/o.mid --live-timeout {LONG}"));
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 7]).unwrap();
    drop(out);
    write(&file, &bytes, 30, Duration::from_millis(100));
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert_eq!(
        text(&ran.stderr),
        "warning: cannot write (standard output): Broken pipe (os error 32); the analysis goes on\n"
    );
    assert!(fs::read(place.path().join("out/o.mid")).unwrap() == bytes);
}

#[test]
fn a_pipe_gets_plain_text_and_each_run_once() {
    let place = TempDir::new().unwrap();
    let child = start(&place, &format!("analyze follow:. -r 42 42 --live-timeout {LONG}"));
    write(&place.path().join("run00042.mid"), &run(1000), 20, Duration::from_millis(50));
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(0));
    let (out, err) = (text(&ran.stdout), text(&ran.stderr));
    assert!((out.to_owned() + err).chars().all(|c| c == '\n' || !c.is_control()), "{out:?} {err:?}");
    assert_eq!(out.matches("run 42 from ").count(), 1, "{out}");
    assert!(out.contains("  id 1: 1000 events\n    3 unattended: never offered\n"), "{out}");
    assert!(out.lines().last().unwrap().starts_with("1 run, 1000 events, 0 lost, 0 damaged; "), "{out}");
}

/// What a terminal of 80 columns shows.
#[derive(Default)]
struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// Each line that stood where another one came.
    before: Vec<String>,
}

impl Screen {
    const WIDTH: usize = 80;

    fn line(&mut self) -> &mut Vec<char> {
        self.lines.resize(self.lines.len().max(self.row + 1), Vec::new());
        &mut self.lines[self.row]
    }

    fn erase(&mut self, from: usize) {
        let line = self.line();
        let before: String = line.iter().collect();
        line.truncate(from);
        self.before.push(before.trim_end().to_owned());
    }

    fn put(&mut self, c: char) {
        // In the last column, some begin a new line.
        assert!(self.column < Screen::WIDTH - 1, "too wide for the terminal: {:?}", self.line());
        let at = self.column;
        if at == 0 {
            self.erase(usize::MAX);
        }
        let line = self.line();
        line.resize(line.len().max(at + 1), ' ');
        line[at] = c;
        self.column += 1;
    }

    fn show(&mut self, text: &str) {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => self.row += 1,
                '\x1b' => {
                    assert_eq!(chars.next(), Some('['));
                    let mut number = String::new();
                    let letter = loop {
                        match chars.next().unwrap() {
                            c if c.is_ascii_alphabetic() => break c,
                            c => number.push(c),
                        }
                    };
                    let count = number.parse().unwrap_or(1);
                    match letter {
                        'K' if number == "2" => self.erase(0),
                        'K' => self.erase(self.column),
                        'A' => self.row -= count.min(self.row),
                        'B' => self.row += count,
                        'm' | 'h' | 'l' => {}
                        other => panic!("{number}{other}"),
                    }
                }
                c => self.put(c),
            }
        }
    }
}

#[test]
fn a_terminal_shows_one_line_that_leaves_nothing_behind() {
    let place = TempDir::new().unwrap();
    let program = env!("CARGO_BIN_EXE_pactolus");
    let line =
        format!("stty rows 24 cols 80; exec {program} analyze follow:. -r 42 42 --live-timeout {LONG}");
    let mut child = Command::new("script")
        .args(["-qefc", &line, "/dev/null"])
        .current_dir(&place)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It must not end before.
    let keys = child.stdin.take();
    let mut shown = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut all = String::new();
        shown.read_to_string(&mut all).unwrap();
        all
    });
    std::thread::sleep(Duration::from_millis(700));
    write(&place.path().join("run00042.mid"), &run(20_000), 50, Duration::from_millis(50));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(keys);
    let all = reader.join().unwrap();
    let mut screen = Screen::default();
    screen.show(&all);
    let status: Vec<_> = screen.before.iter().filter(|line| line.starts_with("run 42  ")).collect();
    assert!(status.len() >= 3, "{all:?}");
    for part in [" ev/s", "B/s", " ev, ", " kept"] {
        assert!(status.iter().any(|line| line.contains(part)), "{part}: {status:?}");
    }
    assert!(screen.before.iter().any(|line| line.starts_with("waiting for a run")), "{:?}", screen.before);
    // The gap, in its colour.
    assert!(all.contains("\x1b[33m  3 unattended\x1b[0m"), "{all:?}");
    // Written over, not drawn anew: no more often than it changes, and never a blank line between.
    let shown: Vec<&str> = all.split('\r').filter(|text| text.contains(" ev, ")).collect();
    assert!(shown.windows(2).all(|two| two[0] != two[1]), "{shown:?}");
    assert!(all.matches("\r\x1b[K").count() <= 4 && !all.contains(&" ".repeat(20)), "{all:?}");
    let left: Vec<String> = screen.lines.iter().map(|line| line.iter().collect::<String>()).collect();
    let left: Vec<&str> = left.iter().map(|line| line.trim_end()).filter(|line| !line.is_empty()).collect();
    assert_eq!(left[0], "run 42 from ./run00042.mid");
    assert!(left.last().unwrap().starts_with("1 run, 20000 events, 0 lost, 0 damaged"), "{left:?}");
    assert!(!left.iter().any(|line| line.contains(" ev/s") || line.contains("waiting")), "{left:?}");
}

#[test]
fn the_line_goes_when_the_user_stops_the_job() {
    let place = TempDir::new().unwrap();
    let bytes = run(2000);
    // Its EOR is to come.
    fs::write(place.path().join("run00042.mid"), &bytes[..bytes.len() - 17]).unwrap();
    let program = env!("CARGO_BIN_EXE_pactolus");
    let line = format!("stty rows 24 cols 80; exec {program} analyze follow:.");
    let mut child = Command::new("script")
        .args(["-qefc", &line, "/dev/null"])
        .current_dir(&place)
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keys = child.stdin.take().unwrap();
    let mut shown = child.stdout.take().unwrap();
    let mut all = Vec::new();
    while !String::from_utf8_lossy(&all).contains("at the end") {
        let mut some = [0; 1000];
        let n = shown.read(&mut some).unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&some[..n]);
    }
    keys.write_all(b"\x03").unwrap();
    keys.flush().unwrap();
    shown.read_to_end(&mut all).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let mut screen = Screen::default();
    screen.show(text(&all));
    let left: Vec<String> = screen.lines.iter().map(|line| line.iter().collect::<String>()).collect();
    let stopping = left.iter().position(|line| line.starts_with("stopping: ")).unwrap();
    assert_eq!(stopping, 0, "{left:?}");
    assert!(!left.iter().any(|line| line.contains(" ev, ")), "{left:?}");
    assert!(left.last().unwrap().starts_with("stopped before the end, as you asked"), "{left:?}");
}
