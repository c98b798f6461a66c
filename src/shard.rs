//! Shards: a job in parts, by as many processes, anywhere.
//!
//! Every shard reads the whole input, since only that tells where events begin, and so all agree
//! on the numbers of the blocks. Block `b` is work for shard `b % N`; the others step over it. What a
//! shard's own blocks contribute goes to its *part* file, with all that the fold has to know besides.
//! The merge puts the blocks of all parts back in order and passes them through the ordinary fold:
//! sequential stages, tests, tables, outputs, provenance and report are made there, and are those
//! of the whole job, bit for bit.
//!
//! `file` is the form of a part, `head` what stands in front, `place` where it goes, `part` writes one,
//! `parts` opens all of them, `merge` reads them.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::analyzer::Analyzer;
use crate::job::{Job, OutputFile, Stop};
use crate::layers::Base;
use crate::line::drive;
use crate::report::{Broken, Report, WithoutText, Written};
use crate::shard::part::Part;
use crate::{Error, Progress};

mod file;
mod head;
mod merge;
mod part;
mod parts;
mod place;

pub use parts::Parts;
pub use place::is_part;

/// One of several equal shares of a job.
///
/// ```
/// use pactolus::Shard;
/// let shard: Shard = "3/8".parse().unwrap();
/// assert_eq!((shard.number(), shard.of()), (3, 8));
/// assert!("9/8".parse::<Shard>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    of: u32,
}

impl Shard {
    /// The whole job.
    pub(crate) const ALL: Shard = Shard { number: 1, of: 1 };

    /// Share `number` of `of`, counted from 1; `None` if there is no such.
    pub fn new(number: u32, of: u32) -> Option<Shard> {
        (1..=of).contains(&number).then_some(Shard { number, of })
    }

    /// Which one, counted from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How many there are.
    pub fn of(&self) -> u32 {
        self.of
    }

    /// Whether block number `block` of the job, counted from 0, is its work.
    pub(crate) fn has(&self, block: u64) -> bool {
        block % u64::from(self.of) == u64::from(self.number - 1)
    }

    /// Where the part of this shard goes, unless another place is named: beside the first output,
    /// `out/run00042.3of8.part` for `out/run%05d.parquet`. The number is that of the first input, if its
    /// name tells one.
    pub fn part(&self, job: &Job) -> PathBuf {
        place::beside_output(*self, job)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parsed = text.split_once('/').and_then(|(k, n)| Shard::new(k.parse().ok()?, n.parse().ok()?));
        parsed.ok_or_else(|| "K/N wanted, K from 1 to N, as 3/8".to_owned())
    }
}

impl Serialize for Shard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a shard has done.
#[derive(Clone, Debug, Serialize)]
pub struct ShardReport {
    /// Which one.
    pub shard: Shard,
    /// Its part file; `None` if the user has stopped it.
    pub part: Option<Written>,
    /// Runs in the input.
    pub runs: u64,
    /// Blocks in the input.
    pub blocks: u64,
    /// Those of them that were its work.
    pub own_blocks: u64,
    /// Events in the input, system events included.
    pub events: u64,
    /// Those of them that were its work.
    pub own_events: u64,
    /// Events among its own that a stage or output lost. Sequential stages come with the merge.
    pub failed: u64,
    /// Events among its own with broken banks.
    pub damaged: u64,
    /// Broken bytes in the inputs, which every shard finds.
    pub damage: Broken,
    /// What the text of `.asc` inputs does not hold.
    pub without_text: Vec<WithoutText>,
    /// What looked odd.
    pub warnings: Vec<String>,
    /// The user asked to stop before the end.
    pub stopped: bool,
    /// Bytes of events read, uncompressed.
    pub bytes: u64,
    /// Wall-clock time in seconds.
    pub seconds: f64,
}

impl ShardReport {
    pub(crate) fn new(shard: Shard) -> ShardReport {
        ShardReport {
            shard,
            part: None,
            runs: 0,
            blocks: 0,
            own_blocks: 0,
            events: 0,
            own_events: 0,
            failed: 0,
            damaged: 0,
            damage: Broken::default(),
            without_text: Vec::new(),
            warnings: Vec::new(),
            stopped: false,
            bytes: 0,
            seconds: 0.0,
        }
    }
}

