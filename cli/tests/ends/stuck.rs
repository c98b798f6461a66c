//! Jobs that are slow or wait for somebody, and end all the same.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use pactolus::simulate::Shape;

use crate::child::{Ended, HANGS, Place, Running, STOPPED, bound, definition, module};
use crate::runner::Test;
use crate::whole;

pub(crate) fn all() -> Vec<Test> {
    vec![
        ("a_slow_module_is_stopped", None, a_slow_module_is_stopped),
        ("a_slow_sequential_module_is_stopped", None, a_slow_sequential_module_is_stopped),
        ("a_slow_module_of_a_shard_is_stopped", None, a_slow_module_of_a_shard_is_stopped),
        ("a_module_that_never_returns_is_left_by_the_second", None, a_module_that_never_returns),
        ("a_reader_that_takes_nothing_is_left", None, a_reader_that_takes_nothing_is_left),
        ("a_slow_reader_gets_what_was_read", None, a_slow_reader_gets_what_was_read),
        ("a_silent_writer_is_left", None, a_silent_writer_is_left),
        ("a_silent_writer_is_left_if_an_output_fails", None, a_silent_writer_is_left_if_an_output_fails),
        ("a_pipe_that_nobody_has_opened_is_left", None, a_pipe_that_nobody_has_opened_is_left),
    ]
}

/// Stops a job over these threads and outputs after a third of a second, and looks at its end.
fn stopped(kind: &str, shard: bool) {
    for threads in ["1", "2", "8"] {
        for output in ["o.mid", "o.mid.gz", "o.asc", "o.parquet"] {
            if shard && output != "o.mid" {
                continue;
            }
            let place = Place::new();
            place.simulate(1, 100_000, Shape::Small);
            place.put("slow.toml", &definition(&module(kind, "Nap = 20000")));
            let mine = place.holds(&[]);
            let mut args =
                vec!["analyze", "-a", "slow.toml", "run00001.mid", "-o", output, "-j", threads, "--json"];
            if shard {
                args.extend(["--shard", "1/1"]);
            }
            let running = Running::piped(&mut place.command("", &args));
            std::thread::sleep(Duration::from_millis(330));
            running.signal("INT");
            let case = format!("{kind}, {threads} threads, {output}");
            let ended = running.within(bound()).unwrap_or_else(|why| panic!("{case}: {why}"));
            assert_eq!(ended.status.code(), Some(3), "{case}: {ended:?}");
            if shard {
                assert!(place.holds(&mine).is_empty(), "{case}: {:?}", place.holds(&mine));
                continue;
            }
            let report: serde_json::Value = serde_json::from_slice(&ended.out).unwrap();
            whole::adds_up(&report).unwrap_or_else(|why| panic!("{case}: {why}"));
            assert!(report["stopped"].as_bool().unwrap(), "{case}");
            // Something was done before, and nothing of it is lost: these are the first events.
            let kept = whole::kept(&report);
            assert!(kept > 0, "{case}");
            let found: u64 = match output {
                "o.parquet" => {
                    let tables = place.holds(&mine);
                    tables.iter().map(|name| whole::rows(&place.path(name)).unwrap()).sum()
                }
                _ => {
                    let held = whole::events(&place.path(output)).unwrap();
                    assert!(held.in_order, "{case}");
                    let record = whole::json(&place.path(&format!("{output}.provenance.json"))).unwrap();
                    let input = &record["runs"][0]["input"];
                    assert!(input["sha256"].is_null(), "{case}: a part has the digest of the whole");
                    held.events
                }
            };
            assert_eq!(found, kept, "{case}");
        }
    }
}

fn a_slow_module_is_stopped() {
    stopped("Trouble", false);
}

fn a_slow_sequential_module_is_stopped() {
    stopped("Jam", false);
}

fn a_slow_module_of_a_shard_is_stopped() {
    stopped("Trouble", true);
}

/// An event that lasts an hour cannot be cut: that takes a second signal.
fn a_module_that_never_returns() {
    for kind in ["Trouble", "Jam"] {
        for threads in ["1", "2", "8"] {
            let place = Place::new();
            place.simulate(1, 1000, Shape::Small);
            place.put("slow.toml", &definition(&module(kind, "Nap = 3600000000")));
            let mine = place.holds(&[]);
            let args = ["analyze", "-a", "slow.toml", "run00001.mid", "-o", "o.mid", "-j", threads];
            let running = Running::piped(&mut place.command("", &args));
            std::thread::sleep(Duration::from_millis(300));
            running.signal("INT");
            std::thread::sleep(Duration::from_millis(200));
            running.signal("INT");
            let ended = running.within(bound()).unwrap();
            assert_eq!(ended.status.code(), Some(3), "{kind}, {threads} threads: {ended:?}");
            let named: Vec<String> = place.holds(&mine);
            assert!(named.iter().all(|name| name.starts_with('.')), "{named:?}");
        }
    }
}

