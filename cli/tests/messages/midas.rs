//! What a server of MIDAS, and those who are none, bring about.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use crate::mserver::{Fault, Options, Server};
use crate::{Place, Provokers, Ran, provoke};

/// The program on a server.
fn on(place: &Place, server: &Server, line: &str) -> Ran {
    place.run(&format!("midas 127.0.0.1:{} {line}", server.port()))
}

fn plain() -> Server {
    Server::start(Options::default())
}

/// The program on a server with a fault, behind `sound` connections without.
fn faulty(place: &Place, fault: Fault) -> Ran {
    let server = plain();
    server.fault(fault);
    on(place, &server, "--timeout 1 lab get /Runinfo/State")
}

/// The program on something that answers the list of experiments, and then so. Who hangs up, answers nothing.
fn answering(place: &Place, list: &'static [u8], connect: &'static [u8]) -> Ran {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut text = [0; 256];
            let read = stream.read(&mut text).unwrap_or(0);
            let is_list = text[..read].starts_with(b"I");
            let _ = stream.write_all(if is_list { list } else { connect });
            if !is_list && !connect.is_empty() {
                // The answer is there; who waits for more, waits.
                std::thread::sleep(Duration::from_millis(800));
            }
        }
    });
    place.run(&format!("midas 127.0.0.1:{port} --timeout 0.5 lab get /Runinfo/State"))
}

/// The program watches, and then this happens.
fn watching(place: &Place, then: fn(&Server)) -> Ran {
    let server = plain();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            server.wait_for_clients(|clients| clients.contains(&"pactolus".to_owned()));
            std::thread::sleep(Duration::from_millis(300));
            then(&server);
        });
        on(place, &server, "watch")
    })
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "no mserver at ...:...: ...; is it running, is this its port, and may it be reached from other hosts? (without ODB \"/Experiment/Security/Enable non-localhost RPC\" it listens to its own host only)" => |p| {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            p.run(&format!("midas 127.0.0.1:{port} status"))
        };
        "the server at ...:... does not let this host in: name it in ODB \"/Experiment/Security/RPC hosts/Allowed hosts\", or set \"Disable RPC hosts check\" there" => |p| answering(p, b"lab\0\0", b"");
        "the server at ...:... has no experiment \"...\"; it has ..." => |p| on(p, &plain(), "other status");
        "the server at ...:... has no experiment \"...\"; it names none" => |p| answering(p, b"\0", b"2\0");
        "the server at ... has no experiment" => |p| {
            let server = Server::start(Options { experiments: Vec::new(), ..Options::default() });
            on(p, &server, "status")
        };
        "the server at ... has several experiments, name one: ..." => |p| {
            let server = Server::start(Options { experiments: vec!["a".into(), "b".into()], ..Options::default() });
            on(p, &server, "status")
        };
        "the server at ...:... cannot start a process for us: mserver must be started with its full path, or be in /usr/local/bin" => |p| answering(p, b"lab\0\0", b"3\0");
        "what listens at ...:... is no mserver: ..." => |p| answering(p, b"lab\0\0", b"HTTP/1.1 400 Bad Request\r\n\r\n\0");
        "port ... for what the server connects to: ..." => |p| {
            let taken = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = taken.local_addr().unwrap().port();
            on(p, &plain(), &format!("status --callback-ports {port},40001,40002"))
        };
        "the server has not called back on port ... (...) within ... s...: a firewall or a network between? Choose fixed ports with --callback-ports ... and open these, or take a tunnel: ssh -L ...:localhost:......" => |p| answering(p, b"lab\0\0", b"1 2.1\0");
        "the experiment wants a password" => |p| {
            on(p, &Server::start(Options { password: Some("secret".into()), ..Options::default() }), "status")
        };
        "the experiment does not take this password" => |p| {
            let server = Server::start(Options { password: Some("secret".into()), ..Options::default() });
            on(p.put("word", "guessed"), &server, "status --password-file @word")
        };
        "...: no answer within ... s, ... bytes came..." => |p| faulty(p, Fault::HangAfter(200));
        "...: the server has closed the connection, ... bytes of the answer had come..." => |p| faulty(p, Fault::CloseAfter(1000));
        "...: answer of the server, byte ...: wanted ..., found ..." => |p| faulty(p, Fault::Size { nth: 5, claims: 3 });
        "the connection to the experiment is lost: ..." => |p| watching(p, |server| server.kill("pactolus"));
        "the connection to the experiment is lost: somebody has asked this program to end" => |p| {
            watching(p, |server| {
                server.stop_program("pactolus");
            })
        };
        "invalid value '...' for '<HOST[:PORT]>': server \"...\": the port is not a number from 1 to 65535" => |p| p.run("midas daq:x status");
        "invalid value '...' for '<HOST[:PORT]>': server \"...\": wanted host or host:port" => |p| p.run("midas /daq status");
        "invalid value '...' for '<HOST[:PORT]>': server \"...\": MIDAS speaks IPv4 only" => |p| p.run("midas ::1 status");
        "invalid value '...' for '--callback-ports <A,B,C[,D]>': callback ports \"...\": a port is a number from 1 to 65535" => |p| p.run("midas daq status --callback-ports 1,2,x");
        "invalid value '...' for '--callback-ports <A,B,C[,D]>': callback ports \"...\": port ... is there twice" => |p| p.run("midas daq status --callback-ports 1,2,2");
        "invalid value '...' for '--callback-ports <A,B,C[,D]>': callback ports \"...\": wanted three ports, or four: calls, notes, events, and where programs call us" => |p| p.run("midas daq status --callback-ports 1,2");
    }
}
