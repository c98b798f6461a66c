//! The guide: all that its chapters tell a reader to run, write and change is done, and what they
//! show is what comes out. `docs/guide/README.md` says how a chapter is written.
//!
//! One chapter, wherever it is, with the time of each step:
//!
//! ```sh
//! PACTOLUS_GUIDE=docs/guide/events.md cargo test -p pactolus-cli --test guide by_path -- --nocapture
//! ```

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod chapter;
mod patch;
mod said;
mod walk;

use chapter::Chapter;

/// The checkout.
fn source() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// Does what a chapter says.
fn check(path: &Path) {
    if let Err(fault) = Chapter::read(path).and_then(|chapter| walk::walk(&chapter)) {
        panic!("{fault}");
    }
}

/// A test for each chapter, and the list of them.
macro_rules! chapters {
    ($($name:ident $file:literal;)*) => {
        const CHAPTERS: &[&str] = &[$($file),*];

        $(
            #[test]
            fn $name() {
                check(&source().join("docs/guide").join($file));
            }
        )*
    };
}

chapters! {
    first_module "first-module.md";
    events "events.md";
    parameters "parameters.md";
    histograms "histograms.md";
    tables "tables.md";
    from_mana "from-mana.md";
    from_manalyzer "from-manalyzer.md";
}

#[test]
fn by_path() {
    let Some(path) = std::env::var_os("PACTOLUS_GUIDE") else { return };
    let path = PathBuf::from(path);
    check(&if path.exists() { path } else { source().join(path) });
}

#[test]
fn every_chapter_is_run() {
    let guide = fs::read_dir(source().join("docs/guide")).unwrap();
    let there: BTreeSet<String> = guide
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md") && name != "README.md")
        .collect();
    let run: BTreeSet<String> = CHAPTERS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(there, run);
}

/// Walks through a page.
fn walk_page(page: &str) -> Result<(), String> {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("page.md");
    fs::write(&path, page).unwrap();
    Chapter::read(&path).and_then(|chapter| walk::walk(&chapter)).map_err(|fault| {
        fault.strip_prefix(path.to_str().unwrap()).unwrap_or_else(|| panic!("{fault}")).to_owned()
    })
}

#[test]
fn a_reader_keeps_his_place_and_his_variables() {
    let page = "\
<!-- run: mkdir a -->
```sh
cd a
export SIZE=7
```
```text file=b/c.txt
one
two
```
```diff file=b/c.txt
 one
-two
+three
```
```console
$ cat b/c.txt && echo $SIZE
one
three
7
$ (cd b; cat d.txt) || exit 3
cat: d.txt: …
[exit 3]
$ pactolus --version
pactolus …
$ test -e $PACTOLUS_SOURCE/cli/Cargo.toml
```
";
    walk_page(page).unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn a_fault_has_its_line_what_was_wanted_and_what_was_found() {
    let check = |page: &str, wanted: &str| assert_eq!(walk_page(page).unwrap_err(), wanted);
    check(
        "\n```console\n$ true\n$ echo a; echo b\na\nc\n```",
        ":4: it says something else\nwanted: c\nfound instead: b\nin\n$ echo a; echo b\na\nb",
    );
    check(
        "```sh\necho a\nfalse | cat\necho b\n```",
        ":1: exit code 0 wanted, 1 found\n$ echo a\nfalse | cat\necho b\na",
    );
    check("```console\n$ true\n[exit 2]\n```", ":2: exit code 2 wanted, 0 found\n$ true\n");
    check("```diff file=a\n-b\n```", ":1: a cannot be read: No such file or directory (os error 2)");
    let fault = walk_page("```toml\na = \n```").unwrap_err();
    assert!(fault.starts_with(":1: no TOML: "), "{fault}");
}
