//! Tables as Python reads them, against an independent reader of the `.mid` file; the page about
//! tables, whose examples are run; and the one table that goes to standard output.
//!
//! What needs Python needs one with the packages of `tests/python/requirements.txt`, named in
//! `PACTOLUS_PYTHON`; `tests/run.sh` installs one. Without it the comparison is left out, and says so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use common::{MidFile, catalogue, corpus, definition, root, run};
use pactolus::prelude::*;
use pactolus_cli::App;
use tempfile::TempDir;

/// The Python of the comparison, if there is one.
fn python() -> Option<String> {
    let python = std::env::var("PACTOLUS_PYTHON").ok();
    if python.is_none() {
        eprintln!("left out: PACTOLUS_PYTHON names no Python with the packages");
    }
    python
}

/// A comparison: a run, and how its tables are made and read.
struct Check<'a> {
    input: &'a str,
    /// Event id and name of its table.
    tables: &'a [(&'a str, &'a str)],
    /// With the definition of the corpus's "analyzer2", and all banks on.
    defined: bool,
    /// Another definition.
    definition: &'a str,
    /// Files loaded into the ODB before.
    preload: &'a [&'a str],
    /// Exit code of the analysis.
    code: u8,
    /// More for the comparison.
    arguments: &'a [&'a str],
}

impl Default for Check<'_> {
    fn default() -> Self {
        let (tables, preload, arguments) = (&[], &[], &[]);
        Check { input: "", tables, defined: true, definition: "", preload, code: 0, arguments }
    }
}

/// Makes tables of a run, in list form and flat, and has every value compared.
fn check(check: &Check<'_>) {
    let Some(python) = python() else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let input = corpus(&format!("mid/{}", check.input));
    for form in ["list", "flat"] {
        let (parquet, arrow) = (path(&format!("{form}.parquet")), path(&format!("{form}.arrow")));
        let mut args = vec!["analyze".to_owned(), text(&input), "-o".into(), parquet, arrow];
        if check.defined {
            args.extend(["-a".into(), text(&definition("analyzer2"))]);
            args.extend(["-c".into(), text(&corpus("config/banks_all.odb"))]);
        }
        if !check.definition.is_empty() {
            fs::write(path("a.toml"), check.definition).unwrap();
            args.extend(["-a".into(), path("a.toml")]);
        }
        for file in check.preload {
            args.extend(["--odb-load".into(), text(&corpus(&format!("config/{file}")))]);
        }
        if form == "flat" {
            args.push("--flat".into());
        }
        let ran = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ran.code, check.code, "{}", ran.err);

        let mut compare = Command::new(&python);
        compare.arg(root().join("tests/python/check_tables.py")).arg(&input).args(check.arguments);
        if form == "flat" {
            compare.arg("--flat");
        }
        for (id, name) in check.tables {
            compare.args(["--id", id]);
            compare.arg(path(&format!("{form}.{name}.parquet"))).arg(path(&format!("{form}.{name}.arrow")));
        }
        let output = compare.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{form}: {said}{}", String::from_utf8_lossy(&output.stderr));
        println!("{form}: {said}");
    }
}

#[test]
fn every_value_of_a_run_of_the_real_logger_is_in_its_tables() {
    let tables = &[("1", "Trigger"), ("2", "Scaler"), ("3", "Wave"), ("4", "Fixd")];
    check(&Check { input: "run00008.mid", tables, ..Check::default() });
}

#[test]
fn every_value_of_every_bank_type_is_in_its_table() {
    for input in ["run00100.mid", "run00101.mid"] {
        check(&Check { input, tables: &[("3", "Wave")], preload: &["bor8.xml"], ..Check::default() });
    }
}

#[test]
fn a_run_without_begin_has_the_number_of_its_file() {
    check(&Check {
        input: "run00107.mid",
        tables: &[("3", "Wave")],
        preload: &["bor8.xml"],
        arguments: &["--run", "107"],
        ..Check::default()
    });
}

#[test]
fn structs_that_nobody_defines_are_bytes() {
    check(&Check {
        input: "run00100.mid",
        tables: &[("3", "id3")],
        defined: false,
        arguments: &["--undefined"],
        ..Check::default()
    });
}

