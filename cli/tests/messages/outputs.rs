//! Outputs: names that are refused, and what cannot be written.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::common::MidFile;
use crate::mid::run_of;
use crate::{Failing, Place, Provokers, Ran, provoke};

fn with_run(place: &Place, line: &str) -> Ran {
    place.put("run00042.mid", run_of(5).eor(42).bytes).run(line)
}

/// Analyzes a large run where no file may have more than 32 kB.
fn limited(place: &Place, output: &str) -> Ran {
    // Other numbers in each event, or a table of them is small.
    let mut number = 1_u32;
    let mut words = || {
        let mut next = || {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (number >> 16) as u16
        };
        (0..100).map(|_| next()).collect::<Vec<u16>>()
    };
    let run = (0..1000).fold(MidFile::new().bor(42), |file, serial| file.words(1, serial, "ADC0", &words()));
    place.put("run00042.mid", run.eor(42).bytes);
    place.process("ulimit -f 32; exec", &format!("analyze run00042.mid -q -o {output}"), b"")
}

/// Standard output fails so.
fn failing(place: &Place, line: &str, error: i32) -> Ran {
    place.put("run00042.mid", run_of(5).eor(42).bytes);
    place.run_into(&line.split(' ').collect::<Vec<_>>(), &mut Failing(error))
}

const NO_SPACE: i32 = 28;
const BROKEN_PIPE: i32 = 32;

/// Ends a job by the key Ctrl-C while it waits for more events.
fn stopped(place: &Place) -> Ran {
    stopped_by(place, "-INT")
}

/// Another job begins to write the same file.
fn overtaken(place: &Place) -> Ran {
    let (first, first_stdin) = begun(place);
    let _ = fs::remove_file(place.path(".out.mid.part"));
    let (second, second_stdin) = begun(place);
    drop(first_stdin);
    let ran = first.wait_with_output().unwrap();
    drop(second_stdin);
    assert_eq!(second.wait_with_output().unwrap().status.code(), Some(0));
    let said = String::from_utf8(ran.stderr).unwrap();
    Ran { code: u8::try_from(ran.status.code().unwrap()).unwrap(), said }
}

