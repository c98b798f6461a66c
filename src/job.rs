//! A job: which files, in and out, with which settings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pactolus_formats::tuple::TableKind;
use pactolus_formats::{Compression, Limits, Pool};
use pactolus_odb::Odb;

use crate::Error;
use crate::analyzer::Analyzer;
use crate::attached::Experiment;
use crate::epoch::Selection;
use crate::feed::Attached;
use crate::histo::{FileKind, check_ours};
use crate::live::Live;
use crate::online::Follow;
use crate::recent::Shm;
use crate::recorded::Recorded;
use crate::run_files::directory_of;
use crate::verify::Witness;

/// Replaces `%05d` (or `%d`, `%04d`, ...) by the run number.
pub fn expand(pattern: &str, run: u32) -> String {
    let Some((start, end, width)) = run_place(pattern) else { return pattern.to_owned() };
    format!("{}{run:0width$}{}", &pattern[..start], expand(&pattern[end..], run))
}

/// Where the first `%d` or `%0Nd` stands, and N.
pub(crate) fn run_place(pattern: &str) -> Option<(usize, usize, usize)> {
    for (start, _) in pattern.match_indices('%') {
        let rest = &pattern[start + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if rest.as_bytes().get(digits) == Some(&b'd') {
            let width = rest[..digits].parse().unwrap_or(0usize).min(20);
            return Some((start, start + 1 + digits + 1, width));
        }
    }
    None
}

/// Whether a name holds a place for the run number.
pub fn has_run(pattern: &str) -> bool {
    run_place(pattern).is_some()
}

/// Refuses a range of runs, as `-r` gives it, whose end comes before its begin.
///
/// # Errors
/// If it does.
pub fn check_runs((first, last): (u32, u32)) -> Result<(), Error> {
    match first > last {
        true => Err(Error::Job(format!("-r {first} {last}: the first run comes after the last"))),
        false => Ok(()),
    }
}

/// A file to read, or `-` for standard input, or the bytes of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Its path.
    pub path: PathBuf,
    /// The run number, should the file not say: from a range of runs, else the first digits of the
    /// file's name.
    pub run: Option<u32>,
    /// What is in it, if it is not on the disk.
    bytes: Option<Arc<[u8]>>,
}

impl InputFile {
    /// A file; its run number is the first number in its name.
    pub fn new(path: impl Into<PathBuf>) -> InputFile {
        let path = path.into();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let digits: String =
            name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        InputFile { path, run: digits.parse().ok(), bytes: None }
    }

    /// ... with this run number, should the file not say.
    #[must_use]
    pub fn with_run(mut self, run: Option<u32>) -> InputFile {
        self.run = run;
        self
    }

    /// What a file of this name would hold: no file is read.
    pub fn of_bytes(name: impl Into<PathBuf>, bytes: impl Into<Arc<[u8]>>) -> InputFile {
        InputFile { bytes: Some(bytes.into()), ..InputFile::new(name) }
    }

    /// What is in it, if it is not on the disk.
    pub(crate) fn bytes(&self) -> Option<&Arc<[u8]>> {
        self.bytes.as_ref()
    }

    /// Its size in bytes, if that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        match &self.bytes {
            Some(bytes) => Some(bytes.len() as u64),
            None => Some(std::fs::metadata(&self.path).ok()?.len()),
        }
    }

    /// Whether this is standard input.
    pub fn is_stdin(&self) -> bool {
        self.path.as_os_str() == "-" && self.bytes.is_none()
    }

    /// The subrun that a name like `run00042sub0003.mid.gz` tells: what stands before `sub`, and
    /// the number behind it.
    pub fn subrun(&self) -> Option<(PathBuf, u32)> {
        let name = self.path.file_name()?.to_str()?;
        // ASCII letters only, so that the places are those of the name.
        let at = name.to_ascii_lowercase().find("sub")?;
        let (run, rest) = (&name[..at], &name[at + 3..]);
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number = rest[..digits].parse().ok()?;
        let is_run = run.trim_end_matches(['_', '-', '.']).ends_with(|c: char| c.is_ascii_digit());
        is_run.then(|| (self.path.with_file_name(run), number))
    }

    /// Whether this is a later subrun of the run that `before` belongs to.
    pub fn continues(&self, before: &InputFile) -> bool {
        match (self.subrun(), before.subrun()) {
            (Some((run, number)), Some((same, earlier))) => run == same && number > earlier,
            _ => false,
        }
    }
}

