//! From one file of an experiment to the next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pactolus_formats::{Error as FormatError, Input, Limits};

use super::bell::{Bell, GLANCE, wait_for};
use super::followed::Followed;
use super::growing::{AWAY, Ending, Growing, Handle};
use super::places::Places;
use super::{Follow, Gauge};
use crate::Error;
use crate::feed::{Ended, Eor, Feed, Late, Next, Opened};
use crate::job::{InputFile, Job, subruns};
use crate::provenance::Digested;

/// How long a file must be still that has no EOR, while the next subrun is there.
const SUBRUN: Duration = Duration::from_secs(1);

/// How long a subrun may be missing when a later one is there.
const MISSING: Duration = Duration::from_secs(2);

/// The files that are followed, one behind the other.
pub(crate) struct Following {
    follow: Follow,
    limits: Limits,
    /// A digest is wanted, taken while reading or later.
    digest: Option<bool>,
    allow_missing: bool,
    places: Arc<Places>,
    bell: Arc<Bell>,
    /// The file in hand, or the last one.
    current: Option<Current>,
    /// A run that could not be opened, and those before it, are passed over.
    passed: Option<InputFile>,
    /// Since when a subrun is missing before the next.
    missing: Option<Instant>,
    /// Since when the next file cannot be opened.
    failing: Option<Instant>,
    /// Since when there is no file.
    waiting: Instant,
    sizes: Arc<Mutex<Sizes>>,
    news: Vec<String>,
    /// There is nothing more, which was said.
    is_over: bool,
}

struct Current {
    file: InputFile,
    handle: Handle,
    /// It is being read.
    is_open: bool,
    /// Its run has ended with it.
    ends_run: bool,
}

/// What comes behind the last file.
struct Candidate {
    file: InputFile,
    /// It goes on with the run.
    continues: bool,
    /// What is missing before it.
    gap: Option<String>,
}

/// What bytes there are.
#[derive(Default)]
struct Sizes {
    /// In the files that were read.
    before: u64,
    /// The file in hand, or the last one.
    last: Option<InputFile>,
    open: Option<Handle>,
}

impl Sizes {
    /// The file in hand was read as far as it will be.
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.before += open.done();
        }
    }
}

impl Following {
    pub(crate) fn new(follow: &Follow, job: &Job, gauge: &Gauge) -> Following {
        let places = Arc::new(Places::new(follow.directories.clone()));
        let sizes: Arc<Mutex<Sizes>> = Arc::default();
        let (counted, known, wanted) = (Arc::clone(&sizes), Arc::clone(&places), follow.clone());
        gauge.written_by(move || {
            let sizes = counted.lock().unwrap_or_else(PoisonError::into_inner);
            let behind = sizes.last.as_ref().map_or(0, |last| match (&wanted.file, wanted.runs) {
                (Some(_), _) => known.behind(last, last.run),
                (None, runs) => known.behind(last, runs.map(|(_, last)| last)),
            });
            sizes.before + sizes.open.as_ref().map_or(0, Handle::size) + behind
        });
        Following {
            bell: Arc::new(Bell::new(places.directories())),
            follow: follow.clone(),
            limits: job.limits,
            digest: (!job.outputs.is_empty()).then_some(job.threads > 1),
            allow_missing: job.allow_missing,
            places,
            current: None,
            passed: None,
            missing: None,
            failing: None,
            waiting: Instant::now(),
            sizes,
            news: Vec::new(),
            is_over: false,
        }
    }

