//! The plot around contents: title, frame, axes, numbers.

use pactolus::histo::Histogram;

use super::{Anchor, Font, Picture, Point, Rect, Shape, Text};
use crate::dump::text::escaped;
use crate::hist::colours::{Colour, GREY, INK, PALE, WHITE};
use crate::hist::facts::Facts;
use crate::hist::number::power;
use crate::hist::output::Size;
use crate::hist::scale::Scale;
use crate::hist::ticks::{self, Ticks};

/// Sizes of text.
const TITLE: f64 = 17.0;
const LABEL: f64 = 13.0;
const SMALL: f64 = 11.0;

/// A picture that is being drawn. Lengths are those of a picture of 800 x 600, and grow with it.
pub(super) struct Plot {
    width: f64,
    height: f64,
    unit: f64,
    font: Font,
    pub(super) frame: Rect,
    pub(super) shapes: Vec<Shape>,
    title: String,
}

/// The values along an axis.
pub(super) struct Along {
    pub(super) scale: Scale,
    pub(super) integers: bool,
    pub(super) time: bool,
    pub(super) title: String,
}

impl Along {
    fn ticks(&self, most: usize) -> Ticks {
        let Scale { low, high, log } = self.scale;
        match (log, self.time, self.integers) {
            (true, ..) => ticks::logarithmic(low, high, most),
            (_, true, _) => ticks::time(low, high, most),
            (.., true) => ticks::integers(low, high, most),
            _ => ticks::linear(low, high, most),
        }
    }

    /// Bins of integers have their label at their middle.
    fn half(&self) -> f64 {
        if self.integers { 0.5 } else { 0.0 }
    }

    fn title(&self, ticks: &Ticks) -> String {
        let mut title = escaped(self.title.as_bytes());
        if self.time {
            title = format!("{title} ({})", ticks::days(self.scale.low, self.scale.high));
        }
        if let Some(factor) = ticks.factor {
            title = format!("{title} ×{}", power(factor));
        }
        title.trim().to_owned()
    }
}

impl Plot {
    /// A picture with a title, and so much room around a frame: left, right, above and below.
    pub(super) fn new(histogram: &Histogram, size: Size, margins: [f64; 4]) -> Plot {
        let (width, height) = (f64::from(size.width), f64::from(size.height));
        let ratio = (width / 800.0).min(height / 600.0);
        // In small pictures text must still be read.
        let unit = if ratio < 1.0 { ratio.sqrt() } else { ratio };
        let [left, right, top, bottom] = margins.map(|margin| margin * unit);
        // At the middles of pixels lines are sharp.
        let [left, top] = [left, top].map(|edge| edge.floor() + 0.5);
        let (width_inside, height_inside) = ((width - left - right).round(), (height - top - bottom).round());
        let frame = Rect { left, top, width: width_inside, height: height_inside };
        let title = crate::hist::facts::heading(histogram);
        let page = Rect { left: 0.0, top: 0.0, width, height };
        let shapes = vec![Shape::Rect(page, WHITE)];
        let mut plot = Plot { width, height, unit, font: Font::new(), frame, shapes, title };
        plot.heading(histogram);
        plot
    }

    pub(super) fn done(self) -> Picture {
        Picture { width: self.width, height: self.height, title: self.title, shapes: self.shapes }
    }

    /// Pixels of a length.
    pub(super) fn px(&self, length: f64) -> f64 {
        length * self.unit
    }

    /// Width of the lines of a frame.
    pub(super) fn thin(&self) -> f64 {
        self.px(1.0).max(1.0)
    }

    /// Width of the widest label.
    fn label_width(&self, ticks: &Ticks) -> f64 {
        let widths = ticks.major.iter().map(|(_, label)| self.font.width(label, self.px(LABEL)));
        widths.fold(0.0, f64::max)
    }

    /// Room that the labels and the title of a y axis want, of a frame of this height.
    pub(super) fn room_beside(&self, y: &Along) -> f64 {
        let ticks = y.ticks(self.y_labels());
        let title = if y.title(&ticks).is_empty() { 14.0 } else { 36.0 };
        (self.label_width(&ticks) / self.unit + title).max(40.0)
    }

    fn y_labels(&self) -> usize {
        ((self.frame.height / self.px(55.0)) as usize).clamp(2, 12)
    }

