//! What a live job tells while it goes on: for people a line, and each run when it ends; or lines of JSON.

use std::io::{self, Write};
use std::time::Instant;

use pactolus::{LiveProgress, Progress, Report};
use serde::Serialize;

use crate::lines::Lines;
use crate::status::{Rates, Status};
use crate::summary;
use crate::telling::{Due, How, Telling};

/// Tells of a live job.
pub(crate) struct Live<'e> {
    telling: Telling<'e>,
    status: Status,
    /// The job has told something: it was not refused.
    goes: bool,
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

impl<'e> Live<'e> {
    pub(crate) fn new(how: How, out: Option<Lines<'e>>, err: &'e mut dyn Write) -> Live<'e> {
        let telling = Telling::new(how, out, err);
        Live { status: Status::new(telling.begun), telling, goes: false }
    }

    /// Takes what a job tells.
    pub(crate) fn show(&mut self, progress: &Progress) {
        let now = Instant::now();
        self.goes = true;
        self.status.take(now, progress);
        self.warn(&progress.warnings);
        let How { quiet, verbose, json } = self.telling.how;
        if let Some(run) = &progress.ended {
            match json {
                true => self.telling.json("run", run),
                false if !quiet => {
                    let mut text = Vec::new();
                    // Writing to memory does not fail.
                    let _ = summary::print_run(run, verbose, &mut text);
                    self.telling.print(text);
                }
                false => {}
            }
        }
        if let Some(why) = self.telling.trouble() {
            self.warn(&[format!("cannot write (standard output): {why}; the analysis goes on")]);
        }
        match self.telling.due(now) {
            Some(Due::Json) => {
                if let Some(status) = self.now(progress) {
                    self.telling.json("status", &status);
                }
            }
            Some(Due::Line { width, colour }) => {
                self.telling.line(self.status.line(now, progress, width, colour));
            }
            None => {}
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
            seconds: self.telling.begun.elapsed().as_secs_f64(),
        })
    }

    /// Tells warnings.
    pub(crate) fn warn(&mut self, warnings: &[String]) {
        self.telling.warn(warnings);
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        self.telling.clear();
    }

    /// The job has failed.
    pub(crate) fn fail(self, error: &(dyn std::error::Error + 'static)) {
        self.telling.fail(error, self.goes);
    }

    /// Says what was done, but for the runs, which were told; `stopped`: what becomes of a job that the user
    /// stops.
    pub(crate) fn end(mut self, report: &Report, explain: bool, stopped: &str) -> io::Result<()> {
        self.clear();
        let How { quiet, json, .. } = self.telling.how;
        if quiet && !json && !report.is_clean() {
            summary::trouble(report, self.telling.err)?;
        }
        if json {
            self.telling.json("end", report);
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
            self.telling.print(text);
        }
        // Also for who wants to hear of nothing else.
        if let Some(ended) = &report.ended {
            writeln!(self.telling.err, "pactolus: {ended}")?;
        }
        self.telling.end()
    }
}
