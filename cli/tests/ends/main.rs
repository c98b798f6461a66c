//! How the program ends, whatever happens and whenever: soon, saying why, with nothing torn; and how
//! much memory it takes at the most.
//!
//! These tests are a program of their own, which runs itself with modules that make trouble. Random
//! interruptions go on for longer with `PACTOLUS_ENDS=500`, the runs for memory with
//! `PACTOLUS_BOUNDS=4G`; then times and bounds are strict.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(target_os = "linux")]
mod bounds;
#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod parts;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod random;
#[cfg(target_os = "linux")]
mod runner;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(target_os = "linux")]
mod stuck;
#[cfg(target_os = "linux")]
mod whole;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    if std::env::var_os(program::MARK).is_some() { program::main() } else { runner::main() }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
