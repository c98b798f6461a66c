//! The histograms of a run while workers and fold fill them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::histogram::{Histogram, Shape};
use super::set::Histograms;

/// The histograms of a run, each behind a lock of its own. Whoever comes first makes no difference.
#[derive(Debug)]
pub(crate) struct Store {
    run: u32,
    shapes: Vec<Arc<Shape>>,
    list: Vec<Mutex<Histogram>>,
}

impl Store {
    pub(crate) fn new(run: u32, shapes: Vec<Arc<Shape>>) -> Store {
        let list = shapes.iter().map(|shape| Mutex::new(Histogram::new(Arc::clone(shape)))).collect();
        Store { run, shapes, list }
    }

    pub(crate) fn shapes(&self) -> &[Arc<Shape>] {
        &self.shapes
    }

    /// Histogram number `i`, to add to.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn histogram(&self, i: usize) -> MutexGuard<'_, Histogram> {
        // Adding does not leave a histogram half done, so that there is nothing to be afraid of.
        self.list[i].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cells of all of them.
    pub(crate) fn cells(&self) -> usize {
        self.shapes.iter().map(|shape| shape.cells()).sum()
    }

    /// A copy of all that was filled so far.
    pub(crate) fn copy(&self) -> Histograms {
        let list = (0..self.shapes.len()).map(|i| self.histogram(i).clone());
        Histograms { runs: BTreeSet::from([self.run]), list: list.collect() }
    }

    /// All that was filled; what is filled later is lost.
    pub(crate) fn take(&self) -> Histograms {
        let filled =
            self.shapes.iter().enumerate().map(|(i, shape)| {
                std::mem::replace(&mut *self.histogram(i), Histogram::new(Arc::clone(shape)))
            });
        Histograms { runs: BTreeSet::from([self.run]), list: filled.collect() }
    }
}
