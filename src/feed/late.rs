//! Events of an input whose first bytes may come late.

use std::io;

use pactolus_formats::asc::Refusals;
use pactolus_formats::event::Kind;
use pactolus_formats::mid::{Block, Stop as Ends};
use pactolus_formats::{ByteSource, Header, Input, Limits};

use crate::events::{Events, Layouts};

/// Events, once the first bytes tell their format.
pub(crate) struct Late {
    limits: Limits,
    /// What is defined, if somebody says.
    layouts: Option<Layouts>,
    keep_fragments: bool,
    comes_whole: bool,
    /// A block must end before the event of this number.
    before: Option<u64>,
    state: State,
}

enum State {
    /// Too little has come.
    Opening(Input),
    Open(Box<Events>),
    /// It could not be read.
    Failed,
}

impl Late {
    pub(crate) fn new(input: Input, limits: Limits) -> Late {
        let state = State::Opening(input);
        Late { limits, layouts: None, keep_fragments: false, comes_whole: false, before: None, state }
    }

    /// Leaves the pieces of large events as they are; asked before anything is read.
    pub(crate) fn keep_fragments(&mut self) {
        self.keep_fragments = true;
    }

    /// Says that the input gives whole events.
    pub(crate) fn comes_whole(self) -> Late {
        Late { comes_whole: true, ..self }
    }

    /// See [`Events::read`]; an empty block and [`Ends::Pause`] while too little has come.
    pub(crate) fn read(&mut self, block: &mut Block, target: usize) -> io::Result<Ends> {
        match &mut self.state {
            State::Open(events) => return events.read(block, target),
            State::Opening(input) => {
                if let Err(error) = input.peek(Events::FIRST) {
                    *block = Block::new();
                    let waits = error.kind() == io::ErrorKind::WouldBlock;
                    return if waits { Ok(Ends::Pause) } else { Err(error) };
                }
            }
            State::Failed => {}
        }
        let State::Opening(input) = std::mem::replace(&mut self.state, State::Failed) else {
            return Ok(Ends::End);
        };
        let mut events = Events::new(input, self.limits)?;
        if self.keep_fragments {
            events = events.keep_fragments();
        }
        if self.comes_whole {
            events = events.comes_whole();
        }
        if let Some(layouts) = self.layouts.take() {
            events.learn(layouts);
        }
        events.stop_before(self.before);
        let read = events.read(block, target);
        self.state = State::Open(Box::new(events));
        read
    }

    /// Ends a block before the event of this number.
    pub(crate) fn stop_before(&mut self, event: Option<u64>) {
        self.before = event;
        if let State::Open(events) = &mut self.state {
            events.stop_before(event);
        }
    }

    /// The number of the next event, counted from 1.
    pub(crate) fn next_number(&self) -> u64 {
        match &self.state {
            State::Open(events) => events.next_number(),
            _ => 1,
        }
    }

    /// Says what is defined.
    pub(crate) fn learn(&mut self, layouts: Layouts) {
        match &mut self.state {
            State::Open(events) => events.learn(layouts),
            _ => self.layouts = Some(layouts),
        }
    }

    /// The input, unless it could not be read.
    pub(crate) fn input(&self) -> Option<&Input> {
        match &self.state {
            State::Opening(input) => Some(input),
            State::Open(events) => Some(events.input()),
            State::Failed => None,
        }
    }

    /// After [`Ends::Pause`]: whether all that has come is an EOR of an odd form, which waits for what follows.
    pub(crate) fn is_at_eor(&self) -> bool {
        let State::Open(events) = &self.state else { return false };
        events.waiting().is_some_and(|(header, _)| header.kind() == Kind::Eor)
    }

    /// Bytes of which the events are handed on with this block, as they stand in the file.
    pub(crate) fn reached(&self, block: &Block) -> u64 {
        match &self.state {
            State::Open(events) if events.is_plain() => block.offset + block.bytes().len() as u64,
            State::Open(events) => events.input().compressed_offset().unwrap_or_else(|| self.done()),
            _ => 0,
        }
    }

    /// Whether what was read ends with a whole event, and a whole part of a compressed stream.
    pub(crate) fn is_clean(&self) -> bool {
        match &self.state {
            State::Open(events) => events.left().0 == 0 && events.input().is_between(),
            State::Opening(input) => input.consumed() == 0,
            State::Failed => false,
        }
    }

    /// The event that is waited for, if its header is there: how many bytes of it are.
    pub(crate) fn awaited(&self) -> Option<(usize, Header)> {
        let State::Open(events) = &self.state else { return None };
        let (bytes, header) = events.left();
        header.map(|header| (bytes, header))
    }

    /// Bytes that were read, as they stand in the file.
    pub(crate) fn done(&self) -> u64 {
        self.input().map_or(0, Input::consumed)
    }

    /// What its text does not hold.
    pub(crate) fn refused(&self) -> Option<&Refusals> {
        match &self.state {
            State::Open(events) => events.refused(),
            _ => None,
        }
    }
}