#[test]
fn banks_of_80_kilobytes_and_150_banks_are_in_their_tables() {
    // In a flat table as many columns, if they are declared.
    check(&Check {
        input: "run00102.mid",
        tables: &[("3", "Big")],
        defined: false,
        definition: "[[request]]\nname = \"Big\"\nid = 3\n[request.banks]\nBIG0 = \"WORD[40003]\"\n",
        ..Check::default()
    });
    check(&Check { input: "run00103.mid", tables: &[("3", "id3")], defined: false, ..Check::default() });
}

#[test]
fn a_flat_table_says_which_bank_is_too_long() {
    let dir = TempDir::new().unwrap();
    let table = dir.path().join("t.parquet").to_str().unwrap().to_owned();
    let input = corpus("mid/run00102.mid");
    let ran = run(&["analyze", input.to_str().unwrap(), "--flat", "-o", &table]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let why = "refused: bank BIG0: 40001 elements: a flat table has at most 1024 columns for a bank unless its size is declared, event 1 of run 102";
    assert!(ran.out.contains(why), "{}", ran.out);
}

#[test]
fn parameters_of_every_kind_of_dump_show_in_computed_columns() {
    for input in ["run00104.mid", "run00105.mid", "run00106.mid"] {
        let tables = &[("1", "Trigger"), ("2", "Scaler")];
        check(&Check { input, tables, arguments: &["--pedestal", "100"], ..Check::default() });
    }
}

#[test]
fn integers_of_64_bits_and_big_endian_events_are_in_their_tables() {
    for input in ["run00108.mid", "run00109.mid"] {
        check(&Check { input, tables: &[("3", "id3")], defined: false, ..Check::default() });
    }
}

#[test]
fn odd_events_are_in_their_tables_as_far_as_they_go() {
    check(&Check {
        input: "run00110.mid",
        tables: &[("1", "id1"), ("77", "id77")],
        defined: false,
        code: 1,
        ..Check::default()
    });
}

/// Runs a command line in this process: its exit code, and what it wrote.
fn run_bytes(args: &[&str]) -> (u8, Vec<u8>, String) {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = pactolus_cli::run(&App::new(catalogue()), &args, &mut out, &mut err);
    (code, out, String::from_utf8_lossy(&err).into_owned())
}

/// The words of a command in a page.
fn words(command: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (i, part) in command.split('"').enumerate() {
        match i % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// A pattern as a shell has it: the files that it stands for.
fn expanded(word: String, dir: &Path) -> Vec<String> {
    let Some((front, back)) = word.split_once('*') else { return vec![word] };
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(front) && name.ends_with(back)).collect()
}

/// Runs a command of a page: `pactolus ...`, perhaps into `| python3 ...`.
fn command(line: &str, dir: &Path, python: &str) {
    let (ours, theirs) = line.split_once(" | ").map_or((line, None), |(a, b)| (a, Some(b)));
    // Our part runs in this process, whose working directory is another.
    let file = |word: &str| !word.starts_with('-') && word.contains('.');
    let place = |word: String| if file(&word) { dir.join(word).to_str().unwrap().to_owned() } else { word };
    let ours: Vec<String> = words(ours).into_iter().flat_map(|word| expanded(word, dir)).map(place).collect();
    assert_eq!(ours[0], "pactolus", "{line}");
    let (code, out, err) = run_bytes(&ours[1..].iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(code, 0, "{line}: {err}");
    let Some(theirs) = theirs else { return };
    let theirs = words(theirs);
    assert_eq!(theirs[0], "python3", "{line}");
    let mut child = Command::new(python)
        .args(&theirs[1..])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&out).unwrap();
    assert!(child.wait().unwrap().success(), "{line}");
}

#[test]
fn the_examples_in_the_page_about_tables_work() {
    examples_work("docs/tables.md", 8);
}

#[test]
fn the_examples_in_the_page_about_histograms_work() {
    examples_work("docs/histograms.md", 7);
}

/// Runs the examples of a page, of which there are so many at the least.
fn examples_work(page: &str, least: usize) {
    let Some(python) = python() else { return };
    let dir = TempDir::new().unwrap();
    for number in ["42", "43"] {
        let made = dir.path().join(format!("run000{number}.mid")).to_str().unwrap().to_owned();
        assert_eq!(run(&["simulate", "--run", number, "--events", "500", "-o", &made]).code, 0);
    }
    fs::copy(definition("analyzer"), dir.path().join("analyzer.toml")).unwrap();
    let page = fs::read_to_string(root().join(page)).unwrap();
    let blocks: Vec<(&str, &str)> =
        page.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap()).collect();
    // A script that a command line names is saved under its name.
    let script = |text: &str| {
        text.lines().next()?.strip_prefix("# ").filter(|n| n.ends_with(".py")).map(str::to_owned)
    };
    for (_, text) in &blocks {
        if let Some(name) = script(text) {
            fs::write(dir.path().join(name), text).unwrap();
        }
    }
    let mut ran = 0;
    for (language, text) in blocks.into_iter().filter(|(_, text)| script(text).is_none()) {
        match language {
            "sh" => {
                let lines = text.lines().map(|line| line.split("  #").next().unwrap().trim());
                lines.for_each(|line| command(line, dir.path(), &python));
            }
            "python" => {
                let output =
                    Command::new(&python).args(["-c", text]).current_dir(dir.path()).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{text}\n{said}");
            }
            _ => continue,
        }
        ran += 1;
    }
    assert!(ran >= least, "{ran} examples found");
}

/// A run of two kinds of events.
fn two_kinds(dir: &TempDir) -> String {
    let mut file = MidFile::new().bor(42);
    for serial in 0..20 {
        file = file.words(1 + (serial % 2) as u16, serial, "ADC0", &[serial as u16, 2]);
    }
    let path = dir.path().join("run00042.mid");
    file.eor(42).save(&path).to_str().unwrap().to_owned()
}

#[test]
fn standard_output_takes_one_table() {
    let dir = TempDir::new().unwrap();
    let input = two_kinds(&dir);
    let analyzer2 = definition("analyzer2");
    let refused = |output: &str, defined: bool| {
        let mut args = vec!["analyze", &input, "-q", "-o", output];
        if defined {
            args.extend(["-a", analyzer2.to_str().unwrap()]);
        }
        let (code, _, err) = run_bytes(&args);
        assert_eq!(code, 2, "{output}: {err}");
        err.lines().last().unwrap().to_owned()
    };
    assert_eq!(
        refused("-.arrow", true),
        "pactolus: -.arrow: standard output takes one table, and there are Trigger, Scaler, Wave, Fixd: name one, as in -o -.Trigger.arrow"
    );
    assert_eq!(
        refused("-.Triger.arrow", true),
        "pactolus: -.Triger.arrow: no request has the name Triger; there are Trigger, Scaler, Wave, Fixd (and id1, id2, ... for events that no request names)"
    );
    assert_eq!(
        refused("-.arrow", false),
        "pactolus: -.arrow: standard output takes one table, and behind id1 comes id2: name one, as in -o -.id1.arrow"
    );
    assert_eq!(
        refused("-.parquet", false),
        "pactolus: output -.parquet: Parquet cannot go to a pipe, its directory is at its end: use -.arrow, or name a file"
    );
    for output in ["-.Trigger.arrow", "-.id7.arrow"] {
        let (code, out, err) =
            run_bytes(&["analyze", &input, "-q", "-o", output, "-a", analyzer2.to_str().unwrap()]);
        assert_eq!((code, out.len() > 100), (0, true), "{output}: {err}");
    }
    let (code, out, err) = run_bytes(&["analyze", &input, "-q", "-o", "-.id2.arrow"]);
    assert_eq!((code, out.len() > 100), (0, true), "{err}");
}

#[test]
fn fixed_events_that_nobody_describes_are_payloads() {
    let Some(python) = python() else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("a.toml"), "[[request]]\nname = \"Slow\"\nid = 4\nfixed = {}\n").unwrap();
    let file = MidFile::new().bor(42).raw(4, 1, 0, b"anything").raw(4, 1, 1, b"").eor(42);
    file.save(path("run00042.mid"));
    for form in [&[][..], &["--flat"]] {
        let (input, definition, table) = (path("run00042.mid"), path("a.toml"), path("t.parquet"));
        let mut args = vec!["analyze", &input, "-a", &definition, "-o", &table];
        args.extend(form);
        assert_eq!(run(&args).code, 0);
        let look = "import sys, polars; print(polars.read_parquet(sys.argv[1])['payload'].to_list())";
        let output = Command::new(&python).args(["-c", look, &path("t.Slow.parquet")]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "[b'anything', b'']\n");
    }
}

