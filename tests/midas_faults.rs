//! Servers that are absent, late, broken or not servers at all: each is a clear error, in time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod recorded_mserver;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::RwLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pactolus::midas::{
    Address, Callbacks, Client, Error, Inbox, Key, KeyInfo, Login, Note, Sampling, Sequences, TransitionKind,
    script,
};
use recorded_mserver::{frame_of, int, text_of};

/// Threads are counted by one test, while no other runs.
static ALONE: RwLock<()> = RwLock::new(());

/// Short, so that tests are; long enough for a machine with other work.
const TIMEOUT: Duration = Duration::from_millis(300);

/// What the server does with a call.
enum Act {
    Reply(Vec<u8>),
    /// Says no more, and leaves the connection open.
    Hang,
    /// Some bytes, then closes.
    Close(Vec<u8>),
    /// One byte at a time.
    Drip(Vec<u8>, Duration),
}

/// How far a server comes before it hangs.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    List,
    Connect,
    /// It has called back so many times.
    CallBack(usize),
    Greeting,
    Calls,
}

struct Server {
    port: u16,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// A server that comes as far as a stage, and then acts on the calls, which are numbered.
    fn new(stage: Stage, mut act: impl FnMut(usize, &[u8]) -> Act + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = thread::spawn(move || {
            let mut held = Vec::new();
            let Some(mut calls) = come(&listener, stage, &mut held) else {
                return wait(held);
            };
            let mut number = 0;
            while let Some(frame) = frame_of(&mut calls) {
                match act(number, &frame) {
                    Act::Reply(bytes) => {
                        if calls.write_all(&bytes).is_err() {
                            return;
                        }
                    }
                    Act::Hang => break,
                    Act::Close(bytes) => {
                        let _ = calls.write_all(&bytes);
                        return;
                    }
                    Act::Drip(bytes, pause) => {
                        for byte in bytes {
                            if calls.write_all(&[byte]).is_err() {
                                return;
                            }
                            thread::sleep(pause);
                        }
                    }
                }
                number += 1;
            }
            held.push(calls);
            wait(held);
        });
        Server { port, thread: Some(thread) }
    }

    fn login(&self) -> Login {
        let mut login = Login::new(Address::new("127.0.0.1", self.port), "Fault");
        login.timeout = TIMEOUT;
        login
    }

    fn connect(&self) -> pactolus::midas::Result<Client> {
        Client::connect(&self.login(), &Inbox::new())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Holds connections until the client has gone.
fn wait(held: Vec<TcpStream>) {
    for mut stream in held {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(3)));
        let mut some = [0; 64];
        while stream.read(&mut some).is_ok_and(|bytes| bytes > 0) {}
    }
}

/// Comes as far as the stage; gives the connection for calls.
fn come(listener: &TcpListener, stage: Stage, held: &mut Vec<TcpStream>) -> Option<TcpStream> {
    let mut list = listener.accept().unwrap().0;
    text_of(&mut list);
    if stage == Stage::List {
        held.push(list);
        return None;
    }
    list.write_all(b"one\0\0").unwrap();
    drop(list);
    let mut control = listener.accept().unwrap().0;
    let text = String::from_utf8(text_of(&mut control)).unwrap();
    if stage == Stage::Connect {
        held.push(control);
        return None;
    }
    control.write_all(b"1 2.1\0").unwrap();
    let ports: Vec<u16> = text.split(' ').skip(1).take(3).map(|port| port.parse().unwrap()).collect();
    for (i, port) in ports.iter().enumerate() {
        if stage == Stage::CallBack(i) {
            held.push(control);
            return None;
        }
        held.push(TcpStream::connect(("127.0.0.1", *port)).unwrap());
    }
    let mut calls = held.remove(0);
    text_of(&mut calls);
    if stage == Stage::Greeting {
        held.push(calls);
        return None;
    }
    calls.write_all(b"44\0").unwrap();
    Some(calls)
}

