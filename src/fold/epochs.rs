//! From one epoch of a run to the next.

use std::sync::Arc;

use pactolus_formats::BankName;
use pactolus_odb::{Odb, Tree};

use super::{Fold, Live};
use crate::analyzer::Analyzer;
use crate::begun::Fresh;
use crate::chain::Mounted;
use crate::epoch::Epoch;
use crate::histo::{Histograms, Store};
use crate::hot::Taken;
use crate::module::{BoxError, Setup};
use crate::recorded::Said;
use crate::report::{Change, EpochReport};
use crate::stage::{AnySequential, guarded};

/// Changed values that a report shows of an epoch.
const SHOWN: usize = 20;

/// An epoch of the run, for report and provenance.
pub(super) struct Values {
    number: u32,
    /// Number of its first event in the run; `None` for the first epoch.
    first: Option<u64>,
    pub(super) tree: Tree,
    /// What outputs say of it, JSON: of the first epoch all values, of the others those that differ from the
    /// epoch before, since there may be thousands.
    pub(super) said: Box<str>,
    changes: Vec<Change>,
    /// Changes that are not listed.
    more: usize,
    /// What it has filled, perhaps together with others.
    histograms: Arc<Store>,
}

impl Values {
    /// Those at begin of run, and all that is said of them.
    pub(super) fn first(analyzer: &Analyzer, epoch: &Epoch, tree: Tree) -> (Values, Said) {
        let histograms = Arc::clone(&epoch.histograms);
        let all = Said::of(analyzer, &tree);
        let said = all.first(analyzer, &tree).to_string().into();
        let (number, changes) = (epoch.number, Vec::new());
        (Values { number, first: None, tree, said, changes, more: 0, histograms }, all)
    }

    /// The values of the first epoch are others at end of run.
    pub(super) fn replace(&mut self, analyzer: &Analyzer, tree: Tree) {
        self.said = Said::of(analyzer, &tree).first(analyzer, &tree).to_string().into();
        self.tree = tree;
    }

    /// What a report says of it, unless it is the first.
    pub(super) fn report(&self) -> Option<EpochReport> {
        let Values { number, first, changes, more, .. } = self;
        Some(EpochReport { epoch: *number, first_event: (*first)?, changes: changes.clone(), more: *more })
    }
}

impl Fold<'_> {
    /// Others have changed the ODB: what comes behind is of this epoch.
    pub(super) fn epoch(&mut self, taken: Taken) {
        let Some(live) = &mut self.live else { return };
        let Taken { epoch, sequential, tree, first, mut changes } = taken;
        live.tests.grow(&epoch.tests);
        if self.job.odb.is_none() {
            // It was recorded: the ODB of the run has the values in force.
            live.odb = Odb::from(tree.clone());
        }
        for change in &changes {
            // A name may end in brackets, too.
            let is_name = tree.find_link(&change.path).is_ok_and(|found| found.index.is_none());
            let array = change.path.strip_suffix(']').and_then(|path| path.rsplit_once('['));
            let path = array.filter(|_| !is_name).map_or(&*change.path, |(path, _)| path);
            live.origins.insert(path.to_lowercase(), format!("changed before event {first}"));
        }
        for (i, fresh) in sequential.into_iter().enumerate() {
            take_over(self.analyzer, live, &epoch, (&tree, i), fresh);
        }
        let more = changes.len().saturating_sub(SHOWN);
        changes.truncate(SHOWN);
        changes.shrink_to_fit();
        let histograms = Arc::clone(&epoch.histograms);
        let now = Said::of(self.analyzer, &tree);
        let said = now.behind(&live.said, epoch.number, first).to_string().into();
        live.said = now;
        live.epochs.push(Values {
            number: epoch.number,
            first: Some(first),
            tree,
            said,
            changes,
            more,
            histograms,
        });
        live.epoch = epoch;
    }

    /// What all epochs of a run have filled. Where bins differ, the later ones are kept.
    pub(super) fn histograms_of(&mut self, live: &Live) -> Histograms {
        let mut sum = live.epoch.histograms.take();
        for store in stores(live).skip(1) {
            for name in sum.join(&store.take()) {
                self.warn(format!(
                    "histogram \"{name}\" has other bins in a later epoch of run {}: what was filled before is left out",
                    live.epoch.run.number
                ));
            }
        }
        sum
    }
}

/// What the epochs of a run have filled, that of the last one first, each once.
pub(super) fn stores(live: &Live) -> impl Iterator<Item = &Store> {
    let mut stores = vec![&live.epoch.histograms];
    for Values { histograms, .. } in live.epochs.iter().rev() {
        if !stores.iter().any(|store| Arc::ptr_eq(store, histograms)) {
            stores.push(histograms);
        }
    }
    stores.into_iter().map(AsRef::as_ref)
}

/// Passes what sequential stage `i` remembers on to the next epoch, with its new parameters.
fn take_over(analyzer: &Analyzer, live: &mut Live, epoch: &Epoch, (tree, i): (&Tree, usize), fresh: Fresh) {
    let sequential = analyzer.chains.iter().flat_map(|chain| &chain.stages).filter(|s| s.is_sequential());
    let (Some(mounted), Some(running)) = (sequential.into_iter().nth(i), live.sequential.get_mut(i)) else {
        return;
    };
    // What is switched off keeps what it has for later.
    if !fresh.on {
        return;
    }
    if fresh.begins {
        *running = fresh.module;
        return;
    }
    let mut failed = |error: BoxError| {
        let (name, number) = (&mounted.name, epoch.number);
        live.errors.push(format!("stage \"{name}\", epoch {number}: {error}"));
    };
    match again(analyzer, mounted, &**running, (epoch, tree), &fresh) {
        Ok(module) => *running = module,
        Err(error) => {
            failed(format!("{error}; it has lost what it remembered").into());
            *running = fresh.module;
            if let Err(error) = guarded(|| running.bor(&epoch.run)) {
                failed(error);
            }
        }
    }
}

/// A copy of a running module, prepared for other parameters.
fn again(
    analyzer: &Analyzer,
    mounted: &Mounted,
    running: &dyn AnySequential,
    (epoch, tree): (&Epoch, &Tree),
    fresh: &Fresh,
) -> Result<Box<dyn AnySequential>, BoxError> {
    let mut module = running.fresh();
    analyzer.prepare(mounted, module.as_record(), tree)?;
    let declared = |bank: BankName| analyzer.elements(mounted, bank);
    // From here on it books the same under the same numbers.
    let mut booked = fresh.before.clone();
    let mut setup = Setup::new(&epoch.run, &mounted.name, &mut booked, &declared);
    guarded(|| module.prepare(&mut setup))?;
    if booked != fresh.after {
        return Err("it books other tests or histograms than a module at begin of run".into());
    }
    Ok(module)
}
