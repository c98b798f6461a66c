//! A job on a slow stream, whose ODB somebody changes meanwhile.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use pactolus::odb::Odb;
use pactolus::prelude::*;
use pactolus::{Error, Progress, Report};
use tempfile::TempDir;

use super::MidFile;
use super::bench::assert_accounts;

/// Far longer than anything here takes.
const HANGS: Duration = Duration::from_secs(30);

/// A job that reads `run00042.mid`, a pipe, in a directory of its own.
pub struct Stream {
    pub dir: TempDir,
    pub odb: Odb,
    pipe: File,
    told: Receiver<Progress>,
    job: JoinHandle<Result<Report, Error>>,
    sent: u64,
}

impl Stream {
    /// Starts a job of this analyzer on an ODB. `change` gets the job and its directory.
    pub fn start(
        analyzer: impl FnOnce() -> Analyzer + Send + 'static,
        odb: Odb,
        change: impl FnOnce(Job, &dyn Fn(&str) -> String) -> Job,
    ) -> Stream {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("run00042.mid");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let job = Job { odb: Some(odb.clone()), ..Job::new().input(&path).threads(1) };
        let job = change(job, &|name| dir.path().join(name).to_str().unwrap().to_owned());
        let (tell, told) = channel();
        let job = std::thread::spawn(move || {
            analyzer().run_with(&job, &mut |progress| drop(tell.send(progress.clone())))
        });
        // Both, so that it does not wait for the job.
        let pipe = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        Stream { dir, odb, pipe, told, job, sent: 0 }
    }

    /// Sends events, and waits until the job has taken them.
    pub fn send(&mut self, events: &MidFile, count: u64) {
        self.pipe.write_all(&events.bytes).unwrap();
        self.sent += count;
        while self.told.recv_timeout(HANGS).expect("the events are not taken").read < self.sent {}
    }

    /// Sends events, and does not wait.
    pub fn push(&mut self, events: &MidFile) {
        self.pipe.write_all(&events.bytes).unwrap();
    }

    /// Sends events of id 1 with these serial numbers and words; in front of them BOR, if they are the
    /// first.
    pub fn words(&mut self, serials: std::ops::Range<u32>, words: &[u16]) {
        let begin = if self.sent == 0 { MidFile::new().bor(42) } else { MidFile::new() };
        let count = u64::from(self.sent == 0) + u64::from(serials.end - serials.start);
        let events = serials.fold(begin, |file, serial| file.words(1, serial, "ADC0", words));
        self.send(&events, count);
    }

    /// Sets a value from another thread.
    pub fn set(&self, path: &str, text: &str) {
        let (odb, path, text) = (self.odb.clone(), path.to_owned(), text.to_owned());
        std::thread::spawn(move || odb.set_text(&path, &text).unwrap()).join().unwrap();
    }

    /// Ends the stream with an EOR; what became of the job, and its files.
    pub fn end(mut self) -> (Report, TempDir) {
        self.pipe.write_all(&MidFile::new().eor(42).bytes).unwrap();
        self.finish()
    }

    /// ... without an EOR.
    pub fn finish(self) -> (Report, TempDir) {
        drop(self.pipe);
        let report = self.job.join().unwrap().unwrap();
        assert_accounts(&report);
        (report, self.dir)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}
