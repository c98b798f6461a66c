//! What a user writes.
//!
//! In the order of a run:
//!
//! 1. A fresh copy of the module is made and its fields are filled from the ODB ([`Record`]).
//! 2. [`prepare`](Module::prepare): derived tables, booking of tests and histograms. May be slow,
//!    may fail; a failure ends the analysis before any event.
//! 3. [`bor`](Module::bor).
//! 4. [`event`](Module::event) for each event of the request, on any thread, in any order. Should
//!    not allocate. An error or panic costs this event only.
//! 5. [`eor`](Module::eor).
//!
//! Where others change parameters or switches of a shared ODB while events flow, a new *epoch* begins, at
//! a block: a [`Module`] goes through 1 to 3 anew, as another copy. A [`Sequential`] module goes on with
//! what it remembers: its fields are filled again and 2 is called again, not 3. A stage that is off is left
//! alone until it is on.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use pactolus_formats::mid;
use pactolus_formats::mid::layout::BankKind;
use pactolus_formats::{Bank, BankDef, BankName, Element, Header, Order, Tid};
use pactolus_odb::Record;

use crate::histo::{At, Booking, BookingError, Fills, Histo, Histogram, Histograms, Shape};
use crate::random::Random;
use crate::test::{Board, Test};
use crate::verify::Watch;
use crate::{Banks, Event, Run};

/// What a module's method may fail with: any error. The stage adds its name and the event.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of a module's methods.
pub type Result<T, E = BoxError> = std::result::Result<T, E>;

/// An error with its causes, in one line.
pub(crate) fn reason(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Whether an event goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To the next stage, and to the output after the last.
    Keep,
    /// No later stage of this chain sees the event; it is not written.
    Skip,
}

/// A module without memory between events: it runs on any block on any thread.
///
/// Its fields are its parameters, see [`Record`]; its name comes from where it is mounted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `Module`",
    label = "needs `impl Module for {Self}`",
    note = "`.module()` mounts what implements `Module`, whose `event` takes `&self`",
    note = "what implements `Sequential`, with `&mut self`, is mounted with `.sequential()`"
)]
// The compiler shows this line to who gives a module a field that threads cannot share.
#[rustfmt::skip]
pub trait Module: Record + Send + Sync { // keeps nothing between events; what does implements `Sequential`
    /// The banks it reads and appends, for the rehearsal before the first event.
    fn banks(&self) -> Banks {
        Banks::default()
    }

    /// Parameters are in place; this instance has seen no event.
    ///
    /// # Errors
    /// Any: the analysis does not start. Where parameters were changed in the middle of a run, the values
    /// before stay in force.
    fn prepare(&mut self, setup: &mut Setup<'_>) -> Result<()> {
        let _ = setup;
        Ok(())
    }

    /// Begin of run, or of an epoch in the middle of it.
    ///
    /// # Errors
    /// As of [`prepare`](Module::prepare).
    fn bor(&self, run: &Run) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// One event.
    ///
    /// # Errors
    /// Any: it costs this event, is counted, and the next event comes.
    fn event(&self, event: &Event<'_>, context: &Context<'_>) -> Result<Verdict>;

    /// End of run, with what was folded from all blocks, if the stage is on then.
    ///
    /// # Errors
    /// Any: reported as an error of the run.
    fn eor(&self, run: &EndOfRun<'_>) -> Result<()> {
        let _ = run;
        Ok(())
    }
}

/// A module with memory between events: it sees them one after the other in run order.
///
/// Each run begins with a fresh copy of the module as it was mounted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `Sequential` module",
    label = "needs `impl Sequential for {Self}`",
    note = "`.sequential()` mounts what implements `Sequential`, whose `event` takes `&mut self`",
    note = "what implements `Module`, with `&self`, is mounted with `.module()`"
)]
pub trait Sequential: Record + Send {
    /// The banks it reads and appends, for the rehearsal before the first event.
    fn banks(&self) -> Banks {
        Banks::default()
    }

