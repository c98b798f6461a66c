//! The program `pactolus`: the stock modules under the common command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    pactolus_cli::main(pactolus_modules::catalogue())
}
