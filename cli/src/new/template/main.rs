//! The program: our modules, and the command line that all analyzers have.

use std::process::ExitCode;

fn main() -> ExitCode {
    pactolus_cli::App::new(my_analyzer::catalogue())
        // In force unless `-a` names another.
        .definition(include_str!("../analyzer.toml"))
        .main()
}
