//! Where the parameters of a run come from.
//!
//! In this order, and each later one wins: defaults of the modules, start values of the
//! definition, the store, the run's own ODB dump (if `ODB Load` says so, and only what mana would
//! load), configuration files, single parameters of the command line. Every run starts from the
//! same base, so no value leaks from one run into the next. Then they are gone: whoever sets a
//! value later wins.
//!
//! A job on an ODB that it shares with others is different in two ways: a run starts from what is in
//! there at its begin, and what is applied to it stays there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_odb::{Dump, Load, Loaded, Odb, Path as OdbPath, Record, Tree, Typed, nearest};

use crate::analyzer::Analyzer;
use crate::job::{Job, expand};
use crate::module::BoxError;
use crate::recorded::Records;
use crate::stage::TooShort;
use crate::{Error, Run};

mod definitions;
mod in_force;
mod recorded;
mod skipped;
mod tree;

pub(crate) use definitions::{EQUIPMENT, EventDefinition, dumped, event_definitions, with_those_of};
pub(crate) use in_force::{InForce, watched};
pub(crate) use skipped::Skipped;
use tree::Makes;
pub(crate) use tree::{bank_switch, no_tests, set_run, statistics};

/// Which layer last set each parameter, by path in lower case.
pub(crate) type Origins = BTreeMap<String, String>;

/// Contents of configuration files by name.
pub(crate) type Files = BTreeMap<String, Arc<[u8]>>;

/// What every run starts from.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) tree: Tree,
    pub(crate) origins: Origins,
    warnings: Vec<String>,
    /// The first key that is protected and was not written.
    skipped: Option<String>,
    /// The files of the store.
    pub(crate) store: Files,
    /// Files stand here, not on the disk: the job was begun elsewhere.
    given: Option<Files>,
    /// Recorded epochs, which rule over all of this.
    pub(crate) records: Records,
}

/// The settled values of one run.
pub(crate) struct Settled {
    /// The ODB that they were taken from.
    pub(crate) odb: Tree,
    /// The values in force: with what is behind the links of a shared ODB.
    pub(crate) tree: Tree,
    /// The first key that is protected and was not written.
    pub(crate) skipped: Option<String>,
    /// What is known of the events of the run.
    pub(crate) definitions: Vec<EventDefinition>,
    pub(crate) origins: Origins,
    pub(crate) warnings: Vec<String>,
    /// The configuration files of this run.
    pub(crate) files: Files,
}

/// A configuration file of a run.
struct Config {
    path: PathBuf,
    dump: Dump,
}

impl Base {
    /// The store (`--odb-load`), and what the analyzer adds where keys are missing.
    pub(crate) fn new(analyzer: &Analyzer, job: &Job) -> Result<Base, Error> {
        Base::from(analyzer, job, None)
    }

    /// ... with the files that a job elsewhere has read.
    pub(crate) fn from(analyzer: &Analyzer, job: &Job, given: Option<Files>) -> Result<Base, Error> {
        let (records, warnings) = Records::new(analyzer, job)?;
        let mut base = Base {
            tree: Tree::new(),
            origins: Origins::new(),
            warnings,
            skipped: None,
            store: Files::new(),
            given,
            records,
        };
        if !base.records.is_empty() {
            return Ok(base);
        }
        let mut dumps = Vec::new();
        for path in &job.odb_load {
            let bytes = base.read(path)?;
            dumps.push((path, parse_dump(path, &bytes, &mut base.warnings)?));
            base.store.insert(path.to_string_lossy().into_owned(), bytes);
        }
        let start = |tree: &mut Tree| {
            let (mut origins, mut skipped) = (Origins::new(), Skipped::new(job.odb.is_some()));
            for (path, dump) in &dumps {
                // With times and access modes, as far as the file has them.
                let loaded = tree.load(dump, &Load { exact: true, ..Load::default() });
                all_loaded(path, &loaded)?;
                note(&mut origins, &loaded.set, &format!("store {}", path.display()));
            }
            tree::create(analyzer, job, tree, (&mut origins, &mut skipped), Makes::Start)?;
            Ok((origins, skipped.first))
        };
        (base.tree, (base.origins, base.skipped)) = match &job.odb {
            Some(odb) => at_once(odb, start)?,
            None => {
                let mut tree = Tree::new();
                let started = start(&mut tree)?;
                (tree, started)
            }
        };
        Ok(base)
    }