/// The subject of a sentence about subruns.
pub(crate) fn subruns(first: u32, last: u32) -> String {
    match first == last {
        true => format!("subrun {first} is"),
        false => format!("subruns {first} to {last} are"),
    }
}

/// The name of the provenance of an output.
pub(crate) fn provenance_path(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".provenance.json");
    PathBuf::from(name)
}

/// What an output file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// Binary events.
    Mid,
    /// Text events.
    Asc,
    /// One table per request.
    Table(TableKind),
    /// Histograms only, as JSON in ROOT's schema.
    Histograms,
}

/// An output: name, kind and compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// The name, perhaps with `%05d` for the run number.
    pub pattern: String,
    /// What it holds.
    pub kind: OutputKind,
    /// How it is compressed.
    pub compression: Compression,
}

impl OutputFile {
    /// An output by its name: `.mid` and `.asc`, each also with `.gz .lz4 .bz2 .zst`; `.parquet`,
    /// `.arrow`; `.json` for histograms only; `-` is binary events to standard output, `-.asc` text, `-.arrow` the only table,
    /// `-.Trigger.arrow` that of request Trigger. As in mana, a name without any extension is text.
    ///
    /// # Errors
    /// [`UnknownOutput`](pactolus_formats::Error::UnknownOutput) for other names.
    pub fn new(pattern: impl Into<String>) -> Result<OutputFile, pactolus_formats::Error> {
        let pattern = pattern.into();
        let name = PathBuf::from(&pattern);
        let unknown = || pactolus_formats::Error::UnknownOutput { path: name.clone() };
        let path = Path::new(&pattern);
        let extension = |path: &Path| path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let compression = match extension(path).as_deref() {
            Some("gz") => Compression::Gzip,
            Some("lz4") => Compression::Lz4,
            Some("bz2") => Compression::Bzip2,
            Some("zst") => Compression::Zstd,
            _ => Compression::None,
        };
        let inner = if compression == Compression::None { path.to_owned() } else { path.with_extension("") };
        let kind = match extension(&inner).as_deref() {
            Some("mid") => OutputKind::Mid,
            Some("asc") => OutputKind::Asc,
            None if pattern == "-" => OutputKind::Mid,
            None => OutputKind::Asc,
            Some("parquet") if compression == Compression::None => OutputKind::Table(TableKind::Parquet),
            Some("arrow") if compression == Compression::None => OutputKind::Table(TableKind::Arrow),
            Some("json") if compression == Compression::None => OutputKind::Histograms,
            Some(_) => return Err(unknown()),
        };
        Ok(OutputFile { pattern, kind, compression })
    }

    /// Whether this is standard output.
    pub fn is_stdout(&self) -> bool {
        self.pattern == "-" || self.pattern.starts_with("-.")
    }

    /// The names under which the histograms of a run are written with this output, if there are any:
    /// `run%05d.histos.json` beside `run%05d.mid.gz`, and a table beside tables.
    pub(crate) fn companions(&self) -> Vec<(String, FileKind)> {
        if self.is_stdout() || self.kind == OutputKind::Histograms {
            return Vec::new();
        }
        let stem = self.stem();
        let stem = stem.display();
        let mut names = vec![(format!("{stem}.histos.json"), FileKind::Json)];
        if let OutputKind::Table(kind) = self.kind {
            names.push((format!("{stem}.histos.{}", kind.extension()), FileKind::Table(kind)));
        }
        names
    }

    /// The pattern without the extensions that say its kind.
    pub(crate) fn stem(&self) -> PathBuf {
        let mut stem = PathBuf::from(&self.pattern);
        if self.compression != Compression::None {
            stem.set_extension("");
        }
        stem.set_extension("");
        stem
    }

    /// Refuses another output of the name under which histograms go with this one.
    pub(crate) fn clash(&self, other: &OutputFile) -> Error {
        Error::Job(format!(
            "output {} is where the histograms of {} go: give it another name",
            other.pattern, self.pattern
        ))
    }

    /// The table that goes to standard output, if the name says which: `Trigger` of
    /// `-.Trigger.arrow`.
    pub(crate) fn table(&self) -> Option<&str> {
        self.pattern.strip_prefix("-.")?.rsplit_once('.').map(|(table, _)| table)
    }
}

