//! Where, in what comes, one run ends and the next begins.

use pactolus_formats::Header;

use crate::feed::places;

/// The border between the run in hand and the next.
#[derive(Debug, Default)]
pub(super) struct Border {
    /// Another run has begun, and at most so many bytes of the one in hand are still to come.
    left: Option<u64>,
    /// The last serial number of each event id in the run.
    serials: Vec<(u16, u32)>,
}

impl Border {
    /// Whether another run has begun.
    pub(super) fn is_set(&self) -> bool {
        self.left.is_some()
    }

    /// Another run has begun, while so many bytes were there.
    pub(super) fn set(&mut self, left: u64) {
        self.left = Some(left);
    }

    /// There is none any more.
    pub(super) fn lift(&mut self) {
        self.left = None;
    }

    /// Where the events of the next run begin, if it has begun: behind what was there when that was seen, or
    /// before, since serial numbers begin anew with each run.
    pub(super) fn find(&mut self, piece: &[u8]) -> Option<usize> {
        for (header, at) in places(piece) {
            let last = self.serials.iter_mut().find(|(id, _)| *id == header.id);
            if let Some(left) = &mut self.left {
                let size = (Header::SIZE + header.size as usize).next_multiple_of(8) as u64;
                if *left < size || last.as_ref().is_some_and(|(_, last)| header.serial < *last) {
                    return Some(at);
                }
                *left -= size;
            }
            match last {
                Some((_, last)) => *last = header.serial,
                None => self.serials.push((header.id, header.serial)),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events of id 1 with 12 bytes of data each, of which 32 bytes are counted.
    fn piece(serials: &[u32]) -> Vec<u8> {
        let event = |&serial: &u32| {
            let header = Header { id: 1, mask: 0, serial, time: 0, size: 12 };
            [header.to_bytes().as_slice(), &[0; 12]].concat()
        };
        serials.iter().flat_map(event).collect()
    }

    #[test]
    fn the_next_run_begins_behind_what_was_there() {
        let mut border = Border::default();
        assert_eq!(border.find(&piece(&[4, 5, 3])), None, "no other has begun");
        border.set(64);
        assert_eq!(border.find(&piece(&[4])), None);
        assert_eq!(border.find(&piece(&[5, 6, 7])), Some(28));
    }

    #[test]
    fn the_next_run_begins_where_serial_numbers_begin_anew() {
        let mut border = Border::default();
        assert_eq!(border.find(&piece(&[4, 5])), None);
        border.set(1 << 20);
        assert_eq!(border.find(&piece(&[6, 7, 0])), Some(56));
        border.lift();
        assert!(!border.is_set());
        assert_eq!(border.find(&piece(&[0])), None);
    }
}
