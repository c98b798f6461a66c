//! The hand that publishes.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release, SeqCst};
use std::time::Duration;

use pactolus_formats::{EventView, Header};

use crate::job::Stop;
use crate::shm::journal::{self, Record};
use crate::shm::layout::{slot, word};
use crate::shm::map::Map;
use crate::shm::ring::Ring;
use crate::shm::words::Words;
use crate::shm::writer::Writer;
use crate::shm::{Error, Result, TransitionKind, bell, slots};

/// Bytes of the journal that are kept without a reason.
const IDLE: u64 = 1 << 20;
/// So many times the size of the stream, transitions wait for a consumer at the most.
const MOST: u64 = 8;

/// Sleepers are not woken for single events more often than this [ns].
const QUIET: u64 = 50_000;

/// What the producer and the thread that publishes after a delay do, one at a time.
pub(super) struct Hand {
    pub(super) ring: Arc<Ring>,
    pub(super) writer: Writer<Map>,
    pub(super) run: Option<u32>,
    pub(super) stop: Stop,
    /// The one that publishes after a delay is to end, or sleeps.
    pub(super) quits: bool,
    pub(super) is_idle: bool,
    /// Sleepers are not woken for single events before [ns].
    pub(super) quiet_until: u64,
}

impl Hand {
    /// After another producer: if it has left a run behind, that is cut.
    pub(super) fn recover(&mut self) -> Result<()> {
        match self.ring.run()? {
            (Some(run), _) => self.transition(TransitionKind::Cut, run, Vec::new()),
            (None, _) => Ok(()),
        }
    }

    /// Publishes the open frame.
    pub(super) fn publish(&mut self) {
        if self.writer.is_open() {
            self.writer.close(bell::now());
            self.ring.wake();
        }
    }

    /// Publishes the open frame if somebody sleeps who could read it, and was not woken a moment ago: else each event
    /// would cost a wake-up when they come faster than one takes.
    #[inline]
    pub(super) fn publish_to_sleepers(&mut self) {
        let (_, asleep) = self.ring.map.bell(word::BELL);
        if asleep.load(Relaxed) != 0 && self.writer.is_to_ask() {
            let now = bell::now();
            if now >= self.quiet_until {
                self.quiet_until = now + QUIET;
                self.publish();
            }
        }
    }

    /// Opens a frame, and waits for those who want all.
    pub(super) fn open(&mut self, bytes: u64) -> Result<()> {
        if self.writer.open(bytes) {
            return Ok(());
        }
        let ring = Arc::clone(&self.ring);
        let (map, since) = (&ring.map, bell::now());
        map.set(word::WAITING, since);
        // However it ends, nobody waits then.
        let opened = self.opened(&ring, bytes);
        // Who has seen that it waits, and then adds up, looks at the sum again.
        let waited = map.get(word::WAITED).saturating_add(bell::now().saturating_sub(since));
        map.store(word::WAITED, waited, Release);
        map.store(word::WAITING, 0, Release);
        opened
    }

    /// Opens a frame as soon as nobody holds its place.
    fn opened(&mut self, ring: &Ring, bytes: u64) -> Result<()> {
        let map = &ring.map;
        loop {
            if let Some((slot, position)) = slots::held(map, &ring.layout) {
                map.set(word::WAITS_FOR, slot as u64 + 1);
                if self.stop.is_asked() {
                    return Err(Error::Stopped);
                }
                // The lock of one who is dead can be had.
                if ring.try_lock(Ring::slot_lock(slot))? {
                    slots::clear(map, &ring.layout, slot);
                    ring.unlock(Ring::slot_lock(slot));
                } else {
                    let (bell, asleep) = map.bell(word::SPACE);
                    let longest = Duration::from_millis(50);
                    bell::sleep(bell, asleep, longest, || {
                        slots::held(map, &ring.layout) != Some((slot, position))
                    });
                }
            }
            if self.writer.open(bytes) {
                return Ok(());
            }
        }
    }

    #[inline]
    pub(super) fn push(&mut self, header: &Header, payload: &[u8]) -> Result<()> {
        let bytes = (Header::SIZE + payload.len()) as u64;
        if self.writer.room() < bytes && !self.make_place(header.id, bytes)? {
            return Ok(());
        }
        self.writer.put(&header.to_bytes());
        self.writer.put(payload);
        self.writer.count(header.id);
        self.publish_to_sleepers();
        Ok(())
    }

