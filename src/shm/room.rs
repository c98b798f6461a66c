//! Room in a file: taken before it is needed, and given back.
//!
//! What is mapped must be there: if a file system is full when a page is first touched, the system kills
//! the process.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::{Error, Result};

/// Bytes that are asked for at once. A signal ends a call and undoes it: so each gets somewhere.
const PIECE: u64 = 16 << 20;

/// Bytes of a page of memory, on most computers.
pub(super) const PAGE: u64 = 4096;

/// Takes room for so many bytes from the beginning of a new file, all zero.
pub(super) fn take(file: &File, path: &Path, bytes: u64) -> Result<()> {
    let fault = |source| Error::Io { what: "take room for", path: path.to_owned(), source };
    let full = |free| Error::Full { path: path.to_owned(), wanted: bytes, free };
    // Asked first: a file system that is full for a moment hurts others.
    if let Some(free) = free(file)
        && bytes > free
    {
        return Err(full(free));
    }
    let mut done = 0;
    while done < bytes {
        let piece = PIECE.min(bytes - done);
        match system::allocate(file, done, piece) {
            Ok(()) => done += piece,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_full(&error) => {
                let _ = file.set_len(0);
                return Err(full(free(file).unwrap_or(0)));
            }
            Err(error) => return Err(fault(error)),
        }
    }
    // Some file systems take room without making the file longer.
    match file.metadata().map_err(fault)?.len() < bytes {
        true => file.set_len(bytes).map_err(fault),
        false => Ok(()),
    }
}

/// Gives back what lies between these bytes, which read as zero then. Not possible there: nothing.
pub(super) fn give_back(file: &File, from: u64, to: u64) {
    system::punch(file, from, to);
}

/// Whether there was no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Bytes that this user may still take where the file lies, if that is known there.
pub(super) fn free(file: &File) -> Option<u64> {
    let found = rustix::fs::fstatvfs(file).ok()?;
    // A limit of 0 is none.
    (found.f_blocks > 0).then(|| found.f_bavail.saturating_mul(found.f_frsize))
}

/// Takes room where the system has no call for it.
fn fill(file: &File, from: u64, bytes: u64) -> io::Result<()> {
    const ZEROS: &[u8] = &[0; 1 << 16];
    let mut done = 0;
    while done < bytes {
        let piece = (bytes - done).min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..piece as usize], from + done)?;
        done += piece;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod system {
    use super::{File, PAGE, fill, io};

    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    pub(super) fn allocate(file: &File, from: u64, bytes: u64) -> io::Result<()> {
        match fallocate(file, FallocateFlags::empty(), from, bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(file, from, bytes),
            done => Ok(done?),
        }
    }

    pub(super) fn punch(file: &File, from: u64, to: u64) {
        // Less than a page cannot be given back, only overwritten.
        let Some(from) = from.checked_next_multiple_of(PAGE) else { return };
        let to = to / PAGE * PAGE;
        if from < to {
            let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = rustix::io::retry_on_intr(|| fallocate(file, mode, from, to - from));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{File, fill, io};

    pub(super) fn allocate(file: &File, from: u64, bytes: u64) -> io::Result<()> {
        fill(file, from, bytes)
    }

    pub(super) fn punch(_: &File, _: u64, _: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::MetadataExt as _;

    /// On a disk, and in memory.
    fn places() -> Vec<tempfile::NamedTempFile> {
        let mut places = vec![tempfile::NamedTempFile::new().unwrap()];
        places.extend(tempfile::NamedTempFile::new_in("/dev/shm"));
        places
    }

    /// Bytes that the file takes of the disk or of memory.
    fn taken(file: &File) -> u64 {
        file.metadata().unwrap().blocks() * 512
    }

    #[test]
    fn room_is_taken_at_once_and_given_back() {
        for place in places() {
            let file = place.as_file();
            let bytes = PIECE + (1 << 20);
            take(file, place.path(), bytes).unwrap();
            assert_eq!(file.metadata().unwrap().len(), bytes);
            assert!(taken(file) >= bytes, "{} of {bytes} bytes are there", taken(file));
            file.write_all_at(&vec![7; 3 << 20], 0).unwrap();
            give_back(file, 100, (1 << 20) + 5000);
            assert_eq!(file.metadata().unwrap().len(), bytes, "it is as long as before");
            let mut byte = [1];
            for (at, wanted) in [(99, 7), (4096, 0), ((1 << 20) + 4095, 0), ((1 << 20) + 5000, 7)] {
                file.read_exact_at(&mut byte, at).unwrap();
                assert_eq!(byte, [wanted], "{at}");
            }
            assert!(taken(file) <= bytes - (1 << 20) + 65536, "{} bytes are there", taken(file));
            // Nonsense gives back nothing.
            for (from, to) in
                [(5000, 100), (1 << 22, 1 << 22), (u64::MAX, u64::MAX), (u64::MAX - 5000, u64::MAX)]
            {
                give_back(file, from, to);
            }
        }
    }

    #[test]
    fn room_that_is_not_there_is_not_tried() {
        for place in places() {
            let error = take(place.as_file(), place.path(), 1 << 60).unwrap_err();
            let Error::Full { path, wanted, free } = error else { panic!("{error}") };
            assert_eq!((path.as_path(), wanted), (place.path(), 1 << 60));
            assert!(free > 0 && free < 1 << 60, "{free}");
            assert_eq!(taken(place.as_file()), 0);
        }
    }

    #[test]
    fn a_system_without_a_call_for_it_writes_zeros() {
        let place = tempfile::NamedTempFile::new().unwrap();
        let file = place.as_file();
        fill(file, 0, 200_000).unwrap();
        fill(file, 200_000, 1).unwrap();
        let bytes = std::fs::read(place.path()).unwrap();
        assert!(bytes.len() == 200_001 && bytes.iter().all(|b| *b == 0));
    }
}
