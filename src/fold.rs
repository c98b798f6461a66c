//! The one place where blocks meet, in the order of the input.

mod copied;
mod epochs;
mod live;
mod rotation;
mod run_report;
mod warnings;
mod written;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pactolus_formats::Pool;
use pactolus_odb::Odb;

use crate::Error;
use crate::analyzer::Analyzer;
use crate::begun::Begun;
use crate::block::Worker;
use crate::emit::table_def;
use crate::epoch::Epoch;
use crate::fold::copied::Copied;
use crate::fold::epochs::Values;
pub use crate::fold::live::LiveProgress;
use crate::fold::live::Watch;
use crate::fold::rotation::{Accounts, Rotation};
use crate::fold::run_report::run_report;
use crate::fold::written::Written;
use crate::histo::Histograms;
use crate::job::{InputFile, Job, Stop, has_run};
use crate::layers::{Base, EventDefinition, Origins, setting};
use crate::ledger::Counts;
use crate::line::drive;
use crate::module::EndOfRun;
use crate::online::Online;
use crate::partial::{Partial, TableKey};
use crate::provenance::Provenance;
use crate::recorded::Said;
use crate::report::{Report, RunReport, WithoutText};
use crate::shard::Shard;
use crate::sink::{Origin, Sinks};
use crate::source::{Item, Ticket};
use crate::stage::{AnySequential, guarded};
use crate::test::Tests;
use crate::verify::Watched;

/// Failures, damage and messages that a report shows of a run.
const SHOWN: usize = 20;

/// How far a job is, told after each block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The run in hand.
    pub run: u32,
    /// The file in hand.
    pub input: PathBuf,
    /// Events read in this run.
    pub read: u64,
    /// Events kept in this run.
    pub kept: u64,
    /// Events read in all runs.
    pub events: u64,
    /// Bytes of the inputs read.
    pub done: u64,
    /// Bytes of all inputs, if known.
    pub total: Option<u64>,
    /// A run ends with this.
    pub run_ends: bool,
    /// Of a live job, or one on a shared ODB, which may go on for days: the warnings since the last time. They
    /// stand in the report, too, in the same order.
    pub warnings: Vec<String>,
    /// More of a live job, which tells several times a second, and also while nothing comes.
    pub live: Option<LiveProgress>,
    /// The run that has ended, of a live job: of long ago, its report keeps sums only.
    pub ended: Option<Box<RunReport>>,
}

/// Runs a job: source, workers and fold.
pub(crate) fn run(
    analyzer: &Analyzer,
    job: &Job,
    base: &Base,
    progress: &mut dyn FnMut(&Progress),
    stdout: &mut dyn Write,
    warnings: Vec<String>,
) -> Result<Report, Error> {
    // What ends the reading from within; the user's own request is another.
    let halt = Stop::new();
    let pool = job.pool(analyzer.chains.len())?;
    let online = Online::new(job);
    let mut fold = Fold::new(analyzer, job, progress, (stdout, pool.clone()), halt.clone());
    fold.watch = online.clone().map(|online| Watch::new(job, online));
    fold.report.warnings = warnings;
    drive(analyzer, job, base, pool, (Shard::ALL, &halt), online, &mut |item| fold.item(item))?;
    fold.finish()
}

/// The run in hand.
struct Live {
    epoch: Arc<Epoch>,
    sequential: Vec<Box<dyn AnySequential>>,
    odb: Odb,
    /// What is known of its events.
    definitions: Vec<EventDefinition>,
    origins: Origins,
    input: InputFile,
    /// The files of the run that were opened.
    files: Vec<InputFile>,
    /// Number of the file in the run that the last block is of.
    file: usize,
    tests: Tests,
    /// Histograms begin anew with this run.
    clear: bool,
    /// The epochs so far, and all that is said of the last one.
    epochs: Vec<Values>,
    said: Said,
    /// What went wrong with stages between events.
    errors: Vec<String>,
    /// Changes that could not be taken.
    untaken: usize,
    /// What is missing in it.
    gaps: Vec<String>,
    /// Places with broken bytes.
    broken: usize,
    written: Written,
    copied: Copied,
    counts: Counts,
    /// How long the producer of a live source has waited.
    waited: Duration,
    watched: Watched,
    /// The first values that each table has not taken, and why.
    refused: BTreeMap<TableKey, Vec<String>>,
    started: Instant,
}

