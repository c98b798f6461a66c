//! The histograms of a file, as a table and as JSON.

use std::path::Path;

use pactolus::histo::{Axis, AxisKind, Histogram, Histograms};
use serde_json::{Value, json};

use super::facts::Facts;
use super::number::short;
use crate::dump::text::{count, escaped};

/// Columns of the numbers.
const NUMBERS: usize = 55;

/// A table of 80 columns; a long name has a line of its own.
pub(crate) fn table(histograms: &Histograms, chosen: &[&Histogram], file: &Path) -> String {
    let runs: Vec<String> = histograms.runs.iter().map(u32::to_string).collect();
    let runs = match runs.as_slice() {
        [] => String::new(),
        [run] => format!(", run {run}"),
        [first, .., last] => format!(", {} runs from {first} to {last}", runs.len()),
    };
    let mut text = format!("{}: {}{runs}\n", file.display(), histograms_word(chosen.len()));
    if chosen.is_empty() {
        return text;
    }
    let names: Vec<String> = chosen.iter().map(|h| escaped(h.name().as_bytes())).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(4, 80 - NUMBERS - 2);
    let head =
        format!("{:<7} {:>9} {:>10} {:>10} {:>7} {:>7}", "kind", "entries", "mean", "sigma", "under", "over");
    text.push_str(&format!("  {:<width$} {head}\n", "name"));
    for (histogram, name) in chosen.iter().zip(names) {
        let facts = Facts::of(histogram);
        let (mean, sigma) = facts.spread();
        let number = |value| if facts.stats.entries == 0 { "-".to_owned() } else { short(value, 5) };
        let Facts { kind, underflow, overflow, .. } = facts;
        let (mean, sigma, entries) = (number(mean), number(sigma), facts.stats.entries);
        if name.chars().count() > width {
            text.push_str(&format!("  {name}\n  {:width$}", ""));
        } else {
            text.push_str(&format!("  {name:<width$}"));
        }
        text.push_str(&format!(
            " {kind:<7} {entries:>9} {mean:>10} {sigma:>10} {underflow:>7} {overflow:>7}\n"
        ));
    }
    text.push_str("mean and sigma: of x; of profiles and strips, of the value\n");
    text
}

fn histograms_word(number: usize) -> String {
    count(number as u64, "histogram")
}

/// One JSON object, for programs.
pub(crate) fn json(
    histograms: &Histograms,
    chosen: &[&Histogram],
    file: &Path,
) -> Result<String, serde_json::Error> {
    let list: Vec<Value> = chosen.iter().map(|histogram| one(histogram)).collect();
    let all = json!({ "file": file.display().to_string(), "runs": histograms.runs, "histograms": list });
    serde_json::to_string(&all).map(|text| text + "\n")
}

fn one(histogram: &Histogram) -> Value {
    let facts = Facts::of(histogram);
    let stats = &facts.stats;
    let (mean, sigma) = facts.spread();
    let view = histogram.view();
    let mut value = json!({
        "name": histogram.name(),
        "title": histogram.title(),
        "kind": facts.kind,
        "weighted": histogram.is_weighted(),
        "entries": stats.entries,
        "sum": stats.sum,
        "mean": mean,
        "sigma": sigma,
        "mean_x": stats.mean_x,
        "sigma_x": stats.sigma_x,
        "mean_y": stats.mean_y,
        "sigma_y": stats.sigma_y,
        "underflow": facts.underflow,
        "overflow": facts.overflow,
        "outside": facts.outside,
        "x": axis(view.x(), histogram.x()),
    });
    if let (Some(members), Some(y)) = (value.as_object_mut(), view.y()) {
        members.insert("y".into(), axis(y, y));
    }
    if let (Some(members), false) = (value.as_object_mut(), histogram.value_label().is_empty()) {
        members.insert("value".into(), histogram.value_label().into());
    }
    value
}

fn axis(axis: &Axis, booked: &Axis) -> Value {
    let kind = match booked.kind() {
        AxisKind::Regular { .. } => "regular",
        AxisKind::Integer { .. } => "integer",
        AxisKind::Variable(_) => "variable",
        AxisKind::Time { .. } => "time",
    };
    json!({
        "kind": kind,
        "bins": axis.bins(),
        "low": axis.edge(0),
        "high": axis.edge(axis.bins()),
        "title": axis.name(),
        "unit": axis.units(),
    })
}
