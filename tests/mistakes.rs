//! Deliberate mistakes: each is met with a sentence that says what to do next.
//!
//! Those that compile are run here, and what is said is asserted whole. Those that do not are the files of
//! `tests/mistakes`: each lists sentences of the compiler's answer (`// says: ...`). They are given to the
//! compiler one by one with the library that this test is linked with, which takes less than half a second each.
//! The road not taken: trybuild, which compares the whole answer, so that each new compiler breaks the
//! tests, and builds the library with all it needs a second time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use common::MidFile;
use common::bench::{Bench, plain_run};
use common::modules::{ADC0, Adds, Counter, SEEN, does};
use pactolus::prelude::*;
use pactolus::{Definition, Report};

/// The library that this test is linked with, and where its own are.
fn library() -> (PathBuf, PathBuf) {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let is_ours = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libpactolus-") && name.ends_with(".rlib")
    };
    let built = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
    let files = fs::read_dir(&deps).unwrap().map(|file| file.unwrap().path());
    // Others may have been left by builds with other features: the newest is ours.
    let newest = files.filter(|path| is_ours(path)).max_by_key(built);
    (newest.expect("Cargo has put the library beside its tests"), deps)
}

/// Whether a file compiles, and what the compiler says.
fn compile(file: &Path, library: &(PathBuf, PathBuf), out: &Path) -> (bool, String) {
    let (pactolus, deps) = library;
    let answer = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--cap-lints=allow", "--color=never"])
        .arg(format!("--extern=pactolus={}", pactolus.display()))
        .arg(format!("-Ldependency={}", deps.display()))
        .arg("--out-dir")
        .arg(out)
        .arg(file)
        // Macros look there for the name of the library.
        .env("CARGO_MANIFEST_DIR", common::root().join("examples/my-analyzer"))
        .output()
        .unwrap();
    (answer.status.success(), String::from_utf8_lossy(&answer.stderr).into_owned())
}

/// Text without line ends and indents.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is wrong with the compiler's answer to a file.
fn judge(file: &Path, library: &(PathBuf, PathBuf), out: &Path) -> Option<String> {
    let name = file.file_stem().unwrap().to_string_lossy();
    let text = fs::read_to_string(file).unwrap();
    let wanted: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("// says: ")).collect();
    let (compiles, said) = compile(file, library, out);
    let missing: Vec<_> = wanted.iter().filter(|text| !flowing(&said).contains(&flowing(text))).collect();
    let ok = missing.is_empty() && compiles == (name == "none") && compiles == wanted.is_empty();
    (!ok).then(|| format!("{name}: not said: {missing:#?}\n{said}"))
}

