//! What the thread that pulls events hands to the one that reads them.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pactolus_formats::Header;

use crate::feed::Ended;
use crate::ledger::Offered;

/// What comes next.
#[derive(Debug)]
pub(super) enum Item {
    /// A run; its BOR comes first of what is behind.
    Begin(u32),
    /// Whole events, as in a file.
    Events(Piece),
    /// The run has ended; its EOR came last.
    End,
    /// The connection is lost.
    Broken,
    /// The run goes on; why something is missing.
    Again(String),
    /// The run has ended, nobody knows with which events; why.
    Gone(String),
    /// Nothing more comes.
    Over(Option<Ended>),
}

/// Whole events.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Vec<u8>,
    came: Instant,
}

/// A bounded queue; clones share it.
#[derive(Clone)]
pub(super) struct Spool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    moved: Condvar,
    /// Bytes of events that it holds at the most, and one batch more.
    most: usize,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    /// Bytes of the events in it.
    held: usize,
    /// Bytes that were handed on or will be.
    pushed: u64,
    /// Bytes that wait at the server.
    level: u64,
    news: Vec<String>,
    /// Events that were not handed on, by id.
    missed: BTreeMap<u16, Offered>,
    /// Nobody reads any more.
    stops: bool,
    /// Used pieces.
    spare: Vec<Vec<u8>>,
}

/// Used pieces that are kept.
const SPARE: usize = 8;

impl Spool {
    pub(super) fn new(most: usize) -> Spool {
        Spool(Arc::new(Shared { state: Mutex::default(), moved: Condvar::new(), most }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this is so, but not longer; the state then.
    fn wait_while(&self, longest: Duration, wait: impl FnMut(&mut State) -> bool) -> MutexGuard<'_, State> {
        let state = self.lock();
        self.0.moved.wait_timeout_while(state, longest, wait).unwrap_or_else(PoisonError::into_inner).0
    }

    /// An empty piece to be filled.
    pub(super) fn piece(&self) -> Vec<u8> {
        self.lock().spare.pop().unwrap_or_default()
    }

    /// Gives a piece back.
    pub(super) fn give_back(&self, mut bytes: Vec<u8>) {
        let mut state = self.lock();
        if state.spare.len() < SPARE {
            bytes.clear();
            state.spare.push(bytes);
        }
    }

    /// Adds events.
    pub(super) fn events(&self, bytes: Vec<u8>) {
        self.push(Item::Events(Piece { bytes, came: Instant::now() }));
    }

    pub(super) fn push(&self, item: Item) {
        let mut state = self.lock();
        if let Item::Events(piece) = &item {
            state.held += piece.bytes.len();
            state.pushed += piece.bytes.len() as u64;
        }
        state.items.push_back(item);
        self.0.moved.notify_all();
    }

    /// Whether it holds as much as it may; waits for room, but not longer than this.
    pub(super) fn is_full(&self, longest: Duration) -> bool {
        let most = self.0.most;
        let full = |state: &mut State| state.held >= most && !state.stops;
        full(&mut self.wait_while(longest, full))
    }

    /// Bytes that wait to be analyzed, here and at the server.
    pub(super) fn waiting(&self) -> u64 {
        let state = self.lock();
        state.held as u64 + state.level
    }

    /// Bytes there are, since the beginning.
    pub(super) fn written(&self) -> u64 {
        let state = self.lock();
        state.pushed + state.level
    }

    /// So many bytes wait at the server.
    pub(super) fn set_level(&self, level: u64) {
        self.lock().level = level;
    }

    /// Something the user should know.
    pub(super) fn say(&self, text: String) {
        let mut state = self.lock();
        state.news.push(text);
        self.0.moved.notify_all();
    }

    pub(super) fn news(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().news)
    }

    /// An event that is not handed on.
    pub(super) fn miss(&self, id: u16, account: impl FnOnce(&mut Offered)) {
        account(self.lock().missed.entry(id).or_default());
    }

    /// Events that were not handed on since the last time.
    pub(super) fn missed(&self) -> BTreeMap<u16, Offered> {
        std::mem::take(&mut self.lock().missed)
    }

    /// Nobody reads any more.
    pub(super) fn stop(&self) {
        self.lock().stops = true;
        self.0.moved.notify_all();
    }

    pub(super) fn stops(&self) -> bool {
        self.lock().stops
    }

    /// Whether there still is nothing to be read, after at most this time.
    pub(super) fn is_empty(&self, longest: Duration) -> bool {
        self.wait_while(longest, |state| state.items.is_empty() && !state.stops).items.is_empty()
    }

    /// Whether the connection is lost where the events end.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.lock().items.front(), Some(Item::Broken))
    }

    /// What comes behind the events in front, which nobody wants; `None` if nothing has within this time.
    pub(super) fn next(&self, longest: Duration) -> Option<Item> {
        let mut state = self.wait_while(longest, |state| {
            while let Some(Item::Events(_)) = state.items.front() {
                state.pop_events();
            }
            state.items.is_empty() && state.news.is_empty() && !state.stops
        });
        let next = state.items.pop_front();
        self.0.moved.notify_all();
        next
    }

