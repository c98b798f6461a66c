//! What the thread that pulls events hands to the one that reads them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pactolus_formats::Header;

use super::piece::{Piece, counted_as, places};
use super::reserved::{Place, Reserved};
use super::{Ended, Missed};
use crate::ledger::Offered;

/// What comes next.
#[derive(Debug)]
pub(crate) enum Item {
    /// A run; its BOR comes first of what is behind.
    Begin(u32),
    /// Whole events, as in a file.
    Events(Piece),
    /// The run is paused, or goes on.
    Paused(bool),
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

/// What a spool holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    /// Bytes of events at the most, and one batch more.
    pub(crate) most: usize,
    /// If something older is to be read, all that is older than half of this is passed over.
    pub(crate) max_age: Option<Duration>,
    /// So many of the newest events of these ids are kept nevertheless, of `most` bytes more.
    pub(crate) reserve: BTreeMap<u16, u32>,
}

/// A bounded queue; clones share it.
#[derive(Clone)]
pub(crate) struct Spool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    moved: Condvar,
    most: usize,
    max_age: Option<Duration>,
}

#[derive(Default)]
struct State {
    items: VecDeque<Entry>,
    /// Events that are kept of what was passed over. They stand between the items.
    reserved: Reserved,
    /// The number of the next.
    next: u64,
    /// Bytes of the events in it.
    held: usize,
    /// Items that are no events.
    transitions: usize,
    /// Bytes that were handed on or will be.
    pushed: u64,
    /// Bytes that wait where they come from.
    level: u64,
    news: Vec<String>,
    /// What is missing before the next item, ...
    behind: Missed,
    /// ... and before that which was read.
    missed: Missed,
    run: u32,
    is_paused: bool,
    /// Nobody reads any more.
    stops: bool,
    /// Used pieces.
    spare: Vec<Vec<u8>>,
}

/// An item in the queue.
struct Entry {
    number: u64,
    /// What is missing before it.
    missed: Missed,
    item: Item,
}

/// Used pieces that are kept.
const SPARE: usize = 8;

/// So many transitions may wait.
const TRANSITIONS: usize = 8;

impl Spool {
    /// A spool for so many bytes.
    pub(crate) fn new(most: usize) -> Spool {
        Spool::with(Bounds { most, ..Bounds::default() })
    }

