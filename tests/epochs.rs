//! Parameters and switches that others change while events flow.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt32Type};
use arrow_array::{Array, RecordBatch};
use common::bench::{analyse, data, dwords, plain_run};
use common::modules::{ADC0, Adds, Counter, SUMS, does};
use common::stream::Stream;
use pactolus::Change;
use pactolus::odb::Odb;
use pactolus::prelude::*;

const OFFSET: &str = "/Analyzer/Parameters/Sums/Offset";
const SWITCH: &str = "/Analyzer/Module switches/Sums";

/// Adds an offset to each of two words.
fn sums() -> Analyzer {
    let trigger = Request::new("Trigger", 1).bank(ADC0.size(2)).tests();
    Analyzer::new("Analyzer").on(trigger).module("Sums", Adds { offset: vec![10, 20] })
}

fn change(path: &str, old: &str, new: &str) -> Change {
    Change { path: path.into(), old: Some(old.into()), new: Some(new.into()) }
}

/// A bank of signed words of each event of a file.
fn found(path: &Path, bank: &str) -> Vec<Option<Vec<i32>>> {
    let words = |event: &common::Plain| Some(dwords(event, bank)?.into_iter().map(|w| w as i32).collect());
    data(path).iter().map(words).collect()
}

/// Epoch and sums of each row of a table.
fn rows(batches: &[RecordBatch]) -> Vec<(u32, Option<Vec<i32>>)> {
    let mut rows = Vec::new();
    for batch in batches {
        let epochs = batch.column_by_name("epoch").unwrap().as_primitive::<UInt32Type>();
        let sums = batch.column_by_name("SUMS").unwrap().as_list::<i32>();
        for row in 0..batch.num_rows() {
            let values = sums.is_valid(row).then(|| sums.value(row));
            let values = values.map(|v| v.as_primitive::<Int32Type>().values().to_vec());
            rows.push((epochs.value(row), values));
        }
    }
    rows
}

fn parquet(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

fn arrow(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap();
    arrow_ipc::reader::FileReader::try_new(file, None).unwrap().map(Result::unwrap).collect()
}

#[test]
fn each_change_is_one_epoch_at_a_stated_event() {
    for threads in [1, 2, 4] {
        let mut stream = Stream::start(sums, Odb::local(), |mut job, path| {
            for name in ["r%05d.mid", "r%05d.asc", "r%05d.parquet", "r%05d.arrow"] {
                job = job.output(path(name)).unwrap();
            }
            job.threads(threads)
        });
        stream.words(0..3, &[1, 2]);
        stream.set(&format!("{OFFSET}[0]"), "100");
        stream.words(3..5, &[1, 2]);
        stream.set(SWITCH, "n");
        stream.words(5..7, &[1, 2]);
        // What is elsewhere, or no change, is no epoch.
        stream.set(SWITCH, "n");
        stream.odb.create("/Elsewhere/x", 1).unwrap();
        stream.words(7..8, &[1, 2]);
        let (report, dir) = stream.end();

        let (a, b) = (Some(vec![11, 22]), Some(vec![101, 22]));
        let sums = [&a, &a, &a, &b, &b, &None, &None, &None].map(Clone::clone);
        assert_eq!(found(&dir.path().join("r00042.mid"), "SUMS"), sums);
        let wanted: Vec<_> = [0, 0, 0, 1, 1, 2, 2, 2].into_iter().zip(sums).collect();
        assert_eq!(rows(&parquet(&dir.path().join("r00042.Trigger.parquet"))), wanted);
        assert_eq!(rows(&arrow(&dir.path().join("r00042.Trigger.arrow"))), wanted);
        let text = std::fs::read_to_string(dir.path().join("r00042.asc")).unwrap();
        let firsts = text.lines().skip_while(|line| !line.starts_with("%ID 1")).collect::<Vec<_>>();
        let firsts = firsts.windows(2).filter(|pair| pair[0].starts_with("BK SUMS")).map(|pair| pair[1].trim());
        assert_eq!(firsts.collect::<Vec<_>>(), ["11", "11", "11", "101", "101"], "{text}");

        let run = &report.runs[0];
        let epochs: Vec<_> = run.epochs.iter().map(|e| (e.epoch, e.first_event, &*e.changes)).collect();
        let offset = change("/Analyzer/Parameters/Sums/Offset[0]", "10", "100");
        let switch = change("/Analyzer/Module switches/Sums", "y", "n");
        // The BOR is event 1.
        assert_eq!(epochs, [(1, 5, &[offset][..]), (2, 7, &[switch][..])]);
        assert_eq!((run.stages[0].entered, run.stages[0].on), (5, false));
        let explained = run.parameters.iter().find(|p| p.path == OFFSET).unwrap();
        assert_eq!((&*explained.value, &*explained.origin), ("100 20", "changed before event 5"));
        assert_eq!(report.warnings, Vec::<String>::new());

        let text = std::fs::read(dir.path().join("r00042.mid.provenance.json")).unwrap();
        let provenance: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let epochs = provenance["runs"][0]["epochs"].as_array().unwrap();
        let told = |i: usize| {
            let value = |path: &str| epochs[i]["values"][path].to_string();
            (epochs[i]["epoch"].as_u64(), epochs[i]["first_event"].as_u64(), value(OFFSET), value(SWITCH))
        };
        assert_eq!(told(0), (Some(0), None, r#"["10","20"]"#.into(), r#""y""#.into()));
        assert_eq!(told(1), (Some(1), Some(5), r#"["100","20"]"#.into(), r#""y""#.into()));
        assert_eq!(told(2), (Some(2), Some(7), r#"["100","20"]"#.into(), r#""n""#.into()));
        assert_eq!(epochs.len(), 3);
    }
}