fn reply(status: i32, cells: &[i32]) -> Vec<u8> {
    let cells: Vec<u8> = cells.iter().flat_map(|cell| i64::from(*cell).to_le_bytes()).collect();
    [status.to_le_bytes().to_vec(), (cells.len() as i32).to_le_bytes().to_vec(), cells].concat()
}

/// What a server says that works, and has an empty ODB.
fn good(frame: &[u8]) -> Vec<u8> {
    match int(frame, 0) {
        11200 | 11000 | 11100 | 11008 => reply(1, &[1000]),
        11207 => reply(312, &[0]),
        11111 => reply(209, &[0, 0]),
        _ => reply(1, &[]),
    }
}

/// Calls of a log-in with the server above.
const LOG_IN: usize = 6;

/// A server that works until the client is in, then does this with the first call.
fn then(act: impl Fn() -> Act + Send + 'static) -> (Server, Client) {
    let server = Server::new(Stage::Calls, move |number, frame| match number {
        LOG_IN => act(),
        _ => Act::Reply(good(frame)),
    });
    let client = server.connect().unwrap();
    (server, client)
}

fn error<T: std::fmt::Debug>(result: pactolus::midas::Result<T>) -> (String, Error) {
    let error = result.unwrap_err();
    (error.to_string(), error)
}

#[test]
fn an_absent_server_is_told_with_what_to_look_for() {
    let _guard = ALONE.read();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut login = Login::new(Address::new("127.0.0.1", port), "Fault");
    login.timeout = TIMEOUT;
    let (text, error) = error(Client::connect(&login, &Inbox::new()));
    let begin = format!("no mserver at 127.0.0.1:{port}: ");
    assert!(text.starts_with(&begin), "{text}");
    let end = "is it running, is this its port, and may it be reached from other hosts? (without ODB \
               \"/Experiment/Security/Enable non-localhost RPC\" it listens to its own host only)";
    assert!(text.ends_with(end), "{text}");
    assert!(error.is_lost() && !error.is_refusal());
    login.address.host = "no.such.host.invalid".to_owned();
    let (text, error) = self::error(Client::connect(&login, &Inbox::new()));
    assert!(text.contains("the host is not known"), "{text}");
    assert!(error.is_refusal());
}

