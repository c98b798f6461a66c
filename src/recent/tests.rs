//! What is made of what a consumer gives, which is read from a script.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pactolus_formats::Header;
use pactolus_formats::event::{BOR, EOR, MIDAS_MAGIC};

use super::pull::{Puller, Taking};
use super::ring::{Attach, Ring};
use super::{Shm, StopAt};
use crate::analyzer::Analyzer;
use crate::feed::{Bounds, Ended, Item, Spool};
use crate::job::{Job, Stop};
use crate::layers::Base;
use crate::ledger::Offered;
use crate::report::Report;
use crate::request::{Request, Sampling};
use crate::shm::{Error, Lost, Next, Result, Transition, TransitionKind};

/// What happens next.
enum Step {
    /// Events of these ids and serial numbers.
    Events(Vec<(u16, u32)>),
    Tell(TransitionKind, u32),
    /// ... which was before we came.
    Replay(TransitionKind, u32),
    /// Events of id 1 that we have missed: overrun, unattended.
    Miss(u64, u64),
    /// The producer has waited for so many seconds more.
    Press(u64),
    /// The producer leaves.
    Leave,
    /// The stream is removed; somebody makes another after so many attempts.
    Remove(u32),
}

use Step::{Events, Leave, Miss, Press, Remove, Replay, Tell};
use TransitionKind::{Begin, Cut, End, Missed, Pause, Resume};

#[derive(Default)]
struct State {
    steps: VecDeque<Step>,
    is_alone: bool,
    missed: BTreeMap<u16, Lost>,
    pressure: Duration,
    /// Attempts to attach that will fail.
    away: u32,
    /// How often it was removed.
    stamp: u64,
    is_attached: bool,
    backlog: u64,
    /// How often somebody has waited for something.
    waits: u32,
}

/// A stream that is read from a script.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<State>>);

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Script {
        let script = Script::default();
        script.lock().steps.extend(steps);
        script
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn attach(&self) -> Attach {
        let script = self.clone();
        Box::new(move || {
            let mut state = script.lock();
            if state.away > 0 {
                state.away -= 1;
                return Err(Error::Absent { hint: String::new() });
            }
            state.is_attached = true;
            Ok(Box::new(script.clone()))
        })
    }
}

fn event(id: u16, mask: u16, serial: u32) -> Vec<u8> {
    Header { id, mask, serial, time: 7, size: 0 }.to_bytes().to_vec()
}

impl Ring for Script {
    fn stamp(&self) -> u64 {
        self.lock().stamp
    }

    fn size(&self) -> u64 {
        1000
    }

    fn next(&mut self, to: &mut Vec<u8>, only: Option<&[u16]>) -> Result<Next> {
        let mut state = self.lock();
        loop {
            let Some(step) = state.steps.pop_front() else { return Ok(Next::Nothing) };
            let (kind, run, is_replay) = match step {
                Events(events) => {
                    for (id, serial) in &events {
                        match only.is_none_or(|only| only.contains(id)) {
                            true => to.extend(event(*id, 1, *serial)),
                            false => state.missed.entry(*id).or_default().overrun += 1,
                        }
                    }
                    return Ok(Next::Events { count: events.len() as u64, published: Instant::now() });
                }
                Tell(kind, run) => (kind, run, false),
                Replay(kind, run) => (kind, run, true),
                Miss(overrun, unattended) => {
                    state.missed.insert(1, Lost { overrun, unattended, ..Lost::default() });
                    continue;
                }
                Press(seconds) => {
                    state.pressure += Duration::from_secs(seconds);
                    continue;
                }
                Leave => {
                    state.is_alone = true;
                    return Ok(Next::Nothing);
                }
                Remove(away) => {
                    state.away = away;
                    state.stamp += 1;
                    state.is_attached = false;
                    return Ok(Next::Over);
                }
            };
            state.is_alone = kind == Cut;
            let event = match kind {
                Begin => event(BOR, MIDAS_MAGIC, run),
                End => event(EOR, MIDAS_MAGIC, run),
                _ => Vec::new(),
            };
            return Ok(Next::Transition(Transition { kind, run, event, is_replay }));
        }
    }

