//! Golden runs: what `mana` of MIDAS 2017 made of the same files with the same command lines.
//!
//! `tests/corpus/golden/<run>/cmd.txt` holds the command. Departures are written out here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use common::{Plain, corpus, definition, events, run};
use pactolus::formats::Input;
use pactolus::odb::{Dump, Tree};
use tempfile::TempDir;

/// A golden command line, run by us in a directory of its own.
struct Golden {
    dir: TempDir,
    name: String,
    code: u8,
    err: String,
}

impl Golden {
    /// Runs the command line that the corpus has for `name`.
    fn run(name: &str) -> Golden {
        let command = fs::read_to_string(corpus(&format!("golden/{name}/cmd.txt"))).unwrap();
        Golden::run_line(name, command.lines().next().unwrap())
    }

    fn run_line(name: &str, line: &str) -> Golden {
        // A preload by odbedit is `--odb-load` here.
        let (preload, line) = match line.strip_prefix("odbedit -c 'load ") {
            Some(rest) => {
                let (file, rest) = rest.split_once("';").unwrap();
                (Some(file), rest.trim())
            }
            None => (None, line),
        };
        let mut words = line.split_whitespace();
        let analyzer = words.next().unwrap();
        Golden::run_args(name, analyzer, preload, &words.collect::<Vec<_>>())
    }

