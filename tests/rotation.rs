//! Tables that rotate while a run goes on: others read each part as soon as it has its name, and joined
//! they are the tables of a run that is analyzed at once, byte for byte.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{MidFile, Ran, run};
use pactolus::formats::Tid;
use pactolus::formats::tuple::{PlainColumn, PlainReader, PlainType, TablePart, table_metadata};
use pactolus::histo::Histograms;
use serde_json::Value;
use tempfile::TempDir;

/// Banks that come late, that change, and text that turns out to be none.
fn events(run: u32, count: u32) -> MidFile {
    let mut file = MidFile::new().bor(run);
    for n in 0..count {
        let adc0: Vec<u8> = (0..n % 7).flat_map(|i| ((n * 7 + i) as u16).to_le_bytes()).collect();
        let text: &[u8] = if n > count / 2 && n % 97 == 0 { b"\xff\xfe\0" } else { b"text\0" };
        let float = f64::from(n).sin().to_le_bytes();
        let mut banks: Vec<(&str, Tid, &[u8])> = vec![("TEXT", Tid::String, text)];
        match n {
            n if n % 11 == 5 => banks.push(("ADC0", Tid::Float, &float[..4])),
            n if n % 3 > 0 => banks.push(("ADC0", Tid::Word, &adc0)),
            _ => {}
        }
        if n > count / 3 {
            banks.push(("LATE", Tid::Double, &float));
        }
        file = match n % 10 {
            9 => file.event(2, n / 10, &[("SCLR", Tid::Double, &float)]),
            _ => file.event(1, n - n / 10, &banks),
        };
    }
    file.eor(run)
}

const LAB: &str = r#"
[[request]]
name = "Trigger"
id = 1
banks = { ADC0 = { type = "WORD", histogram = true } }
[[request]]
name = "Scaler"
id = 2
"#;

