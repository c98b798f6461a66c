//! `.asc`: what is read is written as a text that gives the same again.

use pactolus::formats::asc::{self, Definitions, Reader, Refusals};
use pactolus::formats::event::Kind;
use pactolus::formats::mid::{Block, Stop};
use pactolus::formats::{Bank, BankName, ByteSource, Compression, Damage, EventView, Layout, Tid};

use super::pieces::Pieces;

pub fn asc(input: &[u8]) -> bool {
    if Compression::detect(input) != Compression::None {
        return false;
    }
    let whole = read(input, 1 << 20, input.len());
    for (pieces, target) in [(Pieces::new(input), 1 << 20), (Pieces::new(input), 64)] {
        let again = read(pieces, target, input.len());
        assert!(whole == again, "depends on pieces and blocks:\n{whole:?}\n{again:?}");
    }
    let mut end = 0;
    for damage in &whole.damage {
        assert!(damage.offset >= end && damage.end > damage.offset, "{damage} after {end}");
        assert!(!damage.to_string().contains('\n'), "{damage}");
        end = damage.end;
    }
    assert!(end <= input.len() as u64);
    // A value is at most eight bytes for a line of one or more, and structures are padded; banks of
    // text by 64 kB at most.
    let bytes: usize = whole.events.iter().map(Vec::len).sum();
    let banks = input.windows(3).filter(|three| three == b"BK ").count();
    let most = 100 + 100 * input.len() + 66_000 * banks;
    assert!(bytes <= most, "{bytes} bytes of events from {}", input.len());
    again(&whole);
    !whole.events.is_empty()
}

/// What a reader gave.
#[derive(Debug, PartialEq)]
struct Was {
    events: Vec<Vec<u8>>,
    damage: Vec<Damage>,
    refused: Refusals,
}

fn read(input: impl ByteSource, target: usize, len: usize) -> Was {
    let mut reader = Reader::new(input, Sample::new());
    let mut was = Was { events: Vec::new(), damage: Vec::new(), refused: Refusals::default() };
    let mut block = Block::new();
    for _ in 0..2 * len + 4 {
        let stop = reader.read(&mut block, target).expect("memory has no errors of the system");
        assert_eq!(block.count, block.events().count() as u64);
        assert_eq!(block.data, block.events().filter(|e| e.kind() == Kind::Data).count() as u64);
        for event in block.events() {
            assert!(event.kind() != Kind::Bor || block.count == 1 && stop == Stop::Bor);
            was.events.push([&event.header.to_bytes()[..], event.payload].concat());
        }
        match stop {
            Stop::End => {
                was.refused = reader.refused().clone();
                return was;
            }
            Stop::Damaged(damage) => was.damage.push(damage),
            Stop::Full | Stop::Bor | Stop::Eor | Stop::Pause => {}
        }
    }
    panic!("no end after {len} bytes");
}

/// Written and read again, the events give the same text.
fn again(was: &Was) {
    let text = print(&was.events);
    let again = read(&text[..], 1 << 20, text.len());
    let shown = || text.escape_ascii().to_string();
    assert!(again.damage.is_empty(), "{:?} in {}", again.damage, shown());
    assert_eq!(again.refused, Refusals::default(), "in {}", shown());
    assert!(print(&again.events) == text, "{} became {}", shown(), print(&again.events).escape_ascii());
}

fn print(events: &[Vec<u8>]) -> Vec<u8> {
    let sample = Sample::new();
    let mut out = Vec::new();
    for bytes in events {
        let (event, rest) = EventView::parse(bytes).unwrap();
        assert!(rest.is_empty());
        let id = event.header.id;
        match (event.kind(), sample.fixed(id)) {
            // As mana, we write no dumps.
            (Kind::Bor | Kind::Eor, _) => {}
            (_, Some(layout)) => asc::write_fixed(&mut out, &event.header, layout, event.payload),
            _ => {
                let banks: Vec<Bank> = event.banks().map(Result::unwrap).collect();
                asc::write_event(&mut out, &event.header, banks.into_iter(), |bank| {
                    sample.bank(id, bank.name)
                });
            }
        }
    }
    out
}

/// The sample experiment's structures.
struct Sample {
    bank: Layout,
    fixed: Layout,
}

impl Sample {
    fn new() -> Sample {
        let members = |members: &[(&str, Tid, usize, usize)]| {
            let mut layout = Layout::new();
            members.iter().for_each(|&(name, tid, count, size)| layout.push(name, tid, count, size));
            layout
        };
        let bank = members(&[
            ("b", Tid::Byte, 1, 0),
            ("x", Tid::Double, 1, 0),
            ("w word", Tid::Word, 1, 0),
            ("f", Tid::Float, 2, 0),
            ("i", Tid::Int, 1, 0),
            ("s", Tid::String, 1, 8),
        ]);
        let fixed = members(&[
            ("Temperature", Tid::Double, 1, 0),
            ("Voltage V", Tid::Float, 3, 0),
            ("Flags", Tid::Byte, 4, 0),
            ("On", Tid::Bool, 1, 0),
            ("Label", Tid::String, 1, 10),
        ]);
        Sample { bank, fixed }
    }
}

impl Definitions for Sample {
    fn bank(&self, _: u16, name: BankName) -> Option<&Layout> {
        (name == BankName::new(*b"STC0")).then_some(&self.bank)
    }

    fn fixed(&self, id: u16) -> Option<&Layout> {
        (id == 4).then_some(&self.fixed)
    }
}
