//! The tree in a directory, shared by all processes of a computer: LMDB, mapped memory without a
//! server.
//!
//! | key | what |
//! |---|---|
//! | 0 | the mark: `pactolus ODB`, a version, whether every commit is brought to the disk |
//! | 1 | 8 bytes: the first number that no key has had |
//! | 2, number | a key: see `record`; number 1 is the root |
//! | 3, n | the log: what transaction number t has changed, where n is t modulo 4096 |
//!
//! Numbers in keys are big-endian, all others little-endian. A log entry has the number of its
//! transaction and those of the keys that it has changed; if they are too many, none.
//!
//! Each process has the whole tree in its memory (`mirror`), so reading takes no look into the
//! database as long as nothing has changed, and a snapshot is a pointer. The number of the last
//! transaction is the revision. Who finds another one than his own takes in what the log says.
//!
//! **What survives.** A transaction that has come back is seen by every other process, and survives
//! the death of any process, also by SIGKILL. It is brought to the disk within about a second, or when
//! the process ends; a power cut or a crash of the system may cost what is not there yet, and since the
//! disk may have written pages in another order, in rare cases the database, so keep a `save` of it. A
//! database made with [`Options::durable`] brings every transaction to the disk before it comes back,
//! and loses nothing.
//!
//! No process that dies leaves a lock or a reader behind: both are taken over. Writers take turns; one
//! that writes without pause stands back for others.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use heed::types::Bytes;
use heed::{Database, Env, MdbError, RoTxn, RwTxn, WithoutTls};
use pactolus_formats::wire::{self, Wire};

use self::bell::Bell;
use self::env::{DATA, Identity, Opened};
use self::every_second::EverySecond;
use self::keeper::Keeper;
use self::mirror::{Mirror, Plan, ROOT, Stored};
use super::{Store, now};
use crate::{Error, Result, Tree};

mod bell;
mod env;
mod every_second;
mod keeper;
mod mirror;
mod place;
mod record;

/// Transactions that the log remembers.
const LOG: u64 = 4096;
/// How often a moment is looked for between two commits.
const TRIES: usize = 20;
/// Keys that an entry of the log names at the most.
const NAMED: usize = 400;

const MARK: &[u8] = &[0];
const FREE: &[u8] = &[1];
const KEY: u8 = 2;
const ENTRY: u8 = 3;

/// How a database is opened.
///
/// ```
/// # let dir = tempfile::tempdir().expect("a directory");
/// # let dir = dir.path().join("odb");
/// use pactolus_odb::{Odb, store::{Options, Shared}};
/// use std::sync::Arc;
/// let shared = Shared::open(&dir, Options { create: true, ..Options::default() })?;
/// Odb::new(Arc::new(shared)).create("/Runinfo/Run number", 8)?;
/// assert_eq!(Odb::open(&dir)?.get::<i32>("/Runinfo/Run number")?, 8);
/// # Ok::<(), pactolus_odb::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Make a database, and its directory, if there is none.
    pub create: bool,
    /// For a new one: every transaction is on the disk before it comes back. Some twenty times slower, and
    /// nothing is lost in a power cut.
    pub durable: bool,
    /// The most that it can hold \[bytes]. Only what is used takes room on the disk and in memory.
    /// All processes should say the same.
    pub size: usize,
}

impl Default for Options {
    /// An existing database, of up to 4 GiB.
    fn default() -> Options {
        Options { create: false, durable: false, size: 4 << 30 }
    }
}

/// A tree in a directory, for all processes of this computer. See [`store::shared`](self).
#[derive(Clone)]
pub struct Shared {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    size: usize,
    env: Env<WithoutTls>,
    db: Database<Bytes, Bytes>,
    bell: Bell,
    keeper: Keeper,
    durable: bool,
    /// The newest tree that this process has seen, and its revision.
    newest: RwLock<(u64, Tree)>,
    /// Its keys by their numbers. Taken last: who waits for others does not hold it.
    mirror: Mutex<Mirror>,
    /// The threads of this process take turns, too, before they ask other processes.
    turn: Mutex<()>,
    /// The file that was opened, which may have been deleted since.
    file: Identity,
    /// When readers that have died are looked for.
    sweeps: EverySecond,
    /// When it is looked whether the file is there; and whether it is not.
    looks: EverySecond,
    gone: AtomicBool,
}

