//! What `verify` says, with modules that are bad on purpose.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pactolus::prelude::*;
use pactolus::simulate::Simulation;
use pactolus_cli::App;

use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

const BADD: BankDef<u64> = BankDef::new(b"BADD");
const NEXT: BankDef<u64> = BankDef::new(b"NEXT");

/// A number that grows, whoever asks.
fn next() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// Numbers the events of all runs of the process.
#[derive(Record, Clone)]
struct Counter {
    /// Only this event, by its serial number; -1 for all
    #[key("Serial", default = -1)]
    serial: i32,
    /// Only the end of the run
    #[key("End", default = false)]
    end: bool,
}

impl Module for Counter {
    fn banks(&self) -> Banks {
        Banks::default().write(BADD)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        let counts = !self.end && (self.serial < 0 || self.serial as u32 == event.serial());
        event.append(BADD, &[if counts { next() } else { 0 }])?;
        Ok(Keep)
    }

    fn eor(&self, _: &EndOfRun) -> Result<()> {
        if self.end { Err(format!("{}", next()).into()) } else { Ok(()) }
    }
}

/// Numbers the events of a run as they come, and lets later ones of other threads come first.
#[derive(Record, Clone)]
struct Locked {
    #[key(skip)]
    number: Arc<Mutex<u64>>,
}

impl Module for Locked {
    fn banks(&self) -> Banks {
        Banks::default().write(BADD)
    }

    fn prepare(&mut self, _: &mut Setup) -> Result<()> {
        self.number = Arc::default();
        Ok(())
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        let mut number = self.number.lock().map_err(|_| "poisoned")?;
        *number += 1;
        event.append(BADD, &[*number])?;
        drop(number);
        std::thread::sleep(Duration::from_micros(10));
        Ok(Keep)
    }
}

/// Skips some events by a number that grows.
#[derive(Record, Clone)]
struct Skipping {}

impl Module for Skipping {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        Ok(if next().is_multiple_of(7) { Skip } else { Keep })
    }
}

/// Passes on what a bad module appends.
#[derive(Record, Clone)]
struct Reader {}

impl Module for Reader {
    fn banks(&self) -> Banks {
        Banks::read(BADD).write(NEXT)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        if let Some(number) = event.get(BADD)? {
            event.append(NEXT, &[number.at(0)])?;
        }
        Ok(Keep)
    }
}

/// Books a test under another name in each run.
#[derive(Record, Clone)]
struct Booking {
    #[key(skip)]
    test: Test,
}

impl Module for Booking {
    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.test = setup.test(&format!("test {}", next()));
        Ok(())
    }

    fn event(&self, _: &Event, context: &Context) -> Result<Verdict> {
        context.set(self.test, true);
        Ok(Keep)
    }
}

/// A definition that mounts these modules on one request.
fn definition(id: i32, types: &[&str]) -> String {
    let mounts = types.iter().map(|t| format!("[[request.module]]\ntype = \"{t}\"\n"));
    format!("[[request]]\nname = \"Trigger\"\nid = {id}\ntests = true\n{}", mounts.collect::<String>())
}

/// Verifies a run with these modules, and these words behind.
fn verify_id(place: &Place, id: i32, events: u64, types: &[&str], words: &str) -> Ran {
    let catalogue = pactolus_modules::catalogue()
        .module::<Counter>("Counter")
        .module::<Locked>("Locked")
        .module::<Skipping>("Skipping")
        .module::<Reader>("Reader")
        .module::<Booking>("Booking");
    let mut run = Vec::new();
    Simulation { run: 42, events, ..Simulation::default() }.write(&mut run).unwrap();
    place.put("run00042.mid", run).put("lab.toml", definition(id, types));
    let scratch = place.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let line = format!("verify @run00042.mid -a @lab.toml --scratch @scratch --shards 0 {words}");
    let words: Vec<&str> = line.split_whitespace().collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = pactolus_cli::run(&App::new(catalogue), &place.args(&words), &mut out, &mut err);
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0, "what was written is removed");
    Ran { code, said: place.said(&out) + &place.said(&err) }
}

fn verify(place: &Place, types: &[&str], words: &str) -> Ran {
    verify_id(place, 1, 500, types, words)
}

