//! What `bridge` publishes.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::MidFile;
use crate::mserver::{Options, Server};
use crate::{Place, data, lines, next, run, shown, signal, text};

#[test]
fn what_a_bridge_plays_is_analyzed_to_the_same_bytes() {
    let place = Place::new();
    let definition = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/experiment/analyzer.toml");
    let definition = definition.display();
    place.well("simulate --run 41 --events 20000 -o run00041.mid.gz");
    // Three subruns are one run, also if one is cut before its EOR.
    place.put("run00042sub0000.mid", &data(MidFile::new().bor(42), 0..100).eor(42));
    place.put("run00042sub0001.mid", &data(MidFile::new().bor(42), 100..150));
    place.put("run00042sub0002.mid", &data(MidFile::new().bor(42), 150..200).eor(42));
    place.well("simulate --run 43 --events 0 -o run00043.mid");
    let files = "run00041.mid.gz run00042sub0000.mid run00042sub0001.mid run00042sub0002.mid run00043.mid";
    for outputs in ["offline", "live"] {
        fs::create_dir(place.0.path().join(outputs)).unwrap();
    }
    // A blank in an argument would part it.
    let switches = "/Analyzer/Bank%switches/CADC=1 /Analyzer/Bank%switches/ACUM=1";
    let flags = format!("-a {definition} --rotate 0 -p {switches}");
    let outputs = |place: &str| format!("-o {place}/run%05d.mid {place}/run%05d.parquet");
    place.well(&format!("analyze -q {files} {flags} {}", outputs("offline")));

    let bridge = place.start(&format!("bridge {files} --to shm:@lab --wait-for 1 --size 1M"));
    place.wait("lab", |stream| stream["producer"]["program"] == "pactolus bridge");
    place.well(&format!("analyze -q shm:@lab --sampling all -r 41 43 {flags} {}", outputs("live")));
    let bridge = bridge.wait_with_output().unwrap();
    assert_eq!(bridge.status.code(), Some(0), "{}", text(&bridge.stderr));
    assert_eq!(text(&bridge.stderr), "");
    let said = text(&bridge.stdout);
    assert!(said.starts_with("run 41: 20000 events, 1.12 MB, "), "{said}");
    assert!(said.contains("\nrun 42: 200 events, "), "{said}");
    assert!(said.contains("\nrun00041.mid.gz and 4 more to shm:/"), "{said}");
    assert!(said.contains("lab: 3 runs, 20200 events, "), "{said}");
    for run in [41, 42, 43] {
        let read = |which: &str| fs::read(place.0.path().join(format!("{which}/run{run:05}.mid"))).unwrap();
        assert!(read("offline") == read("live"), "run {run} differs");
        assert!(read("live").len() > 2000);
    }
    // Nobody is left, and nothing.
    assert!(place.look("lab").is_none());
    let left: Vec<_> = fs::read_dir(&place.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".ring")), "{left:?}");
}

#[test]
fn runs_and_pauses_of_an_experiment_come_as_they_are() {
    let (place, server) = (Place::new(), Server::start(Options::default()));
    let url = format!("midas://127.0.0.1:{}/lab", server.port());
    let line = format!("bridge {url} --to shm:@lab --sampling all --name Bridge -r 7 7 --json");
    let mut bridge = place.start(&line);
    let told = lines(bridge.stdout.take().unwrap());
    assert!(server.wait_for_clients(|clients| clients == ["Bridge"]), "{:?}", server.clients());
    place.wait("lab", |stream| stream["producer"].is_object());
    let dump = place.start("dump shm:@lab --sampling all --json --odb -r 7 7");
    place.wait_for("lab", 1);
    let send = |serials: std::ops::Range<u32>| {
        serials.for_each(|i| server.send(&MidFile::new().words(1, i, "ADC0", &[1, 2]).bytes));
    };
    server.start_run(7).unwrap();
    send(0..100);
    let status = next(&told, "status", |status| status["read"] == 100);
    assert_eq!((&status["run"], &status["input"]), (&json!(7), &json!(url)), "{status}");
    assert_eq!(status["is_paused"], false, "{status}");
    server.pause_run().unwrap();
    next(&told, "status", |status| status["is_paused"] == true);
    assert_eq!(place.look("lab").unwrap()["is_paused"], true);
    server.resume_run().unwrap();
    next(&told, "status", |status| status["is_paused"] == false);
    assert_eq!(place.look("lab").unwrap()["is_paused"], false);
    send(100..150);
    next(&told, "status", |status| status["read"] == 150);
    server.stop_run().unwrap();
    let end = next(&told, "end", |_| true);
    assert_eq!((&end["runs"], &end["events"], &end["cut"]), (&json!(1), &json!(150), &Value::Null), "{end}");
    assert_eq!(bridge.wait().unwrap().code(), Some(0));
    let dump = dump.wait_with_output().unwrap();
    assert_eq!(dump.status.code(), Some(0), "{}", text(&dump.stderr));
    let events = shown(text(&dump.stdout));
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds[151], kinds.len()), ("BOR", "EOR", 152));
    // The ODB of the experiment.
    assert!(events[0].to_string().contains("Enable non-localhost RPC"), "{}", events[0]);
    for said in ["run 7 is paused", "run 7 goes on"] {
        assert!(text(&dump.stderr).contains(said), "{said}: {}", text(&dump.stderr));
    }
    assert_eq!(server.offences(), Vec::<String>::new());
}

