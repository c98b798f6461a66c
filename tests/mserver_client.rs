//! The client of `pactolus::midas` with a server that does what servers do, well and badly.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "mserver/mod.rs"]
mod mserver;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mserver::{Fault, Options, Server, Version, event};
use pactolus::midas::{
    Address, Client, Error, Inbox, Key, Login, Message, Note, Sampling, Sequences, TransitionKind,
};

const TIMEOUT: Duration = Duration::from_millis(400);

fn server() -> Server {
    Server::start(Options::default())
}

fn login(server: &Server) -> Login {
    let address = Address { host: "127.0.0.1".to_owned(), port: server.port() };
    let mut login = Login::new(address, "Analyzer");
    login.timeout = TIMEOUT;
    login
}

fn connect(server: &Server, inbox: &Arc<Inbox>) -> Client {
    Client::connect(&Login { timeout: Duration::from_secs(5), ..login(server) }, inbox).unwrap()
}

fn int_of(client: &mut Client, path: &str) -> i32 {
    let key = client.find(Key::ROOT, path).unwrap().unwrap();
    let info = client.info(key).unwrap();
    i32::from_le_bytes(client.data(key, &info).unwrap().try_into().unwrap())
}

/// Notes until `ask` is true of one.
fn wait_for(inbox: &Inbox, ask: impl Fn(&Note) -> bool) -> Vec<Note> {
    let (begun, mut notes) = (Instant::now(), Vec::new());
    while !notes.iter().any(&ask) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{notes:?}");
        inbox.wait(Duration::from_millis(200));
        notes.extend(inbox.take());
    }
    notes
}

#[test]
fn the_odb_is_read_and_written_in_each_version() {
    for version in [Version::V2014, Version::V2017, Version::V2022] {
        let server = Server::start(Options { version, ..Options::default() });
        let inbox = Inbox::new();
        let mut first = connect(&server, &inbox);
        let mut client = connect(&server, &inbox);
        assert_eq!((first.name(), client.name()), ("Analyzer", "Analyzer1"));
        assert_eq!(client.version(), if version == Version::V2014 { "2.0.0" } else { "2.1" });
        first.message(Message::Info, "I am still here").unwrap();

        // The whole tree, as the server has it.
        let tree = server.tree();
        let (mut seen, mut todo) = (0, vec![(Key::ROOT, String::new())]);
        while let Some((dir, path)) = todo.pop() {
            let keys = client.children(dir).unwrap();
            let infos: Vec<_> = client.infos(&keys).unwrap().into_iter().map(Option::unwrap).collect();
            let wanted: Vec<_> = keys.iter().copied().zip(&infos).collect();
            let datas = client.datas(&wanted).unwrap();
            for ((key, info), data) in keys.iter().zip(&infos).zip(datas) {
                let path = format!("{path}/{}", info.name);
                let found = tree.find_link(&path).unwrap().key;
                assert_eq!(info.kind as u32, found.tid().code(), "{path}");
                if info.is_directory() {
                    todo.push((*key, path));
                } else {
                    let value = found.value().unwrap();
                    assert_eq!(
                        (info.values as usize, info.item_size as usize),
                        (value.len(), value.item_size())
                    );
                    assert_eq!(data.unwrap().len(), value.len() * value.item_size(), "{path}");
                    seen += 1;
                }
            }
        }
        let values = tree.walk("/").unwrap().filter(|(_, key)| key.directory().is_none()).count();
        assert_eq!(seen, values);

        client.create("/New/Array", 7).unwrap();
        let key = client.find(Key::ROOT, "/new/ARRAY").unwrap().unwrap();
        let dir = client.find(Key::ROOT, "/New").unwrap().unwrap();
        client.watch(dir).unwrap();
        client.resize(key, 3).unwrap();
        client.set_element(key, &7i32.to_le_bytes(), 4, 7).unwrap();
        client.set(key, &[1i32, 2, 3].map(i32::to_le_bytes).concat(), 3, 7).unwrap();
        assert_eq!(server.tree().get::<Vec<i32>>("/New/Array").unwrap(), [1, 2, 3]);
        let told = (version != Version::V2014).then_some(key);
        let changed = |note: &Note| matches!(note, Note::Changed { key, .. } if *key == told);
        wait_for(&inbox, changed);
        client.unwatch(dir).unwrap();
        client.create("/New/Text", 12).unwrap();
        let text = client.find(dir, "Text").unwrap().unwrap();
        let info = client.info(text).unwrap();
        assert_eq!((info.values, info.total_size), (1, 0));
        assert_eq!(client.data(text, &info).unwrap(), b"");
        client.set(text, b"four\0\0\0\0five\0\0\0\0", 2, 12).unwrap();
        assert_eq!(server.tree().get::<Vec<String>>("/New/Text").unwrap(), ["four", "five"]);
        client.rename(text, "Texts").unwrap();
        client.reorder(text, 0).unwrap();
        assert_eq!(client.children(dir).unwrap(), [text, key]);
        client.create_link("/New/L", "/New/Array[1]").unwrap();
        let link = client.find_link(Key::ROOT, "/New/L").unwrap().unwrap();
        let info = client.info(link).unwrap();
        assert!(info.is_link());
        assert_eq!(client.data(link, &info).unwrap(), b"/New/Array[1]\0");
        client.set_mode(text, 1).unwrap();
        assert!(matches!(client.set(text, b"x\0", 1, 12), Err(Error::Refused { status: 318, .. })));
        assert!(matches!(client.delete(dir), Err(Error::Refused { status: 318, .. })));
        client.set_mode(text, 7).unwrap();
        client.delete(dir).unwrap();
        assert_eq!(client.find(Key::ROOT, "/New/Array").unwrap(), None);
        assert_eq!(client.infos(&[key, dir]).unwrap(), [None, None]);
        assert!(client.time().unwrap() > 1_700_000_000);
        client.exit().unwrap();
        // The server answers first, and then clears up.
        assert!(server.wait_for_clients(|names| names == ["Analyzer"]));
        drop(first);
        assert!(server.wait_for_clients(|names| names.is_empty()));
        assert_eq!(server.offences(), [""; 0]);
        let said = server.messages();
        assert!(said.iter().any(|text| text.ends_with("I am still here")));
        assert!(!said.iter().any(|text| text.contains("disconnected")), "{said:?}");
    }
}

