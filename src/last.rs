//! The values of the run before, for a run that cannot begin with what is in the ODB.
//!
//! On an ODB that others change, a slip between two runs is as one within a run: a warning. Only the
//! first run of a job has no values before it.

use pactolus_odb::{Odb, Tree};

use crate::analyzer::Analyzer;
use crate::begun::{Begun, Earlier, Started};
use crate::hot::why;
use crate::job::Job;
use crate::layers::{
    EventDefinition, Files, InForce, Origins, Skipped, dumped, event_definitions, set_run, with_those_of,
};
use crate::{Error, Run};

/// What was in force when a run ended.
pub(crate) struct Last {
    pub(crate) odb: Odb,
    pub(crate) tree: Tree,
    /// The ODB as it was looked at last.
    pub(crate) seen: Tree,
    pub(crate) definitions: Vec<EventDefinition>,
}

impl Last {
    /// Begins the next run with it, since it cannot begin with what is in the ODB now, for this reason. That
    /// is looked at again when it changes.
    pub(crate) fn begin(
        &self,
        analyzer: &Analyzer,
        job: &Job,
        (run, numbered): (Run, bool),
        dump: Option<&[u8]>,
        error: &Error,
    ) -> Result<Begun, Error> {
        if numbered {
            // If that cannot be done, what comes with the first statistics says so.
            let _ = self.odb.change(|tree| set_run(tree, run.number, &mut Skipped::new(true)));
        }
        let now = self.odb.snapshot().ok();
        let known = now.as_ref().map_or_else(|| self.definitions.clone(), event_definitions);
        let definitions = with_those_of(known, dump.map(dumped).as_ref());
        let prepare = |tree: &Tree| analyzer.epoch(job, &run, (tree, &definitions), Earlier::default());
        let Started { epoch, earlier, sequential } = prepare(&self.tree)?.start();
        // What cannot be taken is not tried again with the first event.
        let refused = now.map(|now| (InForce::new(analyzer, job, &now), now));
        let refused = refused.filter(|(values, _)| values.failed.is_some() || prepare(&values.tree).is_err());
        let (refused, seen) = match refused {
            Some((values, now)) => (Some(values.tree), now),
            None => (None, self.seen.clone()),
        };
        let mut origins = Origins::new();
        let parameters = format!("{}/Parameters", analyzer.root());
        for (path, _) in self.tree.walk(&parameters).into_iter().flatten() {
            origins.insert(path.to_string().to_lowercase(), "the run before".into());
        }
        let warning = format!(
            "run {} does not begin with what is in the ODB, the values of the run before stay in force: {}",
            run.number,
            why(error)
        );
        Ok(Begun {
            epoch,
            sequential,
            odb: self.odb.clone(),
            tree: self.tree.clone(),
            seen,
            refused,
            record: None,
            skipped: None,
            earlier,
            definitions,
            origins,
            warnings: vec![warning],
            dump: dump.map(<[u8]>::to_vec),
            files: Files::new(),
        })
    }
}