/// The right to write, and how to give it back: the fields go in this order.
struct Writing<'i> {
    txn: RwTxn<'i>,
    /// What the revision is when it is committed.
    revision: u64,
    _end: End<'i>,
    _turn: MutexGuard<'i, ()>,
}

/// Says, when it goes, that the writer is done.
struct End<'i>(&'i Bell);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The databases that are open in this process: LMDB must not open one twice.
static OPEN: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

impl Shared {
    /// Opens the database in a directory. Opening one twice gives the same.
    ///
    /// # Errors
    /// [`Error::NoStore`] if there is none and none is to be made; [`Error::Store`] if it cannot be used:
    /// a network file system, missing rights, a newer version, files of something else.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Shared> {
        let dir = dir.as_ref();
        let none = || Error::NoStore { dir: dir.display().to_string() };
        if options.create {
            std::fs::create_dir_all(dir).map_err(|error| place::no_access(dir, &error))?;
        }
        // A directory that may not be looked into is another thing than none.
        match dir.join(DATA).symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !options.create => {
                return Err(none());
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Err(none()),
            _ => {}
        }
        let dir = dir.canonicalize().map_err(|error| place::no_access(dir, &error))?;
        // Held until it is open, so that nobody else opens it.
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|known| known.strong_count() > 0);
        if let Some(inner) = open.iter().filter_map(Weak::upgrade).find(|inner| inner.dir == dir) {
            // LMDB would not open another one under this name.
            inner.looks.hurry();
            inner.look_for();
            inner.still_there()?;
            return Ok(Shared { inner });
        }
        let inner = Arc::new(Inner::open(&dir, options)?);
        open.push(Arc::downgrade(&inner));
        Ok(Shared { inner })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Whether it was made [`durable`](Options::durable).
    pub fn is_durable(&self) -> bool {
        self.inner.durable
    }

    /// Reads the whole database anew and compares: every key stands in one directory, under a name of its
    /// own, and is what this process believes it to be.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn check(&self) -> Result<()> {
        let inner = &self.inner;
        let writing = inner.begin()?;
        let mut mirror = inner.lock();
        inner.catch_up(&mut mirror, &writing.txn, writing.revision - 1)?;
        let fresh = inner.load(&writing.txn)?;
        match (mirror.tree(), fresh.tree()) {
            (Some(known), Some(stored)) if known.identical(&stored) => Ok(()),
            _ => Err(Error::Store(format!(
                "{}: the database is not what was written to it",
                inner.dir.display()
            ))),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({})", self.inner.dir.display())
    }
}

impl Store for Shared {
    fn revision(&self) -> u64 {
        self.inner.revision()
    }

    fn snapshot(&self) -> Result<(u64, Tree)> {
        let inner = &self.inner;
        inner.still_there()?;
        if let Some(newest) = inner.newest(self.revision()) {
            return Ok(newest);
        }
        let now = inner.look(|mirror, txn, now| {
            inner.catch_up(mirror, txn, now)?;
            Ok(now)
        })?;
        inner.newest(now).ok_or_else(|| Error::Store("a snapshot is newer than it can be".into()))
    }

    fn transact(&self, change: &mut dyn FnMut(&mut Tree) -> Result<()>) -> Result<()> {
        self.inner.look_for();
        self.inner.still_there()?;
        self.inner.bell.ask();
        let done = self.inner.transact(change);
        self.inner.bell.stand_back();
        done
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let started = Instant::now();
        loop {
            let now = self.revision();
            let left = timeout.saturating_sub(started.elapsed());
            if now != seen || left.is_zero() {
                return now;
            }
            self.inner.bell.sleep(left, || self.revision() != seen);
            self.inner.look_for();
            if self.inner.gone.load(Ordering::Relaxed) {
                // Nothing comes any more.
                return self.revision();
            }
        }
    }
}

impl Inner {
    fn open(dir: &Path, options: Options) -> Result<Inner> {
        let Opened { env, db, bell, durable } = env::open(dir, options)?;
        let inner = Inner {
            dir: dir.to_owned(),
            size: options.size,
            env,
            db,
            bell,
            keeper: Keeper::default(),
            durable,
            newest: RwLock::new((0, Tree::new())),
            mirror: Mutex::default(),
            turn: Mutex::default(),
            file: env::identity(dir)?,
            sweeps: EverySecond::new(),
            looks: EverySecond::new(),
            gone: AtomicBool::new(false),
        };
        inner.look(|mirror, txn, now| inner.reload(mirror, txn, now))?;
        Ok(inner)
    }