#[test]
fn events_of_all_sizes_come_whole_and_in_order() {
    for (version, cache) in [(Version::V2017, 0), (Version::V2017, 100_000), (Version::V2022, 100_000)] {
        let server = Server::start(Options { version, ..Options::default() });
        let mut client = connect(&server, &Inbox::new());
        let buffer = client.open_buffer("SYSTEM").unwrap();
        client.cache(buffer, cache).unwrap();
        client.request(buffer, None, None, Sampling::All, 0).unwrap();
        client.set_capacity(1 << 20);
        let size = |serial: u32| match serial % 1000 {
            999 => 300_000 + serial as usize,
            998 => 2 << 20,
            other => other as usize % 100,
        };
        let sent = |serial: u32| event(1 + (serial % 7) as u16, 0, serial, &vec![serial as u8; size(serial)]);
        const ALL: u32 = 5000;
        let (mut bytes, mut truncated, mut events) = (Vec::new(), Vec::new(), 0);
        std::thread::scope(|scope| {
            scope.spawn(|| (0..ALL).for_each(|serial| server.send(&sent(serial))));
            let begun = Instant::now();
            while events + truncated.len() < ALL as usize && begun.elapsed() < Duration::from_secs(20) {
                let received = client.receive(buffer, 300, 1 << 20, &mut bytes).unwrap();
                events += received.events as usize;
                truncated.extend(received.truncated.iter().map(|header| header.serial));
            }
        });
        assert_eq!(truncated, (0..ALL).filter(|serial| serial % 1000 == 998).collect::<Vec<_>>());
        let time_out = |mut event: Vec<u8>| {
            event[8..12].fill(0);
            event
        };
        let mut rest = &bytes[..];
        for serial in (0..ALL).filter(|serial| serial % 1000 != 998) {
            let (one, others) = rest.split_at(16 + size(serial));
            assert_eq!(time_out(one.to_vec()), time_out(sent(serial)), "event {serial}");
            rest = others;
        }
        assert!(rest.is_empty());
        assert_eq!(client.level(buffer).unwrap(), 0);
        client.exit().unwrap();
        assert_eq!(server.offences(), [""; 0]);
    }
}

