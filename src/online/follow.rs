//! Following the files of an experiment while they are written.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pactolus_formats::{Input, Limits};

use super::Gauge;
use super::bell::{Bell, GLANCE, wait_for};
use super::followed::Followed;
use super::growing::{AWAY, Ending, Growing, Handle};
use super::places::Places;
use crate::Error;
use crate::feed::{Ended, Eor, Feed, Late, Next, Opened};
use crate::job::{InputFile, Job};
use crate::provenance::Digested;
use crate::run_files::{final_name, is_run_file};

/// How long a single file may be silent.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

/// How long the lag must grow before somebody is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a file must be still that has no EOR, while the next subrun, or the next run, is there: it may be
/// a copy that is made slowly.
const SUBRUN: Duration = Duration::from_secs(1);
const RUN: Duration = Duration::from_secs(10);

/// How long a subrun may be missing when a later one is there.
const MISSING: Duration = Duration::from_secs(2);

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
    directories: Vec<PathBuf>,
    /// The only file, unless all are followed.
    file: Option<PathBuf>,
    /// How long it may be silent before the analysis ends; by default 120 s for a file, for ever for a
    /// directory.
    pub timeout: Option<Duration>,
    /// First and last run number of a directory.
    pub runs: Option<(u32, u32)>,
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
            Follow { directories, file, timeout, runs: None, patience: PATIENCE }
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
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = parent.unwrap_or(Path::new(".")).to_owned();
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
        match path.parent().filter(|_| is_copy && !path.is_dir()) {
            Some(parent) if parent.as_os_str().is_empty() => self.directories.push(PathBuf::from(".")),
            Some(parent) => self.directories.push(parent.to_owned()),
            None => self.directories.push(path),
        }
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
        let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty());
        let Some(place) = true_name(parent.unwrap_or(Path::new("."))) else { return Ok(()) };
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
            (Some((first, last)), None) if first > last => {
                Err(Error::Job(format!("-r {first} {last}: the first run comes after the last")))
            }
            (Some(_), Some(file)) => Err(Error::Job(format!(
                "-r is for a directory that is followed, {} is a file",
                file.display()
            ))),
            _ => Ok(()),
        }
    }
}

/// The files that are followed, one behind the other.
pub(crate) struct Following {
    follow: Follow,
    limits: Limits,
    /// A digest is wanted, taken while reading or later.
    digest: Option<bool>,
    allow_missing: bool,
    keep_fragments: bool,
    places: Arc<Places>,
    bell: Arc<Bell>,
    /// The file in hand, or the last one.
    current: Option<Current>,
    /// The next subrun, and what is missing before it.
    next: Option<(InputFile, Option<String>)>,
    /// Since when one is.
    missing: Option<Instant>,
    /// Since when the next file cannot be opened.
    failing: Option<Instant>,
    /// Since when there is no file.
    waiting: Instant,
    sizes: Arc<Mutex<Sizes>>,
    news: Vec<String>,
}

struct Current {
    file: InputFile,
    handle: Handle,
    open: bool,
}

/// What bytes there are.
#[derive(Default)]
struct Sizes {
    /// In the files that were read.
    before: u64,
    /// The file in hand, or the last one.
    current: Option<(InputFile, Handle)>,
}

impl Following {
    pub(crate) fn new(follow: &Follow, job: &Job, gauge: &Gauge) -> Following {
        let places = Arc::new(Places::new(follow.directories.clone()));
        let sizes: Arc<Mutex<Sizes>> = Arc::default();
        let (counted, known, single) = (Arc::clone(&sizes), Arc::clone(&places), follow.file.is_some());
        gauge.written_by(move || {
            let sizes = counted.lock().unwrap_or_else(PoisonError::into_inner);
            let Some((file, handle)) = &sizes.current else { return sizes.before };
            let behind = if single && file.subrun().is_none() { 0 } else { known.behind(file) };
            sizes.before + handle.size() + behind
        });
        Following {
            bell: Arc::new(Bell::new(places.directories())),
            follow: follow.clone(),
            limits: job.limits,
            digest: (!job.outputs.is_empty()).then_some(job.threads > 1),
            allow_missing: job.allow_missing,
            keep_fragments: false,
            places,
            current: None,
            next: None,
            missing: None,
            failing: None,
            waiting: Instant::now(),
            sizes,
            news: Vec::new(),
        }
    }

