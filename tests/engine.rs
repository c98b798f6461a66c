//! The block engine through its library interface, with small modules and files built byte by byte.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use common::{MidFile, Plain};
use pactolus::prelude::*;
use pactolus::{Definition, Error, Offered, Report, RequestReport, Requested, RunReport, Selection};
use tempfile::TempDir;

/// What a module does with an event.
#[derive(Clone, Copy)]
struct Act(fn(&Event, &Context) -> Result<Verdict>);

impl Default for Act {
    fn default() -> Act {
        Act(|_, _| Ok(Keep))
    }
}

/// A module that does what the test says.
#[derive(Record, Clone)]
struct Does {
    #[key(skip)]
    act: Act,
    #[key(skip)]
    queues: bool,
}

/// A module that does as the test says.
fn does(act: fn(&Event, &Context) -> Result<Verdict>) -> Does {
    Does { act: Act(act), queues: false }
}

/// ... and makes events.
fn makes(act: fn(&Event, &Context) -> Result<Verdict>) -> Does {
    Does { act: Act(act), queues: true }
}

impl Does {
    fn declared(&self) -> Banks {
        let banks = Banks::default();
        if self.queues { banks.queues_events() } else { banks }
    }
}

impl Module for Does {
    fn banks(&self) -> Banks {
        self.declared()
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        self.act.0(event, context)
    }
}

/// The same, seeing the events one after the other.
#[derive(Record, Clone)]
struct InOrder {
    #[key(skip)]
    does: Does,
}

impl Default for Does {
    fn default() -> Does {
        Does::defaults()
    }
}

fn in_order(does: Does) -> InOrder {
    InOrder { does }
}

impl Sequential for InOrder {
    fn banks(&self) -> Banks {
        self.does.declared()
    }

    fn event(&mut self, event: &Event, context: &Context) -> Result<Verdict> {
        self.does.act.0(event, context)
    }
}

/// Words of an ADC.
const ADC0: BankDef<u16> = BankDef::new(b"ADC0");
/// How many events the sequential stage has seen.
const SEEN: BankDef<u32> = BankDef::new(b"SEEN");
/// What a stage behind it makes of that.
const DBLE: BankDef<u32> = BankDef::new(b"DBLE");
/// A bank of a new event.
const NEWS: BankDef<u32> = BankDef::new(b"NEWS");

/// Counts the events of a run.
#[derive(Record, Clone)]
struct Counter {
    #[key(skip)]
    seen: u32,
}

impl Sequential for Counter {
    fn banks(&self) -> Banks {
        Banks::default().write(SEEN)
    }

    fn event(&mut self, event: &Event, _: &Context) -> Result<Verdict> {
        self.seen += 1;
        event.append(SEEN, &[self.seen])?;
        Ok(Keep)
    }
}

/// A directory with a file, and what a job makes of it.
struct Bench {
    dir: TempDir,
}

impl Bench {
    /// A bench with the file `run00042.mid`.
    fn new(file: &MidFile) -> Bench {
        let bench = Bench { dir: TempDir::new().unwrap() };
        file.save(bench.path("run00042.mid"));
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A job over that file.
    fn job(&self) -> Job {
        Job::new().input(self.path("run00042.mid")).threads(1)
    }

    /// ... that writes `out.mid`.
    fn writing(&self) -> Job {
        self.job().output(self.path("out.mid").to_str().unwrap()).unwrap()
    }

    /// The data events that a job wrote.
    fn written(&self) -> Vec<Plain> {
        data(&self.path("out.mid"))
    }
}

/// The data events of a file.
fn data(path: &Path) -> Vec<Plain> {
    common::events(path, u16::MAX).into_iter().filter(|e| e.header.id < 0x8000).collect()
}

/// Id and serial number of each event.
fn names(events: &[Plain]) -> Vec<(u16, u32)> {
    events.iter().map(|e| (e.header.id, e.header.serial)).collect()
}

/// The values of a bank of 32-bit words.
fn dwords(event: &Plain, name: &str) -> Option<Vec<u32>> {
    let (_, _, data) = event.banks.iter().find(|(bank, _, _)| bank == name)?;
    Some(data.chunks(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect())
}

/// A run of events of id 1 with four words each.
fn plain_run(events: u32) -> MidFile {
    let mut file = MidFile::new().bor(42);
    for serial in 0..events {
        file = file.words(1, serial, "ADC0", &[serial as u16, 2, 3, 4]);
    }
    file.eor(42)
}

/// A few ways to cut the input and share the work.
fn ways() -> impl Iterator<Item = (usize, usize)> {
    [1, 150, 4096, 1 << 20].into_iter().flat_map(|block| [(block, 1), (block, 2), (block, 4)])
}

/// No event is unaccounted for.
fn assert_accounts(report: &Report) {
    for run in &report.runs {
        for (id, o) in &run.events {
            assert_eq!(o.offered, o.delivered + o.left_out + o.damaged, "id {id}: {o:?}");
        }
        for RequestReport { name, account: r } in &run.requests {
            assert_eq!(r.matched + r.created, r.kept + r.skipped + r.failed, "{name}: {r:?}");
        }
    }
}

fn request(run: &RunReport, name: &str) -> Requested {
    run.requests.iter().find(|r| r.name == name).unwrap().account
}

/// Runs a job, with the accounts checked.
fn analyse(analyzer: &Analyzer, job: &Job) -> Report {
    let report = analyzer.run(job).unwrap();
    assert_accounts(&report);
    report
}

/// Does a job in every way; the first file written and report, which all others equal.
fn same_in_every_way(
    file: &MidFile,
    analyzer: &Analyzer,
    change: impl Fn(Job) -> Job,
) -> (Vec<u8>, RunReport) {
    let mut first: Option<(Vec<u8>, RunReport)> = None;
    for (block, threads) in ways() {
        let bench = Bench::new(file);
        let job = Job { block, ..bench.writing().threads(threads) };
        let report = analyse(analyzer, &change(job));
        assert_eq!(report.runs.len(), 1);
        let mut run = report.runs[0].clone();
        run.input = PathBuf::new();
        run.stages.iter_mut().for_each(|s| s.seconds = 0.0);
        let now = (fs::read(bench.path("out.mid")).unwrap(), run);
        let (bytes, run) = first.get_or_insert_with(|| now.clone());
        let case = format!("blocks of {block} bytes, {threads} threads");
        assert_eq!(now.1, *run, "{case}");
        assert!(now.0 == *bytes, "{case}: out.mid differs");
    }
    first.unwrap()
}

#[test]
fn every_event_is_accounted_for() {
    let mut file = MidFile::new().bor(42);
    for serial in 0..100 {
        file = file.words(1 + (serial % 3) as u16, serial, "ADC0", &[serial as u16]);
    }
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("One", 1))
        .module("skips", does(|e, _| Ok(if e.serial() % 2 == 0 { Keep } else { Skip })))
        .module("fails", does(|e, _| if e.serial() % 6 == 0 { Err("six".into()) } else { Ok(Keep) }))
        .on(Request::new("Two", 2));
    let (_, run) = same_in_every_way(&file.eor(42), &analyzer, |job| job);
    // Serial numbers of id 1: 0, 3, ..., 99; of them 17 are odd, and the even ones multiples of six.
    assert_eq!(
        request(&run, "One"),
        Requested { matched: 34, skipped: 17, failed: 17, ..Requested::default() }
    );
    assert_eq!(request(&run, "Two"), Requested { matched: 33, kept: 33, ..Requested::default() });
    assert_eq!(run.events[&3], Offered { offered: 33, delivered: 33, unrequested: 33, ..Offered::default() });
    assert_eq!(
        run.stages.iter().map(|s| (s.entered, s.skipped, s.failed)).collect::<Vec<_>>(),
        [(34, 17, 0), (17, 0, 17)]
    );
}

#[test]
fn an_error_and_a_panic_cost_one_event_each() {
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).module(
        "breaks",
        does(|e, _| match e.serial() {
            3 => Err("three is too much".into()),
            5 => panic!("five is far too much"),
            _ => Ok(Keep),
        }),
    );
    let bench = Bench::new(&plain_run(8));
    let report = analyse(&analyzer, &bench.writing());
    let failures = &report.runs[0].failures;
    let said: Vec<_> = failures.iter().map(|f| (f.event, f.id, f.serial, &*f.stage, &*f.reason)).collect();
    let wanted =
        [(5, 1, 3, "breaks", "three is too much"), (7, 1, 5, "breaks", "panicked: five is far too much")];
    assert_eq!(said, wanted);
    assert_eq!(names(&bench.written()), [(1, 0), (1, 1), (1, 2), (1, 4), (1, 6), (1, 7)]);
    assert!(!report.is_clean() && report.failed() == 2);
}

