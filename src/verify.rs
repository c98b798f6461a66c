//! Whether a chain gives the same bits however its work is divided, and which stage does not.

mod blame;
mod delay;
mod digest;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::analyzer::Analyzer;
use crate::job::{InputFile, Job, OutputFile, has_run};
use crate::shard::{Parts, Shard};
use crate::{Error, Report};

use blame::Deviation;
pub use blame::{Cause, Culprit, Follower};
pub(crate) use delay::Delay;
use digest::Scratch;
pub use watch::Witness;
pub(crate) use watch::{Entry, Seen, Watch, Watched};

/// Bytes of a block in the reference.
const LARGE: usize = 1 << 20;

/// Small blocks: how many there should be in all inputs together, and within which sizes.
const MANY: u64 = 32;
const SMALL: (u64, u64) = (1 << 10, 1 << 16);

/// Runs a job again and again, the work divided differently each time, and compares all that comes
/// out: every byte of every output, the report without its times, and what each stage did to each
/// event. A stage that depends on the order of the events, on the time or on chance is named.
///
/// ```no_run
/// use pactolus::prelude::*;
/// use pactolus::Verify;
/// # fn main() -> std::result::Result<(), pactolus::Error> {
/// let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1));
/// let job = Job::new().input("run00042.mid.gz");
/// let verified = Verify::new("/tmp").run(&analyzer, &job, &mut |_, _, _| {})?;
/// for culprit in &verified.culprits {
///     println!("{culprit}: {}", culprit.cause);
/// }
/// # Ok(()) }
/// ```
///
/// The reference has one thread and blocks of 1 MiB, and is done twice. Then comes each number of
/// threads with each size of blocks; with several threads, blocks are also delayed by times that look
/// like chance. Then comes the job in shards, one after the other, and their merge, with each size of
/// blocks. Outputs of one combination at a time are on the disk.
#[derive(Clone, Debug)]
pub struct Verify {
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// Sizes of blocks in bytes; if there are none, 1 MiB and one so small that there are many.
    pub blocks: Vec<usize>,
    /// Numbers of shards.
    pub shards: Vec<u32>,
    /// Names of the outputs, without directories.
    pub outputs: Vec<String>,
    /// The directory in which one for outputs and parts is made, and removed in the end. Without either,
    /// nothing is written.
    pub scratch: PathBuf,
}

/// One way to divide the work of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// Worker threads.
    pub threads: usize,
    /// Bytes of a block.
    pub block: usize,
    /// Seed of the delays, if blocks are delayed.
    pub delay: Option<u64>,
    /// Shards, whose parts are merged; one part also goes through its file. `None` is the whole job.
    pub shards: Option<u32>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.threads == 1 { "" } else { "s" };
        write!(f, "{} thread{s}, blocks of {} bytes", self.threads, self.block)?;
        match self.shards {
            Some(1) => write!(f, ", 1 shard")?,
            Some(shards) => write!(f, ", {shards} shards")?,
            None => {}
        }
        if self.delay.is_some() { f.write_str(", delayed") } else { Ok(()) }
    }
}

/// How a combination compares with the reference, which is the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// How the work was divided.
    #[serde(flatten)]
    pub case: Case,
    /// Files and histograms that differ, or that only one of both has.
    pub outputs: Vec<String>,
    /// The first difference of the reports: place, value in the reference, value here.
    pub ledger: Option<String>,
    /// Stages that did something else.
    pub stages: usize,
}

impl Compared {
    /// Whether all is the same.
    pub fn is_same(&self) -> bool {
        self.outputs.is_empty() && self.ledger.is_none() && self.stages == 0
    }
}

/// What a comparison has come to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// The combinations in order, the reference first.
    pub cases: Vec<Compared>,
    /// Stages that make a difference, in the order of the chains.
    pub culprits: Vec<Culprit>,
    /// Stages that differ because one before them does.
    pub followers: Vec<Follower>,
    /// SHA-256 of the files and histograms of the reference.
    pub outputs: BTreeMap<String, String>,
    /// The report of the reference.
    #[serde(skip)]
    pub report: Report,
    /// The user asked to stop before the end.
    pub stopped: bool,
}

impl Verified {
    /// Whether all combinations gave the same.
    pub fn is_same(&self) -> bool {
        self.cases.iter().all(Compared::is_same)
    }

