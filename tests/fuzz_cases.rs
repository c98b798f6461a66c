//! What the fuzzers found worth keeping, as ordinary cases: small inputs that reach much of the
//! readers, and those that broke them once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;
mod fuzz_checks;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::corpus;

/// Runs the check of a target on each of its cases.
fn check(target: &str) {
    let (_, check) = fuzz_checks::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let mut cases: Vec<_> =
        std::fs::read_dir(corpus("fuzz").join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty(), "no cases of {target}");
    for case in &cases {
        let input = std::fs::read(case).unwrap();
        let held = catch_unwind(AssertUnwindSafe(|| check(&input)));
        assert!(held.is_ok(), "{}, see above", case.display());
    }
}

macro_rules! cases {
    ($($test:ident $target:literal;)*) => {
        $(
            #[test]
            fn $test() {
                check($target);
            }
        )*

        #[test]
        fn every_target_has_its_cases_here() {
            let here = [$($target),*];
            assert!(fuzz_checks::TARGETS.iter().map(|(name, _)| *name).eq(here));
        }
    };
}

cases! {
    every_byte_of_a_run_is_in_an_event_or_in_damage "mid";
    gzip_comes_out_the_same_in_any_pieces "gzip";
    lz4_comes_out_the_same_in_any_pieces "lz4";
    bzip2_comes_out_the_same_in_any_pieces "bzip2";
    zstd_comes_out_the_same_in_any_pieces "zstd";
    what_was_read_as_asc_is_written_and_read_again "asc";
    what_was_read_as_odb_is_written_and_read_again "odb";
    what_was_read_as_xml_is_written_and_read_again "xml";
    what_was_read_as_json_is_written_and_read_again "json";
    a_definition_runs_or_is_refused_in_one_line "definition";
    a_parameter_sets_what_it_names_and_nothing_else "parameter";
    whatever_a_server_says_the_client_says_no_in_time "mserver";
}