    /// Leaves the pieces of large events as they are.
    pub(crate) fn keep_fragments(self) -> Following {
        Following { keep_fragments: true, ..self }
    }

    /// The file that comes next, if there is one now.
    fn candidate(&self) -> Option<(InputFile, Option<String>)> {
        if let Some(next) = &self.next {
            return Some(next.clone());
        }
        let file = match (&self.current, &self.follow.file) {
            (None, Some(file)) => InputFile::new(self.stays(file)),
            (None, None) => self.places.first(self.follow.runs.map(|(first, _)| first))?,
            (Some(current), _) => self.places.next_run(&current.file)?,
        };
        Some((file, None))
    }

    /// Opens the file that comes next, if there is one now.
    fn try_next(&mut self) -> Result<Option<Next>, Error> {
        let Some((file, gap)) = self.candidate() else { return Ok(None) };
        if self.follow.runs.zip(file.run).is_some_and(|((_, last), run)| run > last) {
            return Ok(Some(Next::Over(None)));
        }
        if let Some(gap) = gap.as_ref().filter(|_| !self.allow_missing) {
            let name = file.path.display();
            let why = format!("{gap} missing before {name}: add the files, or --allow-missing");
            return Err(Error::Job(why));
        }
        let gap = gap.map(|gap| format!("{gap} missing before {}", file.path.display()));
        // One that has disappeared comes back, or another comes.
        Ok(self.open(file, gap)?.map(Next::Stream))
    }

    /// The name of a file where it stays.
    fn stays(&self, file: &Path) -> PathBuf {
        match (self.follow.directories.as_slice(), file.file_name()) {
            ([_, .., last], Some(name)) => last.join(name),
            _ => file.to_owned(),
        }
    }

    fn open(&mut self, file: InputFile, gap: Option<String>) -> Result<Option<Opened>, Error> {
        let (places, name) = (Arc::clone(&self.places), file.clone());
        let followed = move || match (places.next_subrun(&name), places.next_run(&name)) {
            (Some(_), _) => Some(SUBRUN),
            (None, Some(_)) => Some(RUN),
            (None, None) => None,
        };
        let paths = self.places.paths(&file);
        let growing = match Growing::open(paths, self.follow.timeout, followed) {
            Ok(Some(growing)) => growing,
            Ok(None) => return Ok(None),
            Err(error) => {
                // Who writes it may not have given the right to read it yet, or a network is away.
                let since = *self.failing.get_or_insert_with(Instant::now);
                if since.elapsed() < AWAY {
                    return Ok(None);
                }
                return Err(pactolus_formats::Error::io("open", &file.path)(error).into());
            }
        };
        self.failing = None;
        let handle = growing.handle();
        let (input, digest) = match self.digest {
            Some(later) => {
                let (digested, digest) = Digested::new(growing, later);
                (Input::new_with(digested, &file.path, &self.limits)?, Some(digest))
            }
            None => (Input::new_with(growing, &file.path, &self.limits)?, None),
        };
        let stream = Followed {
            events: Late::new(input, self.limits).keep_fragments(self.keep_fragments),
            digest,
            handle: handle.clone(),
            bell: Arc::clone(&self.bell),
            is_subrun: file.subrun().is_some(),
            finishing: false,
        };
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, last)) = sizes.current.replace((file.clone(), handle.clone())) {
            sizes.before += last.at();
        }
        drop(sizes);
        self.current = Some(Current { file: file.clone(), handle, open: true });
        (self.next, self.missing) = (None, None);
        Ok(Some(Opened { file, stream: Box::new(stream), gap }))
    }

    /// What the end of the file in hand means.
    fn ended(&mut self) -> Option<Next> {
        let current = self.current.as_mut().filter(|current| current.open)?;
        current.open = false;
        self.waiting = Instant::now();
        let (name, ending) = (current.file.path.display(), current.handle.ending());
        let ended = match ending {
            Some(Ending::TimedOut(time)) => {
                let seconds = time.as_secs_f64();
                Some(Ended::TimedOut(format!("{name} has not grown for {seconds} s (--live-timeout)")))
            }
            Some(Ending::Shrunk { from, to }) => Some(Ended::Lost(format!(
                "{name} has shrunk from {from} to {to} bytes while it was followed: what was read of it is analyzed"
            ))),
            Some(Ending::Replaced) => Some(Ended::Lost(format!(
                "{name} was replaced by another file while it was followed: what was read of the first is analyzed"
            ))),
            _ => None,
        };
        if self.next.is_some() {
            return None;
        }
        match (ended, &self.follow.file) {
            (Some(timed @ Ended::TimedOut(_)), _) => Some(Next::Over(Some(timed))),
            (ended, Some(_)) => Some(Next::Over(ended)),
            // The next run may be well.
            (Some(lost), None) => {
                self.news.push(lost.to_string());
                None
            }
            (None, None) => None,
        }
    }

    /// Whether no other run was asked for.
    fn is_last(&self, run: Option<u32>) -> bool {
        self.follow.runs.zip(run).is_some_and(|((_, last), run)| run >= last)
    }
}

