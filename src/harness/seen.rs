//! What came out of a run in the harness.

use std::collections::{HashMap, VecDeque};

use pactolus_formats::{Bank, BankDef, BankName, Element, Header, Order};
use pactolus_odb::nearest;

use super::log::{Logged, Step};
use crate::analyzer::Analyzer;
use crate::histo::{Histogram, Histograms};
use crate::module::{NewEvent, Verdict};
use crate::report::{Report, RunReport, StageReport};

/// What came out of a run in the harness: its events, tests, histograms and counters.
#[derive(Debug)]
pub struct Seen {
    events: Vec<SeenEvent>,
    /// Those that no request wants have none.
    requested: Vec<Vec<usize>>,
    made: Vec<SeenEvent>,
    /// Names of the tests that modules have booked.
    tests: Vec<String>,
    histograms: Histograms,
    report: Report,
}

/// What became of one event in one chain.
#[derive(Clone, Debug)]
pub struct SeenEvent {
    request: Option<String>,
    header: Header,
    banks: Vec<(BankName, u32, Vec<u8>)>,
    end: End,
    queued: Vec<NewEvent>,
    /// Allocations by number of the stage, if the event may not have made any.
    allocations: Vec<(u32, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// No request wants it.
    Unrequested,
    /// A request wants it, but none of its stages has got it.
    Unseen,
    Kept,
    Skipped,
    Lost(String),
}

/// The steps of the log, each to be taken once: by stage and header, in their order.
struct Steps(HashMap<(u32, HeaderKey), VecDeque<Step>>);

/// Id, mask, serial number and time.
type HeaderKey = (u16, u16, u32, u32);

fn key(header: &Header) -> HeaderKey {
    (header.id, header.mask, header.serial, header.time)
}

impl Steps {
    fn new(steps: Vec<Step>) -> Steps {
        let mut by_header: HashMap<_, VecDeque<Step>> = HashMap::new();
        for step in steps {
            by_header.entry((step.stage, key(&step.header))).or_default().push_back(step);
        }
        Steps(by_header)
    }

    /// What this stage did to the next event with this header.
    fn take(&mut self, stage: u32, header: &Header) -> Option<Step> {
        self.0.get_mut(&(stage, key(header)))?.pop_front()
    }
}

impl Seen {
    pub(super) fn new(analyzer: &Analyzer, events: Vec<NewEvent>, logged: Logged, report: Report) -> Seen {
        let mut steps = Steps::new(logged.steps);
        let mut seen = Seen {
            events: Vec::new(),
            requested: Vec::new(),
            made: Vec::new(),
            tests: logged.tests,
            histograms: logged.histograms,
            report,
        };
        for event in events {
            let passed = pass(analyzer, &mut steps, &event, 0);
            // Made events go to later requests, and may make others.
            let queue = |passed: &[(usize, SeenEvent)]| -> Vec<(usize, NewEvent)> {
                passed
                    .iter()
                    .flat_map(|(n, seen)| seen.queued.iter().map(move |new| (n + 1, new.clone())))
                    .collect()
            };
            let mut queued = queue(&passed);
            while let Some((from, new)) = (!queued.is_empty()).then(|| queued.remove(0)) {
                let passed = pass(analyzer, &mut steps, &new, from);
                queued.extend(queue(&passed));
                match passed.is_empty() {
                    true => seen.made.push(SeenEvent::unrequested(&new)),
                    false => seen.made.extend(passed.into_iter().map(|(_, seen)| seen)),
                }
            }
            let first = seen.events.len();
            match passed.is_empty() {
                true => seen.events.push(SeenEvent::unrequested(&event)),
                false => seen.events.extend(passed.into_iter().map(|(_, seen)| seen)),
            }
            seen.requested.push((first..seen.events.len()).collect());
        }
        seen
    }

    /// What became of the event at this place, from 0 on: in the first request that wants it.
    ///
    /// # Panics
    /// If there were fewer events.
    #[track_caller]
    pub fn event(&self, place: usize) -> &SeenEvent {
        match self.requested.get(place) {
            Some(passes) => &self.events[passes[0]],
            None => panic!("event {place}: there were {}, counted from 0", self.requested.len()),
        }
    }

