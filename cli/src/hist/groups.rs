//! Bins joined to as many as a drawing has room for: added up, never left out.

use pactolus::histo::{Axis, AxisKind};

/// Groups of neighbouring bins of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Groups {
    /// First bin of each group, and behind them the end of the last.
    starts: Vec<usize>,
    /// Their edges.
    pub(crate) edges: Vec<f64>,
    /// Whether all have the same width.
    pub(crate) even: bool,
    /// Bins of the largest group.
    pub(crate) joined: usize,
}

impl Groups {
    /// At most `most` groups of the bins that lie between `low` and `high`; those that the ends cut
    /// are there as a whole. Of bins of different widths, each group is at least as wide as a part of
    /// `most` equal ones. `None`: there is no such bin.
    pub(crate) fn of(axis: &Axis, range: Option<(f64, f64)>, most: usize) -> Option<Groups> {
        let most = most.max(1);
        let (first, end) = match range {
            None => (0, axis.bins()),
            Some((low, high)) => {
                let inside = axis.edge(0) < high && low < axis.edge(axis.bins());
                if !inside {
                    return None;
                }
                let first = axis.index(low).max(1) - 1;
                let last = axis.index(high).clamp(1, axis.bins());
                // A bin that only begins at `high` does not belong to it.
                let last = if axis.edge(last - 1) >= high && last > first + 1 { last - 1 } else { last };
                (first, last)
            }
        };
        let bins = end.checked_sub(first).filter(|bins| *bins > 0)?;
        let even = matches!(axis.kind(), AxisKind::Regular { .. } | AxisKind::Integer { .. });
        let starts: Vec<usize> = if even {
            let size = size(bins, most);
            (first..end).step_by(size).chain([end]).collect()
        } else {
            uneven(axis, first, end, most)
        };
        let edges = starts.iter().map(|bin| axis.edge(*bin)).collect();
        let joined = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(1);
        // The last may have fewer bins.
        let even = even && bins.is_multiple_of(joined);
        Some(Groups { starts, edges, even, joined })
    }

    /// Their number.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The group of a bin, counted from 0.
    pub(crate) fn of_bin(&self, bin: usize) -> Option<usize> {
        let group = self.starts.partition_point(|start| *start <= bin).checked_sub(1)?;
        (group < self.len()).then_some(group)
    }

    /// Lower edge of the first, upper edge of the last.
    pub(crate) fn ends(&self) -> (f64, f64) {
        (self.edges[0], self.edges[self.edges.len() - 1])
    }
}

/// Bins of a group: as few as there is room for, or not many more, so that no group has fewer.
fn size(bins: usize, most: usize) -> usize {
    let least = bins.div_ceil(most);
    (least..=least + least / 8 + 1)
        .find(|size| bins.is_multiple_of(*size) && bins / size > 1)
        .unwrap_or(least)
}

fn uneven(axis: &Axis, first: usize, end: usize, most: usize) -> Vec<usize> {
    let (low, high) = (axis.edge(first), axis.edge(end));
    let place = |bin: usize| fraction(axis.edge(bin), low, high) * most as f64;
    let mut starts = vec![first];
    let mut column = 0.0;
    for bin in first + 1..end {
        let here = place(bin).round();
        // What comes last needs room, too.
        if here > column && here < most as f64 {
            starts.push(bin);
            column = here;
        }
    }
    starts.push(end);
    starts
}

/// Where a value lies between two ends, from 0 to 1; their distance may be larger than any number.
pub(crate) fn fraction(value: f64, low: f64, high: f64) -> f64 {
    (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(axis: &Axis, most: usize) -> Vec<usize> {
        Groups::of(axis, None, most).unwrap().starts
    }

    #[test]
    fn every_bin_is_in_one_group() {
        let axes = [
            Axis::regular(1, 0.0, 1.0),
            Axis::regular(73, 0.0, 1.0),
            Axis::regular(1000, -1.0, 1.0),
            Axis::integer(0, 499_999),
            Axis::variable([0.0, 1e-9, 2e-9, 1.0, 1e9]),
            Axis::variable((0..5000).map(|i| f64::from(i * i)).collect::<Vec<_>>()),
        ];
        for axis in axes {
            for most in [1, 2, 40, 72, 600] {
                let groups = Groups::of(&axis, None, most).unwrap();
                assert!((1..=most).contains(&groups.len()), "{axis:?}: {} of {most}", groups.len());
                assert_eq!((groups.starts[0], groups.starts[groups.len()]), (0, axis.bins()));
                assert!(groups.starts.is_sorted_by(|a, b| a < b) && groups.edges.is_sorted_by(|a, b| a < b));
                for bin in [0, axis.bins() / 2, axis.bins() - 1] {
                    let group = groups.of_bin(bin).unwrap();
                    assert!(groups.starts[group] <= bin && bin < groups.starts[group + 1]);
                }
                assert_eq!(groups.of_bin(axis.bins()), None);
            }
        }
    }

    #[test]
    fn groups_are_equal_if_they_can_be() {
        assert_eq!(starts(&Axis::regular(100, 0.0, 1.0), 72).len() - 1, 50);
        assert_eq!(starts(&Axis::regular(73, 0.0, 1.0), 72).len() - 1, 37);
        assert_eq!(starts(&Axis::regular(500_000, 0.0, 1.0), 72).len() - 1, 72);
        assert_eq!(starts(&Axis::regular(7, 0.0, 1.0), 3), [0, 3, 6, 7]);
        assert_eq!(starts(&Axis::variable([0.0, 0.1, 0.2, 9.0, 10.0]), 10), [0, 3, 4]);
    }

    #[test]
    fn a_range_has_the_bins_that_lie_in_it() {
        let axis = Axis::regular(10, 0.0, 10.0);
        let ends = |low, high| Groups::of(&axis, Some((low, high)), 72).map(|g| g.ends());
        assert_eq!(ends(2.0, 4.0), Some((2.0, 4.0)));
        assert_eq!(ends(2.5, 3.5), Some((2.0, 4.0)));
        assert_eq!(ends(2.5, 2.6), Some((2.0, 3.0)));
        assert_eq!(ends(-5.0, 1e9), Some((0.0, 10.0)));
        assert_eq!(ends(9.5, 12.0), Some((9.0, 10.0)));
        assert_eq!(ends(10.0, 12.0), None);
        assert_eq!(ends(-3.0, 0.0), None);
    }
}
