//! The consumers, as they stand in the stream.
//!
//! Each has a slot, whose lock it holds while it lives. What a slot says of one that is dead is not believed once
//! its lock was had.

use std::sync::atomic::Ordering::{Acquire, Release, SeqCst};

use super::layout::{Layout, group, slot, word};
use super::words::Words;

/// What a slot says, if it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// The producer waits for it.
    pub(super) all: bool,
    pub(super) group: Option<usize>,
    /// It may still read what is behind this.
    pub(super) held: Option<u64>,
    /// It has read the journal up to here.
    pub(super) journal: u64,
}

/// Nothing is held.
const NOTHING: u64 = u64::MAX;

/// The slot of this number, if it is taken.
pub(super) fn get(words: &(impl Words + ?Sized), layout: &Layout, number: usize) -> Option<Slot> {
    let at = layout.slot(number);
    if words.load(at + slot::STATE, Acquire) != 1 {
        return None;
    }
    let kind = words.get(at + slot::KIND);
    let group = ((kind >> 8) as usize).checked_sub(1).filter(|group| *group < layout.groups);
    let held = held_by(words, layout, number);
    Some(Slot { all: kind & 1 != 0, group, held, journal: words.get(at + slot::JOURNAL) })
}

/// Takes a slot, whose lock is held, or says something else in it.
pub(super) fn put(words: &(impl Words + ?Sized), layout: &Layout, number: usize, taken: &Slot) {
    let at = layout.slot(number);
    let kind = u64::from(taken.all) | (taken.group.map_or(0, |group| group as u64 + 1) << 8);
    words.set(at + slot::KIND, kind);
    words.set(at + slot::JOURNAL, taken.journal);
    words.store(at + slot::HELD, taken.held.unwrap_or(NOTHING), SeqCst);
    words.store(at + slot::STATE, 1, Release);
    words.add(word::CHANGES, 1);
    words.fence(SeqCst);
}

/// Gives a slot back, whose lock is held.
pub(super) fn clear(words: &(impl Words + ?Sized), layout: &Layout, number: usize) {
    words.store(layout.slot(number) + slot::STATE, 0, SeqCst);
    words.store(layout.slot(number) + slot::EVICTED, 0, SeqCst);
    words.add(word::CHANGES, 1);
}

/// Says what may still be read; `None` is nothing.
pub(super) fn hold(words: &(impl Words + ?Sized), layout: &Layout, number: usize, position: Option<u64>) {
    words.store(layout.slot(number) + slot::HELD, position.unwrap_or(NOTHING), SeqCst);
}

/// Of the consumers that want all, the one that is furthest behind, and where.
pub(super) fn held(words: &(impl Words + ?Sized), layout: &Layout) -> Option<(usize, u64)> {
    let taken = (0..layout.slots).filter_map(|number| {
        let slot = get(words, layout, number).filter(|slot| slot.all)?;
        let Some(group) = slot.group else { return Some((number, slot.held)) };
        // What a group has not taken, each of its members may. What it has taken, a member held before that, so it is
        // asked behind the cursor.
        let cursor = words.load(layout.group(group) + group::CURSOR, SeqCst);
        let held = held_by(words, layout, number);
        Some((number, Some(held.map_or(cursor, |held| held.min(cursor)))))
    });
    taken.map(|(number, held)| (number, held.unwrap_or(NOTHING))).min_by_key(|(_, position)| *position)
}

/// What a member may still read begins here.
fn held_by(words: &(impl Words + ?Sized), layout: &Layout, number: usize) -> Option<u64> {
    Some(words.load(layout.slot(number) + slot::HELD, SeqCst)).filter(|held| *held != NOTHING)
}
