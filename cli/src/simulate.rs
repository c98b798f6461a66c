//! `pactolus simulate`: runs of the sample experiment.

mod pace;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use clap::{Args, ValueEnum};
use pactolus::formats::WholeFile;
use pactolus::formats::compress::Output;
use pactolus::shm::StreamName;
use pactolus::simulate::{Play, Shape, Simulation};
use pactolus::{OutputFile, OutputKind, Stop, expand};

use crate::progress::thousands;
use crate::publish::{Over, Plan, Publisher, StreamArgs, publish};
use crate::telling::How;
use crate::{App, OK, Outcome, STOPPED};

use pace::Pace;

/// Make a run of MIDAS's sample experiment, as a file or in shared memory.
///
/// Trigger events (id 1) with banks ADC0 and TDC0, one Scaler event (id 2) with bank SCLR in 50
/// events, BOR and EOR with an ODB dump. The same seed gives the same bytes on every machine.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SimulateArgs {
    /// File to write: .mid, also .mid.gz .mid.lz4 .mid.bz2 .mid.zst; %05d is the run number, `-` is
    /// standard output
    #[arg(short, long, value_name = "FILE", conflicts_with = "to")]
    output: Option<String>,

    /// Stream in shared memory to publish the events in, shm:NAME
    #[arg(long, value_name = "shm:NAME", value_parser = crate::publish::stream)]
    to: Option<StreamName>,

    /// Run number; with --runs, that of the first
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=i64::from(i32::MAX)))]
    run: u32,

    /// Data events of a run
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    events: u64,

    /// Data events a second; by default, as fast as it goes
    #[arg(long, value_name = "HZ", value_parser = pace::rate)]
    rate: Option<f64>,

    /// So many runs, one after the other, each with the same events; 0: until Ctrl-C
    #[arg(long, value_name = "N")]
    runs: Option<u32>,

    /// Another seed gives another run
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Size of the Trigger events
    #[arg(long, value_enum, default_value_t = Size::Small)]
    shape: Size,

    /// Replace a file that exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    stream: StreamArgs,
}

/// Sizes of Trigger events.
#[derive(Clone, Copy, ValueEnum)]
enum Size {
    /// 56 bytes: 4 ADC and 4 TDC channels
    Small,
    /// 2048 bytes: 4 ADC and 1000 TDC channels
    Big,
}

const EXAMPLES: &str = "\
Examples:
  pactolus simulate -o run%05d.mid.gz --run 42 --events 100000
  pactolus simulate -o big.mid --shape big --events 500000
  pactolus simulate -o - --events 1000 | pactolus dump - -n 5
  pactolus simulate --to shm:test --rate 1000 --events 60000 --runs 0";

/// What becomes of a file that the user stops.
const NO_FILE: &str = "no file is written";

/// What becomes of a run that the user stops.
const ENDED: &str = "the run ends here";

/// Events that are published together where no rate is wanted [bytes].
const PIECE: usize = 1 << 16;

impl SimulateArgs {
    fn simulation(&self, run: u32) -> Simulation {
        let shape = match self.shape {
            Size::Small => Shape::Small,
            Size::Big => Shape::Big,
        };
        Simulation { run, events: self.events, seed: self.seed, shape, ..Simulation::default() }
    }
}

pub(crate) fn run(app: &App, args: &SimulateArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    match (&args.to, &args.output) {
        (Some(to), _) => to_stream(app, args, to, out, err),
        (None, Some(output)) => to_file(app, args, output, out, err),
        (None, None) => {
            Err("say where the run goes: to a file with -o, or into shared memory with --to shm:NAME".into())
        }
    }
}

/// Publishes runs.
fn to_stream(
    app: &App,
    args: &SimulateArgs,
    to: &StreamName,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    let stop = app.stoppable(ENDED);
    let plan = Plan {
        to,
        stream: &args.stream,
        program: "pactolus simulate",
        from: None,
        tells_runs: false,
        how: How { quiet: false, verbose: false, json: false },
        stop: &stop,
    };
    publish(app, &plan, (out, err), |publisher| {
        let mut pace = Pace::new(args.rate);
        let last = match args.runs.unwrap_or(1) {
            0 => u32::MAX,
            runs => args.run.saturating_add(runs - 1),
        };
        // An INT in MIDAS.
        let last = last.min(i32::MAX as u32);
        for run in args.run..=last {
            if stop.is_asked() {
                break;
            }
            let failed = |error| pactolus::Error::Job(format!("run {run} cannot be made: {error}"));
            play(args.simulation(run).play().map_err(failed)?, publisher, &mut pace, &stop)?;
        }
        Ok(Over::default())
    })
}