#[test]
fn a_server_that_hangs_is_given_up_at_each_stage() {
    let _guard = ALONE.read();
    let stages = [
        (Stage::List, "list of experiments: no answer within 0.3 s, 0 bytes came"),
        (Stage::Connect, "connect: no answer within 0.3 s, 0 bytes came"),
        (Stage::CallBack(0), "the server has not called back on port "),
        (Stage::CallBack(1), "the server has not called back on port "),
        (Stage::CallBack(2), "the server has not called back on port "),
        (Stage::Greeting, "greeting: no answer within 0.3 s, 0 bytes came"),
    ];
    for (stage, wanted) in stages {
        let since = Instant::now();
        let server = Server::new(stage, |_, _| Act::Hang);
        let (text, error) = error(server.connect());
        assert!(text.starts_with(wanted), "{text}");
        assert!(error.is_lost() && !error.is_refusal());
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
    for hanging in 0..LOG_IN {
        let server = Server::new(Stage::Calls, move |number, frame| match number == hanging {
            true => Act::Hang,
            false => Act::Reply(good(frame)),
        });
        let (text, error) = error(server.connect());
        assert!(text.ends_with(": no answer within 0.3 s, 0 bytes came"), "{text}");
        assert!(error.is_lost());
    }
}

#[test]
fn a_server_that_cannot_call_back_is_told_with_ports_and_a_tunnel() {
    let _guard = ALONE.read();
    let server = Server::new(Stage::CallBack(1), |_, _| Act::Hang);
    let free: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let [a, b, c] = [0, 1, 2].map(|i: usize| free[i].local_addr().unwrap().port());
    drop(free);
    let mut login = server.login();
    login.callbacks = Some(Callbacks { rpc: a, notify: b, event: c, listen: None });
    let (text, _) = error(Client::connect(&login, &Inbox::new()));
    let wanted = format!(
        "the server has not called back on port {b} (notes of the server) within 0.3 s: a firewall or a network \
         between? Choose fixed ports with --callback-ports {a},{b},{c} and open these, or take a tunnel: ssh -L \
         {p}:localhost:{p} -R {a}:localhost:{a} -R {b}:localhost:{b} -R {c}:localhost:{c}",
        p = server.port,
    );
    assert_eq!(text, wanted);
    // Who takes part in transitions is called on a fourth port.
    login.transitions = Some(Sequences::default());
    let (text, error) = self::error(Client::connect(&login, &Inbox::new()));
    assert!(
        text.starts_with("callback ports: ") && text.contains("a fourth port") && error.is_refusal(),
        "{text}"
    );
    let server = Server::new(Stage::CallBack(1), |_, _| Act::Hang);
    login.address.port = server.port;
    login.callbacks = Some(Callbacks { rpc: a, notify: b, event: c, listen: Some(1234) });
    let (text, _) = self::error(Client::connect(&login, &Inbox::new()));
    assert!(text.contains(&format!("--callback-ports {a},{b},{c},1234 and")), "{text}");
    assert!(text.ends_with(" -R 1234:localhost:1234"), "{text}");
    login.transitions = None;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = taken.local_addr().unwrap().port();
    let server = Server::new(Stage::Connect, |_, _| Act::Hang);
    login.address.port = server.port;
    login.callbacks = Some(Callbacks { rpc: a, notify: busy, event: c, listen: None });
    let (text, error) = self::error(Client::connect(&login, &Inbox::new()));
    assert!(text.starts_with(&format!("port {busy} for what the server connects to: ")), "{text}");
    assert!(matches!(error, Error::Bind { .. }));
}

/// One thing said on the listener, to each who asks.
fn listener(list: &'static [u8], connect: &'static [u8]) -> (Login, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        for answer in [list, connect] {
            let mut stream = listener.accept().unwrap().0;
            text_of(&mut stream);
            let _ = stream.write_all(answer);
            if answer.is_empty() || answer == b"hello" || answer.starts_with(b"HTTP") {
                return;
            }
        }
    });
    let mut login = Login::new(Address::new("127.0.0.1", port), "Fault");
    login.timeout = TIMEOUT;
    (login, thread)
}

#[test]
fn what_the_listener_says_is_told_with_what_to_do() {
    let _guard = ALONE.read();
    let cases: [(&[u8], &[u8], &str, bool); 6] = [
        (
            b"one\0\0",
            b"3\0",
            "cannot start a process for us: mserver must be started with its full path, or be in /usr/local/bin",
            true,
        ),
        (
            b"one\0\0",
            b"",
            "does not let this host in: name it in ODB \"/Experiment/Security/RPC hosts/Allowed hosts\", or set \"Disable RPC hosts check\" there",
            true,
        ),
        (
            b"",
            b"",
            "does not let this host in: name it in ODB \"/Experiment/Security/RPC hosts/Allowed hosts\", or set \"Disable RPC hosts check\" there",
            true,
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"",
            "its answer to \"list of experiments\" is \"HTTP/1.1 400 Bad Request...\"",
            true,
        ),
        (b"one\0\0", b"220 smtp ready\r\n", "its answer to \"connect\" is \"220 smtp ready\\r\\n\"", true),
        (b"one\0\0", b"1 2.1", "its answer to \"connect\" is \"1 2.1\"", true),
    ];
    for (list, connect, wanted, is_refusal) in cases {
        let (login, thread) = listener(list, connect);
        let (text, error) = error(Client::connect(&login, &Inbox::new()));
        assert!(text.ends_with(wanted), "{text}");
        assert_eq!(error.is_refusal(), is_refusal);
        thread.join().unwrap();
    }
}

