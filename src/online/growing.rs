//! The bytes of a file that somebody else is still writing.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pactolus_formats::same_file;

use crate::run_files::unfinished_name;

/// A file that should not grow any more is read to its end when it has not grown for so long.
pub(crate) const SETTLED: Duration = Duration::from_millis(300);

/// A file without a reason to go on ends when it has not grown for so long, where it may be a copy that is made
/// slowly, or ends in the middle of an event.
const COPIED: Duration = Duration::from_secs(10);

/// A file that cannot be read is tried again for so long.
pub(crate) const AWAY: Duration = Duration::from_secs(60);

/// Bytes before the place in hand by which a copy is known.
const TAIL: usize = 4096;

/// Why nothing more of a file will come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its run has ended.
    Whole,
    /// It has got another name: its writer has completed it.
    Renamed,
    /// The next file of the experiment is there.
    Followed,
    /// It has not grown for so long.
    TimedOut(Duration),
    /// It has become shorter than what was read of it.
    Shrunk { from: u64, to: u64 },
    /// Another file has its name.
    Replaced,
}

/// Reads a file while it grows. Where nothing more has come, it says
/// [`WouldBlock`](io::ErrorKind::WouldBlock).
///
/// The file may be copied from one directory to another meanwhile, and deleted in the first: reading goes on
/// at the same byte of the copy.
pub(crate) struct Growing {
    /// Where the file may be: what disappears in one place is looked for in the next.
    paths: Vec<PathBuf>,
    /// Which of them is open, and under which name it was found.
    name: PathBuf,
    file: Arc<File>,
    /// Bytes read so far ...
    at: u64,
    /// ... and the last of them.
    tail: VecDeque<u8>,
    /// When it was written to before it was opened, and how long ago that was, if clocks agree.
    modified: Option<SystemTime>,
    old: Duration,
    /// Its writer has given it its final name.
    completed: bool,
    /// It was deleted, which was said.
    deleted: bool,
    /// There should have been more behind this byte.
    promised: Option<u64>,
    /// Since when it cannot be read.
    failing: Option<Instant>,
    /// The copies that are none, which was said.
    strange: Vec<PathBuf>,
    /// How long to wait for more.
    timeout: Option<Duration>,
    /// Whether the next file of the experiment is there: then, how long this one must be still.
    followed: Box<dyn FnMut() -> Option<Duration> + Send>,
    handle: Handle,
}

/// What others know of a file that is read.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Mutex<State>>);

struct State {
    file: Arc<File>,
    at: u64,
    /// Bytes of which the events are handed on.
    done: u64,
    /// When it has grown the last time.
    grown: Instant,
    /// What was read of it ends with a whole event.
    is_clean: bool,
    /// There are bytes that cannot be read now.
    is_held: bool,
    /// Its run has ended: nothing more is wanted than what comes at once.
    finishing: bool,
    ending: Option<Ending>,
    /// What is to be said of it.
    news: Vec<String>,
}

impl Handle {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run has ended: the file does, too, if it does not grow soon.
    pub(crate) fn finish(&self) {
        self.lock().finishing = true;
    }

    /// Why nothing more will come.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.lock().ending.clone()
    }

    /// What is to be said, once.
    pub(crate) fn news(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().news)
    }

    /// Bytes of which the events are handed on.
    pub(crate) fn done(&self) -> u64 {
        let state = self.lock();
        if state.ending.is_some() { state.at } else { state.done }
    }

    /// Whether its writer has written all of it, and nothing is missing at its end.
    pub(crate) fn is_whole(&self) -> bool {
        let state = self.lock();
        state.ending.as_ref().is_some_and(|ending| match ending {
            Ending::Whole => true,
            Ending::Renamed | Ending::Followed => state.is_clean,
            _ => false,
        })
    }

    /// Something is to be said of it.
    pub(crate) fn say(&self, text: String) {
        self.lock().news.push(text);
    }

    /// So many bytes are done; whether they end with a whole event.
    pub(crate) fn reached(&self, done: u64, is_clean: bool) {
        let mut state = self.lock();
        state.done = done.clamp(state.done, state.at.max(state.done));
        state.is_clean = is_clean;
    }

    /// Bytes in the file now; not less than those read.
    pub(crate) fn size(&self) -> u64 {
        let state = self.lock();
        state.file.metadata().map_or(state.at, |found| found.len()).max(state.at)
    }

    /// Whether there are bytes that can be read.
    pub(crate) fn has_more(&self) -> bool {
        let state = self.lock();
        let differs = || state.file.metadata().is_ok_and(|found| found.len() != state.at);
        state.ending.is_none() && !state.is_held && differs()
    }
}

