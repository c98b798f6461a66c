//! Outputs: files that appear whole, or not at all.

mod bytes;
mod earlier;
mod rotation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_formats::tuple::{Batch, SettledTable, TableDef, TableKind};
use pactolus_formats::{Error as FormatError, Pool, WholeFile};

use crate::Error;
use crate::epoch::Wanted;
use crate::histo::{FileKind, Histograms, Settled, is_ours};
use crate::job::{Job, OutputFile, OutputKind, Reads, expand, has_run, provenance_path};
use crate::partial::TableKey;
use crate::pipe::Pipe;
use crate::provenance::indented;
use crate::report::Written;
use crate::run_files::directory_of;
use crate::sink::bytes::{ByteFile, Target};
use crate::sink::earlier::{Earlier, may_be};
use crate::sink::rotation::{Claim, Closed, TableFile};

/// Refused values that are put into words, of each block.
const REFUSED: usize = 20;

/// The outputs of a job.
pub(crate) struct Sinks<'j> {
    job: &'j Job,
    /// What no output may replace.
    reads: Reads,
    open: Vec<Sink<'j>>,
    /// What stands for standard output, until an output has taken it.
    stdout: Option<&'j mut dyn Write>,
    /// Final names that were written.
    done: BTreeSet<PathBuf>,
    /// A file that is not ours has the name of histograms: said when all else is written.
    taken: Option<FormatError>,
    pub(crate) written: Vec<Written>,
    /// Threads that compress and encode.
    pool: Option<Pool>,
}

struct Sink<'j> {
    output: &'j OutputFile,
    /// Name with the run number in place; empty before the first run.
    path: PathBuf,
    /// The one true name of that file.
    place: PathBuf,
    /// Where the histograms go that belong to it.
    companions: Vec<Companion>,
    body: Option<Body<'j>>,
}

/// A file of histograms beside an output.
struct Companion {
    path: PathBuf,
    place: PathBuf,
    kind: FileKind,
}

