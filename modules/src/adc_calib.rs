//! Calibration of ADC counts.

use pactolus::prelude::*;

/// Raw ADC counts, one per channel.
pub const ADC0: BankDef<u16> = BankDef::new(b"ADC0").unit("counts");
/// Calibrated amplitude, one per channel.
pub const CADC: BankDef<f32> = BankDef::new(b"CADC");

/// Subtracts the pedestal of each channel and multiplies by its gain.
///
/// Half a count is added, as in MIDAS's sample: a count of n stands for n to n + 1.
#[derive(Record, Clone, Debug)]
pub struct AdcCalib {
    /// Pedestal of each channel [counts]
    #[key("Pedestal", default = 0, per = ADC0)]
    pedestal: Vec<i32>,
    /// Gain of each channel
    #[key("Software Gain", default = 1.0, per = ADC0)]
    gain: Vec<f32>,
    /// Only amplitudes above this go into histograms
    #[key("Histo threshold", default = 20.0)]
    histo_threshold: f64,
    #[key(skip)]
    amplitudes: Vec<Hist1>,
}

impl Module for AdcCalib {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(CADC)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        let channels = setup.elements(ADC0).unwrap_or(self.pedestal.len());
        self.amplitudes = setup.book_each("CADC", channels, |channel| {
            let axis = Axis::regular(500, 0.0, 4000.0).title("Amplitude");
            Hist1::new(axis).title(format!("Amplitude of channel {channel}"))
        })?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        let amplitude = |i| (f64::from(adc.at(i)) - f64::from(self.pedestal[i]) + 0.5) as f32 * self.gain[i];
        event.append_with(CADC, adc.len(), amplitude)?;
        let threshold = self.histo_threshold as f32;
        for (i, histogram) in self.amplitudes.iter().enumerate().take(adc.len()) {
            if amplitude(i) > threshold {
                context.fill(*histogram, amplitude(i));
            }
        }
        Ok(Keep)
    }
}
