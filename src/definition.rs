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

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_formats::{BankName, Layout, Tid};
use pactolus_odb::{Path as OdbPath, Value};

use crate::histo::{Axis, MOST_BINS, is_number, natural};
use crate::request::{Request, RequestedBank, Sampling};

mod error;
mod file;
mod keys;
mod schema;
#[cfg(test)]
mod tests;
mod value;

pub use error::DefinitionError;
use file::{AxisDef, BankDef, BankTable, FileDef, ModuleDef, Named, ParameterDef, RequestDef, TypeText};
pub(crate) use keys::{Step, refused, same_name, unknown};
pub(crate) use value::{as_json, from_toml, of_type};

/// A whole definition.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Where it was read, for messages; empty if it was built in.
    pub path: PathBuf,
    /// Name of the analyzer and of its directory in the ODB.
    pub name: String,
    /// Parameters that belong to no module: directory below `Parameters`, key, value.
    pub parameters: Vec<(String, String, Value)>,
    /// The requests in order, each with its modules.
    pub requests: Vec<(Request, Vec<Mount>)>,
    /// The text it was read from.
    pub text: String,
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
        let syntax = |message: String| DefinitionError::Syntax { path: path.to_owned(), message };
        keys::check(text).map_err(syntax)?;
        let file: FileDef = toml::from_str(text).map_err(|e| syntax(keys::one_line(text, &e)))?;
        let refuse = |(way, place, message): (Vec<Step>, String, String)| {
            let line = keys::line_of(text, &way);
            DefinitionError::Value { path: path.to_owned(), line, place, message }
        };
        let named = |name: &str| match OdbPath::ROOT.child(name) {
            Ok(_) => Ok(()),
            Err(_) => Err("a name of the ODB wanted, without a slash".to_owned()),
        };
        let place = || format!("name {:?}", file.name);
        named(&file.name).map_err(|m| refuse((vec!["name".into()], place(), m)))?;
        let mut parameters = Vec::new();
        for (dir, keys) in file.parameters.0 {
            for (key, value) in keys.0 {
                let way = || vec!["parameters".into(), Step::from(&*dir), Step::from(&*key)];
                let place = || format!("parameters \"{dir}\", \"{key}\"");
                let parameter = named(&dir).and(named(&key)).and_then(|()| parameter(value));
                let parameter = parameter.map_err(|m| refuse((way(), place(), m)))?;
                parameters.push((dir.clone(), key, parameter));
            }
        }
        let mut requests = Vec::new();
        for (i, def) in file.request.into_iter().enumerate() {
            let place = format!("request \"{}\"", def.name);
            let request = request(def).map_err(|(inner, at, m)| {
                let way = ["request".into(), i.into()].into_iter().chain(inner).collect();
                refuse((way, format!("{place}{at}"), m))
            });
            requests.push(request?);
        }
        Ok(Definition { path: path.to_owned(), name: file.name, parameters, requests, text: text.to_owned() })
    }
}

