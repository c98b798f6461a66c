//! `analyze --shard` and `merge` as a user and a batch system meet them: what they say, their exit
//! codes, and the scripts of `docs/clusters.md`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{MidFile, run};
use serde_json::Value;
use tempfile::TempDir;

#[path = "../../tests/common/mod.rs"]
mod common;

/// A directory with a run, and where outputs go. In arguments `@` stands for it.
struct Place(TempDir);

impl Place {
    fn new(run: &MidFile) -> Place {
        let place = Place(TempDir::new().unwrap());
        run.save(place.path("run00042.mid"));
        fs::create_dir(place.path("out")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code, and what was said on standard output and standard error.
    fn run(&self, line: &str) -> (u8, String, String) {
        let dir = format!("{}/", self.0.path().display());
        let args: Vec<String> = line.split(' ').map(|arg| arg.replace('@', &dir)).collect();
        let ran = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        // How long it took, behind the last semicolon of a line.
        let timeless = |line: &str| match line.split_once(" damaged; ") {
            Some((said, _)) => format!("{said} damaged; TIME\n"),
            None => format!("{line}\n"),
        };
        let seconds = |text: &str| text.lines().map(timeless).collect::<String>();
        (ran.code, seconds(&ran.out.replace(&dir, "@")), ran.err.replace(&dir, "@"))
    }

    fn files(&self, dir: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.path(dir)).unwrap().map(|entry| entry.unwrap());
        entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
    }
}

fn words(serials: std::ops::Range<u32>) -> MidFile {
    serials.fold(MidFile::new().bor(42), |file, n| file.words(1, n, "ADC0", &[n as u16, 1, 2, 3]))
}

/// A run with a hole.
fn damaged() -> MidFile {
    let mut file = words(0..50);
    file.bytes.extend_from_slice(&[0; 64]);
    (50..100).fold(file, |file, n| file.words(1, n, "ADC0", &[n as u16])).eor(42)
}

#[test]
fn a_shard_says_what_it_did_and_how_to_go_on() {
    let place = Place::new(&words(0..20).eor(42));
    let (code, said, err) = place.run("analyze @run00042.mid -o @out/run%05d.mid --shard 2/3");
    let bytes = fs::metadata(place.path("out/run00042.2of3.part")).unwrap().len();
    let wanted = format!(
        "shard 2 of 3: 1 of 2 blocks, 21 of 22 events, 0 lost, 0 damaged; TIME\n\
         wrote @out/run00042.2of3.part: {bytes} bytes\n\
         when all 3 are there: pactolus merge @out/run00042.*of3.part\n"
    );
    assert_eq!((code, said, err), (0, wanted, String::new()));
    let (code, said, _) = place.run("analyze @run00042.mid -o @out/run%05d.mid --shard 1/3 --part @here");
    assert!(code == 0 && said.ends_with("when all 3 are there: pactolus merge PART...\n"), "{said}");
    assert!(place.path("here").exists());
    let (_, said, _) = place.run("analyze @run00042.mid -o @out/run%05d.mid --shard 1/1");
    assert!(said.ends_with("\nto make the outputs: pactolus merge @out/run00042.1of1.part\n"), "{said}");
    let quiet = place.run("analyze @run00042.mid -o @out/run%05d.mid --shard 3/3 -q");
    assert_eq!(quiet, (0, String::new(), String::new()));
    let (code, said, _) = place.run("analyze @run00042.mid -o @out/run%05d.mid --shard 1/1 --json");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["shard"], &report["own_events"]), (0, &"1/1".into(), &22.into()));
    assert!(report["part"]["bytes"].as_u64().unwrap() > 1000, "{report}");
}

#[test]
fn damage_is_no_failure_of_a_shard_and_the_merge_tells() {
    let place = Place::new(&damaged());
    let whole = place.run("analyze @run00042.mid -o @out/run%05d.mid @out/all.parquet");
    assert!(whole.0 == 1 && whole.1.contains("damage in @run00042.mid"), "{whole:?}");
    let wanted = place.files("out");
    fs::remove_dir_all(place.path("out")).unwrap();
    fs::create_dir(place.path("out")).unwrap();
    for shard in ["1/2", "2/2"] {
        let line = format!("analyze @run00042.mid -o @out/run%05d.mid @out/all.parquet --shard {shard}");
        let (code, said, _) = place.run(&line);
        assert!(code == 0 && said.contains("damage in @run00042.mid"), "{said}");
    }
    let (code, said, err) = place.run("merge @out/run00042.1of2.part @out/run00042.2of2.part");
    assert_eq!((code, &said, &err), (1, &whole.1, &whole.2));
    let mut found = place.files("out");
    found.retain(|name, _| !name.ends_with(".part"));
    assert_eq!(found, wanted);
    // Again, with all that analyze can say of a whole job.
    let (code, said, _) = place.run("merge @out/run00042.1of2.part @out/run00042.2of2.part -q");
    assert!(code == 1 && said.is_empty());
    let line = "merge @out/run00042.1of2.part @out/run00042.2of2.part -o @out/x.mid.gz --explain --odb-save @out/x.odb";
    let (code, said, _) = place.run(line);
    assert!(
        code == 1 && said.contains("parameters of run 42:") && said.contains("wrote @out/x.mid.gz"),
        "{said}"
    );
    assert!(place.path("out/x.odb").exists());
    let (code, said, _) = place.run("merge @out/run00042.1of2.part @out/run00042.2of2.part --json");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["damage"]["count"], &report["runs"][0]["run"]), (1, &1.into(), &42.into()));
}

