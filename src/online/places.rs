//! The files of an experiment, in the directories where they appear.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    /// Run files by their final names, in the order of runs, and their sizes.
    files: Vec<(InputFile, u64)>,
    /// When they were listed, and how long that took.
    last: Option<(Instant, Duration)>,
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
    fn look<T>(&self, ask: impl FnOnce(&[(InputFile, u64)]) -> T) -> T {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |(at, took): (Instant, Duration)| at.elapsed() >= SHORTEST.max(SHARE * took);
        if listed.last.is_none_or(is_old) {
            let begun = Instant::now();
            listed.files = self.list();
            listed.last = Some((begun, begun.elapsed()));
        }
        ask(&listed.files)
    }

    fn list(&self) -> Vec<(InputFile, u64)> {
        let stays = self.directories.last().map_or(Path::new("."), PathBuf::as_path);
        let mut sizes: BTreeMap<PathBuf, u64> = BTreeMap::new();
        for directory in &self.directories {
            // What cannot be listed now may be there later.
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let name = final_name(Path::new(&entry.file_name()));
                if !is_run_file(&name) {
                    continue;
                }
                let Some(found) = entry.metadata().ok().filter(std::fs::Metadata::is_file) else { continue };
                let size = sizes.entry(stays.join(name)).or_default();
                *size = found.len().max(*size);
            }
        }
        let mut files: Vec<(InputFile, u64)> =
            sizes.into_iter().map(|(path, size)| (InputFile::new(path), size)).collect();
        files.sort_by(|(a, _), (b, _)| in_run_order(&a.path, &b.path));
        // The same run under other names has been compressed since.
        files.dedup_by(|(b, _), (a, _)| a.run.is_some() && a.run == b.run && a.subrun() == b.subrun());
        files
    }

    /// Where a run begins: the first of its files; the newest run if none is named, and never one without a
    /// number.
    pub(crate) fn first(&self, first: Option<u32>) -> Option<InputFile> {
        self.look(|files| {
            let numbered = || files.iter().map(|(file, _)| file).filter(|file| file.run.is_some());
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
        self.look(|files| files.iter().map(|(file, _)| file).find(|next| next.run > Some(run)).cloned())
    }

    /// The next subrun of the same run that is there.
    pub(crate) fn next_subrun(&self, file: &InputFile) -> Option<InputFile> {
        file.subrun()?;
        self.look(|files| files.iter().map(|(file, _)| file).find(|next| next.continues(file)).cloned())
    }

    /// Bytes in the files behind this one.
    pub(crate) fn behind(&self, file: &InputFile) -> u64 {
        let Some(run) = file.run else { return 0 };
        let is_behind = |next: &InputFile| next.run > Some(run) || next.continues(file);
        self.look(|files| files.iter().filter(|(next, _)| is_behind(next)).map(|(_, size)| size).sum())
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
        // Two subruns and a run, each once.
        assert_eq!(places.behind(&ten), 15);
    }
}
