//! A module without `derive(Record)`.
// says: `Sums` has no parameters yet: it is no `Record`
// says: write `#[derive(Record, Clone)]` above `struct Sums`: its fields are its parameters, none are fine, too

use pactolus::prelude::*;

pub struct Sums;

impl Module for Sums {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        Ok(Keep)
    }
}