#[test]
fn an_error_and_a_panic_of_a_sequential_module_cost_one_event_each() {
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).sequential(
        "breaks",
        in_order(does(|e, _| match e.serial() {
            3 => Err("three is too much".into()),
            5 => panic!("five is far too much"),
            _ => Ok(Keep),
        })),
    );
    let bench = Bench::new(&plain_run(8));
    let report = analyse(&analyzer, &bench.writing());
    assert_eq!(report.runs[0].failures.len(), 2);
    assert_eq!(names(&bench.written()), [(1, 0), (1, 1), (1, 2), (1, 4), (1, 6), (1, 7)]);
}

/// Panics at a step of its life.
#[derive(Record, Clone)]
struct Panics {
    #[key(skip)]
    at: u8,
}

impl Module for Panics {
    fn prepare(&mut self, _: &mut Setup) -> Result<()> {
        assert!(self.at != 1, "in prepare");
        Ok(())
    }

    fn bor(&self, _: &Run) -> Result<()> {
        assert!(self.at != 2, "in bor");
        Ok(())
    }

    fn event(&self, _: &Event, _: &Context) -> Result<Verdict> {
        Ok(Keep)
    }

    fn eor(&self, _: &EndOfRun) -> Result<()> {
        assert!(self.at != 3, "in eor");
        Ok(())
    }
}

#[test]
fn a_panic_at_begin_of_run_is_an_error_that_names_the_stage() {
    for at in [1, 2] {
        let bench = Bench::new(&plain_run(8));
        let analyzer = Analyzer::new("Analyzer").module("careless", Panics { at });
        let result =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| analyzer.run(&bench.writing())));
        let error = result.expect("the program goes on").unwrap_err();
        assert!(matches!(error, Error::Stage { .. }), "{error}");
        assert!(!bench.path("out.mid").exists());
    }
}

#[test]
fn a_panic_at_end_of_run_is_an_error_of_the_run() {
    let bench = Bench::new(&plain_run(8));
    let analyzer = Analyzer::new("Analyzer").module("careless", Panics { at: 3 });
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| analyzer.run(&bench.writing())));
    let report = result.expect("the program goes on").unwrap();
    assert_eq!(report.runs[0].errors.len(), 1);
    assert_eq!(bench.written().len(), 8);
}

#[test]
fn a_bank_of_another_type_costs_the_event() {
    let file =
        MidFile::new().bor(42).event(1, 0, &[("ADC0", Tid::Dword, &[1, 0, 0, 0])]).words(1, 1, "ADC0", &[7]);
    let bench = Bench::new(&file);
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0))
        .module("reads", does(|e, _| e.get(ADC0)?.map(|_| Keep).ok_or("no bank".into())));
    let report = analyse(&analyzer, &bench.writing());
    assert_eq!(report.runs[0].failures[0].reason, "bank ADC0: WORD wanted, DWORD found");
    assert_eq!(names(&bench.written()), [(1, 1)]);
}

#[test]
fn what_exists_is_never_changed() {
    let bench = Bench::new(&plain_run(1));
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).module(
        "appends",
        does(|e, _| {
            e.append(NEWS, &[1])?;
            assert!(e.append(NEWS, &[2]).is_err());
            e.append(ADC0, &[1])?;
            Ok(Keep)
        }),
    );
    let report = analyse(&analyzer, &bench.writing());
    let reason = &report.runs[0].failures[0].reason;
    assert_eq!(reason, "bank ADC0 cannot be appended: the event has one of that name");
}

