//! Files that are analyzed while they are written give what an analysis of the finished files gives.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::MidFile;
use common::bench::{analyse, assert_accounts, ends};
use common::{catalogue, corpus, definition};
use pactolus::formats::compress::Output;
use pactolus::formats::mid::Block;
use pactolus::formats::tuple::{TablePart, TableParts, table_metadata};
use pactolus::formats::{Compression, Limits};
use pactolus::odb::Odb;
use pactolus::prelude::*;
use pactolus::{Arrival, Definition, Ended, Follow, Lag, Report, Stop};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use tempfile::TempDir;

/// So long no file here is silent.
const TIMEOUT: Duration = Duration::from_secs(30);

fn analyzer() -> Analyzer {
    let definition = Definition::read(definition("analyzer2")).unwrap();
    Analyzer::from_definition(&definition, &catalogue()).unwrap()
}

/// Directories for the files that are written, their copies, and outputs.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let dir = TempDir::new().unwrap();
        for name in ["fast", "slow", "live", "offline"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Scene { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A job with outputs of every kind.
    fn job(&self, to: &str) -> Job {
        let job = Job::new().threads(2);
        ["run%05d.mid", "run%05d.asc", "run%05d.parquet", "run%05d.arrow"]
            .iter()
            .fold(job, |job, name| job.output(self.path(to).join(name).to_str().unwrap()).unwrap())
    }

    fn follow(&self, mut follow: Follow) -> Report {
        follow.timeout = Some(TIMEOUT);
        let job = Job { rotate: Some(Duration::from_millis(20)), ..self.job("live").follow(follow) };
        let report = ends(move || analyzer().run(&job)).unwrap();
        assert_accounts(&report);
        report
    }

    /// Joins the parts of the tables, of which there are some more than tables.
    fn join(&self) {
        let files = || fs::read_dir(self.path("live")).unwrap().map(|entry| entry.unwrap().path());
        let parts: Vec<TablePart> = files().filter_map(|path| TablePart::open(&path).unwrap()).collect();
        let names: Vec<PathBuf> = files().filter(|path| TablePart::open(path).unwrap().is_some()).collect();
        let tables = TableParts::sorted(parts).unwrap();
        assert!(names.len() > tables.len(), "{names:?}");
        for table in &tables {
            assert!(table.is_complete());
            table.join(&table.whole(), None).unwrap().finish().unwrap();
        }
        names.iter().for_each(|path| fs::remove_file(path).unwrap());
    }

    /// The finished files give the same.
    fn compare(&self, inputs: &[PathBuf], live: &Report) {
        self.join();
        let job = inputs.iter().fold(self.job("offline"), Job::input);
        let report = analyse(&analyzer(), &job);
        for (live, offline) in live.runs.iter().zip(&report.runs) {
            assert_eq!((&live.events, live.system), (&offline.events, offline.system));
            assert_eq!(live.requests, offline.requests);
        }
        assert_eq!(live.runs.len(), report.runs.len());
        for name in ["run00042.mid.provenance.json", "run00006.mid.provenance.json"] {
            let text = |to: &str| fs::read_to_string(self.path(to).join(name)).ok();
            assert_eq!(text("live"), text("offline"));
        }
        let names = |to: &str| {
            let mut names: Vec<_> =
                fs::read_dir(self.path(to)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names("live"), names("offline"));
        assert!(names("live").len() >= 8, "{:?}", names("live"));
        for name in names("live") {
            let (live, offline) = (self.path("live").join(&name), self.path("offline").join(&name));
            assert!(fs::read(&live).unwrap() == fs::read(offline).unwrap(), "{name:?} differs");
            fs::remove_file(live).unwrap();
        }
    }
}

fn compressed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut output = Output::new(compression, None, Vec::new()).unwrap();
    output.write_all(bytes).unwrap();
    output.finish().unwrap()
}

/// Appends in pieces of `least` to `most` bytes; so many of them with a pause behind.
fn write_in_pieces(path: &Path, bytes: &[u8], (least, most): (u32, u32), seed: u64) {
    let mut random = Pcg32::seed_from_u64(seed);
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    let mut rest = bytes;
    // About a hundred pauses, however many pieces there are.
    let pieces = bytes.len() as u32 / (least / 2 + most / 2 + 1) + 1;
    while !rest.is_empty() {
        let size = (least + random.next_u32() % (most - least + 1)) as usize;
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        file.write_all(piece).unwrap();
        rest = behind;
        if random.next_u32() % (pieces / 100 + 1) == 0 {
            std::thread::sleep(Duration::from_micros(u64::from(random.next_u32() % 3000)));
        }
    }
}

/// Pieces of 1 byte, of about an event, of about a block, and of a megabyte.
const PIECES: [(u32, u32); 4] = [(1, 1), (1, 200), (1, 50_000), (1, 1_000_000)];

#[test]
fn pieces_of_any_size_give_the_same_bits() {
    let plain = fs::read(corpus("mid/run00006.mid")).unwrap();
    for (i, pieces) in PIECES.into_iter().enumerate() {
        let scene = Scene::new();
        let path = scene.path("fast/run00006.mid");
        let (to, bytes) = (path.clone(), plain.clone());
        let writer = std::thread::spawn(move || write_in_pieces(&to, &bytes, pieces, i as u64));
        let report = scene.follow(Follow::new(&path).unwrap());
        writer.join().unwrap();
        assert_eq!(report.ended, None);
        scene.compare(&[path], &report);
    }
}

#[test]
fn compressed_files_are_read_as_they_grow() {
    let plain = fs::read(corpus("mid/run00006.mid")).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = ["gz", "lz4", "bz2", "zst"]
        .into_iter()
        .map(|name| {
            let compression = Compression::from_extension(name).unwrap();
            (format!("run00006.mid.{name}"), compressed(compression, &plain))
        })
        .collect();
    for name in ["run00006.twoframe.mid.lz4", "run00006.twomember.mid.gz", "run00006.linked.mid.lz4"] {
        files.push((name.into(), fs::read(corpus(&format!("comp/{name}"))).unwrap()));
    }
    for (i, (name, bytes)) in files.into_iter().enumerate() {
        for pieces in [(1, 200), (1, 50_000)] {
            let scene = Scene::new();
            let path = scene.path("fast").join(&name);
            let (to, bytes) = (path.clone(), bytes.clone());
            let writer = std::thread::spawn(move || write_in_pieces(&to, &bytes, pieces, i as u64));
            let report = scene.follow(Follow::new(&path).unwrap());
            writer.join().unwrap();
            assert_eq!(report.ended, None, "{name}");
            scene.compare(&[path], &report);
        }
    }
}

#[test]
fn a_copy_takes_over_where_the_first_is_deleted() {
    let plain = fs::read(corpus("mid/run00006.mid")).unwrap();
    for (i, early) in [false, true].into_iter().enumerate() {
        let scene = Scene::new();
        let (fast, slow) = (scene.path("fast/run00006.mid"), scene.path("slow/run00006.mid"));
        let bytes = plain.clone();
        let (to, copy) = (fast.clone(), slow.clone());
        let writer = std::thread::spawn(move || {
            let half = bytes.len() / 2;
            write_in_pieces(&to, &bytes[..half], (1, 20_000), i as u64);
            let copier = std::thread::spawn({
                let (from, to, bytes) = (to.clone(), copy.clone(), bytes.clone());
                move || {
                    // What the first holds is a beginning of these bytes.
                    let there = fs::metadata(&from).unwrap().len() as usize;
                    write_in_pieces(&to, &bytes[..there / 2], (1, 30_000), 7);
                    if early {
                        fs::remove_file(&from).unwrap();
                    }
                    write_in_pieces(&to, &bytes[there / 2..], (1, 30_000), 8);
                    if !early {
                        fs::remove_file(&from).unwrap();
                    }
                }
            });
            if !early {
                write_in_pieces(&to, &bytes[half..], (1, 20_000), 9);
            }
            copier.join().unwrap();
        });
        let report = scene.follow(Follow::new(&fast).unwrap().copied_to(scene.path("slow")));
        writer.join().unwrap();
        assert_eq!(report.ended, None);
        assert!(!fast.exists());
        scene.compare(&[slow], &report);
    }
}

/// An EOR with an ODB in which this transition goes on: 0 for none, 2 for the end of the run.
fn eor(file: MidFile, run: u32, transition: i32) -> MidFile {
    let dump = format!("{{\"Runinfo\": {{\"Transition in progress\": {transition}, \"State\": 3}}}}\n\0");
    file.raw(0x8001, 0x494d, run, dump.as_bytes())
}

/// A subrun with these events of request Trigger.
fn subrun(run: u32, serials: std::ops::Range<u32>, transition: i32) -> Vec<u8> {
    let events = serials.fold(MidFile::new().bor(run), |file, serial| {
        file.words(1, serial, "ADC0", &[200 + serial as u16, 300, 400, 500])
    });
    eor(events, run, transition).bytes
}

#[test]
fn subruns_are_one_run_and_runs_come_as_they_appear() {
    let scene = Scene::new();
    let files = [
        ("run00041.mid", subrun(41, 0..10, 2)),
        ("run00042sub0000.mid", subrun(42, 0..100, 0)),
        ("run00042sub0001.mid", subrun(42, 100..200, 0)),
        ("run00042sub0002.mid", subrun(42, 200..230, 2)),
        ("run00043.mid", subrun(43, 0..50, 2)),
        // Its EOR does not come, but the next run does.
        ("run00045.mid", subrun(45, 0..20, 2)[..500].to_vec()),
        ("run00046.mid", subrun(46, 0..20, 2)),
        ("run00047.mid", subrun(47, 0..20, 2)),
    ];
    let inputs: Vec<PathBuf> = files[1..7].iter().map(|(name, _)| scene.path("fast").join(name)).collect();
    // The newest is the first.
    for (name, bytes) in &files[..2] {
        fs::write(scene.path("fast").join(name), bytes).unwrap();
    }
    let directory = scene.path("fast");
    let writer = std::thread::spawn(move || {
        for (i, (name, bytes)) in files[2..].iter().enumerate() {
            std::thread::sleep(Duration::from_millis(300));
            let path = directory.join(name).with_extension("mid.inprogress");
            write_in_pieces(&path, bytes, (1, 500), i as u64);
            fs::rename(&path, directory.join(name)).unwrap();
        }
    });
    let mut follow = Follow::new(scene.path("fast")).unwrap();
    assert_eq!((follow.timeout, follow.runs), (None, None));
    follow.runs = Some((42, 46));
    // Long enough for these files.
    follow.stillness = Duration::from_secs(1);
    let report = scene.follow(follow);
    writer.join().unwrap();
    assert_eq!(report.ended, None);
    assert_eq!(
        report.runs.iter().map(|run| (run.run, run.files)).collect::<Vec<_>>(),
        [(42, 3), (43, 1), (45, 1), (46, 1)]
    );
    // Each part names the files so far.
    let files = fs::read_dir(scene.path("live")).unwrap().map(|entry| entry.unwrap().path());
    let mut named = Vec::new();
    for path in files.filter(|path| path.to_string_lossy().contains("run00042.Trigger.0")) {
        let metadata = table_metadata(&path).unwrap().unwrap();
        let (_, text) = metadata.iter().find(|(key, _)| key == "pactolus.provenance").unwrap();
        let said: serde_json::Value = serde_json::from_str(text).unwrap();
        let input = &said["runs"][0]["input"];
        named.push((path, input.as_array().map_or(1, Vec::len)));
    }
    named.sort();
    assert!(named.is_sorted_by_key(|(_, files)| *files), "{named:?}");
    let counts: Vec<usize> = named.iter().map(|(_, files)| *files).collect();
    assert!(counts[0] == 1 && counts.contains(&2), "{named:?}");
    scene.compare(&inputs, &report);
}

#[test]
fn a_subrun_that_comes_late_is_waited_for() {
    let scene = Scene::new();
    let directory = scene.path("fast");
    let name = |subrun: u32| format!("run00042sub{subrun:04}.mid");
    // One with a higher number is there of old, and one without an ODB in its EOR ends the run.
    fs::write(directory.join("run99999.mid"), subrun(99_999, 0..10, 2)).unwrap();
    let last = (10..20).fold(MidFile::new().bor(42), |file, serial| file.words(1, serial, "ADC0", &[1, 2]));
    let files = [(name(0), subrun(42, 0..10, 0)), (name(1), last.eor(42).bytes)];
    let inputs: Vec<PathBuf> = files.iter().map(|(name, _)| directory.join(name)).collect();
    let to = inputs.clone();
    let writer = std::thread::spawn(move || {
        for (path, (_, bytes)) in to.iter().zip(files) {
            let unfinished = path.with_extension("mid.inprogress");
            write_in_pieces(&unfinished, &bytes[..100], (1, 100), 1);
            // It is found under this name.
            std::thread::sleep(Duration::from_millis(500));
            write_in_pieces(&unfinished, &bytes[100..], (1, 100), 1);
            fs::rename(unfinished, path).unwrap();
            std::thread::sleep(Duration::from_secs(2));
        }
    });
    let mut follow = Follow::new(&inputs[0]).unwrap();
    follow.timeout = Some(Duration::from_secs(4));
    let job = Job { rotate: Some(Duration::from_millis(20)), ..scene.job("live").follow(follow) };
    let report = ends(move || analyzer().run(&job)).unwrap();
    writer.join().unwrap();
    let ended = report.ended.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(ended.contains("no subrun behind ") && ended.contains("run00042sub0001.mid"), "{ended}");
    scene.compare(&inputs, &report);
}

#[test]
fn a_run_that_was_asked_for_is_waited_for() {
    let scene = Scene::new();
    let directory = scene.path("fast");
    // A later one is there, and the one that comes is a link.
    fs::write(directory.join("run00043.mid"), subrun(43, 0..10, 2)).unwrap();
    let path = scene.path("slow/run00042.mid");
    fs::write(&path, subrun(42, 0..10, 2)).unwrap();
    let link = directory.join("run00042.mid");
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        std::os::unix::fs::symlink(path, link).unwrap();
    });
    let mut follow = Follow::new(&directory).unwrap();
    follow.runs = Some((42, 42));
    let job = Job::new().follow(follow);
    let report = ends(move || Analyzer::new("Analyzer").run(&job)).unwrap();
    writer.join().unwrap();
    assert_eq!(
        report.runs.iter().map(|run| (run.run, run.events[&1].offered)).collect::<Vec<_>>(),
        [(42, 10)]
    );
}

