//! The client against what real servers have said: its bytes are those that were recorded, and it understands
//! the answers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod recorded_mserver;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pactolus::formats::Header;
use pactolus::midas::{
    Address, Client, Error, Inbox, Key, KeyInfo, Login, Note, Sampling, Sequences, Transition,
    TransitionKind, experiments,
};
use recorded_mserver::{Play, Step, Terms, frame_of, text_of, transcript};

fn login(play: &Play, name: &str, experiment: &str) -> Login {
    let mut login = Login::new(Address::new("127.0.0.1", play.port), name).experiment(experiment);
    login.timeout = Duration::from_secs(2);
    login.messages = true;
    login
}

fn terms(name: &str) -> Terms {
    Terms { name: name.to_owned(), experiments: vec!["proto", "protom", "proto14"], ..Terms::default() }
}

fn values(kind: i32, bytes: i32) -> KeyInfo {
    KeyInfo {
        name: "it".to_owned(),
        kind,
        values: 1,
        item_size: bytes,
        total_size: bytes,
        mode: 7,
        watches: 0,
        written: 0,
    }
}

/// Plays what other programs said to the recorded client; its answers are ours, byte for byte.
fn call(steps: &[Step], port: u16) {
    let mut stream: Option<TcpStream> = None;
    for step in steps.iter().filter(|step| step.socket == "CLIENTRPC") {
        if !step.is_ours && step.bytes.starts_with(b"44 ") {
            stream = Some(TcpStream::connect(("127.0.0.1", port)).unwrap());
        }
        let stream = stream.as_mut().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        if !step.is_ours {
            stream.write_all(&step.bytes).unwrap();
        } else if step.bytes.starts_with(b"44 ") {
            assert_eq!(text_of(stream), step.bytes);
        } else {
            // The recorded client has cleared its padding, as we do.
            assert_eq!(frame_of(stream).unwrap(), step.bytes);
        }
    }
}

/// Sends what the server said of its own accord.
fn note(steps: &[Step], play: &Play) {
    for step in steps.iter().filter(|step| step.socket == "NOTIFY" && !step.is_ours) {
        play.notes().write_all(&step.bytes).unwrap();
    }
}

/// What is in the inbox in a moment.
fn notes(inbox: &Inbox, wanted: usize) -> Vec<Note> {
    let end = Instant::now() + Duration::from_secs(5);
    let mut notes = Vec::new();
    while notes.len() < wanted && Instant::now() < end {
        inbox.wait(Duration::from_millis(20));
        notes.extend(inbox.take());
    }
    notes
}

fn headers(bytes: &[u8]) -> Vec<Header> {
    let mut rest = bytes;
    let mut headers = Vec::new();
    while !rest.is_empty() {
        let (data, header) = Header::parse(rest).unwrap();
        rest = &data[header.size as usize..];
        headers.push(header);
    }
    headers
}

