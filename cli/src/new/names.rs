//! What a crate and a module may be called.

use std::fmt;

/// Letters of a name [crate, module]. That of a module stands three times in its line of the catalogue, and is
/// a name in the ODB, which has at most 31.
const LONGEST: [usize; 2] = [31, 24];

/// Words of Rust, in this or a later edition.
const RUST: &[&str] = &[
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "struct",
    "super",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "alloc",
    "core",
    "proc_macro",
    "std",
];

/// Directories and targets of cargo.
const CARGO: &[&str] = &["build", "deps", "examples", "incremental", "test"];

/// Files of the crate.
const FILES: &[&str] = &["lib", "main"];

/// What a module sees: a type of its own would hide it.
const SEEN: &[&str] = &[
    "Allocations",
    "Analyzer",
    "AsMut",
    "AsRef",
    "Axis",
    "Bank",
    "BankDef",
    "BankName",
    "Banks",
    "Box",
    "Catalogue",
    "Clone",
    "Context",
    "Copy",
    "Debug",
    "Default",
    "Drop",
    "Element",
    "EndOfRun",
    "Eq",
    "Err",
    "Event",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Harness",
    "Hash",
    "Hist1",
    "Hist2",
    "Into",
    "IntoIterator",
    "Iterator",
    "Job",
    "Keep",
    "Module",
    "NewEvent",
    "None",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Profile",
    "Record",
    "Request",
    "Result",
    "Run",
    "Send",
    "Sequential",
    "Setup",
    "Sized",
    "Skip",
    "Some",
    "String",
    "Strip",
    "Sync",
    "Test",
    "Tid",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
    "Vec",
    "Verdict",
    "WeightedHist1",
    "WeightedHist2",
    "WeightedProfile",
];

/// Banks of MIDAS's sample experiment, and of its modules.
const BANKS: &[&str] = &["ACUM", "ADC0", "ASUM", "CADC", "SCLR", "TDC0"];

/// A name that cannot be.
#[derive(Debug)]
pub(crate) enum BadName {
    Crate(String),
    Module(String),
    /// The name, and how long it may be.
    Long(String, usize),
    /// The name, and whose it is.
    Taken(String, &'static str),
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadName::Crate(name) => write!(
                f,
                "{name:?}: the name of a crate begins with a small letter, and has small letters and digits, with \
                 single - or _ between them: my-analyzer"
            ),
            BadName::Module(name) => write!(
                f,
                "{name:?}: the name of a module begins with a small letter, and has small letters, digits and \
                 _ only: peak_finder"
            ),
            BadName::Long(name, most) => {
                write!(f, "{name:?}: a name has at most {most} letters, this one has {}", name.len())
            }
            BadName::Taken(name, whose) => write!(f, "{name:?}: this name is taken by {whose}: give another"),
        }
    }
}

impl std::error::Error for BadName {}

/// The name of a crate.
pub(crate) struct CrateName {
    /// As cargo has it: `my-analyzer`.
    pub(crate) package: String,
    /// As Rust has it: `my_analyzer`.
    pub(crate) ident: String,
}

impl CrateName {
    pub(crate) fn new(name: &str) -> Result<CrateName, BadName> {
        let first = name.chars().next();
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        // Others make a library of which the compiler says that its name is not in snake case.
        let words = name.split(['-', '_']).all(|word| !word.is_empty() && word.chars().all(letters));
        if !first.is_some_and(|c| c.is_ascii_lowercase()) || !words {
            return Err(BadName::Crate(name.to_owned()));
        }
        let ident = name.replace('-', "_");
        check(name, &ident, LONGEST[0])?;
        Ok(CrateName { package: name.to_owned(), ident })
    }
}

/// The name of a module.
pub(crate) struct ModuleName {
    /// Of the file: `peak_finder`.
    pub(crate) file: String,
    /// Of the type: `PeakFinder`.
    pub(crate) kind: String,
}

