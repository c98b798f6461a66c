//! A histogram is filled with a number that may not be there.
// says: cannot be filled with `Option<u16>`
// says: of an `Option`, what is inside: `if let Some(x) = ...`

use pactolus::prelude::*;

const ADC0: BankDef<u16> = BankDef::new(b"ADC0");

pub fn event(counts: Hist1, event: &Event, context: &Context) -> Result<Verdict> {
    let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
    context.fill(counts, adc.get(3));
    Ok(Keep)
}
