//! The analyzer: requests, each with its chain of stages.

use std::io::Write;
use std::sync::Arc;

use pactolus_formats::tuple::{ColumnDef, TableDef};
use pactolus_formats::{BankName, Layout};
use pactolus_odb::{Odb, Path as OdbPath, Tree};

use crate::catalogue::Catalogue;
use crate::chain::{Chain, Mounted, rehearse};
use crate::definition::{Definition, Parameter};
use crate::epoch::{Epoch, Format, RunChain, unique};
use crate::fold;
use crate::histo::{Automatic, Store};
use crate::job::{Job, OutputFile, OutputKind};
use crate::layers::{
    Base, Files, Origins, Settled, bank_switch, event_definition, event_definitions, fill, setting,
};
use crate::module::{Booked, Module, Sequential, Setup};
use crate::report::Report;
use crate::request::Request;
use crate::sink::Sinks;
use crate::stage::{AnySequential, Body, Either, Length, Mountable, Stage, guarded};
use crate::{Error, Progress, Run};

/// An analyzer: requests in order, each with its chain of stages.
///
/// ```
/// use pactolus::prelude::*;
/// const ADC0: BankDef<u16> = BankDef::new(b"ADC0").size(4);
///
/// #[derive(Record, Clone)]
/// struct Threshold {
///     /// Smallest count that is kept [counts]
///     #[key("Threshold", default = 10)]
///     threshold: u16,
/// }
///
/// impl Module for Threshold {
///     fn banks(&self) -> Banks {
///         Banks::read(ADC0)
///     }
///     fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
///         let Some(adc) = event.get(ADC0)? else { return Ok(Skip) };
///         Ok(if adc.iter().any(|n| n >= self.threshold) { Keep } else { Skip })
///     }
/// }
///
/// let analyzer = Analyzer::new("Analyzer")
///     .on(Request::new("Trigger", 1).bank(ADC0))
///     .module("Threshold", Threshold::defaults());
/// assert!(analyzer.rehearse().is_ok());
/// ```
pub struct Analyzer {
    pub(crate) name: String,
    pub(crate) chains: Vec<Chain>,
    pub(crate) parameters: Vec<(String, String, Parameter)>,
    /// The text of the definition it was made from.
    pub(crate) definition: Option<String>,
}

impl Analyzer {
    /// An analyzer without requests: it takes every event as it is. `name` is that of its
    /// directory in the ODB.
    pub fn new(name: impl Into<String>) -> Analyzer {
        Analyzer { name: name.into(), chains: Vec::new(), parameters: Vec::new(), definition: None }
    }

    /// The analyzer that a definition describes, with modules from `catalogue`.
    ///
    /// # Errors
    /// If the definition names a module that the catalogue does not have.
    pub fn from_definition(definition: &Definition, catalogue: &Catalogue) -> Result<Analyzer, Error> {
        let mut analyzer = Analyzer::new(&definition.name);
        analyzer.parameters.clone_from(&definition.parameters);
        analyzer.definition = Some(definition.text.clone());
        for (request, mounts) in &definition.requests {
            let mut stages = Vec::new();
            for mount in mounts {
                let module = catalogue.make(&mount.module).map_err(|message| Error::Definition {
                    place: format!("request \"{}\"", request.name),
                    message,
                })?;
                stages.push(Mounted {
                    name: mount.name.clone(),
                    module,
                    parameters: mount.parameters.clone(),
                    banks: mount.banks.clone(),
                });
            }
            analyzer.chains.push(Chain { request: request.clone(), stages });
        }
        Ok(analyzer)
    }

    /// Adds a request; the modules that follow are its chain.
    #[must_use]
    pub fn on(mut self, request: Request) -> Analyzer {
        self.chains.push(Chain { request, stages: Vec::new() });
        self
    }