#[test]
fn a_run_that_comes_twice_does_not_end_a_job_of_days() {
    let scene = Scene::new();
    for name in ["run00042.mid", "run00043.mid"] {
        fs::write(scene.path("fast").join(name), subrun(42, 0..10, 2)).unwrap();
    }
    let mut follow = Follow::new(scene.path("fast")).unwrap();
    follow.runs = Some((42, 43));
    let job = Job { rotate: Some(Duration::from_secs(60)), ..scene.job("live").follow(follow) };
    let report = ends(move || analyzer().run(&job)).unwrap();
    assert_eq!(report.runs.iter().map(|run| run.run).collect::<Vec<_>>(), [42, 42]);
    let twice = |text: &&String| text.starts_with("run 42 comes twice: output ");
    assert_eq!(report.warnings.iter().filter(twice).count(), 4, "{:?}", report.warnings);
}

#[test]
fn a_checksum_that_is_wrong_is_damage_and_the_file_ends() {
    let scene = Scene::new();
    // In the other formats this byte says that more is to come.
    for extension in ["gz", "bz2"] {
        let path = scene.path(&format!("fast/run00042.mid.{extension}"));
        let mut bytes = compressed(Compression::from_extension(extension).unwrap(), &subrun(42, 0..1000, 2));
        let crc = bytes.len() - if extension == "bz2" { 3 } else { 6 };
        bytes[crc] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        let offline = Analyzer::new("Analyzer").run(&Job::new().input(&path)).unwrap();
        let mut follow = Follow::new(&path).unwrap();
        follow.timeout = Some(TIMEOUT);
        let job = Job::new().follow(follow);
        let report = ends(move || Analyzer::new("Analyzer").run(&job)).unwrap();
        assert_eq!((&report.ended, report.total()), (&None, offline.total()), "{extension}");
        assert_eq!(report.damage.count, offline.damage.count, "{extension}");
    }
}

