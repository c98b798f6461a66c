//! Where the events of a job come from: one stream behind the other.
//!
//! A *stream* is a file, a pipe, a file that grows, or a connection; a *feed* says which stream comes next,
//! and whether the run goes on in it. The source does everything else, so that all of them behave alike:
//!
//! - A run begins with its BOR event, whose text is a snapshot of the ODB. A feed that is attached in the
//!   middle of a run gives one first, made of the ODB as it is then.
//! - It ends with its EOR event, which comes behind all of its events. If the feed does not know yet whether
//!   the run goes on in another stream, the EOR waits until it does.
//! - A stream that breaks off and goes on in the same run is a stream with a gap before it. If it goes on in
//!   another run, the run ends, and the feed says that it is not complete.

mod attached;
mod bytes;
mod hearing;
mod late;
mod listed;
mod missed;
mod piece;
mod reserved;
mod spool;
mod streams;

use std::io;
use std::time::Duration;

use pactolus_formats::mid::{Block, Stop as Ends};
use pactolus_formats::{EventView, Header};
use serde::Serialize;

pub(crate) use attached::Attached;
pub(crate) use hearing::Hearing;
pub(crate) use late::Late;
pub(crate) use listed::Listed;
pub(crate) use missed::Missed;
pub(crate) use piece::{counted_as, headers, places};
pub(crate) use spool::{Bounds, Item, Spool};
pub(crate) use streams::Streams;

use crate::Error;
use crate::job::InputFile;
use crate::layers::dumped;
use crate::provenance::DigestOf;

/// Events, block by block, which never waits for them.
pub(crate) trait Stream: Send {
    /// Its events.
    fn events(&mut self) -> &mut Late;

    /// Fills `block` with whole events of one run, of about `target` bytes in all. Where nothing more has
    /// come, [`Ends::Pause`] says so.
    fn read(&mut self, block: &mut Block, target: usize) -> io::Result<Ends> {
        self.events().read(block, target)
    }

    /// Bytes of it that were read, as they stand where they come from.
    fn done(&self) -> u64;

    /// Whether somebody else writes it, who may take his time.
    fn may_wait(&self) -> bool {
        false
    }

    /// Waits for more, but not longer than this; whether there still is nothing.
    fn wait(&self, _longest: Duration) -> bool {
        false
    }

    /// Its run has ended, and nothing more is wanted than what comes at once.
    fn finish(&mut self) {}

    /// Whether what was read last is too old to be analyzed.
    fn is_stale(&mut self, _block: &Block) -> bool {
        false
    }

    /// Whether it was read to the end that its writer has made.
    fn is_whole(&self) -> bool {
        true
    }

    /// Of what was read, for the provenance.
    fn digest(&self) -> Option<&DigestOf> {
        None
    }
}

/// What the last stream of a run has to say of its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Eor {
    /// Whether the run was being stopped when it was written; `None` if nobody knows.
    pub(crate) stops: Option<bool>,
}

impl Eor {
    /// What the EOR says with which `block` ends.
    pub(crate) fn of(file: &InputFile, block: &Block) -> Eor {
        // A snapshot is large: it is read only where it is asked for.
        let stops = file.subrun().is_some().then(|| block.events().last().and_then(is_stopping));
        Eor { stops: stops.flatten() }
    }
}

/// Whether the run was being stopped when this EOR was written, as its ODB says: between two subruns, it is
/// not. `None` if it does not say.
pub fn is_stopping(eor: EventView<'_>) -> Option<bool> {
    /// MIDAS's `TR_STOP`.
    const STOP: i32 = 2;
    let transition = dumped(eor.text()).get::<i32>("/Runinfo/Transition in progress").ok()?;
    Some(transition == STOP)
}

/// The last event that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Its number in its file, or, of a job, in all subruns together, and what its header says.
    number: u64,
    id: u16,
    serial: u32,
}

impl Seen {
    /// The last of a block.
    pub(crate) fn of(block: &Block) -> Option<Seen> {
        let Header { id, serial, .. } = block.events().last()?.header;
        Some(Seen { number: block.first + block.count - 1, id, serial })
    }
}

/// The streams of a job.
pub(crate) trait Feed: Send {
    /// The next stream. Waits for it, but not longer than this.
    fn next(&mut self, longest: Duration) -> Result<Next, Error>;

    /// Whether the run of the last stream goes on in another; `None` if that is not known yet: then the next
    /// one says. `eor`: what has come of it ends with an EOR; else it has ended.
    fn goes_on(&mut self, eor: Option<Eor>) -> Option<bool>;

    /// What it could not hand on since the last time, as far as it stands before that which was read.
    fn missed(&mut self) -> Missed {
        Missed::default()
    }

    /// Whether the run is paused where the events end that were read.
    fn is_paused(&self) -> bool {
        false
    }

    /// What is to be said of it since the last time.
    fn news(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// What comes next.
pub(crate) enum Next {
    /// A stream.
    Stream(Opened),
    /// The run that might have gone on has ended, but not with its EOR; why.
    Gone { gap: String, is_fault: bool },
    /// Nothing yet.
    Wait,
    /// Nothing more.
    Over(Option<Ended>),
}

/// A stream that was opened.
pub(crate) struct Opened {
    /// Its name.
    pub(crate) file: InputFile,
    pub(crate) stream: Box<dyn Stream>,
    /// The run goes on in it.
    pub(crate) continues: bool,
    /// Something is missing before it, which is a fault unless the user allows for it.
    pub(crate) gap: Option<String>,
    pub(crate) is_fault: bool,
}

/// Why a live source gives nothing more, other than because the runs that were asked for are complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "how", content = "text", rename_all = "snake_case")]
pub enum Ended {
    /// Nothing has come for too long.
    TimedOut(String),
    /// It is not what it was.
    Lost(String),
}

impl Ended {
    /// ... with the last event that came before.
    pub(crate) fn after(self, seen: Option<Seen>) -> Ended {
        let last = seen.map_or("no event was complete".into(), |Seen { number, id, serial }| {
            format!("the last complete event is number {number} (id {id}, serial {serial})")
        });
        match self {
            Ended::TimedOut(text) => Ended::TimedOut(format!("{text}; {last}")),
            Ended::Lost(text) => Ended::Lost(format!("{text}; {last}")),
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Ended::TimedOut(text) | Ended::Lost(text)) = self;
        f.write_str(text)
    }
}
