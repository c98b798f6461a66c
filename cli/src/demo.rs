//! `pactolus demo`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::{App, Outcome};

/// Run the whole thing on a small simulated run, and show what to try next.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Where to put the files
    #[arg(default_value = "pactolus-demo", value_name = "DIRECTORY")]
    directory: PathBuf,
}

pub(crate) fn run(_app: &App, _args: &DemoArgs, _out: &mut dyn Write, _err: &mut dyn Write) -> Outcome {
    Ok(0)
}
