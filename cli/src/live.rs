//! What a live job tells while it goes on: for people a line, and each run when it ends; or lines of JSON.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use pactolus::{LiveProgress, Progress, Report};
use serde::Serialize;
use serde_json::json;
use terminal_size::{Width, terminal_size_of};

use crate::lines::{LeftOut, Lines};
use crate::signals::is_screen;
use crate::status::{Rates, Status};
use crate::summary;

/// How often the line of a terminal changes: faster, nobody can read it.
const SHOWN: Duration = Duration::from_millis(250);

/// Where there is no terminal: a line now and then.
const LINES: Duration = Duration::from_secs(10);

/// How often JSON tells the status.
const STATUS: Duration = Duration::from_secs(1);

/// How a user wants to be told.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) json: bool,
}

/// Tells of a live job.
pub(crate) struct Live<'e> {
    how: How,
    /// Standard output, unless events go there.
    out: Option<Lines<'e>>,
    err: &'e mut dyn Write,
    /// The terminal, if it shows a line that changes.
    line: Option<Line>,
    colour: bool,
    status: Status,
    begun: Instant,
    /// The job has told something: it was not refused.
    goes: bool,
    /// When the status was told.
    last: Option<Instant>,
}

/// A line of JSON: what it is, and the members of that.
#[derive(Serialize)]
struct Typed<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    what: &'a T,
}

#[derive(Serialize)]
struct Now<'a> {
    /// `None` if there is no run.
    run: Option<u32>,
    input: Option<String>,
    /// Events read and kept in this run, and read in all.
    read: u64,
    kept: u64,
    events: u64,
    /// Bytes read in all.
    bytes: u64,
    #[serde(flatten)]
    rates: Rates,
    #[serde(flatten)]
    live: &'a LiveProgress,
    seconds: f64,
}

#[derive(Serialize)]
struct Warning<'a> {
    text: &'a str,
}

/// What a job says that has failed.
#[derive(Serialize)]
struct Failed {
    error: String,
}

/// A line of JSON that warns.
fn warning(text: &str) -> Vec<u8> {
    format!("{}\n", json!({ "type": "warning", "text": text })).into_bytes()
}

/// How a reader hears that he was too slow.
pub(crate) fn left_out(json: bool) -> LeftOut {
    match json {
        true => |count| warning(&format!("{count} lines before this were left out: nobody has read them")),
        false => {
            |count| format!("{count} summaries before this were left out: nobody has read them\n").into()
        }
    }
}

/// The line that changes, as it stands there: written over at once, so that it does not flicker.
#[derive(Default)]
struct Line {
    shown: String,
}

impl Line {
    fn show(&mut self, text: String) {
        if text != self.shown {
            screen(&format!("\r{text}\x1b[K"));
            self.shown = text;
        }
    }

    /// Prints something else above it; the line comes back when it changes.
    fn aside(&mut self, print: impl FnOnce()) {
        screen("\r\x1b[K");
        self.shown.clear();
        print();
    }
}

