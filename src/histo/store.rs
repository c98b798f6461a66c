//! The histograms of a run while workers and fold fill them.

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

    /// Adds what was filled elsewhere. The answer: what could not be added because its bins differ.
    pub(crate) fn join(&self, other: &Histograms) -> Vec<String> {
        let mut refused = Vec::new();
        for new in &other.list {
            let known = self.shapes.iter().position(|shape| shape.name == new.name());
            if known.is_none_or(|i| self.histogram(i).join(new).is_err()) {
                refused.push(new.name().to_owned());
            }
        }
        refused
    }

    /// All that was filled; what is filled later is lost.
    pub(crate) fn take(&self) -> Histograms {
        let mut all = Histograms::new(self.run, &[]);
        for (i, shape) in self.shapes.iter().enumerate() {
            let empty = Histogram::new(Arc::clone(shape));
            all.list.push(std::mem::replace(&mut *self.histogram(i), empty));
        }
        all
    }
}
