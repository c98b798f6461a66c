//! A struct of a bank with a member that no bank can hold.
// says: a struct with `#[derive(Bank)]` cannot have a member of type `&'static str`
// says: members are u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, bool, and arrays of them

use pactolus::prelude::*;

#[derive(Bank, Clone, Copy)]
pub struct Hit {
    pub time: f32,
    pub wire: &'static str,
}
