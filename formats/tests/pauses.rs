//! Streams that pause: what is whole is handed on, nobody waits, and nothing is lost or changed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use pactolus_formats::mid::{self, Block, Stop};
use pactolus_formats::{BankName, ByteSource, EventView, Header, asc};

/// A stream of which so many bytes have come.
struct Halting {
    bytes: Vec<u8>,
    at: usize,
    come: Rc<Cell<usize>>,
}

impl Read for Halting {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        assert!(!self.would_wait(), "the reader waits at byte {}", self.at);
        let n = buf.len().min(self.come.get() - self.at);
        buf[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

impl ByteSource for Halting {
    fn would_wait(&self) -> bool {
        self.at == self.come.get() && self.at < self.bytes.len()
    }
}

/// A stream that halts behind so many bytes, and what lets it go on.
fn halting(bytes: &[u8], come: usize) -> (Halting, Rc<Cell<usize>>) {
    let come = Rc::new(Cell::new(come));
    (Halting { bytes: bytes.to_vec(), at: 0, come: Rc::clone(&come) }, come)
}

/// Reads to the end; the bytes of all blocks, and how many of them came before the pause.
fn read(
    mut next: impl FnMut(&mut Block) -> io::Result<Stop>,
    (come, all): (&Cell<usize>, usize),
) -> (Vec<u8>, usize) {
    let (mut block, mut events, mut before) = (Block::new(), Vec::new(), None);
    loop {
        let stop = next(&mut block).unwrap();
        events.extend_from_slice(block.bytes());
        match stop {
            Stop::End => return (events, before.unwrap_or(0)),
            Stop::Damaged(damage) => panic!("{damage}"),
            Stop::Pause => {
                before.get_or_insert(events.len());
                come.set(all);
            }
            _ => {}
        }
    }
}

/// A run of seven events with a bank each, the ends of its events, and its text.
fn run() -> (Vec<u8>, Vec<usize>, Vec<u8>) {
    let (mut bytes, mut ends, mut text) = (Vec::new(), Vec::new(), Vec::new());
    let bank = BankName::parse("ADC0").unwrap();
    for serial in 0..7_u32 {
        let words: Vec<u8> = (0..4 * serial as u16).flat_map(u16::to_le_bytes).collect();
        let banks = [pactolus_formats::Bank {
            name: bank,
            code: pactolus_formats::Tid::Word.code(),
            data: &words,
            order: pactolus_formats::Order::Little,
        }];
        let header = Header { id: 1, mask: 1, serial, time: 1_700_000_000, size: 0 };
        let kind = mid::layout::BankKind::Bank32;
        mid::write_event(&mut bytes, &header, kind, banks.into_iter()).unwrap();
        asc::write_event(&mut text, &header, banks.into_iter(), |_| None);
        ends.push(bytes.len());
    }
    (bytes, ends, text)
}

#[test]
fn binary_events_are_handed_on_when_they_are_whole() {
    let (bytes, ends, _) = run();
    for target in [1, 100, 1 << 20] {
        for come in 0..bytes.len() {
            let (input, go_on) = halting(&bytes, come);
            let mut reader = mid::Reader::new(input);
            let (found, before) = read(|block| reader.read(block, target), (&go_on, bytes.len()));
            let whole = ends.iter().rev().find(|&&end| end <= come).copied().unwrap_or(0);
            assert!(found == bytes && before == whole, "{come} bytes have come, {before} were given");
        }
    }
}

#[test]
fn text_events_are_handed_on_when_they_are_whole() {
    let (.., text) = run();
    let wanted = {
        let mut reader = asc::Reader::new(&text[..], ());
        let mut block = Block::new();
        assert_eq!(reader.read(&mut block, 1 << 20).unwrap(), Stop::End);
        block.bytes().to_vec()
    };
    for come in 0..text.len() {
        let (input, go_on) = halting(&text, come);
        let mut reader = asc::Reader::new(input, ());
        let (found, before) = read(|block| reader.read(block, 1 << 20), (&go_on, text.len()));
        assert!(found == wanted, "{come} bytes have come");
        let count = |bytes: &[u8]| {
            let mut rest = bytes;
            std::iter::from_fn(|| EventView::parse(rest).map(|(_, behind)| rest = behind)).count()
        };
        // An event is whole with its empty line.
        let whole = String::from_utf8_lossy(&text[..come]).matches("\n\n").count();
        assert_eq!(count(&found[..before]), whole, "{come} bytes have come");
    }
}
