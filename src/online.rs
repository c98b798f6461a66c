//! Sources of events that are made while they are analyzed.

mod arrivals;
mod bell;
mod follow;
mod followed;
mod following;
mod gauge;
mod growing;
mod pace;
mod places;

pub use arrivals::{Arrival, Arrivals};
pub use follow::Follow;
pub(crate) use following::Following;
pub(crate) use gauge::{Falling, Gauge, Growth, News};
pub use gauge::{Lag, Queue};
pub(crate) use pace::Pace;

use crate::job::Job;
use crate::source::FIRST;

/// What source and fold of a live job share.
#[derive(Clone)]
pub(crate) struct Online {
    pub(crate) gauge: Gauge,
    pub(crate) pace: Pace,
}

impl Online {
    /// If a job has a live source.
    pub(crate) fn new(job: &Job) -> Option<Online> {
        job.live.as_ref().map(|_| Online { gauge: Gauge::default(), pace: Pace::new(FIRST, job.block) })
    }
}
