//! Booking: what a module asks for in `prepare`, and the handle that it fills through.

use std::marker::PhantomData;
use std::sync::Arc;

use super::axis::Axis;
use super::fills::Slot;
use super::histogram::{Histogram, Kind, Shape};

/// A histogram to be booked: axes, title, weights.
///
/// Made by the `new` of a handle's type: `Hist1::new(axis)`.
#[derive(Clone, Debug)]
#[must_use = "a histogram is booked with `Setup::book`"]
pub struct Booking<H> {
    title: String,
    x: Axis,
    y: Option<Axis>,
    value: (String, String),
    handle: PhantomData<fn() -> H>,
}

impl<H: Histo> Booking<H> {
    fn of(x: Axis, y: Option<Axis>) -> Booking<H> {
        Booking { title: String::new(), x, y, value: (String::new(), String::new()), handle: PhantomData }
    }

    /// Sets the title; without one, the name stands for it.
    pub fn title(mut self, title: impl Into<String>) -> Booking<H> {
        self.title = title.into();
        self
    }

    /// Sets title and unit of the value that a profile or strip shows.
    pub fn value(mut self, title: impl Into<String>, unit: impl Into<String>) -> Booking<H> {
        self.value = (title.into(), unit.into());
        self
    }

    /// The shape of a histogram `name` below `path`.
    pub(crate) fn shape(self, path: &str, name: &str) -> Result<Shape, BookingError> {
        let full = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        let refused = |why: String| BookingError::Shape { name: full.clone(), why };
        let parts_are_names = name.split('/').all(|part| !part.is_empty());
        if !parts_are_names || name.contains(char::is_control) {
            return Err(refused("a name wanted, or a path such as \"Average/ADCAVG\"".into()));
        }
        let title =
            if self.title.is_empty() { full.rsplit('/').next().unwrap_or(name).into() } else { self.title };
        let shape = Shape {
            name: full.clone(),
            title,
            kind: H::KIND,
            weighted: H::WEIGHTED,
            x: self.x,
            y: self.y,
            value: self.value,
        };
        shape.check().map_err(refused)?;
        Ok(shape)
    }
}

/// Why a histogram was not booked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BookingError {
    /// There cannot be such a histogram.
    #[error("histogram \"{name}\": {why}")]
    Shape {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// There is one of that name.
    #[error("histogram \"{name}\" is booked twice: give one of them another name")]
    Twice {
        /// Its name.
        name: String,
    },
}

/// A kind of histogram handle. What each takes is in the table of [`Context::fill`].
///
/// [`Context::fill`]: crate::Context::fill
pub trait Histo: Copy + private::Sealed {
    #[doc(hidden)]
    const KIND: Kind;
    #[doc(hidden)]
    const WEIGHTED: bool;
    #[doc(hidden)]
    fn from_index(index: u32) -> Self;
    #[doc(hidden)]
    fn index(self) -> u32;
    #[doc(hidden)]
    fn put(slot: &mut Slot, at: [f64; 3], time: u32);
}

mod private {
    pub trait Sealed {}
}

/// A number that can be filled. Integers beyond 2^53 are rounded; true is 1.
pub trait Coordinate: Copy {
    /// The number as a float.
    fn coordinate(self) -> f64;
}

macro_rules! coordinates {
    ($($t:ty)*) => { $(
        impl Coordinate for $t {
            #[inline]
            fn coordinate(self) -> f64 {
                self as f64
            }
        }
    )* };
}

coordinates! { f64 f32 u8 i8 u16 i16 u32 i32 u64 i64 usize isize }

impl Coordinate for bool {
    #[inline]
    fn coordinate(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// Where to fill a histogram with handle `H`: a number, or a tuple of numbers.
#[diagnostic::on_unimplemented(
    message = "a `{H}` cannot be filled with `{Self}`",
    label = "not what this histogram takes",
    note = "`Hist1` takes `x`, `Hist2` `(x, y)`, `Profile` `(x, value)`, `Strip` `value`",
    note = "`WeightedHist1` takes `(x, weight)`, `WeightedHist2` `(x, y, weight)`, `WeightedProfile` `(x, value, weight)`",
    note = "of an `Option`, what is inside: `if let Some(x) = ...`; of a bank, its elements: `for x in adc.iter()`"
)]
pub trait At<H> {
    #[doc(hidden)]
    fn at(self) -> [f64; 3];
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident, $kind:ident, $weighted:literal, $put:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(u32);

        impl $name {
            /// A handle that no histogram belongs to yet: the value before `prepare`.
            pub const UNBOOKED: $name = $name(u32::MAX);
        }

        impl Default for $name {
            fn default() -> $name {
                $name::UNBOOKED
            }
        }

        impl private::Sealed for $name {}

        impl Histo for $name {
            const KIND: Kind = Kind::$kind;
            const WEIGHTED: bool = $weighted;

            fn from_index(index: u32) -> $name {
                $name(index)
            }

            #[inline]
            fn index(self) -> u32 {
                self.0
            }