    /// Whether something differs for which no stage can be blamed.
    pub fn is_unexplained(&self) -> bool {
        self.cases.iter().any(|case| !case.is_same() && case.stages == 0)
            || self.culprits.is_empty() && !self.is_same()
    }
}

/// What one combination gave.
struct Outcome {
    report: Report,
    watched: Vec<Watched>,
    outputs: BTreeMap<String, String>,
    ledger: Value,
}

impl Verify {
    /// With 1, 2, 3 and 8 threads, 1, 4 and 7 shards, all kinds of outputs, and directories made in `scratch`.
    pub fn new(scratch: impl Into<PathBuf>) -> Verify {
        let outputs = ["events.mid", "events.asc", "events.parquet", "events.arrow"];
        Verify {
            threads: vec![1, 2, 3, 8],
            blocks: Vec::new(),
            shards: vec![1, 4, 7],
            outputs: outputs.map(String::from).to_vec(),
            scratch: scratch.into(),
        }
    }

    /// The combinations for `job`, in order. Not all there could be: the reference twice, each number of
    /// threads with each size of blocks, and each number of shards with these and two threads.
    pub fn cases(&self, job: &Job) -> Vec<Case> {
        let reference = Case { threads: 1, block: LARGE, delay: None, shards: None };
        let blocks = if self.blocks.is_empty() { vec![LARGE, small(job)] } else { self.blocks.clone() };
        let mut cases = vec![reference, reference];
        for &block in &blocks {
            for &threads in &self.threads {
                let (threads, block) = (threads.max(1), block.max(1));
                if cases.iter().all(|case| (case.threads, case.block) != (threads, block)) {
                    // One worker takes the blocks in their order, however late.
                    let delay = (threads > 1).then_some(cases.len() as u64);
                    cases.push(Case { threads, block, delay, shards: None });
                }
            }
        }
        for &block in &blocks {
            for shards in self.shards.iter().map(|&shards| Some(shards.max(1))) {
                let block = block.max(1);
                if cases.iter().all(|case| (case.shards, case.block) != (shards, block)) {
                    let delay = Some(cases.len() as u64);
                    cases.push(Case { threads: 2, block, delay, shards });
                }
            }
        }
        cases
    }

    /// Does `job` in all combinations; its own outputs, threads and blocks do not count. Before each,
    /// `progress` gets its number from 0, the number of all, and the combination.
    ///
    /// # Errors
    /// If the job cannot be done, has no events to compare, or reads standard input, or if `scratch`
    /// has a place for a run number.
    pub fn run(
        &self,
        analyzer: &Analyzer,
        job: &Job,
        progress: &mut dyn FnMut(usize, usize, &Case),
    ) -> Result<Verified, Error> {
        if job.odb.is_some() {
            return Err(Error::Job("a shared ODB may change from one combination to the next".into()));
        }
        if job.inputs.iter().any(InputFile::is_stdin) {
            return Err(Error::Job("standard input can be read once only: name a file".into()));
        }
        // Names of outputs are made below it.
        if has_run(&self.scratch.to_string_lossy()) {
            return Err(Error::Job(format!(
                "cannot make a directory for outputs in {}: %d in a name stands for the run number, use another directory",
                self.scratch.display()
            )));
        }
        let writes = !self.outputs.is_empty() || !self.shards.is_empty();
        let scratch = writes.then(|| Scratch::new(&self.scratch)).transpose()?;
        let mut cases = self.cases(job);
        let mut verified = Verified::default();
        let mut reference: Option<Outcome> = None;
        let mut deviations = Vec::new();
        // Combinations that should be like the reference in every respect.
        let mut equal = vec![1];
        while let Some(&case) = cases.get(verified.cases.len()) {
            let number = verified.cases.len();
            progress(number, cases.len(), &case);
            let outcome = self.case(analyzer, job, &case, scratch.as_ref())?;
            if outcome.report.stopped {
                verified.stopped = true;
                break;
            }
            match &reference {
                Some(reference) => {
                    let (compared, found) = compare(number, case, reference, &outcome);
                    verified.cases.push(compared);
                    deviations.extend(found);
                }
                None if outcome.report.total().offered == 0 => {
                    return Err(Error::Job("the inputs hold no event: nothing can be compared".into()));
                }
                None => {
                    verified.cases.push(Compared { case, outputs: Vec::new(), ledger: None, stages: 0 });
                    reference = Some(outcome);
                }
            }
            (verified.culprits, verified.followers) = blame::blame(analyzer, &deviations, &equal);
            let doubtful = verified.culprits.iter().any(|culprit| culprit.cause == Cause::Order);
            if number + 1 == cases.len() && equal.len() == 1 && doubtful {
                // What seems to depend on the order may have changed with the time: once more as at
                // first.
                equal.push(cases.len());
                cases.push(cases[0]);
            }
        }
        if let Some(Outcome { report, outputs, .. }) = reference {
            (verified.report, verified.outputs) = (report, outputs);
        }
        Ok(verified)
    }