/// A request to end early: whoever holds a clone may make it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// No request yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Asks the job to read no more; what was read is analysed and written.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Which files, in and out, with which settings.
///
/// ```no_run
/// use pactolus::prelude::*;
/// # fn main() -> std::result::Result<(), pactolus::Error> {
/// let job = Job::new().input("run00042.mid.gz").output("run%05d.parquet")?.threads(2);
/// let report = Analyzer::new("Analyzer").on(Request::new("Trigger", 1)).run(&job)?;
/// println!("{} events", report.total().offered);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Job {
    /// The inputs in order.
    pub inputs: Vec<InputFile>,
    /// Where events come from while they are made, in place of inputs.
    pub live: Option<Live>,
    /// The outputs.
    pub outputs: Vec<OutputFile>,
    /// Configuration files applied at begin of run, perhaps with `%05d`.
    pub config: Vec<PathBuf>,
    /// Single parameters: path below `/<Analyzer>/Parameters` or a full path, value.
    pub parameters: Vec<(String, String)>,
    /// ODB trees that the run's dump must not change.
    pub protect: Vec<String>,
    /// Files loaded into the ODB before everything else; none into one that others have.
    pub odb_load: Vec<PathBuf>,
    /// The ODB to work on, which others may change meanwhile: what they set takes effect within one
    /// block, also where links lead to it. Without one, each run has an ODB of its own that begins as
    /// the job says.
    pub odb: Option<Odb>,
    /// Recorded epochs: the runs have the values that were in force then, and change at the same events.
    /// Nothing else sets any; a run without a record is an error. Several outputs of one job may be here.
    pub epochs: Vec<Recorded>,
    /// Other files that no output may replace: the definition.
    pub keep: Vec<PathBuf>,
    /// Which events of each input.
    pub selection: Selection,
    /// Write the original of each event that is kept.
    pub filter: bool,
    /// Tables have a plain column for each element of a bank, `ADC0_0`, `ADC0_1`, in place of lists.
    pub flat: bool,
    /// Tables are written as parts, each of which is closed and has its name after this time, if there is
    /// anything new: `run00042.Trigger.000001.parquet`. `merge` joins them.
    pub rotate: Option<Duration>,
    /// Threads that read, analyse and write; as many more compress, decompress and encode where there
    /// is something of the kind and more than one.
    pub threads: usize,
    /// Stop at the first damage or module error.
    pub strict: bool,
    /// Analyze a run of which a subrun is missing.
    pub allow_missing: bool,
    /// What to believe of the inputs.
    pub limits: Limits,
    /// Name of this computer for the ODB.
    pub host: String,
    /// What tells the program that does the job from others, such as the SHA-256 of its file. All
    /// parts of a job must agree on it.
    pub program: Option<String>,
    /// Bytes of events that are read at a time.
    pub block: usize,
    /// Bytes that events may take on their way from the inputs to the outputs: half of them as blocks
    /// and what these become, half as what is compressed, decompressed or encoded. A block is always
    /// allowed for, and for each file a piece, which is a row group of at most 64 MB for a table.
    /// Histograms come on top.
    pub memory: u64,
    /// Delays each block by a short time, which depends on this seed and the number of the block, so
    /// that blocks overtake each other. No result may depend on it: for tests, and for
    /// [`Verify`](crate::Verify).
    pub delay: Option<u64>,
    /// Takes digests of what each stage does to each event, for [`Verify`](crate::Verify).
    pub watch: Option<Witness>,
    /// Ends the job early.
    pub stop: Stop,
}

/// A block and what it is made of fit into the nearest cache but one.
const BLOCK: usize = 512 << 10;
/// Enough for every speed that was measured, and little for a computer that does something else.
const MEMORY: u64 = 256 << 20;

impl Default for Job {
    fn default() -> Job {
        Job {
            inputs: Vec::new(),
            live: None,
            outputs: Vec::new(),
            config: Vec::new(),
            parameters: Vec::new(),
            protect: Vec::new(),
            odb_load: Vec::new(),
            odb: None,
            epochs: Vec::new(),
            keep: Vec::new(),
            selection: Selection::default(),
            filter: false,
            flat: false,
            rotate: None,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            strict: false,
            allow_missing: false,
            limits: Limits::default(),
            host: String::new(),
            program: None,
            block: BLOCK,
            memory: MEMORY,
            delay: None,
            watch: None,
            stop: Stop::new(),
        }
    }
}

impl Job {
    /// A job without inputs and outputs, on all processors.
    pub fn new() -> Job {
        Job::default()
    }

    /// Adds an input file.
    #[must_use]
    pub fn input(mut self, path: impl Into<PathBuf>) -> Job {
        self.inputs.push(InputFile::new(path));
        self
    }

