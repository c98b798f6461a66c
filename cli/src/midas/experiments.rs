//! `pactolus midas HOST experiments`: what the server has.

use std::io::Write;

use super::MidasArgs;
use crate::{OK, Outcome};

pub(super) fn run(args: &MidasArgs, out: &mut dyn Write) -> Outcome {
    let names = pactolus::midas::experiments(&args.server, args.login.timeout)?;
    if args.json {
        serde_json::to_writer(&mut *out, &names).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        for name in names {
            writeln!(out, "{name}")?;
        }
    }
    Ok(OK)
}
