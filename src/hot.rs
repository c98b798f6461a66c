//! What others change in the ODB of a job while its events flow, or what was recorded of that.
//!
//! Before a block is handed on, the reader asks for the revision of the ODB, an atomic load. If that has
//! moved, what matters to this analyzer is compared: parameters, switches, and the settings of requests.
//! A difference is the end of an epoch: modules are made and prepared anew, as at begin of run, and the
//! block is the first of the next epoch. What cannot be taken (a limit is broken, a module refuses) leaves
//! the epoch in force.
//!
//! With a record ([`recorded`](crate::recorded)) the reader asks for the event before which a block must
//! end, and the epoch begins there. What a session has taken must be taken again: if it is not, the job
//! cannot go on.

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
use crate::recorded::Coming;
use crate::report::Change;
use crate::{Error, Run};

/// The values of a run that may change while its events flow.
pub(crate) struct Hot {
    run: Run,
    follows: Follows,
    /// The values in force.
    tree: Tree,
    /// What of the ODB matters.
    watched: Vec<OdbPath>,
    definitions: Vec<EventDefinition>,
    /// How the events of each request are built.
    formats: Vec<Format>,
    earlier: Earlier,
}

/// Where changes come from.
enum Follows {
    /// From others.
    Odb(Box<Followed>),
    /// From a record.
    Record(Coming),
}

/// An ODB that others change, as far as the run has followed it.
struct Followed {
    odb: Odb,
    /// The last that was looked at; none if that failed.
    revision: Option<u64>,
    /// The ODB as it was then ...
    seen: Tree,
    /// ... with what its links lead to; none if it has no link. Before the first look: what is in force.
    followed: Option<Tree>,
    /// Values that could not be taken, which is said once.
    refused: Option<Tree>,
    /// Somebody knows that the ODB cannot be read.
    told: bool,
}

/// What a look at an ODB has found.
enum News {
    /// Nothing that matters.
    None,
    /// Other values, without links.
    Values(Tree),
    /// It cannot be read.
    Unread(Error),
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

impl Followed {
    /// What is there now.
    fn look(&mut self, watched: &[OdbPath]) -> News {
        let seen = match self.odb.store().snapshot() {
            Ok((revision, seen)) => {
                (self.revision, self.told) = (Some(revision), false);
                seen
            }
            Err(error) => {
                self.revision = None;
                let told = std::mem::replace(&mut self.told, true);
                return if told { News::None } else { News::Unread(error.into()) };
            }
        };
        // What the two share is compared at once.
        let is_known = self.followed.is_none() && is_same(watched, &self.seen, &seen);
        self.seen = seen;
        if is_known {
            return News::None;
        }
        let followed = self.seen.followed(watched);
        let before = std::mem::replace(&mut self.followed, followed);
        match (&before, &self.followed) {
            (Some(before), Some(now)) if is_same(watched, before, now) => News::None,
            _ => News::Values(self.followed.as_ref().unwrap_or(&self.seen).clone()),
        }
    }
}

impl Hot {
    /// Follows the ODB, or the record, from the begin of a run on; `None` if the ODB is that of the run
    /// alone. `revision`: from before the begin.
    pub(crate) fn new(analyzer: &Analyzer, job: &Job, begun: &Begun, revision: Option<u64>) -> Option<Hot> {
        let follows = match (&begun.record, &job.odb) {
            (Some(record), _) => Follows::Record(Coming::new(Arc::clone(record))),
            (None, Some(odb)) => Follows::Odb(Box::new(Followed {
                odb: odb.clone(),
                revision,
                seen: begun.seen.clone(),
                followed: Some(begun.tree.clone()),
                refused: begun.refused.clone(),
                told: false,
            })),
            (None, None) => return None,
        };
        Some(Hot {
            run: begun.epoch.run.clone(),
            follows,
            tree: begun.tree.clone(),
            watched: watched(analyzer),
            definitions: begun.definitions.clone(),
            formats: formats(&begun.epoch),
            earlier: begun.earlier.clone(),
        })
    }

    /// Whether something may have changed since the last time, or is to change up to this event.
    pub(crate) fn has_moved(&self, event: u64) -> bool {
        match &self.follows {
            Follows::Odb(followed) => followed.revision != Some(followed.odb.revision()),
            Follows::Record(coming) => coming.next().is_some_and(|next| next.first <= event),
        }
    }

    /// The event behind this one with which an epoch begins, if that is known.
    pub(crate) fn first_behind(&self, event: u64) -> Option<u64> {
        match &self.follows {
            Follows::Odb(_) => None,
            Follows::Record(coming) => coming.first_behind(event),
        }
    }

