//! The keys that an analyzer adds to the ODB: the tree that `mana` makes.

use pactolus_formats::BankName;
use pactolus_odb::{Path as OdbPath, Tree, Value};

use super::{Origins, Skipped};
use crate::Error;
use crate::analyzer::Analyzer;
use crate::chain::Mounted;
use crate::job::Job;
use crate::request::Request;

/// Length of names in event definitions.
const NAME: usize = 32;
/// Length of file names.
const FILE: usize = 256;

/// When keys are made that are missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Makes {
    /// At the start of a job: what `mana` rewrites then is rewritten, too.
    Start,
    /// At the begin of a run.
    Run,
    /// For an epoch: only what the analyzer reads.
    Epoch,
}

/// Adds what is missing, and rewrites what `mana` rewrites at every start.
pub(crate) fn create(
    analyzer: &Analyzer,
    job: &Job,
    tree: &mut Tree,
    (origins, skipped): (&mut Origins, &mut Skipped),
    makes: Makes,
) -> Result<(), Error> {
    let root = analyzer.root();
    for chain in &analyzer.chains {
        for stage in &chain.stages {
            parameters(analyzer, stage, tree, origins)?;
        }
    }
    for (directory, key, value) in &analyzer.parameters {
        let path = format!("{root}/Parameters/{directory}/{key}");
        if !tree.exists(&path) {
            tree.create(&path, value.clone())?;
            origins.insert(path.to_lowercase(), "the definition".into());
        }
    }
    if makes != Makes::Epoch {
        output(job, tree, &format!("{root}/Output"), skipped, makes)?;
    }
    for stage in analyzer.chains.iter().flat_map(|c| &c.stages) {
        missing(tree, &format!("{root}/Module switches/{}", stage.name), true)?;
    }
    for chain in &analyzer.chains {
        event(job, analyzer, &chain.request, tree, skipped, makes)?;
    }
    for bank in analyzer.chains.iter().flat_map(|c| &c.request.banks) {
        if let Some(path) = bank_switch(&root, bank.name) {
            missing(tree, &path, u32::from(bank.switch))?;
        }
    }
    if makes == Makes::Start {
        no_tests(analyzer, tree, skipped)?;
    }
    Ok(())
}

/// Deletes the counts of tests.
pub(crate) fn no_tests(
    analyzer: &Analyzer,
    tree: &mut Tree,
    skipped: &mut Skipped,
) -> Result<(), pactolus_odb::Error> {
    let tests = format!("{}/Tests", analyzer.root());
    if tree.exists(&tests) { skipped.unless(tree.delete(&tests)) } else { Ok(()) }
}

/// The switch for loading dumps, which `mana` makes when it meets the first.
pub(super) fn load_switch(root: &str, tree: &mut Tree, default: bool) -> Result<(), Error> {
    missing(tree, &format!("{root}/ODB Load"), default)
}

/// The key of a bank's output switch; `None` if the name cannot be one of a key.
pub(crate) fn bank_switch(root: &str, bank: BankName) -> Option<String> {
    let name = std::str::from_utf8(bank.text()).ok()?.to_owned();
    (!name.is_empty() && !name.contains('/')).then(|| format!("{root}/Bank switches/{name}"))
}

fn missing(tree: &mut Tree, path: &str, value: impl Into<Value>) -> Result<(), Error> {
    if !tree.exists(path) {
        tree.create(path, value)?;
    }
    Ok(())
}

fn text(value: &str, size: usize) -> Value {
    let values = vec![value.as_bytes().to_vec()];
    Value::String(pactolus_odb::Strings { size: size.max(value.len() + 1), values })
}

