//! A struct of a bank whose members have no names.
// says: derive(Bank) wants a struct with named fields, one for each member of the bank: struct Hit { time: f32, channel: u32 }

use pactolus::prelude::*;

#[derive(Bank, Clone, Copy)]
pub struct Hit(f32, u32);
