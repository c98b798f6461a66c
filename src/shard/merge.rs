//! The parts of a job become the whole of it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use pactolus_formats::wire::{Bytes, Malformed, Wire};
use serde_json::Value;

use crate::analyzer::Analyzer;
use crate::block::Worker;
use crate::epoch::Epoch;
use crate::fold::{Fold, Progress};
use crate::histo::Histogram;
use crate::job::{InputFile, Job, Stop};
use crate::layers::Base;
use crate::partial::Partial;
use crate::report::Report;
use crate::shard::Parts;
use crate::shard::file::{PartFile, Tag, Title};
use crate::shard::head::{differs, settings, take_files};
use crate::shard::part::{Names, names};
use crate::sink::Sinks;
use crate::source::Item;
use crate::{Error, Run};

/// Passes what the parts hold through the fold.
pub(crate) fn merge(
    analyzer: &Analyzer,
    mut parts: Parts,
    job: &Job,
    progress: &mut dyn FnMut(&Progress),
    stdout: &mut dyn Write,
) -> Result<Report, Error> {
    agree(analyzer, &parts, job)?;
    let base = Base::from(analyzer, job, Some(std::mem::take(&mut parts.head.files)))?;
    let mut fold =
        Fold::new(analyzer, job, progress, (stdout, job.pool(analyzer.chains.len())?), Stop::new());
    let mut merge = Merge { analyzer, job, base, parts: parts.files, place: 0, blocks: 0, live: None };
    if merge.run(&mut fold)? { fold.finish() } else { Ok(fold.give_up()) }
}

/// Refuses a merge of what the shards have not made.
fn agree(analyzer: &Analyzer, parts: &Parts, job: &Job) -> Result<(), Error> {
    let (mut own, mut theirs) = (settings(analyzer, job), parts.head.settings.clone());
    own.remove("outputs");
    theirs.remove("outputs");
    let first = &parts.files[0];
    if let Some(what) = differs(&own, &theirs) {
        return Err(first.error(format!("is of another analyzer or job than this: they differ in {what}")));
    }
    let (wanted, made) = (Sinks::wanted(job), Sinks::wanted(&parts.job()?));
    let lacks = [
        (wanted.mid && !made.mid, "binary events"),
        (wanted.asc && !made.asc, "text events"),
        (wanted.tables && !made.tables, "tables"),
    ];
    match lacks.iter().find(|(lacks, _)| *lacks) {
        Some((_, what)) => Err(first.error(format!(
            "has no {what} for the outputs of the merge: run the shards with such an output"
        ))),
        None => Ok(()),
    }
}

/// Parts being read side by side.
struct Merge<'j> {
    analyzer: &'j Analyzer,
    job: &'j Job,
    base: Base,
    parts: Vec<PartFile>,
    /// Place of the item in hand.
    place: u64,
    /// Blocks so far: they say whose the next one is.
    blocks: u64,
    live: Option<Live>,
}

/// The run in hand.
struct Live {
    epoch: Arc<Epoch>,
    input: PathBuf,
}

