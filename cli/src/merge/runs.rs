//! Histograms of several runs, added.

use std::io::Write;
use std::path::PathBuf;

use pactolus::histo::Histograms;

use crate::{DAMAGED, OK, Outcome};

/// Adds the histograms in `files` and writes the sums to `outputs`.
pub(super) fn runs(
    files: &[PathBuf],
    outputs: &[String],
    quiet: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    if outputs.is_empty() {
        return Err("no output: name one with -o, as -o all.json, all.parquet or all.arrow".into());
    }
    let outputs: Vec<PathBuf> = outputs.iter().map(PathBuf::from).collect();
    let added = Histograms::add_files(files)?;
    let written = added.write(&outputs, files)?;
    if !quiet {
        let (count, runs) = (added.histograms.list.len(), added.histograms.runs.len());
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        writeln!(out, "{count} histogram{} of {runs} run{}", plural(count), plural(runs))?;
        for file in written {
            writeln!(out, "  wrote {} ({} bytes)", file.path.display(), file.bytes)?;
        }
    }
    for (name, path) in &added.left_out {
        writeln!(
            err,
            "pactolus: {}: histogram \"{name}\" has other bins than in {}: left out",
            path.display(),
            files.first().unwrap_or(path).display()
        )?;
    }
    Ok(if added.left_out.is_empty() { OK } else { DAMAGED })
}
