//! A unit where none stands.
// says: a unit stands in the documentation of the field, in brackets: /// Gain [MeV/count]

use pactolus::prelude::*;

#[derive(Record, Clone)]
pub struct Sums {
    /// Smallest amplitude that counts
    #[key("Threshold", default = 5.0, unit = "MeV")]
    pub threshold: f32,
}
