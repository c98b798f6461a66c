//! What the events of one block have filled.
//!
//! A worker does not hold whole histograms: small ones of counts are arrays, of all others it keeps
//! a list of the cells that were filled, which the fold adds to the histograms of the run. So two hundred
//! histograms of a million cells cost their cells once, however many threads fill them. Nothing is
//! added before the fold has taken the block: one that comes behind a block that was cut does not count.

use std::cell::RefCell;
use std::sync::Arc;

use super::axis::Axis;
use super::book::{At, Histo};
use super::fixed::{Scale, Unweighted};
use super::histogram::{Histogram, Kind, Shape, Spread};
use super::store::Store;

/// Histograms of counts with so many cells are arrays in every worker: 16 KiB each.
const SMALL: usize = 2048;
/// The fills of one block, of all histograms.
#[derive(Debug, Default)]
pub(crate) struct Fills {
    slots: RefCell<Vec<Slot>>,
}

impl Fills {
    /// For the histograms of `store`.
    pub(crate) fn new(store: &Store) -> Fills {
        let slots = store.shapes().iter().map(|shape| Slot::new(Arc::clone(shape)));
        Fills { slots: RefCell::new(slots.collect()) }
    }

    /// Bytes that it holds.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.borrow().iter().map(Slot::capacity).sum()
    }

    /// # Panics
    /// If the histogram was not booked: the stage reports it.
    #[inline]
    #[track_caller]
    pub(crate) fn fill<H: Histo>(&self, handle: H, at: impl At<H>, time: u32) {
        self.put(handle, at.at(), time);
    }

    /// # Panics
    /// As [`fill`](Fills::fill).
    #[inline]
    #[track_caller]
    pub(crate) fn put<H: Histo>(&self, handle: H, point: [f64; 3], time: u32) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(handle.index() as usize) else { unbooked() };
        H::put(slot, point, time);
    }

    /// Adds all fills to the histograms of the run, and forgets them.
    pub(crate) fn pour(&self, store: &Store) {
        for (i, slot) in self.slots.borrow_mut().iter_mut().enumerate().filter(|(_, slot)| slot.touched) {
            slot.pour(&mut store.histogram(i));
        }
    }

    /// Forgets all fills.
    pub(crate) fn clear(&self) {
        self.slots.borrow_mut().iter_mut().filter(|slot| slot.touched).for_each(|slot| {
            *slot = Slot::new(Arc::clone(&slot.shape));
        });
    }
}

/// Whether workers hold all cells.
fn is_small(shape: &Shape) -> bool {
    let counts = matches!(shape.kind, Kind::Hist1 | Kind::Hist2) && !shape.weighted;
    counts && shape.cells() <= SMALL
}

#[cold]
#[track_caller]
fn unbooked() -> ! {
    panic!("a histogram is filled that was not booked: book it in prepare, as self.energy = setup.book(...)?")
}

/// The fills of one histogram.
#[derive(Debug)]
#[doc(hidden)]
pub struct Slot {
    x: Axis,
    x_scale: Scale,
    columns: usize,
    touched: bool,
    small: bool,
    /// Counts of a small histogram.
    counts: Vec<u64>,
    /// Cells of a large one, one for each fill.
    list: Vec<u32>,
    shape: Arc<Shape>,
    y: Option<Axis>,
    y_scale: Scale,
    /// Cell or time, value, weight of each fill of a histogram that sums.
    values: Vec<(u32, f64, f64)>,
    sums: Unweighted,
    /// The same of a histogram with weights.
    weighted: Option<Spread>,
}

impl Slot {
    pub(crate) fn new(shape: Arc<Shape>) -> Slot {
        let largest = |axis: &Axis| Scale::new(axis.largest());
        Slot {
            x: shape.x.clone(),
            y: shape.y.clone(),
            columns: shape.x.bins() + 2,
            x_scale: largest(&shape.x),
            y_scale: shape.y.as_ref().map_or(Scale::new(1.0), largest),
            small: is_small(&shape),
            touched: false,
            counts: Vec::new(),
            list: Vec::new(),
            values: Vec::new(),
            sums: Unweighted::default(),
            weighted: shape.weighted.then(|| Spread::new(&shape)),
            shape,
        }
    }

    #[inline]
    pub(super) fn hist1(&mut self, [x, ..]: [f64; 3], _: u32) {
        let cell = self.x.index(x);
        self.count(cell);
        if self.is_within(cell) {
            self.sums.x.add(self.x_scale.split(x));
        }
    }

