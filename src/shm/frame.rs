//! Frames: whole events that are published together.
//!
//! | words | what |
//! |---|---|
//! | 0 | magic, and its own position |
//! | 1 | bytes of events, and how many accounts there are (upper half) |
//! | 2 | events |
//! | 3 | when it was published [ns of the clock that all processes share] |
//! | 4 | bytes of the frame, of which 64 are the least |
//! | 8.. | events as in a `.mid` file |
//! | then | accounts: 1 in the highest bit if these events were too big to be here, the event id (from bit 32), how many; all events of this id before |
//!
//! A frame never goes on at the begin of the ring: the rest is filled by a frame of no events.

use super::layout::Layout;
use super::words::Words;

/// Bytes before the events.
pub(super) const HEAD: u64 = 64;
/// Bytes of an account.
pub(super) const ACCOUNT: u64 = 16;
/// Frames begin at multiples of this.
pub(super) const STEP: u64 = 64;

const MAGIC: u64 = u64::from_le_bytes(*b"PACFRAME");
const TOO_BIG: u64 = 1 << 63;

/// What stands before the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of events.
    pub(super) bytes: u64,
    /// Accounts behind them.
    pub(super) accounts: u64,
    pub(super) events: u64,
    pub(super) time: u64,
    /// Bytes of the frame.
    pub(super) length: u64,
}

impl Head {
    pub(super) fn put(&self, words: &(impl Words + ?Sized), layout: &Layout, position: u64) {
        let at = layout.at(position);
        let numbers =
            [MAGIC ^ position, self.bytes | self.accounts << 32, self.events, self.time, self.length];
        for (word, number) in (at..).zip(numbers) {
            words.set(word, number);
        }
    }

    /// The head at a position before `end`, if it can be one.
    pub(super) fn take(
        words: &(impl Words + ?Sized),
        layout: &Layout,
        (position, end): (u64, u64),
    ) -> Option<Head> {
        if !position.is_multiple_of(STEP) {
            return None;
        }
        let at = layout.at(position);
        let word = |n: usize| words.get(at + n);
        let (bytes, accounts) = (word(1) & 0xffff_ffff, word(1) >> 32);
        let head = Head { bytes, accounts, events: word(2), time: word(3), length: word(4) };
        // An id may have two: of events that are here, and of events that were too big.
        let is_one = word(0) == MAGIC ^ position
            && accounts <= 2 * layout.ids as u64
            && head.length.is_multiple_of(STEP)
            && head.length >= Head::length(bytes, accounts)
            && head.length <= layout.left_from(position)
            && head.length <= layout.most() + 4 * STEP
            && head.length <= end.saturating_sub(position);
        is_one.then_some(head)
    }

    /// Bytes that a frame needs.
    pub(super) fn length(bytes: u64, accounts: u64) -> u64 {
        (HEAD + bytes.next_multiple_of(8) + accounts * ACCOUNT).next_multiple_of(STEP)
    }

    /// The first word of the accounts.
    fn accounts_at(&self, layout: &Layout, position: u64) -> usize {
        layout.at(position) + ((HEAD + self.bytes.next_multiple_of(8)) / 8) as usize
    }
}

/// Events of one id in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) id: u16,
    pub(super) events: u32,
    /// There was no room for these.
    pub(super) is_too_big: bool,
    /// Events of this id before, those that were too big included.
    pub(super) before: u64,
}

impl Account {
    pub(super) fn put_all(
        accounts: &[Account],
        words: &(impl Words + ?Sized),
        layout: &Layout,
        (position, head): (u64, &Head),
    ) {
        let mut at = head.accounts_at(layout, position);
        for account in accounts {
            let flag = if account.is_too_big { TOO_BIG } else { 0 };
            words.set(at, flag | u64::from(account.id) << 32 | u64::from(account.events));
            words.set(at + 1, account.before);
            at += 2;
        }
    }

    pub(super) fn take_all(
        words: &(impl Words + ?Sized),
        layout: &Layout,
        (position, head): (u64, &Head),
        accounts: &mut Vec<Account>,
    ) {
        accounts.clear();
        let mut at = head.accounts_at(layout, position);
        for _ in 0..head.accounts {
            let (word, before) = (words.get(at), words.get(at + 1));
            let (id, events) = ((word >> 32) as u16, word as u32);
            accounts.push(Account { id, events, is_too_big: word & TOO_BIG != 0, before });
            at += 2;
        }
    }
}