/// A directory with a definition.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(TempDir::new().unwrap());
        fs::write(place.path("lab.toml"), LAB).unwrap();
        for directory in ["live", "whole"] {
            fs::create_dir(place.path(directory)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a command line; `@` stands for the directory.
    fn run(&self, line: &str) -> Ran {
        let root = format!("{}/", self.0.path().display());
        let args: Vec<String> = line.split_whitespace().map(|arg| arg.replace('@', &root)).collect();
        run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs it on a pipe, `name`, into which the events come in pieces.
    fn live(&self, line: &str, name: &str, events: &MidFile) -> Ran {
        let fifo = self.path(name);
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let (bytes, to) = (events.bytes.clone(), fifo.clone());
        let writer = thread::spawn(move || {
            let mut pipe = fs::OpenOptions::new().write(true).open(to).unwrap();
            for piece in bytes.chunks(bytes.len() / 60 + 1) {
                if pipe.write_all(piece).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(4));
            }
        });
        let ran = self.run(line);
        // A job that has refused to begin has left the writer alone.
        drop(fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap());
        drop(writer.join());
        fs::remove_file(fifo).unwrap();
        ran
    }

    /// What has a name in a directory.
    fn names(&self, directory: &str) -> Vec<String> {
        let files = fs::read_dir(self.path(directory)).unwrap();
        let names = files.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    fn files(&self, directory: &str) -> BTreeMap<String, Vec<u8>> {
        let read = |name: String| {
            let bytes = fs::read(self.path(directory).join(&name)).unwrap();
            (name, bytes)
        };
        self.names(directory).into_iter().map(read).collect()
    }

    /// The parts of tables, by name of the table they are of.
    fn parts(&self, directory: &str) -> BTreeMap<PathBuf, Vec<TablePart>> {
        let mut parts: BTreeMap<PathBuf, Vec<TablePart>> = BTreeMap::new();
        for name in self.files(directory).into_keys().filter(|name| !name.ends_with(".json")) {
            if let Some(part) = TablePart::open(&self.path(directory).join(name)).unwrap() {
                parts.entry(part.whole()).or_default().push(part);
            }
        }
        parts
    }

    fn arguments(&self, directory: &str) -> Vec<String> {
        let names = self.parts(directory).into_values().flatten();
        names.map(|part| part.path().to_str().unwrap().to_owned()).rev().collect()
    }

    /// Joins all parts of a directory.
    fn merge(&self, directory: &str, more: &[&str]) -> Ran {
        let parts = self.arguments(directory);
        let args = ["merge"].into_iter().chain(parts.iter().map(String::as_str)).chain(more.iter().copied());
        run(&args.collect::<Vec<_>>())
    }
}

/// Every table of a run that came in pieces is that of the whole file.
fn check(flags: &str) {
    let place = Place::new();
    let run42 = events(42, 12_000);
    let outputs = |to: &str| format!("-o @{to}/run%05d.parquet @{to}/run%05d.arrow {flags}");
    let analyze = "analyze @run00042.mid -j 2 -a @lab.toml";
    let live = place.live(&format!("{analyze} {} --rotate 0.001", outputs("live")), "run00042.mid", &run42);
    // Values of another type are left out, in both.
    assert_eq!(live.code, 1, "{}{}", live.out, live.err);
    run42.save(place.path("run00042.mid"));
    let whole = place.run(&format!("{analyze} {}", outputs("whole")));
    assert_eq!(whole.code, 1, "{}{}", whole.out, whole.err);
    let refused = |ran: &Ran| {
        let lines: Vec<String> =
            ran.out.lines().filter(|line| line.contains("refused")).map(str::to_owned).collect();
        lines.join("\n")
    };
    assert_eq!(refused(&live), refused(&whole));
    assert!(live.out.contains("wrote ") && live.out.contains("run00042.Trigger.*.parquet: "), "{}", live.out);

    let parts = place.parts("live");
    assert_eq!(parts.len(), 4);
    for (table, parts) in &parts {
        assert!(parts.len() > 2, "{}: {} parts", table.display(), parts.len());
        let mut rows = 0;
        for (i, part) in parts.iter().enumerate() {
            assert_eq!((part.number(), part.is_last()), (i as u64 + 1, i + 1 == parts.len()));
            rows += part.rows();
            assert_eq!(kept(part.path(), part.table()), rows, "{}", part.path().display());
        }
    }
    let merged = place.merge("live", &["--remove"]);
    assert_eq!(merged.code, 0, "{}", merged.err);
    let (live, whole) = (place.files("live"), place.files("whole"));
    assert!(live.keys().eq(whole.keys()), "{:?} {:?}", live.keys(), whole.keys());
    for (name, bytes) in &whole {
        assert!(live[name] == *bytes, "{name}: {} bytes, {} wanted", live[name].len(), bytes.len());
    }
}

/// The events that a table holds by the account in its metadata.
fn kept(path: &Path, table: &str) -> u64 {
    let metadata = table_metadata(path).unwrap().unwrap();
    let (_, text) = metadata.iter().find(|(key, _)| key == "pactolus.ledger").unwrap();
    let runs: Value = serde_json::from_str(text).unwrap();
    let requests = runs.as_array().unwrap().iter().flat_map(|run| run["requests"].as_array().unwrap());
    requests.filter(|request| request["name"] == table).map(|request| request["kept"].as_u64().unwrap()).sum()
}

#[test]
fn parts_of_a_run_that_comes_in_pieces_are_its_tables() {
    check("");
}

#[test]
fn parts_of_flat_tables_are_the_tables() {
    check("--flat");
}

#[test]
fn parts_go_on_over_runs_that_are_appended() {
    let place = Place::new();
    for n in [41, 42] {
        events(n, 2000).save(place.path(&format!("run{n:05}.mid")));
    }
    let analyze = "analyze @run00041.mid @run00042.mid -j 1 -a @lab.toml -q -o";
    assert_eq!(place.run(&format!("{analyze} @live/all.parquet --rotate 0.000001")).code, 1);
    assert_eq!(place.run(&format!("{analyze} @whole/all.parquet")).code, 1);
    assert_eq!(place.merge("live", &["--remove"]).code, 0);
    assert!(place.files("live") == place.files("whole"));
    assert_eq!(kept(&place.path("live/all.Scaler.parquet"), "Scaler"), 400);
}

#[test]
fn parts_are_whole_at_any_moment() {
    let place = Place::new();
    let (done, seen) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let look = scope.spawn(|| {
            let mut looked = 0;
            while !done.load(Ordering::Relaxed) {
                for name in place.names("live") {
                    let path = place.path("live").join(&name);
                    if name.contains("histos") {
                        let histograms = Histograms::read(&path).unwrap();
                        assert_eq!(histograms.list.len(), 1);
                        seen.store(true, Ordering::Relaxed);
                        continue;
                    }
                    let part = TablePart::open(&path).unwrap().unwrap();
                    let serial = PlainColumn::new("serial", PlainType::U32);
                    let mut rows = PlainReader::open(&path, &[serial]).unwrap();
                    let mut count = 0;
                    while rows.next_row().unwrap().is_some() {
                        count += 1;
                    }
                    assert_eq!(count, part.rows(), "{name}");
                    looked += 1;
                }
            }
            looked
        });
        let line = "analyze @run00042.mid -j 2 -a @lab.toml -q -o @live/run%05d.parquet --rotate 0.01";
        let ran = place.live(line, "run00042.mid", &events(42, 3000));
        // An error here must not leave the other thread looking.
        let before = seen.load(Ordering::Relaxed);
        done.store(true, Ordering::Relaxed);
        assert!(look.join().unwrap() > 5);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(before, "no histograms while the run went on");
    });
    // In the end they are those of the whole run.
    let histograms = Histograms::read(&place.path("live/run00042.histos.json")).unwrap();
    events(42, 3000).save(place.path("run00042.mid"));
    place.run("analyze @run00042.mid -a @lab.toml -q -o @whole/run%05d.parquet");
    let whole = Histograms::read(&place.path("whole/run00042.histos.json")).unwrap();
    assert_eq!(histograms.list[0].entries(), whole.list[0].entries());
}

