//! `pactolus merge`.

mod runs;
mod tables;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use pactolus::histo::FileKind;
use pactolus::{Analyzer, Definition, OutputFile, Parts};

use crate::analyze::{Say, host, whole};
use crate::{App, Outcome, program};

/// Make the outputs of a job of the parts that its shards have written: those of the whole job. Or join the
/// parts of tables that were written with --rotate, or add the histograms of several runs.
///
/// Inputs, definition, configuration and outputs of parts are those of the shards, and stand in them.
/// Parts of tables are joined to the tables that a job writes at once, byte for byte; without -o beside the
/// parts. Histograms are added exactly: the sums are those of one job over all the runs.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MergeArgs {
    /// The part files of all shards, in any order; or parts of tables, all of them; or files of
    /// histograms: .json, .parquet, .arrow
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Outputs in place of those that the shards were given, of the same kinds; the table that parts are
    /// joined to; for histograms, .json, .parquet or .arrow
    #[arg(short, long, value_name = "OUT", num_args = 1..)]
    output: Vec<String>,

    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,

    /// Say more: parameters, messages of modules, all stages
    #[arg(short, long)]
    verbose: bool,

    /// Remove the parts of a table when it is written and whole
    #[arg(long)]
    remove: bool,

    /// Report to standard output as JSON
    #[arg(long)]
    json: bool,

    /// Print each parameter with its value and where it comes from
    #[arg(long)]
    explain: bool,

    /// Save the ODB as the last run leaves it (.odb, .xml, .json)
    #[arg(long, value_name = "FILE")]
    odb_save: Option<PathBuf>,
}

/// What becomes of a merge that the user stops.
const WHOLE_RUNS: &str = "the runs that were whole are written";

const EXAMPLES: &str = "\
Examples:
  pactolus analyze -a lab.toml run00042.mid -o run%05d.parquet --shard 1/2
  pactolus analyze -a lab.toml run00042.mid -o run%05d.parquet --shard 2/2
  pactolus merge run00042.*of2.part
  pactolus merge run00042.Trigger.*.parquet
  pactolus merge run00041.histos.json run00042.histos.parquet -o all.json

A shard whose process was killed is run again; nothing else is to be done. Exit
codes are those of analyze: 1 if any shard has met damage or a module error. For
histograms: 1 if one has other bins than in the first file; it is left out. For
tables: 1 if the last part is missing.";

pub(crate) fn run(app: &App, args: &MergeArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    // What is in a file says what it is, not its name.
    if tables::any(&args.files)? {
        if args.explain || args.odb_save.is_some() {
            return Err("--explain and --odb-save are for parts of shards, not for those of tables".into());
        }
        let MergeArgs { files, output: outputs, remove, quiet, json, .. } = args;
        let of = tables::Tables { files, outputs, remove: *remove, quiet: *quiet, json: *json };
        return tables::join(&of, out, err);
    }
    if args.remove {
        return Err("--remove is for parts of tables, and none of these files is one".into());
    }
    if args.files.iter().any(|path| FileKind::of_contents(path).is_some()) {
        if args.json || args.explain || args.odb_save.is_some() {
            return Err("--json, --explain and --odb-save are for parts, not for histograms".into());
        }
        return runs::runs(&args.files, &args.output, args.quiet, out, err);
    }
    let parts = Parts::open(&args.files)?;
    let analyzer = match parts.definition() {
        Some(text) => {
            let definition = Definition::parse(text, "definition in the parts")?;
            Analyzer::from_definition(&definition, &app.catalogue)?
        }
        None => Analyzer::new(parts.analyzer()),
    };
    let mut job = parts.job()?;
    if !args.output.is_empty() {
        job.outputs = args.output.iter().map(OutputFile::new).collect::<Result<_, _>>()?;
    }
    job.host = host();
    job.program = program::digest();
    job.stop = app.stoppable(WHOLE_RUNS);
    let say = Say {
        process: app.process,
        quiet: args.quiet,
        verbose: args.verbose,
        json: args.json,
        explain: args.explain,
        odb_save: args.odb_save.as_deref(),
        odb_dir: None,
        stopped: WHOLE_RUNS,
    };
    whole(&job, &say, out, err, |progress, out| analyzer.merge(parts, &job, progress, out))
}
