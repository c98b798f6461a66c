//! Who lives: locks on single bytes of the file, behind all that is in it.
//!
//! The system frees the lock of a process however it ends; no number of a process is ever asked, which
//! may be somebody else's by then. Locks belong to the open file (`F_OFD_SETLK`), not to the process: two
//! consumers in one process are two, and closing another file of it frees nothing.
//!
//! | byte | who holds it |
//! |---|---|
//! | [`LOCKS`] | the producer |
//! | + 1 | who makes or removes a group |
//! | + 16 + k | the consumer in slot k |

use std::fs::File;
use std::io;

/// The first of these bytes. Nothing is written there: a lock may lie behind the end.
pub(super) const LOCKS: u64 = 1 << 62;

/// Takes the lock of a byte, or says that another has it. What is locked by this very file stays so.
pub(super) fn try_lock(file: &File, at: u64) -> io::Result<bool> {
    system::set(file, at, true)
}

/// Gives it back. To close the file may not be enough: a program that this process is just about to start
/// has it open for a moment, too.
pub(super) fn unlock(file: &File, at: u64) -> io::Result<()> {
    system::set(file, at, false).map(|_| ())
}

/// Whether another has the lock of a byte; what this very file holds does not count.
pub(super) fn is_locked(file: &File, at: u64) -> io::Result<bool> {
    system::is_locked(file, at)
}

#[cfg(target_os = "linux")]
mod system {
    use super::{File, io};

    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;

    pub(super) fn set(file: &File, at: u64, locked: bool) -> io::Result<bool> {
        let wanted = byte(at, if locked { libc::F_WRLCK } else { libc::F_UNLCK })?;
        loop {
            match fcntl(file, FcntlArg::F_OFD_SETLK(&wanted)) {
                Ok(_) => return Ok(true),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::EACCES) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn is_locked(file: &File, at: u64) -> io::Result<bool> {
        let mut found = byte(at, libc::F_WRLCK)?;
        loop {
            match fcntl(file, FcntlArg::F_OFD_GETLK(&mut found)) {
                Ok(_) => return Ok(i32::from(found.l_type) != libc::F_UNLCK),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn byte(at: u64, kind: i32) -> io::Result<libc::flock> {
        let odd = |_| io::Error::from(io::ErrorKind::InvalidInput);
        Ok(libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: libc::off_t::try_from(at).map_err(odd)?,
            l_len: 1,
            l_pid: 0,
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{File, io};

    pub(super) fn set(_: &File, _: u64, _: bool) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn is_locked(_: &File, _: u64) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    fn open(path: &Path) -> File {
        File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap()
    }

    /// On a disk, and in memory.
    fn places() -> Vec<tempfile::TempDir> {
        let mut places = vec![tempfile::tempdir().unwrap()];
        places.extend(tempfile::tempdir_in("/dev/shm"));
        places
    }

    /// A process that another test starts in this moment has our files, too, until its program runs.
    fn until_free(file: &File) {
        let started = Instant::now();
        while is_locked(file, LOCKS).unwrap() {
            assert!(started.elapsed() < Duration::from_secs(10), "the lock outlives its holder");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_lock_is_of_one_open_file_and_of_one_byte() {
        for place in places() {
            let path = place.path().join("a");
            let (one, other) = (open(&path), open(&path));
            assert!(!is_locked(&other, LOCKS).unwrap());
            assert!(try_lock(&one, LOCKS).unwrap());
            assert!(try_lock(&one, LOCKS).unwrap(), "what is ours stays so");
            assert!(!try_lock(&other, LOCKS).unwrap());
            assert!(is_locked(&other, LOCKS).unwrap());
            assert!(!is_locked(&one, LOCKS).unwrap(), "our own does not count");
            for byte in [LOCKS - 1, LOCKS + 1, LOCKS + 16 + 63] {
                assert!(try_lock(&other, byte).unwrap(), "{byte}");
            }
            unlock(&one, LOCKS).unwrap();
            assert!(try_lock(&other, LOCKS).unwrap());
            assert_eq!(one.metadata().unwrap().len(), 0, "nothing is written");
        }
    }

    #[test]
    fn closing_another_file_frees_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a");
        let (one, other) = (open(&path), open(&path));
        assert!(try_lock(&one, LOCKS).unwrap());
        drop(open(&path));
        assert!(is_locked(&other, LOCKS).unwrap());
        drop(one);
        until_free(&other);
    }

    #[test]
    fn a_kill_frees_the_lock_of_a_process() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a");
        let (his, ours) = (open(&path), open(&path));
        assert!(try_lock(&his, LOCKS).unwrap());
        // The open file is handed on, and with it the lock.
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::from(his)).spawn().unwrap();
        assert!(is_locked(&ours, LOCKS).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        until_free(&ours);
    }

    #[test]
    fn a_byte_that_no_file_has_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let file = open(&place.path().join("a"));
        assert!(try_lock(&file, u64::MAX).is_err());
        assert!(is_locked(&file, 1 << 63).is_err());
    }
}
