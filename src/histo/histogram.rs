//! A histogram: shape, cells, and what is asked of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::axis::{Axis, MOST_BINS};
use super::exact::ExactSum;
use super::fixed::{Scale, Unweighted};
use super::pages::{CountPages, SumPages};

/// What a histogram shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// How often a value came.
    Hist1,
    /// How often a pair of values came.
    Hist2,
    /// The mean of one value over another.
    Profile,
    /// The mean of a value over time.
    Strip,
}

/// Name, axes and kind of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    /// A path: `ADC calibration/CADC00`.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) weighted: bool,
    pub(crate) x: Axis,
    pub(crate) y: Option<Axis>,
    /// Title and unit of the value of a profile or strip.
    pub(crate) value: (String, String),
}

impl Shape {
    /// Cells, under- and overflow included.
    pub(crate) fn cells(&self) -> usize {
        (self.x.bins() + 2) * self.y.as_ref().map_or(1, |y| y.bins() + 2)
    }

    /// Why there cannot be such a histogram.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.x.check()?;
        if let Some(y) = &self.y {
            y.check()?;
        }
        match self.cells() {
            cells if cells > MOST_BINS => Err(format!("{cells} cells: a histogram has at most {MOST_BINS}")),
            _ => Ok(()),
        }
    }

    fn same_bins(&self, other: &Shape) -> bool {
        let same_y = match (&self.y, &other.y) {
            (Some(a), Some(b)) => a.same_bins(b),
            (a, b) => a.is_none() && b.is_none(),
        };
        self.kind == other.kind && self.weighted == other.weighted && self.x.same_bins(&other.x) && same_y
    }
}

/// A count, and exact sums: of weights and their squares, then of what is shown and its squares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sums<const N: usize> {
    pub(crate) entries: u64,
    pub(crate) sums: [ExactSum; N],
}

impl<const N: usize> Default for Sums<N> {
    fn default() -> Sums<N> {
        Sums { entries: 0, sums: std::array::from_fn(|_| ExactSum::default()) }
    }
}

impl<const N: usize> Sums<N> {
    fn join(&mut self, other: &Sums<N>) {
        self.entries = self.entries.saturating_add(other.entries);
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| a.join(b));
    }
}

impl Sums<2> {
    /// Adds a value, or a weight.
    fn add(&mut self, value: f64) {
        self.entries += 1;
        self.sums[0].add(value);
        self.sums[1].add_product(value, value);
    }
}

impl Sums<4> {
    fn add(&mut self, value: f64, weight: f64) {
        self.entries += 1;
        self.sums[0].add(weight);
        self.sums[1].add_product(weight, weight);
        self.sums[2].add_product(weight, value);
        self.sums[3].add_product3(weight, value, value);
    }
}

/// Means over time, with as many bins as were filled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    pub(crate) width: u64,
    pub(crate) most: usize,
    /// By beginning of the bin, a multiple of `width`.
    pub(crate) bins: BTreeMap<u64, Sums<2>>,
}

impl Times {
    fn add(&mut self, time: u32, value: f64) {
        let start = u64::from(time) / self.width * self.width;
        self.bins.entry(start).or_default().add(value);
        self.narrow();
    }

    /// Widens the bins until there are few enough. How wide they end depends only on the times that
    /// were filled: bins nest, and more times need no narrower ones.
    fn narrow(&mut self) {
        while self.bins.len() > self.most.max(1) {
            self.widen(self.width * 2);
        }
    }

    fn widen(&mut self, width: u64) {
        self.width = width;
        let mut wide: BTreeMap<u64, Sums<2>> = BTreeMap::new();
        for (start, sums) in std::mem::take(&mut self.bins) {
            wide.entry(start / width * width).or_default().join(&sums);
        }
        self.bins = wide;
    }

