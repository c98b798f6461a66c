//! Sum over the channels of an event.

use pactolus::prelude::*;

use crate::CADC;

/// Sum and average of the channels above the threshold.
pub const ASUM: BankDef<Asum> = BankDef::new(b"ASUM").size(1);

/// Contents of [`ASUM`].
#[derive(Bank, Clone, Copy, Debug, PartialEq)]
pub struct Asum {
    /// Sum of the amplitudes.
    #[bank("Sum")]
    pub sum: f32,
    /// Sum by the number of channels; 0 without any.
    #[bank("Average")]
    pub average: f32,
}

/// Adds up the amplitudes above a threshold, in the order of the channels.
#[derive(Record, Clone, Debug)]
pub struct AdcSum {
    /// Only amplitudes above this count
    #[key("ADC threshold", default = 5.0)]
    threshold: f32,
    #[key(skip)]
    low_sum: Test,
    #[key(skip)]
    high_sum: Test,
    #[key(skip)]
    sums: Hist1,
    #[key(skip)]
    averages: Hist1,
}

impl Module for AdcSum {
    fn banks(&self) -> Banks {
        Banks::read(CADC).write(ASUM)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.low_sum = setup.test("low_sum");
        self.high_sum = setup.test("high_sum");
        let axis = |bins, title| Axis::regular(bins, 0.0, 10_000.0).title(title);
        self.sums = setup.book("ADCSUM", Hist1::new(axis(500, "Sum")).title("ADC sum"))?;
        self.averages =
            setup.book("Average/ADCAVG", Hist1::new(axis(500_000, "Average")).title("ADC average"))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(cadc) = event.get(CADC)? else { return Ok(Keep) };
        let (mut sum, mut n) = (0.0_f32, 0_u32);
        for amplitude in cadc.iter() {
            // Without a branch: which channels fire is a matter of chance.
            let above = amplitude > self.threshold;
            sum += if above { amplitude } else { 0.0 };
            n += u32::from(above);
        }
        context.set(self.low_sum, sum < 1000.0);
        context.set(self.high_sum, sum > 1000.0);
        let average = if n > 0 { sum / n as f32 } else { 0.0 };
        event.append(ASUM, &[Asum { sum, average }])?;
        context.fill(self.sums, sum);
        context.fill(self.averages, average);
        Ok(Keep)
    }
}
