//! `Verify` names stages that depend on order, time or chance, and no others.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{catalogue, corpus, definition};
use pactolus::prelude::*;
use pactolus::simulate::Simulation;
use pactolus::{Cause, Definition, Verified, Verify};
use pactolus_modules::{AdcCalib, AdcSum, CADC, Prescale, ScalerSum};
use tempfile::TempDir;

/// The sample experiment's ADC has four channels.
const ADC0: BankDef<u16> = pactolus_modules::ADC0.size(4);
/// What the bad modules append.
const BADD: BankDef<f64> = BankDef::new(b"BADD").size(1);
/// What depends on it.
const NEXT: BankDef<f64> = BankDef::new(b"NEXT").size(1);

/// Counts events over all threads and runs of the process.
#[derive(Record, Clone)]
struct StaticCounter {}

impl Module for StaticCounter {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(BADD)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        static EVENTS: AtomicU64 = AtomicU64::new(0);
        event.append(BADD, &[EVENTS.fetch_add(1, Ordering::Relaxed) as f64])?;
        Ok(Keep)
    }
}

/// Adds up amplitudes behind a lock, in whatever order events come. Each run begins anew.
#[derive(Record, Clone)]
struct LockedSum {
    #[key(skip)]
    sum: Arc<Mutex<f64>>,
}

impl Module for LockedSum {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(BADD)
    }

    fn prepare(&mut self, _: &mut Setup) -> Result<()> {
        self.sum = Arc::default();
        Ok(())
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        let mut sum = self.sum.lock().unwrap();
        *sum += f64::from(adc.at(0)) * 0.1;
        event.append(BADD, &[*sum])?;
        Ok(Keep)
    }
}

/// Skips events by the clock.
#[derive(Record, Clone)]
struct Clock {}

impl Module for Clock {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        // The clock may be coarse: its low digits are spread.
        let spread = now.as_nanos().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        Ok(if spread.is_multiple_of(3) { Skip } else { Keep })
    }
}

/// Reads what the bad modules append, and is good itself.
#[derive(Record, Clone)]
struct Reader {}

impl Module for Reader {
    fn banks(&self) -> Banks {
        Banks::read(BADD).write(NEXT)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        if let Some(bad) = event.get(BADD)? {
            event.append(NEXT, &[bad.at(0) * 2.0])?;
        }
        Ok(Keep)
    }
}

/// Remembers how many events it has seen: good itself, but it meets others where some are missing.
#[derive(Record, Clone)]
struct Counting {
    #[key(skip)]
    seen: u32,
}

impl Sequential for Counting {
    fn banks(&self) -> Banks {
        Banks::default().write(BankDef::<u32>::new(b"SEEN"))
    }

    fn event(&mut self, event: &Event, _: &Context) -> Result<Verdict> {
        self.seen += 1;
        event.append(BankDef::<u32>::new(b"SEEN"), &[self.seen])?;
        Ok(Keep)
    }
}

/// A chain with `bad` in the middle of good stages, and a request behind it.
fn chain(bad: impl Module + Clone + 'static) -> Analyzer {
    let trigger = Analyzer::new("Analyzer").on(Request::new("Trigger", 1).bank(ADC0));
    trigger
        .module("First", AdcCalib::defaults())
        .module("Bad", bad)
        .module("Sum", AdcSum::defaults())
        .on(Request::new("Scaler", 2))
        .sequential("Scaler sum", ScalerSum::defaults())
}

/// A run of the sample experiment.
fn run_of(directory: &Path, events: u64) -> PathBuf {
    let path = directory.join("run00001.mid");
    let mut bytes = Vec::new();
    Simulation { run: 1, events, ..Simulation::default() }.write(&mut bytes).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn verify(analyzer: &Analyzer, events: u64) -> Verified {
    let scratch = TempDir::new().unwrap();
    let job = Job::new().input(run_of(scratch.path(), events));
    let verified = Verify::new(scratch.path()).run(analyzer, &job, &mut |_, _, _| {}).unwrap();
    let left: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["run00001.mid"], "only the input is left");
    assert!(verified.report.failed() == 0, "{:#?}", verified.report.runs[0].failures);
    verified
}

/// Checks who is named with which cause, and who is said to follow.
fn named(verified: &Verified, culprits: &[(&str, Cause)], followers: &[&str]) {
    let found: Vec<_> = verified.culprits.iter().map(|c| (c.stage.as_str(), c.cause)).collect();
    let follow: Vec<_> = verified.followers.iter().map(|f| f.stage.as_str()).collect();
    assert_eq!((&*found, &*follow), (culprits, followers), "{verified:#?}");
    assert!(!verified.is_same() && !verified.is_unexplained());
}

