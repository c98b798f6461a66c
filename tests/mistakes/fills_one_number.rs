//! A histogram of pairs is filled with one number.
// says: cannot be filled with
// says: `Hist1` takes `x`, `Hist2` `(x, y)`

use pactolus::prelude::*;

pub fn event(pairs: Hist2, context: &Context) {
    context.fill(pairs, 12.5);
}
