//! Jobs on an ODB that others have, too: what they take from it, and what they leave there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::MidFile;
use common::bench::{Bench, analyse, data, dwords, plain_run, run_of};
use common::modules::{ADC0, Adds, NEWS, does, in_order, makes};
use common::stream::Stream;
use pactolus::formats::Compression;
use pactolus::formats::compress::Output;
use pactolus::odb::{Error as OdbError, Mode, Odb, Store, Tree};
use pactolus::prelude::*;

const OFFSET: &str = "/Analyzer/Parameters/Sums/Offset";

fn named(name: &str) -> Analyzer {
    let trigger = Request::new("Trigger", 1).bank(ADC0.size(4)).tests();
    let odd = does(|event, context| {
        context.message(format!("{}", event.serial()));
        Ok(Keep)
    });
    Analyzer::new(name).on(trigger).module("Sums", Adds { offset: vec![1; 4] }).module("Says", odd)
}

/// The first sum of each event written.
fn firsts(bench: &Bench) -> Vec<u32> {
    bench.written().iter().map(|event| dwords(event, "SUMS").unwrap()[0]).collect()
}

fn on(odb: &Odb, job: Job) -> Job {
    Job { odb: Some(odb.clone()), ..job }
}

#[test]
fn values_of_the_odb_are_taken_and_those_of_the_job_stay_in_it() {
    let (bench, odb) = (Bench::new(&plain_run(2)), Odb::local());
    odb.create(OFFSET, vec![100; 4]).unwrap();
    let report = analyse(&named("Analyzer"), &on(&odb, bench.writing()));
    assert_eq!(firsts(&bench), [100, 101]);
    assert!(report.runs[0].parameters.iter().all(|p| p.origin == "the ODB"), "{report:?}");
    // What was missing was made.
    assert!(odb.get::<bool>("/Analyzer/Module switches/Sums").unwrap());
    assert!(!odb.get::<bool>("/Analyzer/ODB Load").unwrap());
    assert_eq!(odb.get::<i32>("/Runinfo/Run number").unwrap(), 42);

    let mut job = on(&odb, bench.writing());
    job.parameters.push(("Sums/Offset[0]".into(), "7".into()));
    let report = analyse(&named("Analyzer"), &job);
    assert_eq!(firsts(&bench), [7, 8]);
    assert_eq!(report.runs[0].parameters[0].origin, "-p Sums/Offset[0]=7");
    analyse(&named("Analyzer"), &on(&odb, bench.writing()));
    assert_eq!(firsts(&bench), [7, 8]);
    assert_eq!(odb.get::<Vec<i32>>(OFFSET).unwrap(), [7, 100, 100, 100]);
}

#[test]
fn a_job_that_cannot_begin_changes_nothing_of_a_run() {
    let (bench, odb) = (Bench::new(&plain_run(2)), Odb::local());
    bench.path("good.odb");
    std::fs::write(
        bench.path("good.odb"),
        "[/Analyzer/Parameters/Sums]\nOffset = INT[4] :\n[0] 5\n[1] 5\n[2] 5\n[3] 5\n",
    )
    .unwrap();
    let mut job = on(&odb, bench.writing());
    job.config.push(bench.path("good.odb"));
    job.parameters.push(("Sums/Offset".into(), "many".into()));
    let error = named("Analyzer").run(&job).unwrap_err();
    assert!(error.to_string().contains("Offset"), "{error}");
    assert_eq!(odb.get::<Vec<i32>>(OFFSET).unwrap(), [1; 4]);
    assert!(!odb.exists("/Runinfo/Run number"));
}

/// A run whose BOR holds a dump with another offset.
fn with_dump() -> MidFile {
    let dump = "[/Analyzer/Parameters/Sums]\nOffset = INT[4] :\n[0] 50\n[1] 50\n[2] 50\n[3] 50\n\n[/Equipment/Slow/Common]\nEvent ID = WORD : 7\nFormat = STRING : [8] FIXED\n\n[/Equipment/Slow/Variables]\nValue = INT : 0\n\0";
    let words = |file: MidFile, serial| file.words(1, serial, "ADC0", &[serial as u16, 0, 0, 0]);
    let begin = MidFile::new().raw(0x8000, 0x494d, 42, dump.as_bytes());
    words(words(begin, 0), 1).raw(7, 1, 0, &123_i32.to_le_bytes()).eor(42)
}

