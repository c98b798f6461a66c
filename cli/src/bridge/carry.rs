//! Events on their way from a source to a stream.

use std::path::PathBuf;

use pactolus::formats::EventView;
use pactolus::formats::event::Kind;
use pactolus::formats::mid::Block;
use pactolus::{Arrival, Arrivals, Error, InputFile, WithoutText, is_stopping};

use crate::publish::{Over, Publisher};
use crate::summary::without_text;

/// Bytes of events that are taken at a time.
const PIECE: usize = 1 << 17;

/// Publishes all that comes.
pub(super) fn all(
    mut arrivals: Arrivals,
    publisher: &mut Publisher<'_>,
    is_live: bool,
) -> Result<Over, Error> {
    let mut carrier =
        Carrier { publisher, is_live, file: None, eor: None, joins: false, outside: 0, is_damaged: false };
    let mut block = Block::new();
    let over = loop {
        match arrivals.next(&mut block, PIECE) {
            Ok(Arrival::Over(ended)) => break Ok(ended),
            Ok(arrival) => carrier.take(arrival, &block)?,
            Err(error) => break Err(error),
        }
        carrier.missed(&mut arrivals);
    };
    carrier.missed(&mut arrivals);
    carrier.release()?;
    carrier.tell_outside();
    Ok(Over { ended: over?, is_damaged: carrier.is_damaged })
}

struct Carrier<'c, 'p> {
    publisher: &'c mut Publisher<'p>,
    /// A run may go on in the next stretch of it.
    is_live: bool,
    /// The file in hand.
    file: Option<InputFile>,
    /// Its EOR, as long as the next subrun may go on with the run.
    eor: Option<Vec<u8>>,
    /// The run goes on in this file, whose BOR is no other one.
    joins: bool,
    /// Events of this file that belong to no run.
    outside: u64,
    is_damaged: bool,
}

impl Carrier<'_, '_> {
    fn take(&mut self, arrival: Arrival, block: &Block) -> Result<(), Error> {
        match arrival {
            Arrival::File(path) => self.open(path)?,
            Arrival::Events => self.block(block)?,
            Arrival::Damage(damage) => {
                self.is_damaged = true;
                self.publisher.warn(format!("{}: {damage}", self.place()));
            }
            Arrival::End(refused) => {
                self.tell_outside();
                if let Some(refused) = refused {
                    self.is_damaged = true;
                    let mut text = Vec::new();
                    // Writing to memory does not fail.
                    let _ = without_text(&WithoutText::new(PathBuf::from(self.place()), &refused), &mut text);
                    self.publisher.warn(String::from_utf8_lossy(&text).trim_end().to_owned());
                }
            }
            Arrival::News(text) => self.publisher.warn(text),
            Arrival::Paused(is_paused) => self.publisher.pause(is_paused)?,
            _ => {}
        }
        Ok(())
    }

    /// Takes note of what the source has passed over.
    fn missed(&mut self, arrivals: &mut Arrivals) {
        let missed: u64 = arrivals.missed().values().map(|id| id.dropped()).sum();
        if missed > 0 {
            self.publisher.missed(missed);
        }
    }

    fn place(&self) -> String {
        self.file.as_ref().map(shown).unwrap_or_default()
    }

    fn open(&mut self, path: PathBuf) -> Result<(), Error> {
        let next = InputFile::new(path);
        let continues = self.file.as_ref().is_some_and(|last| next.continues(last));
        // Also if the last one was cut before its EOR: the run number tells.
        self.joins = continues;
        match self.joins {
            true => self.eor = None,
            false => self.release()?,
        }
        if !continues && !self.is_live {
            self.publisher.cut();
        }
        self.publisher.input(shown(&next));
        self.file = Some(next);
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Result<(), Error> {
        if block.data == block.count {
            return self.events(block.bytes(), block.count);
        }
        // Few blocks hold anything else than data.
        let (mut rest, mut plain, mut count) = (block.bytes(), 0, 0);
        let mut begin = rest;
        while let Some((event, behind)) = EventView::parse(rest) {
            let size = rest.len() - behind.len();
            match event.kind() {
                kind @ (Kind::Bor | Kind::Eor) => {
                    self.events(&begin[..plain], count)?;
                    self.transition(kind, &rest[..size], event)?;
                    (begin, plain, count) = (behind, 0, 0);
                }
                _ => (plain, count) = (plain + size, count + 1),
            }
            rest = behind;
        }
        self.events(&begin[..plain], count)
    }

    fn events(&mut self, bytes: &[u8], count: u64) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        // What stands behind an EOR tells that the run has ended.
        self.release()?;
        if self.publisher.run().is_none() {
            self.outside += count;
        }
        self.publisher.events(bytes)
    }

    fn transition(&mut self, kind: Kind, bytes: &[u8], event: EventView<'_>) -> Result<(), Error> {
        let run = event.header.serial;
        if kind == Kind::Bor {
            let joins = std::mem::take(&mut self.joins) && self.publisher.run() == Some(run);
            self.release()?;
            return if joins { Ok(()) } else { self.publisher.begin(bytes) };
        }
        if self.publisher.run() != Some(run) {
            self.publisher.warn(format!("{}: run {run} ends before it has begun", self.place()));
            return Ok(());
        }
        let may_go_on = self.file.as_ref().is_some_and(|file| file.subrun().is_some());
        if may_go_on && is_stopping(event) != Some(true) {
            self.eor = Some(bytes.to_vec());
            return Ok(());
        }
        self.publisher.end(bytes)
    }

    /// The run goes on nowhere else.
    fn release(&mut self) -> Result<(), Error> {
        self.eor.take().map_or(Ok(()), |eor| self.publisher.end(&eor))
    }

    fn tell_outside(&mut self) {
        if self.outside > 0 {
            let text = format!(
                "{}: {} events belong to no run, since there is no BOR before them: who analyzes passes them over",
                self.place(),
                self.outside
            );
            self.publisher.warn(text);
            self.outside = 0;
        }
    }
}

/// An input as people know it.
pub(super) fn shown(input: &InputFile) -> String {
    match input.is_stdin() {
        true => "(standard input)".into(),
        false => input.path.display().to_string(),
    }
}