    fn join(&mut self, other: &Times) {
        if other.width > self.width {
            self.widen(other.width);
        }
        for (start, sums) in &other.bins {
            self.bins.entry(start / self.width * self.width).or_default().join(sums);
        }
        self.narrow();
    }
}

/// What was filled, by cell.
#[derive(Clone, Debug)]
pub(crate) enum Cells {
    Counts(CountPages),
    /// Weighted: weights. Profile: values.
    Pairs(SumPages<Sums<2>>),
    /// A weighted profile.
    Quads(SumPages<Sums<4>>),
    Times(Times),
}

impl Cells {
    pub(crate) fn new(shape: &Shape) -> Cells {
        match (shape.kind, shape.weighted) {
            (Kind::Hist1 | Kind::Hist2, false) => Cells::Counts(CountPages::new(shape.cells())),
            (Kind::Profile, true) => Cells::Quads(SumPages::new(shape.cells())),
            (Kind::Strip, _) => {
                let super::axis::AxisKind::Time { width } = shape.x.kind() else { return Cells::empty() };
                let (width, most) = (u64::from(width.max(1)), shape.x.bins());
                Cells::Times(Times { width, most, bins: BTreeMap::new() })
            }
            _ => Cells::Pairs(SumPages::new(shape.cells())),
        }
    }

    fn empty() -> Cells {
        Cells::Counts(CountPages::default())
    }

    /// Counts a cell.
    #[inline]
    pub(crate) fn count(&mut self, cell: usize, count: u64) {
        if let Cells::Counts(pages) = self {
            pages.add(cell, count);
        }
    }

    /// Adds to a cell, or at a time.
    pub(crate) fn add(&mut self, cell: u32, value: f64, weight: f64) {
        match self {
            Cells::Counts(pages) => pages.add(cell as usize, 1),
            Cells::Pairs(pages) => {
                if let Some(sums) = pages.cell(cell as usize) {
                    sums.add(value);
                }
            }
            Cells::Quads(pages) => {
                if let Some(sums) = pages.cell(cell as usize) {
                    sums.add(value, weight);
                }
            }
            Cells::Times(times) => times.add(cell, value),
        }
    }

    pub(crate) fn join(&mut self, other: &Cells) {
        match (self, other) {
            (Cells::Counts(a), Cells::Counts(b)) => a.join(b),
            (Cells::Pairs(a), Cells::Pairs(b)) => join_pages(a, b),
            (Cells::Quads(a), Cells::Quads(b)) => join_pages(a, b),
            (Cells::Times(a), Cells::Times(b)) => a.join(b),
            _ => {}
        }
    }
}

fn join_pages<const N: usize>(a: &mut SumPages<Sums<N>>, b: &SumPages<Sums<N>>) {
    for (cell, sums) in b.iter().filter(|(_, sums)| sums.entries > 0) {
        if let Some(own) = a.cell(cell) {
            own.join(sums);
        }
    }
}

/// Sums over all fills within the axes, from which mean and width follow.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in each histogram, not in each cell")]
pub(crate) enum Spread {
    /// Each fill counts once.
    Fixed(Unweighted),
    /// Weighted: sums of x, x², y, y² and xy, each times the weight.
    Exact(Box<[ExactSum; 5]>),
}

impl Spread {
    pub(crate) fn new(shape: &Shape) -> Spread {
        if shape.weighted { Spread::Exact(Box::default()) } else { Spread::Fixed(Unweighted::default()) }
    }

    pub(crate) fn join(&mut self, other: &Spread) {
        match (self, other) {
            (Spread::Fixed(a), Spread::Fixed(b)) => a.join(b),
            (Spread::Exact(a), Spread::Exact(b)) => a.iter_mut().zip(b.iter()).for_each(|(a, b)| a.join(b)),
            _ => {}
        }
    }
}

