//! `pactolus odb watch`: changes as they happen.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::commands::ended;
use super::place::{How, Place, named};
use super::program::Program;
use crate::{OK, Outcome};

/// Print each change of an ODB as it happens, until Ctrl-C.
///
/// Lines begin with `-` for keys that are gone, `+` for new ones, `~` for others, whose value was
/// the first and is the second. Changes that come faster than they can be printed come as one.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct WatchArgs {
    /// Only this directory or key; it need not exist yet
    #[arg(value_name = "PATH", default_value = "/")]
    path: String,

    /// Directory of the ODB; without it, PACTOLUS_ODB names it
    #[arg(long, value_name = "DIR")]
    odb: Option<PathBuf>,

    /// One JSON object per change and line
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus odb watch /Runinfo --odb daq
  pactolus odb watch /Equipment/Trigger --json | jq -r .path

Exit codes: 2 could not run; 5 the output could not be written. Ctrl-C ends it.";

pub(super) fn run(args: &WatchArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let path = named(args.odb.as_deref())?;
    if path.is_file() {
        return Err(format!(
            "{} is a file and does not change: the directory of an ODB expected",
            path.display()
        )
        .into());
    }
    let place = Place::open(&path, How::default(), err)?;
    let words = vec!["watch".to_owned(), args.path.clone()];
    let mut shell = place.shell.json(args.json);
    shell.run_words(words, &mut Program::new(out, err)).map_err(|error| ended(error, "watch"))?;
    Ok(OK)
}
