//! The events of one file that is followed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pactolus_formats::mid::{Block, Stop as Ends};
use pactolus_formats::{Header, Input};

use super::bell::{Bell, GLANCE, wait_for};
use super::growing::{Handle, SETTLED};
use crate::feed::{Late, Stream};
use crate::provenance::DigestOf;

/// A file that is followed.
pub(super) struct Followed {
    pub(super) events: Late,
    pub(super) digest: Option<DigestOf>,
    pub(super) handle: Handle,
    pub(super) bell: Arc<Bell>,
    /// Its EOR may be one between two subruns.
    pub(super) is_subrun: bool,
    /// Its run has ended.
    pub(super) finishing: bool,
    /// Its name.
    pub(super) name: PathBuf,
    pub(super) awaited: Option<Awaited>,
}

/// So long an event of which a part is there is waited for without a word.
const QUIET: Duration = Duration::from_secs(10);

impl Followed {
    /// Says what is waited for, if that takes long: the size of an event may be broken.
    fn waits(&mut self, block: &Block) {
        let Some((bytes, header)) = self.events.awaited() else { return };
        let number = block.first + block.count;
        let known = self.awaited.filter(|awaited| awaited.number == number);
        let mut awaited = known.unwrap_or(Awaited { number, since: Instant::now(), is_said: false });
        if !awaited.is_said && awaited.since.elapsed() >= QUIET {
            awaited.is_said = true;
            self.handle.say(format!(
                "event {number} of {} (id {}, serial {}) claims {} bytes, of which {} are there: nothing behind it is analyzed until they have come",
                self.name.display(),
                header.id,
                header.serial,
                header.size,
                bytes.saturating_sub(Header::SIZE)
            ));
        }
        self.awaited = Some(awaited);
    }
}

/// An event of which a part is there.
#[derive(Clone, Copy)]
pub(super) struct Awaited {
    number: u64,
    since: Instant,
    is_said: bool,
}

impl Stream for Followed {
    fn events(&mut self) -> &mut Late {
        &mut self.events
    }

    fn read(&mut self, block: &mut Block, target: usize) -> io::Result<Ends> {
        // What stands behind the end of the events belongs to the file: checksums of compressed ones.
        let is_complete = |input: &Input| input.is_between() || input.is_broken();
        if self.finishing && self.events.input().is_some_and(is_complete) {
            self.handle.finish();
        }
        let ends = self.events.read(block, target)?;
        self.finishing |= ends == Ends::Pause && !self.is_subrun && self.events.is_at_eor();
        self.handle.reached(self.events.reached(block), self.events.is_clean());
        match ends {
            Ends::Pause => self.waits(block),
            _ => self.awaited = None,
        }
        Ok(ends)
    }

    fn done(&self) -> u64 {
        self.handle.done()
    }

    fn may_wait(&self) -> bool {
        true
    }

    fn wait(&self, longest: Duration) -> bool {
        // Whether it has ended is found out by reading.
        let longest = if self.finishing { longest.min(SETTLED / 4) } else { longest };
        !wait_for(&self.bell, longest, GLANCE, || self.handle.has_more())
    }

    fn finish(&mut self) {
        self.finishing = true;
    }

    fn is_whole(&self) -> bool {
        self.handle.is_whole()
    }

    fn digest(&self) -> Option<&DigestOf> {
        self.digest.as_ref()
    }
}
