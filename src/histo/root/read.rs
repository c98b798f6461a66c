//! Histograms from the JSON that we wrote: the members `pactolus`, and nothing else.

use std::collections::BTreeSet;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc32c::crc32c;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

use super::super::files::checked;
use super::super::{Histogram, Histograms};
use super::FORMAT;

impl Histograms {
    /// The histograms that [`to_json`](Histograms::to_json) wrote, and what they were made of.
    ///
    /// # Errors
    /// A sentence, if this is broken, or other JSON.
    pub(crate) fn from_json(input: impl Read) -> Result<(Histograms, Value), String> {
        let top: Top = serde_json::from_reader(input).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => format!("not as pactolus writes it: {error}"),
            serde_json::error::Category::Io => error.to_string(),
            _ => format!("broken JSON: {error}"),
        })?;
        let Some(Head { format, runs, provenance }) = top.pactolus else {
            let what = top.typename.map_or("JSON".into(), |class| format!("a {class}"));
            return Err(format!(
                "{what} without \"pactolus\": only histograms that pactolus wrote have the exact sums that can be read back"
            ));
        };
        if format != FORMAT {
            return Err(format!("format {FORMAT} wanted, {format} found: a newer pactolus wrote this"));
        }
        let mut leaves = Vec::new();
        top.folders.unwrap_or_default().take(&mut leaves);
        leaves.sort_by_key(|leaf| leaf.place);
        let mut names = BTreeSet::new();
        let mut list = Vec::new();
        for Leaf { name, crc32c, state, .. } in leaves {
            let histogram = checked(&name, state.crc32c == crc32c, || state.histogram)?;
            if !names.insert(histogram.name().to_owned()) {
                return Err(format!("histogram \"{}\" is in it twice", histogram.name()));
            }
            list.push(histogram);
        }
        Ok((Histograms { runs, list }, provenance))
    }
}

#[derive(serde::Deserialize)]
struct Top {
    #[serde(rename = "_typename")]
    typename: Option<String>,
    pactolus: Option<Head>,
    #[serde(rename = "fFolders")]
    folders: Option<List>,
}

#[derive(serde::Deserialize)]
struct Head {
    format: u64,
    runs: BTreeSet<u32>,
    #[serde(default)]
    provenance: Value,
}

#[derive(Default, serde::Deserialize)]
struct List {
    arr: Vec<Node>,
}

#[derive(serde::Deserialize)]
struct Node {
    pactolus: Option<Leaf>,
    #[serde(rename = "fFolders")]
    folders: Option<List>,
}

#[derive(serde::Deserialize)]
struct Leaf {
    place: u64,
    name: String,
    crc32c: u32,
    state: State,
}

/// Decoded where it is met, so that the text is not kept. Its checksum may stand behind it.
struct State {
    crc32c: u32,
    histogram: Result<Histogram, String>,
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<State, D::Error> {
        let bytes = STANDARD.decode(String::deserialize(input)?).map_err(D::Error::custom)?;
        let histogram = Histogram::from_bytes(&bytes).map_err(|error| error.to_string());
        Ok(State { crc32c: crc32c(&bytes), histogram })
    }
}

impl List {
    fn take(self, leaves: &mut Vec<Leaf>) {
        for node in self.arr {
            leaves.extend(node.pactolus);
            if let Some(inner) = node.folders {
                inner.take(leaves);
            }
        }
    }
}