    /// Analyzes files while they are written.
    #[must_use]
    pub fn follow(mut self, follow: Follow) -> Job {
        self.live = Some(Live::Follow(follow));
        self
    }

    /// Analyzes the events of an experiment that runs, with its ODB.
    #[must_use]
    pub fn attach(mut self, experiment: Experiment) -> Job {
        self.live = Some(Live::Experiment(experiment));
        self
    }

    /// Analyzes the events of a stream in shared memory.
    #[must_use]
    pub fn recent(mut self, shm: Shm) -> Job {
        self.live = Some(Live::Shm(shm));
        self
    }

    /// Attaches it, if it is to be.
    pub(crate) fn attached(&self, analyzer: &Analyzer) -> Result<Option<Attached>, Error> {
        match &self.live {
            Some(Live::Experiment(experiment)) => experiment.attach(analyzer, self).map(Some),
            Some(Live::Shm(shm)) => shm.attach(analyzer, self).map(Some),
            _ => Ok(None),
        }
    }

    /// Adds an output file.
    ///
    /// # Errors
    /// If the name has no known extension.
    pub fn output(mut self, pattern: impl Into<String>) -> Result<Job, Error> {
        self.outputs.push(OutputFile::new(pattern)?);
        Ok(self)
    }

    /// Adds the epochs that an earlier job has recorded.
    #[must_use]
    pub fn epochs(mut self, recorded: Recorded) -> Job {
        self.epochs.push(recorded);
        self
    }

    /// Threads that compress, decompress and encode, if it has more than one; with outputs of so many
    /// tables.
    pub(crate) fn pool(&self, tables: usize) -> Result<Option<Pool>, Error> {
        let is_table = |output: &&OutputFile| matches!(output.kind, OutputKind::Table(_));
        let files = self.outputs.len() + self.outputs.iter().filter(is_table).count() * tables;
        // One input is read at a time.
        let share = self.half_of_memory() / (1 + files);
        if self.threads <= 1 {
            return Ok(None);
        }
        let pool = Pool::new(self.threads).map_err(|error| self.cannot_start(&error))?;
        Ok(Some(pool.with_memory(share)))
    }

    /// The system has no room for the threads.
    pub(crate) fn cannot_start(&self, error: &std::io::Error) -> Error {
        Error::Job(format!("cannot start {} threads: {error}", self.threads))
    }

    /// The part of the memory that is for blocks, or for all the rest [bytes].
    pub(crate) fn half_of_memory(&self) -> usize {
        usize::try_from(self.memory / 2).unwrap_or(usize::MAX)
    }

