//! What is drawn over one axis: bins with contents and errors.

use pactolus::histo::{AxisKind, Cell, Histogram, Kind};

use super::groups::Groups;

/// Bins to draw, of all kinds but 2-D.
pub(crate) struct Series {
    pub(crate) groups: Groups,
    pub(crate) bins: Vec<Bin>,
    /// Contents are means with errors, drawn as points; otherwise sums, drawn as bars.
    pub(crate) means: bool,
    /// Errors are more than the root of the contents.
    pub(crate) errors: bool,
    /// Bins are integers: labels stand at their middle.
    pub(crate) integers: bool,
    /// The axis is Unix time.
    pub(crate) time: bool,
}

/// A bin, or several joined.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bin {
    /// Fills.
    pub(crate) entries: u64,
    /// Sum of weights, or mean.
    pub(crate) content: f64,
    pub(crate) error: f64,
}

impl Bin {
    /// Whether there is something to draw.
    pub(crate) fn is_shown(&self) -> bool {
        self.entries > 0 && self.content.is_finite()
    }

    /// Ends of the error bar.
    pub(crate) fn ends(&self) -> (f64, f64) {
        let error = if self.error.is_finite() { self.error } else { 0.0 };
        (self.content - error, self.content + error)
    }
}

/// Contents of the cells of one group.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum {
    entries: u64,
    sum: f64,
    squares: f64,
    mean: f64,
    /// Squares of the distances from the mean, times the weights.
    around: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, cell: &Cell) {
        self.entries = self.entries.saturating_add(cell.entries);
        let before = self.sum;
        self.sum += cell.sum;
        self.squares += cell.squares;
        if cell.sum == 0.0 || self.sum == 0.0 {
            return;
        }
        // Means and widths of two parts, as Chan, Golub and LeVeque join them: nothing cancels.
        let deviation = cell.error * cell.sum.abs() / cell.squares.sqrt();
        let distance = cell.content - self.mean;
        self.mean += distance * (cell.sum / self.sum);
        self.around +=
            deviation * deviation * cell.sum + distance * distance * (before / self.sum) * cell.sum;
    }

    pub(crate) fn content(&self) -> Bin {
        Bin { entries: self.entries, content: self.sum, error: self.squares.sqrt() }
    }

    fn mean(&self) -> Bin {
        let width = (self.around / self.sum).max(0.0).sqrt();
        let error = if self.sum == 0.0 { 0.0 } else { width * self.squares.sqrt() / self.sum.abs() };
        Bin { entries: self.entries, content: self.mean, error }
    }
}

impl Series {
    /// The bins of a range, at most `most`. `None`: the range lies outside of the axis.
    pub(crate) fn of(histogram: &Histogram, range: Option<(f64, f64)>, most: usize) -> Option<Series> {
        let view = histogram.view();
        let groups = Groups::of(view.x(), range, most)?;
        let means = matches!(histogram.kind(), Kind::Profile | Kind::Strip);
        let mut sums = vec![Sum::default(); groups.len()];
        let single = groups.joined == 1;
        let mut bins = vec![Bin::default(); groups.len()];
        for (cell, content) in view.filled() {
            let Some(group) = cell.checked_sub(1).and_then(|bin| groups.of_bin(bin)) else { continue };
            if single {
                // Rounded once, not twice.
                let Cell { entries, content, error, .. } = content;
                bins[group] = Bin { entries, content, error };
            } else {
                sums[group].add(&content);
                bins[group] = if means { sums[group].mean() } else { sums[group].content() };
            }
        }
        Some(Series {
            groups,
            bins,
            means,
            errors: means || histogram.is_weighted(),
            integers: matches!(view.x().kind(), AxisKind::Integer { .. }),
            time: histogram.kind() == Kind::Strip,
        })
    }

    /// The bins that are drawn.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Bin> {
        self.bins.iter().filter(|bin| bin.is_shown())
    }

    /// Least and largest content, or, `with_errors`, end of an error bar.
    pub(crate) fn span(&self, with_errors: bool) -> Option<(f64, f64)> {
        let ends = |bin: &Bin| if with_errors { bin.ends() } else { (bin.content, bin.content) };
        let finite = self.shown().map(ends).filter(|(low, high)| low.is_finite() && high.is_finite());
        finite.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// What cannot be drawn, in words.
    pub(crate) fn hidden(&self, log: bool) -> Option<String> {
        let infinite = self.bins.iter().filter(|bin| bin.entries > 0 && !bin.content.is_finite()).count();
        let below = self.shown().filter(|bin| log && bin.content <= 0.0).count();
        let words = [(infinite, "not a finite number"), (below, "not above 0")];
        let words = words.iter().filter(|(count, _)| *count > 0).map(|(count, what)| {
            format!("{count} {} not shown: {what}", if *count == 1 { "bin" } else { "bins" })
        });
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pactolus::histo::{Axis, Hist1, Profile};

    #[test]
    fn joined_bins_are_sums() {
        let hits = Histogram::filled("h", Hist1::new(Axis::regular(1000, 0.0, 1000.0)), 0..=1500).unwrap();
        let series = Series::of(&hits, None, 10).unwrap();
        assert_eq!(series.bins.len(), 10);
        assert!(series.bins.iter().all(|bin| (bin.entries, bin.content, bin.error) == (100, 100.0, 10.0)));
        assert!(Series::of(&hits, Some((1000.0, 2000.0)), 10).is_none());
    }

    #[test]
    fn joined_means_are_those_of_wider_bins() {
        let points = || (0..9000).map(|i| (f64::from(i % 100), 1e6 + f64::from((i * 7919) % 1013)));
        let profile =
            |bins| Histogram::filled("p", Profile::new(Axis::regular(bins, 0.0, 100.0)), points()).unwrap();
        let (narrow, wide) = (profile(100), profile(5));
        let (joined, wanted) = (Series::of(&narrow, None, 5).unwrap(), Series::of(&wide, None, 5).unwrap());
        assert_eq!(joined.bins.len(), 5);
        for (a, b) in joined.bins.iter().zip(&wanted.bins) {
            assert_eq!(a.entries, b.entries);
            assert!(
                (a.content / b.content - 1.0).abs() < 1e-12 && (a.error / b.error - 1.0).abs() < 1e-9,
                "{a:?} {b:?}"
            );
        }
    }
}