    #[inline]
    pub(super) fn hist2(&mut self, [x, y, _]: [f64; 3], _: u32) {
        let (column, row, inside) = self.place(x, y);
        self.count(column + self.columns * row);
        if inside {
            let (x, y) = (self.x_scale.split(x), self.y_scale.split(y));
            self.sums.x.add(x);
            self.sums.y.add(y);
            self.sums.xy.add(x, y);
        }
    }

    pub(super) fn profile(&mut self, [x, value, _]: [f64; 3], _: u32) {
        let cell = self.x.index(x);
        self.push(cell as u32, value, 1.0);
        if self.is_within(cell) {
            self.sums.x.add(self.x_scale.split(x));
        }
    }

    pub(super) fn strip(&mut self, [_, value, _]: [f64; 3], time: u32) {
        self.push(time, value, 1.0);
    }

    pub(super) fn weighted_hist1(&mut self, [x, _, weight]: [f64; 3], _: u32) {
        let cell = self.x.index(x);
        self.push(cell as u32, weight, 1.0);
        if self.is_within(cell) {
            self.weigh(x, 0.0, weight);
        }
    }

    pub(super) fn weighted_hist2(&mut self, [x, y, weight]: [f64; 3], _: u32) {
        let (column, row, inside) = self.place(x, y);
        self.push((column + self.columns * row) as u32, weight, 1.0);
        if inside {
            self.weigh(x, y, weight);
        }
    }

    pub(super) fn weighted_profile(&mut self, [x, value, weight]: [f64; 3], _: u32) {
        let cell = self.x.index(x);
        self.push(cell as u32, value, weight);
        if self.is_within(cell) {
            self.weigh(x, 0.0, weight);
        }
    }

    /// Whether a cell is within the horizontal axis: those from 1 to its bins are.
    #[inline]
    fn is_within(&self, cell: usize) -> bool {
        cell.wrapping_sub(1) < self.columns - 2
    }

    /// Column and row, and whether they are within the axes.
    #[inline]
    fn place(&self, x: f64, y: f64) -> (usize, usize, bool) {
        let column = self.x.index(x);
        let Some(axis) = &self.y else { return (column, 0, false) };
        let row = axis.index(y);
        let inside = self.is_within(column) && row.wrapping_sub(1) < axis.bins();
        (column, row, inside)
    }

    #[inline]
    fn count(&mut self, cell: usize) {
        self.touched = true;
        match self.counts.get_mut(cell) {
            Some(count) => *count += 1,
            None => self.count_slowly(cell),
        }
    }

    /// A large histogram, or the first fill of a small one.
    #[inline(never)]
    fn count_slowly(&mut self, cell: usize) {
        if self.small {
            self.counts.resize(self.shape.cells(), 0);
            self.counts[cell] += 1;
            return;
        }
        self.list.push(cell as u32);
    }

    #[inline]
    fn push(&mut self, cell: u32, value: f64, weight: f64) {
        self.touched = true;
        self.values.push((cell, value, weight));
    }

    fn capacity(&self) -> usize {
        let cells = self.counts.capacity() * size_of::<u64>() + self.list.capacity() * size_of::<u32>();
        cells + self.values.capacity() * size_of::<(u32, f64, f64)>()
    }

    fn weigh(&mut self, x: f64, y: f64, weight: f64) {
        let Some(Spread::Exact(sums)) = &mut self.weighted else { return };
        sums[0].add_product(x, weight);
        sums[1].add_product3(x, x, weight);
        if self.y.is_some() {
            sums[2].add_product(y, weight);
            sums[3].add_product3(y, y, weight);
            sums[4].add_product3(x, y, weight);
        }
    }

    /// Adds all fills to `histogram`, and forgets them.
    pub(crate) fn pour(&mut self, histogram: &mut Histogram) {
        if !std::mem::take(&mut self.touched) {
            return;
        }
        let cells = &mut histogram.cells;
        for (cell, count) in self.counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            cells.count(cell, std::mem::take(count));
        }
        self.list.drain(..).for_each(|cell| cells.count(cell as usize, 1));
        self.values.drain(..).for_each(|(cell, value, weight)| cells.add(cell, value, weight));
        match (&mut histogram.spread, &mut self.weighted) {
            (Spread::Fixed(sums), _) => sums.join(&std::mem::take(&mut self.sums)),
            (spread, Some(own)) => {
                spread.join(own);
                *own = Spread::new(&self.shape);
            }
            _ => {}
        }
    }
}