    /// Parameters are in place: before the first event, and again whenever they were changed in the middle
    /// of a run. So set what follows from parameters here, handles of tests and histograms included, and
    /// do not add to what is there (`self.handles = ...`, not `self.handles.push(...)`). What the module
    /// remembers of events is left as it is, and begins in [`bor`](Sequential::bor). It must book the same
    /// whatever it remembers.
    ///
    /// # Errors
    /// Any: the analysis does not start. Where parameters were changed in the middle of a run, the values
    /// before stay in force if a fresh copy of the module fails; if only this one does, it is replaced by
    /// that copy, which is an error of the run.
    fn prepare(&mut self, setup: &mut Setup<'_>) -> Result<()> {
        let _ = setup;
        Ok(())
    }

    /// Begin of run, or in the middle of it, when the stage is switched on for the first time.
    ///
    /// # Errors
    /// As of [`prepare`](Sequential::prepare).
    fn bor(&mut self, run: &Run) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// One event.
    ///
    /// # Errors
    /// Any: it costs this event, is counted, and the next event comes.
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<Verdict>;

    /// End of run, with what was folded from all blocks, if the stage is on then.
    ///
    /// # Errors
    /// Any: reported as an error of the run.
    fn eor(&mut self, run: &EndOfRun<'_>) -> Result<()> {
        let _ = run;
        Ok(())
    }
}

/// Where a module books what belongs to the pipeline.
pub struct Setup<'a> {
    run: &'a Run,
    /// Name of the stage: the folder of its histograms.
    stage: &'a str,
    booked: &'a mut Booked,
    elements: &'a dyn Fn(BankName) -> Option<usize>,
}

/// What the modules of a run have booked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Booked {
    pub(crate) tests: Vec<String>,
    pub(crate) histograms: Vec<Arc<Shape>>,
}

impl Booked {
    /// Takes a histogram; its number.
    pub(crate) fn histogram(&mut self, shape: Shape) -> Result<u32, BookingError> {
        if self.histograms.iter().any(|known| known.name.eq_ignore_ascii_case(&shape.name)) {
            return Err(BookingError::Twice { name: shape.name });
        }
        self.histograms.push(Arc::new(shape));
        Ok(self.histograms.len() as u32 - 1)
    }
}

