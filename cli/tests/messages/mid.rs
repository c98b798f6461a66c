//! Damage in `.mid` files.

use pactolus::formats::Tid;

use crate::common::MidFile;
use crate::{Place, Provokers, Ran, provoke};

/// A run of such events of 44 bytes, behind a BOR of 17 bytes.
pub(crate) fn run_of(events: u32) -> MidFile {
    let file = MidFile::new().bor(42);
    (0..events).fold(file, |file, serial| file.words(1, serial, "ADC0", &[serial as u16, 2, 3, 4]))
}

/// Where an event of such a run begins.
fn at(event: usize) -> usize {
    17 + 44 * event
}

/// Scans a run of 20 events that is changed before.
fn scan(place: &Place, change: impl Fn(&mut Vec<u8>)) -> Ran {
    let mut bytes = run_of(20).eor(42).bytes;
    change(&mut bytes);
    place.put("run00042.mid", bytes).run("scan @run00042.mid")
}

/// Scans a run with something in the middle.
fn between(place: &Place, file: impl Fn(MidFile) -> MidFile) -> Ran {
    let run = file(run_of(5)).words(1, 5, "ADC0", &[1]).words(1, 6, "ADC0", &[1]).eor(42);
    place.put("run00042.mid", run.bytes).run("scan @run00042.mid")
}

/// Analyzes a run with an event whose payload is this.
fn payload(place: &Place, payload: &[u8]) -> Ran {
    let run = run_of(5).raw(1, 1, 5, payload).words(1, 6, "ADC0", &[1]).eor(42);
    place.put("run00042.mid", run.bytes).run("analyze @run00042.mid")
}

/// A bank area of one bank of eight bytes, and something behind it.
fn area(claimed: u32, behind: &[u8]) -> Vec<u8> {
    let total = 20 + behind.len() as u32;
    let head = [total.to_le_bytes(), 0x11_u32.to_le_bytes(), *b"ADC0", 4_u32.to_le_bytes()].concat();
    [&head[..], &claimed.to_le_bytes(), &[0; 8], behind].concat()
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "event header cut short: ... bytes needed, ... left" => |p| scan(p, |b| b.extend([1, 0, 0, 0, 7]));
        "event body cut short: ... bytes needed, ... left" => |p| scan(p, |b| b.truncate(at(20) - 5));
        "event of ... bytes: at most ... expected" => |p| {
            let run = run_of(5).words(1, 5, "ADC0", &[7; 2000]).words(1, 6, "ADC0", &[1]).eor(42);
            p.put("run00042.mid", run.bytes).run("scan @run00042.mid --max-event 1K")
        };
        "event header wanted, found id ..., mask ..., size ..." => |p| scan(p, |b| b[at(5)..at(6)].fill(0));
        "event of id ... claims ... bytes, its banks claim ..." => |p| scan(p, |b| b[at(5) + 12] += 132);
        "event of id ... claims ... bytes, those before it had ..." => |p| {
            let mut run = MidFile::new().bor(42);
            for serial in 0..6 {
                run = run.raw(4, 1, serial, &[7; 20]);
            }
            let mut bytes = run.eor(42).bytes;
            bytes[17 + 3 * 36 + 12] = 25;
            p.put("run00042.mid", bytes).run("scan @run00042.mid")
        };
        "event of id ... and ... bytes is cut: another event begins inside of it" => |p| {
            let large = run_of(5).words(1, 5, "ADC0", &[7; 2000]).bytes;
            let behind = run_of(200).eor(42).bytes;
            p.put("run00042.mid", [&large[..at(5) + 200], &behind].concat()).run("scan @run00042.mid")
        };
        "bank area flags 0x01, 0x11 or 0x31 wanted, ... found" => |p| {
            scan(p, |b| b[at(5) + 20..at(6) + 20].fill(0))
        };
        "fragment of an event of id ...: its first fragment is missing" => |p| {
            between(p, |run| run.raw(0xd001, 1, 9, b"abcdefgh"))
        };
        "fragments of an event of id ... incomplete: ... bytes needed, ... found" => |p| {
            between(p, |run| run.raw(0xc001, 1, 9, &100_u32.to_le_bytes()).raw(0xd001, 1, 9, &[0; 40]))
        };
        "bank area header cut short: ... bytes needed, ... left" => |p| payload(p, b"abcd");
        "bank header cut short: ... bytes needed, ... left" => |p| payload(p, &area(8, &[0; 6]));
        "bank ... cut short: ... bytes needed, ... left" => |p| payload(p, &area(80, b""));
        "larger events are read with --max-event SIZE, if they are that large" => |p| {
            let run = run_of(5).words(1, 5, "ADC0", &[7; 2000]).words(1, 6, "ADC0", &[1]).eor(42);
            p.put("run00042.mid", run.bytes).run("analyze @run00042.mid --max-event 1K")
        };
        "... event with broken banks" => |p| {
            let run = run_of(5).raw(1, 1, 5, &area(80, b"")).words(1, 6, "ADC0", &[1]).eor(42);
            p.put("run00042.mid", run.bytes).run("scan @run00042.mid")
        };
        "... place with broken bytes: ... lost" => |p| scan(p, |b| b[at(5)..at(6)].fill(0));
        "and ... more; ... bytes lost in all:" => |p| {
            let mut bytes = run_of(100).eor(42).bytes;
            (1..30).for_each(|n| bytes[at(3 * n)..at(3 * n + 1)].fill(0));
            p.put("run00042.mid", bytes).run("analyze @run00042.mid")
        };
        "broken: ... at byte ... of the event" => |p| {
            let run = run_of(5).raw(1, 1, 5, &area(80, b"")).words(1, 6, "ADC0", &[1]).eor(42);
            p.put("run00042.mid", run.bytes).run("dump @run00042.mid")
        };
        "no bank area: event in FIXED format, or broken" => |p| {
            let run = run_of(5).raw(4, 1, 5, &[7; 20]).event(1, 6, &[("ADC0", Tid::Word, &[1, 0])]).eor(42);
            p.put("run00042.mid", run.bytes).run("dump @run00042.mid")
        };
        "warning: ... holds no event" => |p| p.put("run00042.mid", "").run("analyze @run00042.mid");
    }
}
