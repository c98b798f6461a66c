//! Whether files are whole, and what they hold.

use std::fs::{self, File};
use std::path::Path;

use pactolus::Events;
use pactolus::formats::event::Kind;
use pactolus::formats::mid::{Block, Stop};
use pactolus::formats::{Input, Limits};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// What a file of events holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Data events, or rows.
    pub(crate) events: u64,
    /// Whether serial numbers rise without a gap, per event id.
    pub(crate) in_order: bool,
}

/// Reads a file of events to its end.
pub(crate) fn events(path: &Path) -> Result<Held, String> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let failed = |why: &dyn std::fmt::Display| format!("{name}: {why}");
    if path.metadata().is_ok_and(|m| m.len() == 0) {
        return Ok(Held { events: 0, in_order: true });
    }
    let input = Input::open_with(path, &Limits::default()).map_err(|e| failed(&e))?;
    let mut events = Events::new(input, Limits::default()).map_err(|e| failed(&e))?;
    let (mut held, mut block, mut serials) = (Held { events: 0, in_order: true }, Block::new(), [None; 2]);
    loop {
        let stop = events.read(&mut block, 1 << 20).map_err(|e| failed(&e))?;
        for event in block.events() {
            let header = event.header;
            match event.kind() {
                Kind::Data => {
                    held.events += 1;
                    if let Some(last) = serials.get_mut(usize::from(header.id) - 1) {
                        held.in_order &= *last < Some(header.serial);
                        *last = Some(header.serial);
                    }
                }
                // Runs are appended where the name has no place for their number.
                _ => serials = [None; 2],
            }
            if event.kind() == Kind::Data && event.banks().any(|bank| bank.is_err()) {
                return Err(failed(&"broken banks"));
            }
        }
        match stop {
            Stop::End => return Ok(held),
            Stop::Damaged(damage) => return Err(failed(&damage)),
            _ => {}
        }
    }
}

/// Reads a table to its end; its rows.
pub(crate) fn rows(path: &Path) -> Result<u64, String> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let failed = |why: &dyn std::fmt::Display| format!("{name}: {why}");
    let file = File::open(path).map_err(|e| failed(&e))?;
    let mut rows = 0;
    if name.ends_with(".parquet") {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(&e))?;
        for batch in reader.build().map_err(|e| failed(&e))? {
            rows += batch.map_err(|e| failed(&e))?.num_rows() as u64;
        }
    } else {
        for batch in arrow_ipc::reader::FileReader::try_new(file, None).map_err(|e| failed(&e))? {
            rows += batch.map_err(|e| failed(&e))?.num_rows() as u64;
        }
    }
    Ok(rows)
}

/// Reads JSON.
pub(crate) fn json(path: &Path) -> Result<serde_json::Value, String> {
    let text = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The account of a report adds up: what was read, and what the requests made of it.
pub(crate) fn adds_up(report: &serde_json::Value) -> Result<(), String> {
    for run in report["runs"].as_array().ok_or("no runs in the report")? {
        let count = |value: &serde_json::Value, key: &str| value[key].as_u64().unwrap();
        let mut delivered = 0;
        for (id, o) in run["events"].as_object().unwrap() {
            delivered += count(o, "delivered") - count(o, "unrequested");
            if count(o, "offered") != count(o, "delivered") + count(o, "left_out") + count(o, "damaged") {
                return Err(format!("id {id}: {o}"));
            }
        }
        let mut matched = 0;
        for request in run["requests"].as_array().unwrap() {
            matched += count(request, "matched");
            let ends = count(request, "kept") + count(request, "skipped") + count(request, "failed");
            if count(request, "matched") + count(request, "created") != ends {
                return Err(format!("request: {request}"));
            }
        }
        // Each event is wanted by one request here.
        if matched != delivered {
            return Err(format!("{delivered} events delivered, {matched} matched"));
        }
    }
    Ok(())
}

/// Events that the requests of all runs have kept.
pub(crate) fn kept(report: &serde_json::Value) -> u64 {
    let runs = report["runs"].as_array().into_iter().flatten();
    let requests = runs.flat_map(|run| run["requests"].as_array().into_iter().flatten());
    requests.map(|r| r["kept"].as_u64().unwrap()).sum()
}
