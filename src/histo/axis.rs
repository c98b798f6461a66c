//! Axes: which bin a value falls into.

/// One axis of a histogram.
///
/// Bins are half open: bin `i` holds `edge(i) <= x < edge(i + 1)`, with the edges of a regular axis
/// at `low + i * ((high - low) / bins)`, as numpy's `linspace` has them. Below the first edge lies
/// the underflow, from the last edge on the overflow; what is not a number counts as overflow, as
/// in ROOT.
///
/// ```
/// use pactolus::histo::Axis;
/// let axis = Axis::regular(500, 0.0, 4000.0).title("Amplitude").unit("MeV");
/// assert_eq!((axis.bins(), axis.index(8.0), axis.index(-1.0), axis.index(f64::NAN)), (500, 2, 0, 501));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    bins: Bins,
    title: String,
    unit: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Bins {
    Regular(Regular),
    /// Edges in rising order.
    Variable(Box<[f64]>),
    /// Stretches of time that grow with the run: at most so many, of at least so many seconds.
    Time {
        width: u32,
        most: usize,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct Regular {
    bins: usize,
    low: f64,
    high: f64,
    step: f64,
    inverse: f64,
    /// Fractions of a bin so near to an edge that rounding may have moved the value across it.
    slack: f64,
    integer: bool,
}

/// How the bins of an axis lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AxisKind<'a> {
    /// Bins of equal width between two edges.
    Regular {
        /// Lower edge of the first bin.
        low: f64,
        /// Upper edge of the last bin.
        high: f64,
    },
    /// One bin for each integer from the first to the last.
    Integer {
        /// The first.
        first: i64,
        /// The last.
        last: i64,
    },
    /// Bins between these edges, one fewer than there are edges.
    Variable(&'a [f64]),
    /// Unix time in bins whose width doubles whenever there would be too many.
    Time {
        /// Seconds of a bin at first.
        width: u32,
    },
}

/// The largest number of bins of an axis. A histogram may have as many cells.
pub(crate) const MOST_BINS: usize = 1 << 28;

/// The largest end of an axis of integers: 2^53.
const INTEGERS: f64 = (1_u64 << 53) as f64;
/// The smallest largest end of any axis: floats below that have too few digits.
const SMALLEST: f64 = 1e-280;

impl Axis {
    /// Bins of equal width between `low` and `high`.
    pub fn regular(bins: usize, low: f64, high: f64) -> Axis {
        Axis::of(Bins::Regular(Regular::new(bins, low, high, false)))
    }

    /// One bin for each integer from `first` to `last`, both included, which are no larger than 2^53:
    /// beyond that floats do not tell them apart.
    pub fn integer(first: i64, last: i64) -> Axis {
        let bins = last.checked_sub(first).and_then(|n| n.checked_add(1)).unwrap_or(0);
        let bins = usize::try_from(bins).unwrap_or(0);
        Axis::of(Bins::Regular(Regular::new(bins, first as f64, last as f64 + 1.0, true)))
    }

    /// One bin for each of so many channels, counted from 0.
    ///
    /// ```
    /// use pactolus::prelude::*;
    /// assert_eq!(Axis::channels(16), Axis::integer(0, 15));
    /// ```
    pub fn channels(channels: usize) -> Axis {
        Axis::integer(0, i64::try_from(channels).unwrap_or(i64::MAX) - 1)
    }

    /// Bins between edges, in rising order.
    pub fn variable(edges: impl Into<Vec<f64>>) -> Axis {
        Axis::of(Bins::Variable(edges.into().into_boxed_slice()))
    }

    /// Time in bins of `width` seconds; when there would be more than `most` of them, the width
    /// doubles. Bins begin at multiples of their width in Unix time.
    pub fn time(width: u32, most: usize) -> Axis {
        Axis::of(Bins::Time { width, most })
    }

    fn of(bins: Bins) -> Axis {
        Axis { bins, title: String::new(), unit: String::new() }
    }

    /// Sets the title: what is counted here.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Axis {
        self.title = title.into();
        self
    }

    /// Sets the unit.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Axis {
        self.unit = unit.into();
        self
    }

    /// The title, or an empty string.
    pub fn name(&self) -> &str {
        &self.title
    }

    /// The unit, or an empty string.
    pub fn units(&self) -> &str {
        &self.unit
    }

    /// Title and unit, as a drawing shows them: `Amplitude [MeV]`.
    pub fn label(&self) -> String {
        match (self.title.as_str(), self.unit.as_str()) {
            (title, "") => title.to_owned(),
            ("", unit) => format!("[{unit}]"),
            (title, unit) => format!("{title} [{unit}]"),
        }
    }

    /// How the bins lie.
    pub fn kind(&self) -> AxisKind<'_> {
        match &self.bins {
            Bins::Regular(r) if r.integer => {
                AxisKind::Integer { first: r.low as i64, last: r.high as i64 - 1 }
            }
            Bins::Regular(r) => AxisKind::Regular { low: r.low, high: r.high },
            Bins::Variable(edges) => AxisKind::Variable(edges),
            Bins::Time { width, .. } => AxisKind::Time { width: *width },
        }
    }

    /// Number of bins, under- and overflow not included; of a time axis, the largest number.
    pub fn bins(&self) -> usize {
        match &self.bins {
            Bins::Regular(r) => r.bins,
            Bins::Variable(edges) => edges.len().saturating_sub(1),
            Bins::Time { most, .. } => *most,
        }
    }

    /// Lower edge of bin `i`, counted from 0; `edge(bins())` is the upper edge of the last. Zero for
    /// a time axis, whose bins depend on what was filled.
    pub fn edge(&self, i: usize) -> f64 {
        match &self.bins {
            Bins::Regular(r) => r.edge(i),
            Bins::Variable(edges) => edges.get(i.min(edges.len().saturating_sub(1))).copied().unwrap_or(0.0),
            Bins::Time { .. } => 0.0,
        }
    }

    /// The bin of a value, as ROOT counts: 0 is the underflow, 1 the first bin, `bins() + 1` the
    /// overflow. Not for a time axis, where it is always the overflow.
    #[inline]
    pub fn index(&self, x: f64) -> usize {
        match &self.bins {
            Bins::Regular(r) => r.index(x),
            Bins::Variable(edges) => variable_index(edges, x),
            Bins::Time { most, .. } => most + 1,
        }
    }

    /// Why there cannot be such an axis.
    pub(crate) fn check(&self) -> Result<(), String> {
        let bins = self.bins();
        if bins == 0 {
            return Err("an axis needs at least one bin".into());
        }
        if bins > MOST_BINS {
            return Err(format!("{bins} bins: an axis has at most {MOST_BINS}"));
        }
        if !matches!(self.bins, Bins::Time { .. }) && self.largest() < SMALLEST {
            return Err(format!("an axis within {SMALLEST:e} of zero: choose another unit"));
        }
        match &self.bins {
            Bins::Regular(r) if r.integer && self.largest() > INTEGERS => {
                Err(format!("integers from {} to {}: beyond 2^53 they cannot be told apart", r.low, r.high))
            }
            Bins::Regular(r) if !(r.low < r.high && (r.high - r.low).is_finite()) => {
                Err(format!("an axis from {} to {}: the upper end must lie above the lower", r.low, r.high))
            }
            Bins::Regular(r) if !(r.edge(0) < r.edge(1) && r.edge(r.bins - 1) < r.high) => {
                Err(format!("{bins} bins from {} to {}: too narrow to be told apart", r.low, r.high))
            }
            Bins::Variable(edges) if !edges.iter().all(|e| e.is_finite()) => {
                Err("an edge is not a finite number".into())
            }
            Bins::Variable(edges) => match edges.windows(2).find(|pair| pair[0] >= pair[1]) {
                Some(pair) => Err(format!("edges must rise: {} is followed by {}", pair[0], pair[1])),
                None => Ok(()),
            },
            Bins::Time { width: 0, .. } => Err("bins of time need at least one second".into()),
            _ => Ok(()),
        }
    }

    /// No value within the axis is larger than this.
    pub(crate) fn largest(&self) -> f64 {
        self.edge(0).abs().max(self.edge(self.bins()).abs())
    }

    /// Whether bins are at the same places: titles do not matter.
    pub(crate) fn same_bins(&self, other: &Axis) -> bool {
        self.bins == other.bins
    }
}