#[test]
fn a_file_that_does_not_go_on_ends_with_its_last_complete_event() {
    let scene = Scene::new();
    let path = scene.path("fast/run00042.mid");
    let bytes = subrun(42, 0..10, 2);
    // In the middle of the last event.
    let cut = bytes.len() - 100;
    fs::write(&path, &bytes[..cut]).unwrap();
    let mut follow = Follow::new(&path).unwrap();
    follow.timeout = Some(Duration::from_millis(500));
    let report = Analyzer::new("Analyzer").run(&Job::new().follow(follow.clone())).unwrap();
    let Some(Ended::TimedOut(text)) = &report.ended else { panic!("{report:?}") };
    let said = format!(
        "{} has not grown for 0.5 s (--live-timeout); the last complete event is number 10 (id 1, serial 8)",
        path.display()
    );
    assert_eq!(*text, said);
    assert_eq!((report.total().offered, report.damage.count), (9, 1));
    // None at all.
    fs::write(&path, &bytes[..3]).unwrap();
    let report = Analyzer::new("Analyzer").run(&Job::new().follow(follow)).unwrap();
    let Some(Ended::TimedOut(text)) = &report.ended else { panic!("{report:?}") };
    assert!(text.ends_with("; no event was complete"), "{text}");
    let mut follow = Follow::new(scene.path("fast/run00043.mid")).unwrap();
    follow.timeout = Some(Duration::from_millis(300));
    let report = Analyzer::new("Analyzer").run(&Job::new().follow(follow)).unwrap();
    let text = report.ended.unwrap().to_string();
    assert!(text.contains("run00043.mid is not there after 0.3 s"), "{text}");
}