    /// A new frame for an event of so many bytes; `false` if it is too big, which is counted.
    pub(super) fn make_place(&mut self, id: u16, bytes: u64) -> Result<bool> {
        let has_room = self.writer.can_hold(bytes);
        if has_room || self.writer.room() == 0 {
            self.publish();
            self.open(if has_room { bytes } else { 0 })?;
        }
        if !has_room {
            self.writer.count_too_big(id);
        }
        Ok(has_room)
    }

    pub(super) fn push_all(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // As many as fit are copied at once.
            let (mut count, mut stretch) = (0, rest);
            let next = loop {
                if stretch.is_empty() {
                    break None;
                }
                let Some((event, behind)) = EventView::parse(stretch) else {
                    self.writer.put(&rest[..count]);
                    let why = format!(
                        "{} bytes at byte {} are no whole event",
                        stretch.len(),
                        bytes.len() - stretch.len()
                    );
                    return Err(Error::BadEvent { why });
                };
                let size = stretch.len() - behind.len();
                let is_transition = TransitionKind::of(event.kind()).is_some();
                if is_transition || self.writer.room() < (count + size) as u64 {
                    break Some(event);
                }
                self.writer.count(event.header.id);
                (count, stretch) = (count + size, behind);
            };
            self.writer.put(&rest[..count]);
            rest = &rest[count..];
            let Some(EventView { header, payload }) = next else { break };
            let size = Header::SIZE + payload.len();
            match TransitionKind::of(header.kind()) {
                Some(kind) => self.transition(kind, header.serial, rest[..size].to_vec())?,
                None if self.make_place(header.id, size as u64)? => continue,
                None => {}
            }
            rest = &rest[size..];
        }
        self.publish_to_sleepers();
        Ok(())
    }

    /// A pause, or its end, of the run in hand.
    pub(super) fn turn(&mut self, kind: TransitionKind) -> Result<()> {
        match self.run {
            Some(run) => self.transition(kind, run, Vec::new()),
            None => Ok(()),
        }
    }

    pub(super) fn transition(&mut self, kind: TransitionKind, run: u32, event: Vec<u8>) -> Result<()> {
        self.publish();
        if let (TransitionKind::Begin, Some(before)) = (kind, self.run) {
            self.transition(TransitionKind::Cut, before, Vec::new())?;
        }
        if kind == TransitionKind::End && self.run != Some(run) {
            let why = format!("an end of run {run}, which has not begun");
            return Err(Error::BadEvent { why });
        }
        let (ring, map) = (Arc::clone(&self.ring), &self.ring.map);
        let at = map.get(word::JOURNAL);
        self.make_journal_room(at);
        let record = Record {
            kind: kind.code(),
            run,
            position: self.writer.position(),
            event,
            totals: self.writer.totals(),
        };
        let end = journal::append(&ring.file, ring.layout.bytes(), at, &record)?;
        if kind == TransitionKind::Begin {
            // Nobody reads behind the end.
            map.store(word::BEGUN, at + 1, Release);
        }
        map.store(word::JOURNAL, end, Release);
        map.fence(SeqCst);
        ring.wake();
        self.run = match kind {
            TransitionKind::Begin => Some(run),
            TransitionKind::End | TransitionKind::Cut => None,
            _ => self.run,
        };
        Ok(())
    }

    /// Gives back what all consumers have read of the journal. One that reads nothing is given up when too much waits
    /// for it.
    pub(super) fn make_journal_room(&self, end: u64) {
        let (map, layout) = (&self.ring.map, &self.ring.layout);
        let punched = map.get(word::PUNCHED);
        if end.saturating_sub(punched) < IDLE {
            return;
        }
        // Who comes needs the last run.
        let mut read = map.get(word::BEGUN).saturating_sub(1).min(end);
        for number in 0..layout.slots {
            let Some(slot) = slots::get(map, layout, number) else { continue };
            let is_dead = || !self.ring.is_locked(Ring::slot_lock(number));
            if slot.journal >= read || is_dead() {
                continue;
            }
            if end.saturating_sub(slot.journal) > MOST * layout.size {
                map.store(layout.slot(number) + slot::EVICTED, 1, SeqCst);
            } else {
                read = slot.journal;
            }
        }
        if read > punched {
            journal::punch(&self.ring.file, layout.bytes(), punched, read);
            map.set(word::PUNCHED, read);
        }
    }
}
