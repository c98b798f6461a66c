//! The one who writes frames.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::counts;
use super::frame::{ACCOUNT, Account, HEAD, Head};
use super::layout::{Layout, word};
use super::slots;
use super::words::Words;

/// Bytes of a frame, if no single event needs more.
const FRAME: u64 = 64 << 10;

/// Writes frames. Nobody sees a frame before it is whole.
pub(super) struct Writer<W> {
    words: W,
    layout: Layout,
    /// Where the next frame begins: all before is published.
    at: u64,
    /// Everything before this, less the size, may have been overwritten, also by one who was killed.
    reserved: u64,
    open: Option<Open>,
    /// Of each id in the open frame, what it holds, and where the last one stands.
    accounts: Vec<Account>,
    last: usize,
    /// Events of each id so far.
    totals: Vec<u64>,
    /// Consumers that want all have read up to here, as far as we know, when so many had come and gone.
    limit: u64,
    changes: Option<u64>,
    mark: Option<usize>,
}

/// The frame in hand.
#[derive(Clone, Copy)]
struct Open {
    /// Bytes of events, and of all that it may have.
    bytes: u64,
    room: u64,
    events: u64,
    /// The last bytes, which fill no word.
    rest: ([u8; 8], usize),
}

impl<W: Words> Writer<W> {
    /// Goes on where another has left off. What he had not published is gone.
    ///
    /// # Errors
    /// What makes no sense.
    pub(super) fn new(words: W, layout: Layout) -> Result<Writer<W>, String> {
        let at = words.load(word::PUBLISHED, Acquire);
        let reserved = words.get(word::RESERVED);
        // Enough for a century at the speed of memory.
        let is_position = at.is_multiple_of(super::frame::STEP) && at < 1 << 62;
        if !is_position || reserved < at || reserved - at > layout.size {
            return Err(format!("published up to {at}, reserved up to {reserved}"));
        }
        counts::settle(&words, &layout, at)?;
        let mut totals = vec![0; layout.ids];
        counts::all(&words, &layout, &mut |id, total| totals[usize::from(id) & (layout.ids - 1)] = total);
        // One who was killed may not have come to this.
        let events = totals.iter().fold(0_u64, |sum, total| sum.saturating_add(*total));
        words.set(word::EVENTS, events.saturating_sub(words.get(word::TOO_BIG)));
        Ok(Writer {
            words,
            layout,
            at,
            reserved,
            open: None,
            accounts: Vec::new(),
            last: 0,
            totals,
            limit: 0,
            changes: None,
            mark: None,
        })
    }

