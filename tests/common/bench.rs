//! A job over one file: in a directory of its own, and in every way that must make no difference.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use pactolus::prelude::*;
use pactolus::{Report, RequestReport, Requested, RunReport};
use tempfile::TempDir;

use super::{MidFile, Plain};

/// A directory with a file, and what a job makes of it.
pub struct Bench {
    dir: TempDir,
}

impl Bench {
    /// A bench with the file `run00042.mid`.
    pub fn new(file: &MidFile) -> Bench {
        let bench = Bench { dir: TempDir::new().unwrap() };
        file.save(bench.path("run00042.mid"));
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A job over that file.
    pub fn job(&self) -> Job {
        Job::new().input(self.path("run00042.mid")).threads(1)
    }

    /// ... that writes `out.mid`.
    pub fn writing(&self) -> Job {
        self.job().output(self.path("out.mid").to_str().unwrap()).unwrap()
    }

    /// The data events that a job wrote.
    pub fn written(&self) -> Vec<Plain> {
        data(&self.path("out.mid"))
    }
}

/// The data events of a file.
pub fn data(path: &Path) -> Vec<Plain> {
    super::events(path, u16::MAX).into_iter().filter(|e| e.header.id < 0x8000).collect()
}

/// Id and serial number of each event.
pub fn names(events: &[Plain]) -> Vec<(u16, u32)> {
    events.iter().map(|e| (e.header.id, e.header.serial)).collect()
}

/// The values of a bank of 32-bit words.
pub fn dwords(event: &Plain, name: &str) -> Option<Vec<u32>> {
    let (_, _, data) = event.banks.iter().find(|(bank, _, _)| bank == name)?;
    Some(data.chunks(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect())
}

/// A run of events of id 1 with four words each: 44 bytes an event, behind a BOR of 17 bytes.
pub fn run_of(number: u32, events: Range<u32>) -> MidFile {
    let file = MidFile::new().bor(number);
    events.fold(file, |file, serial| file.words(1, serial, "ADC0", &[serial as u16, 2, 3, 4])).eor(number)
}

/// Run 42 of so many events.
pub fn plain_run(events: u32) -> MidFile {
    run_of(42, 0..events)
}

/// Events of ids 1 and 2 in turn.
pub fn mixed_run(events: u32) -> MidFile {
    let mut file = MidFile::new().bor(42);
    for serial in 0..events {
        file = file.words(1 + (serial % 2) as u16, serial, "ADC0", &[serial as u16]);
    }
    file.eor(42)
}

/// A bank area that claims more than it holds.
pub fn broken() -> Vec<u8> {
    let whole = MidFile::new().words(1, 0, "ADC0", &[1, 2, 3, 4]).bytes;
    let mut payload = whole[16..].to_vec();
    payload[16] = 200; // the size of the bank
    payload
}

/// A few ways to cut the input and share the work.
pub fn ways() -> impl Iterator<Item = (usize, usize)> {
    [1, 150, 4096, 1 << 20].into_iter().flat_map(|block| [(block, 1), (block, 2), (block, 4)])
}

/// No event is unaccounted for.
pub fn assert_accounts(report: &Report) {
    for run in &report.runs {
        for (id, o) in &run.events {
            assert_eq!(
                o.offered,
                o.delivered + o.left_out + o.overrun + o.stale + o.too_big + o.damaged,
                "id {id}: {o:?}"
            );
        }
        for RequestReport { name, account: r, .. } in &run.requests {
            assert_eq!(r.matched + r.created, r.kept + r.skipped + r.failed, "{name}: {r:?}");
        }
    }
}

pub fn request(run: &RunReport, name: &str) -> Requested {
    run.requests.iter().find(|r| r.name == name).unwrap().account
}

/// Runs a job, with the accounts checked.
pub fn analyse(analyzer: &Analyzer, job: &Job) -> Report {
    let report = analyzer.run(job).unwrap();
    assert_accounts(&report);
    report
}

/// Does a job in every way; the first file written and report, which all others equal.
pub fn same_in_every_way(
    file: &MidFile,
    analyzer: &Analyzer,
    change: impl Fn(Job) -> Job,
) -> (Vec<u8>, RunReport) {
    let mut first: Option<(Vec<u8>, RunReport)> = None;
    for (block, threads) in ways() {
        let bench = Bench::new(file);
        let job = Job { block, ..bench.writing().threads(threads) };
        let report = analyse(analyzer, &change(job));
        assert_eq!(report.runs.len(), 1);
        let mut run = report.runs[0].clone();
        run.input = PathBuf::new();
        run.stages.iter_mut().for_each(|s| s.seconds = 0.0);
        let now = (fs::read(bench.path("out.mid")).unwrap(), run);
        let (bytes, run) = first.get_or_insert_with(|| now.clone());
        let case = format!("blocks of {block} bytes, {threads} threads");
        assert_eq!(now.1, *run, "{case}");
        assert!(now.0 == *bytes, "{case}: out.mid differs");
    }
    first.unwrap()
}

/// Fails if `work` does not end: the only clock here, and far from what it needs.
pub fn ends<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    wait.recv_timeout(Duration::from_secs(30)).expect("the job hangs")
}
