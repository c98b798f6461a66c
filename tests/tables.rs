//! Tables as pyarrow, polars and DuckDB read them, against an independent reader of the `.mid` file.
//!
//! Needs a Python with the packages of `tests/python/requirements.txt`, named in `PACTOLUS_PYTHON`;
//! `tests/run.sh` installs one. Without it the comparison is left out, and says so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{corpus, definition, run};

/// Makes tables of a run and has every value compared. `requests`: event id and name.
fn check(input: &str, requests: &[(&str, &str)], preload: &[&str]) {
    let Ok(python) = std::env::var("PACTOLUS_PYTHON") else {
        eprintln!("left out: PACTOLUS_PYTHON names no Python with pyarrow, polars and DuckDB");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let input = corpus(&format!("mid/{input}"));
    let (definition, banks) = (definition("analyzer2"), corpus("config/banks_all.odb"));
    let (parquet, arrow) = (path("t.parquet"), path("t.arrow"));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut args = vec!["analyze".to_owned(), text(&input), "-a".into(), text(&definition)];
    args.extend(["-c".to_owned(), text(&banks), "-o".into(), parquet, arrow]);
    for file in preload {
        args.extend(["--odb-load".into(), text(&corpus(&format!("config/{file}")))]);
    }
    let ran = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, 0, "{}", ran.err);

    let mut check = Command::new(python);
    check.arg(common::root().join("tests/python/check_tables.py")).arg(&input);
    for (id, name) in requests {
        check.args(["--id", id]);
        check.arg(path(&format!("t.{name}.parquet"))).arg(path(&format!("t.{name}.arrow")));
    }
    let output = check.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
}

#[test]
fn every_value_of_a_run_of_the_real_logger_is_in_its_tables() {
    check("run00008.mid", &[("1", "Trigger"), ("2", "Scaler"), ("3", "Wave"), ("4", "Fixd")], &[]);
}

#[test]
fn every_value_of_every_bank_type_is_in_its_table() {
    check("run00100.mid", &[("3", "Wave")], &["bor8.xml"]);
}