    /// Moves the left side of the frame.
    pub(super) fn set_left(&mut self, left: f64) {
        let right = self.frame.right();
        self.frame.left = self.px(left).min(self.width / 2.0).floor() + 0.5;
        self.frame.width = right - self.frame.left;
    }

    fn text(&mut self, text: String, at: Point, size: f64, anchor: Anchor, colour: Colour) {
        let size = self.px(size);
        self.shapes.push(Shape::Text(Text { text, at, size, anchor, colour, upright: false }));
    }

    /// As much of a text as fits into a width.
    fn fitting(&self, text: &str, size: f64, width: f64) -> String {
        if self.font.width(text, self.px(size)) <= width {
            return text.to_owned();
        }
        let mut cut = text.to_owned();
        while cut.pop().is_some() {
            let shorter = format!("{}…", cut.trim_end());
            if self.font.width(&shorter, self.px(size)) <= width {
                return shorter;
            }
        }
        String::new()
    }

    /// The title, and the name where it says more.
    fn heading(&mut self, histogram: &Histogram) {
        let (left, right) = (self.px(20.0), self.width - self.px(24.0));
        let title = escaped(histogram.title().as_bytes());
        let title = self.fitting(&title, TITLE, right - left);
        let end = left + self.font.width(&title, self.px(TITLE));
        let line = self.px(29.0);
        self.text(title, (left, line), TITLE, Anchor::Start, INK);
        if histogram.name() != histogram.title() {
            let room = right - end - self.px(24.0);
            let name = self.fitting(&escaped(histogram.name().as_bytes()), SMALL, room);
            if !name.is_empty() && name != "…" {
                self.text(name, (right, line), SMALL, Anchor::End, GREY);
            }
        }
    }

    /// A line below the title.
    pub(super) fn subtitle(&mut self, facts: &Facts) {
        let facts =
            facts.lines().into_iter().map(|(word, value)| format!("{word} {}", escaped(value.as_bytes())));
        let line = facts.collect::<Vec<_>>().join(", ");
        let room = self.width - self.px(44.0);
        // Somewhat smaller where there is little room.
        let size = SMALL * (room / self.font.width(&line, self.px(SMALL))).clamp(0.75, 1.0);
        let line = self.fitting(&line, size, room);
        self.text(line, (self.px(20.0), self.px(49.0)), size, Anchor::Start, GREY);
    }

    /// Remarks below the frame.
    pub(super) fn note(&mut self, notes: &[String]) {
        let text = self.fitting(&notes.join("; "), SMALL, self.frame.width * 0.55);
        self.text(text, (self.px(20.0), self.height - self.px(14.0)), SMALL, Anchor::Start, GREY);
    }

    /// Where a value of an axis lies from the left, or from above.
    pub(super) fn x(&self, along: &Along, value: f64) -> f64 {
        self.frame.left + along.scale.within(value) * self.frame.width
    }

    pub(super) fn y(&self, along: &Along, value: f64) -> f64 {
        self.frame.bottom() - along.scale.within(value) * self.frame.height
    }

    /// Labels as many as fit side by side.
    fn x_ticks(&self, x: &Along) -> Ticks {
        let mut most = ((self.frame.width / self.px(60.0)) as usize).clamp(2, 16);
        loop {
            let ticks = x.ticks(most);
            let needed = (self.label_width(&ticks) + self.px(16.0)) * ticks.major.len() as f64;
            if needed <= self.frame.width || most <= 2 {
                return ticks;
            }
            most -= 1;
        }
    }

    /// Pale lines across the frame at the labels of the y axis, below all contents.
    pub(super) fn lines_across(&mut self, y: &Along) {
        let Rect { left, .. } = self.frame;
        let right = self.frame.right();
        let ticks = y.ticks(self.y_labels());
        let heights = ticks.major.iter().map(|(value, _)| self.y(y, value + y.half()));
        let lines = heights.map(|at| vec![(left, at), (right, at)]).collect();
        self.shapes.push(Shape::Lines { lines, colour: PALE, width: self.thin() });
    }

