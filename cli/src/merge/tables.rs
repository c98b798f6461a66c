//! Parts of tables, joined.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use pactolus::formats::tuple::{TableKind, TablePart, TableParts, TableSummary, table_metadata};
use pactolus::formats::{Error as FormatError, Pool};
use pactolus::{Error, Job, directory_of};
use serde_json::json;

use crate::{DAMAGED, OK, Outcome};

/// What stands in each table of events that the program has written.
const PROVENANCE: &str = "pactolus.provenance";
/// What stands in those of histograms.
const HISTOGRAMS: &str = "pactolus.histograms";

/// What is to be done.
pub(super) struct Tables<'a> {
    pub(super) files: &'a [PathBuf],
    pub(super) outputs: &'a [String],
    /// Parts that were joined are not kept.
    pub(super) remove: bool,
    pub(super) quiet: bool,
    pub(super) json: bool,
}

/// A table that was written.
struct Joined {
    summary: TableSummary,
    parts: usize,
    complete: bool,
    removed: bool,
}

/// Whether one of the files is a part of a table.
///
/// # Errors
/// If none is whole, and one is broken.
pub(super) fn any(files: &[PathBuf]) -> Result<bool, Error> {
    let mut broken = None;
    for path in files {
        match TablePart::open(path) {
            Ok(Some(_)) => return Ok(true),
            Err(error) if is_broken_part(path, &error) => broken = broken.or(Some(error)),
            // Whoever takes it for something else says what is wrong with it.
            Ok(None) | Err(_) => {}
        }
    }
    broken.map_or(Ok(false), |error| Err(Error::Format(error)))
}

/// Whether a table that cannot be opened is a part: what is left of it says so, or else its name.
fn is_broken_part(path: &Path, error: &FormatError) -> bool {
    let is_numbered = || {
        let number = path.file_stem().map(Path::new).and_then(Path::extension);
        let is_number = |number: &str| number.len() >= 4 && number.bytes().all(|c| c.is_ascii_digit());
        number.and_then(|number| number.to_str()).is_some_and(is_number)
    };
    matches!(error, FormatError::NoTable { .. }) && (table_metadata(path).is_ok() || is_numbered())
}

