//! Histograms: booked in [`prepare`](crate::Module::prepare), filled in
//! [`event`](crate::Module::event) through a handle, the same whatever the number of threads.
//!
//! Counts are integers; sums of weights and of values are exact until they are read ([`ExactSum`]).
//! So parts of a run can be filled anywhere and joined in any order.

mod automatic;
mod axis;
mod book;
mod exact;
mod files;
mod fills;
mod fixed;
mod histogram;
mod pages;
mod root;
mod runs;
mod set;
mod state;
mod store;
mod table;

pub(crate) use axis::MOST_BINS;
pub use axis::{Axis, AxisKind};
pub use book::{
    At, Booking, BookingError, Coordinate, Hist1, Hist2, Histo, Profile, Strip, WeightedHist1, WeightedHist2,
    WeightedProfile,
};
pub use exact::ExactSum;
pub use files::FileKind;
pub use histogram::{Cell, Histogram, Kind, OtherBins, Stats, View};
pub use runs::Added;
pub use set::Histograms;

pub(crate) use automatic::{Automatic, is_number, natural};
pub(crate) use files::{Settled, is_ours};
pub(crate) use fills::Fills;
pub(crate) use histogram::Shape;
pub(crate) use runs::check_ours;
pub(crate) use store::Store;
