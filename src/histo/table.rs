//! Histograms as a table, one row each.
//!
//! | column | type | what |
//! |---|---|---|
//! | `name`, `title` | text | the path it was booked under, its title |
//! | `kind` | text | `hist1`, `hist2`, `profile`, `strip` |
//! | `weighted` | bool | whether fills have weights |
//! | `entries` | u64 | fills, those outside of the axes too |
//! | `mean_x`, `sigma_x`, `mean_y`, `sigma_y` | f64 | of the fills within the axes; of profiles, y is the value |
//! | `x_title`, `x_unit`, `y_title`, `y_unit` | text | of the axes; of profiles, y is the value |
//! | `x_edges`, `y_edges` | list of f64 | one more than bins; null where there is no axis |
//! | `cell` | list of u32 | the cells that hold something, by ROOT's number |
//! | `count` | list of u64 | their fills |
//! | `content`, `error` | list of f64 | the sum of weights, of profiles the mean; its error |
//! | `sum`, `squares` | list of f64 | sums of weights and their squares; null without weights |
//! | `values`, `value_squares` | list of f64 | of profiles: sums of values and their squares, times weights |
//! | `crc32c` | u32 | checksum of `state` |
//! | `state` | bytes | all of it, [`Histogram::to_bytes`] |

use std::collections::BTreeSet;
use std::path::Path;

use crc32c::crc32c;
use pactolus_formats::tuple::{
    Plain, PlainColumn, PlainReader, PlainType, PlainWriter, SettledTable, TableKind,
};
use serde_json::Value;

use super::files::checked;
use super::{Axis, Cell, Histogram, Histograms, Kind};
use crate::Error;

const NAME: PlainColumn = PlainColumn::new("name", PlainType::Text);
const CRC32C: PlainColumn = PlainColumn::new("crc32c", PlainType::U32);
const STATE: PlainColumn = PlainColumn::new("state", PlainType::Bytes);

const COLUMNS: [PlainColumn; 25] = [
    NAME,
    PlainColumn::new("title", PlainType::Text),
    PlainColumn::new("kind", PlainType::Text),
    PlainColumn::new("weighted", PlainType::Bool),
    PlainColumn::new("entries", PlainType::U64),
    PlainColumn::new("mean_x", PlainType::F64),
    PlainColumn::new("sigma_x", PlainType::F64),
    PlainColumn::new("mean_y", PlainType::F64),
    PlainColumn::new("sigma_y", PlainType::F64),
    PlainColumn::new("x_title", PlainType::Text),
    PlainColumn::new("x_unit", PlainType::Text),
    PlainColumn::new("y_title", PlainType::Text),
    PlainColumn::new("y_unit", PlainType::Text),
    PlainColumn::new("x_edges", PlainType::F64s),
    PlainColumn::new("y_edges", PlainType::F64s),
    PlainColumn::new("cell", PlainType::U32s),
    PlainColumn::new("count", PlainType::U64s),
    PlainColumn::new("content", PlainType::F64s),
    PlainColumn::new("error", PlainType::F64s),
    PlainColumn::new("sum", PlainType::F64s),
    PlainColumn::new("squares", PlainType::F64s),
    PlainColumn::new("values", PlainType::F64s),
    PlainColumn::new("value_squares", PlainType::F64s),
    CRC32C,
    STATE,
];

/// Metadata: the version of these columns, the runs as a JSON list, and the provenance.
const FORMAT: (&str, &str) = ("pactolus.histograms", "1");
const RUNS: &str = "pactolus.runs";
const PROVENANCE: &str = "pactolus.provenance";

/// Writes a table, without its name.
pub(super) fn write(
    histograms: &Histograms,
    path: &Path,
    kind: TableKind,
    provenance: &str,
) -> Result<SettledTable, pactolus_formats::Error> {
    let mut table = PlainWriter::create(path, kind, &COLUMNS)?;
    for histogram in &histograms.list {
        row(histogram, &mut table)?;
    }
    let runs = serde_json::to_string(&histograms.runs).unwrap_or_default();
    table.settle(&[
        (FORMAT.0.into(), FORMAT.1.into()),
        (RUNS.into(), runs),
        (PROVENANCE.into(), provenance.to_string()),
    ])
}

