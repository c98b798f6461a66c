//! Values in force, as an output says them: nothing is rounded, and each key has its type.

use std::collections::BTreeMap;

use pactolus_formats::Layout;
use pactolus_odb::{Tree, Value as OdbValue};
use serde_json::{Map, Value, json};

use crate::analyzer::Analyzer;
use crate::layers::{EventDefinition, watched};

/// What is said of the values of an epoch.
#[derive(Default)]
pub(crate) struct Said {
    /// Text of each key by its path, arrays as lists.
    values: Map<String, Value>,
    /// The type of each.
    types: Map<String, Value>,
}

impl Said {
    /// All that makes an epoch another one.
    pub(crate) fn of(analyzer: &Analyzer, tree: &Tree) -> Said {
        let mut said = Said::default();
        for path in watched(analyzer) {
            let path = path.to_string();
            match tree.find(&path) {
                Ok(found) if found.key.directory().is_some() => said.directory(tree, &path),
                Ok(_) => said.key(tree, &path),
                Err(_) => {}
            }
        }
        said
    }

    fn directory(&mut self, tree: &Tree, path: &str) {
        for (path, key) in tree.walk(path).into_iter().flatten() {
            if key.value().is_some() {
                self.key(tree, &path.to_string());
            }
        }
    }

    /// A key, or what its link leads to.
    fn key(&mut self, tree: &Tree, path: &str) {
        let link = || tree.find_link(path).ok()?.key.value().cloned();
        let Some(value) = tree.value(path).ok().or_else(link) else { return };
        let text = |index| Value::String(value.exact(index));
        let shown = match value.len() {
            1 => text(0),
            len => Value::Array((0..len).map(text).collect()),
        };
        self.values.insert(path.to_owned(), shown);
        self.types.insert(path.to_owned(), Value::String(kind(&value)));
    }

    /// As the first epoch of a run, with what counts at its begin alone.
    pub(crate) fn first(&self, analyzer: &Analyzer, tree: &Tree) -> Value {
        let mut only = Said::default();
        only.key(tree, &format!("{}/Output/Clear histos", analyzer.root()));
        let both = |all: &Map<String, Value>, only: Map<String, Value>| {
            let mut all = all.clone();
            all.extend(only);
            all
        };
        let (values, types) = (both(&self.values, only.values), both(&self.types, only.types));
        json!({ "epoch": 0, "values": values, "types": types })
    }

    /// As an epoch behind another: what differs, and the types that do. Null is a key that is gone.
    pub(crate) fn behind(&self, before: &Said, number: u32, first: u64) -> Value {
        let is_new = |path: &String| {
            self.values.get(path) != before.values.get(path) || self.types.get(path) != before.types.get(path)
        };
        let gone = before.values.keys().filter(|path| !self.values.contains_key(*path));
        // Sorted, since keys that are made anew stand at another place than before.
        let mut changed: BTreeMap<&String, &Value> = gone.map(|path| (path, &Value::Null)).collect();
        changed.extend(self.values.iter().filter(|(path, _)| is_new(path)));
        let retyped =
            |path: &String| self.types.get(path).filter(|kind| before.types.get(path) != Some(*kind));
        let types: BTreeMap<_, _> = changed.keys().filter_map(|path| Some((*path, retyped(path)?))).collect();
        let mut epoch = json!({ "epoch": number, "first_event": first, "changed": changed });
        if !types.is_empty() {
            epoch["types"] = json!(types);
        }
        epoch
    }
}

/// The type of a value: `INT`, or `STRING(32)` with the room of each.
fn kind(value: &OdbValue) -> String {
    match value {
        OdbValue::String(strings) => format!("STRING({})", strings.size),
        other => other.tid().name().to_owned(),
    }
}

/// What is known of the events of a run.
pub(crate) fn equipment(definitions: &[EventDefinition]) -> Value {
    definitions.iter().map(one).collect()
}

fn one(EventDefinition { name, id, fixed, structs }: &EventDefinition) -> Value {
    let mut said = json!({ "name": name, "id": id });
    if let Some(layout) = fixed {
        said["fixed"] = members(layout);
    }
    if !structs.is_empty() {
        let banks = structs.iter().map(|(bank, layout)| {
            json!({ "bank": String::from_utf8_lossy(bank.text()), "members": members(layout) })
        });
        said["structs"] = banks.collect();
    }
    said
}

/// Of each member: name, type, elements, bytes of one.
fn members(layout: &Layout) -> Value {
    let fields = layout.fields().iter();
    fields.map(|f| json!([f.name, f.tid.name(), f.count, f.item_size])).collect()
}
