//! ... and what one tries next.
// says: method `event` has an incompatible type for trait

use pactolus::prelude::*;

#[derive(Record, Clone)]
pub struct Counts {
    #[key(skip)]
    seen: u64,
}

impl Module for Counts {
    fn event(&mut self, _: &Event, _: &Context) -> Result<Verdict> {
        self.seen += 1;
        Ok(Keep)
    }
}
