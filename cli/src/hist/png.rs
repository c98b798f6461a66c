//! Pictures as PNG.

mod canvas;
mod file;

use super::colours::{Colour, SHADES, WHITE, shade};
use super::picture::Picture;

/// A picture as a file; why not, if it is larger than `--size` allows.
pub(crate) fn write(picture: &Picture) -> Result<Vec<u8>, String> {
    let (width, height) = (picture.width, picture.height);
    let canvas = canvas::draw(picture).ok_or_else(|| format!("no picture can be {width}x{height} pixels"))?;
    Ok(file::rgb(canvas.width(), canvas.height(), canvas.data()))
}

/// Cells as an image with a palette; what is no shade is transparent.
pub(crate) fn shades(columns: usize, rows: usize, cells: &[u8]) -> Vec<u8> {
    let palette: Vec<Colour> = (0..SHADES).map(shade).chain([WHITE]).collect();
    file::indexed(columns as u32, rows as u32, cells, &palette, SHADES)
}
