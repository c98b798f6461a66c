//! The test server by itself, with bytes of recorded exchanges.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "mserver/mod.rs"]
mod mserver;
#[path = "mserver/raw.rs"]
mod raw;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use mserver::{Fault, Options, Server, Socket, Version, event};
use raw::*;

fn server(version: Version) -> Server {
    Server::start(Options { version, ..Options::default() })
}

/// `>>>` and `<<<` of a recorded exchange; only bytes that mean something are compared.
#[test]
fn recorded_bytes_are_answered_as_they_were() {
    let server = server(Version::V2017);
    assert_eq!(control(server.port(), "I\0").1, b"lab\0\0");
    assert_eq!(control(server.port(), "C 1 2 3 2.1 nosuch\0").1, b"2\0");
    let mut raw = Raw::connect(&server, "PyAna");

    let find = hex(
        "c7 2b 00 00 28 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 2f 52 75 6e 69 6e 66 6f \
         2f 52 75 6e 20 6e 75 6d 62 65 72 00 00 00 00 00",
    );
    raw.rpc.write_all(&find).unwrap();
    let found = raw.bytes(16);
    assert_eq!(found[..8], hex("01 00 00 00 08 00 00 00"));
    let key = &found[8..12];

    // db_get_data as INT, as FLOAT, and with too little room.
    for (size, kind, status, len, value) in
        [(4, 7, 1, 4, &[1, 0, 0, 0][..]), (4, 9, 0x3b, 4, &[]), (2, 7, 0x3a, 2, &[1, 0])]
    {
        let mut get = hex("cd 2b 00 00 20 00 00 00 01 00 00 00 00 00 00 00");
        get.extend([key, &[0; 4], &int(size), &int(kind)].concat());
        raw.rpc.write_all(&get).unwrap();
        let got = raw.bytes(32);
        assert_eq!(got[0], status);
        assert_eq!(got[4..12], [24, 0, 0, 0, len, 0, 0, 0]);
        assert_eq!(&got[16..16 + value.len()], value);
        assert_eq!(got[24], len);
    }

    raw.rpc
        .write_all(&hex("c7 2b 00 00 20 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"))
        .unwrap();
    raw.rpc.write_all(b"/No/Such\0\0\0\0\0\0\0\0").unwrap();
    assert_eq!(raw.bytes(16)[..12], hex("38 01 00 00 08 00 00 00 00 00 00 00"));

    // The self-test of the codec.
    let test = "98 3a 00 00 28 00 00 00 03 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00 \
                00 00 c0 3f 00 00 00 00 00 00 00 00 00 00 04 40";
    raw.rpc.write_all(&hex(test)).unwrap();
    let doubled = raw.bytes(48);
    assert_eq!((doubled[8], doubled[16], doubled[24]), (6, 8, 10));
    assert_eq!(doubled[32..36], hex("00 00 40 40"));
    assert_eq!(doubled[40..48], hex("00 00 00 00 00 00 14 40"));

    raw.rpc.write_all(&hex("9f 86 01 00 00 00 00 00")).unwrap();
    assert_eq!(raw.bytes(8), hex("01 00 00 00 00 00 00 00"));
    assert!(server.wait_for_clients(|names| names.is_empty()));
    assert_eq!(server.offences(), [""; 0]);
}