/// What a cell holds, as floats that were rounded once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// Fills.
    pub entries: u64,
    /// Sum of the weights; the number of fills without weights.
    pub sum: f64,
    /// Sum of the squares of the weights.
    pub squares: f64,
    /// Profiles: sum of the values, each times its weight.
    pub values: f64,
    /// Profiles: sum of the squares of the values, each times its weight.
    pub value_squares: f64,
    /// What is drawn: the sum of the weights, of profiles the mean of the values.
    pub content: f64,
    /// Its error: the root of the sum of the squares, of profiles the error of the mean.
    pub error: f64,
}

/// Sums over all fills within the axes, and what follows from them. Zero where there is no such
/// axis; of profiles, `y` is the value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Fills, those outside of the axes too.
    pub entries: u64,
    /// Sum of the weights.
    pub sum: f64,
    /// Sum of the squares of the weights.
    pub squares: f64,
    /// Sum of x, each times its weight.
    pub x: f64,
    /// Sum of x².
    pub xx: f64,
    /// Sum of y.
    pub y: f64,
    /// Sum of y².
    pub yy: f64,
    /// Sum of xy.
    pub xy: f64,
    /// Mean of x.
    pub mean_x: f64,
    /// Standard deviation of x: the root of the mean square distance from the mean.
    pub sigma_x: f64,
    /// Mean of y.
    pub mean_y: f64,
    /// Standard deviation of y.
    pub sigma_y: f64,
}

/// A histogram with all that was filled.
#[derive(Clone, Debug)]
pub struct Histogram {
    pub(crate) shape: Arc<Shape>,
    pub(crate) cells: Cells,
    pub(crate) spread: Spread,
}

impl Histogram {
    pub(crate) fn new(shape: Arc<Shape>) -> Histogram {
        Histogram { cells: Cells::new(&shape), spread: Spread::new(&shape), shape }
    }

    /// Its name, a path: `ADC calibration/CADC00`.
    pub fn name(&self) -> &str {
        &self.shape.name
    }

    /// Its title; its name if it has none of its own.
    pub fn title(&self) -> &str {
        &self.shape.title
    }

    /// What it shows.
    pub fn kind(&self) -> Kind {
        self.shape.kind
    }

    /// Whether fills have weights.
    pub fn is_weighted(&self) -> bool {
        self.shape.weighted
    }

    /// The horizontal axis as it was booked; [`View::x`] has the bins that a strip has come to.
    pub fn x(&self) -> &Axis {
        &self.shape.x
    }

    /// The vertical axis of a [`Kind::Hist2`].
    pub fn y(&self) -> Option<&Axis> {
        self.shape.y.as_ref()
    }

    /// Title and unit of the value of a profile or strip: `Energy [MeV]`.
    pub fn value_label(&self) -> String {
        let (title, unit) = &self.shape.value;
        Axis::regular(1, 0.0, 1.0).title(title).unit(unit).label()
    }

    /// Number of fills, those outside of the axes included.
    pub fn entries(&self) -> u64 {
        match &self.cells {
            Cells::Counts(pages) => total(pages.filled().map(|(_, count)| count)),
            Cells::Pairs(pages) => total(pages.iter().map(|(_, sums)| sums.entries)),
            Cells::Quads(pages) => total(pages.iter().map(|(_, sums)| sums.entries)),
            Cells::Times(times) => total(times.bins.values().map(|sums| sums.entries)),
        }
    }

