//! The run in hand.

use std::time::Instant;

/// The run in hand.
pub(super) struct Hand {
    pub(super) number: u32,
    /// The stream in which it is read.
    pub(super) stamp: u64,
    /// It is not among those that were asked for.
    pub(super) is_unwanted: bool,
    /// Nothing more comes of it, or it goes on.
    pub(super) gap: Option<Gap>,
}

/// Why something is missing in a run.
pub(super) struct Gap {
    pub(super) why: String,
    since: Instant,
    /// If the run goes on, that is told at once.
    pub(super) is_short: bool,
}

impl Gap {
    pub(super) fn new(why: String, is_short: bool) -> Gap {
        Gap { why, since: Instant::now(), is_short }
    }

    /// The run goes on.
    pub(super) fn closed(&self) -> String {
        let seconds = self.since.elapsed().as_secs_f64();
        format!("{}: events of this time, {seconds:.1} s, are not analyzed", self.why)
    }
}

impl Hand {
    /// The run does not go on.
    pub(super) fn gone(&self) -> String {
        let why = self.gap.as_ref().map_or("its end was not told", |gap| &gap.why);
        format!("run {} is not complete: {why}", self.number)
    }

    /// Whether its events are to be analyzed.
    pub(super) fn takes(&self) -> bool {
        !self.is_unwanted && self.gap.is_none()
    }
}
