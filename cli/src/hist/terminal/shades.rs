//! Contents over two axes: four shades, or the colours of a terminal.

use pactolus::histo::Histogram;

use super::frame::{self, Below, RowLabels, Spread};
use super::{ROWS, Screen};
use crate::dump::text::escaped;
use crate::hist::grid::Grid;
use crate::hist::number::{power, short};
use crate::hist::scale::Scale;
use crate::hist::{Look, OutsideOfAxis, colours, ticks};

const SHADES: [char; 4] = ['░', '▒', '▓', '█'];

pub(super) fn draw(histogram: &Histogram, look: &Look, screen: Screen) -> Result<String, OutsideOfAxis> {
    // A character that is half in one colour and half in another shows two cells.
    let halves = if screen.colour { 2 } else { 1 };
    let most = screen.width.saturating_sub(9).max(10);
    let grid = Grid::of(histogram, look.range, most, ROWS * halves);
    let grid = grid.ok_or_else(|| OutsideOfAxis::new(histogram, look))?;
    let scale = scale(&grid, look.log);
    let (across, up) = (Spread::new(&grid.x, most), Spread::new(&grid.y, ROWS * halves));
    let (columns, lines) = (across.columns(), up.columns());
    let cell = |row: Option<&usize>, column: usize| {
        let content = grid.cells[*row? * grid.x.len() + column]?;
        (!scale.log || content > 0.0).then(|| scale.within(content))
    };
    let rows: Vec<String> = if screen.colour {
        let row = |pair: &[usize]| {
            let blocks = columns
                .iter()
                .map(|&column| half_block(cell(pair.get(1), column), cell(pair.first(), column)));
            coloured(blocks)
        };
        lines.chunks(2).map(row).collect()
    } else {
        let shade = |place: Option<f64>| place.map_or(' ', |place| SHADES[((place * 4.0) as usize).min(3)]);
        lines
            .iter()
            .map(|row| columns.iter().map(|&column| shade(cell(Some(row), column))).collect())
            .collect()
    };
    let (labels, factor) = labels(&grid, &up, halves);
    let below =
        Below { spread: &across, integers: grid.integers.0, time: false, title: histogram.x().label() };
    let mut text = String::new();
    let y_title = histogram.y().map_or_else(String::new, |y| escaped(y.label().as_bytes()));
    let factor = factor.map_or_else(String::new, |factor| format!(" ×{}", power(factor)));
    if !y_title.is_empty() || !factor.is_empty() {
        text.push_str(&format!("  {y_title}{factor}\n"));
    }
    text.push_str(&frame::write(&rows, &labels, &below, screen));
    text.push_str(&legend(&grid, scale, screen));
    Ok(text)
}

/// From nothing, or the least that is negative, to the largest.
fn scale(grid: &Grid, log: bool) -> Scale {
    match (grid.span(true), grid.span(false)) {
        (Some((low, high)), _) if log => Scale::logarithmic(low, high),
        (_, Some((low, high))) => Scale::linear(low.min(0.0), high.max(0.0)),
        _ => Scale::linear(0.0, 1.0),
    }
}

/// Two cells, one above the other: their colours, and the character.
fn half_block(upper: Option<f64>, lower: Option<f64>) -> (String, char) {
    let code = |place: f64| colours::terminal(colours::shade(colours::index(place)));
    match (upper.map(code), lower.map(code)) {
        (None, None) => ("0".into(), ' '),
        (Some(upper), None) => (format!("0;38;5;{upper}"), '▀'),
        (None, Some(lower)) => (format!("0;38;5;{lower}"), '▄'),
        (Some(upper), Some(lower)) => (format!("38;5;{upper};48;5;{lower}"), '▀'),
    }
}

/// Characters with their colours, which are said where they change.
fn coloured(blocks: impl Iterator<Item = (String, char)>) -> String {
    let mut row = String::new();
    let mut last = String::from("0");
    for (colour, block) in blocks {
        if colour != last {
            row.push_str(&format!("\x1b[{colour}m"));
            last = colour;
        }
        row.push(block);
    }
    if last != "0" {
        row.push_str("\x1b[0m");
    }
    row
}

fn labels(grid: &Grid, up: &Spread<'_>, halves: usize) -> (RowLabels, Option<i32>) {
    let (low, high) = grid.y.ends();
    let (ticks, half) = if grid.integers.1 {
        (ticks::integers(low, high, 6), 0.5)
    } else {
        (ticks::linear(low, high, 6), 0.0)
    };
    let row = |value: f64| (up.place(value + half) / halves as f64).round() as usize;
    (ticks.major.iter().map(|(value, label)| (row(*value), label.clone())).collect(), ticks.factor)
}

/// What the shades mean.
fn legend(grid: &Grid, scale: Scale, screen: Screen) -> String {
    let mut text = String::new();
    let largest = grid.span(scale.log).map_or(0.0, |(_, high)| high);
    let from = |part: f64| {
        let value = if scale.log {
            scale.low * (scale.high / scale.low).powf(part)
        } else {
            scale.low * (1.0 - part) + scale.high * part
        };
        short(value, 3)
    };
    if grid.span(scale.log).is_none() {
        text.push_str("  nothing to show\n");
    } else if screen.colour {
        let bar: String = (0..32)
            .map(|i| {
                let shade = colours::shade(colours::index(f64::from(i) / 31.0));
                format!("\x1b[38;5;{}m█", colours::terminal(shade))
            })
            .collect();
        let kind = if scale.log { ", logarithmic" } else { "" };
        text.push_str(&format!("  {} {bar}\x1b[0m {}{kind}\n", from(0.0), from(1.0)));
    } else {
        let levels = SHADES.iter().enumerate().map(|(i, shade)| match i {
            0 if scale.low == 0.0 => format!("{shade} above 0"),
            _ => format!("{shade} from {}", from(i as f64 / 4.0)),
        });
        let levels: Vec<String> = levels.collect();
        text.push_str(&format!("  {}, at most {}\n", levels.join("  "), short(largest, 3)));
    }
    let (x, y) = (grid.x.joined, grid.y.joined);
    if x > 1 || y > 1 {
        text.push_str(&format!("  up to {x} x {y} cells joined in each\n"));
    }
    if grid.infinite > 0 {
        text.push_str(&format!(
            "  {} not shown: not a finite number\n",
            crate::dump::text::count(grid.infinite as u64, "cell")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_said_where_they_change() {
        let places =
            [(None, None), (Some(0.0), None), (Some(0.0), None), (Some(1.0), Some(0.0)), (None, None)];
        let row = coloured(places.into_iter().map(|(upper, lower)| half_block(upper, lower)));
        assert_eq!(row, " \x1b[0;38;5;53m▀▀\x1b[38;5;220;48;5;53m▀\x1b[0m ");
    }
}
