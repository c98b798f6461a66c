use super::layout::{Area, BankKind};
use super::*;
use crate::event::{BOR, EOR, MIDAS_MAGIC};
use crate::{Bank, BankName, Damage, DamageKind, EventView, Header, Order, Tid};

const KINDS: [BankKind; 3] = [BankKind::Bank, BankKind::Bank32, BankKind::Bank32A];
const ORDERS: [Order; 2] = [Order::Little, Order::Big];

/// Banks as (name, type, data in little-endian).
type Wanted<'a> = &'a [(&'a str, Tid, &'a [u8])];

/// The payload of an event as a frontend of this byte order makes it, byte by byte.
fn payload(kind: BankKind, order: Order, banks: Wanted<'_>) -> Vec<u8> {
    let u32s = |v: u32| if order == Order::Little { v.to_le_bytes() } else { v.to_be_bytes() };
    let u16s = |v: u16| if order == Order::Little { v.to_le_bytes() } else { v.to_be_bytes() };
    let mut body = Vec::new();
    for (name, tid, data) in banks {
        let mut padded = [0; 4];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        body.extend(padded);
        if kind == BankKind::Bank {
            body.extend(u16s(tid.code() as u16));
            body.extend(u16s(data.len() as u16));
        } else {
            body.extend(u32s(tid.code()));
            body.extend(u32s(data.len() as u32));
        }
        if kind == BankKind::Bank32A {
            body.extend([0; 4]);
        }
        let mut data = data.to_vec();
        if order == Order::Big && tid.unit() > 1 {
            data.chunks_exact_mut(tid.unit()).for_each(<[u8]>::reverse);
        }
        let padding = data.len().next_multiple_of(8) - data.len();
        body.extend(data);
        // Old memory, as in real files.
        body.extend(vec![0xaa; padding]);
    }
    let mut payload = u32s(body.len() as u32).to_vec();
    payload.extend(u32s(kind.flags()));
    payload.extend(body);
    payload
}

fn event(id: u16, serial: u32, payload: &[u8]) -> Vec<u8> {
    let mask = if id >= 0x8000 { MIDAS_MAGIC } else { 1 };
    let header = Header { id, mask, serial, time: 1_000_000_000, size: payload.len() as u32 };
    [&header.to_bytes(), payload].concat()
}

/// A run with BOR, `n` events and EOR.
fn small_run(n: u32) -> Vec<u8> {
    let mut run = event(BOR, 7, b"[Experiment]\n\0");
    for serial in 0..n {
        let words: Vec<u8> = (0..serial % 5).flat_map(|i| (i as u16).to_le_bytes()).collect();
        let banks: Wanted<'_> = &[("ADC0", Tid::Word, &words), ("SCLR", Tid::Dword, &serial.to_le_bytes())];
        run.extend(event(1, serial, &payload(KINDS[serial as usize % 3], Order::Little, banks)));
    }
    run.extend(event(EOR, 7, b"\0"));
    run
}

/// Reads bytes in blocks of `target`: serials of all events, and what is damaged. What is neither
/// in an event nor damaged does not exist.
fn read(bytes: &[u8], target: usize) -> (Vec<u32>, Vec<Damage>) {
    let (mut reader, mut block) = (Reader::new(bytes), Block::new());
    let (mut serials, mut damages, mut offset) = (Vec::new(), Vec::new(), 0);
    loop {
        let stop = reader.read(&mut block, target).unwrap();
        assert_eq!(block.events().count() as u64, block.count);
        assert_eq!((block.offset, block.first), (offset, serials.len() as u64 + 1));
        offset += block.bytes().len() as u64;
        serials.extend(block.events().map(|e| e.header.serial));
        match stop {
            Stop::End => {
                assert_eq!(offset, bytes.len() as u64);
                return (serials, damages);
            }
            Stop::Damaged(damage) => {
                assert!(damage.offset == offset && damage.end > offset, "{damage:?} at {offset}");
                offset = damage.end;
                damages.push(damage);
            }
            _ => {}
        }
    }
}

