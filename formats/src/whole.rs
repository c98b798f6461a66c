//! Files that appear whole, or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, IoSlice, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A file written beside its final name, hidden in the same directory, and renamed when complete.
///
/// What had that name before stays until then; a file that is dropped unfinished leaves nothing.
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
        let file = File::create(&beside).map_err(Error::io("create", path))?;
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
    /// Those of the operating system; what had that name before is still there then.
    pub fn finish(mut self) -> Result<u64> {
        self.settle()?;
        if let Some(beside) = &self.beside {
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
        if let Some(beside) = self.beside.take() {
            // Nothing can be done about it here, and nothing is lost.
            let _ = fs::remove_file(beside);
        }
    }
}