#[test]
fn a_static_counter_is_named() {
    let analyzer = chain(StaticCounter::defaults()).on(Request::new("Other", 1));
    let verified = verify(&analyzer, 3000);
    named(&verified, &[("Bad", Cause::Chance)], &[]);
    let culprit = &verified.culprits[0];
    assert_eq!((&*culprit.request, culprit.run, culprit.stretch), ("Trigger", 1, 1));
    // Event 1 is the BOR; one event in 50 is a scaler's.
    assert_eq!((culprit.first, culprit.differ), (2, 3000 - 60), "{culprit:?}");
    let text = "stage \"Bad\" of request \"Trigger\" differs, run 1: 2940 events, the first is event 2";
    assert_eq!(culprit.to_string(), text);
    // It differs already between equal runs.
    assert!(
        culprit.cases.starts_with(&[1, 2]) && verified.cases[1].outputs.contains(&"events.mid".to_owned())
    );
}

#[test]
fn a_sum_behind_a_lock_is_named() {
    let verified = verify(&chain(LockedSum::defaults()), 3000);
    named(&verified, &[("Bad", Cause::Order)], &[]);
    // One thread takes the events in order, with small blocks too; and so it does in the end.
    let one: Vec<bool> = verified.cases.iter().filter(|c| c.case.threads == 1).map(|c| c.is_same()).collect();
    assert_eq!(one, [true; 4]);
    assert!(verified.culprits[0].first > 1 && verified.culprits[0].behind.is_none());
}

#[test]
fn a_clock_is_named_and_who_gets_fewer_events_is_not() {
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0))
        .module("First", AdcCalib::defaults())
        .module("Bad", Clock::defaults())
        .module("Sum", AdcSum::defaults())
        .sequential("Counting", Counting::defaults())
        .on(Request::new("Scaler", 2))
        .sequential("Scaler sum", ScalerSum::defaults());
    let verified = verify(&analyzer, 3000);
    named(&verified, &[("Bad", Cause::Chance)], &["Sum", "Counting"]);
    let text = "stage \"Sum\" of request \"Trigger\" follows: it meets other events";
    assert_eq!(verified.followers[0].to_string(), text);
}

#[test]
fn who_reads_what_a_bad_stage_appends_only_follows() {
    let with = |bad: fn(Analyzer) -> Analyzer| {
        bad(Analyzer::new("Analyzer").on(Request::new("Trigger", 1).bank(ADC0)))
            .module("Reader", Reader::defaults())
            .module("Sum", Prescale::defaults())
    };
    let verified = verify(&with(|a| a.module("Bad", StaticCounter::defaults())), 500);
    named(&verified, &[("Bad", Cause::Chance)], &["Reader"]);
    let text = "stage \"Reader\" of request \"Trigger\" follows: it reads BADD, which \"Bad\" appends";
    assert_eq!(verified.followers[0].to_string(), text);
    let verified = verify(&with(|a| a.module("Bad", LockedSum::defaults())), 3000);
    named(&verified, &[("Bad", Cause::Order)], &["Reader"]);
}

/// Two bad stages in one chain, of which neither reads the other's bank.
#[test]
fn each_of_several_bad_stages_is_named() {
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0))
        .module("Locked", LockedSum::defaults())
        .module("Chance", Chance::defaults());
    let verified = verify(&analyzer, 3000);
    named(&verified, &[("Locked", Cause::Order), ("Chance", Cause::Chance)], &[]);
    assert_eq!(verified.culprits[1].behind.as_deref(), Some("Locked"));
}

/// What leaves no bank behind: messages, tests, errors, panics, histograms, new events, the end of
/// the run.
#[derive(Record, Clone)]
struct Chance {
    /// What it does
    #[key("How", default = 0)]
    how: u32,
    #[key(skip)]
    test: Test,
    #[key(skip)]
    spectrum: Hist1,
}

/// A number that nobody knows before.
fn chance() -> u64 {
    RandomState::new().hash_one(0)
}

impl Module for Chance {
    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        self.test = setup.test("odd");
        self.spectrum = setup.book("Spectrum", Hist1::new(Axis::regular(10, 0.0, 10.0)))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let odd = chance() % 2 == 1;
        match self.how {
            0 => context.message(format!("{}", chance())),
            1 => context.set(self.test, odd),
            2 if odd => return Err(format!("event {}", event.serial()).into()),
            3 => assert!(!odd, "odd"),
            4 => context.fill(self.spectrum, (chance() % 10) as u8),
            5 => context.queue(NewEvent::new(7, 1, chance() as u32, 0)),
            _ => {}
        }
        Ok(Keep)
    }

    fn banks(&self) -> Banks {
        Banks::default().queues_events()
    }

    fn eor(&self, _: &EndOfRun) -> Result<()> {
        if self.how == 6 { Err(format!("{}", chance()).into()) } else { Ok(()) }
    }
}

#[test]
fn whatever_a_stage_does_is_compared() {
    for how in 0..=6 {
        let analyzer = Analyzer::new("Analyzer")
            .on(Request::new("Trigger", 1).bank(ADC0))
            .module("Prescale", Prescale::defaults())
            .module("Chance", Chance::defaults());
        let scratch = TempDir::new().unwrap();
        let mut job = Job::new().input(run_of(scratch.path(), 200));
        job.parameters.push(("Chance/How".into(), how.to_string()));
        let mut verify = Verify::new(scratch.path());
        verify.threads = vec![2];
        let verified = verify.run(&analyzer, &job, &mut |_, _, _| {}).unwrap();
        named(&verified, &[("Chance", Cause::Chance)], &[]);
        assert_eq!(verified.culprits[0].differ == 0, how == 6, "way {how}");
    }
}