/// Starts a job whose standard output is a pipe; the job, and the end to read from.
fn into_pipe(place: &Place, threads: &str, outputs: &[&str]) -> (Running, std::process::ChildStdout) {
    place.simulate(1, 200_000, Shape::Small);
    let mut args = vec!["analyze", "run00001.mid", "-j", threads, "-o"];
    args.extend(outputs);
    let mut command = place.command("", &args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    (Running::over(child), stdout)
}

fn a_reader_that_takes_nothing_is_left() {
    for threads in ["1", "8"] {
        for output in ["-", "-.mid.gz", "-.Trigger.arrow"] {
            let place = Place::new();
            let (running, pipe) = into_pipe(&place, threads, &["o.mid.zst", output]);
            running.signal("INT");
            let case = format!("{threads} threads, {output}");
            let Ended { status, err, .. } = running.within(bound()).unwrap_or_else(|e| panic!("{case}: {e}"));
            assert_eq!(status.code(), Some(5), "{case}: {err}");
            let said =
                "pactolus: cannot write (standard output): the job was to stop, and its reader takes nothing";
            assert!(err.lines().any(|line| line == said), "{case}: {err}");
            assert_eq!(place.holds(&["run00001.mid".into()]), [""; 0], "{case}");
            drop(pipe);
        }
    }
}

fn a_slow_reader_gets_what_was_read() {
    let place = Place::new();
    let (running, mut pipe) = into_pipe(&place, "2", &["-"]);
    running.signal("INT");
    let slow = std::thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), vec![0; 1 << 20]);
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let read = pipe.read(&mut piece).unwrap();
            if read == 0 {
                return all;
            }
            all.extend_from_slice(&piece[..read]);
        }
    });
    // As long as he takes something: a pipe at a time.
    let ended = running.within(HANGS).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.err.contains(STOPPED), "{ended:?}");
    fs::write(place.path("got.mid"), slow.join().unwrap()).unwrap();
    let held = whole::events(&place.path("got.mid")).unwrap();
    assert!(held.in_order && held.events > 0 && held.events < 200_000, "{held:?}");
    assert!(ended.err.contains(&format!(" {} events, 0 lost", held.events)), "{ended:?}");
}

fn a_silent_writer_is_left() {
    for threads in ["1", "2", "8"] {
        for output in ["o.mid", "o.parquet"] {
            let place = Place::new();
            place.simulate(1, 20_000, Shape::Small);
            let bytes = fs::read(place.path("run00001.mid")).unwrap();
            let mut command = place.command("", &["analyze", "-", "-o", output, "-j", threads, "--json"]);
            let mut running = Running::piped(command.stdin(Stdio::piped()));
            let mut stdin = running.child.stdin.take().unwrap();
            stdin.write_all(&bytes[..bytes.len() / 2]).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            running.signal("INT");
            let case = format!("{threads} threads, {output}");
            let ended = running.within(bound()).unwrap_or_else(|why| panic!("{case}: {why}"));
            assert_eq!(ended.status.code(), Some(3), "{case}: {ended:?}");
            let report: serde_json::Value = serde_json::from_slice(&ended.out).unwrap();
            whole::adds_up(&report).unwrap();
            drop(stdin);
        }
    }
}

/// The disk is full while nothing comes: there is no reason to wait for more.
fn a_silent_writer_is_left_if_an_output_fails() {
    for threads in ["1", "2", "8"] {
        let place = Place::new();
        place.simulate(1, 100_000, Shape::Small);
        let bytes = fs::read(place.path("run00001.mid")).unwrap();
        let mut command = place.command("ulimit -f 100;", &["analyze", "-", "-o", "o.mid", "-j", threads]);
        let mut running = Running::piped(command.stdin(Stdio::piped()));
        let mut stdin = running.child.stdin.take().unwrap();
        // It may be gone before it has all of it.
        let _ = stdin.write_all(&bytes[..bytes.len() / 2]);
        let ended = running.within(bound()).unwrap_or_else(|why| panic!("{threads} threads: {why}"));
        assert_eq!(ended.status.code(), Some(5), "{threads} threads: {ended:?}");
        assert_eq!(place.holds(&["run00001.mid".into()]), [""; 0]);
        drop(stdin);
    }
}

/// It waits in `open`.
fn a_pipe_that_nobody_has_opened_is_left() {
    let place = Place::new();
    assert!(std::process::Command::new("mkfifo").arg(place.path("run00001.mid")).status().unwrap().success());
    let running = Running::piped(&mut place.command("", &["analyze", "run00001.mid", "-o", "o.mid"]));
    std::thread::sleep(Duration::from_millis(200));
    running.signal("INT");
    let ended = running.within(bound()).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert_eq!(place.holds(&["run00001.mid".into()]), [""; 0]);
}