    /// Bins and cells, for drawing and writing.
    pub fn view(&self) -> View<'_> {
        View::new(self)
    }

    /// Adds what another histogram of the same bins holds. The result is what filling all into one
    /// would have given, to the last bit.
    ///
    /// # Errors
    /// If kind or bins differ.
    pub fn join(&mut self, other: &Histogram) -> Result<(), OtherBins> {
        if !self.shape.same_bins(&other.shape) {
            return Err(OtherBins { name: self.shape.name.clone() });
        }
        self.cells.join(&other.cells);
        self.spread.join(&other.spread);
        Ok(())
    }

    /// Sums over all fills within the axes, mean and width.
    pub fn stats(&self) -> Stats {
        let (inside, values, value_squares) = self.inside();
        let mut stats = Stats {
            entries: self.entries(),
            sum: inside.sums[0].value(),
            squares: inside.sums[1].value(),
            ..Stats::default()
        };
        match &self.spread {
            Spread::Fixed(Unweighted { x, y, xy }) => {
                let scale = Scale::new(self.shape.x.largest());
                let (x, xx) = x.exact(scale);
                (stats.x, stats.xx) = (x.value(), xx.value());
                (stats.mean_x, stats.sigma_x) = mean_and_sigma(&inside.sums[0], &x, &xx);
                if let Some(axis) = &self.shape.y {
                    let other = Scale::new(axis.largest());
                    let (y, yy) = y.exact(other);
                    (stats.y, stats.yy) = (y.value(), yy.value());
                    (stats.mean_y, stats.sigma_y) = mean_and_sigma(&inside.sums[0], &y, &yy);
                    stats.xy = xy.exact(scale, other).value();
                }
            }
            Spread::Exact(sums) => {
                let [x, xx, y, yy, xy] = &**sums;
                (stats.x, stats.xx, stats.xy) = (x.value(), xx.value(), xy.value());
                (stats.mean_x, stats.sigma_x) = mean_and_sigma(&inside.sums[0], x, xx);
                if self.shape.y.is_some() {
                    (stats.y, stats.yy) = (y.value(), yy.value());
                    (stats.mean_y, stats.sigma_y) = mean_and_sigma(&inside.sums[0], y, yy);
                }
            }
        }
        if let Kind::Profile | Kind::Strip = self.shape.kind {
            (stats.y, stats.yy) = (values.value(), value_squares.value());
            (stats.mean_y, stats.sigma_y) = mean_and_sigma(&inside.sums[0], &values, &value_squares);
        }
        if let Cells::Times(times) = &self.cells {
            // Of time, bins are all that is known.
            let (mut x, mut xx) = (ExactSum::default(), ExactSum::default());
            for (start, sums) in &times.bins {
                let (middle, n) = (*start as f64 + times.width as f64 / 2.0, sums.entries as f64);
                x.add_product(middle, n);
                xx.add_product3(middle, middle, n);
            }
            (stats.x, stats.xx) = (x.value(), xx.value());
            (stats.mean_x, stats.sigma_x) = mean_and_sigma(&inside.sums[0], &x, &xx);
        }
        stats
    }

    /// Weights and their squares over the cells within the axes; of profiles, values and theirs.
    fn inside(&self) -> (Sums<2>, ExactSum, ExactSum) {
        let (mut weights, mut y, mut yy) = (Sums::default(), ExactSum::default(), ExactSum::default());
        let columns = self.shape.x.bins() + 2;
        let rows = self.shape.y.as_ref().map(|y| y.bins() + 2);
        let within = |cell: usize| {
            let (column, row) = (cell % columns, cell / columns);
            column > 0 && column + 1 < columns && rows.is_none_or(|rows| row > 0 && row + 1 < rows)
        };
        let count = |weights: &mut Sums<2>, entries: u64| {
            weights.entries = weights.entries.saturating_add(entries);
            weights.sums.iter_mut().for_each(|sum| sum.add_count(entries));
        };
        match &self.cells {
            Cells::Counts(pages) => {
                let n = total(pages.filled().filter(|(cell, _)| within(*cell)).map(|(_, count)| count));
                count(&mut weights, n);
            }
            Cells::Pairs(pages) => {
                for (_, sums) in pages.iter().filter(|(cell, sums)| within(*cell) && sums.entries > 0) {
                    if self.shape.weighted {
                        weights.join(sums);
                    } else {
                        count(&mut weights, sums.entries);
                        y.join(&sums.sums[0]);
                        yy.join(&sums.sums[1]);
                    }
                }
            }
            Cells::Quads(pages) => {
                for (_, sums) in pages.iter().filter(|(cell, sums)| within(*cell) && sums.entries > 0) {
                    let [w, ww, wy, wyy] = &sums.sums;
                    weights.entries = weights.entries.saturating_add(sums.entries);
                    weights.sums[0].join(w);
                    weights.sums[1].join(ww);
                    y.join(wy);
                    yy.join(wyy);
                }
            }
            Cells::Times(times) => {
                for sums in times.bins.values() {
                    count(&mut weights, sums.entries);
                    y.join(&sums.sums[0]);
                    yy.join(&sums.sums[1]);
                }
            }
        }
        (weights, y, yy)
    }
}