/// Reads all files that have a name, over and over, until there is one called `done`.
const READER: &str = r"
import glob, json, os, sys
import pyarrow as pa, pyarrow.parquet as pq
parts, histos = set(), 0
done = False
while not done:
    done = os.path.exists('done')
    for name in glob.glob('live/*'):
        if name.endswith('.json'):
            json.load(open(name))
            histos += 1
        elif name.endswith('.parquet'):
            table = pq.read_table(name)
        else:
            table = pa.ipc.open_file(name).read_all()
        if 'histos' not in name:
            table.validate(full=True)
            parts.add((name, table.num_rows, os.stat(name).st_size, os.stat(name).st_ino))
names = {part[0] for part in parts}
assert len(names) == len(parts), 'a part has changed'
for kind in ['parquet', 'arrow']:
    for table, rows in [('Trigger', 2700), ('Scaler', 300)]:
        found = sum(part[1] for part in parts if table in part[0] and part[0].endswith(kind))
        assert found == rows, (table, kind, found)
print(len(parts), histos)
";

#[test]
fn python_reads_all_parts_while_they_are_written() {
    let Ok(python) = std::env::var("PACTOLUS_PYTHON") else {
        eprintln!("left out: PACTOLUS_PYTHON names no Python with the packages");
        return;
    };
    let place = Place::new();
    let mut reader = Command::new(python);
    reader.args(["-c", READER]).current_dir(place.path("")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let reader = reader.spawn().unwrap();
    let outputs = "@live/run%05d.parquet @live/run%05d.arrow --rotate 0.01";
    let ran = place.live(
        &format!("analyze @run00042.mid -j 2 -a @lab.toml -q -o {outputs}"),
        "run00042.mid",
        &events(42, 3000),
    );
    assert_eq!(ran.code, 1, "{}", ran.err);
    fs::write(place.path("done"), "").unwrap();
    let read = reader.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{said}");
    println!("parts, histograms: {}", String::from_utf8_lossy(&read.stdout));
}

#[test]
fn a_run_that_begins_anew_replaces_its_parts() {
    let place = Place::new();
    events(42, 3000).save(place.path("run00042.mid"));
    let analyze = |n: u32, more: &str| {
        let outputs = format!("@live/run%05d.parquet @live/run%05d.Trigger.parquet --rotate {more}");
        place.run(&format!("analyze @run00042.mid -j 1 -n {n} -a @lab.toml -o {outputs}"))
    };
    // The names of the second output begin as those of the first.
    assert!(!analyze(3000, "0.000001 --strict").err.contains("earlier"));
    let before = place.parts("live").into_values().flatten().count();
    assert!(before > 4, "{before}");
    let whole = place.path("live/run00042.Scaler.parquet");
    fs::write(&whole, "stays").unwrap();
    // Nor is the table of an earlier analysis one of this.
    let table = place.path("live/run00042.Trigger.parquet");
    let offline = place.run("analyze @run00042.mid -j 1 -a @lab.toml -o @live/run%05d.parquet");
    let said = format!(
        "parts of an earlier analysis lie beside the tables of {}",
        table.with_file_name("run00042.parquet").display()
    );
    assert!(offline.err.contains(&said), "{said}, found {}", offline.err);
    fs::write(&whole, "stays").unwrap();
    let input = format!(
        "analyze @run00042.mid -a @lab.toml -o @live/run%05d.parquet --rotate 1 --epochs {}",
        table.display()
    );
    let refused = place.run(&input);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("run00042.Trigger.parquet is also an input"), "{}", refused.err);
    assert!(table.exists());
    let again = analyze(10, "1000");
    assert!(
        again.err.contains("warning: run 42: 1 whole table of an earlier analysis is replaced"),
        "{}",
        again.err
    );
    assert!(!table.exists());
    let said = format!("warning: run 42: {before} parts of an earlier analysis are replaced");
    assert!(again.err.contains(&said), "{said}, found {}", again.err);
    let parts = place.parts("live").into_values().flatten().map(|part| (part.number(), part.is_last()));
    assert_eq!(parts.collect::<Vec<_>>(), [(1, true); 4]);
    assert_eq!(fs::read(&whole).unwrap(), b"stays");

    // What is not ours stops the job before anything is done.
    let strange = place.path("live/run00042.Trigger.000002.parquet");
    fs::write(&strange, "a letter").unwrap();
    let files = place.files("live");
    let refused = analyze(10, "1000");
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(
        refused.err.contains("run00042.Trigger.000002.parquet has the name of a part"),
        "{}",
        refused.err
    );
    assert!(place.files("live") == files);

    // Who follows runs goes on, and the file stays.
    let line =
        "analyze follow:@run00042.mid -j 1 -a @lab.toml -o @live/run%05d.parquet --rotate 0.000001 --strict";
    let followed = place.run(line);
    assert!(
        followed.err.contains("run00042.Trigger.000002.parquet has the name of a part"),
        "{}",
        followed.err
    );
    assert_eq!(fs::read(&strange).unwrap(), b"a letter");
    fs::remove_file(strange).unwrap();
    let parts = place.parts("live").remove(&table).unwrap();
    let numbers: Vec<u64> = parts.iter().map(TablePart::number).collect();
    assert_eq!(numbers, (1..=parts.len() as u64).collect::<Vec<_>>());
    let names = parts.iter().filter_map(|part| part.path().file_name()?.to_str());
    let names: Vec<&str> = names.take(2).collect();
    assert_eq!(names, ["run00042.Trigger.000001.parquet", "run00042.Trigger.000003.parquet"]);
    fs::remove_file(whole).unwrap();
    assert_eq!(place.merge("live", &[]).code, 0);
}

