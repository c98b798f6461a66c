//! What must hold for every input, whatever its bytes.
//!
//! Each function takes bytes as they come and panics where a promise is broken. The answer says
//! whether the input reached the code in question; a fuzzer need not keep those that did not. The
//! targets in `fuzz/` and the tests in `fuzz_cases.rs` share these functions, so the two cannot
//! differ.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "checks panic where a promise is broken, and each user takes a part of them"
)]

pub mod asc;
pub mod definition;
pub mod dump;
pub mod mid;
pub mod mserver;
pub mod packed;
pub mod parameter;
mod pieces;
mod run;

/// A check: whether the input reached the code in question.
pub type Check = fn(&[u8]) -> bool;

/// The checks by the names of their targets.
pub const TARGETS: &[(&str, Check)] = &[
    ("mid", mid::mid),
    ("gzip", packed::gzip),
    ("lz4", packed::lz4),
    ("bzip2", packed::bzip2),
    ("zstd", packed::zstd),
    ("asc", asc::asc),
    ("odb", dump::odb),
    ("xml", dump::xml),
    ("json", dump::json),
    ("definition", definition::definition),
    ("parameter", parameter::parameter),
    ("mserver", mserver::mserver),
];