#[test]
fn an_event_comes_as_it_came() {
    let server = server(Version::V2017);
    let mut raw = Raw::connect(&server, "PyEv");
    let handle = raw.open("SYSTEM", 2, 100_000);
    let receive = hex(
        "67 2b 00 00 18 00 00 00 01 00 00 00 00 00 00 00 00 00 10 00 00 00 00 00 01 00 00 00 00 00 00 00",
    );
    raw.rpc.write_all(&receive).unwrap();
    let nothing = raw.bytes(24);
    assert_eq!(nothing[..12], hex("d1 00 00 00 10 00 00 00 00 00 00 00"));
    assert_eq!(nothing[16..20], [0; 4]);

    let banks = "20 00 00 00 01 00 00 00 41 44 43 30 04 00 08 00 29 03 cd 00 ba 00 ab 03 54 44 43 30 04 00 08 00 \
                 f2 01 fb 02 e3 01 46 01";
    let sent = event(1, 0, 1, &hex(banks));
    server.send(&sent);
    raw.rpc.write_all(&receive).unwrap();
    let got = raw.bytes(80);
    assert_eq!(got[..12], hex("01 00 00 00 48 00 00 00 38 00 00 00"));
    assert_eq!(got[16..72], sent);
    assert_eq!(got[72..76], hex("38 00 00 00"));

    // Cut, and gone.
    server.send(&sent);
    let (status, reply) = raw.receive(handle, 24, 1);
    assert_eq!((status, reply.len(), &reply[8..32], first(&reply[32..])), (210, 40, &sent[..24], 24));
    assert_eq!(raw.receive(handle, 24, 1).0, 209);
    let (status, reply) = raw.receive(99, 100, 1);
    assert_eq!((status, reply.len(), first(&reply)), (205, 120, 100));

    // Past a cache, the size is a multiple of 8 before 2022.
    for (version, size) in [(Version::V2017, 24), (Version::V2022, 21)] {
        let server = self::server(version);
        let mut raw = Raw::connect(&server, "PyEv");
        let handle = raw.open("SYSTEM", 2, 0);
        server.send(&event(9, 1, 42, b"hello"));
        let (status, reply) = raw.receive(handle, 65_536, 1);
        assert_eq!((status, first(&reply), first(&reply[32..])), (1, size, size), "{version:?}");
    }
}

#[test]
fn those_who_watch_are_told_as_in_their_version() {
    for version in [Version::V2014, Version::V2017] {
        let server = server(version);
        let mut raw = Raw::connect(&server, "PyTr");
        let watched = raw.watch("/Runinfo");
        let (_, changed) = raw.find(0, "/Runinfo/State");
        server.change(|tree| tree.set("/Runinfo/State", 3).unwrap());
        let mut note =
            [2, if version == Version::V2014 { 8 } else { 16 }].map(|int: i32| int.to_le_bytes()).concat();
        note.extend([1, watched].map(i32::to_le_bytes).concat());
        if version == Version::V2017 {
            note.extend([changed, -1].map(i32::to_le_bytes).concat());
        }
        assert_eq!(raw.note(), note);
        assert_eq!(server.watched("PyTr"), ["/Runinfo"]);
    }
    // An element by its index, also when the writer watches, and while it waits for an event.
    let server = server(Version::V2017);
    let mut raw = Raw::connect(&server, "PyTr");
    let handle = raw.open("SYSTEM", 2, 0);
    let key = raw.watch("/Equipment/Trigger/Variables/ADC0");
    let set = [int(1), int(key), block(&[7, 0]), int(2), int(3), int(4)];
    assert_eq!(raw.status(11_215, &set), 1);
    assert_eq!(raw.note()[16..], [key, 3].map(i32::to_le_bytes).concat());
    assert_eq!(server.tree().get::<Vec<u16>>("/Equipment/Trigger/Variables/ADC0").unwrap(), [0, 0, 0, 7]);
    raw.say(11_111, &[int(handle), int(1000), int(0)]);
    server.change(|tree| tree.set("/Equipment/Trigger/Variables/ADC0", vec![1u16, 2, 3, 4]).unwrap());
    assert_eq!(raw.note()[16..], [key, -1].map(i32::to_le_bytes).concat());
    server.send(&event(1, 0, 1, b"x"));
    assert_eq!(raw.reply().0, 1);
}

