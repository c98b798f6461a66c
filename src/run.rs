//! Runs: what lies between begin and end of run.

/// The run that an event belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Run number: from the BOR event, else from the file's name.
    pub number: u32,
    /// Time of the BOR event [Unix seconds], if there is one.
    pub start: Option<u32>,
    /// Attached to a running experiment, rather than reading files.
    pub online: bool,
}
