//! A sequential module is mounted as one without memory.
// says: `Counts` is no `Module`
// says: what implements `Sequential`, with `&mut self`, is mounted with `.sequential()`

use pactolus::prelude::*;

#[derive(Record, Clone)]
pub struct Counts {
    #[key(skip)]
    seen: u64,
}

impl Sequential for Counts {
    fn event(&mut self, _: &Event, _: &Context) -> Result<Verdict> {
        self.seen += 1;
        Ok(Keep)
    }
}

pub fn analyzer() -> Analyzer {
    Analyzer::new("Analyzer").module("counts", Counts::defaults())
}