    /// The file that comes next, if there is one now.
    fn candidate(&mut self) -> Option<Candidate> {
        let run = |file| Candidate { file, continues: false, gap: None };
        let Some(current) = &self.current else {
            let first = match (&self.follow.file, &self.passed) {
                (Some(file), _) => InputFile::new(self.stays(file)),
                (None, Some(passed)) => self.places.next_run(passed)?,
                (None, None) => self.places.first(self.follow.runs.map(|(first, _)| first))?,
            };
            return Some(run(first));
        };
        if current.ends_run {
            let last = self.passed.as_ref().unwrap_or(&current.file);
            return self.places.next_run(last).map(run);
        }
        if let Some(next) = self.places.next_subrun(&current.file) {
            let gap = gap(&current.file, &next);
            let since = *self.missing.get_or_insert_with(Instant::now);
            // It may be on its way.
            let is_late = gap.is_some() && since.elapsed() < MISSING;
            return (!is_late).then_some(Candidate { file: next, continues: true, gap });
        }
        // A subrun that comes late is worth more than a run that may be of somebody else.
        self.places
            .newer_run(&current.file)
            .filter(|_| self.waiting.elapsed() >= self.follow.stillness)
            .map(run)
    }

    /// Opens the file that comes next, if there is one now.
    fn try_next(&mut self) -> Result<Option<Next>, Error> {
        let Some(Candidate { file, continues, gap }) = self.candidate() else { return Ok(None) };
        let is_single = self.follow.file.is_some();
        if !continues && is_single && self.current.is_some() {
            return Ok(Some(Next::Over(None)));
        }
        if self.follow.runs.zip(file.run).is_some_and(|((_, last), run)| run > last) {
            // Before the first run, a later one may be there of old.
            return Ok(self.current.is_some().then_some(Next::Over(None)));
        }
        let gap = gap.map(|gap| format!("{gap} missing before {}", file.path.display()));
        if let Some(gap) = gap.as_ref().filter(|_| !self.allow_missing && is_single) {
            let lost = format!("{gap}: add the files, or --allow-missing; what was read is analyzed");
            return Ok(Some(Next::Over(Some(Ended::Lost(lost)))));
        }
        match self.open(&file, continues, gap) {
            Ok(opened) => Ok(opened.map(Next::Stream)),
            Err(error) if is_single => Err(error),
            // The other runs may be well.
            Err(error) => {
                self.news.push(format!("{error}: it is left out"));
                (self.passed, self.failing) = (Some(file), None);
                self.current.iter_mut().for_each(|current| current.ends_run = true);
                Ok(None)
            }
        }
    }

    /// The name of a file where it stays.
    fn stays(&self, file: &Path) -> PathBuf {
        match (self.follow.directories.as_slice(), file.file_name()) {
            ([_, .., last], Some(name)) => last.join(name),
            _ => file.to_owned(),
        }
    }

    fn open(
        &mut self,
        file: &InputFile,
        continues: bool,
        gap: Option<String>,
    ) -> Result<Option<Opened>, Error> {
        let (places, name, stillness) = (Arc::clone(&self.places), file.clone(), self.follow.stillness);
        let followed = move || match (places.next_subrun(&name), places.newer_run(&name)) {
            (Some(_), _) => Some(SUBRUN),
            (None, Some(_)) => Some(stillness),
            (None, None) => None,
        };
        let growing = match Growing::open(self.places.paths(file), self.follow.timeout, followed) {
            Ok(Some(growing)) => growing,
            Ok(None) => return Ok(None),
            Err(error) => {
                // Who writes it may not have given the right to read it yet, or a network is away.
                let since = *self.failing.get_or_insert_with(Instant::now);
                if since.elapsed() < AWAY {
                    return Ok(None);
                }
                return Err(FormatError::io("open", &file.path)(error).into());
            }
        };
        (self.failing, self.missing, self.passed) = (None, None, None);
        let handle = growing.handle();
        let (input, digest) = match self.digest {
            Some(later) => {
                let (digested, digest) = Digested::new(growing, later);
                (Input::new_with(digested, &file.path, &self.limits)?, Some(digest))
            }
            None => (Input::new_with(growing, &file.path, &self.limits)?, None),
        };
        let stream = Followed {
            events: Late::new(input, self.limits),
            digest,
            handle: handle.clone(),
            bell: Arc::clone(&self.bell),
            is_subrun: file.subrun().is_some(),
            finishing: false,
            name: file.path.clone(),
            awaited: None,
        };
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.close();
        (sizes.last, sizes.open) = (Some(file.clone()), Some(handle.clone()));
        drop(sizes);
        // Of a file without subruns the run ends with it.
        let ends_run = file.subrun().is_none();
        self.current = Some(Current { file: file.clone(), handle, is_open: true, ends_run });
        let is_fault = !self.allow_missing;
        Ok(Some(Opened { file: file.clone(), stream: Box::new(stream), continues, gap, is_fault }))
    }

