//! ... and after that.
// says: cannot be shared between threads safely
// says: keeps nothing between events; what does implements `Sequential`

use std::cell::Cell;

use pactolus::prelude::*;

#[derive(Record, Clone)]
pub struct Counts {
    #[key(skip)]
    seen: Cell<u64>,
}

impl Module for Counts {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        self.seen.set(self.seen.get() + 1);
        Ok(Keep)
    }
}