#[test]
fn what_cannot_work_does_not_compile_and_the_compiler_says_what_to_write() {
    let mut files: Vec<PathBuf> = fs::read_dir(common::root().join("tests/mistakes"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 20, "{files:?}");
    let (library, out) = (library(), tempfile::tempdir().unwrap());
    let wrong: Vec<String> = thread::scope(|scope| {
        let judge = |half: usize| {
            let (files, library, out) = (&files, &library, out.path());
            move || {
                files.iter().skip(half).step_by(2).filter_map(|f| judge(f, library, out)).collect::<Vec<_>>()
            }
        };
        let halves = [0, 1].map(|half| scope.spawn(judge(half)));
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What the first failure of a run of three events with ADC0 says.
fn lost(analyzer: Analyzer) -> String {
    let report = analyzer.run(&Bench::new(&plain_run(3)).job()).unwrap();
    first_loss(&report)
}

fn first_loss(report: &Report) -> String {
    let failure = &report.runs[0].failures[0];
    format!("event {} in \"{}\": {}", failure.event, failure.stage, failure.reason)
}

/// One stage "Mine" on the sample's trigger that does this.
fn doing(act: fn(&Event, &Context) -> Result<Verdict>) -> Analyzer {
    Analyzer::new("Analyzer").on(Request::new("Trigger", 1).bank(ADC0)).module("Mine", does(act))
}

/// Why an analyzer is refused.
fn refused(analyzer: &Analyzer) -> String {
    analyzer.rehearse().unwrap_err().to_string()
}

/// A line of this file, to which a panic points.
fn line_of(text: &str) -> usize {
    let quoted = format!("{text}\")");
    include_str!("mistakes.rs").lines().position(|l| l.contains(text) && !l.contains(&quoted)).unwrap() + 1
}

#[test]
fn a_bank_that_is_not_there_is_no_reason_to_unwrap() {
    const NONE: BankDef<u32> = BankDef::new(b"NONE");
    let said = lost(doing(|event, _| {
        let none = event.get(NONE)?.unwrap();
        Ok(if none.is_empty() { Skip } else { Keep })
    }));
    let wanted = format!(
        "event 2 in \"Mine\": panicked at tests/mistakes.rs:{}: called `Option::unwrap()` on a `None` value; where the event has no such bank, go on without: let Some(bank) = event.get(...)? else {{ return Ok(Keep) }}",
        line_of("event.get(NONE)?.unwrap();")
    );
    assert_eq!(said, wanted);
}

#[test]
fn an_element_beyond_the_end_names_both_numbers() {
    let said = lost(doing(|event, _| {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        Ok(if adc.at(9) > 0 { Keep } else { Skip })
    }));
    let wanted = format!(
        "event 2 in \"Mine\": panicked at tests/mistakes.rs:{}: element 9 of a bank of 4 elements: stay below its len(), or ask with get(9)",
        line_of("adc.at(9) > 0 ")
    );
    assert_eq!(said, wanted);
}

#[test]
fn a_panic_names_stage_event_and_place() {
    let said = lost(doing(|_, _| {
        let zero = std::hint::black_box(0);
        Ok(if 1 / zero == 1 { Keep } else { Skip })
    }));
    let line = line_of("Ok(if 1 / zero == 1 ");
    let wanted =
        format!("event 2 in \"Mine\": panicked at tests/mistakes.rs:{line}: attempt to divide by zero");
    assert_eq!(said, wanted);
}

#[test]
fn a_bank_of_another_type_says_how_to_declare_it() {
    let file = MidFile::new().bor(42).event(1, 0, &[("ADC0", Tid::Dword, &[1, 0, 0, 0])]);
    let analyzer = doing(|event, _| Ok(event.get(ADC0)?.map_or(Skip, |_| Keep)));
    let report = analyzer.run(&Bench::new(&file).job()).unwrap();
    let wanted = "event 2 in \"Mine\": bank ADC0: WORD wanted, DWORD found: declare it as BankDef<u32>";
    assert_eq!(first_loss(&report), wanted);
}

#[test]
fn a_bank_that_is_there_is_not_appended_again() {
    let said = lost(doing(|event, _| {
        event.append(ADC0, &[1])?;
        Ok(Keep)
    }));
    let wanted = "event 2 in \"Mine\": bank ADC0 cannot be appended: the event has one of that name, which is never changed: give the new one another name";
    assert_eq!(said, wanted);
}

#[test]
fn handles_that_were_not_booked_say_where_to_book() {
    let test = lost(doing(|_, context| {
        context.set(Test::UNBOOKED, true);
        Ok(Keep)
    }));
    let wanted = format!(
        "event 2 in \"Mine\": panicked at tests/mistakes.rs:{}: a test is set that was not booked: book it in prepare, as self.good = setup.test(\"Good\")",
        line_of("context.set(Test::UNBOOKED, true);")
    );
    assert_eq!(test, wanted);
    let histogram = lost(doing(|_, context| {
        context.fill(Hist1::UNBOOKED, 1);
        Ok(Keep)
    }));
    let wanted = format!(
        "event 2 in \"Mine\": panicked at tests/mistakes.rs:{}: a histogram is filled that was not booked: book it in prepare, as self.energy = setup.book(...)?",
        line_of("context.fill(Hist1::UNBOOKED, 1);")
    );
    assert_eq!(histogram, wanted);
}

#[test]
fn an_array_too_short_says_how_long_it_must_be() {
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0.size(4)))
        .module("Sums", Adds { offset: vec![1, 2] });
    let said = analyzer.run(&Bench::new(&plain_run(3)).job()).unwrap_err().to_string();
    let wanted = "stage \"Sums\", run 42: parameter \"Offset\" has 2 values, but bank ADC0 has 4 elements: give it 4, in the definition, a -c file or the ODB";
    assert_eq!(said, wanted);
    // Where the request does not say how many there are, the first event does.
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0))
        .module("Sums", Adds { offset: vec![1, 2] });
    let wanted = "event 2 in \"Sums\": parameter \"Offset\" has 2 values, but bank ADC0 has 4 elements: give it 4, in the definition, a -c file or the ODB";
    assert_eq!(lost(analyzer), wanted);
}

/// Reads what [`Counter`] appends.
#[derive(Record, Clone)]
struct Reads {}

impl Module for Reads {
    fn banks(&self) -> Banks {
        Banks::read(SEEN)
    }

    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        Ok(Keep)
    }
}

/// Appends the same as [`Counter`], of another type.
#[derive(Record, Clone)]
struct Again {}

impl Module for Again {
    fn banks(&self) -> Banks {
        Banks::read(BankDef::<f32>::new(b"SEEN"))
    }

    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        Ok(Keep)
    }
}

fn trigger() -> Analyzer {
    Analyzer::new("Analyzer").on(Request::new("Trigger", 1))
}