impl<'a> Setup<'a> {
    pub(crate) fn new(
        run: &'a Run,
        stage: &'a str,
        booked: &'a mut Booked,
        elements: &'a dyn Fn(BankName) -> Option<usize>,
    ) -> Setup<'a> {
        Setup { run, stage, booked, elements }
    }

    /// The run that begins.
    pub fn run(&self) -> &Run {
        self.run
    }

    /// Books a test; modules that book the same name share it.
    pub fn test(&mut self, name: &str) -> Test {
        let tests = &mut self.booked.tests;
        let known = tests.iter().position(|t| t.eq_ignore_ascii_case(name));
        Test::new(known.unwrap_or_else(|| {
            tests.push(name.to_owned());
            tests.len() - 1
        }))
    }

    /// Books a histogram under `name`, which may be a path, in a folder of the stage's own name:
    /// `Average/ADCAVG` of the stage `ADC summing` is `ADC summing/Average/ADCAVG`. The handle that
    /// comes back is for [`Context::fill`].
    ///
    /// ```
    /// # use pactolus::prelude::*;
    /// # #[derive(Record, Clone)]
    /// # struct M { #[key(skip)] energy: Hist1 }
    /// # impl Module for M {
    /// fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
    ///     let axis = Axis::regular(500, 0.0, 4000.0).title("Energy").unit("MeV");
    ///     self.energy = setup.book("Energy", Hist1::new(axis).title("Energy of the shower"))?;
    ///     Ok(())
    /// }
    /// # fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
    /// #   context.fill(self.energy, 12.5_f32);
    /// #   Ok(Keep)
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the stage has booked that name before, or there cannot be such axes.
    pub fn book<H: Histo>(&mut self, name: &str, booking: Booking<H>) -> Result<H, BookingError> {
        self.booked.histogram(booking.shape(self.stage, name)?).map(H::from_index)
    }

    /// Books a histogram for each of `channels` channels, counted from 0: `CADC` gives `CADC00`, `CADC01`, ...
    ///
    /// ```
    /// # use pactolus::prelude::*;
    /// # const ADC0: BankDef<u16> = BankDef::new(b"ADC0").size(4);
    /// # #[derive(Record, Clone)]
    /// # struct M { #[key(skip)] amplitudes: Vec<Hist1> }
    /// # impl Module for M {
    /// fn prepare(&mut self, setup: &mut Setup) -> Result<()> {
    ///     let channels = setup.elements(ADC0).unwrap_or(16);
    ///     self.amplitudes = setup.book_each("CADC", channels, |channel| {
    ///         Hist1::new(Axis::regular(500, 0.0, 4000.0)).title(format!("Amplitude of channel {channel}"))
    ///     })?;
    ///     Ok(())
    /// }
    /// # fn event(&self, _: &Event, _: &Context) -> Result<Verdict> { Ok(Keep) }
    /// # }
    /// ```
    ///
    /// # Errors
    /// As of [`book`](Setup::book).
    pub fn book_each<H: Histo>(
        &mut self,
        name: &str,
        channels: usize,
        booking: impl Fn(usize) -> Booking<H>,
    ) -> Result<Vec<H>, BookingError> {
        let digits = channels.saturating_sub(1).to_string().len().max(2);
        (0..channels)
            .map(|channel| self.book(&format!("{name}{channel:0digits$}"), booking(channel)))
            .collect()
    }

    /// How many elements `bank` has at the most, if the request or a module of the chain declares
    /// it: for one histogram per channel.
    pub fn elements<T>(&self, bank: pactolus_formats::BankDef<T>) -> Option<usize> {
        (self.elements)(bank.name())
    }
}

/// What a run has come to, for [`Module::eor`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndOfRun<'a> {
    /// The run.
    pub run: &'a Run,
    /// Events that entered this stage.
    pub entered: u64,
    /// Names and counts of the tests.
    pub tests: &'a [(String, u64)],
    /// The histograms of all stages.
    pub histograms: &'a Histograms,
    pub(crate) messages: &'a RefCell<Vec<String>>,
}

impl<'a> EndOfRun<'a> {
    /// A histogram of this module, with all that the run has filled.
    ///
    /// ```
    /// # use pactolus::prelude::*;
    /// # #[derive(Record, Clone)]
    /// # struct M { #[key(skip)] energy: Hist1 }
    /// # impl Module for M {
    /// fn eor(&self, run: &EndOfRun) -> Result<()> {
    ///     let energy = run.histogram(self.energy).stats();
    ///     run.message(format!("mean energy {:.1} MeV", energy.mean_x));
    ///     Ok(())
    /// }
    /// # fn event(&self, _: &Event, _: &Context) -> Result<Verdict> { Ok(Keep) }
    /// # }
    /// ```
    ///
    /// # Panics
    /// If it was not booked in `prepare`; that is an error of the run.
    #[track_caller]
    pub fn histogram<H: Histo>(&self, histogram: H) -> &'a Histogram {
        match self.histograms.list.get(histogram.index() as usize) {
            Some(histogram) => histogram,
            None => panic!(
                "a histogram is asked for that was not booked: book it in prepare, as self.energy = setup.book(...)?"
            ),
        }
    }

    /// Leaves a message for the user, as [`Context::message`] does.
    pub fn message(&self, text: impl Into<String>) {
        self.messages.borrow_mut().push(text.into());
    }
}

/// What belongs to the pipeline, lent to a module for one event.
pub struct Context<'a> {
    pub(crate) run: &'a Run,
    pub(crate) epoch: u32,
    pub(crate) board: &'a Board,
    pub(crate) fills: &'a Fills,
    pub(crate) notes: &'a Notes,
    /// Number of the stage in the analyzer, for random numbers.
    pub(crate) stage: u32,
    pub(crate) header: Header,
}

