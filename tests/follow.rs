//! Files that are analyzed while they are written give what an analysis of the finished files gives.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::bench::{analyse, assert_accounts, ends};
use common::{catalogue, corpus, definition};
use pactolus::formats::Compression;
use pactolus::formats::compress::Output;
use pactolus::prelude::*;
use pactolus::{Definition, Follow, Report};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use tempfile::TempDir;

/// So long no file here is silent.
const TIMEOUT: Duration = Duration::from_secs(30);

fn analyzer() -> Analyzer {
    let definition = Definition::read(&definition("analyzer2")).unwrap();
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
        let job = self.job("live").follow(follow);
        let report = ends(move || analyzer().run(&job)).unwrap();
        assert_accounts(&report);
        report
    }

    /// The finished files give the same.
    fn compare(&self, inputs: &[PathBuf], live: &Report) {
        let job = inputs.iter().fold(self.job("offline"), Job::input);
        let report = analyse(&analyzer(), &job);
        for (live, offline) in live.runs.iter().zip(&report.runs) {
            assert_eq!((&live.events, &live.requests), (&offline.events, &offline.requests));
        }
        assert_eq!(live.runs.len(), report.runs.len());
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
