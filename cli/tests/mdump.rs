//! `pactolus dump --format mdump` against the real `mdump`, whole files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;

use pactolus::Catalogue;
use pactolus::formats::Input;
use pactolus_cli::App;

fn corpus(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(name);
    path.to_str().unwrap().to_owned()
}

/// Exit code, output and errors of `pactolus dump --format mdump` with these arguments.
fn run(args: &[&str]) -> (u8, Vec<u8>, String) {
    let args = ["dump", "--format", "mdump"].iter().chain(args);
    let args: Vec<OsString> = args.map(Into::into).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = pactolus_cli::run(&App::new(Catalogue::new()), &args, &mut out, &mut err);
    (code, out, String::from_utf8(err).unwrap())
}

/// What mdump printed.
fn golden(name: &str) -> String {
    let mut text = String::new();
    let path = corpus(&format!("mdump/{name}.txt.gz"));
    Input::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// A line in which mdump is wrong, put right.
type Repair = fn(&Line<'_>) -> Option<String>;

/// A line of mdump's output and where it stands.
struct Line<'l> {
    number: usize,
    text: &'l str,
    /// The bank that it belongs to.
    bank: &'l str,
}

impl Line<'_> {
    /// The cells of a row of numbers, each of `width` characters and a blank.
    fn cells(&self, width: usize) -> Option<(&str, Vec<&str>)> {
        let (label, row) = self.text.split_once("-> ")?;
        let row = row.as_bytes().chunks(width + 1);
        Some((label, row.map(|cell| std::str::from_utf8(&cell[..width]).unwrap()).collect()))
    }

    /// The row with every number changed, if it belongs to `bank`.
    fn each(&self, bank: &str, width: usize, number: impl Fn(&str) -> String) -> Option<String> {
        if self.bank != bank {
            return None;
        }
        let (label, cells) = self.cells(width)?;
        let cells: Vec<String> = cells.iter().map(|cell| format!("{:>width$} ", number(cell))).collect();
        Some(format!("{label}-> {}", cells.concat()))
    }
}

/// Signed bytes are printed as unsigned, and zeros not at all.
fn signed_bytes(line: &Line<'_>) -> Option<String> {
    line.each("SBY0", 4, |cell| match cell.trim() {
        "" => "0".into(),
        number => (number.parse::<u8>().unwrap() as i8).to_string(),
    })
}

/// Negative shorts have eight hexadecimal digits.
fn short_in_hex(line: &Line<'_>) -> Option<String> {
    (line.bank == "SHT0").then(|| line.text.replace("0xffff", "0x"))
}

/// Unsigned words are printed as signed.
fn unsigned_words(line: &Line<'_>) -> Option<String> {
    line.each("DWD0", 8, |cell| (cell.trim().parse::<i32>().unwrap() as u32).to_string())
}

/// Zeros are not printed.
fn zero_bytes(line: &Line<'_>) -> Option<String> {
    let zero = |cell: &str| if cell.trim().is_empty() { "0".into() } else { cell.trim().to_owned() };
    line.each("BYT0", 4, zero).or_else(|| line.each("STC0", 4, zero)).or_else(|| line.each("STR0", 3, zero))
}

/// The second word of an event in FIXED format is taken for the flags of banks, and swapped.
fn fixed_event(line: &Line<'_>) -> Option<String> {
    let swapped = "      ->: 00000004 00000000 6b00f70c 00000030 00000000 00403540 ";
    line.text.starts_with(swapped).then(|| line.text.replace("00403540", "40354000"))
}

/// Raw words: as above; bytes that fill no word are left out; and in the run file, but not in
/// mdump's output, the directory of the experiment has another name.
fn raw_words(line: &Line<'_>) -> Option<String> {
    match line.number {
        189 => Some(line.text.replace("706d742f 2f73772f 2f62616c", "7461642f 696d2f61 2f736164")),
        698 => Some(format!("{}0064 ", line.text)),
        703 => Some(format!("{}0064 ", line.text)),
        _ => fixed_event(line),
    }
}

/// Event id and mask are decimal behind `0x`.
fn decimal_ids(line: &Line<'_>) -> Option<String> {
    let repaired = line.text.replace("0x32768xid 0x18765xmsk", "0x8000xid 0x494dxmsk");
    let repaired = repaired.replace("0x32770xid", "0x8002xid");
    (repaired != line.text).then_some(repaired)
}

/// Compares all of mdump's output with ours. `repairs`: what is wrong in mdump's, and in how many
/// lines.
fn check(name: &str, args: &[&str], repairs: &[(Repair, usize)]) {
    let golden = golden(name);
    let mut counts = vec![0; repairs.len()];
    let mut bank = "";
    let mut wanted = Vec::new();
    for (i, text) in golden.lines().enumerate() {
        if let Some(header) = text.strip_prefix("Bank:") {
            bank = header.split(' ').next().unwrap();
        } else if text.contains("Event# ") {
            bank = "";
        }
        let line = Line { number: i + 1, text, bank };
        let repaired = repairs.iter().zip(&mut counts).find_map(|((repair, _), count)| {
            let repaired = repair(&line).filter(|repaired| repaired != text)?;
            *count += 1;
            Some(repaired)
        });
        wanted.push(repaired.unwrap_or_else(|| text.to_owned()));
    }
    let (code, out, err) = run(args);
    assert_eq!((code, err.as_str()), (0, ""), "{name}");
    let out = String::from_utf8(out).unwrap();
    for (i, (found, wanted)) in out.lines().zip(&wanted).enumerate() {
        assert_eq!(found, wanted, "{name}, line {}", i + 1);
    }
    assert_eq!(out.lines().count(), wanted.len(), "{name}");
    assert_eq!(out.ends_with('\n'), golden.ends_with('\n'), "{name}");
    let wanted: Vec<usize> = repairs.iter().map(|(_, lines)| *lines).collect();
    assert_eq!(counts, wanted, "{name}: lines in which mdump is wrong");
}

