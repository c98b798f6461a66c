//! What a job has done.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pactolus_formats::Damage;
use serde::{Serialize, Serializer};

use crate::ledger::{Failure, Offered, Requested};

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Its name.
    pub path: PathBuf,
    /// Rows, if it is a table.
    pub rows: Option<u64>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// One request in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestReport {
    /// Its name.
    pub name: String,
    /// Its account.
    #[serde(flatten)]
    pub account: Requested,
}

/// One stage in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
pub struct RunReport {
    /// Run number.
    pub run: u32,
    /// The file it was read from.
    pub input: PathBuf,
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
    /// The first messages of modules.
    pub messages: Vec<String>,
    /// Events with a value that their table could not take and that is null there: the bank has
    /// changed its type, is no whole number of structs, or fits no column of a stream.
    pub refused: u64,
    /// The first of these values, and why.
    pub refusals: Vec<String>,
    /// What went wrong at the end of the run.
    pub errors: Vec<String>,
    /// Each parameter with its value and origin.
    pub parameters: Vec<Explained>,
}

/// A parameter with its origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Its path.
    pub path: String,
    /// Its value as text.
    pub value: String,
    /// The layer that last set it.
    pub origin: String,
}

/// Broken bytes in an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputDamage {
    /// The file.
    pub input: PathBuf,
    /// What and where.
    #[serde(serialize_with = "as_text")]
    pub damage: Damage,
}

fn as_text<S: Serializer>(damage: &Damage, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(damage)
}

/// What a job has done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The runs in order.
    pub runs: Vec<RunReport>,
    /// The files written.
    pub outputs: Vec<Written>,
    /// Broken bytes in the inputs.
    pub damage: Vec<InputDamage>,
    /// What looked odd.
    pub warnings: Vec<String>,
    /// The user asked to stop before the end.
    pub stopped: bool,
    /// Bytes of events read, uncompressed.
    pub bytes: u64,
    /// Wall-clock time in seconds.
    pub seconds: f64,
    /// The ODB as the last run left it.
    #[serde(skip)]
    pub odb: Option<pactolus_odb::Tree>,
}

impl Report {
    /// The account at the source over all runs and event ids.
    pub fn total(&self) -> Offered {
        let mut total = Offered::default();
        for offered in self.runs.iter().flat_map(|r| r.events.values()) {
            total.offered += offered.offered;
            total.delivered += offered.delivered;
            total.left_out += offered.left_out;
            total.damaged += offered.damaged;
            total.unrequested += offered.unrequested;
        }
        total
    }

    /// Events that a stage or output lost, over all runs.
    pub fn failed(&self) -> u64 {
        self.runs.iter().flat_map(|r| &r.requests).map(|r| r.account.failed).sum()
    }

    /// Whether anything was damaged or failed.
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty()
            && self.total().damaged == 0
            && self.failed() == 0
            && self.runs.iter().all(|r| r.errors.is_empty() && r.refused == 0)
    }
}
