//! Blocks that come late, by a time that looks like chance and is none.

use std::time::Duration;

/// The longest delay at a time [µs].
const LONGEST: u64 = 2000;

/// How long a block is delayed.
pub(crate) struct Delay(Duration);

impl Delay {
    /// Of block `number`.
    pub(crate) fn new(seed: u64, number: u64) -> Delay {
        // The finalizer of SplitMix64.
        let mut bits = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Delay(Duration::from_micros((bits ^ bits >> 31) % LONGEST))
    }

    pub(crate) fn sleep(&self) {
        std::thread::sleep(self.0);
    }
}
