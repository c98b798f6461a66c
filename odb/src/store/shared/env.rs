//! Opening LMDB, and the mark that says whose database it is.

use std::path::Path;
use std::time::{Duration, Instant};

use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions, FlagSetMode, MdbError, RwTxn, WithoutTls};
use pactolus_formats::wire::{self, Wire};

use super::bell::Bell;
use super::mirror::ROOT;
use super::{FREE, MARK, Options, key_of, place, record};
use crate::{Error, Result, Tree};

/// The first bytes of the mark.
const MAGIC: &[u8] = b"pactolus ODB";
/// The form of the records that this program writes.
const VERSION: u32 = 1;
/// Readers of all processes together.
const READERS: u32 = 1024;
/// How long it takes to make a database, at the most.
const MAKING: Duration = Duration::from_secs(1);
/// The file that holds the database.
pub(super) const DATA: &str = "data.mdb";
/// The file of its locks.
pub(super) const LOCK: &str = "lock.mdb";
/// The file that wakes others.
pub(super) const BELL: &str = "bell";

/// A database, ready for use.
pub(super) struct Opened {
    pub(super) env: Env<WithoutTls>,
    pub(super) db: Database<Bytes, Bytes>,
    pub(super) bell: Bell,
    /// Every commit is to be brought to the disk.
    pub(super) durable: bool,
}

pub(super) fn open(dir: &Path, options: Options) -> Result<Opened> {
    place::check(dir)?;
    let failed = |error: heed::Error| refused(dir, options.size, error);
    let unreadable = |error: std::io::Error| place::no_access(dir, &error);
    let mut how = EnvOpenOptions::new().read_txn_without_tls();
    how.map_size(options.size).max_readers(READERS);
    let env = map(&how, dir).map_err(failed)?;
    let bell = Bell::open(&dir.join(BELL)).map_err(unreadable)?;
    place::share(dir, &[DATA, LOCK, BELL]);
    env.clear_stale_readers().map_err(failed)?;
    let db = if options.create {
        let mut txn = env.write_txn().map_err(failed)?;
        let db: Database<Bytes, Bytes> = env.create_database(&mut txn, None).map_err(failed)?;
        if db.is_empty(&txn).map_err(failed)? {
            found(&db, &mut txn, options.durable).map_err(failed)?;
        }
        txn.commit().map_err(failed)?;
        db
    } else {
        existing(&env).map_err(failed)?.ok_or_else(|| Error::NoStore { dir: dir.display().to_string() })?
    };
    let txn = env.read_txn().map_err(failed)?;
    let durable = durable(dir, db.get(&txn, MARK).map_err(failed)?)?;
    drop(txn);
    if !durable {
        no_sync(&env).map_err(failed)?;
    }
    Ok(Opened { env, db, bell, durable })
}

/// The database that is there. Somebody may be making it just now.
fn existing(env: &Env<WithoutTls>) -> heed::Result<Option<Database<Bytes, Bytes>>> {
    let started = Instant::now();
    loop {
        let txn = env.read_txn()?;
        let db = env.open_database::<Bytes, Bytes>(&txn, None)?;
        let db = match db {
            Some(db) if !db.is_empty(&txn)? => Some(db),
            _ => None,
        };
        // One that is dropped would close the database.
        txn.commit()?;
        if db.is_some() || started.elapsed() > MAKING {
            return Ok(db);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What tells a file from another one of the same name: device and number.
pub(super) type Identity = (u64, u64);

/// That of the database in a directory.
pub(super) fn identity(dir: &Path) -> Result<Identity> {
    let file = dir.join(DATA).metadata().map_err(|error| place::no_access(dir, &error))?;
    #[cfg(unix)]
    return Ok((std::os::unix::fs::MetadataExt::dev(&file), std::os::unix::fs::MetadataExt::ino(&file)));
    #[cfg(not(unix))]
    return Ok((0, u64::from(file.is_file())));
}

/// Makes an empty tree.
fn found(db: &Database<Bytes, Bytes>, txn: &mut RwTxn<'_>, durable: bool) -> heed::Result<()> {
    let mut mark = MAGIC.to_vec();
    VERSION.put(&mut mark);
    durable.put(&mut mark);
    db.put(txn, MARK, &mark)?;
    let mut root = Vec::new();
    record::put(Tree::new().root(), &[], &mut root);
    db.put(txn, &key_of(ROOT), &root)?;
    db.put(txn, FREE, &(ROOT + 1).to_le_bytes())
}

/// Reads the mark: is every commit to be brought to the disk?
fn durable(dir: &Path, mark: Option<&[u8]>) -> Result<bool> {
    let foreign = || Error::Store(format!("{} holds a database of another program", dir.display()));
    let rest = mark.and_then(|mark| mark.strip_prefix(MAGIC)).ok_or_else(foreign)?;
    let mut rest = wire::Bytes::new(rest);
    match rest.value::<u32>() {
        Ok(VERSION) => rest.value().map_err(|_| foreign()),
        Ok(newer) => Err(Error::Store(format!(
            "{} is in form {newer}, this program knows form {VERSION} only: use a newer one",
            dir.display()
        ))),
        Err(_) => Err(foreign()),
    }
}

/// What a refusal of the database means.
pub(super) fn refused(dir: &Path, size: usize, error: heed::Error) -> Error {
    let at = dir.display();
    Error::Store(match error {
        heed::Error::Io(error) => return place::no_access(dir, &error),
        heed::Error::Mdb(MdbError::MapResized) => {
            format!("{at}: another program has opened it with more room than this one")
        }
        heed::Error::Mdb(MdbError::MapFull) => {
            format!("{at} is full ({} MiB), nothing was changed: delete what is large", size >> 20)
        }
        heed::Error::Mdb(MdbError::Invalid | MdbError::VersionMismatch) => {
            format!("{at}/{} is no database that this program knows ({error})", DATA)
        }
        error => format!("{at}: {error}"),
    })
}

#[allow(unsafe_code, reason = "LMDB maps its files")]
pub(super) fn map(how: &EnvOpenOptions<WithoutTls>, dir: &Path) -> heed::Result<Env<WithoutTls>> {
    let started = Instant::now();
    loop {
        // SAFETY: the files are changed by LMDB alone, and this process opens each database once
        // (`Shared::open`); `place::check` keeps them off file systems where mapped memory is not shared.
        match unsafe { how.open(dir) } {
            // One that was dropped just now, and is not closed yet.
            Err(heed::Error::EnvAlreadyOpened) if started.elapsed() < Duration::from_secs(5) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            opened => return opened,
        }
    }
}

#[allow(unsafe_code, reason = "a flag of LMDB that is about the disk")]
fn no_sync(env: &Env<WithoutTls>) -> heed::Result<()> {
    // SAFETY: without it a crash of the system may break the database, as said above; processes
    // that die do not.
    unsafe { env.set_flags(EnvFlags::NO_SYNC, FlagSetMode::Enable) }
}