    /// Mounts a module at the end of the last request's chain. Without a request before it, that is
    /// a request for every event.
    #[must_use]
    pub fn module(self, name: impl Into<String>, module: impl Module + Clone + 'static) -> Analyzer {
        self.mount(name.into(), Mountable::module(module))
    }

    /// Mounts a module that sees the events one after the other.
    #[must_use]
    pub fn sequential(
        self,
        name: impl Into<String>,
        module: impl Sequential + Clone + Sync + 'static,
    ) -> Analyzer {
        self.mount(name.into(), Mountable::sequential(module))
    }

    fn mount(mut self, name: String, module: Mountable) -> Analyzer {
        if self.chains.is_empty() {
            self = self.on(Request::new("All", -1));
        }
        if let Some(chain) = self.chains.last_mut() {
            chain.stages.push(Mounted { name, module, parameters: toml::Table::new(), banks: Vec::new() });
        }
        self
    }

    /// Its directory in the ODB.
    pub(crate) fn root(&self) -> String {
        format!("/{}", self.name)
    }

    /// Walks the chains without an event: warnings if they can work.
    ///
    /// # Errors
    /// [`Error::Wiring`] with the first thing that cannot work.
    pub fn rehearse(&self) -> Result<Vec<String>, Error> {
        Ok(rehearse(&self.chains)?)
    }

    /// Does a job: reads its inputs, passes events through the chains, writes its outputs.
    ///
    /// # Errors
    /// If the job cannot begin, or an output cannot be written. Damaged input and events that
    /// modules lose are no errors: they are in the report.
    pub fn run(&self, job: &Job) -> Result<Report, Error> {
        self.run_with(job, &mut |_| {})
    }

    /// As [`run`](Analyzer::run), telling `progress` after each block.
    ///
    /// # Errors
    /// As [`run`](Analyzer::run).
    pub fn run_with(&self, job: &Job, progress: &mut dyn FnMut(&Progress)) -> Result<Report, Error> {
        if job.outputs.iter().any(OutputFile::is_stdout) {
            return Err(Error::Job("output -: run_to takes what stands for standard output".into()));
        }
        self.run_to(job, progress, &mut std::io::sink())
    }

    /// As [`run_with`](Analyzer::run_with); the output `-` goes to `stdout`.
    ///
    /// # Errors
    /// As [`run`](Analyzer::run).
    pub fn run_to(
        &self,
        job: &Job,
        progress: &mut dyn FnMut(&Progress),
        stdout: &mut dyn Write,
    ) -> Result<Report, Error> {
        let warnings = self.rehearse()?;
        job.check()?;
        let base = Base::new(self, job)?;
        let mut report = fold::run(self, job, &base, progress, stdout)?;
        report.warnings.splice(0..0, warnings);
        Ok(report)
    }

    /// Elements of a bank as the request of a stage declares them, or as the modules of its chain do.
    pub(crate) fn elements(&self, stage: &Mounted, bank: BankName) -> Option<usize> {
        let own = stage.banks.iter().find(|(own, _)| *own == bank).map_or(bank, |(_, mounted)| *mounted);
        let chain = self.chains.iter().find(|c| c.stages.iter().any(|s| s.name == stage.name))?;
        let declared = chain.request.banks.iter().find(|b| b.name == own).and_then(|b| b.elements);
        declared.or_else(|| {
            let banks = chain.stages.iter().flat_map(|s| s.reads().chain(s.writes()));
            banks.filter(|b| b.name == own).find_map(|b| b.elements)
        })
    }

