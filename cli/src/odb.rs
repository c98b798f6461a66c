//! `pactolus odb`: the ODB of a run file or a dump.

mod changes;
mod convert;
mod session;
mod source;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::Outcome;

/// Look into the ODB of a run file or a dump, compare two, convert one.
///
/// A run file shows the ODB as it was at begin of run. A dump is an .odb, .xml or .json file. The
/// first bytes say which it is; both may be compressed. Nothing is changed.
///
/// Without -c, commands are read from standard input, one on a line; `help` lists them.
#[derive(Args)]
#[command(
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    override_usage = "pactolus odb <FILE> [OPTIONS]\n       pactolus odb diff <A> <B> [OPTIONS]\n       \
        pactolus odb convert <IN> <OUT> [OPTIONS]"
)]
pub(crate) struct OdbArgs {
    #[command(subcommand)]
    command: Option<OdbCommand>,

    /// Run file or dump; `-` is standard input (a file called diff is ./diff)
    #[arg(value_name = "FILE", required = true)]
    file: Option<PathBuf>,

    /// A command, as "ls -l /Runinfo"; several are done in order
    #[arg(short, long = "command", value_name = "CMD")]
    commands: Vec<String>,

    /// The ODB at end of run
    #[arg(long)]
    eor: bool,

    /// Let ls and get answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum OdbCommand {
    Diff(changes::DiffArgs),
    Convert(convert::ConvertArgs),
}

const EXAMPLES: &str = "\
Examples:
  pactolus odb run00042.mid.lz4 -c 'ls -lr /Equipment/Trigger'
  pactolus odb run00042.mid -c 'get \"/Runinfo/Start time\"' --json
  pactolus odb run00042.mid --eor -c 'find *rate*'
  pactolus odb diff run00041.mid run00042.mid --path /Analyzer
  pactolus odb convert run00042.mid run00042.odb

Exit codes: 0 all well; 1 something of the dump could not be read (diff: they
differ); 2 could not run; 5 the output could not be written.";

pub(crate) fn run(args: &OdbArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    match (&args.command, &args.file) {
        (Some(OdbCommand::Diff(args)), _) => changes::run(args, out, err),
        (Some(OdbCommand::Convert(args)), _) => convert::run(args, out, err),
        (None, Some(file)) => session::run(args, file, out, err),
        (None, None) => Err("a file is needed".into()),
    }
}