#[test]
fn a_connection_closed_behind_any_byte_of_a_log_in_is_an_error() {
    let _guard = ALONE.read();
    let whole = (0..LOG_IN).map(|i| [24, 24, 16, 16, 16, 8][i]).sum::<usize>();
    for cut in 0..whole {
        let mut said = 0;
        let server = Server::new(Stage::Calls, move |_, frame| {
            let answer = match int(frame, 0) {
                // As real ones do: one more cell than is used would be wrong.
                11200 | 11000 => reply(1, &[1000]),
                _ => good(frame),
            };
            said += answer.len();
            match said > cut {
                true => Act::Close(answer[..answer.len() - (said - cut)].to_vec()),
                false => Act::Reply(answer),
            }
        });
        match server.connect() {
            Err(error) => {
                let text = error.to_string();
                assert!(matches!(error, Error::Closed { .. }), "cut at {cut}: {text}");
                assert!(text.contains("the server has closed the connection"), "{text}");
            }
            // The log-in was over.
            Ok(_) => assert!(cut > 80, "{cut}"),
        }
    }
}

#[test]
fn sizes_that_were_not_asked_for_are_refused_before_memory_is_taken() {
    let _guard = ALONE.read();
    let huge = i32::MAX;
    let claim = |status: i32, bytes: i32| [status.to_le_bytes(), bytes.to_le_bytes()].concat();
    let (_server, mut client) = then(move || Act::Reply(claim(1, huge)));
    let (text, error) = error(client.time());
    let wanted = "cm_time: answer of the server, byte 4: wanted at most 64 bytes of parameters, found 2147483647 (status 1)";
    assert_eq!(text, wanted);
    assert!(error.is_lost());
    drop(client);

    let receive = |bytes: Vec<u8>| {
        let (_server, mut client) = then(move || Act::Close(bytes.clone()));
        // The first call of those is the one that gets the bytes.
        let info = KeyInfo {
            name: "k".into(),
            kind: 7,
            values: 2,
            item_size: 4,
            total_size: 8,
            mode: 7,
            watches: 0,
            written: 0,
        };
        let (text, _) = self::error(client.data(Key::ROOT, &info));
        text
    };
    let text = receive([reply(1, &[huge, 0]), vec![0; 8]].concat());
    assert_eq!(
        text,
        "db_get_data: answer of the server, byte 8: wanted at most 8 bytes of values, found 2147483647"
    );
    let text = receive(reply(1, &[8, 0]));
    assert_eq!(text, "db_get_data: answer of the server, byte 24: wanted 4 bytes of size, found 0 bytes");
    let text = receive(reply(1, &[-1, 0, 8]));
    assert_eq!(text, "db_get_data: answer of the server, byte 8: wanted at most 8 bytes of values, found -1");
    let text = receive(reply(1, &[8, 0, 8])[..20].to_vec());
    assert_eq!(
        text,
        "db_get_data: the server has closed the connection, 20 bytes of the answer had come of 32"
    );
    let text = receive(claim(1, 40));
    assert!(text.contains("wanted at most 24 bytes of parameters, found 40"), "{text}");
    // A key that claims more than an ODB has is not asked for.
    let (_server, mut client) = then(|| Act::Hang);
    let info = KeyInfo {
        name: "k".into(),
        kind: 7,
        values: 1,
        item_size: 4,
        total_size: huge,
        mode: 7,
        watches: 0,
        written: 0,
    };
    let (text, error) = self::error(client.data(Key::ROOT, &info));
    assert!(text.contains("claims 2147483647 bytes") && !error.is_lost(), "{text}");
}

