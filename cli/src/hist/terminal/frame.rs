//! The frame of a drawing: rows of characters between two axes.

use crate::dump::text::{cut, escaped};
use crate::hist::groups::Groups;
use crate::hist::number::power;
use crate::hist::terminal::Screen;
use crate::hist::ticks::{self, Ticks};

/// Groups of bins along columns, or rows, of characters.
pub(super) struct Spread<'g> {
    groups: &'g Groups,
    /// First column of each group, and behind them the end of the last.
    pub(super) starts: Vec<usize>,
}

impl<'g> Spread<'g> {
    /// Over at most `most` columns, of which there are as many as groups at least.
    pub(super) fn new(groups: &'g Groups, most: usize) -> Spread<'g> {
        let starts = if groups.even || groups.joined > 1 && equal(groups) {
            let width = (most / groups.len()).max(1);
            (0..=groups.len()).map(|group| group * width).collect()
        } else {
            let (low, high) = groups.ends();
            let place = |edge: &f64| super::super::groups::fraction(*edge, low, high) * most as f64;
            groups.edges.iter().map(|edge| place(edge).round() as usize).collect()
        };
        Spread { groups, starts }
    }

    /// Number of columns.
    pub(super) fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Where a value lies, in columns.
    pub(super) fn place(&self, value: f64) -> f64 {
        let edges = &self.groups.edges;
        let group = edges.partition_point(|edge| *edge <= value).clamp(1, self.groups.len()) - 1;
        let (start, end) = (self.starts[group] as f64, self.starts[group + 1] as f64);
        let within = super::super::groups::fraction(value, edges[group], edges[group + 1]);
        start + within.clamp(0.0, 1.0) * (end - start)
    }

    /// The group in each column.
    pub(super) fn columns(&self) -> Vec<usize> {
        let widths = self.starts.windows(2).enumerate();
        widths.flat_map(|(group, pair)| std::iter::repeat_n(group, pair[1].saturating_sub(pair[0]))).collect()
    }
}

/// Whether all groups but the last have the same width.
fn equal(groups: &Groups) -> bool {
    let first = groups.edges[1] - groups.edges[0];
    let but_last = groups.edges[..groups.len()].windows(2);
    but_last.map(|pair| pair[1] - pair[0]).all(|width| (width / first - 1.0).abs() < 1e-6)
}

/// Labels beside rows: the label belongs to the upper end of its row, counted from 1 below; 0 is the
/// axis.
pub(super) type RowLabels = Vec<(usize, String)>;

/// What stands below a drawing.
pub(super) struct Below<'b> {
    pub(super) spread: &'b Spread<'b>,
    pub(super) integers: bool,
    pub(super) time: bool,
    pub(super) title: String,
}

/// Characters of the longest label.
pub(super) fn label_width(labels: &RowLabels) -> usize {
    labels.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0)
}

/// Puts axes around rows, the lowest first.
pub(super) fn write(rows: &[String], labels: &RowLabels, below: &Below<'_>, screen: Screen) -> String {
    let margin = label_width(labels).max(6);
    let label = |row: usize| labels.iter().find(|(at, _)| *at == row).map(|(_, label)| label.as_str());
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate().rev() {
        let (label, mark) = label(i + 1).map_or(("", '│'), |label| (label, '┤'));
        let space = margin - label.chars().count().min(margin);
        text.push_str(&format!("{:space$}{label} {mark}{}", "", row.trim_end()));
        text.push('\n');
    }
    let columns = below.spread.len();
    let (low, high) = below.spread.groups.ends();
    let ticks = ticks_below(below);
    let half = if below.integers { 0.5 } else { 0.0 };
    let mut line = vec!['─'; columns + 1];
    let mut numbers = vec![' '; margin + 2 + columns + 8];
    let mut end = 0;
    for (value, label) in &ticks.major {
        let at = (below.spread.place(value + half) as usize).min(columns);
        line[at] = '┬';
        let length = label.chars().count();
        // Centred, but not beyond the edge of the terminal.
        let from = (margin + 2 + at).saturating_sub(length / 2).min(screen.width.saturating_sub(length));
        if from < end + usize::from(end > 0) * 2 || from + length > numbers.len() {
            continue;
        }
        label.chars().zip(&mut numbers[from..]).for_each(|(c, place)| *place = c);
        end = from + length;
    }
    let zero = label(0).unwrap_or("");
    let line: String = line.into_iter().collect();
    let corner = if zero.is_empty() { '└' } else { '┴' };
    text.push_str(&format!("{zero:>margin$} {corner}{line}\n"));
    text.push_str(numbers.into_iter().collect::<String>().trim_end());
    text.push('\n');
    let title = axis_title(&below.title, &ticks, below.time.then_some((low, high)));
    let title = cut(&title, columns + margin);
    if !title.is_empty() {
        let indent = (margin + 3 + columns).saturating_sub(title.chars().count());
        text.push_str(&format!("{:indent$}{title}\n", ""));
    }
    text
}

/// As many ticks as have room for their labels.
fn ticks_below(below: &Below<'_>) -> Ticks {
    let (low, high) = below.spread.groups.ends();
    let columns = below.spread.len();
    let mut most = (columns / 8).max(1);
    loop {
        let ticks = match (below.time, below.integers) {
            (true, _) => ticks::time(low, high, most),
            (false, true) => ticks::integers(low, high, most),
            (false, false) => ticks::linear(low, high, most),
        };
        let longest = ticks.major.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
        if most <= 2 || (longest + 3) * ticks.major.len() <= columns + longest {
            return ticks;
        }
        most -= 1;
    }
}

/// The title of an axis, with the power of ten of its labels and the days that it shows.
fn axis_title(title: &str, ticks: &Ticks, time: Option<(f64, f64)>) -> String {
    let mut parts: Vec<String> = Vec::new();
    if !title.is_empty() {
        parts.push(escaped(title.as_bytes()));
    }
    if let Some((low, high)) = time {
        parts.push(format!("({})", ticks::days(low, high)));
    }
    if let Some(factor) = ticks.factor {
        parts.push(format!("×{}", power(factor)));
    }
    parts.join(" ")
}
