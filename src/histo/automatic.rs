//! Histograms of banks that the definition marks: a new detector appears without any code.

use std::sync::Arc;

use pactolus_formats::{Bank, BankName, Element, Layout, Order, Tid};

use super::axis::Axis;
use super::book::{BookingError, Hist1, Hist2, Histo};
use super::fills::Fills;
use super::histogram::Histogram;
use super::set::Histograms;
use crate::Event;
use crate::module::Booked;
use crate::request::RequestedBank;

/// Banks with so many declared elements have a histogram for each; larger ones have all in one,
/// element by value.
const CHANNELS: usize = 64;

/// The histograms of one bank.
#[derive(Clone, Debug)]
pub(crate) struct Automatic {
    pub(crate) bank: BankName,
    pub(crate) tid: Tid,
    fill: Fill,
}

#[derive(Clone, Debug)]
enum Fill {
    /// One for all elements.
    All(Hist1),
    /// One for each element.
    Each(Vec<Hist1>),
    /// Element by value.
    Map(Hist2),
    /// One for each of these members of a struct.
    Members(Arc<Layout>, Vec<(usize, Hist1)>),
}

impl Automatic {
    /// Books what `request` wants of `bank`. `elements`: how many it has, if that is known.
    pub(crate) fn book(
        booked: &mut Booked,
        request: &str,
        bank: &RequestedBank,
        elements: Option<usize>,
        layout: Option<&Arc<Layout>>,
    ) -> Result<Option<Automatic>, BookingError> {
        let path = format!("{request}/{}", bank.name);
        let described = |axis: &Axis| match (axis.name(), bank.description.as_str()) {
            ("", "") => axis.clone().title(bank.name.to_string()),
            ("", text) => axis.clone().title(text),
            _ => axis.clone(),
        };
        let mut members = Vec::new();
        for (member, axis) in &bank.histograms {
            let Some(layout) = layout else { continue };
            let known = layout.fields().iter().position(|f| f.name.eq_ignore_ascii_case(member));
            let Some(field) = known else { continue };
            let axis = if axis.name().is_empty() { axis.clone().title(member) } else { axis.clone() };
            let shape = Hist1::new(axis).title(format!("{} {member}", bank.name)).shape(&path, member)?;
            members.push((field, Hist1::from_index(booked.histogram(shape)?)));
        }
        let fill = match (bank.histograms.as_slice(), layout, elements) {
            (_, Some(layout), _) if !members.is_empty() => Fill::Members(Arc::clone(layout), members),
            ([(member, axis)], _, Some(n @ 2..)) if member.is_empty() => {
                let axis = described(axis).unit(unit(axis, bank));
                if n <= CHANNELS {
                    let digits = (n - 1).to_string().len().max(2);
                    let mut each = Vec::new();
                    for i in 0..n {
                        let title = format!("{}[{i}]", bank.name);
                        let shape = Hist1::new(axis.clone()).title(title);
                        let shape = shape.shape(&path, &format!("{i:0digits$}"))?;
                        each.push(Hist1::from_index(booked.histogram(shape)?));
                    }
                    Fill::Each(each)
                } else {
                    let element = Axis::integer(0, n as i64 - 1).title("Element");
                    let shape = Hist2::new(element, axis).title(bank.name.to_string());
                    Fill::Map(Hist2::from_index(
                        booked.histogram(shape.shape(request, &bank.name.to_string())?)?,
                    ))
                }
            }
            ([(member, axis)], _, _) if member.is_empty() => {
                let axis = described(axis).unit(unit(axis, bank));
                let shape = Hist1::new(axis).title(bank.name.to_string());
                Fill::All(Hist1::from_index(booked.histogram(shape.shape(request, &bank.name.to_string())?)?))
            }
            _ => return Ok(None),
        };
        Ok(Some(Automatic { bank: bank.name, tid: bank.tid, fill }))
    }

