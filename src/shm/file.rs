//! The file of a stream: found, made, put in its place, removed.
//!
//! A new one is made under another name in the same directory, `.NAME.<pid>.<n>.tmp`, and gets its name
//! when it is whole: whoever opens a stream finds all of it. Its maker holds the lock of the producer from the
//! beginning, so that nobody takes it for a leftover; one that nobody holds is what a kill has left, and
//! the next who makes a stream of this name removes it.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;

use super::lock::{self, LOCKS};
use super::name::uid;
use super::room;
use super::{Error, Result, StreamName};

/// Files that this process has begun to make.
static MADE: AtomicU64 = AtomicU64::new(0);

/// The file of a stream, open for reading and writing.
#[derive(Debug)]
pub(super) struct RingFile {
    pub(super) file: File,
    /// Where it is, or will be when it is published.
    pub(super) path: PathBuf,
    /// Where it is until then.
    temporary: Option<PathBuf>,
}

impl RingFile {
    /// Opens a stream that is there.
    pub(super) fn open(name: &StreamName) -> Result<RingFile> {
        if !cfg!(target_os = "linux") {
            return Err(Error::Unsupported);
        }
        if name.is_ours() {
            match fs::symlink_metadata(name.directory()) {
                Ok(found) => check_directory(name.directory(), &found)?,
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(absent(name)),
                Err(error) => return Err(refused("look into", name.directory(), error)),
            }
        }
        let path = name.path();
        // Where everybody may write, a link may lead anywhere.
        let is_strict = name.is_ours() || path.starts_with("/dev/shm");
        // Looked at first: to open a pipe or a device may do something.
        let found = if is_strict { fs::symlink_metadata(path) } else { fs::metadata(path) };
        match found {
            Ok(found) => check_kind(path, &found)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(absent(name)),
            Err(error) => return Err(refused("open", path, error)),
        }
        match open_quietly(path, is_strict) {
            Ok(file) => {
                let found = file.metadata().map_err(|error| refused("look at", path, error))?;
                check_kind(path, &found)?;
                Ok(RingFile { file, path: path.to_owned(), temporary: None })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(absent(name)),
            Err(error) => Err(refused("open", path, error)),
        }
    }

    /// Makes a file of so many bytes, all zero, for which there is room. Nobody finds it until it is
    /// published; if it never is, it goes with this value. We have the lock of its producer.
    pub(super) fn create(name: &StreamName, bytes: u64, mode: u32) -> Result<RingFile> {
        if !cfg!(target_os = "linux") {
            return Err(Error::Unsupported);
        }
        if name.is_ours() {
            make_directory(name.directory())?;
        }
        remove_leftovers(name);
        loop {
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let temporary = format!(".{}.{}.{number}.tmp", name.last(), std::process::id());
            let temporary = name.directory().join(temporary);
            let made =
                OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&temporary);
            let file = match made {
                Ok(file) => file,
                // Of a process with our number: before us, or in another container.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(refused("make a stream in", name.directory(), error)),
            };
            let made = RingFile { file, path: name.path().to_owned(), temporary: Some(temporary.clone()) };
            let fault = |what, error| refused(what, &temporary, error);
            let is_locked = lock::try_lock(&made.file, LOCKS).map_err(|error| fault("lock", error))?;
            // Somebody may have taken it for a leftover before we had the lock.
            if !is_locked || !made.is_at(&temporary) {
                continue;
            }
            // Whatever the mask of this process says.
            let mode = Permissions::from_mode(mode & 0o777);
            made.file.set_permissions(mode).map_err(|error| fault("set the mode of", error))?;
            room::take(&made.file, &made.path, bytes)?;
            return Ok(made);
        }
    }

