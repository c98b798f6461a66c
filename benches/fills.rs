//! What a fill costs, beside ndhistogram and a plain float sum.
//!
//! `cargo bench --bench fills [-- --fills 20 --rounds 7]` prints nanoseconds per fill, medians over
//! interleaved rounds. "In the engine" is the time of a whole job with a module that fills 100 times
//! per event, less that of the same job whose module only adds up the same values; one thread, so
//! that joining in the fold counts too (it works beside the worker where there are two processors).
//!
//! By arithmetic: finding the bin is two products and three conversions, counting one addition in
//! the nearest cache, and mean and width are two products of 64 bits and five additions: some 15
//! cycles of one core if nothing waits, 4 to 5 ns.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use ndhistogram::axis::Uniform;
use ndhistogram::{Histogram as _, ndhistogram, value::WeightedSum};
use pactolus::histo::ExactSum;
use pactolus::prelude::*;
use pactolus::simulate::{Shape, Simulation};

/// Values, the same for all: a peak on a slope.
const VALUES: usize = 4096;
/// Fills of an event.
const PER_EVENT: usize = 100;

fn values() -> Vec<f64> {
    let mut state = 1_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let peak = |u: &mut dyn FnMut() -> f64| 1000.0 + 50.0 * ((0..12).map(|_| u()).sum::<f64>() - 6.0);
    (0..VALUES).map(|i| if i % 3 == 0 { 4100.0 * uniform() } else { peak(&mut uniform) }).collect()
}

/// What a module does with each value.
#[derive(Clone, Copy, Default, PartialEq)]
enum What {
    #[default]
    Nothing,
    Counts,
    Weights,
    Profile,
    Map,
}

#[derive(Record, Clone)]
struct Fills {
    #[key(skip)]
    what: What,
    #[key(skip)]
    values: Vec<f64>,
    #[key(skip)]
    counts: Hist1,
    #[key(skip)]
    weights: WeightedHist1,
    #[key(skip)]
    profile: Profile,
    #[key(skip)]
    map: Hist2,
}

impl Module for Fills {
    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        let axis = || Axis::regular(500, 0.0, 4000.0);
        match self.what {
            What::Nothing => {}
            What::Counts => self.counts = setup.book("counts", Hist1::new(axis()))?,
            What::Weights => self.weights = setup.book("weights", WeightedHist1::new(axis()))?,
            What::Profile => self.profile = setup.book("profile", Profile::new(axis()))?,
            What::Map => self.map = setup.book("map", Hist2::new(axis(), axis()))?,
        }
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let start = event.serial() as usize * PER_EVENT;
        let values = (start..start + PER_EVENT).map(|i| self.values[i % VALUES]);
        match self.what {
            What::Nothing => {
                black_box(values.sum::<f64>());
            }
            What::Counts => values.for_each(|x| context.fill(self.counts, x)),
            What::Weights => values.for_each(|x| context.fill(self.weights, (x, x))),
            What::Profile => values.for_each(|x| context.fill(self.profile, (x, x))),
            What::Map => values.for_each(|x| context.fill(self.map, (x, x))),
        }
        Ok(Keep)
    }
}

/// Seconds of a job whose module does this.
fn job(path: &Path, what: What) -> f64 {
    let module = Fills { what, values: values(), ..Fills::defaults() };
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).module("Fills", module);
    let start = Instant::now();
    let report = analyzer.run(&Job::new().input(path).threads(1)).unwrap();
    assert_eq!(report.failed(), 0);
    start.elapsed().as_secs_f64()
}

/// Seconds of `fills` calls.
fn alone(fills: usize, mut fill: impl FnMut(f64)) -> f64 {
    let values = values();
    let start = Instant::now();
    for i in 0..fills {
        fill(black_box(values[i % VALUES]));
    }
    start.elapsed().as_secs_f64()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |flag: &str, default: usize| {
        let place = args.iter().position(|a| a == flag);
        place.and_then(|i| args.get(i + 1)?.parse().ok()).unwrap_or(default)
    };
    // `cargo test --benches` says nothing, and only asks whether it works.
    let trial = args.is_empty() || args.iter().any(|a| a == "--test");
    let fills = if trial { 100_000 } else { number("--fills", 20) * 1_000_000 };
    let rounds = if trial { 1 } else { number("--rounds", 7) };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run00001.mid");
    let events = (fills / PER_EVENT) as u64;
    let simulation = Simulation { run: 1, events, shape: Shape::Small, ..Simulation::default() };
    simulation.write(&mut std::fs::File::create(&path).unwrap()).unwrap();

    let engine = [What::Nothing, What::Counts, What::Map, What::Weights, What::Profile];
    let names = [
        "engine: 1-D of 500 bins",
        "engine: 2-D of 500 x 500 bins",
        "engine: 1-D with weights, exact",
        "engine: profile, exact",
        "ndhistogram alone: 1-D of 500 bins",
        "ndhistogram alone: 1-D with weights",
        "a float sum alone",
        "an exact sum alone",
    ];
    let mut seconds = vec![Vec::new(); names.len()];
    for _ in 0..rounds {
        let times: Vec<f64> = engine.iter().map(|what| job(&path, *what)).collect();
        let mut all: Vec<f64> = times[1..].iter().map(|time| time - times[0]).collect();
        let mut counts = ndhistogram!(Uniform::new(500, 0.0, 4000.0).unwrap());
        all.push(alone(fills, |x| counts.fill(&x)));
        black_box(&counts);
        let mut weights = ndhistogram!(Uniform::new(500, 0.0, 4000.0).unwrap(); WeightedSum);
        all.push(alone(fills, |x| weights.fill_with(&x, x)));
        black_box(&weights);
        let mut sum = 0.0;
        all.push(alone(fills, |x| sum += x));
        black_box(sum);
        let mut exact = ExactSum::default();
        all.push(alone(fills, |x| exact.add(x)));
        black_box(exact.value());
        seconds.iter_mut().zip(all).for_each(|(row, time)| row.push(time));
    }
    println!("{fills} fills, median of {rounds} rounds, one worker");
    println!("{:<40} {:>8} {:>8}", "", "ns", "ratio");
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] * 1e9 / fills as f64
    };
    let medians: Vec<f64> = seconds.iter_mut().map(median).collect();
    for (name, ns) in names.iter().zip(&medians) {
        println!("{name:<40} {ns:>8.2} {:>8.2}", ns / medians[4]);
    }
    println!("ratio: to ndhistogram's 1-D of 500 bins");
}