#[test]
fn a_switched_off_stage_sees_nothing() {
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1))
        .sequential("Count", Counter::defaults())
        .module("Fail", does(|_, _| Err("never".into())));
    let bench = Bench::new(&plain_run(5));
    let mut job = bench.writing();
    for stage in ["Count", "Fail"] {
        job.parameters.push((format!("/Analyzer/Module switches/{stage}"), "n".into()));
    }
    let report = analyse(&analyzer, &job);
    let stages = &report.runs[0].stages;
    assert!(stages.iter().all(|s| !s.on && s.entered == 0), "{stages:?}");
    assert!(bench.written().iter().all(|e| e.banks.len() == 1));
}

/// Adds an offset to each word.
#[derive(Record, Clone)]
struct Adds {
    /// Offset of each word
    #[key("Offset", default = 0, per = ADC0)]
    offset: Vec<i32>,
}

/// The sums.
const SUMS: BankDef<i32> = BankDef::new(b"SUMS");

impl Module for Adds {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(SUMS)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        let Some(adc) = event.get(ADC0)? else { return Ok(Keep) };
        event.append_with(SUMS, adc.len(), |i| i32::from(adc.at(i)) + self.offset[i])?;
        Ok(Keep)
    }
}

#[test]
fn a_module_is_mounted_twice_under_two_names_with_banks_of_its_own() {
    let definition = r#"
        [[request]]
        name = "Trigger"
        id = 1
        banks = { ADC0 = "WORD[4]", ADC1 = "WORD[2]" }
        [[request.module]]
        type = "Adds"
        name = "first"
        parameters = { Offset = [10, 20, 30, 40] }
        [[request.module]]
        type = "Adds"
        name = "second"
        parameters = { Offset = [1000, 2000] }
        banks = { ADC0 = "ADC1", SUMS = "SUM1" }
    "#;
    let definition = Definition::parse(definition, "test.toml").unwrap();
    let catalogue = Catalogue::new().module::<Adds>("Adds");
    let analyzer = Analyzer::from_definition(&definition, &catalogue).unwrap();
    let adc = |words: &[u16]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let (adc0, adc1) = (adc(&[1, 2, 3, 4]), adc(&[5, 6]));
    let file = MidFile::new().bor(42).event(1, 0, &[("ADC0", Tid::Word, &adc0), ("ADC1", Tid::Word, &adc1)]);
    let bench = Bench::new(&file);
    let mut job = bench.writing();
    job.parameters.push(("second/Offset[1]".into(), "3000".into()));
    assert!(analyse(&analyzer, &job).is_clean());
    let event = &bench.written()[0];
    assert_eq!(dwords(event, "SUMS").unwrap(), [11, 22, 33, 44]);
    assert_eq!(dwords(event, "SUM1").unwrap(), [1005, 3006]);
}

#[test]
fn an_array_shorter_than_its_bank_costs_the_event() {
    let file = MidFile::new().bor(42).words(1, 0, "ADC0", &[1, 2]).words(1, 1, "ADC0", &[1, 2, 3]);
    let bench = Bench::new(&file.words(1, 2, "ADC0", &[]).words(1, 3, "ADC0", &[1]));
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0))
        .module("adds", Adds { offset: vec![1, 2] });
    let mut job = bench.writing();
    let config = bench.path("two.odb");
    fs::write(&config, "[Analyzer/Parameters/adds]\nOffset = INT[2] :\n[0] 10\n[1] 20\n").unwrap();
    job.config.push(config);
    let report = analyse(&analyzer, &job);
    let failures = &report.runs[0].failures;
    assert_eq!(failures.len(), 1);
    let failure = (failures[0].serial, &*failures[0].reason);
    assert_eq!(failure, (1, "parameter \"Offset\" has 2 values, but bank ADC0 has 3 elements"));
    let sums: Vec<_> = bench.written().iter().map(|e| dwords(e, "SUMS").unwrap()).collect();
    assert_eq!(sums, [vec![11, 22], vec![], vec![11]]);
}

#[test]
fn a_sequential_stage_sees_the_events_in_order_and_a_wide_one_may_follow() {
    let mut file = MidFile::new().bor(42);
    for serial in 0..200 {
        file = file.words(1 + (serial % 2) as u16, serial, "ADC0", &[1]);
    }
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Wide", 2))
        .on(Request::new("Ordered", 1))
        .module("before", does(|e, _| Ok(if e.serial() % 10 == 4 { Skip } else { Keep })))
        .sequential("count", Counter::defaults())
        .module(
            "behind",
            does(|e, _| {
                let seen = e.get(SEEN)?.ok_or("not counted")?.at(0);
                e.append(DBLE, &[2 * seen])?;
                Ok(if e.serial() % 10 == 6 { Skip } else { Keep })
            }),
        );
    let (bytes, run) = same_in_every_way(&file.eor(42), &analyzer, |job| job);
    assert_eq!(
        request(&run, "Ordered"),
        Requested { matched: 100, kept: 60, skipped: 40, ..Requested::default() }
    );
    let (mut seen, mut wanted) = (0, Vec::new());
    for serial in 0..200 {
        match serial % 10 {
            odd if odd % 2 == 1 => wanted.push((2, serial, None)),
            4 => {}
            place => {
                seen += 1;
                if place != 6 {
                    wanted.push((1, serial, Some(vec![2 * seen])));
                }
            }
        }
    }
    let bench = Bench::new(&MidFile { bytes });
    let found: Vec<_> = data(&bench.path("run00042.mid"))
        .iter()
        .map(|e| (e.header.id, e.header.serial, dwords(e, "DBLE")))
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_sequential_module_starts_fresh_in_each_run() {
    let bench = Bench::new(&plain_run(3));
    plain_run(2).save(bench.path("run00043.mid"));
    let analyzer = Analyzer::new("Analyzer").sequential("count", Counter::defaults());
    let job = bench.writing().input(bench.path("run00043.mid"));
    analyse(&analyzer, &job);
    let seen: Vec<u32> = bench.written().iter().map(|e| dwords(e, "SEEN").unwrap()[0]).collect();
    assert_eq!(seen, [1, 2, 3, 1, 2]);
}

#[test]
fn two_requests_start_from_the_raw_event() {
    let append = does(|e, _| {
        assert!(e.get(NEWS)?.is_none(), "a bank of the other request");
        e.append(NEWS, &[e.serial()])?;
        Ok(Keep)
    });
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("One", 1))
        .module("first", append.clone())
        .on(Request::new("Same", 1))
        .module("skips", does(|e, _| Ok(if e.serial() == 1 { Skip } else { Keep })))
        .on(Request::new("All", -1))
        .module("second", append);
    let bench = Bench::new(&plain_run(3));
    let report = analyse(&analyzer, &bench.writing());
    assert!(report.is_clean(), "{:?}", report.runs[0].failures);
    let banks: Vec<_> = bench.written().iter().map(|e| (e.header.serial, e.banks.len())).collect();
    assert_eq!(banks, [(0, 2), (0, 1), (0, 2), (1, 2), (1, 2), (2, 2), (2, 1), (2, 2)]);
}