impl ModuleName {
    pub(crate) fn new(name: &str) -> Result<ModuleName, BadName> {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let words: Vec<&str> = name.split('_').collect();
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || !name.chars().all(letters) || words.iter().any(|word| word.is_empty()) {
            return Err(BadName::Module(name.to_owned()));
        }
        check(name, name, LONGEST[1])?;
        let kind: String = words.iter().map(|word| capital(word)).collect();
        if FILES.contains(&name) {
            return Err(BadName::Taken(name.to_owned(), "a file of every crate"));
        }
        if SEEN.contains(&&*kind) {
            return Err(BadName::Taken(name.to_owned(), "the prelude of Rust or Pactolus"));
        }
        if pactolus_modules::catalogue().names().any(|known| known == kind) {
            return Err(BadName::Taken(name.to_owned(), "a module of MIDAS's sample experiment"));
        }
        Ok(ModuleName { file: name.to_owned(), kind })
    }

    /// A bank for it that is not among those that are there: its first four letters, or three and a number.
    pub(crate) fn bank(&self, is_there: impl Fn(&str) -> bool) -> String {
        let letters = self.file.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase());
        let first: String = letters.chain(['0'; 4]).take(4).collect();
        let others = ('0'..='9').chain('A'..='Z').map(|last| format!("{}{last}", &first[..3]));
        let mut all = std::iter::once(first.clone()).chain(others);
        all.find(|bank| !BANKS.contains(&&**bank) && !is_there(bank)).unwrap_or(first)
    }
}

fn check(name: &str, ident: &str, most: usize) -> Result<(), BadName> {
    if name.len() > most {
        return Err(BadName::Long(name.to_owned(), most));
    }
    let small = ident.to_ascii_lowercase();
    let whose = match &*small {
        word if RUST.contains(&word) => "the language Rust",
        word if CARGO.contains(&word) => "cargo",
        word if word.starts_with("pactolus") => "Pactolus",
        _ => return Ok(()),
    };
    Err(BadName::Taken(name.to_owned(), whose))
}

/// A word with a capital letter.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cargo_or_rust_would_refuse_is_refused() {
        for name in ["my-analyzer", "lxe", "lxe_2"] {
            assert!(CrateName::new(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "2nd",
            "-a",
            "_a",
            "a b",
            "ä",
            "a.b",
            "Lxe",
            "a--b",
            "a-",
            "fn",
            "self",
            "std",
            "test",
            "pactolus-cli",
        ] {
            assert!(CrateName::new(name).is_err(), "{name}");
        }
        for name in ["peaks", "peak_finder", "tof2", "amplitude"] {
            assert!(ModuleName::new(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "Peaks",
            "peak-finder",
            "_p",
            "p_",
            "a__b",
            "main",
            "event",
            "from",
            "match",
            "pactolus",
            "adc_calib",
        ] {
            assert!(ModuleName::new(name).is_err(), "{name}");
        }
        assert!(ModuleName::new(&"a".repeat(24)).is_ok());
        assert!(matches!(ModuleName::new(&"a".repeat(25)), Err(BadName::Long(_, 24))));
        assert!(matches!(CrateName::new(&"a".repeat(32)), Err(BadName::Long(_, 31))));
    }

    #[test]
    fn a_module_has_a_type_and_a_bank_of_its_name() {
        let check = |name: &str, kind: &str, bank: &str| {
            let name = ModuleName::new(name).unwrap();
            assert_eq!((&*name.kind, &*name.bank(|_| false)), (kind, bank));
        };
        check("amplitude", "Amplitude", "AMPL");
        check("peak_finder", "PeakFinder", "PEAK");
        check("tof", "Tof", "TOF0");
        check("t_0", "T0", "T000");
        check("adc_0", "Adc0", "ADC1");
        let name = ModuleName::new("peak_finder").unwrap();
        assert_eq!(name.bank(|bank| bank == "PEAK"), "PEA0");
        assert_eq!(name.bank(|bank| bank == "PEAK" || bank == "PEA0"), "PEA1");
    }

    #[test]
    fn what_the_prelude_has_is_known() {
        let prelude = include_str!("../../../src/prelude.rs");
        for name in prelude.split(|c: char| !c.is_ascii_alphanumeric()) {
            let is_type = name.starts_with(|c: char| c.is_ascii_uppercase()) && name != "The";
            assert!(!is_type || SEEN.contains(&name), "{name}");
        }
    }
}
