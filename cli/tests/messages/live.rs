//! What is said of files that are followed.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

/// How long it takes at the most until a small file is read.
const READ: Duration = Duration::from_secs(1);

/// A command where there is a run that has not ended.
fn open(place: &Place, line: &str) -> Ran {
    place.put("run00042.mid", run_of(5).bytes).run(line)
}

/// The same while something happens to the file when it was read.
fn meanwhile(place: &Place, line: &str, happens: impl FnOnce(PathBuf) + Send + 'static) -> Ran {
    let path = place.path("run00042.mid");
    place.put("run00042.mid", run_of(5).bytes);
    let happens = std::thread::spawn(move || {
        std::thread::sleep(READ);
        happens(path);
    });
    let ran = place.run(line);
    happens.join().unwrap();
    ran
}

/// A file that is copied to another directory, in which another has its name.
fn strange(place: &Place) -> Ran {
    fs::create_dir(place.path("slow")).unwrap();
    place.put("slow/run00042.mid", vec![7; 10_000]);
    meanwhile(place, "analyze follow:@run00042.mid,@slow --live-timeout 3", |path| {
        fs::remove_file(path).unwrap()
    })
}

/// A subrun that gets its final name, and no other behind it.
fn late(place: &Place) -> Ran {
    let (path, last) = (place.path("run00042sub0000.mid.inprogress"), place.path("run00042sub0000.mid"));
    place.put("run00042sub0000.mid.inprogress", run_of(5).eor(42).bytes);
    let renamed = std::thread::spawn(move || {
        std::thread::sleep(READ);
        fs::rename(path, last).unwrap();
    });
    let ran = place.run("analyze follow:@run00042sub0000.mid --live-timeout 2");
    renamed.join().unwrap();
    ran
}

/// Subruns 0 and 2, and the next run.
fn gap(place: &Place) -> Ran {
    // The last one says that the run is being stopped.
    let stop = b"{\"Runinfo\": {\"Transition in progress\": 2}}\n\0";
    let last = run_of(5).raw(0x8001, 0x494d, 42, stop).bytes;
    place.put("run00042sub0000.mid", run_of(5).eor(42).bytes).put("run00042sub0002.mid", last);
    let next = crate::common::MidFile::new().bor(43).eor(43);
    place.put("run00043.mid", next.bytes).run("analyze follow:@ -r 42 43 --allow-missing --live-timeout 20")
}

/// Ends a dump by the key Ctrl-C.
fn stopped(place: &Place) -> Ran {
    place.put("run00042.mid", run_of(5).bytes);
    let mut child = Command::new(env!("CARGO_BIN_EXE_pactolus"))
        .args(["dump", "--follow", "run00042.mid"])
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    // The first event is shown when signals are heard.
    std::io::Read::read_exact(&mut out, &mut [0; 7]).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = child.wait_with_output().unwrap();
    Ran {
        code: u8::try_from(ran.status.code().unwrap()).unwrap(),
        said: String::from_utf8(ran.stderr).unwrap(),
    }
}

/// JSON lines to a standard output that is full.
fn full(place: &Place) -> Ran {
    place.put("run00042.mid", run_of(5).bytes);
    place.process("exec >/dev/full; exec", "analyze follow:@run00042.mid --json --live-timeout 1", b"")
}

pub(crate) fn all() -> Provokers {
    [refused(), ended(), odd()].into_iter().flatten().collect()
}

