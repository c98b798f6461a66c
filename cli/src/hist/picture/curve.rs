//! Contents over one axis: steps, or points with their errors.

use pactolus::histo::Histogram;

use super::plot::{Along, Plot};
use super::{Picture, Point, Shape};
use crate::hist::colours::{AREA, GREY, LINE};
use crate::hist::facts::Facts;
use crate::hist::number::short;
use crate::hist::output::Size;
use crate::hist::scale::Scale;
use crate::hist::series::Series;
use crate::hist::{Look, OutsideOfAxis};

pub(super) fn draw(histogram: &Histogram, look: &Look, size: Size) -> Result<Picture, OutsideOfAxis> {
    let mut plot = Plot::new(histogram, size, [60.0, 26.0, 46.0, 56.0]);
    let series = Series::of(histogram, look.range, plot.frame.width as usize);
    let series = series.ok_or_else(|| OutsideOfAxis::new(histogram, look))?;
    let (low, high) = series.groups.ends();
    let x = Along {
        scale: Scale { low, high, log: false },
        integers: series.integers,
        time: series.time,
        title: histogram.x().label(),
    };
    let mut y = Along {
        scale: scale(&series, look.log),
        integers: false,
        time: false,
        title: y_title(histogram, &series),
    };
    let left = plot.room_beside(&y);
    plot.set_left(left);
    let facts = Facts::of(histogram);
    let corner = place_box(&plot, &facts, &series, &x, &mut y);
    let left = plot.room_beside(&y);
    plot.set_left(left);
    plot.lines_across(&y);
    if series.means {
        points(&mut plot, &series, &x, &y);
    } else {
        steps(&mut plot, &series, &x, &y);
    }
    plot.axes(&x, &y);
    let (width, _) = plot.box_size(&facts);
    let margin = plot.px(12.0);
    let left = match corner {
        Corner::Right => plot.frame.right() - width - margin,
        Corner::Left => plot.frame.left + margin,
    };
    let top = plot.frame.top + margin;
    plot.numbers(&facts, (left, top));
    let mut notes = Vec::new();
    if series.groups.joined > 1 {
        notes.push(format!("up to {} bins joined in each", series.groups.joined));
    }
    notes.extend(series.hidden(y.scale.log));
    if look.log && !y.scale.log {
        notes.push("nothing above 0: the scale is linear".into());
    }
    plot.note(&notes);
    Ok(plot.done())
}

/// From below the least to above the largest.
fn scale(series: &Series, log: bool) -> Scale {
    let positive = series.shown().map(|bin| bin.content).filter(|content| *content > 0.0);
    let (Some((low, high)), least) = (series.span(series.errors), positive.reduce(f64::min)) else {
        return Scale::linear(0.0, 1.0);
    };
    if let (true, Some(least)) = (log, least) {
        return Scale::logarithmic(least / 2.0, high.max(least) * (high.max(least) / least).powf(0.06) * 1.1);
    }
    let base = |value: f64, end: f64| if series.means { value } else { end };
    let (low, high) = (low.min(base(low, 0.0)), high.max(base(high, 0.0)));
    let Scale { low, high, .. } = match (low, high) {
        (0.0, 0.0) => Scale::linear(0.0, 1.0),
        _ => Scale::linear(low, high),
    };
    let margin = (high / 2.0 - low / 2.0) * 0.12;
    let is_base = |end: f64| end == 0.0 && !series.means;
    let low = if is_base(low) { low } else { (low - margin).max(f64::MIN) };
    let high = if is_base(high) { high } else { (high + margin).min(f64::MAX) };
    Scale { low, high, log: false }
}

/// What is counted in each bin: `Entries per 8 MeV`.
fn y_title(histogram: &Histogram, series: &Series) -> String {
    let label = histogram.value_label();
    if series.means || !label.is_empty() {
        return label;
    }
    let what = if histogram.is_weighted() { "Sum of weights" } else { "Entries" };
    let width = series.groups.edges[1] - series.groups.edges[0];
    let unit = histogram.x().units();
    if !series.groups.even || series.integers && series.groups.joined == 1 {
        return what.into();
    }
    let width = match (short(width, 4), unit) {
        (width, "") => width,
        (one, unit) if one == "1" => unit.to_owned(),
        (width, unit) => format!("{width} {unit}"),
    };
    format!("{what} per {width}")
}

#[derive(Clone, Copy)]
enum Corner {
    Left,
    Right,
}

