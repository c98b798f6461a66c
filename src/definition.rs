//! The analyzer definition, `analyzer.toml`: what `mana` compiled in, a user writes down.
//!
//! ```toml
//! name = "Analyzer"                      # its directory in the ODB
//!
//! [parameters.Global]                    # parameters that belong to no module
//! "ADC Threshold" = { type = "FLOAT", value = 5 }
//!
//! [[request]]
//! name = "Trigger"                       # name of the event and of its tables
//! id = 1                                 # event id; -1 (the default) is every id
//! mask = -1                              # trigger mask; -1 (the default) is every mask
//! sampling = "nonblocking"               # or "all", "recent"; files give every event
//! reserve = 8                            # of an analysis that is behind: the newest 8 are kept (shared memory)
//! tests = true                           # kept events count the tests
//! switch = false                         # where the output switches of its banks start
//!
//! [request.banks]                        # type, and number of elements if known
//! ADC0 = "WORD[4]"
//! CADC = { type = "FLOAT[4]", unit = "MeV", description = "Calibrated amplitude", switch = true }
//! TDC0 = { type = "WORD[4]", histogram = true }      # one for each channel, over all values
//! QDC0 = { type = "FLOAT", histogram = { bins = 500, low = 0, high = 4000 } }
//! ASUM = { type = "STRUCT", fields = { Sum = "FLOAT", Average = "FLOAT" } }
//!
//! [[request.module]]
//! type = "AdcCalib"                      # as the catalogue of modules names it
//! name = "ADC calibration"               # its switch and parameters in the ODB
//! parameters = { Pedestal = [174, 194, 176, 182] }
//! banks = { ADC0 = "ADC1" }              # another bank for one that the module names
//!
//! [[request]]
//! name = "Slow"
//! id = 4
//! fixed = { Temperature = "DOUBLE", "Voltage V" = "FLOAT[3]", Label = "STRING[10]" }
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_formats::{BankName, Layout, Tid};
use serde::Deserialize;

use crate::histo::{Axis, is_number, natural};
use crate::request::{Request, RequestedBank, Sampling};

/// Why a definition was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// The file could not be read.
    #[error("cannot read the definition {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not TOML, or an unknown or missing key.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        message: String,
    },
    /// A value that means nothing.
    #[error("{}: {place}: {message}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Which entry: `request "Trigger", bank "ADC0"`.
        place: String,
        /// What is wrong.
        message: String,
    },
}

/// A whole definition.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Where it was read, for messages; empty if it was built in.
    pub path: PathBuf,
    /// Name of the analyzer and of its directory in the ODB.
    pub name: String,
    /// Parameters that belong to no module: directory below `Parameters`, key, value.
    pub parameters: Vec<(String, String, Parameter)>,
    /// The requests in order, each with its modules.
    pub requests: Vec<(Request, Vec<Mount>)>,
    /// The text it was read from.
    pub text: String,
}

/// A parameter value in a definition.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its MIDAS type; by the TOML value if absent.
    pub tid: Option<Tid>,
    /// The value or array.
    pub value: toml::Value,
}

/// A module mounted on a request.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Type name in the catalogue.
    pub module: String,
    /// Name of the stage.
    pub name: String,
    /// Start values of parameters, in place of the module's own.
    pub parameters: toml::Table,
    /// Banks that stand for those that the module names: (module's, event's).
    pub banks: Vec<(BankName, BankName)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDef {
    #[serde(default = "analyzer")]
    name: String,
    #[serde(default)]
    parameters: toml::Table,
    #[serde(default)]
    request: Vec<RequestDef>,
}

