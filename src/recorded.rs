//! Epochs that an earlier job has recorded, to begin again at the same events.
//!
//! Every output says which values were in force from which event on: `said` writes that, `read` finds it
//! in a file, `apply` makes a tree of it. A run with a record has these values and no others.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_formats::event::Kind;
use pactolus_formats::mid::{Block, Stop};
use pactolus_formats::{Input, Limits};
use pactolus_odb::Value;

use crate::Error;
use crate::analyzer::Analyzer;
use crate::events::Events;
use crate::hot::why;
use crate::job::{InputFile, Job};
use crate::layers::EventDefinition;

mod apply;
mod read;
mod said;

pub(crate) use said::{Said, equipment};

/// The epochs of the runs of an earlier job, as one of its outputs says them.
///
/// ```no_run
/// use pactolus::prelude::*;
/// use pactolus::Recorded;
/// # fn main() -> std::result::Result<(), pactolus::Error> {
/// let record = Recorded::read("run00042.Trigger.parquet")?;
/// println!("epochs of runs {:?}", record.runs());
/// let job = Job::new().input("run00042.mid").output("again%05d.parquet")?.epochs(record);
/// Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).run(&job)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Recorded {
    path: PathBuf,
    /// Name of the analyzer.
    analyzer: String,
    /// Text of its definition, if it had one.
    definition: Option<String>,
    runs: Vec<Arc<RecordedRun>>,
}

/// The record of a run.
#[derive(Debug)]
pub(crate) struct RecordedRun {
    number: u32,
    /// Where it stands.
    pub(crate) file: PathBuf,
    /// What was known of its events.
    pub(crate) definitions: Vec<EventDefinition>,
    epochs: Vec<RecordedEpoch>,
    /// As it stands there.
    text: serde_json::Value,
}

impl RecordedRun {
    /// An epoch that cannot begin again, for this reason.
    pub(crate) fn refused(&self, epoch: u32, error: &Error) -> Error {
        let message = format!("run {}: epoch {epoch}: {}", self.number, why(error));
        Error::Epochs { path: self.file.clone(), message }
    }

    /// Whether both say the same, as far as the shorter goes.
    fn begins_as(&self, other: &RecordedRun) -> bool {
        fn list(run: &RecordedRun) -> &[serde_json::Value] {
            run.text.as_array().map_or(&[], Vec::as_slice)
        }
        self.definitions == other.definitions && list(self).iter().zip(list(other)).all(|(a, b)| a == b)
    }
}

/// An epoch, and in what it differs from the one before.
#[derive(Debug)]
pub(crate) struct RecordedEpoch {
    /// Its number in the run.
    pub(crate) number: u32,
    /// The number of its first event; 0 at begin of run.
    pub(crate) first: u64,
    /// Keys and their values.
    values: Vec<(String, Value)>,
    /// Keys that are gone.
    gone: Vec<String>,
}

impl Recorded {
    /// Reads what an output says of its epochs: a table, a file of histograms, or the provenance that
    /// stands beside events.
    ///
    /// # Errors
    /// If it cannot be read, is none of these, or says too little.
    pub fn read(path: impl Into<PathBuf>) -> Result<Recorded, Error> {
        read::recorded(path.into())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The runs in it, in the order of the job.
    pub fn runs(&self) -> Vec<u32> {
        self.runs.iter().map(|run| run.number).collect()
    }

    fn refused(&self, message: String) -> Error {
        Error::Epochs { path: self.path.clone(), message }
    }
}

/// The records of a job, and which of them are still to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    /// A run may have been begun several times.
    runs: BTreeMap<u32, VecDeque<Arc<RecordedRun>>>,
    /// For messages: the last file.
    file: PathBuf,
}

impl Records {
    /// Those of a job, if they are of this analyzer and are enough for the inputs, and what looks odd.
    pub(crate) fn new(analyzer: &Analyzer, job: &Job) -> Result<(Records, Vec<String>), Error> {
        let (mut records, mut warnings) = (Records::default(), Vec::new());
        for recorded in &job.epochs {
            if recorded.analyzer != analyzer.name {
                let (theirs, ours) = (&recorded.analyzer, &analyzer.name);
                return Err(recorded.refused(format!("of the analyzer \"{theirs}\", and this is \"{ours}\"")));
            }
            if recorded.definition != analyzer.definition {
                warnings.push(format!(
                    "the epochs of {} were recorded with another definition",
                    recorded.path.display()
                ));
            }
            records.add(recorded)?;
        }
        if !job.epochs.is_empty() {
            records.check(&job.inputs, &job.limits)?;
        }
        Ok((records, warnings))
    }

