//! Pictures as PNG.

mod canvas;
mod file;

use super::colours::{Colour, SHADES, WHITE, shade};
use super::picture::Picture;

/// A picture that is larger than memory.
#[derive(Debug)]
pub(crate) struct TooLarge {
    width: f64,
    height: f64,
}

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no memory for a picture of {}x{}: make it smaller with --size", self.width, self.height)
    }
}

impl std::error::Error for TooLarge {}

/// A picture as a file.
pub(crate) fn write(picture: &Picture) -> Result<Vec<u8>, TooLarge> {
    let too_large = || TooLarge { width: picture.width, height: picture.height };
    let canvas = canvas::draw(picture).ok_or_else(too_large)?;
    Ok(file::rgb(canvas.width(), canvas.height(), canvas.data()))
}

/// Cells as an image with a palette; what is no shade is transparent.
pub(crate) fn shades(columns: usize, rows: usize, cells: &[u8]) -> Vec<u8> {
    let palette: Vec<Colour> = (0..SHADES).map(shade).chain([WHITE]).collect();
    file::indexed(columns as u32, rows as u32, cells, &palette, SHADES)
}
