//! The file of a table, written in order while rows are encoded.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::mem;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowColumnChunk;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;

use super::TableKind;
use super::encoding::properties;
use super::group::Group;
use crate::Pool;
use crate::pool::InOrder;

/// So many bytes of rows may be on their way at the most, for each thread of the pool ...
const AHEAD_BYTES: u64 = 16 << 20;
/// ... up to so many threads, and no more than the pool has memory; one group always may.
const AHEAD_THREADS: usize = 4;

/// Writes groups of rows, in the order in which they come. Those on their way are encoded by a pool,
/// if there is one; the file is the same.
pub(super) struct Sink {
    file: Format,
    threads: usize,
    /// Bytes of rows that may be on their way.
    limit: u64,
    work: InOrder<Result<Encoded, ArrowError>>,
    /// Of each group on its way: pieces of work that are not done, and bytes of rows.
    ahead: VecDeque<(usize, u64)>,
    /// What is done of the oldest group.
    done: Vec<ArrowColumnChunk>,
}

enum Format {
    Parquet(Box<SerializedFileWriter<Arc<File>>>),
    Arrow(Box<FileWriter<BufWriter<Arc<File>>>>),
}

enum Encoded {
    Columns(Vec<ArrowColumnChunk>),
    Batches(Vec<RecordBatch>),
}

impl Sink {
    pub(super) fn new(
        kind: TableKind,
        file: Arc<File>,
        schema: &SchemaRef,
        pool: Option<Pool>,
    ) -> Result<Sink, ArrowError> {
        let file = match kind {
            TableKind::Parquet => {
                // The writer of Arrow puts its schema into the metadata; the other one would not.
                let writer = ArrowWriter::try_new(file, SchemaRef::clone(schema), Some(properties(schema)))?;
                Format::Parquet(Box::new(writer.into_serialized_writer()?.0))
            }
            // Uncompressed: every reader knows it, and it can be mapped into memory as it is.
            TableKind::Arrow => Format::Arrow(Box::new(FileWriter::try_new(BufWriter::new(file), schema)?)),
        };
        let threads = pool.as_ref().map_or(1, Pool::threads);
        let limit = AHEAD_BYTES * threads.min(AHEAD_THREADS) as u64;
        let limit = pool.as_ref().map_or(limit, |pool| limit.min(pool.memory() as u64));
        let (ahead, done) = (VecDeque::new(), Vec::new());
        Ok(Sink { file, threads, limit, work: InOrder::new(pool), ahead, done })
    }

    /// Writes a group of so many bytes of rows, in Parquet as a row group. Waits while too much is on
    /// its way.
    pub(super) fn write(&mut self, group: Group, bytes: u64) -> Result<(), ArrowError> {
        let limit = self.limit;
        while !self.ahead.is_empty()
            && (self.ahead.len() >= 2 * self.threads
                || self.ahead.iter().fold(bytes, |sum, (_, bytes)| sum.saturating_add(*bytes)) > limit)
        {
            self.wait()?;
        }
        let pieces = match &self.file {
            Format::Parquet(file) => {
                let columns = group.plan.schema.fields().len();
                let pieces = self.threads.min(columns).max(1);
                let group = Arc::new(group);
                for i in 0..pieces {
                    let (group, properties) = (Arc::clone(&group), Arc::clone(file.properties()));
                    let some = columns * i / pieces..columns * (i + 1) / pieces;
                    self.work.push(move || Ok(group.encode(some, &properties).map(Encoded::Columns)));
                }
                pieces
            }
            Format::Arrow(_) => {
                self.work.push(move || Ok(group.batches().map(Encoded::Batches)));
                1
            }
        };
        self.ahead.push_back((pieces, bytes));
        while let Some(encoded) = self.work.try_next() {
            self.take(encoded??)?;
        }
        Ok(())
    }

    /// Completes the file, with metadata, and gives it back.
    pub(super) fn finish(mut self, metadata: &[(String, String)]) -> Result<Arc<File>, ArrowError> {
        while !self.ahead.is_empty() {
            self.wait()?;
        }
        match self.file {
            Format::Parquet(mut writer) => {
                for (key, value) in metadata {
                    writer.append_key_value_metadata(KeyValue::new(key.clone(), value.clone()));
                }
                Ok(writer.into_inner()?)
            }
            Format::Arrow(mut writer) => {
                for (key, value) in metadata {
                    writer.write_metadata(key, value);
                }
                writer.finish()?;
                writer.into_inner()?.into_inner().map_err(|e| ArrowError::from(e.into_error()))
            }
        }
    }

    /// Waits for the oldest work.
    fn wait(&mut self) -> Result<(), ArrowError> {
        match self.work.next() {
            Some(encoded) => self.take(encoded??),
            None => {
                self.ahead.clear();
                Ok(())
            }
        }
    }

    /// Takes what was encoded, and writes a group that is whole.
    fn take(&mut self, encoded: Encoded) -> Result<(), ArrowError> {
        let Some((left, _)) = self.ahead.front_mut() else { return Ok(()) };
        *left -= 1;
        let whole = *left == 0;
        if whole {
            self.ahead.pop_front();
        }
        match (encoded, &mut self.file) {
            (Encoded::Columns(columns), Format::Parquet(file)) => {
                self.done.extend(columns);
                if whole {
                    let mut group = file.next_row_group()?;
                    for column in mem::take(&mut self.done) {
                        column.append_to_row_group(&mut group)?;
                    }
                    group.close()?;
                }
            }
            (Encoded::Batches(batches), Format::Arrow(file)) => {
                batches.iter().try_for_each(|batch| file.write(batch))?;
            }
            // Work is made for the format of the file.
            _ => {}
        }
        Ok(())
    }
}
