//! The same bits in every output, whatever the threads, shards and blocks, with blocks that come late, on
//! plain and compressed input, with a module that takes its time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use pactolus::formats::Compression;
use pactolus::formats::compress::Output;
use pactolus::prelude::*;
use pactolus::simulate::Simulation;
use pactolus::{Verified, Verify};
use pactolus_modules::{ASUM, AdcCalib, AdcSum, Asum, SCLR, ScalerSum};
use tempfile::TempDir;

/// The sample experiment's ADC has four channels.
const ADC0: BankDef<u16> = pactolus_modules::ADC0.size(4);
/// What the module behind the sequential one makes of its sums.
const RATE: BankDef<f64> = BankDef::new(b"RATE");

/// Takes a time that nobody knows before, and changes nothing.
#[derive(Record, Clone)]
struct Sleepy {}

impl Module for Sleepy {
    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        if event.serial().is_multiple_of(8) {
            std::thread::sleep(Duration::from_micros(RandomState::new().hash_one(0) % 200));
        }
        Ok(Keep)
    }
}

/// Divides the sequential sums; it stands behind them.
#[derive(Record, Clone)]
struct Rates {}

impl Module for Rates {
    fn banks(&self) -> Banks {
        Banks::read(pactolus_modules::ACUM).write(RATE)
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(sums) = event.get(pactolus_modules::ACUM)? else { return Ok(Keep) };
        event.append_with(RATE, sums.len(), |i| sums.at(i) / f64::from(event.serial() + 1))?;
        if event.serial().is_multiple_of(16) {
            context.message(format!("{} after {}", sums.at(0), event.serial()));
        }
        Ok(Keep)
    }
}

/// Loses and skips some events.
#[derive(Record, Clone)]
struct Picky {
    #[key(skip)]
    large: Test,
}

impl Module for Picky {
    fn banks(&self) -> Banks {
        Banks::read(ASUM)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.large = setup.test("large");
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let sum = event.get(ASUM)?.map_or(0.0, |sum| sum.at(0).sum);
        context.set(self.large, sum > 1500.0);
        match event.serial() % 50 {
            7 => Err("a seventh".into()),
            9 => Ok(Skip),
            _ => Ok(Keep),
        }
    }
}

/// Fills histograms of every kind, with weights whose sums depend on their order in floating point.
#[derive(Record, Clone)]
struct Filling {
    #[key(skip)]
    sum: WeightedHist1,
    #[key(skip)]
    plane: WeightedHist2,
    #[key(skip)]
    profile: WeightedProfile,
    #[key(skip)]
    counts: Hist1,
    #[key(skip)]
    times: Strip,
}

impl Module for Filling {
    fn banks(&self) -> Banks {
        Banks::read(ASUM)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        let axis = || Axis::regular(200, 0.0, 4000.0);
        self.sum = setup.book("Sum", WeightedHist1::new(axis()))?;
        self.plane = setup.book("Plane", WeightedHist2::new(axis(), axis()))?;
        self.profile = setup.book("Profile", WeightedProfile::new(axis()))?;
        self.counts = setup.book("Counts", Hist1::new(axis()))?;
        self.times = setup.book("Times", Strip::new(60))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(sum) = event.get(ASUM)? else { return Ok(Keep) };
        let Asum { sum, average } = sum.at(0);
        let (sum, average) = (f64::from(sum), f64::from(average));
        let weight = (average + 0.1).recip() * f64::from(event.serial() % 97).exp2();
        context.fill(self.sum, (sum, weight));
        context.fill(self.plane, (sum, average, weight));
        context.fill(self.profile, (sum, average / 3.0, weight));
        context.fill(self.counts, sum);
        context.fill(self.times, sum / 7.0);
        Ok(Keep)
    }
}

fn analyzer() -> Analyzer {
    Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0).tests())
        .module("Calibration", AdcCalib::defaults())
        .module("Sleepy", Sleepy::defaults())
        .module("Sum", AdcSum::defaults())
        .module("Filling", Filling::defaults())
        .module("Picky", Picky::defaults())
        .on(Request::new("Scaler", 2).bank(SCLR))
        .module("Sleepy too", Sleepy::defaults())
        .sequential("Scaler sum", ScalerSum::defaults())
        .module("Rates", Rates::defaults())
}

