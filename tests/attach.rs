//! Attached to an experiment: its events, runs, parameters and losses, over a server for tests.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "mserver/mod.rs"]
mod mserver;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use common::bench::{analyse, assert_accounts, data, dwords};
use common::modules::ADC0;
use common::{MidFile, Plain};
use mserver::{Options, Server, event};
use pactolus::formats::{Header, Tid};
use pactolus::midas::Sequences;
use pactolus::prelude::*;
use pactolus::{Ended, Error, Experiment, Progress, Report, Sampling};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

/// Far longer than anything here takes.
const HANGS: Duration = Duration::from_secs(30);

/// What the words are multiplied with.
const PART: BankDef<u32> = BankDef::new(b"PART");

/// Multiplies the words of ADC0, and may take its time.
#[derive(Record, Clone)]
struct Times {
    /// What they are multiplied with
    #[key("Factor", default = 1, min = 0)]
    factor: u32,
    /// How long an event takes [us]
    #[key("Time", default = 0)]
    time: u32,
}

impl Module for Times {
    fn banks(&self) -> Banks {
        Banks::read(ADC0).write(PART)
    }

    fn event(&self, event: &Event, _: &Context) -> Result<Verdict> {
        let Some(words) = event.get(ADC0)? else { return Ok(Keep) };
        let parts: Vec<u32> = words.iter().map(|word| u32::from(word) * self.factor).collect();
        event.append(PART, &parts)?;
        if self.time > 0 {
            std::thread::sleep(Duration::from_micros(self.time.into()));
        }
        Ok(Keep)
    }
}

fn analyzer(sampling: Sampling) -> Analyzer {
    let trigger = Request { sampling, ..Request::new("Trigger", 1).bank(ADC0) };
    Analyzer::new("Analyzer").on(trigger).module("Times", Times::defaults())
}

/// An event of id 1 with these words.
fn words(serial: u32, words: &[u16]) -> Vec<u8> {
    MidFile::new().words(1, serial, "ADC0", words).bytes
}

/// How often somebody has asked for events.
fn looks(server: &Server) -> u64 {
    server.calls().get(&11_111).copied().unwrap_or(0)
}

