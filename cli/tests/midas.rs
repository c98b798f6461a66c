//! `pactolus midas` on a server of MIDAS.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use pactolus_cli::App;

#[path = "../../tests/mserver/mod.rs"]
mod mserver;

use mserver::{Options, Server};
use pactolus::odb::Mode;

/// Exit code, standard output and errors of a command line; `@` is the server.
fn run(server: &Server, args: &[&str]) -> (u8, String, String) {
    let at = format!("127.0.0.1:{}", server.port());
    let args: Vec<OsString> =
        ["midas"].iter().chain(args).map(|arg| if *arg == "@" { &at } else { *arg }.into()).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let app = App::new(pactolus_modules::catalogue());
    let code = pactolus_cli::run(&app, &args, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[track_caller]
fn check(server: &Server, args: &[&str], wanted: &str) {
    assert_eq!(run(server, args), (0, wanted.to_owned(), String::new()), "{args:?}");
}

#[track_caller]
fn refused(server: &Server, args: &[&str], wanted: &str) {
    assert_eq!(run(server, args), (2, String::new(), format!("pactolus: {wanted}\n")), "{args:?}");
}

fn server() -> Server {
    Server::start(Options::default())
}

#[test]
fn the_odb_is_shown_as_the_shell_shows_it() {
    let server = server();
    check(&server, &["@", "ls", "/Equipment/Trigger"], "Common\nVariables\nStatistics\n");
    let long = run(&server, &["@", "lab", "ls", "-l", "/Equipment/Trigger/Variables"]).1;
    let rows: Vec<&str> = long.lines().skip(2).collect();
    assert!(rows[0].starts_with("ADC0                            WORD    4     2"), "{long}");
    assert_eq!(rows.len(), 5);
    assert!(run(&server, &["@", "ls", "-r", "/Equipment"]).1.contains("Events per sec."));
    let json = run(&server, &["@", "ls", "-r", "/Runinfo", "--json"]).1;
    assert!(json.contains("\"Run number\""), "{json}");
    check(&server, &["@", "lab", "get", "/Runinfo/Run number"], "1\n");
    check(&server, &["--json", "@", "get", "/Equipment/Trigger/Variables/ADC0"], "[0,0,0,0]\n");
    refused(
        &server,
        &["@", "get", "/Runinfo/Run nummer"],
        "get: no key /Runinfo/Run nummer, did you mean 'Run number'?",
    );
    assert_eq!(server.offences(), Vec::<String>::new());
}

#[test]
fn only_what_was_said_is_set() {
    let server = server();
    let before = server.tree();
    check(&server, &["@", "set", "/Equipment/Trigger/Variables/ADC0[3]", "174"], "");
    check(&server, &["@", "lab", "set", "/Equipment/Trigger/Variables/ADC0[1..2]", "7"], "");
    check(&server, &["@", "set", "/Runinfo/Run number", "-5"], "");
    check(&server, &["@", "set", "/Experiment/Name", "a test"], "");
    let its = server.tree();
    assert_eq!(its.get("/Equipment/Trigger/Variables/ADC0"), Ok(vec![0u16, 7, 7, 174]));
    assert_eq!(its.get("/Runinfo/Run number"), Ok(-5));
    let changed: Vec<String> =
        before.diff(&its).iter().map(|difference| difference.path.to_string()).collect();
    // What every client leaves in /Programs is no change of the command.
    let changed: Vec<&String> = changed
        .iter()
        .filter(|path| !path.starts_with("/Programs/") && !path.starts_with("/System/"))
        .collect();
    assert_eq!(changed, ["/Experiment/Name", "/Runinfo/Run number", "/Equipment/Trigger/Variables/ADC0"]);
    refused(
        &server,
        &["@", "set", "/Runinfo/State", "x"],
        "set: /Runinfo/State: a whole number from -2147483648 to 2147483647 (INT) expected, 'x' found",
    );
    server.change(|tree| tree.set_mode("/Runinfo/State", Mode::READ, false).unwrap());
    refused(&server, &["@", "set", "/Runinfo/State", "3"], "set: /Runinfo/State is write protected");
    assert_eq!(server.tree().get("/Runinfo/State"), Ok(1));
}

#[test]
fn the_state_of_the_experiment_is_told() {
    let server = server();
    server.start_run(42).unwrap();
    let (code, text, _) = run(&server, &["@", "status"]);
    assert_eq!(code, 0);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("experiment  lab at 127.0.0.1:{}", server.port()));
    assert!(lines[1].starts_with("run         42 running, begun "), "{text}");
    assert!(
        lines.iter().any(|line| line.split_whitespace().eq(["programs", "Sample", "Frontend", "localhost"])),
        "{text}"
    );
    assert!(lines.iter().any(|line| line.split_whitespace().eq(["Trigger", "0", "0.0", "0.0"])), "{text}");
    assert!(!text.contains("pactolus"), "not ourselves: {text}");
    let json: serde_json::Value = serde_json::from_str(&run(&server, &["@", "status", "--json"]).1).unwrap();
    assert_eq!((&json["run"]["number"], &json["run"]["state"]), (&42.into(), &"running".into()));
    assert_eq!(json["equipment"][0]["name"], "Trigger");
    server.stop_run().unwrap();
    assert!(run(&server, &["@", "status"]).1.contains("42 stopped since "));
}

#[test]
fn an_experiment_is_named_where_there_are_several() {
    let several =
        Server::start(Options { experiments: vec!["lab".into(), "test".into()], ..Options::default() });
    check(&several, &["@", "experiments"], "lab\ntest\n");
    check(&several, &["@", "experiments", "--json"], "[\"lab\",\"test\"]\n");
    let at = format!("127.0.0.1:{}", several.port());
    refused(
        &several,
        &["@", "status"],
        &format!("the server at {at} has several experiments, name one: lab, test"),
    );
    check(&several, &["@", "test", "get", "/Runinfo/State"], "1\n");
}

#[test]
fn a_password_comes_from_a_file() {
    let server = Server::start(Options { password: Some("secret".into()), ..Options::default() });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "secret\n").unwrap();
    refused(&server, &["@", "get", "/Runinfo/State"], "the experiment wants a password");
    check(&server, &["@", "get", "/Runinfo/State", "--password-file", file.to_str().unwrap()], "1\n");
}

