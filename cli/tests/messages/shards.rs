//! Shards, and parts that cannot be merged.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

fn with_run(place: &Place, line: &str) -> Ran {
    place.put("run00042.mid", run_of(5).eor(42).bytes).run(line)
}

/// Makes both parts of a job.
fn parts(place: &Place) -> &Place {
    for shard in ["1/2", "2/2"] {
        let ran = with_run(place, &format!("analyze @run00042.mid -o @o.mid --shard {shard}"));
        assert_eq!(ran.code, 0, "{}", ran.said);
    }
    place
}

/// Merges after a change of the bytes of the second part.
fn changed(place: &Place, change: impl FnOnce(&mut Vec<u8>)) -> Ran {
    let mut bytes = fs::read(parts(place).path("o.2of2.part")).unwrap();
    change(&mut bytes);
    place.put("o.2of2.part", bytes).run("merge @o.1of2.part @o.2of2.part")
}

/// Merges after a change of the body of record `number` of both parts, with sums that agree: what no
/// accident does.
fn forged(place: &Place, number: usize, change: impl Fn(&mut Vec<u8>)) -> Ran {
    forged_in(place, &["o.1of2.part", "o.2of2.part"], number, change)
}

/// The same, of these parts only.
fn forged_in(place: &Place, names: &[&str], number: usize, change: impl Fn(&mut Vec<u8>)) -> Ran {
    parts(place);
    for name in names {
        let bytes = fs::read(place.path(name)).unwrap();
        let (front, mut rest) = bytes.split_at(12);
        let mut whole = front.to_vec();
        for i in 0.. {
            let Some((title, behind)) = rest.split_at_checked(25) else { break };
            let length = u64::from_le_bytes(title[9..17].try_into().unwrap()) as usize;
            let (body, behind) = behind.split_at(length);
            let (mut title, mut body) = (title[..17].to_vec(), body.to_vec());
            if i == number {
                change(&mut body);
                title[9..17].copy_from_slice(&(body.len() as u64).to_le_bytes());
            }
            title.extend(crc32c::crc32c(&body).to_le_bytes());
            title.extend(crc32c::crc32c(&title).to_le_bytes());
            whole.extend(title);
            whole.extend(body);
            rest = behind;
        }
        place.put(name, whole);
    }
    place.run("merge @o.1of2.part @o.2of2.part")
}

/// The digest of the program ends the head.
fn another_program(head: &mut [u8]) {
    *head.last_mut().unwrap() ^= 1;
}

/// Another text of the same length.
fn replaced(body: &mut [u8], old: &str, new: &str) {
    assert_eq!(old.len(), new.len());
    let at = body.windows(old.len()).position(|window| window == old.as_bytes()).unwrap();
    body[at..at + old.len()].copy_from_slice(new.as_bytes());
}

/// Ends a shard by the key Ctrl-C while it waits for more events.
fn stopped(place: &Place) -> Ran {
    assert!(Command::new("mkfifo").arg(place.path("run00042.mid")).status().unwrap().success());
    let child = Command::new(env!("CARGO_BIN_EXE_pactolus"))
        .args(["analyze", "run00042.mid", "-o", "o.mid", "--shard", "1/2"])
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut fifo = fs::OpenOptions::new().write(true).open(place.path("run00042.mid")).unwrap();
    fifo.write_all(&run_of(50_000).bytes).unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    std::thread::sleep(Duration::from_millis(100));
    // It may have hung up by now.
    let _ = fifo.write_all(&run_of(50_000).eor(42).bytes);
    drop(fifo);
    let ran = child.wait_with_output().unwrap();
    assert!(!place.path("o.1of2.part").exists());
    let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
    Ran { code: u8::try_from(ran.status.code().unwrap()).unwrap(), said }
}

/// Ends a merge by the key Ctrl-C while it waits for somebody to read what it writes.
fn stopped_merge(place: &Place) -> Ran {
    place.put("run00042.mid", run_of(50_000).eor(42).bytes);
    place.run("analyze @run00042.mid -o @o.mid --shard 1/1");
    let mut child = Command::new(env!("CARGO_BIN_EXE_pactolus"))
        .args(["merge", "o.1of1.part", "-o", "-"])
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 100]).unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    std::thread::sleep(Duration::from_millis(100));
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    let ran = child.wait_with_output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    Ran { code: u8::try_from(ran.status.code().unwrap()).unwrap(), said }
}

pub(crate) fn all() -> Provokers {
    [shares(), sets(), broken()].into_iter().flatten().collect()
}

