//! The files of a crate and of a module. Each is a file as it stands in a crate `my-analyzer` with the
//! module `amplitude`; what is to be replaced are these names.

use super::names::ModuleName;
use super::source::Source;

/// A file, and what stands in it.
type Template = (&'static str, &'static str);

/// The files of a crate.
pub(super) const OF_A_CRATE: &[Template] = &[
    ("Cargo.toml", include_str!("template/manifest.toml")),
    ("README.md", include_str!("template/readme.md")),
    (".gitignore", include_str!("template/gitignore")),
    (".github/workflows/ci.yml", include_str!("template/ci.yml")),
    ("analyzer.toml", include_str!("template/definition.toml")),
    ("src/lib.rs", include_str!("template/lib.rs")),
    ("src/main.rs", include_str!("template/main.rs")),
];

/// Those of a module.
pub(super) const OF_A_MODULE: &[Template] = &[
    ("src/amplitude.rs", include_str!("template/module.rs")),
    ("tests/amplitude.rs", include_str!("template/test.rs")),
];

/// What stands for the names in the templates.
pub(super) struct Names<'a> {
    pub(super) package: &'a str,
    pub(super) ident: &'a str,
    pub(super) module: &'a ModuleName,
    pub(super) bank: &'a str,
}

impl Names<'_> {
    /// A template with these names.
    pub(super) fn fill_in(&self, template: &str) -> String {
        let names = [
            ("my-analyzer", self.package),
            ("my_analyzer", self.ident),
            ("amplitude", &self.module.file),
            ("Amplitude", &self.module.kind),
            ("AMPL", self.bank),
        ];
        replaced(template, &names)
    }

    /// The lines that mount the module in a definition.
    pub(super) fn mount(&self) -> String {
        let definition = include_str!("template/definition.toml");
        let from = definition.find("# In src/").unwrap_or(0);
        self.fill_in(&definition[from..])
    }
}

impl Source {
    /// The template of a manifest with this source.
    pub(super) fn fill_in(&self, template: &str) -> String {
        let note = match self {
            Source::Directory(_) => {
                "# A directory of this computer. Before others build this, name a repository, { git = \"URL\" },\n\
                 # or a version here.\n"
            }
            Source::Git(_) | Source::Version(_) => "",
        };
        let [root, cli, modules] = ["", "cli", "modules"].map(|room| self.dependency(room));
        let names = [
            ("PACTOLUS-NOTE\n", note),
            ("PACTOLUS-MODULES", &*modules),
            ("PACTOLUS-CLI", &cli),
            ("PACTOLUS-ROOT", &root),
        ];
        replaced(template, &names)
    }
}

/// A text in which each of these words is another. What comes in is not looked at again.
fn replaced(text: &str, words: &[(&str, &str)]) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let found = words.iter().find(|(word, _)| rest.starts_with(word));
        match found {
            Some((word, instead)) => {
                whole.push_str(instead);
                rest = &rest[word.len()..];
            }
            None => {
                whole.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_once() {
        let module = ModuleName::new("my_analyzer_amplitude").unwrap();
        let names = Names { package: "amplitude", ident: "amplitude", module: &module, bank: "MYAN" };
        assert_eq!(
            names.fill_in("use my_analyzer::amplitude::{AMPL, Amplitude};"),
            "use amplitude::my_analyzer_amplitude::{MYAN, MyAnalyzerAmplitude};"
        );
    }

    #[test]
    fn no_word_of_a_template_is_left() {
        let module = ModuleName::new("peak_finder").unwrap();
        let names = Names { package: "lxe-2", ident: "lxe_2", module: &module, bank: "PEAK" };
        let source = Source::Version("0.1.0".into());
        for (file, template) in OF_A_CRATE.iter().chain(OF_A_MODULE) {
            let text = names.fill_in(&source.fill_in(template));
            for word in ["PACTOLUS", "nalyzer_", "-analyzer", "mplitude", "AMPL"] {
                assert!(!text.contains(word), "{file}: {word}");
            }
        }
        assert!(
            names.mount().starts_with("# In src/peak_finder.rs.\n[[request.module]]\ntype = \"PeakFinder\"")
        );
    }
}
