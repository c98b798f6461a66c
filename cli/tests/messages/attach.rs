//! What is said while `analyze` is attached to an experiment.

use std::time::{Duration, Instant};

use pactolus::midas::{Client, Inbox, Login};
use pactolus::odb::Odb;

use crate::common::MidFile;
use crate::mserver::{Fault, Options, Server};
use crate::{Place, Provokers, Ran, provoke};

fn plain() -> Server {
    Server::start(Options::default())
}

/// Waits until the program has asked for events so many times more.
fn looks(server: &Server, more: u64) {
    let looks = || server.calls().get(&11_111).copied().unwrap_or(0);
    let (before, begun) = (looks(), Instant::now());
    while looks() < before + more {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody asks for events");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn send(server: &Server, serial: u32, words: usize) {
    server.send(&MidFile::new().words(1, serial, "ADC0", &vec![7; words]).bytes);
    looks(server, 10);
}

/// `analyze` on an experiment in which this happens; a server that comes back goes on until it has ended.
fn attached(
    place: &Place,
    line: &str,
    server: Server,
    happens: impl FnOnce(Server) -> Option<Server> + Send,
) -> Ran {
    let port = server.port();
    std::thread::scope(|scope| {
        let happening = scope.spawn(|| {
            looks(&server, 5);
            happens(server)
        });
        let ran = place.run(&format!("analyze midas://127.0.0.1:{port}/lab {line}"));
        drop(happening.join().unwrap());
        ran
    })
}

/// Run 1, in whose midst this happens.
fn run(place: &Place, server: Server, happens: impl FnOnce(&Server) + Send) -> Ran {
    attached(place, "-r 1 1", server, |server| {
        server.start_run(1).unwrap();
        send(&server, 0, 4);
        happens(&server);
        send(&server, 9, 4);
        server.stop_run().unwrap();
        Some(server)
    })
}

/// The connection is lost, and made again.
fn lost(place: &Place) -> Ran {
    run(place, plain(), |server| {
        server.kill("Analyzer");
        looks(server, 10);
    })
}

/// A job that is refused before it begins.
fn refused(place: &Place, line: &str) -> Ran {
    place.run(&format!("analyze midas://127.0.0.1:1/lab {line}"))
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "...: server \"...\": ...; midas://host[:port][/experiment] wanted, as midas://daq/lxe" => |p| p.run("analyze midas://daq:x/lxe");
        "...: an experiment cannot be called \"...\"; midas://host[:port][/experiment] wanted, as midas://daq/lxe" => |p| p.run("analyze midas://daq/a/b");
        "...: parameters and switches are those of its ODB: leave out --odb" => |p| {
            drop(Odb::create_in(p.path("daq")).unwrap());
            refused(p, "--odb @daq")
        };
        "...: --odb-load would overwrite its ODB: leave it out, or set single values with -p" => |p| refused(p, "--odb-load @some.odb");
        "...: --epochs is for files: its values are those of its ODB" => |p| {
            p.put("run00042.mid", MidFile::new().bor(42).words(1, 0, "ADC0", &[1]).eor(42).bytes);
            p.run("analyze @run00042.mid -o @again.mid");
            refused(p, "--epochs @again.mid.provenance.json")
        };
        "an experiment is the only input: leave the others out" => |p| refused(p, "run00042.mid");
        "... is for an experiment, as midas://daq/lxe" => |p| p.run("analyze run00042.mid --transitions");
        "invalid value '...' for '--sampling <WORD>': all, nonblocking or recent wanted" => |p| refused(p, "--sampling some");
        "the following required arguments were not provided: --transitions" => |p| refused(p, "--veto");
        "midas://...: no mserver at ...:...: ...; is it running, is this its port, and may it be reached from other hosts? (without ODB \"/Experiment/Security/Enable non-localhost RPC\" it listens to its own host only)" => |p| refused(p, "-j 1");
        "midas://...: the server at ...:... has no experiment \"...\"; it has ..." => |p| {
            let server = plain();
            p.run(&format!("analyze midas://127.0.0.1:{}/other", server.port()))
        };
        "request \"...\" takes every event: reserve keeps the newest of one id, so give its id, or leave reserve out" => |p| {
            p.put("rare.toml", "[[request]]\nname = \"Rare\"\nreserve = 3\n");
            p.put("run00042.mid", MidFile::new().bor(42).words(1, 0, "ADC0", &[1]).eor(42).bytes);
            p.run("analyze @run00042.mid -a @rare.toml")
        };
        "no event from ... for ... s (--live-timeout); no event was complete" => |p| attached(p, "--live-timeout 0.5", plain(), Some);
        "no event from ... for ... s (--live-timeout); the last complete event is number ... (id ..., serial ...)" => |p| {
            attached(p, "--live-timeout 1", plain(), |server| {
                server.start_run(1).unwrap();
                send(&server, 0, 4);
                None
            })
        };
        "...: the definition takes all events of a request (sampling = \"all\"): the readout waits if this analyzer is slow; --sampling nonblocking lets it go on" => |p| {
            let text = "[[request]]\nname = \"Trigger\"\nid = 1\nsampling = \"all\"\n";
            p.put("lab.toml", text);
            attached(p, "-a @lab.toml -r 1 1", plain(), |server| {
                server.start_run(1).unwrap();
                send(&server, 0, 4);
                server.stop_run().unwrap();
                Some(server)
            })
        };
        "...: another program is called ..., so this one is called ... there" => |p| {
            let (server, inbox) = (plain(), Inbox::new());
            let login = Login::new(format!("127.0.0.1:{}", server.port()).parse().unwrap(), "Analyzer");
            let _client = Client::connect(&login, &inbox).unwrap();
            run(p, server, |_| {})
        };
        "attached to run ... while it is going on: what came before is not analyzed" => |p| {
            let server = plain();
            server.start_run(1).unwrap();
            attached(p, "-r 1 1", server, |server| {
                server.stop_run().unwrap();
                Some(server)
            })
        };
        "... events came while no run was going on, and are not analyzed: ..." => |p| {
            attached(p, "-r 1 1", plain(), |server| {
                (0..3).for_each(|serial| send(&server, serial, 4));
                server.start_run(1).unwrap();
                send(&server, 0, 4);
                server.stop_run().unwrap();
                Some(server)
            })
        };
        "event id ..., serial ..., has ... bytes of data, more than /Experiment/MAX_EVENT_SIZE was: it is not analyzed" => |p| {
            run(p, Server::start(Options { max_event: 10_000, ..Options::default() }), |server| {
                server.change(|tree| tree.set("/Experiment/MAX_EVENT_SIZE", 1_000_000_u32).unwrap());
                send(server, 1, 50_000);
            })
        };
        "...: ...; connecting again" => lost;
        "...: connected again after ... s" => lost;
        "gap: the connection to ... was lost for ... s: events of this time are not analyzed" => lost;
        "...: ...; still trying" => |p| {
            run(p, plain(), |server| {
                server.fault(Fault::Refuse);
                server.kill("Analyzer");
                looks(server, 10);
            })
        };
        "gap: run ... is not complete: it ended while the connection to ... was lost, ... s" => |p| {
            attached(p, "-r 1 2", plain(), |server| {
                server.start_run(1).unwrap();
                send(&server, 0, 4);
                server.kill("Analyzer");
                server.stop_run().unwrap();
                server.start_run(2).unwrap();
                send(&server, 0, 4);
                server.stop_run().unwrap();
                Some(server)
            })
        };
        "midas://... has asked this program to end" => |p| {
            attached(p, "-j 1", plain(), |server| {
                server.stop_program("Analyzer");
                Some(server)
            })
        };
    }
}