    fn wait(&self, longest: Duration) -> bool {
        std::thread::sleep(longest.min(Duration::from_millis(5)));
        let mut state = self.lock();
        state.waits += 1;
        // A producer that is away may come back.
        state.steps.is_empty() || state.is_alone && state.waits % 2 == 1
    }

    fn has_producer(&self) -> bool {
        !self.lock().is_alone
    }

    fn backlog(&self) -> u64 {
        self.lock().backlog
    }

    fn missed(&mut self) -> BTreeMap<u16, Lost> {
        std::mem::take(&mut self.lock().missed)
    }

    fn back_pressure(&self) -> Duration {
        self.lock().pressure
    }
}

fn stream() -> Shm {
    Shm { stop: StopAt::EndRun, timeout: Some(Duration::from_secs(20)), ..Shm::new("shm:lxe").unwrap() }
}

fn several(last: u32) -> Shm {
    Shm { stop: StopAt::Never, runs: Some((1, last)), ..stream() }
}

fn analyzed(shm: &Shm, script: &Script) -> Report {
    let analyzer = Analyzer::new("Analyzer").on(Request::new("Trigger", 1));
    let attached = shm.attach_by(&analyzer, &Job::new().threads(1), |_| script.attach()).unwrap();
    let base = Base::new(&analyzer, &attached.job).unwrap();
    crate::fold::run(&analyzer, &attached.job, &base, &mut |_| {}, &mut std::io::sink(), Vec::new()).unwrap()
}

fn ones(serials: impl IntoIterator<Item = u32>) -> Step {
    Events(serials.into_iter().map(|serial| (1, serial)).collect())
}

/// Run number, offered and unattended events of id 1.
fn runs(report: &Report) -> Vec<(u32, u64, u64)> {
    let account = |ids: &BTreeMap<u16, Offered>| ids.get(&1).copied().unwrap_or_default();
    let runs = report.runs.iter().map(|run| (run.run, account(&run.events)));
    runs.map(|(run, account)| (run, account.offered, account.unattended)).collect()
}

#[test]
fn a_run_is_analyzed_from_its_begin_to_its_end() {
    let script = Script::new([Tell(Begin, 42), ones(1..=50), ones(51..=90), Tell(End, 42), Tell(Begin, 43)]);
    let report = analyzed(&stream(), &script);
    assert_eq!(runs(&report), [(42, 90, 0)]);
    assert_eq!((report.runs[0].system, &report.runs[0].input), (2, &PathBuf::from("shm:lxe")));
    assert_eq!((report.ended, report.warnings), (None, Vec::<String>::new()));
}

#[test]
fn who_comes_late_is_told_what_was_before() {
    let steps = [Replay(Begin, 42), Replay(Pause, 42), Tell(Resume, 42), ones([31, 32, 35]), Tell(End, 42)];
    let script = Script::new([Miss(0, 30)].into_iter().chain(steps));
    let report = analyzed(&stream(), &script);
    assert_eq!(runs(&report), [(42, 3, 32)]);
    let wanted = [
        "shm:lxe: attached within run 42, of which 30 events were published before",
        "run 42 is paused",
        "run 42 goes on",
    ];
    assert_eq!(report.warnings, wanted);
}

#[test]
fn what_was_overrun_belongs_to_its_run_and_is_no_gap() {
    let script = Script::new([
        Tell(Begin, 42),
        ones([1, 2]),
        Miss(4, 0),
        ones([7, 8]),
        Miss(2, 0),
        Press(3),
        Tell(End, 42),
        Press(100),
        ones([]),
        Press(2),
        Tell(Begin, 43),
        Miss(5, 0),
        Press(1),
        ones([6, 7]),
        Tell(End, 43),
    ]);
    let report = analyzed(&several(43), &script);
    assert_eq!(runs(&report), [(42, 10, 0), (43, 7, 0)]);
    let dropped: Vec<u64> = report.runs.iter().map(|run| run.events[&1].overrun).collect();
    assert_eq!(dropped, [6, 5]);
    let pressed: Vec<f64> = report.runs.iter().map(|run| run.back_pressure).collect();
    assert_eq!(pressed, [3.0, 3.0]);
}

