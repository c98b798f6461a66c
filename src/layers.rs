//! Where the parameters of a run come from.
//!
//! In this order, and each later one wins: defaults of the modules, start values of the
//! definition, the store, the run's own ODB dump (if `ODB Load` says so, and only what mana would
//! load), configuration files, single parameters of the command line. Every run starts from the
//! same base, so no value leaks from one run into the next. Then they are gone: whoever sets a
//! value later wins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pactolus_odb::{Dump, Load, Path as OdbPath, Tree};

use crate::Error;
use crate::analyzer::Analyzer;
use crate::job::{Job, expand};
use crate::module::BoxError;
use crate::stage::{Mountable, TooShort};

mod tree;

pub(crate) use tree::{EQUIPMENT, bank_switch, event_definition, event_definitions, statistics};

/// Which layer last set each parameter, by path in lower case.
pub(crate) type Origins = BTreeMap<String, String>;

/// What every run starts from.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) tree: Tree,
    origins: Origins,
}

/// The settled values of one run.
pub(crate) struct Settled {
    pub(crate) tree: Tree,
    pub(crate) origins: Origins,
    pub(crate) warnings: Vec<String>,
}

impl Base {
    /// The store (`--odb-load`), and what the analyzer adds where keys are missing.
    pub(crate) fn new(analyzer: &Analyzer, job: &Job) -> Result<Base, Error> {
        let mut base = Base { tree: Tree::new(), origins: Origins::new() };
        for path in &job.odb_load {
            let dump = read_dump(path)?;
            let loaded = base.tree.load(&dump, &Load::default());
            note(&mut base.origins, &loaded.set, &format!("store {}", path.display()));
        }
        tree::create(analyzer, job, &mut base.tree, &mut base.origins)?;
        Ok(base)
    }

    /// The values of a run. `dump` is the payload of its BOR event, if it has one.
    pub(crate) fn settle(
        &self,
        analyzer: &Analyzer,
        job: &Job,
        run: u32,
        dump: Option<&[u8]>,
    ) -> Result<Settled, Error> {
        let Base { mut tree, mut origins } = self.clone();
        let mut warnings = Vec::new();
        let root = analyzer.root();
        if dump.is_some() {
            tree::load_switch(&root, &mut tree)?;
        }
        if let Some(text) = dump.filter(|text| !is_blank(text))
            && self.loads_dumps(analyzer, job, run)?
        {
            match Dump::parse(text) {
                Ok(dump) => {
                    let before = tree.clone();
                    let protection = Protection::new(&root, &job.protect, &before);
                    let allow = |path: &OdbPath| protection.allows(path);
                    // What a dump holds beyond the parameters of this analyzer is its own affair.
                    let loaded = tree.load(&dump, &Load { allow: Some(&allow), ..Load::default() });
                    note(&mut origins, &loaded.set, "the run's ODB dump");
                }
                Err(error) => warnings.push(format!("run {run}: its ODB dump cannot be read: {error}")),
            }
        }
        let known = tree.clone();
        self.configure(analyzer, job, run, &mut tree, Some(&mut origins))?;
        for path in unknown_parameters(&root, &known, &tree) {
            warnings.push(format!("{path}: no module has this parameter"));
        }
        tree::set_run(&mut tree, run)?;
        Ok(Settled { tree, origins, warnings })
    }

    /// Configuration files, then single parameters.
    fn configure(
        &self,
        analyzer: &Analyzer,
        job: &Job,
        run: u32,
        tree: &mut Tree,
        mut origins: Option<&mut Origins>,
    ) -> Result<(), Error> {
        for pattern in &job.config {
            let path = PathBuf::from(expand(&pattern.to_string_lossy(), run));
            let dump = read_dump(&path)?;
            let loaded = tree.load(&dump, &Load::default());
            if let Some((at, why)) = loaded.failed.first() {
                let message = format!("{at}: {why}");
                return Err(Error::Configuration { path, message });
            }
            if let Some(origins) = &mut origins {
                note(origins, &loaded.set, &path.display().to_string());
            }
        }
        for (name, value) in &job.parameters {
            let path = parameter_path(&analyzer.root(), name);
            tree.set_text(&path, value).map_err(Error::Parameter)?;
            if let Some(origins) = &mut origins {
                let whole = tree.find(&path).map_or(path, |found| found.path.to_string());
                origins.insert(whole.to_lowercase(), format!("-p {name}={value}"));
            }
        }
        Ok(())
    }