/// Where blocks meet.
pub(crate) struct Fold<'j> {
    analyzer: &'j Analyzer,
    job: &'j Job,
    progress: &'j mut dyn FnMut(&Progress),
    sinks: Sinks<'j>,
    provenance: Provenance,
    accounts: Accounts,
    rotation: Rotation,
    /// Finishes events that waited for a sequential stage.
    worker: Worker,
    live: Option<Live>,
    report: Report,
    /// So many of its warnings have been told.
    told: usize,
    started: Instant,
    read: (u64, Option<u64>),
    /// Histograms of all runs, if an output is of the whole job.
    histograms: Histograms,
    /// Histograms since they were last cleared; the same as those of all runs if there are none here:
    /// they may be large.
    carried: Option<Histograms>,
    /// Data events of the runs before this one, and events of every kind.
    offered: u64,
    events_before: u64,
    /// Of a live job.
    watch: Option<Watch>,
    /// With `strict`, the first trouble has come; or work was broken off.
    halted: bool,
    /// Ends the reading.
    halt: Stop,
}

impl<'j> Fold<'j> {
    pub(crate) fn new(
        analyzer: &'j Analyzer,
        job: &'j Job,
        progress: &'j mut dyn FnMut(&Progress),
        (stdout, pool): (&'j mut dyn Write, Option<Pool>),
        halt: Stop,
    ) -> Fold<'j> {
        Fold {
            analyzer,
            job,
            progress,
            sinks: Sinks::new(job, stdout, pool),
            provenance: Provenance::new(analyzer, job),
            accounts: Accounts::default(),
            rotation: Rotation::new(),
            worker: Worker::new(),
            live: None,
            report: Report::default(),
            told: 0,
            started: Instant::now(),
            read: (0, None),
            histograms: Histograms::default(),
            carried: Some(Histograms::default()),
            offered: 0,
            events_before: 0,
            watch: None,
            halted: false,
            halt,
        }
    }

    /// Takes the next item. A ticket that has done its duty comes back.
    pub(crate) fn item(&mut self, item: Item) -> Result<Option<Box<Ticket>>, Error> {
        match item {
            Item::Block(mut ticket) => {
                if !self.halted {
                    self.ticket(&mut ticket)?;
                }
                return Ok(Some(ticket));
            }
            Item::End(files) => self.end(files)?,
            Item::Failed(error) => return Err(error),
            // What comes behind does not count.
            _ if self.halted => {}
            Item::Begin(begun, input) => self.begin(*begun, *input)?,
            Item::File(input) => self.live.iter_mut().for_each(|live| live.files.push(input.clone())),
            Item::Epoch(taken) => self.epoch(*taken),
            Item::Warning(text) => self.untaken(text),
            Item::News(text) => self.warn(text),
            Item::Missed(missed) => {
                if let Some(live) = &mut self.live {
                    live.counts.miss(&missed.events);
                    live.waited += missed.waited;
                }
            }
            Item::Gap { text, is_fault } => {
                if let Some(live) = &mut self.live {
                    live.gaps.push(text.clone());
                    if is_fault {
                        live.errors.push(text.clone());
                    }
                }
                self.warn(text);
            }
            Item::Over(ended) => self.report.ended = Some(ended),
            Item::Tick => {
                self.keep_written();
                self.keep_rotated()?;
                self.tell(false);
            }
            Item::Elsewhere(_) => return Err(Error::Internal("has left a block to a shard".into())),
            Item::Read { done, total } => {
                self.read = (done, total);
                self.keep_written();
                self.keep_rotated()?;
                if self.watch.is_some() {
                    self.tell(false);
                }
            }
            Item::Damage(input, damage) => {
                self.broken(&input, &damage);
                self.report.damage.add(input.path, damage);
                self.halt_if_strict();
            }
            Item::Refused(input, refused) => {
                self.report.without_text.push(WithoutText::new(input.path, &refused));
                self.halt_if_strict();
            }
            Item::Empty(input) => {
                self.report.warnings.push(format!("{} holds no event", input.path.display()));
            }
        }
        Ok(None)
    }