#[test]
fn an_event_of_many_megabytes_comes_whole() {
    let options = Options { buffer: 100 << 20, max_event: 40 << 20, ..Options::default() };
    let server = Server::start(Options { version: Version::V2022, ..options });
    let mut client = connect(&server, &Inbox::new());
    let buffer = client.open_buffer("SYSTEM").unwrap();
    client.cache(buffer, 100_000).unwrap();
    client.request(buffer, Some(3), None, Sampling::NonBlocking, 0).unwrap();
    client.set_capacity((40 << 20) + 16);
    // Around the end of the ring, too.
    for serial in 0..5u8 {
        let sent = event(3, 0, serial.into(), &vec![serial; 31 << 20]);
        server.send(&event(4, 0, 0, b"nobody's"));
        server.send(&sent);
        server.send(&event(3, 0, 100, b"small"));
        let mut bytes = Vec::new();
        let received = client.receive(buffer, 100, 1 << 30, &mut bytes).unwrap();
        assert_eq!((received.events, received.is_empty, received.truncated.len()), (2, true, 0));
        assert!(bytes[..sent.len()] == sent, "event {serial}");
        assert_eq!(&bytes[sent.len() + 16..], b"small");
    }
}

#[test]
fn there_need_be_no_limit_of_bytes() {
    let server = server();
    let mut client = connect(&server, &Inbox::new());
    let buffer = client.open_buffer("SYSTEM").unwrap();
    client.request(buffer, None, None, Sampling::All, 0).unwrap();
    (0..100).for_each(|serial| server.send(&event(1, 0, serial, b"")));
    let received = client.receive(buffer, usize::MAX, usize::MAX, &mut Vec::new()).unwrap();
    assert_eq!((received.events, received.is_empty), (100, true));
}

#[test]
fn transitions_are_answered_and_told() {
    let server = server();
    let inbox = Inbox::new();
    let mut login = login(&server);
    login.transitions = Some(Sequences::default());
    login.timeout = Duration::from_secs(5);
    let asked = Arc::new(Mutex::new(Vec::new()));
    inbox.on_transition({
        let asked = Arc::clone(&asked);
        move |transition| {
            asked.lock().unwrap().push((transition.kind, transition.run, transition.sequence));
            if transition.run == 13 { Err("not this one".to_owned()) } else { Ok(()) }
        }
    });
    let client = Client::connect(&login, &inbox).unwrap();
    assert_eq!(server.start_run(13), Err("not this one".to_owned()));
    assert_eq!(server.start_run(14), Ok(()));
    assert_eq!(server.pause_run(), Ok(()));
    assert_eq!(server.resume_run(), Ok(()));
    assert_eq!(server.stop_run(), Ok(()));
    use TransitionKind::{Pause, Resume, Start, StartAbort, Stop};
    let wanted = [
        (Start, 13, 300),
        (StartAbort, 13, 300),
        (Start, 14, 300),
        (Pause, 14, 700),
        (Resume, 14, 300),
        (Stop, 14, 700),
    ];
    assert_eq!(*asked.lock().unwrap(), wanted);
    let mut told = inbox.take().into_iter().filter_map(|note| match note {
        Note::Transition(transition) => Some((transition.kind, transition.run, transition.sequence)),
        _ => None,
    });
    assert_eq!(told.next_back(), Some((Stop, 14, 700)));
    // Asked to end, it does so in time.
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| server.stop_program("Analyzer"));
        wait_for(&inbox, |note| *note == Note::StopAsked);
        client.exit().unwrap();
        assert!(stopped.join().unwrap());
    });
    assert_eq!(server.offences(), [""; 0]);
}

