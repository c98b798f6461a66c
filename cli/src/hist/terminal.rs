//! Drawings of characters.

mod bars;
mod frame;
mod screen;
mod shades;

use pactolus::histo::{Histogram, Kind};

use super::facts::{Facts, heading};
use super::{Look, OutsideOfAxis};
use crate::dump::text::{cut, escaped};

pub(crate) use screen::Screen;

/// Rows of a drawing.
const ROWS: usize = 18;

/// A histogram as text.
pub(crate) fn draw(histogram: &Histogram, look: &Look, screen: Screen) -> Result<String, OutsideOfAxis> {
    let mut text = String::new();
    let title = escaped(heading(histogram).as_bytes());
    text.push_str(cut(&title, screen.width));
    text.push('\n');
    let facts = Facts::of(histogram);
    // As many in a line as there is room for.
    let mut line = String::new();
    for (word, value) in facts.lines() {
        let fact = format!("  {word} {}", escaped(value.as_bytes()));
        if !line.is_empty() && line.chars().count() + fact.chars().count() > screen.width {
            text.push_str(&line);
            text.push('\n');
            line.clear();
        }
        line.push_str(&fact);
    }
    text.push_str(&line);
    text.push_str("\n\n");
    text.push_str(&match histogram.kind() {
        Kind::Hist2 => shades::draw(histogram, look, screen)?,
        _ => bars::draw(histogram, look, screen)?,
    });
    Ok(text)
}