impl Merge<'_> {
    /// Reads all parts to their ends; `false` if the user has stopped it.
    fn run(&mut self, fold: &mut Fold<'_>) -> Result<bool, Error> {
        let (mut body, mut other) = (Vec::new(), Vec::new());
        let mut worker = Worker::new();
        while !self.job.stop.is_asked() {
            self.place += 1;
            let (owner, title) = self.next()?;
            self.parts[owner].body(&mut body)?;
            match title.tag {
                Tag::Block => self.blocks += 1,
                Tag::Histogram => {
                    self.histogram((owner, title), &body)?;
                    for i in (0..self.parts.len()).filter(|i| *i != owner) {
                        self.parts[i].body(&mut body)?;
                        self.histogram((i, title), &body)?;
                    }
                    continue;
                }
                _ => self.compare(title, &body, &mut other)?,
            }
            let (done, total) = self.parts.iter().map(PartFile::progress).fold((0, 0), add);
            fold.item(Item::Read { done, total: Some(total) })?;
            let mut from = Bytes::new(&body);
            let malformed = |error| self.parts[owner].malformed(title, error);
            let item = match title.tag {
                Tag::Close => return Ok(true),
                Tag::Head | Tag::Histogram => return Err(malformed(from.wrong("no second head"))),
                Tag::Block => {
                    let (bytes, partial) = self.block(&mut from).map_err(malformed)?;
                    worker.partial = partial;
                    fold.work(bytes, &mut worker)?;
                    continue;
                }
                Tag::Begin => self.begin(&mut from, owner, title)?,
                Tag::Damage => {
                    let (input, damage) = from.value().map_err(malformed)?;
                    Item::Damage(self.input(&from, input).map_err(malformed)?, damage)
                }
                Tag::Refused => {
                    let (input, refused) = from.value().map_err(malformed)?;
                    Item::Refused(self.input(&from, input).map_err(malformed)?, refused)
                }
                Tag::Empty => {
                    let input = from.value().map_err(malformed)?;
                    Item::Empty(self.input(&from, input).map_err(malformed)?)
                }
                Tag::End => {
                    let files = ended(&mut from).map_err(malformed)?;
                    self.live = None;
                    Item::End(files)
                }
            };
            fold.item(item)?;
        }
        Ok(false)
    }

    /// Adds what a shard's own blocks of the run have filled of one histogram to that of the run.
    fn histogram(&self, (part, title): (usize, Title), body: &[u8]) -> Result<(), Error> {
        let part = &self.parts[part];
        let mut from = Bytes::new(body);
        let malformed = |error| part.malformed(title, error);
        let index: usize = from.value().map_err(malformed)?;
        let bytes = from.bytes().map_err(malformed)?;
        from.end().map_err(malformed)?;
        let store = self.live.as_ref().map(|live| &live.epoch.histograms);
        let booked = store.and_then(|store| Some((store, store.shapes().get(index)?)));
        let (store, booked) = booked.ok_or_else(|| part.malformed(title, format!("nobody books {index}")))?;
        if bytes.is_empty() {
            return Ok(());
        }
        let histogram = Histogram::from_bytes(bytes).map_err(malformed)?;
        if histogram.name() != booked.name {
            return Err(part.malformed(title, format!("{} wanted, {} found", booked.name, histogram.name())));
        }
        let joined = store.histogram(index).join(&histogram);
        joined.map_err(|error| part.malformed(title, format!("other bins of {}", error.name)))
    }

    /// Which part has the item in hand, and what it is. A block stands in the part of its owner, all
    /// else in every part.
    fn next(&self) -> Result<(usize, Title), Error> {
        let owner = (self.blocks % self.parts.len() as u64) as usize;
        let title = self.parts[owner].next;
        let is_here = |part: &PartFile| part.next.place == self.place;
        let is_block = is_here(&self.parts[owner]) && title.tag == Tag::Block;
        let agrees = |(i, part): (usize, &PartFile)| match is_block {
            true => i == owner || !is_here(part),
            false => is_here(part) && part.next.tag == title.tag,
        };
        match self.parts.iter().enumerate().find(|part| !agrees(*part)) {
            None => Ok((owner, title)),
            Some((odd, _)) => Err(self.changed(odd, owner, None)),
        }
    }

    /// All parts say the same of the item in hand.
    fn compare(&mut self, title: Title, body: &[u8], other: &mut Vec<u8>) -> Result<(), Error> {
        let owner = (self.blocks % self.parts.len() as u64) as usize;
        for i in (0..self.parts.len()).filter(|i| *i != owner) {
            self.parts[i].body(other)?;
            if title.tag == Tag::Close {
                // Each has another number of records.
                continue;
            }
            if *other != body {
                let files = |body| ended(&mut Bytes::new(body)).unwrap_or_default();
                let (ours, theirs) = match title.tag {
                    Tag::End => (files(body), files(other)),
                    _ => (Vec::new(), Vec::new()),
                };
                let changed = ours.iter().zip(&theirs).find(|(a, b)| a != b);
                let name = changed.and_then(|(file, _)| file["file"].as_str().map(str::to_owned));
                return Err(self.changed(i, owner, name));
            }
        }
        Ok(())
    }

    /// Two shards have not read the same.
    fn changed(&self, odd: usize, owner: usize, input: Option<String>) -> Error {
        let running = || Some(self.live.as_ref()?.input.display().to_string());
        let only = || match &self.job.inputs[..] {
            [only] => Some(only.path.display().to_string()),
            _ => None,
        };
        let input = input.or_else(running).or_else(only).unwrap_or_else(|| "an input".into());
        // One shard alone cannot disagree but with itself.
        let owner = if odd == owner { (owner + 1) % self.parts.len() } else { owner };
        let (part, other) = (&self.parts[odd], &self.parts[owner]);
        part.error(format!(
            "{input} was another file when {} was made: run both shards again",
            other.path.display()
        ))
    }

    fn input(&self, from: &Bytes<'_>, number: usize) -> Result<InputFile, Malformed> {
        self.job.inputs.get(number).cloned().ok_or_else(|| from.wrong("the number of an input before this"))
    }

    /// Begins a run as the shards have begun it.
    fn begin(&mut self, from: &mut Bytes<'_>, owner: usize, title: Title) -> Result<Item, Error> {
        let malformed = |error| self.parts[owner].malformed(title, error);
        let (input, (number, start)): (usize, (u32, Option<u32>)) = from.value().map_err(malformed)?;
        let has_dump: bool = from.value().map_err(malformed)?;
        let dump = from.bytes().map_err(malformed)?;
        let files = take_files(from).map_err(malformed)?;
        let known: Names = from.value().map_err(malformed)?;
        from.end().map_err(malformed)?;
        let input = self.input(from, input).map_err(malformed)?;
        let run = Run { number, start, online: false };
        let begun =
            self.analyzer.begin(self.job, &self.base.with(files), (run, true), has_dump.then_some(dump))?;
        if names(&begun.epoch) != known {
            return Err(self.parts[owner].error(format!(
                "made with other modules than those of this program: run {number} has other requests, stages, tests or histograms"
            )));
        }
        self.live = Some(Live { epoch: Arc::clone(&begun.epoch), input: input.path.clone() });
        Ok(Item::Begin(Box::new(begun), Box::new(input)))
    }

    /// What a block contributes, with the number of its bytes.
    fn block(&self, from: &mut Bytes<'_>) -> Result<(u64, Partial), Malformed> {
        let bytes = from.value()?;
        let partial = Partial::take(from)?;
        from.end()?;
        match &self.live {
            Some(live) if partial.fits(&live.epoch) => Ok((bytes, partial)),
            _ => Err(from.wrong("a block of this run")),
        }
    }
}

/// The files that a run was read from.
fn ended(from: &mut Bytes<'_>) -> Result<Vec<Value>, Malformed> {
    let (files, _): (String, (u64, u32)) = from.value()?;
    from.end()?;
    match serde_json::from_str(&files) {
        Ok(Value::Array(files)) => Ok(files),
        _ => Err(from.wrong("a list of files before this")),
    }
}

fn add(sum: (u64, u64), part: (u64, u64)) -> (u64, u64) {
    (sum.0 + part.0, sum.1 + part.1)
}
