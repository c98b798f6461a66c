//! The runs of a live source, one stream for each, or for each stretch between two losses of the connection.

use std::time::Duration;

use pactolus_formats::mid::Block;
use pactolus_formats::{Input, Limits};

use super::bytes::{Ages, Bytes};
use super::spool::{Item, Spool};
use super::{Eor, Feed, Late, Missed, Next, Opened, Stream};
use crate::Error;
use crate::job::{InputFile, Job};

/// The runs of a live source.
pub(crate) struct Streams {
    /// The source.
    name: String,
    spool: Spool,
    /// Older events are passed over.
    max_age: Option<Duration>,
    limits: Limits,
    /// A loss of the connection is a fault.
    is_fault: bool,
    run: Option<u32>,
}

impl Streams {
    pub(crate) fn new(name: String, (spool, max_age): (Spool, Option<Duration>), job: &Job) -> Streams {
        Streams { name, spool, max_age, limits: job.limits, is_fault: !job.allow_missing, run: None }
    }

    fn open(&self, continues: bool, gap: Option<String>) -> Result<Next, Error> {
        let file = InputFile::new(&self.name).with_run(self.run);
        let max_age = self.max_age.map(|max_age| (max_age, Ages::default()));
        let ages = max_age.as_ref().map(|(_, ages)| ages.clone());
        let input = Input::new_with(Bytes::new(self.spool.clone(), ages), &file.path, &self.limits)?;
        let events = Late::new(input, self.limits).comes_whole();
        let stream = Box::new(Arriving { events, max_age, spool: self.spool.clone() });
        Ok(Next::Stream(Opened { file, stream, continues, gap, is_fault: self.is_fault }))
    }
}

impl Feed for Streams {
    fn next(&mut self, longest: Duration) -> Result<Next, Error> {
        loop {
            return match self.spool.next(longest) {
                Some(Item::Begin(run)) => {
                    self.run = Some(run);
                    self.open(false, None)
                }
                Some(Item::Again(gap)) if self.run.is_some() => self.open(true, Some(gap)),
                Some(Item::Gone(gap)) if self.run.is_some() => {
                    self.run = None;
                    Ok(Next::Gone { gap, is_fault: self.is_fault })
                }
                Some(Item::Over(ended)) => Ok(Next::Over(ended)),
                // Nobody wants more of the run, or it is the stream that says so.
                Some(_) => continue,
                None => Ok(Next::Wait),
            };
        }
    }

    fn goes_on(&mut self, eor: Option<Eor>) -> Option<bool> {
        if eor.is_none() && self.spool.is_broken() {
            return None;
        }
        self.run = None;
        Some(false)
    }

    fn news(&mut self) -> Vec<String> {
        self.spool.news()
    }

    fn is_paused(&self) -> bool {
        self.spool.is_paused()
    }

    fn missed(&mut self) -> Missed {
        self.spool.missed()
    }
}

/// The events of a run as they come.
struct Arriving {
    events: Late,
    max_age: Option<(Duration, Ages)>,
    spool: Spool,
}

impl Stream for Arriving {
    fn events(&mut self) -> &mut Late {
        &mut self.events
    }

    fn done(&self) -> u64 {
        self.events.done()
    }

    fn may_wait(&self) -> bool {
        true
    }

    fn is_stale(&mut self, block: &Block) -> bool {
        let Some((max_age, ages)) = &self.max_age else { return false };
        ages.of(self.events.reached(block)).is_some_and(|age| age > *max_age)
    }

    fn wait(&self, longest: Duration) -> bool {
        self.spool.is_empty(longest)
    }
}