#[test]
fn every_bank_layout_reads_the_same_in_both_byte_orders() {
    let floats: Vec<u8> = [1.5f64, -2.25].iter().flat_map(|v| v.to_le_bytes()).collect();
    let banks: Wanted<'_> = &[
        ("ADC0", Tid::Word, &[1, 0, 2, 0, 3, 0]),
        ("NONE", Tid::Word, &[]),
        ("DBL", Tid::Double, &floats),
        ("ADC0", Tid::Word, &[9, 0]),
        ("QWRD", Tid::Uint64, &[1, 2, 3, 4, 5, 6, 7, 8]),
        ("TEXT", Tid::String, b"odd"),
    ];
    for kind in KINDS {
        for order in ORDERS {
            let bytes = event(1, 5, &payload(kind, order, banks));
            let (view, rest) = EventView::parse(&bytes).unwrap();
            assert!(rest.is_empty());
            assert_eq!(view.area().map(|a| (a.kind(), a.order)), Some((kind, order)));
            let found: Vec<Bank<'_>> = view.banks().map(Result::unwrap).collect();
            assert_eq!(found.len(), banks.len(), "{kind:?} {order:?}");
            for (bank, (name, tid, data)) in found.iter().zip(banks) {
                assert_eq!((bank.name.to_string().as_str(), bank.tid()), (*name, Some(*tid)));
                assert_eq!(bank.data.len(), data.len());
            }
            let words: Vec<u16> = found[0].values().unwrap().iter().collect();
            let doubles: Vec<f64> = found[2].values().unwrap().iter().collect();
            let long: u64 = found[4].values().unwrap().at(0);
            assert_eq!((words, doubles, long), (vec![1, 2, 3], vec![1.5, -2.25], 0x0807_0605_0403_0201));
            assert_eq!(found[5].text(), b"odd");
        }
    }
}

#[test]
fn what_is_written_reads_as_what_was_there() {
    let banks: Wanted<'_> =
        &[("ADC0", Tid::Word, &[1, 0, 2, 0, 3, 0]), ("E", Tid::Float, &[]), ("B", Tid::Byte, &[7])];
    for kind in KINDS {
        for order in ORDERS {
            let bytes = event(3, 8, &payload(kind, order, banks));
            let (view, _) = EventView::parse(&bytes).unwrap();
            let mut out = Vec::new();
            assert!(write_event(&mut out, &view.header, kind, view.banks().map(Result::unwrap)).unwrap());
            // Little-endian, and padded with zeros.
            let mut wanted = event(3, 8, &payload(kind, Order::Little, banks));
            wanted.iter_mut().filter(|b| **b == 0xaa).for_each(|b| *b = 0);
            assert_eq!(out, wanted, "{kind:?} {order:?}");
        }
    }
}

#[test]
fn an_event_without_banks_is_not_written() {
    let mut out = vec![1, 2, 3];
    let written = write_event(&mut out, &Header::default(), BankKind::Bank, std::iter::empty()).unwrap();
    assert!(!written && out == [1, 2, 3]);
}

#[test]
fn a_bank_too_large_for_16_bits_gets_a_32_bit_header() {
    let data = vec![1; 70_000];
    let bank = Bank { name: BankName::new(*b"WAVE"), code: 1, data: &data, order: Order::Little };
    let mut out = Vec::new();
    write_event(&mut out, &Header::default(), BankKind::Bank, std::iter::once(bank)).unwrap();
    let (view, _) = EventView::parse(&out).unwrap();
    assert_eq!(view.area().unwrap().kind(), BankKind::Bank32);
    assert_eq!(view.banks().next().unwrap().unwrap().data, data);
}

#[test]
fn events_that_mana_cut_four_bytes_short_are_whole() {
    let mut bytes = payload(BankKind::Bank32, Order::Little, &[("A", Tid::Word, &[1, 0])]);
    bytes.truncate(bytes.len() - 4);
    let banks: Vec<_> = layout::Banks::new(&bytes).collect();
    assert!(matches!(&banks[..], [Ok(bank)] if bank.data == [1, 0]));
    // ... or four bytes long.
    bytes.extend([0; 8]);
    bytes[0] += 8;
    assert_eq!(layout::Banks::new(&bytes).filter(Result::is_ok).count(), 1);
}

#[test]
fn broken_bank_areas_end_with_the_damage() {
    let check = |bytes: &[u8], wanted: DamageKind| {
        let last = layout::Banks::new(bytes).last().unwrap();
        assert_eq!(last.unwrap_err(), wanted);
    };
    check(&[0; 5], DamageKind::AreaCutShort { needed: Area::SIZE, left: 5 });
    let mut bytes =
        payload(BankKind::Bank, Order::Little, &[("A", Tid::Word, &[1, 0]), ("B", Tid::Word, &[])]);
    bytes[14] = 200;
    let left = bytes.len() - 16;
    check(&bytes, DamageKind::BankCutShort { bank: BankName::new(*b"A\0\0\0"), needed: 200, left });
    bytes.truncate(8 + 8 + 2);
    bytes[14] = 2;
    bytes.extend([0; 6]);
    bytes.extend(*b"B\0\0\0\0");
    bytes[0] = 21;
    check(&bytes, DamageKind::BankHeaderCutShort { needed: 8, left: 5 });
}

#[test]
fn blocks_of_any_size_hold_the_same_events() {
    let run = small_run(100);
    let all = read(&run, usize::MAX >> 1);
    assert_eq!(all.0.len(), 102);
    for target in [1, 16, 17, 100, 1000, 1 << 20] {
        assert_eq!(read(&run, target), all, "blocks of {target} bytes");
    }
}