    /// Joins what the work of another process on a block of so many bytes has come to.
    pub(crate) fn work(&mut self, bytes: u64, worker: &mut Worker) -> Result<(), Error> {
        self.sequence(&mut worker.partial);
        self.join(bytes, worker)
    }

    /// Joins a block, as far as the stop that the user has asked for lets it come.
    fn ticket(&mut self, ticket: &mut Ticket) -> Result<(), Error> {
        if let Some(live) = &mut self.live {
            live.file = ticket.file;
        }
        // Sequential stages may be slow. What they have not come to is taken out of the block again.
        if let Some(end) = self.sequence(&mut ticket.worker.partial)
            && let Some(live) = &self.live
        {
            ticket.shorten(&live.epoch, end);
        }
        let bytes = ticket.cut.unwrap_or(ticket.block.bytes().len() as u64);
        self.join(bytes, &mut ticket.worker)?;
        if let (Some(watch), Some(read)) = (&self.watch, ticket.read.take()) {
            watch.online.pace.took(ticket.block.bytes().len(), read.elapsed());
        }
        self.keep_written();
        self.keep_rotated()?;
        // What comes behind would leave a gap.
        self.halted |= ticket.cut.is_some();
        Ok(())
    }

    fn halt_if_strict(&mut self) {
        if self.job.strict {
            self.halted = true;
            self.halt.ask();
        }
    }

    /// Tells how far the job is; of a live one now and then.
    fn tell(&mut self, run_ends: bool) {
        let is_news = self.told < self.report.warnings.len();
        if self.live.is_none() && self.watch.is_none() || !self.is_due() && !is_news && !run_ends {
            return;
        }
        let progress = self.progress();
        (self.progress)(&Progress { run_ends, ..progress });
    }

    /// How far the job is.
    fn progress(&mut self) -> Progress {
        self.look();
        let mut warnings = Vec::new();
        if self.job.odb.is_some() || self.watch.is_some() {
            warnings.extend_from_slice(&self.report.warnings[self.told..]);
            self.told = self.report.warnings.len();
        }
        let (done, total) = self.read;
        let live = self.live_progress();
        let progress = Progress { events: self.offered, done, total, warnings, live, ..Progress::default() };
        let Some(run) = &self.live else { return progress };
        let read = run.counts.offered() + run.counts.system;
        Progress {
            run: run.epoch.run.number,
            input: run.input.path.clone(),
            read,
            kept: run.counts.requests().iter().map(|r| r.sum().kept).sum(),
            events: self.offered + read,
            ..progress
        }
    }

    /// Tells of a run of a live job that has ended.
    fn tell_run(&mut self, run: &RunReport) {
        if self.watch.is_some() {
            let progress = self.progress();
            let (number, input, ended) = (run.run, run.input.clone(), Some(Box::new(run.clone())));
            (self.progress)(&Progress { run: number, input, run_ends: true, ended, ..progress });
        }
    }

    fn begin(&mut self, begun: Begun, input: InputFile) -> Result<(), Error> {
        let Begun { epoch, sequential, odb, tree, skipped, origins, warnings, definitions, .. } = begun;
        let tables = epoch.chains.iter().enumerate().filter(|(_, c)| !c.fallback);
        let tables: Vec<_> = tables.map(|(i, c)| ((i, None), Arc::clone(&c.table))).collect();
        let earlier = self.sinks.begin(epoch.run.number, &tables)?;
        warnings.into_iter().chain(earlier).for_each(|warning| self.warn(warning));
        let clear = setting(&tree, &format!("{}/Output/Clear histos", self.analyzer.root()), true)?;
        if clear {
            self.carried = Some(Histograms::default());
        }
        let (first, said) = Values::first(self.analyzer, &epoch, tree);
        self.live = Some(Live {
            tests: Tests::new(epoch.tests.clone()),
            clear,
            epochs: vec![first],
            said,
            errors: Vec::new(),
            untaken: 0,
            gaps: Vec::new(),
            broken: 0,
            written: Written::default(),
            copied: Copied::default(),
            counts: Counts::new(epoch.chains.len(), epoch.stages())
                .shared(self.job.live.as_ref().is_some_and(|live| live.is_shared())),
            waited: Duration::ZERO,
            watched: Watched::new(&epoch),
            epoch,
            refused: BTreeMap::new(),
            sequential,
            odb,
            definitions,
            origins,
            files: vec![input.clone()],
            input,
            file: 0,
            started: Instant::now(),
        });
        self.note(Ok(skipped));
        self.begin_written();
        if self.told < self.report.warnings.len() && self.job.odb.is_some() {
            self.tell(false);
        }
        Ok(())
    }

