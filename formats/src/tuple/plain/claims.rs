//! What a file claims, checked before its library believes it: that reserves as many bytes as a block
//! of Arrow claims, and panics where a buffer lies outside of its block, or a column of Parquet at a
//! negative place.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use arrow_ipc::reader::read_footer_length;
use arrow_ipc::{Block, root_as_footer, root_as_message};
use arrow_schema::ArrowError;
use parquet::file::metadata::ParquetMetaData;

/// The length of the footer and the magic word behind it.
const TRAILER: u64 = 10;
/// What stands before a message: a mark and its length.
const PREFIX: usize = 8;

/// Refuses a file whose blocks or buffers do not lie within it. Leaves `file` at its beginning.
pub(in crate::tuple) fn check(file: &mut File) -> Result<(), ArrowError> {
    let len = file.metadata()?.len();
    let cut =
        |what: &str| ArrowError::ParseError(format!("{what} beyond the end: the file is cut or broken"));
    let footer = len.checked_sub(TRAILER).ok_or_else(|| cut("a directory"))?;
    let mut trailer = [0; TRAILER as usize];
    file.seek(SeekFrom::Start(footer))?;
    file.read_exact(&mut trailer)?;
    let footer_len = read_footer_length(trailer)?;
    let start = footer.checked_sub(footer_len as u64).ok_or_else(|| cut("a directory"))?;
    let bytes = read(file, start, footer_len)?;
    let footer = root_as_footer(&bytes).map_err(|error| broken(&error))?;
    let blocks = footer.recordBatches().into_iter().flatten();
    for block in blocks.chain(footer.dictionaries().into_iter().flatten()) {
        check_block(file, block, len)?.then_some(()).ok_or_else(|| cut("a block"))?;
    }
    file.rewind()?;
    Ok(())
}

/// Refuses columns of Parquet that do not lie within the file.
pub(in crate::tuple) fn check_columns(metadata: &ParquetMetaData, len: u64) -> Result<(), ArrowError> {
    let columns = metadata.row_groups().iter().flat_map(|group| group.columns());
    for column in columns {
        let first = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
        let sizes = [first, column.compressed_size(), column.num_values(), column.uncompressed_size()];
        let end = first.checked_add(column.compressed_size());
        if sizes.iter().any(|n| *n < 0) || end.is_none_or(|end| end as u64 > len) {
            return Err(cut("a column"));
        }
    }
    Ok(())
}

/// Whether a block lies within the file, and its buffers in it.
fn check_block(file: &mut File, block: &Block, len: u64) -> Result<bool, ArrowError> {
    let sizes = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()];
    let [offset, head, body] = sizes.map(|n| u64::try_from(n).unwrap_or(u64::MAX));
    let end = offset.checked_add(head).and_then(|end| end.checked_add(body));
    if end.is_none_or(|end| end > len) {
        return Ok(false);
    }
    let bytes = read(file, offset, head as usize)?;
    let message = root_as_message(bytes.get(PREFIX..).unwrap_or_default()).map_err(|error| broken(&error))?;
    let dictionary = message.header_as_dictionary_batch().and_then(|batch| batch.data());
    let Some(batch) = message.header_as_record_batch().or(dictionary) else { return Ok(false) };
    let within = |offset: i64, length: i64| {
        let end = offset.checked_add(length);
        offset >= 0 && length >= 0 && end.is_some_and(|end| end as u64 <= body)
    };
    let nodes = batch.nodes().into_iter().flatten();
    let counts = nodes.map(|node| [node.length(), node.null_count()]).chain([[batch.length(); 2]]);
    // A value takes a bit at the least.
    let mut counts = counts.flatten();
    Ok(batch.buffers().into_iter().flatten().all(|buffer| within(buffer.offset(), buffer.length()))
        && counts.all(|n| n >= 0 && n as u64 <= body.saturating_mul(8)))
}

fn read(file: &mut File, offset: u64, len: usize) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(len as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn cut(what: &str) -> ArrowError {
    ArrowError::ParseError(format!("{what} beyond the end: the file is cut or broken"))
}

fn broken(error: &dyn std::fmt::Display) -> ArrowError {
    // What it says goes over several lines.
    let text = error.to_string();
    ArrowError::ParseError(text.lines().next().unwrap_or_default().to_owned())
}
