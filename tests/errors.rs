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
        assert_eq!(ran.out, "", "{args:?}");
        let after = self.holds();
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before), "{args:?}: nothing is left behind");
        assert!(after == before, "{args:?}: what was there is as it was");
        ran.err.trim_end().to_owned()
    }
}

/// Asserts what is said to a command line in a directory as it comes, with an output.
fn check(args: &[&str], said: &str) {
    assert_eq!(Place::new().refuses(args), said, "{args:?}");
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
    assert_eq!(names.len(), 5, "run, definition, .mid with provenance, table: {names:?}");
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
    check_with(&place, &[], "ORDER");
}

#[test]
fn a_wrong_bank_type_is_refused() {
    check_definition("WORD[4]", "DWORD[4]", "TYPE");
}

#[test]
fn a_second_writer_of_a_bank_is_refused() {
    check_definition(
        "[[request.module]]\ntype = \"AdcSum\"",
        "[[request.module]]\ntype = \"AdcCalib\"\nname = \"again\"\n[[request.module]]\ntype = \"AdcSum\"",
        "SECOND",
    );
}

#[test]
fn two_stages_of_one_name_are_refused() {
    check_definition("\"ADC summing\"", "\"ADC Calibration\"", "SAME");
}

#[test]
fn a_short_parameter_array_is_refused() {
    check_definition("[174, 194, 176, 182]", "[174, 194, 176]", "SHORT1");
    let short = "[Analyzer/Parameters/ADC calibration]\nPedestal = INT[2] :\n[0] 1\n[1] 2\n";
    let place = Place::new().with("short.odb", short);
    check_with(&place, &["-c", "@short.odb"], "SHORT2");
}

#[test]
fn an_unknown_parameter_is_refused() {
    let place = Place::new();
    check_with(&place, &["-p", "ADC calibration/Pedestl=1"], "UNKNOWN1");
    check_with(&place, &["-p", "/Analyzer/Parameters/ADC sum/ADC threshold=1"], "UNKNOWN2");
    check_definition("Pedestal =", "Pedestl =", "UNKNOWN3");
}

#[test]
fn a_parameter_value_that_does_not_fit_is_refused() {
    let place = Place::new();
    check_with(&place, &["-p", "ADC summing/ADC threshold=seven"], "VALUE1");
    check_with(&place, &["-p", "ADC calibration/Pedestal[1]=1.5"], "VALUE2");
    check_with(&place, &["-p", "ADC calibration/Pedestal[4]=1"], "VALUE3");
    check_with(&place, &["-p", "ADC calibration/Pedestal[-1]=1"], "VALUE4");
    check_with(&place, &["-p", "ADC calibration=1"], "VALUE5");
    check_with(&place, &["-p", "novalue"], "VALUE6");
    check_with(&place, &["-p", "=7"], "VALUE7");
    check_definition("[174, 194, 176, 182]", "\"much\"", "VALUE8");
    check_definition("[174, 194, 176, 182]", "[174, \"x\", 176, 182]", "VALUE9");
}

#[test]
fn an_unreadable_configuration_is_refused() {
    let place =
        Place::new().with("noise.odb", [0u8, 159, 146, 150, 7]).with("text.odb", "once upon a time\n");
    for flag in ["-c", "--odb-load"] {
        check_with(&place, &[flag, "@none.odb"], "CONF1");
        check_with(&place, &[flag, "@"], "CONF2");
        check_with(&place, &[flag, "@noise.odb"], "CONF3");
        check_with(&place, &[flag, "@text.odb"], "CONF4");
    }
    check_with(&place, &["-c", "@par%05d.odb"], "CONF5");
}

#[test]
fn a_configuration_with_a_value_of_the_wrong_type_is_refused() {
    let text = "[Analyzer/Parameters/ADC summing]\nADC threshold = STRING : [32] high\n";
    let place = Place::new().with("wrong.odb", text);
    check_with(&place, &["-c", "@wrong.odb"], "WRONG");
}

#[test]
fn an_unwritable_output_is_refused() {
    let place = Place::new();
    fs::create_dir(place.dir.path().join("taken.mid")).unwrap();
    check_with(&place, &["@none/b.mid"], "OUT1");
    check_with(&place, &["@none/b.asc.gz"], "OUT2");
    check_with(&place, &["@none/b.parquet"], "OUT3");
    check_with(&place, &["@none/b%05d.arrow"], "OUT4");
    check_with(&place, &["@analyzer.toml/b.mid"], "OUT5");
    check_with(&place, &["@taken.mid"], "OUT6");
}

#[test]
fn an_odb_that_cannot_be_saved_is_refused() {
    let place = Place::new();
    check_with(&place, &["--odb-save", "@none/x.json"], "SAVE1");
}

#[test]
fn an_unknown_output_type_is_refused() {
    for name in ["out.root", "out.parquet.gz", "out.midx", "-.parquet"] {
        let said = Place::new().refuses(&["@run00042.mid", "-o", name]);
        assert_eq!(said, format!("KIND {name}"));
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
        assert_eq!(said, format!("INPUT {name}"));
    }
    let said = place.refuses(&["@link.mid", "-o", "@run00042.mid"]);
    assert_eq!(said, "INPUTL");
}

#[test]
fn saving_the_odb_over_an_input_is_refused() {
    check(&["@run00042.mid", "--odb-save", "@run00042.mid"], "SAVEIN");
}