/// Publishes a run; one that is stopped ends with its EOR.
fn play(
    mut run: Play,
    publisher: &mut Publisher<'_>,
    pace: &mut Pace,
    stop: &Stop,
) -> Result<(), pactolus::Error> {
    let mut piece = Vec::with_capacity(2 * PIECE);
    publisher.begin(run.event().unwrap_or_default())?;
    while run.left() > 0 && !stop.is_asked() {
        let due = pace.due(stop).min(run.left());
        let before = run.events();
        piece.clear();
        while run.events() - before < due && piece.len() < PIECE {
            piece.extend_from_slice(run.event().unwrap_or_default());
        }
        pace.given(run.events() - before);
        match publisher.events(&piece) {
            // A consumer was waited for.
            Err(_) if stop.is_asked() => break,
            published => published?,
        }
        if pace.is_kept() {
            // What comes next comes later.
            publisher.flush();
        }
    }
    run.finish();
    publisher.end(run.event().unwrap_or_default())
}

/// Writes a run.
fn to_file(
    app: &App,
    args: &SimulateArgs,
    output: &str,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    let flag = match () {
        () if args.rate.is_some() => Some("--rate"),
        () if args.runs.is_some() => Some("--runs"),
        () => args.stream.first_flag(),
    };
    if let Some(flag) = flag {
        return Err(format!("{flag} is for a stream in shared memory, --to shm:NAME").into());
    }
    let output = OutputFile::new(expand(output, args.run))?;
    if output.kind != OutputKind::Mid {
        return Err(format!("{}: simulated events go into .mid files only", output.pattern).into());
    }
    let simulation = args.simulation(args.run);
    let started = Instant::now();
    let bytes = if output.is_stdout() {
        write(&simulation, &output, out)?
    } else {
        let stop = app.stoppable(NO_FILE);
        match write_file(&simulation, &output, args.force, &stop) {
            Err(_) if stop.is_asked() => {
                let _ = writeln!(err, "stopped before the end, as you asked: {NO_FILE}");
                return Ok(STOPPED);
            }
            written => written?,
        }
    };
    let seconds = started.elapsed().as_secs_f64().max(1e-9);
    let name = if output.is_stdout() { "(standard output)" } else { &output.pattern };
    // Nobody reads: the file is there all the same.
    let _ = writeln!(
        err,
        "wrote {name}: run {}, {} events, {bytes} bytes; {}B/s",
        args.run,
        args.events,
        thousands(bytes as f64 / seconds),
    );
    Ok(OK)
}

/// Writes a file, unless the user stops it; its size in bytes.
fn write_file(
    simulation: &Simulation,
    output: &OutputFile,
    force: bool,
    stop: &Stop,
) -> Result<u64, Box<dyn Error>> {
    let path = Path::new(&output.pattern);
    if !force && path.exists() {
        // It may be a real run: a simulated one is soon made again, a real one is not.
        return Err(format!("{} exists: give another name, or --force", path.display()).into());
    }
    let mut file = WholeFile::create(path).map_err(pactolus::Error::Output)?;
    let failed = |error| pactolus::Error::Output(pactolus::formats::Error::io("write", path)(error));
    write(simulation, output, Stoppable { inner: &mut file, stop }).map_err(failed)?;
    Ok(file.finish().map_err(pactolus::Error::Output)?)
}

/// Writes the run, compressed as its name says; bytes as they stand in the file.
fn write(simulation: &Simulation, output: &OutputFile, out: impl Write) -> io::Result<u64> {
    let counted = Counted { inner: out, bytes: 0 };
    let mut output = Output::new(output.compression, None, counted)?;
    simulation.write(&mut output)?;
    Ok(output.finish()?.bytes)
}

/// Fails once the user wants no more.
struct Stoppable<'a, W> {
    inner: W,
    stop: &'a Stop,
}

impl<W: Write> Write for Stoppable<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.stop.is_asked() {
            return Err(io::Error::other("stopped"));
        }
        self.inner.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Counts what reaches the file.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buf)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
