//! Streams that pause: what is whole is handed on, nobody waits, and nothing is lost or changed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod pauses_common;

use std::cell::Cell;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::rc::Rc;

use pactolus_formats::compress::Output;
use pactolus_formats::event::Kind;
use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::mid::{self, Block, Stop};
use pactolus_formats::{
    Bank, BankName, ByteSource, Compression, DamageKind, EventView, Header, Input, Order, Tid, asc,
};
use pauses_common::{Pausing, corpus};

/// A stream of which so many bytes have come; [`OVER`] if no more will.
struct Halting {
    bytes: Vec<u8>,
    at: usize,
    come: Rc<Cell<usize>>,
}

const OVER: usize = usize::MAX;

impl Read for Halting {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.come.get() == OVER {
            return Ok(0);
        }
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
            Stop::Full | Stop::Bor | Stop::Eor => assert!(block.count > 0, "{stop:?} without an event"),
            Stop::Pause => {}
            Stop::Damaged(damage) => was.damage.push(Wrong {
                packed: matches!(damage.kind, DamageKind::Compression(_))
                    .then_some((damage.compressed_offset, damage.compressed_end)),
                kind: damage.kind,
                range: (damage.offset, damage.end),
                event: damage.event,
            }),
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

fn packed(compression: Compression, content: &[u8]) -> Vec<u8> {
    let mut output = Output::new(compression, None, Vec::new()).unwrap();
    output.write_all(content).unwrap();
    output.finish().unwrap()
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
            let file = packed(compression, plain);
            same("packed", &file, (1, 0), 1 << 20);
            same("cut", &file[..file.len() - 9], (1, 0), 1 << 20);
        }
    }
}

/// Files with wrong, missing and foreign bytes.
fn broken(file: &[u8]) -> Vec<Vec<u8>> {
    let place = |n: usize| n * 7919 % file.len().max(1);
    let mut broken = Vec::new();
    for n in 1..9 * usize::from(!file.is_empty()) {
        let mut flipped = file.to_vec();
        flipped[place(n)] ^= 1 << (n % 8);
        broken.push(flipped);
        let (begin, end) = file.split_at(place(n + 10));
        broken.push([begin, &end[end.len().min(40)..]].concat());
        broken.push([begin, &[n as u8; 70], end].concat());
    }
    broken
}

/// Text tells of itself whether it is whole: damage never depends on time.
#[test]
fn broken_text_comes_as_without_pauses() {
    let (.., text) = run();
    let golden = corpus("golden");
    let golden = golden.iter().filter(|(name, file)| name.ends_with(".asc") && file.len() < 20_000);
    for (name, file) in golden.chain([&("run.asc".to_owned(), text)]) {
        for (n, broken) in broken(file).iter().enumerate() {
            same(name, broken, (300, n as u64), [1, 1000][n % 2]);
        }
    }
    for compression in Compression::ALL {
        let members =
            corpus("golden/g13").into_iter().filter(|(name, _)| name.ends_with(".asc")).cycle().take(3);
        let file: Vec<u8> = members.flat_map(|(_, text)| packed(compression, &text)).collect();
        for (n, broken) in broken(&file).iter().enumerate() {
            same("packed.asc", broken, (500, n as u64), 1 << 20);
        }
    }
    for (n, (name, file)) in corpus("fuzz/asc").iter().enumerate() {
        same(name, file, (1, 0), 1 << 20);
        same(name, file, (100, n as u64), 1);
    }
}

/// An event that vouches for itself is handed on at a pause, whatever comes behind it. So where the one is
/// found cut that holds the begin of another, damage may depend on time from there on; but on nothing else.
#[track_caller]
fn same_up_to_crossed(name: &str, file: &[u8], pieces: (usize, u64), target: usize) {
    let [paused, whole] = twice(name, file, pieces, target);
    let crossed = |wrong: &&Wrong| matches!(wrong.kind, DamageKind::Crossed { .. });
    let from = whole.damage.iter().find(crossed).map_or(u64::MAX, |wrong| wrong.range.0);
    let before = |was: Was| {
        let events: Vec<_> = was.events.into_iter().filter(|(at, ..)| *at < from).collect();
        let damage: Vec<_> = was.damage.into_iter().filter(|wrong| wrong.range.0 < from).collect();
        (events, damage)
    };
    let ((events, damage), (wanted, wanted_damage)) = (before(paused), before(whole));
    assert_eq!(damage, wanted_damage, "{name}, {pieces:?}");
    assert!(events == wanted, "{name}, {pieces:?}: {} events, {} wanted", events.len(), wanted.len());
}