#[test]
fn the_trigger_mask_selects_and_zero_matches_only_every_mask() {
    let mut file = MidFile::new().bor(42);
    let payload = &MidFile::new().words(1, 0, "ADC0", &[1]).bytes[16..].to_vec();
    for (serial, mask) in [0u16, 1, 2, 3, 0x8000].into_iter().enumerate() {
        file = file.raw(1, mask, serial as u32, payload);
    }
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Two", 1).mask(2)).on(Request::new("Every", 1));
    let report = analyse(&analyzer, &Bench::new(&file).job());
    assert_eq!(request(&report.runs[0], "Two").matched, 2);
    assert_eq!(request(&report.runs[0], "Every").matched, 5);
}

/// Makes an event of id 50 for every event, and skips the even ones.
fn maker() -> Does {
    makes(|e, context| {
        for i in 0..e.serial() % 3 {
            context.queue(NewEvent::new(50, 1, e.serial() * 10 + i, e.time()).bank(NEWS, &[e.serial()]));
        }
        Ok(if e.serial() % 2 == 0 { Skip } else { Keep })
    })
}

/// What the chains below make of `events` events, in the order of a serial program.
fn with_news(events: u32) -> Vec<(u16, u32)> {
    let mut wanted = Vec::new();
    for serial in 0..events {
        if serial % 2 == 1 {
            wanted.push((1, serial));
        }
        wanted.extend((0..serial % 3).map(|i| (50, serial * 10 + i)));
        wanted.push((1, serial));
    }
    wanted
}

/// A request of new events before their maker, the maker, and two requests behind it.
fn newsroom(mount: impl Fn(Analyzer) -> Analyzer) -> Analyzer {
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Early", 50)).on(Request::new("Maker", 1));
    mount(analyzer)
        .on(Request::new("Late", 50))
        .module(
            "reads",
            does(|e, _| {
                let from = e.get(NEWS)?.ok_or("no news")?.at(0);
                if from == e.serial() / 10 { Ok(Keep) } else { Err("wrong news".into()) }
            }),
        )
        .on(Request::new("Again", 1))
}

#[test]
fn new_events_stand_in_the_place_of_their_maker_and_go_to_later_requests_only() {
    let modes: [fn(Analyzer) -> Analyzer; 3] = [
        |a| a.module("makes", maker()),
        |a| a.sequential("makes", in_order(maker())),
        |a| a.module("makes", maker()).sequential("count", in_order(Does::default())),
    ];
    for (mode, mount) in modes.into_iter().enumerate() {
        let (bytes, run) = same_in_every_way(&plain_run(60), &newsroom(mount), |job| job);
        let bench = Bench::new(&MidFile { bytes });
        assert_eq!(names(&data(&bench.path("run00042.mid"))), with_news(60), "mode {mode}");
        assert_eq!(request(&run, "Early"), Requested::default());
        assert_eq!(request(&run, "Late"), Requested { created: 60, kept: 60, ..Requested::default() });
    }
}

#[test]
fn new_events_reach_a_sequential_stage_in_order() {
    for ordered_maker in [false, true] {
        let analyzer = Analyzer::new("Analyzer").on(Request::new("Maker", 1));
        let analyzer = match ordered_maker {
            true => analyzer.sequential("makes", in_order(maker())),
            false => analyzer.module("makes", maker()),
        };
        let analyzer = analyzer.on(Request::new("All", -1)).sequential("count", Counter::defaults());
        let (bytes, _) = same_in_every_way(&plain_run(60), &analyzer, |job| job);
        let bench = Bench::new(&MidFile { bytes });
        let events = data(&bench.path("run00042.mid"));
        assert_eq!(names(&events), with_news(60));
        let seen: Vec<u32> = events.iter().filter_map(|e| dwords(e, "SEEN")).map(|s| s[0]).collect();
        assert_eq!(seen, (1..=120).collect::<Vec<u32>>());
    }
}

/// A bank area that claims more than it holds.
fn broken() -> Vec<u8> {
    let whole = MidFile::new().words(1, 0, "ADC0", &[1, 2, 3, 4]).bytes;
    let mut payload = whole[16..].to_vec();
    payload[16] = 200; // the size of the bank
    payload
}

#[test]
fn a_broken_bank_area_costs_one_event_and_is_counted_as_damaged() {
    let mut file = MidFile::new().bor(42);
    for serial in 0..6 {
        file = match serial {
            2 => file.raw(1, 1, serial, &broken()),
            4 => file.raw(1, 1, serial, b"few"),
            _ => file.words(1, serial, "ADC0", &[1]),
        };
    }
    // Two requests want it: it is damaged once.
    let analyzer = Analyzer::new("Analyzer").on(Request::new("One", 1)).on(Request::new("Same", 1));
    let (bytes, run) = same_in_every_way(&file.eor(42), &analyzer, |job| job);
    assert_eq!(run.events[&1], Offered { offered: 6, delivered: 4, damaged: 2, ..Offered::default() });
    assert_eq!(request(&run, "One").kept, 4);
    let wanted = [
        "bank ADC0 cut short: 200 bytes needed, 8 left at byte 105, event 4 (id 1 serial 2)",
        "bank area header cut short: 8 bytes needed, 3 left at byte 193, event 6 (id 1 serial 4)",
    ];
    assert_eq!(run.damage, wanted);
    let bench = Bench::new(&MidFile { bytes });
    assert_eq!(data(&bench.path("run00042.mid")).len(), 8);
}