#[test]
fn keys_are_made_set_and_deleted_by_the_rules() {
    let server = server(Version::V2017);
    let mut raw = Raw::connect(&server, "PyFast");
    let set =
        |path: &str, value: i32| [int(1), int(0), text(path), block(&int(value)), int(4), int(1), int(7)];
    assert_eq!(raw.status(11_205, &set("/PyFast/Test", 5)), 1);
    assert_eq!(server.tree().get::<i32>("/PyFast/Test").unwrap(), 5);
    // A string that is only created has no room; it gets it when it is written.
    let (_, dir) = raw.find(0, "/PyFast");
    assert_eq!(raw.status(11_203, &[int(1), int(dir), text("Str"), int(12)]), 1);
    assert_eq!(raw.status(11_203, &[int(1), int(dir), text("Str"), int(12)]), 311);
    assert_eq!(raw.status(11_203, &[int(1), int(dir), text("I64"), int(17)]), 309);
    let (_, key) = raw.find(dir, "Str");
    let (_, described) = raw.call(11_212, &[int(1), int(key)]);
    assert_eq!([0, 4, 44, 48].map(|at| first(&described[at..])), [12, 1, 0, 0]);
    let set = [int(1), int(key), block(b"hello\0\0\0"), int(8), int(1), int(12)];
    assert_eq!(raw.status(11_214, &set), 1);
    assert_eq!(first(&raw.call(11_212, &[int(1), int(key)]).1[48..]), 8);
    // Names that end in a bracket are found by number only.
    assert_eq!(raw.status(11_203, &[int(1), int(dir), text("Rate [Hz]"), int(9)]), 1);
    assert_eq!(raw.find(0, "/PyFast/Rate [Hz]").0, 312);
    let (status, reply) = raw.call(11_211, &[int(1), int(dir), int(2)]);
    assert_eq!((status, raw.path(first(&reply)).as_str()), (1, "/PyFast/Rate [Hz]"));
    assert_eq!(raw.call(11_211, &[int(1), int(dir), int(3)]).0, 316);
    // Links: the target is found, but that of a link to an element is the link.
    for (name, target) in
        [("L", "/Runinfo/State"), ("E", "/Equipment/Trigger/Variables/ADC0[2]"), ("Gone", "/X")]
    {
        assert_eq!(raw.status(11_204, &[int(1), int(dir), text(name), text(target)]), 1);
    }
    let (_, state) = raw.find(0, "/PyFast/L");
    assert_eq!(raw.path(state), "/Runinfo/State");
    assert_eq!(raw.find(0, "/PyFast/Gone"), (322, 0));
    server.change(|tree| tree.set("/Equipment/Trigger/Variables/ADC0[2]", 9).unwrap());
    let (_, link) = raw.find(0, "/PyFast/E");
    assert_eq!(raw.path(link), "/PyFast/E");
    let (status, reply) = raw.call(11_213, &[int(1), int(link), int(8), int(4)]);
    assert_eq!((status, first(&reply), reply[8]), (1, 2, 9));
    let (status, reply) = raw.call(11_243, &[int(1), int(link), int(100), int(16)]);
    assert_eq!((status, first(&reply)), (1, 37));
    // A handle outlives a new name.
    assert_eq!(raw.status(11_227, &[int(1), int(dir), text("Py")]), 1);
    assert_eq!(raw.path(link), "/Py/E");
    // Nothing below what is watched can be deleted, by nobody.
    let mut other = Raw::connect(&server, "PyFast");
    let watched = other.watch("/Py");
    assert_eq!(raw.status(11_210, &[int(1), int(key), int(0)]), 320);
    assert_eq!(other.status(11_223, &[int(1), int(watched), int(0)]), 1);
    assert_eq!(raw.status(11_210, &[int(1), int(key), int(0)]), 1);
    assert_eq!(raw.status(11_212, &[int(1), int(key)]), 305);
    // The directory of a client is protected; the second of a name has a number.
    let (status, port) = other.find(other.own, "Server Port");
    assert_eq!(status, 1);
    let set = [int(1), int(port), block(&int(7)), int(4), int(1), int(7)];
    assert_eq!(other.status(11_214, &set), 318);
    assert_eq!(server.clients(), ["PyFast", "PyFast1"]);
    server.kill("PyFast");
    assert_eq!(server.clients(), ["PyFast1"]);
    assert_eq!(raw.rpc.read(&mut [0; 8]).unwrap(), 0);
    let clients = server.tree();
    assert_eq!(clients.directory("/System/Clients").unwrap().len(), 2);
}

