//! How much memory a job takes at the most: it must not depend on how much is read, nor on how slow
//! the reader of its output is.

use std::fs;
use std::io::Read;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use pactolus::simulate::Shape;

use crate::child::{Place, definition, module};
use crate::program::MARK;
use crate::runner::Test;

/// Megabytes that no job here may take, whatever its threads. Memory of files is not counted.
const BOUND: u64 = 400;

/// Bytes that a finished run may leave in memory: its entry in the report.
const PER_RUN: u64 = 32 << 10;

pub(crate) fn all() -> Vec<Test> {
    vec![
        ("memory_of_events_behind_a_slow_reader", None, memory_of_events_behind_a_slow_reader),
        ("memory_of_tables_and_packed_events", None, memory_of_tables_and_packed_events),
        ("memory_of_a_module_that_appends", None, memory_of_a_module_that_appends),
        ("memory_of_a_module_that_appends_on_more_threads", None, memory_of_a_module_on_more_threads),
        ("memory_of_many_runs", None, memory_of_many_runs),
    ]
}

/// Bytes of events in a job: few, or as many as `PACTOLUS_BOUNDS` says in G.
fn size(short: u64) -> u64 {
    match std::env::var("PACTOLUS_BOUNDS") {
        Ok(text) => text.trim_end_matches('G').parse::<u64>().unwrap() << 30,
        Err(_) => short << 20,
    }
}

/// Words of bash that make so many bytes of events, half of them big and half small.
fn generator(bytes: u64, packed: bool) -> String {
    let (big, small) = (bytes / 2 / 2048, bytes / 2 / 56);
    let output = if packed { "-.mid.gz" } else { "-" };
    format!(
        "{{ \"$0\" simulate -o {output} --run 1 --shape big --events $(({big}));
           \"$0\" simulate -o {output} --run 2 --events $(({small})); }}"
    )
}

/// Reads a pipe to its end, and counts its bytes; with pauses in which all that is ahead of it fills up.
fn slowly(mut pipe: ChildStdout) -> u64 {
    let mut piece = vec![0; 1 << 20];
    let (mut bytes, mut pause) = (0, 0);
    loop {
        if bytes >= pause {
            std::thread::sleep(Duration::from_millis(700));
            pause += (pause / 2).max(30 << 20);
        }
        match pipe.read(&mut piece).unwrap() {
            0 => return bytes,
            read => bytes += read as u64,
        }
    }
}

/// What a process took.
struct Watched {
    /// The most memory of its own, in bytes.
    peak: u64,
    code: Option<i32>,
    /// Bytes in standard output.
    written: u64,
}

/// Looks after a process until it ends.
fn watch(command: &mut Command) -> Watched {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let reader = child.stdout.take().map(|pipe| std::thread::spawn(move || slowly(pipe)));
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let begun = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let kilobytes = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes = kilobytes.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) << 10);
        if begun.elapsed() > Duration::from_secs(1800) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let written = reader.map_or(0, |reader| reader.join().unwrap());
    Watched { peak, code, written }
}

/// Measures a job that reads so many bytes from a pipe; the line for it, and whether it is within bounds.
fn measure(
    bytes: u64,
    packed: bool,
    threads: &str,
    module: Option<&str>,
    outputs: &[&str],
) -> (String, bool) {
    let place = Place::new();
    let own = std::env::current_exe().unwrap();
    let mut feed = Command::new("bash");
    feed.args(["-c", &generator(bytes, packed)]).arg(own).env(MARK, "1");
    let mut feed = feed.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut args = vec!["analyze", "-", "-q", "-j", threads, "-o"];
    args.extend(outputs);
    if let Some(module) = module {
        place.put("lab.toml", &definition(module));
        args.extend(["-a", "lab.toml"]);
    }
    let begun = Instant::now();
    let mut command = place.command("", &args);
    let Watched { peak, code, written } = watch(command.stdin(feed.stdout.take().unwrap()));
    feed.wait().unwrap();
    let packed = if packed { ".gz" } else { "plain" };
    let with = if module.is_some() { ", with a module" } else { "" };
    let line = format!(
        "{} MB {packed}, {threads} threads, to {}{with}: {} MB of memory, {} MB written, {:.1} s",
        bytes >> 20,
        outputs.join(" "),
        peak >> 20,
        written >> 20,
        begun.elapsed().as_secs_f64()
    );
    println!("  {line}");
    // All of it was read and written; a generator makes a little less than it was asked for.
    let least = if outputs.contains(&"-") { bytes / 100 * 95 } else { bytes / 10 };
    let whole = written >= least;
    (format!("{line}; exit code {code:?}"), code == Some(0) && whole && peak >> 20 <= BOUND)
}

