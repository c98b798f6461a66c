//! A tree of what was recorded.

use pactolus_odb::{Error as OdbError, Tree};

use super::{RecordedEpoch, RecordedRun};
use crate::layers::Origins;

impl RecordedRun {
    /// Gives a tree the values with which the run began, and says where they come from.
    pub(crate) fn begin(&self, tree: &mut Tree, origins: &mut Origins) -> Result<(), OdbError> {
        let Some(first) = self.epochs.first() else { return Ok(()) };
        let origin = format!("epochs of {}", self.file.display());
        origins.extend(first.values.iter().map(|(path, _)| (path.to_lowercase(), origin.clone())));
        first.apply(tree)
    }
}

impl RecordedEpoch {
    /// Changes what was changed.
    pub(crate) fn apply(&self, tree: &mut Tree) -> Result<(), OdbError> {
        for path in &self.gone {
            match tree.delete(path) {
                Ok(()) | Err(OdbError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for (path, value) in &self.values {
            match tree.replace(path, value.clone()) {
                // All that was in it is gone.
                Err(OdbError::IsDirectory { .. }) => {
                    tree.delete(path)?;
                    tree.replace(path, value.clone())?;
                }
                done => done?,
            }
        }
        Ok(())
    }
}
