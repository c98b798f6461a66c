//! The bytes of a file that somebody else is still writing.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pactolus_formats::same_file;

use crate::run_files::unfinished_name;

/// A file that should not grow any more is read to its end when it has not grown for so long.
pub(crate) const SETTLED: Duration = Duration::from_millis(300);

/// A copy of a file that was deleted may come in so long, although the next file is there.
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

impl Ending {
    /// Whether its writer has written all of it.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Ending::Whole | Ending::Renamed | Ending::Followed)
    }
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
    /// It was deleted, which was said.
    deleted: bool,
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
    /// When it has grown the last time.
    grown: Instant,
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

    /// Bytes read so far.
    pub(crate) fn at(&self) -> u64 {
        self.lock().at
    }

    /// Bytes in the file now; not less than those read.
    pub(crate) fn size(&self) -> u64 {
        let state = self.lock();
        state.file.metadata().map_or(state.at, |found| found.len()).max(state.at)
    }

    /// Whether there are bytes that were not read.
    pub(crate) fn has_more(&self) -> bool {
        let state = self.lock();
        state.ending.is_none() && state.file.metadata().is_ok_and(|found| found.len() != state.at)
    }
}

/// What there is where the bytes end.
enum Look {
    /// More, or it may be in another file now.
    Again,
    Nothing,
    End(Ending),
}

impl Growing {
    /// Opens the first of these files that is there, finished or not; `None` if none is.
    pub(crate) fn open(
        paths: Vec<PathBuf>,
        timeout: Option<Duration>,
        followed: impl FnMut() -> Option<Duration> + Send + 'static,
    ) -> io::Result<Option<Growing>> {
        for path in &paths {
            for name in [path.clone(), unfinished_name(path)] {
                let file = match File::open(&name) {
                    Ok(file) => Arc::new(file),
                    Err(error) if is_gone(&error) => continue,
                    Err(error) => return Err(error),
                };
                let state = State {
                    file: Arc::clone(&file),
                    at: 0,
                    grown: Instant::now(),
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
                    deleted: false,
                    failing: None,
                    strange: Vec::new(),
                    timeout,
                    followed: Box::new(followed),
                    handle: Handle(Arc::new(Mutex::new(state))),
                }));
            }
        }
        Ok(None)
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    fn say(&self, text: String) {
        self.handle.lock().news.push(text);
    }

    /// Looks for a reason to go on or to end where the bytes end.
    fn look(&mut self) -> io::Result<Look> {
        let (grown, finishing) = {
            let state = self.handle.lock();
            (state.grown, state.finishing)
        };
        let still = grown.elapsed();
        let open = match self.file.metadata() {
            Ok(found) if found.len() > self.at => return Ok(Look::Again),
            Ok(found) if found.len() < self.at => {
                return Ok(Look::End(Ending::Shrunk { from: self.at, to: found.len() }));
            }
            Ok(found) => Some(found),
            Err(error) if is_gone(&error) => None,
            Err(error) => return Err(error),
        };
        // What was written long ago is still, however short the time since it was read.
        let old = open.as_ref().and_then(age).unwrap_or_default();
        if finishing && still.max(old) >= SETTLED {
            return Ok(Look::End(Ending::Whole));
        }
        match (std::fs::metadata(&self.name), &open) {
            (Ok(named), Some(open)) if same_file(&named, open) => {}
            (Ok(_), _) => {
                // A copy that takes the place of what was there, as rsync makes them.
                if self.switch(&self.name.clone())? {
                    return Ok(Look::Again);
                }
                if still >= SETTLED {
                    return Ok(Look::End(Ending::Replaced));
                }
            }
            (Err(error), open) if is_gone(&error) => {
                if let Some(look) = self.gone(open.as_ref(), still)? {
                    return Ok(look);
                }
            }
            // A network that is away comes back, or the time is out.
            (Err(_), _) => {}
        }
        if still >= SETTLED
            && let Some(wanted) = (self.followed)()
            && if self.deleted { still >= COPIED.max(wanted) } else { still.max(old) >= wanted }
        {
            return Ok(Look::End(Ending::Followed));
        }
        match self.timeout.filter(|timeout| still >= *timeout) {
            Some(timeout) => Ok(Look::End(Ending::TimedOut(timeout))),
            None => Ok(Look::Nothing),
        }
    }

    /// The name is gone.
    fn gone(&mut self, open: Option<&Metadata>, still: Duration) -> io::Result<Option<Look>> {
        if open.is_some_and(has_a_name) {
            return Ok((still >= SETTLED).then_some(Look::End(Ending::Renamed)));
        }
        for path in self.paths.clone() {
            for name in [path.clone(), unfinished_name(&path)] {
                if name != self.name && self.switch(&name)? {
                    return Ok(Some(Look::Again));
                }
            }
        }
        // What goes on being written to it can be read, and a copy may come.
        if !std::mem::replace(&mut self.deleted, true) && self.paths.len() == 1 {
            self.say(format!("{} was deleted while it was followed", self.name.display()));
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
                self.say(format!(
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
        match self.failing {
            Some(since) if since.elapsed() >= AWAY => return error,
            Some(_) => {}
            None => {
                self.failing = Some(Instant::now());
                self.say(format!("{} cannot be read now: {error}", self.name.display()));
            }
        }
        io::ErrorKind::WouldBlock.into()
    }

    /// Takes note of bytes that were read.
    fn take(&mut self, bytes: &[u8]) {
        self.at += bytes.len() as u64;
        self.failing = None;
        let last = &bytes[bytes.len().saturating_sub(TAIL)..];
        let most = TAIL - last.len();
        self.tail.drain(..self.tail.len().saturating_sub(most));
        self.tail.extend(last);
        let mut state = self.handle.lock();
        state.at = self.at;
        state.grown = Instant::now();
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

/// The time since a file was written to the last time, if clocks agree so far.
fn age(found: &Metadata) -> Option<Duration> {
    found.modified().ok()?.elapsed().ok()
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
