//! Histograms as JSON in ROOT's schema, which JSROOT draws, and back.
//!
//! ```json
//! {"_typename": "TFolder",
//!  "pactolus": {"format": 1, "runs": [42], "provenance": {...}},
//!  "fName": "run00042", ...
//!  "fFolders": {"_typename": "TList", ... "arr": [
//!     {"_typename": "TFolder", "fName": "ADC calibration", ... "arr": [
//!        {"_typename": "TH1D", "fName": "CADC00", ... "fArray": [...],
//!         "pactolus": {"name": "ADC calibration/CADC00", "place": 0, "crc32c": 7, "state": "AQ..."}}]}]}}
//! ```
//!
//! The path of a name makes the folders. Members `pactolus` are ours, ROOT's readers step over them:
//! `state` is [`Histogram::to_bytes`] in base64, `crc32c` the checksum of these bytes, `place` counts
//! histograms as they were booked. Only these are read back, so that nothing is lost to rounding.
//!
//! Written as a stream: one histogram at a time is in memory twice.

mod leaf;
mod read;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::Value;

use super::{Histogram, Histograms};

/// How a file of ours begins.
pub(crate) const BEGINNING: &[u8] = br#"{"_typename":"TFolder","pactolus":{"format":"#;

/// What the number behind `format` is.
const FORMAT: u64 = 1;

/// So deep go folders; what follows in a name is one name with slashes.
const DEPTH: usize = 12;

impl Histograms {
    /// Writes them as JSON in ROOT's schema.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn to_json(&self, provenance: &Value, out: &mut dyn Write) -> io::Result<()> {
        self.json(&provenance.to_string(), out)
    }

    /// The same with the provenance as JSON of one line.
    pub(super) fn json(&self, provenance: &str, out: &mut dyn Write) -> io::Result<()> {
        let mut json = Json { out };
        let mut top = Folder::default();
        for (place, histogram) in self.list.iter().enumerate() {
            top.add(histogram.name(), DEPTH, place);
        }
        let head = serde_json::json!({ "format": FORMAT, "runs": self.runs }).to_string();
        json.text(r#"{"_typename":"TFolder","pactolus":"#)?;
        json.text(head.trim_end_matches('}'))?;
        json.text(",\"provenance\":")?;
        json.text(provenance)?;
        json.text("}")?;
        json.folder(&self.name(), &top, &self.list)?;
        json.text("\n")
    }

    /// `run00042`, or from the first to the last run.
    fn name(&self) -> String {
        match (self.runs.first(), self.runs.last()) {
            (Some(first), Some(last)) if first < last => format!("run{first:05}-run{last:05}"),
            (Some(run), _) => format!("run{run:05}"),
            _ => "histograms".into(),
        }
    }
}

/// What a folder holds, in the order in which it was booked.
#[derive(Default)]
struct Folder<'n> {
    items: Vec<Item<'n>>,
    /// Where folders stand among the items.
    known: BTreeMap<&'n str, usize>,
}

enum Item<'n> {
    Folder(&'n str, Folder<'n>),
    /// A name, and the place among all histograms.
    Leaf(&'n str, usize),
}

impl<'n> Folder<'n> {
    fn add(&mut self, name: &'n str, depth: usize, place: usize) {
        let Some((folder, rest)) = name.split_once('/').filter(|_| depth > 0) else {
            return self.items.push(Item::Leaf(name, place));
        };
        let next = self.items.len();
        let at = *self.known.entry(folder).or_insert(next);
        if at == next {
            self.items.push(Item::Folder(folder, Folder::default()));
        }
        if let Some(Item::Folder(_, inner)) = self.items.get_mut(at) {
            inner.add(rest, depth - 1, place);
        }
    }
}

/// Writes JSON.
struct Json<'w> {
    out: &'w mut dyn Write,
}

impl Json<'_> {
    fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// `,"key":`.
    fn key(&mut self, key: &str) -> io::Result<()> {
        write!(self.out, ",\"{key}\":")
    }

    /// `,"key":` and a text.
    fn string(&mut self, key: &str, text: &str) -> io::Result<()> {
        self.key(key)?;
        Ok(serde_json::to_writer(&mut self.out, text)?)
    }

    /// `,"key":` and a number.
    fn number(&mut self, key: &str, x: f64) -> io::Result<()> {
        self.key(key)?;
        self.float(x)
    }

    /// The shortest text that is this float; null if it is infinite or no number.
    fn float(&mut self, x: f64) -> io::Result<()> {
        let whole = x as i64;
        if whole as f64 == x && whole.unsigned_abs() < 1 << 53 && (whole != 0 || x.is_sign_positive()) {
            return write!(self.out, "{whole}");
        }
        Ok(serde_json::to_writer(&mut self.out, &x)?)
    }

    /// The rest of a folder, from its name on.
    fn folder(&mut self, name: &str, folder: &Folder<'_>, list: &[Histogram]) -> io::Result<()> {
        self.text(r#","fUniqueID":0,"fBits":0"#)?;
        self.string("fName", name)?;
        self.string("fTitle", name)?;
        self.text(r#","fFolders":{"_typename":"TList","name":"TList","arr":["#)?;
        for (i, item) in folder.items.iter().enumerate() {
            if i > 0 {
                self.text(",")?;
            }
            self.text("\n")?;
            match item {
                Item::Folder(name, inner) => {
                    self.text(r#"{"_typename":"TFolder""#)?;
                    self.folder(name, inner, list)?;
                }
                Item::Leaf(name, place) => self.leaf(name, *place, &list[*place])?,
            }
        }
        self.text(r#"],"opt":["#)?;
        for i in 0..folder.items.len() {
            self.text(if i > 0 { ",\"\"" } else { "\"\"" })?;
        }
        self.text(r#"]},"fIsOwner":true}"#)
    }
}
