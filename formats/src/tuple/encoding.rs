//! How columns are encoded in Parquet; `docs/tables.md` has what was measured.

use arrow_schema::{DataType, Field, Schema};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{
    DEFAULT_DATA_PAGE_ROW_COUNT_LIMIT, EnabledStatistics, WriterProperties, WriterPropertiesBuilder,
};
use parquet::schema::types::ColumnPath;

/// A page of a column has no more rows than this where the columns together would hold more values:
/// readers hold a page of each.
fn page_rows(columns: usize) -> usize {
    const WAITING: usize = 1 << 24;
    const LEAST: usize = 1 << 10;
    (WAITING / columns.max(1)).clamp(LEAST, DEFAULT_DATA_PAGE_ROW_COUNT_LIMIT)
}

/// A dictionary of floats ends with so many bytes: floats that repeat are made of small integers, and
/// the others should not cost the time of looking each of them up.
const DICTIONARY: usize = 1 << 16;

/// Encodings by type. Parquet stores small integers as 32 bits each, and a dictionary of noise is
/// larger than the noise. Words in streams of their bytes would be 10 % smaller still, but readers
/// from before 2024 refuse them.
pub(super) fn properties(schema: &Schema) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(concat!("pactolus ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_data_page_row_count_limit(page_rows(schema.fields().len()))
        // Row groups end where the writer of the table says.
        .set_max_row_group_row_count(None);
    for field in schema.fields() {
        builder = encode(builder, &mut Vec::new(), field, false);
    }
    builder.build()
}

fn encode(
    builder: WriterPropertiesBuilder,
    path: &mut Vec<String>,
    field: &Field,
    in_list: bool,
) -> WriterPropertiesBuilder {
    path.push(field.name().clone());
    let column = || ColumnPath::new(path.clone());
    let mut builder = match field.data_type() {
        DataType::List(item) => {
            path.push("list".to_owned());
            let builder = encode(builder, path, item, true);
            path.pop();
            builder
        }
        DataType::Struct(fields) => {
            fields.iter().fold(builder, |builder, field| encode(builder, path, field, in_list))
        }
        DataType::Float32 | DataType::Float64 => builder
            .set_column_dictionary_page_size_limit(column(), DICTIONARY)
            .set_column_encoding(column(), Encoding::BYTE_STREAM_SPLIT),
        DataType::Binary => builder.set_column_dictionary_enabled(column(), false),
        DataType::Utf8 | DataType::Boolean => builder,
        _ => builder
            .set_column_dictionary_enabled(column(), false)
            .set_column_encoding(column(), Encoding::DELTA_BINARY_PACKED),
    };
    if in_list && !field.data_type().is_nested() {
        // Least and largest of all elements of all rows: no reader asks for them.
        let column = ColumnPath::new(path.clone());
        builder = builder.set_column_statistics_enabled(column, EnabledStatistics::None);
    }
    path.pop();
    builder
}