    /// Whether the run's dump is to be loaded: never what the dump itself says.
    fn loads_dumps(&self, analyzer: &Analyzer, job: &Job, run: u32) -> Result<bool, Error> {
        let mut tree = self.tree.clone();
        tree::load_switch(&analyzer.root(), &mut tree)?;
        for pattern in &job.config {
            let dump = read_dump(Path::new(&expand(&pattern.to_string_lossy(), run)))?;
            tree.load(&dump, &Load::default());
        }
        for (name, value) in &job.parameters {
            // What is wrong with it is said when it is applied.
            let _ = tree.set_text(&parameter_path(&analyzer.root(), name), value);
        }
        Ok(tree.get(&format!("{}/ODB Load", analyzer.root())).unwrap_or(true))
    }
}

/// A path below the parameters, unless it is a full one.
fn parameter_path(root: &str, name: &str) -> String {
    if name.starts_with('/') { name.to_owned() } else { format!("{root}/Parameters/{name}") }
}

/// Loggers that are told not to dump the ODB may leave an empty text.
fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii_whitespace() || *b == 0)
}

fn read_dump(path: &Path) -> Result<Dump, Error> {
    let configuration = |message: String| Error::Configuration { path: path.to_owned(), message };
    let bytes = std::fs::read(path).map_err(|e| configuration(e.to_string()))?;
    Dump::parse(&bytes).map_err(|e| configuration(e.to_string()))
}

fn note(origins: &mut Origins, set: &[OdbPath], origin: &str) {
    for path in set {
        origins.insert(path.to_string().to_lowercase(), origin.to_owned());
    }
}

/// Keys of parameter directories that only configuration files know, if the directory is one of
/// ours: a misspelled name. Whole directories may belong to somebody else.
fn unknown_parameters(root: &str, known: &Tree, tree: &Tree) -> Vec<String> {
    let parameters = format!("{root}/Parameters");
    let Ok(walk) = tree.walk(&parameters) else { return Vec::new() };
    walk.filter(|(path, key)| {
        let directory = path.parent().map(|p| p.to_string()).unwrap_or_default();
        key.value().is_some() && known.exists(&directory) && !known.exists(&path.to_string())
    })
    .map(|(path, _)| path.to_string())
    .collect()
}

/// What mana lets a dump change: run parameters, the analyzer's parameters, and equipment without
/// the variables that exist; of that, nothing below the user's `-P` trees.
struct Protection<'t> {
    open: Vec<OdbPath>,
    closed: Vec<OdbPath>,
    tree: &'t Tree,
}

impl<'t> Protection<'t> {
    fn new(root: &str, protect: &[String], tree: &'t Tree) -> Protection<'t> {
        let parse = |path: &str| OdbPath::parse(path).ok();
        let parameters = format!("{root}/Parameters");
        let open = ["/Experiment/Run Parameters", &parameters, EQUIPMENT].into_iter().filter_map(parse);
        Protection { open: open.collect(), closed: protect.iter().filter_map(|p| parse(p)).collect(), tree }
    }

    fn allows(&self, path: &OdbPath) -> bool {
        let below = |tree: &OdbPath| path.starts_with(tree);
        self.open.iter().any(below) && !self.closed.iter().any(below) && !self.is_variable(path)
    }

    /// `/Equipment/<name>/Variables/...` that exists.
    fn is_variable(&self, path: &OdbPath) -> bool {
        let names = path.names();
        names.len() > 3
            && names[0].eq_ignore_ascii_case("Equipment")
            && names[2].eq_ignore_ascii_case("Variables")
            && self.tree.exists(&path.to_string())
    }
}

/// Fills a module's fields from its directory, and checks arrays against the declared banks.
pub(crate) fn fill(
    module: &mut Mountable,
    tree: &Tree,
    directory: &OdbPath,
    elements: impl Fn([u8; 4]) -> Option<usize>,
) -> Result<(), BoxError> {
    let record = module.record();
    record.load(tree, directory)?;
    let fields = record.fields();
    for per in record.per() {
        let declared = fields.iter().find(|f| f.name == per.key).and_then(|f| f.per).and_then(|b| b.elements);
        if let Some(elements) = elements(per.bank).or(declared)
            && per.len < elements
        {
            let bank = pactolus_formats::BankName::new(per.bank);
            return Err(TooShort { key: per.key.to_owned(), len: per.len, bank, elements }.into());
        }
    }
    Ok(())
}
