//! The experiment's ODB as this process knows it, as a store.
//!
//! There are two trees: what was read of the experiment, and what this process sees, which has the changes
//! of this process on top. What is read anew changes what is seen only where it differs from what was read
//! before: so a value that was set in this process alone lasts until somebody sets the key in the experiment.
//!
//! One thread owns the client, and reads and writes; all others take snapshots, and hand their changes to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pactolus_odb::{Error as OdbError, Key, Path, Store, Tree, Value};

use super::carry::{carry, refused};
use super::desk::{Desk, outermost};
use super::status::IN_USE;
use super::steps::{Allowed, Step, Writes, steps};
use super::{Client, Error, Inbox, Note, Result};

/// How long a change may wait for the thread that sends it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The experiment's ODB as this process knows it: what was read of it, with what this process has set on
/// top. It outlives clients: after the connection was lost, it is attached to the next.
///
/// The thread that owns the client calls [`attach`](Mirror::attach), then [`look`](Mirror::look) and
/// [`serve`](Mirror::serve) whenever the inbox has something, but at least every two seconds; and must not
/// itself change anything through the store, for it would wait for itself.
pub struct Mirror {
    inbox: Arc<Inbox>,
    writes: Allowed,
    /// What is seen in this process.
    seen: RwLock<Tree>,
    revision: AtomicU64,
    /// Those who change something take turns.
    turn: Mutex<()>,
    /// Somebody has changed something: held for no longer than to say so.
    news: Mutex<()>,
    changed: Condvar,
    desk: Mutex<Desk>,
    counter: Mutex<Counter>,
    answered: Condvar,
}

/// Where changes are handed to the thread that sends them.
#[derive(Default)]
struct Counter {
    /// Why nobody sends anything.
    closed: Option<String>,
    order: Option<Order>,
    /// The number of the newest order, and of the one that is answered.
    number: u64,
    answer: Option<Result<bool, OdbError>>,
}

