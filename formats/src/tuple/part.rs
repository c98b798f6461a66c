//! Files that a table is written to before it is whole.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{
    DEFAULT_DATA_PAGE_ROW_COUNT_LIMIT, EnabledStatistics, WriterProperties, WriterPropertiesBuilder,
};
use parquet::schema::types::ColumnPath;

use super::TableKind;

/// A file that is removed when this goes out of scope, unless it was renamed.
pub(super) struct TempFile {
    path: PathBuf,
    kept: bool,
}

impl TempFile {
    /// Creates the hidden file `.name.SUFFIX` beside `path`.
    pub(super) fn beside(path: &Path, suffix: &str) -> std::io::Result<(TempFile, File)> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(suffix);
        let path = path.with_file_name(name);
        let file = File::create(&path)?;
        Ok((TempFile { path, kept: false }, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its final name.
    pub(super) fn rename(mut self, to: &Path) -> std::io::Result<()> {
        fs::rename(&self.path, to)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody is left to tell if this fails, and what remains is marked as a part.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes record batches of one schema.
pub(super) enum Sink {
    Parquet(Box<ArrowWriter<File>>),
    Arrow(Box<FileWriter<BufWriter<File>>>),
}

impl Sink {
    pub(super) fn new(kind: TableKind, file: File, schema: &SchemaRef) -> Result<Sink, ArrowError> {
        Ok(match kind {
            TableKind::Parquet => {
                let properties = parquet_properties(schema);
                Sink::Parquet(Box::new(ArrowWriter::try_new(
                    file,
                    SchemaRef::clone(schema),
                    Some(properties),
                )?))
            }
            // Uncompressed: every reader knows it, and it can be mapped into memory as it is.
            TableKind::Arrow => Sink::Arrow(Box::new(FileWriter::try_new(BufWriter::new(file), schema)?)),
        })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            Sink::Parquet(writer) => Ok(writer.write(batch)?),
            Sink::Arrow(writer) => writer.write(batch),
        }
    }

    /// Closes the row group, if the format has any.
    pub(super) fn end_group(&mut self) -> Result<(), ArrowError> {
        match self {
            Sink::Parquet(writer) => Ok(writer.flush()?),
            Sink::Arrow(_) => Ok(()),
        }
    }

    /// Completes the file, with metadata, and gives it back.
    pub(super) fn finish(self, metadata: &[(String, String)]) -> Result<File, ArrowError> {
        match self {
            Sink::Parquet(mut writer) => {
                for (key, value) in metadata {
                    writer.append_key_value_metadata(KeyValue::new(key.clone(), value.clone()));
                }
                Ok(writer.into_inner()?)
            }
            Sink::Arrow(mut writer) => {
                for (key, value) in metadata {
                    writer.write_metadata(key, value);
                }
                writer.finish()?;
                writer.into_inner()?.into_inner().map_err(|e| ArrowError::from(e.into_error()))
            }
        }
    }
}

/// The record batches of a complete part, of so many rows at the most. None is larger than what was
/// written between two calls of [`Sink::end_group`].
pub(super) fn read(
    kind: TableKind,
    path: &Path,
    rows: usize,
) -> Result<Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>, ArrowError> {
    let file = File::open(path)?;
    Ok(match kind {
        TableKind::Arrow => Box::new(FileReader::try_new_buffered(file, None)?),
        TableKind::Parquet => {
            let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())?;
            let groups = 0..metadata.metadata().num_row_groups();
            // One reader per row group: a batch that spans two could be larger than both.
            let batches = groups.flat_map(move |group| {
                let reader = file.try_clone().map_err(ArrowError::from).and_then(|file| {
                    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
                    Ok(builder.with_row_groups(vec![group]).with_batch_size(rows).build()?)
                });
                match reader {
                    Ok(reader) => Box::new(reader) as Box<dyn Iterator<Item = _>>,
                    Err(error) => Box::new(std::iter::once(Err(error))),
                }
            });
            Box::new(batches)
        }
    })
}

/// A page of a column has no more rows than this where the columns together would hold more values:
/// what goes into a page waits in memory.
fn page_rows(columns: usize) -> usize {
    const WAITING: usize = 1 << 24;
    const LEAST: usize = 1 << 10;
    (WAITING / columns.max(1)).clamp(LEAST, DEFAULT_DATA_PAGE_ROW_COUNT_LIMIT)
}

/// Encodings by type. Parquet stores small integers as 32 bits each, and a dictionary of noise is
/// larger than the noise: 16-bit ADC values take a sixth of the room when delta-packed.
fn parquet_properties(schema: &Schema) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(concat!("pactolus ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_data_page_row_count_limit(page_rows(schema.fields().len()))
        // Row groups end where `end_group` says.
        .set_max_row_group_row_count(None);
    for field in schema.fields() {
        builder = encode(builder, &mut Vec::new(), field);
    }
    builder.build()
}

fn encode(
    builder: WriterPropertiesBuilder,
    path: &mut Vec<String>,
    field: &Field,
) -> WriterPropertiesBuilder {
    path.push(field.name().clone());
    let column = || ColumnPath::new(path.clone());
    let builder = match field.data_type() {
        DataType::List(item) => {
            path.push("list".to_owned());
            let builder = encode(builder, path, item);
            path.pop();
            builder
        }
        DataType::Struct(fields) => {
            fields.iter().fold(builder, |builder, field| encode(builder, path, field))
        }
        DataType::Float32 | DataType::Float64 => builder
            .set_column_dictionary_enabled(column(), false)
            .set_column_encoding(column(), Encoding::BYTE_STREAM_SPLIT),
        DataType::Binary => builder.set_column_dictionary_enabled(column(), false),
        DataType::Utf8 | DataType::Boolean => builder,
        _ => builder
            .set_column_dictionary_enabled(column(), false)
            .set_column_encoding(column(), Encoding::DELTA_BINARY_PACKED),
    };
    path.pop();
    builder
}