impl Feed for Following {
    fn next(&mut self, longest: Duration) -> Result<Next, Error> {
        if let Some(over) = self.ended() {
            return Ok(over);
        }
        if self.next.is_none() && self.current.as_ref().is_some_and(|last| self.is_last(last.file.run)) {
            return Ok(Next::Over(None));
        }
        let (mut found, bell) = (Ok(None), Arc::clone(&self.bell));
        wait_for(&bell, longest, GLANCE, || {
            found = self.try_next();
            !matches!(found, Ok(None))
        });
        match found? {
            Some(next) => Ok(next),
            None => match self.follow.timeout.filter(|timeout| self.waiting.elapsed() >= *timeout) {
                Some(timeout) => {
                    let (name, seconds) = (self.follow.name(), timeout.as_secs_f64());
                    let what = match (&self.current, &self.follow.file) {
                        (None, Some(_)) => format!("{name} is not there after {seconds} s (--live-timeout)"),
                        (None, None) => format!("no run in {name} for {seconds} s (--live-timeout)"),
                        (Some(last), _) => {
                            let last = last.file.path.display();
                            format!("no run behind {last} for {seconds} s (--live-timeout)")
                        }
                    };
                    Ok(Next::Over(Some(Ended::TimedOut(what))))
                }
                None => Ok(Next::Wait),
            },
        }
    }

    fn goes_on(&mut self, eor: Option<Eor>) -> Option<bool> {
        let current = self.current.as_ref()?;
        let file = &current.file;
        let Some((_, number)) = file.subrun() else { return Some(false) };
        if let Some(next) = self.places.next_subrun(file) {
            let (_, found) = next.subrun()?;
            let gap = match found - number {
                ..=1 => None,
                2 => Some(format!("subrun {} is", number + 1)),
                _ => Some(format!("subruns {} to {} are", number + 1, found - 1)),
            };
            let since = *self.missing.get_or_insert_with(Instant::now);
            // It may be on its way.
            if gap.is_some() && since.elapsed() < MISSING && current.handle.ending().is_none() {
                return None;
            }
            self.next = Some((next, gap));
            return Some(true);
        }
        let stops = eor.and_then(|eor| eor.stops) == Some(true);
        let is_over = stops || current.handle.ending().is_some() || self.places.next_run(file).is_some();
        is_over.then_some(false)
    }

    fn news(&mut self) -> Vec<String> {
        let mut news = std::mem::take(&mut self.news);
        news.extend(self.current.iter().flat_map(|current| current.handle.news()));
        news
    }
}
