use std::fs;

use pactolus_formats::tuple::{PlainColumn, PlainType, PlainWriter};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::histo::{Axis, Hist1, Histogram};

fn histograms(run: u32) -> Histograms {
    let list = vec![Histogram::filled("hits", Hist1::new(Axis::integer(0, 9)), [1, 2, 3]).unwrap()];
    Histograms { runs: BTreeSet::from([run]), list }
}

fn origin(provenance: serde_json::Value) -> Origin {
    Origin { provenance: provenance.to_string(), ledger: "[]".into() }
}

fn job(dir: &TempDir, outputs: &[&str]) -> Job {
    let add = |job: Job, name: &&str| job.output(dir.path().join(name).to_string_lossy()).unwrap();
    outputs.iter().fold(Job::new(), add)
}

fn names(dir: &TempDir) -> Vec<String> {
    let files = fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<_> =
        files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

/// Two runs, with these histograms; what was written.
fn two_runs(job: &Job, of: impl Fn(u32) -> Histograms) -> Result<Vec<Written>, Error> {
    job.check()?;
    let mut stdout = Vec::new();
    let mut sinks = Sinks::new(job, &mut stdout, None);
    for run in [41, 42] {
        sinks.begin(run, &[])?;
        sinks.finish(&origin(json!({})), &of(run), false)?;
    }
    let mut all = of(41);
    all.join(&of(42));
    sinks.finish(&origin(json!({})), &all, true)?;
    Ok(sinks.written)
}

#[test]
fn histograms_go_with_the_outputs_once_for_each_name() {
    let dir = TempDir::new().unwrap();
    let job = job(&dir, &["r%05d.mid.gz", "r%05d.asc", "r%05d.parquet", "all.arrow", "h%d.json"]);
    let written = two_runs(&job, histograms).unwrap();
    let of_run =
        |n: u32| [format!("r{n:05}.histos.json"), format!("r{n:05}.histos.parquet"), format!("h{n}.json")];
    let mut wanted: Vec<String> = of_run(41).into_iter().chain(of_run(42)).collect();
    wanted.extend(["all.histos.arrow".into(), "all.histos.json".into()]);
    wanted.sort_unstable();
    let found = names(&dir).into_iter().filter(|name| name.contains("histos") || name.starts_with('h'));
    assert_eq!(found.collect::<Vec<_>>(), wanted);
    let mut told: Vec<String> = written
        .iter()
        .map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned())
        .filter(|name| wanted.contains(name))
        .collect();
    told.sort_unstable();
    assert_eq!(told, wanted);
    let read = |name: &str| Histograms::read(&dir.path().join(name)).unwrap();
    assert_eq!(read("r00042.histos.parquet").runs, BTreeSet::from([42]));
    assert_eq!(read("h41.json").list[0].entries(), 3);
    let all = read("all.histos.json");
    assert_eq!((all.runs, all.list[0].entries()), (BTreeSet::from([41, 42]), 6));
}

#[test]
fn without_histograms_only_the_file_that_was_named_is_written() {
    let dir = TempDir::new().unwrap();
    let job = job(&dir, &["r%05d.mid", "h%d.json"]);
    two_runs(&job, |run| Histograms { runs: BTreeSet::from([run]), list: Vec::new() }).unwrap();
    let found = names(&dir).into_iter().filter(|name| !name.contains("provenance"));
    assert_eq!(found.collect::<Vec<_>>(), ["h41.json", "h42.json", "r00041.mid", "r00042.mid"]);
    assert!(Histograms::read(&dir.path().join("h41.json")).unwrap().is_empty());
}

#[test]
fn a_name_that_histograms_take_is_not_given_twice() {
    let clashes: [(&[&str], &str); 4] = [
        (
            &["r%05d.mid", "r%05d.histos.json"],
            "output @r%05d.histos.json is where the histograms of @r%05d.mid go",
        ),
        (
            &["r%05d.histos.json", "r%05d.mid"],
            "output @r%05d.histos.json is where the histograms of @r%05d.mid go",
        ),
        (&["r%d.mid", "r42.histos.json"], "output @r42.histos.json is where the histograms of @r%d.mid go"),
        (
            &["all.parquet", "../@/all.histos.parquet"],
            "all.histos.parquet is where the histograms of @all.parquet go",
        ),
    ];
    for (outputs, wanted) in clashes {
        let dir = TempDir::new().unwrap();
        let name = dir.path().file_name().unwrap().to_string_lossy().into_owned();
        let outputs: Vec<String> = outputs.iter().map(|o| o.replace('@', &name)).collect();
        let job = job(&dir, &outputs.iter().map(String::as_str).collect::<Vec<_>>());
        let said = two_runs(&job, histograms).unwrap_err().to_string();
        assert!(said.replace(&format!("{}/", dir.path().display()), "@").contains(wanted), "{said}");
    }
}

