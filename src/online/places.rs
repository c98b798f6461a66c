//! The files of an experiment, in the directories where they appear.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::job::InputFile;
use crate::run_files::{final_name, in_run_order, is_run_file};

/// Directories are not listed more often than this, nor so often that it takes more than a twentieth of the
/// time.
const SHORTEST: Duration = Duration::from_millis(100);
const SHARE: u32 = 20;

/// Directories that hold the same files: a fast one first, and one where they stay.
pub(crate) struct Places {
    directories: Vec<PathBuf>,
    listed: Mutex<Listed>,
}

#[derive(Default)]
struct Listed {
    /// Run files by their final names, in the order of runs.
    files: Vec<Found>,
    /// When they were listed, and how long that took.
    last: Option<(Instant, Duration)>,
}

/// A run file.
struct Found {
    file: InputFile,
    size: u64,
    /// When it was written to the last time.
    modified: Option<SystemTime>,
}

impl Places {
    pub(crate) fn new(directories: Vec<PathBuf>) -> Places {
        Places { directories, listed: Mutex::default() }
    }

    pub(crate) fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Where a file of this name may be.
    pub(crate) fn paths(&self, file: &InputFile) -> Vec<PathBuf> {
        let name = file.path.file_name().unwrap_or_default();
        self.directories.iter().map(|directory| directory.join(name)).collect()
    }

    /// The run files in order, as they were a moment ago, under the names in the directory where they stay.
    fn look<T>(&self, ask: impl FnOnce(&[Found]) -> T) -> T {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |(at, took): (Instant, Duration)| at.elapsed() >= SHORTEST.max(SHARE * took);
        if listed.last.is_none_or(is_old) {
            let begun = Instant::now();
            listed.files = self.list();
            listed.last = Some((begun, begun.elapsed()));
        }
        ask(&listed.files)
    }

