//! `pactolus bridge`: events of any source into shared memory.

mod carry;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use pactolus::shm::StreamName;
use pactolus::{InputFile, Job, Live, Sampling};

use crate::args::Believe;
use crate::attach::JoinArgs;
use crate::live_input::{self, Flags, TakeArgs};
use crate::publish::{Plan, StreamArgs, publish};
use crate::telling::How;
use crate::{App, Outcome, inputs};

/// Publish the events of a source in shared memory, where programs of this computer take them.
///
/// The source is asked once, however many programs read. Each run begins with its ODB and ends as it does there; a
/// pause is passed on. Who reads decides how: the most recent events, all that it can, or every one, for which this
/// program then waits.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = "pactolus bridge <SOURCE>... --to shm:<NAME> [OPTIONS]")]
pub(crate) struct BridgeArgs {
    /// Where events come from: midas://HOST[:PORT][/EXPT]; follow:FILE, follow:DIR or follow:FAST,SLOW; another
    /// stream, shm:NAME; run files, directories and patterns, which are played as fast as they are taken; `-` is
    /// standard input
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<PathBuf>,

    /// The stream: shm:NAME is of this user; shm:/daq/lxe is the file /daq/lxe.ring
    #[arg(long, value_name = "shm:NAME", value_parser = crate::publish::stream)]
    to: StreamName,

    /// First and last run number, of what is live
    #[arg(short, long, value_names = ["FIRST", "LAST"], num_args = 2)]
    runs: Vec<u32>,

    /// Seconds without an event, or a byte of a file that is followed, after which it ends with exit code 4; by
    /// default 120 for follow:FILE, and never for others
    #[arg(long, value_name = "SECONDS", value_parser = crate::follow::seconds)]
    live_timeout: Option<Duration>,

    #[command(flatten)]
    believe: Believe,

    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,

    /// Tell what goes on as JSON lines
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    stream: StreamArgs,

    #[command(flatten)]
    take: TakeArgs,

    #[command(flatten)]
    join: JoinArgs,
}

const EXAMPLES: &str = "\
Examples:
  pactolus bridge midas://daq/lxe --to shm:lxe
  pactolus bridge midas://daq/lxe --sampling all --to shm:lxe --mode 660
  pactolus bridge follow:/data --to shm:lxe --size 256M
  pactolus bridge run00042.mid.gz --to shm:replay --wait-for 1
  daq-stream | pactolus bridge - --to shm:lxe --json
  pactolus analyze shm:lxe -a lab.toml

Exit codes: 0 the source is at its end; 1 it is, but some of it was broken or
too big; 2 could not run; 3 stopped by the user; 4 what is live was silent for
too long, is away, or is not what it was; 5 no more room in shared memory.";

/// What becomes of the run in hand if the user stops the bridge.
const CUT: &str = "a run that is going on is cut";

pub(crate) fn run(app: &App, args: &BridgeArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let mut job = job(args)?;
    job.stop = app.stoppable(CUT);
    let plan = Plan {
        to: &args.to,
        stream: &args.stream,
        program: "pactolus bridge",
        from: Some(named(&job)),
        tells_runs: true,
        how: How { quiet: args.quiet, verbose: false, json: args.json },
        stop: &job.stop,
    };
    // Who passes pieces over passes whole events over.
    let arrivals = job.events()?.whole();
    publish(app, &plan, (out, err), |publisher| carry::all(arrivals, publisher, job.live.is_some()))
}

/// Where the events come from.
fn job(args: &BridgeArgs) -> Result<Job, Box<dyn std::error::Error>> {
    let mut job = Job { limits: args.believe.limits(), allow_missing: true, ..Job::new() };
    for source in &args.sources {
        refuse_itself(source, &args.to)?;
    }
    let sources: Vec<&PathBuf> = args.sources.iter().collect();
    let flags = Flags::Join(&args.join);
    job.live = live_input::only(&sources, &args.take, &flags, args.live_timeout, &args.runs)?;
    if let Some(Live::Shm(shm)) = &mut job.live {
        // Who reads on says how old events may be.
        shm.sampling.get_or_insert(Sampling::NonBlocking);
    }
    if job.live.is_none() {
        if !args.runs.is_empty() {
            return Err(live_input::RUNS.into());
        }
        job.inputs = inputs::find_all(args.sources.iter())?.into_iter().map(InputFile::new).collect();
    }
    Ok(job)
}

/// Events that come back to where they have been would never end.
fn refuse_itself(source: &Path, to: &StreamName) -> Result<(), Box<dyn std::error::Error>> {
    let Some(source) = live_input::stream(source) else { return Ok(()) };
    let file =
        |name: &StreamName| std::fs::canonicalize(name.path()).unwrap_or_else(|_| name.path().to_owned());
    let source = StreamName::new(source)?;
    match file(&source) == file(to) {
        true => Err(format!("{source}: a stream is not published in itself: give --to another name").into()),
        false => Ok(()),
    }
}

/// The sources in few words.
fn named(job: &Job) -> String {
    if let Some(live) = &job.live {
        return live.name();
    }
    let first = job.inputs.first().map(carry::shown);
    let more = match job.inputs.len() {
        0 | 1 => String::new(),
        all => format!(" and {} more", all - 1),
    };
    first.unwrap_or_default() + &more
}