    fn run_args(name: &str, analyzer: &str, preload: Option<&str>, words: &[&str]) -> Golden {
        let dir = TempDir::new().unwrap();
        let mut args = vec!["analyze".to_owned(), "-a".into(), text(&definition(analyzer))];
        let mut flag = "";
        for word in words {
            if word.starts_with('-') {
                flag = word;
                args.push((*word).to_owned());
                continue;
            }
            args.push(match flag {
                _ if Path::new(word).is_absolute() => (*word).to_owned(),
                "-i" => text(&corpus(&format!("mid/{word}"))),
                "-c" => text(&corpus(&format!("config/{word}"))),
                "-o" => text(&dir.path().join(word)),
                _ => (*word).to_owned(),
            });
        }
        if let Some(file) = preload {
            args.extend(["--odb-load".into(), text(&corpus(&format!("config/{file}")))]);
        }
        args.extend(["--odb-save".into(), text(&dir.path().join("after.json"))]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ran = run(&args);
        Golden { dir, name: name.to_owned(), code: ran.code, err: ran.err }
    }

    /// Our output file.
    fn ours(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// The original's output file.
    fn theirs(&self, file: &str) -> PathBuf {
        corpus(&format!("golden/{}/{file}", self.name))
    }

    fn assert_ran(&self) {
        assert_eq!(self.code, 0, "{}: {}", self.name, self.err);
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A file's bytes, decompressed.
fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    Input::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// A text file without the lines that the original reads from memory it does not own:
///
/// * of a STRING or LINK bank, the lines after the first up to the next `BK` or `%ID`: element i is
///   printed from i times the bank's size on, so that all but the first lie behind it;
/// * the value of `Label` in event 4, which the original reads 4 bytes too late.
fn without_garbage(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let (mut in_text, mut after_label, mut id) = (0, false, Vec::new());
    for line in text.split(|&b| b == b'\n') {
        if line.starts_with(b"%ID ") {
            id = line.split(|&b| b == b' ').nth(1).unwrap().to_vec();
        }
        if line.starts_with(b"%ID ") || line.starts_with(b"BK ") {
            let is = |name: &[u8]| line.windows(name.len()).any(|w| w == name);
            in_text = if is(b" TP STRING ") || is(b" TP LINK ") { 1 } else { 0 };
            lines.push(line.to_vec());
        } else if in_text > 0 {
            if in_text == 1 {
                lines.push(line.to_vec());
            }
            in_text += 1;
        } else if after_label {
            after_label = false;
        } else {
            after_label = id == b"4" && line == b"Label";
            lines.push(line.to_vec());
        }
    }
    lines
}

fn assert_same_lines(name: &str, ours: &[u8], theirs: &[u8]) {
    let (ours, theirs) = (without_garbage(ours), without_garbage(theirs));
    for (i, (our, their)) in ours.iter().zip(&theirs).enumerate() {
        let show = |line: &Vec<u8>| String::from_utf8_lossy(line).into_owned();
        assert_eq!(show(our), show(their), "{name}: line {} without garbage", i + 1);
    }
    assert_eq!(ours.len(), theirs.len(), "{name}: number of lines");
}

/// Runs a command line and compares its text outputs byte for byte, and its ODB.
fn check_asc(name: &str, files: &[&str], garbage: bool) {
    let golden = Golden::run(name);
    golden.assert_ran();
    compare_asc(&golden, files, garbage);
    check_odb(&golden);
}

fn compare_asc(golden: &Golden, files: &[&str], garbage: bool) {
    for file in files {
        let (ours, theirs) = (read(&golden.ours(file)), read(&golden.theirs(file)));
        if garbage {
            assert_same_lines(&golden.name, &ours, &theirs);
        } else {
            assert!(ours == theirs, "{}: {file} differs", golden.name);
        }
    }
}

/// Runs a command line and compares its binary output event for event and bank for bank.
fn check_mid(name: &str, ours: &[&str], theirs: &str) {
    let golden = Golden::run(name);
    golden.assert_ran();
    let all: Vec<Plain> = ours.iter().flat_map(|file| events(&golden.ours(file), 4)).collect();
    assert_same_events(name, &all, &events(&golden.theirs(theirs), 4));
    check_odb(&golden);
}

fn assert_same_events(name: &str, ours: &[Plain], theirs: &[Plain]) {
    for (i, (our, their)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(our, their, "{name}: event {}", i + 1);
    }
    assert_eq!(ours.len(), theirs.len(), "{name}: number of events");
}

/// Paths and values below `/Analyzer`, without what depends on time and place.
fn analyzer_keys(tree: &Tree) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    for (path, key) in tree.walk("/Analyzer").unwrap() {
        let path = path.to_string();
        let Some(value) = key.value() else { continue };
        let values: Vec<String> = (0..value.len()).map(|i| value.text(i)).collect();
        let place_or_time = path.contains("/Statistics/")
            || path.contains("/Tests/")
            || path.ends_with("/Common/Host")
            || path.ends_with("/Output/Filename");
        let shown = if place_or_time { String::new() } else { values.join(" ") };
        keys.insert(path, format!("{}[{}] {shown}", value.tid(), value.len()));
    }
    keys
}

/// The same keys, types and values as in the original's ODB after the run. The original updates
/// statistics and tests at every hundredth event, so after a short run it has no tests yet.
fn check_odb(golden: &Golden) {
    let load = |path: PathBuf| Dump::parse(&fs::read(path).unwrap()).unwrap().tree();
    let ours = analyzer_keys(&load(golden.ours("after.json")));
    let theirs = analyzer_keys(&load(golden.theirs("analyzer-after.odb")));
    for (path, value) in &theirs {
        assert_eq!(ours.get(path), Some(value), "{}: {path}", golden.name);
    }
    let more: Vec<_> = ours.keys().filter(|p| !theirs.contains_key(*p) && !p.contains("/Tests/")).collect();
    assert!(more.is_empty(), "{}: keys that the original does not have: {more:?}", golden.name);
}

#[test]
fn text_of_the_sample_experiment_is_that_of_mana() {
    for name in ["g01", "g02", "g06", "g07", "g08", "g16", "g17", "g23", "g24", "g27", "g31", "g32", "g50"] {
        check_asc(name, &[&format!("{name}.asc")], false);
    }
    check_asc("g04", &["g04.asc.gz"], false);
}

#[test]
fn text_of_every_bank_type_is_that_of_mana() {
    for name in ["g11", "g13", "g14", "g15", "g18", "g36"] {
        check_asc(name, &[&format!("{name}.asc")], true);
    }
}

#[test]
fn text_of_special_files_is_that_of_mana() {
    for name in ["g40_100", "g40_103", "g40_107", "g40_109", "g42_104", "g42_105"] {
        check_asc(name, &[&format!("{name}.asc")], true);
    }
}

#[test]
fn a_cut_file_gives_what_mana_gives_and_says_that_it_is_cut() {
    for (name, file) in [("g43_110", "g43_110.asc"), ("g44_110", "g44_110.mid")] {
        let golden = Golden::run(name);
        assert_eq!(golden.code, 1, "{}", golden.err);
        if name == "g43_110" {
            compare_asc(&golden, &[file], false);
        } else {
            // mana hands pieces of events on; here an event of which a piece is missing is damage.
            let (ours, mut theirs) = (events(&golden.ours(file), 4), events(&golden.theirs(file), 4));
            theirs.retain(|event| event.header.id < 0xc000);
            assert_eq!(ours.len() + 2, events(&golden.theirs(file), 4).len());
            assert_same_events(name, &ours, &theirs);
        }
        check_odb(&golden);
    }
}

#[test]
fn a_range_of_runs_goes_to_files_of_their_own_or_to_one() {
    check_asc("g20", &["g20_00006.asc", "g20_00007.asc", "g20_00008.asc"], false);
    check_asc("g21", &["g21.asc"], false);
}

#[test]
fn parameters_of_the_command_line_are_those_of_mana() {
    // The original goes on after `Nonexistent=1` and `novalue`; here they are errors (below).
    let parameters = [
        "ADC summing/ADC threshold=500",
        "ADC calibration/Pedestal[1]=100",
        "/Analyzer/Parameters/Global/ADC Threshold=7.5",
    ];
    let mut words = vec!["-i", "run00008.mid", "-o", "g09.asc", "-c", "banks_all.odb", "-n", "50", "-p"];
    words.extend(parameters);
    let golden = Golden::run_args("g09", "analyzer", None, &words);
    golden.assert_ran();
    compare_asc(&golden, &["g09.asc"], false);
    check_odb(&golden);

    for (bad, wanted) in [("Nonexistent=1", "Nonexistent"), ("novalue", "PATH=VALUE")] {
        let mut words = words.clone();
        words.push(bad);
        let golden = Golden::run_args("g09", "analyzer", None, &words);
        assert_eq!(golden.code, 2);
        assert!(golden.err.contains(wanted) && golden.err.lines().count() == 1, "{}", golden.err);
        assert!(!golden.ours("g09.asc").exists());
    }
}

#[test]
fn binary_outputs_hold_the_events_and_banks_of_mana() {
    for name in
        ["g03", "g10", "g12", "g19", "g37", "g41_100", "g41_101", "g41_102", "g41_103", "g41_109", "g51"]
    {
        let file = format!("{name}.mid");
        check_mid(name, &[&file], &file);
    }
    check_mid("g05", &["g05.mid.gz"], "g05.mid.gz");
}

#[test]
fn each_run_has_its_own_file_where_the_name_holds_the_run() {
    // The original writes both runs into the file of the first.
    check_mid("g22", &["g22_00006.mid", "g22_00008.mid"], "g22_00006.mid");
}

#[test]
fn without_an_output_the_run_is_analysed() {
    let golden = Golden::run("g30");
    golden.assert_ran();
    check_odb(&golden);
    assert_eq!(fs::read_dir(golden.dir.path()).unwrap().count(), 1, "only the ODB is written");
}

#[test]
fn what_the_original_cannot_read_is_read() {
    for (name, input) in [("g25", "run00003.mid.lz4"), ("g26", "run00004.mid.bz2")] {
        let golden = Golden::run(name);
        golden.assert_ran();
        let plain = golden.dir.path().join("run00001.mid");
        fs::write(&plain, read(&corpus(&format!("mid/{input}")))).unwrap();
        let line = ["-i", &text(&plain), "-o", "plain.asc", "-c", "banks_all.odb", "-n", "60"];
        let same = Golden::run_args(name, "analyzer", None, &line);
        same.assert_ran();
        let ours = read(&golden.ours(&format!("{name}.asc")));
        assert!(!ours.is_empty() && ours == read(&same.ours("plain.asc")), "{name}");
    }
}

#[test]
fn a_file_name_without_digits_is_no_trouble() {
    let golden = Golden::run("g38");
    golden.assert_ran();
    // The same run under another name.
    assert_eq!(read(&golden.ours("g38.asc")), read(&corpus("golden/g06/g06.asc")));
}

#[test]
fn bank_events_need_no_definition_in_the_dump() {
    // The original finds no event definition and writes nothing.
    for name in ["g33", "g34"] {
        let golden = Golden::run(name);
        golden.assert_ran();
        assert_eq!(read(&golden.ours(&format!("{name}.asc"))), read(&corpus("golden/g31/g31.asc")), "{name}");
    }
}

#[test]
fn a_json_dump_is_loaded_like_the_others() {
    let golden = Golden::run("g42_106");
    golden.assert_ran();
    let (ours, theirs) = (read(&golden.ours("g42_106.asc")), read(&corpus("golden/g42_105/g42_105.asc")));
    assert!(ours == theirs);
}

#[test]
fn unknown_outputs_and_missing_inputs_are_refused() {
    for (name, wanted) in
        [("g28", "unknown output type"), ("g29", "unknown output type"), ("g35", "nofile00009.mid")]
    {
        let golden = Golden::run(name);
        assert_eq!(golden.code, 2, "{name}");
        assert!(golden.err.contains(wanted) && golden.err.lines().count() == 1, "{}", golden.err);
        assert_eq!(fs::read_dir(golden.dir.path()).unwrap().count(), 0, "{name}: nothing is written");
    }
}

#[test]
fn structs_in_32_bit_banks_are_read_right() {
    // The same events as in run 100, in BANK32: the original counts alignment from the address and
    // prints wrong numbers for the members of STC0. Everything else is the same in both.
    let golden = Golden::run("g40_101");
    golden.assert_ran();
    let ours = read(&golden.ours("g40_101.asc"));
    let right = without_garbage(&read(&corpus("golden/g40_100/g40_100.asc")));
    assert_eq!(without_garbage(&ours).len(), right.len());
    for (i, (our, right)) in without_garbage(&ours).iter().zip(&right).enumerate() {
        let show = |line: &Vec<u8>| String::from_utf8_lossy(line).into_owned();
        assert_eq!(show(our), show(right), "line {}", i + 1);
    }
}

#[test]
fn large_banks_and_aligned_banks_are_printed_whole() {
    for (name, input) in [("g40_102", "run00102.mid"), ("g40_108", "run00108.mid")] {
        let golden = Golden::run(name);
        golden.assert_ran();
        let wanted = printed(&corpus(&format!("mid/{input}")));
        let ours = String::from_utf8_lossy(&read(&golden.ours(&format!("{name}.asc")))).into_owned();
        for (i, (our, wanted)) in ours.lines().zip(wanted.lines()).enumerate() {
            assert_eq!(our, wanted, "{name}: line {}", i + 1);
        }
        assert_eq!(ours.len(), wanted.len(), "{name}");
    }
}

/// The text of events whose banks hold numbers, written for this test alone.
fn printed(path: &Path) -> String {
    let mut text = String::new();
    for event in events(path, 4).iter().filter(|e| e.header.id < 0x8000) {
        let header = event.header;
        text += &format!("%ID {} TR {} NR {}\n", header.id, header.mask, header.serial);
        for (name, code, data) in &event.banks {
            let mut lines = Vec::new();
            let (kind, size) = match code {
                1 => ("BYTE", 1),
                2 => ("SBYTE", 1),
                3 => ("CHAR", 1),
                4 => ("WORD", 2),
                5 => ("SHORT", 2),
                6 => ("DWORD", 4),
                7 => ("INT", 4),
                8 => ("BOOL", 4),
                9 => ("FLOAT", 4),
                10 => ("DOUBLE", 8),
                11 => ("BITFIELD", 1),
                12 => ("STRING", 1),
                17 => ("INT64", 8),
                18 => ("UINT64", 8),
                other => panic!("type {other}"),
            };
            for item in data.chunks(size) {
                let mut wide = [0; 8];
                wide[..size].copy_from_slice(item);
                let raw = u64::from_le_bytes(wide);
                lines.push(match code {
                    2 => (raw as i8).to_string(),
                    3 => (raw as u8 as char).to_string(),
                    5 => (raw as i16).to_string(),
                    7 => (raw as i32).to_string(),
                    8 => {
                        if raw == 0 {
                            "n".into()
                        } else {
                            "y".into()
                        }
                    }
                    9 => number(f32::from_bits(raw as u32).to_string().parse().unwrap()),
                    // Sixteen digits, as %.16g.
                    10 => number(format!("{:.15e}", f64::from_bits(raw)).parse().unwrap()),
                    11 => String::new(),
                    17 => (raw as i64).to_string(),
                    _ => raw.to_string(),
                });
            }
            if *code == 12 {
                let end = data.iter().position(|&b| b == 0).unwrap_or(data.len());
                lines = vec![String::from_utf8_lossy(&data[..end]).into_owned()];
            }
            text += &format!("BK {name} TP {kind} SZ {}\n", data.len() / size);
            lines.iter().for_each(|line| text += &format!("{line}\n"));
        }
        text += "\n";
    }
    text
}

/// The numbers of these files are short decimal fractions or powers of ten, and so easy to print.
fn number(value: f64) -> String {
    match value {
        v if v.is_nan() => "NAN".into(),
        v if v.abs() >= 1e16 => format!("{v:e}").replace('e', "e+"),
        v => v.to_string(),
    }
}

#[test]
fn statistics_and_tests_are_those_of_an_independent_count() {
    let golden = Golden::run("g11");
    golden.assert_ran();
    let mut received: BTreeMap<u16, u64> = BTreeMap::new();
    let (mut low, mut high, mut odd, mut leaked) = (0, 0, 0, false);
    for event in events(&corpus("mid/run00008.mid"), 4).iter().take(400) {
        *received.entry(event.header.id).or_default() += 1;
        match event.header.id {
            1 => {
                let adc: Vec<u16> =
                    event.banks[0].2.chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
                let cadc = adc.iter().zip([174.0, 194.0, 176.0, 182.0]);
                let cadc = cadc.map(|(&n, pedestal)| (f64::from(n) - pedestal + 0.5) as f32);
                let sum: f32 = cadc.filter(|a| *a > 5.0).sum();
                low += u64::from(sum < 1000.0);
                high += u64::from(sum > 1000.0);
                // A test set by an event of another request waits for the next Trigger event.
                odd += u64::from(std::mem::take(&mut leaked));
            }
            3 => leaked = event.header.serial & 1 == 1,
            _ => {}
        }
    }
    let tree = Dump::parse(&fs::read(golden.ours("after.json")).unwrap()).unwrap().tree();
    for (name, id) in [("Trigger", 1), ("Scaler", 2), ("Wave", 3), ("Fixd", 4)] {
        let get = |key: &str| tree.get::<f64>(&format!("/Analyzer/{name}/Statistics/{key}")).unwrap();
        assert_eq!(get("Events received") as u64, received[&id], "{name}");
        assert_eq!(get("Events written") as u64, received[&id], "{name}");
    }
    let tests = [("Always true", received[&1]), ("low_sum", low), ("high_sum", high), ("odd_serial", odd)];
    for (name, count) in tests {
        let found = tree.get::<u32>(&format!("/Analyzer/Tests/{name}/Count")).unwrap();
        assert_eq!(u64::from(found), count, "{name}");
    }
    assert!(low > 0 && high > 0 && odd > 0, "the test must be able to fail");
}