    /// Frame, ticks, labels and titles, above all contents.
    pub(super) fn axes(&mut self, x: &Along, y: &Along) {
        let Rect { left, top, .. } = self.frame;
        let (right, bottom) = (self.frame.right(), self.frame.bottom());
        let (x_ticks, y_ticks) = (self.x_ticks(x), y.ticks(self.y_labels()));
        let (long, short) = (self.px(8.0), self.px(4.0));
        let mut lines = vec![vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]];
        let mark = |at: f64, length: f64| vec![(at, bottom), (at, bottom - length)];
        lines.extend(x_ticks.major.iter().map(|(value, _)| mark(self.x(x, value + x.half()), long)));
        lines.extend(x_ticks.minor.iter().map(|value| mark(self.x(x, value + x.half()), short)));
        let mark = |at: f64, length: f64| vec![(left, at), (left + length, at)];
        lines.extend(y_ticks.major.iter().map(|(value, _)| mark(self.y(y, value + y.half()), long)));
        lines.extend(y_ticks.minor.iter().map(|value| mark(self.y(y, value + y.half()), short)));
        self.shapes.push(Shape::Lines { lines, colour: INK, width: self.thin() });
        let mut end = f64::NEG_INFINITY;
        for (value, label) in &x_ticks.major {
            let at = self.x(x, value + x.half());
            let half = self.font.width(label, self.px(LABEL)) / 2.0;
            // Two ends of an axis in a small picture.
            if at - half < end || at + half > self.width {
                continue;
            }
            end = at + half + self.px(4.0);
            self.text(label.clone(), (at, bottom + self.px(19.0)), LABEL, Anchor::Middle, INK);
        }
        for (value, label) in &y_ticks.major {
            let at = (left - self.px(7.0), self.y(y, value + y.half()) + self.px(4.6));
            self.text(label.clone(), at, LABEL, Anchor::End, INK);
        }
        let title = self.fitting(&x.title(&x_ticks), LABEL, self.frame.width);
        self.text(title, (right, bottom + self.px(42.0)), LABEL, Anchor::End, INK);
        let title = self.fitting(&y.title(&y_ticks), LABEL, self.frame.height);
        self.shapes.push(Shape::Text(Text {
            text: title,
            at: (self.px(20.0), top),
            size: self.px(LABEL),
            anchor: Anchor::End,
            colour: INK,
            upright: true,
        }));
    }

    /// Labels to the right of a strip of colours.
    pub(super) fn labels_beside(&mut self, place: Rect, along: &Along) {
        let ticks = along.ticks(self.y_labels());
        let at = |value: f64| place.bottom() - along.scale.within(value) * place.height;
        let (left, right, top, bottom) = (place.left, place.right(), place.top, place.bottom());
        let mut lines = vec![vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]];
        let length = self.px(5.0);
        lines.extend(
            ticks.major.iter().map(|(value, _)| vec![(right - length, at(*value)), (right, at(*value))]),
        );
        self.shapes.push(Shape::Lines { lines, colour: INK, width: self.thin() });
        for (value, label) in &ticks.major {
            let place = (right + self.px(6.0), at(*value) + self.px(4.2));
            self.text(label.clone(), place, LABEL - 1.0, Anchor::Start, INK);
        }
        if let Some(factor) = ticks.factor {
            let place = (left, top - self.px(8.0));
            self.text(format!("×{}", power(factor)), place, LABEL - 1.0, Anchor::Start, INK);
        }
    }

    /// Size of the box of numbers.
    pub(super) fn box_size(&self, facts: &Facts) -> (f64, f64) {
        let lines = facts.lines();
        let widest = |texts: &mut dyn Iterator<Item = &str>| {
            texts.map(|text| self.font.width(text, self.px(LABEL - 1.0))).fold(0.0, f64::max)
        };
        let words = widest(&mut lines.iter().map(|(word, _)| *word));
        let values = widest(&mut lines.iter().map(|(_, value)| value.as_str()));
        (words + values + self.px(36.0), lines.len() as f64 * self.px(18.0) + self.px(10.0))
    }

    /// The box of numbers, with its left upper corner here.
    pub(super) fn numbers(&mut self, facts: &Facts, (left, top): Point) {
        let (width, height) = self.box_size(facts);
        let (right, bottom) = (left + width, top + height);
        self.shapes.push(Shape::Rect(Rect { left, top, width, height }, WHITE));
        let frame = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        self.shapes.push(Shape::Lines { lines: vec![frame], colour: GREY, width: self.thin() });
        for (i, (word, value)) in facts.lines().into_iter().enumerate() {
            let line = top + self.px(18.0) * (i + 1) as f64;
            self.text(word.into(), (left + self.px(10.0), line), LABEL - 1.0, Anchor::Start, GREY);
            let value = escaped(value.as_bytes());
            self.text(value, (right - self.px(10.0), line), LABEL - 1.0, Anchor::End, INK);
        }
    }
}
