//! What a job has done.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use pactolus_formats::Damage;
use pactolus_formats::asc::Refusals;
use pactolus_formats::tuple::TableSummary;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::feed::Ended;
use crate::histo::Histogram;
use crate::ledger::{Failure, Offered, Requested};

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Written {
    /// Its name.
    pub path: PathBuf,
    /// Rows, if it is a table.
    pub rows: Option<u64>,
    /// Its size in bytes.
    pub bytes: u64,
}

impl From<TableSummary> for Written {
    fn from(TableSummary { path, rows, bytes }: TableSummary) -> Written {
        Written { path, rows: Some(rows), bytes }
    }
}

/// One request in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestReport {
    /// Its name.
    pub name: String,
    /// Its account.
    #[serde(flatten)]
    pub account: Requested,
    /// The same for each event id.
    pub ids: BTreeMap<u16, Requested>,
}

/// One stage in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StageReport {
    /// Its name.
    pub name: String,
    /// The request it is mounted on.
    pub request: String,
    /// Whether its switch was on.
    pub on: bool,
    /// Events that entered.
    pub entered: u64,
    /// Events that it skipped.
    pub skipped: u64,
    /// Events that it lost to an error.
    pub failed: u64,
    /// Time spent in it, over all threads, in seconds; from a sample of the events.
    pub seconds: f64,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunReport {
    /// Run number.
    pub run: u32,
    /// The file it was read from, the first of several subruns.
    pub input: PathBuf,
    /// How many files it was read from: more than one if it has subruns.
    pub files: usize,
    /// The account of each event id at the source.
    pub events: BTreeMap<u16, Offered>,
    /// System events: BOR, EOR, messages, fragments.
    pub system: u64,
    /// The account of each request.
    pub requests: Vec<RequestReport>,
    /// The stages in order.
    pub stages: Vec<StageReport>,
    /// Names and counts of the tests.
    pub tests: Vec<(String, u64)>,
    /// The first events that stages lost.
    pub failures: Vec<Failure>,
    /// Places of the first events with broken banks.
    pub damage: Vec<String>,
    /// Events with broken banks, by what is wrong with them.
    pub reasons: BTreeMap<&'static str, u64>,
    /// The first messages of modules.
    pub messages: Vec<String>,
    /// The histograms, without their contents.
    pub histograms: Vec<HistogramReport>,
    /// Events with a value that their table could not take and that is null there: the bank has
    /// changed its type, is no whole number of structs, or fits no column of a stream.
    pub refused: u64,
    /// The first of these values, and why.
    pub refusals: Vec<String>,
    /// What went wrong at the end of the run.
    pub errors: Vec<String>,
    /// What is missing in it: subruns, or what a live source gave while nobody was attached.
    pub gaps: Vec<String>,
    /// Places with broken bytes: see [`Report::damage`].
    pub broken: u64,
    /// How long the producer of a live source was held back by those who want every event, in seconds: by us, or
    /// by others who read the same.
    pub back_pressure: f64,
    /// The epochs behind the first one: of a run whose ODB others change meanwhile.
    pub epochs: Vec<EpochReport>,
    /// Each parameter with its value and origin, as they are in force at end of run.
    pub parameters: Vec<Explained>,
}

impl RunReport {
    /// Events that a stage or output lost.
    pub fn failed(&self) -> u64 {
        self.requests.iter().map(|request| request.account.failed).sum()
    }
}

/// A histogram in one line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HistogramReport {
    /// Its name, a path.
    pub name: String,
    /// Fills, those outside of the axes too.
    pub entries: u64,
    /// Mean of x within the axis.
    pub mean: f64,
    /// Standard deviation of x within the axis.
    pub sigma: f64,
}

impl HistogramReport {
    pub(crate) fn new(histogram: &Histogram) -> HistogramReport {
        let stats = histogram.stats();
        HistogramReport {
            name: histogram.name().to_owned(),
            entries: stats.entries,
            mean: stats.mean_x,
            sigma: stats.sigma_x,
        }
    }
}

/// A parameter with its origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explained {
    /// Its path.
    pub path: String,
    /// Its value as text.
    pub value: String,
    /// The layer that last set it.
    pub origin: String,
}

/// Behind epoch 0: what others have changed in a shared ODB while the run went on, and from which event on
/// it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EpochReport {
    /// Its number in the run.
    pub epoch: u32,
    /// Number of its first event in its input, or in all subruns together: counted from 1 over events of
    /// every kind, as [`Selection`](crate::Selection) does.
    pub first_event: u64,
    /// The first of the values that differ from those of the epoch before.
    pub changes: Vec<Change>,
    /// How many more do.
    pub more: usize,
}

/// A value that somebody has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where, with the index in an array.
    pub path: String,
    /// The value before, unless there was none.
    pub old: Option<String>,
    /// The value now, unless there is none.
    pub new: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        write!(f, "{}: {} -> {}", self.path, shown(&self.old), shown(&self.new))
    }
}

