//! Why a stream in shared memory cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a stream in shared memory cannot be used. The name of the stream is told by who asks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This is no name.
    #[error("a stream cannot be called \"{name}\": {why}")]
    BadName {
        /// What was given.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody has made it.
    #[error("nobody has made this stream{hint}")]
    Absent {
        /// Another stream that may be meant, as the end of the sentence, or nothing.
        hint: String,
    },
    /// The system does not let us.
    #[error("no rights to {what} {}: {advice}", path.display())]
    NoRights {
        /// What was tried.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What to do.
        advice: String,
    },
    /// Another process publishes here.
    #[error("process {pid} ({program}) publishes here: take another name, or stop it")]
    HasProducer {
        /// Its number.
        pid: u32,
        /// How it calls itself.
        program: String,
    },
    /// The file is something else.
    #[error("{} is no stream of this version of Pactolus: {why}", path.display())]
    NotAStream {
        /// The file.
        path: PathBuf,
        /// What was wanted and found.
        why: String,
    },
    /// There is no room for it.
    #[error("no room for {}: {wanted} bytes wanted, {free} free: ask for less, or make room", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// Bytes wanted.
        wanted: u64,
        /// Bytes free.
        free: u64,
    },
    /// All places are taken.
    #[error("{what}: {most} are the most")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// What is there makes no sense.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was wanted and found, and where.
        why: String,
    },
    /// The producer does not go on.
    #[error("process {pid} stands still in the midst of publishing: let it go on, or kill it")]
    Stalled {
        /// Its number.
        pid: u32,
    },
    /// What is to be published is no event.
    #[error("no event can be published of this: {why}")]
    BadEvent {
        /// What was wanted and found.
        why: String,
    },
    /// Somebody has asked to stop while a consumer was waited for.
    #[error("stopped while waiting for a consumer")]
    Stopped,
    /// This system has not what it takes.
    #[error("streams in shared memory are for Linux")]
    Unsupported,
    /// The system.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What the functions of this module give.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether it is not there, or cannot be read now, which may be otherwise a moment later.
    pub fn is_away(&self) -> bool {
        matches!(self, Error::Absent { .. } | Error::Stalled { .. })
    }
}