#[test]
fn events_that_are_none_end_the_connection_and_leave_what_came_before() {
    let _guard = ALONE.read();
    let event = |serial: i32, size: i32| -> Vec<u8> {
        let head = [1_i32, serial, 0, size].map(i32::to_le_bytes).concat();
        let mut bytes = [i64::from(16 + 4).to_le_bytes().to_vec(), head, vec![7; 4]].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend(i64::from(16 + 4).to_le_bytes());
        [1_i32.to_le_bytes().to_vec(), (bytes.len() as i32).to_le_bytes().to_vec(), bytes].concat()
    };
    // The second claims more data than its reply has, or than it has bytes.
    let mut short = event(2, 4);
    short[8..12].copy_from_slice(&9_i32.to_le_bytes());
    let claims = |size: i32| event(2, size);
    for (bad, wanted) in [
        (claims(5), "byte 28: wanted at most 4 bytes of data in an event of 20, found 5"),
        (claims(i32::MAX), "byte 28: wanted at most 4 bytes of data in an event of 20, found 2147483647"),
        (short, "byte 8: wanted the length of an event in 24 bytes, found 9"),
        (reply(1, &[0, 0]), "byte 4: wanted at least 32 bytes, found 16 (status 1)"),
    ] {
        let server = Server::new(Stage::Calls, move |number, frame| match number {
            7 => Act::Reply(event(1, 4)),
            8 => Act::Reply(bad.clone()),
            _ => Act::Reply(good(frame)),
        });
        let mut client = server.connect().unwrap();
        let buffer = client.open_buffer("SYSTEM").unwrap();
        let mut to = b"before".to_vec();
        let (text, error) = error(client.receive(buffer, 2, 1000, &mut to));
        assert_eq!(text, format!("bm_receive_event: answer of the server, {wanted}"));
        assert!(error.is_lost());
        assert_eq!(to.len(), 6 + 20, "whole events only");
        assert!(to.capacity() < 1000);
    }
}

#[test]
fn groups_read_all_their_replies_also_behind_a_refusal() {
    let _guard = ALONE.read();
    let server = Server::new(Stage::Calls, move |number, frame| match (number, int(frame, 0)) {
        (9, 11242) => Act::Reply(reply(323, &[])),
        (_, 11242) => Act::Reply(reply(312, &[0; 9])),
        _ => Act::Reply(good(frame)),
    });
    let mut client = server.connect().unwrap();
    let (text, error) = error(client.infos(&[Key::ROOT; 40]));
    assert_eq!(text, "db_get_link of key 0: the ODB is corrupted (status 323)");
    assert!(!error.is_lost());
    assert_eq!(client.time().unwrap(), 1000, "in step");
    assert_eq!(client.infos(&[Key::ROOT; 40]).unwrap(), vec![None; 40]);
    let buffer = client.open_buffer("SYSTEM").unwrap();
    client.request(buffer, None, None, Sampling::All, 1).unwrap();
    client.exit().unwrap();
}

#[test]
fn one_byte_now_and_then_is_given_up_in_time() {
    let _guard = ALONE.read();
    let slow = Duration::from_millis(60);
    let (_server, mut client) = then(move || Act::Drip(reply(1, &[1000]), slow));
    let since = Instant::now();
    let (text, error) = error(client.time());
    assert!(text.starts_with("cm_time: no answer within 0.3 s, ") && text.ends_with("bytes came"), "{text}");
    assert!(error.is_lost() && since.elapsed() < 3 * TIMEOUT, "{:?}", since.elapsed());
    let (text, _) = self::error(client.time());
    assert!(
        text.starts_with("cm_time: the connection to the server was lost before: cm_time: no answer"),
        "{text}"
    );
}

#[test]
fn bytes_that_nobody_asked_for_end_the_connection() {
    let _guard = ALONE.read();
    let (_server, mut client) = then(|| Act::Reply([reply(1, &[1000]), b"more".to_vec()].concat()));
    assert_eq!(client.time().unwrap(), 1000);
    let (text, _) = error(client.time());
    assert_eq!(text, "cm_time: answer of the server, byte 0: wanted nothing before the call, found \"more\"");
}

