//! What a definition comes to with the modules of a program: who reads and appends which bank, what
//! reaches the output, and with which values parameters start. No event is needed for that.
//!
//! ```
//! use pactolus::wiring::Wiring;
//! use pactolus::{Catalogue, Definition};
//!
//! let text = "[[request]]\nname = \"Trigger\"\nid = 1\nbanks = { ADC0 = \"WORD[4]\" }\n";
//! let definition = Definition::parse(text, "analyzer.toml")?;
//! let wiring = Wiring::of(&definition, &Catalogue::new())?;
//! assert_eq!(wiring.requests[0].banks[0].name, "ADC0");
//! assert_eq!(wiring.unused.raw[0].bank, "ADC0");
//! # Ok::<(), pactolus::Error>(())
//! ```

use pactolus_formats::{BankName, Layout, Tid};
use pactolus_odb::{Path as OdbPath, Tree, Value};
use serde::{Serialize, Serializer};

use crate::analyzer::Analyzer;
use crate::banks::BankUse;
use crate::begun::none_written;
use crate::catalogue::Catalogue;
use crate::chain::{Chain, Mounted, in_fold};
use crate::definition::{self, Definition, same_name};
use crate::histo::{Automatic, Axis};
use crate::job::Job;
use crate::layers::{Base, Origins, bank_switch};
use crate::module::Booked;
use crate::{Error, RequestedBank};

/// What a definition comes to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Wiring {
    /// Name of the analyzer.
    pub name: String,
    /// Its directory in the ODB.
    pub directory: String,
    /// The requests in order.
    pub requests: Vec<WiredRequest>,
    /// Parameters that belong to no module; their keys begin with the directory.
    pub parameters: Vec<WiredParameter>,
    /// What may be wrong.
    pub warnings: Vec<String>,
    /// What is there and not used.
    pub unused: Unused,
}

/// A request with its chain.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WiredRequest {
    /// Name of the event.
    pub name: String,
    /// Event id; -1 is every id.
    pub id: i32,
    /// Trigger mask; -1 is every mask.
    pub mask: i32,
    /// How events are taken from what is live: `all`, `nonblocking`, `recent`.
    pub sampling: &'static str,
    /// So many of its newest events are kept of an analysis that is behind.
    pub reserve: u32,
    /// Event buffer of a live experiment.
    pub buffer: String,
    /// Whether kept events count the tests.
    pub tests: bool,
    /// The members of its events, if they are FIXED.
    pub fixed: Option<Vec<WiredMember>>,
    /// Its banks: first those that it declares, then others that its stages name.
    pub banks: Vec<WiredBank>,
    /// Its stages in order.
    pub stages: Vec<WiredStage>,
}

/// A member of a structure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WiredMember {
    /// Its name.
    pub name: String,
    /// Its type, as `FLOAT[3]`.
    pub r#type: String,
}

/// A bank of a chain.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WiredBank {
    /// Its name in the event.
    pub name: String,
    /// Its type, with the number of elements if that is known: `WORD[4]`.
    pub r#type: String,
    /// Unit of the elements, or an empty string.
    pub unit: String,
    /// One sentence, or an empty string.
    pub description: String,
    /// The members of a STRUCT, if they are known.
    pub members: Vec<WiredMember>,
    /// Whether the request declares it.
    pub declared: bool,
    /// The stage that appends it; `None` if it comes with the event.
    pub writer: Option<String>,
    /// The stages that read it.
    pub readers: Vec<String>,
    /// Where its output switch starts. `None`: it has none, and is always written.
    pub switch: Option<bool>,
    /// Its histograms without any module.
    pub histograms: Vec<WiredHistogram>,
}

impl WiredBank {
    /// Whether it is written unless somebody changes its switch.
    pub fn is_written(&self) -> bool {
        self.switch != Some(false)
    }
}

/// Histograms of a marked bank, over one axis.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WiredHistogram {
    /// Their names.
    pub names: Vec<String>,
    /// Number of bins.
    pub bins: usize,
    /// Lower edge of the first bin.
    pub low: f64,
    /// Upper edge of the last bin.
    pub high: f64,
    /// Unit of the axis, or an empty string.
    pub unit: String,
}

/// A stage of a chain.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WiredStage {
    /// Its name.
    pub name: String,
    /// Type of its module in the catalogue.
    pub module: String,
    /// Whether it sees the events one after the other.
    pub sequential: bool,
    /// Whether it runs in the fold, on one thread in the order of the events: it is sequential, or behind
    /// a stage that is.
    pub in_fold: bool,
    /// Whether it makes new events.
    pub makes_events: bool,
    /// The banks that it reads.
    pub reads: Vec<WiredUse>,
    /// The banks that it appends.
    pub appends: Vec<WiredUse>,
    /// Its parameters.
    pub parameters: Vec<WiredParameter>,
}

