//! Runs the tests, with the words of the standard runner that make sense here.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

use crate::{bounds, parts, random, signals, stuck};

/// A test: name, why it is ignored, what it does.
pub(crate) type Test = (&'static str, Option<&'static str>, fn());

pub(crate) fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let wanted: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let tests = [random::all(), parts::all(), signals::all(), stuck::all(), bounds::all()].concat();
    let mut failed = 0;
    for (name, ignored, test) in tests {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        if has("--list") {
            println!("{name}: test");
            continue;
        }
        if let Some(why) = ignored
            && !has("--ignored")
            && !has("--include-ignored")
        {
            println!("test {name} ... ignored, {why}");
            continue;
        }
        if ignored.is_none() && has("--ignored") {
            continue;
        }
        let begun = Instant::now();
        let went = if catch_unwind(test).is_ok() { "ok" } else { "FAILED" };
        println!("test {name} ... {went} ({:.1} s)", begun.elapsed().as_secs_f64());
        failed += u32::from(went != "ok");
    }
    println!("\n{failed} failed");
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