    /// What was changed since the last time, for events from number `first` on.
    ///
    /// # Errors
    /// If a record cannot be applied.
    pub(crate) fn look(
        &mut self,
        analyzer: &Analyzer,
        job: &Job,
        first: u64,
    ) -> Result<Option<Found>, Error> {
        match &mut self.follows {
            Follows::Record(_) => self.go_on(analyzer, job, first),
            Follows::Odb(followed) => Ok(match followed.look(&self.watched) {
                News::None => None,
                News::Unread(error) => Some(self.refuse("what may have changed", first, &error)),
                News::Values(now) => self.compare(analyzer, job, (now, first)),
            }),
        }
    }

    /// The next epochs of a record, up to this event. If the input has lost the events of some, only the
    /// last of them begins: one without data would be one that nobody sees.
    fn go_on(&mut self, analyzer: &Analyzer, job: &Job, event: u64) -> Result<Option<Found>, Error> {
        let Follows::Record(coming) = &mut self.follows else { return Ok(None) };
        let mut tree = self.tree.clone();
        let mut last = None;
        let run = Arc::clone(&coming.run);
        for epoch in coming.up_to(event) {
            epoch.apply(&mut tree).map_err(|error| run.refused(epoch.number, &error.into()))?;
            last = Some((epoch.number, epoch.first));
        }
        let Some((number, first)) = last else { return Ok(None) };
        let refused = |error| run.refused(number, &error);
        let tree = InForce::filled(analyzer, job, tree).done().map_err(refused)?;
        let changes = self.changes(&tree);
        self.earlier.epochs = number;
        let made = self.made(analyzer, job, &tree).map_err(refused)?;
        Ok(Some(self.take(made, tree, (first, changes))))
    }

    /// What others have made of the values in force.
    fn compare(&mut self, analyzer: &Analyzer, job: &Job, (now, first): (Tree, u64)) -> Option<Found> {
        let InForce { tree, failed } = InForce::filled(analyzer, job, now);
        let is_same = |a: &Tree, b: &Tree| is_same(&self.watched, a, b);
        let changes = if is_same(&self.tree, &tree) { Vec::new() } else { self.changes(&tree) };
        let what = match changes.as_slice() {
            [] => {
                // Names, order and access modes are no values.
                self.tree = tree;
                self.set_refused(None);
                return None;
            }
            [one] => format!("the change of {one}"),
            [one, others @ ..] => format!("the change of {one} and {} more", others.len()),
        };
        if let Follows::Odb(followed) = &self.follows
            && followed.refused.as_ref().is_some_and(|refused| is_same(refused, &tree))
        {
            return None;
        }
        let made = match failed {
            None => self.made(analyzer, job, &tree),
            Some(error) => Err(error),
        };
        match made {
            Ok(made) => {
                self.set_refused(None);
                Some(self.take(made, tree, (first, changes)))
            }
            Err(error) => {
                self.set_refused(Some(tree));
                Some(self.refuse(&what, first, &error))
            }
        }
    }

    fn set_refused(&mut self, tree: Option<Tree>) {
        if let Follows::Odb(followed) = &mut self.follows {
            followed.refused = tree;
        }
    }

    /// From here on it is in force.
    fn take(&mut self, made: Made, tree: Tree, (first, changes): (u64, Vec<Change>)) -> Found {
        let Made { epoch, sequential } = made;
        self.earlier.add(&epoch, &sequential);
        self.tree = tree.clone();
        Found::Taken(Box::new(Taken { epoch: Arc::new(epoch), sequential, tree, first, changes }))
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

    /// What is in force on a shared ODB at the end of the run.
    pub(crate) fn last(self) -> Option<Last> {
        let Follows::Odb(followed) = self.follows else { return None };
        let Followed { odb, seen, .. } = *followed;
        Some(Last { odb, tree: self.tree, seen, definitions: self.definitions })
    }

    /// What to say of epochs that have not begun.
    pub(crate) fn left(&self) -> Option<String> {
        match &self.follows {
            Follows::Odb(_) => None,
            Follows::Record(coming) => coming.left(),
        }
    }

    /// What is defined under an epoch.
    pub(crate) fn layouts(&self, epoch: &Epoch) -> Layouts {
        Layouts::during(epoch, &self.definitions)
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

/// Whether all that matters is the same in two trees.
fn is_same(watched: &[OdbPath], a: &Tree, b: &Tree) -> bool {
    watched.iter().all(|path| a.same_below(b, path))
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
