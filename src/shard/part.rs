//! Writes a part: in the place of the fold, for one shard.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crc32c::{crc32c, crc32c_append};
use pactolus_formats::wire::{Wire, put_bytes};

use crate::analyzer::Analyzer;
use crate::begun::Begun;
use crate::epoch::Epoch;
use crate::fold::Progress;
use crate::histo::Store;
use crate::job::{InputFile, Job};
use crate::layers::Base;
use crate::report::{WithoutText, Written};
use crate::shard::file::{Records, Tag};
use crate::shard::head::{Head, put_files};
use crate::shard::{Shard, ShardReport, place};
use crate::source::{Item, Ticket};
use crate::{Error, Run};

/// A part in the making.
pub(crate) struct Part<'j> {
    job: &'j Job,
    path: PathBuf,
    records: Records,
    head: Head,
    /// Place of the item in hand, counted as in all other shards.
    place: u64,
    body: Vec<u8>,
    live: Option<Live>,
    progress: &'j mut dyn FnMut(&Progress),
    read: (u64, Option<u64>),
    report: ShardReport,
    started: Instant,
}

/// The run in hand.
struct Live {
    run: Run,
    input: PathBuf,
    /// Blocks, and what they sum up to: inputs that change from shard to shard are found out by it.
    blocks: u64,
    sum: u32,
    read: u64,
    kept: u64,
    /// What our own blocks have filled.
    histograms: Arc<Store>,
}