    /// Sets the number of threads.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Job {
        self.threads = threads.max(1);
        self
    }

    /// Makes tables flat: a plain column for each element of a bank.
    #[must_use]
    pub fn flat(mut self) -> Job {
        self.flat = true;
        self
    }

    /// Refuses combinations that would lose data.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.odb.is_some() && !self.odb_load.is_empty() {
            return Err(Error::Job(
                "--odb-load: the ODB is shared, and the file would overwrite it: load it with `pactolus odb`, or leave out --odb (PACTOLUS_ODB)".into(),
            ));
        }
        if let Some(live) = &self.live {
            if let Some(input) = self.inputs.first() {
                return Err(Error::Job(format!(
                    "input {}: what is followed is the only input: leave one of the two out",
                    input.path.display()
                )));
            }
            live.check(self)?;
        }
        self.check_epochs()?;
        let reads = self.reads();
        let mut places: Vec<(PathBuf, &OutputFile)> = Vec::new();
        for (i, output) in self.outputs.iter().enumerate() {
            let twice = || Err(Error::Job(format!("output {} is named twice", output.pattern)));
            let before = &self.outputs[..i];
            if before.iter().any(|o| o.pattern == output.pattern) {
                return twice();
            }
            if output.is_stdout() {
                if output.kind == OutputKind::Histograms {
                    return Err(Error::Job(format!(
                        "output {}: histograms do not go to standard output: name a file",
                        output.pattern
                    )));
                }
                if output.kind == OutputKind::Table(TableKind::Parquet) {
                    let why = format!(
                        "output {}: Parquet cannot go to a pipe, its directory is at its end: use -.arrow, or name a file",
                        output.pattern
                    );
                    return Err(Error::Job(why));
                }
                if before.iter().any(OutputFile::is_stdout) {
                    return Err(Error::Job("standard output can take one output only".into()));
                }
            } else if !has_run(&output.pattern) {
                let place = reads.check_output(Path::new(&output.pattern), 0)?;
                self.check_raw(output, &place)?;
                if places.iter().any(|(known, _)| *known == place) {
                    return twice();
                }
                places.push((place, output));
            }
        }
        for output in &self.outputs {
            for (name, _) in output.companions() {
                if let Some(other) = self.outputs.iter().find(|o| o.pattern == name) {
                    return Err(output.clash(other));
                }
                if !has_run(&name) {
                    let place = reads.check_output(Path::new(&name), 0)?;
                    if let Some((_, other)) = places.iter().find(|(known, _)| *known == place) {
                        return Err(output.clash(other));
                    }
                }
            }
        }
        self.check_subruns()
    }

    /// Recorded values are the only ones.
    fn check_epochs(&self) -> Result<(), Error> {
        let others = [
            ("--odb", self.odb.is_some()),
            ("--odb-load", !self.odb_load.is_empty()),
            ("-c", !self.config.is_empty()),
            ("-p", !self.parameters.is_empty()),
        ];
        match others.into_iter().find(|(_, given)| *given && !self.epochs.is_empty()) {
            Some((flag, _)) => Err(Error::Job(format!(
                "--epochs: the recorded values alone are in force, and {flag} would set others: leave {flag} out"
            ))),
            None => Ok(()),
        }
    }

    /// Subruns come one behind the other, and none is missing.
    fn check_subruns(&self) -> Result<(), Error> {
        let mut before: Option<(PathBuf, u32)> = None;
        for input in &self.inputs {
            let Some((run, number)) = input.subrun() else {
                before = None;
                continue;
            };
            let name = input.path.display();
            // MIDAS counts from 0; some sites from 1.
            let first = before.as_ref().filter(|(same, _)| *same == run).map(|(_, last)| last + 1);
            if first.is_some_and(|first| number < first) {
                return Err(Error::Job(format!(
                    "subrun {name} comes after a later one: give them in order, each once"
                )));
            }
            let first = first.unwrap_or(number.min(1));
            if number > first && !self.allow_missing {
                let missing = subruns(first, number - 1);
                return Err(Error::Job(format!(
                    "{missing} missing before {name}: add the files, or --allow-missing"
                )));
            }
            before = Some((run, number));
        }
        Ok(())
    }

    /// Refuses to replace a run that this program has not written: it may be raw data. What it has
    /// written has its provenance beside it, or says so at its beginning.
    pub(crate) fn check_raw(&self, output: &OutputFile, place: &Path) -> Result<(), Error> {
        if output.kind == OutputKind::Histograms {
            return check_ours(place);
        }
        if output.kind == OutputKind::Mid && place.exists() && !provenance_path(place).exists() {
            return Err(Error::Job(format!(
                "output {} exists and was not written by pactolus: give another name, or remove it (inputs go before -o)",
                place.display()
            )));
        }
        Ok(())
    }

    /// The files that no output may replace. Their true names are looked up here, once.
    pub fn reads(&self) -> Reads {
        let inputs = self.inputs.iter().filter(|input| input.bytes.is_none()).map(|input| &input.path);
        let files = inputs.chain(&self.odb_load).chain(&self.keep).map(PathBuf::as_path);
        let files = files.chain(self.epochs.iter().map(Recorded::path));
        Reads {
            // What is not there cannot be replaced.
            files: files.filter_map(|path| path.canonicalize().ok()).collect(),
            config: self.config.clone(),
        }
    }
}

/// The files that a job reads.
#[derive(Clone, Debug)]
pub struct Reads {
    /// True names.
    files: BTreeSet<PathBuf>,
    /// Configuration files, perhaps with a place for the run number.
    config: Vec<PathBuf>,
}