/// Of the type that it names, else INT, DOUBLE, BOOL or STRING.
fn parameter(def: ParameterDef) -> Result<Value, String> {
    let (value, name) = match def {
        ParameterDef::Plain(value) => (value, None),
        ParameterDef::Typed(typed) => (typed.value, typed.r#type),
    };
    let value = from_toml(&value.0)?;
    let tid = match name {
        Some(name) => Tid::from_name(&name).ok_or_else(|| format!("unknown type \"{name}\""))?,
        None if value.tid() == Tid::Int64 => Tid::Int,
        None => value.tid(),
    };
    of_type(&value, tid)
}

/// The way from the request, what is added to its place, and why.
type Refused = (Vec<Step>, String, String);

fn request(def: RequestDef) -> Result<(Request, Vec<Mount>), Refused> {
    let own = |key: &str, message: String| (vec![key.into()], String::new(), message);
    let wanted = |key, wanted: &str, found: &dyn Display| own(key, format!("{wanted} wanted, {found} found"));
    let id = i32::try_from(def.id).ok().filter(|id| (-1..0x8000).contains(id));
    let id = id.ok_or_else(|| wanted("id", "id -1 (every event) or 0 to 32767", &def.id))?;
    let mask = i32::try_from(def.mask).ok().filter(|mask| (-1..0x10000).contains(mask));
    let mask = mask.ok_or_else(|| wanted("mask", "mask -1 (every mask) or 0 to 65535", &def.mask))?;
    let reserve = u32::try_from(def.reserve)
        .map_err(|_| wanted("reserve", "reserve 0 (none) or a number of events", &def.reserve))?;
    let sampling = Sampling::from_name(&def.sampling).ok_or_else(|| {
        let known = "sampling \"all\", \"nonblocking\" or \"recent\"";
        wanted("sampling", known, &format!("{:?}", def.sampling))
    })?;
    let fixed = def.fixed.map(|fields| layout(&fields)).transpose();
    let fixed = fixed.map_err(|message| own("fixed", message))?.map(Arc::new);
    if fixed.is_some() && !def.banks.0.is_empty() {
        return Err(own("fixed", "an event is either fixed or has banks".into()));
    }
    let mut banks = Vec::new();
    for (name, value) in def.banks.0 {
        let bank = bank(&name, value, def.switch).map_err(|message| {
            (vec!["banks".into(), Step::from(&*name)], format!(", bank \"{name}\""), message)
        });
        banks.push(bank?);
    }
    let mut mounts = Vec::new();
    for (j, module) in def.module.into_iter().enumerate() {
        let place = format!(", module \"{}\"", module.name.as_ref().unwrap_or(&module.r#type));
        let way = || vec!["module".into(), j.into(), "banks".into()];
        mounts.push(mount(module).map_err(|message| (way(), place, message))?);
    }
    let request = Request {
        name: def.name,
        id,
        mask,
        sampling,
        reserve,
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
    let mut banks: Vec<(BankName, BankName)> = Vec::new();
    for (own, mounted) in def.banks.0 {
        let (own, mounted) = (bank_name(&own)?, bank_name(&mounted)?);
        if let Some((other, _)) = banks.iter().find(|(_, taken)| *taken == mounted) {
            return Err(format!(
                "banks: {mounted} stands for {other} and for {own}: give one of them another name"
            ));
        }
        banks.push((own, mounted));
    }
    let name = def.name.unwrap_or_else(|| def.r#type.clone());
    Ok(Mount { module: def.r#type, name, parameters: def.parameters, banks })
}

fn bank(name: &str, def: BankDef, switch: bool) -> Result<RequestedBank, String> {
    let bank_name = BankName::parse(name).ok_or("a bank name has one to four bytes")?;
    let entry = BankTable::from(def);
    let (tid, elements) = type_and_count(&entry.r#type.0)?;
    let layout = entry.fields.map(|fields| layout(&fields)).transpose()?.map(Arc::new);
    if layout.is_some() && tid != Tid::Struct {
        return Err("only a STRUCT has fields".into());
    }
    let histograms = match entry.histogram {
        Some(marked) => histograms(tid, layout.as_deref(), marked.0)?,
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
                let field = field.ok_or_else(|| {
                    let known = fields.fields().iter().map(|field| &*field.name);
                    unknown("field", &member, "histogram", known)
                })?;
                if matches!(axis, toml::Value::Boolean(false)) {
                    continue;
                }
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
    let entry: AxisDef = value.try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
    let axis = match (entry.bins, entry.low, entry.high, entry.first, entry.last, entry.edges) {
        (Some(bins), Some(low), Some(high), None, None, None) => {
            let wanted = || format!("bins 1 to {MOST_BINS} wanted, {bins} found");
            let bins = usize::try_from(bins).ok().filter(|bins| (1..=MOST_BINS).contains(bins));
            Axis::regular(bins.ok_or_else(wanted)?, low, high)
        }
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
            let count = count.trim().parse::<u32>().ok().filter(|count| *count > 0);
            (name, Some(count.ok_or_else(wrong)? as usize))
        }
        None => (text, None),
    };
    Ok((Tid::from_name(name.trim()).ok_or_else(wrong)?, count))
}

fn layout(fields: &Named<TypeText>) -> Result<Layout, String> {
    let mut layout = Layout::new();
    for (name, TypeText(text)) in &fields.0 {
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