#[test]
fn a_producer_that_is_gone_may_come_back_in_the_same_run() {
    let script = Script::new([
        Tell(Begin, 42),
        ones([1, 2]),
        Leave,
        Tell(Cut, 42),
        Tell(Begin, 42),
        Miss(0, 3),
        ones([6, 7]),
        Tell(End, 42),
    ]);
    let report = analyzed(&several(42), &script);
    // What it has published before we saw it again is not lost for the account.
    assert_eq!(runs(&report), [(42, 4, 3 + 3)]);
    let [gap] = &*report.runs[0].gaps else { panic!("{:?}", report.runs[0].gaps) };
    assert!(gap.starts_with("the producer of shm:lxe was gone: events of this time, 0."), "{gap}");
    assert!(!report.is_clean());
    let wanted =
        ["shm:lxe: its producer is gone within run 42; waiting for another", "shm:lxe: its producer is back"];
    assert_eq!(report.warnings.iter().filter(|text| *text != gap).collect::<Vec<_>>(), wanted);
}

#[test]
fn a_run_that_does_not_go_on_is_not_complete() {
    let script = Script::new([
        Tell(Begin, 42),
        ones([1, 2]),
        Tell(Cut, 42),
        ones([3]),
        Tell(Begin, 43),
        ones([1]),
        Tell(Begin, 44),
        ones([1]),
        Tell(End, 44),
    ]);
    let report = analyzed(&several(44), &script);
    assert_eq!(runs(&report), [(42, 2, 0), (43, 1, 0), (44, 1, 0)]);
    assert_eq!(report.runs[0].gaps, ["run 42 is not complete: the producer of shm:lxe was gone"]);
    assert_eq!(report.runs[1].gaps, ["run 43 is not complete: its end was not told"]);
    assert!(report.runs[2].gaps.is_empty());
    let outside = "1 events came while no run was going on, and are not analyzed: 1 of id 1".to_owned();
    assert!(report.warnings.contains(&outside), "{:?}", report.warnings);
}

#[test]
fn who_ends_with_the_run_does_not_outlive_its_producer() {
    for last in [Leave, Tell(Cut, 42), Remove(0)] {
        let is_removed = matches!(last, Remove(_));
        let report = analyzed(&stream(), &Script::new([Tell(Begin, 42), ones([1, 2]), last]));
        assert_eq!(runs(&report), [(42, 2, 0)]);
        let Some(Ended::Lost(why)) = report.ended else { panic!("{:?}", report.ended) };
        let wanted = match is_removed {
            true => "shm:lxe was removed; the last complete event is number 3 (id 1, serial 2)",
            false => {
                "shm:lxe: its producer is gone within run 42; the last complete event is number 3 (id 1, serial 2)"
            }
        };
        assert_eq!(why, wanted);
    }
    let report = analyzed(&stream(), &Script::new([Leave]));
    let wanted = "shm:lxe: its producer is gone, and no run has begun; no event was complete";
    assert_eq!(report.ended, Some(Ended::Lost(wanted.into())));
}

#[test]
fn a_stream_that_is_removed_is_looked_for_by_its_name() {
    let script = Script::new([
        Tell(Begin, 42),
        ones([1, 2]),
        Remove(2),
        Miss(0, 5),
        Replay(Begin, 42),
        ones([8, 9]),
        Tell(End, 42),
    ]);
    let report = analyzed(&several(42), &script);
    // What came before us in a run that was in hand is overrun.
    assert_eq!(runs(&report), [(42, 9, 0)]);
    assert_eq!(report.runs[0].events[&1].overrun, 5);
    let says = |text: &str| report.warnings.iter().any(|warning| warning == text);
    assert!(says("shm:lxe was removed; waiting for another"), "{:?}", report.warnings);
    assert!(says("shm:lxe: nobody has made this stream; waiting for it"), "{:?}", report.warnings);
    assert!(says("shm:lxe: attached"), "{:?}", report.warnings);
}

