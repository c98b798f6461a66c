//! Histograms that the engine wrote, as others read them: every value against an independent
//! computation in Python, and drawn by JSROOT.
//!
//! Python is that of `tests/tables.rs`. JSROOT is looked for in the `node_modules` that
//! `PACTOLUS_NODE_MODULES` names; `tests/run.sh` installs it. Without either, that part is left out,
//! and says so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{MidFile, root};
use pactolus::histo::Histograms;
use pactolus::prelude::*;
use tempfile::TempDir;

/// x, y and weight, as often as there are.
const VALS: BankDef<f64> = BankDef::new(b"VALS");

/// Fills one of each kind. `check_histos.py` knows which, and with what.
#[derive(Record, Clone)]
struct Filler {
    #[key(skip)]
    counts: [Hist1; 3],
    #[key(skip)]
    map: Hist2,
    #[key(skip)]
    profile: Profile,
    #[key(skip)]
    rate: Strip,
    #[key(skip)]
    weights: WeightedHist1,
    #[key(skip)]
    weighted_map: WeightedHist2,
    #[key(skip)]
    weighted_profile: WeightedProfile,
}

impl Module for Filler {
    fn banks(&self) -> Banks {
        Banks::read(VALS)
    }

    fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
        let x = || Axis::regular(60, -2.4, 2.4).title("Position").unit("mm");
        let y = || Axis::variable([-3.0, -1.0, -0.5, 0.0, 0.1, 2.0]).title("Angle").unit("mrad");
        self.counts = [
            setup.book("counts", Hist1::new(x()).title("Hits of the first plane"))?,
            setup.book("one/integer", Hist1::new(Axis::integer(-2, 2).title("Wire")))?,
            setup.book("one/variable", Hist1::new(y()))?,
        ];
        self.map = setup.book("two/map", Hist2::new(x(), y()).title("Angle over position"))?;
        self.profile = setup.book("two/profile", Profile::new(x()).value("Energy", "MeV"))?;
        self.rate = setup.book("rate", Strip::new(1).value("Energy", "MeV").title("Energy over time"))?;
        self.weights = setup.book("weighted/one", WeightedHist1::new(x()))?;
        self.weighted_map = setup.book("weighted/map", WeightedHist2::new(x(), y()))?;
        self.weighted_profile =
            setup.book("weighted/profile", WeightedProfile::new(x()).value("Energy", "MeV"))?;
        Ok(())
    }

    fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
        let Some(values) = event.get(VALS)? else { return Ok(Keep) };
        for i in (0..values.len()).step_by(3) {
            let (x, y, w) = (values.at(i), values.at(i + 1), values.at(i + 2));
            context.fill(self.counts[0], x);
            context.fill(self.counts[1], x);
            context.fill(self.counts[2], y);
            context.fill(self.map, (x, y));
            context.fill(self.profile, (x, y));
            context.fill(self.rate, y);
            context.fill(self.weights, (x, w));
            context.fill(self.weighted_map, (x, y, w));
            context.fill(self.weighted_profile, (x, y, w));
        }
        Ok(Keep)
    }
}

/// A run over 4000 s with a pause; values also on edges, far outside, and no numbers; weights of many
/// sizes and both signs.
fn save_run(path: &Path, run: u32) {
    let mut state = u64::from(run);
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut file = MidFile::new().bor(run);
    for i in 0..3000 {
        let mut values = Vec::new();
        for _ in 0..1 + i % 3 {
            let x = match i % 10 {
                // An edge, or where rounding would put one.
                0 => -2.4 + f64::from(i % 61) * 0.08,
                1 => (uniform() - 0.5) * 1e3,
                2 if i % 7 == 0 => f64::NAN,
                _ => (uniform() + uniform() + uniform() - 1.5) * 2.0,
            };
            let size = [1.0, 1e-8, 1e9, 0.1][(i % 4) as usize];
            values.extend([x, (uniform() - 0.5) * 5.0, (uniform() - 0.2) * size]);
        }
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        file = file.event(1, i + if i < 1500 { 0 } else { 1000 }, &[("VALS", Tid::Double, &data)]);
    }
    file.eor(run).save(path);
}

/// Runs 41 and 42, and the files of their histograms.
fn analyzed() -> TempDir {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    save_run(path("run00041.mid").as_ref(), 41);
    save_run(path("run00042.mid").as_ref(), 42);
    let analyzer =
        Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).module("Filler", Filler::defaults());
    let job = Job { block: 5000, ..Job::new().threads(3) };
    let job = job.input(path("run00041.mid")).input(path("run00042.mid"));
    let outputs = ["run%05d.parquet", "all.arrow"];
    let job = outputs.iter().fold(job, |job, name| job.output(path(name)).unwrap());
    let report = analyzer.run(&job).unwrap();
    assert_eq!(report.total().offered, 6000);
    let written = report.outputs.iter().filter(|file| file.path.to_string_lossy().contains(".histos."));
    assert_eq!(written.count(), 6);
    dir
}

/// Says that a part is left out; never where all must run.
fn left_out(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("left out: {why}");
}

#[test]
fn every_value_is_that_of_an_independent_computation() {
    let Ok(python) = std::env::var("PACTOLUS_PYTHON") else {
        return left_out("PACTOLUS_PYTHON names no Python with the packages");
    };
    let dir = analyzed();
    let mut check = Command::new(python);
    check.arg(root().join("tests/python/check_histos.py")).current_dir(dir.path());
    let output = check.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
}

#[test]
fn jsroot_draws_them() {
    let Ok(modules) = std::env::var("PACTOLUS_NODE_MODULES") else {
        return left_out("PACTOLUS_NODE_MODULES names no directory with jsroot");
    };
    let dir = analyzed();
    let mut draw = Command::new("node");
    draw.arg(root().join("tests/js/draw.mjs")).arg(modules).arg("run00042.histos.json");
    draw.args(std::env::var_os("PACTOLUS_DRAWINGS")).current_dir(dir.path());
    let output = draw.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
}

#[test]
fn runs_that_are_added_are_the_job_over_both() {
    let dir = analyzed();
    let path = |name: &str| dir.path().join(name);
    let files = [path("run00041.histos.json"), path("run00042.histos.parquet")];
    let sum = path("sum.json");
    let words =
        ["merge", files[0].to_str().unwrap(), files[1].to_str().unwrap(), "-o", sum.to_str().unwrap()];
    let ran = common::run(&words);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let read = |path: &Path| Histograms::read(path).unwrap();
    let bytes = |all: &Histograms| all.list.iter().map(|h| h.to_bytes()).collect::<Vec<_>>();
    let (sum, job) = (read(&sum), read(&path("all.histos.arrow")));
    assert_eq!(sum.list.len(), 9);
    assert_eq!(bytes(&sum), bytes(&job));
    assert_eq!(sum.runs, job.runs);
    assert_eq!(bytes(&job), bytes(&read(&path("all.histos.json"))));
    assert!(
        fs::read_dir(dir.path()).unwrap().all(|f| !f
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".part"))
    );
}
