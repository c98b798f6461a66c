//! `pactolus midas`: an experiment that runs, over its mserver.

mod events;
mod experiments;
mod login;
mod set;
mod show;
mod status;

use std::io::Write;

use clap::{Args, Subcommand};
use pactolus::midas::Address;

use crate::login::LoginArgs;
use crate::{App, ENDED, Outcome};

/// An experiment that runs, over its mserver: its ODB and its state.
///
/// `ls`, `get`, `set` and `watch` are those of `pactolus odb`. Nothing is written into the experiment
/// but what `set` says; while the command runs, it is among the clients of the experiment.
#[derive(Args)]
#[command(
    after_help = EXAMPLES,
    subcommand_required = true,
    arg_required_else_help = true,
    override_usage = "pactolus midas <HOST[:PORT]> [EXPT] <COMMAND> [OPTIONS]"
)]
pub(crate) struct MidasArgs {
    /// The server, as MIDAS_SERVER_HOST names it; without a port, 1175
    #[arg(value_name = "HOST[:PORT]")]
    server: Address,

    /// The experiment; need not be named if the server has only one
    #[arg(value_name = "EXPT")]
    experiment: Option<String>,

    #[command(flatten)]
    login: LoginArgs,

    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: MidasCommand,
}

#[derive(Subcommand)]
enum MidasCommand {
    /// List the experiments of the server
    Experiments,
    /// Say what the experiment does: run, programs, equipment
    Status,
    Ls(show::LsArgs),
    Get(show::GetArgs),
    Set(set::SetArgs),
    Watch(show::WatchArgs),
    Events(events::EventsArgs),
}

const EXAMPLES: &str = "\
Examples:
  pactolus midas daq.example.org experiments
  pactolus midas daq.example.org status
  pactolus midas localhost:7071 sample ls -l /Runinfo
  pactolus midas daq sample get '/Equipment/Trigger/Variables/ADC0[1..2]'
  pactolus midas daq sample set '/Experiment/Run parameters/Comment' 'a test'
  pactolus midas daq sample watch /Runinfo --json
  pactolus midas daq sample events --id 1 -n 10
  pactolus midas daq sample status --callback-ports 40001,40002,40003

The server connects back to this computer, on three ports that are free; if a
firewall is between, name them with --callback-ports.

Exit codes: 0 all well; 2 could not run; 3 stopped by the user (watch); 4 the
connection was lost; 5 the output could not be written.";

pub(crate) fn run(app: &App, args: &MidasArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let done = match &args.command {
        MidasCommand::Experiments => experiments::run(args, out),
        MidasCommand::Status => status::run(args, out, err),
        MidasCommand::Ls(ls) => show::ls(app, args, ls, out, err),
        MidasCommand::Get(get) => show::get(app, args, get, out, err),
        MidasCommand::Set(set) => set::run(app, args, set, out, err),
        MidasCommand::Watch(watch) => show::watch(app, args, watch, out, err),
        MidasCommand::Events(events) => events::run(app, args, events, out, err),
    };
    match done {
        Err(error) if error.is::<login::Lost>() => {
            writeln!(err, "pactolus: {error}")?;
            Ok(ENDED)
        }
        done => done,
    }
}
