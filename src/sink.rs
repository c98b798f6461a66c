//! Outputs: files that appear whole, or not at all.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_formats::Error as FormatError;
use pactolus_formats::compress::Output;
use pactolus_formats::tuple::{Batch, TableDef, TableKind, TableWriter};

use crate::Error;
use crate::epoch::Wanted;
use crate::job::{Job, OutputFile, OutputKind, expand, has_run};
use crate::partial::TableKey;
use crate::report::Written;

/// Bytes handed to a compressor at a time, so that the file does not depend on where blocks end.
const PIECE: usize = 1 << 18;

/// The outputs of a job.
pub(crate) struct Sinks<'j> {
    job: &'j Job,
    open: Vec<Sink<'j>>,
    /// Final names that were written.
    done: Vec<PathBuf>,
    pub(crate) written: Vec<Written>,
}

struct Sink<'j> {
    output: &'j OutputFile,
    /// Name with the run number in place; empty before the first run.
    path: PathBuf,
    /// The one true name of that file.
    place: PathBuf,
    body: Option<Body>,
}

enum Body {
    Bytes(Box<ByteFile>),
    Tables(TableKind, BTreeMap<TableKey, TableWriter>),
}

impl<'j> Sinks<'j> {
    pub(crate) fn new(job: &'j Job) -> Sinks<'j> {
        let sink = |output| Sink { output, path: PathBuf::new(), place: PathBuf::new(), body: None };
        Sinks { job, open: job.outputs.iter().map(sink).collect(), done: Vec::new(), written: Vec::new() }
    }

    /// What the outputs want from the workers.
    pub(crate) fn wanted(job: &Job) -> Wanted {
        let mut wanted = Wanted::default();
        for output in &job.outputs {
            match output.kind {
                OutputKind::Mid => wanted.mid = true,
                OutputKind::Asc => wanted.asc = true,
                OutputKind::Table(_) => wanted.tables = true,
            }
        }
        wanted
    }

    /// Opens the files of a run. `tables`: the tables known before the first event.
    pub(crate) fn begin(&mut self, run: u32, tables: &[(TableKey, Arc<TableDef>)]) -> Result<(), Error> {
        for i in 0..self.open.len() {
            if self.open[i].body.is_some() {
                continue;
            }
            let output = self.open[i].output;
            let path = PathBuf::from(expand(&output.pattern, run));
            if !output.is_stdout() {
                let place = self.job.check_output(&path, run)?;
                let shown = path.display();
                if self.open.iter().any(|s| s.body.is_some() && s.place == place) {
                    return Err(Error::Job(format!("output {shown} is named twice")));
                }
                if self.done.contains(&place) {
                    let why = format!("output {shown} was written before: two inputs are run {run}");
                    return Err(Error::Job(why));
                }
                self.open[i].place = place;
            }
            let sink = &mut self.open[i];
            sink.body = Some(match output.kind {
                OutputKind::Table(kind) => Body::Tables(kind, BTreeMap::new()),
                _ => Body::Bytes(Box::new(ByteFile::create(output, &path)?)),
            });
            sink.path = path;
            for (key, def) in tables {
                sink.table(*key, def)?;
            }
        }
        Ok(())
    }

    /// Writes binary events.
    pub(crate) fn mid(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes(OutputKind::Mid, bytes)
    }

    /// Writes text events.
    pub(crate) fn asc(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes(OutputKind::Asc, bytes)
    }

    fn bytes(&mut self, kind: OutputKind, bytes: &[u8]) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        for sink in self.open.iter_mut().filter(|s| s.output.kind == kind) {
            if let Some(Body::Bytes(file)) = &mut sink.body {
                file.write(bytes).map_err(Error::Output)?;
            }
        }
        Ok(())
    }

    /// Writes rows of a table. The answer: rows in which a value could not be taken, because its
    /// bank had another type before.
    pub(crate) fn rows(&mut self, key: TableKey, def: &Arc<TableDef>, batch: Batch) -> Result<u64, Error> {
        let mut refused = 0;
        for sink in &mut self.open {
            // A table that is first met now comes after the job has begun.
            if let Some(table) = sink.table(key, def).map_err(Error::Output)? {
                let rows = table.write(batch.clone()).map_err(Error::Output)?;
                let rows: BTreeSet<usize> = rows.iter().map(|r| r.row).collect();
                // Every table output refuses the same rows.
                refused = rows.len() as u64;
            }
        }
        Ok(refused)
    }

