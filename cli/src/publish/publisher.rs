//! The hand that publishes.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use pactolus::formats::EventView;
use pactolus::shm::{self, Account, Producer, StreamName};
use pactolus::{Error, Stop};

use super::telling::{Desk, RunTold, Told};

/// How often it is looked whether consumers are there.
const GLANCE: Duration = Duration::from_millis(50);

/// Publishes, and says how far it is.
pub(crate) struct Publisher<'p> {
    producer: Producer,
    name: &'p StreamName,
    desk: &'p Desk,
    tell: Sender<Told>,
    stop: &'p Stop,
    run: Option<InHand>,
}

/// The run in hand.
struct InHand {
    run: u32,
    input: String,
    begun: Instant,
    /// What was published before.
    before: Account,
}

impl<'p> Publisher<'p> {
    pub(super) fn new(
        producer: Producer,
        name: &'p StreamName,
        (desk, tell): (&'p Desk, Sender<Told>),
        stop: &'p Stop,
    ) -> Publisher<'p> {
        Publisher { producer, name, desk, tell, stop, run: None }
    }

    /// Waits until so many consumers are there, or somebody asks to stop.
    pub(super) fn wait_for(&mut self, consumers: usize) -> Result<(), Error> {
        while !self.stop.is_asked() {
            let there = match consumers {
                0 => 0,
                _ => shm::look(self.name).map_err(|source| self.named(source))?.consumers.len(),
            };
            let wanted = consumers.saturating_sub(there);
            self.desk.change(|now| now.wanted = wanted);
            if wanted == 0 {
                break;
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// Events come from this now.
    pub(crate) fn input(&mut self, name: String) {
        self.desk.change(|now| now.input = name);
    }

    /// The run that is going on.
    pub(crate) fn run(&self) -> Option<u32> {
        self.run.as_ref().map(|in_hand| in_hand.run)
    }

    /// A run begins with this BOR.
    pub(crate) fn begin(&mut self, bor: &[u8]) -> Result<(), Error> {
        self.cut();
        let run = EventView::parse(bor).map_or(0, |(event, _)| event.header.serial);
        self.events(bor)?;
        let before = self.producer.account();
        let published = before.events;
        let input = self.desk.change(|now| {
            (now.run, now.is_paused, now.before) = (Some(run), false, published);
            now.input.clone()
        });
        self.run = Some(InHand { run, input, begun: Instant::now(), before });
        Ok(())
    }

    /// It ends with this EOR.
    pub(crate) fn end(&mut self, eor: &[u8]) -> Result<(), Error> {
        self.events(eor)?;
        self.told(false);
        Ok(())
    }

    /// Other events.
    pub(crate) fn events(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.producer.events(bytes).map_err(|source| self.named(source))
    }

    /// What was given does not wait for more.
    pub(crate) fn flush(&mut self) {
        self.producer.flush();
    }

    /// The run is paused, or goes on.
    pub(crate) fn pause(&mut self, is_paused: bool) -> Result<(), Error> {
        let done = if is_paused { self.producer.pause() } else { self.producer.resume() };
        done.map_err(|source| self.named(source))?;
        self.desk.change(|now| now.is_paused = is_paused);
        Ok(())
    }

    /// So many events of the source were passed over.
    pub(crate) fn missed(&mut self, events: u64) {
        self.desk.change(|now| now.missed += events);
    }

    /// Something looks odd.
    pub(crate) fn warn(&mut self, text: String) {
        // Who listens ends behind this thread.
        let _ = self.tell.send(Told::Warning(text));
    }

    /// Nothing more comes.
    pub(super) fn leave(mut self) {
        self.flush();
        self.cut();
    }

    /// The run in hand, if any, is over without its EOR.
    pub(crate) fn cut(&mut self) {
        // All of it counts.
        self.flush();
        if let Some(run) = self.run().filter(|_| !self.stop.is_asked()) {
            self.warn(format!("run {run} has no EOR: consumers are told that it is cut"));
        }
        self.told(true);
    }

    fn told(&mut self, is_cut: bool) {
        let Some(InHand { run, input, begun, before }) = self.run.take() else { return };
        self.desk.change(|now| {
            (now.run, now.is_paused) = (None, false);
            now.runs += 1;
            now.cut = is_cut.then_some(run);
        });
        let now = self.producer.account();
        let told = RunTold {
            run,
            input: Some(input).filter(|input| !input.is_empty()),
            events: now.events.saturating_sub(before.events),
            bytes: now.bytes.saturating_sub(before.bytes),
            waited_seconds: now.waited.saturating_sub(before.waited).as_secs_f64(),
            cut: is_cut,
            seconds: begun.elapsed().as_secs_f64(),
        };
        let _ = self.tell.send(Told::Run(told));
    }

    fn named(&self, source: shm::Error) -> Error {
        Error::Shm { name: self.name.to_string(), source: Box::new(source) }
    }
}
