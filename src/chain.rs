//! A chain: the stages of one request, and the rehearsal that refuses a wrong one.

use pactolus_formats::{BankName, Field, Layout, Tid};
use pactolus_odb::{Path as OdbPath, Tree, Value};

use crate::banks::BankUse;
use crate::definition::{of_type, same_name};
use crate::request::{Request, RequestedBank};
use crate::stage::{Either, Mountable};

/// A module under the name that a request mounts it.
pub(crate) struct Mounted {
    pub(crate) name: String,
    pub(crate) module: Mountable,
    /// Its parameters that start with a value of the definition.
    pub(crate) started: Vec<&'static str>,
    /// Banks that stand for those that the module names.
    pub(crate) banks: Vec<(BankName, BankName)>,
}

impl Mounted {
    /// A parameter starts with this value; true if another was given before.
    pub(crate) fn start(&mut self, name: &str, value: &Value) -> Result<bool, StartError> {
        let record = self.module.record();
        let fields = record.fields();
        let Some(field) = fields.iter().find(|field| same_name(field.name, name)) else {
            return Err(StartError::Unknown(fields.iter().map(|field| field.name).collect()));
        };
        let value = of_type(value, field.tid).map_err(StartError::Value)?;
        // In a tree of its own the module's rules apply to it, and to nothing else.
        let mut alone = Tree::new();
        let loaded = alone.create(field.name, value);
        let loaded = loaded.and_then(|()| record.load(&alone, &OdbPath::ROOT));
        loaded.map_err(|error| StartError::Value(error.to_string().trim_start_matches('/').to_owned()))?;
        let is_second = self.started.contains(&field.name);
        if !is_second {
            self.started.push(field.name);
        }
        Ok(is_second)
    }

    /// What the event calls this bank of the module.
    pub(crate) fn mounted(&self, bank: BankName) -> BankName {
        self.banks.iter().find(|(own, _)| *own == bank).map_or(bank, |(_, name)| *name)
    }

    /// What the module calls this bank of its mount.
    pub(crate) fn own(&self, bank: BankName) -> BankName {
        self.banks.iter().find(|(_, name)| *name == bank).map_or(bank, |(own, _)| *own)
    }

    /// Whether it sees the events one after the other.
    pub(crate) fn is_sequential(&self) -> bool {
        matches!(self.module.0, Either::Sequential(_))
    }

    /// The banks that the stage reads, under the names of its mount.
    pub(crate) fn reads(&self) -> impl Iterator<Item = BankUse> {
        self.module.banks().reads().to_vec().into_iter().map(|bank| self.named(bank))
    }

    /// The banks that the stage appends, under the names of its mount.
    pub(crate) fn writes(&self) -> impl Iterator<Item = BankUse> {
        self.module.banks().writes().to_vec().into_iter().map(|bank| self.named(bank))
    }

    fn named(&self, bank: BankUse) -> BankUse {
        BankUse { name: self.mounted(bank.name), ..bank }
    }
}

/// Why a parameter cannot start with a value.
pub(crate) enum StartError {
    /// The module has no such parameter, but these.
    Unknown(Vec<&'static str>),
    /// The value is none of its type, or beyond its limits.
    Value(String),
}

/// The stages of one request.
pub(crate) struct Chain {
    pub(crate) request: Request,
    pub(crate) stages: Vec<Mounted>,
}

impl Chain {
    /// Elements of a bank that the request declares: as it says, or as the stage that appends it does.
    pub(crate) fn elements(&self, bank: &RequestedBank) -> Option<usize> {
        let written = || self.stages.iter().flat_map(Mounted::writes).find(|known| known.name == bank.name);
        bank.elements.or_else(|| written().and_then(|known| known.elements))
    }

