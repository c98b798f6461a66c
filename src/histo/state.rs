//! A histogram as bytes, with nothing rounded: what parts of a job and files that are to be added
//! carry. The same contents give the same bytes.
//!
//! Numbers are base-128 varints, the lowest seven bits first; signed ones are folded, 0 -1 1 -2 as
//! 0 1 2 3. Floats are 8 bytes, the lowest first. Texts are their length and UTF-8.
//!
//! | what | how |
//! |---|---|
//! | version | 1 |
//! | name, title, title and unit of the value | texts |
//! | kind, weighted | numbers |
//! | axes | their number; each: kind, what it needs, title, unit |
//! | cells | their number; each: distance from the one before, contents |
//! | sums within the axes | of x, y and xy |

use std::sync::Arc;

use pactolus_formats::wire::{Bytes, Malformed};

use super::axis::{Axis, AxisKind, MOST_BINS};
use super::exact::{Canonical, ExactSum};
use super::fixed::{Products, Unweighted, Wide};
use super::histogram::{Cells, Histogram, Kind, Shape, Spread, Sums};

const VERSION: u64 = 1;

impl Histogram {
    /// The histogram as bytes, for [`from_bytes`](Histogram::from_bytes). Equal histograms have
    /// equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let shape = &*self.shape;
        out.uint(VERSION);
        for text in [&shape.name, &shape.title, &shape.value.0, &shape.value.1] {
            out.text(text);
        }
        out.uint(match shape.kind {
            Kind::Hist1 => 1,
            Kind::Hist2 => 2,
            Kind::Profile => 3,
            Kind::Strip => 4,
        });
        out.uint(shape.weighted.into());
        out.uint(1 + u64::from(shape.y.is_some()));
        out.axis(&shape.x);
        if let Some(y) = &shape.y {
            out.axis(y);
        }
        match &self.cells {
            Cells::Counts(pages) => {
                let filled = pages.filled().map(|(cell, count)| (cell as u64, count));
                out.cells(filled, |out, count| out.uint(count));
            }
            Cells::Pairs(pages) => {
                let filled = pages.iter().filter(|(_, sums)| sums.entries > 0);
                out.cells(filled.map(|(cell, sums)| (cell as u64, sums)), Writer::sums);
            }
            Cells::Quads(pages) => {
                let filled = pages.iter().filter(|(_, sums)| sums.entries > 0);
                out.cells(filled.map(|(cell, sums)| (cell as u64, sums)), Writer::sums);
            }
            Cells::Times(times) => {
                out.uint(times.width);
                out.cells(times.bins.iter().map(|(start, sums)| (*start, sums)), Writer::sums);
            }
        }
        match &self.spread {
            Spread::Fixed(Unweighted { x, y, xy }) => {
                for moments in [x, y] {
                    out.bytes.extend_from_slice(&moments.sum.to_le_bytes());
                    out.bytes.extend_from_slice(&moments.rest.to_le_bytes());
                    out.products(&moments.squares);
                }
                out.products(xy);
            }
            Spread::Exact(sums) => sums.iter().for_each(|sum| out.sum(sum)),
        }
        out.bytes
    }

    /// The histogram that [`to_bytes`](Histogram::to_bytes) has written.
    ///
    /// # Errors
    /// If these are other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Histogram, Malformed> {
        let mut input = Reader(Bytes::new(bytes));
        if input.uint()? != VERSION {
            return Err(Malformed { wanted: "version 1", offset: 0 });
        }
        let (name, title, value) = (input.text()?, input.text()?, (input.text()?, input.text()?));
        let kind = match input.uint()? {
            1 => Kind::Hist1,
            2 => Kind::Hist2,
            3 => Kind::Profile,
            4 => Kind::Strip,
            _ => return Err(input.bad("a kind from 1 to 4")),
        };
        let weighted = input.uint()? == 1;
        let axes = input.uint()?;
        let x = input.axis()?;
        let y = if axes == 2 { Some(input.axis()?) } else { None };
        let is_time = matches!(x.kind(), AxisKind::Time { .. });
        let shape = Shape { name, title, kind, weighted, x, y, value };
        let fits = (kind == Kind::Hist2) == shape.y.is_some() && (kind == Kind::Strip) == is_time;
        if !fits || shape.check().is_err() || kind == Kind::Strip && weighted {
            return Err(input.bad("axes of a histogram"));
        }
        let cells = shape.cells() as u64;
        let mut histogram = Histogram::new(Arc::new(shape));
        match &mut histogram.cells {
            Cells::Counts(pages) => input.cells(cells, |input, cell| {
                pages.add(cell as usize, input.uint()?);
                Ok(())
            })?,
            Cells::Pairs(pages) => input.cells(cells, |input, cell| {
                let sums = input.sums()?;
                pages.cell(cell as usize).map(|own| *own = sums).ok_or_else(|| input.bad("a cell"))
            })?,
            Cells::Quads(pages) => input.cells(cells, |input, cell| {
                let sums = input.sums()?;
                pages.cell(cell as usize).map(|own| *own = sums).ok_or_else(|| input.bad("a cell"))
            })?,
            Cells::Times(times) => {
                let width = input.uint()?;
                // A power of two times the width that was booked, within 32-bit times.
                let factor = width.checked_div(times.width).unwrap_or(0);
                if !factor.is_power_of_two() || factor * times.width != width || width > 1 << 63 {
                    return Err(input.bad("the width of a bin"));
                }
                times.width = width;
                input.cells(1 << 32, |input, start| {
                    let sums = input.sums()?;
                    if start % width != 0 {
                        return Err(input.bad("the beginning of a bin"));
                    }
                    times.bins.insert(start, sums);
                    Ok(())
                })?;
            }
        }
        match &mut histogram.spread {
            Spread::Fixed(Unweighted { x, y, xy }) => {
                for moments in [x, y] {
                    moments.sum = i128::from_le_bytes(input.array("a sum")?);
                    moments.rest = i128::from_le_bytes(input.array("a sum")?);
                    moments.squares = input.products()?;
                }
                *xy = input.products()?;
            }
            Spread::Exact(sums) => {
                for sum in sums.iter_mut() {
                    *sum = input.sum()?;
                }
            }
        }
        input.0.end()?;
        Ok(histogram)
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn uint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.bytes.push(n as u8);
    }

    fn int(&mut self, n: i64) {
        self.uint((n << 1 ^ n >> 63) as u64);
    }

    fn text(&mut self, text: &str) {
        self.uint(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn float(&mut self, x: f64) {
        self.bytes.extend_from_slice(&x.to_le_bytes());
    }

    fn products(&mut self, products: &Products) {
        for wide in [products.whole, products.cross, products.rest] {
            self.bytes.extend_from_slice(&wide.low.to_le_bytes());
            self.bytes.extend_from_slice(&wide.high.to_le_bytes());
        }
    }

    fn axis(&mut self, axis: &Axis) {
        match axis.kind() {
            AxisKind::Regular { low, high } => {
                self.uint(1);
                self.uint(axis.bins() as u64);
                self.float(low);
                self.float(high);
            }
            AxisKind::Integer { first, last } => {
                self.uint(2);
                self.int(first);
                self.int(last);
            }
            AxisKind::Variable(edges) => {
                self.uint(3);
                self.uint(edges.len() as u64);
                edges.iter().for_each(|edge| self.float(*edge));
            }
            AxisKind::Time { width } => {
                self.uint(4);
                self.uint(width.into());
                self.uint(axis.bins() as u64);
            }
        }
        self.text(axis.name());
        self.text(axis.units());
    }

    /// Cells in order, each with its distance from the one before.
    fn cells<C>(&mut self, cells: impl Iterator<Item = (u64, C)> + Clone, write: impl Fn(&mut Writer, C)) {
        self.uint(cells.clone().count() as u64);
        let mut last = 0;
        for (cell, contents) in cells {
            self.uint(cell - last);
            last = cell;
            write(self, contents);
        }
    }

    fn sums<const N: usize>(&mut self, sums: &Sums<N>) {
        self.uint(sums.entries);
        sums.sums.iter().for_each(|sum| self.sum(sum));
    }

    fn sum(&mut self, sum: &ExactSum) {
        let Canonical { negative, first, digits, special } = sum.canonical();
        self.uint(u64::from(negative) | u64::from(special) << 1);
        self.int(first.into());
        self.uint(digits.len() as u64);
        digits.iter().for_each(|digit| self.bytes.extend_from_slice(&digit.to_le_bytes()));
    }
}

struct Reader<'a>(Bytes<'a>);