/// What there is where the bytes end.
enum Look {
    /// More, or it may be in another file now.
    Again,
    Nothing,
    End(Ending),
}

/// Where a file may be: under each path, finished or not.
fn names(paths: &[PathBuf]) -> Vec<(PathBuf, PathBuf)> {
    let both = |path: &PathBuf| [(path.clone(), path.clone()), (path.clone(), unfinished_name(path))];
    paths.iter().flat_map(both).collect()
}

impl Growing {
    /// Opens the first of these files that is there, finished or not; `None` if none is.
    pub(crate) fn open(
        paths: Vec<PathBuf>,
        timeout: Option<Duration>,
        followed: impl FnMut() -> Option<Duration> + Send + 'static,
    ) -> io::Result<Option<Growing>> {
        let mut failed = None;
        for (_, name) in names(&paths) {
            let file = match File::open(&name) {
                Ok(file) => Arc::new(file),
                Err(error) => {
                    // It may be in the next place.
                    failed = failed.or(Some(error).filter(|error| !is_gone(error)));
                    continue;
                }
            };
            let modified = file.metadata().and_then(|found| found.modified()).ok();
            let state = State {
                file: Arc::clone(&file),
                at: 0,
                done: 0,
                grown: Instant::now(),
                is_clean: true,
                is_held: false,
                finishing: false,
                ending: None,
                news: Vec::new(),
            };
            return Ok(Some(Growing {
                paths,
                name,
                file,
                at: 0,
                tail: VecDeque::new(),
                modified,
                old: modified.and_then(|modified| modified.elapsed().ok()).unwrap_or_default(),
                completed: false,
                deleted: false,
                promised: None,
                failing: None,
                strange: Vec::new(),
                timeout,
                followed: Box::new(followed),
                handle: Handle(Arc::new(Mutex::new(state))),
            }));
        }
        failed.map_or(Ok(None), Err)
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Looks for a reason to go on or to end where the bytes end.
    fn look(&mut self) -> io::Result<Look> {
        let open = match self.file.metadata() {
            Ok(found) if found.len() > self.at => {
                // Some file systems know of bytes before they have them.
                let again = self.promised.replace(self.at) != Some(self.at);
                self.handle.lock().is_held = !again;
                return Ok(if again { Look::Again } else { self.timed_out() });
            }
            Ok(found) if found.len() < self.at => {
                return Ok(Look::End(Ending::Shrunk { from: self.at, to: found.len() }));
            }
            Ok(found) => Some(found),
            Err(error) if is_gone(&error) => None,
            Err(error) => return Err(error),
        };
        self.handle.lock().is_held = false;
        Ok(match self.reason(open.as_ref())? {
            Look::End(_) if self.has_grown() => Look::Again,
            look => look,
        })
    }

    /// Looks for a reason to end.
    fn reason(&mut self, open: Option<&Metadata>) -> io::Result<Look> {
        let State { grown, finishing, is_clean, .. } = *self.handle.lock();
        let still = grown.elapsed();
        // What was not written to since it was opened is as old as it was then, and older.
        let old =
            open.filter(|open| open.modified().ok() == self.modified).map_or(Duration::ZERO, |_| self.old);
        if finishing && still.max(old) >= SETTLED {
            return Ok(Look::End(Ending::Whole));
        }
        match (std::fs::metadata(&self.name), open) {
            (Ok(named), Some(open)) if same_file(&named, open) => {}
            (Ok(_), _) => {
                // A copy that takes the place of what was there, as rsync makes them.
                if self.switch(&self.name.clone())? {
                    return Ok(Look::Again);
                }
                let is_other = self.strange.contains(&self.name);
                if still >= if is_other { SETTLED } else { COPIED } {
                    return Ok(Look::End(Ending::Replaced));
                }
            }
            (Err(error), open) if is_gone(&error) => {
                if let Some(look) = self.gone(open, still)? {
                    return Ok(look);
                }
            }
            // A network that is away comes back, or the time is out.
            (Err(_), _) => {}
        }
        // A file that its writer has completed ends with a whole event, and its copy grows for a while.
        let slow = if self.completed && is_clean { SETTLED } else { COPIED };
        if self.completed && still >= slow {
            return Ok(Look::End(Ending::Renamed));
        }
        if still >= SETTLED
            && let Some(wanted) = (self.followed)()
            && still >= if self.deleted || !is_clean { COPIED.max(wanted) } else { wanted }
        {
            return Ok(Look::End(Ending::Followed));
        }
        Ok(self.timed_out())
    }

    fn timed_out(&self) -> Look {
        let still = self.handle.lock().grown.elapsed();
        match self.timeout.filter(|timeout| still >= *timeout) {
            Some(timeout) => Look::End(Ending::TimedOut(timeout)),
            None => Look::Nothing,
        }
    }

    /// Whether the file has grown while it was looked at. A network file system looks anew where a file is
    /// opened, and else says what it knew some seconds ago.
    fn has_grown(&self) -> bool {
        let fresh = File::open(&self.name).and_then(|file| file.metadata());
        let now = self.file.metadata();
        let fresh = fresh.ok().filter(|fresh| now.as_ref().is_ok_and(|now| same_file(fresh, now)));
        [fresh, now.ok()].into_iter().flatten().any(|found| found.len() > self.at)
    }

    /// The name is gone.
    fn gone(&mut self, open: Option<&Metadata>, still: Duration) -> io::Result<Option<Look>> {
        for (path, name) in names(&self.paths) {
            if name == self.name {
                continue;
            }
            let found = std::fs::metadata(&name).ok();
            if found.zip(open).is_some_and(|(found, open)| same_file(&found, open)) {
                // From its unfinished to its final name: nothing more is to come. Moved elsewhere, it may
                // go on.
                self.completed = name == path && self.name == unfinished_name(&path);
                self.name = name;
                return Ok(Some(Look::Again));
            }
            if self.switch(&name)? {
                return Ok(Some(Look::Again));
            }
        }
        if self.paths.len() == 1 && open.is_some_and(has_a_name) {
            // Its new name is not known.
            return Ok((still >= COPIED).then_some(Look::End(Ending::Renamed)));
        }
        // What goes on being written to it can be read, and a copy may come.
        if !std::mem::replace(&mut self.deleted, true) && self.paths.len() == 1 {
            self.handle.say(format!("{} was deleted while it was followed", self.name.display()));
        }
        Ok(None)
    }

    /// Goes on in another file if it holds more of the same; whether it does.
    fn switch(&mut self, name: &Path) -> io::Result<bool> {
        let file = match File::open(name) {
            Ok(file) => file,
            Err(error) if is_gone(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        // A copy that is still made.
        if file.metadata()?.len() < self.at {
            return Ok(false);
        }
        let mut tail = vec![0; self.tail.len()];
        (&file).seek(SeekFrom::Start(self.at - tail.len() as u64))?;
        (&file).read_exact(&mut tail)?;
        if self.tail != tail {
            if !self.strange.iter().any(|known| known == name) {
                self.strange.push(name.to_owned());
                self.handle.say(format!(
                    "{} is no copy of {}: they differ before byte {}",
                    name.display(),
                    self.name.display(),
                    self.at
                ));
            }
            return Ok(false);
        }
        name.clone_into(&mut self.name);
        self.file = Arc::new(file);
        self.deleted = false;
        self.handle.lock().file = Arc::clone(&self.file);
        Ok(true)
    }

    /// It cannot be read: a network may be away for a while.
    fn fails(&mut self, error: io::Error) -> io::Error {
        self.handle.lock().is_held = true;
        match self.failing {
            Some(since) if since.elapsed() >= AWAY => return error,
            Some(_) => {}
            None => {
                self.failing = Some(Instant::now());
                self.handle.say(format!("{} cannot be read now: {error}", self.name.display()));
            }
        }
        io::ErrorKind::WouldBlock.into()
    }

    /// Takes note of bytes that were read.
    fn take(&mut self, bytes: &[u8]) {
        self.at += bytes.len() as u64;
        (self.failing, self.promised) = (None, None);
        let last = &bytes[bytes.len().saturating_sub(TAIL)..];
        let most = TAIL - last.len();
        self.tail.drain(..self.tail.len().saturating_sub(most));
        self.tail.extend(last);
        let mut state = self.handle.lock();
        state.at = self.at;
        state.grown = Instant::now();
        state.is_held = false;
    }
}

impl Read for Growing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.handle.lock().ending.is_some() || buf.is_empty() {
                return Ok(0);
            }
            let looked = match (&*self.file).read(buf) {
                Ok(0) => self.look(),
                Ok(n) => {
                    self.take(&buf[..n]);
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Deleted on another computer.
                Err(error) if is_gone(&error) => self.look(),
                Err(error) => Err(error),
            };
            match looked {
                Ok(Look::Again) => {}
                Ok(Look::Nothing) => {
                    self.failing = None;
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(Look::End(ending)) => self.handle.lock().ending = Some(ending),
                Err(error) => return Err(self.fails(error)),
            }
        }
    }
}

/// Whether a file is not there, or not any more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}

/// Whether a file has a name still.
fn has_a_name(found: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::nlink(found) > 0;
    #[cfg(not(unix))]
    {
        let _ = found;
        true
    }
}
