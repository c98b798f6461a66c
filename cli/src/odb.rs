//! `pactolus odb`: an ODB in a directory, or that of a run file or a dump.

mod changes;
mod commands;
mod convert;
mod place;
mod program;
mod source;
mod terminal;
mod watch;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

pub(crate) use self::commands::ended;
pub(crate) use self::program::Program;
use crate::{App, Outcome};

/// The ODB shell: on an ODB in a directory, or on that of a run file or a dump.
///
/// An ODB in a directory is shared: all programs see each change at once. A run file shows the ODB
/// as it was at begin of run; a dump is an .odb, .xml or .json file. The first bytes of a file say
/// which it is, and it may be compressed. Files are not changed.
///
/// Commands come from -c, from a terminal with completion and history, or from standard input, one
/// on a line; `help` lists them.
#[derive(Args)]
#[command(
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    override_usage = "pactolus odb [DIR|FILE] [OPTIONS]\n       pactolus odb diff <A> <B> [OPTIONS]\n       \
        pactolus odb convert <IN> <OUT> [OPTIONS]\n       pactolus odb watch [PATH] [OPTIONS]"
)]
pub(crate) struct OdbArgs {
    #[command(subcommand)]
    command: Option<OdbCommand>,

    /// Directory of an ODB, run file or dump; `-` is standard input (a file called diff is ./diff).
    /// Without it, PACTOLUS_ODB names it
    #[arg(value_name = "DIR|FILE")]
    place: Option<PathBuf>,

    /// Make an ODB in DIR if there is none
    #[arg(long)]
    create: bool,

    /// With --create: bring every change to the disk before it counts, so that a power cut costs
    /// nothing; some twenty times slower
    #[arg(long, requires = "create")]
    durable: bool,

    /// A command, as "ls -l /Runinfo"; several are done in order
    #[arg(short, long = "command", value_name = "CMD")]
    commands: Vec<String>,

    /// The ODB at end of run
    #[arg(long)]
    eor: bool,

    /// Let ls, get, diff and watch answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum OdbCommand {
    Diff(changes::DiffArgs),
    Convert(convert::ConvertArgs),
    Watch(watch::WatchArgs),
}

const EXAMPLES: &str = "\
Examples:
  pactolus odb --create daq
  pactolus odb daq -c 'set \"/Runinfo/Run number\" 42' -c 'ls -l /Runinfo'
  pactolus odb run00042.mid.lz4 -c 'ls -lr /Equipment/Trigger'
  pactolus odb run00042.mid -c 'get \"/Runinfo/Start time\"' --json
  pactolus odb run00042.mid --eor -c 'find *rate*'
  pactolus odb diff run00041.mid run00042.mid --path /Analyzer
  pactolus odb convert run00042.mid run00042.odb

Exit codes: 0 all well; 1 something of the dump could not be read (diff: they
differ); 2 could not run; 5 the output could not be written.";

pub(crate) fn run(app: &App, args: &OdbArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    match &args.command {
        Some(OdbCommand::Diff(args)) => changes::run(args, out, err),
        Some(OdbCommand::Convert(args)) => convert::run(args, out, err),
        Some(OdbCommand::Watch(args)) => watch::run(args, out, err),
        None => commands::run(app, args, out, err),
    }
}