/// What modules leave behind for the pipeline to pick up.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) messages: RefCell<Vec<String>>,
    pub(crate) queue: RefCell<Vec<NewEvent>>,
    /// Takes in what else a module does to an event, where somebody compares.
    pub(crate) watch: Watch,
}

impl fmt::Debug for Setup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setup { run, stage, booked, .. } = self;
        f.debug_struct("Setup").field("run", run).field("stage", stage).field("booked", booked).finish()
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Context { run, epoch, header, .. } = self;
        f.debug_struct("Context").field("run", run).field("epoch", epoch).field("header", header).finish()
    }
}

impl Context<'_> {
    /// The run.
    pub fn run(&self) -> &Run {
        self.run
    }

    /// The epoch: which set of parameter values is in force, counted from 0 in each run.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Sets a test for this event.
    ///
    /// # Panics
    /// If the test was not booked in `prepare`; the stage reports it and the event is lost.
    #[inline]
    #[track_caller]
    pub fn set(&self, test: Test, value: bool) {
        self.board.set(test, value);
        self.notes.watch.note(("test", test.index(), value));
    }

    /// Fills a histogram, at once: also if the event is lost or skipped later.
    ///
    /// | handle | is filled with |
    /// |---|---|
    /// | [`Hist1`](crate::histo::Hist1) | `x` |
    /// | [`Hist2`](crate::histo::Hist2) | `(x, y)` |
    /// | [`Profile`](crate::histo::Profile) | `(x, value)` |
    /// | [`Strip`](crate::histo::Strip) | `value`, at the time of the event |
    /// | [`WeightedHist1`](crate::histo::WeightedHist1) | `(x, weight)` |
    /// | [`WeightedHist2`](crate::histo::WeightedHist2) | `(x, y, weight)` |
    /// | [`WeightedProfile`](crate::histo::WeightedProfile) | `(x, value, weight)` |
    ///
    /// Numbers may be of any type; integers beyond 2^53 are rounded.
    ///
    /// # Panics
    /// If the histogram was not booked in `prepare`; the stage reports it and the event is lost.
    #[inline]
    #[track_caller]
    pub fn fill<H: Histo>(&self, histogram: H, at: impl At<H>) {
        let point = at.at();
        self.notes.watch.note(("fill", histogram.index(), point.map(f64::to_bits)));
        self.fills.put(histogram, point, self.header.time);
    }

    /// Leaves a message for the user. The first of a run are in its report, behind those of the end of the run.
    pub fn message(&self, text: impl Into<String>) {
        self.notes.messages.borrow_mut().push(text.into());
    }

    /// Random numbers that are the same for this event and stage whenever and wherever it is analysed. Each call
    /// begins them anew.
    ///
    /// ```
    /// # use pactolus::prelude::*;
    /// # #[derive(Record, Clone)]
    /// # struct Smear {}
    /// # const CADC: BankDef<f64> = BankDef::new(b"CADC");
    /// # const SMER: BankDef<f64> = BankDef::new(b"SMER");
    /// # impl Module for Smear {
    /// fn event(&self, event: &Event, context: &Context) -> Result<Verdict> {
    ///     let Some(cadc) = event.get(CADC)? else { return Ok(Keep) };
    ///     let mut random = context.random();
    ///     event.append_with(SMER, cadc.len(), |i| cadc.at(i) + 2.5 * random.gauss())?;
    ///     Ok(Keep)
    /// }
    /// # }
    /// ```
    pub fn random(&self) -> Random {
        let Header { id, serial, .. } = self.header;
        let event = u128::from(self.run.number) << 64 | u128::from(serial) << 32 | u128::from(id);
        // The generator needs well-mixed seeds: an odd multiplier spreads neighbouring events.
        let mixed = (event << 16 | u128::from(self.stage & 0xffff))
            .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645);
        Random::new(mixed ^ mixed >> 64)
    }

    /// Makes a new event. It takes the place of the event in hand in the output and is offered to
    /// the later requests only; if the event in hand is lost to an error, so is the new one. The
    /// module declares it with
    /// [`Banks::queues_events`](crate::Banks::queues_events).
    pub fn queue(&self, event: NewEvent) {
        self.notes.queue.borrow_mut().push(event);
    }
}

