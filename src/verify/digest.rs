//! What a run has left behind, as digests: every file, and the report without its times.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pactolus_formats::Error as FormatError;
use serde_json::Value;

use crate::provenance::sha256_of;
use crate::{Error, Report};

/// A new directory, which goes when this goes.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    /// In `parent`, under a name that is free.
    pub(super) fn new(parent: &Path) -> Result<Scratch, Error> {
        let mut number = 0_u64;
        loop {
            let path = parent.join(format!("pactolus-verify-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Scratch(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => {
                    let parent = parent.display();
                    return Err(Error::Job(format!(
                        "cannot make a directory for outputs in {parent}: {error}"
                    )));
                }
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed does no harm but to the disk.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// SHA-256 of every file below `directory`, by its name there, in hexadecimal.
pub(super) fn files(directory: &Path) -> Result<BTreeMap<String, String>, Error> {
    let mut digests = BTreeMap::new();
    below(directory, "", &mut digests)?;
    Ok(digests)
}

fn below(directory: &Path, name: &str, digests: &mut BTreeMap<String, String>) -> Result<(), Error> {
    let entries = fs::read_dir(directory).map_err(FormatError::io("read", directory))?;
    for entry in entries {
        let entry = entry.map_err(FormatError::io("read", directory))?;
        let path = entry.path();
        let name = format!("{name}{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            below(&path, &format!("{name}/"), digests)?;
        } else {
            let digest = sha256_of(&path).map_err(FormatError::io("read", &path))?;
            digests.insert(name, digest);
        }
    }
    Ok(())
}

/// The report of a run: all that does not depend on the time, or on where its outputs are.
pub(super) fn ledger(report: &Report) -> Result<Value, Error> {
    let value = serde_json::to_value(report);
    let mut ledger = value.map_err(|e| Error::Internal(format!("cannot write its report: {e}")))?;
    // How far the reader was ahead of a stop is a matter of chance.
    remove(&mut ledger, &["seconds", "bytes"]);
    for run in list(&mut ledger, "runs") {
        list(run, "stages").iter_mut().for_each(|stage| remove(stage, &["seconds"]));
    }
    for output in list(&mut ledger, "outputs") {
        let name = output["path"].as_str().and_then(|path| Path::new(path).file_name());
        output["path"] = name.map(|name| name.to_string_lossy().into_owned()).into();
    }
    Ok(ledger)
}

fn remove(value: &mut Value, names: &[&str]) {
    if let Some(members) = value.as_object_mut() {
        names.iter().for_each(|name| drop(members.remove(*name)));
    }
}

fn list<'v>(value: &'v mut Value, name: &str) -> &'v mut [Value] {
    value.get_mut(name).and_then(Value::as_array_mut).map_or(&mut [], |list| list)
}

/// Where two ledgers first differ, with what stands there.
pub(super) fn difference(a: &Value, b: &Value) -> Option<String> {
    if a == b {
        return None;
    }
    let inner = match (a, b) {
        (Value::Object(x), Value::Object(y)) if x.len() == y.len() => {
            x.iter().find_map(|(name, value)| Some((name.clone(), difference(value, y.get(name)?)?)))
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            let places = x.iter().zip(y).enumerate();
            places.into_iter().find_map(|(i, (x, y))| Some((i.to_string(), difference(x, y)?)))
        }
        _ => None,
    };
    Some(match inner {
        Some((place, inner)) if inner.starts_with(": ") => format!("{place}{inner}"),
        Some((place, inner)) => format!("{place}/{inner}"),
        None => format!(": {}, {}", short(a), short(b)),
    })
}

/// The first letters of a value: it may be a whole list.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_of_two_ledgers_is_found() {
        let ledger =
            |kept| json!({ "runs": [{ "run": 7, "requests": [{ "kept": kept }] }], "stopped": false });
        assert_eq!(difference(&ledger(5), &ledger(5)), None);
        assert_eq!(difference(&ledger(5), &ledger(6)).as_deref(), Some("runs/0/requests/0/kept: 5, 6"));
        let (a, b) = (json!({ "errors": [] }), json!({ "errors": ["once"] }));
        assert_eq!(difference(&a, &b).as_deref(), Some("errors: [], [\"once\"]"));
    }
}