fn variable_index(edges: &[f64], x: f64) -> usize {
    if x.is_nan() { edges.len() } else { edges.partition_point(|edge| *edge <= x) }
}

impl Regular {
    fn new(bins: usize, low: f64, high: f64, integer: bool) -> Regular {
        let step = (high - low) / bins as f64;
        let largest = low.abs().max(high.abs());
        // Roundings of the distance, of the product, and of the edges themselves.
        let slack = 4.0 * f64::EPSILON * (bins as f64 + largest / step);
        Regular { bins, low, high, step, inverse: 1.0 / step, slack, integer }
    }

    #[inline]
    fn edge(&self, i: usize) -> f64 {
        if i >= self.bins { self.high } else { self.low + i as f64 * self.step }
    }

    #[inline]
    fn index(&self, x: f64) -> usize {
        if x < self.low {
            return 0;
        }
        // Not `x >= high`: what is no number belongs here too.
        let within = x < self.high;
        if !within {
            return self.bins + 1;
        }
        let place = (x - self.low) * self.inverse;
        let bin = place as i64;
        let fraction = place - bin as f64;
        let mut bin = bin as usize;
        if fraction < self.slack || fraction > 1.0 - self.slack {
            bin = self.settle(bin, x);
        }
        bin + 1
    }

    /// The bin by its edges, where rounding may have chosen a neighbour.
    #[inline]
    fn settle(&self, near: usize, x: f64) -> usize {
        let bin = near.min(self.bins - 1);
        // Values on an edge are frequent, those that rounding has moved are not.
        if self.edge(bin) <= x && x < self.edge(bin + 1) { bin } else { self.search(bin, x) }
    }

