//! Where everything is in the mapped part of a stream, in words of eight bytes.
//!
//! | words | what |
//! |---|---|
//! | 0.. | the head: see [`word`] |
//! | 512.. | slots of consumers, 32 words each: see [`slot`] |
//! | then | groups of consumers, 16 words each: see [`group`] |
//! | then | a bit for each event id of which there was an event, and a bit for each word of these |
//! | then | of each event id, events published |
//! | then | of each group and event id, events that one of its members has taken or lost |
//! | then, on a page | frames of events |

/// What a stream begins with.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"PACTRING");
/// The layout on this page.
pub(super) const VERSION: u64 = 1;

/// Words of the head. Those that one side writes often have a cache line of their own.
pub(super) mod word {
    /// What it is, and of which layout.
    pub(in crate::shm) const MAGIC: usize = 0;
    pub(in crate::shm) const VERSION: usize = 1;
    /// Bytes for frames.
    pub(in crate::shm) const SIZE: usize = 2;
    /// When it was made [ns]: tells it from others.
    pub(in crate::shm) const STAMP: usize = 3;
    /// 1 if it was removed, or another has taken its name.
    pub(in crate::shm) const RETIRED: usize = 4;
    /// Grows when a consumer comes or goes.
    pub(in crate::shm) const CHANGES: usize = 5;
    /// Everything before this position, less the size, may be overwritten.
    pub(in crate::shm) const RESERVED: usize = 8;
    /// Everything before this position can be read.
    pub(in crate::shm) const PUBLISHED: usize = 16;
    /// The totals hold for the second position, unless the first is another.
    pub(in crate::shm) const COUNTING: usize = 24;
    pub(in crate::shm) const COUNTED: usize = 25;
    /// Events and bytes published, events that were too big.
    pub(in crate::shm) const EVENTS: usize = 26;
    pub(in crate::shm) const BYTES: usize = 27;
    pub(in crate::shm) const TOO_BIG: usize = 28;
    /// Of the journal: where it ends, what was given back, where the last run begins and one.
    pub(in crate::shm) const JOURNAL: usize = 32;
    pub(in crate::shm) const PUNCHED: usize = 33;
    pub(in crate::shm) const BEGUN: usize = 34;
    /// The process that publishes, and its name.
    pub(in crate::shm) const PID: usize = 40;
    pub(in crate::shm) const PROGRAM: usize = 41;
    /// How long it has waited for consumers [ns]; since when it waits, or 0; for which slot and one.
    pub(in crate::shm) const WAITED: usize = 49;
    pub(in crate::shm) const WAITING: usize = 50;
    pub(in crate::shm) const WAITS_FOR: usize = 51;
    /// Two bells: there are events, there is room. Of each a word to sleep on, and whether somebody does;
    /// these are touched as 32-bit words only.
    pub(in crate::shm) const BELL: usize = 56;
    pub(in crate::shm) const SPACE: usize = 60;
    /// Of each 64th of the size, where the first frame in it begins.
    pub(in crate::shm) const MARKS: usize = 64;
    pub(in crate::shm) const MARK_COUNT: usize = 64;
    /// Words of the head.
    pub(in crate::shm) const COUNT: usize = 512;
}

/// Words of a name.
pub(super) const NAME: usize = 8;

/// Words of the slot of a consumer.
pub(super) mod slot {
    /// 1 if it is taken.
    pub(in crate::shm) const STATE: usize = 0;
    /// 1 if its consumer wants all; number of its group and one, times 256.
    pub(in crate::shm) const KIND: usize = 1;
    /// What it may still read begins here; all ones if it reads nothing now.
    pub(in crate::shm) const HELD: usize = 2;
    /// It has read the journal up to here.
    pub(in crate::shm) const JOURNAL: usize = 3;
    /// Its process.
    pub(in crate::shm) const PID: usize = 4;
    /// Events that it has read and missed.
    pub(in crate::shm) const EVENTS: usize = 5;
    pub(in crate::shm) const OVERRUN: usize = 6;
    /// 1 if transitions that it has not read were given up.
    pub(in crate::shm) const EVICTED: usize = 7;
    /// It has read events up to here.
    pub(in crate::shm) const READ: usize = 8;
    /// How it calls itself.
    pub(in crate::shm) const NAME: usize = 16;
    /// Words of a slot.
    pub(in crate::shm) const COUNT: usize = 32;
}

