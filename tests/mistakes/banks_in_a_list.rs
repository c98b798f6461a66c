//! Banks are declared in brackets.
// says: is neither a bank nor a tuple of two to eight banks
// says: as in `Banks::read(ADC0)` and `Banks::read((ADC0, TDC0))`

use pactolus::prelude::*;

const ADC0: BankDef<u16> = BankDef::new(b"ADC0");
const TDC0: BankDef<u16> = BankDef::new(b"TDC0");

pub fn banks() -> Banks {
    Banks::read([ADC0, TDC0])
}
