//! A client with its mirror, on a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pactolus_odb::{Error as OdbError, Odb, Store, Tree};

use super::{Client, Error, Inbox, Login, Mirror, Note, Result, Writes};

/// How often who waits looks whether the connection is lost.
const BREATH: Duration = Duration::from_millis(100);

/// An experiment's ODB: a client that reads it, and a thread that keeps it up to date. Closed on drop.
///
/// ```no_run
/// use pactolus::midas::{Login, Session, Writes};
/// let login = Login::new("daq.example.org".parse()?, "my program").experiment("sample");
/// let session = Session::open(&login, &["/Runinfo".into()], Writes::Nothing)?;
/// println!("run {}", session.odb().get::<u32>("/Runinfo/Run number")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session {
    attached: Arc<Attached>,
    inbox: Arc<Inbox>,
    name: String,
    version: String,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The mirror, and whether there is still something behind it.
struct Attached {
    mirror: Arc<Mirror>,
    lost: OnceLock<String>,
}

impl Session {
    /// Logs in, reads the whole ODB, and watches these paths; they need not exist yet.
    ///
    /// # Errors
    /// Those of [`Client::connect`] and [`Mirror::attach`].
    pub fn open(login: &Login, watched: &[String], writes: Writes) -> Result<Session> {
        let inbox = Inbox::new();
        let client = Client::connect(login, &inbox)?;
        Session::over(client, inbox, watched, writes)
    }

    /// The same of a client that is logged in, with its inbox.
    ///
    /// # Errors
    /// Those of [`Mirror::attach`].
    pub fn over(
        mut client: Client,
        inbox: Arc<Inbox>,
        watched: &[String],
        writes: Writes,
    ) -> Result<Session> {
        let mirror = Mirror::new(Arc::clone(&inbox), writes);
        mirror.attach(&mut client, watched)?;
        let (name, version) = (client.name().to_owned(), client.version().to_owned());
        let attached = Arc::new(Attached { mirror, lost: OnceLock::new() });
        let end = Arc::new(AtomicBool::new(false));
        let serve = {
            let (attached, inbox, end) = (Arc::clone(&attached), Arc::clone(&inbox), Arc::clone(&end));
            move || serve(client, &attached, &inbox, &end)
        };
        let thread = std::thread::Builder::new().name("midas odb".to_owned()).spawn(serve);
        let thread = thread.map_err(|source| Error::Io { call: "thread of the session", source })?;
        Ok(Session { attached, inbox, name, version, end, thread: Some(thread) })
    }

    /// The ODB. When the connection is lost or the session closed, reading it is an error, too.
    pub fn odb(&self) -> Odb {
        Odb::new(Arc::clone(&self.attached) as Arc<dyn Store>)
    }

    /// Our name among the clients of the experiment.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that the server says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Why the connection is lost, if it is.
    pub fn lost(&self) -> Option<&str> {
        self.attached.lost.get().map(String::as_str)
    }

    /// Keys of the experiment that no tree can hold, and why.
    pub fn left_out(&self) -> Vec<String> {
        self.attached.mirror.left_out()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
        self.inbox.wake();
        if let Some(thread) = self.thread.take() {
            // One that has panicked is over, too.
            drop(thread.join());
        }
    }
}

/// Keeps the mirror up to date, until it is to end or the connection does.
fn serve(mut client: Client, attached: &Attached, inbox: &Inbox, end: &AtomicBool) {
    let mirror = &attached.mirror;
    let why = loop {
        if end.load(Ordering::Acquire) {
            const CLOSED: &str = "the session is closed";
            drop(attached.lost.set(CLOSED.to_owned()));
            mirror.lost(CLOSED);
            // It is over, with or without a farewell.
            drop(client);
            return;
        }
        let notes = inbox.take();
        if let Some(why) = notes.iter().find_map(ended) {
            break why;
        }
        // Somebody waits for the first. What is refused in the midst of it, is looked at again.
        let served = mirror.serve(&mut client);
        let looked = match &served {
            Err(error) if error.is_lost() => Ok(()),
            _ => mirror.look(&mut client, &notes),
        };
        if let Some(error) = [served, looked].into_iter().find_map(|done| done.err().filter(Error::is_lost)) {
            break error.to_string();
        }
        inbox.wait(mirror.due().max(Duration::from_millis(1)));
    };
    // Whoever has been waiting must find out why.
    drop(attached.lost.set(why.clone()));
    mirror.lost(&why);
}

fn ended(note: &Note) -> Option<String> {
    match note {
        Note::Closed(why) => Some(why.clone()),
        Note::StopAsked => Some("somebody has asked this program to end".to_owned()),
        _ => None,
    }
}

impl Attached {
    fn is_there(&self) -> Result<(), OdbError> {
        let lost = |why| OdbError::Store(format!("the connection to the experiment is lost: {why}"));
        self.lost.get().map_or(Ok(()), |why| Err(lost(why)))
    }
}

impl Store for Attached {
    fn revision(&self) -> u64 {
        self.mirror.revision()
    }

    fn snapshot(&self) -> Result<(u64, Tree), OdbError> {
        self.is_there()?;
        self.mirror.snapshot()
    }

    fn transact(&self, change: &mut dyn FnMut(&mut Tree) -> Result<(), OdbError>) -> Result<(), OdbError> {
        self.is_there()?;
        self.mirror.transact(change)
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        // One that is lost has no more changes, and is not waited for.
        let end = Instant::now().checked_add(timeout);
        loop {
            let left = end.map_or(BREATH, |end| end.saturating_duration_since(Instant::now()));
            let revision = self.mirror.wait(seen, left.min(BREATH));
            if revision != seen || left.is_zero() || self.lost.get().is_some() {
                return revision;
            }
        }
    }
}
