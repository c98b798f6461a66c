//! Interruptions at random moments: of every kind, with every number of threads and kind of output.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use pactolus::simulate::Shape;

use crate::child::{Ended, HANGS, Place, Running, STOPPED, STOPPING, bound, definition, module};
use crate::runner::Test;
use crate::whole::{self, Held};

pub(crate) fn all() -> Vec<Test> {
    vec![("whatever_happens_and_whenever", None, whatever_happens_and_whenever)]
}

const THREADS: [&str; 3] = ["1", "2", "8"];
const OUTPUTS: [&str; 7] =
    ["o%05d.mid", "o%05d.mid.gz", "o%05d.mid.zst", "o%05d.asc", "o%05d.parquet", "o%05d.arrow", "-"];

/// Events of each run: a job takes some 100 ms.
const EVENTS: u64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    /// A signal, perhaps another, so many milliseconds apart.
    Signal(&'static str, Option<(&'static str, u64)>),
    Kill,
    /// A file may have so many kilobytes.
    Limit(u64),
    /// Every write to the first of the files fails.
    Full,
    /// Standard output is closed after so many bytes.
    Hangup(u64),
    Panics,
    Fails,
    /// Of the second run, if there is one.
    BadBegin,
    BadEnd,
}

#[derive(Debug)]
struct Case {
    threads: &'static str,
    output: &'static str,
    inputs: Vec<&'static str>,
    cause: Cause,
    /// After so long.
    moment: Duration,
}

/// A sequence that is the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % most.max(1)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// What an undisturbed job takes: its time, and the size of its largest file.
type Known = BTreeMap<(&'static str, &'static str, usize), (Duration, u64)>;

/// Runs for the jobs, made once.
fn place() -> Place {
    let place = Place::new();
    for run in [1, 2] {
        place.simulate(run, EVENTS, Shape::Small);
        let bytes = fs::read(place.path(&format!("run{run:05}.mid"))).unwrap();
        let packed = File::create(place.path(&format!("run{run:05}.mid.gz"))).unwrap();
        let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, &bytes).unwrap();
        packed.finish().unwrap();
    }
    let spectra = module("Spectra", "");
    for (name, parameters) in [
        ("fine", ""),
        ("panics", "Panic = 97"),
        ("fails", "Fail = 97"),
        ("bad begin", "\"Bad begin\" = true"),
        ("bad end", "\"Bad end\" = true"),
    ] {
        let text = definition(&format!("{spectra}{}", module("Trouble", parameters)));
        place.put(&format!("{name}.toml"), &text);
    }
    place
}

fn whatever_happens_and_whenever() {
    let times: u64 = match std::env::var("PACTOLUS_ENDS") {
        Ok(times) => times.parse().unwrap(),
        Err(_) => 40,
    };
    let place = place();
    let mine = place.holds(&[]);
    let mut chance = Chance(7);
    let mut known = Known::new();
    let mut wrong = Vec::new();
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    for number in 0..times {
        let case = draw(&mut chance, &place, &mine, &mut known);
        match check(&case, &place, &mine) {
            Ok(code) => *ends.entry(code).or_default() += 1,
            Err(why) => wrong.push(format!("{number}: {case:?}\n    {why}")),
        }
        clear(&place, &mine);
    }
    println!("  ends: {ends:?}");
    assert!(wrong.is_empty(), "{} of {times} ended badly:\n{}", wrong.len(), wrong.join("\n"));
}

fn draw(chance: &mut Chance, place: &Place, mine: &[String], known: &mut Known) -> Case {
    let inputs: &[&str] = match chance.below(3) {
        0 => &["run00001.mid"],
        1 => &["run00001.mid.gz"],
        _ => &["run00001.mid", "run00002.mid.gz"],
    };
    let (threads, output) = (chance.one(&THREADS), chance.one(&OUTPUTS));
    let mut case =
        Case { threads, output, inputs: inputs.to_vec(), cause: Cause::BadEnd, moment: Duration::ZERO };
    let (time, size) = *known.entry((threads, output, inputs.len())).or_insert_with(|| {
        let ended = start(&case, place, "fine", "").within(HANGS).unwrap();
        assert_eq!(ended.status.code(), Some(0), "{case:?}: {}", ended.err);
        let sizes = place.holds(mine).into_iter().map(|name| place.path(&name).metadata().unwrap().len());
        let size = sizes.max().unwrap_or(ended.out.len() as u64);
        clear(place, mine);
        (ended.after, size)
    });
    let gap = chance.below(120);
    case.cause = match chance.below(12) {
        0 | 1 => Cause::Signal("INT", None),
        2 => Cause::Signal("TERM", None),
        3 => Cause::Signal("INT", Some(("INT", gap))),
        4 => Cause::Signal("TERM", Some(("INT", gap))),
        5 => Cause::Kill,
        6 if output == "-" => Cause::Hangup(chance.below(size)),
        6 => Cause::Limit(1 + chance.below(size / 1000)),
        7 => Cause::Full,
        8 => Cause::Panics,
        9 => Cause::Fails,
        10 => Cause::BadBegin,
        _ => Cause::BadEnd,
    };
    case.moment = Duration::from_micros(chance.below(time.as_micros() as u64));
    case
}