#[test]
fn saving_the_odb_over_the_definition_or_a_configuration_is_refused() {
    let place = Place::new().with("a.odb", "[Analyzer]\n");
    check_with(&place, &["--odb-save", "@analyzer.toml"], "SAVEDEF");
}

#[test]
fn one_output_named_twice_is_refused() {
    let place = Place::new();
    let twice = |a: &str, b: &str| place.refuses(&["@run00042.mid", "-o", a, b]);
    assert_eq!(twice("@a.mid", "@a.mid"), "TWICE1");
    assert_eq!(twice("-", "-.asc"), "TWICE2");
}

#[test]
fn one_output_under_two_names_is_refused() {
    let place = Place::new();
    fs::create_dir(place.dir.path().join("sub")).unwrap();
    let twice = |a: &str, b: &str| place.refuses(&["@run00042.mid", "-o", a, b]);
    assert_eq!(twice("@a.mid", "@./a.mid"), "TWICE3");
    assert_eq!(twice("@a%05d.mid", "@a00042.mid"), "TWICE4");
    assert_eq!(twice("@a.mid", "@sub/../a.mid"), "TWICE5");
}

#[test]
fn a_missing_input_is_refused() {
    check(&["-i", "@run00043.mid", "-o", "@out.mid"], "MISSING1");
    check(&["@run00042.mid", "@run00043.mid", "-o", "@out.mid"], "MISSING2");
    check(&["-i", "@run%05d.mid", "-r", "42", "43", "-o", "@out.mid"], "MISSING3");
    check(&["@", "-o", "@out.mid"], "MISSING4");
    check(&["-o", "@out.mid"], "MISSING5");
}

#[test]
fn a_range_of_runs_needs_a_place_for_the_run() {
    check(&["@run00042.mid", "-r", "1", "2"], "RANGE1");
    check(&["@run%05d.mid"], "RANGE2");
    check(&["@run%05d.mid", "-r", "2", "1"], "RANGE3");
}

#[test]
fn a_meaningless_number_of_events_is_refused() {
    check(&["@run00042.mid", "-n", "1", "5", "0"], "N1");
    check(&["@run00042.mid", "-n", "5", "1"], "N2");
    check(&["@run00042.mid", "-n", "many"], "N3");
    check(&["@run00042.mid", "-n", "1", "2", "3", "4"], "N4");
    check(&["@run00042.mid", "-j", "0"], "J1");
}

#[test]
fn letters_of_mana_without_a_meaning_are_named() {
    check(&["-e", "expt"], "LETTER1");
    check(&["-h", "localhost"], "LETTER2");
    check(&["@run00042.mid", "-d"], "LETTER3");
    check(&["@run00042.mid", "-t", "4"], "LETTER4");
    check(&["@run00042.mid", "-hlocalhost"], "LETTER5");
}

#[test]
fn an_unknown_flag_is_refused() {
    check(&["@run00042.mid", "--outptu", "x.mid"], "FLAG1");
    check(&["@run00042.mid", "-Z"], "FLAG2");
    check(&["@run00042.mid", "-a"], "FLAG3");
}

#[test]
fn a_definition_that_is_no_toml_is_refused() {
    check_definition("id = 1", "id = = 1", "TOML1");
    check_definition("id = 1", "id = \"one\"", "TOML2");
    check(&["@run00042.mid", "-a", "@none.toml", "-o", "@out.mid"], "TOML3");
    check(&["@run00042.mid", "-a", "@run00042.mid", "-o", "@out.mid"], "TOML4");
}

#[test]
fn an_unknown_key_of_a_definition_is_refused() {
    check_definition("[[request]]", "nmae = \"X\"\n[[request]]", "KEY1");
    check_definition("id = 1", "idd = 1", "KEY2");
    check_definition("name = \"ADC summing\"", "nam = \"ADC summing\"", "KEY3");
    check_definition("\"WORD[4]\"", "{ type = \"WORD[4]\", unti = \"counts\" }", "KEY4");
}

#[test]
fn a_meaningless_value_of_a_definition_is_refused() {
    check_definition("WORD[4]", "WROD[4]", "MEAN1");
    check_definition("WORD[4]", "WORD[4", "MEAN2");
    check_definition("ADC0", "ADC00", "MEAN3");
    check_definition("id = 1", "id = 1\nsampling = \"some\"", "MEAN4");
    check_definition("id = 1", "id = 1\nfixed = { T = \"DOUBLE\" }", "MEAN5");
}

#[test]
fn an_unknown_module_is_refused_with_the_nearest() {
    check_definition("\"AdcSum\"", "\"AdcSun\"", "MODULE1");
    check_definition("\"AdcSum\"", "\"Waveform\"", "MODULE2");
}

#[test]
fn a_configuration_key_that_no_module_has_is_a_warning() {
    let text = "[Analyzer/Parameters/ADC summing]\nADC treshold = FLOAT : 9\n";
    let place = Place::new().with("odd.odb", text);
    let ran = place.run(&["@run00042.mid", "-a", "@analyzer.toml", "-c", "@odd.odb"]);
    assert_eq!(
        (ran.code, &*ran.err),
        (0, "warning: /Analyzer/Parameters/ADC summing/ADC treshold: no module has this parameter\n")
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
        assert!(ran.out.contains("at byte 0, event 1\n"), "{}", ran.out);
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