#[test]
fn a_full_buffer_waits_or_loses_the_oldest() {
    let options = Options { buffer: 1 << 18, ..Options::default() };
    let server = Server::start(options);
    let sent = |serial| event(7, 1, serial, &[0; 1000]);
    let mut all = Raw::connect(&server, "All");
    let all_buffer = all.open("SYSTEM", 1, 0);
    let accepted = (0..1000).take_while(|&serial| server.try_send(&sent(serial))).count();
    assert_eq!(accepted, 257);
    for _ in 0..10 {
        assert_eq!(all.receive(all_buffer, 2000, 1).0, 1);
    }
    assert_eq!((257..1000).take_while(|&serial| server.try_send(&sent(serial))).count(), 10);
    // Whoever waits goes on as soon as somebody reads.
    std::thread::scope(|scope| {
        scope.spawn(|| (267..1256).for_each(|serial| server.send(&sent(serial))));
        let mut serials = Vec::new();
        while serials.len() < 1246 {
            serials.extend(all.serials(all_buffer));
        }
        assert_eq!(serials, (10..1256).collect::<Vec<_>>());
    });
    drop(all);
    assert!(server.wait_for_clients(|names| names.is_empty()));

    let mut some = Raw::connect(&server, "Some");
    let buffer = some.open("SYSTEM", 2, 0);
    (0..1266).for_each(|serial| server.send(&sent(serial)));
    let (status, level) = some.call(11_104, &[int(buffer)]);
    assert_eq!((status, first(&level)), (1, 257 * 1016));
    assert_eq!(some.serials(buffer), (1009..1266).collect::<Vec<_>>());
    // Requests by id and mask; a mask of 0 is only in what asks for all.
    assert_eq!(some.status(11_108, &[int(buffer), int(0)]), 1);
    assert_eq!(some.status(11_108, &[int(buffer), int(0)]), 208);
    for (id, mask) in [(5, -1), (7, 4)] {
        assert_eq!(some.status(11_107, &[int(buffer), int(id), int(mask), int(2), int(0), int(id)]), 1);
    }
    for (serial, (id, mask)) in [(5, 1), (6, 1), (7, 1), (7, 4), (7, 6), (7, 0)].into_iter().enumerate() {
        server.send(&event(id, mask, serial as u32, b""));
    }
    assert_eq!(some.serials(buffer), [0, 3, 4]);
    // No cache together with the most recent only.
    assert_eq!(some.status(11_106, &[int(buffer), int(100_000), int(0)]), 1);
    assert_eq!(some.status(11_107, &[int(buffer), int(-1), int(-1), int(4), int(0), int(9)]), 215);
}

#[test]
fn waiting_differs_with_the_version() {
    for version in [Version::V2017, Version::V2022] {
        let server = server(version);
        let mut raw = Raw::connect(&server, "PyTo");
        let handle = raw.open("TESTD", 2, 0);
        let begun = Instant::now();
        raw.say(11_111, &[int(handle), int(10_000), int(150)]);
        if version == Version::V2017 {
            raw.rpc.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
            assert!(raw.rpc.read(&mut [0]).is_err());
            server.send_to("TESTD", &event(1, 0, 0, b""));
            assert_eq!(raw.reply().0, 1);
        } else {
            assert_eq!(raw.reply().0, 209);
            assert!(begun.elapsed() >= Duration::from_millis(150));
        }
        assert_eq!(server.offences(), ["PyTo received with wait 150"]);
    }
}

#[test]
fn events_come_in_by_the_third_socket() {
    let server = server(Version::V2017);
    let mut reader = Raw::connect(&server, "Reader");
    let handle = reader.open("TESTC", 1, 0);
    let mut producer = Raw::connect(&server, "PySnd");
    producer.open("TESTC", 2, 0);
    let record = hex("01 00 00 00 09 00 01 00 2a 00 00 00 c2 f5 00 6b 05 00 00 00 68 65 6c 6c 6f 00 00 00");
    producer.events.write_all(&[&record[..], &record[..]].concat()).unwrap();
    for _ in 0..2 {
        let (status, reply) = reader.receive(handle, 65_536, 0);
        assert_eq!((status, first(&reply), &reply[8..29]), (1, 24, &record[4..25]));
    }
    assert_eq!(reader.receive(handle, 65_536, 1).0, 209);
}

#[test]
fn silence_is_asked_about_and_then_punished() {
    let server = server(Version::V2017);
    let mut raw = Raw::connect(&server, "PyWd");
    // Unknown routines are not answered, nor those who want no answer.
    raw.say(12_255, &[]);
    raw.say(11_008 | 0x8000_0000, &[]);
    assert_eq!(raw.status(11_001, &[int(1), int(300)]), 1);
    assert_eq!(raw.note(), hex("06 00 00 00 00 00 00 00"));
    raw.notify.write_all(&hex("01 00 00 00 00 00 00 00")).unwrap();
    assert_eq!(raw.note(), hex("06 00 00 00 00 00 00 00"));
    assert_eq!(raw.bytes(5), b"EXIT\0");
    assert_eq!(raw.rpc.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.offences(), ["call of PyWd to routine 12255, which there is not"]);
}

