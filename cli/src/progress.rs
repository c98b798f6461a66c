//! Progress of long work: a bar with rate and time left on a terminal, plain lines in a pipe.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pactolus::Progress;

/// Seconds between lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// Shows how far a job is.
pub(crate) struct Display<'e> {
    bar: Option<ProgressBar>,
    err: &'e mut dyn Write,
    /// There is no terminal: a line now and then.
    lines: bool,
    /// Warnings are told.
    warns: bool,
    /// So many were.
    warned: usize,
    started: Instant,
    last: Instant,
}

impl<'e> Display<'e> {
    /// On `err`, unless `quiet`.
    pub(crate) fn new(quiet: bool, err: &'e mut dyn Write) -> Display<'e> {
        let now = Instant::now();
        let terminal = std::io::stderr().is_terminal();
        let bar = (!quiet && terminal).then(|| {
            let bar = ProgressBar::new(0);
            let style = "{bar:12} {percent:>3}%  {msg}, {eta} left";
            bar.set_style(
                ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        let lines = !quiet && !terminal;
        Display { bar, err, lines, warns: false, warned: 0, started: now, last: now }
    }

    /// Tells the warnings of a job on a shared ODB, too, if so told.
    pub(crate) fn warning(self, warns: bool) -> Display<'e> {
        Display { warns, ..self }
    }

    /// Tells where the job is.
    pub(crate) fn show(&mut self, progress: &Progress) {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        let Progress { run, events, done, total, warnings, .. } = progress;
        self.warn(warnings);
        let text = || {
            let (events, rate) = (*events as f64, *events as f64 / seconds);
            let (events, rate) = (thousands(events), thousands(rate));
            let bytes = thousands(*done as f64 / seconds);
            format!("run {run}: {} events, {}/s, {bytes}B/s", events.trim_end(), rate.trim_end())
        };
        if let Some(bar) = &self.bar {
            match total {
                Some(total) => bar.set_length(*total),
                // From a pipe: how much is to come, nobody knows.
                None => bar.set_style(ProgressStyle::default_spinner()),
            }
            bar.set_position(*done);
            bar.set_message(text());
        }
        if self.lines && self.last.elapsed() >= LINES {
            self.last = Instant::now();
            let left = total.map(|t| t.saturating_sub(*done) as f64 / (*done as f64 / seconds).max(1.0));
            let left = left.map(|s| format!(", {s:.0} s left")).unwrap_or_default();
            // Nobody reads: the work goes on all the same.
            let _ = writeln!(self.err, "{}{left}", text());
        }
    }

    /// Tells warnings when they come: the job may go on for days.
    fn warn(&mut self, warnings: &[String]) {
        self.warned += warnings.len();
        for warning in warnings.iter().filter(|_| self.warns) {
            let err = &mut self.err;
            let mut say = || drop(writeln!(err, "warning: {warning}"));
            match &self.bar {
                Some(bar) => bar.suspend(say),
                None => say(),
            }
        }
    }

    /// Takes the bar away; how many warnings were told.
    pub(crate) fn end(self) -> usize {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.warned
    }
}

/// 1234567 as `1.23 M`, 123 as `123 `: a unit may stand behind it.
pub(crate) fn thousands(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.2} G", v / 1e9),
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e4 => format!("{:.0} k", v / 1e3),
        v => format!("{v:.0} "),
    }
}