#[test]
fn log_in_odb_and_log_out_are_those_of_2017() {
    let steps = transcript("01", "# connect", "");
    let play = Play::new(&steps, terms("PyAna"));
    assert_eq!(experiments(&login(&play, "", "").address, Duration::from_secs(2)).unwrap()[0], "proto");
    let inbox = Inbox::new();
    let mut client = Client::connect(&login(&play, "PyAna", "PROTO"), &inbox).unwrap();
    assert_eq!((client.name(), client.version()), ("PyAna", "2.1"));
    let run = client.find(Key::ROOT, "/Runinfo/Run number").unwrap().unwrap();
    assert_eq!(run.number(), 143_776);
    assert_eq!(client.data(run, &values(7, 4)).unwrap(), [1, 0, 0, 0]);
    let info = client.info(run).unwrap();
    assert_eq!((info.name.as_str(), info.kind, info.values), ("Run number", 7, 1));
    assert_eq!((info.item_size, info.total_size), (4, 4));
    assert_eq!(client.find(Key::ROOT, "/No/Such").unwrap(), None);
    let test = client.find(Key::ROOT, "/PyAna/Test").unwrap().unwrap();
    let error = client.data(test, &values(9, 4)).unwrap_err();
    assert_eq!(error.to_string(), "db_get_data of key \"it\": the type does not fit (status 315)");
    assert!(!error.is_lost());
    let error = client.data(test, &values(7, 2)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "db_get_data of key \"it\": the value is longer than asked for (status 314)"
    );
    client.set(test, &777_i32.to_le_bytes(), 1, 7).unwrap();
    client.set_element(test, &888_i32.to_le_bytes(), 3, 7).unwrap();
    let four = [777_i32, 0, 0, 888].map(i32::to_le_bytes).concat();
    assert_eq!(client.data(test, &values(7, 16)).unwrap(), four);
    client.resize(test, 2).unwrap();
    assert_eq!(client.data(test, &values(7, 16)).unwrap(), four[..8], "shorter meanwhile");
    let dir = client.find(Key::ROOT, "/PyAna").unwrap().unwrap();
    assert_eq!(client.child(dir, 0).unwrap(), Some(test));
    assert_eq!(client.child(dir, 1).unwrap(), None);
    assert!(client.time().unwrap() > 1_500_000_000);
    client.delete(dir).unwrap();
    client.exit().unwrap();
    play.end(&[
        // Never made: a value is found, then read; what is written has its own call, or is made by a path.
        "db_get_value",
        "db_set_value",
        "db_create_key(1, 148904, 'Str'",
        "db_get_data_index",
        "db_get_data1",
        "db_get_key_info",
        "db_get_path",
        "db_get_record_size",
        "db_get_record",
        "cm_asctime",
        "cm_exist",
        "cm_get_watchdog_info",
        "test(",
        // With words of its own.
        "cm_msg",
    ]);
}

