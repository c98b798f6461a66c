//! A small run on disk, for checks that pass a whole job.

use std::path::{Path, PathBuf};

/// The begin of run, a bank event and the end of run; made by the corpus's independent writer.
pub fn small() -> PathBuf {
    // This file is compiled in two packages: the root's and the one below `fuzz/`.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = if here.join("tests/corpus").is_dir() { here } else { here.parent().unwrap_or(here) };
    root.join("tests/corpus/mid/run00110.mid")
}