/// What comes of a file that was followed while this happened to it.
fn meanwhile(change: impl FnOnce(&Path) + Send + 'static) -> Report {
    let scene = Scene::new();
    let path = scene.path("fast/run00042.mid");
    let bytes = subrun(42, 0..10, 2);
    fs::write(&path, &bytes[..500]).unwrap();
    let mut follow = Follow::new(&path).unwrap();
    follow.timeout = Some(Duration::from_secs(2));
    let changed = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        change(&path);
    });
    let report = ends(move || Analyzer::new("Analyzer").run(&Job::new().follow(follow))).unwrap();
    changed.join().unwrap();
    report
}

#[test]
fn what_happens_to_a_file_is_said() {
    let ended = |report: &Report| report.ended.as_ref().map(ToString::to_string).unwrap_or_default();
    let report = meanwhile(|path| OpenOptions::new().write(true).open(path).unwrap().set_len(100).unwrap());
    let text = ended(&report);
    assert!(text.contains("run00042.mid has shrunk from 500 to 100 bytes"), "{text}");
    assert!(text.ends_with("the last complete event is number 11 (id 1, serial 9)"), "{text}");
    assert_eq!(report.total().offered, 10);

    let report = meanwhile(|path| {
        let other = path.with_extension("other");
        fs::write(&other, [7; 1000]).unwrap();
        fs::rename(other, path).unwrap();
    });
    assert!(ended(&report).contains("was replaced by another file"), "{}", ended(&report));
    assert!(report.warnings.iter().any(|text| text.contains("is no copy of")), "{:?}", report.warnings);

    let report = meanwhile(|path| fs::remove_file(path).unwrap());
    assert!(ended(&report).contains("has not grown for 2 s"), "{}", ended(&report));
    assert!(report.warnings.iter().any(|text| text.contains("was deleted")), "{:?}", report.warnings);
}