    /// The same for a run whose configuration files are these.
    pub(crate) fn with(&self, files: Files) -> Base {
        Base { given: Some(files), ..self.clone() }
    }

    fn read(&self, path: &Path) -> Result<Arc<[u8]>, Error> {
        let bytes = match &self.given {
            None => std::fs::read(path).map(Arc::from).map_err(|e| e.to_string()),
            Some(files) => files.get(&*path.to_string_lossy()).cloned().ok_or("not in the part".to_owned()),
        };
        bytes.map_err(|message| Error::Configuration { path: path.to_owned(), message })
    }

    /// The values of a run. `dump` is the payload of its BOR event, if it has one; `numbered`: the run has
    /// a number of its own.
    pub(crate) fn settle(
        &self,
        analyzer: &Analyzer,
        job: &Job,
        (run, numbered): (&Run, bool),
        dump: Option<&[u8]>,
    ) -> Result<Settled, Error> {
        let mut warnings = self.warnings.clone();
        let (mut configs, mut files) = (Vec::new(), Files::new());
        for pattern in &job.config {
            let path = PathBuf::from(expand(&pattern.to_string_lossy(), run.number));
            let bytes = self.read(&path)?;
            configs.push(Config { dump: parse_dump(&path, &bytes, &mut warnings)?, path: path.clone() });
            files.insert(path.to_string_lossy().into_owned(), bytes);
        }
        let begin = Begin { root: analyzer.root(), job, run, numbered, dump, configs };
        let (odb, applied) = match &job.odb {
            Some(odb) => at_once(odb, |tree| {
                let (mut origins, mut skipped) = (self.origins_in(tree), Skipped::new(true));
                tree::create(analyzer, job, tree, (&mut origins, &mut skipped), Makes::Run)?;
                begin.apply(tree, (origins, skipped), true)
            })?,
            None => {
                let mut tree = self.tree.clone();
                // The time of the run, not of this computer: the same job gives the same tree.
                tree.set_now(run.start.unwrap_or(0));
                let origins = self.origins.clone();
                let applied = begin.apply(&mut tree, (origins, Skipped::new(false)), false)?;
                (tree, applied)
            }
        };
        let Applied { mut origins, warnings: more, skipped } = applied;
        warnings.extend(more);
        let mut definitions = event_definitions(&odb);
        let mut tree = odb.clone();
        if job.odb.is_some() {
            // What the run says of its events is no affair of others.
            definitions = with_those_of(definitions, dump.map(dumped).as_ref());
            tree = InForce::new(analyzer, job, &odb).done()?;
            for (path, _) in tree.walk(&format!("{}/Parameters", begin.root)).into_iter().flatten() {
                origins.entry(path.to_string().to_lowercase()).or_insert_with(|| "the ODB".into());
            }
        }
        let skipped = skipped.or_else(|| self.skipped.clone());
        Ok(Settled { odb, tree, skipped, definitions, origins, warnings, files })
    }

    /// Where the values come from that nobody has changed since the job began.
    fn origins_in(&self, tree: &Tree) -> Origins {
        let is_as_it_was = |path: &str| match (tree.value(path), self.tree.value(path)) {
            (Ok(now), Ok(then)) => now.same(&then),
            _ => false,
        };
        self.origins
            .iter()
            .filter(|(path, _)| is_as_it_was(path))
            .map(|(p, o)| (p.clone(), o.clone()))
            .collect()
    }
}