/// A count of fills; what a broken file claims ends at the largest number.
fn total(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// Mean and standard deviation from exact sums of weights, of values and of their squares. Zero
/// without weights; not a number where a sum is none, or is infinite.
pub(crate) fn mean_and_sigma(weights: &ExactSum, values: &ExactSum, squares: &ExactSum) -> (f64, f64) {
    if weights.is_zero() {
        return (0.0, 0.0);
    }
    let (mantissa, exponent) = ratio(values, weights);
    let mean = times_power(mantissa, exponent);
    // Squares around the mean, before anything is rounded: otherwise a narrow peak cancels away.
    let mut shifted = ExactSum::default();
    shifted.add_scaled(weights, mean);
    let mut around = squares.clone();
    around.add_scaled(values, -mean);
    around.add_scaled(values, -mean);
    around.add_scaled(&shifted, mean);
    let (mantissa, exponent) = ratio(&around, weights);
    // What is left of roundings of the mean may be below zero.
    let mantissa = if mantissa < 0.0 { 0.0 } else { mantissa };
    (mean, times_power((mantissa * f64::from(1 + exponent.rem_euclid(2))).sqrt(), exponent.div_euclid(2)))
}

/// `a / b` as a float and a power of two, so that neither has to be a float.
fn ratio(a: &ExactSum, b: &ExactSum) -> (f64, i32) {
    let ((a, a_exponent), (b, b_exponent)) = (a.split(), b.split());
    (a / b, a_exponent - b_exponent)
}

/// `x * 2^exponent`.
fn times_power(x: f64, exponent: i32) -> f64 {
    let step = exponent.clamp(-1000, 1000);
    if step == exponent { x * 2f64.powi(step) } else { times_power(x * 2f64.powi(step), exponent - step) }
}

/// Two histograms cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("histogram \"{name}\" has other bins")]
#[non_exhaustive]
pub struct OtherBins {
    /// The histogram.
    pub name: String,
}

/// Bins and cells of a histogram.
///
/// Cells are numbered as ROOT does: `ix + (x.bins() + 2) * iy`, where 0 is the underflow and
/// `bins() + 1` the overflow.
pub struct View<'h> {
    histogram: &'h Histogram,
    /// Of a strip, the bins that it has come to.
    times: Option<(Axis, Vec<Option<u64>>)>,
}

