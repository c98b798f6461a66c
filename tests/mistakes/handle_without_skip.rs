//! A field that is no parameter, without `#[key(skip)]`.
// says: cannot be a parameter
// says: needs `#[key(skip)]`

use pactolus::prelude::*;

#[derive(Record, Clone)]
pub struct Sums {
    pub energy: Hist1,
}