impl Analyzer {
    /// Does a share of a job: its blocks go through the wide stages, and all that the whole job needs of
    /// them to the file `part`. When all shares are there, [`merge`](Analyzer::merge) makes the outputs.
    ///
    /// ```no_run
    /// use pactolus::prelude::*;
    /// use pactolus::{Parts, Shard};
    /// # fn main() -> std::result::Result<(), pactolus::Error> {
    /// let analyzer = || Analyzer::new("Analyzer").on(Request::new("Trigger", 1));
    /// let job = Job::new().input("run00042.mid.gz").output("run%05d.parquet")?;
    /// let shards = (1..=8).filter_map(|k| Shard::new(k, 8));
    /// for shard in shards.clone() {
    ///     // ... each in a process of its own, on any computer.
    ///     analyzer().shard(&job, shard, &shard.part(&job), &mut |_| {})?;
    /// }
    /// let parts = Parts::open(&shards.map(|shard| shard.part(&job)).collect::<Vec<_>>())?;
    /// let report = analyzer().merge(parts, &job, &mut |_| {}, &mut std::io::sink())?;
    /// println!("{} events", report.total().offered);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the job cannot begin or has no shares (standard input or output, `strict`), if the part would
    /// replace another file than an earlier part of this very shard, or cannot be written.
    pub fn shard(
        &self,
        job: &Job,
        shard: Shard,
        part: &Path,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<ShardReport, Error> {
        let warnings = self.rehearse()?;
        job.check()?;
        let refused = |why: &str| Err(Error::Job(format!("--shard: {why}")));
        if job.odb.is_some() {
            return refused("a shared ODB may change from one shard to the next: leave --odb out");
        }
        if !job.epochs.is_empty() {
            return refused("recorded epochs are applied to a whole job: leave --shard out, or --epochs");
        }
        if job.inputs.iter().any(|input| input.is_stdin() || input.bytes().is_some()) {
            return refused("every shard reads the whole input, and standard input can be read once only");
        }
        if job.outputs.iter().any(OutputFile::is_stdout) {
            return refused("a part has no standard output; merge has: name an output file here");
        }
        if job.strict {
            return refused("--strict ends at the first trouble, and no shard sees that of the others");
        }
        place::check(job, part)?;
        let base = Base::new(self, job)?;
        let mut writer = Part::create(self, job, &base, (shard, part), progress)?;
        let halt = Stop::new();
        drive(self, job, &base, job.pool(0)?, (shard, &halt), None, &mut |item| writer.item(item))?;
        let mut report = writer.finish()?;
        report.warnings.splice(0..0, warnings);
        Ok(report)
    }

    /// Makes the outputs of a job of its parts: those of [`run_to`](Analyzer::run_to), bit for bit. `job`
    /// is the job of the shards, or [`Parts::job`]; its outputs may have other names.
    ///
    /// # Errors
    /// If this is not the analyzer or job of the parts, if the shards have not read the same, if a part
    /// is broken, or an output cannot be written.
    pub fn merge(
        &self,
        parts: Parts,
        job: &Job,
        progress: &mut dyn FnMut(&Progress),
        stdout: &mut dyn Write,
    ) -> Result<Report, Error> {
        if job.odb.is_some() {
            return Err(Error::Job("a merge has the ODB of its parts, not a shared one".into()));
        }
        if !job.epochs.is_empty() {
            return Err(Error::Job("a merge has the values of its parts, not recorded ones".into()));
        }
        let mut warnings = self.rehearse()?;
        // It may have been built again, or for this computer.
        if job.program.is_some() && parts.head.program.is_some() && job.program != parts.head.program {
            warnings.push("the parts were made by another program than this: merge with the same one".into());
        }
        let mut job = job.clone();
        job.keep.extend(parts.files.iter().map(|file| file.path.clone()));
        job.check()?;
        let mut report = merge::merge(self, parts, &job, progress, stdout)?;
        report.warnings.splice(0..0, warnings);
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_the_work_of_one_shard() {
        for of in 1..6 {
            for block in 0..20 {
                let shards = (1..=of).filter_map(|k| Shard::new(k, of));
                assert_eq!(shards.filter(|shard| shard.has(block)).count(), 1);
            }
        }
        assert_eq!((Shard::new(0, 8), Shard::new(9, 8), Shard::new(0, 0)), (None, None, None));
        assert!(
            ["3", "3/", "/8", "0/8", "9/8", "a/8", "-1/8", "3/8/2"]
                .iter()
                .all(|t| t.parse::<Shard>().is_err())
        );
    }
}
