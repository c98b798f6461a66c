//! A bank of several numbers, declared as a bank of vectors.
// says: a bank cannot hold elements of type
// says: a bank of several numbers is a `BankDef` of one of them: `BankDef<f32>`, not `BankDef<Vec<f32>>`

use pactolus::prelude::*;

const CADC: BankDef<Vec<f32>> = BankDef::new(b"CADC");

pub fn banks() -> Banks {
    Banks::default().write(CADC)
}
