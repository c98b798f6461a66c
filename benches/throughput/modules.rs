//! The modules of the sample experiment as in `modules/`, but without histograms.

use pactolus::prelude::*;
use pactolus_modules::{ADC0, ASUM, Asum, CADC, ScalerSum};

/// These modules under the names of the stock ones.
pub(crate) fn catalogue() -> Catalogue {
    Catalogue::new()
        .module::<AdcCalib>("AdcCalib")
        .module::<AdcSum>("AdcSum")
        .sequential::<ScalerSum>("ScalerSum")
}

/// Subtracts the pedestal of each channel and multiplies by its gain.
#[derive(Record, Clone)]
struct AdcCalib {
    /// Pedestal of each channel [counts]
    #[key("Pedestal", default = 0, per = ADC0)]
    pedestal: Vec<i32>,
    /// Gain of each channel
    #[key("Software Gain", default = 1.0, per = ADC0)]
    gain: Vec<f32>,
}

impl Module for AdcCalib {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(CADC)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        let amplitude = |i| (f64::from(adc.at(i)) - f64::from(self.pedestal[i]) + 0.5) as f32 * self.gain[i];
        event.append_with(CADC, adc.len(), amplitude)?;
        Ok(Keep)
    }
}

/// Adds up the amplitudes above a threshold, in the order of the channels.
#[derive(Record, Clone)]
struct AdcSum {
    /// Only amplitudes above this count
    #[key("ADC threshold", default = 5.0)]
    threshold: f32,
    #[key(skip)]
    low_sum: Test,
    #[key(skip)]
    high_sum: Test,
}

impl Module for AdcSum {
    fn banks(&self) -> Banks {
        Banks::read(CADC).write(ASUM)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.low_sum = setup.test("low_sum");
        self.high_sum = setup.test("high_sum");
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
        Ok(Keep)
    }
}