/// Takes a time that nobody knows before, and changes nothing.
#[derive(Record, Clone)]
struct Sleepy {}

impl Module for Sleepy {
    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        std::thread::sleep(Duration::from_micros(chance() % 100));
        Ok(Keep)
    }
}

/// Random numbers of the pipeline's own.
#[derive(Record, Clone)]
struct Random {}

impl Module for Random {
    fn banks(&self) -> Banks {
        Banks::read(CADC).write(BADD)
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        event.append(BADD, &[f64::from(context.random().bits() as u32)])?;
        Ok(Keep)
    }
}

#[test]
fn good_stages_pass_be_they_slow_random_or_sequential() {
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0))
        .module("First", AdcCalib::defaults())
        .module("Sleepy", Sleepy::defaults())
        .module("Random", Random::defaults())
        .sequential("Counting", Counting::defaults())
        .module("Sum", AdcSum::defaults());
    let verified = verify(&analyzer, 1000);
    assert!(verified.is_same(), "{verified:#?}");
    assert_eq!(verified.cases.len(), 15);
    assert!(verified.cases.iter().any(|c| c.case.threads == 8 && c.case.delay.is_some()));
    assert!(verified.outputs.keys().any(|name| name == "events.Trigger.parquet"), "{:?}", verified.outputs);
}

#[test]
fn every_stock_module_passes() {
    let definition = Definition::read(definition("analyzer2")).unwrap();
    let analyzer = Analyzer::from_definition(&definition, &catalogue()).unwrap();
    let analyzer = analyzer.on(Request::new("Prescaled", 1)).module("Prescale", Prescale::defaults());
    let scratch = TempDir::new().unwrap();
    let mut job = Job::new().input(corpus("mid/run00008.mid"));
    job.config.push(corpus("config/banks_all.odb"));
    job.parameters.push(("Prescale/Modulo".into(), "3".into()));
    let verified = Verify::new(scratch.path()).run(&analyzer, &job, &mut |_, _, _| {}).unwrap();
    assert!(verified.is_same(), "{verified:#?}");
    let stages: Vec<_> = verified.report.runs[0].stages.iter().filter(|s| s.entered > 0).collect();
    // Skipper is no stock module, and passes too.
    assert_eq!(stages.len(), 5, "{stages:#?}");
    assert!(stages.iter().any(|s| s.skipped > 0));
}

#[test]
fn runs_and_files_are_compared_together() {
    let analyzer = chain(LockedSum::defaults());
    let scratch = TempDir::new().unwrap();
    let first = run_of(scratch.path(), 1000);
    let second = scratch.path().join("run00002.mid");
    let mut bytes = Vec::new();
    Simulation { run: 2, events: 3000, seed: 2, ..Simulation::default() }.write(&mut bytes).unwrap();
    fs::write(&second, bytes).unwrap();
    let job = Job::new().input(first).input(second);
    let verified = Verify::new(scratch.path()).run(&analyzer, &job, &mut |_, _, _| {}).unwrap();
    named(&verified, &[("Bad", Cause::Order)], &[]);
    assert_eq!(verified.report.runs.len(), 2);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let scratch = TempDir::new().unwrap();
    let analyzer = Analyzer::new("Analyzer");
    let check = |verify: Verify, job: Job| {
        let ran = verify.run(&analyzer, &job, &mut |_, _, _| {});
        ran.unwrap_err().to_string().replace(scratch.path().to_str().unwrap(), "DIR")
    };
    let verify = Verify::new(scratch.path());
    let stdin = check(verify.clone(), Job::new().input("-"));
    assert_eq!(stdin, "standard input can be read once only: name a file");
    let empty = scratch.path().join("empty.mid");
    fs::write(&empty, "").unwrap();
    let none = check(verify, Job::new().input(&empty));
    assert_eq!(none, "the inputs hold no event: nothing can be compared");
    let missing = check(Verify::new(scratch.path().join("none")), Job::new().input(&empty));
    assert_eq!(
        missing,
        "cannot make a directory for outputs in DIR/none: No such file or directory (os error 2)"
    );
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn who_asks_to_stop_gets_what_there_is() {
    let scratch = TempDir::new().unwrap();
    let job = Job::new().input(run_of(scratch.path(), 1000));
    let stop = job.stop.clone();
    let analyzer = chain(Prescale::defaults());
    let mut ask = |number: usize, _: usize, _: &pactolus::Case| {
        if number == 3 {
            stop.ask()
        }
    };
    let verified = Verify::new(scratch.path()).run(&analyzer, &job, &mut ask).unwrap();
    assert!(verified.stopped && verified.is_same());
    assert_eq!(verified.cases.len(), 3);
}