/// Broken bytes in an input, with the place where reading went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InputDamage {
    /// The file.
    pub input: PathBuf,
    /// What and where.
    #[serde(flatten, serialize_with = "as_place")]
    pub damage: Damage,
}

/// Places of broken bytes of which a report keeps the range.
const PLACES: usize = 1000;

/// Broken bytes: all are counted, the first thousand are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Places.
    pub count: u64,
    /// Bytes left out, uncompressed, as far as they could be had.
    pub bytes: u64,
    /// Places by what is wrong with them.
    pub reasons: BTreeMap<&'static str, u64>,
    /// The first of them.
    pub places: Vec<InputDamage>,
}

impl Broken {
    /// Adds a place.
    pub fn add(&mut self, input: PathBuf, damage: Damage) {
        self.count += 1;
        self.bytes += damage.end.saturating_sub(damage.offset);
        *self.reasons.entry(damage.kind.reason()).or_default() += 1;
        if self.places.len() < PLACES {
            self.places.push(InputDamage { input, damage });
        }
    }

    /// Whether nothing is broken.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// A place as members of an object: what, reason, from and to which byte, which event.
pub(crate) fn as_place<S: Serializer>(damage: &Damage, serializer: S) -> Result<S::Ok, S::Error> {
    let mut place = serializer.serialize_struct("Damage", 7)?;
    place.serialize_field("what", &damage.kind.to_string())?;
    place.serialize_field("reason", damage.kind.reason())?;
    place.serialize_field("byte", &damage.offset)?;
    place.serialize_field("end", &damage.end)?;
    place.serialize_field("compressed_byte", &damage.compressed_offset)?;
    place.serialize_field("compressed_end", &damage.compressed_end)?;
    place.serialize_field("event", &damage.event)?;
    place.end()
}

/// What the text of an `.asc` input does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WithoutText {
    /// The file.
    pub input: PathBuf,
    /// Banks that were left out of their events.
    pub banks: u64,
    /// FIXED events that were left out.
    pub events: u64,
    /// The first of each kind, and why.
    pub first: Vec<String>,
}

impl WithoutText {
    /// What was left out of `input`.
    pub fn new(input: PathBuf, refused: &Refusals) -> WithoutText {
        let first = refused.first.iter().map(ToString::to_string).collect();
        WithoutText { input, banks: refused.banks, events: refused.events, first }
    }
}

/// The sums of runs that are not reported one by one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Earlier {
    /// How many there are.
    pub runs: u64,
    /// Their account at the source.
    pub events: Offered,
    /// Events that a stage or output lost.
    pub failed: u64,
    /// Events with a value that their table could not take.
    pub refused: u64,
    /// What went wrong at ends of runs.
    pub errors: u64,
    /// Files that are not listed any more.
    pub outputs: u64,
}

impl Earlier {
    /// Adds a run.
    pub(crate) fn add(&mut self, run: &RunReport) {
        self.runs += 1;
        run.events.values().for_each(|account| self.events.add(account));
        self.failed += run.failed();
        self.refused += run.refused;
        self.errors += run.errors.len() as u64;
    }
}

/// What a job has done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The runs in order.
    pub runs: Vec<RunReport>,
    /// The files written.
    pub outputs: Vec<Written>,
    /// Broken bytes in the inputs.
    pub damage: Broken,
    /// What the text of `.asc` inputs does not hold.
    pub without_text: Vec<WithoutText>,
    /// What looked odd.
    pub warnings: Vec<String>,
    /// The user asked to stop before the end.
    pub stopped: bool,
    /// Why a live source gave nothing more, unless the runs that were asked for are complete.
    pub ended: Option<Ended>,
    /// Runs of a live job that are not in `runs` any more, because it goes on for days.
    pub earlier: Earlier,
    /// Bytes of events read, uncompressed.
    pub bytes: u64,
    /// Wall-clock time in seconds.
    pub seconds: f64,
    /// Where the ODB is, if it is one that others share and whoever called knows.
    pub odb_dir: Option<PathBuf>,
    /// The ODB as the last run left it.
    #[serde(skip)]
    pub odb: Option<pactolus_odb::Tree>,
}

impl Report {
    /// The account at the source over all runs and event ids.
    pub fn total(&self) -> Offered {
        let mut total = self.earlier.events;
        for offered in self.runs.iter().flat_map(|r| r.events.values()) {
            total.add(offered);
        }
        total
    }

    /// Events that a stage or output lost, over all runs.
    pub fn failed(&self) -> u64 {
        self.earlier.failed + self.runs.iter().map(RunReport::failed).sum::<u64>()
    }

    /// Whether anything was damaged or failed.
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty()
            && self.without_text.is_empty()
            && self.total().damaged == 0
            && self.failed() == 0
            && self.earlier.errors + self.earlier.refused == 0
            && self.runs.iter().all(|r| r.errors.is_empty() && r.refused == 0)
    }
}