#[test]
fn changes_are_printed_until_the_user_ends_it() {
    let server = server();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pactolus"))
        .args(["midas", &format!("127.0.0.1:{}", server.port()), "watch", "/Runinfo", "--name", "Guard"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(server.wait_for_clients(|clients| clients.contains(&"Guard".to_owned())));
    let begun = std::time::Instant::now();
    while server.watched("Guard").is_empty() {
        assert!(begun.elapsed().as_secs() < 20);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    // All is read before the first look.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    server.change(|tree| tree.set("/Runinfo/State", 3).unwrap());
    assert_eq!(lines.next().unwrap().unwrap(), "~ /Runinfo/State: 1 -> 3");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("the experiment is left"), "{said}");
    assert!(server.wait_for_clients(|clients| !clients.contains(&"Guard".to_owned())));
    assert!(server.offences().is_empty());
}

#[test]
fn a_connection_that_is_lost_ends_it() {
    let server = server();
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(server.wait_for_clients(|clients| clients.contains(&"pactolus".to_owned())));
            std::thread::sleep(std::time::Duration::from_millis(300));
            server.kill("pactolus");
        });
        run(&server, &["@", "watch"])
    });
    assert_eq!(ran.0, 4);
    assert!(ran.2.starts_with("pactolus: the connection to the experiment is lost: "), "{}", ran.2);
}

#[test]
fn a_connection_that_is_lost_while_all_is_read_is_an_end_of_its_own() {
    let server = server();
    // Behind the log-in, and before all is read.
    server.fault(mserver::Fault::CloseAfter(1000));
    let (code, out, err) = run(&server, &["@", "status"]);
    assert_eq!((code, out.as_str()), (4, ""), "{err}");
    assert!(err.starts_with("pactolus: the connection to the experiment is lost: "), "{err}");
}
