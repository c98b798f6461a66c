//! One histogram as TH1D, TH2D or TProfile, with every member that ROOT writes: JSROOT draws none
//! that lacks some.

use std::io::{self, Write};

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;

use super::super::{Axis, AxisKind, Cell, Histogram, Kind, View};
use super::Json;

/// So many zeros between two cells that hold something are left out of an array.
const GAP: usize = 8;

/// Longest spans [s] of a time axis with labels of times of day, and of days and hours.
const HOUR_LABELS: f64 = 12.0 * 3600.0;
const DAY_LABELS: f64 = 14.0 * 86400.0;

impl Json<'_> {
    pub(super) fn leaf(&mut self, name: &str, place: usize, histogram: &Histogram) -> io::Result<()> {
        let (view, stats) = (histogram.view(), histogram.stats());
        let (weighted, kind) = (histogram.is_weighted(), histogram.kind());
        let is_profile = matches!(kind, Kind::Profile | Kind::Strip);
        let class = match kind {
            Kind::Hist1 => "TH1D",
            Kind::Hist2 => "TH2D",
            Kind::Profile | Kind::Strip => "TProfile",
        };
        // Once: every look at a cell rounds its exact sums.
        let cells = Filled::new(&view);
        write!(self.out, r#"{{"_typename":"{class}","fUniqueID":0,"fBits":8"#)?;
        self.string("fName", name)?;
        self.string("fTitle", histogram.title())?;
        // As ROOT's own style has them.
        self.text(r#","fLineColor":602,"fLineStyle":1,"fLineWidth":1,"fFillColor":0,"fFillStyle":1001"#)?;
        self.text(r#","fMarkerColor":1,"fMarkerStyle":1,"fMarkerSize":1"#)?;
        write!(self.out, r#","fNcells":{}"#, view.cells())?;
        self.axis("x", Some(view.x()), &x_label(view.x(), kind), kind == Kind::Strip)?;
        let value = histogram.value_label();
        let y_label = view.y().map_or(value, Axis::label);
        self.axis("y", view.y(), &y_label, false)?;
        self.axis("z", None, "", false)?;
        self.text(r#","fBarOffset":0,"fBarWidth":1000"#)?;
        self.number("fEntries", stats.entries as f64)?;
        self.number("fTsumw", stats.sum)?;
        self.number("fTsumw2", stats.squares)?;
        self.number("fTsumwx", stats.x)?;
        self.number("fTsumwx2", stats.xx)?;
        // -1111: no limit was set.
        self.text(r#","fMaximum":-1111,"fMinimum":-1111,"fNormFactor":0,"fContour":[]"#)?;
        match (is_profile, weighted) {
            (true, _) => self.array("fSumw2", &cells, |cell| cell.value_squares)?,
            (false, true) => self.array("fSumw2", &cells, |cell| cell.squares)?,
            (false, false) => self.text(r#","fSumw2":[]"#)?,
        }
        self.string("fOption", if kind == Kind::Hist2 { "COLZ" } else { "" })?;
        self.text(r#","fFunctions":{"_typename":"TList","name":"TList","arr":[],"opt":[]}"#)?;
        self.text(r#","fBufferSize":0,"fBuffer":[],"fBinStatErrOpt":0,"fStatOverflows":2"#)?;
        if kind == Kind::Hist2 {
            self.text(r#","fScalefactor":1"#)?;
            self.number("fTsumwy", stats.y)?;
            self.number("fTsumwy2", stats.yy)?;
            self.number("fTsumwxy", stats.xy)?;
        }
        if is_profile {
            self.array("fArray", &cells, |cell| cell.values)?;
            self.array("fBinEntries", &cells, |cell| cell.sum)?;
            self.text(r#","fErrorMode":0,"fYmin":0,"fYmax":0"#)?;
            self.number("fTsumwy", stats.y)?;
            self.number("fTsumwy2", stats.yy)?;
            match weighted {
                true => self.array("fBinSumw2", &cells, |cell| cell.squares)?,
                false => self.text(r#","fBinSumw2":[]"#)?,
            }
        } else {
            self.array("fArray", &cells, |cell| cell.sum)?;
        }
        self.text(r#","pactolus":{"place":"#)?;
        write!(self.out, "{place}")?;
        self.string("name", histogram.name())?;
        let state = histogram.to_bytes();
        write!(self.out, r#","crc32c":{},"state":""#, crc32c::crc32c(&state))?;
        {
            let mut base64 = EncoderWriter::new(&mut self.out, &STANDARD);
            base64.write_all(&state)?;
            base64.finish()?;
        }
        self.text(r#""}}"#)
    }

    /// An axis; without one, ROOT's of one bin.
    fn axis(&mut self, letter: &str, axis: Option<&Axis>, label: &str, time: bool) -> io::Result<()> {
        let of = format!("f{}axis", letter.to_uppercase());
        self.key(&of)?;
        self.text(r#"{"_typename":"TAxis","fUniqueID":0,"fBits":0"#)?;
        self.string("fName", &format!("{letter}axis"))?;
        self.string("fTitle", label)?;
        self.text(r#","fNdivisions":510,"fAxisColor":1,"fLabelColor":1,"fLabelFont":42"#)?;
        self.text(r#","fLabelOffset":0.005,"fLabelSize":0.035,"fTitleOffset":1,"fTitleSize":0.035"#)?;
        self.text(r#","fTitleColor":1,"fTitleFont":42,"fTickLength":0.03"#)?;
        let (bins, low, high) =
            axis.map_or((1, 0.0, 1.0), |axis| (axis.bins(), axis.edge(0), axis.edge(axis.bins())));
        write!(self.out, r#","fNbins":{bins}"#)?;
        self.number("fXmin", low)?;
        self.number("fXmax", high)?;
        self.text(r#","fXbins":["#)?;
        if let Some(AxisKind::Variable(edges)) = axis.map(Axis::kind) {
            for (i, edge) in edges.iter().enumerate() {
                self.text(if i > 0 { "," } else { "" })?;
                self.float(*edge)?;
            }
        }
        write!(self.out, r#"],"fFirst":0,"fLast":0,"fBits2":0,"fTimeDisplay":{time}"#)?;
        self.string("fTimeFormat", if time { time_format(high - low) } else { "" })?;
        self.text(r#","fLabels":null,"fModLabs":null}"#)
    }

    /// A value of each cell. Where zeros are many, stretches between them, as ROOT writes them:
    /// `p` is where a stretch begins, `v` what it holds.
    fn array(&mut self, key: &str, cells: &Filled, value: impl Fn(&Cell) -> f64) -> io::Result<()> {
        self.key(key)?;
        let mut next = 0;
        let filled = cells.filled.iter().map(|(cell, contents)| (*cell, contents));
        if !cells.sparse {
            self.text("[")?;
            for (cell, contents) in filled {
                self.zeros(next, cell)?;
                self.text(if cell > 0 { "," } else { "" })?;
                self.float(value(contents))?;
                next = cell + 1;
            }
            self.zeros(next, cells.all)?;
            return self.text("]");
        }
        write!(self.out, r#"{{"$arr":"Float64","len":{}"#, cells.all)?;
        let mut stretches = 0;
        for (cell, contents) in filled {
            if stretches == 0 || cell - next >= GAP {
                self.text(if stretches > 0 { "]" } else { "" })?;
                let number = if stretches > 0 { stretches.to_string() } else { String::new() };
                write!(self.out, r#","p{number}":{cell},"v{number}":["#)?;
                stretches += 1;
            } else {
                (next..cell).try_for_each(|_| self.text(",0"))?;
                self.text(",")?;
            }
            self.float(value(contents))?;
            next = cell + 1;
        }
        self.text(if stretches > 0 { "]}" } else { "}" })
    }

    fn zeros(&mut self, from: usize, to: usize) -> io::Result<()> {
        for cell in from..to {
            self.text(if cell > 0 { ",0" } else { "0" })?;
        }
        Ok(())
    }
}

/// The cells that something was filled into.
struct Filled {
    filled: Vec<(usize, Cell)>,
    /// How many cells there are in all.
    all: usize,
    /// Arrays are shorter as stretches.
    sparse: bool,
}

impl Filled {
    fn new(view: &View<'_>) -> Filled {
        let (filled, all): (Vec<_>, _) = (view.filled().collect(), view.cells());
        let (mut stretches, mut saved, mut next) = (0, 0, 0);
        for (cell, _) in &filled {
            if stretches == 0 || cell - next >= GAP {
                stretches += 1;
                saved += cell - next;
            }
            next = cell + 1;
        }
        saved += all - next.min(all);
        // `{"$arr":"Float64","len":1000}` and `,"p10":1234,"v10":[]`, against `,0`.
        Filled { filled, all, sparse: 2 * saved > 30 + 20 * stretches }
    }
}

/// Title and unit; times are those of no place in particular.
fn x_label(axis: &Axis, kind: Kind) -> String {
    if kind == Kind::Strip && axis.units().is_empty() {
        return Axis::clone(axis).unit("UTC").label();
    }
    axis.label()
}

/// What stands behind `%F` says from when seconds count, and that labels are UTC.
fn time_format(span: f64) -> &'static str {
    match span {
        s if s <= HOUR_LABELS => "%H:%M:%S%F1970-01-01 00:00:00s0 GMT",
        s if s <= DAY_LABELS => "%m-%d %H:%M%F1970-01-01 00:00:00s0 GMT",
        _ => "%Y-%m-%d%F1970-01-01 00:00:00s0 GMT",
    }
}