/// Ends a comparison by the key Ctrl-C.
fn stopped(place: &Place) -> Ran {
    let mut run = Vec::new();
    Simulation { run: 42, events: 100_000, ..Simulation::default() }.write(&mut run).unwrap();
    place.put("run00042.mid", run);
    let mut child = Command::new(env!("CARGO_BIN_EXE_pactolus"))
        .args(["verify", "run00042.mid", "--scratch", "."])
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("3 of 15: ")), "it ended by itself");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let more: Vec<String> = lines.collect();
    let ran = child.wait_with_output().unwrap();
    assert!(!place.path("pactolus-verify-0").exists(), "what was written is removed");
    Ran {
        code: u8::try_from(ran.status.code().unwrap()).unwrap(),
        said: place.said(&ran.stdout) + &more.join("\n"),
    }
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "...: ... events, ... outputs, ... combinations: all the same" => |p| verify(p, &["Prescale"], "-j 2");
        "...: ... events, ... outputs, ... combinations: not the same" => |p| verify(p, &["Counter"], "-j 2");
        "stage \"...\" of request \"...\" differs" => |p| verify(p, &["Counter"], "-j 2");
        "run ...: event ..." => |p| {
            verify(p, &["Counter"], "-j 2 -p Counter/Serial=7")
        };
        "run ...: ... events, the first is event ..." => |p| {
            verify(p, &["Counter"], "-j 2")
        };
        "run ...: ... stretches of ... events, the first is ... to ..." => |p| {
            verify_id(p, 1, 20_000, &["Counter"], "-j 2 --blocks 1M")
        };
        "run ...: the end of the run" => |p| {
            verify(p, &["Counter"], "-j 2 -p Counter/End=y")
        };
        "between equal runs: by the time, by chance, or by an earlier run" => |p| {
            verify(p, &["Counter"], "-j 2")
        };
        "with other threads, blocks or shards: by the order in which events come" => |p| {
            verify(p, &["Locked"], "--blocks 1K")
        };
        "in ... of ... combinations, first with ..." => |p| verify(p, &["Locked"], "--blocks 1K");
        "should it read a bank of \"...\" without declaring it, it follows" => |p| {
            verify(p, &["Counter", "Skipping"], "-j 2")
        };
        "stage \"...\" of request \"...\" follows" => |p| verify(p, &["Counter", "Reader"], "-j 2");
        "it reads ..., which \"...\" appends" => |p| {
            verify(p, &["Counter", "Reader"], "-j 2")
        };
        "it meets other events" => |p| {
            verify(p, &["Skipping", "Prescale"], "-j 2")
        };
        "keep what passes from event to event in a Sequential module, nothing in a static or" => |p| {
            verify(p, &["Counter"], "-q -j 2")
        };
        "no stage did anything else to an event, but these differ with" => |p| verify(p, &["Booking"], "-j 2");
        "the report, ...: ..., ..." => |p| verify(p, &["Booking"], "-j 2");
        "if no module's `prepare` or `bor` goes by the time or by chance, please report this" => |p| {
            verify(p, &["Booking"], "-j 2")
        };
        "stage \"...\" had no event: nothing is known of it" => |p| {
            verify_id(p, 77, 500, &["Prescale"], "-j 2")
        };
        "no module is mounted: name a definition with -a" => |p| {
            p.put("run00042.mid", run_of(5).eor(42).bytes).run("verify @run00042.mid -j 2 --shards 0 --scratch @")
        };
        "the definition mounts no module: ... were compared" => |p| {
            let ran = verify(p, &[], "-j 2");
            assert!(ran.said.contains("module: reading and writing were"), "{}", ran.said);
            let marked = "banks = { ADC0 = { type = \"WORD[4]\", histogram = true } }\n";
            p.put("lab.toml", definition(1, &[]) + marked);
            let ran = p.run("verify @run00042.mid -a @lab.toml --scratch @scratch --shards 0 -j 2");
            assert!(ran.said.contains("writing and the histograms of marked banks were"), "{}", ran.said);
            ran
        };
        "stopped before the end, as you asked: the other combinations are not compared" => stopped;
        "stopping: the other combinations are not compared; press Ctrl-C again to stop at once" => stopped;
        "standard input can be read once only: name a file" => |p| p.run("verify - --scratch @");
        "the inputs hold no event: nothing can be compared" => |p| {
            p.put("run00042.mid", "").run("verify @run00042.mid --scratch @")
        };
        "cannot make a directory for outputs in ...: No such file or directory (os error 2)" => |p| {
            p.put("run00042.mid", run_of(5).eor(42).bytes).run("verify @run00042.mid --scratch @none")
        };
        "cannot make a directory for outputs in ...: %d in a name stands for the run number, use another directory" => |p| {
            fs::create_dir(p.path("a%05d")).unwrap();
            let ran = p.put("run00042.mid", run_of(5).eor(42).bytes).run("verify @run00042.mid --scratch @a%05d");
            assert_eq!(fs::read_dir(p.path("a%05d")).unwrap().count(), 0);
            ran
        };
        "invalid value '...' for '--blocks <LIST>': a number of bytes wanted, as 500000, 4M or 2G" => |p| {
            p.run("verify @run00042.mid --blocks some")
        };
    }
}
