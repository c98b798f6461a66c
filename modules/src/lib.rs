//! Stock modules of the analyzer: MIDAS's sample experiment.
//!
//! | type | reads | appends | what it does |
//! |---|---|---|---|
//! | [`AdcCalib`] | `ADC0` | `CADC` | subtracts pedestals, multiplies by gains |
//! | [`AdcSum`] | `CADC` | `ASUM` | sum and average of the channels above a threshold |
//! | [`ScalerSum`] | `SCLR` | `ACUM` | sums of scaler counts since begin of run |
//! | [`Prescale`] | - | - | keeps, or skips, one event in so many |
//!
//! They use what every user's module can use, and nothing else. `examples/experiment/analyzer.toml`
//! mounts them.

mod adc_calib;
mod adc_sum;
mod prescale;
mod scaler_sum;

pub use adc_calib::{ADC0, AdcCalib, CADC};
pub use adc_sum::{ASUM, AdcSum, Asum};
pub use prescale::Prescale;
pub use scaler_sum::{ACUM, SCLR, ScalerSum};

use pactolus::Catalogue;

/// These modules under their type names.
pub fn catalogue() -> Catalogue {
    Catalogue::new()
        .module::<AdcCalib>("AdcCalib")
        .module::<AdcSum>("AdcSum")
        .sequential::<ScalerSum>("ScalerSum")
        .module::<Prescale>("Prescale")
}