#[test]
fn several_runs_are_one_table_with_room_for_all() {
    let Some(python) = python() else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    MidFile::new().bor(1).words(1, 0, "ADC0", &[1]).eor(1).save(path("run1.mid"));
    let late = MidFile::new().bor(2).words(1, 0, "ADC0", &[2, 3]).words(1, 1, "LATE", &[4]);
    late.words(1, 2, "ADC0", &[]).eor(2).save(path("run2.mid"));
    let (one, two, list, flat) = (path("run1.mid"), path("run2.mid"), path("l.parquet"), path("f.parquet"));
    assert_eq!(run(&["analyze", &one, &two, "-o", &list]).code, 0);
    assert_eq!(run(&["analyze", &one, &two, "-o", &flat, "--flat"]).code, 0);
    let look = "import sys, polars
for path in sys.argv[1:]: print(polars.read_parquet(path).drop('timestamp', 'trigger_mask', 'epoch').rows())";
    let output = Command::new(&python)
        .args(["-c", look, &path("l.id1.parquet"), &path("f.id1.parquet")])
        .output()
        .unwrap();
    let wanted = "[(1, 0, [1], None), (2, 0, [2, 3], None), (2, 1, None, [4]), (2, 2, [], None)]
[(1, 0, 1, None, None), (2, 0, 2, 3, None), (2, 1, None, None, 4), (2, 2, None, None, None)]\n";
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        wanted,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_bank_that_changes_its_type_costs_its_value_and_is_reported() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let file = MidFile::new().bor(42).words(1, 0, "ADC0", &[1]).event(1, 1, &[("ADC0", Tid::Float, &[0; 4])]);
    file.eor(42).save(path("run00042.mid"));
    for form in [&[][..], &["--flat"]] {
        let (input, table) = (path("run00042.mid"), path("t.parquet"));
        let mut args = vec!["analyze", &input, "-o", &table];
        args.extend(form);
        let ran = run(&args);
        let why = "refused: bank ADC0: type WORD (0x4) wanted, FLOAT (0x9) found, event 1 of run 42";
        assert!(ran.code == 1 && ran.out.contains(why), "{}", ran.out);
    }
}