#[test]
fn a_dump_is_loaded_into_a_shared_odb_only_if_that_says_so() {
    let (bench, odb) = (Bench::new(&with_dump()), Odb::local());
    analyse(&named("Analyzer"), &on(&odb, bench.writing()));
    assert_eq!(firsts(&bench), [1, 2]);
    assert!(!odb.exists("/Equipment/Slow"));
    odb.set("/Analyzer/ODB Load", true).unwrap();
    analyse(&named("Analyzer"), &on(&odb, bench.writing()));
    assert_eq!(firsts(&bench), [50, 51]);
    assert!(odb.exists("/Equipment/Slow"));
}

#[test]
fn what_a_run_says_of_its_events_holds_for_it_alone() {
    let analyzer = || Analyzer::new("Analyzer").on(Request::new("Slow", 7));
    let (bench, odb) = (Bench::new(&with_dump()), Odb::local());
    let job = bench.job().output(bench.path("out.asc").to_str().unwrap()).unwrap();
    analyse(&analyzer(), &job);
    let private = std::fs::read_to_string(bench.path("out.asc")).unwrap();
    assert!(private.contains("123"), "{private}");
    analyse(&analyzer(), &on(&odb, job));
    assert_eq!(std::fs::read_to_string(bench.path("out.asc")).unwrap(), private);
    assert!(!odb.exists("/Equipment/Slow/Common"));
}

/// Two runs of one job: the second begins with what is in the ODB then, and -p is applied again.
#[test]
fn each_run_begins_with_what_is_there() {
    let (bench, odb) = (Bench::new(&run_of(42, 0..1)), Odb::local());
    run_of(43, 0..1).save(bench.path("run00043.mid"));
    let mut job = on(&odb, bench.writing()).input(bench.path("run00043.mid"));
    job.parameters.push(("Sums/Offset[0]".into(), "7".into()));
    // Somebody changes both values when the first run is through.
    let other = odb.clone();
    named("Analyzer")
        .run_with(&job, &mut |progress| {
            if progress.run == 42 && progress.read == 1 {
                other.set(OFFSET, vec![70, 80, 90, 90]).unwrap();
            }
        })
        .unwrap();
    let sums: Vec<_> = bench.written().iter().map(|e| dwords(e, "SUMS").unwrap()[..2].to_vec()).collect();
    assert_eq!(sums[1], [7, 82], "{sums:?}");
    assert_eq!(odb.get::<Vec<i32>>(OFFSET).unwrap(), [7, 80, 90, 90]);
}

#[test]
fn two_analyzers_do_not_disturb_each_other() {
    let odb = Odb::local();
    let start = |name: &'static str| {
        Stream::start(move || named(name), odb.clone(), |job, path| job.output(path("r.mid")).unwrap())
    };
    let (mut one, mut two) = (start("One"), start("Two"));
    for serial in 0..20 {
        one.words(serial..serial + 1, &[1, 2, 3, 4]);
        two.words(serial..serial + 1, &[1, 2, 3, 4]);
        if serial == 9 {
            one.set("/One/Parameters/Sums/Offset[0]", "1000");
        }
    }
    let ((one, first), (two, second)) = (one.end(), two.end());
    assert_eq!((one.runs[0].epochs.len(), two.runs[0].epochs.len()), (1, 0));
    assert_eq!((one.warnings, two.warnings), (Vec::<String>::new(), Vec::<String>::new()));
    let firsts = |dir: &tempfile::TempDir| {
        let events = data(&dir.path().join("r.mid"));
        events.iter().map(|e| dwords(e, "SUMS").unwrap()[0]).collect::<Vec<_>>()
    };
    assert_eq!(firsts(&first), [[2; 10], [1001; 10]].concat());
    assert_eq!(firsts(&second), [2; 20]);
    for name in ["One", "Two"] {
        let received = odb.get::<f64>(&format!("/{name}/Trigger/Statistics/Events received"));
        assert_eq!(received.unwrap(), 20.0, "{name}");
        for key in ["Parameters/Sums/Offset", "Output/Filename", "Module switches/Says", "Bank switches/ADC0"]
        {
            assert!(odb.exists(&format!("/{name}/{key}")), "{name} {key}");
        }
    }
}

