//! Cells of a histogram in pages, of which only those that were filled exist.

/// Cells of a page of counts: 4 KiB while counts are small.
const COUNTS: usize = 1024;
/// Cells of a page of sums.
const SUMS: usize = 64;

/// Counts of cells. A cell takes four bytes until it has counted to 2^32.
#[derive(Clone, Debug, Default)]
pub(crate) struct CountPages(Vec<CountPage>);

#[derive(Clone, Debug)]
enum CountPage {
    Empty,
    Narrow(Box<[u32; COUNTS]>),
    Wide(Box<[u64; COUNTS]>),
}

impl CountPages {
    pub(crate) fn new(cells: usize) -> CountPages {
        CountPages(vec![CountPage::Empty; cells.div_ceil(COUNTS)])
    }

    /// Adds to a cell. One that does not exist is left alone.
    #[inline]
    pub(crate) fn add(&mut self, cell: usize, count: u64) {
        let Some(page) = self.0.get_mut(cell / COUNTS) else { return };
        let at = cell % COUNTS;
        if let CountPage::Narrow(counts) = page {
            let sum = u64::from(counts[at]) + count;
            if let Ok(sum) = u32::try_from(sum) {
                counts[at] = sum;
                return;
            }
        }
        page.add_slowly(at, count);
    }

    pub(crate) fn get(&self, cell: usize) -> u64 {
        match self.0.get(cell / COUNTS) {
            Some(CountPage::Narrow(counts)) => counts[cell % COUNTS].into(),
            Some(CountPage::Wide(counts)) => counts[cell % COUNTS],
            Some(CountPage::Empty) | None => 0,
        }
    }

    /// The cells that are not zero, in order.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (usize, u64)> + Clone + '_ {
        let pages = self.0.iter().enumerate().filter(|(_, page)| !matches!(page, CountPage::Empty));
        let cells = pages.flat_map(|(i, _)| i * COUNTS..(i + 1) * COUNTS);
        cells.map(|cell| (cell, self.get(cell))).filter(|(_, count)| *count > 0)
    }

    pub(crate) fn join(&mut self, other: &CountPages) {
        other.filled().for_each(|(cell, count)| self.add(cell, count));
    }
}

impl CountPage {
    /// A page that is new, or whose counts become too large.
    #[cold]
    fn add_slowly(&mut self, at: usize, count: u64) {
        match self {
            CountPage::Empty => {
                *self = match u32::try_from(count) {
                    Ok(count) => {
                        let mut page = Box::new([0; COUNTS]);
                        page[at] = count;
                        CountPage::Narrow(page)
                    }
                    Err(_) => {
                        let mut page = Box::new([0; COUNTS]);
                        page[at] = count;
                        CountPage::Wide(page)
                    }
                }
            }
            CountPage::Narrow(counts) => {
                let mut page = Box::new([0; COUNTS]);
                page.iter_mut().zip(counts.iter()).for_each(|(wide, narrow)| *wide = u64::from(*narrow));
                page[at] += count;
                *self = CountPage::Wide(page);
            }
            CountPage::Wide(counts) => counts[at] = counts[at].saturating_add(count),
        }
    }
}

/// Cells that hold more than a count.
#[derive(Clone, Debug, Default)]
pub(crate) struct SumPages<C>(Vec<Option<Box<[C]>>>);

impl<C: Default + Clone> SumPages<C> {
    pub(crate) fn new(cells: usize) -> SumPages<C> {
        SumPages(vec![None; cells.div_ceil(SUMS)])
    }

    /// A cell, made if it is new; `None` beyond the last.
    #[inline]
    pub(crate) fn cell(&mut self, cell: usize) -> Option<&mut C> {
        let page = self.0.get_mut(cell / SUMS)?;
        let page = page.get_or_insert_with(|| vec![C::default(); SUMS].into_boxed_slice());
        page.get_mut(cell % SUMS)
    }

    pub(crate) fn get(&self, cell: usize) -> Option<&C> {
        self.0.get(cell / SUMS)?.as_ref()?.get(cell % SUMS)
    }

    /// The cells of the pages that exist, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &C)> + Clone {
        let pages = self.0.iter().enumerate().filter_map(|(i, page)| Some((i, page.as_ref()?)));
        pages.flat_map(|(i, page)| page.iter().enumerate().map(move |(at, cell)| (i * SUMS + at, cell)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_grow_beyond_32_bits() {
        let mut pages = CountPages::new(3000);
        pages.add(2999, u64::from(u32::MAX));
        pages.add(2999, 1);
        pages.add(2048, 5);
        pages.add(0, 1 << 40);
        pages.add(5000, 1);
        let filled: Vec<_> = pages.filled().collect();
        assert_eq!(filled, [(0, 1 << 40), (2048, 5), (2999, 1 << 32)]);
        let mut sum = CountPages::new(3000);
        sum.join(&pages);
        sum.join(&pages);
        assert_eq!(sum.get(2999), 1 << 33);
    }
}
