//! One event in so many.

use pactolus::prelude::*;

/// Keeps the events whose serial number is a multiple of `Modulo`, or skips them and keeps the
/// others. It goes by the serial number, so the answer is the same in any order.
#[derive(Record, Clone, Debug)]
pub struct Prescale {
    /// One event in so many; 0 and 1 let all events pass
    #[key("Modulo", default = 0)]
    modulo: u32,
    /// Skip that one event instead of the others
    #[key("Invert", default = false)]
    invert: bool,
}

impl Module for Prescale {
    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        if self.modulo <= 1 {
            return Ok(Keep);
        }
        let chosen = event.serial().is_multiple_of(self.modulo);

        Ok(if chosen != self.invert { Keep } else { Skip })
    }
}
