//! Colours: those of lines, and a scale for contents.

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) u8, pub(crate) u8, pub(crate) u8);

pub(crate) const WHITE: Colour = Colour(255, 255, 255);
/// Text and frames.
pub(crate) const INK: Colour = Colour(34, 34, 34);
/// What is said in passing.
pub(crate) const GREY: Colour = Colour(110, 110, 110);
/// Lines of ticks across a plot.
pub(crate) const PALE: Colour = Colour(228, 228, 228);
/// Contents.
pub(crate) const LINE: Colour = Colour(31, 78, 140);
/// The area below them.
pub(crate) const AREA: Colour = Colour(206, 220, 240);

/// Every sixteenth colour of viridis (matplotlib; S. van der Walt and N. Smith, public domain): as
/// bright to the eye as the content is large, also in grey and to those who see no red or green.
const VIRIDIS: [Colour; 17] = [
    Colour(68, 1, 84),
    Colour(72, 24, 106),
    Colour(71, 45, 123),
    Colour(66, 64, 134),
    Colour(59, 82, 139),
    Colour(51, 99, 141),
    Colour(44, 114, 142),
    Colour(38, 130, 142),
    Colour(33, 145, 140),
    Colour(31, 160, 136),
    Colour(40, 174, 128),
    Colour(63, 188, 115),
    Colour(94, 201, 98),
    Colour(132, 212, 75),
    Colour(173, 220, 48),
    Colour(216, 226, 25),
    Colour(253, 231, 37),
];

/// Number of colours of the scale.
pub(crate) const SHADES: u8 = 255;

/// A colour of the scale, from 0 to `SHADES - 1`.
pub(crate) fn shade(index: u8) -> Colour {
    let place = f64::from(index.min(SHADES - 1)) / f64::from(SHADES - 1) * (VIRIDIS.len() - 1) as f64;
    let below = (place as usize).min(VIRIDIS.len() - 2);
    let part = place - below as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    let (Colour(r, g, b), Colour(red, green, blue)) = (VIRIDIS[below], VIRIDIS[below + 1]);
    Colour(mix(r, red), mix(g, green), mix(b, blue))
}

/// The shade of a place from 0 to 1.
pub(crate) fn index(place: f64) -> u8 {
    (place.clamp(0.0, 1.0) * f64::from(SHADES - 1)).round() as u8
}

/// The colour of a terminal with 256 that is nearest: of the cube of 6 x 6 x 6.
pub(crate) fn terminal(Colour(r, g, b): Colour) -> u8 {
    // Levels of the cube are 0, 95, 135, 175, 215, 255.
    let level = |c: u8| match c {
        0..48 => 0,
        48..115 => 1,
        _ => (c - 35) / 40,
    };
    16 + 36 * level(r) + 6 * level(g) + level(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_grows_brighter() {
        let light = |Colour(r, g, b)| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
        let lights: Vec<f64> = (0..SHADES).map(|i| light(shade(i))).collect();
        assert!(lights.windows(2).all(|pair| pair[1] > pair[0] - 0.8), "{lights:?}");
        assert_eq!((shade(0), shade(254), shade(255)), (VIRIDIS[0], VIRIDIS[16], VIRIDIS[16]));
        assert_eq!((index(0.0), index(1.0), index(f64::NEG_INFINITY), index(f64::NAN)), (0, 254, 0, 0));
    }

    #[test]
    fn colours_of_terminals() {
        assert_eq!((terminal(Colour(0, 0, 0)), terminal(WHITE), terminal(Colour(255, 0, 0))), (16, 231, 196));
        assert_eq!(terminal(Colour(134, 135, 136)), 16 + 36 * 2 + 6 * 2 + 2);
    }
}
