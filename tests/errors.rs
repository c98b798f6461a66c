//! What cannot run says why in one clear sentence, ends with code 2, and leaves everything as it was.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{MidFile, Ran, run};
use tempfile::TempDir;

/// The sample experiment in a few lines.
const DEFINITION: &str = r#"
[[request]]
name = "Trigger"
id = 1
[request.banks]
ADC0 = "WORD[4]"
[[request.module]]
type = "AdcCalib"
name = "ADC calibration"
[request.module.parameters]
Pedestal = [174, 194, 176, 182]
"Software Gain" = [1.0, 1.0, 1.0, 1.0]
[[request.module]]
type = "AdcSum"
name = "ADC summing"
"#;

/// A directory with a run and a definition. In arguments and messages `@` stands for it.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { dir: TempDir::new().unwrap() };
        let mut run = MidFile::new().bor(42);
        for serial in 0..10 {
            run = run.words(1, serial, "ADC0", &[200, 300, 400, 500]);
        }
        run.eor(42).save(place.dir.path().join("run00042.mid"));
        place.with("analyzer.toml", DEFINITION)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Adds a file.
    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Place {
        fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    /// ... a definition that differs from the good one.
    fn with_definition(self, from: &str, to: &str) -> Place {
        assert!(DEFINITION.contains(from), "{from}");
        self.with("analyzer.toml", DEFINITION.replace(from, to))
    }

    /// All files, links and directories with what they hold.
    fn holds(&self) -> BTreeMap<String, Vec<u8>> {
        fn walk(dir: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.to_str().unwrap().to_owned();
                if path.is_symlink() {
                    all.insert(name, fs::read_link(&path).unwrap().to_str().unwrap().into());
                } else if path.is_dir() {
                    walk(&path, all);
                    all.insert(name, b"directory".to_vec());
                } else {
                    all.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        let mut all = BTreeMap::new();
        walk(self.dir.path(), &mut all);
        all
    }

    fn run(&self, args: &[&str]) -> Ran {
        let dir = self.dir.path().to_str().unwrap();
        let args: Vec<String> = args.iter().map(|arg| arg.replace('@', &format!("{dir}/"))).collect();
        let args: Vec<&str> = std::iter::once("analyze").chain(args.iter().map(String::as_str)).collect();
        let ran = run(&args);
        Ran { err: ran.err.replace(&format!("{dir}/"), "@"), ..ran }
    }

    /// What is said to a command line that cannot run.
    fn refuses(&self, args: &[&str]) -> String {
        let before = self.holds();
        let ran = self.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{args:?}: one line: {}", ran.err);
        assert!(ran.err.starts_with("pactolus: "), "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
        let after = self.holds();
        assert!(after.keys().eq(before.keys()), "{args:?}: left behind: {:?}", after.keys());
        assert!(after == before, "{args:?}: what was there has changed");
        ran.err.trim_end().to_owned()
    }
}

/// Asserts what is said to a command line.
fn check(args: &[&str], said: &str) {
    assert_eq!(Place::new().refuses(args), said, "{args:?}");
}

/// Asserts that what is said to these arguments names what it is about.
fn names(place: &Place, args: &[&str], named: &[&str]) {
    let said = place.refuses(&[&["@run00042.mid"], args].concat());
    for name in named {
        assert!(said.contains(name), "{args:?}: {name} in {said}");
    }
}

/// Asserts what is said to a definition.
fn check_definition(from: &str, to: &str, said: &str) {
    let place = Place::new().with_definition(from, to);
    assert_eq!(place.refuses(&["@run00042.mid", "-a", "@analyzer.toml", "-o", "@out.mid"]), said);
}

/// Asserts what is said to the good definition with these arguments.
fn check_with(place: &Place, more: &[&str], said: &str) {
    let args = [&["@run00042.mid", "-a", "@analyzer.toml", "-o", "@out.mid"], more].concat();
    assert_eq!(place.refuses(&args), said, "{more:?}");
}

#[test]
fn the_place_itself_is_well() {
    let place = Place::new();
    let ran = place.run(&["@run00042.mid", "-a", "@analyzer.toml", "-o", "@out.mid", "@out.parquet"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let names: Vec<String> = place.holds().into_keys().collect();
    assert_eq!(names.len(), 7, "run, definition, .mid with provenance, table, histograms twice: {names:?}");
}

#[test]
fn modules_in_the_wrong_order_are_refused() {
    let swapped = DEFINITION
        .replace("AdcSum", "Adc_")
        .replace("ADC summing", "ADC_")
        .replace("AdcCalib\"\nname = \"ADC calibration", "AdcSum\"\nname = \"ADC summing")
        .replace("[request.module.parameters]\nPedestal = [174, 194, 176, 182]\n", "")
        .replace("\"Software Gain\" = [1.0, 1.0, 1.0, 1.0]\n", "")
        .replace("Adc_\"\nname = \"ADC_", "AdcCalib\"\nname = \"ADC calibration");
    let place = Place::new().with("analyzer.toml", swapped);
    check_with(
        &place,
        &[],
        "pactolus: stage \"ADC summing\" reads bank CADC, which stage \"ADC calibration\" of request \"Trigger\" appends only later: mount \"ADC calibration\" before \"ADC summing\"",
    );
}

#[test]
fn a_wrong_bank_type_is_refused() {
    check_definition(
        "WORD[4]",
        "DWORD[4]",
        "pactolus: stage \"ADC calibration\" of request \"Trigger\" uses bank ADC0 as WORD, the request declares it as DWORD: give it one type in both places",
    );
}

#[test]
fn a_second_writer_of_a_bank_is_refused() {
    check_definition(
        "[[request.module]]\ntype = \"AdcSum\"",
        "[[request.module]]\ntype = \"AdcCalib\"\nname = \"again\"\n[[request.module]]\ntype = \"AdcSum\"",
        "pactolus: stages \"ADC calibration\" and \"again\" of request \"Trigger\" both append bank CADC: take one of them out, or give \"again\" a bank of its own in the definition, as banks = { CADC = \"CAD2\" }",
    );
}

#[test]
fn two_stages_of_one_name_are_refused() {
    check_definition(
        "\"ADC summing\"",
        "\"ADC Calibration\"",
        "pactolus: two stages are named \"ADC Calibration\": give one of them another name",
    );
}

#[test]
fn a_short_parameter_array_is_refused() {
    check_definition(
        "[174, 194, 176, 182]",
        "[174, 194, 176]",
        "pactolus: stage \"ADC calibration\", run 42: parameter \"Pedestal\" has 3 values, but bank ADC0 has 4 elements: give it 4, in the definition, a -c file or the ODB",
    );
    let short = "[Analyzer/Parameters/ADC calibration]\nPedestal = INT[2] :\n[0] 1\n[1] 2\n";
    let place = Place::new().with("short.odb", short);
    check_with(
        &place,
        &["-c", "@short.odb"],
        "pactolus: stage \"ADC calibration\", run 42: parameter \"Pedestal\" has 2 values, but bank ADC0 has 4 elements: give it 4, in the definition, a -c file or the ODB",
    );
}

#[test]
fn an_unknown_parameter_is_refused() {
    let place = Place::new();
    check_with(
        &place,
        &["-p", "ADC calibration/Pedestl=1"],
        "pactolus: parameter: no key /Analyzer/Parameters/ADC calibration/Pedestl, did you mean 'Pedestal'?",
    );
    check_with(
        &place,
        &["-p", "/Analyzer/Parameters/ADC sum/ADC threshold=1"],
        "pactolus: parameter: no key /Analyzer/Parameters/ADC sum",
    );
    check_definition(
        "Pedestal =",
        "Pedestl =",
        "pactolus: @analyzer.toml: line 11: unknown parameter \"Pedestl\" in request \"Trigger\", module \"ADC calibration\": the nearest is \"Pedestal\"",
    );
}

#[test]
fn a_parameter_value_that_does_not_fit_is_refused() {
    let place = Place::new();
    check_with(
        &place,
        &["-p", "ADC summing/ADC threshold=seven"],
        "pactolus: parameter: /Analyzer/Parameters/ADC summing/ADC threshold: a number of at most 3.4e38 (FLOAT) expected, 'seven' found",
    );
    check_with(
        &place,
        &["-p", "ADC calibration/Pedestal[1]=1.5"],
        "pactolus: parameter: /Analyzer/Parameters/ADC calibration/Pedestal[1]: a whole number from -2147483648 to 2147483647 (INT) expected, '1.5' found",
    );
    check_with(
        &place,
        &["-p", "ADC calibration/Pedestal[4]=1"],
        "pactolus: parameter: /Analyzer/Parameters/ADC calibration/Pedestal has no element 4: its length is 4",
    );
    check_with(
        &place,
        &["-p", "ADC calibration/Pedestal[-1]=1"],
        "pactolus: parameter: no key /Analyzer/Parameters/ADC calibration/Pedestal[-1], did you mean 'Pedestal'?",
    );
    check_with(
        &place,
        &["-p", "ADC calibration=1"],
        "pactolus: parameter: /Analyzer/Parameters/ADC calibration is a directory, not a value",
    );
    check_with(
        &place,
        &["-p", "novalue"],
        "pactolus: -p novalue: PATH=VALUE wanted, as in \"ADC summing/ADC threshold=7\"",
    );
    check_with(
        &place,
        &["-p", "=7"],
        "pactolus: -p =7: PATH=VALUE wanted, as in \"ADC summing/ADC threshold=7\"",
    );
    check_definition(
        "[174, 194, 176, 182]",
        "\"much\"",
        "pactolus: @analyzer.toml: line 11: request \"Trigger\", module \"ADC calibration\", parameter \"Pedestal\": STRING much does not fit into INT",
    );
    check_definition(
        "[174, 194, 176, 182]",
        "[174, \"x\", 176, 182]",
        "pactolus: @analyzer.toml: line 11: request \"Trigger\", module \"ADC calibration\", parameter \"Pedestal\": the elements of an array must be of one type",
    );
}

#[test]
fn an_unreadable_configuration_is_refused() {
    let place =
        Place::new().with("noise.odb", [0u8, 159, 146, 150, 7]).with("text.odb", "once upon a time\n");
    for flag in ["-c", "--odb-load"] {
        check_with(
            &place,
            &[flag, "@none.odb"],
            "pactolus: configuration file @none.odb: No such file or directory (os error 2)",
        );
        check_with(&place, &[flag, "@"], "pactolus: configuration file @: Is a directory (os error 21)");
        check_with(
            &place,
            &[flag, "@noise.odb"],
            "pactolus: configuration file @noise.odb: not an ODB dump: '\\x00' where '<', '{', '[' or ';' was expected (byte 0)",
        );
        check_with(
            &place,
            &[flag, "@text.odb"],
            "pactolus: configuration file @text.odb: not an ODB dump: 'o' where '<', '{', '[' or ';' was expected (byte 0)",
        );
    }
    check_with(
        &place,
        &["-c", "@par%05d.odb"],
        "pactolus: configuration file @par00042.odb: No such file or directory (os error 2)",
    );
}

#[test]
fn a_configuration_with_a_value_of_the_wrong_type_is_refused() {
    let text = "[Analyzer/Parameters/ADC summing]\nADC threshold = STRING : [32] high\n";
    let place = Place::new().with("wrong.odb", text);
    check_with(
        &place,
        &["-c", "@wrong.odb"],
        "pactolus: configuration file @wrong.odb: /Analyzer/Parameters/ADC summing/ADC threshold as FLOAT: STRING high does not fit",
    );
}

#[test]
fn an_unwritable_output_is_refused() {
    let place = Place::new();
    check_with(
        &place,
        &["@none/b.mid"],
        "pactolus: cannot create @none/b.mid: No such file or directory (os error 2)",
    );
    check_with(
        &place,
        &["@none/b.asc.gz"],
        "pactolus: cannot create @none/b.asc.gz: No such file or directory (os error 2)",
    );
    check_with(
        &place,
        &["@none/b.parquet"],
        "pactolus: cannot create @none/b.parquet: No such file or directory (os error 2)",
    );
    check_with(
        &place,
        &["@none/b%05d.arrow"],
        "pactolus: cannot create @none/b00042.arrow: No such file or directory (os error 2)",
    );
    check_with(
        &place,
        &["@analyzer.toml/b.mid"],
        "pactolus: cannot create @analyzer.toml/b.mid: Not a directory (os error 20)",
    );
}

#[test]
fn an_output_whose_name_is_a_directory_is_refused_before_the_analysis() {
    let place = Place::new();
    fs::create_dir(place.dir.path().join("taken.mid")).unwrap();
    names(&place, &["-o", "@out.mid", "@taken.mid"], &["@taken.mid", "directory"]);
}

#[test]
fn an_odb_that_cannot_be_saved_is_refused_before_the_analysis() {
    let place = Place::new();
    names(&place, &["-o", "@out.mid", "--odb-save", "@none/x.json"], &["@none/x.json"]);
    names(&place, &["-o", "@out.mid", "--odb-save", "@"], &["@"]);
}

#[test]
fn an_unknown_output_type_is_refused() {
    for name in ["out.root", "out.parquet.gz", "out.midx"] {
        let known =
            ".mid and .asc, each also with .gz .lz4 .bz2 .zst, and .parquet, .arrow, .json (histograms)";
        let said = format!("pactolus: \"{name}\": unknown output type; known are {known}");
        check(&["@run00042.mid", "-o", name], &said);
    }
}

#[test]
fn an_output_that_is_an_input_is_refused() {
    let place = Place::new();
    std::os::unix::fs::symlink(place.dir.path().join("run00042.mid"), place.dir.path().join("link.mid"))
        .unwrap();
    fs::create_dir(place.dir.path().join("sub")).unwrap();
    for name in ["@run00042.mid", "@run%05d.mid", "@link.mid", "@sub/../run00042.mid"] {
        let said = place.refuses(&["@run00042.mid", "-o", name]);
        let name = name.replace("%05d", "00042");
        assert_eq!(said, format!("pactolus: output {name} is also an input: give it another name"));
    }
    let said = place.refuses(&["@link.mid", "-o", "@run00042.mid"]);
    assert_eq!(said, "pactolus: output @run00042.mid is also an input: give it another name");
}

#[test]
fn saving_the_odb_over_an_input_is_refused() {
    names(&Place::new(), &["--odb-save", "@run00042.mid"], &["@run00042.mid", "is also an input"]);
}

#[test]
fn writing_over_the_definition_is_refused() {
    let place = Place::new();
    names(&place, &["-a", "@analyzer.toml", "--odb-save", "@analyzer.toml"], &["@analyzer.toml"]);
    // A name without extension is text.
    let place = place.with("plain", DEFINITION);
    names(&place, &["-a", "@plain", "-o", "@plain"], &["@plain"]);
}

#[test]
fn one_output_named_twice_is_refused() {
    let place = Place::new();
    let twice = |a: &str, b: &str| place.refuses(&["@run00042.mid", "-o", a, b]);
    assert_eq!(twice("@a.mid", "@a.mid"), "pactolus: output @a.mid is named twice");
    assert_eq!(twice("-", "-"), "pactolus: output - is named twice");
}

#[test]
fn one_output_under_two_names_is_refused() {
    let place = Place::new();
    fs::create_dir(place.dir.path().join("sub")).unwrap();
    names(&place, &["-o", "@a.mid", "@./a.mid"], &["@./a.mid", "twice"]);
    names(&place, &["-o", "@a.mid", "@sub/../a.mid"], &["@sub/../a.mid", "twice"]);
    names(&place, &["-o", "@a%05d.mid", "@a00042.mid"], &["@a00042.mid", "twice"]);
}

#[test]
fn a_missing_input_is_refused() {
    check(
        &["-i", "@run00043.mid", "-o", "@out.mid"],
        "pactolus: cannot open @run00043.mid: No such file or directory (os error 2)",
    );
    check(
        &["@run00042.mid", "@run00043.mid", "-o", "@out.mid"],
        "pactolus: cannot open @run00043.mid: No such file or directory (os error 2)",
    );
    check(
        &["-i", "@run%05d.mid", "-r", "42", "43", "-o", "@out.mid"],
        "pactolus: cannot open @run00043.mid: No such file or directory (os error 2)",
    );
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    assert_eq!(
        place.refuses(&["@empty", "-o", "@out.mid"]),
        "pactolus: no run file in the directory @empty: .mid or .asc wanted, perhaps with .gz .lz4 .bz2 .zst"
    );
    check(&["@run*.mid.gz", "-o", "@out.mid"], "pactolus: no file matches @run*.mid.gz");
    check(
        &["@run00042.mid.gz", "-o", "@out.mid"],
        "pactolus: cannot open @run00042.mid.gz: No such file or directory (os error 2); there is @run00042.mid",
    );
    check(
        &["-", "-", "-o", "@out.mid"],
        "pactolus: standard input is named twice, and can be read once only",
    );
    check(&["-o", "@out.mid"], "pactolus: no input: name a run file, as in `pactolus analyze run00042.mid`");
}

#[test]
fn a_range_of_runs_needs_a_place_for_the_run() {
    check(
        &["@run00042.mid", "-r", "1", "2"],
        "pactolus: -r needs an input with %05d for the run number, @run00042.mid has none",
    );
    check(&["@run%05d.mid"], "pactolus: input @run%05d.mid: say which runs with -r FIRST LAST");
    check(&["@run%05d.mid", "-r", "2", "1"], "pactolus: -r 2 1: the first run comes after the last");
}

#[test]
fn a_meaningless_number_of_events_is_refused() {
    check(
        &["@run00042.mid", "-n", "1", "5", "0"],
        "pactolus: -n FIRST LAST STEP: a step of at least 1 wanted, 0 found",
    );
}

#[test]
fn a_first_event_behind_the_last_is_refused() {
    names(&Place::new(), &["-n", "5", "1"], &["-n 5 1"]);
}

#[test]
fn letters_of_mana_without_a_meaning_are_named() {
    check(
        &["-e", "expt"],
        "pactolus: -e of mana has no meaning here: it named a live experiment; give midas://HOST/EXPERIMENT in place of a file, or follow:DIR for its files",
    );
    check(
        &["-h", "localhost"],
        "pactolus: -h of mana has no meaning here: it named the host of a live experiment; give midas://HOST/EXPERIMENT in place of a file (help is --help)",
    );
    check(
        &["@run00042.mid", "-d"],
        "pactolus: -d of mana has no meaning here: it disabled the watchdog of the old ODB; nothing is needed in its place",
    );
    check(
        &["@run00042.mid", "-t", "4"],
        "pactolus: -t of mana has no meaning here: it set the number of PVM tasks; use -j for threads",
    );
}

#[test]
fn an_unknown_flag_is_refused() {
    names(&Place::new(), &["--outptu", "x.mid"], &["--outptu", "--output"]);
    names(&Place::new(), &["-Z"], &["-Z"]);
}

#[test]
fn a_flag_with_a_wrong_value_or_without_one_is_refused() {
    names(&Place::new(), &["-a"], &["--analyzer"]);
    names(&Place::new(), &["-n", "many"], &["-n", "many"]);
    names(&Place::new(), &["-j", "0"], &["--threads", "0"]);
}

#[test]
fn a_definition_that_is_no_toml_is_refused() {
    check_definition("id = 1", "id = = 1", "pactolus: @analyzer.toml: line 4: extra `=`, expected nothing");
    check_definition(
        "id = 1",
        "id = \"one\"",
        "pactolus: @analyzer.toml: line 4: request \"Trigger\": \"id\": a whole number wanted, \"one\" found",
    );
    check(
        &["@run00042.mid", "-a", "@none.toml", "-o", "@out.mid"],
        "pactolus: cannot read the definition @none.toml: No such file or directory (os error 2)",
    );
    check(
        &["@run00042.mid", "-a", "@run00042.mid", "-o", "@out.mid"],
        "pactolus: cannot read the definition @run00042.mid: stream did not contain valid UTF-8",
    );
}

#[test]
fn an_unknown_key_of_a_definition_is_refused() {
    check_definition(
        "[[request]]",
        "nmae = \"X\"\n[[request]]",
        "pactolus: @analyzer.toml: line 2: unknown key \"nmae\": the nearest is \"name\"",
    );
    check_definition(
        "id = 1",
        "idd = 1",
        "pactolus: @analyzer.toml: line 4: unknown key \"idd\" in request \"Trigger\": the nearest is \"id\"",
    );
    check_definition(
        "name = \"ADC summing\"",
        "nam = \"ADC summing\"",
        "pactolus: @analyzer.toml: line 15: unknown key \"nam\" in request \"Trigger\", module \"AdcSum\": the nearest is \"name\"",
    );
    check_definition(
        "\"WORD[4]\"",
        "{ type = \"WORD[4]\", unti = \"counts\" }",
        "pactolus: @analyzer.toml: line 6: unknown key \"unti\" in request \"Trigger\", bank \"ADC0\": the nearest is \"unit\"",
    );
}

#[test]
fn a_meaningless_value_of_a_definition_is_refused() {
    check_definition(
        "WORD[4]",
        "WROD[4]",
        "pactolus: @analyzer.toml: line 6: request \"Trigger\", bank \"ADC0\": a type like \"WORD\" or \"WORD[4]\" wanted, \"WROD[4]\" found",
    );
    check_definition(
        "WORD[4]",
        "WORD[4",
        "pactolus: @analyzer.toml: line 6: request \"Trigger\", bank \"ADC0\": a type like \"WORD\" or \"WORD[4]\" wanted, \"WORD[4\" found",
    );
    check_definition(
        "ADC0",
        "ADC00",
        "pactolus: @analyzer.toml: line 6: request \"Trigger\", bank \"ADC00\": a bank name has one to four bytes",
    );
    check_definition(
        "id = 1",
        "id = 1\nsampling = \"some\"",
        "pactolus: @analyzer.toml: line 5: request \"Trigger\": sampling \"all\", \"nonblocking\" or \"recent\" wanted, \"some\" found",
    );
    check_definition(
        "id = 1",
        "id = 1\nfixed = { T = \"DOUBLE\" }",
        "pactolus: @analyzer.toml: line 5: request \"Trigger\": an event is either fixed or has banks",
    );
}

#[test]
fn an_unknown_module_is_refused_with_the_nearest() {
    check_definition(
        "\"AdcSum\"",
        "\"AdcSun\"",
        "pactolus: @analyzer.toml: line 14: unknown module type \"AdcSun\": the nearest is \"AdcSum\"",
    );
    check_definition(
        "\"AdcSum\"",
        "\"Waveform\"",
        "pactolus: @analyzer.toml: line 14: unknown module type \"Waveform\": known are AdcCalib, AdcSum, ScalerSum, Prescale, Skipper; a module of your own crate is known to its own program: `cargo run -- check`",
    );
}

#[test]
fn a_configuration_key_that_no_module_has_is_a_warning() {
    let text = "[Analyzer/Parameters/ADC summing]\nADC treshold = FLOAT : 9\n";
    let place = Place::new().with("odd.odb", text);
    let ran = place.run(&["@run00042.mid", "-a", "@analyzer.toml", "-c", "@odd.odb"]);
    assert_eq!(
        (ran.code, &*ran.err),
        (
            0,
            "warning: @odd.odb sets keys of /Analyzer/Parameters that nothing uses: ADC summing/ADC treshold; did you mean \"ADC threshold\"?\n"
        )
    );
}

#[test]
fn an_empty_file_is_no_run() {
    let place = Place::new().with("run00001.mid", "");
    let ran = place.run(&["@run00001.mid", "-o", "@out%05d.mid"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("0 runs, 0 events, 0 lost, 0 damaged;"), "{}", ran.out);
    assert!(place.holds().keys().all(|name| !name.contains("out")));
}

#[test]
fn a_file_of_text_is_damage_from_the_first_byte() {
    for text in ["short", "no run but a text\nthat is longer than a header of an event\n"] {
        let place = Place::new().with("run00001.mid", text);
        let ran = place.run(&["@run00001.mid"]);
        assert_eq!((ran.code, &*ran.err), (1, ""), "{}", ran.out);
        let lost = format!("at byte 0, event 1; {} bytes lost\n", text.len());
        assert!(ran.out.contains(&lost), "{}", ran.out);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_ends_with_its_own_code() {
    for (output, part) in [
        ("@out.mid", ".out.mid.part"),
        ("@out.asc.gz", ".out.asc.gz.part"),
        ("@out.parquet", ".out.Trigger.parquet.part"),
    ] {
        let place = Place::new();
        std::os::unix::fs::symlink("/dev/full", place.dir.path().join(part)).unwrap();
        let ran = place.run(&["@run00042.mid", "-a", "@analyzer.toml", "-o", output]);
        assert_eq!((ran.code, ran.err.lines().count()), (5, 1), "{output}: {}", ran.err);
        assert!(
            ran.err.starts_with("pactolus: cannot write ") && ran.err.contains("No space left on device"),
            "{}",
            ran.err
        );
        let names: Vec<String> = place.holds().into_keys().filter(|n| n.contains("out")).collect();
        assert!(names.is_empty(), "{names:?}");
    }
}

#[test]
fn a_raw_run_named_behind_the_output_is_not_replaced() {
    let place = Place::new();
    let before = std::fs::read(place.path("run00042.mid")).unwrap();
    let ran = place.run(&["-a", "@analyzer.toml", "-o", "@out.mid", "@run00042.mid"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("run00042.mid was taken as an output"), "{}", ran.err);
    std::fs::copy(place.path("run00042.mid"), place.path("run00043.mid")).unwrap();
    let ran = place.run(&["@run00042.mid", "-a", "@analyzer.toml", "-o", "@out.mid", "@run00043.mid"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("was not written by pactolus"), "{}", ran.err);
    assert!(std::fs::read(place.path("run00043.mid")).unwrap() == before);
    // What this program has written it may write again.
    for _ in 0..2 {
        let ran = place.run(&["@run00042.mid", "-a", "@analyzer.toml", "-o", "@mine.mid"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
}

#[test]
fn a_device_is_not_replaced_by_a_file() {
    let place = Place::new();
    std::os::unix::fs::symlink("/dev/null", place.path("null")).unwrap();
    let ran = place.run(&["@run00042.mid", "-a", "@analyzer.toml", "-o", "@null"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("is no plain file"), "{}", ran.err);
    assert!(std::fs::symlink_metadata(place.path("null")).unwrap().is_symlink());
}

#[test]
fn lines_of_a_configuration_that_cannot_be_read_are_said() {
    let place = Place::new();
    let text = "[/Analyzer/Parameters/ADC calibration]\nPedestal = INTT[8] :\nwhat is this\n";
    std::fs::write(place.path("odd.odb"), text).unwrap();
    let ran = place.run(&["@run00042.mid", "-a", "@analyzer.toml", "-c", "@odd.odb"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("odd.odb line 2") && ran.err.contains("odd.odb line 3"), "{}", ran.err);
}

#[test]
fn text_goes_to_standard_output() {
    let place = Place::new();
    let switch = "/Analyzer/Bank switches/ADC0=1";
    let ran = place.run(&["@run00042.mid", "-a", "@analyzer.toml", "-p", switch, "-o", "-.asc", "-q"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("%ID 1 TR ") && ran.out.contains("BK ADC0 TP WORD"), "{}", ran.out);
}

#[test]
fn a_quiet_run_still_says_what_is_damaged() {
    let place = Place::new();
    let whole = std::fs::read(place.path("run00042.mid")).unwrap();
    std::fs::write(place.path("cut.mid"), &whole[..whole.len() - 3]).unwrap();
    let ran = place.run(&["@cut.mid", "-q"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.is_empty() && ran.err.contains("cut short"), "{}", ran.err);
}
