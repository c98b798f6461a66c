//! A word that `#[key(..)]` does not know.
// says: `default`, `min`, `max`, `len`, `per` or `skip` wanted, `defualt` found: did you mean `default`?

use pactolus::prelude::*;

#[derive(Record, Clone)]
pub struct Sums {
    /// Smallest amplitude that counts [MeV]
    #[key("Threshold", defualt = 5.0)]
    pub threshold: f32,
}
