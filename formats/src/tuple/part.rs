//! A table in several files, one behind the other: what each of them says of itself.
//!
//! The metadata of each hold, as JSON, which file of which table it is, and where chunks and row groups
//! of the whole table end in it: so that one file of all rows is the one that would have been written at
//! once.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_ipc::reader::FileReader;
use arrow_schema::{ArrowError, Fields, Schema};
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use serde_json::{Value, json};

use super::TableKind;
use super::flat::Leaf;
use super::plain::claims;
use super::plain::reader::whole;
use super::schema::{HEAD, MAX_COLUMNS, MAX_ELEMENTS, Plan};
use super::writer::{CHUNK_ROWS, reason};
use crate::{Error, Result};

/// The key in the metadata of a file.
pub(super) const KEY: &str = "pactolus.part";

/// Which of the files of a table is written.
pub(super) struct Turn {
    /// The name of the file of all rows.
    whole: String,
    number: u64,
    /// Rows before this file.
    before: u64,
    /// Rows of each chunk, or piece of one, of each group.
    groups: Vec<Vec<usize>>,
}

/// Whether the last chunk of a file, and the last group, go on in the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) chunk: bool,
    pub(super) group: bool,
}

impl Turn {
    pub(super) fn first(whole: &str) -> Turn {
        Turn { whole: whole.to_owned(), number: 1, before: 0, groups: Vec::new() }
    }

    /// The file that comes behind one of so many rows.
    pub(super) fn next(&mut self, rows: u64) {
        self.number += 1;
        self.before += rows;
        self.groups.clear();
    }

    /// A group of chunks of so many rows was written.
    pub(super) fn wrote(&mut self, chunks: &[usize]) {
        self.groups.push(chunks.to_vec());
    }

    pub(super) fn to_json(&self, table: &str, rows: u64, plan: &Plan, open: Open, last: bool) -> String {
        let Turn { whole, number, before, groups } = self;
        let mut text = json!({
            "table": table, "whole": whole, "number": number, "last": last, "before": before, "rows": rows,
            "groups": groups, "open": [open.chunk, open.group],
        });
        if let Some(leaves) = &plan.leaves {
            // Names may change as columns come; these numbers only grow.
            let mut columns = vec![0usize; plan.list.fields().len().saturating_sub(HEAD.len())];
            leaves.iter().filter_map(|leaf| columns.get_mut(leaf.column()).map(|n| *n += 1)).count();
            text["columns"] = json!(columns);
        }
        text.to_string()
    }
}

/// One of several files of a table, as a [`TableWriter`](super::TableWriter) writes them with
/// [`next`](super::TableWriter::next).
#[derive(Clone, Debug)]
pub struct TablePart {
    path: PathBuf,
    kind: TableKind,
    pub(super) table: String,
    pub(super) whole: String,
    pub(super) number: u64,
    pub(super) last: bool,
    pub(super) before: u64,
    pub(super) rows: u64,
    pub(super) groups: Vec<Vec<usize>>,
    pub(super) open: Open,
    /// Of a flat table: plain columns of each column.
    pub(super) columns: Option<Vec<usize>>,
}

/// Columns of a file, and its metadata in their order.
pub(super) struct Opened {
    pub(super) kind: TableKind,
    pub(super) fields: Fields,
    pub(super) metadata: Vec<(String, String)>,
}

