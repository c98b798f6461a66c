//! Shapes as pixels.

use tiny_skia::{FillRule, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};
use ttf_parser::OutlineBuilder;

use crate::hist::colours::{Colour, SHADES, shade};
use crate::hist::picture::{Anchor, Font, Picture, Point, Rect, Shape, Text};

/// The pixels of a picture; nothing if there can be none of its size.
pub(super) fn draw(picture: &Picture) -> Option<Pixmap> {
    let pixels = Pixmap::new(picture.width as u32, picture.height as u32)?;
    let mut canvas = Canvas { pixels, font: Font::new() };
    canvas.pixels.fill(tiny_skia::Color::WHITE);
    picture.shapes.iter().for_each(|shape| canvas.shape(shape));
    Some(canvas.pixels)
}

struct Canvas {
    pixels: Pixmap,
    font: Font,
}

impl Canvas {
    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Rect(place, colour) => self.rect(place, *colour),
            Shape::Area(points, colour) => {
                let mut path = PathBuilder::new();
                line(&mut path, points);
                path.close();
                self.fill(path.finish(), *colour, Transform::identity());
            }
            Shape::Lines { lines, colour, width } => {
                let mut path = PathBuilder::new();
                lines.iter().for_each(|points| line(&mut path, points));
                let stroke = Stroke { width: *width as f32, ..Stroke::default() };
                if let Some(path) = path.finish() {
                    self.pixels.stroke_path(
                        &path,
                        &paint(*colour, true),
                        &stroke,
                        Transform::identity(),
                        None,
                    );
                }
            }
            Shape::Dots { at, radius, colour } => {
                let mut path = PathBuilder::new();
                at.iter().for_each(|(x, y)| path.push_circle(*x as f32, *y as f32, *radius as f32));
                self.fill(path.finish(), *colour, Transform::identity());
            }
            Shape::Text(text) => self.text(text),
            Shape::Image { place, columns, rows, cells } => self.image(place, *columns, *rows, cells),
        }
    }

    fn fill(&mut self, path: Option<Path>, colour: Colour, transform: Transform) {
        if let Some(path) = path {
            self.pixels.fill_path(&path, &paint(colour, true), FillRule::Winding, transform, None);
        }
    }

    /// With sharp edges, so that nothing shows through between neighbours.
    fn rect(&mut self, place: &Rect, colour: Colour) {
        let [left, top, right, bottom] =
            [place.left, place.top, place.right(), place.bottom()].map(|edge| edge.round() as f32);
        // A cell may be less than a pixel high.
        let rect = tiny_skia::Rect::from_ltrb(left, top, right.max(left + 1.0), bottom.max(top + 1.0));
        if let Some(rect) = rect {
            self.pixels.fill_rect(rect, &paint(colour, false), Transform::identity(), None);
        }
    }

    fn text(&mut self, text: &Text) {
        let width = self.font.width(&text.text, text.size);
        let shift = match text.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        let mut outline = Outline { path: PathBuilder::new(), left: 0.0 };
        for (at, glyph) in self.font.glyphs(&text.text) {
            outline.left = at as f32;
            self.font.outline(glyph, &mut outline);
        }
        // In a font, up is up.
        let unit = self.font.unit(text.size) as f32;
        let (x, y) = (text.at.0 as f32, text.at.1 as f32);
        let shift = shift as f32;
        let transform = if text.upright {
            Transform::from_row(0.0, -unit, -unit, 0.0, x, y - shift)
        } else {
            Transform::from_row(unit, 0.0, 0.0, -unit, x + shift, y)
        };
        self.fill(outline.path.finish(), text.colour, transform);
    }

    /// Each pixel has the colour of the cell at its middle. Cells are no smaller than pixels.
    fn image(&mut self, place: &Rect, columns: usize, rows: usize, cells: &[u8]) {
        let (width, height) = (self.pixels.width(), self.pixels.height());
        let end = |edge: f64, most: u32| (edge.round().max(0.0) as u32).min(most);
        let cell = |pixel: u32, from: f64, length: f64, count: usize| {
            (((f64::from(pixel) + 0.5 - from) / length * count as f64).max(0.0) as usize).min(count - 1)
        };
        if columns == 0 || rows == 0 {
            return;
        }
        let pixels = self.pixels.pixels_mut();
        for y in end(place.top, height)..end(place.bottom(), height) {
            let row = cell(y, place.top, place.height, rows);
            for x in end(place.left, width)..end(place.right(), width) {
                let column = cell(x, place.left, place.width, columns);
                if let Some(index) = cells.get(row * columns + column).filter(|index| **index < SHADES) {
                    let Colour(r, g, b) = shade(*index);
                    pixels[(y * width + x) as usize] =
                        tiny_skia::ColorU8::from_rgba(r, g, b, 255).premultiply();
                }
            }
        }
    }
}

fn paint(Colour(r, g, b): Colour, anti_alias: bool) -> Paint<'static> {
    let mut paint = Paint { anti_alias, ..Paint::default() };
    paint.set_color_rgba8(r, g, b, 255);
    paint
}

fn line(path: &mut PathBuilder, points: &[Point]) {
    for (i, (x, y)) in points.iter().enumerate() {
        if i == 0 {
            path.move_to(*x as f32, *y as f32);
        } else {
            path.line_to(*x as f32, *y as f32);
        }
    }
}

/// Outlines of characters, one behind the other, in units of the font.
struct Outline {
    path: PathBuilder,
    left: f32,
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.left + x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.left + x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.quad_to(self.left + x1, y1, self.left + x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.path.cubic_to(self.left + x1, y1, self.left + x2, y2, self.left + x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
