//! What is said of events in shared memory.

use std::process::Command;
use std::time::{Duration, Instant};

use pactolus::shm::{Consumer, Options, Producer, StreamName, Want, look, remove};

use crate::common::MidFile;
use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

fn name(place: &Place) -> StreamName {
    StreamName::new(&format!("shm:{}lab", place.dir())).unwrap()
}

fn producer(place: &Place) -> Producer {
    Producer::create(&name(place), Options::default()).unwrap()
}

/// Twenty of the looks that somebody takes who waits: the program is to see what was done before.
const UNSEEN: Duration = Duration::from_secs(2);

/// A consumer that does nothing.
fn consumer(place: &Place, group: Option<String>) -> Consumer {
    let want = Want { name: "Idle".into(), all: false, group };
    Consumer::attach(&name(place), &want).unwrap()
}

/// Waits until so many consumers are there.
fn wait_for(place: &Place, consumers: usize) {
    let begun = Instant::now();
    while look(&name(place)).map_or(0, |stream| stream.consumers.len()) != consumers {
        assert!(begun.elapsed() < Duration::from_secs(20), "no consumer");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn begin(producer: &mut Producer, run: u32) {
    producer.events(&MidFile::new().bor(run).words(1, 0, "ADC0", &[1, 2]).bytes).unwrap();
}

/// A command that reads the stream, to which this happens meanwhile.
fn read(place: &Place, line: &str, happens: impl FnOnce(Producer) + Send) -> Ran {
    let producer = producer(place);
    std::thread::scope(|scope| {
        let happening = scope.spawn(|| {
            wait_for(place, 1);
            happens(producer);
        });
        let ran = place.run(line);
        happening.join().unwrap();
        ran
    })
}

/// `analyze` of run 1, in whose midst this happens.
fn run(place: &Place, happens: impl FnOnce(&mut Producer) + Send) -> Ran {
    read(place, "analyze shm:@lab -r 1 1", |mut producer| {
        begin(&mut producer, 1);
        happens(&mut producer);
        producer.end(1, 0, b"").unwrap();
        // Who ends is not to find that nobody publishes.
        wait_for(place, 0);
    })
}

/// The run goes on with another producer.
fn again(place: &Place) -> Ran {
    read(place, "analyze shm:@lab -r 1 1", |mut first| {
        begin(&mut first, 1);
        drop(first);
        std::thread::sleep(UNSEEN);
        let mut second = producer(place);
        begin(&mut second, 1);
        second.end(1, 0, b"").unwrap();
        wait_for(place, 0);
    })
}

/// Another run goes on then.
fn gone(place: &Place) -> Ran {
    read(place, "analyze shm:@lab -r 1 2", |mut first| {
        begin(&mut first, 1);
        drop(first);
        std::thread::sleep(UNSEEN);
        let mut second = producer(place);
        begin(&mut second, 2);
        second.end(2, 0, b"").unwrap();
        wait_for(place, 0);
    })
}

/// Somebody removes it while nobody publishes.
fn removed(place: &Place) -> Ran {
    read(place, "analyze shm:@lab -r 1 1", |first| {
        drop(first);
        std::thread::sleep(Duration::from_millis(300));
        remove(&name(place)).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let mut second = producer(place);
        wait_for(place, 1);
        begin(&mut second, 1);
        second.end(1, 0, b"").unwrap();
        wait_for(place, 0);
    })
}

/// A file that is published for somebody who reads all.
fn bridged(place: &Place, file: &MidFile, flags: &str) -> Ran {
    place.put("run00042.mid", &file.bytes);
    place.run(format!("bridge @run00042.mid --to shm:@lab {flags}").trim_end())
}

/// Ends a command by the key Ctrl-C, when its stream is there.
fn stopped(place: &Place, line: &str) -> Ran {
    let mut child = place.spawn(&line.split(' ').collect::<Vec<_>>());
    let mut stdin = child.stdin.take().unwrap();
    // `simulate` does not read it.
    let _ = std::io::Write::write_all(&mut stdin, &run_of(5).bytes);
    let begun = Instant::now();
    while look(&name(place)).ok().and_then(|stream| stream.run).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no run");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = child.wait_with_output().unwrap();
    let code = u8::try_from(ran.status.code().unwrap()).unwrap();
    Ran { code, said: place.said(&[ran.stdout, ran.stderr].concat()) }
}

pub(crate) fn all() -> Provokers {
    [words(), refused(), told(), published()].into_iter().flatten().collect()
}

fn words() -> Provokers {
    provoke! {
        "invalid value '...' for '--to <shm:NAME>': a stream in shared memory wanted, as shm:lxe" => |p| p.run("bridge run00042.mid --to lxe");
        "invalid value '...' for '--to <shm:NAME>': a stream cannot be called \"...\": it has ..., allowed are letters, digits, _, - and ." => |p| {
            p.run("bridge run00042.mid --to shm:lxe+")
        };
        "shm:...: a stream cannot be called \"...\": a path begins with /, a name has none" => |p| p.run("analyze shm:a/b");
        "invalid value '...' for '--mode <MODE>': 600, 660 or 666 wanted: who reads events must be able to write, too, to say how far he is" => |p| {
            p.run("bridge run00042.mid --to shm:@lab --mode 640")
        };
        "shm:...: a stream is not published in itself: give --to another name" => |p| p.run("bridge shm:@lab --to shm:@lab");
        "-r is for what is live: name the files of these runs" => |p| p.run("dump run00042.mid -r 1 2");
        "--sampling is for an experiment or a stream, as midas://daq/lxe or shm:lxe" => |p| p.run("analyze run00042.mid --sampling all");
        "... is for a stream in shared memory, as shm:lxe" => |p| p.run("analyze run00042.mid --share split");
        "--max-age is for --sampling recent" => |p| p.run("analyze shm:@lab --max-age 2 --sampling all");
        "a stream is the only input: leave the others out" => |p| p.run("analyze shm:@lab run00042.mid");
        "invalid value '...' for '--share <WORD>': all or split wanted" => |p| p.run("analyze shm:@lab --share some");
        "invalid value '...' for '--stop <WORD>': never or endrun wanted" => |p| p.run("analyze shm:@lab --stop now");
        "say where the run goes: to a file with -o, or into shared memory with --to shm:NAME" => |p| p.run("simulate");
        "... is for a stream in shared memory, --to shm:NAME" => |p| p.run("simulate -o run.mid --rate 5");
        "...: simulated events go into .mid files only" => |p| p.run("simulate -o run.asc");
        "... exists: give another name, or --force" => |p| p.put("run.mid", b"").run("simulate -o @run.mid");
        "invalid value '...' for '--rate <HZ>': events a second wanted, as 1000 or 0.5" => |p| p.run("simulate --to shm:@lab --rate 0");
    }
}

fn refused() -> Provokers {
    provoke! {
        "shm:...: nobody has made this stream" => |p| p.run("analyze shm:@lab --stop endrun");
        "shm:...: nobody has made this stream, there is no directory ..." => |p| p.run("shm shm:@none/lab");
        "shm:...: nobody has made this stream; did you mean shm:...?" => |p| {
            let _producer = producer(p);
            p.run("shm shm:@lap")
        };
        "shm:...: process ... (...) publishes here: take another name, or stop it" => |p| {
            let _producer = producer(p);
            p.run("simulate --to shm:@lab")
        };
        "shm:...: ... is no stream of this version of Pactolus: ... bytes wanted, ... found" => |p| p.put("lab.ring", b"events").run("shm shm:@lab");
        "shm:...: ... is no stream of this version of Pactolus: it is ..., and a file is wanted" => |p| {
            std::fs::create_dir(p.path("lab.ring")).unwrap();
            p.run("shm shm:@lab")
        };
        "shm:...: cannot make a stream in ...: No such file or directory (os error 2)" => |p| p.run("simulate --to shm:@none/lab");
        "shm:...: this stream has no place for another consumer: 64 are the most" => |p| {
            let _producer = producer(p);
            let _consumers: Vec<_> = (0..64).map(|_| consumer(p, None)).collect();
            p.run("dump shm:@lab --stop endrun")
        };
        "shm:...: this stream has no place for another group of consumers: 4 are the most" => |p| {
            let _producer = producer(p);
            let _consumers: Vec<_> = (0..4).map(|i| consumer(p, Some(format!("group {i}")))).collect();
            p.run("analyze shm:@lab --stop endrun --share split")
        };
        "shm:...: its producer is gone, and no run has begun; no event was complete" => |p| read(p, "analyze shm:@lab --stop endrun", drop);
        "shm:...: its producer is gone within run ...; the last complete event is number ... (id ..., serial ...)" => |p| {
            read(p, "analyze shm:@lab --stop endrun", |mut producer| begin(&mut producer, 7))
        };
    }
}

fn told() -> Provokers {
    provoke! {
        "shm:...: nobody has made this stream; waiting for it" => |p| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(UNSEEN);
                    let mut producer = producer(p);
                    wait_for(p, 1);
                    begin(&mut producer, 1);
                    producer.end(1, 0, b"").unwrap();
                    wait_for(p, 0);
                });
                p.run("analyze shm:@lab -r 1 1")
            })
        };
        "shm:...: its producer is gone within run ...; waiting for another" => again;
        "shm:...: its producer is back" => gone;
        "shm:...: run ... was cut: its producer has begun anew" => |p| run(p, |producer| begin(producer, 1));
        "gap: the producer of shm:... has begun anew: events of this time, ... s, are not analyzed" => |p| run(p, |producer| begin(producer, 1));
        "shm:... is at run ..., behind those that are wanted (-r ... ...)" => |p| {
            read(p, "analyze shm:@lab -r 1 1", |mut producer| {
                begin(&mut producer, 5);
                wait_for(p, 0);
            })
        };
        "shm:... was removed; waiting for another" => removed;
        "gap: the producer of shm:... was gone: events of this time, ... s, are not analyzed" => again;
        "gap: run ... is not complete: the producer of shm:... was gone" => gone;
        "gap: run ... is not complete: the producer of shm:... has begun anew" => |p| {
            read(p, "analyze shm:@lab -r 1 1", |mut producer| {
                begin(&mut producer, 1);
                begin(&mut producer, 2);
                wait_for(p, 0);
            })
        };
        "shm:...: attached within run ..., of which ... events were published before" => |p| {
            let mut producer = producer(p);
            begin(&mut producer, 1);
            producer.events(&MidFile::new().words(1, 1, "ADC0", &[1, 2]).bytes).unwrap();
            producer.flush();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    wait_for(p, 1);
                    producer.end(1, 0, b"").unwrap();
                    wait_for(p, 0);
                });
                p.run("analyze shm:@lab -r 1 1")
            })
        };
        "shm:...: the definition takes all events of a request (sampling = \"all\"): the producer waits if this analyzer is slow; --sampling recent lets it go on" => |p| {
            p.put("lab.toml", "[[request]]\nname = \"Trigger\"\nid = 1\nsampling = \"all\"\n");
            read(p, "analyze shm:@lab -a @lab.toml -r 1 1", |mut producer| {
                begin(&mut producer, 1);
                producer.end(1, 0, b"").unwrap();
                wait_for(p, 0);
            })
        };
        "run ... is paused" => |p| run(p, |producer| producer.pause().unwrap());
        "run ... goes on" => |p| run(p, |producer| {
            producer.pause().unwrap();
            producer.resume().unwrap();
        });
    }
}