    fn failed(&self, error: heed::Error) -> Error {
        env::refused(&self.dir, self.size, error)
    }

    fn lock(&self) -> MutexGuard<'_, Mirror> {
        // A change that panicked did so before the mirror followed it.
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newest(&self, revision: u64) -> Option<(u64, Tree)> {
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        (newest.0 >= revision).then(|| newest.clone())
    }

    fn publish(&self, revision: u64, tree: Tree) {
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = (revision, tree);
    }

    /// Reads one moment of the database, and its revision.
    ///
    /// A transaction that begins notes the number of the last commit, then copies the page with the roots.
    /// If two commits come between, the page is of another moment than the number: LMDB does not mind,
    /// we do. So it counts only if no commit has come before the copy was made.
    fn look<T>(&self, read: impl FnOnce(&mut Mirror, &RoTxn<'_>, u64) -> Result<T>) -> Result<T> {
        for _ in 0..TRIES {
            let txn = self.read_txn()?;
            let now = txn.id() as u64;
            fence(Ordering::SeqCst);
            if self.revision() <= now {
                return read(&mut self.lock(), &txn, now);
            }
        }
        // Commits come too fast. They wait for who has the right to write.
        let writing = self.begin()?;
        read(&mut self.lock(), &writing.txn, writing.revision - 1)
    }

    fn revision(&self) -> u64 {
        self.env.info().last_txn_id as u64
    }

    fn read_txn(&self) -> Result<RoTxn<'_, WithoutTls>> {
        match self.env.read_txn() {
            Err(heed::Error::Mdb(MdbError::ReadersFull)) => {
                // Some may have died.
                self.env.clear_stale_readers().map_err(|error| self.failed(error))?;
                self.env.read_txn().map_err(|error| self.failed(error))
            }
            txn => txn.map_err(|error| self.failed(error)),
        }
    }

    /// Brings the mirror to revision `now`, which `txn` sees.
    fn catch_up(&self, mirror: &mut Mirror, txn: &RoTxn<'_>, now: u64) -> Result<()> {
        let known = self.newest.read().unwrap_or_else(PoisonError::into_inner).0;
        // Another thread may have come further.
        if known >= now {
            return Ok(());
        }
        let Some(changed) = self.changed(txn, known, now)? else {
            return self.reload(mirror, txn, now);
        };
        let stored = changed.into_iter().map(|id| {
            let bytes = self.db.get(txn, &key_of(id)).map_err(|error| self.failed(error))?;
            Ok((id, bytes.map(|bytes| self.record(id, bytes)).transpose()?))
        });
        let stored: Vec<Stored> = stored.collect::<Result<_>>()?;
        if let Err(error) = mirror.apply(stored) {
            // It may be half of each now.
            self.reload(mirror, txn, now).map_err(|_| error)?;
            return Ok(());
        }
        self.publish_of(mirror, now)
    }

    fn publish_of(&self, mirror: &Mirror, now: u64) -> Result<()> {
        let tree = mirror.tree().ok_or_else(|| Error::Store("the stored tree has no root".into()))?;
        self.publish(now, tree);
        Ok(())
    }

    /// The keys that have changed between two revisions, `now` being the later one; `None` if the log does not say.
    fn changed(&self, txn: &RoTxn<'_>, known: u64, now: u64) -> Result<Option<Vec<u64>>> {
        if now - known >= LOG {
            return Ok(None);
        }
        let mut changed = Vec::new();
        for transaction in known + 1..=now {
            let entry = self.db.get(txn, &entry_of(transaction)).map_err(|error| self.failed(error))?;
            let mut entry = wire::Bytes::new(entry.unwrap_or_default());
            // That of an older transaction: this one has changed no key.
            if entry.value::<u64>().ok() != Some(transaction) {
                continue;
            }
            if entry.left() == 0 {
                return Ok(None);
            }
            while let Ok(id) = entry.value() {
                changed.push(id);
            }
        }
        changed.sort_unstable();
        changed.dedup();
        Ok(Some(changed))
    }

    fn record(&self, id: u64, bytes: &[u8]) -> Result<record::Record> {
        record::take(bytes).map_err(|malformed| {
            Error::Store(format!("{}: key number {id} is broken: {malformed}", self.dir.display()))
        })
    }

