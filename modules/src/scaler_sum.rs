//! Scaler counts since begin of run.

use pactolus::prelude::*;

/// Counts since the event before, one per channel.
pub const SCLR: BankDef<u32> = BankDef::new(b"SCLR").unit("counts");
/// Counts since begin of run, one per channel.
pub const ACUM: BankDef<f64> = BankDef::new(b"ACUM").unit("counts");

/// Adds up scaler counts over the run. It needs the events in their order.
#[derive(Record, Clone, Debug)]
pub struct ScalerSum {
    #[key(skip)]
    sums: Vec<f64>,
}

impl Sequential for ScalerSum {
    fn banks(&self) -> Banks {
        Banks::read(SCLR).write(ACUM)
    }

    fn event(&mut self, event: &Event, _: &Context) -> Result<Verdict> {
        let Some(counts) = event.get(SCLR)? else { return Ok(Keep) };
        if self.sums.len() < counts.len() {
            self.sums.resize(counts.len(), 0.0);
        }
        for (sum, count) in self.sums.iter_mut().zip(counts.iter()) {
            *sum += f64::from(count);
        }
        event.append(ACUM, &self.sums[..counts.len()])?;
        Ok(Keep)
    }
}
