//! `pactolus merge`.

mod runs;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::Outcome;

/// Add the histograms of several runs, exactly: as one job over all of them would have filled them.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MergeArgs {
    /// Files of histograms: .json, .parquet or .arrow
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Where the sums go: .json, .parquet or .arrow
    #[arg(short, long, value_name = "OUT", num_args = 1..)]
    output: Vec<String>,

    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus merge run00041.histos.json run00042.histos.parquet -o all.json

Exit code 1 says that some histograms have other bins than in the first file;
they are named, and left as they were there.";

pub(crate) fn run(args: &MergeArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    runs::runs(&args.files, &args.output, args.quiet, out, err)
}