#[test]
fn every_type_is_shown_as_mdump_does() {
    for run in ["run00100", "run00101"] {
        let file = corpus(&format!("mid/{run}.mid"));
        let name = |what: &str| format!("{run}.{what}");
        check(&name("default"), &[&file], &[(signed_bytes, 40)]);
        check(&name("fx"), &[&file, "-f", "x"], &[(short_in_hex, 40)]);
        let decimal: &[(Repair, usize)] = &[(signed_bytes, 40), (unsigned_words, 40), (zero_bytes, 160)];
        check(&name("fd"), &[&file, "-f", "d"], decimal);
        check(&name("fa"), &["-x", &file, "-f", "a"], &[]);
        check(&name("j"), &["-x", &file, "-j"], &[]);
    }
}

#[test]
fn many_banks_odd_dumps_no_run_and_big_endian_are_shown_as_mdump_does() {
    for (run, repairs) in [
        ("run00103", &[][..]),
        ("run00104", &[]),
        ("run00107", &[(signed_bytes as Repair, 20)]),
        ("run00109", &[]),
    ] {
        let file = corpus(&format!("mid/{run}.mid"));
        check(&format!("{run}.default"), &[&file], repairs);
        check(&format!("{run}.j"), &[&file, "-j"], &[]);
    }
    check("run00005gz.j", &["-x", &corpus("mid/run00005.mid.gz"), "-j"], &[]);
}

#[test]
fn the_letters_of_mdump_work() {
    let file = corpus("mid/run00008_first150.mid");
    check("slice8.default", &[&file], &[(signed_bytes, 1), (fixed_event, 1)]);
    check("slice8.bADC0", &[&file, "-b", "ADC0"], &[]);
    check("slice8.bADC0single", &[&file, "-b", "ADC0", "--single"], &[]);
    check("slice8.i1", &[&file, "-i", "1"], &[]);
    check("slice8.j", &[&file, "-j"], &[]);
    check("slice8.raw", &[&file, "-m", "raw"], &[(raw_words, 4)]);
    check("slice8.wl", &[&file, "-w", "l"], &[(decimal_ids, 3)]);
    // A number of events, and a mask.
    let (_, out, _) = run(&["-x", &file, "-i", "1", "-l", "2", "-j"]);
    assert_eq!(String::from_utf8(out).unwrap().matches("Evid:0001").count(), 2);
    let (_, out, _) = run(&[&file, "-k", "0x4", "-w", "l"]);
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.rsplit('\r').nth(1).unwrap(), "Searching for Bank -- Skiping event...149");
    assert_eq!(out.matches("xid").count(), 1, "{out}");
}

#[test]
fn every_file_of_mdump_is_compared() {
    let this = include_str!("mdump.rs");
    for entry in std::fs::read_dir(corpus("mdump")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".txt.gz").unwrap();
        let (run, what) = name.split_once('.').unwrap();
        assert!(this.contains(name) || this.contains(run) && this.contains(&format!("\"{what}\"")), "{name}");
    }
}

/// mdump crashes at this file and prints nothing. (Its events: `tests/corpus/README.md`.)
#[test]
fn where_mdump_crashes_the_whole_events_are_shown() {
    let file = corpus("mid/run00110.mid");
    assert_eq!((golden("run00110.default").as_str(), golden("run00110.j").as_str()), ("", ""));
    let cut = "event body cut short: 24 bytes needed, 19 left at byte 274, event 9";
    let (code, out, err) = run(&[&file, "-j"]);
    assert_eq!(code, 1);
    assert!(err.contains(cut), "{err}");
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "Evid:0001- Mask:0000- Serial:1- Time:0x59682f00- Dsize:8/0x8
#banks:0 Bank list:--
Evid:0001- Mask:0000- Serial:2- Time:0x59682f00- Dsize:0/0x0
#banks:0 Bank list:--
Evid:004d- Mask:0000- Serial:3- Time:0x59682f00- Dsize:24/0x18
#banks:1 Bank list:-XXXX-
Evid:0001- Mask:0000- Serial:5- Time:0x59682f00- Dsize:80/0x50
#banks:4 Bank list:-ADC0ADC0ZZZZTDC0-
"
    );
    let (code, out, err) = run(&[&file, "--serial", "5"]);
    assert_eq!(code, 1);
    assert!(err.contains(cut), "{err}");
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.contains(
            "Bank:ZZZZ Length: 8(I*1)/2(I*4)/8(Type) Type:Unknown formatbank type not supported (127)\n"
        ),
        "{out}"
    );
}

#[test]
fn letters_of_mdump_want_its_layout() {
    let file = corpus("mid/run00008.mid");
    for letters in [&["-j"][..], &["-f", "x"], &["-m", "raw"], &["-w", "l"], &["--single"]] {
        let args: Vec<OsString> = ["dump", &file].iter().chain(letters).map(Into::into).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert_eq!(pactolus_cli::run(&App::new(Catalogue::new()), &args, &mut out, &mut err), 2);
        let err = String::from_utf8(err).unwrap();
        assert!(err.contains(&letters.join(" ")) || err.contains(letters[0]), "{err}");
        assert!(err.ends_with(" is a letter of mdump: add --format mdump\n"), "{err}");
    }
}
