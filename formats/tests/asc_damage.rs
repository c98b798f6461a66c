//! Texts that are cut or changed anywhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asc_common;

use std::io::{self, Write as _};

use asc_common::{Read, Whole, defined, name, print, read, read_from};
use pactolus_formats::compress::Output;
use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::mid::write_event;
use pactolus_formats::{Bank, ByteSource, Compression, DamageKind, Header, Input, Kind, Limits, Order, Tid};

const BIG: usize = 1 << 20;

/// A text with every type of bank, a structure, FIXED events and both dumps, as we print it. The
/// definitions are those of [`defined`].
fn every_type() -> Vec<u8> {
    let dump = b"<?xml version=\"1.0\"?>\n<odb>\n  <key name=\"a\">1</key>\n</odb>\n";
    let mut text = Vec::new();
    let system = |text: &mut Vec<u8>, kind: &str| {
        text.extend(format!("%ID {kind} NR 12\n").bytes());
        text.extend(dump);
    };
    system(&mut text, "BOR");
    let event = |text: &mut Vec<u8>, id, serial, banks: &[(&str, Tid, &[u8])]| {
        let views = banks.iter().map(|(bank, tid, data)| Bank {
            name: name(bank),
            code: tid.code(),
            data,
            order: Order::Little,
        });
        let header = Header { id, mask: 0xffff, serial, ..Header::default() };
        let mut bytes = Vec::new();
        write_event(&mut bytes, &header, BankKind::Bank, views).unwrap();
        let payload = bytes.get(16..).unwrap_or_default().to_vec();
        print(text, &Whole { header, payload, number: 0 }, &defined());
    };
    event(&mut text, 1, 10, &[("ADC0", Tid::Word, &[1, 2, 3, 4]), ("TDC0", Tid::Dword, &[1; 8])]);
    let structure =
        [&[7u8, 0][..], &300u16.to_le_bytes(), b"a\n\0b", b"text\0\0", &[0, 0], &1.5f32.to_le_bytes()]
            .concat();
    event(
        &mut text,
        3,
        11,
        &[
            ("BYT0", Tid::Byte, &[0, 255]),
            ("SBY0", Tid::Sbyte, &[0, 255]),
            ("CHR0", Tid::Char, b"a\n\0 b"),
            ("SHT0", Tid::Short, &[255, 255, 0, 128]),
            ("STR0", Tid::String, b"BK a\0\0\0"),
            ("INT0", Tid::Int, &[0, 0, 0, 128]),
            ("BOL0", Tid::Bool, &[1, 0, 0, 0, 0, 0, 0, 0]),
            ("FLT0", Tid::Float, &[0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0xff]),
            ("DBL0", Tid::Double, &1e-300f64.to_le_bytes()),
            ("BIT0", Tid::Bitfield, &[0, 255]),
            ("LNK0", Tid::Link, b"\0\0"),
            ("ARR0", Tid::Array, &[0, 255]),
            ("KEY0", Tid::Key, &[0, 255]),
            ("STC0", Tid::Struct, &structure),
            ("UNDF", Tid::Struct, &[0, 255]),
            ("I640", Tid::Int64, &i64::MIN.to_le_bytes()),
            ("U640", Tid::Uint64, &u64::MAX.to_le_bytes()),
            ("NUL0", Tid::Float, &[]),
        ],
    );
    // Empty, FIXED, FIXED that nobody defines, a structure that nobody defines.
    text.extend(
        b"%ID 2 TR 0 NR 12\n\n%ID 4 TR 0 NR 13\nn\n1\n2\nLabel\nlab\n\n%ID 5 TR 0 NR 14\nV\n1.5\nName\n\n\n",
    );
    text.extend(b"%ID 6 TR 0 NR 15\nBK UNDF TP STRUCT SZ 8\na:\n1\nb c:\n-2.5\n\n");
    event(&mut text, 6, 16, &[("STR0", Tid::String, b"one\0"), ("STR1", Tid::String, b"two line\0")]);
    event(&mut text, 6, 17, &[("CHR0", Tid::Char, b"ab\0")]);
    system(&mut text, "EOR");
    event(&mut text, 1, 18, &[("STR0", Tid::String, b"last\0")]);
    text
}

