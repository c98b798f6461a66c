//! Fuzz targets for every reader. What they check is in `tests/fuzz_checks`, and is run on small
//! cases by `cargo test` too.

#[path = "../../tests/fuzz_checks/mod.rs"]
pub mod checks;
mod memory;

pub use libfuzzer_sys;

/// A target that runs one check; inputs that do not reach the code in question are not kept.
#[macro_export]
macro_rules! target {
    ($check:path) => {
        $crate::libfuzzer_sys::fuzz_target!(|input: &[u8]| -> $crate::libfuzzer_sys::Corpus {
            $crate::run($check, input)
        });
    };
}

/// Runs one check and holds it to its memory.
pub fn run(check: checks::Check, input: &[u8]) -> libfuzzer_sys::Corpus {
    let (reached, peak) = memory::peak(|| check(input));
    assert!(peak <= MEMORY, "{peak} bytes of memory at once");
    if reached { libfuzzer_sys::Corpus::Keep } else { libfuzzer_sys::Corpus::Reject }
}

/// No input, whatever it claims, may cost more.
const MEMORY: usize = 100 << 20;
