//! The font of pictures: how wide text is, and what it looks like.

use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// DejaVu Sans, which comes with the program.
pub(crate) struct Font {
    /// Always there, unless the build went wrong: then pictures have no text.
    face: Option<Face<'static>>,
}

impl Font {
    pub(crate) fn new() -> Font {
        Font { face: Face::parse(dejavu::sans::regular(), 0).ok() }
    }

    /// Width of a text of this size.
    pub(crate) fn width(&self, text: &str, size: f64) -> f64 {
        self.glyphs(text).last().map_or(0.0, |(at, glyph)| at + self.advance(glyph)) * self.unit(size)
    }

    /// Each character with its place, in units of the font. What the font does not have is a box.
    pub(crate) fn glyphs<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (f64, GlyphId)> + 'a {
        let mut at = 0.0;
        text.chars().map(move |c| {
            let glyph = self.face.as_ref().and_then(|face| face.glyph_index(c)).unwrap_or(GlyphId(0));
            let here = at;
            at += self.advance(glyph);
            (here, glyph)
        })
    }

    /// Draws a character, in units of the font; a blank has no outline.
    pub(crate) fn outline(&self, glyph: GlyphId, path: &mut dyn OutlineBuilder) {
        if let Some(face) = &self.face {
            let _ = face.outline_glyph(glyph, path);
        }
    }

    /// Pixels of a unit of the font.
    pub(crate) fn unit(&self, size: f64) -> f64 {
        size / self.face.as_ref().map_or(1000.0, |face| face.units_per_em().into())
    }

    fn advance(&self, glyph: GlyphId) -> f64 {
        self.face.as_ref().and_then(|face| face.glyph_hor_advance(glyph)).unwrap_or(0).into()
    }
}