#[test]
fn two_writers_are_refused_with_both_ways_out() {
    let analyzer = trigger().sequential("one", Counter::defaults()).sequential("two", Counter::defaults());
    let wanted = "stages \"one\" and \"two\" of request \"Trigger\" both append bank SEEN: take one of them out, or give \"two\" a bank of its own in the definition, as banks = { SEEN = \"SEE2\" }";
    assert_eq!(refused(&analyzer), wanted);
}

#[test]
fn stages_in_the_wrong_order_are_told_the_right_one() {
    let analyzer = trigger().module("reads", Reads {}).sequential("counts", Counter::defaults());
    let wanted = "stage \"reads\" reads bank SEEN, which stage \"counts\" of request \"Trigger\" appends only later: mount \"counts\" before \"reads\"";
    assert_eq!(refused(&analyzer), wanted);
    let analyzer = trigger().module("reads", Reads {}).on(Request::new("Other", 2));
    let analyzer = analyzer.sequential("counts", Counter::defaults());
    let wanted = "stage \"reads\" of request \"Trigger\" reads bank SEEN, which only stage \"counts\" of request \"Other\" appends: mount \"counts\" on request \"Trigger\" too";
    assert_eq!(refused(&analyzer), wanted);
}

#[test]
fn a_bank_that_nobody_declares_or_writes_is_a_warning_that_says_what_to_add() {
    let wanted = "stage \"reads\" reads bank SEEN, which request \"Trigger\" does not declare: if the frontend makes it, add SEEN = \"DWORD\" to the banks of the request, else mount the module that appends it";
    assert_eq!(trigger().module("reads", Reads {}).rehearse().unwrap(), [wanted]);
}

#[test]
fn a_bank_of_two_types_is_refused() {
    let analyzer = trigger().sequential("counts", Counter::defaults()).module("reads", Again {});
    let wanted = "stage \"reads\" of request \"Trigger\" uses bank SEEN as FLOAT, stage \"counts\" appends it as DWORD: give it one type in both places";
    assert_eq!(refused(&analyzer), wanted);
}

#[test]
fn banks_of_fixed_events_are_refused() {
    let text = "[[request]]\nname = \"Slow\"\nid = 4\nfixed = { Temperature = \"DOUBLE\" }\nmodule = [{ type = \"Reads\" }]\n";
    let definition = Definition::parse(text, "analyzer.toml").unwrap();
    let analyzer =
        Analyzer::from_definition(&definition, &Catalogue::new().module::<Reads>("Reads")).unwrap();
    let wanted = "stage \"Reads\" uses bank SEEN, but events of request \"Slow\" are FIXED and have no banks: read them with Event::fixed, or leave \"fixed\" out of the request";
    assert_eq!(refused(&analyzer), wanted);
}

#[test]
fn names_that_are_taken_are_refused() {
    let wanted = "\"Tests\" cannot name a request or stage, which is a directory of the ODB: take a name without a slash, and none of Parameters, Output, Module switches, Bank switches, ODB Load, Tests";
    assert_eq!(refused(&Analyzer::new("Analyzer").on(Request::new("Tests", 1))), wanted);
}

/// A definition whose only stage has these entries.
fn defined(entries: &str) -> Result<Report, pactolus::Error> {
    let text = format!("[[request]]\nname = \"Trigger\"\nid = 1\n[[request.module]]\n{entries}\n");
    let definition = Definition::parse(&text, "analyzer.toml")?;
    let analyzer = Analyzer::from_definition(&definition, &Catalogue::new().module::<Adds>("Adds"))?;
    analyzer.run(&Bench::new(&plain_run(3)).job())
}

#[test]
fn what_a_definition_misspells_is_refused_with_the_nearest_name() {
    let said = |entries| defined(entries).unwrap_err().to_string();
    let near = |entries, wrong: &str, near: &str| {
        let said = said(entries);
        assert!(said.contains(wrong) && said.contains(near), "{said}");
    };
    near("tpye = \"Adds\"", "tpye", "type");
    near("type = \"Addds\"", "unknown module type \"Addds\"", "the nearest is \"Adds\"");
    near(
        "type = \"Adds\"\nparameters = { Ofset = 1 }",
        "unknown parameter \"Ofset\"",
        "the nearest is \"Offset\"",
    );
}

#[test]
fn what_a_parameter_of_the_command_line_misspells_is_refused_with_the_nearest_name() {
    let bench = Bench::new(&plain_run(3));
    let mut job = bench.job();
    job.parameters.push(("Sums/Ofset".into(), "1".into()));
    let analyzer = trigger().module("Sums", Adds { offset: vec![0; 4] });
    let wanted = "parameter: no key /Analyzer/Parameters/Sums/Ofset, did you mean 'Offset'?";
    assert_eq!(analyzer.run(&job).unwrap_err().to_string(), wanted);
}
