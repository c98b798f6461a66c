//! What is told while events are published.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pactolus::shm::{Account, ConsumerStatus, Observer};
use pactolus::{Ended, Error};
use serde::Serialize;

use super::{Over, Plan};
use crate::dump::text::{count as counted, escaped};
use crate::lines::Lines;
use crate::status::{Part, Rates, Status, YELLOW, bytes, count, fit, time};
use crate::telling::{Due, Telling};

/// Waiting for a consumer is worth a word if it takes so much of the window.
const WORTH: Duration = Duration::from_millis(300);
const WINDOW: Duration = Duration::from_secs(2);

/// What is published now.
#[derive(Clone, Default)]
pub(super) struct Now {
    pub(super) run: Option<u32>,
    pub(super) is_paused: bool,
    pub(super) input: String,
    /// Consumers that are waited for before it begins.
    pub(super) wanted: usize,
    /// Events of the source that were passed over.
    pub(super) missed: u64,
    /// Events before this run.
    pub(super) before: u64,
    /// Runs that are over.
    pub(super) runs: u64,
    /// The last of them, if it was cut.
    pub(super) cut: Option<u32>,
}

/// Where the thread that publishes says how far it is; clones share it.
#[derive(Clone, Default)]
pub(super) struct Desk(Arc<Mutex<Now>>);

impl Desk {
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Now) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> Now {
        self.change(|now| now.clone())
    }
}

/// What is told once.
pub(super) enum Told {
    Warning(String),
    Run(RunTold),
}

/// A run that is over.
#[derive(Serialize)]
pub(super) struct RunTold {
    pub(super) run: u32,
    pub(super) input: Option<String>,
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) waited_seconds: f64,
    /// It has no EOR.
    pub(super) cut: bool,
    pub(super) seconds: f64,
}

/// A line of JSON of this moment.
#[derive(Serialize)]
struct StatusLine<'a> {
    run: Option<u32>,
    is_paused: bool,
    input: Option<&'a str>,
    read: u64,
    events: u64,
    bytes: u64,
    #[serde(flatten)]
    rates: Rates,
    consumers: &'a [ConsumerStatus],
    waits_for: Option<&'a str>,
    waited_seconds: f64,
    too_big: u64,
    missed: u64,
    seconds: f64,
}

/// The last line of JSON.
#[derive(Serialize)]
struct End<'a> {
    runs: u64,
    events: u64,
    bytes: u64,
    too_big: u64,
    missed: u64,
    waited_seconds: f64,
    /// The last run, if it has no EOR.
    cut: Option<u32>,
    ended: &'a Option<Ended>,
    stopped: bool,
    seconds: f64,
}

/// Looks at what the other thread does, and tells.
pub(super) struct Watch<'e, 'p> {
    plan: &'p Plan<'p>,
    telling: Telling<'e>,
    status: Status,
    waiting: Waiting,
    observer: Observer,
    desk: Desk,
}

/// For whom the producer has waited of late.
#[derive(Default)]
struct Waiting {
    /// How long it had waited, for a window.
    seen: VecDeque<(Instant, Duration)>,
    who: Option<String>,
}

impl Waiting {
    /// Takes note; who is waited for, if that takes its time.
    fn take(&mut self, at: Instant, account: &Account) -> Option<&str> {
        self.who = account.waits_for.clone().or(self.who.take());
        self.seen.push_back((at, account.waited));
        while let Some((next, _)) = self.seen.get(1)
            && at.saturating_duration_since(*next) >= WINDOW
        {
            self.seen.pop_front();
        }
        let before = self.seen.front().map_or(Duration::ZERO, |(_, waited)| *waited);
        self.who.as_deref().filter(|_| account.waited.saturating_sub(before) >= WORTH)
    }
}

impl<'e, 'p> Watch<'e, 'p> {
    pub(super) fn new(
        plan: &'p Plan<'p>,
        observer: Observer,
        (out, err): (Lines<'e>, &'e mut dyn Write),
    ) -> Watch<'e, 'p> {
        let telling = Telling::new(plan.how, Some(out), err);
        let status = Status::new(telling.begun);
        Watch { plan, telling, status, waiting: Waiting::default(), observer, desk: Desk::default() }
    }

    pub(super) fn desk(&self) -> Desk {
        self.desk.clone()
    }

    pub(super) fn take(&mut self, told: Told) {
        match told {
            Told::Warning(text) => self.telling.warn(&[text]),
            Told::Run(_) if !self.plan.tells_runs => {}
            Told::Run(run) if self.plan.how.json => self.telling.json("run", &run),
            Told::Run(run) if !self.plan.how.quiet => self.telling.print(format!("{run}\n").into_bytes()),
            Told::Run(_) => {}
        }
    }

    /// Tells how far it is, if it is time.
    pub(super) fn tell(&mut self) {
        let (at, now, account) = (Instant::now(), self.desk.now(), self.observer.account());
        self.status.mark(at, account.events, account.bytes);
        let waits_for = self.waiting.take(at, &account);
        if let Some(why) = self.telling.trouble() {
            self.telling.warn(&[format!("cannot write (standard output): {why}; the events go on")]);
        }
        let Some(due) = self.telling.due(at) else { return };
        let consumers = self.observer.consumers();
        match due {
            Due::Json => {
                let line = StatusLine {
                    run: now.run,
                    is_paused: now.is_paused,
                    input: Some(now.input.as_str()).filter(|input| !input.is_empty()),
                    read: now.run.map_or(0, |_| account.events.saturating_sub(now.before)),
                    events: account.events,
                    bytes: account.bytes,
                    rates: self.status.rates(),
                    consumers: &consumers,
                    waits_for,
                    waited_seconds: account.waited.as_secs_f64(),
                    too_big: account.too_big,
                    missed: now.missed,
                    seconds: self.telling.begun.elapsed().as_secs_f64(),
                };
                self.telling.json("status", &line);
            }
            Due::Line { width, colour } => {
                let parts = parts(&now, &account, &self.status, at, consumers.len(), waits_for);
                self.telling.line(fit(parts, width, colour));
            }
        }
    }

