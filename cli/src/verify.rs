//! `pactolus verify`: the same bits, however the work is divided.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use pactolus::{Case, Cause, Compared, Culprit, Follower, InputFile, Job, Verified, Verify};
use serde_json::json;

use crate::args::{Believe, size};
use crate::{App, DAMAGED, OK, Outcome, STOPPED, analyze, inputs};

/// Analyze runs with several counts of threads and shards and sizes of blocks, and compare.
///
/// Every output (.mid .asc .parquet .arrow), the counts of the report, and what each stage did to
/// each event must be the same every time. The reference (one thread, blocks of 1 MiB) is done twice,
/// then comes each number of threads with each size of blocks; with several threads, blocks are also
/// delayed at random. In the end, the job is done in shards and merged. A stage that differs is named. Outputs are written to a directory of their own
/// and removed, those of one combination at a time.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = "pactolus verify <FILE>... [OPTIONS]")]
pub(crate) struct VerifyArgs {
    /// Run files; directories, for all run files in them; patterns such as 'run*.mid'
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Analyzer definition: requests, modules and banks
    #[arg(short, long, value_name = "TOML")]
    analyzer: Option<PathBuf>,

    /// Configuration files (.odb, .xml, .json) applied at begin of run; %05d is the run number
    #[arg(short, long, value_name = "FILE", num_args = 1..)]
    config: Vec<PathBuf>,

    /// Single parameters, below /<Analyzer>/Parameters or as a full path
    #[arg(short, long, value_name = "PATH=VALUE", num_args = 1..)]
    parameter: Vec<String>,

    /// ODB trees that the run's own dump must not change
    #[arg(short = 'P', long, value_name = "SUBTREE", num_args = 1..)]
    protect: Vec<String>,

    /// Files loaded into the ODB before everything else
    #[arg(long, value_name = "FILE", num_args = 1..)]
    odb_load: Vec<PathBuf>,

    /// Events of each input to analyze, counting every event read, BOR and messages too: how many,
    /// or first and last, or first, last and step
    #[arg(short, value_name = "COUNT | FIRST LAST [STEP]", num_args = 1..=3)]
    n: Vec<u64>,

    /// At most so many data events of each input
    #[arg(long, value_name = "N")]
    events: Option<u64>,

    /// Filter: write the original of each event that the modules keep
    #[arg(short, long)]
    filter: bool,

    /// Tables with a plain column for each element
    #[arg(long)]
    flat: bool,

    /// Numbers of threads
    #[arg(
        short = 'j', long, value_name = "LIST", value_delimiter = ',', default_value = "1,2,3,8",
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    threads: Vec<u16>,

    /// Sizes of blocks, as 64K,1M; by default 1M, and one so small that the inputs have many
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = size)]
    blocks: Vec<usize>,

    /// Numbers of shards; 0 for none
    #[arg(
        long, value_name = "LIST", value_delimiter = ',', default_value = "1,4,7",
        value_parser = clap::value_parser!(u32).range(..=1024)
    )]
    shards: Vec<u32>,

    /// Where the directory for outputs is made; by default, the system's for temporary files
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,

    /// Analyze a run of which a subrun is missing
    #[arg(long)]
    allow_missing: bool,

    #[command(flatten)]
    believe: Believe,

    /// The comparison as JSON
    #[arg(long)]
    json: bool,

    /// Say nothing unless something differs
    #[arg(short, long)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus verify -a lab.toml run00042.mid.gz
  pactolus verify -a lab.toml run00042.mid -c banks.odb --events 100000
  pactolus verify -a lab.toml run00042.mid -j 1,4,16 --blocks 64K,1M,8M
  pactolus verify -a lab.toml '/data/run*.mid.lz4' --scratch /big --json

Exit codes: 0 all is the same; 1 something differs; 2 could not run; 3 stopped
by the user; 5 an output could not be written.";

/// What becomes of a comparison that the user stops.
const OTHERS: &str = "the other combinations are not compared";

pub(crate) fn run(app: &App, args: &VerifyArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let analyzer = analyze::analyzer(app, args.analyzer.as_deref())?;
    let named = args.analyzer.is_some() || app.definition.is_some();
    let job = job(app, args)?;
    let mut verify = Verify::new(args.scratch.clone().unwrap_or_else(std::env::temp_dir));
    verify.threads = args.threads.iter().map(|&threads| threads.into()).collect();
    verify.blocks.clone_from(&args.blocks);
    verify.shards = args.shards.iter().copied().filter(|&shards| shards > 0).collect();
    let mut progress = |number: usize, of: usize, case: &Case| {
        if !args.quiet && !args.json {
            // Nobody reads: the work goes on all the same.
            let _ = writeln!(err, "{} of {of}: {case}", number + 1);
        }
    };
    let verified = verify.run(&analyzer, &job, &mut progress)?;
    if args.json {
        let mut value = serde_json::to_value(&verified)?;
        value["same"] = json!(verified.is_same());
        writeln!(out, "{value:#}")?;
    } else if !args.quiet || !verified.is_same() {
        print(&job, &verified, named, out)?;
    }
    out.flush()?;
    Ok(match () {
        () if !verified.is_same() => DAMAGED,
        () if verified.stopped => STOPPED,
        () => OK,
    })
}

fn job(app: &App, args: &VerifyArgs) -> Result<Job, Box<dyn std::error::Error>> {
    let mut job = Job::new();
    job.inputs = inputs::find_all(args.files.iter())?.into_iter().map(InputFile::new).collect();
    job.config.clone_from(&args.config);
    let parameters = args.parameter.iter().map(|text| analyze::parameter(text));
    job.parameters = parameters.collect::<Result<_, _>>()?;
    job.protect.clone_from(&args.protect);
    job.odb_load.clone_from(&args.odb_load);
    job.selection = analyze::selection(&args.n, args.events)?;
    job.filter = args.filter;
    job.flat = args.flat;
    job.allow_missing = args.allow_missing;
    job.limits = args.believe.limits();
    job.host = analyze::host();
    job.stop = app.stoppable(OTHERS);
    Ok(job)
}