#[test]
fn broken_banks_are_counted_also_behind_a_sequential_maker_of_events() {
    let file = plain_run(5).raw(7, 1, 0, &broken()).raw(1, 1, 5, &broken()).words(1, 6, "ADC0", &[1]);
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Maker", 1))
        .sequential("makes", in_order(maker()))
        .on(Request::new("Seven", 7))
        .on(Request::new("Again", 1));
    let (_, run) = same_in_every_way(&file, &analyzer, |job| job);
    assert_eq!(run.events[&7], Offered { offered: 1, damaged: 1, ..Offered::default() });
    assert_eq!(run.events[&1], Offered { offered: 7, delivered: 6, damaged: 1, ..Offered::default() });
    assert_eq!(run.damage.len(), 2);
}

#[test]
fn a_cut_file_keeps_what_came_before_and_says_where_it_was_cut() {
    let whole = plain_run(4).bytes;
    // BOR of 17 bytes, events of 44 bytes.
    let events: Vec<usize> = (0..4).map(|i| 17 + 44 * i).collect();
    for cut in 1..whole.len() {
        let bench = Bench::new(&MidFile { bytes: whole[..cut].to_vec() });
        let report = analyse(&Analyzer::new("Analyzer"), &bench.writing());
        let before = events.iter().filter(|start| **start + 44 <= cut).count();
        let end = match before {
            4 if cut >= whole.len() => whole.len(),
            0 if cut < 17 => 0,
            n => 17 + 44 * n,
        };
        if cut == end {
            assert!(report.damage.is_empty(), "cut at {cut}");
            continue;
        }
        let damage = &report.damage.places[0].damage;
        assert_eq!(
            (report.damage.count, damage.offset, report.runs.len()),
            (1, end as u64, 1),
            "cut at {cut}"
        );
        assert!(!report.is_clean());
        if cut >= 17 {
            assert_eq!(bench.written().len(), before, "cut at {cut}");
        }
        assert_eq!(report.runs[0].run, 42);
    }
    let bench = Bench::new(&MidFile { bytes: whole[..100].to_vec() });
    let report = analyse(&Analyzer::new("Analyzer"), &bench.job());
    let said = report.damage.places[0].damage.to_string();
    assert_eq!(said, "event body cut short: 28 bytes needed, 23 left at byte 61, event 3; 39 bytes lost");
}

#[test]
fn every_flipped_byte_is_survived_with_the_accounts_in_order() {
    let whole = plain_run(3).bytes;
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Trigger", 1).bank(ADC0))
        .module("adds", Adds { offset: vec![0; 100] })
        .sequential("count", Counter::defaults())
        .on(Request::new("All", -1));
    for at in 0..whole.len() {
        for bit in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            let bench = Bench::new(&MidFile { bytes });
            analyse(&analyzer, &bench.writing());
        }
    }
}

#[test]
fn runs_of_one_file_have_reports_and_files_of_their_own() {
    let mut file = MidFile::new();
    for (run, events) in [(7, 3), (8, 2)] {
        file = file.bor(run);
        for serial in 0..events {
            file = file.words(1, serial, "ADC0", &[run as u16]);
        }
        file = file.eor(run);
    }
    let analyzer = Analyzer::new("Analyzer").sequential("count", Counter::defaults());
    for (block, threads) in ways() {
        let bench = Bench::new(&file);
        let job = bench.writing().output(bench.path("r%05d.mid").to_str().unwrap()).unwrap();
        let report = analyse(&analyzer, &Job { block, ..job.threads(threads) });
        let runs: Vec<_> = report.runs.iter().map(|r| (r.run, r.system, r.events[&1].offered)).collect();
        assert_eq!(runs, [(7, 2, 3), (8, 2, 2)]);
        assert_eq!(names(&data(&bench.path("r00007.mid"))), [(1, 0), (1, 1), (1, 2)]);
        assert_eq!(names(&data(&bench.path("r00008.mid"))), [(1, 0), (1, 1)]);
        let all = common::events(&bench.path("out.mid"), u16::MAX);
        let ids: Vec<u16> = all.iter().map(|e| e.header.id).collect();
        assert_eq!(ids, [0x8000, 1, 1, 1, 0x8001, 0x8000, 1, 1, 0x8001]);
        let seen: Vec<u32> = bench.written().iter().map(|e| dwords(e, "SEEN").unwrap()[0]).collect();
        assert_eq!(seen, [1, 2, 3, 1, 2]);
    }
}

#[test]
fn data_behind_the_end_of_run_belong_to_the_run() {
    let file = plain_run(2).words(1, 2, "ADC0", &[1]).message("late");
    let (bytes, run) = same_in_every_way(&file, &Analyzer::new("Analyzer"), |job| job);
    assert_eq!((run.run, run.system, run.events[&1].offered), (42, 3, 3));
    assert!(bytes.len() >= file.bytes.len());
}

#[test]
fn without_a_begin_of_run_the_file_name_says_the_run() {
    for (name, run) in [("run00077.mid", 77), ("x12y34.mid", 12), ("nodigits.mid", 0)] {
        let bench = Bench::new(&MidFile::new());
        MidFile::new().words(1, 0, "ADC0", &[1]).save(bench.path(name));
        let report = analyse(&Analyzer::new("Analyzer"), &Job::new().input(bench.path(name)));
        assert_eq!((report.runs.len(), report.runs[0].run), (1, run), "{name}");
    }
    // The begin of run knows better.
    let bench = Bench::new(&MidFile::new());
    MidFile::new().bor(5).words(1, 0, "ADC0", &[1]).save(bench.path("run00077.mid"));
    let report = analyse(&Analyzer::new("Analyzer"), &Job::new().input(bench.path("run00077.mid")));
    assert_eq!(report.runs[0].run, 5);
}