fn row(histogram: &Histogram, table: &mut PlainWriter) -> Result<(), pactolus_formats::Error> {
    let (view, stats) = (histogram.view(), histogram.stats());
    let kind = match histogram.kind() {
        Kind::Hist1 => "hist1",
        Kind::Hist2 => "hist2",
        Kind::Profile => "profile",
        Kind::Strip => "strip",
    };
    let is_profile = matches!(histogram.kind(), Kind::Profile | Kind::Strip);
    let edges = |axis: &Axis| (0..=axis.bins()).map(|i| axis.edge(i)).collect::<Vec<f64>>();
    let (x_edges, y_edges) = (edges(view.x()), view.y().map(edges));
    let value = &histogram.shape.value;
    let y_title = view.y().map(|y| (y.name(), y.units()));
    let y_title = y_title.or_else(|| is_profile.then_some((value.0.as_str(), value.1.as_str())));
    // Once: every look at a cell rounds its exact sums.
    let filled: Vec<(usize, Cell)> = view.filled().collect();
    let cells: Vec<u32> = filled.iter().map(|(cell, _)| *cell as u32).collect();
    let counts: Vec<u64> = filled.iter().map(|(_, cell)| cell.entries).collect();
    let list = |wanted: bool, value: fn(&Cell) -> f64| {
        wanted.then(|| filled.iter().map(|(_, cell)| value(cell)).collect::<Vec<f64>>())
    };
    let weighted = histogram.is_weighted();
    let contents = [
        list(true, |cell| cell.content),
        list(true, |cell| cell.error),
        list(weighted, |cell| cell.sum),
        list(weighted, |cell| cell.squares),
        list(is_profile, |cell| cell.values),
        list(is_profile, |cell| cell.value_squares),
    ];
    let state = histogram.to_bytes();
    let only = |wanted: bool, x: f64| if wanted { Plain::F64(x) } else { Plain::Null };
    let has_y = y_title.is_some();
    let mut row = vec![
        Plain::Text(histogram.name()),
        Plain::Text(histogram.title()),
        Plain::Text(kind),
        Plain::Bool(weighted),
        Plain::U64(stats.entries),
        Plain::F64(stats.mean_x),
        Plain::F64(stats.sigma_x),
        only(has_y, stats.mean_y),
        only(has_y, stats.sigma_y),
        Plain::Text(view.x().name()),
        Plain::Text(view.x().units()),
        y_title.map_or(Plain::Null, |(title, _)| Plain::Text(title)),
        y_title.map_or(Plain::Null, |(_, unit)| Plain::Text(unit)),
        Plain::F64s(&x_edges),
        y_edges.as_deref().map_or(Plain::Null, Plain::F64s),
        Plain::U32s(&cells),
        Plain::U64s(&counts),
    ];
    row.extend(contents.iter().map(|list| list.as_deref().map_or(Plain::Null, Plain::F64s)));
    row.push(Plain::U32(crc32c(&state)));
    row.push(Plain::Bytes(&state));
    table.push(&row)
}

/// Whether a table is one of histograms that we wrote.
pub(super) fn is_ours(path: &Path) -> bool {
    PlainReader::open(path, &[]).is_ok_and(|table| table.metadata(FORMAT.0).is_some())
}

/// Reads back what [`write`] wrote: the bytes in `state`.
pub(super) fn read(path: &Path) -> Result<(Histograms, Value), Error> {
    let refused = |message: String| Error::Histograms { path: path.to_owned(), message };
    let other = || refused("a table, but not of histograms that pactolus wrote".into());
    // Its columns are of interest only if it is of ours.
    match PlainReader::open(path, &[])?.metadata(FORMAT.0) {
        Some(version) if version == FORMAT.1 => {}
        Some(version) => {
            let why = format!("format {} wanted, {version} found: a newer pactolus wrote this", FORMAT.1);
            return Err(refused(why));
        }
        None => return Err(other()),
    }
    let mut table = PlainReader::open(path, &[NAME, CRC32C, STATE])?;
    let runs: Option<BTreeSet<u32>> = table.metadata(RUNS).and_then(|text| serde_json::from_str(text).ok());
    let runs = runs.ok_or_else(other)?;
    let provenance = table.metadata(PROVENANCE).and_then(|text| serde_json::from_str(text).ok());
    let mut histograms = Histograms { runs, list: Vec::new() };
    let mut names = BTreeSet::new();
    while let Some(row) = table.next_row()? {
        let (Plain::Text(name), Plain::U32(sum), Plain::Bytes(state)) = (row.get(0), row.get(1), row.get(2))
        else {
            return Err(other());
        };
        let read = || Histogram::from_bytes(state).map_err(|error| error.to_string());
        let histogram = checked(name, crc32c(state) == sum, read).map_err(refused)?;
        if !names.insert(histogram.name().to_owned()) {
            return Err(refused(format!("histogram \"{}\" is in it twice", histogram.name())));
        }
        histograms.list.push(histogram);
    }
    Ok((histograms, provenance.unwrap_or_default()))
}
