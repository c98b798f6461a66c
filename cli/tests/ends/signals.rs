//! Which signals end what, and how.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use pactolus::simulate::Shape;

use crate::child::{HANGS, Place, Running, STOPPED, bound};
use crate::runner::Test;
use crate::whole;

pub(crate) fn all() -> Vec<Test> {
    vec![
        ("every_signal_to_end_is_obeyed", None, every_signal_to_end_is_obeyed),
        ("a_job_of_nohup_outlives_its_terminal", None, a_job_of_nohup_outlives_its_terminal),
        ("the_same_signal_twice_at_once_is_one", None, the_same_signal_twice_at_once_is_one),
        ("the_same_twice_at_once_is_one_though_nobody_reads", None, twice_though_nobody_reads),
        ("a_file_that_is_simulated_is_whole_or_none", None, a_file_that_is_simulated_is_whole_or_none),
        ("text_ends_by_the_signal", None, text_ends_by_the_signal),
        ("the_second_is_heard_though_nobody_reads", None, the_second_is_heard_though_nobody_reads),
    ]
}

/// Starts a job that waits for more events once its output is begun.
fn waiting(place: &Place, bash: &str) -> (Running, std::process::ChildStdin) {
    place.simulate(1, 20_000, Shape::Small);
    let mut command = place.command(bash, &["analyze", "-", "-o", "out.mid.gz"]);
    let mut running = Running::piped(command.stdin(Stdio::piped()));
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(&std::fs::read(place.path("run00001.mid")).unwrap()).unwrap();
    let begun = Instant::now();
    while !place.path(".out.mid.gz.part").exists() {
        assert!(!running.is_over() && begun.elapsed() < HANGS, "no output is begun");
        std::thread::sleep(Duration::from_millis(2));
    }
    (running, stdin)
}

fn every_signal_to_end_is_obeyed() {
    for signal in ["INT", "TERM", "HUP"] {
        let place = Place::new();
        let (running, stdin) = waiting(&place, "");
        running.signal(signal);
        std::thread::sleep(Duration::from_millis(50));
        drop(stdin);
        let ended = running.within(bound()).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{signal}: {ended:?}");
        assert!(String::from_utf8_lossy(&ended.out).contains(STOPPED), "{signal}: {ended:?}");
        let again = if signal == "INT" { "press Ctrl-C again" } else { "signal again" };
        let said = format!("\nstopping: what was analyzed is written; {again} to stop at once\n");
        assert_eq!(ended.err, said, "{signal}");
        assert_eq!(
            place.holds(&["run00001.mid".into()]),
            ["out.mid.gz", "out.mid.gz.provenance.json"],
            "{signal}"
        );
        whole::events(&place.path("out.mid.gz")).unwrap();
    }
}

fn a_job_of_nohup_outlives_its_terminal() {
    let place = Place::new();
    let (running, stdin) = waiting(&place, "trap '' HUP;");
    running.signal("HUP");
    std::thread::sleep(Duration::from_millis(50));
    drop(stdin);
    let ended = running.within(HANGS).unwrap();
    assert_eq!((ended.status.code(), &*ended.err), (Some(0), ""));
    assert_eq!(whole::events(&place.path("out.mid.gz")).unwrap().events, 20_000);
}

fn the_same_signal_twice_at_once_is_one() {
    let place = Place::new();
    let (running, stdin) = waiting(&place, "");
    // As `timeout` does, to the process and to its group.
    for _ in 0..2 {
        running.signal("TERM");
    }
    std::thread::sleep(Duration::from_millis(20));
    drop(stdin);
    let ended = running.within(bound()).unwrap();
    assert!(String::from_utf8_lossy(&ended.out).contains(STOPPED), "{ended:?}");
    whole::events(&place.path("out.mid.gz")).unwrap();
}

/// What the program says is not read, so that the first is obeyed late.
fn twice_though_nobody_reads() {
    let place = Place::new();
    place.simulate(1, 20_000, Shape::Small);
    // The pipe of errors is filled before the program begins.
    let mut command = place
        .command("{ timeout 0.2 head -c 10000000 /dev/zero >&2; };", &["analyze", "-", "-o", "out.mid.gz"]);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&std::fs::read(place.path("run00001.mid")).unwrap()).unwrap();
    let begun = Instant::now();
    while !place.path(".out.mid.gz.part").exists() {
        assert!(begun.elapsed() < HANGS, "no output is begun");
        std::thread::sleep(Duration::from_millis(2));
    }
    // Not so close that the system makes them one.
    let both = format!("kill -s TERM {0}; sleep 0.01; kill -s TERM {0}", child.id());
    std::process::Command::new("bash").args(["-c", &both]).status().unwrap();
    let pipes = (stdin, child.stdout.take(), child.stderr.take());
    let ended = Running { out: None, err: None, begun, child }.within(bound()).unwrap();
    drop(pipes);
    assert_eq!(ended.status.code(), Some(3), "{:?}", ended.status);
    whole::events(&place.path("out.mid.gz")).unwrap();
}

fn a_file_that_is_simulated_is_whole_or_none() {
    for signal in ["INT", "TERM"] {
        let place = Place::new();
        let args = ["simulate", "-o", "big.mid.gz", "--shape", "big", "--events", "100000000"];
        let running = Running::piped(&mut place.command("", &args));
        std::thread::sleep(Duration::from_millis(300));
        running.signal(signal);
        let ended = running.within(bound()).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{ended:?}");
        assert!(ended.err.contains("stopped before the end, as you asked: no file is written"), "{ended:?}");
        assert!(place.holds(&[]).is_empty());
    }
}

/// A loop in a shell goes on to the next file unless the program has died by the signal.
fn text_ends_by_the_signal() {
    let place = Place::new();
    place.simulate(1, 50_000, Shape::Small);
    for args in [&["dump", "run00001.mid"][..], &["simulate", "-o", "-", "--events", "100000000"]] {
        // Nobody reads, so that it does not end by itself.
        let child = place.command("", args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let (status, _) = interrupt(child, &["INT"]);
        assert_eq!(status.signal(), Some(2), "{args:?}: {status:?}");
    }
}

/// Sends signals to a process whose pipes nobody reads; how it ends, and how long after the last.
fn interrupt(mut child: Child, signals: &[&str]) -> (std::process::ExitStatus, Duration) {
    // The pipes stay open and full.
    let pipes = (child.stdout.take(), child.stderr.take());
    let running = Running { out: None, err: None, begun: Instant::now(), child };
    for signal in signals {
        running.signal(signal);
        std::thread::sleep(Duration::from_millis(200));
    }
    let begun = Instant::now();
    let ended = running.within(bound()).unwrap();
    drop(pipes);
    (ended.status, begun.elapsed())
}

/// Neither standard output nor what the program says is read, and both pipes are full.
fn the_second_is_heard_though_nobody_reads() {
    for threads in ["1", "2", "8"] {
        let place = Place::new();
        place.simulate(1, 100_000, Shape::Small);
        // The pipe of errors is filled before the program begins.
        let mut command = place.command(
            "{ timeout 0.2 head -c 10000000 /dev/zero >&2; };",
            &["analyze", "run00001.mid", "-o", "-", "-j", threads],
        );
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(600));
        let (status, _) = interrupt(child, &["INT", "INT"]);
        assert_eq!(status.code(), Some(3), "{threads} threads: {status:?}");
    }
}
