//! Files that a table is written to before it is whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A file that is removed when this goes out of scope, unless it was renamed.
pub(super) struct TempFile {
    path: PathBuf,
    kept: bool,
}

impl TempFile {
    /// Creates the hidden file `.name.SUFFIX` beside `path`.
    pub(super) fn beside(path: &Path, suffix: &str) -> std::io::Result<(TempFile, File)> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(suffix);
        let path = path.with_file_name(name);
        let file = File::create(&path)?;
        Ok((TempFile { path, kept: false }, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its final name.
    pub(super) fn rename(mut self, to: &Path) -> std::io::Result<()> {
        fs::rename(&self.path, to)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody is left to tell if this fails, and what remains is marked as a part.
            let _ = fs::remove_file(&self.path);
        }
    }
}
