//! A bank is taken for numbers of another type than its `BankDef` says.
// says: mismatched types
// says: expected `f32`, found `u16`

use pactolus::prelude::*;

const ADC0: BankDef<u16> = BankDef::new(b"ADC0");

pub fn event(event: &Event) -> Result<f32> {
    let Some(adc) = event.get(ADC0)? else { return Ok(0.0) };
    Ok(adc.at(0))
}
