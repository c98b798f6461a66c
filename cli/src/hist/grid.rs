//! The cells of a 2-D histogram, joined to as many as there is room for.

use pactolus::histo::{AxisKind, Histogram};

use super::groups::Groups;

/// Cells to draw, by column and then by row from below.
pub(crate) struct Grid {
    pub(crate) x: Groups,
    pub(crate) y: Groups,
    /// Contents; of cells without fills, and of those that are no finite numbers, `None`.
    pub(crate) cells: Vec<Option<f64>>,
    /// Cells with fills whose content is not finite.
    pub(crate) infinite: usize,
    /// Axes of integers.
    pub(crate) integers: (bool, bool),
}

impl Grid {
    /// `None`: it has no y axis, or the range lies outside of the x axis.
    pub(crate) fn of(
        histogram: &Histogram,
        range: Option<(f64, f64)>,
        columns: usize,
        rows: usize,
    ) -> Option<Grid> {
        let view = histogram.view();
        let y_axis = view.y()?;
        let (x, y) = (Groups::of(view.x(), range, columns)?, Groups::of(y_axis, None, rows)?);
        let (across, up) = (view.x().bins(), y_axis.bins());
        let mut cells = vec![None; x.len() * y.len()];
        for (cell, content) in view.filled() {
            let (column, row) = (cell % (across + 2), cell / (across + 2));
            let group = |groups: &Groups, place: usize| groups.of_bin(place.checked_sub(1)?);
            if row <= up
                && column <= across
                && let (Some(column), Some(row)) = (group(&x, column), group(&y, row))
            {
                let sum: &mut Option<f64> = &mut cells[row * x.len() + column];
                *sum = Some(sum.unwrap_or(0.0) + content.content);
            }
        }
        let is_infinite = |cell: &Option<f64>| cell.is_some_and(|content| !content.is_finite());
        let infinite = cells.iter().filter(|cell| is_infinite(cell)).count();
        cells.iter_mut().filter(|cell| is_infinite(cell)).for_each(|cell| *cell = None);
        let integer = |kind| matches!(kind, AxisKind::Integer { .. });
        let integers = (integer(view.x().kind()), integer(y_axis.kind()));
        Some(Grid { x, y, cells, infinite, integers })
    }

    /// Least and largest content; with `positive`, of those above 0.
    pub(crate) fn span(&self, positive: bool) -> Option<(f64, f64)> {
        let shown = self.cells.iter().flatten().filter(|content| !positive || **content > 0.0);
        shown.map(|content| (*content, *content)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}
