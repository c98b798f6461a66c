//! Histograms of several runs, added.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pactolus_formats::Error as FormatError;
use serde_json::{Value, json};

use super::files::is_ours;
use super::{FileKind, Histograms};
use crate::Error;
use crate::job::Job;
use crate::report::Written;

/// Histograms of several files, added.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Added {
    /// The sums, in the order of the first file.
    pub histograms: Histograms,
    /// What went into them: the provenance of each file.
    pub provenance: Value,
    /// Histograms with other bins than the first file has, and where: those were not added.
    pub left_out: Vec<(String, PathBuf)>,
}

impl Histograms {
    /// Adds the histograms of files with different runs. The sums are to the last bit what one job
    /// over all these runs gives.
    ///
    /// # Errors
    /// If a file cannot be read, or if two hold the same run, which would count twice.
    pub fn add_files(files: &[PathBuf]) -> Result<Added, Error> {
        let mut sum = Added::default();
        let mut parts = Vec::new();
        let mut seen: BTreeMap<u32, &Path> = BTreeMap::new();
        for path in files {
            let (histograms, provenance) = Histograms::read_with_provenance(path)?;
            for run in &histograms.runs {
                if let Some(before) = seen.insert(*run, path) {
                    return Err(Error::Job(format!(
                        "run {run} is in {} and in {}: it would count twice; leave one of them out",
                        before.display(),
                        path.display()
                    )));
                }
            }
            let left_out = sum.histograms.join(&histograms).into_iter();
            sum.left_out.extend(left_out.map(|name| (name, path.clone())));
            parts.push(provenance);
        }
        sum.provenance =
            json!({ "program": "pactolus", "version": env!("CARGO_PKG_VERSION"), "added": parts });
        Ok(sum)
    }
}

impl Added {
    /// Writes files, `.json`, `.parquet` or `.arrow`, which appear together when all are complete.
    /// `files` are those that were added: none of them is replaced.
    ///
    /// # Errors
    /// If a name has another extension, stands for a file that must not be replaced, or cannot be
    /// written.
    pub fn write(&self, outputs: &[PathBuf], files: &[PathBuf]) -> Result<Vec<Written>, Error> {
        let reads = Job { keep: files.to_vec(), ..Job::new() }.reads();
        let mut places = Vec::new();
        let mut kinds = Vec::new();
        for path in outputs {
            let shown = path.display();
            let kind = FileKind::of(path).ok_or_else(|| {
                Error::Job(format!("output {shown}: histograms are written as .json, .parquet or .arrow"))
            })?;
            let place = reads.check_output(path, 0)?;
            check_ours(&place)?;
            if places.contains(&place) {
                return Err(Error::Job(format!("output {shown} is named twice")));
            }
            places.push(place);
            kinds.push((path, kind));
        }
        let provenance = self.provenance.to_string();
        let settled: Result<Vec<_>, FormatError> =
            kinds.into_iter().map(|(path, kind)| self.histograms.settle(path, kind, &provenance)).collect();
        let written = settled.and_then(|all| all.into_iter().map(|file| file.finish()).collect());
        written.map_err(Error::Output)
    }
}

/// Refuses to replace a file that holds something else: an ODB, a page's settings, a table of events.
pub(crate) fn check_ours(place: &Path) -> Result<(), Error> {
    if place.exists() && !is_ours(place) {
        return Err(Error::Job(format!(
            "output {} exists and holds no histograms of pactolus: give another name, or remove it",
            place.display()
        )));
    }
    Ok(())
}
