//! Tests count as in a program that takes one event after the other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::MidFile;
use common::bench::{Bench, analyse, ways};
use pactolus::prelude::*;

/// Names of the tests of the model below.
const TESTS: [&str; 3] = ["a", "b", "c"];

/// Numbers that look random and are the same every time.
fn noise(seed: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0;
    for _ in 0..3 {
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 32;
    }
    x
}

/// What stage `stage` does with event `serial`: tests that it sets, and whether it keeps, skips (1)
/// or fails (2).
fn plan(seed: u64, stage: u64, serial: u32) -> (Vec<(usize, bool)>, u64) {
    let n = noise(seed << 40 ^ stage << 32 ^ u64::from(serial));
    // No test is set before the hundredth event.
    let sets = if serial < 100 { 0 } else { n & 3 };
    let sets = (0..sets).map(|i| ((n >> (8 + 4 * i)) as usize % TESTS.len(), n >> (24 + i) & 1 == 1));
    (sets.collect(), [0, 0, 0, 1, 1, 2][(n >> 32) as usize % 6])
}

/// A stage of the model.
#[derive(Record, Clone)]
struct Planned {
    #[key(skip)]
    seed: u64,
    #[key(skip)]
    stage: u64,
    #[key(skip)]
    tests: Vec<Test>,
}

impl Planned {
    fn book(&mut self, setup: &mut Setup) {
        self.tests = TESTS.iter().map(|name| setup.test(name)).collect();
    }

    fn act(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let (sets, verdict) = plan(self.seed, self.stage, event.serial());
        sets.iter().for_each(|&(test, value)| context.set(self.tests[test], value));
        match verdict {
            0 => Ok(Keep),
            1 => Ok(Skip),
            _ => Err("planned".into()),
        }
    }
}

impl Module for Planned {
    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.book(setup);
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        self.act(event, context)
    }
}

/// The same in order.
#[derive(Record, Clone)]
struct PlannedInOrder {
    #[key(skip)]
    planned: PlannedOrNot,
}

/// A field that is not a key needs a default.
#[derive(Clone, Default)]
struct PlannedOrNot(Option<Planned>);

impl Sequential for PlannedInOrder {
    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.planned.0.as_mut().unwrap().book(setup);
        Ok(())
    }

    fn event(&mut self, event: &Event, context: &Context) -> Result<Verdict> {
        self.planned.0.as_ref().unwrap().act(event, context)
    }
}

/// Requests of the model: event id, whether it counts tests, stages in order or not.
const MODEL: [(i32, bool, &[bool]); 4] =
    [(1, true, &[false]), (2, false, &[false, true]), (3, true, &[false, true, false]), (-1, true, &[true])];

/// Counts of the tests as a program without blocks finds them.
fn serially(seed: u64, events: &[(u16, u32)]) -> Vec<(String, u64)> {
    let (mut values, mut evaluated, mut counts, mut always) = ([false; 3], [false; 3], [0; 3], 0);
    for &(id, serial) in events {
        let mut stage = 0;
        for (wanted, use_tests, stages) in MODEL {
            let matched = wanted == -1 || wanted == i32::from(id);
            let mut kept = matched;
            for number in stage..stage + stages.len() as u64 {
                if !kept {
                    break;
                }
                let (sets, verdict) = plan(seed, number, serial);
                for (test, value) in sets {
                    values[test] = value;
                    evaluated[test] = true;
                }
                kept = verdict == 0;
            }
            stage += stages.len() as u64;
            if kept && use_tests && evaluated.contains(&true) {
                always += 1;
                (0..3).for_each(|t| counts[t] += u64::from(values[t]));
                values = [false; 3];
            }
        }
    }
    let mut all = vec![("Always true".to_owned(), always)];
    all.extend((0..3).filter(|t| evaluated[*t]).map(|t| (TESTS[t].to_owned(), counts[t])));
    all
}

#[test]
fn tests_left_over_by_skipped_events_count_as_in_a_serial_program() {
    for seed in 0..6 {
        let mut file = MidFile::new().bor(42);
        let mut events = Vec::new();
        for serial in 0..400 {
            let id = 1 + (noise(seed ^ u64::from(serial) << 20) % 4) as u16;
            events.push((id, serial));
            file = file.words(id, serial, "ADC0", &[1]);
        }
        let mut analyzer = Analyzer::new("Analyzer");
        let mut stage = 0;
        for (id, use_tests, stages) in MODEL {
            let request = Request::new(format!("request {id}"), id);
            analyzer = analyzer.on(if use_tests { request.tests() } else { request });
            for ordered in stages {
                let name = format!("stage {stage}");
                let planned = Planned { seed, stage, tests: Vec::new() };
                analyzer = match ordered {
                    true => {
                        analyzer.sequential(name, PlannedInOrder { planned: PlannedOrNot(Some(planned)) })
                    }
                    false => analyzer.module(name, planned),
                };
                stage += 1;
            }
        }
        let wanted = serially(seed, &events);
        assert!(wanted.len() == 4 && wanted.iter().all(|(_, count)| *count > 5), "{wanted:?}");
        for (block, threads) in ways() {
            let bench = Bench::new(&file);
            let report = analyse(&analyzer, &Job { block, ..bench.job().threads(threads) });
            assert_eq!(report.runs[0].tests, wanted, "seed {seed}, blocks of {block}, {threads} threads");
        }
    }
}