/// A bank as a stage uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WiredUse {
    /// Name in the event.
    pub bank: String,
    /// What the module calls it, if another name stands for that.
    pub own: Option<String>,
    /// The stage before it that has appended the bank that it reads.
    pub from: Option<String>,
}

/// A parameter, with the value that it starts with.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WiredParameter {
    /// Its name.
    pub key: String,
    /// MIDAS type, with the number of values of an array: `INT[8]`.
    pub r#type: String,
    /// The value or array.
    #[serde(serialize_with = "as_json")]
    pub value: Value,
    /// Where the value is from.
    pub from: StartsAt,
    /// Unit of the value.
    pub unit: Option<&'static str>,
    /// What it must be at least.
    pub min: Option<f64>,
    /// What it must be at most.
    pub max: Option<f64>,
    /// What it is, or an empty string.
    pub description: &'static str,
    /// The bank of the event that has an element for each value.
    pub per: Option<String>,
}

/// Where a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StartsAt {
    /// At the default of the module.
    Module,
    /// Where the definition says.
    Definition,
}

/// What a definition has, or could have, and nothing uses.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Unused {
    /// Banks of the event that a request declares, and no stage reads: raw data.
    pub raw: Vec<UnusedBank>,
    /// Banks that a stage appends, no stage reads, and whose switch starts off.
    pub appended: Vec<UnusedBank>,
    /// Modules of the program that are not mounted.
    pub modules: Vec<String>,
    /// Directories of parameters, and keys in them, that no module owns.
    pub parameters: Vec<String>,
}

/// A bank that is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnusedBank {
    /// The request.
    pub request: String,
    /// The bank.
    pub bank: String,
}

fn as_json<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    definition::as_json(value, false).serialize(serializer)
}

impl Wiring {
    /// Works out what `definition` comes to with the modules of `catalogue`.
    ///
    /// # Errors
    /// What a job with it would be refused for before its first event.
    pub fn of(definition: &Definition, catalogue: &Catalogue) -> Result<Wiring, Error> {
        let analyzer = Analyzer::from_definition(definition, catalogue)?;
        let mut warnings = analyzer.rehearse()?;
        let Base { tree, origins, .. } = Base::new(&analyzer, &Job::new())?;
        let mut requests = Vec::new();
        // As when a run begins, where all stages are on.
        let kinds = analyzer.chains.iter();
        let kinds = kinds.map(|c| (c.stages.iter().any(Mounted::is_sequential), c.makes_events()));
        let places = in_fold(kinds);
        for ((chain, (_, mounts)), place) in analyzer.chains.iter().zip(&definition.requests).zip(places) {
            let types: Vec<&str> = mounts.iter().map(|mount| &*mount.module).collect();
            let walk = Walk { analyzer: &analyzer, chain, tree: &tree, origins: &origins };
            requests.push(walk.request(&types, place, &mut warnings)?);
        }
        let silent = requests.iter().filter(|r| {
            let mut declared = r.banks.iter().filter(|b| b.declared).peekable();
            declared.peek().is_some() && declared.all(|b| !b.is_written())
        });
        let silent: Vec<String> = silent.map(|r| format!("\"{}\"", r.name)).collect();
        warnings.extend(none_written(&silent, &analyzer.root()));
        let (parameters, owned_by_none) = without_module(&analyzer, &tree, &mut warnings)?;
        let mut unused = unused(&requests, catalogue);
        unused.parameters = owned_by_none;
        let (name, directory) = (analyzer.name.clone(), analyzer.root());
        Ok(Wiring { name, directory, requests, parameters, warnings, unused })
    }
}

/// One chain, and what the ODB says of it.
struct Walk<'a> {
    analyzer: &'a Analyzer,
    chain: &'a Chain,
    tree: &'a Tree,
    origins: &'a Origins,
}

