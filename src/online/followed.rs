//! The events of one file that is followed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pactolus_formats::Input;
use pactolus_formats::asc::Refusals;
use pactolus_formats::mid::{Block, Stop as Ends};

use super::bell::{Bell, GLANCE, wait_for};
use super::growing::{Handle, SETTLED};
use crate::events::Layouts;
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
}

impl Stream for Followed {
    fn read(&mut self, block: &mut Block, target: usize) -> io::Result<Ends> {
        // What stands behind the end of the events belongs to the file: checksums of compressed ones.
        if self.finishing && self.events.input().is_some_and(Input::is_between) {
            self.handle.finish();
        }
        let ends = self.events.read(block, target)?;
        self.finishing |= ends == Ends::Pause && !self.is_subrun && self.events.is_at_eor();
        Ok(ends)
    }

    fn stop_before(&mut self, event: Option<u64>) {
        self.events.stop_before(event);
    }

    fn next_number(&self) -> u64 {
        self.events.next_number()
    }

    fn learn(&mut self, layouts: Layouts) {
        self.events.learn(layouts);
    }

    fn done(&self) -> u64 {
        self.handle.at()
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
        self.handle.ending().is_some_and(|ending| ending.is_whole())
    }

    fn digest(&self) -> Option<&DigestOf> {
        self.digest.as_ref()
    }

    fn refused(&self) -> Option<&Refusals> {
        self.events.refused()
    }
}