fn refused() -> Provokers {
    provoke! {
        "cannot follow ...: there is no directory ..." => |p| p.run("analyze follow:@none/run00042.mid");
        "cannot follow ...: there is no such directory, and if it is a file that is to come, a run file wanted, .mid or .asc, perhaps with .gz .lz4 .bz2 .zst" => |p| {
            p.run("analyze follow:@data")
        };
        "cannot follow ...: it is a pipe or a device, a run file or a directory wanted: read it without follow" => |p| {
            assert!(Command::new("mkfifo").arg(p.path("run00042.mid")).status().unwrap().success());
            p.run("analyze follow:@run00042.mid")
        };
        "cannot follow ...: a pattern is not followed: name one file, or the directory, as follow:..." => |p| {
            p.run("analyze follow:@run000*.mid")
        };
        "cannot follow ...: ~ is not expanded behind follow:, write $HOME/data" => |p| p.run("analyze follow:~/data");
        "cannot follow what has no name: a file or a directory wanted" => |p| p.run("analyze follow:@,");
        "cannot follow: there is no directory ..." => |p| p.run("analyze follow:@,@none");
        "cannot follow ...: a directory or a run file wanted, .mid or .asc, perhaps with .gz .lz4 .bz2 .zst" => |p| {
            p.put("run00042.dat", "a letter").run("dump --follow @run00042.dat")
        };
        "-r is for a directory that is followed, ... is a file" => |p| {
            open(p, "analyze follow:@run00042.mid -r 42 43")
        };
        "output ...: files of events there would be taken for new runs, since ... is followed: name another directory" => |p| {
            p.run("analyze follow:@ -o @o%05d.mid")
        };
        "what is followed is the only input: leave the others out" => |p| {
            open(p, "analyze follow:@run00042.mid @run00042.mid")
        };
        "--live-timeout is for an input that is live, as follow:/data, midas://daq/lxe or shm:lxe" => |p| {
            open(p, "analyze @run00042.mid --live-timeout 5")
        };
        "invalid value '...' for '--live-timeout <SECONDS>': a number of seconds above 0 wanted, as 120 or 0.5" => |p| {
            open(p, "analyze follow:@run00042.mid --live-timeout 0")
        };
        "invalid value '...' for '--rotate <SECONDS>': a number of seconds wanted, as 30 or 0.5, or 0" => |p| {
            open(p, "analyze follow:@run00042.mid -o @o.parquet --rotate nan")
        };
        "--shard ...: files are shared out when they are finished: analyze what is followed without --shard" => |p| {
            open(p, "analyze follow:@run00042.mid --shard 1/2")
        };
        "follow:...: only analyze, dump and bridge take what is live" => |p| {
            open(p, "scan follow:@run00042.mid")
        };
    }
}

fn ended() -> Provokers {
    provoke! {
        "... has not grown for ... s (--live-timeout); the last complete event is number ... (id ..., serial ...)" => |p| {
            open(p, "analyze -q follow:@run00042.mid --live-timeout 0.5")
        };
        "... has not grown for ... s (--live-timeout); no event was complete" => |p| {
            p.put("run00042.mid", &run_of(5).bytes[..10]).run("dump --follow @run00042.mid --live-timeout 0.5")
        };
        "... is not there after ... s (--live-timeout); no event was complete" => |p| {
            p.run("analyze follow:@run00042.mid --live-timeout 0.5")
        };
        "no run in ... for ... s (--live-timeout); no event was complete" => |p| {
            p.run("analyze follow:@ --live-timeout 0.5")
        };
        "no run behind ... for ... s (--live-timeout); the last complete event is number ... (id ..., serial ...)" => |p| {
            p.put("run00042.mid", run_of(5).eor(42).bytes).run("analyze follow:@ --live-timeout 1")
        };
        "no subrun behind ... for ... s (--live-timeout); the last complete event is number ... (id ..., serial ...)" => late;
        "subrun ... is missing before ...: add the files, or --allow-missing; what was read is analyzed; the last complete event is number ... (id ..., serial ...)" => |p| {
            let run = || run_of(5).eor(42).bytes;
            p.put("run00042sub0000.mid", run()).put("run00042sub0002.mid", run());
            p.run("analyze follow:@run00042sub0000.mid --live-timeout 20")
        };
        "... has shrunk from ... to ... bytes while it was followed: what was read of it is analyzed; the last complete event is number ... (id ..., serial ...)" => |p| {
            meanwhile(p, "analyze follow:@run00042.mid --live-timeout 20", |path| {
                fs::OpenOptions::new().write(true).open(path).unwrap().set_len(20).unwrap();
            })
        };
        "... was replaced by another file while it was followed: what was read of the first is analyzed; the last complete event is number ... (id ..., serial ...)" => |p| {
            meanwhile(p, "analyze follow:@run00042.mid --live-timeout 20", |path| {
                let other = path.with_file_name("other");
                fs::File::create(&other).unwrap().write_all(&[7; 10_000]).unwrap();
                fs::rename(other, path).unwrap();
            })
        };
    }
}

fn odd() -> Provokers {
    provoke! {
        "... was deleted while it was followed" => |p| {
            meanwhile(p, "analyze follow:@run00042.mid --live-timeout 3", |path| fs::remove_file(path).unwrap())
        };
        "... is no copy of ...: they differ before byte ..." => strange;
        "subrun ... is missing before ..." => gap;
        "gap: subrun ... is missing before ..." => gap;
        "cannot write (standard output): ...; the analysis goes on" => full;
        "stopping: what has come is shown; press Ctrl-C again to stop at once" => stopped;
    }
}
