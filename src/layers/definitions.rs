//! What the experiment's ODB says of its events.

use std::sync::Arc;

use pactolus_formats::{BankName, Layout};
use pactolus_odb::{Directory, Dump, Load, Tree};

/// Where an experiment keeps its events.
pub(crate) const EQUIPMENT: &str = "/Equipment";

/// What the experiment's ODB says of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EventDefinition {
    /// Name of the equipment.
    pub(crate) name: String,
    /// Event id.
    pub(crate) id: i32,
    /// The members, if the event is in FIXED format.
    pub(crate) fixed: Option<Arc<Layout>>,
    /// Members of STRUCT banks.
    pub(crate) structs: Vec<(BankName, Arc<Layout>)>,
}

/// All event definitions. Of several equipments with one id, the first counts, as in MIDAS.
pub(crate) fn event_definitions(tree: &Tree) -> Vec<EventDefinition> {
    let Ok(equipment) = tree.directory(EQUIPMENT) else { return Vec::new() };
    equipment.iter().filter_map(|key| definition(tree, key.name())).collect()
}

/// Definitions with what another ODB adds: events that are not defined, members of FIXED events and of
/// STRUCT banks that are not known.
pub(crate) fn with_those_of(mut known: Vec<EventDefinition>, other: Option<&Tree>) -> Vec<EventDefinition> {
    for theirs in other.map(event_definitions).unwrap_or_default() {
        let Some(ours) = known.iter_mut().find(|ours| ours.id == theirs.id) else {
            known.push(theirs);
            continue;
        };
        if ours.fixed.as_ref().is_some_and(|layout| layout.fields().is_empty()) {
            ours.fixed = theirs.fixed.or(ours.fixed.take());
        }
        let is_new = |name: BankName| ours.structs.iter().all(|(known, _)| *known != name);
        let new: Vec<_> = theirs.structs.into_iter().filter(|(name, _)| is_new(*name)).collect();
        ours.structs.extend(new);
    }
    known
}

/// The tree of an ODB dump; an empty one if it cannot be read.
pub(crate) fn dumped(text: &[u8]) -> Tree {
    let mut tree = Tree::new();
    if let Ok(dump) = Dump::parse(text) {
        tree.load(&dump, &Load::default());
    }
    tree
}

fn definition(tree: &Tree, name: &str) -> Option<EventDefinition> {
    let id = tree.get::<i32>(&format!("{EQUIPMENT}/{name}/Common/Event ID")).ok()?;
    let format: String = tree.get(&format!("{EQUIPMENT}/{name}/Common/Format")).unwrap_or_default();
    let variables = tree.directory(&format!("{EQUIPMENT}/{name}/Variables")).ok();
    let fixed =
        (format.eq_ignore_ascii_case("FIXED")).then(|| Arc::new(variables.map(layout).unwrap_or_default()));
    let structs = variables.into_iter().flat_map(Directory::iter).filter_map(|key| {
        let members = key.directory()?;
        Some((BankName::parse(key.name())?, Arc::new(layout(members))))
    });
    Some(EventDefinition { name: name.to_owned(), id, fixed, structs: structs.collect() })
}

/// The keys of a directory as members of a structure.
fn layout(directory: &Directory) -> Layout {
    let mut layout = Layout::new();
    for key in directory.iter() {
        if let Some(value) = key.value() {
            layout.push(key.name(), value.tid(), value.len(), value.item_size());
        }
    }
    layout
}
