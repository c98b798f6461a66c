//! What the tests of the text reader share.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::Path;

use pactolus_formats::asc::{self, Definitions, Reader, Refusals};
use pactolus_formats::mid::{Block, Stop};
use pactolus_formats::{Bank, BankName, ByteSource, Damage, EventView, Header, Kind, Layout, Limits, Tid};

/// A file of the corpus.
pub(crate) fn corpus(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(name);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Definitions by name and by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defined {
    pub(crate) banks: Vec<(BankName, Layout)>,
    pub(crate) fixed: Vec<(u16, Layout)>,
}

impl Definitions for Defined {
    fn bank(&self, _: u16, name: BankName) -> Option<&Layout> {
        self.banks.iter().find(|(bank, _)| *bank == name).map(|(_, layout)| layout)
    }

    fn fixed(&self, id: u16) -> Option<&Layout> {
        self.fixed.iter().find(|(fixed, _)| *fixed == id).map(|(_, layout)| layout)
    }
}

pub(crate) fn layout(members: &[(&str, Tid, usize, usize)]) -> Layout {
    let mut layout = Layout::new();
    members.iter().for_each(|&(name, tid, count, size)| layout.push(name, tid, count, size));
    layout
}

pub(crate) fn name(text: &str) -> BankName {
    BankName::parse(text).unwrap()
}

/// The sample experiment's STRUCT banks and FIXED event.
pub(crate) fn sample() -> Defined {
    let asum = layout(&[("Sum", Tid::Float, 1, 0), ("Average", Tid::Float, 1, 0)]);
    let stc0 = layout(&[
        ("b", Tid::Byte, 1, 0),
        ("x", Tid::Double, 1, 0),
        ("w word", Tid::Word, 1, 0),
        ("f", Tid::Float, 2, 0),
        ("i", Tid::Int, 1, 0),
        ("s", Tid::String, 1, 8),
    ]);
    let fixd = layout(&[
        ("Temperature", Tid::Double, 1, 0),
        ("Voltage V", Tid::Float, 3, 0),
        ("Count", Tid::Int, 1, 0),
        ("Status word", Tid::Word, 1, 0),
        ("Flags", Tid::Byte, 4, 0),
        ("On", Tid::Bool, 1, 0),
        ("Label", Tid::String, 1, 10),
    ]);
    Defined { banks: vec![(name("ASUM"), asum), (name("STC0"), stc0)], fixed: vec![(4, fixd)] }
}

/// A STRUCT bank and a FIXED event that are smaller.
pub(crate) fn defined() -> Defined {
    let stc0 = layout(&[
        ("b", Tid::Byte, 1, 0),
        ("w", Tid::Word, 1, 0),
        ("c", Tid::Char, 4, 0),
        ("s", Tid::String, 1, 6),
        ("f", Tid::Float, 1, 0),
    ]);
    let fixed = layout(&[("n", Tid::Int, 2, 0), ("Label", Tid::String, 1, 10)]);
    Defined { banks: vec![(name("STC0"), stc0)], fixed: vec![(4, fixed)] }
}

/// One event with its payload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Whole {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    /// Its number in the input, as the block says.
    pub(crate) number: u64,
}

impl Whole {
    pub(crate) fn view(&self) -> EventView<'_> {
        EventView { header: self.header, payload: &self.payload }
    }

    pub(crate) fn banks(&self) -> Vec<Bank<'_>> {
        self.view().banks().map(Result::unwrap).collect()
    }

    pub(crate) fn bank_names(&self) -> Vec<String> {
        self.banks().iter().map(|bank| bank.name.to_string()).collect()
    }
}

/// All that a text gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Read {
    pub(crate) events: Vec<Whole>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) refused: Refusals,
    pub(crate) stops: Vec<&'static str>,
}

/// Reads to the end, in blocks of `target`.
pub(crate) fn read(text: &[u8], defined: impl Definitions, target: usize) -> Read {
    read_from(text, defined, target, Limits::default())
}

pub(crate) fn read_from(
    input: impl ByteSource,
    defined: impl Definitions,
    target: usize,
    limits: Limits,
) -> Read {
    let mut reader = Reader::new(input, defined).with_limits(limits);
    let (mut block, mut all) = (Block::new(), Read::default());
    // More blocks than any of the texts has bytes would be an endless loop.
    for _ in 0..1_000_000 {
        let stop = reader.read(&mut block, target).unwrap();
        assert_eq!(block.events().count() as u64, block.count);
        assert_eq!(block.events().filter(|e| e.header.id < 0x8000).count() as u64, block.data);
        for (number, event) in (block.first..).zip(block.events()) {
            let lone = event.kind() == Kind::Bor && (block.count != 1 || stop != Stop::Bor);
            assert!(!lone, "a BOR in a block with others");
            all.events.push(Whole { header: event.header, payload: event.payload.to_vec(), number });
        }
        all.stops.push(match stop {
            Stop::Full => "full",
            Stop::Bor => "bor",
            Stop::Eor => "eor",
            Stop::End => "end",
            Stop::Pause => "pause",
            Stop::Damaged(_) => "damaged",
        });
        match stop {
            Stop::End => {
                all.refused = reader.refused().clone();
                return all;
            }
            Stop::Damaged(damage) => all.damage.push(damage),
            _ => {}
        }
    }
    panic!("no end");
}

/// The text of an event, as our writer prints it.
pub(crate) fn print(out: &mut Vec<u8>, event: &Whole, defined: &Defined) {
    match (event.view().kind(), defined.fixed(event.header.id)) {
        (Kind::Bor | Kind::Eor, _) => {
            let kind = if event.view().kind() == Kind::Bor { "BOR" } else { "EOR" };
            out.extend(format!("%ID {kind} NR {}\n", event.header.serial).bytes());
            out.extend(event.view().text());
        }
        (_, Some(layout)) => asc::write_fixed(out, &event.header, layout, &event.payload),
        _ => asc::write_event(out, &event.header, event.banks().into_iter(), |bank| {
            defined.bank(event.header.id, bank.name)
        }),
    }
}

pub(crate) fn print_all(events: &[Whole], defined: &Defined) -> Vec<u8> {
    let mut out = Vec::new();
    events.iter().for_each(|event| print(&mut out, event, defined));
    out
}

/// Compares texts line by line, to show where they part.
pub(crate) fn assert_same_text(what: &str, ours: &[u8], wanted: &[u8]) {
    let show = |line: &[u8]| line.escape_ascii().to_string();
    for (i, (our, line)) in ours.split(|&b| b == b'\n').zip(wanted.split(|&b| b == b'\n')).enumerate() {
        assert_eq!(show(our), show(line), "{what}: line {}", i + 1);
    }
    assert_eq!(ours.len(), wanted.len(), "{what}: bytes");
}