/// Registers transitions and answers them on a thread, each with what `answer` gives.
fn listen(
    raw: &mut Raw,
    sequences: &[(&str, i32)],
    answers: &[(i32, &str)],
) -> std::thread::JoinHandle<Vec<Vec<u8>>> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (own, (_, port)) = (raw.own, raw.find(raw.own, "Server Port"));
    let number = i32::from(listener.local_addr().unwrap().port());
    assert_eq!(raw.status(11_216, &[int(1), int(port), int(3), int(1)]), 1);
    assert_eq!(raw.status(11_214, &[int(1), int(port), block(&int(number)), int(4), int(1), int(7)]), 1);
    assert_eq!(raw.status(11_216, &[int(1), int(port), int(1), int(1)]), 1);
    assert_eq!(raw.status(11_216, &[int(1), int(own), int(7), int(1)]), 1);
    for (name, sequence) in sequences {
        let name = text(&format!("Transition {name}"));
        let set = [int(1), int(own), name, block(&int(*sequence)), int(4), int(1), int(7)];
        assert_eq!(raw.status(11_205, &set), 1);
    }
    assert_eq!(raw.status(11_216, &[int(1), int(own), int(1), int(1)]), 1);
    let answers: Vec<(i32, String)> =
        answers.iter().map(|(status, text)| (*status, (*text).to_owned())).collect();
    std::thread::spawn(move || {
        let answer = |(status, why): &(i32, String)| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [1];
            while byte != [0] {
                stream.read_exact(&mut byte).unwrap();
            }
            stream.write_all(b"44 2.1\0").unwrap();
            let mut call = vec![0; 40];
            stream.read_exact(&mut call).unwrap();
            let text = text(why);
            let header = [status.to_le_bytes(), (text.len() as i32).to_le_bytes()].concat();
            stream.write_all(&[header, text].concat()).unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, hex("9f 86 01 80 00 00 00 00"));
            call
        };
        answers.iter().map(answer).collect()
    })
}

#[test]
fn runs_begin_and_end_in_the_order_of_sequence_numbers() {
    let server = server(Version::V2017);
    let mut late = Raw::connect(&server, "Late");
    let late_calls =
        listen(&mut late, &[("START", 500), ("STOP", 200)], &[(2, "PyTr says no"), (1, ""), (1, "")]);
    let mut early = Raw::connect(&server, "Early");
    let early_calls = listen(&mut early, &[("START", 300), ("STOP", 700)], &[(1, ""); 3]);
    late.watch("/Runinfo");
    assert_eq!(server.start_run(3), Err("PyTr says no".to_owned()));
    let tree = server.tree();
    assert_eq!((tree.get("/Runinfo/State"), tree.get("/Runinfo/Run number")), (Ok(1), Ok(1)));
    assert_eq!(server.start_run(3), Ok(()));
    let tree = server.tree();
    assert_eq!((tree.get("/Runinfo/State"), tree.get("/Runinfo/Run number")), (Ok(3), Ok(3)));
    assert_eq!(tree.get("/Runinfo/Transition in progress"), Ok(0));
    assert!(server.start_run(4).is_err());
    assert_eq!(server.stop_run(), Ok(()));
    let (late_calls, early_calls) = (late_calls.join().unwrap(), early_calls.join().unwrap());
    let fields = |call: &Vec<u8>| [0, 4, 8, 16, 24, 32].map(|at| first(&call[at..]));
    assert_eq!(
        late_calls.iter().map(fields).collect::<Vec<_>>(),
        [[12_000, 32, 1, 3, 256, 500], [12_000, 32, 1, 3, 256, 500], [12_000, 32, 2, 3, 256, 200],]
    );
    assert_eq!(fields(&early_calls[2]), [12_000, 32, 2, 3, 256, 700]);
    // One that is registered and does not answer is killed, and the run goes on to its end.
    let mut dead = Raw::connect(&server, "Dead");
    drop(early);
    drop(late);
    assert!(server.wait_for_clients(|names| names == ["Dead"]));
    let gone = listen(&mut dead, &[("STOP", 500)], &[]);
    gone.join().unwrap();
    assert_eq!(server.start_run(4), Ok(()));
    assert_eq!(server.stop_run(), Ok(()));
    assert_eq!(server.clients(), [""; 0]);
    assert_eq!(server.tree().get("/Runinfo/State"), Ok(1));
}

