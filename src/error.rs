//! Why an analysis could not be done.

use std::path::PathBuf;

use crate::chain::WiringError;
use crate::definition::DefinitionError;
use crate::module::BoxError;

/// Why an analysis could not be done. Broken events are no error: they are in the
/// [`Report`](crate::Report).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The analyzer definition is wrong.
    #[error(transparent)]
    DefinitionFile(#[from] DefinitionError),
    /// The definition names what does not exist, or gives values that do not fit.
    #[error("definition, {place}: {message}")]
    Definition {
        /// Which entry.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// The rehearsal refuses a chain.
    #[error(transparent)]
    Wiring(Box<WiringError>),
    /// An input or output file.
    #[error(transparent)]
    Format(#[from] pactolus_formats::Error),
    /// The ODB.
    #[error(transparent)]
    Odb(#[from] pactolus_odb::Error),
    /// A configuration file (`-c`, `--odb-load`) cannot be used.
    #[error("configuration file {}: {message}", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A parameter of the command line does not exist, or cannot have this value.
    #[error("parameter: {0}")]
    Parameter(#[source] pactolus_odb::Error),
    /// A stage cannot begin a run.
    #[error("stage \"{stage}\", run {run}: {source}")]
    Stage {
        /// The stage.
        stage: String,
        /// The run.
        run: u32,
        /// What the module says, or its parameters.
        source: BoxError,
    },
    /// A part of a job cannot be merged.
    #[error("part {}: {message}", path.display())]
    Part {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A file of histograms cannot be used.
    #[error("histograms {}: {message}", path.display())]
    Histograms {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The epochs that a file has recorded cannot be applied.
    #[error("epochs of {}: {message}", path.display())]
    Epochs {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// An experiment cannot be attached to.
    #[error("{name}: {source}")]
    Experiment {
        /// Its address.
        name: String,
        /// Why.
        source: Box<crate::midas::Error>,
    },
    /// A stream in shared memory cannot be attached to.
    #[error("{name}: {source}")]
    Shm {
        /// Its name.
        name: String,
        /// Why.
        source: Box<crate::shm::Error>,
    },
    /// The combination of inputs and outputs makes no sense.
    #[error("{0}")]
    Job(String),
    /// A fault of this library.
    #[error("internal fault, please report it: a worker {0}")]
    Internal(String),
    /// An output could not be written to its end.
    #[error("{0}")]
    Output(#[source] pactolus_formats::Error),
}

impl From<Box<WiringError>> for Error {
    fn from(error: Box<WiringError>) -> Error {
        Error::Wiring(error)
    }
}

impl Error {
    /// Whether an output could not be written, as with a full disk, after the analysis had begun.
    pub fn is_output(&self) -> bool {
        matches!(self, Error::Output(_))
    }

    /// Whether a live source is not there, which may be otherwise a moment later.
    pub fn is_away(&self) -> bool {
        match self {
            Error::Experiment { source, .. } => !source.is_refusal(),
            Error::Shm { source, .. } => source.is_away(),
            _ => false,
        }
    }
}
