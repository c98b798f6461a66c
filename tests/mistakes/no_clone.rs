//! A module without `Clone`.
// says: the trait bound `Sums: Clone` is not satisfied
// says: consider annotating `Sums` with `#[derive(Clone)]`

use pactolus::prelude::*;

#[derive(Record)]
pub struct Sums {}

impl Module for Sums {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        Ok(Keep)
    }
}

pub fn analyzer() -> Analyzer {
    Analyzer::new("Analyzer").module("sums", Sums::defaults())
}