#[test]
fn broken_runs_come_as_without_pauses_up_to_the_first_event_that_another_crosses() {
    let runs = corpus("mid").into_iter().filter(|(name, _)| name.ends_with(".mid"));
    for (name, file) in runs {
        for (n, broken) in broken(&file).iter().enumerate() {
            same_up_to_crossed(&name, broken, (2000, n as u64), [1, 1 << 20][n % 2]);
        }
    }
    for (n, (name, file)) in corpus("fuzz/mid").iter().enumerate() {
        same_up_to_crossed(name, file, (1, 0), 1 << 20);
        same_up_to_crossed(name, file, (100, n as u64), [1, 64][n % 2]);
    }
}

/// What is missing of a compressed stream is one damage, with the place in the file where it goes on.
#[test]
fn runs_in_broken_streams_come_as_without_pauses_up_to_the_first_event_that_another_crosses() {
    let packed = corpus("comp").into_iter().filter(|(name, _)| !name.ends_with(".mid"));
    for (name, file) in packed {
        for (n, broken) in broken(&file).iter().enumerate().step_by(2) {
            same_up_to_crossed(&name, broken, (2000, n as u64), [3000, 1 << 20][n % 2]);
        }
    }
}

/// An event in FIXED format, of which the first of a run waits for the next.
fn fixed(serial: u32) -> Vec<u8> {
    let header = Header { id: 4, mask: 1, serial, time: 1_700_000_000, size: 12 };
    [&header.to_bytes()[..], &[1; 12]].concat()
}

fn eor(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = Header { id: 0x8001, mask: 0x494d, serial: 7, time: 1_700_000_000, size: text.len() as u32 };
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(text);
    bytes
}

/// Reads until nothing more has come; the events.
fn until_pause(reader: &mut mid::Reader<Halting>) -> usize {
    let (mut block, mut events) = (Block::new(), 0);
    for _ in 0..100 {
        let stop = reader.read(&mut block, 1 << 20).unwrap();
        events += block.events().count();
        if stop == Stop::Pause {
            return events;
        }
        assert!(!matches!(stop, Stop::End | Stop::Damaged(_)), "{stop:?}");
    }
    panic!("no pause");
}

#[test]
fn the_event_that_waits_for_another_is_shown() {
    let (bytes, ..) = run();
    // An EOR without the NUL at its end does not vouch for itself; nor does a first FIXED event.
    for (wait, kind) in [(fixed(0), Kind::Data), (eor(b"<odb>\n"), Kind::Eor), (eor(b""), Kind::Eor)] {
        let file = [&bytes[..], &wait, &fixed(1), &fixed(2)].concat();
        let behind = bytes.len() + wait.len();
        for come in bytes.len()..behind + 24 {
            let (input, go_on) = halting(&file, come);
            let mut reader = mid::Reader::new(input);
            assert!(reader.waiting().is_none());
            let events = until_pause(&mut reader);
            let whole = come == behind;
            assert_eq!(
                (events, reader.waiting().is_some()),
                (7, whole),
                "{kind:?}, {} bytes more",
                come - bytes.len()
            );
            if let Some((header, payload)) = reader.waiting() {
                assert_eq!((header.kind(), payload), (kind, &wait[Header::SIZE..]));
            }
            // The next read looks again, and finds what has come then.
            go_on.set(file.len());
            let mut block = Block::new();
            let stop = reader.read(&mut block, 1 << 20).unwrap();
            assert!(block.count >= 1 && reader.waiting().is_none(), "{stop:?}");
        }
        // Where events come whole, it does not wait; a part of the next one does.
        for (come, events) in [(behind, 8), (behind + 3, 7), (behind - 1, 7)] {
            let mut reader = mid::Reader::new(halting(&file, come).0).comes_whole();
            assert_eq!(until_pause(&mut reader), events, "{kind:?}, {come} bytes");
        }
        // Whoever knows that nothing follows lets the input end.
        let (input, go_on) = halting(&file, behind);
        let mut reader = mid::Reader::new(input);
        until_pause(&mut reader);
        go_on.set(OVER);
        let mut block = Block::new();
        let stop = reader.read(&mut block, 1 << 20).unwrap();
        assert_eq!(block.events().map(|event| event.kind()).collect::<Vec<_>>(), [kind], "{stop:?}");
        assert!(reader.waiting().is_none());
    }
}