    #[cold]
    fn search(&self, near: usize, x: f64) -> usize {
        let mut bin = near;
        while bin > 0 && x < self.edge(bin) {
            bin -= 1;
        }
        while bin + 1 < self.bins && x >= self.edge(bin + 1) {
            bin += 1;
        }
        bin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, without a formula.
    fn by_edges(axis: &Axis, x: f64) -> usize {
        (0..=axis.bins()).take_while(|&i| axis.edge(i) <= x).count()
    }

    #[test]
    fn a_value_is_between_the_edges_of_its_bin() {
        let axes = [
            Axis::regular(100, 0.0, 1.0),
            Axis::regular(7, -0.3, 0.4),
            Axis::regular(1000, 1e9, 1e9 + 1.0),
            Axis::regular(3, -1e-200, 2e-200),
            Axis::regular(10, -1e300, 1e300),
            Axis::integer(-3, 12),
            Axis::variable([0.1, 0.2, 0.7, 1e6]),
        ];
        for axis in axes {
            axis.check().unwrap();
            for i in 0..=axis.bins() {
                let edge = axis.edge(i);
                for x in [edge, edge.next_up(), edge.next_down(), edge + 0.3 * (axis.edge(1) - axis.edge(0))]
                {
                    assert_eq!(axis.index(x), by_edges(&axis, x), "{axis:?}: {x:e}");
                }
            }
            assert_eq!(axis.index(f64::NAN), axis.bins() + 1);
            assert_eq!(axis.index(f64::INFINITY), axis.bins() + 1);
            assert_eq!(axis.index(f64::NEG_INFINITY), 0);
        }
    }

    #[test]
    fn axes_that_cannot_be_are_refused() {
        for axis in [
            Axis::regular(0, 0.0, 1.0),
            Axis::regular(10, 1.0, 1.0),
            Axis::regular(10, 2.0, 1.0),
            Axis::regular(10, 0.0, f64::INFINITY),
            Axis::regular(10, f64::NAN, 1.0),
            Axis::regular(1 << 20, 1e16, 1e16 + 16.0),
            Axis::regular(MOST_BINS + 1, 0.0, 1.0),
            Axis::regular(10, 0.0, 1e-300),
            Axis::integer(1 << 53, (1 << 53) + 10),
            Axis::integer(3, 2),
            Axis::integer(i64::MIN, i64::MAX),
            Axis::variable([1.0]),
            Axis::variable([1.0, 1.0]),
            Axis::variable([1.0, f64::NAN]),
            Axis::time(0, 10),
        ] {
            assert!(axis.check().is_err(), "{axis:?}");
        }
    }
}