    pub(crate) fn with(bounds: Bounds) -> Spool {
        let Bounds { most, max_age, reserve } = bounds;
        let state = State { reserved: Reserved::new(reserve, most), ..State::default() };
        Spool(Arc::new(Shared { state: Mutex::new(state), moved: Condvar::new(), most, max_age }))
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
    pub(crate) fn piece(&self) -> Vec<u8> {
        self.lock().spare.pop().unwrap_or_default()
    }

    /// Gives a piece back.
    pub(crate) fn give_back(&self, bytes: Vec<u8>) {
        self.lock().give_back(bytes);
    }

    /// Adds events.
    pub(crate) fn events(&self, bytes: Vec<u8>) {
        self.events_of(bytes, Instant::now());
    }

    /// Adds events that have come at this time.
    pub(crate) fn events_of(&self, bytes: Vec<u8>, came: Instant) {
        let mut state = self.lock();
        // Nothing that is kept stands between the two.
        let next = state.next;
        let last = state.items.back_mut().filter(|entry| entry.number + 1 == next);
        if let Some(Item::Events(last)) = last.map(|entry| &mut entry.item)
            && last.takes(&bytes, came)
        {
            last.bytes.extend_from_slice(&bytes);
            state.held += bytes.len();
            state.pushed += bytes.len() as u64;
            // What is missing between the two is missing before what comes next.
            state.give_back(bytes);
        } else {
            state.push(Item::Events(Piece { bytes, came, is_boundary: false }));
        }
        self.0.moved.notify_all();
    }

    /// Adds a BOR or an EOR.
    pub(crate) fn boundary(&self, bytes: Vec<u8>) {
        self.push(Item::Events(Piece { bytes, came: Instant::now(), is_boundary: true }));
    }

    pub(crate) fn push(&self, item: Item) {
        self.lock().push(item);
        self.0.moved.notify_all();
    }

    /// Adds events although it is full: the newest of some ids are kept, what is older of these is overrun.
    pub(crate) fn reserve(&self, bytes: &[u8]) {
        let mut state = self.lock();
        for (header, at) in places(bytes) {
            let Some(event) = bytes.get(at..at + Header::SIZE + header.size as usize) else { break };
            let place = (state.next, 0);
            state.next += 1;
            for place in state.keep(header.id, place, event) {
                let missed = state.missed_at(place).account(header.id);
                missed.offered += 1;
                missed.overrun += 1;
            }
        }
        self.0.moved.notify_all();
    }

    /// Whether it holds as much as it may; waits for room, but not longer than this.
    pub(crate) fn is_full(&self, longest: Duration) -> bool {
        let most = self.0.most;
        let full = |state: &mut State| state.held >= most && !state.stops;
        full(&mut self.wait_while(longest, full))
    }

    /// Whether so much waits to be read that no transition may be added; waits for room, but not longer than
    /// this.
    pub(crate) fn is_choked(&self, longest: Duration) -> bool {
        let most = self.0.most.saturating_mul(2);
        let choked =
            |state: &mut State| (state.transitions > TRANSITIONS || state.held >= most) && !state.stops;
        choked(&mut self.wait_while(longest, choked))
    }

    /// Waits until nobody reads any more, but not longer than this; whether that is so.
    pub(crate) fn rests(&self, longest: Duration) -> bool {
        self.wait_while(longest, |state| !state.stops).stops
    }

    /// Bytes that wait to be analyzed, here and where they come from.
    pub(crate) fn waiting(&self) -> u64 {
        let state = self.lock();
        state.held as u64 + state.level
    }

    /// Bytes there are, since the beginning.
    pub(crate) fn written(&self) -> u64 {
        let state = self.lock();
        state.pushed + state.level
    }

    /// So many bytes wait where they come from.
    pub(crate) fn set_level(&self, level: u64) {
        self.lock().level = level;
    }

    /// Something the user should know.
    pub(crate) fn say(&self, text: String) {
        let mut state = self.lock();
        state.news.push(text);
        self.0.moved.notify_all();
    }

    pub(crate) fn news(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().news)
    }

    /// An event that is not handed on, before what comes next.
    pub(crate) fn miss(&self, id: u16, account: impl FnOnce(&mut Offered)) {
        account(self.lock().behind.account(id));
    }

    /// The producer has waited for so long.
    pub(crate) fn waited(&self, waited: Duration) {
        self.lock().behind.waited += waited;
    }

    /// What was not handed on since the last time, up to what was read.
    pub(crate) fn missed(&self) -> Missed {
        std::mem::take(&mut self.lock().missed)
    }

    /// Whether the run is paused where the events end that were read.
    pub(crate) fn is_paused(&self) -> bool {
        self.lock().is_paused
    }

    /// Nobody reads any more.
    pub(crate) fn stop(&self) {
        self.lock().stops = true;
        self.0.moved.notify_all();
    }

    pub(crate) fn stops(&self) -> bool {
        self.lock().stops
    }

    /// Whether what is too old when it is read is passed over.
    pub(crate) fn is_recent(&self) -> bool {
        self.0.max_age.is_some()
    }

    /// Whether there still is nothing to be read, after at most this time.
    pub(crate) fn is_empty(&self, longest: Duration) -> bool {
        self.wait_while(longest, |state| state.is_empty() && !state.stops).is_empty()
    }