    /// Whether a stage makes events.
    pub(crate) fn makes_events(&self) -> bool {
        self.stages.iter().any(|stage| stage.module.banks().queues())
    }
}

/// Which chains pass all of their stages in the fold: of each, whether a stage is sequential, and whether one
/// makes events.
pub(crate) fn in_fold(chains: impl Iterator<Item = (bool, bool)>) -> Vec<bool> {
    let mut behind = false;
    let place = |(sequential, makes_events)| {
        // A chain that makes events before a sequential stage must know their maker's fate first.
        let in_fold = behind || sequential && makes_events;
        behind |= in_fold && makes_events;
        in_fold
    };
    chains.map(place).collect()
}

/// Why the rehearsal refuses a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WiringError {
    /// A stage reads what a later one writes.
    #[error(
        "stage \"{reader}\" reads bank {bank}, which stage \"{writer}\" of request \"{request}\" appends only later: mount \"{writer}\" before \"{reader}\""
    )]
    Order {
        /// The request.
        request: String,
        /// The stage that comes too early.
        reader: String,
        /// The stage that comes too late.
        writer: String,
        /// The bank.
        bank: BankName,
    },
    /// A stage reads what only another request's chain writes.
    #[error(
        "stage \"{reader}\" of request \"{request}\" reads bank {bank}, which only stage \"{writer}\" of request \"{other}\" appends: mount \"{writer}\" on request \"{request}\" too"
    )]
    Elsewhere {
        /// The request of the reader.
        request: String,
        /// The stage that reads.
        reader: String,
        /// The request of the writer.
        other: String,
        /// The stage that writes.
        writer: String,
        /// The bank.
        bank: BankName,
    },
    /// Two stages append the same bank.
    #[error(
        "stages \"{first}\" and \"{second}\" of request \"{request}\" both append bank {bank}: take one of them out, or give \"{second}\" a bank of its own in the definition, as banks = {{ {own} = \"{}\" }}",
        another(*bank)
    )]
    SecondWriter {
        /// The request.
        request: String,
        /// The stage that appends it first.
        first: String,
        /// The other stage.
        second: String,
        /// The bank.
        bank: BankName,
        /// What the module of the other stage calls it.
        own: BankName,
    },
    /// Two parties disagree on the type of a bank.
    #[error(
        "stage \"{stage}\" of request \"{request}\" uses bank {bank} as {wanted}, {by} as {found}: give it one type in both places"
    )]
    Type {
        /// The request.
        request: String,
        /// The stage.
        stage: String,
        /// The bank.
        bank: BankName,
        /// What the stage says.
        wanted: String,
        /// The other party, with its verb.
        by: String,
        /// What the other party says.
        found: String,
    },
    /// A stage uses banks of events that have none.
    #[error(
        "stage \"{stage}\" uses bank {bank}, but events of request \"{request}\" are FIXED and have no banks: read them with Event::fixed, or leave \"fixed\" out of the request"
    )]
    Fixed {
        /// The request.
        request: String,
        /// The stage.
        stage: String,
        /// The bank.
        bank: BankName,
    },
    /// Events are to be kept of a request for every id.
    #[error(
        "request \"{request}\" takes every event: reserve keeps the newest of one id, so give its id, or leave reserve out"
    )]
    Reserve {
        /// The request.
        request: String,
    },
    /// Two requests have the same name: their tables and statistics would be one.
    #[error("two requests are named \"{name}\": give one of them another name")]
    SameRequest {
        /// The name.
        name: String,
    },
    /// A name cannot be one of an ODB directory.
    #[error(
        "{name:?} cannot name a request or stage, which is a directory of the ODB: take a name without a slash, and none of {}",
        RESERVED.join(", ")
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Two stages have the same name: their switches and parameters would be one.
    #[error("two stages are named \"{name}\": give one of them another name")]
    SameName {
        /// The name.
        name: String,
    },
}

/// A name for a bank like this one.
fn another(bank: BankName) -> BankName {
    let (mut name, last) = (bank.bytes(), bank.text().len().min(3));
    name[last] = if name[last] == b'2' { b'3' } else { b'2' };
    BankName::new(name)
}

/// What the analyzer itself keeps in its directory of the ODB.
const RESERVED: [&str; 6] = ["Parameters", "Output", "Module switches", "Bank switches", "ODB Load", "Tests"];

/// Boxed: it says a lot, and is rare.
type Refused = Box<WiringError>;

/// What is known of a bank at some place of a chain.
struct Known {
    bank: BankUse,
    /// `None` if the request declares it.
    writer: Option<String>,
}

/// Walks all chains before the first event; gives warnings.
///
/// # Errors
/// The first thing that cannot work.
pub(crate) fn rehearse(chains: &[Chain]) -> Result<Vec<String>, Refused> {
    let mut warnings = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (i, chain) in chains.iter().enumerate() {
        let name = &chain.request.name;
        if RESERVED.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
            return Err(Box::new(WiringError::Name { name: name.clone() }));
        }
        if chains[..i].iter().any(|c| c.request.name.eq_ignore_ascii_case(name)) {
            return Err(Box::new(WiringError::SameRequest { name: name.clone() }));
        }
        if chain.request.reserve > 0 && chain.request.id < 0 {
            return Err(Box::new(WiringError::Reserve { request: name.clone() }));
        }
        for name in chain.stages.iter().map(|s| &s.name).chain([name]) {
            if OdbPath::ROOT.child(name).is_err() {
                return Err(Box::new(WiringError::Name { name: name.clone() }));
            }
        }
        for stage in &chain.stages {
            if names.iter().any(|n| n.eq_ignore_ascii_case(&stage.name)) {
                return Err(Box::new(WiringError::SameName { name: stage.name.clone() }));
            }
            names.push(&stage.name);
        }
        walk(chain, chains, &mut warnings)?;
    }
    Ok(warnings)
}