#[test]
fn statistics_are_written_once_a_second_while_events_flow() {
    let odb = Odb::local();
    odb.create("/Analyzer/Output/Events to ODB", false).unwrap();
    let mut stream = Stream::start(|| named("Analyzer"), odb, |job, _| job);
    stream.words(0..1, &[1, 2, 3, 4]);
    let (begun, before) = (Instant::now(), stream.odb.revision());
    let received = |odb: &Odb| odb.get::<f64>("/Analyzer/Trigger/Statistics/Events received").unwrap();
    let rate = |odb: &Odb| odb.get::<f64>("/Analyzer/Trigger/Statistics/Events per sec.").unwrap();
    assert_eq!(received(&stream.odb), 0.0);
    let mut serial = 1;
    while begun.elapsed() < Duration::from_millis(2300) {
        stream.words(serial..serial + 1, &[1, 2, 3, 4]);
        serial += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    let written = stream.odb.revision() - before;
    assert!(
        (1..=begun.elapsed().as_secs() + 1).contains(&written),
        "{written} times in {:?}",
        begun.elapsed()
    );
    assert!(received(&stream.odb) > 0.0 && rate(&stream.odb) > 1.0);
    // While nothing comes, what has come is told all the same, and that nothing comes.
    let wait = Instant::now();
    while rate(&stream.odb) > 0.0 && wait.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((received(&stream.odb), rate(&stream.odb)), (f64::from(serial), 0.0));
    let still = stream.odb.revision();
    std::thread::sleep(Duration::from_millis(2200));
    assert_eq!(stream.odb.revision(), still);
    let (report, _) = stream.end();
    assert_eq!(report.runs[0].epochs, []);
    assert_eq!(
        report.odb.unwrap().get::<f64>("/Analyzer/Trigger/Statistics/Events received").unwrap(),
        f64::from(serial)
    );
}

/// Switching on a sequential stage behind one that makes events moves chains into the fold, from one block
/// to the next.
#[test]
fn switches_do_not_change_the_order_of_events() {
    let analyzer = || {
        let make = makes(|event, context| {
            context.queue(NewEvent::new(2, 1, event.serial(), event.time()).bank(NEWS, &[event.serial()]));
            Ok(Keep)
        });
        Analyzer::new("Analyzer")
            .on(Request::new("First", 1))
            .module("Make", make)
            .sequential("Order", in_order(does(|_, _| Ok(Keep))))
            .on(Request::new("Second", 2))
    };
    for threads in [1, 4] {
        let mut stream = Stream::start(analyzer, Odb::local(), |job, path| {
            job.output(path("r.mid")).unwrap().output(path("r.asc")).unwrap().threads(threads)
        });
        for (turn, on) in ["n", "y", "n", "y"].into_iter().enumerate() {
            let first = 50 * turn as u32;
            stream.words(first..first + 50, &[1]);
            stream.set("/Analyzer/Module switches/Order", on);
        }
        stream.words(200..201, &[1]);
        let (report, dir) = stream.end();
        assert_eq!(report.runs[0].epochs.len(), 4);
        let serials: Vec<_> = data(&dir.path().join("r.mid")).iter().map(|e| e.header.serial).collect();
        let wanted: Vec<u32> = (0..201).flat_map(|serial| [serial, serial]).collect();
        assert_eq!(serials, wanted);
    }
}

/// A file is the same under an ODB that begins empty as under one of its own.
#[test]
fn a_file_gives_the_same_bytes() {
    let bench = Bench::new(&plain_run(500));
    let job = Job { block: 1000, ..bench.writing().threads(2) };
    analyse(&named("Analyzer"), &job);
    let own = std::fs::read(bench.path("out.mid")).unwrap();
    let record = std::fs::read(bench.path("out.mid.provenance.json")).unwrap();
    analyse(&named("Analyzer"), &on(&Odb::local(), job));
    assert!(std::fs::read(bench.path("out.mid")).unwrap() == own);
    assert!(std::fs::read(bench.path("out.mid.provenance.json")).unwrap() == record);
}

#[test]
fn text_in_a_pipe_is_taken_line_by_line() {
    let mut stream =
        Stream::start(|| named("Analyzer"), Odb::local(), |job, path| job.output(path("r.mid")).unwrap());
    let text = |serial: u32| {
        let text = format!("%ID 1 TR 1 NR {serial}\nBK ADC0 TP WORD SZ 4\n1\n2\n3\n4\n\n");
        MidFile { bytes: text.into_bytes() }
    };
    stream.send(&text(0), 1);
    stream.set(&format!("{OFFSET}[0]"), "10");
    stream.send(&text(1), 1);
    let dir = {
        let (report, dir) = stream.finish();
        assert_eq!(report.runs[0].epochs.len(), 1);
        dir
    };
    let events = data(&dir.path().join("r.mid"));
    assert_eq!(events.iter().map(|e| dwords(e, "SUMS").unwrap()[0]).collect::<Vec<_>>(), [2, 11]);
}

/// Members that arrive one by one, the first of them in pieces: each is taken when it has come.
#[test]
fn a_compressed_pipe_is_taken_member_by_member() {
    for compression in Compression::ALL {
        let member = |serial| {
            let events = if serial == 0 { MidFile::new().bor(42) } else { MidFile::new() };
            let events = events.words(1, serial, "ADC0", &[1, 2, 3, 4]);
            let mut output = Output::new(compression, None, Vec::new()).unwrap();
            output.write_all(&events.bytes).unwrap();
            MidFile { bytes: output.finish().unwrap() }
        };
        let mut stream =
            Stream::start(|| named("Analyzer"), Odb::local(), |job, path| job.output(path("r.mid")).unwrap());
        let first = member(0);
        for piece in [&first.bytes[..2], &first.bytes[2..5]] {
            stream.push(&MidFile { bytes: piece.to_vec() });
            std::thread::sleep(Duration::from_millis(120));
        }
        stream.send(&MidFile { bytes: first.bytes[5..].to_vec() }, 2);
        stream.set(&format!("{OFFSET}[0]"), "10");
        stream.send(&member(1), 1);
        let (report, dir) = stream.finish();
        assert_eq!((report.runs[0].epochs.len(), report.damage.places.len()), (1, 0), "{compression}");
        let events = data(&dir.path().join("r.mid"));
        assert_eq!(events.iter().map(|e| dwords(e, "SUMS").unwrap()[0]).collect::<Vec<_>>(), [2, 11]);
    }
}

#[test]
fn shards_have_no_shared_odb() {
    let bench = Bench::new(&plain_run(2));
    let job = on(&Odb::local(), bench.writing());
    let shard = pactolus::Shard::new(1, 1).unwrap();
    let error = named("Analyzer").shard(&job, shard, &bench.path("x.part"), &mut |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--shard: a shared ODB may change from one shard to the next: leave --odb out"
    );
}

/// Of a request the first event that it keeps, with what stages append, then one a second.
#[test]
fn events_are_copied_to_the_odb() {
    let odb = Odb::local();
    // A bank of another type than its key is told once, the others are copied.
    odb.create("/Equipment/Trigger/Variables/TDC0", 1.5).unwrap();
    let analyzer = || {
        let trigger = Request::new("Trigger", 1).bank(ADC0.size(2)).tests();
        let late = does(|event, _| Ok(if event.serial() == 0 { Skip } else { Keep }));
        Analyzer::new("Analyzer")
            .on(trigger)
            .module("Sums", Adds { offset: vec![10, 20] })
            .module("Late", late)
            .on(Request::new("Slow", 7))
    };
    let mut stream = Stream::start(analyzer, odb, |job, _| job.threads(2));
    let dump = "[/Equipment/Slow/Common]\nEvent ID = WORD : 7\nFormat = STRING : [8] FIXED\n\n[/Equipment/Slow/Variables]\nValue = INT : 0\nName = STRING : [8] none\n\0";
    let event = |file: MidFile, serial: u32| {
        let words = [1_u16, serial as u16].map(u16::to_le_bytes).concat();
        file.event(1, serial, &[("ADC0", Tid::Word, &words), ("TDC0", Tid::Word, &words)])
    };
    let variables = |stream: &Stream, path: &str| stream.odb.value(&format!("/Equipment/{path}")).unwrap();
    let begin = MidFile::new().raw(0x8000, 0x494d, 42, dump.as_bytes());
    stream.send(&event(begin, 0), 2);
    assert!(!stream.odb.exists("/Equipment/Trigger/Variables/ADC0"));
    let first = Instant::now();
    stream.send(&event(MidFile::new(), 1), 1);
    assert_eq!(variables(&stream, "Trigger/Variables/ADC0"), vec![1_u16, 1].into());
    assert_eq!(variables(&stream, "Trigger/Variables/SUMS"), vec![11_i32, 21].into());
    // What has come by, and what stands in the ODB: the first of a second.
    let copied = |odb: &Odb| odb.get::<Vec<u16>>("/Equipment/Trigger/Variables/ADC0").unwrap()[1];
    let (mut serial, mut seen) = (2, vec![1]);
    while first.elapsed() < Duration::from_millis(2300) {
        stream.send(&event(MidFile::new(), serial), 1);
        serial += 1;
        seen.push(copied(&stream.odb));
        std::thread::sleep(Duration::from_millis(5));
    }
    seen.dedup();
    assert!((2..=first.elapsed().as_secs() + 2).contains(&(seen.len() as u64)), "{seen:?}");
    // The first of another request does not wait for a second to pass. FIXED events do not vouch for
    // themselves, and so wait for what follows.
    let payload = [&7_i32.to_le_bytes()[..], b"seven\0\0\0"].concat();
    stream.push(&MidFile::new().raw(7, 1, 0, &payload));
    let (report, _) = stream.end();
    let odb = report.odb.unwrap();
    assert_eq!(odb.get::<i32>("/Equipment/Slow/Variables/Value").unwrap(), 7);
    assert_eq!(odb.get::<String>("/Equipment/Slow/Variables/Name").unwrap(), "seven");
    assert_eq!(odb.get::<f64>("/Equipment/Trigger/Variables/TDC0").unwrap(), 1.5);
    let wanted =
        "run 42: events are not copied to /Equipment/Trigger/Variables/TDC0: it is DOUBLE, the bank WORD";
    assert_eq!(report.warnings, [wanted]);
    assert_eq!(report.runs[0].epochs, []);
}

#[derive(Bank, Clone, Copy)]
struct Pair {
    sum: f32,
    channel: u16,
}

#[test]
fn members_of_structures_are_copied_each() {
    const PAIR: BankDef<Pair> = BankDef::new(b"PAIR");
    let analyzer = || {
        let appends = does(|event, _| {
            event.append(PAIR, &[Pair { sum: 2.5, channel: 3 }])?;
            Ok(Keep)
        });
        Analyzer::new("Analyzer").on(Request::new("Trigger", 1).bank(PAIR)).module("Appends", appends)
    };
    let (bench, odb) = (Bench::new(&plain_run(2)), Odb::local());
    analyse(&analyzer(), &on(&odb, bench.job()));
    assert_eq!(odb.get::<f32>("/Equipment/Trigger/Variables/PAIR/sum").unwrap(), 2.5);
    assert_eq!(odb.get::<u16>("/Equipment/Trigger/Variables/PAIR/channel").unwrap(), 3);
    assert_eq!(odb.get::<Vec<u16>>("/Equipment/Trigger/Variables/ADC0").unwrap(), [0, 2, 3, 4]);
    odb.set("/Analyzer/Output/Events to ODB", false).unwrap();
    odb.delete("/Equipment").unwrap();
    analyse(&analyzer(), &on(&odb, bench.job()));
    assert!(!odb.exists("/Equipment"));
}

#[test]
fn copying_is_switched_on_and_off_while_events_flow() {
    let (odb, switch) = (Odb::local(), "/Analyzer/Output/Events to ODB");
    odb.create(switch, false).unwrap();
    let bank = "/Equipment/Trigger/Variables/ADC0";
    let mut stream = Stream::start(|| named("Analyzer"), odb, |job, _| job);
    stream.words(0..1, &[1, 2, 3, 4]);
    assert!(!stream.odb.exists(bank));
    stream.set(switch, "y");
    let (begun, mut serial) = (Instant::now(), 1);
    let mut flows = |stream: &mut Stream, until: &dyn Fn(&Odb, Duration) -> bool| {
        let begun = Instant::now();
        while !until(&stream.odb, begun.elapsed()) {
            stream.words(serial..serial + 1, &[serial as u16, 2, 3, 4]);
            serial += 1;
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    flows(&mut stream, &|odb, passed| odb.exists(bank) || passed > Duration::from_secs(10));
    assert!(stream.odb.exists(bank), "nothing after {:?}", begun.elapsed());
    stream.set(switch, "n");
    let before = stream.odb.value(bank).unwrap();
    flows(&mut stream, &|_, passed| passed > Duration::from_millis(2200));
    assert!(stream.odb.value(bank).unwrap().same(&before));
    stream.end();
}

/// A value that cannot be taken, set between two runs, is as one that is set within a run.
#[test]
fn a_slip_between_two_runs_does_not_end_the_job() {
    let (bench, odb) = (Bench::new(&run_of(42, 0..1)), Odb::local());
    let mut job = on(&odb, Job { block: 100, ..bench.writing() });
    for run in 43..46 {
        let path = bench.path(&format!("run000{run}.mid"));
        run_of(run, 0..40).save(&path);
        job = job.input(path);
    }
    let (other, mut mended, mut told) = (odb.clone(), false, Vec::new());
    let report = named("Analyzer")
        .run_with(&job, &mut |progress| {
            told.extend(
                progress.warnings.iter().map(|warning| (progress.run, progress.read, warning.clone())),
            );
            match progress.run {
                42 if progress.run_ends => other.set(OFFSET, vec![9]).unwrap(),
                43 if progress.read > 10 && !std::mem::replace(&mut mended, true) => {
                    other.set(OFFSET, vec![7; 4]).unwrap();
                }
                44 if progress.run_ends => other.delete("/Analyzer").unwrap(),
                _ => {}
            }
        })
        .unwrap();
    let runs: Vec<_> = report.runs.iter().map(|run| (run.run, run.epochs.len())).collect();
    assert_eq!(runs, [(42, 0), (43, 1), (44, 0), (45, 0)]);
    let firsts = firsts(&bench);
    assert_eq!((firsts[0], firsts[1], firsts[40], firsts[41], firsts[81]), (1, 1, 46, 7, 1));
    let [warning] = &report.warnings[..] else { panic!("{:?}", report.warnings) };
    assert_eq!(
        warning,
        "run 43 does not begin with what is in the ODB, the values of the run before stay in force: stage \"Sums\": parameter \"Offset\" has 1 values, but bank ADC0 has 4 elements: give it 4, in the definition, a -c file or the ODB"
    );
    // It is told when it happens.
    assert_eq!(told, [(43, 0, warning.clone())]);
    // What is missing is made again at each begin of run.
    assert_eq!(odb.get::<Vec<i32>>(OFFSET).unwrap(), [1; 4]);
    assert_eq!(odb.get::<i32>("/Runinfo/Run number").unwrap(), 45);
    assert!(odb.exists("/Analyzer/Output/Clear histos") && odb.exists("/Analyzer/Trigger/Common/Buffer"));
}

#[test]
fn a_run_without_a_number_has_that_of_the_odb() {
    let (bench, odb) = (Bench::new(&plain_run(1)), Odb::local());
    let events = (0..2).fold(MidFile::new(), |file, serial| file.words(1, serial, "ADC0", &[1, 2, 3, 4]));
    events.save(bench.path("events.mid"));
    odb.create("/Runinfo/Run number", 17).unwrap();
    let job = Job { inputs: Vec::new(), ..on(&odb, bench.job()) }.input(bench.path("events.mid"));
    assert_eq!(analyse(&named("Analyzer"), &job).runs[0].run, 17);
    assert_eq!(odb.get::<i32>("/Runinfo/Run number").unwrap(), 17);
    assert!(!odb.exists("/Runinfo/Online Mode"));
}

#[test]
fn no_file_is_loaded_over_a_shared_odb() {
    let (bench, odb) = (Bench::new(&plain_run(1)), Odb::local());
    std::fs::write(bench.path("old.odb"), "[/Precious]\nValue = INT : 1\n").unwrap();
    odb.create("/Precious/Value", 2).unwrap();
    let mut job = on(&odb, bench.job());
    job.odb_load.push(bench.path("old.odb"));
    let error = named("Analyzer").run(&job).unwrap_err().to_string();
    assert!(error.starts_with("--odb-load: the ODB is shared, and the file would overwrite it: "), "{error}");
    assert_eq!(odb.get::<i32>("/Precious/Value").unwrap(), 2);
}

/// What is only written for others is left alone where it is protected.
#[test]
fn protected_keys_do_not_end_a_job() {
    let (bench, odb) = (Bench::new(&plain_run(3)), Odb::local());
    analyse(&named("Analyzer"), &on(&odb, bench.writing()));
    odb.change(|tree| {
        tree.set("/Runinfo/Run number", 1)?;
        tree.create("/Analyzer/Tests/Old/Count", 1)?;
        tree.set("/Analyzer/Trigger/Statistics/Events written", 0.0)?;
        for path in ["/Runinfo", "/Analyzer/Output", "/Analyzer/Tests", "/Analyzer/Trigger/Common"] {
            tree.set_mode(path, Mode::READ, true)?;
        }
        tree.set_mode("/Analyzer/Trigger/Statistics/Events received", Mode::READ, false)
    })
    .unwrap();
    let mut job = on(&odb, bench.job().output(bench.path("other.mid").to_str().unwrap()).unwrap());
    job.inputs.push(job.inputs[0].clone());
    let report = analyse(&named("Analyzer"), &job);
    assert_eq!(report.runs.len(), 2);
    let [warning] = &report.warnings[..] else { panic!("{:?}", report.warnings) };
    assert!(warning.starts_with("run 42: "), "{warning}");
    assert!(warning.ends_with("is protected and stays as it is"), "{warning}");
    assert_eq!(odb.get::<i32>("/Runinfo/Run number").unwrap(), 1);
    // The others are written.
    assert_eq!(odb.get::<f64>("/Analyzer/Trigger/Statistics/Events written").unwrap(), 3.0);
    assert_eq!(odb.get::<i32>("/Analyzer/Tests/Old/Count").unwrap(), 1);
}

/// An ODB that cannot be read or written any more.
struct Failing {
    odb: Odb,
    fails: AtomicBool,
}

impl Failing {
    fn check(&self) -> Result<(), OdbError> {
        if self.fails.load(Ordering::SeqCst) { Err(OdbError::Store("it is gone".into())) } else { Ok(()) }
    }
}

impl Store for Failing {
    fn revision(&self) -> u64 {
        self.odb.revision()
    }

    fn snapshot(&self) -> Result<(u64, Tree), OdbError> {
        self.check().and_then(|()| self.odb.store().snapshot())
    }

    fn transact(&self, change: &mut dyn FnMut(&mut Tree) -> Result<(), OdbError>) -> Result<(), OdbError> {
        self.check().and_then(|()| self.odb.store().transact(change))
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        self.odb.store().wait(seen, timeout)
    }
}

#[test]
fn an_odb_that_fails_at_the_end_costs_no_outputs() {
    let bench = Bench::new(&plain_run(3));
    let store = Arc::new(Failing { odb: Odb::local(), fails: AtomicBool::new(false) });
    let job = on(&Odb::new(store.clone()), bench.writing());
    let report = named("Analyzer")
        .run_with(&job, &mut |progress| store.fails.store(progress.run_ends, Ordering::SeqCst))
        .unwrap();
    assert_eq!(firsts(&bench), [1, 2, 3]);
    let wanted = [
        "run 42: the ODB was not written: ODB store: it is gone",
        "run 42: the ODB cannot be read: ODB store: it is gone",
    ];
    assert_eq!(report.warnings, wanted);
    assert_eq!(report.odb.unwrap().get::<Vec<i32>>(OFFSET).unwrap(), [1; 4]);
}
