//! How somebody is told of what goes on for long: for people a line that changes, and text above it; or lines of
//! JSON.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use terminal_size::{Width, terminal_size_of};

use crate::lines::{LeftOut, Lines};
use crate::signals::is_screen;

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

/// Tells.
pub(crate) struct Telling<'e> {
    pub(crate) how: How,
    /// Standard output, unless events go there.
    out: Option<Lines<'e>>,
    pub(crate) err: &'e mut dyn Write,
    /// The terminal, if it shows a line that changes.
    line: Option<Line>,
    colour: bool,
    pub(crate) begun: Instant,
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

/// What is to be told now.
pub(crate) enum Due {
    /// The status as JSON.
    Json,
    /// A line of at most so many characters, perhaps coloured.
    Line { width: usize, colour: bool },
}

impl<'e> Telling<'e> {
    pub(crate) fn new(how: How, out: Option<Lines<'e>>, err: &'e mut dyn Write) -> Telling<'e> {
        let terminal = is_screen(&io::stderr());
        let line = (terminal && !how.quiet && !how.json).then(Line::default);
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = terminal && !unwanted;
        Telling { how, out, err, line, colour, begun: Instant::now(), last: None }
    }

    /// What is to be told of the status, if it is time.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        let period = match (self.how.json, &self.line) {
            (true, _) => STATUS,
            _ if self.how.quiet => return None,
            (_, Some(_)) => SHOWN,
            (_, None) => LINES,
        };
        // The first line of a file of lines comes when there is something to say.
        let last = self.last.or((period == LINES).then_some(self.begun));
        if last.is_some_and(|last| now.saturating_duration_since(last) < period) {
            return None;
        }
        self.last = Some(now);
        if self.how.json {
            // What is not of this moment any more is of no use to a reader who takes his time.
            return self.out.as_ref().is_some_and(Lines::is_idle).then_some(Due::Json);
        }
        if self.line.is_none() {
            return Some(Due::Line { width: usize::MAX, colour: false });
        }
        let width: usize = terminal_size_of(io::stderr()).map_or(80, |(Width(width), _)| width.into());
        // In the last column, some terminals begin a new line.
        Some(Due::Line { width: width.saturating_sub(1), colour: self.colour })
    }

    /// Shows the line of the status.
    pub(crate) fn line(&mut self, text: String) {
        match &mut self.line {
            Some(line) => line.show(text),
            // Nobody reads: the work goes on all the same.
            None => drop(writeln!(self.err, "{text}")),
        }
    }

    pub(crate) fn json(&mut self, kind: &'static str, what: &impl Serialize) {
        let Some(out) = &mut self.out else { return };
        let mut line = Vec::new();
        match serde_json::to_writer(&mut line, &Typed { kind, what }) {
            Ok(()) => line.push(b'\n'),
            Err(error) => line = warning(&format!("a line of type {kind} cannot be written: {error}")),
        }
        out.put(line);
    }

    /// Prints text, above the line.
    pub(crate) fn print(&mut self, text: Vec<u8>) {
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

    /// Why nothing more can be written to standard output, said once.
    pub(crate) fn trouble(&mut self) -> Option<String> {
        self.out.as_mut().and_then(Lines::trouble)
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if let Some(mut line) = self.line.take() {
            line.aside(|| ());
        }
    }

    /// It has failed, and somebody else says why; but who reads JSON gets it as its last line, unless it was refused
    /// before it began.
    pub(crate) fn fail(mut self, error: &(dyn std::error::Error + 'static), goes: bool) {
        self.clear();
        if self.how.json && goes {
            self.json("end", &Failed { error: crate::chain(error) });
        }
        // There is an error already.
        let _ = self.out.map(Lines::end);
    }

    /// Waits until all is told.
    pub(crate) fn end(self) -> io::Result<()> {
        self.out.map_or(Ok(()), Lines::end)
    }
}
