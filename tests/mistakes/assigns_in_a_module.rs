//! A module counts in a field.
// says: cannot assign to `self.seen`, which is behind a `&` reference

use pactolus::prelude::*;

#[derive(Record, Clone)]
pub struct Counts {
    #[key(skip)]
    seen: u64,
}

impl Module for Counts {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        self.seen += 1;
        Ok(Keep)
    }
}