    /// Whether none of its histograms has an entry.
    pub(crate) fn is_empty(&self, filled: &Histograms) -> bool {
        let numbers: Vec<u32> = match &self.fill {
            Fill::All(all) => vec![all.index()],
            Fill::Each(each) => each.iter().map(|hist| hist.index()).collect(),
            Fill::Map(map) => vec![map.index()],
            Fill::Members(_, members) => members.iter().map(|(_, hist)| hist.index()).collect(),
        };
        let entries = |i: u32| filled.list.get(i as usize).map_or(0, Histogram::entries);
        numbers.into_iter().all(|i| entries(i) == 0)
    }

    /// Fills from the first bank of that name, unless it is of another type.
    pub(crate) fn fill(&self, event: &Event<'_>, fills: &Fills) {
        let Some(bank) = event.bank(self.bank) else { return };
        if bank.tid() != Some(self.tid) {
            return;
        }
        let time = event.time();
        match &self.fill {
            Fill::All(all) => numbers(&bank, self.tid).for_each(|x| fills.fill(*all, x, time)),
            Fill::Each(each) => {
                numbers(&bank, self.tid).zip(each).for_each(|(x, hist)| fills.fill(*hist, x, time));
            }
            Fill::Map(map) => {
                let elements = (0_u32..).zip(numbers(&bank, self.tid));
                elements.for_each(|(i, x)| fills.fill(*map, (i, x), time));
            }
            Fill::Members(layout, members) => {
                for structure in bank.data.chunks_exact(layout.size().max(1)) {
                    for (field, hist) in members {
                        let Some(field) = layout.fields().get(*field) else { continue };
                        let data = layout.slice(field, structure);
                        let member =
                            Bank { name: bank.name, code: field.tid.code(), data, order: bank.order };
                        numbers(&member, field.tid).for_each(|x| fills.fill(*hist, x, time));
                    }
                }
            }
        }
    }
}

fn unit(axis: &Axis, bank: &RequestedBank) -> String {
    if axis.units().is_empty() { bank.unit.clone() } else { axis.units().to_owned() }
}

/// The axis of a bank that is marked without one; `None` if its type has no natural range.
pub(crate) fn natural(tid: Tid) -> Option<Axis> {
    Some(match tid {
        Tid::Byte | Tid::Char => Axis::integer(0, 255),
        Tid::Sbyte => Axis::integer(-128, 127),
        Tid::Bool => Axis::integer(0, 1),
        Tid::Word => Axis::integer(0, 65535),
        Tid::Short => Axis::integer(-32768, 32767),
        _ => return None,
    })
}

/// Whether elements of this type are numbers.
pub(crate) fn is_number(tid: Tid) -> bool {
    reader(tid).is_some()
}

/// The elements of a bank as floats; those of 64 bits may be rounded.
fn numbers<'a>(bank: &Bank<'a>, tid: Tid) -> impl Iterator<Item = f64> + use<'a> {
    let order = bank.order;
    let read = reader(tid).unwrap_or((1, |_, _| 0.0));
    let data = if is_number(tid) { bank.data } else { &[] };
    data.chunks_exact(read.0).map(move |bytes| (read.1)(bytes, order))
}

/// Reads one element of some type.
type Read = fn(&[u8], Order) -> f64;

/// Size of an element, and how it is read.
fn reader(tid: Tid) -> Option<(usize, Read)> {
    Some(match tid {
        Tid::Byte | Tid::Char => (1, |b, o| u8::read(b, o).into()),
        Tid::Sbyte => (1, |b, o| i8::read(b, o).into()),
        Tid::Word => (2, |b, o| u16::read(b, o).into()),
        Tid::Short => (2, |b, o| i16::read(b, o).into()),
        Tid::Dword => (4, |b, o| u32::read(b, o).into()),
        Tid::Int => (4, |b, o| i32::read(b, o).into()),
        Tid::Bool => (4, |b, o| u32::read(b, o).min(1).into()),
        Tid::Float => (4, |b, o| f32::read(b, o).into()),
        Tid::Double => (8, |b, o| f64::read(b, o)),
        Tid::Uint64 => (8, |b, o| u64::read(b, o) as f64),
        Tid::Int64 => (8, |b, o| i64::read(b, o) as f64),
        _ => return None,
    })
}