#[test]
fn a_block_ends_before_a_bor_and_behind_an_eor() {
    let two = [small_run(3), small_run(2)].concat();
    let (mut reader, mut block) = (Reader::new(&two[..]), Block::new());
    let mut stops = Vec::new();
    loop {
        let stop = reader.read(&mut block, 1 << 20).unwrap();
        stops.push((block.count, block.data, block.first));
        if stop == Stop::End {
            break;
        }
    }
    assert_eq!(stops, [(1, 0, 1), (4, 3, 2), (1, 0, 6), (3, 2, 7), (0, 0, 10)]);
}

#[test]
fn a_cut_file_says_where_it_was_cut() {
    let run = small_run(3);
    let ends: Vec<usize> = {
        let (mut rest, mut ends) = (&run[..], vec![0]);
        while let Some((_, behind)) = EventView::parse(rest) {
            rest = behind;
            ends.push(run.len() - rest.len());
        }
        ends
    };
    for cut in 0..run.len() {
        for target in [1, 1 << 20] {
            let whole = ends.iter().filter(|&&end| end > 0 && end <= cut).count();
            let (serials, damages) = read(&run[..cut], target);
            assert_eq!(serials.len(), whole, "cut at {cut}");
            match &damages[..] {
                [] => assert!(ends.contains(&cut), "cut at {cut}"),
                [damage] => {
                    assert_eq!((damage.offset, damage.end), (ends[whole] as u64, cut as u64), "cut at {cut}");
                    assert_eq!(damage.event, whole as u64 + 1);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let text = "event body cut short: 32 bytes needed, 4 left at byte 30, event 2; 20 bytes lost";
    assert_eq!(read(&run[..ends[1] + 20], 1 << 20).1[0].to_string(), text);
}

/// What a model that knows where events are says of a run with one broken byte.
struct Model {
    /// Where each event begins, and where the last ends.
    starts: Vec<usize>,
}

impl Model {
    fn of(run: &[u8]) -> Model {
        let (mut rest, mut starts) = (run, vec![0]);
        while let Some((_, behind)) = EventView::parse(rest) {
            rest = behind;
            starts.push(run.len() - rest.len());
        }
        Model { starts }
    }

    fn event_of(&self, byte: usize) -> usize {
        self.starts.iter().rposition(|&start| start <= byte).unwrap()
    }
}

#[test]
fn a_broken_byte_costs_at_most_its_own_event() {
    let run = small_run(12);
    let model = Model::of(&run);
    let whole = read(&run, 1 << 20);
    assert_eq!((whole.0.len(), whole.1.len()), (14, 0));
    for byte in 0..run.len() {
        let hit = model.event_of(byte);
        for change in [0x01, 0x80, 0xff] {
            let mut broken = run.clone();
            broken[byte] ^= change;
            for target in [1, 1 << 20] {
                let (serials, damages) = read(&broken, target);
                let (mut reader, mut block) = (Reader::new(&broken[..]), Block::new());
                let mut events = Vec::new();
                while reader.read(&mut block, target).unwrap() != Stop::End {
                    events.extend(block.events().map(|e| (e.header, e.payload.to_vec())));
                }
                events.extend(block.events().map(|e| (e.header, e.payload.to_vec())));
                assert_eq!(events.len(), serials.len());
                let at = |n: usize| EventView::parse(&run[model.starts[n]..]).unwrap().0;
                let same =
                    |n: usize, found: &(Header, Vec<u8>)| at(n).header == found.0 && at(n).payload == found.1;
                let what = format!("byte {byte} of event {hit} changed by {change:#x}: {damages:?}");
                for (n, event) in events.iter().take(hit).enumerate() {
                    assert!(same(n, event), "{what}: event {n} before it");
                }
                let behind = 14 - 1 - hit;
                assert!(events.len() >= hit + behind, "{what}");
                for n in 0..behind {
                    assert!(
                        same(13 - n, &events[events.len() - 1 - n]),
                        "{what}: event {} behind it",
                        13 - n
                    );
                }
                // The event itself is there, or a part of it, or it is damage, or both.
                let parts = events.len() + damages.len();
                assert!(parts == 14 || parts == 15 && damages[0].offset > model.starts[hit] as u64, "{what}");
            }
        }
    }
}

#[test]
fn a_claimed_size_takes_no_memory() {
    let mut run = small_run(1);
    let at = run.len();
    run.extend(event(1, 9, &[]));
    run[at + 12..at + 16].copy_from_slice(&0x0fff_0000u32.to_le_bytes());
    let (serials, damages) = read(&run, 4096);
    assert_eq!((serials.len(), damages.len()), (3, 1));
    assert_eq!(damages[0].kind, DamageKind::BodyCutShort { needed: 0x0fff_0000, left: 0 });
    run[at + 12..at + 16].copy_from_slice(&u32::MAX.to_le_bytes());
    let (serials, damages) = read(&run, 4096);
    assert_eq!(serials.len(), 3);
    assert!(matches!(damages[0].kind, DamageKind::EventTooLarge { .. }));
}