fn shares() -> Provokers {
    provoke! {
        "invalid value '...' for '--shard <K/N>': K/N wanted, K from 1 to N, as 3/8" => |p| {
            with_run(p, "analyze @run00042.mid -o @o.mid --shard 9/8")
        };
        "--shard: every shard reads the whole input, and standard input can be read once only" => |p| {
            p.run("analyze - -o @o.mid --shard 1/2")
        };
        "--shard: a part has no standard output; merge has: name an output file here" => |p| {
            with_run(p, "analyze @run00042.mid --shard 1/2 -o -")
        };
        "--shard: --strict ends at the first trouble, and no shard sees that of the others" => |p| {
            with_run(p, "analyze @run00042.mid -o @o.mid --strict --shard 1/2")
        };
        "--shard: --explain and --odb-save belong to merge, which ends the runs" => |p| {
            with_run(p, "analyze @run00042.mid -o @o.mid --explain --shard 1/2")
        };
        "part ...: an output of the job may get that name: give it another with --part" => |p| {
            with_run(p, "analyze @run00042.mid -o @o.mid --shard 1/2 --part @o.mid")
        };
        "part ...: exists and is no part: give it another name with --part, or remove it" => |p| {
            p.put("raw.mid", "raw data");
            with_run(p, "analyze @run00042.mid -o @o.mid --shard 1/2 --part @raw.mid")
        };
        "part ...: is there, of another job: they differ in ...: remove it, or give another name with --part" => |p| {
            with_run(parts(p), "analyze @run00042.mid -o @o.mid -n 3 --shard 1/2")
        };
        "part ...: is there, of shard ...: remove it, or give another name with --part" => |p| {
            with_run(parts(p), "analyze @run00042.mid -o @o.mid --shard 2/2 --part @o.1of2.part")
        };
        "part ...: is there, of another form: remove it, or give another name with --part" => |p| {
            let mut bytes = fs::read(parts(p).path("o.1of2.part")).unwrap();
            bytes[8] = 9;
            p.put("o.1of2.part", bytes);
            with_run(p, "analyze @run00042.mid -o @o.mid --shard 1/2")
        };
        "stopping: no part is written; press Ctrl-C again to stop at once" => stopped;
        "stopping: the runs that were whole are written; press Ctrl-C again to stop at once" => stopped_merge;
        "stopped before the end, as you asked: no part is written" => stopped;
        "stopped before the end, as you asked: the runs that were whole are written" => stopped_merge;
    }
}

fn sets() -> Provokers {
    provoke! {
        "part ... of ... is missing: run analyze --shard .../... again" => |p| parts(p).run("merge @o.1of2.part");
        "parts ... of ... are missing: run analyze --shard .../..., ... again" => |p| {
            with_run(p, "analyze @run00042.mid -o @o.mid --shard 2/3");
            p.run("merge @o.2of3.part")
        };
        "part ... of ... is there twice: ... and ..." => |p| {
            parts(p).run("merge @o.1of2.part @o.2of2.part @o.1of2.part")
        };
        "part ...: is of another job than ...: they differ in ..." => |p| {
            with_run(parts(p), "analyze @run00042.mid -o @o.mid -n 3 --shard 2/2 --part @n.part");
            p.run("merge @o.1of2.part @n.part")
        };
        "part ...: ... was another file when ... was made: run both shards again" => |p| {
            parts(p).put("run00042.mid", run_of(6).eor(42).bytes);
            p.run("analyze @run00042.mid -o @o.mid --shard 2/2");
            p.run("merge @o.1of2.part @o.2of2.part")
        };
        "part ...: has no ... for the outputs of the merge: run the shards with such an output" => |p| {
            parts(p).run("merge @o.1of2.part @o.2of2.part -o @o.parquet")
        };
    }
}

fn broken() -> Provokers {
    provoke! {
        "part ...: this is none: merge takes the files that analyze --shard has written" => |p| {
            with_run(p, "merge @run00042.mid")
        };
        "part ...: form ... found, ... wanted: use the program that wrote it" => |p| changed(p, |bytes| bytes[8] = 9);
        "part ...: cut short at byte ...: run analyze --shard ... again" => |p| {
            changed(p, |bytes| bytes.truncate(bytes.len() - 9))
        };
        "part ...: cut short at byte ...: run its shard again" => |p| changed(p, |bytes| bytes.truncate(100));
        "part ...: broken at byte ...: run analyze --shard ... again" => |p| {
            changed(p, |bytes| {
                let middle = bytes.len() - 50;
                bytes[middle] ^= 1;
            })
        };
        "part ...: broken at byte ...: run its shard again" => |p| changed(p, |bytes| bytes[100] ^= 1);
        "part ...: written by version ..., this is ...: use one program for all" => |p| {
            let own = concat!("\"version\":\"", env!("CARGO_PKG_VERSION"), "\"");
            let other = own.replace(|c: char| c.is_ascii_digit(), "7");
            forged(p, 0, |body| replaced(body, own, &other))
        };
        "part ...: made by another program than ...: run all shards with one program" => |p| {
            forged_in(p, &["o.2of2.part"], 0, |head| another_program(head))
        };
        "the parts were made by another program than this: merge with the same one" => |p| {
            forged(p, 0, |head| another_program(head))
        };
        "part ...: no `...` in its head" => |p| forged(p, 0, |body| replaced(body, "\"inputs\"", "\"inputz\""));
        "part ...: record ... (...) makes no sense: ..." => |p| forged(p, 1, |body| body.truncate(9));
        "part ...: made with other modules than those of this program: run ... has other requests, stages, tests or histograms" => |p| {
            forged(p, 1, |body| replaced(body, "other", "ohter"))
        };
    }
}