    /// Does the job in one combination, in a directory of its own if it writes anything.
    fn case(
        &self,
        analyzer: &Analyzer,
        job: &Job,
        case: &Case,
        scratch: Option<&Scratch>,
    ) -> Result<Outcome, Error> {
        let directory = scratch.map(|scratch| Scratch::new(&scratch.0)).transpose()?;
        let outputs = directory.iter().flat_map(|directory| {
            let paths = self.outputs.iter().map(|name| directory.0.join(name));
            paths.map(|path| OutputFile::new(path.to_string_lossy()))
        });
        let witness = Witness::default();
        let job = Job {
            outputs: outputs.collect::<Result<_, _>>()?,
            threads: case.threads,
            block: case.block,
            delay: case.delay,
            watch: Some(witness.clone()),
            ..job.clone()
        };
        let report = match (case.shards, scratch) {
            (Some(shards), Some(scratch)) => in_shards(analyzer, &job, shards, scratch)?,
            _ => analyzer.run(&job)?,
        };
        let watched = witness.take();
        let mut outputs = directory.map_or(Ok(BTreeMap::new()), |directory| digest::files(&directory.0))?;
        for (run, watched) in report.runs.iter().zip(&watched) {
            for (name, digest) in &watched.histograms {
                outputs.insert(format!("histogram {name} of run {}", run.run), digest.clone());
            }
        }
        let ledger = digest::ledger(&report)?;
        Ok(Outcome { report, watched, outputs, ledger })
    }
}

/// Does a job in shards, one after the other, and merges their parts.
fn in_shards(analyzer: &Analyzer, job: &Job, of: u32, scratch: &Scratch) -> Result<Report, Error> {
    let directory = Scratch::new(&scratch.0)?;
    let mut parts = Vec::new();
    for shard in (1..=of).filter_map(|number| Shard::new(number, of)) {
        let part = directory.0.join(format!("{}.part", shard.number()));
        if analyzer.shard(job, shard, &part, &mut |_| {})?.stopped {
            return Ok(Report { stopped: true, ..Report::default() });
        }
        parts.push(part);
    }
    analyzer.merge(Parts::open(&parts)?, job, &mut |_| {}, &mut std::io::sink())
}

/// Blocks so small that there are many, as far as the sizes of the files tell.
fn small(job: &Job) -> usize {
    let sizes = job.inputs.iter().filter_map(InputFile::size);
    (sizes.sum::<u64>() / MANY).clamp(SMALL.0, SMALL.1) as usize
}

/// Compares what a combination gave with the reference.
fn compare(number: usize, case: Case, reference: &Outcome, outcome: &Outcome) -> (Compared, Vec<Deviation>) {
    let mut outputs: Vec<String> = Vec::new();
    for name in reference.outputs.keys().chain(outcome.outputs.keys()) {
        if reference.outputs.get(name) != outcome.outputs.get(name) && !outputs.contains(name) {
            outputs.push(name.clone());
        }
    }
    let ledger = digest::difference(&reference.ledger, &outcome.ledger);
    let mut deviations = Vec::new();
    let runs = reference.report.runs.iter().map(|run| run.run);
    for ((run, a), b) in runs.zip(&reference.watched).zip(&outcome.watched) {
        deviations.extend(blame::compare(number, run, a, b));
    }
    let stages: BTreeSet<usize> = deviations.iter().map(|deviation| deviation.stage).collect();
    (Compared { case, outputs, ledger, stages: stages.len() }, deviations)
}