enum Body<'j> {
    Bytes(Box<ByteFile<'j>>),
    Tables {
        kind: TableKind,
        /// By name and event id.
        tables: BTreeMap<(String, Option<u16>), TableFile>,
        /// They are written as parts.
        claim: Option<Claim>,
    },
    Pipe(Box<Pipe<'j>>),
    /// Begun, so that it is known early that it can be.
    Histograms(WholeFile),
}

/// What an output was made of, as JSON of one line.
pub(crate) struct Origin {
    /// Inputs, parameters and versions.
    pub(crate) provenance: String,
    /// The account of each run.
    pub(crate) ledger: String,
}

impl Origin {
    /// As a table holds it.
    fn metadata(&self) -> Vec<(String, String)> {
        let pairs = [("pactolus.provenance", &self.provenance), ("pactolus.ledger", &self.ledger)];
        pairs.map(|(key, value)| (key.to_owned(), value.clone())).into()
    }
}

impl<'j> Sinks<'j> {
    pub(crate) fn new(job: &'j Job, stdout: &'j mut dyn Write, pool: Option<Pool>) -> Sinks<'j> {
        let sink = |output| {
            let (path, place) = (PathBuf::new(), PathBuf::new());
            Sink { output, path, place, companions: Vec::new(), body: None }
        };
        Sinks {
            job,
            reads: job.reads(),
            open: job.outputs.iter().map(sink).collect(),
            stdout: Some(stdout),
            done: BTreeSet::new(),
            taken: None,
            written: Vec::new(),
            pool,
        }
    }

    /// What the outputs want from the workers.
    pub(crate) fn wanted(job: &Job) -> Wanted {
        let mut wanted = Wanted::default();
        for output in &job.outputs {
            match output.kind {
                OutputKind::Mid => wanted.mid = true,
                OutputKind::Asc => wanted.asc = true,
                OutputKind::Table(_) => wanted.tables = true,
                OutputKind::Histograms => {}
            }
        }
        wanted
    }

    /// Opens the files of a run. `tables`: the tables known before the first event. The answer: what is to
    /// be said of those of an earlier analysis of that run.
    pub(crate) fn begin(
        &mut self,
        run: u32,
        tables: &[(TableKey, Arc<TableDef>)],
    ) -> Result<Vec<String>, Error> {
        let may_be = |name: &str| may_be(name, tables);
        let mut rotated = Vec::new();
        let mut warnings = Vec::new();
        let later = !self.done.is_empty();
        let failed = |error| uncreated(error, later);
        for i in 0..self.open.len() {
            if self.open[i].body.is_some() {
                continue;
            }
            let output = self.open[i].output;
            let path = PathBuf::from(expand(&output.pattern, run));
            if !output.is_stdout() {
                if later {
                    // The directory was there when the job began.
                    let found = std::fs::metadata(directory_of(&path));
                    found.map_err(|e| failed(FormatError::io("create", &path)(e)))?;
                }
                let place = self.reads.check_output(&path, run)?;
                self.job.check_raw(output, &place)?;
                let shown = path.display();
                if self.open.iter().any(|s| s.body.is_some() && s.place == place) {
                    return Err(Error::Job(format!("output {shown} is named twice")));
                }
                if self.done.contains(&place) && self.job.live.is_some() {
                    // A job of days does not end because somebody has named a file wrongly.
                    warnings.push(format!("run {run} comes twice: output {shown} of the first is replaced"));
                } else if self.done.contains(&place) {
                    let why = format!(
                        "output {shown} was written before: run {run} comes twice; use an output without %05d"
                    );
                    return Err(Error::Job(why));
                }
                let companions = self.companions(output, run)?;
                let others = || self.open.iter().filter(|s| s.body.is_some());
                if let Some(other) = others().find(|s| companions.iter().any(|c| c.place == s.place)) {
                    return Err(output.clash(other.output));
                }
                if let Some(other) = others().find(|s| s.companions.iter().any(|c| c.place == place)) {
                    return Err(other.output.clash(output));
                }
                if matches!(output.kind, OutputKind::Table(_)) {
                    if self.job.rotate.is_some() {
                        self.check_earlier(&path, run, &Earlier::look(&path, may_be)?)?;
                        rotated.push(path.clone());
                    } else if let Ok(found) = Earlier::look(&path, |_| false) {
                        warnings.extend(found.beside(&path, run));
                    }
                }
                self.open[i].place = place;
                self.open[i].companions = companions;
            }
            let sink = &mut self.open[i];
            sink.body = Some(match output.kind {
                OutputKind::Table(_) if output.is_stdout() => {
                    Body::Pipe(Box::new(Pipe::new(output, self.job.flat, self.stdout.take())))
                }
                OutputKind::Table(kind) => {
                    let claim = self.job.rotate.map(|_| Claim::new(&path)).transpose().map_err(failed)?;
                    Body::Tables { kind, tables: BTreeMap::new(), claim }
                }
                OutputKind::Histograms => Body::Histograms(WholeFile::create(&path).map_err(failed)?),
                _ => {
                    let file = ByteFile::create(output, &path, &mut self.stdout, self.pool.as_ref())
                        .map_err(failed)?;
                    Body::Bytes(Box::new(file))
                }
            });
            sink.path = path;
            match &mut sink.body {
                Some(Body::Pipe(pipe)) => pipe.begin(tables)?,
                _ => {
                    for (key, def) in tables {
                        sink.table(*key, def, self.job, self.pool.as_ref()).map_err(failed)?;
                    }
                }
            }
        }
        // The run begins anew: they would be taken for its parts, or for a later analysis. Another job on
        // the same outputs may have closed some until now; it closes no more.
        let mut earlier = Earlier::default();
        for path in &rotated {
            let found = Earlier::look(path, may_be)?;
            self.check_earlier(path, run, &found)?;
            earlier.add(found);
        }
        check_claims(self.open.iter().filter_map(|sink| sink.body.as_ref()))?;
        earlier.remove()?;
        warnings.extend(earlier.warnings(run));
        Ok(warnings)
    }

    /// Refuses to remove what the job reads; and to begin where a file looks like a part, unless somebody
    /// follows runs: he may be away for days.
    fn check_earlier(&self, path: &Path, run: u32, found: &Earlier) -> Result<(), Error> {
        for file in found.files() {
            self.reads.check_output(file, run)?;
        }
        match found.strange.first().filter(|_| self.job.live.is_none()) {
            Some(strange) => Err(Error::Job(format!(
                "output {}: {} has the name of a part, and is no part of pactolus: move it away",
                path.display(),
                strange.display()
            ))),
            None => Ok(()),
        }
    }

    /// Where the histograms of a run go that belong to an output.
    fn companions(&self, output: &OutputFile, run: u32) -> Result<Vec<Companion>, Error> {
        let companion = |(name, kind): (String, FileKind)| {
            let path = PathBuf::from(expand(&name, run));
            let place = self.reads.check_output(&path, run)?;
            Ok(Companion { path, place, kind })
        };
        output.companions().into_iter().map(companion).collect()
    }

    /// Writes binary events.
    pub(crate) fn mid(&mut self, slices: &[IoSlice<'_>]) -> Result<(), Error> {
        self.bytes(OutputKind::Mid, slices)
    }

    /// Writes text events.
    pub(crate) fn asc(&mut self, slices: &[IoSlice<'_>]) -> Result<(), Error> {
        self.bytes(OutputKind::Asc, slices)
    }

    fn bytes(&mut self, kind: OutputKind, slices: &[IoSlice<'_>]) -> Result<(), Error> {
        for sink in self.open.iter_mut().filter(|s| s.output.kind == kind) {
            if let Some(Body::Bytes(file)) = &mut sink.body {
                file.write(slices).map_err(Error::Output)?;
            }
        }
        Ok(())
    }

    /// Writes rows of a table. The answer: how many rows hold a value that the table could not
    /// take, and the first of them.
    pub(crate) fn rows(
        &mut self,
        key: TableKey,
        def: &Arc<TableDef>,
        batch: Batch,
    ) -> Result<(u64, Vec<String>), Error> {
        // Files refuse the same values, a stream perhaps more: a value counts once.
        let mut rows = BTreeSet::new();
        let mut first: Vec<String> = Vec::new();
        for sink in &mut self.open {
            let refused = match &mut sink.body {
                Some(Body::Pipe(pipe)) => pipe.rows(key, def, &batch)?,
                // A table that is first met now comes after the job has begun.
                _ => match sink.table(key, def, self.job, self.pool.as_ref()).map_err(Error::Output)? {
                    Some(table) => table.writer.write(batch.clone()).map_err(Error::Output)?,
                    None => continue,
                },
            };
            rows.extend(refused.iter().map(|r| r.row));
            for text in refused.iter().take(REFUSED).map(ToString::to_string) {
                if !first.contains(&text) {
                    first.push(text);
                }
            }
        }
        Ok((rows.len() as u64, first))
    }

    /// A run ends: files of that run get their final names, with `histograms` of that run. At the end
    /// of the job, all do, with those of all runs. Either all of them are on the disk before the first
    /// has its name, and no other job has begun one of them, or none gets it. Where there are no
    /// histograms, none of an earlier job remain.
    pub(crate) fn finish(
        &mut self,
        origin: &Origin,
        histograms: &Histograms,
        job_ends: bool,
    ) -> Result<(), Error> {
        let provenance = &origin.provenance;
        let mut whole = Vec::new();
        let mut companions: Vec<Companion> = Vec::new();
        let mut claims = Vec::new();
        for sink in &mut self.open {
            if !job_ends && !has_run(&sink.output.pattern) {
                continue;
            }
            let Some(body) = sink.body.take() else { continue };
            match body {
                Body::Bytes(file) => {
                    if let Target::File(file) = file.settle().map_err(Error::Output)? {
                        // A record that is begun takes the place of that of another job.
                        file.check_own().map_err(Error::Output)?;
                        let record = provenance_file(&sink.path, provenance).map_err(Error::Output)?;
                        whole.push(Whole::Bytes { path: sink.path.clone(), file, record });
                    }
                }
                Body::Pipe(pipe) => pipe.finish().map_err(Error::Output)?,
                Body::Histograms(file) => {
                    let file = histograms.settle_into(file, &sink.path, provenance);
                    whole.push(Whole::Histograms(file.map_err(Error::Output)?));
                }
                Body::Tables { tables, claim, .. } => {
                    claims.extend(claim);
                    let metadata = origin.metadata();
                    for table in tables.into_values() {
                        let (table, parts) = table.settle(&metadata).map_err(Error::Output)?;
                        whole.push(Whole::Table(table, parts));
                    }
                }
            }
            self.done.insert(std::mem::take(&mut sink.place));
            for companion in std::mem::take(&mut sink.companions) {
                // Outputs that differ in their extension share one.
                if companions.iter().all(|c| c.place != companion.place) {
                    companions.push(companion);
                }
            }
        }
        // The same goes for files of histograms.
        check_own(&whole)?;
        claims.iter().try_for_each(Claim::check_own).map_err(Error::Output)?;
        let mut stale = Vec::new();
        for Companion { path, place, kind } in companions {
            if histograms.is_empty() {
                stale.extend(is_ours(&place).then_some(path));
                continue;
            }
            if place.exists() && !is_ours(&place) {
                self.taken.get_or_insert_with(|| taken(&path));
                continue;
            }
            let file = histograms.settle(&path, kind, provenance);
            whole.push(Whole::Histograms(file.map_err(Error::Output)?));
            self.done.insert(place);
        }
        check_own(&whole)?;
        claims.iter().try_for_each(Claim::check_own).map_err(Error::Output)?;
        for file in whole {
            self.written.push(file.finish().map_err(Error::Output)?);
        }
        for path in stale {
            std::fs::remove_file(&path).map_err(FormatError::io("remove", &path)).map_err(Error::Output)?;
        }
        match self.taken.take_if(|_| job_ends) {
            Some(error) => Err(Error::Output(error)),
            None => Ok(()),
        }
    }
}

/// A file that is not ours has the name of histograms.
fn taken(path: &Path) -> FormatError {
    let why = "it holds no histograms of pactolus. All other outputs are written: move it away, or give the output another name, and analyze again";
    FormatError::io("replace", path)(io::Error::new(io::ErrorKind::AlreadyExists, why))
}

/// An output on the disk, without its name.
enum Whole {
    Bytes {
        path: PathBuf,
        file: WholeFile,
        record: WholeFile,
    },
    /// Perhaps the last of its parts.
    Table(SettledTable, Option<Closed>),
    Histograms(Settled),
}

/// Asks of all files whether another job has begun the same since.
fn check_own(whole: &[Whole]) -> Result<(), Error> {
    whole.iter().try_for_each(Whole::check_own).map_err(Error::Output)
}

/// Asks whether another job has begun to write the same parts since.
fn check_claims<'a, 'j: 'a>(bodies: impl Iterator<Item = &'a Body<'j>>) -> Result<(), Error> {
    let mut claims = bodies.filter_map(|body| match body {
        Body::Tables { claim, .. } => claim.as_ref(),
        _ => None,
    });
    claims.try_for_each(Claim::check_own).map_err(Error::Output)
}

impl Whole {
    fn check_own(&self) -> Result<(), FormatError> {
        match self {
            Whole::Bytes { file, record, .. } => file.check_own().and_then(|()| record.check_own()),
            Whole::Table(table, _) | Whole::Histograms(Settled::Table(table)) => table.check_own(),
            Whole::Histograms(Settled::Json(_, file)) => file.check_own(),
        }
    }

    fn finish(self) -> Result<Written, FormatError> {
        match self {
            Whole::Bytes { path, file, record } => {
                // First: an output without its record would not be taken for one of ours.
                record.finish()?;
                let bytes = file.finish()?;
                Ok(Written { path, rows: None, bytes })
            }
            Whole::Table(table, parts) => {
                let written = table.finish()?.into();
                Ok(match parts {
                    Some(parts) => parts.written(written),
                    None => written,
                })
            }
            Whole::Histograms(file) => file.finish(),
        }
    }
}

impl Sink<'_> {
    /// The table of `key`, made if it is new; `None` if this is no table output.
    fn table(
        &mut self,
        key: TableKey,
        def: &Arc<TableDef>,
        job: &Job,
        pool: Option<&Pool>,
    ) -> Result<Option<&mut TableFile>, FormatError> {
        let Some(Body::Tables { kind, tables, .. }) = &mut self.body else { return Ok(None) };
        // Runs that are appended may have other requests, by number: what counts is the name.
        let key = (def.name.clone(), key.1);
        #[allow(clippy::map_entry, reason = "the name of a new table depends on those of the others")]
        if !tables.contains_key(&key) {
            // An equipment may be named as the table of an event id without a name.
            let mut name = def.name.clone();
            // ... or as the table of histograms.
            while name.eq_ignore_ascii_case("histos")
                || tables.values().any(|taken| taken.name.eq_ignore_ascii_case(&name))
            {
                name.push('_');
            }
            let mut table = TableFile::create(&self.path, name, *kind, def, job.rotate.is_some())?;
            if let Some(pool) = pool {
                table.writer = table.writer.with_pool(pool.clone());
            }
            if job.flat {
                table.writer = table.writer.flat();
            }
            tables.insert(key.clone(), table);
        }
        Ok(tables.get_mut(&key))
    }
}

/// `run00042.parquet` and table `Trigger`: `run00042.Trigger.parquet`.
fn table_path(path: &Path, table: &str) -> PathBuf {
    let table: String = table.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let extension = path.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{stem}.{table}.{extension}"))
}

/// From which inputs, parameters and versions a file was made, `OUT.provenance.json`: written, but
/// without its name.
fn provenance_file(output: &Path, provenance: &str) -> Result<WholeFile, FormatError> {
    let path = provenance_path(output);
    let mut file = WholeFile::create(&path)?;
    let written = indented(provenance, &mut file).and_then(|()| file.write_all(b"\n"));
    written.map_err(FormatError::io("write", &path))?;
    file.settle()?;
    Ok(file)
}

/// An output that cannot be created: a job that cannot begin, unless the disk is full or earlier
/// runs are written already.
fn uncreated(error: FormatError, later: bool) -> Error {
    let full = match &error {
        FormatError::Io { source, .. } => {
            matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        }
        _ => false,
    };
    if full || later { Error::Output(error) } else { Error::Format(error) }
}
