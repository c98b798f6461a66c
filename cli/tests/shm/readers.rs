//! Who reads, and what becomes of it when somebody stops.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::MidFile;
use crate::{HANGS, Place, data, lines, next, run, shown, signal, text};

#[test]
fn analyzers_of_one_name_split_what_comes() {
    let place = Place::new();
    let bridge = place.start("simulate --to shm:@lab --wait-for 2 --events 20000");
    place.wait("lab", |stream| stream["producer"].is_object());
    let line = "analyze shm:@lab -r 1 1 --share split --sampling all --json";
    let both = [place.start(line), place.start(line)];
    let mut taken = 0;
    for analyze in both {
        let ran = analyze.wait_with_output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
        let end: Value = serde_json::from_str(text(&ran.stdout).lines().last().unwrap()).unwrap();
        let events = end["runs"][0]["events"].as_object().unwrap();
        taken += events.values().map(|id| id["delivered"].as_u64().unwrap()).sum::<u64>();
    }
    assert_eq!(taken, 20_000);
    assert_eq!(bridge.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn a_consumer_that_is_stopped_holds_up_only_who_is_to_wait_for_it() {
    let place = Place::new();
    let mut bridge = place.program("bridge - --to shm:@lab --size 1M --json");
    let mut bridge = bridge.stdin(Stdio::piped()).spawn().unwrap();
    let told = lines(bridge.stdout.take().unwrap());
    place.wait("lab", |stream| stream["producer"].is_object());
    let recent = place.start("analyze -q shm:@lab -r 1 2");
    let all = place.start("analyze -q shm:@lab -r 1 2 --sampling all");
    place.wait_for("lab", 2);
    signal(&recent, "-STOP");
    let mut stdin = bridge.stdin.take().unwrap();
    // Four times what the stream holds.
    stdin.write_all(&run(1, 100_000).bytes).unwrap();
    let run_1 = next(&told, "run", |_| true);
    assert_eq!((&run_1["run"], &run_1["events"]), (&json!(1), &json!(100_000)), "{run_1}");
    signal(&all, "-STOP");
    // From now on nothing can be said of how much is taken.
    let bytes = run(2, 100_000).bytes;
    let written = std::thread::spawn(move || stdin.write_all(&bytes));
    let status = next(&told, "status", |status| !status["waits_for"].is_null());
    let who = format!("Analyzer (pid {})", all.id());
    assert_eq!(status["waits_for"], who.as_str(), "{status}");
    signal(&all, "-CONT");
    written.join().unwrap().unwrap();
    let end = next(&told, "end", |_| true);
    assert_eq!((&end["runs"], &end["events"]), (&json!(2), &json!(200_000)), "{end}");
    assert!(end["waited_seconds"].as_f64().unwrap() > 0.1, "{end}");
    assert_eq!(bridge.wait().unwrap().code(), Some(0));
    assert_eq!(all.wait_with_output().unwrap().status.code(), Some(0));
    signal(&recent, "-CONT");
    let ran = recent.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
}

#[test]
fn simulated_runs_are_those_of_the_files() {
    let place = Place::new();
    let begun = Instant::now();
    let line = "simulate --to shm:@lab --wait-for 1 --run 7 --runs 2 --events 500 --rate 1000 --seed 3";
    let simulate = place.start(line);
    place.wait("lab", |stream| stream["producer"]["program"] == "pactolus simulate");
    let live = place.well("dump shm:@lab --sampling all -r 7 8 --json --odb");
    let ran = simulate.wait_with_output().unwrap();
    assert_eq!((ran.status.code(), text(&ran.stderr)), (Some(0), ""));
    let said = text(&ran.stdout);
    assert!(said.contains("lab: 2 runs, 1000 events, "), "{said}");
    // Two runs of half a second.
    assert!(begun.elapsed() >= Duration::from_millis(990), "{:?}", begun.elapsed());
    let mut offline = Vec::new();
    for run in [7, 8] {
        place.well(&format!("simulate -o run.mid --force --run {run} --events 500 --seed 3"));
        offline.extend(shown(&place.well("dump run.mid --json --odb")));
    }
    assert_eq!(offline.len(), 1004);
    assert!(shown(&live) == offline);
}

#[test]
fn a_run_that_is_stopped_ends_or_is_cut() {
    let place = Place::new();
    // A simulated one has its end.
    let simulate = place.start("simulate --to shm:@lab --rate 100 --events 100000 --wait-for 1");
    place.wait("lab", |stream| stream["producer"].is_object());
    let mut dump = place.start("dump shm:@lab --stop endrun --json --id 2 EOR");
    let shown = lines(dump.stdout.take().unwrap());
    shown.recv_timeout(HANGS).unwrap();
    signal(&simulate, "-INT");
    let ran = simulate.wait_with_output().unwrap();
    let said = text(&ran.stdout);
    assert_eq!(ran.status.code(), Some(3), "{}", text(&ran.stderr));
    assert!(said.ends_with("\nstopped before the end, as you asked: no run is cut\n"), "{said}");
    assert!(text(&ran.stderr).contains("stopping: the run ends here; "), "{}", text(&ran.stderr));
    let last = shown.iter().last().unwrap();
    assert_eq!((&last["kind"], &last["serial"]), (&json!("EOR"), &json!(1)), "{last}");
    assert_eq!(dump.wait().unwrap().code(), Some(0));

    // Of the end of another source, nobody knows.
    let mut command = place.program("bridge - --to shm:@lab --json");
    let mut bridge = command.stdin(Stdio::piped()).spawn().unwrap();
    let told = lines(bridge.stdout.take().unwrap());
    let status = next(&told, "status", |_| true);
    assert_eq!((&status["run"], &status["waits_for"]), (&Value::Null, &Value::Null), "{status}");
    let dump = place.start("dump shm:@lab --stop endrun --json --sampling all");
    place.wait_for("lab", 1);
    let mut stdin = bridge.stdin.take().unwrap();
    stdin.write_all(&data(MidFile::new().bor(42), 0..10).bytes).unwrap();
    let status = next(&told, "status", |status| status["read"] == 10);
    assert_eq!((&status["run"], &status["input"]), (&json!(42), &json!("(standard input)")), "{status}");
    assert_eq!(status["consumers"][0]["name"], "Pactolus", "{status}");
    assert_eq!((&status["consumers"][0]["all"], &status["waits_for"]), (&json!(true), &Value::Null));
    signal(&bridge, "-INT");
    let run = next(&told, "run", |_| true);
    assert_eq!((&run["run"], &run["events"], &run["cut"]), (&json!(42), &json!(10), &json!(true)), "{run}");
    let end = next(&told, "end", |_| true);
    assert!(told.recv().is_err(), "something stands behind the last line");
    assert_eq!((&end["cut"], &end["stopped"], &end["runs"]), (&json!(42), &json!(true), &json!(1)), "{end}");
    assert_eq!(bridge.wait().unwrap().code(), Some(3));
    drop(stdin);
    let dump = dump.wait_with_output().unwrap();
    assert_eq!(dump.status.code(), Some(4));
    assert_eq!(text(&dump.stdout).lines().count(), 11);
    assert!(text(&dump.stderr).contains("its producer is gone within run 42"), "{}", text(&dump.stderr));
}