fn walk(chain: &Chain, all: &[Chain], warnings: &mut Vec<String>) -> Result<(), Refused> {
    let request = &chain.request.name;
    let mut known: Vec<Known> = chain.request.banks.iter().map(declared).collect();
    for (place, stage) in chain.stages.iter().enumerate() {
        if chain.request.fixed.is_some()
            && let Some(bank) = stage.reads().chain(stage.writes()).next()
        {
            let (request, stage) = (request.clone(), stage.name.clone());
            return Err(Box::new(WiringError::Fixed { request, stage, bank: bank.name }));
        }
        for bank in stage.reads() {
            // A bank that a stage makes is not there before that stage, even if the request lists it.
            let later = chain.stages[place + 1..].iter().find(|s| writes(s, bank.name));
            match known.iter().find(|k| k.bank.name == bank.name) {
                Some(found) if found.writer.is_some() || later.is_none() => {
                    same_type(request, &stage.name, &bank, found)?;
                }
                _ => match later {
                    Some(writer) => {
                        return Err(Box::new(WiringError::Order {
                            request: request.clone(),
                            reader: stage.name.clone(),
                            writer: writer.name.clone(),
                            bank: bank.name,
                        }));
                    }
                    None => undeclared(chain, stage, &bank, all, warnings)?,
                },
            }
        }
        for bank in stage.writes() {
            if let Some(found) = known.iter_mut().find(|k| k.bank.name == bank.name) {
                if let Some(first) = &found.writer {
                    return Err(Box::new(WiringError::SecondWriter {
                        request: request.clone(),
                        first: first.clone(),
                        second: stage.name.clone(),
                        bank: bank.name,
                        own: stage.own(bank.name),
                    }));
                }
                same_type(request, &stage.name, &bank, found)?;
                found.writer = Some(stage.name.clone());
            } else {
                known.push(Known { bank, writer: Some(stage.name.clone()) });
            }
        }
    }
    Ok(())
}

fn declared(bank: &RequestedBank) -> Known {
    let bank = BankUse {
        name: bank.name,
        tid: bank.tid,
        elements: bank.elements,
        unit: "",
        layout: bank.layout.clone(),
    };
    Known { bank, writer: None }
}

fn writes(stage: &Mounted, bank: BankName) -> bool {
    stage.writes().any(|b| b.name == bank)
}

/// Nothing declares `bank`: an error if another chain makes it, else perhaps a raw bank.
fn undeclared(
    chain: &Chain,
    stage: &Mounted,
    bank: &BankUse,
    all: &[Chain],
    warnings: &mut Vec<String>,
) -> Result<(), Refused> {
    for other in all {
        if let Some(writer) = other.stages.iter().find(|s| writes(s, bank.name)) {
            return Err(Box::new(WiringError::Elsewhere {
                request: chain.request.name.clone(),
                reader: stage.name.clone(),
                other: other.request.name.clone(),
                writer: writer.name.clone(),
                bank: bank.name,
            }));
        }
    }
    let (name, size) = (bank.name, bank.elements.map(|n| format!("[{n}]")).unwrap_or_default());
    warnings.push(format!(
        "stage \"{}\" reads bank {name}, which request \"{}\" does not declare: if the frontend makes it, add {name} = \"{}{size}\" to the banks of the request, else mount the module that appends it",
        stage.name, chain.request.name, bank.tid
    ));
    Ok(())
}

fn same_type(request: &str, stage: &str, bank: &BankUse, known: &Known) -> Result<(), Refused> {
    // Types without a Rust twin are read as bytes; what the event holds is checked there.
    let bytes = bank.tid == Tid::Byte
        && matches!(known.bank.tid, Tid::Char | Tid::Bitfield | Tid::String | Tid::Array);
    let members = match (&bank.layout, &known.bank.layout) {
        (Some(a), Some(b)) => same_members(a, b),
        _ => true,
    };
    if (bank.tid == known.bank.tid || bytes) && members {
        return Ok(());
    }
    Err(Box::new(WiringError::Type {
        request: request.to_owned(),
        stage: stage.to_owned(),
        bank: bank.name,
        wanted: describe(bank),
        by: known
            .writer
            .as_ref()
            .map_or("the request declares it".into(), |w| format!("stage \"{w}\" appends it")),
        found: describe(&known.bank),
    }))
}

/// Types and places are what counts; names may differ in spelling.
fn same_members(a: &Layout, b: &Layout) -> bool {
    let places = |l: &Layout| l.fields().iter().map(|f| (f.tid, f.count, f.offset)).collect::<Vec<_>>();
    places(a) == places(b)
}

fn member(field: &Field) -> String {
    let count = if field.count > 1 { format!("[{}]", field.count) } else { String::new() };
    format!("{} {}{count}", field.name, field.tid)
}

fn describe(bank: &BankUse) -> String {
    match &bank.layout {
        Some(layout) => {
            let fields: Vec<String> = layout.fields().iter().map(member).collect();
            format!("STRUCT {{{}}}", fields.join(", "))
        }
        None => bank.tid.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn another_bank_has_another_name() {
        let name = |name: &str| another(BankName::parse(name).unwrap()).to_string();
        assert_eq!(["SEEN", "SUM", "AD", "SEE2"].map(name), ["SEE2", "SUM2", "AD2", "SEE3"]);
    }
}