#[test]
fn a_password_is_tried_once() {
    let _guard = ALONE.read();
    // The hash of "secret" is in the call.
    let server = |right: bool| {
        Server::new(Stage::Calls, move |_, frame| {
            let is_hashed = frame.windows(3).any(|three| three == b"mip");
            match int(frame, 0) {
                11000 if !(right && is_hashed) => Act::Reply(reply(108, &[0])),
                _ => Act::Reply(good(frame)),
            }
        })
    };
    let none = server(true);
    assert_eq!(error(none.connect()).0, "the experiment wants a password");
    for right in [true, false] {
        let server = server(right);
        let mut login = server.login();
        login.password = Some("secret".to_owned());
        match Client::connect(&login, &Inbox::new()) {
            Ok(_) => assert!(right),
            Err(error) => {
                assert!(!right && error.is_refusal());
                assert_eq!(error.to_string(), "the experiment does not take this password");
            }
        }
    }
}

#[test]
fn notes_that_are_none_close_the_inbox_and_a_flood_is_one() {
    let _guard = ALONE.read();
    let play = |bytes: Vec<u8>| {
        let inbox = Inbox::new();
        let steps = recorded_mserver::transcript("05", "# === same name twice", "# === event sent");
        let terms = recorded_mserver::Terms { experiments: vec!["proto"], ..Default::default() };
        let play = recorded_mserver::Play::new(&steps, terms);
        let mut login = Login::new(Address::new("127.0.0.1", play.port), "PyFast");
        login.timeout = TIMEOUT;
        let client = Client::connect(&login, &inbox).unwrap();
        let mut stream = play.notes();
        stream.write_all(&bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut notes = Vec::new();
        let end = Instant::now() + Duration::from_secs(5);
        while !matches!(notes.last(), Some(Note::Closed(_))) && Instant::now() < end {
            inbox.wait(Duration::from_millis(10));
            notes.extend(inbox.take());
        }
        drop(client);
        notes
    };
    let closed = |text: &str| Note::Closed(text.to_owned());
    let claim = [6_i32.to_le_bytes(), i32::MAX.to_le_bytes()].concat();
    let wanted = "a note 6 of the server claims 2147483647 bytes, wanted at most 65536";
    assert_eq!(play(claim), [closed(wanted)]);
    assert_eq!(play(vec![6, 0, 0]), [closed("the server has closed the connection 3 bytes into a note")]);
    // Large ones of another MIDAS are passed over; events are told.
    let mut bytes = [77_i32.to_le_bytes(), 60_000_i32.to_le_bytes()].concat();
    bytes.resize(bytes.len() + 60_000, 1);
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(play(bytes), [Note::Available, closed("the server has closed the connection")]);
    // A short one of the ODB says nothing.
    assert_eq!(play(reply(2, &[])), [closed("the server has closed the connection")]);
    let mut flood = Vec::new();
    for i in 0..20_000 {
        flood.extend([2, 16, 1, 500, 1000 + i, -1].map(i32::to_le_bytes).concat());
    }
    let notes = play(flood);
    // All of them and the end, where they are taken as they come.
    assert!(notes.len() <= 20_001, "{}", notes.len());
    let is_all = |note: &Note| matches!(note, Note::Changed { watched: Key::ROOT, key: None, .. });
    let each = notes.iter().filter(|note| matches!(note, Note::Changed { .. }) && !is_all(note)).count();
    assert!(each == 20_000 || notes.iter().any(is_all), "{each}");
}

#[test]
fn callers_of_any_kind_are_answered_and_none_keeps_others_waiting() {
    let _guard = ALONE.read();
    let server = Server::new(Stage::Calls, |_, frame| Act::Reply(good(frame)));
    let inbox = Inbox::new();
    let client = Client::connect(&server.login(), &inbox).unwrap();
    let port = client.port();
    let dial = || {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    };
    // Silent ones, more than are served at once; and some that talk.
    let mut silent: Vec<TcpStream> = (0..12).map(|_| dial()).collect();
    let mut garbage = dial();
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n\0").unwrap();
    assert_eq!(garbage.read(&mut [0; 16]).unwrap(), 0, "closed");
    // Who was silent for longest has to go, and is told.
    assert_eq!(text_of(&mut silent[0]), b"EXIT\0");
    let mut caller = dial();
    caller.write_all(b"44 2.1 ODBEdit here\0").unwrap();
    assert_eq!(text_of(&mut caller), b"44 2.1\0");
    let mut ask = |call: u32, parameters: &[i32], wanted: &[u8]| {
        let frame = reply(call as i32, parameters);
        caller.write_all(&frame).unwrap();
        if call & 0x8000_0000 == 0 {
            assert_eq!(frame_of(&mut caller).unwrap(), wanted, "call {call}");
        }
    };
    ask(12000, &[1, 42, 256, 500], &reply(1, &[0]));
    ask(12000, &[64, 42, 256, 500], &reply(1, &[0]));
    ask(99997, &[], &reply(1, &[]));
    ask(18000, &[0, 0, 256], &reply(508, &[0]));
    ask(15000, &[0; 5], &reply(508, &[0; 5]));
    ask(16000, &[0; 9], &reply(508, &[0; 4]));
    ask(17000, &[1], &reply(508, &[]));
    ask(12345, &[1; 200], &reply(508, &[]));
    ask(99998 | 0x8000_0000, &[], &[]);
    ask(99999, &[], &reply(1, &[]));
    let mut big = dial();
    big.write_all(b"52 2.1 Big here\0").unwrap();
    text_of(&mut big);
    let call: Vec<u8> = reply(12000, &[2, 43, 256, 500])
        .chunks(4)
        .flat_map(|word| word.iter().rev().copied().collect::<Vec<_>>())
        .collect();
    big.write_all(&call).unwrap();
    assert_eq!(frame_of_big(&mut big), [0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut claims = dial();
    claims.write_all(b"44 2.1 Claims here\0").unwrap();
    text_of(&mut claims);
    claims.write_all(&[12000_i32.to_le_bytes(), i32::MAX.to_le_bytes()].concat()).unwrap();
    assert_eq!(claims.read(&mut [0; 16]).unwrap(), 0, "closed");
    let told = inbox.take();
    let kinds: Vec<_> = told
        .iter()
        .map(|note| match note {
            Note::Transition(transition) => (Some(transition.kind), transition.run),
            Note::StopAsked => (None, 0),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, [(Some(TransitionKind::Start), 42), (None, 0), (Some(TransitionKind::Stop), 43)]);
    client.exit().unwrap();
}

fn frame_of_big(stream: &mut TcpStream) -> Vec<u8> {
    let mut frame = vec![0; 16];
    stream.read_exact(&mut frame).unwrap();
    frame
}

#[test]
fn what_cannot_be_said_to_a_server_is_not_sent() {
    let _guard = ALONE.read();
    let server = Server::new(Stage::Calls, |_, frame| Act::Reply(good(frame)));
    let mut client = server.connect().unwrap();
    let (text, error) = error(client.find(Key::ROOT, "/a\0b"));
    assert_eq!(text, "db_find_key: \"/a\\0b\" has a zero byte in it, which MIDAS takes for its end");
    assert!(!error.is_lost());
    let (text, _) = self::error(client.find(Key::ROOT, &"x".repeat(300)));
    assert!(text.starts_with("path: path of 300 bytes, MIDAS has at most 255: xxx"), "{text}");
    assert!(client.open_buffer("").is_err());
    for bytes in [0, (4 << 20) + 1] {
        let (text, error) = self::error(client.set(Key::ROOT, &vec![0; bytes], 1, 1));
        let wanted = format!("db_set_data: {bytes} bytes of values, MIDAS takes 1 to 4194304 at once");
        assert_eq!(text, wanted);
        assert!(!error.is_lost());
    }
    client.message(pactolus::midas::Message::Info, &"ä\0".repeat(2000)).unwrap();
    assert_eq!(client.time().unwrap(), 1000);
    for timeout in [Duration::MAX, Duration::from_secs(86_401)] {
        let (text, _) = self::error(Client::connect(&Login { timeout, ..server.login() }, &Inbox::new()));
        assert!(text.starts_with("timeout: ") && text.ends_with("at most a day"), "{text}");
    }
    for name in ["", "a/b", "a\nb", "a name of twenty-nine letters!"] {
        let mut login = server.login();
        login.name = name.to_owned();
        let (text, error) = self::error(Client::connect(&login, &Inbox::new()));
        assert!(text.starts_with("name of the program: ") && error.is_refusal(), "{text}");
    }
    for (text, wanted) in [
        ("daq:0", "server \"daq:0\": the port is not a number from 1 to 65535"),
        ("::1", "server \"::1\": MIDAS speaks IPv4 only"),
        (":1175", "server \":1175\": wanted host or host:port"),
    ] {
        assert_eq!(text.parse::<Address>().unwrap_err().to_string(), wanted);
    }
    assert_eq!("daq".parse::<Address>().unwrap(), Address::new("daq", 1175));
    assert_eq!("daq:99".parse::<Address>().unwrap().to_string(), "daq:99");
    assert_eq!("1,2,3,4".parse::<Callbacks>().unwrap().to_string(), "1,2,3,4");
    assert_eq!(
        "1,2,2".parse::<Callbacks>().unwrap_err().to_string(),
        "callback ports \"1,2,2\": port 2 is there twice"
    );
    assert!("1,2".parse::<Callbacks>().is_err() && "1,2,x".parse::<Callbacks>().is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn no_thread_stays_behind() {
    let _guard = ALONE.write();
    let ours = || {
        let names = std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.starts_with("midas-")).count()
    };
    for cut in [LOG_IN, LOG_IN - 1, 2, 0] {
        let server = Server::new(Stage::Calls, move |number, frame| match number == cut {
            true => Act::Close(Vec::new()),
            false => Act::Reply(good(frame)),
        });
        let client = server.connect();
        if let Ok(client) = &client {
            let _silent = TcpStream::connect(("127.0.0.1", client.port())).unwrap();
            // A thread gives itself its name.
            let end = Instant::now() + Duration::from_secs(2);
            while ours() < 2 && Instant::now() < end {
                thread::yield_now();
            }
            assert!(ours() >= 2);
        }
        let since = Instant::now();
        drop(client);
        assert!(since.elapsed() < Duration::from_millis(1500), "{:?}", since.elapsed());
        // The kernel wakes who waits for a thread before it takes it off its list.
        let end = Instant::now() + Duration::from_secs(2);
        while ours() > 0 && Instant::now() < end {
            thread::yield_now();
        }
        assert_eq!(ours(), 0);
    }
}

#[test]
fn any_bytes_are_an_answer_or_an_error() {
    let _guard = ALONE.read();
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    // A log-in with transitions, a buffer, a request, and answers that will do.
    let (done, none) = (reply(1, &[]), reply(312, &[0]));
    let log_in = [
        b"44\0".to_vec(),
        reply(1, &[1]),
        reply(1, &[2]),
        none.repeat(2),
        done.repeat(7),
        none,
        done.clone(),
    ];
    let calls = [
        reply(1, &[1]),
        done.clone(),
        reply(209, &[0, 0]),
        reply(1, &[5]),
        reply(1, &[1]),
        reply(1, &[0; 9]),
    ];
    let good = [log_in.concat(), calls.concat(), reply(1, &[8, 0, 8]), reply(1, &[1]).repeat(4)].concat();
    assert!(script::run(b"one\0\0", &good, b"", b"", 7) > 4);
    for _ in 0..3000 {
        let mut calls = good.to_vec();
        for _ in 0..1 + next() % 4 {
            let at = next() % calls.len();
            calls[at] = next() as u8;
        }
        calls.truncate(next() % calls.len() + 1);
        let garbage: Vec<u8> = (0..next() % 64).map(|_| next() as u8).collect();
        let caller = [b"44 2.1 a b\0".to_vec(), garbage.clone()].concat();
        script::run(&garbage, &calls, &garbage, &caller, 1 + next() % 9);
    }
}
