//! A user's own analyzer: one module, and the common command line around it.
//!
//! `cargo run -p my-analyzer -- analyze run00042.mid -o run%05d.parquet`

mod largest;

use std::process::ExitCode;

fn main() -> ExitCode {
    let catalogue = pactolus_modules::catalogue().module::<largest::Largest>("Largest");
    pactolus_cli::App::new(catalogue).definition(include_str!("../analyzer.toml")).main()
}