#[test]
fn histograms_replace_neither_inputs_nor_what_is_not_theirs() {
    let dir = TempDir::new().unwrap();
    for (output, other, wanted) in [
        ("odb.json", "odb.json", "exists and holds no histograms of pactolus"),
        ("all.mid", "all.histos.json", "all.histos.json: it holds no histograms of pactolus"),
        ("all.parquet", "all.histos.parquet", "all.histos.parquet: it holds no histograms of pactolus"),
        ("r%d.mid", "r41.histos.json", "r41.histos.json: it holds no histograms of pactolus"),
    ] {
        let other = dir.path().join(other);
        fs::write(&other, "{\"Experiment\": {}}").unwrap();
        let said = two_runs(&job(&dir, &[output]), histograms).unwrap_err().to_string();
        assert!(said.contains(wanted), "{said}");
        let reading = Job { odb_load: vec![other.clone()], ..job(&dir, &[output]) };
        let said = two_runs(&reading, histograms).unwrap_err().to_string();
        assert!(said.contains("is also an input"), "{said}");
        assert_eq!(fs::read_to_string(&other).unwrap(), "{\"Experiment\": {}}");
        // Ours may be replaced.
        fs::remove_file(&other).unwrap();
        two_runs(&job(&dir, &[output]), histograms).unwrap();
        fs::read_dir(dir.path()).unwrap().for_each(|file| fs::remove_file(file.unwrap().path()).unwrap());
    }
    let said = Job::new().output("-.json").unwrap().check().unwrap_err().to_string();
    assert_eq!(said, "output -.json: histograms do not go to standard output: name a file");
}

/// A table that another program has written, with columns as ours.
fn other_table(path: &Path) -> Vec<u8> {
    let columns = [PlainColumn::new("name", PlainType::Text), PlainColumn::new("state", PlainType::Bytes)];
    let kind = TableKind::of(path).unwrap();
    PlainWriter::create(path, kind, &columns).unwrap().settle(&[]).unwrap().finish().unwrap();
    fs::read(path).unwrap()
}

#[test]
fn what_is_not_ours_is_left_and_all_else_is_written() {
    let dir = TempDir::new().unwrap();
    let own = dir.path().join("r41.histos.parquet");
    let wanted = other_table(&own);
    // Without histograms nobody takes the name.
    let none = |run| Histograms { runs: BTreeSet::from([run]), list: Vec::new() };
    two_runs(&job(&dir, &["r%d.parquet", "r%d.mid"]), none).unwrap();
    assert_eq!(fs::read(&own).unwrap(), wanted);
    let error = two_runs(&job(&dir, &["r%d.parquet", "r%d.mid"]), histograms).unwrap_err();
    assert!(matches!(error, Error::Output(_)), "{error}");
    assert_eq!(fs::read(&own).unwrap(), wanted);
    let rest = ["r41.histos.json", "r42.histos.json", "r42.histos.parquet"];
    for name in rest {
        assert_eq!(Histograms::read(&dir.path().join(name)).unwrap().list.len(), 1, "{name}");
    }
    assert!(dir.path().join("r42.mid").exists());
    assert!(names(&dir).iter().all(|name| !name.ends_with(".part")), "{:?}", names(&dir));
}

