//! Parameters without names.
// says: the fields of a Record need names, as its keys do: struct Calib { gain: f32 }

use pactolus::prelude::*;

#[derive(Record, Clone)]
pub struct Sums(f32);
