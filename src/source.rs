//! Streams to blocks.

mod work;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crc32c::crc32c;
use pactolus_formats::event::Kind;
use pactolus_formats::mid::{Block, Stop as Ends};
use pactolus_formats::{Error as FormatError, Pool};
use pactolus_odb::Odb;
use serde_json::json;

use crate::analyzer::Analyzer;
use crate::begun::Begun;
use crate::epoch::Epoch;
use crate::events::Layouts;
use crate::feed::{Ended, Eor, Feed, Listed, Next, Opened, Seen, Stream};
use crate::hot::{Found, Hot};
use crate::job::{InputFile, Job, Stop};
use crate::last::Last;
use crate::layers::Base;
use crate::online::Online;
use crate::provenance::DigestOf;
use crate::recorded::Records;
use crate::shard::Shard;
pub(crate) use crate::source::work::{Elsewhere, Item, Numbered, Ticket, Work};
use crate::verify::Delay;
use crate::{Error, Run};

/// Reads the inputs of a job, a block at a time.
pub(crate) struct Source<'j> {
    analyzer: &'j Analyzer,
    job: &'j Job,
    base: &'j Base,
    feed: Box<dyn Feed + 'j>,
    /// What is known of a live source.
    online: Option<Online>,
    /// The last event that was read of it.
    seen: Option<Seen>,
    /// Which blocks are to be worked on.
    shard: Shard,
    /// The fold wants no more.
    halt: Stop,
    reading: Option<Reading>,
    /// The run that goes on in the next input, or may do so: the EOR is then its last event, or none.
    run: Going,
    eor: Option<Block>,
    /// What was in force on a shared ODB when the last run ended.
    last: Option<Last>,
    /// Recorded epochs of runs that have not begun.
    records: Records,
    /// Blocks so far.
    blocks: u64,
    /// Items so far.
    pub(crate) next: u64,
    /// Bytes of the inputs before this one.
    done: u64,
    total: Option<u64>,
    /// Nothing is left to be read.
    pub(crate) ended: bool,
    /// Items for the fold.
    pub(crate) items: Vec<Numbered>,
    /// Blocks for whoever has the time.
    pub(crate) work: VecDeque<Work>,
    /// Tickets that were not needed.
    #[allow(clippy::vec_box, reason = "tickets travel in their boxes")]
    pub(crate) spare: Vec<Box<Ticket>>,
}

/// Bytes of the first block. Each is twice as large as the one before, up to what the job says: so it
/// is known early what modules make of a block, before many of them are in flight.
pub(crate) const FIRST: usize = 16 << 10;

/// How long nobody hears of a writer who is silent, and how often it is asked whether anybody waits.
const SILENCE: Duration = Duration::from_millis(200);
const GLANCE: Duration = Duration::from_millis(50);

/// Bytes of messages before the BOR that wait for it at the most.
const BEFORE_BOR: usize = 64 << 20;

/// An input being read.
struct Reading {
    file: InputFile,
    stream: Box<dyn Stream>,
    complete: bool,
    /// Something was read, or should have been.
    touched: bool,
    run: Going,
    /// System events that came before the run's begin is known.
    held: Option<Box<Ticket>>,
    /// There was no more the last time.
    paused: bool,
    /// The EOR with which it seems to end, until it is known whether the run goes on in another.
    eor: Option<(Block, Eor)>,
    /// What was read behind that.
    ahead: Option<(Block, Ends)>,
}

/// The run in hand, which may go on in the next file.
#[derive(Default)]
struct Going {
    epoch: Option<Arc<Epoch>>,
    /// Follows an ODB that others change.
    hot: Option<Hot>,
    /// What its ODB and its requests define.
    layouts: Layouts,
    /// Events of the subruns before this one.
    events: u64,
    /// Data events before the block in hand.
    data: u64,
    /// The files so far.
    files: Vec<serde_json::Value>,
    /// No event of it is wanted any more.
    beyond: bool,
}