impl TablePart {
    /// Looks what a file says of itself; `None` if it is no table, or a whole one.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened, [`Error::NoTable`] if it is broken.
    pub fn open(path: &Path) -> Result<Option<TablePart>> {
        let Some(opened) = open(path)? else { return Ok(None) };
        let Some((_, text)) = opened.metadata.iter().find(|(key, _)| key == KEY) else { return Ok(None) };
        let part = serde_json::from_str(text).ok().and_then(|value| parse(path, opened.kind, &value));
        let part = part.ok_or_else(|| {
            let reason = format!("its {KEY} is broken: write it anew");
            Error::NoTable { path: path.to_owned(), reason }
        })?;
        Ok(Some(part))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format.
    pub fn kind(&self) -> TableKind {
        self.kind
    }

    /// The name of the table: `Trigger`.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Its number, counted from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Rows in it.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether the table ends with it.
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// The name of the file that all parts would be: its own without the number, or that which it says.
    pub fn whole(&self) -> PathBuf {
        let own = || {
            let (stem, extension) = (self.path.file_stem()?.to_str()?, self.path.extension()?.to_str()?);
            let (stem, number) = stem.rsplit_once('.')?;
            (number.parse() == Ok(self.number)).then(|| format!("{stem}.{extension}"))
        };
        self.path.with_file_name(own().unwrap_or_else(|| self.whole.clone()))
    }

    /// The columns of the file.
    pub(super) fn plan(&self, fields: Fields) -> std::result::Result<Plan, ArrowError> {
        let behind = fields.len().checked_sub(HEAD.len()).ok_or_else(changed)?;
        let list = Plan::list(Arc::new(Schema::new(fields)));
        let Some(columns) = &self.columns else { return Ok(list) };
        // First: it may claim far more than the file has. (A bank that was always empty has none.)
        let claimed = columns.iter().fold(0, |sum: usize, n| sum.saturating_add(*n));
        if claimed != behind {
            return Err(changed());
        }
        let leaves = columns.iter().enumerate().flat_map(|(i, n)| (0..*n).map(move |k| Leaf::nth(i, k)));
        Ok(Plan { leaves: Some(leaves.collect()), ..list })
    }
}

/// A file that is not what it said of itself.
pub(super) fn changed() -> ArrowError {
    ArrowError::ParseError(format!("it is not as its {KEY} says: it was changed"))
}

fn parse(path: &Path, kind: TableKind, value: &Value) -> Option<TablePart> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let number = |value: &Value| value.as_u64();
    let small =
        |value: &Value, limit| number(value).and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= limit);
    let chunk = |value: &Value| small(value, CHUNK_ROWS).filter(|rows| *rows > 0);
    let group = |value: &Value| value.as_array()?.iter().map(chunk).collect::<Option<Vec<usize>>>();
    let groups: Vec<Vec<usize>> = value["groups"].as_array()?.iter().map(group).collect::<Option<_>>()?;
    let rows = number(&value["rows"])?;
    let counted: usize = groups.iter().flatten().sum();
    let columns = match &value["columns"] {
        Value::Null => None,
        columns => {
            let columns = columns.as_array()?.iter().map(|n| small(n, MAX_ELEMENTS));
            let columns: Vec<usize> = columns.collect::<Option<_>>()?;
            (columns.len() <= MAX_COLUMNS).then_some(())?;
            Some(columns)
        }
    };
    let whole = text("whole")?;
    // A name, not a path: something may be written there.
    let is_name = Path::new(&whole).file_name().is_some_and(|name| name == whole.as_str());
    let open = Open { chunk: value["open"][0].as_bool()?, group: value["open"][1].as_bool()? };
    (is_name && counted as u64 == rows && groups.iter().all(|group| !group.is_empty())).then_some(())?;
    Some(TablePart {
        path: path.to_owned(),
        kind,
        table: text("table")?,
        whole,
        number: number(&value["number"]).filter(|n| *n > 0)?,
        last: value["last"].as_bool()?,
        before: number(&value["before"])?,
        rows,
        groups,
        open,
        columns,
    })
}

/// The metadata of a table, key and value; `None` if the file is none.
///
/// # Errors
/// [`Error::Io`] if it cannot be opened, [`Error::NoTable`] if it is broken.
pub fn table_metadata(path: &Path) -> Result<Option<Vec<(String, String)>>> {
    Ok(open(path)?.map(|opened| opened.metadata))
}

/// The columns and the metadata of a table; `None` if the file is none.
pub(super) fn open(path: &Path) -> Result<Option<Opened>> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut first = Vec::new();
    file.by_ref().take(8).read_to_end(&mut first).map_err(Error::io("read", path))?;
    file.rewind().map_err(Error::io("read", path))?;
    let Some(kind) = TableKind::of_bytes(&first) else { return Ok(None) };
    let opened = whole(|| read(kind, file));
    let opened = opened.map_err(|error| Error::NoTable { path: path.to_owned(), reason: reason(&error) })?;
    Ok(Some(opened))
}

fn read(kind: TableKind, file: File) -> std::result::Result<Opened, ArrowError> {
    match kind {
        TableKind::Parquet => {
            let len = file.metadata()?.len();
            let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())?;
            claims::check_columns(metadata.metadata(), len)?;
            let pairs = metadata.metadata().file_metadata().key_value_metadata().into_iter().flatten();
            // The library writes that of the columns by itself.
            let pairs = pairs.filter(|pair| pair.key != ARROW_SCHEMA_META_KEY);
            let pairs = pairs.filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?)));
            Ok(Opened { kind, metadata: pairs.collect(), fields: metadata.schema().fields().clone() })
        }
        TableKind::Arrow => {
            let file = arrow(file)?;
            let mut metadata: Vec<(String, String)> =
                file.custom_metadata().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            metadata.sort();
            Ok(Opened { kind, metadata, fields: file.schema().fields().clone() })
        }
    }
}

/// An Arrow file whose claims were checked.
pub(super) fn arrow(mut file: File) -> std::result::Result<FileReader<BufReader<File>>, ArrowError> {
    claims::check(&mut file)?;
    FileReader::try_new_buffered(file, None)
}