/// The same kinds of bank as `mana` prints them: a line for each byte of a STRING, NULs as nothing.
/// Among what stands behind the bank is a newline; cut behind an empty line there the text would
/// look whole, so the last line is not empty.
fn as_mana() -> Vec<u8> {
    let event = |serial: u32, rest: &str| {
        format!(
            "%ID 3 TR 2 NR {serial}\nBK STR0 TP STRING SZ 4\nabc\n\u{4}\n\nx \ny\nBK CHR0 TP CHAR SZ 4\na\n\nb\n\n{rest}\n"
        )
    };
    let rest = "BK ADC0 TP WORD SZ 2\n1\n2\n";
    [
        event(1, rest),
        event(2, "BK LNK0 TP LINK SZ 3\n\n\nK\n"),
        event(3, "BK CHR1 TP CHAR SZ 3\na\n\n\n"),
        event(4, rest),
    ]
    .concat()
    .into_bytes()
}

/// Where the events of a text stand: at the lines that begin with `%ID `, of which the text has no
/// others.
fn records(text: &[u8]) -> Vec<(usize, usize)> {
    let is_start = |at: usize| text[at..].starts_with(b"%ID ") && (at == 0 || text[at - 1] == b'\n');
    let mut starts: Vec<usize> = (0..text.len()).filter(|&at| is_start(at)).collect();
    starts.push(text.len());
    starts.windows(2).map(|w| (w[0], w[1])).collect()
}

/// The events of a whole text by their number, and those numbers that are refused.
fn truth(text: &[u8]) -> Vec<Option<Whole>> {
    let all = read(text, defined(), BIG);
    assert_eq!(all.damage, []);
    let find = |number| all.events.iter().find(|event| event.number == number).cloned();
    (1..=records(text).len() as u64).map(find).collect()
}

#[test]
fn the_small_texts_hold_what_the_tests_below_need() {
    let truth = truth(&every_type());
    assert_eq!(truth.iter().filter(|event| event.is_none()).count(), 1);
    let all = truth[2].as_ref().unwrap();
    let banks = [
        "BYT0", "SBY0", "CHR0", "SHT0", "STR0", "INT0", "BOL0", "FLT0", "DBL0", "LNK0", "STC0", "I640",
        "U640", "NUL0",
    ];
    assert_eq!(all.bank_names(), banks);
    assert_eq!(all.banks()[2].data, b"a\n\0 b");
    assert_eq!(all.banks()[10].data.len(), 20);
    assert_eq!(&all.banks()[10].data[4..14], b"a\n\0btext\0\0");
    assert_eq!(truth[4].as_ref().unwrap().payload, b"\x01\0\0\0\x02\0\0\0lab\0\0\0\0\0\0\0\0\0");
    let mana = self::truth(&as_mana());
    assert_eq!(mana[2].as_ref().unwrap().banks()[1].data, b"a\0\0");
    assert_eq!(mana[2].as_ref().unwrap().banks()[0].data, b"a\0b\0");
}

/// That the events before number `from` (counted from 0) and those from number `again` on are as
/// they were, and that what is missing is accounted for, at its place.
fn check_damaged(
    what: &str,
    all: &Read,
    truth: &[Option<Whole>],
    from: usize,
    again: usize,
    range: (usize, usize),
) {
    let plain = |event: &Whole| (event.header, event.payload.clone());
    let before: Vec<_> = truth[..from].iter().flatten().map(plain).collect();
    let after: Vec<_> = truth[again..].iter().flatten().map(plain).collect();
    let ours: Vec<_> = all.events.iter().map(plain).collect();
    assert!(ours.len() >= before.len() + after.len(), "{what}: events are missing: {all:?}");
    assert_eq!(ours[..before.len()], before, "{what}: events before the damage");
    assert_eq!(ours[ours.len() - after.len()..], after, "{what}: events behind the damage");
    let whole = truth.iter().flatten().count();
    let places = all.damage.len() as u64 + all.refused.events + all.refused.banks;
    assert!(ours.len() >= whole || places > 0, "{what}: an event is missing and nothing says so");
    let mut end = 0;
    for damage in &all.damage {
        let place = (range.0 as u64..=range.1 as u64).contains(&damage.offset);
        assert!(place && damage.offset >= end && damage.end > damage.offset, "{what}: {damage}");
        assert!(damage.end <= range.1 as u64, "{what}: {damage}");
        end = damage.end;
    }
}

