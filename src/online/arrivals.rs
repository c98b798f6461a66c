//! Events as they come, for whoever wants them without an analysis.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use pactolus_formats::asc::Refusals;
use pactolus_formats::mid::{Block, Stop as Ends};
use pactolus_formats::{Damage, Error as FormatError, Limits};

use super::bell::GLANCE;
use super::{Follow, Following, Gauge};
use crate::Error;
use crate::analyzer::Analyzer;
use crate::attached::Experiment;
use crate::feed::{Attached, Ended, Eor, Feed, Listed, Missed, Next, Opened, Seen, Stream};
use crate::job::{InputFile, Job, Stop};
use crate::ledger::Offered;

/// What comes next.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Arrival {
    /// A file begins; the events behind are of it, until it ends.
    File(PathBuf),
    /// Whole events, which are in the block.
    Events,
    /// Broken bytes; reading goes on behind them.
    Damage(Damage),
    /// The file ends. What its text does not hold.
    End(Option<Refusals>),
    /// The run is paused, or goes on.
    Paused(bool),
    /// What looks odd.
    News(String),
    /// Nothing more: because the runs that were asked for are complete, or somebody has asked to stop, unless
    /// another reason is told.
    Over(Option<Ended>),
}

/// Events as they come, none before all of it is there; of files, every event once. Pieces of large events are left
/// as they are, unless [`whole`](Arrivals::whole) ones are asked for.
///
/// ```no_run
/// use pactolus::formats::Limits;
/// use pactolus::formats::mid::Block;
/// use pactolus::{Arrival, Follow, Stop};
///
/// let mut arrivals = Follow::new("run00042.mid.lz4")?.events(Limits::default(), &Stop::new())?;
/// let mut block = Block::new();
/// loop {
///     match arrivals.next(&mut block, 1 << 16)? {
///         Arrival::Events => block.events().for_each(|event| println!("{}", event.header.serial)),
///         Arrival::Damage(damage) => eprintln!("{damage}"),
///         Arrival::Over(_) => break,
///         _ => {}
///     }
/// }
/// # Ok::<(), pactolus::Error>(())
/// ```
pub struct Arrivals {
    feed: Box<dyn Feed>,
    /// What pulls them, if it is a thread of its own.
    #[allow(dead_code, reason = "it is there to be dropped")]
    attached: Option<Attached>,
    stop: Stop,
    /// Large events are put together.
    is_whole: bool,
    open: Option<Open>,
    /// What has come behind that which was told last.
    coming: VecDeque<Arrival>,
    seen: Option<Seen>,
    paused: bool,
    missed: Missed,
    /// What was told when it was over.
    over: Option<Option<Ended>>,
}

/// The file in hand.
struct Open {
    file: InputFile,
    stream: Box<dyn Stream>,
    /// The EOR with which it seems to end, until it is known whether the run goes on in another.
    eor: Option<Eor>,
}

impl Follow {
    /// The events as they come, until `stop` is asked.
    ///
    /// # Errors
    /// If there is no such directory, or the runs that are asked for make no sense.
    pub fn events(&self, limits: Limits, stop: &Stop) -> Result<Arrivals, Error> {
        self.check()?;
        let job = Job { limits, allow_missing: true, ..Job::new() };
        let following = Following::new(self, &job, &Gauge::default());
        Ok(Arrivals::new(Box::new(following), stop))
    }
}

impl Experiment {
    /// The events as they come, of all ids, until `stop` is asked. Nothing is written into its ODB but who we
    /// are.
    ///
    /// # Errors
    /// If it cannot be attached to.
    pub fn events(&self, limits: Limits, stop: &Stop) -> Result<Arrivals, Error> {
        let job = Job { limits, stop: stop.clone(), allow_missing: true, ..Job::new() };
        let attached = self.clone().without_writes().attach(&Analyzer::new("Pactolus"), &job)?;
        Ok(Arrivals::attached(attached, stop))
    }
}

impl Job {
    /// The events of its inputs, or of what is live in their place, until [`stop`](Job::stop) is asked. What is
    /// whole in a pipe comes at once.
    ///
    /// # Errors
    /// If what is live is not there. Of an input, only later.
    pub fn events(&self) -> Result<Arrivals, Error> {
        match &self.live {
            Some(live) => live.events(self.limits, &self.stop),
            None => Ok(Arrivals::new(Box::new(Listed::as_they_come(self.clone())), &self.stop)),
        }
    }
}