    /// Passes the events that have waited through the sequential stages, in order. If the user stops the
    /// job meanwhile: the number of the first event that has not gone through.
    fn sequence(&mut self, partial: &mut Partial) -> Option<u64> {
        let live = self.live.as_mut()?;
        self.worker.begin(&live.epoch);
        let mut before = None;
        for (i, deferred) in partial.deferred.iter().enumerate() {
            // An event may wait for stages of several requests: it goes through all of them.
            if self.job.stop.is_asked() && before != Some(deferred.number) {
                return Some(deferred.number);
            }
            before = Some(deferred.number);
            if let Some(tally) = partial.tallies.get(i) {
                live.tests.join(tally);
            }
            if let Some((event, original)) = partial.deferred_event(deferred) {
                self.worker.finish(&live.epoch, deferred, event, original, &mut live.sequential);
                if let Some(tally) = self.worker.tally() {
                    live.tests.join(tally);
                }
            }
            self.worker.partial.mid.cut();
            self.worker.partial.asc.cut();
        }
        None
    }

    /// Joins a block: its stretches in order, and between them the events that waited.
    fn join(&mut self, bytes: u64, worker: &mut Worker) -> Result<(), Error> {
        self.report.bytes += bytes;
        self.block(worker)?;
        self.tell(false);
        Ok(())
    }

    fn block(&mut self, worker: &mut Worker) -> Result<(), Error> {
        let Some(live) = &mut self.live else { return Ok(()) };
        worker.fills.pour(&live.epoch.histograms);
        let partial = &mut worker.partial;
        let tables = std::mem::take(&mut partial.tables);
        // Behind the last event that waited.
        if let Some(tally) = partial.tallies.get(partial.deferred.len()) {
            live.tests.join(tally);
        }
        self.sinks.mid(&partial.mid.with(&self.worker.partial.mid))?;
        self.sinks.asc(&partial.asc.with(&self.worker.partial.asc))?;
        self.worker.end();
        self.worker.fills.pour(&live.epoch.histograms);
        let own = &mut self.worker.partial;
        partial.counts.join(&mut own.counts);
        live.counts.add(&partial.counts, SHOWN);
        live.watched.add(&partial.watched);
        live.watched.add(&own.watched);
        for (key, batch) in tables.into_iter().chain(own.tables.drain(..)) {
            let def = table_def(&live.epoch.chains[key.0], key);
            let (rows, first) = self.sinks.rows(key, &def, batch)?;
            live.counts.retyped += rows;
            let known = live.refused.entry(key).or_default();
            known.extend(first.into_iter().take(SHOWN - known.len().min(SHOWN)));
        }
        if live.epoch.copies.is_some() {
            let own = own.copies.drain(..);
            let copies = partial.copies.drain(..).chain(own).collect();
            self.copy(copies);
        }
        if self.live.as_ref().is_some_and(|live| live.counts.has_trouble()) {
            self.halt_if_strict();
        }
        Ok(())
    }

