//! `pactolus odb diff`: what differs between two ODBs.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use pactolus::odb::{Path, diff};

use super::source::Source;
use crate::{OK, Outcome};

/// Compare the ODBs of two run files or dumps.
///
/// Lines begin with `-` for keys that only A has, `+` for those that only B has, `~` for others
/// with another value, type or length. Order, access modes and times do not count.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DiffArgs {
    /// Run file or dump; `-` is standard input
    #[arg(value_name = "A")]
    left: PathBuf,

    /// Another
    #[arg(value_name = "B")]
    right: PathBuf,

    /// Only this directory or key
    #[arg(long, value_name = "SUBTREE", default_value = "/")]
    path: String,

    /// The ODBs at end of run
    #[arg(long)]
    eor: bool,

    /// One JSON object per difference and line
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus odb diff run00041.mid.gz run00042.mid.gz
  pactolus odb diff run00042.mid settings.odb --path /Analyzer/Parameters
  pactolus odb diff run00041.mid run00042.mid --json | jq -r .path

Exit codes: 0 they are equal; 1 they differ; 2 could not run; 5 the output could
not be written.";

/// They differ, as `diff` says it.
const DIFFERENT: u8 = 1;

pub(super) fn run(args: &DiffArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let path = Path::parse(&args.path)?;
    let left = Source::whole(&args.left, args.eor, err)?;
    let right = Source::whole(&args.right, args.eor, err)?;
    // A path that neither has is a slip of the finger, not an equality.
    if !path.is_root() && left.find_link(&args.path).is_err() {
        right.find_link(&args.path)?;
    }
    let lines = diff::lines(&left.diff_below(&right, &path));
    let page = diff::page(&lines, args.json);
    out.write_all(&page).and_then(|()| out.flush())?;
    Ok(if lines.is_empty() { OK } else { DIFFERENT })
}