fn wait_until(ask: impl Fn() -> bool) {
    let begun = Instant::now();
    while !ask() {
        assert!(begun.elapsed() < HANGS, "it does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A job that is attached to a server, in a directory of its own.
struct Attached {
    dir: TempDir,
    told: Receiver<Progress>,
    job: JoinHandle<std::result::Result<Report, Error>>,
    stop: pactolus::Stop,
}

impl Attached {
    fn start(server: &Server, sampling: Sampling, change: impl FnOnce(&mut Experiment)) -> Attached {
        let before = looks(server);
        let attached = Attached::begin(server, sampling, change);
        // Another one may look meanwhile.
        let one = server.clients().len() as u64;
        wait_until(|| looks(server) > before + 100 * one);
        attached
    }

    fn begin(server: &Server, sampling: Sampling, change: impl FnOnce(&mut Experiment)) -> Attached {
        let dir = TempDir::new().unwrap();
        let mut experiment = Experiment::new(&format!("midas://127.0.0.1:{}", server.port())).unwrap();
        experiment.login.timeout = Duration::from_secs(5);
        change(&mut experiment);
        let name = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let job = Job::new().attach(experiment).threads(2);
        let job = job.output(name("run%05d.mid")).unwrap().output(name("run%05d.parquet")).unwrap();
        let stop = job.stop.clone();
        let (tell, told) = channel();
        let job = std::thread::spawn(move || {
            analyzer(sampling).run_with(&job, &mut |progress| drop(tell.send(progress.clone())))
        });
        Attached { dir, told, job, stop }
    }

    /// Waits until this is so.
    fn wait(&self, ask: impl Fn(&Progress) -> bool) {
        let begun = Instant::now();
        while !ask(&self.told.recv_timeout(HANGS).expect("the job says nothing")) {
            assert!(begun.elapsed() < HANGS, "it does not come");
        }
    }

    /// Waits until so many events were read in all.
    fn read(&self, events: u64) {
        self.wait(|progress| progress.read >= events);
    }

    /// Waits until this run has ended.
    fn ended(&self, run: u32) {
        self.wait(|progress| progress.ended.as_ref().is_some_and(|ended| ended.run == run));
    }

    /// Stops it as the user does.
    fn stop(self) -> (Report, TempDir) {
        self.stop.ask();
        self.end()
    }

    /// Waits until it ends by itself.
    fn end(self) -> (Report, TempDir) {
        let report = self.job.join().unwrap().unwrap();
        assert_accounts(&report);
        (report, self.dir)
    }
}

fn written(dir: &TempDir, run: u32) -> Vec<Plain> {
    data(&dir.path().join(format!("run{run:05}.mid")))
}

fn serials(events: &[Plain]) -> Vec<u32> {
    events.iter().map(|event| event.header.serial).collect()
}

/// The rows of a table, which is small.
fn table(path: PathBuf) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let mut batches = reader.with_batch_size(1 << 20).build().unwrap();
    let batch = batches.next().unwrap().unwrap();
    assert!(batches.next().is_none());
    batch
}

#[test]
fn a_run_is_what_an_analysis_of_its_events_is_and_nothing_is_written_there() {
    let server = Server::start(Options::default());
    let before = server.tree();
    let attached = Attached::start(&server, Sampling::NonBlocking, |_| {});
    server.start_run(42).unwrap();
    let mut file = MidFile::new().bor(42);
    for serial in 0..5000_u32 {
        let id = if serial % 50 == 7 { 2 } else { 1 };
        let banks: Vec<u8> = (0..serial % 40).flat_map(|i| ((i * serial) as u16).to_le_bytes()).collect();
        let before = file.bytes.len();
        file = file.event(id, serial, &[("ADC0", Tid::Word, &banks), ("XTRA", Tid::Byte, &banks)]);
        server.send(&file.bytes[before..]);
    }
    server.stop_run().unwrap();
    attached.ended(42);
    let (report, dir) = attached.stop();
    assert!(report.stopped && report.ended.is_none() && report.warnings.is_empty(), "{:?}", report.warnings);

    let offline = TempDir::new().unwrap();
    let name = |name: &str| offline.path().join(name).to_str().unwrap().to_owned();
    file.eor(42).save(name("run00042.raw.mid"));
    let job = Job::new().input(name("run00042.raw.mid"));
    let job = job.output(name("run%05d.mid")).unwrap().output(name("run%05d.parquet")).unwrap();
    let whole = analyse(&analyzer(Sampling::NonBlocking), &job);
    let (live, finished) = (&report.runs[0], &whole.runs[0]);
    assert_eq!(live.requests, finished.requests);
    // Only what is asked for comes.
    assert_eq!(live.events[&1], finished.events[&1]);
    assert_eq!(live.events.len(), 1);
    assert_eq!(live.system, 2);
    assert_eq!(written(&dir, 42), written(&offline, 42));
    let tables = [&dir, &offline].map(|dir| table(dir.path().join("run00042.Trigger.parquet")));
    assert_eq!(tables[0].columns(), tables[1].columns());
    assert_eq!(tables[0].num_rows(), 4900);

    // Who we are is gone with us; what stays is what every program leaves behind.
    let mut after = server.tree();
    assert!(after.exists("/Programs/Analyzer"));
    after.delete("/Programs/Analyzer").unwrap();
    let differences: Vec<String> = before.diff(&after).iter().map(|d| d.path.to_string()).collect();
    assert!(differences.iter().all(|path| path.starts_with("/Runinfo")), "{differences:?}");
    assert_eq!(server.offences(), Vec::<String>::new());
    // The ODB of the run, as it was at its begin and its end.
    let bytes = std::fs::read(dir.path().join("run00042.mid")).unwrap();
    let (_, bor) = Header::parse(&bytes).unwrap();
    assert_eq!((bor.id, bor.serial), (0x8000, 42));
    let text = std::str::from_utf8(&bytes[Header::SIZE..Header::SIZE + bor.size as usize]).unwrap();
    assert!(text.contains("\"MAX_EVENT_SIZE\"") && !text.contains("Factor"), "{text}");
}

#[test]
fn parameters_and_switches_of_the_experiment_reach_the_next_events() {
    let server = Server::start(Options::default());
    let attached = Attached::start(&server, Sampling::NonBlocking, |experiment| experiment.writes = true);
    server.start_run(5).unwrap();
    (0..3).for_each(|serial| server.send(&words(serial, &[7])));
    attached.read(4);
    let set = |path: &str, text: &str| {
        let seen = server.tree().exists(path);
        assert!(seen, "{path} is not in the experiment");
        server.change(|tree| tree.set_text(path, text).unwrap());
        // Wider than a note takes.
        std::thread::sleep(Duration::from_millis(300));
    };
    set("/Analyzer/Parameters/Times/Factor", "3");
    (3..5).for_each(|serial| server.send(&words(serial, &[7])));
    attached.read(6);
    set("/Analyzer/Module switches/Times", "n");
    (5..7).for_each(|serial| server.send(&words(serial, &[7])));
    attached.read(8);
    // A slip at the console.
    set("/Analyzer/Module switches/Times", "y");
    (7..9).for_each(|serial| server.send(&words(serial, &[7])));
    server.stop_run().unwrap();
    attached.ended(5);
    let received = server.tree().value("/Analyzer/Trigger/Statistics/Events received").unwrap().text(0);
    let (report, dir) = attached.stop();
    assert_eq!(received, "9");
    let found: Vec<_> =
        written(&dir, 5).iter().map(|event| dwords(event, "PART").map(|words| words[0])).collect();
    let (one, three) = (Some(7), Some(21));
    assert_eq!(found, [one, one, one, three, three, None, None, three, three]);
    assert_eq!(report.runs[0].epochs.len(), 3);
    assert_eq!(server.offences(), Vec::<String>::new());
    // Runs are those of the experiment, whatever we may write.
    assert_eq!(server.tree().get::<i32>("/Runinfo/Online Mode").unwrap(), 1);
}

#[test]
fn who_comes_late_begins_at_once_and_events_outside_of_runs_are_told() {
    let server = Server::start(Options::default());
    server.start_run(8).unwrap();
    server.send(&words(0, &[1]));
    let attached = Attached::start(&server, Sampling::NonBlocking, |_| {});
    attached.wait(|progress| progress.run == 8);
    (1..10).for_each(|serial| server.send(&words(serial, &[1])));
    server.pause_run().unwrap();
    server.send(&words(10, &[1]));
    server.resume_run().unwrap();
    server.stop_run().unwrap();
    attached.ended(8);
    (0..4).for_each(|serial| server.send(&words(serial, &[1])));
    std::thread::sleep(Duration::from_millis(200));
    server.start_run(9).unwrap();
    attached.wait(|progress| progress.run == 9);
    server.send(&words(0, &[1]));
    server.stop_run().unwrap();
    attached.ended(9);
    let (report, dir) = attached.stop();
    assert_eq!(serials(&written(&dir, 8)), (1..11).collect::<Vec<_>>());
    assert_eq!(serials(&written(&dir, 9)), [0]);
    // Whether so short a pause is noticed goes by the time.
    let said: Vec<&String> = report.warnings.iter().filter(|said| !said.starts_with("run 8 ")).collect();
    let [late, outside] = said[..] else { panic!("{:?}", report.warnings) };
    assert!(late.contains("attached to run 8 while it is going on"), "{late}");
    assert!(outside.contains("4 events came while no run was going on"), "{outside}");
}

#[test]
fn all_events_come_if_all_are_wanted_however_slow_we_are() {
    let server = Server::start(Options { buffer: 100_000, ..Options::default() });
    server.change(|tree| tree.create("/Analyzer/Parameters/Times/Time", 300_u32).unwrap());
    let attached = Attached::start(&server, Sampling::All, |_| {});
    server.start_run(1).unwrap();
    // Twenty times what the buffer holds.
    let sent = 4000;
    (0..sent).for_each(|serial| server.send(&words(serial, &[3; 250])));
    server.stop_run().unwrap();
    attached.ended(1);
    let (report, dir) = attached.stop();
    assert_eq!(serials(&written(&dir, 1)), (0..sent).collect::<Vec<_>>());
    assert_eq!(report.runs[0].events[&1].unattended, 0);
}

#[test]
fn losses_are_counted_to_the_event_if_nobody_is_to_wait() {
    let server = Server::start(Options { buffer: 100_000, ..Options::default() });
    server.change(|tree| tree.create("/Analyzer/Parameters/Times/Time", 100_u32).unwrap());
    let attached = Attached::start(&server, Sampling::NonBlocking, |_| {});
    server.start_run(1).unwrap();
    let begun = Instant::now();
    // 200 MB: no queue of ours holds them.
    let sent = 10_000;
    (0..sent).for_each(|serial| server.send(&words(serial, &[3; 10_000])));
    let took = begun.elapsed();
    server.stop_run().unwrap();
    attached.ended(1);
    let (report, dir) = attached.stop();
    assert!(took < Duration::from_secs(20), "the readout has waited: {took:?}");
    let account = report.runs[0].events[&1];
    let found = serials(&written(&dir, 1));
    assert_eq!(found.len() as u64, account.delivered);
    // What came before the first and behind the last is beyond what serial numbers tell.
    let beyond = u64::from(found[0] + (sent - 1 - found[found.len() - 1]));
    assert_eq!(account.delivered + account.unattended + beyond, u64::from(sent));
    assert!(account.unattended > 0, "{account:?}");
}

#[test]
fn an_event_that_is_too_big_is_counted_and_the_next_one_is_asked_for() {
    let server = Server::start(Options { max_event: 10_000, ..Options::default() });
    let attached = Attached::start(&server, Sampling::NonBlocking, |_| {});
    server.start_run(1).unwrap();
    server.send(&words(0, &[1; 10]));
    attached.read(2);
    server.change(|tree| tree.set("/Experiment/MAX_EVENT_SIZE", 1_000_000_u32).unwrap());
    server.send(&words(1, &[1; 50_000]));
    attached.wait(|progress| !progress.warnings.is_empty());
    server.send(&words(2, &[1; 50_000]));
    server.send(&words(3, &[1; 10]));
    server.stop_run().unwrap();
    attached.ended(1);
    let (report, dir) = attached.stop();
    assert_eq!(serials(&written(&dir, 1)), [0, 2, 3]);
    let account = report.runs[0].events[&1];
    assert_eq!((account.offered, account.delivered, account.too_big), (4, 3, 1));
    assert!(report.warnings[0].contains("more than /Experiment/MAX_EVENT_SIZE"), "{:?}", report.warnings);
}

#[test]
fn a_lost_connection_is_a_gap_and_another_run_the_end_of_the_last() {
    let server = Server::start(Options::default());
    let attached = Attached::start(&server, Sampling::NonBlocking, |_| {});
    server.start_run(3).unwrap();
    (0..5).for_each(|serial| server.send(&words(serial, &[1])));
    attached.read(6);
    server.kill("Analyzer");
    let before = looks(&server);
    wait_until(|| looks(&server) > before + 10);
    (8..10).for_each(|serial| server.send(&words(serial, &[1])));
    attached.read(8);
    server.kill("Analyzer");
    server.stop_run().unwrap();
    server.start_run(4).unwrap();
    assert!(server.wait_for_clients(|clients| clients == ["Analyzer"]));
    attached.wait(|progress| progress.run == 4);
    server.send(&words(0, &[1]));
    server.stop_run().unwrap();
    attached.ended(4);
    let (report, dir) = attached.stop();
    assert_eq!(serials(&written(&dir, 3)), [0, 1, 2, 3, 4, 8, 9]);
    assert_eq!(serials(&written(&dir, 4)), [0]);
    assert_eq!(report.runs[0].events[&1].unattended, 3);
    let [gap, incomplete] = report.runs[0].gaps.as_slice() else { panic!("{:?}", report.runs[0].gaps) };
    assert!(gap.contains("was lost for"), "{gap}");
    assert!(incomplete.contains("run 3 is not complete"), "{incomplete}");
    assert_eq!(report.runs.len(), 2);
    assert!(!report.is_clean());
}

#[test]
fn the_experiment_may_ask_us_to_end_and_two_of_one_name_go_side_by_side() {
    let server = Server::start(Options::default());
    let first = Attached::start(&server, Sampling::NonBlocking, |_| {});
    let second = Attached::start(&server, Sampling::NonBlocking, |_| {});
    assert!(server.wait_for_clients(|clients| clients == ["Analyzer", "Analyzer1"]));
    server.start_run(1).unwrap();
    server.send(&words(0, &[1]));
    first.read(2);
    second.read(2);
    assert!(server.stop_program("Analyzer1"));
    let (report, dir) = second.end();
    assert!(report.stopped);
    assert_eq!(serials(&written(&dir, 1)), [0]);
    assert!(
        report.warnings.iter().any(|text| text.contains("this one is called Analyzer1")),
        "{:?}",
        report.warnings
    );
    assert!(report.warnings.iter().any(|text| text.contains("has asked this program to end")));
    server.send(&words(1, &[1]));
    server.stop_run().unwrap();
    first.ended(1);
    let (report, dir) = first.stop();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    assert_eq!(serials(&written(&dir, 1)), [0, 1]);
    assert!(server.wait_for_clients(<[String]>::is_empty));
}

#[test]
fn runs_are_exact_if_we_are_told_of_transitions_however_short_the_pause() {
    let server = Server::start(Options::default());
    let attached = Attached::start(&server, Sampling::NonBlocking, |experiment| {
        experiment.login.transitions = Some(Sequences::default());
    });
    let mut wanted = BTreeMap::new();
    for run in 10..30 {
        server.start_run(run).unwrap();
        let count = run % 7 * 20;
        // Serial numbers tell nothing here.
        (0..count).for_each(|serial| server.send(&words(run * 1000 + serial, &[1])));
        server.stop_run().unwrap();
        wanted.insert(run, (run * 1000..run * 1000 + count).collect::<Vec<_>>());
    }
    attached.ended(29);
    let (report, dir) = attached.stop();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    for (run, wanted) in wanted {
        assert_eq!(serials(&written(&dir, run)), wanted, "run {run}");
    }
    assert_eq!(server.offences(), Vec::<String>::new());
}

#[test]
fn runs_are_told_by_what_the_experiment_writes() {
    let server = Server::start(Options::default());
    let attached = Attached::start(&server, Sampling::NonBlocking, |_| {});
    let count = |run: u32| run % 7 * 20;
    for run in 10..30 {
        server.start_run(run).unwrap();
        // As frontends do: serial numbers begin anew.
        (0..count(run)).for_each(|serial| server.send(&words(serial, &[run as u16])));
        attached.wait(|progress| progress.run == run);
        server.stop_run().unwrap();
        attached.ended(run);
    }
    let (report, dir) = attached.stop();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    for run in 10..30 {
        assert_eq!(serials(&written(&dir, run)), (0..count(run)).collect::<Vec<_>>(), "run {run}");
    }
}

#[test]
fn a_start_is_refused_while_the_last_run_is_analyzed_if_the_user_wants_it() {
    let server = Server::start(Options::default());
    server.change(|tree| tree.create("/Analyzer/Parameters/Times/Time", 2000_u32).unwrap());
    let attached = Attached::start(&server, Sampling::All, |experiment| {
        experiment.login.transitions = Some(Sequences::default());
        experiment.veto = true;
    });
    server.start_run(1).unwrap();
    (0..1000).for_each(|serial| server.send(&words(serial, &[1; 10_000])));
    server.stop_run().unwrap();
    let refused = server.start_run(2).unwrap_err();
    assert!(refused.contains("the last run is not analyzed to its end"), "{refused}");
    attached.ended(1);
    // The start that was given up has left nothing behind.
    server.start_run(3).unwrap();
    server.send(&words(0, &[1]));
    server.stop_run().unwrap();
    attached.ended(3);
    let (report, dir) = attached.stop();
    assert_eq!(written(&dir, 1).len(), 1000);
    assert_eq!(report.runs.iter().map(|run| run.run).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn only_the_runs_that_were_asked_for_are_analyzed_and_then_it_ends() {
    let server = Server::start(Options::default());
    let attached =
        Attached::start(&server, Sampling::NonBlocking, |experiment| experiment.runs = Some((2, 3)));
    for run in 1..5 {
        server.start_run(run).unwrap();
        server.send(&words(0, &[1]));
        match run {
            2 | 3 => attached.wait(|progress| progress.run == run),
            // Nobody hears of it.
            _ => std::thread::sleep(Duration::from_secs(1)),
        }
        server.stop_run().unwrap();
        if run == 2 {
            attached.ended(2);
        }
    }
    let (report, _) = attached.end();
    assert_eq!(report.runs.iter().map(|run| run.run).collect::<Vec<_>>(), [2, 3]);
    assert!(!report.stopped && report.ended.is_none() && report.is_clean());
}

#[test]
fn silence_that_lasts_too_long_is_the_end() {
    let server = Server::start(Options::default());
    let attached = Attached::start(&server, Sampling::NonBlocking, |experiment| {
        experiment.timeout = Some(Duration::from_millis(700));
    });
    server.start_run(6).unwrap();
    server.send(&words(4, &[1]));
    let (report, dir) = attached.end();
    let Some(Ended::TimedOut(text)) = &report.ended else { panic!("{:?}", report.ended) };
    assert!(text.contains("no event from midas://127.0.0.1") && text.contains("id 1, serial 4"), "{text}");
    assert_eq!(serials(&written(&dir, 6)), [4]);
    // Also where nobody is there any more.
    let attached = Attached::start(&server, Sampling::NonBlocking, |experiment| {
        experiment.timeout = Some(Duration::from_millis(700));
    });
    drop(server);
    let (report, _) = attached.end();
    assert!(matches!(report.ended, Some(Ended::TimedOut(_))), "{:?}", report.ended);
}

#[test]
fn an_experiment_that_is_not_there_is_an_error_that_says_what_to_do() {
    let server =
        Server::start(Options { experiments: vec!["lab".into(), "cave".into()], ..Options::default() });
    let port = server.port();
    let error = |url: &str| {
        let job = Job::new().attach(Experiment::new(url).unwrap());
        analyzer(Sampling::All).run(&job).unwrap_err()
    };
    let unknown = error(&format!("midas://127.0.0.1:{port}/nosuch"));
    assert!(unknown.to_string().contains("lab, cave") && !unknown.is_away(), "{unknown}");
    drop(server);
    let away = error(&format!("midas://127.0.0.1:{port}/lab"));
    assert!(away.to_string().contains("mserver") && away.is_away(), "{away}");
}

#[test]
fn recent_events_are_no_older_than_a_second_and_the_others_are_counted() {
    let server = Server::start(Options::default());
    server.change(|tree| tree.create("/Analyzer/Parameters/Times/Time", 20_000_u32).unwrap());
    let attached = Attached::start(&server, Sampling::Recent, |_| {});
    server.start_run(1).unwrap();
    attached.wait(|progress| progress.run == 1);
    for serial in 0..400 {
        server.send(&event(1, 0, serial, &words(serial, &[1])[Header::SIZE..]));
        std::thread::sleep(Duration::from_millis(5));
    }
    server.stop_run().unwrap();
    attached.ended(1);
    let (report, dir) = attached.stop();
    let account = report.runs[0].events[&1];
    let found = serials(&written(&dir, 1));
    assert_eq!(found.len() as u64, account.delivered);
    assert_eq!(account.offered, account.delivered + account.stale, "{account:?}");
    assert!(found.windows(2).all(|two| two[0] < two[1]));
    assert!(account.delivered < 400, "{account:?}");
}