/// Only behind a pause: otherwise nobody knows whether it waits.
#[test]
fn what_was_not_read_yet_does_not_wait() {
    let header = Header { id: 0x8000, mask: 0x494d, serial: 7, time: 1_700_000_000, size: 1 };
    let file = [&header.to_bytes()[..], &[0], &fixed(0)].concat();
    let mut reader = mid::Reader::new(&file[..]);
    assert_eq!(reader.read(&mut Block::new(), 1 << 20).unwrap(), Stop::Bor);
    assert!(reader.waiting().is_none());
}

/// Behind damage, an event waits for its follower although it vouches for itself; bytes that only look
/// like one do not.
#[test]
fn the_event_that_would_end_damage_is_shown() {
    let (bytes, ..) = run();
    let damage = bytes.len()..bytes.len() + 32;
    let file = [&bytes[..], &[0; 32], &eor(b"<odb>\0"), &fixed(1)].concat();
    let behind = damage.end + Header::SIZE + 6;
    for come in bytes.len()..behind + 20 {
        let (input, go_on) = halting(&file, come);
        let mut reader = mid::Reader::new(input);
        // Whether the last is cut may need more bytes to tell.
        let before = until_pause(&mut reader) as u64;
        assert!(before == 7 || before == 6 && come < damage.end, "{before} of 7");
        let waits = reader.waiting().map(|(header, _)| header.kind());
        assert_eq!(waits, (come == behind).then_some(Kind::Eor), "{come} bytes have come");
        go_on.set(if come == behind { OVER } else { file.len() });
        let mut block = Block::new();
        let stop = reader.read(&mut block, 1 << 20).unwrap();
        let Stop::Damaged(found) = stop else { panic!("{come} bytes have come: {stop:?}") };
        assert_eq!((found.offset..found.end, found.event), (damage.start as u64..damage.end as u64, 8));
        assert_eq!((block.first, block.count), (before + 1, 7 - before));
        assert!(block.offset == found.offset || before == 6);
        assert_eq!(reader.read(&mut block, 1 << 20).unwrap(), Stop::Eor);
        assert_eq!(block.events().map(|event| event.kind()).collect::<Vec<_>>(), [Kind::Eor]);
    }
}

/// A stretch of damaged text is one damage, and one event, however often nothing comes in it.
#[test]
fn damage_of_a_text_begins_where_it_began() {
    let (.., text) = run();
    let file = [&text[..], b"%ID 1 TR 0\nno event\nno event\n", &text].concat();
    for come in text.len() + 12..text.len() + 30 {
        let (input, go_on) = halting(&file, come);
        let mut reader = asc::Reader::new(input, ());
        let mut block = Block::new();
        assert_eq!(reader.read(&mut block, 1 << 20).unwrap(), Stop::Pause);
        assert_eq!(block.count, 7);
        go_on.set(file.len());
        let Stop::Damaged(damage) = reader.read(&mut block, 1 << 20).unwrap() else { panic!("none") };
        assert_eq!((damage.offset, damage.end, damage.event), (text.len() as u64, text.len() as u64 + 29, 8));
        assert_eq!((block.offset, block.first, block.count), (damage.offset, 8, 0));
    }
}