/// Words of a group.
pub(super) mod group {
    /// The next frame to be taken.
    pub(in crate::shm) const CURSOR: usize = 0;
    /// Its name.
    pub(in crate::shm) const NAME: usize = 8;
    /// Words of a group.
    pub(in crate::shm) const COUNT: usize = 16;
}

/// Consumers at a time.
pub(super) const SLOTS: usize = 64;
/// Groups of them at a time.
pub(super) const GROUPS: usize = 4;
/// Event ids.
const IDS: usize = 1 << 16;
/// Words of a page.
const PAGE: usize = 512;

/// Where everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes for frames, a power of two.
    pub(super) size: u64,
    pub(super) slots: usize,
    pub(super) groups: usize,
    /// Event ids, a power of two; those above are not told from those below.
    pub(super) ids: usize,
}

impl Layout {
    /// Bytes for frames: the least and the most.
    pub(super) const SIZES: std::ops::RangeInclusive<u64> = 1 << 16..=1 << 36;

    /// That of a stream.
    pub(super) const fn new(size: u64) -> Layout {
        Layout { size, slots: SLOTS, groups: GROUPS, ids: IDS }
    }

    /// The first word of a slot.
    pub(super) fn slot(&self, number: usize) -> usize {
        word::COUNT + number * slot::COUNT
    }

    /// The first word of a group.
    pub(super) fn group(&self, number: usize) -> usize {
        self.slot(self.slots) + number * group::COUNT
    }

    /// The first word of the bits of the bits.
    pub(super) fn summary(&self) -> usize {
        self.group(self.groups)
    }

    /// Words of them.
    pub(super) fn summary_words(&self) -> usize {
        self.id_words().div_ceil(64)
    }

    /// The first word of the bits of event ids.
    #[inline]
    pub(super) fn known(&self) -> usize {
        self.summary() + self.summary_words()
    }

    fn id_words(&self) -> usize {
        self.ids.div_ceil(64)
    }

    /// The total of an event id.
    #[inline]
    pub(super) fn total(&self, id: u16) -> usize {
        self.known() + self.id_words() + (usize::from(id) & (self.ids - 1))
    }

    /// What a group has taken or lost of an event id.
    pub(super) fn taken(&self, group: usize, id: u16) -> usize {
        self.total(id) + (group + 1) * self.ids
    }

    /// The first word of the frames.
    #[inline]
    pub(super) fn frames(&self) -> usize {
        (self.total(0) + (self.groups + 1) * self.ids).next_multiple_of(PAGE)
    }

    /// All words.
    pub(super) fn words(&self) -> usize {
        self.frames() + (self.size / 8) as usize
    }

    /// Bytes that are mapped. The journal is behind them.
    pub(super) fn bytes(&self) -> u64 {
        8 * self.words() as u64
    }

    /// The word at a position.
    #[inline]
    pub(super) fn at(&self, position: u64) -> usize {
        self.frames() + ((position & (self.size - 1)) / 8) as usize
    }

    /// Bytes from a position to where the frames begin anew.
    pub(super) fn left_from(&self, position: u64) -> u64 {
        self.size - (position & (self.size - 1))
    }

    /// The mark of a position.
    pub(super) fn mark(&self, position: u64) -> usize {
        let part = (position & (self.size - 1)) / (self.size / word::MARK_COUNT as u64).max(1);
        word::MARKS + part as usize
    }

    /// Bytes of the largest frame: so much that what is read now is not overwritten by the next but one.
    pub(super) fn most(&self) -> u64 {
        (self.size / 4).min(1 << 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lies_on_something_else() {
        let layout = Layout::new(1 << 20);
        assert!(layout.slot(SLOTS) <= layout.group(0));
        assert_eq!(layout.total(u16::MAX) + 1, layout.taken(0, 0));
        assert!(layout.taken(GROUPS - 1, u16::MAX) < layout.frames());
        assert_eq!(layout.bytes() % 4096, 0);
        assert_eq!(layout.at((1 << 20) + 64), layout.frames() + 8);
        assert_eq!((layout.mark(0), layout.mark((1 << 20) - 1)), (word::MARKS, word::MARKS + 63));
    }
}