            #[inline]
            fn put(slot: &mut Slot, at: [f64; 3], time: u32) {
                slot.$put(at, time);
            }
        }
    )* };
}

handles! {
    /// Handle of a histogram of one value. Filled with `x`.
    Hist1, Hist1, false, hist1;
    /// Handle of a histogram of pairs. Filled with `(x, y)`.
    Hist2, Hist2, false, hist2;
    /// Handle of a profile: the mean of a value over `x`. Filled with `(x, value)`.
    Profile, Profile, false, profile;
    /// Handle of a strip chart: the mean of a value over the time of the events, and with the
    /// number of its fills their rate. Filled with `value`.
    Strip, Strip, false, strip;
    /// Handle of a histogram of one value with weights. Filled with `(x, weight)`.
    WeightedHist1, Hist1, true, weighted_hist1;
    /// Handle of a histogram of pairs with weights. Filled with `(x, y, weight)`.
    WeightedHist2, Hist2, true, weighted_hist2;
    /// Handle of a profile with weights. Filled with `(x, value, weight)`.
    WeightedProfile, Profile, true, weighted_profile;
}

macro_rules! over_x {
    ($($name:ident)*) => { $(
        impl $name {
            /// Over this axis.
            #[allow(clippy::new_ret_no_self, reason = "a handle comes from booking")]
            pub fn new(x: Axis) -> Booking<$name> {
                Booking::of(x, None)
            }
        }
    )* };
}

macro_rules! over_x_and_y {
    ($($name:ident)*) => { $(
        impl $name {
            /// Over these axes.
            #[allow(clippy::new_ret_no_self, reason = "a handle comes from booking")]
            pub fn new(x: Axis, y: Axis) -> Booking<$name> {
                Booking::of(x, Some(y))
            }
        }
    )* };
}

over_x! { Hist1 Profile WeightedHist1 WeightedProfile }
over_x_and_y! { Hist2 WeightedHist2 }

impl Strip {
    /// The most bins of a strip.
    pub const BINS: usize = 1000;

    /// In bins of so many seconds. When there would be more than [`Strip::BINS`] of them, they become
    /// twice as wide.
    #[allow(clippy::new_ret_no_self, reason = "a handle comes from booking")]
    pub fn new(seconds: u32) -> Booking<Strip> {
        Booking::of(Axis::time(seconds, Strip::BINS).title("Time"), None)
    }
}

impl<X: Coordinate> At<Hist1> for X {
    #[inline]
    fn at(self) -> [f64; 3] {
        [self.coordinate(), 0.0, 1.0]
    }
}

impl<X: Coordinate> At<Strip> for X {
    #[inline]
    fn at(self) -> [f64; 3] {
        [0.0, self.coordinate(), 1.0]
    }
}

macro_rules! pairs {
    ($($name:ident)*) => { $(
        impl<X: Coordinate, Y: Coordinate> At<$name> for (X, Y) {
            #[inline]
            fn at(self) -> [f64; 3] {
                [self.0.coordinate(), self.1.coordinate(), 1.0]
            }
        }
    )* };
}

macro_rules! triples {
    ($($name:ident)*) => { $(
        impl<X: Coordinate, Y: Coordinate, W: Coordinate> At<$name> for (X, Y, W) {
            #[inline]
            fn at(self) -> [f64; 3] {
                [self.0.coordinate(), self.1.coordinate(), self.2.coordinate()]
            }
        }
    )* };
}

pairs! { Hist2 Profile }
triples! { WeightedHist2 WeightedProfile }

impl<X: Coordinate, W: Coordinate> At<WeightedHist1> for (X, W) {
    #[inline]
    fn at(self) -> [f64; 3] {
        [self.0.coordinate(), 0.0, self.1.coordinate()]
    }
}

impl Histogram {
    /// A histogram with these fills, outside of any analyzer. Strips are filled at time 0.
    ///
    /// ```
    /// use pactolus::histo::{Axis, Hist1, Histogram};
    /// let hits = Histogram::filled("hits", Hist1::new(Axis::integer(0, 9)), [1, 3, 3, 12]).unwrap();
    /// assert_eq!(hits.view().cell(4).content, 2.0);
    /// assert_eq!((hits.stats().mean_x, hits.entries()), (7.0 / 3.0, 4));
    /// ```
    ///
    /// # Errors
    /// If there cannot be such a histogram.
    pub fn filled<H: Histo, P: At<H>>(
        name: &str,
        booking: Booking<H>,
        points: impl IntoIterator<Item = P>,
    ) -> Result<Histogram, BookingError> {
        let shape = Arc::new(booking.shape("", name)?);
        let (mut slot, mut histogram) = (Slot::new(Arc::clone(&shape)), Histogram::new(shape));
        for (i, point) in points.into_iter().enumerate() {
            H::put(&mut slot, point.at(), 0);
            if i % 4096 == 4095 {
                slot.pour(&mut histogram);
            }
        }
        slot.pour(&mut histogram);
        Ok(histogram)
    }
}