#[test]
fn a_text_cut_at_any_byte_gives_the_events_before_and_a_place() {
    for text in [every_type(), as_mana()] {
        let (truth, records) = (truth(&text), records(&text));
        for cut in 0..text.len() {
            for target in [0, BIG] {
                let all = read(&text[..cut], defined(), target);
                let whole = records.iter().filter(|&&(_, end)| end <= cut).count();
                let (start, end) = records.get(whole).copied().unwrap();
                let what = format!("cut at {cut}");
                let plain = |event: &Whole| (event.header, event.payload.clone());
                let wanted: Vec<_> = truth[..whole].iter().flatten().map(plain).collect();
                let mut ours: Vec<_> = all.events.iter().map(plain).collect();
                // Of an XML dump only the LF is missing, which is no reason to lose a run's ODB.
                if cut + 1 == end && text[..cut].ends_with(b"</odb>") {
                    assert_eq!((ours.pop().unwrap().0.serial, all.damage.len()), (12, 0));
                    assert_eq!(ours, wanted, "{what}");
                    continue;
                }
                assert_eq!(ours, wanted, "{what}");
                if cut == start {
                    assert_eq!(all.damage, [], "{what}");
                    continue;
                }
                // The undefined FIXED event looks whole behind its empty text.
                if text[start..].starts_with(b"%ID 5 ") && all.damage.is_empty() {
                    assert!(text[..cut].ends_with(b"Name\n\n") && all.refused.events == 1, "{what}");
                    continue;
                }
                assert_eq!(all.damage.len(), 1, "{what}");
                let place = (all.damage[0].offset, all.damage[0].end, all.damage[0].event);
                assert_eq!(place, (start as u64, cut as u64, whole as u64 + 1), "{what}");
            }
        }
    }
}

#[test]
fn a_wrong_byte_anywhere_costs_its_event() {
    for text in [every_type(), as_mana()] {
        let (truth, records) = (truth(&text), records(&text));
        for at in 0..text.len() {
            let old = text[at];
            for new in [old ^ 1, old ^ 0x10, b'\n', b' ', b'0', 0xff] {
                if new == old {
                    continue;
                }
                let mut broken = text.clone();
                broken[at] = new;
                let all = read(&broken, defined(), if at % 2 == 0 { BIG } else { 0 });
                let hit = records.iter().position(|&(_, end)| at < end).unwrap();
                // The next line that begins an event: the LF before it may be the wrong byte.
                let again = (hit + 1..records.len()).find(|&i| broken[records[i].0 - 1] == b'\n');
                let (again, end) = again.map_or((truth.len(), text.len()), |i| (i, records[i].0));
                let what = format!("byte {at}: {old:#x} to {new:#x}, in event {}", hit + 1);
                check_damaged(&what, &all, &truth, hit, again, (records[hit].0, end));
            }
        }
    }
}

/// A source that gives a few bytes at a time, and breaks at one place.
struct Broken<'a> {
    text: &'a [u8],
    at: usize,
    piece: usize,
    /// Where it breaks, and where it can go on.
    gap: Option<(usize, Option<usize>)>,
}