impl Reads {
    /// Refuses an output that would replace a file that the job reads in this run, that is a
    /// directory, or whose directory is missing. The answer: its one true name.
    ///
    /// # Errors
    /// [`Error::Job`] with what to do about it.
    pub fn check_output(&self, output: &Path, run: u32) -> Result<PathBuf, Error> {
        let name = output.display();
        if output.is_dir() {
            return Err(Error::Job(format!("output {name} is a directory: name a file")));
        }
        let found = directory_of(output).canonicalize();
        let found = found.map_err(|e| Error::Job(format!("cannot create {name}: {e}")))?;
        let place = found.join(output.file_name().unwrap_or_default());
        // A link to an input is that input; what is not there yet is no input.
        let place = place.canonicalize().unwrap_or(place);
        if place.exists() && !place.is_file() {
            let why = format!(
                "output {name} is no plain file; `-` is standard output, without -o nothing is written"
            );
            return Err(Error::Job(why));
        }
        let config = self.config.iter().map(|path| expand(&path.to_string_lossy(), run));
        let mut config = config.filter_map(|path| Path::new(&path).canonicalize().ok());
        if self.files.contains(&place) || config.any(|path| path == place) {
            return Err(Error::Job(format!("output {name} is also an input: give it another name")));
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_numbers_go_where_the_name_says() {
        assert_eq!(expand("run%05d.mid", 42), "run00042.mid");
        assert_eq!(expand("%d/x%03d", 7), "7/x007");
        assert_eq!(expand("100%.mid", 7), "100%.mid");
        assert_eq!(expand("plain", 7), "plain");
    }

    #[test]
    fn the_first_number_of_a_name_is_the_run() {
        assert_eq!(InputFile::new("/data2/run00042sub0003.mid.gz").run, Some(42));
        assert_eq!(InputFile::new("nodigits.mid").run, None);
        assert_eq!(InputFile::new("run99999999999999.mid").run, None);
    }

    #[test]
    fn names_of_subruns() {
        let subrun = |name: &str| InputFile::new(name).subrun();
        let of = |run: &str, n| Some((PathBuf::from(run), n));
        assert_eq!(subrun("/data2/run00042sub0003.mid.gz"), of("/data2/run00042", 3));
        assert_eq!(subrun("run42_sub01.mid"), of("run42_", 1));
        assert_eq!(subrun("subway0003.mid"), None);
        assert_eq!(subrun("run00042.mid"), None);
    }

    #[test]
    fn subruns_come_in_order_and_none_is_missing() {
        let check = |names: &[&str]| {
            let inputs = names.iter().map(InputFile::new).collect();
            Job { inputs, ..Job::new() }.check().map_err(|e| e.to_string())
        };
        assert_eq!(check(&["r1sub0.mid", "r1sub1.mid", "r2.mid", "r2sub1.mid", "r2sub2.mid"]), Ok(()));
        let missing = "subruns 1 to 2 are missing before r1sub3.mid: add the files, or --allow-missing";
        assert_eq!(check(&["r1sub0.mid", "r1sub3.mid"]).unwrap_err(), missing);
        let missing = "subrun 1 is missing before r1sub2.mid: add the files, or --allow-missing";
        assert_eq!(check(&["r1sub2.mid"]).unwrap_err(), missing);
        assert!(check(&["r1sub1.mid", "r1sub0.mid"]).unwrap_err().contains("in order"));
        assert!(check(&["r1sub0.mid", "r1sub0.mid"]).unwrap_err().contains("each once"));
    }

    #[test]
    fn names_of_outputs_say_their_kind() {
        let kind = |name: &str| OutputFile::new(name).map(|o| (o.kind, o.compression)).ok();
        assert_eq!(kind("a.mid.gz"), Some((OutputKind::Mid, Compression::Gzip)));
        assert_eq!(kind("a.b/c.asc"), Some((OutputKind::Asc, Compression::None)));
        assert_eq!(kind("x.parquet"), Some((OutputKind::Table(TableKind::Parquet), Compression::None)));
        assert_eq!(kind("plain"), Some((OutputKind::Asc, Compression::None)));
        assert_eq!(kind("-"), Some((OutputKind::Mid, Compression::None)));
        assert_eq!(kind("x.json"), Some((OutputKind::Histograms, Compression::None)));
        assert_eq!(kind("x.json.gz"), None);
        assert_eq!(kind("x.root"), None);
        assert_eq!(kind("x.midxyz"), None);
        assert_eq!(kind("x.parquet.gz"), None);
        assert_eq!(kind("-.Trigger.arrow"), Some((OutputKind::Table(TableKind::Arrow), Compression::None)));
        let companions = |name: &str| {
            OutputFile::new(name).unwrap().companions().into_iter().map(|c| c.0).collect::<Vec<_>>()
        };
        assert_eq!(companions("d.x/r%05d.mid.gz"), ["d.x/r%05d.histos.json"]);
        assert_eq!(companions("a.b.parquet"), ["a.b.histos.json", "a.b.histos.parquet"]);
        assert_eq!(companions("plain"), ["plain.histos.json"]);
        assert_eq!(companions("-.arrow").len() + companions("x.json").len(), 0);
        let table = |name: &str| OutputFile::new(name).ok()?.table().map(str::to_owned);
        assert_eq!((table("-.arrow"), table("-.Trigger.arrow")), (None, Some("Trigger".into())));
    }
}