    /// What became of the event at this place in this request.
    ///
    /// # Panics
    /// If there were fewer events, or that request does not want this one.
    #[track_caller]
    pub fn event_of(&self, place: usize, request: &str) -> &SeenEvent {
        let first = self.event(place);
        let passes = self.requested[place].iter().map(|&pass| &self.events[pass]);
        let names =
            || passes.clone().filter_map(|pass| pass.request.as_deref()).collect::<Vec<_>>().join(", ");
        let found = passes.clone().find(|pass| pass.request.as_deref() == Some(request));
        found.unwrap_or_else(|| match &first.request {
            Some(_) => panic!("event {place}: request \"{request}\" does not want it, only {}", names()),
            None => panic!("event {place}: no request wants it"),
        })
    }

    /// What became of all events in their order, in the first request that wants each.
    pub fn events(&self) -> impl Iterator<Item = &SeenEvent> {
        self.requested.iter().map(|passes| &self.events[passes[0]])
    }

    /// The events that modules have made, in each of the later requests that wants them. One that has the very
    /// header of its maker (id, mask, serial number and time) cannot be told from it where a request wants both.
    pub fn made(&self) -> &[SeenEvent] {
        &self.made
    }

    /// The count of a test; 0 if it was never set.
    ///
    /// # Panics
    /// If no module has booked it.
    #[track_caller]
    pub fn test(&self, name: &str) -> u64 {
        let counts = &self.run().tests;
        let names = self.tests.iter().map(|name| &**name);
        match counts.iter().find(|(test, _)| test.eq_ignore_ascii_case(name)) {
            Some((_, count)) => *count,
            None if names.clone().any(|test| test.eq_ignore_ascii_case(name)) => 0,
            None => panic!("test \"{name}\": {}", known("no module has booked it", name, names)),
        }
    }

    /// A histogram by its path, `ADC calibration/CADC00`, or by its last part if there is one such only.
    ///
    /// # Panics
    /// If no module has booked it.
    #[track_caller]
    pub fn histogram(&self, name: &str) -> &Histogram {
        let names = self.histograms.list.iter().map(Histogram::name);
        match self.histograms.get(name) {
            Some(histogram) => histogram,
            None => {
                let end = format!("/{}", name.to_lowercase());
                let same = names.clone().filter(|path| format!("/{path}").to_lowercase().ends_with(&end));
                match same.collect::<Vec<_>>() {
                    several if several.len() > 1 => {
                        panic!("histogram \"{name}\": it may be {}", several.join(" or "))
                    }
                    _ => panic!("histogram \"{name}\": {}", known("no module has booked it", name, names)),
                }
            }
        }
    }

    /// The counters of a stage: events that entered, that it skipped and that it lost.
    ///
    /// # Panics
    /// If there is no such stage.
    #[track_caller]
    pub fn stage(&self, name: &str) -> &StageReport {
        let stages = &self.run().stages;
        let names = stages.iter().map(|stage| &*stage.name);
        match stages.iter().find(|stage| stage.name.eq_ignore_ascii_case(name)) {
            Some(stage) => stage,
            None => panic!("stage \"{name}\": {}", known("there is none of that name", name, names)),
        }
    }

    /// The first messages of modules.
    pub fn messages(&self) -> &[String] {
        &self.run().messages
    }

    /// What modules could not do at the end of the run.
    pub fn errors(&self) -> &[String] {
        &self.run().errors
    }

    /// All that a job has to report.
    pub fn report(&self) -> &Report {
        &self.report
    }

    #[track_caller]
    fn run(&self) -> &RunReport {
        match self.report.runs.first() {
            Some(run) => run,
            None => panic!("there was no event"),
        }
    }

    /// How often a stage has allocated for the event at this place; `None` if it may.
    pub(super) fn allocations(&self, place: usize, stage: usize) -> Option<u64> {
        let passes = self.requested.get(place)?.iter().flat_map(|&pass| &self.events[pass].allocations);
        passes.filter(|(number, _)| *number as usize == stage).map(|(_, made)| *made).next()
    }
}

/// One event through the chains that want it, from this one on; which they are.
fn pass(analyzer: &Analyzer, steps: &mut Steps, event: &NewEvent, from: usize) -> Vec<(usize, SeenEvent)> {
    let mut passes = Vec::new();
    let mut stage = 0;
    for (number, chain) in analyzer.chains.iter().enumerate() {
        let stages = stage..stage + chain.stages.len() as u32;
        stage = stages.end;
        if number < from || !chain.request.matches(event.header.id, event.header.mask) {
            continue;
        }
        let mut seen = SeenEvent::unrequested(event);
        seen.request = Some(chain.request.name.clone());
        // Without stages, what is requested is kept.
        seen.end = if stages.is_empty() { End::Kept } else { End::Unseen };
        for stage in stages {
            if let Some(step) = steps.take(stage, &event.header) {
                seen.step(step);
            }
            if matches!(seen.end, End::Skipped | End::Lost(_)) {
                break;
            }
        }
        passes.push((number, seen));
    }
    passes
}

impl SeenEvent {
    /// As it was given.
    fn unrequested(event: &NewEvent) -> SeenEvent {
        let banks = event.banks.iter().map(|(name, tid, bytes)| (*name, tid.code(), bytes.clone()));
        SeenEvent {
            request: None,
            header: event.header,
            banks: banks.collect(),
            end: End::Unrequested,
            queued: Vec::new(),
            allocations: Vec::new(),
        }
    }