    /// The next events; `None` where something else comes.
    fn pop(&self) -> io::Result<Option<Piece>> {
        let mut state = self.lock();
        match state.items.front() {
            Some(Item::Events(_)) => {
                let piece = state.pop_events();
                // It is on its way.
                state.pushed += piece.as_ref().map_or(0, |piece| piece.bytes.len() as u64);
                self.0.moved.notify_all();
                Ok(piece)
            }
            Some(_) => Ok(None),
            None if state.stops => Ok(None),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl State {
    /// Takes the events in front, as if they had not been there.
    fn pop_events(&mut self) -> Option<Piece> {
        let Some(Item::Events(piece)) = self.items.pop_front() else { return None };
        self.held -= piece.bytes.len();
        self.pushed -= piece.bytes.len() as u64;
        Some(piece)
    }
}

/// The headers of whole events that stand behind one another.
pub(super) fn headers(bytes: &[u8]) -> impl Iterator<Item = Header> + '_ {
    places(bytes).map(|(header, _)| header)
}

/// ... with where each begins.
pub(super) fn places(bytes: &[u8]) -> impl Iterator<Item = (Header, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (_, header) = Header::parse(bytes.get(at..)?).ok()?;
        let place = (header, at);
        at = at.saturating_add(Header::SIZE).saturating_add(header.size as usize);
        Some(place)
    })
}

/// When what was handed on had come: of each piece, its end in the stream.
#[derive(Clone, Default)]
pub(super) struct Ages(Arc<Mutex<VecDeque<(u64, Instant)>>>);

impl Ages {
    /// How old the event is that ends here; those before are forgotten.
    pub(super) fn of(&self, end: u64) -> Option<Duration> {
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while pieces.front().is_some_and(|(last, _)| *last < end) {
            pieces.pop_front();
        }
        pieces.front().map(|(_, came)| came.elapsed())
    }

    fn add(&self, end: u64, came: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((end, came));
    }
}

/// The events of one run, as bytes; where they end for now, `WouldBlock`.
pub(super) struct Bytes {
    spool: Spool,
    piece: Vec<u8>,
    at: usize,
    /// Bytes of the pieces so far.
    end: u64,
    /// Kept if somebody asks.
    ages: Option<Ages>,
}

impl Bytes {
    pub(super) fn new(spool: Spool, ages: Option<Ages>) -> Bytes {
        Bytes { spool, piece: Vec::new(), at: 0, end: 0, ages }
    }
}

impl Read for Bytes {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            let Some(Piece { bytes, came }) = self.spool.pop()? else { return Ok(0) };
            self.end += bytes.len() as u64;
            if let Some(ages) = &self.ages {
                ages.add(self.end, came);
            }
            self.spool.give_back(std::mem::replace(&mut self.piece, bytes));
            self.at = 0;
        }
        let count = buf.len().min(self.piece.len() - self.at);
        buf[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u16, serial: u32, size: usize) -> Vec<u8> {
        let header = Header { id, mask: 1, serial, time: 0, size: size as u32 };
        let mut bytes = header.to_bytes().to_vec();
        bytes.resize(Header::SIZE + size, 7);
        bytes
    }

    #[test]
    fn events_come_as_bytes_up_to_the_end_of_their_run() {
        let spool = Spool::new(1000);
        let mut bytes = Bytes::new(spool.clone(), None);
        let waits =
            |bytes: &mut Bytes| bytes.read(&mut [0; 8]).unwrap_err().kind() == io::ErrorKind::WouldBlock;
        assert!(waits(&mut bytes) && spool.is_empty(Duration::ZERO));
        spool.events(event(1, 1, 20));
        spool.events(event(1, 2, 0));
        spool.push(Item::End);
        assert_eq!(spool.written(), 52);
        let mut found = Vec::new();
        bytes.read_to_end(&mut found).unwrap();
        assert_eq!(found, [event(1, 1, 20), event(1, 2, 0)].concat());
        assert_eq!((spool.written(), spool.waiting()), (52, 0));
        assert!(!spool.is_broken() && !spool.is_empty(Duration::ZERO));
        assert!(matches!(spool.next(Duration::ZERO), Some(Item::End)));
        assert!(waits(&mut bytes));
        spool.stop();
        assert_eq!(bytes.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn what_is_full_has_room_again_when_it_is_read() {
        let spool = Spool::new(100);
        spool.events(event(1, 1, 90));
        assert!(spool.is_full(Duration::ZERO));
        let reader = spool.clone();
        std::thread::spawn(move || Bytes::new(reader, None).read(&mut [0; 10]).unwrap());
        assert!(!spool.is_full(Duration::from_secs(60)));
    }

    #[test]
    fn the_age_is_that_of_the_piece_with_the_last_event() {
        let (spool, ages) = (Spool::new(1000), Ages::default());
        let mut bytes = Bytes::new(spool.clone(), Some(ages.clone()));
        spool.events([event(1, 1, 8), event(1, 2, 8)].concat());
        std::thread::sleep(Duration::from_millis(20));
        let second = Instant::now();
        spool.events(event(1, 3, 8));
        spool.push(Item::End);
        bytes.read_to_end(&mut Vec::new()).unwrap();
        let old = |end: u64| ages.of(end).unwrap() >= Duration::from_millis(20);
        assert!(old(24) && old(48));
        assert!(ages.of(72).unwrap() <= second.elapsed());
        assert_eq!(ages.of(73), None);
    }

    #[test]
    fn events_that_nobody_wants_do_not_stand_in_the_way() {
        let spool = Spool::new(1000);
        spool.push(Item::Begin(1));
        spool.events(event(1, 1, 8));
        spool.push(Item::Begin(2));
        assert!(matches!(spool.next(Duration::ZERO), Some(Item::Begin(1))));
        assert!(matches!(spool.next(Duration::ZERO), Some(Item::Begin(2))));
        assert!(spool.next(Duration::ZERO).is_none());
        assert_eq!(spool.written(), 0);
    }
}
