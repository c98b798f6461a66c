//! Consumers that split the events.
//!
//! A group has a cursor, the next frame to be taken; who moves it on, by an atomic exchange, has the frame. So none is
//! taken twice, and a member that stalls or dies keeps at most the frame in its hand. What its members have taken of
//! each id is counted: what is missing at a transition was overwritten, and one of them tells it. What one that was
//! killed had taken is in no other's account.

use std::sync::atomic::Ordering::{Acquire, SeqCst};
use std::time::{Duration, Instant};

use super::frame::Account;
use super::layout::{Layout, NAME, group};
use super::ring::{GROUPS, Ring};
use super::words::{Words, fitting, put_text, text};
use super::{Error, Result, slots};

/// How long another may take to make a group.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long it may take to copy a frame.
const MOMENT: Duration = Duration::from_millis(10);

/// The next frame to be taken.
pub(super) fn cursor(words: &(impl Words + ?Sized), layout: &Layout, number: usize) -> u64 {
    words.load(layout.group(number) + group::CURSOR, Acquire)
}

/// The group of which one has become a member.
pub(super) struct Joined {
    pub(super) group: usize,
    /// It had no member.
    pub(super) is_new: bool,
}

/// Becomes a member of the group of this name. A new group begins at a position with its totals.
pub(super) fn join(
    ring: &Ring,
    (name, member): (&str, usize),
    (position, totals): (u64, &[(u16, u64)]),
) -> Result<Joined> {
    let until = Instant::now() + PATIENCE;
    while !ring.try_lock(GROUPS)? {
        if Instant::now() > until {
            return Err(ring.damaged("another process makes a group, and does not go on"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let joined = find(ring, name, member, (position, totals));
    if let Ok(Joined { group: number, .. }) = joined {
        // Others see that it has a member before the lock is given back.
        let (map, layout) = (&ring.map, &ring.layout);
        if let Some(slot) = slots::get(map, layout, member) {
            slots::put(map, layout, member, &slots::Slot { group: Some(number), ..slot });
        }
    }
    ring.unlock(GROUPS);
    joined
}

fn find(ring: &Ring, name: &str, member: usize, (position, totals): (u64, &[(u16, u64)])) -> Result<Joined> {
    let (map, layout) = (&ring.map, &ring.layout);
    let is_used = |number: usize| has_others(ring, number, member);
    let name = fitting(name, NAME);
    let named = |number: &usize| text(map, layout.group(*number) + group::NAME, NAME) == name;
    if let Some(group) = (0..layout.groups).filter(named).find(|number| is_used(*number)) {
        return Ok(Joined { group, is_new: false });
    }
    let number = (0..layout.groups).find(|number| !is_used(*number)).ok_or(Error::TooMany {
        what: "this stream has no place for another group of consumers",
        most: layout.groups,
    })?;
    let at = layout.group(number);
    for (id, total) in totals {
        map.set(layout.taken(number, *id), *total);
    }
    put_text(map, at + group::NAME, NAME, &name);
    map.store(at + group::CURSOR, position, SeqCst);
    Ok(Joined { group: number, is_new: true })
}

/// Whether the group has a member that lives but this one.
pub(super) fn has_others(ring: &Ring, number: usize, member: usize) -> bool {
    others(ring, number, member).next().is_some()
}

/// The members that live, but one: what each holds.
fn others(ring: &Ring, number: usize, member: usize) -> impl Iterator<Item = Option<u64>> {
    (0..ring.layout.slots).filter(move |slot| *slot != member).filter_map(move |slot| {
        let found = slots::get(&ring.map, &ring.layout, slot)?;
        let lives = found.group == Some(number) && ring.is_locked(Ring::slot_lock(slot));
        lives.then_some(found.held)
    })
}

/// Keeps a frame from being overwritten, if the group wants all; whether it is still to be taken. In any case it is
/// held until it is let go.
pub(super) fn hold(
    words: &(impl Words + ?Sized),
    layout: &Layout,
    (number, member): (usize, usize),
    at: u64,
) -> bool {
    slots::hold(words, layout, member, Some(at));
    words.fence(SeqCst);
    cursor(words, layout, number) == at
}

/// Moves the cursor on; whether it was at `from`.
pub(super) fn advance(
    words: &(impl Words + ?Sized),
    layout: &Layout,
    number: usize,
    (from, to): (u64, u64),
) -> bool {
    words.exchange(layout.group(number) + group::CURSOR, from, to)
}

/// Counts what a member has taken.
pub(super) fn count(words: &(impl Words + ?Sized), layout: &Layout, number: usize, accounts: &[Account]) {
    for account in accounts {
        words.add(layout.taken(number, account.id), account.events.into());
    }
}

/// What the group has lost before a position with these totals, each event told to one of its members. While another
/// has something of it in hand, it is waited for a moment; then it is told with the next.
pub(super) fn settle(
    ring: &Ring,
    (number, member): (usize, usize),
    position: u64,
    totals: &[(u16, u64)],
) -> Vec<(u16, u64)> {
    let (map, layout) = (&ring.map, &ring.layout);
    let is_in_hand = || others(ring, number, member).any(|held| held.is_some_and(|held| held < position));
    let until = Instant::now() + MOMENT;
    while is_in_hand() {
        if Instant::now() > until {
            return Vec::new();
        }
        std::thread::yield_now();
    }
    let mut lost = Vec::new();
    for (id, total) in totals {
        let at = layout.taken(number, *id);
        loop {
            let taken = map.load(at, SeqCst);
            let Some(missing) = total.checked_sub(taken).filter(|missing| *missing > 0) else { break };
            if map.exchange(at, taken, *total) {
                lost.push((*id, missing));
                break;
            }
        }
    }
    lost
}
