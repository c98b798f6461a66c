//! Rare events that are kept for who is behind.

use std::collections::BTreeMap;

/// Where an event stands: the number of the piece that it was in, and its place there.
pub(super) type Place = (u64, u32);

/// The newest events of some ids.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    /// How many of each.
    most: BTreeMap<u16, u32>,
    events: BTreeMap<u16, BTreeMap<Place, Vec<u8>>>,
    /// Bytes of them, and how many there may be.
    bytes: usize,
    limit: usize,
}

impl Reserved {
    /// So many of each id, and so many bytes in all.
    pub(super) fn new(most: BTreeMap<u16, u32>, limit: usize) -> Reserved {
        Reserved { most, events: BTreeMap::new(), bytes: 0, limit }
    }

    /// Whether events of this id are kept.
    pub(super) fn has(&self, id: u16) -> bool {
        self.most.contains_key(&id)
    }

    /// Keeps an event; then what is [`over`](Reserved::over) must go.
    pub(super) fn keep(&mut self, id: u16, place: Place, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        self.events.entry(id).or_default().insert(place, bytes);
    }

    /// Gives back the oldest event of this id, if there are too many of it, or too many bytes.
    pub(super) fn over(&mut self, id: u16) -> Option<(Place, Vec<u8>)> {
        let most = self.most.get(&id).copied().unwrap_or(0) as usize;
        let events = self.events.get_mut(&id)?;
        let (place, bytes) =
            if events.len() > most || self.bytes > self.limit { events.pop_first() } else { None }?;
        self.bytes -= bytes.len();
        Some((place, bytes))
    }

    /// Where the first one stands.
    pub(super) fn first(&self) -> Option<Place> {
        self.events.values().filter_map(|events| events.first_key_value()).map(|(place, _)| *place).min()
    }

    /// Takes the first one.
    pub(super) fn take_first(&mut self) -> Option<Vec<u8>> {
        let first = self.first()?;
        let bytes = self.events.values_mut().find_map(|events| events.remove(&first))?;
        self.bytes -= bytes.len();
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_id_are_kept_and_come_in_order() {
        let mut reserved = Reserved::new(BTreeMap::from([(4, 2), (7, 1)]), 100);
        assert!(reserved.has(4) && !reserved.has(1));
        let mut keep = |id, place, bytes| {
            reserved.keep(id, place, bytes);
            std::iter::from_fn(|| reserved.over(id)).collect::<Vec<_>>()
        };
        assert_eq!(keep(4, (5, 0), vec![1]), []);
        assert_eq!(keep(7, (6, 1), vec![2]), []);
        assert_eq!(keep(4, (6, 0), vec![3]), []);
        assert_eq!(keep(4, (6, 2), vec![4]), [((5, 0), vec![1])]);
        // One that is older than those that are kept is not kept.
        assert_eq!(keep(4, (3, 0), vec![5]), [((3, 0), vec![5])]);
        assert_eq!(reserved.first(), Some((6, 0)));
        let taken: Vec<u8> = std::iter::from_fn(|| reserved.take_first()).flatten().collect();
        assert_eq!(taken, [3, 2, 4]);
        assert_eq!((reserved.first(), reserved.bytes), (None, 0));
    }

    #[test]
    fn bytes_are_bounded_whatever_the_number() {
        let mut reserved = Reserved::new(BTreeMap::from([(4, 1000), (7, 1000)]), 100);
        let mut keep = |id, place, size| {
            reserved.keep(id, place, vec![0; size]);
            std::iter::from_fn(|| reserved.over(id)).map(|(place, _)| place).collect::<Vec<_>>()
        };
        assert_eq!(keep(7, (1, 0), 30), []);
        assert_eq!(keep(4, (2, 0), 30), []);
        assert_eq!(keep(4, (3, 0), 30), []);
        // Those of its own id make room ...
        assert_eq!(keep(4, (4, 0), 50), [(2, 0), (3, 0)]);
        // ... and what is too large by itself is not kept.
        assert_eq!(keep(4, (5, 0), 200), [(4, 0), (5, 0)]);
        assert_eq!((reserved.first(), reserved.bytes), (Some((1, 0)), 30));
    }
}