#[test]
fn events_come_as_2017_sends_them_and_one_too_large_is_told() {
    let mut with = terms("PyEv");
    // The recorded one asks a buffer that is not there.
    with.vary = vec![("bm_receive_event(99", 8..12)];
    let play = Play::new(&transcript("02", "# connect", ""), with);
    let inbox = Inbox::new();
    let mut client = Client::connect(&login(&play, "PyEv", "proto"), &inbox).unwrap();
    let run = client.find(Key::ROOT, "/Runinfo/Run number").unwrap().unwrap();
    client.data(run, &values(7, 4)).unwrap();
    let buffer = client.open_buffer("SYSTEM").unwrap();
    assert_eq!(client.level(buffer).unwrap(), 0);
    client.cache(buffer, 100_000).unwrap();
    client.request(buffer, None, None, Sampling::NonBlocking, 0).unwrap();
    client.set_capacity(1 << 20);
    let mut to = Vec::new();
    for _ in 0..3 {
        let received = client.receive(buffer, 1, 1 << 20, &mut to).unwrap();
        assert_eq!(received.is_empty, received.events == 0);
    }
    assert_eq!(headers(&to), [Header { id: 2, mask: 0, serial: 0, time: 0x6b00_f508, size: 32 }]);
    client.receive(buffer, 1, 1 << 20, &mut to).unwrap();
    to.clear();
    // The first alone, then two, then the last: groups grow, and what was asked for is enough.
    let received = client.receive(buffer, 4, 1 << 20, &mut to).unwrap();
    assert_eq!((received.events, received.is_empty), (4, false));
    assert_eq!(headers(&to).iter().map(|header| header.serial).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(to[16..24], [0x20, 0, 0, 0, 1, 0, 0, 0]);
    to.clear();
    client.set_capacity(24);
    let received = client.receive(buffer, 1, 1 << 20, &mut to).unwrap();
    assert_eq!((received.events, to.len()), (0, 0));
    assert_eq!(received.truncated, [Header { id: 1, mask: 0, serial: 0x149, time: 0x6b00_f50c, size: 40 }]);
    client.set_capacity(100);
    let error = client.receive(buffer, 1, 1 << 20, &mut to).unwrap_err();
    assert_eq!(error.to_string(), "bm_receive_event of events: the buffer handle is not valid (status 205)");
    assert!(!error.is_lost() && to.is_empty());
    client.exit().unwrap();
    play.end(&[
        "db_get_value",
        "bm_open_buffer('SYSTEM', 1)",
        // Never waits in the server.
        "bm_receive_event(1, 1048576, 0)",
        "bm_skip_event",
        "bm_empty_buffers",
        "bm_remove_event_request",
        "bm_get_buffer_info",
        "bm_close_buffer",
    ]);
}

#[test]
fn transitions_are_answered_and_one_is_refused_as_in_2017() {
    let steps = transcript("03", "# connect", "");
    let mut with = terms("PyTr");
    // Our port, and that we want no notes of events.
    with.vary = vec![("db_set_data(1, 148600", 32..36), ("bm_add_event_request", 40..44)];
    // More transitions than were recorded.
    with.done = vec![11205];
    let play = Play::new(&steps, with);
    let inbox = Inbox::new();
    let is_first = std::sync::atomic::AtomicBool::new(true);
    inbox.on_transition(move |asked| {
        let is_first =
            asked.kind == TransitionKind::Start && is_first.swap(false, std::sync::atomic::Ordering::Relaxed);
        if is_first { Err("PyTr says no".to_owned()) } else { Ok(()) }
    });
    let mut login = login(&play, "PyTr", "proto");
    login.transitions = Some(Sequences { start: 500, stop: 500, pause: 1, resume: 2 });
    let mut client = Client::connect(&login, &inbox).unwrap();
    let runinfo = client.find(Key::ROOT, "/Runinfo").unwrap().unwrap();
    client.watch(runinfo).unwrap();
    let buffer = client.open_buffer("SYSTEM").unwrap();
    client.request(buffer, Some(1), None, Sampling::NonBlocking, 0).unwrap();
    call(&steps, client.port());
    let transition = |kind, run| Note::Transition(Transition { kind, run, sequence: 500 });
    let told = notes(&inbox, 2);
    assert_eq!(told, [transition(TransitionKind::Stop, 2), transition(TransitionKind::Start, 3)]);
    note(&steps, &play);
    let changed = |key: &Note| match key {
        Note::Changed { watched, key: Some(key), index: -1 } if watched.number() == 0x21ac8 => key.number(),
        Note::Available => 1,
        other => panic!("{other:?}"),
    };
    let mut wanted: Vec<i32> = Vec::new();
    for step in steps.iter().filter(|step| step.socket == "NOTIFY" && !step.is_ours) {
        let key = if step.bytes.len() == 24 { recorded_mserver::int(&step.bytes, 16) } else { 1 };
        wanted.push(key);
    }
    wanted.sort_unstable();
    wanted.dedup();
    // One key may be told again, if it was taken before.
    let mut keys: Vec<i32> = Vec::new();
    while keys.len() < wanted.len() {
        let told = notes(&inbox, 1);
        assert!(!told.is_empty(), "{keys:?} of {wanted:?}");
        keys.extend(told.iter().map(changed));
        keys.sort_unstable();
        keys.dedup();
    }
    assert_eq!(keys, wanted);
    let mut to = Vec::new();
    client.set_capacity(1 << 20);
    assert!(client.receive(buffer, 1, 1, &mut to).unwrap().events < 2);
    client.unwatch(runinfo).unwrap();
    drop(client);
    play.end(&[
        "db_find_key(1, 148296, 'Transition START')",
        "db_find_key(1, 148296, 'Transition STOP')",
        "db_get_path",
        "bm_mark_read_waiting",
    ]);
}

#[test]
fn an_experiment_that_the_server_does_not_know_is_said_with_those_it_knows() {
    let mut with = terms("");
    with.experiments = vec!["nosuch", "other"];
    let steps = transcript("05", "# === unknown experiment", "# === experiment \"Default\"");
    let name = String::from_utf8(steps[0].bytes.clone()).unwrap();
    let name = name.trim_end_matches('\0').rsplit(' ').next().unwrap().to_owned();
    let play = Play::new(&steps, with);
    // It is not in the list.
    let error = Client::connect(&login(&play, "X", "gone"), &Inbox::new()).unwrap_err();
    let wanted =
        format!("the server at 127.0.0.1:{} has no experiment \"gone\"; it has nosuch, other", play.port);
    assert_eq!(error.to_string(), wanted);
    assert!(error.is_refusal());
    play.end(&[]);
    // It goes while we look.
    let mut with = terms("");
    with.experiments = vec![name.clone().leak()];
    let play = Play::new(&steps, with);
    let error = Client::connect(&login(&play, "X", &name), &Inbox::new()).unwrap_err();
    assert!(matches!(error, Error::UnknownExperiment { .. }), "{error:?}");
    play.end(&[]);
}

#[test]
fn a_call_that_gets_no_answer_is_given_up() {
    let sessions = [
        (
            "# connect to 127.0.0.1:21175; our three listen ports are [60129",
            "# connect to 127.0.0.1:21175; our three listen ports are [49659",
            "proto",
        ),
        (
            "# connect to 127.0.0.1:22175; our three listen ports are [50195",
            "# connect to 127.0.0.1:22175; our three listen ports are [33695",
            "protom",
        ),
    ];
    for (from, to, experiment) in sessions {
        let mut with = terms("PyUn");
        // As servers do with a call that they do not know. Ours all know: so let it be this one.
        with.silent = vec![11100];
        let play = Play::new(&transcript("09", from, to), with);
        let mut login = login(&play, "PyUn", experiment);
        login.timeout = Duration::from_millis(300);
        let mut client = Client::connect(&login, &Inbox::new()).unwrap();
        assert!(client.time().unwrap() > 1_500_000_000);
        let error = client.open_buffer("SYSTEM").unwrap_err();
        assert_eq!(error.to_string(), "bm_open_buffer: no answer within 0.3 s, 0 bytes came");
        assert!(error.is_lost() && !error.is_refusal());
        let error = client.time().unwrap_err();
        assert!(matches!(error, Error::Lost { .. }), "{error}");
        drop(client);
        // The unknown call itself: the client has none. It stands below the comment of the call before.
        play.end(&["cm_set_client_info"]);
    }
}

#[test]
fn the_second_of_a_name_learns_its_own() {
    let steps = transcript("05", "# === same name twice", "# === event sent");
    let play = Play::new(&steps, terms("PyFast1"));
    let client = Client::connect(&login(&play, "PyFast", "proto"), &Inbox::new()).unwrap();
    assert_eq!(client.name(), "PyFast1");
    client.exit().unwrap();
    play.end(&["db_get_value(1, 151960, 'Name'"]);
}

#[test]
fn what_2017_pads_is_cut_and_a_killed_server_is_told() {
    // The greeting of this client is in the part before.
    let mut steps = transcript("05", "# === FTCP", "# === same name twice");
    steps.extend(transcript(
        "05",
        "# === event sent",
        "# connect to 127.0.0.1:21175; our three listen ports are [50623",
    ));
    steps.extend(transcript("05", "# bm_receive_event(1, 65536, 1)", "# id_exit()"));
    let mut with = terms("PyFast");
    with.vary = vec![("bm_open_buffer('TESTC', 100000)", 16..20)];
    with.killed_at = Some(11008);
    let play = Play::new(&steps, with);
    let inbox = Inbox::new();
    let mut client = Client::connect(&login(&play, "PyFast", "proto"), &inbox).unwrap();
    let buffer = client.open_buffer("TESTC").unwrap();
    client.request(buffer, None, None, Sampling::All, 0).unwrap();
    client.set_capacity(65536);
    let mut to = Vec::new();
    let received = client.receive(buffer, 3, 1 << 20, &mut to).unwrap();
    assert_eq!((received.events, received.is_empty), (2, true));
    let hello = Header { id: 9, mask: 1, serial: 42, time: 0x6b00_f5c2, size: 5 };
    assert_eq!(headers(&to), [hello, hello]);
    assert_eq!(&to[16..21], b"hello");
    let error = client.time().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cm_time: the server has closed the connection, 0 bytes of the answer had come"
    );
    assert!(error.is_lost());
    let told = notes(&inbox, 1);
    assert_eq!(told, [Note::Closed("the server has closed the connection".to_owned())]);
}

