//! Numbers of another type than the bank's.
// says: mismatched types
// says: expected `f32`, found `f64`

use pactolus::prelude::*;

const CADC: BankDef<f32> = BankDef::new(b"CADC");

pub fn event(event: &Event) -> Result<Verdict> {
    let amplitude: f64 = 12.5;
    event.append(CADC, &[amplitude])?;
    Ok(Keep)
}
