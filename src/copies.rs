//! Events on their way to a shared ODB: the first of each request, then one a second.
//!
//! The fold says which requests want one; workers, which take any that comes, copy at most one of each in
//! a block; and of all copies the fold writes the first in the order of the run.

use std::sync::atomic::{AtomicBool, Ordering};

use pactolus_formats::layout::to_little;
use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::{Bank, EventView, Layout, Tid, mid};
use pactolus_odb::{Error as OdbError, Strings, Tree, Value};

use crate::epoch::RunChain;
use crate::event::Event;
use crate::layers::EQUIPMENT;

/// Which requests want a copy of an event.
#[derive(Debug)]
pub(crate) struct Copies {
    wanted: Vec<AtomicBool>,
}

impl Copies {
    /// All of so many requests do.
    pub(crate) fn new(requests: usize) -> Copies {
        Copies { wanted: (0..requests).map(|_| AtomicBool::new(true)).collect() }
    }

    /// Whether request `number` wants one.
    #[inline]
    pub(crate) fn are_wanted(&self, number: usize) -> bool {
        // A block that learns it late copies one that nobody takes.
        self.wanted.get(number).is_some_and(|wanted| wanted.load(Ordering::Relaxed))
    }

    pub(crate) fn want(&self, number: usize, wanted: bool) {
        if let Some(place) = self.wanted.get(number) {
            place.store(wanted, Ordering::Relaxed);
        }
    }
}

/// A copy of an event.
#[derive(Debug)]
pub(crate) struct Copy {
    /// The request that keeps it.
    pub(crate) chain: usize,
    /// Its number in its input.
    pub(crate) number: u64,
    /// In `.mid` form, with appended banks.
    bytes: Vec<u8>,
}

impl Copy {
    /// A copy of an event, unless that has become too large for one.
    pub(crate) fn new(
        chain: usize,
        number: u64,
        event: &Event<'_>,
        original: &EventView<'_>,
    ) -> Option<Copy> {
        let mut bytes = Vec::new();
        if event.is_fixed() {
            mid::write_raw(&mut bytes, original);
        } else {
            mid::write_event(&mut bytes, event.header(), BankKind::Bank32, event.banks()).ok()?;
        }
        Some(Copy { chain, number, bytes })
    }

    /// Bytes that it holds.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Its values, each with the path where it belongs: below the variables of the equipment that has the
    /// name of the request. Plain banks are arrays, structures and FIXED events directories.
    pub(crate) fn values(&self, chain: &RunChain) -> Vec<(String, Value)> {
        let mut values = Vec::new();
        let Some((event, _)) = EventView::parse(&self.bytes) else { return values };
        let variables = format!("{EQUIPMENT}/{}/Variables", chain.name);
        if let Some(layout) = chain.fixed(event.header.id) {
            members(&variables, layout, event.payload, &mut values);
            return values;
        }
        let mut seen = Vec::new();
        for bank in event.banks().map_while(Result::ok) {
            let Ok(name) = std::str::from_utf8(bank.name.text()) else { continue };
            // The first of a name counts.
            if name.is_empty()
                || name.contains(|c: char| c == '/' || c.is_control())
                || seen.contains(&bank.name)
            {
                continue;
            }
            seen.push(bank.name);
            let path = format!("{variables}/{name}");
            match (bank.tid(), chain.layout_of(&bank)) {
                (Some(Tid::Struct), Some(layout)) => members(&path, layout, bank.data, &mut values),
                (Some(Tid::Struct) | None, _) => {}
                (Some(tid), _) => values.extend(Some(path).zip(plain(tid, &bank))),
            }
        }
        values
    }
}

/// The members of the first structure in these bytes, as far as they are there.
fn members(path: &str, layout: &Layout, bytes: &[u8], values: &mut Vec<(String, Value)>) {
    for field in layout.fields() {
        let bytes = layout.slice(field, bytes);
        if bytes.len() == field.size() {
            values.extend(
                value(field.tid, field.item_size, bytes)
                    .map(|value| (format!("{path}/{}", field.name), value)),
            );
        }
    }
}

/// The elements of a bank.
fn plain(tid: Tid, bank: &Bank<'_>) -> Option<Value> {
    let mut bytes = bank.data.to_vec();
    to_little(Some(tid), bank.order, &mut bytes);
    let whole = bytes.len() - bytes.len() % tid.unit();
    let mut value = value(tid, bytes.len(), &bytes[..whole]);
    if let Some(Value::String(text)) = &mut value {
        // A key has room for a NUL, too.
        text.size += 1;
    }
    value
}

/// Little-endian bytes as values; `None` if there are none, or no key has this type.
fn value(tid: Tid, item_size: usize, bytes: &[u8]) -> Option<Value> {
    let value = match tid {
        Tid::Bool => Value::Bool(
            bytes.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk) != 0).collect(),
        ),
        Tid::String => {
            let text = |chunk: &[u8]| chunk.split(|&b| b == 0).next().unwrap_or_default().to_vec();
            let values: Vec<Vec<u8>> = bytes.chunks(item_size.max(1)).map(text).collect();
            Value::String(Strings { size: item_size, values })
        }
        other => Value::from_le_bytes(other, bytes)?,
    };
    (!value.is_empty() && value.len() <= Value::MAX_LEN).then_some(value)
}

/// Writes values, and says which cannot be, and why: those whose keys have another type.
pub(crate) fn put(tree: &mut Tree, values: &[(String, Value)]) -> Result<Vec<(String, String)>, OdbError> {
    let mut refused = Vec::new();
    for (path, value) in values {
        let known = tree.find(path).ok().map(|found| found.key.value().map(Value::tid));
        let done = match known {
            None => tree.create(path, value.clone()),
            Some(Some(tid)) if tid == value.tid() => tree.set(path, value.clone()),
            Some(Some(tid)) => {
                refused.push((path.clone(), format!("it is {tid}, the bank {}", value.tid())));
                Ok(())
            }
            Some(None) => {
                refused.push((path.clone(), format!("it is a directory, the bank {}", value.tid())));
                Ok(())
            }
        };
        match done {
            Err(error @ OdbError::Store(_)) => return Err(error),
            Err(error) => refused.push((path.clone(), error.to_string())),
            Ok(()) => {}
        }
    }
    Ok(refused)
}
