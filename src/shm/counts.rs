//! How many events of each id there were.
//!
//! The totals follow what is published, and hold for the position that they name: a reader takes them all, and
//! takes them anew if the writer was at it. The frames say of their ids the same, so that a writer who takes over
//! from one that was killed in between can make the totals good.

use std::sync::atomic::Ordering::{Acquire, Release};

use super::frame::{Account, Head};
use super::layout::{Layout, word};
use super::words::Words;

/// Adds what a frame that ends at `end` holds, which is published.
pub(super) fn add(words: &(impl Words + ?Sized), layout: &Layout, end: u64, accounts: &[Account]) {
    words.set(word::COUNTING, end);
    words.fence(Release);
    for account in accounts {
        let at = layout.total(account.id);
        let total = account.before.wrapping_add(u64::from(account.events));
        words.set(at, total);
        let number = at - layout.total(0);
        for (at, number) in [(layout.known(), number), (layout.summary(), number / 64)] {
            let (at, bit) = (at + number / 64, 1 << (number % 64));
            words.set(at, words.get(at) | bit);
        }
    }
    words.store(word::COUNTED, end, Release);
}

/// Adds what was published and not counted.
///
/// # Errors
/// What makes no sense.
pub(super) fn settle(words: &(impl Words + ?Sized), layout: &Layout, end: u64) -> Result<(), String> {
    let mut at = words.load(word::COUNTED, Acquire);
    if at > end || end - at > layout.size {
        return Err(format!("counted up to {at}, published up to {end}"));
    }
    let mut accounts = Vec::new();
    while at < end {
        let head = Head::take(words, layout, (at, end)).ok_or_else(|| format!("no frame begins at {at}"))?;
        Account::take_all(words, layout, (at, &head), &mut accounts);
        at += head.length;
        add(words, layout, at, &accounts);
    }
    Ok(())
}

/// The totals as they are, of ids of which there were any.
pub(super) fn all(words: &(impl Words + ?Sized), layout: &Layout, each: &mut dyn FnMut(u16, u64)) {
    for first in 0..layout.summary_words() {
        for second in bits(words.get(layout.summary() + first)).map(|bit| 64 * first + bit) {
            for id in bits(words.get(layout.known() + second)).map(|bit| 64 * second + bit) {
                if id < layout.ids {
                    each(id as u16, words.get(layout.total(id as u16)));
                }
            }
        }
    }
}

/// The totals at the position that is told; `None` if the writer was at it.
pub(super) fn consistent(
    words: &(impl Words + ?Sized),
    layout: &Layout,
    totals: &mut Vec<(u16, u64)>,
) -> Option<u64> {
    totals.clear();
    let counted = words.load(word::COUNTED, Acquire);
    all(words, layout, &mut |id, total| totals.push((id, total)));
    words.fence(Acquire);
    (words.get(word::COUNTING) == counted).then_some(counted)
}

/// The bits that are set.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        word &= word.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}
