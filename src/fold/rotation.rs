//! What others may read while a run goes on: parts of tables, and histograms so far.

use std::time::{Duration, Instant};

use serde_json::json;

use super::epochs::stores;
use super::run_report::requests;
use super::{Fold, Live};
use crate::Error;
use crate::histo::Histograms;
use crate::provenance::list;
use crate::sink::Origin;

/// Histograms of more cells than this are written at the end of the run only: a copy takes memory ...
const MOST_CELLS: usize = 1 << 23;
/// ... and so many times the time that it takes to write them passes before they are written again.
const PAUSE: u32 = 9;

/// When tables rotate.
pub(super) struct Rotation {
    last: Instant,
    /// Histograms rest until then.
    histograms: Instant,
}

impl Rotation {
    pub(super) fn new() -> Rotation {
        let now = Instant::now();
        Rotation { last: now, histograms: now }
    }
}

/// The accounts of the runs, as text, which stands in their tables.
#[derive(Default)]
pub(super) struct Accounts(Vec<Box<str>>);

impl Accounts {
    /// A run is complete.
    pub(super) fn add(&mut self, live: &Live) {
        self.0.push(account(live).into());
    }

    /// Forgets the runs so far.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// For outputs of the last run, or of all runs.
    pub(super) fn text(&self, all: bool) -> String {
        let runs = if all { &self.0[..] } else { &self.0[self.0.len().saturating_sub(1)..] };
        list(runs.iter().map(AsRef::as_ref))
    }
}

/// The account of a run so far: of each event id at the source, and of each request.
fn account(live: &Live) -> String {
    let account = json!({
        "run": live.epoch.run.number,
        "events": live.counts.by_id(),
        "system": live.counts.system,
        "requests": requests(live),
    });
    account.to_string()
}

impl Fold<'_> {
    /// Closes the parts of tables, if it is time to and there is anything new.
    pub(super) fn keep_rotated(&mut self) -> Result<(), Error> {
        let Some(period) = self.job.rotate else { return Ok(()) };
        if self.rotation.last.elapsed() < period || !self.sinks.has_rows() {
            return Ok(());
        }
        let Some(of) = self.so_far() else { return Ok(()) };
        self.sinks.rotate(&of)?;
        self.show_histograms(&of)?;
        self.rotation.last = Instant::now();
        Ok(())
    }

    /// What the outputs are made of so far: those of the run, and those of all runs.
    fn so_far(&mut self) -> Option<[Origin; 2]> {
        let live = self.live.as_ref()?;
        // It may be one of several files of the run; what is read of it is not known yet.
        let files = live.files.iter().take(live.file + 1);
        let files = files.map(|input| json!({ "file": input.path.display().to_string() })).collect();
        let epochs = live.epochs.iter().map(|epoch| &*epoch.said);
        let (number, definitions) = (live.epoch.run.number, &live.definitions);
        let [of_run, of_all] = self.provenance.so_far(number, files, definitions, epochs);
        let now = account(live);
        let all = list(self.accounts.0.iter().map(AsRef::as_ref).chain([&*now]));
        let own = list([&*now].into_iter());
        Some([Origin { provenance: of_run, ledger: own }, Origin { provenance: of_all, ledger: all }])
    }

    /// Writes the histograms so far, unless they are so many that it would hold up the run.
    fn show_histograms(&mut self, of: &[Origin; 2]) -> Result<(), Error> {
        let Some(live) = &self.live else { return Ok(()) };
        let with = self.sinks.with_histograms();
        let began = Instant::now();
        let cells: usize = stores(live).map(|store| store.cells()).sum();
        if with == [false; 2] || began < self.rotation.histograms || cells > MOST_CELLS {
            return Ok(());
        }
        let mut own = Histograms::default();
        for store in stores(live) {
            // Where bins differ, the later ones are kept, as at end of run.
            own.join(&store.copy());
        }
        let mut of_all = Histograms::default();
        if with[1] {
            of_all = own.clone();
            of_all.join(&self.histograms);
        }
        if with[0] && !live.clear {
            own.join(self.carried.as_ref().unwrap_or(&self.histograms));
        }
        self.sinks.show(of, &[own, of_all])?;
        self.rotation.histograms = Instant::now() + began.elapsed().min(Duration::from_secs(3600)) * PAUSE;
        Ok(())
    }
}