    /// Settles the parameters of a run and prepares the modules.
    pub(crate) fn begin(
        &self,
        job: &Job,
        base: &Base,
        run: Run,
        dump: Option<&[u8]>,
    ) -> Result<Begun, Error> {
        let Settled { tree, origins, mut warnings, files } = base.settle(self, job, &run, dump)?;
        let mut booked = Booked::default();
        let mut sequential = Vec::new();
        let mut chains = Vec::new();
        let mut number = 0;
        for chain in &self.chains {
            let mut stages = Vec::new();
            for mounted in &chain.stages {
                let stage = self.stage(mounted, number, &run, &tree, &mut booked, &mut sequential)?;
                stages.push(stage);
                number += 1;
            }
            let mut ready = self.chain(&chain.request, stages, chain, &tree)?;
            ready.automatic = automatic(&chain.request, chain, &ready.layouts, &mut booked)?;
            chains.push(ready);
        }
        if self.chains.is_empty() {
            chains = self.without_definition(&tree);
        }
        put_in_fold(&mut chains, &self.chains);
        let banks = job.outputs.iter().any(|output| output.kind != OutputKind::Histograms);
        if banks && !job.filter {
            warnings.extend(self.all_off(&chains));
        }
        let histograms = Arc::new(Store::new(run.number, booked.histograms));
        let epoch = Epoch {
            run,
            number: 0,
            unique: unique(),
            chains,
            tests: booked.tests,
            histograms,
            filter: job.filter,
            wanted: Sinks::wanted(job),
            selection: job.selection,
            strict: job.strict,
            watch: job.watch.as_ref().map(|_| self.reads()),
        };
        let (dump, odb) = (dump.map(<[u8]>::to_vec), Odb::from(tree));
        Ok(Begun { epoch: Arc::new(epoch), sequential, odb, origins, warnings, dump, files })
    }

    /// The banks that each stage declares to read, under the names of its mount.
    fn reads(&self) -> Vec<Vec<BankName>> {
        let stages = self.chains.iter().flat_map(|chain| &chain.stages);
        stages.map(|stage| stage.reads().map(|bank| bank.name).collect()).collect()
    }

    /// A stage with its switch and parameters in place.
    fn stage(
        &self,
        mounted: &Mounted,
        number: u32,
        run: &Run,
        tree: &Tree,
        booked: &mut Booked,
        sequential: &mut Vec<Box<dyn AnySequential>>,
    ) -> Result<Stage, Error> {
        let name = &mounted.name;
        let failed = |source| Error::Stage { stage: name.clone(), run: run.number, source };
        let on = setting(tree, &format!("{}/Module switches/{name}", self.root()), true)?;
        let directory = OdbPath::parse(&format!("{}/Parameters/{name}", self.root()))?;
        let mut module = mounted.module.fresh();
        if on {
            let elements = |bank: [u8; 4]| self.elements(mounted, BankName::new(bank));
            fill(&mut module, tree, &directory, elements).map_err(failed)?;
            // A panic of a module is an error like another, here too.
            let declared = |bank: BankName| self.elements(mounted, bank);
            let mut setup = Setup::new(run, name, booked, &declared);
            guarded(|| module.prepare(&mut setup)).map_err(failed)?;
            guarded(|| module.bor(run)).map_err(failed)?;
        }
        let lengths = shortest(&mut module);
        let body = match module.0 {
            Either::Wide(module) => Body::Wide(Arc::from(module)),
            Either::Sequential(module) => {
                sequential.push(module);
                Body::Sequential(sequential.len() - 1)
            }
        };
        Ok(Stage { name: name.clone(), number, on, body, names: mounted.banks.clone(), lengths })
    }