/// Writes to the terminal. It may be gone: the work goes on all the same.
fn screen(text: &str) {
    let mut err = io::stderr();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

impl<'e> Live<'e> {
    pub(crate) fn new(how: How, out: Option<Lines<'e>>, err: &'e mut dyn Write) -> Live<'e> {
        let terminal = is_screen(&io::stderr());
        let line = (terminal && !how.quiet && !how.json).then(Line::default);
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let begun = Instant::now();
        let (status, colour) = (Status::new(begun), terminal && !unwanted);
        Live { how, out, err, line, colour, status, begun, goes: false, last: None }
    }

    /// Takes what a job tells.
    pub(crate) fn show(&mut self, progress: &Progress) {
        let now = Instant::now();
        self.goes = true;
        self.status.take(now, progress);
        self.warn(&progress.warnings);
        if let Some(run) = &progress.ended {
            match self.how.json {
                true => self.json("run", run),
                false if !self.how.quiet => {
                    let mut text = Vec::new();
                    // Writing to memory does not fail.
                    let _ = summary::print_run(run, self.how.verbose, &mut text);
                    self.print(text);
                }
                false => {}
            }
        }
        let trouble = self.out.as_mut().and_then(Lines::trouble);
        if let Some(why) = trouble {
            self.warn(&[format!("cannot write (standard output): {why}; the analysis goes on")]);
        }
        self.tell(now, progress);
    }

    /// Tells how far the job is, if it is time.
    fn tell(&mut self, now: Instant, progress: &Progress) {
        let period = match (self.how.json, &self.line) {
            (true, _) => STATUS,
            _ if self.how.quiet => return,
            (_, Some(_)) => SHOWN,
            (_, None) => LINES,
        };
        // The first line of a file of lines comes when there is something to say.
        let last = self.last.or((period == LINES).then_some(self.begun));
        if last.is_some_and(|last| now.saturating_duration_since(last) < period) {
            return;
        }
        self.last = Some(now);
        if self.how.json {
            // What is not of this moment any more is of no use to a reader who takes his time.
            if self.out.as_ref().is_some_and(Lines::is_idle)
                && let Some(status) = self.now(progress)
            {
                self.json("status", &status);
            }
            return;
        }
        match &mut self.line {
            Some(line) => {
                let width: usize =
                    terminal_size_of(io::stderr()).map_or(80, |(Width(width), _)| width.into());
                // In the last column, some terminals begin a new line.
                line.show(self.status.line(now, progress, width.saturating_sub(1), self.colour));
            }
            // Nobody reads: the work goes on all the same.
            None => drop(writeln!(self.err, "{}", self.status.line(now, progress, usize::MAX, false))),
        }
    }

    fn now<'p>(&self, progress: &'p Progress) -> Option<Now<'p>> {
        let live = progress.live.as_ref()?;
        Some(Now {
            run: (!live.is_waiting).then_some(progress.run),
            input: (!live.is_waiting).then(|| progress.input.display().to_string()),
            read: progress.read,
            kept: progress.kept,
            events: progress.events,
            bytes: progress.done,
            rates: self.status.rates(),
            live,
            seconds: self.begun.elapsed().as_secs_f64(),
        })
    }

    fn json(&mut self, kind: &'static str, what: &impl Serialize) {
        let Some(out) = &mut self.out else { return };
        let mut line = Vec::new();
        match serde_json::to_writer(&mut line, &Typed { kind, what }) {
            Ok(()) => line.push(b'\n'),
            Err(error) => line = warning(&format!("a line of type {kind} cannot be written: {error}")),
        }
        out.put(line);
    }

    /// Prints text, above the line.
    fn print(&mut self, text: Vec<u8>) {
        let (out, err) = (&mut self.out, &mut self.err);
        let put = || match out {
            Some(out) => out.put(text),
            // As with the line.
            None => drop(err.write_all(&text)),
        };
        match &mut self.line {
            Some(line) => line.aside(put),
            None => put(),
        }
    }

    /// Tells warnings, also with `--json` on standard error, unless nothing is to be said there.
    pub(crate) fn warn(&mut self, warnings: &[String]) {
        for text in warnings {
            if self.how.json {
                self.json("warning", &Warning { text });
            }
            if self.how.quiet {
                continue;
            }
            let err = &mut self.err;
            let mut say = || drop(writeln!(err, "warning: {text}"));
            match &mut self.line {
                Some(line) => line.aside(say),
                None => say(),
            }
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if let Some(mut line) = self.line.take() {
            line.aside(|| ());
        }
    }

    /// The job has failed, and somebody else says why; but who reads JSON gets it as its last line.
    pub(crate) fn fail(mut self, error: &(dyn std::error::Error + 'static)) {
        self.clear();
        if self.how.json && self.goes {
            self.json("end", &Failed { error: crate::chain(error) });
        }
        // There is an error already.
        let _ = self.out.map(Lines::end);
    }

    /// Says what was done, but for the runs, which were told; `stopped`: what becomes of a job that the user
    /// stops.
    pub(crate) fn end(mut self, report: &Report, explain: bool, stopped: &str) -> io::Result<()> {
        self.clear();
        let How { quiet, json, .. } = self.how;
        if quiet && !json && !report.is_clean() {
            summary::trouble(report, self.err)?;
        }
        if json {
            self.json("end", report);
        } else {
            let mut text = Vec::new();
            if explain {
                summary::explain(report, &mut text)?;
            }
            if !quiet {
                summary::print_rest(report, &mut text)?;
                if report.stopped {
                    writeln!(text, "stopped before the end, as you asked: {stopped}")?;
                }
            }
            self.print(text);
        }
        // Also for who wants to hear of nothing else.
        if let Some(ended) = &report.ended {
            writeln!(self.err, "pactolus: {ended}")?;
        }
        self.out.map_or(Ok(()), Lines::end)
    }
}