/// A change that is to be sent.
struct Order {
    number: u64,
    /// The revision that it changes.
    base: u64,
    /// What is seen in that.
    before: Tree,
    /// What is to be seen then.
    tree: Tree,
    steps: Vec<Step>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mirror {
    /// An empty ODB, to be attached to an experiment.
    pub fn new(inbox: Arc<Inbox>, writes: Writes) -> Arc<Mirror> {
        let counter = Counter { closed: Some("no experiment is attached".to_owned()), ..Counter::default() };
        Arc::new(Mirror {
            inbox,
            writes: Allowed::new(&writes),
            seen: RwLock::default(),
            revision: AtomicU64::new(0),
            turn: Mutex::new(()),
            news: Mutex::new(()),
            changed: Condvar::new(),
            desk: Mutex::default(),
            counter: Mutex::new(counter),
            answered: Condvar::new(),
        })
    }

    /// Reads the whole ODB, and watches these paths from now on, with what links there lead to. They need
    /// not exist yet. MIDAS lets nobody delete what is watched, or a directory around it: watch no more
    /// than you need.
    ///
    /// # Errors
    /// Those of the client.
    pub fn attach(&self, client: &mut Client, watched: &[String]) -> Result<()> {
        self.at_desk(|desk| desk.attach(client, watched))?;
        locked(&self.counter).closed = None;
        Ok(())
    }

    /// Reads the whole ODB anew.
    ///
    /// # Errors
    /// Those of the client.
    pub fn refresh(&self, client: &mut Client) -> Result<()> {
        self.at_desk(|desk| desk.refresh(client))
    }

    /// Reads what has changed by these notes. Every two seconds it looks also for keys that were made or
    /// deleted in what is watched, of which MIDAS does not tell.
    ///
    /// # Errors
    /// Those of the client.
    pub fn look(&self, client: &mut Client, notes: &[Note]) -> Result<()> {
        self.at_desk(|desk| desk.look(client, notes))
    }

    /// How long it may be until the next [`look`](Mirror::look).
    pub fn due(&self) -> Duration {
        locked(&self.desk).due()
    }

    /// Sends the change that somebody waits for, if there is one.
    ///
    /// # Errors
    /// Those of the client that end the connection; what the server refuses is told to who waits.
    pub fn serve(&self, client: &mut Client) -> Result<()> {
        let Some(order) = locked(&self.counter).order.take() else { return Ok(()) };
        let number = order.number;
        let (answer, done) = self.carry_out(client, order);
        let mut counter = locked(&self.counter);
        if counter.number == number {
            counter.answer = Some(answer);
        }
        drop(counter);
        self.answered.notify_all();
        done
    }

    /// Nobody serves any more, until the next [`attach`](Mirror::attach): changes that would be sent fail.
    pub fn lost(&self, why: &str) {
        let mut counter = locked(&self.counter);
        counter.closed = Some(why.to_owned());
        counter.order = None;
        drop(counter);
        self.answered.notify_all();
    }

    /// The tree as it is seen now.
    pub fn tree(&self) -> Tree {
        self.read().1
    }

    /// The tree as it was read of the experiment, without what this process has set on top.
    pub fn live(&self) -> Tree {
        locked(&self.desk).live.clone()
    }

    /// Keys of the experiment that no tree can hold, and why.
    pub fn left_out(&self) -> Vec<String> {
        locked(&self.desk).left_out.clone()
    }

    fn read(&self) -> (u64, Tree) {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        (self.revision.load(Ordering::Acquire), seen.clone())
    }

    /// Does something that may change what is known of the experiment.
    fn at_desk(&self, act: impl FnOnce(&mut Desk) -> Result<()>) -> Result<()> {
        let mut desk = locked(&self.desk);
        let before = desk.live.clone();
        let done = act(&mut desk);
        // Also of what was read before it failed.
        self.show(|seen| seen.rebased(&before, &desk.live));
        done
    }

    /// Makes another tree of what is seen.
    fn show(&self, change: impl FnOnce(&Tree) -> Tree) {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let tree = change(&seen);
        if !tree.identical(&seen) {
            *seen = tree;
            self.revision.fetch_add(1, Ordering::Release);
            drop(seen);
            drop(locked(&self.news));
            self.changed.notify_all();
        }
    }

    /// Puts a tree in the place of the one of this revision, unless that is the newest no more.
    fn replace(&self, base: u64, tree: Tree) -> bool {
        let mut replaced = false;
        self.show(|seen| {
            replaced = self.revision.load(Ordering::Acquire) == base;
            if replaced { tree } else { seen.clone() }
        });
        replaced
    }

    /// Sends a change; whether it was of the newest tree, or what was refused.
    fn carry_out(&self, client: &mut Client, order: Order) -> (Result<bool, OdbError>, Result<()>) {
        let mut desk = locked(&self.desk);
        if self.revision() != order.base {
            return (Ok(false), Ok(()));
        }
        let before = desk.live.clone();
        let mut sent = Vec::new();
        let mut failed = None;
        for step in &order.steps {
            sent.push(step);
            let mut done = carry(&mut desk, client, step);
            if matches!(done, Err(Error::Refused { status: IN_USE, .. })) {
                // Perhaps only by ourselves.
                done = desk.release(client, &step.path).and_then(|()| carry(&mut desk, client, step));
            }
            if let Err(error) = done {
                failed = Some((refused(step, &error), error));
                break;
            }
        }
        let lost = failed.as_ref().is_some_and(|(_, error)| error.is_lost());
        let read = if lost { Ok(()) } else { read_back(&mut desk, client, &sent) };
        match failed {
            None => self.show(|seen| {
                // Who waited may have given up meanwhile, and something else may have changed here.
                let mut tree = match self.revision() == order.base {
                    true => order.tree,
                    false => seen.rebased(&order.before, &order.tree),
                };
                tree = tree.rebased(&before, &desk.live);
                // There it counts what the experiment has made of it, also if that is what it was.
                for path in sent.iter().map(|step| step.result()) {
                    settle(&mut tree, &path, desk.live.literal(&path));
                }
                tree
            }),
            Some(_) => self.show(|seen| seen.rebased(&before, &desk.live)),
        }
        match (failed, read) {
            (Some((answer, error)), _) if error.is_lost() => (Err(answer), Err(error)),
            (Some((answer, _)), read) => (Err(answer), read),
            (None, Err(error)) => (Err(OdbError::Store(error.to_string())), Err(error)),
            (None, Ok(())) => (Ok(true), Ok(())),
        }
    }

    /// Hands a change to the thread that sends it; whether it was of the newest tree.
    fn hand_over(&self, order: Order, end: Instant) -> Result<bool, OdbError> {
        let closed = |why: &str| OdbError::Store(format!("nothing can be sent to the experiment: {why}"));
        let mut counter = locked(&self.counter);
        if let Some(why) = &counter.closed {
            return Err(closed(why));
        }
        counter.number += 1;
        let number = counter.number;
        counter.answer = None;
        counter.order = Some(Order { number, ..order });
        self.inbox.wake();
        loop {
            if let Some(answer) = counter.answer.take() {
                return answer;
            }
            if let Some(why) = &counter.closed {
                return Err(closed(why));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let is_begun = counter.order.take().is_none();
                // Whatever comes of it, is not for the next.
                counter.number += 1;
                let what = if is_begun { "it may be there, or a part of it" } else { "nothing was changed" };
                let seconds = PATIENCE.as_secs();
                return Err(closed(&format!("no answer within {seconds} s; {what}")));
            }
            counter = self.answered.wait_timeout(counter, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Has a key be what it is in the experiment. Of a directory that is not what is in it, which may be of this
/// process alone; of a link not the mode, which is never sent.
fn settle(tree: &mut Tree, path: &Path, live: Option<&Key>) {
    let own = tree.literal(path);
    let key = match (live, own) {
        (Some(live), Some(own)) if live.directory().is_some() && own.directory().is_some() => {
            Key::with(live.name(), own.content().clone(), live.mode(), live.last_written()).ok()
        }
        (Some(live), Some(own)) if is_link(live) && is_link(own) => {
            Key::with(live.name(), live.content().clone(), own.mode(), live.last_written()).ok()
        }
        (live, _) => live.cloned(),
    };
    // Its directory is there if it is.
    drop(tree.graft(path, key));
}

fn is_link(key: &Key) -> bool {
    matches!(key.value(), Some(Value::Link(_)))
}

/// Reads what was written.
fn read_back(desk: &mut Desk, client: &mut Client, sent: &[&Step]) -> Result<()> {
    let paths = sent.iter().flat_map(|step| [step.path.clone(), step.result()]).collect();
    let paths = outermost(paths);
    for path in &paths {
        desk.reread(client, path)?;
    }
    let mut moved: Vec<_> = sent
        .iter()
        .filter(|step| !step.is_local() && paths.contains(&step.result()))
        .filter_map(|step| step.path.parent())
        .collect();
    moved.dedup();
    for directory in &moved {
        desk.arrange(client, directory)?;
    }
    // Those that were closed for it, and new ones.
    if moved.is_empty() { Ok(()) } else { desk.watch(client) }
}

impl Store for Mirror {
    fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    fn snapshot(&self) -> Result<(u64, Tree), OdbError> {
        Ok(self.read())
    }

    fn transact(&self, change: &mut dyn FnMut(&mut Tree) -> Result<(), OdbError>) -> Result<(), OdbError> {
        let _turn = locked(&self.turn);
        let end = Instant::now() + PATIENCE;
        loop {
            let (base, before) = self.read();
            let mut tree = before.clone();
            tree.set_now(now());
            change(&mut tree)?;
            if tree.identical(&before) {
                return Ok(());
            }
            let steps = steps(&before, &tree, &self.writes)?;
            let is_done = match steps.is_empty() {
                true => self.replace(base, tree),
                false => self.hand_over(Order { number: 0, base, before, tree, steps }, end)?,
            };
            if is_done {
                return Ok(());
            }
        }
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let news = locked(&self.news);
        drop(self.changed.wait_timeout_while(news, timeout, |()| self.revision() == seen));
        self.revision()
    }
}

/// The time that a change of this process alone writes down \[Unix seconds].
fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_in_this_process_is_a_store_like_others() {
        pactolus_odb::store::conformance(&|| Mirror::new(Inbox::new(), Writes::Nothing));
    }

    #[test]
    fn what_is_to_be_sent_fails_while_nobody_serves() {
        let mirror = Mirror::new(Inbox::new(), Writes::Below(vec!["/Out".to_owned()]));
        let put = |path: &str| mirror.transact(&mut |tree| tree.put(path, 5));
        assert_eq!(put("/Own/x"), Ok(()));
        let error = put("/Out/x").unwrap_err().to_string();
        assert!(error.contains("no experiment is attached"), "{error}");
        mirror.lost("the server is gone");
        let error = put("/Out/x").unwrap_err().to_string();
        assert!(error.contains("the server is gone"), "{error}");
        assert!(!mirror.tree().exists("/Out") && mirror.tree().exists("/Own/x"));
    }
}