#[test]
fn a_subrun_that_is_missing_is_an_error_unless_it_may_be() {
    for allow_missing in [false, true] {
        let scene = Scene::new();
        let directory = scene.path("fast");
        fs::write(directory.join("run00042sub0000.mid"), subrun(42, 0..10, 0)).unwrap();
        fs::write(directory.join("run00042sub0002.mid"), subrun(42, 20..30, 2)).unwrap();
        let follow = Follow::new(directory.join("run00042sub0000.mid")).unwrap();
        let job = Job { allow_missing, ..Job::new().follow(follow) };
        let report = ends(move || Analyzer::new("Analyzer").run(&job)).unwrap();
        let missing = "subrun 1 is missing before ";
        let run = &report.runs[0];
        if allow_missing {
            assert!(run.gaps.len() == 1 && run.gaps[0].starts_with(missing), "{:?}", run.gaps);
            assert_eq!((run.events[&1].offered, run.events[&1].unattended), (20, 10));
            assert_eq!((&report.ended, report.is_clean()), (&None, true));
        } else {
            let ended = report.ended.as_ref().map(ToString::to_string).unwrap_or_default();
            assert!(ended.starts_with(missing) && ended.contains("--allow-missing"), "{ended}");
            assert_eq!(run.events[&1].offered, 10);
        }
        // In a directory, the run goes on, and the fault is in its report.
        let mut follow = Follow::new(&directory).unwrap();
        follow.runs = Some((42, 42));
        let job = Job { allow_missing, ..Job::new().follow(follow) };
        let report = ends(move || Analyzer::new("Analyzer").run(&job)).unwrap();
        assert_eq!((report.runs[0].events[&1].offered, report.is_clean()), (20, allow_missing));
    }
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let scene = Scene::new();
    let refused = |path: &str| Follow::new(scene.path(path)).unwrap_err().to_string();
    assert!(refused("nowhere/run00042.mid").contains("there is no directory"));
    assert!(refused("fast/notes.txt").contains("there is no such directory"));
    fs::write(scene.path("fast/notes.txt"), "a letter").unwrap();
    assert!(refused("fast/notes.txt").contains("a directory or a run file wanted"));
    let job =
        |follow: Follow| Analyzer::new("Analyzer").run(&Job::new().follow(follow)).unwrap_err().to_string();
    let mut follow = Follow::new(scene.path("fast/run00042.mid")).unwrap();
    assert!(job(follow.clone().copied_to(scene.path("nowhere"))).contains("there is no directory"));
    let into = Job::new().follow(follow.clone()).output(scene.path("fast/out%05d.mid").to_str().unwrap());
    let error = Analyzer::new("Analyzer").run(&into.unwrap()).unwrap_err().to_string();
    assert!(error.contains("would be taken for new runs"), "{error}");
    follow.runs = Some((1, 2));
    assert!(job(follow.clone()).contains("-r is for a directory"));
    follow.runs = None;
    let both = Job::new().follow(follow).input("run00001.mid");
    let error = Analyzer::new("Analyzer").run(&both).unwrap_err().to_string();
    assert!(error.contains("what is followed is the only input"), "{error}");
}

