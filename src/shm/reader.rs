//! How frames are read that may be overwritten meanwhile: first they are copied, then it is asked.

use std::sync::atomic::Ordering::Acquire;

use super::frame::{Account, HEAD, Head};
use super::layout::{Layout, word};
use super::words::Words;

/// Bytes that are copied at once.
const PIECE: usize = 2048;

/// What was found at a place.
pub(super) enum Found {
    /// A frame, whose accounts were taken, too.
    Frame(Head),
    Overwritten,
    /// Nothing that a producer writes.
    Nonsense,
}

/// The frame at a position before `end`.
pub(super) fn head(
    words: &(impl Words + ?Sized),
    layout: &Layout,
    (position, end): (u64, u64),
    accounts: &mut Vec<Account>,
) -> Found {
    let head = Head::take(words, layout, (position, end));
    if let Some(head) = &head {
        Account::take_all(words, layout, (position, head), accounts);
    }
    match head {
        _ if !is_valid(words, layout, position) => Found::Overwritten,
        Some(head) => Found::Frame(head),
        None => Found::Nonsense,
    }
}

/// Adds the events of a frame to bytes.
pub(super) fn copy(
    words: &(impl Words + ?Sized),
    layout: &Layout,
    (position, head): (u64, &Head),
    to: &mut Vec<u8>,
) {
    let begin = to.len();
    let end = begin + head.bytes as usize;
    let mut at = layout.at(position) + HEAD as usize / 8;
    to.reserve(end - begin + PIECE);
    // Through a piece that stays in the cache: filling all with zeros before costs a third.
    let mut piece = [0; PIECE];
    while to.len() < end {
        let count = (end - to.len()).next_multiple_of(8).min(PIECE);
        words.take(at, &mut piece[..count]);
        to.extend_from_slice(&piece[..count]);
        at += count / 8;
    }
    to.truncate(end);
}

/// Whether what begins here was not overwritten before this is asked.
pub(super) fn is_valid(words: &(impl Words + ?Sized), layout: &Layout, position: u64) -> bool {
    words.fence(Acquire);
    words.get(word::RESERVED) <= position.saturating_add(layout.size)
}

/// Where to go on, if what was to be read is overwritten: not so near to the end that it happens again at once.
pub(super) fn next_mark(words: &(impl Words + ?Sized), layout: &Layout, position: u64) -> u64 {
    let published = words.load(word::PUBLISHED, Acquire);
    let oldest = words.get(word::RESERVED).saturating_sub(layout.size / 4 * 3).max(position + 1);
    let marks = (word::MARKS..word::MARKS + word::MARK_COUNT).map(|mark| words.get(mark));
    marks.filter(|mark| (oldest..published).contains(mark)).min().unwrap_or(published)
}