/// The keys of a module's parameters: the module's defaults, or the definition's start values.
fn parameters(
    analyzer: &Analyzer,
    stage: &Mounted,
    tree: &mut Tree,
    origins: &mut Origins,
) -> Result<(), Error> {
    let directory = OdbPath::parse(&format!("{}/Parameters/{}", analyzer.root(), stage.name))?;
    let mut module = stage.module.fresh();
    let record = module.record();
    let own = |error: pactolus_odb::Error| Error::Definition {
        place: format!("module \"{}\"", stage.name),
        message: error.to_string(),
    };
    let elements = |bank: [u8; 4]| analyzer.elements(stage, BankName::new(bank));
    for path in record.create(tree, &directory, &elements).map_err(own)? {
        let is_started = path.name().is_some_and(|key| stage.started.contains(&key));
        let origin = if is_started { "the definition" } else { "default of the module" };
        origins.insert(path.to_string().to_lowercase(), origin.into());
    }
    Ok(())
}

/// `Output`: what mana keeps there. Only the file name and the copying of events have a meaning here.
fn output(
    job: &Job,
    tree: &mut Tree,
    directory: &str,
    skipped: &mut Skipped,
    makes: Makes,
) -> Result<(), Error> {
    let name = job.outputs.first().map(|o| o.pattern.clone());
    let file = format!("{directory}/Filename");
    match name {
        Some(_) if tree.exists(&file) && makes != Makes::Start => {}
        Some(name) if tree.exists(&file) => skipped.unless(tree.set(&file, text(&name, FILE)))?,
        Some(name) => tree.create(&file, text(&name, FILE))?,
        None => missing(tree, &file, text("run%05d.asc", FILE))?,
    }
    missing(tree, &format!("{directory}/RWNT"), false)?;
    missing(tree, &format!("{directory}/Histo Dump"), false)?;
    missing(tree, &format!("{directory}/Histo Dump Filename"), text("his%05d.rz", FILE))?;
    missing(tree, &format!("{directory}/Clear histos"), true)?;
    missing(tree, &format!("{directory}/Last Histo Filename"), text("last.rz", FILE))?;
    missing(tree, &format!("{directory}/Events to ODB"), true)?;
    missing(tree, &format!("{directory}/Global Memory Name"), text("ONLN", 8))
}

/// `<event>/Common` from the request, at every start, and `<event>/Statistics` at zero.
fn event(
    job: &Job,
    analyzer: &Analyzer,
    request: &Request,
    tree: &mut Tree,
    skipped: &mut Skipped,
    makes: Makes,
) -> Result<(), Error> {
    let common = format!("{}/{}/Common", analyzer.root(), request.name);
    let mut put = |key: &str, value: Value| {
        let path = format!("{common}/{key}");
        let is_missing = || !tree.exists(&path);
        if makes == Makes::Start || is_missing() {
            skipped.unless(tree.replace(&path, value))?;
        }
        Ok::<_, Error>(())
    };
    put("Event ID", request.id.into())?;
    put("Trigger mask", request.mask.into())?;
    if makes == Makes::Epoch {
        return put("Enabled", true.into());
    }
    put("Sampling type", request.sampling.code().into())?;
    put("Buffer", text(&request.buffer, NAME))?;
    put("Enabled", true.into())?;
    put("Client name", text(&analyzer.name, NAME))?;
    put("Host", text(&job.host, NAME))?;
    match makes {
        Makes::Start => Ok(statistics(analyzer, &request.name, tree, [0.0; 3], skipped)?),
        _ => Ok(()),
    }
}

/// Sets the statistics of an event: received, per second, written.
pub(crate) fn statistics(
    analyzer: &Analyzer,
    event: &str,
    tree: &mut Tree,
    values: [f64; 3],
    skipped: &mut Skipped,
) -> Result<(), pactolus_odb::Error> {
    let directory = format!("{}/{event}/Statistics", analyzer.root());
    for (key, value) in ["Events received", "Events per sec.", "Events written"].into_iter().zip(values) {
        skipped.unless(tree.replace(&format!("{directory}/{key}"), value))?;
    }
    Ok(())
}

/// The run number where MIDAS keeps it.
pub(crate) fn set_run(tree: &mut Tree, run: u32, skipped: &mut Skipped) -> Result<(), pactolus_odb::Error> {
    // MIDAS's run number is an INT; files claim any 32 bits.
    skipped.unless(tree.replace("/Runinfo/Run number", run as i32))?;
    skipped.unless(tree.replace("/Runinfo/Online Mode", 0i32))
}