/// Joins the parts of each table.
pub(super) fn join(of: &Tables<'_>, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let (parts, others) = open(of.files)?;
    let tables = TableParts::sorted(parts).map_err(Error::Format)?;
    let targets = targets(&tables, of.outputs)?;
    let histograms = left_over(&others, &targets)?;
    let reads = Job { keep: of.files.to_vec(), ..Job::new() }.reads();
    for (table, target) in tables.iter().zip(&targets) {
        check(table, target, |path| match others.iter().any(|other| other == path) {
            // What was joined before, and is given besides.
            true => Ok(path.to_owned()),
            false => reads.check_output(path, 0),
        })?;
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let pool = Pool::new(threads).ok();
    let mut joined = Vec::new();
    for (table, target) in tables.iter().zip(&targets) {
        let settled = table.join(target, pool.clone()).map_err(failed)?;
        let summary = settled.finish().map_err(Error::Output)?;
        let complete = table.is_complete();
        // Of a table that goes on, all parts are wanted once more.
        let removed = of.remove && complete;
        if removed {
            remove(table, target)?;
        }
        joined.push(Joined { summary, parts: table.parts().len(), complete, removed });
    }
    say(of, &joined, &histograms, out)?;
    for Joined { summary, parts, .. } in joined.iter().filter(|table| !table.complete) {
        let stay = if of.remove { "; its parts stay" } else { "" };
        writeln!(
            err,
            "pactolus: {}: part {parts} is not the last: the run was not at its end, or later parts are missing{stay}",
            summary.path.display()
        )?;
    }
    Ok(if joined.iter().all(|table| table.complete) { OK } else { DAMAGED })
}

/// The parts, and the tables that are none.
fn open(files: &[PathBuf]) -> Result<(Vec<TablePart>, Vec<PathBuf>), Error> {
    let (mut parts, mut others) = (Vec::new(), Vec::new());
    for path in files {
        match TablePart::open(path).map_err(Error::Format)? {
            Some(part) => parts.push(part),
            None => others.push(path.clone()),
        }
    }
    Ok((parts, others))
}

/// Where each table goes.
fn targets(tables: &[TableParts], outputs: &[String]) -> Result<Vec<PathBuf>, String> {
    match (outputs, tables) {
        ([], tables) => Ok(tables.iter().map(TableParts::whole).collect()),
        ([output], [_]) => Ok(vec![PathBuf::from(output)]),
        ([output, ..], tables) => {
            let (count, names) =
                (tables.len(), tables.iter().map(|table| table.whole().display().to_string()));
            let names = names.collect::<Vec<_>>().join(", ");
            Err(format!(
                "output {output}: one output for the parts of one table wanted, {} and {count} ({names}) found: leave out -o",
                outputs.len()
            ))
        }
    }
}

/// Refuses what is no part, unless it was joined before or a pattern takes it in.
fn left_over(others: &[PathBuf], targets: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut histograms = Vec::new();
    for path in others {
        let metadata = table_metadata(path).map_err(Error::Format)?.unwrap_or_default();
        if metadata.iter().any(|(key, _)| key == HISTOGRAMS) {
            histograms.push(path.clone());
        } else if !targets.contains(path) {
            let found = if metadata.is_empty() { "another file" } else { "a whole table" };
            return Err(Error::Job(format!(
                "{}: a part of a table wanted, {found} found: leave it out",
                path.display()
            )));
        }
    }
    Ok(histograms)
}

/// Refuses an output of another format, and one that would replace what is not ours, or not made of these.
fn check(
    table: &TableParts,
    target: &Path,
    place: impl Fn(&Path) -> Result<PathBuf, Error>,
) -> Result<(), Error> {
    let shown = target.display();
    let kind = table.parts().first().map(TablePart::kind);
    if TableKind::of(target) != kind {
        let wanted = kind.map_or("", TableKind::extension);
        return Err(Error::Job(format!("output {shown}: its parts are .{wanted}: give it that extension")));
    }
    let place = place(target)?;
    if !place.exists() {
        return Ok(());
    }
    let Some(there) = provenance(&place) else {
        return Err(Error::Job(format!(
            "output {shown} exists and is no table of pactolus: give another name, or remove it"
        )));
    };
    // While the run went on, fewer parts may have been joined. The last is the likeliest.
    if !table.parts().iter().rev().any(|part| provenance(part.path()).as_ref() == Some(&there)) {
        return Err(Error::Job(format!(
            "{shown} is of another analysis than its parts: move it away, or name another output with -o"
        )));
    }
    Ok(())
}

/// What a table says of its analysis.
fn provenance(path: &Path) -> Option<String> {
    let metadata = table_metadata(path).ok().flatten()?;
    metadata.into_iter().find(|(key, _)| key == PROVENANCE).map(|(_, text)| text)
}

/// Reading has failed, or writing.
fn failed(error: FormatError) -> Error {
    match error {
        FormatError::NoTable { .. } => Error::Format(error),
        error => Error::Output(error),
    }
}

/// Removes parts when what was made of them is on the disk under its name.
fn remove(table: &TableParts, target: &Path) -> Result<(), Error> {
    // Some file systems cannot do that; the contents are there all the same.
    let _ = File::open(directory_of(target)).and_then(|directory| directory.sync_all());
    for part in table.parts() {
        let path = part.path();
        std::fs::remove_file(path).map_err(FormatError::io("remove", path)).map_err(Error::Output)?;
    }
    Ok(())
}

/// Says what was done.
fn say(
    of: &Tables<'_>,
    joined: &[Joined],
    histograms: &[PathBuf],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    if of.json {
        let tables = joined.iter().map(|Joined { summary, parts, complete, removed }| {
            json!({
                "path": summary.path.display().to_string(), "rows": summary.rows, "bytes": summary.bytes,
                "parts": parts, "complete": complete, "removed": removed,
            })
        });
        let report = json!({ "outputs": tables.collect::<Vec<_>>() });
        serde_json::to_writer_pretty(&mut *out, &report)?;
        return writeln!(out);
    }
    if of.quiet {
        return Ok(());
    }
    for Joined { summary: TableSummary { path, rows, bytes }, parts, .. } in joined {
        let s = if *parts == 1 { "" } else { "s" };
        writeln!(out, "wrote {}: {bytes} bytes, {rows} rows, from {parts} part{s}", path.display())?;
    }
    for path in histograms {
        writeln!(out, "left out {}: histograms, not a part of a table", path.display())?;
    }
    if joined.iter().any(|table| table.complete && !table.removed) {
        writeln!(out, "the parts may be removed")?;
    }
    Ok(())
}