    /// Where the next frame begins.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Whether there is something that was not published.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether it is time to ask for the time, which costs as much as a small event.
    #[inline]
    pub(super) fn is_to_ask(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.events < 8 || open.events.is_multiple_of(16))
    }

    /// Events of each id so far.
    pub(super) fn totals(&self) -> Vec<(u16, u64)> {
        debug_assert!(self.open.is_none());
        let mut totals = Vec::new();
        counts::all(&self.words, &self.layout, &mut |id, total| totals.push((id, total)));
        totals
    }

    /// Whether an event of so many bytes will ever have room.
    pub(super) fn can_hold(&self, bytes: u64) -> bool {
        Head::length(bytes, 2) <= self.layout.most()
    }

    /// Bytes of events that the open frame still takes.
    #[inline]
    pub(super) fn room(&self) -> u64 {
        let Some(open) = &self.open else { return 0 };
        // Room for one more id, and for an event that was too big.
        let accounts = (self.accounts.len() as u64 + 2) * ACCOUNT;
        open.room.saturating_sub(HEAD + accounts + 8).saturating_sub(open.bytes)
    }

    /// Opens a frame for an event of so many bytes, at the least; `false` if consumers must be waited for.
    pub(super) fn open(&mut self, bytes: u64) -> bool {
        debug_assert!(self.open.is_none());
        let needed = Head::length(bytes + 8, 3).max(Head::length(0, 4));
        let to_end = self.layout.left_from(self.at);
        if needed > to_end {
            if !self.may_write(self.at + to_end) {
                return false;
            }
            self.reserve(self.at + to_end);
            let filler = Head { length: to_end, ..Head::default() };
            filler.put(&self.words, &self.layout, self.at);
            self.publish(to_end);
        }
        let room = needed.max(FRAME.min(self.layout.size / 16)).min(self.layout.left_from(self.at));
        if !self.may_write(self.at + room) {
            return false;
        }
        self.reserve(self.at + room);
        self.open = Some(Open { bytes: 0, room, events: 0, rest: ([0; 8], 0) });
        true
    }

    /// Adds bytes of events, for which there is room.
    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let Some(open) = &mut self.open else { return };
        let mut at = self.layout.at(self.at) + ((HEAD + open.bytes) / 8) as usize;
        open.bytes += bytes.len() as u64;
        debug_assert!(HEAD + open.bytes <= open.room);
        let (rest, filled) = &mut open.rest;
        let mut bytes = bytes;
        if *filled > 0 {
            let count = bytes.len().min(8 - *filled);
            rest[*filled..*filled + count].copy_from_slice(&bytes[..count]);
            (*filled, bytes) = (*filled + count, &bytes[count..]);
            if *filled < 8 {
                return;
            }
            self.words.put(at, &rest[..]);
            at += 1;
        }
        let (whole, left) = bytes.split_at(bytes.len() / 8 * 8);
        self.words.put(at, whole);
        rest[..left.len()].copy_from_slice(left);
        *filled = left.len();
    }

    /// Counts an event that was put.
    #[inline]
    pub(super) fn count(&mut self, id: u16) {
        if let Some(open) = &mut self.open {
            open.events += 1;
            self.account(id, false);
        }
    }

    /// Counts an event for which the stream is too small.
    pub(super) fn count_too_big(&mut self, id: u16) {
        self.account(id, true);
    }

    #[inline]
    fn account(&mut self, id: u16, is_too_big: bool) {
        let is = |account: &Account| account.id == id && account.is_too_big == is_too_big;
        if !self.accounts.get(self.last).is_some_and(is) {
            self.last = self.accounts.iter().position(is).unwrap_or_else(|| {
                self.accounts.push(Account { id, is_too_big, ..Account::default() });
                self.accounts.len() - 1
            });
        }
        self.accounts[self.last].events += 1;
    }

    /// Publishes the open frame, if there is one.
    pub(super) fn close(&mut self, now: u64) {
        let Some(Open { bytes, events, rest: (rest, filled), .. }) = self.open.take() else { return };
        if filled > 0 {
            let mut last = [0; 8];
            last[..filled].copy_from_slice(&rest[..filled]);
            self.words.put(self.layout.at(self.at) + ((HEAD + bytes) / 8) as usize, &last);
        }
        for account in &mut self.accounts {
            let total = &mut self.totals[usize::from(account.id) & (self.layout.ids - 1)];
            account.before = *total;
            *total = total.saturating_add(account.events.into());
        }
        let accounts = self.accounts.len() as u64;
        let length = Head::length(bytes, accounts);
        let head = Head { bytes, accounts, events, time: now, length };
        head.put(&self.words, &self.layout, self.at);
        Account::put_all(&self.accounts, &self.words, &self.layout, (self.at, &head));
        let mark = self.layout.mark(self.at);
        if self.mark != Some(mark) {
            self.mark = Some(mark);
            self.words.set(mark, self.at);
        }
        self.publish(length);
        counts::add(&self.words, &self.layout, self.at, &self.accounts);
        let too_big = self.accounts.iter().filter(|a| a.is_too_big).map(|a| u64::from(a.events)).sum::<u64>();
        for (word, more) in [(word::EVENTS, events), (word::BYTES, bytes), (word::TOO_BIG, too_big)] {
            self.words.set(word, self.words.get(word).saturating_add(more));
        }
        self.accounts.clear();
        self.last = 0;
    }

    /// What stands before this, less the size, is no more.
    fn reserve(&mut self, end: u64) {
        self.reserved = self.reserved.max(end);
        self.words.store(word::RESERVED, self.reserved, Relaxed);
        self.words.fence(Release);
    }

    fn publish(&mut self, length: u64) {
        self.at += length;
        self.words.store(word::PUBLISHED, self.at, Release);
        // A consumer that comes, or goes to sleep, is seen behind this, or sees this.
        self.words.fence(SeqCst);
    }

    /// Whether nobody still wants what would be overwritten by this.
    fn may_write(&mut self, end: u64) -> bool {
        // Behind this the slots are seen as they are now, or it is seen to change once more.
        let changes = self.words.load(word::CHANGES, Acquire);
        if self.changes == Some(changes) && end <= self.limit.saturating_add(self.layout.size) {
            return true;
        }
        self.changes = Some(changes);
        self.limit = slots::held(&self.words, &self.layout).map_or(u64::MAX, |(_, position)| position);
        end <= self.limit.saturating_add(self.layout.size)
    }
}