fn analyzer() -> String {
    "Analyzer".into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestDef {
    name: String,
    #[serde(default = "every")]
    id: i32,
    #[serde(default = "every")]
    mask: i32,
    #[serde(default = "nonblocking")]
    sampling: String,
    #[serde(default)]
    reserve: u32,
    #[serde(default = "system")]
    buffer: String,
    #[serde(default)]
    tests: bool,
    #[serde(default = "on")]
    switch: bool,
    fixed: Option<toml::Table>,
    #[serde(default)]
    banks: toml::Table,
    #[serde(default)]
    module: Vec<ModuleDef>,
}

fn every() -> i32 {
    -1
}

fn nonblocking() -> String {
    "nonblocking".into()
}

fn system() -> String {
    "SYSTEM".into()
}

fn on() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModuleDef {
    r#type: String,
    name: Option<String>,
    #[serde(default)]
    parameters: toml::Table,
    #[serde(default)]
    banks: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BankEntry {
    r#type: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    description: String,
    switch: Option<bool>,
    fields: Option<toml::Table>,
    histogram: Option<toml::Value>,
}

impl Definition {
    /// Reads a definition from a file.
    ///
    /// # Errors
    /// If the file cannot be read, is no TOML, or has unknown keys or meaningless values.
    pub fn read(path: impl AsRef<Path>) -> Result<Definition, DefinitionError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| DefinitionError::Io { path: path.to_owned(), source })?;
        Definition::parse(&text, path)
    }

    /// Reads a definition from text; `path` is what messages call it.
    ///
    /// # Errors
    /// If the text is no TOML, or has unknown keys or meaningless values.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Definition, DefinitionError> {
        let path = path.as_ref();
        let file: FileDef = toml::from_str(text)
            .map_err(|e| DefinitionError::Syntax { path: path.to_owned(), message: one_line(text, &e) })?;
        let refuse =
            |place: String, message: String| DefinitionError::Value { path: path.to_owned(), place, message };
        if file.name.is_empty() || file.name.contains(|c: char| c == '/' || c.is_control()) {
            let message = "the name of a directory of the ODB wanted, without a slash".into();
            return Err(refuse(format!("name {:?}", file.name), message));
        }
        let mut parameters = Vec::new();
        for (dir, keys) in file.parameters {
            let place = format!("parameters \"{dir}\"");
            let toml::Value::Table(keys) = keys else {
                return Err(refuse(place, "a table of parameters wanted".into()));
            };
            for (key, value) in keys {
                let parameter = parameter(value).map_err(|m| refuse(format!("{place}, \"{key}\""), m))?;
                parameters.push((dir.clone(), key, parameter));
            }
        }
        let mut requests = Vec::new();
        for def in file.request {
            let place = format!("request \"{}\"", def.name);
            requests.push(request(def).map_err(|(inner, m)| refuse(format!("{place}{inner}"), m))?);
        }
        Ok(Definition { path: path.to_owned(), name: file.name, parameters, requests, text: text.to_owned() })
    }
}

/// `line 3: unknown field ...` instead of a drawing over several lines.
fn one_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim().replace('\n', ", ");
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

fn parameter(value: toml::Value) -> Result<Parameter, String> {
    match value {
        toml::Value::Table(mut table) => {
            let tid = match table.remove("type") {
                Some(toml::Value::String(name)) => {
                    Some(Tid::from_name(&name).ok_or_else(|| format!("unknown type \"{name}\""))?)
                }
                Some(_) => return Err("\"type\" is the name of a MIDAS type".into()),
                None => None,
            };
            let value = table.remove("value").ok_or("\"value\" is missing")?;
            match table.keys().next() {
                Some(key) => Err(format!("unknown key \"{key}\", known are type and value")),
                None => Ok(Parameter { tid, value }),
            }
        }
        value => Ok(Parameter { tid: None, value }),
    }
}

type Refused = (String, String);