/// Verifies a run of so many events, and its digests.
fn verify(events: u64, compression: Compression) -> Verified {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("run00007.mid");
    let mut output = Output::new(compression, None, fs::File::create(&path).unwrap()).unwrap();
    Simulation { run: 7, events, ..Simulation::default() }.write(&mut output).unwrap();
    output.finish().unwrap().flush().unwrap();
    let mut verify = Verify::new(scratch.path());
    let packed = ["packed.mid.gz", "packed.mid.lz4", "packed.asc.bz2", "packed.asc.zst"];
    verify.outputs.extend(packed.map(String::from));
    verify.blocks = vec![1 << 20, 1 << 13];
    let job = Job::new().input(&path);
    let verified = verify.run(&analyzer(), &job, &mut |_, _, _| {}).unwrap();
    let threads: Vec<usize> = verified.cases.iter().map(|c| c.case.threads).collect();
    assert_eq!(threads, [1, 1, 2, 3, 8, 1, 2, 3, 8, 2, 2, 2, 2, 2, 2]);
    let shards: Vec<u32> = verified.cases.iter().filter_map(|c| c.case.shards).collect();
    assert_eq!(shards, [1, 4, 7, 1, 4, 7]);
    assert!(verified.is_same(), "{:#?}\n{:#?}", verified.cases, verified.culprits);
    verified
}

#[test]
fn every_output_is_the_same_on_plain_and_compressed_input() {
    let packed = [Compression::None, Compression::Gzip, Compression::Lz4];
    let verified = packed.map(|compression| verify(4000, compression));
    let wanted = [
        "events.mid",
        "events.asc",
        "events.Trigger.parquet",
        "events.Scaler.arrow",
        "events.histos.json",
        "events.histos.parquet",
        "events.histos.arrow",
        "packed.mid.gz",
        "histogram Filling/Sum of run 7",
        "histogram Filling/Times of run 7",
    ];
    for name in wanted {
        assert!(verified[0].outputs.contains_key(name), "{name}: {:?}", verified[0].outputs.keys());
    }
    // The events are the same, the provenance is not: it has the digest of the input.
    let of = |verified: &Verified| {
        let events = verified.outputs.iter().filter(|(name, _)| {
            [".mid", ".asc", ".gz", ".lz4", ".bz2", ".zst"].iter().any(|e| name.ends_with(e))
        });
        events.map(|(name, digest)| (name.clone(), digest.clone())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(of(&verified[0]).len(), 6);
    assert_eq!(of(&verified[0]), of(&verified[1]));
    assert_eq!(of(&verified[0]), of(&verified[2]));
    let histograms = |verified: &Verified| {
        let all = verified.outputs.iter().filter(|(name, _)| name.starts_with("histogram"));
        all.map(|(_, digest)| digest.clone()).collect::<Vec<_>>()
    };
    assert!(histograms(&verified[0]).len() >= 5);
    assert_eq!(histograms(&verified[0]), histograms(&verified[2]));
    // It was worth comparing: events were lost, skipped, deferred and counted.
    let run = &verified[0].report.runs[0];
    assert!(run.requests.iter().any(|r| r.account.failed > 50 && r.account.skipped > 50), "{run:#?}");
    assert!(run.stages.iter().any(|s| s.name == "Rates" && s.entered == 80));
    assert!(run.tests.iter().any(|(name, count)| name == "large" && *count > 100), "{:?}", run.tests);
    assert!(run.messages.len() > 3);
}

/// On a large run, for the record: `PACTOLUS_VERIFY=run00042.mid cargo test --release --test same_bits
/// -- --ignored --nocapture` prints what is compared.
#[test]
#[ignore = "wants a large run, and minutes"]
fn every_output_of_a_large_run_is_the_same() {
    let path = std::env::var("PACTOLUS_VERIFY").unwrap();
    let job = Job::new().input(&path);
    let scratch = Path::new(&path).parent().unwrap();
    let mut tell = |n: usize, of: usize, case: &pactolus::Case| println!("{} of {of}: {case}", n + 1);
    let verified = Verify::new(scratch).run(&analyzer(), &job, &mut tell).unwrap();
    for (name, digest) in &verified.outputs {
        println!("{digest}  {name}");
    }
    assert!(verified.is_same(), "{:#?}\n{:#?}", verified.cases, verified.culprits);
}