impl<'j> Part<'j> {
    pub(crate) fn create(
        analyzer: &Analyzer,
        job: &'j Job,
        base: &Base,
        (shard, path): (Shard, &Path),
        progress: &'j mut dyn FnMut(&Progress),
    ) -> Result<Part<'j>, Error> {
        let head = Head::new(analyzer, job, shard, base.store.clone());
        place::check_head(&head, path)?;
        let mut part = Part {
            job,
            path: path.to_owned(),
            records: Records::create(path)?,
            head,
            place: 0,
            body: Vec::new(),
            live: None,
            progress,
            read: (0, None),
            report: ShardReport::new(shard),
            started: Instant::now(),
        };
        part.head.put(&mut part.body);
        part.records.write(Tag::Head, 0, &part.body)?;
        Ok(part)
    }

    /// Takes the next item of the source.
    pub(crate) fn item(&mut self, item: Item) -> Result<Option<Box<Ticket>>, Error> {
        self.body.clear();
        match item {
            Item::Read { done, total } => {
                // How far the reader was ahead is a matter of chance: this is no record.
                self.read = (done, total);
                return Ok(None);
            }
            // The job names its files.
            Item::File(_) => return Ok(None),
            Item::Elsewhere(block) => {
                self.place += 1;
                self.count(block.bytes, block.events, block.sum);
                self.tell(false);
                return Ok(None);
            }
            Item::Failed(error) => return Err(error),
            Item::Epoch(_) | Item::Warning(_) | Item::News(_) | Item::Gap { .. } | Item::Over(_) => {
                return Err(Error::Internal("a shard has followed what others change".into()));
            }
            _ => self.place += 1,
        }
        match item {
            Item::Block(ticket) => {
                // One that was cut is of a job that the user ends.
                self.block(&ticket)?;
                self.tell(false);
                return Ok(Some(ticket));
            }
            Item::Begin(begun, input) => self.begin(&begun, &input)?,
            // Told at the end of the run.
            Item::Damage(input, damage) => {
                (self.number(&input), damage.clone()).put(&mut self.body);
                self.report.damage.add(input.path, damage);
                self.write(Tag::Damage)?;
            }
            Item::Refused(input, refused) => {
                (self.number(&input), refused.clone()).put(&mut self.body);
                self.report.without_text.push(WithoutText::new(input.path, &refused));
                self.write(Tag::Refused)?;
            }
            Item::End(files) => self.end(files)?,
            Item::Empty(input) => {
                self.number(&input).put(&mut self.body);
                self.report.warnings.push(format!("{} holds no event", input.path.display()));
                self.write(Tag::Empty)?;
            }
            _ => {}
        }
        Ok(None)
    }

    fn write(&mut self, tag: Tag) -> Result<(), Error> {
        self.records.write(tag, self.place, &self.body)
    }

    /// The number of an input among those of the job.
    fn number(&self, input: &InputFile) -> usize {
        self.job.inputs.iter().position(|known| known == input).unwrap_or_default()
    }

    fn begin(&mut self, begun: &Begun, input: &InputFile) -> Result<(), Error> {
        let Begun { epoch, dump, files, warnings, .. } = begun;
        (self.number(input), (epoch.run.number, epoch.run.start)).put(&mut self.body);
        dump.is_some().put(&mut self.body);
        put_bytes(&mut self.body, dump.as_deref().unwrap_or_default());
        put_files(files, &mut self.body);
        names(epoch).put(&mut self.body);
        for warning in warnings {
            if !self.report.warnings.contains(warning) {
                self.report.warnings.push(warning.clone());
            }
        }
        self.report.runs += 1;
        let run = epoch.run.clone();
        let histograms = Arc::clone(&epoch.histograms);
        let input = input.path.clone();
        self.live = Some(Live { run, input, blocks: 0, sum: 0, read: 0, kept: 0, histograms });
        self.write(Tag::Begin)
    }

    fn block(&mut self, ticket: &Ticket) -> Result<(), Error> {
        let (block, partial) = (&ticket.block, &ticket.worker.partial);
        let bytes = block.bytes().len() as u64;
        bytes.put(&mut self.body);
        partial.put(&mut self.body);
        self.write(Tag::Block)?;
        let counts = &partial.counts;
        self.report.own_blocks += 1;
        self.report.own_events += block.count;
        self.report.failed += counts.requests().iter().map(|r| r.sum().failed).sum::<u64>();
        self.report.damaged += counts.damage.len() as u64;
        self.count(bytes, block.count, crc32c(block.bytes()));
        if let Some(live) = &mut self.live {
            live.kept += counts.requests().iter().map(|r| r.sum().kept).sum::<u64>();
            ticket.worker.fills.pour(&live.histograms);
        }
        Ok(())
    }

    /// A block was read, be it ours or not.
    fn count(&mut self, bytes: u64, events: u64, sum: u32) {
        self.report.blocks += 1;
        self.report.events += events;
        self.report.bytes += bytes;
        if let Some(live) = &mut self.live {
            live.blocks += 1;
            live.sum = crc32c_append(live.sum, &sum.to_le_bytes());
            live.read += events;
        }
    }

    /// The run ends; in front of that, what was filled in it.
    fn end(&mut self, files: Vec<serde_json::Value>) -> Result<(), Error> {
        self.tell(true);
        let Some(Live { blocks, sum, histograms, .. }) = self.live.take() else { return Ok(()) };
        // Each has a record of its own, in every part, so that none of them has to hold two at once.
        for (index, histogram) in histograms.take().list.iter().enumerate() {
            index.put(&mut self.body);
            let is_filled = histogram.entries() > 0;
            put_bytes(&mut self.body, &if is_filled { histogram.to_bytes() } else { Vec::new() });
            self.write(Tag::Histogram)?;
            self.place += 1;
            self.body.clear();
        }
        (serde_json::Value::Array(files).to_string(), (blocks, sum)).put(&mut self.body);
        self.write(Tag::End)
    }

    fn tell(&mut self, run_ends: bool) {
        let Some(live) = &self.live else { return };
        (self.progress)(&Progress {
            run: live.run.number,
            input: live.input.clone(),
            read: live.read,
            kept: live.kept,
            events: self.report.events,
            done: self.read.0,
            total: self.read.1,
            run_ends,
            ..Progress::default()
        });
    }

    /// Gives the part its name, unless the user has stopped the shard: half a part is none.
    pub(crate) fn finish(mut self) -> Result<ShardReport, Error> {
        self.report.stopped = self.job.stop.is_asked();
        if !self.report.stopped {
            // Somebody else may have made one of that name in the meantime.
            place::check(self.job, &self.path)?;
            place::check_head(&self.head, &self.path)?;
            let bytes = self.records.finish(self.place + 1)?;
            self.report.part = Some(Written { path: self.path, rows: None, bytes });
        }
        self.report.seconds = self.started.elapsed().as_secs_f64();
        Ok(self.report)
    }
}

/// Names of requests, each with its stages, of tests and of histograms.
pub(crate) type Names = (Vec<(String, Vec<String>)>, (Vec<String>, Vec<String>));

/// What a run is made of: a part and the merge must agree on it.
pub(crate) fn names(epoch: &Arc<Epoch>) -> Names {
    let stages = |chain: &crate::epoch::RunChain| chain.stages.iter().map(|s| s.name.clone()).collect();
    let chains = epoch.chains.iter().map(|chain| (chain.name.clone(), stages(chain)));
    let histograms = epoch.histograms.shapes().iter().map(|shape| shape.name.clone());
    (chains.collect(), (epoch.tests.clone(), histograms.collect()))
}
