//! The channel with the largest amplitude.

use pactolus::prelude::*;
use pactolus_modules::CADC;

/// Channel and amplitude of the largest signal of the event.
pub const LRGE: BankDef<Hit> = BankDef::new(b"LRGE").size(1);

/// Contents of [`LRGE`].
#[derive(Bank, Clone, Copy)]
pub struct Hit {
    channel: u32,
    amplitude: f32,
}

#[derive(Record, Clone)]
pub struct Largest {
    /// Events without a signal above this are skipped
    #[key("Threshold", default = 100.0, min = 0.0)]
    threshold: f32,
}

impl Module for Largest {
    fn banks(&self) -> Banks {
        Banks::read(CADC).write(LRGE)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        let Some(cadc) = event.get(CADC)? else { return Ok(Skip) };
        let largest = (0..).zip(cadc.iter()).max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((channel, amplitude)) = largest.filter(|hit| hit.1 > self.threshold) else {
            return Ok(Skip);
        };
        event.append(LRGE, &[Hit { channel, amplitude }])?;
        Ok(Keep)
    }
}
