//! A picture: shapes with places in pixels, from above, before they are SVG or PNG.

mod curve;
mod font;
mod map;
mod plot;

use pactolus::histo::{Histogram, Kind};

use super::colours::Colour;
use super::output::Size;
use super::{Look, OutsideOfAxis};

pub(crate) use font::Font;

/// Shapes in the order in which they are drawn.
#[derive(Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// What it shows, for those who cannot see it.
    pub(crate) title: String,
    pub(crate) shapes: Vec<Shape>,
}

/// A place: to the right, down.
pub(crate) type Point = (f64, f64);

/// A rectangle: left, top, width, height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Rect {
    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// One thing to draw.
#[derive(Debug, PartialEq)]
pub(crate) enum Shape {
    /// A filled rectangle.
    Rect(Rect, Colour),
    /// A filled area.
    Area(Vec<Point>, Colour),
    /// Lines from point to point, each list one line.
    Lines { lines: Vec<Vec<Point>>, colour: Colour, width: f64 },
    /// Filled circles.
    Dots { at: Vec<Point>, radius: f64, colour: Colour },
    /// Text on its base line.
    Text(Text),
    /// Cells of equal size, from above, as shades; 255 is nothing.
    Image { place: Rect, columns: usize, rows: usize, cells: Vec<u8> },
}

/// A line of text.
#[derive(Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) at: Point,
    pub(crate) size: f64,
    pub(crate) anchor: Anchor,
    pub(crate) colour: Colour,
    /// From below to above.
    pub(crate) upright: bool,
}

/// Which part of a text is at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Picture {
    /// A histogram as a picture.
    pub(crate) fn of(histogram: &Histogram, look: &Look, size: Size) -> Result<Picture, OutsideOfAxis> {
        match histogram.kind() {
            Kind::Hist2 => map::draw(histogram, look, size),
            _ => curve::draw(histogram, look, size),
        }
    }
}
