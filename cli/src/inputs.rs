//! Which files the names on a command line stand for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, glob_with};
use pactolus::{directory_of, in_run_order, is_run_file};

/// The files that `names` stand for, in order. A file named twice is there twice.
pub(crate) fn find_all<'n>(names: impl Iterator<Item = &'n PathBuf>) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for name in names {
        files.extend(find(name)?);
    }
    only_one_stdin(files.iter().map(PathBuf::as_path))?;
    Ok(files)
}

/// Refuses `-` named twice.
pub(crate) fn only_one_stdin<'f>(files: impl Iterator<Item = &'f Path>) -> Result<(), String> {
    match files.filter(|file| file.as_os_str() == "-").count() {
        0 | 1 => Ok(()),
        _ => Err("standard input is named twice, and can be read once only".into()),
    }
}

/// The files that `name` stands for: a file, or `-`, itself; a directory, the run files in it; a
/// pattern, the files that it matches, if no file has that very name.
pub(crate) fn find(name: &Path) -> Result<Vec<PathBuf>, String> {
    if name.as_os_str() == "-" {
        return Ok(vec![name.to_owned()]);
    }
    match fs::metadata(name) {
        Ok(found) if found.is_dir() => run_files(name),
        Ok(_) => Ok(vec![name.to_owned()]),
        Err(error) => match name.to_str().filter(|name| name.contains(['*', '?', '['])) {
            Some(pattern) if error.kind() == io::ErrorKind::NotFound => matching(pattern),
            _ => Err(missing(name, &error)),
        },
    }
}

/// The run files in a directory, not in those below it: `.mid` and `.asc`, also compressed, by run
/// number and then by name.
fn run_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error| format!("cannot read the directory {}: {error}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        // A link that leads nowhere is kept: that it cannot be read must be said.
        if is_run_file(&path) && !path.is_dir() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(format!(
            "no run file in the directory {}: .mid or .asc wanted, perhaps with .gz .lz4 .bz2 .zst",
            directory.display()
        ));
    }
    files.sort_by(|a, b| in_run_order(a, b));
    Ok(files)
}

/// The files that match a pattern of the shell, which directories do not.
fn matching(pattern: &str) -> Result<Vec<PathBuf>, String> {
    // As in a shell, `*` leaves hidden files out: ours are unfinished outputs.
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    let paths = glob_with(pattern, options).map_err(|e| format!("pattern {pattern}: {}", e.msg))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|e| format!("pattern {pattern}: {e}"))?;
        if !path.is_dir() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(format!("no file matches {pattern}"));
    }
    files.sort_by(|a, b| in_run_order(a, b));
    Ok(files)
}

/// Says that a file is not there, and what is instead: the same name with another extension.
pub(crate) fn missing(path: &Path, error: &io::Error) -> String {
    let said = format!("cannot open {}: {error}", path.display());
    if error.kind() != io::ErrorKind::NotFound {
        return said;
    }
    match sibling(path) {
        Some(sibling) => format!("{said}; there is {}", sibling.display()),
        None => said,
    }
}

/// A run file beside `path` whose name differs from it by extensions only.
fn sibling(path: &Path) -> Option<PathBuf> {
    let stem = |path: &Path| Some(path.file_name()?.to_str()?.split('.').next()?.to_owned());
    let wanted = stem(path).filter(|stem| !stem.is_empty())?;
    let entries = fs::read_dir(directory_of(path)).ok()?;
    let names = entries.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())));
    let found = names.filter(|name| is_run_file(name) && stem(name).as_ref() == Some(&wanted)).min()?;
    Some(path.with_file_name(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `name` stands for in a directory with these files; `@` is the directory.
    fn check(files: &[&str], name: &str, wanted: Result<&[&str], &str>) {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let place = format!("{}/", directory.path().display());
        let found = find(Path::new(&name.replace('@', &place)));
        let short = |text: &str| text.replace(&place, "@").replace(place.trim_end_matches('/'), "@");
        let found = found.map(|files| files.iter().map(|f| short(&f.to_string_lossy())).collect::<Vec<_>>());
        let wanted = wanted.map(|files| files.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>());
        assert_eq!(found.map_err(|e| short(&e)), wanted.map_err(str::to_owned), "{name}");
    }

    #[test]
    fn a_directory_stands_for_its_run_files_in_order() {
        let files = [
            "run00100.mid.gz",
            "run00042sub0010.mid.lz4",
            "run00042sub0002.mid.lz4",
            "run99.mid",
            "notes.mid",
            "run00007.ASC",
            "run00042.mid.crc32c",
            "run00042.mid.provenance.json",
            "run00042.parquet",
            ".run00050.mid.part",
            ".run00050.mid",
            "below/run00001.mid",
        ];
        let wanted = [
            "@run00007.ASC",
            "@run00042sub0002.mid.lz4",
            "@run00042sub0010.mid.lz4",
            "@run99.mid",
            "@run00100.mid.gz",
            "@notes.mid",
        ];
        check(&files, "@", Ok(&wanted));
        check(&files, "@below", Ok(&["@below/run00001.mid"]));
        let none = "no run file in the directory @: .mid or .asc wanted, perhaps with .gz .lz4 .bz2 .zst";
        check(&["notes.txt"], "@", Err(none));
    }

    #[test]
    #[cfg(unix)]
    fn a_link_that_leads_nowhere_is_not_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("run00001.mid");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        fs::create_dir(directory.path().join("run00002.mid")).unwrap();
        assert_eq!(find(directory.path()).unwrap(), [link]);
    }

    #[test]
    fn a_pattern_stands_for_what_it_matches() {
        let files = ["run9.mid", "run10.mid", "run10.odb", ".run11.mid", "sub/run12.mid"];
        check(&files, "@*.mid", Ok(&["@run9.mid", "@run10.mid"]));
        check(&files, "@run1?.mid", Ok(&["@run10.mid"]));
        check(&files, "@run[0-8].mid", Err("no file matches @run[0-8].mid"));
        check(&files, "@*/*.mid", Ok(&["@sub/run12.mid"]));
        check(&files, "@s*", Err("no file matches @s*"));
        // What is there is no pattern.
        check(&["odd[1].mid", "odd1.mid"], "@odd[1].mid", Ok(&["@odd[1].mid"]));
        check(&[], "@[.mid", Err("pattern @[.mid: invalid range pattern"));
    }

    #[test]
    fn what_is_missing_is_said_with_what_is_there() {
        let none = "No such file or directory (os error 2)";
        check(
            &["run42.mid.gz"],
            "@run42.mid",
            Err(&format!("cannot open @run42.mid: {none}; there is @run42.mid.gz")),
        );
        check(&["run42.mid"], "@run43.mid", Err(&format!("cannot open @run43.mid: {none}")));
        check(&["run42.mid"], "@none/run42.mid", Err(&format!("cannot open @none/run42.mid: {none}")));
    }

    #[test]
    fn standard_input_can_be_read_once() {
        let names = [PathBuf::from("-"), PathBuf::from("-")];
        assert_eq!(find_all(names[..1].iter()).unwrap(), names[..1]);
        assert!(find_all(names.iter()).is_err());
    }
}