    fn end(&mut self, mut files: Vec<serde_json::Value>) -> Result<(), Error> {
        match self.watch.is_some() {
            // It is in what is written for others.
            true => self.look(),
            false => self.tell(true),
        }
        let Some(mut live) = self.live.take() else { return Ok(()) };
        let mut histograms = self.histograms_of(&live);
        self.unfilled(&live, &histograms);
        let all_so_far = self.add_up(&live, &mut histograms);
        let counts = live.tests.counts();
        let (mut errors, mut said) = (std::mem::take(&mut live.errors), Vec::new());
        for stage in live.epoch.chains.iter().flat_map(|c| &c.stages).filter(|s| s.on) {
            let entered = live.counts.stages[stage.number as usize].entered;
            let messages = RefCell::default();
            let (run, tests, histograms) = (&live.epoch.run, &*counts, &histograms);
            let end = EndOfRun { run, entered, tests, histograms, messages: &messages };
            let answer = guarded(|| stage.eor(&end, &mut live.sequential));
            live.watched.end(stage.number, &end, &answer);
            said.extend(messages.into_inner().into_iter().take(SHOWN).map(|text| (stage.number, text)));
            if let Err(error) = answer {
                errors.push(format!("stage \"{}\", end of run: {error}", stage.name));
            }
        }
        live.counts.say(said.into_iter());
        self.end_written(&mut live, &counts)?;
        if self.halted {
            // How far the source has come by now is a matter of chance.
            files.truncate(live.file + 1);
            for file in files.iter_mut().filter_map(|file| file.as_object_mut()) {
                file.remove("bytes");
                file.remove("sha256");
            }
        }
        let tree = match (live.odb.snapshot(), live.epochs.last()) {
            (Err(error), Some(epoch)) if self.job.odb.is_some() => {
                // What was analysed is worth more.
                let (tree, run) = (epoch.tree.clone(), live.epoch.run.number);
                self.warn(format!("run {run}: the ODB cannot be read: {error}"));
                tree
            }
            (tree, _) => tree?,
        };
        if self.job.odb.is_none() && self.job.epochs.is_empty() {
            // Nobody but the analyzer has changed it.
            live.epochs.truncate(1);
            live.epochs.iter_mut().for_each(|epoch| epoch.replace(self.analyzer, tree.clone()));
        }
        let read_from = files.len();
        if self.job.outputs.iter().all(|output| has_run(&output.pattern)) {
            self.provenance.forget();
            self.accounts.forget();
        }
        let epochs = live.epochs.iter().map(|epoch| &*epoch.said);
        self.provenance.run(live.epoch.run.number, files, &live.definitions, epochs);
        self.offered += live.counts.offered();
        self.events_before += live.counts.offered() + live.counts.system;
        let report = run_report(self.analyzer, &live, &histograms, read_from, counts, errors);
        self.report.odb = Some(tree);
        if let Some(witness) = &self.job.watch {
            witness.push(std::mem::take(&mut live.watched), &histograms);
        }
        self.accounts.add(&live);
        self.sinks.finish(&self.origin(false), &histograms, false)?;
        if all_so_far {
            (self.histograms, self.carried) = (histograms, None);
        } else {
            self.carried = Some(histograms);
        }
        // Its files are there.
        self.tell_run(&report);
        self.report.runs.push(report);
        self.forget();
        Ok(())
    }

    /// Adds what a run has filled to the histograms of the job, and to it what was filled since they
    /// were last cleared. Whether it then holds all of the job.
    fn add_up(&mut self, live: &Live, of_run: &mut Histograms) -> bool {
        let of_job = self.job.outputs.iter().any(|output| !has_run(&output.pattern));
        let first = self.histograms.runs.is_empty();
        let mut refused = Vec::new();
        if of_job && !first && self.carried.is_some() {
            refused.extend(self.histograms.join(of_run));
        }
        match (live.clear, self.carried.take()) {
            (true, _) => {}
            (false, Some(carried)) => refused.extend(of_run.join(&carried)),
            (false, None) => {
                refused.extend(of_run.join(&self.histograms));
                self.warn_of_bins(live, &refused);
                return true;
            }
        }
        self.warn_of_bins(live, &refused);
        of_job && first
    }

    /// What the outputs of the last run, or of all runs, are made of.
    fn origin(&self, all: bool) -> Origin {
        Origin { provenance: self.provenance.text(all), ledger: self.accounts.text(all) }
    }

    /// Ends the job.
    pub(crate) fn finish(mut self) -> Result<Report, Error> {
        self.sinks.finish(&self.origin(true), &self.histograms, true)?;
        // A live job tells all of its warnings, since its report forgets those of long ago.
        if self.watch.is_some() && self.told < self.report.warnings.len() {
            self.tell(false);
        }
        Ok(self.give_up())
    }

    /// Ends a job of which no more is written: the run in hand is lost.
    pub(crate) fn give_up(mut self) -> Report {
        self.report.outputs = std::mem::take(&mut self.sinks.written);
        self.report.stopped = self.job.stop.is_asked();
        self.report.seconds = self.started.elapsed().as_secs_f64();
        self.report
    }
}
