//! What the source makes: blocks to be worked on, and items for the fold.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use pactolus_formats::Damage;
use pactolus_formats::asc::Refusals;
use pactolus_formats::mid::Block;

use crate::Error;
use crate::begun::Begun;
use crate::block::{Until, Worker};
use crate::epoch::Epoch;
use crate::feed::{Ended, Missed};
use crate::hot::Taken;
use crate::job::{InputFile, Stop};
use crate::provenance::DigestOf;
use crate::stage::panic_text;
use crate::verify::Delay;

/// The right to have one block in flight, with all the memory that this needs. The number of
/// tickets bounds the memory of a job.
pub(crate) struct Ticket {
    pub(crate) block: Block,
    pub(crate) worker: Worker,
    /// Number of the file in its run.
    pub(crate) file: usize,
    /// Data events of the run before this block.
    pub(super) data_before: u64,
    /// Work on the block was broken off: only so many of its bytes count.
    pub(crate) cut: Option<u64>,
    /// The memory that it was found to hold [bytes].
    pub(crate) weight: usize,
    /// It is too old for who wants recent events only.
    pub(crate) is_stale: bool,
    /// When it was read, of a live source.
    pub(crate) read: Option<Instant>,
}

impl Ticket {
    pub(crate) fn new() -> Ticket {
        Ticket {
            block: Block::new(),
            worker: Worker::new(),
            file: 0,
            data_before: 0,
            cut: None,
            weight: 0,
            is_stale: false,
            read: None,
        }
    }

    /// Does the work again, for the events before number `end` only.
    pub(crate) fn shorten(&mut self, epoch: &Epoch, end: u64) {
        let Ticket { block, worker, data_before, is_stale, .. } = self;
        self.cut = worker.block(epoch, block, (*data_before, *is_stale), Until::Number(end)).or(Some(0));
    }

    /// The memory that it holds now [bytes].
    pub(crate) fn weigh(&self) -> usize {
        self.block.capacity() + self.worker.capacity()
    }
}

/// What the fold receives, in order.
pub(crate) enum Item {
    /// A run begins.
    Begin(Box<Begun>, Box<InputFile>),
    /// The run goes on in another file.
    File(InputFile),
    /// Others have changed the ODB: the blocks behind are of another epoch.
    Epoch(Box<Taken>),
    /// What looks odd.
    Warning(String),
    /// What the source has to say.
    News(String),
    /// Events that a live source could not hand on.
    Missed(Missed),
    /// Something is missing in the run before the next block.
    Gap { text: String, is_fault: bool },
    /// A block has gone through the wide stages.
    Block(Box<Ticket>),
    /// A block that another shard passes through them.
    Elsewhere(Elsewhere),
    /// Time has passed, of a live job.
    Tick,
    /// How far the inputs have been read.
    Read { done: u64, total: Option<u64> },
    /// Broken bytes.
    Damage(InputFile, Damage),
    /// What the text of an input does not hold.
    Refused(InputFile, Refusals),
    /// The run ends; the files it was read from.
    End(Vec<serde_json::Value>),
    /// An input without any event.
    Empty(InputFile),
    /// A live source gives nothing more.
    Over(Ended),
    /// The job cannot go on.
    Failed(Error),
}

/// What is known of a block of another shard.
pub(crate) struct Elsewhere {
    /// Its bytes.
    pub(crate) bytes: u64,
    /// Its events.
    pub(crate) events: u64,
    /// What its bytes sum up to.
    pub(crate) sum: u32,
}

/// An item with its place in the order.
pub(crate) type Numbered = (u64, Item);

/// A block that is to pass through the wide stages.
pub(crate) struct Work {
    /// Its place in the order.
    pub(super) number: u64,
    pub(crate) ticket: Box<Ticket>,
    pub(super) epoch: Arc<Epoch>,
    pub(super) delay: Option<Delay>,
    /// That of the file, which may be behind.
    pub(super) digest: Option<DigestOf>,
    pub(super) stops: [Stop; 2],
}

impl Work {
    /// Does it.
    pub(crate) fn done(mut self) -> Numbered {
        self.digest.iter().for_each(DigestOf::work);
        // Before the stages, so that these meet events in another order, and behind them.
        self.delay.iter().for_each(Delay::sleep);
        // A panic here is a fault of ours: it must end the job, not hang it.
        let done = catch_unwind(AssertUnwindSafe(|| {
            let Ticket { block, worker, data_before, is_stale, cut, .. } = &mut *self.ticket;
            *cut = worker.block(&self.epoch, block, (*data_before, *is_stale), Until::Asked(&self.stops));
        }));
        self.delay.iter().for_each(Delay::sleep);
        match done {
            Ok(()) => (self.number, Item::Block(self.ticket)),
            Err(panic) => (self.number, Item::Failed(Error::Internal(panic_text(&*panic)))),
        }
    }
}