    /// A request with what the ODB says of its events.
    fn chain(
        &self,
        request: &Request,
        stages: Vec<Stage>,
        chain: &Chain,
        tree: &Tree,
    ) -> Result<RunChain, Error> {
        let common = format!("{}/{}/Common", self.root(), request.name);
        let id = setting(tree, &format!("{common}/Event ID"), request.id)?;
        let definition = event_definition(tree, id).unwrap_or_default();
        let format = match request.fixed.clone().or(definition.fixed) {
            Some(layout) => Format::Fixed(layout),
            None if id == -1 => Format::Mixed(
                event_definitions(tree)
                    .into_iter()
                    .filter_map(|event| Some((u16::try_from(event.id).ok()?, event.fixed?)))
                    .collect(),
            ),
            None => Format::Banks,
        };
        let mut off = Vec::new();
        for bank in &request.banks {
            if let Some(path) = bank_switch(&self.root(), bank.name)
                && setting(tree, &path, 1_u32)? == 0
            {
                off.push(bank.name);
            }
        }
        let mut layouts: Vec<(BankName, Arc<Layout>)> =
            request.banks.iter().filter_map(|b| Some((b.name, b.layout.clone()?))).collect();
        let written = chain.stages.iter().flat_map(Mounted::writes);
        layouts.extend(written.filter_map(|b| Some((b.name, b.layout?))));
        layouts.extend(definition.structs);
        Ok(RunChain {
            name: request.name.clone(),
            id,
            mask: setting(tree, &format!("{common}/Trigger mask"), request.mask)?,
            enabled: setting(tree, &format!("{common}/Enabled"), true)?,
            use_tests: request.use_tests,
            fallback: false,
            table: Arc::new(table(&request.name, &format, &off, columns(request, chain), &layouts)),
            format,
            off,
            layouts,
            stages,
            automatic: Vec::new(),
            in_fold: false,
        })
    }

    /// As in mana, a listed bank is not written until its switch is on, which is easily forgotten.
    fn all_off(&self, chains: &[RunChain]) -> Vec<String> {
        let listed = self.chains.iter().map(|c| c.request.banks.len());
        let silent = chains.iter().zip(listed).filter(|(c, listed)| *listed > 0 && c.off.len() == *listed);
        let names: Vec<String> = silent.map(|(c, _)| format!("\"{}\"", c.name)).collect();
        if names.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "no bank of {} is written: their switches in {}/Bank switches are all off",
            names.join(", "),
            self.root()
        )]
    }

    /// Requests from the experiment's own ODB, and one for all that it does not name.
    fn without_definition(&self, tree: &Tree) -> Vec<RunChain> {
        let plain = |name: String, id, format: Format, layouts: Vec<(BankName, Arc<Layout>)>| RunChain {
            table: Arc::new(table(&name, &format, &[], Vec::new(), &layouts)),
            name,
            id,
            mask: -1,
            enabled: true,
            use_tests: false,
            fallback: id == -1,
            format,
            off: Vec::new(),
            layouts,
            stages: Vec::new(),
            automatic: Vec::new(),
            in_fold: false,
        };
        let mut chains: Vec<RunChain> = Vec::new();
        for event in event_definitions(tree) {
            // Of several equipments with one id, the first counts, as in MIDAS.
            if chains.iter().all(|c| c.id != event.id) && event.id >= 0 {
                let format = event.fixed.map_or(Format::Banks, Format::Fixed);
                chains.push(plain(event.name, event.id, format, event.structs));
            }
        }
        chains.push(plain("other".into(), -1, Format::Banks, Vec::new()));
        chains
    }
}

/// The histograms of the banks that a request marks.
fn automatic(
    request: &Request,
    chain: &Chain,
    layouts: &[(BankName, Arc<Layout>)],
    booked: &mut Booked,
) -> Result<Vec<Automatic>, Error> {
    let mut marked = Vec::new();
    for bank in request.banks.iter().filter(|bank| !bank.histograms.is_empty()) {
        let written = chain.stages.iter().flat_map(Mounted::writes).find(|b| b.name == bank.name);
        let elements = bank.elements.or(written.and_then(|b| b.elements));
        let layout = layouts.iter().find(|(name, _)| *name == bank.name).map(|(_, layout)| layout);
        let booking = Automatic::book(booked, &request.name, bank, elements, layout);
        marked.extend(booking.map_err(|e| Error::Job(e.to_string()))?);
    }
    Ok(marked)
}