    /// What the end of the file in hand means.
    fn ended(&mut self) -> Option<Next> {
        let current = self.current.as_mut().filter(|current| current.is_open)?;
        current.is_open = false;
        self.waiting = Instant::now();
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).close();
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
        // Whoever reads no more wants no more of the run.
        current.ends_run |= ending.is_none() || ended.is_some();
        match (ended, &self.follow.file) {
            (Some(timed @ Ended::TimedOut(_)), _) => Some(Next::Over(Some(timed))),
            (Some(lost), Some(_)) => Some(Next::Over(Some(lost))),
            (None, Some(_)) if current.ends_run => Some(Next::Over(None)),
            // The next run may be well.
            (Some(lost), None) => {
                self.news.push(lost.to_string());
                None
            }
            (None, _) => None,
        }
    }

    /// Whether no other run was asked for.
    fn is_complete(&self) -> bool {
        let last = self.follow.runs.map(|(_, last)| last);
        self.current.as_ref().is_some_and(|current| {
            current.ends_run && last.zip(current.file.run).is_some_and(|(last, run)| run >= last)
        })
    }

    /// Nothing has come for too long.
    fn timed_out(&self, timeout: Duration) -> Ended {
        let (name, seconds) = (self.follow.name(), timeout.as_secs_f64());
        Ended::TimedOut(match (&self.current, &self.follow.file) {
            (None, Some(_)) => format!("{name} is not there after {seconds} s (--live-timeout)"),
            (None, None) => format!("no run in {name} for {seconds} s (--live-timeout)"),
            (Some(last), _) => {
                let what = if last.ends_run { "run" } else { "subrun" };
                format!("no {what} behind {} for {seconds} s (--live-timeout)", last.file.path.display())
            }
        })
    }

    fn find(&mut self, longest: Duration) -> Result<Next, Error> {
        if let Some(over) = self.ended() {
            return Ok(over);
        }
        if self.is_complete() {
            return Ok(Next::Over(None));
        }
        let (mut found, bell) = (Ok(None), Arc::clone(&self.bell));
        wait_for(&bell, longest, GLANCE, || {
            found = self.try_next();
            !matches!(found, Ok(None))
        });
        Ok(match found? {
            Some(next) => next,
            None => match self.follow.timeout.filter(|timeout| self.waiting.elapsed() >= *timeout) {
                Some(timeout) => Next::Over(Some(self.timed_out(timeout))),
                None => Next::Wait,
            },
        })
    }
}

impl Feed for Following {
    fn next(&mut self, longest: Duration) -> Result<Next, Error> {
        if self.is_over {
            return Ok(Next::Over(None));
        }
        let next = self.find(longest);
        self.is_over = matches!(next, Ok(Next::Over(_)) | Err(_));
        next
    }

    fn goes_on(&mut self, eor: Option<Eor>) -> Option<bool> {
        let current = self.current.as_mut()?;
        if !current.ends_run && self.places.next_subrun(&current.file).is_some() {
            return Some(true);
        }
        let is_lost = matches!(
            current.handle.ending(),
            Some(Ending::TimedOut(_) | Ending::Shrunk { .. } | Ending::Replaced)
        );
        current.ends_run |= is_lost || eor.and_then(|eor| eor.stops) == Some(true);
        current.ends_run.then_some(false)
    }

    fn news(&mut self) -> Vec<String> {
        let mut news = std::mem::take(&mut self.news);
        news.extend(self.current.iter().flat_map(|current| current.handle.news()));
        news
    }
}

/// What is missing between two subruns.
fn gap(file: &InputFile, next: &InputFile) -> Option<String> {
    let ((_, number), (_, found)) = file.subrun().zip(next.subrun())?;
    (found > number + 1).then(|| subruns(number + 1, found - 1))
}