/// How many events have met each value of the parameter.
static MET: Mutex<BTreeMap<i32, u32>> = Mutex::new(BTreeMap::new());

/// A module that takes a fifth of a millisecond.
#[derive(Record, Clone)]
struct Slow {
    #[key("Value", default = 0)]
    value: i32,
}

impl Module for Slow {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        *MET.lock().unwrap().entry(self.value).or_default() += 1;
        std::thread::sleep(Duration::from_micros(200));
        Ok(Keep)
    }
}

#[test]
fn events_that_are_over_stay_so() {
    let scene = Scene::new();
    let stop = Stop::new();
    let mut follow = Follow::new(scene.path("fast")).unwrap();
    follow.timeout = Some(Duration::from_millis(100));
    let mut arrivals = follow.events(Limits::default(), &stop).unwrap();
    let mut block = Block::new();
    let first = arrivals.next(&mut block, 1 << 16).unwrap();
    assert!(matches!(&first, Arrival::Over(Some(Ended::TimedOut(_)))), "{first:?}");
    // The next run begins.
    fs::write(scene.path("fast/run00042.mid"), MidFile::new().bor(42).eor(42).bytes).unwrap();
    let again = arrivals.next(&mut block, 1 << 16).unwrap();
    assert_eq!(format!("{again:?}"), format!("{first:?}"));

    // Who stops hears that the file in hand ends, once.
    let mut arrivals = follow.events(Limits::default(), &stop).unwrap();
    assert!(matches!(arrivals.next(&mut block, 1 << 16), Ok(Arrival::File(_))));
    stop.ask();
    let rest: Vec<Arrival> = (0..3).map(|_| arrivals.next(&mut block, 1 << 16).unwrap()).collect();
    assert!(matches!(rest[..], [Arrival::End(None), Arrival::Over(None), Arrival::Over(None)]), "{rest:?}");
}

#[test]
fn changes_take_effect_soon_however_slow_a_module_is() {
    // They last four seconds at the least: longer than the changes, on a computer that has more to do, too.
    const EVENTS: u32 = 40_000;
    let scene = Scene::new();
    let path = scene.path("fast/run00042.mid");
    fs::write(&path, subrun(42, 0..EVENTS, 2)).unwrap();
    let odb = Odb::local();
    let job = Job { odb: Some(odb.clone()), ..Job::new().threads(2).follow(Follow::new(&path).unwrap()) };
    let analyzer = Analyzer::new("Analyzer").module("Slow", Slow { value: 0 });
    let job = std::thread::spawn(move || analyzer.run(&job).unwrap());
    let (mut took, mut late) = (Vec::new(), Vec::new());
    for value in 1..=10 {
        std::thread::sleep(Duration::from_millis(30));
        let (begun, before) = (Instant::now(), MET.lock().unwrap().values().sum::<u32>());
        odb.set("/Analyzer/Parameters/Slow/Value", value).unwrap();
        while !MET.lock().unwrap().contains_key(&value) {
            assert!(!job.is_finished(), "no event has met the value {value}");
            std::thread::sleep(Duration::from_millis(1));
        }
        took.push(begun.elapsed());
        late.push(MET.lock().unwrap().values().sum::<u32>() - before);
    }
    let report = job.join().unwrap();
    assert_accounts(&report);
    println!("changes took effect after {took:?}, and {late:?} events");
    late.sort();
    // A quarter of a block of the usual size, of which several are under way at a time.
    assert!(late[5] < 1000, "{late:?}");
    let run = &report.runs[0];
    assert_eq!(run.epochs.len(), 10, "{:?}", run.epochs);
    assert_eq!(run.events[&1].offered, u64::from(EVENTS));
    // Whoever looks into the ODB finds the same account.
    let ledger = |path: &str| odb.get::<f64>(&format!("/Analyzer/Ledger/{path}")).unwrap() as u64;
    assert_eq!((ledger("Source/1/Offered"), ledger("Source/1/Unattended")), (u64::from(EVENTS), 0));
    assert_eq!((ledger("Requests/All/1/Kept"), ledger("Behind/Bytes")), (u64::from(EVENTS), 0));
}