    /// Several outputs of one job say the same, but for one that was complete before the run was: it says
    /// less.
    fn add(&mut self, recorded: &Recorded) -> Result<(), Error> {
        let mut theirs: BTreeMap<u32, VecDeque<Arc<RecordedRun>>> = BTreeMap::new();
        for run in &recorded.runs {
            theirs.entry(run.number).or_default().push_back(Arc::clone(run));
        }
        for (number, runs) in theirs {
            let Some(known) = self.runs.get_mut(&number) else {
                self.runs.insert(number, runs);
                continue;
            };
            let are_same = known.len() == runs.len() && known.iter().zip(&runs).all(|(a, b)| a.begins_as(b));
            if are_same {
                let both = known.iter_mut().zip(runs);
                both.filter(|(a, b)| a.epochs.len() < b.epochs.len()).for_each(|(a, b)| *a = b);
            } else {
                let other = known.front().map(|run| run.file.display().to_string()).unwrap_or_default();
                let message = format!("run {number} has other epochs than in {other}: name one of the two");
                return Err(recorded.refused(message));
            }
        }
        self.file.clone_from(&recorded.path);
        Ok(())
    }

    /// Whether there is nothing to be applied.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The run in hand, if only one is recorded: for streams without a number of their own.
    pub(crate) fn only(&self) -> Option<u32> {
        self.runs.keys().next().copied().filter(|_| self.runs.len() == 1)
    }

    /// What is known of the events of a run before its begin.
    pub(crate) fn definitions(&self, run: Option<u32>) -> &[EventDefinition] {
        let run = run.or_else(|| self.only()).and_then(|run| self.runs.get(&run)?.front());
        run.map_or(&[], |run| &run.definitions)
    }

    /// The record of a run that begins.
    pub(crate) fn take(&mut self, run: u32) -> Result<Arc<RecordedRun>, Error> {
        match self.runs.get_mut(&run) {
            None => Err(self.missing(run)),
            Some(records) => records.pop_front().ok_or_else(|| Error::Epochs {
                path: self.file.clone(),
                message: format!("run {run} begins again, and its epochs are there only once"),
            }),
        }
    }

    fn missing(&self, run: u32) -> Error {
        let runs: Vec<String> = self.runs.keys().map(u32::to_string).collect();
        let message = format!("no epochs of run {run}, only of {}", runs.join(", "));
        Error::Epochs { path: self.file.clone(), message }
    }

    /// Refuses inputs without a record before anything is written, as far as their first events tell.
    fn check(&self, inputs: &[InputFile], limits: &Limits) -> Result<(), Error> {
        let mut before: Option<&InputFile> = None;
        for input in inputs {
            let goes_on = before.replace(input).is_some_and(|before| input.continues(before));
            if let Some(run) = first_run(input, limits).filter(|_| !goes_on)
                && !self.runs.contains_key(&run)
            {
                return Err(self.missing(run));
            }
        }
        Ok(())
    }
}

/// Messages that may stand before the begin of the first run of a file.
const MESSAGES: usize = 256;

/// The run with which a file begins, if it can be known without taking anything from a pipe. What is wrong
/// with the file is said when it is analysed.
fn first_run(input: &InputFile, limits: &Limits) -> Option<u32> {
    if input.is_stdin() || !std::fs::metadata(&input.path).ok()?.is_file() {
        return None;
    }
    let mut events = Events::new(Input::open_with(&input.path, limits).ok()?, *limits).ok()?;
    let mut block = Block::new();
    for _ in 0..MESSAGES {
        let ends = events.read(&mut block, 1).ok()?;
        match block.events().next().map(|event| (event.kind(), event.header.serial)) {
            Some((Kind::Bor, run)) => return Some(run),
            Some((Kind::Data, _)) => return input.run,
            _ if ends == Stop::End => return None,
            _ => {}
        }
    }
    None
}

/// A record whose first epoch has begun.
#[derive(Debug)]
pub(crate) struct Coming {
    pub(crate) run: Arc<RecordedRun>,
    /// Epochs that have begun.
    begun: usize,
}

impl Coming {
    pub(crate) fn new(run: Arc<RecordedRun>) -> Coming {
        Coming { run, begun: 1 }
    }

    /// The epoch that comes next.
    pub(crate) fn next(&self) -> Option<&RecordedEpoch> {
        self.run.epochs.get(self.begun)
    }

    /// The first event of the next epoch that begins behind this event.
    pub(crate) fn first_behind(&self, event: u64) -> Option<u64> {
        let coming = self.run.epochs.get(self.begun..).unwrap_or_default();
        coming.iter().map(|epoch| epoch.first).find(|first| *first > event)
    }

    /// The epochs that begin up to an event: one, unless the input has lost some.
    pub(crate) fn up_to(&mut self, event: u64) -> &[RecordedEpoch] {
        let coming = self.run.epochs.get(self.begun..).unwrap_or_default();
        let due = coming.iter().take_while(|epoch| epoch.first <= event).count();
        self.begun += due;
        &coming[..due]
    }

    /// What to say where the input has ended before.
    pub(crate) fn left(&self) -> Option<String> {
        let RecordedEpoch { number, first, .. } = self.next()?;
        let (run, file) = (self.run.number, self.run.file.display());
        Some(format!("run {run} ends before event {first}, where epoch {number} of {file} begins"))
    }
}
