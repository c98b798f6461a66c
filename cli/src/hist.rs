//! `pactolus hist`: histograms in the terminal, and as pictures.

mod choice;
mod colours;
mod facts;
mod grid;
mod groups;
mod list;
pub(crate) mod number;
mod output;
mod picture;
mod png;
mod scale;
mod series;
mod svg;
mod terminal;
mod ticks;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use pactolus::histo::{Histogram, Histograms};

use crate::{App, OK, Outcome};

use output::{Pictures, Size};
pub(crate) use terminal::Screen;

/// List the histograms of a file, draw them in the terminal, or write pictures of them.
///
/// Without a NAME, they are listed. With one, each is drawn: as bars, shades, or points with their
/// errors. Where there are more bins than there is room for, neighbours are added up; none is left
/// out. Times are in UTC.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = "pactolus hist <FILE> [NAME]... [OPTIONS]")]
pub(crate) struct HistArgs {
    /// File of histograms that `analyze` has written
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Histograms: a path, its last part if there is only one such, in upper or lower case; or a
    /// pattern such as 'CADC*'
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Write a picture in place of drawing: .svg or .png; for several histograms, one picture each,
    /// %s is their name. A picture of that name is replaced
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Contents on a logarithmic scale
    #[arg(long)]
    log: bool,

    /// Only this part of the x axis; of strips, in seconds of Unix time
    #[arg(long, value_names = ["LOW", "HIGH"], num_args = 2, allow_negative_numbers = true)]
    range: Vec<f64>,

    /// Width and height of a picture in pixels
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "800x600")]
    size: Size,

    /// List as JSON, with all statistics; with NAMEs, only these
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus hist run00042.histos.json
  pactolus hist run00042.histos.json CADC00 --log
  pactolus hist run00042.histos.json CADC00 --range 500 1500
  pactolus hist run00042.histos.json 'cadc*' -o '%s.svg'
  pactolus hist run00042.histos.json hitmap -o hitmap.png --size 1600x1200
  pactolus hist run00042.histos.json --json | jq '.histograms[].entries'

Lines are as long as the terminal is wide, or COLUMNS says; 80 in a pipe. There
are colours only on a terminal, and none if NO_COLOR is set.

Exit codes: 0 all well; 2 could not run; 5 the output could not be written.";

/// How to look at a histogram.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    log: bool,
    /// Part of the x axis.
    range: Option<(f64, f64)>,
}

/// A range that shows nothing.
#[derive(Debug)]
pub(crate) struct OutsideOfAxis {
    name: String,
    range: (f64, f64),
    axis: (f64, f64),
}

impl OutsideOfAxis {
    fn new(histogram: &Histogram, look: &Look) -> OutsideOfAxis {
        let view = histogram.view();
        let axis = (view.x().edge(0), view.x().edge(view.x().bins()));
        OutsideOfAxis { name: histogram.name().to_owned(), range: look.range.unwrap_or(axis), axis }
    }
}

impl std::fmt::Display for OutsideOfAxis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((low, high), (first, last)) = (self.range, self.axis);
        write!(f, "--range {low} {high}: the axis of \"{}\" goes from {first} to {last}", self.name)
    }
}

impl std::error::Error for OutsideOfAxis {}

pub(crate) fn run(app: &App, args: &HistArgs, out: &mut dyn Write) -> Outcome {
    let look = Look { log: args.log, range: range(&args.range)? };
    let histograms = Histograms::read(&args.file)?;
    if args.names.is_empty() && args.output.is_none() {
        let all: Vec<&Histogram> = histograms.list.iter().collect();
        return list(&histograms, &all, args, out);
    }
    let chosen = choice::choose(&histograms, &args.names, &args.file)?;
    if args.json {
        return list(&histograms, &chosen, args, out);
    }
    if let Some(output) = &args.output {
        Pictures::new(output, &chosen)?.write(&look, args.size, out)?;
        return Ok(OK);
    }
    for (i, histogram) in chosen.into_iter().enumerate() {
        let text = terminal::draw(histogram, &look, app.screen)?;
        // In one piece: a reader that has seen enough leaves no half drawing behind.
        let text = if i > 0 { format!("\n{text}") } else { text };
        out.write_all(text.as_bytes()).and_then(|()| out.flush())?;
    }
    Ok(OK)
}

fn list(histograms: &Histograms, chosen: &[&Histogram], args: &HistArgs, out: &mut dyn Write) -> Outcome {
    let text = if args.json {
        list::json(histograms, chosen, &args.file)?
    } else {
        list::table(histograms, chosen, &args.file)
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush())?;
    Ok(OK)
}

fn range(ends: &[f64]) -> Result<Option<(f64, f64)>, String> {
    match ends {
        [low, high] if low < high => Ok(Some((*low, *high))),
        [low, high] => Err(format!("--range {low} {high}: the second number must be the larger one")),
        _ => Ok(None),
    }
}