#[test]
fn a_message_before_the_begin_of_run_belongs_to_the_run() {
    let file = MidFile { bytes: [MidFile::new().message("hello").bytes, plain_run(2).bytes].concat() };
    let (bytes, run) = same_in_every_way(&file, &Analyzer::new("Analyzer"), |job| job);
    assert_eq!((run.run, run.system), (42, 3));
    assert!(bytes == file.bytes);
}

#[test]
fn several_messages_before_the_begin_of_run_belong_to_it_wherever_blocks_end() {
    let messages = MidFile::new().message("one").message("two").message("three").bytes;
    let file = MidFile { bytes: [messages, plain_run(2).bytes].concat() };
    let (_, run) = same_in_every_way(&file, &Analyzer::new("Analyzer"), |job| job);
    assert_eq!((run.run, run.system), (42, 5));
}

#[test]
fn a_file_of_messages_only_is_a_run() {
    let file = MidFile::new().message("one").message("two");
    let (bytes, run) = same_in_every_way(&file, &Analyzer::new("Analyzer"), |job| job);
    assert_eq!((run.run, run.system), (42, 2));
    assert!(bytes == file.bytes);
}

/// An event of a big-endian frontend with two banks.
fn big_endian(words: &[u16], floats: &[f32]) -> Vec<u8> {
    let mut banks = Vec::new();
    let data: [(&[u8; 4], u32, Vec<u8>); 2] = [
        (b"ADC0", 4, words.iter().flat_map(|w| w.to_be_bytes()).collect()),
        (b"FLT0", 9, floats.iter().flat_map(|w| w.to_be_bytes()).collect()),
    ];
    for (name, tid, data) in data {
        banks.extend_from_slice(name);
        banks.extend_from_slice(&tid.to_be_bytes());
        banks.extend_from_slice(&(data.len() as u32).to_be_bytes());
        banks.extend_from_slice(&data);
        banks.resize(banks.len().next_multiple_of(4), 0);
        let padding = data.len().next_multiple_of(8) - data.len().next_multiple_of(4);
        banks.resize(banks.len() + padding, 0);
    }
    [(banks.len() as u32).to_be_bytes().to_vec(), 0x11u32.to_be_bytes().to_vec(), banks].concat()
}

#[test]
fn big_endian_payloads_are_read_and_written_little_endian() {
    const FLT0: BankDef<f32> = BankDef::new(b"FLT0");
    let check = does(|e, _| {
        let adc: Vec<u16> = e.get(ADC0)?.ok_or("no ADC0")?.iter().collect();
        let flt: Vec<f32> = e.get(FLT0)?.ok_or("no FLT0")?.iter().collect();
        if adc != [1, 0x1234, 3] || flt != [1.5, -2.0] {
            return Err(format!("{adc:?} {flt:?}").into());
        }
        e.append(NEWS, &[0x0102_0304])?;
        Ok(Keep)
    });
    let file = MidFile::new().bor(42).raw(1, 1, 0, &big_endian(&[1, 0x1234, 3], &[1.5, -2.0]));
    // Wide, in the fold, and in the fold after an append: each has its own way of carrying bytes.
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Wide", 1))
        .module("wide", check.clone())
        .on(Request::new("Fold", 1))
        .sequential("fold", in_order(check.clone()))
        .on(Request::new("Both", 1))
        .module("both", check)
        .sequential("count", Counter::defaults());
    let (bytes, run) = same_in_every_way(&file, &analyzer, |job| job);
    assert_eq!(run.failures, []);
    let bench = Bench::new(&MidFile { bytes });
    let events = data(&bench.path("run00042.mid"));
    assert_eq!(events.len(), 3);
    for event in events {
        assert_eq!(event.banks[0].2, [1, 0, 0x34, 0x12, 3, 0]);
        assert_eq!(event.banks[1].2, [1.5f32.to_le_bytes(), (-2.0f32).to_le_bytes()].concat());
        assert_eq!(dwords(&event, "NEWS").unwrap(), [0x0102_0304]);
    }
}

#[test]
fn empty_and_duplicate_banks_are_kept_and_the_first_counts() {
    let banks: [(&str, Tid, &[u8]); 4] = [
        ("NUL0", Tid::Word, &[]),
        ("ADC0", Tid::Word, &[7, 0]),
        ("ADC0", Tid::Word, &[8, 0, 9, 0]),
        ("NUL0", Tid::Word, &[1, 0]),
    ];
    let check = does(|e, _| {
        let null = e.bank(BankName::new(*b"NUL0")).ok_or("no NUL0")?;
        let adc: Vec<u16> = e.get(ADC0)?.ok_or("no ADC0")?.iter().collect();
        if !null.is_empty() || adc != [7] || e.banks().count() != 4 {
            return Err(format!("{adc:?}").into());
        }
        Ok(Keep)
    });
    let file = MidFile::new().bor(42).event(1, 0, &banks).raw(1, 1, 1, &[0, 0, 0, 0, 0x11, 0, 0, 0]).raw(
        1,
        1,
        2,
        &[],
    );
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Wide", 1))
        .module(
            "wide",
            does(|e, _| {
                let wanted = if e.serial() == 0 { 4 } else { 0 };
                if e.banks().count() == wanted { Ok(Keep) } else { Err("banks lost".into()) }
            }),
        )
        .on(Request::new("Fold", 1))
        .module("skips", does(|e, _| Ok(if e.serial() == 0 { Keep } else { Skip })))
        .sequential("fold", in_order(check));
    let (bytes, run) = same_in_every_way(&file, &analyzer, |job| job);
    assert_eq!(run.failures, []);
    assert_eq!(request(&run, "Wide").kept, 3, "events without banks are kept, though .mid has none");
    let bench = Bench::new(&MidFile { bytes });
    let events = data(&bench.path("run00042.mid"));
    assert_eq!(names(&events), [(1, 0), (1, 0)]);
    assert!(events.iter().all(|e| e.banks.len() == 4));
}

