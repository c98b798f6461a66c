//! Streams that pause: what is whole is handed on, nobody waits, and nothing is lost or changed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod pauses_common;

use std::cell::Cell;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::rc::Rc;

use pactolus_formats::compress::Output;
use pactolus_formats::event::Kind;
use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::mid::{self, Block, Stop, write_raw};
use pactolus_formats::{
    Bank, BankName, ByteSource, Compression, DamageKind, EventView, Header, Input, Order, Tid, asc,
};
use pauses_common::{Pausing, corpus};

/// A stream of which so many bytes have come.
struct Halting {
    bytes: Vec<u8>,
    at: usize,
    come: Rc<Cell<usize>>,
}

impl Read for Halting {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.come.get() && self.at < self.bytes.len() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = buf.len().min(self.come.get() - self.at);
        buf[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

impl ByteSource for Halting {}

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
        let banks = [Bank { name: bank, code: Tid::Word.code(), data: &words, order: Order::Little }];
        let header = Header { id: 1, mask: 1, serial, time: 1_700_000_000, size: 0 };
        mid::write_event(&mut bytes, &header, BankKind::Bank32, banks.into_iter()).unwrap();
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

/// What a reader gave: events with their places and numbers, and damage.
#[derive(Debug, PartialEq)]
struct Was {
    events: Vec<(u64, u64, Vec<u8>)>,
    damage: Vec<Wrong>,
}

/// Damage, but for how far a compressed file had been read by then, unless that is what is wrong.
#[derive(Debug, PartialEq)]
struct Wrong {
    kind: DamageKind,
    range: (u64, u64),
    event: u64,
    packed: Option<(Option<u64>, Option<u64>)>,
}

fn was(mut next: impl FnMut(&mut Block) -> io::Result<Stop>, len: usize) -> Was {
    let mut was = Was { events: Vec::new(), damage: Vec::new() };
    let mut block = Block::new();
    // A pause behind each byte, and a block or damage.
    for _ in 0..100 + 4 * len {
        let stop = next(&mut block).unwrap();
        let mut at = block.offset;
        for (event, number) in block.events().zip(block.first..) {
            let bytes = [&event.header.to_bytes()[..], event.payload].concat();
            let size = bytes.len() as u64;
            was.events.push((at, number, bytes));
            at += size;
        }
        match stop {
            Stop::End => return was,
            Stop::Damaged(damage) => was.damage.push(Wrong {
                packed: matches!(damage.kind, DamageKind::Compression(_))
                    .then_some((damage.compressed_offset, damage.compressed_end)),
                kind: damage.kind,
                range: (damage.offset, damage.end),
                event: damage.event,
            }),
            _ => {}
        }
    }
    panic!("no end");
}

/// What a file gives with pauses behind pieces of up to so many bytes, and without.
fn twice(name: &str, file: &[u8], (most, seed): (usize, u64), target: usize) -> [Was; 2] {
    let paused = Input::new(Pausing::new(file, most, seed), name).unwrap();
    let whole = Input::new(Cursor::new(file.to_vec()), name).unwrap();
    [paused, whole].map(|mut input| {
        // Blocks of a text are as large as those of the events in it.
        let len = 40 * file.len();
        while input.peek(4).is_err() {}
        if asc::is_text(input.peek(4).unwrap()) {
            let mut reader = asc::Reader::new(input, ());
            // The place of an event is not that in the text.
            let mut was = was(|block| reader.read(block, target), len);
            was.events.iter_mut().for_each(|(at, ..)| *at = 0);
            return was;
        }
        let mut reader = mid::Reader::new(input);
        was(|block| reader.read(block, target), len)
    })
}

#[track_caller]
fn same(name: &str, file: &[u8], pieces: (usize, u64), target: usize) {
    let [paused, whole] = twice(name, file, pieces, target);
    let (events, wanted) = (paused.events.len(), whole.events.len());
    assert_eq!(paused.damage, whole.damage, "{name}, {pieces:?}: {events} events, {wanted} wanted");
    assert!(paused.events == whole.events, "{name}, {pieces:?}: {events} events, {wanted} wanted");
}

/// Every run of the corpus, whole, cut and in every compression; and texts.
#[test]
fn runs_come_as_without_pauses() {
    for directory in ["mid", "comp", "mlogger2014", "golden"] {
        let files = corpus(directory).into_iter();
        let runs = files.filter(|(name, _)| name.contains(".mid") || name.ends_with(".asc"));
        for (n, (name, file)) in runs.filter(|(name, _)| !name.ends_with("crc32c")).enumerate() {
            let target = [1, 5000, 1 << 20][n % 3];
            same(&name, &file, (1000, n as u64), target);
            same(&name, &file, (50_000, n as u64), target);
        }
    }
}

#[test]
fn byte_by_byte_a_run_comes_as_without_pauses() {
    let (bytes, _, text) = run();
    let files = corpus("mid");
    let small =
        files.iter().find(|(name, _)| name.ends_with("run00109.mid")).map(|(_, file)| &file[..]).unwrap();
    for plain in [&bytes, &text, small] {
        same("run", plain, (1, 0), 1 << 20);
        for compression in Compression::ALL {
            let mut output = Output::new(compression, None, Vec::new()).unwrap();
            output.write_all(plain).unwrap();
            let file = output.finish().unwrap();
            same("packed", &file, (1, 0), 1 << 20);
            same("cut", &file[..file.len() - 9], (1, 0), 1 << 20);
        }
    }
}
