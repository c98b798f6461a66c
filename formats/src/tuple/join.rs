//! The parts of a table, joined to one file: the one that would have been written at once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use super::TableKind;
use super::copy::{self, Places};
use super::group::{From, Group, Part, Rows};
use super::part::{self, Open, TablePart, changed, open};
use super::plain::reader::whole;
use super::schema::{HEAD, Plan};
use super::sink::Sink;
use super::writer::{CHUNK_ROWS, SettledTable, TableSummary, table};
use crate::whole::hidden::Hidden;
use crate::{Error, Pool, Result};

/// All parts of one table, in order.
///
/// ```no_run
/// use pactolus_formats::tuple::{TablePart, TableParts};
/// # fn run(paths: &[std::path::PathBuf]) -> Result<(), Box<dyn std::error::Error>> {
/// let mut parts = Vec::new();
/// for path in paths {
///     parts.extend(TablePart::open(path)?);
/// }
/// for table in TableParts::sorted(parts)? {
///     table.join(&table.whole(), None)?.finish()?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TableParts {
    whole: PathBuf,
    /// At least one.
    parts: Vec<TablePart>,
}

impl TableParts {
    /// Sorts parts by table and number. Tables are told by the names of the files without their numbers.
    ///
    /// # Errors
    /// [`Error::NoTable`] if a part is missing before another or comes twice, or belongs to another
    /// table than its name says.
    pub fn sorted(parts: Vec<TablePart>) -> Result<Vec<TableParts>> {
        let mut tables: BTreeMap<PathBuf, Vec<TablePart>> = BTreeMap::new();
        for part in parts {
            tables.entry(part.whole()).or_default().push(part);
        }
        let mut sorted = Vec::new();
        for (whole, mut parts) in tables {
            parts.sort_by_key(TablePart::number);
            check(&parts)?;
            sorted.push(TableParts { whole, parts });
        }
        Ok(sorted)
    }

    /// The name of the file that they would be, beside them.
    pub fn whole(&self) -> PathBuf {
        self.whole.clone()
    }

    /// The parts.
    pub fn parts(&self) -> &[TablePart] {
        &self.parts
    }