/// The upper corner in which the box of numbers hides nothing. If there is none, the scale grows.
fn place_box(plot: &Plot, facts: &Facts, series: &Series, x: &Along, y: &mut Along) -> Corner {
    let (width, height) = plot.box_size(facts);
    let margin = plot.px(12.0);
    let part = (height + 2.0 * margin) / plot.frame.height;
    let highest = |from: f64, to: f64| {
        let edges = series.groups.edges.windows(2).zip(&series.bins).filter(|(_, bin)| bin.is_shown());
        let below = edges.filter(|(edge, _)| plot.x(x, edge[1]) >= from && plot.x(x, edge[0]) <= to);
        let tops = below.map(|(_, bin)| if series.errors { bin.ends().1 } else { bin.content });
        tops.map(|top| y.scale.within(top)).fold(0.0, f64::max)
    };
    let (left, right) = (plot.frame.left, plot.frame.right());
    let in_right = highest(right - width - 2.0 * margin, right);
    let in_left = highest(left, left + width + 2.0 * margin);
    let (corner, top) = if in_right <= 1.0 - part || in_right <= in_left {
        (Corner::Right, in_right)
    } else {
        (Corner::Left, in_left)
    };
    if top > 1.0 - part && part < 0.6 {
        let grow = top / (1.0 - part);
        let Scale { low, high, log } = y.scale;
        let high = if log {
            10f64.powf(low.log10() + (high.log10() - low.log10()) * grow)
        } else {
            low + (high - low) * grow
        };
        y.scale.high = high.min(f64::MAX);
    }
    corner
}

/// A line around an area, and errors where they say more than the root of the content.
fn steps(plot: &mut Plot, series: &Series, x: &Along, y: &Along) {
    let base = plot.y(y, if y.scale.log { y.scale.low } else { 0.0 });
    let mut lines: Vec<Vec<Point>> = Vec::new();
    let mut line: Vec<Point> = Vec::new();
    for (edge, bin) in series.groups.edges.windows(2).zip(&series.bins) {
        let (left, right) = (plot.x(x, edge[0]), plot.x(x, edge[1]));
        if bin.entries > 0 && !bin.content.is_finite() {
            lines.extend((!line.is_empty()).then(|| std::mem::take(&mut line)));
            continue;
        }
        if line.is_empty() {
            line.push((left, base));
        } else {
            line.pop();
        }
        let height = plot.y(y, bin.content);
        // Along the same height, one line.
        match line.as_mut_slice() {
            [.., before, last] if before.1 == height && last.1 == height => last.0 = right,
            _ => line.extend([(left, height), (right, height)]),
        }
        line.push((right, base));
    }
    lines.extend((!line.is_empty()).then_some(line));
    plot.shapes.extend(lines.iter().map(|line| Shape::Area(line.clone(), AREA)));
    let width = plot.px(1.4);
    plot.shapes.push(Shape::Lines { lines, colour: LINE, width });
    if !y.scale.log && y.scale.low < 0.0 {
        let zero = vec![vec![(plot.frame.left, base), (plot.frame.right(), base)]];
        plot.shapes.push(Shape::Lines { lines: zero, colour: GREY, width: plot.thin() });
    }
    if series.errors {
        let lines = bars(plot, series, x, y);
        plot.shapes.push(Shape::Lines { lines, colour: LINE, width: plot.thin() });
    }
}

/// Error bars. Where bins are wide, they have ends.
fn bars(plot: &Plot, series: &Series, x: &Along, y: &Along) -> Vec<Vec<Point>> {
    let mut lines = Vec::new();
    for (edge, bin) in series.groups.edges.windows(2).zip(&series.bins) {
        if !bin.is_shown() || bin.error == 0.0 || y.scale.log && bin.content <= 0.0 {
            continue;
        }
        let (left, right) = (plot.x(x, edge[0]), plot.x(x, edge[1]));
        let middle = left / 2.0 + right / 2.0;
        let (low, high) = bin.ends();
        let (low, high) = (plot.y(y, low), plot.y(y, high));
        lines.push(vec![(middle, low), (middle, high)]);
        let half = ((right - left) / 4.0).min(plot.px(3.0));
        if half >= plot.px(1.5) {
            lines.extend([low, high].map(|end| vec![(middle - half, end), (middle + half, end)]));
        }
    }
    lines
}

/// Points with their errors.
fn points(plot: &mut Plot, series: &Series, x: &Along, y: &Along) {
    let lines = bars(plot, series, x, y);
    plot.shapes.push(Shape::Lines { lines, colour: LINE, width: plot.thin() });
    let bins = series.groups.edges.windows(2).zip(&series.bins);
    let shown = bins.filter(|(_, bin)| bin.is_shown() && !(y.scale.log && bin.content <= 0.0));
    let place = |(edge, bin): (&[f64], &crate::hist::series::Bin)| {
        let middle = plot.x(x, edge[0]) / 2.0 + plot.x(x, edge[1]) / 2.0;
        (middle, plot.y(y, bin.content))
    };
    let at: Vec<Point> = shown.map(place).collect();
    let distance = plot.frame.width / at.len().max(1) as f64;
    let radius = (distance * 0.35).clamp(plot.px(1.2), plot.px(3.2));
    plot.shapes.push(Shape::Dots { at, radius, colour: LINE });
}
