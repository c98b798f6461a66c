//! Contents over two axes as colours.

use pactolus::histo::Histogram;

use super::plot::{Along, Plot};
use super::{Picture, Rect, Shape};
use crate::dump::text::count;
use crate::hist::colours::{SHADES, index, shade};
use crate::hist::facts::Facts;
use crate::hist::grid::Grid;
use crate::hist::groups::fraction;
use crate::hist::output::Size;
use crate::hist::scale::Scale;
use crate::hist::{Look, OutsideOfAxis};

/// Nothing to see in a cell.
const NOTHING: u8 = u8::MAX;

/// So many rectangles are sharp at every size; more are an image.
const MOST_RECTANGLES: usize = 3000;

pub(super) fn draw(histogram: &Histogram, look: &Look, size: Size) -> Result<Picture, OutsideOfAxis> {
    let mut plot = Plot::new(histogram, size, [60.0, 100.0, 66.0, 56.0]);
    let (columns, rows) = (plot.frame.width as usize, plot.frame.height as usize);
    let grid = Grid::of(histogram, look.range, columns, rows);
    let grid = grid.ok_or_else(|| OutsideOfAxis::new(histogram, look))?;
    let along = |ends: (f64, f64), integers: bool, title: String| Along {
        scale: Scale { low: ends.0, high: ends.1, log: false },
        integers,
        time: false,
        title,
    };
    let x = along(grid.x.ends(), grid.integers.0, histogram.x().label());
    let y_title = histogram.y().map_or_else(String::new, |y| y.label());
    let y = along(grid.y.ends(), grid.integers.1, y_title);
    let scale = scale(&grid, look.log);
    let colours = Along { scale, integers: false, time: false, title: String::new() };
    let left = plot.room_beside(&y);
    plot.set_left(left);
    plot.subtitle(&Facts::of(histogram));
    let cells: Vec<u8> = grid.cells.iter().map(|cell| cell_shade(*cell, scale)).collect();
    cells_of(&mut plot, &grid, &cells);
    plot.axes(&x, &y);
    // From the lowest shade below to the highest above.
    let frame = plot.frame;
    let place = Rect { left: frame.right() + plot.px(14.0), width: plot.px(18.0), ..frame };
    // Every third: one cannot see the difference.
    for index in (0..SHADES).step_by(3) {
        let height = place.height * 3.0 / f64::from(SHADES);
        let top = place.bottom() - height * (f64::from(index) / 3.0 + 1.0);
        plot.shapes.push(Shape::Rect(Rect { top, height, ..place }, shade(index + 1)));
    }
    plot.labels_beside(place, &colours);
    let mut notes = Vec::new();
    let (across, up) = (grid.x.joined, grid.y.joined);
    if across > 1 || up > 1 {
        notes.push(format!("up to {across} x {up} cells joined in each"));
    }
    let below = grid.cells.iter().flatten().filter(|content| scale.log && **content <= 0.0).count();
    for (number, why) in [(grid.infinite, "not a finite number"), (below, "not above 0")] {
        if number > 0 {
            notes.push(format!("{} not shown: {why}", count(number as u64, "cell")));
        }
    }
    if look.log && !scale.log {
        notes.push("nothing above 0: the scale is linear".into());
    }
    plot.note(&notes);
    Ok(plot.done())
}

/// From nothing, or the least that is negative, to the largest.
fn scale(grid: &Grid, log: bool) -> Scale {
    match (grid.span(true), grid.span(false)) {
        (Some((low, high)), _) if log => Scale::logarithmic(low, high),
        (_, Some((low, high))) => Scale::linear(low.min(0.0), high.max(0.0)),
        _ => Scale::linear(0.0, 1.0),
    }
}

fn cell_shade(content: Option<f64>, scale: Scale) -> u8 {
    match content {
        Some(content) if !scale.log || content > 0.0 => index(scale.within(content)),
        _ => NOTHING,
    }
}

/// Cells as rectangles, or as an image if they are many.
fn cells_of(plot: &mut Plot, grid: &Grid, cells: &[u8]) {
    let frame = plot.frame;
    let columns = grid.x.len();
    let runs: usize = cells.chunks(columns).map(|row| row.chunk_by(|a, b| a == b).count()).sum();
    let (left, right) = grid.x.ends();
    let (low, high) = grid.y.ends();
    if runs <= MOST_RECTANGLES {
        let x = |column: usize| frame.left + fraction(grid.x.edges[column], left, right) * frame.width;
        let y = |row: usize| frame.bottom() - fraction(grid.y.edges[row], low, high) * frame.height;
        for (row, cells) in cells.chunks(columns).enumerate() {
            let mut column = 0;
            for run in cells.chunk_by(|a, b| a == b) {
                let place = Rect {
                    left: x(column),
                    top: y(row + 1),
                    width: x(column + run.len()) - x(column),
                    height: y(row) - y(row + 1),
                };
                column += run.len();
                if run[0] != NOTHING {
                    plot.shapes.push(Shape::Rect(place, shade(run[0])));
                }
            }
        }
        return;
    }
    let (across, down) = if grid.x.even && grid.y.even {
        (columns, grid.y.len())
    } else {
        // Cells of many sizes: each is a pixel wide at least, so none is missed.
        (frame.width as usize, frame.height as usize)
    };
    let place = |i: usize, n: usize, low: f64, high: f64| {
        let part = (i as f64 + 0.5) / n as f64;
        low * (1.0 - part) + high * part
    };
    let find = |edges: &[f64], value: f64| {
        edges.partition_point(|edge| *edge <= value).clamp(1, edges.len() - 1) - 1
    };
    let x: Vec<usize> = (0..across).map(|i| find(&grid.x.edges, place(i, across, left, right))).collect();
    let y = (0..down).rev().map(|i| find(&grid.y.edges, place(i, down, low, high)));
    let image = y.flat_map(|row| x.iter().map(move |column| cells[row * columns + column])).collect();
    plot.shapes.push(Shape::Image { place: frame, columns: across, rows: down, cells: image });
}