#[test]
fn the_filter_writes_originals_of_what_is_kept() {
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Wide", 1))
        .module("adds", Adds { offset: vec![0; 4] })
        .module("skips", does(|e, _| Ok(if e.serial() % 3 == 0 { Keep } else { Skip })))
        .on(Request::new("Fold", 2))
        .module("appends", does(|e, _| e.append(NEWS, &[1]).map(|()| Keep).map_err(Into::into)))
        .sequential("count", Counter::defaults());
    let mut file = MidFile::new().bor(42);
    let mut wanted = file.clone();
    for serial in 0..30 {
        let event = MidFile::new().words(1 + (serial % 2) as u16, serial, "ADC0", &[1, 2, 3, 4]);
        file.bytes.extend_from_slice(&event.bytes);
        if serial % 2 == 1 || serial % 3 == 0 {
            wanted.bytes.extend_from_slice(&event.bytes);
        }
    }
    let (bytes, _) = same_in_every_way(&file, &analyzer, |job| Job { filter: true, ..job });
    assert!(bytes == wanted.bytes, "the originals, byte for byte");
}

#[test]
fn a_range_of_events_counts_every_event_read() {
    // BOR is event 1, so that serial number n is event n + 2.
    let select = |first, last, step, events| Selection { first, last, step, events };
    let cases = [
        (select(1, Some(5), 1, None), vec![0, 1, 2, 3]),
        (select(4, Some(6), 1, None), vec![2, 3, 4]),
        (select(1, Some(20), 5, None), vec![3, 8, 13, 18]),
        (select(1, None, 1, Some(3)), vec![0, 1, 2]),
        (select(5, None, 1, Some(5)), vec![3, 4]),
        (select(90, None, 1, None), (88..100).collect()),
    ];
    for (selection, serials) in cases {
        let bench = Bench::new(&plain_run(100));
        let report = analyse(&Analyzer::new("Analyzer"), &Job { selection, ..bench.writing().threads(2) });
        let written: Vec<u32> = bench.written().iter().map(|e| e.header.serial).collect();
        assert_eq!(written, serials, "{selection:?}");
        assert_eq!(report.total().delivered, serials.len() as u64);
    }
}

#[test]
fn the_account_of_a_range_of_events_does_not_depend_on_blocks() {
    for selection in [
        Selection { last: Some(10), ..Selection::default() },
        Selection { events: Some(7), ..Selection::default() },
    ] {
        same_in_every_way(&plain_run(100), &Analyzer::new("Analyzer"), |job| Job { selection, ..job });
    }
}

/// Skips, fails and panics at certain events, wide and in order.
fn troubled() -> Analyzer {
    Analyzer::new("Analyzer")
        .on(Request::new("Fold", 2))
        .sequential(
            "fold",
            in_order(does(|e, _| if e.serial() == 21 { Err("fold".into()) } else { Ok(Keep) })),
        )
        .on(Request::new("Wide", 1))
        .module("wide", does(|e, _| if e.serial() == 30 { Err("wide".into()) } else { Ok(Keep) }))
}

/// Events of ids 1 and 2 in turn.
fn mixed_run(events: u32) -> MidFile {
    let mut file = MidFile::new().bor(42);
    for serial in 0..events {
        file = file.words(1 + (serial % 2) as u16, serial, "ADC0", &[serial as u16]);
    }
    file.eor(42)
}

#[test]
fn strict_stops_at_the_first_trouble_whatever_the_threads() {
    for block in [150, 1 << 20] {
        let mut first: Option<Vec<u8>> = None;
        for threads in [1, 2, 4] {
            let bench = Bench::new(&mixed_run(500));
            let report =
                troubled().run(&Job { strict: true, block, ..bench.writing().threads(threads) }).unwrap();
            assert!(!report.stopped && !report.is_clean());
            assert_eq!(report.runs[0].failures[0].serial, 21);
            let serials: Vec<u32> = bench.written().iter().map(|e| e.header.serial).collect();
            assert_eq!(serials, (0..21).collect::<Vec<u32>>());
            let bytes = fs::read(bench.path("out.mid")).unwrap();
            assert!(bytes == *first.get_or_insert_with(|| bytes.clone()));
        }
    }
}

#[test]
fn strict_reports_the_same_wherever_blocks_end() {
    let (_, run) = same_in_every_way(&mixed_run(500), &troubled(), |job| Job { strict: true, ..job });
    assert_eq!(run.failures.len(), 1, "{:?}", run.failures);
}

#[test]
fn strict_stops_at_broken_banks_and_at_a_cut_file() {
    let bench = Bench::new(&plain_run(5).raw(1, 1, 5, &broken()).words(1, 6, "ADC0", &[1]));
    let report = Analyzer::new("Analyzer").run(&Job { strict: true, ..bench.writing() }).unwrap();
    assert_eq!((bench.written().len(), report.total().damaged), (5, 1));

    let mut cut = plain_run(5);
    cut.bytes.truncate(cut.bytes.len() - 30);
    let bench = Bench::new(&cut);
    plain_run(5).save(bench.path("run00043.mid"));
    let job = bench.writing().input(bench.path("run00043.mid"));
    let report = Analyzer::new("Analyzer").run(&Job { strict: true, ..job }).unwrap();
    assert_eq!((report.runs.len(), report.damage.count, bench.written().len()), (1, 1, 4));
}

/// Fails if `work` does not end: the only clock here, and far from what it needs.
fn ends<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    wait.recv_timeout(Duration::from_secs(30)).expect("the job hangs")
}

#[test]
fn strict_ends_also_if_the_source_is_far_ahead() {
    let report = ends(|| {
        let mut cut = plain_run(1);
        cut.bytes.truncate(cut.bytes.len() - 3);
        let bench = Bench::new(&cut);
        plain_run(100).save(bench.path("run00043.mid"));
        let job = bench.job().input(bench.path("run00043.mid"));
        // A slow reader of the progress: the source takes every free block meanwhile.
        let mut slow = |_: &pactolus::Progress| std::thread::sleep(Duration::from_millis(300));
        Analyzer::new("Analyzer").run_with(&Job { strict: true, block: 1, ..job }, &mut slow).unwrap()
    });
    assert_eq!(report.damage.count, 1);
}