    fn load(&self, txn: &RoTxn<'_>) -> Result<Mirror> {
        let mut stored = Vec::new();
        let records = self.db.prefix_iter(txn, &[KEY]).map_err(|error| self.failed(error))?;
        for record in records {
            let (key, bytes) = record.map_err(|error| self.failed(error))?;
            let mut number = wire::Bytes::new(&key[1..]);
            let id = number.value::<u64>().map_or(0, u64::swap_bytes);
            stored.push((id, Some(self.record(id, bytes)?)));
        }
        Mirror::load(stored)
    }

    fn reload(&self, mirror: &mut Mirror, txn: &RoTxn<'_>, now: u64) -> Result<()> {
        *mirror = self.load(txn)?;
        self.publish_of(mirror, now)
    }

    /// Waits for the right to write.
    fn begin(&self) -> Result<Writing<'_>> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.bell.await_writer().map_err(|writer| {
            Error::Store(format!(
                "{}: process {writer} is in the midst of a change and does not end it; was it stopped? \
                 (kill -CONT {writer})",
                self.dir.display()
            ))
        })?;
        let txn = self.env.write_txn().map_err(|error| self.failed(error))?;
        self.bell.begin();
        let revision = txn.id() as u64;
        Ok(Writing { txn, revision, _end: End(&self.bell), _turn: turn })
    }

    fn transact(&self, change: &mut dyn FnMut(&mut Tree) -> Result<()>) -> Result<()> {
        // They are given back in the opposite order.
        let Writing { _turn, _end, mut txn, revision } = self.begin()?;
        let mut mirror = self.lock();
        self.catch_up(&mut mirror, &txn, revision - 1)?;
        let Some((_, before)) = self.newest(0) else { return Ok(()) };
        let mut tree = before.clone();
        tree.set_now(now());
        change(&mut tree)?;
        if tree.identical(&before) {
            return Ok(());
        }
        let free = self.db.get(&txn, FREE).map_err(|error| self.failed(error))?;
        let free = wire::Bytes::new(free.unwrap_or_default()).value::<u64>().unwrap_or(ROOT + 1);
        let plan = mirror.plan(&tree, free)?;
        self.write(&mut txn, &plan, (revision, free)).map_err(|error| self.failed(error))?;
        txn.commit().map_err(|error| self.failed(error))?;
        mirror.follow(plan);
        self.publish(revision, tree);
        drop(mirror);
        if !self.durable {
            self.keeper.dirty(&self.env);
        }
        self.sweep();
        Ok(())
    }

    /// Looks, at most once a second, whether the database that was opened is still the one in its directory.
    fn look_for(&self) {
        if self.looks.is_due() {
            let is_there = env::identity(&self.dir).is_ok_and(|file| file == self.file);
            self.gone.store(!is_there, Ordering::Relaxed);
        }
    }

    fn still_there(&self) -> Result<()> {
        if !self.gone.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Error::Store(format!(
            "{} was deleted while it was open: what is set there now is not seen here, nor the other way round",
            self.dir.display()
        )))
    }

    fn write(&self, txn: &mut RwTxn<'_>, plan: &Plan, (revision, free): (u64, u64)) -> heed::Result<()> {
        let mut entry = Vec::new();
        revision.put(&mut entry);
        if plan.changed().count() <= NAMED {
            plan.changed().for_each(|id| id.put(&mut entry));
        }
        for id in &plan.gone {
            self.db.delete(txn, &key_of(*id))?;
        }
        for (id, bytes) in &plan.put {
            self.db.put(txn, &key_of(*id), bytes)?;
        }
        if plan.free != free {
            self.db.put(txn, FREE, &plan.free.to_le_bytes())?;
        }
        self.db.put(txn, &entry_of(revision), &entry)
    }

    /// Frees what readers that have died still hold, at most once a second: only commits make use of it.
    fn sweep(&self) {
        if self.sweeps.is_due() {
            // What fails now is tried again.
            let _ = self.env.clear_stale_readers();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.keeper.end(&self.env);
    }
}

fn key_of(id: u64) -> [u8; 9] {
    numbered(KEY, id)
}

fn entry_of(transaction: u64) -> [u8; 9] {
    numbered(ENTRY, transaction % LOG)
}

fn numbered(kind: u8, number: u64) -> [u8; 9] {
    let mut key = [kind; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

#[cfg(test)]
mod tests;