#[test]
fn transitions_that_were_given_up_are_a_gap() {
    let why = "nothing was read of shm:lxe for so long that transitions were given up";
    let gaps = |steps: Vec<Step>| {
        let report = analyzed(&several(44), &Script::new(steps));
        report.runs.into_iter().map(|run| (run.run, run.gaps)).collect::<Vec<_>>()
    };
    let same =
        gaps(vec![Tell(Begin, 44), ones([1]), Tell(Missed, 0), Replay(Begin, 44), ones([9]), Tell(End, 44)]);
    assert!(same[0].1[0].starts_with(why) && same.len() == 1, "{same:?}");
    // What was overrun is of the run in hand, what came before us of the next.
    let steps = [Tell(Begin, 42), ones([1]), Miss(7, 30), Tell(Missed, 0), Replay(Begin, 44), Tell(End, 44)];
    let report = analyzed(&several(44), &Script::new(steps));
    let missed = |run: usize| {
        let account = report.runs[run].events.get(&1).copied().unwrap_or_default();
        (account.overrun, account.unattended)
    };
    assert_eq!([missed(0), missed(1)], [(7, 0), (0, 30)], "{:?}", report.warnings);
    let other = gaps(vec![Tell(Begin, 42), ones([1]), Tell(Missed, 0), Replay(Begin, 44), Tell(End, 44)]);
    assert_eq!(other, [(42, vec![format!("run 42 is not complete: {why}")]), (44, vec![])]);
    let none = gaps(vec![Tell(Begin, 44), ones([1]), Tell(Missed, 0), ones([2])]);
    assert_eq!(none, [(44, vec![format!("run 44 is not complete: {why}")])]);
}

#[test]
fn runs_before_and_behind_those_that_were_asked_for_are_passed_over() {
    let run = |run: u32| [Tell(Begin, run), ones([run, run + 1]), Tell(End, run)];
    let script = Script::new((1..=4).flat_map(run));
    let shm = Shm { stop: StopAt::Never, runs: Some((2, 3)), ..stream() };
    assert_eq!(runs(&analyzed(&shm, &script)), [(2, 2, 0), (3, 2, 0)]);
    // Of a range, it is the first that comes.
    let script = Script::new((1..=4).flat_map(run));
    let shm = Shm { runs: Some((2, 3)), ..stream() };
    assert_eq!(runs(&analyzed(&shm, &script)), [(2, 2, 0)]);
}

#[test]
fn silence_is_the_end_if_somebody_says_so() {
    let shm = Shm { timeout: Some(Duration::from_millis(100)), stop: StopAt::Never, ..stream() };
    let report = analyzed(&shm, &Script::new([Tell(Begin, 42), ones([1])]));
    assert_eq!(runs(&report), [(42, 1, 0)]);
    let Some(Ended::TimedOut(why)) = report.ended else { panic!("{:?}", report.ended) };
    assert!(why.starts_with("no event from shm:lxe for 0.1 s (--live-timeout); the last"), "{why}");
    // The same if it is never made.
    let script = Script::default();
    script.lock().away = u32::MAX;
    let report = analyzed(&shm, &script);
    assert!(matches!(report.ended, Some(Ended::TimedOut(_))), "{:?}", report.ended);
    assert_eq!(report.warnings, ["shm:lxe: nobody has made this stream; waiting for it"]);
    // Who ends with the run does not wait for it.
    let analyzer = Analyzer::new("Analyzer");
    let error = stream().attach_by(&analyzer, &Job::new(), |_| script.attach()).err().unwrap();
    assert!(error.is_away());
    assert_eq!(error.to_string(), "shm:lxe: nobody has made this stream");
}