impl Reader<'_> {
    fn bad(&self, wanted: &'static str) -> Malformed {
        self.0.wrong(wanted)
    }

    fn array<const N: usize>(&mut self, wanted: &'static str) -> Result<[u8; N], Malformed> {
        let bad = self.bad(wanted);
        self.0.take(N)?.try_into().map_err(|_| bad)
    }

    fn uint(&mut self) -> Result<u64, Malformed> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array("a number")?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(self.bad("a number of 64 bits"))
    }

    fn int(&mut self) -> Result<i64, Malformed> {
        let n = self.uint()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let len = self.uint()? as usize;
        let bad = self.bad("text");
        String::from_utf8(self.0.take(len)?.to_vec()).map_err(|_| bad)
    }

    fn float(&mut self) -> Result<f64, Malformed> {
        Ok(f64::from_le_bytes(self.array("a float")?))
    }

    fn wide(&mut self) -> Result<Wide, Malformed> {
        let low = u128::from_le_bytes(self.array("a sum")?);
        Ok(Wide { low, high: i64::from_le_bytes(self.array("a sum")?) })
    }

    fn products(&mut self) -> Result<Products, Malformed> {
        Ok(Products { whole: self.wide()?, cross: self.wide()?, rest: self.wide()? })
    }

    fn axis(&mut self) -> Result<Axis, Malformed> {
        let axis = match self.uint()? {
            1 => {
                let bins = self.uint()?.min(MOST_BINS as u64 + 1) as usize;
                Axis::regular(bins, self.float()?, self.float()?)
            }
            2 => Axis::integer(self.int()?, self.int()?),
            3 => {
                let edges = self.uint()? as usize;
                if edges > self.0.left() / 8 {
                    return Err(self.bad("as many edges as there is room for"));
                }
                let edges: Result<Vec<f64>, _> = (0..edges).map(|_| self.float()).collect();
                Axis::variable(edges?)
            }
            4 => {
                let width = u32::try_from(self.uint()?).map_err(|_| self.bad("seconds"))?;
                Axis::time(width, self.uint()?.min(MOST_BINS as u64 + 1) as usize)
            }
            _ => return Err(self.bad("an axis")),
        };
        Ok(axis.title(self.text()?).unit(self.text()?))
    }

    fn cells(
        &mut self,
        most: u64,
        mut read: impl FnMut(&mut Self, u64) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let count = self.uint()?;
        let mut cell = 0_u64;
        for i in 0..count {
            let distance = self.uint()?;
            cell = cell
                .checked_add(distance)
                .filter(|c| *c < most && (distance > 0 || i == 0))
                .ok_or_else(|| self.bad("a cell"))?;
            read(self, cell)?;
        }
        Ok(())
    }

    fn sums<const N: usize>(&mut self) -> Result<Sums<N>, Malformed> {
        let mut sums = Sums { entries: self.uint()?, ..Sums::default() };
        for sum in &mut sums.sums {
            *sum = self.sum()?;
        }
        Ok(sums)
    }

    fn sum(&mut self) -> Result<ExactSum, Malformed> {
        let flags = self.uint()?;
        let first = self.int()?;
        let len = self.uint()?;
        // Products of three floats lie between 2^-3222 and 2^3072, and 2^64 of them can be added.
        if flags > 15 || !(-101..=98).contains(&first) || len > 200 {
            return Err(self.bad("a sum"));
        }
        let digits = self.0.take(4 * len as usize)?;
        let digits = digits.as_chunks::<4>().0.iter().map(|digit| u32::from_le_bytes(*digit)).collect();
        let canonical =
            Canonical { negative: flags & 1 == 1, first: first as i32, digits, special: (flags >> 1) as u8 };
        Ok(ExactSum::from_canonical(&canonical))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Hist1, Hist2, Profile, Strip, WeightedHist1, WeightedHist2, WeightedProfile};
    use super::*;

    /// One of each kind.
    fn all() -> Vec<Histogram> {
        let x = || Axis::regular(10, -1.0, 1.0).title("x").unit("mm");
        let points: Vec<f64> = (0..400).map(|i| f64::from(i * i % 301) / 150.0 - 1.1).collect();
        let pairs = || points.iter().map(|p| (*p, p * p));
        let triples = || points.iter().map(|p| (*p, p * p, 1.0 / (p + 3.0)));
        [
            Histogram::filled("a", Hist1::new(x()).title("A"), points.clone()),
            Histogram::filled("b/c", Hist2::new(x(), Axis::variable([0.0, 0.1, 0.3])), pairs()),
            Histogram::filled("p", Profile::new(Axis::integer(-1, 1)).value("E", "MeV"), pairs()),
            Histogram::filled("s", Strip::new(10), points.clone()),
            Histogram::filled("wa", WeightedHist1::new(x()), pairs()),
            Histogram::filled("wb", WeightedHist2::new(x(), x()), triples()),
            Histogram::filled("wp", WeightedProfile::new(x()), triples()),
        ]
        .into_iter()
        .map(Result::unwrap)
        .collect()
    }

    #[test]
    fn what_was_written_comes_back() {
        for histogram in all() {
            let bytes = histogram.to_bytes();
            let back = Histogram::from_bytes(&bytes).unwrap();
            assert_eq!(back.to_bytes(), bytes, "{}", histogram.name());
            assert_eq!((back.stats(), &back.shape), (histogram.stats(), &histogram.shape));
            assert!(back.view().filled().eq(histogram.view().filled()), "{}", histogram.name());
            assert!(histogram.entries() == 400);
        }
    }

    #[test]
    fn other_bytes_are_refused_or_read_never_worse() {
        for histogram in all() {
            let bytes = histogram.to_bytes();
            for end in 0..bytes.len() {
                assert!(Histogram::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
            }
            for at in 0..bytes.len() {
                for flip in [0x01, 0x80, 0xff] {
                    let mut other = bytes.clone();
                    other[at] ^= flip;
                    if let Ok(read) = Histogram::from_bytes(&other) {
                        read.stats();
                    }
                }
            }
        }
    }

    #[test]
    fn halves_joined_are_the_whole() {
        let points: Vec<(f64, f64, f64)> = (0..1000)
            .map(f64::from)
            .map(|i| ((i * 0.37).sin(), (i * 0.11).cos() * 1e3, (i * 0.7).sin().exp()))
            .collect();
        let booking = || WeightedProfile::new(Axis::regular(20, -1.0, 1.0));
        let whole = Histogram::filled("p", booking(), points.clone()).unwrap();
        let (mut even, mut odd) = (Vec::new(), Vec::new());
        points
            .chunks(7)
            .enumerate()
            .for_each(|(i, c)| if i % 2 == 0 { &mut even } else { &mut odd }.extend(c.to_vec()));
        let mut joined = Histogram::filled("p", booking(), odd).unwrap();
        joined.join(&Histogram::filled("p", booking(), even).unwrap()).unwrap();
        assert_eq!(joined.to_bytes(), whole.to_bytes());
    }
}
