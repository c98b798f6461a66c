//! The hidden file beside a final name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::same_file;

/// A file that is removed when this goes out of scope, unless it was renamed. It is never one that
/// another job writes, too: whoever creates it later has the name, and this one is lost.
pub(crate) struct Hidden {
    path: PathBuf,
    /// Held open: else another file could get its number, by which it is known.
    file: Arc<File>,
    kept: bool,
}

impl Hidden {
    /// Creates `.name.SUFFIX` beside `path`.
    pub(crate) fn beside(path: &Path, suffix: &str) -> io::Result<Hidden> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(suffix);
        let path = path.with_file_name(name);
        let file = Arc::new(anew(&path)?);
        Ok(Hidden { path, file, kept: false })
    }

    /// To write to.
    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Opens it once more, to be read.
    #[cfg(feature = "tuple")]
    pub(crate) fn open(&self) -> io::Result<File> {
        let file = File::open(&self.path).map_err(|error| self.missing(error))?;
        if same_file(&file.metadata()?, &self.file.metadata()?) { Ok(file) } else { Err(lost()) }
    }

    /// An error if another job has taken the hidden name since, or has ended and left none.
    pub(crate) fn check_own(&self) -> io::Result<()> {
        let there = fs::metadata(&self.path).map_err(|error| self.missing(error))?;
        if same_file(&there, &self.file.metadata()?) { Ok(()) } else { Err(lost()) }
    }

    /// Gives the file its final name.
    pub(crate) fn rename(mut self, to: &Path) -> io::Result<()> {
        self.check_own()?;
        fs::rename(&self.path, to).map_err(|error| self.missing(error))?;
        self.kept = true;
        Ok(())
    }

    /// A name that is gone was another's by then, unless all of the directory is gone.
    fn missing(&self, error: io::Error) -> io::Error {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let only = error.kind() == io::ErrorKind::NotFound && directory.is_none_or(Path::exists);
        if only { lost() } else { error }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if !self.kept && self.check_own().is_ok() {
            // Nobody is left to tell if this fails, and what remains is marked as a part.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Creates a file that is nobody else's. What is there was left behind, or another job still writes it:
/// in the same file both would be lost.
fn anew(path: &Path) -> io::Result<File> {
    loop {
        match File::options().write(true).create_new(true).open(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened,
        }
        match fs::symlink_metadata(path) {
            // A link somewhere else, such as a device: that is for whoever made it.
            Ok(there) if !there.is_file() => return File::create(path),
            Ok(_) => match fs::remove_file(path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                // Removed, here or by another that begins at the same time.
                _ => {}
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "another job writes it, too")
}