#[test]
fn a_shard_that_was_killed_is_run_again() {
    let place = Place::new(&MidFile::new());
    fs::remove_file(place.path("run00042.mid")).unwrap();
    let fifo = place.path("run00042.mid");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut child = Command::new(env!("CARGO_BIN_EXE_pactolus"))
        .args(["analyze", "run00042.mid", "-o", "out/run.mid", "--shard", "1/1", "-q"])
        .current_dir(place.path(""))
        .spawn()
        .unwrap();
    let mut writer = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    writer.write_all(&words(0..5000).bytes).unwrap();
    while !place.path("out/.run.1of1.part.part").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None);
    assert!(!place.path("out/run.1of1.part").exists());
    let (code, _, err) = place.run("merge @out/run.1of1.part");
    assert!(code == 2 && err.starts_with("pactolus: cannot open @out/run.1of1.part"), "{err}");
    fs::remove_file(&fifo).unwrap();
    words(0..100).eor(42).save(&fifo);
    assert_eq!(place.run("analyze @run00042.mid -o @out/run.mid --shard 1/1 -q").0, 0);
    assert_eq!(place.run("merge @out/run.1of1.part -q").0, 0);
    assert!(place.path("out/run.mid").exists() && !place.path("out/.run.1of1.part.part").exists());
}

/// The script that stands behind these words in the page.
fn script(behind: &str) -> String {
    let page = fs::read_to_string(common::root().join("docs/clusters.md"))
        .or_else(|_| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clusters.md")));
    let page = page.unwrap();
    let (_, rest) = page.split_once(behind).unwrap_or_else(|| panic!("no {behind}"));
    let (script, _) = rest.split_once("```sh\n").unwrap().1.split_once("```").unwrap();
    script.replace("/data/run00042.mid.lz4", "run00042.mid")
}

/// Runs every task of an array at once, as told by the script or by `--array`; anything else when it is
/// named.
const SBATCH: &str = r#"#!/bin/bash
set -eu
array=
for arg; do
    case $arg in
    --array=*) array=${arg#--array=} ;;
    --dependency=afterok:*) [ "${arg##*:}" = 7 ] || exit 9 ;;
    *.sh) script=$arg ;;
    esac
done
[ -n "$array" ] || array=$(sed -n 's/^#SBATCH --array=//p' "$script")
if [ -n "$array" ]; then
    first=${array%-*} last=${array#*-}
    for k in $(seq "$first" "$last"); do
        SLURM_ARRAY_TASK_ID=$k SLURM_ARRAY_TASK_COUNT=$((last - first + 1)) SLURM_CPUS_PER_TASK=2 bash "$script" >> log
    done
else
    bash "$script" >> log
fi
echo '7;cluster'
"#;

#[test]
fn the_scripts_of_the_page_about_clusters_do_what_it_says() {
    let place = Place::new(&damaged());
    fs::create_dir(place.path("bin")).unwrap();
    let put = |name: &str, text: &str| {
        fs::write(place.path(name), text).unwrap();
        assert!(Command::new("chmod").arg("+x").arg(place.path(name)).status().unwrap().success());
    };
    put("bin/sbatch", SBATCH);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pactolus"), place.path("bin/pactolus")).unwrap();
    put("lab.toml", "[[request]]\nname = \"Trigger\"\nid = 1\n[request.banks]\nADC0 = \"WORD[4]\"\n");
    put("calib.odb", "[/Analyzer/Parameters]\n");
    put("shard.sh", &script("`shard.sh`:"));
    put("merge.sh", &script("`merge.sh`:"));
    let bash = |script: &str| {
        let path = format!("{}:{}", place.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", script]).current_dir(place.path("")).env("PATH", path);
        let ran = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
        assert!(ran.status.success(), "{script}\n{said}");
        said
    };
    let whole =
        "pactolus analyze run00042.mid -a lab.toml -c calib.odb -o out/run%05d.parquet -q || [ $? = 1 ]";
    let without = whole.replace(" -c calib.odb", "");
    let outputs = |made: &str| {
        bash(made);
        let found = place.files("out");
        fs::remove_dir_all(place.path("out")).unwrap();
        let tables = found.into_iter().filter(|(name, _)| name.ends_with(".parquet"));
        let tables: BTreeMap<_, _> = tables.collect();
        assert_eq!(tables.keys().collect::<Vec<_>>(), ["run00042.Trigger.parquet"]);
        tables
    };
    let wanted = outputs(whole);

    let submit = script("all shards have ended well:");
    assert!(outputs(&submit) == wanted, "Slurm");
    // Shard 3 has failed; it is run again, alone.
    let fails = submit.split("\nsbatch").next().unwrap().to_owned();
    let again = script("the merge is not run. Then");
    let again =
        format!("{fails}\nrm out/run00042.3of8.part\n! pactolus merge out/run00042.*of8.part\n{again}");
    assert!(outputs(&again) == wanted, "Slurm, shard 3 again");

    let xargs = script("To try it on one computer:")
        .replace("merge out/run00042.*of8.part", "merge out/run00042.*of8.part || [ $? = 1 ]");
    bash("mkdir out");
    assert!(outputs(&xargs) == outputs(&format!("mkdir -p out; {without}")), "xargs");

    put("dag.sh", &script("`dag.sh` makes it:"));
    let dag = bash("sh dag.sh");
    let shards = (1..=8).map(|k| format!("JOB s{k} shard.sub\nVARS s{k} shard=\"{k}\"\nRETRY s{k} 3\n"));
    let merge = "JOB merge merge.sub\nPARENT s1 s2 s3 s4 s5 s6 s7 s8 CHILD merge\n";
    assert_eq!(dag, shards.collect::<String>() + merge);
}