/// A pipe into which the events come in two pieces.
struct Pipe {
    path: PathBuf,
    file: Option<fs::File>,
    rest: Vec<u8>,
}

impl Pipe {
    fn new(place: &Place, name: &str) -> Pipe {
        let path = place.path(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        Pipe { path, file: None, rest: Vec::new() }
    }

    fn half(&mut self, events: &MidFile) {
        let (first, rest) = events.bytes.split_at(events.bytes.len() / 2);
        let mut file = fs::OpenOptions::new().write(true).open(&self.path).unwrap();
        file.write_all(first).unwrap();
        (self.file, self.rest) = (Some(file), rest.to_vec());
    }

    /// The rest, and the end. Perhaps nobody reads it any more.
    fn end(&mut self) {
        drop(self.file.take().unwrap().write_all(&self.rest));
    }
}

/// Waits until something holds for a while.
fn wait_for(mut holds: impl FnMut() -> bool) {
    for _ in 0..200 {
        thread::sleep(Duration::from_millis(50));
        if holds() {
            return;
        }
    }
    panic!("it does not come");
}

#[test]
fn of_two_that_write_the_same_parts_the_later_one_goes_on() {
    let place = Place::new();
    let run42 = events(42, 3000);
    let analyze = |pipe: &str| {
        place.run(&format!("analyze @{pipe} -j 2 -a @lab.toml -o @live/run%05d.parquet --rotate 0.000001"))
    };
    thread::scope(|scope| {
        // Where a test fails, they end before anybody waits for the jobs.
        let (mut first, mut second) = (Pipe::new(&place, "first"), Pipe::new(&place, "second"));
        let one = scope.spawn(|| analyze("first"));
        first.half(&run42);
        let mut before = BTreeMap::new();
        wait_for(|| {
            let now = place.files("live");
            let is_still = !now.is_empty() && now == before;
            before = now;
            is_still
        });
        let other = scope.spawn(|| analyze("second"));
        second.half(&run42);
        let path = place.path("live/run00042.Trigger.000001.parquet");
        wait_for(|| {
            let metadata = table_metadata(&path).ok().flatten().unwrap_or_default();
            metadata.iter().any(|(key, text)| key == "pactolus.provenance" && text.contains("/second"))
        });
        first.end();
        let one = one.join().unwrap();
        assert_eq!(one.code, 5, "{}", one.err);
        assert!(one.err.contains("run00042.*.parquet: another job writes it, too"), "{}", one.err);
        second.end();
        let other = other.join().unwrap();
        assert_eq!(other.code, 1, "{}", other.err);
        assert!(other.err.contains("of an earlier analysis"), "{}", other.err);
    });
    let parts = place.parts("live").into_values().flatten();
    for part in parts {
        let metadata = table_metadata(part.path()).unwrap().unwrap();
        assert!(metadata.iter().all(|(_, text)| !text.contains("/first")), "{}", part.path().display());
    }
    assert_eq!(place.merge("live", &["--remove"]).code, 0);
    let hidden = fs::read_dir(place.path("live")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(hidden.into_iter().all(|name| !name.to_str().unwrap().starts_with('.')));
    assert_eq!(kept(&place.path("live/run00042.Trigger.parquet"), "Trigger"), 2700);
}

#[test]
fn what_is_there_of_a_run_can_be_joined() {
    let place = Place::new();
    events(42, 3000).save(place.path("run00042.mid"));
    let line =
        "analyze @run00042.mid -j 1 -a @lab.toml -q -o @live/run%05d.parquet --rotate 0.000001 --strict";
    place.run(line);
    let trigger = place.parts("live").remove(&place.path("live/run00042.Trigger.parquet")).unwrap();
    fs::remove_file(trigger.last().unwrap().path()).unwrap();
    let merged = place.merge("live", &["--remove", "--json"]);
    assert_eq!(merged.code, 1, "{}", merged.err);
    let said = format!("part {} is not the last", trigger.len() - 1);
    assert!(merged.err.contains(&said) && merged.err.contains("its parts stay"), "{}", merged.err);
    let report: Value = serde_json::from_str(&merged.out).unwrap();
    let said = |i: usize| (report["outputs"][i]["complete"].clone(), report["outputs"][i]["removed"].clone());
    assert_eq!((said(0), said(1)), ((true.into(), true.into()), (false.into(), false.into())));
    // Those of the table that was whole are gone.
    assert_eq!(place.parts("live").into_values().flatten().count(), trigger.len() - 1);
}
