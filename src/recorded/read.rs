//! What a file says of its epochs.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_formats::tuple::PlainReader;
use pactolus_formats::{BankName, Error as FormatError, Layout, Tid};
use pactolus_odb::{Path as OdbPath, Value as OdbValue};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Recorded, RecordedEpoch, RecordedRun};
use crate::Error;
use crate::histo::FileKind;
use crate::job::provenance_path;
use crate::layers::EventDefinition;

/// Members of a structure have no more bytes.
const LARGEST: u64 = i32::MAX as u64;

/// A provenance, or a file of histograms with one in it. Other members are stepped over: there may be
/// gigabytes of them.
#[derive(Deserialize)]
struct Json {
    program: Option<Value>,
    analyzer: Option<Value>,
    definition: Option<Value>,
    runs: Option<Value>,
    pactolus: Option<Inside>,
}

#[derive(Deserialize)]
struct Inside {
    provenance: Option<Box<Json>>,
}

pub(super) fn recorded(path: PathBuf) -> Result<Recorded, Error> {
    let refused = |message: String| Error::Epochs { path: path.clone(), message };
    let unknown =
        || refused("a table, a file of histograms or OUT.provenance.json of pactolus wanted".into());
    let json = provenance(&path)?.ok_or_else(unknown)?;
    let json = match json.pactolus {
        Some(inside) => *inside.provenance.ok_or_else(unknown)?,
        None => json,
    };
    let Json { program: Some(Value::String(_)), analyzer: Some(Value::String(analyzer)), .. } = json else {
        return Err(unknown());
    };
    let definition = json.definition.and_then(|text| text.as_str().map(str::to_owned));
    let Some(Value::Array(runs)) = json.runs else { return Err(unknown()) };
    let runs = runs.into_iter().map(|said| run(said, &path).map(Arc::new).map_err(refused));
    Ok(Recorded { runs: runs.collect::<Result<_, _>>()?, analyzer, definition, path })
}

/// The provenance in a file, or beside it; `None` if there is none.
fn provenance(path: &Path) -> Result<Option<Json>, Error> {
    let file = File::open(path).map_err(FormatError::io("open", path))?;
    match FileKind::of_contents(path) {
        Some(FileKind::Table(_)) => {
            let table = PlainReader::open(path, &[])?;
            Ok(table.metadata("pactolus.provenance").and_then(|text| serde_json::from_str(text).ok()))
        }
        Some(FileKind::Json) => Ok(serde_json::from_reader(BufReader::with_capacity(1 << 18, file)).ok()),
        None => {
            let beside = provenance_path(path);
            if beside.is_file() { provenance(&beside) } else { Ok(None) }
        }
    }
}

/// A run. An error says what is missing, and where.
fn run(mut said: Value, file: &Path) -> Result<RecordedRun, String> {
    let number = said["run"].as_u64().and_then(|run| u32::try_from(run).ok()).ok_or("a run has no number")?;
    let at = |what: String| format!("run {number}: {what}");
    let definitions = match said.get("equipment") {
        Some(list) => definitions(list).ok_or_else(|| at("its \"equipment\" is broken".into()))?,
        None => Vec::new(),
    };
    let text = said.get_mut("epochs").map(Value::take).unwrap_or_default();
    let list = text.as_array().filter(|list| !list.is_empty()).ok_or_else(|| at("no epochs".into()))?;
    let mut types = HashMap::new();
    let mut epochs: Vec<RecordedEpoch> = Vec::new();
    for said in list {
        let place = epochs.len();
        let epoch = epoch(said, &mut types).map_err(|what| at(format!("epoch {place}: {what}")))?;
        let follows = match epochs.last() {
            None => epoch.number == 0 && epoch.first == 0,
            Some(before) => epoch.number > before.number && epoch.first > before.first,
        };
        if !follows {
            return Err(at(format!("epoch {place}: it does not follow the one before")));
        }
        epochs.push(epoch);
    }
    Ok(RecordedRun { number, file: file.to_owned(), definitions, epochs, text })
}