/// Removes what a job has made.
fn clear(place: &Place, mine: &[String]) {
    place.holds(mine).iter().for_each(|name| fs::remove_file(place.path(name)).unwrap());
}

fn start(case: &Case, place: &Place, definition: &str, bash: &str) -> Running {
    let toml = format!("{definition}.toml");
    let mut args = vec!["analyze", "-a", &toml, "-j", case.threads];
    args.extend(&case.inputs);
    args.extend(["-o", case.output]);
    if case.output != "-" {
        args.push("--json");
    }
    let mut command = place.command(bash, &args);
    match case.cause {
        Cause::Full if case.output == "-" => {
            let full = File::options().write(true).open("/dev/full").unwrap();
            Running::new(command.stdout(full).stderr(Stdio::piped()))
        }
        Cause::Hangup(bytes) => {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut stdout = child.stdout.take().unwrap();
            std::io::copy(&mut stdout.by_ref().take(bytes), &mut std::io::sink()).unwrap();
            drop(stdout);
            Running::over(child)
        }
        _ => Running::piped(&mut command),
    }
}

/// Does the job, and looks at what it has left. The answer: how it ended.
fn check(case: &Case, place: &Place, mine: &[String]) -> Result<String, String> {
    let definition = match case.cause {
        Cause::Panics => "panics",
        Cause::Fails => "fails",
        Cause::BadBegin => "bad begin",
        Cause::BadEnd => "bad end",
        _ => "fine",
    };
    let bash = match case.cause {
        Cause::Limit(kilobytes) => format!("ulimit -f {kilobytes};"),
        _ => String::new(),
    };
    if case.cause == Cause::Full && case.output != "-" {
        let name = match case.output.split_once('.').unwrap() {
            (_, kind @ ("parquet" | "arrow")) => format!(".o00001.Trigger.{kind}"),
            (_, kind) => format!(".o00001.{kind}"),
        };
        // The name of the hidden file, which is part of no contract; see `unwritten.rs`.
        symlink("/dev/full", place.path(&format!("{name}.part"))).unwrap();
    }
    let running = start(case, place, definition, &bash);
    let ended = match case.cause {
        Cause::Signal(first, second) => {
            std::thread::sleep(case.moment);
            running.signal(first);
            if let Some((second, gap)) = second {
                std::thread::sleep(Duration::from_millis(gap));
                running.signal(second);
            }
            running.within(bound())?
        }
        Cause::Kill => {
            std::thread::sleep(case.moment);
            running.signal("KILL");
            running.within(bound())?
        }
        _ => running.within(HANGS)?,
    };
    let what = judge(case, place, mine, &ended).map_err(|why| {
        format!("{why}; {:?} after {:?}, it said: {:?}", ended.status, ended.after, ended.err)
    })?;
    if case.cause == Cause::Kill {
        // What was left does not stand in the way.
        let again = start(case, place, "fine", "").within(HANGS)?;
        if again.status.code() != Some(0) {
            return Err(format!("once more: {:?}: {}", again.status, again.err));
        }
        judge(&Case { cause: Cause::BadEnd, inputs: case.inputs.clone(), ..*case }, place, mine, &again)?;
    }
    Ok(what)
}