fn published() -> Provokers {
    provoke! {
        "run ... has no EOR: consumers are told that it is cut" => |p| bridged(p, &run_of(5), "");
        "...: run ... ends before it has begun" => |p| bridged(p, &MidFile::new().eor(42), "");
        "...: ... events belong to no run, since there is no BOR before them: who analyzes passes them over" => |p| {
            let file = MidFile::new().words(1, 0, "ADC0", &[1]).words(1, 1, "ADC0", &[1]);
            bridged(p, &file.bor(42).eor(42), "")
        };
        "pactolus: ... event too big for shm:...: a larger --size is wanted" => |p| {
            let file = MidFile::new().bor(42).words(1, 0, "ADC0", &vec![7; 200_000]);
            bridged(p, &file.eor(42), "--size 1M")
        };
        "cannot write (standard output): ...; the events go on" => |p| {
            p.put("run00042.mid", run_of(5).eor(42).bytes);
            let bash = "exec >/dev/full; exec";
            std::thread::scope(|scope| {
                // The lines must have failed before the end.
                scope.spawn(|| {
                    let begun = Instant::now();
                    while look(&name(p)).is_err() && begun.elapsed() < Duration::from_secs(60) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    // Two lines or three.
                    std::thread::sleep(Duration::from_secs(3));
                    let consumer = consumer(p, None);
                    std::thread::sleep(Duration::from_secs(1));
                    drop(consumer);
                });
                p.process(bash, "bridge @run00042.mid --to shm:@lab --json --wait-for 1", b"")
            })
        };
        "stopping: a run that is going on is cut; press Ctrl-C again to stop at once" => |p| stopped(p, "bridge - --to shm:@lab");
        "stopped before the end, as you asked: run ... is cut" => |p| stopped(p, "bridge - --to shm:@lab");
        "stopping: the run ends here; press Ctrl-C again to stop at once" => |p| stopped(p, "simulate --to shm:@lab --rate 100");
        "stopped before the end, as you asked: no run is cut" => |p| stopped(p, "simulate --to shm:@lab --rate 100");
    }
}
