//! Contents over one axis: bars in eighths of a character, means as points with errors.

use pactolus::histo::Histogram;

use super::frame::{self, Below, RowLabels, Spread};
use super::{ROWS, Screen};
use crate::hist::number::power;
use crate::hist::scale::Scale;
use crate::hist::series::{Bin, Series};
use crate::hist::ticks::{self, Step, Ticks};
use crate::hist::{Look, OutsideOfAxis};

const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn draw(histogram: &Histogram, look: &Look, screen: Screen) -> Result<String, OutsideOfAxis> {
    let mut margin = 6;
    loop {
        let most = screen.width.saturating_sub(margin + 3).max(10);
        let series =
            Series::of(histogram, look.range, most).ok_or_else(|| OutsideOfAxis::new(histogram, look))?;
        let levels = Levels::of(&series, look.log);
        let width = frame::label_width(&levels.labels);
        // Longer labels leave fewer columns.
        if width > margin && most > 10 {
            margin = width;
            continue;
        }
        return Ok(text(histogram, look, &series, &levels, most, screen));
    }
}

fn text(
    histogram: &Histogram,
    look: &Look,
    series: &Series,
    levels: &Levels,
    most: usize,
    screen: Screen,
) -> String {
    let spread = Spread::new(&series.groups, most);
    let rows: Vec<String> = (0..levels.rows)
        .map(|row| {
            let line: String = spread
                .starts
                .windows(2)
                .zip(&series.bins)
                .flat_map(|(columns, bin)| {
                    let width = columns[1].saturating_sub(columns[0]);
                    let middle = width.saturating_sub(1) / 2;
                    (0..width).map(move |column| {
                        if !bin.is_shown() {
                            ' '
                        } else if series.means {
                            if column == middle { levels.point(bin, row) } else { ' ' }
                        } else {
                            levels.bar(bin, row)
                        }
                    })
                })
                .collect();
            let line = line.trim_end();
            if screen.colour && !line.is_empty() { format!("\x1b[36m{line}\x1b[0m") } else { line.to_owned() }
        })
        .collect();
    let below =
        Below { spread: &spread, integers: series.integers, time: series.time, title: histogram.x().label() };
    let mut text = above(histogram, levels);
    text.push_str(&frame::write(&rows, &levels.labels, &below, screen));
    let mut notes = Vec::new();
    if series.groups.joined > 1 {
        notes.push(format!("up to {} bins joined in each", series.groups.joined));
    }
    notes.extend(series.hidden(levels.scale.log));
    if look.log && !levels.scale.log {
        notes.push("nothing above 0: the scale is linear".into());
    }
    notes.iter().for_each(|note| text.push_str(&format!("  {note}\n")));
    text
}

/// The title of the y axis, and the power of ten of its labels.
fn above(histogram: &Histogram, levels: &Levels) -> String {
    let value = crate::dump::text::escaped(histogram.value_label().as_bytes());
    match (value.as_str(), levels.factor) {
        ("", None) => String::new(),
        ("", Some(factor)) => format!("  ×{}\n", power(factor)),
        (value, None) => format!("  {value}\n"),
        (value, Some(factor)) => format!("  {value} ×{}\n", power(factor)),
    }
}

/// How contents are spread over rows. Round numbers lie between two rows, as does 0.
pub(super) struct Levels {
    pub(super) scale: Scale,
    pub(super) rows: usize,
    pub(super) labels: RowLabels,
    factor: Option<i32>,
}

impl Levels {
    fn of(series: &Series, log: bool) -> Levels {
        let positive = series.shown().map(|bin| bin.content).filter(|content| *content > 0.0);
        let least = positive.reduce(f64::min);
        match (series.span(series.means), least) {
            (Some((_, high)), Some(least)) if log => Levels::logarithmic(least, high.max(least)),
            (Some((low, high)), _) if series.means => Levels::linear(low, high),
            (Some((low, high)), _) => Levels::linear(low.min(0.0), high.max(0.0)),
            (None, _) => Levels::linear(0.0, 1.0),
        }
    }

    fn linear(low: f64, high: f64) -> Levels {
        const MOST: i64 = 6;
        let Scale { low, high, .. } = if low == 0.0 && high == 0.0 {
            Scale { low: 0.0, high: 1.0, log: false }
        } else {
            Scale::linear(low, high)
        };
        let mut step = Step::at_least((high / 2.0 - low / 2.0) / (MOST as f64 / 2.0));
        let (first, last) = loop {
            // Multiples that lie around both.
            let (above, below) = step.multiples(low, high);
            let first = if step.times(above) > low + (high - low) * 1e-9 { above - 1 } else { above };
            let last = if step.times(below) < high - (high - low) * 1e-9 { below + 1 } else { below };
            if last.saturating_sub(first) <= MOST {
                break (first, last.max(first + 1));
            }
            step = step.next();
        };
        let scale = Scale { low: step.times(first), high: step.times(last), log: false };
        if !(scale.low.is_finite() && scale.high.is_finite() && scale.low < scale.high) {
            let scale = Scale::linear(low, high);
            return Levels::new(scale, ROWS, ticks::linear(scale.low, scale.high, MOST as usize));
        }
        let steps = (last - first) as usize;
        Levels::new(scale, ROWS / steps * steps, ticks::of_step(step, scale.low, scale.high))
    }

    fn logarithmic(least: f64, largest: f64) -> Levels {
        let first = least.log10().floor() as i32;
        let last = (largest.log10().ceil() as i32).max(first + 1);
        let decade = |exponent: i32| format!("1e{exponent}").parse::<f64>().unwrap_or(0.0);
        let scale = Scale::logarithmic(decade(first), decade(last).min(f64::MAX));
        let decades = (last - first) as usize;
        let rows = if decades <= ROWS { ROWS / decades * decades } else { ROWS };
        Levels::new(scale, rows, ticks::logarithmic(scale.low, scale.high, 9))
    }

    fn new(scale: Scale, rows: usize, ticks: Ticks) -> Levels {
        let row = |value: &f64| (scale.within(*value) * rows as f64).round() as usize;
        let labels = ticks.major.iter().map(|(value, label)| (row(value), label.clone())).collect();
        Levels { scale, rows, labels, factor: ticks.factor }
    }

    /// What of a bar lies in a row.
    fn bar(&self, bin: &Bin, row: usize) -> char {
        let rows = self.rows as f64;
        let zero = if self.scale.log { 0.0 } else { (self.scale.within(0.0) * rows).round() };
        let top = self.scale.within(bin.content) * rows;
        let row = row as f64;
        if bin.content > 0.0 && row >= zero {
            // What there is, is seen, however little.
            let top = top.max(zero + 0.125);
            BLOCKS[((top - row).clamp(0.0, 1.0) * 8.0).round() as usize]
        } else if bin.content < 0.0 && row < zero && !self.scale.log {
            let top = top.min(zero - 0.125);
            match ((row + 1.0 - top).clamp(0.0, 1.0) * 8.0).round() as usize {
                0 => ' ',
                1 | 2 => '▔',
                3..=6 => '▀',
                _ => '█',
            }
        } else {
            ' '
        }
    }

    /// What of a point and its error lies in a row.
    fn point(&self, bin: &Bin, row: usize) -> char {
        if self.scale.log && bin.content <= 0.0 {
            return ' ';
        }
        let place = |value: f64| {
            ((self.scale.within(value) * self.rows as f64) as usize).min(self.rows.saturating_sub(1))
        };
        let (low, high) = bin.ends();
        if place(bin.content) == row {
            '•'
        } else if (place(low)..=place(high)).contains(&row) {
            '│'
        } else {
            ' '
        }
    }
}