#[test]
fn flat_is_about_tables() {
    let dir = TempDir::new().unwrap();
    let ran = run(&["analyze", &two_kinds(&dir), "--flat"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.err, "pactolus: --flat is about tables: name an output .parquet or .arrow\n");
}

/// A pipe that several may look into.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes that go to standard output, and how many of them were there after each block.
fn stream(input: &Path, block: usize, threads: usize, flat: bool) -> (Vec<u8>, Vec<usize>) {
    let mut job = Job::new().input(input).output("-.arrow").unwrap().threads(threads);
    job.block = block;
    job.flat = flat;
    let mut shared = Shared::default();
    let seen = shared.clone();
    let mut sizes = Vec::new();
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1));
    let mut look = |_: &pactolus::Progress| sizes.push(seen.0.lock().unwrap().len());
    let report = analyzer.run_to(&job, &mut look, &mut shared).unwrap();
    assert!(report.outputs.is_empty());
    let bytes = shared.0.lock().unwrap().clone();
    (bytes, sizes)
}

#[test]
fn a_stream_is_the_same_in_every_way_and_comes_while_the_run_goes_on() {
    let mut file = MidFile::new().bor(42);
    for serial in 0..10_000u32 {
        let late = if serial < 9000 { "ADC0" } else { "LATE" };
        file =
            file.words(1, serial, late, &vec![serial as u16; serial as usize % 3 + serial as usize / 5000]);
    }
    let dir = TempDir::new().unwrap();
    let input = file.eor(42).save(dir.path().join("run00042.mid"));
    for flat in [false, true] {
        let (first, sizes) = stream(&input, 4096, 1, flat);
        assert!(sizes[sizes.len() / 2] > 0 && sizes[sizes.len() / 2] < first.len());
        for (block, threads) in [(1, 2), (4096, 4), (1 << 20, 1), (1 << 20, 2)] {
            let (bytes, _) = stream(&input, block, threads, flat);
            assert!(bytes == first, "blocks of {block} bytes, {threads} threads, flat {flat}");
        }
    }
    let mut args = vec!["analyze", input.to_str().unwrap(), "-o", "-.id1.arrow"];
    let (code, _, err) = run_bytes(&args);
    assert_eq!(code, 1, "{err}");
    let late = "refused: bank LATE: no such column among those of the stream, which its first rows have settled: declare the bank, or write a file, event 9000 of run 42";
    assert!(err.contains(late), "{err}");
    assert!(err.contains("1000 events have a value that their table does not take"), "{err}");
    // A file has room for what comes late.
    let table = dir.path().join("t.parquet").to_str().unwrap().to_owned();
    args[3] = &table;
    assert_eq!(run_bytes(&args).0, 0);
}