    /// A stage was next.
    fn step(&mut self, step: Step) {
        let may = step.says || !step.queued.is_empty() || step.verdict.is_err();
        if !may {
            self.allocations.push((step.stage, step.allocations));
        }
        self.banks = step.banks;
        self.queued.extend(step.queued);
        self.end = match step.verdict {
            Ok(Verdict::Keep) => End::Kept,
            Ok(Verdict::Skip) => End::Skipped,
            Err(reason) => End::Lost(reason),
        };
        if let End::Lost(_) = self.end {
            // What a lost event would have brought about is lost with it.
            self.queued.clear();
        }
    }

    /// The elements of bank `def`, raw or appended.
    ///
    /// # Panics
    /// If the event has no such bank, or one of another type.
    #[track_caller]
    pub fn bank<T: Element>(&self, def: BankDef<T>) -> Vec<T> {
        match self.get(def) {
            Some(values) => values,
            None => {
                let names: Vec<String> = self.banks.iter().map(|(name, ..)| name.to_string()).collect();
                let banks = if names.is_empty() { "no banks".into() } else { names.join(", ") };
                let why = match &self.end {
                    End::Lost(error) => format!("; it was lost: {error}"),
                    End::Unseen => {
                        "; no stage has got it: they are off, or it is FIXED and its request is not".into()
                    }
                    End::Unrequested => "; no request wants it".into(),
                    End::Kept | End::Skipped => String::new(),
                };
                panic!("bank {}: the event has {banks}{why}", def.name())
            }
        }
    }

    /// The elements of bank `def`; `None` if the event has no such bank.
    ///
    /// # Panics
    /// If it is of another type.
    #[track_caller]
    pub fn get<T: Element>(&self, def: BankDef<T>) -> Option<Vec<T>> {
        let (name, code, data) = self.banks.iter().find(|(name, ..)| *name == def.name())?;
        let bank = Bank { name: *name, code: *code, data, order: Order::Little };
        match bank.values::<T>() {
            Ok(values) => Some(values.iter().collect()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The names of its banks: raw ones, then appended ones, up to the stage that was its last.
    pub fn banks(&self) -> impl Iterator<Item = BankName> {
        self.banks.iter().map(|(name, ..)| *name)
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The request whose chain this is; `None` if no request wants it.
    pub fn request(&self) -> Option<&str> {
        self.request.as_deref()
    }

    /// Whether stages have got it, and all of them have let it pass.
    pub fn is_kept(&self) -> bool {
        self.end == End::Kept
    }

    /// Whether a stage skipped it.
    pub fn is_skipped(&self) -> bool {
        self.end == End::Skipped
    }

    /// Whether a request wants it.
    pub fn is_requested(&self) -> bool {
        self.end != End::Unrequested
    }

    /// Why it was lost, if it was: the error of the stage, or with what it panicked.
    pub fn error(&self) -> Option<&str> {
        match &self.end {
            End::Lost(reason) => Some(reason),
            _ => None,
        }
    }

    /// The events that modules made of it.
    pub fn queued(&self) -> &[NewEvent] {
        &self.queued
    }
}

/// What is wrong with a name, and which there are.
fn known<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let last = |path: &'a str| path.rsplit('/').next().unwrap_or(path);
    let near = nearest(name, names.clone()).or_else(|| nearest(name, names.clone().map(last)));
    match near {
        Some(near) => format!("{what}; the nearest is \"{near}\""),
        None => {
            let all: Vec<&str> = names.collect();
            if all.is_empty() {
                format!("{what}; there are none")
            } else {
                format!("{what}; there are {}", all.join(", "))
            }
        }
    }
}
