//! Following the files of an experiment while they are written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;
use crate::job::{InputFile, check_runs};
use crate::run_files::{directory_of, final_name, is_run_file};

/// How long a single file may be silent.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

/// How long a file without EOR must be still.
const STILLNESS: Duration = Duration::from_secs(30);

/// How long the lag must grow before somebody is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// A run file, or the run files of a directory, analyzed while they are written.
///
/// Every event is analyzed once, and none before all of it is there: plain files, files compressed with lz4,
/// zst or bz2 by block, gzip as it comes. What is analyzed in the end is what an analysis of the finished
/// files gives, bit for bit.
///
/// - A file ends with the EOR of its run, when its writer renames it (from `run00042.mid.inprogress` to
///   `run00042.mid`, for one), when the next run begins, or after [`timeout`](Follow::timeout) without a
///   byte.
/// - Of a run with subruns, the next is opened when it is there.
/// - In a directory, the newest run comes first, or that of [`runs`](Follow::runs), and then each that
///   appears.
/// - Two directories hold the same files, the first for a while only: where a file disappears from the first,
///   reading goes on at the same byte of its copy in the second.
///
/// ```no_run
/// use pactolus::Follow;
/// use pactolus::prelude::*;
/// # fn main() -> std::result::Result<(), pactolus::Error> {
/// let job = Job::new().follow(Follow::new("/data/fast")?.copied_to("/data/slow")).output("run%05d.parquet")?;
/// let report = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).run(&job)?;
/// println!("{} events", report.total().offered);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// Directories with the same files: where they appear first, and where they stay.
    pub(super) directories: Vec<PathBuf>,
    /// The only file, unless all are followed.
    pub(super) file: Option<PathBuf>,
    /// How long it may be silent before the analysis ends; by default 120 s for a file, for ever for a
    /// directory.
    pub timeout: Option<Duration>,
    /// First and last run number of a directory.
    pub runs: Option<(u32, u32)>,
    /// How long a file that has no EOR must be still before it is given up, when the next run is there: its
    /// detector may be slow, or it is a copy that is made slowly.
    pub stillness: Duration,
    /// How long the lag may grow before a warning is given.
    pub patience: Duration,
}

impl Follow {
    /// Follows a file, which need not be there yet, with the subruns behind it; or a directory.
    ///
    /// # Errors
    /// If this is neither a directory nor a file in one, or no name of a run file.
    pub fn new(path: impl AsRef<Path>) -> Result<Follow, Error> {
        let path = path.as_ref();
        let follow = |directories, file: Option<PathBuf>| {
            let timeout = file.as_ref().map(|_| TIMEOUT);
            Follow { directories, file, timeout, runs: None, stillness: STILLNESS, patience: PATIENCE }
        };
        if path.is_dir() {
            return Ok(follow(vec![path.to_owned()], None));
        }
        let refuse = |why: String| Err(Error::Job(format!("cannot follow {}: {why}", path.display())));
        let there = std::fs::metadata(path).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            return refuse(
                "it is a pipe or a device, a run file or a directory wanted: read it without follow".into(),
            );
        }
        let file = final_name(path);
        let directory = directory_of(&file).to_owned();
        if !directory.is_dir() {
            return refuse(format!("there is no directory {}", directory.display()));
        }
        if !is_run_file(&file) {
            let wanted = "a run file wanted, .mid or .asc, perhaps with .gz .lz4 .bz2 .zst";
            return refuse(match there {
                Some(_) => format!("a directory or {wanted}"),
                None => format!("there is no such directory, and if it is a file that is to come, {wanted}"),
            });
        }
        Ok(follow(vec![directory], Some(file)))
    }

    /// ... whose files are copied to another directory, in which they stay; or the copy of the one file.
    #[must_use]
    pub fn copied_to(mut self, path: impl Into<PathBuf>) -> Follow {
        let path = path.into();
        let is_copy = self.file.as_ref().is_some_and(|file| path.file_name() == file.file_name());
        self.directories.push(match is_copy && !path.is_dir() {
            true => directory_of(&path).to_owned(),
            false => path,
        });
        self
    }

    /// What is followed, as a name.
    pub fn name(&self) -> String {
        let shown = |path: &PathBuf| path.display().to_string();
        match &self.file {
            Some(file) => shown(file),
            None => self.directories.iter().map(shown).collect::<Vec<_>>().join(","),
        }
    }

    /// Whether more than one file may come.
    pub fn is_several(&self) -> bool {
        self.file.as_ref().is_none_or(|file| InputFile::new(file).subrun().is_some())
    }

    /// Refuses an output of events in a directory that is followed: it would be taken for a run.
    pub(crate) fn check_output(&self, output: &Path) -> Result<(), Error> {
        let true_name = |path: &Path| path.canonicalize().ok();
        let Some(place) = true_name(directory_of(output)) else { return Ok(()) };
        match self.directories.iter().any(|directory| true_name(directory).as_ref() == Some(&place)) {
            true => Err(Error::Job(format!(
                "output {}: files of events there would be taken for new runs, since {} is followed: name another directory",
                output.display(),
                place.display()
            ))),
            false => Ok(()),
        }
    }

    /// Refuses what cannot be done.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for directory in &self.directories {
            if !directory.is_dir() {
                let why = format!("cannot follow: there is no directory {}", directory.display());
                return Err(Error::Job(why));
            }
        }
        match (self.runs, &self.file) {
            (Some(runs), None) => check_runs(runs),
            (Some(_), Some(file)) => Err(Error::Job(format!(
                "-r is for a directory that is followed, {} is a file",
                file.display()
            ))),
            (None, _) => Ok(()),
        }
    }
}