/// The table of combinations, who differs, and what to do about it.
fn print(job: &Job, verified: &Verified, named: bool, out: &mut dyn Write) -> io::Result<()> {
    let Verified { cases, report, .. } = verified;
    if let [reference, others @ ..] = &**cases {
        writeln!(out, "  {:>7} {:>11} {:>6} {:>7}  result", "threads", "block", "shards", "delays")?;
        print_case(&reference.case, "reference", out)?;
        for other in others {
            print_case(&other.case, &result(other), out)?;
        }
        writeln!(out)?;
    }
    let names: Vec<String> = job.inputs.iter().map(|input| input.path.display().to_string()).collect();
    let name = if let [name] = &*names { name.clone() } else { format!("{} inputs", names.len()) };
    let (events, outputs) = (report.total().delivered, verified.outputs.len());
    let result = if verified.is_same() { "all the same" } else { "not the same" };
    let (events, outputs, cases) =
        (many(events, "event"), many(outputs, "output"), many(cases.len(), "combination"));
    writeln!(out, "{name}: {events}, {outputs}, {cases}: {result}")?;
    if verified.stopped {
        writeln!(out, "stopped before the end, as you asked: {OTHERS}")?;
    }
    print_unseen(verified, named, out)?;
    for culprit in &verified.culprits {
        print_culprit(culprit, verified, out)?;
    }
    for follower in &verified.followers {
        let Follower { stage, request, .. } = follower;
        writeln!(out)?;
        writeln!(out, "stage \"{stage}\" of request \"{request}\" follows")?;
        writeln!(out, "  {}", follower.reason())?;
    }
    if verified.is_unexplained() {
        print_unexplained(verified, out)?;
    }
    if !verified.culprits.is_empty() {
        writeln!(out)?;
        writeln!(out, "keep what passes from event to event in a Sequential module, nothing in a static or")?;
        writeln!(out, "behind a lock; take chance from context.random(), the time from the event")?;
    }
    Ok(())
}

fn print_case(case: &Case, result: &str, out: &mut dyn Write) -> io::Result<()> {
    let delays = if case.delay.is_some() { "yes" } else { "no" };
    let shards = case.shards.map_or("-".into(), |shards| shards.to_string());
    writeln!(out, "  {:>7} {:>11} {shards:>6} {delays:>7}  {result}", case.threads, case.block)
}

/// What of a combination differs.
fn result(compared: &Compared) -> String {
    if compared.is_same() {
        return "same".into();
    }
    let (stages, outputs) = (compared.stages, compared.outputs.len());
    let parts = [
        (stages > 0).then(|| many(stages, "stage")),
        (outputs > 0).then(|| many(outputs, "output")),
        compared.ledger.is_some().then(|| "the report".into()),
    ];
    format!("differs: {}", parts.into_iter().flatten().collect::<Vec<String>>().join(", "))
}

/// Stages of which nothing is known: they had no event. `named`: there was a definition.
fn print_unseen(verified: &Verified, named: bool, out: &mut dyn Write) -> io::Result<()> {
    let Some(first) = verified.report.runs.first() else { return Ok(()) };
    if first.stages.is_empty() && named {
        let what = if first.histograms.is_empty() {
            "reading and writing"
        } else {
            "reading, writing and the histograms of marked banks"
        };
        return writeln!(out, "the definition mounts no module: {what} were compared");
    }
    if first.stages.is_empty() {
        return writeln!(out, "no module is mounted: name a definition with -a");
    }
    for stage in &first.stages {
        let runs = &verified.report.runs;
        let mut accounts = runs.iter().flat_map(|run| run.stages.iter().filter(|s| s.name == stage.name));
        if accounts.all(|account| account.entered == 0) {
            writeln!(out, "stage \"{}\" had no event: nothing is known of it", stage.name)?;
        }
    }
    Ok(())
}

fn print_culprit(culprit: &Culprit, verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    let Culprit { stage, request, cause, cases, behind, .. } = culprit;
    writeln!(out)?;
    writeln!(out, "stage \"{stage}\" of request \"{request}\" differs")?;
    writeln!(out, "  {}", culprit.place())?;
    writeln!(out, "  {cause}")?;
    let first = cases.first().and_then(|&place| verified.cases.get(place));
    if let (Cause::Order, Some(first)) = (cause, first) {
        let (number, of) = (cases.len(), verified.cases.len() - 1);
        writeln!(out, "  in {number} of {of} combinations, first with {}", first.case)?;
    }
    if let Some(before) = behind {
        writeln!(out, "  should it read a bank of \"{before}\" without declaring it, it follows")?;
    }
    Ok(())
}

/// Something differs, and no stage does.
fn print_unexplained(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    let Some(case) = verified.cases.iter().find(|case| !case.is_same()) else { return Ok(()) };
    writeln!(out)?;
    writeln!(out, "no stage did anything else to an event, but these differ with")?;
    writeln!(out, "{}:", case.case)?;
    for output in &case.outputs {
        writeln!(out, "  {output}")?;
    }
    if let Some(ledger) = &case.ledger {
        writeln!(out, "  the report, {ledger}")?;
    }
    writeln!(out, "if no module's `prepare` or `bor` goes by the time or by chance, please report this")
}

/// `1 file`, `2 files`.
fn many(number: impl TryInto<u64>, what: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