    /// Puts a new file in its place, or says that one is there, which stays: somebody was faster.
    pub(super) fn publish_new(&self) -> Result<bool> {
        let Some(temporary) = &self.temporary else { return Ok(true) };
        match fs::hard_link(temporary, &self.path) {
            Ok(()) => {
                // If this fails it has two names for a while.
                let _ = fs::remove_file(temporary);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(refused("make", &self.path, error)),
        }
    }

    /// Whether this is what one finds by the name: it was neither removed nor replaced.
    pub(super) fn is_current(&self) -> bool {
        self.is_at(&self.path)
    }

    /// Removes the file, if it is current. Who has it open keeps it. The caller has the lock of its
    /// producer, so that nobody puts another in its place meanwhile.
    pub(super) fn remove(&self) -> Result<()> {
        if !self.is_current() {
            return Ok(());
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(refused("remove", &self.path, error)),
            _ => Ok(()),
        }
    }

    /// Says who may take part, in a file that is there. Somebody else's must not be open to more than that: what is
    /// published there, others would read.
    pub(super) fn take_over(&self, mode: u32) -> Result<()> {
        let failed = |error| refused("look at", &self.path, error);
        let (found, owner) = self.mode_and_owner().map_err(failed)?;
        if owner == uid() {
            let set = self.file.set_permissions(Permissions::from_mode(mode & 0o777));
            return set.map_err(|error| refused("set the mode of", &self.path, error));
        }
        if found & !mode & 0o066 == 0 {
            return Ok(());
        }
        let advice = format!(
            "it belongs to user {owner}, and mode {found:o} opens it to more than --mode {mode:o} does: take another \
             name, or that mode"
        );
        Err(Error::NoRights { what: "publish in", path: self.path.clone(), advice })
    }

    /// Who may take part, and the number of the user whose it is.
    pub(super) fn mode_and_owner(&self) -> io::Result<(u32, u32)> {
        self.file.metadata().map(|found| (found.mode() & 0o777, found.uid()))
    }

    fn is_at(&self, path: &Path) -> bool {
        let (Ok(ours), Ok(found)) = (self.file.metadata(), fs::metadata(path)) else { return false };
        (ours.dev(), ours.ino()) == (found.dev(), found.ino())
    }
}

impl Drop for RingFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary
            && self.is_at(temporary)
        {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Opens a file, which never waits, whatever it is.
fn open_quietly(path: &Path, is_strict: bool) -> io::Result<File> {
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if is_strict {
        flags |= OFlags::NOFOLLOW;
    }
    OpenOptions::new().read(true).write(true).custom_flags(flags.bits() as i32).open(path)
}

/// Removes what makers of this stream have left that were killed.
fn remove_leftovers(name: &StreamName) {
    let before = format!(".{}.", name.last());
    for entry in fs::read_dir(name.directory()).into_iter().flatten().flatten() {
        let file_name = entry.file_name();
        let numbers = file_name.to_str().and_then(|text| text.strip_prefix(&before)?.strip_suffix(".tmp"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !numbers.and_then(|n| n.split_once('.')).is_some_and(|(a, b)| is_number(a) && is_number(b)) {
            continue;
        }
        let path = entry.path();
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        // One of somebody else, which we may not open, is his.
        let Ok(file) = open_quietly(&path, true) else { continue };
        // Killed after it was published: this is its second name.
        let is_second = file.metadata().is_ok_and(|found| found.nlink() > 1);
        let left = RingFile { file, path, temporary: None };
        if is_second || lock::try_lock(&left.file, LOCKS).unwrap_or(false) {
            // What cannot be removed is no reason not to make ours.
            let _ = left.remove();
        }
    }
}

/// Makes the directory of this user, in which others find what they are shown, and list nothing.
fn make_directory(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o711).create(path) {
        Ok(()) => {
            let mode = Permissions::from_mode(0o711);
            fs::set_permissions(path, mode).map_err(|error| refused("set the mode of", path, error))?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refused("make", path, error)),
    }
    let found = fs::symlink_metadata(path).map_err(|error| refused("look at", path, error))?;
    check_directory(path, &found)
}

/// The directory of this user must be his alone, or others could put their streams before ours.
fn check_directory(path: &Path, found: &Metadata) -> Result<()> {
    let wrong = |advice: String| Err(Error::NoRights { what: "use", path: path.to_owned(), advice });
    let shown = path.display();
    if !found.is_dir() {
        let kind = kind_of(found);
        return wrong(format!(
            "it is {kind}, and a directory is wanted; remove it, or give the path of a file"
        ));
    }
    if found.uid() != uid() {
        let (his, ours) = (found.uid(), uid());
        return wrong(format!(
            "it belongs to user {his}, not to this one, {ours}; have it removed, or give the path of a file"
        ));
    }
    if found.mode() & 0o022 != 0 {
        let mode = found.mode() & 0o777;
        return wrong(format!("others may write there (mode {mode:o}); say \"chmod 711 {shown}\""));
    }
    Ok(())
}

fn check_kind(path: &Path, found: &Metadata) -> Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let why = format!("it is {}, and a file is wanted", kind_of(found));
    Err(Error::NotAStream { path: path.to_owned(), why })
}

fn kind_of(found: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = found.file_type();
    match () {
        () if kind.is_symlink() => "a symbolic link",
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () if kind.is_file() => "a file",
        () => "a device",
    }
}

fn absent(name: &StreamName) -> Error {
    Error::Absent { hint: name.hint() }
}

/// Why the system did not do it. If for want of rights, the error says whose they are.
fn refused(what: &'static str, path: &Path, source: io::Error) -> Error {
    match source.kind() {
        ErrorKind::PermissionDenied => {
            Error::NoRights { what, path: path.to_owned(), advice: advice(what, path) }
        }
        _ => Error::Io { what, path: path.to_owned(), source },
    }
}

/// Who can help.
fn advice(what: &str, path: &Path) -> String {
    if let Ok(found) = fs::metadata(path) {
        let (owner, group, mode) = (found.uid(), found.gid(), found.mode() & 0o777);
        let whose = format!("it belongs to user {owner} and group {group}, mode {mode:o}");
        return match found.is_dir() {
            true => format!("{whose}; only who may write there can make and remove a stream"),
            false if what == "open" => format!(
                "{whose}; its producer opens it to the group with --mode 660, to everybody with --mode 666"
            ),
            false => whose,
        };
    }
    // What is in a directory that cannot be passed cannot even be looked at; the directory itself can.
    let closed = path.ancestors().skip(1).find_map(|above| Some((above, fs::metadata(above).ok()?)));
    match closed {
        Some((above, found)) => format!(
            "{} belongs to user {} and cannot be passed (mode {:o}); its owner says \"chmod a+x {0}\"",
            above.display(),
            found.uid(),
            found.mode() & 0o777,
        ),
        None => "it cannot be looked at".into(),
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