#[test]
fn faults_happen_where_they_should() {
    let server = server(Version::V2017);
    server.fault(Fault::Refuse);
    server.fault(Fault::Answer(b"3\0".to_vec()));
    server.fault(Fault::CloseAfter(7));
    server.fault(Fault::HangAfter(7));
    server.fault(Fault::SlowAfter(3, Duration::from_millis(30)));
    server.fault(Fault::Size { nth: 0, claims: 1 << 30 });
    server.fault(Fault::Silent(11_008));
    server.fault(Fault::GarbageAfter(3));
    assert_eq!(control(server.port(), "I\0").1, b"");
    assert_eq!(control(server.port(), "C 1 2 3 2.1 lab\0").1, b"3\0");
    // What comes of cm_time, and how long it takes.
    let answered = || {
        let mut raw = Raw::try_connect(&server, "lab").unwrap();
        raw.rpc.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
        raw.hello("X");
        raw.say(11_008, &[]);
        let (mut bytes, mut some, begun) = (Vec::new(), [0; 100], Instant::now());
        while bytes.len() < 16 {
            match raw.rpc.read(&mut some) {
                Ok(0) => return (bytes, "closed", begun.elapsed()),
                Ok(read) => bytes.extend(&some[..read]),
                Err(_) => return (bytes, "silent", begun.elapsed()),
            }
        }
        (bytes, "whole", begun.elapsed())
    };
    let (bytes, end, _) = answered();
    assert_eq!((bytes, end), (vec![1, 0, 0, 0], "closed"));
    let (bytes, end, _) = answered();
    assert_eq!((bytes, end), (vec![1, 0, 0, 0], "silent"));
    let (bytes, end, took) = answered();
    assert_eq!((&bytes[..8], end), (&[1, 0, 0, 0, 8, 0, 0, 0][..], "whole"));
    assert!(took >= Duration::from_millis(16 * 30));
    assert_eq!(answered().0[..8], [1, 0, 0, 0, 0, 0, 0, 64]);
    let (bytes, end, _) = answered();
    assert_eq!((bytes.len(), end), (0, "silent"));
    let (bytes, end, _) = answered();
    assert_eq!(end, "whole");
    assert_ne!(bytes[..8], [1, 0, 0, 0, 8, 0, 0, 0]);
    let (bytes, end, _) = answered();
    assert_eq!((&bytes[..8], end), (&[1, 0, 0, 0, 8, 0, 0, 0][..], "whole"));

    let mut raw = Raw::connect(&server, "Frozen");
    server.freeze("Frozen", true);
    raw.rpc.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    raw.say(11_008, &[]);
    assert!(raw.rpc.read(&mut [0]).is_err());
    server.freeze("Frozen", false);
    raw.rpc.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(raw.reply().0, 1);
    server.notify_raw("Frozen", &[9; 8]);
    let mut note = [0; 8];
    raw.notify.read_exact(&mut note).unwrap();
    assert_eq!(note, [9; 8]);
    server.close("Frozen", Socket::Notify);
    assert_eq!(raw.notify.read(&mut note).unwrap(), 0);
    assert_eq!(raw.status(11_008, &[]), 1);
}

#[test]
fn a_password_is_asked_for_as_its_hash() {
    let server = Server::start(Options { password: Some("geheim".to_owned()), ..Options::default() });
    let stored = server.tree().get::<String>("/Experiment/Security/Password").unwrap();
    assert_eq!((stored.len(), &stored[..2]), (13, "mi"));
    let mut raw = Raw::try_connect(&server, "lab").unwrap();
    raw.hello("X");
    let mut who = |password: &str| {
        raw.status(11_000, &[int(1), text("localhost"), text("X"), int(44), text(password), int(0)])
    };
    assert_eq!((who(""), who("geheim"), who(&stored)), (108, 108, 1));
}
