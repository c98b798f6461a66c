//! The values of an ODB as an analyzer takes them.

use pactolus_odb::{Path as OdbPath, Tree};

use super::tree::{Makes, create};
use super::{Origins, Skipped};
use crate::Error;
use crate::analyzer::Analyzer;
use crate::job::Job;

/// The values of a shared ODB: in the place of links what they lead to, and what is missing made. The ODB
/// itself is not changed.
pub(crate) struct InForce {
    pub(crate) tree: Tree,
    /// What is missing cannot be made.
    pub(crate) failed: Option<Error>,
}

impl InForce {
    pub(crate) fn new(analyzer: &Analyzer, job: &Job, odb: &Tree) -> InForce {
        let followed = odb.followed(&watched(analyzer));
        InForce::filled(analyzer, job, followed.unwrap_or_else(|| odb.clone()))
    }

    /// The same of a tree without links.
    pub(crate) fn filled(analyzer: &Analyzer, job: &Job, mut tree: Tree) -> InForce {
        let (mut origins, mut skipped) = (Origins::new(), Skipped::new(true));
        let made = create(analyzer, job, &mut tree, (&mut origins, &mut skipped), Makes::Epoch);
        InForce { tree, failed: made.err() }
    }

    /// The values, if all of them are there.
    pub(crate) fn done(self) -> Result<Tree, Error> {
        match self.failed {
            None => Ok(self.tree),
            Some(error) => Err(error),
        }
    }
}

/// What of an ODB matters to the events of an analyzer: parameters, switches, settings of requests.
pub(crate) fn watched(analyzer: &Analyzer) -> Vec<OdbPath> {
    let root = analyzer.root();
    let directories = ["Parameters", "Module switches", "Bank switches"].map(|name| format!("{root}/{name}"));
    let settings = analyzer.chains.iter().flat_map(|chain| {
        ["Event ID", "Trigger mask", "Enabled"]
            .map(|key| format!("{root}/{}/Common/{key}", chain.request.name))
    });
    directories.into_iter().chain(settings).filter_map(|path| OdbPath::parse(&path).ok()).collect()
}