fn all_within(lines: impl IntoIterator<Item = (String, bool)>) {
    let beyond: Vec<String> = lines.into_iter().filter(|(_, within)| !within).map(|(line, _)| line).collect();
    assert!(beyond.is_empty(), "more than {BOUND} MB, or failed:\n{}", beyond.join("\n"));
}

fn memory_of_events_behind_a_slow_reader() {
    all_within(["1", "2", "8"].map(|threads| measure(size(200), false, threads, None, &["-"])));
}

fn memory_of_tables_and_packed_events() {
    let outputs: [&[&str]; 3] = [&["-", "o.mid.gz", "o%05d.parquet"], &["-.mid.gz"], &["-.Trigger.arrow"]];
    let threads = ["1", "2", "8"].into_iter();
    let cases =
        threads.flat_map(|t| outputs.map(|o| (t, o))).flat_map(|(t, o)| [(t, o, false), (t, o, true)]);
    // Not all of them in the short form.
    let long = std::env::var_os("PACTOLUS_BOUNDS").is_some();
    let cases = cases.enumerate().filter(|(i, _)| long || i % 5 == 0).map(|(_, case)| case);
    all_within(cases.map(|(threads, outputs, packed)| measure(size(60), packed, threads, None, outputs)));
}

/// Threads and outputs of a job.
type Grown = (&'static str, &'static [&'static str]);

/// Measures jobs with a module that makes of each event twenty times as much.
fn grown(cases: &[Grown]) {
    let grow = module("Grow", "");
    let bytes = size(400) / 20;
    all_within(cases.iter().map(|(threads, outputs)| measure(bytes, false, threads, Some(&grow), outputs)));
}

fn memory_of_a_module_that_appends() {
    grown(&[("1", &["-"]), ("1", &["-", "o%05d.parquet"]), ("2", &["-"])]);
}

fn memory_of_a_module_on_more_threads() {
    grown(&[("2", &["-", "o%05d.parquet"]), ("8", &["-"]), ("8", &["-", "o%05d.parquet"])]);
}

fn memory_of_many_runs() {
    const RUNS: u64 = 300;
    let place = Place::new();
    place.put("lab.toml", &definition(&module("Spectra", "")));
    for run in 1..=RUNS {
        place.simulate(run as u32, 20, Shape::Small);
    }
    let names: Vec<String> = (1..=RUNS).map(|run| format!("run{run:05}.mid")).collect();
    let mut wrong = Vec::new();
    // Not all of them in the short form: each run is brought to the disk.
    let long = std::env::var_os("PACTOLUS_BOUNDS").is_some();
    for (output, often) in
        [("o%05d.parquet", true), ("o%05d.mid", false), ("all.parquet", true), ("all.mid", false)]
    {
        for threads in if long { &["1", "8"][..] } else { &["2"] } {
            if !often && !long {
                continue;
            }
            let peak = |runs: &[String]| {
                let mut args = vec!["analyze", "-q", "-a", "lab.toml", "-j", threads, "-o", output];
                args.extend(["-i"].into_iter().chain(runs.iter().map(String::as_str)));
                let Watched { peak, code, .. } = watch(&mut place.command("", &args));
                assert_eq!(code, Some(0), "{output}, {threads} threads");
                peak
            };
            // Less than ten runs do not fill what is reused.
            let (few, many) = (peak(&names[..30]), peak(&names));
            let each = many.saturating_sub(few) / (RUNS - 30);
            let line = format!(
                "{output}, {threads} threads: {} MB after 30 runs, {} MB after {RUNS}: {} kB a run",
                few >> 20,
                many >> 20,
                each >> 10
            );
            println!("  {line}");
            if each > PER_RUN {
                wrong.push(line);
            }
        }
    }
    assert!(wrong.is_empty(), "more than {PER_RUN} bytes a run:\n{}", wrong.join("\n"));
}
