//! `pactolus midas HOST EXPT set`: one value is written, and nothing else.

use std::io::Write;

use clap::Args;
use pactolus::midas::Writes;

use super::{MidasArgs, login, show};
use crate::{App, Outcome};

/// Set a value, which keeps its type
///
/// Of an array, PATH[3] is one element, PATH[1..4] are several, PATH[*] all; they take one value, or
/// as many as they are. Without an index, as many values as elements are needed. Values of BOOL are y
/// and n; whole numbers may be hexadecimal (0x1f).
#[derive(Args)]
pub(super) struct SetArgs {
    /// The key
    #[arg(value_name = "PATH")]
    path: String,

    /// The value, or one for each element; options of this command stand before it
    #[arg(value_name = "VALUE", required = true, allow_hyphen_values = true, trailing_var_arg = true)]
    values: Vec<String>,
}

pub(super) fn run(
    app: &App,
    args: &MidasArgs,
    set: &SetArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    let session = login::open(args, &[], Writes::All)?;
    let words = [&["set".to_owned(), set.path.clone()][..], &set.values].concat();
    show::run(app, args, &session, words, out, err)
}
