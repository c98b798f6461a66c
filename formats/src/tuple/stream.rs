//! A table in a pipe.
//!
//! The stream format of Arrow IPC says first which columns it has, then come rows. So the columns
//! are settled by what is known before the first event, and by the first chunk of rows: what comes
//! later and does not fit is left out and [reported](Refused).

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;

use super::pending::Pending;
use super::schema::TableSchema;
use super::writer::{Size, reason};
use super::{Batch, Refused, TableDef, TableKind};
use crate::{Error, Result};

/// A chunk is written with this row ...
const CHUNK_ROWS: usize = 1 << 12;
/// ... or with the row that reaches so many bytes of events.
const CHUNK_BYTES: u64 = 1 << 20;

/// Writes one table as a stream of Arrow IPC, each chunk of rows as soon as it is full. Chunks
/// follow from the rows and from [`flush`](TableStream::flush) alone, not from where batches end.
pub struct TableStream<W: Write> {
    /// For messages.
    name: PathBuf,
    target: Target<W>,
    def: Arc<TableDef>,
    schema: TableSchema,
    pending: Pending,
    chunk: Size,
    rows: u64,
}

enum Target<W: Write> {
    /// Nothing is written yet.
    New(W),
    Open(Box<StreamWriter<W>>),
    /// Lost to an error; what is kept of it.
    Gone(io::ErrorKind, String),
}

impl<W: Write> TableStream<W> {
    /// A table that goes to `target`, which messages call `name`.
    pub fn new(name: &Path, target: W, def: &Arc<TableDef>) -> TableStream<W> {
        TableStream {
            name: name.to_owned(),
            target: Target::New(target),
            def: Arc::clone(def),
            schema: TableSchema::new(def, TableKind::Arrow, false),
            pending: Pending::default(),
            chunk: Size::default(),
            rows: 0,
        }
    }

    /// The same, as a flat table: each element of a bank has a plain column of its own. To be called
    /// before the first row.
    #[must_use]
    pub fn flat(mut self) -> TableStream<W> {
        self.schema = TableSchema::new(&self.def, TableKind::Arrow, true);
        self
    }

    /// Adds the rows of a batch behind those before. Gives the values that became null although
    /// the events hold them, by row; their events are damaged.
    ///
    /// # Errors
    /// If the target does not take them. All that follows gives that error again.
    pub fn write(&mut self, batch: Batch) -> Result<Vec<Refused>> {
        let mut refused = Vec::new();
        let mut rest = batch;
        let mut done = 0;
        while rest.rows() > 0 {
            let full = rest.head.iter().position(|row| self.chunk.add(row.weight, CHUNK_ROWS, CHUNK_BYTES));
            let rows = full.map_or(rest.rows(), |last| last + 1);
            // Cut, so that the first chunk alone settles the columns.
            let (now, later) = rest.split(rows);
            rest = later;
            let (piece, mut left_out) = self.schema.accept_exactly(now).map_err(self.error())?;
            left_out.iter_mut().for_each(|refused| refused.row += done);
            refused.extend(left_out);
            self.pending.push(&Arc::new(piece), 0, rows, &self.schema.plan().list).map_err(self.error())?;
            done += rows;
            if full.is_some() {
                self.end_chunk()?;
            }
        }
        self.rows += done as u64;
        Ok(refused)
    }

    /// Number of rows that were not written yet.
    pub fn waiting(&self) -> u64 {
        self.chunk.rows
    }

    /// Writes the rows so far, be the chunk full or not, so that a reader has them. They settle the columns,
    /// if none were written before.
    ///
    /// # Errors
    /// As [`write`](TableStream::write).
    pub fn flush(&mut self) -> Result<()> {
        if self.waiting() > 0 { self.end_chunk() } else { Ok(()) }
    }

    /// Ends the stream; its number of rows.
    ///
    /// # Errors
    /// If the target does not take the last rows.
    pub fn finish(mut self) -> Result<u64> {
        self.end_chunk()?;
        if let Target::Open(writer) = &mut self.target {
            let finished = writer.finish().and_then(|()| Ok(writer.get_mut().flush()?));
            finished.map_err(self.error())?;
        }
        Ok(self.rows)
    }

    /// Writes what waits, behind the columns if these are the first rows.
    fn end_chunk(&mut self) -> Result<()> {
        self.send().map_err(self.error())
    }

    fn send(&mut self) -> std::result::Result<(), ArrowError> {
        self.schema.settle();
        let lost = Target::Gone(io::ErrorKind::Other, "the stream has failed".into());
        let sent = match std::mem::replace(&mut self.target, lost) {
            Target::New(target) => {
                let writer = StreamWriter::try_new(target, &self.schema.plan().schema);
                writer.and_then(|writer| self.send_to(Box::new(writer)))
            }
            Target::Open(writer) => self.send_to(writer),
            Target::Gone(kind, why) => Err(io::Error::new(kind, why).into()),
        };
        match sent {
            Ok(writer) => {
                self.target = Target::Open(writer);
                self.chunk = Size::default();
                Ok(())
            }
            Err(error) => {
                let kind = match &error {
                    ArrowError::IoError(_, source) => source.kind(),
                    _ => io::ErrorKind::Other,
                };
                self.target = Target::Gone(kind, reason(&error));
                Err(error)
            }
        }
    }

    /// Writes what waits; gives the writer back.
    fn send_to(
        &mut self,
        mut writer: Box<StreamWriter<W>>,
    ) -> std::result::Result<Box<StreamWriter<W>>, ArrowError> {
        let plan = self.schema.plan();
        for batch in plan.batches(std::mem::take(&mut self.pending).arrays(&plan.list)?) {
            writer.write(&batch?)?;
        }
        writer.get_mut().flush()?;
        Ok(writer)
    }

    fn error(&self) -> impl Fn(ArrowError) -> Error + use<W> {
        let path = self.name.clone();
        move |error| match error {
            // The reader of a pipe may have seen enough: who calls can tell by the kind.
            ArrowError::IoError(_, source) => Error::Io { action: "write", path: path.clone(), source },
            error => Error::Table { path: path.clone(), reason: error.to_string() },
        }
    }
}

impl<W: Write> fmt::Debug for TableStream<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableStream")
            .field("name", &self.name)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}
