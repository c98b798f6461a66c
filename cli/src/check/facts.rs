//! What is known of banks and parameters.

use pactolus::wiring::{StartsAt, WiredBank, WiredHistogram, WiredParameter, WiredRequest};

use super::page::{WIDTH, wrapped};
use crate::dump::text::{count, cut, escaped};
use crate::hist::number::short;

/// Values of an array that are shown.
const VALUES: usize = 16;

/// Adds the table of banks.
pub(super) fn banks(page: &mut String, request: &WiredRequest) {
    if request.banks.is_empty() {
        return;
    }
    let width = |column: fn(&WiredBank) -> usize, name: &str, most: usize| {
        let widest = request.banks.iter().map(column).max().unwrap_or(0);
        widest.clamp(name.len(), most)
    };
    let types = width(|bank| bank.r#type.chars().count(), "type", 16);
    let units = width(|bank| bank.unit.chars().count(), "unit", 12);
    let head = format!("  bank  {:<types$}  {:<units$}  output  what it is", "type", "unit");
    page.push_str(&format!("\n{}\n", head.trim_end()));
    for bank in &request.banks {
        let output = match bank.switch {
            Some(true) => "on",
            Some(false) => "off",
            None => "always",
        };
        let unit = escaped(bank.unit.as_bytes());
        let (name, r#type) = (escaped(bank.name.as_bytes()), &bank.r#type);
        let first = format!("  {name:<4}  {type:<types$}  {unit:<units$}  {output:<6}  ");
        let room = WIDTH.saturating_sub(first.chars().count());
        let what = described(bank);
        if what.chars().count() <= room || room >= 30 {
            wrapped(page, &first, &what);
        } else {
            page.push_str(&format!("{}\n", first.trim_end()));
            wrapped(page, "          ", &what);
        }
        for histogram in &bank.histograms {
            wrapped(page, "          ", &histogram_line(histogram));
        }
    }
}

/// The description of a bank, or what can be said without one.
fn described(bank: &WiredBank) -> String {
    let mut parts = Vec::new();
    if !bank.description.is_empty() {
        parts.push(bank.description.clone());
    }
    if !bank.members.is_empty() {
        let members: Vec<String> = bank.members.iter().map(|m| format!("{} {}", m.name, m.r#type)).collect();
        parts.push(format!("{{{}}}", members.join(", ")));
    }
    if !bank.declared {
        parts.push("not declared".into());
    }
    parts.join(", ")
}

fn histogram_line(histogram: &WiredHistogram) -> String {
    let WiredHistogram { names, bins, low, high, unit, .. } = histogram;
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let (bins, low, high) = (count(*bins as u64, "bin"), short(*low, 5), short(*high, 5));
    let which = match names.as_slice() {
        [] => "histogram".into(),
        [one] => format!("histogram {one}"),
        [first, .., last] => format!("histograms {first} to {}", last.rsplit('/').next().unwrap_or(last)),
    };
    format!("{which}: {bins} from {low} to {high}{unit}")
}

/// Adds a parameter: its value, its nature, and what it is.
pub(super) fn parameter(page: &mut String, parameter: &WiredParameter) {
    let WiredParameter { key, value, .. } = parameter;
    let shown = (0..value.len().min(VALUES)).map(|i| {
        let text = value.text(i);
        match cut(&text, 60) {
            part if part.len() < text.len() => format!("\"{part}...\""),
            _ if value.bytes(i).is_some() => format!("\"{text}\""),
            _ => text,
        }
    });
    let mut values = shown.collect::<Vec<_>>().join(", ");
    match value.len() {
        0 => values.push_str("no value"),
        n if n > VALUES => values.push_str(&format!(", ... ({n} values)")),
        _ => {}
    }
    wrapped(page, "    ", &format!("{key} = {values}"));
    let mut nature = parameter.r#type.clone();
    if let Some(unit) = parameter.unit {
        nature.push_str(&format!(" in {unit}"));
    }
    let mut parts = vec![nature];
    match (parameter.min, parameter.max) {
        (Some(min), Some(max)) => parts.push(format!("from {min} to {max}")),
        (Some(min), None) => parts.push(format!("at least {min}")),
        (None, Some(max)) => parts.push(format!("at most {max}")),
        (None, None) => {}
    }
    if let Some(bank) = &parameter.per {
        parts.push(format!("one per element of {bank}"));
    }
    parts.push(match parameter.from {
        StartsAt::Module => "default of the module".into(),
        StartsAt::Definition => "from the definition".into(),
    });
    wrapped(page, "        ", &parts.join(", "));
    if !parameter.description.is_empty() {
        wrapped(page, "        ", parameter.description);
    }
}