/// A job that has begun its output, and waits for more events.
fn begun(place: &Place) -> (Child, ChildStdin) {
    let mut child = place.spawn(&["analyze", "-", "-o", "out.mid"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&run_of(50_000).bytes).unwrap();
    while !place.path(".out.mid.part").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    (child, stdin)
}

fn stopped_by(place: &Place, signal: &str) -> Ran {
    let (child, mut stdin) = begun(place);
    let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    std::thread::sleep(Duration::from_millis(100));
    // It may have hung up by now.
    let _ = stdin.write_all(&run_of(50_000).eor(42).bytes);
    drop(stdin);
    let ran = child.wait_with_output().unwrap();
    let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
    Ran { code: u8::try_from(ran.status.code().unwrap()).unwrap(), said }
}

/// Ends a program by the key Ctrl-C that would go on for long, and whose standard output nobody reads.
fn stopped_soon(place: &Place, line: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pactolus"))
        .args(line.split(' '))
        .current_dir(place.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take();
    std::thread::sleep(Duration::from_millis(500));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ran = child.wait_with_output().unwrap();
    drop(stdout);
    let said = String::from_utf8(ran.stderr).unwrap();
    Ran { code: u8::try_from(ran.status.code().unwrap()).unwrap(), said }
}

fn simulating(place: &Place) -> Ran {
    stopped_soon(place, "simulate -o long.mid.gz --events 1000000000")
}

pub(crate) fn all() -> Provokers {
    [refused(), unwritten()].into_iter().flatten().collect()
}

fn refused() -> Provokers {
    provoke! {
        "\"...\": unknown output type; known are .mid and .asc, each also with .gz .lz4 .bz2 .zst, and .parquet, .arrow, .json (histograms)" => |p| {
            with_run(p, "analyze @run00042.mid -o @o.root")
        };
        "output ... is named twice" => |p| with_run(p, "analyze @run00042.mid -o @o.mid @./o.mid");
        "standard output can take one output only" => |p| with_run(p, "analyze @run00042.mid -o -.mid -o -.asc");
        "output ... is also an input: give it another name" => |p| with_run(p, "analyze @run00042.mid -o @run00042.mid");
        "output ... is a directory: name a file" => |p| {
            fs::create_dir(p.path("o.mid")).unwrap();
            with_run(p, "analyze @run00042.mid -o @o.mid")
        };
        "output ... is no plain file; `-` is standard output, without -o nothing is written" => |p| {
            with_run(p, "analyze @run00042.mid -o /dev/null")
        };
        "output ... exists and was not written by pactolus: give another name, or remove it (inputs go before -o)" => |p| {
            with_run(p.put("old.mid", "events"), "analyze @run00042.mid -o @old.mid")
        };
        "output ... was written before: run ... comes twice; use an output without %05d" => |p| {
            with_run(p, "analyze @run00042.mid @run00042.mid -o @o%05d.mid")
        };
        "cannot create ...: No such file or directory (os error 2)" => |p| {
            with_run(p, "analyze @run00042.mid -o @none/o.mid")
        };
        "--json and -o - both want standard output: give the output a name" => |p| {
            with_run(p, "analyze @run00042.mid --json -o -")
        };
        "--odb-save ...: an output has that name" => |p| {
            with_run(p, "analyze @run00042.mid -o @o.asc --odb-save @o.asc")
        };
    }
}

fn unwritten() -> Provokers {
    provoke! {
        "cannot write ...: No space left on device (os error 28)" => |p| {
            symlink("/dev/full", p.path(".o.mid.part")).unwrap();
            with_run(p, "analyze @run00042.mid -o @o.mid")
        };
        "cannot write ...: File too large (os error 27)" => |p| limited(p, "o.mid");
        "cannot write table ...: File too large (os error 27)" => |p| limited(p, "o.parquet");
        "cannot write (standard output): No space left on device (os error 28)" => |p| {
            failing(p, "dump @run00042.mid", NO_SPACE)
        };
        "cannot write (standard output): Broken pipe (os error 32)" => |p| {
            failing(p, "analyze @run00042.mid -o -.arrow", BROKEN_PIPE)
        };
        "cannot create .../...: No such file or directory (os error 2)" => |p| {
            fs::create_dir(p.path("d00001")).unwrap();
            let other = MidFile::new().bor(1).words(1, 0, "ADC0", &[1]).eor(1);
            with_run(p.put("run00001.mid", other.bytes), "analyze @run00001.mid @run00042.mid -o @d%05d/o.mid")
        };
        "cannot rename ...: another job writes it, too" => overtaken;
        "cannot rename ...: Is a directory (os error 21)" => |p| {
            fs::create_dir(p.path("o.odb")).unwrap();
            p.put("a.json", "{ \"x\" : 1 }").run("odb convert @a.json @o.odb")
        };
        "cannot save the ODB to ...: there was no run" => |p| {
            p.put("run00042.mid", "").run("analyze @run00042.mid --odb-save @a.odb")
        };
        "cannot save the ODB to ...: ... cannot be saved as ...: ...; save as .json" => |p| {
            with_run(p.put("a.json", "{ \"[x\" : 1 }"), "analyze @run00042.mid --odb-load @a.json --odb-save @a.odb")
        };
        "stopping: what was analyzed is written; press Ctrl-C again to stop at once" => stopped;
        "stopped before the end, as you asked: what was analyzed is written" => stopped;
        "stopping: what was analyzed is written; signal again to stop at once" => |p| stopped_by(p, "-TERM");
        "stopping: no file is written; press Ctrl-C again to stop at once" => simulating;
        "stopped before the end, as you asked: no file is written" => simulating;
        "cannot write (standard output): the job was to stop, and its reader takes nothing" => |p| {
            p.put("run00042.mid", run_of(50_000).eor(42).bytes);
            stopped_soon(p, "analyze run00042.mid -o -")
        };
    }
}