    /// Rows of all of them.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(TablePart::rows).sum()
    }

    /// Whether the last of them is the last of the table.
    pub fn is_complete(&self) -> bool {
        self.parts.last().is_some_and(TablePart::is_last)
    }

    /// Joins them to a file that will be `path`. It has the metadata of the last of them, but for what is
    /// of a part alone.
    ///
    /// # Errors
    /// [`Error::NoTable`] if a part cannot be read, [`Error::Table`] or [`Error::Io`] if the file cannot
    /// be written. Nothing remains then.
    pub fn join(&self, path: &Path, pool: Option<Pool>) -> Result<SettledTable> {
        let unread = |part: &TablePart, error: &ArrowError| Error::NoTable {
            path: part.path().to_owned(),
            reason: super::writer::reason(error),
        };
        let Some(last) = self.parts.last() else {
            let reason = "no part of it was given".to_owned();
            return Err(Error::NoTable { path: path.to_owned(), reason });
        };
        let opened = open(last.path())?.ok_or_else(|| unread(last, &changed()))?;
        let plan = Arc::new(last.plan(opened.fields).map_err(|error| unread(last, &error))?);
        let mut metadata = opened.metadata;
        metadata.retain(|(key, _)| key != part::KEY);
        let temp = Hidden::beside(path, ".part").map_err(Error::io("create", path))?;
        let mut sink = Sink::new(last.kind(), temp.file(), &plan.schema, pool).map_err(table(path))?;
        match last.kind() {
            TableKind::Parquet => self.groups(&plan, &mut sink, path)?,
            TableKind::Arrow => self.batches(&plan, &mut sink, path)?,
        }
        let file = sink.finish(&metadata).map_err(table(path))?;
        file.sync_all().map_err(Error::io("write", path))?;
        let bytes = file.metadata().map_err(Error::io("read", path))?.len();
        let summary = TableSummary { path: path.to_owned(), rows: self.rows(), bytes };
        Ok(SettledTable::new(temp, summary))
    }

    /// Copies row groups of Parquet files.
    fn groups(&self, plan: &Arc<Plan>, sink: &mut Sink, path: &Path) -> Result<()> {
        let mut group = Joined::default();
        for part in &self.parts {
            let unread = |error| Error::NoTable {
                path: part.path().to_owned(),
                reason: super::writer::reason(&error),
            };
            let places = places(part, plan)?;
            let from = From::Named(part.path().to_owned());
            let file = Arc::new(whole(|| Part::open(from, places)).map_err(unread)?);
            // Rows that it does not speak of would be lost.
            if file.groups() != part.groups.len() {
                return Err(unread(changed()));
            }
            for (i, chunks) in part.groups.iter().enumerate() {
                let (rows, bytes) = file.size(i).map_err(unread)?;
                if rows != chunks.iter().sum::<usize>() {
                    return Err(unread(changed()));
                }
                group.parts.push((Arc::clone(&file), i));
                group.bytes = group.bytes.saturating_add(bytes);
                let open = open_behind(part, i);
                group.add(chunks, open);
                if !open.group {
                    std::mem::take(&mut group).write(plan, sink).map_err(table(path))?;
                }
            }
        }
        group.write(plan, sink).map_err(table(path))
    }

    /// Copies record batches of Arrow files.
    fn batches(&self, plan: &Arc<Plan>, sink: &mut Sink, path: &Path) -> Result<()> {
        let mut group = Joined::default();
        for part in &self.parts {
            for (i, chunks) in part.groups.iter().enumerate() {
                group.add(chunks, open_behind(part, i));
            }
        }
        // Of a part, not of what is written.
        let unread = RefCell::new(None);
        let refuse = |part: &TablePart, error: ArrowError| {
            let reason = super::writer::reason(&error);
            unread.replace(Some(Error::NoTable { path: part.path().to_owned(), reason }));
            error
        };
        let of_part = |part: &TablePart| -> std::result::Result<_, ArrowError> {
            let places = Arc::new(places(part, plan).map_err(|error| {
                let text = error.to_string();
                unread.replace(Some(error));
                ArrowError::ParseError(text)
            })?);
            let batches = whole(|| part::arrow(File::open(part.path())?));
            let batches = batches.map_err(|error| refuse(part, error))?;
            Ok(Counted { batches, places, left: part.rows })
        };
        let mut batches = self.parts.iter().flat_map(|part| match of_part(part) {
            Ok(batches) => Box::new(batches.map(move |batch| batch.map_err(|error| refuse(part, error)))),
            Err(error) => Box::new(std::iter::once(Err(error))) as Box<dyn Iterator<Item = Batched>>,
        });
        let copied = whole(|| {
            copy::batches(batches.by_ref(), group.chunks, plan, sink)?;
            // Nothing may be left: it would be lost.
            batches.try_for_each(|batch| batch.map(drop))
        });
        copied.map_err(|error| unread.take().unwrap_or_else(|| table(path)(error)))
    }
}

/// The record batches of a part, which are to have as many rows as it says.
struct Counted<B> {
    batches: B,
    places: Arc<Places>,
    left: u64,
}

impl<B: Iterator<Item = std::result::Result<RecordBatch, ArrowError>>> Iterator for Counted<B> {
    type Item = Batched;

    fn next(&mut self) -> Option<Batched> {
        match self.batches.next() {
            Some(Ok(batch)) => match self.left.checked_sub(batch.num_rows() as u64) {
                Some(left) => {
                    self.left = left;
                    Some(Ok((batch, Arc::clone(&self.places))))
                }
                None => Some(Err(changed())),
            },
            Some(Err(error)) => Some(Err(error)),
            // Said once.
            None => (std::mem::take(&mut self.left) > 0).then(|| Err(changed())),
        }
    }
}

type Batched = std::result::Result<(RecordBatch, Arc<Places>), ArrowError>;

/// Whether the chunk, and the group, go on behind group `i` of a part.
fn open_behind(part: &TablePart, i: usize) -> Open {
    let is_last = i + 1 == part.groups.len();
    Open { chunk: is_last && part.open.chunk, group: is_last && part.open.group }
}

/// A group of rows that stand in several parts.
#[derive(Default)]
struct Joined {
    parts: Vec<(Arc<Part>, usize)>,
    chunks: Vec<usize>,
    bytes: u64,
    /// The last chunk goes on.
    open: bool,
}