    fn list(&self) -> Vec<Found> {
        let stays = self.directories.last().map_or(Path::new("."), PathBuf::as_path);
        let mut found: BTreeMap<PathBuf, (u64, Option<SystemTime>)> = BTreeMap::new();
        for directory in &self.directories {
            // What cannot be listed now may be there later.
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let name = final_name(Path::new(&entry.file_name()));
                if !is_run_file(&name) {
                    continue;
                }
                // A link may lead to it.
                let Some(now) = std::fs::metadata(entry.path()).ok().filter(std::fs::Metadata::is_file)
                else {
                    continue;
                };
                let (size, modified) = found.entry(stays.join(name)).or_default();
                *size = now.len().max(*size);
                *modified = now.modified().ok().max(*modified);
            }
        }
        let files = found.into_iter();
        let mut files: Vec<Found> = files
            .map(|(path, (size, modified))| Found { file: InputFile::new(path), size, modified })
            .collect();
        // Of several files of a run, that of the logger comes first, and binary events before text.
        let other = |file: &InputFile| {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            (!name.starts_with("run"), name.contains(".asc"))
        };
        let subrun = |file: &InputFile| file.subrun().map(|(_, number)| number);
        files.sort_by(|Found { file: a, .. }, Found { file: b, .. }| {
            (a.run.is_none(), a.run, subrun(a), other(a))
                .cmp(&(b.run.is_none(), b.run, subrun(b), other(b)))
                .then_with(|| in_run_order(&a.path, &b.path))
        });
        // The same run under other names has been compressed since, or is something else.
        files.dedup_by(|Found { file: b, .. }, Found { file: a, .. }| {
            a.run.is_some() && a.run == b.run && subrun(a) == subrun(b)
        });
        files
    }

    /// Where a run begins: the first of its files; the newest run if none is named, and never one without a
    /// number.
    pub(crate) fn first(&self, first: Option<u32>) -> Option<InputFile> {
        self.look(|files| {
            let numbered = || files.iter().map(|found| &found.file).filter(|file| file.run.is_some());
            let run = match first {
                Some(first) => numbered().filter_map(|file| file.run).find(|run| *run >= first)?,
                None => numbered().next_back()?.run?,
            };
            numbered().find(|file| file.run == Some(run)).cloned()
        })
    }

    /// The first file of the next run.
    pub(crate) fn next_run(&self, file: &InputFile) -> Option<InputFile> {
        let run = file.run?;
        self.look(|files| {
            let next = files.iter().map(|found| &found.file).find(|next| next.run > Some(run));
            next.cloned()
        })
    }

    /// The first file of the next run that was written to since this file was.
    pub(crate) fn newer_run(&self, file: &InputFile) -> Option<InputFile> {
        let run = file.run?;
        self.look(|files| {
            let own = files.iter().find(|found| found.file.path == file.path);
            let modified = own.and_then(|own| own.modified);
            let is_newer = |next: &&Found| next.file.run > Some(run) && next.modified > modified;
            files.iter().find(is_newer).map(|next| next.file.clone())
        })
    }

    /// The next subrun of the same run that is there.
    pub(crate) fn next_subrun(&self, file: &InputFile) -> Option<InputFile> {
        file.subrun()?;
        self.look(|files| files.iter().map(|found| &found.file).find(|next| next.continues(file)).cloned())
    }

    /// Bytes in the files behind this one, up to run `last`.
    pub(crate) fn behind(&self, file: &InputFile, last: Option<u32>) -> u64 {
        let Some(run) = file.run else { return 0 };
        let is_wanted = |next: &InputFile| last.is_none_or(|last| next.run.is_some_and(|next| next <= last));
        let is_behind = |next: &InputFile| next.run > Some(run) || next.continues(file);
        let wanted = |found: &&Found| is_behind(&found.file) && is_wanted(&found.file);
        self.look(|files| files.iter().filter(wanted).map(|found| found.size).sum())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn name(file: Option<InputFile>) -> Option<String> {
        Some(file?.path.file_name()?.to_str()?.to_owned())
    }

    #[test]
    fn runs_and_subruns_come_in_order() {
        let place = tempfile::tempdir().unwrap();
        let (fast, slow) = (place.path().join("fast"), place.path().join("slow"));
        for directory in [&fast, &slow] {
            fs::create_dir(directory).unwrap();
        }
        for file in [
            "slow/run00009.mid.lz4",
            "slow/run00010sub0000.mid",
            "slow/run00010sub0001.mid",
            "fast/run00010sub0001.mid",
            "fast/run00010sub0002.mid.inprogress",
            "slow/run00012.mid",
            "slow/run00012.mid.gz",
            "slow/.run00013.mid.part",
            "slow/notes.mid",
        ] {
            fs::write(place.path().join(file), "event").unwrap();
        }
        let places = Places::new(vec![fast.clone(), slow.clone()]);
        let first = |run| name(places.first(run));
        assert_eq!(first(None).as_deref(), Some("run00012.mid"));
        assert_eq!(first(Some(10)).as_deref(), Some("run00010sub0000.mid"));
        assert_eq!(first(Some(11)).as_deref(), Some("run00012.mid"));
        assert_eq!(first(Some(13)), None);
        let file = |name: &str| InputFile::new(slow.join(name));
        let ten = file("run00010sub0000.mid");
        assert_eq!(name(places.next_subrun(&ten)).as_deref(), Some("run00010sub0001.mid"));
        let last = places.next_subrun(&file("run00010sub0001.mid")).unwrap();
        assert_eq!(last.path, slow.join("run00010sub0002.mid"));
        assert_eq!(places.paths(&last), [fast.join("run00010sub0002.mid"), last.path.clone()]);
        assert_eq!(name(places.next_subrun(&last)), None);
        assert_eq!(name(places.next_run(&ten)).as_deref(), Some("run00012.mid"));
        assert_eq!(name(places.next_run(&file("run00012.mid"))), None);
        // What has a higher number and is older is of somebody else.
        let old = SystemTime::now() - Duration::from_secs(3600);
        let file = |name: &str| fs::File::options().write(true).open(slow.join(name)).unwrap();
        file("run00012.mid").set_modified(old).unwrap();
        file("run00012.mid.gz").set_modified(old).unwrap();
        let places = Places::new(vec![fast.clone(), slow.clone()]);
        assert_eq!(places.newer_run(&ten), None);
        file("run00012.mid").set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
        let places = Places::new(vec![fast.clone(), slow.clone()]);
        assert_eq!(name(places.newer_run(&ten)).as_deref(), Some("run00012.mid"));
        // Two subruns and a run, each once.
        assert_eq!((places.behind(&ten, None), places.behind(&ten, Some(10))), (15, 10));
    }
}