#[test]
fn a_silent_client_stays() {
    let server = server();
    server.change(|tree| tree.create("/Programs/Analyzer/Watchdog Timeout", 200).unwrap());
    let inbox = Inbox::new();
    let mut client = connect(&server, &inbox);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(int_of(&mut client, "/Runinfo/State"), 1);
    // Frozen, it is late and says so; then it is lost.
    server.freeze("Analyzer", true);
    let mut client = {
        drop(client);
        server.freeze("Analyzer", false);
        assert!(server.wait_for_clients(|names| names.is_empty()));
        Client::connect(&login(&server), &inbox).unwrap()
    };
    server.freeze("Analyzer", true);
    let begun = Instant::now();
    assert!(matches!(client.time(), Err(Error::Late { .. })));
    assert!(begun.elapsed() < 4 * TIMEOUT);
    assert!(matches!(client.time(), Err(Error::Lost { .. })));
    drop(client);
    // Killed, it is told on NOTIFY too.
    let mut client = Client::connect(&login(&server), &inbox).unwrap();
    let name = client.name().to_owned();
    server.kill(&name);
    wait_for(&inbox, |note| matches!(note, Note::Closed(_)));
    let error = client.time().unwrap_err();
    assert!(error.is_lost() && !error.is_refusal(), "{error}");
}

#[test]
fn a_host_that_may_not_is_told_so() {
    for (fault, wanted) in [
        (Fault::Refuse, "does not let this host in"),
        (Fault::Answer(b"3\0".to_vec()), "full path"),
        (Fault::Answer(b"2\0".to_vec()), "has no experiment"),
        (Fault::Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), "is no mserver"),
        (Fault::Answer(vec![0xff; 100_000]), "is no mserver"),
        (Fault::NoAnswer(3 * TIMEOUT), "no answer within"),
        (Fault::CallBack(0), "has not called back on port"),
        (Fault::CallBack(1), "(notes of the server)"),
        (Fault::CallBack(2), "(events)"),
    ] {
        let server = server();
        let name = format!("{fault:?}");
        server.fault(Fault::Pass);
        server.fault(fault);
        let error = Client::connect(&login(&server), &Inbox::new()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{name:.100}: {error}");
        Client::connect(&login(&server), &Inbox::new()).unwrap();
    }
    // A host that may not is not told of the experiments either.
    let server = server();
    server.fault(Fault::Refuse);
    let error = Client::connect(&login(&server), &Inbox::new()).unwrap_err().to_string();
    assert!(error.contains("does not let this host in"), "{error}");
}

#[test]
fn many_clients_do_not_disturb_each_other() {
    let server = server();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let mut client = connect(&server, &Inbox::new());
                    work(&mut client).unwrap();
                    client.exit().unwrap();
                }
            });
        }
        for state in 0..50 {
            server.change(|tree| tree.set("/Equipment/Trigger/Variables/ADC0[1]", state).unwrap());
            server.send(&event(1, 0, state as u32, &[1; 1000]));
        }
    });
    assert!(server.wait_for_clients(|names| names.is_empty()));
    assert_eq!(server.offences(), [""; 0]);
    assert_eq!(server.tree().directory("/System/Clients").unwrap().len(), 1);
}

/// Some of everything.
fn work(client: &mut Client) -> pactolus::midas::Result<()> {
    let buffer = client.open_buffer("SYSTEM")?;
    client.request(buffer, None, None, Sampling::NonBlocking, 0)?;
    let mut events = Vec::new();
    for _ in 0..10 {
        let key = client.find(Key::ROOT, "/Equipment/Trigger/Variables/ADC0")?;
        if let Some(key) = key {
            let info = client.info(key)?;
            client.data(key, &info)?;
            client.watch(key)?;
            client.set_element(key, &[1, 0], 1, 4)?;
            client.unwatch(key)?;
        }
        let children = client.children(Key::ROOT)?;
        client.infos(&children)?;
        client.receive(buffer, 50, 10_000, &mut events)?;
        client.level(buffer)?;
    }
    Ok(())
}

