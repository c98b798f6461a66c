//! Files that appear whole, or not at all.

pub(crate) mod hidden;

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::hidden::Hidden;
use crate::{Error, Result};

/// A file written beside its final name, hidden in the same directory, and renamed when complete.
///
/// What had that name before stays until then; a file that is dropped unfinished leaves nothing. Of two
/// that are written at the same time, by whomever, the later one gets the name.
///
/// ```
/// use std::io::Write;
/// use pactolus_formats::WholeFile;
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("run00042.mid");
/// let mut file = WholeFile::create(&path)?;
/// file.write_all(b"events").unwrap();
/// assert!(!path.exists());
/// assert_eq!(file.finish()?, 6);
/// assert!(path.exists());
/// # Ok::<(), pactolus_formats::Error>(())
/// ```
pub struct WholeFile {
    path: PathBuf,
    beside: Hidden,
    inner: BufWriter<Arc<File>>,
    bytes: u64,
}

impl WholeFile {
    /// Begins a file.
    ///
    /// # Errors
    /// If the file beside it cannot be created.
    pub fn create(path: impl AsRef<Path>) -> Result<WholeFile> {
        let path = path.as_ref();
        let beside = Hidden::beside(path, ".part").map_err(Error::io("create", path))?;
        let inner = BufWriter::with_capacity(1 << 18, beside.file());
        Ok(WholeFile { path: path.to_owned(), beside, inner, bytes: 0 })
    }

    /// Writes a whole file at once.
    ///
    /// # Errors
    /// Those of the operating system; what had that name before is still there then.
    pub fn write(path: impl AsRef<Path>, contents: &[u8]) -> Result<()> {
        let mut file = WholeFile::create(&path)?;
        file.write_all(contents).map_err(Error::io("write", path.as_ref()))?;
        file.finish().map(drop)
    }

    /// Brings all that was written to the disk: a full disk or a quota is found out here at the
    /// latest, before the file has its name. What can fail afterwards is the name.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn settle(&mut self) -> Result<()> {
        let written = self.inner.flush().and_then(|()| match self.inner.get_ref().sync_all() {
            // A device, or a file system that knows no such call.
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            synced => synced,
        });
        written.map_err(Error::io("write", &self.path))
    }

    /// Asks whether the file can still get its name, before others that belong to it get theirs.
    ///
    /// # Errors
    /// If another job has begun the same file since.
    pub fn check_own(&self) -> Result<()> {
        self.beside.check_own().map_err(Error::io("rename", &self.path))
    }

    /// Gives the file its name; its size in bytes.
    ///
    /// # Errors
    /// Those of the operating system, or if another job has begun the same file since; what had that
    /// name before is still there then.
    pub fn finish(mut self) -> Result<u64> {
        self.settle()?;
        self.beside.rename(&self.path).map_err(Error::io("rename", &self.path))?;
        Ok(self.bytes)
    }
}

impl Write for WholeFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buf)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let n = self.inner.write_vectored(slices)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Whether these are of one file, whatever its names. Elsewhere than on Unix nobody can tell, and they are.
pub fn same_file(one: &Metadata, other: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        true
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn two_that_write_the_same_file_do_not_mix() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run00042.mid");
        let names = || fs::read_dir(place.path()).unwrap().count();

        let mut first = WholeFile::create(&path).unwrap();
        first.write_all(b"first").unwrap();
        let mut second = WholeFile::create(&path).unwrap();
        second.write_all(b"second").unwrap();
        let error = first.finish().unwrap_err();
        assert!(error.to_string().contains("another job writes it, too"), "{error}");
        second.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(), 1);

        let mut first = WholeFile::create(&path).unwrap();
        first.write_all(b"a longer first").unwrap();
        WholeFile::write(&path, b"third").unwrap();
        // The other one has ended, so that its hidden name is gone.
        for error in [first.check_own().unwrap_err(), first.finish().unwrap_err()] {
            assert!(error.to_string().contains("another job writes it, too"), "{error}");
        }
        assert_eq!((fs::read(&path).unwrap(), names()), (b"third".to_vec(), 1));
    }

    #[test]
    fn what_was_left_behind_does_not_stand_in_the_way() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(".out.mid.part"), b"of a job that was killed").unwrap();
        let path = place.path().join("out.mid");
        WholeFile::write(&path, b"events").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"events");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
