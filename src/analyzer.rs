//! The analyzer: requests, each with its chain of stages.

use std::fmt;
use std::io::Write;

use pactolus_formats::BankName;
use pactolus_odb::Value;

use crate::catalogue::Catalogue;
use crate::chain::{Chain, Mounted, StartError, rehearse};
use crate::definition::{Definition, Mount, Step, from_toml, refused, unknown};
use crate::fold;
use crate::job::{Job, OutputFile};
use crate::layers::Base;
use crate::module::{Module, Sequential};
use crate::report::Report;
use crate::request::Request;
use crate::stage::Mountable;
use crate::{Error, Progress};

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
    /// Parameters that belong to no module: directory below `Parameters`, key, value.
    pub(crate) parameters: Vec<(String, String, Value)>,
    /// The text of the definition it was made from.
    pub(crate) definition: Option<String>,
}

impl fmt::Debug for Analyzer {
    /// Its requests, each with the names of its stages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages = |chain: &Chain| chain.stages.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        let chains = self.chains.iter().map(|chain| (&chain.request.name, stages(chain)));
        write!(f, "{:?} ", self.name)?;
        f.debug_map().entries(chains).finish()
    }
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
    /// If the definition names a module that the catalogue does not have, or of a module a parameter
    /// or bank that it does not know.
    pub fn from_definition(definition: &Definition, catalogue: &Catalogue) -> Result<Analyzer, Error> {
        let mut analyzer = Analyzer::new(&definition.name);
        analyzer.parameters.clone_from(&definition.parameters);
        analyzer.definition = Some(definition.text.clone());
        for (i, (request, mounts)) in definition.requests.iter().enumerate() {
            let mut stages = Vec::new();
            for (j, mount) in mounts.iter().enumerate() {
                stages.push(mounted(definition, (i, j), mount, catalogue)?);
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
            chain.stages.push(Mounted { name, module, started: Vec::new(), banks: Vec::new() });
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
        let attached = job.attached(self)?;
        let job = attached.as_ref().map_or(job, |attached| &attached.job);
        let base = Base::new(self, job)?;
        fold::run(self, job, &base, progress, stdout, warnings)
    }

    /// Elements of a bank as the request of a stage declares them, or as the modules of its chain do.
    pub(crate) fn elements(&self, stage: &Mounted, bank: BankName) -> Option<usize> {
        let bank = stage.mounted(bank);
        let chain = self.chains.iter().find(|c| c.stages.iter().any(|s| s.name == stage.name))?;
        let declared = chain.request.banks.iter().find(|b| b.name == bank).and_then(|b| b.elements);
        declared.or_else(|| {
            let banks = chain.stages.iter().flat_map(|s| s.reads().chain(s.writes()));
            banks.filter(|b| b.name == bank).find_map(|b| b.elements)
        })
    }
}

/// The module of a mount, which is the `j`-th of the `i`-th request.
fn mounted(
    definition: &Definition,
    (i, j): (usize, usize),
    mount: &Mount,
    catalogue: &Catalogue,
) -> Result<Mounted, Error> {
    let request = format!("request {:?}", definition.requests[i].0.name);
    let refuse = |keys: &[&str], place: &str, message| {
        let mount: [Step; 4] = ["request".into(), i.into(), "module".into(), j.into()];
        let way = mount.into_iter().chain(keys.iter().map(|key| Step::from(*key)));
        refused(definition, &way.collect::<Vec<_>>(), place, message)
    };
    let mut module = catalogue.make(&mount.module).map_err(|message| refuse(&["type"], &request, message))?;
    let place = format!("module {:?}", mount.name);
    let whole = format!("{request}, {place}");
    let known = module.known_banks();
    // One that declares none may read any.
    if let Some((own, _)) = mount.banks.iter().find(|(own, _)| !known.is_empty() && !known.contains(own)) {
        let names: Vec<String> = known.iter().map(BankName::to_string).collect();
        let own = own.to_string();
        let message = unknown("bank", &own, &whole, names.iter().map(String::as_str));
        return Err(refuse(&["banks", &own], &place, message));
    }
    let (name, banks) = (mount.name.clone(), mount.banks.clone());
    let mut mounted = Mounted { name, module, started: Vec::new(), banks };
    for (name, value) in &mount.parameters {
        let refused = |message| refuse(&["parameters", name], &place, message);
        let wrong = |message| refused(format!("{whole}, parameter {name:?}: {message}"));
        let value = from_toml(value).map_err(wrong)?;
        match mounted.start(name, &value) {
            Ok(false) => {}
            Ok(true) => return Err(wrong("it is given twice: keys of the ODB ignore case".into())),
            Err(StartError::Value(message)) => return Err(wrong(message)),
            Err(StartError::Unknown(known)) => {
                return Err(refused(unknown("parameter", name, &whole, known.into_iter())));
            }
        }
    }
    Ok(mounted)
}
