//! The same through our library.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;

use pactolus::formats::mid::{Block, Reader, Stop};
use pactolus::formats::{EventView, Input, Tid};
use pactolus::{Analyzer, Catalogue, Definition, Job, Report};
use pactolus_cli::App;

use crate::chain::checksum;
use crate::table::Done;

/// The data events in memory.
fn events(mut rest: &[u8]) -> impl Iterator<Item = EventView<'_>> {
    let events = std::iter::from_fn(move || {
        let (event, behind) = EventView::parse(rest)?;
        rest = behind;
        Some(event)
    });
    events.filter(|event| event.header.id < 0x8000)
}

/// Number of data events.
pub(crate) fn count(bytes: &[u8]) -> u64 {
    events(bytes).count() as u64
}

fn bytes_of_banks(event: &EventView<'_>) -> u64 {
    event.banks().map(|bank| bank.unwrap().data.len() as u64).sum()
}

/// Bytes of all banks.
pub(crate) fn walk(bytes: &[u8]) -> u64 {
    events(bytes).map(|event| bytes_of_banks(&event)).sum()
}

/// The sum of all words of all banks.
pub(crate) fn words(bytes: &[u8]) -> u64 {
    let mut sum = 0;
    for event in events(bytes) {
        for bank in event.banks() {
            let bank = bank.unwrap();
            sum += match bank.tid() {
                // At most 32767 of them, whose sum needs no more than 32 bits.
                Some(Tid::Word) => {
                    u64::from(bank.values::<u16>().unwrap().iter().map(u32::from).sum::<u32>())
                }
                Some(Tid::Dword) => bank.values::<u32>().unwrap().iter().map(u64::from).sum(),
                other => panic!("a bank of type {other:?} in the sample experiment"),
            };
        }
    }
    sum
}

/// Bytes of all banks, from the file.
pub(crate) fn reader_walk(path: &Path) -> u64 {
    let mut reader = Reader::new(Input::open(path).unwrap());
    let (mut block, mut sum) = (Block::new(), 0);
    loop {
        let stop = reader.read(&mut block, 1 << 20).unwrap();
        let data = block.events().filter(|event| event.header.id < 0x8000);
        sum += data.map(|event| bytes_of_banks(&event)).sum::<u64>();
        if stop == Stop::End {
            return sum;
        }
    }
}

/// The sample experiment with these modules.
pub(crate) fn analyzer(catalogue: &Catalogue) -> Analyzer {
    let text = include_str!("../../examples/experiment/analyzer.toml");
    let definition = Definition::parse(text, "analyzer.toml").unwrap();
    Analyzer::from_definition(&definition, catalogue).unwrap()
}

/// A job that writes all banks; outputs are added to it.
pub(crate) fn job(input: &Path, threads: usize) -> Job {
    let mut job = Job::new().input(input).threads(threads);
    for bank in ["ADC0", "TDC0", "CADC", "ASUM", "SCLR", "ACUM"] {
        job.parameters.push((format!("/Analyzer/Bank switches/{bank}"), "1".into()));
    }
    job
}

/// Does a job.
pub(crate) fn run(analyzer: &Analyzer, job: &Job) -> Done {
    let report = analyzer.run(job).unwrap();
    assert!(report.is_clean());
    let run = &report.runs[0];
    let kept = run.requests.iter().map(|request| request.account.kept).sum();
    let test = |name| run.tests.iter().find(|test| test.0 == name).map_or(0, |test| test.1);
    let entries = run.histograms.iter().map(|histogram| histogram.entries).sum();
    Done { sum: checksum(kept, test("low_sum"), test("high_sum"), entries), written: written(&report) }
}

/// Bytes of the events that were written; histograms are as many whatever the run.
fn written(report: &Report) -> u64 {
    let events = report.outputs.iter().filter(|file| !file.path.to_string_lossy().contains(".histos."));
    events.map(|file| file.bytes).sum()
}

/// `pactolus dump FILE > /dev/null`
pub(crate) fn dump(path: &Path) {
    let app = App::new(pactolus_modules::catalogue());
    let args: [OsString; 2] = ["dump".into(), path.into()];
    let mut null = File::create("/dev/null").unwrap();
    assert_eq!(pactolus_cli::run(&app, &args, &mut null, &mut io::stderr()), 0);
}