#[test]
fn it_stops_at_once_whatever_it_waits_for() {
    let analyzer = Analyzer::new("Analyzer");
    let away = Script::default();
    away.lock().away = u32::MAX;
    let full = || Script::new([Tell(Begin, 42)].into_iter().chain((0..100_000).map(|n| ones([n; 64]))));
    for (script, sampling) in [
        (Script::default(), Sampling::Recent),
        (Script::new([Leave]), Sampling::Recent),
        (away, Sampling::Recent),
        (full(), Sampling::All),
    ] {
        let shm = Shm { stop: StopAt::Never, sampling: Some(sampling), timeout: None, ..stream() };
        for is_asked in [true, false] {
            let job = Job::new();
            let attached = shm.attach_by(&analyzer, &job, |_| script.attach()).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            if is_asked {
                job.stop.ask();
                std::thread::sleep(Duration::from_millis(250));
            }
            let begun = Instant::now();
            drop(attached);
            // A thread that does not hear of it is waited for three seconds.
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        }
    }
}

/// A puller with a spool of 100 bytes.
fn small(taking: Taking, script: &Script, reserve: &[(u16, u32)]) -> (Spool, std::thread::JoinHandle<()>) {
    let reserve = reserve.iter().copied().collect();
    let spool = Spool::with(Bounds { most: 100, max_age: None, reserve });
    let mut puller = Puller::new(stream(), (taking, script.attach()), spool.clone(), &Stop::new());
    puller.begin().unwrap();
    (spool, std::thread::spawn(move || puller.run()))
}

/// All that is in a spool: serial numbers of events by id.
fn emptied(spool: &Spool) -> Vec<(u16, u32)> {
    let mut found = Vec::new();
    assert!(matches!(spool.next(Duration::from_secs(5)), Some(Item::Begin(42))));
    while let Ok(Some(piece)) = spool.pop(usize::MAX) {
        let headers = crate::feed::headers(piece.bytes());
        found.extend(headers.map(|header| (header.id, header.serial)));
    }
    found
}

#[test]
fn while_it_is_behind_reserved_events_are_kept_in_order_and_others_passed_over() {
    let both = |serial: u32| Events(vec![(1, serial), (4, serial)]);
    let steps = (0..20).map(both).chain([Tell(End, 42)]);
    let script = Script::new([Tell(Begin, 42)].into_iter().chain(steps));
    let taking = Taking { all: false, split: false, reserved: vec![4] };
    let (spool, thread) = small(taking, &script, &[(4, 3)]);
    thread.join().unwrap();
    let found = emptied(&spool);
    let events: Vec<_> = found.iter().filter(|(id, _)| *id < 0x8000).copied().collect();
    let (taken, kept) = events.split_at(events.len() - 3);
    assert_eq!(kept, [(4, 17), (4, 18), (4, 19)]);
    assert_eq!(found.last(), Some(&(EOR, 42)));
    let serials: Vec<u32> = taken.iter().map(|(_, serial)| *serial).collect();
    assert_eq!(serials, [0, 0, 1, 1, 2, 2], "what there was room for");
    let missed = spool.missed().events;
    for id in [1, 4] {
        let seen = events.iter().filter(|(of, _)| *of == id).count() as u64;
        assert_eq!((missed[&id].offered + seen, missed[&id].overrun), (20, missed[&id].offered));
    }
}

#[test]
fn who_wants_all_waits_and_who_splits_leaves_events_to_others() {
    for taking in [Taking { all: true, ..Taking::default() }, Taking { split: true, ..Taking::default() }] {
        let steps = (0..20).map(|serial| ones([serial])).chain([Tell(End, 42)]);
        let script = Script::new([Tell(Begin, 42)].into_iter().chain(steps));
        script.lock().backlog = 400;
        let (spool, thread) = small(taking.clone(), &script, &[]);
        std::thread::sleep(Duration::from_millis(50));
        let left = script.lock().steps.len();
        assert!(left >= 14, "{left}");
        if taking.split {
            // Nobody else takes them, and more than half of the stream waits.
            script.lock().backlog = 600;
            thread.join().unwrap();
            assert!(emptied(&spool).len() <= 8);
            assert!(spool.missed().events[&1].overrun >= 13);
        } else {
            let mut found = emptied(&spool).len();
            loop {
                let is_last = thread.is_finished();
                while let Ok(Some(piece)) = spool.pop(usize::MAX) {
                    found += crate::feed::headers(piece.bytes()).count();
                }
                if is_last {
                    break;
                }
            }
            assert_eq!(found, 22);
            assert!(spool.missed().is_empty());
        }
    }
}