/// Changes an ODB in one transaction, with errors of our own: after one, nothing is changed. The tree
/// as it is then, and what `change` answers, which may be called again and so must begin anew.
fn at_once<T>(odb: &Odb, mut change: impl FnMut(&mut Tree) -> Result<T, Error>) -> Result<(Tree, T), Error> {
    let mut refused = None;
    let done = odb.change(|tree| {
        refused = None;
        match change(tree) {
            Ok(answer) => Ok((tree.clone(), answer)),
            Err(error) => {
                refused = Some(error);
                Err(pactolus_odb::Error::Store("the change is refused".into()))
            }
        }
    });
    match refused {
        Some(error) => Err(error),
        None => Ok(done?),
    }
}

/// All that is applied at the begin of a run.
struct Begin<'a> {
    root: String,
    job: &'a Job,
    run: &'a Run,
    /// The run has a number of its own.
    numbered: bool,
    dump: Option<&'a [u8]>,
    configs: Vec<Config>,
}

/// What came of that.
struct Applied {
    origins: Origins,
    warnings: Vec<String>,
    /// The first key that is protected and was not written.
    skipped: Option<String>,
}

impl Begin<'_> {
    /// Changes the tree that the run begins with. `shared`: with others.
    fn apply(
        &self,
        tree: &mut Tree,
        (mut origins, mut skipped): (Origins, Skipped),
        shared: bool,
    ) -> Result<Applied, Error> {
        let Begin { root, job, run, numbered, dump, configs } = self;
        let number = run.number;
        let mut warnings = Vec::new();
        let first = tree.clone();
        if dump.is_some() {
            tree::load_switch(root, tree, !shared)?;
        }
        if let Some(text) = dump.filter(|text| !is_blank(text))
            && self.loads_dumps(first, !shared)?
        {
            match Dump::parse(text) {
                Ok(dump) => {
                    let before = tree.clone();
                    let protection = Protection::new(root, &job.protect, &before);
                    let allow = |path: &OdbPath| protection.allows(path);
                    // What a dump holds beyond the parameters of this analyzer is its own affair.
                    let loaded = tree.load(&dump, &Load { allow: Some(&allow), ..Load::default() });
                    note(&mut origins, &loaded.set, "the run's ODB dump");
                }
                Err(error) => warnings.push(format!("run {number}: its ODB dump cannot be read: {error}")),
            }
        }
        for Config { path, dump } in configs {
            let known = tree.clone();
            let loaded = tree.load(dump, &Load::default());
            all_loaded(path, &loaded)?;
            unknown(root, &known, path, &loaded.set, &mut warnings);
            note(&mut origins, &loaded.set, &path.display().to_string());
        }
        for (name, value) in &job.parameters {
            let path = parameter_path(tree, root, name);
            tree.set_text(&path, value).map_err(Error::Parameter)?;
            if let Some(link) = tree.find_link(&path).ok().filter(|_| shared) {
                origins.insert(link.path.to_string().to_lowercase(), format!("-p {name}={value}"));
            }
            let whole = tree.find(&path).map_or(path, |found| found.path.to_string());
            origins.insert(whole.to_lowercase(), format!("-p {name}={value}"));
        }
        if *numbered || !shared {
            tree::set_run(tree, number, &mut skipped)?;
        }
        Ok(Applied { origins, warnings, skipped: skipped.first })
    }

    /// Whether the run's dump is to be loaded: never what the dump itself says.
    fn loads_dumps(&self, mut tree: Tree, default: bool) -> Result<bool, Error> {
        let root = &self.root;
        tree::load_switch(root, &mut tree, default)?;
        for Config { dump, .. } in &self.configs {
            tree.load(dump, &Load::default());
        }
        for (name, value) in &self.job.parameters {
            // What is wrong with it is said when it is applied.
            let _ = tree.set_text(&parameter_path(&tree, root, name), value);
        }
        setting(&tree, &format!("{root}/ODB Load"), default)
    }
}

