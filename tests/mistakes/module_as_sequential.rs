//! A module without memory is mounted as a sequential one.
// says: `Sums` is no `Sequential` module
// says: what implements `Module`, with `&self`, is mounted with `.module()`

use pactolus::prelude::*;

#[derive(Record, Clone)]
pub struct Sums {}

impl Module for Sums {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        Ok(Keep)
    }
}

pub fn catalogue() -> Catalogue {
    Catalogue::new().sequential::<Sums>("Sums")
}