#[test]
fn a_source_that_is_silent_ends_the_bridge() {
    let place = Place::new();
    place.put("run00042.mid", &data(MidFile::new().bor(42), 0..10));
    let ran = place.ran("bridge follow:run00042.mid --to shm:@lab --live-timeout 0.5");
    let said = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(4), "{said}");
    assert!(said.contains("warning: run 42 has no EOR: "), "{said}");
    assert!(said.contains("run00042.mid has not grown for 0.5 s (--live-timeout); the last "), "{said}");
    assert!(text(&ran.stdout).contains("lab: 1 run, 10 events, "), "{}", text(&ran.stdout));
}

#[test]
fn a_bridge_that_is_killed_goes_on_when_it_is_started_again() {
    let place = Place::new();
    let mut command = place.program("bridge - --to shm:@lab");
    let mut bridge = command.stdin(Stdio::piped()).spawn().unwrap();
    place.wait("lab", |stream| stream["producer"].is_object());
    let mut analyze = place.start("analyze shm:@lab --sampling all -r 42 43 --json");
    let told = lines(analyze.stdout.take().unwrap());
    place.wait_for("lab", 1);
    let mut stdin = bridge.stdin.take().unwrap();
    stdin.write_all(&data(MidFile::new().bor(42), 0..10).bytes).unwrap();
    next(&told, "status", |status| status["source"]["delivered"] == 10);
    signal(&bridge, "-KILL");
    assert_eq!(bridge.wait().unwrap().code(), None);
    let gone = next(&told, "warning", |_| true);
    assert!(gone["text"].as_str().unwrap().contains("its producer is gone within run 42"), "{gone}");
    // The next one goes on in the same stream: first in the same run, then in another.
    place.put("rest.mid", &data(MidFile::new().bor(42), 20..30).eor(42));
    place.put("next.mid", &run(43, 5));
    place.well("bridge rest.mid next.mid --to shm:@lab");
    let run = next(&told, "run", |_| true);
    assert_eq!(run["events"]["1"]["delivered"], 20, "{run}");
    let gap = run["gaps"][0].as_str().unwrap();
    assert!(gap.contains("was gone: events of this time, "), "{gap}");
    let run = next(&told, "run", |_| true);
    assert_eq!((&run["run"], &run["events"]["1"]["delivered"]), (&json!(43), &json!(5)), "{run}");
    let end = next(&told, "end", |_| true);
    assert_eq!(end["ended"], Value::Null);
    let ran = analyze.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
    assert!(place.look("lab").is_none());
}

#[test]
fn what_is_broken_is_told_and_the_rest_is_published() {
    let place = Place::new();
    let mut file = data(MidFile::new().bor(7), 0..10);
    file.bytes.extend_from_slice(&[0xff; 1000]);
    let file = data(file, 10..20).raw(1, 1, 20, &vec![0; 400_000]).eor(7);
    place.put("run00007.mid", &file);
    // Events before a run, and a run without an end.
    place.put("odd.mid", &data(data(MidFile::new(), 0..3).bor(8), 3..5));
    let bridge = place.start("bridge run00007.mid odd.mid --to shm:@lab --size 1M --wait-for 1");
    place.wait("lab", |stream| stream["producer"].is_object());
    let analyze = place.ran("analyze -q shm:@lab -r 7 7 --sampling all --json");
    let report = text(&analyze.stdout).lines().last().unwrap();
    let report: Value = serde_json::from_str(report).unwrap();
    assert_eq!(analyze.status.code(), Some(0), "{}", text(&analyze.stderr));
    let account = &report["runs"][0]["events"]["1"];
    assert_eq!((&account["offered"], &account["too_big"]), (&json!(21), &json!(1)), "{report}");
    let ran = bridge.wait_with_output().unwrap();
    let said = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("warning: run00007.mid: "), "{said}");
    assert!(said.contains("warning: odd.mid: 3 events belong to no run, "), "{said}");
    assert!(said.contains("warning: run 8 has no EOR: consumers are told that it is cut\n"), "{said}");
    assert!(said.contains("pactolus: 1 event too big for shm:"), "{said}");
    assert!(text(&ran.stdout).contains("; cut: it has no EOR\n"), "{}", text(&ran.stdout));
}

#[test]
fn what_a_source_has_passed_over_is_told() {
    let place = Place::new();
    let simulate = place.start("simulate --to shm:@raw --size 1M --wait-for 2 --events 100000");
    place.wait("raw", |stream| stream["producer"].is_object());
    let bridge = place.start("bridge shm:@raw --to shm:@lab --stop endrun --json");
    place.wait_for("raw", 1);
    signal(&bridge, "-STOP");
    // With it there are two.
    place.well("dump shm:@raw -n 1");
    assert_eq!(simulate.wait_with_output().unwrap().status.code(), Some(0));
    signal(&bridge, "-CONT");
    let ran = bridge.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let end: Value = serde_json::from_str(text(&ran.stdout).lines().last().unwrap()).unwrap();
    let (events, missed) = (end["events"].as_u64().unwrap(), end["missed"].as_u64().unwrap());
    assert!(missed > 50_000, "{end}");
    assert_eq!(events + missed, 100_000, "{end}");
    assert_eq!((&end["runs"], &end["cut"]), (&json!(1), &Value::Null), "{end}");
}
