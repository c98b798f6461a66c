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
}

impl Reserved {
    /// So many of each id.
    pub(super) fn new(most: BTreeMap<u16, u32>) -> Reserved {
        Reserved { most, events: BTreeMap::new() }
    }

    /// Whether events of this id are kept.
    pub(super) fn has(&self, id: u16) -> bool {
        self.most.contains_key(&id)
    }

    /// Keeps an event; gives back the oldest of its id if there are too many.
    pub(super) fn keep(&mut self, id: u16, place: Place, bytes: Vec<u8>) -> Option<(Place, Vec<u8>)> {
        let most = self.most.get(&id).copied().unwrap_or(0) as usize;
        let events = self.events.entry(id).or_default();
        events.insert(place, bytes);
        if events.len() > most { events.pop_first() } else { None }
    }

    /// Where the first one stands.
    pub(super) fn first(&self) -> Option<Place> {
        self.events.values().filter_map(|events| events.first_key_value()).map(|(place, _)| *place).min()
    }

    /// Takes the first one.
    pub(super) fn take_first(&mut self) -> Option<Vec<u8>> {
        let first = self.first()?;
        self.events.values_mut().find_map(|events| events.remove(&first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_id_are_kept_and_come_in_order() {
        let mut reserved = Reserved::new(BTreeMap::from([(4, 2), (7, 1)]));
        assert!(reserved.has(4) && !reserved.has(1));
        assert_eq!(reserved.keep(4, (5, 0), vec![1]), None);
        assert_eq!(reserved.keep(7, (6, 1), vec![2]), None);
        assert_eq!(reserved.keep(4, (6, 0), vec![3]), None);
        assert_eq!(reserved.keep(4, (6, 2), vec![4]), Some(((5, 0), vec![1])));
        // One that is older than those that are kept is not kept.
        assert_eq!(reserved.keep(4, (3, 0), vec![5]), Some(((3, 0), vec![5])));
        assert_eq!(reserved.first(), Some((6, 0)));
        let taken: Vec<u8> = std::iter::from_fn(|| reserved.take_first()).flatten().collect();
        assert_eq!(taken, [3, 2, 4]);
        assert_eq!(reserved.first(), None);
    }
}