/// The exit code is right, why is said, and what is there is whole.
fn judge(case: &Case, place: &Place, mine: &[String], ended: &Ended) -> Result<String, String> {
    let code = ended.status.code();
    let report: Option<serde_json::Value> = serde_json::from_slice(&ended.out).ok();
    let to_stdout = case.output == "-";
    // In an orderly way.
    let orderly = if to_stdout { ended.err.contains(" damaged; ") } else { report.is_some() };
    let wanted: &[i32] = match case.cause {
        Cause::Signal(..) => &[0, 3],
        Cause::Kill => &[0],
        Cause::Limit(_) => &[0, 5],
        Cause::Full | Cause::Hangup(_) => &[5],
        Cause::Panics | Cause::Fails => &[1],
        Cause::BadBegin => {
            if case.inputs.len() > 1 {
                &[2]
            } else {
                &[0]
            }
        }
        Cause::BadEnd => &[0, 1],
    };
    let killed = ended.status.signal();
    let (hidden, names): (Vec<String>, Vec<String>) =
        place.holds(mine).into_iter().partition(|name| name.starts_with('.'));
    match (code, killed, case.cause) {
        (Some(code), _, _) if wanted.contains(&code) => {}
        (_, Some(9), Cause::Kill) => {}
        // Before the program has heard of signals.
        (_, Some(2 | 15), Cause::Signal(..)) if hidden.is_empty() && names.is_empty() => {}
        _ => return Err(format!("exit code {code:?}, one of {wanted:?} wanted")),
    }
    if code == Some(3) && !ended.err.contains(STOPPING) {
        return Err("it does not say why".into());
    }
    if code == Some(3) && to_stdout && orderly && !ended.err.contains(STOPPED) {
        return Err("it does not say that it is a part".into());
    }
    if code == Some(5) && (!ended.err.starts_with("pactolus: cannot ") || ended.err.lines().count() != 1) {
        return Err("it does not say what could not be written".into());
    }
    if code == Some(2)
        && !(ended.err.contains("pactolus: ") && ended.err.contains("panicked: before the run"))
    {
        return Err("it does not say what has panicked".into());
    }
    let at_once = killed.is_some() || code == Some(3) && !orderly;
    if at_once && matches!(case.cause, Cause::Signal(_, None)) && killed.is_none() {
        return Err("one signal has ended it at once".into());
    }
    if !at_once && !hidden.is_empty() {
        return Err(format!("left behind: {hidden:?}"));
    }
    let found = contents(place, &names)?;
    if to_stdout && orderly {
        fs::write(place.path("stdout.mid"), &ended.out).unwrap();
        let held = whole::events(&place.path("stdout.mid"))?;
        fs::remove_file(place.path("stdout.mid")).unwrap();
        let said = ended.err.lines().find(|line| line.contains(" damaged; ")).unwrap();
        let events: u64 = said.split(", ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let lost: u64 = said.split(", ").nth(2).unwrap().split(' ').next().unwrap().parse().unwrap();
        if held.events != events - lost {
            return Err(format!("{} events in standard output, but: {said}", held.events));
        }
    }
    if let Some(report) = report {
        account(case, &report, found)?;
    }
    Ok(match (code, killed) {
        (Some(code), _) => format!("{code}{}", if code == 3 && at_once { " at once" } else { "" }),
        (_, killed) => format!("signal {}", killed.unwrap_or_default()),
    })
}

/// Reads all files; the events in all of them.
fn contents(place: &Place, names: &[String]) -> Result<u64, String> {
    let mut found = 0;
    for name in names {
        let path = place.path(name);
        let (_, kind) = name.split_once('.').unwrap();
        match kind {
            "mid" | "mid.gz" | "mid.zst" | "asc" => {
                let Held { events, in_order } = whole::events(&path)?;
                if !in_order {
                    return Err(format!("{name}: events are out of order"));
                }
                found += events;
                let record = whole::json(&place.path(&format!("{name}.provenance.json")))?;
                // A file that holds only a part of its run must not pass for one of all.
                let (bad, lost) = (record["runs"][0]["input"]["sha256"].is_string(), EVENTS / 97 + 1);
                if bad && events < EVENTS - lost {
                    return Err(format!("{name}: {events} events, and the digest of the whole input"));
                }
            }
            "Trigger.parquet" | "Trigger.arrow" | "Scaler.parquet" | "Scaler.arrow" => {
                found += whole::rows(&path)?;
            }
            "histos.parquet" | "histos.arrow" => drop(whole::rows(&path)?),
            _ if kind.ends_with("json") => drop(whole::json(&path)?),
            _ => return Err(format!("what is {name}?")),
        }
    }
    Ok(found)
}

/// What the report says adds up, and is what stands in the files.
fn account(case: &Case, report: &serde_json::Value, found: u64) -> Result<(), String> {
    whole::adds_up(report)?;
    if whole::kept(report) != found {
        return Err(format!("{found} events in the files, {} in the report", whole::kept(report)));
    }
    for run in report["runs"].as_array().unwrap() {
        let entered = run["events"]["1"]["delivered"].as_u64().unwrap_or(0);
        for histogram in run["histograms"].as_array().unwrap() {
            if histogram["entries"].as_u64() != Some(entered) {
                return Err(format!("{histogram} of {entered} events"));
            }
        }
        let failed: u64 =
            run["requests"].as_array().unwrap().iter().map(|r| r["failed"].as_u64().unwrap()).sum();
        let wanted = match case.cause {
            // Serial numbers of Trigger events count from 0.
            Cause::Panics | Cause::Fails => entered.div_ceil(97),
            _ => 0,
        };
        if failed != wanted {
            return Err(format!("{failed} events lost, {wanted} expected"));
        }
    }
    Ok(())
}