impl Walk<'_> {
    /// `in_fold`: also the stages before the first sequential one.
    fn request(
        &self,
        types: &[&str],
        mut in_fold: bool,
        warnings: &mut Vec<String>,
    ) -> Result<WiredRequest, Error> {
        let request = &self.chain.request;
        let stages = &self.chain.stages;
        let mut wired = Vec::new();
        for (place, (stage, r#type)) in stages.iter().zip(types).enumerate() {
            in_fold |= stage.is_sequential();
            wired.push(WiredStage {
                name: stage.name.clone(),
                module: (*r#type).to_owned(),
                sequential: stage.is_sequential(),
                in_fold,
                makes_events: stage.module.banks().queues(),
                reads: self.uses(place, stage.reads(), true),
                appends: self.uses(place, stage.writes(), false),
                parameters: self.parameters(stage, warnings)?,
            });
        }
        Ok(WiredRequest {
            name: request.name.clone(),
            id: request.id,
            mask: request.mask,
            sampling: request.sampling.name(),
            reserve: request.reserve,
            buffer: request.buffer.clone(),
            tests: request.use_tests,
            fixed: request.fixed.as_deref().map(members),
            banks: self.banks()?,
            stages: wired,
        })
    }

    fn uses(&self, place: usize, banks: impl Iterator<Item = BankUse>, reads: bool) -> Vec<WiredUse> {
        let (before, stage) = (&self.chain.stages[..place], &self.chain.stages[place]);
        let wired = |bank: BankUse| {
            let own = Some(stage.own(bank.name)).filter(|own| *own != bank.name);
            let writer = before.iter().find(|s| reads && s.writes().any(|b| b.name == bank.name));
            WiredUse {
                bank: bank.name.to_string(),
                own: own.map(|own| own.to_string()),
                from: writer.map(|stage| stage.name.clone()),
            }
        };
        banks.map(wired).collect()
    }

    /// The banks that the request declares, then those that only stages name.
    fn banks(&self) -> Result<Vec<WiredBank>, Error> {
        let Chain { request, stages } = self.chain;
        let used = || stages.iter().flat_map(|stage| stage.reads().chain(stage.writes()));
        let mut banks = request.banks.clone();
        for bank in used() {
            match banks.iter_mut().find(|known| known.name == bank.name) {
                None => banks.push(bank.into()),
                Some(known) => {
                    known.elements = known.elements.or(bank.elements);
                    known.layout = known.layout.take().or(bank.layout);
                    if known.unit.is_empty() {
                        known.unit = bank.unit.to_owned();
                    }
                }
            }
        }
        let mut booked = Booked::default();
        let mut wired = Vec::new();
        for (i, bank) in banks.iter().enumerate() {
            let declared = i < request.banks.len();
            let has_switch = bank_switch(&self.analyzer.root(), bank.name).is_some();
            wired.push(WiredBank {
                name: bank.name.to_string(),
                r#type: counted(bank.tid, bank.elements),
                unit: bank.unit.clone(),
                description: bank.description.clone(),
                members: bank.layout.as_deref().map(members).unwrap_or_default(),
                declared,
                writer: self.of(|stage| stage.writes().any(|b| b.name == bank.name)).next(),
                readers: self.of(|stage| stage.reads().any(|b| b.name == bank.name)).collect(),
                switch: (declared && has_switch).then_some(bank.switch),
                // Only banks that the request declares have some.
                histograms: match request.banks.get(i) {
                    Some(own) => histograms(&request.name, bank, self.chain.elements(own), &mut booked)?,
                    None => Vec::new(),
                },
            });
        }
        Ok(wired)
    }

    /// The names of stages.
    fn of(&self, which: impl Fn(&Mounted) -> bool) -> impl Iterator<Item = String> {
        self.chain.stages.iter().filter(move |stage| which(stage)).map(|stage| stage.name.clone())
    }

    fn parameters(&self, stage: &Mounted, warnings: &mut Vec<String>) -> Result<Vec<WiredParameter>, Error> {
        let mut module = stage.module.fresh();
        if let Err(short) = self.analyzer.prepare(stage, module.record(), self.tree) {
            // The ODB of a run may say otherwise.
            warnings.push(format!(
                "stage \"{}\": {short} (analyze refuses that unless a run or -c says otherwise)",
                stage.name
            ));
        }
        let directory = format!("{}/Parameters/{}", self.analyzer.root(), stage.name);
        let mut parameters = Vec::new();
        for field in module.record().fields() {
            let path = OdbPath::parse(&directory)?.child(field.name)?.to_string();
            let value = self.tree.value(&path)?;
            let defined = self.origins.get(&path.to_lowercase()).is_some_and(|from| from == "the definition");
            let per = field.per.map(|bank| BankName::new(bank.name));
            parameters.push(WiredParameter {
                key: field.name.to_owned(),
                r#type: typed(&value),
                value,
                from: if defined { StartsAt::Definition } else { StartsAt::Module },
                unit: field.unit,
                min: field.min,
                max: field.max,
                description: field.description,
                per: per.map(|bank| stage.mounted(bank).to_string()),
            });
        }
        Ok(parameters)
    }
}

/// The histograms of one marked bank, for each member that has some.
fn histograms(
    request: &str,
    bank: &RequestedBank,
    elements: Option<usize>,
    booked: &mut Booked,
) -> Result<Vec<WiredHistogram>, Error> {
    let mut all = Vec::new();
    for (member, axis) in &bank.histograms {
        let one = RequestedBank { histograms: vec![(member.clone(), axis.clone())], ..bank.clone() };
        let before = booked.histograms.len();
        Automatic::book(booked, request, &one, elements, bank.layout.as_ref())
            .map_err(|e| Error::Job(e.to_string()))?;
        let names = booked.histograms[before..].iter().map(|shape| shape.name.clone()).collect();
        all.push(histogram(names, axis, &bank.unit, member));
    }
    Ok(all)
}

fn histogram(names: Vec<String>, axis: &Axis, unit: &str, member: &str) -> WiredHistogram {
    let unit = if axis.units().is_empty() && member.is_empty() { unit } else { axis.units() };
    let (bins, unit) = (axis.bins(), unit.to_owned());
    WiredHistogram { names, bins, low: axis.edge(0), high: axis.edge(bins), unit }
}

/// Parameters that belong to no module, and which of them nobody owns.
fn without_module(
    analyzer: &Analyzer,
    tree: &Tree,
    warnings: &mut Vec<String>,
) -> Result<(Vec<WiredParameter>, Vec<String>), Error> {
    let (mut parameters, mut unowned) = (Vec::new(), Vec::<String>::new());
    for (directory, key, _) in &analyzer.parameters {
        let name = format!("{directory}/{key}");
        let stages = analyzer.chains.iter().flat_map(|chain| &chain.stages);
        let owner = stages.into_iter().find(|stage| stage.name.eq_ignore_ascii_case(directory));
        let fields = owner.map(|stage| stage.module.fresh().record().fields()).unwrap_or_default();
        match owner {
            Some(stage) if fields.iter().any(|field| same_name(field.name, key)) => {
                warnings.push(format!(
                    "parameters \"{directory}\", \"{key}\" is not used: it belongs to stage \"{}\"; give it with the module, as parameters = {{ {key:?} = .. }}",
                    stage.name
                ));
                continue;
            }
            Some(_) => unowned.push(name.clone()),
            None if unowned.contains(directory) => {}
            None => unowned.push(directory.clone()),
        }
        let value = tree.value(&format!("{}/Parameters/{name}", analyzer.root()))?;
        parameters.push(WiredParameter {
            key: name,
            r#type: typed(&value),
            value,
            from: StartsAt::Definition,
            unit: None,
            min: None,
            max: None,
            description: "",
            per: None,
        });
    }
    Ok((parameters, unowned))
}

fn unused(requests: &[WiredRequest], catalogue: &Catalogue) -> Unused {
    let mut unused = Unused::default();
    for request in requests {
        let idle = request.banks.iter().filter(|bank| bank.readers.is_empty() && bank.histograms.is_empty());
        for bank in idle {
            let found = UnusedBank { request: request.name.clone(), bank: bank.name.clone() };
            match bank.writer {
                None => unused.raw.push(found),
                Some(_) if !bank.is_written() => unused.appended.push(found),
                Some(_) => {}
            }
        }
    }
    let mounted = |name: &str| requests.iter().flat_map(|r| &r.stages).any(|stage| stage.module == name);
    unused.modules = catalogue.names().filter(|name| !mounted(name)).map(str::to_owned).collect();
    unused
}

/// `WORD[4]`, or `WORD` if nobody knows how many.
fn counted(tid: Tid, elements: Option<usize>) -> String {
    elements.map_or(tid.to_string(), |n| format!("{tid}[{n}]"))
}

/// `INT[8]`, or `INT` for one value.
fn typed(value: &Value) -> String {
    counted(value.tid(), Some(value.len()).filter(|len| *len != 1))
}

fn members(layout: &Layout) -> Vec<WiredMember> {
    let member = |field: &pactolus_formats::Field| {
        let elements = match field.tid {
            Tid::String => Some(field.size()),
            _ => Some(field.count).filter(|count| *count > 1),
        };
        WiredMember { name: field.name.clone(), r#type: counted(field.tid, elements) }
    };
    layout.fields().iter().map(member).collect()
}