fn request(def: RequestDef) -> Result<(Request, Vec<Mount>), Refused> {
    let own = |message: String| (String::new(), message);
    if !(-1..0x8000).contains(&def.id) {
        return Err(own(format!("id -1 (every event) or 0 to 32767 wanted, {} found", def.id)));
    }
    if !(-1..0x10000).contains(&def.mask) {
        return Err(own(format!("mask -1 (every mask) or 0 to 65535 wanted, {} found", def.mask)));
    }
    let sampling = Sampling::from_name(&def.sampling).ok_or_else(|| {
        own(format!("sampling \"all\", \"nonblocking\" or \"recent\" wanted, \"{}\" found", def.sampling))
    })?;
    let fixed = def.fixed.map(|fields| layout(&fields)).transpose().map_err(own)?.map(Arc::new);
    if fixed.is_some() && !def.banks.is_empty() {
        return Err(own("an event is either fixed or has banks".into()));
    }
    let mut banks = Vec::new();
    for (name, value) in def.banks {
        let bank = bank(&name, value, def.switch).map_err(|m| (format!(", bank \"{name}\""), m))?;
        banks.push(bank);
    }
    let mut mounts = Vec::new();
    for module in def.module {
        let place = format!(", module \"{}\"", module.name.as_ref().unwrap_or(&module.r#type));
        mounts.push(mount(module).map_err(|m| (place, m))?);
    }
    let request = Request {
        name: def.name,
        id: def.id,
        mask: def.mask,
        sampling,
        reserve: def.reserve,
        buffer: def.buffer,
        use_tests: def.tests,
        fixed,
        banks,
    };
    Ok((request, mounts))
}

fn mount(def: ModuleDef) -> Result<Mount, String> {
    let bank_name = |name: &str| {
        BankName::parse(name).ok_or_else(|| format!("\"{name}\": a bank name has one to four bytes"))
    };
    let mut banks = Vec::new();
    for (own, mounted) in def.banks {
        let toml::Value::String(mounted) = mounted else {
            return Err(format!("banks: the name of a bank wanted for \"{own}\""));
        };
        banks.push((bank_name(&own)?, bank_name(&mounted)?));
    }
    let name = def.name.unwrap_or_else(|| def.r#type.clone());
    Ok(Mount { module: def.r#type, name, parameters: def.parameters, banks })
}

fn bank(name: &str, value: toml::Value, switch: bool) -> Result<RequestedBank, String> {
    let bank_name = BankName::parse(name).ok_or("a bank name has one to four bytes")?;
    let entry = match value {
        toml::Value::String(r#type) => BankEntry {
            r#type,
            unit: String::new(),
            description: String::new(),
            switch: None,
            fields: None,
            histogram: None,
        },
        value => value.try_into().map_err(|e: toml::de::Error| e.message().to_owned())?,
    };
    let (tid, elements) = type_and_count(&entry.r#type)?;
    let layout = entry.fields.map(|fields| layout(&fields)).transpose()?.map(Arc::new);
    if layout.is_some() && tid != Tid::Struct {
        return Err("only a STRUCT has fields".into());
    }
    let histograms = match entry.histogram {
        Some(marked) => histograms(tid, layout.as_deref(), marked)?,
        None => Vec::new(),
    };
    Ok(RequestedBank {
        name: bank_name,
        tid,
        elements,
        unit: entry.unit,
        description: entry.description,
        layout,
        switch: entry.switch.unwrap_or(switch),
        histograms,
    })
}

/// `true`, an axis, or axes of members.
fn histograms(tid: Tid, fields: Option<&Layout>, marked: toml::Value) -> Result<Vec<(String, Axis)>, String> {
    match (marked, fields) {
        (toml::Value::Boolean(false), _) => Ok(Vec::new()),
        (toml::Value::Table(members), Some(fields)) => {
            let mut axes = Vec::new();
            for (member, axis) in members {
                let field = fields.fields().iter().find(|f| f.name.eq_ignore_ascii_case(&member));
                let field = field.ok_or_else(|| format!("histogram: there is no field \"{member}\""))?;
                let axis = axis_of(field.tid, axis).map_err(|e| format!("histogram of \"{member}\": {e}"))?;
                axes.push((field.name.clone(), axis));
            }
            Ok(axes)
        }
        (toml::Value::Table(_), None) if tid == Tid::Struct => {
            Err("histogram: the members of this STRUCT are not known here: give `fields`, too, as fields = { Sum = \"FLOAT\" }".into())
        }
        (_, _) if tid == Tid::Struct => {
            Err("histogram: of a STRUCT, the fields: { Sum = { bins = 100, low = 0, high = 1000 } }".into())
        }
        (marked, _) => {
            Ok(vec![(String::new(), axis_of(tid, marked).map_err(|e| format!("histogram: {e}"))?)])
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AxisEntry {
    bins: Option<u32>,
    low: Option<f64>,
    high: Option<f64>,
    first: Option<i64>,
    last: Option<i64>,
    edges: Option<Vec<f64>>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    unit: String,
}

fn axis_of(tid: Tid, value: toml::Value) -> Result<Axis, String> {
    const WANTED: &str =
        "{ bins = 100, low = 0, high = 1000 }, { first = 0, last = 15 } or { edges = [0, 1, 10] } wanted";
    if !is_number(tid) {
        return Err(format!("elements of type {} are no numbers", tid.name()));
    }
    if matches!(value, toml::Value::Boolean(true)) {
        return natural(tid).ok_or_else(|| format!("elements of type {} need an axis: {WANTED}", tid.name()));
    }
    if !value.is_table() {
        return Err(format!("true, or an axis {WANTED}, {value} found"));
    }
    let entry: AxisEntry = value.try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
    let axis = match (entry.bins, entry.low, entry.high, entry.first, entry.last, entry.edges) {
        (Some(bins), Some(low), Some(high), None, None, None) => Axis::regular(bins as usize, low, high),
        (None, None, None, Some(first), Some(last), None) => Axis::integer(first, last),
        (None, None, None, None, None, Some(edges)) => Axis::variable(edges),
        _ => return Err(WANTED.into()),
    };
    let axis = axis.title(entry.title).unit(entry.unit);
    axis.check()?;
    Ok(axis)
}

/// `WORD[4]` or `WORD`.
fn type_and_count(text: &str) -> Result<(Tid, Option<usize>), String> {
    let wrong = || format!("a type like \"WORD\" or \"WORD[4]\" wanted, \"{text}\" found");
    let (name, count) = match text.split_once('[') {
        Some((name, count)) => {
            let count = count.trim_end().strip_suffix(']').ok_or_else(wrong)?;
            (name, Some(count.trim().parse::<u32>().map_err(|_| wrong())? as usize))
        }
        None => (text, None),
    };
    Ok((Tid::from_name(name.trim()).ok_or_else(wrong)?, count))
}

fn layout(fields: &toml::Table) -> Result<Layout, String> {
    let mut layout = Layout::new();
    for (name, value) in fields {
        let text = value.as_str().ok_or_else(|| format!("field \"{name}\": a type wanted"))?;
        let (tid, count) = type_and_count(text).map_err(|m| format!("field \"{name}\": {m}"))?;
        match (tid.size(), count) {
            (0, Some(size)) if tid == Tid::String => layout.push(name, tid, 1, size),
            (0, _) => return Err(format!("field \"{name}\": a type with a size wanted, as STRING[32]")),
            (_, count) => layout.push(name, tid, count.unwrap_or(1), 0),
        }
    }
    // Offsets of members of absurd sizes must not overflow later.
    if layout.size() > i32::MAX as usize {
        return Err("a structure of more than 2 GiB".into());
    }
    Ok(layout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Analyzer, Catalogue};

    fn parse(keys: &str) -> Result<Definition, DefinitionError> {
        Definition::parse(&format!("[[request]]\nname = \"Rare\"\n{keys}\n"), "analyzer.toml")
    }

    #[test]
    fn events_are_reserved_of_one_id_only() {
        let reserve = |keys: &str| parse(keys).unwrap().requests[0].0.reserve;
        assert_eq!((reserve("id = 4"), reserve("id = 4\nreserve = 8")), (0, 8));
        let error = parse("id = 4\nreserve = -1").unwrap_err().to_string();
        assert_eq!(error, "analyzer.toml: line 4: invalid value: integer `-1`, expected u32");
        let every = Analyzer::from_definition(&parse("reserve = 8").unwrap(), &Catalogue::new()).unwrap();
        assert_eq!(
            every.rehearse().unwrap_err().to_string(),
            "request \"Rare\" takes every event: reserve keeps the newest of one id, so give its id, or leave reserve out"
        );
        assert!(Analyzer::new("A").on(Request::new("Rare", 4).reserve(8)).rehearse().is_ok());
    }
}