/// An epoch. `types`: of the keys so far.
fn epoch(said: &Value, types: &mut HashMap<String, String>) -> Result<RecordedEpoch, String> {
    let number = said["epoch"].as_u64().and_then(|number| u32::try_from(number).ok()).ok_or("no number")?;
    let first = said.get("first_event").map_or(Some(0), Value::as_u64).ok_or("no first event")?;
    for (path, kind) in said.get("types").and_then(Value::as_object).into_iter().flatten() {
        types.insert(path.clone(), kind.as_str().unwrap_or_default().to_owned());
    }
    let values = said.get(if first == 0 { "values" } else { "changed" });
    let values: &Map<String, Value> = values.and_then(Value::as_object).ok_or("no values")?;
    let (mut set, mut gone) = (Vec::new(), Vec::new());
    for (path, said) in values {
        // A path that is not one can only be damage, or a fake.
        OdbPath::parse(path).map_err(|error| error.to_string())?;
        if said.is_null() {
            gone.push(path.clone());
            continue;
        }
        let kind = types.get(path).ok_or_else(|| {
            format!("no type of {path}: it was written by a pactolus that does not tell them")
        })?;
        let value = value(kind, said).ok_or_else(|| format!("{path}: {said} is no {kind}"))?;
        set.push((path.clone(), value));
    }
    Ok(RecordedEpoch { number, first, values: set, gone })
}

fn value(kind: &str, said: &Value) -> Option<OdbValue> {
    let (name, room) = match kind.strip_suffix(')').and_then(|kind| kind.split_once('(')) {
        Some((name, room)) => (name, Some(room.parse::<usize>().ok()?)),
        None => (kind, None),
    };
    let mut value = OdbValue::empty(Tid::from_name(name)?)?;
    let texts = said.as_array().map_or(std::slice::from_ref(said), Vec::as_slice);
    if texts.len() > OdbValue::MAX_LEN {
        return None;
    }
    if let (OdbValue::String(strings), Some(room)) = (&mut value, room) {
        strings.size = room.min(OdbValue::MAX_LEN);
    }
    texts.iter().all(|text| text.as_str().is_some_and(|text| value.push_exact(text))).then_some(value)
}

/// What is known of events.
fn definitions(said: &Value) -> Option<Vec<EventDefinition>> {
    said.as_array()?.iter().map(definition).collect()
}

fn definition(said: &Value) -> Option<EventDefinition> {
    let structs = said.get("structs").and_then(Value::as_array).into_iter().flatten().map(|bank| {
        let name = BankName::parse(bank["bank"].as_str()?)?;
        Some((name, Arc::new(layout(&bank["members"])?)))
    });
    let fixed = match said.get("fixed") {
        Some(members) => Some(Arc::new(layout(members)?)),
        None => None,
    };
    Some(EventDefinition {
        name: said["name"].as_str()?.to_owned(),
        id: i32::try_from(said["id"].as_i64()?).ok()?,
        fixed,
        structs: structs.collect::<Option<_>>()?,
    })
}

fn layout(said: &Value) -> Option<Layout> {
    let mut layout = Layout::new();
    let mut bytes = 0u64;
    for member in said.as_array()? {
        let [name, kind, count, size] = member.as_array()?.as_slice() else { return None };
        let number = |n: &Value| usize::try_from(n.as_u64()?).ok().filter(|n| *n <= OdbValue::MAX_LEN);
        let (tid, count, size) = (Tid::from_name(kind.as_str()?)?, number(count)?, number(size)?);
        // Before it is added up: no event is larger. With what may lie between it and the one before.
        let item = if tid.size() == 0 { size } else { tid.size() };
        bytes = bytes.saturating_add(count as u64 * item as u64 + 8);
        if bytes > LARGEST {
            return None;
        }
        layout.push(name.as_str()?, tid, count, size);
    }
    Some(layout)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_of_a_structure_are_no_larger_than_an_event() {
        let fits = layout(&json!([["a", "DOUBLE", 4, 0], ["b", "STRING", 2, 32]])).unwrap();
        assert_eq!(fits.size(), 96);
        let most = OdbValue::MAX_LEN;
        // Each of them is fine, and so is each product.
        let large = |n: usize| Value::Array(vec![json!(["a", "DOUBLE", most, 0]); n]);
        assert_eq!(layout(&large(15)).unwrap().size(), 15 * 8 * most);
        assert!(layout(&large(16)).is_none());
        assert!(layout(&json!([["a", "STRING", most, most]])).is_none());
        let many = Value::Array(vec![json!(["a", "STRING", most, most]); 1 << 17]);
        assert!(layout(&many).is_none());
    }
}
