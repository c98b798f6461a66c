//! Pictures as SVG: text, the same for the same histogram.

use std::fmt::Write as _;

use super::colours::Colour;
use super::picture::{Anchor, Picture, Point, Rect, Shape, Text};
use super::png;

/// Fonts of the same widths first.
const FONTS: &str = "DejaVu Sans, Bitstream Vera Sans, Verdana, Helvetica, Arial, sans-serif";

/// A picture as a file.
pub(crate) fn write(picture: &Picture) -> String {
    let (width, height) = (number(picture.width), number(picture.height));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\">\n<title>{}</title>\n",
        escape(&picture.title)
    );
    picture.shapes.iter().for_each(|shape| write_shape(&mut out, shape));
    out.push_str("</svg>\n");
    out
}

fn write_shape(out: &mut String, shape: &Shape) {
    // Writing to a text cannot fail.
    let _ = match shape {
        Shape::Rect(place, colour) => {
            writeln!(
                out,
                "<rect {} fill=\"{}\" shape-rendering=\"crispEdges\"/>",
                place_of(place),
                hex(*colour)
            )
        }
        Shape::Area(points, colour) => {
            writeln!(out, "<path d=\"{}Z\" fill=\"{}\"/>", path(points), hex(*colour))
        }
        Shape::Lines { lines, colour, width } => {
            let d: Vec<String> = lines.iter().map(|line| path(line)).collect();
            let width = number(*width);
            let colour = hex(*colour);
            writeln!(
                out,
                "<path d=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
                d.join("")
            )
        }
        Shape::Dots { at, radius, colour } => {
            let _ = writeln!(out, "<g fill=\"{}\">", hex(*colour));
            for (x, y) in at {
                let _ = writeln!(
                    out,
                    "<circle cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
                    number(*x),
                    number(*y),
                    number(*radius)
                );
            }
            writeln!(out, "</g>")
        }
        Shape::Text(text) => write_text(out, text),
        Shape::Image { place, columns, rows, cells } => writeln!(
            out,
            "<image {} preserveAspectRatio=\"none\" image-rendering=\"pixelated\" \
             href=\"data:image/png;base64,{}\"/>",
            place_of(place),
            base64(&png::shades(*columns, *rows, cells))
        ),
    };
}

fn write_text(out: &mut String, text: &Text) -> std::fmt::Result {
    if text.text.is_empty() {
        return Ok(());
    }
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let (x, y) = (number(text.at.0), number(text.at.1));
    let turned = if text.upright { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
    let (size, colour) = (number(text.size), hex(text.colour));
    let text = escape(&text.text);
    writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{colour}\"{turned}>{text}</text>"
    )
}

fn place_of(place: &Rect) -> String {
    let Rect { left, top, width, height } = place;
    let [x, y, width, height] = [left, top, width, height].map(|length| number(*length));
    format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
}

/// Lines from point to point; along an axis, one number says where to.
fn path(points: &[Point]) -> String {
    let mut out = String::new();
    let mut last: Option<(String, String)> = None;
    for (x, y) in points {
        let (x, y) = (number(*x), number(*y));
        match &last {
            None => out.push_str(&format!("M{x} {y}")),
            Some((before, _)) if *before == x => out.push_str(&format!("V{y}")),
            Some((_, before)) if *before == y => out.push_str(&format!("H{x}")),
            Some(_) => out.push_str(&format!("L{x} {y}")),
        }
        last = Some((x, y));
    }
    out
}

/// A length, to a hundredth of a pixel.
fn number(length: f64) -> String {
    let text = format!("{length:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

fn hex(Colour(r, g, b): Colour) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Text as XML, which has no control characters.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, i| bits << 8 | u32::from(three.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= three.len() { digit.into() } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_escaped() {
        assert_eq!(escape("a<b & \"c\" > 'd'"), "a&lt;b &amp; &quot;c&quot; &gt; 'd'");
        assert_eq!(escape("µ\u{7}\u{0}\u{ffff}"), "µ\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn bytes_as_base64() {
        // RFC 4648, section 10.
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (text, wanted) in vectors {
            assert_eq!(base64(text.as_bytes()), wanted);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn paths_are_short() {
        assert_eq!(path(&[(0.0, 1.0), (5.25, 1.0), (5.25, 3.333_3), (6.0, 4.0)]), "M0 1H5.25V3.33L6 4");
        assert_eq!((number(-0.001), number(100.0), number(0.5)), ("0".into(), "100".into(), "0.5".into()));
    }
}