    /// It has failed, and somebody else says why.
    pub(super) fn fail(self, error: &Error) {
        self.telling.fail(error, true);
    }

    /// Says what was done; whether events were lost.
    pub(super) fn end(mut self, over: &Over, stopped: bool) -> io::Result<bool> {
        let (now, account) = (self.desk.now(), self.observer.account());
        let seconds = self.telling.begun.elapsed().as_secs_f64();
        self.telling.clear();
        if self.plan.how.json {
            let Now { runs, missed, cut, .. } = now;
            let Account { events, bytes, too_big, waited, .. } = account;
            let (waited_seconds, ended) = (waited.as_secs_f64(), &over.ended);
            let end =
                End { runs, events, bytes, too_big, missed, waited_seconds, cut, ended, stopped, seconds };
            self.telling.json("end", &end);
        } else if !self.plan.how.quiet {
            let text = summary(self.plan, &now, &account, seconds, stopped);
            self.telling.print(text.into_bytes());
        }
        // Also for who wants to hear of nothing else.
        if account.too_big > 0 {
            let events = counted(account.too_big, "event");
            writeln!(
                self.telling.err,
                "pactolus: {events} too big for {}: a larger --size is wanted",
                self.plan.to
            )?;
        }
        if let Some(ended) = &over.ended {
            writeln!(self.telling.err, "pactolus: {ended}")?;
        }
        self.telling.end()?;
        Ok(account.too_big > 0)
    }
}

/// The pieces of the line.
fn parts(
    now: &Now,
    account: &Account,
    status: &Status,
    at: Instant,
    consumers: usize,
    waits_for: Option<&str>,
) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut add = |rank, colour, text| parts.push(Part { rank, text, colour });
    match now.run {
        _ if now.wanted > 0 => {
            add(0, None, format!("waiting for {}", counted(now.wanted as u64, "consumer")))
        }
        Some(run) if now.is_paused => add(0, None, format!("run {run}, paused")),
        Some(run) => add(0, None, format!("run {run}")),
        None => add(0, None, "waiting for a run".into()),
    }
    match status.silent(at) {
        Some(silent) if waits_for.is_none() => add(3, None, format!(", nothing new for {}", time(silent))),
        _ => {
            let rates = status.rates();
            add(2, None, format!("  {:>6} ev/s", count(rates.events_per_second)));
            add(6, None, format!(" {:>7}/s", bytes(rates.bytes_per_second)));
        }
    }
    match now.run {
        Some(_) => add(5, None, format!("  {} ev", count(account.events.saturating_sub(now.before) as f64))),
        None => add(5, None, format!("  {} ev so far", count(account.events as f64))),
    }
    if now.missed > 0 {
        add(5, Some(YELLOW), format!("  {} passed over", count(now.missed as f64)));
    }
    match consumers {
        0 => add(4, None, "  no consumer".into()),
        some => add(4, None, format!("  {}", counted(some as u64, "consumer"))),
    }
    if let Some(who) = waits_for {
        let who = escaped(who.as_bytes());
        add(1, Some(YELLOW), format!("  waits for {who}, {} in all", time(account.waited.as_secs_f64())));
    }
    parts
}

impl std::fmt::Display for RunTold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RunTold { run, events, seconds, cut, .. } = self;
        let events = counted(*events, "event");
        write!(f, "run {run}: {events}, {}, {}", bytes(self.bytes as f64), time(*seconds))?;
        if self.waited_seconds >= WORTH.as_secs_f64() {
            write!(f, ", {} of them waiting for consumers", time(self.waited_seconds))?;
        }
        f.write_str(if *cut { "; cut: it has no EOR" } else { "" })
    }
}

/// What was done.
fn summary(plan: &Plan<'_>, now: &Now, account: &Account, seconds: f64, stopped: bool) -> String {
    let from = plan.from.as_ref().map(|from| format!("{from} to ")).unwrap_or_default();
    let (runs, events) = (counted(now.runs, "run"), counted(account.events, "event"));
    let rate = |all: u64| all as f64 / seconds.max(1e-9);
    let mut text = format!(
        "{from}{}: {runs}, {events}, {}; {seconds:.2} s, {} events/s, {}/s\n",
        plan.to,
        bytes(account.bytes as f64),
        count(rate(account.events)),
        bytes(rate(account.bytes)),
    );
    if account.waited >= WORTH {
        text += &format!("consumers were waited for, {}\n", time(account.waited.as_secs_f64()));
    }
    if now.missed > 0 {
        text += &format!("{} of the source passed over\n", counted(now.missed, "event"));
    }
    if stopped {
        let becomes = match now.cut {
            Some(run) => format!("run {run} is cut"),
            None => "no run is cut".into(),
        };
        text += &format!("stopped before the end, as you asked: {becomes}\n");
    }
    text
}