/// A module that takes a millisecond at the least.
#[derive(Record, Clone)]
struct Slower {}

impl Module for Slower {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        std::thread::sleep(Duration::from_millis(1));
        Ok(Keep)
    }
}

#[test]
fn gauges_are_right_and_falling_behind_is_said_and_taken_back() {
    let scene = Scene::new();
    let path = scene.path("fast/run00042.mid");
    let event = |serial| MidFile::new().words(1, serial, "ADC0", &[1, 2, 3, 4]).bytes;
    let size = event(0).len() as u64;
    fs::write(&path, MidFile::new().bor(42).bytes).unwrap();
    // 4000 events a second, of which one thread takes a quarter.
    let written: Arc<Mutex<Vec<(Instant, u64)>>> = Arc::default();
    let writer = std::thread::spawn({
        let (path, written) = (path.clone(), Arc::clone(&written));
        move || {
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            let mut at = file.metadata().unwrap().len();
            let begun = Instant::now();
            for piece in 0..500_u32 {
                let events = (0..10).flat_map(|i| event(10 * piece + i)).collect::<Vec<u8>>();
                file.write_all(&events).unwrap();
                at += events.len() as u64;
                written.lock().unwrap().push((Instant::now(), at));
                let next = begun + Duration::from_micros(2500) * (piece + 1);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            // The analysis catches up.
            std::thread::sleep(Duration::from_secs(6));
            file.write_all(&MidFile::new().eor(42).bytes).unwrap();
        }
    });
    let mut follow = Follow::new(&path).unwrap();
    follow.patience = Duration::from_secs(1);
    let job = Job::new().threads(1).follow(follow);
    let analyzer = Analyzer::new("Analyzer").module("Slower", Slower {});
    let (mut looks, mut worst, mut behind, mut seen) = (0, Duration::ZERO, Vec::new(), 0);
    let report = analyzer
        .run_with(&job, &mut |progress| {
            let now = Instant::now();
            let live = progress.live.as_ref().unwrap();
            behind.push(live.falling_behind);
            // As the file was at some time between the look before and this one.
            let (Lag { bytes, events, .. }, there) = (live.lag, fs::metadata(&path).unwrap().len());
            let known = progress.done + bytes;
            assert!((seen..=there).contains(&known), "{live:?}: {seen}, {known}, {there}");
            seen = there;
            assert!(events.abs_diff(bytes / size) <= 100 + bytes / size / 10, "{live:?}");
            let written = written.lock().unwrap();
            if bytes > 0
                && let Some((first, _)) = written.iter().find(|(_, at)| *at > progress.done)
            {
                let age = now.saturating_duration_since(*first).as_secs_f64();
                worst = worst.max(Duration::from_secs_f64((live.lag.seconds - age).abs()));
            }
            looks += 1;
        })
        .unwrap();
    writer.join().unwrap();
    assert_accounts(&report);
    assert_eq!(report.total().offered, 5000);
    assert!(looks > 20, "{looks}");
    assert!(worst < Duration::from_millis(300), "{worst:?}");
    behind.dedup();
    assert_eq!(behind, [false, true, false], "{:?}", report.warnings);
    let said: Vec<bool> = report.warnings.iter().map(|text| text.starts_with("falling behind: ")).collect();
    assert_eq!(said, [true, false], "{:?}", report.warnings);
    assert!(report.warnings[1].starts_with("not falling behind any more: "), "{:?}", report.warnings);
}
