//! Files that appear whole, or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, IoSlice, Write};
use std::path::{Path, PathBuf};

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
    beside: Option<PathBuf>,
    inner: BufWriter<File>,
    bytes: u64,
}

impl WholeFile {
    /// Begins a file.
    ///
    /// # Errors
    /// If the file beside it cannot be created.
    pub fn create(path: impl AsRef<Path>) -> Result<WholeFile> {
        let path = path.as_ref();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.part"));
        let file = anew(&beside).map_err(Error::io("create", path))?;
        let inner = BufWriter::with_capacity(1 << 18, file);
        Ok(WholeFile { path: path.to_owned(), beside: Some(beside), inner, bytes: 0 })
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

    /// Gives the file its name; its size in bytes.
    ///
    /// # Errors
    /// Those of the operating system, or if another job has begun the same file since; what had that
    /// name before is still there then.
    pub fn finish(mut self) -> Result<u64> {
        self.settle()?;
        if let Some(beside) = &self.beside {
            if is_another(beside, self.inner.get_ref()) {
                let why = io::Error::new(io::ErrorKind::AlreadyExists, "another job writes it, too");
                return Err(Error::io("rename", &self.path)(why));
            }
            fs::rename(beside, &self.path).map_err(Error::io("rename", &self.path))?;
        }
        self.beside = None;
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

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(beside) = self.beside.take_if(|beside| !is_another(beside, self.inner.get_ref())) {
            // Nothing can be done about it here, and nothing is lost.
            let _ = fs::remove_file(beside);
        }
    }
}

/// Creates a file that is nobody else's. What is there was left behind, or another job still writes it:
/// in the same file both would be lost.
fn anew(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => fs::remove_file(path)?,
        // A link somewhere else, such as a device: that is for whoever made it.
        Ok(_) => return File::create(path),
        Err(_) => {}
    }
    File::options().write(true).create_new(true).open(path)
}

/// Whether another file than `own` has this name by now.
#[cfg(unix)]
fn is_another(path: &Path, own: &File) -> bool {
    use std::os::unix::fs::MetadataExt;

    match (fs::metadata(path), own.metadata()) {
        (Ok(there), Ok(own)) => (there.dev(), there.ino()) != (own.dev(), own.ino()),
        // What is gone cannot be renamed, which is an error of its own.
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_another(_: &Path, _: &File) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
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
        assert!(first.finish().is_err());
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