/// The value of a key that may be missing, but not of another kind.
pub(crate) fn setting<T: Typed>(tree: &Tree, path: &str, default: T) -> Result<T, Error> {
    match tree.get(path) {
        Err(pactolus_odb::Error::NotFound { .. }) => Ok(default),
        other => Ok(other?),
    }
}

/// A path below the parameters, unless it is a full one. As for the fields of a module, `_` may
/// stand for a blank.
fn parameter_path(tree: &Tree, root: &str, name: &str) -> String {
    let path = if name.starts_with('/') { name.to_owned() } else { format!("{root}/Parameters/{name}") };
    if tree.exists(&path) {
        return path;
    }
    let mut found = String::new();
    for part in path.split('/').skip(1) {
        let (plain, index) = part.find('[').map_or((part, ""), |at| part.split_at(at));
        let key = tree.directory(if found.is_empty() { "/" } else { &found }).ok();
        let key = key.and_then(|d| {
            Some((d.get_loose(part)?.name(), "")).or(Some((d.get_loose(plain)?.name(), index)))
        });
        let Some((name, index)) = key else { return path };
        found = format!("{found}/{name}{index}");
    }
    found
}

/// Loggers that are told not to dump the ODB may leave an empty text.
fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii_whitespace() || *b == 0)
}

fn parse_dump(path: &Path, bytes: &[u8], warnings: &mut Vec<String>) -> Result<Dump, Error> {
    let refused = |e| Error::Configuration { path: path.to_owned(), message: format!("{e}") };
    let dump = Dump::parse(bytes).map_err(refused)?;
    for remark in &dump.remarks {
        warnings.push(format!("{} line {}: {}", path.display(), remark.line, remark.what));
    }
    Ok(dump)
}

/// A file that a user names is meant to be loaded, all of it.
fn all_loaded(path: &Path, loaded: &Loaded) -> Result<(), Error> {
    match loaded.failed.first() {
        // The reason names the key.
        Some((_, why)) => Err(Error::Configuration { path: path.to_owned(), message: why.to_string() }),
        None => Ok(()),
    }
}

fn note(origins: &mut Origins, set: &[OdbPath], origin: &str) {
    for path in set {
        origins.insert(path.to_string().to_lowercase(), origin.to_owned());
    }
}

/// Warns of what a configuration file sets below the analyzer's own directories that nothing there
/// has: misspelled names.
fn unknown(root: &str, known: &Tree, file: &Path, set: &[OdbPath], warnings: &mut Vec<String>) {
    for place in ["Parameters", "Module switches", "Bank switches"] {
        let Ok(base) = OdbPath::parse(&format!("{root}/{place}")) else { continue };
        let new = set.iter().filter(|path| path.starts_with(&base) && !known.exists(&path.to_string()));
        let names: Vec<String> = new.filter_map(|path| Some(path.below(&base)?.names().join("/"))).collect();
        if let Some(first) = names.first() {
            let hint = hint(known, &base, first);
            let few = names.len().min(5);
            let more =
                if names.len() > few { format!(", and {} more", names.len() - few) } else { String::new() };
            let names = names[..few].join(", ");
            warnings.push(format!(
                "{} sets keys of {base} that nothing uses: {names}{more}{hint}",
                file.display()
            ));
        }
    }
}

/// The nearest name to the first part of `name` that is unknown below `base`.
fn hint(known: &Tree, base: &OdbPath, name: &str) -> String {
    let mut directory = base.clone();
    for part in name.split('/') {
        let Ok(keys) = known.directory(&directory.to_string()) else { break };
        if keys.get(part).is_none() {
            let near = nearest(part, keys.iter().map(pactolus_odb::Key::name));
            return near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
        }
        let Ok(below) = directory.child(part) else { break };
        directory = below;
    }
    String::new()
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
    record: &mut dyn Record,
    tree: &Tree,
    directory: &OdbPath,
    elements: impl Fn([u8; 4]) -> Option<usize>,
) -> Result<(), BoxError> {
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