impl io::Read for Broken<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let end = self.gap.map_or(self.text.len(), |(start, _)| start);
        if self.at == end && self.gap.is_some() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "broken for the test"));
        }
        let size = buf.len().min(self.piece);
        let n = size.min(end - self.at);
        buf[..n].copy_from_slice(&self.text[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

impl ByteSource for Broken<'_> {
    fn compressed_offset(&self) -> Option<u64> {
        Some(self.at as u64 / 2)
    }

    fn resume(&mut self) -> io::Result<bool> {
        let Some((_, Some(end))) = self.gap.take() else { return Ok(false) };
        self.at = end;
        Ok(true)
    }
}

#[test]
fn a_text_in_pieces_is_the_same_text() {
    for text in [every_type(), as_mana()] {
        let wanted = read(&text, defined(), BIG);
        for piece in [1, 2, 7, 100] {
            let input = Broken { text: &text, at: 0, piece, gap: None };
            assert_eq!(
                read_from(input, defined(), BIG, Limits::default()),
                wanted,
                "{piece} bytes at a time"
            );
        }
    }
}

#[test]
fn a_stream_that_breaks_gives_what_was_whole_and_goes_on_behind() {
    let text = every_type();
    let (truth, records) = (truth(&text), records(&text));
    for start in 0..text.len() {
        for behind in
            [None, Some(start), Some((start + 40).min(text.len())), Some((start + 150).min(text.len()))]
        {
            let what = format!("broken at {start}, going on at {behind:?}");
            let input = Broken { text: &text, at: 0, piece: 64, gap: Some((start, behind)) };
            let all = read_from(input, defined(), 100, Limits::default());
            let whole = records.iter().filter(|&&(_, end)| end <= start).count();
            let kind = DamageKind::Compression("broken for the test".into());
            let at = all.damage.iter().position(|damage| damage.kind == kind);
            let damage = &all.damage[at.unwrap_or_else(|| panic!("{what}: no damage"))];
            assert!(all.damage.len() == 1 && damage.compressed_offset.is_some(), "{what}: {:?}", all.damage);
            let plain = |event: &Whole| (event.header, event.payload.clone());
            let ours: Vec<_> = all.events.iter().map(plain).collect();
            let before: Vec<_> = truth[..whole].iter().flatten().map(plain).collect();
            assert_eq!(ours[..before.len()], before, "{what}");
            let again = behind.and_then(|behind| records.iter().position(|&(start, _)| start >= behind));
            let after: Vec<_> = truth[again.unwrap_or(truth.len())..].iter().flatten().map(plain).collect();
            assert_eq!(ours[ours.len() - after.len()..], after, "{what}");
            // Of an XML dump only the LF may be missing.
            let more = usize::from(text[..start].ends_with(b"</odb>"));
            assert_eq!(ours.len(), before.len() + after.len() + more, "{what}");
        }
    }
}

#[test]
fn a_compressed_text_cut_or_changed_anywhere_gives_a_place() {
    let text = every_type();
    let truth = truth(&text);
    // The last LF of a dump may be missing.
    let plain = |event: &Whole| match event.view().kind() {
        Kind::Data => (event.header.serial, event.payload.clone()),
        _ => (event.header.serial, event.view().text().trim_ascii_end().to_vec()),
    };
    let truth: Vec<_> = truth.iter().flatten().map(plain).collect();
    for compression in Compression::ALL {
        let mut output = Output::new(compression, None, Vec::new()).unwrap();
        output.write_all(&text).unwrap();
        let packed = output.finish().unwrap();
        let read = |bytes: &[u8]| {
            let input = Input::new(io::Cursor::new(bytes.to_vec()), "small.asc").unwrap();
            read_from(input, defined(), BIG, Limits::default())
        };
        let whole = read(&packed);
        assert_eq!(whole.events.iter().map(plain).collect::<Vec<_>>(), truth, "{compression:?}");
        assert_eq!(whole.damage, []);
        // Below the four bytes by which it is recognised a file is anything.
        for cut in 4..packed.len() {
            let all = read(&packed[..cut]);
            let ours: Vec<_> = all.events.iter().map(plain).collect();
            assert!(truth.starts_with(&ours), "{compression:?} cut at {cut}");
            assert!(!all.damage.is_empty(), "{compression:?} cut at {cut}: no place");
        }
        for at in 0..packed.len() {
            for change in [0x01, 0x10, 0xff] {
                let mut broken = packed.clone();
                broken[at] ^= change;
                let all = read(&broken);
                // Some bytes mean nothing; without a checksum before them, others make other text.
                let same = all.events.iter().map(plain).eq(truth.iter().cloned());
                let place = !all.damage.is_empty() || all.refused != whole.refused;
                assert!(same || place, "{compression:?}: byte {at} ^ {change:#x}: no place");
            }
        }
    }
}
