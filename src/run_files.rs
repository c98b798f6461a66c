//! Which files of a directory are run files, and in which order they come.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pactolus_formats::Compression;

use crate::job::InputFile;

/// What some writers put behind the name of a file that they have not completed.
const UNFINISHED: &str = "inprogress";

/// The directory in which a file is; `.` for a bare name.
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a name is that of a run file: `.mid` or `.asc`, also compressed. Hidden ones are not, they are
/// unfinished outputs.
pub fn is_run_file(path: &Path) -> bool {
    let is_packed = extension(path).is_some_and(|e| Compression::from_extension(&e).is_some());
    let inner = if is_packed { path.with_extension("") } else { path.to_owned() };
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && matches!(extension(&inner).as_deref(), Some("mid" | "asc"))
}

/// Orders run files: by run number, files without one last; then by name, numbers in it as numbers: subrun 2
/// comes before subrun 10.
pub fn in_run_order(a: &Path, b: &Path) -> Ordering {
    let run = |path: &Path| InputFile::new(path).run.map_or(u64::MAX, u64::from);
    let (names_a, names_b) = (a.to_string_lossy(), b.to_string_lossy());
    run(a).cmp(&run(b)).then_with(|| natural(&names_a, &names_b)).then_with(|| a.cmp(b))
}

/// The name that a file gets when its writer has completed it: without `.inprogress`.
pub(crate) fn final_name(path: &Path) -> PathBuf {
    match extension(path).as_deref() == Some(UNFINISHED) {
        true => path.with_extension(""),
        false => path.to_owned(),
    }
}

/// The name that a file may have until then.
pub(crate) fn unfinished_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    PathBuf::from(name)
}

fn extension(path: &Path) -> Option<String> {
    path.extension().and_then(OsStr::to_str).map(str::to_lowercase)
}

/// Compares texts; digits in the same place are compared as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (x, y) = match (a.chars().next(), b.chars().next()) {
            (Some(x), Some(y)) => (x, y),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (digits_a, digits_b) = (leading_digits(a), leading_digits(b));
            let (number_a, number_b) = (digits_a.trim_start_matches('0'), digits_b.trim_start_matches('0'));
            let order = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[digits_a.len()..], &b[digits_b.len()..]);
        } else if x == y {
            (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
        } else {
            return x.cmp(&y);
        }
    }
}

fn leading_digits(text: &str) -> &str {
    &text[..text.bytes().take_while(u8::is_ascii_digit).count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_that_are_written() {
        let name = |path: &str| final_name(Path::new(path)).display().to_string();
        assert_eq!(name("d.x/run00042.mid.lz4.inprogress"), "d.x/run00042.mid.lz4");
        assert_eq!(name("run00042.mid"), "run00042.mid");
        let path = Path::new("d/run00042sub0001.mid");
        assert_eq!(final_name(&unfinished_name(path)), path);
        assert!(is_run_file(path) && !is_run_file(&unfinished_name(path)));
    }
}
