//! What others change in the ODB of a job while its events flow.
//!
//! Before a block is handed on, the reader asks for the revision of the ODB, an atomic load. If that has
//! moved, what matters to this analyzer is compared: parameters, switches, and the settings of requests.
//! A difference is the end of an epoch: modules are made and prepared anew, as at begin of run, and the
//! block is the first of the next epoch. What cannot be taken (a limit is broken, a module refuses) leaves
//! the epoch in force.

use std::sync::Arc;

use pactolus_odb::{Odb, Path as OdbPath, Tree};

use crate::analyzer::Analyzer;
use crate::begun::{Begun, Earlier, Fresh, Made};
use crate::epoch::{Epoch, Format};
use crate::events::Layouts;
use crate::job::Job;
use crate::last::Last;
use crate::layers::{EventDefinition, InForce, watched};
use crate::provenance::text;
use crate::report::Change;
use crate::{Error, Run};

/// The ODB of a run, as far as the run has followed it.
pub(crate) struct Hot {
    run: Run,
    odb: Odb,
    /// The last that was looked at; none if that failed.
    revision: Option<u64>,
    /// The ODB as it was then ...
    seen: Tree,
    /// ... with what its links lead to; none if it has no link. Before the first look: what is in force.
    followed: Option<Tree>,
    /// The values in force.
    tree: Tree,
    /// Values that could not be taken, which is said once.
    refused: Option<Tree>,
    /// Somebody knows that the ODB cannot be read.
    told: bool,
    /// What of the ODB matters.
    watched: Vec<OdbPath>,
    definitions: Vec<EventDefinition>,
    /// How the events of each request are built.
    formats: Vec<Format>,
    earlier: Earlier,
}

/// A change that was found.
pub(crate) enum Found {
    /// It takes effect.
    Taken(Box<Taken>),
    /// It does not, for this reason.
    Refused(String),
}

/// The next epoch.
pub(crate) struct Taken {
    pub(crate) epoch: Arc<Epoch>,
    pub(crate) sequential: Vec<Fresh>,
    /// Its values.
    pub(crate) tree: Tree,
    /// Number of its first event in the run.
    pub(crate) first: u64,
    /// What was changed.
    pub(crate) changes: Vec<Change>,
}

impl Hot {
    /// Follows the ODB from the begin of a run on; `None` if it is that of the run alone. `revision`: from
    /// before the begin.
    pub(crate) fn new(analyzer: &Analyzer, job: &Job, begun: &Begun, revision: Option<u64>) -> Option<Hot> {
        let odb = job.odb.clone()?;
        Some(Hot {
            run: begun.epoch.run.clone(),
            odb,
            revision,
            seen: begun.seen.clone(),
            followed: Some(begun.tree.clone()),
            tree: begun.tree.clone(),
            refused: begun.refused.clone(),
            told: false,
            watched: watched(analyzer),
            definitions: begun.definitions.clone(),
            formats: formats(&begun.epoch),
            earlier: begun.earlier.clone(),
        })
    }

    /// Whether anything in the ODB has changed since the last time.
    pub(crate) fn has_moved(&self) -> bool {
        self.revision != Some(self.odb.revision())
    }

