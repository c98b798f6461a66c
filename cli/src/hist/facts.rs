//! What is said about a histogram in numbers.

use pactolus::histo::{Histogram, Kind, Stats};

use super::number::short;

/// Kind, statistics, and fills outside of the axes.
pub(crate) struct Facts {
    pub(crate) kind: &'static str,
    pub(crate) stats: Stats,
    /// Fills below the x axis, and above. Of 2-D histograms, all outside of the axes.
    pub(crate) underflow: u64,
    pub(crate) overflow: u64,
    pub(crate) outside: u64,
    is_2d: bool,
    /// Units of x and y.
    units: (String, String),
}

impl Facts {
    pub(crate) fn of(histogram: &Histogram) -> Facts {
        let kind = match histogram.kind() {
            Kind::Hist1 => "1-D",
            Kind::Hist2 => "2-D",
            Kind::Profile => "profile",
            Kind::Strip => "strip",
        };
        let view = histogram.view();
        let columns = view.x().bins() + 2;
        let rows = view.y().map_or(1, |y| y.bins() + 2);
        let (mut underflow, mut overflow, mut outside) = (0_u64, 0_u64, 0_u64);
        for (cell, content) in view.filled() {
            let (column, row) = (cell % columns, cell / columns);
            let beyond = match column {
                0 => Some(&mut underflow),
                last if last + 1 == columns => Some(&mut overflow),
                _ => None,
            };
            if beyond.is_some() || rows > 1 && (row == 0 || row + 1 == rows) {
                outside = outside.saturating_add(content.entries);
            }
            if let Some(beyond) = beyond {
                *beyond = beyond.saturating_add(content.entries);
            }
        }
        let y_unit = match histogram.y() {
            Some(y) => y.units().to_owned(),
            None => histogram
                .value_label()
                .rsplit_once('[')
                .map_or_else(String::new, |(_, unit)| unit.trim_end_matches(']').to_owned()),
        };
        Facts {
            kind,
            stats: histogram.stats(),
            underflow,
            overflow,
            outside,
            is_2d: histogram.kind() == Kind::Hist2,
            units: (histogram.x().units().to_owned(), y_unit),
        }
    }

    /// Mean and sigma of x; of profiles and strips, of the value.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let of_value = matches!(self.kind, "profile" | "strip");
        let Stats { mean_x, sigma_x, mean_y, sigma_y, .. } = self.stats;
        if of_value { (mean_y, sigma_y) } else { (mean_x, sigma_x) }
    }

    /// Words and numbers, for a line or a box.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let Stats { entries, mean_x, sigma_x, mean_y, sigma_y, .. } = self.stats;
        let with = |value: f64, unit: &str| {
            let value = short(value, 5);
            if unit.is_empty() { value } else { format!("{value} {unit}") }
        };
        let (x, y) = (&self.units.0, &self.units.1);
        let mut lines = vec![("entries", entries.to_string())];
        if entries == 0 {
            return lines;
        }
        if self.is_2d {
            lines.push(("mean x", with(mean_x, x)));
            lines.push(("sigma x", with(sigma_x, x)));
            lines.push(("mean y", with(mean_y, y)));
            lines.push(("sigma y", with(sigma_y, y)));
            lines.push(("outside", self.outside.to_string()));
            return lines;
        }
        let (mean, sigma) = self.spread();
        let unit = if self.kind == "1-D" { x } else { y };
        lines.push(("mean", with(mean, unit)));
        lines.push(("sigma", with(sigma, unit)));
        if self.kind != "strip" {
            lines.push(("underflow", self.underflow.to_string()));
            lines.push(("overflow", self.overflow.to_string()));
        }
        lines
    }
}

/// Name and title: `ADC/CADC00: Amplitude of channel 0`.
pub(crate) fn heading(histogram: &Histogram) -> String {
    let (name, title) = (histogram.name(), histogram.title());
    let has_title = name.rsplit('/').next() != Some(title) && name != title && !title.is_empty();
    if has_title { format!("{name}: {title}") } else { name.to_owned() }
}
