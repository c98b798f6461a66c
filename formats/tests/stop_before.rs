//! Blocks that end before a given event: all else is as without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use pactolus_formats::Header;
use pactolus_formats::asc;
use pactolus_formats::mid::{Block, Reader, Stop};

/// What a reader gives: number, serial number and payload of each event, and what is damaged.
type Found = (Vec<(u64, u32, Vec<u8>)>, Vec<String>);

/// A reader of either form.
trait Reads {
    fn read(&mut self, block: &mut Block, target: usize) -> Stop;
    fn stop_before(&mut self, event: Option<u64>);
    fn next_number(&self) -> u64;
}

macro_rules! reads {
    ($reader:ty) => {
        impl Reads for $reader {
            fn read(&mut self, block: &mut Block, target: usize) -> Stop {
                <$reader>::read(self, block, target).unwrap()
            }

            fn stop_before(&mut self, event: Option<u64>) {
                <$reader>::stop_before(self, event);
            }

            fn next_number(&self) -> u64 {
                <$reader>::next_number(self)
            }
        }
    };
}

reads!(Reader<&[u8]>);
reads!(asc::Reader<&[u8], ()>);

/// Reads all, with a stop that `stop` chooses for each block by the number of the next event.
fn read(mut reader: impl Reads, target: usize, stop: impl Fn(u64) -> Option<u64>) -> Found {
    let (mut events, mut damage, mut block) = (Vec::new(), Vec::new(), Block::new());
    loop {
        let next = reader.next_number();
        let wanted = stop(next);
        reader.stop_before(wanted);
        let ends = reader.read(&mut block, target);
        let numbers = block.first..block.first + block.count;
        let behind = reader.next_number();
        assert!(next <= numbers.start && numbers.end <= behind, "{next}, {numbers:?}, {behind}");
        // Also over numbers without an event.
        if let Some(wanted) = wanted.filter(|wanted| *wanted > next) {
            assert!(behind <= wanted, "{numbers:?}, {behind} over {wanted}");
        }
        events.extend(numbers.zip(block.events()).map(|(n, e)| (n, e.header.serial, e.payload.to_vec())));
        match ends {
            Stop::End => return (events, damage),
            Stop::Damaged(what) => damage.push(format!("{what:?}")),
            _ => {}
        }
    }
}

/// All stops give what none gives.
fn check<R: Reads>(reader: impl Fn() -> R) -> Found {
    let whole = read(reader(), 1 << 20, |_| None);
    let last = whole.0.last().unwrap().0;
    for n in 0..last + 3 {
        assert_eq!(read(reader(), 1 << 20, |_| Some(n)), whole, "before {n}");
    }
    for step in 1..9 {
        for target in [1, 150, 1 << 20] {
            let found = read(reader(), target, |next| Some((next / step + 1) * step));
            assert_eq!(found, whole, "before each multiple of {step}, in blocks of {target}");
        }
    }
    whole
}

fn event(id: u16, serial: u32, payload: &[u8]) -> Vec<u8> {
    let mask = if id == 0x8000 || id == 0x8001 { 0x494d } else { 1 };
    let header = Header { id, mask, serial, time: 1_700_000_000 + serial, size: payload.len() as u32 };
    [&header.to_bytes(), payload].concat()
}

fn banks(serial: u32) -> Vec<u8> {
    let bank = [b"ADC0".as_slice(), &[4, 0, 0, 0, 4, 0, 0, 0], &serial.to_le_bytes(), &[0; 4]].concat();
    [[bank.len() as u32, 0x11].map(u32::to_le_bytes).concat(), bank].concat()
}

#[test]
fn binary_events_are_the_same_whatever_the_stop() {
    let mut bytes = event(0x8000, 42, b"dump\0");
    for serial in 0..60 {
        bytes.extend(event(1, serial, &banks(serial)));
        match serial % 12 {
            3 => bytes.extend(event(0x8002, serial, b"a message\0")),
            5 => {
                let whole = banks(serial);
                bytes.extend(event(0xc003, serial, &(whole.len() as u32).to_le_bytes()));
                bytes.extend(event(0xd003, serial, &whole[..16]));
                bytes.extend(event(2, serial, &banks(serial)));
                bytes.extend(event(0xd003, serial, &whole[16..]));
            }
            // A piece of an event that never becomes whole.
            7 => bytes.extend(event(0xc004, serial, &24_u32.to_le_bytes())),
            8 => bytes.extend(event(5, serial, &[0x41; 12])),
            9 => bytes.extend([0xff; 33]),
            // An event that is cut.
            11 => bytes.extend(&event(1, serial, &banks(serial))[..30]),
            _ => {}
        }
    }
    bytes.extend(event(0x8001, 42, b"dump\0"));
    let (events, damage) = check(|| Reader::new(&*bytes));
    assert!(events.len() > 80 && damage.len() > 8, "{} events, {damage:?}", events.len());
}

#[test]
fn text_is_the_same_whatever_the_stop() {
    let mut text = String::from("%ID BOR NR 42\ndump\n\n");
    for serial in 0..60 {
        text += &format!("%ID 1 TR 0 NR {serial}\nBK ADC0 TP WORD SZ 1\n{serial}\n\n");
        match serial % 10 {
            3 => text += "%ID 1 TR 0 NR 7\nBK ADC0 TP WORD SZ 2\nrubbish\n\n",
            6 => text += &format!("%ID 9 TR 0 NR {serial}\n1.5\n2\n\n"),
            7 => text += "nothing at all\n",
            _ => {}
        }
    }
    let (events, damage) = check(|| asc::Reader::new(text.as_bytes(), ()));
    assert!(events.len() >= 60 && damage.len() >= 12, "{} events, {damage:?}", events.len());
    assert!(events.last().unwrap().0 > events.len() as u64, "numbers without an event");
}