    /// A run ends: files of that run get their final names. At the end of the job, all do.
    pub(crate) fn finish(&mut self, provenance: &serde_json::Value, job_ends: bool) -> Result<(), Error> {
        for sink in &mut self.open {
            if !job_ends && !has_run(&sink.output.pattern) {
                continue;
            }
            let Some(body) = sink.body.take() else { continue };
            match body {
                Body::Bytes(file) => {
                    let bytes = file.finish().map_err(Error::Output)?;
                    if !sink.output.is_stdout() {
                        write_provenance(&sink.path, provenance).map_err(Error::Output)?;
                        self.written.push(Written { path: sink.path.clone(), rows: None, bytes });
                    }
                }
                Body::Tables(_, tables) => {
                    let text = serde_json::to_string(provenance).unwrap_or_default();
                    let metadata = [("pactolus.provenance".to_owned(), text)];
                    for table in tables.into_values() {
                        let summary = table.finish(&metadata).map_err(Error::Output)?;
                        let rows = Some(summary.rows);
                        self.written.push(Written { path: summary.path, rows, bytes: summary.bytes });
                    }
                }
            }
            self.done.push(std::mem::take(&mut sink.place));
        }
        Ok(())
    }
}

impl Sink<'_> {
    /// The table of `key`, made if it is new; `None` if this is no table output.
    fn table(&mut self, key: TableKey, def: &Arc<TableDef>) -> Result<Option<&mut TableWriter>, FormatError> {
        let Some(Body::Tables(kind, tables)) = &mut self.body else { return Ok(None) };
        Ok(Some(match tables.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                new.insert(TableWriter::create(&table_path(&self.path, &def.name), *kind, def)?)
            }
        }))
    }
}

/// `run00042.parquet` and table `Trigger`: `run00042.Trigger.parquet`.
fn table_path(path: &Path, table: &str) -> PathBuf {
    let table: String = table.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let extension = path.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{stem}.{table}.{extension}"))
}

/// From which inputs, parameters and versions a file was made: `OUT.provenance.json`.
fn write_provenance(output: &Path, provenance: &serde_json::Value) -> Result<(), FormatError> {
    let mut name = output.as_os_str().to_owned();
    name.push(".provenance.json");
    let path = PathBuf::from(name);
    let mut text = serde_json::to_string_pretty(provenance).unwrap_or_default();
    text.push('\n');
    let beside = beside(&path);
    std::fs::write(&beside, text).map_err(FormatError::io("write", &beside))?;
    std::fs::rename(&beside, &path).map_err(FormatError::io("rename", &path))
}

/// The name of a file while it is being written: hidden, in the same directory.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.part"))
}

/// A file of bytes: written beside its final name, renamed when complete.
struct ByteFile {
    path: PathBuf,
    beside: Option<PathBuf>,
    output: Option<Output<Counted>>,
    piece: Vec<u8>,
}

/// Counts what reaches the file.
struct Counted {
    inner: BufWriter<Box<dyn Write + Send>>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buf)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl ByteFile {
    fn create(output: &OutputFile, path: &Path) -> Result<ByteFile, FormatError> {
        let (beside, inner): (_, Box<dyn Write + Send>) = if output.is_stdout() {
            (None, Box::new(io::stdout()))
        } else {
            let beside = beside(path);
            let file = File::create(&beside).map_err(FormatError::io("create", path))?;
            (Some(beside), Box::new(file))
        };
        let inner = Counted { inner: BufWriter::with_capacity(PIECE, inner), bytes: 0 };
        let encoder =
            Output::new(output.compression, None, inner).map_err(FormatError::io("create", path))?;
        Ok(ByteFile {
            path: path.to_owned(),
            beside,
            output: Some(encoder),
            piece: Vec::with_capacity(PIECE),
        })
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), FormatError> {
        let Some(output) = &mut self.output else { return Ok(()) };
        let written = (|| {
            if output.compression() == pactolus_formats::Compression::None {
                return output.write_all(bytes);
            }
            while !bytes.is_empty() {
                let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
                self.piece.extend_from_slice(now);
                bytes = later;
                if self.piece.len() == PIECE {
                    output.write_all(&self.piece)?;
                    self.piece.clear();
                }
            }
            Ok(())
        })();
        written.map_err(FormatError::io("write", &self.path))
    }

    /// Completes the file and gives it its name; its size in bytes.
    fn finish(mut self) -> Result<u64, FormatError> {
        let Some(mut output) = self.output.take() else { return Ok(0) };
        let bytes = (|| {
            output.write_all(&self.piece)?;
            let mut counted = output.finish()?;
            counted.flush()?;
            Ok(counted.bytes)
        })()
        .map_err(FormatError::io("write", &self.path))?;
        if let Some(beside) = &self.beside {
            std::fs::rename(beside, &self.path).map_err(FormatError::io("rename", &self.path))?;
            self.beside = None;
        }
        Ok(bytes)
    }
}

impl Drop for ByteFile {
    /// A file that was not completed leaves nothing behind.
    fn drop(&mut self) {
        if let Some(beside) = self.beside.take() {
            let _ = std::fs::remove_file(beside);
        }
    }
}