    /// What others have changed since the last time, for events from number `first` on.
    pub(crate) fn look(&mut self, analyzer: &Analyzer, job: &Job, first: u64) -> Option<Found> {
        let seen = match self.odb.store().snapshot() {
            Ok((revision, seen)) => {
                (self.revision, self.told) = (Some(revision), false);
                seen
            }
            Err(error) => {
                self.revision = None;
                let told = std::mem::replace(&mut self.told, true);
                return (!told).then(|| self.refuse("what may have changed", first, &error.into()));
            }
        };
        // What the two share is compared at once.
        let is_known = self.followed.is_none() && self.is_same(&self.seen, &seen);
        self.seen = seen;
        if is_known {
            return None;
        }
        let followed = self.seen.followed(&self.watched);
        let before = std::mem::replace(&mut self.followed, followed);
        if let (Some(before), Some(now)) = (&before, &self.followed)
            && self.is_same(before, now)
        {
            return None;
        }
        let now = self.followed.as_ref().unwrap_or(&self.seen).clone();
        let InForce { tree, failed } = InForce::filled(analyzer, job, now);
        let changes = if self.is_same(&self.tree, &tree) { Vec::new() } else { self.changes(&tree) };
        let what = match changes.as_slice() {
            [] => {
                // Names, order and access modes are no values.
                (self.tree, self.refused) = (tree, None);
                return None;
            }
            [one] => format!("the change of {one}"),
            [one, others @ ..] => format!("the change of {one} and {} more", others.len()),
        };
        if self.refused.as_ref().is_some_and(|refused| self.is_same(refused, &tree)) {
            return None;
        }
        let made = match failed {
            None => self.made(analyzer, job, &tree),
            Some(error) => Err(error),
        };
        match made {
            Ok(Made { epoch, sequential }) => {
                self.earlier.add(&epoch, &sequential);
                self.tree = tree.clone();
                self.refused = None;
                let epoch = Arc::new(epoch);
                Some(Found::Taken(Box::new(Taken { epoch, sequential, tree, first, changes })))
            }
            Err(error) => {
                self.refused = Some(tree);
                Some(self.refuse(&what, first, &error))
            }
        }
    }

    /// The next epoch, with these values.
    fn made(&self, analyzer: &Analyzer, job: &Job, tree: &Tree) -> Result<Made, Error> {
        let made = analyzer.epoch(job, &self.run, (tree, &self.definitions), self.earlier.clone())?;
        // Tables and text have begun with events of the other form.
        match formats(&made.epoch) == self.formats {
            true => Ok(made),
            false => Err(Error::Job(
                "the form of the events of a request does not change within a run: it takes effect at the next run"
                    .into(),
            )),
        }
    }

    fn refuse(&self, what: &str, first: u64, error: &Error) -> Found {
        Found::Refused(format!(
            "run {}, before event {first}: {what} does not take effect, epoch {} goes on: {}",
            self.run.number,
            self.earlier.epochs - 1,
            why(error)
        ))
    }

    /// What is in force at the end of the run.
    pub(crate) fn last(self) -> Last {
        Last { odb: self.odb, tree: self.tree, seen: self.seen, definitions: self.definitions }
    }

    /// What is defined under an epoch.
    pub(crate) fn layouts(&self, epoch: &Epoch) -> Layouts {
        Layouts::during(epoch, &self.definitions)
    }

    fn is_same(&self, a: &Tree, b: &Tree) -> bool {
        self.watched.iter().all(|path| a.same_below(b, path))
    }

    /// Every value in which `tree` differs from what is in force; elements of an array each on their own.
    fn changes(&self, tree: &Tree) -> Vec<Change> {
        let mut changes = Vec::new();
        let differences = self.watched.iter().flat_map(|path| self.tree.diff_below(tree, path));
        for difference in differences {
            let path = difference.path.to_string();
            match (&difference.left, &difference.right, difference.elements()) {
                (Some(old), Some(new), Some(elements)) => {
                    changes.extend(elements.into_iter().map(|i| Change {
                        path: format!("{path}[{i}]"),
                        old: Some(old.text(i)),
                        new: Some(new.text(i)),
                    }));
                }
                (old, new, _) => {
                    let (old, new) = (old.as_ref().map(text), new.as_ref().map(text));
                    changes.push(Change { path, old, new });
                }
            }
        }
        changes
    }
}

/// Why values are not taken, where the run is named already.
pub(crate) fn why(error: &Error) -> String {
    match error {
        Error::Stage { stage, source, .. } => format!("stage \"{stage}\": {source}"),
        other => other.to_string(),
    }
}

fn formats(epoch: &Epoch) -> Vec<Format> {
    epoch.chains.iter().map(|chain| chain.format.clone()).collect()
}