#[test]
fn the_watchdog_is_answered_and_a_farewell_is_understood() {
    let steps = transcript("05", "# === watchdog", "");
    let mut with = terms("PyWd");
    with.silent = vec![11008];
    let play = Play::new(&steps, with);
    let mut login = login(&play, "PyWd", "proto");
    login.timeout = Duration::from_secs(5);
    let inbox = Inbox::new();
    let mut client = Client::connect(&login, &inbox).unwrap();
    let [ask, answer] = [false, true].map(|is_ours| {
        let is_it = |step: &&Step| step.socket == "NOTIFY" && step.is_ours == is_ours;
        steps.iter().find(is_it).unwrap().bytes.clone()
    });
    let mut notes = play.notes();
    notes.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for _ in 0..3 {
        notes.write_all(&ask).unwrap();
        let mut got = [0; 8];
        notes.read_exact(&mut got).unwrap();
        assert_eq!(got, answer[..]);
    }
    // No frame: five bytes on the connection for calls.
    play.calls().write_all(b"EXIT\0").unwrap();
    play.calls().shutdown(std::net::Shutdown::Write).unwrap();
    let error = client.time().unwrap_err();
    assert!(matches!(error, Error::Exit { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cm_time: the server has given us up (EXIT)"), "{error}");
    assert!(error.is_lost());
    drop(client);
    play.end(&["cm_set_watchdog_params(1, 2000)"]);
}

#[test]
fn the_server_of_2022_is_understood() {
    let steps = transcript("08", "# connect", "");
    let mut with = terms("PyMod");
    with.vary = vec![("db_set_data(1, 159264", 32..36)];
    with.done = vec![11205];
    let play = Play::new(&steps, with);
    let inbox = Inbox::new();
    let mut login = login(&play, "PyMod", "protom");
    login.transitions = Some(Sequences { start: 500, stop: 500, pause: 1, resume: 2 });
    let mut client = Client::connect(&login, &inbox).unwrap();
    let run = client.find(Key::ROOT, "/Runinfo/Run number").unwrap().unwrap();
    client.data(run, &values(7, 4)).unwrap();
    assert_eq!(client.info(run).unwrap().name, "Run number");
    assert_eq!(client.find(Key::ROOT, "/No/Such").unwrap(), None);
    let test = client.find(Key::ROOT, "/PyMod").unwrap().unwrap();
    let buffer = client.open_buffer("SYSTEM").unwrap();
    client.cache(buffer, 100_000).unwrap();
    client.request(buffer, None, None, Sampling::NonBlocking, 0).unwrap();
    let recorded = |size: &str| {
        steps.iter().filter(|s| s.is_ours && s.note == format!("bm_receive_event(1, {size}, 1)")).count()
    };
    let mut to = Vec::new();
    for (capacity, size) in [((4 << 20) + 16, "4194320"), (1 << 20, "1048576")] {
        client.set_capacity(capacity);
        for _ in 0..recorded(size) {
            client.receive(buffer, 1, 1, &mut to).unwrap();
        }
    }
    // All events that are in the replies, by another way.
    let event =
        |step: &&Step| !step.is_ours && step.note.starts_with("bm_receive_event(1") && step.bytes[0] == 1;
    let wanted: Vec<u8> = steps
        .iter()
        .filter(event)
        .flat_map(|step| {
            let size = recorded_mserver::int(&step.bytes, 16 + 12) as usize;
            step.bytes[16..32 + size].to_vec()
        })
        .collect();
    assert!(!wanted.is_empty() && to == wanted);
    let state = client.find(Key::ROOT, "/Runinfo/State").unwrap().unwrap();
    client.watch(state).unwrap();
    call(&steps, client.port());
    assert!(matches!(notes(&inbox, 1)[..], [Note::Transition(_)]));
    note(&steps, &play);
    let told = notes(&inbox, 1);
    assert!(
        matches!(told[..], [Note::Changed { watched, key: Some(key), index: -1 }] if watched == state && key == state),
        "{told:?}"
    );
    client.find(Key::ROOT, "/Runinfo").unwrap();
    assert_eq!(test.number(), 159_568);
    drop(client);
    play.end(&[
        "db_get_value",
        "db_set_value(1, 0",
        "db_get_parent",
        "bm_receive_event(1, 1048576, 700)",
        "db_copy_xml",
        "db_delete_key(1, 159568",
    ]);
}

#[test]
fn an_analyzer_that_is_killed_hears_of_it() {
    for (from, to, experiment) in [
        ("# === proto:", "# === proto: big events", "proto"),
        ("# === protom:", "# === protom: big", "protom"),
    ] {
        let text =
            std::fs::read_to_string("tests/corpus/mserver/11-dead-analyzer-and-big-events.hex").unwrap();
        let to = if text.contains(to) { to } else { "" };
        let steps = transcript("11", from, to);
        let mut with = terms("PyDead");
        with.vary = vec![("db_set_data(1, 148600", 32..36), ("db_set_data(1, 159264", 32..36)];
        with.done = vec![11205];
        with.killed_at = Some(11008);
        let play = Play::new(&steps, with);
        let mut login = login(&play, "PyDead", experiment);
        login.watchdog = Duration::from_secs(60);
        login.transitions = Some(Sequences { start: 500, stop: 500, pause: 1, resume: 2 });
        let inbox = Inbox::new();
        let mut client = Client::connect(&login, &inbox).unwrap();
        assert!(matches!(client.time(), Err(Error::Closed { .. })));
        assert!(matches!(notes(&inbox, 1)[..], [Note::Closed(_)]));
        drop(client);
        play.end(&["cm_time"]);
    }
}

#[test]
fn the_server_of_2014_is_understood_and_its_note_names_the_watched_key_only() {
    let steps = transcript("12", "# connect", "");
    let play = Play::new(&steps, terms("Py14"));
    let inbox = Inbox::new();
    let control = steps.iter().find(|step| step.socket == "CTRL" && step.is_ours).unwrap();
    let experiment = String::from_utf8(control.bytes.clone()).unwrap();
    let experiment = experiment.trim_end_matches('\0').rsplit(' ').next().unwrap();
    let mut client = Client::connect(&login(&play, "Py14", experiment), &inbox).unwrap();
    assert_eq!(client.version(), "2.0.0");
    let run = client.find(Key::ROOT, "/Runinfo/Run number").unwrap().unwrap();
    client.data(run, &values(7, 4)).unwrap();
    let buffer = client.open_buffer("SYSTEM").unwrap();
    client.cache(buffer, 100_000).unwrap();
    client.request(buffer, None, None, Sampling::NonBlocking, 0).unwrap();
    let state = client.find(Key::ROOT, "/Runinfo/State").unwrap().unwrap();
    client.watch(state).unwrap();
    client.set_capacity(1 << 20);
    let mut to = Vec::new();
    for _ in 0..15 {
        client.receive(buffer, 1, 1, &mut to).unwrap();
    }
    assert!(!headers(&to).is_empty());
    note(&steps, &play);
    assert_eq!(notes(&inbox, 1), [Note::Changed { watched: state, key: None, index: -1 }]);
    client.exit().unwrap();
    play.end(&["db_set_value", "db_get_value"]);
}
