//! The events of an input, whatever its format.

use std::io;
use std::sync::Arc;

use pactolus_formats::asc::{self, Definitions, Refusals};
use pactolus_formats::event::Kind;
use pactolus_formats::mid::{self, Block, Stop};
use pactolus_formats::{BankName, Compression, Header, Input, Layout, Limits};
use pactolus_odb::Tree;

use crate::chain::{Chain, Mounted};
use crate::epoch::Epoch;
use crate::layers::{EventDefinition, dumped, event_definitions};

/// Reads `.mid` and `.asc`, told apart by their first bytes, plain or compressed.
///
/// ```no_run
/// use pactolus::Events;
/// use pactolus::formats::mid::{Block, Stop};
/// use pactolus::formats::{Input, Limits};
///
/// let mut events = Events::new(Input::open("run00042.asc.gz")?, Limits::default())?;
/// let mut block = Block::new();
/// loop {
///     let stop = events.read(&mut block, 1 << 20)?;
///     block.events().for_each(|event| println!("{}", event.header.serial));
///     match stop {
///         Stop::End => break,
///         Stop::Damaged(damage) => eprintln!("{damage}"),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What the ODB dump in a BOR defines holds for the events behind it.
pub struct Events {
    format: Format,
    /// Somebody else says what is defined.
    told: bool,
}

enum Format {
    Mid(mid::Reader<Input>),
    Asc(asc::Reader<Input, Layouts>),
}

impl Events {
    /// Bytes that tell the formats apart. A pipe may have no more.
    pub(crate) const FIRST: usize = 4;

    /// The events of `input`, which is waited for.
    ///
    /// # Errors
    /// Those of the operating system. Of an input that does not wait, the first four bytes must have come.
    pub fn new(mut input: Input, limits: Limits) -> io::Result<Events> {
        let is_text = asc::is_text(input.peek(Events::FIRST)?);
        let format = if is_text {
            Format::Asc(asc::Reader::new(input, Layouts::default()).with_limits(limits))
        } else {
            Format::Mid(mid::Reader::new(input).with_limits(limits))
        };
        Ok(Events { format, told: false })
    }

    /// Leaves the pieces of large events as they are.
    #[must_use]
    pub fn keep_fragments(self) -> Events {
        let format = match self.format {
            Format::Mid(reader) => Format::Mid(reader.keep_fragments()),
            text => text,
        };
        Events { format, ..self }
    }

    /// Says that the input gives whole events ([`mid::Reader::comes_whole`]).
    pub(crate) fn comes_whole(self) -> Events {
        let format = match self.format {
            Format::Mid(reader) => Format::Mid(reader.comes_whole()),
            text => text,
        };
        Events { format, ..self }
    }

    /// Fills `block` with whole events of about `target` bytes: see [`mid::Reader::read`].
    ///
    /// # Errors
    /// Those of the operating system. Broken bytes are [`Stop::Damaged`], and reading goes on.
    pub fn read(&mut self, block: &mut Block, target: usize) -> io::Result<Stop> {
        let stop = match &mut self.format {
            Format::Mid(reader) => reader.read(block, target),
            Format::Asc(reader) => reader.read(block, target),
        }?;
        // A BOR is a block of its own.
        if !self.told
            && let Some(first) = block.events().next()
            && first.kind() == Kind::Bor
        {
            self.define(Layouts::of(&event_definitions(&dumped(first.text()))));
        }
        Ok(stop)
    }

    /// After [`Stop::Pause`]: the event that waits for what follows it ([`mid::Reader::waiting`]). In a
    /// text none does: each ends with its empty line.
    pub(crate) fn waiting(&self) -> Option<(Header, &[u8])> {
        match &self.format {
            Format::Mid(reader) => reader.waiting(),
            Format::Asc(_) => None,
        }
    }

    /// Ends a block before the event of this number: see [`mid::Reader::stop_before`].
    pub fn stop_before(&mut self, event: Option<u64>) {
        match &mut self.format {
            Format::Mid(reader) => reader.stop_before(event),
            Format::Asc(reader) => reader.stop_before(event),
        }
    }

    /// The number of the next event, counted from 1.
    pub fn next_number(&self) -> u64 {
        match &self.format {
            Format::Mid(reader) => reader.next_number(),
            Format::Asc(reader) => reader.next_number(),
        }
    }