impl<'h> View<'h> {
    fn new(histogram: &'h Histogram) -> View<'h> {
        let Cells::Times(times) = &histogram.cells else { return View { histogram, times: None } };
        // One bin after the other; a gap, however long, is one bin.
        let (mut edges, mut bins): (Vec<f64>, Vec<Option<u64>>) = (Vec::new(), Vec::new());
        for start in times.bins.keys() {
            match edges.last() {
                Some(end) if *end < *start as f64 => {
                    edges.push(*start as f64);
                    bins.push(None);
                }
                Some(_) => {}
                None => edges.push(*start as f64),
            }
            edges.push((*start + times.width) as f64);
            bins.push(Some(*start));
        }
        if edges.is_empty() {
            (edges, bins) = (vec![0.0, times.width as f64], vec![None]);
        }
        let x = &histogram.shape.x;
        let axis = Axis::variable(edges).title(x.name()).unit(x.units());
        View { histogram, times: Some((axis, bins)) }
    }

    /// The horizontal axis. Of a strip, Unix time, with the bins that there are; a gap is one bin.
    pub fn x(&self) -> &Axis {
        self.times.as_ref().map_or(&self.histogram.shape.x, |(axis, _)| axis)
    }

    /// The vertical axis of a [`Kind::Hist2`].
    pub fn y(&self) -> Option<&Axis> {
        self.histogram.y()
    }

    /// Number of cells, under- and overflow included.
    pub fn cells(&self) -> usize {
        (self.x().bins() + 2) * self.y().map_or(1, |y| y.bins() + 2)
    }

    /// What cell `i` holds; nothing if there is no such cell.
    pub fn cell(&self, i: usize) -> Cell {
        match &self.histogram.cells {
            Cells::Counts(pages) => counted(pages.get(i)),
            Cells::Pairs(pages) => match pages.get(i) {
                Some(sums) if self.histogram.shape.weighted => {
                    let [w, ww] = &sums.sums;
                    let (sum, squares) = (w.value(), ww.value());
                    let entries = sums.entries;
                    Cell { entries, sum, squares, content: sum, error: squares.sqrt(), ..Cell::default() }
                }
                Some(sums) => averaged(sums),
                None => Cell::default(),
            },
            Cells::Quads(pages) => pages.get(i).map_or_else(Cell::default, |sums| {
                let [w, ww, wy, wyy] = &sums.sums;
                mean_cell(sums.entries, w, ww, wy, wyy)
            }),
            Cells::Times(times) => {
                let start = self.times.as_ref().and_then(|(_, bins)| *bins.get(i.checked_sub(1)?)?);
                start.and_then(|start| times.bins.get(&start)).map_or_else(Cell::default, averaged)
            }
        }
    }

    /// The cells that something was filled into, in order.
    pub fn filled(&self) -> impl Iterator<Item = (usize, Cell)> + '_ {
        let places: Box<dyn Iterator<Item = usize> + '_> = match &self.histogram.cells {
            Cells::Counts(pages) => Box::new(pages.filled().map(|(cell, _)| cell)),
            Cells::Pairs(pages) => {
                Box::new(pages.iter().filter(|(_, sums)| sums.entries > 0).map(|(cell, _)| cell))
            }
            Cells::Quads(pages) => {
                Box::new(pages.iter().filter(|(_, sums)| sums.entries > 0).map(|(cell, _)| cell))
            }
            Cells::Times(_) => Box::new((0..self.cells()).filter(|&i| self.cell(i).entries > 0)),
        };
        places.map(|cell| (cell, self.cell(cell)))
    }
}

fn counted(count: u64) -> Cell {
    let sum = count as f64;
    Cell { entries: count, sum, squares: sum, content: sum, error: sum.sqrt(), ..Cell::default() }
}

fn averaged(sums: &Sums<2>) -> Cell {
    let mut weights = ExactSum::default();
    weights.add_count(sums.entries);
    let [y, yy] = &sums.sums;
    mean_cell(sums.entries, &weights, &weights, y, yy)
}

/// A cell of a profile. The error of the mean is the width by the root of the effective number of
/// fills, as in ROOT.
fn mean_cell(entries: u64, w: &ExactSum, ww: &ExactSum, wy: &ExactSum, wyy: &ExactSum) -> Cell {
    let (content, sigma) = mean_and_sigma(w, wy, wyy);
    let (sum, squares) = (w.value(), ww.value());
    let (mantissa, exponent) = ratio(ww, w);
    let error = if sum == 0.0 { 0.0 } else { sigma * (times_power(mantissa, exponent) / sum).abs().sqrt() };
    let (values, value_squares) = (wy.value(), wyy.value());
    Cell { entries, sum, squares, values, value_squares, content, error }
}