/// The columns that are known before the first event: the declared banks, then what stages append.
fn columns(request: &Request, chain: &Chain) -> Vec<ColumnDef> {
    let mut columns: Vec<ColumnDef> = Vec::new();
    for bank in &request.banks {
        let column = sized(ColumnDef::new(bank.name, bank.tid.code()), bank.elements);
        columns.push(column.description(&bank.description).unit(&bank.unit));
    }
    for bank in chain.stages.iter().flat_map(Mounted::writes) {
        match columns.iter_mut().find(|c| c.name == bank.name) {
            Some(known) => {
                if known.unit.is_empty() {
                    known.unit = bank.unit.to_owned();
                }
                if known.elements.is_none() {
                    *known = sized(known.clone(), bank.elements);
                }
            }
            None => {
                let column = ColumnDef::new(bank.name, bank.tid.code()).unit(bank.unit);
                columns.push(sized(column, bank.elements));
            }
        }
    }
    columns
}

/// A column with the number of elements, if that is known.
fn sized(column: ColumnDef, elements: Option<usize>) -> ColumnDef {
    match elements {
        Some(1) | None => ColumnDef { elements, ..column },
        Some(several) => column.elements(several).many(),
    }
}

fn table(
    name: &str,
    format: &Format,
    off: &[BankName],
    mut columns: Vec<ColumnDef>,
    layouts: &[(BankName, Arc<Layout>)],
) -> TableDef {
    columns.retain(|c| !off.contains(&c.name));
    for (name, layout) in layouts.iter().filter(|(name, _)| !off.contains(name)) {
        match columns.iter_mut().find(|c| c.name == *name) {
            Some(column) => {
                column.layout.get_or_insert_with(|| Arc::clone(layout));
            }
            None => columns
                .push(ColumnDef::new(*name, pactolus_formats::Tid::Struct.code()).layout(Arc::clone(layout))),
        }
    }
    let fixed = match format {
        Format::Fixed(layout) => Some(Arc::clone(layout)),
        Format::Banks | Format::Mixed(_) => None,
    };
    TableDef { name: name.to_owned(), banks: if fixed.is_some() { Vec::new() } else { columns }, fixed }
}

/// For each bank, the shortest array that has one value per element.
fn shortest(module: &mut Mountable) -> Vec<Length> {
    let mut lengths: Vec<Length> = Vec::new();
    for per in module.record().per() {
        let bank = BankName::new(per.bank);
        match lengths.iter_mut().find(|l| l.bank == bank) {
            Some(known) if known.len <= per.len => {}
            Some(known) => *known = Length { bank, key: per.key.to_owned(), len: per.len },
            None => lengths.push(Length { bank, key: per.key.to_owned(), len: per.len }),
        }
    }
    lengths
}

/// Chains behind one that makes events in the fold run there as well, so that new events and
/// events from the source reach them in the order of the run.
fn put_in_fold(chains: &mut [RunChain], mounted: &[Chain]) {
    let mut behind = false;
    for (chain, mounted) in chains.iter_mut().zip(mounted) {
        let sequential = chain.stages.iter().any(|s| s.on && matches!(s.body, Body::Sequential(_)));
        let queues = mounted.stages.iter().any(|s| s.module.banks().queues());
        // A chain that makes events before a sequential stage must know their maker's fate first.
        chain.in_fold = behind || sequential && queues;
        behind |= chain.in_fold && queues;
    }
}

/// A run whose first event may come.
pub(crate) struct Begun {
    pub(crate) epoch: Arc<Epoch>,
    pub(crate) sequential: Vec<Box<dyn AnySequential>>,
    pub(crate) odb: Odb,
    pub(crate) origins: Origins,
    pub(crate) warnings: Vec<String>,
    /// What it was begun from, so that it can be begun again elsewhere: the payload of its BOR ...
    pub(crate) dump: Option<Vec<u8>>,
    /// ... and its configuration files.
    pub(crate) files: Files,
}
