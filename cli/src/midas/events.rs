//! `pactolus midas HOST EXPT events`: what the experiment sends, as `pactolus dump` shows it.

use std::ffi::OsString;
use std::io::Write;

use clap::{Args, FromArgMatches};
use pactolus::Experiment;

use super::{MidasArgs, login};
use crate::dump::{self, DumpArgs};
use crate::{App, Outcome};

/// Show events as they come, of a run that goes on or the next one
///
/// With the flags of `pactolus dump`, --id, --bank, -n and the others. Nobody waits for this program: what
/// comes too fast is passed over.
#[derive(Args)]
pub(super) struct EventsArgs {
    /// Flags of `pactolus dump`
    #[arg(value_name = "FLAGS", trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<OsString>,
}

pub(super) fn run(
    app: &App,
    args: &MidasArgs,
    events: &EventsArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    let login = login::login(args)?;
    let name = login.experiment.as_deref().unwrap_or_default();
    let url = format!("midas://{}/{name}", login.address);
    let mut experiment = Experiment::new(&url)?;
    let words = [OsString::from("events"), OsString::from(url)];
    let json = args.json.then(|| OsString::from("--json"));
    let command = DumpArgs::augment_args(clap::Command::new("events"));
    let matches = command.try_get_matches_from(words.into_iter().chain(json).chain(events.flags.clone()))?;
    let shown = DumpArgs::from_arg_matches(&matches)?;
    experiment.login = login;
    dump::live(app, &shown, experiment, out, err)
}