impl<'j> Source<'j> {
    pub(crate) fn new(
        analyzer: &'j Analyzer,
        job: &'j Job,
        base: &'j Base,
        pool: Option<Pool>,
        (shard, halt): (Shard, &Stop),
        online: Option<Online>,
    ) -> Source<'j> {
        let feed: Box<dyn Feed> = match (&job.live, &online) {
            (Some(live), Some(online)) => live.feed(job, &online.gauge),
            _ => Box::new(Listed::new(job, pool, halt.clone())),
        };
        let sizes = job.inputs.iter().map(InputFile::size);
        Source {
            analyzer,
            job,
            base,
            feed,
            online,
            seen: None,
            shard,
            halt: halt.clone(),
            reading: None,
            run: Going::default(),
            eor: None,
            last: None,
            records: base.records.clone(),
            blocks: 0,
            next: 0,
            done: 0,
            total: if job.live.is_some() { None } else { sizes.sum() },
            ended: false,
            items: Vec::new(),
            work: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// Goes a step on: opens an input, reads a block, or ends. An error goes to the fold, in its
    /// place.
    pub(crate) fn step(&mut self, ticket: Box<Ticket>) {
        let stepped = match self.reading.take() {
            Some(reading) => self.read(reading, ticket),
            None => {
                self.spare.push(ticket);
                self.next_input()
            }
        };
        if let Err(error) = stepped {
            self.fail(error);
        }
    }

    /// The job cannot go on.
    pub(crate) fn fail(&mut self, error: Error) {
        self.send(Item::Failed(error));
        self.ended = true;
    }

    /// Whether the next step may wait for somebody else.
    pub(crate) fn is_pipe(&self) -> bool {
        self.reading.as_ref().map_or(self.online.is_some(), |reading| reading.stream.may_wait())
    }

    /// Tickets that wait for the begin of a run.
    pub(crate) fn held(&self) -> usize {
        self.reading.as_ref().map_or(0, |reading| usize::from(reading.held.is_some()))
    }

    fn stops(&self) -> bool {
        self.halt.is_asked() || self.job.stop.is_asked()
    }

    fn send(&mut self, item: Item) {
        self.items.push((self.next, item));
        self.next += 1;
    }

    /// Opens the next input; ends the last run if there is none.
    fn next_input(&mut self) -> Result<(), Error> {
        let next = if self.stops() { Next::Over(None) } else { self.feed.next(SILENCE)? };
        if self.run.epoch.is_some() {
            self.pass_missed();
        }
        self.pass_news();
        match next {
            Next::Gone { gap: text, is_fault } => {
                if self.run.epoch.is_some() {
                    self.send(Item::Gap { text, is_fault });
                }
                self.end_pending();
            }
            Next::Wait => self.send(Item::Read { done: self.done, total: self.total }),
            Next::Stream(Opened { file, mut stream, continues, gap, is_fault }) => {
                if !continues {
                    self.end_pending();
                }
                self.eor = None;
                let run = std::mem::take(&mut self.run);
                if let Some(text) = gap.filter(|_| run.epoch.is_some()) {
                    self.send(Item::Gap { text, is_fault });
                }
                if run.epoch.is_some() {
                    self.send(Item::File(file.clone()));
                }
                stream.events().learn(match &run.epoch {
                    Some(_) => run.layouts.clone(),
                    None => Layouts::before(&self.analyzer.chains, &self.base.tree)
                        .and(Layouts::of(self.records.definitions(file.run))),
                });
                self.reading = Some(Reading {
                    file,
                    stream,
                    complete: false,
                    touched: false,
                    run,
                    held: None,
                    paused: false,
                    eor: None,
                    ahead: None,
                });
            }
            Next::Over(ended) => {
                self.end_pending();
                if let Some(ended) = ended {
                    self.over(ended);
                }
                self.ended = true;
            }
        }
        Ok(())
    }

    /// A live source gives nothing more.
    fn over(&mut self, ended: Ended) {
        self.send(Item::Over(ended.after(self.seen)));
    }

    /// What is missing in the run in hand.
    fn pass_missed(&mut self) {
        let missed = self.feed.missed();
        if !missed.is_empty() {
            self.send(Item::Missed(missed));
        }
    }

    fn pass_news(&mut self) {
        if let Some(online) = &self.online {
            online.gauge.pause(self.feed.is_paused());
        }
        for text in self.feed.news() {
            self.send(Item::News(text));
        }
    }

    /// Reads a block.
    fn read(&mut self, mut reading: Reading, mut ticket: Box<Ticket>) -> Result<(), Error> {
        if reading.run.beyond || self.stops() {
            self.spare.push(ticket);
            return self.close(reading);
        }
        if reading.paused && self.is_silent(&reading) {
            self.spare.push(ticket);
            // Who waits for the next event hears what the time is.
            self.send(Item::Read { done: self.done + reading.stream.done(), total: self.total });
            // Who reads the next time finds out whether the stream has ended.
            reading.paused = false;
            self.reading = Some(reading);
            return Ok(());
        }
        // With `strict` an event is a block, so that nothing behind the first trouble is seen by any
        // stage; so it is before the begin of a run whose epochs are recorded: nobody knows yet where a
        // block must end.
        let is_single = self.job.strict || reading.run.epoch.is_none() && !self.base.records.is_empty();
        let most = self.online.as_ref().map_or(self.job.block, |online| online.pace.target());
        let target = if is_single { 1 } else { most.min(FIRST << self.blocks.min(16)) };
        let before = reading.run.events;
        let next = reading.stream.events().next_number() + before;
        let first = reading.run.hot.as_ref().and_then(|hot| hot.first_behind(next));
        reading.stream.events().stop_before(first.map(|first| first - before));
        let read = match reading.ahead.take() {
            Some((block, ends)) => {
                ticket.block = block;
                Ok(ends)
            }
            None => reading.stream.read(&mut ticket.block, target),
        };
        let mut ends = read.map_err(FormatError::io("read", &reading.file.path))?;
        reading.paused = ends == Ends::Pause;
        if !self.settle_eor(&mut reading, &mut ticket.block, &mut ends) {
            self.spare.push(ticket);
            self.reading = Some(reading);
            return Ok(());
        }
        let next = ticket.block.first + ticket.block.count;
        ticket.block.first += reading.run.events;
        let data = ticket.block.data;
        if self.online.is_some() {
            ticket.read = Some(Instant::now());
            self.seen = Seen::of(&ticket.block).or(self.seen);
        }
        ticket.is_stale = reading.stream.is_stale(&ticket.block);
        self.part_at_eor(&mut reading, &mut ticket.block, &ends);
        self.block(&mut reading, ticket)?;
        reading.run.data += data;
        if reading.run.epoch.is_some() {
            self.pass_missed();
        }
        self.pass_news();
        self.send(Item::Read { done: self.done + reading.stream.done(), total: self.total });
        // What lies beyond the user's range was not asked for, be it damaged or the end.
        if self.job.selection.is_beyond(reading.run.events + next, reading.run.data) {
            reading.run.beyond = true;
            return self.close(reading);
        }
        match ends {
            // An event of which only a part has come when the user stopped the job is no damage.
            Ends::Damaged(_) | Ends::End if self.stops() => return self.close(reading),
            Ends::End => {
                reading.complete = true;
                reading.run.events += next - 1;
                return self.close(reading);
            }
            Ends::Damaged(mut damage) => {
                reading.touched = true;
                damage.event += reading.run.events;
                self.send(Item::Damage(reading.file.clone(), damage));
                if self.job.strict {
                    return self.close(reading);
                }
            }
            _ => {}
        }
        self.reading = Some(reading);
        Ok(())
    }

    /// Waits for the writer of a pipe; whether he is still silent then, or nobody waits any more.
    fn is_silent(&self, reading: &Reading) -> bool {
        let until = Instant::now() + SILENCE;
        while reading.stream.wait(GLANCE) {
            if self.stops() || Instant::now() >= until {
                return true;
            }
        }
        false
    }

    /// If an EOR waits that has come before this block: lets it go, or be the block, or go on waiting; whether
    /// the block is to be worked on.
    fn settle_eor(&mut self, reading: &mut Reading, block: &mut Block, ends: &mut Ends) -> bool {
        let Some((mut eor, said)) = reading.eor.take() else { return true };
        let is_nothing = block.count == 0 && matches!(ends, Ends::Pause | Ends::End);
        let goes_on = self.feed.goes_on(Some(said));
        if goes_on.is_some() {
            reading.stream.finish();
        }
        match goes_on {
            // It waits on, perhaps for the next stream.
            None if is_nothing => {
                reading.eor = Some((eor, said));
                return *ends == Ends::End;
            }
            Some(true) => {}
            _ => {
                // Numbers of the run are given to every block anew.
                eor.first -= reading.run.events;
                reading.ahead = Some((std::mem::replace(block, eor), std::mem::replace(ends, Ends::Full)));
                reading.paused = false;
            }
        }
        true
    }

    /// Takes an EOR away with which a block ends although the run goes on in the next stream, or may do so.
    fn part_at_eor(&mut self, reading: &mut Reading, block: &mut Block, ends: &Ends) {
        if *ends != Ends::Eor {
            return;
        }
        let eor = Eor::of(&reading.file, block);
        let goes_on = self.feed.goes_on(Some(eor));
        if goes_on.is_some() {
            reading.stream.finish();
        }
        match goes_on {
            Some(false) => {}
            Some(true) => drop(block.pop()),
            None => reading.eor = block.pop().map(|last| (last, eor)),
        }
    }

    /// Closes an input. Its run may go on in the next.
    fn close(&mut self, mut reading: Reading) -> Result<(), Error> {
        self.done += reading.stream.done();
        if let Some(refused) = reading.stream.events().refused().filter(|refused| refused.count() > 0) {
            self.send(Item::Refused(reading.file.clone(), refused.clone()));
        }
        if reading.run.epoch.is_none() {
            if reading.touched || reading.held.is_some() {
                self.begin(&mut reading, None)?;
            } else if reading.complete {
                self.send(Item::Empty(reading.file.clone()));
            }
        }
        let Reading { file, mut run, stream, complete, eor, .. } = reading;
        if run.epoch.is_some() {
            let mut input = json!({ "file": file.path.display().to_string() });
            // A part of the file has no digest that anybody could compare.
            if let Some(digest) = stream.digest().filter(|_| complete && stream.is_whole()) {
                let (bytes, sha256) = digest.value();
                input["bytes"] = json!(bytes);
                input["sha256"] = json!(sha256);
            }
            run.files.push(input);
            self.pass_missed();
        }
        let more = if self.stops() { Some(false) } else { self.feed.goes_on(None) };
        self.pass_news();
        (self.run, self.eor) = (run, eor.map(|(eor, _)| eor));
        match more {
            Some(false) => self.end_pending(),
            Some(true) => self.eor = None,
            // The next one says.
            None => {}
        }
        Ok(())
    }

    /// Ends the run that might have gone on, with the EOR that has waited.
    fn end_pending(&mut self) {
        let mut run = std::mem::take(&mut self.run);
        if let Some((eor, epoch)) = self.eor.take().zip(run.epoch.clone()) {
            let mut ticket = self.spare.pop().unwrap_or_else(|| Box::new(Ticket::new()));
            // It is of the last file.
            (ticket.block, ticket.file) = (eor, run.files.len().saturating_sub(1));
            self.work(ticket, epoch, run.data, None);
        }
        self.end(&mut run);
    }

    /// Hands a block on, after the begin of its run.
    fn block(&mut self, reading: &mut Reading, mut ticket: Box<Ticket>) -> Result<(), Error> {
        let Some(first) = ticket.block.events().next() else {
            self.spare.push(ticket);
            return Ok(());
        };
        let seam = reading.run.epoch.as_ref().filter(|_| !reading.touched).map(|epoch| epoch.run.number);
        reading.touched = true;
        if first.kind() == Kind::Bor {
            if seam == Some(first.header.serial) {
                // The run has begun with its first subrun.
                self.spare.push(ticket);
                return Ok(());
            }
            let bor = (first.header.serial, first.header.time);
            let text = first.text().to_vec();
            self.end_before(reading);
            self.begin(reading, Some((bor.0, bor.1, &text)))?;
        } else if reading.run.epoch.is_none() && ticket.block.data > 0 {
            self.begin(reading, None)?;
        }
        match (reading.run.epoch.clone(), &mut reading.held) {
            (Some(epoch), _) => {
                ticket.file = reading.run.files.len();
                let epoch = self.epoch_of(reading, &ticket.block)?.unwrap_or(epoch);
                let digest = reading.stream.digest().cloned();
                self.work(ticket, epoch, reading.run.data, digest);
            }
            // Messages may stand before the BOR, and wait for it.
            (None, Some(held)) => {
                held.block.append(&ticket.block);
                let enough = held.block.bytes().len() > BEFORE_BOR;
                self.spare.push(ticket);
                if enough {
                    self.begin(reading, None)?;
                }
            }
            (None, held) => *held = Some(ticket),
        }
        Ok(())
    }

    /// The epoch that begins with this block, if somebody has changed the ODB since the last one, or it is
    /// recorded.
    fn epoch_of(&mut self, reading: &mut Reading, block: &Block) -> Result<Option<Arc<Epoch>>, Error> {
        let last = (block.first + block.count).saturating_sub(1);
        let Some(hot) = reading.run.hot.as_mut().filter(|hot| hot.has_moved(last)) else { return Ok(None) };
        // An epoch without data would be one that nobody sees.
        let Some(place) = block.events().position(|event| event.kind() == Kind::Data) else {
            return Ok(None);
        };
        Ok(match hot.look(self.analyzer, self.job, block.first + place as u64)? {
            None => None,
            Some(Found::Taken(taken)) => {
                let epoch = Arc::clone(&taken.epoch);
                reading.run.layouts = hot.layouts(&epoch);
                reading.stream.events().learn(reading.run.layouts.clone());
                reading.run.epoch = Some(Arc::clone(&epoch));
                self.send(Item::Epoch(taken));
                Some(epoch)
            }
            Some(Found::Refused(why)) => {
                self.send(Item::Warning(why));
                None
            }
        })
    }

    fn work(
        &mut self,
        mut ticket: Box<Ticket>,
        epoch: Arc<Epoch>,
        data_before: u64,
        digest: Option<DigestOf>,
    ) {
        self.blocks += 1;
        if !self.shard.has(self.blocks - 1) {
            let block = &ticket.block;
            let (bytes, sum) = (block.bytes().len() as u64, crc32c(block.bytes()));
            self.send(Item::Elsewhere(Elsewhere { bytes, events: block.count, sum }));
            self.spare.push(ticket);
            return;
        }
        let number = self.next;
        self.next += 1;
        let delay = self.job.delay.map(|seed| Delay::new(seed, number));
        let stops = [self.halt.clone(), self.job.stop.clone()];
        ticket.data_before = data_before;
        self.work.push_back(Work { number, ticket, epoch, delay, digest, stops });
    }

    /// Begins a run, with what its BOR says: number, time, ODB dump. Nothing if one has begun.
    fn begin(&mut self, reading: &mut Reading, bor: Option<(u32, u32, &[u8])>) -> Result<(), Error> {
        if reading.run.epoch.is_some() {
            return Ok(());
        }
        let own = bor.map(|b| b.0).or(reading.file.run);
        let recorded = || self.records.only().unwrap_or(0);
        let number = own.unwrap_or_else(|| self.job.odb.as_ref().map_or_else(recorded, run_in));
        let run = Run { number, start: bor.map(|b| b.1), online: self.online.is_some() };
        let mut revision = self.job.odb.as_ref().map(Odb::revision);
        let (run, dump) = ((run, own.is_some()), bor.map(|b| b.2));
        let begun = if self.base.records.is_empty() {
            self.begun(run, dump, &mut revision)?
        } else {
            let record = self.records.take(number)?;
            self.analyzer.begin_again(self.job, self.base, run.0, dump, record)?
        };
        reading.run.hot = Hot::new(self.analyzer, self.job, &begun, revision);
        let epoch = Arc::clone(&begun.epoch);
        reading.run.layouts = Layouts::during(&epoch, &begun.definitions);
        reading.stream.events().learn(reading.run.layouts.clone());
        self.send(Item::Begin(Box::new(begun), Box::new(reading.file.clone())));
        if let Some(ticket) = reading.held.take() {
            self.work(ticket, Arc::clone(&epoch), 0, None);
        }
        reading.run.epoch = Some(epoch);
        Ok(())
    }

    /// A run as the job says, or else with the values of the run before.
    fn begun(
        &self,
        run: (Run, bool),
        dump: Option<&[u8]>,
        revision: &mut Option<u64>,
    ) -> Result<Begun, Error> {
        match (self.analyzer.begin(self.job, self.base, run.clone(), dump), &self.last) {
            (Err(error), Some(last)) => {
                *revision = None;
                // If it cannot begin with these either, the first reason is the one to know.
                last.begin(self.analyzer, self.job, run, dump, &error).map_err(|_| error)
            }
            (begun, _) => begun,
        }
    }

    /// Ends the run in the middle of a file, where the next begins.
    fn end_before(&mut self, reading: &mut Reading) {
        if reading.run.epoch.is_some() {
            reading.run.files.push(json!({ "file": reading.file.path.display().to_string() }));
            self.end(&mut reading.run);
        }
    }

    /// Ends the run, if one has begun.
    fn end(&mut self, run: &mut Going) {
        let files = std::mem::take(&mut run.files);
        if let Some(hot) = run.hot.take() {
            // What was not read has not been asked for.
            if let Some(left) = hot.left().filter(|_| !run.beyond && !self.stops()) {
                self.send(Item::Warning(left));
            }
            self.last = hot.last();
        }
        if run.epoch.take().is_some() {
            self.send(Item::End(files));
        }
    }
}

/// The run in hand, as the ODB of an experiment says.
fn run_in(odb: &Odb) -> u32 {
    odb.get::<i32>("/Runinfo/Run number").ok().and_then(|run| run.try_into().ok()).unwrap_or(0)
}
