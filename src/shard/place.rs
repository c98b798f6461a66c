//! Where a part goes, and what it may replace there.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::job::{Job, OutputFile, OutputKind, expand, provenance_path, run_place};
use crate::shard::Shard;
use crate::shard::file::{MAGIC, VERSION};
use crate::shard::head::Head;
use crate::shard::parts;

/// Whether a file is a part, by its first bytes.
pub fn is_part(path: &Path) -> bool {
    let mut first = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == MAGIC
}

/// The part of a shard beside the first output, with the run number of the first input if its name
/// tells one.
pub(crate) fn beside_output(shard: Shard, job: &Job) -> PathBuf {
    let stem = job.outputs.first().map_or_else(PathBuf::new, OutputFile::stem);
    let stem = stem.to_string_lossy();
    let run = job.inputs.first().and_then(|input| input.run);
    let stem = PathBuf::from(run.map_or_else(|| stem.to_string(), |run| expand(&stem, run)));
    stem.with_file_name(format!("{}.{}of{}.part", without_place(&stem), shard.number(), shard.of()))
}

/// The name of an output without directory, and without a place for a run number that nobody knows;
/// never empty.
fn without_place(stem: &Path) -> String {
    let mut name = stem.file_name().unwrap_or_default().to_string_lossy().into_owned();
    while let Some((start, end, _)) = run_place(&name) {
        name.replace_range(start..end, "");
    }
    let name = name.trim_matches(['.', '-', '_', ' ']);
    if name.is_empty() { "pactolus".into() } else { name.into() }
}

/// Refuses a part that would replace what the job reads or makes, or any file that is no part.
pub(crate) fn check(job: &Job, part: &Path) -> Result<(), Error> {
    let place = job.reads().check_output(part, 0)?;
    let refused = |why: &str| Err(Error::Part { path: part.to_owned(), message: why.into() });
    if [part, &place].iter().any(|name| job.outputs.iter().any(|output| makes(output, name))) {
        return refused("an output of the job may get that name: give it another with --part");
    }
    if place.exists() && !is_part(&place) {
        return refused("exists and is no part: give it another name with --part, or remove it");
    }
    Ok(())
}

/// Whether a file of this name may be an output of a job, or go with one, in any run: tables and
/// histograms have names of their own. Directories are not looked at: no part needs such a name.
fn makes(output: &OutputFile, path: &Path) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = name(path);
    // What says where an output comes from is called after it.
    let path = path.strip_suffix(&name(&provenance_path(Path::new("")))).unwrap_or(&path);
    let pattern = name(Path::new(&output.pattern));
    let companions = output.companions();
    let mut names = companions.iter().map(|(pattern, _)| name(Path::new(pattern)));
    if is_of(&pattern, path) || names.any(|pattern| is_of(&pattern, path)) {
        return true;
    }
    // `run00042.Trigger.parquet` for `run%05d.parquet`.
    let table = || {
        let (stem, kind) = pattern.rsplit_once('.')?;
        let (front, its_kind) = path.rsplit_once('.')?;
        let mut fronts = front.match_indices('.').map(|(at, _)| &front[..at]);
        Some(kind.eq_ignore_ascii_case(its_kind) && fronts.any(|front| is_of(stem, front)))
    };
    matches!(output.kind, OutputKind::Table(_)) && table().unwrap_or(false)
}

/// Whether a name is that of a pattern, with any run number.
fn is_of(pattern: &str, name: &str) -> bool {
    let Some((start, end, _)) = run_place(pattern) else { return pattern == name };
    let Some(rest) = name.strip_prefix(&pattern[..start]) else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    // A digit may stand behind the place.
    (1..=digits).any(|digits| is_of(&pattern[end..], &rest[digits..]))
}

/// Refuses to replace the part of another job, or of another shard of this one. That of this shard is
/// replaced, also by another program; and one whose head is broken, which nobody can merge.
pub(crate) fn check_head(own: &Head, part: &Path) -> Result<(), Error> {
    let refused = |why: String| {
        let message = format!("{why}: remove it, or give another name with --part");
        Err(Error::Part { path: part.to_owned(), message })
    };
    let mut front = [0; MAGIC.len() + 4];
    let read = File::open(part).and_then(|mut file| file.read_exact(&mut front));
    let Some(form) = read.ok().and_then(|()| front.strip_prefix(&MAGIC)) else { return Ok(()) };
    if form != VERSION.to_le_bytes() {
        return refused("is there, of another form".into());
    }
    let Ok((_, mut there)) = parts::head(part) else { return Ok(()) };
    // A newer program may do the same job again.
    let version = own.settings.get("version").cloned().unwrap_or_default();
    there.settings.insert("version".into(), version);
    match there.differs(own) {
        Some(what) => refused(format!("is there, of another job: they differ in {what}")),
        None if there.shard != own.shard => refused(format!("is there, of shard {}", there.shard)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(inputs: &[&str], outputs: &[&str]) -> String {
        let job = inputs.iter().fold(Job::new(), |job, input| job.input(*input));
        let job = outputs.iter().try_fold(job, |job, output| job.output(*output));
        let shard = Shard::new(3, 8).unwrap_or(Shard::ALL);
        beside_output(shard, &job.unwrap_or_default()).display().to_string()
    }

    #[test]
    fn a_part_is_named_after_the_first_output() {
        assert_eq!(part(&[], &["out/run%05d.parquet", "other.mid"]), "out/run.3of8.part");
        assert_eq!(part(&[], &["cal.v2.mid.gz"]), "cal.v2.3of8.part");
        assert_eq!(part(&[], &["run_%05d_x%d.asc"]), "run__x.3of8.part");
        assert_eq!(part(&[], &["/data/%05d.mid"]), "/data/pactolus.3of8.part");
        assert_eq!(part(&[], &["plain"]), "plain.3of8.part");
        assert_eq!(part(&[], &[]), "pactolus.3of8.part");
    }

    #[test]
    fn a_part_has_the_run_number_of_the_first_input() {
        let runs = ["/raw/run00042.mid.lz4", "/raw/run00043.mid.lz4"];
        assert_eq!(part(&runs, &["out/run%05d.parquet"]), "out/run00042.3of8.part");
        assert_eq!(part(&runs, &["%d/run%d.mid.gz"]), "42/run42.3of8.part");
        assert_eq!(part(&runs, &["all.parquet"]), "all.3of8.part");
        assert_eq!(part(&["events.mid"], &["out/run%05d.parquet"]), "out/run.3of8.part");
    }

    #[test]
    fn names_of_outputs_and_of_what_goes_with_them() {
        let made = |output: &str, name: &str| {
            OutputFile::new(output).is_ok_and(|output| makes(&output, Path::new(name)))
        };
        for name in [
            "run00042.parquet",
            "out/run1.Trigger.parquet",
            "run1.histos.json",
            "run1.histos.parquet",
            "run1.Trigger.parquet.provenance.json",
        ] {
            assert!(made("out/run%05d.parquet", name), "{name}");
        }
        assert!(made("run%d0x%d.mid", "run420x42.mid") && made("all.mid", "all.mid.provenance.json"));
        assert!(made("plain", "plain") && made("all.mid.gz", "all.histos.json"));
        for name in ["run.parquet", "run00042.3of8.part", "run00042.mid", "run4x.parquet", "parquet"] {
            assert!(!made("out/run%05d.parquet", name), "{name}");
        }
    }
}