impl Joined {
    fn add(&mut self, chunks: &[usize], behind: Open) {
        for (i, &rows) in chunks.iter().enumerate() {
            match self.chunks.last_mut() {
                Some(last) if i == 0 && self.open => *last += rows,
                _ => self.chunks.push(rows),
            }
        }
        self.open = behind.chunk;
    }

    fn write(self, plan: &Arc<Plan>, sink: &mut Sink) -> std::result::Result<(), ArrowError> {
        let Joined { parts, chunks, bytes, .. } = self;
        if chunks.is_empty() {
            return Ok(());
        }
        sink.write(Group { plan: Arc::clone(plan), rows: Rows::Parts { parts, chunks } }, bytes)
    }
}

/// Where the columns of `plan` are in a part.
fn places(part: &TablePart, plan: &Plan) -> Result<Places> {
    let unread = |reason: String| Error::NoTable { path: part.path().to_owned(), reason };
    let opened = open(part.path())?.ok_or_else(|| unread(changed().to_string()))?;
    let known = part.plan(opened.fields).map_err(|error| unread(super::writer::reason(&error)))?;
    let fields = plan.schema.fields();
    let strange = match known.leaves {
        // Their names may change as columns come before them.
        Some(_) => known.schema.fields().iter().zip(fields).take(HEAD.len()).find(|(a, b)| a != b),
        None => known.schema.fields().iter().zip(fields).find(|(a, b)| a.name() != b.name()),
    };
    if let Some((found, wanted)) = strange {
        return Err(unread(format!(
            "column {} of the last part wanted, {} found: it is of another table",
            wanted.name(),
            found.name()
        )));
    }
    let more = part.columns.is_none() && known.schema.fields().len() > fields.len();
    if more {
        return Err(unread("it has columns that the last part has not: it is of another table".into()));
    }
    Ok(copy::places(&known, plan))
}

/// Refuses parts, in order of their numbers, that are not all parts of one table up to the last.
fn check(parts: &[TablePart]) -> Result<()> {
    let mut rows = 0u64;
    let mut chunk = 0usize;
    let mut before: Option<&TablePart> = None;
    for (wanted, part) in (1u64..).zip(parts) {
        let refuse = |reason: String| Err(Error::NoTable { path: part.path().to_owned(), reason });
        let first = &parts[0];
        let strange = [
            (part.whole != first.whole).then(|| (first.whole.clone(), part.whole.clone())),
            (part.table != first.table).then(|| (first.table.clone(), part.table.clone())),
            (part.kind() != first.kind())
                .then(|| (format!("{:?}", first.kind()), format!("{:?}", part.kind()))),
            (part.columns.is_some() != first.columns.is_some())
                .then(|| ("the form of the first".to_owned(), "another".to_owned())),
        ];
        if let Some((wanted, found)) = strange.into_iter().flatten().next() {
            return refuse(format!("a part of {wanted} wanted, {found} found: give the parts of one table"));
        }
        if part.number < wanted {
            return refuse(format!("it is part {} as another file: give each part once", part.number));
        }
        if part.number > wanted {
            return refuse(format!(
                "part {wanted} wanted before it, part {} found: give all parts",
                part.number
            ));
        }
        if part.before != rows {
            return refuse(format!(
                "{} rows before it wanted, {rows} found: it is of another analysis than the parts before it",
                part.before
            ));
        }
        if let Some(before) = before.filter(|before| before.last) {
            let path = before.path().to_owned();
            let reason = format!(
                "it says that it is the last, but part {wanted} was given, too: they are of different analyses"
            );
            return Err(Error::NoTable { path, reason });
        }
        before = Some(part);
        for (i, group) in part.groups.iter().enumerate() {
            for (k, &piece) in group.iter().enumerate() {
                chunk = if i == 0 && k == 0 { chunk.saturating_add(piece) } else { piece };
                if chunk > CHUNK_ROWS {
                    return refuse(changed().to_string());
                }
            }
        }
        // What was open before an empty part is open behind it.
        if !part.open.chunk && !part.groups.is_empty() {
            chunk = 0;
        }
        rows = rows.saturating_add(part.rows);
    }
    Ok(())
}
