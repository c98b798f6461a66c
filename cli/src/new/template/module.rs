//! Signals of the ADC channels.

use pactolus::prelude::*;

/// Raw ADC counts, one per channel.
pub const ADC0: BankDef<u16> = BankDef::new(b"ADC0").unit("counts");
/// Signal above the pedestal, one per channel.
pub const AMPL: BankDef<f32> = BankDef::new(b"AMPL").unit("MeV");

/// Subtracts the pedestal of each channel and multiplies by its gain.
#[derive(Record, Clone)]
pub struct Amplitude {
    /// Pedestal of each channel [counts]
    #[key("Pedestal", default = 0, per = ADC0)]
    pedestal: Vec<i32>,
    /// Gain of each channel [MeV/count]
    #[key("Gain", default = 1.0, min = 0.0, per = ADC0)]
    gain: Vec<f32>,
    /// Largest signal of each event; no parameter, but booked in `prepare`
    #[key(skip)]
    largest: Hist1,
}

impl Module for Amplitude {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(AMPL)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        let axis = Axis::regular(50, 0.0, 1000.0);
        let axis = axis.title("Largest signal").unit("MeV");
        self.largest = setup.book("Largest", Hist1::new(axis))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else {
            return Ok(Keep);
        };
        let signal = |i| (adc.at(i) as f32 - self.pedestal[i] as f32) * self.gain[i];
        event.append_with(AMPL, adc.len(), signal)?;
        let largest = (0..adc.len()).map(signal).fold(0.0, f32::max);
        context.fill(self.largest, largest);
        Ok(Keep)
    }
}
