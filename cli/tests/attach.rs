//! `pactolus analyze midas://...`, as a user sees it: JSON lines, exit codes, flags that do not fit.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/mserver/mod.rs"]
mod mserver;

use common::MidFile;
use common::told::lines;
use mserver::{Options, Server};

/// Far longer than anything here takes.
const HANGS: Duration = Duration::from_secs(30);

fn program(place: &TempDir, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pactolus"));
    command.args(line.split_whitespace()).current_dir(place).env_remove("PACTOLUS_ODB");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ran(place: &TempDir, line: &str) -> Output {
    program(place, line).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn words(serial: u32) -> Vec<u8> {
    MidFile::new().words(1, serial, "ADC0", &[1, 2, 3, 4]).bytes
}

/// Waits until the program has asked for events.
fn wait_for(server: &Server) {
    let looks = || server.calls().get(&11_111).copied().unwrap_or(0);
    let (before, begun) = (looks(), Instant::now());
    while looks() < before + 5 {
        assert!(begun.elapsed() < HANGS, "nobody asks for events");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The next line of this type.
fn next(lines: &Receiver<Value>, kind: &str) -> Value {
    let begun = Instant::now();
    loop {
        let line = lines.recv_timeout(HANGS.saturating_sub(begun.elapsed()));
        let line = line.unwrap_or_else(|error| panic!("no line of type {kind}: {error}"));
        if line["type"] == kind {
            return line;
        }
    }
}

#[test]
fn a_run_goes_from_start_to_stop_and_the_last_line_has_its_account() {
    let (place, server) = (TempDir::new().unwrap(), Server::start(Options::default()));
    let url = format!("midas://127.0.0.1:{}/lab", server.port());
    let mut child =
        program(&place, &format!("analyze --json {url} -o run%05d.mid run%05d.parquet")).spawn().unwrap();
    let lines = lines(child.stdout.take().unwrap());
    let status = next(&lines, "status");
    assert_eq!((&status["run"], &status["input"]), (&Value::Null, &Value::Null), "{status}");
    assert_eq!(status["is_waiting"], true, "{status}");

    wait_for(&server);
    assert_eq!(server.clients(), ["Analyzer"]);
    server.start_run(7).unwrap();
    // Three were never sent, as it seems from here.
    (0..100).chain(103..200).for_each(|serial| server.send(&words(serial)));
    let begun = Instant::now();
    let status = loop {
        let status = next(&lines, "status");
        if status["read"] == 198 {
            break status;
        }
        assert!(begun.elapsed() < HANGS, "{status}");
    };
    assert_eq!((&status["run"], &status["input"]), (&json!(7), &json!(url)), "{status}");
    assert_eq!(status["source"]["unattended"], 3, "{status}");
    assert_eq!(status["lag"]["bytes"], 0, "{status}");
    server.stop_run().unwrap();

    let run = next(&lines, "run");
    assert_eq!(run["run"], 7);
    let account = json!({
        "offered": 197, "delivered": 197, "left_out": 0, "overrun": 0, "stale": 0, "too_big": 0,
        "damaged": 0, "unrequested": 0, "unattended": 3,
    });
    assert_eq!(run["events"]["1"], account, "{run}");
    // Tables are parts, as of files that are followed.
    for output in ["run00007.mid", "run00007.Trigger.000001.parquet"] {
        assert!(
            place.path().join(output).exists(),
            "{:?}",
            std::fs::read_dir(&place).unwrap().collect::<Vec<_>>()
        );
    }

    // Ctrl-C in the midst of the next.
    server.start_run(8).unwrap();
    server.send(&words(0));
    let begun = Instant::now();
    while next(&lines, "status")["read"] != 2 {
        assert!(begun.elapsed() < HANGS, "the event does not come");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let end = next(&lines, "end");
    assert!(lines.recv().is_err(), "something stands behind the last line");
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(3), "{}", text(&ran.stderr));
    assert_eq!((&end["stopped"], &end["ended"]), (&json!(true), &Value::Null));
    assert_eq!(end["runs"][0]["events"]["1"], account);
    assert_eq!(end["runs"][1]["run"], 8);
    assert_eq!(end["runs"][1]["events"]["1"]["delivered"], 1);
    assert!(server.wait_for_clients(<[String]>::is_empty));
    assert_eq!(server.offences(), Vec::<String>::new());
    // Its log says nothing of us, unless the user wants it.
    assert_eq!(server.messages(), Vec::<String>::new());
}

#[test]
fn what_is_written_and_said_there_is_what_the_flags_allow() {
    let server = Server::start(Options::default());
    for (run, flags, more) in [(2, "", false), (3, "--write-odb --messages --name Online", true)] {
        let (place, port) = (TempDir::new().unwrap(), server.port());
        let definition = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/experiment/analyzer.toml");
        let definition = definition.display();
        let line = format!("analyze -q midas://127.0.0.1:{port} -a {definition} -r {run} {run} {flags}");
        let child = program(&place, &line).spawn().unwrap();
        let name = if more { "Online" } else { "Analyzer" };
        assert!(server.wait_for_clients(|clients| clients == [name]), "{:?}", server.clients());
        wait_for(&server);
        server.start_run(run).unwrap();
        server.send(&words(0));
        wait_for(&server);
        server.stop_run().unwrap();
        let ran = child.wait_with_output().unwrap();
        assert_eq!((ran.status.code(), text(&ran.stderr)), (Some(0), ""), "{line}");
        let tree = server.tree();
        assert_eq!(tree.exists("/Analyzer/Parameters/ADC calibration/Pedestal"), more);
        assert_eq!(tree.exists("/Analyzer/Trigger/Statistics/Events received"), more);
        assert_eq!(
            tree.get("/Equipment/Trigger/Variables/ADC0"),
            Ok([[0_u16; 4], [1, 2, 3, 4]][usize::from(more)].to_vec())
        );
        let messages = server.messages();
        for said in ["Program Online on host ", "Program Online stopped"] {
            assert_eq!(messages.iter().any(|text| text.contains(said)), more, "{said}: {messages:?}");
        }
    }
    assert_eq!(server.offences(), Vec::<String>::new());
}

#[test]
fn a_request_to_end_is_a_stop() {
    let (place, server) = (TempDir::new().unwrap(), Server::start(Options::default()));
    let child =
        program(&place, &format!("analyze midas://127.0.0.1:{} --json", server.port())).spawn().unwrap();
    wait_for(&server);
    assert!(server.stop_program("Analyzer"));
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(3));
    assert!(text(&ran.stderr).contains("has asked this program to end\n"), "{}", text(&ran.stderr));
}

#[test]
fn what_cannot_begin_has_an_exit_code_and_a_sentence() {
    let (place, server) = (TempDir::new().unwrap(), Server::start(Options::default()));
    let port = server.port();
    let says = |line: &str, code: i32, wanted: &str| {
        let ran = ran(&place, line);
        let said = text(&ran.stderr);
        assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(code), ""), "{line}: {said}");
        assert!(said.starts_with("pactolus: ") && said.contains(wanted), "{line}: {said}");
        assert_eq!(said.lines().count(), 1, "{line}: {said}");
    };
    for json in ["", " --json"] {
        let unknown = format!("analyze midas://127.0.0.1:{port}/nosuch{json}");
        says(&unknown, 2, "has no experiment \"nosuch\"; it has lab");
        says(&format!("analyze midas://127.0.0.1:1/lab{json}"), 4, "no mserver at 127.0.0.1:1");
    }
    let url = format!("midas://127.0.0.1:{port}/lab");
    says(&format!("analyze {url} --veto"), 2, "--transitions");
    says(&format!("analyze {url} run00042.mid"), 2, "an experiment is the only input");
    says(&format!("analyze run00042.mid {url}"), 2, "an experiment is the only input");
    says(&format!("analyze {url} -r 5 4"), 2, "-r 5 4: the first run comes after the last");
    says(&format!("analyze {url} --odb-load lab.odb"), 2, "--odb-load would overwrite its ODB");
    says(&format!("analyze {url} --shard 1/2"), 2, "--shard 1/2");
    assert!(server.clients().is_empty());

    for flag in [
        "--transitions",
        "--write-odb",
        "--messages",
        "--name Online",
        "--password-file word",
        "--callback-ports 40001,40002,40003",
    ] {
        let name = flag.split(' ').next().unwrap();
        for input in ["run00042.mid", "follow:."] {
            says(
                &format!("analyze {flag} {input}"),
                2,
                &format!("{name} is for an experiment, as midas://daq/lxe"),
            );
        }
    }
    says("analyze --transitions --veto run00042.mid", 2, "--transitions is for an experiment");
}