impl Arrivals {
    fn new(feed: Box<dyn Feed>, stop: &Stop) -> Arrivals {
        Arrivals {
            feed,
            attached: None,
            stop: stop.clone(),
            open: None,
            coming: VecDeque::new(),
            seen: None,
            paused: false,
            is_whole: false,
            missed: Missed::default(),
            over: None,
        }
    }

    /// Puts the pieces of large events together.
    pub fn whole(self) -> Arrivals {
        Arrivals { is_whole: true, ..self }
    }

    /// The events that a thread pulls.
    pub(crate) fn attached(attached: Attached, stop: &Stop) -> Arrivals {
        let feed = attached.streams();
        Arrivals { attached: Some(attached), ..Arrivals::new(feed, stop) }
    }

    /// Waits for what comes next; what is over stays so. Events fill `block`, about `target` bytes of them at the most.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn next(&mut self, block: &mut Block, target: usize) -> Result<Arrival, Error> {
        loop {
            if let Some(next) = self.coming.pop_front() {
                if let Arrival::Over(ended) = &next {
                    self.over = Some(ended.clone());
                }
                return Ok(next);
            }
            if let Some(ended) = &self.over {
                return Ok(Arrival::Over(ended.clone()));
            }
            if self.stop.is_asked() {
                // Of the file in hand, nothing more comes.
                let ends = self.open.take().map(|mut open| end(&mut *open.stream));
                self.coming.extend(ends.into_iter().chain([Arrival::Over(None)]));
                continue;
            }
            match self.open.take() {
                Some(open) => self.read(open, block, target)?,
                None => match self.feed.next(GLANCE)? {
                    Next::Wait => {}
                    Next::Gone { gap, .. } => self.coming.push_back(Arrival::News(gap)),
                    Next::Stream(Opened { file, mut stream, gap, .. }) => {
                        if !self.is_whole {
                            stream.events().keep_fragments();
                        }
                        self.coming.extend(gap.map(Arrival::News));
                        self.coming.push_back(Arrival::File(file.path.clone()));
                        self.open = Some(Open { file, stream, eor: None });
                    }
                    Next::Over(ended) => {
                        let ended = ended.map(|ended| ended.after(self.seen));
                        self.coming.push_back(Arrival::Over(ended));
                    }
                },
            }
            let news = self.feed.news().into_iter().map(Arrival::News);
            news.rev().for_each(|news| self.coming.push_front(news));
            self.missed.add(self.feed.missed());
            let paused = self.feed.is_paused();
            if std::mem::replace(&mut self.paused, paused) != paused {
                self.coming.push_back(Arrival::Paused(paused));
            }
        }
    }

    /// The events that could not be handed on since the last time, by id.
    pub fn missed(&mut self) -> BTreeMap<u16, Offered> {
        std::mem::take(&mut self.missed.events)
    }

    fn read(&mut self, mut open: Open, block: &mut Block, target: usize) -> Result<(), Error> {
        let ends = open.stream.read(block, target).map_err(FormatError::io("read", &open.file.path))?;
        if block.count > 0 {
            self.seen = Seen::of(block).or(self.seen);
            self.coming.push_back(Arrival::Events);
            // It was not the end.
            open.eor = None;
        }
        let is_silent = ends == Ends::Pause && block.count == 0;
        match ends {
            Ends::Eor => open.eor = Some(Eor::of(&open.file, block)),
            Ends::Damaged(damage) => self.coming.push_back(Arrival::Damage(damage)),
            Ends::End => {
                self.coming.push_back(end(&mut *open.stream));
                // It is now that the next one is looked for.
                self.feed.goes_on(None);
                return Ok(());
            }
            Ends::Full | Ends::Bor | Ends::Pause => {}
        }
        // Here the EOR is shown in any case: it stands in the file.
        if let Some(eor) = open.eor
            && self.feed.goes_on(Some(eor)).is_some()
        {
            open.eor = None;
            open.stream.finish();
        }
        if is_silent {
            open.stream.wait(GLANCE);
        }
        self.open = Some(open);
        Ok(())
    }
}

/// The end of a file.
fn end(stream: &mut dyn Stream) -> Arrival {
    Arrival::End(stream.events().refused().filter(|refused| refused.count() > 0).cloned())
}