#[test]
fn histograms_of_an_earlier_job_do_not_stay_beside_outputs_that_have_none() {
    let dir = TempDir::new().unwrap();
    let job = job(&dir, &["r%d.parquet", "all.arrow"]);
    two_runs(&job, histograms).unwrap();
    // Of the first run nothing is ours but the table.
    let own = dir.path().join("r41.histos.json");
    fs::write(&own, "{}").unwrap();
    let of_second = |run| match run {
        42 => histograms(run),
        _ => Histograms { runs: BTreeSet::from([run]), list: Vec::new() },
    };
    two_runs(&job, of_second).unwrap();
    let found = names(&dir).into_iter().filter(|name| name.contains("histos"));
    let wanted =
        ["all.histos.arrow", "all.histos.json", "r41.histos.json", "r42.histos.json", "r42.histos.parquet"];
    assert_eq!(found.collect::<Vec<_>>(), wanted);
    two_runs(&job, |run| Histograms { runs: BTreeSet::from([run]), list: Vec::new() }).unwrap();
    let found = names(&dir).into_iter().filter(|name| name.contains("histos"));
    assert_eq!(found.collect::<Vec<_>>(), ["r41.histos.json"]);
    assert_eq!(fs::read_to_string(own).unwrap(), "{}");
}

#[test]
fn a_request_named_as_the_table_of_histograms_has_another_name() {
    let dir = TempDir::new().unwrap();
    let job = job(&dir, &["r%d.parquet"]);
    let mut stdout = Vec::new();
    let mut sinks = Sinks::new(&job, &mut stdout, None);
    let table = TableDef { name: "Histos".into(), ..TableDef::default() };
    sinks.begin(7, &[((0, None), Arc::new(table))]).unwrap();
    sinks.finish(&origin(json!({})), &histograms(7), false).unwrap();
    assert_eq!(names(&dir), ["r7.Histos_.parquet", "r7.histos.json", "r7.histos.parquet"]);
}

/// A run with this provenance, up to the end of the job.
fn begun<'j>(job: &'j Job, stdout: &'j mut Vec<u8>) -> Sinks<'j> {
    let mut sinks = Sinks::new(job, stdout, None);
    let table = TableDef { name: "Trigger".into(), ..TableDef::default() };
    sinks.begin(7, &[((0, None), Arc::new(table))]).unwrap();
    sinks
}

#[test]
fn a_job_that_is_overtaken_replaces_nothing() {
    for outputs in [&["o.mid"][..], &["o.mid", "o.asc", "o.parquet", "h.json"], &["o.parquet", "o.mid"]] {
        // The other one has begun, or has ended.
        for ended in [false, true] {
            let dir = TempDir::new().unwrap();
            let job = job(&dir, outputs);
            let (mut one, mut other) = (Vec::new(), Vec::new());
            let (mut first, mut second) = (begun(&job, &mut one), begun(&job, &mut other));
            let end = |sinks: &mut Sinks<'_>, who: &str, run| {
                sinks.finish(&origin(json!({ "who": who })), &histograms(run), true)
            };
            if ended {
                end(&mut second, "second", 2).unwrap();
            }
            let before = names(&dir);
            let said = end(&mut first, "first", 1).unwrap_err().to_string();
            assert!(said.ends_with(": another job writes it, too"), "{outputs:?}: {said}");
            drop(first);
            assert_eq!(names(&dir), before, "{outputs:?}, {ended}");
            if !ended {
                end(&mut second, "second", 2).unwrap();
            }
            let record = dir.path().join("o.mid.provenance.json");
            assert!(fs::read_to_string(record).unwrap().contains("second"), "{outputs:?}, {ended}");
            for name in names(&dir).iter().filter(|name| name.contains("histos")) {
                let runs = Histograms::read(&dir.path().join(name)).unwrap().runs;
                assert_eq!(runs, BTreeSet::from([2]), "{name}");
            }
            assert!(names(&dir).iter().all(|name| !name.starts_with('.')), "{:?}", names(&dir));
        }
    }
}

#[test]
fn one_output_that_is_overtaken_holds_back_all() {
    for lost in ["o.mid", "o.Trigger.parquet", "h.json", "o.histos.json", "o.histos.parquet"] {
        let dir = TempDir::new().unwrap();
        let job = job(&dir, &["o.asc", "o.mid", "o.parquet", "h.json"]);
        let mut stdout = Vec::new();
        let mut sinks = begun(&job, &mut stdout);
        // Companions are begun when all else is settled: what is there then is theirs.
        let other = WholeFile::create(dir.path().join(lost)).unwrap();
        let ended = sinks.finish(&origin(json!({})), &histograms(7), true);
        if lost.contains("histos") {
            ended.unwrap();
            assert!(other.finish().is_err());
            continue;
        }
        ended.unwrap_err();
        drop(sinks);
        let hidden = format!(".{lost}.part");
        assert_eq!(names(&dir), [hidden], "{lost}");
        other.finish().unwrap();
    }
}
