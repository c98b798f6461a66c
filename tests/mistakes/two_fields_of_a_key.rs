//! Two parameters under one name.
// says: two fields of key 'threshold': give one another name, as #[key("threshold 2")]

use pactolus::prelude::*;

#[derive(Record, Clone)]
pub struct Sums {
    #[key("Threshold", default = 5.0)]
    pub low: f32,
    #[key("threshold", default = 50.0)]
    pub high: f32,
}