/// An event that is made: by a module ([`Context::queue`]), or by a test of one
/// ([`harness::event`](crate::harness::event)).
///
/// ```
/// use pactolus::prelude::*;
/// const PEAK: BankDef<f32> = BankDef::new(b"PEAK");
/// let event = NewEvent::new(50, 1, 7, 1_700_000_000).bank(PEAK, &[12.5]);
/// assert_eq!(event.get(PEAK), Some(vec![12.5]));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewEvent {
    pub(crate) header: Header,
    pub(crate) banks: Vec<(BankName, Tid, Vec<u8>)>,
    /// Of a FIXED event, which has no banks.
    pub(crate) fixed: Option<Vec<u8>>,
}

impl NewEvent {
    /// An event without banks: event id, trigger mask, serial number, time stamp [Unix seconds].
    pub fn new(id: u16, mask: u16, serial: u32, time: u32) -> NewEvent {
        NewEvent { header: Header { id, mask, serial, time, size: 0 }, banks: Vec::new(), fixed: None }
    }

    /// Adds a bank of these elements.
    #[must_use]
    pub fn bank<T: Element>(mut self, def: BankDef<T>, values: &[T]) -> NewEvent {
        self.banks.push((def.name(), T::TID, bytes_of(values)));
        self
    }

    /// Adds a bank of any type, from bytes as they stand in a file, little-endian.
    #[must_use]
    pub fn bytes(mut self, name: BankName, tid: Tid, bytes: &[u8]) -> NewEvent {
        self.banks.push((name, tid, bytes.to_vec()));
        self
    }

    /// Makes it a FIXED event, which is one structure and has no banks.
    #[must_use]
    pub fn fixed<T: Element>(mut self, value: T) -> NewEvent {
        self.banks.clear();
        self.fixed = Some(bytes_of(&[value]));
        self
    }

    /// ... with this trigger mask.
    #[must_use]
    pub fn mask(mut self, mask: u16) -> NewEvent {
        self.header.mask = mask;
        self
    }

    /// ... with this serial number.
    #[must_use]
    pub fn serial(mut self, serial: u32) -> NewEvent {
        self.header.serial = serial;
        self
    }

    /// ... with this time stamp [Unix seconds].
    #[must_use]
    pub fn time(mut self, time: u32) -> NewEvent {
        self.header.time = time;
        self
    }

    /// Its header; the size is that of no file.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The elements of bank `def`; `None` if it has no such bank, or one of another type.
    pub fn get<T: Element>(&self, def: BankDef<T>) -> Option<Vec<T>> {
        let (name, tid, data) = self.banks.iter().find(|(name, ..)| *name == def.name())?;
        let bank = Bank { name: *name, code: tid.code(), data, order: Order::Little };
        bank.values::<T>().ok().map(|values| values.iter().collect())
    }

    /// As a `.mid` file has it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(payload) = &self.fixed {
            bytes.extend(Header { size: payload.len() as u32, ..self.header }.to_bytes());
            bytes.extend(payload);
            return bytes;
        }
        let banks = self.banks.iter().map(|(name, tid, data)| Bank {
            name: *name,
            code: tid.code(),
            data,
            order: Order::Little,
        });
        match mid::write_event(&mut bytes, &self.header, BankKind::Bank32, banks) {
            Ok(true) => {}
            _ => bytes.extend_from_slice(&self.header.to_bytes()),
        }
        bytes
    }
}

/// As they stand in a file.
fn bytes_of<T: Element>(values: &[T]) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * T::SIZE];
    values.iter().zip(bytes.chunks_exact_mut(T::SIZE)).for_each(|(value, slot)| value.write(slot));
    bytes
}