#[test]
fn a_stop_in_the_middle_leaves_whole_events_and_full_accounts() {
    for threads in [1, 2, 4] {
        let bench = Bench::new(&plain_run(20_000));
        let job = Job { block: 1000, ..bench.writing().threads(threads) };
        let mut calls = 0;
        let report =
            Analyzer::new("Analyzer").sequential("count", Counter::defaults()).run_with(&job, &mut |_| {
                calls += 1;
                if calls == 5 {
                    job.stop.ask();
                }
            });
        let report = report.unwrap();
        assert_accounts(&report);
        assert!(report.stopped);
        let total = report.total();
        assert!(total.offered >= 4 && total.offered < 20_000, "{total:?}");
        let serials: Vec<u32> = bench.written().iter().map(|e| e.header.serial).collect();
        assert_eq!(serials, (0..total.delivered as u32).collect::<Vec<u32>>());
    }
}

#[test]
fn a_job_can_be_done_again() {
    let bench = Bench::new(&plain_run(5));
    let analyzer = Analyzer::new("Analyzer")
        .module("fails", does(|e, _| if e.serial() == 2 { Err("two".into()) } else { Ok(Keep) }));
    let job = Job { strict: true, ..bench.job() };
    let first = analyzer.run(&job).unwrap();
    let second = analyzer.run(&job).unwrap();
    assert_eq!((second.stopped, second.runs.len()), (first.stopped, first.runs.len()));
}

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

#[test]
fn failures_are_reported_in_the_order_of_the_run() {
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("Wide", 1))
        .module("wide", does(|e, _| if e.serial() % 4 == 0 { Err("wide".into()) } else { Ok(Keep) }))
        .on(Request::new("Fold", 2))
        .sequential(
            "fold",
            in_order(does(|e, _| if e.serial() % 4 == 1 { Err("fold".into()) } else { Ok(Keep) })),
        );
    let (_, run) = same_in_every_way(&mixed_run(100), &analyzer, |job| job);
    assert!(run.failures.is_sorted_by_key(|f| f.event), "{:?}", run.failures);
}

#[test]
fn new_events_of_an_event_that_is_lost_later_are_lost_with_it() {
    let maker = makes(|event, context| {
        event.append(SEEN, &[1])?;
        context.queue(NewEvent::new(9, 0, event.serial(), 0).bank(SEEN, &[7]));
        Ok(Keep)
    });
    let fails = in_order(does(|event, _| {
        // An event stays what it was, whatever was appended before it was deferred.
        let raw: Vec<String> = event.raw().banks().map(|b| b.unwrap().name.to_string()).collect();
        assert_eq!(raw, ["ADC0"]);
        if event.serial() % 2 == 0 { Err("even".into()) } else { Ok(Keep) }
    }));
    let analyzer = Analyzer::new("Analyzer")
        .on(Request::new("First", 1))
        .module("makes", maker)
        .sequential("fails", fails)
        .on(Request::new("New", 9));
    let (_, run) = same_in_every_way(&plain_run(10), &analyzer, |job| job);
    let (first, new) = (request(&run, "First"), request(&run, "New"));
    assert_eq!((first.kept, first.failed, new.created, new.kept), (5, 5, 5, 5));
}

#[test]
fn what_lies_beyond_the_range_is_not_asked_for_wherever_blocks_end() {
    let mut cut = plain_run(50);
    cut.bytes.truncate(cut.bytes.len() - 3);
    for block in [1, 100, 1 << 20] {
        let bench = Bench::new(&cut);
        let mut job = Job { block, ..bench.writing() };
        job.selection.last = Some(5);
        let report = analyse(&Analyzer::new("Analyzer"), &job);
        assert!(report.is_clean() && report.damage.is_empty(), "blocks of {block} bytes");
        let provenance = fs::read_to_string(bench.path("out.mid.provenance.json")).unwrap();
        assert!(!provenance.contains("sha256"), "blocks of {block} bytes");
    }
}

#[test]
fn many_inputs_flow_through_few_blocks() {
    let analyzer = Analyzer::new("Analyzer");
    let report = ends(move || {
        let bench = Bench::new(&plain_run(3));
        let mut job = bench.job().threads(1);
        for number in 100..150 {
            let path = bench.path(&format!("run{number:05}.mid"));
            // Empty files and messages before a BOR are among them.
            let file = match number % 3 {
                0 => MidFile::new(),
                1 => plain_run(3),
                _ => MidFile::new().raw(0x8002, 2, 0, b"early\0").raw(0x8002, 2, 0, b"bird\0"),
            };
            file.save(&path);
            job = job.input(path);
        }
        analyse(&analyzer, &Job { block: 1, ..job })
    });
    assert_eq!(report.warnings.len(), 16);
    assert_eq!(report.runs.len(), 35);
}

#[test]
fn appended_runs_with_other_requests_keep_their_rows_apart() {
    let equipment = |name: &str, id: u16| {
        format!("[Equipment/{name}/Common]\nEvent ID = WORD : {id}\nFormat = STRING : [8] MIDAS\n")
    };
    let run = |number: u32, names: [(&str, u16); 2]| {
        let dump = format!("{}{}\0", equipment(names[0].0, names[0].1), equipment(names[1].0, names[1].1));
        let file = MidFile::new().raw(0x8000, 0x494d, number, dump.as_bytes()).words(1, 5, "ADC0", &[1]);
        (0..3).fold(file, |file, serial| file.words(2, serial, "ADC0", &[2]))
    };
    let bench = Bench::new(&run(1, [("First", 1), ("Second", 2)]));
    run(2, [("Second", 2), ("First", 1)]).save(bench.path("run00043.mid"));
    let output = bench.path("all.parquet").to_str().unwrap().to_owned();
    let job = bench.job().input(bench.path("run00043.mid")).output(output).unwrap();
    let report = analyse(&Analyzer::new("Analyzer"), &job);
    assert!(report.is_clean());
    let rows: Vec<_> = report
        .outputs
        .iter()
        .map(|o| (o.path.file_name().unwrap().to_string_lossy().into_owned(), o.rows))
        .collect();
    let wanted = [("all.First.parquet", Some(2)), ("all.Second.parquet", Some(6))];
    assert_eq!(rows, wanted.map(|(name, rows)| (name.to_owned(), rows)));
}