    /// Whether the connection is lost where the events end.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.lock().front(), Some(Item::Broken))
    }

    /// What comes behind the events in front, which nobody wants; `None` if nothing has within this time.
    pub(crate) fn next(&self, longest: Duration) -> Option<Item> {
        let mut state = self.wait_while(longest, |state| {
            state.pass_events();
            state.items.is_empty() && state.news.is_empty() && !state.stops
        });
        let next = state.pop_item();
        self.0.moved.notify_all();
        next
    }

    /// The next events, about so many bytes at the most; `None` where something else comes.
    pub(crate) fn pop(&self, most: usize) -> io::Result<Option<Piece>> {
        let mut state = self.lock();
        if let Some(max_age) = self.0.max_age {
            state.pass_stale(max_age);
        }
        let popped = state.pop(most);
        self.0.moved.notify_all();
        popped
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.reserved.first().is_none()
    }

    fn front(&self) -> Option<&Item> {
        self.items.front().map(|entry| &entry.item)
    }

    fn push(&mut self, item: Item) {
        match &item {
            Item::Events(piece) => {
                self.held += piece.bytes.len();
                self.pushed += piece.bytes.len() as u64;
            }
            _ => self.transitions += 1,
        }
        let (number, missed) = (self.next, std::mem::take(&mut self.behind));
        self.next += 1;
        self.items.push_back(Entry { number, missed, item });
    }

    /// Takes the item in front, as if it had not been there.
    fn pop_front(&mut self) -> Option<Entry> {
        let entry = self.items.pop_front()?;
        match &entry.item {
            Item::Events(piece) => {
                self.held -= piece.bytes.len();
                self.pushed -= piece.bytes.len() as u64;
            }
            _ => self.transitions -= 1,
        }
        Some(entry)
    }

    fn give_back(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < SPARE {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    /// Keeps an event; where those of its id stand that are not kept any more.
    fn keep(&mut self, id: u16, place: Place, event: &[u8]) -> Vec<Place> {
        self.pushed += event.len() as u64;
        self.reserved.keep(id, place, event.to_vec());
        let mut places = Vec::new();
        while let Some((place, dropped)) = self.reserved.over(id) {
            self.pushed -= dropped.len() as u64;
            places.push(place);
        }
        places
    }

    /// What is missing before the item behind this place.
    fn missed_at(&mut self, (number, _): Place) -> &mut Missed {
        let behind = self.items.partition_point(|entry| entry.number <= number);
        match self.items.get_mut(behind) {
            Some(entry) => &mut entry.missed,
            None => &mut self.behind,
        }
    }

    /// Takes the first event that is kept, if it comes before all items.
    fn pop_reserved(&mut self) -> Option<Vec<u8>> {
        let (first, _) = self.reserved.first()?;
        if self.items.front().is_some_and(|entry| entry.number < first) {
            return None;
        }
        let bytes = self.reserved.take_first()?;
        self.pushed -= bytes.len() as u64;
        Some(bytes)
    }

    fn pop(&mut self, most: usize) -> io::Result<Option<Piece>> {
        let piece = match self.pop_reserved() {
            Some(bytes) => Piece { bytes, came: Instant::now(), is_boundary: false },
            None => {
                let Some(front) = self.items.front_mut() else {
                    return if self.stops { Ok(None) } else { Err(io::ErrorKind::WouldBlock.into()) };
                };
                self.missed.add(std::mem::take(&mut front.missed));
                match &mut front.item {
                    Item::Events(piece) => {
                        // It is on its way: it counts as pushed.
                        if let Some(first) = piece.split(most) {
                            self.held -= first.bytes.len();
                            return Ok(Some(first));
                        }
                    }
                    Item::Paused(paused) => {
                        let paused = *paused;
                        self.pop_front();
                        self.pause(paused);
                        // Who reads sees that it is so before he sees what comes behind.
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    _ => return Ok(None),
                }
                let Some(Entry { item: Item::Events(piece), .. }) = self.pop_front() else {
                    return Ok(None);
                };
                piece
            }
        };
        // It is on its way.
        self.pushed += piece.bytes.len() as u64;
        Ok(Some(piece))
    }

    /// Passes over events in front, if the first of them are too old.
    fn pass_stale(&mut self, max_age: Duration) {
        let now = Instant::now();
        let age = |entry: Option<&Entry>| match entry.map(|entry| &entry.item) {
            Some(Item::Events(piece)) if !piece.is_boundary => now.saturating_duration_since(piece.came),
            _ => Duration::ZERO,
        };
        if age(self.items.front()) <= max_age {
            return;
        }
        while age(self.items.front()) > max_age / 2 {
            let Some(Entry { number, missed, item: Item::Events(piece) }) = self.pop_front() else { return };
            self.missed.add(missed);
            for ((header, at), place) in places(&piece.bytes).zip(0..) {
                let end = at + Header::SIZE + header.size as usize;
                let (id, stale) = match piece.bytes.get(at..end).filter(|_| self.reserved.has(header.id)) {
                    Some(event) => (Some(header.id), self.keep(header.id, (number, place), event).len()),
                    None => (counted_as(header.id), 1),
                };
                if let Some(id) = id.filter(|_| stale > 0) {
                    let missed = self.missed.account(id);
                    missed.offered += stale as u64;
                    missed.stale += stale as u64;
                }
            }
            self.give_back(piece.bytes);
        }
    }

    /// Passes over the events in front, and pauses.
    fn pass_events(&mut self) {
        loop {
            if self.pop_reserved().is_some() {
                continue;
            }
            match self.front() {
                Some(Item::Events(_)) => drop(self.pop_front()),
                Some(Item::Paused(_)) => {
                    if let Some(Entry { item: Item::Paused(paused), .. }) = self.pop_front() {
                        self.pause(paused);
                    }
                }
                _ => return,
            }
        }
    }

    /// Takes the item in front, which is no events.
    fn pop_item(&mut self) -> Option<Item> {
        let Entry { missed, item, .. } = self.pop_front()?;
        self.missed.add(missed);
        if let Item::Begin(run) = &item {
            // What is missing before it is of no run.
            self.missed = Missed::default();
            (self.run, self.is_paused) = (*run, false);
        }
        Some(item)
    }

    fn pause(&mut self, paused: bool) {
        if std::mem::replace(&mut self.is_paused, paused) != paused {
            let goes_on = if paused { "is paused" } else { "goes on" };
            self.news.push(format!("run {} {goes_on}", self.run));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::feed::bytes::{Ages, Bytes};

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
    /// What was taken from the spool: id and serial number.
    fn popped(spool: &Spool) -> Vec<(u16, u32)> {
        let mut found = Vec::new();
        while let Ok(Some(piece)) = spool.pop(usize::MAX) {
            found.extend(places(&piece.bytes).map(|(header, _)| (header.id, header.serial)));
        }
        found
    }

    #[test]
    fn what_is_too_old_is_passed_over_down_to_half_of_the_age() {
        let reserve = BTreeMap::from([(4, 2)]);
        let max_age = Some(Duration::from_secs(10));
        let spool = Spool::with(Bounds { most: 1 << 20, max_age, reserve });
        let ago = |seconds: u64| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        spool.events_of(event(1, 1, 0), ago(9));
        assert_eq!(popped(&spool), [(1, 1)]);
        spool.boundary(event(0x8000, 42, 0));
        spool.events_of([event(1, 2, 0), event(4, 1, 0), event(0x8002, 0, 0)].concat(), ago(20));
        spool.events_of([event(0xc001, 3, 4), event(0xd001, 3, 8), event(4, 2, 0)].concat(), ago(8));
        spool.events_of([event(4, 3, 0), event(1, 4, 0)].concat(), ago(6));
        spool.events_of([event(1, 5, 0), event(4, 4, 0)].concat(), ago(4));
        spool.boundary(event(0x8001, 42, 0));
        let written = spool.written();
        let wanted = [(0x8000, 42), (4, 2), (4, 3), (1, 5), (4, 4), (0x8001, 42)];
        assert_eq!(popped(&spool), wanted);
        // What was passed over has never been there.
        assert_eq!(written - spool.written(), 3 * 16 + 20 + 24 + 16);
        let stale = |stale: u64| Offered { offered: stale, stale, ..Offered::default() };
        assert_eq!(spool.missed().events, BTreeMap::from([(1, stale(3)), (4, stale(1))]));
        assert!(spool.missed().is_empty());
    }

    #[test]
    fn small_pieces_go_together_but_not_across_what_is_kept() {
        let spool = Spool::with(Bounds { most: 48, reserve: BTreeMap::from([(4, 9)]), ..Bounds::default() });
        spool.boundary(event(0x8000, 42, 0));
        (1..4).for_each(|serial| spool.events(event(1, serial, 0)));
        assert_eq!(spool.lock().items.len(), 2);
        spool.reserve(&[event(4, 1, 0), event(4, 2, 0)].concat());
        spool.events(event(1, 4, 0));
        spool.reserve(&event(4, 3, 0));
        assert_eq!(popped(&spool), [(0x8000, 42), (1, 1), (1, 2), (1, 3), (4, 1), (4, 2), (1, 4), (4, 3)]);
        assert_eq!((spool.written(), spool.waiting()), (8 * 16, 0));
    }

    #[test]
    fn what_is_missing_is_told_of_its_run_only() {
        let spool = Spool::new(1000);
        let miss = |count: u64| spool.miss(1, |account| account.overrun += count);
        let found = || spool.missed().events.get(&1).map_or(0, |account| account.overrun);
        spool.push(Item::Begin(1));
        spool.boundary(event(0x8000, 1, 0));
        miss(1);
        spool.boundary(event(0x8001, 1, 0));
        miss(10);
        spool.waited(Duration::from_secs(1));
        spool.push(Item::End);
        miss(100);
        spool.push(Item::Begin(2));
        miss(1000);
        spool.boundary(event(0x8000, 2, 0));
        assert!(matches!(spool.next(Duration::ZERO), Some(Item::Begin(1))));
        assert_eq!((spool.pop(usize::MAX).unwrap().is_some(), found()), (true, 0));
        assert_eq!((spool.pop(usize::MAX).unwrap().is_some(), found()), (true, 1));
        // Where the run ends, all of it is known.
        assert!(spool.pop(usize::MAX).unwrap().is_none());
        let Missed { events, waited } = spool.missed();
        assert_eq!((events[&1].overrun, waited), (10, Duration::from_secs(1)));
        assert!(matches!(spool.next(Duration::ZERO), Some(Item::End)));
        assert!(matches!(spool.next(Duration::ZERO), Some(Item::Begin(2))));
        assert_eq!((found(), spool.pop(usize::MAX).unwrap().is_some(), found()), (0, true, 1000));
    }

    #[test]
    fn a_pause_is_told_in_its_place() {
        let spool = Spool::new(1000);
        spool.push(Item::Begin(7));
        spool.events(event(1, 1, 0));
        spool.push(Item::Paused(true));
        spool.events(event(1, 2, 0));
        spool.push(Item::Paused(false));
        spool.push(Item::Begin(8));
        assert!(matches!(spool.next(Duration::ZERO), Some(Item::Begin(7))));
        assert_eq!((spool.pop(usize::MAX).unwrap().is_some(), spool.is_paused()), (true, false));
        assert_eq!(
            (spool.pop(usize::MAX).unwrap_err().kind(), spool.is_paused()),
            (io::ErrorKind::WouldBlock, true)
        );
        assert!(!spool.is_empty(Duration::ZERO));
        // Nobody wants more of the run.
        assert!(matches!(spool.next(Duration::ZERO), Some(Item::Begin(8))));
        assert!(!spool.is_paused());
        assert_eq!(spool.news(), ["run 7 is paused", "run 7 goes on"]);
    }

    #[test]
    fn transitions_wait_if_there_are_many_or_much_waits_to_be_read() {
        let spool = Spool::new(100);
        (0..=TRANSITIONS as u32).for_each(|run| spool.push(Item::Begin(run)));
        assert!(spool.is_choked(Duration::ZERO));
        spool.next(Duration::ZERO);
        assert!(!spool.is_choked(Duration::ZERO));
        spool.boundary(event(0x8000, 1, 184));
        assert!(spool.is_choked(Duration::ZERO));
        spool.stop();
        assert!(!spool.is_choked(Duration::ZERO) && spool.rests(Duration::from_secs(60)));
    }
}