    /// What is left behind the last block ([`mid::Reader::left`]); nothing of a text.
    pub(crate) fn left(&self) -> (usize, Option<Header>) {
        match &self.format {
            Format::Mid(reader) => reader.left(),
            Format::Asc(_) => (0, None),
        }
    }

    /// Whether events come as they stand in the input.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.format, Format::Mid(_)) && self.input().compression() == Compression::None
    }

    /// The input, for its progress.
    pub fn input(&self) -> &Input {
        match &self.format {
            Format::Mid(reader) => reader.input(),
            Format::Asc(reader) => reader.input(),
        }
    }

    /// Banks and FIXED events that the text does not hold; `None` for other formats.
    pub fn refused(&self) -> Option<&Refusals> {
        match &self.format {
            Format::Mid(_) => None,
            Format::Asc(reader) => Some(reader.refused()),
        }
    }

    /// Says what is defined, dumps notwithstanding.
    pub(crate) fn learn(&mut self, layouts: Layouts) {
        self.told = true;
        self.define(layouts);
    }

    fn define(&mut self, layouts: Layouts) {
        match &mut self.format {
            Format::Mid(reader) => reader.expect(layouts.ids.iter().copied()),
            Format::Asc(reader) => *reader.definitions_mut() = layouts,
        }
    }
}

/// Event ids and structures that are defined. Where several define the same, the first counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layouts {
    ids: Vec<u16>,
    /// Members of STRUCT banks; `None`: in events of any id.
    banks: Vec<(Option<u16>, BankName, Arc<Layout>)>,
    fixed: Vec<(u16, Arc<Layout>)>,
}

impl Layouts {
    /// What an ODB defines.
    pub(crate) fn of(definitions: &[EventDefinition]) -> Layouts {
        let mut layouts = Layouts::default();
        for event in definitions {
            let Ok(id) = u16::try_from(event.id) else { continue };
            layouts.ids.push(id);
            layouts.fixed.extend(event.fixed.clone().map(|layout| (id, layout)));
            let banks = event.structs.iter().map(|(name, layout)| (Some(id), *name, Arc::clone(layout)));
            layouts.banks.extend(banks);
        }
        layouts
    }

    /// What the requests and modules of an analyzer define, and besides an ODB.
    pub(crate) fn before(chains: &[Chain], odb: &Tree) -> Layouts {
        let mut layouts = Layouts::default();
        for Chain { request, stages } in chains {
            let id = u16::try_from(request.id).ok();
            layouts.ids.extend(id);
            layouts.fixed.extend(id.zip(request.fixed.clone()));
            let declared = request.banks.iter().filter_map(|bank| Some((bank.name, bank.layout.clone()?)));
            let written = stages.iter().flat_map(Mounted::writes);
            let written = written.filter_map(|bank| Some((bank.name, bank.layout?)));
            layouts.banks.extend(declared.chain(written).map(|(name, layout)| (id, name, layout)));
        }
        layouts.and(Layouts::of(&event_definitions(odb)))
    }

    /// What the chains of a run define, and besides its ODB.
    pub(crate) fn during(epoch: &Epoch, definitions: &[EventDefinition]) -> Layouts {
        let mut layouts = Layouts::default();
        for chain in &epoch.chains {
            let id = u16::try_from(chain.id).ok();
            layouts.ids.extend(id);
            layouts.fixed.extend(id.and_then(|id| Some((id, chain.fixed(id)?.clone()))));
            let banks = chain.layouts.iter().map(|(name, layout)| (id, *name, layout.clone()));
            layouts.banks.extend(banks);
        }
        layouts.and(Layouts::of(definitions))
    }

    pub(crate) fn and(mut self, other: Layouts) -> Layouts {
        self.ids.extend(other.ids);
        self.banks.extend(other.banks);
        self.fixed.extend(other.fixed);
        self
    }
}

impl Definitions for Layouts {
    fn bank(&self, id: u16, name: BankName) -> Option<&Layout> {
        let mut known = self.banks.iter();
        let found = known.find(|(of, known, _)| *known == name && of.is_none_or(|of| of == id));
        found.map(|(_, _, layout)| &**layout)
    }

    fn fixed(&self, id: u16) -> Option<&Layout> {
        self.fixed.iter().find(|(known, _)| *known == id).map(|(_, layout)| &**layout)
    }
}
