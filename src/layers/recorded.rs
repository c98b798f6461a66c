//! The values of a run that were recorded.

use pactolus_odb::Tree;

use super::tree::{Makes, create, set_run};
use super::{Base, Files, Origins, Settled, Skipped};
use crate::analyzer::Analyzer;
use crate::job::Job;
use crate::recorded::RecordedRun;
use crate::{Error, Run};

impl Base {
    /// The values with which a run began when it was recorded. Nothing else has a say; only keys that this
    /// analyzer has and that one had not get what a new run would.
    pub(crate) fn settle_recorded(
        &self,
        analyzer: &Analyzer,
        job: &Job,
        run: &Run,
        record: &RecordedRun,
    ) -> Result<Settled, Error> {
        let (mut tree, mut origins, mut skipped) = (Tree::new(), Origins::new(), Skipped::new(false));
        tree.set_now(run.start.unwrap_or(0));
        record.begin(&mut tree, &mut origins)?;
        create(analyzer, job, &mut tree, (&mut origins, &mut skipped), Makes::Run)?;
        set_run(&mut tree, run.number, &mut skipped)?;
        Ok(Settled {
            odb: tree.clone(),
            tree,
            skipped: None,
            definitions: record.definitions.clone(),
            origins,
            warnings: self.warnings.clone(),
            files: Files::new(),
        })
    }
}