/// Logs in and works under a fault, until an error that ends it, in time; the next client has none.
fn suffers(server: &Server, fault: Fault) -> Option<Error> {
    let name = format!("{fault:?}");
    server.fault(Fault::Pass);
    server.fault(fault);
    let mut patient = login(server);
    patient.timeout = Duration::from_millis(150);
    let begun = Instant::now();
    let inbox = Inbox::new();
    (0..40).for_each(|serial| server.send(&event(1, 0, serial, &[3; 77])));
    let error = match Client::connect(&patient, &inbox) {
        Err(error) => error,
        Ok(mut client) => {
            let found = loop {
                match work(&mut client) {
                    Err(error) if client.is_lost() => break Some(error),
                    // Garbage may be a refusal like any other.
                    Err(_) if begun.elapsed() < Duration::from_secs(1) => {}
                    _ => break None,
                }
            };
            found?
        }
    };
    assert!(begun.elapsed() < Duration::from_secs(3), "{name}: {:?} until {error}", begun.elapsed());
    assert!(!error.to_string().is_empty());
    Some(error)
}

#[test]
fn a_server_that_closes_at_any_byte_is_left() {
    let server = server();
    for after in 1..1500 {
        let error = suffers(&server, Fault::CloseAfter(after)).unwrap();
        assert!(error.is_lost() && !error.is_refusal(), "{after}: {error}");
    }
    assert!(connect(&server, &Inbox::new()).time().is_ok());
}

#[test]
fn a_server_that_hangs_or_is_slow_is_left() {
    let server = server();
    for after in (0..1500).step_by(131) {
        let error = suffers(&server, Fault::HangAfter(after)).unwrap();
        assert!(matches!(error, Error::Late { .. } | Error::NoCallback { .. }), "{after}: {error}");
    }
    for after in (0..1500).step_by(173) {
        let error = suffers(&server, Fault::SlowAfter(after, Duration::from_millis(60))).unwrap();
        assert!(matches!(error, Error::Late { .. }), "{after}: {error}");
    }
}

#[test]
fn wrong_sizes_and_garbage_are_seen() {
    let mut faults = Vec::new();
    for nth in 0..60 {
        let sizes = [1, 4, 7, 9, 1 << 12, 1 << 16, i32::MAX as u32, u32::MAX];
        faults.extend(sizes.map(|claims| Fault::Size { nth, claims }));
        let others = [vec![0; 8], vec![0xff; 8], vec![0; 64], b"EXIT\0".to_vec(), vec![0xff; 1000]];
        faults.extend(others.map(|bytes| Fault::Reply { nth, bytes }));
    }
    faults.extend((0..1500).step_by(17).map(Fault::GarbageAfter));
    // Most of the time is waiting.
    let each = faults.len().div_ceil(24);
    std::thread::scope(|scope| {
        for some in faults.chunks(each) {
            scope.spawn(move || {
                let server = server();
                for fault in some {
                    suffers(&server, fault.clone());
                }
                // A log-in that was given up too early has left its fault to the next.
                let login = Login { timeout: Duration::from_secs(5), ..login(&server) };
                let is_well =
                    |_| Client::connect(&login, &Inbox::new()).is_ok_and(|mut it| it.time().is_ok());
                assert!((0..=some.len()).any(is_well));
            });
        }
    });
}

#[test]
fn rubbish_on_the_notify_socket_harms_nobody() {
    for bytes in [
        vec![0; 8],
        vec![0xff; 8],
        vec![2, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3],
        [[2, 0, 0, 0], [0xff; 4]].concat(),
        [[2, 0, 0, 0], [0, 0, 0, 1]].concat(),
        vec![0x55; 100_000],
        [6, 0, 0, 0, 0, 0, 0, 0].repeat(5000),
        [&[2, 0, 0, 0, 16, 0, 0, 0][..], &[1; 16]].concat().repeat(100_000),
    ] {
        let server = server();
        let inbox = Inbox::new();
        let mut client = connect(&server, &inbox);
        server.notify_raw("Analyzer", &bytes);
        std::thread::sleep(Duration::from_millis(100));
        // Calls go on, or the connection is given up; nothing hangs or grows.
        match client.time() {
            Ok(_) => client.exit().unwrap(),
            Err(error) => assert!(error.is_lost(), "{error}"),
        }
        assert!(inbox.take().len() < 3000);
    }
}
